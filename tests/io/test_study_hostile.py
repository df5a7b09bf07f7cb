"""Odd and hostile data sets: each is read right, or refused by place with the remedy; none is misread in silence."""

from __future__ import annotations

from pathlib import Path

import pytest

from vein2vein.errors import InputError
from vein2vein.io.study.doses import number_text
from vein2vein.io.study.read import read_study
from vein2vein.io.study.study import Study

HEADER = "ID,TIME,AMT,DV,EVID"


def _read(folder: Path, text: str | bytes, columns: str = "") -> Study:
    path = folder / "study.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    if columns:
        (folder / "study.columns.toml").write_text(columns)
    return read_study(path)


def test_values_below_lloq_without_any_mark_are_below_the_limit(tmp_path: Path) -> None:
    found = _read(tmp_path, "ID,TIME,AMT,DV,EVID,LLOQ\n1,0,100,.,1,50\n1,1,.,0,0,50\n1,2,.,20,0,50\n1,3,.,70,0,50\n")
    assert found.observations.censored.tolist() == [1, 1, 0]
    assert found.observations.value.tolist() == [50, 50, 70]
    assert any("2 values below LLOQ" in note for note in found.notes)


def test_a_value_below_lloq_that_is_marked_as_measured_is_told_with_its_line(tmp_path: Path) -> None:
    found = _read(tmp_path, "ID,TIME,AMT,DV,EVID,LLOQ,BLQ\n1,0,100,.,1,50,0\n1,1,.,20,0,50,0\n1,3,.,70,0,50,0\n")
    assert found.observations.censored.tolist() == [0, 0]
    assert any("first in line 3" in note for note in found.notes)


@pytest.mark.parametrize("name", ["BLQFL", "BLOQFN", "BQL", "CENSFL"])
@pytest.mark.parametrize(("yes", "no"), [("Y", "N"), ("TRUE", "FALSE"), ("1", "0")])
def test_marks_under_other_names_and_in_words(tmp_path: Path, name: str, yes: str, no: str) -> None:
    found = _read(tmp_path, f"ID,TIME,AMT,DV,EVID,{name}\n1,0,100,.,1,{no}\n1,1,.,50,0,{yes}\n1,3,.,70,0,{no}\n")
    assert found.fit
    assert found.observations.censored.tolist() == [1, 0]
    assert not found.covariates


def test_a_limit_without_marks_is_told(tmp_path: Path) -> None:
    found = _read(tmp_path, "ID,TIME,AMT,DV,EVID,LIMIT\n1,0,100,.,1,.\n1,1,.,50,0,10\n")
    assert any("LIMIT is not used" in note for note in found.notes)


def test_two_columns_of_endpoints_that_disagree(tmp_path: Path) -> None:
    rows = "1,0,100,.,.,.\n1,1,.,5,1,1\n1,2,.,5,1,2\n1,3,.,5,2,2\n"
    found = _read(tmp_path, "ID,TIME,AMT,DV,DVID,YTYPE\n" + rows)
    assert [(one.line, one.column) for one in found.findings] == [(4, "YTYPE")]
    named = _read(tmp_path, "ID,TIME,AMT,DV,DVID,YTYPE\n1,0,100,.,.,.\n1,1,.,5,cp,1\n1,2,.,5,pca,2\n")
    assert named.fit
    assert [one.name for one in named.endpoints] == ["cp", "pca"]
    assert "YTYPE" not in named.covariates


def test_a_rate_and_another_duration(tmp_path: Path) -> None:
    found = _read(tmp_path, "ID,TIME,AMT,DV,EVID,RATE,TINF\n1,0,100,.,1,10,2\n1,1,.,5,0,.,.\n")
    assert [(one.line, one.column) for one in found.findings] == [(2, "TINF")]
    assert _read(tmp_path, "ID,TIME,AMT,DV,EVID,RATE,TINF\n1,0,100,.,1,50,2\n1,1,.,5,0,.,.\n").fit
    assert not _read(tmp_path, "ID,TIME,AMT,DV,EVID,RATE,TINF\n1,0,100,.,1,-2,2\n1,1,.,5,0,.,.\n").fit


def test_moments_in_the_column_of_times(tmp_path: Path) -> None:
    found = _read(tmp_path, f"{HEADER}\n1,2024-01-01T08:00,100,.,1\n1,2024-01-02T20:00,.,5,0\n1,2024-01-03,.,4,0\n")
    assert found.time_unit == "d"
    assert found.observations.time.tolist() == pytest.approx([1.5, 1 + 16 / 24], abs=1e-5)


def test_moments_of_two_zones(tmp_path: Path) -> None:
    found = _read(tmp_path, f"{HEADER}\n1,2024-01-01T08:00:00+02:00,100,.,1\n1,2024-01-01T08:00:00Z,.,5,0\n")
    assert found.observations.time.tolist() == pytest.approx([2 / 24], abs=1e-5)


@pytest.mark.parametrize(("name", "first", "last"), [
    ("DAT1", "22-01-24", "02-02-24"), ("DAT2", "24-01-22", "24-02-02"), ("DAT3", "24-22-01", "24-02-02"),
])  # fmt: skip
def test_years_of_two_digits_where_the_column_says_their_order(
    tmp_path: Path, name: str, first: str, last: str
) -> None:
    found = _read(tmp_path, f"ID,{name},TIME,AMT,DV,EVID\n1,{first},8:00,100,.,1\n1,{last},8:00,.,5,0\n")
    assert found.observations.time.tolist() == [11]


@pytest.mark.parametrize(("text", "code"), [
    ("1", "1"), ("01", "1"), ("1.0", "1"), ("1.0000E+00", "1"), ("1e+05", "100000"), ("1_01", "1_01"),
    ("1E1", "1E1"), ("12345678901234568", "12345678901234568"), ("nan", "nan"), ("1.5", "1.5"),
])  # fmt: skip
def test_a_code_is_a_number_only_where_it_is_written_as_one(text: str, code: str) -> None:
    assert number_text(text) == code


def test_subjects_are_not_merged(tmp_path: Path) -> None:
    rows = "1_01,0,100,.,1\n1_01,2,.,5,0\n10_1,3,100,.,1\n10_1,4,.,7,0\n"
    assert _read(tmp_path, f"{HEADER}\n{rows}").subjects == ("1_01", "10_1")
    long = "12345678901234567,0,100,.,1\n12345678901234567,2,.,5,0\n12345678901234568,3,100,.,1\n"
    assert len(_read(tmp_path, f"{HEADER}\n{long}").subjects) == 2


def test_names_that_differ_by_case_alone_are_shown(tmp_path: Path) -> None:
    found = _read(tmp_path, f"{HEADER}\nA1,0,100,.,1\nA1,2,.,5,0\na1,0,100,.,1\na1,2,.,5,0\n")
    assert found.fit
    assert "A1 and a1" in str(found.doubts[0])


def test_rows_of_delimiters_alone(tmp_path: Path) -> None:
    found = _read(tmp_path, f"{HEADER}\n1,0,100,.,1\n,,,,\n1,2,.,5,0\n,,,,\n")
    assert found.fit
    assert "2 rows are empty and not read" in found.notes


@pytest.mark.parametrize("content", [bytes(range(256)) * 4, f"{HEADER}\n1,0,100,.,1\n".encode("utf-16-le")])
def test_what_is_no_text(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(InputError, match="line 1: is no text"):
        _read(tmp_path, content)


def test_a_unit_of_time_that_is_none(tmp_path: Path) -> None:
    found = _read(tmp_path, f"{HEADER}\n1,0,100,.,1\n1,2,.,5,0\n", 'time = { unit = "parsec" }')
    assert [(one.column, one.found) for one in found.findings] == [("TIME", "parsec")]
    (tmp_path / "study.columns.toml").unlink()
    told = _read(tmp_path, "ID,TIME (nominal),AMT,DV,EVID\n1,0,100,.,1\n1,2,.,5,0\n")
    assert told.fit
    assert told.time_unit == ""
    assert any("'nominal' in TIME (nominal) is no unit of time" in note for note in told.notes)


def test_names_for_what_is_not_there(tmp_path: Path) -> None:
    rows = "ID,TIME,AMT,DV,EVID,CMT\n1,0,100,.,1,1\n1,2,.,5,0,2\n"
    found = _read(tmp_path, rows, "dose.a = { cmt = 9 }")
    assert "no dose of a" in str(found.findings[0])
    with pytest.raises(InputError, match=r"codes\.SEX: unknown column"):
        _read(tmp_path, rows, '[codes.SEX]\n1 = "female"')
    with pytest.raises(InputError, match="AMT: named for dv and for amt"):
        _read(tmp_path, rows, 'dv = "AMT"\namt = "AMT"')


def test_a_name_for_the_only_dose(tmp_path: Path) -> None:
    found = _read(tmp_path, f"{HEADER}\n1,0,100,.,1\n1,2,.,5,0\n", "dose.cells = { cmt = 1 }")
    assert found.doses.target.tolist() == ["cells"]


def test_control_characters_in_a_header(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"line 1.*control character"):
        _read(tmp_path, f"{HEADER},S\x1b[31m\n1,0,100,.,1,1\n1,2,.,5,0,1\n")


def test_the_line_above_a_table_of_nonmem(tmp_path: Path) -> None:
    found = _read(tmp_path, "TABLE NO.  1\n ID TIME AMT DV EVID\n 1.0000E+00 0.0000E+00 1.0000E+02 0.0000E+00 "
                  "1.0000E+00\n 1.0000E+00 1.0000E+00 0.0000E+00 5.0000E+00 0.0000E+00\n")  # fmt: skip
    assert found.fit
    assert found.observations.value.tolist() == [5]


def test_a_covariate_beyond_all_numbers(tmp_path: Path) -> None:
    found = _read(tmp_path, f"{HEADER},WT\n1,0,100,.,1,1e400\n1,2,.,5,0,70\n")
    assert [(one.line, one.column) for one in found.findings] == [(2, "WT")]


def test_doses_without_a_column_of_amounts(tmp_path: Path) -> None:
    found = _read(tmp_path, "ID,TIME,Dose (mg),DV,EVID\n1,0,100,.,1\n1,1,.,5,0\n")
    assert "no column holds amounts" in str(found.findings[0])


def test_a_dose_in_a_row_that_is_set_aside_is_not_called_missing(tmp_path: Path) -> None:
    found = _read(tmp_path, f"{HEADER}\n1,0,100\n1,1,.,5,0\n")
    assert [one.line for one in found.findings] == [2]
