"""Line 8 of the chart: response, survival, and what the record holds once it is closed."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vein2vein import __version__
from vein2vein.clinic import words
from vein2vein.clinic.grades import monitoring
from vein2vein.clinic.grades.grades import Grades
from vein2vein.clinic.response import outcome
from vein2vein.clinic.response.attendance import as_seen, attend
from vein2vein.clinic.response.myeloma import respond_myeloma
from vein2vein.clinic.response.response import Response, respond
from vein2vein.journey.day_loop import ORGANS, Followed
from vein2vein.journey.journey import ArmFacts, Provenance
from vein2vein.models.model import named
from vein2vein.models.reference import extinction
from vein2vein.models.reference import model as reference
from vein2vein.records import described
from vein2vein.therapy.course import Course
from vein2vein.therapy.disease import Disease
from vein2vein.therapy.kinetics import Kinetics, kinetics
from vein2vein.therapy.patient import Patient
from vein2vein.therapy.product import Product
from vein2vein.therapy.visits import Plan, visit_days, windows
from vein2vein.therapy.waiting import Waiting
from vein2vein.virtual import hazards
from vein2vein.virtual.hazards import HazardConstants

Floats = NDArray[np.float64]
READOUT = {"qPCR": "transgene", "flow": "car_t_cells"}


@described
@dataclass(frozen=True)
class Closed:
    """What the record of n patients holds once it is closed: fields of a ``Journey`` of the same names."""

    course: Course
    findings: Mapping[str, Grades]
    kinetics: Kinetics
    outcome: outcome.Outcome
    response: Response
    cure_probability: Mapping[str, Floats]
    individual: Floats
    status: NDArray[np.int64]


def close(
    patient: Patient,
    product: Product,
    disease: Disease,
    plan: Plan,
    *,
    drawn: Mapping[str, Floats],
    followed: Followed,
    waited: Waiting,
    infused: NDArray[np.bool_],
    constants: HazardConstants,
    seed: int,
) -> Closed:
    """Close the record of n patients of whom some were infused and followed."""
    count, numbers, who = patient.count, patient.number, followed.rows
    due = visit_days(plan, numbers[who], seed)
    seen = respond_at(followed.course, disease, due, plan)
    death, cause = _deaths(constants, patient, followed, seen, due, drawn, seed)

    # those never infused: who dies while waiting dies then, the others live on with their disease
    left = np.where(waited.dropped, waited.drop_day, 0.0)
    later = hazards.death_after_progression(left, drawn["mpp"], numbers, seed, drawn["salvage"])
    death_day = np.where(waited.dropped & (waited.reason == "death"), left, later)
    death_cause = np.full(count, "disease", dtype=object)
    death_day[who], death_cause[who] = death, cause
    last_day = np.full(count, plan.follow_up)
    last_day[who] = np.where(followed.status == 0, plan.follow_up, np.minimum(followed.reached, plan.follow_up))

    everyone = followed.to_all
    response = Response(
        seen.edition, seen.days, seen.categories, everyone(seen.status, -1), everyone(seen.best, ""),
        everyone(seen.response_day, np.inf), everyone(seen.mrd_negative, False), everyone(seen.relapse_day, np.inf),
        everyone(seen.progression_day, np.inf), everyone(seen.relapse_antigen, ""), {},
    )  # fmt: skip
    final = outcome.assess(
        response, infused=infused, death_day=death_day, death_cause=death_cause.astype(str), last_day=last_day,
        enrolment_day=-waited.days, hsct_day=everyone(followed.transplanted, np.inf),
        lost_day=np.where(waited.dropped & (waited.reason == "progression"), left, np.inf),
    )  # fmt: skip

    # nothing is measured after death, nor after the last day that could be computed
    course = followed.course
    alive = course.days[None, :] <= np.minimum(final.death_day, final.last_day)[:, None]
    values = {name: np.where(alive, everyone(value, np.nan), np.nan) for name, value in course.values.items()}
    below = {name: alive & everyone(flags, False) for name, flags in course.below_lloq.items()}
    record = Course(numbers, course.days, values, below, course.origin)
    chances = extinction.extinction_probability(
        named(reference.MODEL.state_names, followed.state), named(reference.MODEL.parameters, followed.columns)
    )
    return Closed(
        course=record,
        findings=monitoring.grade(record, age=patient.age, weight=patient.weight, organs=ORGANS),
        kinetics=kinetics(record.at(plan.kinetics_samples), READOUT[product.readout]),
        outcome=final,
        response=response,
        cure_probability={clone: everyone(chance, np.nan) for clone, chance in chances.items()},
        individual=everyone(followed.columns, np.nan),
        status=everyone(followed.status, 0),
    )


def respond_at(course: Course, disease: Disease, due: Floats, plan: Plan) -> Response:
    """Response of virtual patients at the visits due (n, visits) and at those that overt disease brought about.

    The days of the response are all those on which anybody could be seen, so that they depend on no patient.
    """
    told = words.lineage_words(disease.lineage, disease.name)
    judged_by = told.judged_by
    seen = as_seen(course, attend(course, due, judged_by))
    first = min((np.asarray(plan.disease_visits) - windows(plan)).tolist(), default=np.inf)
    days = course.days[(course.days >= first) & (course.days > 0)]
    if judged_by == "myeloma":
        return respond_myeloma(seen, visits=days)
    return respond(seen, lineage=judged_by, visits=days, residual=told.marrow)


def _deaths(
    c: HazardConstants,
    patient: Patient,
    followed: Followed,
    seen: Response,
    due: Floats,
    drawn: Mapping[str, Floats],
    seed: int,
) -> tuple[Floats, NDArray[np.object_]]:
    """Day and cause of death of the infused: toxicity, without relapse, or after progression, whichever comes first."""
    who, days = followed.rows, followed.course.days
    numbers = patient.number[who]
    failed = ~np.isfinite(seen.response_day) & np.isin(seen.best, words.failures())
    progressed = np.minimum(seen.relapse_day, seen.progression_day)
    progressed = np.minimum(progressed, np.where(failed, due.min(axis=1, initial=np.inf), np.inf))
    background = followed.columns[:, [reference.MODEL.parameters.index("nrm_bg")]]
    grafted = hazards.transplant_hazard(c, days, followed.transplanted[:, None], background) * np.diff(
        days, prepend=0.0
    )
    cumulated = followed.hazard + np.cumsum(grafted, axis=1)
    toxicity, neurologic = words.usual_crs(), words.usual_neurologic()  # whose grade 4 may be fatal
    found = monitoring.grade(
        followed.course, age=patient.age[who], weight=patient.weight[who], scales=(toxicity, neurologic)
    )
    crs, icans = found[toxicity].grade, found[neurologic].grade
    by_toxicity, of_toxicity = hazards.toxicity_deaths(c, days, crs, icans, numbers, seed)
    without = hazards.crossing_day(days, cumulated, hazards.clock(seed, "without relapse", numbers))
    after = hazards.death_after_progression(progressed, drawn["mpp"][who], numbers, seed, drawn["salvage"][who])
    ways = np.stack([by_toxicity, without, after])
    named_ways = [of_toxicity, np.full(len(who), "without relapse"), np.full(len(who), "progression")]
    causes = np.stack([cause.astype(object) for cause in named_ways])
    return ways.min(axis=0), causes[ways.argmin(axis=0), np.arange(len(who))]


def provenance(
    facts: ArmFacts, policy: str, constants: str, ended: Closed, *, seed: int, backend: str, tolerance: float
) -> Provenance:
    """What it takes to get the same figures again; ``constants``: name of their set.

    ``ended`` is what ``close`` returned.
    """
    return {
        "version": __version__,
        "model": reference.MODEL.name,
        "parameter_sets": [*facts.parameters.history, *([constants] if constants else [])],
        "product": facts.product.name,
        "disease": facts.disease.name,
        "policy": policy,
        "criteria": sorted({one.edition for one in ended.findings.values()} | {ended.response.edition}),
        "seed": seed,
        "backend": backend,
        "tolerance": tolerance,
        "numpy": np.__version__,
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    }
