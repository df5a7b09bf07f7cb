"""A problem as arrays: what the estimators compute with.

Random effects of a subject stand in one vector: those between subjects first, then those of each of its occasions.
They are 0 on average. ``phi`` is the Gaussian number of each parameter in each span, ``psi`` the parameter itself.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from vein2vein.errors import InputError
from vein2vein.inference.population import residual
from vein2vein.inference.population.design import Coefficient, design_of
from vein2vein.inference.population.laws import to_natural
from vein2vein.inference.population.layout import Layout, lay_out
from vein2vein.inference.population.predictor import Predict, predictor_of
from vein2vein.inference.population.problem import FitParameter, FitProblem
from vein2vein.inference.population.residual import Rows, rows_of

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]


@dataclass
class Counted:
    """How often predictions were asked for: copies of the whole population."""

    evaluations: int = 0


@dataclass(frozen=True)
class Population:
    """A problem made ready.

    Attributes
    ----------
    problem : FitProblem
    layout : Layout
    rows : Rows
    coefficients : tuple of Coefficient (b,)
    design : ndarray (spans, parameters, b)
    random : ndarray of int (q,)
        Places of the parameters with a random effect between subjects.
    changing : ndarray of int (k,)
        Places of those that differ between occasions.
    starts : ndarray of int (subjects,)
        First row of each subject.
    predict : callable psi (copies, spans, parameters) -> (copies, m)
    closed : bool
        Whether that is a closed form.
    notes : tuple of str
    """

    problem: FitProblem
    layout: Layout
    rows: Rows
    coefficients: tuple[Coefficient, ...]
    design: Floats
    random: Ints
    changing: Ints
    starts: Ints
    predict: Predict
    closed: bool
    notes: tuple[str, ...]
    counted: Counted = field(default_factory=Counted)

    @property
    def subjects(self) -> int:
        """How many."""
        return len(self.layout.subjects)

    @property
    def between(self) -> int:
        """Random effects between subjects."""
        return len(self.random)

    @property
    def effects(self) -> int:
        """Length of a subject's vector of random effects."""
        return len(self.random) + self.layout.occasions * len(self.changing)

    @cached_property
    def random_names(self) -> tuple[str, ...]:
        """Parameters with a random effect between subjects (q,)."""
        return tuple(self.problem.names[int(k)] for k in self.random)

    @cached_property
    def changing_names(self) -> tuple[str, ...]:
        """Parameters that differ between occasions (k,)."""
        return tuple(self.problem.names[int(k)] for k in self.changing)

    @cached_property
    def random_parameters(self) -> tuple[FitParameter, ...]:
        """The same as ``random_names``: what is asked of each."""
        return tuple(self.parameters[int(k)] for k in self.random)

    @cached_property
    def parameters(self) -> tuple[FitParameter, ...]:
        """The parameters in the model's order, those that are not named held."""
        named = self.problem.parameters
        return tuple(
            named.get(name) or FitParameter(self.problem.model.example[name], law="normal", fixed=True)
            for name in self.problem.names
        )

    @cached_property
    def beta(self) -> Floats:
        """Coefficients at the start (b,)."""
        return np.array([one.start for one in self.coefficients])

    @cached_property
    def sigma(self) -> Floats:
        """a and b at the start (endpoints, 2)."""
        return np.array([[m.begin("a"), m.begin("b")] for m in self.rows.models])

    @cached_property
    def free(self) -> Flags:
        """Which coefficients are sought (b,)."""
        return np.array([not one.fixed for one in self.coefficients])

    @cached_property
    def known_by_effects(self) -> Flags:
        """Coefficients (b,) whose best values follow from the random effects alone: of a parameter that has one, and
        of a covariate that stands still within a subject."""
        of_random = np.isin([one.parameter for one in self.coefficients], self.random)
        first = np.unique(self.layout.spans.subject, return_index=True)[1]
        still = np.all(self.design == self.design[first][self.layout.spans.subject], axis=(0, 1))
        return of_random & still

    @cached_property
    def by_score(self) -> Ints:
        """Sought coefficients that only the predictions tell of."""
        return np.flatnonzero(self.free & ~self.known_by_effects)

    @cached_property
    def subject_design(self) -> Floats:
        """Design (subjects, q, e) of the e coefficients that are known by effects."""
        first = np.unique(self.layout.spans.subject, return_index=True)[1]
        return self.design[first][:, self.random][:, :, np.flatnonzero(self.known_by_effects)]

    @cached_property
    def carried(self) -> Floats:
        """What the random effects carry of the s coefficients that predictions tell of (subjects, q, s).

        The mean of a covariate in time over a subject's rows: what a subject is on average moves with the coefficient,
        so that the coefficient speaks of what changes within the subject, and steps along its score are not slow.
        """
        counts = np.bincount(self.layout.subject, minlength=self.subjects)
        of_rows = self.design[self.layout.span][:, self.random][:, :, self.by_score]
        return np.add.reduceat(of_rows, self.starts, axis=0) / counts[:, None, None]

    @cached_property
    def drift(self) -> Floats:
        """How the Gaussian numbers (spans, p, s) move with those coefficients while what is carried stands still."""
        found = self.design[:, :, self.by_score].copy()
        found[:, self.random] -= self.carried[self.layout.spans.subject]
        return found

    @cached_property
    def carried_by_occasions(self) -> Floats:
        """What is left in each occasion, and its random effects carry (subjects, occasions, k, s)."""
        spans, k = self.layout.spans, len(self.changing)
        found = np.zeros((self.subjects, self.layout.occasions, k, len(self.by_score)))
        counts = np.zeros((self.subjects, self.layout.occasions))
        if k and self.layout.occasions:
            np.add.at(found, (spans.subject, spans.occasion), self.drift[:, self.changing])
            np.add.at(counts, (spans.subject, spans.occasion), 1.0)
        return found / np.maximum(counts, 1.0)[..., None, None]

    @cached_property
    def about(self) -> Floats:
        """How the middle (subjects, q) of the random effects moves with each coefficient (subjects, q, b)."""
        found = np.zeros((self.subjects, self.between, len(self.coefficients)))
        found[:, :, self.known_by_effects] = self.subject_design
        found[:, :, self.by_score] = self.carried
        return found

    def subject_mean(self, beta: Floats) -> Floats:
        """Gaussian numbers (subjects, q) about which the random effects lie."""
        return self.about @ beta

    @cached_property
    def mask(self) -> Flags:
        """Which elements of omega are sought or held, and not 0 by structure (q, q)."""
        names = self.random_names
        return np.array([[self.problem.together(a, b) for b in names] for a in names], dtype=bool).reshape(
            len(names), len(names)
        )

    @cached_property
    def omega(self) -> Floats:
        """Variances at the start (q, q)."""
        return np.diag([one.omega**2 for one in self.random_parameters]).reshape(self.between, self.between)

    @cached_property
    def omega_held(self) -> Flags:
        """Which variances are held (q,)."""
        return np.array([one.omega_fixed for one in self.random_parameters], dtype=bool)

    @cached_property
    def gamma(self) -> Floats:
        """Variances between occasions at the start (k,)."""
        asked = self.problem.omega.occasion
        return np.full(len(self.changing), asked.omega**2 if asked else 0.0)

    @cached_property
    def has_occasion(self) -> Flags:
        """Which subjects have which occasion (subjects, occasions)."""
        found = np.zeros((self.subjects, self.layout.occasions), dtype=bool)
        if self.layout.occasions:
            found[self.layout.spans.subject, self.layout.spans.occasion] = True
        return found

    def whole_omega(self, omega: Floats, gamma: Floats) -> Floats:
        """Covariance (effects, effects) of a subject's vector of random effects."""
        found = np.zeros((self.effects, self.effects))
        q, k = self.between, len(self.changing)
        found[:q, :q] = omega
        for o in range(self.layout.occasions):
            at = q + o * k
            found[at : at + k, at : at + k] = np.diag(gamma)
        return found

    def mean(self, beta: Floats) -> Floats:
        """Gaussian numbers (..., spans, parameters) without random effects, from coefficients (..., b)."""
        if beta.ndim == 1:
            return self.design @ beta
        return np.einsum("spb,...b->...sp", self.design, beta)

    @cached_property
    def _one_span_each(self) -> bool:
        return bool(np.array_equal(self.layout.spans.subject, np.arange(self.subjects)))

    def phi(self, mean: Floats, effects: Floats) -> Floats:
        """Gaussian numbers (copies, spans, parameters) from means and random effects (copies, subjects, effects)."""
        q, k = self.between, len(self.changing)
        found = np.empty((effects.shape[0], *mean.shape[-2:]))
        found[...] = mean
        own = effects[..., :q] if self._one_span_each else effects[:, self.layout.spans.subject, :q]
        if q == found.shape[-1]:
            found += own
        else:
            found[..., self.random] += own
        if k and self.layout.occasions:
            spans = self.layout.spans
            at = q + spans.occasion[:, None] * k + np.arange(k)
            found[..., self.changing] += effects[:, spans.subject[:, None], at]
        return found

    @cached_property
    def _laws(self) -> tuple[tuple[str, float, float, Ints | slice], ...]:
        kinds: dict[tuple[str, float, float], list[int]] = {}
        for k, one in enumerate(self.parameters):
            key = (one.law, one.low, one.high) if one.law in ("logitnormal", "probitnormal") else (one.law, 0.0, 1.0)
            kinds.setdefault(key, []).append(k)
        every = len(self.parameters)
        return tuple(
            (*key, slice(None) if len(of) == every else np.array(of)) for key, of in kinds.items() if key[0] != "normal"
        )

    def psi(self, phi: Floats) -> Floats:
        """Parameters from their Gaussian numbers."""
        if len(self._laws) == 1 and isinstance(self._laws[0][3], slice):
            return to_natural(self._laws[0][0], phi, self._laws[0][1], self._laws[0][2])
        found = phi.copy()
        for law, low, high, of in self._laws:
            found[..., of] = to_natural(law, phi[..., of], low, high)
        return found

    def f(self, mean: Floats, effects: Floats) -> Floats:
        """Predictions (copies, m) for random effects (copies, subjects, e)."""
        with np.errstate(all="ignore"):
            found = self.predict(self.psi(self.phi(mean, effects)))
        self.counted.evaluations += len(effects)
        return found

    def likelihood(self, f: Floats, sigma: Floats) -> Floats:
        """Log-likelihood of each subject (copies, subjects) given its random effects."""
        with np.errstate(all="ignore"):
            return residual.per_group(residual.log_likelihood(self.rows, f, sigma), self.starts)


def populate(problem: FitProblem, *, threads: int | None = None) -> Population:
    """Make a problem ready to be estimated.

    Parameters
    ----------
    problem : FitProblem
    threads : int, optional
        Of the engine; left out: one per core.

    Raises
    ------
    InputError
        Data and model do not fit together: see ``layout``, ``design``, ``residual`` and ``predictor``; or a parameter
        that is sought moves no prediction.
    """
    layout = lay_out(problem)
    design = design_of(problem, layout)
    rows, told = rows_of(problem, layout)
    names = problem.names
    asked = problem.omega.occasion
    changing = np.array([names.index(n) for n in asked.parameters] if asked and layout.occasions > 0 else [], dtype=int)
    predict, closed, said = predictor_of(problem, layout, threads)
    starts = np.searchsorted(layout.subject, np.arange(len(layout.subjects)))
    random = np.array([names.index(n) for n in problem.random], dtype=int)
    notes = [*layout.notes, *design.notes, *told, *said]
    if asked and layout.occasions < 2:
        raise InputError(
            f"no subject has two occasions (column {asked.column}), so their spread is not identified; leave it out.",
            file=problem.study.file, field="omega.occasion",
        )  # fmt: skip
    for k, name in enumerate(names):
        one = problem.parameters.get(name)
        if one and not one.omega and not one.fixed and k not in changing:
            notes.append(f"{name} has no random effect: it is held to be equal in all patients")
    found = Population(
        problem,
        layout,
        rows,
        design.coefficients,
        design.matrix,
        random,
        changing,
        starts,
        predict,
        closed,
        tuple(notes),
    )
    _check_start(found)
    return found


def _check_start(population: Population) -> None:
    """Refuse what can be seen to fail before the first iteration."""
    problem, layout = population.problem, population.layout
    mean = population.mean(population.beta)
    still = np.zeros((1, population.subjects, population.effects))
    f = population.f(mean, still)[0]
    line = problem.study.observations.line[layout.rows]
    lost = np.flatnonzero(~np.isfinite(f))
    if len(lost):
        who = layout.subjects[layout.subject[lost[0]]]
        raise InputError(
            f"at the start values the model cannot be solved for {len(np.unique(layout.subject[lost]))} subjects, such "
            f"as {who}; give starts nearer to what the data show.", file=problem.study.file, line=int(line[lost[0]]),
        )  # fmt: skip
    measured = np.ones(len(f), dtype=bool)
    measured[population.rows.censored] = False
    nothing = np.flatnonzero(population.rows.log & measured & (f <= 0))
    if len(nothing):
        raise InputError(
            f"the model predicts 0 for {len(nothing)} measured rows (before the first dose, at its time, or before a "
            "lag is over), which has no logarithm; leave them out, flag them as below the limit, or use the natural "
            "scale.",
            file=problem.study.file, line=int(line[nothing[0]]),
        )  # fmt: skip
    for j, one in enumerate(population.coefficients):
        name = problem.names[one.parameter]
        sought = population.free[j] or one.parameter in population.random
        if not sought or one.covariate:
            continue
        moved = population.beta.copy()
        moved[j] += 0.1  # solver coefficient: a tenth on the Gaussian scale, far above the error of the solver
        after = population.f(population.mean(moved), still)[0]
        if np.max(np.abs(after - f)) <= problem.settings.rtol * np.max(np.abs(f)):
            raise InputError(
                f"the parameter {name} moves no prediction of these data where it starts, so nothing can be learned "
                "about it; give a start nearer to what the data show, or hold it: "
                f"fixed = {problem.parameters[name].start:g}, with no omega.", field=f"parameters.{name}",
            )  # fmt: skip
