"""Blood of the reference model: counts, red cells, lymphocyte subsets and two serum markers (4.7 and 5).

Every subset is a share of its whole by construction: CAR-T cells count among the T cells, T cells, B cells and natural
killer cells among the lymphocytes, and these among the white cells.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from vein2vein.models.mathematics import TINY, exp, maximum, minimum, power, sqrt
from vein2vein.models.reference.extinction import CELLS

NEUTROPHILS = ("N1", "N2", "N3", "N4", "N5")
PLATELETS = ("Q1", "Q2", "Q3", "Q4")
PERCENT = 100
UL_PER_NL = 1000
UL_PER_ML = 1000


def blood_counts(x: Any, p: Any, u: Any, marrow: Any, burden: Any) -> dict[str, Any]:
    """Two Friberg chains and the red cells; the marrow function sets their targets, injury lowers what is made."""
    drug = x.CY + p.wFLU * x.FLU + p.bLDX * x.LDXb
    gain = 1 + (p.gcsf_gain - 1) * u.gcsf
    transit = p.MTT_N * (1 + (p.gcsf_mtt - 1) * u.gcsf)
    inflamed_n = (1 - p.infN * x.MAC) * exp(-p.wMDn * x.MD)
    inflamed_p = (1 - p.infP * x.MAC) * exp(-p.wMDp * x.MD)
    made_n = (1 - minimum(p.slN * drug, p.edmax)) * inflamed_n * gain * power(marrow * p.ANC0 / x.N5, p.gamN)
    made_p = (1 - minimum(p.slP * drug, p.edmax)) * inflamed_p * power(marrow * p.PLT0 / x.Q4, p.gamP)
    injury = p.kMDon * x.MAC * (1 - x.MD) - p.kMDoff * x.MD
    return {
        "MD": injury,
        **_chain(x, NEUTROPHILS, transit, made_n),
        **_chain(x, PLATELETS, p.MTT_P, made_p),
        **_red_cells(x, p, drug, hemoglobin_target(p, marrow, burden)),
    }


def _chain(x: Any, names: tuple[str, ...], transit_time: Any, made: Any) -> dict[str, Any]:
    """A chain of equal transits; its first member divides ``made`` times for each cell that moves on."""
    rate = (len(names) - 1) / transit_time
    change = {names[0]: rate * getattr(x, names[0]) * (made - 1)}
    for before, here in pairwise(names):
        change[here] = rate * (getattr(x, before) - getattr(x, here))
    return change


def hemoglobin_target(p: Any, marrow: Any, burden: Any) -> Any:
    """Hemoglobin (g/dL) that a marrow of this function (0 to 1) keeps up beside a tumor (e6/kg).

    The anemia of disease and of earlier therapy goes as the tumor goes.
    """
    cleared = 1 - minimum(burden / maximum(p.n_T0, TINY), 1)
    return (p.HB0 + maximum(p.hb_free - p.HB0, 0) * cleared) * (1 - p.hb_crowd * (1 - sqrt(marrow)))


def _red_cells(x: Any, p: Any, drug: Any, target: Any) -> dict[str, Any]:
    """Precursors, which drugs kill and inflammation starves, and what circulates for a red cell's life.

    Erythropoietin answers a lack of hemoglobin; blood that is drawn and given changes HB at once (``doses.py``).
    """
    inflamed = (1 - p.infE * x.MAC) * exp(-p.wMDe * x.MD)
    asked = power(target / x.HB, p.gamE)
    return {
        "ER": (inflamed * asked - x.ER) / p.MTT_E - p.slE * drug * x.ER,
        "HB": (target * x.ER - x.HB) / p.hb_life,
    }


def hemoglobin(x: Any, p: Any) -> Any:
    """What is measured, g/dL: leak and the fluids given for it dilute the red cells."""
    return x.HB * (1 - p.hb_leak * x.LK)


def transfused(x: Any, p: Any, times: Any) -> Any:
    """Hemoglobin (g/dL) after red cells: one unit, or as much per kg of a child as no more than ``hb_unit_most``."""
    return x.HB + times * minimum(p.hb_unit * p.BWref / p.BW, p.hb_unit_most)


def drawn(x: Any, p: Any, milliliters: Any) -> Any:
    """Hemoglobin (g/dL) after a loss of blood whose volume is replaced; never all of it at once."""
    return x.HB * exp(-milliliters * UL_PER_ML / (p.Vblood * p.BW))


def serum(x: Any, p: Any, burden: Any, dying: Any) -> dict[str, Any]:
    """LDH set free by inflammation and by dying tumor (e6/kg/day), and soluble BCMA; each with its own turnover."""
    return {
        "LD": p.kLD * (p.ldh_mac * x.MAC / (x.MAC + p.ldh_half) + p.ldh_lysis * dying / p.K0 - x.LD),
        "SB": p.kSB * (bcma_shed(x.PC, burden, p) - x.SB),
    }


def bcma_shed(plasma_cells: Any, burden: Any, p: Any) -> Any:
    """Soluble BCMA (ng/mL) that plasma cells (relative to the start) and a tumor (e6/kg) keep up in balance."""
    return p.sb_PC * plasma_cells + p.sb_T * burden / p.K0


def white_cells(x: Any, p: Any, car_t: Any, left: Any, blasts: Any) -> dict[str, Any]:
    """Counts of white cells and their subsets, in the units of the analytes.

    Parameters
    ----------
    x, p : names of states and of parameters
    car_t : array_like
        CAR-T cells, cells/uL.
    left : array_like
        Tumor left, relative to the start: tumor lymphocytes of CLL follow it.
    blasts : array_like
        1e9/L.
    """
    host = UL_PER_NL * p.ALC0 * x.L
    b_cells = x.B * p.fB * CELLS / p.Vblood
    cd3 = host * p.host_T + car_t
    normal = host + car_t + b_cells
    lymphocytes = normal / UL_PER_NL + p.lymph_T * left
    white = p.wbc_other * x.N5 + lymphocytes + blasts
    cd4 = host * p.host_T * p.host_CD4 + car_t * car_cd4(x, p)
    return {
        "b_cells": b_cells,
        "b_cell_percent": PERCENT * b_cells / (UL_PER_NL * lymphocytes),
        "cd3_cells": cd3,
        "cd4_cells": cd4,
        "cd8_cells": cd3 - cd4,
        "car_t_share": PERCENT * car_t / maximum(cd3, TINY),
        "nk_cells": host * (1 - p.host_T),
        "lymphocytes": lymphocytes,
        "white_cells": white,
        "neutrophils": x.N5,
        "mrd_blood": (p.lymph_T * left + blasts) / white,
    }


def car_cd4(x: Any, p: Any) -> Any:
    """CD4 share of the CAR-T cells in blood: that of the lot, until CD8 effectors outgrow it."""
    grown = p.f4 * p.cd4_odds / (p.f4 * p.cd4_odds + 1 - p.f4)
    effectors, others = x.E + x.X, x.M + p.shareI * x.I + TINY
    return (grown * effectors + p.f4 * others) / (effectors + others)
