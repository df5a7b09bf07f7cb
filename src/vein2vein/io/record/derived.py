"""What is said of an analyte under another name: a scale of arousal, a flow in the words of a device, a posture."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import cache
from typing import Any

from vein2vein.analytes import all_analytes
from vein2vein.io.record.charted import as_cell, is_whole
from vein2vein.io.record.meanings import AT_MOST, BELOW, Meaning, phrases, word_card
from vein2vein.io.record.record import Log

Cell = tuple[int, float, str]
Value = tuple[float, bool, str, int, str]
Said = tuple[Meaning, str, int, str]
"""A meaning, its file and line, its line, its column."""

DEEPER = frozenset({
    "arousal", "raised_pressure", "cerebral_edema", "intracranial_hemorrhage", "other_vasopressors", "antipyretic",
    "sedated", "oxygen_device", "seizure", "motor_weakness",
})  # fmt: skip
"""Analytes of which the worse of two sayings holds; of every other one what is charted under its own name."""


NOT_READ = "not read"  # in place of a column: a scale of all levels was charted, and not understood
HIGH_FLOW = 3  # code of the analyte oxygen_device


@cache
def _normal() -> Mapping[str, Mapping[str, float]]:
    return word_card("rows").table("normal")


def is_normal(name: str, value: float) -> bool:
    """Whether a value says that nothing is wrong; of a support or drug that it does not run."""
    limits = _normal().get(name, {"to": 0.0} if _coded(name) else None)
    return limits is not None and limits.get("from", -math.inf) <= value <= limits.get("to", math.inf)


def _coded(name: str) -> bool:
    """Whether it is charted as a word, a class or a score, or runs or does not; no measurement."""
    known = all_analytes()[name]
    return known.kind in ("support", "treatment") or (known.kind in ("sign", "score") and is_whole(known))


def settle_unread(
    cells: dict[Cell, Value], spoiled: Mapping[Cell, str], unread: set[Cell], above: set[Cell], masked: set[Cell]
) -> None:
    """What is not understood beside a value of the same analyte and time.

    Of a measurement the value says more than a name that may have meant it. A normal class or score does not settle
    what else is charted, nor does any normal value where ``masked`` says so; a severe one is then a bound.
    """
    for cell in [one for one in unread if one in cells and one not in spoiled]:
        name, (value, below, where, line, column) = cell[2], cells[cell]
        if not _coded(name) and cell not in masked:
            unread.discard(cell)
        elif is_normal(name, value) and cell not in above:
            del cells[cell]
        else:
            unread.discard(cell)
            known = all_analytes()[name]
            if not is_whole(known) or name in phrases().scales:
                continue
            if "from" in _normal().get(name, {}):
                cells[cell] = (value, below or value > known.low, where, line, column)
            elif value < known.high:
                above.add(cell)


def lightest() -> float:
    """Weight in kg below which a high-flow device without a flow is only at least low flow."""
    return float(word_card("oxygen").data["amounts"]["light"]["value"])


def enter_derived(
    cells: dict[Cell, Value],
    unread: set[Cell],
    above: set[Cell],
    derived: dict[Cell, list[Said]],
    light: frozenset[int],
    log: Log,
) -> None:
    """Enter what scales, texts and small doses say of other analytes; what is charted itself comes first.

    Parameters
    ----------
    cells, unread, above : as of ``Cells``
    derived : mapping of cell to list of Said
        From texts; what scales say is added.
    light : frozenset of int
        Patients under 10 kg.
    log : Log
    """
    said: dict[Cell, list[Said]] = {cell: list(listed) for cell, listed in derived.items()}
    _part_scores(cells, unread, above, said)
    _of_scales(cells, unread, above, said)
    _of_drugs(cells, unread, above, said)
    for cell, listed in said.items():
        _settle(cell, listed, cells, unread, above, log)
    _against_air(cells, unread, above)
    for (patient, day, name), value in list(cells.items()):
        high_flow = name == "oxygen_device" and value[0] == HIGH_FLOW and patient in light
        if high_flow and (patient, day, "oxygen_flow") not in cells:
            cells[patient, day, name] = (1.0, *value[1:])
            above.add((patient, day, name))


def _against_air(cells: dict[Cell, Value], unread: set[Cell], above: set[Cell]) -> None:
    """Room air beside a fraction of oxygen that is none: what the patient breathes is not known."""
    least = float(word_card("rows").table("air")["fio2"]["value"])
    for patient, day, name in [cell for cell in cells if cell[2] == "fio2"]:
        device = (patient, day, "oxygen_device")
        if cells[patient, day, name][0] >= least and device in cells and not cells[device][0] and device not in above:
            del cells[device]
            unread.add(device)


def _part_scores(cells: dict[Cell, Value], unread: set[Cell], above: set[Cell], said: dict[Cell, list[Said]]) -> None:
    """Parts of a score that were written in one text are values like any other, and speak for themselves."""
    for cell in [c for c in said if c[2] in phrases().scales and c not in cells]:
        for meaning, where, line, column in said.pop(cell):
            if math.isnan(meaning.value):
                unread.add(cell)
            else:
                value, below, over = as_cell(meaning)
                cells[cell] = (value, below, where, line, column)
                if over:
                    above.add(cell)


def _of_scales(cells: Mapping[Cell, Value], unread: set[Cell], above: set[Cell], said: dict[Cell, list[Said]]) -> None:
    scales = phrases().scales
    for cell, (value, below, where, line, column) in cells.items():
        patient, day, name = cell
        if name not in scales:
            continue
        bounded = below or (cell in above and name != "papilledema")
        says = _all_of(scales[name]) if bounded else scales[name].get(value, ())
        for meaning in says:
            said.setdefault((patient, day, meaning.analyte), []).append((meaning, where, line, column))
    for patient, day, name in list(unread):
        for meaning in _all_of(scales.get(name, {})):
            column = NOT_READ if name in word_card("rows").texts("whole_scales", "names") else ""
            said.setdefault((patient, day, meaning.analyte), []).append((meaning, "", 0, column))


def _all_of(scale: Mapping[float, tuple[Meaning, ...]]) -> tuple[Meaning, ...]:
    """A scale was charted and its value is not known: whatever it speaks of is open."""
    named = sorted({meaning.analyte for says in scale.values() for meaning in says})
    return tuple(Meaning(name, math.nan) for name in named)


def _of_drugs(cells: Mapping[Cell, Value], unread: set[Cell], above: set[Cell], said: dict[Cell, list[Said]]) -> None:
    """A drug that counts as another one above some amount."""
    rules: Mapping[str, Mapping[str, Any]] = word_card("drugs").table("counts_as")
    for cell, (value, _, where, line, column) in cells.items():
        patient, day, name = cell
        if name in rules and (value > rules[name]["above"] or cell in above):
            amount = math.nan if cell in above else 1.0
            meaning = Meaning(str(rules[name]["counts_as"]), amount)
            said.setdefault((patient, day, meaning.analyte), []).append((meaning, where, line, column))
    for patient, day, name in list(unread):
        if name in rules:
            meaning = Meaning(str(rules[name]["counts_as"]), math.nan)
            said.setdefault((patient, day, meaning.analyte), []).append((meaning, "", 0, ""))


def _settle(
    cell: Cell, listed: list[Said], cells: dict[Cell, Value], unread: set[Cell], above: set[Cell], log: Log
) -> None:
    """One cell of all that is said of it besides: the worst that is known; unread where nothing is."""
    known = [one for one in listed if not math.isnan(one[0].value)]
    if not known:
        hidden = any(one[3] == NOT_READ for one in listed)
        if cell not in cells or (hidden and is_normal(cell[2], cells[cell][0]) and cell not in above):
            cells.pop(cell, None)
            unread.add(cell)
        return
    upper = [one for one in known if one[0].bound in (BELOW, AT_MOST)]
    lower = [one for one in known if one[0].bound not in (BELOW, AT_MOST)]
    first = max(lower, key=lambda one: (one[0].value, not one[0].bound)) if lower else None
    first = first or min(upper, key=lambda one: one[0].value)
    value, below, over = as_cell(first[0])
    charted = cells.get(cell)
    if charted is not None:
        runs = _coded(cell[2]) and (value > 0 or over) and all_analytes()[cell[2]].kind in ("support", "treatment")
        if cell[2] not in DEEPER and runs and is_normal(cell[2], charted[0]) and cell not in above:
            title = all_analytes()[cell[2]].title
            log.note(f"{title}: charted as none and as running at one time: not known ({charted[2]}, {first[1]})")
            del cells[cell]
            unread.add(cell)
            return
        if cell[2] not in DEEPER or below or value <= charted[0]:
            return
        title = all_analytes()[cell[2]].title
        log.note(f"{title}: two entries at one time differ; the worse one was used ({charted[2]}, {first[1]})")
    elif cell in unread:
        if cell[2] not in DEEPER or value <= 0:
            return
        over = True
        unread.discard(cell)
    cells[cell] = (value, below, first[1], first[2], first[3])
    (above.add if over else above.discard)(cell)
