"""What is seen before the first iteration to tell nothing, and is refused: no estimator would find more in it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vein2vein.errors import InputError
from vein2vein.inference.population.population import Population


def refuse_hopeless(population: Population) -> None:
    """Refuse a problem that cannot be learned from.

    Raises
    ------
    InputError
        One subject whose spread is sought, an endpoint of which nothing was measured, or a measured row for which the
        model predicts 0 under a proportional error.
    """
    problem, rows = population.problem, population.rows
    alone = [name for name in problem.random if not problem.parameters[name].omega_fixed]
    if alone and population.subjects == 1:
        raise InputError(
            f"one subject tells nothing of the spread of {', '.join(alone)} between subjects; give it no omega, hold "
            "that spread (omega_fixed = true), or fit more subjects.", field=f"parameters.{alone[0]}.omega",
        )  # fmt: skip
    for e, name in enumerate(problem.endpoints):
        count = int(np.sum(rows.endpoint == e))
        lower, upper = (end[rows.endpoint[rows.censored] == e] for end in (rows.lower, rows.upper))
        if len(lower) < count:
            continue
        for beyond, ends in (("below", lower), ("above", -upper)):
            if np.isneginf(ends).all():
                raise InputError(
                    f"all {count} values lie {beyond} the limit: nothing was measured, and any curve {beyond} it does "
                    "as well; leave the endpoint out, or correct the limit.", file=problem.study.file, field=name,
                )  # fmt: skip
    _refuse_nothing(population)


def _refuse_nothing(population: Population) -> None:
    problem, rows = population.problem, population.rows
    share = np.array([model.error == "proportional" for model in rows.models])[rows.endpoint]
    share[rows.censored] = False
    if not share.any():
        return
    still: NDArray[np.float64] = np.zeros((1, population.subjects, population.effects))
    nothing = np.flatnonzero(share & (population.f(population.mean(population.beta), still)[0] == 0))
    if len(nothing):
        raise InputError(
            f"the model predicts 0 for {len(nothing)} measured rows (before the first dose, at its time, before a lag "
            "is over, or with starts far from the data), where a proportional error would be 0; leave them out, flag "
            "them as below the limit, or give small values an error of their own (error = combined2).",
            file=problem.study.file, line=int(problem.study.observations.line[population.layout.rows][nothing[0]]),
        )  # fmt: skip
