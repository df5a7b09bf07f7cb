"""vein2vein monitor: the records of a ward, graded; of one patient first today, then every day, then the page."""

from __future__ import annotations

import datetime
import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import click

from vein2vein.cli import console, options
from vein2vein.cli.monitor_cohort import (
    INDEX,
    Asked,
    Done,
    Task,
    file_names,
    line_event,
    run_all,
    run_one,
    show_list,
    table_of,
)
from vein2vein.cli.monitor_files import Wanted, charted, check_wanted, notes_on, sheet_of, wanted_files, write_wanted
from vein2vein.cli.monitor_patient import events, show
from vein2vein.clinic.words import ward_scales
from vein2vein.errors import InputError, unknown

if TYPE_CHECKING:
    from vein2vein.io.record.record import Record, SetAside, Tally
    from vein2vein.ward.corrections import Corrected, Corrections

REPORT, FINDINGS, FHIR, COPY = "report.html", "findings.csv", "findings.fhir.json", "record.csv"
TITLES = {"fhir": "FHIR", "list": "Ward list"}  # where a kind of file is not written as its event
SHOWN_ASIDE = 10  # rows that the terminal lists; the page lists all
SHOWN_NOTES = 10  # notes on patients of a cohort
EXAMPLES = """\b
Examples:
  vein2vein monitor --init record.csv
  vein2vein monitor record.csv
  vein2vein monitor bundle.json --scale lee2014 --until 7 --out ward --json
  vein2vein monitor records --out ward
  vein2vein monitor today.csv --since yesterday.csv
  vein2vein monitor record.csv --handover sheet.html --episodes episodes.csv --sdtm-ae ae.csv --study TRIAL-1
"""


@click.command("monitor", cls=options.Command, epilog=EXAMPLES)
@click.argument("record", type=options.INPUT, metavar="[RECORD]", required=False)
@options.mapping
@click.option(
    "--scale",
    default="astct",
    show_default=True,
    metavar="|".join(ward_scales()),
    help="Scale of cytokine release syndrome.",
)
@click.option("--until", type=float, metavar="DAY", help="Read nothing later than this day.")
@click.option(
    "--patient", "wanted", metavar="ID", multiple=True, help="Only this patient (may be given several times)."
)
@click.option("--since", type=options.PATH, metavar="RECORD", help="An export before this one: tell what it corrects.")
@options.product("CAR-T product (default: what the record says).")
@click.option("--weight", type=click.FloatRange(1.5, 350), metavar="KG", help="Weight (default: the record's).")
@click.option("--age", type=click.FloatRange(0, 120), metavar="Y", help="Age in years (default: the record's).")
@options.out_folder(
    "Folder for page and findings, CSV and FHIR (default: vein2vein-results/<record>-monitor; of several: none)."
)
@options.init("Write an annotated record to start from")
@click.option("--deidentify", "private", is_flag=True, help="Leave out identifiers and dates; writes such a copy too.")
@options.for_machines(
    "today, finding, score, changed, consider, due, episode, missing, day, ward, corrected, regraded, set_aside, read, "
    "report"
)
@wanted_files
@options.quiet("No tables and no notes; only what was set aside and where the page is.")
@options.force
def command(
    record: Path | None,
    mapping: Path | None,
    scale: str,
    until: float | None,
    wanted: tuple[str, ...],
    since: Path | None,
    product: str | None,
    weight: float | None,
    age: float | None,
    out: Path | None,
    init: Path | None,
    private: bool,
    for_machines: bool,
    episodes: Path | None,
    adverse_events: Path | None,
    study: str,
    handover: Path | None,
    quiet: bool,
    force: bool,
) -> None:
    """Grade records day by day, each grade with the rows that caused it.

    RECORD is a CSV table or FHIR R4 (JSON, NDJSON) of one patient or many, or a folder of such files; --init writes an
    annotated example. Of one patient, first today: grades, what changed, what the guidelines say to consider with the
    dose for this weight, what is due, what is missing. Then every day, and a page with the timeline. Of several, the
    list of the ward: a line for each, the worst of today first; --patient shows one of them whole. What is not gradable
    is never shown as 0. Rows and files that cannot be used are listed; the others are graded all the same. Nothing
    leaves this computer.
    """
    from vein2vein.io.record.deidentify import deidentify
    from vein2vein.io.record.folder import read_records
    from vein2vein.io.record.read import example_record_text
    from vein2vein.ward.ahead import told_ahead

    if init is not None:
        text = example_record_text()
        options.start_file(init, text, f"monitor {init}", force=force, for_machines=for_machines, quiet=quiet)
        return
    if record is None:
        raise InputError(
            "which record? Give a CSV table, a FHIR bundle or a folder of them; --init FILE writes an example to start "
            "from."
        )
    if until is not None and not math.isfinite(until):
        raise InputError("found a day that is no number in --until; expected days since the infusion, such as 7.")
    if private and since is not None:
        raise InputError("--since does nothing with --deidentify: patients are compared by their ids; leave one out.")
    asked = Asked(scale, until, product, weight, age)
    extra = Wanted(episodes, adverse_events, study, handover)
    check_wanted(extra, force=force)
    with console.progress("Reading", for_machines=for_machines, quiet=quiet) as say:
        read = read_records(record, mapping=mapping, say=_numbered(say) if private else say)
        if not private:  # a sentence with a date
            read = replace(read, warnings=(*read.warnings, *told_ahead(read, datetime.datetime.now().astimezone())))
        older = None if since is None else read_records(since, mapping=mapping)
    corrected = None if older is None else _corrected(read, older, asked, wanted)
    read = _selected(read, wanted, private=private) if wanted else read
    read = deidentify(read) if private else read
    many = len(read.courses) > 1
    folder = out
    if out is None and (private or not many):
        named = "record" if private or str(record) == options.STDIN else record.absolute().stem
        folder = console.results_folder("-".join([named, *(() if private else file_names(wanted)), "monitor"]))
    how = How(for_machines, quiet, force, private, extra)
    done, files = _many(read, asked, folder, wanted, how) if many else _one(read, asked, folder or Path(), how)
    if corrected is not None:
        _tell_corrections(corrected, for_machines)
    people = [one.charted for one in done if one.charted is not None]
    files += write_wanted(extra, people, [one.sheet for one in done if one.sheet], force=force)
    _tell(read, done, for_machines, quiet, many=many)
    console.tell_notes(notes_on(extra, people), for_machines=for_machines, quiet=quiet)
    for what, path in files:
        console.tell(f"{TITLES.get(what, what.capitalize())}: {path}", what, for_machines, path=path)


def _numbered(say: console.Report) -> console.Report:
    """The same report, without the names of files."""
    return lambda fraction, stage="": say(fraction, stage.partition(":")[0])


def _selected(record: Record, wanted: Sequence[str], *, private: bool = False) -> Record:
    """The record of some patients, by id or, where they have none, by number; ``private``: names no others."""
    from vein2vein.io.record.record import chosen

    called = [label or str(one.patients[0]) for label, one in zip(record.facts.label, record.courses)]
    for name in wanted:
        if name not in called:
            left_out = next((why for label, why in record.ungraded if label == name), "")
            if left_out:
                raise InputError(f"patient {name!r} is not graded: {left_out}.", file=record.file)
            if private:
                raise InputError(f"no patient is called {name!r}; give the id as it stands in the record.")
            raise InputError(unknown("patient", name, called), file=record.file)
    return chosen(record, [called.index(name) for name in dict.fromkeys(wanted)])


def _corrected(read: Record, older: Record, asked: Asked, wanted: Sequence[str]) -> Corrections:
    from vein2vein.ward.corrections import corrections

    new = _selected(read, wanted) if wanted else read
    return corrections(new, older, **asked._asdict())


Files = list[tuple[str, Path]]


class How(NamedTuple):
    """How a command answers."""

    for_machines: bool
    quiet: bool
    force: bool
    copy: bool  # without identifiers
    wanted: Wanted


def _one(read: Record, asked: Asked, folder: Path, how: How) -> tuple[list[Done], Files]:
    """One patient: everything in the terminal, and its page."""
    from vein2vein.io.record.findings import write_findings, write_findings_fhir
    from vein2vein.report.monitor_page import write_monitor_report
    from vein2vein.ward.monitor import monitor

    (watch,) = monitor(read, **asked._asdict())
    console.new_folder(folder, [REPORT, FINDINGS, FHIR, *([COPY] if how.copy else [])], force=how.force)
    files: Files = [
        ("report", write_monitor_report(watch, folder / REPORT, force=how.force)),
        ("findings", write_findings(watch.findings, watch.course, folder / FINDINGS, label=watch.label)),
        ("fhir", write_findings_fhir(watch.findings, watch.course, folder / FHIR, label=watch.label)),
        *([_copy(read, folder)] if how.copy else []),
    ]
    if not how.quiet:  # after the files: whoever stops reading (a pager, head) still has them
        if how.for_machines:
            _emit(events(watch))
        else:
            show(watch)
    notes = tuple(note for note in watch.notes if note not in read.warnings)
    done = Done(watch.label, None, refused=watch.set_aside, notes=notes)
    return [done._replace(charted=charted(watch), sheet=sheet_of(watch, how.wanted))], files


def _many(read: Record, asked: Asked, folder: Path | None, wanted: Sequence[str], how: How) -> tuple[list[Done], Files]:
    """Several patients: the list of the ward, and the pages behind it."""
    from vein2vein.ward.ward_list import in_order

    names = file_names([label or str(one.patients[0]) for label, one in zip(read.facts.label, read.courses)])
    reports, bundles = [f"report-{name}.html" for name in names], [f"findings-{name}.fhir.json" for name in names]
    if folder is not None:
        console.new_folder(
            folder, [INDEX, FINDINGS, *reports, *bundles, *([COPY] if how.copy else [])], force=how.force
        )
    tasks = [
        Task(
            read.of(i), asked, folder / reports[i] if folder else None, folder / bundles[i] if folder else None,
            how.for_machines and not how.quiet, bool(wanted), how.force, how.wanted,
        )
        for i in range(len(names))
    ]  # fmt: skip
    first = run_one(tasks[0]) if asked.product or asked.scale not in ward_scales() else None
    if first is not None and first.problem and "holds nothing" not in first.problem:
        raise InputError(first.problem)  # of what was asked, not of the patient
    with console.progress("Grading", for_machines=how.for_machines, quiet=how.quiet) as say:
        done = run_all(tasks, say)
    lines = in_order([one.line for one in done if one.line is not None])
    ungraded = [*read.ungraded, *((one.label, one.problem) for one in done if one.problem)]
    if not lines:
        raise InputError(ungraded[0][1] if ungraded else "the record holds nothing.")
    files: Files = []
    if folder is not None:
        from vein2vein.io.record.findings import COLUMNS
        from vein2vein.io.record.write import write_rows
        from vein2vein.report.ward_page import write_ward_page

        pages = {int(one.patients[0]): page for one, page in zip(read.courses, reports)}
        page = write_ward_page(folder / INDEX, lines, *table_of(lines), pages, read, ungraded, force=how.force)
        files.append(("list", page))
        files.append(("findings", write_rows(folder / FINDINGS, COLUMNS, (row for one in done for row in one.rows))))
        files += [_copy(read, folder)] if how.copy else []
    if how.quiet:
        return done, files
    if how.for_machines:
        _emit(line_event(line, place) for place, line in enumerate(lines, start=1))
        _emit(event for one in done for event in one.told)
        return done, files
    show_list(lines, ungraded)
    for one in done:
        if one.watch is not None:
            show(one.watch)
    return done, files


def _copy(read: Record, folder: Path) -> tuple[str, Path]:
    from vein2vein.io.record.write import write_record

    return "copy", write_record(read, folder / COPY)


def _emit(told: Iterable[tuple[str, dict[str, object]]]) -> None:
    for name, fields in told:
        console.emit(name, **fields)


def _tell_corrections(found: Corrections, for_machines: bool) -> None:
    """What a later export says otherwise, and which grades it changed."""
    from vein2vein.ward.states import day_text, name_of, title

    for note in found.notes:
        console.tell(f"Since the export before: {note}", "note", for_machines, text=note)
    if for_machines:
        for event, listed in (("corrected", found.values), ("regraded", found.grades)):
            for one in listed:
                what = {"analyte" if event == "corrected" else "finding": one.what}
                console.emit(
                    event, patient=one.patient, id=one.label, day=one.day, **what, was=one.was, now=one.now,
                    source=one.where_from,
                )  # fmt: skip
        return

    def rows(listed: Sequence[Corrected], grades: bool) -> list[tuple[str, ...]]:
        return [
            (
                one.label, day_text(one.day), title(one.what) if grades else name_of(one.what),
                one.was or "not charted", one.now or "no longer charted", *([] if grades else [one.where_from]),
            )
            for one in listed
        ]  # fmt: skip

    if not found.values and not found.grades:
        console.say("Since the export before: nothing that had been graded was corrected.")
        return
    heads = ("patient", "day", "what", "was", "is")
    console.table((*heads, "row"), rows(found.values, False), title="Corrected since the export before", whole=(0,))
    if found.grades:
        console.table(heads, rows(found.grades, True), title="Grades that this changed", whole=(0,))
    else:
        console.say("No grade is changed by it.")


def _tell(read: Record, done: Sequence[Done], for_machines: bool, quiet: bool, *, many: bool) -> None:
    """What was set aside, noted and counted."""
    aside: list[SetAside] = list(dict.fromkeys((*read.set_aside, *(one for own in done for one in own.refused))))
    for text in read.warnings:
        if for_machines:
            console.emit("warning", text=text)
        console.say(f"warning: {text}", stderr=True)
    if for_machines:
        ids = {int(course.patients[0]): label for course, label in zip(read.courses, read.facts.label)}
        for one in aside:
            fields = {name: getattr(one, name) for name in one.__dataclass_fields__}
            console.emit("set_aside", **fields, id=ids.get(one.patient, ""))
    elif aside:
        rows = f"{len(aside)} rows were" if len(aside) > 1 else "1 row was"
        console.say(f"note: {rows} set aside; everything else was graded:", stderr=True)
        for one in aside[:SHOWN_ASIDE]:
            console.say(f"  {one}", stderr=True)
        if len(aside) > SHOWN_ASIDE:
            console.say(f"  and {len(aside) - SHOWN_ASIDE} more; the page lists them all", stderr=True)
    if many:
        count = Counter(note for own in done for note in own.notes)
        told = [f"{note} ({n} of {len(done)} patients)" for note, n in count.most_common(SHOWN_NOTES)]
        console.tell_notes((*read.notes, *told), for_machines=for_machines, quiet=quiet)
    else:
        console.tell_notes((note for own in done for note in own.notes), for_machines=for_machines, quiet=quiet)
    _tell_counts(read.tallies, for_machines, quiet)


def _tell_counts(tallies: Sequence[Tally], for_machines: bool, quiet: bool) -> None:
    """What was read, set aside and not known, by file."""
    if for_machines:
        for one in tallies:
            console.emit("read", **one._asdict())
    elif len(tallies) > 1 and not quiet:
        rows = [
            (Path(one.file).name, one.patients, one.read, one.set_aside, one.not_known, one.problem) for one in tallies
        ]
        heads = ("file", "patients", "values read", "places set aside", "rows not known", "problem")
        console.table(heads, rows, title="What was read", right=(1, 2, 3, 4))
    elif tallies and not quiet:
        console.say(count_words(tallies))


def count_words(tallies: Sequence[Tally]) -> str:
    """What was read, set aside and not known of all files, in a sentence."""
    read, aside, unknown_ = (sum(getattr(one, name) for one in tallies) for name in ("read", "set_aside", "not_known"))
    told = f", {unknown_} rows with names that are not known" if unknown_ else ""
    return f"Read: {read} value{'s'[: read != 1]}; set aside: {aside} place{'s'[: aside != 1]}{told}."
