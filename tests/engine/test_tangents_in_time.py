"""Derivatives of courses whose equations jump or bend, on known days or where states decide: against closed forms."""

import numpy as np
import pytest

from vein2vein.engine import solve
from vein2vein.engine.method.events import Event
from vein2vein.engine.tangents.sensitivity import sensitivities
from vein2vein.models.mathematics import floor, where
from vein2vein.models.model import Input

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
