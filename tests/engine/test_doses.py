"""Doses as a pharmacometrician writes them: infusions, repeats, lags, shares, steady states, resets; closed forms."""

from dataclasses import fields

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from vein2vein.engine import doses as doses_of
from vein2vein.engine import solve
from vein2vein.engine.doses import Dose, Reset
from vein2vein.engine.infusions import wrapped
from vein2vein.engine.method.events import Event
from vein2vein.engine.tangents import sensitivity
from vein2vein.engine.tangents.sensitivity import sensitivities
from vein2vein.errors import InputError
from vein2vein.models.mathematics import exp
from vein2vein.models.model import Input, State

METHODS = ("tsit5", "rodas5p")
DAYS = np.linspace(0.0, 8.0, 33)
KA, K, V, F, LAG, LONG = range(6)
P = np.array([[2.0, 0.5, 3.0, 0.7, 0.3, 1.5], [1.1, 0.2, 1.0, 0.9, 0.1, 0.4], [5.0, 1.3, 2.0, 0.25, 0.0, 0.9]])


def column(j):
    return P[:, j][:, None]


@pytest.fixture(scope="module")
def drug(make_model):
    """A gut, a blood in mg/L, and a tumor that grows by a level and is not given anything."""

    def equations(t, x, p, u):
        return {"gut": -p.ka * x.gut, "C": p.ka * x.gut - p.k * x.C, "N": u.boost * (1 - x.N) - 0.1 * x.C * x.N}

    def dose(name, amount, x, p):
        if name == "oral":
            return {"gut": x.gut + amount}
        return {"C": (x.C * p.V + amount) / p.V} if name == "iv" else {"N": x.N * exp(amount)}

    inputs = [Input(n, "", "mg") for n in ("oral", "iv", "burst")] + [Input("boost", "", "1", "level")]
    names = ("ka", "k", "V", "F", "lag", "long")
    return make_model("drug", ["gut", "C", "N"], names, equations, lambda p: {"N": 0.5}, inputs, dose)


def infused(t, start, length, rate):
    """Concentration of one compartment under an infusion, rate in mg/L per day."""
    since = np.maximum(t - start, 0.0)
    on = np.minimum(since, length)
    return rate / column(K) * (1 - np.exp(-column(K) * on)) * np.exp(-column(K) * (since - on))


def swallowed(t, day, amount):
    since = np.maximum(t - day, 0.0)
    ka, k = column(KA), column(K)
    return np.where(t >= day, amount * ka / (ka - k) * (np.exp(-k * since) - np.exp(-ka * since)), 0.0)


def blood(model, doses, backend="batch", method="tsit5", days=DAYS, rtol=1e-9, levels=None):
    found = solve.solve(model, P, None, days, doses, levels, rtol=rtol, backend=backend, method=method)
    assert not found.status.any()
    return found.values[:, :, 1]


@pytest.mark.parametrize("backend", solve.BACKENDS)
def test_a_rate_of_0_is_a_dose_given_at_once(drug, backend):
    once, run = Dose("iv", 6.0, 1.0, bioavailability="F"), Dose("iv", 6.0, 1.0, rate=4.0, bioavailability="F")
    single = [blood(drug, [d], backend) for d in (once, run)]
    assert np.array_equal(blood(drug, [Dose("iv", 6.0, 1.0, rate=0.0, bioavailability="F")], backend), single[0])
    assert np.array_equal(blood(drug, [Dose("iv", 6.0, 1.0, rate=np.zeros(3), bioavailability="F")], backend)[0],
                          single[0][0])  # fmt: skip
    mixed = blood(drug, [Dose("iv", 6.0, 1.0, rate=[0.0, 4.0, 0.0], bioavailability="F")], backend)
    expected = np.array([single[0][0], single[1][1], single[0][2]])
    assert mixed == pytest.approx(expected, rel=1e-7)
    steady = [Dose("iv", 6.0, 1.0, rate=r, steady_state=1, interval=2.0) for r in (None, 4.0, [0.0, 4.0, 4.0])]
    bolus, infusion, both = (blood(drug, [d], backend) for d in steady)
    assert both == pytest.approx(np.array([bolus[0], infusion[1], infusion[2]]), rel=1e-7)


@pytest.mark.parametrize("backend", solve.BACKENDS)
def test_a_dose_brings_a_state_to_its_bound_and_no_further(make_model, backend):
    model = make_model(
        "bounded", [State("A", "", "1", low=0.0, high=5.0)], ["k"], lambda t, x, p, u: {"A": -p.k * x.A},
        lambda p: {"A": 1.0}, [Input("add", "", "1")], lambda n, a, x, p: {"A": x.A + a},
    )  # fmt: skip
    p, doses = [[0.5], [1.0]], [(1.0, "add", [-2.0, -0.1]), (2.0, "add", 9.0)]
    event = Event("down", lambda t, x, p, u: t - 3.0, "add", -50.0)
    for method in ("tsit5", "rodas5p"):
        found = solve.solve(model, p, None, [0.0, 1.0, 2.0, 2.5, 3.5], doses, backend=backend, method=method,
                            events=[event], rtol=1e-9)  # fmt: skip
        a = found.values[:, :, 0]
        assert a[0, 1] == 0.0
        assert a[1, 1] == pytest.approx(np.exp(-1.0) - 0.1, rel=1e-7)
        assert np.array_equal(a[:, 2], [5.0, 5.0])
        assert a[:, 3] == pytest.approx(5 * np.exp([-0.25, -0.5]), rel=1e-7)
        assert np.array_equal(a[:, 4], [0.0, 0.0])
    for day, slope in ((1.5, [0.0, -1.5 * np.exp(-1.5) + 0.05 * np.exp(-0.5)]), (2.5, -2.5 * np.exp([-0.25, -0.5]))):
        by_k = sensitivities(model, p, None, [0.0, day], doses, ["k"], backend=backend, rtol=1e-9).gradients[:, 1, 0, 0]
        assert by_k == pytest.approx(slope, rel=1e-6, abs=1e-9)


def test_an_amount_without_a_day_is_not_given(drug):
    days, amounts = [1.0, np.nan, 2.0], [3.0, np.nan, 4.0]
    expected = blood(drug, [(days, "iv", [3.0, 5.0, 4.0])])
    assert np.array_equal(blood(drug, [(days, "iv", amounts)]), expected)
    assert np.array_equal(blood(drug, [Dose("iv", amounts, days)]), expected)
    with pytest.raises(InputError, match="the amount of 'iv' on day 1 is nan for patient 1"):
        blood(drug, [([1.0, 1.0, np.nan], "iv", amounts)])


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("backend", solve.BACKENDS)
def test_infusions_add_up_as_in_closed_form(drug, backend, method):
    given = [
        Dose("iv", 10.0, 1.0, duration=2.0, bioavailability="F"),
        Dose("iv", [4.0, 0.0, 2.0], 2.0, rate=2.0),
        Dose("iv", 3.0, [0.5, 0.25, np.nan], duration="long", additional=[2, 0, 1], interval=1.0),
        Dose("iv", 1.5, 3.0, rate=1.5, bioavailability=0.5, lag="lag"),
    ]
    truth = infused(DAYS, 1.0, 2.0, 10 * column(F) / 2 / column(V))
    truth += infused(DAYS, 2.0, np.array([[2.0], [0.0], [1.0]]), 2 / column(V))
    for k in range(3):
        whom = np.array([[True], [k == 0], [False]])
        truth += whom * infused(DAYS, np.array([[0.5], [0.25], [0.0]]) + k, column(LONG), 3 / column(LONG) / column(V))
    truth += infused(DAYS, 3.0 + column(LAG), 0.5, 1.5 / column(V))
    assert blood(drug, given, backend, method) == pytest.approx(truth, rel=2e-7, abs=1e-9)


@pytest.mark.parametrize("backend", solve.BACKENDS)
def test_repeats_lags_and_shares_are_sums_of_single_doses(drug, backend):
    given = [Dose("oral", 8.0, 0.5, lag="lag", bioavailability="F", additional=5, interval=1.25), (2.0, "oral", 1.0)]
    truth = swallowed(DAYS, 2.0, 1.0)
    for k in range(6):
        truth = truth + swallowed(DAYS, 0.5 + column(LAG) + 1.25 * k, 8 * column(F))
    assert blood(drug, given, backend) == pytest.approx(truth, rel=1e-7, abs=1e-9)


@pytest.mark.parametrize("backend", solve.BACKENDS)
def test_steady_states_are_those_of_the_closed_form(drug, backend):
    every = np.array([[1.0], [0.5], [2.0]])
    k, ka = column(K), column(KA)
    day = DAYS[DAYS >= 3.0]

    def periodic(rate, t):
        return np.exp(-rate * t) / (1 - np.exp(-rate * every))

    steady = Dose("oral", 8.0, 3.0, lag="lag", steady_state=1, interval=every[:, 0], additional=20)
    given = [Dose("oral", 5.0, 1.0), steady]
    since = (day - 3.0 - column(LAG)) % every
    truth = 8 * ka / (ka - k) * (periodic(k, since) - periodic(ka, since))
    found = blood(drug, given, backend)[:, DAYS >= 3.0]
    near = np.minimum(since, every - since) < 1e-9  # on the day of a dose: before or after it are both right
    assert np.where(near, truth, found) == pytest.approx(truth, rel=1e-6)


@pytest.mark.parametrize("backend", solve.BACKENDS)
def test_steady_infusions_outlast_their_interval_or_ran_for_ever(drug, backend):
    given = [Dose("iv", 3.0, 2.0, steady_state=1, interval=0.5, duration=1.2)]
    truth = sum(infused(DAYS, 2.0 - 0.5 * k, 1.2, 3 / 1.2 / column(V)) for k in range(400))
    late = DAYS >= 2.0
    assert blood(drug, given, backend)[:, late] == pytest.approx(truth[:, late], rel=1e-6)
    given = [Dose("iv", 0.0, 2.0, steady_state=1, rate=2.0)]
    truth = 2 / column(V) / column(K) * np.exp(-column(K) * (DAYS[late] - 2.0))
    assert blood(drug, given, backend)[:, late] == pytest.approx(truth, rel=1e-6)


def test_a_second_steady_state_is_added_to_what_is_there(drug):
    given = [Dose("oral", 5.0, 1.0), Dose("iv", 4.0, 3.0, steady_state=2, interval=1.0)]
    late = DAYS >= 3.0
    truth = swallowed(DAYS, 1.0, 5.0) + 4 / column(V) / (1 - np.exp(-column(K))) * np.exp(-column(K) * (DAYS - 3.0))
    assert blood(drug, given)[:, late] == pytest.approx(truth[:, late], rel=1e-6)


def test_a_nonlinear_steady_state_is_what_many_doses_come_to(drug):
    levels = {"boost": [0.3, 0.05, 1.0]}
    once = Dose("iv", 4.0, 1.0, steady_state=1, interval=0.75, duration=0.25)
    short = solve.solve(drug, P, None, [0.0, 1.0], [once], levels)
    many = Dose("iv", 4.0, 0.0, interval=0.75, duration=0.25, additional=400)
    long = solve.solve(drug, P, None, [0.0, 300.0], [many], levels, rtol=1e-9)
    assert short.state == pytest.approx(long.state, rel=1e-5)


@pytest.mark.parametrize("backend", solve.BACKENDS)
def test_a_reset_is_the_models_own_start_and_ends_what_was_to_come(drug, backend):
    given = [
        Dose("iv", 10.0, 1.0, duration=4.0),
        Dose("oral", 3.0, 0.0, additional=10, interval=1.0, lag=0.5),
        Reset([2.25, np.nan, 2.25]),
        Dose("iv", 6.0, 2.25),
    ]
    reset = np.array([[2.25], [np.inf], [2.25]])
    before = infused(DAYS, 1.0, 4.0, 2.5 / column(V)) + sum(swallowed(DAYS, 0.5 + k, 3.0) for k in range(11))
    after = 6 / column(V) * np.exp(-column(K) * (DAYS - 2.25)) * (DAYS >= 2.25)
    truth = np.where(reset <= DAYS, after, before + np.where(np.isinf(reset), after, 0.0))
    assert blood(drug, given, backend) == pytest.approx(truth, rel=2e-7, abs=1e-9)
    found = solve.solve(drug, P, None, [0.0, 2.25], [Reset(2.25)], {"boost": 1.0}, backend=backend)
    assert found.state[:, 2] == pytest.approx(0.5)


def test_infusions_agree_with_an_independent_solver(drug):
    swallow = Dose("oral", 2.0, 1.0, additional=3, interval=0.6)
    given = [Dose("iv", 6.0, 0.4, duration=0.7), swallow, (3.0, "boost", 0.4)]
    found = solve.solve(drug, P, None, DAYS, given, {"boost": 0.9}, rtol=1e-9)
    for i, p in enumerate(P):

        def rates(t, x, p=p):
            ka, k, v = p[:3]
            speed = 6 / 0.7 / v if 0.4 <= t < 1.1 else 0.0
            boost = 0.4 if t >= 3.0 else 0.9
            return [-ka * x[0], ka * x[0] - k * x[1] + speed, boost * (1 - x[2]) - 0.1 * x[1] * x[2]]

        x, at = np.array([0.0, 0.0, 0.5]), 0.0
        for end in (0.4, 1.0, 1.1, 1.6, 2.2, 2.8, 3.0, 8.0):
            last = end - 1e-12
            part = solve_ivp(rates, (at, last), x, method="LSODA", rtol=1e-11, atol=1e-12)
            x, at = part.y[:, -1] + np.array([2.0 if end in (1.0, 1.6, 2.2, 2.8) else 0.0, 0, 0]), end
        assert found.values[i, -1] == pytest.approx(x, rel=1e-6)


def test_a_patient_does_not_depend_on_the_others(drug):
    given = [
        Dose("iv", [4.0, 3.0, 2.0], [1.0, 2.0, np.nan], duration="long", steady_state=1, interval=[1.0, 2.0, 1.0]),
        Dose("oral", 1.0, 0.5, additional=[0, 4, 2], interval=0.7),
    ]
    together = solve.solve(drug, P, None, DAYS, given)
    for i in range(len(P)):
        alone = [
            Dose(d.input, np.atleast_1d(np.broadcast_to(d.amount, 3)[i]), np.atleast_1d(np.broadcast_to(d.day, 3)[i]),
                 duration=d.duration, steady_state=d.steady_state,
                 interval=np.broadcast_to(d.interval, 3)[i], additional=np.broadcast_to(d.additional, 3)[i])
            for d in given
        ]  # fmt: skip
        found = solve.solve(drug, P[i : i + 1], None, DAYS, alone)
        assert np.array_equal(found.values[0], together.values[i])


def test_the_same_model_in_content_is_wrapped_once(drug, make_model):
    whole = wrapped(drug, [doses_of.Scaled("iv")], [])
    assert whole is wrapped(drug, [doses_of.Scaled("iv")], [])
    assert whole.level_names == ("boost", "rate_of_iv")


@pytest.mark.parametrize(("given", "told"), [
    (Dose("ivv", 1.0), "unknown input 'ivv'; did you mean iv"),
    (Dose("iv", 1.0, rate=1.0, duration=1.0), "it has a rate and a duration"),
    (Dose("iv", -1.0, rate=1.0), "an amount of -1 cannot be infused"),
    (Dose("iv", 1.0, rate=-1.0), "its rate is -1; give a number of at least 0"),
    (Dose("iv", 1.0, rate="lag"), "its rate is 0 for patient 2"),
    (Dose("iv", 0.0, 3.0, rate=0.0, steady_state=1), "its interval is 0"),
    (Dose("iv", [1.0, np.nan, 1.0], [0.0, 1.0, 2.0]), "its amount is nan for patient 1"),
    (Dose("iv", 1.0, duration=[1.0, -2.0, 1.0]), "its duration is -2 for patient 1"),
    (Dose("iv", 1.0, duration="lang"), "unknown parameter 'lang'; did you mean"),
    (Dose("iv", [1.0, 2.0]), r"its amount is of shape \(2,\)"),
    (Dose("iv", np.nan), "its amount is nan"),
    (Dose("iv", 1.0, "x"), "its day is 'x'"),
    (Dose("iv", 1.0, -1.0), "lies before the first day asked for, 0; give begin=-1, or let"),
    (Dose("iv", 1.0, additional=2), "its interval is 0"),
    (Dose("iv", 1.0, additional=2.5, interval=1.0), "its additional is 2.5"),
    (Dose("iv", 1.0, steady_state=1), "its interval is 0"),
    (Dose("iv", 1.0, steady_state=3, interval=1.0), "its steady_state is 3"),
    (Dose("iv", 1.0, steady_state=1, interval=1.0, lag=1.5), "its lag must be shorter"),
    (Dose("boost", 1.0, duration=1.0), "that is a level"),
    (Dose("burst", 1.0, duration=1.0), "the dose of 'burst' is not proportional to its amount"),
    (Reset("x"), "reset number 0"),
    (Reset(-1.0), "lies before the first day"),
])  # fmt: skip
def test_what_does_not_fit_is_refused(drug, given, told):
    with pytest.raises(InputError, match=told):
        solve.solve(drug, P, None, DAYS, [given])


def test_what_is_never_cleared_has_no_steady_state(make_model):
    model = make_model(
        "kept", ["A"], ["k"], lambda t, x, p, u: {"A": -p.k * x.A}, lambda p: {}, (Input("in", "", "1"),),
        lambda name, amount, x, p: {"A": x.A + amount},
    )  # fmt: skip
    for k in (0.0, -0.1):
        with pytest.raises(InputError, match=r"patient 1 \(row, from 0\) comes to no steady state"):
            solve.solve(model, [[0.1], [k]], None, [0.0, 1.0], [Dose("in", 1.0, steady_state=1, interval=1.0)])
    slow = solve.solve(model, [[1e-3]], None, [0.0, 0.0], [Dose("in", 1.0, steady_state=1, interval=1.0)])
    assert slow.state[0, 0] == pytest.approx(1 / (1 - np.exp(-1e-3)), rel=1e-5)


def test_derivatives_go_through_infusions_repeats_and_shares(drug):
    given = [
        Dose("iv", 10.0, 1.0, duration=2.0, bioavailability="F"),
        (0.5, "iv", 2.0),
        Dose("iv", 3.0, [0.5, 0.25, np.nan], duration=1.5, additional=[2, 0, 1], interval=1.0),
        Dose("oral", 8.0, 0.5, bioavailability="F", additional=3, interval=1.25),
    ]
    wrt = ["F", "dose:0", "k", "dose:2", "dose:3", "dose:1"]
    found = sensitivities(drug, P, None, DAYS, given, wrt, rtol=1e-8)
    one = infused(DAYS, 1.0, 2.0, 1 / 2 / column(V))
    series = sum(swallowed(DAYS, 0.5 + 1.25 * k, 1.0) for k in range(4))
    short = [infused(DAYS, np.array([[0.5], [0.25], [0.0]]) + k, 1.5, 1 / 1.5 / column(V)) for k in range(3)]
    three = sum(s * np.array([[1], [k == 0], [0]]) for k, s in enumerate(short))
    bolus = np.exp(-column(K) * np.maximum(DAYS - 0.5, 0)) / column(V) * (DAYS >= 0.5)
    truth = [10 * one + 8 * series, column(F) * one, None, three, column(F) * series, bolus]
    for q, expected in enumerate(truth):
        if expected is not None:
            assert found.gradients[:, :, 1, q] == pytest.approx(expected, rel=1e-5, abs=1e-7)
    step = 1e-5
    near = []
    for sign in (1, -1):
        p = P.copy()
        p[:, K] += sign * step
        near.append(solve.solve(drug, p, None, DAYS, given, rtol=1e-11).values[:, :, 1])
    assert found.gradients[:, :, 1, 2] == pytest.approx((near[0] - near[1]) / (2 * step), rel=1e-4, abs=1e-5)
    assert found.wrt == tuple(wrt)


@pytest.mark.parametrize("backend", solve.BACKENDS)
def test_derivatives_under_doses_are_prepared_once(drug, backend):
    given = [
        Dose("iv", 10.0, 1.0, duration=2.0, bioavailability="F"),
        Dose("oral", 8.0, 0.5, lag="lag", additional=2, interval=2.0),
        (1.5, "boost", 0.3),
    ]
    wrt, asked = ["F", "dose:1", "k", "dose:0", "dose:2"], {"outputs": ["C", "N"], "backend": backend}
    prepared = sensitivity.prepare(drug, DAYS, given, wrt, **asked)
    later = P.copy()
    later[:, LAG] += [0.2, 0.0, 0.4]
    for p in (P, 1.2 * P, later, P[:2], P):
        found = prepared(p, levels={"boost": 0.1})
        expected = sensitivities(drug, p, None, DAYS, given, wrt, levels={"boost": 0.1}, **asked)
        assert found.gradients.tobytes() == expected.gradients.tobytes() and found.wrt == tuple(wrt)
        assert found.values.tobytes() == expected.values.tobytes()
    begun = prepared(P, np.ones((3, 3)))
    assert begun.values[:, 0].tolist() == [[1.0, 1.0]] * 3 and not begun.gradients[:, 0].any()


def test_doses_that_stay_are_laid_out_once(drug, monkeypatch):
    """A lag or a share that is a parameter is read at each call, and laid out anew only where a day has moved."""
    made, plan_of = [], sensitivity.plans.plan_of
    monkeypatch.setattr(sensitivity.plans, "plan_of", lambda *a: made.append(1) or plan_of(*a))
    for given, other in (
        (Dose("oral", 8.0, 0.5, additional=2, interval=1.0), 0),
        (Dose("oral", 8.0, 0.5, bioavailability="F"), 0),
        (Dose("oral", 8.0, 0.5, lag="lag"), 1),
    ):
        prepared = sensitivity.prepare(drug, DAYS, [given], ["ka", "dose:0"])
        prepared(P)
        made.clear()
        prepared(P)
        prepared(P * [2.0, 1.1, 1.0, 0.5, 1.0, 1.0])
        assert not made
        prepared(P * [1.0, 1.0, 1.0, 0.5, 2.0, 1.0])
        assert len(made) == other


@pytest.mark.parametrize(("given", "wrt", "told"), [
    (Dose("iv", 1.0, lag="lag"), "lag", "with respect to 'lag': the days of dose number 0 .from 0. move with its lag"),
    (Dose("iv", 1.0, duration="long"), "long", "with respect to 'long': the days of dose number 0"),
    (Dose("iv", 1.0, rate=2.0), "dose:0", "the end of dose number 0 .from 0. moves with its amount"),
    (Dose("iv", 1.0, rate=2.0, bioavailability="F"), "F", "with respect to 'F': the days of dose number 0"),
    (Dose("iv", 1.0, steady_state=1, interval=1.0), "k", "a steady state or a reset sets the state"),
    (Reset(1.0), "k", "a steady state or a reset sets the state"),
    (Dose("iv", 1.0, duration=1.0), "dose:1", "'dose:1' names no dose; there are 1"),
    (Dose("iv", 1.0, duration=1.0), "state:x", "unknown state 'x'"),
    (Dose("iv", 1.0, duration=1.0), "speed", "unknown parameter 'speed'"),
])  # fmt: skip
def test_derivatives_that_would_move_a_day_are_refused(drug, given, wrt, told):
    with pytest.raises(InputError, match=told):
        sensitivities(drug, P, None, DAYS, [given], [wrt])
    with pytest.raises(InputError, match=told):
        sensitivity.prepare(drug, DAYS, [given], [wrt])
    if isinstance(given, Dose) and not given.steady_state:
        assert np.isfinite(sensitivities(drug, P, None, DAYS, [given], ["ka"]).gradients).all()


ODD = (
    None,
    "x",
    [],
    {},
    (),
    np.inf,
    -1,
    True,
    b"x",
    [[1.0, 2.0]],
    ["a"],
    1j,
    10**400,
    np.ma.masked_array([1.0] * 3, [1, 0, 0]),
)


@pytest.mark.parametrize("field", [f.name for f in fields(Dose)])
def test_a_wrong_value_of_a_dose_is_refused_in_one_sentence(drug, field):
    refused = 0
    for value in (*ODD, lambda *a: 1.0):
        for more in ({}, {"duration": 1.0}, {"steady_state": 1, "interval": 1.0}):
            given = Dose(**{"input": "iv", "amount": 1.0, **more, field: value})
            try:
                solve.solve(drug, P, None, [0.0, 0.01], [given], backend="plain")
            except InputError as error:
                refused += 1
                assert "\n" not in str(error)
    assert refused > len(ODD)
