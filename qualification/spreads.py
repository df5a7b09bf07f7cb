"""How far virtual patients differ in exposure, beside what labels give by product.

    python qualification/spreads.py --seed 1

Geometric coefficients of variation of Cmax and AUC0-28 (``inference/calibration/spreads.toml``). Rows that were
recalled, not read, are shown apart and decide nothing.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from dataclasses import replace

from vein2vein.inference.calibration.spreads import bundled, spreads_of
from vein2vein.inference.qualification import judge
from vein2vein.trials.comparison import compare
from vein2vein.trials.trial import enroll_and_treat, follow_up_at, load_trial


def main(arguments: list[str] | None = None, say: Callable[[str], None] = print) -> int:
    """Print each published spread beside the simulated one."""
    import numpy as np

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--patients", type=int, default=400)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args(arguments)
    say(f"{'':14s} {'geometric CV (%)':34s} {'published':>10s} {'simulated (90 %)':>24s}")
    passed = scored = 0
    for name in dict.fromkeys(name for name, _ in bundled()):
        trial = load_trial(name)
        trial = replace(trial, published=spreads_of(trial))
        who = np.arange(asked.patients)
        journey = enroll_and_treat(trial, who, seed=asked.seed)
        follow_up = follow_up_at(trial, who, asked.seed)
        rows = compare(
            trial.published, journey, follow_up=follow_up, scale=trial.scale, until=trial.until, seed=asked.seed
        )
        for stated, row in zip(trial.published, rows, strict=True):
            told = judge(trial, stated, row)
            read = stated.confidence == "read"
            passed, scored = passed + (read and told.passed), scored + read
            mark = "" if told.passed else " *"
            shown = f"{row.simulated:.0f} ({row.low:.0f} to {row.high:.0f})"
            note = "" if read else "  recalled, not scored"
            say(f"{name:14s} {stated.quantity:34s} {stated.value:10.0f} {shown:>24s}{mark}{note}")
    say(f"{passed} of {scored} that were read pass")
    return 0


if __name__ == "__main__":
    sys.exit(main())
