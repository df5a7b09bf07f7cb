"""The report of measured curves: its words and numbers, units on each axis, marks for what lies beyond a limit."""

import re

import numpy as np
import pytest

from vein2vein.inference.noncompartmental.explore import explore
from vein2vein.inference.noncompartmental.profiles import Profiles
from vein2vein.report.exploration import exploration_page, groupings, table_text
from vein2vein.report.figures_exploration import curves_figure, percentiles_figure


def profiles(*, endpoint="transgene", unit="copies/ug", time_unit="d", last=90.0, above=False, count=12):
    days = np.array([1.0, 4, 7, 14, 28, last])
    shape = np.array([50.0, 900, 40_000, 5000, 400, 50])
    row = np.repeat(np.arange(count), 6)
    value = np.where(np.tile(shape, count) == 50, 50.0, np.tile(shape, count) * (1 + row / 10))
    below = np.tile(shape == 50, count)
    return Profiles(
        "study.csv", endpoint, unit, time_unit, tuple(f"P{i}" for i in range(count)), row, np.tile(days, count), value,
        below, (value == value.max()) & above, np.where(np.arange(count) < count // 2, 1e8, 2e8),
        {"ARM": np.array(["low"] * (count - 3) + ["high"] * 3)},
    )  # fmt: skip


def words(picture):
    return re.findall(r"<text[^>]*>([^<]*)</text>", picture.svg)


def test_curves_have_units_on_each_axis_and_marks_for_what_lies_below():
    found = explore(profiles())
    (everyone, doses, arms) = groupings(found)
    picture = curves_figure(found, everyone)
    said = words(picture)
    assert "Time since the first dose (days)" in said and "CAR transgene (copies/µg DNA)" in said
    assert "measured" in said and "below the limit, drawn at it" in said and "above the limit, drawn at it" not in said
    assert "24 below it" in picture.caption and "Left: the first 28 days" in picture.caption
    assert said.count("All patients") == 1
    by_dose = curves_figure(found, doses, "-1")
    assert {"dose 1e8", "dose 2e8"} <= set(words(by_dose)) and by_dose.title == "CAR transgene of each patient, by dose"
    assert "ARM low (9), ARM high (3)" in curves_figure(found, arms).alt.replace(
        "ARM high (3), ARM low (9)", "ARM low (9), ARM high (3)"
    )


def test_what_lies_above_a_limit_has_a_mark_of_its_own():
    found = explore(profiles(above=True))
    picture = curves_figure(found, groupings(found)[0])
    assert "above the limit, drawn at it" in words(picture) and "24 below and 1 above it" in picture.caption


def test_percentiles_name_the_highest_median_and_the_groups_that_are_too_small():
    found = explore(profiles())
    everyone, doses, arms = groupings(found)
    picture = percentiles_figure(found, everyone)
    middle = np.median(40_000 * (1 + np.arange(12) / 10))
    assert f"All patients: highest median {middle:,.0f} copies/µg DNA at 7 days" in picture.alt
    assert "(open triangle: of the median)" in picture.caption
    by_arm = percentiles_figure(found, arms)
    assert "Too few: ARM high." in by_arm.caption and "ARM low" in words(by_arm)
    assert {"dose 1e8", "dose 2e8"} <= set(words(percentiles_figure(found, doses)))
    marks = re.findall(r"<use [^>]*fill: (#\w+); stroke: #0072b2", picture.svg)
    assert (marks.count("#ffffff"), marks.count("#0072b2")) == (3, 8)  # medians that are a bound: days 1 and 90
    few = explore(profiles(count=4))
    assert percentiles_figure(few, groupings(few)[0]) is None


def test_one_panel_where_the_curves_are_short_or_have_no_unit():
    for found in (explore(profiles(last=30.0)), explore(profiles(time_unit="", unit="", endpoint="cp"))):
        picture = curves_figure(found, groupings(found)[0])
        assert "Left:" not in picture.caption and words(picture).count("All patients") == 1
    assert "Time since the first dose (unit not known)" in words(picture) and "cp (unit not known)" in words(picture)


def test_the_page_holds_the_figures_of_groups_and_patients():
    found = explore(profiles())
    page = " ".join(
        re.sub(
            r"<svg.*?</svg>|<style.*?</style>", "", exploration_page(found, {"file": "study.csv"}), flags=re.S
        ).split()
    )
    text = " ".join(re.sub(r"<[^>]+>", " ", page).split())
    for said in (
        "CAR transgene in 12 patients", "72 values of 12 patients, read from study.csv.",
        "24 of 72 values lie below the limit", "Could not be read of any patient: half-life, terminal",
        "Patients by dose", "Patients by ARM", "AUC0-28 d·copies/µg DNA", "2, R² –, 7 to 14",
        "Beal", "PKNCA", "1e8 (6)", "high (3)",
    ):  # fmt: skip
        assert said in text, said
    logs = np.log(40_000 * (1 + np.arange(12) / 10))
    assert f"Cmax copies/µg DNA {np.exp(logs.mean()):,.0f}"[:22] in text
    assert f"({100 * np.sqrt(np.expm1(logs.var(ddof=1))):.1f} %)" in text
    assert "not a medical device" in text


def test_patients_beyond_what_a_page_holds_are_in_the_file(monkeypatch):
    monkeypatch.setattr("vein2vein.report.exploration.MOST_LISTED", 2)
    page = exploration_page(explore(profiles()))
    assert "The first 2 patients; the CSV file holds all." in page and ">P1<" in page and ">P2<" not in page


def test_tables_as_text_leave_what_is_not_known_empty():
    found = explore(profiles(count=2))
    lines = table_text(found.individual()).splitlines()
    header, first = lines[0].split(","), lines[1].split(",")
    row = dict(zip(header, first))
    assert row["patient"] == "P0" and row["dose"] == "100000000" and row["tmax"] == "7" and row["samples"] == "6"
    assert row["half_life_terminal"] == "" and float(row["cmax"]) == 40_000
    groups = table_text(found.by_group()).splitlines()
    assert groups[0] == "by,group,parameter,unit,patients,known,geometric_mean,geometric_cv,median,low,high"
    assert groups[1].startswith(",all,cmax,copies/ug,2,2,")
    assert float(groups[1].split(",")[6]) == pytest.approx(40_000 * np.sqrt(1.1)) and table_text([]) == "\n"
