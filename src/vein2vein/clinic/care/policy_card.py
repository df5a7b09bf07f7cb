"""A policy as its file says it, declared: when to give what. Doses of supportive drugs: ``criteria/dosing.toml``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Annotated, Any, cast

from vein2vein.analytes import all_analytes
from vein2vein.clinic import words
from vein2vein.clinic.criteria import edition
from vein2vein.declared import Record, Says, fields_of, number, part, text
from vein2vein.therapy import dose_limits
from vein2vein.therapy.vocabulary import (
    COSTIMULATION,
    DRUGS,
    GRADE,
    HEMOGLOBIN,
    LONGEST,
    NEUTROPHILS,
    SUPPORTIVE_DOSE,
    SUPPORTIVE_DOSES,
    SUPPORTIVE_PER_KG,
)

CRS_SCALES = tuple(one.name for one in words.crs_scales().values() if one.simulated)


def drugs() -> list[str]:
    """Drugs in mg that a policy may give; those of conditioning belong to a regimen."""
    known = all_analytes().items()
    return [name for name, one in known if one.kind == "treatment" and one.unit == "mg" and name not in DRUGS]


def dose_rules() -> list[str]:
    """Dose rules that a policy may change."""
    return list(edition("dosing").values)


def immunoglobulin_rules() -> list[str]:
    """Rules by which immunoglobulin is replaced."""
    return [str(rule["name"]) for rule in edition("immunoglobulin").rules]


def _grade(meaning: str) -> Says:
    return number(meaning, low=0, high=GRADE)


def _days(meaning: str) -> Says:
    return number(meaning, "day", 0, LONGEST)


@dataclass(frozen=True, kw_only=True)
class Marked(Record):
    """A rule with the mark of its source."""

    mark: Annotated[str, text("Mark of the source, or D for a definition of ours")] = ""
    why: Annotated[str, text("Reasoning behind it")] = ""


@dataclass(frozen=True, kw_only=True)
class Tocilizumab(Marked):
    """When tocilizumab is given."""

    from_grade: Annotated[float, _grade("CRS grade from which it is given")] | None = None
    waits: Annotated[float, _days("Days at that grade before the first dose")] | None = None
    or_grade: Annotated[float, _grade("Lower CRS grade at which it is given, too")] | None = None
    or_lasts: Annotated[float, _days("Days that this lower grade must have lasted")] | None = None
    repeat_after: Annotated[float, _days("Days after which a dose without effect is repeated")] | None = None

    def faults(self) -> Iterator[tuple[str, str]]:
        """A lower grade without its days."""
        if self.or_grade is not None and self.or_lasts is None:
            yield (
                "or_lasts",
                "missing; or_grade needs the days that it must have lasted. Add the line 'or_lasts = ...'.",
            )


@dataclass(frozen=True, kw_only=True)
class SteroidWhen(Marked):
    """When steroids are started."""

    crs_at_least: Annotated[float, _grade("CRS grade")] | None = None
    icans_at_least: Annotated[float, _grade("ICANS grade")] | None = None
    after_tocilizumab: Annotated[float, _days("Days since tocilizumab without a fall below the grade")] | None = None
    costimulation: Annotated[str, text("Only after products with this costimulation", COSTIMULATION)] = ""

    def faults(self) -> Iterator[tuple[str, str]]:
        """No grade, or two."""
        if (self.crs_at_least is None) == (self.icans_at_least is None):
            yield "crs_at_least", "expected either crs_at_least or icans_at_least; write another table for the other."


@dataclass(frozen=True, kw_only=True)
class Amount(Marked):
    """How much of a drug: per kg, never above the fixed dose where both are given."""

    treatment: Annotated[str, text("Drug", drugs)]
    mg: Annotated[float, number("Fixed or largest dose", "mg", above=0, high=SUPPORTIVE_DOSE)] | None = None
    mg_per_kg: Annotated[float, number("Dose by body weight", "mg/kg", above=0, high=SUPPORTIVE_PER_KG)] | None = None
    every: Annotated[float, number("Days between doses", "day", above=0, high=LONGEST)]
    doses: Annotated[
        float, number("Doses that are given in this time, counted together", above=0, high=SUPPORTIVE_DOSES)
    ] = 1.0

    def faults(self) -> Iterator[tuple[str, str]]:
        """No dose; tocilizumab has its own rule."""
        if self.mg is None and self.mg_per_kg is None and self.treatment != "tocilizumab":
            yield "mg", f"missing; expected a dose of {self.treatment}. Add the line 'mg = ...' or 'mg_per_kg = ...'."
        if said := refused_amount(self):
            yield "mg_per_kg" if self.mg is None else "mg", said


def amounts(one: Any, weight: float = 0.0) -> dict[tuple[str, str], float]:
    """What a dose of a card or of a policy gives, by period and unit; of a dated one, all of its doses."""
    days = getattr(one, "until_day", 0.0) - getattr(one, "from_day", 0.0)
    return dose_limits.by_schedule(one.mg, one.mg_per_kg, one.every / one.doses, days, weight)


def refused_amount(one: Any, weight: float = 0.0) -> str:
    """Why a dose of a card or of a policy cannot be, in one sentence; "" where it can."""
    possible = one.every > 0 and one.doses > 0
    return dose_limits.refused(one.treatment, amounts(one, weight)) if possible else ""


@dataclass(frozen=True, kw_only=True)
class SteroidDose(Amount):
    """Dose of a steroid by the worst grade now."""

    from_grade: Annotated[float, _grade("Worst grade from which this dose holds")]


@dataclass(frozen=True, kw_only=True)
class Dated(Amount):
    """A dose by the calendar."""

    from_day: Annotated[float, _days("First day")]
    until_day: Annotated[float, _days("Last day")]

    def faults(self) -> Iterator[tuple[str, str]]:
        """An end before its beginning; no dose."""
        if self.from_day > self.until_day:
            yield "until_day", f"found day {self.until_day:g}, expected day {self.from_day:g} or later, as from_day."
        yield from super().faults()


@dataclass(frozen=True, kw_only=True)
class Taper(Record):
    """A step of the taper."""

    until: Annotated[float, _days("Days since the last higher grade up to which it holds")]
    share: Annotated[float, number("Share of the lowest dose", low=0, high=1)]


@dataclass(frozen=True, kw_only=True)
class Steroid(Marked):
    """When steroids are given, how much, and how they end."""

    when: Annotated[tuple[SteroidWhen, ...], part("What starts them", filled=True)] | None = None
    dose: Annotated[tuple[SteroidDose, ...], part("Dose by grade", filled=True)] | None = None
    stop_at_grade: Annotated[float, _grade("Grade at which the full dose ends")] | None = None
    taper: Annotated[tuple[Taper, ...], part("Steps after that")] = ()

    def faults(self) -> Iterator[tuple[str, str]]:
        """Steps of the taper out of order: the later one would never hold."""
        for i, (one, after) in enumerate(pairwise(self.taper), 1):
            if after.until <= one.until:
                said = (
                    f"found day {after.until:g} after day {one.until:g}, expected steps of the taper in order of days."
                )
                yield f"taper.{i}.until", said


@dataclass(frozen=True, kw_only=True)
class Gcsf(Marked):
    """When G-CSF is given."""

    from_day: Annotated[float, _days("First day")] | None = None
    start_below: Annotated[float, number("Neutrophils below which it starts", "10^9/L", 0, NEUTROPHILS)] | None = None
    stop_at: Annotated[float, number("Neutrophils at which it ends", "10^9/L", 0, NEUTROPHILS)] | None = None

    def faults(self) -> Iterator[tuple[str, str]]:
        """An end below the beginning: it would end as it starts."""
        if self.start_below is not None and self.stop_at is not None and self.stop_at < self.start_below:
            yield "stop_at", f"found {self.stop_at:g}, expected at least start_below, {self.start_below:g} 10^9/L."


@dataclass(frozen=True, kw_only=True)
class Immunoglobulin(Marked):
    """When immunoglobulin is replaced."""

    rule: Annotated[str, text("Rule of replacement", immunoglobulin_rules)] = ""


@dataclass(frozen=True, kw_only=True)
class Antipyretic(Marked):
    """When antipyretics are given."""

    from_grade: Annotated[float, _grade("CRS grade from which they are given")] | None = None


@dataclass(frozen=True, kw_only=True)
class RedCells(Marked):
    """When red cells are transfused: restrictive limits are 7 to 8 g/dL (carson_2023)."""

    hemoglobin_below: Annotated[float, number("Hemoglobin of a transfusion: below", "g/dL", 0, HEMOGLOBIN)] | None = (
        None
    )
    every: Annotated[float, number("Days between transfusions", "day", above=0, high=LONGEST)] | None = None


NEEDED: Mapping[str, tuple[str, ...]] = {
    "tocilizumab": ("from_grade", "repeat_after"), "steroid": ("when", "dose", "stop_at_grade"),
    "gcsf": ("from_day", "start_below", "stop_at"), "immunoglobulin": ("rule",), "antipyretic": ("from_grade",),
    "red_cells": ("hemoglobin_below", "every"),
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class PolicyCard(Record):
    """A policy: what is given when, alone or over another one."""

    title: Annotated[str, text("The policy in words")]
    source: Annotated[str, text("Key of the source in sources.bib")]
    where: Annotated[str, text("Place in the source")]
    based_on: Annotated[str, text("Policy over which these fields are laid")] = ""
    scale: Annotated[str, text("CRS scale that it reads", CRS_SCALES)] = ""
    dosing: Annotated[
        Mapping[str, float], Says("Dose rules that differ", low=0, high=SUPPORTIVE_DOSE, names=dose_rules)
    ] = field(default_factory=dict[str, float])
    tocilizumab: Annotated[Tocilizumab, part("When tocilizumab is given")] | None = None
    steroid: Annotated[Steroid, part("When steroids are given")] | None = None
    gcsf: Annotated[Gcsf, part("When G-CSF is given")] | None = None
    immunoglobulin: Annotated[Immunoglobulin, part("When immunoglobulin is replaced")] | None = None
    antipyretic: Annotated[Antipyretic, part("When antipyretics are given")] | None = None
    red_cells: Annotated[RedCells, part("When red cells are transfused")] | None = None
    dated: Annotated[tuple[Dated, ...], part("Doses by the calendar")] | None = None

    def faults(self) -> Iterator[tuple[str, str]]:
        """A dose rule beyond its limit; what a policy that stands alone leaves open."""
        for name, value in self.dosing.items():
            if said := dose_limits.refused_rule(name, value):
                yield f"dosing.{name}", said
        for name, needed in NEEDED.items():
            given = getattr(self, name)
            for one in needed if given is not None and not self.based_on else ():
                if getattr(given, one) in (None, ""):
                    said = f"missing; a policy that is based on no other needs it. Add the line '{one} = ...'."
                    yield f"{name}.{one}", said


def given_fields(one: Record) -> dict[str, Any]:
    """What a record was given, by the names of its card: records inside as such tables, defaults left out."""
    found: dict[str, Any] = {}
    for field_ in fields_of(type(one)):
        value: object = getattr(one, field_.name)
        if value is None or value == field_.default:
            continue
        if isinstance(value, tuple):
            items = cast(tuple[object, ...], value)
            value = [given_fields(item) if isinstance(item, Record) else item for item in items]
        found[field_.label] = given_fields(value) if isinstance(value, Record) else value
    return found
