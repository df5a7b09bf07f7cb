"""What a ward types on its first day: one column for all oxygen, brands, drugs in one column."""

from pathlib import Path

import numpy as np
import pytest

import vein2vein as v2v
from vein2vein.io.record.record import Record

HEAD = """time,analyte,value,unit
,age,63,years
,weight,88,kg
,product,Yescarta,
2026-03-05 10:00,car_t_infusion,1.7e8,cells
"""


def _record(folder: Path, text: str) -> Record:
    path = folder / "record.csv"
    path.write_text(text, encoding="utf-8")
    return v2v.read_record(path)


def _oxygen(record: Record) -> dict[str, float]:
    read = {name: values[0] for name, values in record.course.values.items() if name.startswith("oxygen")}
    return {name: float(one[~np.isnan(one)][-1]) for name, one in read.items() if not np.isnan(one).all()}


@pytest.mark.parametrize(
    ("charted", "device", "flow"),
    [("2L NC", 1, 2), ("2 L/min nasal cannula", 1, 2), ("40L HFNC", 3, 40), ("10 L NRB", 2, 10)],
)
def test_a_device_behind_its_flow_under_o2_is_read(tmp_path: Path, charted: str, device: int, flow: int) -> None:
    record = _record(tmp_path, f"{HEAD}2026-03-07 14:00,O2,{charted},\n")
    assert _oxygen(record) == {"oxygen_device": device, "oxygen_flow": flow}
    assert not record.set_aside


def test_a_flow_alone_under_o2_stays_a_flow(tmp_path: Path) -> None:
    record = _record(tmp_path, f"{HEAD}2026-03-07 14:00,O2,2 L/min,\n")
    assert _oxygen(record) == {"oxygen_flow": 2}


def test_fever_low_pressure_and_2l_nc_is_settled_grade_2(tmp_path: Path) -> None:
    rows = "2026-03-07 14:00,Temp,39.4,C\n2026-03-07 14:00,BP,84/45,\n2026-03-07 14:00,O2,2L NC,\n"
    (watch,) = v2v.monitor(_record(tmp_path, HEAD + rows))
    assert str(next(one for one in watch.now if one.name == "crs_astct")) == "grade 2"


def test_a_brand_is_its_product(tmp_path: Path) -> None:
    (watch,) = v2v.monitor(_record(tmp_path, HEAD + "2026-03-07 14:00,Temp,39.4,C\n"))
    assert watch.product == "axicabtagene_ciloleucel"
    assert not any("product" in note for note in watch.notes)


def test_a_column_of_many_drugs_is_never_to_be_named_one_of_them(tmp_path: Path) -> None:
    text = (
        "time,Temp (C),Meds given\n2026-03-05 10:00,36.8,\n2026-03-07 14:00,39.4,tocilizumab 168 mg IV\n"
        "2026-03-08 08:00,37.0,dexamethasone 4 mg IV\n"
    )
    (tmp_path / "record.toml").write_text("[patient]\ninfusion = 2026-03-05T10:00:00\n", encoding="utf-8")
    notes = "\n".join((record := _record(tmp_path, text)).notes) + "\n".join(record.warnings)
    assert "may be tocilizumab" in notes
    assert "= 'tocilizumab'" not in notes
