"""Charts as wards keep them, drawn at random: the same seed, the same patient.

A chart is a list of rows with dates and times. Vital signs come in rounds every 4 to 8 hours, the signs of one round up
to 15 minutes apart; ICE and arousal once a shift; laboratory values each morning at their own time; pumps with start,
rates and a charted stop; drugs at their own times. What happens follows a simple walk of severity, one for the
syndrome of cytokine release and one for the nervous system. The words are those of the docs: such a chart is clean, and
whatever makes it unclean is done to it by a test.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from hypothesis import strategies as st
from hypothesis.vendor.pretty import RepresentationPrinter

MIDNIGHT = datetime(2026, 3, 5)  # of the day of the infusion
DAY = 24 * 60  # minutes
ROUNDS = 30
SPREAD = 15  # minutes between the first and the last sign of a round
PEOPLE = ("adult", "teenager", "child", "infant")
SEVERITIES = ("well", "mild", "moderate", "severe")
HIGHEST = {"well": 0, "mild": 1, "moderate": 2, "severe": 4}
PUMP_UNITS = {"norepinephrine": "ug/min", "epinephrine": "ug/min", "vasopressin": "U/min"}
PUMP_EVERY = 4 * 60  # a running pump is charted at least so often (minutes)
LAPSE = 0.07  # share of sick rounds in which the temperature is normal for the moment, without any drug
# kinds of rows
SIGN, NEURO, SUPPORT, LAB, DRUG, FACT = "sign", "neuro", "support", "lab", "drug", "fact"
SIGNS = (SIGN, NEURO)
WAIVING = ("tocilizumab", "dexamethasone", "acetaminophen")  # drugs of these charts after which fever is not asked for
OTHER_DRUGS = (
    ("cefepime", "2", "g"), ("levetiracetam", "500", "mg"), ("acyclovir", "400", "mg"), ("allopurinol", "300", "mg"),
)  # fmt: skip


@dataclass(frozen=True)
class Line:
    """One row. ``minute``: since midnight of the day of the infusion; None: a fact of the patient."""

    minute: int | None
    name: str
    value: str
    unit: str
    kind: str
    round: int = -1
    edge: bool = False  # start or stop of a support

    def cells(self) -> tuple[str, str, str, str]:
        when = "" if self.minute is None else (MIDNIGHT + timedelta(minutes=self.minute)).strftime("%Y-%m-%d %H:%M")
        return when, self.name, self.value, self.unit


@dataclass(frozen=True, repr=False)
class Chart:
    """A patient's rows, in the order in which they happened."""

    seed: int
    person: str
    severity: str
    spread: int
    every: int
    lapses: bool
    age: float
    infusion: int
    lines: tuple[Line, ...]

    def __repr__(self) -> str:
        """How to make it again."""
        pace = (f", every={self.every}" if self.every else "") + ("" if self.lapses else ", lapses=False")
        return f"make({self.seed}, {self.person!r}, {self.severity!r}, {self.spread}{pace})"

    def _repr_pretty_(self, printer: RepresentationPrinter, cycle: bool) -> None:
        """The same in the reports of hypothesis, which would print every row."""
        printer.text(repr(self))

    def text(self, patient: str = "", lines: Iterable[Line] | None = None) -> str:
        """The chart as a file; with a column of the patient where one is named."""
        rows = [line.cells() for line in (self.lines if lines is None else lines)]
        head = "time,analyte,value,unit"
        if patient:
            return "\n".join(["patient," + head, *(",".join((patient, *row)) for row in rows)]) + "\n"
        return "\n".join([head, *(",".join(row) for row in rows)]) + "\n"

    def with_lines(self, lines: Iterable[Line]) -> Chart:
        return replace(self, lines=tuple(lines))

    def day(self, minute: int) -> float:
        """Days since the infusion."""
        return (minute - self.infusion) / DAY

    def date(self, minute: int) -> int:
        """Number of the calendar day; that of the infusion is 0."""
        return minute // DAY

    @property
    def last(self) -> int:
        return max(line.minute for line in self.lines if line.minute is not None)

    def rounds(self, kind: str) -> dict[int, list[Line]]:
        found: dict[int, list[Line]] = {}
        for line in self.lines:
            if line.kind == kind:
                found.setdefault(line.round, []).append(line)
        return found


def lowest_pressure(age: float) -> float:
    """Systolic pressure below which it is hypotension (rules.md 1.1, rule 9)."""
    if age < 1:
        return 70
    return 70 + 2 * age if age <= 10 else 90


def _age(draw: random.Random, person: str) -> float:
    low, high = {"adult": (19, 84), "teenager": (12, 17), "child": (1.2, 11.5), "infant": (0.3, 0.9)}[person]
    age = draw.uniform(low, high)
    return round(age, 1) if person in ("child", "infant") else float(int(age))


def _walk(draw: random.Random, highest: int, rounds: int) -> list[int]:
    """Levels by round: nothing at first, then up and down by one or two, and mostly over in the end.

    It also dips: a few rounds in which all is quiet, before it is as it was.
    """
    levels, level, begins, dip = [], 0, draw.randint(2, max(3, rounds // 2)), 0
    for i in range(rounds):
        if dip:
            dip -= 1
            levels.append(0)
            continue
        if highest and i >= begins:
            up = 0.5 if i < begins + rounds // 4 else 0.15
            chance = draw.random()
            if chance < up:
                level = min(highest, level + draw.choice((1, 1, 2)))
            elif chance < up + 0.3:
                level = max(0, level - draw.choice((1, 1, 2)))
            elif level and chance > 0.92:
                dip = draw.randint(1, 3)
        levels.append(level)
    return levels


class _Pen:
    """Writes rows and keeps what a chart may not have: two rows of one name at one minute, or rows across midnight."""

    def __init__(self, draw: random.Random, spread: int) -> None:
        self.draw, self.spread = draw, spread
        self.lines: list[Line] = []
        self.taken: set[tuple[int, str]] = set()

    def near(self, minute: int) -> int:
        return minute + self.draw.randint(0, self.spread)

    def write(
        self, minute: int, name: str, value: object, unit: str, kind: str, round_: int = -1, edge: bool = False
    ) -> None:
        while (minute, name) in self.taken:
            minute += 1
        self.taken.add((minute, name))
        shown = f"{value:g}" if isinstance(value, float) else str(value)
        self.lines.append(Line(minute, name, shown, unit, kind, round_, edge))


class _Pumps:
    """Pumps that run: a start, rates, and a stop that is charted."""

    def __init__(self, pen: _Pen) -> None:
        self.pen, self.draw = pen, pen.draw
        self.running: dict[str, int] = {}  # name -> minute of the last row

    def set(self, wanted: Iterable[str], minute: int) -> None:
        wanted = tuple(wanted)
        for name in tuple(self.running):
            self._chart(name, minute)
            if name not in wanted:
                self.pen.write(minute, name, 0, PUMP_UNITS[name], SUPPORT, edge=True)
                del self.running[name]
        for name in wanted:
            if name not in self.running:
                self.pen.write(minute, name, self._rate(name), PUMP_UNITS[name], SUPPORT, edge=True)
                self.running[name] = minute

    def _chart(self, name: str, minute: int) -> None:
        """Rates up to a time: a pump is looked at more often than the vital signs are charted."""
        while (at := self.running[name] + self.draw.randint(60, PUMP_EVERY)) < minute - 5:
            self.pen.write(at, name, self._rate(name), PUMP_UNITS[name], SUPPORT)
            self.running[name] = at

    def _rate(self, name: str) -> float:
        if name == "vasopressin":
            return 0.03
        return float(self.draw.choice((2, 3, 4, 5, 6, 8, 10, 12)))


def make(
    seed: int, person: str = "adult", severity: str = "moderate", spread: int = SPREAD, rounds: int = ROUNDS,
    every: int = 0, other_drugs: bool = True, lapses: bool = True,
) -> Chart:  # fmt: skip
    """A chart.

    Parameters
    ----------
    seed : int
    person : str
        One of ``PEOPLE``: by age.
    severity : str
        One of ``SEVERITIES``: how far the walks may go.
    spread : int
        Minutes over which the signs of one round stand; 0: all of a round at one time.
    rounds : int
        Of vital signs.
    every : int
        Hours between two rounds; 0: 4, 6 or 8, as drawn.
    other_drugs : bool
        Whether drugs are charted that no grade reads.
    lapses : bool
        Whether fever comes and goes without a drug: low pressure without fever is then no syndrome for a round.
    """
    draw = random.Random(f"{seed} {person} {severity} {spread} {rounds}")
    age, infusion = _age(draw, person), draw.randrange(DAY)
    pen = _Pen(draw, spread)
    by_ice = age >= 12
    pen.lines += [
        Line(None, "age", f"{age:g}", "years", FACT),
        Line(infusion - draw.randint(600, 1800), "weight", f"{max(5, min(90, 4 + 3 * age)):.0f}", "kg", LAB),
        Line(infusion, "car_t_infusion", "1.2e8", "cells", DRUG),
    ]
    pace = (every or draw.choice((4, 4, 6, 8))) * 60
    starts = [infusion + draw.randint(30, 180) + i * pace + draw.randint(-20, 20) for i in range(rounds)]
    starts = [minute if minute % DAY < DAY - 50 else minute - 50 for minute in starts]  # no round runs over midnight
    levels = _walk(draw, HIGHEST[severity], rounds)
    nerves = _walk(draw, HIGHEST[severity] if draw.random() < 0.6 else 0, rounds)
    usual = lowest_pressure(age) + 14
    pumps = _Pumps(pen)
    way = draw.choice(("pressure", "oxygen", "both"))  # what fails in this patient
    state = _Care()
    shift_seen = -1
    words = draw.random() < 0.6  # this ward charts seizure, weakness and edema at every shift
    for i, (minute, level, nerve) in enumerate(zip(starts, levels, nerves)):
        state.look(level, minute)
        _vitals(pen, pumps, state, i, minute, level, way, usual, draw, lapses)
        shift = (minute - 7 * 60) // (12 * 60)
        if shift != shift_seen:
            shift_seen = shift
            _nerves(pen, i, minute, nerve, by_ice, words, draw)
        _treat(pen, state, level, nerve, minute, starts[i + 1] if i + 1 < rounds else minute + pace, draw)
    pumps.set((), starts[-1] + 30)
    _labs(pen, levels, starts, infusion, draw)
    if other_drugs:
        for _ in range(draw.randint(0, 6)):
            name, amount, unit = draw.choice(OTHER_DRUGS)
            pen.write(draw.randint(starts[0], starts[-1]), name, amount, unit, DRUG)
    lines = sorted(pen.lines, key=lambda line: (line.minute is not None, line.minute or 0))
    return Chart(seed, person, severity, spread, every, lapses, age, infusion, tuple(lines))


class _Care:
    """What was given, and since when all is quiet: whether this chart may be afebrile while the syndrome goes on."""

    def __init__(self) -> None:
        self.tocilizumab = self.steroid = self.antipyretic = -(10**6)
        self.quiet_since: int | None = None
        self.fever_seen = False

    def look(self, level: int, minute: int) -> None:
        if level == 0:
            self.quiet_since = minute if self.quiet_since is None else self.quiet_since
            return
        if self.quiet_since is not None and minute - self.quiet_since >= 22 * 60:  # a new episode begins with fever
            self.tocilizumab, self.fever_seen = -(10**6), False
        self.quiet_since = None

    def hides_fever(self, minute: int) -> bool:
        """By a wide margin: no time of these charts stands near the end of a drug's effect."""
        return self.fever_seen and (
            self.tocilizumab > 0 or minute - self.steroid < 20 * 60 or 60 < minute - self.antipyretic < 6 * 60
        )

    def no_drug(self, minute: int) -> bool:
        """Nothing that takes fever away acts any longer, again by a wide margin."""
        return self.tocilizumab < 0 and minute - self.steroid > 2 * DAY and minute - self.antipyretic > 12 * 60


def _vitals(
    pen: _Pen, pumps: _Pumps, state: _Care, i: int, minute: int, level: int, way: str, usual: float,
    draw: random.Random, lapses: bool,
) -> None:  # fmt: skip
    febrile = level > 0 and not (state.hides_fever(minute) and draw.random() < 0.7)
    if febrile and lapses and state.fever_seen and state.no_drug(minute) and draw.random() < LAPSE:
        febrile = False
    state.fever_seen |= febrile
    temperature = draw.uniform(38.1, 40.4) if febrile else draw.uniform(36.1, 37.7)
    pressor = level >= 3 and way in ("pressure", "both")
    low = (level == 2 and way in ("pressure", "both")) or (pressor and draw.random() < 0.4)
    wanted = (
        ("norepinephrine", "epinephrine") if level == 4 else ("norepinephrine", "vasopressin")[: draw.choice((1, 1, 2))]
    )
    pumps.set(wanted if pressor else (), minute + SPREAD + draw.randint(1, 30))
    pressure = usual - 14 - draw.randint(2, 9) if low else usual + draw.randint(0, 25)
    breath = level if way == "oxygen" or (way == "both" and level >= 2 and draw.random() < 0.7) else 0
    if draw.random() < 0.2:
        pen.write(pen.near(minute), "temperature", round(temperature * 1.8 + 32.0, 1), "degF", SIGN, i)
    else:
        pen.write(pen.near(minute), "temperature", round(temperature, 1), "degC", SIGN, i)
    pen.write(pen.near(minute), "SBP", f"{pressure:.0f}", "mmHg", SIGN, i)
    pen.write(pen.near(minute), "SpO2", draw.randint(94, 99), "%", SIGN, i)
    at = pen.near(minute)
    if breath < 2:
        pen.write(at, "oxygen device", draw.choice(("room air", "RA")), "", SIGN, i)
    elif breath == 2:
        pen.write(at, "oxygen device", draw.choice(("nasal cannula", "NC")), "", SIGN, i)
        pen.write(at, "oxygen flow", draw.choice((1, 2, 3, 4)), "L/min", SIGN, i)
    elif breath == 3:
        device = draw.choice(("facemask", "HFNC", "NRB"))
        pen.write(at, "oxygen device", device, "", SIGN, i)
        pen.write(at, "oxygen flow", 40 if device == "HFNC" else 10, "L/min", SIGN, i)
        pen.write(at, "FiO2", draw.choice((0.4, 0.5, 0.6)), "", SIGN, i)
    else:
        pen.write(at, "oxygen device", draw.choice(("BiPAP", "ventilator", "CPAP")), "", SIGN, i)
        pen.write(at, "FiO2", draw.choice((0.4, 0.5, 0.7)), "", SIGN, i)
    if low and draw.random() < 0.5:
        pen.write(pen.near(minute), "fluid boluses", 1, "", SIGN, i)


def _nerves(pen: _Pen, i: int, minute: int, level: int, by_ice: bool, words: bool, draw: random.Random) -> None:
    if by_ice:
        low, high = ((10, 10), (7, 9), (3, 6), (0, 2), (0, 0))[level]
        pen.write(pen.near(minute), "ICE", draw.randint(low, high), "", NEURO, i)
    else:
        low, high = ((0, 0), (1, 8), (1, 8), (9, 20), (20, 30))[level]
        pen.write(pen.near(minute), "CAPD", draw.randint(low, high), "", NEURO, i)
    awake = draw.choice(("awake", "alert"))
    arousal = (awake, awake, draw.choice((awake, "to voice")) if by_ice else "to voice", "to touch", "unarousable")[
        level
    ]
    pen.write(pen.near(minute), "arousal", arousal, "", NEURO, i)
    if words or level >= 3:
        seizure = "brief" if level >= 3 and draw.random() < 0.3 else "none"
        pen.write(pen.near(minute), "seizure", seizure, "", NEURO, i)
        weak = "yes" if level == 4 and draw.random() < 0.3 else "no"
        pen.write(pen.near(minute), "motor weakness", weak, "", NEURO, i)
        edema = draw.choice(("focal", "diffuse")) if level == 4 and draw.random() < 0.2 else "none"
        pen.write(pen.near(minute), "cerebral edema", edema, "", NEURO, i)


def _treat(pen: _Pen, state: _Care, level: int, nerve: int, minute: int, following: int, draw: random.Random) -> None:
    """Drugs between this round and the next one, each at its own time."""
    first, last = minute + SPREAD + 5, max(minute + SPREAD + 6, following - 45)
    if level >= 2 and state.fever_seen and state.tocilizumab < 0 and draw.random() < 0.6:
        state.tocilizumab = draw.randint(first, last)
        pen.write(state.tocilizumab, "tocilizumab", draw.choice((400, 560, 640)), "mg", DRUG)
    if (level >= 3 or nerve >= 2) and draw.random() < 0.6:
        state.steroid = draw.randint(first, last)
        pen.write(state.steroid, "dexamethasone", 10, "mg", DRUG)
    if level == 1 and draw.random() < 0.4:
        state.antipyretic = draw.randint(first, last)
        pen.write(state.antipyretic, "acetaminophen", 650, "mg", DRUG)


def _labs(pen: _Pen, levels: list[int], starts: list[int], infusion: int, draw: random.Random) -> None:
    """Each morning, drawn at one time of their own."""
    count, platelets, hemoglobin = draw.uniform(2, 6), draw.uniform(80, 250), draw.uniform(8.5, 12)
    for day in range(infusion // DAY, starts[-1] // DAY + 1):
        minute = day * DAY + draw.randint(4 * 60, 7 * 60)
        level = max((lv for lv, at in zip(levels, starts) if at // DAY == day), default=0)
        count, platelets = max(0.0, count * draw.uniform(0.5, 1.1)), max(8.0, platelets * draw.uniform(0.8, 1.05))
        for name, value, unit in (
            ("neutrophils", round(count, 2), "10*3/uL"), ("platelets", round(platelets), "10*3/uL"),
            ("hemoglobin", round(hemoglobin, 1), "g/dL"), ("CRP", round(3 + 40 * level * draw.random(), 1), "mg/L"),
            ("ferritin", round(400 + 3000 * level * draw.random()), "ng/mL"), ("creatinine", 0.7, "mg/dL"),
            ("AST", 24, "U/L"), ("ALT", 22, "U/L"), ("bilirubin", 0.5, "mg/dL"), ("fibrinogen", 320, "mg/dL"),
        ):  # fmt: skip
            if minute > infusion - DAY:
                pen.write(minute, name, value, unit, LAB)


def charts(
    *, people: Iterable[str] = PEOPLE, severities: Iterable[str] = SEVERITIES, spreads: Iterable[int] = (0, SPREAD),
    paces: Iterable[int] = (0,), lapses: bool = True,
) -> st.SearchStrategy[Chart]:  # fmt: skip
    """Any of these charts."""
    return st.builds(
        make, st.integers(0, 10**6), st.sampled_from(list(people)), st.sampled_from(list(severities)),
        st.sampled_from(list(spreads)), every=st.sampled_from(list(paces)),
        lapses=st.just(lapses),
    )  # fmt: skip


# ---------------------------------------------------------------- what a test does to a chart


def complete(chart: Chart) -> dict[tuple[str, float], str]:
    """Cells at the end of each round in which every sign of a syndrome was charted: they can be graded.

    By finding and day since the infusion.
    """
    cells: dict[tuple[str, float], str] = {}
    score = "ICE" if chart.age >= 12 else "CAPD"
    signs = (("crs_astct", SIGN, {"temperature", "SBP", "oxygen device"}), ("icans", NEURO, {score, "arousal"}))
    for name, kind, needed in signs:
        for lines in chart.rounds(kind).values():
            if needed <= {line.name for line in lines}:
                cells[name, round(chart.day(max(line.minute for line in lines if line.minute is not None)), 6)] = kind
    return cells


def febrile(line: Line) -> bool:
    return float(line.value) >= (100.4 if line.unit == "degF" else 38.0)


def raises(chart: Chart, line: Line) -> bool:
    """Whether a row raises a grade of the bedside, or fever is waived by it."""
    match line.name:
        case "temperature":
            return febrile(line)
        case "SBP":
            return float(line.value) < lowest_pressure(chart.age)
        case "oxygen device":
            return line.value not in ("room air", "RA")
        case "ICE":
            return float(line.value) < 10
        case "CAPD":
            return float(line.value) > 0
        case "arousal":
            return line.value not in ("awake", "alert")
        case "seizure" | "motor weakness" | "cerebral edema":
            return line.value not in ("none", "no")
        case _:
            return (line.kind == SUPPORT and line.value != "0") or line.name in WAIVING


def at_the_rounds(chart: Chart) -> Chart:
    """The same with every dose and rate charted together with the signs before it, and nothing at a time of its own."""
    times = sorted({line.minute for line in chart.lines if line.kind in SIGNS and line.minute is not None})
    kept: dict[tuple[int | None, str], Line] = {}
    for line in chart.lines:
        if line.kind in (DRUG, SUPPORT) and line.minute is not None and line.minute > times[0]:
            line = replace(line, minute=max(time for time in times if time <= line.minute))
        if line.kind != LAB or line.name == "weight":
            kept[line.minute, line.name] = line
    return chart.with_lines(sorted(kept.values(), key=lambda line: (line.minute is not None, line.minute or 0)))


def barriers(chart: Chart) -> set[int]:
    """Times that no sign may be moved across: the infusion, doses, start and stop of a support (midnights aside)."""
    return {
        line.minute
        for line in chart.lines
        if line.minute is not None and (line.kind == DRUG or (line.kind == SUPPORT and line.edge))
    }


def shifted(chart: Chart, draw: Callable[[int], int], most: int = 15) -> Chart:
    """Every sign 0 to ``most`` minutes later, as far as nothing that matters lies between and its order is kept.

    ``draw`` takes the most and gives a number of minutes.
    """
    walls = barriers(chart)
    latest: dict[str, int] = {}
    out: list[Line] = []
    for line in chart.lines:
        if line.kind in SIGNS and line.minute is not None:
            midnight = (line.minute // DAY + 1) * DAY
            wall = min(w for w in (*walls, midnight) if w >= line.minute)
            after = min(line.minute + draw(most), max(line.minute, wall - 1))
            latest[line.name] = after = max(after, latest.get(line.name, after - 1) + 1)
            line = replace(line, minute=after)
        out.append(line)
    return chart.with_lines(sorted(out, key=lambda line: (line.minute is not None, line.minute or 0)))
