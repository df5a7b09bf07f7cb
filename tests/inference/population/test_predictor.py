"""Predictions by closed form and by the equations say the same, whatever is given; failures stay where they are."""

from dataclasses import replace

import numpy as np
import pytest

import vein2vein as v2v
from vein2vein.inference.population.population import populate
from vein2vein.inference.population.problem import DoseModel, EndpointModel, FitParameter, FitProblem, Settings
from vein2vein.models.model import Input, Model, State

SOLVED = Settings(solver="equations", rtol=1e-9)
CASES = {
    "boluses": [(0, 0.0, 3.0), (0, 1.0, 2.0), (1, 0.0, 1.0)],
    "infusion": [{"course": 0, "amount": 3.0, "rate": 4.0}, {"course": 1, "amount": 2.0}],
    "duration": [{"course": 0, "amount": 3.0, "rate": 6.0, "duration": 0.5}, {"course": 1, "amount": 2.0}],
    "repeats": [{"course": 0, "amount": 1.0, "additional": 3, "interval": 0.7}, (1, 0.5, 2.0)],
    "steady": [(0, 0.0, 9.0), {"course": 0, "time": 0.6, "amount": 2.0, "interval": 0.5, "steady": 1}, (1, 0.0, 1.0)],
    "added": [(0, 0.0, 9.0), {"course": 0, "time": 0.6, "amount": 2.0, "interval": 0.5, "steady": 2}, (1, 0.0, 1.0)],
    "infusions": [{"course": 0, "amount": 2.0, "rate": 8.0, "interval": 0.5, "steady": 1}, (1, 0.0, 1.0)],
    "for ever": [{"course": 0, "amount": 0.0, "rate": 5.0, "steady": 1}, (1, 0.0, 1.0)],
}


def drug(make, doses, model="two_compartment_iv", extra=None, how=None):
    seen = make.study([0] * 5 + [1] * 3, [0.0, 0.3, 0.6, 1.2, 2.4, 0.1, 0.7, 3.0], np.ones(8), doses=doses)
    found = v2v.find_model(model)
    parameters = {name: make.lognormal(value / 20, 0.3) for name, value in found.example.items()}
    given = {found.inputs[0].name: how} if how else {}
    return FitProblem(found, seen, parameters | (extra or {}), {"y": EndpointModel()}, doses=given)


def both(problem, effects=None):
    form, solved = populate(problem), populate(replace(problem, settings=SOLVED))
    assert form.closed and not solved.closed
    rng = np.random.default_rng(1)
    drawn = 0.4 * rng.standard_normal((3, form.subjects, form.effects)) if effects is None else effects
    return form.f(form.mean(form.beta), drawn), solved.f(solved.mean(solved.beta), drawn)


@pytest.mark.parametrize("case", CASES)
def test_closed_form_and_equations_agree(make, case):
    form, solved = both(drug(make, CASES[case]))
    assert form.shape == (3, 8) and form.max() > 0.01
    assert np.max(np.abs(form - solved)) < 3e-6 * solved.max()


def test_lag_bioavailability_and_modelled_duration(make):
    how = DoseModel(lag="late", bioavailability="share", duration="long")
    rows = [{"course": 0, "amount": 3.0, "rate": -2.0}, {"course": 1, "amount": 3.0, "rate": -2.0}, (0, 1.0, 2.0)]
    late = {"late": make.lognormal(0.2, 0.3)}
    more = {"long": make.lognormal(0.3, 0.3), "share": FitParameter(0.6, law="logitnormal", omega=0.3)}
    form, solved = both(drug(make, rows, "one_compartment_oral", late | more, how))
    assert np.max(np.abs(form - solved)) < 3e-6 * solved.max()
    assert np.all(form[:, 0] == 0) and np.all(form[:, 5] == 0)  # before it arrives
    steady = [{"course": 0, "amount": 2.0, "interval": 0.5, "steady": 1}, {"course": 1, "amount": 2.0}]
    form, solved = both(drug(make, steady, extra=late, how=DoseModel(lag="late")))
    assert np.max(np.abs(form - solved)) < 3e-6 * solved.max()


def test_rate_as_a_parameter(make):
    rows = [{"course": 0, "amount": 3.0, "rate": -1.0}, {"course": 1, "amount": 1.0}]
    form, solved = both(drug(make, rows, extra={"R1": make.lognormal(4.0, 0.3)}, how=DoseModel(rate="R1")))
    assert np.max(np.abs(form - solved)) < 3e-6 * solved.max()


def test_a_row_before_a_dose_of_its_own_time_does_not_see_it(make):
    rows = [(0, 0.0, 1.0), {"course": 0, "time": 0.6, "amount": 50.0, "line": 500}, (1, 0.0, 1.0)]
    form, solved = both(drug(make, rows))
    assert np.max(np.abs(form - solved)) < 3e-6 * solved.max() and form[0, 2] < form[0, 1] < form[0, 3]


def test_stein_by_either_way_with_a_lag(make):
    model = v2v.find_model("stein_2019")
    days = np.tile([1.0, 6.0, 9.0, 12.0, 40.0, 200.0], 2)
    seen = make.study(np.repeat([0, 1], 6), days, np.ones(12), endpoints=("transgene",))
    start = {n: make.lognormal(model.example[n], 0.4) for n in ("foldx", "Tmax", "Cmax", "alpha", "FB", "beta")}
    problem = FitProblem(model, seen, start, {"transgene": EndpointModel(scale="log")})
    form, solved = both(problem)
    assert np.max(np.abs(np.log(form / solved))) < 1e-4
    how, natural = {"car_t_infusion": DoseModel(lag="late")}, {"transgene": EndpointModel()}
    late = replace(problem, parameters={**start, "late": make.lognormal(2.0, 0.1)}, doses=how, endpoints=natural)
    form = populate(late).f(populate(late).mean(populate(late).beta), np.zeros((1, 2, 7)))
    assert np.all(form[0, [0, 6]] == 0) and np.all(form[0, 1:6] > 0)


def test_the_equations_are_solved_where_the_closed_form_does_not_serve(make):
    model = v2v.find_model("stein_2019")
    start = {n: make.lognormal(model.example[n], 0.4) for n in ("foldx", "Tmax", "Cmax", "alpha", "FB", "beta")}
    doses = [{"course": 0, "target": "car_t_infusion"}, {"course": 0, "time": 3.0, "target": "tocilizumab"}]
    seen = make.study([0, 0, 0], [2.0, 9.0, 90.0], np.ones(3), endpoints=("transgene",), doses=doses)
    found = populate(FitProblem(model, seen, start, {"transgene": EndpointModel()}))
    assert not found.closed and any("does not know doses of tocilizumab" in note for note in found.notes)
    twice = replace(seen, doses=make.dose_rows([(0, 0.0, 1.0), (0, 1.0, 1.0)]))
    again = populate(FitProblem(model, twice, start, {"transgene": EndpointModel()}))
    assert any("does not know a second dose" in note for note in again.notes)


def own_model(**more):
    given = {
        "name": "own", "title": "Growth with a level", "source": "none",
        "states": [State("A", "amount", "1", low=0.0, scale=1e-3)],
        "inputs": [Input("put", "at once", "1"), Input("WT", "weight", "kg", "level")], "parameters": ["k", "V"],
        "equations": lambda t, x, p, u: {"A": -p.k * u.WT * x.A}, "initial": lambda p: {},
        "apply_dose": lambda name, amount, x, p: {"A": x.A + amount},
        "observables": lambda t, x, p, u: {"y": x.A / p.V}, "time_unit": "",
    }  # fmt: skip
    return Model(**given | more)


def test_a_level_follows_the_covariate_of_its_name(make):
    from vein2vein.io.study.study import Covariate

    start = {"k": make.lognormal(0.5, 0.3), "V": make.lognormal(2.0, 0.3)}
    seen = make.study([0, 0, 1, 1], [0.5, 2.0, 1.0, 3.0], np.ones(4), covariates=[make.constant("WT", [1.0, 2.0])])
    found = populate(FitProblem(own_model(), seen, start, {"y": EndpointModel()}, settings=SOLVED))
    f = found.f(found.mean(found.beta), np.zeros((1, 2, 2)))[0]
    assert f == pytest.approx(np.exp(-0.5 * np.array([0.5, 2.0, 2.0, 6.0])) / 2, rel=1e-6)
    changing = Covariate("WT", None, (), ((np.array([0.0, 1.0]), np.array([1.0, 3.0])), (np.zeros(1), np.ones(1))))
    found = populate(FitProblem(own_model(), replace(seen, covariates={"WT": changing}), start, {"y": EndpointModel()},
                                settings=SOLVED))  # fmt: skip
    f = found.f(found.mean(found.beta), np.zeros((1, 2, 2)))[0]
    assert f == pytest.approx(np.exp(-0.5 * np.array([0.5, 1.0 + 3.0, 1.0, 3.0])) / 2, rel=1e-6)
    none = populate(FitProblem(own_model(observables=lambda t, x, p, u: {"y": x.A / p.V + 0 * u.WT + p.k}),
                               replace(seen, covariates={}), start, {"y": EndpointModel()}))  # fmt: skip
    assert "held at 0, since no covariate is called so: WT" in none.notes


def test_parameters_that_change_within_a_course(make):
    """Another occasion: its own rate from its dose on, and the amount carried over."""
    from vein2vein.inference.population.problem import Occasions, Omega

    model = own_model(equations=lambda t, x, p, u: {"A": -p.k * x.A}, inputs=[Input("put", "at once", "1")])
    seen = make.study(
        [0] * 4, [0.5, 1.0, 2.0, 3.0], np.ones(4), occasion=[0, 0, 1, 1], doses=[(0, 0.0, 1.0), (0, 1.5, 4.0)]
    )
    problem = FitProblem(model, seen, {"k": make.lognormal(0.5, 0.3), "V": make.lognormal(2.0, 0.3)},
                         {"y": EndpointModel()}, Omega(occasion=Occasions(("k", "V"))), settings=SOLVED)  # fmt: skip
    found = populate(problem)
    assert found.effects == 2 + 2 * 2
    z = np.array([0.1, -0.2, 0.3, 0.05, -0.4, 0.2])
    f = found.f(found.mean(found.beta), z[None, None])[0]
    k, v = 0.5 * np.exp(0.1 + z[[2, 4]]), 2.0 * np.exp(-0.2 + z[[3, 5]])
    left = np.exp(-k[0] * 1.5)
    expected = [np.exp(-k[0] * 0.5) / v[0], np.exp(-k[0]) / v[0], (left + 4) * np.exp(-k[1] * 0.5) / v[1],
                (left + 4) * np.exp(-k[1] * 1.5) / v[1]]  # fmt: skip
    assert f == pytest.approx(expected, rel=1e-6)


def test_who_cannot_be_solved_is_lost_alone(make):
    model = own_model(
        equations=lambda t, x, p, u: {"A": -p.k * x.A + 1e-9 * np.log(100 - p.k)}, inputs=[Input("put", "", "1")]
    )
    seen = make.study([0, 0, 1, 1], [0.5, 2.0, 1.0, 3.0], np.ones(4))
    found = populate(FitProblem(model, seen, {"k": make.lognormal(0.5, 0.3), "V": make.lognormal(2.0, 0.3)},
                                {"y": EndpointModel()}))  # fmt: skip
    effects = np.zeros((2, 2, 2))
    effects[1, 0, 0] = 30.0
    f = found.f(found.mean(found.beta), effects)
    assert np.isnan(f[1, :2]).all() and np.isfinite(f[0]).all() and np.isfinite(f[1, 2:]).all()
    assert found.likelihood(f, found.sigma)[1, 0] <= -1e10 and found.likelihood(f, found.sigma)[1, 1] > -100


def test_many_copies_are_solved_in_parts(make, monkeypatch):
    from vein2vein.inference.population import by_equations

    problem = replace(drug(make, CASES["boluses"]), settings=SOLVED)
    whole = populate(problem)
    effects = 0.3 * np.random.default_rng(2).standard_normal((7, 2, 4))
    expected = whole.f(whole.mean(whole.beta), effects)
    monkeypatch.setattr(by_equations, "MOST_ROWS", 6)
    part = populate(problem)
    assert np.array_equal(part.f(part.mean(part.beta), effects), expected)
