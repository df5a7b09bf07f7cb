"""Derivatives of courses whose equations jump or bend, on known days or where states decide: against closed forms."""

import numpy as np
import pytest

from vein2vein.engine import solve
from vein2vein.engine.method.events import Event
from vein2vein.engine.tangents import given, whole
from vein2vein.engine.tangents.sensitivity import sensitivities
from vein2vein.errors import InputError
from vein2vein.models.mathematics import ceil, floor, maximum, where
from vein2vein.models.model import Input, State

REST = (lambda p: {}, (Input("drug", "", "1"),))
"""Start and inputs of the models below."""
NEVER = Event("never", lambda t, x, p, u: x.a - 1e9, "drug", 1.0)
"""With an event of the caller's a path is followed from day to day."""
followed = pytest.mark.parametrize("events", [(), (NEVER,)], ids=["at once", "from day to day"])
both = pytest.mark.parametrize("backend", solve.BACKENDS)


@both
@followed
def test_no_short_pulse_is_missed(make_model, backend, events):
    """Each week p.k is given for a quarter of a day; a solver that does not know steps over it."""
    model = make_model(
        "pulse", ["a"], ["q", "k"],
        lambda t, x, p, u: {"a": p.k * where(t - 7 * floor(t / 7) < p.q, 1.0, 0.0) - 0.1 * x.a}, *REST,
    )  # fmt: skip
    days = [0.0, 7.0, 28.0, 70.0]
    found = sensitivities(model, [[0.25, 1.0]], None, days, wrt=["k"], rtol=1e-8, backend=backend, events=events)
    ends = 0.25 + 7 * np.arange(10)
    each = [np.exp(-0.1 * (day - ends)) * (1 - np.exp(-0.025)) / 0.1 * (ends < day) for day in days]
    assert found.values[0, :, 0] == pytest.approx(np.sum(each, axis=1), rel=1e-6)
    assert found.gradients[0, :, 0, 0] == pytest.approx(np.sum(each, axis=1), rel=1e-6)
    assert not found.status.any()


@both
@followed
def test_no_short_ramp_is_missed(make_model, backend, events):
    """Two ramps of p.q days, up and down: the surface is p.k times p.q, and grows by it."""
    model = make_model(
        "ramp", ["a"], ["k", "q"],
        lambda t, x, p, u: {"a": p.k * (np.clip((t - 100) / p.q, 0, 1) - np.clip((t - 100 - p.q) / p.q, 0, 1))}, *REST,
    )  # fmt: skip
    p, days = [[1.0, 0.01], [2.0, 0.03]], [0.0, 99.0, 150.0, 400.0]
    found = sensitivities(model, p, None, days, wrt=["k", "q"], rtol=1e-8, backend=backend, events=events)
    after = np.array([0.0, 0.0, 1.0, 1.0])
    for row, (k, q) in enumerate(p):
        assert found.values[row, :, 0] == pytest.approx(k * q * after, rel=1e-6)
        assert found.gradients[row, :, 0] == pytest.approx(np.outer(after, [q, k]), rel=1e-6)


def turns(days, period):
    return np.floor(np.array(days) / period)


@both
def test_every_switch_of_a_saw_tooth_counts(make_model, backend):
    """On for p.q days of every p.every: the switch on moves with p.every alone, the switch off with both."""
    model = make_model(
        "saw", ["a"], ["q", "every"],
        lambda t, x, p, u: {"a": where(t - p.every * floor(t / p.every) < p.q, 1.0, 0.0)}, *REST,
    )  # fmt: skip
    days = [0.0, 1.0, 3.0, 4.2, 5.0, 7.0, 40.1]
    p = [[0.5, 2.0], [0.9, 2.2], [1.5, 1.6]]
    found = sensitivities(model, p, None, days, wrt=["q", "every"], backend=backend)
    for row, (q, every) in enumerate(p):
        full, over = turns(days, every), days - every * turns(days, every)
        assert found.values[row, :, 0] == pytest.approx(full * q + np.minimum(over, q), abs=1e-9)
        assert found.gradients[row, :, 0, 0] == pytest.approx(full + (over > q), abs=1e-9)
        assert found.gradients[row, :, 0, 1] == pytest.approx(np.where(over < q, -full, 0.0), abs=1e-9)
    assert [c.day for c in found.crossings[0][:3]] == pytest.approx([0.5, 2.0, 2.5])
    assert [c.rising for c in found.crossings[0][:3]] == [False, True, False]


@both
@pytest.mark.parametrize("step, sign", [
    (lambda t, p: floor(t / p.q), -1), (lambda t, p: ceil(t / p.q), -1), (lambda t, p: floor(-t / p.q), 1),
    (lambda t, p: ceil((1 - t) / p.q - 1 / p.q), 1),
], ids=["floor", "ceil", "floor falls", "ceil falls"])  # fmt: skip
def test_steps_of_the_time_move_with_their_length(make_model, backend, step, sign):
    """The sum of p.k (t - m p.q) over all m that are passed."""
    model = make_model("steps", ["a"], ["q", "k"], lambda t, x, p, u: {"a": p.k * step(t, p)}, *REST)
    days, p = [0.0, 1.0, 3.0, 5.0, 7.0], [[2.0, 1.0], [0.32, 2.0]]
    found = sensitivities(model, p, None, days, wrt=["q"], backend=backend)
    for row, (q, k) in enumerate(p):
        passed = turns(days, q)
        assert found.gradients[row, :, 0, 0] == pytest.approx(sign * k * passed * (passed + 1) / 2, rel=1e-9)


@both
def test_a_comparison_that_leaps_over_another_day(make_model, backend):
    """On until p.q; from p.s on, on for 3 days more than that: where p.s is later there is a gap."""
    model = make_model(
        "leap", ["a"], ["q", "s"],
        lambda t, x, p, u: {"a": where(t - 3 * where(p.s < t, 1.0, 0.0) < p.q, 1.0, 0.0)}, *REST,
    )  # fmt: skip
    found = sensitivities(model, [[2.0, 1.0], [2.0, 3.0]], None, [0.0, 7.0], wrt=["q", "s"], backend=backend)
    assert found.values[:, -1, 0] == pytest.approx([5.0, 4.0], abs=1e-9)
    assert found.gradients[:, -1, 0] == pytest.approx(np.array([[1.0, 0.0], [2.0, -1.0]]), abs=1e-9)


STEPPED = {
    "of a state": (lambda t, x, p, u: floor(x.a / p.q), ()),
    "of a product": (lambda t, x, p, u: floor(t * t / p.q), ()),
    "of another": (lambda t, x, p, u: floor(p.q * (t - 2 * floor(t / 2))), ()),
    "against a state": (lambda t, x, p, u: where(x.a < p.q * floor(t / 2), 1.0, 0.0), ()),
    "against a level": (lambda t, x, p, u: where(t < u.held, 1.0, 0.0) * floor(t / p.q), ()),
    "with events": (lambda t, x, p, u: where(t - 2 * floor(t / 2) < p.q, 1.0, 0.0), (NEVER,)),
    "with events, by itself": (lambda t, x, p, u: floor(t / p.q), (NEVER,)),
}


@pytest.mark.parametrize("rate, events", STEPPED.values(), ids=STEPPED)
def test_steps_that_cannot_be_followed_are_refused(make_model, rate, events):
    inputs = (Input("drug", "", "1"), Input("held", "", "1", "level"))
    model = make_model(
        "stepped", ["a"], ["q", "k"], lambda t, x, p, u: {"a": p.k + rate(t, x, p, u)}, lambda p: {}, inputs
    )
    with pytest.raises(InputError, match="model stepped: derivatives do not follow floor"):
        sensitivities(model, [[0.5, 1.0]], None, [0.0, 1.0], wrt=["q"], events=events)
    smooth = sensitivities(model, [[0.5, 1.0]], None, [0.0, 1.0], wrt=["q"], events=events, corners=False)
    assert not smooth.status.any()


def test_who_must_be_followed_from_day_to_day_is_refused_where_steps_move(make_model, monkeypatch):
    """The state crosses its limit more often than there is room for."""
    monkeypatch.setattr(whole, "MOST", 2)
    monkeypatch.setattr(given, "MOST", 2)
    model = make_model(
        "often", ["a"], ["q", "k"],
        lambda t, x, p, u: {"a": np.cos(3 * t) + p.k * where(x.a < 0.1, 1.0, 1.1) * floor(t / p.q)}, *REST,
    )  # fmt: skip
    with pytest.raises(InputError, match="derivatives do not follow floor"):
        sensitivities(model, [[20.0, 1.0]], None, [0.0, 9.0], wrt=["q"])
    assert not sensitivities(model, [[20.0, 1.0]], None, [0.0, 9.0], wrt=["k"]).status.any()


KINKS = {
    "maximum": lambda far: maximum(far, 0.0),
    "absolute": lambda far: (np.abs(far) + far) / 2,
    "where": lambda far: where(far > 0.0, far, 0.0),
}


@both
@pytest.mark.parametrize("bend", KINKS.values(), ids=KINKS)
def test_tangents_are_right_soon_after_a_kink_that_a_state_decides(make_model, backend, bend):
    """The state b nears p.k and passes p.th at ``at``; a grows by how far it is beyond."""
    states = [State("a", "", "1", 1e-3), State("b", "", "1", 1e-3)]
    model = make_model(
        "bend", states, ["k", "th"], lambda t, x, p, u: {"a": bend(x.b - p.th), "b": p.k * np.exp(-t)}, *REST
    )
    k, days = 1.3, np.array([0.0, 3.0, 5.0])
    th = np.linspace(0.2, 0.9, 15)
    found = sensitivities(
        model, np.stack([np.full(15, k), th], axis=1), None, days, wrt=["k", "th"], backend=backend
    )  # fmt: skip
    at = -np.log(1 - th / k)[:, None]
    since = np.maximum(days - at, 0.0)
    by_k = since - np.where(since > 0, np.exp(-at) - np.exp(-days), 0.0)
    assert found.gradients[:, :, 0, 0] == pytest.approx(by_k, abs=3e-3)
    assert found.gradients[:, :, 0, 1] == pytest.approx(-since, abs=1e-2)


@both
def test_tangents_right_behind_a_kink(make_model, backend):
    states = [State("a", "", "1", 1e-3), State("b", "", "1", 1e-3)]
    model = make_model(
        "line", states, ["k", "th"], lambda t, x, p, u: {"a": maximum(x.b - p.th, 0.0), "b": p.k}, *REST
    )  # fmt: skip
    days = np.array([0.0, 1.05, 1.1, 1.2, 2.0, 5.0])
    found = sensitivities(model, [[1.0, 1.0]], None, days, wrt=["k", "th"], backend=backend)
    after = days > 1
    assert found.gradients[0, :, 0, 0] == pytest.approx(np.where(after, (days**2 - 1) / 2, 0), rel=0.01)
    assert found.gradients[0, :, 0, 1] == pytest.approx(np.where(after, 1 - days, 0), rel=0.01)


@both
@followed
def test_a_state_that_is_passed_by_its_limit(make_model, backend, events):
    """a grows slowly below a limit that falls from 3 to p.low on day p.s, where a is beyond it, then fast."""
    model = make_model(
        "passed", ["a"], ["k", "s", "low"],
        lambda t, x, p, u: {"a": p.k * where(x.a < where(t < p.s, 3.0, p.low), 0.2, 1.0)}, *REST,
    )  # fmt: skip
    p, days = [[1.0, 4.0, 0.5], [1.2, 5.5, 0.7]], [0.0, 3.0, 9.0]
    found = sensitivities(model, p, None, days, wrt=model.parameters, rtol=1e-8, backend=backend, events=events)
    for row, (k, s, _) in enumerate(p):
        assert found.values[row, 1:, 0] == pytest.approx([0.6 * k, k * (9 - 0.8 * s)], rel=1e-6)
        assert found.gradients[row, 1, 0] == pytest.approx([0.6, 0.0, 0.0], abs=1e-6)
        assert found.gradients[row, 2, 0] == pytest.approx([9 - 0.8 * s, -0.8 * k, 0.0], abs=1e-5)
