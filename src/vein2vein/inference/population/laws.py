"""Laws of the spread between patients: each parameter is a function of a Gaussian number, and back."""

# pyright: reportMissingTypeStubs=false
from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

Floats = NDArray[np.float64]
Law = Literal["normal", "lognormal", "logitnormal", "probitnormal"]
LAWS: tuple[Law, ...] = ("lognormal", "normal", "logitnormal", "probitnormal")
BOUNDED = ("logitnormal", "probitnormal")


def to_gaussian(law: str, value: ArrayLike, low: float = 0.0, high: float = 1.0) -> Floats:
    """The Gaussian number of a value on the natural scale; NaN or infinite for one outside its bounds.

    Parameters
    ----------
    law : {"normal", "lognormal", "logitnormal", "probitnormal"}
    value : array_like
    low, high : float
        Bounds of a logit-normal or probit-normal parameter.
    """
    x = np.asarray(value, dtype=float)
    with np.errstate(invalid="ignore", divide="ignore"):
        if law == "lognormal":
            return np.log(x)
        if law == "logitnormal":
            return special.logit((x - low) / (high - low))
        if law == "probitnormal":
            return special.ndtri((x - low) / (high - low))
    return x.copy()


def to_natural(law: str, gaussian: ArrayLike, low: float = 0.0, high: float = 1.0) -> Floats:
    """The value on the natural scale; the inverse of ``to_gaussian``."""
    x = np.asarray(gaussian, dtype=float)
    if law == "lognormal":
        return np.exp(x)
    if law == "logitnormal":
        return low + (high - low) * special.expit(x)
    if law == "probitnormal":
        return low + (high - low) * special.ndtr(x)
    return x.copy()


def slope(law: str, gaussian: ArrayLike, low: float = 0.0, high: float = 1.0) -> Floats:
    """Derivative of ``to_natural`` by the Gaussian number: what turns a standard error into one of the value."""
    x = np.asarray(gaussian, dtype=float)
    if law == "lognormal":
        return np.exp(x)
    if law == "logitnormal":
        return (high - low) * special.expit(x) * special.expit(-x)
    if law == "probitnormal":
        return (high - low) * np.exp(-0.5 * x * x) / np.sqrt(2 * np.pi)
    return np.ones_like(x)
