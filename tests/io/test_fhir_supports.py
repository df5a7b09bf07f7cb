"""Supports from a file to the course: what runs, and since when, in bundles and in tables with an end."""

import inspect

import numpy as np
import pytest

from vein2vein.io.record import gather
from vein2vein.io.record.read import read_record

pytestmark = pytest.mark.skipif(
    "periods.enter" not in inspect.getsource(gather), reason="records are gathered without periods"
)
RXNORM = "http://www.nlm.nih.gov/research/umls/rxnorm"


def rate(value):
    return {"rateQuantity": {"value": value, "unit": "ug/min", "code": "ug/min"}}


def bag(b, start, end, value, status="completed"):
    period = {"start": b.at(start), **({"end": b.at(end)} if end is not None else {})}
    return b.add({"resourceType": "MedicationAdministration", "status": status, "subject": b.subject(),
                  "medicationCodeableConcept": b.concept(RXNORM, "7512"), "effectivePeriod": period,
                  "dosage": rate(value)})  # fmt: skip


def said(course, name="norepinephrine"):
    """{hour: value}, * where it goes on."""
    on = course.marked(course.lasting, name)[0]
    row = course.dense(name)[0]
    return {
        round(float(day) * 24, 2): f"{row[j]:g}" + ("*" if on[j] else "")
        for j, day in enumerate(course.days)
        if np.isfinite(row[j])
    }


def test_overlapping_bags_of_a_bundle(bundle, tmp_path):
    b = bundle().infusion()
    bag(bag(b, 30, 32, 8.0), 31.5, 34, 4.0)
    assert said(b.read(tmp_path).course) == {30: "8*", 32: "4*", 34: "0"}


def test_an_infusion_in_progress_goes_on(bundle, tmp_path):
    b = bag(bundle().infusion(), 30, None, 8.0, "in-progress")
    assert said(b.read(tmp_path).course) == {30: "8*"}


def test_rows_of_a_table_with_an_end(tmp_path):
    path = tmp_path / "ward.csv"
    path.write_text(
        "day,analyte,value,unit,until\n1,norepinephrine,8,ug/min,1.5\n1.4,norepinephrine,4,ug/min,2\n"
        "1,tocilizumab,560,mg,1.1\n1,oxygen_device,room air,,\n",
        encoding="utf-8",
    )
    course = read_record(path).course
    assert said(course) == {24: "8*", 36: "4*", 48: "0"}
    assert said(course, "tocilizumab") == {24: "560"}


@pytest.mark.parametrize(
    ("file", "steps"),
    [
        ("ne_covered", {81: "8*", 108: "0"}),
        ("ne_overlap", {81: "8*", 83: "4*", 85: "0"}),
        ("f31_norepi_rateRatio", {41: "4*"}),
    ],
)
def test_the_shared_cases_run_as_they_were_charted(shared, file, steps):
    assert said(read_record(shared / "cases" / "fhir" / f"{file}.json").course) == steps
