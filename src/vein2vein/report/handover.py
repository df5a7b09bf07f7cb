"""The sheet for the handover: one patient on one A4, as HTML that prints."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from vein2vein import __version__
from vein2vein.files import check_target, write_text
from vein2vein.report import page
from vein2vein.report.look import color, font, look
from vein2vein.ward import handover
from vein2vein.ward.monitor import WardRound
from vein2vein.ward.unknown import NOT_UNDERSTOOD

MOST_LOUD = 3  # lines on what was not understood; the page has all
LONGEST = 150  # characters of such a line


def sheet(watch: WardRound) -> str:
    """One patient's sheet, as a part of a page; what the record does not hold stands there as unknown."""
    loud = [text if len(text) <= LONGEST else f"{text[:LONGEST]} ..." for text in watch.unknown[:MOST_LOUD]]
    more = len(watch.unknown) - MOST_LOUD
    loud += [f"and {more} more"] if more > 0 else []
    now, person, given = handover.now(watch), handover.person(watch), handover.given(watch)
    signs, told, blood = handover.signs(watch), handover.told(watch), handover.blood(watch)
    left = _rows(person) + _rows(given)
    room = _room(loud, now, max(left, _rows(signs) + _rows(told)), len(blood))
    aside = handover.aside(watch)
    return page.fill(
        "handover_sheet.html.j2", who=f"Patient {watch.label or watch.patient}",
        when=handover.last_reading(watch), loud=loud, not_understood=NOT_UNDERSTOOD, now=now, person=person,
        given=given, signs=signs, told=told, blood=blood, due=fitting(handover.due(watch), room),
        open=[*fitting(handover.open_points(watch), room - len(aside)), *aside],
        source=Path(watch.file).name if watch.file else "a course", version=__version__,
    )  # fmt: skip


def fitting(listed: Sequence[str], room: int) -> list[str]:
    """As many of some lines as have room, never fewer than a few, and how many more there are.

    Parameters
    ----------
    listed : sequence of str
    room : int
        Printed lines; a text longer than its column takes several.
    """
    if sum(_lines(one, "list") for one in listed) <= room or len(listed) <= int(look("handover", "fewest")):
        return list(listed)
    kept = used = 0
    for one in listed:
        used += _lines(one, "list")
        if used > room - 1 and kept >= look("handover", "fewest"):  # one line says how many more there are
            break
        kept += 1
    return [*listed[:kept], f"and {len(listed) - kept} more"]


def _lines(text: str, column: str) -> int:
    """Printed lines of a text in a column; more rather than fewer, since fonts differ."""
    return max(1, math.ceil(len(text) / look("handover", column)))


def _rows(facts: Sequence[handover.Fact]) -> int:
    """Printed lines of facts, one below the other."""
    return sum(_lines(one.text, "fact") for one in facts)


def _room(loud: Sequence[str], now: Sequence[handover.Fact], middle: int, blood: int) -> int:
    """Printed lines that are left on an A4 for the two lists at its end."""
    above = sum(_lines(one, "whole") for one in loud) + sum(_lines(one.text, "whole") for one in now)
    taken = look("handover", "frame") + look("handover", "line") * (above + middle + blood)
    return int((look("handover", "paper") - taken) / look("handover", "line"))


def handover_page(sheets: Sequence[str]) -> str:
    """The page of some sheets, each on its own A4."""
    title = "Handover" if len(sheets) == 1 else f"Handover of {len(sheets)} patients"
    return page.fill("handover.html.j2", title=title, sheets=list(sheets), color=color, font=font())


def write_handover(sheets: Sequence[str], path: str | Path, *, force: bool = False) -> Path:
    """Write the sheets of some patients as one HTML file that prints one A4 each.

    Parameters
    ----------
    sheets : sequence of str
        From ``sheet``.
    path : path
    force : bool
        Overwrite an existing file.

    Raises
    ------
    InputError
        The file exists and ``force`` is False, or its folder does not.
    """
    return write_text(check_target(path, force=force), handover_page(sheets), force=force)
