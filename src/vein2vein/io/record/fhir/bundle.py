"""FHIR R4 bundles (JSON, NDJSON) -> entries of a record, by codes kept as data and by the words beside them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

from vein2vein.analytes import all_analytes
from vein2vein.errors import InputError
from vein2vein.io.record import times
from vein2vein.io.record.fhir import observations, treatments
from vein2vein.io.record.fhir.entries import Found, Resource, resources, table, tables
from vein2vein.io.record.fhir.reading import At, Reading, take_patient, when_of
from vein2vein.io.record.fhir.values import Fault, number_of
from vein2vein.io.record.fhir.versions import VOID, newest, rank_of, updated_of
from vein2vein.io.record.mapping import TableMapping
from vein2vein.io.record.noted import noted_entries
from vein2vein.io.record.record import Entry, Log, plain

EARLY = ("registered", "preliminary", "partial", "unknown")
TARGETS = ("Medication", "Device", "Specimen")
SILENT = ("Organization", "Practitioner", "PractitionerRole", "Location", "Encounter", "Provenance", *TARGETS)
ORDERS = ("MedicationRequest", "MedicationDispense", "ServiceRequest", "DeviceRequest")
REPORT = "DiagnosticReport"
RESULTS = ("Observation", REPORT)
ERRORS = ("error", "fatal")
TIMES = ("effective", "performed", "issued", "timing", "onset")
RECORDED = ("recordedDate", "recordedOn")
EXPECTED = "Observation, MedicationAdministration, Procedure, Condition, DeviceUseStatement or QuestionnaireResponse"
BROKEN = (TypeError, ValueError, AttributeError, KeyError, OverflowError, RecursionError)


def read_entries(text: str, mapping: TableMapping, log: Log) -> list[Entry]:
    """Entries of a bundle (collection, transaction, searchset, history, ...), a list of resources, or NDJSON.

    Raises
    ------
    InputError
        No resource at all, or none with a value that can be read.
    """
    reading = Reading(mapping, log)
    found: list[Found] = []
    for one in resources(text, log):
        resource = table(one.resource)
        kind = None if resource is None else resource.get("resourceType")
        if one.size >= 0 and resource is not None:
            _head(reading, one, resource)
        elif kind == "OperationOutcome" and resource is not None:
            _outcome(reading, one.line, resource)
        elif resource is not None and isinstance(kind, str) and kind:
            found.append(one)
        elif one.resource is None and (one.entry.get("response") or one.entry.get("request")):
            _answered(reading, one)
            found.append(one)
        else:
            log.aside(one.line, "", "an entry without a FHIR resource", plain(one.resource),
                      "a resource with resourceType", "export it again")  # fmt: skip
    if not any(table(one.resource) is not None for one in found):
        said = str(log.items[0]) if log.items else "expected a FHIR R4 bundle, a resource in each line, or a CSV file."
        raise InputError(f"is JSON without a FHIR resource: {said}", file=log.file)
    kept = _prepared(reading, found)
    for one, resource in kept:
        _resource(reading, one, resource)
    entries = reading.listed()
    entries += observations.low_flow(entries)
    reading.say()
    if not any(entry.name in all_analytes() for entry in entries):
        raise _without_values(reading, kept)
    return entries


def _prepared(reading: Reading, found: Sequence[Found]) -> list[tuple[Found, Resource]]:
    """The versions that hold; what others point to and whose they are is remembered."""
    kept: list[tuple[Found, Resource]] = []
    for one, resource in _newest(reading, found):
        kept.append((one, resource))
        kind = resource.get("resourceType")
        if kind in TARGETS:
            for key in (one.url, f"{kind}/{resource.get('id')}"):
                reading.targets[key] = resource
        try:
            if kind == "Patient":
                reading.patients.add(one, resource)
            elif kind in READERS:
                reading.patients.note(resource)
        except BROKEN:
            continue  # told when the resource is read
    return kept


def _newest(reading: Reading, found: Sequence[Found]) -> list[tuple[Found, Resource]]:
    try:
        return newest(found, reading.log)
    except BROKEN:
        reading.log.note("versions of the same resource could not be told apart")
        return [(one, resource) for one in found if (resource := table(one.resource)) is not None]


def _resource(reading: Reading, found: Found, resource: Resource) -> None:
    """One resource; of one whose elements are of the wrong type, what it may have been is unknown."""
    kind = str(resource.get("resourceType"))
    number = resource.get("id")
    at = At(found.line, "", 0, None, f"id {number}" if isinstance(number, str) and len(number) <= 64 else "")
    fault = Fault("a resource whose elements are of the wrong type", "", "a resource as FHIR R4 defines it",
                  "export it again, or report how it was made", kind)  # fmt: skip
    if found.twice:
        fault = fault._replace(what=f"'{found.twice}' stands twice in it, with different values")
    else:
        try:
            at = at._replace(rank=rank_of(resource), updated=updated_of(resource))
            _read(reading, found, at, kind, resource)
            return
        except BROKEN as problem:
            fault = fault._replace(found=problem)
    if not _hidden(reading, at, resource, fault):
        reading.aside(at, kind, fault)


def _read(reading: Reading, found: Found, at: At, kind: str, resource: Resource) -> None:
    if kind == "Patient":
        take_patient(reading, at._replace(patient=reading.patients.add(found, resource)), resource)
        return
    status = resource.get("status")
    reader = READERS.get(kind)
    if reader is None or (kind == REPORT and not (resource.get("conclusion") or resource.get("conclusionCode"))):
        if kind in ORDERS:
            treatments.read_order(reading, at, resource)
        elif kind not in SILENT:
            reading.unread[kind] += 1
        _contained(reading, found, at, resource)
        return
    if status in VOID:
        reading.void[f"{kind} {status}"] += 1
        return
    if status in EARLY and kind in RESULTS:
        reading.log.note(f"preliminary results were read ({kind})")
    elif status in EARLY:
        reading.log.note(f"what may not have been done or given was read: its status is {plain(status)} ({kind})")
    patient = reading.patients.of(resource, at.line)
    if patient is None:
        return
    at = at._replace(patient=patient)
    before = len(reading.entries)
    reader(reading, at, resource)
    _notes(reading, at, resource, {entry.name for entry in reading.entries[before:]})
    _contained(reading, found, at, resource)


def _notes(reading: Reading, at: At, resource: Resource, own: set[str]) -> None:
    """What the notes of a resource name, and its text where nothing else of it was read (a nursing note)."""
    said = [note.get("text") for note in tables(resource.get("note"))]
    said += [] if own else [resource.get("valueString")]
    kind = str(resource.get("resourceType"))
    for text in (one for one in said if isinstance(one, str)):
        found = noted_entries(text, at.patient, None, at.line, f"{kind}.note", reading.log, own)
        if found and (when := when_of(reading, at, resource, *TIMES, *RECORDED, analyte=found[0].name)) is not None:
            reading.entries += [entry._replace(time=when.start) for entry in found]


def _contained(reading: Reading, found: Found, at: At, resource: Resource) -> None:
    """Observations and others within a resource, such as the results of a report, with its subject and its time."""
    for inner in tables(resource.get("contained")):
        kind = inner.get("resourceType")
        if isinstance(kind, str) and kind in READERS:
            whole = dict(inner)
            whole.pop("contained", None)
            subject = table(whole.get("subject"))
            if subject is None or str(subject.get("reference", "#")).startswith("#"):
                whole["subject"] = resource.get("subject")
            if not any(key.startswith("effective") for key in whole):
                whole |= {key: value for key, value in resource.items() if key.startswith("effective")}
            _resource(reading, found, whole)


def _hidden(reading: Reading, at: At, resource: Resource, fault: Fault) -> bool:
    """What a resource that cannot be read may have said: its analyte is unknown at its time. Whether it said any."""
    if fault.column not in READERS or resource.get("status") in VOID:
        return False
    try:
        concept = resource.get("code") or resource.get("medicationCodeableConcept")
        meaning = reading.codes.meaning(concept, fault.column)
        name = meaning.name if meaning.name in all_analytes() else next(iter(meaning.unread), "")
        patient = reading.patients.of(resource, at.line)
        for key, value in resource.items():
            moment = value if isinstance(value, str) else (table(value) or {}).get("start")
            if name and patient is not None and key.startswith(TIMES) and isinstance(moment, str):
                time = times.parse_moment(moment)
                reading.not_understood(at._replace(patient=patient), time, name, fault)
                return True
    except (*BROKEN, times.NotATime):
        return False
    return False


def _head(reading: Reading, found: Found, bundle: Resource) -> None:
    """What a bundle says of itself: whether more data exist than it holds."""
    try:
        links = {str(one.get("relation")): str(one.get("url", "")) for one in tables(bundle.get("link"))}
    except TypeError:
        links = {}
    total = bundle.get("total")
    if "next" in links:
        reading.log.aside(
            found.line, "Bundle.link", "more data exist: the server has a next page that is not in this file",
            links["next"], "all pages of the search", "follow the links 'next' and export every page",
        )  # fmt: skip
    elif bundle.get("type") == "searchset" and (number_of(total) or 0) > found.size:
        reading.log.aside(
            found.line, "Bundle.total", "more data exist: the search found more than this file holds",
            f"{total} found, {found.size} here", "all of them", "export every page of the search",
        )  # fmt: skip


def _outcome(reading: Reading, line: int, resource: Resource) -> None:
    """An OperationOutcome: what the server says went wrong."""
    try:
        issues = tables(resource.get("issue"))
    except TypeError:
        issues = []
    wrong = [one for one in issues if one.get("severity") in ERRORS]
    for one in wrong[:1]:
        said = one.get("diagnostics") or (table(one.get("details")) or {}).get("text") or one.get("code", "")
        reading.log.aside(line, "OperationOutcome", "the server answered with an error instead of data", said,
                          "resources", "ask the server again")  # fmt: skip
    if not wrong:
        reading.log.note("what the server says about the search was not read (OperationOutcome)")


def _answered(reading: Reading, found: Found) -> None:
    """The answer to a request that brings no resource."""
    response = table(found.entry.get("response"))
    if response is None:
        return
    status = str(response.get("status", ""))
    if status[:1] in ("4", "5"):
        reading.log.aside(found.line, "Bundle.entry.response", "the server refused a request: its data are missing",
                          status, "a resource", "ask the server again")  # fmt: skip
    else:
        reading.log.note("answers of the server without a resource hold no data (batch or transaction response)")
    if (outcome := table(response.get("outcome"))) is not None:
        _outcome(reading, found.line, outcome)


def _without_values(reading: Reading, kept: Sequence[tuple[Found, Resource]]) -> InputError:
    """Why a file of FHIR gives nothing to read."""
    kinds = Counter(str(resource.get("resourceType")) for _, resource in kept)
    listed = ", ".join(f"{plain(kind)} {n}" for kind, n in kinds.most_common(6))
    first = reading.log.items[0] if reading.log.items else None
    said = f"; the first: {first}" if first else f"; expected {EXPECTED} with a code that is known and a value."
    return InputError(
        f"holds FHIR resources ({listed}), and none with a value that can be read{said}",
        file=reading.log.file,
        line=(first.line if first else None) or kept[0][0].line,
    )


READERS: dict[str, Callable[[Reading, At, Resource], None]] = {
    "Observation": observations.read_observation,
    "MedicationAdministration": treatments.read_medication,
    "MedicationStatement": treatments.read_medication,
    "Procedure": treatments.read_procedure,
    "DeviceUseStatement": treatments.read_device,
    "DeviceUsage": treatments.read_device,
    "Condition": observations.read_condition,
    "AdverseEvent": observations.read_event,
    REPORT: observations.read_report,
    "QuestionnaireResponse": observations.read_answers,
}
