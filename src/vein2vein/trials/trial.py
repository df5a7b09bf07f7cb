"""A trial: a file that says who was enrolled, what was done and what was published; run in virtual patients."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from importlib import resources
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vein2vein import __version__
from vein2vein.arguments import Progress, name_or_path, seed_of, whole
from vein2vein.card_reading import read
from vein2vein.cards import Card, bundled_cards, find_card, parse_card
from vein2vein.clinic.care.management import read_policy
from vein2vein.journey.journey import Journey, Provenance, join_journeys
from vein2vein.parameters import ParameterSet
from vein2vein.randomness import uniforms
from vein2vein.records import described
from vein2vein.therapy.disease import Disease, find_disease
from vein2vein.therapy.laws import Law
from vein2vein.therapy.product import Product, Regimen, find_product
from vein2vein.therapy.visits import Plan, plan_of
from vein2vein.trials import checks, design
from vein2vein.trials.arms import Arm, arm_of
from vein2vein.trials.comparator import Comparator
from vein2vein.trials.comparison import Row, compare
from vein2vein.trials.published import MOST, Published, published
from vein2vein.trials.subgroups import check_subgroups
from vein2vein.trials.treating import treat_arm
from vein2vein.trials.trial_card import RANDOMIZED, trial_card
from vein2vein.variants import Variants
from vein2vein.virtual.assay import Assay
from vein2vein.virtual.constants import Constants, of_patients

Floats = NDArray[np.float64]
Side = tuple[ParameterSet | None, ...]  # variants of the numbers of an arm, side by side
COMPARING = "comparing with the published trial"  # said while it is done


@described
@dataclass(frozen=True)
class Trial:
    """A trial as its file says it.

    Attributes
    ----------
    name, title, registry, phase, policy, conditioning, scale : str
        ``scale`` is the trial's own for cytokine release syndrome.
    dose : str
        Dose in place of the product's own rule, such as "3.1e6/kg"; "" for the rule.
    disease : Disease
    product : Product
    patients : int
        Virtual patients to enroll when nothing else is asked for.
    enrolled, infused : int
        Size of the published trial (0: none was published).
    population : mapping of str to Law
        Laws of this trial, laid over those of the disease.
    vein_to_vein, bridging_share : Law or None
    screening_failure : float
        Share of the screened who are not enrolled.
    transplant : tuple of float
        Share of remissions that are transplanted, first and last day; (0, 0, 0): none.
    plan : Plan
        Visits and follow-up.
    accrual : float
        Days from the first to the last infusion.
    cutoffs : mapping of str to float
        Median follow-up (days) at each data cut-off.
    assays : mapping of str to Assay
    until : float
        Window of the safety analyses, days.
    published : tuple of Published
    file, text : str
        The file it was read from, for provenance.
    arms : tuple of Arm
        Who is treated otherwise than the trial says; empty: one arm.
    regimens : mapping of str to Regimen
        Lymphodepletion that the trial file itself describes.
    randomized : bool
        Patients come to their arm by lot; enrollment is then randomization.
    comparator : Comparator or None
        Standard care in place of cells, where all of the trial is such an arm.
    antigen_selected : bool
        Only patients whose tumor carries the antigens are enrolled.
    absent_target : bool
        The product is meant to run although the tumor lacks what it sees.
    """

    name: str
    title: str
    registry: str
    phase: str
    policy: str
    conditioning: str
    scale: str
    dose: str
    disease: Disease
    product: Product
    patients: int
    enrolled: int
    infused: int
    population: Mapping[str, Law]
    vein_to_vein: Law | None
    bridging_share: Law | None
    screening_failure: float
    transplant: tuple[float, float, float]
    plan: Plan
    accrual: float
    cutoffs: Mapping[str, float]
    assays: Mapping[str, Assay]
    until: float
    published: tuple[Published, ...]
    file: str
    text: str
    arms: tuple[Arm, ...] = ()
    regimens: Mapping[str, Regimen] = field(default_factory=dict[str, Regimen])
    randomized: bool = False
    comparator: Comparator | None = None
    antigen_selected: bool = True
    absent_target: bool = False


@described
@dataclass(frozen=True)
class TrialResult:
    """What came out of a trial.

    Attributes
    ----------
    trial : Trial
    screened : int
        Patients screened until so many were enrolled.
    journey : Journey
        All enrolled patients; ``journey.infused`` marks the infused set.
    comparison : tuple of Row
    provenance : mapping
    """

    trial: Trial
    screened: int
    journey: Journey
    comparison: tuple[Row, ...]
    provenance: Provenance


# Reading a trial file


def _folder() -> Path:
    return Path(str(resources.files("vein2vein").joinpath("trials", "cards")))


def list_trials() -> dict[str, str]:
    """Trials that come with vein2vein: name -> title."""
    return {name: load_trial(name).title for name in bundled_cards(_folder())}


def trial_template_text() -> str:
    """A commented trial file to start from."""
    return resources.files("vein2vein").joinpath("trials", "template.toml").read_text(encoding="utf-8")


@cache
def _bundled(name: str) -> Trial:
    return read_trial(find_card(name, _folder(), "trial"))


def load_trial(name: str | Path) -> Trial:
    """Return a trial by its name, or from the user's own file by its path.

    Raises
    ------
    InputError
        Unknown name (with the nearest ones), or a fault of the file: file, line, field.
    """
    name = name_or_path("trial", name, "the name of a trial, or the path of a trial file")
    spelled = str(name).lower().replace("-", "_")
    if spelled in bundled_cards(_folder()):
        return _bundled(spelled)
    return read_trial(find_card(name, _folder(), "trial"))


def read_trial(card: Card) -> Trial:
    """Read and check a trial card."""
    checks.check_names(card)
    for path in (("trial",), *(("arms", str(i)) for i in range(len(card.tables("arms"))))):
        design.check_dose_text(card, *path)
    checks.check_values(card)
    told = read(card, trial_card())
    failure = design.probability(card, told.waiting, "screening_failure")
    design.probability(card, told.waiting, "bridging_share")
    checks.check_waiting(card, told.waiting)
    for i, one in enumerate(told.arms or ()):
        checks.check_waiting(card, one.waiting, "arms", str(i))
    if failure == 1:
        at = ("waiting", "screening_failure", "probability")
        raise card.error(at, "found 1, expected less: nobody would be enrolled.")
    cutoffs = {name: one.follow_up for name, one in told.cutoffs.items()}
    disease = design.found(card, find_disease, "trial", "disease")
    product = design.of_year(card, design.found(card, find_product, "trial", "product"), disease, told.trial.year)
    design.found(card, read_policy, "trial", "policy")
    design.check_treatment(card, product, disease, told.regimens, "trial")
    arms = design.read_arms(card, told, disease, product, told.regimens)
    checks.check_sizes(card, arms, told.size.enrolled)
    plan = plan_of(told.visits)
    if not arms:
        design.check_target(card, product, disease, told.population, told, "trial")
        checks.check_population(card, disease, told.population, product, told.trial.dose, plan.follow_up, "trial")
    for i, arm in enumerate(arms):
        laws_of = {**told.population, **arm.population}
        checks.check_population(card, arm.disease, laws_of, arm.product, arm.dose, plan.follow_up, "arms", str(i))
    names = [arm.name for arm in arms]
    rows = tuple(published(card, str(i), row, told.endpoints, cutoffs, names) for i, row in enumerate(told.published))
    accrual = told.enrollment.accrual
    checks.check_visits(card, plan, rows, (product, disease), arms, cutoffs, accrual)
    laws = {one.name: (one.disease, {**told.population, **one.population}) for one in arms}
    check_subgroups(card, rows, laws or {"": (disease, told.population)})
    checks.check_counts(card, rows, arms, told.size.enrolled)
    moved = told.transplant
    return Trial(
        name=told.trial.name, title=told.trial.title, registry=told.trial.registry, phase=told.trial.phase,
        policy=told.trial.policy, conditioning=told.trial.conditioning, scale=told.endpoints.scale,
        dose=told.trial.dose, disease=disease, product=product, patients=told.size.patients,
        enrolled=told.size.enrolled, infused=told.size.infused, population=told.population,
        vein_to_vein=told.waiting.get("vein_to_vein"), bridging_share=told.waiting.get("bridging_share"),
        screening_failure=failure, transplant=(moved.share, moved.first_day, moved.last_day) if moved else (0.0, 0.0,
        0.0), plan=plan, accrual=accrual, cutoffs=cutoffs, assays=told.assay, until=told.endpoints.until,
        published=rows, file=card.file, text=card.text, arms=arms, regimens=told.regimens,
        randomized=told.trial.allocation == RANDOMIZED, antigen_selected=told.trial.antigen_selected,
        absent_target=told.trial.absent_target,
    )  # fmt: skip


def check_apart(trials: Sequence[Trial]) -> None:
    """Refuse two trials of one name: their rows would be taken for those of one."""
    files: dict[str, str] = {}
    for trial in trials:
        if trial.name in files:
            text = f"found '{trial.name}', the name of {files[trial.name]} too, expected each name once; change one."
            raise parse_card(trial.text, trial.file).error(("trial", "name"), text)
        files[trial.name] = trial.file


# Running it


def patients_of(trial: Trial, patients: int | None) -> int:
    """Virtual patients to enroll: as asked for, else as the trial file says."""
    return trial.patients if patients is None else whole("patients", patients, low=1, high=MOST)


def screened_for(enrolled: int, failure: float, seed: int) -> int:
    """Patients screened until so many were enrolled, each failing with the same probability."""
    count = enrolled
    while True:
        passed = np.cumsum(uniforms(seed, "screening", np.arange(count))[:, 0] >= failure)
        if passed[-1] >= enrolled:
            return int(np.searchsorted(passed, enrolled)) + 1
        count = 2 * count


def follow_up_at(trial: Trial, numbers: NDArray[np.int64], seed: int) -> dict[str, Floats]:
    """Days of follow-up of each patient at each data cut-off: even entry over the time of accrual, shape (n,)."""
    entered = trial.accrual * (uniforms(seed, "date of entry", numbers)[:, 0] - 1 / 2)
    return {name: np.maximum(median - entered, 0.0) for name, median in trial.cutoffs.items()}


def enroll_and_treat(
    trial: Trial,
    numbers: NDArray[np.int64],
    *,
    seed: int,
    progress: Progress | None = None,
    backend: str = "batch",
    overlay: ParameterSet | Callable[[Trial], ParameterSet | Side | None] | None = None,
    constants: Constants | None = None,
    of: NDArray[np.intp] | None = None,
    tolerance: float | None = None,
) -> Journey:
    """Take the patients with these numbers through a trial; none depends on who else is asked for.

    ``overlay`` is a named variant of the model's numbers, or a function that gives it for an arm (as a ``Trial``), or
    that gives several, of which ``of``, shape (n,), says for each patient which holds.
    ``tolerance``: of the solver, in place of the journey's own.
    """

    def treat(one: Trial, at: NDArray[np.intp], arm: str) -> Journey:
        found = overlay(one) if callable(overlay) else overlay
        which = np.zeros(at.shape, np.intp) if of is None else of[at]
        variant = Variants(found, which) if isinstance(found, tuple) else found
        theirs = of_patients(constants, at) if isinstance(constants, Constants) else constants  # or refused below
        return treat_arm(
            one, numbers[at], arm, seed, variant, theirs, backend=backend, progress=progress, tolerance=tolerance
        )

    if not trial.arms:
        return treat(trial, np.arange(len(numbers)), "")
    arm = arm_of(trial.arms, numbers, seed)
    filled = [(one, at) for i, one in enumerate(trial.arms) if (at := np.flatnonzero(arm == i)).size]
    journeys = [treat(one_arm(trial, one), at, one.name) for one, at in filled]
    return join_journeys(journeys, np.argsort(np.concatenate([at for _, at in filled]), kind="stable"))


def one_arm(trial: Trial, arm: Arm) -> Trial:
    """The trial as if this arm were all of it."""
    return replace(
        trial, disease=arm.disease, product=arm.product, dose=arm.dose, conditioning=arm.conditioning,
        population={**trial.population, **arm.population}, policy=arm.policy or trial.policy,
        vein_to_vein=arm.vein_to_vein or trial.vein_to_vein, comparator=arm.comparator, arms=(),
        bridging_share=arm.bridging_share or trial.bridging_share,
    )  # fmt: skip


def run_trial(
    trial: Trial | str | Path,
    *,
    patients: int | None = None,
    seed: int = 1,
    progress: Progress | None = None,
    backend: str = "batch",
    overlay: ParameterSet | Callable[[Trial], ParameterSet | None] | None = None,
    constants: Constants | None = None,
) -> TrialResult:
    """Run a trial in virtual patients and set it beside the published one.

    Parameters
    ----------
    trial : Trial, str or path
        A trial, its name, or the path of a trial file.
    patients : int, optional
        Virtual patients enrolled (default: as the trial file says). Some of them are never infused, as in the trial.
    seed : int
    progress : callable, optional
        Called with a fraction done and a sentence.
    backend : str
        Solver of the engine.
    overlay : ParameterSet, optional
        A named variant of the model's numbers.
    constants : Constants, optional
        Those of the bedside, the covariates and the hazards; the bundled ones by default.

    Returns
    -------
    TrialResult

    Raises
    ------
    InputError
        An unknown trial, a number of patients that is none, a seed below 0, an unknown backend, a wrong type.
    """
    trial, seed = trial if isinstance(trial, Trial) else load_trial(trial), seed_of(seed)
    count = patients_of(trial, patients)
    journey = enroll_and_treat(
        trial, np.arange(count), seed=seed, progress=progress, backend=backend, overlay=overlay, constants=constants
    )
    if progress:
        progress(1.0, COMPARING)
    return set_beside(trial, journey, seed=seed)


def set_beside(
    trial: Trial, journey: Journey, *, seed: int, of: NDArray[np.intp] | None = None, parameters: str = ""
) -> TrialResult:
    """Set a journey through a trial beside the published one: what ``run_trial`` does once all are treated.

    ``of``: the parameter set that each patient is under, shape (n,), as for ``comparison.compare``; ``parameters`` says
    for the provenance which these are.
    """
    count = journey.count
    rows = compare(
        trial.published,
        journey,
        follow_up=follow_up_at(trial, journey.patient.number, seed),
        scale=trial.scale,
        until=trial.until,
        seed=seed,
        of=of,
    )
    screened = screened_for(count, trial.screening_failure, seed)
    provenance = journey.provenance.copy()
    provenance.update(version=__version__, trial=trial.name, trial_file=trial.file, patients=count, seed=seed)
    if parameters:
        provenance["parameters"] = parameters
    return TrialResult(trial, screened, journey, rows, provenance)
