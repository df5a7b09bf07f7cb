"""Charts as data: what a page draws by script stands in its JSON twin, and beside it as a table for who cannot see.

A door makes a ``Chart`` or a ``HeatMap``, puts ``chart_data(...)`` into the data of its page, and its template calls
``{{ chart.figure(data.name) }}`` of ``chart.html.j2``. Every number of a chart has a unit and says what it is.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import cast

from vein2vein.web.plain import Plain, plain
from vein2vein.web.render import ORIGINS
from vein2vein.web.words import said

DIGITS = 4  # significant digits of a drawn number: more cannot be seen
DAY = said("Day")
MOST_ROWS = 31  # of the table beside a chart


@dataclass(frozen=True)
class Curve:
    """A line over the days of its chart; one without a name is drawn thin, among many."""

    y: Sequence[float | None]
    name: str = ""
    color: str = "blue"


@dataclass(frozen=True)
class Band:
    """What lies between two lines, such as 90 % of the companions."""

    low: Sequence[float | None]
    high: Sequence[float | None]
    name: str
    color: str = "blue"


@dataclass(frozen=True)
class Points:
    """Points of their own days, such as what was measured; ``below`` says which lie below the limit."""

    x: Sequence[float]
    y: Sequence[float | None]
    name: str
    color: str = "vermilion"
    below: Sequence[bool] = ()
    origin: str = "measured"


@dataclass(frozen=True)
class Event:
    """Something that happened on a day."""

    day: float
    label: str


@dataclass(frozen=True)
class Level:
    """A line across, such as a limit that a criterion names."""

    value: float
    label: str


@dataclass(frozen=True)
class Chart:
    """Curves, bands, points and events over days.

    Attributes
    ----------
    id : str
        Unique on its page.
    title, about : str
        English words; ``about`` says who is drawn.
    y_label, unit : str
        What is shown, and its unit; "1" for none.
    origin : str
        virtual, measured, published or assumed.
    x : sequence of float
        Days (or what ``x_label`` says), ascending.
    curves, bands, points, events, levels : tuple
    logarithmic : bool
    floor, ceiling : float, optional
        Ends of the axis.
    """

    id: str
    title: str
    y_label: str
    unit: str
    origin: str
    x: Sequence[float]
    about: str = ""
    x_label: str = DAY
    curves: tuple[Curve, ...] = ()
    bands: tuple[Band, ...] = ()
    points: tuple[Points, ...] = ()
    events: tuple[Event, ...] = ()
    levels: tuple[Level, ...] = ()
    logarithmic: bool = False
    floor: float | None = None
    ceiling: float | None = None

    def __post_init__(self) -> None:
        _check_origin(self.origin, *(one.origin for one in self.points))
        for name, y in _columns(self):
            if len(y) != len(self.x):
                raise ValueError(f"chart {self.id}: '{name}' has {len(y)} values for {len(self.x)} days")


@dataclass(frozen=True)
class HeatMap:
    """Grades by row and day: a patient a row, or a finding a row.

    Attributes
    ----------
    id, title, about, origin : str
    x : sequence of float
        Days.
    rows : sequence of str
        Labels.
    grades : sequence of sequences of int
        By row and day; -1: not gradable.
    """

    id: str
    title: str
    origin: str
    x: Sequence[float]
    rows: Sequence[str]
    grades: Sequence[Sequence[int]]
    about: str = ""
    x_label: str = DAY
    events: tuple[Event, ...] = ()

    def __post_init__(self) -> None:
        _check_origin(self.origin)
        if len(self.grades) != len(self.rows) or any(len(row) != len(self.x) for row in self.grades):
            raise ValueError(f"heat map {self.id}: grades do not fit {len(self.rows)} rows of {len(self.x)} days")


def chart_data(chart: Chart | HeatMap) -> dict[str, Plain]:
    """A chart as plain data for a page and its twin: with the table that stands beside it."""
    found = cast("dict[str, Plain]", plain(_rounded(chart)))
    found["kind"] = "heat" if isinstance(chart, HeatMap) else "curves"
    found["table"] = cast("Plain", _heat_table(chart) if isinstance(chart, HeatMap) else _table(chart))
    return found


def short(value: float | None) -> float | None:
    """A number with as many digits as a chart can show; nothing for what is not finite."""
    if value is None or not math.isfinite(value):
        return None
    return float(f"{value:.{DIGITS}g}")


def _rounded(chart: Chart | HeatMap) -> Chart | HeatMap:
    if isinstance(chart, HeatMap):
        return replace(chart, x=[short(float(x)) for x in chart.x])  # pyright: ignore[reportArgumentType]

    def numbers(values: Sequence[float | None]) -> list[float | None]:
        return [None if one is None else short(float(one)) for one in values]

    return replace(
        chart,
        x=cast("list[float]", numbers(chart.x)),
        curves=tuple(replace(one, y=numbers(one.y)) for one in chart.curves),
        bands=tuple(replace(one, low=numbers(one.low), high=numbers(one.high)) for one in chart.bands),
        points=tuple(replace(one, x=cast("list[float]", numbers(one.x)), y=numbers(one.y)) for one in chart.points),
    )


def _columns(chart: Chart) -> list[tuple[str, Sequence[float | None]]]:
    found: list[tuple[str, Sequence[float | None]]] = [(one.name, one.y) for one in chart.curves]
    for band in chart.bands:
        found += [(f"{band.name}, low", band.low), (f"{band.name}, high", band.high)]
    return found


def _table(chart: Chart) -> dict[str, object]:
    """Named curves and bands on some of the days, and every point that was given."""
    named = [(name, y) for name, y in _columns(chart) if name]
    count = len(chart.x)
    at = sorted({round(i * (count - 1) / max(min(MOST_ROWS, count) - 1, 1)) for i in range(min(MOST_ROWS, count))})
    rows = [
        [short(float(chart.x[i])), *(None if y[i] is None else short(float(y[i] or 0)) for _, y in named)] for i in at
    ]
    points = [
        [one.name, short(float(x)), None if y is None else short(float(y)), bool(one.below[i]) if one.below else False]
        for one in chart.points
        for i, (x, y) in enumerate(zip(one.x, one.y, strict=True))
    ]
    return {
        "columns": [chart.x_label, *(name for name, _ in named)],
        "rows": rows if named else [],
        "points": points,
        "events": [[short(one.day), one.label] for one in chart.events],
    }


def _heat_table(chart: HeatMap) -> dict[str, object]:
    """The worst grade of each row and its first day."""
    rows: list[list[object]] = []
    for label, grades in zip(chart.rows, chart.grades, strict=True):
        worst = max((int(one) for one in grades), default=-1)
        first = next((float(x) for x, one in zip(chart.x, grades, strict=True) if int(one) == worst), None)
        rows.append([label, worst if worst >= 0 else None, first if worst > 0 else None])
    return {
        "columns": ["", said("Worst grade"), said("First day")],
        "rows": rows,
        "points": [],
        "events": [[e.day, e.label] for e in chart.events],
    }


def _check_origin(*origins: str) -> None:
    for one in origins:
        if one not in ORIGINS:
            raise ValueError(f"'{one}' does not say what a number is; expected one of {', '.join(ORIGINS)}")
