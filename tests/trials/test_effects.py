"""The script that holds published covariate effects beside those of virtual patients."""

import importlib.util
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "qualification" / "effects.py"


@pytest.fixture
def effects():
    if not SCRIPT.is_file():
        pytest.skip(f"the qualification scripts are not part of an installed package: {SCRIPT} is not there")
    spec = importlib.util.spec_from_file_location("effects", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_row_it_asks_for_is_scored_or_fitted_to(effects):
    from vein2vein.inference.calibration.spreads import with_spreads
    from vein2vein.trials.trial import load_trial

    for name, quantities in effects.ROWS.items():
        scored = {row.quantity for row in with_spreads(load_trial(name)).published if row.tolerance_kind}
        assert set(quantities) <= scored


def test_the_dose_hardly_moves_the_peak_and_burden_makes_the_syndrome_severe(effects):
    peaks = [float(line.split("|")[4].split(";")[0]) for line in effects.by_dose(60, 1)]
    assert len(peaks) == len(effects.DOSES) and max(peaks) / min(peaks) < 2  # doses are tenfold apart
    (line,) = effects.by_burden("juliet", 150, 1)
    below, above = (float(share) for share in line.split("|")[4].split(";")[1].split(","))
    assert below < above


@pytest.mark.parametrize(
    ("trial", "doses"),
    [("eliana", ("0.5e6/kg", "3.2e6/kg", "1e7/kg")), ("karmma", ("50e6 cells", "450e6 cells"))],
)
def test_more_cells_never_lead_to_earlier_failure(trial, doses):
    """The same patients at other doses: rejection was once primed by the number of cells, and a higher dose lost."""
    from vein2vein.trials.trial import enroll_and_treat, load_trial

    kept = []
    for dose in doses:
        journey = enroll_and_treat(replace(load_trial(trial), dose=dose, arms=()), np.arange(100), seed=1)
        seen = journey.response
        failed = np.minimum(journey.outcome.death_day, np.minimum(seen.relapse_day, seen.progression_day))
        kept.append(np.where(np.isfinite(seen.response_day), failed, 0)[journey.infused] > 365)
    shares = [one.mean() for one in kept]
    assert all(later >= earlier - 0.02 for earlier, later in pairwise(shares)), shares
    assert shares[-1] >= shares[0]
