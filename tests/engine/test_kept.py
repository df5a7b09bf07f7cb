"""What is kept is found by content: shared by equal models, never by a place in memory, and no more than a bound."""

import gc
import threading

import numpy as np
import pytest

from vein2vein.engine import solve
from vein2vein.engine.llvm import cost, run_course
from vein2vein.engine.method import rosenbrock, tableau
from vein2vein.engine.method.request import Request
from vein2vein.engine.method.summaries import Summary
from vein2vein.engine.tangents import plans, sensitivity
from vein2vein.engine.trace import content
from vein2vein.engine.trace.kept import Kept
from vein2vein.models.model import Input, Model, State

DAYS = [0.0, 1.0]


def decaying(rate, *, start=2.0, gain=1.0, observed=1.0, example=False):
    """A model whose constants stand in its equations, start, dose and observable."""
    return Model(
        "decaying", "", "none", (State("A", "", "1"),), (Input("bolus", "", "1"),), ("k",),
        lambda t, x, p, u: {"A": -rate * p.k * x.A}, lambda p: {"A": start},
        lambda name, amount, x, p: {"A": x.A + gain * amount}, lambda t, x, p, u: {"seen": observed * x.A},
        {"k": 1.0} if example else {},
    )  # fmt: skip


def last(model, doses=(), **options):
    return solve.solve(model, [[1.0]], None, DAYS, doses, **options).values[0, -1, 0]


@pytest.mark.parametrize("kind", ["compiled", "plain", "derivatives"])
def test_a_thousand_models_come_and_go(kind):
    gc.collect()
    known, kept = content.models_known(), (rosenbrock._slopes, run_course._compiled, cost._ratios, plans._plans)
    distinct = {"compiled": 12, "plain": 1000, "derivatives": 12}[kind]
    for i in range(1000):
        rate = 0.5 + (i % distinct) / distinct
        model = decaying(rate)
        if kind == "compiled":
            found = last(model)
        elif kind == "plain":
            found = last(model, backend="plain", method="rodas4", rtol=1e-4)
        else:
            found = sensitivity.sensitivities(model, [[1.0]], None, DAYS, [], ["k"]).gradients[0, -1, 0, 0] / -rate
        assert found == pytest.approx(2 * np.exp(-rate), rel=1e-3)
        del model
    gc.collect()
    assert all(len(k) <= k.most for k in kept)
    assert content.models_known() <= known + max(k.most for k in kept[:2])


@pytest.mark.slow
def test_a_thousand_different_models_are_compiled():
    for i in range(1000):
        rate = 0.5 + i / 1000
        assert last(decaying(rate), width=1) == pytest.approx(2 * np.exp(-rate), rel=1e-4)
    assert len(run_course._compiled) == run_course._compiled.most


def test_what_is_not_used_is_given_up_and_made_again(monkeypatch):
    monkeypatch.setattr(run_course, "_compiled", Kept(2))
    for _ in range(2):
        for rate in (0.6, 0.7, 0.8):
            assert last(decaying(rate)) == pytest.approx(2 * np.exp(-rate), rel=1e-4)
    assert len(run_course._compiled) == 2


def test_equal_models_share_their_code():
    one, other = decaying(0.9), decaying(0.9)
    assert one is not other and one.equations is not other.equations
    assert run_course.compile_rates(one) is run_course.compile_rates(other)
    compiled = [run_course.compile_courses(m, Request(("bolus",)), tableau.TSIT5, 2) for m in (one, other)]
    assert compiled[0] is compiled[1]
    assert rosenbrock.slopes_of(one) is rosenbrock.slopes_of(other)


def test_a_model_in_the_place_of_another_gives_its_own_result(monkeypatch):
    monkeypatch.setattr(content, "id", lambda model: 1, raising=False)  # the worst case: every object at one place
    for backend, method in (("batch", "tsit5"), ("plain", "rodas4")):
        for rate, start, gain in ((0.5, 2.0, 1.0), (1.5, 2.0, 1.0), (1.5, 3.0, 1.0), (1.5, 3.0, 4.0)):
            model = decaying(rate, start=start, gain=gain)
            found = last(model, [(0.0, "bolus", 1.0)], backend=backend, method=method)
            assert found == pytest.approx((start + gain) * np.exp(-rate), rel=1e-4)
    for observed in (1.0, 5.0):
        wanted = [Summary("top", "max", "seen")]
        top = solve.solve(decaying(1.5, observed=observed), [[1.0]], None, DAYS, summaries=wanted).summaries["top"]
        assert top == pytest.approx(2 * observed)


def test_derivatives_are_those_of_the_model_that_is_asked_for():
    for start, gain, observed in ((2.0, 1.0, 1.0), (3.0, 1.0, 1.0), (3.0, 4.0, 1.0), (3.0, 4.0, 5.0)):
        model, doses = decaying(1.0, start=start, gain=gain, observed=observed), [(0.0, "bolus", 1.0)]
        found = sensitivity.sensitivities(model, [[1.0]], None, DAYS, doses, ["k", "dose:0"], outputs=["seen"])
        expected = observed * np.exp(-1) * np.array([-(start + gain), gain])
        assert found.gradients[0, -1, 0] == pytest.approx(expected, rel=1e-4)


def test_a_model_that_is_dropped_is_forgotten():
    gc.collect()
    before = content.models_known()
    model = decaying(1.25)
    content.rates(model)
    assert content.models_known() == before + 1
    del model
    gc.collect()
    assert content.models_known() == before


def test_threads_that_ask_at_once_wait_for_one_to_make_it():
    kept, made, begun, go = Kept(4), [], threading.Event(), threading.Event()

    def make():
        begun.set()
        go.wait(10)
        made.append(1)
        return object()

    found = []
    threads = [threading.Thread(target=lambda: found.append(kept.get("key", make))) for _ in range(4)]
    for thread in threads:
        thread.start()
    assert begun.wait(10)
    assert kept.get("another", lambda: 5) == 5, "who asks for something else does not wait"
    go.set()
    for thread in threads:
        thread.join(10)
    assert len(made) == 1 and len(found) == 4 and len(set(map(id, found))) == 1


def test_what_cannot_be_made_is_asked_for_again():
    kept = Kept(4)

    def fails():
        raise ValueError("no")

    for _ in range(2):
        with pytest.raises(ValueError, match="no"):
            kept.get("key", fails)
    assert kept.get("key", lambda: 7) == 7
    kept.clear()
    assert len(kept) == 0
