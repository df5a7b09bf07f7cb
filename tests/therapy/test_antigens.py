"""Antigens: the list, what each disease carries, and what follows where a tumor lacks the target."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vein2vein.cards import parse_card
from vein2vein.errors import InputError
from vein2vein.therapy import targets
from vein2vein.therapy.antigens import all_antigens, find_antigen
from vein2vein.therapy.disease import all_diseases, find_disease
from vein2vein.therapy.patient import patient_from_card, select
from vein2vein.therapy.product import all_products, find_product
from vein2vein.therapy.vocabulary import ANTIGENS
from vein2vein.trials.virtual_patients import companions, draw_patients, virtual_patients

PRODUCTS, DISEASES = all_products(), all_diseases()
PATIENT = """disease = "{disease}"
age = 50
weight = 70
[antigens]
{antigens}
"""


def patient(antigens, disease="lbcl"):
    return patient_from_card(parse_card(PATIENT.format(disease=disease, antigens=antigens), "p.toml"))


def test_every_antigen_that_a_product_sees_is_known():
    assert tuple(all_antigens()) == ANTIGENS
    for product in PRODUCTS.values():
        for name in targets.names_of(product):
            assert np.isfinite(find_antigen(name).reference), name


def test_what_normal_cells_carry_is_said_once():
    sees = {name: (one.b_cells, one.b_progenitors, one.plasma_cells) for name, one in all_antigens().items()}
    assert sees["CD19"] == (1, 1, 0) and sees["BCMA"] == (0, 0, 1) and sees["GD2"] == (0, 0, 0)
    assert sees["CD20"] == sees["CD22"] == (1, 0.5, 0)
    for product in PRODUCTS.values():
        assert not {"r50_a", "B_a", "P_a", "PC_a", "design_or"} & set(product.parameters.parameters)


@pytest.mark.parametrize(
    ("disease", "antigen", "positive"),
    [
        ("mm", "CD19", 0.0), ("mm", "BCMA", 1.0), ("pediatric_b_all", "CD19", 0.991), ("pediatric_b_all", "CD20", 0.45),
        ("adult_b_all", "CD20", 0.32), ("gastric_cancer", "CLDN18.2", 0.384), ("glioma", "IL13RA2", 0.515),
    ],
)  # fmt: skip
def test_shares_that_were_read(disease, antigen, positive):
    assert DISEASES[disease].antigens[antigen].positive == positive


@pytest.mark.parametrize(
    ("disease", "antigen", "mean", "sd"),
    [("cll", "CD19", 13_000, 7_000), ("mcl", "CD19", 10_000, 7_000), ("cll", "CD20", 65_000, 11_000)],
)
def test_density_laws_have_the_published_mean_and_sd(disease, antigen, mean, sd):
    law = DISEASES[disease].antigens[antigen].density
    assert law.median * np.exp(law.sd**2 / 2) == pytest.approx(mean, rel=0.01)
    assert mean * np.sqrt(np.expm1(law.sd**2)) == pytest.approx(sd, rel=0.02)


def test_a_quarter_of_tumors_has_little_cd22_and_bcma_has_its_quartiles():
    cd22 = virtual_patients("pediatric_b_all", 20_000, seed=1).antigens["CD22"]
    assert np.mean(cd22 < 2000) == pytest.approx(0.22, abs=0.04)
    bcma = virtual_patients("mm", 20_000, seed=1).antigens["BCMA"]
    assert np.quantile(bcma, [0.25, 0.5, 0.75]) == pytest.approx([447, 670, 1004], rel=0.03)


# ---------------------------------------------------------------- which products meet which tumors

NOT_SEEN = [
    ("axicabtagene_ciloleucel", "mm", "CD19, which is not carried by multiple myeloma"),
    ("ciltacabtagene_autoleucel", "lbcl", "BCMA, which is not known to be carried by large B-cell lymphoma"),
    ("cd22_car", "mm", "CD22, which is not known to be carried"), ("gd2_car", "gastric_cancer", "CLDN18.2"),
    ("tandem_cd19_cd22", "mm", "CD19 or CD22"),
]  # fmt: skip


@pytest.mark.parametrize(("product", "disease", "said"), NOT_SEEN)
def test_a_target_that_the_tumor_lacks_is_refused_by_name(product, disease, said):
    with pytest.raises(InputError) as caught:
        targets.check_targets(PRODUCTS[product], DISEASES[disease])
    assert said in caught.value.text and product in caught.value.text and "absent_target" in caught.value.text
    carried = next(name for name, one in DISEASES[disease].antigens.items() if one.carried)
    assert carried in caught.value.text and caught.value.field == "product"
    targets.check_targets(PRODUCTS[product], DISEASES[disease], asked=True)


def test_every_product_meets_the_diseases_that_it_is_for():
    for product in PRODUCTS.values():
        for use in product.indications:
            for name in use.diseases:
                assert targets.absent(product, DISEASES[name]) == "", (product.name, name)


@given(
    st.sampled_from(sorted(DISEASES)), st.sampled_from(ANTIGENS), st.sampled_from(ANTIGENS),
    st.sampled_from(("single", "or", "and")),
)  # fmt: skip
@settings(max_examples=150, deadline=None)
def test_or_needs_one_target_and_all_others_need_every_one(disease, first, second, design):
    if first == second:
        return
    product = replace(
        PRODUCTS["tisagenlecleucel"], target_a=first, target_b="" if design == "single" else second, design=design
    )
    have = [name in DISEASES[disease].antigens and DISEASES[disease].antigens[name].positive > 0
            for name in targets.names_of(product)]  # fmt: skip
    assert (targets.absent(product, DISEASES[disease]) == "") == (any(have) if design == "or" else all(have))


def test_a_dual_product_says_on_which_antigen_it_works():
    dual = replace(PRODUCTS["tandem_cd19_cd22"], target_b="BCMA")
    said = targets.notes_of(dual, DISEASES["lbcl"], virtual_patients("lbcl", 3, seed=1))
    assert any("works on the other antigen alone: BCMA" in one for one in said)


def test_losses_are_those_of_the_antigen():
    people = virtual_patients("pediatric_b_all", 3, seed=1)
    found = targets.targets_of(PRODUCTS["tandem_cd19_cd22"], DISEASES["pediatric_b_all"], people)
    assert [one.loss for one in found] == ["f_neg", "f_neg_b"]
    (alone,) = targets.targets_of(PRODUCTS["cd22_car"], DISEASES["pediatric_b_all"], people)
    assert alone.loss == "f_neg_b" and np.array_equal(alone.density, people.antigens["CD22"])


# ---------------------------------------------------------------- patients


def test_a_marker_told_as_positive_has_the_density_of_the_disease_and_says_where_none_is_known():
    usual, _ = patient("")
    told, notes = patient('CD19 = " Positive"')
    assert told.antigens["CD19"] == usual.antigens["CD19"] > 0 and "CD19" not in told.known
    assert any("median" in one and "CD19" in one for one in notes) and "positive" not in " ".join(notes)
    _, notes = patient('BCMA = "positive"')
    (said,) = [one for one in notes if "BCMA" in one]
    assert "told to be positive" in said and "no density of it is known" in said and "molecules per cell" in said


def test_a_patient_may_say_the_density_of_each_antigen():
    one, notes = patient('CD19 = 12000\nCD20 = "3e4 molecules/cell"\nCD22 = "negative"')
    assert {name: float(v[0]) for name, v in one.antigens.items()} == {"CD19": 12_000, "CD20": 30_000, "CD22": 0}
    assert {"CD19", "CD20", "CD22"} <= one.known
    many = companions(one, 5, 1)
    assert (many.antigens["CD19"] == 12_000).all() and not many.antigens["CD22"].any()
    assert not any("CD19" in note for note in notes)
    assert select(many, [1, 2]).antigens["CD19"].size == 2


def test_what_a_patient_does_not_say_is_told_and_drawn():
    one, notes = patient("CD20 = 50000")
    assert any("CD19 1e+04 molecules/cell" in note for note in notes)
    many = companions(one, 50, 1)
    assert len(np.unique(many.antigens["CD19"])) == 50 and many.antigens["CD19"][0] == one.antigens["CD19"][0]


@pytest.mark.parametrize(
    ("line", "field", "said"),
    [
        ("CD191 = 3", "antigens.CD191", "did you mean CD19"),
        ("CD19 = -1", "antigens.CD19", "found -1"),
        ("CD19 = 1e12", "antigens.CD19", "found 1e+12"),
        ("CD19 = nan", "antigens.CD19", "found nan"),
        ('CD19 = "dim"', "antigens.CD19", 'expected "positive", "negative", or a number of molecules/cell'),
        ('CD19 = "12 mg"', "antigens.CD19", "not a unit of molecules/cell"),
        ("CD19 = true", "antigens.CD19", "found true"),
    ],
)
def test_a_wrong_density_is_refused_with_its_line(line, field, said):
    with pytest.raises(InputError) as caught:
        patient(line)
    assert (caught.value.file, caught.value.line, caught.value.field) == ("p.toml", 5, field)
    assert said in caught.value.text


def test_a_measured_antigen_counts_more_than_the_disease():
    one, _ = patient("BCMA = 900")
    cilta = find_product("carvykti")
    with pytest.raises(InputError):
        targets.check_targets(cilta, find_disease("lbcl"))
    targets.check_targets(cilta, find_disease("lbcl"), targets.told_of(one))


@pytest.mark.parametrize(("disease", "antigen"), [("gastric_cancer", "CLDN18.2"), ("pediatric_b_all", "CD20")])
def test_unselected_patients_are_negative_at_the_published_share(disease, antigen):
    numbers = np.arange(4000)
    chosen, every = (draw_patients(None, disease, numbers, 1, selected=one) for one in (True, False))
    there = every.antigens[antigen] > 0
    assert there.mean() == pytest.approx(DISEASES[disease].antigens[antigen].positive, abs=0.03)
    assert (chosen.antigens[antigen] > 0).all()
    assert np.array_equal(chosen.antigens[antigen][there], every.antigens[antigen][there])
    alone = draw_patients(None, disease, numbers[17:18], 1, selected=False)
    assert alone.antigens[antigen][0] == every.antigens[antigen][17]


def test_unknown_is_not_told_as_absent():
    people = virtual_patients("lbcl", 4, seed=1)
    mixed = replace(people, antigens={**people.antigens, "CD19": np.array([9000.0, np.nan, 0.0, 9000.0])})
    said = targets.notes_of(PRODUCTS["axicabtagene_ciloleucel"], DISEASES["lbcl"], mixed)
    assert any("1 of 4 patients have a tumor without CD19" in one for one in said)
    assert any("the density of CD19 is not known for 1 of 4 patients" in one for one in said)
