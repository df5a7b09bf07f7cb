"""Weights that a child's dose must not follow in silence."""

import pytest

from vein2vein.io.record.read import read_record
from vein2vein.ward import handover
from vein2vein.ward.monitor import monitor

HEAD = "time,analyte,value,unit\n,age,4,years\n2026-03-05 10:00,car_t_infusion,1e8,cells\n"
FEVER = "2026-03-08 18:00,temperature,39.3,degC\n"


def watched(tmp_path, rows, **options):
    path = tmp_path / "record.csv"
    path.write_text(HEAD + rows + FEVER, encoding="utf-8")
    return monitor(read_record(path), **options)[0]


@pytest.mark.parametrize(("later", "told"), [(25, True), (16.5, False)])
def test_a_weight_that_differs_from_that_of_the_doses_is_said(tmp_path, later, told):
    rows = f"2026-03-04 10:00,weight,16,kg\n2026-03-08 06:00,weight,{later},kg\n"
    notes = " ".join(watched(tmp_path, rows).notes)
    assert ("weights of 16 to 25 kg are charted, the last 25 kg; doses stand for 16 kg" in notes) is told
    assert "are charted" not in " ".join(watched(tmp_path, rows, weight=20.0).notes)


@pytest.mark.parametrize(("unit", "told"), [("", True), ("kg", False)])
def test_a_weight_without_a_unit_is_said(tmp_path, unit, told):
    notes = " ".join(watched(tmp_path, f",weight,35,{unit}\n").notes)
    assert ("has no unit and is read as kg" in notes) is told


def test_a_drug_that_was_not_understood_is_not_none_charted_on_the_sheet(tmp_path):
    told = {one.name: one for one in handover.given(watched(tmp_path, "2026-03-08 17:00,anakinra,??,mg\n"))}
    assert "a row was not understood: Anakinra" in told["Other"].text and not told["Other"].known
    assert told["IVIG"].text == "none charted"
