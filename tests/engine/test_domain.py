"""Rates at the edge of where they exist: roots and powers of a state at its bound, and rates that rest on nothing."""

import numpy as np
import pytest

from vein2vein.engine import solve
from vein2vein.engine.method import tableau
from vein2vein.engine.tangents.sensitivity import sensitivities
from vein2vein.engine.trace import graph, recording
from vein2vein.models.mathematics import log, maximum, sqrt
from vein2vein.models.model import State

METHODS = tuple(tableau.METHODS)
BACKENDS = ("batch", "plain")
DAYS = np.array([0.0, 1.0, 1.9, 2.5, 3.0])
EMPTYING = np.maximum(1 - DAYS / 2, 0.0) ** 2  # dA/dt = -sqrt(A), A(0) = 1


def emptied(make_model, rate, low=0.0):
    return make_model(
        "emptied",
        [State("A", "", "1", low=low)],
        ["k", "n"],
        lambda t, x, p, u: {"A": rate(x.A, p)},
        lambda p: {"A": 1.0},
    )


ROOTS = {
    "sqrt": lambda a, p: -p.k * sqrt(a),
    "within": lambda a, p: -p.k * sqrt(a / 4) * 2,
}


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("root", ROOTS)
def test_a_vessel_empties_by_a_root(make_model, root, method, backend):
    model = emptied(make_model, ROOTS[root])
    found = solve.solve(model, [[1.0, 0.5]] * 9, None, DAYS, method=method, backend=backend, rtol=1e-7)
    assert not found.status.any()
    assert found.values[:, :, 0] == pytest.approx(np.tile(EMPTYING, (9, 1)), abs=2e-6)


@pytest.mark.parametrize("method", METHODS)
def test_a_vessel_that_fills_from_nothing_through_a_root(make_model, method):
    model = make_model(
        "filling", [State("A", "", "1", low=0.0)], ["k"], lambda t, x, p, u: {"A": p.k - sqrt(x.A)}, lambda p: {}
    )
    found = solve.solve(model, [[1.0]], None, [0.0, 1.0, 50.0], method=method)
    fine = solve.solve(model, [[1.0]], None, [0.0, 1.0, 50.0], method="tsit5", rtol=1e-11)
    assert not found.status.any()
    assert found.values[0, :, 0] == pytest.approx(fine.values[0, :, 0], abs=2e-4)
    assert found.values[0, -1, 0] == pytest.approx(1.0, abs=1e-4)


def test_without_a_bound_a_root_of_less_than_nothing_is_told(make_model):
    model = emptied(make_model, ROOTS["sqrt"], low=-np.inf)
    for backend in BACKENDS:
        found = solve.solve(model, [[1.0, 0.5]], None, DAYS, backend=backend)
        assert solve.STATUS[int(found.status[0])] == solve.STATUS[tableau.NOT_FINITE]


def test_only_states_under_a_root_are_brought_back():
    def equations(t, x, p, u):
        return {"a": sqrt(x.a + x.b), "b": log(maximum(x.c, 1e-9)) + x.d, "c": log(maximum(x.c, -1.0)), "d": x.d}

    g, outputs = recording.record("roots", equations, "abcd", ())
    assert graph.straying(g, outputs.values()) == (0, 1, 2)
    assert graph.straying(g, [outputs["b"], outputs["d"]]) == ()


def test_the_slope_of_a_root_of_nothing_rests(make_model):
    model = emptied(make_model, ROOTS["sqrt"])
    found = sensitivities(model, [[1.0, 0.5]], None, DAYS, wrt=["state:A", "k"])
    assert not found.status.any()
    assert found.gradients[0, 1, 0] == pytest.approx([0.5, -0.5], rel=1e-3)
    assert np.isfinite(found.gradients).all()


NOTHING = {
    "parameter": lambda t, x, p, u: {"A": p.k},
    "number": lambda t, x, p, u: {"A": 1.0},
    "zero": lambda t, x, p, u: {"A": 0.0},
}


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("method", ("auto", *METHODS))
@pytest.mark.parametrize("rate", NOTHING)
def test_rates_that_rest_on_neither_state_nor_time(make_model, rate, method, backend):
    model = make_model("nothing", ["A"], ["k"], NOTHING[rate], lambda p: {"A": 2.0})
    grown = 0.0 if rate == "zero" else 1.0
    found = solve.solve(model, [[1.0]] * 3, None, [0.0, 1.5, 4.0], method=method, backend=backend)
    assert found.values[:, :, 0] == pytest.approx(np.tile([2.0, 2.0 + 1.5 * grown, 2.0 + 4 * grown], (3, 1)), rel=1e-12)
    run = solve.advance(solve.begin(model, [[1.0]] * 3, method=method, backend=backend), 4.0)
    assert run.state[:, 0] == pytest.approx(2.0 + 4 * grown, rel=1e-12)
