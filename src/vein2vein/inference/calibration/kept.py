"""What a calibration ran so far, on disk: a run that ended is never run again, whatever ended the calibration."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from vein2vein.errors import InputError
from vein2vein.files import open_binary

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


@dataclass
class Kept:
    """The runs that ended, by label.

    Attributes
    ----------
    path : Path or None
        Where they are kept; None: in memory only.
    key : str
        Of options, priors, data and cards.
    runs : dict of str to ndarray, shape (rows, 2)
        Simulated rows and their simulation error; NaN where not run, or not produced.
    done : dict of str to ndarray of bool, shape (evidence,)
        Of which trials, or other evidence, the run ended.
    seconds : float
        Of computing so far.
    """

    path: Path | None
    key: str
    runs: dict[str, Floats] = field(default_factory=dict[str, Floats])
    done: dict[str, Flags] = field(default_factory=dict[str, Flags])
    seconds: float = 0.0

    def save(self) -> None:
        """Keep what was run; the file is replaced as a whole."""
        if self.path is None:
            return
        labels, values, done = list(self.runs), np.array(list(self.runs.values())), np.array(list(self.done.values()))
        with open_binary(self.path, force=True) as file:
            np.savez(file, key=self.key, seconds=self.seconds, labels=labels, values=values, done=done)


def resumed(path: Path | None, key: str, say: Callable[[str], None]) -> Kept:
    """What an earlier run of the same calibration did; that of another one is begun anew, and said so.

    Raises
    ------
    InputError
        The file is not one that ``Kept.save`` writes.
    """
    if path is None or not path.is_file():
        return Kept(path, key)
    try:
        with np.load(path) as found:
            if "done" not in found or str(found["key"]) != key:
                say(f"{path.name} is of another calibration (options, priors, data or cards): begun anew")
                return Kept(path, key)
            labels: list[str] = found["labels"].tolist()
            values: Floats = found["values"]
            done: Flags = found["done"]
            return Kept(path, key, dict(zip(labels, values)), dict(zip(labels, done)), float(found["seconds"]))
    except (BadZipFile, ValueError, OSError):
        text = "is not what a calibration keeps; remove it, or give another name."
        raise InputError(text, file=path) from None
