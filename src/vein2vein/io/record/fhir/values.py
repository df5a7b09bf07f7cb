"""The value[x] of an observation, answer or dose -> number or text with its unit, as the readers of values take it."""

from __future__ import annotations

import math
import re
from typing import NamedTuple

from vein2vein.analytes import all_analytes
from vein2vein.errors import InputError
from vein2vein.io.record import names
from vein2vein.io.record.fhir.codes import Codes, codings, texts
from vein2vein.io.record.fhir.entries import Resource, table, tables
from vein2vein.io.record.mapping import TableMapping
from vein2vein.io.record.quantities import line_of

NOT_MEASURED = "dataAbsentReason"
MEASURED = ("masked", "unsupported", "as-text", "not-permitted")  # absent here, though it was measured
_ANNOTATED = re.compile(r"^\{(.*)\}$")  # {cells}: UCUM's way to write a unit in words
COMPARATORS = {"<": "<", "<=": "<", ">": ">", ">=": ">", "": ""}
PLAIN = ("Integer", "Integer64", "Decimal", "Boolean", "String")
OTHER = ("Time", "DateTime", "Date", "Period", "SampledData", "Attachment", "Reference", "Instant", "Uri")


class Value(NamedTuple):
    """A value as it is handed on; ``name`` where the value itself says what it is of."""

    value: str | float
    unit: str = ""
    column: str = ""
    name: str = ""


class Fault(NamedTuple):
    """Why a value is not understood."""

    what: str
    found: object
    expected: str
    remedy: str
    column: str = ""


def number_of(value: object) -> float | None:
    """A JSON number; None where it is none, or has no finite value."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        found = float(value)
    except OverflowError:
        return None
    return found if math.isfinite(found) else None


def unit_of(name: str, quantity: Resource, mapping: TableMapping) -> str | Fault:
    """The unit of a quantity: its code or its text, whichever is one of the analyte."""
    given = [u.strip() for u in (quantity.get("code"), quantity.get("unit")) if isinstance(u, str) and u.strip()]
    fitting: list[str] = []
    lines: set[tuple[float, float, int]] = set()
    for unit in dict.fromkeys(mapping.units.get(u, u) for u in given):
        for form in dict.fromkeys((unit, _ANNOTATED.sub(r"\1", unit))):
            try:
                lines.add(line_of(name, form) if name in all_analytes() else (1.0, 0.0, 0))
            except InputError:
                continue
            fitting.append(form)
            break
    if len(lines) > 1:
        return Fault("its unit and the code of its unit contradict each other", " and ".join(given), "one unit",
                     "export the unit that was measured")  # fmt: skip
    return (fitting or given or [""])[0]


def quantity_of(name: str, quantity: Resource, mapping: TableMapping, bound: str = "") -> Value | Fault:
    """A Quantity, with its comparator, as a number or a bound such as "<0.5"."""
    value = number_of(quantity.get("value"))
    if value is None:
        return Fault("not a number", quantity.get("value", ""), "a number", "export the value as a number")
    unit = unit_of(name, quantity, mapping)
    if isinstance(unit, Fault):
        return unit
    comparator = quantity.get("comparator", "")
    if not isinstance(comparator, str) or comparator not in COMPARATORS:
        return Fault("not a known comparator", comparator, "<, <=, > or >=", "export the value with its comparator")
    sign = COMPARATORS[comparator] or bound
    return Value(f"{sign}{value!r}" if sign else value, unit)


def ratio_of(name: str, ratio: Resource, mapping: TableMapping) -> Value | Fault:
    """A Ratio as one number with the unit "numerator/denominator"; a score such as 8 of 10 as "8/10"."""
    top, under = table(ratio.get("numerator")) or {}, table(ratio.get("denominator")) or {}
    above, below = number_of(top.get("value")), number_of(under.get("value", 1))
    if above is None or not below:
        return Fault("not a ratio of two numbers", "", "a numerator and a denominator", "export both numbers")
    if top.get("comparator") or under.get("comparator"):
        return Fault("a ratio of bounds", "", "two numbers", "export both numbers")
    units = [_bare(part) for part in (top, under)]
    if not any(units):
        whole = above == round(above) and below == round(below)
        return Value(f"{above:g}/{below:g}", "") if whole else Value(above / below, "")
    unit = f"{units[0] or '1'}/{units[1]}" if units[1] else units[0]
    return Value(float(f"{above / below:.12g}"), mapping.units.get(unit, unit))


def _bare(quantity: Resource) -> str:
    """The unit of one part of a ratio; a unit "1" is none."""
    found = next((u.strip() for u in (quantity.get("code"), quantity.get("unit")) if isinstance(u, str) and u), "")
    return "" if found == "1" else found


def range_of(name: str, found: Resource, mapping: TableMapping) -> Value | Fault:
    """A Range: its end where it has one, both ends as "low-high"."""
    ends = [table(found.get(key)) for key in ("low", "high")]
    read = [None if end is None else quantity_of(name, end, mapping) for end in ends]
    for one in read:
        if isinstance(one, Fault):
            return one
    low, high = (one if isinstance(one, Value) else None for one in read)
    if low and high and low.unit == high.unit:
        return low if low.value == high.value else Value(f"{low.value}-{high.value}", low.unit)
    if low and not high:
        return Value(f">{low.value!r}" if isinstance(low.value, float) else low.value, low.unit)
    if high and not low:
        return Value(f"<{high.value!r}" if isinstance(high.value, float) else high.value, high.unit)
    return Fault("a range without ends of one unit", "", "low and high in one unit", "export the value")


def value_of(name: str, holder: Resource, codes: Codes, column: str, stem: str = "value") -> Value | Fault | None:
    """The value[x] of an element; None where nothing was measured."""
    signs = {code for one in tables(holder.get("interpretation")) for _, code in codings(one)}
    bound = "<" if "<" in signs else ">" if ">" in signs else ""
    for kind, reader in (("Quantity", quantity_of), ("Ratio", ratio_of), ("Range", range_of)):
        if (found := table(holder.get(f"{stem}{kind}"))) is not None:
            read = quantity_of(name, found, codes.mapping, bound) if kind == "Quantity" else reader(
                name, found, codes.mapping)  # fmt: skip
            return read._replace(column=f"{column}.{stem}{kind}")
    for kind in PLAIN:
        if (key := f"{stem}{kind}") in holder:
            return _plain(holder[key], f"{column}.{key}")
    for kind in ("CodeableConcept", "Coding"):
        if (concept := table(holder.get(key := f"{stem}{kind}"))) is not None:
            whole: Resource = concept if kind == "CodeableConcept" else {"coding": [concept]}
            return concept_of(name, whole, codes, f"{column}.{key}")
    for key in holder:
        if key.startswith(stem) and key.removeprefix(stem) in (*OTHER, *PLAIN, "Quantity", "CodeableConcept"):
            return Fault("a value of a kind that is not read", key, "a quantity, number, text or concept",
                         "export the value as a quantity", f"{column}.{key}")  # fmt: skip
    if "ND" in signs:
        return Value("not detected", "", f"{column}.interpretation")
    if (reason := table(holder.get(NOT_MEASURED))) is not None:
        if {code for _, code in codings(reason)} & set(MEASURED):
            return Fault("measured, but the value is not told", (texts(reason) or [""])[0], "the value",
                         "export the value", f"{column}.{NOT_MEASURED}")  # fmt: skip
        return None
    if holder.get("component") or holder.get("hasMember"):
        return None
    return Fault("no value", "", "valueQuantity or another value", "nothing to do if it was not measured", column)


def _plain(value: object, column: str) -> Value | Fault:
    if isinstance(value, str):
        return Value(value, "", column)
    if isinstance(value, bool):
        return Value(float(value), "", column)
    number = number_of(value)
    if number is None:
        return Fault("not a number or text", value, "a number or text", "export the value", column)
    return Value(number, "", column)


def concept_of(name: str, concept: Resource, codes: Codes, column: str) -> Value | Fault:
    """A concept as a value: by its code where that is known, else by the words of which one is known."""
    coded = codes.meaning(concept)
    if coded.value and coded.name:
        if name and coded.name != name:
            return Fault(f"says something of another analyte ({coded.name})", coded.label, "a value of this one",
                         "correct the code", column)  # fmt: skip
        return Value(coded.value, coded.unit, column, coded.name)
    said = [*texts(concept), *(code for _, code in codings(concept))]
    if not said:
        return Fault("an empty concept", "", "a text or code", "export the value", column)
    own = codes.mapping.words.get(name, {})
    known = (t for t in said if names.normal(t) in own or names.in_words(name, t) is not None)
    return Value(next(known, said[0]), "", column)
