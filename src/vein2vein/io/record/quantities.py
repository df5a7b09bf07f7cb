"""A value in the unit of a record -> the canonical unit of its analyte. Converted once, here."""

from __future__ import annotations

import re
from functools import cache
from importlib import resources

import numpy as np

from vein2vein import units
from vein2vein.analytes import Analyte, all_analytes
from vein2vein.cards import Card, parse_card
from vein2vein.errors import InputError
from vein2vein.io.record.meanings import word_card

BARE = ("sign", "support", "score")  # a number without unit is taken as canonical; labs and doses must say their unit
MOST_UNITS = 2000  # different pairs of analyte and unit that are looked up in one file


@cache
def conversions() -> Card:
    """Conversions between molar and mass units, analyte by analyte."""
    text = resources.files("vein2vein.io.record").joinpath("conversions.toml").read_text(encoding="utf-8")
    return parse_card(text, "conversions.toml")


_known: dict[tuple[str, str], tuple[float, float, int] | str] = {}


def forget() -> None:
    """Forget the units of the file before."""
    _known.clear()


def line_of(name: str, unit: str) -> tuple[float, float, int]:
    """Slope, offset and power of the body weight that take a value to the canonical unit of an analyte.

    Raises
    ------
    InputError
        The unit is unknown or not one of this analyte.
    """
    key = (name, unit)
    if key not in _known:
        if len(_known) > MOST_UNITS:
            raise InputError(f"unknown unit '{unit[:40]}', after {MOST_UNITS} others in one file.")
        try:
            _known[key] = _line(all_analytes()[name], unit)
        except InputError as problem:
            _known[key] = problem.text
    found = _known[key]
    if isinstance(found, str):
        raise InputError(found)
    return found


@cache
def _parts() -> tuple[frozenset[str], frozenset[str]]:
    card = word_card("units")
    return frozenset(card.texts("made_of", "parts")), frozenset(card.texts("made_of", "never"))


def is_charted_unit(unit: str) -> bool:
    """Whether a unit is made of what wards chart in; the unit library knows many more, each of them a slip here."""
    parts, never = _parts()
    form = units.spelled(unit)
    if form in never or ("%" in form and form != "%"):
        return False
    return form != "" and all(part in parts for part in re.findall(r"[^\W\d]+", form))


def _line(analyte: Analyte, unit: str) -> tuple[float, float, int]:
    wanted = analyte.unit
    if not is_charted_unit(unit):
        raise InputError(f"unknown unit '{unit[:40]}'.")
    try:
        return (*_linear(unit, wanted), 0)
    except InputError as problem:
        first = problem
    card = conversions()
    if analyte.name in card.data:
        molar, mass = card.string(analyte.name, "molar_unit"), card.string(analyte.name, "mass_unit")
        factor = card.number(analyte.name, "multiply_by", default=1.0) / card.number(
            analyte.name, "divide_by", default=1.0
        )
        try:
            return _linear(unit, molar)[0] * factor * _linear(mass, wanted)[0], 0.0, 0
        except InputError:
            pass
    for per_kg, own, power in (("/kg", unit, 1), ("/kg", wanted, -1)):
        if per_kg in own.replace(" ", ""):
            bare = own.replace(" ", "").replace(per_kg, "", 1)
            try:
                pair = (bare, wanted) if power == 1 else (unit, bare)
                return _linear(*pair)[0], 0.0, power
            except InputError:
                continue
    raise first


def _linear(found: str, wanted: str) -> tuple[float, float]:
    if found.strip() == wanted.strip():
        return 1.0, 0.0
    zero, one = units.convert(0.0, found, wanted), units.convert(1.0, found, wanted)
    return (one, 0.0) if zero == 0 else (one - zero, zero)


def to_canonical(name: str, value: float, unit: str, weight: float = np.nan) -> float:
    """A value in the canonical unit of its analyte.

    Parameters
    ----------
    name : str
        Analyte.
    value : float
    unit : str
        UCUM or as hospitals print it; "" stands for the canonical unit (see ``needs_unit``).
    weight : float
        kg; for amounts per kg.

    Raises
    ------
    InputError
        The unit is not one of this analyte, or a dose per kg has no weight to go with.
    """
    analyte = all_analytes()[name]
    if not unit or unit == analyte.unit:
        return value
    slope, offset, power = line_of(name, unit)
    if offset:  # temperatures: rounded by the door itself
        return units.convert(value, unit, analyte.unit)
    if not power:
        return value if slope == 1 else float(f"{value * slope:.12g}")
    if not np.isfinite(weight):
        raise InputError(f"found an amount in {unit}, and no weight of the patient is known")
    return float(f"{value * slope * weight**power:.12g}")


def needs_unit(name: str) -> bool:
    """Whether a number without unit could mean several things."""
    analyte = all_analytes()[name]
    return analyte.kind not in BARE and analyte.unit not in ("1", "fraction")


def unverified_conversion(name: str, unit: str) -> bool:
    """Whether a value in this unit is converted by a factor from memory."""
    card = conversions()
    if name not in card.data or card.string(name, "mark") != "M":
        return False
    try:
        units.convert(1.0, unit, all_analytes()[name].unit)
    except InputError:
        return True
    return False
