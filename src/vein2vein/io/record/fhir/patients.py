"""Whose a resource is: every reference by which servers name a patient -> the patient's own id."""

from __future__ import annotations

from vein2vein.io.record.fhir.entries import Found, Resource, table, tables
from vein2vein.io.record.record import Log

NOBODY = ""


class Patients:
    """The patients of a file, in order of appearance, under every reference that means them."""

    def __init__(self, log: Log) -> None:
        self.log = log
        self.labels: dict[str, None] = {}
        self._refs: dict[str, str] = {}  # reference -> label
        self._bases: dict[str, str] = {}  # label -> address of the server, where the file tells it
        self._systems: dict[str, set[str]] = {}  # label -> systems of its identifiers

    def add(self, found: Found, resource: Resource) -> str:
        """A Patient resource; returns the label of the patient."""
        url = found.url.split("/_history")[0]
        number = resource.get("id")
        known = [one for one in (_identity(item) for item in tables(resource.get("identifier"))) if one]
        last = url.replace(":", "/").rstrip("/").rpartition("/")[2]
        own = number if isinstance(number, str) and number.strip() else last
        label = own or (known[0].rpartition("|")[2] if known else f"line {found.line}")
        base = url.rpartition("/Patient/")[0]
        if label in self._bases and base and self._bases[label] not in ("", base):
            label = url
            self.log.aside(
                found.line, "Patient.id", "the same id on another server", url,
                "another patient: never merged with the first", "export the patients of one server",
            )  # fmt: skip
        self.labels.setdefault(label)
        self._bases.setdefault(label, base)
        for reference in (url, f"Patient/{own}" if label == own and own else "", *known):
            if reference:
                self._refs.setdefault(reference, label)
        self._systems.setdefault(label, set()).update(one.rpartition("|")[0] for one in known)
        for link in tables(resource.get("link")):
            other = (table(link.get("other")) or {}).get("reference")
            if isinstance(other, str) and other.split("/")[-1] != own:
                self.log.aside(
                    found.line, "Patient.link", "the server says that two patients may be one person", other,
                    "one patient", "they are read as two: merge them at the source if they are one",
                )  # fmt: skip
        return label

    def note(self, resource: Resource) -> None:
        """Remember whom a resource names, so that patients stand in the order of the file."""
        self._find(resource)

    def of(self, resource: Resource, line: int) -> str | None:
        """The label of a resource's patient; None where it is nobody's, which is said."""
        found = self._find(resource)
        if found is not None:
            return found
        subject = _subject(resource)
        if subject is not None and isinstance(subject.get("reference"), str):
            self.log.note("resources of groups, devices, places or relatives were not read: they are no patient's")
            return None
        if len(self.labels) <= 1:
            self.log.note("resources without a subject were taken as this patient's")
            return next(iter(self.labels), NOBODY)
        self.log.aside(
            line, f"{resource.get('resourceType')}.subject", "whose it is is not said, among several patients", "",
            "a reference to a patient", "export the subject of each resource",
        )  # fmt: skip
        return NOBODY

    def _find(self, resource: Resource) -> str | None:
        subject = _subject(resource)
        if subject is None:
            return None
        reference = subject.get("reference")
        if isinstance(reference, str) and reference and not reference.startswith("#"):
            return self._by_reference(reference)
        identity = _identity(table(subject.get("identifier")) or {})
        return self._by_identity(identity) if identity else None

    def _by_reference(self, reference: str) -> str | None:
        whole = reference.split("/_history")[0].rstrip("/")
        if whole in self._refs:
            return self._refs[whole]
        if whole.startswith("Patient?"):
            return self._by_identity(whole.rpartition("identifier=")[2])
        parts = whole.split("/")
        kind = parts[-2] if len(parts) > 1 else "" if whole.startswith("urn:") else "?"
        if kind not in ("Patient", ""):
            return None
        base = whole.rpartition("/Patient/")[0]
        short = f"Patient/{parts[-1]}"
        label = self._refs.get(short, "")
        if label and base and self._bases.get(label) not in ("", None, base):
            label = whole  # the same id on another server
        label = label or (parts[-1] if kind else whole.rpartition(":")[2])
        self.labels.setdefault(label)
        self._refs[whole] = label
        if label == parts[-1]:
            self._refs.setdefault(short, label)
            self._bases.setdefault(label, base)
        return label

    def _by_identity(self, identity: str) -> str:
        if identity in self._refs:
            return self._refs[identity]
        system = identity.rpartition("|")[0]
        only = next(iter(self.labels)) if len(self.labels) == 1 else ""
        if only in self._systems and system not in self._systems[only]:
            return only  # an identifier of another house may mean the one patient of the file
        label = identity.rpartition("|")[2]
        self.labels.setdefault(label)
        self._refs[identity] = label
        self._systems.setdefault(label, set()).add(system)
        return label


def _subject(resource: Resource) -> Resource | None:
    return table(resource.get("subject") or resource.get("patient"))


def _identity(identifier: Resource) -> str:
    system, value = identifier.get("system"), identifier.get("value")
    return f"{system if isinstance(system, str) else ''}|{value}" if isinstance(value, str) and value.strip() else ""
