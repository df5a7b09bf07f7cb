"""Free text beside values: what it names is unknown at its time, what it takes back is not, what it plans is told."""

import json
from pathlib import Path

import pytest

from vein2vein.io.record.read import read_record
from vein2vein.io.record.remarks import remarks
from vein2vein.ward.monitor import monitor


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("started norepinephrine 5 mcg/min", {"norepinephrine"}),
        ("no bolus but started levophed", {"norepinephrine"}),
        ("norepinephrine weaned to 2 mcg/min", {"norepinephrine"}),
        ("on levo and vasopressin", {"norepinephrine", "vasopressin"}),
        ("back on pressors since 03:00", {"other_vasopressors"}),
        ("intubated for airway", {"oxygen_device"}),
        ("placed on BiPAP overnight", {"oxygen_device"}),
        ("no fever, no chills, on 2L NC", {"oxygen_device"}),
        ("weaned off norepinephrine and extubated to 2L NC", {"oxygen_device"}),
        ("Off pressors. Intubated 14:00", {"oxygen_device"}),
        ("May 3: dexamethasone 10 mg IV x1, toci given at 06:00", {"dexamethasone", "tocilizumab"}),
        ("patient seized x1, ativan given", {"seizure"}),
        ("obtunded, unresponsive to voice", {"arousal"}),
        ("confused at night", {"ice"}),
        ("new left hemiparesis", {"motor_weakness"}),
        ("intubiert und beatmet, Arterenol läuft", {"oxygen_device", "norepinephrine"}),
        ("noradrenalina en marcha", {"norepinephrine"}),
        ("intubé, noradrénaline en cours", {"oxygen_device", "norepinephrine"}),
    ],
)
def test_what_a_text_says_is_open(text, names):
    assert set(remarks(text).open) == names and remarks(text).planned == ()


@pytest.mark.parametrize(
    "text",
    [
        "No pressors, on room air", "norepi off at 06:00", "pressors weaned off", "not yet on pressors",
        "never intubated", "not started on norepinephrine", "no further need for pressors", "not requiring oxygen",
        "no fever, cough or levophed", "denies fever, chills, seizures", "levetiracetam for seizure prophylaxis",
        "seizure precautions", "seizure-free", "home CPAP at night", "O2 sat 95 %", "CT OR today, mask worn",
        "exam NC, lungs clear", "IV cannula replaced", "low flow state", "PCV13 given",
        "diarrhea, unresponsive to antibiotics", "self limited diarrhea", "hemolyzed", "", "=cmd|'/c calc'!A1",
        "\N{SNOWMAN}" * 50,
    ],
)  # fmt: skip
def test_what_a_text_takes_back_or_does_not_say_names_nothing(text):
    assert remarks(text) == ((), (), 0.0)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("consider norepinephrine if MAP < 65", "norepinephrine"), ("BiPAP at bedside", "oxygen_device"),
        ("discussed intubation with family", "oxygen_device"), ("tylenol prn", "antipyretic"),
    ],
)  # fmt: skip
def test_a_plan_is_told_and_not_taken_as_given(text, name):
    assert remarks(text) == ((), (name,), 0.0)


HEAD = "time,temperature,SBP,SpO2,oxygen_device,norepinephrine [ug/min],ICE,car_t_infusion,{column}\n"
DAY_ZERO = "2026-03-01 10:00,36.8,118,97,room air,0,10,1,\n"


def a_round(tmp_path, rows, column="notes"):
    path = Path(tmp_path, "w.csv")
    path.write_text(HEAD.format(column=column) + DAY_ZERO + rows, encoding="utf-8")
    (found,) = monitor(read_record(path), age=50, weight=70)
    return found


def crs(watch):
    return next(one for one in watch.now if one.name == "crs_astct")


@pytest.mark.parametrize("column", ["notes", "comment", "Nursing note", "overnight", "Bemerkungen"])
def test_a_note_of_a_wide_table_that_names_a_pump_leaves_the_grade_open(tmp_path, column):
    row = "2026-03-04 08:00,39.2,118,95,room air,,10,,{}\n"
    quiet = a_round(tmp_path, row.format("slept well"), column)
    loud = a_round(tmp_path, row.format("MAP low so we started norepinephrine 5 mcg/min in the ICU"), column)
    assert (crs(quiet).grade, quiet.unknown) == (1, ())
    assert (crs(loud).grade, crs(loud).at_least) == (-1, 1) and crs(loud).missing == ("norepinephrine",)
    assert "Norepinephrine: 'MAP low so we started norepinephrine" in loud.unknown[0]


def test_a_note_beside_room_air_that_says_intubated_is_not_room_air(tmp_path):
    watch = a_round(tmp_path, "2026-03-04 08:00,39.2,118,95,room air,0,10,,intubated at 07:30\n")
    assert crs(watch).grade == -1 and "oxygen_device" in crs(watch).missing
    (aside,) = watch.set_aside
    assert (aside.line, aside.column, aside.analyte, aside.day) == (
        3,
        "notes",
        "oxygen_device",
        pytest.approx(2.9167, abs=1e-3),
    )
    assert "a note is not read as a value" in aside.what


def test_a_note_without_any_value_in_its_row_is_not_lost(tmp_path):
    watch = a_round(tmp_path, "2026-03-04 08:00,39.2,118,95,room air,0,10,,\n2026-03-04 09:00,,,,,,,,on BiPAP now\n")
    assert crs(watch).grade == -1 and "'on BiPAP now'" in watch.unknown[0]


def test_a_second_column_of_notes_is_looked_through_too(tmp_path):
    head = HEAD.replace("{column}", "remark,notes")
    row = "2026-03-04 08:00,39.2,118,95,room air,,10,,fine,started levophed\n"
    path = tmp_path / "two.csv"
    path.write_text(head + DAY_ZERO.rstrip("\n") + ",\n" + row, encoding="utf-8")
    (watch,) = monitor(read_record(path), age=50, weight=70)
    assert crs(watch).grade == -1 and crs(watch).missing == ("norepinephrine",)


def test_a_note_that_says_no_more_than_what_is_charted_changes_nothing(tmp_path):
    told = '2026-03-04 08:00,39.2,118,95,{},{},10,,"{}"\n'
    plain = a_round(tmp_path, told.format("NC", 5, ""))
    same = a_round(tmp_path, told.format("NC", 5, "on 2L NC, norepinephrine up"))
    assert crs(same).grade == crs(plain).grade == 3 and same.set_aside == ()
    later = told.format("NC", 5, "") + "2026-03-04 12:00,39.0,118,95,NC,,10,,norepinephrine weaned to 2\n"
    assert a_round(tmp_path, later).set_aside == ()  # it runs since the shift began
    worse = a_round(tmp_path, told.format("NC", 5, "then intubated"))
    assert (crs(worse).grade, crs(worse).at_least) == (-1, 3) and "intubated" in worse.unknown[0]


def test_a_plan_is_a_note_of_the_record(tmp_path):
    watch = a_round(tmp_path, "2026-03-04 08:00,39.2,118,95,room air,0,10,,consider norepinephrine if MAP < 65\n")
    assert crs(watch).grade == 1 and watch.unknown == ()
    assert any("speaks of Norepinephrine as a plan or of the past" in note for note in watch.notes)


LONG = """\
time,analyte,value,unit,author,comment
2026-03-01 10:00,car_t_infusion,1,,,
2026-03-04 08:00,temperature,39.2,degC,,{comment}
2026-03-04 08:00,SBP,118,mmHg,,
2026-03-04 08:00,oxygen_device,room air,,,
2026-03-04 08:00,{name},{value},,Dr. A,{reason}
"""


@pytest.mark.parametrize(
    ("told", "open_"),
    [
        ({"name": "note", "value": "the patient was intubated this morning"}, "oxygen_device"),
        ({"name": "nursing note", "value": "started norepinephrine"}, "norepinephrine"),
        ({"name": "ICE", "value": "10", "comment": "while on norepinephrine"}, "norepinephrine"),
        ({"name": "ICE", "value": "10", "comment": "off norepinephrine"}, ""),
        ({"name": "attribution", "value": "fever", "reason": "sepsis after intubation"}, ""),
    ],
)
def test_the_long_form_reads_its_notes_alike(tmp_path, told, open_):
    path = tmp_path / "l.csv"
    path.write_text(LONG.format(**{"comment": "", "reason": "", **told}), encoding="utf-8")
    (watch,) = monitor(read_record(path), age=50, weight=70)
    assert [one.analyte for one in watch.set_aside] == ([open_] if open_ else [])
    assert bool(watch.unknown) == bool(open_)


def a_bundle(*resources):
    return json.dumps(
        {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": one} for one in resources]}
    )


def an_observation(code, value, **more):
    return {
        "resourceType": "Observation", "status": "final", "subject": {"reference": "Patient/1"},
        "code": {"text": code}, "effectiveDateTime": "2026-03-04T08:00:00", **value, **more,
    }  # fmt: skip


@pytest.mark.parametrize(
    "resource",
    [
        an_observation(
            "Temperature", {"valueQuantity": {"value": 39.2, "unit": "Cel"}}, note=[{"text": "now on levophed"}]
        ),
        an_observation("Nursing narrative", {"valueString": "the patient needed levophed since early this morning"}),
    ],
    ids=["note", "narrative"],
)
def test_the_notes_of_fhir_are_read_alike(tmp_path, resource):
    infused = {
        "resourceType": "MedicationAdministration", "status": "completed", "subject": {"reference": "Patient/1"},
        "medicationCodeableConcept": {"text": "tisagenlecleucel"}, "effectiveDateTime": "2026-03-01T10:00:00",
    }  # fmt: skip
    pressure = an_observation("Systolic blood pressure", {"valueQuantity": {"value": 118, "unit": "mmHg"}})
    path = tmp_path / "b.json"
    path.write_text(a_bundle(infused, pressure, resource), encoding="utf-8")
    (watch,) = monitor(read_record(path), age=50, weight=70)
    assert "norepinephrine" in crs(watch).missing and "levophed" in watch.unknown[0]
