"""The start of the reference model and what a treatment does to its states (sections 2 and 3 of its specification)."""

from __future__ import annotations

from typing import Any

from vein2vein.models.mathematics import TINY, less, log, maximum, where
from vein2vein.models.reference.blood import NEUTROPHILS, PLATELETS, bcma_shed, drawn, hemoglobin_target, transfused
from vein2vein.models.reference.equations import marrow_function, supply_at_start
from vein2vein.models.reference.extinction import CLONES, clonogenic, killed_at_once

MG_PER_G = 1000


def initial(p: Any) -> dict[str, Any]:
    """States at the start: everything at rest, the tumor as given, B cells in balance with their suppressed supply."""
    _, b_cells = supply_at_start(p)
    marrow = marrow_function(p.n_T0, p)
    return {
        **{f"T_{clone}": getattr(p, f"lnT0_{clone}") for clone in CLONES},
        "P": b_cells * p.muB / (p.amp * p.kmat),
        "B": b_cells,
        "PC": 1,
        "Gp": p.Gp0,
        "Gt": p.k12 / p.k21 * p.Gp0,
        "L": 1,
        "IL15": 1,
        **{name: marrow * p.ANC0 for name in NEUTROPHILS},
        **{name: marrow * p.PLT0 for name in PLATELETS},
        "ER": 1,
        "HB": hemoglobin_target(p, marrow, p.n_T0),
        "SB": bcma_shed(1, p.n_T0, p),
        "F": 1,
        "AC": 1,
        "IFN": 1,
        "IL6": p.bl6,
        "IL10": p.bl10,
        "CRP": p.CRP0,
        "FER": p.FER0,
        "MK": p.MK0,
    }


def apply_dose(name: str, amount: Any, x: Any, p: Any) -> dict[str, Any]:
    """States right after a treatment; short infusions count as given at once.

    Parameters
    ----------
    name : str
        A treatment analyte that the model represents.
    amount : array_like, shape (n,)
        In the analyte's unit.
    x, p : names of the states and of the parameters, each an array (n,)
    """
    size = p.BW / p.BWref
    match name:
        case "car_t_infusion":
            living = p.KR / (p.KR + x.E + x.M)
            return {"I": x.I + amount / (1e6 * p.BW), "V": maximum(x.V, where(less(0, amount), living, 0))}
        case "fludarabine":
            return {"FLU": x.FLU + p.salt * amount / (p.Vf * size)}
        case "cyclophosphamide":
            return {"CY": x.CY + amount / (p.Vc * size)}
        case "bendamustine":
            return {"LDXb": x.LDXb + amount / (p.ref_b * p.BSA)}
        case "alemtuzumab":
            return {"LDXa": x.LDXa + amount / p.ref_a}
        case "tocilizumab":
            return {"TOC": x.TOC + amount / (p.Vt * size)}
        case "dexamethasone":
            return {"DEX": x.DEX + amount}
        case "methylprednisolone":
            return {"DEX": x.DEX + p.mp_dex * amount}
        case "anakinra":
            return {"ANA": x.ANA + p.ana_bio * amount / (p.V_ana * p.BW)}
        case "ivig":
            return {"Gp": x.Gp + MG_PER_G * amount / (p.Vpl * p.BW)}
        case "scig":
            return {"SCIG": x.SCIG + p.scig_bio * MG_PER_G * amount / (p.Vpl * p.BW)}
        case "red_cell_transfusion":
            return {"HB": transfused(x, p, amount)}
        case "blood_draw":
            return {"HB": drawn(x, p, amount)}
        case "bridging":
            left = maximum(1 - amount, TINY)
            return {**_tumor_left(left, x, p), "B": left * x.B}
        case "hsct":
            chains = {chain: p.hsct_marrow * getattr(x, chain) for chain in (*NEUTROPHILS, *PLATELETS)}
            cells = {cell: p.hsct_car * getattr(x, cell) for cell in ("I", "M", "E", "X")}
            return {**_tumor_left(p.hsct_tumor, x, p), **cells, **chains}
        case _:
            raise ValueError(f"the reference model does not represent the input '{name}'")


def _tumor_left(share: Any, x: Any, p: Any) -> dict[str, Any]:
    """Every clone, the niche too, keeps a share of its cells; extinction sees the kill."""
    after: dict[str, Any] = {}
    for clone in CLONES:
        size, z = getattr(x, f"T_{clone}"), getattr(x, f"Z_{clone}")
        after[f"T_{clone}"] = size + log(share)
        after[f"Z_{clone}"] = killed_at_once(z, clonogenic(x, p, clone), share, p)
    return after
