"""Policies: who gets what and when, as declared records, read from policies/*.toml or a file of the user's own."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import cast

from vein2vein.arguments import name_or_path
from vein2vein.card_reading import located, read
from vein2vein.cards import Card, bundled_cards, find_card, is_path
from vein2vein.clinic.care import policy_card
from vein2vein.clinic.care.dose_caps import all_caps
from vein2vein.clinic.care.policy_card import CRS_SCALES, NEEDED, PolicyCard, amounts, given_fields, refused_amount
from vein2vein.clinic.criteria import declared, edition
from vein2vein.declared import Record
from vein2vein.errors import InputError
from vein2vein.records import described
from vein2vein.therapy import dose_limits

FOLDER = Path(__file__).with_name("policies")


class Told:
    """A rule as a policy card may say it: made in Python it meets the same checks."""

    def __post_init__(self) -> None:
        CARDS[type(self)](**vars(self))


@dataclass(frozen=True)
class TocilizumabRule(Told):
    """When tocilizumab is given, and given again.

    Attributes
    ----------
    from_grade : float
        Grade of cytokine release syndrome.
    repeat_after : float
        Days after a dose without improvement.
    waits : float
        Days for which the grade must have been there.
    or_grade, or_lasts : float or None
        A lower grade, and the days for which it must have lasted; None: not so.
    """

    from_grade: float
    repeat_after: float
    waits: float = 0.0
    or_grade: float | None = None
    or_lasts: float = 0.0


@dataclass(frozen=True)
class SteroidStart(Told):
    """A condition that starts steroids: a grade of one syndrome, and where asked, a dose of tocilizumab before.

    Attributes
    ----------
    crs_at_least, icans_at_least : float or None
        One of the two is given.
    after_tocilizumab : float or None
        Days since a dose at this grade or above.
    costimulation : str
        Of the product for which alone it holds; "": any.
    """

    crs_at_least: float | None = None
    icans_at_least: float | None = None
    after_tocilizumab: float | None = None
    costimulation: str = ""


@dataclass(frozen=True, kw_only=True)
class Dose(Told):
    """A dose of a drug: mg, or mg per kg and not above mg, repeated every so many days.

    ``doses``: so many of them are given in ``every`` days and counted together, as a ward of the model is graded every
    12 hours and gives some drugs every 6.
    """

    treatment: str
    every: float
    mg: float | None = None
    mg_per_kg: float | None = None
    doses: float = 1.0


@dataclass(frozen=True, kw_only=True)
class SteroidDose(Dose):
    """The dose from a grade on."""

    from_grade: float


@dataclass(frozen=True, kw_only=True)
class DatedDose(Dose):
    """A dose by the calendar, from day to day, both included."""

    from_day: float
    until_day: float


@dataclass(frozen=True)
class Taper(Told):
    """Share of the dose that is given until so many days after the last high grade."""

    until: float
    share: float


@dataclass(frozen=True)
class SteroidRule:
    """When steroids start, how much is given by grade, and how they end."""

    stop_at_grade: float
    when: tuple[SteroidStart, ...]
    dose: tuple[SteroidDose, ...]
    taper: tuple[Taper, ...] = ()


@dataclass(frozen=True)
class GcsfRule(Told):
    """G-CSF from a day on, while neutrophils (10^9/L) are low, until they have recovered."""

    from_day: float
    start_below: float
    stop_at: float


@dataclass(frozen=True)
class RedCellRule(Told):
    """Red cells while hemoglobin (g/dL) is below a limit, and how many days lie between two transfusions."""

    hemoglobin_below: float
    every: float


CARDS: Mapping[type[Told], Callable[..., Record]] = {
    TocilizumabRule: policy_card.Tocilizumab, SteroidStart: policy_card.SteroidWhen, Dose: policy_card.Amount,
    SteroidDose: policy_card.SteroidDose, DatedDose: policy_card.Dated, Taper: policy_card.Taper,
    GcsfRule: policy_card.Gcsf, RedCellRule: policy_card.RedCells,
}  # fmt: skip


@described
@dataclass(frozen=True)
class Policy:
    """When to give what; None: never by this policy.

    Attributes
    ----------
    name, title, source, where : str
    scale : str
        The CRS finding that the policy reads, such as ``crs_astct``.
    tocilizumab : TocilizumabRule or None
    steroid : SteroidRule or None
    gcsf : GcsfRule or None
    immunoglobulin : str
        Name of a rule in criteria/immunoglobulin.toml; "" none.
    antipyretic_from : float or None
        Grade from which fever is treated.
    red_cells : RedCellRule or None
    dated : tuple of DatedDose
    dosing : mapping of str to float
        Dose rules.
    """

    name: str
    title: str
    source: str
    where: str
    scale: str
    tocilizumab: TocilizumabRule | None
    steroid: SteroidRule | None
    gcsf: GcsfRule | None
    immunoglobulin: str
    antipyretic_from: float | None
    red_cells: RedCellRule | None
    dated: tuple[DatedDose, ...]
    dosing: Mapping[str, float]

    def __post_init__(self) -> None:
        for name, value in self.dosing.items():
            if said := dose_limits.refused_rule(name, value):
                raise InputError(said, field=f"dosing.{name}")
        for i, one in enumerate(self.dated):
            if said := dose_limits.refused(one.treatment, self._with_others(one)):
                raise InputError(f"{said} So much is given on day {one.from_day:g}.", field=f"dated.{i}")

    def _with_others(self, one: DatedDose) -> dict[tuple[str, str], float]:
        """What all doses of a drug by the calendar give on the first day of one of them, by period and unit."""
        found: dict[tuple[str, str], float] = {}
        for other in self.dated:
            if other.treatment == one.treatment and other.from_day <= one.from_day <= other.until_day:
                for (per, unit), amount in amounts(other).items():
                    if per == "day":
                        found[per, unit] = found.get((per, unit), 0.0) + amount
        return found

    @property
    def doses(self) -> tuple[Dose, ...]:
        """Every dose that it may give, but tocilizumab by its own rule."""
        return (*(self.steroid.dose if self.steroid else ()), *self.dated)

    def check_weight(self, weight: float) -> None:
        """Refuse doses by weight alone that are too much for the heaviest patient (kg)."""
        for one in self.doses:
            if said := refused_amount(one, weight):
                raise InputError(f"{said} At {weight:g} kg; give a largest dose in mg.", field=f"policy {self.name}")

    @property
    def unusual(self) -> tuple[str, ...]:
        """Notes on drugs above their usual dose."""
        said = [note for one in self.doses for note in dose_limits.unusual(one.treatment, amounts(one))]
        said += [note for one in self.doses for note in _beyond(one)]
        said += [note for name, value in self.dosing.items() for note in dose_limits.unusual_rule(name, value)]
        return tuple(dict.fromkeys(said))

    @property
    def reads(self) -> tuple[str, ...]:
        """Findings that the policy needs."""
        return (self.scale, "icans")


def _beyond(one: Dose) -> list[str]:
    """Notes on a dose above the cap that advice keeps: of one dose and of a day, in mg and per kg."""
    cap = all_caps().get(one.treatment)
    if cap is None or cap.unit != "mg":
        return []
    told: list[str] = []
    a_day = max(one.doses / one.every, 1.0)
    for amount, dose, day, unit in (
        (one.mg, cap.most, cap.most_day, "mg"),
        (one.mg_per_kg, cap.most_per_kg, cap.most_day_per_kg, "mg/kg"),
    ):
        if amount is None:
            continue
        for total, most, period in ((amount, dose, "a dose"), (amount * a_day, day, "a day")):
            if total > most * (1 + edition("dosing").values["tolerance"]):
                told.append(
                    f"{one.treatment} {total:g} {unit} {period} is more than the cap of advice, {most:g} {unit}"
                )
    light = math.inf if one.mg is None else one.mg / cap.most_per_kg
    if one.mg_per_kg is None and one.mg is not None and math.isfinite(cap.most_per_kg):
        told.append(
            f"{one.treatment} {one.mg:g} mg whatever the weight is more than the cap of advice, {cap.most_per_kg:g} "
            f"mg/kg a dose, below {light:g} kg; give mg_per_kg, too"
        )
    return told


def policies() -> dict[str, Path]:
    """Every bundled policy by name."""
    return bundled_cards(FOLDER)


def read_policy(name: str | Path) -> Policy:
    """Read a bundled policy by name, or the user's own by path.

    Raises
    ------
    InputError
        Unknown policy (with the nearest names), or a field that nothing reads: file, line and field.
    """
    chosen = name_or_path("policy", name, "a policy, its name or the path of its card")
    return _read(chosen) if is_path(chosen) else _bundled(str(chosen))


@cache
def _bundled(name: str) -> Policy:
    return _read(name)


def _read(name: str | Path) -> Policy:
    chain = _chain(find_card(name, FOLDER, "policy"))
    card, told = chain[-1]
    tables = _laid_over([one for _, one in chain])
    for part, given in tables.items():
        for field in NEEDED[part]:
            if field not in given:
                said = f"missing; no policy below gives it either. Add the line '{field} = ...'."
                raise card.error((part, field), said)
    dosing = dict(edition("dosing").values)
    for _, one in chain:
        dosing |= one.dosing
    scale = next((one.scale for _, one in reversed(chain) if one.scale), CRS_SCALES[0])
    toci, steroid, gcsf, red = (tables.get(part) for part in ("tocilizumab", "steroid", "gcsf", "red_cells"))
    antipyretic = tables.get("antipyretic")
    place = card.file
    with located(card):
        return Policy(
            name=Path(card.file).stem,
            title=told.title,
            source=told.source,
            where=told.where,
            scale=scale,
            tocilizumab=None if toci is None else declared(toci, TocilizumabRule, place),
            steroid=None if steroid is None else _steroid(steroid, place),
            gcsf=None if gcsf is None else declared(gcsf, GcsfRule, place),
            immunoglobulin=str(tables.get("immunoglobulin", {}).get("rule", "")),
            antipyretic_from=None if antipyretic is None else float(str(antipyretic["from_grade"])),
            red_cells=None if red is None else declared(red, RedCellRule, place),
            dated=tuple(declared(_told(row), DatedDose, place) for row in _last_dated([one for _, one in chain])),
            dosing=dosing,
        )


def _chain(card: Card, above: tuple[str, ...] = ()) -> list[tuple[Card, PolicyCard]]:
    """The policy a card is based on, and so on, the card itself last; each checked."""
    above = (*above, os.path.realpath(card.file))
    told = read(card, PolicyCard)
    base: list[tuple[Card, PolicyCard]] = []
    if told.based_on:
        with located(card, "based_on"):
            below = find_card(told.based_on, FOLDER, "policy")
            if os.path.realpath(below.file) in above:
                raise InputError(f"found '{told.based_on}', which is based on this policy itself; expected another.")
            base = _chain(below, above)
    return [*base, (card, told)]


def _told(row: Mapping[str, object]) -> dict[str, object]:
    """A table without its provenance."""
    return {field: value for field, value in row.items() if field not in ("mark", "why")}


def _laid_over(chain: list[PolicyCard]) -> dict[str, dict[str, object]]:
    """The tables of a chain of policies, field by field: the later card wins."""
    tables: dict[str, dict[str, object]] = {}
    for told in chain:
        for part in NEEDED:
            if (given := getattr(told, part)) is not None:
                tables[part] = {**tables.get(part, {}), **_told(given_fields(given))}
    return tables


def _last_dated(chain: list[PolicyCard]) -> list[dict[str, object]]:
    given = [told.dated for told in chain if told.dated is not None]
    return [given_fields(one) for one in given[-1]] if given else []


def _steroid(table: Mapping[str, object], place: str) -> SteroidRule:
    when, dose, taper = (cast("list[Mapping[str, object]]", table.get(part, [])) for part in ("when", "dose", "taper"))
    return SteroidRule(
        stop_at_grade=float(str(table["stop_at_grade"])),
        when=tuple(declared(_told(row), SteroidStart, place) for row in when),
        dose=tuple(declared(_told(row), SteroidDose, place) for row in dose),
        taper=tuple(declared(row, Taper, place) for row in taper),
    )
