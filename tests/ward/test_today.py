"""Today is the newest reading; what was not understood is told first; days are dates."""

import re
from dataclasses import replace
from datetime import date, datetime

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vein2vein.clinic.care.schedule import due
from vein2vein.clinic.care.suggestions import suggest
from vein2vein.clinic.grades.grades import Grades
from vein2vein.clinic.grades.monitoring import Override
from vein2vein.io.record.read import read_record
from vein2vein.io.record.record import SetAside
from vein2vein.report.monitor_page import monitor_page
from vein2vein.therapy.course import Course, Row, course_from_rows
from vein2vein.ward.hematotoxicity import ENDED
from vein2vein.ward.monitor import monitor
from vein2vein.ward.states import date_text, moment_text, state_at, worst_of

NAN = float("nan")
WELL = {"temperature": 36.8, "systolic_bp": 118.0, "oxygen_device": 0.0}


def course(days, clock=None, unread=(), above=(), below=(), **rows):
    values = {name: np.array([row], float) for name, row in rows.items()}

    def marks(cells):
        held = {}
        for name, column in cells:
            values.setdefault(name, np.full((1, len(days)), NAN))
            held.setdefault(name, np.zeros((1, len(days)), dtype=bool))[0, column] = True
        return held

    return Course(
        np.array([0]), np.array(days, float), values, marks(below), "measured", above=marks(above),
        unread=marks(unread), clock=np.empty(0) if clock is None else np.array([clock]),
    )  # fmt: skip


def state(watch, name):
    return next(s for s in (*watch.now, *watch.hematotoxicity) if s.name == name)


def grades(days, grade, at_least=None, looked=None, scale="icans"):
    grade = np.array([grade], dtype=np.int8)
    least = np.maximum(grade, 0) if at_least is None else np.array([at_least], dtype=np.int8)
    looked = None if looked is None else np.array([looked], dtype=bool)
    return Grades(scale, "icans_astct_2019", np.array(days, float), grade, least, looked=looked)


# ---------------------------------------------------------------- the newest reading governs


@pytest.mark.parametrize(
    ("grade", "at_least", "looked", "shown", "last"),
    [
        ([0, 2], [0, 2], None, "grade 2", 2),
        ([0, -1], [0, 0], None, "not gradable", 0),  # never 0
        ([3, -1], [3, 0], None, "not gradable", 3),
        ([0, -1], [0, 2], None, "at least grade 2", 0),
        ([3, 0], [3, 0], None, "grade 0", 0),
        ([2, -1], [2, 0], [True, False], "grade 2", 2),  # a row without signs of the scale hides nothing
        ([-1, -1], [0, 0], [False, False], "not gradable", -1),
    ],
)
def test_today_is_the_newest_at_which_the_scale_was_looked_at(grade, at_least, looked, shown, last):
    days = [2.25, 2.67]
    chart = course(days, ice=[10, NAN])
    found = state_at(grades(days, grade, at_least, looked), chart, 2.67, "icans")
    assert (str(found), found.last_grade) == (shown, last)
    assert np.isnan(found.last_day) if last < 0 else found.last_day in days


def test_a_reading_older_than_a_day_is_not_today():
    found = state_at(grades([1.0, 2.5], [3, -1], looked=[True, False]), course([1.0, 2.5], ice=[2, NAN]), 2.5, "icans")
    assert (str(found), found.last_grade, found.last_day) == ("not gradable", 3, 1.0)


def test_of_a_scale_that_does_not_say_where_it_looked_its_analytes_do():
    found = replace(grades([2.0, 2.5], [1, -1]), reads={"score": ("ice",)})
    chart = course([2.0, 2.5], ice=[9, NAN], crp=[NAN, 80])
    assert str(state_at(found, chart, 2.5, "icans")) == "grade 1"


@pytest.mark.parametrize(
    ("grade", "unread", "goes_on", "shown"),
    [
        ([0, -1, 0], (), False, "grade 0"),
        ([0, 0, -1], (), False, "grade 0"),
        ([0, 0, -1], (), True, "not gradable"),  # the day goes on, and its newest reading is not known
        ([0, -1, 0], (("seizure", 1),), False, "not gradable"),
        ([1, -1, 2], (("seizure", 1),), False, "at least grade 2"),
        ([4, -1, 0], (("seizure", 1),), False, "grade 4"),  # it could not have been worse
    ],
)
def test_a_day_is_at_least_its_worst_where_a_sign_was_not_understood(grade, unread, goes_on, shown):
    days = [2.1, 2.4, 2.7]
    chart = course(days, unread=unread, ice=[10, 10, 10])
    found = replace(grades(days, grade), reads={"score": ("ice",), "seizure": ("seizure",)})
    worst = worst_of(found, chart, np.arange(3), "icans", goes_on=goes_on)
    assert str(worst) == shown


@pytest.mark.parametrize(
    ("rows", "today", "day"),
    [
        ({"neutrophils": [0.3, 1.2, NAN]}, "grade 4", "grade 4"),  # of one date the lowest; a CRP column hides no count
        ({"neutrophils": [1.2, NAN, NAN], "unread": [("neutrophils", 1)]}, "not gradable", "at least grade 2"),
        ({"neutrophils": [0.3, NAN, NAN], "unread": [("neutrophils", 1)]}, "not gradable", "grade 4"),
        ({"neutrophils": [0.8, 0.9, NAN], "below": [("neutrophils", 0)]}, "grade 3", "at least grade 3"),
        ({"neutrophils": [NAN, 1.0, NAN], "below": [("neutrophils", 1)]}, "at least grade 3", "at least grade 3"),
        ({"neutrophils": [NAN, 0.5, NAN], "below": [("neutrophils", 1)]}, "grade 4", "grade 4"),
    ],
)
def test_counts_of_today_and_of_the_day(rows, today, day):
    (watch,) = monitor(course([5.1, 5.4, 5.6], **{**rows, "crp": [NAN, NAN, 50]}), age=40, weight=70)
    assert str(state(watch, "neutropenia")) == today
    assert str(watch.days[-1].states["neutropenia"]) == day


def test_a_time_at_which_nothing_was_understood_is_a_time_of_the_record():
    (watch,) = monitor(course([1.0, 2.0], unread=[("neutrophils", 1)], neutrophils=[1.0, NAN]), age=40, weight=70)
    assert watch.today == 2.0 and str(state(watch, "neutropenia")) == "not gradable"
    assert watch.days[-1].values["neutrophils"].unread
    assert "Neutrophils not understood" in monitor_page(watch)


# ---------------------------------------------------------------- what was not understood is told first

USUAL = """time,analyte,value,unit
,age,58,years
,weight,70,kg
2026-03-05 14:00,car_t_infusion,1.2e8,cells
2026-03-08 05:00,temperature,36.8,degC
2026-03-08 05:00,SBP,118,mmHg
2026-03-08 05:00,oxygen device,room air,
2026-03-08 06:00,norepinephrine,0,ug/min
"""


@pytest.fixture
def record(tmp_path):
    path = tmp_path / "record.csv"
    path.write_text(USUAL, encoding="utf-8")
    return read_record(path)


def unread_at(record, name, line, day, found, later=NAN):
    """The record with one more charting that was not understood, as the reader leaves it."""
    own = record.courses[0]
    days = np.unique([*own.days, day, *([day + 0.01] if np.isfinite(later) else [])])

    def spread(cells, empty):
        wide = np.full((1, len(days)), empty, dtype=cells.dtype)
        wide[0, np.searchsorted(days, own.days)] = cells[0]
        return wide

    values = {n: spread(c, np.nan) for n, c in own.values.items()}
    sources = {n: spread(c, "") for n, c in own.where_from.items()}
    values.setdefault(name, np.full((1, len(days)), np.nan))
    sources.setdefault(name, np.full((1, len(days)), "", dtype=object))
    column = int(np.searchsorted(days, day))
    sources[name][0, column] = f"record.csv:{line}"
    if np.isfinite(later):
        values[name][0, column + 1] = later
    marks = np.zeros((1, len(days)), dtype=bool)
    marks[0, column] = True
    wider = replace(own, days=days, values=values, where_from=sources, unread={**own.unread, name: marks})
    aside = SetAside(
        record.file, line, "value", "not a number", found, "an amount", "correct it", name, int(own.patients[0])
    )
    return replace(record, courses=(wider,), set_aside=(*record.set_aside, aside))


def test_what_was_not_understood_is_told_on_top_with_its_place_and_time(record):
    (watch,) = monitor(unread_at(record, "norepinephrine", 12, 3.4, "running fast"))
    (line,) = watch.unknown
    assert line.startswith("Norepinephrine: 'running fast' (record.csv:12, day 3.4 (2026-03-08 23:36)); for Cytokine")
    page = monitor_page(watch)
    assert page.index("Not understood, so what hangs on it is not gradable") < page.index('id="today"')
    assert "running fast" in page[: page.index('id="today"')]


def test_a_clean_record_has_no_such_line(record):
    (watch,) = monitor(record)
    assert watch.unknown == () and "Not understood" not in monitor_page(watch)


@pytest.mark.parametrize(
    ("name", "day", "until", "later", "told"),
    [
        ("norepinephrine", 3.4, None, NAN, True),
        ("norepinephrine", 3.4, 3.0, NAN, False),  # not as one knew it then
        ("norepinephrine", 1.2, None, 0.0, True),  # charted anew since: over for today, not for the grade of its day
        ("seizure", 1.2, None, NAN, True),  # nothing followed it
        ("tocilizumab", 1.2, None, NAN, True),  # it waives fever
        ("neutrophils", 3.4, None, NAN, True),
        ("spleen_length", 3.4, None, NAN, False),  # no finding that is shown reads it: below
    ],
)
def test_which_lines_are_told(record, name, day, until, later, told):
    changed = unread_at(record, name, 12, day, "?!", later)
    (watch,) = monitor(changed, until=until)
    assert bool(watch.unknown) == told
    assert any(one.found == "?!" for one in watch.set_aside)  # nothing is lost: it stands below


def test_of_today_it_is_told_though_it_was_charted_anew(record):
    (watch,) = monitor(unread_at(record, "norepinephrine", 12, 3.4, "running fast", 0.0))
    (line,) = watch.unknown
    assert "charted anew since" in line


def test_the_newest_first_and_many_places_of_one_analyte_are_counted(record):
    changed = unread_at(record, "neutrophils", 11, 1.5, "clotted")
    for line, day in ((12, 3.1), (13, 3.2), (14, 3.3), (15, 3.4), (16, 3.5)):
        marked = unread_at(changed, "norepinephrine", line, day, f"bag {line}")
        was = changed.courses[0].unread.get("norepinephrine")
        if was is not None:
            own, earlier = marked.courses[0], changed.courses[0].days[was[0]]
            own.unread["norepinephrine"][0, np.searchsorted(own.days, earlier)] = True
        own = marked.courses[0]
        kept = np.zeros((1, len(own.days)), dtype=bool)
        kept[0, np.searchsorted(own.days, 1.5)] = True
        changed = replace(marked, courses=(replace(own, unread={**own.unread, "neutrophils": kept}),))
    (watch,) = monitor(changed)
    first, second = watch.unknown
    assert first.startswith("Norepinephrine: 'bag 16'") and "and 2 more" in first and "bag 13" not in first
    assert second.startswith("Neutrophils")


def test_a_course_without_a_file_tells_it_too():
    (watch,) = monitor(course([1.0, 2.5], unread=[("norepinephrine", 1)], temperature=[37, 37]), age=40, weight=70)
    assert watch.unknown == (
        "Norepinephrine: last on day 2.5; for Cytokine release (ASTCT), Hyperinflammation (IEC-HS)",
    )


def test_a_place_whose_time_could_not_be_read_is_told(record):
    aside = SetAside(record.file, 14, "time", "no time", "soon", "a time", "correct it", "norepinephrine", 0)
    (watch,) = monitor(replace(record, set_aside=(aside,)))
    (line,) = watch.unknown
    assert line.startswith("Norepinephrine: 'soon' (record.csv:14);")


def test_a_line_of_another_patient_is_not_told(record):
    changed = unread_at(record, "norepinephrine", 12, 3.4, "running fast")
    own = replace(changed.courses[0], unread={})
    others = tuple(replace(one, patient=9) for one in changed.set_aside)
    assert monitor(replace(changed, set_aside=others, courses=(own,)))[0].unknown == ()


def test_hostile_words_stay_words(record):
    (watch,) = monitor(unread_at(record, "norepinephrine", 12, 3.4, "<script>x</script>"))
    assert "<script>x" not in monitor_page(watch)


# ---------------------------------------------------------------- days are dates


@pytest.mark.parametrize(
    ("time", "number"),
    [
        ("2026-03-04 23:59", -1),
        ("2026-03-05 00:00", 0),
        ("2026-03-05 23:59", 0),
        ("2026-04-02 00:00", 28),
        ("2026-04-02 23:59", 28),
    ],
)
@pytest.mark.parametrize("hour", ["00:00", "10:00", "23:30"])
def test_the_date_of_the_infusion_is_day_0_whatever_the_hour(tmp_path, time, number, hour):
    path = tmp_path / "r.csv"
    path.write_text(f"time,analyte,value,unit\n2026-03-05 {hour},car_t_infusion,1e8,cells\n{time},ANC,0.7,10*9/L\n")
    (watch,) = monitor(read_record(path), age=40, weight=70)
    found = [d for d in watch.days if "neutrophils" in d.values]
    assert [d.day for d in found] == [number]
    assert time in f"{date_text(number, watch.infused)} {time.split()[1]}"


def test_date_and_clock_stand_beside_the_day(record):
    (watch,) = monitor(record)
    assert watch.infused == datetime(2026, 3, 5, 14)
    page = monitor_page(watch)
    assert "2026-03-08 06:00" in page and "<small>2026-03-08</small>" in page
    private = replace(record, facts=replace(record.facts, infused=()))
    assert not re.search(r"20\d\d-\d\d-\d\d \d\d:\d\d", monitor_page(monitor(private)[0]))
    assert moment_text(2.5, date(2026, 3, 5)) == "2026-03-07" and moment_text(2.5, None) == ""


@pytest.mark.parametrize(("clock", "day", "overdue"), [(0.0, 35.9, False), (0.9, 35.2, True), (0.9, 34.9, False)])
def test_a_visit_is_due_by_date(clock, day, overdue):
    """The visit of day 28 may be made up to seven dates later, whatever the hour of the infusion."""
    chart = course([0.0, day], clock=clock, temperature=[37.0, 37.0])
    late = [one for one in due(chart, day) if (one.when, one.until) == (28, 35)]
    assert late and all(one.overdue == overdue for one in late)


@pytest.mark.parametrize(
    ("marks", "holds"),
    [({}, False), ({"below": [("neutrophils", 0)]}, True), ({"unread": [("neutrophils", 1)]}, True)],
)
def test_a_prophylaxis_of_low_counts_goes_by_what_a_bound_allows(marks, holds):
    rows = [0.5, NAN] if "unread" in marks else [0.5]
    chart = course([10.0, 10.5][: len(rows)], neutrophils=rows, **marks)
    held = {one.what for one in due(chart, 10.5)}
    low = {one.what for one in due(course([10.0], neutrophils=[0.1]), 10.5)}
    normal = {one.what for one in due(course([10.0], neutrophils=[3.0]), 10.5)}
    assert low - normal and bool((low - normal) & held) == holds


# ---------------------------------------------------------------- a second infusion


def two_infusions(second):
    days = [float(d) for d in range(second + 12)]
    cells = [1e8 if d in (0, second) else NAN for d in days]
    counts = [0.3 if d < 8 or second <= d < second + 7 else 2.0 for d in days]
    return course(days, clock=0.5, car_t_infusion=cells, neutrophils=counts)


def test_each_infusion_has_its_own_hematotoxicity():
    (watch,) = monitor(two_infusions(45), age=40, weight=70)
    found = [(s.title, str(s), ENDED in s.flags) for s in watch.hematotoxicity]
    assert found == [
        ("Hematotoxicity, early (ICAHT), infusion of day 0", "grade 2", True),
        ("Hematotoxicity, late (ICAHT), infusion of day 0", "grade 0", True),
        ("Hematotoxicity, early (ICAHT), infusion of day 45", "at least grade 2", False),  # so far
    ]
    assert "infusion of day 45" in monitor_page(watch)


def test_what_is_due_is_counted_from_the_last_treatment():
    (watch,) = monitor(two_infusions(45), age=40, weight=70)
    assert any(one.group == "watch" and one.when >= 45 for one in watch.due)
    (visit,) = [one for one in watch.due if one.until - one.when == 7 and one.when == 45 + 28]
    assert not visit.overdue
    (split,) = monitor(two_infusions(9), age=40, weight=70)
    assert any((one.when, one.until) == (28, 35) for one in split.due)


def test_a_decision_of_a_clinician_is_a_look(record):
    one = Override(0, 2.0, 5.0, "icans", 3, "", "Dr. B", "day 3", "", "record.csv:9")
    (watch,) = monitor(replace(record, overrides=(one,)))
    assert str(state(watch, "icans")) == "grade 3"


def test_the_second_part_of_a_split_dose_ends_no_window():
    (watch,) = monitor(two_infusions(9), age=40, weight=70)
    first, second = watch.hematotoxicity
    assert (first.at_least, second.at_least) == (3, 2)  # 8 and 7 low days, one day apart: one run of 16
    assert ENDED not in first.flags


# ---------------------------------------------------------------- another cause


@pytest.mark.parametrize(
    ("flag", "grade", "told"),
    [
        ("late onset: the first fever came after day 14", 1, "late after the infusion"),
        ("late onset: the first fever came after day 14", 3, "late after the infusion"),
        ("other cause? an infection is charted", 2, "another cause of the fever"),
        ("fever attributed to another cause", 2, ""),
        ("late onset: the first fever came after day 14", 0, ""),
    ],
)
def test_a_late_or_infected_fever_brings_the_advice_to_look_for_its_cause(flag, grade, told):
    chart = course([20.0], **{name: [value] for name, value in WELL.items()})
    one = np.array([[grade]], dtype=np.int8)
    found = Grades("crs_astct", "crs_astct_2019", chart.days, one, one, flags={flag: np.array([[True]])})
    texts = [one.text for one in suggest(chart, {"crs_astct": found}, weight=70.0)]
    advice = [text for text in texts if "look for another cause" in text or "another cause of the fever" in text]
    assert bool(advice) == bool(told) and all(told in text for text in advice)


# ---------------------------------------------------------------- properties

COUNTS = st.sampled_from([0.05, 0.3, 0.5, 0.8, 1.2, 3.0])


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(st.integers(0, 40), COUNTS, min_size=2, max_size=14), st.data())
def test_garbling_a_count_settles_no_lower_grade_of_a_day_or_of_today(rows, data):
    rows = sorted(rows.items())
    at = data.draw(st.integers(0, len(rows) - 1))
    days, counts = [quarter / 4 for quarter, _ in rows], [count for _, count in rows]
    (clean,) = monitor(course(days, neutrophils=counts), age=40, weight=70)
    garbled = [NAN if i == at else count for i, count in enumerate(counts)]
    (after,) = monitor(course(days, neutrophils=garbled, unread=[("neutrophils", at)]), age=40, weight=70)
    pairs = [(state(w, n) for w in (clean, after)) for n in ("neutropenia", "icaht_early")]
    pairs += [(d.states["neutropenia"] for d in days) for days in zip(clean.days, after.days)]
    assert len(clean.days) == len(after.days)
    for was, now in pairs:
        assert now.grade < 0 or now.grade >= was.grade, (was, now)
        assert now.at_least <= was.at_least


def test_of_several_counts_of_a_date_the_lowest_is_today(record):
    rows = [
        Row(0, 0.0, "car_t_infusion", 1e8, False, "given", ""),
        Row(0, 5.2, "neutrophils", 0.4, False, "measured", ""),
    ]
    rows += [Row(0, 5.7, "neutrophils", 1.2, False, "measured", "")]
    (watch,) = monitor(course_from_rows(rows))
    assert next(state.grade for state in watch.now if state.name == "neutropenia") == 4


def test_a_pump_of_unknown_rate_runs_and_is_told(record):
    rows = [Row(0, 0.0, "car_t_infusion", 1e8, False, "given", "")]
    rows += [Row(0, 3.0, name, value, False, "measured", "") for name, value in
             (("temperature", 39.0), ("systolic_bp", 110.0), ("oxygen_device", 0.0))]  # fmt: skip
    rows += [Row(0, 3.0, "norepinephrine", 0.0, False, "measured", "", True)]
    (watch,) = monitor(course_from_rows(rows), age=50)
    assert watch.now[0].grade == 3 and "rate not understood" in watch.unknown[0]
