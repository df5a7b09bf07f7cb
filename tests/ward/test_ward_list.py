"""The list of a ward: the worst of today first, what is not understood never at the bottom; what an export corrects."""

from dataclasses import replace

import numpy as np
import pytest

from vein2vein.io.record.read import read_record
from vein2vein.report.ward_page import ward_page
from vein2vein.ward.corrections import corrections
from vein2vein.ward.monitor import monitor
from vein2vein.ward.ward_list import days_since_infusions, in_order, line_of, unread_of

HEADER = "patient,day,analyte,value,unit"
WELL = (("temperature", 36.8, "degC"), ("SBP", 120, "mmHg"), ("oxygen device", "room air", ""))
FEVER = (("temperature", 39.5, "degC"), *WELL[1:])
VENTILATED = (("temperature", 39.5, "degC"), ("SBP", 78, "mmHg"), ("oxygen device", "ventilator", ""),
              ("FiO2", 60, "%"), ("norepinephrine", 20, "ug/min"))  # fmt: skip


def rows(who, *days):
    """Rows of a patient with an infusion and (day, signs)."""
    return [f"{who},0,car_t_infusion,1e8,cells",
            *(f"{who},{day},{name},{value},{unit}" for day, signs in days for name, value, unit in signs)]  # fmt: skip


@pytest.fixture
def read(tmp_path):
    def write(*lines, name="record.csv"):
        path = tmp_path / name
        path.write_text("\n".join([HEADER, *lines]) + "\n", encoding="utf-8")
        return read_record(path)

    return write


def lines_of(record):
    return in_order([line_of(watch) for watch in monitor(record, age=40, weight=70)])


def test_the_worst_of_today_stands_first(read):
    record = read(
        *rows("P1", (1, VENTILATED), (9, WELL)),  # was worst of all, and is well
        *rows("P2", (3, WELL)),
        *rows("P3", (3, FEVER)),
        *rows("P10", (3, VENTILATED)),
    )
    found = lines_of(record)
    assert [line.name for line in found][:2] == ["P10", "P3"] and {line.name for line in found[2:]} == {"P1", "P2"}
    assert [line.grade for line in found][:2] == [4, 1]


PUMP = ("norepinephrine", 8, "ug/min")
STOPPED = ("norepinephrine", 0, "ug/min")


@pytest.mark.parametrize(
    ("ill", "first"),
    [
        (((3, (*FEVER, PUMP)), (3.4, (STOPPED,))), "ill"),  # the newest row is the stop of a pump
        (((1, (*FEVER, PUMP)), (1.4, (STOPPED,)), (3.4, (("temperature", 39, "degC"),))), "other"),  # long ago
        (((3, (*FEVER, PUMP)), (3.2, (*WELL, STOPPED)), (3.4, (STOPPED,))), "other"),  # settled as well since
    ],
)
def test_the_last_settled_grade_of_two_days_keeps_the_place_of_one_who_is_not_gradable(read, ill, first):
    other = rows("other", (3.4, (("temperature", 39.5, "degC"), ("SBP", 80, "mmHg"))))
    found = lines_of(read(*rows("ill", *ill), *other))
    assert found[0].name == first
    assert all(line.grade >= 0 for line in found if line.name == "other")


def test_a_line_says_when_its_patient_was_last_read(tmp_path, read):
    (line,) = lines_of(read(*rows("P", (3.5, FEVER))))
    assert (line.last_reading, line.moment) == ("day 3.5", "")
    path = tmp_path / "dated.csv"
    path.write_text("time,analyte,value,unit\n2026-03-05 10:00,car_t_infusion,1e8,cells\n2026-03-08 22:00,CRP,5,mg/L\n")
    (line,) = lines_of(read_record(path))
    assert line.last_reading == "day 3.5 (2026-03-08 22:00)"


def test_what_worsened_stands_before_what_did_not_and_both_are_said(read):
    found = lines_of(read(*rows("same", (1.5, FEVER), (3, FEVER)), *rows("worse", (2, WELL), (3, FEVER))))
    assert [(line.name, line.trend) for line in found] == [("worse", 1), ("same", 0)]
    assert "0 to 1" in found[0].since and found[1].since == ""


def test_a_sign_that_was_not_understood_is_loud_and_never_at_the_bottom(read):
    record = read(*rows("fever", (3, FEVER)), *rows("lost", (3, WELL)), *rows("old", (1, WELL), (9, WELL)))
    lost = np.zeros(record.courses[1].shape, dtype=bool)
    lost[0, -1] = True
    old = np.zeros(record.courses[2].shape, dtype=bool)
    old[0, 1] = True
    courses = (
        record.courses[0],
        replace(record.courses[1], unread={"norepinephrine": lost}),
        replace(record.courses[2], unread={"norepinephrine": old}),
    )
    record = replace(record, courses=courses)
    found = lines_of(record)
    assert [line.name for line in found] == ["lost", "fever", "old"]
    assert found[0].unread == ("Norepinephrine",) and found[1].unread == found[2].unread == ()
    assert [unread_of(watch) for watch in monitor(record, until=1)][2] == ("Norepinephrine",)
    page = ward_page(found, ("patient", "x", "due"), [(line.name, "", "") for line in found], {}, record)
    assert "could not be understood" in page and "unknown, not absent" in page


def test_days_after_each_infusion():
    assert days_since_infusions(35.0, (0.0,)) == "35"
    assert days_since_infusions(35.0, (0.0, 31.0)) == "35, day 4 after the second infusion"


def test_the_page_of_a_ward_escapes_what_files_say(read):
    bad = "<script>alert(1)</script>"
    record = read(*rows(bad, (3, FEVER)), *rows("B", (3, FEVER)))
    page = ward_page(lines_of(record), ("patient", "due"), [(bad, ""), ("B", "")], {0: "report-x.html"}, record)
    assert bad not in page and "&lt;script&gt;" in page and 'href="report-x.html"' in page


# ---------------------------------------------------------------- corrections

OLD = (*rows("P1", (3, FEVER)), "P1,3,neutrophils,1.2,10^9/L", *rows("P2", (3, FEVER)))


@pytest.mark.parametrize(
    ("was", "becomes", "value", "grade"),
    [
        ("P1,3,neutrophils,1.2,10^9/L", "P1,3,neutrophils,0.4,10^9/L", ("1.2", "0.4"), ("grade 2", "grade 4")),
        ("P1,3,neutrophils,1.2,10^9/L", None, ("1.2", ""), ("grade 2", "not gradable")),
        ("P1,3,SBP,120,mmHg", "P1,3,SBP,80,mmHg", ("120", "80"), None),
        (None, "P1,2,CRP,<5,mg/L", ("", "<5"), None),
    ],
)
def test_a_correction_shows_the_value_and_the_grade_that_it_changed(read, was, becomes, value, grade):
    new = [becomes if line == was else line for line in OLD] if was else [*OLD, becomes]
    found = corrections(read(*filter(None, new)), read(*OLD, name="old.csv"), age=40, weight=70)
    assert {one.label for one in found.values} == {"P1"} and {one.label for one in found.grades} <= {"P1"}
    assert value in [(one.was, one.now) for one in found.values] and found.values[0].where_from
    if grade is not None:
        assert grade in [(one.was, one.now) for one in found.grades if one.what == "neutropenia"]


def test_what_is_new_corrects_nothing(read):
    later = (*OLD, "P1,3.5,neutrophils,0.1,10^9/L", "P1,4,temperature,40,degC", *rows("P3", (3, FEVER)))
    found = corrections(read(*later), read(*OLD, name="old.csv"), age=40, weight=70)
    assert found.values == () and found.grades == () and any("P3" in note for note in found.notes)


def test_a_patient_who_is_gone_and_a_day_0_that_moved_are_told(read, tmp_path):
    found = corrections(read(*rows("P1", (3, FEVER))), read(*OLD, name="old.csv"), age=40, weight=70)
    assert any("'P2'" in note for note in found.notes)
    records = []
    for hour in (10, 12):
        path = tmp_path / f"{hour}.csv"
        path.write_text(
            f"time,analyte,value,unit\n2026-03-05 {hour}:00,car_t_infusion,1e8,cells\n2026-03-07 10:00,CRP,5,mg/L\n"
        )
        records.append(read_record(path))
    assert any("day 0 was" in note for note in corrections(records[1], records[0], age=40, weight=70).notes)
