"""Canonical units. Conversion happens here and only at the doors; inside, every number is a bare float.

Canonical: day, kg, cm, year, cells, cells/uL, copies/ug, pg/mL (cytokines), ug/L (ferritin), mg/L (CRP), 10^9/L
(counts), degC, mmHg, mg/dL (IgG). Copies/ug and cells/uL are two measurements, never a conversion.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Any

from vein2vein.errors import InputError

_NUMBER = re.compile(r"^\s*([+-]?(?:\d+(?:[.,]\d*)?|[.,]\d+)(?:[eE][+-]?\d+)?)\s*(.*?)\s*$")
_SPELLINGS = {
    "10^9/L": "gigacells/L",
    "1e9/L": "gigacells/L",
    "G/L": "gigacells/L",
    "10*9/L": "gigacells/L",
    "e6/kg": "megacells/kg",
    "%": "percent",
    "y": "year",
    "years": "year",
    "d": "day",
    "days": "day",
    "mo": "month",
    "1": "dimensionless",
    "": "dimensionless",
}


@cache
def _registry() -> Any:
    import pint

    registry = pint.UnitRegistry(autoconvert_offset_to_baseunit=True, cache_folder=None)
    registry.define("cell = [cell_count] = cells")
    registry.define("copy = [copy_count] = copies")
    registry.define("gigacells = 1e9 cell")
    registry.define("megacells = 1e6 cell")
    return registry


def _unit(text: str) -> Any:
    registry = _registry()
    spelled = _SPELLINGS.get(text.strip(), text.strip())
    try:
        return registry.parse_units(spelled)
    except Exception:
        raise InputError(f"unknown unit '{text}'.") from None


def is_unit(text: str) -> bool:
    """Whether the text names a unit that can be read here."""
    try:
        _unit(text)
    except InputError:
        return False
    return True


def convert(value: float, found: str, wanted: str) -> float:
    """Convert a number between two units of one dimension.

    Raises
    ------
    InputError
        A unit is unknown, or the two do not measure the same thing.
    """
    if found.strip() == wanted.strip():
        return float(value)
    source, target = _unit(found), _unit(wanted)
    if source.dimensionality != target.dimensionality:
        raise InputError(f"found the unit '{found}', which is not a unit of {wanted}.")
    return float(_registry().Quantity(value, source).to(target).magnitude)


def read_quantity(text: str, wanted: str | None = None) -> float:
    """Read text such as "39 kg" or "3.1e6/kg" as a number in the wanted unit (no unit in the text: taken as wanted)."""
    match = _NUMBER.match(text)
    if not match:
        raise InputError(f"found '{text}', which does not begin with a number.")
    value = float(match.group(1).replace(",", "."))
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
    return float(match.group(1).replace(",", ".")), tail == "/kg"
