"""Subgroups of a published row: who counts, and limits that leave nobody are refused at reading."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vein2vein.cards import parse_card
from vein2vein.errors import InputError
from vein2vein.trials.published import Published
from vein2vein.trials.subgroups import within
from vein2vein.trials.trial import read_trial, trial_template_text

INF = np.inf
ROW = {
    "trial": "T", "arm": "", "quantity": "q", "definition": "", "value": 10.0, "low": np.nan, "high": np.nan,
    "spread": "", "n": 5, "unit": "%", "source": "", "where": "", "confidence": "read", "draw": 5,
}  # fmt: skip
HEAD = trial_template_text().split("[[published]]")[0]
LINE = HEAD.count("\n") + 1
DEATHS = '[[published]]\nquantity = "q"\nvalue = 20\nn = 40\nunit = "%"\nconfidence = "memory"\nendpoint = "died"\n'


def members(journey, **limits):
    return np.flatnonzero(within(Published(**ROW, **limits), journey)).tolist()


def test_age_counts_completed_years_and_both_limits_belong_to_the_group(journey):
    grown = replace(journey, patient=replace(journey.patient, age=np.array([4, 10, 12.9, 16, 8, 20.0])))
    assert members(grown, age_from=10, age_to=12) == [1, 2]
    assert members(grown, age_to=12) == [0, 1, 2, 4] and members(grown, age_from=13) == [3, 5]


def test_lines_count_with_both_limits(journey):
    assert members(journey, lines_from=3, lines_to=4) == [1, 2, 5]
    assert members(journey, lines_to=2) == [0, 4]


def test_burden_is_that_before_lymphodepletion_in_the_unit_asked_for(journey):
    burden = np.array([100, 500, 1000, 2000, 8000, 500.0])
    found = replace(journey, waiting=replace(journey.waiting, burden=burden))
    assert members(found, burden_from=500, burden_to=1000) == [1, 2, 5]
    volume = burden * 1e6 * journey.patient.weight / 1e9  # 1e9 cells a mL
    assert members(found, burden_from=20, burden_unit="mL") == np.flatnonzero(volume >= 20).tolist()
    assert members(found, burden_to=30, burden_unit="cm2") == [0, 1, 2, 5]  # 30 cm2 are 1000 e6/kg


@given(low=st.integers(0, 30), high=st.integers(0, 30))
def test_two_halves_of_an_age_make_the_whole(low, high):
    from types import SimpleNamespace

    ages = np.linspace(0.5, 29.5, 59)
    same = np.ones(59)
    told = SimpleNamespace(patient=SimpleNamespace(age=ages, weight=same, prior_lines=same))
    young = within(Published(**ROW, age_to=low), told)
    old = within(Published(**ROW, age_from=low + 1), told)
    assert (young ^ old).all()
    both = within(Published(**ROW, age_from=low, age_to=high), told)
    assert both.any() == (low <= min(high, 29))


def read(limits, **changed):
    text = HEAD + DEATHS + limits
    for old, new in changed.items():
        assert old in text
        text = text.replace(old, new)
    return read_trial(parse_card(text, "my.toml"))


LYMPHOMA = {'"pediatric_b_all"': '"lbcl"'}
MYELOMA = {'"pediatric_b_all"': '"mm"', '"tisagenlecleucel"': '"idecabtagene_vicleucel"'}


@pytest.mark.parametrize(("endpoint", "unit"), [("marrow_blasts", "%"), ("relapse_by_burden", "hazard ratio")])
@pytest.mark.parametrize("disease", ["lbcl", "mcl", "cll", "fl"])
def test_what_is_read_off_a_marrow_is_refused_where_no_marrow_is_counted(endpoint, unit, disease):
    row = f'[[published]]\nquantity = "Q"\nvalue = 2\nunit = "{unit}"\nconfidence = "read"\nendpoint = "{endpoint}"\n'
    row += "above = 5\n" if endpoint == "relapse_by_burden" else ""
    assert read_trial(parse_card(HEAD + row, "my.toml")).published[0].endpoint == endpoint
    with pytest.raises(InputError, match=r"is not counted in marrow, so nobody would count") as problem:
        read_trial(parse_card((HEAD + row).replace('"pediatric_b_all"', f'"{disease}"'), "my.toml"))
    assert problem.value.field == "published.0.endpoint" and problem.value.line


@pytest.mark.parametrize(
    ("endpoint", "unit", "product", "other"),
    [
        ("cmax", "copies/ug gDNA", "axicabtagene_ciloleucel", "counted by flow; write 'cmax_cells'"),
        ("auc_0_28", "day*copies/ug gDNA", "brexucabtagene_autoleucel", "counted by flow; write 'auc_0_28_cells'"),
        ("cmax_cells", "cells/uL", "tisagenlecleucel", "counted by qPCR; write 'cmax'"),
        ("auc_0_28_cells", "day*cells/uL", "lisocabtagene_maraleucel", "counted by qPCR; write 'auc_0_28'"),
    ],
)
def test_cells_are_read_in_the_unit_in_which_the_product_is_followed(endpoint, unit, product, other):
    row = f'[[published]]\nquantity = "Q"\nvalue = 2\nunit = "{unit}"\nconfidence = "read"\nendpoint = "{endpoint}"\n'
    text = (HEAD + row).replace('"pediatric_b_all"', '"lbcl"')
    with pytest.raises(InputError, match=other) as problem:
        read_trial(parse_card(text.replace('"tisagenlecleucel"', f'"{product}"'), "my.toml"))
    assert problem.value.field == "published.0.endpoint" and problem.value.line
    fitting = "tisagenlecleucel" if "copies" in unit else "axicabtagene_ciloleucel"
    read = read_trial(parse_card(text.replace('"tisagenlecleucel"', f'"{fitting}"'), "my.toml"))
    assert read.published[0].endpoint == endpoint


@pytest.mark.parametrize(
    ("limits", "changed", "field", "said"),
    [
        ("blasts_below = 5", LYMPHOMA, "blasts_below", "nobody would count; leave it out, or limit burden_from"),
        ("blasts_from = 5", LYMPHOMA, "blasts_from", "large B-cell lymphoma is not counted in marrow"),
        ("blasts_from = 5", {'"pediatric_b_all"': '"cll"'}, "blasts_from", "is not counted in marrow"),
        ("blasts_from = 101", {}, "blasts_from", "expected at most 100 %"),
        ('burden_from = 50\nburden_unit = "mL"', {}, "burden_unit", "is not measured on images; expected 'e6/kg'"),
        ('burden_to = 50\nburden_unit = "cm2"', MYELOMA, "burden_unit", "is not measured on images"),
        ('burden_from = 1e6\nburden_unit = "e6/kg"', {}, "burden_from", "expected at most 14000 e6/kg"),
        ("burden_from = 1e6", {}, "burden_from", "found without its unit; add burden_unit, one of e6/kg, mL, cm2"),
        ("lines_from = 2.5", {}, "lines_from", "found 2.5, expected a whole number of earlier lines"),
        ("lines_to = 1.5", {}, "lines_to", "found 1.5, expected a whole number of earlier lines"),
        ("age_from = 65", {}, "age_from", "found 65 years or more, expected limits within"),
        ("age_to = 17", LYMPHOMA, "age_to", "found 0 to 17 years, expected limits within"),
        ("weight_from = 400", {}, "weight_from", "nobody else is enrolled"),
        ("lines_from = 90", {}, "lines_from", "earlier lines"),
        ("age_to = 4\nweight_from = 60", {}, "weight_from", "found limits of weight and age between which nobody"),
        ("age_from = 9\nage_to = 8", {}, "age_to", "nobody lies between them"),
        ('burden_unit = "ml"', {}, "burden_unit", "mL"),
        ("age_from = 8.2\nage_to = 8.8", {}, "age_from", "found limits of age between which nobody"),
        ('burden_to = 0\nburden_unit = "e6/kg"', {}, "burden_to", "found 0 e6/kg, expected more than 0 e6/kg"),
        ('burden_from = 1e9\nburden_unit = "mL"', LYMPHOMA, "burden_from", "mL, the most that large B-cell lymphoma"),
        ('burden_from = 1e5\nburden_unit = "cm2"', LYMPHOMA, "burden_from", "cm2, the most that large B-cell lymphoma"),
    ],
)  # fmt: skip
def test_limits_that_leave_nobody_are_refused_with_file_and_line(limits, changed, field, said):
    with pytest.raises(InputError) as problem:
        read(limits + "\n", **changed)
    text = str(problem.value)
    first = LINE + DEATHS.count("\n")
    lines = [f"my.toml, line {first + i}, published.0.{field}:" for i in range(2)]
    assert any(text.startswith(line) for line in lines) and said in text


@pytest.mark.parametrize(
    ("limits", "changed"),
    [
        ("blasts_below = 5", {}),
        ("blasts_from = 50", MYELOMA),
        ('burden_from = 50\nburden_unit = "mL"', LYMPHOMA),
        ('burden_to = 30\nburden_unit = "cm2"', LYMPHOMA),
        ('burden_to = 7000\nburden_unit = "e6/kg"', MYELOMA),
        ("age_from = 65", LYMPHOMA),
        ("age_from = 3\nage_to = 3", {}),
        ("lines_from = 3\nlines_to = 3", {}),
        ("weight_from = 50\nweight_to = 50.1", {}),
    ],
)
def test_limits_between_which_somebody_lies_are_accepted(limits, changed):
    assert read(limits + "\n", **changed).published[0].quantity == "q"


def test_a_row_of_several_arms_is_refused_only_where_no_arm_has_what_is_limited():
    arms = '[[arms]]\nname = "a"\nsize = 20\n\n[[arms]]\nname = "b"\nsize = 20\ndisease = "lbcl"\n\n'
    text = HEAD + arms + DEATHS
    assert read_trial(parse_card(text + "blasts_below = 5\n", "my.toml")).published[0].blasts_below == 5
    with pytest.raises(InputError, match=r"published\.0\.blasts_below"):
        read_trial(parse_card(text + 'blasts_below = 5\narms = ["b"]\n', "my.toml"))
