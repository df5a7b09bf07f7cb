"""Times later than now: a slip of the keyboard in what was charted, or the shifted dates of a public data set.

A clock beside the bed, that of the server and that of the reader may be of different zones: a day is forgiven.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta

from vein2vein.errors import InputError
from vein2vein.io.record import times
from vein2vein.io.record.record import Record, plain

FORGIVEN = timedelta(days=1)


def is_ahead(moment: date, now: datetime) -> bool:
    """Whether a moment is later than now, by more than clocks of different zones differ.

    Parameters
    ----------
    moment : date or datetime
        Without a zone: of this machine's.
    now : datetime
        With its zone.
    """
    exact = moment if isinstance(moment, datetime) else datetime(moment.year, moment.month, moment.day)
    return exact.astimezone(now.tzinfo) - now > FORGIVEN


def check_not_ahead(time: str, now: datetime, infused: date | None = None, *, field: str = "time") -> None:
    """Refuse a time that is later than now: what was charted lies behind.

    Parameters
    ----------
    time : str
        As it was typed; one that is no date is left to the reader.
    now : datetime
        With its zone.
    infused : date, datetime or None
        Where the infusion itself lies ahead the dates of the record were shifted, and say nothing of now.
    field : str

    Raises
    ------
    InputError
        It is later than now by more than a day.
    """
    try:
        moment = times.parse_moment(time)
    except times.NotATime:
        return
    if is_ahead(moment, now) and not (infused is not None and is_ahead(infused, now)):
        raise InputError(
            f"found '{time}', which is later than now ({now:%Y-%m-%d %H:%M}); give the time at which it was charted.",
            field=field,
        )


def told_ahead(record: Record, now: datetime) -> tuple[str, ...]:
    """A sentence for each patient whose record goes on later than now."""
    several = len(record.courses) > 1
    found: list[str] = []
    for course, label, infused in zip(record.courses, record.facts.label, record.facts.infused):
        if infused is None or not course.shape[1]:
            continue
        start = infused if isinstance(infused, datetime) else datetime(infused.year, infused.month, infused.day)
        last = start + timedelta(days=float(course.days[-1]))
        if is_ahead(last, now):
            who = f"patient {plain(label)!r}: " if several else ""
            found.append(
                f"{who}the last row is dated {last:%Y-%m-%d}, later than today ({now:%Y-%m-%d}): what is shown as of "
                "that day has not happened yet, unless the dates of the record were shifted; check the dates"
            )
    return tuple(found)
