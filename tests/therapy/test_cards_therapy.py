"""Product and disease cards: complete, sourced, and named as the reference model wants its numbers."""

import math
import re

import numpy as np
import pytest

from vein2vein.cards import parse_card
from vein2vein.errors import InputError
from vein2vein.models.reference import model as reference
from vein2vein.therapy import disease as diseases
from vein2vein.therapy import manufacturing, waiting
from vein2vein.therapy import product as products
from vein2vein.therapy.laws import draw

PRODUCTS = products.all_products()
DISEASES = diseases.all_diseases()


def test_the_products_and_diseases_asked_for_are_there():
    assert {"tisagenlecleucel", "axicabtagene_ciloleucel"} <= set(PRODUCTS)
    assert {"pediatric_b_all", "adult_b_all", "lbcl"} <= set(DISEASES)


@pytest.mark.parametrize("product", PRODUCTS.values(), ids=PRODUCTS)
@pytest.mark.parametrize("disease", DISEASES.values(), ids=DISEASES)
def test_cards_give_the_model_every_number_and_none_it_does_not_know(product, disease):
    general = reference.parameters(patient=False)
    known = set(general.parameters)
    assert set(product.parameters.parameters) <= known
    assert set(disease.parameters.parameters) <= known
    assert general.overlay(product.parameters).overlay(disease.parameters).missing() == []


@pytest.mark.parametrize("product", PRODUCTS.values(), ids=PRODUCTS)
def test_a_card_is_named_as_its_file_and_its_process_numbers_exist(product):
    if product.brand:  # the others have no nonproprietary name
        assert product.name == product.title.replace(" ", "_")
    assert set(product.process.parameters) <= set(manufacturing.general().parameters)
    assert product.warnings and "cytokine release syndrome" in product.warnings
    for indication in product.indications:
        assert set(indication.diseases) <= set(DISEASES)
        assert indication.window_low <= indication.window_high
        for regimen in indication.regimens:
            gap = -max(day for drug in regimen.drugs for day in drug.days)
            assert indication.window_low <= gap <= indication.window_high, (indication.name, regimen.name)


@pytest.mark.parametrize("disease", DISEASES.values(), ids=DISEASES)
def test_every_field_of_a_patient_has_a_law(disease):
    laws = diseases.population_laws(disease)
    carried = {name for name, one in disease.antigens.items() if one.carried}
    assert set(laws) == {*diseases.FIELDS, *carried} and {disease.antigen_a, disease.antigen_b} - {""} <= carried
    values = draw(laws, np.arange(200), 1)
    assert all(np.isfinite(v).all() for v in values.values())
    assert values["burden"].max() <= disease.parameters.parameters["K0"].value


def test_calibrated_numbers_name_their_calibration_and_facts_stay():
    tisa, axi = (PRODUCTS[name].parameters for name in ("tisagenlecleucel", "axicabtagene_ciloleucel"))
    assert (tisa.values()["CLnr"], axi.values()["CLnr"]) == (3.9, 4.4)
    child = DISEASES["pediatric_b_all"].parameters
    for card, names in ((tisa, ("rho", "feng", "KCN")), (child, ("f_neg", "g", "p_res"))):
        for one in (card.parameters[name] for name in names):
            assert (one.how, one.source) == ("calibrated", "calibration_rows")
            assert re.fullmatch(r"from the prior \w+, qualification/priors\.toml", one.where)
    assert axi.values()["rho"] > 1 and axi.values()["yI"] > tisa.values()["yI"]  # CD28: a burst at first contact


@pytest.mark.parametrize("name", ["tisa-cel", "Kymriah", "TISAGENLECLEUCEL", "ctl019", "tisagenlecleucel"])
def test_a_product_is_found_by_any_of_its_names(name):
    assert products.find_product(name).name == "tisagenlecleucel"


def test_an_unknown_name_gets_the_nearest():
    with pytest.raises(InputError, match="unknown product 'kymria'; did you mean Kymriah"):
        products.find_product("kymria")
    with pytest.raises(InputError, match="unknown disease 'lbc'; did you mean lbcl"):
        diseases.find_disease("lbc")
    assert diseases.find_disease("DLBCL").name == "lbcl"


# ---------------------------------------------------------------- worked examples of the label's dose rule


def _range(product, disease, weight):
    indication, labelled = products.find_indication(products.find_product(product), disease)
    assert labelled
    low, target, high = products.dose_range(indication.dose, [weight])
    assert low[0] <= target[0] <= high[0]
    return low[0], high[0]


@pytest.mark.parametrize(
    ("product", "disease", "weight", "low", "high"),
    [
        ("kymriah", "pediatric_b_all", 45.0, 9e6, 225e6),
        ("kymriah", "pediatric_b_all", 50.0, 10e6, 250e6),
        ("kymriah", "pediatric_b_all", 50.1, 10e6, 250e6),
        ("kymriah", "lbcl", 90.0, 60e6, 600e6),
        ("yescarta", "lbcl", 110.0, 200e6, 200e6),
        ("yescarta", "lbcl", 80.0, 160e6, 160e6),
        ("carvykti", "mm", 85.0, 42.5e6, 85e6),
        ("carvykti", "mm", 120.0, 60e6, 100e6),
        ("tecartus", "adult_b_all", 70.0, 70e6, 70e6),
    ],
)
def test_dose_rule_examples(product, disease, weight, low, high):
    assert _range(product, disease, weight) == pytest.approx((low, high))


def test_a_disease_off_the_label_is_said():
    indication, labelled = products.find_indication(PRODUCTS["tisagenlecleucel"], "mm")
    assert not labelled and indication.name == "b_all"


# ---------------------------------------------------------------- reading errors

CARD = """
name = "x"
title = "x"
target_a = "CD19"
design = "single"
costimulation = "CD28"
vector = "lentivirus"
readout = "flow"
how = "assumed"
why = "test"

[[indications]]
name = "use"
text = "a use"
diseases = ["lbcl"]
window_low = 2
window_high = 5
how = "assumed"
why = "test"

[indications.dose]
low_per_kg = 1e6
target_per_kg = 2e6
high_per_kg = 3e6
how = "assumed"
why = "test"

[[indications.regimens]]
name = "flu"
title = "flu"
drugs = [{ drug = "fludarabine", dose = 30, days = [-4, -3] }]
how = "assumed"
why = "test"
"""


def test_a_plain_card_is_read():
    product = products.read_product(parse_card(CARD, "x.toml"))
    assert product.indications[0].dose.weight_border == math.inf
    assert product.indications[0].regimens[0].drugs[0].days == (-4, -3)


@pytest.mark.parametrize(
    ("old", "new", "match"),
    [
        ('readout = "flow"', 'readout = "flo"', r"x.toml, line 8, readout: unknown readout 'flo'; did you mean flow"),
        (
            "target_per_kg = 2e6",
            "target_per_kg = 9e6",
            "target_per_kg: found low 1e[+]06, target 9e[+]06, high 3e[+]06",
        ),
        ("days = [-4, -3]", "days = [-3, -4]", "ascending days before the infusion"),
        ("days = [-4, -3]", "days = [-4, 1]", "before the infusion on day 0"),
        ('drug = "fludarabine"', 'drug = "fludara"', "unknown drug 'fludara'; did you mean fludarabine"),
        ("low_per_kg = 1e6", "lowest_per_kg = 1e6", "unknown field 'lowest_per_kg'; did you mean low_per_kg"),
        ('design = "single"', 'design = "or"', "single has no target_b"),
        ('text = "a use"\n', "", "text: missing"),
    ],
)
def test_a_wrong_product_card_is_refused_with_its_place(old, new, match):
    with pytest.raises(InputError, match=match):
        products.read_product(parse_card(CARD.replace(old, new), "x.toml"))


def test_every_release_test_names_a_limit_that_exists():
    numbers = manufacturing.general().parameters
    for test in manufacturing.release_tests().values():
        assert (test.limit in numbers) == (test.must_be != "yes")


def test_an_untreated_tumor_rises_to_its_capacity_and_not_above():
    """A logistic tumor never passes its capacity and grows from below."""
    days = np.linspace(0, 400, 50)
    size = waiting.grown(10.0, 0.07, 14000.0, days)
    assert np.all(np.diff(size) > 0) and size[-1] < 14000 and size[0] == pytest.approx(10)
