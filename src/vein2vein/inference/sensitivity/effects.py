"""Elementary effects (Morris 1991): which inputs of a function move its result, found with few calls of it.

Each trajectory begins at a place drawn on a grid of the inputs and moves one input after the other by one step, so that
every input moves once. The change of the result over the step, as of the whole range, is one elementary effect of that
input. Trajectories and statistics are those of SALib (optional extra).
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vein2vein.errors import InputError

Floats = NDArray[np.float64]
_NEEDED = (
    "screening needs the extra 'sensitivity' (SALib), which is not installed; pip install 'vein2vein[sensitivity]'."
)


@dataclass(frozen=True)
class Effects:
    """Elementary effects of each input, in units of the result for the whole range of the input. Shape (inputs,).

    Attributes
    ----------
    mu, mu_star, sigma : ndarray
        Mean, mean of the absolute values, and standard deviation over trajectories.
    half_width : ndarray
        Half of the 95 % interval of ``mu_star``, by resampling trajectories.
    """

    mu: Floats
    mu_star: Floats
    sigma: Floats
    half_width: Floats


def library(part: str = "") -> Any:
    """SALib, or a part of it such as ``sample.morris``.

    Raises
    ------
    InputError
        It is not installed: what to install.
    """
    try:
        return importlib.import_module(f"SALib.{part}" if part else "SALib")
    except ImportError:
        raise InputError(_NEEDED) from None


def trajectories(inputs: int, count: int, *, levels: int, seed: int) -> Floats:
    """Places at which to call the function, shape (count * (inputs + 1), inputs), each input from 0 to 1.

    Parameters
    ----------
    inputs : int
    count : int
        Trajectories, 2 or more.
    levels : int
        Of the grid; even.
    seed : int
    """
    found = library("sample.morris").sample(_problem(inputs), count, num_levels=levels, seed=seed)
    return np.asarray(found, dtype=np.float64)


def effects(places: Floats, results: Floats, *, levels: int, resamples: int, seed: int) -> Effects:
    """Elementary effects from what the function gave at the places of ``trajectories``.

    Parameters
    ----------
    places : ndarray, shape (rows, inputs)
    results : ndarray, shape (rows,)
        Finite.
    levels, resamples, seed : int

    Returns
    -------
    Effects
    """
    found = library("analyze.morris").analyze(
        _problem(places.shape[1]), places, results, num_levels=levels, num_resamples=resamples, seed=seed
    )
    mu, mu_star, sigma, half = (
        np.asarray(found[name], dtype=np.float64) for name in ("mu", "mu_star", "sigma", "mu_star_conf")
    )
    return Effects(mu, mu_star, sigma, half)


def sign(found: Effects, one_way: float) -> NDArray[np.int64]:
    """1: the result rises with the input, -1: it falls, 0: neither; ``one_way``: least ``|mu|`` per ``mu_star``."""
    clear = (found.mu_star > 0) & (np.abs(found.mu) >= one_way * found.mu_star)
    return np.where(clear, np.sign(found.mu), 0.0).astype(np.int64)


def _problem(inputs: int) -> dict[str, Any]:
    return {"num_vars": inputs, "names": [str(i) for i in range(inputs)], "bounds": [[0.0, 1.0]] * inputs}
