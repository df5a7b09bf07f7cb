"""Late antigen loss: clones that lose an antigen during follow-up (off unless the set has muT above 0).

The equations only accumulate the intensity of such losses. A clone that is absent or extinct is founded by one cell
when the intensity passes the patient's own unit-exponential draw; then the next draw counts from there.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from vein2vein.engine import run as engine
from vein2vein.models.model import named
from vein2vein.models.reference import extinction
from vein2vein.models.reference import model as reference
from vein2vein.randomness import uniforms

Floats = NDArray[np.float64]
INTENSITY = {"pn": "IM_one", "np": "IM_one", "nn": "IM_two"}


def first_limits(columns: Floats, numbers: NDArray[np.int64], seed: int) -> dict[str, Floats]:
    """Intensity at which each clone is founded first, (n,) by clone; empty where late loss is off for all patients."""
    if not (columns[:, reference.MODEL.parameters.index("muT")] > 0).any():
        return {}
    return {clone: -np.log(uniforms(seed, f"late loss {clone}:0", numbers)[:, 0]) for clone in INTENSITY}


def found(
    run: engine.Run, columns: Floats, limits: dict[str, Floats], numbers: NDArray[np.int64], seed: int
) -> tuple[engine.Run, Floats, dict[str, Floats]]:
    """Found the clones that are due, and go on with the run.

    Parameters
    ----------
    run : engine.Run
    columns : ndarray, shape (n, parameters)
    limits : dict of clone to ndarray, shape (n,)
        From ``first_limits``, later from here.
    numbers, seed
        Patient numbers and seed.

    Returns
    -------
    run, columns, limits
        The same objects where nothing was founded.
    """
    model = reference.MODEL
    x, p = named(model.state_names, run.state), named(model.parameters, columns)
    gone = extinction.removed(x, p)
    state, changed, ahead = run.state.copy(), columns.copy(), dict(limits)
    touched = False
    for clone, intensity in INTENSITY.items():
        reached = getattr(x, intensity)
        due = (reached > limits[clone]) & (gone[clone] | (np.asarray(getattr(p, f"N0_{clone}")) == 0))
        if not due.any():
            continue
        touched = True
        draw = uniforms(seed, f"late loss {clone}:{run.day:g}", numbers, 3)
        begin, own = extinction.founded(clone, draw[:, 0], -np.log(draw[:, 1]), p)
        for name, value in begin.items():
            state[:, model.state_names.index(name)] = np.where(due, value, state[:, model.state_names.index(name)])
        for name, value in own.items():
            changed[:, model.parameters.index(name)] = np.where(due, value, changed[:, model.parameters.index(name)])
        ahead[clone] = np.where(due, reached - np.log(draw[:, 2]), limits[clone])
    if not touched:
        return run, columns, limits
    return replace(run, parameters=changed, state=state), changed, ahead
