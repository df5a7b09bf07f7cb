"""The form of a round: every answer is one that the readers know, scores are whole or not at all."""

import csv
import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vein2vein.analytes import analyte
from vein2vein.errors import InputError
from vein2vein.io.record.read import read_record
from vein2vein.ward.monitor import monitor
from vein2vein.ward.round import (
    GIVEN,
    INFUSION,
    Row,
    day_text,
    decision_row,
    findings_to_override,
    grades_to_set,
    patient_rows,
    round_form,
    round_rows,
    rows_text,
    score_of,
    signs_to_attribute,
    usual_score,
)

WHEN = "2026-03-09T10:00"
START = [
    Row("", "2026-03-05T10:00", INFUSION, GIVEN),
    Row("", "", "age", "14", "years"),
    Row("", "", "weight", "40", "kg"),
]
USUAL = {
    "temperature": {"degC": 38.5, "degF": 101},
    "systolic_bp": {"mmHg": 95},
    "spo2": {"%": 93},
    "fluid_boluses": {"": 2},
    "oxygen_flow": {"L/min": 3},
    "fio2": {"%": 40},
    "norepinephrine": {"ug/kg/min": 0.1, "ug/min": 4, "mg/h": 0.4},
    "epinephrine": {"ug/kg/min": 0.1, "ug/min": 4},
    "phenylephrine": {"ug/kg/min": 1, "ug/min": 40},
    "dopamine": {"ug/kg/min": 5},
    "neutrophils": {"10*3/uL": 0.4, "10*9/L": 0.4, "/uL": 400},
    "platelets": {"10*3/uL": 41, "10*9/L": 41, "/uL": 41000},
    "hemoglobin": {"g/dL": 8, "g/L": 80, "mmol/L": 5},
    "crp": {"mg/L": 84, "mg/dL": 8.4},
    "ferritin": {"ng/mL": 900, "ug/L": 900},
    "fibrinogen": {"mg/dL": 180, "g/L": 1.8},
    "ast": {"U/L": 40},
    "creatinine": {"mg/dL": 1, "umol/L": 90},
    "bilirubin": {"mg/dL": 1, "umol/L": 17},
    "tocilizumab": {"mg": 320, "mg/kg": 8},
    "dexamethasone": {"mg": 10, "mg/kg": 0.2},
    "methylprednisolone": {"mg": 40, "mg/kg": 1},
    "anakinra": {"mg": 100, "mg/kg": 2},
    "weight": {"kg": 40},
}


def read(tmp_path, rows):
    path = tmp_path / "record.csv"
    path.write_text(rows_text([*START, *rows], "", header=True), encoding="utf-8")
    return read_record(path)


def answers(name, which):
    """The best or the worst answers of a score."""
    return {item.name: list(item.answers)[which] for item in round_form().scores[name].items}


def test_every_unit_of_the_form_is_read(tmp_path):
    asked = [q for group in round_form().groups for q in group.questions if q.units]
    assert {q.name for q in asked} == set(USUAL)
    for i in range(3):
        typed = {}
        for q in asked:
            unit = q.units[min(i, len(q.units) - 1)]
            typed |= {q.name: str(USUAL[q.name][unit]), f"{q.name}.unit": unit}
        record = read(tmp_path, round_rows(typed, WHEN))
        assert not record.set_aside and record.read >= len(asked) - 1, [str(one) for one in record.set_aside]
    assert float(record.courses[0].dense("neutrophils")[0, -1]) == pytest.approx(0.4)


def test_every_choice_of_the_form_is_a_word_that_the_readers_know(tmp_path):
    open_ = {"suspected", "sedated", "unable to assess", "refused", "language barrier"}  # charted, and settle no value
    for group in round_form().groups:
        for q in group.questions:
            for choice in q.choices:
                record = read(tmp_path, round_rows({q.name: choice.value}, WHEN))
                read_it = q.name in record.courses[0] and record.courses[0].measured(q.name)
                assert (read_it and not record.set_aside) or choice.value in open_, (
                    q.name,
                    choice,
                    [str(one) for one in record.set_aside],
                )
    for name, score in round_form().scores.items():
        for choice in score.unable:
            record = read(tmp_path, round_rows({f"{name}.unable": choice.value}, WHEN))
            assert record.courses[0].measured(name) or choice.value in open_, choice


def test_words_for_the_handover_are_told(tmp_path):
    words = [q for group in round_form().groups for q in group.questions if not q.units and not q.choices]
    record = read(tmp_path, round_rows({q.name: f"of {q.name}" for q in words}, WHEN))
    assert len(words) == 9 and not record.set_aside and len(record.facts.told[0]) == 9
    assert "of allergies" in record.facts.told[0]["allergies"]


@pytest.mark.parametrize(("name", "best", "worst"), [("ice", 10, 0), ("capd", 0, 32)])
def test_a_score_is_the_sum_of_its_questions(name, best, worst):
    assert score_of(name, answers(name, 0)) == best and score_of(name, answers(name, -1)) == worst
    assert {best, worst} == {analyte(name).low, analyte(name).high}
    one_wrong = {**answers("ice", 0), "hospital": "wrong", "objects": "2"}
    assert score_of("ice", one_wrong) == 8


@settings(max_examples=20, deadline=None)
@given(st.data())
def test_points_are_those_of_the_answers_that_were_given(data):
    for name, score in round_form().scores.items():
        chosen = {item.name: data.draw(st.sampled_from(list(item.answers))) for item in score.items}
        assert score_of(name, chosen) == sum(dict(item.answers)[chosen[item.name]] for item in score.items)
        left = data.draw(st.sampled_from([item.name for item in score.items]))
        with pytest.raises(InputError, match="no answer to") as found:
            score_of(name, {**chosen, left: ""})
        assert found.value.field == f"{name}.{left}"


def test_a_score_that_was_answered_in_part_becomes_no_row():
    with pytest.raises(InputError, match="ICE: no answer to 'Says the month'"):
        round_rows({"ice.year": "right"}, WHEN)
    with pytest.raises(InputError, match="found 'perhaps' for 'Says the year'"):
        round_rows({f"ice.{k}": v for k, v in {**answers("ice", 0), "year": "perhaps"}.items()}, WHEN)
    with pytest.raises(InputError, match="take one of them back"):
        round_rows({"ice.year": "right", "ice.unable": "mute"}, WHEN)
    with pytest.raises(InputError, match="unknown reason"):
        round_rows({"ice.unable": "lazy"}, WHEN)


def test_the_questions_of_a_score_stand_in_its_comment():
    (row,) = round_rows({f"ice.{k}": v for k, v in {**answers("ice", 0), "city": "wrong"}.items()}, WHEN, "Dr. A")
    assert (row.analyte, row.value, row.author, row.time) == (
        "ice",
        "9",
        "Dr. A",
        WHEN,
    ) and "Says the city: wrong" in row.comment


def test_what_is_no_answer_of_the_form_is_refused():
    for typed, said in (
        ({"arousal": "grumpy"}, "unknown arousal"),
        ({"temperature": "38", "temperature.unit": "K"}, "unknown unit"),
        ({}, "nothing was filled in"),
        ({"temperature": " "}, "nothing was filled in"),
    ):
        with pytest.raises(InputError, match=said):
            round_rows(typed, WHEN)


def test_a_round_is_graded(tmp_path):
    typed = {
        "temperature": "39.2",
        "systolic_bp": "84",
        "oxygen_device": "room air",
        "norepinephrine": "0.1",
        "arousal": "to voice",
        **{f"ice.{k}": v for k, v in answers("ice", 0).items()},
    }
    (watch,) = monitor(read(tmp_path, round_rows(typed, WHEN)))
    states = {one.name: str(one) for one in watch.now}
    assert states["crs_astct"] == "grade 3" and states["icans"] == "grade 2"


def test_a_record_begins_with_its_infusion():
    with pytest.raises(InputError, match="when were the CAR-T cells infused") as found:
        patient_rows({"age": "6"})
    assert found.value.field == "infused"
    rows = patient_rows({"infused": WHEN, "cells": "1.2e8", "age": "6", "sex": "", "product": "tisagenlecleucel"})
    assert [(one.analyte, one.value, one.unit) for one in rows] == [
        (INFUSION, "1.2e8", "cells"),
        ("age", "6", "years"),
        ("product", "tisagenlecleucel", ""),
    ]
    assert patient_rows({"infused": WHEN})[0].value == GIVEN


DECIDED = {"sign": "fever", "reason": "bacteremia", "author": "Dr. A"}


@pytest.mark.parametrize(
    ("typed", "time", "said", "field"),
    [
        ({**DECIDED, "author": ""}, WHEN, "who decides", "author"),
        (DECIDED, "", "from when on", "time"),
        ({**DECIDED, "reason": " "}, WHEN, "why", "reason"),
        ({**DECIDED, "sign": ""}, WHEN, "choose a sign", "sign"),
        ({**DECIDED, "finding": "icans"}, WHEN, "one of them", "sign"),
        ({**DECIDED, "sign": "mood"}, WHEN, "unknown sign", "sign"),
        ({**DECIDED, "sign": "", "finding": "mood"}, WHEN, "unknown finding", "finding"),
        ({**DECIDED, "sign": "", "finding": "icans", "grade": "6"}, WHEN, "a grade from 0 to 5", "grade"),
    ],
)
def test_a_decision_says_who_what_when_and_why(typed, time, said, field):
    with pytest.raises(InputError, match=said) as found:
        decision_row(typed, time)
    assert found.value.field == field


def test_every_decision_of_the_form_is_read(tmp_path):
    rows = [decision_row({**DECIDED, "sign": sign}, WHEN) for sign in signs_to_attribute()]
    rows += [
        decision_row(
            {**DECIDED, "sign": "", "finding": name, "grade": grades_to_set()[2], "until": "2026-03-10T10:00"}, WHEN
        )
        for name in findings_to_override()
    ]
    record = read(tmp_path, [*rows, Row("", WHEN, "temperature", "38.5", "degC")])
    assert not record.set_aside and len(record.attributions) == 7
    assert {(one.finding, one.grade, one.author) for one in record.overrides} == {
        (name, 2, "Dr. A") for name in findings_to_override()
    }


def test_rows_are_one_line_each_and_no_formula():
    text = rows_text([Row("", WHEN, "attribution", "fever", "", "=cmd|x", "a\nb,c\r\n@d")], "@p", header=True)
    (head, cells) = list(csv.reader(io.StringIO(text)))
    assert head[0] == "patient" and cells[0] == "'@p" and cells[5] == "'=cmd|x" and cells[6] == "a b,c @d"


def test_days_and_ages():
    assert day_text("4,5") == "D+4.5" and day_text("-1") == "D-1"
    with pytest.raises(InputError, match="expected a day"):
        day_text("tomorrow")
    assert [usual_score(age) for age in (11.9, 12.0, float("nan"))] == ["capd", "ice", ""]
