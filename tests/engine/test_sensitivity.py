"""Derivatives along the solution, held against closed forms, complex steps and differences of tight solutions."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.linalg import expm

from vein2vein.engine import solve
from vein2vein.engine.method.events import Event
from vein2vein.engine.tangents import plans, tangent
from vein2vein.engine.tangents.sensitivity import sensitivities
from vein2vein.engine.trace.derivative import partials
from vein2vein.engine.trace.differentiated import initial
from vein2vein.engine.trace.graph import Graph, evaluate
from vein2vein.engine.trace.recording import record
from vein2vein.errors import InputError
from vein2vein.models.mathematics import exp, hill, log, maximum, minimum, sqrt, where
from vein2vein.models.model import Input, start
from vein2vein.models.reference.model import MODEL as REFERENCE
from vein2vein.models.stein_2019 import MODEL as STEIN

TWO = np.array([[1.0, 3.0, 0.5, 6.0], [2.0, 4.0, 0.7, 5.0]])
DAYS = np.linspace(0, 12, 7)


def linear(p, y0, late, days):
    """States of the two-compartment model with a bolus ``y0`` at 0 and ``late`` at day 4, complex numbers allowed."""
    cl, v, q, w = p
    a = np.array([[-(cl + q) / v, q / w], [q / v, -q / w]])
    found = []
    for day in days:
        y = expm(a * day) @ np.array([y0, 0.0])
        found.append(y + expm(a * (day - 4)) @ np.array([late, 0.0]) if day >= 4 else y)
    return np.array(found)


def differences(model, p, state, days, doses, wrt, h=1e-4, **options):
    """Central differences of order 4 of a tight solution."""
    found = []
    for name in wrt:
        values = []
        for turn in (2, 1, -1, -2):
            q, begin, doses_now = p.copy(), state, [list(d) for d in doses]
            if name.startswith("dose:"):
                size = h * np.broadcast_to(np.max(np.abs(doses_now[int(name[5:])][2])), len(p))
                doses_now[int(name[5:])][2] = doses_now[int(name[5:])][2] + turn * size
            elif name.startswith("state:"):
                begin = (start(model, p) if state is None else state).copy()
                size = np.full(len(p), h)
                begin[:, model.state_names.index(name[6:])] += turn * size
            else:
                size = h * abs(p[:, model.parameters.index(name)])
                q[:, model.parameters.index(name)] += turn * size
            run = sensitivities(model, q, begin, days, [tuple(d) for d in doses_now], rtol=1e-12, **options)
            values.append(run.values)
        found.append((8 * (values[1] - values[2]) - values[0] + values[3]) / (12 * size[:, None, None]))
    return np.stack(found, axis=-1)


@pytest.mark.parametrize("backend", solve.BACKENDS)
def test_a_linear_model_has_the_derivatives_of_its_closed_form(models, backend):
    doses = [(0.0, "bolus", 100.0), (4.0, "bolus", np.array([10.0, 20.0]))]
    wrt = ["CL", "V", "Q", "W", "dose:0", "dose:1"]
    found = sensitivities(models["two_compartment"], TWO, None, DAYS, doses, wrt, rtol=1e-9, backend=backend)
    tiny = 1e-30
    for i, late in enumerate((10.0, 20.0)):
        for q in range(6):
            bump = np.eye(6)[q] * tiny * 1j
            expected = linear(TWO[i] + bump[:4], 100.0 + bump[4], late + bump[5], DAYS).imag / tiny
            assert found.gradients[i, :, :, q] == pytest.approx(expected, rel=1e-6, abs=1e-7)


def test_the_values_are_those_of_a_plain_run(models):
    model, p = models["lotka_volterra"], np.array([[1.1, 0.4, 0.1, 0.4], [1.0, 0.5, 0.2, 0.5]])
    days = [0.0, 1.0, 5.0, 10.0]
    found = sensitivities(model, p, None, days, [], model.parameters)
    plain = solve.solve(model, p, None, days)
    assert found.values == pytest.approx(plain.values, rel=1e-5)
    assert np.all(found.status == 0) and np.all(found.steps <= 2 * plain.steps)


def test_a_nonlinear_model_agrees_with_differences(models, patients):
    model, p = models["cytokine"], patients(3)
    wrt = ["growth", "half", "steep", "fast", "state:cells"]
    found = sensitivities(model, p, None, [0.0, 2.0, 6.0, 12.0], [], wrt, rtol=1e-10)
    # The crossings are located to 1e-8 of a step: a smaller h would show that in the differences.
    expected = differences(model, p, None, [0.0, 2.0, 6.0, 12.0], [], wrt, h=3e-4)
    size = np.abs(expected).max(axis=(0, 1), keepdims=True)
    assert np.all(np.abs(found.gradients - expected) <= 1e-4 * np.maximum(size, 1e-3))
    assert found.crossings, "the switch of this model is crossed"


def test_levels_start_and_initial_states(models):
    model = models["two_compartment"]
    doses = [(0.0, "infusion", 5.0), (3.0, "infusion", np.array([2.0, 0.0])), (8.0, "infusion", 0.0)]
    wrt = ["CL", "dose:0", "dose:1", "dose:2", "state:outer"]
    begin = np.array([[1.0, 2.0], [0.0, 4.0]])
    found = sensitivities(model, TWO, begin, DAYS, doses, wrt, rtol=1e-9)
    expected = differences(model, TWO, begin, DAYS, [(d, n, np.broadcast_to(a, 2)) for d, n, a in doses[:2]], wrt[:3])
    assert found.gradients[:, :4, :, :3] == pytest.approx(expected[:, :4], rel=1e-6, abs=1e-7)
    assert np.all(found.gradients[:, 0, 1, 4] == 1) and np.all(found.gradients[:, 0, 0] == 0)
    cl, v, q, w = TWO[0]  # a rate from day 8 to 12 adds A^-1 (e^(4A) - 1) per unit
    a = np.array([[-(cl + q) / v, q / w], [q / v, -q / w]])
    lasting = np.linalg.solve(a, expm(4 * a) - np.eye(2)) @ np.array([1.0, 0.0])
    assert found.gradients[0, -1, :, 3] == pytest.approx(lasting, rel=1e-6)


def test_the_derivative_with_respect_to_the_day_of_a_switch(models):
    p = np.array([[STEIN.example[k] for k in STEIN.parameters]])
    days, place = [0.0, 3.0, 8.0, 20.0, 40.0], STEIN.parameters.index("Tmax")
    doses = [(0.0, "car_t_infusion", 1.0)]
    found = sensitivities(STEIN, p, None, days, doses, ["Tmax", "foldx"], outputs=["transgene"], rtol=1e-9)
    fold, alpha, beta, share, top, tmax = (STEIN.example[k] for k in ("foldx", "alpha", "beta", "FB", "Cmax", "Tmax"))
    for j, day in enumerate(days):
        if day < tmax:  # C = Cmax / foldx * foldx^(t / Tmax)
            expected = -top / fold * fold ** (day / tmax) * np.log(fold) * day / tmax**2
        else:
            fast, slow = (np.exp(-rate * (day - tmax)) for rate in (alpha, beta))
            expected = top * ((1 - share) * alpha * fast + share * beta * slow)
        assert found.gradients[0, j, 0, 0] == pytest.approx(expected, rel=1e-6)
    assert [round(c.day, 6) for c in found.crossings[0]] == [round(float(p[0, place]), 6)]
    smooth = sensitivities(STEIN, p, None, days, doses, ["Tmax"], outputs=["transgene"], rtol=1e-9, corners=False)
    assert not np.allclose(smooth.gradients[0, -1], found.gradients[0, -1, :, :1], rtol=1e-2)


def answered(make):
    def equations(t, x, p, u):
        return {"A": (p.g - 0.1 * u.held) * x.A - p.k * x.D * x.A, "D": -p.e * x.D}

    inputs = (Input("drug", "", "mg"), Input("held", "", "1", "level"))
    return make(
        "answered", ["A", "D"], ["g", "k", "e", "limit"], equations, lambda p: {"A": 1.0}, inputs,
        lambda name, amount, x, p: {"D": x.D + amount * p.k},
    )  # fmt: skip


@pytest.mark.parametrize("how", ["dose", "level", "again"])
def test_events_move_with_the_parameters(make_model, how):
    model = answered(make_model)
    give, amount = ("held", 4.0) if how == "level" else ("drug", 2.0)
    most, interval = (3, 1.0) if how == "again" else (1, 0.0)
    events = [Event("high", lambda t, x, p, u: x.A - p.limit, give, amount, most, interval)]
    p = np.array([[0.5, 1.0, 0.3, 3.0], [0.6, 1.1, 0.3, 3.5], [0.5, 0.6, 1.5, 3.0]])
    wrt, days = [*model.parameters, "state:A"], np.linspace(0, 9, 10)
    found = sensitivities(model, p, None, days, [], wrt, events=events, rtol=1e-9)
    expected = differences(model, p, None, days, [], wrt, events=events)
    assert found.gradients == pytest.approx(expected, rel=1e-5, abs=1e-4 if how == "again" else 1e-5)
    for row in range(3):
        assert found.crossings[row][0].day == pytest.approx(np.log(p[row, 3]) / p[row, 0], abs=1e-7)
    if how == "again":
        assert [c.how for c in found.crossings[2]] == ["crossed", "rearmed", "rearmed"]


def by_threshold(p, fired, day, amount, interval):
    """A on a day and its derivative by the limit, in closed form, from the days on which doses were given."""
    g, k, e, limit = p
    c = k * k * amount
    slopes = []
    for i, when in enumerate(fired):
        pull = c * np.exp(-e * (when - fired[:i]))
        if i and abs(when - fired[i - 1] - interval) < 1e-6:
            slopes.append(slopes[-1])
        else:
            slopes.append((1 / limit - np.sum(pull * slopes)) / (g - np.sum(pull)))
    before = fired < day
    pull = c * np.exp(-e * (day - fired[before]))
    value = np.exp(g * day - np.sum((c - pull) / e))
    return value, value * np.sum(pull * np.array(slopes)[before])


@pytest.mark.parametrize("most,interval", [(3, 7.0), (40, 14.0)])
def test_a_threshold_that_is_met_again_and_again(make_model, most, interval):
    """Where the last dose has worn off the derivative is a remainder (1e-18 of A): right to a share of A per limit."""
    model = answered(make_model)
    events = [Event("high", lambda t, x, p, u: x.A - p.limit, "drug", 3.0, most, interval)]
    p = np.array([[0.1, 0.45, 0.3, 5.0], [0.11, 0.5, 0.3, 4.0], [0.3, 0.42, 0.5, 3.0], [0.08, 0.55, 0.2, 6.0]])
    days = np.array([0.0, 30.0, 60.0, 200.0])
    found = sensitivities(model, p, None, days, [], ["limit"], events=events, rtol=1e-9)
    fired = solve.solve(model, p, None, days, [], events=events, rtol=1e-11).fired["high"]
    assert np.isfinite(fired).sum(axis=1).min() >= 3
    for row, own in enumerate(fired):
        for j, day in enumerate(days):
            value, slope = by_threshold(p[row], own[np.isfinite(own)], day, 3.0, interval)
            assert found.values[row, j, 0] == pytest.approx(value, rel=1e-6)
            assert found.gradients[row, j, 0, 0] == pytest.approx(slope, abs=1e-6 * value / p[row, 3])


@pytest.mark.parametrize("give", ["drug", "held"])
def test_events_fire_as_in_the_other_solver(make_model, give):
    model = answered(make_model)
    events = [Event("high", lambda t, x, p, u: x.A - p.limit, give, 0.7, 4, 0.8)]
    p = np.array([[0.5, 1.0, 0.3, 3.0], [0.6, 1.1, 0.3, 3.5], [0.5, 0.6, 1.5, 3.0], [0.2, 1.0, 1.0, 9.0]])
    days, doses = np.linspace(0, 9, 10), [(2.5, "drug", [0.0, 0.5, 0.0, 0.1])]
    found = sensitivities(model, p, None, days, doses, ["g"], events=events, rtol=1e-9)
    other = solve.solve(model, p, None, days, doses, events=events, rtol=1e-9)
    assert found.values == pytest.approx(other.values, rel=1e-6, abs=1e-8)
    for row in range(4):
        mine = [c.day for c in found.crossings.get(row, ())]
        theirs = other.fired["high"][row]
        assert mine == pytest.approx(theirs[np.isfinite(theirs)].tolist(), abs=1e-6)
    assert len(found.crossings[2]) == 4 and 3 not in found.crossings


def test_a_condition_that_holds_from_the_beginning_fires_then(make_model):
    model = answered(make_model)
    events = [Event("high", lambda t, x, p, u: x.A - p.limit, "drug", 2.0)]
    p = np.array([[0.5, 1.0, 0.3, 0.5]])
    found = sensitivities(model, p, None, [0.0, 1.0], [], ["limit", "k"], events=events, rtol=1e-9)
    assert found.crossings[0][0].how == "held" and found.crossings[0][0].day == 0.0
    assert found.values[0, 0, 1] == 2.0
    assert np.all(found.gradients[..., 0] == 0) and found.gradients[0, 0, 1, 1] == 2.0


def test_a_patient_does_not_depend_on_the_others(models, patients):
    p = patients(13)
    model = replace(models["cytokine"], example=dict(zip(models["cytokine"].parameters, p[0])))
    wrt, days, order = ["kill", "fast"], [0.0, 3.0, 9.0], np.random.default_rng(3).permutation(13)
    whole = sensitivities(model, p, None, days, [], wrt)
    mixed = sensitivities(model, p[order], None, days, [], wrt, threads=1)
    alone = sensitivities(model, p[4:5], None, days, [], wrt)
    assert mixed.gradients == pytest.approx(whole.gradients[order], rel=1e-9, abs=1e-12)
    assert alone.gradients[0] == pytest.approx(whole.gradients[4], rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("backend", solve.BACKENDS)
def test_a_corner_costs_few_steps_wherever_it_lies(make_model, backend):
    """The longest step is one in the patient's days, however its clock is paced to end at the corner."""

    def equations(t, x, p, u):
        return {"a": where(x.a < p.limit, p.slow, 2 * p.slow)}

    model = make_model("bend", ["a"], ["slow", "limit"], equations, lambda p: {"a": 1.0})
    p = np.array([[0.01, 1.02], [0.01, 1.5], [0.01, 1.98], [0.01, 9.0]])
    options = {"backend": backend, "max_step": 0.8, "rtol": 1e-9}
    found, smooth = (
        sensitivities(model, p, None, [0.0, 100.0], [], ["slow", "limit"], corners=corners, **options)
        for corners in (True, False)
    )
    assert [c[0].day for _, c in sorted(found.crossings.items())] == pytest.approx([2.0, 50.0, 98.0], abs=5e-6)
    assert np.all(smooth.steps >= 125) and np.all(found.steps >= 125) and np.all(found.steps <= 1.5 * smooth.steps)
    ends = [[200.0, -1.0]] * 3 + [[100.0, 0.0]]  # a = limit + 2 slow (t - (limit - 1) / slow)
    assert found.gradients[:, -1, 0] == pytest.approx(np.array(ends), rel=1e-6, abs=1e-6)


def test_steering_by_the_tangents_makes_them_more_accurate(models, patients):
    model, p = models["lotka_volterra"], np.array([[1.1, 0.4, 0.1, 0.4], [1.0, 0.5, 0.2, 0.5]])
    days, wrt = [0.0, 15.0], list(model.parameters)
    truth = sensitivities(model, p, None, days, [], wrt, rtol=1e-12).gradients
    ratios = []
    for rtol in (1e-5, 3e-6, 1e-6, 3e-7, 1e-7):  # at any one of them errors may cancel by chance
        free, steered = (sensitivities(model, p, None, days, [], wrt, rtol=rtol, steer=s) for s in (False, True))
        assert np.all(steered.steps > free.steps)
        ratios.append(np.abs(steered.gradients - truth).max() / np.abs(free.gradients - truth).max())
    assert np.exp(np.mean(np.log(ratios))) < 0.8


def test_tangents_do_not_grow_unseen_where_the_states_rest(make_model):
    """The state stands still at its balance, so it asks for no short steps; its tangent would blow up without a say."""
    model = make_model("rest", ["A"], ["k"], lambda t, x, p, u: {"A": p.k * (1 - x.A)}, lambda p: {"A": 1.0})
    days = [0.0, 1.0, 200.0]
    found = sensitivities(model, [[9.0]], [[1.0]], days, [], ["state:A"], rtol=1e-6)
    assert found.gradients[0, :, 0, 0] == pytest.approx(np.exp(-9.0 * np.array(days)), abs=1e-3)


def test_every_operation_has_its_tangent():
    def function(t, x, p, u):
        shared = exp(-p.a * x.A) + sqrt(1 + x.B * x.B)
        return {
            "one": shared * log(1 + shared) / (2 + x.A) - hill(x.B, p.b, 2.0),
            "two": minimum(shared, x.A * 3) + maximum(p.a, x.B) + where(x.A < x.B, shared * shared, -shared),
            "three": 1.0 / (1 + abs(x.A)) + t,
        }

    g, outputs = record("all", function, ["A", "B"], ["a", "b"])
    leaves = [g.leaf("state", 0), g.leaf("state", 1), g.leaf("parameter", 0), g.leaf("parameter", 1)]
    tangents = tangent.directional(g, list(outputs.values()), [{leaf: g.const(1.0)} for leaf in leaves])

    def at(v):
        return np.array(evaluate(g, list(outputs.values()), 0.3, v[:2], v[2:], []))

    for point in ([0.4, 0.9, 1.2, 0.7], [1.9, 0.3, 0.2, 0.5]):
        for q in range(4):
            step = np.eye(4)[q] * 1e-6
            expected = (at(np.array(point) + step) - at(np.array(point) - step)) / 2e-6
            nodes = [g.const(0.0) if n is None else n for n in tangents[q]]
            assert np.array(evaluate(g, nodes, 0.3, point[:2], point[2:], [])) == pytest.approx(expected, abs=1e-8)


OPERATIONS = ("add", "sub", "mul", "div", "neg", "exp", "log", "sqrt", "min", "max", "less", "choose")
OPERANDS = {"neg": 1, "exp": 1, "log": 1, "sqrt": 1, "choose": 3}
STEP = st.tuples(st.sampled_from(OPERATIONS), st.integers(0, 99), st.integers(0, 99), st.integers(0, 99))


@given(st.lists(STEP, min_size=3, max_size=40), st.lists(st.floats(-2, 2), min_size=4, max_size=4))
def test_directional_derivatives_are_the_partial_ones_in_that_direction(steps, direction):
    g = Graph()
    leaves = [g.leaf("state", 0), g.leaf("state", 1), g.leaf("parameter", 0), g.leaf("parameter", 1)]
    nodes = [*leaves, g.const(0.5)]
    for op, *picks in steps:
        nodes.append(g.apply(op, *(nodes[i % len(nodes)] for i in picks[: OPERANDS.get(op, 2)])))
    outputs = nodes[-3:]
    slopes = [partials(g, outputs, kind) for kind in ("state", "parameter")]
    seeds = {leaf: g.const(d) for leaf, d in zip(leaves, direction)}
    tangents = [g.const(0.0) if n is None else n for n in tangent.directional(g, outputs, [seeds])[0]]
    x, p = np.array([0.7, 1.3]), np.array([0.4, 2.1])
    found = evaluate(g, tangents, 0.0, x, p, [])
    for i, value in enumerate(found):
        terms = []
        for offset, of in zip((0, 2), slopes):
            factors = evaluate(g, list(of[i].values()), 0.0, x, p, [])
            with np.errstate(all="ignore"):
                terms += [factor * direction[offset + j] for j, factor in zip(of[i], factors)]
        with np.errstate(all="ignore"):
            expected, size = float(np.sum(terms)), float(np.sum(np.abs(terms)))
        if np.isfinite(size) and np.isfinite(value) and size < 1e100:
            assert value == pytest.approx(expected, rel=1e-7, abs=1e-7 * size + 1e-12)


def test_what_cannot_move_is_left_out(models):
    model = models["two_compartment"]
    chosen = tangent.directions(model, ["CL", "state:outer"])
    extended = tangent.extend(model, chosen, {}, initial(model))
    assert len(extended.joined.states) == 6
    marrow = ("MTT_P", "H_nrm")
    chosen = tangent.directions(REFERENCE, marrow[:1])
    extended = tangent.extend(REFERENCE, chosen, {}, initial(REFERENCE))
    assert {REFERENCE.state_names[i] for i in extended.rows} == {"Q1", "Q2", "Q3", "Q4"}


def test_the_reference_model_agrees_with_differences():
    wrt = ["rho", "kap_p", "muE", "kEX", "MTT_N", "dose:6"]
    p = np.tile([REFERENCE.example[k] for k in REFERENCE.parameters], (2, 1))
    p[1, REFERENCE.parameters.index("rho")] *= 0.9
    p[:, REFERENCE.parameters.index("ANC0")] *= 1.6  # neutrophils that only touch their limit have no derivative
    doses = list(REFERENCE.example_doses)
    assert doses[6][1] == "car_t_infusion"
    days = [min(d[0] for d in doses), 0.0, 7.0, 14.0, 28.0, 90.0]
    found = sensitivities(REFERENCE, p, None, days, doses, wrt, rtol=1e-9)
    expected = differences(REFERENCE, p, None, days, doses, wrt, h=3e-4)
    size = np.array([*(p[0, REFERENCE.parameters.index(w)] for w in wrt[:5]), doses[6][2]])
    scale = np.abs(found.values).max(axis=(0, 1))[:, None]
    error = np.abs(found.gradients - expected) * size / np.maximum(scale, 1e-6)
    assert error.max() < 1e-4 and np.percentile(error, 99) < 1e-6
    assert {c.how for c in found.crossings[0]} == {"crossed"}


NAN = float("nan")
OWN_DAYS = [
    (np.array([0.0, 1.5, 0.0, NAN]), "bolus", np.array([100.0, 80.0, 60.0, 50.0])),
    (np.array([2.0, 1.5, 2.0, 5.0]), "infusion", np.array([5.0, 7.0, 5.0, 3.0])),
    (3.0, "bolus", np.array([10.0, 20.0, 30.0, 0.0])),
    (np.array([NAN, 4.25, 9.0, 1.0]), "bolus", 40.0),
]
FOUR = np.array([[1.0, 3.0, 0.5, 6.0], [2.0, 4.0, 0.7, 5.0], [1.5, 3.5, 0.6, 5.5], [1.2, 2.0, 0.4, 7.0]])


def moved_amounts(doses, number, by):
    return [(d, name, np.asarray(a) + (by if i == number else 0.0)) for i, (d, name, a) in enumerate(doses)]


@pytest.mark.parametrize("evented", [False, True])
def test_dose_days_of_each_patient(models, evented):
    """Days may be each patient's own, and NaN where a dose is not given; against differences of ``solve``."""
    model, days = models["two_compartment"], np.linspace(0.0, 8.0, 9)
    events = (Event("low", lambda t, x, p, u: 12.0 - x.central - 4.0 * t, "bolus", 5.0),) if evented else ()
    wrt = ["CL", "dose:0", "dose:1", "dose:2", "dose:3"]
    found = sensitivities(model, FOUR, None, days, OWN_DAYS, wrt, events=events, rtol=1e-10)
    assert np.all(found.status == 0)
    direct = solve.solve(model, FOUR, None, days, OWN_DAYS, events=events, rtol=1e-10)
    assert found.values == pytest.approx(direct.values, rel=1e-6, abs=1e-7)
    h = 1e-3
    for q, name in enumerate(wrt):
        sides = []
        for by in (h, -h):
            p, doses = FOUR.copy(), OWN_DAYS
            if name == "CL":
                p[:, 0] += by
            else:
                doses = moved_amounts(OWN_DAYS, int(name[-1]), by)
            sides.append(solve.solve(model, p, None, days, doses, events=events, rtol=1e-11).values)
        assert found.gradients[..., q] == pytest.approx((sides[0] - sides[1]) / (2 * h), rel=2e-4, abs=2e-5)
    assert np.all(found.gradients[3, :, :, 1] == 0) and np.all(found.gradients[0, :, :, 4] == 0), "not given"
    assert np.any(found.gradients[3, :, :, 3] != 0), "an amount of 0 that is given moves the course"


def test_a_patient_is_differentiated_the_same_whoever_is_beside(models):
    model, days = models["two_compartment"], np.linspace(0.0, 8.0, 9)
    held = {"infusion": [0.0, 1.0, 2.0, 3.0]}
    whole = sensitivities(model, FOUR, None, days, OWN_DAYS, ["CL", "dose:0"], levels=held)
    for i in range(len(FOUR)):
        own = [(d[i] if np.ndim(d) else d, name, a[i] if np.ndim(a) else a) for d, name, a in OWN_DAYS]
        kept = [dose for dose in own if not np.isnan(dose[0])]
        numbers = [n for n, dose in enumerate(own) if not np.isnan(dose[0])]
        wrt = ["CL", *(["dose:0"] if 0 in numbers else [])]
        alone = sensitivities(model, FOUR[i : i + 1], None, days, kept, wrt, levels={"infusion": float(i)})
        assert alone.values[0] == pytest.approx(whole.values[i], rel=1e-7)
        assert alone.gradients[0] == pytest.approx(whole.gradients[i, :, :, : len(wrt)], rel=1e-4, abs=1e-7)
    assert sorted(whole.crossings) == list(whole.crossings)


def test_no_patient_is_differentiated_too(models):
    model = models["two_compartment"]
    for doses in ([], [(1.0, "bolus", 5.0)], [(np.zeros(0), "bolus", np.zeros(0))]):
        found = sensitivities(model, np.zeros((0, 4)), None, DAYS, doses, ["CL"])
        assert found.gradients.shape == (0, len(DAYS), 2, 1)


REFUSED = [
    (lambda m: sensitivities(m, TWO, None, DAYS, [], ["CLL"]), "unknown parameter 'CLL'"),
    (lambda m: sensitivities(m, TWO, None, DAYS, [], ["state:outr"]), "unknown state 'outr'; did you mean outer"),
    (lambda m: sensitivities(m, TWO, None, DAYS, [], ["dose:0"]), "'dose:0' names no dose; there are 0"),
    (lambda m: sensitivities(m, TWO, None, DAYS, [], ["CL", "CL"]), "CL are asked for twice"),
    (lambda m: sensitivities(m, TWO, None, DAYS, [(0, "bolsu", 1)], ["CL"]), "unknown input 'bolsu'"),
    (lambda m: sensitivities(m, TWO, None, DAYS, [(-1, "bolus", 1)], ["CL"]), "before the first day"),
    (lambda m: sensitivities(m, TWO, None, DAYS, [(0, "bolus", [1, 2, 3])], ["CL"]), "one for each of the 2 patients"),
    (lambda m: sensitivities(m, TWO, None, [0.0, 2.0, 1.0], [], ["CL"]), "not in order"),
    (lambda m: sensitivities(m, TWO, None, DAYS, [], ["CL"], outputs=["blood"]), "unknown output 'blood'"),
    (lambda m: sensitivities(m, TWO, None, DAYS, [], ["CL"], method="rodas"), "unknown method 'rodas'; did you mean"),
    (lambda m: sensitivities(m, TWO * np.nan, None, DAYS, [], ["CL"]), "'CL' of patient 0 .* is nan"),
]


@pytest.mark.parametrize("case", range(len(REFUSED)))
def test_what_does_not_fit_is_refused_with_a_sentence(models, case):
    call, sentence = REFUSED[case]
    with pytest.raises(InputError, match=sentence):
        call(models["two_compartment"])


def test_a_failed_patient_keeps_a_status_and_the_others_go_on(models):
    found = sensitivities(models["logistic"], [[1.0, 2.0], [1.0, -0.5]], None, [0.0, 20.0], [], ["g"])
    assert list(found.status == 0) == [True, False]
    assert np.all(np.isfinite(found.gradients[0])) and np.all(np.isnan(found.gradients[1, 1]))


def test_plans_are_made_once(models):
    sensitivities(models["decay"], [[1.0]], None, [0.0, 1.0], [], ["k"])
    before = list(plans._plans._made)
    sensitivities(models["decay"], [[1.1]], None, [0.0, 1.0], [], ["k"])
    assert list(plans._plans._made) == before
