"""A scenario: what is given in the patient's own file, treated as the command treats it, and two side by side."""

from dataclasses import replace

import numpy as np
import pytest

from vein2vein.cards import parse_card
from vein2vein.errors import InputError
from vein2vein.journey.chart import simulate
from vein2vein.journey.scenario import plan_scenario, scenario_of
from vein2vein.therapy.patient import patient_from_card
from vein2vein.therapy.visits import read_plan, up_to_end
from vein2vein.trials.contrast import contrast, design
from vein2vein.trials.scenario import differences, treat_scenario
from vein2vein.trials.virtual_patients import companions

TEXT = """disease = "pediatric_b_all"
age = 11
weight = 39
marrow_blasts = 40
[scenario]
product = "tisagenlecleucel"
dose = "2e6/kg"
companions = 16
seed = 4
[scenario.numbers]
rho = 1.0
"""
SHORT = up_to_end(replace(read_plan(), follow_up=30.0))


def planned(text=TEXT):
    return plan_scenario(parse_card(text, "s.toml"))


def test_a_scenario_is_what_simulate_gives():
    one = planned()
    assert one.companions == 16 and one.seed == 4 and one.numbers.parameters["rho"].value == 1.0
    journey = treat_scenario(one, plan=SHORT)
    known, _ = patient_from_card(parse_card(TEXT, "s.toml"))
    same = simulate(
        companions(known, 16, 4), "tisagenlecleucel", dose="2e6/kg", overlay=one.numbers, seed=4, plan=SHORT
    )
    for name in ("transgene", "il6", "neutrophils"):
        np.testing.assert_array_equal(journey.course.dense(name), same.course.dense(name))
    usual = treat_scenario(planned(TEXT.replace("[scenario.numbers]\nrho = 1.0\n", "")), plan=SHORT)
    assert np.nanmax(usual.course.dense("transgene")) > 1.5 * np.nanmax(journey.course.dense("transgene"))
    assert journey.arms[0].parameters.parameters["rho"].spread == usual.arms[0].parameters.parameters["rho"].spread


def test_a_file_without_a_scenario_says_so():
    bare = TEXT.partition("[scenario]")[0]
    assert scenario_of(parse_card(bare, "s.toml")).product == ""
    with pytest.raises(InputError, match="which product is given"):
        planned(bare)


@pytest.mark.parametrize(
    ("old", "new", "field", "said"),
    [
        ("rho = 1.0", "rh = 1.0", "scenario.numbers.rh", "did you mean"),
        ("rho = 1.0", "rho = 11", "scenario.numbers.rho", "0 to 10"),
        ("rho = 1.0", 'rho = "1 kg"', "scenario.numbers.rho", "1/day"),
        ("rho = 1.0", "BW = 50", "scenario.numbers.BW", "unknown"),
        ('"2e6/kg"', '"much"', "scenario.dose", "much"),
        ('"tisagenlecleucel"', '"tisa"', "scenario.product", "unknown product"),
        ('"tisagenlecleucel"', '"ciltacabtagene_autoleucel"', "scenario.product", "BCMA"),
        ("seed = 4", 'conditioning = "x"', "scenario.conditioning", "unknown"),
        ("seed = 4", 'policy = "x"', "scenario.policy", "unknown"),
        ("seed = 4", "seeds = 4", "scenario.seeds", "seed"),
        ("companions = 16", "companions = 0", "scenario.companions", "1 or more"),
    ],
)
def test_a_fault_has_its_line_and_field(old, new, field, said):
    text = TEXT.replace(old, new)
    with pytest.raises(InputError, match=said) as found:
        planned(text)
    assert found.value.field == field and new.split(" =")[0] in text.splitlines()[found.value.line - 1]


def test_two_scenarios_meet_the_same_luck():
    first, second = treat_scenario(planned(), plan=SHORT), treat_scenario(planned(), plan=SHORT)
    rows = differences(first, second, seed=1)
    assert rows and all(
        row.difference == (1 if row.ratio else 0) and row.low == row.high for row in rows if not row.missing
    )
    weak = treat_scenario(planned(TEXT.replace("rho = 1.0", "rho = 0.3")), plan=SHORT)
    usual = treat_scenario(planned(TEXT.replace("[scenario.numbers]\nrho = 1.0\n", "")), plan=SHORT)
    found = next(row for row in differences(usual, weak, seed=1) if row.quantity == "complete response")
    assert found.difference < -40 and found.low < found.difference < found.high < 0
    with pytest.raises(InputError, match="patient by patient"):
        differences(first, treat_scenario(planned(TEXT.replace("16", "8")), plan=SHORT), seed=1)


def test_the_interval_is_that_of_compare(monkeypatch):
    """The same two journeys give the same rows here and in ``contrast``."""
    from vein2vein.trials.trial import load_trial

    trial = replace(load_trial("eliana"), plan=SHORT)
    one, other = design(trial, dose="1e6/kg"), design(trial, dose="3e6/kg")
    kept = []

    def treat(design_, numbers, seed, progress):
        from vein2vein.trials.trial import enroll_and_treat

        kept.append(enroll_and_treat(design_, numbers, seed=seed))
        yield kept[-1]

    expected = {row.quantity: row for row in contrast(one, other, patients=12, seed=3, treat=treat).rows}
    for row in differences(*kept, seed=3):
        assert repr(row) == repr(expected[row.quantity])
