"""Canonical units. Conversion happens here and only at the doors; inside, every number is a bare float.

Canonical: day, kg, cm, year, cells, cells/uL, copies/ug, pg/mL (cytokines), ug/L (ferritin), mg/L (CRP), 10^9/L
(counts), degC, mmHg, mg/dL (IgG). Copies/ug and cells/uL are two measurements, never a conversion.
"""

from __future__ import annotations

import re
import tomllib
from functools import cache
from importlib import resources
from typing import Any

from vein2vein.errors import InputError

_NUMBER = re.compile(r"^\s*([+-]?(?:\d+(?:[.,]\d*)?|[.,]\d+)(?:[eE][+-]?\d+)?)\s*(.*?)\s*$")
_THOUSANDS = re.compile(r"[+-]?[1-9]\d{0,2},\d{3}")  # 1,000: a thousand, or one to three places?
_POWERS = str.maketrans({"µ": "u", "μ": "u", "×": "x", "²": "2", "³": "3", "⁶": "6", "⁹": "9", "·": ".", "−": "-"})
_RAISED = re.compile(r"10([²³⁶⁹])")
_HOSTILE = re.compile(r"\d\s*(\*\*|\^)|(\*\*|\^)[\s(+-]*\d{2,}|\)\s*(\*\*|\^)\s*\(")  # powers that take forever
_ANNOTATION = re.compile(r"\{[^{}]*\}")
_DIGITS = 12  # significant digits kept by a conversion: 100.4 degF is 38 degC, not 37.99999999999999
LONGEST_UNIT = 40


@cache
def _spellings() -> tuple[dict[str, str], dict[str, str]]:
    """Spellings as written, and without upper and lower case."""
    text = resources.files("vein2vein").joinpath("units.toml").read_text(encoding="utf-8")
    data = tomllib.loads(text)
    return data["spellings"], {name.lower(): name for name in data["any_case"]["spellings"]}


@cache
def days_of() -> dict[str, float]:
    """Days of each name of a stretch of time: what most cards convert, known without loading the unit library."""
    text = resources.files("vein2vein").joinpath("units.toml").read_text(encoding="utf-8")
    return {name: float(days) for name, days in tomllib.loads(text)["days"].items()}


@cache
def _registry() -> Any:
    import pint

    registry = pint.UnitRegistry(autoconvert_offset_to_baseunit=True, cache_folder=None)
    registry.define("cell = [cell_count] = cells")
    registry.define("copy = [copy_count] = copies")
    registry.define("gigacells = 1e9 cell")
    registry.define("megacells = 1e6 cell")
    registry.define("myriacell = 1e4 cell")
    registry.define("standard_surface = [standard_surface]")  # 1.73 m2: such a rate is not one of the whole body
    return registry


@cache
def spelled(text: str) -> str:
    """A unit as the unit library reads it, from UCUM or from what hospitals print."""
    known, any_case = _spellings()
    tight = _RAISED.sub(r"10^\1", text.strip())
    for form in (tight, tight.translate(_POWERS).replace(" ", "")):
        if form in known:
            return known[form]
    bare = _ANNOTATION.sub("", tight.translate(_POWERS)).replace(" ", "")
    for form in (bare, bare.replace("mcg", "ug").replace("mcL", "uL").replace("mm3", "uL").replace("cumm", "uL")):
        if form in known:
            return known[form]
        if form.lower() in any_case:
            right = any_case[form.lower()]
            return known.get(right, right)
        tight = form
    return tight


@cache
def _unit(text: str) -> Any:
    try:
        form = spelled(text)
        if len(text) > LONGEST_UNIT or _HOSTILE.search(form):
            raise ValueError
        return _registry().parse_units(form)
    except Exception:
        raise InputError(f"unknown unit '{text[:LONGEST_UNIT]}'.") from None


def is_unit(text: str) -> bool:
    """Whether the text names a unit that can be read here."""
    try:
        _unit(text)
    except InputError:
        return False
    return True


@cache
def _line(found: str, wanted: str) -> tuple[float, float]:
    """Slope and offset from one unit to another."""
    if found in days_of() and wanted in days_of():
        return days_of()[found] / days_of()[wanted], 0.0
    source, target = _unit(found), _unit(wanted)
    other = InputError(f"found the unit '{found}', which is not a unit of {wanted}.")
    if source.dimensionality != target.dimensionality:
        raise other
    registry = _registry()
    try:
        zero, one = (float(registry.Quantity(x, source).to(target).magnitude) for x in (0.0, 1.0))
    except Exception:  # a product with a temperature, such as %degC
        raise other from None
    return (one, 0.0) if zero == 0 else (one - zero, zero)


def convert(value: float, found: str, wanted: str) -> float:
    """Convert a number between two units of one dimension.

    Raises
    ------
    InputError
        A unit is unknown, or the two do not measure the same thing.
    """
    if found.strip() == wanted.strip():
        return float(value)
    slope, offset = _line(found, wanted)
    return float(f"{value * slope + offset:.{_DIGITS}g}")


def _decimal(digits: str) -> float:
    """A number with a decimal point or a decimal comma; one that may be a thousand or one is refused."""
    if _THOUSANDS.fullmatch(digits):
        either = f"{digits.replace(',', '')} or {digits.replace(',', '.')}"
        raise InputError(f"found '{digits}', which may be {either}; write it without the comma.")
    return float(digits.replace(",", "."))


def read_quantity(text: str, wanted: str | None = None) -> float:
    """Read text such as "39 kg" or "3.1e6/kg" as a number in the wanted unit (no unit in the text: taken as wanted)."""
    match = _NUMBER.match(text)
    if not match:
        raise InputError(f"found '{text}', which does not begin with a number.")
    value = _decimal(match.group(1))
    unit = match.group(2)
    if not unit or wanted is None:
        if unit and wanted is None:
            raise InputError(f"found '{text}', expected a number without a unit.")
        return value
    return convert(value, unit, wanted)


def read_dose(text: str) -> tuple[float, bool]:
    """Read a cell dose such as "3.1e6/kg" or "1e8": the number of viable CAR+ cells and whether it is per kg."""
    match = _NUMBER.match(str(text))
    tail = match.group(2).replace(" ", "").removeprefix("cells") if match else ""
    if not match or tail not in ("", "/kg"):
        expected = "expected viable CAR+ cells, per kg as '3.1e6/kg' or in all as '1e8'"
        raise InputError(f"found the dose '{text}'; {expected}.")
    return _decimal(match.group(1)), tail == "/kg"
