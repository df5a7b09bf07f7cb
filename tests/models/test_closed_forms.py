"""Closed forms against the equations: boluses, infusions, repeats, steady states; and what is refused."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import vein2vein as v2v
from vein2vein.errors import InputError
from vein2vein.models.closed_form import Exponentials, SinceDose, absorbed, inputs_of, left_of_unit
from vein2vein.models.model import named

LINEAR = ["one_compartment_iv", "one_compartment_oral", "two_compartment_iv", "two_compartment_oral"]
TIMES = np.array([0.0, 0.05, 0.3, 0.7, 1.0, 1.4, 2.5])


def by_form(model, times, amount=100.0, lasted=None, interval=None):
    p = named(model.parameters, np.array([model.example[k] for k in model.parameters]))
    (name,) = inputs_of(model.closed_form)
    parts = model.closed_form.terms(name, p)["concentration"]
    return amount * sum(size * left_of_unit(rate, times, lasted, interval) for size, rate in parts)


def by_equations(model, times, **how):
    (name,) = inputs_of(model.closed_form)
    dose = v2v.Dose(name, 100.0, **how)
    return v2v.solve(model, model.example, None, times, [dose], outputs=["concentration"], rtol=1e-9).values[0, :, 0]


@pytest.mark.parametrize("name", LINEAR)
@pytest.mark.parametrize(
    ("form", "equations"),
    [
        ((None, None), {}),
        ((0.4, None), {"duration": 0.4}),
        ((None, 0.5), {"interval": 0.5, "steady_state": 1}),
        ((0.4, 0.5), {"interval": 0.5, "duration": 0.4, "steady_state": 1}),
        ((0.8, 0.5), {"interval": 0.5, "duration": 0.8, "steady_state": 1}),
    ],
    ids=["bolus", "infusion", "steady", "infusions", "overlapping"],
)
def test_closed_forms_say_what_the_equations_say(name, form, equations):
    model = v2v.find_model(name)
    lasted, interval = (None if x is None else np.full(len(TIMES), x) for x in form)
    found, solved = by_form(model, TIMES, 100.0, lasted, interval), by_equations(model, TIMES, **equations)
    assert np.max(np.abs(found - solved)) < 2e-6 * solved.max()


def test_a_hand_computed_bolus():
    model = v2v.find_model("one_compartment_iv")
    assert by_form(model, np.array([0.5])) == pytest.approx(100 / 40 * np.exp(-48 / 40 * 0.5))


@settings(max_examples=15)
@given(st.floats(0.05, 5.0), st.floats(0.0, 6.0), st.floats(0.1, 3.0), st.floats(0.1, 2.0))
def test_a_steady_state_is_the_sum_of_all_that_came_before(rate, since, lasted, interval):
    ks = np.arange(4000)
    once = left_of_unit(np.full(4000, rate), since + interval * ks, np.full(4000, lasted), None).sum()
    at_once = np.exp(-rate * (since + interval * ks)).sum()
    one = np.array([rate]), np.array([since])
    assert left_of_unit(*one, np.array([lasted]), np.array([interval]))[0] == pytest.approx(once, rel=1e-8)
    assert left_of_unit(*one, None, np.array([interval]))[0] == pytest.approx(at_once, rel=1e-8)
    mixed = left_of_unit(
        np.full(3, rate), np.full(3, since), np.array([0.0, lasted, 0.0]), np.array([0.0, 0, interval])
    )
    assert mixed == pytest.approx([np.exp(-rate * since), left_of_unit(*one, np.array([lasted]), None)[0], at_once])


def test_equal_rates_have_a_limit():
    rate = np.array([0.7])
    parts = absorbed([(np.ones(1), rate)], rate)
    found = sum(size * np.exp(-own * 2.0) for size, own in parts)
    assert found == pytest.approx(0.7 * 2.0 * np.exp(-1.4), rel=1e-5)


def test_stein_by_either_way():
    model = v2v.find_model("stein_2019")
    assert isinstance(model.closed_form, SinceDose) and inputs_of(model.closed_form) == ("car_t_infusion",)
    days = np.array([0.0, 2.0, 9.3, 12.0, 100.0, 500.0])
    p = named(model.parameters, np.array([model.example[k] for k in model.parameters]))
    solved = v2v.solve(model, model.example, None, days, model.example_doses, outputs=["transgene"]).values[0, :, 0]
    assert model.closed_form.values(days, p)["transgene"] == pytest.approx(solved, rel=1e-5)


def test_what_is_no_closed_form_or_unit_of_time_is_refused():
    from dataclasses import replace

    model = v2v.find_model("one_compartment_iv")
    with pytest.raises(InputError, match="its closed_form is 'exp'; give Exponentials, SinceDose or None"):
        replace(model, closed_form="exp")
    with pytest.raises(InputError, match="its closed form: unknown input 'iv'; did you mean iv_dose"):
        replace(model, closed_form=Exponentials(("iv",), model.closed_form.terms))
    with pytest.raises(InputError, match=r"its time_unit: .*kg"):
        replace(model, time_unit="kg")
    with pytest.raises(InputError, match="its time_unit is 3"):
        replace(model, time_unit=3)
    assert replace(model, time_unit="h").time_unit == "h"
