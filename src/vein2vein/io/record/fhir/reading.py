"""What the readers of FHIR resources share: entries as they are found, whose they are, what their codes name."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import date, datetime

from vein2vein.analytes import all_analytes
from vein2vein.errors import InputError
from vein2vein.io.record import names, times
from vein2vein.io.record.fhir.entries import Resource, table, tables
from vein2vein.io.record.mapping import TableMapping
from vein2vein.io.record.record import Entry, Log, Moment

LOCAL = "urn:vein2vein:analyte"


class Reading:
    """A bundle while it is being read."""

    def __init__(self, mapping: TableMapping, log: Log) -> None:
        self.mapping, self.log = mapping, log
        self.entries: list[Entry] = []
        self.patients: dict[str, set[str]] = {}  # a patient's resource -> the references that mean it
        self.subjects: dict[str, int] = {}
        self.medications: dict[str, object] = {}
        self.unread: Counter[str] = Counter()
        self.memory: Counter[str] = Counter()

    def aside(self, line: int, column: str, what: str, found: object, expected: str, remedy: str) -> None:
        """Set an element aside."""
        self.log.aside(line, column, what, found, expected, remedy)

    def add(
        self, line: int, time: Moment | None, name: str, value: str | float, unit: str = "", *, column: str
    ) -> None:
        """Add an entry."""
        self.entries.append(Entry("", time, name, value, unit, line, column))


def take_patient(reading: Reading, line: int, url: str, resource: Resource) -> None:
    """The one patient, under every reference that means it; what is known of it."""
    own = {name for name in (f"Patient/{resource['id']}" if isinstance(resource.get("id"), str) else "", url) if name}
    key = next(iter(sorted(own)), f"line {line}")
    for known in reading.patients.values():
        if known & own:
            known |= own
            break
    else:
        reading.patients[key] = own
    if isinstance(sex := resource.get("gender"), str) and sex in ("male", "female"):
        reading.add(line, None, "sex", sex, column="Patient.gender")
    if isinstance(born := resource.get("birthDate"), str):
        reading.add(line, None, "birth_date", born, column="Patient.birthDate")
    if isinstance(resource.get("deceasedDateTime"), str):
        time = moment_of(reading, line, resource["deceasedDateTime"], "Patient.deceasedDateTime")
        reading.add(line, time, "alive", 0.0, column="Patient.deceasedDateTime")
    elif resource.get("deceasedBoolean") is True:
        reading.aside(
            line,
            "Patient.deceasedBoolean",
            "a death without its date",
            "",
            "Patient.deceasedDateTime",
            "export the date of death",
        )


def take_subject(reading: Reading, line: int, resource: Resource) -> None:
    """Whose resource this is."""
    subject = table(resource.get("subject") or resource.get("patient"))
    if subject is None:
        reading.log.note("resources without a subject were taken as this patient's")
        return
    reference = subject.get("reference")
    identifier = table(subject.get("identifier"))
    if isinstance(reference, str) and not reference.startswith("#"):
        parts = reference.split("/_history")[0].split("/")
        reference = "/".join(parts[-2:]) if len(parts) >= 2 and parts[-2] == "Patient" else reference
        reading.subjects.setdefault(reference, line)
    elif identifier is not None:
        reading.subjects.setdefault(f"{identifier.get('system')}|{identifier.get('value')}", line)


def refuse_several(reading: Reading) -> None:
    """Refuse a bundle with resources of several patients."""
    groups = list(reading.patients.values())
    strangers = {
        key: line
        for key, line in reading.subjects.items()
        if not any(key in own or any(o.endswith("/" + key) for o in own) for own in groups)
    }
    logical = [
        key for key in strangers if "|" in key and groups
    ]  # an identifier may mean the one patient of the bundle
    count = len(groups) + len(strangers) - len(logical)
    if count > 1:
        line = min(strangers.values(), default=None)
        raise InputError(
            f"holds resources of {count} patients, expected one; export the bundle of one patient.",
            file=reading.log.file,
            line=line,
        )


def codings(concept: object) -> Iterator[tuple[str, str]]:
    """System and code of each coding of a concept."""
    for coding in tables((table(concept) or {}).get("coding")):
        place, code = coding.get("system"), coding.get("code")
        if isinstance(code, str):
            yield (place if isinstance(place, str) else "", code)


def named(reading: Reading, concept: object, prefix: bool = False) -> str:
    """What a concept names: an analyte or fact; "" where no code of it is known."""
    known = names.vocabulary().codes
    for place, code in codings(concept):
        if (place, code) in reading.mapping.codes:
            return reading.mapping.codes[place, code]
        if place == LOCAL and (code in all_analytes() or code in names.FACTS):
            return code
        forms = [code, *(code[:n] for n in range(len(code) - 1, 2, -1))] if prefix else [code]
        for form in forms:
            if (place, form) in known:
                name, mark = known[place, form]
                if mark == "M":
                    reading.memory[name] += 1
                return name
    return ""


def take_unknown(reading: Reading, kind: str, concept: object) -> None:
    """Count a resource whose code is not known."""
    label = next((f"{place.rsplit('/', 1)[-1]} {code}" for place, code in codings(concept)), "")
    reading.unread[f"{kind} {label}".strip()] += 1


def moment_of(reading: Reading, line: int, text: object, column: str) -> date | datetime | None:
    """A FHIR date or time; None, and set aside, where it is none or lacks the day."""
    try:
        if not isinstance(text, str):
            raise times.NotATime("not a date or time")
        return times.parse_moment(text)
    except times.NotATime as problem:
        remedy = (
            "give at least the day"
            if isinstance(text, str) and len(text) < 10
            else "write it as FHIR dates are written"
        )
        reading.aside(line, column, str(problem), text, "a date with day, such as 2026-03-05T14:30:00+01:00", remedy)
        return None
