"""The header of a table: what each of its columns holds."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from vein2vein import units
from vein2vein.analytes import all_analytes
from vein2vein.io.record import names
from vein2vein.io.record.mapping import TableMapping
from vein2vein.io.record.record import Log
from vein2vein.io.record.values import is_formula

MOST_HINTS = 40  # unknown names for which near ones are looked up
NEAR = 0.8  # likeness (share of letters in common) from which a known name is a hint
SHORTEST_HINT = 4  # letters; shorter names are near to everything
PRESSURE = ("bp", "blood pressure", "nibp", "abp", "art bp", "arterial bp", "cuff bp", "sbp dbp", "bp mmhg")
"""Names (normal form) under which a ward charts systolic and diastolic pressure in one cell."""
PLACES = frozenset(
    {"oral", "axillary", "rectal", "tympanic", "temporal", "core", "bladder", "arterial", "venous", "cuff", "invasive"}
    | {"noninvasive", "blood", "serum", "plasma", "peripheral"}
)
"""Words in brackets behind a name that say where it was measured: no units."""


@dataclass(frozen=True)
class Columns:
    """What the columns of a table hold.

    Attributes
    ----------
    roles : mapping of role to columns
    items : mapping of column to (analyte or fact, unit)
        Of the wide form.
    further : mapping of name to column
        Columns that the caller asked for.
    unknown : mapping of column to header
        Columns of the wide form whose name is not known.
    ignored : mapping of column to why
    """

    roles: dict[str, tuple[int, ...]] = field(default_factory=dict[str, tuple[int, ...]])
    items: dict[int, tuple[str, str]] = field(default_factory=dict[int, tuple[str, str]])
    further: dict[str, int] = field(default_factory=dict[str, int])
    unknown: dict[int, str] = field(default_factory=dict[int, str])
    ignored: dict[int, str] = field(default_factory=dict[int, str])


def near_names(name: str, known: Iterable[str] = ()) -> list[str]:
    """Known names that an unknown one may have been meant to be: only such as differ by a slip of the pen."""
    form = names.normal(name[:80])
    if len(form) < SHORTEST_HINT:
        return []
    vocabulary = names.vocabulary().names
    found = difflib.get_close_matches(form, [*vocabulary, *map(names.normal, known)], n=3, cutoff=NEAR)
    return list(dict.fromkeys(vocabulary.get(one, one) for one in found))[:2]


def split_name(text: str, own: Mapping[str, str]) -> tuple[str, str]:
    """The analyte or fact that a header or label names, and the unit within it ("" without one)."""
    if names.normal(text) in PRESSURE and names.normal(text) not in own:
        return "systolic_bp", ""
    bare, unit = names.split_header(text)
    unit = "" if names.normal(unit) in PLACES else unit
    if name := names.find_name(text, own):
        return name, unit if units.is_unit(unit) else ""
    if bare != text:
        if names.normal(bare) in PRESSURE:
            return "systolic_bp", unit
        if name := names.find_name(bare, own):
            return name, unit
    head, space, tail = text.strip().rpartition(" ")  # "CRP mg/dL"
    if space and tail and len(text) <= names.LONGEST_HEADER and units.is_unit(tail):
        return names.find_name(head, own), tail
    return "", ""


def columns_of(header: list[str], line: int, mapping: TableMapping, log: Log, extra: tuple[str, ...]) -> Columns:
    """What the columns under a header hold; what is not known is told, and counted in ``log.counts``."""
    known = names.vocabulary()
    found = Columns()
    long = {known.columns.get(names.normal(cell)) for cell in header} >= {"name", "value"} or mapping.form == "long"
    for index, cell in enumerate(header):
        form = names.normal(cell)
        bare, unit = names.split_header(cell)
        target = mapping.columns.get(form) or mapping.columns.get(names.normal(bare), "")
        role = target or known.columns.get(form) or _role(names.normal(bare), unit)
        if form in extra or names.normal(bare) in extra:
            found.further[form if form in extra else names.normal(bare)] = index
        elif not form:
            found.ignored[index] = "without a name"
        elif target == "ignore" or form in known.ignored:
            found.ignored[index] = "not needed"
        elif form in known.identifiers:
            found.ignored[index] = "an identifier"
            log.note("columns with names, addresses or other identifiers are in the file; they were not read")
        elif target in all_analytes() or target in names.FACTS:
            named, own_unit = split_name(cell, mapping.names)
            own_unit = own_unit if named == target else unit
            found.items[index] = (target, own_unit or mapping.name_units.get(target, ""))
        elif role:
            if role not in found.roles or role in ("name", "comment"):
                found.roles[role] = (*found.roles.get(role, ()), index)
            else:
                found.ignored[index] = f"a second column for '{role}'"
                log.note(f"a second column for '{role}' ({cell[:40]}) was not read")
        elif not long and (item := split_name(cell, mapping.names))[0]:
            found.items[index] = item
        elif is_formula(cell):
            found.ignored[index] = "a formula"
            log.aside(
                line, "", "a column header is a spreadsheet formula", cell, "a name", "write the name of the column"
            )
        elif long:
            found.ignored[index] = "not known"
            log.note("columns that are not known were not read: see the documentation of records")
        else:
            found.unknown[index] = cell
    return found


def _role(bare: str, unit: str) -> str:
    return "day" if bare in ("day", "days", "time") and unit.lower() in ("day", "days", "d") else ""
