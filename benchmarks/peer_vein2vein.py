"""vein2vein as one of the engines: it finds the event itself.

python benchmarks/peer_vein2vein.py FOLDER METHOD VECTORS
"""

import sys

import vectors
from peer_common import read, serve
from problem import case

from vein2vein.engine import solve

vectors.use(sys.argv[3])
text, arrays = read()
model, parameters, days, doses, events = case(text["name"], len(arrays["start"]))
method = sys.argv[2]


def run(rtol: float, atol: float, n: int):
    return solve.solve(
        model, parameters[:n], None, days, doses, rtol=rtol, events=events, method=method, threads=1
    ).values


serve(run)
