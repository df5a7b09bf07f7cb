"""How servers send FHIR: pages, bundles in bundles, answers, histories, contained resources, several patients."""

import json

import numpy as np
import pytest

from vein2vein.errors import InputError
from vein2vein.io.record.fhir.bundle import read_entries
from vein2vein.io.record.mapping import TableMapping
from vein2vein.io.record.record import Log


def entries(text):
    log = Log("b.json")
    return read_entries(text if isinstance(text, str) else json.dumps(text, indent=1), TableMapping(), log), log


def said(log):
    return " ".join([*(str(item) for item in log.items), *log.notes])


def values(found, name):
    return [entry.value for entry in found if entry.name == name]


def whole(b, **more):
    return {"resourceType": "Bundle", "type": b.kind, "entry": b.entries, **more}


# ---------------------------------------------------------------- bundles


def test_a_next_page_that_is_not_in_the_file_is_told_with_its_address(bundle):
    b = bundle(kind="searchset").observation("777-3", 41, "10*3/uL")
    links = [{"relation": "self", "url": "u"}, {"relation": "next", "url": "https://x/y?page=2"}]
    _, log = entries(whole(b, link=links))
    (told,) = log.items
    assert "more data exist" in told.what and told.found == "https://x/y?page=2" and told.line
    assert entries(whole(b, link=links[:1], total=2))[1].items == []


def test_a_search_that_found_more_than_the_file_holds_is_told(bundle):
    b = bundle(kind="searchset").observation("777-3", 41, "10*3/uL")
    _, log = entries(whole(b, total=120))
    assert "120 found, 2 here" in said(log)


def test_bundles_in_bundles_are_opened_and_their_pages_told(bundle):
    inner = bundle(kind="searchset").observation("777-3", 41, "10*3/uL").observation("718-7", 9, "g/dL")
    link = [{"relation": "next", "url": "p2"}]
    batch = {"resourceType": "Bundle", "type": "batch-response", "entry": [
        {"response": {"status": "200 OK"}, "resource": whole(inner, link=link)},
        {"response": {"status": "201 Created", "location": "Observation/1"}},
        {"response": {"status": "404 Not Found"}},
    ]}  # fmt: skip
    found, log = entries(batch)
    assert values(found, "platelets") == [41] and values(found, "hemoglobin") == [9]
    assert "more data exist" in said(log) and "404 Not Found" in said(log) and len(log.items) == 2


def test_an_error_of_the_server_is_told_in_its_words(bundle):
    b = bundle().observation("777-3", 41, "10*3/uL")
    issue = {"severity": "error", "code": "timeout", "diagnostics": "too many results"}
    b.add({"resourceType": "OperationOutcome", "issue": [issue]})
    _, log = entries(b.text())
    assert "too many results" in said(log)


def test_contained_results_are_read_with_the_subject_and_time_of_their_report(bundle):
    b = bundle().infusion()
    b.observation("777-3", 41, "10*3/uL")
    inner = {**b.entries.pop()["resource"], "id": "o1", "subject": {"reference": "#p"}}
    del inner["effectiveDateTime"]
    b.add({"resourceType": "DiagnosticReport", "status": "final", "subject": b.subject(), "contained": [inner],
           "effectiveDateTime": b.at(24), "result": [{"reference": "#o1"}]})  # fmt: skip
    found, _ = entries(b.text())
    assert values(found, "platelets") == [41] and {e.patient for e in found} == {"p1"}


def test_deleted_resources_of_a_history_are_not_read(bundle):
    b = bundle(kind="history")
    b.observation("777-3", 41, "10*3/uL", id="a")
    b.entries[-1]["request"] = {"method": "PUT", "url": "Observation/a"}
    b.observation("777-3", 55, "10*3/uL", id="b", hours=30)
    b.entries[-1]["request"] = {"method": "POST", "url": "Observation"}
    b.entries.insert(0, {"request": {"method": "DELETE", "url": "Observation/a"}, "response": {"status": "204"}})
    found, log = entries(b.text())
    assert values(found, "platelets") == [55] and "deleted" in said(log)


@pytest.mark.parametrize(
    "text",
    [
        '{"resourceType":"Patient","id":"p"}',
        '{"resourceType":"Bundle","entry":[{"resource":{"resourceType":"Encounter"}}]}',
        '{"resourceType":"Bundle","entry":[\n{"resource":{"resourceType":"Observation","status":"final"}}]}',
    ],
)
def test_fhir_without_values_is_told_in_its_own_words_with_a_line(text):
    with pytest.raises(InputError) as caught:
        entries(text)
    assert "FHIR resources" in str(caught.value) and caught.value.line and "Observation" in str(caught.value)


# ---------------------------------------------------------------- whose


def test_lines_of_several_patients_are_kept_apart_under_their_own_ids_in_order(bundle, tmp_path):
    lines = []
    for patient, count in (("P10", 18), ("P2", 150)):
        b = bundle(patient).infusion().observation("777-3", count, "10*3/uL")
        lines += [json.dumps(entry["resource"]) for entry in b.entries]
    r = bundle().read(tmp_path, "\n".join(lines), "ward.ndjson")
    counts = {label: float(np.nanmax(r.course.values["platelets"][i])) for i, label in enumerate(r.facts.label)}
    assert counts == {"P10": 18, "P2": 150}


@pytest.mark.parametrize(
    "reference",
    [
        "Patient/p1",
        "https://example.org/fhir/Patient/p1",
        "Patient/p1/_history/2",
        "urn:uuid:0af1",
        "Patient?identifier=m|7",
    ],
)
def test_every_way_to_name_the_patient_means_the_same_one(bundle, reference):
    b = bundle()
    patient = b.entries[0]
    patient["resource"]["identifier"] = [{"system": "m", "value": "7"}]
    if reference.startswith("urn"):
        patient["fullUrl"] = reference
    b.observation("777-3", 41, "10*3/uL", subject={"reference": reference})
    b.observation("718-7", 9, "g/dL", subject={"identifier": {"system": "m", "value": "7"}})
    found, log = entries(b.text())
    assert {e.patient for e in found} == {"p1"} and log.items == []


def test_the_same_id_on_two_servers_is_two_patients(bundle):
    b = bundle()
    for server, count in (("https://a/fhir", 18), ("https://b/fhir", 150)):
        b.observation("777-3", count, "10*3/uL", subject={"reference": f"{server}/Patient/p1"})
    b.entries[0]["fullUrl"] = "https://a/fhir/Patient/p1"
    found, _ = entries(b.text())
    own = {e.patient: e.value for e in found if e.name == "platelets"}
    assert own == {"p1": 18, "https://b/fhir/Patient/p1": 150}


def test_a_resource_without_a_subject_is_the_one_patients_and_nobodys_among_several(bundle):
    b = bundle().observation("777-3", 41, "10*3/uL")
    del b.entries[-1]["resource"]["subject"]
    found, log = entries(b.text())
    assert [e.patient for e in found if e.name == "platelets"] == ["p1"] and "without a subject" in said(log)
    b.add({"resourceType": "Patient", "id": "p2"})
    found, log = entries(b.text())
    assert [e.patient for e in found if e.name == "platelets"] == [""] and "whose it is" in said(log)


def test_resources_of_a_group_are_nobodys(bundle):
    b = bundle().observation("777-3", 41, "10*3/uL").observation("718-7", 9, "g/dL", subject={"reference": "Group/g"})
    found, log = entries(b.text())
    assert values(found, "hemoglobin") == [] and "groups" in said(log)


def test_patients_that_the_server_links_are_told_and_never_merged(bundle):
    b = bundle().observation("777-3", 41, "10*3/uL")
    b.entries[0]["resource"]["link"] = [{"other": {"reference": "Patient/old"}, "type": "replaces"}]
    b.observation("777-3", 12, "10*3/uL", subject={"reference": "Patient/old"})
    found, log = entries(b.text())
    assert {e.patient for e in found if e.name == "platelets"} == {"p1", "old"} and "may be one person" in said(log)
