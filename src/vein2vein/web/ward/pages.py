"""What the addresses of the ward answer; the door names them and loads this with the first question."""

from __future__ import annotations

import datetime
from typing import Any

from fastapi import UploadFile
from starlette.responses import Response

from vein2vein.errors import InputError
from vein2vein.io.record.findings import write_findings, write_findings_fhir
from vein2vein.io.record.read import example_record_text
from vein2vein.report.figures_monitor import LATE_PANELS
from vein2vein.report.handover import handover_page, sheet
from vein2vein.report.look import look
from vein2vein.ward.ahead import check_not_ahead
from vein2vein.ward.monitor import WardRound, monitor
from vein2vein.ward.round import Row, check_after_infusion, day_text, decision_row, patient_rows, round_rows
from vein2vein.ward.states import day_text as day_words
from vein2vein.ward.states import moment_text
from vein2vein.ward.ward_list import in_order, line_of
from vein2vein.web.doors.jobs import document_text, handed, packed
from vein2vein.web.doors.ward import DECISION, LIST, ROUND, TITLE
from vein2vein.web.images import image
from vein2vein.web.page import Page, See
from vein2vein.web.uploads import take
from vein2vein.web.visit import Typed, Visit
from vein2vein.web.ward import opened as records
from vein2vein.web.ward import told
from vein2vein.web.ward.opened import Opened, Refused
from vein2vein.web.workspace import Missing, new_id

MOST_PATIENTS = 60  # that a page lists; the command writes the list of more into a folder
PICTURES = "vein2vein.web.ward.pictures"
TYPED = "typed in here"
BEFORE = "before"  # the field that says: a time before the infusion is meant
BAD = 422
NOTHING: dict[str, str] = {}


def ward(visit: Visit) -> Page:
    """Show what is open, what was kept, and how to open a record."""
    held = [{"key": key, "name": one.name} for key, one in visit.held.listed(Opened) if not one.kept]
    kept = [{"key": one.id, "name": one.name, "when": one.changed} for one in visit.workspace.listed(records.DOOR)]
    data = {"open": held, "kept": kept, **told.patient_asked(), "typed": NOTHING, "faults": NOTHING}
    return Page("ward/start.html.j2", TITLE, data, command="vein2vein monitor record.csv")


def open_files(visit: Visit, file: list[UploadFile]) -> See:
    """Open a record that is sent; several files may be of one patient or of many."""
    uploads = [take(one, *records.TAKEN) for one in file]
    files = records.files_of(uploads)
    return _held(visit, records.opened(uploads[0].name, files))


def example(visit: Visit) -> See:
    """Open the example that comes with vein2vein."""
    return _held(visit, records.opened("example.csv", {"example.csv": example_record_text().encode()}))


def begin(visit: Visit, typed: Typed) -> See | Page:
    """Begin the record of a patient with who it is and when the cells were given."""
    try:
        check_not_ahead(typed.get("infused", "").strip(), _this_moment(), field="infused")
        made = records.begun(patient_rows(typed), TYPED)
    except InputError as problem:
        data: dict[str, Any] = {
            "open": [],
            "kept": [],
            **told.patient_asked(),
            "typed": dict(typed),
            "faults": _faults(problem),
        }
        return Page("ward/start.html.j2", TITLE, data, command="vein2vein monitor record.csv", status=BAD)
    key = _held(visit, made).address.rpartition("/")[2]
    return See(f"/ward/{key}/0/round")


def record(visit: Visit, key: str, scale: str = "astct", until: str = "") -> Page:
    """Show the round of the one patient, or the list of several, the worst of today first."""
    there = records.find(visit, key)
    if len(there.record.courses) == 1:
        return _round(there, key, 0, scale, until)
    if len(there.record.courses) > MOST_PATIENTS:
        raise InputError(
            f"this record holds {len(there.record.courses)} patients, and a page lists {MOST_PATIENTS}; the command "
            "vein2vein monitor writes the list of a ward with a page for each."
        )
    watches = [watch for i in range(len(there.record.courses)) if (watch := _some(there, i, scale, until)) is not None]
    places = {int(course.patients[0]): i for i, course in enumerate(there.record.courses)}
    data = {
        **_about(there, key, scale, until),
        "lines": told.list_told(in_order([line_of(watch) for watch in watches]), places),
        "ungraded": [f"{label}: {why}" for label, why in there.record.ungraded],
        "warnings": there.record.warnings,
        "aside": [str(one) for one in there.record.set_aside[: told.MOST_ASIDE]],
    }
    return Page("ward/list.html.j2", LIST, data, command=_command(there, scale, until))


def patient(visit: Visit, key: str, place: int, scale: str = "astct", until: str = "") -> Page:
    """Show the round of one patient."""
    return _round(records.find(visit, key), key, place, scale, until)


def ask_round(visit: Visit, key: str, place: int) -> Page:
    """Ask what was charted on a round."""
    return _asked(records.find(visit, key), key, place, {}, {})


def add_round(visit: Visit, key: str, place: int, typed: Typed) -> See | Page:
    """Add a round to the record; what the reader would set aside is said at its field, and nothing is added."""
    with records.WRITING:
        there = records.find(visit, key)
        watch = _watch(there, place)
        try:
            rows = round_rows(typed, _time(typed, watch), typed.get("author", "").strip())
            records.store(visit, key, records.with_rows(there, rows, place))
        except InputError as problem:
            return _asked(there, key, place, typed, _faults(problem))
    return See(f"/ward/{key}/{place}")


def ask_decision(visit: Visit, key: str, place: int) -> Page:
    """Ask what a clinician decides: a sign of another cause, or a grade."""
    return _decision(records.find(visit, key), key, place, {}, {})


def decide(visit: Visit, key: str, place: int, typed: Typed) -> See | Page:
    """Add a decision to the record: a row with its author and its time."""
    with records.WRITING:
        there = records.find(visit, key)
        watch = _watch(there, place)
        try:
            row = decision_row({**typed, "until": _until(typed, watch)}, _time(typed, watch))
            made = records.with_rows(there, [row], place)
            _check_decision(made, place, row)
            records.store(visit, key, made)
        except InputError as problem:
            return _decision(there, key, place, typed, _faults(problem))
    return See(f"/ward/{key}/{place}#decisions")


def keep(visit: Visit, key: str) -> See:
    """Keep a record in the workspace."""
    with records.WRITING:
        return See(f"/ward/{records.keep(visit, key)}")


def close(visit: Visit, key: str) -> See:
    """Forget a record that is open; one that was kept stays."""
    records.close(visit, key)
    return See("/ward")


def remove(visit: Visit, key: str) -> See:
    """Remove a record that was kept."""
    with records.WRITING:
        if records.find(visit, key).kept:
            visit.workspace.remove(key)
        records.close(visit, key)
    return See("/ward")


def files(visit: Visit, key: str) -> Response:
    """Send the record with the rows that were added here, as the command line reads it."""
    there = records.find(visit, key)
    if len(there.files) == 1:
        (name, content), *_ = there.files.items()
        return handed(content, name, "text/csv" if name.endswith(".csv") else "application/json")
    return packed(there.files, "record")


def written(
    visit: Visit, key: str, place: int, name: str, show: bool = False, scale: str = "astct", until: str = ""
) -> Response:
    """Send what the command writes of a patient: page, sheet for the handover, findings; with ``show`` it is shown."""
    there = records.find(visit, key)
    watch = _watch(there, place, scale, until)
    if name == "report.html":
        text = str(visit.quick.ask(new_id(), f"{PICTURES}:report", _question(there, place, scale, until)))
    elif name == "handover.html":
        text = handover_page([sheet(watch)])
    else:
        text = _findings(watch, name)
    if show and name.endswith(".html"):
        return document_text(text)
    kinds = {"html": "text/html", "csv": "text/csv", "json": "application/fhir+json"}
    return handed(text.encode(), name, kinds[name.rpartition(".")[2]])


def figure(visit: Visit, key: str, place: int, name: str, scale: str = "astct", until: str = "") -> Response:
    """Send a figure of a patient: the first weeks, or the time after them."""
    there = records.find(visit, key)
    _watch(there, place, scale, until)
    drawn: Any = visit.quick.ask(new_id(), f"{PICTURES}:figures", _question(there, place, scale, until))
    if name not in drawn:
        raise Missing("the record has no such figure; go back to its page.")
    return image(drawn[name])


# ---------------------------------------------------------------- pages


def _round(there: Opened, key: str, place: int, scale: str, until: str) -> Page:
    watch = _watch(there, place, scale, until)
    data = {
        **_about(there, key, scale, until), "place": place, "several": len(there.record.courses) > 1,
        "figures": _figures(watch), **told.round_told(watch, there.record),
    }  # fmt: skip
    read = f'v2v.monitor(v2v.read_record("{_file(there)}"))'
    code = f"import vein2vein as v2v\n\nfor patient in {read}:\n    print(patient.now)"
    return Page(
        "ward/round.html.j2",
        "{who}",
        data,
        python=code,
        command=_command(there, scale, until),
        names={"who": told.who(watch)},
    )


def _asked(there: Opened, key: str, place: int, typed: Any, faults: dict[str, str]) -> Page:
    watch = _watch(there, place)
    data = {
        "key": key, "place": place, "who": told.who(watch), "typed": dict(typed), "faults": faults,
        "now": _now() if watch.infused is not None else "",
        **told.round_asked(watch),
    }  # fmt: skip
    return Page("ward/ask.html.j2", ROUND, data, status=BAD if faults else 200)


def _decision(there: Opened, key: str, place: int, typed: Any, faults: dict[str, str]) -> Page:
    watch = _watch(there, place)
    data = {
        "key": key, "place": place, "who": told.who(watch), "typed": dict(typed), "faults": faults, "now": _last(watch),
        "dated": watch.infused is not None, **told.decision_asked(),
    }  # fmt: skip
    return Page("ward/decide.html.j2", DECISION, data, status=BAD if faults else 200)


def _about(there: Opened, key: str, scale: str = "astct", until: str = "") -> dict[str, Any]:
    return {"key": key, "name": there.name, "kept": there.kept, "scale": scale, "until": until, "scales": told.scales()}


def _figures(watch: WardRound) -> list[str]:
    """Figures that the record has: nothing is drawn before the infusion, nor of later weeks that it does not hold."""
    late = watch.today > look("windows", "early") and any(watch.course.measured(name) for name in LATE_PANELS)
    return [] if watch.today < 0 else ["timeline", *(["later"] if late else [])]


# ---------------------------------------------------------------- reading


def _held(visit: Visit, made: Opened) -> See:
    visit.quick.warm(f"{PICTURES}:figures")  # the page asks for its figures next
    return See(f"/ward/{visit.held.put(made, made.size)}")


def _how(scale: str, until: str) -> dict[str, Any]:
    try:
        day = float(until) if until.strip() else None
    except ValueError:
        raise InputError(f"found '{until}', expected a day since the infusion such as 7.", field="until") from None
    return {"scale": scale, "until": day}


def _watch(there: Opened, place: int, scale: str = "astct", until: str = "") -> WardRound:
    if not 0 <= place < len(there.record.courses):
        raise Missing("there is no such patient in this record; go back to it.")
    (watch,) = monitor(there.record.of(place), **_how(scale, until))
    return watch


def _some(there: Opened, place: int, scale: str, until: str) -> WardRound | None:
    """A patient's round; None where nothing of this patient stands up to that day."""
    try:
        return _watch(there, place, scale, until)
    except InputError as problem:
        if "holds nothing" in problem.text:
            return None
        raise


def _question(there: Opened, place: int, scale: str, until: str) -> dict[str, Any]:
    return {"files": dict(there.files), "name": there.name, "patient": place, "how": _how(scale, until)}


def _time(typed: Typed, watch: WardRound) -> str:
    """The time of a row, as the record gives times: by date and clock, or by day since the infusion."""
    given = typed.get("time", "").strip()
    if not given:
        raise InputError("when? Give the time of the round.", field="time")
    time = given if watch.infused is not None else day_text(given)
    check_after_infusion(time, watch.infused, meant=BEFORE in typed)
    check_not_ahead(time, _this_moment(), watch.infused)
    return time


def _until(typed: Typed, watch: WardRound) -> str:
    given = typed.get("until", "").strip()
    return given if not given or watch.infused is not None else day_text(given)


def _check_decision(made: Opened, place: int, row: Row) -> None:
    """Refuse a decision that cannot hold, as the round would set it aside."""
    watch = _watch(made, place)
    before = {str(one) for one in made.record.set_aside}
    refused = [one for one in watch.set_aside if str(one) not in before]
    if refused and row.analyte == "override":
        last = refused[-1]
        if last.line == max(one.line or 0 for one in refused):
            raise Refused([("finding", f"{last.told}; {last.remedy}.")])


def _findings(watch: WardRound, name: str) -> str:
    import tempfile
    from pathlib import Path

    with tempfile.TemporaryDirectory(prefix="vein2vein-") as place:
        path = Path(place) / name
        if name == "findings.csv":
            write_findings(watch.findings, watch.course, path, label=watch.label)
        else:
            write_findings_fhir(watch.findings, watch.course, path, label=watch.label)
        return path.read_text(encoding="utf-8")


def _faults(problem: InputError) -> dict[str, str]:
    """What is wrong by the field of the form; "" for the form as a whole."""
    if isinstance(problem, Refused):
        return dict(reversed(problem.faults))
    return {problem.field or "": problem.text}


def _file(there: Opened) -> str:
    return next(iter(there.files)) if len(there.files) == 1 else "record"


def _command(there: Opened, scale: str, until: str) -> str:
    parts = ["vein2vein monitor", _file(there), *([f"--scale {scale}"] if scale != "astct" else [])]
    return " ".join([*parts, *([f"--until {until}"] if until else [])])


def _last(watch: WardRound) -> str:
    """The moment of the last reading, as a field for a time shows it: a decision is about what was read."""
    if watch.infused is None:
        return day_words(watch.today)
    date, _, clock = moment_text(watch.today, watch.infused).partition(" ")
    return f"{date}T{clock or '00:00'}"


def _now() -> str:
    """This moment as a field for a time shows it: that of the machine on which the ward works."""
    return _this_moment().replace(tzinfo=None).isoformat(timespec="minutes")


def _this_moment() -> datetime.datetime:
    return datetime.datetime.now().astimezone()
