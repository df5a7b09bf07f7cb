"""Calibrate the model to the published trials of the calibration set, stage by stage and then together, with its
uncertainty.

The numbers of qualification/priors.toml are free within their written priors, where the search begins; the scored rows
of the calibration trials are the data (``vein2vein.inference.calibration`` says how).

    python qualification/calibrate.py --staged --steps 2 --patients 160 --workers 2 --out qualification/posterior.json
    python qualification/calibrate.py ... --write          # the same, and cards and sample become those of the package

    python qualification/calibrate.py ... --real ../shared/data/car22_nih_cd22 --spreads   # these are data too
    python qualification/calibrate.py ... --without zuma_7         # fitted without its rows, which are then predicted
    python qualification/calibrate.py ... --left-out zuma_2 felix  # each in turn, by a linearized refit
    python qualification/calibrate.py ... --begin qualification/ladder.json   # from where an earlier ladder ended
    python qualification/calibrate.py ... --refits 6 --write       # refits without each trial, for qualify --left-out

What is done is kept beside --out after every run; the same command, or one with more steps, goes on from there. No
number of a trial outside the calibration file is read.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # one thread for each worker: the runs are what goes side by side
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import argparse
import json
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import write_cards

from vein2vein.errors import InputError
from vein2vein.inference import posterior
from vein2vein.inference.calibration.calibrate import Calibration, calibrate
from vein2vein.inference.calibration.gauss_newton import BOUND
from vein2vein.inference.calibration.runs import Settings
from vein2vein.inference.qualification import score_trial, summarize
from vein2vein.trials.trial import list_trials, load_trial

HERE = Path(__file__).resolve().parent


def write_json(path: Path, found: Calibration, predicted: list[dict[str, object]]) -> None:
    """Estimate, covariance and predictions, for whoever wants to look into them."""
    sample, names = found.sample, [factor.name for factor in found.sample.factors]
    record = {
        "what": "factors on the numbers of the cards: logarithms in standard deviations of their priors",
        "cards": sample.cards, **sample.facts, "names": names, "stages": list(found.free.stages),
        "prior_sd": {f.name: f.prior_sd for f in sample.factors},
        "estimate": dict(zip(names, found.estimate.tolist())),
        "predictions": predicted,
        "covariance": found.covariance.round(6).tolist(),
    }  # fmt: skip
    from vein2vein.files import write_text

    write_text(path, json.dumps(record, indent=1), force=True, durable=True)


def options(arguments: Iterable[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=2, help="0: only sensitivities and sample, at the cards' numbers")
    parser.add_argument("--staged", action="store_true", help="before: kinetics alone, then B cells, tumor and so on")
    parser.add_argument("--polish", type=int, default=0, help="steps after them that reuse the last sensitivities")
    parser.add_argument("--corrections", type=int, default=1, help="how often the mean is corrected by runs of draws")
    parser.add_argument("--refits", type=int, default=0, help="steps of a refit without each trial, for predictions")
    parser.add_argument("--patients", type=int, default=250)
    parser.add_argument("--difference", type=float, default=0.7, help="prior standard deviations a factor is moved by")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--trials", nargs="*")
    parser.add_argument("--reuse", action="store_true", help="factors decided by nothing keep their sensitivities")
    parser.add_argument("--real", type=Path, help="folder of patients measured one by one, as car22.toml treated them")
    parser.add_argument("--spreads", action="store_true", help="published spreads of exposure are data too")
    parser.add_argument(
        "--without", nargs="*", default=[], help="trials that are not fitted to, but predicted at the end"
    )
    parser.add_argument("--left-out", nargs="*", default=[], help="trials predicted by a linearized refit without them")
    parser.add_argument("--predicted", type=int, default=400, help="virtual patients of each prediction")
    parser.add_argument("--out", type=Path, default=HERE / "posterior.json")
    parser.add_argument("--free", type=Path, default=HERE / "priors.toml", help="what is free, and the priors")
    parser.add_argument("--begin", type=Path, help="begin where another calibration ended, as its --out tells")
    parser.add_argument("--write", action="store_true", help="make numbers and sample those of the package")
    parser.add_argument("--table", type=Path, help="write the identifiability tables here as well")
    asked = parser.parse_args(arguments)
    if min(asked.steps, asked.polish, asked.corrections, asked.refits) < 0 or not 0 < asked.difference <= BOUND:
        parser.error(
            "expected --steps, --polish, --corrections and --refits of 0 or more, and --difference above 0 "
            f"and at most {BOUND:g}"
        )
    return asked


def begun(path: Path | None) -> dict[str, float] | None:
    """Where another calibration ended, by factor."""
    return None if path is None else json.loads(path.read_text(encoding="utf-8"))["estimate"]


def predictions(found: Calibration, asked: argparse.Namespace) -> Iterator[dict[str, object]]:
    """Each trial that was not fitted to, and each by a linearized refit without it, scored as ``qualify`` does.

    A linearized refit begins where the calibration ended, and takes rows to follow the last sensitivities from there.
    """
    wanted = [(name, "fitted without it", found.mean()) for name in asked.without]
    wanted += [(name, "linearized refit without it", found.without(name)) for name in asked.left_out]
    for name, how, one in wanted:
        rows = score_trial(load_trial(name), patients=asked.predicted, seed=asked.seed, sets=one)
        whole = summarize(name, rows)
        missed = sorted((row for row in rows if not row.passed), key=lambda row: -row.error)
        yield {
            "trial": name, "how": how, "passed": whole.passed, "rows": whole.rows,
            "inside": sum(row.inside for row in rows), "mean_error": round(whole.error, 2),
            "missed": [f"{row.quantity}: {row.published:g}, simulated {row.simulated:.3g}" for row in missed],
        }  # fmt: skip


def main(arguments: Iterable[str] | None = None) -> int:
    """Run the calibration; print how far each row is from its data and what the data decided."""
    asked = options(arguments)
    settings = Settings(
        asked.steps, asked.staged, asked.polish, asked.corrections, asked.patients, asked.difference, asked.seed,
        asked.workers, asked.reuse, asked.refits,
    )  # fmt: skip
    keep = asked.out.with_suffix(".npz")
    chosen = [name for name in asked.trials or list_trials() if name not in asked.without]
    try:
        for name in (*asked.without, *asked.left_out):
            load_trial(name)  # an unknown one is told before anything is run
        for name in asked.left_out:
            if name not in {load_trial(one).name for one in chosen}:
                raise InputError(
                    f"found '{name}', which is not fitted to; only what is can be left out.", field="left-out"
                )
        beside = [(HERE / "car22.toml", asked.real)] if asked.real else []
        found = calibrate(
            asked.free, chosen, settings, beside=beside, spreads=asked.spreads, begin=begun(asked.begin), keep=keep,
            say=lambda text: print(text, flush=True),
        )  # fmt: skip
    except InputError as problem:
        raise SystemExit(str(problem)) from None
    predicted = list(predictions(found, asked))
    write_json(asked.out, found, predicted)
    table = found.identifiability()
    if asked.table:
        from vein2vein.files import write_text

        write_text(asked.table, table + "\n", force=True)
    if asked.write:
        print("\n".join(write_cards.write(found)))
    print(found.rows())
    print(table)
    for one in predicted:
        print(
            f"prediction of {one['trial']} ({one['how']}): {one['passed']} of {one['rows']} rows pass, "
            f"{one['inside']} inside, mean error {one['mean_error']} tolerances"
        )
        for text in one["missed"]:
            print(f"  missed {text}")
    if asked.write:
        print(f"wrote {posterior.bundled()}: {len(found.sample.logs)} parameter sets")
    return 0


if __name__ == "__main__":
    sys.exit(main())
