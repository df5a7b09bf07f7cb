"""Risk scores of a record: the rule tables, entered as a record, give the same points, verdicts and missing values."""

import tomllib
from pathlib import Path

import numpy as np
import pytest

from vein2vein.analytes import all_analytes
from vein2vein.clinic.grades.risk_scores import SELDOM
from vein2vein.report.monitor_page import monitor_page
from vein2vein.therapy.course import Course, Row, course_from_rows
from vein2vein.ward.monitor import monitor
from vein2vein.ward.scores import AGELESS, NOT_GRADABLE, SO_FAR, TITLES, UNDATED, PatientScore, risk_scores

RULES = Path(__file__).resolve().parents[1] / "rules"
EVE, TODAY = -5.0, 12.0  # the first dose of fludarabine; the day of the definitions of hyperinflammation


def cases(*tables):
    return list(_cases(*tables))


def _cases(*tables):
    for table in tables:
        rules = tomllib.loads((RULES / f"{table}.toml").read_text(encoding="utf-8"))
        for case in rules["case"]:
            yield pytest.param(table, {**rules.get("usual", {}), **case}, id=f"{table}: {case['name']}")


def course(*rows):
    return course_from_rows(Row(0, day, name, value, False, "measured", "r.csv:1") for day, name, value in rows)


def entered(case, day):
    """The values of a case as rows of one day, and nothing else."""
    values = {name: value for name, value in case.items() if name in all_analytes() and value != "-"}
    if "triglycerides_mmol" in case:
        values["triglycerides"] = 88.57 * case["triglycerides_mmol"]
    return [(day, name, float(value)) for name, value in values.items()]


def score(name, *rows, age=40.0, recent=7.0):
    (found,) = [one for one in risk_scores(course(*rows), age, recent) if one.name == name]
    return found


@pytest.mark.parametrize(("table", "case"), cases("car_hematotox"))
def test_car_hematotox_is_read_before_lymphodepletion(table, case):
    values = [row for row in entered(case, EVE - 0.5) if row[1] not in ("fludarabine",)]
    later = [(EVE + 1, name, 1.0) for _, name, _ in values]  # what lymphodepletion does to the counts is not read
    found = score("car_hematotox", (EVE, "fludarabine", 50.0), *values, *later, (TODAY, "temperature", 37.0))
    if "points" in case:
        assert found.low == found.high == case["points"]
    if "risk" in case:
        assert found.verdict == case["risk"]
    for bound in ("low", "high"):
        if bound in case:
            assert getattr(found, bound) == case[bound]
    if "missing" in case:
        assert set(found.missing) == set(case["missing"])
    assert {(row.analyte, row.value) for row in found.because} == {(name, value) for _, name, value in values}
    assert UNDATED not in found.flags and (found.first_day, found.last_day) == (EVE - 7.0, EVE)


@pytest.mark.parametrize(("table", "case"), cases("easix"))
def test_easix_of_today_and_of_the_eve(table, case):
    values = entered(case, TODAY)
    if not values:
        pytest.skip("a case of the cut alone")
    for kind in ("easix", "s_easix", "m_easix"):
        if kind not in case:
            continue
        found = score(kind, *values)
        if case[kind] == "?":
            assert np.isnan(found.low) and str(found) == NOT_GRADABLE
        else:
            assert found.low == found.high == pytest.approx(case[kind], rel=1e-6) and found.verdict == ""
    if "positive" in case:
        before = score("easix_before", *entered(case, EVE), (EVE, "fludarabine", 50.0), (TODAY, "temperature", 37.0))
        assert before.verdict == ("high" if case["positive"] else "low")


@pytest.mark.parametrize(("table", "case"), cases("hlh_2004", "hscore", "mas_2016"))
def test_definitions_of_hyperinflammation_are_read_from_the_last_week(table, case):
    values = entered(case, TODAY - 7.0)
    normal = [(TODAY - 7.5, name, value * 0.0) for _, name, value in values]  # older than a week: not read
    if not values:
        pytest.skip("nothing that a record can hold")
    found = score(table, *normal, *values, (TODAY, "ice", 10.0), age=case.get("age", 30))
    if "points" in case:
        assert found.low == found.high == case["points"]
    if "met" in case:
        assert found.low == case["met"]
    if "verdict" in case:
        assert found.verdict == case["verdict"]
    for bound in ("low", "high"):
        if bound in case:
            assert getattr(found, bound) == case[bound]
    assert (found.first_day, found.last_day) == (TODAY - 7.0, TODAY)
    assert not set(found.missing) & {name for _, name, _ in values}


@pytest.mark.parametrize(("table", "case"), cases("early_prediction"))
def test_early_predictions_are_read_from_the_first_day_and_a_half(table, case):
    rows = []
    for name, value in case.items():
        if name in all_analytes():
            listed = value if isinstance(value, list) else [value] * len(case["days"])
            rows += [(float(day), name, float(one)) for day, one in zip(case["days"], listed) if one != "-"]
    for tree in ("hay_2017", "gust_2017"):
        if tree in case and rows:
            over = () if max(case["days"]) < 1.5 else ((TODAY, "ice", 10.0),)
            found = score(tree, *rows, *over)
            assert found.verdict == case[tree] and (SO_FAR in found.flags) == (not over)


def test_an_early_prediction_says_what_was_charted_too_seldom():
    found = score("hay_2017", (0.17, "temperature", 37.0), (TODAY, "ice", 10.0))
    assert str(found) == "0 to 2 criteria: not gradable" and found.missing == ("temperature", "mcp1")
    assert f"{SELDOM}: temperature" in found.flags
    every = [(0.25 * i, "temperature", 37.0) for i in range(7)]
    found = score("hay_2017", *every, (TODAY, "ice", 10.0))
    assert str(found) == "0 to 1 criteria: negative" and found.flags == ()


def test_an_early_prediction_says_that_its_window_is_open():
    assert SO_FAR in score("hay_2017", (1.4, "temperature", 37.0)).flags
    assert SO_FAR not in score("hay_2017", (1.5, "temperature", 37.0)).flags


def test_cartox_reads_organs_by_their_analytes_and_a_value_not_drawn_is_not_normal():
    high = [(TODAY, "ferritin", 12000.0)]
    healthy = [(-3.0, "ast", 20.0), (-3.0, "alt", 20.0), (-3.0, "creatinine", 0.8), (-3.0, "bilirubin", 0.6)]
    found = score("hlh_cartox", *healthy, *high)
    assert found.verdict == "not met, incomplete"  # the organs were not looked at in the last week
    assert set(found.missing) == {
        "ast",
        "alt",
        "bilirubin",
        "creatinine",
        "oliguria",
        "pulmonary_edema",
        "hemophagocytosis",
    }
    sick = [(TODAY, "ast", 400.0), (TODAY, "bilirubin", 4.0), (TODAY, "creatinine", 3.0), (TODAY, "alt", 20.0)]
    found = score("hlh_cartox", *healthy, *high, *sick)
    assert found.verdict == "met" and found.low == 2
    assert {row.analyte for row in found.because} == {"ferritin", "ast", "alt", "bilirubin", "creatinine"}


def test_without_a_charted_lymphodepletion_the_values_up_to_the_infusion_are_read_and_said_to_be():
    rows = [(-1.0, name, value) for name, value in (
        ("platelets", 100.0), ("neutrophils", 3.0), ("hemoglobin", 11.0), ("crp", 5.0), ("ferritin", 100.0),
        ("ldh", 200.0), ("creatinine", 1.0),
    )]  # fmt: skip
    found = score("car_hematotox", *rows, (2.0, "platelets", 5.0))
    assert (found.low, found.verdict, found.flags[0]) == (1, "low", UNDATED)
    assert score("easix_before", *rows, (2.0, "platelets", 5.0)).low == 2.0
    assert score("easix_before", (-7.5, "ldh", 200.0), (2.0, "platelets", 5.0)).because == ()
    after = score("car_hematotox", *rows, (0.5, "fludarabine", 50.0), (2.0, "platelets", 5.0))
    assert after.flags[0] == UNDATED  # a dose after the infusion is no lymphodepletion before it


@pytest.mark.parametrize("drug", ["fludarabine", "cyclophosphamide", "bendamustine", "alemtuzumab"])
def test_every_drug_of_lymphodepletion_dates_its_eve(drug):
    assert score("car_hematotox", (-4.0, drug, 30.0), (1.0, "ice", 10.0)).last_day == -4.0


def test_a_platelet_transfusion_and_an_unknown_age_are_flagged():
    rows = [(TODAY, "ldh", 300.0), (TODAY, "platelets", 30.0), (TODAY, "creatinine", 1.0)]
    assert score("easix", *rows).low == 10.0
    assert any("transfused" in text for text in score("easix", *rows, (TODAY - 1, "platelet_transfusion", 1.0)).flags)
    assert not score("easix", *rows, (TODAY - 1.25, "platelet_transfusion", 1.0)).flags
    assert score("easix", *[(TODAY - 1.25, n, v) for _, n, v in rows], (TODAY, "ice", 10.0)).because == ()
    assert AGELESS in score("hlh_2004", *rows, age=np.nan).flags and AGELESS not in score("hlh_2004", *rows).flags
    young = [(TODAY, "hemoglobin", 8.95)]
    assert score("hlh_2004", *young, age=np.nan).points == score("hlh_2004", *young, age=30.0).points


def test_scores_in_words():
    def told(low, high, verdict="", points=(), name="hscore"):
        return str(PatientScore(name, "", "", low, high, verdict, 0.0, 1.0, dict.fromkeys(points, 1.0)))

    assert told(np.nan, np.nan) == "not gradable"
    assert told(2.3456, 2.3456) == "2.35"
    assert told(1, 1, "unlikely", "a") == "1 point: unlikely"
    assert told(3, 5, "not gradable", "a") == "3 to 5 points: not gradable"
    assert told(1, 1, "not met", "a", "hlh_2004") == "1 criterion: not met"
    assert told(2, 4, "", "a", "mas_2016") == "2 to 4 criteria"


def test_the_scores_stand_in_the_record_and_on_its_page_with_what_they_lack():
    rows = [(-6.0, "platelets", 60.0), (-6.0, "neutrophils", 0.8), (-6.0, "hemoglobin", 8.0), (-6.0, "crp", 50.0)]
    rows += [(-6.0, "ferritin", 2500.0), (EVE, "fludarabine", 50.0), (3.0, "temperature", 38.5), (3.0, "ldh", 300.0)]
    (found,) = monitor(course(*rows), age=40, weight=70)
    assert [one.name for one in found.risk_scores] == list(TITLES)
    by_name = {one.name: one for one in found.risk_scores}
    assert str(by_name["car_hematotox"]) == "7 points: high" and by_name["car_hematotox"].allowed
    assert by_name["hay_2017"].missing == ("temperature", "mcp1") and not by_name["hay_2017"].allowed
    page = monitor_page(found)
    assert "CAR-HEMATOTOX, before lymphodepletion" in page and "7 points: high" in page
    assert "missing: Creatinine, Platelets" in page  # of EASIX today
    closed = page[page.index("Not in the record:") :]
    assert "Early prediction of severe neurotoxicity" in closed and "(missing:" in closed
    early = monitor(course(*rows), age=40, weight=70, until=-5.5)[0]
    assert {one.name for one in early.risk_scores} == set(TITLES)


def test_a_simulated_course_is_scored_too():
    days = np.arange(-6.0, 10.0)
    one = Course(np.array([3]), days, {"platelets": np.full((1, 16), 40.0)})
    assert {s.name: s.low for s in monitor(one, age=40, weight=70)[0].risk_scores}["car_hematotox"] == 2
