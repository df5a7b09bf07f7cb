"""FHIR R4 bundles (JSON, NDJSON) -> entries of a record, by LOINC, RxNorm, SNOMED CT and ICD-10 codes kept as data."""

from __future__ import annotations

from collections.abc import Callable

from vein2vein.analytes import all_analytes
from vein2vein.errors import InputError
from vein2vein.io.record import names
from vein2vein.io.record.fhir.entries import Resource, resources, table, tables
from vein2vein.io.record.fhir.reading import (
    Reading,
    codings,
    moment_of,
    named,
    refuse_several,
    take_patient,
    take_subject,
    take_unknown,
)
from vein2vein.io.record.mapping import TableMapping
from vein2vein.io.record.record import Entry, Log, Moment, plain

WRONG = ("entered-in-error", "cancelled", "not-done", "unknown", "abandoned", "preparation")
EARLY = ("registered", "preliminary", "partial")
SILENT = (
    "Organization",
    "Practitioner",
    "PractitionerRole",
    "Location",
    "Encounter",
    "Medication",
    "Provenance",
    "Device",
)
RUNNING = ("norepinephrine", "epinephrine", "phenylephrine", "dopamine", "vasopressin", "angiotensin_ii")
MOST_LISTED = 12


def read_entries(text: str, mapping: TableMapping, log: Log) -> list[Entry]:
    """Entries of a bundle (collection, transaction, searchset, ...), a list of resources, or NDJSON.

    Raises
    ------
    InputError
        Resources of more than one patient, or no resource at all.
    """
    reading = Reading(mapping, log)
    found = list(resources(text, log))
    for _, url, given in found:
        resource = table(given)
        if resource is not None and resource.get("resourceType") == "Medication":
            for key in (url, f"Medication/{resource.get('id')}"):
                reading.medications[key] = resource.get("code")
    count = 0
    for line, url, given in found:
        resource = table(given)
        kind = None if resource is None else resource.get("resourceType")
        if resource is None or not isinstance(kind, str):
            reading.aside(
                line,
                "",
                "an entry without a FHIR resource",
                plain(given),
                "a resource with resourceType",
                "export it again",
            )
            continue
        count += 1
        try:
            _resource(reading, line, url, kind, resource)
        except (TypeError, ValueError, AttributeError, KeyError, OverflowError) as problem:
            reading.aside(
                line,
                kind,
                "a resource whose elements are of the wrong type",
                plain(problem),
                "a resource as FHIR R4 defines it",
                "export it again, or report how it was made",
            )
    if not count:
        said = str(log.items[0]) if log.items else "expected a FHIR R4 bundle, a resource in each line, or a CSV file."
        raise InputError(f"is JSON without a FHIR resource: {said}", file=log.file)
    refuse_several(reading)
    _say(reading)
    return reading.entries


def _resource(reading: Reading, line: int, url: str, kind: str, resource: Resource) -> None:
    if kind == "Patient":
        take_patient(reading, line, url, resource)
        return
    reader = READERS.get(kind)
    if reader is None:
        if kind not in SILENT:
            reading.unread[kind] += 1
        return
    if (status := resource.get("status")) in WRONG:
        reading.aside(
            line,
            f"{kind}.status",
            "not a valid entry",
            status,
            "a final status",
            "nothing to do if it was meant to be void",
        )
        return
    if status in EARLY:
        reading.log.note(f"preliminary results were read ({kind})")
    take_subject(reading, line, resource)
    reader(reading, line, resource)


def _say(reading: Reading) -> None:
    if reading.unread:
        listed = ", ".join(f"{plain(kind)} ({n})" for kind, n in reading.unread.most_common(MOST_LISTED))
        more = "" if len(reading.unread) <= MOST_LISTED else f", and {len(reading.unread) - MOST_LISTED} further"
        reading.log.note(f"not read, as vein2vein has no use for it or does not know the code: {listed}{more}")
    for name, count in reading.memory.items():
        reading.log.note(f"{count} values were read by a code from memory (unverified): {name}")


def _when(reading: Reading, line: int, resource: Resource, stem: str) -> tuple[Moment | None, Moment | None]:
    """Start and end of a resource."""
    kind = resource["resourceType"]
    for name in (f"{stem}DateTime", f"{stem}Instant"):
        if name in resource:
            return moment_of(reading, line, resource[name], f"{kind}.{name}"), None
    period = table(resource.get(f"{stem}Period"))
    if period is not None and ("start" in period or "end" in period):
        start = moment_of(reading, line, period.get("start", period.get("end")), f"{kind}.{stem}Period")
        end = moment_of(reading, line, period["end"], f"{kind}.{stem}Period") if "end" in period else None
        return start, end
    reading.aside(line, f"{kind}.{stem}[x]", "no time", "", "a date or time", "export when it was measured or given")
    return None, None


def _observation(reading: Reading, line: int, resource: Resource) -> None:
    name = named(reading, resource.get("code"))
    within = [(n, p) for p in tables(resource.get("component")) if (n := named(reading, p.get("code")))]
    if not name and not within:
        take_unknown(reading, "Observation", resource.get("code"))
        return
    time, _ = _when(reading, line, resource, "effective")
    if time is None:
        return
    if name:
        _measured(reading, line, time, name, resource, "Observation")
    for part, element in within:
        _measured(reading, line, time, part, element, "Observation.component")


def _measured(reading: Reading, line: int, time: Moment, name: str, holder: Resource, column: str) -> None:
    """The value[x] of an observation or component."""
    signs = {code for one in tables(holder.get("interpretation")) for _, code in codings(one)}
    bound = "<" if "<" in signs else ">" if ">" in signs else ""
    if (quantity := table(holder.get("valueQuantity"))) is not None:
        _quantity(reading, line, time, name, quantity, f"{column}.valueQuantity", bound)
        return
    for key in ("valueInteger", "valueBoolean", "valueString"):
        if key in holder:
            reading.add(line, time, name, _plain_value(holder[key]), column=f"{column}.{key}")
            return
    if (concept := table(holder.get("valueCodeableConcept"))) is not None:
        _coded(reading, line, time, name, concept, f"{column}.valueCodeableConcept")
    elif "ND" in signs:
        reading.add(line, time, name, "not detected", column=f"{column}.interpretation")
    elif "dataAbsentReason" not in holder and not holder.get("component") and not holder.get("hasMember"):
        reading.aside(
            line, column, "no value", "", "valueQuantity or another value", "nothing to do if it was not measured"
        )


def _plain_value(value: object) -> str | float:
    if isinstance(value, str):
        return value
    if not isinstance(value, bool | int | float):
        raise TypeError(f"found {type(value).__name__} where FHIR has a number")
    return float(value)


def _quantity(
    reading: Reading,
    line: int,
    time: Moment | None,
    name: str,
    quantity: Resource,
    column: str,
    bound: str = "",
) -> None:
    value = quantity.get("value")
    if isinstance(value, bool) or not isinstance(value, int | float):
        reading.aside(line, column, "not a number", value, "a number", "export the value as a number")
        return
    unit = next((u for u in (quantity.get("code"), quantity.get("unit")) if isinstance(u, str) and u), "")
    comparator = quantity.get("comparator") or bound
    known = isinstance(comparator, str) and comparator in ("<", "<=", ">", ">=")
    shown = f"{str(comparator)[:1]}{float(value)!r}" if known else float(value)
    reading.add(line, time, name, shown, unit, column=column)


def _coded(reading: Reading, line: int, time: Moment, name: str, concept: Resource, column: str) -> None:
    texts = [concept.get("text"), *(c.get("display") for c in tables(concept.get("coding")))]
    said = [t for t in texts if isinstance(t, str) and t]
    said += [code for _, code in codings(concept)]
    known = next((t for t in said if names.in_words(name, t) is not None), None)
    if known is None and not said:
        reading.aside(line, column, "an empty concept", "", "a text or code", "export the value")
        return
    reading.add(line, time, name, known if known is not None else said[0], column=column)


def _medication(reading: Reading, line: int, resource: Resource) -> None:
    concept = resource.get("medicationCodeableConcept")
    if (reference := table(resource.get("medicationReference"))) is not None:
        target = str(reference.get("reference"))
        inside = [r.get("code") for r in tables(resource.get("contained")) if f"#{r.get('id')}" == target]
        concept = (
            inside[0]
            if inside
            else reading.medications.get(target) or reading.medications.get("/".join(target.split("/")[-2:]))
        )
    name = named(reading, concept)
    if not name:
        take_unknown(reading, "MedicationAdministration", concept)
        return
    start, end = _when(reading, line, resource, "effective")
    if start is None:
        return
    dosage = table(resource.get("dosage")) or {}
    column = "MedicationAdministration.dosage"
    unitless = all_analytes().get(name) is not None and all_analytes()[name].unit == "1"
    if name in RUNNING:
        amount = table(dosage.get("rateQuantity") or dosage.get("dose"))
    else:
        amount = table(dosage.get("dose"))
    if unitless:
        reading.add(line, start, name, 1.0, column=column)
    elif amount is not None:
        _quantity(reading, line, start, name, amount, column)
    else:
        reading.aside(
            line, column, f"{name} without a dose", "", "a dose with its unit", "export the dose that was given"
        )
        return
    if end is not None and name in RUNNING:
        reading.add(line, end, name, 0.0, column=f"{column} (end)")


def _procedure(reading: Reading, line: int, resource: Resource) -> None:
    name = named(reading, resource.get("code"))
    if not name:
        take_unknown(reading, "Procedure", resource.get("code"))
        return
    start, end = _when(reading, line, resource, "performed")
    if start is None:
        return
    if name in ("infusion", "car_t_infusion"):
        reading.add(line, start, "infusion", "", column="Procedure.performed")
    elif name in all_analytes():
        reading.add(line, start, name, 1.0, column="Procedure.code")
        if end is not None and all_analytes()[name].kind != "treatment":
            reading.add(line, end, name, 0.0, column="Procedure.performedPeriod (end)")


def _condition(reading: Reading, line: int, resource: Resource) -> None:
    verified = {code for _, code in codings(resource.get("verificationStatus"))}
    if verified & {"refuted", "entered-in-error"}:
        return
    name = named(reading, resource.get("code"), prefix=True)
    if name in all_analytes():
        start, end = _when(reading, line, resource, "onset")
        if start is not None:
            reading.add(line, start, name, 1.0, column="Condition.code")
            if end is not None:
                reading.add(line, end, name, 0.0, column="Condition.onsetPeriod (end)")
    elif name:
        reading.add(line, None, "disease", name, column="Condition.code")
    else:
        take_unknown(reading, "Condition", resource.get("code"))


def _answers(reading: Reading, line: int, resource: Resource) -> None:
    """QuestionnaireResponse: each item by its linkId or definition (an analyte or a LOINC code)."""
    time = moment_of(reading, line, resource.get("authored"), "QuestionnaireResponse.authored")
    if time is None:
        return
    waiting = tables(resource.get("item"))
    while waiting:
        item = waiting.pop(0)
        answers = tables(item.get("answer"))
        for holder in (item, *answers):
            waiting += tables(holder.get("item"))
        keys = [
            str(item.get("linkId", "")).strip("/"),
            str(item.get("definition", "")).rpartition("/")[2].rpartition("#")[2],
        ]
        keys.append(str(item.get("text", "")))
        name = next((n for key in keys if key and (n := names.find_name(key, reading.mapping.names))), "")
        if not name:
            if answers:
                reading.unread["QuestionnaireResponse.item"] += 1
            continue
        for answer in answers[:1]:
            _answer(reading, line, time, name, answer)


def _answer(reading: Reading, line: int, time: Moment, name: str, answer: Resource) -> None:
    column = "QuestionnaireResponse.item.answer"
    if (quantity := table(answer.get("valueQuantity"))) is not None:
        _quantity(reading, line, time, name, quantity, column)
    elif (coding := table(answer.get("valueCoding"))) is not None:
        _coded(reading, line, time, name, {"coding": [coding]}, column)
    else:
        value = next(
            (answer[k] for k in ("valueInteger", "valueDecimal", "valueBoolean", "valueString") if k in answer), None
        )
        if isinstance(value, str):
            reading.add(line, time, name, value, column=column)
        elif isinstance(value, bool | int | float):
            reading.add(line, time, name, float(value), column=column)
        else:
            reading.aside(
                line, column, "no answer that can be read", "", "a number, text or coding", "export the answer"
            )


READERS: dict[str, Callable[[Reading, int, Resource], None]] = {
    "Observation": _observation,
    "MedicationAdministration": _medication,
    "Procedure": _procedure,
    "Condition": _condition,
    "QuestionnaireResponse": _answers,
}
