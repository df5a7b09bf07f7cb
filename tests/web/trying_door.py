"""A door that only the tests open: it uses everything that the frame gives."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import File, Form, Query, UploadFile

from vein2vein.card_reading import read
from vein2vein.cards import parse_card
from vein2vein.declared import Record, flag, listed, number, part, text
from vein2vein.errors import InputError
from vein2vein.web.chart import Band, Chart, Curve, Event, HeatMap, Level, Points, chart_data
from vein2vein.web.door import Door
from vein2vein.web.fields import form_of
from vein2vein.web.form_text import with_typed
from vein2vein.web.jobs.kinds import JobKind
from vein2vein.web.jobs.large_trial import KIND
from vein2vein.web.page import Page, Part, See
from vein2vein.web.uploads import TABLE, TOML, read_with, take
from vein2vein.web.visit import Filled, Visited
from vein2vein.web.workspace import Changed, now

DRAW = "trying_door:drawn"
DOOR = Door(
    "trying",
    "Trying",
    "For tests.",
    jobs={
        "large_trial": KIND,
        "count": JobKind("trying_door:count"),
        "chunks": JobKind("trying_door:chunks", resumable=True),
        "wrong": JobKind("trying_door:wrong"),
        "broken": JobKind("trying_door:broken"),
    },
)


@dataclass(frozen=True)
class Drug(Record):
    """A drug."""

    name: Annotated[str, text("Drug", ("fludarabine", "cyclophosphamide"))]
    dose: Annotated[float, number("Dose on each of the days", "mg/m^2", above=0)]


@dataclass(frozen=True)
class Card(Record):
    """A card of the tests."""

    dose: Annotated[float, number("Dose; of CAR-T cells per weight", "e6/kg", 0, 10)]
    title: Annotated[str, text("Title")] = ""
    male: Annotated[bool, flag("Male")] | None = None
    days: Annotated[tuple[float, ...], listed("Days", "days such as [1, 2]", unit="day")] = ()
    drugs: Annotated[tuple[Drug, ...], part("Drugs")] = ()


@DOOR.page("/trying")
def trying(visit: Visited, fail: Annotated[str, Query(max_length=20)] = "") -> Page:
    """Show everything."""
    if fail == "defect":
        raise ValueError("the secret of patient 7")
    if fail == "changed":
        raise Changed("Ours")
    if fail == "disk":
        raise OSError(28, "No space left on device")
    data = {"dose": {"value": 3.1, "unit": "e6/kg", "origin": "virtual"}, "chart": CHART, "heat": HEAT, "slot": now()}
    data["form"] = form_of(Card, {"dose": 3.1}, sliders={"dose": (0, 10, 0.1)})
    return Page("trying/page.html.j2", "Trying", data, python="print('trying')", command="vein2vein products")


@DOOR.part("/trying/draw", form=True)
def draw(visit: Visited, typed: Filled) -> Part:
    """Draw anew."""
    text_of = with_typed(Card, "dose = 3.1\n", typed)
    card = read(parse_card(text_of, "form"), Card)
    found = visit.quick.ask(typed.get("slot", ""), DRAW, {"dose": card.dose, "seconds": float(typed.get("seconds", 0))})
    return Part("trying/drawn.html.j2", {"chart": found, "dose": card.dose})


@DOOR.change("/trying/save", form=True)
def save(visit: Visited, typed: Filled) -> See | Page:
    """Keep a card; faults stand at their field."""
    text_of = with_typed(Card, "", typed)
    try:
        read(parse_card(text_of, "form"), Card)
    except InputError as problem:
        data = parse_card(text_of, "form").data
        form = form_of(Card, data, problem=problem)
        return Page("trying/form.html.j2", "Trying", {"form": form}, status=422)
    kept = visit.workspace.add("trying", typed.get("title", ""), text_of, TOML)
    return See(f"/inputs/{kept.id}")


@DOOR.change("/trying/upload")
def upload(visit: Visited, file: Annotated[UploadFile, File()]) -> See:
    """Keep a file."""
    found = take(file, TOML, TABLE)
    if found.kind == TOML:
        read_with(found, lambda path: read(parse_card(path.read_text(encoding="utf-8"), str(path)), Card))
    return See(f"/inputs/{visit.workspace.add('trying', found.name, found.content, found.kind).id}")


@DOOR.change("/trying/start")
def start(visit: Visited, kind: Annotated[str, Form(max_length=20)] = "count") -> See:
    """Start a job."""
    if kind not in DOOR.jobs:
        raise InputError("no such job", field="kind")
    return See(f"/jobs/{visit.jobs.start('trying', kind, f'Trying {kind}', {'steps': 40}).id}")


CHART = chart_data(
    Chart(
        "cells",
        "CAR T cells",
        "CAR T cells",
        "cells/uL",
        "virtual",
        [0.0, 1.0, 2.0, 3.0],
        about="Four days.",
        curves=(Curve([0.1, 1, 10, 5], "median"), Curve([0.2, 2, 20, None])),
        bands=(Band([0.05, 0.5, 5, 2], [1, 10, 90, 40], "90 %"),),
        points=(Points([1.0, 2.5], [2.0, 0.5], "measured", below=(False, True)),),
        events=(Event(0, "infusion"), Event(1, "fever")),
        levels=(Level(50, "limit"),),
        logarithmic=True,
    )
)
HEAT = chart_data(
    HeatMap("grades", "CRS", "virtual", [0.0, 1.0, 2.0], ["a", "b"], [[0, 1, 2], [-1, 0, 4]], about="Two patients.")
)


def drawn(asked: Mapping[str, Any], progress: Any) -> Any:
    """Draw, slowly where asked."""
    until = time.monotonic() + asked["seconds"]
    while time.monotonic() < until:
        progress(0.5, "drawing")
        time.sleep(0.01)
    if asked["dose"] == 9:
        raise InputError("found 9, expected another dose.", field="dose")
    y = [asked["dose"] * f for f in (0.1, 1, 10, 5)]
    return chart_data(
        Chart(
            "drawn",
            "CAR T cells",
            "CAR T cells",
            "cells/uL",
            "virtual",
            [0.0, 1.0, 2.0, 3.0],
            curves=(Curve(y, "median"),),
        )
    )


def count(asked: Mapping[str, Any], folder: Any, progress: Any) -> None:
    """Count slowly."""
    for i in range(asked["steps"]):
        progress(i / asked["steps"], f"step {i}")
        time.sleep(asked.get("pause", 0.05))
    (folder / "counted.txt").write_text(str(asked["steps"]))
    (folder / "report.html").write_text(
        "<!DOCTYPE html><title>r</title><script>alert(1)</script><p style='color:red'>r</p>"
    )


def chunks(asked: Mapping[str, Any], folder: Any, progress: Any) -> None:
    """Go on from what is there."""
    for i in range(asked["steps"]):
        if not (folder / f"{i}.txt").exists():
            time.sleep(0.05)
            (folder / f"{i}.txt").write_text(str(i))
        progress((i + 1) / asked["steps"], f"chunk {i}")


def wrong(asked: Mapping[str, Any], folder: Any, progress: Any) -> None:
    """Refuse."""
    raise InputError("found nothing, expected something; mend it.")


def broken(asked: Mapping[str, Any], folder: Any, progress: Any) -> None:
    """Fail in a way that is ours."""
    raise ValueError("the secret of patient 7")
