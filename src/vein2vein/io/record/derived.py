"""What is said of an analyte under another name: a scale of arousal, a flow in the words of a device, a posture."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from vein2vein.analytes import all_analytes
from vein2vein.io.record.charted import as_cell
from vein2vein.io.record.meanings import AT_MOST, BELOW, Meaning, phrases, word_card
from vein2vein.io.record.record import Log

Cell = tuple[int, float, str]
Value = tuple[float, bool, str, int, str]
Said = tuple[Meaning, str, int, str]
"""A meaning, its file and line, its line, its column."""

DEEPER = frozenset({
    "arousal", "raised_pressure", "cerebral_edema", "intracranial_hemorrhage", "other_vasopressors", "antipyretic",
    "sedated", "oxygen_device",
})  # fmt: skip
"""Analytes of which the worse of two sayings holds; of every other one what is charted under its own name."""


HIGH_FLOW = 3  # code of the analyte oxygen_device


def settle_unread(cells: Mapping[Cell, Value], spoiled: Mapping[Cell, str], unread: set[Cell]) -> None:
    """A value that was read says more than a name that may have meant it."""
    unread.difference_update([cell for cell in unread if cell in cells and cell not in spoiled])


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
    for (patient, day, name), value in list(cells.items()):
        high_flow = name == "oxygen_device" and value[0] == HIGH_FLOW and patient in light
        if high_flow and (patient, day, "oxygen_flow") not in cells:
            cells[patient, day, name] = (1.0, *value[1:])
            above.add((patient, day, name))


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
            said.setdefault((patient, day, meaning.analyte), []).append((meaning, "", 0, ""))


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
        if cell not in cells:
            unread.add(cell)
        return
    upper = [one for one in known if one[0].bound in (BELOW, AT_MOST)]
    lower = [one for one in known if one[0].bound not in (BELOW, AT_MOST)]
    first = max(lower, key=lambda one: (one[0].value, not one[0].bound)) if lower else None
    first = first or min(upper, key=lambda one: one[0].value)
    value, below, over = as_cell(first[0])
    charted = cells.get(cell)
    if charted is not None:
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
