"""Cellular kinetics of measured curves without a model: against published figures, by group, from every source."""

import numpy as np
import pytest

import vein2vein as v2v
from vein2vein.errors import InputError
from vein2vein.inference.noncompartmental.bands import bands, stretches
from vein2vein.inference.noncompartmental.explore import PARAMETERS, explore
from vein2vein.inference.noncompartmental.groups import groups_of
from vein2vein.inference.noncompartmental.profiles import profiles_of_study
from vein2vein.io.study.read import read_study

NAN = np.nan
WINNONLIN = {
    "half_life_last": (14.3043776, 6.6593416, 6.7660874, 6.9812467, 8.0022640, 7.8949979, 7.8466683, 8.5100379,
                       8.4059988, 9.2469158, 7.2612365, 6.2865082),
    "auc_last": (147.2347485, 88.7312755, 95.8781978, 102.6336232, 118.1793538, 71.6970150, 87.9692274, 86.8065635,
                 83.9374360, 135.5760701, 77.8934723, 115.2202082),
    "tmax": (1.12, 1.92, 1.02, 1.07, 1.00, 1.15, 3.48, 2.02, 0.63, 3.55, 0.98, 3.52),
}  # fmt: skip
"""Phoenix WinNonlin 6.3 and 7.0 on theophylline (linear up, log down), as the R package NonCompart publishes them."""
HEAD = "ID,TIME,AMT,DV,EVID,CENS,DVID,ARM,RESP,WT"


@pytest.fixture
def study(tmp_path):
    """Eight patients: the curve of each is the first one's times its number; two doses, two arms, one not known."""
    rows = [HEAD]
    shape = ((-1, 1, 0), (0.5, 5, 1), (4, 40, 0), (7, 800, 0), (14, 200, 0), (21, 50, 0), (28, 5, 1))
    for i in range(1, 9):
        arm, response = ("a" if i < 5 else "b"), ("." if i == 8 else "CR" if i % 2 else "PR")
        own = f"{arm},{response},{40 + 5 * i}"
        rows.append(f"{i},10,{1e8 if i < 5 else 2e8:g},.,1,.,.,{own}")
        rows += [
            f"{i},{10 + day},.,{value if below else i * value},0,{below},cells,{own}"
            for day, value, below in shape
            if day >= 0
        ]
        rows.append(f"{i},40,.,7,0,0,crp,{own}")
        if i == 1:
            rows.insert(1, f"1,9,.,3,0,0,cells,{own}")
    path = tmp_path / "s.csv"
    path.write_text("\n".join(rows))
    (tmp_path / "s.columns.toml").write_text('time = { unit = "d" }\nendpoint.cells = { dvid = "cells", unit = "x" }\n')
    return read_study(path)


def test_theophylline_gives_the_published_figures(shared):
    found = explore(shared / "data" / "nlme_benchmarks" / "theo_sd.csv", time_unit="h")
    for name, values in WINNONLIN.items():
        np.testing.assert_allclose(found.figures[name], values, rtol=2e-8, err_msg=name)
    assert found.phases["half_life_last"].points[0] == 3 and found.unit("tmax") == "h" and found.unit("cmax") == ""


def test_each_patient_by_hand(study):
    found = explore(study)
    for i in range(8):
        k = i + 1
        assert (found.figures["cmax"][i], found.figures["tmax"][i]) == (800 * k, 7)
        assert (found.figures["clast"][i], found.figures["tlast"][i]) == (50 * k, 21)
        rise = 3.5 * 40 * k / 2 + 3 * (40 + 800) * k / 2
        fall = 7 * (800 - 200) * k / np.log(4) + 7 * (200 - 50) * k / np.log(4)
        assert found.figures["auc_last"][i] == pytest.approx(rise + fall)
        last = 7 * (50 * k - 2.5) / np.log(50 * k / 2.5)
        assert found.figures["auc_0_28"][i] == pytest.approx(rise + fall + last)
        assert found.figures["half_life_contraction"][i] == pytest.approx(3.5)
        assert found.figures["doubling_time"][i] == pytest.approx(3 * np.log(2) / np.log(20))
    assert np.isnan(found.figures["half_life_terminal"]).all() and np.isnan(found.figures["half_life_last"]).all()
    assert found.samples.tolist() == [6] * 8 and found.quantified.tolist() == [4] * 8
    told = " ".join(found.notes)
    for said in ("followed is cells; also measured: crp", "1 sample before the first dose left out",
                 "16 of 49 values lie below the limit", "(M6, Beal 2001)"):  # fmt: skip
        assert said in told, said


def test_another_rule_for_what_lies_below_the_limit(study):
    ours, other = explore(study), explore(study, below="M1")
    assert (other.figures["auc_0_28"] < ours.figures["auc_0_28"]).all()
    straight = 10.0 * np.arange(1, 9)  # from day 0 instead of from the value below the limit at half a day
    np.testing.assert_allclose(other.figures["auc_last"], ours.figures["auc_last"] + straight)
    with pytest.raises(InputError, match="unknown below 'M9'"):
        explore(study, below="M9")


def test_hours_give_the_same_curves_in_hours(study):
    days = explore(study)
    hours = explore(study, time_unit="h")
    assert np.isnan(hours.figures["auc_0_28"]).all()  # 28 hours are no 28 days
    np.testing.assert_allclose(hours.figures["auc_last"], days.figures["auc_last"])
    assert hours.unit("auc_last") == "h·x" and days.unit("auc_last") == "d·x"


def test_without_a_unit_of_time_nothing_has_a_window_in_days(study):
    from dataclasses import replace

    found = explore(replace(study, time_unit=""))
    assert np.isnan(found.figures["auc_0_28"]).all() and np.isnan(found.figures["half_life_contraction"]).all()
    assert np.isfinite(found.figures["auc_last"]).all() and "half_life_contraction" not in found.phases
    assert found.unit("auc_last") == "" and any("--time-unit d gives them" in note for note in found.notes)
    with pytest.raises(InputError, match="unknown unit 'moons'"):
        explore(study, time_unit="moons")


def test_groups_are_those_that_there_are_or_those_that_are_asked_for(study):
    found = explore(study)
    assert [(one.by, one.label, one.rows.tolist()) for one in found.groups] == [
        ("", "all", [*range(8)]),
        ("dose", "1e8", [0, 1, 2, 3]), ("dose", "2e8", [4, 5, 6, 7]),
        ("ARM", "a", [0, 1, 2, 3]), ("ARM", "b", [4, 5, 6, 7]),
        ("RESP", "CR", [0, 2, 4, 6]), ("RESP", "PR", [1, 3, 5]), ("RESP", "not known", [7]),
    ]  # fmt: skip
    thirds = groups_of(found.profiles, ["wt"])
    assert [one.label for one in thirds[1:]] == [
        "45 to 55 (lowest third)", "60 to 65 (middle third)", "70 to 80 (highest third)",
    ]  # fmt: skip
    assert [one.by for one in groups_of(found.profiles, ["response"])] == ["", "RESP", "RESP", "RESP"]
    with pytest.raises(InputError, match="unknown column to group by 'weight'; did you mean WT"):
        explore(study, by=["weight"])


def test_the_summary_of_a_group(study):
    found = explore(study)
    one = next(s for s in found.summary if (s.by, s.group, s.parameter) == ("dose", "2e8", "cmax"))
    values = 800 * np.array([5.0, 6, 7, 8])
    logs = np.log(values)
    assert (one.patients, one.known, one.unit) == (4, 4, "x")
    assert one.geometric_mean == pytest.approx(np.exp(logs.mean()))
    assert one.geometric_cv == pytest.approx(100 * np.sqrt(np.exp(logs.var(ddof=1)) - 1))
    assert (one.median, one.low, one.high) == (5200, 4000, 6400)
    alone = next(s for s in found.summary if (s.group, s.parameter) == ("not known", "cmax"))
    assert alone.geometric_mean == pytest.approx(6400) and np.isnan(alone.geometric_cv)
    assert len(found.summary) == len(found.groups) * len(PARAMETERS)


def test_a_zero_has_no_geometric_mean(tmp_path):
    path = tmp_path / "s.csv"
    path.write_text("ID,TIME,AMT,DV,EVID\n1,0,5,.,1\n1,0,.,9,0\n1,1,.,4,0\n2,0,5,.,1\n2,1,.,9,0\n2,2,.,4,0\n")
    one = next(s for s in explore(path).summary if s.parameter == "tmax")
    assert np.isnan(one.geometric_mean) and (one.median, one.low, one.high) == (0.5, 0, 1)


def test_tables_hold_how_each_slope_was_chosen(study):
    rows = list(explore(study).individual())
    assert rows[2]["patient"] == "3" and rows[2]["dose"] == 1e8 and rows[2]["ARM"] == "a" and rows[7]["RESP"] == ""
    assert rows[0]["half_life_contraction_samples"] == 3
    assert (rows[0]["half_life_contraction_from"], rows[0]["half_life_contraction_until"]) == (7, 21)
    assert rows[0]["half_life_contraction_adjusted_r2"] == pytest.approx(1)


def test_courses_of_one_patient_are_told_apart_and_count_from_their_own_dose(tmp_path):
    path = tmp_path / "s.csv"
    path.write_text(
        "ID,TIME,AMT,DV,EVID,ADDL,II\n7,0,5,.,1,0,0\n7,3,.,9,0,0,0\n7,20,6,.,4,0,0\n7,22,.,4,0,0,0\n7,24,3,.,1,0,0\n"
        "8,0,5,.,1,0,0\n9,1,5,.,1,3,2\n9,2,.,4,0,0,0\n9,3,.,0,0,0,0\n"
    )
    profiles = profiles_of_study(read_study(path))
    assert profiles.patients == ("7", "7 (course 2)", "9") and profiles.time.tolist() == [3, 2, 1, 2]
    assert profiles.dose.tolist() == [5, 9, 20] and explore(path).quantified.tolist() == [1, 1, 1]
    assert any("no value of dv: 8" in note for note in profiles.notes)
    assert any("2 patients with several doses" in note for note in profiles.notes)
    assert any("fewer than 3 quantifiable values" in note for note in explore(path).notes)


def test_data_with_findings_are_not_explored_and_nothing_quantifiable_is_said(tmp_path):
    path = tmp_path / "s.csv"
    path.write_text("ID,TIME,AMT,DV,EVID\n7,0,5,.,1\n7,3,.,.,0\n")
    with pytest.raises(InputError, match="line 3, DV: a sample of subject 7 without a value"):
        explore(path)
    path.write_text("ID,TIME,AMT,DV,EVID,CENS\n7,0,5,.,1,.\n7,3,.,9,0,1\n")
    with pytest.raises(InputError, match="no value of dv is quantifiable after the first dose"):
        explore(path)
    with pytest.raises(InputError, match="unknown endpoint 'cp'"):
        explore(path, endpoint="cp")
    with pytest.raises(InputError, match="source"):
        explore(7)


def test_ward_records_of_several_patients(tmp_path):
    rows = ["patient,day,analyte,value,unit"]
    for own, dose, peak in (("P1", "2e8", 40000), ("P2", "1e8", 2000)):
        rows += [f"{own},0,car_t_infusion,{dose},cells", f"{own},7,transgene,{peak / 4},copies/ug",
                 f"{own},10,transgene,{peak},copies/ug", f"{own},14,transgene,{peak / 2},copies/ug",
                 f"{own},28,transgene,<50,copies/ug", f"{own},10,CAR-T,30,cells/uL"]  # fmt: skip
    rows.append("P3,0,car_t_infusion,1e8,cells\nP3,2,temperature,38,degC\nP2,21,transgene,lots,copies/ug")
    path = tmp_path / "r.csv"
    path.write_text("\n".join(rows))
    found = explore(path)
    assert found.profiles.patients == ("P1", "P2") and found.profiles.endpoint == "transgene"
    assert found.figures["cmax"].tolist() == [40000, 2000] and found.figures["tlast"].tolist() == [14, 14]
    assert found.figures["half_life_contraction"] == pytest.approx([4, 4]) and found.unit("auc_0_28") == "d·copies/ug"
    assert found.profiles.dose.tolist() == [2e8, 1e8] and found.profiles.below.sum() == 2
    assert any("no value of transgene: 1 patient" in note for note in found.notes)
    assert any("1 value of transgene not understood and missing here" in note for note in found.notes)
    assert explore(path, endpoint="car_t_cells").figures["cmax"].tolist() == [30, 30]
    assert v2v.explore(v2v.read_record(path)).figures["cmax"].tolist() == [40000, 2000]
    with pytest.raises(InputError, match="whose times are days"):
        explore(path, time_unit="h")
    with pytest.raises(InputError, match="holds no value of ferritin"):
        explore(path, endpoint="ferritin")
    path.write_text("patient,day,analyte,value,unit\nP1,0,car_t_infusion,2e8,cells\nP1,1,ferritin,500,ug/L\n")
    with pytest.raises(InputError, match="no value of the transgene or the CAR-T cells"):
        explore(path)


def test_percentiles_by_visit_and_by_stretch(study):
    profiles = profiles_of_study(study)
    found = bands(profiles, np.arange(8))
    assert found.time.tolist() == [0.5, 4, 7, 14, 21, 28] and found.patients.tolist() == [8] * 6
    assert found.percentiles[:, 2] == pytest.approx(np.quantile(800 * np.arange(1, 9), (0.1, 0.5, 0.9)))
    assert found.below.tolist() == [1, 0, 0, 0, 0, 1] and found.percentiles[1, 0] == 5
    few = bands(profiles, np.arange(3), [7.0, 28.0])
    assert np.isnan(few.percentiles).all() and few.patients.tolist() == [3, 3] and few.last.tolist() == [7, 28]
    scattered = np.arange(40) / 4
    ends = stretches(np.arange(40) % 10, scattered)
    assert len(ends) == 8 and ends[-1] == scattered[-1]
    shared = stretches(np.arange(20) % 10, np.repeat([1.0, 2.0], 10))
    assert shared == [1, 2]  # all samples of one time stay together
    assert stretches(np.arange(12) % 10, np.arange(12.0))[-1] == 11  # what is left joins the last stretch


@pytest.mark.parametrize(("rule", "last", "to_28"), [
    ("M1", 96743.987, 96743.987), ("M5", 61683.610, 63248.934), ("M6", 96493.987, 98059.311), ("M7", 77800.0, 80600.0),
])  # fmt: skip
def test_both_areas_follow_the_rule_for_what_lies_below_the_limit(tmp_path, rule, last, to_28):
    """By hand: days 3, 7, 10, 21 measured, 1, 14, 28 and 60 below 50; straight up, exponential down."""
    values = {1: None, 3: 500, 7: 9000, 10: 12000, 14: None, 21: 800, 28: None, 60: None}
    rows = [f"1,{t},.,{50 if y is None else y},0,{int(y is None)}" for t, y in values.items()]
    (tmp_path / "s.csv").write_text("\n".join(["ID,TIME,AMT,DV,EVID,CENS", "1,0,1e8,.,1,.", *rows]) + "\n")
    found = explore(read_study(tmp_path / "s.csv"), time_unit="d", below=rule).figures
    assert found["auc_last"][0] == pytest.approx(last)
    assert found["auc_0_28"][0] == pytest.approx(to_28)
