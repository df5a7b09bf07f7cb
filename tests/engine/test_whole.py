"""Courses with tangents in one call: against those followed from day to day, differences and closed forms."""

import importlib.util
import re
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import given as drawn
from hypothesis import strategies as st
from scipy.linalg import expm

from vein2vein.engine import solve
from vein2vein.engine.method.events import Event
from vein2vein.engine.tangents import given, plans, whole
from vein2vein.engine.tangents.jax_bridge import differentiable
from vein2vein.engine.tangents.sensitivity import prepare, sensitivities
from vein2vein.engine.trace.derivative import partials
from vein2vein.engine.trace.graph import Graph, evaluate
from vein2vein.engine.trace.recording import record
from vein2vein.errors import InputError
from vein2vein.models.mathematics import hill, power, sqrt, where
from vein2vein.models.model import Input, State
from vein2vein.models.reference.model import MODEL as REFERENCE

IMPLICIT = ("rodas4", "rodas5p")


def switching(make):
    """A dose that depends on state and parameters, corners of state and of time, rates that read time and a level."""

    def equations(t, x, p, u):
        high = where(p.limit > x.A, 1.0, 0.3 + 0.01 * t + 0.2 * u.held)
        return {"A": p.g * high - p.k * x.D * x.A, "D": -p.e * x.D + where(t < p.late, 0.0, 0.2 * (1 + t / 10))}

    inputs = (Input("drug", "", "mg"), Input("held", "", "1", "level"))
    return make(
        "switching", ["A", "D"], ["g", "k", "e", "limit", "late"], equations, lambda p: {"A": p.g, "D": 0.1}, inputs,
        lambda name, amount, x, p: {"D": x.D + amount * p.k * x.A, "A": x.A / (1 + amount * p.e)},
    )  # fmt: skip


P = np.array([[0.5, 0.4, 0.3, 2.0, 3.3], [0.6, 0.3, 0.2, 2.5, 5.1], [0.7, 0.2, 0.3, 1.5, 20.0]])
DAYS = np.linspace(0.0, 9.0, 10)
DOSES = [
    (np.array([2.0, np.nan, 0.0]), "drug", np.array([1.0, 2.0, 0.0])),
    (1.5, "held", np.array([1.0, 0.0, 2.0])),
    (6.0, "drug", 1.0),
    (7.0, "held", 0.0),
]
WRT = ["g", "k", "e", "limit", "late", "dose:0", "dose:1", "dose:2", "dose:3"]


def differences(model, p, days, doses, wrt, h=1e-4):
    found = []
    for name in wrt:
        sides = []
        for turn in (2, 1, -1, -2):
            q, given = p.copy(), [list(d) for d in doses]
            if name.startswith("dose:"):
                given[int(name[5:])][2] = given[int(name[5:])][2] + turn * h
            else:
                q[:, model.parameters.index(name)] += turn * h
            sides.append(solve.solve(model, q, None, days, given, rtol=1e-12, max_step=0.25).values)
        found.append((8 * (sides[1] - sides[2]) - sides[0] + sides[3]) / (12 * h))
    return np.stack(found, axis=-1)


@pytest.mark.parametrize("backend", solve.BACKENDS)
def test_everything_that_moves_tangents_at_once(make_model, backend):
    model = switching(make_model)
    found = sensitivities(model, P, None, DAYS, DOSES, WRT, rtol=1e-10, backend=backend)
    expected = differences(model, P, DAYS, DOSES, WRT)
    assert np.all(found.status == 0)
    given = np.ones(len(WRT), dtype=bool)
    given[WRT.index("dose:0")] = False  # an amount of 0 that is given has a derivative; no amount near it was solved
    assert found.gradients[..., given] == pytest.approx(expected[..., given], rel=2e-5, abs=2e-6)
    assert found.gradients[:2, ..., 5] == pytest.approx(expected[:2, ..., 5], rel=2e-5, abs=2e-6)
    assert np.all(found.gradients[1, ..., 5] == 0), "not given"
    assert found.crossings[0][0].surface in (0, 1) and len(found.crossings) == 3
    late = [c.day for c in found.crossings[1] if c.surface == 1]
    assert late == pytest.approx([5.1], abs=1e-12), "a corner that the time alone decides is known beforehand"


def stepwise(monkeypatch):
    monkeypatch.setattr(whole, "possible", lambda surfaces: False)
    monkeypatch.setattr(plans, "_plans", type(plans._plans)(4))


def test_the_same_as_from_day_to_day(make_model, monkeypatch):
    model = switching(make_model)
    options = {"rtol": 1e-10, "max_step": 0.25}
    at_once = sensitivities(model, P, None, DAYS, DOSES, WRT, **options)
    stepwise(monkeypatch)
    followed = sensitivities(model, P, None, DAYS, DOSES, WRT, **options)
    assert at_once.gradients == pytest.approx(followed.gradients, rel=1e-6, abs=1e-7)
    for row, met in followed.crossings.items():
        assert [c.day for c in at_once.crossings[row]] == pytest.approx([c.day for c in met], abs=1e-6)
        assert [c.rising for c in at_once.crossings[row]] == [c.rising for c in met]


def test_a_dose_across_a_corner_lets_no_tangent_jump(make_model):
    """A crossing on a known day does not move with the parameters; the corner is met on the way back only."""

    def equations(t, x, p, u):
        return {"A": where(x.A < 5.0, -p.slow, -2 * p.slow)}

    model = make_model(
        "leap", ["A"], ["slow"], equations, lambda p: {"A": 1.0}, (Input("more", "", "1"),),
        lambda name, amount, x, p: {"A": x.A + amount},
    )  # fmt: skip
    found = sensitivities(model, [[0.5]], None, [0.0, 1.0, 3.0], [(1.0, "more", 5.0)], ["slow", "dose:0"], rtol=1e-9)
    assert [round(c.day, 6) for c in found.crossings[0]] == [1.5]
    # A = 5 - slow (t - t*), with t* = 1 + (1 - slow + d - 5) / (2 slow)
    assert found.values[0, 2, 0] == pytest.approx(5 - 0.5 * 1.5, rel=1e-6)
    by_slow = -(3.0 - 1.5) + 0.5 * (-(1.0 + 5.0 - 5.0) / (2 * 0.25))
    assert found.gradients[0, 2, 0] == pytest.approx([by_slow, 0.5], rel=1e-6)


def test_who_crosses_more_often_than_there_is_room_for_is_followed(make_model, monkeypatch):
    def equations(t, x, p, u):
        return {"A": p.w * x.B, "B": -p.w * x.A, "C": where(x.A > 0.3, 1.0, 0.0)}

    model = make_model("often", ["A", "B", "C"], ["w"], equations, lambda p: {"B": 1.0})
    p = np.array([[0.5], [2.0]])
    monkeypatch.setattr(whole, "MOST", 4)
    monkeypatch.setattr(given, "MOST", 4)
    days, inside = [0.0, 20.0], np.arcsin(0.3)
    found = sensitivities(model, p, None, days, [], ["w"], rtol=1e-9, max_step=0.1)
    assert len(found.crossings[0]) == 4 and len(found.crossings[1]) > 8
    for row, w in enumerate((0.5, 2.0)):  # time above the limit, half cycle by half cycle; its ends lie at phase / w
        turns = np.arange(20)
        begins, ends = (2 * np.pi * turns + inside) / w, (2 * np.pi * turns + np.pi - inside) / w
        expected = -np.sum(ends[ends < 20]) / w + np.sum(begins[begins < 20]) / w
        assert found.gradients[row, 1, 2, 0] == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("backend", solve.BACKENDS)
@pytest.mark.parametrize("method", IMPLICIT)
def test_implicit_methods_have_the_derivatives_of_a_closed_form(models, method, backend):
    p = np.array([[1.0, 3.0, 0.5, 6.0], [2.0, 4.0, 0.7, 5.0]])
    days = np.linspace(0.0, 12.0, 7)
    found = sensitivities(
        models["two_compartment"], p, None, days, [(0.0, "bolus", 100.0)], ["CL", "V", "Q", "W", "dose:0"], rtol=1e-9,
        backend=backend, method=method,
    )  # fmt: skip
    tiny = 1e-30
    for i in range(2):
        for q in range(5):
            cl, v, between, w, dose = np.array([*p[i], 100.0]) + np.eye(5)[q] * tiny * 1j
            a = np.array([[-(cl + between) / v, between / w], [between / v, -between / w]])
            expected = np.array([(expm(a * day) @ [dose, 0.0]).imag / tiny for day in days])
            assert found.gradients[i, :, :, q] == pytest.approx(expected, rel=1e-6, abs=1e-6)


@pytest.mark.parametrize("method", IMPLICIT)
def test_implicit_methods_agree_with_the_explicit_one(models, patients, method):
    """Powers of numbers next to 0, whose second derivatives overflow when they are written out, are no obstacle."""
    p, wrt, days = patients(3), ["growth", "half", "steep", "fast", "state:cells"], [0.0, 2.0, 6.0, 12.0]
    explicit, implicit = (
        sensitivities(models["cytokine"], p, None, days, [], wrt, rtol=1e-11, method=m) for m in ("tsit5", method)
    )
    assert np.all(implicit.status == 0) and len(implicit.crossings) == 3
    size = np.maximum(np.abs(explicit.gradients).max(axis=(0, 1)), 1e-3)
    assert np.all(np.abs(implicit.gradients - explicit.gradients) <= 1e-5 * size)


def test_stiff_equations_take_few_steps_with_their_tangents(make_model):
    def equations(t, x, p, u):
        return {"A": -p.fast * (x.A - x.B), "B": -p.slow * x.B}

    model = make_model("stiff", ["A", "B"], ["fast", "slow"], equations, lambda p: {"A": 0.0, "B": 1.0})
    fast, slow = 1e5, 0.1
    found = sensitivities(
        model, [[fast, slow]], None, [0.0, 10.0], [], ["fast", "slow"], rtol=1e-8, method="rodas5p", max_step=100.0
    )
    decay = np.exp(-slow * 10)  # A = fast / (fast - slow) exp(-slow t) once the fast part is over
    by_slow = fast / (fast - slow) ** 2 * decay - 10 * fast / (fast - slow) * decay
    assert found.steps[0] < 300
    assert found.gradients[0, 1, 0] == pytest.approx([-slow / (fast - slow) ** 2 * decay, by_slow], rel=1e-5, abs=1e-14)


def test_a_patient_is_the_same_to_the_last_bit_whoever_is_beside(models, patients):
    """Without an example of the model's own, too: what is varied has each patient's own size."""
    p, model, wrt = patients(13), models["cytokine"], ["kill", "fast", "state:cells"]
    order = np.random.default_rng(3).permutation(13)
    whole_ = sensitivities(model, p, None, [0.0, 3.0, 9.0], [], wrt)
    mixed = sensitivities(model, p[order], None, [0.0, 3.0, 9.0], [], wrt, threads=1)
    alone = sensitivities(model, p[4:5], None, [0.0, 3.0, 9.0], [], wrt)
    narrow = sensitivities(model, p, None, [0.0, 3.0, 9.0], [], wrt, width=1)
    assert np.array_equal(mixed.gradients, whole_.gradients[order])
    assert np.array_equal(alone.gradients[0], whole_.gradients[4])
    assert np.array_equal(narrow.gradients, whole_.gradients)


def test_observables_of_levels_that_are_varied(make_model):
    model = switching(make_model)
    model = replace(model, observables=lambda t, x, p, u: {"seen": p.k * u.held * x.A + t})
    states = sensitivities(model, P, None, DAYS, DOSES, WRT, rtol=1e-10)
    found = sensitivities(model, P, None, DAYS, DOSES, WRT, rtol=1e-10, outputs=["seen"])
    held = np.zeros((3, 10))
    held[:, 2:7] = np.array([1.0, 0.0, 2.0])[:, None]
    k, a = P[:, 1:2], states.values[:, :, 0]
    assert found.values[..., 0] == pytest.approx(k * held * a + DAYS, rel=1e-12)
    expected = (k * held)[..., None] * states.gradients[:, :, 0]
    expected[..., WRT.index("k")] += held * a
    expected[:, 2:7, WRT.index("dose:1")] += (k * a)[:, 2:7]
    expected[:, 7:, WRT.index("dose:3")] += (k * a)[:, 7:]
    assert found.gradients[:, :, 0] == pytest.approx(expected, rel=1e-10, abs=1e-12)


def test_slopes_of_powers_are_finite_next_to_nothing():
    def function(t, x, p, u):
        return {"a": power(x.A, p.n), "b": hill(x.A, p.half, 2.0), "c": sqrt(where(x.A > 0.0, x.A, 0.0)) * x.B}

    g, outputs = record("powers", function, ["A", "B"], ["n", "half"])
    first = partials(g, list(outputs.values()), "state")
    nodes = [n for row in first for n in row.values()]
    second = [n for row in partials(g, nodes, "state") for n in row.values()]
    for a in (0.0, 1e-308, 1e-209, 1e-160, 1e-30):
        values = evaluate(g, [*nodes, *second], 0.0, [a, 1.0], [2.0, 0.7], [])
        assert np.all(np.isfinite(values[:2])), "a power and a Hill function"
        assert not np.any(np.isnan(values))
    assert isinstance(g, Graph)


def test_the_reference_model_at_once_as_from_day_to_day(monkeypatch):
    wrt = ["rho", "kEX", "dose:6"]
    p = np.array([[REFERENCE.example[k] for k in REFERENCE.parameters]])
    p[:, REFERENCE.parameters.index("ANC0")] *= 1.6
    days = [min(d[0] for d in REFERENCE.example_doses), 0.0, 14.0, 90.0]
    at_once = sensitivities(REFERENCE, p, None, days, REFERENCE.example_doses, wrt, rtol=1e-9)
    stepwise(monkeypatch)
    followed = sensitivities(REFERENCE, p, None, days, REFERENCE.example_doses, wrt, rtol=1e-9)
    size = np.array([p[0, REFERENCE.parameters.index("rho")], p[0, REFERENCE.parameters.index("kEX")], 1.0])
    size[2] = REFERENCE.example_doses[6][2]
    scale = np.maximum(np.abs(followed.values).max(axis=(0, 1)), 1e-6)[:, None]
    assert np.max(np.abs(at_once.gradients - followed.gradients) * size / scale) < 1e-4
    assert len(at_once.crossings[0]) == len(followed.crossings[0]) > 0


def test_events_of_the_callers_are_followed_from_day_to_day(make_model):
    model = switching(make_model)
    event = Event("high", lambda t, x, p, u: x.A - 1.2, "drug", 0.5)
    found = sensitivities(model, P[:1], None, DAYS, [], ["g"], events=[event], rtol=1e-9)
    assert any(c.surface == 0 for c in found.crossings[0])


def test_states_may_have_bounds_and_a_carried_number_never_steers(make_model):
    model = make_model(
        "floor", [State("A", "A", "1", 1e-6, low=0.0)], ["k"],
        lambda t, x, p, u: {"A": -p.k * where(t < 1.0, 1.0, 2.0)},
        lambda p: {"A": 2.0},
    )  # fmt: skip
    found = sensitivities(model, [[1.0]], None, [0.0, 0.5, 1.25, 3.0], [], ["k"], rtol=1e-9)
    assert found.gradients[0, :3, 0, 0] == pytest.approx([0.0, -0.5, -1.5], abs=1e-9)
    assert found.values[0, 3, 0] == 0.0


ODD = st.sampled_from(
    ["1e-6", "", b"x", float("nan"), float("inf"), -1, 1.5, [1.0], [[]], {"k": 1.0}, (0.0, "bolus"), object, 1j, 10**30,
     np.array(["a"]), np.array([[1.0, 2.0, 3.0]]), np.array([np.nan]), np.ones((2, 2, 2)), [None], [[0.0, 1.0], "x"]]
)  # fmt: skip
FITS = {
    "parameters": ("{'k': 1.0}",),
    "days": ("-1", "1.5", "[1.0]", "array([[1., 2., 3.]])"), "wrt": ("{'k': 1.0}",), "outputs": ("{'k': 1.0}",),
    "begin": ("-1",), "levels": ("[[]]",), "max_step": ("inf", "1.5", str(10**30)), "threads": (str(10**30),),
}  # fmt: skip
"""Odd values that do make sense there."""
NAMES = (
    "model", "parameters", "state", "days", "doses", "wrt", "outputs", "begin", "events", "levels", "rtol", "corners",
    "steer", "backend", "method", "max_step", "max_steps", "threads", "width",
)  # fmt: skip
DOORS = ["sensitivities", "prepare", *(["differentiable"] if importlib.util.find_spec("jax") else [])]
ARGUMENTS = [(d, a) for d in DOORS for a in NAMES if (d, a) != ("differentiable", "begin")]


@pytest.mark.parametrize("door,argument", ARGUMENTS)
@settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
@drawn(value=ODD)
def test_whatever_is_asked_wrongly_is_refused_in_one_sentence(models, door, argument, value):
    asked = {"model": models["decay"], "parameters": [[1.0]], "state": None, "days": [0.0, 1.0], "wrt": ["k"]}
    asked[argument] = value
    with_state = {"parameters": asked.pop("parameters"), "state": asked.pop("state")}
    try:
        if door == "prepare":
            prepare(**asked)(**with_state)
        else:
            {"sensitivities": sensitivities, "differentiable": differentiable}[door](**asked, **with_state)
    except InputError as error:
        assert "\n" not in str(error) and len(str(error)) < 400
        assert len(re.findall(r"[.!?] [A-Z]", str(error))) <= 1
    else:
        assert repr(value) in FITS.get(argument, ()), f"{argument} = {value!r} was taken"


def test_days_of_each_patient(make_model):
    model = switching(make_model)
    days = [[0.0, 2.0, 5.5], [1.0, 6.0], [0.5]]
    doses = [(np.array([2.0, 3.0, np.nan]), "drug", 1.0), (np.array([1.0, 4.0, 0.5]), "held", 0.5)]
    event = Event("high", lambda t, x, p, u: x.A - 1.2, "drug", 0.5)
    for events in ((), (event,)):
        found = sensitivities(model, P, None, days, doses, WRT[:7], events=events, rtol=1e-9)
        assert found.values.shape == (6, 2) and found.gradients.shape == (6, 2, 7)
        assert found.patient.tolist() == [0, 0, 0, 1, 1, 2] and found.days.tolist() == [0, 2, 5.5, 1, 6, 0.5]
        for i, own in enumerate(days):
            given_doses = [(d[i], name, a) for d, name, a in doses if not np.isnan(d[i])]
            wrt = WRT[:5] if len(given_doses) < 2 else WRT[:7]
            alone = sensitivities(model, P[i : i + 1], None, own, given_doses, wrt, events=events, rtol=1e-9)
            rows = found.patient == i
            assert found.values[rows] == pytest.approx(alone.values[0], rel=1e-7)
            assert found.gradients[rows][..., : len(wrt)] == pytest.approx(alone.gradients[0], rel=1e-5, abs=1e-6)


def test_prepared_once_and_called_again(models):
    model, p = models["two_compartment"], np.array([[1.0, 3.0, 0.5, 6.0], [2.0, 4.0, 0.7, 5.0]])
    doses = [(0.0, "bolus", 100.0), (4.0, "infusion", np.array([10.0, 0.0]))]
    prepared = prepare(model, [0.0, 3.0, 6.0], doses, ["CL", "dose:1"])
    for turn in (1.0, 1.3):
        for rows in (slice(0, 2), slice(1, 2)):
            if rows != slice(0, 2):
                doses_now = [(0.0, "bolus", 100.0), (4.0, "infusion", doses[1][2][rows])]
                expected = sensitivities(model, turn * p[rows], None, [0.0, 3.0, 6.0], doses_now, ["CL", "dose:1"])
                whole_ = prepared(turn * p)
                assert np.array_equal(whole_.gradients[rows], expected.gradients)
    begun = prepared(p, [[1.0, 2.0], [3.0, 4.0]], {"infusion": [0.5, 0.0]})
    expected = sensitivities(
        model, p, [[1.0, 2.0], [3.0, 4.0]], [0.0, 3.0, 6.0], doses, ["CL", "dose:1"], levels={"infusion": [0.5, 0.0]}
    )
    assert np.array_equal(begun.gradients, expected.gradients) and begun.values[1, 0].tolist() == [103.0, 4.0]


def test_nothing_varied_nothing_observed_and_a_state_as_output(models):
    model, p = models["two_compartment"], np.array([[1.0, 3.0, 0.5, 6.0]])
    doses = [(0.0, "bolus", 100.0)]
    nothing = sensitivities(model, p, None, [0.0, 3.0], doses, [], outputs=["outer"])
    assert nothing.gradients.shape == (1, 2, 1, 0) and nothing.values[0, 1, 0] > 0
    assert sensitivities(model, p, None, [0.0, 3.0], doses, ["CL"], outputs=[]).gradients.shape == (1, 2, 0, 1)
    every = sensitivities(model, p, None, [0.0, 3.0], doses, ["CL", "dose:0"])
    outer = sensitivities(model, p, None, [0.0, 3.0], doses, ["CL", "dose:0"], outputs=["outer"])
    assert np.array_equal(outer.gradients[:, :, 0], every.gradients[:, :, 1])
    prepared = prepare(model, [0.0, 3.0], (), ["CL", "state:central"])
    assert prepared(p, [[2.0, 0.0]]).gradients[0, 0].tolist() == [[0.0, 1.0], [0.0, 0.0]]
    assert np.array_equal(prepared(p, [[2.0, 0.0]]).gradients, prepared(p, [[2.0, 0.0]]).gradients)


def test_a_stiff_method_is_refused_where_its_code_would_be_too_large():
    p = [[REFERENCE.example[k] for k in REFERENCE.parameters]]
    with pytest.raises(InputError, match="states and tangents, and a stiff method takes up to 600; ask for fewer"):
        sensitivities(REFERENCE, p, None, [-6.0, 0.0], (), REFERENCE.parameters[:40], method="rodas5p")
