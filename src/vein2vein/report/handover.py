"""The sheet for the handover: one patient on one A4, as HTML that prints."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from vein2vein import __version__
from vein2vein.files import check_target, write_text
from vein2vein.report import page
from vein2vein.report.look import color, font
from vein2vein.ward import handover
from vein2vein.ward.monitor import WardRound
from vein2vein.ward.unknown import NOT_UNDERSTOOD

MOST_LOUD = 3  # lines on what was not understood; the page has all
LONGEST = 150  # characters of such a line


def sheet(watch: WardRound) -> str:
    """One patient's sheet, as a part of a page; what the record does not hold stands there as unknown."""
    loud = [text if len(text) <= LONGEST else f"{text[:LONGEST]} ..." for text in watch.unknown[:MOST_LOUD]]
    more = len(watch.unknown) - MOST_LOUD
    return page.fill(
        "handover_sheet.html.j2", who=f"Patient {watch.label or watch.patient}",
        when=handover.last_reading(watch), loud=[*loud, *([f"and {more} more"] if more > 0 else [])],
        not_understood=NOT_UNDERSTOOD, now=handover.now(watch), person=handover.person(watch),
        given=handover.given(watch), signs=handover.signs(watch), told=handover.told(watch),
        blood=handover.blood(watch), due=handover.due(watch), open=handover.open_points(watch),
        source=Path(watch.file).name if watch.file else "a course", version=__version__,
    )  # fmt: skip


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
