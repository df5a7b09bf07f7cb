"""What comes back of whole courses, and which values are asked for."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
from numpy.typing import NDArray

from vein2vein.engine import checks
from vein2vein.engine.method import tableau
from vein2vein.engine.method.events import Event
from vein2vein.engine.trace import content
from vein2vein.models.model import Model
from vein2vein.records import described

Matrix = NDArray[np.float64]

STATUS: Mapping[int, str] = tableau.STATUS
_TOLD = 3  # states that a warning names


@described
@dataclass(frozen=True)
class Solution:
    """Values at the asked days, and what became of each of n patients.

    Attributes
    ----------
    days : ndarray (k,), or (rows,) where each patient has days of its own
    values : ndarray (n, k, m), or (rows, m) where each patient has days of its own
        On the day of a dose: right after it; ask a moment before for what it finds. NaN after the day at which a
        patient could not be solved further. Without ``outputs``: k is 0.
    status : ndarray of int (n,)
        0: solved. 1: the step size became too small (the equations jump, or are too stiff). 2: too many steps
        (``max_steps``). 3: the equations gave a value that is not finite. 4: the linear equations of a step could not
        be solved accurately. ``STATUS`` has the words.
    steps, rejected : ndarray of int (n,)
        Steps taken, and tried in vain.
    summaries : mapping of name to ndarray (n,)
        NaN for a patient who could not be solved.
    fired : mapping of event to ndarray (n, most)
        Days on which it fired; NaN: did not.
    state : ndarray (n, states)
        On the last day, or where the solver had to give up.
    names : tuple of str (m,)
        What the values are: the states, or the outputs that were asked for.
    patient : ndarray of int (rows,), or None
        Whose row it is, where each patient has days of its own.
    """

    days: Matrix
    values: Matrix
    status: NDArray[np.int64]
    steps: NDArray[np.int64]
    rejected: NDArray[np.int64]
    summaries: Mapping[str, Matrix]
    fired: Mapping[str, Matrix]
    state: Matrix
    names: tuple[str, ...] = ()
    patient: NDArray[np.int64] | None = None


def outputs_of(model: Model, outputs: object) -> tuple[bool, tuple[str, ...]]:
    """Whether values are written, and which; no names: the states."""
    if isinstance(outputs, (bool, np.bool_)):
        return bool(cast("bool", outputs)), ()
    names = checks.names_of(outputs, "outputs", "True, False, or a list of states and observables")
    if not names:
        return False, ()
    if any(name not in model.state_names for name in names):
        content.observed(model, names)
    return True, names


def fired(days: Matrix, events: Sequence[Event]) -> dict[str, Matrix]:
    """Days (n, most) on which each event fired, by its name."""
    ends = np.cumsum([e.most for e in events])
    return {e.name: days[:, end - e.most : end] for e, end in zip(events, ends)}


def warn_of_noise(model: Model, found: Solution, stacklevel: int) -> None:
    """Warn where states that were not always 0 never exceed their own scale in what was kept: they are mostly noise.

    Silent where they are no more than half of the states that moved: some are meant to be small for a while. A
    state of infinite scale is meant not to count.
    """
    if not found.values.size:
        return
    largest = np.nanmax(np.abs(found.values.reshape(-1, len(found.names))), axis=0, initial=0.0)
    scales = {state.name: state.scale for state in model.states if state.scale < np.inf}
    moved = {name: size for name, size in zip(found.names, largest.tolist()) if name in scales and size > 0}
    small = [
        f"{name} (up to {size:.2g}, scale {scales[name]:g})" for name, size in moved.items() if size <= scales[name]
    ]
    if 2 * len(small) > len(moved):
        more = f" and {len(small) - _TOLD} more" if len(small) > _TOLD else ""
        warnings.warn(
            f"model {model.name}: what never exceeds its own scale is solved as noise, here {', '.join(small[:_TOLD])}"
            f"{more}; give each State a scale that is small beside what matters, or another unit",
            stacklevel=stacklevel,
        )
