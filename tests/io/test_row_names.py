"""Rows named after a device, a group of drugs or a finding; symbols; what cannot be read beside a normal value.

As in ``test_ward_words``: ``>=1`` at least, ``>0`` above, ``?`` charted and not known, ``-`` not charted.
"""

import json
import math

import pytest

from vein2vein.analytes import all_analytes
from vein2vein.io.record.charted import is_whole
from vein2vein.io.record.read import read_record


def read(path, *rows):
    path = path / "record.csv"
    path.write_text("\n".join(("day,analyte,value,unit", "3,CRP,5,mg/L", *rows)) + "\n", encoding="utf-8")
    return read_record(path)


def shown(record, name):
    """The newest cell of an analyte, as the tables below write it."""
    course = record.course
    if name not in course.values:
        return "-"
    at = 0, len(course.days) - 1
    value = course.values[name][at]
    if course.marked(course.unread, name)[at]:
        assert math.isnan(value)
        return "?"
    if math.isnan(value):
        return "-"
    over, under = course.marked(course.above, name)[at], course.marked(course.below_lloq, name)[at]
    sign = (">" if over else "<" if under else "") + ("=" if is_whole(all_analytes()[name]) and (over or under) else "")
    return f"{sign}{value:g}"


def told(record, *analytes):
    return " ".join(shown(record, name) for name in analytes)


DEVICES = """
mechanical ventilation,yes,|5 / ventilated,yes,|5 / intubated,yes,|5 / ETT size,7.5,|5 / vent mode,AC,|5 / ECMO,on,|5
Beatmung,ja,|5 / ventilación mecánica,si,|5 / respirador,si,|5 / NIV,on,|4 / BiPAP,16/8,|4 / CPAP,on,|4 / VNI,oui,|4
HFNC,40,L/min|3 / high flow,yes,|3 / NRB,yes,|2 / face mask,yes,|2
NC,2,L/min|1 / PEEP,8,|>=4 / tidal volume,420,mL|>=4
mechanical ventilation,no,|0 / BiPAP,off,|0 / ECMO,none,|0 / PEEP,0,|0 / NC,,|0 / BiPAP,standby?,|? / NIV,qzx,|?
"""


@pytest.mark.parametrize("row", [one for line in DEVICES.strip().splitlines() for one in line.split(" / ")])
def test_a_row_named_after_a_device_holds_beside_room_air(tmp_path, row):
    text, expected = row.split("|")
    assert told(read(tmp_path, f"3,{text}", "3,oxygen device,room air,"), "oxygen_device") == expected


PRESSORS = """
pressors,yes,|>=1 - / pressor support,on,|>=1 - / on pressors?,yes,|>=1 - / Katecholamine,ja,|>=1 - / aminas,si,|>=1 -
vasoactives,12,|>=1 - / VIS,12,|>=1 - / inotropes,+,|>=1 - / pressors,none,|0 - / pressors,weaned off,|0 -
pressors,0,|0 -
pressors,norepinephrine,|- >0 / Drips,levophed 4 mcg/min,|- >0 / infusions,Levo 4 propofol 20,|- >0 / gtt,norepi,|- >0
drogas vasoactivas,noradrenalina,|- >0 / levo,on,|- >0 / norepinefrina,si,|- >0 / norepinephrine,+,|- >0
pressors,norepi?,|- ? / pressors,qzx,|? - / drips,yes,|? - / norepinephrine,2→0,|- 0 / Akrinor,2,mL|- -
"""


@pytest.mark.parametrize("row", [one for line in PRESSORS.strip().splitlines() for one in line.split(" / ")])
def test_rows_of_a_group_of_vasopressors(tmp_path, row):
    text, expected = row.split("|")
    assert told(read(tmp_path, f"3,{text}"), "other_vasopressors", "norepinephrine") == expected


@pytest.mark.parametrize(
    ("row", "analyte", "expected"),
    [
        ("steroids,yes,", "dexamethasone", ">0"), ("steroid,dex 10,", "dexamethasone", ">0"),
        ("corticoides,si,", "dexamethasone", ">0"), ("steroids,no,", "dexamethasone", "-"),
        ("IL-6 blockade,yes,", "other_anticytokine", "1"), ("anti IL-6,tocilizumab,", "tocilizumab", ">0"),
        ("EEG,status,", "seizure", "2"), ("EEG,no seizures,", "seizure", "0"), ("EEG,qzx,", "seizure", "?"),
        ("seizure precautions,on,", "seizure", "0"), ("pupils,blown right,", "raised_pressure", "?"),
        ("pupils,PERRL,", "raised_pressure", "-"), ("aphasia,yes,", "ice", "?"), ("aphasia,no,", "ice", "10"),
        ("speech,word finding difficulty,", "ice", "?"), ("speech,fluent,", "ice", "10"),
        ("handwriting,illegible,", "ice", "?"), ("orientation,x2,", "ice", "?"), ("orientation,x4,", "ice", "10"),
        ("oriented,person only,", "ice", "?"), ("CRRT,running,", "temperature", "?"),
        ("Arctic Sun,on,", "temperature", "?"), ("cooling blanket,off,", "temperature", "36.8"),
        ("ICE,8,", "ice", "?"), ("xqz,tonic-clonic,", "seizure", "?"), ("oxygen devcie,mask,", "oxygen_device", "?"),
        ("FiO2,60,%", "oxygen_device", "?"), ("RASS,-3 qzx,", "arousal", "?"), ("GCS eye,C,", "arousal", "0"),
    ],
)  # fmt: skip
def test_findings_and_what_is_not_understood_win_over_a_normal_value(tmp_path, row, analyte, expected):
    normal = ("temperature,36.8,degC", "oxygen device,room air,", "ICE,10,", "arousal,awake,", "seizure,none,")
    assert told(read(tmp_path, f"3,{row}", *(f"3,{one}" for one in normal)), analyte) == expected


@pytest.mark.parametrize(("device", "expected"), [("HFNC", ">=3"), ("ventilator", "5"), ("room air", "?")])
def test_a_severe_value_stays_as_a_bound_beside_what_is_not_understood(tmp_path, device, expected):
    record = read(tmp_path, f"3,oxygen device,{device},", "3,oxygen devcie,qzx,")
    assert told(record, "oxygen_device") == expected


@pytest.mark.parametrize("text", ["+", "(+)", "++", "✓", "☑", "√"])
def test_a_plus_or_a_check_mark_is_a_yes(tmp_path, text):
    assert told(read(tmp_path, f"3,seizure,{text},", f"3,motor weakness,{text},"), "seizure", "motor_weakness") in (
        ">=1 1", ">=1 >=1",
    )  # fmt: skip


@pytest.mark.parametrize("text", ["☒", "●", "•", "*", "!", "↑", "^", "~", "%", "#", "??", "...", "👍"])
def test_other_symbols_are_not_understood(tmp_path, text):
    record = read(tmp_path, f"3,seizure,{text},", f"3,norepinephrine,{text},", f"3,platelets,{text},10*9/L")
    assert told(record, "seizure", "norepinephrine", "platelets") == "? ? ?"


@pytest.mark.parametrize("text", ["-", "--", ".", "", "–"])
def test_a_blank_says_nothing(tmp_path, text):
    assert told(read(tmp_path, f"3,seizure,{text},"), "seizure") == "-"


@pytest.mark.parametrize("time", ["", "8pm", "20:00", "2026-13-08"])
def test_a_sign_at_a_time_that_cannot_be_read_may_be_of_now(tmp_path, time):
    rows = ("2026-03-05,car_t_infusion,1e8,cells", "2026-03-08,seizure,none,", f"{time},seizure,status,")
    path = tmp_path / "chart.csv"
    path.write_text("\n".join(("time,analyte,value,unit", *rows)) + "\n", encoding="utf-8")
    assert told(read_record(path), "seizure") == "?"


@pytest.mark.parametrize("text", ["10-1", "10 - 1"])
def test_a_falling_range_of_a_score_is_not_understood(tmp_path, text):
    assert told(read(tmp_path, f"3,ICE,{text},"), "ice") == "?"


@pytest.mark.parametrize("text", ["A", "alert & oriented x4", "A&Ox4", "wach und orientiert"])
def test_awake_as_wards_write_it(tmp_path, text):
    assert told(read(tmp_path, f"3,arousal,{text},"), "arousal") == "0"


@pytest.mark.parametrize(
    "name", ["CAR-T infusion #2", "reinfusion", "second CAR-T infusion", "2nd infusion", "Kymriah #2"]
)
def test_a_second_infusion(tmp_path, name):
    assert told(read(tmp_path, f"3,{name},100000000,cells"), "car_t_infusion") == "1e+08"


ICD10 = "http://hl7.org/fhir/sid/icd-10-cm"


@pytest.mark.parametrize(
    ("code", "analyte", "expected"),
    [
        ({"text": "Status epilepticus"}, "seizure", "2"), ({"text": "Seizure"}, "seizure", ">=1"),
        ({"coding": [{"system": ICD10, "code": "G41.9"}]}, "seizure", "2"),
        ({"coding": [{"system": ICD10, "code": "R56.9"}]}, "seizure", ">=1"),
        ({"text": "Left hemiparesis"}, "motor_weakness", "1"), ({"text": "Aphasia"}, "ice", "?"),
        ({"text": "Cerebral edema"}, "cerebral_edema", ">=1"),
        ({"text": "Diffuse cerebral edema"}, "cerebral_edema", "2"), ({"text": "Coma"}, "arousal", "4"),
        ({"text": "Septic shock"}, "systolic_bp", "?"), ({"text": "History of seizure"}, "seizure", "-"),
        ({"text": "No seizure"}, "seizure", "-"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("kind", ["Condition", "AdverseEvent"])
def test_a_diagnosis_after_the_infusion_is_a_sign(tmp_path, kind, code, analyte, expected):
    when = "2026-03-08T10:00:00+01:00"
    who = {"subject": {"reference": "Patient/p1"}}
    told_as = {"code": code, "onsetDateTime": when} if kind == "Condition" else {"event": code, "date": when}
    infusion = {"coding": [{"system": "urn:vein2vein:analyte", "code": "car_t_infusion"}]}
    found = [
        {"resourceType": "Patient", "id": "p1", "birthDate": "1970-05-01"},
        {"resourceType": "Procedure", "status": "completed", "code": infusion, **who,
         "performedDateTime": "2026-03-05T10:00:00+01:00"},
        {"resourceType": "Observation", "status": "final", "effectiveDateTime": when, **who, "valueQuantity":
         {"value": 37, "code": "Cel"}, "code": {"coding": [{"system": "http://loinc.org", "code": "8310-5"}]}},
        {"resourceType": kind, **told_as, **who},
    ]  # fmt: skip
    path = tmp_path / "chart.json"
    bundle = {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": one} for one in found]}
    path.write_text(json.dumps(bundle), encoding="utf-8")
    assert told(read_record(path), analyte) == expected
