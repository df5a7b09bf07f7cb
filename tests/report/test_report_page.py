from itertools import pairwise

import numpy as np
import pytest

from vein2vein.errors import InputError
from vein2vein.report.figures import pick_curves, quantiles
from vein2vein.report.look import entries, look, mark, texts
from vein2vein.report.text import listed, number, percent, power_of_ten, span


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (24000, "24,000"), (34700.4, "34,700"), (0.0061, "0.0061"), (9.3, "9.3"), (100, "100"), (0, "0"),
        (-2.5, "−2.5"), (float("nan"), "–"), (None, "–"), (float("inf"), "∞"), (2.92e9, "2.92 × 10⁹"),
        (1.7e-6, "1.7 × 10⁻⁶"), (999.6, "1,000"),
    ],
)  # fmt: skip
def test_numbers_are_written_for_readers(value, text):
    assert number(value) == text


def test_an_unknown_interval_is_empty():
    assert span(1, 2) == "1 to 2"
    assert span(float("nan"), 2) == ""


@pytest.mark.parametrize(("value", "text"), [(0.01, "0.01"), (1, "1"), (1000, "1,000"), (1e5, "10⁵"), (1e-6, "10⁻⁶")])
def test_ticks_of_a_logarithmic_axis(value, text):
    assert power_of_ten(value) == text


def test_the_target_is_checked_before_the_work(tmp_path, result):
    from vein2vein.report.trial import write_trial_report

    path = tmp_path / "report.html"
    path.write_text("mine", encoding="utf-8")
    with pytest.raises(InputError, match="not overwritten"):
        write_trial_report(result, path)


def test_quantiles_ignore_the_unmeasured_and_ask_for_enough_patients():
    values = np.array([[1.0, np.nan], [3.0, np.nan], [np.nan, 7.0]])
    assert quantiles(values, [0.5], fewest=1)[0].tolist() == [2.0, 7.0]
    assert np.isnan(quantiles(values, [0.5], fewest=2)[0]).tolist() == [False, True]


def test_at_most_so_many_curves_are_drawn_and_both_extremes_are_among_them():
    peaks = np.random.default_rng(1).permutation(500).astype(float)
    chosen = pick_curves(peaks[:, None])
    assert len(chosen) == len(set(chosen.tolist())) <= look("figure", "most_curves")
    assert {0.0, 499.0} <= set(peaks[chosen])


def test_grades_get_darker_with_severity():
    def luminance(color):
        red, green, blue = (int(color[i : i + 2], 16) / 255 for i in (1, 3, 5))
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    light = [luminance(c) for c in texts("grades", "colors")]
    assert all(a > b + 0.02 for a, b in pairwise(light))


def test_levels_drawn_in_figures_have_a_known_source():
    from vein2vein.sources import source

    for name in entries("marks"):
        level = mark(name)
        assert level is not None and source(level.source), name


def test_lists_and_shares_in_words():
    assert [listed(names) for names in ([], ["CR"], ["CR", "PR"], ["sCR", "CR", "PR"])] == [
        "", "CR", "CR or PR", "sCR, CR or PR",
    ]  # fmt: skip
    assert listed(["a", "b"], "and") == "a and b"
    assert (percent(1, 3), percent(2, 0), percent(0, 5)) == ("33 %", "–", "0 %")
    assert power_of_ten(0) == "0" and power_of_ten(1e4) == "10,000" and power_of_ten(100) == "100"
