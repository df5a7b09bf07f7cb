"""Rosenbrock methods: order of convergence, the sparse solution, stiff equations, and the choice of a method."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import solve_ivp

from vein2vein.engine import choice, solve
from vein2vein.engine.llvm import linear
from vein2vein.engine.method import plain, tableau
from vein2vein.models.mathematics import exp
from vein2vein.models.model import State, named

VALUES = np.array([1.1, 0.4, 0.5, 0.9])


@pytest.fixture(scope="module")
def driven(make_model):
    """A predator, its prey and a fast follower, with coefficients that change in time."""

    def equations(t, x, p, u):
        return {
            "prey": p.a * x.prey - p.b * x.prey * x.hunter + exp(-t),
            "hunter": p.c * x.prey * x.hunter - p.d * x.hunter * exp(0.1 * t),
            "late": -20 * (x.late - x.prey * t),
        }

    return make_model("driven", ["prey", "hunter", "late"], "abcd", equations, lambda p: {})


def fixed_steps(model, method, count, exact):
    """Largest errors at the end and within the steps."""
    control = plain.control(model, 1e-3, method=method)
    p, u = named(model.parameters, VALUES), named((), [])
    x, h, within = np.ones(3), 4.0 / count, 0.0
    k = [plain.derivative(model, 0.0, x, p, u)]
    for i in range(count):
        k, new, _ = plain.attempt(model, i * h, x, k[0], h, p, u, control)
        c = plain.dense(method, h, k, x, new)
        if i >= count / 4:
            for s in (0.3, 0.5, 0.8):
                within = max(within, np.max(np.abs(plain.within(c, x, s, control) - exact((i + s) * h))))
        x, k = new, k[-1:]
    return np.max(np.abs(x - exact(4.0))), within


@pytest.mark.parametrize(("name", "order", "dense"), [("tsit5", 5, 4), ("rodas4", 4, 3), ("rodas5p", 5, 4)])
def test_the_orders_of_the_step_and_of_the_state_within_it(driven, name, order, dense):
    p = named(driven.parameters, VALUES)

    def rates(t, x):
        return [float(v) for v in driven.equations(t, named(driven.state_names, x), p, None).values()]

    exact = solve_ivp(rates, (0, 4), [1, 1, 1], method="DOP853", rtol=1e-13, atol=1e-14, dense_output=True).sol
    errors = np.array([fixed_steps(driven, tableau.METHODS[name], n, exact) for n in (80, 160)])
    at_end, inside = np.log2(errors[0] / errors[1])
    assert at_end > order - 0.3
    assert inside > dense - 0.3


patterns = st.integers(1, 9).flatmap(
    lambda n: st.tuples(
        st.just(n), st.sets(st.tuples(st.integers(0, n - 1), st.integers(0, n - 1)), max_size=30), st.integers(0, 99)
    )
)


@settings(max_examples=80, deadline=None)
@given(patterns)
def test_the_sparse_plan_solves_what_the_dense_matrix_solves(case):
    n, pattern, seed = case
    plan = linear.plan(n, sorted(pattern))
    assert sorted(plan.order) == list(range(n)) and set(plan.pattern) <= set(plan.slots)
    rng = np.random.default_rng(seed)
    values, b = rng.normal(size=len(plan.pattern)), rng.normal(size=n)
    matrix = 40.0 * np.eye(n)
    for (i, j), value in zip(plan.pattern, values):
        matrix[i, j] -= value
    assert linear.solve(plan, 40.0, values, b) == pytest.approx(np.linalg.solve(matrix, b), rel=1e-9, abs=1e-12)


def chain(n):
    def equations(t, x, p, u):
        rates = {"s0": p.k * (1 - x.s0 * x.s0)}
        for i in range(1, n):
            rates[f"s{i}"] = p.k * 10 ** (i % 4) * (getattr(x, f"s{i - 1}") - getattr(x, f"s{i}"))
        return rates

    return equations


@pytest.mark.parametrize("method", ["rodas4", "rodas5p"])
def test_a_stiff_chain_takes_few_steps_and_is_right(make_model, method):
    model = make_model("chain", [f"s{i}" for i in range(6)], ["k"], chain(6), lambda p: {})
    days = [0.0, 0.5, 3.0, 50.0]
    found = solve.solve(model, [[1.0], [1.7]], None, days, method=method, rtol=1e-7)
    truth = solve.solve(model, [[1.0], [1.7]], None, days, method="tsit5", rtol=1e-9, max_step=1e9)
    assert found.values == pytest.approx(truth.values, abs=3e-6)
    assert np.all(found.steps * 20 < truth.steps)


def test_states_too_small_to_have_digits_do_not_stop_the_stiff_methods(make_model):
    model = make_model(
        "gone", ["a", "b"], ["k"], lambda t, x, p, u: {"a": -p.k * x.a, "b": x.a - x.b}, lambda p: {"a": 1.0}
    )
    found = solve.solve(model, [[5.0]], None, [0.0, 400.0], method="rodas5p", rtol=1e-9)
    assert not found.status.any() and found.rejected[0] < 5


def test_a_singular_system_falls_back_to_pivoting(make_model, monkeypatch):
    model = make_model(
        "swap", ["a", "b"], ["k"], lambda t, x, p, u: {"a": p.k * x.b, "b": -p.k * x.a}, lambda p: {"a": 1.0}
    )
    monkeypatch.setattr(linear, "RESIDUAL", -1.0)  # no solution is good enough
    found = solve.solve(model, [[1.0]], None, [0.0, 2.0], method="rodas4")
    assert found.status[0] == tableau.OK
    assert found.values[0, 1] == pytest.approx([np.cos(2), -np.sin(2)], abs=1e-5)


def test_the_method_is_chosen_by_the_arithmetic(make_model):
    slow = make_model("slow", ["a"], ["k"], lambda t, x, p, u: {"a": -p.k * x.a}, lambda p: {"a": 1.0})
    assert choice.choose(slow) is tableau.TSIT5
    for k, expected in ((0.5, tableau.TSIT5), (900.0, tableau.RODAS5P)):
        model = make_model(
            f"rate{k:g}",
            ["a", "b"],
            ["k"],
            lambda t, x, p, u: {"a": -0.1 * x.a, "b": p.k * (x.a - x.b)},
            lambda p: {"a": 1.0},
        )
        object.__setattr__(model, "example", {"k": k})
        assert choice.choose(model) is expected
        assert solve.begin(model, [[k]]).control.method is expected
    assert choice.flops(slow, tableau.TSIT5) < choice.flops(slow, tableau.RODAS4) < choice.flops(slow, tableau.RODAS5P)


@pytest.mark.parametrize("backend", solve.BACKENDS)
@pytest.mark.parametrize("method", ["rodas4", "rodas5p"])
def test_a_state_held_at_its_bound_costs_no_steps(make_model, method, backend):
    def equations(t, x, p, u):
        return {"held": 0.1 * x.other - p.k, "other": 1 + exp(-t) - x.other}

    states = [State("held", "", "1", 1e-6, low=0.5), State("other", "", "1", 1e-6)]
    model = make_model("held", states, ["k"], equations, lambda p: {"held": 0.6, "other": 0.2})
    found = solve.solve(model, [[0.3]], None, [0.0, 30.0], method=method, backend=backend)
    assert found.status[0] == tableau.OK and found.values[0, 1, 0] == 0.5
    assert found.steps[0] + found.rejected[0] < 120
