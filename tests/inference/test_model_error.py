"""The error of the model: learned from trials left out, kept in a file, and held by every interval that predicts."""

import math
from dataclasses import replace

import numpy as np
import pytest

from vein2vein.inference import model_error as library
from vein2vein.inference.model_error import ModelError, learned, learned_from, widened_contrast, widened_row
from vein2vein.inference.qualification import published_rows
from vein2vein.trials.comparison import beside
from vein2vein.trials.contrast import Contrast, Curves, Difference
from vein2vein.trials.trial import load_trial

ERROR = ModelError(
    {"all": 1.0, "response": 1.0}, {"all": 10.0, "response": 12.0, "survival": 8.0}, {"all": 0.5, "kinetics": 0.4}, "-"
)


def stated(unit, endpoint, **facts):
    rows = [row for row in load_trial("eliana").published if row.unit == unit and row.endpoint == endpoint]
    return replace(rows[0], **facts)


def test_an_interval_of_a_share_is_wider_by_points_in_squares_and_stays_a_share():
    row = stated("%", "responded", tolerance_kind="")
    found = beside(row, 100, None, level=0.9)
    found = replace(found, missing="", simulated=70.0, low=60.0, high=95.0, published=90.0, inside=False)
    wide = widened_row(found, row, ERROR)
    assert wide.low == pytest.approx(70 - math.hypot(10, 1.645 * 12))
    assert wide.high == 100.0 and wide.inside and wide.simulated == 70.0
    own = widened_row(found, replace(row, tolerance_kind="points", tolerance=5.0), ERROR)
    assert own.low == pytest.approx(70 - math.hypot(10, 1.645 * 5))  # of its own tolerance where it has one
    assert repr(widened_row(replace(found, missing="no"), row, ERROR)) == repr(replace(found, missing="no"))
    age = stated("years", "age")
    assert widened_row(replace(found, missing=""), age, ERROR).low == 60.0  # who is enrolled is no prediction


def test_an_interval_of_a_size_is_wider_by_its_logarithm():
    row = replace(stated("%", "responded"), endpoint="cmax", unit="copies/ug gDNA", tolerance_kind="")
    found = replace(beside(row, 100, None, level=0.9), missing="", simulated=100.0, low=50.0, high=200.0)
    wide = widened_row(found, row, ERROR)
    assert math.log(wide.high / 100) == pytest.approx(math.hypot(math.log(2), 1.645 * 0.4))
    assert math.log(100 / wide.low) == pytest.approx(math.hypot(math.log(2), 1.645 * 0.4))


def contrast():
    share = Difference("CR", "%", 40.0, 50.0, 10.0, 6.0, 14.0, False, "infused", (50, 50))
    ratio = replace(share, quantity="Cmax", unit="cells/uL", difference=2.0, low=1.5, high=3.0, ratio=True)
    value = np.array([[1.0, 0.5], [1.0, 0.6]])
    curve = Curves("OS", "infusion", "infused", np.array([0.0, 365.0]), value, value - 0.01, value + 0.01)
    return Contrast(("a", "b"), 50, 40, (share, ratio, replace(share, missing="no")), (curve,), (), {"trial": "t"})


def test_differences_of_two_products_hold_the_error_in_each_and_those_within_a_product_say_that_they_do_not():
    apart, within = (widened_contrast(contrast(), apart=one, error=ERROR) for one in (True, False))
    share, ratio, missing = apart.rows
    endpoint = {row.quantity: row.endpoint for row in library.endpoints()}
    sd = ERROR.of(endpoint.get("CR", ""), "%")[1]
    assert share.high - 10 == pytest.approx(math.hypot(4, 1.96 * math.sqrt(2) * sd)) and share.low < 0 < share.high
    assert ratio.low < 1 < ratio.high and math.isclose(ratio.difference, 2)
    assert repr(missing) == repr(contrast().rows[2])
    assert within.rows == contrast().rows and "not in the intervals" in within.provenance["model_error"].replace(
        "\n", " "
    )
    for one in (apart, within):
        (curve,) = one.curves
        assert curve.low[0, 0] == pytest.approx(0.99) and curve.high[0, 0] == 1.0  # nobody has died on day 0
        assert curve.value[0, 1] - curve.low[0, 1] == pytest.approx(math.hypot(0.01, 1.96 * 0.08))


def test_the_error_is_learned_on_every_scale_and_read_as_it_was_written(tmp_path, monkeypatch):
    rows = [
        replace(row, simulated=row.published, low=row.published, high=row.published, error=2.0, missing="")
        for row in published_rows(["zuma_1", "eliana"])
        if row.kind != "kinetics" or row.tolerance_kind == "log10"
    ]
    found = learned_from(rows, "abc")
    assert found.tolerances["all"] == pytest.approx(2.0, rel=0.2)
    response = [row.tolerance for row in rows if row.kind == "response" and row.tolerance_kind == "points"]
    assert found.points["response"] == pytest.approx(found.tolerances["response"] * np.median(response))
    kinetics = [row.tolerance for row in rows if row.kind == "kinetics" and row.tolerance_kind == "log10"]
    assert found.ln["kinetics"] == pytest.approx(found.tolerances["kinetics"] * np.median(kinetics) * math.log(10))
    path = tmp_path / "model_error.toml"
    library.write_model_error(found, path)
    monkeypatch.setattr(library, "bundled", lambda: path)
    learned.cache_clear()
    try:
        again = learned()
    finally:
        learned.cache_clear()
    assert again.cards == "abc" and again.tolerances.keys() == found.tolerances.keys()
    for kind, size in found.points.items():
        assert again.points[kind] == pytest.approx(size, rel=1e-2)


def test_the_bundled_error_is_none_that_flatters():
    held = learned()
    assert 0.3 < held.tolerances["all"] < 3 and 3 < held.points["all"] < 40 and 0.1 < held.ln["all"] < 2
