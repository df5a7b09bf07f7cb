"""What the data cannot tell: estimates that are hardly known, tied to each other, at a bound, or exchangeable."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import permutations

import numpy as np
from numpy.typing import NDArray

from vein2vein.inference.population.fitted import Fit
from vein2vein.inference.population.laws import BOUNDED, to_gaussian
from vein2vein.inference.population.theta import in_words
from vein2vein.records import described

Floats = NDArray[np.float64]

TIED = 0.95  # correlation of two estimates
HARDLY = 50.0  # RSE, percent
MUCH = 0.5  # shrinkage beyond which an SD's interval needs a profile
PROFILE = "vein2vein fit fit.toml --profile --out profiled"
"""What makes it: some fits for each SD, which is too dear to be done for every report."""
NEAR = 0.99  # of a correlation of random effects, and of the way to a bound
SAME = 1e-6  # relative difference of predictions that are one


@described
@dataclass(frozen=True)
class Doubt:
    """One thing that the data do not tell.

    Attributes
    ----------
    kind : {"hardly known", "tied", "at a bound", "exchangeable", "shrunken", "flat direction", "no error"}
    names : tuple of str
    value : float
    text : str
        One sentence with a remedy.
    """

    kind: str
    names: tuple[str, ...]
    value: float
    text: str


@described
@dataclass(frozen=True)
class Identifiability:
    """What the data tell of the estimates.

    Attributes
    ----------
    names : tuple of str
        Of theta.
    correlation : ndarray or None
        Of the estimates.
    eigenvalues : ndarray
        Of that correlation, ascending; one near 0 is a direction about which the data say nothing.
    doubts : tuple of Doubt
    """

    names: tuple[str, ...]
    correlation: Floats | None
    eigenvalues: Floats
    doubts: tuple[Doubt, ...]


def identifiability(fit: Fit) -> Identifiability:
    """Look at what the data of a fit tell."""
    correlation, values = None, np.zeros(0)
    doubts: list[Doubt] = []
    if fit.covariance is not None:
        known = np.isfinite(np.diag(fit.covariance)) & (np.diag(fit.covariance) > 0)
        errors = np.sqrt(np.where(known, np.diag(fit.covariance), 1.0))
        correlation = np.where(known[:, None] & known, fit.covariance / errors / errors[:, None], np.nan)
        of = np.flatnonzero(known)
        values, vectors = np.linalg.eigh(correlation[np.ix_(of, of)]) if len(of) else (values, np.zeros((0, 0)))
        doubts += _tied(fit, correlation)
        doubts += _flat([fit.theta_names[i] for i in of], values, vectors)
        lost = [fit.theta_names[i] for i in np.flatnonzero(~known)]
        if lost:
            doubts.append(
                Doubt(
                    "no error",
                    tuple(lost),
                    np.nan,
                    f"No standard error is known of {', '.join(map(in_words, lost))}: the information is singular; "
                    "hold one of them, or take one out.",
                )
            )
    doubts = [*_exchangeable(fit), *_flip_flop(fit), *_at_bounds(fit), *doubts, *_hardly_known(fit), *_shrunken(fit)]
    return Identifiability(fit.theta_names, correlation, values, tuple(doubts))


def _tied(fit: Fit, correlation: Floats) -> Iterator[Doubt]:
    for i, a in enumerate(fit.theta_names):
        for j, b in enumerate(fit.theta_names[:i]):
            r = float(correlation[i, j])
            if abs(r) > TIED:
                yield Doubt(
                    "tied",
                    (b, a),
                    r,
                    f"{in_words(b)} and {in_words(a)} cannot be told apart (correlation {r:.3f}): only a combination "
                    "of the two is known; hold one of them, or take one out.",
                )


def _flat(names: list[str], values: Floats, vectors: Floats) -> Iterator[Doubt]:
    """A direction that three or more estimates share; one of two is a pair, which is told."""
    for value, vector in zip(values, vectors.T):
        share = np.abs(vector)
        order: list[int] = np.argsort(-share).tolist()
        parts = [names[i] for i in order if share[i] > 0.3]  # what makes up most of the direction
        if value < 1 - TIED and len(parts) > 2:
            yield Doubt(
                "flat direction",
                tuple(parts),
                float(value),
                f"{', '.join(map(in_words, parts))} together are hardly known (eigenvalue {value:.2g} of their "
                "correlations): the data know a combination of them only.",
            )


def _hardly_known(fit: Fit) -> Iterator[Doubt]:
    for one in fit.estimates:
        if one.kind in ("typical", "omega", "occasion", "residual") and one.rse > HARDLY:
            yield Doubt(
                "hardly known",
                (one.name,),
                one.rse,
                f"{one.name} is hardly known (RSE {one.rse:.0f} %); its interval is the better summary.",
            )


def _shrunken(fit: Fit) -> Iterator[Doubt]:
    for one in fit.estimates:
        if one.kind == "omega" and one.shrinkage > MUCH and not one.fixed:
            yield Doubt(
                "shrunken",
                (one.name,),
                one.shrinkage,
                f"{one.name} has a shrinkage of {100 * one.shrinkage:.0f} %: few subjects tell of it, so take its "
                f"interval from a profile, and no plot of means for a finding. {PROFILE} makes it, in the folder of "
                "this fit.",
            )


def _at_bounds(fit: Fit) -> Iterator[Doubt]:
    for one in fit.estimates:
        if one.kind == "correlation" and abs(one.estimate) > NEAR:
            yield Doubt(
                "at a bound",
                (one.name,),
                one.estimate,
                f"{one.name} is {one.estimate:.3f}, at its bound; explain the two by a covariate, or let one "
                "random effect go.",
            )
        if one.kind in ("omega", "occasion") and one.estimate == 0:
            yield Doubt("at a bound", (one.name,), 0.0, f"{one.name} came out at 0; take the random effect out.")
        law = fit.problem.parameters.get(one.parameter)
        if one.kind == "typical" and law is not None and law.law in BOUNDED and not law.fixed:
            share = (one.estimate - law.low) / (law.high - law.low)
            if not 1 - NEAR < share < NEAR:
                end = law.low if share < 0.5 else law.high
                yield Doubt(
                    "at a bound",
                    (one.name,),
                    one.estimate,
                    f"{one.name} is {one.estimate:.4g}, at its bound {end:g}; hold it there, or widen the bound.",
                )


def _exchangeable(fit: Fit) -> Iterator[Doubt]:
    """Pairs of parameters whose values can change places without any prediction moving."""
    own, problem = fit.population, fit.problem
    phi = own.mean(fit.beta)
    psi = own.psi(phi[None])
    f = own.predict(psi)[0]
    size = float(np.nanmax(np.abs(f), initial=0.0)) or 1.0
    free = _free(fit)
    for position, i in enumerate(free):
        for j in free[:position]:
            apart = np.abs(psi[..., i] - psi[..., j]) / np.maximum(np.abs(psi[..., i]), np.abs(psi[..., j]))
            pair = psi
            if np.nanmax(apart) < 0.05:  # too near to each other to tell: spread them first
                pair = psi.copy()
                pair[..., i] *= 1.25
            swapped = pair.copy()
            swapped[..., i], swapped[..., j] = pair[..., j], pair[..., i]
            if not (_allowed(fit, i, swapped[..., i]) and _allowed(fit, j, swapped[..., j])):
                continue
            before = f if pair is psi else own.predict(pair)[0]
            with np.errstate(all="ignore"):
                moved = float(np.nanmax(np.abs(own.predict(swapped)[0] - before)))
            if moved <= max(SAME, 10 * problem.settings.rtol * (not own.closed)) * size:
                a, b = problem.names[j], problem.names[i]
                yield Doubt(
                    "exchangeable",
                    (a, b),
                    moved / size,
                    f"{a} and {b} are exchangeable: with their values swapped every prediction is the same, so the "
                    "data do not say which is which; compare their sum or product between fits, or order them.",
                )


def _flip_flop(fit: Fit) -> Iterator[Doubt]:
    """Pairs that change places when a third number goes with them: by mouth ka and CL / V, or ka and k with V."""
    own, problem = fit.population, fit.problem
    if not own.closed:  # each try would be a solution of the equations
        return
    psi = own.psi(own.mean(fit.beta)[None])
    f = own.predict(psi)[0]
    size = float(np.nanmax(np.abs(f), initial=0.0)) or 1.0
    free = _free(fit)
    for i, j, k in permutations(free, 3):
        a, b, c = (psi[..., one] for one in (i, j, k))
        with np.errstate(all="ignore"):
            tries = ((c / b, c / a, c), (b, a, c * b / a)) if i < j else ((b, a, c * b / a),)
            for new in tries:
                near = [np.nanmax(np.abs(x / y - 1)) < 0.05 for x, y in zip(new[:2], (a, b))]
                swapped = psi.copy()
                swapped[..., i], swapped[..., j], swapped[..., k] = new
                if any(near) or not all(_allowed(fit, one, swapped[..., one]) for one in (i, j, k)):
                    continue
                moved = float(np.nanmax(np.abs(own.predict(swapped)[0] - f)))
                if not moved <= SAME * size:
                    continue
                names = (problem.names[i], problem.names[j], problem.names[k])
                values = [f"{name} {np.median(value):.3g}" for name, value in zip(names, new)]
                yield Doubt(
                    "exchangeable",
                    names,
                    moved / size,
                    f"{names[0]} and {names[1]} can change places with the help of {names[2]} (flip-flop): with "
                    f"{', '.join(values)} every typical prediction is the same, so these data do not say which is "
                    "which; the starts decide. Say which is faster from other data, such as an intravenous dose.",
                )


def _free(fit: Fit) -> list[int]:
    """Places of the parameters that are sought."""
    sought = {name for name, one in fit.problem.parameters.items() if one.omega or not one.fixed}
    return [k for k, name in enumerate(fit.problem.names) if name in sought]


def _allowed(fit: Fit, k: int, values: Floats) -> bool:
    one = fit.population.parameters[k]
    return bool(np.isfinite(to_gaussian(one.law, values, one.low, one.high)).all())
