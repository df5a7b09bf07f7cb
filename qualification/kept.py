"""What a calibration ran so far, on disk: a run that ended is never run again, whatever ended the calibration."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np


@dataclass
class Kept:
    """The runs that ended, by label."""

    path: Path
    key: str  # of options, priors, data and cards
    runs: dict[str, np.ndarray] = field(default_factory=dict)  # (rows, 2): simulated, and simulation error
    seconds: float = 0.0  # of computing so far

    def save(self) -> None:
        """Keep what was run; the file is replaced as a whole."""
        from vein2vein.files import open_binary

        labels, values = list(self.runs), np.array(list(self.runs.values()))
        with open_binary(self.path, force=True, durable=True) as stream:
            np.savez(stream, key=self.key, seconds=self.seconds, labels=labels, values=values)


def resumed(path: Path, key: str) -> Kept:
    """What an earlier run of the same command did."""
    if not path.is_file():
        return Kept(path, key)
    with np.load(path) as found:
        if "labels" not in found or str(found["key"]) != key:
            print(f"{path.name} is of another calibration (options, priors, data or cards): begun anew", flush=True)
            return Kept(path, key)
        return Kept(path, key, dict(zip(found["labels"].tolist(), found["values"])), float(found["seconds"]))
