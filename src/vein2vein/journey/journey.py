"""The record of a journey, and the arms in it.

What is a matter of the cards (product, disease, the model's numbers) belongs to an arm. A journey holds the facts of
each of its arms once and, for each patient, which arm it is: what is read downstream is read by arm or by patient, so
that nobody is judged by the card of another arm.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple, NotRequired, TypedDict, TypeVar

import numpy as np
from numpy.typing import NDArray

from vein2vein.clinic.care.eligibility import NOT_ASKED, Eligibility
from vein2vein.clinic.grades.grades import Grades
from vein2vein.clinic.response.outcome import Outcome
from vein2vein.clinic.response.response import Response
from vein2vein.errors import InputError
from vein2vein.parameters import ParameterSet
from vein2vein.records import Rows, by_patient, described, join, take
from vein2vein.therapy.conditioning import Conditioning
from vein2vein.therapy.course import Course
from vein2vein.therapy.disease import Disease
from vein2vein.therapy.engineering import TransducedCells
from vein2vein.therapy.infusion import Infusion
from vein2vein.therapy.kinetics import Kinetics
from vein2vein.therapy.leukapheresis import Apheresis
from vein2vein.therapy.patient import Patient
from vein2vein.therapy.product import Product
from vein2vein.therapy.release import Lot
from vein2vein.therapy.visits import Plan
from vein2vein.therapy.waiting import Waiting

Floats = NDArray[np.float64]
Card = TypeVar("Card")
NOT_ASSESSED = -1  # of a visit


class Provenance(TypedDict):
    """What it takes to get the same figures again; the last four are of a trial or a command."""

    version: str
    model: str
    parameter_sets: list[str]
    product: str
    disease: str
    policy: str
    criteria: list[str]
    seed: int
    backend: str
    tolerance: float
    numpy: str
    date: NotRequired[str]
    trial: NotRequired[str]
    trial_file: NotRequired[str]
    patients: NotRequired[int]
    parameters: NotRequired[str]


@described
@dataclass(frozen=True)
class ArmFacts:
    """What is the same for all patients of an arm, and not for those of another.

    Attributes
    ----------
    name : str
        "" outside of trials with arms.
    product : Product
    disease : Disease
    parameters : ParameterSet
        The model's numbers with the cards and overlays laid over them.
    analyte : str
        By which the cells are followed: ``transgene`` (copies/ug) or ``car_t_cells`` (cells/uL).
    response_edition : str
        Criteria of response.
    categories : tuple of str
        Responses that these criteria know, worst first.
    regimen, regimen_title : str
        Lymphodepletion.
    comparator : str
        Standard care that was given in place of cells; "" where cells were.
    """

    name: str
    product: Product
    disease: Disease
    parameters: ParameterSet
    analyte: str
    response_edition: str
    categories: tuple[str, ...]
    regimen: str
    regimen_title: str
    comparator: str = ""


class ArmRows(NamedTuple):
    """An arm of a journey: its name, the positions of its patients in every array (n,), and its facts."""

    arm: str
    rows: NDArray[np.intp]
    facts: ArmFacts


@by_patient(none=("plan", "arms", "status_text", "notes", "provenance"))
@dataclass(frozen=True)
class Journey:
    """What happened to each patient, from enrolment to the end of follow-up. Arrays have shape (n,) or (n, days).

    Attributes
    ----------
    patient : Patient
    eligibility : record
        Label criteria, each met, not met or unknown (-2: another arm's).
    apheresis, cells, lot, waiting, conditioning, infusion : records
        One for each step of manufacturing and preparation.
    infused : ndarray of bool
    not_infused_reason : ndarray of str
        "" for the infused, else manufacturing failure, death, adverse event, progression or standard care.
    enrolment_day : ndarray
        Negative: days before the infusion (planned, for those never infused).
    plan : Plan
    course : Course
        Measured values, signs, supports and treatments as the ward saw them; empty after death.
    findings : mapping of str to Grades
    kinetics : Kinetics
        Of the samples of the plan.
    outcome : Outcome
    response : Response
        What the disease visits showed.
    cure_probability : mapping of clone to ndarray
        Probability that the clone is extinct at the end, whatever this patient's luck was.
    individual : ndarray, shape (n, parameters)
        Each patient's own values of the reference model's parameters, in the order of ``MODEL.parameters``.
    status : ndarray of int
        Of the integration; 0 is well.
    status_text : mapping of int to str
    arms : tuple of ArmFacts
        Cards and numbers of each arm; one where all patients are treated alike.
    arm : ndarray of int
        Position in ``arms`` of each patient's own.
    provenance : mapping
    notes : tuple of str
        What the steps assumed, clipped or could not represent.
    standard_care : mapping of event to ndarray
        Of patients of a comparator arm: days from randomization to EFS, PFS and OS events as far as published (inf:
        none), and ``crossover`` (1: given CAR-T cells later); NaN for those given cells. Empty without such an arm.
    """

    patient: Patient
    eligibility: Eligibility
    apheresis: Apheresis
    cells: TransducedCells
    lot: Lot
    waiting: Waiting
    conditioning: Conditioning
    infusion: Infusion
    infused: NDArray[np.bool_]
    not_infused_reason: NDArray[np.str_]
    enrolment_day: Floats
    plan: Plan
    course: Course
    findings: Mapping[str, Grades]
    kinetics: Kinetics
    outcome: Outcome
    response: Response
    cure_probability: Mapping[str, Floats]
    individual: Floats
    status: NDArray[np.int64]
    status_text: Mapping[int, str]
    arms: tuple[ArmFacts, ...]
    arm: NDArray[np.intp]
    provenance: Provenance
    notes: tuple[str, ...] = ()
    standard_care: Mapping[str, Floats] = field(default_factory=dict[str, Floats])

    @property
    def count(self) -> int:
        """How many patients were enrolled."""
        return self.patient.count

    def infused_rows(self) -> NDArray[np.intp]:
        """Positions of those who were infused, among all who were enrolled."""
        return np.flatnonzero(self.infused)

    @property
    def product(self) -> Product:
        """The product, where all arms have the same one."""
        return _only(self.arms, "product", lambda facts: facts.product, lambda product: product.name)

    @property
    def disease(self) -> Disease:
        """The disease, where all arms have the same one."""
        return _only(self.arms, "disease", lambda facts: facts.disease, lambda disease: disease.name)

    @property
    def parameters(self) -> ParameterSet:
        """The model's numbers, where all arms have the same ones."""
        return _only(
            self.arms, "set of numbers", lambda facts: facts.parameters, lambda numbers: " over ".join(numbers.history)
        )


def _only(arms: Sequence[ArmFacts], what: str, of: Callable[[ArmFacts], Card], named: Callable[[Card], str]) -> Card:
    names = list(dict.fromkeys(named(of(facts)) for facts in arms))
    if len(names) > 1:
        raise InputError(
            f"found {' and '.join(names)} in one journey, expected one {what}: the arms differ in it; "
            "read it by arm, from by_arm(journey)."
        )
    return of(arms[0])


# Arms


def by_arm(journey: Journey) -> tuple[ArmRows, ...]:
    """The arms of a journey that hold patients, in the order of the trial: name, rows and facts of each.

    A journey without arms is one arm of the name "".
    """
    found = ((facts, np.flatnonzero(journey.arm == place)) for place, facts in enumerate(journey.arms))
    return tuple(ArmRows(facts.name, rows, facts) for facts, rows in found if rows.size)


def per_patient(journey: Journey, of: Callable[[ArmFacts], float]) -> Floats:
    """A number of each patient's own arm, shape (n,)."""
    return np.array([of(facts) for facts in journey.arms], dtype=np.float64)[journey.arm]


def given_standard_care(journey: Journey) -> NDArray[np.bool_]:
    """Patients of comparator arms, shape (n,)."""
    return np.array([bool(facts.comparator) for facts in journey.arms], dtype=np.bool_)[journey.arm]


def followed_by(journey: Journey, analyte: str) -> NDArray[np.bool_]:
    """Patients whose cells are followed by an analyte, shape (n,)."""
    return np.array([facts.analyte == analyte for facts in journey.arms], dtype=np.bool_)[journey.arm]


def some_patients(journey: Journey, rows: Rows) -> Journey:
    """The journey of some of its patients, by position or mask; arms that none of them is in are left out."""
    found = take(journey, rows)
    held = np.unique(found.arm)
    arms = tuple(facts for place, facts in enumerate(journey.arms) if place in held)
    return replace(found, arms=arms, arm=np.searchsorted(held, found.arm), **_of_arms(found, arms))


def join_journeys(journeys: Sequence[Journey], order: NDArray[np.intp]) -> Journey:
    """One journey of all patients of some journeys.

    Parameters
    ----------
    journeys : sequence of Journey
        On one plan of visits; each keeps its arms.
    order : ndarray of int, shape (n,)
        The patients' order: positions in the journeys laid end to end.
    """
    if len(journeys) == 1:
        return take(journeys[0], order)
    counts = [journey.count for journey in journeys]
    first = np.cumsum([0, *(len(journey.arms) for journey in journeys)])
    criteria = tuple(dict.fromkeys(text for journey in journeys for text in journey.eligibility.criteria))
    known = tuple(dict.fromkeys(name for journey in journeys for name in journey.response.categories))
    alike = [
        replace(
            journey,
            arm=journey.arm + at,
            eligibility=_asked(journey.eligibility, criteria, journeys),
            response=in_codes(journey.response, known),
        )
        for journey, at in zip(journeys, first)
    ]
    return join(
        alike,
        counts,
        order,
        arms=tuple(facts for journey in journeys for facts in journey.arms),
        notes=tuple(dict.fromkeys(note for journey in journeys for note in journey.notes)),
        provenance=join_provenance([journey.provenance for journey in journeys]),
    )


def in_codes(response: Response, categories: tuple[str, ...]) -> Response:
    """A response whose visits are coded by other categories, which hold its own."""
    if response.categories == categories:
        return response
    codes = np.array([*(categories.index(name) for name in response.categories), NOT_ASSESSED], dtype=np.int8)
    return replace(response, categories=categories, status=codes[response.status])


def join_provenance(given: Sequence[Provenance]) -> Provenance:
    """What it takes to get the figures of some runs again: those of the first, with the cards and criteria of all."""
    found = given[0].copy()
    found["product"] = ", ".join(sorted({name for one in given for name in one["product"].split(", ")}))
    found["disease"] = ", ".join(sorted({name for one in given for name in one["disease"].split(", ")}))
    found["parameter_sets"] = list(dict.fromkeys(name for one in given for name in one["parameter_sets"]))
    found["criteria"] = sorted({name for one in given for name in one["criteria"]})
    return found


def _asked(found: Eligibility, criteria: tuple[str, ...], journeys: Sequence[Journey]) -> Eligibility:
    """Eligibility with a column for each criterion of any arm."""
    told: dict[str, tuple[str, str]] = {}
    for journey in journeys:
        own = journey.eligibility
        told |= dict(zip(own.criteria, zip(own.reads, own.marks, strict=True), strict=True))
    met = np.full((len(found.met), len(criteria)), NOT_ASKED, dtype=np.int8)
    met[:, [criteria.index(text) for text in found.criteria]] = found.met
    reads, marks = (tuple(told[text][i] for text in criteria) for i in range(2))
    return Eligibility(criteria, met, found.eligible, reads, marks)


class _OfArms(TypedDict):
    conditioning: Conditioning
    kinetics: Kinetics
    response: Response


def _of_arms(journey: Journey, arms: Sequence[ArmFacts]) -> _OfArms:
    """What is said of all patients in records, once only these arms are left."""

    def listed(of: Callable[[ArmFacts], str]) -> str:
        return " and ".join(sorted({of(facts) for facts in arms}))

    known = tuple(dict.fromkeys(name for facts in arms for name in facts.categories))
    codes = {name: code for code, name in enumerate(known)}
    own = np.array([*(codes.get(name, NOT_ASSESSED) for name in journey.response.categories), NOT_ASSESSED], np.int8)
    return {
        "conditioning": replace(
            journey.conditioning, regimen=listed(lambda a: a.regimen), title=listed(lambda a: a.regimen_title)
        ),
        "kinetics": replace(journey.kinetics, analyte=listed(lambda a: a.analyte)),
        "response": replace(
            journey.response, edition=listed(lambda a: a.response_edition), categories=known,
            status=own[journey.response.status],
        ),
    }  # fmt: skip
