"""Public formats of tables, found by their headers: their rows as rows of the long form. Read from formats/*.toml."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources

from vein2vein.cards import parse_card
from vein2vein.io.record import names
from vein2vein.therapy.product import all_products

FILES = ("sdtm", "omop", "mimic", "flowsheet")
ROLES = ("patient", "day", "date", "name", "value", "unit", "until", "limit", "author", "comment")
"""Columns of the long form that a preset fills, in this order."""
BIRTH, BIRTH_PARTS = "birth_date", "birth_parts"
FACTS = ("age", "sex", BIRTH)
NONE = "none"  # in a mapping: no public format is looked for
MOST_TOLD = 12  # reasons why rows were not read, and codes of no use
NO_ANALYTE = "code: "
STUDY_DAY = "study day"
INFUSION = "car_t_infusion"
Row = tuple[int, list[str]]


@dataclass(frozen=True)
class Preset:
    """A table of a public format.

    Attributes
    ----------
    name, title, family : str
        ``sdtm_lb``, its title, and the format it belongs to.
    needs : tuple of tuple of str
        Headers in normal form: of each group one must be there.
    columns : mapping of str to tuple of str
        Role -> headers, the first that is filled holds; ``unit`` is paired with ``value``.
    names : mapping of str to str
        Code -> analyte, name as records write it, or both with a value ("oxygen_device = 1"); "" is no analyte.
    products : bool
        Whether the name of a CAR-T product is its infusion.
    place : str
        What an unknown name of this table is: ``drug``, ``vital sign`` or "".
    closed : bool
        The codes are a closed list: one that is not in ``names`` is something else.
    numbered : frozenset of str
        Codes of which the last of the values is read, the number beside the words.
    empty : str
        Value of a row without one.
    only, never : mapping of header to frozenset of str
        Values of a row that is read, or is not.
    units, values, operators : mapping of str to str
    infusion : str
        Where the infusion stands.
    nothing : str
        What a table holds that has no values; "" where it has. Of one that says who the patients are the ``FACTS`` are
        read.
    """

    name: str
    title: str
    family: str
    needs: tuple[tuple[str, ...], ...]
    columns: Mapping[str, tuple[str, ...]]
    names: Mapping[str, str]
    products: bool
    place: str
    closed: bool
    numbered: frozenset[str]
    empty: str
    only: Mapping[str, frozenset[str]]
    never: Mapping[str, frozenset[str]]
    units: Mapping[str, str]
    values: Mapping[str, str]
    operators: Mapping[str, str]
    infusion: str
    nothing: str


@cache
def all_presets() -> dict[str, Preset]:
    """Every preset by name."""
    found: dict[str, Preset] = {}
    for file in FILES:
        text = resources.files("vein2vein.io.record").joinpath("formats", f"{file}.toml").read_text(encoding="utf-8")
        data = parse_card(text, f"{file}.toml").data
        lists = data.get("names", {})
        for key, table in data["tables"].items():
            found[f"{file}_{key}"] = Preset(
                f"{file}_{key}",
                f"{data['title']}: {table['title']}",
                data["title"],
                tuple(tuple(group) for group in table["needs"]),
                {role: tuple(headers) for role, headers in table.get("columns", {}).items()},
                {code.lower(): name for one in table.get("names", ()) for code, name in lists[one].items()},
                table.get("products", False),
                table.get("place", ""),
                table.get("closed", False),
                frozenset(table.get("numbered", ())),
                table.get("empty", ""),
                _sets(table.get("only", {})),
                _sets(table.get("never", {})),
                data.get("units", {}),
                data.get("values", {}),
                data.get("operators", {}),
                data["infusion"],
                table.get("nothing", ""),
            )
    return found


def _sets(table: Mapping[str, Iterable[str]]) -> dict[str, frozenset[str]]:
    return {header: frozenset(values) for header, values in table.items()}


@cache
def _products() -> dict[str, str]:
    """Every name of a product: its infusion."""
    found = (name for p in all_products().values() for name in (p.name, p.title, p.brand, *p.synonyms) if len(name) > 3)
    return {names.normal(name): INFUSION for name in found}


def find_preset(header: Sequence[str], given: str = "") -> Preset | None:
    """The preset that a mapping names, or whose headers are all there."""
    if given:
        return all_presets().get(given)
    there = {names.normal(cell) for cell in header}
    fits = (p for p in all_presets().values() if all(there & set(group) for group in p.needs))
    return next(fits, None)


def read_columns(preset: Preset, header: Sequence[str], own: Mapping[str, str]) -> dict[str, list[int]]:
    """Role -> columns of the file in the order in which the preset prefers them (-1: not there).

    Parameters
    ----------
    own : mapping of header (normal form) to role
        What a mapping says; it comes first.
    """
    at: dict[str, int] = {}
    for index, cell in enumerate(header):
        at.setdefault(names.normal(cell), index)
    found = {role: [at.get(h, -1) for h in headers] for role, headers in preset.columns.items()}
    for form, role in own.items():
        if form in at and role in (*ROLES, "ignore"):
            found = {r: [-1 if c == at[form] else c for c in columns] for r, columns in found.items()}
            if role in ROLES:
                role = "code" if role == "name" else role
                found[role] = [at[form], *found.get(role, [])]
                if role == "value":
                    found["unit"] = [-1, *found.get("unit", [])]
    return found


def standard_rows(
    preset: Preset, listed: Iterable[Row], header: Sequence[str], own: Mapping[str, str], left: Counter[str]
) -> Iterator[Row]:
    """Rows of a table of a public format as rows of the long form with the columns ``ROLES``; a fact is a row, too.

    Parameters
    ----------
    left : Counter
        Counts what was left out, by reason.
    """
    at = read_columns(preset, header, own)
    if preset.nothing:
        yield from _facts(preset, listed, at)
        return
    code, label, value, unit = (at.get(role, []) for role in ("code", "label", "value", "unit"))
    operator, spelled, study_day = (at.get(role, []) for role in ("operator", "spelled", "study_day"))
    places = {names.normal(cell): index for index, cell in enumerate(header)}
    checks = [
        (places[h], allowed, keep, header[places[h]])
        for table, keep in ((preset.only, True), (preset.never, False))
        for h, allowed in table.items()
        if h in places
    ]
    concepts = {index for index in value if index >= 0 and names.normal(header[index]).endswith("concept id")}
    plain = [at.get(role, []) for role in ("patient", "day", "date", "until", "limit", "author", "comment")]
    for number, cells in listed:
        if out := _left_out(cells, checks):
            left[out] += 1
            continue
        key, text = _first(cells, code), _first(cells, label)
        target, fixed = _target(preset, key, text)
        if not target:
            if key or text:
                left[NO_ANALYTE + (key or text)] += 1
            continue
        patient, day, date, until, limit, author, comment = (_first(cells, columns) for columns in plain)
        if not (day or date) and (counted := _first(cells, study_day)):
            date = f"{STUDY_DAY} {counted}"
        columns = value[::-1] if key in preset.numbered else value
        amount, amount_unit = _amount(preset, cells, columns, unit, concepts)
        if amount_unit == "" and spelled:
            amount_unit = _first(cells, spelled)
        if fixed:
            amount, amount_unit = fixed, ""
        sign = preset.operators.get(_first(cells, operator), "") if operator else ""
        row = [patient, day, date, target, sign + amount, amount_unit, until, limit, author, comment]
        yield number, row


def _facts(preset: Preset, listed: Iterable[Row], at: Mapping[str, list[int]]) -> Iterator[Row]:
    for number, cells in listed:
        patient, unit = _first(cells, at.get("patient", [])), _first(cells, at.get("age_unit", []))
        for fact in FACTS:
            text = _first(cells, at.get(fact, []))
            if fact == BIRTH and not text:
                text = _birth(cells, at.get(BIRTH_PARTS, []))
            if text:
                value = preset.values.get(text, text)
                yield number, [patient, "", "", fact, value, unit.lower() if fact == "age" else "", "", "", "", ""]


def _birth(cells: list[str], columns: Sequence[int]) -> str:
    """Year, month and day of a birth as one date, as far as they are known; "" without a year."""
    parts: list[str] = []
    for index in columns:
        text = _first(cells, [index]).removesuffix(".0")
        if not text.isdigit() or not int(text):
            break
        parts.append(text.zfill(2))
    return "-".join(parts)


def say_left_out(preset: Preset, left: Counter[str]) -> Iterator[str]:
    """What was left out, in sentences."""
    codes = {why.removeprefix(NO_ANALYTE): n for why, n in left.most_common() if why.startswith(NO_ANALYTE)}
    if codes:
        listed = ", ".join(f"{code[:40]} ({n})" for code, n in list(codes.items())[:MOST_TOLD])
        more = f", and {len(codes) - MOST_TOLD} further" if len(codes) > MOST_TOLD else ""
        yield f"{preset.title}: rows of codes that are none of the analytes were not read: {listed}{more}"
    others = [(why, n) for why, n in left.most_common() if not why.startswith(NO_ANALYTE)]
    for why, count in others[:MOST_TOLD]:
        yield f"{preset.title}: {count} row{'s' if count > 1 else ''} not read, as {why}"


def _left_out(cells: list[str], checks: Sequence[tuple[int, frozenset[str], bool, str]]) -> str:
    for index, allowed, keep, header in checks:
        found = names.normal(cells[index])
        if (found in allowed) != keep:
            return f"{header} is {cells[index].strip()[:40]}"
    return ""


def _first(cells: list[str], columns: Sequence[int]) -> str:
    for index in columns:
        if index >= 0 and (text := cells[index].strip()):
            return text
    return ""


def _target(preset: Preset, key: str, text: str) -> tuple[str, str]:
    """The name under which a row is read, and a value that the code itself says."""
    for one in (key, text):
        found = preset.names.get(one.lower())
        if found is None and preset.products and one:
            found = _products().get(names.normal(one))
        if found is not None:
            name, equals, value = found.partition(" = ")
            return name, value if equals else ""
    if preset.closed:
        return "", ""
    if key.isdigit():  # a concept without a name of its own
        return text or f"{preset.title.rpartition(' ')[2]} {key}", ""
    return (key if not text or names.find_name(key) else text), ""


def _amount(
    preset: Preset, cells: list[str], value: Sequence[int], unit: Sequence[int], concepts: Collection[int]
) -> tuple[str, str]:
    """The first value that is filled, with the unit beside it; the number of a concept is never taken as a value."""
    for place, index in enumerate(value):
        text = cells[index].strip() if index >= 0 else ""
        if index in concepts and text:
            known = preset.values.get(text)
            text = known if known is not None else f"concept {text}"
        if text:
            beside = cells[unit[place]].strip() if place < len(unit) and unit[place] >= 0 else ""
            return text, preset.units.get(beside, beside)
    return preset.empty, ""
