"""Random models, doses and events: the compiled solver gives what the readable one gives, by every method."""

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from vein2vein.engine import solve
from vein2vein.engine.method.events import Event
from vein2vein.engine.method.summaries import Summary
from vein2vein.models.mathematics import exp, hill, log
from vein2vein.models.model import Input, State

NAMES = ("a", "b", "c", "d")
DAYS = [0.0, 0.4, 1.0, 3.0, 7.0]
TERMS = {
    "passes": lambda x, y, p: 0.5 * p.k * y,
    "drives": lambda x, y, p: p.k * hill(y, p.half, 2.0),
    "slows": lambda x, y, p: 1 / (1 + y),
    "grows": lambda x, y, p: x * (1 - x / 4) / (1 + y),
    "logs": lambda x, y, p: log(1 + y),
    "fades": lambda x, y, p: exp(-y) * p.half,
}
terms = st.tuples(st.sampled_from(sorted(TERMS)), st.integers(0, 3))
models = st.lists(
    st.tuples(st.sampled_from([0.05, 0.5, 4.0, 30.0]), st.lists(terms, min_size=1, max_size=3)), min_size=4, max_size=4
)
doses = st.lists(
    st.tuples(st.floats(0, 6), st.sampled_from(["into_a", "into_b", "level"]), st.floats(0, 2)), max_size=4
)


def make(make_model, shape):
    def equations(t, x, p, u):
        values = [getattr(x, name) for name in NAMES]
        rates = {}
        for name, value, (loss, parts) in zip(NAMES, values, shape):
            gain = sum(TERMS[what](value, values[other], p) for what, other in parts)
            rates[name] = gain * (1 + 0.3 * u.level) - loss * value
        return rates

    inputs = (Input("into_a", "", "1"), Input("into_b", "", "1"), Input("level", "", "1", "level"))

    def dose(name, amount, x, p):
        return {"a": x.a + amount} if name == "into_a" else {"b": x.b + amount * p.half}

    states = [State(name, "", "1", 1e-6, low=0.0) for name in NAMES]
    return make_model("random", states, ("k", "half"), equations, lambda p: {"a": 1.0, "c": p.half}, inputs, dose)


@pytest.mark.parametrize("method", ["tsit5", "rodas4", "rodas5p"])
@settings(max_examples=6, deadline=None)
@given(shape=models, given_doses=doses, threshold=st.floats(0.3, 3))
@example(shape=[(0.05, [("drives", 0)])] * 4, given_doses=[(2.2e-309, "into_a", 1.0)], threshold=1.0)
@example(
    shape=[(4.0, [("fades", 0)]), (4.0, [("drives", 0)]), (30.0, [("drives", 0)]), (0.05, [("drives", 0)])],
    given_doses=[(2.0, "into_b", 2.0)], threshold=1.0,
)  # fmt: skip
def test_generated_is_plain(make_model, method, shape, given_doses, threshold):
    model = make(make_model, shape)
    p = np.array([[1.0, 0.5], [0.3, 1.2]])
    event = Event("rises", lambda t, x, p, u: x.c - threshold, "into_b", 0.5, most=2, interval=1.3)
    wanted = (Summary("top", "max", "c"), Summary("area", "area", "b"))
    options = {"events": (event,), "summaries": wanted, "method": method, "rtol": 1e-8}  # tighter than what is compared
    found, truth = (solve.solve(model, p, None, DAYS, given_doses, backend=b, **options) for b in ("batch", "plain"))
    assert not truth.status.any() and not found.status.any()
    if not np.array_equal(np.isnan(found.fired["rises"]), np.isnan(truth.fired["rises"])):
        return  # a state that only touches the threshold may fire in one and not in the other
    assert found.values == pytest.approx(truth.values, rel=1e-6, abs=1e-8)
    assert found.summaries["top"] == pytest.approx(truth.summaries["top"], rel=1e-6)
    assert found.summaries["area"] == pytest.approx(truth.summaries["area"], rel=1e-6)
