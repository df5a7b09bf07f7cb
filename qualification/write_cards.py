"""Move what a calibration found into the cards, and make sample and linearization relative to the new cards.

``calibrate.py --write`` calls this. Only the number itself is edited (four significant digits); comments and layout
stay. What was fitted is "calibrated" and cites the rows and its prior; what nothing moved has the source and the
reason of its prior.
"""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from vein2vein.inference import posterior
from vein2vein.inference.calibration import linear_file
from vein2vein.inference.calibration.calibrate import Calibration
from vein2vein.inference.calibration.free_numbers import FreeNumbers
from vein2vein.inference.calibration.priors import Key
from vein2vein.inference.calibration.unfitted import draws_of, unfitted
from vein2vein.inference.calibration.write_cards import write_means
from vein2vein.inference.posterior import Member

PACKAGE = Path(__file__).resolve().parent.parent / "src" / "vein2vein"
CALIBRATED = {"how": "calibrated", "source": "calibration_rows", "why": ""}
PRIORS = "qualification/priors.toml"


def facts_of(free: FreeNumbers, key: Key) -> dict[str, str]:
    """Where a number comes from: the rows that it was calibrated to, or, where nothing moved it, its prior alone."""
    mine = [f for f in free.factors if f.parameter == key[1] and f.what == key[2] and key[0] in f.cards]
    names = " and ".join(dict.fromkeys(free.prior_names[f.name] for f in mine if f.name in free.prior_names))
    if mine and free.still.issuperset(f.name for f in mine) and (prior := free.priors.get(mine[0].name)):
        source = prior.sources[0] if prior.sources else ""
        how = prior.how if len(mine) == 1 else "assumed"
        return {"how": how, "source": source, "where": f"prior {names}, {PRIORS}", "why": prior.why}
    return {**CALIBRATED, "where": f"from the prior {names}, {PRIORS}" if names else "qualification/calibrate.py"}


def write_numbers(one: Member, free: FreeNumbers, package: Path = PACKAGE) -> list[str]:
    """Edit the cards below ``package`` by a parameter set; what was changed, a line for each number."""
    return write_means(one, package, partial(facts_of, free))


def write(found: Calibration) -> list[str]:
    """Write cards, sample and linearization of a calibration; what was changed in the cards, a line for each number."""
    told = write_numbers(found.mean(), found.free)
    sample, linear = found.sample, linear_file.linear_of(found)
    more = unfitted(sample.factors)  # cards that no trial informs are as uncertain as their class
    logs = sample.logs - sample.logs.mean(axis=0)
    logs = np.hstack([logs, draws_of(more, len(logs), int(str(sample.facts["seed"])))])
    posterior.write_posterior(replace(sample, factors=(*sample.factors, *more), logs=logs), posterior.bundled())
    nothing = np.zeros((len(more), linear.sensitivity.shape[1]))
    linear = replace(
        linear, factors=(*linear.factors, *more), estimate=np.append(linear.estimate, np.zeros(len(more))),
        sensitivity=np.vstack([linear.sensitivity, nothing]),
        refits=tuple(replace(one, point=np.append(one.point, np.zeros(len(more)))) for one in linear.refits),
    )  # fmt: skip
    linear_file.write_linear(linear, linear_file.bundled())
    subprocess.run(
        [sys.executable, __file__], check=True
    )  # a process of its own, which reads the cards as they are now
    return told


def rehash() -> None:
    """Say in sample and linearization which numbers they are relative to: those that the cards hold now."""
    sample = posterior.read_posterior()
    now = posterior.hash_of_cards(sample.factors)
    posterior.write_posterior(replace(sample, cards=now), posterior.bundled())
    linear_file.write_linear(replace(linear_file.read_linear(current=False), cards=now), linear_file.bundled())


if __name__ == "__main__":
    rehash()
