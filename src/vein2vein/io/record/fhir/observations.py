"""Observations, conditions and questionnaires -> entries."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

from vein2vein.analytes import all_analytes
from vein2vein.io.record import names
from vein2vein.io.record.fhir.codes import (
    DISEASE,
    LOCAL,
    PATIENT,
    Meaning,
    book,
    codings,
    label_of,
    other_specimen,
    texts,
)
from vein2vein.io.record.fhir.entries import Resource, table, tables
from vein2vein.io.record.fhir.reading import At, Reading, When, moment_of, when_of
from vein2vein.io.record.fhir.signs import signs_of
from vein2vein.io.record.fhir.values import Fault, Value, value_of
from vein2vein.io.record.periods import supports
from vein2vein.io.record.record import Entry
from vein2vein.io.record.row_names import Said, read_row

PAST = frozenset({"resolved", "inactive", "remission"})
FLUIDS = ("blood", "serum", "plasma")
FLOW, DEVICE = "oxygen_flow", "oxygen_device"
_PRESSURE = re.compile(r"\s*(\d{2,3})\s*/\s*\d{2,3}\b.*")


def read_observation(reading: Reading, at: At, resource: Resource) -> None:
    """An Observation with its components."""
    kind = "Observation"
    if any(system == PATIENT for system, _ in codings(resource.get("code"))):
        reading.unread["facts of a patient's card, such as earlier treatments and antigens of the tumor"] += 1
        return  # its words, such as of a transplantation before, say nothing of the ward
    category = next((code for one in tables(resource.get("category")) for _, code in codings(one)), "")
    meaning = _named(reading, resource, category)
    parts = [(_named(reading, part, category), part) for part in tables(resource.get("component"))]
    if not (meaning.name or meaning.why) and _of_row(reading, at, resource):
        return
    if not any(one.name or one.unread for one in (meaning, *(part for part, _ in parts))):
        if meaning.why != "a panel" or not _panel_text(reading, at, resource):
            reading.not_read(at, None, kind, meaning)
        return
    hidden = [name for one in (meaning, *(part for part, _ in parts)) for name in (one.name, *one.unread) if name]
    when = when_of(reading, at, resource, "effective", "issued", analyte=next(iter(hidden)))
    if when is None:
        return
    specimen = _specimen(reading, resource)
    if meaning.name:
        if specimen and _of_blood(meaning.name):
            reading.refused[f"{kind} {meaning.label}: another specimen or quantity"] += 1
        else:
            _measured(reading, at, when, meaning, resource, kind)
    else:
        reading.not_read(at, when.start, kind, meaning)
    for part, element in parts:
        if part.name:
            _measured(reading, at, when, part, element, f"{kind}.component")
        elif part.unread:
            reading.not_read(at, when.start, f"{kind}.component", part)


def _of_row(reading: Reading, at: At, resource: Resource) -> bool:
    """An observation whose text names a device, a group of drugs or a finding; whether it is one."""
    unit, shown = _shown(resource)
    said = next((one for text in texts(resource.get("code")) if (one := read_row(text, unit, shown)) is not None), None)
    if said is None or tables(resource.get("component")):
        return False
    when = when_of(reading, at, resource, "effective", "issued", analyte=said[0].analyte) if said else None
    for one in said if when is not None else ():
        entry = Entry(at.patient, when.start if when else None, one.analyte, one.value, one.unit, at.line,
                      "Observation.value", unread=one.unread, besides=True)  # fmt: skip
        reading.entries.append(entry)
    return True


def _named(reading: Reading, holder: Resource, category: str) -> Meaning:
    """What an observation or component is of; its unit and value point to what a name may be that is not known."""
    unit, shown = _shown(holder)
    return reading.codes.meaning(holder.get("code"), category, unit=unit, value=shown)


def _shown(holder: Resource) -> tuple[str, str]:
    """Unit and value of an observation as they stand there."""
    quantity = table(holder.get("valueQuantity")) or {}
    unit = next((u for u in (quantity.get("code"), quantity.get("unit")) if isinstance(u, str)), "")
    value = quantity.get("value", holder.get("valueString", holder.get("valueInteger", "")))
    said = texts(holder.get("valueCodeableConcept"))
    shown = str(value) if isinstance(value, str | int | float) and not isinstance(value, bool) else ""
    return unit, shown or (said or [""])[0]


def _panel_text(reading: Reading, at: At, resource: Resource) -> bool:
    """A pressure that a panel gives as text, such as 118/72."""
    text = resource.get("valueString")
    match = _PRESSURE.fullmatch(text) if isinstance(text, str) else None
    if match is None or (when := when_of(reading, at, resource, "effective", "issued")) is None:
        return False
    reading.add(at, when.start, "systolic_bp", float(match[1]), column="Observation.valueString")
    return True


def _specimen(reading: Reading, resource: Resource) -> bool:
    """Whether the specimen of an observation is known to be no blood."""
    reference = table(resource.get("specimen")) or {}
    target = reading.targets.get(str(reference.get("reference")), {})
    return other_specimen({"text": reference.get("display")}, target.get("type"), resource.get("bodySite"))


def _of_blood(name: str) -> bool:
    known = all_analytes().get(name)
    return known is not None and known.kind == "lab" and (known.matrix in FLUIDS or not known.matrix)


def _measured(reading: Reading, at: At, when: When, meaning: Meaning, holder: Resource, column: str) -> None:
    """The value of an observation or component."""
    name = meaning.name
    period = when if when.until is not None and name in supports() else None
    found = value_of(name, holder, reading.codes, column)
    if meaning.value:
        _said_by_code(reading, at, when, meaning, found, column)
        return
    if found is None:
        return
    if isinstance(found, Fault):
        reading.not_understood(at, when.start, name, found, period)
        return
    if name == "infusion":
        reading.add(at, when.start, name, "", column=found.column)
        return
    if meaning.bound and isinstance(found.value, float):
        found = found._replace(value=f"{meaning.bound}{found.value!r}")
    if meaning.say:
        reading.said[f"{name.replace('_', ' ')}: {meaning.say}"] += 1
    reading.add(at, when.start, name, found.value, found.unit, column=found.column, when=period, second=meaning.second)


def _said_by_code(
    reading: Reading, at: At, when: When, meaning: Meaning, found: Value | Fault | None, column: str
) -> None:
    """A code that itself says the value, such as oxygen by mask; what stands as its value may take it back."""
    period = when if when.until is not None and meaning.name in supports() else None
    number = found.value if isinstance(found, Value) and isinstance(found.value, float) else None
    word = names.normal(found.value) if isinstance(found, Value) and isinstance(found.value, str) else ""
    taken_back = (number is not None and not number) or names.vocabulary().yes_no.get(word, 1.0) == 0
    if taken_back or (meaning.positive and number is None):
        return
    if isinstance(found, Value) and found.name == meaning.name and found.value != meaning.value:
        fault = Fault("its code and its value contradict each other", found.value, "one of them", "correct it", column)
        reading.not_understood(at, when.start, meaning.name, fault, period)
        return
    if meaning.say:
        reading.said[f"{meaning.name.replace('_', ' ')}: {meaning.say}"] += 1
    reading.add(
        at, when.start, meaning.name, meaning.value, meaning.unit, column=f"{column}.code", when=period, second=True
    )
    if meaning.name == DEVICE and isinstance(found, Value) and number and found.unit and not meaning.positive:
        reading.add(at, when.start, FLOW, number, found.unit, column=found.column, when=period)


def low_flow(entries: list[Entry]) -> list[Entry]:
    """Cannulas that are not coded: pulse oximetry of US Core tells flow and concentration of oxygen, and no device.

    A flow without any device within a day is that of a cannula; above its limit, of a cannula or more.
    """
    rules = book()["cannula"]
    charted: dict[str, list[datetime]] = {}
    for entry in entries:
        if entry.name == DEVICE and isinstance(entry.time, datetime):
            charted.setdefault(entry.patient, []).append(entry.time.replace(tzinfo=None))
    reach = timedelta(hours=float(rules["hours"]))
    found: list[Entry] = []
    for entry in entries:
        if entry.name != FLOW or not isinstance(entry.time, datetime) or not isinstance(entry.value, float):
            continue
        if any(abs(entry.time.replace(tzinfo=None) - time) <= reach for time in charted.get(entry.patient, ())):
            continue
        most = float(rules["flow"])
        value = (1.0 if entry.value <= most else ">0") if entry.value else 0.0
        found.append(entry._replace(name=DEVICE, value=value, unit=""))
    return found


def read_condition(reading: Reading, at: At, resource: Resource) -> None:
    """A Condition: the disease, or a sign that a code or its words name."""
    verified = {code for _, code in codings(resource.get("verificationStatus"))}
    if verified & {"refuted", "entered-in-error", "differential", "provisional"}:
        reading.void[f"Condition {sorted(verified)[0]}"] += 1
        return
    for system, code in codings(resource.get("code")):
        if (told := book()["told"].get("icd10", {}).get(code)) and system in ("icd10", "icd10cm"):
            reading.log.note(
                f"a diagnosis says {told['title']} ({code}), of a scale that it does not name: grades are computed "
                "from signs, and never taken from it"
            )
            return
    if named := next((code for system, code in codings(resource.get("code")) if system == DISEASE), ""):
        reading.add(at, None, "disease", named, column="Condition.code")
        return
    meaning = reading.codes.meaning(resource.get("code"), "Condition", prefix=True)
    history = {code for _, code in codings(resource.get("clinicalStatus"))} & PAST
    own = any(pair in reading.codes.own or pair[0] == LOCAL for pair in codings(resource.get("code")))
    if not (own or meaning.value) and (signs := signs_of(resource.get("code"))):
        _signs(reading, at, resource, signs, history=bool(history))
    elif meaning.name in all_analytes():
        when = when_of(reading, at, resource, "onset", "recordedDate", analyte=meaning.name)
        if when is not None:
            value = meaning.value or 1.0
            reading.add(at, when.start, meaning.name, value, meaning.unit, column="Condition.code")
            if when.until is not None and all_analytes()[meaning.name].kind in ("score", "sign"):
                reading.add(at, when.until, meaning.name, 0.0, column="Condition.onsetPeriod (end)")
    elif meaning.name and any(system in ("icd10", "icd10cm") for system, _ in codings(resource.get("code"))):
        reading.add(at, None, "disease", meaning.name, column="Condition.code")
    elif meaning.name in ("disease", ""):
        own = meaning.name == "disease" or any(system == LOCAL for system, _ in codings(resource.get("code")))
        if own and (said := texts(resource.get("code"))):
            reading.add(at, None, "disease", said[0], column="Condition.code")
        else:
            reading.unread[f"Condition {label_of(resource.get('code'))}".strip()] += 1


def _signs(reading: Reading, at: At, resource: Resource, signs: tuple[Said, ...], *, history: bool) -> None:
    """Signs of a diagnosis, complication or report; a history of one says nothing of now."""
    kind = str(resource.get("resourceType"))
    stems = ("onset", "occurrence", "effective", "date", "detected", "recordedDate", "issued")
    dated = any(key.startswith(stems[:-2]) for key in resource)
    problem = any(code == "problem-list-item" for one in tables(resource.get("category")) for _, code in codings(one))
    if history or (problem and not dated):
        reading.refused[f"{kind} {label_of(resource.get('code'))}: a history"] += 1
        return
    when = when_of(reading, at, resource, *stems, analyte=signs[0].analyte)
    if when is None:
        return
    for one in signs:
        entry = Entry(at.patient, when.start, one.analyte, one.value, "", at.line, f"{kind}.code",
                      unread=one.unread, besides=True)  # fmt: skip
        reading.entries.append(entry)
        if when.until is not None and not one.unread:
            reading.entries.append(entry._replace(time=when.until, value=0.0))


def read_event(reading: Reading, at: At, resource: Resource) -> None:
    """An AdverseEvent, by its words and codes."""
    if resource.get("actuality") == "potential":
        return
    concept = resource.get("event") or resource.get("code")
    if signs := signs_of(concept):
        _signs(reading, at, resource, signs, history=False)
    else:
        reading.unread[f"AdverseEvent {label_of(concept)}".strip()] += 1


def read_report(reading: Reading, at: At, resource: Resource) -> None:
    """The conclusion of a DiagnosticReport; its results stand by themselves."""
    said = resource.get("conclusion")
    concepts = [*tables(resource.get("conclusionCode")), {"text": said}]
    signs = next((found for one in concepts if (found := signs_of(one))), ())
    if signs:
        _signs(reading, at, resource, signs, history=False)
    else:
        reading.unread["DiagnosticReport"] += 1


def read_answers(reading: Reading, at: At, resource: Resource) -> None:
    """A QuestionnaireResponse: each item by its linkId, definition or text (an analyte or a LOINC code)."""
    kind = "QuestionnaireResponse"
    time = moment_of(reading, at, resource.get("authored"), f"{kind}.authored")
    if time is None:
        return
    waiting = tables(resource.get("item"))
    for item in waiting:
        answers = tables(item.get("answer"))
        for holder in (item, *answers):
            waiting += tables(holder.get("item"))
        if not answers:
            continue
        keys = (
            str(item.get("linkId", "")).strip("/"),
            str(item.get("definition", "")).rpartition("/")[2].rpartition("#")[2],
            str(item.get("text", "")),
        )
        meanings = [
            reading.codes.meaning({"coding": [{"system": "", "code": key}], "text": key}) for key in keys if key
        ]
        meaning = next((one for one in meanings if one.name), None)
        if meaning is None:
            hidden = next((one for one in meanings if one.unread), None)
            if hidden is not None:
                reading.not_read(at, time, f"{kind}.item", hidden)
            else:
                reading.unread[f"{kind}.item"] += 1
            continue
        _measured(reading, at, When(time), meaning, answers[0], f"{kind}.item.answer")
