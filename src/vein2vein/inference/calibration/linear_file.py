"""The linearized calibration on disk, beside the sample: what leave-one-trial-out is computed from."""

from __future__ import annotations

import json
from dataclasses import asdict
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING
from zipfile import BadZipFile

import numpy as np

from vein2vein.errors import InputError
from vein2vein.files import open_binary
from vein2vein.inference.calibration import gauss_newton
from vein2vein.inference.calibration.left_out import Linear, Refit
from vein2vein.inference.posterior import Factor, hash_of_cards

if TYPE_CHECKING:
    from vein2vein.inference.calibration.calibrate import Calibration

JOINED = "+"


def linear_of(found: Calibration) -> Linear:
    """What of a calibration leave-one-out needs."""
    problem = found.problem
    return Linear(
        factors=problem.factors,
        estimate=found.estimate,
        owners=tuple(problem.names[int(i)] for i in problem.owner),
        residual=gauss_newton.residuals(found.outcome, problem.data, problem.error),
        sensitivity=found.sensitivity,
        met=tuple(cards for one in problem.evidence for cards in one.cards),
        cards=found.sample.cards,
        refits=found.refits,
    )


def _factor(text: str) -> Factor:
    one = json.loads(text)
    return Factor(one["name"], one["parameter"], one["what"], tuple(one["cards"]), float(one["prior_sd"]))


def bundled() -> Path:
    """Where the linearized calibration that comes with vein2vein is."""
    return Path(str(resources.files("vein2vein").joinpath("inference", "linearized.npz")))


def write_linear(one: Linear, path: Path) -> None:
    """Write it; an existing file is replaced as a whole."""
    with open_binary(path, force=True) as file:
        np.savez_compressed(
            file,
            factors=np.array([json.dumps(asdict(factor)) for factor in one.factors]),
            estimate=one.estimate,
            owners=np.array(one.owners),
            residual=one.residual.astype(np.float32),
            sensitivity=one.sensitivity.astype(np.float32),
            met=np.array([JOINED.join(sorted(cards)) for cards in one.met]),
            cards=np.array(one.cards),
            refit_trials=np.array([JOINED.join(refit.trials) for refit in one.refits], dtype=str),
            refit_points=np.array([refit.point for refit in one.refits]).reshape(-1, len(one.factors)),
            refit_residuals=np.array([refit.residual for refit in one.refits]).reshape(-1, len(one.owners)),
        )


def read_linear(path: Path | None = None, *, current: bool = True) -> Linear:
    """Read the linearized calibration; the one that comes with vein2vein by default.

    ``current``: refuse one that was made with other numbers than the cards hold.

    Raises
    ------
    InputError
        There is no such file, it is not what ``write_linear`` writes, or the cards hold other numbers now.
    """
    path = path or bundled()
    if not path.is_file():
        text = "there is no linearized calibration; make one with qualification/calibrate.py --write."
        raise InputError(text, file=path.name)
    try:
        with np.load(path) as held:
            found = Linear(
                factors=tuple(_factor(text) for text in held["factors"].tolist()),
                estimate=held["estimate"],
                owners=tuple(held["owners"].tolist()),
                residual=held["residual"].astype(np.float64),
                sensitivity=held["sensitivity"].astype(np.float64),
                met=tuple(frozenset(text.split(JOINED)) for text in held["met"].tolist()),
                cards=str(held["cards"]),
                refits=tuple(
                    Refit(tuple(trials.split(JOINED)), point, residual)
                    for trials, point, residual in zip(
                        held["refit_trials"].tolist(), held["refit_points"], held["refit_residuals"], strict=True
                    )
                ),
            )
    except (BadZipFile, ValueError, OSError, KeyError, TypeError):
        raise InputError("is no linearized calibration; make one with calibrate.py --write.", file=path.name) from None
    if current and found.cards != (now := hash_of_cards(found.factors)):
        text = f"was made with other numbers than the cards now hold (hash {found.cards}, now {now}); calibrate again."
        raise InputError(text, file=path.name)
    return found
