"""The one door to prepared courses, with derivatives and without: it leads to the two doors below."""

import copy
import inspect
import pickle

import numpy as np
import pytest

import vein2vein as v2v
from vein2vein.engine import prepare as door
from vein2vein.engine import solve
from vein2vein.engine.dose_records import Dose
from vein2vein.engine.method.events import Event
from vein2vein.engine.method.summaries import Summary
from vein2vein.engine.tangents import sensitivity
from vein2vein.errors import InputError
from vein2vein.models.model import Input, derived
from vein2vein.models.stein_2019 import MODEL as STEIN

P, DAYS = np.array([[0.5, 2.0], [0.8, 1.5]]), [0.0, 1.0, 3.0]
GIVEN = [(0.5, "put", 2.0), Dose("put", 3.0, 1.0, duration=0.5)]


@pytest.fixture(scope="module")
def drug(make_model):
    made = make_model(
        "drug", ["A"], ("k", "V"), lambda t, x, p, u: {"A": u.flow - p.k * x.A}, lambda p: {"A": 1.0},
        [Input("put", "", "mg"), Input("flow", "", "mg/d", "level")], lambda name, amount, x, p: {"A": x.A + amount},
    )  # fmt: skip
    return derived(made, observables=lambda t, x, p, u: {"C": x.A / p.V})


def test_one_door_with_derivatives_and_without(drug):
    plain = v2v.prepare(drug, DAYS, GIVEN, outputs=["C"])(P)
    assert plain.values.tobytes() == solve.solve(drug, P, None, DAYS, GIVEN, outputs=["C"]).values.tobytes()
    found = v2v.prepare(drug, DAYS, GIVEN, outputs=["C"], sensitivities=["k", "dose:1"])(P)
    expected = sensitivity.sensitivities(drug, P, None, DAYS, GIVEN, ["k", "dose:1"], outputs=["C"])
    assert found.gradients.tobytes() == expected.gradients.tobytes() and found.wrt == ("k", "dose:1")
    assert found.gradients.shape == (2, 3, 1, 2) and np.all(found.gradients[:, 2, 0] * [-1, 1] > 0)
    assert v2v.prepare(drug, DAYS, sensitivities=["k"])(P).names == ("A",)
    assert v2v.prepare(drug, DAYS, sensitivities=[])(P).gradients.shape == (2, 3, 1, 0)


OPTIONS = {
    "begin": -1.0, "levels": {"flow": 0.3}, "events": [Event("low", lambda t, x, p, u: 0.5 - x.A, "put", 1.0)],
    "rtol": 1e-7, "backend": "plain", "method": "rodas4", "max_step": 0.3, "max_steps": 777, "threads": 1, "width": 2,
}  # fmt: skip


@pytest.mark.parametrize("wrt", [None, ("k",)])
def test_everything_is_handed_on(drug, monkeypatch, wrt):
    taken = {}
    where = solve if wrt is None else sensitivity
    monkeypatch.setattr(where, "prepare", lambda *given, **named: taken.update(named, given=given))
    own = {**OPTIONS, "summaries": [Summary("s", "end", "A")]} if wrt is None else OPTIONS
    door.prepare(drug, DAYS, GIVEN, outputs=["C"], sensitivities=wrt, **own)
    given = taken.pop("given")
    assert given == ((drug, DAYS, GIVEN) if wrt is None else (drug, DAYS, GIVEN, wrt))
    assert list(taken.pop("outputs")) == ["C"] and taken == own
    every = set(inspect.signature(door.prepare).parameters)
    assert every == {*OPTIONS, "model", "days", "doses", "outputs", "sensitivities", "summaries"}


def test_what_is_not_differentiated_is_refused_by_name(drug):
    with pytest.raises(InputError, match="summaries are not differentiated; leave them out"):
        v2v.prepare(drug, DAYS, summaries=[Summary("s", "end", "A")], sensitivities=["k"])
    with pytest.raises(InputError, match="outputs is False, and nothing is left to differentiate"):
        v2v.prepare(drug, DAYS, outputs=False, sensitivities=["k"])
    with pytest.raises(InputError, match="a steady state or a reset sets the state"):
        v2v.prepare(drug, DAYS, [Dose("put", 1.0, interval=1.0, steady_state=1)], sensitivities=["k"])
    with pytest.raises(InputError, match=r"dose number 0 \(from 0\): its amount .* is too large to compute with"):
        v2v.prepare(drug, DAYS, [Dose("put", 1e300, duration=1e-300)], sensitivities=["k"])(P)


@pytest.mark.parametrize(
    "dose", [(0.0, "car_t_infusion", 1.0), Dose("car_t_infusion", 1.0, additional=1, interval=2.0)]
)
def test_what_was_used_goes_to_another_process(dose):
    p = [[STEIN.example[k] for k in STEIN.parameters]]
    prepared = v2v.prepare(STEIN, [0.0, 3.0, 20.0], [dose], sensitivities=["Tmax", "dose:0"], rtol=1e-7, threads=1)
    found = prepared(p)
    for again in (pickle.loads(pickle.dumps(prepared)), copy.deepcopy(prepared)):
        assert again(p).gradients.tobytes() == found.gradients.tobytes()
