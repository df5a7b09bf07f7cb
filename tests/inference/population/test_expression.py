"""Covariate expressions: what they compute, and that they are no program."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vein2vein.errors import InputError
from vein2vein.inference.population.expression import parse

WT = {"WT": np.array([70.0, 35.0]), "AGE": np.array([2.0, 4.0])}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("log(WT/70)", [0.0, math.log(0.5)]),
        ("WT - 70 + AGE * 2", [4.0, -27.0]),
        ("-AGE^2", [-4.0, -16.0]),
        ("2^3^0*AGE", [4.0, 8.0]),
        ("(WT/70)**0.75", [1.0, 0.5**0.75]),
        ("exp(ln(AGE)) / sqrt(4)", [1.0, 2.0]),
        ("1.5e1 - .5*AGE", [14.0, 13.0]),
        ("AGE--1", [3.0, 5.0]),
        ("AGE/2/2", [0.5, 1.0]),
    ],
)
def test_expressions_compute(text, expected):
    found = parse(text)
    assert found(WT) == pytest.approx(expected) and set(found.names) <= set(WT)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("__import__('os')", r"unknown function '__import__'|found '''"),
        ("WT.__class__()", "unknown function"),
        ("WT; AGE", "found ';'"),
        ("WT AGE", "found 'AGE' in .* where it cannot stand"),
        ("log(WT", "found the end"),
        ("WT +", "found the end"),
        ("70", "names no covariate"),
        ("sin(WT)", "unknown function 'sin'"),
        ("(" * 60 + "WT" + ")" * 60, "deep"),
        ("-" * 100 + "WT", "deep"),
        ("W" * 400, "found an expression of 400 characters"),
        ("", "found the end"),
    ],
)
def test_anything_else_is_refused(text, said):
    with pytest.raises(InputError, match=said):
        parse(text)


def test_only_one_name_is_bare():
    assert parse(" SEX ").bare and not parse("SEX+0").bare and not parse("(SEX)").bare


@settings(max_examples=60)
@given(st.text(alphabet="WT0123456789.+-*/^() logexpsqrt", max_size=30))
def test_no_text_does_anything_but_compute_or_be_refused(text):
    try:
        found = parse(text)
    except InputError:
        return
    assert np.shape(found({name: np.ones(2) for name in found.names})) in ((), (2,))
