"""What a clinician judges, as rows of a record: a grade that holds instead, or another cause; always signed."""

from __future__ import annotations

import re
from datetime import date, datetime, tzinfo
from math import floor

from vein2vein.clinic.grades.monitoring import ALL_FINDINGS, Override, highest_grade
from vein2vein.errors import InputError, unknown
from vein2vein.io.record import names, times
from vein2vein.io.record.record import Entry, Moment

LONGEST = 100
INSTANT = 10.0**-times.DIGITS
_OVERRIDE = re.compile(r"\s*([A-Za-z]\w*)\s*(?:=|:|\s)\s*(?:grade\s*)?(\d)\s*", re.IGNORECASE)


def read_judgement(entry: Entry) -> Override:
    """An override without patient and days, from the value of its row.

    Raises
    ------
    InputError
        Nobody signed it, or it does not say what is judged: "found; expected".
    """
    text = str(entry.value).strip()[:LONGEST]
    if not entry.author:
        raise InputError("nobody signed it: an attribution or override needs an author; expected a name in 'author'")
    if entry.name == names.OVERRIDE:
        match = _OVERRIDE.fullmatch(text)
        if not match:
            raise InputError("not an override; expected a finding and its grade, written as 'crs_astct = 2'")
        finding, grade, cause, reason = match[1].lower(), int(match[2]), "", entry.comment
        if finding not in ALL_FINDINGS:
            raise InputError(
                f"{unknown('finding', finding, ALL_FINDINGS).rstrip('.')}; expected a finding of vein2vein"
            )
        if grade > highest_grade(finding):
            raise InputError(f"no grade of {finding}; expected 0 to {highest_grade(finding)}")
    else:
        finding, grade, cause, reason = text.lower(), None, entry.comment, ""
        if finding not in names.vocabulary().attributions and finding not in ALL_FINDINGS:
            known = ", ".join(names.vocabulary().attributions)
            raise InputError(f"not something that can be attributed; expected one of {known}, or a finding")
        if not cause:
            raise InputError("an attribution without a cause; expected the cause in 'comment'")
    return Override(0, 0.0, 0.0, finding, grade, cause, entry.author, "", reason, "")


def window(
    entry: Entry, day: float, until: float | None, zero: Moment | None, zone: tzinfo | None
) -> tuple[float, float]:
    """First and last day that a judgement covers.

    With ``until``: from its own time to that one; a date, or a whole day, counts to its end. Without: the calendar day
    on which it stands (where the file counts days: that day).
    """
    shift = _clock(zero, zone)  # how far the infusion was into its calendar day

    def begin(d: float) -> float:
        return floor(d + shift + INSTANT) - shift

    def end(d: float) -> float:
        return begin(d) + 1 - INSTANT

    first = begin(day) if until is None or _only_date(entry.time) else day
    if until is None:
        return round(first, times.DIGITS), round(end(day), times.DIGITS)
    whole = _only_date(entry.until) or (isinstance(entry.until, float) and until == floor(until))
    return round(first, times.DIGITS), round(end(until), times.DIGITS) if whole else until


def _only_date(moment: Moment | None) -> bool:
    return isinstance(moment, date) and not isinstance(moment, datetime)


def _clock(zero: Moment | None, zone: tzinfo | None) -> float:
    if not isinstance(zero, datetime):
        return 0.0
    local = zero.astimezone(zone) if zone is not None and zero.tzinfo is not None else zero
    return (local.hour + local.minute / 60 + local.second / 3600) / 24  # unit factors
