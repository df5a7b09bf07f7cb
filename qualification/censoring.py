"""What the handling of values below the limit does to a fit: their probability (M3), dropping them, or half the limit.

    python qualification/censoring.py --studies 5

Simulated studies of Stein's CAR-T kinetics (see fit_replicates.py), each fitted three times; the table holds the bias
of each number in percent. Handlings as Beal (2001) numbers them: M3 counts a censored row with the probability of all
that it may have been, M1 drops it, M5 puts half the limit in its place.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import fields, replace
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent))

from fit_replicates import LENGTHS, stein_problem, stein_study, stein_truth

from vein2vein.inference.population.fit import fit
from vein2vein.inference.population.problem import Settings
from vein2vein.io.study.study import Study

Say = Callable[[str], None]


def dropped(study: Study) -> Study:
    """M1: without the rows below the limit."""
    seen = study.observations
    kept = seen.censored == 0
    return replace(study, observations=replace(seen, **{f.name: getattr(seen, f.name)[kept] for f in fields(seen)}))


def halved(study: Study) -> Study:
    """M5: half the limit in their place."""
    seen = study.observations
    value = np.where(seen.censored == 1, 0.5 * seen.value, seen.value)
    return replace(study, observations=replace(seen, value=value, censored=np.zeros_like(seen.censored)))


HANDLINGS: dict[str, Callable[[Study], Study]] = {
    "M3, their probability": lambda study: study,
    "M1, dropped": dropped,
    "M5, half the limit": halved,
}


def biases(
    studies: int, settings: Settings, patients: int, tell: Say = lambda text: None
) -> dict[str, dict[str, float]]:
    """Mean bias in percent of each number by each handling."""
    truth = stein_truth()
    found: dict[str, list[list[float]]] = {name: [] for name in HANDLINGS}
    for seed in range(1, studies + 1):
        study = stein_study(seed, patients)
        for name, handled in HANDLINGS.items():
            one = fit(replace(stein_problem(handled(study), settings), seed=seed))
            found[name].append([100 * (one.estimate(n).estimate / truth[n] - 1) for n in truth])
            tell(f"study {seed}, {name}: {one.verdict[0][:60]}")
    return {name: dict(zip(truth, np.mean(rows, axis=0).tolist())) for name, rows in found.items()}


def main(arguments: Sequence[str], say: Say = print) -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--studies", type=int, default=5)
    parser.add_argument("--patients", type=int, default=90)
    parser.add_argument("--iterations", type=int, nargs=2, default=None, metavar=("EXPLORING", "AVERAGING"))
    asked = parser.parse_args(arguments)
    settings = replace(LENGTHS["stein"], standard_errors=False)
    if asked.iterations:
        settings = replace(settings, exploring=asked.iterations[0], averaging=asked.iterations[1])
    table = biases(asked.studies, settings, asked.patients)
    names = list(stein_truth())
    say(f"bias in %, {asked.studies} studies of {asked.patients} patients")
    say(f"{'':24}" + "".join(f"{name.replace('omega', 'om').replace('transgene', ''):>10}" for name in names))
    for handling, one in table.items():
        say(f"{handling:24}" + "".join(f"{one[name]:>10.0f}" for name in names))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
