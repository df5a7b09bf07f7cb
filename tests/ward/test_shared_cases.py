"""The reference cases of ward and FHIR records, run as acceptance runs them: through the command, with its options.

They lie outside this repository and are skipped where they are absent; cases of our own of the same kinds are in
rule_tables/.
"""

from __future__ import annotations

import csv
import os
from pathlib import Path

import pytest
from expecting import Told, holds, monitored, shown
from looking import loud

from vein2vein.io.record.read import read_record
from vein2vein.ward.monitor import monitor

SHARED = Path(os.environ.get("VEIN2VEIN_SHARED", Path(__file__).resolve().parents[3] / "shared"))
CASES = SHARED / "cases"


def _rows(name: str) -> list[dict[str, str]]:
    path = CASES / name
    return list(csv.DictReader(path.read_text(encoding="utf-8").splitlines())) if path.is_file() else []


def _params(name: str, key: str) -> list[object]:
    rows = _rows(name)
    if not rows:
        why = f"reference cases not found at {CASES / name}; set VEIN2VEIN_SHARED"
        return [pytest.param(None, marks=pytest.mark.skip(reason=why), id="absent")]
    return [pytest.param(row, id=row[key]) for row in rows]


@pytest.fixture
def cases() -> Path:
    if not CASES.is_dir():
        pytest.skip(f"reference cases not found at {CASES}; set VEIN2VEIN_SHARED")
    return CASES


@pytest.mark.parametrize("row", _params("ward/expected.csv", "case"))
def test_ward_case(row, tmp_path):
    until = ("--until", row["until"]) if row["until"] else ()
    told = monitored(CASES / "ward" / f"{row['case']}.csv", tmp_path / "out", "--scale", row["scale"], *until)
    assert told.code == 0, told.text
    state = told.now(row["finding"])
    said = f"{row['title']} ({row['kind']}): expected {row['expected']}, found {shown(state)}"
    assert holds(row["expected"], state, told), said


def _wants(row: dict[str, str], told: Told) -> bool:
    """``finding=grade`` or ``told:word``, with ``|``."""
    if row["want"].startswith("told:"):
        return holds(row["want"], None, told)
    wanted = [part.split("=") for part in row["want"].split("|")]
    return any(holds(grade, state, told) for one, grade in wanted for state in (told.now(one), told.worst(one)))


@pytest.mark.parametrize("row", _params("fhir/expected.csv", "file"))
def test_fhir_case(row, tmp_path):
    told = monitored(CASES / "fhir" / row["file"], tmp_path / "out")
    assert told.code == 0, told.text
    seen = {state["finding"]: state["state"] for state in told.of("finding")}
    assert _wants(row, told), f"{row['note']}: expected {row['want']}, found {seen}"


# ---------------------------------------------------------------- files of the README without a row


@pytest.mark.parametrize("name", ["minutes1", "minutes2"])
def test_signs_minutes_apart(cases, name, tmp_path):
    told = monitored(cases / "ward" / f"{name}.csv", tmp_path / "out")
    assert told.now("crs_astct")["grade"] == 3, shown(told.now("crs_astct"))
    assert told.worst("crs_astct")["grade"] == 3


def test_two_patients_keep_their_names_and_order(cases, tmp_path):
    told = monitored(cases / "ward" / "two-patients.csv", tmp_path / "out")
    assert [str(one["id"]) for one in told.of("today")] == ["P2", "P10"]
    assert told.now("crs_astct", "P2")["grade"] == 0 and told.now("crs_astct", "P10")["grade"] == 4


def test_tocilizumab_per_kg_without_a_weight_is_not_none(cases, tmp_path):
    told = monitored(cases / "ward" / "tocilizumab-per-kg.csv", tmp_path / "out")
    assert holds("2|ng", told.now("crs_astct"), told), shown(told.now("crs_astct"))


def test_norepinephrine_yes_runs(cases, tmp_path):
    told = monitored(cases / "ward" / "norepinephrine-yes.csv", tmp_path / "out")
    assert holds("3|ng", told.now("crs_astct"), told), shown(told.now("crs_astct"))


def test_below_a_threshold_is_below_it(cases, tmp_path):
    told = monitored(cases / "ward" / "below-limit.csv", tmp_path / "out")
    assert (told.now("neutropenia")["grade"], told.now("thrombocytopenia")["grade"]) == (4, 4)


@pytest.mark.parametrize("name, rows", [("flags", 8), ("units", 18)])
def test_every_flag_and_unit_is_read(cases, name, rows, tmp_path):
    record = read_record(cases / "ward" / f"{name}.csv")
    assert [str(one) for one in record.set_aside] == []
    values = record.course.values["neutrophils"]
    assert sum(value == pytest.approx(0.4) for value in values[0] if value == value) == rows


FORMS = {  # row of the file -> day since the infusion on 5 March 2026 at 10:00; None: only with a declared order
    "46088.5": 2 + 2 / 24, "46089": 2 + 14 / 24, "5-Mar": None, "2026-03-06 10:00 PM": 1.5, "3/6/26 22:00": None,
    "06-MAR-2026:22:00": 1.5, "06MAR2026:22:05:00": 1.5 + 5 / 1440, "20260306221000": 1.5 + 10 / 1440,
}  # fmt: skip


def test_times_in_other_forms_are_read_rightly_or_set_aside(cases):
    """The value tells which row it was (38.9, 38.8 ...); two rows of 38.5 and two of 38.4."""
    record = read_record(cases / "ward" / "other-times.csv")
    temperatures = record.course.values["temperature"][0]
    read = {
        (round(float(day), 4), float(value)) for day, value in zip(record.course.days, temperatures) if value == value
    }
    right = {
        (round(2 + 2 / 24, 4), 38.9), (round(2 + 14 / 24, 4), 38.8), (1.5, 38.6), (1.5, 38.5),
        (round(1.5 + 5 / 1440, 4), 38.4), (round(1.5 + 10 / 1440, 4), 38.4),
    }  # fmt: skip
    zoned = {row for row in read if row[1] == 38.3}  # 22:20 in UTC: as the clock shows it, or not read
    assert read - zoned <= right, "a time was guessed"
    assert not any(value == 38.7 for _, value in read), "'5-Mar' has no year"
    left_out = 9 - len(read)
    assert len({one.line for one in record.set_aside}) >= left_out, "a row that was not read is told"


def test_wide_columns_with_units_in_their_heads(cases):
    record = read_record(cases / "ward" / "wide_units.csv")
    course = record.course
    assert {1.0, 2.0} <= set(course.days.tolist()), [str(one) for one in record.set_aside]
    first, second = (course.days.tolist().index(day) for day in (1.0, 2.0))
    value = {name: (cells[0, first], cells[0, second]) for name, cells in course.values.items()}
    assert value["neutrophils"][0] == pytest.approx(0.4)  # 400 K/uL of the second row is implausible: set aside or told
    assert value["crp"] == (pytest.approx(120), pytest.approx(12))
    assert value["systolic_bp"] == (88, 90)
    assert value["temperature"][0] == pytest.approx(38.9)
    hot = value["temperature"][1]
    assert hot == pytest.approx(38.94, abs=0.02) or (hot != hot and record.set_aside)


@pytest.mark.parametrize("name", ["ne_overlap", "ne_covered"])
def test_bags_that_overlap_and_signs_inside_a_running_period(cases, name, tmp_path):
    told = monitored(cases / "fhir" / f"{name}.json", tmp_path / "out")
    assert told.worst("crs_astct")["grade"] == 3, shown(told.worst("crs_astct"))


def test_tocilizumab_by_text_is_known(cases):
    record = read_record(cases / "fhir" / "toci_text.json")
    assert record.course.values["tocilizumab"][record.course.values["tocilizumab"] > 0].tolist() == [560]


def test_the_corrected_value_holds(cases):
    record = read_record(cases / "fhir" / "f_amend.json")
    (watch,) = monitor(record)
    counted = {name: cells[0][cells[0] == cells[0]].tolist() for name, cells in record.course.values.items()}
    assert _amended(cases) in [value for values in counted.values() for value in values], counted
    assert loud(watch) == ()


def _amended(cases: Path) -> float:
    """The value of the resource of status amended or corrected."""
    import json

    entries = json.loads((cases / "fhir" / "f_amend.json").read_text(encoding="utf-8"))["entry"]
    return next(
        one["resource"]["valueQuantity"]["value"]
        for one in entries
        if one["resource"].get("status") in ("amended", "corrected")
    )
