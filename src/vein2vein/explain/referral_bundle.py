"""A referral as a FHIR R4 bundle: the patient, the disease, what was measured, the records at hand."""

from __future__ import annotations

import datetime
import uuid
from collections.abc import Iterator, Mapping
from typing import Any

from vein2vein.analytes import all_analytes
from vein2vein.explain.languages import SOURCE, find_language, read_catalog
from vein2vein.explain.referral import Case, records, texts

Resource = dict[str, object]
NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "vein2vein/referral")
LOINC, UCUM = "http://loinc.org", "http://unitsofmeasure.org"
ICD10 = "http://hl7.org/fhir/sid/icd-10-cm"
BCP47 = "urn:ietf:bcp:47"
OWN = "urn:vein2vein:analyte"
HL7 = "http://terminology.hl7.org/CodeSystem/"


def bundle_of(case: Case, made: datetime.datetime) -> Resource:
    """Write a referral as a bundle that a center's system, and ``read_record`` with a day 0, can read.

    Parameters
    ----------
    case : Case
    made : datetime
        When the papers were made, with its zone; values without a day of measurement are issued then.

    Returns
    -------
    dict
        Of type collection. What is not known is left out: no date of birth, no value that the card does not give.
    """
    resources = [_patient(case), _condition(case), *_observations(case, made), *_documents(case, made)]
    # Of these papers alone: a system that takes two referrals must never take their patients for one.
    space = uuid.uuid5(NAMESPACE, f"{_instant(made)} {case.card.text}")
    subject = {"reference": _url(resources[0], space)}
    told = (one if one["resourceType"] == "Patient" else {**one, "subject": subject} for one in resources)
    entries = [{"fullUrl": _url(one, space), "resource": one} for one in told]
    return {"resourceType": "Bundle", "type": "collection", "timestamp": _instant(made), "entry": entries}


def _url(resource: Mapping[str, object], space: uuid.UUID) -> str:
    return f"urn:uuid:{uuid.uuid5(space, '{resourceType}/{id}'.format(**resource))}"


def _instant(moment: datetime.datetime) -> str:
    return moment.isoformat(timespec="seconds")


def _patient(case: Case) -> Resource:
    found: Resource = {"resourceType": "Patient", "id": "patient"}
    if case.told.name:
        found["name"] = [{"text": case.told.name}]
    if case.told.sex:
        found["gender"] = case.told.sex
    if case.referral.home:
        found["address"] = [{"text": case.referral.home}]
    if case.referral.language:
        catalog = find_language(case.referral.language)
        language = {"coding": [{"system": BCP47, "code": catalog.code}], "text": catalog.english_name}
        found["communication"] = [{"language": language, "preferred": True}]
    return found


def _condition(case: Case) -> Resource:
    code = texts().get("icd10", str(case.card.get("disease")), default=None)
    coding = [{"system": OWN, "code": "disease"}, *([{"system": ICD10, "code": code}] if code else [])]
    found: Resource = {
        "resourceType": "Condition",
        "id": "disease",
        "clinicalStatus": {"coding": [{"system": HL7 + "condition-clinical", "code": "active"}]},
        "code": {"coding": coding, "text": str(case.card.get("disease"))},
    }
    if case.referral.found:
        found["note"] = [{"text": f"found {case.referral.found}"}]
    return found


def _observations(case: Case, made: datetime.datetime) -> Iterator[Resource]:
    known: Mapping[str, Mapping[str, str]] = texts().table("observations")
    analytes = all_analytes()
    given: dict[str, tuple[str, float, str, str]] = {}
    for field, one in known.items():
        if (value := getattr(case.told, field)) is not None:
            given[one["analyte"]] = (one["analyte"], value, one["unit"], one.get("loinc", ""))
    for name, column in case.patient.baseline.items():
        given[name] = (name, float(column[0]), analytes[name].unit, analytes[name].loinc)
    for name, value, unit, loinc in given.values():
        own = {"system": OWN, "code": name}
        found: Resource = {
            "resourceType": "Observation",
            "id": name.replace("_", "-"),
            "status": "final",
            "code": {
                "coding": [{"system": LOINC, "code": loinc}, own] if loinc else [own],
                "text": analytes[name].title if name in analytes else name.replace("_", " "),  # height, weight
            },
            "issued": _instant(made),
            "valueQuantity": _quantity(value, unit),
        }
        if case.referral.measured:
            found["effectiveDateTime"] = case.referral.measured
        yield found


def _quantity(value: float, unit: str) -> dict[str, Any]:
    coded = texts().get("ucum", unit, default=unit)
    return {"value": value, "unit": unit, "system": UCUM, "code": coded}


def _documents(case: Case, made: datetime.datetime) -> Iterator[Resource]:
    words = read_catalog(SOURCE).text
    for name, there in records(case):
        if there:
            yield {
                "resourceType": "DocumentReference",
                "id": f"record-{name.replace('_', '-')}",
                "status": "current",
                "type": {"text": words[f"record_{name}"]},
                "date": _instant(made),
                "content": [{"attachment": {"title": words[f"record_{name}"]}}],
            }
