"""Policies: who gets what and when, as declared records, read from policies/*.toml or a file of the user's own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from vein2vein.analytes import all_analytes
from vein2vein.cards import Card, bundled_cards, find_card
from vein2vein.clinic import words
from vein2vein.clinic.criteria import declared, edition
from vein2vein.errors import unknown
from vein2vein.records import described

FOLDER = Path(__file__).with_name("policies")
BY_WEIGHT = "tocilizumab"
CRS_SCALES = tuple(one.name for one in words.crs_scales().values() if one.simulated)
_FIELDS = {
    "tocilizumab": ("from_grade", "waits", "or_grade", "or_lasts", "repeat_after", "mark", "why"),
    "steroid": ("when", "dose", "stop_at_grade", "taper", "mark", "why"),
    "gcsf": ("from_day", "start_below", "stop_at", "mark", "why"),
    "immunoglobulin": ("rule", "mark", "why"),
    "antipyretic": ("from_grade", "mark", "why"),
}
_WHEN = ("crs_at_least", "icans_at_least", "after_tocilizumab", "costimulation", "mark", "why")
_DOSE = ("from_grade", "treatment", "mg", "mg_per_kg", "every", "mark", "why")
_DATED = ("treatment", "from_day", "until_day", "every", "mg", "mg_per_kg", "mark", "why")
_TAPER = ("until", "share")
_TEXTS = ("rule", "costimulation", "mark", "why")
_LISTS = ("when", "dose", "taper")


@dataclass(frozen=True)
class TocilizumabRule:
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
class SteroidStart:
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
class Dose:
    """A dose of a drug: mg, or mg per kg and not above mg, repeated every so many days."""

    treatment: str
    every: float
    mg: float | None = None
    mg_per_kg: float | None = None


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
class Taper:
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
class GcsfRule:
    """G-CSF from a day on, while neutrophils (10^9/L) are low, until they have recovered."""

    from_day: float
    start_below: float
    stop_at: float


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
    dated: tuple[DatedDose, ...]
    dosing: Mapping[str, float]

    @property
    def reads(self) -> tuple[str, ...]:
        """Findings that the policy needs."""
        return (self.scale, "icans")


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
    cards = _chain(find_card(name, FOLDER, "policy"))
    card, tables = cards[-1], _laid_over(cards)
    dosing = dict(edition("dosing").values)
    scale = CRS_SCALES[0]
    for one in cards:
        for rule in one.table("dosing", default={}):
            if rule not in dosing:
                raise one.error(("dosing", rule), unknown("dose rule", rule, dosing))
            dosing[rule] = one.number("dosing", rule, low=0)
        scale = one.string("scale", choices=CRS_SCALES, default=scale)
    toci, steroid, gcsf = (tables.get(part) for part in ("tocilizumab", "steroid", "gcsf"))
    antipyretic = tables.get("antipyretic")
    place = card.file
    return Policy(
        name=Path(card.file).stem,
        title=card.string("title"),
        source=card.string("source"),
        where=card.string("where"),
        scale=scale,
        tocilizumab=None if toci is None else declared(toci, TocilizumabRule, place),
        steroid=None if steroid is None else _steroid(steroid, place),
        gcsf=None if gcsf is None else declared(gcsf, GcsfRule, place),
        immunoglobulin=str(tables.get("immunoglobulin", {}).get("rule", "")),
        antipyretic_from=None if antipyretic is None else float(str(antipyretic["from_grade"])),
        dated=tuple(declared(_told(row), DatedDose, place) for row in _last_dated(cards)),
        dosing=dosing,
    )


def _chain(card: Card) -> list[Card]:
    """The policy a card is based on, and so on, the card itself last; each checked."""
    card.refuse_unknown(("title", "source", "where", "based_on", "scale", "dosing", "dated", *_FIELDS))
    _check(card)
    based_on = card.get("based_on")
    return [*(_chain(find_card(card.string("based_on"), FOLDER, "policy")) if based_on else ()), card]


def _told(row: Mapping[str, object]) -> dict[str, object]:
    """A table without its provenance."""
    return {field: value for field, value in row.items() if field not in ("mark", "why")}


def _laid_over(cards: list[Card]) -> dict[str, dict[str, object]]:
    """The tables of a chain of policies, field by field: the later card wins."""
    tables: dict[str, dict[str, object]] = {}
    for card in cards:
        for part in _FIELDS:
            if card.get(part) is not None:
                tables[part] = {**tables.get(part, {}), **_told(card.table(part))}
    return tables


def _last_dated(cards: list[Card]) -> list[Mapping[str, object]]:
    given = [card for card in cards if card.get("dated") is not None]
    return list(given[-1].tables("dated")) if given else []


def _steroid(table: Mapping[str, object], place: str) -> SteroidRule:
    when, dose, taper = (cast("list[Mapping[str, object]]", table.get(part, [])) for part in _LISTS)
    return SteroidRule(
        stop_at_grade=float(str(table["stop_at_grade"])),
        when=tuple(declared(_told(row), SteroidStart, place) for row in when),
        dose=tuple(declared(_told(row), SteroidDose, place) for row in dose),
        taper=tuple(declared(row, Taper, place) for row in taper),
    )


def _check(card: Card) -> None:
    for part, allowed in _FIELDS.items():
        card.table(part, default={})
        card.refuse_unknown(allowed, part)
        _values(card, part)
    required = {
        "tocilizumab": ("from_grade", "repeat_after"), "steroid": ("when", "dose", "stop_at_grade"),
        "gcsf": ("from_day", "start_below", "stop_at"), "immunoglobulin": ("rule",), "antipyretic": ("from_grade",),
    }  # fmt: skip
    if not card.get("based_on"):
        for part, names in required.items():
            if card.get(part) is not None:
                for name in names:
                    card.required(part, name, expected="a value")
    amount = ("mg", "mg_per_kg")
    for path, allowed, asked, either in (
        (("steroid", "when"), _WHEN, (), ("crs_at_least", "icans_at_least")),
        (("steroid", "dose"), _DOSE, ("treatment", "from_grade", "every"), amount),
        (("steroid", "taper"), _TAPER, _TAPER, ()),
        (("dated",), _DATED, ("treatment", "from_day", "until_day", "every"), amount),
    ):
        for index in range(len(card.tables(*path))):
            here = (*path, str(index))
            card.refuse_unknown(allowed, *here)
            _values(card, *here)
            for name in asked:
                card.required(*here, name, expected="a value")
            if either and not any(card.get(*here, name) is not None for name in either):
                if card.get(*here, "treatment") == BY_WEIGHT:  # its dose is that of the dosing rules
                    continue
                raise card.error(here, f"found neither {' nor '.join(either)}; add one of them.")


def _values(card: Card, *path: str) -> None:
    """Each field of a table holds what its kind asks for; what is a list of tables is looked at by itself."""
    for name in card.table(*path, default={}):
        if name == "treatment":
            drugs = [drug for drug, a in all_analytes().items() if a.kind == "treatment"]
            card.string(*path, name, choices=drugs)
        elif name in _TEXTS:
            card.string(*path, name)
        elif name not in _LISTS:
            card.number(*path, name, low=0)
