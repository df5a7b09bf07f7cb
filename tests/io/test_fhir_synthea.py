"""A bundle as generators of synthetic patients write it, by the FHIR R4 and US Core specifications; no mapping."""

import json
from collections import Counter

import numpy as np

from vein2vein.io.record.fhir.bundle import read_entries
from vein2vein.io.record.mapping import TableMapping
from vein2vein.io.record.record import Log

LOINC, SNOMED, UCUM = "http://loinc.org", "http://snomed.info/sct", "http://unitsofmeasure.org"
RXNORM = "http://www.nlm.nih.gov/research/umls/rxnorm"
CATEGORY = "http://terminology.hl7.org/CodeSystem/observation-category"
CLINICAL = "http://terminology.hl7.org/CodeSystem/condition-clinical"
LATER = "2026-03-07T20:00:00-05:00"
PATIENT = {"reference": "urn:uuid:00000000-0000-0000-0000-000000000001"}


def rows(text):
    return [[cell.strip() for cell in line.split("|")] for line in text.strip().splitlines()]


# Code, name in our words or as such bundles print it, value, unit: what vein2vein reads, then what stands beside it.
READ = rows("""
8302-2 | height | 170.2 | cm
29463-7 | weight | 71.4 | kg
8310-5 | temperature | 37.1 | Cel
8331-1 | temperature by mouth | 38.6 | Cel
2708-6 | saturation | 95.0 | %
6690-2 | leukocytes | 4.1 | 10*3/uL
751-8 | neutrophils | 2.2 | 10*3/uL
718-7 | hemoglobin | 9.1 | g/dL
777-3 | platelets | 84.0 | 10*3/uL
731-0 | lymphocytes | 0.4 | 10*3/uL
2160-0 | creatinine | 1.1 | mg/dL
1742-6 | ALT | 44.0 | U/L
1920-8 | AST | 51.0 | U/L
1975-2 | bilirubin | 0.8 | mg/dL
1988-5 | CRP | 88.0 | mg/L
2276-4 | ferritin | 1850.0 | ug/L
2571-8 | triglycerides | 180.0 | mg/dL
2532-0 | LDH | 380.0 | U/L
6301-6 | INR | 1.1 | {INR}
14979-9 | aPTT | 33.0 | s
89247-1 | ECOG | 1 | {score}
""")
BESIDE = rows("""
8867-4 | Heart rate | 88 | /min
9279-1 | Respiratory rate | 16 | /min
39156-5 | Body mass index | 24.6 | kg/m2
2339-0 | Glucose [Mass/volume] in Blood | 92 | mg/dL
6299-2 | Urea nitrogen [Mass/volume] in Blood | 14 | mg/dL
2947-0 | Sodium [Moles/volume] in Blood | 138 | mmol/L
6298-4 | Potassium [Moles/volume] in Blood | 4.2 | mmol/L
2069-3 | Chloride [Moles/volume] in Blood | 104 | mmol/L
20565-8 | Carbon dioxide | 24 | mmol/L
49765-1 | Calcium [Mass/volume] in Blood | 9.3 | mg/dL
789-8 | Erythrocytes [#/volume] in Blood | 3.4 | 10*6/uL
4544-3 | Hematocrit [Volume Fraction] of Blood | 29 | %
787-2 | MCV [Entitic volume] | 88 | fL
785-6 | MCH [Entitic mass] | 29 | pg
21000-5 | Erythrocyte distribution width | 44 | fL
32207-3 | Platelet distribution width | 200 | fL
32623-1 | Platelet mean volume | 10 | fL
4548-4 | Hemoglobin A1c/Hemoglobin.total in Blood | 5.6 | %
2093-3 | Cholesterol [Mass/volume] | 170 | mg/dL
72514-3 | Pain severity - 0-10 verbal numeric rating | 2 | {score}
33914-3 | GFR | 80 | mL/min/{1.73_m2}
5799-2 | Leukocyte esterase [Presence] in Urine |  |
5778-6 | Color of Urine |  |
2857-1 | Prostate specific Ag [Mass/volume] | 1.1 | ng/mL
70006-2 | Medication management note |  |
""")
DRUGS = rows("""
1657981 | 20 ML tocilizumab 20 MG/ML Injection | 560 | mg
3264 | dexamethasone | 10 | mg
24698 | fludarabine | 50 | mg
3002 | cyclophosphamide | 850 | mg
""")
OTHER_DRUGS = rows("""
313782 | Acetaminophen 325 MG Oral Tablet
310798 | Hydrochlorothiazide 25 MG Oral Tablet
314076 | lisinopril 10 MG Oral Tablet
860975 | 24 HR Metformin hydrochloride 500 MG Extended Release
106892 | insulin isophane, human 70 UNT/ML
308136 | amLODIPine 2.5 MG Oral Tablet
""")
DISEASES = rows("""
444814009 | Viral sinusitis
15777000 | Prediabetes
59621000 | Essential hypertension
271737000 | Anemia
162864005 | Body mass index 30+ - obesity
""")


def concept(system, code, display):
    return {"coding": [{"system": system, "code": code, "display": display}], "text": display}


def synthea_like():
    """Patient, encounters, observations, reports, drugs ordered and given, procedures, conditions, claims."""
    when = "2026-03-07T08:00:00-05:00"
    listed = [
        {"resourceType": "Patient", "gender": "female", "birthDate": "1971-04-02", "name": [{"family": "X1"}],
         "identifier": [{"system": "https://example.org/synthetic", "value": "s-1"}]},
        {"resourceType": "Encounter", "status": "finished", "class": {"code": "IMP"}, "subject": PATIENT},
        {"resourceType": "Organization", "name": "A hospital"},
        {"resourceType": "Procedure", "status": "completed", "subject": PATIENT,
         "code": concept("http://www.cms.gov/Medicare/Coding/ICD10", "XW033H7", "CAR-T cells, peripheral vein"),
         "performedPeriod": {"start": "2026-03-05T10:00:00-05:00", "end": "2026-03-05T10:30:00-05:00"}},
        {"resourceType": "Procedure", "status": "completed", "subject": PATIENT,
         "code": concept(SNOMED, "430193006", "Reconciliation"), "performedPeriod": {"start": when, "end": when}},
        {"resourceType": "Immunization", "status": "completed", "patient": PATIENT, "occurrenceDateTime": when,
         "vaccineCode": concept("http://hl7.org/fhir/sid/cvx", "140", "Influenza, seasonal")},
    ]  # fmt: skip
    for place, (code, said, value, unit) in enumerate([*READ, *BESIDE]):
        one = {"resourceType": "Observation", "id": f"o{place}", "status": "final", "subject": PATIENT,
               "category": [concept(CATEGORY, "vital-signs" if unit in ("Cel", "cm", "kg") else "laboratory", "")],
               "code": concept(LOINC, code, said), "issued": when,
               "effectiveDateTime": LATER if "mouth" in said else when}  # fmt: skip
        if value:
            one["valueQuantity"] = {"value": float(value), "unit": unit, "system": UCUM, "code": unit}
        else:
            one["valueCodeableConcept"] = concept(SNOMED, "260385009", "Not detected")
        listed.append(one)
    pressure = [{"code": concept(LOINC, code, ""), "valueQuantity": {"value": v, "unit": "mm[Hg]", "code": "mm[Hg]"}}
                for code, v in (("8462-4", 66), ("8480-6", 104))]  # fmt: skip
    listed.append({"resourceType": "Observation", "status": "final", "subject": PATIENT, "effectiveDateTime": when,
                   "code": concept(LOINC, "85354-9", "Blood pressure panel"), "component": pressure})  # fmt: skip
    for code, said, value, unit in DRUGS:
        listed.append({"resourceType": "MedicationAdministration", "status": "completed", "subject": PATIENT,
                       "medicationCodeableConcept": concept(RXNORM, code, said), "effectiveDateTime": when,
                       "dosage": {"dose": {"value": float(value), "unit": unit, "code": unit}}})  # fmt: skip
    for code, said in OTHER_DRUGS:
        for kind in ("MedicationRequest", "MedicationAdministration"):
            drug = concept(RXNORM, code, said)
            listed.append({"resourceType": kind, "status": "completed", "subject": PATIENT, "intent": "order",
                           "medicationCodeableConcept": drug, "effectiveDateTime": when})  # fmt: skip
    for code, said in DISEASES:
        listed.append({"resourceType": "Condition", "subject": PATIENT, "onsetDateTime": when,
                       "clinicalStatus": concept(CLINICAL, "active", ""),
                       "code": concept(SNOMED, code, said)})  # fmt: skip
    listed += [{"resourceType": "Claim", "status": "active", "patient": PATIENT},
               {"resourceType": "DiagnosticReport", "status": "final", "subject": PATIENT, "effectiveDateTime": when,
                "code": concept(LOINC, "58410-2", "Blood count"), "result": [{"reference": "urn:uuid:9"}]}]  # fmt: skip
    entries = [
        {"fullUrl": f"urn:uuid:00000000-0000-0000-0000-{n:012d}", "resource": one,
         "request": {"method": "POST", "url": one["resourceType"]}} for n, one in enumerate(listed, 1)
    ]  # fmt: skip
    return {"resourceType": "Bundle", "type": "transaction", "entry": entries}


def test_what_such_a_bundle_gives_without_a_mapping(tmp_path):
    from vein2vein.io.record.read import read_record

    path = tmp_path / "synthetic.json"
    path.write_text(json.dumps(synthea_like(), indent=1), encoding="utf-8")
    record = read_record(path)
    course = record.course
    measured = {name for name in course.values if np.isfinite(course.values[name]).any()}
    assert record.facts.product == ("axicabtagene_ciloleucel",) and record.facts.sex == ("female",)
    assert record.facts.height[0] == 170.2 and record.facts.age[0] > 54
    # READ without the height, which is a fact, and with two temperatures; a pressure, four drugs, an antipyretic
    assert len(measured - {"egfr"}) == len(READ) - 2 + 1 + len(DRUGS) + 1, sorted(measured)
    assert {"temperature", "systolic_bp", "platelets", "ferritin", "tocilizumab", "antipyretic"} <= measured
    assert record.set_aside == () and not course.unread


def test_nothing_of_it_makes_a_graded_analyte_unknown_or_stands_above_the_fold():
    log = Log("synthetic.json")
    found = read_entries(json.dumps(synthea_like()), TableMapping(), log)
    assert [e for e in found if e.unread] == [] and log.items == []
    assert Counter(e.patient for e in found) == {next(iter({e.patient for e in found})): len(found)}
    listed = " ".join(log.notes)
    assert "not read" in listed and "orders are not doses" in listed and "Influenza" not in listed
