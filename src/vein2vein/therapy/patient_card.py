"""The card of one patient, declared: facts and days with their ranges (patient_fields.toml), and what is measured."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, make_dataclass
from functools import cache
from typing import Annotated, Any

from vein2vein.analytes import all_analytes
from vein2vein.cards import Card, bundled_card
from vein2vein.declared import Record, flag, number, part, text
from vein2vein.therapy import vocabulary as words
from vein2vein.therapy.family import FamilyPage
from vein2vein.therapy.history import History
from vein2vein.therapy.referral import Referral
from vein2vein.therapy.scenario import Scenario


def ranges() -> Card:
    """Ranges of plausibility for data entry."""
    return bundled_card("therapy/patient_fields.toml")


def titles(part: str) -> dict[str, Any]:
    """Facts or days by name, with title, unit and ranges."""
    return dict(ranges().table(part))


def constant(name: str) -> float:
    """A constant of patient_fields.toml."""
    return float(ranges().number("constants", name, "value"))


def limits_of(name: str) -> tuple[float, float]:
    """Lowest and highest value that a fact of a patient may have, in its unit; infinite where no limit is known."""
    low, high = (float(ranges().get("fields", name, end, default=float("nan"))) for end in ("low", "high"))
    return (low if low == low else float("-inf")), (high if high == high else float("inf"))


def patient_name(card: Card) -> str:
    """What the card calls the patient, "" where it does not say."""
    name = card.string("name", default="")
    if said := _name_fault(name):
        raise card.error(("name",), said)
    return name


def _name_fault(name: str) -> str:
    longest = int(constant("name_longest"))
    if len(name) <= longest and (name.isprintable() or not name):
        return ""
    return f"found {name[:longest]!r}; expected a name of at most {longest} printable characters."


@dataclass(frozen=True, kw_only=True)
class PatientFacts(Record):
    """What every card of a patient may say; facts with a range (patient_fields.toml) are added by ``patient_card``."""

    name: Annotated[str, text("What the patient is called here; no birth date, no number of an insurance")] = ""
    disease: Annotated[str, text("Disease card: a name, or the path of a card of one's own")]
    sex: Annotated[str, text("Sex", ("male", "female"))] = ""
    prior_hsct: Annotated[bool, flag("Had an allogeneic transplantation")] | None = None
    prior_blinatumomab: Annotated[bool, flag("Had blinatumomab")] | None = None
    prior_bcma: Annotated[bool, flag("Had treatment directed against BCMA")] | None = None
    kmt2a: Annotated[bool, flag("KMT2A rearranged")] | None = None
    recent_anti_cd20: Annotated[bool, flag("Had an anti-CD20 antibody within six months")] | None = None
    fitness_prior: Annotated[bool, flag("Had clofarabine or bendamustine within six months")] | None = None
    antigens: Annotated[
        Mapping[str, Any],
        part('Antigens on the tumor: molecules per cell, "positive" or "negative"', names=words.ANTIGENS),
    ] = field(default_factory=dict)
    last_given: Annotated[Mapping[str, Any], part("Days from the last dose of a drug to leukapheresis")] = field(
        default_factory=dict
    )
    history: Annotated[History, part("The disease so far, as vein2vein eligible asks", "relapses = 2")] | None = None
    explain: Annotated[FamilyPage, part("For vein2vein explain: the product and the day of the plan")] | None = None
    referral: Annotated[Referral, part("For vein2vein refer: who helps, what was done, which records are there")] | (
        None
    ) = None
    scenario: (
        Annotated[Scenario, part("What is given, as vein2vein simulate reads it", 'product = "tisagenlecleucel"')]
        | None
    ) = None

    def faults(self) -> Iterator[tuple[str, str]]:
        """A name that no page can show."""
        if said := _name_fault(self.name):
            yield "name", said


@dataclass(frozen=True, kw_only=True)
class PatientDays(Record):
    """Known days before the infusion; their ranges (patient_fields.toml) are added by ``patient_card``."""

    def faults(self) -> Iterator[tuple[str, str]]:
        """Lymphodepletion that does not follow leukapheresis."""
        collected, first = getattr(self, "leukapheresis", None), getattr(self, "lymphodepletion", None)
        if collected is not None and first is not None and collected >= first:
            said = (
                f"found day {first:g}, not after leukapheresis on day {collected:g}; "
                "expected leukapheresis < lymphodepletion < 0 (infusion is day 0)."
            )
            yield "lymphodepletion", said


@cache
def patient_card(may_lack: frozenset[str] = frozenset()) -> type[Any]:
    """The record of a patient's card: ``PatientFacts`` and every fact, day and analyte that has a range.

    Parameters
    ----------
    may_lack : frozenset of str
        Facts that the model needs and the reader of this card does without.
    """
    ranges = {name: _ranged(titles(name), may_lack) for name in ("fields", "days")}
    measured = [
        (name, _may_lack(Annotated[float, number(one.title, one.unit, one.low, one.high)]), None)
        for name, one in all_analytes().items()
        if one.kind != "treatment"
    ]
    days = make_dataclass("Days", ranges["days"], bases=(PatientDays,), frozen=True, kw_only=True)
    baseline = make_dataclass("Baseline", measured, bases=(Record,), frozen=True, kw_only=True)
    tables = [
        ("days", _may_lack(Annotated[days, part("Known days before the infusion on day 0")]), None),
        ("baseline", _may_lack(Annotated[baseline, part("Values measured before conditioning")]), None),
    ]
    columns = [*ranges["fields"], *tables]
    return make_dataclass("PatientCard", columns, bases=(PatientFacts,), frozen=True, kw_only=True)


def _may_lack(hint: Any) -> Any:
    return hint | None


def _ranged(titles: Mapping[str, Any], may_lack: frozenset[str]) -> list[Any]:
    """Columns of a record, one for each fact that has a range."""
    columns: list[Any] = []
    for name, limits in titles.items():
        hint = Annotated[float, number(limits["title"], limits["unit"], limits["low"], limits["high"])]
        needed = limits.get("required") and name not in may_lack
        columns.append((name, hint) if needed else (name, _may_lack(hint), None))
    return columns
