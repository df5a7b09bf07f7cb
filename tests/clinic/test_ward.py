"""What a ward reads: overrides and their audit, what to consider, what is due, eligibility and washouts."""

import numpy as np
import pytest

from vein2vein.clinic.care.doses import tocilizumab_blocks
from vein2vein.clinic.care.eligibility import (
    b_all_status,
    eligible,
    lymphoma_second_line,
    reasons,
    to_obtain,
    washouts,
)
from vein2vein.clinic.care.schedule import GROUPS, due
from vein2vein.clinic.care.suggestions import second_dose, suggest
from vein2vein.clinic.grades.monitoring import ALL_FINDINGS, DEATH_HOLDS, FINDINGS, Override, apply_overrides, grade
from vein2vein.errors import InputError
from vein2vein.therapy.course import Course

NAN = float("nan")


def chart(days, **values):
    return Course(
        np.array([7]), np.array(days, float), {n: np.array([v], float) for n, v in values.items()}, origin="measured"
    )


def sick(*days, temperature=39.0, **more):
    n = len(days)
    usual = {"temperature": [temperature] * n, "systolic_bp": [110.0] * n, "oxygen_device": [0.0] * n}
    return chart(days, **{**usual, **more})


# ---------------------------------------------------------------- overrides


def decided(**changes):
    usual = dict(patient=7, first_day=1.0, last_day=1.0, finding="crs_astct", author="Dr. A", time="2025-03-01T08:00")
    return Override(**{**usual, **changes})


def test_every_finding_can_be_graded_and_the_simulated_ones_are_among_them():
    found = grade(sick(1.0), age=[40.0], scales=ALL_FINDINGS)
    assert set(FINDINGS) < set(ALL_FINDINGS) == set(found)


def test_an_attribution_changes_the_finding_and_stays_visible():
    course = sick(0.5, 1.0, 1.5)
    findings = grade(course, age=[40.0])
    after, audit = apply_overrides(findings, [decided(cause="bacteremia", reason="blood culture")], course)
    assert findings["crs_astct"].grade.tolist() == [[1, 1, 1]]
    assert after["crs_astct"].grade.tolist() == [[1, 0, 1]]
    told = [text for text, cells in after["crs_astct"].flags.items() if cells[0, 1]]
    assert any("bacteremia" in t and "Dr. A" in t and "2025-03-01T08:00" in t and "culture" in t for t in told)
    assert [(a.patient, a.day, a.computed, a.holds) for a in audit] == [(7, 1.0, 1, 0)]
    assert after["icans"] is findings["icans"]


def test_an_override_settles_what_could_not_be_graded_and_the_later_row_wins():
    course = sick(0.5, 1.0, temperature=NAN)
    findings = grade(course, age=[40.0])
    first, second = decided(grade=2), decided(grade=3, author="Dr. B")
    after, audit = apply_overrides(findings, [first, second], course)
    assert after["crs_astct"].grade.tolist() == [[-1, 3]]
    assert after["crs_astct"].missing["temperature"].tolist() == [[True, False]]
    assert [a.holds for a in audit] == [2, 3] and all(a.computed == -1 for a in audit)
    assert sum(cells[0, 1] for text, cells in after["crs_astct"].flags.items() if "Dr." in text) == 2


@pytest.mark.parametrize(
    ("finding", "cause", "died"),
    [
        ("crs_astct", 1, True),
        ("crs_penn", 1, True),
        ("icans", 2, True),
        ("neurologic_event", 2, True),
        ("iec_hs", 3, True),
        ("crs_astct", 4, False),  # of the disease: the decision holds
        ("icans", 1, False),
        ("iec_hs", 0, False),
    ],
)
@pytest.mark.parametrize("decision", [{"grade": 1}, {"cause": "bacteremia"}])
def test_a_death_is_not_hidden_by_a_decision_made_before_it(finding, cause, died, decision):
    course = sick(2.0, 2.5, 2.55, ice=[9.0] * 3, death_cause=[NAN, cause, NAN], alive=[1.0, 0.0, NAN])
    findings = grade(course, age=[40.0], scales=[finding])
    one = decided(finding=finding, first_day=2.0, last_day=2.6, **decision)
    after, audit = apply_overrides(findings, [one], course)
    holds = decision.get("grade", 0)
    told = [text for text, cells in after[finding].flags.items() if DEATH_HOLDS in text and cells[0, 1]]
    assert after[finding].grade[0, 0] == holds
    assert [a.not_over for a in audit] == (["", "death", "death"] if died else [""] * 3)
    if died:
        assert after[finding].grade[0, 1] == audit[1].holds == 5 and len(told) == 1 and "Dr. A" in told[0]
        assert after[finding].grade[0, 2] == findings[finding].grade[0, 2]  # a row after the death hides it neither
    else:
        assert after[finding].grade[0, 1] == audit[1].holds == holds and not told


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"grade": 2, "author": " "}, "no author"),
        ({"grade": 2, "time": ""}, "no time"),
        ({}, "neither a grade nor a cause"),
        ({"grade": 6}, "expected 0 to 5"),
        ({"grade": -1}, "expected 0 to 5"),
        ({"grade": 1, "patient": 8}, "patient 8"),
        ({"grade": 1, "finding": "crs"}, "crs_astct"),
        ({"grade": 1, "first_day": 3.0}, "before it begins"),
    ],
)
def test_bad_overrides_are_refused(changes, complaint):
    course = sick(1.0)
    with pytest.raises(InputError, match=complaint):
        apply_overrides(grade(course, age=[40.0]), [decided(where_from="r.csv:3", **changes)], course)


# ---------------------------------------------------------------- what to consider


def considered(course, weight=70.0, **more):
    findings = grade(course, age=[40.0], scales=ALL_FINDINGS)
    return suggest(course, findings, weight=weight, **{"age": 40.0 if weight >= 40 else NAN, **more})


def test_tocilizumab_for_this_weight_at_grade_2():
    course = sick(1.0, norepinephrine=[0.0], fluid_boluses=[1.0])
    found = [s for s in considered(course) if s.treatment == "tocilizumab"]
    assert [(s.grade, s.dose, s.unit, s.blocked) for s in found] == [(2, 560.0, "mg", ())]
    assert any("S54" in s.conflict for s in considered(course))


def test_a_dose_that_may_not_be_given_yet_says_so_and_only_tocilizumab_is_held_back():
    course = sick(0.9, 1.0, norepinephrine=[5.0, 5.0], tocilizumab=[560.0, NAN])
    found = [s for s in considered(course) if s.treatment]
    told = {s.treatment: s.blocked for s in found}
    assert told.pop("tocilizumab") == ("the last dose was 2.4 hours ago; at least 8 hours",)
    assert told and set(told.values()) == {()}


@pytest.mark.parametrize(
    ("weight", "dose", "note"), [(29.9, 358.8, "steps down"), (30, 240, "steps down"), (120, 800, "capped")]
)
def test_tocilizumab_notes(weight, dose, note):
    course = sick(1.0, norepinephrine=[5.0])
    found = next(s for s in considered(course, weight) if s.treatment == "tocilizumab")
    assert found.grade == 3 and found.dose == pytest.approx(dose) and any(note in text for text in found.notes)


@pytest.mark.parametrize(
    ("days", "now", "told"),
    [
        ([], 3.0, ()),
        ([1.0], 1.25, ("8 hours",)),
        ([1.0], 1.3334, ()),
        ([1.0, 1.4, 1.8], 1.999, ("3 doses in 24 hours", "8 hours")),
        ([1.0, 1.4, 1.8], 2.3, ()),
        ([1, 2, 3, 4], 6.0, ("4 doses were given",)),
    ],
)
def test_reasons_that_block_tocilizumab(days, now, told):
    course = chart(days, tocilizumab=[560.0] * len(days))
    found = tocilizumab_blocks(course, 0, now)
    assert len(found) == len(told) and all(any(t in f for f in found) for t in told)


def test_steroids_by_grade_weight_and_costimulation():
    course = sick(1.0, ice=[8.0], arousal=[0.0])
    plain, early = (considered(course, costimulation=c) for c in ("4-1BB", "CD28"))
    assert not any("favors early" in s.text for s in plain) and any("favors early" in s.text for s in early)
    assert not any(s.treatment == "dexamethasone" for s in considered(course, 12.0))  # no source gives one at grade 1
    worse = sick(1.0, ice=[4.0], arousal=[0.0])
    child = next(s for s in considered(worse, 12.0) if s.finding == "icans" and s.treatment == "dexamethasone")
    assert child.dose == 6.0 and child.notes
    grown, also = (s for s in considered(course, 60.0) if s.treatment == "dexamethasone")
    assert (
        (grown.finding, also.finding) == ("crs_astct", "icans")
        and np.isnan(also.dose)
        and "serves both" in also.notes[-1]
    )
    assert grown.dose == 10.0 and len(grown.notes) == 1 and "equals methylprednisolone" in grown.notes[0]


def test_advice_that_waits():
    told = [considered(sick(*days)) for days in ([1.0, 2.0], [1.0, 2.0, 4.0])]
    assert [any("more than 3 days" in s.text for s in found) for found in told] == [False, True]


def test_nothing_wrong_nothing_to_consider():
    assert considered(sick(1.0, temperature=36.8, ice=[10.0], arousal=[0.0])) == ()


def test_gcsf_and_immunoglobulin_doses():
    found = considered(sick(5.0, temperature=36.8, neutrophils=[0.3], igg=[380.0]), 20.0)
    assert {(s.treatment, s.dose, s.unit) for s in found if s.treatment} == {("gcsf", 100.0, "ug"), ("ivig", 8.0, "g")}
    early = considered(sick(1.0, temperature=36.8, neutrophils=[0.3]), 20.0)
    assert not any(s.treatment == "gcsf" for s in early)


@pytest.mark.parametrize(
    ("case", "action"),
    [
        ({"crs": 1, "icans": 0, "day": 9}, "give"),
        ({"crs": 2, "icans": 0, "day": 9, "crs_now": 2}, "postpone"),
        ({"crs": 2, "icans": 0, "day": 12, "crs_now": 1}, "give"),
        ({"crs": 2, "icans": 0, "day": 20, "crs_now": 2}, "postpone"),
        ({"crs": 2, "icans": 0, "day": 21, "crs_now": 2}, "stop"),
        ({"crs": 3, "icans": 0, "day": 9, "crs_now": 0}, "stop"),
        ({"crs": 0, "icans": 1, "day": 9}, "postpone"),
        ({"crs": 0, "icans": 2, "day": 9}, "stop"),
        ({"crs": 0, "icans": 0, "day": 9, "pulmonary_or_cardiac": 3}, "stop"),
        ({"crs": 0, "icans": 0, "day": 9, "pulmonary_or_cardiac": 2}, "give"),
    ],
)
def test_second_dose_of_obecabtagene(case, action):
    found, why = second_dose(**case)
    assert found == action and why


# ---------------------------------------------------------------- what is due


def test_monthly_values_follow_the_last_one_and_become_overdue():
    course = chart([28.0], igg=[500.0], b_cells=[0.0])
    monthly = [d for d in due(course, 50.0) if d.what == "CD19 count and IgG, monthly"]
    assert [(d.when, d.overdue, d.last) for d in monthly] == [(58.0, False, 28.0)]
    assert any(d.overdue and d.when == 58.0 for d in due(course, 60.0))


def test_visits_done_missed_and_next():
    course = chart([0.0, 30.0], marrow_blasts=[60.0, 1.0])
    visits = [d for d in due(course, 120.0) if d.group == "disease"]
    assert [(d.when, d.overdue) for d in visits] == [(91.0, True), (183.0, False)]
    assert [d.when for d in due(course, 40.0) if d.group == "disease"] == [91.0]


def test_only_the_past_is_read():
    course = chart([28.0, 58.0], igg=[500.0, 450.0], b_cells=[0.0, 0.0])
    assert due(course, 50.0) == due(course.until(50.0), 50.0)


def test_a_product_has_its_own_rows():
    def told(product):
        return {d.what for d in due(chart([0.0]), 5.0, product)}

    assert any("8 weeks" in what for what in told("obecabtagene_autoleucel"))
    assert not any("8 weeks" in what for what in told("tisagenlecleucel"))
    assert "daily monitoring for signs of CRS and neurotoxicity" not in told("obecabtagene_autoleucel")


def test_only_a_product_that_is_watched_in_its_own_way_leaves_the_usual_watch_out():
    def told(product):
        return {d.what for d in due(chart([0.0]), 5.0, product)}

    usual = told("")
    assert told("tisagenlecleucel") == usual
    own = told("obecabtagene_autoleucel")
    assert usual - own >= {
        "daily monitoring for signs of CRS and neurotoxicity", "monitoring goes on through the second week",
    }  # fmt: skip
    assert "daily monitoring, 14 days from the first infusion" in own - usual
    assert "ICE, or CAPD below 12 years, every 8 hours in hospital" in own & usual
    later = [{d.what for d in due(chart([0.0]), 40.0, name)} for name in ("ciltacabtagene_autoleucel", "")]
    (diarrhea,) = later[0] - later[1]
    assert "enterocolitis" in diarrhea and later[1] <= later[0]
    assert any("blood cancers" in what for what in later[1])


@pytest.mark.parametrize(
    ("product", "says", "not_said"),
    [
        ("tisagenlecleucel", "no driving or hazardous work until day 14", "leaflet"),
        ("", "no driving or hazardous work until day 14", "leaflet"),
        ("idecabtagene_vicleucel", "section on driving left this label", "no driving"),
        ("obecabtagene_autoleucel", "whether this one does was not read", "until day 14"),
    ],
)
def test_how_long_near_the_center_by_label(product, says, not_said):
    told = [d.what for d in due(chart([0.0]), 5.0, product) if "near the center" in d.what]
    assert len(told) == 1 and says in told[0] and not_said not in told[0]


def test_conditions():
    course = sick(1.0, fluid_boluses=[1.0])
    findings = grade(course, age=[40.0])
    assert any("fibrinogen" in d.what for d in due(course, 1.0, findings=findings))
    assert not any("fibrinogen" in d.what for d in due(course, 1.0))
    low = chart(range(0, 20), neutrophils=[0.2] * 20)
    assert any("mold" in d.what for d in due(low, 19.0)) and not any(
        "mold" in d.what for d in due(low.until(10.0), 10.0)
    )
    few, many = (chart([300.0], cd4_cells=[count]) for count in (150.0, 250.0))
    assert any("aciclovir" in d.what for d in due(few, 400.0)) and not any(
        "aciclovir" in d.what for d in due(many, 400.0)
    )


def test_follow_up_runs_for_fifteen_years():
    assert any("contact" in d.what and d.when == 5479 for d in due(chart([0.0]), 5400.0))
    assert any("for life" in d.what for d in due(chart([0.0]), 8000.0))
    assert all(d.group in GROUPS and d.mark for d in due(chart([0.0]), 0.0))


# ---------------------------------------------------------------- eligibility


@pytest.mark.parametrize(
    ("case", "states"),
    [
        (dict(relapses=1, primary_refractory=False, refractory_relapse=False), (0, 0, 0)),
        (dict(relapses=2, primary_refractory=False, refractory_relapse=False), (1, 1, 1)),
        (dict(relapses=0, primary_refractory=True), (1, 1, 1)),
        (dict(relapses=1, primary_refractory=False, refractory_relapse=True), (1, 1, 1)),
        (
            dict(
                relapses=1,
                primary_refractory=False,
                refractory_relapse=False,
                relapse_after_transplant=True,
                months_from_transplant=8,
            ),
            (0, 1, 1),
        ),
        (
            dict(
                relapses=1,
                primary_refractory=False,
                refractory_relapse=False,
                relapse_after_transplant=True,
                months_from_transplant=6,
            ),
            (0, 1, 0),
        ),
        (
            dict(relapses=1, primary_refractory=False, refractory_relapse=False, relapse_after_transplant=True),
            (0, 1, -1),
        ),
        (dict(relapses=None, primary_refractory=False, refractory_relapse=False), (-1, -1, -1)),
        (dict(relapses=1), (-1, -1, -1)),
        (dict(relapses=3), (1, 1, 1)),
    ],
)
def test_relapsed_or_refractory_leukemia(case, states):
    found = b_all_status(**case)
    assert tuple(found[name][0] for name in ("us_label", "eu_label", "trial")) == states


@pytest.mark.parametrize(
    ("case", "state"),
    [
        (dict(refractory=True), 1),
        (dict(refractory=False, days_to_relapse=365), 1),
        (dict(refractory=False, days_to_relapse=366), 0),
        (dict(refractory=False), 0),
        (dict(refractory=None), -1),
    ],
)
def test_lymphoma_in_second_line(case, state):
    assert lymphoma_second_line(**case)[0] == state


def test_washouts_run_over_and_disputed():
    found = washouts({"blinatumomab": -20.0, "corticosteroid": -12.0, "chemotherapy": -30.0}, -10.0)
    assert [(w.drug, w.running) for w in found] == [("corticosteroid", 1), ("blinatumomab", -1), ("chemotherapy", 0)]
    assert found[0].ends == -9.0 and found[0].mark == "R:S144"
    with pytest.raises(InputError, match="blinatumomab"):
        washouts({"blinatumomabe": 0.0}, 10.0)


def test_organ_function_and_what_to_obtain_next():
    patient = {
        "age": 50.0,
        "disease": "lbcl",
        "baseline": {"creatinine_clearance": 60.0, "ecog": 1.0, "lvef": 49.0, "ast": 100.0},
    }
    found = eligible(patient, criteria="zuma1")
    assert found.eligible.tolist() == [0]
    assert reasons(found, 0) == (
        "unknown: liver: alt at most 2.5 times the upper limit of normal", "unknown: liver: bilirubin at most 1.5",
        "not met: heart: lvef at least 50", "unknown: lung: spo2 at least 92",
        "unknown: blood: lymphocytes at least 0.1", "unknown: blood: neutrophils at least 1",
        "unknown: blood: platelets at least 75",
    )  # fmt: skip
    assert to_obtain(found, 0) == ("alt", "bilirubin", "spo2", "lymphocytes", "neutrophils", "platelets")
    one = eligible({"age": 50.0, "baseline": {"ecog": 1.0}}, criteria="ebmt")
    assert "karnofsky" not in to_obtain(one, 0) and "lvef" in to_obtain(one, 0)
    none = eligible({"age": 50.0, "baseline": {}}, criteria="ebmt")
    assert {"ecog", "karnofsky"} <= set(to_obtain(none, 0)) and "lansky" not in to_obtain(none, 0)
    assert len(found.marks) == len(found.reads) == len(found.criteria)
