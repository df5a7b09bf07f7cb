"""The figures of a record, drawn in the warm process: the drawing library never enters the server."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from vein2vein.errors import InputError
from vein2vein.report.figures_monitor import follow_up, timeline
from vein2vein.report.monitor_page import monitor_page
from vein2vein.ward.monitor import WardRound, monitor
from vein2vein.web.images import as_file
from vein2vein.web.ward.opened import opened


def figures(asked: Mapping[str, Any], progress: Callable[[float, str], None]) -> dict[str, str]:
    """The timeline of the first weeks and of the time after them, as SVG by name.

    Parameters
    ----------
    asked : mapping
        ``files`` (name to bytes), ``name``, ``patient`` (position), ``how`` (as for ``monitor``).
    progress : callable
    """
    watch = _watch(asked)
    progress(0.5, "drawing")
    drawn = {"timeline": timeline(watch), "later": follow_up(watch)}
    return {name: as_file(picture.svg) for name, picture in drawn.items() if picture is not None}


def report(asked: Mapping[str, Any], progress: Callable[[float, str], None]) -> str:
    """The page of a record as the command writes it: one file for one patient."""
    progress(0.1, "drawing")
    return monitor_page(_watch(asked))


def _watch(asked: Mapping[str, Any]) -> WardRound:
    record = opened(asked["name"], asked["files"]).record
    if not 0 <= asked["patient"] < len(record.courses):
        raise InputError("there is no such patient in this record; go back to it.")
    (watch,) = monitor(record.of(asked["patient"]), **asked["how"])
    return watch
