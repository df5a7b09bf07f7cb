"""Every kind of value and dose in FHIR: what is handed on for each, as entries."""

import pytest

from vein2vein.io.record.fhir.bundle import read_entries
from vein2vein.io.record.mapping import TableMapping
from vein2vein.io.record.record import Log

SNOMED, RXNORM = "http://snomed.info/sct", "http://www.nlm.nih.gov/research/umls/rxnorm"
ABSENT = "http://terminology.hl7.org/CodeSystem/data-absent-reason"
NE = "7512"


def quantity(value, unit, **more):
    return {"value": value, "unit": unit, "code": unit, **more}


def entries(b):
    log = Log("b.json")
    return read_entries(b.text(), TableMapping(), log), log


def only(b, name):
    (found,) = (e for e in entries(b)[0] if e.name == name)
    return found


def concept(code, display="", system=SNOMED):
    return {"coding": [{"system": system, "code": code, **({"display": display} if display else {})}]}


# ---------------------------------------------------------------- values of observations


@pytest.mark.parametrize(
    ("code", "more", "value", "unit"),
    [
        ("777-3", {"valueQuantity": quantity(18, "10*3/uL")}, 18, "10*3/uL"),
        ("26881-3", {"valueQuantity": quantity(1.5, "pg/mL", comparator="<")}, "<1.5", "pg/mL"),
        ("26881-3", {"valueQuantity": quantity(5000, "pg/mL", comparator=">=")}, ">5000.0", "pg/mL"),
        ("26881-3", {"valueString": "<1.5 pg/mL"}, "<1.5 pg/mL", ""),
        ("2276-4", {"valueRange": {"low": quantity(500, "ng/mL")}}, ">500.0", "ng/mL"),
        ("2276-4", {"valueRange": {"high": quantity(500, "ng/mL")}}, "<500.0", "ng/mL"),
        ("8310-5", {"valueRange": {"low": quantity(37.0, "Cel"), "high": quantity(39.4, "Cel")}}, "37.0-39.4", "Cel"),
        ("2276-4", {"valueQuantity": {"value": 5, "unit": "ng/mL", "code": "x"}}, 5, "ng/mL"),  # the code is no unit
        ("30451-9", {"valueQuantity": quantity(0.4, "10*9/L")}, ">0.4", "10*9/L"),  # segmented alone: at least
        ("76248-4", {"valueQuantity": quantity(8, "cm[H2O]")}, ">3", ""),  # PEEP: positive pressure of some kind
    ],
)
def test_quantities_bounds_ranges_and_texts(bundle, code, more, value, unit):
    b = bundle().observation("718-7", 9, "g/dL").observation(code, **more)
    found = next(e for e in entries(b)[0] if e.name != "hemoglobin" and e.time is not None)
    assert (found.value, found.unit, found.unread) == (value, unit, False)


@pytest.mark.parametrize(
    ("more", "value"),
    [
        ({"valueCodeableConcept": concept("336623009", "Oxygen nasal cannula")}, "1"),
        ({"valueCodeableConcept": concept("336623009")}, "1"),
        ({"valueCodeableConcept": {"text": "room air"}}, "room air"),
        ({"valueCodeableConcept": concept("local-7", "High flow nasal cannula", "urn:x")}, "High flow nasal cannula"),
        ({"valueCodeableConcept": concept("local-7", "Zephyr device", "urn:x")}, "Zephyr device"),
        ({"valueString": "NC 2L"}, "NC 2L"),
    ],
)
def test_concepts_by_code_by_display_and_by_text(bundle, more, value):
    b = bundle().observation("oxygen_device", system="urn:vein2vein:analyte", **more)
    assert only(b, "oxygen_device").value == value


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"valueQuantity": {"value": "18", "unit": "10*9/L"}}, "not a number"),
        ({"valueQuantity": {"value": True, "unit": "10*9/L"}}, "not a number"),
        ({"valueQuantity": quantity(18, "10*9/L", comparator="ad")}, "comparator"),
        ({"valueQuantity": {"value": 18, "unit": "10*9/L", "code": "/uL"}}, "contradict"),
        ({"valueSampledData": {"data": "1 2"}}, "kind that is not read"),
        ({"valueCodeableConcept": {}}, "empty concept"),
        ({"valueCodeableConcept": concept("336623009")}, "another analyte"),
        ({"dataAbsentReason": concept("masked", system=ABSENT)}, "measured"),
        ({"valueRatio": {"numerator": {}, "denominator": {}}}, "ratio"),
        ({}, "no value"),
    ],
)
def test_a_value_that_is_not_understood_makes_its_analyte_unknown_at_its_time(bundle, more, said):
    found = only(bundle().observation("777-3", **more), "platelets")
    assert found.unread and said in found.value and found.time is not None and found.line > 1


@pytest.mark.parametrize("reason", ["not-performed", "not-asked", "unknown", "error", "temp-unknown"])
def test_what_was_not_measured_is_no_value_and_no_fault(bundle, reason):
    b = bundle().observation("718-7", 9, "g/dL")
    b.observation("777-3", dataAbsentReason=concept(reason, system=ABSENT))
    found, log = entries(b)
    assert [e for e in found if e.name == "platelets"] == [] and log.items == []


def test_the_time_of_a_known_analyte_that_cannot_be_read_is_told_with_the_analyte(bundle):
    b = bundle().observation("718-7", 9, "g/dL").observation("777-3", 18, "10*9/L", effectiveDateTime="2026-03")
    (told,) = entries(b)[1].items
    assert told.analyte == "platelets" and told.line


# ---------------------------------------------------------------- pulse oximetry and pressure


def oximetry(b, flow=None, concentration=None, **more):
    parts = []
    if flow is not None:
        parts.append({"code": b.concept("http://loinc.org", "3151-8"), "valueQuantity": quantity(flow, "L/min")})
    if concentration is not None:
        parts.append({"code": b.concept("http://loinc.org", "3150-0"), "valueQuantity": quantity(concentration, "%")})
    return b.observation("59408-5", 94, "%", component=parts, **more)


@pytest.mark.parametrize(("flow", "device"), [(0.0, 0.0), (2.0, 1.0), (6.0, 1.0), (8.0, ">0")])
def test_oxygen_without_a_device_is_low_flow_up_to_six_liters_and_at_least_that_beyond(bundle, flow, device):
    b = oximetry(bundle(), flow, 36)
    assert only(b, "oxygen_device").value == device and only(b, "oxygen_flow").value == flow
    assert only(b, "spo2").value == 94 and only(b, "fio2").value == 36


@pytest.mark.parametrize(("hours", "devices"), [(10, ["face mask"]), (-20, ["face mask"]), (-40, ["face mask", 1.0])])
def test_a_device_charted_within_a_day_is_not_overruled(bundle, hours, devices):
    b = bundle().observation("oxygen_device", system="urn:vein2vein:analyte", valueString="face mask", hours=24 + hours)
    assert [e.value for e in entries(oximetry(b, 4.0))[0] if e.name == "oxygen_device"] == devices


def test_a_pressure_panel_with_parts_or_as_text(bundle):
    b = bundle()
    part = {"code": b.concept("http://loinc.org", "8480-6"), "valueQuantity": quantity(84, "mm[Hg]")}
    assert only(b.observation("85354-9", component=[part]), "systolic_bp").value == 84
    assert only(bundle().observation("85354-9", valueString="84/40"), "systolic_bp").value == 84


def test_a_part_that_is_not_known_makes_what_it_may_be_unknown(bundle):
    b = bundle()
    part = {"code": {"text": "systolic"}, "valueQuantity": {"value": "low"}}
    found = only(b.observation("85354-9", component=[part]), "systolic_bp")
    assert found.unread


@pytest.mark.parametrize("where", [{"specimen": {"display": "CSF"}}, {"specimen": {"reference": "Specimen/s"}}])
def test_a_count_of_another_specimen_is_not_one_of_the_blood(bundle, where):
    b = bundle().observation("718-7", 9, "g/dL")
    b.add({"resourceType": "Specimen", "id": "s", "type": {"text": "Cerebral spinal fluid sample"}})
    found, log = entries(b.observation("6690-2", 3, "10*6/L", **where))
    assert [e for e in found if e.name == "white_cells"] == [] and any("specimen" in note for note in log.notes)


# ---------------------------------------------------------------- what was given


def given(b, dosage=None, code=NE, start=30, end=None, status="completed", text="", **more):
    """A MedicationAdministration; in progress or with an end it has a period."""
    when = {"effectiveDateTime": b.at(start)}
    if end is not None or status == "in-progress":
        when = {"effectivePeriod": {"start": b.at(start), **({"end": b.at(end)} if end is not None else {})}}
    drug = {"text": text} if text else b.concept(RXNORM, code)
    return b.add({"resourceType": "MedicationAdministration", "status": status, "subject": b.subject(),
                  "medicationCodeableConcept": drug, "dosage": dosage or {}, **when, **more})  # fmt: skip


RATIO = {"numerator": quantity(4, "ug"), "denominator": quantity(1, "min")}


@pytest.mark.parametrize(
    ("dosage", "value", "unit"),
    [
        ({"rateQuantity": quantity(8, "ug/min")}, 8, "ug/min"),
        ({"rateRatio": RATIO}, 4, "ug/min"),
        ({"rateRatio": {"numerator": quantity(0.1, "ug/kg"), "denominator": quantity(1, "min")}}, 0.1, "ug/kg/min"),
        ({"rateRatio": {"numerator": quantity(240, "ug"), "denominator": quantity(1, "h")}}, 240, "ug/h"),
        ({"rateRange": {"low": quantity(2, "ug/min"), "high": quantity(8, "ug/min")}}, "2.0-8.0", "ug/min"),
        ({"rateRange": {"low": quantity(2, "ug/min")}}, ">2.0", "ug/min"),
        ({"dose": quantity(8, "ug/min")}, 8, "ug/min"),  # a rate that stands as dose
        ({"rateQuantity": quantity(12, "mL/h")}, 12, "mL/h"),  # what that is of the drug is not known: it runs
        ({"dose": quantity(8, "mg")}, "running", ""),  # a bag
        ({}, "running", ""),
    ],
)
def test_rates_of_a_vasopressor_in_every_form(bundle, dosage, value, unit):
    found = only(given(bundle(), dosage, end=40), "norepinephrine")
    assert (found.value, found.unit, found.running, found.unread) == (value, unit, False, False)
    assert (found.until - found.time).total_seconds() == 10 * 3600


@pytest.mark.parametrize(
    ("status", "end", "running", "until"),
    [
        ("in-progress", None, True, False),
        ("in-progress", 40, False, True),
        ("completed", 40, False, True),
        ("stopped", 40, False, True),
        ("completed", None, False, False),
        ("on-hold", None, False, False),
    ],
)
def test_what_goes_on_and_what_has_ended(bundle, status, end, running, until):
    found = only(given(bundle(), {"rateQuantity": quantity(8, "ug/min")}, status=status, end=end), "norepinephrine")
    assert (found.running, found.until is not None) == (running, until)


@pytest.mark.parametrize(("rate", "value"), [(0.03, 1.0), (0.0, 0.0)])
def test_vasopressin_runs_whatever_its_rate_unless_that_is_none(bundle, rate, value):
    found = only(given(bundle(), {"rateQuantity": quantity(rate, "U/min")}, code="11149", end=40), "vasopressin")
    assert found.value == value and found.until is not None


@pytest.mark.parametrize(
    ("dosage", "value", "unit"),
    [
        ({"dose": quantity(560, "mg")}, 560, "mg"),
        ({"dose": quantity(8, "mg/kg")}, 8, "mg/kg"),
        ({"dose": quantity(20, "mL")}, 20, "mL"),
        ({}, "given", ""),
    ],
)
def test_a_drug_that_runs_in_over_an_hour_is_one_dose(bundle, dosage, value, unit):
    b = given(bundle(), dosage, text="tocilizumab 20 mg/mL", start=30, end=31)
    found = only(b, "tocilizumab")
    assert (found.value, found.unit, found.until, found.running) == (value, unit, None, False)


@pytest.mark.parametrize("status", ["not-done", "entered-in-error"])
def test_what_was_not_given_is_no_dose(bundle, status):
    b = bundle().observation("718-7", 9, "g/dL")
    found, log = entries(given(b, {"dose": quantity(560, "mg")}, text="tocilizumab", status=status))
    assert [e for e in found if e.name == "tocilizumab"] == [] and status in " ".join(log.notes)


def test_an_order_is_no_dose_and_is_counted(bundle):
    b = bundle().observation("718-7", 9, "g/dL")
    b.add({"resourceType": "MedicationRequest", "status": "active", "intent": "order", "subject": b.subject(),
           "medicationCodeableConcept": {"text": "tocilizumab"}, "authoredOn": b.at(30)})  # fmt: skip
    found, log = entries(b)
    assert [e for e in found if e.name == "tocilizumab"] == []
    assert "orders are not doses and were not read: MedicationRequest tocilizumab (1)" in log.notes


def test_a_statement_is_read_as_given_and_said_to_be_one(bundle):
    b = bundle().observation("718-7", 9, "g/dL")
    b.add({"resourceType": "MedicationStatement", "status": "completed", "subject": b.subject(),
           "medicationCodeableConcept": {"text": "dexamethasone"}, "effectiveDateTime": b.at(30),
           "dosage": [{"doseAndRate": [{"doseQuantity": quantity(10, "mg")}]}]})  # fmt: skip
    found, log = entries(b)
    assert [(e.value, e.unit) for e in found if e.name == "dexamethasone"] == [(10, "mg")]
    assert any("statements" in note for note in log.notes)


@pytest.mark.parametrize("contained", [True, False])
def test_a_medication_by_reference_and_by_its_ingredient(bundle, contained):
    b = bundle().observation("718-7", 9, "g/dL")
    drug = {"resourceType": "Medication", "id": "m1",
            "ingredient": [{"itemCodeableConcept": b.concept(RXNORM, "1657981")}]}  # fmt: skip
    more = {"contained": [drug]} if contained else {}
    if not contained:
        b.add(drug)
    reference = "#m1" if contained else "https://example.org/fhir/Medication/m1"
    b.add({"resourceType": "MedicationAdministration", "status": "completed", "subject": b.subject(),
           "medicationReference": {"reference": reference}, "effectiveDateTime": b.at(30),
           "dosage": {"dose": quantity(560, "mg")}, **more})  # fmt: skip
    assert only(b, "tocilizumab").value == 560


@pytest.mark.parametrize(
    "route",
    [{"text": "Inhalation"}, {"text": "Nebulization"}, {"text": "Ophthalmic route"}, {"text": "IM"},
     concept("78421000"), concept("x", "Subcutaneous route", "urn:r")],
)  # fmt: skip
def test_epinephrine_by_another_route_is_no_vasopressor(bundle, route):
    b = bundle().observation("718-7", 9, "g/dL")
    found, log = entries(given(b, {"dose": quantity(0.3, "mg"), "route": route}, code="3992"))
    assert [e for e in found if e.name == "epinephrine"] == [] and any("route" in note for note in log.notes)


@pytest.mark.parametrize(
    ("code", "dose", "cells"),
    [("1987402", quantity(1.4e8, "{cells}"), [1.4e8]), ("1987402", quantity(68, "mL"), []), ("2594775", None, [])],
)
def test_a_car_t_product_by_code_is_day_zero_its_product_and_its_dose_in_cells(bundle, code, dose, cells):
    b = bundle().observation("718-7", 9, "g/dL")
    found, _ = entries(given(b, {"dose": dose} if dose else None, code=code, start=0))
    named = {"1987402": "axicabtagene_ciloleucel", "2594775": "ciltacabtagene_autoleucel"}
    assert [e.value for e in found if e.name == "product"] == [named[code]]
    assert [e.value for e in found if e.name == "car_t_infusion"] == cells
    (zero,) = [e.time for e in found if e.name == "infusion"]
    assert zero.isoformat() == b.at(0)


# ---------------------------------------------------------------- supports


@pytest.mark.parametrize(
    ("resource", "name", "value"),
    [
        ({"resourceType": "Procedure", "code": concept("1258985005"), "when": "performedPeriod"}, "oxygen_device", "5"),
        ({"resourceType": "Procedure", "code": concept("265764009"), "when": "performedPeriod"}, "dialysis", "1"),
        ({"resourceType": "DeviceUseStatement", "device": {"display": "High flow nasal cannula"},
          "when": "timingPeriod"}, "oxygen_device", "High flow nasal cannula"),
        ({"resourceType": "DeviceUseStatement", "device": {"reference": "Device/d"}, "when": "timingPeriod"},
         "oxygen_device", "2"),
    ],
)  # fmt: skip
@pytest.mark.parametrize(("status", "end"), [("completed", 40), ("in-progress", None)])
def test_ventilation_dialysis_and_devices_run_from_their_start_to_their_end(bundle, resource, name, value, status, end):
    b = bundle().observation("718-7", 9, "g/dL")
    b.add({"resourceType": "Device", "id": "d", "type": concept("336602003")})
    told = {key: one for key, one in resource.items() if key != "when"}
    if told["resourceType"] == "DeviceUseStatement" and status == "in-progress":
        status = "active"
    period = {"start": b.at(30), **({"end": b.at(end)} if end else {})}
    b.add({**told, "status": status, "subject": b.subject(), resource["when"]: period})
    found = only(b, name)
    assert (str(found.value), found.running, found.until is not None) == (value, end is None, end is not None)


def test_grades_among_diagnoses_are_told_and_never_read(bundle):
    b = bundle().observation("718-7", 9, "g/dL")
    b.add({"resourceType": "Condition", "subject": b.subject(), "onsetDateTime": b.at(30),
           "code": concept("D89.832", system="http://hl7.org/fhir/sid/icd-10-cm")})  # fmt: skip
    found, log = entries(b)
    assert {e.name for e in found} <= {"sex", "birth_date", "hemoglobin"} and any("D89.832" in n for n in log.notes)


@pytest.mark.parametrize("status", ["refuted", "entered-in-error", "provisional"])
def test_a_diagnosis_that_is_not_confirmed_is_none(bundle, status):
    b = bundle().observation("718-7", 9, "g/dL")
    b.add({"resourceType": "Condition", "subject": b.subject(), "code": concept("91175000"),
           "onsetDateTime": b.at(30), "verificationStatus": concept(status, system="urn:v")})  # fmt: skip
    assert [e for e in entries(b)[0] if e.name == "seizure"] == []


def test_oxygen_that_is_charted_as_a_drug_is_a_flow(bundle):
    litres = {"rateQuantity": quantity(2, "L/min")}
    b = given(bundle(), litres, text="Oxygen", end=40)
    flow = only(b, "oxygen_flow")
    assert (flow.value, flow.unit) == (2, "L/min") and flow.until is not None
    assert only(given(bundle(), litres, code="7806", end=40), "oxygen_flow").value == 2


@pytest.mark.parametrize(
    ("text", "value"),
    [("Mechanical ventilation", "Mechanical ventilation"), ("Transfusion of platelets", None), ("Chest X-ray", None)],
)
def test_procedures_in_words(bundle, text, value):
    b = bundle().observation("718-7", 9, "g/dL")
    b.add({"resourceType": "Procedure", "status": "completed", "subject": b.subject(), "code": {"text": text},
           "performedPeriod": {"start": b.at(30), "end": b.at(40)}})  # fmt: skip
    found = [e.value for e in entries(b)[0] if e.name not in ("hemoglobin", "sex", "birth_date")]
    if value:
        pytest.importorskip("vein2vein.io.record.meanings")  # what a name may hide is known where words are read
    assert found == ([value] if value else [])


@pytest.mark.parametrize(("text", "value"), [("Nasal cannula 2 L", "Nasal cannula 2 L"), ("Infusion pump", None)])
def test_devices_in_words(bundle, text, value):
    b = bundle().observation("718-7", 9, "g/dL")
    b.add({"resourceType": "DeviceUseStatement", "status": "active", "subject": b.subject(),
           "device": {"display": text}, "timingPeriod": {"start": b.at(30)}})  # fmt: skip
    found = [(e.value, e.running) for e in entries(b)[0] if e.name == "oxygen_device"]
    assert found == ([(value, True)] if value else [])


@pytest.mark.parametrize("route", [{"text": "Subcutaneous"}, {"text": "Intravenous"}, concept("34206005")])
def test_tocilizumab_under_the_skin_is_a_dose(bundle, route):
    dosage = {"dose": quantity(162, "mg"), "route": route}
    assert only(given(bundle(), dosage, text="tocilizumab"), "tocilizumab").value == 162
