"""Charts as data: what they say, how they are rounded, and the table beside them."""

import math

import pytest

from vein2vein.web.chart import Band, Chart, Curve, Event, HeatMap, Points, chart_data, short


def chart(**more):
    given = {
        "id": "c",
        "title": "t",
        "y_label": "CAR T cells",
        "unit": "cells/uL",
        "origin": "virtual",
        "x": [float(i) for i in range(400)],
    }
    return Chart(**{**given, **more})


def test_a_chart_says_what_its_numbers_are():
    with pytest.raises(ValueError, match="'found' does not say what a number is"):
        chart(origin="found")
    with pytest.raises(ValueError, match="does not say"):
        chart(points=(Points([1.0], [1.0], "p", origin="x"),))
    with pytest.raises(ValueError, match="'m' has 2 values for 400 days"):
        chart(curves=(Curve([1, 2], "m"),))
    with pytest.raises(ValueError, match="do not fit 1 rows of 2 days"):
        HeatMap("h", "t", "virtual", [0.0, 1.0], ["a"], [[1]])


def test_numbers_are_rounded_to_what_can_be_seen():
    assert [short(v) for v in (1.23456, 123456.0, math.nan, math.inf, None, 0.0)] == [
        1.235,
        123500.0,
        None,
        None,
        None,
        0.0,
    ]
    told = chart_data(chart(curves=(Curve([1 / 3] * 400), Curve([math.nan] * 400, "none"))))
    assert told["curves"][0]["y"][0] == 0.3333 and told["curves"][1]["y"][0] is None and told["kind"] == "curves"


def test_the_table_holds_named_lines_points_and_events():
    y = [float(i) for i in range(400)]
    told = chart_data(
        chart(
            curves=(Curve(y, "median"), Curve(y)),
            bands=(Band(y, [2 * v for v in y], "90 %"),),
            points=(Points([1.0], [None], "mine"), Points([2.0], [3.0], "own", below=(True,))),
            events=(Event(4, "fever"),),
        )
    )["table"]
    assert told["columns"] == ["Day", "median", "90 %, low", "90 %, high"]
    assert len(told["rows"]) == 31 and told["rows"][0] == [0, 0, 0, 0] and told["rows"][-1] == [399, 399, 399, 798]
    assert told["points"] == [["mine", 1, None, False], ["own", 2, 3, True]] and told["events"] == [[4, "fever"]]
    assert chart_data(chart(curves=(Curve(y),)))["table"]["rows"] == []


def test_the_table_of_a_heat_map_has_the_worst_grade_and_its_first_day():
    told = chart_data(
        HeatMap("h", "t", "measured", [0.0, 1.0, 2.0], ["a", "b", "c"], [[0, 2, 2], [0, 0, 0], [-1, -1, -1]])
    )
    assert told["table"]["rows"] == [["a", 2, 1], ["b", 0, None], ["c", None, None]] and told["kind"] == "heat"
    assert told["table"]["columns"] == ["", "Worst grade", "First day"]


def test_the_page_shows_chart_and_table(asked):
    page = asked.client.get("/trying").text
    assert page.count("<figure") == 2 and 'role="img" aria-label="CAR T cells"' in page
    assert '<span class="tag virtual">virtual</span>' in page and "<small>cells/uL</small>" in page
    assert "&lt; 0.5" in page or "&lt;0.5" in page, "a value below its limit is marked in the table"
    assert page.index("uPlot.iife.min.js") < page.index("charts.js")
