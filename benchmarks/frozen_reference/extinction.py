"""Few cells: the linear birth-death process along a path, without a threshold and without an event.

A clone's logarithm T is the expected path over all histories, the extinct ones too. With death rate d per cell and N
clonogenic cells along that path, Q(t) = integral of d/N. From N0 cells the process is extinct by t with probability
(J/(1+J))^N0, J = Q*N0 (Kendall 1948), exact while the kill rate does not depend on the clone's own size.

Two draws decide a clone's history: u (uniform) when it dies out, xi (exponential) how large its longest-lived line is.
With fate = N0*(1 - u^(-1/N0)), which tends to ln u for many cells, both are linear in Q:

    removed  when 1 + Q*fate <= 0
    weight   w = (1/N0 + Q)*xi + (1 - 1/N0)*(1 + Q*fate)

so that one formula serves 1 cell and 1e13 cells without cancellation. The realized size is w*exp(T); w averages 1 over
draws at every time. The state is Z = Q/(1+Q), bounded and smooth. After removal T and Z go on and nothing reads them.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vein2vein.models.mathematics import exp, less, log, maximum, minimum, positive_part, where

CLONES = ("pp", "pn", "np", "nn", "s")
CELLS = 1e6


def fate(u: ArrayLike, founders: ArrayLike) -> NDArray[np.float64]:
    """Turn a uniform draw into a clone's ``fate`` parameter.

    Parameters
    ----------
    u : array_like, shape (n,)
        Uniform on (0, 1).
    founders : array_like, shape (n,)
        Clonogenic cells at the start, N0; 0 for an absent clone (whose fate nothing reads).
    """
    cells = np.maximum(np.asarray(founders, dtype=float), 1.0)
    return -cells * np.expm1(-np.log(np.asarray(u, dtype=float)) / cells)


def quotient(z: Any, p: Any) -> Any:
    """Q from its bounded form Z = Q/(1+Q)."""
    return z / maximum(1 - z, p.Zgap)


def weight(z: Any, clone: str, p: Any) -> Any:
    """Realized size over expected size of a clone; 0 once it is extinct and where it was never present."""
    founders, drawn = getattr(p, f"N0_{clone}"), getattr(p, f"fate_{clone}")
    q = quotient(z, p)
    line = 1 / maximum(founders, 1)
    others = 1 + q * drawn
    size = (line + q) * getattr(p, f"xi_{clone}") + (1 - line) * others
    return where(less(0, founders) * less(0, others), size, 0)


def sizes(x: Any, p: Any) -> dict[str, Any]:
    """Realized size of each clone, e6/kg."""
    return {clone: weight(getattr(x, f"Z_{clone}"), clone, p) * expected(x, p, clone) for clone in CLONES}


def expected(x: Any, p: Any, clone: str) -> Any:
    """Expected size of a clone, e6/kg; cut off at e times the carrying capacity."""
    return exp(minimum(getattr(x, f"T_{clone}"), log(p.K0) + 1))


def clonogenic(x: Any, p: Any, clone: str) -> Any:
    """Natural logarithm of a clone's expected clonogenic cells."""
    return getattr(x, f"T_{clone}") + log(p.BW * CELLS * p.f_clon)


def quadrature(x: Any, p: Any, clone: str, death: Any) -> Any:
    """dZ/dt of a clone whose cells die at the rate ``death`` per day."""
    left = positive_part(1 - getattr(x, f"Z_{clone}"))
    cells = expected(x, p, clone) * (p.BW * CELLS * p.f_clon)
    return death / maximum(cells, exp(p.lnN_low)) * left * left


def killed_at_once(z: Any, before: Any, share_left: Any, p: Any) -> Any:
    """Z of a clone right after a kill in no time that leaves a share of its cells.

    ``before`` is the logarithm of its clonogenic cells before: Q rises by 1/after - 1/before.
    """
    q = quotient(z, p) + exp(-maximum(before, p.lnN_low)) * (1 / share_left - 1)
    return q / (1 + q)


def extinction_probability(x: Any, p: Any) -> dict[str, NDArray[np.float64]]:
    """Probability that each clone is extinct by now, given the path; shape (n,). An absent clone has 1.

    Parameters
    ----------
    x, p : names of the states and of the parameters, each an array (n,)
    """
    found: dict[str, NDArray[np.float64]] = {}
    for clone in CLONES:
        founders = np.asarray(getattr(p, f"N0_{clone}"), dtype=float)
        lines = np.maximum(quotient(getattr(x, f"Z_{clone}"), p) * founders, np.finfo(float).tiny)
        found[clone] = np.where(founders > 0, np.exp(-founders * np.log1p(1 / lines)), 1.0)
    return found


def removed(x: Any, p: Any) -> dict[str, NDArray[np.bool_]]:
    """Which clones were present at the start and are extinct now, in this history; shape (n,)."""
    return {
        clone: (np.asarray(getattr(p, f"N0_{clone}")) > 0)
        & (1 + quotient(getattr(x, f"Z_{clone}"), p) * getattr(p, f"fate_{clone}") <= 0)
        for clone in CLONES
    }


def founded(clone: str, u: ArrayLike, xi: ArrayLike, p: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """States and parameters of a clone that one cell founds now (late antigen loss, ``muT`` > 0).

    The day loop founds one when IM_one (loss of a or of b from a clone with both) or IM_two passes a fresh exponential
    draw, and only where the clone is absent or removed; immigration into a living clone is neglected.

    Parameters
    ----------
    clone : {"pn", "np", "nn"}
    u, xi : array_like, shape (n,)
        New draws: uniform and exponential.
    p : names of the parameters
    """
    one = np.ones_like(np.asarray(u, dtype=float))
    begin = -np.log(np.asarray(p.BW) * CELLS * np.asarray(p.f_clon)) * one
    states = {f"T_{clone}": begin, f"Z_{clone}": 0 * one}
    drawn = {f"fate_{clone}": fate(u, one), f"xi_{clone}": np.asarray(xi, dtype=float) * one}
    return states, {f"N0_{clone}": one, f"lnT0_{clone}": begin, **drawn}
