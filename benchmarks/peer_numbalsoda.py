"""numbalsoda: LSODA called from compiled code, right-hand side and loop over patients compiled by numba."""

import math

import numba
import numpy as np
from numbalsoda import lsoda, lsoda_sig
from peer_common import read, serve, source

text, arrays = read()
exp_, log_, sqrt_ = math.exp, math.log, math.sqrt
jit = numba.njit(error_model="numpy")
min_ = jit(lambda a, b: a if a < b else b)
max_ = jit(lambda a, b: a if a > b else b)
less_ = jit(lambda a, b: 1.0 if a < b else 0.0)
choose_ = jit(lambda c, a, b: a if c != 0 else b)
exec(source(text, "def rates(t, x, out, k):", "out"))
address = numba.cfunc(lsoda_sig, error_model="numpy")(rates).address  # noqa: F821


@numba.njit
def course(start, kept, times, added, days, rtol, atol):
    n, s = start.shape
    values = np.full((n, len(days), s), np.nan)
    for i in range(n):
        x = start[i].copy()
        row = 0
        for j in range(times.shape[1]):
            low = times[i, j]
            high = times[i, j + 1] if j + 1 < times.shape[1] else days[-1]
            if high <= low:
                continue
            x = x + added[i, j]
            first = row
            while row < len(days) and (days[row] < high or (high >= days[-1] and days[row] <= high)):
                row += 1
            asked = np.empty(row - first + 2)
            count = 1
            asked[0] = low
            for r in range(first, row):
                if days[r] > low:
                    asked[count] = days[r]
                    count += 1
            if asked[count - 1] < high:
                asked[count] = high
                count += 1
            found, _ = lsoda(address, x, asked[:count], kept[i], rtol, atol)
            place = 0 if row > first and days[first] == low else 1
            for r in range(first, row):
                values[i, r] = found[place + r - first]
            x = found[count - 1].copy()
    return values


def run(rtol: float, atol: float, n: int) -> np.ndarray:
    a = arrays
    return course(a["start"][:n], a["kept"][:n], a["times"][:n], a["added"][:n], a["days"], rtol, atol)


serve(run)
