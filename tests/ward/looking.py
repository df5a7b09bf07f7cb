"""What a ward sees of a chart, as plain pairs that tests can compare: (grade, at least)."""

from __future__ import annotations

import tempfile
from pathlib import Path

from vein2vein.io.record.read import read_record
from vein2vein.ward.monitor import WardRound, monitor

Seen = tuple[int, int]  # grade (-1: not gradable) and the grade that is certain at least
SCALES = ("astct", "lee2014", "penn", "mskcc", "cartox", "mahadeo", "ctcae5")
NOT_SETTLED = -1


def looks(
    text: str, scale: str = "astct", until: float | None = None, name: str = "chart.csv"
) -> tuple[WardRound, ...]:
    """Each patient of a file, as ``vein2vein monitor`` sees them."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.write_text(text, encoding="utf-8")
        return monitor(read_record(path), scale=scale, until=until)


def look(text: str, scale: str = "astct", until: float | None = None) -> WardRound:
    (watch,) = looks(text, scale, until)
    return watch


def bedside(watch: WardRound) -> tuple[str, ...]:
    """The syndromes of the bedside: cytokine release on the chosen scale, and ICANS."""
    return f"crs_{watch.scale}", "icans"


def by_day(watch: WardRound) -> dict[tuple[str, int], Seen]:
    """Worst of each day."""
    return {
        (name, day.day): (day.states[name].grade, day.states[name].at_least)
        for day in watch.days
        for name in bedside(watch)
    }


def by_time(watch: WardRound) -> dict[tuple[str, float], Seen]:
    """Every cell of the grades, by time."""
    found: dict[tuple[str, float], Seen] = {}
    for name in bedside(watch):
        grades = watch.findings[name]
        for j, day in enumerate(grades.days):
            found[name, round(float(day), 6)] = int(grades.grade[0, j]), int(grades.at_least[0, j])
    return found


def today(watch: WardRound) -> dict[str, Seen]:
    """Now."""
    return {s.name: (s.grade, s.at_least) for s in watch.now if s.name in bedside(watch)}


def loud(watch: WardRound) -> tuple[str, ...]:
    """Sentences on top of the page: what was charted of a graded sign and not understood."""
    return tuple(getattr(watch, "unknown", ()))


def falsely_lower(before: Seen, after: Seen) -> bool:
    """Whether a settled grade stands below what was certain before."""
    return 0 <= after[0] < before[1]
