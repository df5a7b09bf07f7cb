"""libroadrunner: CVODE on a model compiled from SBML; treatments are changes of the states between stretches."""

import numpy as np
import roadrunner
from peer_common import read, segments, serve
from peer_sbml import sbml

text, arrays = read()
states, kept, days = len(text["states"]), text["kept"], arrays["days"]
model = roadrunner.RoadRunner(sbml(text))
model.selections = ["time", *(f"x{i}" for i in range(states))]
names = list(model.model.getGlobalParameterIds())
places = [names.index(f"x{i}") for i in range(states)]
constants = [names.index(f"k{i}") for i in range(kept)]


def run(rtol: float, atol: float, n: int) -> np.ndarray:
    values = np.empty((n, len(days), states))
    integrator = model.getIntegrator()
    integrator.setValue("relative_tolerance", rtol)
    integrator.setValue("absolute_tolerance", atol)
    integrator.setValue("maximum_num_steps", 100_000)
    for i in range(n):
        x = arrays["start"][i]
        model.model.setGlobalParameterValues(constants, arrays["kept"][i])
        for j, low, high, inside in segments(arrays["times"][i], days):
            x = x + arrays["added"][i, j]
            model.model.setTime(low)
            model.model.setGlobalParameterValues(places, x)
            asked = [low, *days[inside][days[inside] > low]]
            asked += [high] if asked[-1] < high else []
            found = np.asarray(model.simulate(times=asked))[:, 1:]
            first = 0 if len(inside) and days[inside[0]] == low else 1
            values[i, inside] = found[first : first + len(inside)]
            x = found[-1]
    return values


serve(run)
