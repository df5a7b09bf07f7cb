"""Patients measured one by one as evidence: what is told of them, with its sampling error, and the virtual counterpart.

The sampling error of each figure is that of patients drawn again from the data. Percentiles of neighboring windows, and
peaks by grade, say much the same thing of the same patients: all of one group count as a few rows (``worth`` in
patients.toml), so that forty patients do not drown the trials.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vein2vein.errors import InputError
from vein2vein.inference.calibration import figures_of_patients as told
from vein2vein.inference.calibration.cohort import Cohort, alike, number_of, read_cohort, read_virtual
from vein2vein.inference.calibration.figures_of_patients import Figure, by_window, figures, windows
from vein2vein.inference.calibration.fitted_rows import TOLERANCE, middle_half
from vein2vein.inference.calibration.gauss_newton import Flags, Floats
from vein2vein.inference.calibration.tables import NORMAL_90
from vein2vein.inference.posterior import Member
from vein2vein.inference.sets_side_by_side import treated_under
from vein2vein.journey.journey import Journey
from vein2vein.trials.trial import Trial, load_trial

ROUGH = {told.LOG10: "rough_log10", told.PERCENT: "rough_percent", told.FISHER: "rough_fisher"}


@dataclass(frozen=True)
class PatientRow:
    """What is said of one figure of patients; see ``fitted_rows.FittedRow``."""

    trial: str
    arm: str
    quantity: str
    endpoint: str


@dataclass(frozen=True)
class Patients:
    """Patients as evidence; made by ``read_patients``.

    Attributes
    ----------
    name, text : str
    trial : Trial
        The design, under which virtual patients are treated.
    cohort : Cohort
        The real patients.
    rows : tuple of PatientRow
    cards : tuple of frozenset of str
    data, error, tolerance : ndarray, shape (rows,)
        On the scale of each figure. The error is that of sampling, and what the model leaves out.
    seen : mapping of analyte to windows
    """

    name: str
    text: str
    trial: Trial
    cohort: Cohort
    rows: tuple[PatientRow, ...]
    cards: tuple[frozenset[str], ...]
    data: Floats
    error: Floats
    tolerance: Floats
    seen: dict[str, list[tuple[float, Flags]]]

    def simulated(self, members: Sequence[Member], first: Sequence[int], patients: int, seed: int) -> Floats:
        """The figures of virtual trials of the same patients, and their simulation errors; (members, rows, 2)."""
        numbers = [begin + np.arange(patients) for begin in first]
        journeys = treated_under(self.trial, members, numbers, seed=seed, tolerance=TOLERANCE)
        return np.array([self._read(journey, seed) for journey in journeys], dtype=np.float64)

    def _read(self, journey: Journey, seed: int) -> Floats:
        virtual = read_virtual(self.trial, journey, self.cohort.values)
        count = int(number_of("resamples"))
        found = _all(alike(self.cohort, virtual, seed, count), self.seen)
        pool = len(virtual.arm)
        pairs: list[tuple[float, float]] = []
        for row, center, error in zip(self.rows, self.data, self.error, strict=True):
            on = np.broadcast_to(found[row.quantity].on_scale(), (count,))
            middle, spread = middle_half(on[np.isfinite(on)], float(center), float(error), count)
            pairs.append((middle, spread * float(np.sqrt(self.cohort.count / pool))))
        return np.array(pairs, dtype=np.float64)


def read_patients(
    design: str | Path | Trial, folder: str | Path, *, chosen: NDArray[np.intp] | None = None, name: str = ""
) -> Patients:
    """Read patients that were measured one by one, to calibrate to them.

    Parameters
    ----------
    design : str, Path or Trial
        A trial file that says how they were treated, with an arm for each dose level of the data ("1, pediatric" and
        "1, adult" both stand for dose level 1).
    folder : str or Path
        With subjects.csv and observations.csv.
    chosen : ndarray of int, optional
        Places of the patients that count; all by default.
    name : str, optional
        Its name among the evidence; that of the design by default.

    Raises
    ------
    InputError
        The design or the data cannot be read: file, line, field; or there are too few patients.
    """
    trial = design if isinstance(design, Trial) else load_trial(design)
    cohort = read_cohort(folder, trial)
    digest = hashlib.sha256()
    for file in ("subjects.csv", "observations.csv"):
        digest.update((Path(folder) / file).read_bytes())
    return patients_of(trial, cohort if chosen is None else cohort.of(chosen), name or trial.name, digest.hexdigest())


def patients_of(trial: Trial, cohort: Cohort, name: str, origin: str = "") -> Patients:
    """Evidence of patients that were read already; ``origin`` tells these data from others."""
    if cohort.count < number_of("fewest"):
        text = f"found {cohort.count} patients, expected {number_of('fewest'):g} or more."
        raise InputError(text, field="patients")
    seen = {analyte: windows(cohort, analyte, number_of("every")) for analyte in cohort.values}
    seen = {analyte: found for analyte, found in seen.items() if found}
    observed = _all(cohort, seen)
    error = _errors(cohort, observed, seen)
    kept = [key for key, one in observed.items() if np.isfinite(one.on_scale()) and np.isfinite(error[key])]
    arms = trial.arms or (trial,)
    cards = frozenset(one for arm in arms for one in (arm.product.name, arm.disease.name))
    groups = [observed[key].group for key in kept]
    worth = [max(1.0, groups.count(one) / number_of("worth")) if one else 1.0 for one in groups]
    each = np.array([error[key] for key in kept])
    return Patients(
        name=name,
        text=repr((trial.text, origin, cohort.arm.tolist(), kept, each.round(9).tolist())),
        trial=trial,
        cohort=cohort,
        rows=tuple(PatientRow(name, "patients", key, observed[key].endpoint) for key in kept),
        cards=(cards,) * len(kept),
        data=np.array([float(observed[key].on_scale()) for key in kept]),
        error=each * np.sqrt(worth),
        tolerance=NORMAL_90 * each,
        seen=seen,
    )


def _all(cohort: Cohort, seen: dict[str, list[tuple[float, Flags]]]) -> dict[str, Figure]:
    return {**figures(cohort), **by_window(cohort, seen)}


def _errors(
    cohort: Cohort, observed: dict[str, Figure], seen: dict[str, list[tuple[float, Flags]]]
) -> dict[str, float]:
    """Standard deviation of each figure on its scale over patients drawn again, and what the model leaves out.

    Patients are drawn within their arm, as virtual ones are. NaN where half of the draws do not tell the figure.
    """
    rng = np.random.default_rng(int(number_of("fold_seed")))
    count = int(number_of("resamples"))
    who = np.empty((count, cohort.count), dtype=np.intp)
    for arm in np.unique(cohort.arm):
        mine = np.flatnonzero(cohort.arm == arm)
        who[:, mine] = rng.choice(mine, (count, mine.size))
    draws = [_all(cohort.of(one), _moved(seen, one)) for one in who]
    found: dict[str, float] = {}
    for key, one in observed.items():
        on = np.array([draw[key].on_scale() for draw in draws], dtype=np.float64)
        on = on[np.isfinite(on)]
        rough = number_of(ROUGH[one.scale]) if one.scale in ROUGH else number_of("rough_linear") * float(one.value)
        found[key] = float(np.hypot(on.std(), rough)) if on.size >= count / 2 else np.nan
    return found


def _moved(seen: dict[str, list[tuple[float, Flags]]], who: NDArray[np.intp]) -> dict[str, list[tuple[float, Flags]]]:
    """The windows with their samples as patients were drawn."""
    return {analyte: [(day, inside[who]) for day, inside in found] for analyte, found in seen.items()}
