"""Virtual patients: each depends on the seed and its number alone; laws have the medians that they state."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vein2vein.cards import parse_card
from vein2vein.errors import InputError
from vein2vein.therapy.disease import FIELDS
from vein2vein.therapy.laws import draw, quantile, read_laws
from vein2vein.therapy.patient import patient_from_card
from vein2vein.trials.virtual_patients import companions, draw_patients, virtual_patients


def _laws(text):
    return read_laws(parse_card(text, "t.toml"))


def _law(body):
    return _laws(f'[population.x]\n{body}\nhow = "assumed"\nwhy = "test"\n')["x"]


@settings(max_examples=20, deadline=None)
@given(st.permutations(range(12)), st.integers(0, 2**31))
def test_a_patient_depends_on_seed_and_number_alone(order, seed):
    together = virtual_patients("pediatric_b_all", 12, seed=seed)
    apart = draw_patients(None, "pediatric_b_all", order, seed)
    for name in FIELDS:
        assert np.array_equal(getattr(together, name)[list(order)], getattr(apart, name)), name


def test_another_law_of_one_field_moves_no_independent_field():
    own = _laws('[population.prior_hsct]\nlaw = "fixed"\nvalue = 1\nhow = "assumed"\nwhy = "test"\n')
    plain, changed = (virtual_patients("pediatric_b_all", 50, seed=3, laws=laws) for laws in (None, own))
    assert changed.prior_hsct.all() and not plain.prior_hsct.all()
    assert np.array_equal(plain.burden, changed.burden) and np.array_equal(plain.weight, changed.weight)


def test_medians_of_the_pediatric_card():
    patient = virtual_patients("pediatric_b_all", 20000, seed=1)
    assert np.median(patient.burden) == pytest.approx(10200, rel=0.03)
    assert np.median(patient.age) == pytest.approx(11, abs=1)
    assert np.median(patient.prior_lines) == 3
    assert np.median(patient.antigens["CD19"]) == pytest.approx(12_000, rel=0.03)
    assert np.std(np.log(patient.antigens["CD19"])) == pytest.approx(0.7, rel=0.03)
    dense = patient.antigens["CD22"]
    assert np.median(dense[patient.kmt2a]) / np.median(dense[~patient.kmt2a]) == pytest.approx(0.413, rel=0.1)
    assert all((found > 0).all() for found in patient.antigens.values())  # selected
    assert np.median(patient.cd3 / patient.lymphocytes) == pytest.approx(700, rel=0.02)
    assert patient.age.min() >= 3 and patient.age.max() <= 24


def test_adults_are_older_and_lymphoma_is_not_in_blood():
    patient = virtual_patients("lbcl", 5000, seed=1)
    assert np.median(patient.age) == pytest.approx(56, abs=1.5) and patient.age.min() >= 18
    assert np.all(patient.circulating_blasts == 0)
    assert np.median(patient.burden) == pytest.approx(989, rel=0.06)


@pytest.mark.parametrize(
    ("body", "median"),
    [
        ('law = "fixed"\nvalue = 4', 4),
        ('law = "uniform"\nlow = 2\nhigh = 6', 4),
        ('law = "normal"\nmean = 3\nsd = 2', 3),
        ('law = "lognormal"\nmedian = 5\nsd = 1', 5),
        ('law = "logitnormal"\nlocation = 0\nsd = 2\nscale = 10', 5),
        ('law = "beta"\nalpha = 2\nbeta = 2\nlow = 1\nhigh = 3', 2),
        ('law = "poisson"\nmean = 2\nplus = 1\nhigh = 12', 3),
        ('law = "shifted_gamma"\nshift = 10\nshape = 1\nscale = 2', 10 + 2 * np.log(2)),
        ('law = "bernoulli"\nprobability = 0.3', 0),
        ('law = "two_values"\nvalue = 1\nother = 0.2\nshare = 0.6', 0.2),
        ('law = "by_age"\npoints = [[0, 10, 0.1], [10, 20, 0.1]]', 15),
    ],
)
def test_median_of_each_law(body, median):
    values = {"age": np.array([5.0]), "male": np.array([1.0])}
    assert quantile(_law(body), np.array([0.5]), values)[0] == pytest.approx(median)


@settings(max_examples=30, deadline=None)
@given(st.floats(0.001, 0.998), st.floats(0.0005, 0.0015))
def test_quantiles_rise(u, step):
    for body in (
        'law = "normal"\nmean = 3\nsd = 2\nlow = 0\nhigh = 4',
        'law = "lognormal"\nmedian = 5\nsd = 1\nhigh = 9',
        'law = "poisson"\nmean = 2\nhigh = 12',
        'law = "shifted_gamma"\nshift = 1\nshape = 2\nscale = 2',
        'law = "beta"\nalpha = 1.2\nbeta = 1.6\nlow = 3\nhigh = 24',
    ):
        law = _law(body)
        low, high = (quantile(law, np.array([v]), {})[0] for v in (u, u + step))
        assert low <= high
        assert law.numbers.get("low", -np.inf) <= low and high <= law.numbers.get("high", np.inf)


def test_companions_share_what_is_known():
    text = 'disease = "pediatric_b_all"\nage = 11\nweight = 39\nmarrow_blasts = 40\n[baseline]\nferritin = 900\n'
    one, _ = patient_from_card(parse_card(text, "p.toml"))
    many = companions(one, 200, seed=5)
    assert many.count == 200
    for name in ("age", "weight", "burden"):
        assert np.all(getattr(many, name) == getattr(one, name)[0])
    for name in ("lymphocytes", "height", "b_cells_per_kg", "prior_lines"):
        assert len(np.unique(getattr(many, name))) > 5, name
        assert getattr(many, name)[0] == getattr(one, name)[0], "the first is the patient itself"
    assert np.all(many.baseline["ferritin"] == 900)
    assert many.number.tolist() == list(range(200)) and many.known == one.known
    assert np.isnan(many.leukapheresis_day).all()
    dated = replace(one, leukapheresis_day=np.array([-30.0]), lymphodepletion_day=np.array([-4.0]))
    same = companions(dated, 3, seed=5)
    assert same.leukapheresis_day.tolist() == [-30] * 3 and same.lymphodepletion_day.tolist() == [-4] * 3
    undated = replace(one, leukapheresis_day=np.zeros(0), lymphodepletion_day=np.zeros(0))
    np.testing.assert_array_equal(companions(undated, 200, seed=5).lymphocytes, many.lymphocytes)
    with pytest.raises(ValueError, match="found 200"):
        companions(many, 3, seed=5)


def test_companions_follow_the_laws_that_are_given_for_what_is_not_known():
    one, _ = patient_from_card(parse_card('disease = "pediatric_b_all"\nage = 11\nweight = 39\n', "p.toml"))
    fixed = _laws(
        '[population.prior_hsct]\nlaw = "fixed"\nvalue = 1\nhow = "assumed"\nwhy = "x"\n'
        '[population.age]\nlaw = "fixed"\nvalue = 5\nhow = "assumed"\nwhy = "x"\n'
    )
    plain, own = companions(one, 40, seed=5), companions(one, 40, 5, fixed)
    assert own.prior_hsct[1:].all() and not plain.prior_hsct[1:].all()
    assert (own.age == 11).all()  # what is known goes before a law
    np.testing.assert_array_equal(own.burden[0], one.burden[0])
    with_laws = virtual_patients("pediatric_b_all", 5, seed=1, laws=fixed)
    assert (with_laws.age == 5).all() and with_laws.number.tolist() == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ('[population.age]\nlaw = "norml"\n', "line 2, population.age.law: unknown law 'norml'; did you mean normal"),
        ('[population.age]\nlaw = "normal"\nmean = 5\nhow = "assumed"\nwhy = "x"\n', "population.age.sd: missing"),
        ('[population.age]\nlaw = "normal"\nmean = 5\nsd = -1\n', "found -1, expected a number above 0"),
        ('[population.age]\nlaw = "bernoulli"\nprobability = 1.5\n', "found 1.5, expected a number from 0 to 1"),
        ('[population.age]\nlaw = "fixed"\nvalue = 5\nhow = "assumed"\n', "why: missing"),
        ('[population.age]\nlaw = "fixed"\nvalue = 5\nhow = "reported"\n', "source: missing"),
        (
            '[population.age]\nlaw = "by_age"\npoints = [[5, 1, 0], [2, 1, 0]]\nhow = "assumed"\nwhy = "x"\n',
            "ascending ages",
        ),
        (
            '[population.age]\nlaw = "uniform"\nlow = 5\nhigh = 2\nhow = "assumed"\nwhy = "x"\n',
            "found low 5 above high 2",
        ),
        ('[population.ago]\nlaw = "fixed"\nvalue = 5\n', "unknown field 'ago'; did you mean age"),
    ],
)
def test_wrong_laws_are_refused_with_their_place(text, match):
    with pytest.raises(InputError, match=match):
        read_laws(parse_card(text, "t.toml"), "population", fields=FIELDS)


def test_a_law_that_needs_what_nothing_gives_is_named():
    laws = {"x": _law('law = "share_of"\nof = "y"\nmedian = 0.5\nlogit_sd = 1')}
    with pytest.raises(ValueError, match="the laws of x need y"):
        draw(laws, [0], 1)
