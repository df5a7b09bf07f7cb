"""Times as systems print them: each is read as it stands, with a declared form, or set aside; never guessed."""

from datetime import UTC, date, datetime, timedelta, timezone

import pytest

from vein2vein.io.record import times
from vein2vein.io.record.times import NotATime, parse_moment, relative_day, with_clock

EASTERN = timezone(timedelta(hours=-5))


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("20260305143000-0500", datetime(2026, 3, 5, 14, 30, tzinfo=EASTERN)),  # HL7
        ("20260305143000.1234-0500", datetime(2026, 3, 5, 14, 30, tzinfo=EASTERN)),
        ("202603051430", datetime(2026, 3, 5, 14, 30)),
        ("20260305", date(2026, 3, 5)),
        ("05MAR2026:14:30:00", datetime(2026, 3, 5, 14, 30)),  # SAS
        ("05MAR2026", date(2026, 3, 5)),
        ("05MAR26", date(2026, 3, 5)),
        ("06-MAR-2026:22:00", datetime(2026, 3, 6, 22)),
        ("06-Mar-2026 22:00", datetime(2026, 3, 6, 22)),
        ("2026-03-05 24:00", datetime(2026, 3, 6)),
        ("2026-03-06 10:00 PM", datetime(2026, 3, 6, 22)),
        ("2026-03-06 12:05 am", datetime(2026, 3, 6, 0, 5)),
        ("2026-03-06 7:30a", datetime(2026, 3, 6, 7, 30)),
        ("2026-03-06T22:20Z", datetime(2026, 3, 6, 22, 20, tzinfo=UTC)),
        ("05.03.2026 14:30", datetime(2026, 3, 5, 14, 30)),
        ("Mar 5, 2026 2:30 pm", datetime(2026, 3, 5, 14, 30)),
        ("iso:2026-03-05", date(2026, 3, 5)),
        ("1938-07-01", date(1938, 7, 1)),  # a birth date
        ("2180-07-23 14:00:00", datetime(2180, 7, 23, 14)),  # a public data set, shifted into the future
    ],
)
def test_forms_that_mean_one_thing_are_read(text, moment):
    assert parse_moment(text) == moment


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("5-Mar", "without a year"),
        ("Mar 5", "without a year"),
        ("3/6", "without a year"),
        ("3/6/26", "two digits"),
        ("03/06/2026", "told apart"),
        ("06.03.26", "two digits"),
        ("26-MAR-05", "not a date"),
        ("46088.5", "spreadsheet"),
        ("46089", "spreadsheet"),
        ("2026-03", "not a date"),
        ("20260332143000", "no such date"),
        ("20260305250000", "no such date"),
        ("2026-03-06 13:00 PM", "time of day"),
        ("yesterday", "not a date"),
        ("10:00", "not a date"),
        ("1", "not a date"),
    ],
)
def test_forms_that_may_mean_two_things_or_nothing_are_not(text, said):
    with pytest.raises(NotATime, match=said):
        parse_moment(text)


@pytest.mark.parametrize(
    ("text", "order", "moment"),
    [("3/6/26", "mdy", date(2026, 3, 6)), ("3/6/26", "dmy", date(2026, 6, 3)), ("06.03.26", "mdy", date(2026, 3, 6))],
)
def test_years_of_two_digits_are_read_by_a_declared_order_only(text, order, moment):
    assert parse_moment(text, order) == moment
    with pytest.raises(NotATime, match="two digits"):
        parse_moment(text, order, short=False)


@pytest.mark.parametrize(
    ("text", "form", "moment"),
    [
        ("46086.604166667", "excel", datetime(2026, 3, 5, 14, 30)),
        ("44624.604166667", "excel-1904", datetime(2026, 3, 5, 14, 30)),
        ("46086", "excel", date(2026, 3, 5)),
        ("5-3-26 1430", ("%d.%m.%Y", "%d-%m-%y %H%M"), datetime(2026, 3, 5, 14, 30)),
        ("46086", ("%d.%m.%Y", "excel"), date(2026, 3, 5)),
        ("iso:2026-03-05T10:00:00", "%d.%m.%Y %H:%M", datetime(2026, 3, 5, 10)),
    ],
)
def test_declared_forms(text, form, moment):
    assert parse_moment(text, None, form) == moment


@pytest.mark.parametrize("form", ["excel", "%d.%m.%Y", ("%d.%m.%Y", "excel")])
def test_with_a_declared_form_nothing_else_is_read(form):
    with pytest.raises(NotATime):
        parse_moment("2026-03-05", None, form)


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("D+1", 1),
        ("T+3", 3),
        ("Day 1", 1),
        ("day -5", -5),
        ("Day +7", 7),
        ("d0", 0),
        ("Tag 3", 3),
        ("D+1.5", 1.5),
        ("1", None),
        ("D", None),
        ("5 days", None),
        ("Dec 5", None),
    ],
)
def test_days_counted_from_the_infusion(text, day):
    assert relative_day(text) == day


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("24:00", datetime(2026, 3, 6)),
        ("10:00 PM", datetime(2026, 3, 5, 22)),
        ("0730", datetime(2026, 3, 5, 7, 30)),
        ("7:30a", datetime(2026, 3, 5, 7, 30)),
        ("14:30:10", datetime(2026, 3, 5, 14, 30, 10)),
    ],
)
def test_times_of_day_beside_a_date(text, moment):
    assert with_clock(date(2026, 3, 5), text) == moment


@pytest.mark.parametrize("text", ["7", "730", "25:00", "24:30", "noon"])
def test_what_is_no_time_of_day(text):
    with pytest.raises(NotATime):
        with_clock(date(2026, 3, 5), text)


# ---------------------------------------------------------------- in tables


def days_of(table, first, second, **more):
    rows = (
        "2026-03-05 10:00,car_t_infusion,1e8,cells",
        f"{first},temperature,39,degC",
        f"{second},temperature,38,degC",
    )
    record = table("time,analyte,value,unit", *rows, **more)
    return record, record.course.days.tolist()


def test_a_column_of_serial_numbers_alone_is_read_and_said(table):
    record = table("time,analyte,value,unit", "46086.5,car_t_infusion,1e8,cells", "46088.5,temperature,39,degC")
    assert record.course.days.tolist() == [0, 2] and any("spreadsheet" in note for note in record.notes)


def test_a_serial_number_among_dates_is_set_aside_unless_it_is_declared(table):
    record, days = days_of(table, "46088.5", "2026-03-07 10:00")
    assert days == [0, 2] and [s.analyte for s in record.set_aside] == ["temperature"]
    record, days = days_of(table, "46088.5", "2026-03-08 10:00", mapping='date_format = ["%Y-%m-%d %H:%M", "excel"]')
    assert days == pytest.approx([0, 2 + 2 / 24, 3], abs=1e-5) and not record.set_aside


def test_years_of_two_digits_need_the_order_in_the_mapping(table):
    record, days = days_of(table, "3/6/26 10:00", "3/25/2026 10:00")  # the order shows, and nobody declared it
    assert days == [0, 20] and len(record.set_aside) == 1
    record, days = days_of(table, "3/6/26 10:00", "3/25/2026 10:00", mapping='date_order = "mdy"')
    assert days == [0, 1, 20] and not record.set_aside


def test_days_from_the_infusion_stand_beside_dates(table):
    record, days = days_of(table, "D+1", "T+3")
    assert days == [0, 1, 3] and not record.set_aside


def test_a_day_from_the_infusion_with_a_clock_beside_it_is_set_aside(table):
    record = table("date,time,analyte,value,unit", "2026-03-05,10:00,car_t_infusion,1e8,cells", "D+1,14:30,SBP,80,mmHg",
                   "2026-03-06,24:00,SBP,90,mmHg")  # fmt: skip
    assert [s.line for s in record.set_aside] == [3] and record.course.days.tolist() == pytest.approx([0, 1 + 14 / 24])


@pytest.mark.parametrize(
    ("form", "given"),
    [
        ("%d.%m.%Y %H:%M", "2026-03-05T10:00:00"),
        ("%d.%m.%Y %H:%M", "2026-03-05 10:00:00"),
        ("excel", "2026-03-05T10:00:00"),
    ],
)
def test_a_date_of_toml_is_read_whatever_form_the_table_has(table, form, given):
    when = "46087.416666667" if form == "excel" else "06.03.2026 10:00"
    mapping = f'date_format = "{form}"\n[patient]\ninfusion = {given}\nbirth_date = 2012-03-05'
    record = table("time,analyte,value,unit", f"{when},temperature,39,degC", mapping=mapping)
    assert record.course.days.tolist() == pytest.approx([1], abs=1e-4) and record.set_aside == ()


def test_the_limits_of_what_may_be_a_date_are_wide_enough_for_births_and_shifted_years():
    assert times.EARLIEST == 1900 and times.LATEST >= 2214
