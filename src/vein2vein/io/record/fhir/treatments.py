"""What was given and done: MedicationAdministration, MedicationStatement, Procedure, DeviceUseStatement -> entries."""

from __future__ import annotations

from vein2vein.analytes import all_analytes
from vein2vein.errors import InputError
from vein2vein.io.record import names
from vein2vein.io.record.fhir.codes import DEVICE, DRUG, INFUSION, PROCEDURE, Meaning, book, codings, other_route, texts
from vein2vein.io.record.fhir.entries import Resource, table, tables
from vein2vein.io.record.fhir.reading import At, Reading, When, when_of
from vein2vein.io.record.fhir.values import Fault, Value, quantity_of, range_of, ratio_of
from vein2vein.io.record.periods import supports
from vein2vein.io.record.pointing import points_to
from vein2vein.io.record.quantities import line_of
from vein2vein.io.record.record import Moment

OXYGEN = "oxygen_device"
RUNNING, GIVEN = "running", "given"  # what is handed on where an amount is not charted
GOING_ON = ("in-progress", "active")
DEEPEST = 4  # references that are followed from one medication to the next


def target_of(reading: Reading, resource: Resource, reference: object) -> Resource | None:
    """The resource that a reference means, contained or in the same file."""
    held = table(reference)
    wanted = held.get("reference") if held is not None else None
    if not isinstance(wanted, str):
        return None
    for inner in tables(resource.get("contained")):
        if wanted.startswith("#") and inner.get("id") == wanted[1:]:
            return inner
    short = "/".join(wanted.split("/_history")[0].split("/")[-2:])
    return reading.targets.get(wanted) or reading.targets.get(short)


def _medication(reading: Reading, resource: Resource) -> Meaning:
    """What drug a resource gives: by its concept, the medication it points to, or that one's ingredients."""
    concepts: list[object] = [resource.get("medicationCodeableConcept")]
    medication = table(resource.get("medication")) or {}
    concepts.append(medication.get("concept"))
    waiting: list[object] = [resource.get("medicationReference"), medication.get("reference")]
    for _ in range(DEEPEST):
        following: list[object] = []
        for reference in waiting:
            target = target_of(reading, resource, reference)
            concepts.append({"text": (table(reference) or {}).get("display")})
            if target is None:
                continue
            concepts.append(target.get("code"))
            for part in tables(target.get("ingredient")):
                concepts.append(part.get("itemCodeableConcept"))
                following.append(part.get("itemReference"))
        waiting = following
    found = Meaning()
    for concept in concepts:
        if concept is None:
            continue
        meaning = reading.codes.meaning(concept, DRUG)
        if meaning.name:
            return meaning
        better = bool(meaning.unread) > bool(found.unread) or (meaning.label and not found.label)
        found = meaning if better else found
    return found


def read_medication(reading: Reading, at: At, resource: Resource) -> None:
    """A dose, or the rate of an infusion from its start to its end."""
    kind = str(resource.get("resourceType"))
    meaning = _medication(reading, resource)
    hangs = meaning.name or next(iter(meaning.unread), "")
    if not hangs:
        reading.not_read(at, None, kind, meaning)
        if not meaning.label:
            _nameless(reading, at, resource, kind)
        return
    when = when_of(reading, at, resource, "effective", "occurence", "occurrence", analyte=hangs)
    if when is None:
        return
    status = str(resource.get("status"))
    running = _running(when, status)
    if not meaning.name:
        reading.not_read(at, when.start, kind, meaning, running)
        return
    held = resource.get("dosage")
    dosage = (tables(held) or [Resource()])[0]
    infused = meaning.name in book()["infusions"]["analytes"]
    if other_route(dosage.get("route"), infused=infused):
        reading.refused[f"{kind} {meaning.label}: by another route"] += 1
        return
    if kind == "MedicationStatement":
        reading.log.note("statements of medication were read as given: they are told, not charted at the bedside")
    if meaning.name in ("infusion", INFUSION):
        _cells(reading, at, when.start, meaning, dosage, kind)
    elif infused or meaning.name in supports():
        _infusion(reading, at, running or When(when.start), meaning.name, dosage, f"{kind}.dosage", status)
    elif meaning.name in all_analytes():
        _dose(reading, at, when, meaning.name, dosage, f"{kind}.dosage")


def _nameless(reading: Reading, at: At, resource: Resource, kind: str) -> None:
    """A drug that nobody names: told; one that is given at a rate of pumps may be a vasopressor."""
    status, pumps = str(resource.get("status")), "other_vasopressors"
    fault = Fault("the drug that it gives is not named in the file", "", "a Medication or a name of the drug",
                  "export the medications that it points to", f"{kind}.medication")  # fmt: skip
    dosage = (tables(resource.get("dosage")) or [Resource()])[0]
    units = [str(one.get(key)) for _, amount in _amounts(dosage, "rate") for one in _quantities(amount)
             for key in ("code", "unit") if one.get(key)]  # fmt: skip
    if any(pumps in points_to("", unit) for unit in units):
        when = when_of(reading, at, resource, "effective", "occurence", "occurrence", analyte=pumps)
        if when is not None:
            for name in ("norepinephrine", pumps):
                reading.not_understood(at, when.start, name, fault, _running(when, status))
    elif status in GOING_ON:
        reading.aside(at, fault.column, fault, "norepinephrine")


def _quantities(amount: Resource) -> list[Resource]:
    return [amount, *(one for key in ("numerator", "high") if (one := table(amount.get(key))) is not None)]


def _running(when: When | None, status: str) -> When | None:
    """The period of an infusion: to its end, or open where it is said to go on."""
    if when is None or (when.until is None and status not in GOING_ON):
        return None
    return When(when.start, when.until, when.until is None)


def _amounts(dosage: Resource, stem: str) -> list[tuple[str, Resource]]:
    """The amounts of a dosage by the kind of element: the dose, or the rate."""
    holders = [dosage, *tables(dosage.get("doseAndRate"))]
    keys = ("rateRatio", "rateQuantity", "rateRange") if stem == "rate" else ("dose", "doseQuantity", "doseRange")
    return [(key, found) for holder in holders for key in keys if (found := table(holder.get(key))) is not None]


def _read(reading: Reading, name: str, key: str, amount: Resource) -> Value | Fault:
    reader = ratio_of if key.endswith("Ratio") else range_of if key.endswith("Range") else quantity_of
    return reader(name, amount, reading.mapping)


def _fits(name: str, found: Value) -> bool:
    """Whether the unit of an amount is one of the analyte."""
    try:
        line_of(name, found.unit)
    except InputError:
        return False
    return bool(found.unit)


def _infusion(reading: Reading, at: At, when: When, name: str, dosage: Resource, column: str, status: str) -> None:
    """The rate of an infusion; one whose rate is not charted, or not in a unit of the drug, runs at an unknown rate."""
    period = when if when.until is not None or when.open else None
    rates = [(key, _read(reading, name, key, amount)) for key, amount in _amounts(dosage, "rate")]
    doses = [(key, _read(reading, name, key, amount)) for key, amount in _amounts(dosage, "dose")]
    stopped = status in ("on-hold", "stopped") and when.until is None
    yes_or_no = all_analytes()[name].unit == "1"
    faults = [one for _, one in rates if isinstance(one, Fault)]
    values = [(key, one) for key, one in rates if isinstance(one, Value)]
    if faults:
        reading.not_understood(at, when.start, name, faults[0]._replace(column=f"{column}.{rates[0][0]}"), period)
        return
    if not values:  # a dose that fits is a rate under another name; a bag or a push has none
        values = [(key, one) for key, one in doses if isinstance(one, Value) and not yes_or_no and _fits(name, one)]
        if not values:
            value: str | float = 1.0 if yes_or_no else RUNNING
            reading.add(at, when.start, name, value, column=column, when=period)
            return
    key, found = next(((k, v) for k, v in values if _fits(name, v)), values[0])
    amount = found.value
    if yes_or_no and isinstance(amount, float):
        found = Value(float(amount > 0))
    reading.add(at, when.start, name, found.value, found.unit, column=f"{column}.{key}", when=period)
    if stopped:
        reading.log.note(f"line {at.line}: {name.replace('_', ' ')} is {status}; when it was stopped is not charted")


def _dose(reading: Reading, at: At, when: When, name: str, dosage: Resource, column: str) -> None:
    """One dose at its start, however long it ran in."""
    doses = [(key, _read(reading, name, key, amount)) for key, amount in _amounts(dosage, "dose")]
    if all_analytes()[name].unit == "1":
        zero = any(isinstance(one, Value) and one.value == 0 for _, one in doses)
        reading.add(at, when.start, name, float(not zero), column=column)
        return
    values = [(key, one) for key, one in doses if isinstance(one, Value)]
    faults = [(key, one) for key, one in doses if isinstance(one, Fault)]
    if values:
        key, found = next(((k, v) for k, v in values if _fits(name, v)), values[0])
        reading.add(at, when.start, name, found.value, found.unit, column=f"{column}.{key}")
    elif faults:
        reading.not_understood(at, when.start, name, faults[0][1]._replace(column=f"{column}.{faults[0][0]}"))
    else:  # given, and how much is not charted
        reading.add(at, when.start, name, GIVEN, column=column)


def _cells(reading: Reading, at: At, start: Moment, meaning: Meaning, dosage: Resource, kind: str) -> None:
    """The infusion of CAR-T cells: its moment, its product, and its dose where that is a number of cells."""
    reading.add(at, start, "infusion", "", column=f"{kind}.effective")
    if meaning.product:
        reading.add(at, None, "product", meaning.product, column=f"{kind}.code")
    for key, amount in _amounts(dosage, "dose"):
        found = quantity_of(INFUSION, amount, reading.mapping)
        if isinstance(found, Value) and _fits(INFUSION, found):
            reading.add(at, start, INFUSION, found.value, found.unit, column=f"{kind}.dosage.{key}")
            return
    if _amounts(dosage, "dose"):
        reading.log.note("the dose of CAR-T cells is in no unit of cells and was not read; its day is day 0")


def read_procedure(reading: Reading, at: At, resource: Resource) -> None:
    """A Procedure: the infusion of CAR-T cells, ventilation, dialysis and others that are a support."""
    _support(reading, at, resource, _in_words(reading, resource.get("code"), PROCEDURE), "performed", "occurrence")


def read_device(reading: Reading, at: At, resource: Resource) -> None:
    """The use of a device, such as an oxygen mask or a ventilator."""
    reference = table(resource.get("device")) or {}
    inner = table(reference.get("reference")) or reference
    target = target_of(reading, resource, inner) or {}
    named = [{"text": one.get("name")} for one in tables(target.get("deviceName"))]
    meaning = Meaning()
    for concept in (reference.get("concept"), target.get("type"), {"text": inner.get("display")}, *named):
        found = _in_words(reading, concept, DEVICE) if concept is not None else Meaning()
        if found.name or (found.label and not meaning.label):
            meaning = found
        if found.name:
            break
    _support(reading, at, resource, meaning, "timing", "recordedOn")


def _in_words(reading: Reading, concept: object, place: str) -> Meaning:
    """What a concept means; where its words are those of an oxygen device, that device."""
    said = (texts(concept) or [""])[0]
    meaning = reading.codes.meaning(concept, place, value=said)
    if meaning.name or not said or not (OXYGEN in meaning.unread or (place == DEVICE and _of_oxygen(said))):
        return meaning
    return meaning._replace(name=OXYGEN, value=said)


def _of_oxygen(text: str) -> bool:
    """Whether the words of a device of oxygen stand in a text."""
    form = f" {names.normal(text)} "
    return any(f" {words} " in form for words, code in names.vocabulary().words[OXYGEN].items() if code > 0)


def _support(reading: Reading, at: At, resource: Resource, meaning: Meaning, *stems: str) -> None:
    kind = str(resource.get("resourceType"))
    if not meaning.name and not meaning.unread:
        reading.not_read(at, None, kind, meaning)
        return
    when = when_of(reading, at, resource, *stems, analyte=meaning.name or meaning.unread[0])
    if when is None:
        return
    period = _running(when, str(resource.get("status")))
    name = meaning.name
    if not name:
        reading.not_read(at, when.start, kind, meaning, period)
    elif name in ("infusion", INFUSION):
        _cells(reading, at, when.start, meaning, {}, kind)
    elif name in all_analytes():
        value: str | float = meaning.value or 1.0
        reading.add(at, when.start, name, value, meaning.unit, column=f"{kind}.code",
                    when=period if name in supports() else None)  # fmt: skip


def read_order(reading: Reading, at: At, resource: Resource) -> None:
    """An order: counted, never a dose."""
    concept = resource.get("medicationCodeableConcept")
    meaning = _medication(reading, resource)
    shown = meaning.name.replace("_", " ") if meaning.name else ""
    if shown or not list(codings(concept)):
        reading.ordered[f"{resource.get('resourceType')} {shown}".strip()] += 1
    else:
        reading.ordered[str(resource.get("resourceType"))] += 1
