"""Courses in one call: dense output, doses, events and summaries, compiled, readable and in closed form."""

import numpy as np
import pytest

from vein2vein.engine import solve
from vein2vein.engine.method.events import Event
from vein2vein.engine.method.summaries import Summary
from vein2vein.errors import InputError
from vein2vein.models.mathematics import exp, maximum
from vein2vein.models.model import Input, State

METHODS = ("tsit5", "rodas4", "rodas5p")
DAYS = np.array([0.0, 0.3, 1.0, 1.7, 2.0, 4.5, 8.0, 15.0, 30.0])


@pytest.fixture(scope="module")
def drug(make_model):
    """A signal that rises with the patient's own speed, and a drug that quenches it; a second drug held at a level."""

    def equations(t, x, p, u):
        return {
            "signal": p.rise * exp(-0.1 * t) * (1 + u.boost) - x.signal * (0.2 + x.drug),
            "drug": -p.clear * x.drug,
            "fast": 20 * (x.signal - x.fast),
        }

    states = [State(s, s, "1", 1e-6, low=0.0) for s in ("signal", "drug", "fast")]
    inputs = (Input("bolus", "", "1"), Input("double", "", "1"), Input("boost", "", "1", "level"))

    def dose(name, amount, x, p):
        return {"drug": x.drug + amount} if name == "bolus" else {"signal": x.signal * (1 + amount)}

    return make_model("drug", states, ("rise", "clear"), equations, lambda p: {"signal": 0.1}, inputs, dose)


def people(n):
    rng = np.random.default_rng(2)
    return np.column_stack([rng.uniform(0.5, 3.0, n), rng.uniform(0.1, 1.0, n)])


QUENCH = Event("quench", lambda t, x, p, u: x.signal - 1.5, "bolus", 0.5, most=3, interval=2.0)
RAISE = Event("raise", lambda t, x, p, u: t - 5.25 - p.clear, "boost", 0.7)
SUMMARIES = (
    Summary("top", "max", "signal"),
    Summary("top_day", "time_of_max", "signal"),
    Summary("area", "area", "signal"),
    Summary("high", "time_above", "signal", 0.8),
    Summary("reached", "first_crossing", lambda t, x, p, u: x.signal + 0 * p.rise, 1.2),
    Summary("left", "end", "fast"),
)


def doses(n):
    rng = np.random.default_rng(3)
    own_days = np.where(np.arange(n) % 3 == 0, np.nan, rng.uniform(0, 12, n))
    return [(2.0, "bolus", 0.4), (own_days, "double", rng.uniform(0, 0.5, n)), (1.0, "boost", 0.3), (7.0, "boost", 0.0)]


@pytest.mark.parametrize("method", METHODS)
def test_compiled_courses_equal_readable_ones(drug, method):
    p = people(5)
    options = {"events": (QUENCH, RAISE), "summaries": SUMMARIES, "method": method}
    found, truth = (solve.solve(drug, p, None, DAYS, doses(5), backend=b, **options) for b in ("batch", "plain"))
    assert not truth.status.any() and not found.status.any()
    assert found.values == pytest.approx(truth.values, rel=1e-6, abs=1e-9)
    assert np.all(np.abs(found.steps - truth.steps) <= 2)
    for name in truth.fired:
        assert found.fired[name] == pytest.approx(truth.fired[name], rel=1e-6, nan_ok=True)
    for name in truth.summaries:
        assert found.summaries[name] == pytest.approx(truth.summaries[name], rel=1e-6, abs=1e-9)
    assert np.isfinite(truth.fired["quench"]).sum() > 5
    assert np.allclose(truth.fired["raise"][:, 0], 5.25 + p[:, 1])


@pytest.mark.parametrize("method", METHODS)
def test_courses_equal_a_run_that_stops_at_every_day(drug, method):
    p = people(4)
    found = solve.solve(drug, p, None, DAYS, [(2.0, "bolus", 0.4)], method=method, rtol=1e-9)
    run = solve.begin(drug, p, method=method, rtol=1e-9)
    for i, day in enumerate(DAYS):
        run = solve.advance(run, day)
        if day == 2.0:
            state = run.state.copy()
            state[:, 1] += 0.4
            run = solve.advance(run, day, state=state)
        assert found.values[:, i] == pytest.approx(run.state, rel=1e-6, abs=1e-9)


@pytest.mark.parametrize("method", METHODS)
def test_a_crossing_is_located(make_model, method):
    def equations(t, x, p, u):
        return {"A": -p.k * x.A}

    def dose(name, amount, x, p):
        return {"A": x.A + amount}

    model = make_model("falls", ["A"], ["k"], equations, lambda p: {"A": 2.0}, (Input("more", "", "1"),), dose)
    below = Event("below", lambda t, x, p, u: 1.0 - x.A, "more", 1.0, most=4, interval=0.01)
    k = np.array([0.3, 0.7, 1.9])
    found = solve.solve(model, k[:, None], None, [0.0, 9.0], events=(below,), method=method, rtol=1e-9)
    turns = np.log(2) / k[:, None] * np.arange(1, 5)
    expected = np.where(turns < 9, turns, np.nan)
    assert found.fired["below"] == pytest.approx(expected, rel=3e-6, nan_ok=True)


def test_an_event_waits_for_its_interval_and_fires_at_once_where_it_holds(make_model):
    model = make_model(
        "still", ["A"], ["k"], lambda t, x, p, u: {"A": 0 * x.A}, lambda p: {"A": p.k},
        (Input("more", "", "1"),), lambda name, amount, x, p: {"A": x.A + amount},
    )  # fmt: skip
    event = Event("held", lambda t, x, p, u: x.A - 1.0, "more", 0.25, most=3, interval=1.5)
    for backend in solve.BACKENDS:
        found = solve.solve(
            model, [[2.0], [0.5]], None, [0.0, 10.0], [(4.0, "more", 0.6)], events=(event,), backend=backend
        )
        assert found.fired["held"] == pytest.approx(np.array([[0.0, 1.5, 3.0], [4.0, 5.5, 7.0]]))
        assert found.state[:, 0] == pytest.approx([2.0 + 0.75 + 0.6, 0.5 + 0.6 + 0.75])


@pytest.mark.parametrize("method", METHODS)
def test_summaries_are_those_of_the_closed_form(make_model, method):
    model = make_model(
        "bateman", ["gut", "blood"], ["ka", "ke"],
        lambda t, x, p, u: {"gut": -p.ka * x.gut, "blood": p.ka * x.gut - p.ke * x.blood}, lambda p: {"gut": 1.0},
    )  # fmt: skip
    ka, ke = np.array([1.1, 2.5]), np.array([0.2, 0.31])
    wanted = (
        Summary("top", "max", "blood"),
        Summary("when", "time_of_max", "blood"),
        Summary("area", "area", "blood"),
        Summary("above", "time_above", "blood", 0.3),
        Summary("never", "first_crossing", "blood", 5.0),
        Summary("log", "area", lambda t, x, p, u: exp(-x.blood) * p.ke),
        Summary("end", "end", "gut"),
    )
    found = solve.solve(
        model, np.column_stack([ka, ke]), None, [0.0, 40.0], summaries=wanted, outputs=False, method=method, rtol=1e-8
    )
    assert found.values.shape == (2, 0, 2)
    top_day = np.log(ka / ke) / (ka - ke)
    t = np.linspace(0, 40, 400_001)
    blood = (ka / (ka - ke))[:, None] * (np.exp(-ke[:, None] * t) - np.exp(-ka[:, None] * t))
    s = found.summaries
    assert s["when"] == pytest.approx(top_day, rel=1e-4)
    assert s["top"] == pytest.approx(blood.max(axis=1), rel=1e-6)
    assert s["area"] == pytest.approx(np.trapezoid(blood, t), rel=1e-6)
    assert s["above"] == pytest.approx((blood > 0.3).mean(axis=1) * 40, abs=2e-3)
    assert np.all(np.isinf(s["never"]))
    assert s["log"] == pytest.approx(np.trapezoid(np.exp(-blood), t) * ke, rel=1e-6)
    assert s["end"] == pytest.approx(np.exp(-40 * ka), abs=1e-9)


@pytest.mark.parametrize("width", [1, 2, 4, 8])
@pytest.mark.parametrize("threads", [1, 3])
def test_company_order_width_and_threads_change_no_bit(drug, width, threads):
    n = 37
    p, given = people(n), doses(n)
    options = {"events": (QUENCH,), "summaries": SUMMARIES, "method": "rodas5p"}
    whole = solve.solve(drug, p, None, DAYS, given, **options)
    order = np.random.default_rng(1).permutation(n)[: n - 6]
    moved = [tuple(v[order] if isinstance(v, np.ndarray) else v for v in dose) for dose in given]
    part = solve.solve(drug, p[order], None, DAYS, moved, width=width, threads=threads, **options)
    assert np.array_equal(whole.values[order], part.values)
    assert np.array_equal(whole.steps[order], part.steps)
    assert np.array_equal(whole.fired["quench"][order], part.fired["quench"], equal_nan=True)
    for name in whole.summaries:
        assert np.array_equal(whole.summaries[name][order], part.summaries[name])


@pytest.mark.parametrize("backend", solve.BACKENDS)
def test_a_patient_who_cannot_be_solved_leaves_the_others_alone(models, backend):
    p = np.array([[1.0, 2.0], [1.0, -0.5], [0.5, 1.0]])
    wanted = (Summary("top", "max", "N"),)
    found = solve.solve(models["logistic"], p, None, [0.0, 1.0, 20.0], summaries=wanted, backend=backend)
    assert list(found.status != 0) == [False, True, False]
    assert np.all(np.isfinite(found.values[[0, 2]])) and np.isnan(found.values[1, 2, 0])
    assert list(np.isnan(found.summaries["top"])) == [False, True, False]


REFUSED = [
    ({"events": (Event("e", lambda t, x, p, u: x.signal, "bolsu", 1.0),)}, "unknown input 'bolsu'; did you mean bolus"),
    ({"events": (Event("e", lambda t, x, p, u: x.signal, "bolus", np.nan),)}, "the amount is nan"),
    ({"events": (Event("e", lambda t, x, p, u: x.signal, "bolus", 1.0, most=0),)}, "at most 0 firings"),
    ({"events": (Event("e", lambda t, x, p, u: x.signal, "bolus", 1.0, most=2),)}, "the interval is 0"),
    ({"events": (Event("e", lambda t, x, p, u: x.signla, "bolus", 1.0),)}, "no state 'signla'; did you mean signal"),
    ({"summaries": (Summary("s", "maximum", "signal"),)}, "unknown kind 'maximum'"),
    ({"summaries": (Summary("s", "max", "signla"),)}, "unknown state or observable 'signla'"),
    ({"summaries": (Summary("s", "time_above", "signal"),)}, "its level is None"),
    ({"doses": [(np.inf, "bolus", 1.0)]}, "the day of 'bolus' is inf"),
    ({"method": "rodas6"}, "unknown method 'rodas6'"),
]


@pytest.mark.parametrize("case", range(len(REFUSED)))
def test_what_does_not_fit_is_refused_with_a_sentence(drug, case):
    options, sentence = REFUSED[case]
    with pytest.raises(InputError, match=sentence):
        solve.solve(drug, people(2), None, DAYS, **options)


@pytest.mark.parametrize("backend", ["batch", "plain"])
def test_a_condition_that_holds_only_within_a_step_is_seen(drug, backend):
    """It rises above 0 on day 5.6 and falls below on day 6.2; the steps are a day long by then."""
    short = Event("short", lambda t, x, p, u: 0.3 - maximum(5.9 - t, t - 5.9), "boost", 0.7)
    late = Event("late", lambda t, x, p, u: 0.25 - maximum(6.0 - t, t - 6.0), "bolus", 1.0)
    calm = np.array([[1e-9, 1e-9]])
    options = {"method": "rodas5p", "max_step": 1.0, "backend": backend, "rtol": 1e-3}
    found = solve.solve(drug, calm, None, np.array([0.0, 20.0]), events=(late, short), **options)
    assert found.fired["short"][0, 0] == pytest.approx(5.6, abs=1e-6)
    assert found.fired["late"][0, 0] == pytest.approx(5.75, abs=1e-6)


@pytest.mark.parametrize("backend", solve.BACKENDS)
def test_summaries_see_what_is_given_on_the_last_day(make_model, backend):
    """No step follows a dose, or an event, of the last day; nor is there any step in a course of no length."""
    model = make_model(
        "last", ["a"], ["k"], lambda t, x, p, u: {"a": -p.k * x.a}, lambda p: {"a": 1.0},
        (Input("bolus", "", "1"),), lambda name, amount, x, p: {"a": x.a + amount},
    )  # fmt: skip
    wanted = [
        Summary("end", "end", "a"), Summary("max", "max", "a"), Summary("when", "time_of_max", "a"),
        Summary("first", "first_crossing", "a", level=1.5), Summary("area", "area", "a"),
        Summary("above", "time_above", "a", level=1.5), Summary("high", "max", lambda t, x, p, u: x.a > 2.5),
    ]  # fmt: skip
    left = np.exp(-5)
    found = solve.solve(model, [[0.5]], None, [0, 10], [(10.0, "bolus", 3.0)], summaries=wanted, backend=backend)
    seen = {name: float(value[0]) for name, value in found.summaries.items()}
    assert seen == pytest.approx(
        {"end": 3 + left, "max": 3 + left, "when": 10.0, "first": 10.0, "area": 2 * (1 - left), "above": 0.0,
         "high": 1.0}, rel=1e-6, abs=1e-9,
    )  # fmt: skip
    event = Event("late", lambda t, x, p, u: t - 10, "bolus", 3.0)
    fired = solve.solve(model, [[0.5]], None, [0, 10], events=[event], summaries=wanted, backend=backend)
    assert fired.summaries["max"][0] == pytest.approx(3 + left, rel=1e-6) and fired.summaries["first"][0] == 10.0
    still = solve.solve(model, [[0.5]], None, [3.0, 3.0], summaries=wanted, backend=backend).summaries
    assert (still["end"][0], still["max"][0], still["when"][0], abs(still["area"][0]) < 1e-200) == (1.0, 1.0, 3.0, True)
