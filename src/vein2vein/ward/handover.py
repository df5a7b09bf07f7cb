"""What the next shift needs of one patient: facts in words, each with whether the record holds it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from vein2vein.analytes import analyte
from vein2vein.clinic.care.schedule import Due
from vein2vein.clinic.criteria import edition
from vein2vein.clinic.words import crs_scales, finding_words
from vein2vein.parameters import read_parameter_file
from vein2vein.therapy.course import Course, Row
from vein2vein.therapy.disease import all_diseases
from vein2vein.therapy.product import all_products
from vein2vein.ward.episodes import GOES_ON
from vein2vein.ward.infection import STEROIDS
from vein2vein.ward.monitor import WardRound
from vein2vein.ward.scores import CONDITIONING
from vein2vein.ward.states import (
    amount,
    amounts,
    code_words,
    dated,
    day_text,
    moment_text,
    name_of,
    plain_number,
    stood_words,
)

UNKNOWN = "not in the record"
SIGNS = ("temperature", "systolic_bp", "spo2", "oxygen_device", "arousal")
WHERE_CHARTED = ("oxygen_flow", "fio2")  # shown only then
BLOOD = (
    "neutrophils", "platelets", "hemoglobin", "fibrinogen", "ferritin", "crp", "igg", "b_cells",
)  # fmt: skip
OTHER_DRUGS = ("anakinra", "siltuximab", "ruxolitinib", "emapalumab", "other_anticytokine")
TOLD = {
    "allergies": "Allergies", "code_status": "Code status", "access": "Lines, access", "antibiotics": "Antibiotics",
    "cultures": "Cultures", "pending": "Pending", "contact": "Who to call",
}  # fmt: skip
YEAR = len("2026-")
MILLION = 1e6


class Fact(NamedTuple):
    """A line of the sheet: what, how it stands, and whether the record says so."""

    name: str
    text: str
    known: bool = True


class Value(NamedTuple):
    """A laboratory value: the last, when, the one before, and the change."""

    name: str
    last: str
    when: str
    before: str
    change: str
    known: bool


def _when(watch: WardRound, day: float) -> str:
    """A moment as short as a sheet needs it: date and clock without the year, and the day."""
    moment = moment_text(day, watch.infused)
    return f"{moment[YEAR:]} (d {day_text(day)})" if moment else f"day {day_text(day)}"


def _fact(name: str, text: str) -> Fact:
    return Fact(name, text or UNKNOWN, bool(text))


def now(watch: WardRound) -> list[Fact]:
    """The syndromes: grade, since when, worst, scale; of neurotoxicity the last score and when the next is due."""
    scale = crs_scales()[watch.scale]
    told: list[Fact] = []
    for state in watch.now:
        syndrome = state.name == scale.name or state.name in scale.neurologic or state.name == "iec_hs"
        if not syndrome:
            continue
        stood = stood_words(state, watch.today)
        parts = [f"{state}{f' ({stood})' if stood else ''}"]
        own = [one for one in watch.episodes if one.finding == state.name]
        if own:
            last = own[-1]
            grade = f"at least grade {last.peak}" if last.peak_at_least else f"grade {last.peak}"
            going = "since" if last.outcome == GOES_ON else "last episode began"
            parts.append(f"{going} {_when(watch, last.onset)}")
            parts.append(f"worst {grade} on {_when(watch, last.peak_day)}")
        if state.grade < 0 and np.isfinite(state.last_day):
            parts.append(f"last settled grade {state.last_grade} on {_when(watch, state.last_day)}")
        if state.name in scale.neurologic:
            parts.append(_score(watch))
        words = finding_words(state.name)
        scaled = f" ({words.scale_title})" if state.name == scale.name else ""
        told.append(Fact(f"{words.short}{scaled}", "; ".join(parts), state.grade >= 0 or state.at_least > 0))
    others = [s for s in (*watch.now, *watch.hematotoxicity) if s.title not in {f.name for f in told}]
    severe = [f"{s.title} {s}" for s in others if max(s.grade, s.at_least) >= 3 and not s.name.startswith("crs_")]
    return [*told, Fact("Grade 3 and more", "; ".join(severe) or "none that can be graded")]


def _score(watch: WardRound) -> str:
    name = _scored_by(watch)
    last = _last(watch, name)
    due = next((one for one in watch.due if one.what.startswith("ICE")), None)
    when = "" if due is None else f", next due {_due_when(watch, due)}"
    title = analyte(name).title.split(" (")[0]
    return f"{title} {last or UNKNOWN}{when}"


def _scored_by(watch: WardRound) -> str:
    """The score that grades this patient: CAPD of a child or a delayed one; where the age is unknown, the charted."""
    course = watch.course
    if np.isfinite(watch.age):
        delayed = bool((course.dense("developmental_delay")[0] >= 1).any())
        return "capd" if delayed or watch.age < edition("icans_astct_2019").values["ice_from_age"] else "ice"
    return "capd" if course.measured("capd") and not course.measured("ice") else "ice"


def _due_when(watch: WardRound, due: Due) -> str:
    return "now (overdue)" if due.overdue else _when(watch, due.when)


def person(watch: WardRound) -> list[Fact]:
    """Who, product and dose, lymphodepletion, disease."""
    known = np.isfinite([watch.age, watch.weight, watch.height])
    surface = body_surface(watch.height, watch.weight)
    product = all_products().get(watch.product)
    disease = all_diseases().get(watch.disease)
    given = _rows(watch, CONDITIONING, until=0.0)
    first = f"from {_when(watch, given[0].day)}: " if given else ""
    return [
        _fact("Age, sex", ", ".join(filter(None, (f"{watch.age:g} years" if known[0] else "", watch.sex)))),
        Fact("Weight", f"{watch.weight:g} kg: {watch.no_dose}", False)
        if known[1] and watch.no_dose
        else _fact("Weight", f"{watch.weight:g} kg" if known[1] else ""),
        _fact("Surface", f"{surface:.2f} m2" if np.isfinite(surface) else ""),
        _fact("Product", product.title if product else watch.product),
        _fact("Dose", _cells(watch)),
        _fact("Infused", "; ".join(dated(day, watch.infused) for day in watch.infusions)),
        _fact("Lymphodepletion", f"{first}{amounts(given)}" if given else ""),
        _fact("Disease", disease.title if disease else watch.disease),
        _fact("Response", ""),
    ]


def _cells(watch: WardRound) -> str:
    """Cells of each infusion; "" where none is charted."""
    rows = _rows(watch, ("car_t_infusion",))
    parts = [f"{row.value / MILLION:g} million cells" if row.value > 1 else "amount not known" for row in rows]
    return "; ".join(parts)


def body_surface(height: float, weight: float) -> float:
    """Body surface area (m2, Mosteller) from height (cm) and weight (kg)."""
    divisor = read_parameter_file(Path(__file__).with_name("ward.toml")).values()["mosteller"]
    return float(np.sqrt(height * weight / divisor))


def given(watch: WardRound) -> list[Fact]:
    """Tocilizumab with what its limits allow, steroid course, other drugs."""
    return [
        _tocilizumab(watch),
        _steroid(watch),
        _fact("Taper", watch.told.get("taper", "")),
        _others(watch, "Other", OTHER_DRUGS),
        _fact("Antiseizure", watch.told.get("antiseizure", "")),
        _others(watch, "IVIG", ("ivig", "scig")),
    ]


def _tocilizumab(watch: WardRound) -> Fact:
    course, d = watch.course, edition("dosing").values
    days = course.days[course.positive("tocilizumab")[0]]
    if course.marked(course.unread, "tocilizumab").any():
        return Fact("Tocilizumab", "a row was not understood: how many doses were given is not known", False)
    if not days.size:
        return Fact("Tocilizumab", f"none charted; {d['tocilizumab_most']:g} doses at most")
    left = max(int(d["tocilizumab_most"]) - days.size, 0)
    told = [f"{days.size} given, last {_when(watch, float(days[-1]))}", f"{left} left of the most"]
    if left:
        earliest = float(days[-1]) + d["tocilizumab_interval"]
        most = int(d["tocilizumab_most_in_24h"])
        if days.size >= most:
            earliest = max(earliest, float(days[-most]) + 1)
        told.append(
            "the interval since it is over" if earliest <= watch.today else f"next from {_when(watch, earliest)}"
        )
    return Fact("Tocilizumab", "; ".join(told))


def _steroid(watch: WardRound) -> Fact:
    course, gap = watch.course, edition("dosing").values["steroid_gap"]
    if any(course.marked(course.unread, name).any() for name in STEROIDS):
        return Fact("Steroid", "a row was not understood: the course is not known", False)
    rows = _rows(watch, STEROIDS)
    if not rows:
        return Fact("Steroid", "none charted")
    days = [row.day for row in rows]
    start = days[-1]
    for day in reversed(days):  # by dates: a dose a day goes on, whatever the hour
        if _date_of(watch, start) - _date_of(watch, day) > gap:
            break
        start = day
    last = f"last {amount(rows[-1])} {_when(watch, days[-1])}"
    if _date_of(watch, watch.today) - _date_of(watch, days[-1]) > gap:
        return Fact("Steroid", f"{last}; none charted since, for {watch.today - days[-1]:.1f} days")
    doses = len({day for day in days if day >= start})
    count = "1 dose" if doses == 1 else f"{doses} doses"
    number = _date_of(watch, watch.today) - _date_of(watch, start) + 1
    return Fact("Steroid", f"{last}; course since {_when(watch, start)}: {count}, today is its day {number}")


def _date_of(watch: WardRound, day: float) -> int:
    """Number of the calendar day of a moment of the course."""
    column = int(np.searchsorted(watch.course.days, day, side="right")) - 1
    return int(watch.course.calendar()[0, column])


def signs(watch: WardRound) -> list[Fact]:
    """Signs: the last value, and lowest to highest in 24 hours; vasopressors that run."""
    told = [_fact(name_of(name), _last(watch, name, spread=True)) for name in SIGNS]
    told += [Fact(name_of(name), text) for name in WHERE_CHARTED if (text := _last(watch, name, spread=True))]
    course, running = watch.course, list[str]()
    for name in edition("held_signs").lists["pump"]:
        columns = np.flatnonzero(np.isfinite(course.dense(name)[0]) | course.marked(course.unread, name)[0])
        if not columns.size:
            continue
        column = int(columns[-1])
        if course.positive(name)[0, column] or course.marked(course.unread, name)[0, column]:
            value = float(course.dense(name)[0, column])
            unit = analyte(name).unit
            rate = f" {plain_number(value)} {unit}" if value > 0 and unit != "1" else ", rate not known"
            running.append(f"{name_of(name)}{rate} {_when(watch, float(course.days[column]))}")
        elif course.days[column] > watch.today - 1:
            running.append(f"{name_of(name)} off {_when(watch, float(course.days[column]))}")
    return [*told, Fact("Vasopressors", "; ".join(running) or "none charted")]


def told(watch: WardRound) -> list[Fact]:
    """What only the record can say, as it stands there."""
    return [_fact(title, watch.told.get(name, "")) for name, title in TOLD.items()]


def blood(watch: WardRound) -> list[Value]:
    """Last value and the one before."""
    return [_value(watch, name) for name in BLOOD]


def _value(watch: WardRound, name: str) -> Value:
    course = watch.course
    unread = np.flatnonzero(course.marked(course.unread, name)[0])
    columns = np.flatnonzero(np.isfinite(course.dense(name)[0]))
    title = name_of(name)
    if unread.size and (not columns.size or unread[-1] > columns[-1]):
        return Value(title, "not understood", _when(watch, float(course.days[unread[-1]])), "", "", False)
    if not columns.size:
        return Value(title, UNKNOWN, "", "", "", False)
    last = int(columns[-1])
    before = _cell(course, name, int(columns[-2])) if columns.size > 1 else ""
    change = ""
    if columns.size > 1:
        values = course.dense(name)[0, columns[-2:]]
        change = "" if values[0] == 0 else f"{100 * (values[1] / values[0] - 1):+.0f} %"
        before += f", {_when(watch, float(course.days[columns[-2]]))}"
    shown = f"{_cell(course, name, last)} {analyte(name).unit}"
    return Value(title, shown, _when(watch, float(course.days[last])), before, change, True)


def _cell(course: Course, name: str, column: int) -> str:
    below = course.marked(course.below_lloq, name)[0, column]
    sign = "<" if below else ">" if course.marked(course.above, name)[0, column] else ""
    return f"{sign}{plain_number(float(course.dense(name)[0, column]))}"


def _last(watch: WardRound, name: str, *, spread: bool = False) -> str:
    """The last value with its time; ``spread``: with lowest and highest of 24 hours; "" where none is charted."""
    course = watch.course
    known = np.flatnonzero(np.isfinite(course.dense(name)[0]))
    unread = np.flatnonzero(course.marked(course.unread, name)[0])
    if unread.size and (not known.size or unread[-1] > known[-1]):
        return f"not understood, {_when(watch, float(course.days[unread[-1]]))}"
    if not known.size:
        return ""
    unit = "" if analyte(name).unit == "1" else f" {analyte(name).unit}"
    text = f"{_worded(course, name, int(known[-1]))}{unit}, {_when(watch, float(course.days[known[-1]]))}"
    recent = known[course.days[known] > watch.today - 1]
    if spread and recent.size > 1:
        values = course.dense(name)[0, recent]
        low, high = int(recent[values.argmin()]), int(recent[values.argmax()])
        if values.min() < values.max():
            text += f" (24 h: {_worded(course, name, low)} to {_worded(course, name, high)})"
    return text


def _worded(course: Course, name: str, column: int) -> str:
    """A value, of a code in words."""
    words = code_words(name)
    value = float(course.dense(name)[0, column])
    return words[int(value)] if words and value == int(value) < len(words) else _cell(course, name, column)


def _rows(watch: WardRound, names: Iterable[str], until: float = np.inf) -> list[Row]:
    """Doses of some drugs, by day."""
    course, found = watch.course, list[Row]()
    for name in names:
        for column in np.flatnonzero(course.positive(name)[0] & (course.days <= until)):
            value = float(course.values[name][0, column])
            found.append(Row(watch.patient, float(course.days[column]), name, value, False, "given", ""))
    return sorted(found, key=lambda row: row.day)


def _others(watch: WardRound, title: str, names: Iterable[str]) -> Fact:
    """The last dose of each of some drugs; a row that was not understood may have been one, and is said."""
    names = tuple(names)
    unread = [name_of(name) for name in names if watch.course.marked(watch.course.unread, name).any()]
    last = _each_last(watch, names)
    if not unread:
        return Fact(title, last or "none charted")
    return Fact(title, "; ".join(filter(None, (last, f"a row was not understood: {', '.join(unread)}"))), False)


def _each_last(watch: WardRound, names: Iterable[str]) -> str:
    """The last dose of each of some drugs."""
    last = {row.analyte: row for row in _rows(watch, names)}
    return "; ".join(f"{amount(row)} {_when(watch, row.day)}" for row in last.values())


def due(watch: WardRound) -> list[str]:
    """What is overdue, then what comes next."""
    overdue = [one for one in watch.due if one.overdue]
    coming = sorted((one for one in watch.due if not one.overdue and one.when >= watch.today), key=lambda one: one.when)
    listed = [f"overdue: {one.what}" for one in overdue]
    return listed + [f"{_when(watch, one.when)}: {one.what}" for one in coming]


def open_points(watch: WardRound) -> list[str]:
    """What cannot be graded and what would settle it."""
    listed: list[str] = []
    for state in (*watch.now, *watch.hematotoxicity):
        if state.grade < 0 and state.missing:
            needs = ", ".join(name_of(name) for name in state.missing)
            listed.append(f"{state.title} {state}: chart {needs}")
    return listed


def aside(watch: WardRound) -> list[str]:
    """How many places were set aside; nothing where none was."""
    count = len(watch.set_aside)
    return [f"{count} {'place' if count == 1 else 'places'} of the record set aside: see the page"] if count else []


def last_reading(watch: WardRound) -> str:
    """The day of the last reading, with date and clock where they are known."""
    return dated(watch.today, watch.infused)
