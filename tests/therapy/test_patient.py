"""The card of one patient: what is read, what is assumed and said, what is refused and how."""

import numpy as np
import pytest

from vein2vein.cards import parse_card
from vein2vein.errors import InputError
from vein2vein.therapy.patient import (
    body_surface,
    example_patient_text,
    patient_from_card,
    read_patient,
    repeat,
    select,
    total_blood_volume,
)
from vein2vein.therapy.patient_notes import AGE_OF_OTHERS
from vein2vein.trials.virtual_patients import virtual_patients

PLAIN = 'disease = "pediatric_b_all"\nage = 11\nweight = 39\n'


def _read(text):
    return patient_from_card(parse_card(text, "p.toml"))


def test_the_example_is_read_as_it_says(tmp_path):
    path = tmp_path / "patient.toml"
    path.write_text(example_patient_text(), encoding="utf-8")
    patient, notes = read_patient(path)
    assert (patient.age[0], patient.weight[0], patient.height[0], patient.male[0]) == (11, 39, 145, True)
    assert patient.burden[0] == pytest.approx(0.4 * 14000)
    assert patient.b_cells_per_kg[0] == pytest.approx(8 / 0.2857142857)
    assert patient.baseline["ferritin"][0] == 1200
    assert any(note.startswith("not given") for note in notes)


@pytest.mark.parametrize(
    ("disease", "age", "said"),
    [
        ("adult_b_all", 7, "18 to 90 years, and what is not given is drawn from theirs: check age and disease, or take "
         "pediatric_b_all"),
        ("pediatric_b_all", 60, "or take adult_b_all"),
        ("lbcl", 7, "18 to 90 years"),
        ("adult_b_all", 18, ""),
        ("pediatric_b_all", 11, ""),
    ],
)  # fmt: skip
def test_an_age_that_is_not_of_the_disease_is_told_and_not_refused(disease, age, said):
    _, notes = _read(f'disease = "{disease}"\nage = {age}\nweight = 25\n')
    found = [note for note in notes if note.startswith(AGE_OF_OTHERS)]
    assert len(found) == bool(said) and all(said in one and f": {age} years;" in one for one in found)


def test_units_are_converted():
    patient, _ = _read('disease = "lbcl"\nage = "54 years"\nweight = "176 lb"\nmetabolic_tumor_volume = "0.2 L"\n')
    assert patient.weight[0] == pytest.approx(79.83, abs=0.01)
    assert patient.burden[0] == pytest.approx(200 * 1000 / patient.weight[0])


def test_what_is_not_given_is_typical_and_said():
    patient, notes = _read(PLAIN)
    assert patient.lymphocytes[0] == pytest.approx(1.0) and patient.prior_lines[0] == 3
    assert patient.known == {"age", "weight"}
    assert any("prior_lines 3" in note and "burden" in note for note in notes)


def test_unusual_values_are_noted_and_go_on():
    patient, notes = _read(PLAIN + "prior_lines = 14\n[days]\nleukapheresis = -200\n")
    assert patient.leukapheresis_day[0] == -200
    assert any("earlier lines" in n and "14" in n for n in notes) and any("leukapheresis" in n for n in notes)
    assert any("body mass index" in note for note in _read(PLAIN.replace("39", "139"))[1])


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("age = 11\nweight = 39\n", "p.toml, disease: missing; expected one of"),
        ('disease = "pediatric_b_all"\nage = 11\n', "weight: missing; expected a number from 2 to 250 kg"),
        (PLAIN.replace("39", "-39"), "p.toml, line 3, weight: found -39 kg, expected a number from 2 to 250 kg"),
        (PLAIN.replace("11", "110"), "p.toml, line 2, age: found 110 year, expected a number from 0 to 100 year"),
        (PLAIN.replace("39", '"39 mL"'), "line 3, weight: found the unit 'mL', which is not a unit of kg"),
        (PLAIN.replace("39", '"heavy"'), "does not begin with a number"),
        (
            PLAIN + "lymphocytes = 1.1\ncd3 = 1000\nb_cells = 900\n",
            "line 6, b_cells: found 900 cells/uL, together with 1000 T "
            r"cells more than all lymphocytes \(1.1 10\^9/L\); expected at most 100 cells/uL",
        ),
        (
            PLAIN + "lymphocytes = 0.2\nb_cells = 900\n",
            "line 5, b_cells: found 900 cells/uL, more than all lymphocytes",
        ),
        (PLAIN + "lymphocites = 1\n", "line 4, lymphocites: unknown field 'lymphocites'; did you mean lymphocytes"),
        (PLAIN + 'prior_hsct = "yes"\n', "line 4, prior_hsct: found 'yes', expected true or false"),
        (PLAIN + 'sex = "boy"\n', "unknown sex 'boy'"),
        (PLAIN + "marrow_blasts = 120\n", "found 120 %, expected a number from 0 to 100 %"),
        (PLAIN + "marrow_blasts = 20\nburden = 10\n", "the tumor is given twice"),
        (PLAIN + "metabolic_tumor_volume = 20\n", "give marrow_blasts"),
        (PLAIN.replace("pediatric_b_all", "lbcl") + "marrow_blasts = 20\n", "give metabolic_tumor_volume"),
        (PLAIN + "[days]\nleukapheresis = 5\n", "line 5, days.leukapheresis: found 5 day, expected a number from"),
        (PLAIN + "[days]\nleukapheresis = -4\nlymphodepletion = -6\n", "expected leukapheresis < lymphodepletion < 0"),
        (PLAIN + "[baseline]\nferritine = 5\n", "unknown field 'ferritine'; did you mean ferritin"),
        (PLAIN + "[baseline]\ncrp = -5\n", "baseline.crp: found -5 mg/L"),
        ("age = = 3\n", "p.toml, line 1: not valid TOML"),
    ],
)
def test_bad_cards_are_refused_with_place_and_expectation(text, match):
    with pytest.raises(InputError, match=match):
        _read(text)


def test_a_missing_file_is_one_sentence(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        read_patient(tmp_path / "none.toml")


def test_body_formulas():
    patient, _ = _read('disease = "lbcl"\nage = 50\nsex = "male"\nweight = 80\nheight = 175\n')
    assert total_blood_volume(patient)[0] == pytest.approx(5.15, abs=0.005)
    child, _ = _read('disease = "pediatric_b_all"\nage = 6\nweight = 20\n')
    assert total_blood_volume(child)[0] == pytest.approx(1.5)
    assert body_surface(70, 170) == pytest.approx(1.818, abs=1e-3)


def test_repeat_and_select():
    patient, _ = _read(PLAIN)
    many = repeat(patient, 4)
    assert list(many.number) == [0, 1, 2, 3] and np.all(many.burden == patient.burden)
    some = select(virtual_patients("lbcl", 9, seed=1), [7, 2])
    assert list(some.number) == [7, 2] and some.count == 2
