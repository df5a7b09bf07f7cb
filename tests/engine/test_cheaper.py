"""Expressions made cheaper: the same values, fewer costly operations."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vein2vein.engine.llvm.cheaper import cheaper
from vein2vein.engine.trace.graph import Graph, evaluate, needed


def operations(g, outputs):
    return Counter(g.nodes[node][0] for node in needed(g, outputs))


def written_power(g, x, n):
    """e^(n log max(x, 1e-300)), as the models' ``power`` writes it."""
    log = g.apply("log", g.apply("max", x, g.const(1e-300)))
    return g.apply("exp", g.apply("mul", n, log))


@pytest.mark.parametrize("n", [0.5, 1.0, 2.0, 3.0, 4.0])
@pytest.mark.parametrize("x", [-1.0, 0.0, 1e-200, 0.3, 7.0, 1e60, np.inf, np.nan])
def test_a_power_with_a_known_exponent_needs_no_exponential(n, x):
    g, into = Graph(), Graph()
    output = written_power(g, g.leaf("state", 0), g.const(n))
    found = cheaper(g, [output], into)
    assert not {"exp", "log"} & set(operations(into, found))
    with np.errstate(all="ignore"):
        value = evaluate(into, found, 0.0, [np.float64(x)], [], [])[0]
        expected = np.power(np.maximum(x, 1e-300), n)
    assert value == pytest.approx(expected, rel=1e-14, abs=0, nan_ok=True)


def test_other_powers_and_logarithms_of_what_may_be_negative_stay():
    g = Graph()
    x = g.leaf("state", 0)
    bare = g.apply("exp", g.apply("mul", g.const(2.0), g.apply("log", x)))
    for output in (written_power(g, x, g.const(2.5)), written_power(g, x, g.leaf("parameter", 0)), bare):
        into = Graph()
        assert operations(into, cheaper(g, [output], into))["exp"] == 1


def test_a_shared_denominator_is_inverted_once():
    g, into = Graph(), Graph()
    x, y, z = (g.leaf("state", i) for i in range(3))
    outputs = [g.apply("div", x, z), g.apply("div", y, z), g.apply("div", x, y), g.apply("div", x, g.const(3.0))]
    found = cheaper(g, outputs, into)
    assert operations(into, found)["div"] == 2
    assert evaluate(into, found, 0.0, [5.0, 7.0, 11.0], [], []) == pytest.approx([5 / 11, 7 / 11, 5 / 7, 5 / 3])


OPERATIONS = ("add", "mul", "div", "max", "exp", "log", "sqrt")


@given(st.lists(st.tuples(st.sampled_from(OPERATIONS), st.integers(), st.integers()), max_size=25))
def test_any_expression_keeps_its_value(steps):
    g = Graph()
    nodes = [g.leaf("state", 0), g.leaf("state", 1), g.const(0.5), g.const(3.0)]
    for op, a, b in steps:
        operands = [nodes[a % len(nodes)], nodes[b % len(nodes)]][: 1 if op in ("exp", "log", "sqrt") else 2]
        nodes.append(g.apply(op, *operands))
    into = Graph()
    found = cheaper(g, nodes, into)
    with np.errstate(all="ignore"):
        x = [np.float64(1.7), np.float64(0.2)]
        before, after = (np.array(evaluate(*pair, 0.0, x, [], [])) for pair in ((g, nodes), (into, found)))
    ordinary = np.isfinite(before) & (abs(before) > 1e-250) & (abs(before) < 1e250)
    first = np.argmin(np.append(ordinary, False))  # what rests on a value out of range may differ
    assert after[:first] == pytest.approx(before[:first], rel=1e-9, abs=1e-9)
