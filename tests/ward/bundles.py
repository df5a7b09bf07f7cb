"""Small FHIR bundles of one patient: infusion of CAR T on 5 March at 10:00, the rest as a test asks."""

from __future__ import annotations

import json

LOINC = "http://loinc.org"
LOCAL = "urn:vein2vein:analyte"
RXNORM = "http://www.nlm.nih.gov/research/umls/rxnorm"
NOREPINEPHRINE, EPINEPHRINE, VASOPRESSIN = "7512", "3992", "11149"


def at(clock: str, day: int = 8) -> str:
    return f"2026-03-{day:02d}T{clock}:00+01:00"


def coded(system: str, code: str) -> dict:
    return {"coding": [{"system": system, "code": code}]}


def observed(code: str, clock: str, *, value: object = None, unit: str = "", text: str = "", day: int = 8) -> dict:
    found = {"valueString": text} if text else {"valueQuantity": {"value": value, "unit": unit, "code": unit}}
    return {
        "resourceType": "Observation", "status": "final", "effectiveDateTime": at(clock, day),
        "code": coded(LOCAL if code.isidentifier() else LOINC, code), **found,
    }  # fmt: skip


def vitals(clock: str, temperature: float = 39.2, pressure: float = 92, device: str = "room air") -> list[dict]:
    return [
        observed("8310-5", clock, value=temperature, unit="Cel"),
        observed("8480-6", clock, value=pressure, unit="mm[Hg]"),
        observed("oxygen_device", clock, text=device),
    ]


def infused(drug: str, begin: str, end: str = "", rate: float | None = 5, status: str = "completed") -> dict:
    period = {"start": at(begin)} | ({"end": at(end)} if end else {})
    unit = "U/min" if drug == VASOPRESSIN else "ug/min"
    dosage = {} if rate is None else {"dosage": {"rateQuantity": {"value": rate, "unit": unit, "code": unit}}}
    return {
        "resourceType": "MedicationAdministration", "status": status, "effectivePeriod": period,
        "medicationCodeableConcept": coded(RXNORM, drug), **dosage,
    }  # fmt: skip


def bundle(*resources: object) -> str:
    listed: list[dict] = [
        {"resourceType": "Patient", "id": "p", "birthDate": "1970-05-01"},
        {
            "resourceType": "Procedure", "status": "completed", "performedDateTime": at("10:00", 5),
            "code": coded(LOCAL, "car_t_infusion"),
        },
    ]  # fmt: skip
    for one in resources:
        listed += one if isinstance(one, list) else [one]
    for one in listed[1:]:
        one["subject"] = {"reference": "Patient/p"}
    return json.dumps({"resourceType": "Bundle", "type": "collection", "entry": [{"resource": one} for one in listed]})
