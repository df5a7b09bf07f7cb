"""Seeded streams, named by patient and purpose.

Every random number depends on the seed, the purpose and the patient's number alone. So the same patient meets the same
luck in every arm (common random numbers), and neither the number of patients nor the way a run is cut into chunks
changes a draw. Built on NumPy's Philox counter generator.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
SMALLEST = 0.5 * 2.0**-53  # the least of the uniform draws


def _key(seed: int, purpose: str) -> NDArray[np.uint64]:
    digest = hashlib.blake2b(f"{seed}:{purpose}".encode(), digest_size=16).digest()
    return np.frombuffer(digest, dtype=np.uint64)


_own = threading.local()


def _generator() -> tuple[np.random.Philox, Any]:
    """A generator of this thread and its state before the first draw, to be set: making one costs more than a draw."""
    if not hasattr(_own, "philox"):
        _own.philox = np.random.Philox(key=0)
        _own.state = _own.philox.state
    return _own.philox, _own.state


def uniforms(seed: int, purpose: str, patients: ArrayLike, count: int = 1) -> Floats:
    """Return uniform draws in (0, 1), one row per patient.

    Parameters
    ----------
    seed : int
        Seed of the run.
    purpose : str
        What the draws are for; another purpose is an independent stream.
    patients : array_like of int, shape (n,)
        Patient numbers, from 0.
    count : int
        Draws per patient.

    Returns
    -------
    ndarray, shape (n, count)
    """
    return each_uniforms(seed, [purpose], patients, count)[0]


def each_uniforms(seed: int, purposes: Sequence[str], patients: ArrayLike, count: int = 1) -> Floats:
    """Return the draws of ``uniforms`` for several purposes at once, shape (purposes, n, count)."""
    numbers = np.atleast_1d(np.asarray(patients, dtype=np.int64))
    if numbers.size == 0:
        return np.empty((len(purposes), 0, count))
    first, last = int(numbers.min()), int(numbers.max())
    if first < 0:
        raise ValueError(f"patient numbers start at 0; found {first}")
    blocks = -(-count // 4)  # Philox gives four 64-bit words for each step of its counter
    generator, state = _generator()
    words = np.empty((len(purposes), numbers.size, count), dtype=np.uint64)

    def raw(number: int, length: int) -> NDArray[np.uint64]:
        state["state"]["counter"][0] = number * blocks
        generator.state = state
        return generator.random_raw(length * blocks * 4).reshape(length, blocks * 4)[:, :count]

    for purpose, drawn in zip(purposes, words):
        state["state"]["key"] = _key(seed, purpose)
        if last - first < 4 * numbers.size + 4096:
            drawn[:] = raw(first, last - first + 1)[numbers - first]
        else:
            for row, number in zip(drawn, numbers.tolist()):
                row[:] = raw(number, 1)
    return ((words >> np.uint64(11)).astype(np.float64) + 0.5) * 2.0**-53


def normals(seed: int, purpose: str, patients: ArrayLike, count: int = 1) -> Floats:
    """Return standard normal draws, shape (n, count); see ``uniforms``."""
    from scipy import special

    return special.ndtri(uniforms(seed, purpose, patients, count))


def each_normals(seed: int, purposes: Sequence[str], patients: ArrayLike, count: int = 1) -> Floats:
    """Return the draws of ``normals`` for several purposes at once, shape (purposes, n, count)."""
    from scipy import special

    return special.ndtri(each_uniforms(seed, purposes, patients, count))


def poisson_at(uniform: Floats, mean: Floats, exact: float) -> Floats:
    """Poisson number at a probability; a rounded normal one for means above ``exact``."""
    from scipy import special

    few = np.minimum(mean, exact)
    number = np.ceil(special.pdtrik(uniform, np.maximum(few, np.finfo(float).tiny)))
    below = np.maximum(number - 1, 0.0)
    number = np.where(special.pdtr(below, few) >= uniform, below, number)
    many = np.round(np.maximum(mean + np.sqrt(np.maximum(mean, 0.0)) * special.ndtri(uniform), 0.0))
    return np.where(mean > exact, many, number)
