"""Both solvers against an independent one, on a few patients of ELIANA; qualification/solvers.py does it on 200."""

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest

from vein2vein.trials.trial import load_trial, run_trial

SCRIPT = Path(__file__).resolve().parents[2] / "qualification" / "solvers.py"


@pytest.fixture(scope="module")
def solvers():
    spec = importlib.util.spec_from_file_location("qualification_solvers", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def test_plain_batch_and_an_independent_solver_agree(solvers):
    journey = run_trial(load_trial("eliana"), patients=20, seed=1).journey
    tolerance = journey.provenance["tolerance"]
    who = np.flatnonzero(journey.infused)[:10]
    columns, days = journey.individual[who], np.arange(1.0, 31.0)
    doses = [one for one in solvers.fixed_doses(journey, who) if one[0] <= days[-1]]
    assert {name for _, name, _ in doses} >= {"fludarabine", "cyclophosphamide", "car_t_infusion"}
    exact = solvers.observed(solvers.replay_exactly(columns, doses, days), columns, days)
    quick = solvers.observed(solvers.replay(columns, doses, days, "batch", tolerance), columns, days)
    assert np.percentile(solvers.error(quick, exact), 99) <= 1e-4
    few = [(day, name, amount[:2]) for day, name, amount in doses]
    slow = solvers.observed(solvers.replay(columns[:2], few, days, "plain", tolerance), columns[:2], days)
    assert solvers.error(quick[:2], slow).max() <= 1e-6
