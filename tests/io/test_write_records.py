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
from vein2vein.ward.monitor import monitor

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


def test_findings_have_no_row_where_their_scale_was_not_looked_at_and_say_what_is_a_bound(tmp_path):
    lines = [
        "day,analyte,value,unit", ",age,40,year", "1,temperature,39,degC", "1,SBP,120,mmHg",
        "1,oxygen device,room air,", "2,temperature,39,degC", "2,norepinephrine,running,", "9,CRP,5,mg/L",
        "9,neutrophils,<0.5,10^9/L",
    ]  # fmt: skip
    (tmp_path / "r.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (watch,) = monitor(read_record(tmp_path / "r.csv"))
    path = write_findings(watch.findings, watch.course, tmp_path / "f.csv")
    with open(path, newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    told = [(r["finding"], r["day"]) for r in rows if r["kind"] == "finding"]
    assert told == [("crs_astct", "1"), ("crs_astct", "2"), ("neutropenia", "9"), ("iec_hs", "9")]
    assert next(r for r in rows if r["finding"] == "iec_hs")["missing"].startswith("ferritin; ast; alt")
    bounds = {(r["analyte"], r["value"]): (r["below_lloq"], r["above"]) for r in rows if r["kind"] == "reason"}
    assert bounds["norepinephrine", "0"] == ("0", "1") and bounds["neutrophils", "0.5"] == ("1", "0")
    assert bounds["temperature", "39"] == ("0", "0")
    text = write_findings_fhir(watch.findings, watch.course, tmp_path / "f.json").read_text()
    assert "norepinephrine, amount not known" in text and "neutrophils below 0.5" in text


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


AFTERNOON = """\
time,analyte,value,unit,until
,age,40,year,
,weight,70,kg,
2026-03-05 16:30,car_t_infusion,1.2e8,cells,
2026-03-06 02:00,temperature,39.2,degC,
2026-03-06 02:00,SBP,84,mmHg,
2026-03-06 20:00,norepinephrine,8,ug/min,2026-03-08 21:00
2026-03-07 03:00,neutrophils,0.3,10^9/L,
2026-03-07 20:00,neutrophils,0.6,10^9/L,
2026-03-08 12:00,temperature,38.4,degC,
2026-03-08 12:00,SBP,110,mmHg,
2026-03-09 03:00,ICE,9,,
"""


@pytest.mark.parametrize("form", ["long", "wide"])
def test_a_copy_without_dates_keeps_the_calendar(tmp_path, form):
    (tmp_path / "record.csv").write_text(AFTERNOON, encoding="utf-8")
    record = read_record(tmp_path / "record.csv")
    path = write_record(deidentify(record), tmp_path / "copy.csv", form)
    back = read_record(path)
    assert back.set_aside == () and "2026" not in path.read_text(encoding="utf-8")
    assert back.course.calendar().tolist() == record.course.calendar().tolist() != np.floor(record.course.days).tolist()
    if form == "wide":  # has no column for the end of a period
        return
    (one,), (other,) = monitor(record), monitor(back)
    assert (one.age, one.weight) == (other.age, other.weight) == (40, 70)
    assert [str(s) for s in one.now] == [str(s) for s in other.now]
    assert [(d.day, [str(s) for s in d.states.values()]) for d in one.days] == [
        (d.day, [str(s) for s in d.states.values()]) for d in other.days
    ]
    for name, grades in one.findings.items():
        assert grades.grade.tolist() == other.findings[name].grade.tolist(), name


@pytest.mark.parametrize(
    ("row", "clock", "aside"),
    [
        (",clock,0.5,d", [0.5], 0),
        (",clock,0.5,", [0.5], 0),
        (",clock,12,h", [0.5], 0),
        (",clock,1.5,d", [], 1),
        (",clock,noon,", [], 1),
    ],
)
def test_the_clock_of_day_0_is_a_part_of_a_day(tmp_path, row, clock, aside):
    (tmp_path / "r.csv").write_text(f"day,analyte,value,unit\n{row}\n0.6,CRP,5,mg/L\n", encoding="utf-8")
    found = read_record(tmp_path / "r.csv")
    assert found.course.clock.tolist() == clock and len(found.set_aside) == aside
    assert found.course.calendar().tolist() == [[1 if clock else 0]]


def test_the_dates_of_a_file_say_more_than_its_clock(tmp_path):
    (tmp_path / "r.csv").write_text(AFTERNOON + ",clock,0.1,d,\n", encoding="utf-8")
    assert read_record(tmp_path / "r.csv").course.clock.tolist() == [0.6875]
