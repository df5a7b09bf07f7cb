"""Supports from a start to an end: what runs at every moment, as a ward would say it."""

from datetime import datetime, timedelta

import pytest

from vein2vein.io.record.cells import Cells
from vein2vein.io.record.mapping import TableMapping
from vein2vein.io.record.periods import enter, is_period, supports
from vein2vein.io.record.record import Entry, Log

ZERO = datetime(2026, 3, 5)
NE = "norepinephrine"


def at(hours):
    return ZERO + timedelta(hours=hours)


def bag(start, end, rate, name=NE, unit="ug/min", line=2, **more):
    """A bag of a drug; an end of None goes on."""
    until = None if end is None else at(end)
    return Entry("", at(start), name, rate, unit, line, "x", until=until, running=end is None, **more)


def point(hour, rate, name=NE, unit="ug/min"):
    return Entry("", at(hour), name, rate, unit, 3, "x")


def filled(*entries):
    work = Cells("table", TableMapping(), Log("ward.csv"), ".", {"": 0}, {"": ZERO})
    enter(work, entries)
    return work


def said(work, name=NE):
    """{hour: value}, with * where it goes on, + where it is a lower bound, ? where it is not known."""
    found = {}
    for number, day, analyte in sorted({*work.cells, *work.unread}):
        if analyte == name:
            cell = (number, day, analyte)
            marks = ("*" if cell in work.lasting else "") + ("+" if cell in work.above else "")
            value = "?" if cell in work.unread else f"{work.cells[cell][0]:g}"
            found[round(day * 24, 3)] = value + marks
    return found


@pytest.mark.parametrize(
    ("entries", "steps"),
    [
        ([bag(19, 22, 8.0)], {19: "8*", 22: "0"}),
        ([bag(19, None, 8.0)], {19: "8*"}),  # still running: no end is invented
        ([bag(19, 21, 8.0), bag(20.5, 23, 4.0)], {19: "8*", 21: "4*", 23: "0"}),  # they overlap: the higher rate
        ([bag(19, 21, 4.0), bag(20.5, 23, 8.0)], {19: "4*", 20.5: "8*", 23: "0"}),
        ([bag(19, 21, 8.0), bag(21, 23, 4.0)], {19: "8*", 21: "4*", 23: "0"}),  # one ends as the next begins
        ([bag(19, 21, 8.0), bag(21.2, 23, 8.0)], {19: "8*", 23: "0"}),  # a bag is changed within a quarter of an hour
        ([bag(19, 21, 8.0), bag(21.5, 23, 8.0)], {19: "8*", 21: "0", 21.5: "8*", 23: "0"}),  # half an hour without
        ([bag(19, 23, 4.0), bag(20, 21, 8.0)], {19: "4*", 20: "8*", 21: "4*", 23: "0"}),  # one within the other
        ([bag(19, 23, 8.0), bag(20, 21, 4.0)], {19: "8*", 23: "0"}),
        ([bag(19, 23, 8.0), bag(19, 23, 4.0)], {19: "8*", 23: "0"}),
        ([bag(19, None, 8.0), bag(20, 21, 12.0)], {19: "8*", 20: "12*", 21: "8*"}),
        ([bag(19, 23, 8.0), point(20, 12.0)], {19: "8*", 20: "12*", 23: "0"}),  # the pump is turned up within the bag
        ([bag(19, None, 8.0), point(20, 0.0)], {19: "8*", 20: "0*"}),  # and turned off
        ([bag(19, 23, 8.0), point(23, 4.0)], {19: "8*", 23: "4"}),  # what is charted at the end holds, not 0
        ([bag(19, 23, 8.0), point(18, 4.0), point(24, 2.0)], {18: "4", 19: "8*", 23: "0", 24: "2"}),
        ([bag(19, 19, 8.0)], {19: "8"}),  # no length: one value
        ([bag(19, 21, 8.0), bag(20, 22, 8.0), bag(21.5, 24, 8.0)], {19: "8*", 24: "0"}),
    ],
)
@pytest.mark.parametrize("turn", [1, -1])
def test_bags_are_steps_in_any_order_of_rows(entries, steps, turn):
    assert said(filled(*entries[::turn])) == steps


def test_a_bag_that_is_not_understood_makes_the_rate_a_lower_bound_and_alone_unknown():
    from vein2vein.io.record import periods

    known, unknown = (
        periods.Period(day, end, value, False, (0.0, False, "ward.csv:2", 2, "x"))
        for day, end, value in ((0.5, 1.0, 8.0), (0.75, 1.25, None))
    )
    found = [(s.day, s.value, s.above, s.lasting) for s in periods.steps(NE, [known, unknown], [])]
    assert found == [
        (0.5, 8.0, False, True), (0.75, 8.0, True, True), (1.0, None, False, True), (1.25, 0.0, False, False),
    ]  # fmt: skip


def test_a_row_within_a_period_that_is_not_understood_is_unknown_then_and_ends_nothing():
    work = Cells("table", TableMapping(), Log("ward.csv"), ".", {"": 0}, {"": ZERO})
    work.unread.add((0, 20 / 24, NE))
    enter(work, [bag(19, 23, 8.0)])
    assert said(work) == {19: "8*", 20: "?", 23: "0"}


@pytest.mark.parametrize(
    ("name", "unit", "value", "end"),
    [
        ("oxygen_flow", "L/min", 4.0, "0"),
        ("fio2", "fraction", 0.4, "0.21"),  # room air
        ("dialysis", "", 1.0, "0"),
        ("oxygen_device", "", 1.0, "0"),
        ("oxygen_device", "", 5.0, "?"),  # after a ventilator: oxygen of some kind, not known of which
        ("oxygen_device", "", 4.0, "?"),
    ],
)
def test_what_the_end_of_a_support_says(name, unit, value, end):
    assert said(filled(bag(10, 20, value, name, unit)), name) == {10: f"{value:g}*", 20: end}


def test_a_dose_that_runs_in_over_an_hour_is_one_dose():
    dose = bag(19, 20, 560.0, "tocilizumab", "mg")
    assert not is_period(dose) and "tocilizumab" not in supports()
    work = filled(dose)
    assert said(work, "tocilizumab") == {19: "560"} and not work.lasting


def test_an_end_before_the_start_is_told_and_the_value_kept():
    work = filled(bag(19, 18, 8.0))
    assert said(work) == {19: "8"}
    (told,) = work.log.items
    assert "ends before it begins" in told.what and told.line == 2 and told.analyte == NE


def test_each_step_says_the_row_it_comes_from():
    work = filled(bag(19, 21, 8.0, line=5), bag(20, 23, 12.0, line=7))
    rows = {round(day * 24): row[2] for (_, day, _), row in work.cells.items()}
    assert rows == {19: "ward.csv:5", 20: "ward.csv:7", 23: "ward.csv:7"}


def test_patients_and_drugs_are_kept_apart():
    work = Cells("table", TableMapping(), Log("x"), ".", {"a": 0, "b": 1}, {"a": ZERO, "b": ZERO})
    one = bag(19, 22, 8.0)
    enter(work, [one._replace(patient="a"), one._replace(patient="b", time=at(21)), bag(20, 21, 1.0, "vasopressin", "")
                 ._replace(patient="a")])  # fmt: skip
    values = {(number, name, round(day * 24)): row[0] for (number, day, name), row in work.cells.items()}
    assert values == {
        (0, NE, 19): 8, (0, NE, 22): 0, (1, NE, 21): 8, (1, NE, 22): 0,
        (0, "vasopressin", 20): 1, (0, "vasopressin", 21): 0,
    }  # fmt: skip
