"""Records written by hand: a table under a header, a bundle by the FHIR R4 specification."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from vein2vein.io.record.read import read_record

LOINC = "http://loinc.org"
ZERO = datetime(2026, 3, 5, 10, tzinfo=UTC)


@pytest.fixture
def table(tmp_path):
    """Write the lines of a table and read them."""

    def read(*lines, name="record.csv", encoding="utf-8", mapping=None):
        path = tmp_path / name
        path.write_bytes("\n".join(lines).encode(encoding))
        if mapping is not None:
            (tmp_path / "mapping.toml").write_text(mapping, encoding="utf-8")
            return read_record(path, mapping=tmp_path / "mapping.toml")
        return read_record(path)

    return read


@pytest.fixture
def long(table):
    """Rows of the long form with days."""
    return lambda *rows, **more: table("day,analyte,value,unit,author,comment", *rows, **more)


@pytest.fixture
def bundle():
    """Builds FHIR R4 bundles."""
    return Builder


class Builder:
    """A bundle of one patient, resource by resource."""

    def __init__(self, patient="p1", kind="collection"):
        self.kind, self.patient, self.entries = kind, patient, []
        self.add({"resourceType": "Patient", "id": patient, "gender": "female", "birthDate": "2012-03-05",
                  "name": [{"family": "Doe", "given": ["Jane"]}]})  # fmt: skip

    @staticmethod
    def at(hours):
        return (ZERO + timedelta(hours=hours)).isoformat()

    @staticmethod
    def concept(system, code):
        return {"coding": [{"system": system, "code": code}]}

    def add(self, resource, url=""):
        entry = {"resource": resource}
        if url or "id" in resource:
            entry["fullUrl"] = url or f"https://example.org/fhir/{resource['resourceType']}/{resource['id']}"
        self.entries.append(entry)
        return self

    def infusion(self):
        return self.add({
            "resourceType": "Procedure", "status": "completed", "subject": self.subject(),
            "code": self.concept("urn:vein2vein:analyte", "car_t_infusion"), "performedDateTime": self.at(0),
        })  # fmt: skip

    def subject(self):
        return {"reference": f"Patient/{self.patient}"}

    def observation(self, code, value=None, unit=None, hours=24, system=LOINC, **more):
        resource = {
            "resourceType": "Observation", "status": "final", "code": self.concept(system, code),
            "subject": self.subject(), "effectiveDateTime": self.at(hours), **more,
        }  # fmt: skip
        if value is not None and not any(key.startswith("value") for key in more):
            resource["valueQuantity"] = {
                "value": value, "unit": unit, "system": "http://unitsofmeasure.org", "code": unit
            }  # fmt: skip
        return self.add(resource)

    def text(self):
        return json.dumps({"resourceType": "Bundle", "type": self.kind, "entry": self.entries}, indent=1)

    def read(self, folder, text=None, name="bundle.json"):
        path = folder / name
        path.write_text(self.text() if text is None else text, encoding="utf-8")
        return read_record(path)
