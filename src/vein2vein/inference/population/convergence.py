"""Whether a fit may be believed, in words; what is wrong comes first, with what to do about it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from vein2vein.inference.population import residual
from vein2vein.inference.population.estimates import AT_BOUND
from vein2vein.inference.population.importance import UNSURE
from vein2vein.inference.population.laws import BOUNDED
from vein2vein.inference.population.population import Population
from vein2vein.inference.population.theta import NOTHING, Point, Theta, in_words

Floats = NDArray[np.float64]

SIGNIFICANT = 4.0  # t value of a trend that is no chance, of some dozens that are looked at
DRIFT = 1.0  # SE that it must lead over to matter
ONWARD = 0.8  # share of the way from the middle of a trend to its end that the last estimate has gone, if it is one
SHORTEST = 50  # iterations of exploring below which no trend can be seen
SETTLED = 0.5  # SE by which an average may still move in the second half of averaging
AGREEMENT = 0.2  # SE between the averages of seeds
LIKELY = (0.05, 0.8)  # accepted shares of walks outside of which their steps were not learned
MUCH_SHRINKAGE = 0.5
CLOSE = 0.95  # correlation of two estimates that cannot be told apart
FAR = 6.0  # of a bounded parameter's Gaussian number: within 0.3 % of a bound
IMPRECISE = 1.0  # Monte Carlo error of -2 log-likelihood above which models cannot be compared


@dataclass
class Remarks:
    """What was found: failures make a fit not converged, warnings do not."""

    failures: list[str] = field(default_factory=list[str])
    warnings: list[str] = field(default_factory=list[str])

    def verdict(self, well: str) -> tuple[str, ...]:
        """In words, the most important first."""
        if not self.failures:
            return (f"converged: {well}", *self.warnings)
        return (f"not converged: {self.failures[0]}", *self.failures[1:], *self.warnings)


def drifting(trace: Floats, end: Floats, names: Sequence[str], errors: Mapping[str, float]) -> list[str]:
    """Numbers whose trace (iterations, k) still leads somewhere.

    A straight line through the trace, its error widened by how much neighbors are alike (lag-1 autocorrelation); and
    what was found in the end (k,) lies where the line ends, or beyond it. A wandering without aim comes back instead.
    """
    n = len(trace)
    if n < 2 * len(("slope", "level")):
        return []
    at = np.arange(n) - (n - 1) / 2
    slope = at @ trace / (at @ at)
    rest = trace - trace.mean(axis=0) - at[:, None] * slope
    square = np.maximum((rest**2).sum(axis=0), 1e-300)
    alike = np.clip((rest[1:] * rest[:-1]).sum(axis=0) / square, 0.0, 0.99)
    error = np.sqrt(square / (n - 2) / (at @ at) * (1 + alike) / (1 - alike))
    lead = np.abs(slope) * (n - 1)
    further = np.sign(slope) * (end - trace.mean(axis=0)) >= ONWARD * 0.5 * lead
    found = (lead > DRIFT * _scales(trace[-1], names, errors)) & (np.abs(slope) > SIGNIFICANT * error) & further
    return [name for name, led in zip(names, found) if led]


def unsettled(trace: Floats, names: Sequence[str], errors: Mapping[str, float]) -> list[str]:
    """Numbers whose average moved much in the second half of a trace of averages (iterations, k)."""
    moved = np.abs(trace[-1] - trace[len(trace) // 2])
    return [name for name, far in zip(names, moved > SETTLED * _scales(trace[-1], names, errors)) if far]


def _scales(values: Floats, names: Sequence[str], errors: Mapping[str, float]) -> Floats:
    """Standard errors; a tenth of the number, or of 1, where none is known."""
    known = np.array([errors.get(name, np.nan) for name in names])
    return np.where(np.isfinite(known) & (known > 0), known, 0.1 * np.maximum(np.abs(values), 1.0))


def seeds_apart(ends: Floats, names: Sequence[str], errors: Mapping[str, float]) -> list[tuple[str, float]]:
    """Numbers on which seeds (seeds, k) disagree, and by how many standard errors."""
    found: list[tuple[str, float]] = []
    for i, name in enumerate(names):
        scale = errors.get(name, np.nan)
        if np.isfinite(scale) and scale > 0:
            apart = float(np.max(np.abs(ends[:, i] - ends[:, i].mean()))) / scale
            if apart > AGREEMENT:
                found.append((name, apart))
    return found


def of_saem(
    remarks: Remarks, population: Population, trace: Floats, names: Sequence[str], errors: Mapping[str, float],
    acceptance: Mapping[str, float], other_ends: Floats, shrunken: Sequence[str],
) -> None:  # fmt: skip
    """What the traces and the chains of SAEM say.

    Parameters
    ----------
    other_ends : ndarray (seeds, k)
        Estimates of every seed, this one among them.
    shrunken : sequence of str
        Names of SDs that the data hardly tell of: seeds may differ on them.
    """
    exploring = population.problem.settings.exploring
    if exploring < SHORTEST:
        remarks.failures.append(
            f"{exploring} iterations of exploring are too few to see whether anything still moves; give {SHORTEST} or "
            "more (settings: exploring)."
        )
    moving = drifting(trace[exploring // 2 : exploring], trace[-1], names, errors)
    if moving:
        remarks.failures.append(
            f"{', '.join(moving)} still moved in one direction when exploring ended; give more iterations "
            f"(settings: exploring = {2 * exploring}), starts nearer to the data, or fewer parameters."
        )
    loose = unsettled(trace[exploring:], names, errors)
    if loose:
        remarks.failures.append(
            f"{', '.join(loose)} still moved by more than {SETTLED} SE in the second half of averaging; give more "
            f"iterations (settings: averaging = {2 * population.problem.settings.averaging}) or copies."
        )
    if not np.isfinite(trace[-1]).all():
        remarks.failures.append("an estimate is not a finite number; give other starts.")
    if len(other_ends) > 1:
        apart = seeds_apart(other_ends, names, errors)
        wide = [(n, d) for n, d in apart if n not in shrunken]
        told = ", ".join(f"{n} by {d:.2f} SE" for n, d in wide)
        if wide:
            remarks.failures.append(
                f"{len(other_ends)} seeds do not agree within {AGREEMENT} SE ({told}); give more iterations "
                f"(settings: averaging = {2 * population.problem.settings.averaging}) or copies."
            )
        loose = [n for n, _ in apart if n in shrunken]
        if loose:
            remarks.warnings.append(f"seeds differ on {', '.join(loose)}, of which the data hardly tell.")
    walks = ("one at a time", "learnt blocks") if population.effects else ()
    shares = {kernel: acceptance[kernel] for kernel in walks if kernel in acceptance}
    odd = [f"{kernel} {share:.2f}" for kernel, share in shares.items() if not LIKELY[0] <= share <= LIKELY[1]]
    if odd:
        remarks.warnings.append(
            f"walks are accepted too seldom or too often ({', '.join(odd)}; usual: 0.2 to 0.6): compare several seeds."
        )


def of_population(
    remarks: Remarks, population: Population, point: Point, theta: Theta, covariance: Floats | None,
    lost: Sequence[str], shrinkage: Floats,
) -> None:  # fmt: skip
    """What the estimates say of what the data can tell."""
    names = population.random_names
    for k, one in enumerate(population.parameters):
        place = next(j for j, c in enumerate(population.coefficients) if c.parameter == k and not c.covariate)
        if one.law in BOUNDED and population.free[place] and abs(point.beta[place]) > FAR:
            end = one.high if point.beta[place] > 0 else one.low
            remarks.warnings.append(
                f"{population.problem.names[k]} came out at its bound {end:g}: the data do not say how far from it; "
                "hold it there, or give other bounds."
            )
    gone = [name for i, name in enumerate(names) if point.omega[i, i] <= NOTHING]
    if gone:
        remarks.warnings.append(
            f"the spread of {', '.join(gone)} between patients came out at 0; take the random effect out (omega = 0)."
        )
    flat = [name for i, name in enumerate(population.changing_names) if point.gamma[i] <= NOTHING]
    if flat:
        remarks.warnings.append(f"the spread of {', '.join(flat)} between occasions came out at 0; take it out.")
    bound = tied_effects(population, point, AT_BOUND)
    if bound:
        remarks.warnings.append(
            f"the correlation of {', '.join(bound)} is at its bound: the data do not tell the two random effects "
            "apart; explain them by a covariate, or let one of them go."
        )
    if untold := sought_of(population, lost):
        remarks.failures.append(
            f"the data do not tell of {', '.join(untold)} (the information is singular there): many other values do as "
            "well, so these are no estimates; hold them, or take them out."
        )
    if lost:
        told = "hold them, or take them out"
        if not untold:
            told = ("near 0 a spread has no error to speak of: profile it (--profile), hold it, or take the random "
                    "effect out")  # fmt: skip
        remarks.warnings.append(
            f"no standard errors of {', '.join(map(in_words, lost))}: the information is singular there, so the data "
            f"do not tell of them; {told}. The errors of the others are those with them held where they came out."
        )
    if covariance is not None:
        remarks.warnings += _tied(theta, covariance)
    for e, (name, model) in enumerate(population.problem.endpoints.items()):
        if point.sigma[e, 1] > 1 and not model.fixed:
            remarks.warnings.append(
                f"{name}: the proportional error is {point.sigma[e, 1]:.2g}, so the model explains hardly anything; "
                "look at the starts, the units, and the model."
            )
    high = [f"{n} ({100 * s:.0f} %)" for n, s in zip(names, shrinkage) if s > MUCH_SHRINKAGE and n not in gone]
    if high:
        remarks.warnings.append(
            f"shrinkage is above 50 % for {', '.join(high)} (of the variance of conditional means): do not read "
            "individual values or covariates off them; profile the SD rather than trust its interval."
        )


def sought_of(population: Population, lost: Sequence[str]) -> list[str]:
    """Those of some numbers that are typical values, coefficients or errors: no spreads between patients."""
    errors = {name for _, _, name in residual.names_of(population.problem)}
    coefficients = {one.name for one in population.coefficients}
    return [name for name in lost if name in errors | coefficients]


def tied_effects(population: Population, point: Point, beyond: float = CLOSE) -> list[str]:
    """Pairs of random effects whose correlation lies beyond a bound, in words."""
    names = population.random_names
    size = np.sqrt(np.diag(point.omega))
    found: list[str] = []
    for i, a in enumerate(names):
        for j, b in enumerate(names[:i]):
            if population.mask[i, j] and abs(point.omega[i, j]) > beyond * size[i] * size[j] > 0:
                found.append(f"{b} and {a} ({point.omega[i, j] / size[i] / size[j]:.3f})")
    return found


def _tied(theta: Theta, covariance: Floats) -> list[str]:
    known = np.flatnonzero(np.isfinite(np.diag(covariance)) & (np.diag(covariance) > 0))
    own = covariance[np.ix_(known, known)]
    size = np.sqrt(np.diag(own))
    r = own / size / size[:, None]
    words = [in_words(str(one)) for one in theta.names]
    pairs = [f"{words[known[j]]} and {words[known[i]]} ({r[i, j]:.2f})"
             for i in range(len(known)) for j in range(i) if abs(r[i, j]) > CLOSE]  # fmt: skip
    return [f"the estimates of {', '.join(pairs)} move together: hold or combine them."] if pairs else []


def of_likelihood(remarks: Remarks, subjects: Sequence[str], pareto_k: Floats, error: float) -> None:
    """Whether the sampled likelihood can be believed."""
    bad = np.flatnonzero(pareto_k > UNSURE)
    if len(bad):
        who = ", ".join(f"{subjects[i]} ({pareto_k[i]:.2f})" for i in bad[np.argsort(-pareto_k[bad])][:5])
        remarks.warnings.append(
            f"the likelihood of {len(bad)} of {len(subjects)} subjects cannot be believed (Pareto k above {UNSURE}: "
            f"{who}); give more draws (settings: draws, importance)."
        )
    if error > IMPRECISE:
        remarks.warnings.append(
            f"-2 log-likelihood is known to {error:.1f} only; give more draws (settings: draws, importance) before "
            "models are compared."
        )
