"""Names and times in tables that nothing knows: what they may be is unknown there, and said; hints are never absurd."""

import numpy as np
import pytest

from vein2vein.io.record import tables
from vein2vein.io.record.headers import near_names
from vein2vein.io.record.mapping import TableMapping
from vein2vein.io.record.record import Log

HEAD = "time,analyte,value,unit"


def entries(*lines, mapping=None):
    log = Log("record.csv")
    found, _, _ = tables.read_entries("\n".join(lines), mapping or TableMapping(), log)
    return found, log


def asides(log):
    return [(item.line, item.analyte, item.found) for item in log.items]


def test_an_unknown_name_in_the_unit_of_a_pressor_leaves_the_pressor_unknown_at_that_time():
    found, log = entries(
        HEAD, "2026-03-06 10:00,Levophed gtt 16mg,5,mcg/min", "2026-03-06 11:00,Levophed gtt 16mg,6,mcg/min"
    )
    assert [(e.name, e.unread, e.time.hour) for e in found] == [
        ("norepinephrine", True, 10),
        ("norepinephrine", True, 11),
    ]
    (note,) = log.notes
    assert "'Levophed gtt 16mg' (2 rows)" in note and "may be norepinephrine" in note and "[analytes]" in note


def test_an_unknown_name_that_is_nearly_a_graded_one_leaves_that_one_unknown():
    found, log = entries(HEAD, "2026-03-06 10:00,Temperatuer,39.5,degC", "2026-03-06 10:00,Potassium,4.1,mmol/L")
    assert [(e.name, e.unread) for e in found] == [("temperature", True)]
    assert asides(log) == [(3, "", "Potassium")] and any("may be temperature" in note for note in log.notes)


def test_an_unknown_name_without_a_value_leaves_nothing_unknown():
    found, _ = entries(HEAD, "2026-03-06 10:00,Temperatuer,,degC")
    assert found == []


def test_an_unknown_column_of_the_wide_form_is_unread_where_it_is_filled():
    found, log = entries("day,SBP,Levophed gtt [mcg/min],Mood", "1,80,,good", "2,85,7,bad")
    assert [(e.name, e.time, e.unread) for e in found] == [
        ("systolic_bp", 1, False), ("norepinephrine", 2, True), ("systolic_bp", 2, False),
    ]  # fmt: skip
    assert [found for _, _, found in asides(log)] == ["Mood"] and log.counts["names not known"] == 2
    assert log.counts["not known"] == 3 and any("may be norepinephrine" in note for note in log.notes)


@pytest.mark.parametrize(
    ("line", "analyte"),
    [
        ("yesterday,SBP,80,mmHg", "systolic_bp"),
        ("5-Mar,norepinephrine,5,ug/min", "norepinephrine"),
        (",ICE,3,", "ice"),
        ("2026-03-06 10:00,ICE", "ice"),  # the line ends early
        ("2026-03-06 10:00,tocilizumab,560,mg,,,9", "tocilizumab"),  # too many cells
        ("yesterday,Deauville,4,", ""),  # nothing at the bedside hangs on it
    ],
)
def test_a_row_that_cannot_be_placed_does_not_vanish_quietly(line, analyte):
    _, log = entries(HEAD, "2026-03-06 10:00,CRP,5,mg/L", line)
    (item,) = log.items
    assert (item.line, item.analyte) == (3, analyte)


def test_a_row_of_the_wide_form_without_a_time_tells_every_analyte_that_it_holds():
    found, log = entries("time,SBP,Temp", "2026-03-06 10:00,80,38", "soon,70,40")
    assert sorted(a for _, a, _ in asides(log)) == ["systolic_bp", "temperature"]
    assert [(e.name, e.time, e.unread) for e in found[2:]] == [("systolic_bp", None, True), ("temperature", None, True)]


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("feritin", ["ferritin"]), ("platelts", ["platelets"]), ("Tocilizumabe", ["tocilizumab"]),
        ("DOMAIN", []), ("LBSEQ", []), ("AMT", []), ("C", []), ("Braden score", []), ("VISIT", []), ("sodium", []),
        ("comment text", []), ("CHARGES", []),
    ],
)  # fmt: skip
def test_hints_are_slips_of_the_pen_and_never_absurd(name, near):
    assert near_names(name) == near


# ---------------------------------------------------------------- how wards write headers and pressures


@pytest.mark.parametrize(
    ("header", "cell", "wanted"),
    [
        ("ANC (K/µL)", "0.4", [("neutrophils", "0.4", "K/µL")]),
        ("ANC, K/uL", "0.4", [("neutrophils", "0.4", "K/uL")]),
        ("CRP mg/dL", "12", [("crp", "12", "mg/dL")]),
        ("Temp (F)", "102.1", [("temperature", "102.1", "F")]),
        ("Temp °F", "102.1", [("temperature", "102.1", "°F")]),
        ("Temp (oral)", "38.9", [("temperature", "38.9", "")]),
        ("BP", "88/50", [("systolic_bp", "88", "")]),
        ("NIBP (mmHg)", "88/50", [("systolic_bp", "88", "mmHg")]),
        ("BP", "BP 118/72", [("systolic_bp", "118", "")]),
        ("BP", "118/72 (87)", [("systolic_bp", "118", ""), ("mean_bp", "87", "")]),
        ("BP", "118/72 (MAP 87) mmHg", [("systolic_bp", "118", ""), ("mean_bp", "87", "")]),
        ("SBP", "88/palp", [("systolic_bp", "88", "")]),
        ("SBP", "88", [("systolic_bp", "88", "")]),
    ],
)
def test_headers_and_pressures(header, cell, wanted):
    quoted = f'"{header}"'
    found, _ = entries(f"day;{quoted}", f"1;{cell}")
    assert [(e.name, e.value, e.unit) for e in found] == wanted
    found, _ = entries("day;analyte;value;unit", f"1;{quoted};{cell};")
    assert [(e.name, e.value, e.unit) for e in found] == wanted


def test_one_number_under_bp_is_no_systolic_pressure():
    found, _ = entries("day,BP", "1,88")
    assert [(e.name, e.unread) for e in found] == [("systolic_bp", True)]


def test_a_temperature_column_in_which_degrees_are_mixed_is_right_or_not_read(table):
    r = table("day,Temp,ANC (K/µL),CRP mg/dL,BP", "0,,,,", "1,38.9,0.4,12,88/50", "2,102.1,0.5,1.2,90/60")
    assert r.course.values["temperature"][0].tolist() == pytest.approx([38.9, np.nan], nan_ok=True)
    assert r.course.values["crp"].tolist() == [[120, 12]] and r.course.values["systolic_bp"].tolist() == [[88, 90]]
    (aside,) = r.set_aside
    assert "Fahrenheit" in aside.what


def test_a_second_column_for_the_same_role_is_told():
    _, log = entries("time,time,analyte,value,unit", "2026-03-06 10:00,2026-03-07 10:00,CRP,5,mg/L")
    assert any("second column for 'time'" in note for note in log.notes) and log.counts["columns not read"] == 1


def test_the_log_counts_rows_blanks_unknown_names_and_columns():
    _, log = entries("time,analyte,value,unit,bed,flag", "2026-03-06 10:00,CRP,5,mg/L,1,H", "2026-03-06 10:00,ICE,,,1,",
                     "2026-03-06 10:00,ICE,not done,,1,", "2026-03-06 10:00,mood,good,,1,")  # fmt: skip
    assert {k: log.counts[k] for k in ("rows", "nothing measured", "names not known", "columns not read")} == {
        "rows": 4, "nothing measured": 2, "names not known": 1, "columns not read": 2,
    }  # fmt: skip
