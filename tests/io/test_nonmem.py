"""NONMEM-style data sets: rows by the rules of the format, and a round trip."""

import csv
from types import SimpleNamespace

import numpy as np
import pytest

from vein2vein.errors import InputError
from vein2vein.io.nonmem import COLUMNS, read_nonmem, write_nonmem
from vein2vein.therapy.course import Course

NAN = np.nan
DAYS = np.array([0, 1, 7, 10, 28.0])


@pytest.fixture
def result():
    transgene = np.array([[NAN, 50, 9000.125, 8000, 40], [NAN, NAN, NAN, NAN, NAN], [NAN, 120, 1 / 3 * 1e5, NAN, 50]])
    below = np.zeros(transgene.shape, bool)
    below[0, 1] = below[2, 4] = True
    toci = np.array([[0, 0, 320, 0, 0], [NAN] * 5, [NAN] * 5])
    b_cells = np.array([[5, NAN, NAN, NAN, 0], [NAN] * 5, [NAN] * 5])
    patient = SimpleNamespace(
        number=np.array([0, 1, 2]), age=np.array([4, 10, 15.5]), weight=np.array([15, 30, 52.0]),
        male=np.array([True, False, True]), prior_hsct=np.array([False, True, True]),
        prior_lines=np.array([2, 3, 4.0]), burden=np.array([7000, 1400, 0.1]),
    )  # fmt: skip
    values = {"transgene": transgene, "tocilizumab": toci, "b_cells": b_cells}
    journey = SimpleNamespace(
        patient=patient, infused=np.array([True, False, True]),
        arms=(SimpleNamespace(product=SimpleNamespace(readout="qPCR")),),
        infusion=SimpleNamespace(doses=((0.0, np.array([4.5e7, 0, 1e8])), (10.0, np.array([0, 0, 2e7])))),
        plan=SimpleNamespace(kinetics_samples=(1.0, 7.0, 28.0)),
        course=Course(np.arange(3), DAYS, values, {"transgene": below}),
        outcome=SimpleNamespace(best_response=np.array(["CR", "", "NR"], dtype="<U4")),
    )  # fmt: skip
    return SimpleNamespace(journey=journey, trial=SimpleNamespace(assays={"transgene": SimpleNamespace(lloq=50.0)}))


def lines(path):
    with open(path, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_rows_follow_the_format(result, tmp_path):
    rows = lines(write_nonmem(result, tmp_path / "nonmem.csv"))
    assert tuple(rows[0])[: len(COLUMNS)] == COLUMNS
    assert [(r["ID"], r["TIME"], r["EVID"]) for r in rows] == [
        ("1", "0", "1"), ("1", "1", "0"), ("1", "7", "0"), ("1", "28", "0"),
        ("3", "0", "1"), ("3", "1", "0"), ("3", "7", "0"), ("3", "10", "1"), ("3", "28", "0"),
    ]  # fmt: skip
    dose = rows[0]
    assert (dose["AMT"], dose["MDV"], dose["DV"], dose["DVID"]) == ("45000000", "1", ".", "0")
    assert rows[7]["AMT"] == "20000000"
    assert all((r["MDV"] == "1") == (r["EVID"] == "1") and r["CMT"] == "1" for r in rows)


def test_only_the_visits_of_the_trial_are_written(result, tmp_path):
    times = {float(r["TIME"]) for r in lines(write_nonmem(result, tmp_path / "n.csv")) if r["EVID"] == "0"}
    assert times == {1, 7, 28}


def test_below_the_limit_the_limit_stands_with_a_flag(result, tmp_path):
    rows = [r for r in lines(write_nonmem(result, tmp_path / "n.csv")) if r["EVID"] == "0"]
    assert [(r["DV"], r["BLQ"], r["LLOQ"]) for r in rows if r["ID"] == "1"] == [
        ("50", "1", "50"), ("9000.125", "0", "50"), ("50", "1", "50"),  # 40 was read, below the limit of this trial
    ]  # fmt: skip


def test_covariates_stand_in_every_row(result, tmp_path):
    rows = lines(write_nonmem(result, tmp_path / "n.csv"))
    assert {(r["AGE"], r["WT"], r["MALE"], r["PRIORSCT"], r["RESP"]) for r in rows if r["ID"] == "3"} == {
        ("15.5", "52", "1", "1", "0")
    }
    assert {r["TTOCI"] for r in rows if r["ID"] == "1"} == {"7"}
    assert {r["TTOCI"] for r in rows if r["ID"] == "3"} == {"."}


def test_round_trip(result, tmp_path):
    course, covariates = read_nonmem(write_nonmem(result, tmp_path / "n.csv", analytes=["transgene", "b_cells"]))
    original = result.journey.course
    np.testing.assert_array_equal(course.patients, [0, 2])
    for i, patient in enumerate((0, 2)):
        for day in (7.0, 28.0):
            j, k = int(np.flatnonzero(course.days == day)[0]), int(np.flatnonzero(day == DAYS)[0])
            expected = max(original.values["transgene"][patient, k], 50)
            assert course.values["transgene"][i, j] == expected
    assert course.below_lloq["transgene"].sum() == 3
    at = [int(np.flatnonzero(course.days == d)[0]) for d in (0.0, 10.0)]
    np.testing.assert_array_equal(course.values["car_t_infusion"][:, at], [[4.5e7, NAN], [1e8, 2e7]])
    np.testing.assert_array_equal(course.values["b_cells"][0][course.days == 28], [0])
    np.testing.assert_array_equal(covariates["WT"], [15, 52])
    np.testing.assert_array_equal(covariates["BURDEN"], [7000, 0.1])
    np.testing.assert_array_equal(covariates["TTOCI"], [7, NAN])


@pytest.mark.parametrize(
    ("old", "new", "line", "field", "said"),
    [
        ("DVID", "DVIX", 1, "DVID", "missing"),
        ("9000.125", "9,000.125", 4, None, "fields"),
        ("9000.125", "high", 4, "DV", "expected a number"),
        (",50,1,", ",50,9,", 3, "DVID", "1 to"),
        ("9000.125,0,0", "9000.125,1,4", 4, "EVID", "an ID of its own"),
        ("9000.125,0,0", ".,0,0", 4, "DV", "no value"),
    ],
)
def test_faults_name_file_line_and_field(result, tmp_path, old, new, line, field, said):
    path = write_nonmem(result, tmp_path / "n.csv")
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    with pytest.raises(InputError) as caught:
        read_nonmem(path)
    assert (caught.value.line, caught.value.field) == (line, field)
    assert said in str(caught.value)


def test_unknown_analytes_are_refused(result, tmp_path):
    with pytest.raises(InputError, match="did you mean transgene"):
        write_nonmem(result, tmp_path / "n.csv", analytes=["transgen"])


@pytest.mark.parametrize(("best", "told"), [("sCR", "1"), ("CR", "1"), ("CRi", "1"), ("VGPR", "0"), ("PR", "0")])
def test_every_complete_response_counts_as_one(result, tmp_path, best, told):
    result.journey.outcome.best_response[0] = best
    rows = lines(write_nonmem(result, tmp_path / "n.csv"))
    assert {r["RESP"] for r in rows if r["ID"] == "1"} == {told}
