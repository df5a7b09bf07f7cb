"""Learn the error of the model from predictions of trials that were left out, and write it into the package.

    python qualification/model_error.py --seed 1 --jobs 2

What ``vein2vein qualify --left-out`` predicts, the error by kind of endpoint (``vein2vein.inference.model_error``).
Where the calibration ran refits without each trial, the trials are predicted twice: from the refits, which begin where
the calibration with the trial in it had ended and so flatter, and from the linearization, which goes farther than it
can know. Of each kind the larger error of the two is kept: an interval must not be narrower than either shows.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace

from vein2vein.inference import model_error
from vein2vein.inference.calibration.linear_file import read_linear
from vein2vein.inference.leave_one_out import predict_left_out


def main() -> int:
    """Predict, learn, write, tell."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=1)
    asked = parser.parse_args()
    linear = read_linear()
    found = predict_left_out(linear, seed=asked.seed, jobs=asked.jobs)
    error = model_error.learned_from(found.bare, linear.cards)
    if linear.refits:
        more = predict_left_out(replace(linear, refits=()), seed=asked.seed, jobs=asked.jobs)
        error = model_error.larger(error, model_error.learned_from(more.bare, linear.cards))
    model_error.write_model_error(error, model_error.bundled())
    for kind, tolerances in error.tolerances.items():
        print(f"{kind}: {tolerances:.2f} tolerances, {error.points[kind]:.3g} points, ln {error.ln[kind]:.3g}")
    score = found.overall
    print(
        f"{score.passed} of {score.rows} predicted rows pass, {score.coverage:.0%} inside, error {score.gain:.0%} less"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
