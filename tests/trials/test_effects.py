"""The script that holds published covariate effects beside those of virtual patients."""

import importlib.util
from pathlib import Path

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


def test_every_row_it_asks_for_is_a_scored_row_of_its_trial(effects):
    from vein2vein.trials.trial import load_trial

    for name, quantities in effects.ROWS.items():
        scored = {row.quantity for row in load_trial(name).published if row.tolerance_kind}
        assert set(quantities) <= scored


def test_the_dose_hardly_moves_the_peak_and_burden_makes_the_syndrome_severe(effects):
    peaks = [float(line.split("|")[4].split(";")[0]) for line in effects.by_dose(60, 1)]
    assert len(peaks) == len(effects.DOSES) and max(peaks) / min(peaks) < 2  # doses are tenfold apart
    (line,) = effects.by_burden("juliet", 150, 1)
    below, above = (float(share) for share in line.split("|")[4].split(";")[1].split(","))
    assert below < above
