"""How records are shown, and how rows of patients are taken and joined by what a record declares."""

import html
from dataclasses import dataclass, fields, is_dataclass

import numpy as np
import pytest

import vein2vein
from vein2vein.records import axes, by_patient, described, join, take
from vein2vein.trials.trial import load_trial

LONGEST = 400


@by_patient(visit=("days",), none=("unit",))
@dataclass(frozen=True)
class Chart:
    """A record of n patients on k days."""

    days: np.ndarray
    values: np.ndarray
    unit: str
    named: dict
    doses: tuple
    cells: dict


def chart(n, k=3, unit="g"):
    values = np.arange(n * k, dtype=float).reshape(n, k)
    doses = ((0.0, "x", np.ones(n)), (float(n), "y", np.arange(n, dtype=float)))
    return Chart(np.arange(k), values, unit, {"a": np.arange(n)}, doses, {(0, 1): "why", (n - 1, 0): "last"})


def test_rows_are_taken_by_axis_even_where_lengths_agree():
    found = take(chart(3, 3), np.array([2, 0]))
    assert found.days.tolist() == [0, 1, 2] and found.values.tolist() == [[6, 7, 8], [0, 1, 2]]
    assert found.named["a"].tolist() == [2, 0] and found.doses[1][2].tolist() == [2, 0]
    assert found.cells == {(0, 0): "last", (1, 1): "why"}
    masked = take(chart(3, 3), np.array([True, False, True]))
    assert masked.values.tolist() == [[0, 1, 2], [6, 7, 8]]


def test_records_are_joined_by_axis_and_what_differs_for_all_is_refused():
    found = join([chart(3), chart(2)], [3, 2], np.array([4, 0, 1, 2, 3]))
    assert found.values[:, 0].tolist() == [3, 0, 3, 6, 0] and found.days.tolist() == [0, 1, 2]
    assert found.named["a"].tolist() == [1, 0, 1, 2, 0]
    by_day = {(day, name): amount.tolist() for day, name, amount in found.doses}
    assert by_day == {(0.0, "x"): [1] * 5, (2.0, "y"): [1, 0, 0, 0, 0], (3.0, "y"): [0, 0, 1, 2, 0]}
    assert found.cells == {(1, 1): "why", (3, 0): "last", (4, 1): "why", (0, 0): "last"}
    assert join([chart(2), chart(2, unit="kg")], [2, 2], np.arange(4)).unit == "g and kg"
    with pytest.raises(ValueError, match=r"Chart\.days differs"):
        join([chart(2, 3), chart(2, 4)], [2, 2], np.arange(4))


def test_what_an_arm_does_not_have_is_absent_for_its_patients():
    one, other = chart(2), chart(1)
    other = Chart(other.days, other.values, "g", {"b": np.array([True])}, (), {})
    found = join([one, other], [2, 1], np.arange(3))
    assert found.named["a"].tolist() == [0, 1, -1] and found.named["b"].tolist() == [False, False, True]
    assert found.doses[0][2].tolist() == [1, 1, 0]


def test_an_axis_for_a_field_that_is_not_there_is_refused():
    with pytest.raises(TypeError, match="no field dayz"):
        by_patient(visit=("dayz",))(Chart)
    with pytest.raises(TypeError, match="does not declare the axes"):
        axes(load_trial("eliana"))


def public_records():
    """Every class of the face that is a record."""
    found = [getattr(vein2vein, name) for name in vein2vein.__all__ if name != "__version__"]
    return [kind for kind in found if isinstance(kind, type) and is_dataclass(kind)]


@pytest.mark.parametrize("kind", public_records(), ids=lambda kind: kind.__name__)
def test_every_public_record_is_shown_short(kind):
    assert hasattr(kind, "_repr_html_"), f"{kind.__name__} has no table for notebooks"
    assert kind.__repr__.__module__ == "vein2vein.records"


def shown():
    trial = load_trial("eliana")
    patients = vein2vein.virtual_patients("pediatric_b_all", 300, seed=1)
    product = vein2vein.find_product("kymriah")
    return [
        trial, patients, product, trial.disease, trial.plan, trial.published[0], product.parameters,
        vein2vein.find_model("reference"), vein2vein.read_policy("astct_2019"),
    ]  # fmt: skip


@pytest.mark.parametrize("record", shown(), ids=lambda record: type(record).__name__)
def test_a_record_is_one_short_line_and_a_small_table(record):
    line, table = repr(record), record._repr_html_()
    assert line.startswith(f"{type(record).__name__}(") and len(line) < LONGEST and "\n" not in line
    assert table.count("<tr>") == len(fields(record)) and len(table) < 200 * (len(fields(record)) + 1)


def test_a_journey_is_shown_short_and_its_table_is_escaped(journey):
    assert len(repr(journey)) < LONGEST
    for f in fields(journey):
        assert len(repr(getattr(journey, f.name))) < 20 * LONGEST
    held = described(dataclass(frozen=True)(type("Odd", (), {"__annotations__": {"name": str}})))
    table = held("<script>alert('x')</script>")._repr_html_()
    assert "<script>" not in table and html.escape("<script>") in table
