"""Weights that a child's dose must not follow in silence."""

import pytest

from vein2vein.io.record.deidentify import deidentify_file
from vein2vein.io.record.read import read_record
from vein2vein.ward import handover
from vein2vein.ward.monitor import monitor

HEAD = "time,analyte,value,unit\n,age,4,years\n2026-03-05 10:00,car_t_infusion,1e8,cells\n"
FEVER = "2026-03-08 18:00,temperature,39.3,degC\n"


def watched(tmp_path, rows, **options):
    path = tmp_path / "record.csv"
    path.write_text(HEAD + rows + FEVER, encoding="utf-8")
    return monitor(read_record(path), **options)[0]


@pytest.mark.parametrize(("later", "told"), [(18.5, True), (16.5, False)])
def test_a_weight_that_differs_from_that_of_the_doses_is_said(tmp_path, later, told):
    rows = f"2026-03-04 10:00,weight,16,kg\n2026-03-08 06:00,weight,{later},kg\n"
    notes = " ".join(watched(tmp_path, rows).notes)
    assert ("weights of 16 to 18.5 kg are charted, the last 18.5 kg; doses stand for 16 kg" in notes) is told
    assert "are charted" not in " ".join(watched(tmp_path, rows, weight=20.0).notes)


@pytest.mark.parametrize(("unit", "told"), [("", True), ("kg", False)])
def test_a_weight_without_a_unit_is_said(tmp_path, unit, told):
    notes = " ".join(watched(tmp_path, f",weight,35,{unit}\n").notes)
    assert ("has no unit and is read as kg" in notes) is told


def test_a_drug_that_was_not_understood_is_not_none_charted_on_the_sheet(tmp_path):
    told = {one.name: one for one in handover.given(watched(tmp_path, "2026-03-08 17:00,anakinra,??,mg\n"))}
    assert "a row was not understood: Anakinra" in told["Other"].text and not told["Other"].known
    assert told["IVIG"].text == "none charted"


# ---------------------------------------------------------------- weights that disagree


TWO = "2026-03-04 10:00,weight,{},kg\n2026-03-06 06:00,weight,{},{}\n"


def doses(watch):
    return [one.dose for one, _ in watch.consider if one.treatment]


SICK = "2026-03-08 18:00,systolic_bp,70,mmHg\n2026-03-08 18:00,norepinephrine,{},ug/min\n"


@pytest.mark.parametrize(
    ("rows", "held"),
    [
        (TWO.format(12, 120, "kg"), True), (TWO.format(12, 120, ""), True), (TWO.format(12, 13, "kg"), False),
        (",weight,12,kg\n,weight,120,kg\n", True), (",weight,12,kg\n2026-03-06 06:00,weight,26,kg\n", True),
        ("2026-03-04 10:00,weight,12,kg\n2026-03-04 10:00,weight,26.4,kg\n2026-03-05 10:00,weight,12,kg\n", True),
    ],
    ids=["two", "no unit", "near", "without a time", "one without", "at one time"],
)  # fmt: skip
def test_weights_that_disagree_block_every_dose_and_say_why(tmp_path, rows, held):
    watch = watched(tmp_path, rows + SICK.format(2))
    assert (not any(dose > 0 for dose in doses(watch))) is held and doses(watch)
    assert ("disagree by more than 20 %" in watch.no_dose) is held
    sheet = {one.name: one for one in handover.person(watch)}
    assert ("disagree" in sheet["Weight"].text) is held is not sheet["Weight"].known
    stated = watched(tmp_path, rows + SICK.format(2), weight=12.0)
    assert stated.no_dose == "" and any(dose > 0 for dose in doses(stated))


def test_no_rate_is_converted_by_a_weight_that_another_contradicts(tmp_path):
    rows = SICK.format(0.2).replace("ug/min", "ug/kg/min")
    near, apart = (watched(tmp_path, TWO.format(12, kg, "kg") + rows) for kg in (13, 120))
    assert near.course.values["norepinephrine"][0, -1] == pytest.approx(0.2 * 12)
    assert apart.course.values["norepinephrine"][0, -1] == 0 and apart.course.above["norepinephrine"][0, -1]
    assert any("no rate is converted by a weight" in note for note in apart.notes)


@pytest.mark.parametrize(("unit", "told"), [("", True), ("kg", False)])
def test_a_timed_weight_without_a_unit_is_said_and_must_fit_the_age(tmp_path, unit, told):
    watch = watched(tmp_path, f"2026-03-04 10:00,weight,35,{unit}\n" + SICK.format(2))
    assert any("the weight 35 (line 4) has no unit and is read as kg" in note for note in watch.notes) is told
    assert watch.no_dose == ""
    watch = watched(tmp_path, f"2026-03-04 10:00,weight,70,{unit}\n" + SICK.format(2))
    assert watch.no_dose == "70 kg at 4 years is outside 6 to 45 kg: check both; no dose is told"
    assert not any(dose > 0 for dose in doses(watch))


def test_weights_told_twice_are_kept_in_a_copy_without_names(tmp_path):
    path = tmp_path / "r.csv"
    path.write_text(HEAD + ",weight,12,kg\n,weight,120,kg\n" + FEVER, encoding="utf-8")
    copy = deidentify_file(path, tmp_path / "copy.csv")
    again = read_record(tmp_path / "copy.csv")
    assert copy.facts.told_weights == ((12.0, 120.0),) and set(again.facts.told_weights[0]) == {12.0, 120.0}


# ---------------------------------------------------------------- the sheet


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (["07 20:00", "08 08:00"], "course since 03-07 20:00 (d 2.42): 2 doses, today is its day 2"),
        (["06 08:00", "07 09:00", "08 10:00"], "course since 03-06 08:00 (d 0.92): 3 doses, today is its day 3"),
        (["05 12:00", "07 20:00"], "course since 03-07 20:00 (d 2.42): 1 dose, today is its day 2"),
        (["05 12:00", "06 12:00"], "none charted since, for 2.2 days"),
    ],
)
def test_the_day_of_the_steroid_is_that_of_today_counted_in_dates(tmp_path, given, told):
    rows = "".join(f"2026-03-{when},dexamethasone,5,mg\n" for when in given)
    facts = {one.name: one.text for one in handover.given(watched(tmp_path, ",weight,16,kg\n" + rows))}
    assert facts["Steroid"].startswith(f"last Dexamethasone 5 mg 03-{given[-1]}") and facts["Steroid"].endswith(told)


@pytest.mark.parametrize(
    ("age", "score"), [(4, "CAPD score"), (11.9, "CAPD score"), (12, "ICE score"), (40, "ICE score")]
)
def test_the_score_of_the_sheet_is_that_of_the_age(tmp_path, age, score):
    rows = "2026-03-08 17:00,ICE,8,\n2026-03-08 17:00,CAPD,4,\n2026-03-08 17:00,arousal,alert,\n"
    watch = watched(tmp_path, rows, age=age)
    (fact,) = [one for one in handover.now(watch) if one.name == "ICANS"]
    state = next(one for one in watch.now if one.name == "icans")
    other = {"CAPD score": "ice", "ICE score": "capd"}[score]
    assert score in fact.text and other not in {row.analyte for row in state.because}
    assert state.grade == 1


def test_a_score_as_before_the_infusion_carries_a_flag_and_no_other_grade(tmp_path):
    usual = "2026-03-05 08:00,CAPD,4,\n2026-03-05 08:00,arousal,alert,\n"
    now = "2026-03-08 18:00,CAPD,{},\n2026-03-08 18:00,arousal,alert,\n"
    for capd, flagged in ((4, True), (5, False)):
        state = next(s for s in watched(tmp_path, usual + now.format(capd)).now if s.name == "icans")
        assert state.grade == 1 and any("not above that before the infusion" in f for f in state.flags) is flagged
