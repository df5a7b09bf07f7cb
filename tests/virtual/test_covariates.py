"""From traits to parameters: section 9b of the specification, founders and response class."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from vein2vein.journey.day_loop import ward_limits
from vein2vein.models.model import named
from vein2vein.models.reference.blood import hemoglobin_target
from vein2vein.models.reference.equations import recognition
from vein2vein.models.reference.extinction import CLONES
from vein2vein.models.reference.model import MODEL, parameters
from vein2vein.models.reference.observables import antigen_positive
from vein2vein.parameters import individual_values
from vein2vein.randomness import uniforms
from vein2vein.therapy.antigens import find_antigen
from vein2vein.therapy.disease import find_disease
from vein2vein.therapy.targets import Target
from vein2vein.virtual import covariate_constants, covariates

LIMITS = ward_limits()

C = covariate_constants.constants()

# a leukemia and a product in round numbers, for what the cards give
CARDS = {
    "rho": 3.2, "feng": 0.1, "fM": 0.3, "kap_p": 1.0, "muE": 0.2, "kEM": 0.001, "kEX": 0.03, "yE": 6.0, "yI": 0.6,
    "KCN": 40.0, "half_a": 2000.0, "f4": 0.6, "VCN": 1.2, "CLnr": 3.9, "K0": 14_000.0, "f_clon": 0.1, "a_T": 1.0,
    "g": 0.065, "kap_d": 2.0, "p_res": 0.2, "f_res": 0.05, "r_res": 0.7, "f_neg": 1e-12, "f_niche": 1e-7, "mf": 1.0,
    "kzB": 0.008, "B0": 40.0, "nrm_bg": 0.04, "mpp": 12.0, "leukemia": 1.0,
}  # fmt: skip
CHILD = {"age": 11.0, "weight": 40.0, "height": 144.0, "creatinine_clearance": 110.0, "burden": 5000.0}
ADULT = {**CHILD, "age": 50.0, "weight": 80.0, "height": 178.0}


def drawn(n=1, typical=True, seed=1, **change):
    general = parameters(patient=False)
    values = {name: np.full(n, value) for name, value in general.values().items()}
    if not typical:
        known = {name: one for name, one in general.parameters.items() if one.value is not None}
        values.update(individual_values(type(general)("known", known), np.arange(n), seed))
    values.update({name: np.full(n, value) for name, value in CARDS.items()})
    values.update(change)
    return values


def seen(name="CD19", n=1, density=20_000.0, loss="f_neg"):
    antigen = find_antigen(name)
    return Target(antigen, np.full(n, density), antigen.reference, loss)


def made(traits=CHILD, n=1, values=None, seed=1, target_a="CD19", **more):
    return covariates.individual(
        C,
        drawn(n) if values is None else values,
        traits={**traits, **more}, targets=(seen(target_a, n),), design="single", t0=-6.0, seed=seed,
        numbers=np.arange(n), limits=LIMITS,
    )  # fmt: skip


def test_every_column_that_the_reference_model_reads_is_there_and_finite():
    n = 300
    p = made(n=n, values=drawn(n, typical=False), neutrophils=np.where(np.arange(n) % 2, 2.0, np.nan))
    assert not set(MODEL.parameters) - set(p)
    for name in MODEL.parameters:
        assert p[name].shape == (n,) and np.all(np.isfinite(p[name])), name


def test_a_typical_adult_keeps_the_cards_values():
    values = drawn(FER0=np.full(1, 500.0))
    p = made(ADULT, values=values)
    kept = "rho feng fM kap_p kEX yE KIF kinP sPC Gp0 Cr0 SBP0 kzB a_T f_neg"
    for name in kept.split():
        assert p[name] == pytest.approx(values[name]), name


def test_unknown_traits_are_refused_and_needed_ones_asked_for():
    with pytest.raises(ValueError, match="shoe_size"):
        made(shoe_size=42.0)
    with pytest.raises(ValueError, match="burden"):
        made({name: value for name, value in CHILD.items() if name != "burden"})


def test_blood_pressure_follows_age_and_keeps_its_floor():
    n = 4000
    small = made({**CHILD, "age": 5.0}, n=n, values=drawn(n, typical=False))
    assert np.median(small["SBP0"]) == pytest.approx(95 + 1.5 * 5, abs=1)
    assert small["SBP0"].min() == pytest.approx(LIMITS.systolic(5.0) + 8)
    adult = made(ADULT, n=n, values=drawn(n, typical=False))
    assert np.median(adult["SBP0"]) == pytest.approx(112, abs=1) and adult["SBP0"].min() == 98


@pytest.mark.parametrize(
    "age, supply, fed, igg", [(3, 2.5, 0.6, 700), (8, 1.5, 0.6, 700), (15, 1, None, 700), (40, 1, None, 800)]
)
def test_children_make_more_b_cells_and_depend_on_them(age, supply, fed, igg):
    p, base = made({**CHILD, "age": float(age)}), drawn()
    assert p["kinP"] == pytest.approx(supply * base["kinP"])
    assert p["sPC"] == pytest.approx(base["sPC"] if fed is None else fed)
    assert p["Gp0"] == pytest.approx(igg)


@pytest.mark.parametrize("age, creatinine", [(2, 0.34), (10, 0.5), (60, 0.8)])
def test_creatinine_follows_age_unless_measured(age, creatinine):
    assert made({**CHILD, "age": float(age)})["Cr0"] == pytest.approx(creatinine)
    assert made({**CHILD, "age": float(age)}, creatinine=1.1)["Cr0"] == pytest.approx(1.1)


def test_lot_effects():
    base = made()
    assert made(viability=0.45)["feng"] == pytest.approx(base["feng"] / 2)
    assert made(f_EFF=1.1)["feng"] == pytest.approx(base["feng"] * np.exp(-1))
    assert made(memory_content=0.2, memory_reference=0.4)["fM"] == pytest.approx(base["fM"] / 2)
    assert made(memory_content=0.5)["fM"] == pytest.approx(base["fM"]), "nothing to compare with: no effect"
    assert made(memory_content=9.0, memory_reference=0.4)["fM"] < 1 and made(viability=0.99, f_EFF=-50.0)["feng"] == 1
    assert made(fitness=0.5)["rho"] == pytest.approx(base["rho"] * 0.5**0.3)
    assert made(fitness=0.25)["kEX"] == pytest.approx(2 * base["kEX"])
    assert made(vector_copies=2.5)["VCN"] == 2.5


def test_cd4_share_is_relative_to_the_products_own():
    base, all_cd8 = made(), made(cd4_share=0.0)
    assert made(cd4_share=0.6)["rho"] == pytest.approx(base["rho"])
    assert all_cd8["rho"] / base["rho"] == pytest.approx(1.12 / (0.4 * 1.12 + 0.6))
    assert all_cd8["kap_p"] / base["kap_p"] == pytest.approx(1 / 0.7)
    assert all_cd8["yE"] / base["yE"] == pytest.approx(0.85 / 1.03)


def test_history_effects():
    base = made()
    assert made(prior_hsct=1.0)["rho"] == pytest.approx(1.03 * base["rho"])
    assert made(prior_blinatumomab=1.0)["f_neg"] == pytest.approx(10 * base["f_neg"])
    assert made(prior_blinatumomab=1.0, target_a="CD22")["f_neg"] == pytest.approx(base["f_neg"])
    assert made(recent_anti_cd20=1.0)["kzB"] == pytest.approx(0.004)


def test_ferritin_lowers_the_threshold_and_killing_above_650_only():
    quiet, high = made(ferritin=600.0), made(ferritin=2600.0)
    assert quiet["KIF"] == pytest.approx(drawn()["KIF"]) and quiet["kap_p"] == pytest.approx(1)
    assert high["KIF"] == pytest.approx(drawn()["KIF"] * 0.8**2) and high["kap_p"] == pytest.approx(0.93**2)


def test_bulk_hinders_in_nodal_disease_only():
    marrow, nodal = made(burden=8000.0), made(burden=8000.0, values=drawn(mf=np.array([0.1])))
    assert marrow["a_T"] == 1
    assert nodal["a_T"] == pytest.approx(4**-0.3)
    assert made(burden=1900.0, values=drawn(mf=np.array([0.1])))["a_T"] == 1


@given(st.floats(1, 1e5), st.floats(1, 1e5), st.floats(0.01, 0.95))
def test_a_larger_nodal_tumor_never_makes_resistance_rarer(one: float, other: float, share: float) -> None:
    c, (small, large) = covariate_constants.constants(), sorted((one, other))
    for mf in (0.1, 1.0):
        p = {"mf": np.full(2, mf), "a_T": np.ones(2), "p_res": np.full(2, share)}
        covariates.bulk_effect(c, p, np.array([small, large]), 1000.0)
        assert p["p_res"][0] <= p["p_res"][1] and p["p_res"].min() > 0 and p["p_res"].max() < 1
        assert mf < c.bulk_marrow_share or (p["p_res"] == share).all()


def test_the_usual_tumor_keeps_the_cards_resistance() -> None:
    c = covariate_constants.constants()
    p = {"mf": np.full(4, 0.1), "a_T": np.ones(4), "p_res": np.full(4, 0.4)}
    covariates.bulk_effect(c, p, np.array([1000.0, 2000.0, 250.0, 1e9]), 1000.0)
    assert p["p_res"] / (1 - p["p_res"]) == pytest.approx(2 / 3 * c.bulk_p_res ** np.array([0, 1, -2, c.bulk_most]))
    untold = {"mf": np.full(1, 0.1), "a_T": np.ones(1), "p_res": np.full(1, 0.4)}
    covariates.bulk_effect(c, untold, np.array([5e4]))
    assert untold["p_res"] == pytest.approx(0.4)
    assert covariates.usual_burden(find_disease("lbcl")) == pytest.approx(989, rel=1e-3)  # cut at its highest


def test_measured_counts_are_met_at_the_start():
    p = made(burden=7000.0, neutrophils=1.5, platelets=60.0, hemoglobin=9.4)
    m0 = 1 - 0.8 * 0.5
    assert p["ANC0"] * m0 == pytest.approx(1.5) and p["PLT0"] * m0 == pytest.approx(60)
    assert hemoglobin_target(SimpleNamespace(**p), m0, p["n_T0"]) == pytest.approx(9.4)
    assert made(burden=7000.0)["HB0"] == pytest.approx(parameters().parameters["HB0"].value)


def test_b_cells_are_capped_by_what_the_marrow_can_make():
    p = made(burden=7000.0, b_cells_per_kg=1e5)
    assert p["B0"] == pytest.approx(p["kinP"] * p["amp"] / p["muB"] * (1 - 0.8 * 0.5))


def test_low_response_class_has_its_share_and_its_factors():
    n = 20_000
    p = made(n=n)
    low = p["c_kap"] < 1
    assert low.mean() == pytest.approx(0.2, abs=0.01)
    values = drawn(n)
    low_growth, hardly = 0.7, values["r_exp"][0]
    expected = {low_growth, low_growth * hardly}, {1.0, hardly}
    assert np.all(p["c_kap"][low] == 0.05)
    assert [set(np.round(p["c_rho"][one], 9)) for one in (low, ~low)] == [set(np.round([*one], 9)) for one in expected]


def test_cells_that_hardly_expand_are_a_class_of_their_own():
    n = 20_000
    p = made(n=n, values={**drawn(n), "p_exp": np.full(n, 0.15), "r_exp": np.full(n, 0.3), "p_res": np.full(n, 0.2)})
    hardly = np.isclose(p["c_rho"] / np.where(p["c_kap"] < 1, 0.7, 1.0), 0.3)
    assert hardly.mean() == pytest.approx(0.15, abs=0.01)
    assert np.corrcoef(hardly, p["c_kap"] < 1)[0, 1] == pytest.approx(0, abs=0.03)  # whatever the response class


def test_clones_add_up_to_the_tumor():
    n = 2000
    p = made(n=n, values=drawn(n, f_neg=np.full(n, 1e-4), f_neg_b=np.full(n, 1e-3), f_niche=np.full(n, 0.1)))
    per_unit = p["BW"] * 1e6 * p["f_clon"]
    assert np.allclose(p["n_T0"], 5000)
    assert np.allclose(sum(p[f"N0_{k}"] for k in CLONES) / per_unit, 5000)
    for k in CLONES:
        assert np.all(p[f"N0_{k}"] >= 1)
        assert np.allclose(np.exp(p[f"lnT0_{k}"]) * per_unit, p[f"N0_{k}"])
    assert np.allclose(np.exp(p["lnT0_s"]), 500, rtol=1e-3)


def test_founders_are_poisson_of_the_share():
    n = 20_000
    cells = 5000 * 40 * 1e6
    p = made(n=n, values=drawn(n, f_neg=np.full(n, 2 / cells)))
    assert p["N0_np"].mean() == pytest.approx(2, rel=0.03) and p["N0_np"].var() == pytest.approx(2, rel=0.05)
    assert not p["N0_pn"].any() and not p["N0_nn"].any()


def test_kmt2a_raises_the_doubly_negative_share():
    n = 200
    values = drawn(n, f_neg=np.full(n, 1e-6), f_neg_b=np.full(n, 1e-6))
    plain, switched = made(n=n, values=values)["N0_nn"], made(n=n, values=values, kmt2a=1.0)["N0_nn"]
    assert switched.mean() == pytest.approx(30 * plain.mean(), rel=0.1)


@pytest.mark.parametrize("mean", [1e-8, 0.3, 5.0, 1000.0, 9e5])
def test_poisson_is_the_exact_quantile(mean):
    u = uniforms(1, "test", np.arange(500))[:, 0]
    assert np.array_equal(covariates.poisson(C, u, np.full(500, mean)), stats.poisson.ppf(u, mean))


def test_poisson_of_nothing_and_of_very_many():
    u = uniforms(1, "test", np.arange(5000))[:, 0]
    assert not covariates.poisson(C, u, np.zeros(5000)).any()
    many = covariates.poisson(C, u, np.full(5000, 1e12))
    assert many.mean() == pytest.approx(1e12, rel=1e-6) and many.std() == pytest.approx(1e6, rel=0.05)


def test_no_tumor_is_no_clone():
    p = made(burden=0.0)
    assert p["n_T0"] == 0 and all(p[f"N0_{k}"] == 0 and np.isfinite(p[f"lnT0_{k}"]) for k in CLONES)


def test_burden_is_kept_below_the_capacity():
    assert made(burden=1e6)["n_T0"] == pytest.approx(0.95 * 14_000)


def test_light_chain_and_iga_myeloma():
    n = 20_000
    p = made(n=n, values=drawn(n, MK0=np.full(n, 25.0)))
    assert (p["MK0"] == 0).mean() == pytest.approx(0.2, abs=0.01)
    assert (p["kMK"] == 0.115).mean() == pytest.approx(0.3, abs=0.01)
    assert np.all(made(n=n, values=drawn(n), m_protein=30.0)["MK0"] == 30)


def test_a_patient_does_not_depend_on_the_others():
    together = made(n=20)
    alone = covariates.individual(
        C, drawn(), traits=CHILD, targets=(seen(),), design="single", t0=-6.0, seed=1, numbers=[13], limits=LIMITS
    )
    for name, column in together.items():
        assert column[13] == alone[name][0], name


def test_drawn_values_are_not_changed_in_place():
    values = drawn()
    before = {name: value.copy() for name, value in values.items()}
    made(values=values, viability=0.5, ferritin=5000.0)
    assert all(np.array_equal(values[name], before[name]) for name in values)


# ---------------------------------------------------------------- what the product sees


def recognized(densities, design="single", escaped=(0.0, 0.0), **values):
    """Recognition of the clones and what is taken as carrying the antigen, for tumors of these densities."""
    names = ("CD19", "CD22")[: len(densities)]
    targets = [
        Target(replace(find_antigen(name), escaped=kept), np.atleast_1d(density), 20_000.0, loss)
        for name, density, kept, loss in zip(names, densities, escaped, ("f_neg", "f_neg_b"))
    ]
    p = covariates.individual(
        C, drawn(half_b=np.full(1, 2000.0), **values), traits=CHILD, targets=targets, design=design, t0=-6.0, seed=1,
        numbers=[0], limits=LIMITS,
    )  # fmt: skip
    every = named(MODEL.parameters, np.stack([p[name] for name in MODEL.parameters], axis=1))
    return p, recognition(every), every


@pytest.mark.parametrize("design", ["single", "or", "and"])
@given(a=st.floats(0, 1e6), b=st.floats(0, 1e6), more=st.floats(1, 100))
@settings(max_examples=25, deadline=None)
def test_more_antigen_is_never_seen_less_and_none_is_not_seen(design, a, b, more):
    two = design != "single"
    _, seen_as, _ = recognized((a, b) if two else (a,), design)
    _, denser, _ = recognized((a * more, b) if two else (a * more,), design)
    for clone in ("pp", "pn", "np", "nn", "s"):
        assert getattr(denser, clone) >= getattr(seen_as, clone) - 1e-12
    there = {"single": a > 0, "or": a > 0 or b > 0, "and": a > 0 and b > 0}[design]
    lacking, none, _ = recognized((0.0, 0.0) if two else (0.0,), design)
    assert none.pp == 0 and lacking["bys"] == 0
    if not there:
        assert seen_as.pp == seen_as.s == 0


@pytest.mark.parametrize(
    ("design", "densities", "pp", "pn", "np", "carry"),
    [
        ("single", (0.0,), 0, 0, 0, 0), ("or", (0.0, 20_000.0), 1, 0, 1, 1), ("or", (20_000.0, 0.0), 1, 1, 0, 1),
        ("and", (20_000.0, 0.0), 0, 0, 0, 0), ("and", (20_000.0, 20_000.0), 1, 0, 0, 1),
    ],
)  # fmt: skip
def test_a_dual_product_works_on_the_antigen_that_is_there(design, densities, pp, pn, np, carry):
    p, rec, every = recognized(densities, design)
    assert (rec.pp[0], rec.pn[0], rec.np[0]) == pytest.approx((pp, pn, np))
    assert (p["bys"][0] > 0) == bool(carry)
    clones = {"pp": 1.0, "pn": 0.0, "np": 0.0, "nn": 0.0, "s": 0.0}
    assert antigen_positive(clones, every)[0] == carry


def test_cells_that_escape_by_dimming_stay_weakly_positive():
    lost, dim = (recognized((20_000.0,), escaped=(kept,)) for kept in (0.0, 0.58))
    assert lost[1].np[0] == 0 < dim[1].np[0] < dim[1].pp[0] == pytest.approx(1)
    clones = {"pp": 0.0, "pn": 0.0, "np": 1.0, "nn": 0.0, "s": 0.0}
    assert antigen_positive(clones, lost[2])[0] == 0 and antigen_positive(clones, dim[2])[0] == 1


def test_losses_go_with_the_antigen_and_not_with_its_place():
    values = drawn(half_b=np.full(1, 2000.0), f_neg=np.full(1, 1e-5), f_neg_b=np.full(1, 1e-3))
    told = {"t0": -6.0, "seed": 1, "numbers": [0], "limits": LIMITS, "traits": CHILD}
    one, other = seen("CD19"), seen("CD22", loss="f_neg_b")
    first = covariates.individual(C, values, targets=(one, other), design="or", **told)
    second = covariates.individual(C, values, targets=(other, one), design="or", **told)
    assert (first["f_neg"], first["f_neg_b"]) == (second["f_neg_b"], second["f_neg"]) == (1e-5, 1e-3)
    assert covariates.individual(C, values, targets=(other,), design="single", **told)["f_neg"] == 1e-3


# Line of therapy, and earlier therapy against the antigen


@given(st.floats(-8, 8), st.floats(-8, 8), st.floats(0.01, 0.95))
def test_more_lines_never_make_resistance_rarer_or_killing_stronger(one: float, other: float, share: float) -> None:
    fewer, more = sorted((one, other))
    p = {"p_res": np.full(2, share), "kap_p": np.ones(2)}
    covariates.lines_effect(covariate_constants.constants(), p, np.array([fewer, more]))
    assert p["p_res"][0] <= p["p_res"][1] and p["kap_p"][0] >= p["kap_p"][1]
    assert (p["p_res"] > 0).all() and (p["p_res"] < 1).all()


def test_the_usual_number_of_lines_keeps_the_cards_values() -> None:
    p = {"p_res": np.full(2, 0.3), "kap_p": np.ones(2)}
    covariates.lines_effect(covariate_constants.constants(), p, np.array([0.0, np.nan]))
    assert p["p_res"] == pytest.approx(0.3) and (p["kap_p"] == 1).all()
    c = covariate_constants.constants()
    covariates.lines_effect(c, p, np.ones(2))
    odds = p["p_res"] / (1 - p["p_res"])
    assert odds == pytest.approx(0.3 / 0.7 * c.lines_p_res) and p["kap_p"] == pytest.approx(c.lines_kap)
    assert covariates.usual_lines(find_disease("lbcl")) == 3


def test_earlier_bcma_therapy_leaves_less_of_the_antigen_and_more_without_it():
    base, c = made(target_a="BCMA"), covariate_constants.constants()
    after = made(target_a="BCMA", prior_bcma=1.0)
    assert after["r_a"] == pytest.approx(c.bcma_density * base["r_a"]) and after["r_a"] < base["r_a"]
    assert after["f_neg"] == pytest.approx(c.bcma_f_neg * base["f_neg"])
    assert made(prior_bcma=1.0)["r_a"] == pytest.approx(made()["r_a"]), "CD19 is another antigen"
