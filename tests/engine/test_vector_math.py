"""Exponential and logarithm of the generated code: within a unit in the last place, and what they do at the ends."""

import math
from decimal import Decimal, localcontext

import numpy as np
import pytest

from vein2vein.engine.llvm import run_course
from vein2vein.models.mathematics import exp, log, maximum
from vein2vein.models.model import State


@pytest.fixture(scope="module")
def values(make_model):
    """Function of rows (x, y): e^x, log y, and log y where y is known not to be tiny."""
    states = [State(s, s, "1", 1e-6) for s in "xyz"]

    def equations(t, x, p, u):
        return {"x": exp(x.x), "y": log(x.y), "z": log(maximum(x.y, 1e-300))}

    model = make_model("functions", states, (), equations, lambda p: {"y": 1.0})
    compiled = run_course.compile_rates(model)
    return lambda rows: run_course.rates(compiled, 0.0, rows, np.zeros((len(rows), 0)), np.zeros((len(rows), 0)))


def test_within_a_unit_in_the_last_place(values):
    rng, n = np.random.default_rng(1), 3000
    x = np.concatenate([rng.uniform(-2, 2, n), rng.uniform(-700, 709, n)])
    y = np.concatenate([rng.uniform(0.5, 2, n), np.exp(rng.uniform(-600, 600, n))])
    found = values(np.column_stack([x, y, y]))
    assert np.array_equal(found[:, 1], found[:, 2])
    with localcontext() as context:
        context.prec = 40
        for given, off in ((x, 0), (y, 1)):
            for one, value in zip(given, found[:, off]):
                truth = Decimal(float(one)).exp() if off == 0 else Decimal(float(one)).ln()
                assert abs(Decimal(float(value)) - truth) <= Decimal(math.ulp(float(truth)))


def test_ends(values):
    x = [-np.inf, -800.0, 710.0, np.inf, np.nan, 0.0]
    y = [0.0, 5e-324, 1e-310, np.inf, np.nan, -1.0]
    found = values(np.column_stack([x, y, y]))
    assert np.array_equal(found[:, 0], [0.0, 0.0, np.inf, np.inf, np.nan, 1.0], equal_nan=True)
    expected = [-np.inf, np.log(5e-324), np.log(1e-310), np.inf, np.nan, np.nan]
    assert found[:, 1] == pytest.approx(expected, rel=1e-15, nan_ok=True)
    low = np.log(1e-300)
    assert found[:, 2] == pytest.approx([low, low, low, np.inf, np.nan, low], rel=1e-15, nan_ok=True)
