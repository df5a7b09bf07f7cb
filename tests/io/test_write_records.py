"""Writers: records, findings and de-identified copies; round trips and FHIR resources by their models."""

import csv
import json
from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vein2vein.analytes import all_analytes
from vein2vein.clinic.grades.monitoring import grade
from vein2vein.errors import InputError
from vein2vein.io.record.deidentify import deidentify, deidentify_file
from vein2vein.io.record.findings import COLUMNS, write_findings, write_findings_fhir
from vein2vein.io.record.read import example_record_text, read_record
from vein2vein.io.record.write import safe_cell, write_record, write_rows
from vein2vein.therapy.course import Course

NAMES = (
    "crp",
    "ferritin",
    "neutrophils",
    "transgene",
    "systolic_bp",
    "ice",
    "tocilizumab",
    "car_t_infusion",
    "mrd",
    "spo2",
    "marrow_blasts",
)


@pytest.fixture
def example(tmp_path):
    path = tmp_path / "record.csv"
    path.write_text(example_record_text(), encoding="utf-8")
    return read_record(path)


def course_of(seed, patients, days):
    rng = np.random.default_rng(seed)
    values, below = {}, {}
    for name in NAMES:
        a = all_analytes()[name]
        table = a.low + (a.high - a.low) * rng.random((patients, days)) ** 6
        table = np.round(table) if name == "ice" else table
        values[name] = np.where(rng.random(table.shape) < 0.4, np.nan, table)
    values["crp"][:, -1] = 5.0
    below["transgene"] = np.isfinite(values["transgene"]) & (rng.random((patients, days)) < 0.3)
    return Course(np.arange(patients), np.sort(rng.choice(np.arange(-40, 400), days, replace=False)) / 7, values, below)


def equal(one, other):
    np.testing.assert_array_equal(one.patients, other.patients)
    np.testing.assert_array_equal(one.days, other.days)
    for name in {*one.values, *other.values}:
        np.testing.assert_array_equal(one.dense(name), other.dense(name))
        none = np.zeros(one.shape, bool)
        np.testing.assert_array_equal(one.below_lloq.get(name, none), other.below_lloq.get(name, none))


@pytest.mark.parametrize("form", ["long", "wide"])
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 10**6), patients=st.integers(1, 3), days=st.integers(1, 12))
def test_a_course_is_read_back_as_it_was(tmp_path, form, seed, patients, days):
    course = course_of(seed, patients, days)
    back = read_record(write_record(course, tmp_path / "c.csv", form))
    assert back.set_aside == ()
    equal(course, back.course)


def test_a_record_is_read_back_with_its_facts_and_overrides(example, tmp_path):
    back = read_record(write_record(example, tmp_path / "again.csv"))
    assert back.set_aside == ()
    equal(example.course, back.course)
    assert back.facts.sex == example.facts.sex and back.facts.age == example.facts.age
    assert [(o.finding, o.cause, o.author, o.first_day, o.last_day) for o in back.attributions] == [
        (o.finding, o.cause, o.author, o.first_day, o.last_day) for o in example.attributions
    ]
    with pytest.raises(InputError, match="wide"):
        write_record(example, tmp_path / "again.csv", "wide")


def test_no_cell_is_a_formula(tmp_path):
    for text in ("=1+2", "@A1", "+cmd|x", "-cmd|x", "\t=1"):
        assert safe_cell(text) == "'" + text
    for text in ("-5", "+5", "-0.5", "a=b", "", 7):
        assert safe_cell(text) == text
    path = write_rows(tmp_path / "x.csv", ["=a"], [["@b"], ["-1"]])
    assert path.read_text() == "'=a\n'@b\n-1\n"
    with pytest.raises(InputError, match="does not exist"):
        write_rows(tmp_path / "none" / "x.csv", ["a"], [])
    assert not list(tmp_path.glob("*.part"))


def test_findings_as_csv_carry_grade_edition_and_reasons(example, tmp_path):
    findings = grade(example.course, age=example.facts.age, weight=example.facts.weight)
    with open(write_findings(findings, example.course, tmp_path / "f.csv"), newline="") as file:
        rows = list(csv.DictReader(file))
    assert tuple(rows[0]) == COLUMNS
    two = next(r for r in rows if r["kind"] == "finding" and r["finding"] == "crs_astct" and r["grade"] == "2")
    assert two["day"] == "3.333333" and two["edition"] == "crs_astct_2019" and two["unverified"] in "01"
    why = {
        r["analyte"]: r["source"]
        for r in rows
        if r["kind"] == "reason" and r["finding"] == "crs_astct" and r["day"] == two["day"]
    }
    assert {"systolic_bp", "oxygen_device"} <= set(why)
    assert all(source.startswith("record.csv:") for source in why.values())
    lines = example_record_text().splitlines()
    assert "SBP,78" in lines[int(why["systolic_bp"].split(":")[1]) - 1]
    open_ = next(r for r in rows if r["grade"] == "not gradable" and r["finding"] == "crs_astct")
    assert "temperature" in open_["missing"]


@pytest.mark.parametrize("day_0", [None, datetime(2026, 3, 5, 10, tzinfo=UTC)])
def test_findings_as_fhir_are_valid_r4b(example, tmp_path, day_0):
    models = pytest.importorskip("fhir.resources.R4B.bundle")
    findings = grade(example.course, age=example.facts.age, weight=example.facts.weight)
    text = write_findings_fhir(findings, example.course, tmp_path / "f.json", day_0=day_0).read_text()
    found = models.Bundle.model_validate_json(text)
    kinds = [type(e.resource).__name__ for e in found.entry]
    assert kinds.count("Patient") == 1 and kinds.count("Observation") > 10 and kinds.count("AdverseEvent") > 3
    assert len({e.fullUrl for e in found.entry}) == len(found.entry)
    assert ("2026" in text) == (day_0 is not None)
    resources = [e["resource"] for e in json.loads(text)["entry"]]
    event = next(
        r for r in resources if r["resourceType"] == "AdverseEvent" and r["event"]["coding"][0]["code"] == "crs_astct"
    )
    assert event["extension"][-1] == {"url": "urn:vein2vein:grade", "valueInteger": 2}
    assert event["outcome"]["coding"][0]["code"] == "resolved"
    assert not any("NaN" in json.dumps(r) for r in resources)


def test_a_deidentified_record_holds_nothing_that_identifies(tmp_path):
    rows = (
        "last name,MRN,time,analyte,value,unit,author,comment",
        "Doe,4711,,age,93,years,,",
        "Doe,4711,,disease,Morbus Jane Doe,,,",
        "Doe,4711,2026-03-05 10:00,car_t_infusion,1e8,cells,,bag of Jane",
        "Doe,4711,2026-03-08 10:00,temperature,39,degC,,phone 555-1234",
        "Doe,4711,2026-03-08 10:00,attribution,fever,,Dr. Smith,Jane has sepsis",
        "Doe,4711,2026-03-08 10:00,crp,=Jane,mg/L,,",
    )
    path = tmp_path / "jane_doe.csv"
    path.write_text("\n".join(rows))
    written = deidentify_file(path, tmp_path / "out.csv")
    text = (tmp_path / "out.csv").read_text() + repr(written)
    for word in ("Doe", "doe", "4711", "2026", "Jane", "jane", "Smith", "555", "sepsis", "93"):
        assert word not in text
    back = read_record(tmp_path / "out.csv")
    assert back.facts.age[0] == 90 and back.attributions[0].author == "clinician 1"
    assert back.course.days.tolist() == [0, 3] and back.course.values["fever_other_cause"][0, 1] == 1


def test_deidentifying_changes_no_value(example):
    equal(example.course, deidentify(example).course)
