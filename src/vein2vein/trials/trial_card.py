"""A trial file as it is written, declared: who was enrolled, what was done, what was published.

What its parts say together is checked by ``design``, ``published`` and ``checks``.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, make_dataclass
from functools import cache
from typing import Annotated, Any

from vein2vein import analytes
from vein2vein.card_reading import read
from vein2vein.cards import Card
from vein2vein.clinic.response.outcome import NEVER_INFUSED
from vein2vein.clinic.words import responses, simulated_scales
from vein2vein.declared import Form, Noted, Record, Says, Words, flag, formed, listed, number, part, text, unsourced
from vein2vein.therapy.disease import FACTS
from vein2vein.therapy.laws import Law, laws_form
from vein2vein.therapy.product import Regimen
from vein2vein.therapy.visits import Visits
from vein2vein.trials.endpoints.measures import ENDPOINTS, SETS
from vein2vein.trials.endpoints.toxicity import DEVICES
from vein2vein.virtual.assay import ASSAYS, Assay

SCALES = simulated_scales()
REASONS = ("manufacturing failure", "death", "adverse event", "progression", "not eligible")
RESPONSES = tuple(responses())
GEOMETRIC_CV = "geometric cv"  # sqrt(exp(variance of ln) - 1), in %
STATISTICS = ("median", "mean", "geometric mean", GEOMETRIC_CV, "maximum", "ratio")
BY_INTERVAL = "published interval"
TOLERANCES = ("points", "log10", "days", "percent of value", "patients", BY_INTERVAL)
FARTHEST = {"points": 30.0, "log10": 1.0, "days": 30.0, "percent of value": 100.0}
"""Largest tolerance of a kind: beyond it nearly any simulated number would count as close to the published one."""
LONGEST = 7305.0  # limit of a time in a trial file: 20 years in days
MOST = 1e6  # limit of a number of patients in a trial file
HIGHEST_GRADE = 5
BURDEN_UNITS = ("e6/kg", "mL", "cm2")
SUBGROUPS = {
    name: (f"{name}_from", f"{name}_{end}")
    for name, end in (("weight", "to"), ("blasts", "below"), ("age", "to"), ("lines", "to"), ("burden", "to"))
}
"""Limits of the patients of a row: what is limited -> its lower and its upper limit."""
YEARS = (2010, 2100)  # limits of a year of manufacture
CYTOPENIAS = ("neutropenia", "thrombocytopenia")
WAITS = ("vein_to_vein", "bridging_share", "screening_failure")
OWN_WAITS = ("vein_to_vein", "bridging_share")  # of an arm
COHORTS, RANDOMIZED = "cohorts", "randomized"

# unit as published -> unit of endpoints that is meant
UNITS = {
    "%": "%", "patients": "patients", "years": "year", "months": "month", "days": "day", "kg": "kg", "lines": "1",
    "ratio": "1", "fold": "1", "fraction": "1", "hazard ratio": "1", "1/day": "1/day", "CAR+ cells": "cells",
    "CAR+ viable T cells": "cells", "CAR+ cells/kg": "cells/kg", "CAR+ viable T cells/kg": "cells/kg",
    "copies/ug gDNA": "copies/ug", "day*copies/ug gDNA": "day*copies/ug", "cells/uL": "cells/uL",
    "day*cells/uL": "day*cells/uL", "mg/m2/day": "mg/m2/day", "mg*h/L": "mg*h/L",
}  # fmt: skip


def drugs() -> list[str]:
    """What may be given, by name."""
    return [name for name, one in analytes.all_analytes().items() if one.kind == "treatment"]


def _day(meaning: str) -> Says:
    return number(meaning, "day", 0, LONGEST)


def _patients(meaning: str, least: float = 0) -> Says:
    return number(meaning, None, least, MOST)


def _some(meaning: str, each: str, choices: Words, example: str) -> Says:
    """A list of one at least, of closed words."""
    return listed(meaning, f'{each}s such as ["{example}"]', choices=choices, filled=True, each=each)


@dataclass(frozen=True, kw_only=True)
class TrialFacts(Record):
    """What the trial is, and how patients are treated."""

    name: Annotated[str, text("Short name")]
    title: Annotated[str, text("Title")]
    published_as: Annotated[str, text("Name in the publications")] = ""
    registry: Annotated[str, text("Number in a registry")] = ""
    phase: Annotated[str, text("Phase")] = ""
    source: Annotated[str, text("Key of the source in sources.bib")] = ""
    disease: Annotated[str, text("Disease card: a name, or the path of a card of one's own")]
    product: Annotated[str, text("Product card: a name, or the path of a card of one's own")]
    dose: Annotated[str, text('Dose in place of the product\'s rule, such as "3.1e6/kg" or "1e8 cells"')] = ""
    conditioning: Annotated[str, text("Lymphodepletion in place of the product's usual one")] = ""
    policy: Annotated[str, text("Treatment policy: a name, or the path of one's own")]
    allocation: Annotated[str, text("How patients come to their arm", (COHORTS, RANDOMIZED))] = COHORTS
    antigen_selected: Annotated[bool, flag("Only patients whose tumor carries the antigens were enrolled")] = True
    absent_target: Annotated[bool, flag("Meant so: the tumor lacks what the product sees, which kills nothing")] = False
    year: (
        Annotated[int, number("Year of manufacture, whose published failures hold", None, YEARS[0], YEARS[1])] | None
    ) = None

    def faults(self) -> Iterator[tuple[str, str]]:
        """An unknown source."""
        yield from unsourced("", self.source, "")


@dataclass(frozen=True, kw_only=True)
class Size(Noted):
    """How many patients."""

    patients: Annotated[int, _patients("Virtual patients to enroll when nothing else is asked for", 1)] = 1
    enrolled: Annotated[int, _patients("Enrolled in the published trial")] = 0
    infused: Annotated[int, _patients("Infused in the published trial")] = 0

    def faults(self) -> Iterator[tuple[str, str]]:
        """More infused than enrolled."""
        if self.infused > self.enrolled:
            yield "infused", f"found {self.infused}, expected at most the {self.enrolled} who were enrolled."
        yield from super().faults()


@dataclass(frozen=True, kw_only=True)
class Transplant(Noted):
    """Transplantation in remission."""

    share: Annotated[float, number("Share of remissions that are transplanted", low=0, high=1)]
    first_day: Annotated[float, _day("First day")]
    last_day: Annotated[float, _day("Last day")]

    def faults(self) -> Iterator[tuple[str, str]]:
        """An end before its beginning."""
        if self.last_day < self.first_day:
            yield "last_day", f"found day {self.last_day:g}, expected day {self.first_day:g} or later, as first_day."
        yield from super().faults()


@dataclass(frozen=True, kw_only=True)
class Enrollment(Noted):
    """Enrollment over time."""

    accrual: Annotated[float, _day("Days from the first to the last infusion")] = 0.0


@dataclass(frozen=True, kw_only=True)
class Cutoff(Noted):
    """A data cut-off."""

    follow_up: Annotated[float, number("Median follow-up at it", "day", 1, LONGEST)]


@dataclass(frozen=True, kw_only=True)
class ArmCard(Noted):
    """An arm: what it leaves out is as in [trial]."""

    name: Annotated[str, text("Short name")]
    title: Annotated[str, text("Title")] = ""
    size: Annotated[int, _patients("Patients of the published trial", 1)]
    disease: Annotated[str, text("Disease card")] = ""
    product: Annotated[str, text("Product card")] = ""
    dose: Annotated[str, text("Dose")] = ""
    conditioning: Annotated[str, text("Lymphodepletion")] = ""
    policy: Annotated[str, text("Treatment policy")] = ""
    comparator: Annotated[str, text("Standard care in place of cells: a comparator's name, or the path of a card")] = ""
    population: Annotated[dict[str, Law], formed("Laws of this arm", laws_form(FACTS))] = field(
        default_factory=dict[str, Law]
    )
    waiting: Annotated[dict[str, Law], formed("Laws of the time before infusion", laws_form(OWN_WAITS))] = field(
        default_factory=dict[str, Law]
    )


# Published numbers


@dataclass(frozen=True, kw_only=True)
class Arguments(Record):
    """Arguments of endpoints by name; those that are numbers of another kind are added by ``with_arguments``."""

    event: Annotated[str, text("What ends the time", ("OS", "EFS", "PFS", "RFS", "DOR"))] = ""
    clock: Annotated[str, text("Day from which time is counted", ("infusion", "enrolment"))] = ""
    never_infused: Annotated[str, text("What no infusion means for EFS from enrollment", NEVER_INFUSED)] = ""
    device: Annotated[str, text("Oxygen device", DEVICES)] = ""
    antigen: Annotated[str, text("Antigen of the relapse", ("any", "positive", "negative"))] = ""
    line: Annotated[str, text("Blood line", ("neutrophils", "platelets"))] = ""
    against: Annotated[str, text("Arm to which the others are compared")] = ""
    reasons: Annotated[tuple[str, ...], _some("Reasons", "reason", REASONS, "death")] | None = None
    responses: Annotated[tuple[str, ...], _some("Responses that count", "response", RESPONSES, "CR")] | None = None
    treatments: Annotated[tuple[str, ...], _some("Drugs", "treatment", drugs, "tocilizumab")] | None = None
    lines: Annotated[tuple[str, ...], _some("Cytopenias", "line", CYTOPENIAS, "neutropenia")] | None = None
    before_transplant: Annotated[bool, flag("Only before a transplantation")] | None = None
    censor_transplant: Annotated[bool, flag("Follow-up ends at a transplantation")] | None = None
    severe: Annotated[bool, flag("Only what is severe")] | None = None
    day: Annotated[float, _day("Day")] | None = None
    within: Annotated[float, _day("Days within which it counts")] | None = None
    landmark: Annotated[float, _day("Landmark")] | None = None
    response_by: Annotated[float, _day("Day up to which a response counts")] | None = None
    from_day: Annotated[float, _day("First day that counts")] | None = None
    grade: Annotated[int, number("Lowest grade that counts", low=1, high=HIGHEST_GRADE)] | None = None


ARGUMENTS = ("scale", "until", *Arguments.__dataclass_fields__)


@dataclass(frozen=True, kw_only=True)
class RowCard(Arguments):
    """A published number and the endpoint that computes the same."""

    scale: Annotated[str, text("Scale of cytokine release syndrome", SCALES)] = ""
    until: Annotated[float, _day("Last day that counts")] | None = None
    trial: Annotated[str, text("Trial in the publication")] = ""
    arm: Annotated[str, text("Arm in the publication")] = ""
    quantity: Annotated[str, text("What was published")]
    definition: Annotated[str, text("How it was defined")] = ""
    value: Annotated[float, number("The published number")]
    lo95: Annotated[float, number("Lower end of its 95 % interval")] | None = None
    hi95: Annotated[float, number("Upper end of its 95 % interval")] | None = None
    spread: Annotated[str, text("Range, quartiles or coefficient of variation, in words")] = ""
    n: Annotated[int, _patients("Patients behind the number", 1)] | None = None
    unit: Annotated[str, text("Unit as published", tuple(UNITS))]
    source: Annotated[str, text("Key of the source in sources.bib")] = ""
    where: Annotated[str, text("Place in the source")] = ""
    confidence: Annotated[str, text("Read in the source, or recalled", ("read", "memory"))]
    kind: Annotated[str, text("An outcome, or an input of the trial", ("outcome", "design"))] = "outcome"
    endpoint: Annotated[str, text("Endpoint that computes the same", tuple(ENDPOINTS))] = ""
    among: Annotated[str, text("Denominator", tuple(SETS))] = "infused"
    draw: Annotated[int, _patients("Patients of the set in a trial of the published size", 1)] | None = None
    statistic: Annotated[str, text("How a number is summed up", STATISTICS)] = "median"
    time: Annotated[float, _day("Day at which a survival curve is read")] | None = None
    cutoff: Annotated[str, text("Data cut-off that ends follow-up")] = ""
    weight_from: Annotated[float, number("Least body weight that counts", "kg", low=0)] = 0.0
    weight_to: Annotated[float, number("Largest body weight that counts", "kg", low=0)] = float("inf")
    reason: Annotated[str, text("Why there is no endpoint")] = ""
    arms: Annotated[tuple[str, ...], listed("Arms that count", 'arms such as ["low"]')] = ()
    blasts_from: Annotated[float, number("Least blasts in marrow that count", "%", low=0)] = 0.0
    blasts_below: Annotated[float, number("Blasts in marrow from which it does not count", "%", low=0)] = float("inf")
    age_from: Annotated[float, number("Least age that counts, completed years", "year", low=0)] = 0.0
    age_to: Annotated[float, number("Largest age that counts, completed years", "year", low=0)] = float("inf")
    lines_from: Annotated[float, number("Fewest earlier lines of therapy that count", low=0)] = 0.0
    lines_to: Annotated[float, number("Most earlier lines of therapy that count", low=0)] = float("inf")
    burden_from: Annotated[float, number("Least tumor before lymphodepletion that counts", low=0)] = 0.0
    burden_to: Annotated[float, number("Largest tumor before lymphodepletion that counts", low=0)] = float("inf")
    burden_unit: Annotated[str, text("Unit of these: cells, volume, or sum of products", BURDEN_UNITS)] = "e6/kg"
    tolerance: Annotated[float, number("How far the simulated median may be from the value", above=0)] | None = None
    tolerance_kind: Annotated[str, text("What the tolerance is counted in", TOLERANCES)] = ""

    def faults(self) -> Iterator[tuple[str, str]]:
        """An interval that does not hold the value, limits between which nobody is, an unknown source."""
        low = self.lo95 if self.lo95 is not None else -float("inf")
        high = self.hi95 if self.hi95 is not None else float("inf")
        if low > high:
            yield "lo95", f"found {low:g} above hi95 {high:g}, expected lo95 <= hi95."
        if not low <= self.value <= high:
            yield "lo95", f"found {low:g} to {high:g}, which does not hold the value {self.value:g}."
        for name, (lower, upper) in SUBGROUPS.items():
            least, most = getattr(self, lower), getattr(self, upper)
            if least > most or (least == most and name in ("weight", "blasts")):
                yield upper, f"found {lower} {least:g} and {upper} {most:g}; nobody lies between them."
        yield from unsourced("", self.source, "")


@dataclass(frozen=True, kw_only=True)
class EndpointsCard(Noted, Arguments):
    """Arguments that endpoints take where a row gives none."""

    scale: Annotated[str, text("The trial's scale of cytokine release syndrome", SCALES)]
    until: Annotated[float, number("Last day of the safety analyses", "day", 1, LONGEST)]


_LIMITS = {  # of endpoints, beyond which nobody or everybody would count: (meaning, unit, low, high)
    "lowest": ("Share of the patients, those with the lowest exposures", None, 0, 1),
    "highest": ("Share of the patients, those with the highest tumor burden", None, 0, 1),
    "least_fit": ("Lowest adjusted coefficient of determination that counts", None, 0, 1),
    "saturation": ("Oxygen saturation below which it counts", "%", 0, 100),
    "temperature": ("Temperature from which it counts", "degC", 35, 43),
}


def with_arguments(kind: type[Arguments]) -> type[Any]:
    """A record with every argument of every endpoint: what ``Arguments`` does not name is a number."""
    named = {one.name for one in fields(kind)}
    more: list[Any] = []
    for name in sorted({name for endpoint in ENDPOINTS for name in arguments_of(endpoint)} - named):
        usual = f"Limit of the endpoint ({name.replace('_', ' ')})", None, 0, float("inf")
        hint: Any = Annotated[float, number(*_LIMITS.get(name, usual))]
        more.append((name, hint | None, None))
    return make_dataclass(kind.__name__, more, bases=(kind,), frozen=True, kw_only=True)


def arguments_of(endpoint: str) -> list[str]:
    """Arguments that an endpoint takes from the trial file, by name."""
    if not endpoint:
        return []
    return [p.name for p in inspect.signature(ENDPOINTS[endpoint].read).parameters.values() if p.kind is p.KEYWORD_ONLY]


@cache
def row_card() -> type[Any]:
    """The record of a row [[published]]."""
    return with_arguments(RowCard)


@cache
def endpoints_card() -> type[Any]:
    """The record of the table [endpoints]."""
    return with_arguments(EndpointsCard)


# The whole


def read_regimens(card: Card, path: tuple[str, ...]) -> dict[str, Regimen]:
    """Lymphodepletion that a trial file describes itself: [regimens.<name>]."""
    found = {name: read(card, Regimen, *path, name, given={"name": name}) for name in card.table(*path)}
    for name, regimen in found.items():
        if name == "none" or not regimen.drugs:
            said = "found no drugs" if name != "none" else "found 'none'"
            raise card.error((*path, name), f'{said}; write conditioning = "none" for no lymphodepletion.')
    return found


_REGIMENS = Form(read=read_regimens, kinds=lambda: {"": Regimen}, each=True, given=("name",))


@dataclass(frozen=True, kw_only=True)
class TrialTables(Record):
    """The tables of a trial file; [endpoints] and [[published]] are added by ``trial_card``."""

    trial: Annotated[TrialFacts, part("What the trial is")]
    size: Annotated[Size, part("How many patients")] = field(default_factory=Size)
    population: Annotated[dict[str, Law], formed("Laws of who is enrolled", laws_form(FACTS))] = field(
        default_factory=dict[str, Law]
    )
    waiting: Annotated[dict[str, Law], formed("Laws of the time before infusion", laws_form(WAITS))] = field(
        default_factory=dict[str, Law]
    )
    transplant: Annotated[Transplant, part("Transplantation in remission")] | None = None
    visits: Annotated[Visits, part("When patients are seen")] = field(default_factory=Visits)
    enrollment: Annotated[Enrollment, part("Enrollment over time")] = field(default_factory=Enrollment)
    cutoffs: Annotated[Mapping[str, Cutoff], part("Data cut-offs, each under its name")] = field(
        default_factory=dict[str, Cutoff]
    )
    assay: Annotated[dict[str, Assay], formed("Assays of the trial, by analyte", ASSAYS)] = field(
        default_factory=dict[str, Assay]
    )
    arms: Annotated[tuple[ArmCard, ...], part("Arms", filled=True)] | None = None
    regimens: Annotated[dict[str, Regimen], formed("Lymphodepletion of the trial's own", _REGIMENS)] = field(
        default_factory=dict[str, Regimen]
    )


@cache
def trial_card() -> type[Any]:
    """The record of a trial file."""
    endpoints, rows = endpoints_card(), row_card()
    none: tuple[Any, ...] = ()
    tables: list[Any] = [
        ("endpoints", Annotated[endpoints, part("Arguments that endpoints take where a row gives none")]),
        ("published", Annotated[tuple[rows, ...], part("Published numbers")], none),
    ]
    return make_dataclass("TrialCard", tables, bases=(TrialTables,), frozen=True, kw_only=True)
