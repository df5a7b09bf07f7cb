"""A referral as a FHIR R4 bundle: patient, disease, lines of treatment, what is known and measured, records at hand."""

from __future__ import annotations

import datetime
import re
import uuid
from collections.abc import Iterator, Mapping
from typing import Any

from vein2vein.analytes import all_analytes
from vein2vein.explain.languages import SOURCE, find_language, read_catalog
from vein2vein.explain.referral import Case, antigen_title, asked_by_labels, records, rows, texts
from vein2vein.therapy.antigens import UNIT, word_of

Resource = dict[str, object]
NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "vein2vein/referral")
LOINC, UCUM = "http://loinc.org", "http://unitsofmeasure.org"
ICD10 = "http://hl7.org/fhir/sid/icd-10-cm"
BCP47 = "urn:ietf:bcp:47"
OWN, DISEASE, FACT = "urn:vein2vein:analyte", "urn:vein2vein:disease", "urn:vein2vein:patient"
_DAY = r"\d{4}(?:-(?:0[1-9]|1[0-2])(?:-(?:0[1-9]|[12]\d|3[01]))?)?"
_LINE = re.compile(rf"\s*(?P<start>{_DAY})(?:\s*(?:to|-|\u2013)\s*(?P<end>{_DAY}))?\s*:\s*(?P<words>\S.*)", re.DOTALL)
"""A line of treatment as the form asks for it: dates, a colon, drugs and response. Others stand as they are."""


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
    resources = [
        _patient(case), _condition(case), *_treatments(case, made), *_last_doses(case), *_observations(case, made),
        *_facts(case, made), *_antigens(case, made), *_documents(case, made),
    ]  # fmt: skip
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
    if case.referral.navigator:
        found["contact"] = [{"relationship": [{"text": "helps the family"}], "name": {"text": case.referral.navigator}}]
    if case.referral.language:
        catalog = find_language(case.referral.language)
        language = {"coding": [{"system": BCP47, "code": catalog.code}], "text": catalog.english_name}
        found["communication"] = [{"language": language, "preferred": True}]
    return found


def _condition(case: Case) -> Resource:
    """The disease; whether it is active, in remission or in relapse stands in words alone, as it was entered.

    R4 asks for a clinical status of items of a problem list alone (con-3): none is guessed from a sentence.
    """
    name = str(case.card.get("disease"))
    code = texts().get("icd10", name, default=None)
    coding = [{"system": DISEASE, "code": name}, *([{"system": ICD10, "code": code}] if code else [])]
    found: Resource = {
        "resourceType": "Condition",
        "id": "disease",
        "code": {"coding": coding, "text": case.title},
    }
    said = (("found", case.referral.found), ("state now:", case.referral.state))
    if notes := [{"text": f"{what} {words}"} for what, words in said if words]:
        found["note"] = notes
    return found


def _treatments(case: Case, made: datetime.datetime) -> Iterator[Resource]:
    """Each line of treatment in the words of the intake, with its dates where it begins with them."""
    for place, line in enumerate(case.referral.treatments, 1):
        dated = _dated(line)
        start, end = (dated["start"], dated["end"]) if dated else ("", "")
        over = bool(end) and end < made.date().isoformat()[: len(end)]
        found: Resource = {
            "resourceType": "Procedure",
            "id": f"line-{place}",
            "status": "completed" if over else "unknown",
            "category": {"text": f"line of treatment {place}"},
            "code": {"text": dated["words"] if dated else line},
        }
        if end:
            found["performedPeriod"] = {"start": start, "end": end}
        elif start:
            found["performedDateTime"] = start
        yield found


def _dated(line: str) -> re.Match[str] | None:
    """The parts of a line that begins with dates that are; None of any other."""
    found = _LINE.fullmatch(line)
    try:
        for day in (found["start"], found["end"] or "") if found else ():
            if len(day) == len("2026-11-20"):
                datetime.date.fromisoformat(day)
    except ValueError:
        return None
    return found


def _last_doses(case: Case) -> Iterator[Resource]:
    """When a drug was given last: counted from a planned day, which has no date here."""
    for name, days in case.last_given.items():
        yield {
            "resourceType": "MedicationStatement",
            "id": f"last-dose-{_id(name)}",
            "status": "unknown",
            "medicationCodeableConcept": {"text": name.replace("_", " ")},
            "note": [{"text": f"last dose {days:g} days before the planned collection"}],
        }


def _observations(case: Case, made: datetime.datetime) -> Iterator[Resource]:
    """What was measured."""
    known: Mapping[str, Mapping[str, str]] = texts().table("observations")
    analytes = all_analytes()
    given: dict[str, tuple[str, float, str, str]] = {}
    for field, one in known.items():
        if (value := getattr(case.told, field)) is not None:
            given[one["analyte"]] = (one["analyte"], value, one["unit"], one.get("loinc", ""))
    for name, column in case.patient.baseline.items():
        given[name] = (name, float(column[0]), analytes[name].unit, analytes[name].loinc)
    for name, value, unit, loinc in given.values():
        title = analytes[name].title if name in analytes else name.replace("_", " ")  # height, weight
        found = _observation(name, title, made, {"system": OWN, "code": name}, loinc)
        found["valueQuantity"] = _quantity(value, unit)
        if case.referral.measured:
            found["effectiveDateTime"] = case.referral.measured
        yield found


def _facts(case: Case, made: datetime.datetime) -> Iterator[Resource]:
    """The age, since no day of birth is known; and what was answered of the disease and of treatments."""
    found = _observation("age", "age at collection", made, {"system": OWN, "code": "age"})
    yield found | {"valueQuantity": _quantity(float(case.told.age), "year")}
    measured = texts().table("observations")
    for one in (*asked_by_labels(case), *rows(case)):
        if one.value is None or one.path in measured:
            continue
        found = _observation(one.path, one.title, made, {"system": FACT, "code": one.path})
        if isinstance(one.value, bool):
            found["valueBoolean"] = one.value
        elif one.unit == "1" and one.value == int(one.value):
            found["valueInteger"] = int(one.value)
        else:
            found["valueQuantity"] = _quantity(one.value, one.unit)
        yield found


def _antigens(case: Case, made: datetime.datetime) -> Iterator[Resource]:
    """Antigens of the tumor: the word of the report, or molecules per cell."""
    for name, told in case.told.antigens.items():
        found = _observation(f"antigen-{name}", antigen_title(name), made, {"system": FACT, "code": f"antigens.{name}"})
        if isinstance(told, str):
            yield found | {"valueCodeableConcept": {"text": word_of(told)}}
        else:
            yield found | {"valueQuantity": _quantity(float(told), UNIT)}


def _observation(name: str, title: str, made: datetime.datetime, own: Mapping[str, str], loinc: str = "") -> Resource:
    return {
        "resourceType": "Observation",
        "id": _id(name),
        "status": "final",
        "code": {"coding": [{"system": LOINC, "code": loinc}, own] if loinc else [own], "text": title},
        "issued": _instant(made),
    }


def _id(name: str) -> str:
    """A name as FHIR writes an id."""
    return re.sub(r"[^A-Za-z0-9.-]", "-", name)[:64]


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
