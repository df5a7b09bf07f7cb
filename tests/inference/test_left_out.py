"""Leave-one-trial-out: what stays decides, what nothing informs falls back to its class, and the model has an error."""

import math
from dataclasses import replace

import numpy as np
import pytest

from vein2vein.errors import InputError
from vein2vein.inference.calibration import left_out
from vein2vein.inference.calibration.left_out import (
    CLASS,
    NEITHER,
    SEEN,
    Linear,
    Refit,
    fallback,
    group_of,
    sets_without,
)
from vein2vein.inference.calibration.linear_file import read_linear, write_linear
from vein2vein.inference.leave_one_out import predict_left_out
from vein2vein.inference.model_error import model_error, of_kind, spread, widened
from vein2vein.inference.posterior import Factor, card_parameters, hash_of_cards
from vein2vein.inference.qualification import published_rows

OBE, TISA, LISO, AXI = (
    "obecabtagene_autoleucel", "tisagenlecleucel", "lisocabtagene_maraleucel", "axicabtagene_ciloleucel",
)  # fmt: skip
FACTORS = (
    Factor("muM", "muM", "value", ("reference",), 0.3),
    Factor("rho_of_obe", "rho", "value", (OBE,), 0.05),
    Factor("g_of_adult", "g", "value", ("adult_b_all",), 0.2),
)


def value(card, name):
    return card_parameters(card).parameters[name].value


def linear(residual=(1.0, 1.0, -3.0)):
    """Three trials of a row each: the first two follow muM, the last the product's growth and muM."""
    return Linear(
        factors=FACTORS,
        estimate=np.array([0.2, 0.3, 0.0]),
        owners=("eliana", "zuma_3", "felix"),
        residual=np.array(residual),
        sensitivity=np.array([[2.0, 2.0, 2.0], [0.0, 0.0, 3.0], [0.0, 1.0, 1.0]]),
        met=(
            frozenset({TISA, "pediatric_b_all"}),
            frozenset({"brexucabtagene_autoleucel", "adult_b_all"}),
            frozenset({OBE, "adult_b_all"}),
        ),
        cards=hash_of_cards(FACTORS),
    )


def means(sets):
    return {key: np.mean([math.log(one.factors[key]) for one in sets]) for key in sets[0].factors}


def test_what_stays_decides_as_the_normal_equations_say():
    found = means(sets_without(linear(), ["felix"], seed=1))
    slope, residual = linear().sensitivity[[0, 2]][:, :2], np.array([1.0, 1.0])
    start = linear().estimate[[0, 2]]
    exact = np.linalg.solve(slope @ slope.T + np.eye(2), slope @ (slope.T @ start - residual))
    assert found["reference", "muM", "value"] == pytest.approx(0.3 * (exact[0] - start[0]), abs=1e-3)
    assert found["adult_b_all", "g", "value"] == pytest.approx(0.2 * (exact[1] - start[1]), abs=1e-3)


def test_the_rows_that_are_left_out_say_nothing():
    one, other = (means(sets_without(linear((1.0, 1.0, far)), ["felix"], seed=1)) for far in (-3.0, 5.0))
    assert one == other
    with_them = means(sets_without(linear(), ["eliana"], seed=1))
    assert with_them[OBE, "rho", "value"] > 0.01  # its row calls for more growth


def test_a_number_that_nothing_informs_falls_back_to_its_class():
    log, sd = fallback(FACTORS[1], {TISA, LISO, AXI, "cd22_car"})  # CD19 with 4-1BB: not CD28, not CD22
    alike = np.log([value(TISA, "rho"), value(LISO, "rho")])
    assert log == pytest.approx(alike.mean() - np.log(value(OBE, "rho")))
    assert sd == pytest.approx(max(alike.std(ddof=1), 0.05))
    wider = fallback(FACTORS[1], {"ciltacabtagene_autoleucel", AXI})  # no other CD19 with 4-1BB: costimulation
    assert wider[0] == pytest.approx(np.log(value("ciltacabtagene_autoleucel", "rho") / value(OBE, "rho")))
    assert wider[1] == pytest.approx(0.05 * left_out.number_of("class_sd"))
    sets = sets_without(linear(), ["felix"], seed=1)  # tisagenlecleucel alone informs it: CD28 is another class
    assert means(sets)[OBE, "rho", "value"] == pytest.approx(np.log(value(TISA, "rho") / value(OBE, "rho")), abs=1e-6)
    spreads = np.std([math.log(one.factors[OBE, "rho", "value"]) for one in sets])
    assert spreads == pytest.approx(0.05 * left_out.number_of("class_sd"), rel=0.3)


@pytest.mark.parametrize(
    ("met", "elsewhere", "group"),
    [
        ({TISA, "pediatric_b_all"}, {TISA, "pediatric_b_all", LISO}, SEEN),
        ({OBE, "adult_b_all"}, {TISA, "pediatric_b_all"}, CLASS),
        ({OBE, "mm"}, {TISA, "pediatric_b_all"}, NEITHER),
        ({AXI, "lbcl"}, {TISA, "lbcl"}, NEITHER),
    ],
)
def test_how_far_a_trial_is_from_those_that_stay(met, elsewhere, group):
    assert group_of([frozenset(met)], elsewhere) == group


def test_trials_that_may_share_patients_go_together():
    assert left_out.together("lamble_2023") == left_out.together("eliana") == ("eliana", "lamble_2023")
    assert left_out.together("juliet") == ("juliet",)


def test_a_trial_of_no_calibration_is_refused():
    with pytest.raises(InputError, match="unknown trial of the calibration 'feli'"):
        sets_without(linear(), ["feli"], seed=1)
    with pytest.raises(InputError, match="expected two or more"):
        predict_left_out(linear(), ["felix"])


def row(**facts):
    base = published_rows(["zuma_1"])[0]
    told = {
        "published": 50.0, "simulated": 50.0, "low": 40.0, "high": 60.0, "tolerance": 10.0, "unit": "%",
        "tolerance_kind": "points", "error": 0.0, "inside": True, "close": True, "missing": "", "kind": "response",
    }  # fmt: skip
    return replace(base, **{**told, **facts})


def test_an_interval_of_a_tolerance_either_way_tells_its_standard_deviation():
    assert spread(row()) == pytest.approx(1 / 1.645)
    assert math.isnan(spread(row(high=math.inf)))
    wide = row(tolerance_kind="log10", tolerance=0.5, simulated=10.0, low=1.0, high=100.0, unit="pg/mL")
    assert spread(wide) == pytest.approx(2 / 1.645)


def test_the_error_of_the_model_is_what_predictions_miss_beyond_their_intervals():
    far = [row(error=2.0, kind="response") for _ in range(10)] + [row(error=0.0, kind="blood") for _ in range(10)]
    found = model_error(far)
    own = np.array([4 - 1 / 1.645**2, -1 / 1.645**2])
    borrowed = left_out.number_of("borrowed")
    assert found["response"] ** 2 == pytest.approx((10 * own[0] + borrowed * own.mean()) / (10 + borrowed))
    assert found["blood"] < of_kind(found, "another") < found["response"]
    assert of_kind(found, "another") ** 2 == pytest.approx(own.mean())
    assert model_error([row() for _ in range(5)])["response"] == 0  # nothing is missed beyond luck


def test_the_error_of_the_model_widens_an_interval_on_the_scale_of_the_row():
    plain = widened(row(published=75.0, error=2.5, close=False), 2.0)
    assert plain.low == pytest.approx(max(0.0, 50 - math.hypot(10, 32.9))) and plain.inside and not plain.passed
    log = row(tolerance_kind="log10", tolerance=0.5, simulated=10.0, low=5.0, high=20.0, published=90.0, unit="pg/mL")
    wide = widened(replace(log, inside=False), 2.0)
    assert math.log10(wide.high) == pytest.approx(1 + math.hypot(math.log10(2), 1.645))
    assert wide.inside
    narrow = widened(row(simulated=2.0, low=1.0, high=4.0), 3.0)
    assert narrow.low == 0.0 and narrow.high < 100
    assert repr(widened(row(missing="not produced"), 2.0)) == repr(row(missing="not produced"))
    assert widened(row(), 0.0).low == pytest.approx(40.0)


def test_a_refit_that_was_run_stands_before_the_linearized_one():
    refit = Refit(("felix",), np.array([0.7, 0.3, -0.4]), np.array([0.5, 0.5, np.nan]))
    found = means(sets_without(replace(linear(), refits=(refit,)), ["felix"], seed=1))
    assert found["reference", "muM", "value"] == pytest.approx(0.3 * 0.5, abs=1e-9)
    assert found["adult_b_all", "g", "value"] == pytest.approx(0.2 * -0.4, abs=1e-9)
    assert found[OBE, "rho", "value"] == pytest.approx(
        means(sets_without(linear(), ["felix"], seed=1))[OBE, "rho", "value"]
    )
    other = means(sets_without(replace(linear(), refits=(refit,)), ["eliana"], seed=1))
    assert other == means(sets_without(linear(), ["eliana"], seed=1))


def test_a_linearized_calibration_is_read_as_it_was_written(tmp_path):
    path = tmp_path / "linear.npz"
    write_linear(linear(), path)
    found = read_linear(path)
    assert (found.factors, found.owners, found.met, found.cards) == (
        FACTORS, linear().owners, linear().met, linear().cards,
    )  # fmt: skip
    np.testing.assert_allclose(found.sensitivity, linear().sensitivity)
    write_linear(replace(linear(), cards="0123"), path)
    with pytest.raises(InputError, match="made with other numbers than the cards now hold"):
        read_linear(path)
    path.write_bytes(b"nothing of the kind")
    with pytest.raises(InputError, match="is no linearized calibration"):
        read_linear(path)
    with pytest.raises(InputError, match="there is no linearized calibration"):
        read_linear(tmp_path / "none.npz")


def test_refits_are_read_as_they_were_written(tmp_path):
    refit = Refit(("eliana", "lamble_2023"), np.array([0.7, 0.3, -0.4]), np.array([np.nan, 0.5, 0.25]))
    write_linear(replace(linear(), refits=(refit,)), tmp_path / "linear.npz")
    (found,) = read_linear(tmp_path / "linear.npz").refits
    assert found.trials == refit.trials
    np.testing.assert_array_equal(found.point, refit.point)
    np.testing.assert_array_equal(found.residual, refit.residual)
