"""What can be measured of the reference model's states, without assay error (section 5 of its specification).

The bedside layer turns the unsupported signs (temperature, systolic_bp, spo2) and ``cns_dysfunction``, which is no
analyte, into readings, supports and scores. Hemoglobin to fibrinogen are plausibility links, none of them calibrated.
"""

from __future__ import annotations

from typing import Any

from vein2vein.models.mathematics import TINY, less, maximum, minimum, power, sqrt, where
from vein2vein.models.reference.equations import (
    blood_car_t,
    combine,
    engagement,
    marrow_function,
    recognition,
    total,
)
from vein2vein.models.reference.extinction import CELLS, sizes

PERCENT = 100
UL_PER_NL = 1000


def observables(t: Any, x: Any, p: Any, u: Any) -> dict[str, Any]:
    """Every analyte that is a function of the state, in its canonical unit."""
    n = sizes(x, p)
    burden = total(n)
    left = burden / maximum(p.n_T0, TINY)
    filled = minimum(burden / p.K_marrow, 1)
    in_blood = minimum(filled, p.blast_top)
    blasts = p.leukemia * p.blast_blood * filled / (1 - in_blood)
    car_t = blood_car_t(x, p, engagement(x, p, recognition(p), n))
    lymphocytes = x.L * p.ALC0 + p.lymph_T * left
    white = p.wbc_other * x.N5 + lymphocytes + blasts
    b_cells = x.B * p.fB * CELLS / p.Vblood
    ldh = where(p.leukemia, p.ldh0 + p.ldh_blasts * filled, p.ldh0 * (1 + p.ldh_tumor * sqrt(burden / p.ldh_T)))
    area = p.spd_ref * power(p.n_T0 / p.spd_T, p.spd_power)
    return {
        "car_t_cells": car_t,
        "transgene": where(
            p.qpcr_mechanistic, p.genomes * p.VCN * car_t / (car_t + UL_PER_NL * white), p.kq * p.VCN * car_t
        ),
        "marrow_blasts": PERCENT * filled,
        "circulating_blasts": blasts,
        "mrd": filled,
        "metabolic_tumor_volume": burden * CELLS * p.BW / p.tumor_mL,
        "sum_product_diameters": area * (power(left, p.spd_power) + p.scar),
        "deauville": deauville(x, p, burden),
        "m_protein": x.MK,
        "free_light_chain": p.FLC0 * left,
        "soluble_bcma": left,
        "marrow_plasma_cells": PERCENT * filled,
        "antigen_positive_share": antigen_positive(n, p) / maximum(burden, TINY),
        "b_cells": b_cells,
        "b_cell_percent": PERCENT * b_cells / (b_cells + UL_PER_NL * lymphocytes),
        "lymphocytes": lymphocytes,
        "white_cells": white,
        "neutrophils": x.N5,
        "platelets": x.Q4,
        "hemoglobin": maximum(p.hb_low + p.hb_marrow * sqrt(marrow_function(burden, p)) - p.hb_mac * x.MAC, p.hb_floor),
        "ldh": ldh + p.ldh_mac * x.MAC,
        "creatinine": p.Cr0 * (1 + p.cr_leak * x.LK * x.LK),
        "ast": p.ast0 + p.ast_mac * x.MAC * x.MAC,
        "fibrinogen": maximum(p.fib0 + p.fib_crp * x.CRP / (x.CRP + p.fib_K) - p.fib_mac * x.MAC * x.MAC, p.fib_floor),
        "igg": x.Gp,
        "il6": x.IL6,
        "ifn_gamma": p.ifn0 * x.IFN,
        "il15": x.IL15,
        "crp": x.CRP,
        "ferritin": x.FER,
        "temperature": p.temp0 + x.TMP,
        "systolic_bp": p.SBP0 - p.sbpg * x.LK,
        "spo2": maximum(p.spo2_0 - p.spg * x.LK, p.spo2_floor),
        "cns_dysfunction": x.CN,
    }


def antigen_positive(n: dict[str, Any], p: Any) -> Any:
    """Tumor cells that carry what the product needs to recognize a cell, however dim, e6/kg."""
    a, b = less(0, p.r_a), less(0, p.r_b)
    dim_a, dim_b = a * less(0, p.left_a), b * less(0, p.left_b)
    whole = combine(a, b, p) * (n["pp"] + n["s"])
    return whole + combine(a, dim_b, p) * n["pn"] + combine(dim_a, b, p) * n["np"] + combine(dim_a, dim_b, p) * n["nn"]


def deauville(x: Any, p: Any, burden: Any, nadir: Any = None) -> Any:
    """Deauville score 2 to 5 from the tumor and its inflammation.

    A model state has no memory: the score of ``observables`` leaves out the rise from a nadir, which a reader of the
    course gives as ``nadir`` (e6/kg).
    """
    cells = burden * CELLS * p.BW
    score = where(less(p.deauville_3, cells) + less(p.deauville_mac, x.MAC), 2 + 1, 2)
    score = where(less(p.deauville_4, cells), 2 + 2, score)
    grown = less(p.deauville_growth * p.n_T0, burden)
    if nadir is not None:
        grown = grown + less(p.deauville_rise * nadir, burden) * less(p.deauville_3, cells)
    return where(grown, 2 + 2 + 1, score)
