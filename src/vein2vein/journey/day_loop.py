"""Line 7 of the chart: for each monitoring time advance, observe, grade, treat.

The clinic's feedback on the cells is a loop in time, here and nowhere else: what ``treat`` orders is given to the model
before the next ``advance``.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from vein2vein.analytes import analyte
from vein2vein.arguments import Progress
from vein2vein.cards import parse_card
from vein2vein.clinic.care import management
from vein2vein.clinic.criteria import edition
from vein2vein.clinic.grades import monitoring
from vein2vein.engine import run as engine
from vein2vein.journey import late_loss
from vein2vein.models.model import give, named, start
from vein2vein.models.reference import model as reference
from vein2vein.parameters import read_parameters
from vein2vein.records import described
from vein2vein.therapy.course import Course, Recorder
from vein2vein.therapy.patient import Patient
from vein2vein.therapy.product import Product
from vein2vein.therapy.visits import Plan, monitoring_days
from vein2vein.virtual import assay, bedside, hazards
from vein2vein.virtual.constants import Constants

Floats = NDArray[np.float64]
Kind = TypeVar("Kind", bound=np.generic)
ORGANS = False  # creatinine and AST of virtual patients are plausible links, not calibrated: they decide no grade


@dataclass(frozen=True)
class Followed:
    """What the day loop leaves behind: arrays of the m infused patients, by their positions among all enrolled.

    Attributes
    ----------
    rows : ndarray of int, shape (m,)
        Positions of these patients among the ``enrolled``.
    enrolled : int
    course : Course
        m patients, k days; goes on after death.
    state, columns : ndarray, shape (m, states), (m, parameters)
        Of the reference model at the end.
    hazard : ndarray, shape (m, k)
        Cumulated hazard of death without relapse.
    status : ndarray of int, shape (m,)
        Of the integration; 0 is well.
    reached : ndarray, shape (m,)
        Last day that could be computed.
    transplanted : ndarray, shape (m,)
        Day of a stem-cell transplantation in remission; inf: none.
    notes : tuple of str
    """

    rows: NDArray[np.intp]
    enrolled: int
    course: Course
    state: Floats
    columns: Floats
    hazard: Floats
    status: NDArray[np.int64]
    reached: Floats
    transplanted: Floats
    notes: tuple[str, ...]

    def to_all(self, values: NDArray[Kind], absent: object) -> NDArray[Kind]:
        """Values of the infused, (m, ...), as rows of all who were enrolled; ``absent`` for the others."""
        full = np.full((self.enrolled, *values.shape[1:]), absent, dtype=values.dtype)
        full[self.rows] = values
        return full


def follow(
    who: Patient,
    product: Product,
    columns: Floats,
    doses: Sequence[tuple[float, str, Floats]],
    plan: Plan,
    policy: management.Policy,
    *,
    rows: NDArray[np.intp],
    enrolled: int,
    transplant: tuple[float, float, float],
    assays: Mapping[str, assay.Assay],
    unmeasured: Collection[str],
    constants: Constants,
    seed: int,
    backend: str,
    say: Progress,
    tolerance: float,
) -> Followed:
    """Follow the infused patients through the plan's days; ``rows`` are their positions among the ``enrolled``.

    Analytes that are ``unmeasured`` in their disease are not charted.
    """
    model, known, numbers, count = reference.MODEL, loop_numbers(), who.number, who.count
    at = {name: i for i, name in enumerate(model.state_names)}
    level = {name: i for i, name in enumerate(model.level_names)}
    represented = {i.name for i in model.inputs}
    parameters = named(model.parameters, columns)
    days = monitoring_days(plan)
    chart, hazard = Recorder(numbers, days), np.zeros((count, len(days)))
    planned = sorted(doses, key=lambda one: one[0])
    first = min([day for day, _, _ in planned] + [0.0])
    run = engine.begin(model, columns, start(model, columns), first, rtol=tolerance, backend=backend)
    share, first_day, last_day = transplant
    due = hazards.transplant_day(constants.hazards, share, numbers, seed, first_day, last_day)
    transplanted = np.full(count, np.inf)
    fever_until, fever_named = np.full(count, -np.inf), np.zeros(count, dtype=bool)
    crs_now, replaced_until = np.zeros(count, dtype=bool), np.full(count, -np.inf)
    unheard: set[str] = set()
    limits = late_loss.first_limits(columns, numbers, seed)
    ward = monitoring.GrowingGrades(len(days), age=who.age, weight=who.weight, scales=policy.reads, organs=ORGANS)
    c = constants.bedside

    for column, day in enumerate(days):
        # advance: to this day, with the doses that were planned on the way
        today: dict[str, Floats] = {}
        while planned and planned[0][0] <= day:
            when, name, amount = planned.pop(0)
            run = engine.advance(run, when)
            run = engine.advance(run, when, state=give(model, name, amount, run.state, columns))
            if when == day:
                today[name] = today.get(name, 0.0) + amount
        run = engine.advance(run, day)
        if limits:
            run, columns, limits = late_loss.found(run, columns, limits, numbers, seed)
            parameters = named(model.parameters, columns)

        # observe: what the assays and the ward see
        truth = dict(
            model.observables(
                day, named(model.state_names, run.state), parameters, named(model.level_names, run.levels)
            )
        )
        interval = day - days[column - 1] if column else plan.watch_step
        fever_until, fever_named, ill = bedside.infections(
            c,
            bedside.infection_risk(
                c, truth["neutrophils"], run.state[:, at["DEX"]], truth["b_cells"] < known.aplasia_b_cells,
                truth["igg"], truth["cd4_cells"],
            ),
            numbers=numbers, day=day, seed=seed, interval=interval, until=fever_until, flagged=fever_named,
            neutrophils=truth["neutrophils"],
        )  # fmt: skip
        signs = {name: truth.pop(name) for name in ("temperature", "systolic_bp", "spo2", "cns_dysfunction")}
        seen = bedside.bedside(
            c, signs, age=who.age, weight=who.weight, numbers=numbers, day=day, seed=seed,
            interval=min(interval, plan.watch_step), infection_fever=day < fever_until, flagged=fever_named,
            crs_now=crs_now, limits=ward_limits(),
        )  # fmt: skip
        read, below = assay.read(truth, assays, numbers=numbers, day=day, seed=seed)
        read = {name: value for name, value in read.items() if name not in unmeasured}
        below = {name: flag for name, flag in below.items() if name in read}
        chart.write(column, {**read, **seen, "infection": ill, **today}, below)
        hazard[:, column] = run.state[:, at["H_nrm"]]

        # grade: by the policy's scale, from all that is known so far
        so_far = chart.course(column)
        found = ward.grade(so_far)
        crs_now = found[policy.scale].grade[:, -1] > 0

        # treat: the orders are inputs of the next advance
        orders = management.treat(
            policy, so_far, found, weight=who.weight, day=day, costimulation=product.costimulation
        )
        in_remission = (
            truth["marrow_blasts"] < known.remission_blasts if "marrow_blasts" in truth else np.ones(count, dtype=bool)
        )
        moved = (due <= day) & in_remission & (run.status == 0)
        due, transplanted = np.where(due <= day, np.inf, due), np.where(moved, day, transplanted)
        if moved.any():
            orders["hsct"] = moved.astype(float)
        replaced_until = np.where(orders.get("ivig", np.zeros(count)) > 0, day + known.ivig_covers, replaced_until)
        levels, state = run.levels.copy(), run.state
        if (tubes := bedside.blood_drawn(c, who.weight, day=day, interval=interval)).any():
            state = give(model, "blood_draw", tubes, state, columns)
        levels[:, level["igg_support"]] = day < replaced_until
        for name, amount in orders.items():
            if name in level:
                levels[:, level[name]] = amount
            elif name in represented:
                state = give(model, name, amount, state, columns)
            elif (amount > 0).any():
                unheard.add(name)
        chart.write(column, orders)
        run = engine.advance(run, day, state=state, levels=levels)
        say((column + 1) / len(days), f"day {day:g} of {plan.follow_up:g}")
    notes = tuple(_without_effect(name) for name in sorted(unheard))
    notes += ("CRS of virtual patients is graded without organ toxicity: their creatinine and AST are not calibrated",)
    return Followed(
        rows, enrolled, chart.course(), run.state, columns, hazard, run.status, run.reached, transplanted, notes
    )


def _without_effect(name: str) -> str:
    """A note on what was given and is not in the model: a warning where it is a drug in some amount, of a policy."""
    beginning = "unusual: " if analyte(name).unit == "mg" else ""
    return f"{beginning}{name} was given; the model does not represent its effect"


@described
@dataclass(frozen=True)
class LoopNumbers:
    """The numbers of ``journey.toml``, by the names of its parameters; meanings and units stand there."""

    ivig_covers: float
    remission_blasts: float
    aplasia_b_cells: float
    tolerance: float


@cache
def loop_numbers() -> LoopNumbers:
    """Limits and tolerances of the loop."""
    path = Path(__file__).with_name("journey.toml")
    card = parse_card(path.read_text(encoding="utf-8"), path.name)
    return LoopNumbers(**read_parameters(card, "numbers").values())


@cache
def ward_limits() -> bedside.Limits:
    """Fever and hypotension as the criteria define them, for the virtual ward."""
    v = edition("bedside_signs").values
    return bedside.Limits(
        fever=v["fever"], adult=v["adult_systolic"], child_base=v["child_systolic_base"],
        child_slope=v["child_systolic_slope"], child_until=v["child_until"],
    )  # fmt: skip
