"""A trial file is read as it is written: every field of a trial, its arms and its published rows."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from vein2vein.cards import parse_card
from vein2vein.trials.checks import unseen
from vein2vein.trials.endpoints.measures import ENDPOINTS
from vein2vein.trials.published import BY_INTERVAL, SCALES, TOLERANCES, UNITS, Published, arguments_of, fits
from vein2vein.trials.trial import (
    Trial,
    enroll_and_treat,
    follow_up_at,
    list_trials,
    load_trial,
    one_arm,
    read_trial,
    run_trial,
    screened_for,
)

BARE = Path(__file__).with_name("spoiled.toml").read_text(encoding="utf-8")
HEAD = BARE.split("[[published]]")[0]
ENTRY = 'title = "One"\nregistry = "NCT1"\nphase = "2"'
RICH = f"""{HEAD.replace('title = "One dose"', ENTRY)}
[transplant]
share = 0.3
first_day = 60
last_day = "6 months"
how = "assumed"
why = "x"

[waiting.bridging_share]
law = "bernoulli"
probability = 0.8
how = "assumed"
why = "x"

[waiting.screening_failure]
law = "bernoulli"
probability = 0.25
how = "assumed"
why = "x"

[[arms]]
name = "low"
size = 20
dose = "1e8 cells"

[[arms]]
name = "shelf"
title = "Off the shelf"
size = 10
disease = "lbcl"
product = "allogeneic_cd19"
conditioning = "none"

[arms.population.age]
law = "fixed"
value = 50
how = "assumed"
why = "x"

[[published]]
trial = "ZUMA"
arm = "phase 2"
quantity = "OS"
definition = "t=3mo"
value = 60
lo95 = 50.5
hi95 = 70.5
spread = "none"
n = 20
draw = 18
unit = "%"
source = "hay_2017"
where = "Fig. 2"
confidence = "memory"
kind = "design"
endpoint = "survival"
event = "OS"
clock = "enrolment"
censor_transplant = true
among = "enrolled"
time = "3 months"
cutoff = "early"
weight_from = 40
weight_to = 90
age_from = 18
age_to = 80
lines_from = 1
lines_to = 9
burden_from = 5
burden_to = 7500
burden_unit = "e6/kg"
arms = ["shelf", "low"]
tolerance = 12
tolerance_kind = "points"

[[published]]
quantity = "Cmax"
value = 40000
unit = "copies/ug gDNA"
confidence = "read"
endpoint = "cmax"
statistic = "geometric mean"

[[published]]
quantity = "ICU"
value = 25
unit = "%"
confidence = "read"
reason = "not simulated"
"""


def read(text: str) -> Trial:
    return read_trial(parse_card(text, "my.toml"))


@pytest.fixture(scope="module")
def rich() -> Trial:
    return read(RICH)


def test_every_field_of_a_published_row_is_the_one_of_the_file(rich):
    row = rich.published[0]
    expected = Published(
        trial="ZUMA", arm="phase 2", quantity="OS", definition="t=3mo", value=60.0, low=50.5, high=70.5, spread="none",
        n=20.0, unit="%", source="hay_2017", where="Fig. 2", confidence="memory", kind="design", endpoint="survival",
        arguments={"event": "OS", "clock": "enrolment", "censor_transplant": True, "never_infused": "event"},
        among="enrolled", draw=18,
        statistic="median", time=3 * 365.25 / 12, cutoff="early", weight_from=40.0, weight_to=90.0, reason="",
        arms=("shelf", "low"), tolerance=12.0, tolerance_kind="points", age_from=18.0, age_to=80.0, lines_from=1.0,
        lines_to=9.0, burden_from=5.0, burden_to=7500.0, burden_unit="e6/kg",
    )  # fmt: skip
    assert dataclasses.asdict(row) == dataclasses.asdict(expected)


def test_what_a_published_row_leaves_out_has_its_usual_value(rich):
    row = dataclasses.asdict(rich.published[1])
    unknown = {name for name, value in row.items() if isinstance(value, float) and np.isnan(value)}
    assert unknown == {"low", "high", "n", "tolerance"}
    assert {name: value for name, value in row.items() if name not in unknown} == {
        "trial": "uno", "arm": "", "quantity": "Cmax", "definition": "", "value": 40000.0, "spread": "",
        "unit": "copies/ug gDNA", "source": "", "where": "", "confidence": "read", "kind": "outcome",
        "endpoint": "cmax", "arguments": {}, "among": "infused", "draw": 0, "statistic": "geometric mean", "time": None,
        "cutoff": "", "weight_from": 0.0, "weight_to": np.inf, "reason": "", "blasts_from": 0.0, "blasts_below": np.inf,
        "arms": (), "tolerance_kind": "", "age_from": 0.0, "age_to": np.inf, "lines_from": 0.0, "lines_to": np.inf,
        "burden_from": 0.0, "burden_to": np.inf, "burden_unit": "e6/kg",
    }  # fmt: skip
    assert (rich.published[2].reason, rich.published[2].endpoint) == ("not simulated", "")
    assert read(RICH.replace("draw = 18\n", "")).published[0].draw == 20  # as many as were published
    named = read(RICH.replace('registry = "NCT1"', 'published_as = "U-1"'))
    assert [row.trial for row in named.published] == ["ZUMA", "U-1", "U-1"]


def test_every_field_of_a_trial_is_the_one_of_the_file(rich):
    assert (rich.name, rich.title, rich.registry, rich.phase) == ("uno", "One", "NCT1", "2")
    assert (rich.policy, rich.conditioning, rich.scale, rich.dose) == (
        "early_permissive", "light", "lee2014", "4.1e8 cells",
    )  # fmt: skip
    assert (rich.disease.name, rich.product.name) == ("adult_b_all", "obecabtagene_autoleucel")
    assert (rich.patients, rich.enrolled, rich.infused) == (20, 60, 54)
    assert set(rich.population) == {"age"} and rich.population["age"].numbers["mean"] == 45
    assert rich.vein_to_vein is not None and rich.vein_to_vein.numbers["high"] == 40
    assert rich.bridging_share is not None and rich.bridging_share.numbers["probability"] == 0.8
    assert rich.screening_failure == 0.25
    assert rich.transplant == (0.3, 60.0, 6 * 365.25 / 12)
    assert (rich.plan.follow_up, rich.plan.disease_visits, rich.plan.kinetics_samples) == (
        365, (28, 90, 365), (1, 7, 28),
    )  # fmt: skip
    assert (rich.accrual, dict(rich.cutoffs), rich.until) == (100, {"early": 90}, 56)
    assert (rich.assays["transgene"].kind, rich.assays["transgene"].sample) == ("poisson", 10)
    assert (rich.file, rich.text) == ("my.toml", RICH)
    assert [drug.name for drug in rich.regimens["light"].drugs] == ["fludarabine", "cyclophosphamide"]
    bare = read(BARE)
    assert (bare.registry, bare.phase, bare.transplant, bare.arms) == ("", "", (0.0, 0.0, 0.0), ())
    assert (bare.bridging_share, bare.screening_failure) == (None, 0.0)
    assert read(BARE.replace("accrual = 100", "")).accrual == 0


def test_what_an_arm_leaves_out_is_as_in_the_trial(rich):
    low, shelf = rich.arms
    assert (low.name, low.title, low.size, low.dose, low.conditioning) == ("low", "low", 20, "1e8 cells", "light")
    assert (low.disease, low.product, dict(low.population)) == (rich.disease, rich.product, {})
    assert (shelf.title, shelf.size, shelf.dose, shelf.conditioning) == ("Off the shelf", 10, "4.1e8 cells", "none")
    assert (shelf.disease.name, shelf.product.name) == ("lbcl", "allogeneic_cd19")
    alone = one_arm(rich, shelf)
    assert (alone.disease, alone.product, alone.dose, alone.conditioning) == (
        shelf.disease, shelf.product, "4.1e8 cells", "none",
    )  # fmt: skip
    assert alone.population["age"].numbers == {"value": 50}
    assert alone.arms == () and alone.plan == rich.plan


def test_an_argument_of_a_row_goes_before_that_of_the_table():
    more = 'endpoint = "responded"\nresponses = ["CRi"]\nresponse_by = "2 months"'
    own = read(BARE.replace('endpoint = "responded"', more))
    assert own.published[0].arguments == {"responses": ("CRi",), "response_by": 2 * 365.25 / 12}
    assert read(BARE).published[0].arguments == {"responses": ("CR", "CRi"), "response_by": 100}
    row = '\n[[published]]\nquantity = "X"\nvalue = 5\nunit = "%"\nconfidence = "read"\n'
    rows = {
        'endpoint = "crs"\ngrade = 2': {"scale": "lee2014", "grade": 2, "until": 56},
        'endpoint = "infection"\nsevere = true': {"severe": True, "until": 56},
        'endpoint = "oxygen"\ndevice = "mask"\nuntil = 10': {"device": "mask", "until": 10},
        'endpoint = "count_recovered"\nline = "platelets"\nabove = 50\nday = 28': {
            "line": "platelets", "above": 50, "day": 28,
        },
        'endpoint = "not_infused"\nreasons = ["death", "not eligible"]': {"reasons": ("death", "not eligible")},
        'endpoint = "given"\ntreatments = ["tocilizumab", "dexamethasone"]': {
            "treatments": ("tocilizumab", "dexamethasone"), "until": 56,
        },
    }  # fmt: skip
    for text, arguments in rows.items():
        found = read(f"{BARE}{row}{text}\n").published[-1].arguments
        assert found == arguments and list(map(type, found.values())) == [
            type(float(v)) if type(v) is int and name != "grade" else type(v) for name, v in arguments.items()
        ]


CHOICES = {
    "scale": ("crs", "grade = 1", ("astct", "lee2014", "penn")),
    "event": ("survival", "", ("OS", "EFS", "PFS", "RFS", "DOR")),
    "clock": ("survival", 'event = "OS"', ("infusion", "enrolment")),
    "antigen": ("relapsed", "before_transplant = true", ("any", "positive", "negative")),
    "line": ("count_recovered", "above = 1\nday = 28", ("neutrophils", "platelets")),
    "device": ("oxygen", "", ("none", "nasal cannula", "mask", "high-flow cannula", "positive pressure", "ventilator")),
}
LISTS = {
    "reasons": (
        "not_infused",
        "",
        ("manufacturing failure", "death", "adverse event", "progression", "not eligible"),
    ),
    "responses": ("best_response", "", ("CR", "CRh", "CRi", "PR", "SD", "PD", "NR", "sCR", "VGPR")),
    "lines": ("cytopenia", "grade = 3\nday = 28", ("neutropenia", "thrombocytopenia")),
}


@pytest.mark.parametrize("name", [*CHOICES, *LISTS])
def test_an_argument_takes_these_choices(name):
    endpoint, more, choices = {**CHOICES, **LISTS}[name]
    row = f'\n[[published]]\nquantity = "X"\nvalue = 5\nunit = "%"\nconfidence = "read"\nendpoint = "{endpoint}"\n'
    time = "time = 30\n" if endpoint == "survival" else ""
    for choice in choices:
        given = (choice, "CR") if name == "responses" else (choice,)  # with one that visits of this disease give
        said = f"{name} = {list(given)}" if name in LISTS else f'{name} = "{choice}"'
        found = read(f"{BARE}{row}{time}{more}\n{said}\n").published[-1].arguments[name]
        assert found == (given if name in LISTS else choice)


def test_units_scales_and_tolerances_are_these():
    assert SCALES == ("astct", "lee2014", "penn")
    assert TOLERANCES == ("points", "log10", "days", "percent of value", "patients", BY_INTERVAL)
    assert {shown: meant for shown, meant in UNITS.items() if shown != meant} == {
        "years": "year", "months": "month", "days": "day", "lines": "1", "ratio": "1", "fold": "1", "fraction": "1",
        "hazard ratio": "1", "CAR+ cells": "cells", "CAR+ viable T cells": "cells", "CAR+ cells/kg": "cells/kg",
        "CAR+ viable T cells/kg": "cells/kg", "copies/ug gDNA": "copies/ug", "day*copies/ug gDNA": "day*copies/ug",
    }  # fmt: skip
    assert {shown for shown, meant in UNITS.items() if shown == meant} == {
        "%", "patients", "kg", "1/day", "cells/uL", "day*cells/uL", "mg/m2/day", "mg*h/L",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("endpoint", "unit", "statistic", "time", "said"),
    [
        ("crs", "%", "median", None, ""),
        ("crs", "patients", "median", None, ""),
        ("crs", "days", "median", None, "expected the unit % or patients"),
        ("survival", "%", "median", 30.0, ""),
        ("survival", "patients", "median", 30.0, "expected the unit %"),
        ("survival", "%", "median", None, "expected a unit of day"),
        ("survival", "months", "median", None, ""),
        ("relapse_by_mrd", "hazard ratio", "median", None, ""),
        ("relapse_by_mrd", "%", "median", None, "expected a unit without dimension such as 'ratio'"),
        ("cmax", "fold", "ratio", None, ""),
        ("cmax", "copies/ug gDNA", "ratio", None, "expected a unit without dimension such as 'ratio'"),
        ("cmax", "copies/ug gDNA", "mean", None, ""),
        ("cmax", "cells/uL", "mean", None, "expected a unit of copies/ug"),
        ("tmax", "years", "median", None, ""),
    ],
)
def test_an_endpoint_is_shown_in_units_that_it_can_have(endpoint, unit, statistic, time, said):
    assert fits(endpoint, unit, statistic=statistic, time=time) == said


def test_arguments_of_endpoints_are_those_of_their_functions():
    assert arguments_of("") == []
    assert arguments_of("crs") == ["scale", "grade", "until"]
    assert arguments_of("igg_change") == ["from_day", "until"]
    assert {name for name in ENDPOINTS if unseen(name, "lymphoma")} == {"mrd_negative", "relapse_by_mrd"}
    assert not [name for name in ENDPOINTS if unseen(name, "leukemia") or unseen(name, "myeloma")]


# What a trial does with the patients


def test_screening_counts_everybody_up_to_the_last_one_enrolled():
    assert [screened_for(n, 0.0, seed=3) for n in (1, 2, 50)] == [1, 2, 50]
    from vein2vein.randomness import uniforms

    for failure in (0.14, 0.5, 0.9):
        for enrolled in (1, 7, 40):
            passes = uniforms(5, "screening", np.arange(2000))[:, 0] >= failure
            assert screened_for(enrolled, failure, seed=5) == np.flatnonzero(passes)[enrolled - 1] + 1


def test_follow_up_is_the_median_less_the_patients_own_entry(rich):
    long = dataclasses.replace(rich, accrual=400.0, cutoffs={"early": 90.0, "late": 1000.0})
    from vein2vein.randomness import uniforms

    entered = 400 * (uniforms(9, "date of entry", np.arange(500))[:, 0] - 0.5)
    found = follow_up_at(long, np.arange(500), seed=9)
    np.testing.assert_allclose(found["late"], 1000 - entered)
    np.testing.assert_allclose(found["early"], np.clip(90 - entered, 0, None))
    assert (found["early"] == 0).any() and list(found) == ["early", "late"]


def test_a_trial_of_arms_treats_every_arm_by_its_own_design(rich):
    told = []
    result = run_trial(rich, patients=24, seed=2, progress=lambda share, text: told.append((share, text)))
    journey = result.journey
    arms = journey.patient.arm
    assert set(arms) == {"low", "shelf"}
    assert told[-1] == (1.0, "comparing with the published trial")
    assert journey.patient.number.tolist() == list(range(24))
    assert (journey.patient.age[arms == "shelf"] == 50).all() and (journey.patient.age[arms == "low"] != 50).all()
    for name, position in (("low", 0), ("shelf", 1)):
        numbers = np.flatnonzero(arms == name)
        alone = enroll_and_treat(one_arm(rich, rich.arms[position]), numbers, seed=2)
        np.testing.assert_array_equal(journey.infused[numbers], alone.infused)
        np.testing.assert_array_equal(journey.infusion.cells[numbers], alone.infusion.cells)
        np.testing.assert_array_equal(journey.outcome.best_response[numbers], alone.outcome.best_response)
        np.testing.assert_array_equal(journey.outcome.last_day[numbers], alone.outcome.last_day)
        for analyte in ("transgene", "temperature", "tocilizumab"):
            np.testing.assert_array_equal(journey.course.dense(analyte)[numbers], alone.course.dense(analyte))
        for scale, one in alone.findings.items():
            np.testing.assert_array_equal(journey.findings[scale].grade[numbers], one.grade)
        given = {dose[:-1]: dose[-1] for dose in alone.conditioning.doses}
        merged = {dose[:-1]: dose[-1][numbers] for dose in journey.conditioning.doses}
        for what, amount in merged.items():
            np.testing.assert_array_equal(amount, given.get(what, np.zeros(len(numbers))))
    assert result.screened == screened_for(24, 0.25, 2)
    own = {name: result.provenance[name] for name in ("trial", "trial_file", "patients", "seed", "product", "disease")}
    assert own == {
        "trial": "uno", "trial_file": "my.toml", "patients": 24, "seed": 2,
        "product": "allogeneic_cd19, obecabtagene_autoleucel", "disease": "adult_b_all, lbcl",
    }  # fmt: skip


def test_patients_meet_the_arms_in_proportion_to_their_sizes(rich):
    from vein2vein.trials.arms import arm_of

    found = arm_of(rich.arms, np.arange(6000), seed=4)
    assert set(found) == {0, 1}
    assert (found == 0).mean() == pytest.approx(20 / 30, abs=4 * np.sqrt(2 / 9 / 6000))
    np.testing.assert_array_equal(arm_of(rich.arms, np.arange(50, 60), seed=4), found[50:60])


def test_the_trials_that_come_with_it_are_listed_by_name_and_title():
    assert list_trials() == {name: load_trial(name).title for name in list_trials()}
    assert {"eliana", "zuma_1", "cartitude_1", "seattle"} <= set(list_trials())
    assert load_trial("ZUMA-1") is load_trial("zuma_1")
