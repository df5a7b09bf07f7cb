"""Records as tables: what is read, and what is set aside with file, line, column and remedy."""

import numpy as np
import pytest

from vein2vein.clinic.grades.monitoring import apply_overrides, grade
from vein2vein.errors import InputError
from vein2vein.io.record import tables, text
from vein2vein.io.record.read import example_record_text, read_record

ENTITY = b"<?xml version='1.0'?><!DOCTYPE a [<!ENTITY x SYSTEM 'file:///etc/passwd'>]><a>&x;</a>"


def only(record):
    assert len(record.set_aside) == 1, [str(s) for s in record.set_aside]
    return record.set_aside[0]


def value(record, name, day):
    j = int(np.flatnonzero(record.course.days == day)[0])
    return record.course.values[name][0, j]


def test_long_form(long):
    r = long(
        "0,car_t_infusion,1.2e8,cells,,",
        "3.5,CRP,12.5,mg/dL,,",
        "3.5,2276-4,4100,ng/mL,,high",
        "3.5,oxygen device,nasal cannula,,,",
    )
    assert (r.kind, r.read, r.set_aside) == ("long table", 4, ())
    assert value(r, "crp", 3.5) == 125 and value(r, "ferritin", 3.5) == 4100 and value(r, "oxygen_device", 3.5) == 1
    assert r.course.where_from["crp"][0, 1] == "record.csv:3"
    assert [row.origin for row in r.course.rows()] == ["given", "measured", "measured", "measured"]


def test_wide_form_with_units_in_the_header(table):
    r = table("day,CRP [mg/dL],Ferritin (ng/mL),ANC [K/uL],SBP", "0,1.5,200,2.1,110", "4,22,,0.3,84")
    assert r.kind == "wide table" and r.set_aside == ()
    assert value(r, "crp", 4) == 220 and value(r, "neutrophils", 4) == 0.3 and value(r, "systolic_bp", 4) == 84
    assert np.isnan(value(r, "ferritin", 4))
    assert r.course.where_from["crp"][0, 1] == "record.csv:3"


def test_dates_become_days_since_the_first_infusion(table):
    r = table(
        "time,analyte,value,unit",
        "2026-03-05 10:00,car_t_infusion,1e8,cells",
        "2026-03-15 10:00,car_t_infusion,1e8,cells",
        "2026-03-04,weight,39,kg",
        "2026-03-08 22:00,temperature,39.1,degC",
    )
    assert r.course.days.tolist() == [-1, 0, 3.5, 10] and r.facts.dated == (True,)


def test_a_german_export(table):
    r = table(
        "Datum;Zeit;Parameter;Wert;Einheit",
        "05.03.2026;10:00;car_t_infusion;1,2e8;cells",
        "08.03.2026;06:00;Ferritin;4.100,5;µg/L",
        "08.03.2026;06:00;Thrombozyten;41;Tsd/µl",
        "08.03.2026;06:00;Temperatur;39,2;°C",
        encoding="cp1252",
    )
    assert r.set_aside == () and any("Windows-1252" in n for n in r.notes)
    day = 2.833333
    assert (
        value(r, "ferritin", day) == 4100.5
        and value(r, "platelets", day) == 41
        and value(r, "temperature", day) == 39.2
    )


def test_facts_of_the_patient_in_rows_or_in_the_mapping(table):
    r = table(
        "time,analyte,value,unit",
        ",age,18 months,",
        ",sex,F,",
        ",height,80,cm",
        "2026-03-05,car_t_infusion,1e8,cells",
        "2026-03-01,weight,10,kg",
        "2026-03-09,weight,10.5,kg",
    )
    assert r.facts.age[0] == pytest.approx(1.5) and r.facts.sex == ("female",) and r.facts.weight[0] == 10
    r = table(
        "date,analyte,value,unit",
        "2026-03-09,CRP,9,mg/L",
        mapping='[patient]\nage = "11 years"\nweight = 39\ninfusion = 2026-03-05\ndisease = "pediatric_b_all"',
    )
    assert (r.facts.age[0], r.facts.weight[0], r.facts.disease) == (11, 39, ("pediatric_b_all",))
    assert r.course.days.tolist() == [4]


def test_mapping_names_columns_units_words_limits_and_zone(table):
    mapping = """
    time_zone = "America/New_York"
    date_format = "%Y%m%d %H%M"
    [columns]
    When = "time"
    What = "name"
    Result = "value"
    [analytes]
    "FERR-X" = { analyte = "ferritin", unit = "ng/mL" }
    [words.oxygen_device]
    Nasenbrille = 1
    [lloq]
    mrd = "0.01 %"
    [patient]
    infusion = "20260307 1200"
    """
    r = table(
        "When,What,Result",
        "20260308 1200,FERR-X,900",
        "20260308 1200,oxygen device,Nasenbrille",
        "20260308 1200,MRD,ND",
        mapping=mapping,
    )
    assert r.set_aside == () and r.course.days.tolist() == [pytest.approx(23 / 24, abs=1e-6)]
    assert r.course.values["mrd"][0, 0] == 1e-4 and r.course.below_lloq["mrd"][0, 0]


def test_a_mapping_beside_the_record_is_found(tmp_path, table):
    (tmp_path / "record.toml").write_text("[patient]\nage = 40\n")
    r = table("day,ICE", "3,9")
    assert r.facts.age[0] == 40 and any("beside" in n for n in r.notes)


@pytest.mark.parametrize(
    ("mapping", "said"),
    [
        ("colums = 1", "did you mean columns"),
        ("[columns]\nX = 'feritin'", "ferritin"),
        ("time_zone = 'Mars'", "unknown time zone"),
        ("decimal = ':'", "decimal"),
        ("[units]\nx = 'furlongs2'", "unknown unit"),
        ("[codes]\nx = 'crp'", "system|code"),
        ("encoding = 'hex'", "unknown encoding"),
        ("[lloq]\nmrd = 'low'", "number"),
        ("[patient]\nage = true", "text or a number"),
    ],
)
def test_faults_of_a_mapping_name_file_and_field(table, mapping, said):
    with pytest.raises(InputError, match=said) as caught:
        table("day,ICE", "3,9", mapping=mapping)
    assert caught.value.line


@pytest.mark.parametrize(
    ("row", "line", "said"),
    [
        ("1,ICE,11,,,", 3, "0 to 10"),
        ("1,weight,700,kg,,", 3, "1.5 to 350"),
        ("1,temperature,101.3,degC,,", 3, "38.5 in degC"),
        ("1,temperature,101.3,,,", 3, "Fahrenheit"),
        ("1,creatinine,1,mmHg,,", 3, "unit is not one of"),
        ("1,CRP,12,,,", 3, "without a unit"),
        ("1,feritin,12,ng/mL,,", 3, "erritin"),
        ("1,CRP,=1+2,mg/L,,", 3, "formula"),
        ("1,=cmd|calc,1,mg/L,,", 3, "formula"),
        ("1,MRD,ND,,,", 3, "lloq"),
        ("x,CRP,1,mg/L,,", 3, "not a number"),
        ("99999,CRP,1,mg/L,,", 3, "too far"),
        ("1,CRP,1,mg/L", 3, "ends early"),
        ("1,CRP,1,mg/L,,,,9", 3, "too many cells"),
        ('1,CRP,"1,mg/L,,', 3, "quote"),
        ("1,CRP,1\x00,mg/L,,", 3, "NUL"),
        ("1,ICE,7.5,,,", 3, "whole number"),
        ("1,fio2,40,,,", 3, "40 %"),
        ("1,spo2,0.97,,,", 3, "97 %"),
        ("1,attribution,fever,,,sepsis", 3, "author"),
        (",CRP,1,mg/L,,", 3, "no time"),
        ("1,override,crs = high,,A,", 3, "crs_astct = 2"),
        ("1,attribution,rain,,A,", 3, "attributed"),
        ("1,CRP,4 mg/L,mg/dL,,", 3, "two units"),
    ],
)
def test_what_is_doubtful_is_set_aside_and_the_good_rows_are_read(long, row, line, said):
    r = long("0,weight,39,kg,,", row, "2,platelets,41,K/uL,,")
    item = only(r)
    assert (item.line, item.file.endswith("record.csv")) == (line, True)
    assert said in str(item) and item.remedy
    assert value(r, "platelets", 2) == 41 and r.read == 2


def test_two_values_for_one_time_are_both_set_aside_in_any_order(long):
    rows = ["1,CRP,5,mg/L,,", "1,CRP,6,mg/L,,", "1,CRP,5,mg/L,,", "2,CRP,7,mg/L,,"]
    for order in ((0, 1, 2, 3), (0, 2, 1, 3), (3, 1, 2, 0)):
        r = long(*(rows[i] for i in order))
        np.testing.assert_array_equal(r.course.values["crp"], [[np.nan, 7]])
        assert r.course.unread["crp"].tolist() == [[True, False]] and len(r.set_aside) >= 2
        assert all("two values" in s.what and s.analyte == "crp" for s in r.set_aside)
    r = long("1,CRP,5,mg/L,,", "1,CRP,0.5,mg/dL,,")
    assert r.set_aside == () and r.read == 1 and any("twice" in n for n in r.notes)


def test_the_order_of_rows_does_not_matter(long):
    rows = [
        "0,car_t_infusion,1e8,cells,,",
        "1,tocilizumab,8,mg/kg,,",
        "0,weight,40,kg,,",
        "2,weight,42,kg,,",
        "1,CRP,<4,mg/L,,",
    ]
    one, other = long(*rows), long(*rows[::-1])
    for name in one.course.values:
        np.testing.assert_array_equal(one.course.values[name], other.course.values[name])
    assert one.course.values["tocilizumab"][0, 1] == 320 and one.course.below_lloq["crp"][0, 1]
    assert one.facts.weight == other.facts.weight == [40]


def test_day_0_missing_is_one_sentence(table):
    with pytest.raises(InputError, match=r"day 0 is missing.*car_t_infusion"):
        table("date,analyte,value,unit", "2026-03-05,CRP,9,mg/L")
    r = table("patient,date,day,analyte,value,unit", "1,2026-03-05,,CRP,9,mg/L", "2,,3,CRP,9,mg/L")
    assert "day 0 is missing" in only(r).what and r.read == 1


def test_below_the_limit_from_a_column_or_a_sign(table):
    r = table(
        "day,analyte,value,unit,LLOQ",
        "1,transgene,not detected,copies/ug,50",
        "2,transgene,<25,copies/ug,",
        "3,transgene,,copies/ug,50",
    )
    assert (
        r.course.values["transgene"].tolist() == [[50, 25]]
        and r.course.below_lloq["transgene"].all()
        and r.set_aside == ()
    )


def test_attributions_and_overrides_are_kept_with_their_author(table):
    r = table(
        "day,until,analyte,value,unit,author,comment",
        "3,5,attribution,fever,,Dr. A,bacteremia",
        "4,,override,crs_astct = 2,,Dr. B,seen at bedside",
        "4.5,4.75,attribution,icans,,Dr. B,sedation",
        *(f"{day},,temperature,39,degC,," for day in (2.5, 3, 4.5, 5.5, 6)),
    )
    assert r.set_aside == ()
    (fever,) = r.attributions
    assert (fever.finding, fever.grade, fever.cause, fever.first_day) == ("fever", None, "bacteremia", 3)
    assert 5.99 < fever.last_day < 6
    assert r.course.dense("fever_other_cause")[0].tolist() == pytest.approx([np.nan, 1, 1, 1, np.nan], nan_ok=True)
    crs, icans = r.overrides
    assert (crs.finding, crs.grade, crs.author, crs.reason) == ("crs_astct", 2, "Dr. B", "seen at bedside")
    assert (crs.first_day, crs.where_from) == (4, "record.csv:3") and 4.99 < crs.last_day < 5
    assert (icans.finding, icans.grade, icans.cause) == ("icans", None, "sedation")
    assert (icans.first_day, icans.last_day) == (4.5, 4.75)
    findings = grade(r.course, age=[40], weight=[70], scales=("crs_astct", "icans"))
    changed, audit = apply_overrides(findings, r.overrides, r.course)
    assert changed["crs_astct"].grade[0, 2] == 2 and {a.override.author for a in audit} == {"Dr. B"}


def test_a_dated_attribution_covers_its_calendar_day(table):
    r = table(
        "time,analyte,value,unit,author,comment",
        "2026-03-05 10:00,car_t_infusion,1e8,cells,,",
        *(f"2026-03-{t},temperature,39,degC,," for t in ("11 23:00", "12 07:00", "12 22:00", "13 01:00")),
        "2026-03-12,attribution,fever,,Dr. A,bacteremia",
    )
    flags = r.course.dense("fever_other_cause")[0]
    assert np.nan_to_num(flags).tolist() == [0, 0, 1, 1, 0]


def test_the_decimal_sign_is_found_or_the_number_set_aside(table):
    r = table("day;analyte;value;unit", "1;CRP;1,234;mg/L", "2;ferritin;900;ug/L")
    assert "decimal sign" in only(r).what and r.read == 1
    r = table("day;analyte;value;unit", "1;ferritin;1,234;ug/L", "2;ferritin;900,5;ug/L")
    assert r.course.values["ferritin"].tolist() == [[1.234, 900.5]]


def test_dates_whose_day_and_month_cannot_be_told_apart_are_set_aside(table):
    r = table("day,date,analyte,value,unit", "0,,car_t_infusion,1e8,cells", ",03/05/2026,CRP,4,mg/L")
    assert "date_order" in only(r).remedy


def test_identifiers_and_unknown_columns_are_not_read(table):
    r = table("last name,MRN,day,analyte,value,unit,ward", "Doe,77,1,CRP,4,mg/L,4B")
    assert r.facts.label == ("77",) and any("identifiers" in n for n in r.notes)
    r = table("day,CRP [mg/L],sodium [mmol/L]", "1,4,140")
    assert "not known" in only(r).what and r.read == 1


def test_quoted_cells_may_span_lines_and_an_open_quote_spoils_its_own_line_only(table):
    r = table(
        "day,analyte,value,unit,comment",
        '1,CRP,4,mg/L,"first',
        'second"',
        '2,CRP,"5,mg/L,',
        "3,CRP,6,mg/L,",
        "4,CRP,7,mg/L,",
    )
    assert r.course.values["crp"].tolist() == [[4, 6, 7]] and only(r).line == 4
    assert r.course.where_from["crp"].tolist() == [["record.csv:2", "record.csv:5", "record.csv:6"]]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty"),
        (b"\xef\xbb\xbf", "is empty"),
        (b"PK\x03\x04...", "Excel"),
        (b"%PDF-1.7", "PDF"),
        (ENTITY, "no entity"),
        (b"hello world", "header"),
        (b"day,analyte\n1,CRP", "header"),
        (b"\x00\x00\x00", "is empty"),
        (b"day,CRP [mg/L]\n", "no value"),
        (b"\x1f\x8bxx", "gzip"),
    ],
)
def test_a_file_of_another_kind_is_refused_in_one_sentence(tmp_path, content, said):
    path = tmp_path / "record.csv"
    path.write_bytes(content)
    with pytest.raises(InputError, match=said) as caught:
        read_record(path)
    assert caught.value.file == str(path)


def test_no_file_and_a_folder(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        read_record(tmp_path / "none.csv")
    with pytest.raises(InputError, match="folder"):
        read_record(tmp_path)


def test_utf_16_and_a_byte_order_mark(table):
    assert table("day,ICE", "3,9", encoding="utf-16").read == 1
    assert table("\ufeffday,ICE", "3,9").read == 1


def test_a_huge_file_is_read_up_to_a_limit_and_the_rest_is_said(table, monkeypatch):
    monkeypatch.setattr(text, "MOST_BYTES", 1000)
    r = table("day,CRP [mg/L]", *(f"{i},5" for i in range(2000)))
    assert "larger than" in only(r).what and 100 < r.read < 200 and only(r).line == r.read + 2
    monkeypatch.setattr(text, "MOST_BYTES", 10**6)
    monkeypatch.setattr(tables, "MOST_ROWS", 50)
    r = table("day,CRP [mg/L]", *(f"{i},5" for i in range(2000)))
    assert "rows" in only(r).what and r.read == 50


def test_the_example_is_read_whole(tmp_path):
    path = tmp_path / "record.csv"
    path.write_text(example_record_text(), encoding="utf-8")
    r = read_record(path)
    assert (
        r.set_aside == ()
        and r.facts.age[0] == 14
        and r.facts.product == ("tisagenlecleucel",)
        and len(r.attributions) == 1
    )
    assert value(r, "temperature", 3.333333) == pytest.approx(39.2777777778)


def test_a_weight_without_a_time_is_known_of_the_patient(tmp_path):
    path = tmp_path / "record.csv"
    path.write_text(
        "day,analyte,value,unit\n,weight,70,kg\n,age,40,years\n1,tocilizumab,8,mg/kg\n1,temperature,39,degC\n"
    )
    record = read_record(path)
    assert record.facts.weight.tolist() == [70.0] and not record.set_aside
    assert record.course.values["tocilizumab"].max() == 560.0


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace("\n", "\r"),  # an old Macintosh
        lambda text: text.replace("\n", "\r\n"),
        lambda text: "sep=,\n" + text,  # Excel
        lambda text: '"sep=,"\r\n' + text.replace("\n", "\r\n"),
        lambda text: "sep=;\n" + text.replace(",", ";"),
        lambda text: "\ufeff" + text,
    ],
)
def test_the_forms_in_which_programs_save_a_table(tmp_path, change):
    path = tmp_path / "record.csv"
    text = "day,analyte,value,unit\n1,temperature,39.5,degC\n2,temperature,38.5,degC\n"
    path.write_bytes(change(text).encode())
    record = read_record(path)
    assert record.course.values["temperature"].tolist() == [[39.5, 38.5]] and not record.set_aside


def test_some_times_with_a_zone_and_some_without_are_told(tmp_path):
    path = tmp_path / "record.csv"
    path.write_text(
        "time,analyte,value,unit\n2026-03-05T10:00:00+01:00,car_t_infusion,1e8,cells\n"
        "2026-03-06 10:00,temperature,39,degC\n"
    )
    record = read_record(path)
    assert any("time_zone" in note for note in record.notes) and record.course.days.tolist() == [0.0, 1.0]


def test_a_death_and_its_cause_in_words(tmp_path):
    path = tmp_path / "record.csv"
    path.write_text("day,analyte,value,unit\n5,temperature,39,degC\n6,vital status,died,\n6,cause of death,CRS,\n")
    values = read_record(path).course.values
    assert values["alive"][0, -1] == 0 and values["death_cause"][0, -1] == 1


def test_a_grade_that_a_finding_cannot_have_is_set_aside_where_it_stands(tmp_path):
    path = tmp_path / "record.csv"
    path.write_text(
        "day,analyte,value,unit,author\n1,temperature,39,degC,\n1,override,b_cell_aplasia = 4,,Dr. A\n"
        "1,override,crs_astct = 5,,Dr. A\n"
    )
    record = read_record(path)
    (aside,) = record.set_aside
    assert aside.line == 3 and "0 to 1" in aside.expected
    assert [one.grade for one in record.overrides] == [5]
