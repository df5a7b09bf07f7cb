"""Tables of public formats as they come: what is read of each without a mapping, what is left out, and why."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from vein2vein.errors import InputError
from vein2vein.io.record import presets, tables
from vein2vein.io.record.folder import read_records
from vein2vein.io.record.mapping import TableMapping
from vein2vein.io.record.read import read_record
from vein2vein.io.record.record import Log
from vein2vein.io.record.text import read_text

FORMATS = Path(__file__).with_name("formats")
INFUSIONS = {"sdtm": ("CT1-001", "2026-03-05T10:00"), "omop": ("7", "2026-03-05T10:00"),
             "mimic": ("10", "2150-03-05T10:00"), "flowsheet": ("900", "2026-03-05T10:00")}  # fmt: skip

# Each file was written by hand from the specification of its format. (preset, rows that give a value, what they say)
READ = {
    "sdtm_lb": (
        "sdtm_lb",
        [
            ("neutrophils", "0.4", "10^9/L"),
            ("platelets", "<25", "10^9/L"),
            ("creatinine", "0.9", "mg/dL"),
            ("ferritin", "1200", "ug/L"),
            ("il6", "850", "ng/L"),
        ],
    ),
    "sdtm_vs": (
        "sdtm_vs",
        [
            ("temperature", "102.2", "F"),
            ("systolic_bp", "84", "mmHg"),
            ("spo2", "93", "%"),
            ("weight", "70", "kg"),
        ],
    ),
    "sdtm_ex": (
        "sdtm_ex",
        [
            ("fludarabine", "54", "mg"),
            ("cyclophosphamide", "900", "mg"),
            ("car_t_infusion", "140000000", "cells"),
        ],
    ),
    "sdtm_cm": (
        "sdtm_cm",
        [
            ("tocilizumab", "560", "mg"),
            ("dexamethasone", "10", "mg"),
            ("norepinephrine", "given", ""),
        ],
    ),
    "omop_measurement": (
        "omop_measurement",
        [
            ("neutrophils", "0.4", "10*3/uL"),
            ("platelets", "<25", "10*3/uL"),
            ("temperature", "102.2", "degF"),
            ("systolic_bp", "84", "mmHg"),
            ("oxygen_device", "1", ""),
            ("oxygen_flow", "3", "L/min"),
            ("ferritin", "1200", "ng/mL"),
            ("oxygen_device", "concept 999999", ""),
        ],
    ),
    "omop_observation": ("omop_observation", [("temperature", "39.0", "Cel"), ("oxygen_device", "Room air", "")]),
    "omop_drug_exposure": (
        "omop_drug_exposure",
        [
            ("car_t_infusion", "given", ""),
            ("dexamethasone", "given", ""),
            ("tocilizumab", "given", ""),
        ],
    ),
    "omop_device_exposure": (
        "omop_device_exposure",
        [
            ("oxygen_device", "1", ""),
            ("oxygen_device", "3", ""),
            ("oxygen_device", "tracheostomy tube", ""),
        ],
    ),
    "mimic_chartevents": (
        "mimic_events",
        [
            ("temperature", "102.2", "°F"),
            ("systolic_bp", "84", "mmHg"),
            ("oxygen_device", "Nasal cannula", ""),
            ("oxygen_flow", "3", "L/min"),
            ("spo2", "93", "%"),
        ],
    ),
    "mimic_labevents": (
        "mimic_events",
        [
            ("neutrophils", "0.4", "K/uL"),
            ("platelets", "24", "K/uL"),
            ("ferritin", "1200", "ng/mL"),
            ("crp", "___", "mg/L"),
        ],
    ),
    "mimic_inputevents": (
        "mimic_inputevents",
        [
            ("norepinephrine", "0.1", "mcg/kg/min"),
            ("norepinephrine", "0.05", "mcg/kg/min"),
        ],
    ),
    "flowsheet": (
        "flowsheet_rows",
        [
            ("temperature", "102.2", "°F"),
            ("systolic_bp", "84", "mmHg"),
            ("systolic_bp", "88", "mmHg"),
            ("mean_bp", "64", "mmHg"),
            ("spo2", "93", "%"),
            ("oxygen_device", "Nasal cannula", ""),
            ("oxygen_flow", "3", "L/min"),
            ("ice", "8", ""),
            ("temperature", "37.0", "C"),
        ],
    ),
}


def entries(name, mapping=None):
    path = FORMATS / f"{name}.csv"
    log = Log(str(path))
    found, _, _ = tables.read_entries(read_text(path, log), mapping or TableMapping(), log)
    return found, log


def infusion_of(name):
    label, when = INFUSIONS[name.partition("_")[0]]
    return TableMapping(infusions={label: when})


@pytest.mark.parametrize("name", READ)
def test_a_table_is_known_by_its_header_and_its_rows_are_read(name):
    found, log = entries(name)
    preset, wanted = READ[name]
    assert any(f"(the preset {preset})" in note for note in log.notes)
    assert [(e.name, e.value, e.unit) for e in found if not e.unread] == wanted


def test_there_is_a_file_for_every_preset_with_rows():
    shown = {preset for preset, _ in READ.values()}
    assert shown == {name for name, preset in presets.all_presets().items() if not preset.nothing}


# What must not be taken for the value of an analyte, and where it is told.
@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("sdtm_lb", "EGFR (1)"),  # the growth-factor receptor, no filtration
        ("sdtm_lb", "LBSPEC is URINE"),  # urine creatinine
        ("sdtm_lb", "LBSTAT is NOT DONE"),
        ("sdtm_cm", "CMROUTE is OPHTHALMIC"),  # eye drops
        ("sdtm_cm", "CMOCCUR is N"),
        ("omop_measurement", "3008342 (1)"),  # neutrophils in percent
        ("omop_device_exposure", "4030875 (1)"),
        ("mimic_labevents", "51082 (1)"),  # urine creatinine
        ("mimic_chartevents", "224691 (1)"),  # a flow that is none of oxygen
        ("mimic_inputevents", "statusdescription is Rewritten"),
    ],
)
def test_what_is_no_value_is_left_out_and_told(name, said):
    _, log = entries(name)
    assert any(said in note for note in log.notes), list(log.notes)


def test_a_row_that_only_has_a_study_day_is_set_aside_and_not_counted_from_the_infusion():
    found, log = entries("sdtm_lb")
    (aside,) = log.items
    assert "study day" in aside.what and aside.analyte == "white_cells" and "LBDY" in aside.remedy
    found, log = entries("sdtm_lb", TableMapping(columns={"lbdy": "day"}))
    assert [e.time for e in found if e.name == "white_cells"] == [8.0] and not log.items


def test_an_unknown_name_of_a_flowsheet_that_points_to_a_pressor_is_unread_there():
    found, log = entries("flowsheet")
    (unread,) = [e for e in found if e.unread]
    assert unread.name == "norepinephrine" and unread.time.hour == 8
    assert any("may be norepinephrine" in note for note in log.notes)
    assert {"Pulse", "Braden score"} <= {item.found for item in log.items if not item.analyte}


@pytest.mark.parametrize("name", [n for n in READ if not n.endswith(("_ex", "_drug_exposure"))])
def test_a_table_without_the_infusion_says_where_it_stands_and_what_to_add(name):
    with pytest.raises(InputError) as caught:
        read_record(FORMATS / f"{name}.csv")
    said = str(caught.value)
    assert "day 0 is missing" in said and "infusion = " in said and "[infusions]" in said
    assert presets.all_presets()[READ[name][0]].infusion in said


@pytest.mark.parametrize(
    ("name", "analyte", "value"),
    [
        ("sdtm_lb", "neutrophils", 0.4),
        ("sdtm_vs", "temperature", 39),
        ("omop_measurement", "temperature", 39),
        ("mimic_chartevents", "systolic_bp", 84),
        ("mimic_labevents", "ferritin", 1200),
        ("flowsheet", "mean_bp", 64),
    ],
)
def test_with_the_infusion_in_a_mapping_the_values_stand_in_the_course(name, analyte, value):
    course = read_record(FORMATS / f"{name}.csv", mapping=infusion_of(name)).course
    assert np.nanmin(course.values[analyte]) == pytest.approx(value)


def test_the_end_of_a_period_goes_with_its_row():
    found, _ = entries("mimic_inputevents")
    assert [(e.time.hour, e.until.hour) for e in found] == [(20, 23), (23, 1)]


def test_a_score_in_words_is_read_by_the_number_beside_it():
    header = ["subject_id", "itemid", "charttime", "value", "valuenum", "valueuom"]
    rows = [
        (2, ["1", "228096", "2150-03-07", "-2 Light sedation", "-2", ""]),
        (3, ["1", "51265", "2150-03-07", "<5", "", "K/uL"]),
    ]
    preset = presets.find_preset(header)
    found = list(presets.standard_rows(preset, rows, header, {}, Counter()))
    assert [(cells[3], cells[4], cells[5]) for _, cells in found] == [("RASS", "-2", ""), ("platelets", "<5", "K/uL")]


def test_infusions_of_patients_who_are_not_in_the_file_are_told():
    given = TableMapping(infusions={"CT1-001": "2026-03-05", "CT1-999": "2026-03-05"})
    record = read_record(FORMATS / "sdtm_vs.csv", mapping=given)
    assert record.read == 4 and any("CT1-999" in note for note in record.notes)


@pytest.mark.parametrize(
    ("header", "said"),
    [
        ("STUDYID,USUBJID,AETERM,AEDECOD,AESTDTC", "adverse events"),
        ("STUDYID,USUBJID,RFSTDTC,AGE,SEX", "who the patients are"),
        ("STUDYID,DOMAIN,USUBJID,AGE,AGEU,SEX", "who the patients are"),
        ("person_id,gender_concept_id,year_of_birth", "who the patients are"),
    ],
)
def test_a_table_without_values_says_what_it_is_and_which_to_give(tmp_path, header, said):
    path = tmp_path / "t.csv"
    path.write_text(f"{header}\n{','.join('1' for _ in header.split(','))}\n")
    with pytest.raises(InputError, match=said):
        read_record(path)


def test_who_the_patients_are_is_read_where_the_values_stand_in_other_tables():
    assert [(e.patient, e.name, e.value, e.unit) for e in entries("sdtm_dm")[0]] == [
        ("CT1-001", "age", "54", "years"), ("CT1-001", "sex", "F", ""),
    ]  # fmt: skip
    assert [(e.patient, e.name, e.value) for e in entries("omop_person")[0]] == [
        ("7", "sex", "female"), ("7", "birth_date", "1971-05-02 00:00:00"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("parts", "birth"),
    [
        ("1971,5,2", "1971-05-02"), ("1971,5,", "1971-05"), ("1971,,", "1971"), ("1971,,2", "1971"),
        ("1971.0,5.0,2.0", "1971-05-02"), (",5,2", None), ("0,5,2", None),
    ],
)  # fmt: skip
def test_the_parts_of_a_birth_are_one_date_as_far_as_they_are_known(parts, birth):
    header = ["person_id", "gender_concept_id", "year_of_birth", "month_of_birth", "day_of_birth", "birth_datetime"]
    preset = presets.find_preset(header)

    def births(last):
        rows = [(2, ["7", "8532", *parts.split(","), last])]
        return [
            row[4] for _, row in presets.standard_rows(preset, rows, header, {}, Counter()) if row[3] == "birth_date"
        ]

    assert births("") == ([birth] if birth else []) and births("1960-01-01") == ["1960-01-01"]


@pytest.mark.parametrize("unit", ["cells", "CELLS"])
def test_cells_of_a_trial_are_cells_in_capitals_too(tmp_path, unit):
    (tmp_path / "ex.csv").write_text(
        f"USUBJID,EXTRT,EXDOSE,EXDOSU,EXSTDTC\nCT1-001,TISAGENLECLEUCEL,140000000,{unit},2026-03-05T10:00\n"
    )
    (course,) = read_record(tmp_path / "ex.csv").courses
    assert course.dense("car_t_infusion").tolist() == [[1.4e8]]


def test_persons_of_a_trial_with_their_age_only_stand_beside_its_tables(tmp_path):
    (tmp_path / "dm.csv").write_text("DOMAIN,USUBJID,AGE,AGEU,SEX\nDM,CT1-001,54,YEARS,F\n")
    (tmp_path / "ex.csv").write_text(
        "USUBJID,EXTRT,EXDOSE,EXDOSU,EXSTDTC\nCT1-001,TISAGENLECLEUCEL,140000000,CELLS,2026-03-05T10:00\n"
    )
    facts = read_records(tmp_path).facts
    assert facts.label == ("CT1-001",) and facts.age.tolist() == [54] and facts.sex == ("female",)


def test_a_mapping_may_say_that_a_table_is_of_no_public_format(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("subject_id,charttime,itemid,value,valueuom\n1,2026-03-06 10:00,temperature,39,degC\n")
    how = {"charttime": "time", "itemid": "name", "value": "value", "valueuom": "unit", "subject id": "patient"}
    mapping = TableMapping(preset="none", columns=how, patient={"infusion": "2026-03-05 10:00"})
    assert read_record(path, mapping=mapping).course.values["temperature"].tolist() == [[39]]


def test_a_preset_that_a_mapping_names_and_whose_columns_are_not_there_is_told(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("day,analyte,value,unit\n1,temperature,39,degC\n")
    with pytest.raises(InputError, match="has not the columns of CDISC SDTM: laboratory"):
        read_record(path, mapping=TableMapping(preset="sdtm_lb"))


def test_every_code_leads_to_an_analyte_or_to_a_name_that_points_to_one():
    from vein2vein.analytes import all_analytes
    from vein2vein.io.record.headers import split_name

    later = {"RASS", "GCS eye", "GCS verbal", "GCS motor", "GCS total"}
    later |= {"betamethasone", "hydrocortisone", "prednisolone", "prednisone", "ruxolitinib"}
    for preset in presets.all_presets().values():
        for code, target in preset.names.items():
            name = target.partition(" = ")[0]
            assert not name or name in later or split_name(name, {})[0] in {*all_analytes(), "height"}, (code, target)
