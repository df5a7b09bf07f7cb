"""The door of a journey: every refusal as it is read, and what is let through unchanged."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from vein2vein.errors import InputError
from vein2vein.journey import entry
from vein2vein.parameters import ParameterSet
from vein2vein.therapy.dose import Dose
from vein2vein.therapy.laws import Law
from vein2vein.therapy.product import find_product
from vein2vein.therapy.visits import monitoring_days, read_plan
from vein2vein.trials.virtual_patients import virtual_patients
from vein2vein.virtual.assay import Assay
from vein2vein.virtual.constants import bundled

THREE = virtual_patients("lbcl", 3, seed=1)
ONE = virtual_patients("lbcl", 1, seed=1)
NAN, INF = np.nan, np.inf
LAW = Law(field="x", kind="fixed", numbers={"value": 1.0}, unit="", source="", where="", how="assumed", why="x")
A_PATIENT = "a Patient, as read_patient and virtual_patients make them"
EACH = "an array with one value for each patient"
OWN = "found a number twice or below 0, expected one of its own for each patient: their luck goes by it."
NUMBERS = "found no patient, expected an array of whole numbers, one for each."


def refused(said, check, *given):
    """A refusal is one sentence, with the field before it and held apart for programs."""
    with pytest.raises(InputError) as problem:
        check(*given)
    assert str(problem.value) == said
    assert problem.value.field == said.split(": found", 1)[0].split(": unknown", 1)[0]


# what is wrong with patients -> the whole sentence
PATIENTS = [
    ({"disease": 4}, "patient.disease: found 4, expected the name of a disease."),
    ({"disease": " "}, "patient.disease: found ' ', expected the name of a disease."),
    ({"number": [0, 1, 2]}, f"patient.number: found a list, expected {EACH}."),
    ({"number": np.array([[0, 1, 2]])}, f"patient.number: {NUMBERS}"),
    ({"number": np.array([0.0, 1.0, 2.0])}, f"patient.number: {NUMBERS}"),
    ({"number": np.array([], dtype=int)}, f"patient.number: {NUMBERS}"),
    ({"number": np.array([3, 4, 3])}, f"patient.number: {OWN}"),
    ({"number": np.array([5, -1, 3])}, f"patient.number: {OWN}"),
    ({"age": [1.0, 2.0, 3.0]}, f"patient.age: found a list, expected {EACH}."),
    ({"age": np.array([1.0, 2.0])}, "patient.age: found 2 of them, expected one value for each of 3 patients."),
    ({"age": np.array([])}, "patient.age: found 0 of them, expected one value for each of 3 patients."),
    ({"age": np.ones((3, 1))},
     "patient.age: found an array of 2 dimensions, expected one value for each of 3 patients."),
    ({"age": np.array(["1", "2", "3"])}, "patient.age: found values of the type <U1, expected numbers."),
    ({"age": np.array([50.0, NAN, 60.0])},
     "patient.age: found nan for patient 1 in the order given, expected a number of years, 0 or more; correct it."),
    ({"age": np.array([50.0, 60.0, -0.5])},
     "patient.age: found -0.5 for patient 2 in the order given, expected a number of years, 0 or more; correct it."),
    ({"weight": np.array([70.0, 70.0, 0.0])},
     "patient.weight: found 0 for patient 2 in the order given, expected a number of kg above 0; correct it."),
    ({"height": np.array([0.0, 170.0, -1.0])},
     "patient.height: found 0 for patient 0 in the order given, expected a number of cm above 0; correct it."),
    ({"creatinine_clearance": np.array([90.0, INF, 90.0])},
     "patient.creatinine_clearance: found inf for patient 1 in the order given, expected a number of mL/min, "
     "0 or more; correct it."),
    ({"burden": np.array([1.0, 1.0, -1.0])},
     "patient.burden: found -1 for patient 2 in the order given, expected a number of e6/kg, 0 or more; correct it."),
    ({"lymphocytes": np.array([1.0, -1.0, 1.0])},
     "patient.lymphocytes: found -1 for patient 1 in the order given, expected a number, 0 or more; correct it."),
    ({"arm": np.array(["a", "b"])}, "patient.arm: found 2 of them, expected one value for each of 3 patients."),
    ({"leukapheresis_day": np.array([-30.0])},
     "patient.leukapheresis_day: found 1 of them, expected one value for each of 3 patients."),
    ({"lymphodepletion_day": np.array([-5.0])},
     "patient.lymphodepletion_day: found 1 of them, expected one value for each of 3 patients."),
    ({"baseline": [1.0]},
     "patient.baseline: found a list, expected a mapping of analytes to one value for each patient."),
    ({"baseline": {"igg": 3.0}}, f"patient.baseline['igg']: found 3.0, expected {EACH}."),
    ({"baseline": {"igg": np.array([1.0])}},
     "patient.baseline['igg']: found 1 of them, expected one value for each of 3 patients."),
    ({"baseline": {"igg": np.array([1.0, NAN, -2.0])}},
     "patient.baseline['igg']: found -2 for patient 2 in the order given, expected a number, 0 or more; correct it."),
    ({"baseline": {"igg": np.array([1.0, INF, 2.0])}},
     "patient.baseline['igg']: found inf for patient 1 in the order given, expected a number, 0 or more; correct it."),
]  # fmt: skip


@pytest.mark.parametrize(("changes", "said"), PATIENTS, ids=[said for _, said in PATIENTS])
def test_patients_who_cannot_be(changes, said):
    refused(said, entry.check_patient, replace(THREE, **changes))


def test_one_patient_is_not_counted_out():
    for weight, shown in ((-3.0, "-3"), (0.0, "0")):
        said = f"patient.weight: found {shown}, expected a number of kg above 0; correct it."
        refused(said, entry.check_patient, replace(ONE, weight=np.array([weight])))
    refused(f"patient: found 'lbcl', expected {A_PATIENT}.", entry.check_patient, "lbcl")


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"number": np.array([0, 7, 3], dtype=np.uint8)},
        {"age": np.zeros(3), "burden": np.array([0, 1, 2])},
        {"male": np.ones(3, dtype=bool)},
        {"weight": np.array([0.5, 1.0, 300.0])},
        {"arm": np.array(["a", "", "b"]), "leukapheresis_day": np.full(3, -30.0)},
        {"arm": np.empty(0, dtype=str), "lymphodepletion_day": np.empty(0)},
        {"lymphodepletion_day": np.array([-5.0, NAN, -3.0])},  # unknown: by the laws of the regimen
        {"baseline": {"igg": np.array([0.0, NAN, 4.0])}},
        {"baseline": {}},
    ],
    ids=lambda changes: " ".join(changes) or "as drawn",
)
def test_patients_who_can_be_are_given_back(changes):
    told = replace(THREE, **changes)
    assert entry.check_patient(told) is told


def waiting(days, unit="day"):
    return Law("vein_to_vein", "fixed", {"value": days}, unit)


# check, what it is given -> the whole sentence
REFUSED = [
    (entry.check_product, (5,), "product: found 5, expected a product, its name, or the path of a card."),
    (entry.check_product, ("",), "product: found '', expected a product, its name, or the path of a card."),
    (entry.check_policy, (None,), "policy: found None, expected a policy, its name, or the path of a card."),
    (entry.check_plan, (30.0,),
     "plan: found 30.0, expected a Plan, as read_plan makes it, or None for the usual visits."),
    (entry.check_plan, (replace(read_plan(), disease_visits=[28.0]),),
     "plan.disease_visits: found a list, expected a tuple of days, in order."),
    (entry.check_plan, (replace(read_plan(), kinetics_samples=[28.0]),),
     "plan.kinetics_samples: found a list, expected a tuple of days, in order."),
    (entry.check_dose, (1e8,),
     'dose: found 100000000.0, expected text such as "3.1e6/kg" or "1e8" viable CAR+ cells, '
     "or None for the label's rule."),
    (entry.check_dose, (Dose(-1.0),), "dose: found -1.0, expected a number of 0 or more viable CAR+ cells."),
    (entry.check_dose, (Dose(1e8, "yes"),), "dose.per_kg: found 'yes', expected True or False."),
    (entry.check_regimen, (None,), 'regimen: found None, expected a name, a Regimen, "none", or "" for the usual one.'),
    (entry.check_overlay, ("slow",),
     "overlay: found 'slow', expected a ParameterSet, as read_parameters makes it, or None."),
    (entry.check_constants, ("mine",),
     "constants: found 'mine', expected Constants, as vein2vein.virtual.constants makes them, or None."),
    (entry.check_waiting_law, (30.0,), "waiting_law: found 30.0, expected a Law of days, or None."),
    (entry.check_waiting_law, (waiting(5.0, "week"),),
     "waiting_law.unit: found 'week', expected 'day'; give the numbers of this law in days."),
    (entry.check_waiting_law, (Law("v", "share_of", {"of": "weight", "median": 0.5, "logit_sd": 1.0}, "day"),),
     "waiting_law.law: found share_of, expected a law that leans on no other field."),
    (entry.check_share, ("bridging_share", Law("b", "fixed", {"value": 0.5})),
     "bridging_share.law: found fixed, expected bernoulli with a probability."),
    (entry.check_patient, (replace(THREE, antigens={"CD19": np.array([1.0, NAN, 1e300])}),),
     "patient.antigens['CD19']: found 1e+300, expected at most 1e+08 molecules per cell."),
    (entry.check_share, ("bridging_share", 1.01), "bridging_share: found 1.01, expected a number from 0 to 1."),
    (entry.check_share, ("bridging_share", -0.01), "bridging_share: found -0.01, expected a number from 0 to 1."),
    (entry.check_transplant, (0.5,), "transplant: found 0.5, expected a tuple (share, first day, last day)."),
    (entry.check_transplant, ((0.5, 1.0),),
     "transplant: found 2 values, expected a tuple (share, first day, last day)."),
    (entry.check_transplant, ((0.5, 1.0, 2.0, 3.0),),
     "transplant: found 4 values, expected a tuple (share, first day, last day)."),
    (entry.check_transplant, ((1.5, 1.0, 2.0),), "transplant: found 1.5, expected a number from 0 to 1."),
    (entry.check_transplant, ((-0.5, 1.0, 2.0),), "transplant: found -0.5, expected a number from 0 to 1."),
    (entry.check_transplant, ((0.5, -1.0, 2.0),), "transplant: found -1.0, expected a number of 0 or more days."),
    (entry.check_transplant, ((0.5, 1.0, NAN),), "transplant: found nan, expected a number of 0 or more days."),
    (entry.check_transplant, ((0.5, 90.0, 30.0),),
     "transplant: found 90 to 30, expected a first day before the last."),
    (entry.check_assays, ([],), "assays: found a list, expected a mapping of analytes to Assay, or None."),
    (entry.check_assays, ({1: Assay("normal")},), "assays: found 1, expected names of analytes."),
    (entry.check_assays, ({"crp": 0.1},), "assays['crp']: found 0.1, expected an Assay."),
    (entry.check_backend, (2,), "backend: found 2, expected one of batch, plain."),
    (entry.check_backend, ("bach",), "backend: unknown backend 'bach'; did you mean batch?"),
]  # fmt: skip


@pytest.mark.parametrize(("check", "given", "said"), REFUSED, ids=[said for _, _, said in REFUSED])
def test_what_is_refused(check, given, said):
    refused(said, check, *given)


def test_what_is_not_given_is_the_usual():
    assert entry.check_plan(None) == read_plan()
    assert entry.check_constants(None) is bundled()
    assert entry.check_assays(None) == {}
    for check in (entry.check_dose, entry.check_overlay, entry.check_waiting_law):
        assert check(None) is None
    assert entry.check_share("bridging_share", None) is None


def test_what_can_be_is_given_back():
    product, policy = find_product("yescarta"), entry.check_policy("astct_2019")
    assert entry.check_product(product) is product == entry.check_product("yescarta")
    assert entry.check_policy(policy) is policy and policy.name == "astct_2019"
    plan = read_plan()
    assert entry.check_plan(plan) is plan
    cut = entry.check_plan(replace(plan, follow_up=400.0))
    assert max(cut.disease_visits) <= 400 and monitoring_days(cut)[-1] == 400  # none after the end of follow-up
    assert entry.check_dose("3.1e6/kg") == Dose(3.1e6, True) and entry.check_dose(Dose(1e8)) == Dose(1e8, False)
    assert entry.check_regimen("none") == "none" and entry.check_regimen("") == ""
    numbers = ParameterSet("slow", {}, ("slow growth",))
    assert entry.check_overlay(numbers) is numbers and entry.check_constants(bundled()) is bundled()
    some = Law("bridging_share", "bernoulli", {"probability": 0.5})
    assert entry.check_waiting_law(LAW) is LAW and entry.check_share("bridging_share", some) is some
    for share in (0.0, 0.25, 1.0):
        assert entry.check_share("bridging_share", share) == share
        assert entry.check_transplant((share, 30, 30.0)) == (share, 30.0, 30.0)
    assert entry.check_transplant((0.5, 0.0, 90.0)) == (0.5, 0.0, 90.0)
    assays = {"crp": Assay("normal", 0.0, lloq=0.0), "igg": Assay("lognormal", 0.2)}
    assert entry.check_assays(assays) == assays
    assert [entry.check_backend(name) for name in ("batch", "plain")] == ["batch", "plain"]


def test_a_path_is_read_as_a_card():
    refused_path = Path("no such folder") / "product.toml"
    with pytest.raises(InputError, match=r"no such folder"):
        entry.check_product(refused_path)


def test_a_waiting_time_below_zero_is_refused():
    with pytest.raises(InputError, match="waiting_law: gives -5 to -5 days, expected 0 to 7300; give it low and high"):
        entry.check_waiting_law(waiting(-5.0))
