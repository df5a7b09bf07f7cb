"""What a bundle says and nobody understands makes a grade open, never lower: codes, texts and units of real servers."""

from __future__ import annotations

import pytest
from bundles import LOCAL, LOINC, RXNORM, at, bundle, coded, observed, vitals
from looking import look, loud

LOW = vitals("20:00", 36.8, 80)  # afebrile, hypotensive: grade 2 where something took the fever away, else none
FEVER = vitals("06:00", 39.4, 112)


def given(concept: dict, dose: float | None = 560, unit: str = "mg", clock: str = "08:00") -> dict:
    dosage = {} if dose is None else {"dosage": {"dose": {"value": dose, "unit": unit, "code": unit}}}
    return {
        "resourceType": "MedicationAdministration", "status": "completed", "effectiveDateTime": at(clock),
        "medicationCodeableConcept": concept, **dosage,
    }  # fmt: skip


def seen(
    *resources: object, finding: str = "crs_astct", until: float | None = None
) -> tuple[int, int, tuple[str, ...]]:
    watch = look(bundle(*resources), until=until)
    state = next(s for s in watch.now if s.name == finding)
    return state.grade, state.at_least, loud(watch)


DRUGS = {
    "text alone": {"text": "tocilizumab (Actemra) 400 mg/20 mL IV"},
    "display of a clinical drug": {
        "coding": [{"system": RXNORM, "code": "1657982", "display": "tocilizumab 20 MG/ML Injectable Solution"}]
    },
    "local code with display": {
        "coding": [{"system": "urn:oid:1.2.3", "code": "RX4711", "display": "TOCILIZUMAB INJ"}]
    },
    "ATC code": {"coding": [{"system": "http://www.whocc.no/atc", "code": "L04AC07"}]},
    "misspelled text": {"text": "tocilizumb infusion"},
    "steroid by text": {"text": "dexamethasone sodium phosphate 10 mg IV push"},
    "antipyretic by text": {"text": "acetaminophen 650 mg tablet"},
}


@pytest.mark.parametrize("concept", DRUGS.values(), ids=DRUGS)
@pytest.mark.parametrize("dose", [(560, "mg"), (8, "mg/kg"), (1, "{vial}"), (None, "")], ids=str)
def test_a_drug_that_takes_fever_away_is_never_not_given(concept, dose):
    clock = "16:00" if "acetaminophen" in str(concept) else "08:00"
    grade, _, said = seen(FEVER, given(concept, *dose, clock=clock), LOW)
    assert grade in (2, -1)
    assert grade == 2 or said


def test_without_such_a_drug_it_is_no_syndrome():
    assert seen(FEVER, LOW)[0] in (0, -1)
    assert seen(FEVER, given({"text": "cefepime 2 g in sodium chloride 0.9 %"}, 2, "g"), LOW)[0] in (0, -1)


def test_a_drug_that_no_grade_reads_says_nothing_loudly():
    for text in ("cefepime 2 g IV", "levetiracetam 500 mg tablet", "ondansetron 8 mg", "sodium chloride 0.9 % flush"):
        grade, _, said = seen(FEVER, given({"text": text}, 2, "g"), until=3)
        assert grade == 1 and said == (), text


PRESSORS = {
    "text": {"text": "norepinephrine 8 mg in D5W 250 mL infusion"},
    "local code": {"coding": [{"system": "urn:oid:1.2.3", "code": "DRIP7", "display": "NOREPINEPHRINE DRIP"}]},
    "German": {"text": "Noradrenalin 5 mg / 50 ml Perfusor"},
    "brand": {"text": "Levophed continuous infusion"},
}


@pytest.mark.parametrize("concept", PRESSORS.values(), ids=PRESSORS)
@pytest.mark.parametrize("unit", ["ug/min", "mL/h", "[gtt]/min"])
def test_a_pump_counts_whatever_its_code_and_unit(concept, unit):
    pump = {
        "resourceType": "MedicationAdministration", "status": "in-progress", "effectivePeriod": {"start": at("05:00")},
        "medicationCodeableConcept": concept, "dosage": {"rateQuantity": {"value": 6, "unit": unit}},
    }  # fmt: skip
    grade, least, said = seen(FEVER, pump)
    assert grade in (3, -1)
    assert least >= 3 or said


SIGNS = {  # what is not read, the temperature of the round, and the grade that would be falsely settled without it
    "seizure in words": (observed("seizure", "06:10", text="tonic-clonic x 2 min"), 36.8, ("icans", 0)),
    "weakness in words": (observed("motor_weakness", "06:10", text="left hemiplegia"), 36.8, ("icans", 0)),
    "edema in words": (observed("cerebral_edema", "06:10", text="global effacement of sulci"), 36.8, ("icans", 0)),
    "arousal in words": (observed("arousal", "06:10", text="floppy"), 36.8, ("icans", 0)),
    "device in words": (observed("oxygen_device", "06:10", text="zeppelin"), 38.8, ("crs_astct", 1)),
    "pressure in another unit": (observed("8480-6", "06:10", value=10.4, unit="kPa"), 38.8, ("crs_astct", 1)),
    "temperature in another unit": (observed("8310-5", "06:10", value=39.9, unit="hot"), 36.8, ("crs_astct", 0)),
}


@pytest.mark.parametrize("sign, temperature, without", SIGNS.values(), ids=SIGNS)
def test_a_sign_that_is_not_read_is_not_normal(sign, temperature, without):
    finding, falsely = without
    awake = [observed("ice", "06:00", value=10, unit="1"), observed("arousal", "06:00", text="awake")]
    grade, least, said = seen(vitals("06:00", temperature, 116), awake, sign, finding=finding)
    assert least >= falsely and grade != falsely
    assert max(grade, least) > falsely or said


def test_a_value_that_is_absent_for_a_reason_is_not_normal():
    """``dataAbsentReason`` of a pressure: nobody could take it."""
    absent = {
        "resourceType": "Observation", "status": "final", "effectiveDateTime": at("06:10"),
        "code": coded(LOINC, "8480-6"), "dataAbsentReason": {"coding": [{"code": "not-performed"}]},
    }  # fmt: skip
    fever = [one for one in vitals("06:10", 39.0) if one["code"] != coded(LOINC, "8480-6")]
    assert seen(vitals("01:00", 36.8, 116), fever, absent)[0] == -1


def test_observations_that_no_grade_reads_say_nothing_loudly():
    others = [
        observed("8462-4", "06:00", value=61, unit="mm[Hg]"),  # diastolic pressure
        observed("8867-4", "06:00", value=118, unit="/min"),  # heart rate
        observed("9279-1", "06:00", value=22, unit="/min"),  # breaths
        observed("2951-2", "06:00", value=139, unit="mmol/L"),  # sodium
        observed("72514-3", "06:00", value=2, unit="{score}"),  # pain
    ]
    grade, _, said = seen(FEVER, others)
    assert grade == 1 and said == ()


def test_a_local_code_of_this_program_is_read():
    assert observed("ice", "06:00", value=5, unit="1")["code"] == coded(LOCAL, "ice")
    ice = [observed("ice", "06:00", value=5, unit="1"), observed("arousal", "06:05", text="awake")]
    assert seen(ice, finding="icans")[:2] == (2, 2)
