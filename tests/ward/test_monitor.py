"""What a ward sees of a record: states, changes, doses, decisions, and a page that is whole and safe."""

import re
from dataclasses import replace

import numpy as np
import pytest

from vein2vein.clinic.grades.monitoring import ALL_FINDINGS, DEATH_HOLDS, Override, grade
from vein2vein.errors import InputError
from vein2vein.io.record.read import example_record_text, read_record
from vein2vein.io.record.write import write_record
from vein2vein.report.monitor_page import monitor_page, write_monitor_report
from vein2vein.therapy.course import Row, course_from_rows
from vein2vein.ward.monitor import missing_now, monitor
from vein2vein.ward.states import in_words, plain_number, shown_value

BEDSIDE = (("temperature", 37.0), ("systolic_bp", 120.0), ("oxygen_device", 0.0))
ALERT = (("ice", 10.0), ("arousal", 0.0), ("seizure", 0.0), ("motor_weakness", 0.0), ("cerebral_edema", 0.0))


def course(*rows):
    return course_from_rows(Row(0, day, name, value, False, "measured", "r.csv:1") for day, name, value in rows)


@pytest.fixture
def record(tmp_path):
    path = tmp_path / "record.csv"
    path.write_text(example_record_text(), encoding="utf-8")
    return read_record(path)


def state(watch, name):
    return next(s for s in (*watch.now, *watch.hematotoxicity) if s.name == name)


def test_the_example_on_its_worst_evening(record):
    (watch,) = monitor(record, until=3.34)
    crs = state(watch, "crs_astct")
    assert str(crs) == "grade 2"
    assert {(row.analyte, row.value) for row in crs.because} >= {("systolic_bp", 78.0), ("oxygen_flow", 2.0)}
    assert all(re.fullmatch(r"record\.csv:\d+", row.where_from) for row in crs.because)
    doses = {one.treatment: one for one, _ in watch.consider if one.treatment}
    assert doses["tocilizumab"].dose == 8 * 39 and not doses["tocilizumab"].blocked
    assert any("grade 2 (a day earlier" in text or "grade 2" in text for text in watch.changed)


def test_a_dose_that_the_interval_forbids_says_so(record):
    (watch,) = monitor(record, until=3.375)
    (tocilizumab,) = [one for one, _ in watch.consider if one.treatment == "tocilizumab"]
    assert any("given just now" in text for text in tocilizumab.blocked)


def test_nothing_later_than_until_is_read(record):
    early, cut = monitor(record, until=3)[0], monitor(record, until=3.34)[0]
    assert early.today < 3 and {d.day for d in early.days} == {-1, 0, 3}  # 06:00 of the third date
    first, then = (
        {d.day: {n: (s.grade, s.at_least) for n, s in d.states.items()} for d in w.days if d.day < 3}
        for w in (early, cut)
    )
    assert first == then and len(first) == 2
    for name, grades in early.findings.items():
        known = cut.findings[name].grade[:, : grades.grade.shape[1]]
        assert np.array_equal(grades.grade, known), name


def test_not_gradable_is_never_zero_and_says_what_is_missing():
    (watch,) = monitor(course((1.0, "temperature", 39.0), (1.0, "ice", 10.0)), age=40, weight=70)
    crs = state(watch, "crs_astct")
    assert crs.grade == -1 and crs.at_least == 1 and str(crs) == "at least grade 1"
    assert "systolic_bp" in missing_now(watch)
    assert str(state(watch, "neutropenia")) == "not gradable"
    page = monitor_page(watch)
    assert "≥1" in page and "n.g." in page
    assert "No factor was found" in page and "Not known:" in page


def test_what_was_known_earlier_keeps_its_day():
    rows = [(1.0, "neutrophils", 0.3), *((d, n, v) for d in (1.0, 4.0) for n, v in BEDSIDE)]
    (watch,) = monitor(course(*rows), age=40, weight=70)
    low = state(watch, "neutropenia")
    assert low.grade == -1 and (low.last_grade, low.last_day) == (4, 1.0)
    assert any("last known on day 1" in text for text in watch.infection)
    assert all(day == 1.0 for one, day in watch.consider if one.finding == "neutropenia")


@pytest.mark.parametrize("scale", ["astct", "lee2014", "lee", "penn", "mskcc", "cartox", "mahadeo", "ctcae5"])
def test_every_scale_grades_the_example(record, scale):
    (watch,) = monitor(record, scale=scale)
    name = f"crs_{watch.scale}"
    day = next(d for d in watch.days if d.day == 3)
    assert day.states[name].grade >= 2 and day.states[name].because
    assert monitor_page(watch).count("<svg") == 1


def test_the_states_are_those_of_the_one_grader(record):
    (watch,) = monitor(record)
    found = grade(record.course, age=record.facts.age, weight=record.facts.weight, scales=ALL_FINDINGS)
    for name, grades in watch.findings.items():
        assert np.array_equal(grades.grade, found[name].grade), name


def test_advice_rests_on_the_astct_grade_whatever_the_scale_shown(record):
    astct, penn = (monitor(record, until=3.34, scale=scale)[0] for scale in ("astct", "penn"))
    assert (state(astct, "crs_astct").grade, state(penn, "crs_penn").grade) == (2, 3)
    assert [one.text for one, _ in astct.consider] == [one.text for one, _ in penn.consider]
    assert any("ASTCT grade" in note for note in penn.notes) and "crs_astct" not in penn.findings


def test_a_syndrome_not_looked_at_for_weeks_brings_no_doses(record):
    (watch,) = monitor(record)
    assert state(watch, "icans").last_grade == 1 and watch.today > 20
    assert {one.finding for one, _ in watch.consider} == {"hypogammaglobulinemia"}
    (soon,) = monitor(record, until=4)
    assert "icans" in {one.finding for one, _ in soon.consider}


def test_no_weight_no_dose(record):
    bare = replace(record, facts=replace(record.facts, weight=np.array([np.nan])))
    (watch,) = monitor(bare, until=3.34)
    dosed = [one for one, _ in watch.consider if one.treatment]
    assert dosed and all(np.isnan(one.dose) and "needs the weight" in one.notes[0] for one in dosed)
    assert any("weight is unknown" in note for note in watch.notes)


def test_an_override_changes_the_finding_and_stays_visible(record):
    one = Override(0, 3.0, 3.9, "crs_astct", 1, "", "Dr. B", "day 4", "fluids for dehydration", "record.csv:70")
    (watch,) = monitor(replace(record, overrides=(one,)))
    assert next(d for d in watch.days if d.day == 3).states["crs_astct"].grade == 1
    told = next(d for d in watch.decisions if d.author == "Dr. B")
    assert "grade 2" in told.computed and told.holds == "grade 1" and told.where_from == "record.csv:70"
    page = monitor_page(watch)
    assert "Dr. B" in page and "fluids for dehydration" in page and "bacteremia" in page


def test_a_death_stands_in_the_record_beside_a_decision_that_covers_it(tmp_path):
    rows = "2026-03-08 18:30,death_cause,CRS,,,\n2026-03-08 19:00,creatinine,1.1,mg/dL,,\n"
    path = tmp_path / "record.csv"
    path.write_text(example_record_text().rstrip() + "\n" + rows, encoding="utf-8")
    one = Override(0, 3.0, 3.9, "crs_astct", 1, "", "Dr. B", "day 3", "", "record.csv:70")
    (watch,) = monitor(replace(read_record(path), overrides=(one,)), until=3.5)
    assert str(state(watch, "crs_astct")) == "grade 5"
    (told,) = [d for d in watch.decisions if d.author == "Dr. B"]
    assert DEATH_HOLDS in told.holds and "grade 5" in told.computed


def test_an_override_on_a_scale_that_is_not_shown_is_told_and_held_where_it_is(record):
    one = Override(0, 3.0, 3.9, "crs_penn", 1, "", "Dr. B", "day 4", "", "record.csv:70")
    (watch,) = monitor(replace(record, overrides=(one,)))
    assert not watch.set_aside and any("record.csv:70" in note and "--scale penn" in note for note in watch.notes)
    assert next(d for d in watch.days if d.day == 3).states["crs_astct"].grade == 2
    (shown,) = monitor(replace(record, overrides=(one,)), scale="penn")
    assert next(d for d in shown.days if d.day == 3).states["crs_penn"].grade == 1


def test_after_a_death_nothing_is_due_and_its_cause_is_asked_for(record):
    course = record.course
    dead = np.full(course.shape, np.nan)
    dead[0, -1] = 0
    (watch,) = monitor(replace(record, courses=(replace(course, values={**course.values, "alive": dead}),)))
    assert not watch.due and not watch.consider
    assert any("not attributed" in note for note in watch.notes)


def test_advice_by_another_scale_than_the_one_shown_is_said_and_each_source_is_named(record):
    (watch,) = monitor(record, scale="penn", until=3.375)
    page = monitor_page(watch)
    assert "Advice for CRS by the ASTCT grade, not by the scale shown" in page
    assert "Rejeski 2023 (EHA/EBMT), S22" in page and "source S22" not in page
    (shown,) = monitor(record, until=3.375)
    assert "not by the scale shown" not in monitor_page(shown)


def test_a_factor_of_infection_stands_with_its_edition_and_rows(record):
    (watch,) = monitor(record, until=3.375)
    assert any("record.csv:36" in text and "CTCAE v5.0, blood counts" in text for text in watch.infection)


def test_hostile_texts_stay_texts(record):
    bad = '<script>alert("x")</script>'
    one = Override(0, 3.0, 3.9, "crs_astct", 1, "", bad, "day 4", bad, bad)
    facts = replace(record.facts, product=(bad,), disease=(bad,))
    (watch,) = monitor(replace(record, overrides=(one,), facts=facts, file=f"/x/{bad}.csv", notes=(bad,)))
    page = monitor_page(watch)
    assert bad not in page and "&lt;script&gt;" in page


def test_the_page_loads_nothing_and_says_what_it_is(record, tmp_path):
    (watch,) = monitor(record)
    path = write_monitor_report(watch, tmp_path / "report.html")
    page = path.read_text(encoding="utf-8")
    assert not re.search(r'(src|href)="(?!#|data:)', page) and "@import" not in page
    assert "never replaces, the decisions of the care team" in page
    assert "in part unverified" in page and "from memory" in page
    assert page.count("<svg") == 1
    with pytest.raises(InputError, match="not overwritten"):
        write_monitor_report(watch, path)


def test_months_of_follow_up_have_a_figure_of_their_own():
    rows = [(d, "igg", 500.0 - d) for d in (1.0, 90.0, 200.0)] + [(200.0, "b_cells", 0.5)]
    (watch,) = monitor(course(*rows), age=40, weight=70)
    assert 'id="figure-follow-up"' in monitor_page(watch)


def test_a_record_that_ends_before_the_infusion():
    (watch,) = monitor(course((-3.0, "neutrophils", 1.2)), age=40)
    assert "no timeline" in monitor_page(watch)
    with pytest.raises(InputError, match="nothing up to day -9"):
        monitor(course((-3.0, "neutrophils", 1.2)), until=-9)


def test_patients_of_one_record_do_not_touch_each_other():
    one = [Row(0, 1.0, name, value, False, "measured", "") for name, value in (*BEDSIDE, *ALERT)]
    two = [Row(1, 2.5, name, value, False, "measured", "") for name, value in (("temperature", 39.5), *BEDSIDE[1:])]
    first, second = monitor(course_from_rows([*one, *two]), age=40, weight=70)
    assert (first.today, second.today) == (1.0, 2.5)
    assert (state(first, "crs_astct").grade, state(second, "crs_astct").grade) == (0, 1)
    assert [s.grade for s in monitor(course_from_rows(two), age=40, weight=70)[0].now] == [s.grade for s in second.now]


def test_a_virtual_patient_written_out_and_read_back_has_the_same_grades(tmp_path):
    from vein2vein.journey.chart import simulate
    from vein2vein.therapy.disease import find_disease
    from vein2vein.therapy.product import find_product
    from vein2vein.trials.virtual_patients import virtual_patients

    patients = virtual_patients(find_disease("pediatric_b_all"), 1, seed=3)
    journey = simulate(patients, find_product("tisagenlecleucel"), seed=3)
    path = write_record(journey.course, tmp_path / "virtual.csv")
    read = read_record(path)
    assert not read.set_aside
    age, weight = float(patients.age[0]), float(patients.weight[0])
    (watch,) = monitor(read, age=age, weight=weight, product="tisagenlecleucel")
    columns = np.isin(journey.course.days, watch.course.days)
    for name in ("crs_astct", "icans", "neutropenia", "thrombocytopenia", "b_cell_aplasia"):
        assert np.array_equal(watch.findings[name].grade[0], journey.findings[name].grade[0, columns]), name
    assert watch.findings["neutropenia"].grade.max() >= 3


def test_words_of_states():
    assert in_words("crs_astct", -1, 0) == "not gradable" and in_words("icans", -1, 3) == "at least grade 3"
    assert in_words("b_cell_aplasia", 1) == "aplasia" and in_words("hypogammaglobulinemia", 2) == "severely low"
    with pytest.raises(InputError, match="unknown scale"):
        monitor(course((1.0, "ice", 9.0)), scale="astc")


@pytest.mark.parametrize(
    ("value", "shown"),
    [(0.0312, "0.0312"), (36.85, "36.85"), (1900, "1900"), (9999.7, "10000"), (20000, "20000"), (23456.7, "23457"),
     (850000, "850000"), (1.2e8, "1.2e+08")],
)  # fmt: skip
def test_numbers_up_to_a_million_have_no_exponent(value, shown):
    assert plain_number(value) == shown
    assert shown_value(Row(0, 1.0, "ferritin", value, False, "measured", "")) == f"Ferritin {shown} ug/L, day 1"
