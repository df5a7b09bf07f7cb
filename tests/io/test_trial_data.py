"""The data set of a trial: rows by the rules of the format, the key beside it, and a round trip."""

import csv
from types import SimpleNamespace

import numpy as np
import pytest

from vein2vein.errors import InputError
from vein2vein.io.study.read import read_study
from vein2vein.io.study.trial_data import write_nonmem
from vein2vein.therapy.course import Course

NAN = np.nan
COLUMNS = ("ID", "TIME", "DV", "MDV", "EVID", "AMT", "CMT", "CENS", "LIMIT", "DVID", "ARM", "PRODUCT", "AGE", "WT")
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
        arms=tuple(
            SimpleNamespace(name=arm, product=SimpleNamespace(name=product, readout="qPCR"))
            for arm, product in (("low dose", "tisagenlecleucel"), ("", "own, 'new'"))
        ),
        arm=np.array([0, 0, 1]),
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
    assert (dose["AMT"], dose["MDV"], dose["DV"], dose["DVID"]) == ("45000000", "1", "0", "0")
    assert rows[7]["AMT"] == "20000000"
    assert all((r["MDV"] == "1") == (r["EVID"] == "1") and r["CMT"] == "1" for r in rows)


def test_every_cell_is_a_number_for_nonmem_reads_a_dot_as_zero(result, tmp_path):
    result.journey.patient.age[0] = NAN
    rows = lines(write_nonmem(result, tmp_path / "nonmem.csv"))
    assert all(np.isfinite(float(cell)) for r in rows for cell in r.values())
    assert {r["AGE"] for r in rows if r["ID"] == "1"} == {"-99"}
    assert {r["TTOCI"] for r in rows if r["ID"] == "3"} == {"-99"}
    assert "TSTER" not in rows[0]  # nobody was given one


def test_only_the_visits_of_the_trial_are_written(result, tmp_path):
    times = {float(r["TIME"]) for r in lines(write_nonmem(result, tmp_path / "n.csv")) if r["EVID"] == "0"}
    assert times == {1, 7, 28}


def test_below_the_limit_the_limit_stands_censored(result, tmp_path):
    rows = [r for r in lines(write_nonmem(result, tmp_path / "n.csv")) if r["EVID"] == "0"]
    assert [(r["DV"], r["CENS"], r["LIMIT"]) for r in rows if r["ID"] == "1"] == [
        ("50", "1", "0"), ("9000.125", "0", "0"), ("50", "1", "0"),  # 40 was read, below the limit of this trial
    ]  # fmt: skip


def test_covariates_stand_in_every_row(result, tmp_path):
    rows = lines(write_nonmem(result, tmp_path / "n.csv"))
    assert {(r["AGE"], r["WT"], r["MALE"], r["PRIORSCT"], r["RESP"]) for r in rows if r["ID"] == "3"} == {
        ("15.5", "52", "1", "1", "0")
    }
    assert {r["TTOCI"] for r in rows if r["ID"] == "1"} == {"7"}


def test_the_key_tells_arms_products_units_and_limits(result, tmp_path):
    rows = lines(write_nonmem(result, tmp_path / "n.csv"))
    assert [(r["ARM"], r["PRODUCT"]) for r in rows if r["EVID"] == "1"] == [("1", "1"), ("2", "2"), ("2", "2")]
    key = (tmp_path / "n.columns.toml").read_text()
    for line in ('time = { unit = "d" }', 'endpoint.transgene = { dvid = 1, unit = "copies/ug" }',
                 "dose.car_t_infusion = { cmt = 1 }", '1 = "low dose"', '2 = "all"', "missing = [-99]",
                 "# Limits of quantification: transgene: 50 copies/ug.", "# AMT: viable CAR+ cells of a dose",
                 "# Not known of any patient and left out: TSTER.", "# AGE: years"):  # fmt: skip
        assert line in key.splitlines(), line
    assert "# TSTER" not in key


def test_round_trip(result, tmp_path):
    study = read_study(write_nonmem(result, tmp_path / "n.csv", analytes=["b_cells", "transgene"]))
    assert study.fit and study.time_unit == "d" and study.subjects == ("1", "3")
    assert [(one.name, one.code, one.unit) for one in study.endpoints] == [
        ("transgene", "1", "copies/ug"), ("b_cells", "3", "cells/uL"),
    ]  # fmt: skip
    seen = study.observations
    assert list(zip(seen.course.tolist(), seen.time.tolist(), seen.endpoint.tolist(), seen.value.tolist())) == [
        (0, 1, 0, 50), (0, 7, 0, 9000.125), (0, 28, 0, 50), (0, 28, 1, 0),
        (1, 1, 0, 120), (1, 7, 0, 1 / 3 * 1e5), (1, 28, 0, 50),
    ]  # fmt: skip
    assert seen.censored.tolist() == [1, 0, 1, 0, 0, 0, 1]
    np.testing.assert_array_equal(seen.limit, [0, NAN, 0, NAN, NAN, NAN, 0])
    doses = study.doses
    assert list(zip(doses.course.tolist(), doses.time.tolist(), doses.amount.tolist(), doses.target.tolist())) == [
        (0, 0, 4.5e7, "car_t_infusion"), (1, 0, 1e8, "car_t_infusion"), (1, 10, 2e7, "car_t_infusion"),
    ]  # fmt: skip
    held = study.covariates
    assert held["ARM"].categories == ("low dose", "all") and held["PRODUCT"].categories[1] == "own, 'new'"
    np.testing.assert_array_equal(held["ARM"].constant, [0, 1])
    np.testing.assert_array_equal(held["BURDEN"].constant, [7000, 0.1])
    np.testing.assert_array_equal(held["TTOCI"].constant, [7, NAN])


def test_unknown_analytes_are_refused(result, tmp_path):
    with pytest.raises(InputError, match="did you mean transgene"):
        write_nonmem(result, tmp_path / "n.csv", analytes=["transgen"])


@pytest.mark.parametrize(("best", "told"), [("sCR", "1"), ("CR", "1"), ("CRi", "1"), ("VGPR", "0"), ("PR", "0")])
def test_every_complete_response_counts_as_one(result, tmp_path, best, told):
    result.journey.outcome.best_response[0] = best
    rows = lines(write_nonmem(result, tmp_path / "n.csv"))
    assert {r["RESP"] for r in rows if r["ID"] == "1"} == {told}
