"""The ten lines of a trial: who was infused, response, survival, toxicity and kinetics, published figures beside them.

Where a published row asks for the same, the simulated figure is that row's (its scale, its patients, its cut-off), else
it is counted over the virtual patients.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import numpy as np

from vein2vein.analytes import analyte
from vein2vein.clinic.words import Lineage, complete_responses, lineage_words, usual_crs, usual_neurologic
from vein2vein.journey.journey import Journey, given_standard_care
from vein2vein.report import facts, figures_survival, fit, flow
from vein2vein.report.groups import arm_groups
from vein2vein.report.look import look, unit_name
from vein2vein.report.text import listed, number, percent
from vein2vein.trials.controls import STANDARD_CARE

if TYPE_CHECKING:
    from vein2vein.runs.large import LargeResult
    from vein2vein.trials.published import Published
    from vein2vein.trials.trial import Trial, TrialResult

DEATH, SEVERE = "OS", 3
FREE = ("EFS", "PFS")  # times to an event that a line tells where the disease is told by them, or the trial
EVENT_OF = {"efs_second_line": "EFS", "efs_second_line_between_arms": "EFS"}  # of endpoints that name none
FROM = {"infusion": "", "enrolment": " from enrollment"}


@dataclass(frozen=True)
class Cell:
    """One figure: what it is ("" where the line says it), simulated, published ("" without), and what is said of it."""

    what: str
    simulated: str
    published: str = ""
    verdict: str = ""

    @property
    def text(self) -> str:
        """The figure in words: ``6 months 65 % (73 %)``."""
        beside = ", ".join(part for part in (self.published, self.verdict) if part)
        return f"{self.what} {self.simulated}{f' ({beside})' if beside else ''}".strip()


@dataclass(frozen=True)
class Line:
    """A line of the headline: its name and its figures."""

    name: str
    cells: tuple[Cell, ...]

    @property
    def text(self) -> str:
        """The figures in words."""
        return ", ".join(cell.text for cell in self.cells)


@dataclass(frozen=True)
class Block:
    """The lines of some patients; the title is "" where the trial has one group."""

    title: str
    lines: tuple[Line, ...]


def blocks(result: TrialResult, rows: list[facts.Compared]) -> list[Block]:
    """The headline of a trial: of all patients, then of each arm where there are several."""
    groups = arm_groups(result.trial, result.journey)
    size = (result.trial.enrolled, result.trial.infused)
    if len(groups) == 1:
        return [_block("", groups[0].journey, groups[0].words, groups[0].rows(rows), size)]
    same = len({group.words.name for group in groups}) == 1
    whole = [row for row in rows if not row.arms]
    n = flow.counts(result.journey, groups[0].words)
    treated = n.enrolled - int(given_standard_care(result.journey).sum())
    size = size if treated == n.enrolled else (0, 0)  # a published size that holds standard care, too
    lines = _lines(result.journey, groups[0].words if same else None, whole)
    if treated < n.enrolled:  # of cells and standard care together nothing can be told but how they compare
        lines = [line for line in lines if line.name == "kinetics"]
    lines += _between(rows)
    found = [Block("All arms", (Line("infused", (_share_of(n.infused, treated, size),)), *lines))]
    return found + [_block(g.title, g.journey, g.words, g.rows(rows), (0, 0)) for g in groups]


def blocks_of_chunks(trial: Trial, result: LargeResult, rows: list[facts.Compared]) -> list[Block]:
    """The headline of a run in chunks, by what its summary counts."""
    held = zip(result.summary["quantity"], result.summary["value"], result.summary["patients"], strict=True)
    counted = {(str(quantity), str(value)): int(count) for quantity, value, count in held}
    treated = result.patients - counted.get(("not infused because of", STANDARD_CARE), 0)
    return blocks_of_rows(trial, rows, counted.get(("infused", "true"), 0), treated)


def blocks_of_rows(trial: Trial, rows: list[facts.Compared], infused: int, enrolled: int) -> list[Block]:
    """The headline of a run of which only the comparison was kept, in the same lines; enrolled: to be given cells."""
    words = lineage_words(trial.disease.lineage, trial.disease.name)
    whole = [row for row in rows if not row.arms]
    mixed = any(arm.comparator for arm in trial.arms)
    size = (0, 0) if mixed else (trial.enrolled, trial.infused)
    who = Line("infused", (_share_of(infused, enrolled, size),))
    between = _between(rows)
    found = [Block("All arms" if trial.arms else "", (who, *([] if mixed else _lines(None, words, whole)), *between))]
    for arm in trial.arms:
        own = lineage_words(arm.disease.lineage, arm.disease.name)
        lines = _lines(None, own, [row for row in rows if row.arms == (arm.name,)])
        found += [Block(arm.title, tuple(lines))] if lines else []
    return found


def _block(title: str, journey: Journey, words: Lineage, rows: list[facts.Compared], size: tuple[int, int]) -> Block:
    n = flow.counts(journey, words)
    standard = given_standard_care(journey).all()
    cell = Cell("standard care,", f"{n.enrolled:,} enrolled") if standard else _share_of(n.infused, n.enrolled, size)
    who = Line("infused", (cell,))
    return Block(title, (who, *_lines(journey, words, rows)))


def _share_of(infused: int, enrolled: int, size: tuple[int, int]) -> Cell:
    published = f"{size[1]} of {size[0]}, {percent(size[1], size[0])}" if all(size) else ""
    return Cell("", f"{infused:,} of {enrolled:,} enrolled, {percent(infused, enrolled)}", published)


def ends_of(words: Lineage | None, asked: Sequence[Published]) -> list[str]:
    """Times to an event by which the disease is told, or the trial's published rows are."""
    told = [str(row.arguments.get("event", EVENT_OF.get(row.endpoint, ""))) for row in asked]
    return [end for end in FREE if end in (words.endpoints if words else ()) or end in told]


def _lines(journey: Journey | None, words: Lineage | None, rows: list[facts.Compared]) -> list[Line]:
    """Lines of some patients; without ``words`` (their diseases differ), what all diseases have in common."""
    known = journey if journey is not None and journey.infused.any() else None
    followed = journey if journey is not None and (known is not None or given_standard_care(journey).all()) else None
    ends = ends_of(words, [row.told for row in rows])
    told = [("response", _response(followed, words, rows))] if words else []
    told += [(end, _survival(followed, end, rows)) for end in (*ends, DEATH)]
    told += [
        ("CRS", _by_grade(known, rows, "crs", _scale(known, rows))),
        ("ICANS", _by_grade(known, rows, "icans", usual_neurologic())),
        ("neurologic", _by_grade(known, rows, "neurologic_event", "")),
        ("kinetics", _kinetics(known, rows) if words else []),
    ]
    return [Line(name, tuple(cells)) for name, cells in told if cells]


def _best(found: Sequence[facts.Compared], rows: Sequence[facts.Compared]) -> facts.Compared | None:
    """The published row to stand beside a figure: of the trial itself before a pool of trials, then as ever."""
    trials = [row.told.trial for row in rows]
    ranked = facts.published(found, *dict.fromkeys(row.quantity for row in found))

    def rank(row: facts.Compared) -> tuple[bool, bool, int]:
        return row.confidence != facts.READ, np.isnan(row.simulated), -trials.count(row.told.trial)

    return min(ranked, key=rank, default=None)


def _asked(
    rows: Sequence[facts.Compared], *endpoints: str, among: str = "infused", **wanted: object
) -> list[facts.Compared]:
    """Published rows of one of these endpoints with these arguments, of all patients of a set."""
    return [
        row for row in rows
        if row.told.endpoint in endpoints and row.told.among == among
        and not _of_some(row.told)
        and all(row.told.arguments.get(name) == value for name, value in wanted.items())
    ]  # fmt: skip


def _cell(what: str, row: facts.Compared | None, counted: str | None) -> list[Cell]:
    """A figure of a published row; where there is none, as it is counted."""
    if row is None or np.isnan(row.simulated):
        published = "" if row is None else fit.value_words(row, row.published, 2)
        return [] if counted is None else [Cell(what, counted, published, "" if row is None else _said(row))]
    return [Cell(what, fit.value_words(row, row.simulated, 2), fit.value_words(row, row.published, 2), _said(row))]


def _said(row: facts.Compared) -> str:
    if row.confidence != facts.READ:
        return "from memory"
    return fit.OUTSIDE if fit.within(row) == fit.OUTSIDE else ""


def _of_some(told: Published) -> bool:
    """Whether a published row counts some patients of its set only, by limits such as weight or blasts."""
    limits = [(name, value) for name, value in vars(told).items() if isinstance(value, int | float)]
    low = any(value > 0 for name, value in limits if name.endswith("_from"))
    return low or any(np.isfinite(value) for name, value in limits if name.endswith(("_to", "_below")))


# Response and survival


def _response(journey: Journey | None, words: Lineage, rows: list[facts.Compared]) -> list[Cell]:
    standard = journey is not None and given_standard_care(journey).all()

    def counted(names: Sequence[str]) -> str | None:
        if journey is None:
            return None
        best = np.asarray(journey.outcome.best_response, dtype=str)
        best = best if standard else best[journey.infused]
        return percent(int(np.isin(best, names).sum()), best.size) if (best != "").any() else None

    success = flow.success(journey, words) if journey is not None else listed(words.counts)
    of = _asked(rows, "responded", "best_response", among="enrolled" if standard else "infused")
    rates = [row for name in words.rates for row in of if row.quantity == name]
    cells = _cell(success, _best(rates, rows), counted(words.counts))
    if len(words.counts) > 1 and "CR_CRi_rate" not in words.rates:
        complete = [name for name in words.counts if name in complete_responses()]
        whole = [row for row in of if set(_texts(row.told.arguments.get("responses"))) == set(complete)]
        whole = whole or [row for row in of if row.quantity == "CR_rate"]
        cells += _cell("CR", _best(whole, rows), counted(complete))
    return cells


def _texts(value: object) -> tuple[str, ...]:
    return cast("tuple[str, ...]", value) if isinstance(value, tuple) else ()


def _survival(journey: Journey | None, endpoint: str, rows: list[facts.Compared]) -> list[Cell]:
    of = [row for among in ("infused", "enrolled") for row in _asked(rows, "survival", among=among, event=endpoint)]
    if not of:
        own = [name for name, event in EVENT_OF.items() if event == endpoint]
        of = [row for among in ("infused", "enrolled") for row in _asked(rows, *own, among=among)]
    clocks = [str(row.told.arguments.get("clock", "infusion")) for row in of]
    clock = "infusion" if "infusion" in clocks or not clocks else clocks[0]
    own = [row for row, at in zip(of, clocks) if at == clock]
    clock = "enrolment" if journey is not None and given_standard_care(journey).all() else clock
    second_line = any(row.told.endpoint in figures_survival.SECOND_LINE for row in of)
    curve = None if journey is None else figures_survival.survival(journey, endpoint, clock, second_line)
    days = sorted({row.told.time for row in own if row.told.time is not None and row.confidence == facts.READ})
    cells: list[Cell] = []
    for day in days[: int(look("headline", "most_times"))]:
        at = _best([row for row in own if row.told.time == day], rows)
        months = f"{number(day / look('windows', 'month'))} months{FROM.get(clock, '')}"
        cells += _cell(months, at, None if curve is None else _on(curve, day))
    medians = [row for row in own if row.told.time is None and row.confidence == facts.READ]
    if not cells and curve is not None:
        one = figures_survival.landmark(curve)
        cells += [Cell(one.when, one.percent)]
    if medians or not days:
        middle = None if curve is None else figures_survival.median_words(curve)
        cells += _cell("median", _best(medians, rows), middle)
    return cells


def _between(rows: list[facts.Compared]) -> list[Line]:
    """Hazard ratios between arms, as published rows ask for them."""
    of = [row for row in rows if "against" in row.told.arguments and not _of_some(row.told)]
    cells: list[Cell] = []
    for end in (*FREE, DEATH):
        own = [r for r in of if r.told.arguments.get("event", EVENT_OF.get(r.told.endpoint, "")) == end]
        best = _best(own, rows)
        if best is not None and not np.isnan(best.simulated):
            cells.append(Cell(end, number(best.simulated, 2), number(best.published, 2), _said(best)))
    return [Line("hazard ratio", tuple(cells))] if cells else []


def _on(curve: figures_survival.Survival, day: float) -> str | None:
    value = figures_survival.on_day(curve, day)[0]
    return None if np.isnan(value) else f"{number(100 * value, 2)} %"


# Toxicity and kinetics


def _graded(journey: Journey | None, key: str, grade: int) -> str | None:
    if journey is None or key not in journey.findings:
        return None
    worst = facts.grades(journey, key).max(axis=1, initial=facts.NOT_GRADABLE)
    known = worst[worst >= 0]
    return percent(int((known >= grade).sum()), known.size) if known.size else None


def _by_grade(journey: Journey | None, rows: list[facts.Compared], endpoint: str, key: str) -> list[Cell]:
    """Any grade, and severe; without a finding ``key`` only where something was published."""
    cells: list[Cell] = []
    for grade, what in ((1, "any grade"), (SEVERE, f"grade ≥ {SEVERE}")):
        row = _best(_asked(rows, endpoint, grade=grade), rows)
        cells += _cell(what, row, _graded(journey, key, grade))
    return cells


def _scale(journey: Journey | None, rows: list[facts.Compared]) -> str:
    """The finding that counts cytokine release syndrome: on the published scale, or on the usual one."""
    scales = [f"crs_{row.told.arguments.get('scale')}" for row in _asked(rows, "crs")]
    return next((one for one in scales if journey is not None and one in journey.findings), usual_crs())


def _kinetics(journey: Journey | None, rows: list[facts.Compared]) -> list[Cell]:
    followed = "" if journey is None else facts.readout(journey)
    names = {"transgene": ("cmax",), "car_t_cells": ("cmax_cells",)}.get(followed, ("cmax", "cmax_cells"))

    def counted(field: str, unit: str) -> str | None:
        known = np.nan if journey is None else facts.summary(getattr(journey.kinetics, field)[journey.infused])[0]
        return None if np.isnan(known) else f"{number(known)} {unit}"

    unit = unit_name(analyte(followed).unit) if followed else ""
    own = [row for row in rows if row.told.statistic in ("median", "geometric mean")]
    cells = _cell("Cmax", _best(_asked(own, *names), rows), counted("cmax", unit))
    return cells + _cell("Tmax", _best(_asked(own, "tmax"), rows), counted("tmax", "days"))
