"""A calibration of one's own product card on one's own trial file, with the real model, and what is refused."""

import shutil

import numpy as np
import pytest

import vein2vein
from vein2vein.cards import read_card
from vein2vein.errors import InputError
from vein2vein.inference.calibration.calibrate import calibrate, cards_of
from vein2vein.inference.calibration.free_numbers import read_free_numbers
from vein2vein.inference.calibration.kept import resumed
from vein2vein.inference.calibration.runs import Settings
from vein2vein.inference.calibration.write_cards import write_means
from vein2vein.inference.posterior import Member, hash_of_cards
from vein2vein.therapy.disease import FOLDER as DISEASES
from vein2vein.therapy.disease import read_disease
from vein2vein.therapy.product import FOLDER, read_product
from vein2vein.trials.trial import load_trial

PRODUCT = (FOLDER / "brexucabtagene_autoleucel.toml").read_text(encoding="utf-8")
FREE = """
[stages]
kinetics = ["kinetics"]
response = ["response"]

[free]
rho_of_mine = { parameter = "rho", cards = ["my_product"], sd = 0.1, stage = "kinetics" }
"""
TRIAL = """
[trial]
name = "mine"
title = "A product of one's own"
disease = "adult_b_all"
product = "PRODUCT"
policy = "early_permissive"

[size]
patients = 12
enrolled = 12
infused = 11

[visits]
follow_up = 40
disease_visits = [28]
kinetics_samples = [7, 10, 14, 28]

[endpoints]
scale = "astct"
until = 28
responses = ["CR", "CRh", "CRi"]
response_by = 40
clock = "infusion"
censor_transplant = false

[[published]]
quantity = "Cmax"
definition = "peak"
endpoint = "cmax_cells"
statistic = "median"
value = 400
unit = "cells/uL"
n = 11
confidence = "read"
tolerance = 0.3
tolerance_kind = "log10"
"""


@pytest.fixture
def files(tmp_path):
    product, trial, free = (tmp_path / f"{name}.toml" for name in ("my_product", "mine", "free"))
    product.write_text(PRODUCT.replace('name = "brexucabtagene_autoleucel"', 'name = "my_product"', 1), "utf-8")
    trial.write_text(TRIAL.replace("PRODUCT", product.as_posix()), "utf-8")
    free.write_text(FREE, "utf-8")
    return product, trial, free


def test_a_card_of_ones_own_is_calibrated_on_a_trial_of_ones_own(files, tmp_path):
    product, trial, free = files
    told, settings = [], Settings(steps=1, corrections=0, patients=12, difference=2.0)
    found = calibrate(free, [trial], settings, keep=tmp_path / "kept.npz", say=told.append)
    assert found.sample.logs.shape == (200, 1)
    assert 0 < found.estimate[0] <= 2  # a published peak above the simulated one: cells grow faster
    assert 0 < found.covariance[0, 0] <= 1
    assert found.sample.logs.mean() == pytest.approx(found.estimate[0] * 0.1)
    assert found.sample.cards == hash_of_cards(found.free.factors, cards_of([load_trial(trial)]))
    assert "| rho_of_mine | kinetics | value of rho in my_product |" in found.identifiability()
    assert "Cmax" in found.rows() and told[0] == "1 factors, 1 rows of 1 trials"
    again = calibrate(free, [trial], settings, keep=tmp_path / "kept.npz")
    np.testing.assert_array_equal(again.sample.logs, found.sample.logs)
    before = read_product(read_card(product)).parameters.parameters["rho"]
    lines = write_means(found.mean(), tmp_path, lambda _: {"how": "calibrated"}, files={"my_product": product})
    after = read_product(read_card(product)).parameters.parameters["rho"]
    assert len(lines) == 1 and after.how == "calibrated"
    assert after.value == pytest.approx(before.value * np.exp(found.estimate[0] * 0.1), rel=1e-3)


@pytest.mark.parametrize(
    ("old", "new", "field", "said"),
    [
        ("sd = 0.1", "sd = 0", "free.rho_of_mine.sd", "above 0"),
        ("sd = 0.1", "sd = inf", "free.rho_of_mine.sd", "finite"),
        ("sd = 0.1", "sd = 0.1, low = 0", "free.rho_of_mine.low", "unknown field"),
        ('"rho"', '"rhoo"', "free.rho_of_mine.parameter", "did you mean rho"),
        ('["my_product"]', "[]", "free.rho_of_mine.cards", "a list of names"),
        ('stage = "kinetics"', 'stage = "kinetic"', "free.rho_of_mine.stage", "did you mean kinetics"),
        ("parameter =", 'what = "spread", parameter =', "free.rho_of_mine.what", "unknown what"),
    ],
)
def test_a_free_number_that_makes_no_sense_is_refused_with_its_line(files, old, new, field, said):
    _, trial, free = files
    assert old in FREE
    free.write_text(FREE.replace(old, new), "utf-8")
    with pytest.raises(InputError, match=said) as caught:
        read_free_numbers(free, cards_of([load_trial(trial)]))
    assert caught.value.field == field and caught.value.file == str(free) and caught.value.line


def test_a_card_that_is_not_there_is_refused(files):
    with pytest.raises(InputError, match="unknown card 'my_product'"):
        read_free_numbers(files[2])


@pytest.mark.parametrize(
    ("settings", "field"),
    [
        (Settings(steps=-1), "steps"), (Settings(polish=-1), "polish"), (Settings(corrections=-1), "corrections"),
        (Settings(patients=0), "patients"), (Settings(seed=-1), "seed"), (Settings(workers=0), "workers"),
        (Settings(difference=0), "difference"), (Settings(difference=2.5), "difference"),
        (Settings(difference=float("nan")), "difference"), (Settings(patients=20.5), "patients"),
        (Settings(difference="0.7"), "difference"), (Settings(staged="no"), "staged"),
    ],
)  # fmt: skip
def test_settings_that_make_no_sense_are_refused(files, settings, field):
    with pytest.raises(InputError, match="expected") as caught:
        calibrate(files[2], [files[1]], settings)
    assert caught.value.field == field


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"free": None}, "free: found None, expected the path of a file"),
        ({"free": " "}, "free: found ' ', expected the path of a file"),
        ({"trials": "eliana"}, "trials: found 'eliana', expected a list of trials"),
        ({"trials": load_trial("eliana")}, "trials: found a Trial, expected a list of trials"),
        ({"trials": 3}, "trials: found 3, expected a list of trials"),
        ({"trials": []}, "trials: found none, expected one trial or more"),
        ({"trials": [3]}, "trials: found 3, expected a trial, its name"),
        ({"settings": {"steps": 1}}, "settings: found a dict, expected Settings"),
        ({"keep": 3}, "keep: found 3, expected the path of a file"),
        ({"say": "yes"}, "say: found 'yes', expected a function of a text"),
    ],
)
def test_what_calibrate_refuses_of_a_python_caller(files, given, said):
    with pytest.raises(InputError) as caught:
        vein2vein.calibrate(**{"free": files[2], "trials": [files[1]], **given})
    assert said in str(caught.value)


def test_trials_without_data_or_given_twice_are_refused(files):
    _, trial, free = files
    with pytest.raises(InputError, match="'mine' twice"):
        calibrate(free, [trial, trial])
    trial.write_text(trial.read_text("utf-8").split("[[published]]")[0], "utf-8")
    with pytest.raises(InputError, match="no row that is scored"):
        calibrate(free, [trial])


def test_what_is_no_kept_file_is_refused(tmp_path):
    (tmp_path / "kept.npz").write_text("nothing", "utf-8")
    with pytest.raises(InputError, match="is not what a calibration keeps") as caught:
        resumed(tmp_path / "kept.npz", "key", lambda _: None)
    assert caught.value.file == str(tmp_path / "kept.npz")


def test_a_number_that_is_written_stays_within_the_bounds_of_the_general_set(tmp_path):
    """A probability of a disease card, whose own table gives no bounds."""
    folder = tmp_path / "therapy" / "diseases"
    folder.mkdir(parents=True)
    shutil.copy(DISEASES / "cll.toml", folder)
    (line,) = write_means(Member({("cll", "p_res", "value"): np.exp(3.0)}), tmp_path, lambda _: {})
    written = read_disease(read_card(folder / "cll.toml")).parameters.parameters["p_res"]
    assert line.endswith("= 1") and written.value == 1
