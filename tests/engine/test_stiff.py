"""Rosenbrock methods: order of convergence, the sparse solution, stiff equations, and the change of the method."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import solve_ivp

from vein2vein.engine import solve
from vein2vein.engine.llvm import cost, linear
from vein2vein.engine.method import plain, tableau
from vein2vein.engine.method.request import EXPLICIT, IMPLICIT
from vein2vein.models.mathematics import exp, where
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
        k, new, *_ = plain.attempt(model, i * h, x, k[0], h, p, u, control)
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


def relaxing(make_model, rate):
    """A slow decay that a fast state follows; ``rate`` of (t) is how fast."""
    return make_model(
        "relaxing", ["a", "b"], ["k"],
        lambda t, x, p, u: {"a": -0.1 * x.a, "b": p.k * rate(t) * (x.a - x.b)}, lambda p: {"a": 1.0},
    )  # fmt: skip


def test_a_step_of_the_stiff_method_costs_more(make_model):
    slow = relaxing(make_model, lambda t: 1.0)
    tsit5, rodas4, rodas5p = (cost.flops(slow, m) for m in (tableau.TSIT5, tableau.RODAS4, tableau.RODAS5P))
    assert tsit5 < rodas4 < rodas5p
    assert cost.ratio(slow, tableau.TSIT5, tableau.RODAS5P) == rodas5p / tsit5


@pytest.mark.parametrize("backend", solve.BACKENDS)
def test_stiffness_is_met_within_the_course(make_model, backend):
    model, days = relaxing(make_model, lambda t: 1.0), [0.0, 1.0, 40.0]
    k = np.array([[0.5], [900.0], [5.0], [1e6]])
    options = {"backend": backend, "max_steps": 10**7}
    auto, implicit = (solve.solve(model, k, None, days, method=m, **options) for m in ("auto", "rodas5p"))
    assert not auto.status.any()
    assert np.all(auto.steps <= implicit.steps + 80), "the explicit method alone takes 10,000 and more"
    exact = k * (np.exp(-4) - np.exp(-40 * k)) / (k - 0.1)
    assert auto.values[:, 2, 1:] == pytest.approx(exact, rel=1e-4)


def test_stiffness_that_lets_go_gives_way_to_the_explicit_method(make_model):
    model = relaxing(make_model, lambda t: where(t < 10.0, 1.0, 0.0005))
    run = solve.begin(model, [[900.0]], rtol=1e-7)
    stiff, later = solve.advance(run, 10.0), solve.advance(solve.advance(run, 10.0), 2000.0)
    assert stiff.method[0, 0] == IMPLICIT
    assert later.status[0] == 0 and later.state[0, 1] == pytest.approx(0.0, abs=1e-6)
    never = solve.advance(solve.begin(relaxing(make_model, lambda t: 1.0), [[0.2]], rtol=1e-7), 40.0)
    assert never.method[0, 0] == EXPLICIT


def test_both_loops_change_the_method_at_the_same_steps(make_model):
    model = relaxing(make_model, lambda t: exp(-0.2 * t))
    k = np.geomspace(1, 3000, 9)[:, None]
    found, truth = (solve.solve(model, k, None, [0.0, 60.0], backend=b) for b in ("batch", "plain"))
    assert np.all(np.abs(found.steps - truth.steps) <= 2)
    assert found.values == pytest.approx(truth.values, rel=1e-6, abs=1e-9)


def test_nobody_is_moved_by_the_others(make_model):
    """Patients change the method on days of their own; no vector, order or number of threads shows in a result."""
    model = relaxing(make_model, lambda t: exp(-0.1 * t))
    k = np.geomspace(0.1, 1e5, 37)[:, None]
    whole = solve.solve(model, k, None, [0.0, 5.0, 90.0])
    for row in (0, 7, 20, 36):
        alone = solve.solve(model, k[row : row + 1], None, [0.0, 5.0, 90.0])
        assert np.array_equal(alone.values[0], whole.values[row]) and alone.steps[0] == whole.steps[row]
    for options in ({"width": 1}, {"width": 8}, {"threads": 1}):
        assert np.array_equal(solve.solve(model, k, None, [0.0, 5.0, 90.0], **options).values, whole.values)


def test_robertson_over_four_billion_days(make_model):
    """Robertson 1966, as in Hairer and Wanner 1996, IV.10; values at 4e9 from LSODA at 1e-12."""

    def rates(t, x, p, u):
        fast = 3e7 * x.b * x.b
        back, slow = 1e4 * x.b * x.c, p.k * x.a
        return {"a": back - slow, "b": slow - back - fast, "c": fast}

    states = [State(n, "", "1", s) for n, s in (("a", 1e-6), ("b", 1e-10), ("c", 1e-6))]
    model = make_model("robertson", states, ["k"], rates, lambda p: {"a": 1.0})
    days = np.array([0.0, 4.0, 4e3, 4e6, 4e9])
    truth = solve_ivp(
        lambda t, y: [rates(t, Values(*y), Values(k=0.04), None)[n] for n in "abc"],
        (0, 4e9), [1.0, 0, 0], method="LSODA", t_eval=days, rtol=1e-10, atol=[1e-14, 1e-18, 1e-14],
    ).y.T  # fmt: skip
    for method in ("rodas4", "rodas5p", "auto"):
        found = solve.solve(model, [[0.04]], None, days, method=method, rtol=1e-7)
        assert found.status[0] == tableau.OK, method
        assert found.values[0, :, 0] == pytest.approx(truth[:, 0], rel=1e-3, abs=1e-9)
        assert found.values[0, :, 2] == pytest.approx(truth[:, 2], rel=1e-4, abs=1e-9)


class Values:
    """Numbers by name."""

    def __init__(self, a=0.0, b=0.0, c=0.0, k=0.0):
        self.a, self.b, self.c, self.k = a, b, c, k


@pytest.mark.parametrize("backend", solve.BACKENDS)
@pytest.mark.parametrize("method", ["rodas4", "rodas5p"])
def test_a_state_held_at_its_bound_costs_no_steps(make_model, method, backend):
    def equations(t, x, p, u):
        return {"held": 0.1 * x.other - p.k, "other": 1 + exp(-t) - x.other}

    states = [State("held", "", "1", 1e-6, low=0.5), State("other", "", "1", 1e-6)]
    model = make_model("held", states, ["k"], equations, lambda p: {"held": 0.6, "other": 0.2})
    found = solve.solve(model, [[0.3]], None, [0.0, 30.0], method=method, backend=backend, rtol=1e-6)
    assert found.status[0] == tableau.OK and found.values[0, 1, 0] == 0.5
    assert found.steps[0] + found.rejected[0] < 120
