"""A charted value as it stands in a file -> what it says: words, numbers with flags, bounds and units, amounts."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from functools import cache
from typing import Any, NamedTuple

import numpy as np

from vein2vein.analytes import Analyte, all_analytes
from vein2vein.errors import InputError
from vein2vein.io.record import names
from vein2vein.io.record.beside import bare, letters
from vein2vein.io.record.mapping import TableMapping
from vein2vein.io.record.meanings import (
    AT_LEAST,
    AT_MOST,
    BELOW,
    LONGEST_TEXT,
    Meaning,
    Meanings,
    names_device,
    phrases,
    read_words,
    word_card,
)
from vein2vein.io.record.quantities import line_of, needs_unit, to_canonical, unverified_conversion
from vein2vein.io.record.record import Entry, Log
from vein2vein.io.record.values import NotANumber, Parsed, is_formula, parse_value
from vein2vein.units import is_unit

MOST_WHOLE = 50  # an analyte without unit that ends below this is a score or flag: whole numbers only
UNREAD = math.nan
ABOVE = ">"
OUT_OF = {"ice": 10, "cartox_score": 10, "gcs_total": 15, "capd": 32}  # the most that a score is written out of
AT_HOME = {"oxygen_device": "home_oxygen", "oxygen_flow": "home_oxygen_flow"}
FLOW_LITERS = ("L", "l", "liters", "liter")
VOLUMES = ("mL", "ml", "cc", "L", "l", "mL/kg", "ml/kg", "cc/kg")
PUSHES = (*VOLUMES, "mg", "ug", "mcg", "amp", "ampoule")
_PLAIN = re.compile(r"[+-]?\d+(?:[.,]\d+)?")
_PART = re.compile(r"(\d{1,2})\s*(?:/|of|out of)\s*(\d{1,2})\b\s*(.*)", re.IGNORECASE | re.DOTALL)
_GCS = re.compile(r"E\s*(\d|C|NT)\D{0,3}V\s*(\d|T|NT)\D{0,3}M\s*(\d|NT)", re.IGNORECASE)
_RANGE = re.compile(
    r"(\d+(?:[.,]\d+)?)\s*(?:→|->|=>|-|–|—|\bto\b|\bbis\b)\s*(\d+(?:[.,]\d+)?)(.*)", re.IGNORECASE | re.DOTALL
)
_OFF = re.compile(r"(?:→|->|=>)\s*0(?:[.,]0+)?\s*$")
_PRESSURE = re.compile(r"(\d{2,3})\s*/\s*(\d{2,3})\b\s*(?:mm\s*\[?hg\]?)?\s*(\(.*\))?", re.IGNORECASE)
_SATURATION = re.compile(r"(\d{2,3})\s*%?\s+(?=\D|\d+\s*l)(.+)", re.IGNORECASE | re.DOTALL)


class NotRead(Exception):
    """Why a value is not understood: what, found, expected, remedy."""

    def __init__(self, what: str, found: str, expected: str, remedy: str) -> None:
        super().__init__(what)
        self.what, self.found, self.expected, self.remedy = what, found, expected, remedy


class Sheet(NamedTuple):
    """How the values of a file are read: its mapping, decimal sign, where notes go; and the patient's weight in kg."""

    mapping: TableMapping
    decimal: str | None
    log: Log
    weight: float


def is_whole(analyte: Analyte) -> bool:
    """Whether only whole numbers are values of it."""
    return analyte.unit == "1" and analyte.kind != "lab" and analyte.high <= MOST_WHOLE


def read_value(entry: Entry, analyte: Analyte, sheet: Sheet) -> Meanings:
    """What an entry says, of its own analyte first; () where nothing was measured.

    Raises
    ------
    NotRead
        It is charted and not understood.
    """
    if not isinstance(entry.value, str):
        return _amount(entry, analyte, sheet, Parsed(float(entry.value), "", ""))
    text = entry.value.strip()
    if len(text) > LONGEST_TEXT:
        raise NotRead("too long for a value", text, "a number or a few words", "write the value alone")
    own = sheet.mapping.words.get(analyte.name, {})
    if not _PLAIN.fullmatch(text) or own:
        found = _in_words(entry, analyte, sheet, text, own)
        if found is not None:
            return found
    return _number(entry, analyte, sheet, text)


# ---------------------------------------------------------------- words


def _in_words(entry: Entry, analyte: Analyte, sheet: Sheet, text: str, own: Mapping[str, float]) -> Meanings | None:
    known = names.vocabulary()
    name, graded = analyte.name, analyte.kind not in ("lab", "disease")
    if text == "?" and graded:
        return (Meaning(name, UNREAD),)
    text = _symbols(text, text, graded=graded)
    form, formula = names.normal(text) if text != "?" else "?", bool(names.normal(text)) and is_formula(text)
    if form in known.nothing and form not in own and not formula:
        return (Meaning(name, UNREAD),) if graded and form in known.unknown else ()
    said = read_words(name, text, own)
    if said is not None:
        return said
    if name == "home_oxygen" and (device := read_words("oxygen_device", text)) is not None:
        return tuple(one._replace(analyte=AT_HOME[one.analyte]) for one in device if one.analyte in AT_HOME)
    if form in known.words.get(name, {}):
        return (Meaning(name, known.words[name][form]),)
    if graded and form in known.unknown:
        return (Meaning(name, UNREAD),)
    if name == "fluid_boluses":
        fluids = word_card("support").data["said_of_fluids"]
        if form in map(names.normal, fluids["no_bolus"]):
            return ()
        if form in map(names.normal, fluids["bolus"]) or (
            any(names.normal(w) in form.split() for w in fluids["bolus"]) and re.search(r"\d", text)
        ):
            return (Meaning(name, 1.0, AT_LEAST),)
    if analyte.kind in ("support", "treatment") and name not in ("oxygen_device", "home_oxygen"):
        words = frozenset(form.split())
        runs = form in known.running or not (
            words.isdisjoint(known.running)
            or words & known.stopped
            or _PLAIN.match(text)
            or "?" in text
            or {w for w in words if len(w) > 1} & (phrases().negates | phrases().doubts)
        )
        if runs or form in known.stopped:
            return (_runs(analyte) if runs else Meaning(name, 0.0),)
    if analyte.unit == "1" and (analyte.low, analyte.high) == (0, 1) and form in known.yes_no:
        return (Meaning(name, known.yes_no[form]),)
    if form in known.below and not formula:
        return _below_limit(entry, analyte, sheet)
    if name in ("oxygen_flow", "fio2") and (not _PLAIN.match(text) or names_device(text)):  # "2L NC" under O2
        return read_words("oxygen_device", text)
    if name == "spo2" and (match := _SATURATION.fullmatch(text)):
        device = read_words("oxygen_device", match[2])
        if device is not None:
            return (*_amount(entry, analyte, sheet, Parsed(float(match[1]), "", "")), *device)
    return None


def _symbols(text: str, charted: str, *, graded: bool) -> str:
    """A text of symbols alone as the word that it stands for; a blank as it is."""
    listed = word_card("flags").data["symbols"]
    if not text or names.normal(text) or text in listed["blank"]:
        return text
    if graded and (word := next((w for w in ("yes", "no") if text.replace(" ", "") in listed[w]), "")):
        return word
    raise NotRead("symbols without a word or a number", charted, "a number or a word", "write what is meant in words")


def _runs(analyte: Analyte) -> Meaning:
    """It runs, or was given: how much is not known."""
    if is_whole(analyte):
        return Meaning(analyte.name, 1.0, "" if analyte.high == 1 else AT_LEAST)
    return Meaning(analyte.name, 0.0, ABOVE)


def _below_limit(entry: Entry, analyte: Analyte, sheet: Sheet) -> Meanings:
    """A value that is only known to be below the limit of its assay."""
    if entry.limit:
        try:
            found = parse_value(entry.limit, sheet.decimal)
        except NotANumber as problem:
            raise NotRead(problem.what, entry.limit, problem.expected, problem.remedy) from None
        return _amount(entry, analyte, sheet, Parsed(found.value, found.unit, BELOW))
    if analyte.name in sheet.mapping.lloq:
        return (Meaning(analyte.name, sheet.mapping.lloq[analyte.name], BELOW),)
    raise NotRead(
        "may mean not detected or not done, and the limit of the assay is not known",
        str(entry.value),
        "a number or a bound such as '<0.1'",
        "write '<' and the limit, give it in a column 'lloq' or under [lloq] in a mapping, or leave the cell empty",
    )


# ---------------------------------------------------------------- numbers


def _number(entry: Entry, analyte: Analyte, sheet: Sheet, text: str) -> Meanings:
    name = analyte.name
    if _PLAIN.fullmatch(text):
        return _amount(entry, analyte, sheet, _parsed(entry, analyte, sheet, text))
    if name == "gcs_total" and (match := _GCS.search(text)):
        parts = [float(part) if part.isdigit() else UNREAD for part in match.groups()]
        total = sum(parts)
        own = () if math.isnan(total) else (Meaning(name, total),)
        return (*own, *(Meaning(f"gcs_{kind}", part) for kind, part in zip(("eye", "verbal", "motor"), parts)))
    if not is_formula(text):
        text = bare(analyte, text)
    if name == "systolic_bp" and (match := _PRESSURE.fullmatch(text)):
        return _amount(entry, analyte, sheet, Parsed(float(match[1]), "", ""))
    if name in OUT_OF and (match := _PART.match(text)):
        if int(match[2]) != OUT_OF[name] or int(match[1]) > OUT_OF[name]:
            most = OUT_OF[name]
            raise NotRead(f"not a score out of {most}", text, f"0 to {most}, or such as 8/{most}", "correct it")
        text = text if match[3].strip() else match[1]
    if match := _RANGE.fullmatch(text):
        worst = word_card("flags").data["worst"]
        if analyte.kind == "score" and float(match[1].replace(",", ".")) > float(match[2].replace(",", ".")):
            raise NotRead("two numbers, and not which of them counts", text, "one number", "write the score alone")
        if analyte.kind == "support" and _OFF.search(text):
            return (Meaning(name, 0.0),)  # turned down to nothing
        if name in worst["high"] or name in worst["low"]:
            ends = [parse_value(match[i], sheet.decimal).value for i in (1, 2)]
            value = max(ends) if name in worst["high"] else min(ends)
            sheet.log.note(f"a range of {analyte.title} was read as its worse end")
            return _amount(entry, analyte, sheet, Parsed(value, match[3].strip(), ""))
    return _amount(entry, analyte, sheet, _parsed(entry, analyte, sheet, text))


def _parsed(entry: Entry, analyte: Analyte, sheet: Sheet, text: str) -> Parsed:
    try:
        return parse_value(text, sheet.decimal)
    except NotANumber as problem:
        words = ", ".join(sorted(names.vocabulary().words.get(analyte.name, {}))[:8])
        expected = problem.expected + (f" or one of: {words}" if words else "")
        raise NotRead(problem.what, str(entry.value), expected, problem.remedy) from None


@cache
def _pumps() -> frozenset[str]:
    return frozenset(word_card("support").texts("pumps", "analytes"))


def _amount(entry: Entry, analyte: Analyte, sheet: Sheet, parsed: Parsed) -> Meanings:
    """A number with its unit, converted and checked."""
    name, mapping = analyte.name, sheet.mapping
    value, unit, bound = parsed
    given = mapping.units.get(entry.unit.strip(), entry.unit.strip())
    unit = mapping.units.get(unit, unit)
    usual = given or mapping.name_units.get(name, "")
    if unit.lower() in letters() and (usual or not _is_unit_of(name, unit)):
        unit = ""  # a flag, such as 0.4 L
    if unit and given and unit != given and _apart(name, unit, given):
        raise NotRead("two units in one row", f"{unit} and {given}", "one unit", "keep the right one")
    unit = unit or usual
    if name == "oxygen_flow" and unit in FLOW_LITERS:
        unit = "L/min"
    if name == "d_dimer" and "ddu" in unit.lower():
        name, analyte = "d_dimer_ddu", all_analytes()["d_dimer_ddu"]
    if name == "d_dimer_ddu" and "feu" in unit.lower():
        name, analyte = "d_dimer", all_analytes()["d_dimer"]
    if name == "motor_weakness" and value > 1:
        return _of_motor(entry, value)
    if name == "fluid_boluses" and unit in VOLUMES:
        return (Meaning(name, 1.0, AT_LEAST) if value > 0 else Meaning(name, 0.0),)
    if name == "ephedrine" and unit in PUSHES:
        return (Meaning(name, 0.0),)  # a push, and no infusion
    whole_tail = not parsed.unit or is_unit(parsed.unit)  # of a 0, what stands behind it may say that it runs again
    switch = is_whole(analyte) and analyte.high == 1 and analyte.kind in ("support", "treatment")
    if switch and (value > 0 or (value == 0 and whole_tail)) and (value not in (0, 1) or unit not in ("", "1")):
        return (Meaning(name, float(value > 0)),)
    open_ended = name in _pumps() or analyte.kind == "treatment"
    try:
        if not unit and (needs_unit(name) or (name in _pumps() and value != 0)):
            raise NotRead(
                f"{analyte.title} without a unit",
                str(entry.value),
                f"a unit such as {analyte.unit}",
                "add the unit to the row, to the header as in 'name [unit]', or to a mapping file",
            )
        amount = _converted(analyte, value, unit, sheet.weight)
        _check_plausible(analyte, value, amount, unit)
    except NotRead as problem:
        if open_ended and value > 0 and bound not in (BELOW, AT_MOST):
            if analyte.kind == "support" and unit and not is_unit(unit):
                where = entry.line, entry.column
                sheet.log.aside(*where, problem.what, f"{entry.value} {unit}", problem.expected, problem.remedy, name)
            doing = "runs" if analyte.kind == "support" else "was given"
            sheet.log.note(
                f"{analyte.title} {doing} in an amount that is not known (line {entry.line}: {problem.what})"
            )
            return (Meaning(name, 0.0, ABOVE),)
        if open_ended and value == 0 and whole_tail:
            return (Meaning(name, 0.0),)
        raise
    if name == "weight" and not unit:
        sheet.log.note(
            f"the weight {value:g} (line {entry.line}) has no unit and is read as kg: check that it is not pounds"
        )
    if unverified_conversion(name, unit):
        sheet.log.note(f"{analyte.title} in {unit} was converted by a factor from memory (unverified)")
    return (_bounded(analyte, amount, bound, entry),)


def _converted(analyte: Analyte, value: float, unit: str, weight: float) -> float:
    try:
        return to_canonical(analyte.name, value, unit, weight)
    except InputError as problem:
        if "weight" in problem.text:
            remedy = "correct the unit or the value, or add a row with the weight"
            raise NotRead(problem.text, unit, f"a unit such as {analyte.unit}", remedy) from None
        remedy = "correct the unit; amounts of different kinds are never converted"
        what = f"the unit is not one of {analyte.title}"
        raise NotRead(what, unit, f"a unit such as {analyte.unit}", remedy) from None


def _check_plausible(analyte: Analyte, value: float, amount: float, unit: str) -> None:
    slip = 0 < amount < _least(analyte.name)
    if analyte.low <= amount <= analyte.high and not slip:
        return
    shown = "" if analyte.unit == "1" else f" {analyte.unit}"
    what, remedy = f"{analyte.title} is out of its plausible range", "correct the value or its unit"
    if analyte.name == "temperature" and unit in ("", "degC") and 90 <= value <= 115:
        celsius = to_canonical("temperature", value, "degF")
        what = "looks like degrees Fahrenheit where Celsius is expected"
        remedy = f"write the unit degF, or {celsius:.1f} in degC"
    elif analyte.unit == "fraction" and 1 < amount <= 100 and not unit:
        remedy = f"write {value:g} % or {value / 100:g}"
    elif analyte.name == "spo2" and 0.3 <= amount <= 1:
        remedy = f"write {value * 100:g} %"
    raise NotRead(what, f"{value:g} {unit}".strip(), f"{analyte.low:g} to {analyte.high:g}{shown}", remedy)


def _least(name: str) -> float:
    """The smallest amount that is charted and not none; less is a slip in the unit."""
    if name == "oxygen_flow":
        return float(word_card("oxygen").data["amounts"]["flow_least"]["value"])
    return float(word_card("support").number("pumps", "least")) if name in _pumps() else 0.0


def _of_motor(entry: Entry, value: float) -> Meanings:
    """Six is the best motor score of the Glasgow coma scale; 2 to 5 may be that, or a strength."""
    best = all_analytes()["gcs_motor"].high
    if value == best:
        return (Meaning("gcs_motor", best),)
    raise NotRead(
        "a motor score, or the strength of a limb, where weakness is 0 or 1",
        str(entry.value),
        "yes or no",
        "name it 'gcs motor', or say whether a deep focal weakness is there",
    )


def _bounded(analyte: Analyte, amount: float, bound: str, entry: Entry) -> Meaning:
    if not is_whole(analyte):
        return Meaning(analyte.name, amount, bound)
    if amount != round(amount):
        raise NotRead(f"{analyte.title} is a whole number", str(entry.value), "a whole number", "correct it")
    step = {BELOW: -1.0, ABOVE: 1.0}.get(bound, 0.0)
    if not analyte.low <= amount + step <= analyte.high:
        raise NotRead("no value is left", str(entry.value), f"{analyte.low:g} to {analyte.high:g}", "correct it")
    return Meaning(analyte.name, amount + step, {BELOW: AT_MOST, ABOVE: AT_LEAST}.get(bound, bound))


def as_cell(meaning: Meaning) -> tuple[float, bool, bool]:
    """Value, whether the true one is below it, and whether it is above; of a whole number: at most, at least."""
    name, value, bound, _ = meaning
    known = all_analytes()[name]
    if is_whole(known) and value == {AT_LEAST: known.high, AT_MOST: known.low}.get(bound):
        bound = ""  # nothing is left beyond it
    if not is_whole(known):  # a bound that holds its own value is moved past it
        value = {AT_MOST: float(np.nextafter(value, np.inf)), AT_LEAST: float(np.nextafter(value, -np.inf))}.get(
            bound, value
        )
    return value, bound in (BELOW, AT_MOST), bound in (ABOVE, AT_LEAST)


def _is_unit_of(name: str, unit: str) -> bool:
    if name == "oxygen_flow" and unit in FLOW_LITERS:
        return True
    try:
        line_of(name, unit)
    except InputError:
        return False
    return True


def _apart(name: str, one: str, two: str) -> bool:
    """Whether two units mean different things."""
    try:
        return to_canonical(name, 1.0, one, 1.0) != to_canonical(name, 1.0, two, 1.0)
    except InputError:
        return True


def as_dexamethasone(name: str, amount: float) -> float | None:
    """Milligrams of dexamethasone that equal an amount of another systemic steroid; None where it is none."""
    listed: Mapping[str, Mapping[str, Any]] = word_card("drugs").table("steroids")
    return amount / float(listed[name]["equals"]) if name in listed else None
