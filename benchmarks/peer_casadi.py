"""CasADi: CVODES with derivatives by CasADi; without the event, as its output grid is the same for all patients."""

import casadi
import numpy as np
from peer_common import read, segments, serve, source

text, arrays = read()
exp_, log_, sqrt_, min_, max_ = casadi.exp, casadi.log, casadi.sqrt, casadi.fmin, casadi.fmax
less_, choose_ = (lambda a, b: casadi.if_else(a < b, 1.0, 0.0)), (lambda c, a, b: casadi.if_else(c, a, b))
exec(source(text, "def rates(t, x, k):"))
states, days = len(text["states"]), arrays["days"]
t, x, k = casadi.SX.sym("t"), casadi.SX.sym("x", states), casadi.SX.sym("k", text["kept"])
equations = {"t": t, "x": x, "p": k, "ode": casadi.vertcat(*rates(t, x, k))}  # noqa: F821
stretches = segments(arrays["times_without"][0], days)
made: dict = {}


def integrators(rtol: float, atol: float) -> list:
    if (rtol, atol) not in made:
        options = {"reltol": rtol, "abstol": atol, "max_num_steps": 100_000}
        found = []
        for _, low, high, inside in stretches:
            asked = np.unique(np.append(days[inside], high))
            found.append(casadi.integrator("f", "cvodes", equations, low, asked, options))
        made[rtol, atol] = found
    return made[rtol, atol]


def run(rtol: float, atol: float, n: int) -> np.ndarray:
    values = np.empty((n, len(days), states))
    solvers = integrators(rtol, atol)
    for i in range(n):
        state = arrays["start"][i]
        for (j, _, _, inside), solver in zip(stretches, solvers):
            found = solver(x0=state + arrays["added_without"][i, j], p=arrays["kept"][i])["xf"].full().T
            values[i, inside] = found[: len(inside)]
            state = found[-1]
    return values


serve(run, without=True, note=" (no event)")
