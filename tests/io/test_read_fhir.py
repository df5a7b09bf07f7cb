"""FHIR R4 bundles: built by the specification, and broken ones."""

import json

import numpy as np
import pytest

from vein2vein.analytes import all_analytes
from vein2vein.errors import InputError
from vein2vein.io.record.names import FACTS, vocabulary
from vein2vein.io.record.read import read_record

RXNORM = "http://www.nlm.nih.gov/research/umls/rxnorm"
ICD10 = "http://hl7.org/fhir/sid/icd-10-cm"


def value(record, name, hours=24):
    j = int(np.flatnonzero(np.isclose(record.course.days, hours / 24, atol=1e-6))[0])
    return record.course.values[name][0, j]


def medication(b, code, dosage, hours=30, end=None, **more):
    when = {"effectiveDateTime": b.at(hours)}
    if end is not None:
        when = {"effectivePeriod": {"start": b.at(hours), "end": b.at(end)}}
    return b.add(
        {
            "resourceType": "MedicationAdministration",
            "status": "completed",
            "subject": b.subject(),
            "medicationCodeableConcept": b.concept(RXNORM, code),
            "dosage": dosage,
            **when,
            **more,
        }
    )


def test_observations_by_loinc_in_canonical_units(bundle, tmp_path):
    b = bundle().infusion()
    b.observation("2276-4", 1200, "ng/mL").observation("1988-5", 8.4, "mg/dL").observation("8310-5", 102.2, "[degF]")
    b.observation("777-3", 41, "10*3/uL").observation("29463-7", 39, "kg", hours=-2)
    r = b.read(tmp_path)
    assert r.kind == "FHIR" and r.set_aside == () and r.notes == ()
    assert (value(r, "ferritin"), value(r, "crp"), value(r, "temperature")) == (1200, 84, 39)
    assert value(r, "platelets") == 41 and r.facts.weight[0] == 39
    assert r.facts.age[0] == pytest.approx(14, abs=0.01) and r.facts.sex == ("female",) and r.facts.dated == (True,)


def test_each_value_says_its_line(bundle, tmp_path):
    b = bundle().infusion().observation("2276-4", 1200, "ng/mL")
    r = b.read(tmp_path)
    name, line = r.course.where_from["ferritin"][0, -1].split(":")
    assert name == "bundle.json"
    lines = b.text().splitlines()
    assert lines[int(line) - 1].strip() == "{" and '"Observation"' in "".join(lines[int(line) - 1 : int(line) + 3])


def test_blood_pressure_is_read_from_its_component(bundle, tmp_path):
    b = bundle().infusion()
    parts = [
        {"code": b.concept("http://loinc.org", c), "valueQuantity": {"value": v, "unit": "mmHg", "code": "mm[Hg]"}}
        for c, v in (("8480-6", 84), ("8462-4", 40))
    ]
    r = b.observation("85354-9", component=parts).read(tmp_path)
    assert value(r, "systolic_bp") == 84 and r.set_aside == ()


def test_bounds_from_comparator_and_interpretation(bundle, tmp_path):
    b = bundle().infusion()
    b.observation("26881-3", hours=24, valueQuantity={"value": 1.5, "comparator": "<", "unit": "pg/mL"})
    sign = [b.concept("http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation", "<")]
    b.observation("26881-3", 1.5, "pg/mL", hours=48, interpretation=sign)
    b.observation("26881-3", hours=72, valueString="<1.5 pg/mL")
    r = b.read(tmp_path)
    assert r.course.below_lloq["il6"].sum() == 3 and set(r.course.values["il6"][0][1:]) == {1.5}


def test_other_kinds_of_values(bundle, tmp_path):
    b, local = bundle().infusion(), "urn:vein2vein:analyte"
    b.observation("ice", system=local, valueInteger=7)
    b.observation("dialysis", system=local, valueBoolean=True)
    b.observation("oxygen_device", system=local, valueCodeableConcept={"text": "High-flow nasal cannula"})
    b.observation("arousal", system=local, valueCodeableConcept={"coding": [{"code": "x", "display": "to voice"}]})
    b.observation("capd", system=local, dataAbsentReason={"text": "asleep"})
    r = b.read(tmp_path)
    assert r.set_aside == ()
    assert [value(r, n) for n in ("ice", "dialysis", "oxygen_device", "arousal")] == [7, 1, 3, 2]


def test_medications_by_rxnorm_with_doses_per_kg(bundle, tmp_path):
    b = bundle().infusion().observation("29463-7", 40, "kg", hours=-2)
    medication(b, "1162729", {"dose": {"value": 8, "unit": "mg/kg", "code": "mg/kg"}})
    medication(b, "7512", {"rateQuantity": {"value": 0.1, "unit": "ug/kg/min", "code": "ug/kg/min"}}, 30, 40)
    b.add({"resourceType": "Medication", "id": "m1", "code": b.concept(RXNORM, "3002")})
    b.add(
        {
            "resourceType": "MedicationAdministration",
            "status": "completed",
            "subject": b.subject(),
            "effectiveDateTime": b.at(-72),
            "medicationReference": {"reference": "Medication/m1"},
            "dosage": {"dose": {"value": 0.5, "unit": "g", "code": "g"}},
        }
    )
    r = b.read(tmp_path)
    assert r.set_aside == ()
    assert value(r, "tocilizumab", 30) == 320 and value(r, "cyclophosphamide", -72) == 500
    assert value(r, "norepinephrine", 30) == 4


def test_conditions_and_questionnaires(bundle, tmp_path):
    b = bundle().infusion()
    b.add({"resourceType": "Condition", "subject": b.subject(), "code": b.concept(ICD10, "C91.00")})
    items = [
        {"linkId": "ice", "answer": [{"valueInteger": 6}]},
        {"linkId": "g", "item": [{"linkId": "/8310-5", "answer": [{"valueDecimal": 38.4}]}]},
        {"linkId": "q9", "text": "Oxygen device", "answer": [{"valueCoding": {"display": "room air"}}]},
        {"linkId": "mood", "answer": [{"valueString": "good"}]},
    ]
    b.add(
        {
            "resourceType": "QuestionnaireResponse",
            "status": "completed",
            "subject": b.subject(),
            "authored": b.at(24),
            "item": items,
        }
    )
    r = b.read(tmp_path)
    assert (value(r, "ice"), value(r, "temperature"), value(r, "oxygen_device")) == (6, 38.4, 0)
    assert r.facts.disease == ("pediatric_b_all",) and any("unverified" in n for n in r.notes)
    assert any("QuestionnaireResponse.item" in n for n in r.notes)


@pytest.mark.parametrize("kind", ["collection", "transaction", "searchset"])
def test_kinds_of_bundles_lists_and_lines(bundle, tmp_path, kind):
    b = bundle(kind=kind).infusion().observation("2276-4", 1200, "ng/mL")
    assert b.read(tmp_path).read == 1
    resources = [e["resource"] for e in b.entries]
    assert b.read(tmp_path, json.dumps(resources)).read == 1
    r = b.read(tmp_path, "\n".join(json.dumps(x) for x in resources), "lines.ndjson")
    assert r.read == 1 and r.course.where_from["ferritin"][0, 0] == "lines.ndjson:3"


def test_one_patient_under_several_references(bundle, tmp_path):
    b = bundle().infusion()
    for i, reference in enumerate(("Patient/p1", "https://example.org/fhir/Patient/p1", "Patient/p1/_history/2")):
        b.observation("2276-4", 100 + i, "ng/mL", hours=24 + i, subject={"reference": reference})
    assert b.read(tmp_path).read == 3


def test_void_entries_are_counted_and_the_rest_read(bundle, tmp_path):
    b = bundle().infusion().observation("2276-4", 1200, "ng/mL")
    b.observation("1988-5", 9, "mg/L", status="entered-in-error")
    r = b.read(tmp_path)
    assert r.read == 1 and r.set_aside == ()
    assert "void, not read: Observation entered-in-error (1)" in r.notes


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"valueQuantity": {"value": "1200", "unit": "ng/mL"}}, "not a number"),
        ({"valueQuantity": {"value": True, "unit": "ng/mL"}}, "not a number"),
        ({"valueQuantity": {"value": 12}}, "without a unit"),
        ({"valueQuantity": {"value": 12, "unit": "mmHg"}}, "unit is not one of"),
        ({"valueQuantity": {"value": 1e12, "unit": "ng/mL"}}, "plausible"),
        ({"effectiveDateTime": "2026-03"}, "date"),
        ({"effectiveDateTime": 20260306}, "date"),
        ({"effectiveDateTime": "yesterday"}, "date"),
        ({"component": 7}, "wrong type"),
        ({"interpretation": 7}, "wrong type"),
    ],
)
def test_wrong_elements_are_set_aside_with_their_line(bundle, tmp_path, change, said):
    b = bundle().infusion().observation("777-3", 41, "10*3/uL").observation("2276-4", 1200, "ng/mL", **change)
    r = b.read(tmp_path)
    assert r.read == 1 and len(r.set_aside) == 1, [str(s) for s in r.set_aside]
    assert said in str(r.set_aside[0]) and r.set_aside[0].line > 10


def test_a_bundle_that_breaks_off_gives_what_stands_before(bundle, tmp_path):
    b = bundle().infusion()
    for i in range(20):
        b.observation("2276-4", 100 + i, "ng/mL", hours=i + 1)
    whole = b.text()
    r = b.read(tmp_path, whole[: len(whole) * 2 // 3])
    assert 8 < r.read < 20 and "breaks off" in str(r.set_aside[-1]) and r.set_aside[-1].line
    lines = [json.dumps(e["resource"]) for e in b.entries]
    lines[5] = lines[5][:40]
    r = b.read(tmp_path, "\n".join(lines), "x.ndjson")
    assert r.read == 19 and r.set_aside[0].line in (6, 7)


@pytest.mark.parametrize(
    "text",
    [
        "[" * 100_000,
        '{"resourceType":"Bundle","entry":[{"resource":' + '{"a":' * 100_000,
        "{",
        "[]",
        "{}",
        '{"a": NaN}',
        "[1, 2]",
        '{"resourceType": "Bundle", "entry": []}',
        '{"resourceType": 7}',
        '{"a": ' + "9" * 5000 + "}",
        '{"entry": {"resource": 1}}',
        "[null]",
        '{"resourceType":"Patient"}',
    ],
)
def test_json_without_use_is_refused_in_one_sentence(tmp_path, text):
    path = tmp_path / "b.json"
    path.write_text(text)
    with pytest.raises(InputError) as caught:
        read_record(path)
    assert len(str(caught.value)) < 600


def test_every_code_names_something_and_says_where_it_was_read():
    for (system, code), (name, mark) in vocabulary().codes.items():
        assert name in all_analytes() or name in FACTS or system.startswith("http://hl7.org/fhir/sid/icd"), code
        assert mark in ("R", "M")
    for analyte in all_analytes().values():
        if analyte.loinc:
            assert vocabulary().codes["http://loinc.org", analyte.loinc][0] == analyte.name


def test_the_bundles_of_these_tests_are_r4b(bundle):
    models = pytest.importorskip("fhir.resources.R4B.bundle")
    b = bundle().infusion().observation("2276-4", 1200, "ng/mL")
    medication(b, "7512", {"rateQuantity": {"value": 0.1, "unit": "ug/kg/min", "code": "ug/kg/min"}}, 30, 40)
    b.observation("8310-5", 38.5, "Cel", status="preliminary", valueQuantity={"value": 1.5, "comparator": "<"})
    assert len(models.Bundle.model_validate_json(b.text()).entry) == 5


def test_a_death_with_its_cause_is_read_and_without_its_date_told(bundle, tmp_path):
    b = bundle().infusion().observation("8310-5", 39, "Cel")
    b.observation("69453-9", hours=360, valueCodeableConcept={"text": "cytokine release syndrome"})
    b.entries[0]["resource"]["deceasedDateTime"] = b.at(360)
    course = b.read(tmp_path).course
    assert course.values["alive"][0, -1] == 0 and course.values["death_cause"][0, -1] == 1
    del b.entries[0]["resource"]["deceasedDateTime"]
    b.entries[0]["resource"]["deceasedBoolean"] = True
    (told,) = b.read(tmp_path).set_aside
    assert "without its date" in told.what and told.line


CASES = {  # what each small case of the shared collection must give: analyte, value
    "f04_searchset": ("temperature", 39.2),
    "f21_concept_value": ("oxygen_device", 1),
    "f22_pulseox_components": ("oxygen_device", 1),
    "f23_oral_temp": ("temperature", 39.2),
    "f31_norepi_rateRatio": ("norepinephrine", 4),
    "f33_cart_rxnorm": ("car_t_infusion", 1.4e8),
    "f37_preliminary": ("platelets", 80),
    "f_amend": ("platelets", 45),
    "toci_text": ("tocilizumab", 560),
}


@pytest.mark.parametrize("case", CASES)
def test_the_shared_cases_give_the_values_that_their_grades_hang_on(shared, case):
    record = read_record(shared / "cases" / "fhir" / f"{case}.json")
    name, expected = CASES[case]
    row = record.course.values[name][0]
    assert row[np.isfinite(row)][0] == expected
    assert [str(item) for item in record.set_aside if "more data exist" not in item.what] == []
