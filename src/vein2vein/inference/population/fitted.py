"""What a fit found: estimates with their errors, each subject's conditional distribution, the likelihood, a verdict."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from importlib import import_module
from typing import TYPE_CHECKING, Any
from warnings import catch_warnings, simplefilter

import numpy as np
from numpy.typing import NDArray

from vein2vein.errors import InputError, unknown
from vein2vein.inference.population.conditional import copies_from
from vein2vein.inference.population.population import Population, populate
from vein2vein.inference.population.problem import FitProblem
from vein2vein.inference.population.saem import copies_of
from vein2vein.inference.population.theta import Point
from vein2vein.records import described

if TYPE_CHECKING:
    from vein2vein.inference.population.predictions import Predictions

Floats = NDArray[np.float64]
KINDS = ("typical", "coefficient", "omega", "correlation", "occasion", "residual")


@described
@dataclass(frozen=True)
class Estimate:
    """One number of the population.

    Attributes
    ----------
    name : str
    kind : {"typical", "coefficient", "omega", "correlation", "occasion", "residual"}
    parameter : str
        Of the model; of an error its endpoint.
    estimate : float
        A typical value on the natural scale; a coefficient, and the SD of a random effect, on the Gaussian scale.
    se, rse : float
        Standard error, and its share of the estimate in percent; NaN where there is none.
    low, high : float
        95 % confidence interval; of a typical value computed on the Gaussian scale and brought to the natural one, of
        SDs on the logarithm, of correlations on Fisher's scale.
    unit : str
    fixed : bool
    shrinkage : float
        Of a random effect: 1 - var(conditional means) / omega^2; NaN else.
    note : str
    """

    name: str
    kind: str
    parameter: str
    estimate: float
    se: float = np.nan
    rse: float = np.nan
    low: float = np.nan
    high: float = np.nan
    unit: str = ""
    fixed: bool = False
    shrinkage: float = np.nan
    note: str = ""


@described
@dataclass(frozen=True)
class Fit:
    """A fit. Arrays: N subjects, q random effects, e effects of a subject in all, S draws.

    Attributes
    ----------
    problem : FitProblem
    method, seed
    converged : bool
    verdict : tuple of str
        In words; the first sentence says whether it converged and why not, others what to do.
    notes : tuple of str
        What was decided about data and model, in words.
    estimates : tuple of Estimate
    beta, omega, omega_occasion, sigma : ndarray
        Coefficients on the Gaussian scale (b,), variances (q, q) and of occasions (k,) or None, errors (endpoints, 2).
    theta_names : tuple of str
    covariance : ndarray or None
        Of theta: sought coefficients, elements of omega, variances of occasions, errors. A row of NaN: no error known.
    minus_two_ll, minus_two_ll_se : float
        NaN where it was not computed; the Monte Carlo error is 0 for FOCEI and Laplace.
    likelihood_by : {"importance sampling", "FOCEI", "Laplace", ""}
    objective : float
        -2 log-likelihood without n log(2 pi), as NONMEM prints it.
    aic, bic : float
        BIC with the logarithm of the number of subjects.
    pareto_k : ndarray (N,)
    effects : ndarray (S, N, e)
        Draws of each subject's conditional distribution: its q random effects, after them those of each occasion.
    effects_mean, effects_sd, effects_mode : ndarray (N, e)
        Mean and SD of the draws, and the most likely effects.
    trace : ndarray (iterations, k)
    trace_names : tuple of str
    other_traces : tuple of ndarray
        Of the other seeds.
    burn_in : int
        Iterations that explored.
    acceptance : mapping of str to float
    seconds : float
        Of the processor.
    evaluations : int
        Predictions of the whole population.
    provenance : mapping of str to str
    """

    problem: FitProblem
    method: str
    seed: int
    converged: bool
    verdict: tuple[str, ...]
    notes: tuple[str, ...]
    estimates: tuple[Estimate, ...]
    beta: Floats
    omega: Floats
    omega_occasion: Floats | None
    sigma: Floats
    theta_names: tuple[str, ...]
    covariance: Floats | None
    minus_two_ll: float
    minus_two_ll_se: float
    likelihood_by: str
    objective: float
    aic: float
    bic: float
    pareto_k: Floats
    effects: Floats
    effects_mean: Floats
    effects_sd: Floats
    effects_mode: Floats
    trace: Floats
    trace_names: tuple[str, ...]
    other_traces: tuple[Floats, ...]
    burn_in: int
    acceptance: Mapping[str, float]
    seconds: float
    evaluations: int
    provenance: Mapping[str, str] = field(default_factory=dict[str, str])

    @cached_property
    def population(self) -> Population:
        """The problem as arrays."""
        return populate(self.problem)

    @property
    def point(self) -> Point:
        """The values of the population."""
        gamma = np.zeros(0) if self.omega_occasion is None else self.omega_occasion
        return Point(self.beta, self.omega, gamma, self.sigma)

    @property
    def random(self) -> tuple[str, ...]:
        """Parameters with a random effect, in the order of omega."""
        return self.problem.random

    @property
    def eta_mean(self) -> Floats:
        """Means of the random effects between subjects (N, q)."""
        return self.effects_mean[:, : len(self.omega)]

    @property
    def eta_sd(self) -> Floats:
        """SDs of their conditional distribution (N, q)."""
        return self.effects_sd[:, : len(self.omega)]

    @property
    def eta_mode(self) -> Floats:
        """The most likely random effects between subjects (N, q)."""
        return self.effects_mode[:, : len(self.omega)]

    @cached_property
    def phi(self) -> Floats:
        """Draws of each subject's Gaussian numbers (S, N, p), where its first course begins; without occasions."""
        p = self.population
        first = np.unique(p.layout.spans.subject, return_index=True)[1]
        found = np.tile(p.mean(self.beta)[first], (len(self.effects), 1, 1))
        found[..., p.random] += self.effects[..., : len(self.omega)]
        return found

    def estimate(self, name: str) -> Estimate:
        """The estimate of this name."""
        found = {one.name: one for one in self.estimates}
        if name not in found:
            raise InputError(unknown("estimate", name, found))
        return found[name]

    def predict(self, *, individual: str = "mode") -> Predictions:
        """Population and individual predictions of each row, and its weighted residual.

        Parameters
        ----------
        individual : {"mode", "mean"}
            Which random effects of a subject: the most likely, or the mean of its draws.
        """
        from vein2vein.inference.population.predictions import predicted

        return predicted(self, individual=individual)

    def draws(self) -> Any:
        """The draws of each subject's parameters (natural scale) as the ArviZ that is installed takes them.

        They are of several chains side by side, and ``chain`` and ``draw`` say so: of all draws in one row, ArviZ would
        find an effective size that is none.

        Returns
        -------
        DataTree, or before ArviZ 1.0 InferenceData

        Raises
        ------
        InputError
            ArviZ is not installed.
        """
        chains = self._chains
        psi = self.population.psi(self.phi)
        by_chain = psi.reshape(-1, chains, *psi.shape[1:]).swapaxes(0, 1)
        names = self.problem.names
        values = {name: by_chain[..., k] for k, name in enumerate(names)}
        labels = list(self.population.layout.subjects)
        own = {"coords": {"subject": labels}, "dims": {name: ["subject"] for name in names}}
        faults: list[str] = []
        whole = _library("arviz", faults)
        if whole is not None and int(whole.__version__.split(".")[0]) < 1:  # knows its own kind of data only
            return whole.from_dict(posterior=values, **own)
        base = _library("arviz_base", faults)
        if base is None:
            found = "; ".join(faults) or "neither is installed"
            raise InputError(
                f"draws for ArviZ need ArviZ or its data part ({found}); pip install arviz, or take the arrays: phi."
            )
        return base.from_dict({"posterior": values}, **own)

    @property
    def _chains(self) -> int:
        """Chains of each subject that the draws were taken from: the draws of all of them, sweep by sweep."""
        chains = copies_from(copies_of(self.population) if self.method == "saem" else 0)
        return chains if len(self.effects) % chains == 0 else 1


def _library(name: str, faults: list[str]) -> Any:
    """A library that may be absent; None where it is, or where it does not go with others that are installed."""
    try:
        with catch_warnings():  # ArviZ before 1.0 tells everybody of 1.0
            simplefilter("ignore")
            return import_module(name)
    except ModuleNotFoundError as missing:
        if missing.name != name:
            faults.append(f"{name} cannot be loaded: {missing}")
    except Exception as problem:  # such as a matplotlib that is too new for it
        faults.append(f"{name} cannot be loaded: {problem}")
    return None
