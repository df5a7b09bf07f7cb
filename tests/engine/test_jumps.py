"""Summaries of quantities that jump, in time or with the state: closed forms, and events at the same moments."""

from dataclasses import replace

import numpy as np
import pytest

from vein2vein.engine import solve
from vein2vein.engine.cuda import device
from vein2vein.engine.method import plain
from vein2vein.engine.method.events import Event
from vein2vein.engine.method.request import Request
from vein2vein.engine.method.summaries import POINTS, Summary, start, update
from vein2vein.errors import InputError
from vein2vein.models.mathematics import ceil, floor, less, where
from vein2vein.models.model import Input

METHODS = ("auto", "tsit5", "rodas4", "rodas5p")
backends = pytest.mark.parametrize("backend", solve.BACKENDS)
K = np.array([0.5, 1.0, 0.3])
DOSED = 2.0


def below(level):
    """Days until what is left of the dose falls to a level."""
    return np.log(DOSED / level) / K


def days(level, high):
    return below(level) - below(high)


QUANTITIES = {  # kind, function, level, expected
    "max of where": ("max", lambda t, x, p, u: where(x.C < 1, 5.0, 0.0), None, np.full(3, 5.0)),
    "max of bool": ("max", lambda t, x, p, u: (x.C > 0.5) & (x.C < 0.52), None, np.ones(3)),
    "max before": ("max", lambda t, x, p, u: where(x.C < 1, 3.0 * x.C, 0.0), None, np.full(3, 3.0)),
    "time of max": ("time_of_max", lambda t, x, p, u: where(x.C < 1, x.C, 0.0), None, below(1.0)),
    "until a day": ("area", lambda t, x, p, u: x.C * (t < p.day), None, DOSED * (1 - np.exp(-3.0 * K)) / K),
    "days": ("area", lambda t, x, p, u: t < p.day, None, np.full(3, 3.0)),
    "every half": ("area", lambda t, x, p, u: t - 0.5 * floor(2.0 * t), None, np.full(3, 2.5)),
    "window": ("time_above", lambda t, x, p, u: (x.C > 0.5) & (x.C < 1), 0.5, days(0.5, 1.0)),
    "first": ("first_crossing", lambda t, x, p, u: x.C < 1, 0.5, below(1.0)),
    "named": ("first_crossing", "low", 0.5, below(1.0)),
    "end": ("end", lambda t, x, p, u: t < 10.0, None, np.zeros(3)),
    "floor": ("area", lambda t, x, p, u: floor(4 * x.C), None, sum(below(i / 4) for i in range(1, 8))),
    "ceil": ("area", lambda t, x, p, u: ceil(x.C) - 1.0, None, below(1.0)),
    "inner": ("area", lambda t, x, p, u: less(x.C, where(t < p.day, 1.0, 0.5)), None,
              10.0 - np.maximum(below(0.5), 3.0) + np.maximum(3.0 - below(1.0), 0.0)),
}  # fmt: skip
SUMMARIES = [Summary(name, kind, of, level) for name, (kind, of, level, _) in QUANTITIES.items()]
P = np.column_stack([K, np.full(3, 3.0)])


@pytest.fixture(scope="module")
def falling(make_model):
    model = make_model(
        "falling", ["C"], ["k", "day"], lambda t, x, p, u: {"C": -p.k * x.C}, lambda p: {},
        [Input("bolus", "", "mg"), Input("mark", "", "1", "level")],
        lambda n, a, x, p: {"C": x.C + a},
    )  # fmt: skip
    return replace(model, observables=lambda t, x, p, u: {"low": x.C < 1})


def course(model, backend="batch", method="auto", summaries=SUMMARIES, events=(), outputs=True, rtol=1e-9):
    found = solve.solve(
        model, P, None, [0.0, 4.0, 10.0], [(0.0, "bolus", DOSED)], backend=backend, method=method, outputs=outputs,
        summaries=summaries, events=events, rtol=rtol,
    )  # fmt: skip
    assert not found.status.any()
    return found


@pytest.mark.parametrize("method", METHODS)
@backends
def test_what_jumps_is_summarized_to_its_jumps(falling, backend, method):
    found = course(falling, backend, method)
    for name, (*_, expected) in QUANTITIES.items():
        assert found.summaries[name] == pytest.approx(expected, rel=3e-6, abs=3e-6), name
    alone = course(falling, backend, method, [Summary("bool", *QUANTITIES["max of bool"][:2])])
    assert np.array_equal(alone.summaries["bool"], np.ones(3))


@backends
def test_what_changes_the_state_at_the_moment_of_a_jump_counts_on_both_sides(falling, backend):
    events = [
        Event("more", lambda t, x, p, u: x.C < 1, "bolus", 1.0, most=2, interval=1e-3),
        Event("first", lambda t, x, p, u: x.C < 1, "mark", 1.0, trigger="edge", priority=1.0),
    ]
    wanted = [
        Summary("low", "time_above", lambda t, x, p, u: x.C < 1, 0.5),
        Summary("area", "area", lambda t, x, p, u: where(x.C < 1, 0.0, x.C)),
        Summary("marked", "area", lambda t, x, p, u: less(0.5, u.mark)),
    ]
    bare, found = course(falling, backend, events=events, summaries=[]), course(
        falling, backend, events=events, summaries=wanted
    )  # fmt: skip
    when = np.log(2.0) / K
    assert found.fired["more"] == pytest.approx(np.column_stack([when, 2 * when]), rel=1e-5)
    assert found.fired["first"][:, 0] == pytest.approx(when, rel=1e-5)
    for name in ("more", "first"):
        assert found.fired[name] == pytest.approx(bare.fired[name], rel=1e-6)
    assert found.values == pytest.approx(bare.values, rel=1e-5)
    assert found.summaries["low"] == pytest.approx(10.0 - 3 * when, rel=1e-5)
    assert found.summaries["area"] == pytest.approx(3 * 1.0 / K, rel=1e-5)
    assert found.summaries["marked"] == pytest.approx(10.0 - when, rel=1e-5)


@backends
def test_a_state_that_comes_to_rest_where_a_comparison_turns_is_solved_all_the_same(make_model, backend):
    model = make_model("rests", ["A"], ["k"], lambda t, x, p, u: {"A": p.k * (1 - x.A)}, lambda p: {"A": 2.0})
    wanted = [Summary("over", "area", lambda t, x, p, u: where(x.A > 1.5, 1.0, 0.0) + 0 * (x.A < 1))]
    wanted += [Summary("below", "max", lambda t, x, p, u: (x.A < 1) | (x.A < 0.5))]
    for method in ("auto", "tsit5"):
        bare, found = (
            solve.solve(model, [[3.0]], None, [0.0, 150.0], summaries=w, backend=backend, method=method)
            for w in ([], wanted)
        )
        assert not found.status.any() and not bare.status.any()
        assert found.steps[0] < 3 * bare.steps[0] + 20
        assert found.summaries["over"][0] == pytest.approx(np.log(2.0) / 3.0, rel=1e-5)
        assert found.summaries["below"][0] in (0.0, 1.0)


def test_a_patients_summaries_do_not_depend_on_the_others(falling):
    whole = course(falling)
    for i in range(len(P)):
        own = solve.solve(
            falling, P[i : i + 1], None, [0.0, 4.0, 10.0], [(0.0, "bolus", DOSED)], summaries=SUMMARIES, rtol=1e-9
        )
        for name in QUANTITIES:
            assert own.summaries[name][0] == whole.summaries[name][i]


@pytest.mark.parametrize("values", [(0, 0, 0, 1, 1), (1, 0, 1, 1, 0), (0, 5, 5, 0, 0), (2, 2, 2, 2, 2)])
def test_the_top_of_steps_is_no_more_than_their_largest_value(values):
    found = update("max", [float(v) for v in values], 0.0, 1.0, None, start("max"))
    assert found == [max(values)]
    smooth = [1 - (s - 0.4) ** 2 for s in POINTS]
    assert update("max", smooth, 0.0, 1.0, None, start("max"))[0] == pytest.approx(1.0, rel=1e-12)


def test_the_gpu_refuses_a_function_that_jumps(falling):
    wanted = (Summary("days", "area", lambda t, x, p, u: t < 3),)
    with pytest.raises(InputError, match=r"does not summarize a function that jumps.*\('days'\)"):
        device.check(Request((), (), wanted), plain.control(falling, 1e-6), falling)
