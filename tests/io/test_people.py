"""Whose data and which dates: ids, names that look alike, dates of birth, an own day 0, files of a folder."""

from dataclasses import replace
from datetime import date, datetime

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vein2vein.errors import InputError
from vein2vein.io.record.births import read_birth
from vein2vein.io.record.deidentify import deidentify
from vein2vein.io.record.folder import read_records
from vein2vein.io.record.identity import lookalikes, numbers_of
from vein2vein.io.record.mapping import TableMapping
from vein2vein.io.record.read import read_record
from vein2vein.io.record.record import joined
from vein2vein.io.record.times import NotATime
from vein2vein.io.record.write import UNREAD, write_record
from vein2vein.ward.monitor import monitor

HEADER = "patient,time,analyte,value,unit"
ZERO = "2026-03-05 10:00"


def infusion(patient, time=ZERO):
    return f"{patient},{time},car_t_infusion,1e8,cells"


# ---------------------------------------------------------------- ids


def test_patients_keep_their_ids_in_the_order_in_which_they_appear(table):
    r = table(HEADER, infusion("P2"), infusion("P10"), "P2,2026-03-06 10:00,CRP,5,mg/L")
    assert r.facts.label == ("P2", "P10") and [int(one.patients[0]) for one in r.courses] == [0, 1]
    r = table(HEADER, infusion("7"), infusion("3"))
    assert r.facts.label == ("7", "3") and r.course.patients.tolist() == [7, 3]


@pytest.mark.parametrize(
    ("labels", "numbers"),
    [
        (["5", "2"], [5, 2]),
        (["05", "2"], [0, 1]),
        (["1", "01"], [0, 1]),
        (["P5", "2"], [0, 1]),
        (["1234567", "2"], [0, 1]),
        (["9" * 5000], [0]),
        (["²", "2"], [0, 1]),
    ],
)
def test_numbers_of_patients(labels, numbers):
    assert list(numbers_of(labels).values()) == numbers


@pytest.mark.parametrize(
    ("labels", "alike"),
    [
        (["001", "1", "2"], [("001", "1")]),
        (["1.0", "1", "10"], [("1.0", "1")]),
        (["P-02", "p2", "P20"], [("P-02", "p2")]),
        (["MRN 0012", "MRN12"], [("MRN 0012", "MRN12")]),
        (["\uff11", "1"], [("\uff11", "1")]),
        (["1-2", "12", "1.2"], []),
        (["P1", "P10", "P100", "Q1"], []),
        (["100", "10", "1"], []),
    ],
)
def test_names_that_look_alike(labels, alike):
    assert lookalikes(labels) == alike


def test_lookalikes_are_told_and_neither_merged_nor_split_silently(table):
    rows = [infusion("001"), infusion("1"), infusion("1.0"), "001,2026-03-06 10:00,CRP,5,mg/L"]
    r = table(HEADER, *rows)
    assert r.facts.label == ("001", "1", "1.0")
    (told,) = r.warnings
    assert all(repr(name) in told for name in r.facts.label) and "kept apart" in told
    assert not table(HEADER, infusion("1"), infusion("2")).warnings


def test_rows_without_a_patient_are_no_ones_among_several_and_unknown_beside_one(table):
    fever = "2026-03-06 10:00,temperature,39,degC"
    r = table(HEADER, infusion("A"), infusion("B"), f",{fever}", "A,2026-03-06 10:00,CRP,5,mg/L")
    assert "temperature" not in r.courses[0] and "temperature" not in r.courses[1]
    assert "no patient" in r.warnings[0] and "lines 4" in r.warnings[0] and r.set_aside[0].line == 4
    r = table(HEADER, infusion("A"), f",{fever}")
    (course,) = r.courses
    assert course.unread["temperature"].sum() == 1 and not course.measured("temperature")
    assert "unknown" in r.warnings[0]
    r = table(HEADER, infusion(""), f",{fever}")
    assert r.facts.label == ("",) and r.courses[0].measured("temperature") and not r.warnings


def test_a_set_aside_row_is_told_with_the_patient_whose_line_it_is(table):
    r = table(HEADER, infusion("A"), infusion("B"), "B,2026-03-06 10:00,temperature,139,degC")
    assert [(one.line, one.patient) for one in r.set_aside] == [(4, 1)]
    assert r.of(1).set_aside == r.set_aside and r.of(0).set_aside == ()


# ---------------------------------------------------------------- dates of birth


@pytest.mark.parametrize(
    ("text", "years"),
    [
        ("1944-06-01", 81.76),
        ("1900-01-01", 120 + 6.17),  # more than a life: told
        ("1906-03-05", 120.0),
        ("1908-02-29", 118.0),
        ("19440601", 81.76),
        ("01.06.1944", 81.76),
        ("1 Jun 1944", 81.76),
        ("June 1, 1944", 81.76),
        ("1944", 81.67),
        ("1944-06", 81.72),
        ("06/1944", 81.72),
        ("03/05/1938", 87.92),  # 3 May or 5 March: the years are certain within weeks
        ("2014-03-05", 12.0),
        ("2014", np.nan),  # 11 or 12: the difference counts
        ("2013-06", 12.72),
        ("2027-01-01", np.nan),
        ("1944-06-01T00:00:00Z", 81.76),
    ],
)
def test_ages_from_dates_of_birth(table, text, years):
    r = table("patient,time,analyte,value,unit", infusion("A", "2026-03-05 10:00"), f'A,,birth_date,"{text}",')
    age = r.facts.age[0]
    if np.isnan(years) or years > 120:
        assert np.isnan(age) and any("age" in one.what or "birth" in one.what for one in r.set_aside)
    else:
        assert age == pytest.approx(years, abs=0.05) and not r.set_aside


@pytest.mark.parametrize(
    ("text", "mapping", "age"),
    [
        ("3/5/44", "", None),
        ("03.05.44", "", None),
        ("3/5/44", "date_order = 'mdy'", 82.0),
        ("5.3.44", "date_order = 'dmy'", 82.0),
        ("3/5/12", "date_order = 'mdy'", None),  # 14 or 114
        ("44", "date_order = 'mdy'", None),
    ],
)
def test_a_birth_year_of_two_digits_needs_a_declared_order_and_one_possible_century(table, text, mapping, age):
    r = table(HEADER, infusion("A"), f"A,,birth_date,{text},", mapping=mapping)
    if age is None:
        assert np.isnan(r.facts.age[0]) and len(r.set_aside) == 1 and r.set_aside[0].remedy
    else:
        assert r.facts.age[0] == pytest.approx(age, abs=0.05) and not r.set_aside


@given(born=st.dates(date(1900, 1, 1), date(2025, 12, 31)), style=st.sampled_from(["%Y-%m-%d", "%d.%m.%Y", "%Y%m%d"]))
def test_every_day_since_1900_is_read_as_it_is(born, style):
    (span,) = read_birth(born.strftime(style), TableMapping(), 1).spans
    assert span == (born, born)


@pytest.mark.parametrize("text", ["1899-12-31", "1900-02-29", "1944-13", "1944-06-31", "yesterday", "19", "", "=1944"])
def test_what_is_no_date_of_birth(text):
    with pytest.raises(NotATime):
        read_birth(text, TableMapping(), 1)


# ---------------------------------------------------------------- day 0


def test_each_patient_has_an_own_day_0_and_one_without_is_told_by_id(table):
    r = table(
        HEADER,
        infusion("A", "2026-03-05 10:00"),
        infusion("B", "2026-04-01"),
        "A,2026-03-06 10:00,CRP,5,mg/L",
        "B,2026-04-03 12:00,CRP,6,mg/L",
        "C,2026-04-03,CRP,7,mg/L",
    )
    assert r.facts.label == ("A", "B") and r.facts.infused == (datetime(2026, 3, 5, 10), date(2026, 4, 1))
    assert [one.days.tolist() for one in r.courses] == [[0, 1], [0, 2.5]]
    assert [one.clock.tolist() for one in r.courses] == [[pytest.approx(10 / 24)], [0.0]]
    assert r.ungraded[0][0] == "C" and any("'C'" in text and "day 0" in text for text in r.warnings)
    assert len(monitor(r)) == 2


def test_days_that_are_numbers_have_no_clock(long):
    r = long("0,car_t_infusion,1e8,cells,,", "1,CRP,5,mg/L,,")
    assert r.courses[0].clock.size == 0 and r.facts.infused == (None,)


def test_a_second_infusion_has_a_day_0_of_its_own(table):
    rows = [infusion("A", f"2026-{day} 10:00") for day in ("03-05", "03-06", "04-05")]
    r = table(HEADER, *rows, "A,2026-04-09 10:00,CRP,5,mg/L")
    assert r.infusions == ((0.0, 31.0),)  # what is given in parts within days is one dose
    (watch,) = monitor(r)
    assert watch.infusions == (0.0, 31.0) and monitor(r, until=20)[0].infusions == (0.0,)


def test_infusions_of_a_column_are_in_order_whatever_their_rows(table):
    r = table(
        "patient,date,infusion,CRP [mg/L]", "A,2026-04-08,2026-04-05,9", "A,2026-03-08,2026-03-05,5",
    )  # fmt: skip
    assert r.facts.infused == (date(2026, 3, 5),) and r.infusions == ((0.0, 31.0),)
    assert r.courses[0].days.tolist() == [3, 34] and not r.set_aside


def test_nothing_of_a_date_or_id_is_left_in_a_deidentified_record(table):
    r = table(HEADER, infusion("Doe"), "Doe,,birth_date,1944-06-01,", infusion("Roe"), "roe,2026-03-06,CRP,5,mg/L")
    bare = deidentify(r)
    assert bare.facts.label == ("0", "1") and bare.facts.infused == () and bare.warnings
    for word in ("doe", "roe", "2026", "1944", "datetime"):
        assert word not in repr(bare).casefold()
    np.testing.assert_array_equal(bare.courses[0].clock, r.courses[0].clock)


def test_a_written_record_keeps_ids_marks_and_order(table, tmp_path):
    r = table(HEADER, infusion("P2"), infusion("P10"), "P10,2026-03-06 10:00,CRP,<5,mg/L", ",2026-03-06,CRP,5,mg/L")
    back = read_record(write_record(r, tmp_path / "again.csv"))
    assert back.facts.label == ("P2", "P10") and back.courses[1].below_lloq["crp"].any()


def test_what_is_a_bound_or_was_not_understood_is_written_as_such(table, tmp_path):
    r = table(HEADER, infusion("A"), "A,2026-03-06 10:00,norepinephrine,5,ug/min", "A,2026-03-06 10:00,CRP,9,mg/L")
    (course,) = r.courses
    last = np.zeros(course.shape, dtype=bool)
    last[0, -1] = True
    hidden = {**course.values, "crp": np.full(course.shape, np.nan)}
    marked = replace(course, values=hidden, above={"norepinephrine": last}, unread={"crp": last})
    for form in ("long", "wide"):
        text = write_record(replace(r, courses=(marked,)), tmp_path / f"{form}.csv", form).read_text()
        assert ">5" in text and UNREAD in text
    assert joined((marked,), "") is marked and joined((marked, r.courses[0]), "").unread["crp"].sum() == 1


# ---------------------------------------------------------------- renaming, reordering


STARTS = ((0, 5), (1, 6), (2, 9))  # patient, day of the infusion
ROWS = [
    (who, f"2026-03-{day:02} {hour:02}:00", name, value, unit)
    for who, first in STARTS
    for day, hour in ((first, 10), (first + 2, 9), (first + 3, 22))
    for name, value, unit in (
        ("temperature", 37 + (who + day) % 3, "degC"), ("SBP", 80 + 20 * ((day + hour) % 3), "mmHg"),
        ("oxygen device", "room air", ""), ("ice", 10 - who - day % 2, ""),
    )
]  # fmt: skip
ROWS += [(who, f"2026-03-{first:02} 09:00", "car_t_infusion", "1e8", "cells") for who, first in STARTS]
NAME = st.text("abcDEF019 .-_", min_size=1, max_size=6).map(str.strip).filter(bool)


def grades_of(path, rows, names):
    path.write_text("\n".join([HEADER, *(",".join(map(str, (names[r[0]], *r[1:]))) for r in rows)]) + "\n")
    rounds = monitor(read_record(path), age=50, weight=70)
    return {
        watch.label: {n: (g.days.tolist(), g.grade.tolist()) for n, g in watch.findings.items()} for watch in rounds
    }


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(names=st.lists(NAME, min_size=3, max_size=3, unique=True), order=st.permutations(range(len(ROWS))))
def test_renaming_patients_or_reordering_rows_changes_names_and_order_only(tmp_path, names, order):
    plain = grades_of(tmp_path / "a.csv", ROWS, ["A", "B", "C"])
    other = grades_of(tmp_path / "b.csv", [ROWS[i] for i in order], names)
    first = list(dict.fromkeys(names[ROWS[i][0]] for i in order))
    assert list(other) == first
    assert [other[name] for name in names] == [plain[name] for name in ("A", "B", "C")]


# ---------------------------------------------------------------- folders


@pytest.fixture
def folder(tmp_path):
    place = tmp_path / "records"
    place.mkdir()

    def write(**files):
        for name, lines in files.items():
            (place / f"{name}.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
        return place

    return write


def test_files_of_one_patient_each_are_called_as_the_file(folder):
    one = ("day,analyte,value,unit", "0,car_t_infusion,1e8,cells", "1,CRP,5,mg/L")
    r = read_records(folder(doe=one, roe10=one, roe9=one))
    assert r.facts.label == ("doe", "roe9", "roe10") and r.read == 6
    assert r.courses[1].where_from["crp"][0, 1] == "roe9.csv:3"


def test_tables_of_the_same_patients_are_one_record(folder):
    r = read_records(
        folder(
            drugs=(HEADER, infusion("P1"), infusion("P2", "2026-04-05")),
            labs=(HEADER, "P1,2026-03-06 10:00,CRP,5,mg/L", "P2,2026-04-06,CRP,6,mg/L"),
        )
    )
    assert r.facts.label == ("P1", "P2") and [one.days.tolist() for one in r.courses] == [[0, 1], [0, 1]]
    assert any("merged" in text for text in r.warnings)
    assert [(one.read, one.patients) for one in r.tallies] == [(2, 2), (2, 2)]


def test_two_persons_of_one_name_are_never_merged(folder):
    rest = (infusion("1"), "1,2026-03-06 10:00,CRP,5,mg/L")
    r = read_records(folder(a=(HEADER, "1,,sex,male,", *rest), b=(HEADER, "1,,sex,female,", *rest), c=(HEADER, *rest)))
    assert r.facts.label == ("1", "1 (b.csv)", "1 (c.csv)")
    assert sum("kept apart" in text for text in r.warnings) == 2


def test_a_broken_file_stops_none_of_the_others(folder):
    good = (HEADER, infusion("P1"))
    place = folder(good=good, bad=("nothing of use",), empty=())
    (place / "cut.json").write_text('{"resourceType": "Bundle", "entry": [')
    (place / "notes.docx").write_text("x")
    r = read_records(place)
    assert r.facts.label == ("P1",)
    assert {one.file.rsplit("/", 1)[-1] for one in r.tallies if one.problem} == {"bad.csv", "empty.csv", "cut.json"}
    assert sum("could not be read" in text for text in r.warnings) == 3 and any("1 other" in n for n in r.notes)


def test_notes_and_places_of_a_folder_name_their_file(folder):
    r = read_records(
        folder(
            a=(HEADER, infusion("P1"), "P1,2026-03-06,temperature,139,degC"),
            b=(HEADER, infusion("P2"), "P2,x,CRP,1,mg/L"),
        )
    )
    assert [(one.file.rsplit("/", 1)[-1], one.line, one.patient) for one in r.set_aside] == [
        ("a.csv", 3, 0), ("b.csv", 3, 1),
    ]  # fmt: skip
    assert [(one.read, one.set_aside) for one in r.tallies] == [(1, 1), (1, 1)]


def test_a_folder_without_anything_of_use_is_refused(folder, tmp_path):
    with pytest.raises(InputError, match="none of its 1 files"):
        read_records(folder(bad=("nothing of use",)))
    (tmp_path / "bare").mkdir()
    with pytest.raises(InputError, match="without a record"):
        read_records(tmp_path / "bare")


def test_the_joined_course_holds_what_the_courses_hold(table):
    r = table(
        HEADER, infusion("A"), infusion("B"), "A,2026-03-06 12:00,CRP,<5,mg/L", "B,2026-03-07 12:00,ferritin,5,ug/L"
    )
    assert r.course.shape == (2, 3) and r.course is r.course
    for i, one in enumerate(r.courses):
        for name, cells in one.values.items():
            np.testing.assert_array_equal(r.course.dense(name)[i, np.isin(r.course.days, one.days)], cells[0])
    assert r.course.below_lloq["crp"].sum() == 1 and r.course.clock.tolist() == [10 / 24] * 2
