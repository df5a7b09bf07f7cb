"""The mapping that check proposes: it names what was found, and a table read with it gives the same record."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vein2vein.errors import InputError
from vein2vein.io.check import check_file
from vein2vein.io.record.mapping import TableMapping, read_mapping
from vein2vein.io.record.proposal import propose
from vein2vein.io.record.read import example_record_text, read_record

FORMATS = Path(__file__).with_name("formats")
TABLES = {
    "example": example_record_text(),
    "wide": "day,Temp,ANC (K/µL),CRP mg/dL,BP,Mood\n0,37,2,1,118/72,good\n1,38.9,0.4,12,88/50,bad\n",
    "german": "Datum;Zeit;Parameter;Wert;Einheit\n05.03.2026;10:00;car_t_infusion;1,2e8;cells\n"
    "08.03.2026;06:00;Ferritin;4.100,5;ug/L\n08.03.2026;06:00;Temperatur;39,2;degC\n",
    "serials": "time,analyte,value,unit\n46086.5,car_t_infusion,1e8,cells\n46088.5,temperature,39,degC\n",
    "american": "time,analyte,value,unit\n3/5/2026 10:00,car_t_infusion,1e8,cells\n3/25/2026 10:00,SBP,80,mmHg\n"
    "3/6/26 10:00,SBP,90,mmHg\n",
    "unknown names": "day,analyte,value,unit\n1,temperature,39,degC\n1,Levophed gtt,5,mcg/min\n1,mood,3,\n",
    "odd headers": 'day,"CRP ""x"" [mg/L]",CRP,crp,,SBP\n1,5,,,1,80\n2,6,,,2,90\n',
}


def same(one, other):
    assert one.course.days.tolist() == other.course.days.tolist() and set(one.course.values) == set(other.course.values)
    for name, values in one.course.values.items():
        np.testing.assert_array_equal(values, other.course.values[name])
    assert one.set_aside == other.set_aside and one.facts.label == other.facts.label and one.read == other.read


def written(path, folder, mapping=None):
    found = propose(path, mapping or TableMapping())
    (folder / "proposed.toml").write_text(found.text, encoding="utf-8")
    return found, read_mapping(folder / "proposed.toml")


@pytest.mark.parametrize("name", TABLES)
def test_what_is_written_is_read_back_and_gives_the_same_record(name, tmp_path):
    path = tmp_path / "record.csv"
    path.write_text(TABLES[name], encoding="utf-8")
    _, mapping = written(path, tmp_path)
    same(read_record(path), read_record(path, mapping=mapping))


@pytest.mark.parametrize(
    "path",
    sorted(p for p in FORMATS.glob("*.csv") if "_dm" not in p.stem and "_person" not in p.stem),
    ids=lambda path: path.stem,
)
def test_the_mapping_of_a_public_format_names_its_preset_and_gives_the_same_record(path, tmp_path):
    label = path.read_text().splitlines()[1].split(",")[2 if path.stem.startswith("sdtm") else 0]
    label = {"omop": "7", "mimic": "10"}.get(path.stem.partition("_")[0], label)
    when = "2150-03-05T10:00" if path.stem.startswith("mimic") else "2026-03-05T10:00"
    given = TableMapping(infusions={label: when})
    found, mapping = written(path, tmp_path, given)
    assert mapping.preset.startswith(path.stem.partition("_")[0]) and mapping.preset in found.summary[0]
    try:
        one = read_record(path, mapping=given)
    except InputError as problem:
        with pytest.raises(InputError) as caught:
            read_record(path, mapping=mapping)
        assert str(caught.value) == str(problem)
    else:
        same(one, read_record(path, mapping=mapping))


def test_what_a_mapping_says_already_is_kept(tmp_path):
    path = tmp_path / "record.csv"
    path.write_text("When;What;Result\n20260308 1200;FERR-X;900\n20260308 1200;O2;Nasenbrille\n20260308 1200;MRD;ND\n")
    own = tmp_path / "own.toml"
    own.write_text(
        'time_zone = "America/New_York"\ndate_format = "%Y%m%d %H%M"\n[columns]\nWhen = "time"\nWhat = "name"\n'
        'Result = "value"\n[analytes]\n"FERR-X" = { analyte = "ferritin", unit = "ng/mL" }\nO2 = "oxygen_device"\n'
        '[words.oxygen_device]\nNasenbrille = 1\n[lloq]\nmrd = "0.01 %"\n[units]\n"Tsd." = "10*3/uL"\n'
        "[patient]\ninfusion = 2026-03-07T12:00:00\nage = 54\n"
    )
    first = read_mapping(own)
    _, mapping = written(path, tmp_path, first)
    same(read_record(path, mapping=first), read_record(path, mapping=mapping))
    assert mapping.patient == first.patient and mapping.units == first.units and str(mapping.zone) == str(first.zone)


def test_what_is_not_known_stands_there_with_a_suggestion_to_take_up(tmp_path):
    path = tmp_path / "record.csv"
    path.write_text(TABLES["unknown names"])
    found, _ = written(path, tmp_path)
    assert '# "Levophed gtt" = ' in found.text and any("mood" in line for line in found.summary)
    taken = found.text.replace('# "Levophed gtt" = "analyte"', '"Levophed gtt" = "norepinephrine"')
    (tmp_path / "m.toml").write_text(taken.replace('# "Levophed gtt"', '"Levophed gtt"'))
    record = read_record(path, mapping=tmp_path / "m.toml")
    assert record.course.values["norepinephrine"].tolist() == [[5]]


def test_of_a_header_that_says_nothing_the_columns_are_guessed_by_what_stands_in_them(tmp_path):
    path = tmp_path / "record.csv"
    path.write_text("wann,was,res,u\n2026-03-05 10:00,car_t_infusion,1e8,cells\n2026-03-06 10:00,Temp,39,degC\n")
    report = check_file(path)
    assert not report.fit and "wann = time, was = name, res = value, u = unit" in report.mapping[0]
    assert '# "wann" = "time"' in report.proposal  # nobody but the reader takes the sign away
    (tmp_path / "m.toml").write_text(report.proposal.replace('# "', '"'))
    assert read_record(path, mapping=tmp_path / "m.toml").course.values["temperature"][0, 1] == 39


def test_what_is_no_table_has_no_mapping(tmp_path):
    path = tmp_path / "notes.txt"
    path.write_text("hello\nworld\n")
    assert check_file(path).proposal == ""
    with pytest.raises(InputError):
        propose(path, TableMapping())


HEADS = st.sampled_from(
    ["day", "time", "SBP", "CRP [mg/L]", "crp mg/dL", "x", "", "Temp (F)", "weight", "patient", "BP", "ANC"]
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(HEADS, min_size=2, max_size=7), st.lists(st.lists(st.sampled_from(["1", "2", "", "80", "88/50", "x"]),
       min_size=7, max_size=7), min_size=1, max_size=4))  # fmt: skip
def test_any_wide_table_is_read_alike_with_the_mapping_that_is_written_for_it(tmp_path, header, cells):
    path = tmp_path / "record.csv"
    path.write_text("\n".join(",".join(line[: len(header)]) for line in [header, *cells]))
    try:
        one = read_record(path)
    except InputError:
        return
    _, mapping = written(path, tmp_path)
    same(one, read_record(path, mapping=mapping))
