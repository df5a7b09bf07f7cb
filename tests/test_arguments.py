"""The Python doors: whatever is given, the answer is right or a refusal in one sentence, never a traceback."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import vein2vein
from vein2vein.clinic.care.management import read_policy
from vein2vein.errors import InputError
from vein2vein.therapy.course import Row
from vein2vein.therapy.visits import Plan
from vein2vein.trials.trial import load_trial

SHORT = Plan(
    watch_step=1.0,
    watch_until=2.0,
    contact_every=30.0,
    follow_up=3.0,
    disease_visits=(2.0,),
    kinetics_samples=(1.0, 2.0),
)
PATIENTS = vein2vein.virtual_patients("lbcl", 2, seed=1)
COURSE = vein2vein.course_from_rows([Row(1, 0.0, "crp", 3.0, False, "measured", "")])
OUTCOME = vein2vein.simulate(PATIENTS, "yescarta", plan=SHORT).outcome
JUNK = (
    None, True, 1.5, float("nan"), float("inf"), -1, 0, 10**30, "", "no such thing", "a\0b", "../nowhere.toml", b"x",
    [], [1, "2"], (), {}, {"x": 1}, {1: 2}, {1, 2}, object(), Path("nowhere.toml"), np.array([1.0, np.nan]),
    np.float64(2), lambda *args: None,
)  # fmt: skip


def tiny():
    trial = load_trial("zuma_1")
    return replace(trial, plan=SHORT, published=())


# function -> arguments with which it works and is quick
DOORS = {
    "simulate": {
        "patient": PATIENTS, "product": "yescarta", "dose": None, "regimen": "", "policy": "astct_2019", "plan": SHORT,
        "waiting_law": None, "bridging_share": None, "transplant": (0.0, 0.0, 0.0), "assays": None, "overlay": None,
        "constants": None, "seed": 1, "typical": False, "backend": "batch", "progress": None,
    },
    "run_trial": {
        "trial": tiny(), "patients": 2, "seed": 1, "progress": None, "backend": "batch", "overlay": None,
        "constants": None,
    },
    "load_trial": {"name": "eliana"},
    "virtual_patients": {"disease": "lbcl", "count": 2, "seed": 1, "laws": None},
    "companions": {"patient": vein2vein.virtual_patients("lbcl", 1, seed=1), "count": 2, "seed": 1, "laws": None},
    "find_product": {"name": "yescarta"},
    "find_disease": {"name": "lbcl"},
    "course_from_rows": {"rows": [Row(1, 0.0, "crp", 3.0, False, "measured", "")]},
    "kinetics": {"course": COURSE, "analyte": "transgene", "lloq": 0.0},
    "grade": {"course": COURSE, "age": 40.0, "weight": 70.0, "scales": ("crs_astct",), "organs": True},
    "grade_crs": {"course": COURSE, "age": 40.0, "weight": 70.0, "scale": "astct", "organs": True},
    "grade_icans": {"course": COURSE, "age": 40.0, "criteria": "icans_astct_2019"},
    "treat": {
        "policy": read_policy("astct_2019"), "course": COURSE, "findings": vein2vein.grade(COURSE, age=40.0),
        "weight": 70.0, "day": 0.0, "costimulation": "CD28",
    },
    "time_to_event": {
        "outcome": OUTCOME, "endpoint": "OS", "clock": "infusion", "censor_hsct": False, "criteria": "endpoints",
    },
    "monitor": {
        "record": COURSE, "scale": "astct", "until": None, "product": None, "weight": 70.0, "age": 40.0,
    },
    "read_policy": {"name": "astct_2019"},
    "read_patient": {"path": "nowhere.toml"},
    "read_record": {"path": "nowhere.csv"},
    "analyte": {"name": "crp"},
    "source": {"key": "reference_model_2026"},
    "find_model": {"name": "reference"},
    "find_parameters": {"name": "reference"},
    "kaplan_meier": {"time": [1, 2], "event": [1, 0], "included": None},
    "cumulative_incidence": {"time": [1, 2], "cause": [1, 2], "of": 1, "included": None},
    "log_rank": {"time": [1, 2], "event": [1, 0], "group": [0, 1], "stratum": None, "included": None},
}  # fmt: skip


@pytest.mark.parametrize(
    ("name", "argument"),
    [(name, argument) for name, held in DOORS.items() for argument in held],
)
def test_a_wrong_argument_is_refused_in_a_sentence_or_right(name, argument):
    function, held = getattr(vein2vein, name), DOORS[name]
    for value in JUNK:
        if name == "run_trial" and argument == "patients" and value is None:
            continue  # as the trial file says: right, and long
        try:
            function(**{**held, argument: value})
        except InputError as problem:
            assert str(problem).rstrip()[-1:] in ".?)" and "\n" not in str(problem), (value, str(problem))


@pytest.mark.parametrize("value", [v for v in JUNK if not isinstance(v, Path)], ids=lambda v: type(v).__name__)
def test_results_are_written_and_read_or_refused(value, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # a text is the name of a folder
    for call in (
        lambda: vein2vein.write_trial(value, tmp_path / "out"),
        lambda: vein2vein.read_table(value, "patients"),
        lambda: vein2vein.read_table(tmp_path, value),
    ):
        with pytest.raises(InputError):
            call()


REFUSED = [
    ({"seed": -1}, "seed: found -1, expected a whole number of 0 or more"),
    ({"seed": 1.5}, "seed: found 1.5, expected"),
    ({"seed": True}, "seed: found True, expected"),
    ({"seed": "1"}, "seed: found '1', expected"),
    ({"typical": "yes"}, "typical: found 'yes', expected True or False"),
    ({"backend": "bach"}, "unknown backend 'bach'; did you mean batch"),
    ({"overlay": {"rho": 1.0}}, "overlay: found a dict, expected a ParameterSet"),
    ({"plan": "365 days"}, "plan: found '365 days', expected a Plan"),
    ({"plan": replace(SHORT, disease_visits=[2.0])}, "plan.disease_visits: found a list, expected a tuple of days"),
    ({"dose": "3.1e6 per kilo"}, "expected viable CAR"),
    ({"dose": 3.1e6}, "dose: found 3100000.0, expected text such as"),
    ({"dose": "nan/kg"}, "dose"),
    ({"policy": 5}, "policy: found 5, expected a policy, its name"),
    ({"bridging_share": 1.5}, "bridging_share: found 1.5, expected a number from 0 to 1"),
    ({"transplant": (0.5, 90.0, 30.0)}, "expected a first day before the last"),
    ({"constants": {}}, "constants: found a dict, expected Constants"),
]


@pytest.mark.parametrize(("given_", "said"), REFUSED, ids=[said for _, said in REFUSED])
def test_what_simulate_refuses(given_, said):
    with pytest.raises(InputError) as problem:
        vein2vein.simulate(PATIENTS, "yescarta", **given_)
    assert said in str(problem.value)


PLANS = [
    ({"watch_step": 0.0}, "watch_step: found 0 day, expected a number from 0.25 to 7300 day."),
    ({"contact_every": float("nan")}, "contact_every: found nan day, expected a number from 0.25 to 7300 day."),
    ({"follow_up": float("inf")}, "follow_up: found inf day, expected a number from 0.25 to 7300 day."),
    ({"watch_until": "2"}, "watch_until: found '2', expected a number from 0.25 to 7300 day."),
    ({"disease_visits": (-1.0,)}, "disease_visits.0: found -1 day, expected a number of 0 day or more."),
    ({"kinetics_samples": (2.0, 1.0)},
     "kinetics_samples: found [2.0, 1.0], expected days such as [28, 90, 180] in ascending order."),
]  # fmt: skip


@pytest.mark.parametrize(("changes", "said"), PLANS, ids=[said for _, said in PLANS])
def test_visits_that_cannot_be_are_refused_where_they_are_made(changes, said):
    with pytest.raises(InputError) as problem:
        replace(SHORT, **changes)
    assert str(problem.value) == said
    assert replace(SHORT, disease_visits=(), kinetics_samples=()).disease_visits == ()


FACTS = [
    ({"weight": np.array([70.0, -39.0])}, "patient.weight: found -39 for patient 1"),
    ({"weight": np.array([np.nan, 70.0])}, "patient.weight: found nan for patient 0"),
    ({"weight": np.array([0.0, 70.0])}, "expected a number of kg above 0"),
    ({"age": np.array([np.nan, 50.0])}, "patient.age: found nan"),
    ({"age": np.array([50.0, -1.0])}, "patient.age: found -1"),
    ({"age": np.array([50.0])}, "patient.age: found 1 of them, expected one value for each of 2 patients"),
    ({"age": np.array(["50", "60"])}, "expected numbers"),
    ({"burden": np.array([np.inf, 1.0])}, "patient.burden: found inf"),
    ({"baseline": {"igg": np.array([-1.0, 2.0])}}, "patient.baseline['igg']: found -1"),
    ({"baseline": {"igg": np.array([1.0])}}, "expected one value for each of 2 patients"),
    ({"number": np.array([3, 3])}, "found a number twice"),
    ({"number": np.array([], dtype=int)}, "found no patient"),
    ({"disease": 4}, "patient.disease: found 4"),
]


@pytest.mark.parametrize(("facts", "said"), FACTS, ids=[said for _, said in FACTS])
def test_patients_who_cannot_be_are_refused(facts, said):
    with pytest.raises(InputError) as problem:
        vein2vein.simulate(replace(PATIENTS, **facts), "yescarta", plan=SHORT)
    assert said in str(problem.value)


@settings(max_examples=60)
@given(st.sampled_from(["age", "weight", "height", "burden", "lymphocytes"]), st.floats(width=32))
def test_any_number_as_a_fact_is_computed_or_refused(name, value):
    from vein2vein.journey.entry import check_patient

    patient = replace(PATIENTS, **{name: np.array([value, 1.0])})
    fits = np.isfinite(value) and (value > 0 if name in ("weight", "height") else value >= 0)
    if fits:
        assert check_patient(patient) is patient
    else:
        with pytest.raises(InputError, match=name):
            check_patient(patient)


@pytest.mark.parametrize("patients", [20.5, 0, -3, float("nan"), True, "20", 10**9])
def test_a_number_of_patients_that_is_none_is_refused(patients):
    for call in (
        lambda: vein2vein.run_trial("eliana", patients=patients),
        lambda: vein2vein.virtual_patients("lbcl", patients, seed=1),
    ):
        with pytest.raises(InputError, match="expected a whole number from 1 to 1,000,000"):
            call()


def test_a_trial_is_run_by_its_name_and_by_itself(monkeypatch):
    asked = []
    monkeypatch.setattr("vein2vein.trials.trial.enroll_and_treat", lambda trial, *_, **__: asked.append(trial) or 1 / 0)
    for trial in ("eliana", load_trial("eliana")):
        with pytest.raises(ZeroDivisionError):
            vein2vein.run_trial(trial, patients=2)
    assert asked[0] == asked[1] == load_trial("eliana")


def test_a_policy_is_taken_as_itself_and_by_its_name():
    one, other = (
        vein2vein.simulate(PATIENTS, "yescarta", plan=SHORT, policy=policy)
        for policy in ("early_conservative", read_policy("early_conservative"))
    )
    assert one.provenance["policy"] == other.provenance["policy"] == "early_conservative"
    np.testing.assert_array_equal(one.individual, other.individual)
