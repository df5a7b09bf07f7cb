"""Whatever a file holds: it is read, or refused by InputError. Nothing else ever escapes."""

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vein2vein.errors import InputError
from vein2vein.io.check import check_file
from vein2vein.io.record.read import example_record_text, read_record
from vein2vein.io.record.visits import read_visits

SETTINGS = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
CELLS = st.one_of(
    st.text(max_size=12),
    st.sampled_from(
        [
            "1",
            "-3.5",
            "1,5",
            "<0.1",
            "ND",
            "=1+1",
            "2026-03-05",
            "05.03.2026 10:00",
            "03/04/2026",
            "crp",
            "ferritin",
            "ICE",
            "car_t_infusion",
            "mg/L",
            "ng/mL",
            "mg/kg",
            "attribution",
            "override",
            "crs_astct = 2",
            "weight",
            "age",
            "1e400",
            '"',
            "\0",
        ]
    ),
)
HEADS = st.sampled_from(
    [
        "day",
        "time",
        "date",
        "analyte",
        "value",
        "unit",
        "patient",
        "author",
        "until",
        "lloq",
        "crp [mg/L]",
        "weight",
        "infusion",
        "age",
        "lesion",
        "site",
        "longest",
        "shortest",
        "x",
        "",
        "=a",
    ]
)


def survives(path, content):
    path.write_bytes(content)
    for read in (read_record, read_visits):
        try:
            found = read(path)
        except InputError as problem:
            assert str(problem) and "\n" not in str(problem)[:20]
        else:
            assert found.course.shape[1] > 0
    report = check_file(path)
    assert report.fit or report.problems


@SETTINGS
@given(
    st.lists(HEADS, min_size=1, max_size=7), st.lists(st.lists(CELLS, max_size=8), max_size=8), st.sampled_from(",;\t")
)
def test_tables(tmp_path, header, rows, delimiter):
    text = "\n".join(delimiter.join(cells) for cells in [header, *rows])
    survives(tmp_path / "x.csv", text.encode("utf-8", errors="replace"))


@SETTINGS
@given(st.binary(max_size=300))
def test_bytes(tmp_path, content):
    survives(tmp_path / "x.csv", content)


@SETTINGS
@given(st.integers(0, 10**9), st.binary(min_size=1, max_size=6), st.integers(0, 40))
def test_a_record_with_some_bytes_changed_or_cut(tmp_path, at, new, gone):
    whole = example_record_text().encode()
    at %= len(whole)
    survives(tmp_path / "x.csv", whole[:at] + new + whole[at + gone :])


JSON = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-(10**20), 10**20),
        st.floats(),
        st.text(max_size=8),
        st.sampled_from(["2026-03-05", "Patient/p1", "http://loinc.org", "8310-5", "final", "mg/L"]),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.sampled_from(
                [
                    "coding",
                    "system",
                    "code",
                    "value",
                    "unit",
                    "reference",
                    "start",
                    "end",
                    "text",
                    "answer",
                    "linkId",
                    "item",
                ]
            ),
            inner,
            max_size=3,
        ),
    ),
    max_leaves=6,
)
FIELDS = [
    "code",
    "subject",
    "effectiveDateTime",
    "effectivePeriod",
    "valueQuantity",
    "valueInteger",
    "valueString",
    "component",
    "valueCodeableConcept",
    "interpretation",
    "status",
    "medicationCodeableConcept",
    "medicationReference",
    "contained",
    "dosage",
    "performedDateTime",
    "verificationStatus",
    "onsetDateTime",
    "authored",
    "item",
    "id",
    "gender",
    "birthDate",
    "deceasedDateTime",
]
KINDS = [
    "Patient",
    "Observation",
    "MedicationAdministration",
    "Procedure",
    "Condition",
    "QuestionnaireResponse",
    "Medication",
    "X",
]


@SETTINGS
@given(
    st.lists(
        st.tuples(st.sampled_from(KINDS), st.dictionaries(st.sampled_from(FIELDS), JSON, max_size=4)),
        min_size=1,
        max_size=4,
    )
)
def test_bundles_with_elements_of_any_type(tmp_path, bundle, changes):
    b = bundle().infusion().observation("2276-4", 1200, "ng/mL")
    for kind, elements in changes:
        plain = {
            "Observation": {
                "code": b.concept("http://loinc.org", "1988-5"),
                "effectiveDateTime": b.at(30),
                "status": "final",
            },
            "MedicationAdministration": {
                "effectiveDateTime": b.at(30),
                "status": "completed",
                "medicationCodeableConcept": b.concept("http://www.nlm.nih.gov/research/umls/rxnorm", "1162729"),
            },
            "QuestionnaireResponse": {"authored": b.at(3), "status": "completed"},
        }.get(kind, {})
        b.add({"resourceType": kind, **plain, **elements})
    survives(tmp_path / "x.json", b.text().encode("utf-8", errors="replace"))


@SETTINGS
@given(
    st.integers(0, 10**9),
    st.sampled_from(["{", "}", "]", ",", '"', "NaN", "\\ud800", "\0", "9" * 5000, "é"]),
    st.integers(0, 60),
)
def test_bundles_with_characters_changed_or_cut(tmp_path, bundle, at, new, gone):
    whole = bundle().infusion().observation("2276-4", 1200, "ng/mL").observation("8310-5", 38.5, "Cel").text()
    at %= len(whole)
    survives(tmp_path / "x.json", (whole[:at] + new + whole[at + gone :]).encode())


@SETTINGS
@given(JSON)
def test_any_json(tmp_path, value):
    survives(tmp_path / "x.json", json.dumps([value]).encode())


def test_no_reader_of_xml_is_imported():
    import subprocess
    import sys

    code = (
        "import sys, vein2vein.io.record.read, vein2vein.io.check; "
        "print([m for m in sys.modules if m.startswith(('xml.', 'lxml'))])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("length", [200_000, 2_000_000])
def test_one_endless_line(tmp_path, length):
    survives(tmp_path / "x.csv", b"day,crp [mg/L]\n1,5\n2," + b"9" * length)
