"""The readable solver: order of convergence, an independent solver, bounds, and failures with a status."""

from itertools import pairwise

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from vein2vein.engine import solve
from vein2vein.engine.method import plain, tableau
from vein2vein.models.mathematics import log, where
from vein2vein.models.model import State, named

LOTKA = np.array([1.1, 0.4, 0.5, 0.9])


def fixed_steps(model, parameters, until, count):
    """Final state and largest error estimate with steps of one length."""
    control = plain.control(model, 1.0)
    p, u = named(model.parameters, parameters), named((), [])
    x = np.ones(len(model.states))
    h = until / count
    k, estimate = [plain.derivative(model, 0.0, x, p, u)], 0.0
    for i in range(count):
        k, x, _ = plain.stages(model, i * h, x, k[-1], h, p, u, control)
        estimate = max(estimate, float(np.max(np.abs(h * sum(e * ki for e, ki in zip(tableau.ERROR, k))))))
    return x, estimate


def test_the_order_of_convergence_is_five_and_that_of_the_estimate_four(models):
    exact = solve_ivp(
        lambda t, x: [LOTKA[0] * x[0] - LOTKA[1] * x[0] * x[1], LOTKA[2] * LOTKA[1] * x[0] * x[1] - LOTKA[3] * x[1]],
        (0, 6), [1, 1], method="DOP853", rtol=1e-13, atol=1e-14,
    ).y[:, -1]  # fmt: skip
    counts = np.array([30, 60, 120, 240])
    results = [fixed_steps(models["lotka_volterra"], LOTKA, 6.0, c) for c in counts]
    errors = [np.max(np.abs(x - exact)) for x, _ in results]
    order = -np.polyfit(np.log(counts), np.log(errors), 1)[0]
    local = -np.polyfit(np.log(counts), np.log([e for _, e in results]), 1)[0]
    assert 4.8 < order < 6.2, "the leading error terms are small, so the order is seen from above"
    assert 4.7 < local < 5.2, "a local error of order 5 is an estimate of order 4"


def test_the_tableau_meets_the_order_conditions():
    a = np.zeros((7, 7))
    for i, row in enumerate(tableau.STAGES):
        a[i, : len(row)] = row
    c, b, e = np.array(tableau.NODES), a[6], np.array(tableau.ERROR)
    assert a.sum(axis=1) == pytest.approx(c, abs=1e-14)
    for q in range(5):
        assert b @ c**q == pytest.approx(1 / (q + 1), abs=1e-13)
    for q in range(4):
        assert e @ c**q == pytest.approx(0.0, abs=1e-13)
    assert abs(e @ c**4) > 1e-4


def test_the_cytokine_model_agrees_with_an_independent_solver(models, patients):
    model, p = models["cytokine"], patients(1)
    u = named((), [])
    row = named(model.parameters, p[0])

    def rates(t, x):
        result = model.equations(t, named(model.state_names, x), row, u)
        return [float(result[name]) for name in model.state_names]

    days = np.linspace(0, 12, 7)
    run = solve.solve(model, p, None, days, rtol=1e-10, backend="plain")
    start = solve.begin(model, p, backend="plain").state[0]
    # LSODA takes the switch in the equations as it comes; its steps are kept short there.
    other = solve_ivp(rates, (0, 12), start, method="LSODA", t_eval=days, rtol=1e-11, atol=1e-12, max_step=0.05)
    assert run.status[0] == tableau.OK
    assert run.values[0] == pytest.approx(other.y.T, rel=1e-6, abs=1e-9)


def test_a_tighter_tolerance_gives_a_smaller_error(models):
    p = np.array([[0.7, 3.0]])
    days = np.linspace(0, 10, 5)
    exact = 3.0 / (1 + (3.0 / 0.1 - 1) * np.exp(-0.7 * days))
    errors = []
    for rtol in (1e-4, 1e-6, 1e-8, 1e-10):
        values = solve.solve(models["logistic"], p, None, days, rtol=rtol, backend="plain").values[0, :, 0]
        errors.append(np.max(np.abs(values - exact)))
    assert all(tight < loose for loose, tight in pairwise(errors))
    assert errors[-1] < 1e-9


def test_states_stay_within_bounds_and_rest_on_them(make_model):
    states = [State("low", "", "1", 1e-6, low=0.0), State("high", "", "1", 1e-6, high=1.0)]
    model = make_model("bounded", states, ["k"], lambda t, x, p, u: {"low": -p.k, "high": p.k}, lambda p: {"low": 1.0})
    for backend in solve.BACKENDS:
        found = solve.solve(model, [[0.3]], None, np.arange(0.0, 40.0), backend=backend)
        assert np.all(found.values[..., 0] >= 0) and np.all(found.values[..., 1] <= 1)
        assert found.values[0, -1] == pytest.approx([0.0, 1.0], abs=1e-12)
        assert found.values[0, 3] == pytest.approx([0.1, 0.9], rel=1e-9)
        assert found.steps[0] < 100, "a state at its bound does not cost small steps"


def test_a_state_with_infinite_scale_does_not_steer_the_steps(make_model):
    def equations(t, x, p, u):
        return {"A": -p.k * x.A, "total": x.A}

    def run(scale):
        states = [State("A", "", "1", 1e-6), State("total", "", "1", scale)]
        model = make_model(f"scale {scale}", states, ["k"], equations, lambda p: {"A": 1.0})
        return solve.solve(model, [[0.5]], None, [0.0, 8.0], backend="plain")

    alone = make_model("alone", ["A"], ["k"], lambda t, x, p, u: {"A": -p.k * x.A}, lambda p: {"A": 1.0})
    steps = solve.solve(alone, [[0.5]], None, [0.0, 8.0], backend="plain").steps
    ignored = run(np.inf)
    assert ignored.steps == steps
    assert ignored.values[0, -1, 1] == pytest.approx((1 - np.exp(-4.0)) / 0.5, rel=1e-5)


@pytest.mark.parametrize("backend", solve.BACKENDS)
@pytest.mark.parametrize(
    ("rate", "options", "status"),
    [
        (lambda x: x * x, {}, tableau.STEP_TOO_SMALL),  # infinite at day 1
        (lambda x: log(1.5 - x), {}, tableau.NOT_FINITE),
        (lambda x: where(x < 1.2, 1.0, -1.0), {"max_steps": 60}, tableau.TOO_MANY_STEPS),  # sliding along a jump
    ],
)
def test_failures_have_a_status_and_keep_the_last_state(make_model, backend, rate, options, status):
    model = make_model(
        "fails", ["x", "clock"], ["k"], lambda t, x, p, u: {"x": rate(x.x), "clock": 1.0}, lambda p: {"x": 1.0}
    )
    if status == tableau.NOT_FINITE:
        model = make_model(
            "fails", ["x", "clock"], ["k"],
            lambda t, x, p, u: {"x": 1.0 + 0 * x.x + log(1.5 - t) * 0.1, "clock": 1.0}, lambda p: {"x": 1.0},
        )  # fmt: skip
    run = solve.advance(solve.begin(model, [[1.0]], backend=backend, **options), 4.0)
    assert run.status[0] == status
    assert solve.STATUS[status]
    assert np.all(np.isfinite(run.state))
    assert 0 < run.reached[0] < 2.0
    assert run.state[0, 1] == pytest.approx(run.reached[0], rel=1e-9), "the state is that of the day reached"
    later = solve.advance(run, 6.0)
    assert later.day == 6.0
    assert np.array_equal(later.state, run.state)
