"""The copy of the reference model that the benchmarks use gives the rates that the copied model gave."""

import sys
from pathlib import Path

import numpy as np
import pytest

from vein2vein.engine.trace.graph import evaluate
from vein2vein.engine.trace.recording import trace


@pytest.fixture(scope="module")
def frozen():
    """The package of the frozen model."""
    folder = str(Path(__file__).parents[2] / "benchmarks")
    sys.path.insert(0, folder)
    try:
        import frozen_reference
    finally:
        sys.path.remove(folder)
    return frozen_reference


def test_the_rates_are_the_recorded_ones(frozen):
    model, traced = frozen.MODEL, trace(frozen.MODEL)
    parameters = [model.example[name] for name in model.parameters]
    levels = np.zeros(len(model.level_names))
    assert len(model.states) == 60
    for row in frozen.NUMBERS["recorded"]:
        assert np.count_nonzero(row["rates"]) > 30
        found = evaluate(traced.graph, traced.derivatives, row["day"], row["state"], parameters, levels)
        assert found == pytest.approx(row["rates"], rel=1e-12, abs=1e-300)
