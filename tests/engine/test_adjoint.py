"""One number by all parameters, backward: against forward derivatives, and that who is beside changes nothing."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vein2vein.engine import solve
from vein2vein.engine.doses import Dose
from vein2vein.engine.tangents import adjoint
from vein2vein.engine.tangents.adjoint import gradient
from vein2vein.engine.tangents.sensitivity import sensitivities
from vein2vein.errors import InputError
from vein2vein.models.mathematics import exp, floor, hill, minimum, where
from vein2vein.models.model import Input, State
from vein2vein.models.reference.model import MODEL as REFERENCE

TWO = np.array([[1.0, 3.0, 0.5, 6.0], [2.0, 4.0, 0.7, 5.0]])
DAYS = np.linspace(0, 12, 7)
DOSES = [(0.0, "bolus", 100.0), (4.0, "bolus", np.array([10.0, 20.0])), (3.0, "infusion", 2.0), (5.0, "infusion", 0.5)]
WRT = ["CL", "V", "Q", "W", "state:outer", "dose:0", "dose:1", "dose:2", "dose:3"]


def weights_of(shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def agree(model, p, state, days, doses, wrt, closeness, outputs=None, begin=None, **options):
    """The gradient found, held against forward derivatives of a tight solution, as a share of the largest."""
    tight = sensitivities(
        model, p, state, days, doses, wrt, outputs=outputs, begin=begin, rtol=1e-11, steer=True, max_step=0.5
    )
    weights = weights_of(tight.values.shape)
    found = gradient(model, p, state, days, doses, weights, wrt=wrt, outputs=outputs, begin=begin, **options)
    each = np.einsum("...m,...mq->...q", weights, tight.gradients)
    if tight.patient is None:
        expected, total = each.sum(axis=1), (weights * tight.values).sum(axis=(1, 2))
    else:
        expected, total = np.zeros((len(p), len(wrt))), np.zeros(len(p))
        np.add.at(expected, tight.patient, each)
        np.add.at(total, tight.patient, (weights * tight.values).sum(axis=1))
    size = np.ones((len(p), len(wrt)))
    for q, name in enumerate(wrt):
        if name in model.parameters:
            size[:, q] = np.abs(p[:, model.parameters.index(name)])
    assert np.all(found.status == 0)
    off = np.abs(found.gradient - expected) * size
    assert np.all(off <= closeness * np.abs(expected * size).max(axis=1, keepdims=True))
    assert found.total == pytest.approx(total, rel=1e-4, abs=1e-4 * np.abs(weights * tight.values).max())
    return found


@pytest.mark.parametrize("backend", solve.BACKENDS)
@pytest.mark.parametrize("rtol, closeness", [(3e-8, 1e-5), (1e-10, 1e-7)])
def test_doses_levels_and_starts(models, backend, rtol, closeness):
    agree(models["two_compartment"], TWO, None, DAYS, DOSES, WRT, closeness, rtol=rtol, backend=backend)


def switching(make):
    """A dose that depends on state and parameters, corners of state and of time, rates that read time and a level."""

    def equations(t, x, p, u):
        high = where(p.limit > x.A, 1.0, 0.3 + 0.01 * t + 0.2 * u.held)
        return {"D": -p.e * x.D + where(t < p.late, 0.0, 0.2 * (1 + t / 10)), "A": p.g * high - p.k * x.D * x.A}

    inputs = (Input("drug", "", "mg"), Input("held", "", "1", "level"))
    made = make(
        "switching", ["A", "D"], ["g", "k", "e", "limit", "late"], equations, lambda p: {"A": p.g, "D": 0.1}, inputs,
        lambda name, amount, x, p: {"D": x.D + amount * p.k * x.A, "A": x.A / (1 + amount * p.e)},
    )  # fmt: skip
    return replace(made, observables=lambda t, x, p, u: {"seen": p.k * (1 + u.held) * x.A + t})


SWITCHING = np.array([[0.5, 0.4, 0.3, 2.0, 3.3], [0.6, 0.3, 0.2, 2.5, 5.1], [0.7, 0.2, 0.3, 1.5, 20.0]])
GIVEN = [
    (np.array([2.0, np.nan, 0.0]), "drug", np.array([1.0, 2.0, 0.0])), (1.5, "held", np.array([1.0, 0.0, 2.0])),
    (6.0, "drug", 1.0), (6.0, "drug", 0.4), (7.0, "held", 0.0),
]  # fmt: skip
MOVED = ["g", "k", "e", "limit", "late", "dose:0", "dose:1", "dose:2", "dose:3", "dose:4", "state:D"]


@pytest.mark.parametrize("backend", solve.BACKENDS)
@pytest.mark.parametrize("outputs", [None, ["seen", "D"]])
def test_everything_that_lets_it_jump(make_model, backend, outputs):
    """Corners included: without their jumps the derivative by ``limit`` and ``late`` would be 0."""
    found = agree(
        switching(make_model), SWITCHING, None, np.linspace(0.0, 9.0, 10), GIVEN, MOVED, 1e-5, outputs, backend=backend
    )
    assert np.all(found.gradient[1:, 3] != 0) and np.all(found.gradient[:2, 4] != 0)


def test_days_of_each_patient_and_a_state_that_is_given(make_model):
    days = [np.array([1.0, 4.0]), np.array([0.5, 6.0, 8.0]), np.array([2.0])]
    doses = [(np.array([2.0, np.nan, 1.0]), "drug", 1.0), (3.0, "held", 1.0)]
    wrt = ["g", "k", "e", "limit", "state:A", "dose:0"]
    state, begin = np.array([[1.0, 0.3], [0.8, 0.1], [1.2, 0.2]]), np.array([0.5, 0.0, 1.0])
    agree(switching(make_model), SWITCHING, state, days, doses, wrt, 1e-5, begin=begin)


@pytest.mark.parametrize("method", ["auto", "tsit5", "rodas4", "rodas5p"])
def test_every_method_on_rates_from_slow_to_fast(models, patients, method):
    wrt = ["growth", "half", "steep", "fast", "state:cells"]
    agree(models["cytokine"], patients(5), None, [0.0, 2.0, 6.0, 12.0], [], wrt, 1e-5, method=method)


TERMS = {
    "passes": lambda x, y, p: 0.5 * p.k * y,
    "drives": lambda x, y, p: p.k * hill(y, p.half, 2.0),
    "grows": lambda x, y, p: x * (1 - x / 4) / (1 + y),
    "fades": lambda x, y, p: exp(-y) * p.half,
}
terms = st.lists(st.tuples(st.sampled_from(sorted(TERMS)), st.sampled_from("abc")), min_size=1, max_size=3)
shapes = st.lists(st.tuples(st.sampled_from([0.05, 0.5, 4.0, 30.0]), terms), min_size=3, max_size=3)
told = st.tuples(
    st.sampled_from([0.0, 0.7, 3.0, 5.5]),
    st.sampled_from(["into_a", "into_b", "held"]),
    st.just(0.0) | st.floats(0.01, 2),
)


@settings(max_examples=6, deadline=None)
@given(shape=shapes, doses=st.lists(told, max_size=4), method=st.sampled_from(["auto", "tsit5", "rodas4", "rodas5p"]))
def test_random_models(make_model, shape, doses, method):
    def equations(t, x, p, u):
        rates = {}
        for name, (loss, parts) in zip("abc", shape):
            gain = sum(TERMS[what](getattr(x, name), getattr(x, other), p) for what, other in parts)
            rates[name] = gain * (1 + 0.3 * u.held) - loss * getattr(x, name)
        return rates

    inputs = (Input("into_a", "", "1"), Input("into_b", "", "1"), Input("held", "", "1", "level"))
    model = make_model(
        "random", [State(name, "", "1", 1e-6, low=0.0) for name in "abc"], ("k", "half"), equations,
        lambda p: {"a": 1.0, "c": p.half}, inputs,
        lambda name, amount, x, p: {"a": x.a + amount} if name == "into_a" else {"b": x.b + amount * p.half},
    )  # fmt: skip
    wrt = ["k", "half", "state:a", "state:b", *(f"dose:{i}" for i in range(len(doses)))]
    agree(model, np.array([[0.7, 0.6], [1.3, 0.9]]), None, [0.0, 0.4, 3.0, 7.0], doses, wrt, 1e-5, method=method)


def test_stiff_equations_take_few_steps_back(make_model):
    def equations(t, x, p, u):
        return {"A": -p.fast * (x.A - x.B), "B": -p.slow * x.B}

    model = make_model("stiff", ["A", "B"], ["fast", "slow"], equations, lambda p: {"A": 0.0, "B": 1.0})
    found = gradient(model, [[1e5, 0.1]], None, [0.0, 10.0], [], [[[0.0, 0.0], [1.0, 0.0]]])
    decay = np.exp(-0.1 * 10)  # A = fast / (fast - slow) exp(-slow t) once the fast part is over
    by_slow = (1e5 / (1e5 - 0.1) ** 2 - 10 * 1e5 / (1e5 - 0.1)) * decay
    assert found.wrt == ("fast", "slow") and found.steps[0, 1] < 500
    assert found.gradient[0] * [1e5, 0.1] == pytest.approx([-0.1e5 / (1e5 - 0.1) ** 2 * decay, 0.1 * by_slow], abs=1e-5)


def test_states_at_a_bound(make_model):
    """One that rests at its bound moves with what feeds it; one that is held there does not."""

    def equations(t, x, p, u):
        return {"B": p.k * x.A - p.d * x.B, "A": -p.d * x.A, "C": -p.k + where(t < 1.0, 0.0, p.d)}

    states = [State(name, name, "1", low=0.0) for name in "ABC"]
    model = make_model("bounds", states, ["k", "d"], equations, lambda p: {"C": 1.0})
    wrt, days = ["k", "d", "state:A", "state:B", "state:C"], [0.0, 0.5, 3.0]
    found = agree(model, np.array([[1.5, 0.4]]), None, days, [], wrt, 1e-5)
    weights = weights_of((1, 3, 3))
    assert found.gradient[0, 2] == pytest.approx(
        sum(w[0] * np.exp(-0.4 * t) + w[1] * 1.5 * t * np.exp(-0.4 * t) for w, t in zip(weights[0], days)), rel=1e-6
    )


def test_a_kink_of_a_minimum(make_model):
    def equations(t, x, p, u):
        return {"A": p.k * minimum(x.A, p.most)}

    model = make_model("kink", ["A"], ["k", "most"], equations, lambda p: {"A": 1.0})
    found = gradient(model, [[0.5, 2.0]], None, [0.0, 4.0], [], [[[0.0], [1.0]]])
    turn = np.log(2.0) / 0.5  # A = most + k most (t - turn)
    by_k = 2.0 * (4.0 - turn) + 0.5 * 2.0 * turn / 0.5
    by_most = 1 + 0.5 * (4.0 - turn) - 0.5 * 2.0 / (0.5 * 2.0)
    assert found.gradient[0] == pytest.approx([by_k, by_most], rel=1e-5)


def test_a_loss_gives_its_own_weights(models):
    model, p = models["lotka_volterra"], np.array([[1.1, 0.4, 0.1, 0.4], [1.0, 0.5, 0.2, 0.5]])
    days, measured = [0.0, 1.0, 5.0, 10.0], 2.0

    def loss(values):
        return ((values - measured) ** 2).sum(axis=(1, 2)), 2 * (values - measured)

    found = gradient(model, p, None, days, [], loss)
    for q in range(4):
        step = 1e-5 * np.eye(4)[q]
        up, down = (loss(solve.solve(model, p + side * step, None, days, rtol=1e-12).values)[0] for side in (1, -1))
        assert found.gradient[:, q] == pytest.approx((up - down) / 2e-5, rel=1e-5)
    assert found.total == pytest.approx(loss(solve.solve(model, p, None, days).values)[0], rel=1e-6)


def test_a_patient_is_the_same_to_the_last_bit_whoever_is_beside(models, patients):
    p, model = patients(13), models["cytokine"]
    days, w = [0.0, 3.0, 9.0], weights_of((13, 3, 15))
    order = np.random.default_rng(3).permutation(13)
    every = gradient(model, p, None, days, [], w)
    mixed = gradient(model, p[order], None, days, [], w[order], threads=1)
    alone = gradient(model, p[4:5], None, days, [], w[4:5])
    narrow = gradient(model, p, None, days, [], w, width=1)
    assert np.array_equal(mixed.gradient, every.gradient[order])
    assert np.array_equal(alone.gradient[0], every.gradient[4])
    assert np.array_equal(narrow.gradient, every.gradient)


def test_who_cannot_be_solved_stops_no_one(make_model):
    model = make_model("bursting", ["A"], ["k"], lambda t, x, p, u: {"A": p.k * x.A * x.A}, lambda p: {"A": 1.0})
    found = gradient(model, [[2.0], [0.1]], None, [0.0, 1.0], [], np.ones((2, 2, 1)))
    assert found.status[0] != 0 and np.isnan(found.gradient[0, 0])
    assert found.gradient[1, 0] == pytest.approx(1 / 0.9**2, rel=1e-6)  # A = 1 / (1 - k t)


def test_no_way_and_no_one(models):
    model = models["two_compartment"]
    found = gradient(model, TWO, None, [2.0], [(2.0, "bolus", 5.0)], np.ones((2, 1, 2)), wrt=["CL", "dose:0"])
    assert np.array_equal(found.gradient, [[0.0, 1.0], [0.0, 1.0]])
    assert gradient(model, np.zeros((0, 4)), None, DAYS, [], np.zeros((0, 7, 2))).gradient.shape == (0, 4)


@pytest.mark.parametrize(
    "wrong, told",
    [
        ({"weights": np.ones((2, 3, 2))}, r"the weights are of the shape \(2, 3, 2\); give a finite number"),
        ({"weights": "many"}, "the weights are 'many'"),
        ({"weights": lambda values: (1.0, values)}, "the loss is 1.0; give one number for each of the 2 patients"),
        ({"weights": lambda values: values}, "let it return a pair"),
        ({"weights": None}, "the weights are None"),
        ({"wrt": ["CL", "CL"]}, "asked for twice"),
        ({"wrt": ["size"]}, "size"),
        ({"doses": [Dose("bolus", 1.0, 0.0, additional=2, interval=1.0)]}, "sensitivities follow infusions"),
        ({"outputs": ["nothing"]}, "nothing"),
        ({"backend": "gpu"}, "gpu"),
        ({"rtol": -1.0}, "rtol"),
    ],
)  # fmt: skip
def test_what_is_refused(models, wrong, told):
    asked = {"doses": DOSES, "weights": np.ones((2, 7, 2)), **wrong}
    with pytest.raises(InputError, match=told):
        gradient(models["two_compartment"], TWO, None, DAYS, **asked)


def test_a_comparison_of_a_level_is_refused(make_model):
    model = make_model(
        "watched", ["A"], ["k"], lambda t, x, p, u: {"A": where(u.limit > x.A, p.k, 0.0)}, lambda p: {},
        (Input("limit", "", "1", "level"),),
    )  # fmt: skip
    with pytest.raises(InputError, match="a comparison of a level"):
        gradient(model, [[1.0]], None, [0.0, 1.0], [], np.ones((1, 2, 1)))


def test_the_reference_model():
    """With its corners, by a start, rates and a dose: 99 of 100 of what is seen within 1e-4."""
    wrt = ["rho", "kEX", "kIF", "ANC0", "dose:6"]
    p = np.array([[REFERENCE.example[k] for k in REFERENCE.parameters]])
    days = [min(d[0] for d in REFERENCE.example_doses), 0.0, 14.0, 90.0]
    tight = sensitivities(REFERENCE, p, None, days, REFERENCE.example_doses, wrt, rtol=1e-9, steer=True)
    scale = np.maximum(np.abs(tight.values).max(axis=(0, 1)), 1e-6)
    weights = weights_of(tight.values.shape) / scale * np.array([name != "H_nrm" for name in tight.names])
    found = gradient(REFERENCE, p, None, days, REFERENCE.example_doses, weights, wrt=wrt, method="tsit5")
    sizes = [p[0, REFERENCE.parameters.index(name)] for name in wrt[:-1]] + [REFERENCE.example_doses[6][2]]
    expected = np.einsum("nkm,nkmq->nq", weights, tight.gradients)[0] * sizes
    assert np.max(np.abs(found.gradient[0] * sizes - expected)) <= 1e-4 * np.max(np.abs(expected))


def test_more_patients_than_are_held_in_memory_at_once(make_model, monkeypatch):
    model, days, w = switching(make_model), np.linspace(0.0, 9.0, 4), weights_of((3, 4, 2))
    every = gradient(model, SWITCHING, None, days, GIVEN, w, wrt=MOVED)
    monkeypatch.setattr(adjoint, "AT_ONCE", 2)
    parts = gradient(model, SWITCHING, None, days, GIVEN, w, wrt=MOVED)
    assert np.array_equal(parts.gradient, every.gradient) and np.array_equal(parts.steps, every.steps)


def test_a_dose_of_next_to_nothing_has_the_derivative_of_any_dose(make_model):
    """What it gives is far below what the state is held to; the adjoint of that state is not."""
    model = make_model(
        "traces", ["A", "B"], ["k"], lambda t, x, p, u: {"A": -p.k * x.A, "B": 0.2 * x.A - 0.1 * x.B},
        lambda p: {"B": 1.0}, (Input("drug", "", "1"),), lambda name, amount, x, p: {"A": x.A + amount},
    )  # fmt: skip
    weights = np.random.default_rng(0).normal(size=(1, 3, 2))
    found = gradient(model, [[30.0]], None, [0.0, 0.1, 7.0], [(0.0, "drug", 2e-16)], weights, wrt=["dose:0"])
    a, b = np.exp(-30.0 * np.array([0.0, 0.1, 7.0])), np.exp(-0.1 * np.array([0.0, 0.1, 7.0]))
    expected = weights[0, :, 0] @ a + weights[0, :, 1] @ (0.2 / 29.9 * (b - a))
    assert found.gradient[0, 0] == pytest.approx(expected, rel=1e-5)


def test_no_short_pulse_is_missed(make_model):
    """Each week p.k is given for a quarter of a day: the way is cut where the equations jump on known days."""
    model = make_model(
        "pulse", ["a"], ["q", "k"],
        lambda t, x, p, u: {"a": p.k * where(t - 7 * floor(t / 7) < p.q, 1.0, 0.0) - 0.1 * x.a}, lambda p: {},
    )  # fmt: skip
    found = gradient(model, [[0.25, 1.0]], None, [0.0, 70.0], [], [[[0.0], [1.0]]], wrt=["k"])
    ends = 0.25 + 7 * np.arange(10)
    expected = np.sum(np.exp(-0.1 * (70.0 - ends)) * (1 - np.exp(-0.025)) / 0.1)
    assert found.gradient[0, 0] == pytest.approx(expected, rel=1e-5)


def test_a_gradient_that_floor_moves_is_refused(make_model):
    """Sensitivities follow each switch of the saw-tooth; a gradient says that it does not."""
    model = make_model(
        "saw", ["a"], ["q", "k"],
        lambda t, x, p, u: {"a": p.k * where(t - 7 * floor(t / 7) < p.q, 1.0, 0.0) - 0.1 * x.a},
        lambda p: {},
    )  # fmt: skip
    with pytest.raises(InputError, match="a gradient does not follow floor"):
        gradient(model, [[0.25, 1.0]], None, [0.0, 30.0], (), np.ones((1, 2, 1)))
    found = gradient(model, [[0.25, 1.0]], None, [0.0, 30.0], (), np.ones((1, 2, 1)), wrt=["k"])
    value = solve.solve(model, [[0.25, 1.0]], None, [0.0, 30.0]).values[0, 1, 0]
    assert found.gradient[0, 0] == pytest.approx(value, rel=1e-5), "it is proportional to k"


def test_a_limit_that_falls_past_a_state_is_one_jump(make_model):
    """On the day on which the limit leaps over the state, the state crosses nothing by itself."""
    model = make_model(
        "passed", ["a"], ["k", "s", "low"],
        lambda t, x, p, u: {"a": p.k * where(x.a < where(t < p.s, 3.0, p.low), 0.2, 1.0)}, lambda p: {},
    )  # fmt: skip
    k, s = 1.0, 4.0
    found = gradient(model, [[k, s, 0.5]], None, [0.0, 9.0], (), np.array([[[0.0], [1.0]]]))
    assert found.gradient[0] == pytest.approx([9 - 0.8 * s, -0.8 * k, 0.0], abs=1e-5)
