"""Conditions joined by &, | and ~, and numpy's words for them, mean the same in every backend and at every width."""

import numpy as np
import pytest

import vein2vein as v2v
from vein2vein.engine import solve

PATIENTS = [[0.3, 1.0], [0.4, 0.0], [0.5, 1.0]]


def model(rate, seen=lambda t, x, p, u: {}):
    return v2v.Model(
        name="flags", title="", source="none", states=[v2v.State("A", "", "1"), v2v.State("B", "", "1")],
        inputs=[v2v.Input("bolus", "", "1")], parameters=["k", "flag"],
        equations=lambda t, x, p, u: {"A": -p.k * x.A, "B": rate(t, x, p)}, initial=lambda p: {"A": 1.0},
        apply_dose=lambda name, amount, x, p: {"A": x.A + amount}, observables=seen,
    )  # fmt: skip


def until(p, share):
    """Day on which A comes down to a share."""
    return -np.log(share) / p[:, 0]


P = np.array(PATIENTS)
CASES = {
    "~ of a comparison": (lambda t, x, p: ~(x.A < 0.5), lambda p: np.minimum(until(p, 0.5), 3.0)),
    "~ of a flag": (lambda t, x, p: ~p.flag, lambda p: 3.0 * (1 - p[:, 1])),
    "& of a flag": (lambda t, x, p: p.flag & (x.A > 0.5), lambda p: p[:, 1] * np.minimum(until(p, 0.5), 3.0)),
    "chain": (
        lambda t, x, p: (x.A > 0.4) & ~(x.A > 0.6),
        lambda p: np.minimum(until(p, 0.4), 3.0) - np.minimum(until(p, 0.6), 3.0),
    ),
    "two that hold count twice": (
        lambda t, x, p: ~(x.A < 0.5) + ~(t > 1.0), lambda p: np.minimum(until(p, 0.5), 3.0) + 1.0,
    ),
    "numpy": (
        lambda t, x, p: np.logical_and(np.logical_not(x.A < 0.5), np.logical_or(t < 1.0, p.flag)),
        lambda p: np.where(p[:, 1] > 0, np.minimum(until(p, 0.5), 3.0), 1.0),
    ),
}  # fmt: skip


@pytest.mark.parametrize("backend", solve.BACKENDS)
@pytest.mark.parametrize("case", CASES)
def test_conditions_mean_the_same_in_equations(case, backend):
    rate, expected = CASES[case]
    found = solve.solve(model(rate), P, None, [0.0, 3.0], rtol=1e-8, backend=backend, max_step=0.01)
    assert found.values[:, -1, 1] == pytest.approx(expected(P), abs=5e-3)


@pytest.mark.parametrize("backend", solve.BACKENDS)
def test_conditions_mean_the_same_in_observables_summaries_and_events(backend):
    m = model(lambda t, x, p: 0.0 * t, lambda t, x, p, u: {"high": ~(x.A < 0.5)})
    again = v2v.Event(
        "again", lambda t, x, p, u: ~(x.A > 0.5) & (p.flag > 0.5), "bolus", lambda t, x, p, u: ~(x.A > 2.0) * 0.5
    )
    found = solve.solve(
        m, P, None, [0.0, 1.0, 3.0], events=[again], outputs=["high"], backend=backend, rtol=1e-8,
        summaries=[v2v.Summary("low at last", "end", lambda t, x, p, u: ~(x.A > 0.5))],
    )  # fmt: skip
    assert found.values[:, :, 0].tolist() == [[1, 1, 1], [1, 1, 0], [1, 1, 0]]
    assert found.summaries["low at last"].tolist() == [0, 1, 1]
    assert found.fired["again"][:, 0] == pytest.approx([until(P, 0.5)[0], np.nan, until(P, 0.5)[2]], nan_ok=True)
    assert found.state[2, 0] == pytest.approx(np.exp(-1.5) * 2, rel=1e-6)  # from 0.5 to 1 at the event


@pytest.mark.parametrize("backend", solve.BACKENDS)
def test_a_run_from_day_to_day_takes_them_too(backend):
    run = solve.advance(solve.begin(model(CASES["~ of a flag"][0]), P, backend=backend), 3.0)
    assert run.state[:, 1] == pytest.approx([0, 3, 0])


def test_a_branch_names_its_remedies():
    for rate in (
        lambda t, x, p: (x.A < 1) and (x.B < 1),
        lambda t, x, p: not x.A < 1,
        lambda t, x, p: 1 < x.A < 10,
        lambda t, x, p: 1.0 if x.A < 1 else 0.0,
    ):
        with pytest.raises(v2v.InputError, match=r"where\(condition, x, y\) for if, a & b for a and b, .* ~a for"):
            solve.solve(model(rate), P, None, [0.0, 1.0])
    for rate in (lambda t, x, p: (x.A == 1) * 1.0, lambda t, x, p: (p.flag != 1) * 1.0):
        with pytest.raises(v2v.InputError, match=r"== and != cannot be recorded; write abs\(x - y\) < d"):
            solve.solve(model(rate), P, None, [0.0, 1.0])


def test_cpu_is_not_taken_for_gpu():
    with pytest.raises(v2v.InputError, match=r"unknown backend 'cpu'; known: batch, plain"):
        solve.solve(model(CASES["chain"][0]), P, None, [0.0, 1.0], backend="cpu")


@pytest.mark.parametrize(
    ("told", "change"),
    [
        ("trigger 'edge' is", {"trigger": "edge"}), ("delay 1 is", {"delay": 1.0, "interval": 2.0}),
        ("priority 2 is", {"priority": 2.0}), ("a function as amount is", {"amount": lambda t, x, p, u: x.A}),
    ],
)  # fmt: skip
def test_derivatives_name_what_of_an_event_they_do_not_know(told, change):
    fields = {"name": "e", "condition": lambda t, x, p, u: 0.5 - x.A, "give": "bolus", "amount": 1.0} | change
    m = model(lambda t, x, p: 0.0 * t)
    with pytest.raises(v2v.InputError, match=f"event e: {told} given; derivatives are known through events of trigger"):
        v2v.sensitivities(m, P, None, [0.0, 3.0], events=[v2v.Event(**fields)], wrt=["k"])
