"""What the warm process computes for the page of one patient: the companions of a scenario, as charts and tables.

The first days are redrawn while one drags a slider; the whole follow-up, what became of the companions, and how they
differ from those of the pinned scenario come when one rests. The numbers are those of the command line.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, cast

import numpy as np

from vein2vein.analytes import all_analytes
from vein2vein.arguments import Progress
from vein2vein.clinic.words import finding_words, usual_crs, usual_neurologic
from vein2vein.errors import InputError
from vein2vein.journey.journey import Journey
from vein2vein.journey.scenario import Planned
from vein2vein.report import companions as shown
from vein2vein.report import facts
from vein2vein.report.companions import Band as Measured
from vein2vein.report.figures_patient import One
from vein2vein.report.look import floor, mark, unit_name
from vein2vein.report.patient import chances, steps
from vein2vein.therapy.disease import find_disease
from vein2vein.therapy.visits import read_plan, up_to_end
from vein2vein.trials.scenario import differences, treat_scenario
from vein2vein.web.chart import Band, Chart, Curve, HeatMap, Level, Points, chart_data
from vein2vein.web.patient.reading import page_card, read_scenario
from vein2vein.web.words import said

KEPT = 6  # journeys: the pinned scenario and its whole follow-up stay while another is dragged
OWN, PINNED = said("this scenario"), said("pinned")
MIDDLE, ONE = said("median"), said("typical values")
COMPANIONS = said("Infused companions: band 5 to 95 %, median, and the one with typical values for what is unknown.")
GRADES = said("Grades by day: the one with typical values, and what one of so many companions has at least.")
_kept: OrderedDict[tuple[str, bool], tuple[Planned, Journey]] = OrderedDict()


def draw(asked: Mapping[str, Any], progress: Progress) -> dict[str, object]:
    """Follow the companions of a scenario, and those of a pinned one beside them.

    Parameters
    ----------
    asked : mapping
        ``text`` of the scenario; ``pinned`` ("" for none); ``points`` by analyte as [day, value, below]; ``whole``:
        the whole follow-up with its tables, else the first days.
    progress : callable
        Where a newer position of a slider stops this one.
    """
    whole = bool(asked.get("whole"))
    planned, journey = _treated(str(asked["text"]), whole, progress)
    pinned = _pinned(str(asked.get("pinned") or ""), planned, whole, progress)
    beside = None if pinned is None else pinned[1]
    points = cast("Mapping[str, Sequence[Sequence[Any]]]", asked.get("points") or {})
    told: dict[str, object] = {
        "whole": whole,
        "companions": journey.count,
        "infused": int(journey.infused.sum()),
        "product": _called(planned),
        "who": _who(planned),
        "pinned": None if pinned is None else _called(pinned[0]),
        "to_day": min(_first(), int(journey.plan.follow_up)),
        "first": [chart_data(one) for one in _first_charts(journey, beside, points)],
        "notes": list(dict.fromkeys((*planned.notes, *journey.notes))),
    }
    if not whole:
        return told
    told["charts"] = [chart_data(one) for one in _charts(journey, beside, points, whole=True)]
    told["steps"] = [{"step": step, "text": text} for step, text in steps(One(journey, 0, journey))]
    told["chances"] = [{"what": what, "value": value, "of": of} for what, value, of in chances(journey)]
    told["differences"] = [] if beside is None else _differences(beside, journey, planned.seed)
    return told


def _treated(text: str, whole: bool, progress: Progress) -> tuple[Planned, Journey]:
    key = (text, whole)
    if key not in _kept:
        planned = read_scenario(text)
        end = page_card().number("page", "dragged_days")
        plan = None if whole else up_to_end(replace(read_plan(), follow_up=end))
        _kept[key] = planned, treat_scenario(planned, plan=plan, progress=progress)
    _kept.move_to_end(key)
    while len(_kept) > KEPT:
        _kept.popitem(last=False)
    return _kept[key]


def _pinned(text: str, planned: Planned, whole: bool, progress: Progress) -> tuple[Planned, Journey] | None:
    """The journey of the pinned scenario in as many companions under the same luck."""
    if not text:
        return None
    other, journey = _treated(text, whole, progress)
    if other.seed != planned.seed:
        raise InputError(
            f"found seed {planned.seed}, and {other.seed} in the pinned scenario: they would meet other luck; give "
            "both the same seed, or unpin.", field="scenario.seed",
        )  # fmt: skip
    if other.companions != planned.companions:
        raise InputError(
            f"found {planned.companions} companions, and {other.companions} in the pinned scenario; give both the same "
            "number, or unpin.", field="scenario.companions",
        )  # fmt: skip
    return other, journey


def _called(planned: Planned) -> str:
    """A scenario in a few words, so that two of them are told apart."""
    one = planned.scenario
    numbers = planned.numbers.parameters.items() if planned.numbers else ()
    changed = [f"{name} {number.value:.3g} {number.unit}".removesuffix(" 1") for name, number in numbers]
    return ", ".join(part for part in (planned.product.title, one.dose, one.conditioning, one.policy, *changed) if part)


def _who(planned: Planned) -> str:
    """The patient in a few words: a printed page says of whom it speaks."""
    one = planned.patient
    return f"{find_disease(one.disease).title}, {float(one.age[0]):g} years, {float(one.weight[0]):g} kg"


def _name(asked: str, journey: Journey) -> str | None:
    if asked == "cells":
        return facts.readout(journey)
    return shown.tumor_measure(journey) if asked == "tumor" else asked


def _first() -> int:
    return int(page_card().number("page", "first_days"))


def _first_charts(
    journey: Journey, pinned: Journey | None, points: Mapping[str, Sequence[Sequence[Any]]]
) -> list[Chart | HeatMap]:
    """The charts of the first days; they are as wide while only some of them are drawn."""
    grades = _grades(journey, pinned)
    return [*_charts(journey, pinned, points, whole=False), *([grades] if grades else [])]


def _charts(
    journey: Journey, pinned: Journey | None, points: Mapping[str, Sequence[Sequence[Any]]], whole: bool
) -> list[Chart]:
    last = journey.plan.follow_up if whole else float(_first())
    at = shown.visits(journey) if whole else ()
    found: list[Chart] = []
    for row in page_card().tables("charts"):
        name = _name(str(row["analyte"]), journey)
        if name is None or not row.get("whole" if whole else "first"):
            continue
        bands = [shown.band(one, name, last, at=at) for one in (journey, pinned) if one is not None]
        chart = _chart(name, bands, points.get(name, ()), bool(row.get("logarithmic")), whole)
        if chart is not None:
            found.append(chart)
    return found


def _chart(
    name: str, bands: Sequence[Measured | None], points: Sequence[Sequence[Any]], logarithmic: bool, whole: bool
) -> Chart | None:
    drawn = [
        (one, label, color) for one, label, color in zip(bands, (OWN, PINNED), ("blue", "orange")) if one is not None
    ]
    if not drawn:
        return None
    days = sorted({float(day) for one, _, _ in drawn for day in one.days})
    if not whole:
        days += [float(day) for day in range(int(days[-1]) + 1, _first() + 1)]
    several = len(bands) > 1
    least = _least(name, [one for one, _, _ in drawn]) if logarithmic else None

    def column(one: Measured, values: Any) -> list[float | None]:
        held = dict(zip(one.days.tolist(), np.asarray(values, dtype=float).tolist(), strict=True))
        row = [held.get(day) for day in days]
        return [None if v is None or not np.isfinite(v) else v if least is None else max(v, least) for v in row]

    what = all_analytes()[name]
    level = mark(name)
    curves: list[Curve] = []
    for one, label, color in drawn:
        curves.append(Curve(column(one, one.middle), f"{label}: {MIDDLE}" if several else MIDDLE, color))
        if label == OWN:
            curves.append(Curve(column(one, one.one), ONE, "ink"))
    own = [p for p in points if whole or float(p[0]) <= days[-1]]
    return Chart(
        f"{'whole' if whole else 'first'}-{name}", what.title, what.title, unit_name(what.unit), "virtual", days,
        about=COMPANIONS, curves=tuple(curves),
        bands=tuple(
            Band(column(one, one.low), column(one, one.high), f"{label}: 5–95 %" if several else "5–95 %", color)
            for one, label, color in drawn
        ),
        points=_points(own),
        levels=(Level(level.value, level.label),) if level else (),
        logarithmic=logarithmic,
    )  # fmt: skip


def _points(own: Sequence[Sequence[Any]]) -> tuple[Points, ...]:
    if not own:
        return ()
    days, values = ([float(point[i]) for point in own] for i in range(2))
    return (Points(days, values, said("own points"), below=[bool(point[2]) for point in own]),)


def _least(name: str, bands: Sequence[Measured]) -> float:
    """The lower end of a logarithmic axis: where the reports end it, else the least value above zero."""
    end = floor(name)
    if end is not None:
        return end
    every = np.concatenate([np.concatenate([one.low, one.middle, one.one]) for one in bands])
    above = every[np.isfinite(every) & (every > 0)]
    return float(above.min()) if above.size else 1.0


def _grades(journey: Journey, pinned: Journey | None) -> HeatMap | None:
    """Strips of cytokine release syndrome and neurotoxicity."""
    last = _first()
    rows: list[str] = []
    grades: list[list[int]] = []
    for key in (usual_crs(), usual_neurologic()):
        short = finding_words(key).short
        for one, label in ((journey, ""), (pinned, f"{PINNED}: ")):
            found = None if one is None else shown.reached(one, key, last)
            if found is None:
                continue
            if not label:
                rows.append(f"{short}, {ONE}")
                grades.append(found.one.tolist())
            rows += [f"{label}{short}, 1 of {share}" for share in shown.REACHED]
            grades += cast("list[list[int]]", found.shares.tolist())
    if not rows:
        return None
    return HeatMap(
        "first-grades",
        said("CRS and ICANS"),
        "virtual",
        [float(d) for d in range(last + 1)],
        rows,
        grades,
        about=GRADES,
    )


def _differences(first: Journey, second: Journey, seed: int) -> list[dict[str, object]]:
    rows = differences(first, second, seed=seed)
    return [
        {
            "quantity": row.quantity, "measured_in": "" if row.unit == "1" else row.unit,
            "unit": said("ratio") if row.ratio else said("percentage points") if row.unit == "%" else row.unit,
            "pinned": row.first, "this": row.second, "difference": row.difference, "low": row.low, "high": row.high,
            "among": row.among, "missing": row.missing,
        }
        for row in rows
    ]  # fmt: skip
