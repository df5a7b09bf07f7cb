"""Every door: what a card, an overlay or a record made in Python gets wrong is refused, with its place."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import vein2vein
from vein2vein import general_sets
from vein2vein.cards import parse_card
from vein2vein.cli.main import main
from vein2vein.errors import InputError
from vein2vein.models import stein_2019
from vein2vein.models.reference import model as reference
from vein2vein.parameters import (
    Parameter,
    ParameterSet,
    Spread,
    individual_values,
    read_parameters,
)
from vein2vein.therapy import antigens, disease, manufacturing, patient, product, visits
from vein2vein.therapy.laws import Law
from vein2vein.virtual import bedside, covariate_constants, hazards

PACKAGE = Path(vein2vein.__file__).parent
TISA = "therapy/products/tisagenlecleucel.toml"
CLL = "therapy/diseases/cll.toml"
PEDIATRIC = "therapy/diseases/pediatric_b_all.toml"
OBE = "therapy/products/obecabtagene_autoleucel.toml"


def written(card: str, parameter: str) -> str:
    """A number of a card as it stands there now: it changes with a calibration."""
    found = re.search(rf"\[parameters\.{parameter}\]\nvalue = \S+", (PACKAGE / card).read_text("utf-8"))
    assert found is not None
    return found[0]


WRITTEN = re.search(
    r'\[parameters\.rho\]\nvalue = (\S+)\nunit = "1/day"(?:\nspread = [^\n]*)?', (PACKAGE / TISA).read_text("utf-8")
)
assert WRITTEN is not None
RHO, VALUE = WRITTEN[0], WRITTEN[1]
BARE = f'[parameters.rho]\nvalue = {VALUE}\nunit = "1/day"'  # without a spread of its own
CULTURE = "[process.culture_days]\nvalue = 10"
DOSED = "low_per_kg = 0.2e6\ntarget_per_kg = 3.1e6"

# card, what is there, what is written instead, line of the fault within what is written, field, what is said
FAULTS = [
    # numbers laid over the general ones
    (
        TISA,
        RHO,
        BARE.replace(VALUE, "-4.491"),
        2,
        "parameters.rho.value",
        "found -4.491 1/day, expected a number from 0",
    ),
    (TISA, RHO, BARE.replace(VALUE, "nan"), 2, "parameters.rho.value", "found nan"),
    (TISA, RHO, BARE.replace(VALUE, "inf"), 2, "parameters.rho.value", "found inf"),
    (TISA, RHO, BARE.replace(VALUE, '"fast"'), 2, "parameters.rho.value", "does not begin with a number"),
    (TISA, RHO, BARE.replace(VALUE, "true"), 2, "parameters.rho.value", "found true"),
    (
        TISA,
        RHO,
        BARE.replace("1/day", "1/h"),
        2,
        "parameters.rho.value",
        f"found {24 * float(VALUE):g} 1/day, expected",
    ),
    (TISA, RHO, BARE.replace("1/day", "kg"), 3, "parameters.rho.unit", "not a unit of 1/day"),
    (TISA, RHO, BARE.replace("1/day", "per fortnight"), 3, "parameters.rho.unit", "unknown unit"),
    (TISA, RHO, BARE.replace("rho", "rhoo"), 1, "parameters.rhoo", "unknown parameter 'rhoo'; did you mean rho"),
    (TISA, RHO, BARE.replace("rho", "n_T0"), 1, "parameters.n_T0", "unknown parameter"),
    (TISA, RHO, f'{BARE}\nspread = {{ kind = "lognormal", sd = -1 }}', 4, "parameters.rho.spread.sd", "found -1"),
    (TISA, RHO, f'{BARE}\nspread = {{ kind = "lognorml", sd = 1 }}', 4, "parameters.rho.spread.kind", "lognormal"),
    (TISA, RHO, f"{BARE}\nlow = 5\nhigh = 4", 5, "parameters.rho.high", "low <= high"),
    (TISA, RHO, f"{BARE}\nmeening = 'x'", 4, "parameters.rho.meening", "did you mean meaning"),
    (
        TISA,
        written(TISA, "feng"),
        "[parameters.feng]\nvalue = 5.997",
        2,
        "parameters.feng.value",
        "to 1",
    ),
    (TISA, CULTURE, CULTURE.replace("10", "0"), 2, "process.culture_days.value", "from 1 to 60 day"),
    (TISA, CULTURE, CULTURE.replace("10", "-3"), 2, "process.culture_days.value", "from 1 to 60 day"),
    (TISA, CULTURE, CULTURE.replace("culture", "cultur"), 1, "process.cultur_days", "did you mean culture_days"),
    (
        CLL,
        written(CLL, "g"),
        "[parameters.g]\nvalue = 9000",
        2,
        "parameters.g.value",
        "found 9000 1/day, expected a number from 0 to 1",
    ),
    (CLL, written(CLL, "p_res"), "[parameters.p_res]\nvalue = 1.3175", 2, "parameters.p_res.value", "from 0 to 1"),
    # words
    (TISA, 'costimulation = "4-1BB"', 'costimulation = "CD82"', 1, "costimulation", "did you mean CD28"),
    (TISA, 'target_a = "CD19"', 'target_a = "CD191"', 1, "target_a", "did you mean CD19"),
    (TISA, 'vector = "lentivirus"', 'vector = "lentivrus"', 1, "vector", "did you mean lentivirus"),
    (TISA, 'readout = "qPCR"', 'readout = "PCR"', 1, "readout", "did you mean qPCR"),
    (TISA, 'design = "single"', 'design = "both"', 1, "design", "unknown design 'both'"),
    (TISA, 'design = "single"', 'design = "or"\ntarget_b = "CD19"', 2, "target_b", "the antigen of target_a"),
    (TISA, 'title = "tisagenlecleucel"', "title = 3", 1, "title", "in quotes"),
    (TISA, 'hinge = "CD8a [R:S135]"', 'hnge = "x"', 1, "construct.hnge", "did you mean hinge"),
    (CLL, 'lineage = "lymphoma"', 'lineage = "lymphom"', 1, "lineage", "did you mean lymphoma"),
    (CLL, 'antigen_b = "CD20"', 'antigen_b = "CD200"', 1, "antigen_b", "did you mean CD20"),
    (CLL, 'antigen_b = "CD20"', 'antigen_b = "CD19"', 1, "antigen_b", "which is antigen_a"),
    # antigens on the tumor
    (CLL, "[antigens.CD22]", "[antigens.CD222]", 1, "antigens.CD222", "unknown antigen 'CD222'; did you mean CD22"),
    (CLL, "positive = 0.2", "positive = 20", 1, "antigens.CD22.positive", "found 20, expected a number from 0 to 1"),
    (CLL, "median = 11450", "median = 0", 1, "antigens.CD19.density.median", "found 0"),
    (CLL, "median = 11450", "median = 1e9", 1, "antigens.CD19.density.median", "found 1e+09"),
    (CLL, "sd = 0.505", "sd = -0.5", 1, "antigens.CD19.density.sd", "found -0.5"),
    (CLL, "[antigens.CD22.density]", "[antigens.CD22.densty]", 1, "antigens.CD22.densty", "did you mean density"),
    (CLL, "positive = 0.2\n", "", 0, "antigens.CD22.density", "a density where positive is 0 or not given"),
    (CLL, 'antigen_b = "CD20"', 'antigen_b = "BCMA"', 1, "antigen_b", "expected one that antigens tells to be carried"),
    (CLL, "[antigens.BCMA]", "[antigens.BCMA]\npositive = 0.3", 1, "antigens.BCMA.density", "needs its law"),
    (
        TISA,
        "[parameters.half_a]\nvalue = 2000",
        "[parameters.half_a]\nvalue = 0.1",
        2,
        "parameters.half_a.value",
        "0.1",
    ),
    (TISA, "[parameters.half_a]", "[parameters.r50_a]", 1, "parameters.r50_a", "unknown parameter 'r50_a'"),
    # use, dose, lymphodepletion
    (TISA, "age_below = 26", "age_below = 26\nage_low = 30", 1, "indications.0.age_below", "more than age_low, 30"),
    (TISA, "age_below = 26", "age_below = -26", 1, "indications.0.age_below", "found -26"),
    (TISA, "window_low = 2", "window_low = 20", 2, "indications.0.window_high", "at least window_low, 20"),
    (
        TISA,
        'diseases = ["pediatric_b_all", "adult_b_all"]',
        'diseases = ["lbcl", "lbcl"]',
        1,
        "indications.0.diseases",
        "'lbcl' twice",
    ),
    (TISA, "window_low = 2", "window_low = nan", 1, "indications.0.window_low", "found nan"),
    (TISA, "lines_low = 1", "lines_low = -1", 1, "indications.0.lines_low", "found -1"),
    (TISA, DOSED, DOSED.replace("0.2e6", "9e6"), 2, "indications.0.dose.target_per_kg", "low <= target <= high"),
    (TISA, DOSED, DOSED.replace("0.2e6", "-1"), 1, "indications.0.dose.low_per_kg", "found -1"),
    (TISA, "scatter = 0.4", "scatter = -0.4", 1, "indications.0.dose.scatter", "found -0.4"),
    (TISA, "scatter = 0.4", "scatter = nan", 1, "indications.0.dose.scatter", "found nan"),
    (TISA, "age_below = 26", "age_below = nan", 1, "indications.0.age_below", "found nan"),
    (TISA, "lines_low = 1", "lines_low = nan", 1, "indications.0.lines_low", "found nan"),
    (PEDIATRIC, "marrow_full = 14000", "marrow_full = nan", 1, "marrow_full", "found nan"),
    (TISA, "weight_border = 50", "weight_border = -50", 1, "indications.0.dose.weight_border", "found -50 kg"),
    (TISA, "dose = 30,", "dose = -30,", 1, "indications.0.regimens.0.drugs.0.dose", "found -30"),
    (
        TISA,
        "days = [-6, -5, -4, -3]",
        "days = [-6, 5]",
        1,
        "indications.0.regimens.0.drugs.0.days",
        "before the infusion",
    ),
    (TISA, "days = [-6, -5, -4, -3]", "days = [nan]", 1, "indications.0.regimens.0.drugs.0.days.0", "found nan"),
    (OBE, "blasts_above = 20,", "blasts_above = 200,", 1, "indications.0.dose.split.blasts_above", "from 0 to 100 %"),
    (OBE, "[0, 1.0e8]", "[0, -1.0e8]", 1, "indications.0.dose.split.low.0.1", "found -1e+08"),
    (OBE, "[0, 1.0e8]", "[0]", 1, "indications.0.dose.split.low.0", "2 values"),
    # diseases and their laws
    (PEDIATRIC, "marrow_full = 14000", "", 1, "marrow_full", "missing; a leukemia is counted in the marrow"),
    (PEDIATRIC, "marrow_full = 14000", "marrow_full = -1", 1, "marrow_full", "found -1"),
    (
        CLL,
        'low = 18\nhigh = 90\nunit = "year"',
        'low = 18\nhigh = 90\nunit = "month"',
        3,
        "population.age.unit",
        "'year'",
    ),
    (CLL, "probability = 0.65", "probability = 6.5", 1, "population.male.probability", "from 0 to 1"),
    (CLL, 'law = "normal"\nmean = 65\nsd = 12\nlow = 18', 'law = "uniform"', 0, "population.age.low", "missing"),
    (CLL, "[population.male]", "[population.mle]", 1, "population.mle", "did you mean male"),
]


def reader(card):
    return product.read_product if "products" in card else disease.read_disease


@pytest.mark.parametrize(
    ("card", "old", "new", "line", "field", "said"), FAULTS, ids=[f"{i}-{fault[4]}" for i, fault in enumerate(FAULTS)]
)
def test_a_fault_of_a_card_is_refused_with_its_line(card, old, new, line, field, said):
    text = (PACKAGE / card).read_text(encoding="utf-8")
    assert old in text
    begins = text[: text.index(old)].count("\n")
    with pytest.raises(InputError) as caught:
        reader(card)(parse_card(text.replace(old, new, 1), "own.toml"))
    assert (caught.value.file, caught.value.field) == ("own.toml", field), str(caught.value)
    assert said in caught.value.text
    if new:
        assert caught.value.line == begins + line
    assert caught.value.__cause__ is None and str(caught.value).isprintable()


@pytest.mark.parametrize(
    ("old", "new"), [(RHO, BARE.replace("rho", "rhoo")), ('costimulation = "4-1BB"', 'costimulation = "CD82"')]
)
def test_check_says_that_such_a_card_is_not_fit(old, new, tmp_path, capsys):
    file = tmp_path / "own.toml"
    file.write_text((PACKAGE / TISA).read_text(encoding="utf-8").replace(old, new, 1), encoding="utf-8")
    assert main(["check", str(file)]) == 1
    shown = capsys.readouterr()
    assert "not fit" in shown.out and "unexpected" not in shown.out + shown.err


def test_another_unit_of_the_same_kind_is_converted():
    text = (PACKAGE / TISA).read_text(encoding="utf-8")
    hourly = text.replace(RHO, BARE.replace(VALUE, repr(float(VALUE) / 24)).replace("1/day", "1/h"), 1)
    rho = product.read_product(parse_card(hourly, "own.toml")).parameters.parameters["rho"]
    assert rho.value == pytest.approx(float(VALUE)) and rho.unit == "1/day"


# ---------------------------------------------------------------- general sets

SETS = {
    "reference": general_sets.reference,
    "bedside": bedside.parameters,
    "covariates": covariate_constants.parameters,
    "hazards": hazards.parameters,
    "manufacturing": manufacturing.general,
    "stein_2019": stein_2019.parameters,
}


@pytest.mark.parametrize("name", SETS)
def test_every_general_number_knows_what_a_card_may_say_and_why(name):
    for one in SETS[name]().parameters.values():
        least, most = one.range
        assert -math.inf < least < most < math.inf, one.name
        assert one.bounds, one.name


def test_the_general_set_for_cards_is_that_of_the_model():
    assert general_sets.reference().parameters == reference.parameters().parameters


def test_bounds_of_a_card_clip_no_draw():
    one = Parameter("x", value=1.0, how="assumed", why="test", spread=Spread("normal", 1.0), least=0.9, most=1.1)
    drawn = individual_values(ParameterSet("t", {"x": one}), np.arange(50), 1)["x"]
    assert drawn.min() < 0.9 and drawn.max() > 1.1


# ---------------------------------------------------------------- Python


def overlay(**numbers):
    made = {name: Parameter(name, value=value, how="assumed", why="test") for name, value in numbers.items()}
    return reference.parameters(patient=False).overlay(ParameterSet("own", made))


@pytest.mark.parametrize(
    ("numbers", "field", "said"),
    [
        ({"rhoo": 1.0}, "rhoo", "unknown parameter 'rhoo'; did you mean rho"),
        ({"rho": -1.0}, "rho.value", "found -1 1/day, expected a number from 0 to 10 1/day"),
        ({"g": 9000.0}, "g.value", "found 9000 1/day"),
        ({"feng": 1.5}, "feng.value", "from 0 to 1"),
    ],
)
def test_an_overlay_meets_the_checks_of_a_card(numbers, field, said):
    with pytest.raises(InputError) as caught:
        overlay(**numbers)
    assert caught.value.field == field and said in caught.value.text


def test_an_overlay_in_another_unit_is_converted_or_refused():
    general = reference.parameters(patient=False)
    hourly = Parameter("g", value=0.01, unit="1/h", how="assumed", why="test", spread=Spread("normal", 0.001))
    laid = general.overlay(ParameterSet("own", {"g": hourly})).parameters["g"]
    assert laid.value == pytest.approx(0.24) and laid.unit == "1/day"
    assert laid.spread is not None and laid.spread.sd == pytest.approx(0.024)
    with pytest.raises(InputError, match=r"g\.unit: .*not a unit of 1/day"):
        general.overlay(ParameterSet("own", {"g": replace(hourly, unit="kg")}))


@pytest.mark.parametrize(
    ("make", "field", "said"),
    [
        (lambda: Parameter("x", value=math.nan), "value", "found nan"),
        (lambda: Parameter("x", value=math.inf), "value", "finite"),
        (lambda: Parameter("x", value=5.0, high=4.0), "value", "found 5"),
        (lambda: Parameter("x", value=1.0, low=2.0, high=0.0), "high", "low <= high"),
        (lambda: Parameter("x", value="1"), "value", "expected a number"),
        (lambda: Parameter("x", value=1.0, how="guessed"), "how", "unknown how 'guessed'"),
        (lambda: Parameter("x", value=1.0, how="assumed"), "why", "reasoning"),
        (lambda: Spread("lognormal", -1.0), "sd", "found -1"),
        (lambda: Spread("lognormal", math.nan), "sd", "found nan"),
        (lambda: Spread("log", 1.0), "kind", "did you mean"),
        (lambda: product.Drug("fludara", 30.0, (-3.0,)), "drug", "did you mean fludarabine"),
        (lambda: product.Drug("fludarabine", -30.0, (-3.0,)), "dose", "found -30"),
        (lambda: product.Drug("fludarabine", 30.0, (3.0,)), "days", "before the infusion"),
        (lambda: product.DoseRule(how="assumed", why="x", low_total=1.0), "low_per_kg", "missing"),
        (lambda: visits.Plan(follow_up=-1.0), "follow_up", "found -1"),
        (lambda: visits.Plan(follow_up=math.nan), "follow_up", "found nan"),
        (lambda: visits.Plan(disease_visits=(90.0, 28.0)), "disease_visits", "ascending"),
        (lambda: Law("age", "normal", {"mean": 3.0, "sd": -1.0}), "sd", "found -1"),
        (lambda: Law("age", "norml", {}), "law", "did you mean normal"),
        (lambda: Law("age", "fixed", {"vale": 3.0}), "vale", "did you mean value"),
        (lambda: replace(product.find_product("kymriah"), costimulation="CD82"), "costimulation", "CD28"),
        (lambda: replace(disease.find_disease("lbcl"), lineage="lymfoma"), "lineage", "lymphoma"),
        (lambda: replace(product.find_product("kymriah"), target_a="CD191"), "target_a", "did you mean CD19"),
        (lambda: antigens.find_antigen("CD191"), None, "did you mean CD19"),
        (lambda: antigens.Expression(how="assumed", why="x", confidence="read", positive=0.5), "density", "its law"),
        (lambda: antigens.Expression(how="assumed", why="x", confidence="sure"), "confidence", "unknown confidence"),
    ],
)
def test_a_record_made_in_python_meets_the_same_checks(make, field, said):
    with pytest.raises(InputError) as caught:
        make()
    assert (caught.value.file, caught.value.field) == (None, field) and said in caught.value.text


@pytest.mark.parametrize(
    ("name", "value"), [("weight", -39.0), ("weight", math.nan), ("age", math.inf), ("burden", -1.0)]
)
def test_facts_of_a_patient_made_in_python_are_finite_and_not_negative(name, value):
    values = {field: 1.0 for field in disease.FIELDS}
    patient.make_patients([0, 1], "lbcl", values)
    with pytest.raises(InputError) as caught:
        patient.make_patients([0, 1], "lbcl", {**values, name: [1.0, value]})
    assert caught.value.field == name


# ---------------------------------------------------------------- correlations

TWO = '[parameters.a]\nvalue = 1\nhow = "assumed"\nwhy = "x"\n[parameters.b]\nvalue = 1\nhow = "assumed"\nwhy = "x"\n'
THIRD = '[parameters.c]\nvalue = 1\nhow = "assumed"\nwhy = "x"\n'


def pair(first, second, value):
    return f'[[correlations]]\nfirst = "{first}"\nsecond = "{second}"\nvalue = {value}\n'


@pytest.mark.parametrize(
    ("text", "line", "field", "said"),
    [
        (TWO + pair("a", "b", 1.5), 12, "correlations.0.value", "above -1, below 1"),
        (TWO + pair("a", "b", -1), 12, "correlations.0.value", "above -1, below 1"),
        (TWO + pair("a", "b", "nan"), 12, "correlations.0.value", "found nan"),
        (TWO + pair("a", "d", 0.5), 11, "correlations.0.second", "unknown parameter 'd'"),
        (TWO + pair("a", "a", 0.5), 11, "correlations.0.second", "expected two parameters"),
        (
            TWO + THIRD + pair("a", "b", 0.9) + pair("b", "c", 0.9) + pair("a", "c", -0.9),
            13,
            "correlations",
            "cannot hold together",
        ),
    ],
)
def test_impossible_correlations_are_refused_with_their_place(text, line, field, said):
    with pytest.raises(InputError) as caught:
        read_parameters(parse_card(text, "own.toml"))
    assert (caught.value.file, caught.value.line, caught.value.field) == ("own.toml", line, field), str(caught.value)
    assert said in caught.value.text


def test_impossible_correlations_are_refused_in_python_and_in_an_overlay():
    names = {name: Parameter(name, value=1.0, spread=Spread("normal", 1.0)) for name in "abc"}
    with pytest.raises(InputError, match="cannot hold together"):
        ParameterSet("own", names, (), {("a", "b"): 0.9, ("b", "c"): 0.9, ("a", "c"): -0.9})
    first = ParameterSet("one", names, (), {("a", "b"): 0.6, ("b", "c"): 0.6})
    with pytest.raises(InputError, match="cannot hold together"):
        first.overlay(ParameterSet("two", {}, (), {("a", "c"): -0.9}))
    with pytest.raises(InputError, match="above -1, below 1"):
        ParameterSet("own", names, (), {("a", "b"): 2.0})
    with pytest.raises(InputError, match="unknown parameter in a correlation 'd'"):
        individual_values(ParameterSet("own", names, (), {("a", "d"): 0.5}), [0], 1)


def test_two_uses_or_two_regimens_of_one_name_are_refused():
    tisa = product.find_product("tisagenlecleucel")
    use = tisa.indications[0]
    with pytest.raises(InputError, match="'b_all' twice; give each use a name of its own") as caught:
        replace(tisa, indications=(use, use))
    assert caught.value.field == "indications.1.name"
    with pytest.raises(InputError, match="'flu_cy' twice; give each regimen a name of its own") as caught:
        replace(use, regimens=(use.regimens[0], use.regimens[0]))
    assert caught.value.field == "regimens.1.name"
