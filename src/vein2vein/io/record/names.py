"""What a record calls things -> analytes, facts, columns, values in words. Read from names.toml and words/."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import resources

from vein2vein import units
from vein2vein.analytes import all_analytes
from vein2vein.cards import parse_card
from vein2vein.io.record.meanings import normal as normal
from vein2vein.io.record.meanings import phrases, read_words, word_card

ATTRIBUTION, OVERRIDE = "attribution", "override"
LONGEST_HEADER = 200
TOLD = (  # said in words and shown as it stands: never graded, never inferred
    "allergies", "code_status", "access", "antiseizure", "antibiotics", "cultures", "taper", "pending", "contact",
)  # fmt: skip
FACTS = ("age", "birth_date", "sex", "height", "disease", "product", "infusion", "clock", *TOLD)
_LOINC = re.compile(r"\d{1,7}-\d")
_UNIT = re.compile(r"(.*?)\s*(?:\[(.*)\]|\((.*)\)|,\s*(\S+))")


@dataclass(frozen=True)
class Vocabulary:
    """Names in normal form.

    Attributes
    ----------
    names : mapping of str to str
        Analytes and facts, ``attribution`` and ``override``.
    columns : mapping of str to str
        Roles of columns.
    identifiers, ignored : frozenset of str
        Columns that hold identifiers, or nothing that is read.
    words : mapping of analyte to mapping of str to float
    yes_no : mapping of str to float
    nothing, unknown, below : frozenset of str
        Words that say that nothing was measured, that a value could not be had, or that it is below the assay's limit.
    running, stopped : frozenset of str
        Of a support or a drug.
    attributions : mapping of str to str
        Sign -> the analyte that says so.
    two_meanings : frozenset of str
        Names that a ward uses for two things: only their unit tells which.
    by_unit : mapping of str to (frozenset of str, str)
        Such names, the units that tell, and the analyte that they then mean.
    """

    names: Mapping[str, str]
    columns: Mapping[str, str]
    identifiers: frozenset[str]
    ignored: frozenset[str]
    words: Mapping[str, Mapping[str, float]]
    yes_no: Mapping[str, float]
    nothing: frozenset[str]
    unknown: frozenset[str]
    below: frozenset[str]
    running: frozenset[str]
    stopped: frozenset[str]
    attributions: Mapping[str, str]
    two_meanings: frozenset[str]
    by_unit: Mapping[str, tuple[frozenset[str], str]]
    codes: Mapping[tuple[str, str], tuple[str, str]] = field(default_factory=dict[tuple[str, str], tuple[str, str]])


@cache
def vocabulary() -> Vocabulary:
    """Every name that a record may use."""
    read = resources.files("vein2vein.io.record").joinpath("names.toml").read_text(encoding="utf-8")
    data = parse_card(read, "names.toml").data
    flags, support = word_card("flags").data, word_card("support").data
    names: dict[str, str] = {ATTRIBUTION: ATTRIBUTION, OVERRIDE: OVERRIDE}
    for fact, spelled in data["facts"].items():
        names.update({normal(s): fact for s in (fact, *spelled)})
    for analyte, spelled in (*data["analytes"].items(), *phrases().names.items()):
        names.update({normal(s): analyte for s in spelled})
    for analyte in all_analytes().values():
        names.setdefault(normal(analyte.title), analyte.name)
        names[normal(analyte.name)] = analyte.name
    return Vocabulary(
        names,
        {normal(s): role for role, spelled in data["columns"].items() for s in (role, *spelled)},
        frozenset(normal(s) for s in data["identifiers"]["columns"]),
        frozenset(normal(s) for s in data["ignored"]["columns"]),
        _words(data["words"]),
        {
            **{normal(w): 1.0 for w in data["yes_no"]["yes"]},
            **{normal(w): 0.0 for w in data["yes_no"]["no"]},
        },
        frozenset(normal(w) for w in flags["nothing"]["words"]),
        frozenset(normal(w) for w in flags["unknown"]["words"]),
        frozenset(normal(w) for w in data["below"]["words"]),
        frozenset(normal(w) for w in support["running"]["words"]),
        frozenset(normal(w) for w in support["stopped"]["words"]),
        dict(data["attributions"]),
        frozenset(normal(w) for w in data["two_meanings"]["names"]),
        {
            normal(name): (frozenset(units.spelled(unit) for unit in entry["units"]), entry["to"])
            for name, entry in data["by_unit"].items()
        },
        _codes(),
    )


def _words(listed: Mapping[str, Mapping[str, float]]) -> dict[str, dict[str, float]]:
    """Words of names.toml, and those of words/ that give one value."""
    found = {name: {normal(w): float(v) for w, v in words.items()} for name, words in listed.items()}
    for name, said in phrases().said.items():
        plain = {words: meanings[0].value for words, meanings in said.items() if len(meanings) == 1}
        found.setdefault(name, {}).update({w: v for w, v in plain.items() if v == v})  # NaN settles nothing
    return found


def _codes() -> dict[tuple[str, str], tuple[str, str]]:
    """(system, code) -> (what it names, mark)."""
    read = resources.files("vein2vein.io.record.fhir").joinpath("fhir_codes.toml").read_text(encoding="utf-8")
    data = parse_card(read, "fhir_codes.toml").data
    systems = data["systems"]
    found = {
        (systems[system], code): (str(entry["to"]), str(entry["mark"]))
        for system in ("loinc", "rxnorm", "snomed")
        for code, entry in data[system].items()
    }
    for system in ("icd10", "icd10cm"):
        found |= {(systems[system], code): (str(e["to"]), str(e["mark"])) for code, e in data["icd10"].items()}
    loinc = systems["loinc"]
    for analyte in all_analytes().values():  # every code of the closed list is known here too
        if analyte.loinc:
            found.setdefault((loinc, analyte.loinc), (analyte.name, "M"))
    return found


@cache
def system(name: str) -> str:
    """Address of a code system, such as ``loinc``."""
    read = resources.files("vein2vein.io.record.fhir").joinpath("fhir_codes.toml").read_text(encoding="utf-8")
    return str(parse_card(read, "fhir_codes.toml").data["systems"][name])


def find_name(text: str, own: Mapping[str, str] | None = None, unit: str = "") -> str:
    """Analyte or fact of this name or LOINC code; "" where it is unknown. ``own`` names come first.

    A name that means two things (``flu``, ``CTX``) is known only with a ``unit`` that tells which.
    """
    form = normal(text)
    if own and form in own:
        return own[form]
    known = vocabulary()
    if _LOINC.fullmatch(text.strip()):
        return known.codes.get((system("loinc"), text.strip()), ("", ""))[0]
    if form in known.names:
        return known.names[form]
    if unit.strip() and form in known.by_unit:
        wanted, name = known.by_unit[form]
        return name if units.spelled(unit) in wanted else ""
    return ""


def split_header(text: str) -> tuple[str, str]:
    """A header such as "ferritin [ng/mL]" as name and unit ("" without one)."""
    match = _UNIT.fullmatch(text.strip()) if len(text) <= LONGEST_HEADER else None
    if not match or not match[1]:
        return text.strip(), ""
    return match[1].strip(), (match[2] or match[3] or match[4] or "").strip()


def in_words(name: str, text: str) -> float | None:
    """Value of an analyte given in words; NaN where they are understood and settle none, None where they are not."""
    known, form = vocabulary(), normal(text)
    meanings = read_words(name, text)
    if meanings is not None:
        return next((one.value for one in meanings if one.analyte == name), math.nan)
    if form in known.words.get(name, {}):
        return known.words[name][form]
    analyte = all_analytes().get(name)
    if analyte and analyte.unit == "1" and (analyte.low, analyte.high) == (0, 1) and form in known.yes_no:
        return known.yes_no[form]
    return None
