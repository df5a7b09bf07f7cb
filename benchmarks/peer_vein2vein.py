"""vein2vein as one of the engines: it finds the event itself."""

import sys

from peer_common import read, serve
from problem import case

from vein2vein.engine import solve

text, arrays = read()
model, parameters, days, doses, events = case(text["name"], len(arrays["start"]))
method = sys.argv[2] if sys.argv[2:] else "auto"


def run(rtol: float, atol: float, n: int):
    return solve.solve(
        model, parameters[:n], None, days, doses, rtol=rtol, events=events, method=method, threads=1
    ).values


serve(run)
