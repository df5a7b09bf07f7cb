"""What was measured beside what is predicted: error models, the likelihood of each row, and what lies behind a limit.

A censored row counts with the probability of all that it may have been (M3 of Beal 2001), to either side or in an
interval. Where a residual is needed (the error's own estimate) its value is drawn from what it may have been.
"""

# pyright: reportMissingTypeStubs=false
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

from vein2vein.errors import InputError
from vein2vein.inference.population.layout import Layout
from vein2vein.inference.population.problem import EndpointModel, FitProblem
from vein2vein.io.study.study import ABOVE, BELOW

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

LOG_2PI = float(np.log(2 * np.pi))
IMPOSSIBLE = -1e10
"""Log-likelihood of a row that could not be predicted: the proposal is refused, and nothing else is touched."""
_LEAST = 1e-300
_LARGEST = 1e150
_LEAST_SPREAD = 1e-10


@dataclass(frozen=True)
class Rows:
    """What was measured (m,), each row on the scale of its error.

    Attributes
    ----------
    models : tuple of EndpointModel
    endpoint : ndarray of int (m,)
    value : ndarray (m,)
        The measured value, or the limit.
    lower, upper : ndarray (c,)
        Of the censored rows: between what the value lies; infinite where nothing bounds it.
    censored : ndarray of int (c,)
        Which rows they are.
    log : ndarray of bool (m,)
    of : tuple of slice or ndarray
        Rows of each endpoint.
    """

    models: tuple[EndpointModel, ...]
    endpoint: Ints
    value: Floats
    lower: Floats
    upper: Floats
    censored: Ints
    log: NDArray[np.bool_]
    of: tuple[slice | Ints, ...]

    @property
    def constants(self) -> float:
        """n log(2 pi) of the measured rows: what NONMEM leaves out of its objective."""
        return (len(self.value) - len(self.censored)) * LOG_2PI


def rows_of(problem: FitProblem, layout: Layout) -> tuple[Rows, tuple[str, ...]]:
    """What was measured, and notes on it.

    Raises
    ------
    InputError
        A value that was measured has no logarithm.
    """
    seen, models = problem.study.observations, tuple(problem.endpoints.values())
    value, flag = seen.value[layout.rows].astype(float), seen.censored[layout.rows].astype(int)
    other, line = seen.limit[layout.rows].astype(float), seen.line[layout.rows]
    notes: list[str] = []
    log = np.array([m.scale == "log" for m in models])[layout.endpoint]
    for e, (name, model) in enumerate(problem.endpoints.items()):
        if model.lloq is None:
            continue
        low = (layout.endpoint == e) & (flag == 0) & (value < model.lloq)
        if low.any():
            value[low], flag[low] = model.lloq, BELOW
            notes.append(f"{name}: {int(low.sum())} rows below the lower limit of {model.lloq:g} count as censored")
    huge = np.flatnonzero(~log & (np.abs(value) > _LARGEST))
    if len(huge):
        name = list(problem.endpoints)[layout.endpoint[huge[0]]]
        raise InputError(
            f"{name} is {value[huge[0]]:g}, too large to be squared; convert the values to a larger unit.",
            file=problem.study.file, line=int(line[huge[0]]),
        )  # fmt: skip
    bad = np.flatnonzero(log & ~(value > 0))
    if len(bad):
        name = list(problem.endpoints)[layout.endpoint[bad[0]]]
        raise InputError(
            f"{name} is {value[bad[0]]:g}, which has no logarithm ({len(bad)} such rows); flag it as below the limit "
            "(CENS or BLQ, or lloq of the endpoint), leave the row out, or use the natural scale.",
            file=problem.study.file, line=int(line[bad[0]]),
        )  # fmt: skip
    with np.errstate(divide="ignore", invalid="ignore"):
        other = np.where(log, np.log(np.where(other > 0, other, np.where(np.isnan(other), np.nan, 0.0))), other)
        value = np.where(log, np.log(np.where(log, value, 1.0)), value)
    c = np.flatnonzero(flag != 0)
    below = flag[c] == BELOW
    lower = np.where(below, np.where(np.isnan(other[c]), -np.inf, other[c]), value[c])
    upper = np.where(below, value[c], np.where(np.isnan(other[c]), np.inf, other[c]))
    for e, name in enumerate(problem.endpoints):
        count = int((flag[layout.endpoint == e] == BELOW).sum())
        above = int((flag[layout.endpoint == e] == ABOVE).sum())
        if count or above:
            told = f"{count} below" + (f" and {above} above" if above else "") + " the limit"
            notes.append(f"{name}: {int((layout.endpoint == e).sum())} rows, {told}")
    of: list[slice | Ints] = []
    for e in range(len(models)):
        own = np.flatnonzero(layout.endpoint == e)
        of.append(slice(None) if len(own) == len(layout.endpoint) else own)
    return Rows(models, layout.endpoint, value, lower, upper, c, log, tuple(of)), tuple(notes)


def on_scale(rows: Rows, f: Floats) -> Floats:
    """Predictions (..., m) on the scale of their errors."""
    if rows.log.all():
        return np.log(np.maximum(f, _LEAST))
    if not rows.log.any():
        return f
    return np.where(rows.log, np.log(np.maximum(f, _LEAST)), f)


def spread(rows: Rows, f: Floats, sigma: Floats) -> Floats:
    """SD of the error (..., m) on its scale; (..., 1) where it is the same for all rows.

    Parameters
    ----------
    f : ndarray (..., m)
    sigma : ndarray (..., endpoints, 2)
        a and b of each endpoint; its leading axes may be 1 or those of ``f``.
    """
    if len(rows.models) == 1:
        return _spread(rows.models[0], f, sigma[..., 0, 0, None], sigma[..., 0, 1, None])
    found = np.empty(np.broadcast_shapes(f.shape, (*sigma.shape[:-2], 1)))  # each endpoint has its own
    for e, (model, of) in enumerate(zip(rows.models, rows.of)):
        found[..., of] = _spread(model, f[..., of], sigma[..., e, 0, None], sigma[..., e, 1, None])
    return found


def _spread(model: EndpointModel, f: Floats, a: Floats, b: Floats) -> Floats:
    if model.error == "constant":
        return a
    size = np.abs(f)
    if model.error == "proportional":
        return np.maximum(b * size, _LEAST_SPREAD)
    return a + b * size if model.error == "combined1" else np.sqrt(a * a + b * b * size * size)


def log_likelihood(rows: Rows, f: Floats, sigma: Floats) -> Floats:
    """Log-likelihood of each row (..., m), censored ones by what they may have been."""
    mean, sd = on_scale(rows, f), spread(rows, f, sigma)
    z = (rows.value - mean) / sd
    found = z * z
    found *= -0.5
    found -= np.log(sd) + 0.5 * LOG_2PI
    c = rows.censored
    if len(c):
        own = of_rows(sd, c)
        found[..., c] = log_between((rows.lower - mean[..., c]) / own, (rows.upper - mean[..., c]) / own)
    return found if np.isfinite(found.sum()) else np.where(np.isfinite(found), found, IMPOSSIBLE)


def of_rows(sd: Floats, rows: Ints) -> Floats:
    """The SDs of some rows."""
    return sd if sd.shape[-1] == 1 else sd[..., rows]


def log_between(low: Floats, high: Floats) -> Floats:
    """Logarithm of the probability that a standard normal number lies between two; exact far out in either tail."""
    flip = low > 0
    if not flip.any() and np.isneginf(low).all():
        return np.asarray(special.log_ndtr(high))
    below, above = np.where(flip, -high, low), np.where(flip, -low, high)
    most, least = special.log_ndtr(above), special.log_ndtr(below)
    with np.errstate(divide="ignore", invalid="ignore"):
        return most + np.log(-np.expm1(np.minimum(least - most, 0.0)))


def behind_limits(rows: Rows, f: Floats, sigma: Floats, rng: np.random.Generator) -> Floats:
    """Values (..., m) on their scale, with those of censored rows drawn from what they may have been."""
    if not len(rows.censored):
        return np.broadcast_to(rows.value, f.shape)
    c = rows.censored
    found = np.broadcast_to(rows.value, f.shape).copy()
    mean, sd = on_scale(rows, f)[..., c], of_rows(spread(rows, f, sigma), c)
    found[..., c] = mean + sd * truncated((rows.lower - mean) / sd, (rows.upper - mean) / sd, rng)
    return found


def truncated(low: Floats, high: Floats, rng: np.random.Generator) -> Floats:
    """Standard normal numbers between two limits, by inversion of the logarithm of the distribution."""
    flip = low > 0
    below, above = np.where(flip, -high, low), np.where(flip, -low, high)
    uniform = np.maximum(rng.random(below.shape), _LEAST)
    with np.errstate(divide="ignore"):
        chosen = np.logaddexp(special.log_ndtr(above) + np.log(uniform), special.log_ndtr(below) + np.log1p(-uniform))
    z = np.clip(np.asarray(special.ndtri_exp(np.minimum(chosen, 0.0)), dtype=np.float64), below, above)
    return np.where(flip, -z, z)


def per_group(values: Floats, starts: Ints) -> Floats:
    """Sums (..., groups) of rows (..., m) that stand together, each group from its start on."""
    return np.add.reduceat(values, starts, axis=-1)


def names_of(problem: FitProblem) -> tuple[tuple[int, int, str], ...]:
    """(endpoint, 0 for a or 1 for b, name) of each number of the error models."""
    every: Sequence[tuple[str, EndpointModel]] = tuple(problem.endpoints.items())
    return tuple((e, "ab".index(x), f"{x}_{name}") for e, (name, one) in enumerate(every) for x in one.sought)
