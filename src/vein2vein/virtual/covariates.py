"""From the traits of a patient and a lot to the columns that the reference model's equations read.

``individual`` takes the values drawn for each patient (``parameters.individual_values`` of the general set with the
product's and the disease's cards laid over it) and returns every column of the model: covariate effects, the response
class, the tumor split into clones with their founder numbers, and the draws that decide which clone dies out.
Effects are relative to the cards, so that a typical patient keeps the cards' values. Constants: ``covariates.toml``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import zip_longest

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vein2vein.models.reference.extinction import CELLS, CLONES, fate
from vein2vein.randomness import poisson_at, uniforms
from vein2vein.therapy.disease import Disease, population_laws
from vein2vein.therapy.laws import quantile
from vein2vein.therapy.targets import Target
from vein2vein.virtual.bedside import Limits
from vein2vein.virtual.covariate_constants import CovariateConstants

Floats = NDArray[np.float64]
Ids = NDArray[np.int64]
Values = dict[str, Floats]

LETTERS, LOSSES = ("a", "b"), ("f_neg", "f_neg_b")  # of the first and of the second target
TRAITS = (
    "age", "weight", "height", "creatinine_clearance", "prior_hsct", "prior_blinatumomab", "prior_bcma",
    "prior_lines", "usual_lines", "recent_anti_cd20", "kmt2a", "burden", "usual_burden", "b_cells_per_kg",
    "lymphocytes", "viability", "memory_content", "memory_reference", "f_EFF", "fitness", "cd4_share", "vector_copies",
    "neutrophils", "platelets", "hemoglobin", "ferritin", "crp", "igg", "creatinine", "m_protein",
)  # fmt: skip


def individual(
    c: CovariateConstants,
    values: Mapping[str, ArrayLike],
    *,
    traits: Mapping[str, ArrayLike],
    targets: Sequence[Target],
    design: str,
    t0: ArrayLike,
    seed: int,
    numbers: ArrayLike,
    limits: Limits,
) -> Values:
    """Return the columns of the reference model for each patient.

    Parameters
    ----------
    c : CovariateConstants
    values : mapping of parameter name to array_like, shape (n,)
        Drawn from the general, product and disease sets.
    traits : mapping of str to array_like, shape (n,)
        Names of ``TRAITS``; NaN or absent: unknown, the drawn value stands. Needed: age (years), weight (kg), height
        (cm), creatinine_clearance (mL/min), burden (e6/kg at ``t0``, after bridging). Of the lot: viability,
        memory_content (weighted memory share) and memory_reference (that of a typical lot of the product), f_EFF
        (share of effector cells), fitness (q), cd4_share, vector_copies. Measured before
        treatment, in canonical units: neutrophils, platelets, hemoglobin, lymphocytes, ferritin, crp, igg,
        creatinine, m_protein.
    targets : sequence of Target
        One or two, as the patients' tumors carry them.
    design : {"single", "or", "and"}
    t0 : array_like, shape (n,)
        Day on which the simulation starts.
    seed : int
    numbers : array_like of int, shape (n,)
        Patient numbers.
    limits : Limits
        The ward's limit of hypotension: nobody starts close to it.

    Returns
    -------
    dict of str to ndarray, shape (n,)
        Every name of ``values``, and the columns given by the patient.
    """
    if odd := set(traits) - set(TRAITS):
        raise ValueError(f"traits that no covariate reads: {', '.join(sorted(odd))}")
    ids = np.atleast_1d(np.asarray(numbers, dtype=np.int64))
    p = {name: np.broadcast_to(np.asarray(value, dtype=float), ids.shape).copy() for name, value in values.items()}
    p["BW"], p["CrCl"] = _trait(traits, "weight", ids), _trait(traits, "creatinine_clearance", ids)
    p["BSA"] = body_surface(c, _trait(traits, "height", ids), p["BW"])
    p["t0"] = np.broadcast_to(np.asarray(t0, dtype=float), ids.shape).copy()
    _measured(p, traits, ids)
    age_effects(c, p, _trait(traits, "age", ids), known=_known(traits, ids), limits=limits)
    lot_effects(c, p, {name: _trait(traits, name, ids, np.nan) for name in TRAITS})
    recognition_of(p, targets, design, ids)
    patient_effects(c, p, traits, ids, targets)
    burden = np.minimum(_trait(traits, "burden", ids), c.burden_most * p["K0"])
    bulk_effect(c, p, burden, _trait(traits, "usual_burden", ids, np.nan))
    p["p6"] = p["p6"] * inflammation_effect(c, burden)
    response_class(p, ids, seed)
    marker_class(c, p, ids, seed)
    marrow_effects(p, burden, traits, ids)
    p.update(clones(c, p, burden, _flag(traits, "kmt2a", ids), ids, seed))
    return p


def recognition_of(p: Values, targets: Sequence[Target], design: str, ids: Ids) -> None:
    """Say how the product sees tumor and normal cells: densities, losses, and who is seen at all.

    Where the tumor carries nothing that lets the product act, it kills no bystanders either.
    """
    p["design_or"], p["design_and"] = (
        np.full(ids.shape, design == "or", float),
        np.full(ids.shape, design == "and", float),
    )
    losses = [p[one.loss].copy() for one in targets]
    p.update(zip(LOSSES, losses))
    seen = [one.density > 0 for one in targets]
    for letter, one in zip_longest(LETTERS, targets):
        antigen = one.antigen if one else None
        p[f"r_{letter}"] = one.density / one.reference if one else np.zeros(ids.shape)
        p[f"r50_{letter}"] = p.pop(f"half_{letter}") / (one.reference if one else 1.0)
        for name, value in (
            ("left", antigen.escaped if antigen else 0.0), ("B", antigen.b_cells if antigen else 0.0),
            ("P", antigen.b_progenitors if antigen else 0.0), ("PC", antigen.plasma_cells if antigen else 0.0),
        ):  # fmt: skip
            p[f"{name}_{letter}"] = np.full(ids.shape, value)
    there = np.any(seen, axis=0) if design == "or" else np.all(seen, axis=0)
    p["bys"] = np.where(there, p["bys"], 0.0)


def body_surface(c: CovariateConstants, height: ArrayLike, weight: ArrayLike) -> Floats:
    """Body surface area (m2, Mosteller) from height (cm) and weight (kg)."""
    return np.sqrt(np.asarray(height, dtype=float) * np.asarray(weight, dtype=float) / c.mosteller)


def age_effects(
    c: CovariateConstants, p: Values, age: Floats, known: Mapping[str, NDArray[np.bool_]], limits: Limits
) -> None:
    """Change blood pressure, B-cell supply, plasma cells, IgG and creatinine with age (years), where not measured."""
    child = age < c.sbp_child_age
    pressure = p["SBP0"] + np.where(child, c.sbp_child_offset + c.sbp_child_slope * age, 0.0)
    p["SBP0"] = np.maximum(pressure, limits.systolic(age) + c.sbp_floor)
    supply = [age < c.kinP_infant_age, age < c.kinP_child_age]
    p["kinP"] = p["kinP"] * np.select(supply, [c.kinP_infant, c.kinP_child], 1.0)
    p["sPC"] = np.where(age < c.sPC_child_age, c.sPC_child, p["sPC"])
    grown = np.where((age < c.adult_age) & ~known["igg"], c.igg_child, 1.0)
    p["Gp0"] = p["Gp0"] * grown
    creatinine = np.minimum(c.creatinine_birth + c.creatinine_slope * age, 1.0)
    p["Cr0"] = p["Cr0"] * np.where(known["creatinine"], 1.0, creatinine)


def lot_effects(c: CovariateConstants, p: Values, lot: Mapping[str, Floats]) -> None:
    """Change engraftment, memory share, growth, exhaustion, killing and cytokines with the lot (NaN: no effect)."""
    viability = _or(lot["viability"] / c.viability_reference, 1.0)
    effector = _or(np.exp(-c.effector_slope * (lot["f_EFF"] - c.effector_reference)), 1.0)
    p["feng"] = np.minimum(p["feng"] * viability * effector, 1.0)
    memory = _or(lot["memory_content"] / lot["memory_reference"], 1.0)
    p["fM"] = np.minimum(p["fM"] * memory, c.memory_most)
    fitness = _or(lot["fitness"], 1.0)
    p["rho"] = p["rho"] * fitness**c.fitness_rho
    p["kEX"] = p["kEX"] * fitness**c.fitness_kEX
    share, typical = _or(lot["cd4_share"], p["f4"]), p["f4"]
    p["rho"] = p["rho"] * _mix(share, c.cd4_rho_cd8, c.cd4_rho_cd4) / _mix(typical, c.cd4_rho_cd8, c.cd4_rho_cd4)
    p["kap_p"] = p["kap_p"] * _mix(share, 1.0, c.cd4_kill) / _mix(typical, 1.0, c.cd4_kill)
    release, typical_release = (1 + c.cd4_cytokine * (f - c.cd4_middle) for f in (share, typical))
    p["yE"] = p["yE"] * release / typical_release
    p["f4"] = share
    p["VCN"] = _or(lot["vector_copies"], p["VCN"])


def patient_effects(
    c: CovariateConstants, p: Values, traits: Mapping[str, ArrayLike], ids: Ids, targets: Sequence[Target]
) -> None:
    """Change growth, antigen, resistance, macrophage threshold, killing and B-cell return with the history."""
    p["rho"] = p["rho"] * np.where(_flag(traits, "prior_hsct", ids), c.hsct_rho, 1.0)
    earlier = {
        "CD19": (_flag(traits, "prior_blinatumomab", ids), c.blinatumomab_f_neg, 1.0),
        "BCMA": (_flag(traits, "prior_bcma", ids), c.bcma_f_neg, c.bcma_density),
    }
    for target, name, letter in zip(targets, LOSSES, LETTERS):
        if target.antigen.name in earlier:
            had, lost, density = earlier[target.antigen.name]
            p[name] = p[name] * np.where(had, lost, 1.0)
            p[f"r_{letter}"] = p[f"r_{letter}"] * np.where(had, density, 1.0)
    lines_effect(c, p, _trait(traits, "prior_lines", ids, np.nan) - _trait(traits, "usual_lines", ids, np.nan))
    doublings = np.maximum(np.log2(p["FER0"] / c.ferritin_reference), 0.0)
    p["KIF"] = p["KIF"] * c.ferritin_KIF**doublings
    p["kap_p"] = p["kap_p"] * c.ferritin_kap**doublings
    recent = _flag(traits, "recent_anti_cd20", ids)
    p["kzB"] = np.where(recent, np.minimum(p["kzB"], c.kzB_anti_cd20), p["kzB"])


def lines_effect(c: CovariateConstants, p: Values, more: Floats) -> None:
    """Make resistance more frequent and killing weaker with each line of therapy beyond the usual (NaN: no effect).

    What earlier lines do to the collected T cells is a matter of manufacturing: see ``therapy/ex_vivo_expansion``.
    """
    lines = np.clip(_or(more, 0.0), -c.lines_most, c.lines_most)
    p["p_res"] = _at_odds(p["p_res"], c.lines_p_res**lines)
    p["kap_p"] = p["kap_p"] * c.lines_kap**lines


def _at_odds(share: Floats, odds: Floats) -> Floats:
    """A probability whose odds are so many times as high."""
    return share * odds / (1 - share + share * odds)


def after_progression(c: CovariateConstants, mpp: Floats, more: ArrayLike) -> Floats:
    """Median from progression to death: shorter with each line of therapy beyond the usual (NaN: as usual), (n,)."""
    return mpp * c.lines_mpp ** np.clip(_or(more, 0.0), -c.lines_most, c.lines_most)


def usual_lines(disease: Disease) -> float:
    """Earlier lines of therapy for which the numbers of a disease card hold: the median of its population."""
    return _median(disease, "prior_lines")


def usual_burden(disease: Disease) -> float:
    """Tumor load (e6/kg) for which the numbers of a disease card hold: the median of its population."""
    return _median(disease, "burden")


def _median(disease: Disease, field: str) -> float:
    return float(quantile(population_laws(disease)[field], np.full(1, 1 / 2), {})[0])


def bulk_effect(c: CovariateConstants, p: Values, burden: Floats, usual: Floats | float = np.nan) -> None:
    """Lower the reachable share of bulky nodal tumor, and make resistance more frequent the larger it is.

    Burden in e6/kg; ``usual``: that for which the card's numbers hold (NaN: no effect on resistance).
    """
    nodal = p["mf"] < c.bulk_marrow_share
    burden = np.maximum(burden, 1 / CELLS)
    excess = np.maximum(np.log(burden / c.bulk_reference), 0.0)
    p["a_T"] = p["a_T"] * np.where(nodal, np.exp(-c.bulk_slope * excess), 1.0)
    doublings = np.clip(_or(np.log2(burden / usual), 0.0), -c.bulk_most, c.bulk_most)
    p["p_res"] = _at_odds(p["p_res"], np.where(nodal, c.bulk_p_res**doublings, 1.0))


def inflammation_effect(c: CovariateConstants, burden: Floats) -> Floats:
    """Interleukin-6 at full macrophage activation, relative: more with more tumor (e6/kg) for macrophages to answer."""
    ratio = np.maximum(burden, 1 / CELLS) / c.inflammation_reference
    return np.clip(ratio**c.inflammation_power, c.inflammation_least, c.inflammation_most)


def response_class(p: Values, ids: Ids, seed: int) -> None:
    """Draw who belongs to the low-response class (less killing and less growth), and whose cells hardly expand."""
    low = uniforms(seed, "low response", ids)[:, 0] < p["p_res"]
    hardly = uniforms(seed, "hardly expands", ids)[:, 0] < p["p_exp"]
    p["c_kap"] = np.where(low, p["f_res"], 1.0)
    p["c_rho"] = np.where(low, p["r_res"], 1.0) * np.where(hardly, p["r_exp"], 1.0)


def marker_class(c: CovariateConstants, p: Values, ids: Ids, seed: int) -> None:
    """Draw whose myeloma has light chains only, and whose M-protein is IgA."""
    draw = uniforms(seed, "m-protein class", ids, 2)
    p["MK0"] = np.where((draw[:, 0] < c.light_chain) & ~p.pop("m_protein_known").astype(bool), 0.0, p["MK0"])
    p["kMK"] = np.where(draw[:, 1] < c.iga, c.iga_turnover, p["kMK"])


def marrow_effects(p: Values, burden: Floats, traits: Mapping[str, ArrayLike], ids: Ids) -> None:
    """Fit counts to a marrow that the tumor fills in part: measured counts are met at the start, B0 is capped."""
    m0 = 1 - p["crowd"] * p["mf"] * np.minimum(burden / p["K_marrow"], 1.0)
    p["ANC0"] = _or(_trait(traits, "neutrophils", ids, np.nan) / m0, p["ANC0"])
    p["PLT0"] = _or(_trait(traits, "platelets", ids, np.nan) / m0, p["PLT0"])
    p["HB0"] = _or(_trait(traits, "hemoglobin", ids, np.nan) / (1 - p["hb_crowd"] * (1 - np.sqrt(m0))), p["HB0"])
    steady = p["kinP"] * p["amp"] / p["muB"]
    p["B0"] = np.minimum(_trait(traits, "b_cells_per_kg", ids, p["B0"]), steady * m0)


def clones(c: CovariateConstants, p: Values, burden: Floats, kmt2a: NDArray[np.bool_], ids: Ids, seed: int) -> Values:
    """Split the tumor into clones and draw their founders and fates.

    Parameters
    ----------
    c : CovariateConstants
    p : dict of str to ndarray, shape (n,)
        f_neg, f_neg_b, q_corr, f_niche, f_clon and BW are read.
    burden : ndarray, shape (n,)
        Whole tumor, e6/kg.
    kmt2a : ndarray of bool, shape (n,)
    ids, seed
        Patient numbers and seed.

    Returns
    -------
    dict of str to ndarray, shape (n,)
        lnT0_k (ln of e6/kg), N0_k (clonogenic cells, 0: absent), fate_k, xi_k of the five clones, and n_T0 (e6/kg).
    """
    clonogenic = p["BW"] * CELLS * p["f_clon"]  # clonogenic cells in one e6/kg
    total = burden * p["BW"] * CELLS
    both = p["f_neg"] * p["f_neg_b"] * p["q_corr"] * np.where(kmt2a, c.kmt2a_f_nn, 1.0)
    niche = np.minimum(p["f_niche"], c.minor_most) * burden * clonogenic
    expected = {"np": p["f_neg"] * total, "pn": p["f_neg_b"] * total, "nn": both * total, "s": niche}
    most = c.minor_most * burden * clonogenic / len(expected)
    draw = uniforms(seed, "founders", ids, len(expected))
    count = {k: poisson(c, draw[:, i], np.minimum(mean, most)) for i, (k, mean) in enumerate(expected.items())}
    count["pp"] = np.maximum(burden * clonogenic - sum(count.values()), 0.0)
    luck = uniforms(seed, "extinction", ids, 2 * len(CLONES))
    columns: Values = {}
    whole = np.zeros(ids.shape)
    for i, k in enumerate(CLONES):
        founders = count[k]
        columns[f"N0_{k}"] = founders
        columns[f"lnT0_{k}"] = np.log(np.maximum(founders, 1.0) / clonogenic)
        columns[f"fate_{k}"] = fate(luck[:, 2 * i], founders)
        columns[f"xi_{k}"] = -np.log(luck[:, 2 * i + 1])
        whole = whole + founders / clonogenic
    columns["n_T0"] = whole
    return columns


def poisson(c: CovariateConstants, uniform: Floats, mean: Floats) -> Floats:
    """Poisson number at a probability; a rounded normal one for large means."""
    return poisson_at(uniform, mean, c.poisson_exact)


def _measured(p: Values, traits: Mapping[str, ArrayLike], ids: Ids) -> None:
    for trait, name in (("lymphocytes", "ALC0"), ("ferritin", "FER0"), ("crp", "CRP0"), ("igg", "Gp0"),
                        ("creatinine", "Cr0"), ("m_protein", "MK0")):  # fmt: skip
        p[name] = _trait(traits, trait, ids, p[name])
    p["m_protein_known"] = np.isfinite(_trait(traits, "m_protein", ids, np.nan)).astype(float)


def _known(traits: Mapping[str, ArrayLike], ids: Ids) -> dict[str, NDArray[np.bool_]]:
    return {name: np.isfinite(_trait(traits, name, ids, np.nan)) for name in ("igg", "creatinine")}


def _trait(traits: Mapping[str, ArrayLike], name: str, ids: Ids, default: ArrayLike | None = None) -> Floats:
    if name not in traits and default is None:
        raise ValueError(f"the covariates need the trait {name}")
    given = np.broadcast_to(np.asarray(traits.get(name, np.nan), dtype=float), ids.shape)
    return given.copy() if default is None else _or(given, default)


def _flag(traits: Mapping[str, ArrayLike], name: str, ids: Ids) -> NDArray[np.bool_]:
    return _trait(traits, name, ids, 0.0) > 0


def _or(value: ArrayLike, default: ArrayLike) -> Floats:
    value = np.asarray(value, dtype=float)
    return np.where(np.isfinite(value), value, default)


def _mix(cd4: Floats, cd8_effect: float, cd4_effect: float) -> Floats:
    return (1 - cd4) * cd8_effect + cd4 * cd4_effect
