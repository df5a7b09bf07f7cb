"""Qualification: published trials run again in virtual patients, and how far the two are apart.

A published row is scored where its trial file gives a tolerance. It passes when the published value lies in the
simulated 90 % prediction interval (of trials of the published size) and the simulated median is within the tolerance;
a hazard ratio when the median lies in the published interval. A row that is not produced fails. Beside it stands what
one would have guessed without a model: the mean of the other trials for the same endpoint.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vein2vein.cards import parse_card
from vein2vein.inference.drawn_trials import Asked, Progress, drawn, sample_of, told
from vein2vein.inference.model_error import WITH_ERROR, learned, widened
from vein2vein.inference.posterior import Member, Posterior, choose
from vein2vein.inference.scoring import (
    OTHER,
    READ,
    NotRun,
    Score,
    ScoredRow,
    distance,
    judge,
    kinds,
    numbers,
    summarize,
    with_baselines,
)
from vein2vein.inference.sets_side_by_side import Sets, overlay_for
from vein2vein.parameters import ParameterSet, read_parameters
from vein2vein.trials.published import Published
from vein2vein.trials.trial import Trial, list_trials, load_trial

__all__ = [
    "Qualification", "Score", "ScoredRow", "distance", "judge", "kinds", "numbers", "overlay_for", "published_rows",
    "qualify", "score", "score_trial", "scored_rows", "summarize", "variant", "with_baselines",
]  # fmt: skip


@dataclass(frozen=True)
class Qualification:
    """Scores of some trials: all, by trial, by kind; the rows behind them; what it takes to repeat them.

    Under a posterior sample the intervals of the rows hold the error of the model; those of ``bare`` do not.
    """

    rows: tuple[ScoredRow, ...]
    bare: tuple[ScoredRow, ...]
    overall: Score
    trials: tuple[Score, ...]
    kinds: tuple[Score, ...]
    provenance: Mapping[str, object]


def scored_rows(trial: Trial) -> tuple[Published, ...]:
    """Rows of a trial that are scored: with a tolerance, and read in the source (recalled ones are only shown)."""
    return tuple(row for row in trial.published if row.tolerance_kind and row.confidence == READ)


def variant(values: Mapping[str, float], *, why: str, name: str = "variant") -> ParameterSet:
    """A set of numbers by their names, to be laid over the cards; units and spreads stay as the cards have them."""
    lines = [
        f"[parameters.{key}]\nvalue = {float(value)!r}\nhow = 'assumed'\nwhy = {why!r}" for key, value in values.items()
    ]
    return read_parameters(parse_card("\n".join(lines), name), "parameters", name=name)


def score(
    trials: Iterable[str | Trial] | None = None,
    *,
    patients: int | None = None,
    seed: int = 1,
    sets: Sets | Sequence[Sets] | Posterior = None,
    progress: Progress | None = None,
    jobs: int = 1,
) -> tuple[ScoredRow, ...]:
    """Run trials in virtual patients and score their rows.

    Parameters
    ----------
    trials : iterable of str or Trial, optional
        Names, paths or trials; every bundled one by default.
    patients : int, optional
        Virtual patients enrolled in each, under each parameter set.
    seed : int
    sets : ParameterSet, Member, mapping of name to ParameterSet, Posterior, or a sequence of sets, optional
        A variant of the model's numbers laid over all cards, the same for every trial; a mapping may hold one for ""
        (everything) and one for each product or disease, by its name. A sequence is a posterior sample: every set runs
        with ``patients`` of its own, and each simulated trial is drawn under one of them, so that the intervals carry
        what is not known of the numbers. Of a ``Posterior`` some sets are drawn.
    progress : callable (fraction, text), optional
    jobs : int
        Processes that run trials side by side.

    Returns
    -------
    tuple of ScoredRow
        Without baselines: see ``with_baselines``.
    """
    chosen = [
        one if isinstance(one, Trial) else load_trial(one) for one in (list_trials() if trials is None else trials)
    ]
    asked = [Asked(trial, rows, patients) for trial in chosen if (rows := scored_rows(trial))]
    simulated = drawn(asked, sample_of(sets, seed), seed=seed, progress=progress, jobs=jobs)
    return tuple(
        judge(one.trial, stated, row)
        for one, rows in zip(asked, simulated, strict=True)
        for stated, row in zip(one.rows, rows, strict=True)
    )


def score_trial(
    trial: Trial,
    *,
    patients: int | None = None,
    seed: int = 1,
    sets: Sets | Sequence[Sets] | Posterior = None,
    jobs: int = 1,
) -> list[ScoredRow]:
    """Score the rows of one trial; see ``score``."""
    return list(score([trial], patients=patients, seed=seed, sets=sets, jobs=jobs))


def spread(
    trial: Trial, posterior: Posterior, patients: int | None, seed: int
) -> tuple[list[Member], NDArray[np.intp]]:
    """Some sets of a sample, and for each patient of one run of a trial which of them holds.

    Parameters
    ----------
    trial : Trial
    posterior : Posterior
    patients : int or None
        Enrolled under each set (default: by the size of the trial).
    seed : int

    Returns
    -------
    list of Member
    ndarray of int, shape (sets * patients,)
        Set by set.
    """
    sets = choose(posterior, int(numbers().sets), seed)
    each = Asked(trial, scored_rows(trial), patients).enrolled(len(sets))
    return sets, np.repeat(np.arange(len(sets)), each)


def published_rows(trials: Iterable[str | Trial] | None = None) -> tuple[ScoredRow, ...]:
    """The scored rows of trials as published, nothing simulated: what baselines are made from."""
    loaded = [
        one if isinstance(one, Trial) else load_trial(one) for one in (list_trials() if trials is None else trials)
    ]
    return tuple(judge(trial, stated, NotRun()) for trial in loaded for stated in scored_rows(trial))


def qualify(
    trials: Iterable[str | Trial] | None = None,
    *,
    patients: int | None = None,
    seed: int = 1,
    sets: Sets | Sequence[Sets] | Posterior = None,
    progress: Progress | None = None,
    jobs: int = 1,
) -> Qualification:
    """Run and score trials, with baselines and the scores by trial, by kind of endpoint and in all; see ``score``."""
    rows = score(trials, patients=patients, seed=seed, sets=sets, progress=progress, jobs=jobs)
    bare = with_baselines(rows, published_rows())
    sampled = isinstance(sets, Posterior)
    rows = tuple(widened(row, learned().in_tolerances(row.kind)) for row in bare) if sampled else bare
    by_trial = dict.fromkeys(row.file for row in rows)
    by_kind = [kind for kind in dict.fromkeys([*kinds().values(), OTHER]) if any(row.kind == kind for row in rows)]
    from vein2vein import __version__

    return Qualification(
        rows=rows,
        bare=bare,
        overall=summarize("all", rows),
        trials=tuple(summarize(name, [row for row in rows if row.file == name]) for name in by_trial),
        kinds=tuple(summarize(name, [row for row in rows if row.kind == name]) for name in by_kind),
        provenance={
            "version": __version__,
            "seed": seed,
            "patients": "as the trial files say" if patients is None else patients,
            "trials": list(by_trial),
            "parameters": told(sets, len(sample_of(sets, seed))) + (WITH_ERROR if sampled else ""),
        },
    )
