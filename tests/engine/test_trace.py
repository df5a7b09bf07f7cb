"""The tracer records what the equations say: random expressions, derivatives, and refusals with model and line."""

import math
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vein2vein.engine.llvm import machine, run_course
from vein2vein.engine.trace import derivative, graph, latex, recording
from vein2vein.errors import InputError
from vein2vein.models import mathematics as m
from vein2vein.models.model import Input

ONE = {
    "neg": lambda a: -a,
    "exp": lambda a: m.exp(m.minimum(a, 5.0)),
    "log": lambda a: m.log(m.maximum(a, 1e-3)),
    "sqrt": lambda a: m.sqrt(m.positive_part(a)),
    "square": lambda a: a**2,
    "sin": m.sin,
    "cos": m.cos,
    "atan": m.atan,
    "tanh": m.tanh,
    "root": lambda a: abs(a) ** 0.3,
    "high": lambda a: a**11,
    "cube_below": lambda a: (abs(a) + 1.0) ** -3,
}
TWO = {
    "add": lambda a, b: a + b,
    "sub": lambda a, b: a - b,
    "mul": lambda a, b: a * b,
    "div": lambda a, b: a / (1.0 + b * b),
    "over": lambda a, b: a / (0.1 + abs(b)),
    "min": m.minimum,
    "max": m.maximum,
    "less": m.less,
    "power": lambda a, b: m.raised(abs(a), m.minimum(b, 3.0)),
    "hill": lambda a, b: m.hill(m.positive_part(a), 0.5 + b * b, 2.0),
}
LEAVES = ("t", "x.a", "x.b", "x.c", "p.k", "p.h", "u.on")
trees = st.recursive(
    st.sampled_from(LEAVES) | st.sampled_from([0.0, 1.0, -1.0, 0.5, 2.0, 3.7]),
    lambda below: (
        st.tuples(st.sampled_from(sorted(ONE)), below)
        | st.tuples(st.sampled_from(sorted(TWO)), below, below)
        | st.tuples(st.just("where"), below, below, below)
    ),
    max_leaves=25,
)


def compute(tree, t, x, p, u):
    if isinstance(tree, float):
        return tree
    if isinstance(tree, str):
        return t if tree == "t" else getattr({"x": x, "p": p, "u": u}[tree[0]], tree[2:])
    values = [compute(branch, t, x, p, u) for branch in tree[1:]]
    name = tree[0]
    with np.errstate(all="ignore"):
        return m.where(m.less(0.0, values[0]), *values[1:]) if name == "where" else (ONE | TWO)[name](*values)


def by_name(values):
    a, b, c, k, h, on = values
    return SimpleNamespace(a=a, b=b, c=c), SimpleNamespace(k=k, h=h), SimpleNamespace(on=on)


def same(found, expected, sizes):
    """Equal to rounding, or both out of range; cancelling terms are judged by the size of what cancels."""
    found, expected = np.broadcast_arrays(np.asarray(found, float), np.asarray(expected, float))
    within = np.isclose(found, expected, rtol=1e-9, atol=1e-9 * sizes)
    return np.all(within | (~np.isfinite(found) & ~np.isfinite(expected)))


GRID = np.random.default_rng(3).normal(0, 2, (6, 9))


@settings(max_examples=150, deadline=None)
@given(trees)
def test_a_recorded_expression_has_the_value_of_numpy(tree):
    g, outputs = recording.record(
        "random", lambda t, x, p, u: {"y": compute(tree, t, x, p, u)}, ("a", "b", "c"), ("k", "h"), ("on",)
    )
    x, p, u = by_name(GRID)
    expected = compute(tree, 0.75, x, p, u)
    found = graph.evaluate(g, [outputs["y"]], 0.75, GRID[:3], GRID[3:5], GRID[5:])[0]
    assert same(found, expected, 1.0)


@settings(max_examples=30, deadline=None)
@given(st.lists(trees, min_size=3, max_size=3))
def test_compiled_code_has_the_value_of_the_recorded_expression(make_model, found_trees):
    # A less() on two computed values may flip by rounding, so the graph itself is the judge, fused products aside.
    def equations(t, x, p, u):
        return {name: compute(tree, t, x, p, u) for name, tree in zip("abc", found_trees)}

    model = make_model("random", "abc", "kh", equations, lambda p: {}, (Input("on", "", "1", "level"),))
    traced = recording.trace(model)
    with np.errstate(all="ignore"):
        expected = graph.evaluate(traced.graph, traced.derivatives, 0.75, GRID[:3], GRID[3:5], GRID[5:])
    compiled = run_course._compile_rates(model, machine.natural_width())
    found = run_course.rates(compiled, 0.75, GRID[:3].T, GRID[3:5].T, GRID[5:].T)
    if not has_jump(traced):
        for i, value in enumerate(expected):
            assert same(found[:, i], value, largest(traced, value))


def has_jump(traced):
    return any(op in ("less", "choose") for op, _ in traced.graph.nodes)


def largest(traced, value):
    """Size of the largest intermediate, by which rounding in cancelling terms is judged."""
    order = graph.needed(traced.graph, traced.derivatives)
    values = graph.evaluate(traced.graph, order, 0.75, GRID[:3], GRID[3:5], GRID[5:])
    finite = [np.max(np.abs(v)[np.isfinite(v)], initial=1.0) for v in map(np.atleast_1d, values)]
    return max(finite)


def test_equal_subexpressions_are_recorded_once_and_constants_are_folded():
    def equations(t, x, p, u):
        return {"a": m.exp(x.a * p.k) + 0.0 * x.b, "b": 2.0 * m.exp(p.k * x.a) / 2.0 * 1.0, "c": m.log(m.exp(1.0))}

    g, outputs = recording.record("fold", equations, ("a", "b", "c"), ("k",))
    assert sum(op == "exp" for op, _ in g.nodes) == 1
    assert g.nodes[outputs["a"]][0] == "exp"
    assert g.value(outputs["c"]) == 1.0


def test_the_jacobian_is_the_finite_difference(models, patients):
    model = models["cytokine"]
    traced = recording.trace(model)
    entries = derivative.jacobian(traced)
    p = patients(1)[0]
    x = np.random.default_rng(2).uniform(0.3, 1.5, len(model.states))
    step = 1e-6
    found = np.zeros((len(x), len(x)))
    for (i, j), value in zip(entries, graph.evaluate(traced.graph, list(entries.values()), 1.5, x, p, [])):
        found[i, j] = value
    for j in range(len(x)):
        up, down = (
            np.array(graph.evaluate(traced.graph, traced.derivatives, 1.5, x + s * np.eye(len(x))[j], p, []))
            for s in (step, -step)
        )
        assert found[:, j] == pytest.approx((up - down) / (2 * step), rel=1e-6, abs=1e-6)
    assert len(entries) < len(x) ** 2 / 2, "structural zeros are left out"


@settings(max_examples=60, deadline=None)
@given(trees)
def test_partial_derivatives_of_smooth_expressions(tree):
    g, outputs = recording.record(
        "random", lambda t, x, p, u: {"y": compute(tree, t, x, p, u)}, ("a", "b", "c"), ("k", "h"), ("on",)
    )
    if any(op in ("less", "choose", "min", "max") for op, _ in g.nodes):
        return
    x, p, u = [0.7, -0.4, 1.3], [0.9, 1.1], [0.6]
    row = derivative.partials(g, [outputs["y"]], "state")[0]
    step = 1e-6
    for j in range(3):
        up, down = (
            graph.evaluate(g, [outputs["y"]], 0.5, [v + s * (i == j) for i, v in enumerate(x)], p, u)[0]
            for s in (step, -step)
        )
        found = graph.evaluate(g, [row[j]], 0.5, x, p, u)[0] if j in row else 0.0
        if math.isfinite(up) and math.isfinite(down) and abs(up) < 1e3:
            assert found == pytest.approx((up - down) / (2 * step), rel=1e-4, abs=1e-4 * max(1.0, abs(found)))


def test_less_has_derivative_zero_and_choose_that_of_its_branch():
    def kink(t, x, p, u):
        return {"y": m.where(m.less(x.a, 1.0), x.a**2, 3 * x.a)}

    g, outputs = recording.record("kinks", kink, ("a",), ())
    row = derivative.partials(g, [outputs["y"]], "state")[0]
    assert graph.evaluate(g, [row[0]], 0.0, [0.5], [], [])[0] == 1.0
    assert graph.evaluate(g, [row[0]], 0.0, [2.0], [], [])[0] == 3.0


def branch(t, x, p, u):
    return {"a": -x.a if x.a > 1 else x.a}


def library_function(t, x, p, u):
    return {"a": math.sin(x.a)}


def numpy_function(t, x, p, u):
    return {"a": np.arcsin(x.a)}


def comparison(t, x, p, u):
    return {"a": 1.0 if x.a == 0 else 2.0}


REFUSED = {
    "branch": (branch, "a branch on a value that is not known yet; use where", branch.__code__.co_firstlineno + 1),
    "comparison": (comparison, "== and != cannot be recorded; write abs", comparison.__code__.co_firstlineno + 1),
    "math": (library_function, "cannot be recorded", library_function.__code__.co_firstlineno + 1),
    "numpy": (numpy_function, "numpy.arcsin cannot be recorded", numpy_function.__code__.co_firstlineno + 1),
    "name": (lambda t, x, p, u: {"a": p.kill * x.a}, "no parameter 'kill'; did you mean k", None),
    "state": (lambda t, x, p, u: {"a": x.elsewhere}, "no state 'elsewhere'", None),
    "missing": (lambda t, x, p, u: {}, "no equation for the state a", None),
    "extra": (lambda t, x, p, u: {"a": x.a, "aa": x.a}, "'aa'.*no state of the model; did you mean a", None),
    "array": (lambda t, x, p, u: {"a": np.zeros(2)}, "'a' is a ndarray; give one number", None),
    "mapping": (lambda t, x, p, u: [x.a], "return a mapping", None),
    "text": (lambda t, x, p, u: {"a": x.a + "1 mg"}, "'1 mg' of type str is not a number", None),
    "sequence": (lambda t, x, p, u: {"a": sum(x.a)}, "as a sequence", None),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_recorded_is_refused_with_model_and_line(case, make_model):
    equations, sentence, line = REFUSED[case]
    model = make_model("refused", ["a"], ["k"], equations, lambda p: {})
    with pytest.raises(InputError, match=sentence) as error:
        recording.trace(model)
    assert "model refused" in str(error.value)
    if line:
        assert error.value.line == line
        assert f"line {line}" in str(error.value)


def dividing(t, x, p, u):
    share = x.a / (x.b + 0 * p.k)
    return {"a": -x.a, "b": 1 + share}


def test_a_division_by_zero_at_the_example_is_refused_with_state_and_line(make_model):
    model = make_model("divides", ["a", "b"], ["k"], dividing, lambda p: {"a": 1.0})
    object.__setattr__(model, "example", {"k": 1.0})
    line = dividing.__code__.co_firstlineno + 1
    with pytest.raises(InputError, match=f"model divides: the rate of b divides by zero .*line {line}, in dividing"):
        recording.trace(model)
    logged = make_model("logs", ["a"], ["k"], lambda t, x, p, u: {"a": m.log(x.a)}, lambda p: {})
    object.__setattr__(logged, "example", {"k": 1.0})
    with pytest.raises(InputError, match=r"model logs: the rate of a is not finite .* logarithm of 0"):
        recording.trace(logged)


def test_numpy_numbers_on_either_side_are_recorded():
    half = np.float64(0.5)
    g, outputs = recording.record(
        "numpy", lambda t, x, p, u: {"y": half * x.a + np.exp(x.a) - np.minimum(half, x.a) / half}, ("a",), ()
    )
    value = graph.evaluate(g, [outputs["y"]], 0.0, [0.2], [], [])[0]
    assert value == pytest.approx(0.1 + math.exp(0.2) - 0.4, rel=1e-15)


def test_latex_shows_every_state_and_the_powers(models):
    traced = recording.trace(models["cytokine"])
    lines = latex.equations(traced)
    rates = [line for line in lines if line.startswith(r"\frac{d ")]
    assert len(rates) == len(traced.model.states)
    text = "\n".join(lines)
    assert "1e-300" not in text
    assert r"\frac{\mathrm{cells}}{\mathrm{half}}" in text
    assert all(line.count("{") == line.count("}") for line in lines)
    simple = latex.equations(recording.trace(models["two_compartment"]))
    assert any(r"\frac{d \mathrm{central}}{dt} = " in line and r"\mathrm{infusion}" in line for line in simple)
