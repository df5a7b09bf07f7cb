"""Written priors: read with their sources, and a calibration that begins at them, whatever the cards hold."""

import dataclasses
import math
import tomllib
from pathlib import Path

import numpy as np
import pytest

from vein2vein.errors import InputError
from vein2vein.inference.calibration.calibrate import Calibration, calibrate
from vein2vein.inference.calibration.free_numbers import read_free_numbers
from vein2vein.inference.calibration.priors import begun
from vein2vein.inference.calibration.runs import Settings
from vein2vein.inference.calibration.unfitted import draws_of, unfitted
from vein2vein.inference.calibration.write_cards import edited
from vein2vein.inference.posterior import Member, card_parameters
from vein2vein.trials.published import Published

WRITTEN = Path(__file__).resolve().parents[2] / "qualification" / "priors.toml"
HEAD = """
[stages]
kinetics = ["kinetics"]

[prior.growth]
center = 4
sd = 0.3
unit = "1/day"
how = "reported"
sources = ["stein_2019"]
why = "doubling in a dish"

[prior.apart]
ratio = 2
sd = 0.5
unit = "1"
how = "assumed"
why = "no reason to differ, but by twofold"
"""
FREE = """
[groups]
both = ["axicabtagene_ciloleucel", "brexucabtagene_autoleucel"]
brexu = ["brexucabtagene_autoleucel"]

[free]
rho_of_axi = { parameter = "rho", cards = ["both"], prior = "growth", stage = "kinetics" }
rho_of_brexu = { parameter = "rho", cards = ["brexu"], prior = "apart", stage = "kinetics", moves = false }
"""


def read(tmp_path, text=HEAD + FREE):
    path = tmp_path / "priors.toml"
    path.write_text(text, "utf-8")
    return read_free_numbers(path)


def rho(card):
    return card_parameters(card).parameters["rho"].value


def test_numbers_begin_at_the_medians_of_their_priors_whatever_the_cards_hold(tmp_path):
    free = read(tmp_path)
    assert [factor.prior_sd for factor in free.factors] == [0.3, 0.5] and free.still == {"rho_of_brexu"}
    one = begun(free.origin, Member({("brexucabtagene_autoleucel", "rho", "value"): 1.5}))
    number = {card: rho(card) * one.factors[card, "rho", "value"] for card in free.factors[0].cards}
    assert number == {
        "axicabtagene_ciloleucel": pytest.approx(4),
        "brexucabtagene_autoleucel": pytest.approx(4 * 2 * 1.5),  # both priors, and the parameter set's own factor
    }


def test_a_ratio_alone_is_to_the_general_number(tmp_path):
    free = read(
        tmp_path,
        HEAD
        + """
[free]
kF = { cards = ["reference"], prior = "growth", stage = "kinetics" }
kF_of_liso = { parameter = "kF", cards = ["lisocabtagene_maraleucel"], prior = "apart", stage = "kinetics" }
""",
    )
    held = card_parameters("lisocabtagene_maraleucel").parameters["kF"].value
    assert held * math.exp(free.origin["lisocabtagene_maraleucel", "kF", "value"]) == pytest.approx(2 * 4)


@pytest.mark.parametrize(
    ("old", "new", "field", "said"),
    [
        ('sources = ["stein_2019"]\n', "", "prior.growth.source", "needs its source"),
        ('["stein_2019"]', '["stein_20"]', "prior.growth.sources", "did you mean stein_2019"),
        ('["stein_2019"]', '["reference_model_2026"]', "prior.growth.sources", "a report of our own"),
        ('why = "no reason to differ, but by twofold"', 'why = ""', "prior.apart.why", "needs the reasoning"),
        ("center = 4", "center = 4\nratio = 1", "prior.growth.center", "both center and ratio"),
        ("center = 4\n", "", "prior.growth.center", "neither center nor ratio"),
        ('unit = "1/day"', 'unit = "1/h"', "free.rho_of_axi", "the card axicabtagene_ciloleucel has 1/day"),
        ("center = 4", "center = 1e6", "free.rho_of_axi", "expected"),
        ('prior = "apart"', 'prior = "part"', "free.rho_of_brexu.prior", "did you mean apart"),
        ('prior = "apart"', 'prior = "growth"', "free.rho_of_brexu", "expected a ratio"),
        ('prior = "growth",', 'prior = "growth", sd = 0.1,', "free.rho_of_axi.sd", "both sd and prior"),
        (', prior = "apart"', ", sd = 0.1", "prior.apart", "that no [free] number has"),
        ("sd = 0.3", "sd = 0", "prior.growth.sd", "above 0"),
    ],
)
def test_a_prior_that_makes_no_sense_or_rests_on_nothing_is_refused(tmp_path, old, new, field, said):
    assert old in HEAD + FREE
    with pytest.raises(InputError) as caught:
        read(tmp_path, (HEAD + FREE).replace(old, new, 1))
    assert said in caught.value.text and caught.value.field == field and caught.value.line


class Growth:
    """Evidence that follows the growth of cells alone: the logarithm of the number itself."""

    name, text = "growth", "growth"
    data, error, tolerance = np.array([math.log(5.0)]), np.array([0.01]), np.array([0.1])
    cards = (frozenset({"axicabtagene_ciloleucel", "brexucabtagene_autoleucel"}),)

    @property
    def rows(self):
        return (Published(**{one.name: "" for one in dataclasses.fields(Published)} | {"endpoint": "cmax_cells"}),)

    def simulated(self, members, first, patients, seed):
        card = "axicabtagene_ciloleucel"
        found = [math.log(rho(card) * one.factors.get((card, "rho", "value"), 1.0)) for one in members]
        return np.array([[[value, 1e-3]] for value in found])


def test_a_calibration_goes_from_the_priors_to_the_data_and_tells_what_did_not_move(tmp_path):
    free, told = read(tmp_path), []
    settings = Settings(steps=2, corrections=0)
    found: Calibration = calibrate(free, [], settings, beside=[Growth()], say=told.append)
    assert 4 * math.exp(found.estimate[0] * 0.3) == pytest.approx(5, rel=0.02)  # from 4 of the prior to 5 of the data
    assert rho("axicabtagene_ciloleucel") * found.mean().factors["axicabtagene_ciloleucel", "rho", "value"] == (
        pytest.approx(5, rel=0.02)
    )
    assert found.estimate[1] == 0 and found.covariance[1, 1] == pytest.approx(1)  # only its prior reaches intervals
    np.testing.assert_allclose(found.sample.logs.mean(axis=0), 0, atol=1e-9)
    assert not found.sample.is_current  # until the numbers stand in the cards
    assert not any("nothing moved" in line for line in told)
    at_the_data = read(tmp_path, (HEAD + FREE).replace("center = 4", "center = 5"))
    calibrate(at_the_data, [], settings, beside=[Growth()], say=told.append)
    assert any("nothing moved" in line for line in told)


def test_the_written_priors_rest_on_no_report_of_our_own_and_reach_every_stage():
    free = read_free_numbers(WRITTEN)
    assert {factor.name for factor in free.factors} > free.still
    assert set(free.stages) == set(free.judged_by)
    held = begun(free.origin, Member({}))
    for factor in free.factors:
        for card in factor.cards:
            assert math.isfinite(held.factors[card, factor.parameter, factor.what])


def test_numbers_of_a_card_that_no_trial_informs_are_as_uncertain_as_their_class():
    free = read_free_numbers(WRITTEN)
    found = {factor.name: factor for factor in unfitted(free.factors)}
    assert {card for factor in found.values() for card in factor.cards} >= {"fl", "gd2_car", "glioma"}
    growth = [factor.prior_sd for factor in free.factors if factor.parameter == "g" and factor.what == "value"]
    assert found["g_of_fl"].prior_sd == max(growth) and found["g_of_fl"].cards == ("fl",)
    assert not {name for factor in free.factors for name in factor.cards} & {f.cards[0] for f in found.values()}
    assert not any(name.startswith("g_of_gd2") for name in found)  # a number of diseases
    drawn = draws_of(found.values(), 400, 1)
    np.testing.assert_allclose(drawn[0::2], -drawn[1::2])
    np.testing.assert_allclose(drawn.std(axis=0), [factor.prior_sd for factor in found.values()], rtol=0.25)


def test_a_number_cites_the_rows_it_was_fitted_to_or_its_prior_where_nothing_moved_it(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(WRITTEN.parent))
    import write_cards

    free = read(tmp_path)
    fitted = write_cards.facts_of(free, ("axicabtagene_ciloleucel", "rho", "value"))
    assert (
        fitted["how"] == "calibrated" and fitted["source"] == "calibration_rows" and "prior growth" in fitted["where"]
    )
    both = write_cards.facts_of(free, ("brexucabtagene_autoleucel", "rho", "value"))  # one of its two factors moves
    assert both["how"] == "calibrated" and "prior growth and apart" in both["where"]
    alone = dataclasses.replace(free, still=frozenset({"rho_of_axi", "rho_of_brexu"}))
    still = write_cards.facts_of(alone, ("axicabtagene_ciloleucel", "rho", "value"))
    assert (still["how"], still["source"], still["why"]) == ("reported", "stein_2019", "doubling in a dish")
    head = '[parameters.rho]\nvalue = 3\nunit = "1/day"\nsource = "own"\n'
    text = head + 'where = "there"\nhow = "calibrated"\n\n[parameters.x]\n'
    text = edited(text, "rho", "value", 4.0, {**still, "source": ""})
    table = tomllib.loads(text)["parameters"]["rho"]
    assert table == {
        "value": 4, "unit": "1/day", "how": "reported", "why": "doubling in a dish", "where": still["where"],
    }  # fmt: skip
