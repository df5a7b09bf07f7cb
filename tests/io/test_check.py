"""check_file: what a file is, whether it is fit, and what is wrong with it."""

import json
from pathlib import Path

import pytest

import vein2vein
from vein2vein.io.check import check_file, uses_of
from vein2vein.io.record.read import example_record_text, read_record

PACKAGE = Path(vein2vein.__file__).parent


@pytest.mark.parametrize(
    ("file", "kind"),
    [
        ("therapy/example_patient.toml", "patient card"),
        ("trials/cards/eliana.toml", "trial card"),
        ("therapy/products/tisagenlecleucel.toml", "product card"),
        ("therapy/diseases/mm.toml", "disease card"),
        ("clinic/care/policies/prophylactic.toml", "policy"),
        ("clinic/care/policies/astct_2019.toml", "policy"),
        ("clinic/criteria/crs_lee_2014.toml", "criteria"),
        ("io/record/example_record.csv", "record of a patient (CSV), long table"),
    ],
)
def test_bundled_files_are_recognized_and_fit(file, kind):
    report = check_file(PACKAGE / file)
    assert (report.kind, report.fit, report.problems) == (kind, True, ())
    assert report.uses


def test_faults_of_a_card_name_line_and_field(tmp_path):
    path = tmp_path / "patient.toml"
    path.write_text((PACKAGE / "therapy/example_patient.toml").read_text().replace('"39 kg"', '"700 kg"'))
    report = check_file(path)
    assert (report.kind, report.fit) == ("patient card", False)
    assert report.problems[0].line and report.problems[0].column == "weight"


def test_a_reader_of_a_floor_above_is_passed_in(tmp_path):
    calls = []
    report = check_file(PACKAGE / "trials/cards/eliana.toml", readers={"trial card": calls.append})
    assert report.fit and calls and report.notes == ()


def test_a_record_says_what_it_is_good_for_and_what_is_wrong(tmp_path):
    path = tmp_path / "record.csv"
    path.write_text("day,analyte,value,unit\n1,temperature,39,degC\n1,SBP,84,mmHg\n1,ICE,11,\n1,ANC,0.4,K/uL\n")
    report = check_file(path)
    assert report.fit and [p.line for p in report.problems] == [4]
    assert "neutropenia and ICAHT" in report.uses
    assert any("oxygen_device" in use and "in part" in use for use in report.uses)
    assert any("age and weight" in note for note in report.notes)


def test_the_example_is_good_for_the_syndromes(tmp_path):
    path = tmp_path / "record.csv"
    path.write_text(example_record_text())
    assert {"cytokine release syndrome", "neurotoxicity (ICANS)", "B-cell aplasia"} <= set(
        uses_of(read_record(path).course)
    )


def test_the_mapping_beside_a_record_is_used_and_a_folder_of_records_says_how_to_check_it(tmp_path):
    (tmp_path / "r.csv").write_text("ID,TIME,AMT,DV\n1,7,.,39\n")
    assert check_file(tmp_path / "r.csv").kind == "NONMEM data set"
    (tmp_path / "r.toml").write_text(
        'form = "wide"\n[columns]\nID = "patient"\nTIME = "day"\nAMT = "ignore"\nDV = "temperature"\n'
    )
    assert check_file(tmp_path / "r.csv").kind == "record of a patient (CSV), wide table"
    assert "folder with records (1)" in str(check_file(tmp_path).problems[0])


def test_a_folder_of_records_is_named_as_it_was_given(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my ward").mkdir()
    for place, shown in ((".", "./*"), ("my ward", "'my ward'/*")):
        Path(place, "r.csv").write_text("day,analyte,value,unit\n1,CRP,5,mg/L\n")
        assert f"vein2vein check {shown}'" in str(check_file(place).problems[0])


def test_results_folders(tmp_path):
    assert "manifest.json" in str(check_file(tmp_path).problems[0])
    (tmp_path / "manifest.json").write_text(json.dumps({"tables": {"patients": {}}}))
    assert "missing" in str(check_file(tmp_path).problems[0])
    (tmp_path / "patients.parquet").write_bytes(b"PAR1....PAR1")
    assert check_file(tmp_path).fit
    (tmp_path / "patients.parquet").write_bytes(b"<html>")
    assert "not a Parquet table" in str(check_file(tmp_path).problems[0])
    (tmp_path / "manifest.json").write_text("{")
    assert not check_file(tmp_path).fit


def test_nonmem_and_unknown_files(tmp_path):
    path = tmp_path / "nonmem.csv"
    head = "ID,TIME,DV,MDV,EVID,AMT,CMT,BLQ,LLOQ,DVID\n"
    path.write_text(head + "1,0,.,1,1,1e8,1,0,.,0\n1,7,500,0,0,0,1,0,50,1\n")
    assert check_file(path).kind == "NONMEM data set" and check_file(path).fit
    path.write_text(head + "1,0,.,1,1,1e8,1,0,.,0\n1,7,high,0,0,0,1,0,50,1\n")
    report = check_file(path)
    assert not report.fit and report.problems[0].line == 3
    for name, content in (("x.toml", "a = 1"), ("y.toml", "a ="), ("z.bin", "\x00\x01"), ("m.json", "{}")):
        (tmp_path / name).write_text(content)
        report = check_file(tmp_path / name)
        assert not report.fit and len(report.problems) == 1 and report.problems[0].remedy
    assert not check_file(tmp_path / "none.csv").fit
