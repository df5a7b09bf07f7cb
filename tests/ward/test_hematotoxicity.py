"""Hematotoxicity as a ward reads it: the window that is not over, and the days of which no count tells."""

import numpy as np
import pytest

from vein2vein.clinic.grades.hematotoxicity import grade_icaht
from vein2vein.therapy.course import Course
from vein2vein.ward.hematotoxicity import ALWAYS_LOW, DIED, ENDED, NO_COUNTS, hematotoxicity_of
from vein2vein.ward.scores import SO_FAR

DAYS = range(31)


def chart(counts, last=None, reads="neutrophils", **more):
    """A chart with counts by day, and other rows by day; its last row is a temperature of the day ``last``."""
    rows = {reads: counts, **more}
    if last is not None:
        rows["temperature"] = {last: 36.8}
    days = sorted({float(day) for cells in rows.values() for day in cells})
    values = {name: np.full((1, len(days)), np.nan) for name in rows}
    for name, cells in rows.items():
        for day, value in cells.items():
            values[name][0, days.index(day)] = value
    return Course(np.array([0]), np.array(days), values, {}, "measured")


def early(course):
    return hematotoxicity_of(course)[0]


def low(first, last, count=0.4, otherwise=2.0, days=DAYS):
    return {day: count if first <= day <= last else otherwise for day in days}


DEAD = {"alive": {16: 0}}


@pytest.mark.parametrize(
    ("case", "course", "state", "flags"),
    [
        ("low on days 3 and 4, today day 4", chart({3: 0.4, 4: 0.4}), "at least grade 1", {SO_FAR}),
        ("low on all days so far, today day 6", chart(low(0, 6, days=range(7))), "at least grade 2", {SO_FAR}),
        ("low for 14 days, very low, today day 20", chart(low(2, 15, 0.1, days=range(21))), "grade 4", {SO_FAR}),
        ("never low, today day 10", chart(low(99, 99, days=range(11))), "grade 0", {SO_FAR}),
        ("low from day 2 to the end of the window", chart(low(2, 30)), "grade 4", {ALWAYS_LOW}),
        ("low from day 2, last count day 28", chart(low(2, 28, days=range(29)), 30), "grade 4", {ALWAYS_LOW}),
        ("low from day 5 to the end: delayed", chart(low(5, 30)), "grade 3", set()),
        ("low from day 2 to death on day 16", chart(low(2, 16, days=range(17)), **DEAD), "grade 4", {DIED, ALWAYS_LOW}),
        ("dead on day 16, recovered", chart(low(2, 4, days=range(17)), **DEAD), "grade 1", {DIED}),
        ("last count day 4, next day 38", chart({3: 0.4, 4: 0.4, 38: 2.0}), "at least grade 1", {NO_COUNTS}),
        ("low on days 3 and 28, nothing between", chart({3: 0.4, 28: 0.4}, 31), "at least grade 1", {NO_COUNTS}),
        ("normal on days 3 and 28, nothing between", chart({3: 2.0, 28: 2.0}, 31), "not gradable", {NO_COUNTS}),
        ("a week between counts is filled", chart({0: 2.0, 8: 2.0, 16: 2.0, 24: 2.0}, 31), "grade 0", set()),
        ("grade 4 whatever the unknown days", chart(low(0, 13, 0.1, days=range(14)), 31), "grade 4", {NO_COUNTS}),
        ("first count on day 12", chart(low(99, 99, days=range(12, 31))), "not gradable", {NO_COUNTS}),
    ],
)  # fmt: skip
def test_early_icaht_of_a_chart(case, course, state, flags):
    found = early(course)
    assert str(found) == state, case
    assert set(found.flags) == flags - ({NO_COUNTS} if found.grade >= 0 else set()), case


@pytest.mark.parametrize(
    ("case", "counts", "last", "state"),
    [
        ("low on days 3 and 4, today day 4", {3: 40, 4: 40}, None, "at least grade 1"),
        ("very low on days 3 and 28, nothing between", {3: 15, 28: 15}, 31, "at least grade 3"),
        ("normal on days 3 and 28, nothing between", {3: 150, 28: 150}, 31, "not gradable"),
        ("low for a week, whole window", low(2, 8, 40, 150), None, "grade 2"),
    ],
)
def test_early_t_icaht_of_a_chart(case, counts, last, state):
    found = early(chart(counts, last, "platelets"))
    assert str(found) == state, case


def test_the_next_infusion_ends_the_window_on_its_eve_though_no_row_is_there():
    cells = {"car_t_infusion": {0: 1e8, 25: 1e8}}
    first = early(chart({3: 0.4, 4: 0.4}, 26, **cells))
    assert str(first) == "at least grade 1" and set(first.flags) == {ENDED, NO_COUNTS}
    always = early(chart(low(0, 24, days=range(25)), 26, **cells))
    assert str(always) == "grade 4" and set(always.flags) == {ENDED, ALWAYS_LOW}


def test_the_low_counts_are_the_reasons():
    found = early(chart({**low(3, 9), 6: 0.1}))
    assert [(row.day, row.analyte, row.value) for row in found.because] == [
        (3.0, "neutrophils", 0.4), (6.0, "neutrophils", 0.1), (9.0, "neutrophils", 0.4),
    ]  # fmt: skip
    assert early(chart(low(99, 99))).because == ()
    cells = {"car_t_infusion": {0: 1e8, 45: 1e8}}
    second = hematotoxicity_of(chart(low(47, 48, days=range(60)), **cells))[-1]
    assert [row.day for row in second.because] == [47.0, 48.0]  # days of the record


def test_the_late_window_says_that_it_is_not_over():
    late = [s for s in hematotoxicity_of(chart(low(99, 99, days=range(50)))) if s.name == "icaht_late"]
    assert [(s.grade, s.flags) for s in late] == [(0, (SO_FAR,))]


def test_a_whole_course_is_graded_as_published():
    whole = grade_icaht(chart({3: 0.4, 4: 0.4}), last_day=4)
    assert (whole.early[0], whole.overridden[0]) == (4, True)  # the last count of the course is low
