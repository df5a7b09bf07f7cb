"""vein2vein monitor: a real patient's record, graded; first today, then every day, then the page."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from vein2vein.cli import console, options
from vein2vein.clinic.words import finding_words, ward_scales
from vein2vein.errors import InputError

if TYPE_CHECKING:
    from vein2vein.therapy.course import Row
    from vein2vein.ward.monitor import WardRound
    from vein2vein.ward.states import Standing

REPORT, FINDINGS, FHIR, COPY = "report.html", "findings.csv", "findings.fhir.json", "record.csv"
TITLES = {"fhir": "FHIR"}  # where a kind of file is not written as its event
SHOWN_ASIDE = 10  # rows that the terminal lists; the page lists all
EXAMPLES = """\b
Examples:
  vein2vein monitor --init record.csv
  vein2vein monitor record.csv
  vein2vein monitor bundle.json --scale lee2014 --until 7 --out ward --json
"""


@click.command("monitor", cls=options.Command, epilog=EXAMPLES)
@click.argument("record", type=options.PATH, metavar="[RECORD]", required=False)
@options.mapping
@click.option(
    "--scale",
    default="astct",
    show_default=True,
    metavar="|".join(ward_scales()),
    help="Scale of cytokine release syndrome.",
)
@click.option("--until", type=float, metavar="DAY", help="Read nothing later than this day.")
@options.product("CAR-T product (default: what the record says).")
@click.option("--weight", type=click.FloatRange(1.5, 350), metavar="KG", help="Weight (default: the record's).")
@click.option("--age", type=click.FloatRange(0, 120), metavar="Y", help="Age in years (default: the record's).")
@options.out_folder("Folder for page and findings, CSV and FHIR (default: vein2vein-results/<record>-monitor).")
@options.init("Write an annotated record to start from")
@click.option("--deidentify", "private", is_flag=True, help="Leave out identifiers and dates; writes such a copy too.")
@options.for_machines("today, finding, score, changed, consider, due, missing, day, set_aside, report")
@options.quiet("No tables and no notes; only what was set aside and where the page is.")
@options.force
def command(
    record: Path | None,
    mapping: Path | None,
    scale: str,
    until: float | None,
    product: str | None,
    weight: float | None,
    age: float | None,
    out: Path | None,
    init: Path | None,
    private: bool,
    for_machines: bool,
    quiet: bool,
    force: bool,
) -> None:
    """Grade a patient's record day by day, each grade with the rows that caused it.

    RECORD is a CSV table or a FHIR R4 bundle; --init writes an annotated example. First today: grades, what changed,
    what the guidelines say to consider with the dose for this weight, what is due, what is missing. Then every day, and
    a page with the timeline. What is not gradable is never shown as 0. Rows that cannot be used are listed; the others
    are graded all the same. Nothing leaves this computer.
    """
    from vein2vein.io.record.deidentify import deidentify
    from vein2vein.io.record.read import example_record_text, read_record
    from vein2vein.ward.monitor import monitor

    if init is not None:
        text = example_record_text()
        options.start_file(init, text, f"monitor {init}", force=force, for_machines=for_machines, quiet=quiet)
        return
    if record is None:
        raise InputError(
            "which record? Give a CSV table or a FHIR bundle; --init FILE writes an example to start from."
        )
    if until is not None and not math.isfinite(until):
        raise InputError("found a day that is no number in --until; expected days since the infusion, such as 7.")
    read = read_record(record, mapping=mapping)
    read = deidentify(read) if private else read
    watches = monitor(read, scale=scale, until=until, product=product, weight=weight, age=age)
    folder = out or console.results_folder("record-monitor" if private else f"{record.stem}-monitor")
    names = _names(watches)
    results = [*(name for own in names for name in own), *([COPY] if private else [])]
    console.new_folder(folder, results, force=force)
    files = [(what, path) for watch, own in zip(watches, names) for what, path in _write(watch, folder, own, force)]
    if private:
        from vein2vein.io.record.write import write_record

        files.append(("copy", write_record(read, folder / COPY)))
    for watch in () if quiet else watches:  # after the files: whoever stops reading (a pager, head) still has them
        if for_machines:
            _emit(watch)
        else:
            _print(watch, len(watches) > 1)
    _tell(watches, for_machines, quiet)
    for what, path in files:
        console.tell(f"{TITLES.get(what, what.capitalize())}: {path}", what, for_machines, path=path)


def _names(watches: tuple[WardRound, ...]) -> list[tuple[str, str, str]]:
    if len(watches) == 1:
        return [(REPORT, FINDINGS, FHIR)]
    return [(_own(REPORT, w), _own(FINDINGS, w), _own(FHIR, w)) for w in watches]


def _own(name: str, watch: WardRound) -> str:
    return name.replace(".", f"-{watch.patient}.", 1)


def _write(watch: WardRound, folder: Path, names: tuple[str, str, str], force: bool) -> list[tuple[str, Path]]:
    from vein2vein.io.record.findings import write_findings, write_findings_fhir
    from vein2vein.report.monitor_page import write_monitor_report

    report, table, bundle = (folder / name for name in names)
    return [
        ("report", write_monitor_report(watch, report, force=force)),
        ("findings", write_findings(watch.findings, watch.course, table)),
        ("fhir", write_findings_fhir(watch.findings, watch.course, bundle)),
    ]


def _print(watch: WardRound, many: bool) -> None:
    from vein2vein.clinic.criteria import reference, with_sources
    from vein2vein.report.monitor_page import advised, closed_scores, dose_words, due_rows, edition_title, score_rows
    from vein2vein.ward.monitor import missing_now
    from vein2vein.ward.states import amounts, day_text, in_words, name_of, shown_value, title

    who = f"Patient {watch.patient}: " if many else ""
    rows: list[tuple[str, ...]] = []
    for s in (*watch.now, *watch.hematotoxicity):
        aged = f" (day {day_text(s.last_day)}: {in_words(s.name, s.last_grade)})" if s.grade < 0 <= s.last_grade else ""
        why = "; ".join(shown_value(row) for row in s.because) or ", ".join(s.flags)
        lacks = f"missing: {', '.join(name_of(n) for n in s.missing)}" if s.missing else ""
        mark = ", in part unverified" if s.unverified else ""
        rows.append((s.title, f"{s}{aged}", "; ".join(filter(None, (why, lacks))), f"{edition_title(s.edition)}{mark}"))
    console.table(
        ("finding", "now", "why, or what is missing", "edition"), rows, title=f"{who}today, day {day_text(watch.today)}"
    )
    if scores := score_rows(watch):
        console.table(("score", "value", "why, or what is missing", "edition"), scores, title="Risk scores")
    _list("Risk scores that the record does not allow", closed_scores(watch))
    _list("Changed in 24 hours", watch.changed)
    _list("Risk of infection", watch.infection)
    considered: list[tuple[str, ...]] = []
    for one, day in watch.consider:
        aged = f", day {day_text(day)}" if watch.today - day >= 1 else ""
        notes = [
            *(f"not now: {b}" for b in one.blocked),
            *one.notes,
            *([with_sources(one.conflict)] if one.conflict else []),
        ]
        text = f"{one.text} ({'; '.join(notes)})" if notes else one.text
        state = f"{title(one.finding)}, {in_words(one.finding, one.grade)}{aged}"
        considered.append((state, text, dose_words(one), reference(one.mark)))
    if considered:
        shown = [advised(watch), "" if math.isnan(watch.weight) else f"doses for {watch.weight:g} kg"]
        heading = "; ".join(filter(None, ("Guidelines say to consider", *shown)))
        console.table(("for", "consider", "one dose", "source"), considered, title=heading)
    for heading, due in due_rows(watch):
        if due and heading != "Standing advice":
            _list(heading, [f"{when}: {what} ({source})" for when, what, _, source in due])
    lacking = missing_now(watch)
    _list("Missing today", [f"{name_of(name)} (for {', '.join(needs)})" for name, needs in lacking.items()])
    table: list[tuple[object, ...]] = []
    for d in watch.days:
        cells = [_short(s) for s in d.states.values()]
        table.append((d.day, *cells, amounts(d.given)))
    heads = [_head(n) for n in watch.findings]
    console.table(("day", *heads, "given"), table, title="Day by day (worst grade; ?: not gradable)", right=(0,))
    _list(
        "Clinicians' decisions",
        [f"day {day_text(d.first_day)}: {d.what}: {d.holds}, by {d.author} [{d.where_from}]" for d in watch.decisions],
    )


def _short(state: Standing) -> str:
    return str(state.grade) if state.grade >= 0 else f">={state.at_least}" if state.at_least > 0 else "?"


def _head(name: str) -> str:
    return finding_words(name).short


def _list(heading: str, lines: Sequence[str]) -> None:
    if lines:
        console.say(heading, style="bold")
        for line in lines:
            console.say(f"  {line}")
        console.say("")


def _state(state: Standing) -> dict[str, object]:
    return {
        "finding": state.name,
        "grade": state.grade if state.grade >= 0 else None,
        "at_least": state.at_least,
        "state": str(state),
        "day": state.day,
        "edition": state.edition,
        "unverified": bool(state.unverified),
        "missing": state.missing,
        "flags": state.flags,
        "because": [_row(row) for row in state.because],
    }


def _row(row: Row) -> dict[str, object]:
    return {
        "day": row.day,
        "analyte": row.analyte,
        "value": row.value,
        "below": row.below_lloq,
        "source": row.where_from,
    }


def _emit(watch: WardRound) -> None:
    from vein2vein.clinic.criteria import reference
    from vein2vein.ward.monitor import missing_now

    own = {"patient": watch.patient}
    console.emit(
        "today", **own, day=watch.today, age=watch.age, weight=watch.weight, product=watch.product, scale=watch.scale
    )
    for state in (*watch.now, *watch.hematotoxicity):
        last = {"last_grade": None if state.last_grade < 0 else state.last_grade, "last_day": state.last_day}
        console.emit("finding", **own, **_state(state), **last)
    for one in watch.risk_scores:
        console.emit(
            "score",
            **own,
            score=one.name,
            title=one.title,
            low=one.low,
            high=one.high,
            verdict=one.verdict,
            state=str(one),
            first_day=one.first_day,
            last_day=one.last_day,
            points=dict(one.points),
            missing=one.missing,
            flags=one.flags,
            edition=one.edition,
            unverified=bool(one.unverified),
            because=[_row(row) for row in one.because],
        )
    for text in watch.changed:
        console.emit("changed", **own, text=text)
    console.emit("infection", **own, factors=watch.infection, unknown=watch.infection_unknown)
    for one, day in watch.consider:
        console.emit(
            "consider",
            **own,
            finding=one.finding,
            grade=one.grade,
            grade_day=day,
            text=one.text,
            treatment=one.treatment,
            dose=one.dose,
            unit=one.unit,
            every_hours=one.every_hours,
            mark=one.mark,
            source=reference(one.mark),
            unverified="M" in one.mark.split(","),
            blocked=one.blocked,
            conflict=one.conflict,
            notes=one.notes,
        )
    for d in watch.due:
        console.emit(
            "due",
            **own,
            what=d.what,
            group=d.group,
            when=d.when,
            until=d.until,
            overdue=bool(d.overdue),
            last=d.last,
            mark=d.mark,
            source=reference(d.mark),
        )
    for name, needs in missing_now(watch).items():
        console.emit("missing", **own, analyte=name, needed_for=needs)
    for d in watch.days:
        given = [{"day": r.day, "treatment": r.analyte, "amount": r.value, "source": r.where_from} for r in d.given]
        console.emit("day", **own, number=d.day, findings=[_state(s) for s in d.states.values()], given=given)
    for d in watch.decisions:
        console.emit("decision", **own, **{name: getattr(d, name) for name in d.__dataclass_fields__})


def _tell(watches: tuple[WardRound, ...], for_machines: bool, quiet: bool) -> None:
    aside = list(dict.fromkeys(one for watch in watches for one in watch.set_aside))
    if for_machines:
        for one in aside:
            console.emit("set_aside", **{name: getattr(one, name) for name in one.__dataclass_fields__})
    elif aside:
        many = f"{len(aside)} rows were" if len(aside) > 1 else "1 row was"
        console.say(f"note: {many} set aside; everything else was graded:", stderr=True)
        for one in aside[:SHOWN_ASIDE]:
            console.say(f"  {one}", stderr=True)
        if len(aside) > SHOWN_ASIDE:
            console.say(f"  and {len(aside) - SHOWN_ASIDE} more; the page lists them all", stderr=True)
    notes = (note for watch in watches for note in watch.notes)
    console.tell_notes(notes, for_machines=for_machines, quiet=quiet)
