"""Calibrate numbers of cards to published rows of trials, stage by stage and then together, with their uncertainty.

What is free stands in a file (``free_numbers``); the scored rows of the trials are the data, and whatever else is
simulated and observed alike (``fitted_rows.Evidence``). With ``staged`` each stage
first moves its own factors, held against its rows and those of the stages before it. In each step every factor that may
move is moved a little by itself, with the same virtual patients and the same luck, in the trials whose patients meet
its cards; the step that these sensitivities call for (``gauss_newton``) is tried whole and in parts, and the best is
kept. The posterior is normal around the last point.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np

from vein2vein.arguments import flag, name_or_path, number, of_kind, refusal
from vein2vein.errors import InputError, unknown
from vein2vein.inference.calibration import gauss_newton, tables
from vein2vein.inference.calibration.chord import polished, refits
from vein2vein.inference.calibration.fitted_rows import Evidence, Problem, TrialRows, problem_of
from vein2vein.inference.calibration.free_numbers import FreeNumbers, read_free_numbers
from vein2vein.inference.calibration.gauss_newton import Floats
from vein2vein.inference.calibration.kept import resumed
from vein2vein.inference.calibration.left_out import Refit, together
from vein2vein.inference.calibration.patients import read_patients
from vein2vein.inference.calibration.runs import Settings, Work, check_settings
from vein2vein.inference.calibration.search import centered, linearized, plan_of, stepped
from vein2vein.inference.calibration.spreads import with_spreads
from vein2vein.inference.posterior import Member, Posterior, hash_of_cards
from vein2vein.parameters import ParameterSet
from vein2vein.trials.trial import Trial, load_trial

SETS = 200  # solver coefficient: parameter sets of the sample
MOVED = 1e-3  # solver coefficient: prior standard deviations below which a calibration moved nothing


@dataclass(frozen=True)
class Calibration:
    """What a calibration found.

    Attributes
    ----------
    sample : Posterior
        Parameter sets, to run trials under; ``sample.facts`` tells how they were made. Relative to the cards, or, where
        written priors stand elsewhere, to the estimate: they can be run once this stands in the cards.
    free : FreeNumbers
    problem : Problem
        The rows, their data and their errors.
    estimate : ndarray, shape (factors,)
        Logarithms of the factors, in standard deviations of their priors.
    covariance : ndarray, shape (factors, factors)
        Same unit.
    outcome : ndarray, shape (rows,)
        Simulated rows where it ended, on the scale of each.
    sensitivity : ndarray, shape (factors, rows)
        Change of each row there, in errors, for one prior standard deviation of each factor.
    refits : tuple of Refit
        Where it ends without each trial, and those that may share its patients, where ``Settings.refits`` asks for it.
    """

    sample: Posterior
    free: FreeNumbers
    problem: Problem
    estimate: Floats
    covariance: Floats
    outcome: Floats
    sensitivity: Floats
    refits: tuple[Refit, ...] = ()

    def identifiability(self) -> str:
        """What the data decided of each factor, as a Markdown table."""
        factors, stages = self.free.factors, self.free.stages
        return "\n".join(tables.identifiability(self.estimate, self.covariance, factors, stages, self.sample.facts))

    def rows(self) -> str:
        """How far each row is from its data, a line for each."""
        return "\n".join(tables.by_row(self.outcome, self.problem.rows, self.problem.data, self.problem.error))

    def mean(self) -> Member:
        """The parameter set of the estimate."""
        return self.problem.member(self.estimate)

    def without(self, name: str) -> Member:
        """The parameter set that the other rows call for: a linearized refit with the rows of one trial left out.

        Nothing is run (``refits`` are): from where the calibration ended, rows are taken to follow the last
        sensitivities, and the loss of the rows that stay is made least. Factors that no other row decides go back to
        their priors.

        Raises
        ------
        InputError
            No trial or other evidence of the calibration has this name.
        """
        problem = self.problem
        if name not in problem.names:
            raise InputError(unknown("trial of the calibration", name, problem.names), field="name")
        stays = ~problem.rows_of(name)
        residual = gauss_newton.residuals(self.outcome, problem.data, problem.error)
        point = gauss_newton.target(self.sensitivity[:, stays], residual[stays], self.estimate)
        return problem.member(point)


def calibrate(
    free: str | Path | FreeNumbers,
    trials: Iterable[str | Path | Trial],
    settings: Settings | None = None,
    *,
    beside: Iterable[Evidence | tuple[str | Path, str | Path]] = (),
    spreads: bool = False,
    begin: Mapping[str, float] | None = None,
    keep: str | Path | None = None,
    say: Callable[[str], None] | None = None,
) -> Calibration:
    """Calibrate numbers of cards, one's own or those of vein2vein, to the scored rows of trials.

    Parameters
    ----------
    free : str, Path or FreeNumbers
        What may change: a file (see ``read_free_numbers``) or what was read from it.
    trials : iterable of str, Path or Trial
        Names, paths or trials; their rows with a tolerance are the data. A product or disease card of one's own is
        named in the trial file by its path, and in ``free`` by the name that it gives itself.
    settings : Settings, optional
        Steps, patients of each run, seed, workers: ``vein2vein.inference.calibration.runs.Settings``.
    beside : iterable of Evidence, or of pairs of paths, optional
        Rows of another kind that are data too. A pair is a trial file and a folder: patients who were treated so and
        measured one by one (``patients.read_patients``).
    spreads : bool
        Whether published spreads of exposure between patients (spreads.toml) are data beside the trials' own rows.
    begin : mapping of factor name to float, optional
        Where the search begins, in standard deviations of the priors, which stay centered where they are: an estimate
        that a calibration ended at. A factor that is not named begins at its prior's median, as all do by default.
    keep : str or Path, optional
        A file (.npz) in which every run that ended is kept: the same call, or one with more steps, goes on from there.
    say : callable (text), optional
        Told the progress.

    Returns
    -------
    Calibration

    Raises
    ------
    InputError
        Arguments, settings, numbers or trials that make no sense; no scored row; or nothing could be run at the
        cards' numbers.

    Notes
    -----
    With several workers, call it below ``if __name__ == "__main__":``, as each worker imports the calling script.

    Examples
    --------
    >>> found = calibrate("free.toml", ["my.toml"], Settings(steps=1, patients=40))  # doctest: +SKIP
    >>> print(found.identifiability())                                               # doctest: +SKIP
    >>> qualify(["my.toml"], sets=found.sample)                                      # doctest: +SKIP
    """
    settings = _settings(settings)
    tell = _told(say)
    path = None if keep is None else Path(name_or_path("keep", keep, "the path of a file (.npz), or None"))
    if not isinstance(free, FreeNumbers):
        free = name_or_path("free", free, "the path of a file that says what may change, or what was read from it")
    others = _beside(beside)
    loaded = _loaded(trials, least=0 if others else 1)
    if flag("spreads", spreads):
        loaded = [with_spreads(one) for one in loaded]
    own = cards_of(loaded)
    free = free if isinstance(free, FreeNumbers) else read_free_numbers(free, own)
    problem = problem_of(free.factors, [*map(TrialRows, loaded), *others], free.origin)
    cards = hash_of_cards(free.factors, own)
    point = _begun(free, begin)
    kept = resumed(path, _key(settings, problem, free, cards, own, point), tell)
    few = 2 if loaded else settings.patients  # of patients alone there must be some in every arm
    problem.evidence[0].simulated([Member({})], [0], few, settings.seed)  # all is compiled before the workers begin
    tell(f"{len(free.factors)} factors, {len(problem.data)} rows of {len(problem.evidence)} trials")
    moved: list[bool] = np.any(problem.allowed, axis=0).tolist()
    for row, may in zip(problem.rows, moved, strict=True):
        if not may:
            tell(f"{row.trial}, {row.quantity}: no free number moves this row; it tells nothing here")
    return _search(Work(problem, kept, settings, tell), free, cards, point)


def _begun(free: FreeNumbers, begin: Mapping[str, float] | None) -> Floats:
    """Where the search begins, shape (factors,)."""
    if begin is None:
        return np.zeros(len(free.factors))
    if not isinstance(cast("object", begin), Mapping):
        raise refusal("begin", begin, "a mapping of factor names to standard deviations of their priors, or None")
    names = [factor.name for factor in free.factors]
    for name, value in begin.items():
        if name not in names:
            raise InputError(unknown("factor", str(name), names), field="begin")
        number(f"begin, {name}", value, low=-gauss_newton.BOUND, high=gauss_newton.BOUND)
    return np.array([float(begin.get(name, 0.0)) for name in names])


def _settings(settings: object) -> Settings:
    if settings is None:
        return Settings()
    found = of_kind("settings", settings, Settings, "Settings of vein2vein.inference.calibration.runs, or None")
    check_settings(found)
    return found


def _told(say: Callable[[str], None] | None) -> Callable[[str], None]:
    if say is None:
        return lambda _: None
    if not callable(say):
        raise refusal("say", say, "a function of a text, or None")
    return say


def _loaded(trials: object, least: int = 1) -> list[Trial]:
    """The trials, by their names or as they are; one alone is no list of them."""
    if isinstance(trials, str | bytes | Path | Trial | Mapping) or not isinstance(trials, Iterable):
        raise refusal(
            "trials",
            cast("object", trials),
            "a list of trials, their names, or the paths of their files, such as ['eliana']",
        )
    listed = list(cast("Iterable[object]", trials))
    if len(listed) < least:
        raise InputError("found none, expected one trial or more.", field="trials")
    expected = "a trial, its name, or the path of its file"
    return [one if isinstance(one, Trial) else load_trial(name_or_path("trials", one, expected)) for one in listed]


def _beside(beside: object) -> list[Evidence]:
    """What else is data; a trial belongs among the trials."""
    wanted = "a list of rows with data that can be simulated, or of pairs of a trial file and a folder of patients"
    if isinstance(beside, str | bytes | Mapping | Trial) or not isinstance(beside, Iterable):
        raise refusal("beside", cast("object", beside), wanted)
    found: list[Evidence] = []
    for one in cast("Iterable[object]", beside):
        match one:
            case (str() | Path() as design, str() | Path() as folder):
                found.append(read_patients(design, folder))
            case _ if hasattr(one, "simulated") and hasattr(one, "rows"):
                found.append(cast("Evidence", one))
            case _:
                raise refusal("beside", one, wanted)
    return found


def _search(work: Work, free: FreeNumbers, cards: str, begin: Floats) -> Calibration:
    """Go through the steps, and draw the sample around where they end."""
    problem, settings = work.problem, work.settings
    point = begin
    there = outcome = before = None
    plan = plan_of(free, problem, settings)
    for step, (moving, judged) in enumerate(plan):
        there = linearized(work, point, step, moving, there)
        outcome = there.outcome
        before = tables.within(outcome, problem.data, problem.tolerance) if before is None else before
        if settings.steps or step < len(plan) - 1:
            point, outcome = stepped(work, point, there, step, moving, judged)
    assert there is not None and outcome is not None and before is not None  # a plan has at least one step
    point, outcome, sensitivity = polished(work, point, outcome, there)
    point, outcome = centered(work, point, outcome, sensitivity)
    scale = gauss_newton.error_scale(sensitivity, gauss_newton.residuals(outcome, problem.data, problem.error))
    spread = gauss_newton.covariance(sensitivity, scale)
    draws = gauss_newton.drawn(point, spread, SETS, np.random.default_rng(settings.seed))
    facts = _facts(work, scale, before, outcome)
    if settings.steps and np.abs(point - begin).max(initial=0.0) < MOVED:
        work.say("nothing moved: no step made the loss less; the numbers are those where it began")
    about = point if problem.origin else np.zeros_like(point)
    sample = Posterior(problem.factors, (draws - about) * problem.prior, "" if problem.origin else cards, facts)
    without: list[Refit] = []
    if settings.refits:
        trials = [one.name for one in problem.evidence if isinstance(one, TrialRows)]
        groups = {name: [one for one in together(name) if one in trials] for name in trials}
        once = {" and ".join(some): some for some in groups.values()}
        without = refits(work, point, outcome, there.error, sensitivity, once)
    return Calibration(sample, free, problem, point, spread, outcome, sensitivity, tuple(without))


def cards_of(trials: Iterable[Trial]) -> dict[str, ParameterSet]:
    """The numbers of the product and disease cards of some trials and their arms, by the names of the cards.

    Raises
    ------
    InputError
        Two cards with other numbers have one name: a factor on it would mean both.
    """
    found: dict[str, ParameterSet] = {}
    for trial in trials:
        for arm in (trial, *trial.arms):
            for card in (arm.product, arm.disease):
                if found.setdefault(card.name, card.parameters).parameters != card.parameters.parameters:
                    text = f"found two cards of the name '{card.name}' with other numbers; give one another name."
                    raise InputError(text, field="trials")
    return found


def _key(
    settings: Settings,
    problem: Problem,
    free: FreeNumbers,
    cards: str,
    own: Mapping[str, ParameterSet],
    begin: Floats,
) -> str:
    """What makes runs comparable: options, priors, data and cards; more steps of the same are the same."""
    told = [
        settings.patients,
        settings.difference,
        settings.seed,
        settings.staged,
        settings.reuse,
        problem.names,
        [one.text for one in problem.evidence],
        problem.data.tolist(),
        problem.error.tolist(),
        cards,
        (free.factors, free.stages, free.judged_by, sorted(free.origin.items()), sorted(free.still)),
        {name: one.values() for name, one in sorted(own.items())},
        *([begin.tolist()] if begin.any() else []),
    ]
    return hashlib.sha256(repr(told).encode()).hexdigest()


def _facts(work: Work, scale: float, before: int, outcome: Floats) -> dict[str, object]:
    from vein2vein import __version__

    settings, problem = work.settings, work.problem
    near = np.abs(outcome - problem.data) <= problem.tolerance
    mine = {name: problem.rows_of(name) for name in problem.names}
    return {
        "version": __version__,
        "seed": settings.seed,
        "staged": "yes" if settings.staged else "no",
        "steps": settings.steps,
        "reuse": "yes" if settings.reuse else "no",
        "patients": settings.patients,
        "difference": settings.difference,
        "error_scale": round(scale, 2),
        "rows": len(problem.data),
        "within_before": before,
        "polish": settings.polish,
        "corrections": settings.corrections,
        "refits": settings.refits,
        "within_after": int(near.sum()),
        "within_by": [f"{name} {near[rows].sum()} of {rows.sum()}" for name, rows in mine.items()],
        "seconds": round(work.kept.seconds),
        "workers": settings.workers,
        "trials": list(problem.names),
    }
