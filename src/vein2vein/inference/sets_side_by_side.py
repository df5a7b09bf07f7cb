"""A trial under several parameter sets in one run: what each set gives is what it gives alone.

A run costs as much for its days as for its patients; patients under other numbers can share the days.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

from vein2vein.arguments import Progress
from vein2vein.inference.posterior import (
    CONSTANTS,
    VALUE,
    Cards,
    Member,
    Posterior,
    constants_under,
    overlay,
    scatter,
)
from vein2vein.journey.journey import Journey
from vein2vein.parameters import ParameterSet
from vein2vein.records import take
from vein2vein.therapy.disease import Disease
from vein2vein.therapy.product import Product
from vein2vein.trials.trial import Trial, enroll_and_treat
from vein2vein.variants import Variants
from vein2vein.virtual.constants import BY_PATIENT, Constants, bundled, scaled

Sets = ParameterSet | Member | Mapping[str, ParameterSet] | None
AT_ONCE = 2500  # solver coefficient: patients of a run, beyond which more of them cost as much as runs of their own


def chunks(count: int, patients: int) -> list[range]:
    """So many sets as runs of a few sets each, by the patients under each."""
    size = max(1, AT_ONCE // max(patients, 1))
    return [range(first, min(first + size, count)) for first in range(0, count, size)]


def treated_under(
    trial: Trial,
    sets: Sequence[Sets],
    numbers: Sequence[NDArray[np.int64]],
    *,
    seed: int,
    tolerance: float | None = None,
    progress: Progress | None = None,
) -> Iterator[Journey]:
    """Take patients through a trial under each of some parameter sets.

    Parameters
    ----------
    trial : Trial
    sets : sequence of Member, ParameterSet, mapping or None
    numbers : sequence of ndarray of int
        Patient numbers under each set; under two sets the same number has the same luck.
    seed : int
    tolerance : float, optional
        Of the solver, in place of the journey's own.
    progress : callable (fraction, text), optional
        Of each run.

    Yields
    ------
    Journey
        Of each set, in order.
    """
    groups = [range(len(sets))] if all(map(_may_share, sets)) else [range(i, i + 1) for i in range(len(sets))]
    for group in groups:
        chosen, whose = [sets[i] for i in group], [numbers[i] for i in group]
        of = np.repeat(np.arange(len(chosen)), [len(one) for one in whose])
        journey = treated(trial, chosen, of, np.concatenate(whose), seed=seed, tolerance=tolerance, progress=progress)
        for at in range(len(chosen)):
            yield journey if len(chosen) == 1 else take(journey, np.flatnonzero(of == at))


def treated(
    trial: Trial,
    sets: Sequence[Sets],
    of: NDArray[np.intp],
    numbers: NDArray[np.int64],
    *,
    seed: int,
    tolerance: float | None = None,
    progress: Progress | None = None,
) -> Journey:
    """Take patients through a trial in one run, each under one of some parameter sets.

    Parameters
    ----------
    trial : Trial
    sets : sequence of Member, ParameterSet, mapping or None
    of : ndarray of int, shape (n,)
        Place among ``sets`` of each patient's own.
    numbers : ndarray of int, shape (n,)
    seed : int
    tolerance, progress
        As for ``enroll_and_treat``.

    Raises
    ------
    InputError
        A set among several changes a constant that is one number for all patients of a run.
    """
    return enroll_and_treat(
        trial,
        numbers,
        seed=seed,
        overlay=partial(overlays, sets),
        constants=constants_of(sets, of),
        of=of,
        tolerance=tolerance,
        progress=progress,
    )


def each_under(
    posterior: Posterior, product: Product, disease: Disease, numbers: NDArray[np.int64], seed: int
) -> tuple[Variants, Constants]:
    """What ``simulate`` takes as overlay and constants, with each patient under one set of a sample."""
    sets, of = scatter(posterior, numbers, seed)
    return Variants(overlays(sets, Cards(product, disease)), of), constants_of(sets, of)


def same_patients(
    sets: Sequence[Sets],
) -> Callable[[Trial, NDArray[np.int64], int, Progress], Iterable[Journey]]:
    """What takes the same patients through a trial under each of some sets, a few at a time; for ``contrast``."""

    def treat(trial: Trial, numbers: NDArray[np.int64], seed: int, progress: Progress) -> Iterator[Journey]:
        for some in chunks(len(sets), numbers.size):
            chosen = [sets[i] for i in some]

            def say(fraction: float, text: str = "", some: range = some) -> None:
                progress((some.start + fraction * len(some)) / len(sets), text)

            yield from treated_under(trial, chosen, [numbers] * len(some), seed=seed, progress=say)

    return treat


def overlays(sets: Sequence[Sets], arm: Trial | Cards) -> tuple[ParameterSet | None, ...]:
    """What of each set holds for a trial, an arm of it, or one patient's product and disease."""
    return tuple(overlay_for(arm, one) for one in sets)


def _may_share(one: Sets) -> bool:
    """Whether the set changes constants only that can be one number for each patient."""
    return {(card, name) for card, name, _ in _factors(one) if card in CONSTANTS} <= BY_PATIENT


def _factors(one: Sets) -> Mapping[tuple[str, str, str], float]:
    return one.factors if isinstance(one, Member) else {}


def constants_of(sets: Sequence[Sets], of: NDArray[np.intp]) -> Constants:
    """The constants of bedside, covariates and hazards where each patient is under one of some sets; ``of``: (n,)."""
    if len(sets) == 1:
        return constants_under(sets[0])
    given = [_factors(one) for one in sets]
    keys = dict.fromkeys(key for one in given for key in one if key[0] in CONSTANTS and key[2] == VALUE)
    own = {(card, name): np.array([one.get((card, name, what), 1.0) for one in given])[of] for card, name, what in keys}
    return scaled(bundled(), own, "parameter sets") if own else bundled()


def overlay_for(trial: Trial | Cards, sets: Sets) -> ParameterSet | None:
    """What of some variants of the model's numbers holds for a trial (or one arm of it).

    Parameters
    ----------
    trial : Trial or Cards
    sets : ParameterSet, Member, or mapping of name to ParameterSet, or None
        One set for all; factors on numbers of cards; or by the name of a product or disease, "" for all. Never by
        trial.
    """
    if sets is None or isinstance(sets, ParameterSet):
        return sets
    if isinstance(sets, Member):
        return overlay(sets, trial)
    chosen = [sets[name] for name in ("", trial.product.name, trial.disease.name) if name in sets]
    if not chosen:
        return None
    found = chosen[0]
    for one in chosen[1:]:
        found = found.joined(one)
    return found
