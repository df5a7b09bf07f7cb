"""vein2vein respond: response at each disease visit, best response, and the dates that count."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, cast

import click

from vein2vein.cli import console, options
from vein2vein.cli.respond_people import AtRisk, Person, Visit, endpoints, judged, order_notes, races, risk_rows
from vein2vein.errors import InputError

if TYPE_CHECKING:
    from vein2vein.clinic.response.observed import Race

CRITERIA = ("lugano", "iwcll", "imwg", "all")
RESULT, AT_RISK = "response.csv", "at_risk.csv"
FEWEST = 2  # patients from which a table at risk is shown


EXAMPLES = """\b
Examples:
  vein2vein respond --init visits.csv
  vein2vein respond visits.csv --criteria lugano
  vein2vein respond record.csv --criteria all --out results --json
  vein2vein respond records --criteria imwg
"""
EXAMPLE = """\
# Disease visits for: vein2vein respond visits.csv --criteria lugano
# One row for each visit and lesion. day: days since the infusion (or a column time with dates and a mapping).
# Baseline: the last visit up to day 0. Deauville 1 to 5; diameters in cm; site: node or extranodal; new: 1 if new.
day,deauville,lesion,site,longest [cm],shortest [cm],new
-7,5,neck left,node,4.2,3.1,0
-7,5,mesentery,node,6.0,4.0,0
28,2,neck left,node,1.4,1.0,0
28,2,mesentery,node,1.5,1.1,0
91,2,neck left,node,1.2,0.9,0
91,2,mesentery,node,1.4,1.0,0
182,5,neck left,node,3.6,2.4,0
182,5,mesentery,node,1.4,1.0,0
"""


@click.command("respond", cls=options.Command, epilog=EXAMPLES)
@click.argument("visits", type=options.INPUT, metavar="[VISITS.CSV]", required=False)
@click.option("--criteria", metavar="|".join(CRITERIA), help="Lymphoma, CLL, myeloma or acute lymphoblastic leukemia.")
@click.option("--edition", "edition_name", metavar="NAME", help="Another edition, such as response_b_all_eln_2024.")
@options.mapping
@options.out_folder(f"Folder for {RESULT} and, of several patients, {AT_RISK}.")
@options.init("Write example visits to start from")
@options.for_machines("visit, patient, at_risk, warning, set_aside, note")
@options.quiet("No notes; only the responses and what was set aside.")
@options.force
def command(
    visits: Path | None,
    criteria: str | None,
    edition_name: str | None,
    mapping: Path | None,
    out: Path | None,
    init: Path | None,
    for_machines: bool,
    quiet: bool,
    force: bool,
) -> None:
    """Judge disease visits by Lugano, iwCLL, IMWG or the leukemia criteria.

    VISITS is a file of one patient or many, or a folder of such files; patients keep the ids of their files.

    Shows the response at each visit with its reason, or what is missing; then the best response and the days of
    event-free survival (EFS), progression-free survival (PFS) and duration of response (DOR) from these visits. A death
    counts (an event of all three) where the record says that the patient is not alive. A row new_therapy censors PFS in
    a second reading. Of several patients, a table by month: how many are at risk, and in how many relapse or the return
    of B cells came first, with what competes (death, transplant or new therapy).
    """
    if init is not None:
        then = f"respond {init} --criteria lugano"
        options.start_file(init, EXAMPLE, then, force=force, for_machines=for_machines, quiet=quiet)
        return
    if out is None:
        options.needs("--out", "force")
    if visits is None:
        raise InputError("which visits? Give a file; --init FILE writes an example to start from.")
    if criteria is None:
        raise InputError(f"which criteria? Add --criteria with one of {', '.join(CRITERIA)}.")
    from vein2vein.clinic.response.visits import respond_visits
    from vein2vein.io.record.visits import read_visits_of

    files, warnings = read_visits_of(visits, criteria, mapping=mapping)
    rows: list[Visit] = []
    people: list[Person] = []
    held: list[Race] = []
    by = ""
    for read in files:
        found = respond_visits(read.course, criteria, read.lesions, edition_name=edition_name)
        by = found.edition
        rows += judged(read.course, found, read.labels)
        people += endpoints(read.course, found, read.labels)
        held += races(read.course, found)
    at_risk = risk_rows(held) if len(people) >= FEWEST else []
    if out is not None:
        console.new_folder(out, (RESULT, *([AT_RISK] if at_risk else [])), force=force)
    if for_machines:
        for row in rows:
            console.emit("visit", **row)
        for one in people:
            console.emit("patient", **one, edition=by)
        for line in at_risk:
            console.emit("at_risk", **line)
    else:
        _print(rows, people, by)
        _print_at_risk(at_risk)
    for text in warnings:
        if for_machines:
            console.emit("warning", text=text)
        console.say(f"warning: {text}", stderr=True)
    for one in (item for read in files for item in read.set_aside):
        if for_machines:
            console.emit("set_aside", text=str(one))
        else:
            console.say(f"set aside: {one}", stderr=True)
    notes = [note for read in files for note in (*read.notes, *order_notes(read.course, read.labels))]
    console.tell_notes(notes, for_machines=for_machines, quiet=quiet)
    if out is not None:
        from vein2vein.io.record.write import write_rows

        header = ("patient", "id", "day", "response", "confirmed", "reasons", "missing")
        path = write_rows(out / RESULT, header, [[_cell(row[name]) for name in header] for row in rows])
        console.tell(f"Responses: {path}", "file", for_machines, path=path)
        if at_risk:
            table = [[_cell(value) for value in row.values()] for row in at_risk]
            path = write_rows(out / AT_RISK, tuple(at_risk[0]), table)
            console.tell(f"At risk: {path}", "file", for_machines, path=path)


def _cell(value: object) -> object:
    if isinstance(value, tuple):
        return "; ".join(map(str, cast("tuple[object, ...]", value)))
    if isinstance(value, float) and math.isnan(value):
        return ""
    return "" if value is None else int(value) if isinstance(value, bool) else value


def _print(rows: list[Visit], people: list[Person], edition: str) -> None:
    words = {None: "", True: "yes", False: "no"}
    shown = [
        (
            row["id"] or row["patient"],
            console.number(row["day"]),
            f"{row['response']}, unconfirmed" if row["confirmed"] is False else row["response"],
            words[row["confirmed"]],
            "; ".join((*row["reasons"], *(f"missing: {name}" for name in row["missing"]))),
        )
        for row in rows
    ]
    console.table(("patient", "day", "response", "confirmed", "why"), shown, title=f"By {edition}", right=(1,))
    second = any("efs_second_line_day" in one for one in people)
    other = any(math.isfinite(one["new_therapy_day"]) for one in people)
    more = [*(["PFS, censored at new therapy"] if other else []), *(["EFS, 2nd line"] if second else [])]
    console.table(
        ("patient", "best", "first response", "EFS", "PFS", "DOR (days)", *more),
        [
            (
                one["id"] or one["patient"],
                _best(one),
                _day(one["response_day"]),
                _until(one["efs_day"], one["efs_event"]),
                _until(one["pfs_day"], one["pfs_event"]),
                _until(one["dor_days"], one["dor_event"], "after "),
                *([_until(one["pfs_censored_day"], one["pfs_censored_event"])] if other else []),
                *([_second_line(one)] if second else []),
            )
            for one in people
        ],
        title="Day of the event (+: none until the last visit)",
    )


def _best(one: Person) -> str:
    """The best response, and what of it is confirmed where the criteria ask for that."""
    from vein2vein.clinic.words import below_response, failures

    settled = {*below_response(), *failures()} - {"MR"} | {one["best_confirmed"]}  # a minimal response is confirmed too
    if one["best_confirmed"] is None or one["best"] in settled:
        return one["best"]
    return f"{one['best']}, {'confirmed: ' + one['best_confirmed'] if one['best_confirmed'] else 'unconfirmed'}"


def _print_at_risk(rows: list[AtRisk]) -> None:
    """A table for each race: a line for each month, a column for each event."""
    for what in dict.fromkeys(row["what"] for row in rows):
        own = [row for row in rows if row["what"] == what]
        events = list(dict.fromkeys(row["first"] for row in own))
        lines = [
            (
                f"{month:g}",
                next(row["at_risk"] for row in own if row["month"] == month),
                *(_share(next(row for row in own if (row["month"], row["first"]) == (month, event)))
                  for event in events),
            )
            for month in dict.fromkeys(row["month"] for row in own)
        ]  # fmt: skip
        title = f"Time to {what}: cumulative incidence (95 % interval), competing events told apart"
        console.table(("month", "at risk", *events), lines, title=title, right=(0, 1))


def _share(row: AtRisk) -> str:
    told = f"{100 * row['share']:.0f} %"
    limits = (row["low"], row["high"])
    return f"{told} ({100 * limits[0]:.0f} to {100 * limits[1]:.0f})" if all(map(math.isfinite, limits)) else told


def _second_line(one: Person) -> str:
    return _until(one.get("efs_second_line_day", math.nan), one.get("efs_second_line_event", False))


def _day(day: float) -> str:
    return f"day {console.number(day)}" if math.isfinite(day) else "none"


def _until(day: float, event: bool, prefix: str = "day ") -> str:
    return "–" if not math.isfinite(day) else f"{prefix}{console.number(day)}{'' if event else '+'}"
