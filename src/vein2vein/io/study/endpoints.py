"""Which endpoint each observation is of: by DVID, else by CMT; and the unit of its values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from vein2vein import units
from vein2vein.errors import InputError
from vein2vein.io.record.record import Log
from vein2vein.io.study.columns import AGAIN, Columns, Layout
from vein2vein.io.study.doses import number_text
from vein2vein.io.study.study import Endpoint
from vein2vein.io.study.table import Cells

ONLY = "dv"  # the name of the only endpoint of a file that does not name it


@dataclass(frozen=True)
class Endpoints:
    """The endpoints of a file, and of each observation its position among them (-1: not known, set aside)."""

    endpoints: tuple[Endpoint, ...]
    position: tuple[int, ...]


def endpoints_of(rows: Sequence[Cells], layout: Layout, columns: Columns, log: Log) -> Endpoints:
    """The endpoint of each observation.

    Parameters
    ----------
    rows : sequence of Cells
        The observations.
    layout : Layout
    columns : Columns
    log : Log
    """
    role = next((one for one in ("dvid", "cmt") if any(row.text.get(one) for row in rows)), "")
    codes = [number_text(row.text[role]) if role else "" for row in rows]
    if role == "dvid" and "cmt" in layout:
        _check_compartments(rows, codes, layout, log)
    if role == "dvid" and AGAIN in layout:
        _check_twice(rows, codes, layout, log)
    known = sorted({code for code in codes if code}, key=lambda code: (_order(code), codes.index(code)))
    names = {code: _name(code, role, known, columns) for code in known} or {"": next(iter(columns.endpoint), ONLY)}
    unit_of = _units(rows, codes, names, layout, columns, log)
    listed = tuple(Endpoint(names[code], code, unit_of[code]) for code in names)
    places = {code: place for place, code in enumerate(names)}
    for row in rows:
        if role and not row.text[role]:
            log.aside(row.line, layout.name(role), "an observation of no kind, where others have one", "",
                      f"one of {', '.join(known[:6])}", "say what was measured")  # fmt: skip
    for name, one in columns.endpoint.items():
        said = number_text(str(one.dvid if one.dvid != "" else one.cmt))
        if known and said not in known:
            where = layout.name("dvid" if one.dvid != "" else "cmt")
            log.aside(None, where, f"no observation of the endpoint {name}", said, f"one of {', '.join(known[:6])}",
                      f"correct the code of endpoint.{name}")  # fmt: skip
    return Endpoints(listed, tuple(places.get(code, -1) for code in codes))


def _check_compartments(rows: Sequence[Cells], codes: Sequence[str], layout: Layout, log: Log) -> None:
    """Refuse a code of DVID that stands in two compartments: which of the two columns is right?"""
    first: dict[str, tuple[str, int]] = {}
    for row, code in zip(rows, codes):
        compartment = number_text(row.text["cmt"])
        held, line = first.setdefault(code, (compartment, row.line)) if compartment else ("", 0)
        if code and compartment != held:
            log.aside(
                row.line, layout.name("cmt"),
                f"{layout.name('dvid')} {code} was observed in another compartment before: the two columns disagree",
                compartment, f"{held}, as in line {line}", "correct one, or leave one column out",
            )  # fmt: skip


def _check_twice(rows: Sequence[Cells], codes: Sequence[str], layout: Layout, log: Log) -> None:
    """Refuse two columns of endpoints (DVID and YTYPE) that tell rows apart in different ways."""
    to: dict[str, str] = {}
    back: dict[str, str] = {}
    for row, code in zip(rows, codes):
        other = number_text(row.text[AGAIN])
        if not code or not other:
            continue
        if to.setdefault(code, other) != other or back.setdefault(other, code) != code:
            log.aside(
                row.line, layout.name(AGAIN), f"{layout.name('dvid')} and {layout.name(AGAIN)} disagree on which rows "
                "are of one kind", f"{code} and {other}",
                f"{code} with {to[code]}, {other} with {back.get(other, code)}",
                "correct one, or leave one column out",
            )  # fmt: skip


def _order(code: str) -> float:
    try:
        return float(code)
    except ValueError:
        return 0.0


def _name(code: str, role: str, known: Sequence[str], columns: Columns) -> str:
    for name, one in columns.endpoint.items():
        if code == number_text(str(one.dvid if role == "dvid" else one.cmt)):
            return name
    if not _is_number(code):
        return code
    return ONLY if len(known) == 1 else f"{role}_{code}"


def _is_number(code: str) -> bool:
    return code.replace(".", "", 1).lstrip("-").isdigit()


def _units(
    rows: Sequence[Cells], codes: Sequence[str], names: dict[str, str], layout: Layout, columns: Columns, log: Log
) -> dict[str, str]:
    """The unit of each endpoint; two units of one endpoint are refused, two spellings of one unit are not."""
    found = dict.fromkeys(names, layout.units.get("dv", ""))
    first: dict[str, tuple[str, int]] = {}
    for row, code in zip(rows, codes):
        said = row.text.get("unit", "")
        if not said or code not in names:
            continue
        held, line = first.setdefault(code, (said, row.line))
        if said != held and not _same(said, held):
            log.aside(row.line, layout.name("unit"), f"two units of {names[code]}", said, f"{held}, as in line {line}",
                      "convert the values to one unit")  # fmt: skip
        found[code] = held
    for code, name in names.items():
        if (one := columns.endpoint.get(name)) and one.unit:
            found[code] = one.unit
    return found


def _same(one: str, other: str) -> bool:
    """Whether two spellings are one unit."""
    try:
        return units.convert(1.0, one, other) == 1.0
    except InputError:
        return False
