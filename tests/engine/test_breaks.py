"""Days on which equations jump or bend are found beforehand, so that no pulse is too short to be seen."""

import numpy as np
import pytest

from vein2vein.engine import breaks, solve
from vein2vein.engine.method.summaries import Summary
from vein2vein.errors import InputError
from vein2vein.models import mathematics
from vein2vein.models.mathematics import exp, less, maximum, minimum, where
from vein2vein.models.model import Input

METHODS = ("tsit5", "rodas4", "rodas5p")


def found(model, parameters, end, levels=None, changing=()):
    p = np.array(parameters, dtype=float)
    u = np.zeros((len(p), len(model.level_names))) if levels is None else np.array(levels, dtype=float)
    return breaks.days(breaks.find(model), p, u, changing, np.array(0.0), np.array(end))


@pytest.fixture(scope="module")
def pulse(make_model):
    def equations(t, x, p, u):
        on = (t >= p.day) * (t < p.day + p.long)
        return {"A": on * p.high, "B": on - p.k * x.B}

    return make_model("pulse", ["A", "B"], ["day", "long", "high", "k"], equations, lambda p: {})


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("backend", solve.BACKENDS)
def test_a_short_pulse_between_two_steps_is_seen_whole(pulse, backend, method):
    p = np.array([[37.123, 0.01, 100.0, 0.1], [12.5, 0.02, 50.0, 0.3], [99.999, 5.0, 1.0, 0.1], [-3.0, 3.5, 2.0, 0.1]])
    area = Summary("area", "area", lambda t, x, p, u: p.high * less(p.day, t) * less(t, p.day + p.long))
    for outputs in (True, False):
        solved = solve.solve(
            pulse, p, None, [0.0, 50.0, 100.0], backend=backend, method=method, outputs=outputs, max_step=30.0,
            summaries=(area,),
        )  # fmt: skip
        assert not solved.status.any()
        first, last = np.maximum(p[:, 0], 0.0), np.minimum(p[:, 0] + p[:, 1], 100.0)
        high, k = p[:, 2], p[:, 3]
        assert solved.state[:, 0] == pytest.approx((last - first) * high, rel=1e-8)
        left = np.exp(-k * (100 - last)) - np.exp(-k * (100 - first))
        assert solved.state[:, 1] == pytest.approx(left / k, rel=1e-4, abs=1e-7)
        assert solved.summaries["area"] == pytest.approx((last - first) * high, rel=1e-8)


@pytest.mark.parametrize("backend", solve.BACKENDS)
def test_a_run_from_day_to_day_sees_pulses_too_and_those_that_begin_or_end_on_a_day(pulse, backend):
    p = np.array([[2.623, 0.01, 100.0, 0.1], [1.0, 0.02, 50.0, 0.3], [2.99, 0.01, 9.0, 0.1], [0.0, 4.0, 2.0, 0.1]])
    run = solve.begin(pulse, p, backend=backend)
    for day in (1.0, 2.0, 3.0, 5.0):
        run = solve.advance(run, day)
    assert not run.status.any()
    assert run.state[:, 0] == pytest.approx(p[:, 1] * p[:, 2], rel=1e-8)
    assert run.steps.max() < 100


def test_days_are_those_of_each_patient(pulse):
    days = found(pulse, [[37.123, 0.01, 1, 1], [2.0, 1.0, 1, 1], [-5.0, 6.0, 1, 1], [200.0, 1.0, 1, 1]], 100.0)
    near = [np.unique(np.round(row[np.isfinite(row)], 9)) for row in days]
    for row, expected in zip(near, ([37.123, 37.133], [2.0, 3.0], [1.0], []), strict=True):
        assert row == pytest.approx(np.array(expected))
    jump = np.sort(days[0])[:2]
    assert jump[0] < 37.123 < jump[1]
    assert jump[1] - jump[0] < 1e-11


def test_bends_are_found_on_both_sides_of_straight_lines(make_model):
    model = make_model(
        "bends", ["A"], ["k"],
        lambda t, x, p, u: {"A": maximum(t - p.k, 0.0) + minimum(abs(t - 5.0), 2.0) + where(t < p.k / 2, 1.0, x.A)},
        lambda p: {},
    )  # fmt: skip
    days = found(model, [[1.0], [6.0]], 100.0)
    rounded = [np.unique(np.round(row[np.isfinite(row)], 9)) for row in days]
    assert rounded[0] == pytest.approx(np.array([0.5, 1.0, 3.0, 5.0, 7.0]))
    assert rounded[1] == pytest.approx(np.array([3.0, 5.0, 6.0, 7.0]))


def test_comparisons_of_a_level_count_while_it_is_held(make_model):
    inputs = (Input("on", "", "1", "level"), Input("other", "", "1", "level"))
    model = make_model(
        "held", ["A"], ["k"], lambda t, x, p, u: {"A": less(t, u.on) + u.other * x.A}, lambda p: {}, inputs
    )
    assert np.isfinite(found(model, [[1.0]], 9.0, [[4.0, 0.0]])).sum() == 2
    assert found(model, [[1.0]], 9.0, [[4.0, 0.0]], changing=(0,)).size == 0
    assert np.isfinite(found(model, [[1.0]], 9.0, [[4.0, 0.0]], changing=(1,))).sum() == 2


@pytest.mark.parametrize("equation", [
    lambda t, x, p, u: less(x.A, p.k) * t,
    lambda t, x, p, u: less(exp(-t), p.k) - x.A,
    lambda t, x, p, u: less(t * t, p.k) - x.A,
    lambda t, x, p, u: less(p.k, 3.0) - x.A,
    lambda t, x, p, u: maximum(x.A, t),
    lambda t, x, p, u: -p.k * x.A,
])  # fmt: skip
def test_what_is_no_straight_line_in_time_is_left_to_the_control_of_the_error(make_model, equation):
    model = make_model("plain", ["A"], ["k"], lambda t, x, p, u: {"A": equation(t, x, p, u)}, lambda p: {})
    assert breaks.find(model) is None


@pytest.mark.skipif(not hasattr(mathematics, "floor"), reason="no floor among the functions of a model")
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("backend", solve.BACKENDS)
def test_pulses_that_come_again_are_seen_whole(make_model, backend, method):
    def equations(t, x, p, u):
        since = (t - p.first) - p.every * mathematics.floor((t - p.first) / p.every)
        return {"A": less(since, p.long) * less(p.first, t)}

    model = make_model("again", ["A"], ["first", "every", "long"], equations, lambda p: {})
    p = np.array([[0.123, 7.0, 0.01], [3.0, 1 / 3, 0.002], [1.5, 100.0, 0.5], [0.0, 7.0, 0.01]])
    run = solve.begin(model, p, backend=backend, method=method)
    for day in (7.0, 14.0, 21.0, 29.75):  # some begin or end on these days
        run = solve.advance(run, day)
    solved = solve.solve(model, p, None, [0.0, 29.75], backend=backend, method=method, max_step=10.0)
    assert run.state == pytest.approx(solved.state, rel=1e-8)
    times = np.floor((29.75 - p[:, 0]) / p[:, 1]) + 1
    assert solved.state[:, 0] == pytest.approx(times * p[:, 2], rel=1e-8)


@pytest.mark.skipif(not hasattr(mathematics, "floor"), reason="no floor among the functions of a model")
def test_too_many_jumps_are_told(make_model):
    model = make_model("often", ["A"], ["k"], lambda t, x, p, u: {"A": mathematics.floor(p.k * t)}, lambda p: {})
    with pytest.raises(InputError, match=r"jump more than 10000 times on the way of patient 1"):
        found(model, [[1.0], [1e4]], 9.0)


@pytest.mark.parametrize("method", ["auto", *METHODS])
@pytest.mark.parametrize("backend", solve.BACKENDS)
@pytest.mark.parametrize("origin", [0.0, 45_000.0, 738_000.0, 2_460_000.0])
def test_a_jump_on_a_calendar_day(make_model, method, backend, origin):
    """Days counted from 1900, from year 1, Julian days: no step is short enough to have no error across the jump."""

    def equations(t, x, p, u):
        return {"a": where(t > p.b, where(t < p.b + 0.5, p.r, 0.0), 0.0) - 0.01 * x.a}

    model = make_model("calendar", ["a"], ["b", "r"], equations, lambda p: {}, scale=1e-4)
    p, days = [[origin + 10, 1e4]], [origin, origin + 10.5, origin + 20]
    solved = solve.solve(model, p, None, days, backend=backend, method=method)
    exact = 1e6 * (1 - np.exp(-0.005)) * np.array([0.0, 1.0, np.exp(-0.095)])
    assert solved.status[0] == 0 and solved.values[0, :, 0] == pytest.approx(exact, rel=1e-7)
    run = solve.begin(model, p, day=origin, backend=backend, method=method)
    assert solve.advance(run, origin + 20).state[0, 0] == pytest.approx(exact[2], rel=1e-7)
