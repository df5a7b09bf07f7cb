"""Numbers, units, dates: as records print them."""

import contextlib
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vein2vein import units
from vein2vein.analytes import all_analytes
from vein2vein.errors import InputError
from vein2vein.io.record.quantities import conversions, needs_unit, to_canonical
from vein2vein.io.record.times import NotATime, clock_note, days_since, find_zone, order_of, parse_moment
from vein2vein.io.record.values import NotANumber, decimal_of, is_formula, parse_value
from vein2vein.sources import all_sources
from vein2vein.units import convert, is_unit


@pytest.mark.parametrize(
    ("text", "decimal", "value", "unit", "bound"),
    [
        ("38.5", ".", 38.5, "", ""),
        ("38,5", ",", 38.5, "", ""),
        ("38,5", None, 38.5, "", ""),
        ("<0.1", ".", 0.1, "", "<"),
        ("≤ 0,1", ",", 0.1, "", "<="),
        (">= 5", ".", 5, "", ">="),
        ("&lt;0.5", ".", 0.5, "", "<"),
        ("less than 0.5", ".", 0.5, "", "<"),
        ("below 0.5 mg/L", ".", 0.5, "mg/L", "<"),
        ("more than 1000", ".", 1000, "", ">"),
        ("at least 3", ".", 3, "", ">="),
        ("0.4 LL", ".", 0.4, "", ""),
        ("0.4 (L)", ".", 0.4, "", ""),
        ("0.4 (LL)", ".", 0.4, "", ""),
        ("L 0.4", ".", 0.4, "", ""),
        ("(L) 0.4", ".", 0.4, "", ""),
        ("LL <0.4", ".", 0.4, "", "<"),
        ("0.4 *", ".", 0.4, "", ""),
        ("0.4**", ".", 0.4, "", ""),
        ("0.4 !!", ".", 0.4, "", ""),
        ("0.4 L*", ".", 0.4, "L*", ""),
        ("0.4\u2193", ".", 0.4, "", ""),
        ("\u2191 0.4", ".", 0.4, "", ""),
        ("0.4 CRIT", ".", 0.4, "", ""),
        ("0.4 high", ".", 0.4, "", ""),
        ("0.4 -", ".", 0.4, "", ""),
        ("0.4 H mg/L", ".", 0.4, "mg/L", ""),
        ("0.4 L 10*3/uL", ".", 0.4, "10*3/uL", ""),
        ("2 L/min", ".", 2, "L/min", ""),
        ("2 L", ".", 2, "L", ""),
        ("\u22123", ".", -3, "", ""),
        (">10000", ".", 10000, "", ">"),
        ("39 kg", ".", 39, "kg", ""),
        ("45 %", ".", 45, "%", ""),
        ("1,234.5", ".", 1234.5, "", ""),
        ("1.234,5", ",", 1234.5, "", ""),
        ("1,234", ".", 1234, "", ""),
        ("1 234,5", ",", 1234.5, "", ""),
        ("1'234.5", ".", 1234.5, "", ""),
        ("1,234,567", None, 1234567, "", ""),
        ("-5", ".", -5, "", ""),
        ("+5", ".", 5, "", ""),
        ("1.2e8", ".", 1.2e8, "", ""),
        ("3.1e6/kg", ".", 3.1e6, "/kg", ""),
        (".5", ".", 0.5, "", ""),
        ("12.3 H", ".", 12.3, "", ""),
        ("12.3*", ".", 12.3, "", ""),
        ("7.0 10*3/uL", ".", 7, "10*3/uL", ""),
    ],
)
def test_numbers(text, decimal, value, unit, bound):
    assert parse_value(text, decimal) == (value, unit, bound)


@pytest.mark.parametrize(
    ("text", "decimal"),
    [
        ("1,234", None),
        ("1.234", None),
        ("1,234", "mixed"),
        ("38,5", "."),
        ("1.5", ","),
        ("1,23,4", "."),
        ("1.2.3", "."),
        ("=1+2", "."),
        ("@SUM(A1)", "."),
        ("+cmd|x", "."),
        ("high", "."),
        ("", "."),
        ("1e999", "."),
        ("9" * 90, "."),
        ("1,2.3,4", None),
    ],
)
def test_what_is_no_clear_number_is_refused(text, decimal):
    with pytest.raises(NotANumber) as caught:
        parse_value(text, decimal)
    assert caught.value.remedy


def test_the_decimal_sign_of_a_file():
    assert decimal_of(["12", "38,5", "1.234,5"]) == ","
    assert decimal_of(["12", "38.5", "1,234.5"]) == "."
    assert decimal_of(["38.5", "38,5"]) == "mixed"
    assert decimal_of(["1,234", "12"]) is None


@given(st.text(max_size=30))
def test_any_text_is_a_number_or_refused(text):
    for decimal in (".", ",", None):
        with contextlib.suppress(NotANumber):
            assert abs(parse_value(text, decimal).value) < float("inf")
    assert is_formula(text) in (True, False)


@given(st.floats(min_value=-1e12, max_value=1e12, allow_nan=False))
def test_numbers_written_in_full_are_read_as_they_were(value):
    assert parse_value(repr(value), ".").value == value


# ---------------------------------------------------------------- units


@pytest.mark.parametrize(
    ("name", "value", "unit", "expected"),
    [
        ("crp", 12.5, "mg/dL", 125),
        ("crp", 12.5, "MG/L", 12.5),
        ("ferritin", 1200, "ng/mL", 1200),
        ("ferritin", 1.2, "mg/L", 1200),
        ("igg", 4.2, "g/L", 420),
        ("neutrophils", 450, "cells/uL", 0.45),
        ("neutrophils", 450, "/mm3", 0.45),
        ("neutrophils", 0.45, "K/uL", 0.45),
        ("neutrophils", 0.45, "10*3/uL", 0.45),
        ("neutrophils", 0.45, "x10³/µL", 0.45),
        ("platelets", 41, "thou/uL", 41),
        ("platelets", 41, "10E9/L", 41),
        ("creatinine", 88.4, "umol/L", 1),
        ("creatinine", 88.4, "µmol/L", 1),
        ("bilirubin", 17.1, "umol/L", 1),
        ("triglycerides", 2, "mmol/L", 177.14),
        ("fibrinogen", 150, "mg/dL", 1.5),
        ("temperature", 100.4, "degF", 38),
        ("temperature", 101.3, "[degF]", 38.5),
        ("temperature", 38.5, "Cel", 38.5),
        ("ast", 3, "ukat/L", 180),
        ("ldh", 250, "IU/L", 250),
        ("fio2", 40, "%", 0.4),
        ("mrd", 0.01, "%", 1e-4),
        ("systolic_bp", 100, "mm[Hg]", 100),
        ("hemoglobin", 90, "g/L", 9),
        ("il6", 12, "ng/L", 12),
        ("tocilizumab", 8, "mg/kg", 320),
        ("norepinephrine", 0.1, "ug/kg/min", 4),
        ("dopamine", 400, "ug/min", 10),
        ("m_protein", 3.1, "g/dL", 31),
        ("urine_m_protein", 300, "mg/24h", 300),
        ("weight", 100, "lb", 45.359237),
    ],
)
def test_units_are_converted_once_to_the_canonical_one(name, value, unit, expected):
    assert to_canonical(name, value, unit, weight=40.0) == pytest.approx(expected, rel=1e-12)


def test_fever_in_fahrenheit_is_fever_exactly():
    assert to_canonical("temperature", 100.4, "degF") == 38.0


@pytest.mark.parametrize(
    ("name", "unit"),
    [
        ("creatinine", "mmHg"),
        ("ferritin", "U/L"),
        ("creatinine_clearance", "mL/min/1.73m2"),
        ("egfr", "mL/min"),
        ("neutrophils", "10*6/uL"),
        ("transgene", "cells/uL"),
        ("car_t_cells", "copies/ug"),
        ("crp", "U/L"),
        ("temperature", "mg/dL"),
        ("temperature", "%degC"),
        ("platelets", "furlong"),
        ("igg", "9^9^9^9"),
        ("igg", "m**(9)**(9)**(9)"),
        ("tocilizumab", "mg/kg"),
    ],
)
def test_a_unit_that_is_not_of_the_analyte_is_refused(name, unit):
    with pytest.raises(InputError):
        to_canonical(name, 1.0, unit)  # the last one for want of a weight


def test_every_canonical_unit_can_be_read_and_every_conversion_is_sourced():
    for analyte in all_analytes().values():
        assert is_unit(analyte.unit), analyte.name
        assert to_canonical(analyte.name, 7.0, analyte.unit) == 7.0
    for name, entry in conversions().data.items():
        assert name in all_analytes() and entry["source"] in all_sources() and entry["mark"] in ("R", "M", "D")
    assert needs_unit("crp") and needs_unit("tocilizumab") and not needs_unit("temperature") and not needs_unit("ice")


@given(st.text(max_size=25))
def test_any_text_is_a_unit_or_refused(text):
    with contextlib.suppress(InputError):
        convert(1.0, text, "mg/L")


# ---------------------------------------------------------------- times


@pytest.mark.parametrize(
    ("text", "order", "expected"),
    [
        ("2026-03-05", None, date(2026, 3, 5)),
        ("2026-3-5 9:05", None, datetime(2026, 3, 5, 9, 5)),
        ("2026/03/05 14:30", None, datetime(2026, 3, 5, 14, 30)),
        ("05.03.2026", None, date(2026, 3, 5)),
        ("05.03.2026 14:30:10", None, datetime(2026, 3, 5, 14, 30, 10)),
        ("03/05/2026", "mdy", date(2026, 3, 5)),
        ("05/03/2026 2:30 pm", "dmy", datetime(2026, 3, 5, 14, 30)),
        ("5 Mar 2026", None, date(2026, 3, 5)),
        ("05-MAR-2026 14:30", None, datetime(2026, 3, 5, 14, 30)),
        ("Mar 5, 2026", None, date(2026, 3, 5)),
        ("2026-03-05T14:30", None, datetime(2026, 3, 5, 14, 30)),
    ],
)
def test_dates(text, order, expected):
    assert parse_moment(text, order) == expected


@pytest.mark.parametrize(
    "text", ["03/05/2026", "2026-02-30", "5.3.26", "soon", "", "0001-01-01", "2026-03", "25:00", "13.13.2026"]
)
def test_what_is_no_clear_date_is_refused(text):
    with pytest.raises(NotATime):
        parse_moment(text)


def test_order_of_day_and_month_shows_in_any_one_date():
    assert order_of(["03/05/2026", "03/17/2026"]) == "mdy"
    assert order_of(["03/05/2026", "17/03/2026"]) == "dmy"
    assert order_of(["03/05/2026"]) is None


def test_days_are_counted_in_absolute_time_when_the_clocks_change():
    zone = find_zone("America/New_York")
    zero, later = datetime(2026, 3, 7, 12), datetime(2026, 3, 8, 12)  # the clocks go forward in the night
    assert days_since(later, zero, zone) == pytest.approx(23 / 24, abs=1e-6)
    assert days_since(later, zero, None) == 1.0
    assert days_since(datetime(2026, 3, 8, 16, tzinfo=ZoneInfo("UTC")), zero, zone) == pytest.approx(23 / 24, abs=1e-6)
    assert clock_note(datetime(2026, 3, 8, 2, 30), zone) and clock_note(datetime(2026, 11, 1, 1, 30), zone)
    assert not clock_note(later, zone)


def test_dates_without_time_are_whole_days_apart():
    assert days_since(date(2026, 3, 12), datetime(2026, 3, 5, 22), None) == 7
    assert days_since(datetime(2026, 3, 12, 12), date(2026, 3, 5), None) == 7.5
    assert days_since(date(2026, 2, 28), date(2026, 3, 1), None) == -1
    with pytest.raises(InputError, match="Europe/Berlin"):
        find_zone("Nowhere")


@given(st.text(max_size=25))
def test_any_text_is_a_time_or_refused(text):
    for order in (None, "dmy"):
        with contextlib.suppress(NotATime):
            parse_moment(text, order)


def test_stretches_of_time_are_those_of_the_unit_library():
    for name in units.days_of():
        for other in units.days_of():
            by_library = units._registry().Quantity(1.0, name).to(other).magnitude
            assert units.convert(1.0, name, other) == pytest.approx(by_library, rel=1e-11), (name, other)


def test_the_end_of_a_day_and_a_leap_second():
    assert parse_moment("2028-02-28 24:00") == datetime(2028, 2, 29)
    assert parse_moment("2026-03-05T24:00:00") == datetime(2026, 3, 6)
    assert parse_moment("31.12.2026 24:00") == datetime(2027, 1, 1)
    assert parse_moment("2026-03-05T23:59:60Z") == datetime(2026, 3, 5, 23, 59, 59, tzinfo=UTC)
    for wrong in ("2026-03-05 24:01", "2026-02-29 24:00", "24:00"):
        with pytest.raises(NotATime):
            parse_moment(wrong)


def test_digits_and_signs_of_other_scripts():
    assert parse_value("\u0663\u0669\u066b\u0662", ".").value == 39.2
    assert parse_value("\u0663\u066c\u0665\u0660\u0660", ".").value == 3500
    assert parse_value("\uff13\uff19", ".").value == 39
