"""Files that vein2vein monitor writes on request: episodes, adverse events of SDTM, a sheet for the handover."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import click

from vein2vein.cli import options
from vein2vein.errors import InputError
from vein2vein.files import check_target

if TYPE_CHECKING:
    from vein2vein.ward.adverse_events import Charted
    from vein2vein.ward.monitor import WardRound

Files = list[tuple[str, Path]]


class Wanted(NamedTuple):
    """Files that were asked for; None: not asked."""

    episodes: Path | None = None
    adverse_events: Path | None = None
    study: str = ""
    handover: Path | None = None


def wanted_files(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options of these files to a command."""
    for one in (
        click.option("--handover", type=options.PATH, metavar="FILE.html", help="Sheet for the handover, one A4 each."),
        click.option("--study", metavar="NAME", default="", help="Study named in --sdtm-ae (default: UNKNOWN)."),
        click.option("--sdtm-ae", "adverse_events", type=options.PATH, metavar="FILE.csv",
                     help="CRS and ICANS as adverse events of SDTM (and FILE-supp.csv)."),
        click.option("--episodes", type=options.PATH, metavar="FILE.csv",
                     help="Episodes: onset, peak, end, time to tocilizumab and steroid."),
    ):  # fmt: skip
        command = one(command)
    return command


def check_wanted(wanted: Wanted, *, force: bool) -> None:
    """Refuse before anything is graded what could not be written after it.

    Raises
    ------
    InputError
        A file exists and ``force`` is False, its folder does not, two are the same, or a study stands alone.
    """
    from vein2vein.ward.adverse_events import check_study, supplement_path

    check_study(wanted.study)
    if wanted.study and wanted.adverse_events is None:
        raise InputError("--study does nothing without --sdtm-ae; add it, or leave --study out.")
    events = wanted.adverse_events
    paths = [one for one in (wanted.episodes, events, wanted.handover) if one is not None]
    paths += [] if events is None else [supplement_path(events)]
    seen: set[Path] = set()
    for one in paths:
        check_target(one, force=force)
        if one.absolute() in seen:
            raise InputError(f"two files are to be written to {one}; give each its own name.")
        seen.add(one.absolute())


def charted(watch: WardRound) -> Charted:
    """The episodes of a patient with what dates them."""
    from vein2vein.ward.adverse_events import Charted

    return Charted(watch.patient, watch.label, watch.infused, watch.today, watch.episodes)


def sheet_of(watch: WardRound, wanted: Wanted) -> str:
    """The sheet of a patient; "" where none was asked for."""
    if wanted.handover is None:
        return ""
    from vein2vein.report.handover import sheet

    return sheet(watch)


def write_wanted(wanted: Wanted, people: Iterable[Charted], sheets: Iterable[str], *, force: bool) -> Files:
    """Write the files that were asked for; ``sheets`` are those of the handover, one for each patient."""
    from vein2vein.ward.adverse_events import write_adverse_events, write_episodes

    held, files = list(people), Files()
    if wanted.episodes is not None:
        files.append(("episodes", write_episodes(held, wanted.episodes)))
    if wanted.adverse_events is not None:
        both = write_adverse_events(held, wanted.adverse_events, wanted.study)
        files += [("adverse events", both[0]), ("supplement", both[1])]
    if wanted.handover is not None:
        from vein2vein.report.handover import write_handover

        files.append(("handover", write_handover(list(sheets), wanted.handover, force=force)))
    return files


def notes_on(wanted: Wanted, people: Iterable[Charted]) -> list[str]:
    """What a reader of these files must know."""
    from vein2vein.ward.adverse_events import has_dates, structure

    told: list[str] = []
    if wanted.adverse_events is not None:
        if not wanted.study:
            told.append(f"adverse events: STUDYID is {structure().study}; --study NAME gives it")
        if not has_dates(list(people)):
            told.append("adverse events: dates are not known, so AESTDTC is blank; AESTDY counts from the infusion")
    return told
