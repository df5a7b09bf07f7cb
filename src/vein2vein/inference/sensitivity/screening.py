"""Screening: the same patients, with the same luck, under parameter sets that move one number after the other."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vein2vein import __version__
from vein2vein.arguments import Progress, known, progress_of, seed_of, whole
from vein2vein.errors import InputError
from vein2vein.inference.sensitivity import effects as morris
from vein2vein.inference.sensitivity.numbers import BASES, Screened, numbers_of, sets_at, settings
from vein2vein.inference.sensitivity.outcomes import outcomes as all_outcomes
from vein2vein.inference.sensitivity.outcomes import read
from vein2vein.inference.sets_side_by_side import chunks
from vein2vein.journey.chart import simulate
from vein2vein.parameters import ParameterSet
from vein2vein.records import take
from vein2vein.runs.scheduler import compute_here, compute_in
from vein2vein.therapy.disease import Disease, find_disease
from vein2vein.therapy.product import Product, find_product
from vein2vein.therapy.targets import check_targets
from vein2vein.therapy.visits import Plan, up_to_end
from vein2vein.trials.virtual_patients import virtual_patients
from vein2vein.variants import Variants

Floats = NDArray[np.float64]
PRODUCT = "tisagenlecleucel"
MOST_PATIENTS, MOST_TRAJECTORIES = 10_000, 1_000
MINUTE = 60  # seconds


@dataclass(frozen=True)
class Row:
    """What one number does to one outcome.

    Attributes
    ----------
    outcome : str
    rank : int
        By ``mu_star``, from 1; numbers without any effect share the last.
    number : Screened
    mu, mu_star, sigma, half_width : float
        See ``Effects``: change of the outcome over the whole range of the number.
    sign : int
        1: the outcome rises with the number, -1: falls, 0: neither, or both.
    moves : bool
        Whether the effect is more than negligible.
    """

    outcome: str
    rank: int
    number: Screened
    mu: float
    mu_star: float
    sigma: float
    half_width: float
    sign: int
    moves: bool


@dataclass(frozen=True)
class Influence:
    """A number among the most influential: its largest effect, as a share of the largest of that outcome."""

    rank: int
    number: Screened
    share: float
    outcome: str


@dataclass(frozen=True)
class Screening:
    """What a screening found.

    Attributes
    ----------
    rows : tuple of Row
        By outcome, the most influential first.
    influential : tuple of Influence
        The most influential numbers over all outcomes.
    fixed : mapping of str to str
        Numbers that were not varied, and why.
    on_cards : mapping of str to float
        Each outcome under the numbers of the cards.
    notes : tuple of str
    provenance : mapping
    """

    rows: tuple[Row, ...]
    influential: tuple[Influence, ...]
    fixed: Mapping[str, str]
    on_cards: Mapping[str, float]
    notes: tuple[str, ...]
    provenance: Mapping[str, object]

    def counted(self) -> dict[str, int]:
        """Of the influential numbers: how many are assumed or cite a report of our own, each of both, and by basis."""
        some = [one.number for one in self.influential]
        found = {"numbers": len(some), "unsupported": sum(one.unsupported for one in some)}
        found |= {
            "assumed": sum(one.how == "assumed" for one in some),
            "cite our own report": sum(one.own for one in some),
        }
        return found | {f"basis: {basis}": sum(one.basis == basis for one in some) for basis in BASES}


@dataclass(frozen=True)
class Design:
    """What is screened: a product in a disease, outcomes, the numbers that are varied, and those that are not."""

    product: Product
    disease: Disease
    outcomes: tuple[str, ...]
    numbers: tuple[Screened, ...]
    fixed: Mapping[str, str]


def design(
    product: str | Path | Product,
    disease: str | Path | Disease | None,
    outcomes: Sequence[str] = (),
    parameters: Sequence[str] = (),
) -> Design:
    """Look up what is screened; arguments as of ``screen``.

    Raises
    ------
    InputError
        An unknown product, disease, outcome or number, or a disease that lacks what the product sees.
    """
    one = product if isinstance(product, Product) else find_product(product)
    card = disease if isinstance(disease, Disease) else find_disease(disease or one.indications[0].diseases[0])
    check_targets(one, card, remedy="")
    names = tuple(dict.fromkeys(known("outcome", name, all_outcomes()) for name in outcomes)) or tuple(all_outcomes())
    return Design(one, card, names, *numbers_of(one, card, parameters))


def screen(
    product: str | Path | Product = PRODUCT,
    disease: str | Path | Disease | None = None,
    *,
    patients: int | None = None,
    trajectories: int | None = None,
    outcomes: Sequence[str] = (),
    parameters: Sequence[str] = (),
    seed: int = 1,
    jobs: int = 1,
    progress: Progress | None = None,
) -> Screening:
    """Screen the numbers of the cards for what they move.

    Parameters
    ----------
    product : Product, str or path
    disease : Disease, str or path, optional
        By default the first that the product's label names.
    patients : int, optional
        Virtual patients under each parameter set.
    trajectories : int, optional
        2 or more; each costs one parameter set more than there are numbers.
    outcomes : sequence of str
        Of ``cmax``, ``crs``, ``cr``, ``efs``; all by default.
    parameters : sequence of str
        Numbers to vary; all that can be by default.
    seed : int
    jobs : int
        Processes side by side; they change no result.
    progress : callable (fraction, text), optional

    Returns
    -------
    Screening

    Raises
    ------
    InputError
        SALib is not installed; an unknown product, disease, outcome or number; too few patients or trajectories;
        parameter sets under which nobody was infused.
    """
    say, numbers = progress_of(progress), settings()
    count = whole("patients", int(numbers["patients"]) if patients is None else patients, low=2, high=MOST_PATIENTS)
    walks = int(numbers["trajectories"]) if trajectories is None else trajectories
    walks, seed = whole("trajectories", walks, low=2, high=MOST_TRAJECTORIES), seed_of(seed)
    jobs = whole("jobs", jobs, low=1)
    asked = design(product, disease, outcomes, parameters)
    levels, resamples = int(numbers["levels"]), int(numbers["resamples"])
    places = morris.trajectories(len(asked.numbers), walks, levels=levels, seed=seed)
    results, broken = _results(asked, places, count, seed, jobs, say)
    rows: list[Row] = []
    for name, column in zip(asked.outcomes, results[1:].T, strict=True):
        found = morris.effects(places, column, levels=levels, resamples=resamples, seed=seed)
        rows += _ranked(name, asked.numbers, found, numbers)
    notes = [f"{broken} courses of patients could not be computed to the end"] if broken else []
    return Screening(
        tuple(rows), _influential(rows, int(numbers["listed"])), {} if parameters else asked.fixed,
        dict(zip(asked.outcomes, map(float, results[0]), strict=True)), tuple(notes),
        {
            "version": __version__, "product": asked.product.name, "disease": asked.disease.name, "patients": count,
            "trajectories": walks, "sets": len(results), "numbers": len(asked.numbers), "seed": seed,
        },
    )  # fmt: skip


def _results(asked: Design, places: Floats, patients: int, seed: int, jobs: int, say: Progress) -> tuple[Floats, int]:
    """Each outcome under the numbers of the cards, then at each place, shape (1 + places, outcomes); broken courses."""
    spans = chunks(len(places) + 1, patients)
    task = partial(_part, asked, places, patients, seed, spans)
    compute = compute_here if jobs == 1 else partial(compute_in, jobs)
    results, broken, done, began = np.full((len(places) + 1, len(asked.outcomes)), np.nan), 0, 0, time.monotonic()
    say(0.0, f"{len(results)} parameter sets")
    for (at, _), (found, failed) in compute(task, [(at, 0) for at in range(len(spans))]):
        results[spans[at]], broken, done = found, broken + failed, done + len(spans[at])
        left = (time.monotonic() - began) * (len(results) - done) / done
        say(done / len(results), f"{done} of {len(results)} parameter sets, {_told(left)} left")
    if not np.isfinite(results).all():
        lost = int((~np.isfinite(results)).any(axis=1).sum())
        text = f"found {lost} parameter sets under which nobody was infused, expected some in each; ask for more."
        raise InputError(text, field="patients")
    return results, broken


def _told(seconds: float) -> str:
    return f"about {seconds / MINUTE:.0f} min" if seconds >= 2 * MINUTE else f"about {seconds:.0f} s"


def _part(
    asked: Design, places: Floats, patients: int, seed: int, spans: Sequence[range], at: int, _: int
) -> tuple[Floats, int]:
    """The outcomes of one run of some sets, shape (sets, outcomes), and its broken courses."""
    span = spans[at]
    sets: list[ParameterSet | None] = [None] if span.start == 0 else []
    sets += sets_at(asked.numbers, places[[i - 1 for i in span if i > 0]], asked.product, asked.disease)
    people = take(virtual_patients(asked.disease, patients, seed=seed), np.tile(np.arange(patients), len(sets)))
    rules = settings()
    plan = up_to_end(replace(Plan(), watch_until=rules["watch_until"], follow_up=rules["follow_up"]))
    journey = simulate(
        people, asked.product, plan=plan, seed=seed, tolerance=rules["tolerance"],
        overlay=Variants(tuple(sets), np.repeat(np.arange(len(sets)), patients)),
    )  # fmt: skip
    found = np.stack([read(journey, patients, name) for name in asked.outcomes], axis=1)
    return found, int((np.asarray(journey.status) != 0).sum())


def _ranked(
    outcome: str, numbers: Sequence[Screened], found: morris.Effects, rules: Mapping[str, float]
) -> Iterator[Row]:
    least = rules["negligible"] * float(found.mu_star.max())
    moving = found.mu_star > least
    signs = np.where(moving, morris.sign(found, rules["one_way"]), 0)
    order: list[int] = np.argsort(-found.mu_star, kind="stable").tolist()
    for place, i in enumerate(order):
        mu, mu_star, sigma, half = (float(x[i]) for x in (found.mu, found.mu_star, found.sigma, found.half_width))
        rank = min(place, int(moving.sum())) + 1
        yield Row(outcome, rank, numbers[i], mu, mu_star, sigma, half, int(signs[i]), bool(moving[i]))


def _influential(rows: Sequence[Row], most: int) -> tuple[Influence, ...]:
    """The numbers that move some outcome most, as a share of the largest effect on it."""
    largest = {row.outcome: row.mu_star for row in reversed(rows)}
    best: dict[str, tuple[float, Row]] = {}
    for row in rows:
        share = row.mu_star / largest[row.outcome] if row.moves else 0.0
        if share > best.get(row.number.name, (0.0, row))[0]:
            best[row.number.name] = (share, row)
    order = sorted(best.values(), key=lambda one: -one[0])[:most]
    return tuple(Influence(rank, row.number, share, row.outcome) for rank, (share, row) in enumerate(order, start=1))
