"""SciPy's LSODA with a right-hand side compiled by numba."""

import math

import numba
import numpy as np
from peer_common import read, segments, serve, source
from scipy.integrate import solve_ivp

text, arrays = read()
exp_, log_, sqrt_ = math.exp, math.log, math.sqrt
jit = numba.njit(error_model="numpy")
min_ = jit(lambda a, b: a if a < b else b)
max_ = jit(lambda a, b: a if a > b else b)
less_ = jit(lambda a, b: 1.0 if a < b else 0.0)
choose_ = jit(lambda c, a, b: a if c != 0 else b)
exec(source(text, "def rates(t, x, k, out):", "out"))
compiled = numba.njit(error_model="numpy")(rates)  # noqa: F821
days, scale = arrays["days"], arrays["scale"]


def run(rtol: float, atol: float, n: int) -> np.ndarray:
    values = np.empty((n, len(days), len(scale)))

    def rhs(t, x, k):
        out = np.empty(len(x))
        compiled(t, x, k, out)
        return out

    for i in range(n):
        x = arrays["start"][i].copy()
        for j, low, high, inside in segments(arrays["times"][i], days):
            x = x + arrays["added"][i, j]
            asked = np.unique(np.append(days[inside], high))
            found = solve_ivp(
                rhs, (low, high), x, "LSODA", asked, args=(arrays["kept"][i],), rtol=rtol, atol=atol * scale
            )
            values[i, inside] = found.y.T[: len(inside)]
            x = found.y[:, -1]
    return values


serve(run)
