"""What the estimates of this room take: times, events, causes and groups, refused where they make no sense.

Every function names the argument and the position of the first wrong value, what was found and what was expected.
"""

from __future__ import annotations

from typing import cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vein2vein.errors import InputError

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Codes = NDArray[np.int64]

MEND = "mend the value, or leave the patient out (included is false)"


def place(name: str, where: NDArray[np.intp] | tuple[int, ...]) -> str:
    """A value's place in an argument, as Python writes it: ``time[3]``, ``time[0, 3]``; the name alone for a scalar."""
    return f"{name}[{', '.join(str(int(i)) for i in where)}]" if len(where) else name


def numbers(values: ArrayLike, name: str) -> Floats:
    """Values as floats; refused where they are no numbers, or rows of several lengths."""
    try:
        if np.any(cast("NDArray[np.bool_]", getattr(values, "mask", False))):
            said = "found masked values, expected a number for each patient; leave them out (included is false)."
            raise InputError(said, field=name)  # what lies under a mask is no value, but NumPy would hand it over
        found = np.asarray(values)
        if found.dtype.kind not in "biuf":
            found = found.astype(np.float64) if found.dtype.kind == "O" else None
    except InputError:
        raise
    except (ValueError, TypeError):
        found = None
    if found is None:
        raise InputError("found something other than numbers in rows of one length, expected numbers.", field=name)
    return found.astype(np.float64)


def same_shape(values: NDArray[np.generic], like: NDArray[np.generic], name: str, of: str) -> None:
    """Refuse values that are not one for each of another argument."""
    if values.shape != like.shape:
        text = f"found the shape {values.shape}, expected {like.shape}, that of {of}: one value for each patient."
        raise InputError(text, field=name)


def _refuse(wrong: Flags, values: Floats, name: str, expected: str) -> None:
    if wrong.any():
        at = np.argwhere(wrong)[0]
        raise InputError(f"found {values[tuple(at)]:g}, expected {expected}; {MEND}.", field=place(name, at))


def checked_flags(values: ArrayLike, name: str, like: Floats | None = None, counted: Flags | None = None) -> Flags:
    """Flags, given as false and true or as 0 and 1; what those who do not count have is not looked at."""
    found = numbers(values, name)
    if like is not None:
        same_shape(found, like, name, "time")
    wrong = ~np.isin(found, (0, 1))
    _refuse(wrong if counted is None else wrong & counted, found, name, "true or false (1 or 0)")
    return found == 1


def checked_times(time: ArrayLike, included: ArrayLike | None, least: int = 1) -> tuple[Floats, Flags]:
    """Times (..., n) and who counts (..., n); each trial has at least so many who count.

    Raises
    ------
    InputError
        No patient at all, a time of a patient who counts that is not a finite number from 0 up, or a trial in which
        too few count.
    """
    times = numbers(time, "time")
    if times.ndim == 0 or times.size == 0:
        raise InputError(
            f"found the shape {times.shape}, expected at least one patient in the last axis.", field="time"
        )
    counted = np.ones(times.shape, dtype=bool) if included is None else checked_flags(included, "included", times)
    _refuse(counted & ~(np.isfinite(times) & (times >= 0)), times, "time", "a finite time from 0 up")
    few = counted.sum(axis=-1) < least
    if few.any():
        where = place("included", np.argwhere(few)[0])
        raise InputError("found nobody who counts, expected at least one patient in each trial.", field=where)
    return times, counted


def checked_causes(cause: ArrayLike, times: Floats, counted: Flags) -> Codes:
    """Causes of events (..., n): 0 for censored, otherwise the number of the cause."""
    found = numbers(cause, "cause")
    same_shape(found, times, "cause", "time")
    whole = np.isfinite(found) & (found >= 0) & (found == np.floor(found))
    _refuse(counted & ~whole, found, "cause", "a whole number: 0 for censored, 1 and up for a cause")
    return np.where(counted, found, 0).astype(np.int64)


def checked_level(level: float) -> float:
    """A level of confidence, such as 0.95."""
    if not 0 < level < 1:
        raise InputError(f"found {level:g}, expected a share between 0 and 1, such as 0.95.", field="level")
    return level


def checked_when(when: float) -> float:
    """A time at which a curve is read."""
    if not (np.isfinite(when) and when >= 0):
        raise InputError(f"found {when:g}, expected a finite time from 0 up.", field="when")
    return when
