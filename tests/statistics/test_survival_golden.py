"""Every estimate against R's survival package; golden/survival/make_survival.R draws the data and writes the values.

Definitions agree but in two places: R says NA where a median is not reached (here: inf), and gives the middle of a
stretch in which survival is exactly one half (here: its beginning; no data set has one).
"""

import csv
from pathlib import Path

import numpy as np
import pytest

from vein2vein.statistics.hazard_ratio import hazard_ratio
from vein2vein.statistics.incidence import cumulative_incidence, incidence_interval_at
from vein2vein.statistics.log_rank import log_rank
from vein2vein.statistics.survival import at, interval_at, kaplan_meier, median_interval, median_time, value_at

GOLDEN = Path(__file__).resolve().parents[1] / "golden" / "survival"
SCALES = ("plain", "log", "log-log")
CLOSE = {"rtol": 1e-10, "atol": 1e-10}
TEXTS = ("set", "kind")


def read(name):
    lines = (GOLDEN / name).read_text(encoding="utf-8").splitlines()
    assert lines[0].startswith("# R version 4") and "survival 3" in lines[0] and "seed 20261129" in lines[0]
    rows = [
        {key: text if key in TEXTS else float("nan" if text == "NA" else text) for key, text in row.items()}
        for row in csv.DictReader(lines[1:])
    ]
    assert rows
    return rows


def by_set(name):
    found = {}
    for row in read(name):
        found.setdefault(row["set"], []).append(row)
    return found


def columns(rows):
    return {key: np.array([row[key] for row in rows]) for key in rows[0]}


DATA = {name: columns(rows) for name, rows in by_set("data.csv").items()}
SURVIVAL, MEDIAN, INCIDENCE = by_set("survival.csv"), by_set("median.csv"), by_set("incidence.csv")
RANKS, HAZARD = by_set("log_rank.csv"), {row["set"]: row["ratio"] for row in read("hazard_ratio.csv")}


def curve_of(name):
    return kaplan_meier(DATA[name]["time"], DATA[name]["cause"] > 0)


def test_the_data_hold_what_is_difficult():
    assert len(DATA) == 12 and set(SURVIVAL) == set(MEDIAN) == set(DATA)
    assert len(INCIDENCE) == 8 and len(RANKS) == len(HAZARD) == 9
    assert not DATA["all_censored"]["cause"].any() and DATA["all_events"]["cause"].all()
    assert len(DATA["one_event"]["time"]) == len(DATA["one_censored"]["time"]) == 1
    assert (DATA["zero_times"]["time"] == 0).sum() > 5
    ties = DATA["ties"]
    both = [t for t in np.unique(ties["time"]) if {0, 1, 2} <= set(ties["cause"][ties["time"] == t])]
    assert len(both) > 5  # both causes and censorings at one time
    assert len(set(DATA["strata"]["stratum"])) == 5 and len(set(DATA["strata"]["group"])) == 4


@pytest.mark.parametrize("name", DATA)
def test_survival_its_error_and_its_intervals_are_those_of_r(name):
    curve = curve_of(name)
    for row in SURVIVAL[name]:
        when = row["time"]
        np.testing.assert_allclose(value_at(curve, when), row["survival"], **CLOSE)
        np.testing.assert_allclose(np.sqrt(at(curve, curve.variance, when, 0.0)), row["log_error"], **CLOSE)
        for scale in SCALES:
            expected = row[f"{scale}.low"], row[f"{scale}.high"]
            np.testing.assert_allclose(interval_at(curve, when, row["level"], scale), expected, **CLOSE)
        first = np.searchsorted(curve.times, when)
        assert curve.at_risk[first] == row["at_risk"]


@pytest.mark.parametrize("name", DATA)
def test_the_median_and_its_interval_are_those_of_r(name):
    curve = curve_of(name)
    for row in MEDIAN[name]:
        low, high = median_interval(curve, row["level"], row["kind"])
        expected = [np.nan_to_num(row[key], nan=np.inf) for key in ("median", "low", "high")]
        if name == "one_event":
            expected[1] = np.nan  # the median is reached, but nothing is known of its interval
        np.testing.assert_array_equal([median_time(curve), low, high], expected)


@pytest.mark.parametrize("name", INCIDENCE)
def test_cumulative_incidence_its_error_and_its_intervals_are_those_of_r(name):
    for cause in (1, 2):
        curve = cumulative_incidence(DATA[name]["time"], DATA[name]["cause"], of=cause)
        rows = [row for row in INCIDENCE[name] if row["cause"] == cause]
        assert rows
        for row in rows:
            when = row["time"]
            np.testing.assert_allclose(value_at(curve, when), row["incidence"], **CLOSE)
            np.testing.assert_allclose(np.sqrt(at(curve, curve.variance, when, 0.0)), row["error"], **CLOSE)
            for scale in SCALES:
                expected = row[f"{scale}.low"], row[f"{scale}.high"]
                np.testing.assert_allclose(incidence_interval_at(curve, when, 0.95, scale), expected, **CLOSE)
            assert curve.at_risk[np.searchsorted(curve.times, when)] == row["at_risk"]


@pytest.mark.parametrize("name", RANKS)
def test_the_log_rank_test_is_that_of_r_also_within_strata(name):
    data = DATA[name]
    for stratified in {row["stratified"] for row in RANKS[name]}:
        stratum = data["stratum"] if stratified else None
        found = log_rank(data["time"], data["cause"] > 0, data["group"], stratum=stratum)
        expected = columns([row for row in RANKS[name] if row["stratified"] == stratified])
        assert found.groups.tolist() == expected["group"].tolist()
        assert found.degrees == expected["degrees"][0]
        np.testing.assert_array_equal(found.observed, expected["observed"])
        np.testing.assert_allclose(found.expected, expected["expected"], **CLOSE)
        np.testing.assert_allclose(np.diag(found.covariance), expected["variance"], **CLOSE)
        np.testing.assert_allclose([found.statistic, found.p], [expected["chisq"][0], expected["p"][0]], **CLOSE)


@pytest.mark.parametrize("name", HAZARD)
def test_the_hazard_ratio_of_exposed_time_is_that_of_r(name):
    data = DATA[name]
    found = hazard_ratio(data["time"], data["cause"] > 0, data["exposed_from"])
    np.testing.assert_allclose(found, HAZARD[name], **CLOSE)


def test_trials_of_one_size_side_by_side_are_those_of_r_one_by_one():
    names = [name for name in DATA if len(DATA[name]["time"]) == 30]
    assert len(names) == 2
    time, cause = (np.stack([DATA[name][key] for name in names]) for key in ("time", "cause"))
    curve = cumulative_incidence(time, cause)
    for k, name in enumerate(names):
        alone = cumulative_incidence(time[k], cause[k])
        np.testing.assert_array_equal(curve.variance[k], alone.variance)
        for when in (0.0, 1.0, 2.0, 9.0):
            assert value_at(curve, when)[k] == value_at(alone, when)
        np.testing.assert_array_equal(
            hazard_ratio(time, cause > 0, np.stack([DATA[name]["exposed_from"] for name in names]))[k],
            hazard_ratio(time[k], cause[k] > 0, DATA[name]["exposed_from"]),
        )
