"""Events as SBML's tests mean them: what fires when, in which order, with which amounts; compiled and readable."""

import numpy as np
import pytest

from vein2vein.engine import solve
from vein2vein.engine.method.events import Event, locate, order
from vein2vein.engine.tangents.sensitivity import sensitivities
from vein2vein.errors import InputError
from vein2vein.models.mathematics import maximum, minimum, where
from vein2vein.models.model import Input

METHODS = ("tsit5", "rodas5p")
K = np.array([[0.3], [0.7], [1.9]])
backends = pytest.mark.parametrize("backend", solve.BACKENDS)


@pytest.fixture(scope="module")
def falling(make_model):
    """A decays; a dose adds to A, another sets B, and a level feeds C."""
    inputs = (Input("more", "", "1"), Input("put", "", "1"), Input("rate", "", "1", "level"))

    def dose(name, amount, x, p):
        return {"A": x.A + amount} if name == "more" else {"B": 0 * x.B + amount}

    return make_model(
        "falling", ["A", "B", "C"], ["k"], lambda t, x, p, u: {"A": -p.k * x.A, "B": 0 * x.B, "C": u.rate + 0 * x.C},
        lambda p: {"A": 1.0}, inputs, dose,
    )  # fmt: skip


def course(model, events, backend="batch", days=(0.0, 6.0), doses=(), **options):
    options.setdefault("rtol", 1e-9)
    found = solve.solve(model, K, None, list(days), doses, events=events, backend=backend, **options)
    assert not found.status.any()
    return found


def low(t, x, p, u):
    return x.A < 0.5


CONDITIONS = {
    "less": low,
    "not at least": lambda t, x, p, u: 1 - (x.A >= 0.5),
    "over": lambda t, x, p, u: 1 / x.A > 2.0,
    "chosen": lambda t, x, p, u: where(x.A < 0.5, 1.0, 0.0),
    "not chosen": lambda t, x, p, u: where(x.A >= 0.5, 0.0, 1.0),
    "and": lambda t, x, p, u: (x.A < 0.5) * (t > 0.01),
    "both": lambda t, x, p, u: minimum(x.A < 0.5, x.A < 0.9),
    "or": lambda t, x, p, u: maximum(x.A < 0.5, x.A < 0.1),
    "a number": lambda t, x, p, u: 0.5 - x.A,
}


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("condition", CONDITIONS.values(), ids=CONDITIONS)
def test_what_is_true_or_false_fires_when_it_becomes_true(falling, condition, method):
    for backend in solve.BACKENDS:
        found = course(falling, [Event("low", condition, "put", 1.0)], backend, method=method)
        assert found.fired["low"] == pytest.approx(np.log(2) / K, rel=1e-6)


@backends
def test_and_fires_at_the_later_and_or_at_the_sooner(falling, backend):
    turn = np.log(2) / K
    events = [
        Event("both", lambda t, x, p, u: (x.A < 0.5) * (t > 1.2), "put", 1.0),
        Event("either", lambda t, x, p, u: maximum(x.A < 0.5, t > 1.2), "put", 1.0),
        Event("which", lambda t, x, p, u: where(p.k < 0.5, x.A < 0.5, t > 1.2), "put", 1.0),
    ]
    found = course(falling, events, backend)
    assert found.fired["both"] == pytest.approx(np.maximum(turn, 1.2), rel=1e-6)
    assert found.fired["either"] == pytest.approx(np.minimum(turn, 1.2), rel=1e-6)
    assert found.fired["which"] == pytest.approx(np.where(K < 0.5, turn, 1.2), rel=1e-6)


@backends
def test_a_condition_that_is_equal_at_the_start_is_strict_or_not(falling, backend):
    events = [
        Event("less", lambda t, x, p, u: x.A < 1.0, "put", 1.0),
        Event("at most", lambda t, x, p, u: x.A <= 1.0, "put", 1.0),
        Event("greater", lambda t, x, p, u: x.A > 1.0, "put", 1.0),
    ]
    found = course(falling, events, backend)
    assert np.all((found.fired["less"] > 0) & (found.fired["less"] < 1e-3))
    assert np.all(found.fired["at most"] == 0)
    assert np.isnan(found.fired["greater"]).all()


@backends
def test_a_level_fires_again_while_it_holds_and_an_edge_when_it_becomes_true_again(falling, backend):
    doses = [([3.0, 2.0, 1.0], "more", 2.0)]
    events = [
        Event("level", low, "rate", 1.0, most=50, interval=0.5),
        Event("edge", low, "put", 1.0, most=50, trigger="edge"),
    ]
    found = course(falling, events, backend, days=(0.0, 10.0), doses=doses)
    k, turn, given = K[:, 0], np.log(2) / K[:, 0], np.array([3.0, 2.0, 1.0])
    again = given + np.log((np.exp(-k * given) + 2.0) / 0.5) / k
    expected = np.stack([turn, again], axis=1)
    assert found.fired["edge"][:, :2] == pytest.approx(np.where(expected < 10, expected, np.nan), rel=1e-6, nan_ok=True)
    assert np.isnan(found.fired["edge"][:, 2:]).all()
    for row in range(3):
        first = np.arange(turn[row], given[row], 0.5)
        assert found.fired["level"][row, : len(first)] == pytest.approx(first, rel=1e-6)
        assert found.fired["level"][row, len(first)] == pytest.approx(again[row], rel=1e-6)


@backends
def test_an_edge_that_holds_at_the_start_fires_only_if_it_is_armed(falling, backend):
    doses = [(1.0, "more", 2.0)]
    events = [
        Event("armed", low, "put", 1.0, most=9, trigger="edge"),
        Event("unarmed", low, "put", 1.0, most=9, trigger="edge", armed=False),
    ]
    found = solve.solve(
        falling, K, [[0.2, 0.0, 0.0]] * 3, [0.0, 12.0], doses, events=events, backend=backend, rtol=1e-9
    )
    again = 1 + np.log((0.2 * np.exp(-K) + 2.0) / 0.5) / K
    assert np.all(found.fired["armed"][:, 0] == 0)
    assert found.fired["armed"][:, 1:2] == pytest.approx(again, rel=1e-6)
    assert found.fired["unarmed"][:, :1] == pytest.approx(again, rel=1e-6)
    assert np.isnan(found.fired["unarmed"][:, 1:]).all()


@backends
def test_an_edge_sees_what_turns_within_one_step_or_by_a_dose(falling, backend):
    wave = Event("wave", lambda t, x, p, u: where(t < 3.0, t - 1.0, where(t < 5.0, 4.0 - t, t - 7.0)), "put", 1.0, 9,
                 trigger="edge", armed=False)  # fmt: skip
    dosed = Event("dosed", lambda t, x, p, u: x.A > 3.0, "put", 1.0, 9, trigger="edge")
    found = course(falling, [wave, dosed], backend, days=(0.0, 9.0), doses=[(2.0, "more", 9.0)], max_step=1.3)
    assert found.fired["wave"][:, :2] == pytest.approx(np.array([[1.0, 7.0]] * 3))
    assert np.isnan(found.fired["wave"][:, 2:]).all()
    assert np.all(found.fired["dosed"][:, 0] == 2.0)
    assert np.isnan(found.fired["dosed"][:, 1:]).all()


@backends
def test_what_becomes_true_within_the_interval_of_an_edge_is_passed_over(falling, backend):
    doses = [(t, "more", 5.0) for t in (1.0, 2.0, 3.0, 4.0)]
    high = Event("high", lambda t, x, p, u: x.A - 4.9 > 0, "rate", 1.0, 9, interval=1.5, trigger="edge")
    found = solve.solve(
        falling, [[9.0]], [[0.0, 0.0, 0.0]], [0.0, 6.0], doses, events=[high], backend=backend, rtol=1e-9
    )
    assert found.fired["high"][0, :3] == pytest.approx([1.0, 3.0, np.nan], nan_ok=True)


@backends
def test_of_one_moment_the_higher_priority_gives_first_and_the_last_one_stays(falling, backend):
    events = [
        Event("first", low, "put", 1.0, trigger="edge", priority=1.0),
        Event("second", low, "put", 2.0, trigger="edge", priority=3.0),
        Event("third", low, "put", 3.0, trigger="edge", priority=1.0),
    ]
    assert order(events) == (1, 0, 2)
    found = course(falling, events, backend)
    assert np.all(found.state[:, 1] == 3.0)
    assert found.fired["first"] == pytest.approx(found.fired["third"])
    # The first takes the ground from under the others: an edge that fired still gives, a level looks anew.
    more = Event("more", low, "more", 1.0, trigger="edge", priority=9.0)
    late = course(falling, [Event("level", low, "put", 7.0), more], backend, days=(0.0, 2.2))
    turn = np.log(2) / K[:, 0]
    again = turn + np.log(1.5 / 0.5) / K[:, 0]
    level = late.fired["level"][:, 0]
    assert level == pytest.approx(np.where(again < 2.2, again, np.nan), rel=1e-6, nan_ok=True)
    edge = course(falling, [Event("edge", low, "put", 7.0, trigger="edge"), more], backend)
    assert edge.fired["edge"][:, 0] == pytest.approx(turn, rel=1e-6)


@backends
def test_one_event_may_call_another_at_the_same_moment(falling, backend):
    events = [
        Event("answer", lambda t, x, p, u: x.B > 0.5, "more", 5.0, trigger="edge"),
        Event("call", low, "put", 1.0, trigger="edge"),
    ]
    found = course(falling, events, backend)
    assert found.fired["answer"] == pytest.approx(np.log(2) / K, rel=1e-6)
    assert np.array_equal(found.fired["answer"], found.fired["call"])


@backends
def test_a_delay_gives_later_what_was_known_when_it_fired(falling, backend):
    late = Event("late", low, "put", lambda t, x, p, u: 10 * x.A + p.k, delay=0.75)
    never = Event("never", low, "put", 9.0, delay=100.0, trigger="edge")
    found = course(falling, [late, never], backend, days=(0.0, 1.0, 8.0))
    assert found.fired["late"] == pytest.approx(np.log(2) / K + 0.75, rel=1e-6)
    assert found.state[:, 1] == pytest.approx(5 + K[:, 0], rel=1e-6)
    assert np.all(found.values[:, 1, 1] == np.where(np.log(2) / K[:, 0] + 0.75 < 1.0, found.state[:, 1], 0.0))
    assert np.isnan(found.fired["never"]).all()


@backends
def test_a_delayed_event_fires_again_after_its_interval(falling, backend):
    pulse = Event("pulse", lambda t, x, p, u: t - 1.0, "more", 1.0, most=3, interval=2.0, delay=0.5)
    found = course(falling, [pulse], backend, days=(0.0, 9.0))
    assert found.fired["pulse"] == pytest.approx(np.array([[1.5, 3.5, 5.5]] * 3))
    on = [np.exp(-K[:, 0] * (9.0 - t)) for t in (0.0, 1.5, 3.5, 5.5)]
    assert found.state[:, 0] == pytest.approx(sum(on), rel=1e-6)


@backends
def test_amounts_of_one_moment_are_known_before_anything_is_given(falling, backend):
    events = [
        Event("swap", low, "more", lambda t, x, p, u: x.B + 1.0, trigger="edge"),
        Event("keep", low, "put", lambda t, x, p, u: x.A, trigger="edge"),
    ]
    found = course(falling, events, backend)
    assert found.state[:, 1] == pytest.approx(0.5, rel=1e-6)


@pytest.mark.parametrize("method", METHODS)
def test_compiled_events_equal_readable_ones(falling, method):
    events = [
        Event(
            "refill", low, "more", lambda t, x, p, u: 1.0 + 0.1 * t, most=30, interval=0.2, trigger="edge", delay=0.1
        ),
        Event(
            "count",
            lambda t, x, p, u: (x.A > 0.8) | (t > 5.0),
            "rate",
            lambda t, x, p, u: u.rate + 1.0,
            30,
            0.0,
            "edge",
        ),
        Event("steady", lambda t, x, p, u: x.C - 2.0, "put", lambda t, x, p, u: x.C, 4, 0.7, priority=2.0),
    ]  # fmt: skip
    p = np.random.default_rng(1).uniform(0.2, 2.5, (7, 1))
    options = {"events": events, "method": method, "rtol": 1e-8}
    found, truth = (solve.solve(falling, p, None, [0.0, 2.0, 9.0], backend=b, **options) for b in ("batch", "plain"))
    assert not found.status.any() and not truth.status.any()
    for event in events:
        assert found.fired[event.name] == pytest.approx(truth.fired[event.name], rel=1e-6, nan_ok=True)
    assert found.values == pytest.approx(truth.values, rel=1e-6)
    assert np.isfinite(truth.fired["refill"]).sum() > 20
    alone = [solve.solve(falling, p[i : i + 1], None, [0.0, 2.0, 9.0], **options).values[0] for i in range(len(p))]
    assert np.array_equal(alone, found.values)


def test_a_crossing_is_located_whatever_the_condition_looks_like():
    for value in (lambda s: s - 0.3, lambda s: (s - 0.3) ** 3, lambda s: -1.0 if s < 0.3 else 1e-9,
                  lambda s: max(s - 0.3, 1e3 * (s - 0.3)), lambda s: -1e-300 if s < 0.3 else s):  # fmt: skip
        found = locate(value, value(0.0), value(1.0), 1.0)
        assert value(found) >= 0
        assert found == pytest.approx(0.3, abs=3e-6)


@pytest.mark.parametrize(("options", "told"), [
    ({"condition": lambda t, x, p, u: 1.0}, "the condition is 1 whatever the day"),
    ({"condition": lambda t, x, p, u: True}, "the condition is 1 whatever the day"),
    ({"condition": lambda t, x, p, u: (x.A < 0.5) + (t > 3)}, "a sum or .* comparisons.* join comparisons by"),
    ({"condition": lambda t, x, p, u: 2.0 * (x.A < 0.5)}, "a sum or a multiple of comparisons"),
    ({"condition": lambda t, x, p, u: (x.A - p.k < 0.1) - (t > 3)}, "a sum or a multiple of comparisons"),
    ({"trigger": "edgy"}, "unknown trigger 'edgy'; did you mean edge"),
    ({"armed": False}, "only a trigger 'edge' can begin unarmed"),
    ({"armed": 1}, "armed is 1; give True or False"),
    ({"delay": -1.0}, "the delay is -1.0 days"),
    ({"priority": np.nan}, "the priority is nan"),
    ({"most": 2, "interval": 1.0, "delay": 2.0}, "let the interval be no shorter than the delay"),
    ({"amount": "x"}, "the amount is 'x'; give a finite number, or a function"),
])  # fmt: skip
def test_an_event_that_makes_no_sense_is_refused(falling, options, told):
    settings = {"condition": low, "amount": 1.0, **options}
    with pytest.raises(InputError, match=told):
        course(falling, [Event("e", give="put", **settings)])


def test_derivatives_go_through_what_is_true_or_false_and_refuse_the_rest(falling):
    number = Event("low", lambda t, x, p, u: 0.5 - x.A, "more", 1.0)
    options = {"wrt": ["k"], "rtol": 1e-9}
    truth = sensitivities(falling, K, None, [0.0, 4.0], events=[number], **options)
    found = sensitivities(falling, K, None, [0.0, 4.0], events=[Event("low", low, "more", 1.0)], **options)
    assert found.gradients == pytest.approx(truth.gradients, rel=1e-6, abs=1e-9)
    assert abs(truth.gradients[:, 1, 0]).min() > 1e-3
    for more in ({"trigger": "edge"}, {"delay": 1.0}, {"priority": 1.0}, {"amount": low}):
        event = Event("low", low, "more", **{"amount": 1.0, **more})
        with pytest.raises(InputError, match=r"event low: .* given; derivatives are known"):
            sensitivities(falling, K, None, [0.0, 4.0], events=[event], **options)
