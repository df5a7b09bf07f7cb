"""Which column of a data set means what: the usual names, and what a user says that differs from them."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import cache
from pathlib import Path
from typing import Annotated

from vein2vein.card_reading import read
from vein2vein.cards import Card, bundled_card, read_card
from vein2vein.declared import Record, listed, part, text
from vein2vein.errors import InputError, unknown
from vein2vein.io.record.record import plain

CARD = "io/study/columns.toml"
ENDING = ".columns.toml"
NONMEM, MONOLIX, NLMIXR = "NONMEM", "Monolix", "nlmixr"
ORDERS = ("dmy", "mdy", "ymd", "ydm")
DATES = {"dat1": "dmy", "dat2": "ymd", "dat3": "ydm"}
"""Columns whose name says the order of day, month and year, as NONMEM has it."""
AGAIN = "dvid again"
"""Role of a second column of endpoints: it is held against the first."""
Code = str | int | float
_BRACKETS = re.compile(r"(.*?)\s*[\[(]\s*([^\])]+?)\s*[\])]$")


@dataclass(frozen=True)
class TimeColumn(Record):
    """The column of times, and their unit."""

    column: Annotated[str, text("Its header")] = ""
    unit: Annotated[str, text("Unit of the times, such as d or h")] = ""


@dataclass(frozen=True)
class EndpointRows(Record):
    """Which rows are observations of an endpoint, and the endpoint's unit."""

    dvid: Annotated[Code, part("Code of the endpoint in the column DVID")] = ""
    cmt: Annotated[Code, part("Its compartment, where there is no DVID")] = ""
    unit: Annotated[str, text("Unit of its values")] = ""

    def faults(self) -> Iterator[tuple[str, str]]:
        """It needs one of the codes."""
        if (self.dvid == "") == (self.cmt == ""):
            yield "dvid", "expected either dvid or cmt: the code of the endpoint's rows."


@dataclass(frozen=True)
class DoseRows(Record):
    """Which rows are doses of one kind."""

    cmt: Annotated[Code, part("Compartment (CMT) or administration (ADM) of the doses")]


@dataclass(frozen=True)
class Columns(Record):
    """What differs from the usual names of a data set: the table ``[data]`` of a fit, or the file beside a data set.

    Headers as the file spells them; "" takes the usual name.

    Attributes
    ----------
    time : TimeColumn
    endpoint, dose : mapping of name to record
        Names for codes. Codes that none names keep a name made of the code.
    covariates, ignore : tuple of str
        The columns that are covariates (none: all that have no other meaning), and those that are not read.
    codes : mapping of column to mapping of code to word
        Categories that stand in the file as numbers.
    missing : tuple of float
        Numbers that stand for a covariate that is not known, such as -99.
    date_order : str
        Order of day, month and year in dates such as 03/05/2026.
    """

    time: Annotated[TimeColumn, part("The column of times, and their unit", '{ column = "TIME", unit = "d" }')] = field(
        default_factory=TimeColumn
    )
    endpoint: Annotated[Mapping[str, EndpointRows], part("Endpoints by name", '{ dvid = 1, unit = "ng/mL" }')] = field(
        default_factory=dict[str, EndpointRows]
    )
    dose: Annotated[Mapping[str, DoseRows], part("Doses by name", "{ cmt = 1 }")] = field(
        default_factory=dict[str, DoseRows]
    )
    id: Annotated[str, text("Header of the subjects")] = ""
    date: Annotated[str, text("Header of the dates")] = ""
    dv: Annotated[str, text("Header of the observed values")] = ""
    amt: Annotated[str, text("Header of the amounts")] = ""
    evid: Annotated[str, text("Header of the kind of event")] = ""
    mdv: Annotated[str, text("Header of what is missing")] = ""
    cmt: Annotated[str, text("Header of the compartments")] = ""
    adm: Annotated[str, text("Header of the kinds of administration")] = ""
    dvid: Annotated[str, text("Header of the kind of observation")] = ""
    rate: Annotated[str, text("Header of the rates of infusions")] = ""
    duration: Annotated[str, text("Header of the durations of infusions")] = ""
    addl: Annotated[str, text("Header of the number of further doses")] = ""
    ii: Annotated[str, text("Header of the interval between doses")] = ""
    ss: Annotated[str, text("Header of the steady state")] = ""
    cens: Annotated[str, text("Header of the censoring: 1 below, -1 above the value")] = ""
    limit: Annotated[str, text("Header of the other end of a censored interval")] = ""
    blq: Annotated[str, text("Header of the flag below the limit of quantification")] = ""
    lloq: Annotated[str, text("Header of the limit of quantification")] = ""
    occ: Annotated[str, text("Header of the occasions")] = ""
    unit: Annotated[str, text("Header of the units of the values")] = ""
    covariates: Annotated[tuple[str, ...], listed("Columns that are covariates", '["WT", "AGE"]')] = ()
    ignore: Annotated[tuple[str, ...], listed("Columns that are not read", '["LNDV"]')] = ()
    codes: Annotated[Mapping[str, Mapping[str, str]], part("Words for the numbers of a column", '{ 1 = "yes" }')] = (
        field(default_factory=dict[str, Mapping[str, str]])
    )
    missing: Annotated[tuple[float, ...], listed("Numbers for a covariate that is not known", "[-99]")] = ()
    date_order: Annotated[str, text("Order of day, month and year", ("", *ORDERS))] = ""


HEADERS = tuple(one.name for one in fields(Columns) if one.default == "" and one.name != "date_order")
"""Roles whose header a user may say, beside time."""


def columns_from_card(card: Card, *path: str) -> Columns:
    """What a card says of the columns of a data set, from its table ``path`` (none: the whole card).

    Raises
    ------
    InputError
        A field is unknown or wrong: file, line and field.
    """
    return read(card, Columns, *path)


def columns_beside(path: Path) -> tuple[Columns, str]:
    """What the file ``NAME.columns.toml`` beside a data set says, and its name; nothing and "" where there is none."""
    beside = path.with_suffix(ENDING)
    if not beside.is_file():
        return Columns(), ""
    return columns_from_card(read_card(beside)), beside.name


def columns_said(said: str, path: Path) -> Columns:
    """What a text such as ``id=PAT,dv=COPIES`` says of the columns of a data set, over what the file beside it says.

    Raises
    ------
    InputError
        A part is no ROLE=NAME, or its role is none.
    """
    columns, _ = (Columns(), "") if str(path) == "-" else columns_beside(path)
    for part_said in said.split(","):
        role, sign, name = (one.strip() for one in part_said.partition("="))
        if not sign or not name:
            raise InputError(f"found '{part_said}', expected ROLE=NAME, such as dv=COPIES.", field="--columns")
        if role.lower() == "time":
            columns = replace(columns, time=replace(columns.time, column=name))
        elif role.lower() in HEADERS:
            columns = replace(columns, **{role.lower(): name})
        else:
            raise InputError(unknown("role of a column", role, ["time", *HEADERS]), field="--columns")
    return columns


def has_columns_beside(path: Path) -> bool:
    """Whether a file beside a table says what its columns are: it is then a data set, whatever their names."""
    return str(path) != "-" and path.with_suffix(ENDING).is_file()


@cache
def usual_names() -> Mapping[str, tuple[str, ...]]:
    """The usual names of each role, in normal form, the first best."""
    card = bundled_card(CARD)
    return {role: card.texts("names", role) for role in card.table("names")}


@cache
def missing_texts() -> frozenset[str]:
    """What stands where there is no value, in small letters."""
    return frozenset(bundled_card(CARD).texts("missing"))


@cache
def marks() -> Mapping[str, float]:
    """Words for 1 and 0 in columns of marks, in small letters."""
    return {word: float(value) for word, value in bundled_card(CARD).table("marks").items()}


@cache
def comment_signs() -> tuple[str, ...]:
    """What stands first in a row that is a comment, in small letters."""
    return bundled_card(CARD).texts("comments")


@cache
def below_words() -> frozenset[str]:
    """What stands for a value below the limit of quantification, in small letters."""
    return frozenset(bundled_card(CARD).texts("below"))


def normal(header: str) -> str:
    """A header without case, brackets, blanks, dots and underscores."""
    bare = match[1] if (match := _BRACKETS.fullmatch(header.strip())) else header
    return re.sub(r"[\s._#\"\ufeff-]", "", bare).lower()


def _unit_of(header: str) -> tuple[str, str]:
    """A header without its unit, in normal form, and the unit: in brackets, or as a last word of time."""
    if match := _BRACKETS.fullmatch(header.strip()):
        return normal(match[1]), match[2]
    words = re.split(r"[\s._]+", header.strip().lower())
    unit: str | None = bundled_card(CARD).table("unit_words").get(words[-1])
    if unit and len(words) > 1 and normal("".join(words[:-1])) in usual_names()["time"]:
        return normal("".join(words[:-1])), unit
    return normal(header), unit if unit and len(words) == 1 and len(words[0]) > 1 else ""


def is_data_set(header: Iterable[str]) -> bool:
    """Whether a header is that of a data set of NONMEM, Monolix or nlmixr."""
    there = {_unit_of(cell)[0] for cell in header}
    if there.issuperset(bundled_card(CARD).texts("detects", "alone")):
        return True
    groups: Sequence[Sequence[str]] = bundled_card(CARD).get("detects", "groups")
    return all(any(there & set(usual_names()[role]) for role in group) for group in groups)


@dataclass(frozen=True)
class Layout:
    """Where each role stands in the rows of one file.

    Attributes
    ----------
    header : tuple of str
        As the file spells it.
    places : mapping of role to int
    units : mapping of role to str
        Units that the headers name.
    covariates : mapping of str to int
        Columns without another role.
    program : str
        Whose conventions the header follows, as far as it tells.
    notes : tuple of str
    """

    header: tuple[str, ...]
    places: Mapping[str, int]
    units: Mapping[str, str]
    covariates: Mapping[str, int]
    program: str
    notes: tuple[str, ...] = ()

    def __contains__(self, role: str) -> bool:
        return role in self.places

    def name(self, role: str) -> str:
        """The header of a role; its usual name where there is none."""
        return self.header[self.places[role]] if role in self.places else role.upper()


def laid_out(header: Sequence[str], columns: Columns, file: str, line: int) -> Layout:
    """Decide what each column means.

    Raises
    ------
    InputError
        A column stands twice, one that is named does not exist, or no column holds subjects, times or values.
    """
    shown = tuple(cell.strip() for cell in header)
    for one in shown:
        if any(unicodedata.category(sign) == "Cc" for sign in one):
            raise InputError("this name holds a control character; rename it.", file=file, line=line, field=plain(one))
    twice = sorted({one for one in shown if one and shown.count(one) > 1})
    if twice:
        raise InputError("this column stands twice; rename one of them.", file=file, line=line, field=twice[0])
    places, units_of, notes = dict[str, int](), dict[str, str](), list[str]()
    bare = [_unit_of(cell) for cell in shown]
    lower = {cell.lower(): i for i, cell in enumerate(shown)}
    left_out = {_place(one, lower, shown, file, line, "ignore") for one in columns.ignore}
    for role in usual_names():
        told = columns.time.column if role == "time" else str(getattr(columns, role, ""))
        if told:
            at = _place(told, lower, shown, file, line, role)
            if at in places.values():
                other = next(one for one, place in places.items() if place == at)
                raise InputError(f"named for {other} and for {role}; give each a column of its own, or leave one out.",
                                 file=file, line=line, field=shown[at])  # fmt: skip
            places[role] = at
    named = {*left_out, *places.values(), *(_place(one, lower, shown, file, line, "covariates")
             for one in columns.covariates)}  # fmt: skip
    for role, usual in usual_names().items():
        found = [i for name in usual for i, (own, _) in enumerate(bare) if own == name and i not in named]
        if role in places or not found:
            continue
        places[role] = found[0]
        if len(found) > 1:
            others = ", ".join(shown[i] for i in found[1:])
            if role == "dvid":
                places[AGAIN] = found[1]
            notes.append(f"{shown[found[0]]} is read as {role}, not {others}")
    for role, place in places.items():
        if bare[place][1]:
            units_of[role] = bare[place][1]
    for one in columns.codes:
        if one not in shown:
            said = unknown("column", one, [name for name in shown if name])
            raise InputError(said, file=file, line=line, field=f"codes.{one}")
    for role in ("id", "dv"):
        if role not in places:
            raise InputError(_lacking(role, shown), file=file, line=line, field=role.upper())
    if "time" not in places and "date" not in places:
        raise InputError(_lacking("time", shown), file=file, line=line, field="TIME")
    rest = {cell: i for i, cell in enumerate(shown) if cell and i not in {*places.values(), *left_out}}
    if columns.covariates:
        rest = {
            shown[i]: i for i in (_place(one, lower, shown, file, line, "covariates") for one in columns.covariates)
        }
    return Layout(shown, places, units_of, rest, _program([own for own, _ in bare]), tuple(notes))


def _place(told: str, lower: Mapping[str, int], shown: Sequence[str], file: str, line: int, role: str) -> int:
    if told.strip().lower() not in lower:
        raise InputError(unknown("column", told, [one for one in shown if one]), file=file, line=line, field=role)
    return lower[told.strip().lower()]


def _lacking(role: str, shown: Sequence[str]) -> str:
    usual = ", ".join(name.upper() for name in usual_names()[role][:3])
    there = ", ".join(one for one in shown if one)[:120]
    field_of = 'time = { column = "..." }' if role == "time" else f'{role} = "..."'
    remedy = f"name it: --columns {role}=..., or {field_of} in NAME{ENDING} beside it."
    return f"no column holds it ({usual} or the like; found {there}); {remedy}"


def _program(bare: Sequence[str]) -> str:
    card, evid = bundled_card(CARD), set(usual_names()["evid"]) & set(bare)
    for program in card.table("program"):
        telling = set(card.texts("program", program, "always"))
        telling |= set() if evid else set(card.texts("program", program, "without_evid"))
        if telling & set(bare):
            return str(program)
    return NONMEM
