"""Sentences that a clinician reads, word for word: why a dose may not be given, why a patient is not eligible."""

import re

import numpy as np
import pytest

from vein2vein.clinic.care.doses import DoseRule, blocks, equivalents, one_dose, other_steroids, tocilizumab_blocks
from vein2vein.clinic.care.eligibility import b_all_status, eligible, lymphoma_second_line, reasons, to_obtain
from vein2vein.clinic.care.suggestions import second_dose
from vein2vein.clinic.grades.grades import because, lacking
from vein2vein.clinic.grades.monitoring import Override, apply_overrides, grade, highest_grade
from vein2vein.errors import InputError
from vein2vein.therapy.course import Course
from vein2vein.therapy.product import all_products


def doses(*days):
    return Course(np.array([0]), np.array(days, dtype=float), {"tocilizumab": np.full((1, len(days)), 560.0)})


def test_why_tocilizumab_may_not_be_given_now():
    assert tocilizumab_blocks(doses(1.0), 0, 1.25) == ("the last dose was 6.0 hours ago; at least 8 hours",)
    assert tocilizumab_blocks(doses(1.0), 0, 1.0) == ("the last dose was given just now; at least 8 hours",)
    minutes = [tocilizumab_blocks(doses(1.0), 0, 1.0 + m / 1440)[0].partition(";")[0] for m in (1, 45, 60)]
    assert minutes == [f"the last dose was {ago} ago" for ago in ("1 minute", "45 minutes", "1.0 hours")]
    assert tocilizumab_blocks(doses(1.0), 0, 1.0 + 8 / 24) == ()
    assert tocilizumab_blocks(doses(1.0, 1.34, 1.68), 0, 1.99) == (
        "3 doses in 24 hours; at most 3", "the last dose was 7.4 hours ago; at least 8 hours",
    )  # fmt: skip
    assert tocilizumab_blocks(doses(1.0, 1.34, 1.68), 0, 2.1) == ()  # the first is more than a day old
    assert tocilizumab_blocks(doses(1.0, 2.0, 3.0, 4.0), 0, 9.0) == ("4 doses were given; at most 4 in all",)
    assert tocilizumab_blocks(doses(1.0, 2.0, 3.0), 0, 9.0) == ()
    assert tocilizumab_blocks(doses(5.0), 0, 4.0) == ()  # nothing later is read


@pytest.mark.parametrize(
    ("case", "told"),
    [
        ({"crs": 3, "icans": 0, "day": 9}, ("stop", "crs grade 3 [R:S55]")),
        ({"crs": 2, "icans": 0, "day": 9, "crs_now": 2},
         ("postpone", "crs grade 2 [R:S55]: up to day 21, until grade 1 or less")),
        ({"crs": 2, "icans": 0, "day": 21, "crs_now": 2}, ("stop", "crs grade 2 [R:S55]: not resolved by day 21")),
        ({"crs": 0, "icans": 1, "day": 9}, ("postpone", "icans grade 1 [M]: up to day 21, until grade 1 or less")),
        ({"crs": 0, "icans": 0, "day": 9, "pulmonary_or_cardiac": 3}, ("stop", "pulmonary or cardiac grade 3 [M]")),
        ({"crs": 1, "icans": 0, "day": 9, "crs_now": 1}, ("give", "no finding of the label forbids it")),
    ],
)  # fmt: skip
def test_why_a_second_dose_waits(case, told):
    assert second_dose(**case) == told


MEMORY = "unverified (from memory): check before clinical use"
DEX = dict(treatment="dexamethasone", mg=10.0, mg_per_kg=0.5, dose_mark="M")
BY_WEIGHT = f"0.5 mg/kg, up to 10 mg [{MEMORY}]"


@pytest.mark.parametrize(
    ("row", "weight", "told"),
    [
        ({"rule": "tocilizumab"}, 70.0, (560.0, ("8 mg/kg",))),
        ({"rule": "tocilizumab"}, 29.0, (348.0, ("12 mg/kg", "the dose per kg steps down at 30 kg: check the weight"))),
        ({"rule": "tocilizumab"}, 31.0, (248.0, ("8 mg/kg", "the dose per kg steps down at 30 kg: check the weight"))),
        ({"rule": "tocilizumab"}, 31.1, (248.8, ("8 mg/kg",))),
        ({"rule": "tocilizumab"}, 100.0, (800.0, ("capped at 800 mg",))),
        ({"rule": "tocilizumab"}, 99.9, (799.2, ("8 mg/kg",))),
        ({"treatment": "gcsf", "ug_per_kg": 5.0}, 70.0, (350.0, ())),
        (DEX, 12.0, (6.0, (BY_WEIGHT,))),
        (DEX, 70.0, (10.0, ())),
        ({**DEX, "child": True}, 70.0, (10.0, (BY_WEIGHT,))),
        ({"treatment": "siltuximab", "mg_per_kg": 11.0}, 70.0, (770.0, ())),
        # a row that asks for too much is held to the cap of the dose, and of the day
        ({"treatment": "dexamethasone", "mg": 20.0}, 70.0, (10.0, (f"held to the cap of 10 mg ({MEMORY})",))),
        ({"treatment": "dexamethasone", "mg": 10.0}, 12.0, (6.0, (f"held to the cap of 6 mg ({MEMORY})",))),
        ({"treatment": "methylprednisolone", "mg": 1000.0, "every_hours": 12.0}, 70.0,
         (500.0, (f"held to the cap of 500 mg ({MEMORY})",))),
        ({"treatment": "dexamethasone"}, 70.0, (np.nan, ())),
        ({"treatment": ""}, 70.0, (np.nan, ())),
        (DEX, np.nan, (np.nan, ())),
    ],
)  # fmt: skip
def test_one_dose_for_this_weight_and_what_to_know_of_it(row, weight, told):
    row = dict(row)
    child = row.pop("child", False)
    dose, notes = one_dose(DoseRule(**{"treatment": row.get("rule", ""), **row}), weight, child=child)
    assert dose == pytest.approx(told[0], rel=1e-12, nan_ok=True) and notes == told[1]


def test_a_drug_without_a_cap_has_no_dose():
    with pytest.raises(InputError, match="no cap is known for 'aspirin': no dose of it is named"):
        one_dose(DoseRule(treatment="aspirin", mg=100.0), 70.0)


def test_a_steroid_is_told_as_the_others():
    assert equivalents("dexamethasone", 6.0) == (
        f"equals methylprednisolone 32 mg, prednisone 40 mg, hydrocortisone 160 mg [{MEMORY}]"
    )
    assert equivalents("methylprednisolone", 500.0).startswith("equals dexamethasone 93.8 mg, prednisone 625 mg")
    assert equivalents("anakinra", 24.0) == equivalents("dexamethasone", np.nan) == ""


@pytest.mark.parametrize(
    ("case", "label", "eu", "trial"),
    [
        ({"relapses": 2}, (1, "2 relapses"), (1, "2 relapses"), (1, "2 relapses")),
        ({"relapses": 0, "primary_refractory": True}, (1, "refractory"), (1, "refractory"), (1, "refractory")),
        ({"refractory_relapse": True}, (1, "refractory"), (1, "refractory"), (1, "refractory")),
        ({"relapses": 1, "primary_refractory": False, "refractory_relapse": False},
         *[(0, "1 relapse(s) and in remission after it")] * 3),
        ({"relapses": 1}, *[(-1, "number of relapses or refractoriness unknown")] * 3),
        ({"relapses": 1, "primary_refractory": False, "refractory_relapse": False, "relapse_after_transplant": True,
          "months_from_transplant": 7.0}, (0, "1 relapse(s) and in remission after it"),
         (1, "relapse after transplantation"), (1, "7 months from transplant to infusion")),
        ({"relapses": 1, "primary_refractory": False, "refractory_relapse": False, "relapse_after_transplant": True,
          "months_from_transplant": 6.0}, (0, "1 relapse(s) and in remission after it"),
         (1, "relapse after transplantation"), (0, "6 months from transplant to infusion, not above 6")),
        ({"relapses": 1, "primary_refractory": False, "refractory_relapse": False, "relapse_after_transplant": True},
         (0, "1 relapse(s) and in remission after it"), (1, "relapse after transplantation"),
         (-1, "months from transplant to infusion unknown")),
    ],
)  # fmt: skip
def test_relapsed_or_refractory_leukemia_by_label_and_trial(case, label, eu, trial):
    assert b_all_status(**case) == {"us_label": label, "eu_label": eu, "trial": trial}


def test_lymphoma_after_one_line():
    late = "relapse 400 days after the end of first-line therapy"
    assert lymphoma_second_line(refractory=True) == (1, "refractory to first-line therapy")
    assert lymphoma_second_line(refractory=False, days_to_relapse=400.0) == (0, late)
    assert lymphoma_second_line(refractory=None, days_to_relapse=365.0)[0] == 1
    assert lymphoma_second_line(refractory=None, days_to_relapse=367.0)[0] == 0
    assert lymphoma_second_line(refractory=False) == (0, "no relapse")
    assert lymphoma_second_line(refractory=None) == (-1, "refractoriness and day of relapse unknown")


def test_why_a_patient_is_not_surely_eligible_and_what_to_obtain():
    use = all_products()["tisagenlecleucel"].indications[0]
    found = eligible({"age": np.array([26.0, 10.0]), "disease": "pediatric_b_all"}, use)
    assert found.criteria[0].startswith("disease: ") and found.met[:, 0].tolist() == [1, 1]
    below = next(text for text in found.criteria if "age below" in text)
    assert below == "label: age below 26" and f"not met: {below}" in reasons(found, 0)
    assert f"not met: {below}" not in reasons(found, 1) and found.eligible[0] == 0
    assert all(text.startswith(("not met: ", "unknown: ")) for text in reasons(found, 1))
    assert set(to_obtain(found, 1)) <= {"prior_lines"} and set(found.marks) == {"label"}
    other = eligible({"age": 10.0, "disease": "lbcl"}, use)
    assert other.met[0, 0] == 0 and other.eligible.tolist() == [0]


def cytokine_release():
    values = {"temperature": [39.0, 39.0], "systolic_bp": [80.0, np.nan], "oxygen_device": [0.0, 0.0]}
    course = Course(np.array([4]), np.array([1.0, 2.0]), {n: np.array([v]) for n, v in values.items()}, {}, "measured")
    return course, grade(course, age=40.0, scales=("crs_astct", "b_cell_aplasia"))


def test_a_grade_says_what_it_rests_on_and_what_it_lacks():
    course, found = cytokine_release()
    assert {(row.analyte, row.value, row.day) for row in because(found["crs_astct"], course, 4, 1.0)} == {
        ("systolic_bp", 80.0, 1.0)
    }
    assert lacking(found["crs_astct"], course, 4, 1.0) == ()
    assert lacking(found["crs_astct"], course, 4, 2.0) == ("systolic_bp",)
    for patient, day in ((3, 1.0), (4, 1.5)):
        with pytest.raises(InputError, match=f"no patient {patient} on day {day:g}"):
            lacking(found["crs_astct"], course, patient, day)


def decided(**changes):
    fields = {"patient": 4, "first_day": 2.0, "last_day": 2.0, "finding": "crs_astct", "grade": 1, "author": "Dr. A",
              "time": "2026-03-08", "where_from": "r.csv:9"}  # fmt: skip
    return Override(**{**fields, **changes})


def test_a_decision_holds_on_its_days_and_says_who_and_why():
    course, found = cytokine_release()
    changed, audit = apply_overrides(found, [decided(reason="dehydration")], course)
    grades = changed["crs_astct"]
    assert grades.grade.tolist() == [[2, 1]] and grades.at_least.tolist() == [[2, 1]]
    assert not grades.missing["systolic_bp"].any()
    text = "grade set to 1 by Dr. A (2026-03-08): dehydration"
    assert grades.flags[text].tolist() == [[False, True]]
    assert [(a.patient, a.day, a.finding, a.computed, a.holds) for a in audit] == [(4, 2.0, "crs_astct", -1, 1)]
    elsewhere, audit = apply_overrides(found, [decided(grade=None, cause="bacteremia", first_day=1.0)], course)
    assert elsewhere["crs_astct"].grade.tolist() == [[0, 0]] and [a.computed for a in audit] == [2, -1]
    assert "attributed to bacteremia by Dr. A (2026-03-08)" in elsewhere["crs_astct"].flags
    later, _ = apply_overrides(found, [decided(), decided(grade=3)], course)
    assert later["crs_astct"].grade.tolist() == [[2, 3]]
    assert found["crs_astct"].grade.tolist() == [[2, -1]]  # what was computed stays as it was


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"author": " "}, "an override of crs_astct has no author; add who decided and when."),
        ({"time": ""}, "an override of crs_astct has no time; add who decided and when."),
        ({"patient": 5}, "an override names patient 5, who is not in this record."),
        ({"finding": "crs_asct"}, "did you mean crs_astct"),
        ({"grade": None}, "an override of crs_astct has neither a grade nor a cause; add one of them."),
        ({"grade": 6}, "an override sets crs_astct to grade 6; expected 0 to 5."),
        ({"grade": -1}, "an override sets crs_astct to grade -1; expected 0 to 5."),
        ({"grade": 2, "finding": "b_cell_aplasia"}, "an override sets b_cell_aplasia to grade 2; expected 0 to 1."),
        ({"first_day": 3.0}, "an override of crs_astct ends on day 2, before it begins (day 3)."),
    ],
)
def test_a_decision_that_cannot_hold_is_refused_with_its_line(changes, told):
    course, found = cytokine_release()
    with pytest.raises(InputError, match=re.escape(told)) as problem:
        apply_overrides(found, [decided(**changes)], course)
    assert problem.value.file == "r.csv:9"


def test_the_highest_grade_of_a_finding():
    assert [highest_grade(n) for n in ("crs_astct", "icans", "b_cell_aplasia", "hypogammaglobulinemia")] == [5, 5, 1, 2]
    course, found = cytokine_release()
    assert apply_overrides(found, [decided(grade=5)], course)[0]["crs_astct"].grade.tolist() == [[2, 5]]
    assert apply_overrides(found, [decided(grade=0)], course)[0]["crs_astct"].grade.tolist() == [[2, 0]]


@pytest.mark.parametrize("drug", ["tocilizumab", "anakinra", "dexamethasone"])
def test_a_row_that_was_not_understood_may_have_been_a_dose(drug):
    days = np.array([1.0, 1.25])
    course = Course(np.array([0]), days, {drug: np.full((1, 2), np.nan)}, unread={drug: np.array([[True, False]])})
    asked = DoseRule(treatment=drug, mg=100, mg_per_kg=2, every_hours=6)
    found = blocks(asked, 28.0, 14.0, course, 0, 1.25)
    assert found == (
        f"a row of {drug} was not understood (6.0 hours ago): whether a dose was given is not known; settle it first",
    )
    assert blocks(asked, 28.0, 14.0, course, 0, 2.5) == ()


def test_another_steroid_of_unknown_amount_is_told():
    days, name = np.array([1.0]), "methylprednisolone"
    given = Course(np.array([0]), days, {name: np.zeros((1, 1))}, above={name: np.array([[True]])})
    assert other_steroids("dexamethasone", given, 0, 1.1) == (
        "methylprednisolone was given in 24 hours in an amount that is not known: instead of it, not with it",
    )
    unread = Course(np.array([0]), days, {name: np.full((1, 1), np.nan)}, unread={name: np.array([[True]])})
    assert "not understood" in other_steroids("dexamethasone", unread, 0, 1.1)[0]
