"""One patient: sliders, the companions who share what is known, a pinned scenario beside it, own points, the file."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from typing import Annotated, Any, cast

from fastapi import File, UploadFile

from vein2vein.errors import InputError
from vein2vein.journey.scenario import USUAL_POLICY, Planned
from vein2vein.therapy.patient_card import patient_card
from vein2vein.web.door import Door
from vein2vein.web.form_text import with_typed
from vein2vein.web.page import Page, Part, See
from vein2vein.web.patient.form import example_text, patient_form, scenario_data
from vein2vein.web.patient.reading import read_scenario
from vein2vein.web.uploads import JSON, TABLE, TOML, check_rows, read_with, take
from vein2vein.web.visit import Filled, Typed, Visit, Visited
from vein2vein.web.words import said
from vein2vein.web.workspace import Changed, Input

DRAW = "vein2vein.web.patient.work:draw"
MOST_POINTS = 2_000
LONGEST = 200_000  # characters of a scenario
FILE_NAME = "scenario.toml"
_FILE = re.compile(r"[\w.-]{1,80}\.toml")
DOOR = Door(
    "patient",
    said("One patient"),
    said("Drag dose, product and the rest, see what companions of this patient show, and compare scenarios."),
)


@DOOR.page("/patient")
def start(visit: Visited) -> Page:
    """Show the example patient, to be changed."""
    return _page(visit, example_text())


@DOOR.page("/patient/{key}")
def saved(visit: Visited, key: str) -> Page:
    """Show a scenario that was saved."""
    return _page(visit, _scenario(visit, key).text(), _scenario(visit, key))


@DOOR.part("/patient/draw", form=True)
def draw(visit: Visited, typed: Filled) -> Part:
    """Draw the first days anew."""
    return _drawn(visit, typed, whole=False)


@DOOR.part("/patient/whole", form=True)
def whole(visit: Visited, typed: Filled) -> Part:
    """Draw the whole follow-up, with what became of the companions and how they differ from the pinned ones."""
    return _drawn(visit, typed, whole=True)


@DOOR.part("/patient/form", form=True)
def form(visit: Visited, typed: Filled) -> Part:
    """Make the form anew: another product or disease has other choices and other numbers."""
    text = _text(typed)
    return Part("patient/form.html.j2", _form_data(text))


@DOOR.change("/patient/save", form=True)
def save(visit: Visited, typed: Filled) -> See | Page:
    """Keep the scenario as a file of the workspace; faults stand at their field, and what was typed stays."""
    text = _text(typed)
    kept = _scenario(visit, typed["key"]) if typed.get("key") else None
    try:
        name = _name(read_scenario(text), text)
        if kept is None or "as_new" in typed:
            return See(f"/patient/{visit.workspace.add('patient', name, text, TOML).id}")
        changed = visit.workspace.save(kept.id, text, based_on=typed.get("based_on", ""), name=name)
        return See(f"/patient/{changed.id}")
    except Changed as problem:
        return _page(visit, text, kept, InputError(problem.text), status=409, based_on=typed.get("based_on", ""))
    except InputError as problem:
        return _page(visit, text, kept, problem, status=422)


@DOOR.change("/patient/open")
def open_file(visit: Visited, file: Annotated[UploadFile, File()]) -> See:
    """Take a scenario, or a patient's file, that was saved before."""
    found = take(file, TOML)
    text = found.content.decode("utf-8-sig", "strict") if _is_text(found.content) else ""
    if not text or len(text) > LONGEST:
        raise InputError(
            f"is no text of at most {LONGEST:,} characters; give a scenario that was saved here.", file=found.name
        )
    if "scenario" not in scenario_data(text):
        text = f"{text.rstrip()}\n{example_text().rpartition('# What is given')[2].partition(chr(10))[2]}"
    planned = _located(found.name, text)
    return See(f"/patient/{visit.workspace.add('patient', _name(planned, text), text, TOML).id}")


@DOOR.part("/patient/points")
def points(visit: Visited, file: Annotated[UploadFile, File()]) -> Part:
    """Read measured values of one patient, to be laid over the charts; they are kept on the page and nowhere else."""
    from vein2vein.io.record.read import read_record

    found = take(file, TABLE, JSON)
    check_rows(found.name, [found.content], "points")
    record = read_with(found, read_record)
    course = record.course
    if len(course.patients) != 1:
        raise InputError(
            f"holds {len(course.patients)} patients, expected one; give the record of one.", file=found.name
        )
    held: dict[str, list[list[Any]]] = {}
    for name, values in course.values.items():
        below = course.marked(course.below_lloq, name)[0]
        rows = [
            [round(float(day), 4), float(value), bool(low)]
            for day, value, low in zip(course.days, values[0], below, strict=True)
            if math.isfinite(value)
        ]
        if rows:
            held[name] = rows
    if sum(len(rows) for rows in held.values()) > MOST_POINTS:
        raise InputError(f"holds more than {MOST_POINTS} values; give fewer days or fewer analytes.", file=found.name)
    counted = [{"analyte": name, "points": len(rows)} for name, rows in held.items()]
    aside = [str(one).replace(one.file, found.name) for one in record.set_aside[:20]]
    data = {"points": json.dumps(held), "counted": counted, "aside": aside, "file": found.name}
    return Part("patient/points.html.j2", data)


def _page(
    visit: Visit, text: str, kept: Input | None = None, problem: InputError | None = None, *, status: int = 200,
    based_on: str = "",
) -> Page:  # fmt: skip
    visit.quick.warm(DRAW)
    data = {
        **_form_data(text, problem),
        "key": kept.id if kept else "",
        "based_on": based_on or (kept.digest if kept else ""),
        "name": kept.name if kept else "",
        "file": kept.file_name if kept else FILE_NAME,
        "conflict": status == 409,
    }
    python, command = _elsewhere(text, kept.file_name if kept else FILE_NAME)
    return Page("patient/page.html.j2", DOOR.title, data, python=python, command=command, status=status)


def _form_data(text: str, problem: InputError | None = None) -> dict[str, object]:
    return {"form": patient_form(scenario_data(text), problem), "text": text}


def _drawn(visit: Visit, typed: Typed, *, whole: bool) -> Part:
    text = _text(typed)
    pinned = typed.get("pinned", "")
    if len(pinned) > LONGEST:
        raise InputError("the pinned scenario is too long; pin it again.", field="pinned")
    asked = {"text": text, "pinned": pinned, "points": _points(typed.get("points", "")), "whole": whole}
    found = cast("Mapping[str, object]", visit.quick.ask(f"patient {typed.get('slot', '')}", DRAW, asked))
    file = typed.get("file", "")
    python, command = _elsewhere(text, file if _FILE.fullmatch(file) else FILE_NAME)
    template = "patient/whole.html.j2" if whole else "patient/first.html.j2"
    return Part(template, {**found, "text": text, "python": python, "command": command})


def _text(typed: Typed) -> str:
    text = typed.get("text", "") or example_text()
    if len(text) > LONGEST:
        raise InputError(f"found {len(text):,} characters, expected a scenario of at most {LONGEST:,}.", field="text")
    return with_typed(patient_card(), text, typed)


def _points(text: str) -> dict[str, list[list[Any]]]:
    """Points as this page gave them; anything else is refused."""
    if not text:
        return {}
    refused = InputError("the own points are not as this page reads them; drop the file again.", field="points")
    try:
        held = json.loads(text)
        if not isinstance(held, dict):
            raise refused
        found: dict[str, list[list[Any]]] = {}
        count = 0
        for name, rows in cast("dict[str, Any]", held).items():
            found[str(name)] = [[float(day), float(value), bool(below)] for day, value, below in rows]
            count += len(found[str(name)])
            if not all(math.isfinite(x) for row in found[str(name)] for x in row[:2]):
                raise refused
    except (ValueError, TypeError, RecursionError):
        raise refused from None
    if count > MOST_POINTS:
        raise refused
    return found


def _scenario(visit: Visit, key: str) -> Input:
    found = visit.workspace.find(key)
    if found.kind != "patient":
        raise InputError(f"'{found.name}' is no scenario of a patient; open it from the start page.", field="key")
    return found


def _located(name: str, text: str) -> Planned:
    try:
        return read_scenario(text)
    except InputError as problem:
        raise InputError(problem.text, file=name, line=problem.line, field=problem.field) from None


def _is_text(content: bytes) -> bool:
    try:
        content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return False
    return True


def _name(planned: Planned, text: str) -> str:
    told = str(scenario_data(text).get("name") or "")
    return ", ".join(one for one in (told, planned.product.title, planned.scenario.dose) if one)


def _elsewhere(text: str, file: str) -> tuple[str, str]:
    """The same from Python and on the command line, by the file that is saved; nothing where it cannot be read."""
    try:
        planned = read_scenario(text)
    except InputError:
        return "", ""
    one, seed = planned.scenario, planned.seed
    lines = ["import vein2vein as v2v", "", f'patient, notes = v2v.read_patient("{file}")']
    given = [f'"{planned.product.name}"']
    if one.dose:
        given.append(f"dose={json.dumps(one.dose)}")
    if one.conditioning:
        given.append(f"regimen={json.dumps(one.conditioning)}")
    given.append(f"policy={json.dumps(one.policy or USUAL_POLICY)}")
    if planned.numbers:
        lines += ["numbers = v2v.ParameterSet(", '    "scenario",', "    {"]
        lines += [
            f'        "{name}": v2v.Parameter(name="{name}", symbol="{p.symbol}", value={p.value!r}, unit="{p.unit}", '
            f'how="assumed", why="set in the scenario"),'
            for name, p in planned.numbers.parameters.items()
        ]
        lines += ["    },", ")"]
        given.append("overlay=numbers")
    who = f"v2v.companions(patient, {planned.companions}, seed={seed})" if planned.companions > 1 else "patient"
    lines += [f"companions = {who}", f"journey = v2v.simulate(companions, {', '.join(given)}, seed={seed})"]
    lines += ['print(journey.infused.sum(), "of", journey.count, "infused")']
    return "\n".join(lines), f"vein2vein simulate {file}"
