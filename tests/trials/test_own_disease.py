"""A disease card of the user's own is the one that is simulated, whatever its name."""

from importlib.resources import files

import numpy as np
import pytest

from vein2vein.cards import parse_card
from vein2vein.journey.chart import simulate
from vein2vein.therapy.disease import find_disease
from vein2vein.therapy.patient import patient_from_card
from vein2vein.therapy.product import find_indication, find_product
from vein2vein.therapy.visits import Plan
from vein2vein.trials.trial import load_trial, run_trial
from vein2vein.trials.virtual_patients import virtual_patients

LYMPHOMA = files("vein2vein.therapy").joinpath("diseases", "lbcl.toml").read_text(encoding="utf-8")
PLAN = Plan(follow_up=60.0, disease_visits=(28.0,), kinetics_samples=(7.0, 14.0, 28.0))


@pytest.fixture(params=["lbcl", "my_lymphoma"])
def own(request, tmp_path, monkeypatch):
    """The path of a copy of a card, under its name or a new one, whose tumor lacks what most products see."""
    monkeypatch.chdir(tmp_path)
    text = LYMPHOMA.replace('name = "lbcl"', f'name = "{request.param}"', 1)
    text = text.replace('title = "large B-cell lymphoma"', 'title = "my own lymphoma"', 1)
    (tmp_path / "own.toml").write_text(text, encoding="utf-8")
    return "own.toml", request.param


def test_virtual_patients_of_an_own_card_are_treated_with_it(own):
    path, name = own
    journey = simulate(virtual_patients(path, 3, seed=1), "axi-cel", plan=PLAN, seed=1)
    assert journey.disease.title == "my own lymphoma" and journey.disease.name == name
    labelled = not any("not approved" in note for note in journey.notes)
    assert labelled == (name == "lbcl"), "the use of the label goes by the name in the card"
    assert find_indication(find_product("axi-cel"), path)[1] == (name == "lbcl")


def test_one_patient_and_a_trial_find_the_same_own_card(own):
    path, name = own
    one, _ = patient_from_card(parse_card(f'disease = "{path}"\nage = 60\nweight = 70\n', "p.toml"))
    assert one.disease == path and simulate(one, "axi-cel", plan=PLAN).disease.title == "my own lymphoma"
    text = load_trial("zuma_1").text.replace('disease = "lbcl"', f'disease = "{path}"', 1)
    with open("trial.toml", "w", encoding="utf-8") as file:
        file.write(text)
    result = run_trial("trial.toml", patients=3, seed=1)
    assert result.journey.disease.title == "my own lymphoma" and result.provenance["disease"] == name


def test_a_bundled_disease_is_found_by_its_name_and_an_own_one_by_its_path(own):
    path, _ = own
    assert find_disease("lbcl").found_by == "lbcl" and find_disease(path).found_by == path
    patients = virtual_patients(find_disease(path), 2, seed=1)
    assert patients.disease == path and np.isfinite(patients.burden).all()
