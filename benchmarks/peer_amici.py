"""AMICI: CVODES on C++ code written and compiled for the model; needs a C++ compiler and takes a minute to build."""

import tempfile

import amici
import numpy as np
from peer_common import read, segments, serve
from peer_sbml import sbml

text, arrays = read()
states, kept, days = len(text["states"]), text["kept"], arrays["days"]
folder = tempfile.mkdtemp()
with open(f"{folder}/m.xml", "w") as file:
    file.write(sbml(text))
model = amici.SbmlImporter(f"{folder}/m.xml").sbml2amici(
    f"bench_{text['name']}", f"{folder}/built", generate_sensitivity_code=False, compute_conservation_laws=False
)
from amici.sim.sundials import run_simulation  # noqa: E402

if model is None:
    model = amici.import_model_module(f"bench_{text['name']}", f"{folder}/built").get_model()
solver = model.create_solver()
order = [int(name[1:]) for name in model.get_state_ids()]
back = np.argsort(order)
names = list(model.get_free_parameter_ids() if hasattr(model, "get_free_parameter_ids") else model.get_parameter_ids())
place = [int(name[1:]) for name in names]
put = model.set_free_parameters if hasattr(model, "set_free_parameters") else model.set_parameters


def run(rtol: float, atol: float, n: int) -> np.ndarray:
    values = np.empty((n, len(days), states))
    solver.set_relative_tolerance(rtol)
    solver.set_absolute_tolerance(atol)
    solver.set_max_steps(100_000)
    for i in range(n):
        x = arrays["start"][i]
        put(arrays["kept"][i][place])
        for j, low, high, inside in segments(arrays["times"][i], days):
            x = x + arrays["added"][i, j]
            asked = np.unique(np.append(days[inside], high))
            model.set_t0(low)
            model.set_initial_state(x[order])
            model.set_timepoints(asked)
            found = np.asarray(run_simulation(model, solver).x)[:, back]
            values[i, inside] = found[: len(inside)]
            x = found[-1]
    return values


serve(run)
