"""vein2vein as one of the engines: it finds the event itself."""

from peer_common import read, serve
from problem import case

from vein2vein.engine import solve

text, arrays = read()
model, parameters, days, doses, events = case(text["name"], len(arrays["start"]))


def run(rtol: float, atol: float, n: int):
    return solve.solve(model, parameters[:n], None, days, doses, rtol=rtol, events=events, threads=1).values


serve(run)
