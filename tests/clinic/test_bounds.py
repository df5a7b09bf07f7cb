"""Bounds and values that were not understood, in laboratory scales: what a chart says, and the grade that it earns."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vein2vein.analytes import all_analytes, analyte
from vein2vein.clinic.criteria import edition, editions
from vein2vein.clinic.grades.b_cell_aplasia import b_cell_aplasia, hypogammaglobulinemia
from vein2vein.clinic.grades.bounded import bounded_ladder, ends
from vein2vein.clinic.grades.hematotoxicity import CYTOPENIAS, grade_cytopenia, grade_icaht, grade_t_icaht
from vein2vein.clinic.grades.hlh import extremes, hlh_2004, hscore, mas_2016
from vein2vein.clinic.grades.iec_hs import grade_iec_hs
from vein2vein.clinic.grades.infusions import eve_of, from_infusion, later_infusions
from vein2vein.clinic.grades.organs import organ_range
from vein2vein.clinic.grades.risk_scores import car_hematotox, early_prediction, easix_course, latest_values
from vein2vein.therapy.course import Course

NAN = float("nan")
UNREAD = "?"


def chart(days, clock=None, **rows):
    """A course of one patient as a chart says it: 1.2, ``<0.5``, ``>1``, ``-`` not charted, ``?`` not understood."""
    n = len(days)
    values, below, above, unread = {}, {}, {}, {}
    for name, row in rows.items():
        said = [str(one) for one in (row if isinstance(row, list) else [row] * n)]
        assert len(said) == n, name
        values[name] = np.array([[NAN if one in ("-", UNREAD) else float(one.lstrip("<>")) for one in said]])
        for kind, sign in ((below, "<"), (above, ">"), (unread, UNREAD)):
            if (marks := np.array([[one.startswith(sign) for one in said]])).any():
                kind[name] = marks
    return Course(
        np.array([0]), np.array(days, float), values, below, "measured", above=above, unread=unread,
        clock=np.empty(0) if clock is None else np.array([clock]),
    )  # fmt: skip


def said(grades, column=-1):
    """A grade as a ward reads it."""
    grade, least = int(grades.grade[0, column]), int(grades.at_least[0, column])
    return str(grade) if grade >= 0 else f">={least}" if least > 0 else "?"


@pytest.mark.parametrize(
    ("finding", "value", "grade"),
    [
        ("neutropenia", "<0.5", "4"),  # CTCAE: grade 4 below 0.5
        ("neutropenia", "<0.1", "4"),
        ("neutropenia", "0.5", "3"),
        ("neutropenia", "<1", ">=3"),  # 3 or 4
        ("neutropenia", "<1.5", ">=2"),
        ("neutropenia", "<2", ">=1"),
        ("neutropenia", "<3", "?"),  # 0 to 4
        ("neutropenia", ">1", "?"),  # 0 to 2
        ("neutropenia", ">1.5", "?"),  # 0 or 1
        ("neutropenia", ">2", "0"),
        ("neutropenia", UNREAD, "?"),
        ("neutropenia", "-", "?"),
        ("thrombocytopenia", "<25", "4"),
        ("thrombocytopenia", "25", "3"),
        ("thrombocytopenia", "<50", ">=3"),
        ("thrombocytopenia", ">150", "0"),
        ("thrombocytopenia", ">149", "?"),
        ("anemia", "<8", "3"),
        ("anemia", "<10", ">=2"),
        ("anemia", ">12", "0"),
        ("lymphopenia", "<0.2", "4"),
        ("leukopenia", "<1", "4"),
    ],
)
def test_a_count_with_a_bound_is_graded_where_both_ends_agree(finding, value, grade):
    reads = {level.column: level.reads for level in edition("ctcae_v5_blood").levels}[finding]
    found = grade_cytopenia(chart([5.0], **{reads: value}), finding)
    assert said(found) == grade
    assert found.looked.tolist() == [[value != "-"]]
    assert [name for name, cells in found.missing.items() if cells[0, 0]] == ([reads] if grade[0] in "?>" else [])


@pytest.mark.parametrize(
    ("column", "values", "lower", "upper"),
    [
        ("bilirubin", {"bilirubin": 3.7}, 3, 3),
        ("bilirubin", {"bilirubin": ">3.6"}, 3, 4),  # above 3 times 1.2, perhaps above 10 times
        ("bilirubin", {"bilirubin": "<1.2"}, 0, 0),
        ("bilirubin", {"bilirubin": "<2"}, 0, 2),
        ("bilirubin", {"bilirubin": UNREAD}, 0, 4),
        ("transaminase", {"ast": ">800"}, 4, 4),
        ("transaminase", {"ast": 30, "alt": "<41"}, 0, 1),
        ("transaminase", {"ast": 30, "alt": UNREAD}, 0, 4),
        ("creatinine", {"creatinine": "<0.6"}, 0, 0),
    ],
)
def test_organs_where_high_is_bad(column, values, lower, upper):
    found = organ_range(chart([3.0], **values), column)
    assert [int(one[0, 0]) for one in found] == [lower, upper]


def test_a_value_that_was_not_understood_is_not_bridged_by_the_one_before():
    course = chart([3.0, 3.2], bilirubin=["0.6", UNREAD])
    assert [one.tolist() for one in organ_range(course, "bilirubin")] == [[[0, 0]], [[0, 4]]]
    read = chart([3.0, 3.2], bilirubin=["0.6", "-"])
    assert [one.tolist() for one in organ_range(read, "bilirubin")] == [[[0, 0]], [[0, 0]]]


def test_a_baseline_below_its_limit_leaves_the_multiple_open():
    course = chart([-5.0, 3.0], creatinine=["<0.4", "1.1"])  # at least 2.75 times, perhaps far more
    assert [one[0, -1] for one in organ_range(course, "creatinine")] == [2, 3]


@pytest.mark.parametrize(
    ("values", "age", "grade"),
    [
        ({"igg": "<75"}, 40, "2"),
        ({"igg": "<400"}, 40, "2"),
        ({"igg": "<500"}, 40, ">=1"),  # low, or severely low
        ({"igg": "<750"}, 40, "?"),
        ({"igg": ">700"}, 40, "0"),
        ({"igg": ">400"}, 40, "?"),
        ({"igg": UNREAD}, 40, "?"),
        ({"igg": "<350"}, 6, "2"),
        ({"igg": "<500"}, 6, "?"),
    ],
)
def test_immunoglobulin(values, age, grade):
    assert said(hypogammaglobulinemia(chart([40.0], **values), age=[age])) == grade


@pytest.mark.parametrize(
    ("values", "state"),
    [
        ({"b_cells": "<1", "lymphocytes": 0.5}, "1"),
        ({"b_cells": "<1", "lymphocytes": "-"}, "?"),
        ({"b_cells": "<20", "lymphocytes": 3.0}, "?"),
        ({"b_cells": "<1", "lymphocytes": "<0.05"}, "?"),  # none, or a large share of few
        ({"b_cells": 0, "lymphocytes": "-"}, "1"),
        ({"b_cells": ">10", "lymphocytes": 0.5}, "0"),
        ({"b_cells": ">5", "lymphocytes": 0.5}, "0"),  # more than 1 % of lymphocytes
        ({"b_cells": ">5", "lymphocytes": 2.0}, "?"),
        ({"b_cells": 3, "b_cell_percent": "<1"}, "1"),
        ({"b_cells": 3, "b_cell_percent": ">1"}, "0"),
        ({"b_cells": 3, "b_cell_percent": UNREAD}, "?"),
        ({"b_cells": UNREAD, "lymphocytes": 0.5}, "?"),
    ],
)
def test_b_cells(values, state):
    found = b_cell_aplasia(chart([40.0], **values))
    assert said(found) in (state, f">={state}") and found.looked.all()
    assert (found.grade[0, 0] < 0) == any(cells[0, 0] for cells in found.missing.values())


# ---------------------------------------------------------------- risk scores and hyperinflammation


@pytest.mark.parametrize(
    ("values", "low", "high", "verdict"),
    [
        ({}, 0, 0, "low"),
        ({"platelets": "<75"}, 2, 2, "high"),
        ({"platelets": "<100"}, 1, 2, "not gradable"),
        ({"platelets": ">175"}, 0, 0, "low"),
        ({"neutrophils": "<1.2"}, 1, 1, "low"),
        ({"crp": ">30"}, 1, 1, "low"),
        ({"crp": "<30"}, 0, 0, "low"),
        ({"ferritin": ">1000"}, 1, 2, "not gradable"),
        ({"ferritin": UNREAD}, 0, 2, "not gradable"),
        ({"ferritin": UNREAD, "platelets": "<75"}, 2, 4, "high"),
    ],
)
def test_car_hematotox(values, low, high, verdict):
    usual = {"platelets": 200, "neutrophils": 3.0, "hemoglobin": 11, "crp": 5, "ferritin": 300}
    course = chart([-6.0], **{**usual, **values})
    found = car_hematotox(latest_values(course, tuple(usual), -5.0, 7.0))
    assert (found.low[0], found.high[0], found.verdict[0]) == (low, high, verdict)


def test_a_newer_count_that_was_not_understood_hides_the_older_one_from_a_score():
    course = chart([-8.0, -6.0], platelets=[200, UNREAD])
    found = latest_values(course, ("platelets",), -5.0, 7.0)["platelets"]
    assert (found.low[0], found.high[0]) == (0.0, analyte("platelets").high)


@pytest.mark.parametrize(
    ("values", "low", "high"),
    [
        ({}, 15.0, 15.0),
        ({"platelets": "<60"}, 15.0, np.inf),
        ({"platelets": ">60"}, 0.3, 15.0),
        ({"ldh": ">600"}, 15.0, 1250.0),
        ({"creatinine": "<1.5"}, 0.5, 15.0),
        ({"platelets": "-"}, NAN, NAN),
    ],
)
def test_easix_is_a_range(values, low, high):
    course = chart([3.0], **{**{"ldh": 600, "creatinine": 1.5, "platelets": 60}, **values})
    found, _ = easix_course(course)
    np.testing.assert_allclose([found.low[0, 0], found.high[0, 0]], [low, high], rtol=1e-9)


@pytest.mark.parametrize(
    ("values", "low", "high"),
    [
        ({"ferritin": ">500"}, 1, 1),
        ({"ferritin": "<500"}, 0, 0),
        ({"ferritin": "<1000"}, 0, 1),
        ({"fibrinogen": "<1.5"}, 1, 1),
        ({"hemoglobin": "<9", "platelets": "<100"}, 1, 1),
        ({"hemoglobin": "<9", "platelets": "<110"}, 0, 1),
        ({"ferritin": UNREAD}, 0, 1),
    ],
)
def test_hlh_2004_counts_what_is_sure(values, low, high):
    normal = {
        "temperature": 37, "hemoglobin": 12, "platelets": 200, "neutrophils": 3, "triglycerides": 100, "fibrinogen": 3,
        "hemophagocytosis": 0, "splenomegaly": 0, "nk_activity_low": 0, "ferritin": 100, "soluble_il2_receptor": 500,
    }  # fmt: skip
    course = chart([3.0], **{**normal, **values})
    found = hlh_2004(extremes(course, 0.0, 3.0), age=40)
    assert (found.low[0], found.high[0]) == (low, high)


def test_other_definitions_take_bounds_too():
    course = chart([3.0], ferritin=">684", platelets="<181", ast=20, triglycerides=100, fibrinogen="<3")
    found = mas_2016(extremes(course, 0.0, 3.0))
    assert (found.low[0], found.high[0], found.verdict[0]) == (2, 2, "met")
    points = hscore(extremes(chart([3.0], ferritin=">6000", triglycerides="<100"), 0.0, 3.0)).points
    assert points["ferritin"][0] == 50 and points["triglycerides"][0] == 0
    early = chart([0.5], temperature=39.0, mcp1=">1343.5", il6="<16")
    assert early_prediction(early, "hay_2017").verdict[0] == "positive"
    assert early_prediction(early, "gust_2017").verdict[0] == "not gradable"  # IL-6 may still rise
    later = chart([0.5, 1.5], temperature=[39.0, "-"], mcp1=[">1343.5", "-"], il6=["<16", "<16"])
    assert early_prediction(later, "gust_2017").verdict[0] == "negative"
    assert early_prediction(chart([0.5], temperature=39.0, mcp1=UNREAD), "hay_2017").verdict[0] == "not gradable"


@pytest.mark.parametrize(
    ("changes", "grade"),
    [
        ({}, "1"),
        ({"ferritin": [300, ">10000"]}, "1"),
        ({"ferritin": [300, ">500"]}, "?"),
        ({"ferritin": [300, UNREAD]}, "?"),
        ({"ferritin": [300, "<600"]}, "0"),
        ({"ast": [30, UNREAD], "alt": [30, 20]}, "?"),
        ({"ast": [30, ">200"]}, "1"),
        ({"bleeding": [0, 2]}, "4"),
        ({"norepinephrine": [0, ">0"]}, "4"),
        ({"norepinephrine": [0, UNREAD]}, ">=1"),
    ],
)
def test_iec_hs(changes, grade):
    usual = {"ferritin": [300, 20000], "ast": [30, 400], "alt": [30, 30], "fibrinogen": [3, 3], "platelets": [100, 90]}
    usual |= {"neutrophils": [1, 1], "temperature": [37, 37], "systolic_bp": [120, 120], "oxygen_device": [0, 0]}
    found = grade_iec_hs(chart([0.0, 12.0], **{**usual, **changes}), age=[40])
    assert said(found) == grade


def test_the_severity_of_iec_hs_reads_a_pump_that_runs_minutes_from_the_laboratory():
    rows = {"ferritin": [300, 20000, "-", 21000], "ast": [30, 400, "-", 410], "norepinephrine": ["-", "-", 5, "-"]}
    found = grade_iec_hs(chart([0.0, 12.0, 12.01, 12.02], **rows), age=[40])
    assert [said(found, column) for column in (1, 3)] == ["1", "4"]


# ---------------------------------------------------------------- ICAHT by dates

LOW_WEEK = [0.3] * 7 + [2.0] * 24


def icaht(counts, **more):
    found = grade_icaht(chart(range(len(counts)), neutrophils=list(counts), **more), last_day=len(counts) - 1)
    return int(found.early[0]), int(found.early_at_least[0])


@pytest.mark.parametrize(
    ("change", "grade", "least"),
    [
        ({}, 2, 2),
        ({6: "<0.5"}, 2, 2),
        ({6: "<1"}, -1, 1),  # low or not
        ({6: UNREAD}, -1, 1),
        ({3: UNREAD}, 2, 2),  # one day above ends no run: recovery takes three
        ({6: "-"}, 1, 1),  # a date without a count is filled by the line between its neighbors, as published
        ({20: UNREAD}, 2, 2),  # one low day more, apart: the same grade
        ({7: UNREAD}, 2, 2),
        ({15: UNREAD, 16: UNREAD, 30: UNREAD}, 2, 2),
        ({day: "<0.5" for day in range(7)}, -1, 2),  # perhaps 7 days at or below 0.1
        ({day: ">0.51" for day in range(7, 31)}, 2, 2),
    ],
)
def test_early_icaht_with_bounds_and_unread_counts(change, grade, least):
    counts = [change.get(day, count) for day, count in enumerate(LOW_WEEK)]
    assert icaht(counts) == (grade, least)


def test_the_grade_of_a_date_that_was_not_understood_is_no_better_than_without_it():
    counts = [2.0] * 5 + [0.3] + [UNREAD] * 5 + [0.3] + [2.0] * 19
    assert icaht(counts) == (-1, 1)  # without: 7 low days by the line, grade 2; understood, perhaps grade 1
    days = [2.0] * 5 + [0.3] + ["-"] * 5 + [0.3] + [2.0] * 19
    assert icaht(days) == (2, 2)


@pytest.mark.parametrize(
    ("late", "grade", "least"),
    [(["<0.5"], -1, 3), (["<0.1"], 4, 4), ([UNREAD], -1, 0), ([1.0], 2, 2), ([1.0, UNREAD], -1, 0), ([">1.5"], 0, 0)],
)
def test_late_icaht(late, grade, least):
    days = [*range(31), *(40 + 5 * i for i in range(len(late)))]
    found = grade_icaht(chart(days, neutrophils=[2.0] * 31 + late))
    assert (found.late[0], found.late_at_least[0]) == (grade, least)


@pytest.mark.parametrize(
    ("change", "grade", "least"),
    [({}, 0, 0), ({4: "<50"}, -1, 1), ({4: "<20"}, 3, 3), ({4: ">50"}, 0, 0), ({4: UNREAD}, -1, 0)],
)
def test_t_icaht(change, grade, least):
    counts = [change.get(day, 150) for day in range(31)]
    found = grade_t_icaht(chart(range(31), platelets=counts))
    assert (found.early[0], found.early_at_least[0]) == (grade, least)


@pytest.mark.parametrize("hour", [0.0, 6.0, 14.0, 23.5])
def test_icaht_counts_dates_whatever_the_hour_of_the_infusion(hour):
    dates = np.arange(-1, 31)
    days = dates + (5.0 - hour) / 24  # drawn at 05:00
    counts = [1.2 if date < 0 else 0.4 if date < 7 else 1.1 for date in dates]
    found = grade_icaht(chart(days, neutrophils=counts, clock=hour / 24), last_day=days[-1])
    assert (found.early[0], found.days_low[0], found.cumulative_low[0]) == (2, 7, 7)


def test_of_several_counts_on_one_date_the_lowest_is_read():
    days = [d + part for d in range(31) for part in (0.25, 0.75)]
    counts = [0.3 if d < 7 and part else 1.0 for d in range(31) for part in (0, 1)]
    found = grade_icaht(chart(days, neutrophils=counts))
    assert (found.early[0], found.days_low[0]) == (2, 7)
    found = grade_icaht(chart([*days, 10.5], neutrophils=[*counts, UNREAD]))
    assert found.early[0] == 2  # one more low date, apart, changes nothing


def test_a_count_beside_one_that_was_not_understood_is_the_most_the_lowest_of_the_date_can_be():
    counts = [(d, 0.3 if d < 6 else 1.0) for d in range(31)]
    days, values = zip(*sorted([*counts, (6.5, UNREAD)], key=lambda one: one[0]))
    found = grade_icaht(chart(days, neutrophils=list(values)))
    assert (found.early[0], found.early_at_least[0], found.days_low[0]) == (-1, 1, 6)  # 6 days, or 7


def test_a_second_infusion_has_its_own_day_0():
    days = np.arange(0.0, 80.0)
    cells = [3e8 if d in (0.0, 45.0) else "-" for d in days]
    counts = [0.3 if 45 <= d < 52 else 2.0 for d in days]
    course = chart(days, car_t_infusion=cells, neutrophils=counts, clock=0.5)
    assert later_infusions(course) == (45.0,)
    second = grade_icaht(from_infusion(course, 45.0), last_day=34.0)
    assert (second.early[0], second.days_low[0]) == (2, 7)
    first = grade_icaht(course, last_day=eve_of(course, 45.0))
    assert (first.early[0], first.late[0]) == (0, 0)
    assert from_infusion(course, 45.0).calendar()[0, 45] == 0


def test_fractions_of_a_dose_are_one_infusion():
    course = chart([0.0, 1.0, 2.0, 40.0], car_t_infusion=[1e7, 3e7, 6e7, ">0"])
    assert later_infusions(course) == (40.0,)


# ---------------------------------------------------------------- the interface


def test_the_plausible_range_of_every_graded_analyte_holds_all_its_thresholds():
    in_mmol = ("hscore_2014", "triglycerides")
    checked = 0
    for name in editions():
        for level in edition(name).levels:
            if level.reads in all_analytes() and not level.times and (name, level.reads) != in_mmol:
                found = analyte(level.reads)
                assert found.low <= level.value <= found.high, (name, level.reads)
                checked += 1
    assert checked > 50


def test_the_ladder_works_in_both_directions():
    blood, organs = edition("ctcae_v5_blood"), edition("hlh_2004")
    low = bounded_ladder(ends(chart([0.0], neutrophils="<0.5"), "neutrophils"), blood.column("neutropenia"))
    high = bounded_ladder(ends(chart([0.0], ferritin=">499"), "ferritin"), organs.column("ferritin"))
    assert [int(x[0, 0]) for x in (*low, *high)] == [4, 4, 0, 1]


# ---------------------------------------------------------------- properties

COUNTS = st.sampled_from(["-", 0.05, 0.3, 0.5, 0.8, 1.2, 3.0, "<0.5", "<1", ">1", UNREAD])


def _bounds(course):
    """Lowest and highest of each grade that the chart allows: -1 becomes open above what is at least known."""
    for name in CYTOPENIAS:
        found = grade_cytopenia(course, name)
        yield name, found.at_least[0], np.where(found.grade[0] < 0, 9, found.grade[0])
    for grader in (grade_icaht, grade_t_icaht):
        found = grader(course)
        for part in ("early", "late"):
            settled, least = getattr(found, part), getattr(found, f"{part}_at_least")
            yield f"{grader.__name__} {part}", least, np.where(settled < 0, 9, settled)


@settings(max_examples=150, deadline=None)
@given(st.lists(COUNTS, min_size=8, max_size=45), st.data())
def test_a_value_that_is_not_understood_settles_no_lower_grade(counts, data):
    """What a garbled value says is never more certain, and never better, than what the value said."""
    at = data.draw(st.integers(0, len(counts) - 1))
    rows = {"neutrophils": counts, "platelets": [c if isinstance(c, str) and c in "-?" else 80 for c in counts]}
    if counts[at] == "-":
        return
    course = chart(range(len(counts)), **rows)
    garbled = {name: [UNREAD if i == at else c for i, c in enumerate(row)] for name, row in rows.items()}
    after = chart(range(len(counts)), **garbled)
    for (name, low, high), (_, low_after, high_after) in zip(_bounds(course), _bounds(after)):
        assert (low_after <= low).all() and (high_after >= high).all(), name


@settings(max_examples=100, deadline=None)
@given(st.lists(COUNTS, min_size=3, max_size=20), st.data())
def test_taking_a_count_away_settles_nothing_at_its_time(counts, data):
    at = data.draw(st.integers(0, len(counts) - 1))
    left = ["-" if i == at else c for i, c in enumerate(counts)]
    with_it, without = (grade_cytopenia(chart(range(len(c)), neutrophils=c), "neutropenia") for c in (counts, left))
    assert without.grade[0, at] == -1 and without.at_least[0, at] == 0 and not without.looked[0, at]
    others = np.arange(len(counts)) != at
    assert np.array_equal(with_it.grade[:, others], without.grade[:, others])


@settings(max_examples=100, deadline=None)
@given(st.lists(COUNTS, min_size=31, max_size=45), st.floats(0, 0.99))
def test_the_hour_of_the_infusion_changes_no_grade_of_dates(counts, clock):
    dates = np.arange(len(counts))
    at_noon = grade_icaht(chart(dates + 0.5, neutrophils=counts))
    found = grade_icaht(chart(dates + 0.5 - clock, neutrophils=counts, clock=clock))
    assert (at_noon.early[0], at_noon.late[0], at_noon.days_low[0]) == (
        found.early[0],
        found.late[0],
        found.days_low[0],
    )
