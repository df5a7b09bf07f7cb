"""Mapping: a small TOML file that says how one hospital's tables are to be read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, tzinfo
from pathlib import Path

from vein2vein import units
from vein2vein.analytes import all_analytes
from vein2vein.cards import Card, read_card
from vein2vein.errors import InputError, unknown
from vein2vein.io.record import names, times
from vein2vein.io.record.presets import all_presets

ROLES = ("patient", "day", "date", "time", "name", "value", "unit", "comment", "author", "until", "limit", "ignore")
_TOP = (
    "preset",
    "form",
    "delimiter",
    "decimal",
    "encoding",
    "time_zone",
    "date_format",
    "date_order",
    "columns",
    "analytes",
    "units",
    "codes",
    "words",
    "lloq",
    "patient",
    "infusions",
)


@dataclass(frozen=True)
class TableMapping:
    """How to read a table; what is empty is found from the file.

    Attributes
    ----------
    form : str
        ``long``, ``wide`` or "".
    delimiter, decimal, encoding, date_order : str
    date_format : str or tuple of str
        Formats of ``strptime``, or ``excel``, ``excel-1904``.
    zone : tzinfo or None
        Of local times.
    columns : mapping of header (normal form) to str
        A role of ``ROLES``, an analyte or a fact.
    names : mapping of name (normal form) to str
        Own names of analytes in the rows of the long form.
    name_units : mapping of analyte to str
        Units of analytes whose rows or headers say none.
    units : mapping of str to str
        Own spellings of units.
    codes : mapping of (system, code) to str
        Own codes in FHIR bundles.
    words : mapping of analyte to mapping of str to float
    lloq : mapping of analyte to float
        Limits of quantification, canonical units.
    patient : mapping of fact to str
        What is known of the patient.
    preset : str
        The public format that the table is of; "none": no public format is looked for.
    infusions : mapping of patient to str
        Time of the infusion of each patient, for files that do not hold it.
    """

    form: str = ""
    delimiter: str = ""
    decimal: str = ""
    encoding: str = ""
    date_format: str | tuple[str, ...] = ""
    date_order: str = ""
    zone: tzinfo | None = None
    columns: Mapping[str, str] = field(default_factory=dict[str, str])
    names: Mapping[str, str] = field(default_factory=dict[str, str])
    name_units: Mapping[str, str] = field(default_factory=dict[str, str])
    units: Mapping[str, str] = field(default_factory=dict[str, str])
    codes: Mapping[tuple[str, str], str] = field(default_factory=dict[tuple[str, str], str])
    words: Mapping[str, Mapping[str, float]] = field(default_factory=dict[str, Mapping[str, float]])
    lloq: Mapping[str, float] = field(default_factory=dict[str, float])
    patient: Mapping[str, str] = field(default_factory=dict[str, str])
    preset: str = ""
    infusions: Mapping[str, str] = field(default_factory=dict[str, str])


def read_mapping(path: str | Path) -> TableMapping:
    """Read a mapping file.

    Raises
    ------
    InputError
        A field is unknown or wrong: file, line, field and what was expected.
    """
    return mapping_from_card(read_card(path))


def mapping_from_card(card: Card) -> TableMapping:
    """Make a mapping from a card that was read; see ``read_mapping``."""
    card.refuse_unknown(_TOP)
    zone = card.string("time_zone", default="")
    columns, column_units = _targets(card, "columns", (*ROLES, *names.FACTS))
    own, own_units = _targets(card, "analytes", names.FACTS)
    words = {
        name: {names.normal(w): v for w, v in _numbers(card, "words", name).items()}
        for name in _analytes(card, "words")
    }
    try:
        found = times.find_zone(zone) if zone else None
    except InputError as problem:
        raise card.error(("time_zone",), problem.text) from None
    return TableMapping(
        card.string("form", choices=("long", "wide"), default=""),
        card.string("delimiter", choices=(",", ";", "\t", "|"), default=""),
        card.string("decimal", choices=(".", ","), default=""),
        _encoding(card),
        _formats(card),
        card.string("date_order", choices=("dmy", "mdy"), default=""),
        found,
        columns,
        own,
        {**column_units, **own_units},
        _units(card),
        _codes(card),
        words,
        {name: card.number("lloq", name, unit=all_analytes()[name].unit, low=0) for name in _analytes(card, "lloq")},
        _patient(card),
        card.string("preset", choices=("none", *all_presets()), default=""),
        {label: _text(card, "infusions", label, when) for label, when in card.table("infusions", default={}).items()},
    )


def _formats(card: Card) -> str | tuple[str, ...]:
    if isinstance(card.get("date_format", default=""), list):
        return card.texts("date_format")
    return card.string("date_format", default="")


def _encoding(card: Card) -> str:
    name = card.string("encoding", default="")
    try:
        "".encode(name or "utf-8")  # also refuses what is no encoding of text, such as base64
    except (LookupError, ValueError):
        raise card.error(("encoding",), f"unknown encoding '{name}'; expected utf-8, latin-1 or utf-16.") from None
    return name


def _targets(card: Card, table: str, further: tuple[str, ...]) -> tuple[dict[str, str], dict[str, str]]:
    found: dict[str, str] = {}
    unit_of: dict[str, str] = {}
    for key, target in card.table(table, default={}).items():
        if isinstance(target, Mapping):
            card.refuse_unknown(("analyte", "unit"), table, key)
            name = card.string(table, key, "analyte")
            if unit := card.string(table, key, "unit", default=""):
                if not units.is_unit(unit):
                    raise card.error((table, key, "unit"), f"unknown unit '{unit}'.")
                unit_of[name] = unit
        else:
            name = card.string(table, key)
        if name not in all_analytes() and name not in further:
            raise card.error((table, key), unknown("analyte", name, (*all_analytes(), *further)))
        found[names.normal(key)] = name
    return found, unit_of


def _analytes(card: Card, table: str) -> list[str]:
    for name in card.table(table, default={}):
        if name not in all_analytes():
            raise card.error((table, name), unknown("analyte", name, all_analytes()))
    return list(card.table(table, default={}))


def _numbers(card: Card, *path: str) -> dict[str, float]:
    return {key: card.number(*path, key) for key in card.table(*path)}


def _units(card: Card) -> dict[str, str]:
    for own in card.table("units", default={}):
        if not units.is_unit(card.string("units", own)):
            raise card.error(("units", own), f"unknown unit '{card.string('units', own)}'.")
    return {own.strip(): card.string("units", own) for own in card.table("units", default={})}


def _codes(card: Card) -> dict[tuple[str, str], str]:
    found: dict[tuple[str, str], str] = {}
    for key in card.table("codes", default={}):
        place, bar, code = key.rpartition("|")
        name = card.string("codes", key)
        if not bar:
            raise card.error(("codes", key), "found no '|', expected 'system|code', such as 'http://loinc.org|2276-4'.")
        if name not in all_analytes() and name not in names.FACTS:
            raise card.error(("codes", key), unknown("analyte", name, all_analytes()))
        found[place, code] = name
    return found


def _patient(card: Card) -> dict[str, str]:
    known = (*names.FACTS, "weight")
    card.table("patient", default={})
    card.refuse_unknown(known, "patient")
    return {key: _text(card, "patient", key, value) for key, value in card.get("patient", default={}).items()}


def _text(card: Card, table: str, key: str, value: object) -> str:
    if isinstance(value, datetime | date):
        return times.ISO + value.isoformat()
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise card.error((table, key), f"found {value!r}, expected text or a number.")
    return str(value)
