"""Move the mean of the posterior sample into the cards, and make sample and linearization relative to the new cards.

    python qualification/write_cards.py                    # the package's sample and cards
    python qualification/write_cards.py --posterior qualification/posterior.csv

Only the number itself is edited (four significant digits); comments and layout stay. Where it was assumed, its ``how``
becomes "calibrated", and ``where`` names this folder; a number that the data did not move stays as it is. A sample that
was fitted with other cards is refused.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np

from vein2vein.errors import InputError
from vein2vein.inference import posterior
from vein2vein.inference.calibration import linear_file
from vein2vein.inference.calibration.write_cards import write_means
from vein2vein.inference.posterior import Posterior

PACKAGE = Path(__file__).resolve().parent.parent / "src" / "vein2vein"
SOURCE, WHERE = "reference_model_2026", "qualification/calibrate.py"


def write(sample: Posterior, package: Path = PACKAGE) -> list[str]:
    """Edit the cards below ``package`` by the mean of a sample; what was changed, a line for each number."""
    return write_means(sample, package, source=SOURCE, where=WHERE)


def main() -> int:
    """Write the cards and the sample."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--posterior", type=Path, help="default: the sample that comes with vein2vein")
    parser.add_argument("--rehash", action="store_true", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    path = asked.posterior or posterior.bundled()
    sample = posterior.read_posterior(path)
    if asked.rehash:  # a process of its own, which reads the cards as they are now
        now = posterior.hash_of_cards(sample.factors)
        posterior.write_posterior(replace(sample, cards=now), path)
        if path == posterior.bundled() and linear_file.bundled().is_file():
            linear = linear_file.read_linear(current=False)
            here = replace(linear, cards=now, estimate=np.zeros_like(linear.estimate))
            linear_file.write_linear(here, linear_file.bundled())
        return 0
    if not sample.is_current:
        raise SystemExit(f"{path.name} was fitted with other numbers than the cards now hold")
    try:
        print("\n".join(write(sample)))
    except InputError as problem:
        raise SystemExit(str(problem)) from None
    posterior.write_posterior(replace(sample, logs=np.asarray(sample.logs - sample.logs.mean(axis=0))), path)
    subprocess.run([sys.executable, __file__, "--rehash", "--posterior", str(path)], check=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
