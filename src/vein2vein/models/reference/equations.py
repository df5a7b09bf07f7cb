"""The equations of the reference model, section by section of its specification (4.1 to 4.9 and 7.1)."""

from __future__ import annotations

from itertools import pairwise
from typing import Any, NamedTuple

from vein2vein.models.mathematics import TINY, exp, hill, less, maximum, minimum, positive_part, power, where
from vein2vein.models.reference.extinction import CLONES, quadrature, sizes

DAYS_PER_YEAR = 365.25
HOURS = 24
NEUTROPHILS = ("N1", "N2", "N3", "N4", "N5")
PLATELETS = ("Q1", "Q2", "Q3", "Q4")


class Recognition(NamedTuple):
    """How strongly the CAR sees each population, 0 to 1."""

    pp: Any
    pn: Any
    np: Any
    nn: Any
    s: Any
    B: Any
    P: Any
    PC: Any


def density(r: Any, r50: Any, n: Any) -> Any:
    """Response to a relative antigen density; 1 at the reference density 1, 0 without antigen."""
    return (1 + power(r50, n)) * hill(r, r50, n)


def combine(a: Any, b: Any, p: Any) -> Any:
    """Response of the CAR design to its two antigens: single a, a or b, a and b."""
    either = maximum(
        maximum(a, b), 1 - (1 - a) * (1 - b)
    )  # above 1, one beyond its reference density is not taken back
    return where(p.design_or, either, where(p.design_and, minimum(a, b), a))


def recognition(p: Any) -> Recognition:
    """Recognition of tumor clones and normal cells (4.1); static per patient and product."""
    a, b = density(p.r_a, p.r50_a, p.hden), density(p.r_b, p.r50_b, p.hden)
    dim_a, dim_b = density(p.left_a * p.r_a, p.r50_a, p.hden), density(p.left_b * p.r_b, p.r50_b, p.hden)
    both = combine(a, b, p)
    return Recognition(
        pp=both, pn=combine(a, dim_b, p), np=combine(dim_a, b, p), nn=combine(dim_a, dim_b, p), s=both,
        B=combine(p.B_a, p.B_b, p), P=combine(p.P_a, p.P_b, p), PC=combine(p.PC_a, p.PC_b, p),
    )  # fmt: skip


def total(n: dict[str, Any]) -> Any:
    """Whole tumor, e6/kg."""
    return n["pp"] + n["pn"] + n["np"] + n["nn"] + n["s"]


def engagement(x: Any, p: Any, rec: Recognition, n: dict[str, Any]) -> Any:
    """Share of CAR-T signaling through antigen, s (4.2)."""
    tumor = rec.pp * (n["pp"] + n["s"]) + rec.pn * n["pn"] + rec.np * n["np"] + rec.nn * n["nn"]
    antigen = p.a_T * tumor + rec.B * x.B + rec.P * x.P + rec.PC * p.q_PC * x.PC
    return antigen / (p.K_A + antigen + p.phi * (x.E + x.M + p.shareX * x.X))


def marrow_function(burden: Any, p: Any) -> Any:
    """Marrow function left beside the tumor, m (4.5)."""
    return 1 - p.crowd * p.mf * minimum(burden / p.K_marrow, 1)


def supply_at_start(p: Any) -> tuple[Any, Any]:
    """Suppression of the B supply at the start, and B cells then (4.5)."""
    free = p.kinP * p.amp / p.muB * marrow_function(p.n_T0, p)
    suppressed = minimum(1, p.B0 / free)
    return suppressed, free * suppressed


def catabolism(igg: Any, p: Any) -> Any:
    """Fractional catabolic rate of IgG, 1/day: receptor-saturable (4.5)."""
    return p.f0 + p.f1 * igg / (igg + p.KG)


def steroid(x: Any, p: Any) -> Any:
    """Steroid effect, 0 to 1."""
    return x.DEX / (p.dexK + x.DEX)


def occupancy(x: Any, p: Any) -> Any:
    """Share of interleukin-6 receptors that tocilizumab holds."""
    return x.TOC / (p.Ktoc + x.TOC)


def blood_car_t(x: Any, p: Any, s: Any) -> Any:
    """CAR-T in blood, cells/uL; engagement keeps them in tissue (5)."""
    return p.fb / (1 + p.rs * s) * (x.E + x.M + x.X + p.shareI * x.I) * 1e6 / p.Vblood


def equations(t: Any, x: Any, p: Any, u: Any) -> dict[str, Any]:
    """Derivatives of all states per day."""
    n, rec, dx = sizes(x, p), recognition(p), steroid(x, p)
    burden = total(n)
    s = engagement(x, p, rec, n)
    killers = x.E + p.wM * x.M
    iota = p.iota * p.iota_factor
    kill = p.kap_p * p.kap_d * p.c_kap / (1 + iota) * killers / (p.KE + killers + p.psi * p.a_T * burden)
    fresh, cells = _car_t(x, p, s, dx, iota)
    return {
        **cells,
        **_fitness(x, p, s, iota, fresh),
        **_tumor(x, p, rec, n, burden, kill),
        **_b_lineage(t, x, p, rec, burden, killers),
        **_host(x, p, dx),
        **_blood_counts(x, p, u, marrow_function(burden, p)),
        **_drugs(x, p),
        **_inflammation(x, p, s, dx, burden, kill),
        **_sums(x, p, u, s, burden),
    }


def _car_t(x: Any, p: Any, s: Any, dx: Any, iota: Any) -> tuple[Any, dict[str, Any]]:
    """4.3; the first value is the inflow of new effectors."""
    share = x.IL15 / (1 + p.rc)
    drive = share * (1 + p.K15) / (share + p.K15)
    resting = (1 + p.K15) / (1 + p.K15 * (1 + p.rc))
    h = p.h0 + (1 - p.h0) * drive
    rejection = p.kapR * x.R + p.kallo * p.mis * (1 - p.cloak) * x.L + p.kLDXa * x.LDXa * (1 - p.cd52ko)
    engrafting = p.keng * p.feng * x.I
    fresh = (1 - p.fM) * engrafting + p.kME * s * x.M
    room = 1 / (1 + (x.E + x.M + p.shareX * x.X) / p.Kroom)
    growth = p.rho * p.c_rho * x.F * x.AC * h * room * (1 - p.dexE * dx) / (1 + p.iotaE * iota)
    exhaustion, back = p.kEX * (1 + iota) * s, p.kEM * (1 - s)
    homeostasis = p.pM * positive_part(drive - resting)
    return fresh, {
        "I": -p.keng * x.I,
        "M": p.fM * engrafting + (homeostasis - p.kME * s * (1 - p.srM) - p.muM - rejection) * x.M + back * x.E,
        "E": fresh + (growth - exhaustion - back - p.muE - rejection) * x.E,
        "X": exhaustion * x.E - (p.muX + rejection) * x.X,
    }


def _fitness(x: Any, p: Any, s: Any, iota: Any, fresh: Any) -> dict[str, Any]:
    """4.3: the clock besides the antigen, and the commitment to divide that outlasts it.

    Both are averages over the living effectors: new ones enter with 1, and without effectors both stay at 1.
    """
    living = x.E / (x.E + p.eF)
    entering = fresh / (fresh / p.kFin + x.E + p.eF)
    aged = p.kF * (1 + iota) * s * x.F * living
    return {
        "F": (1 - x.F) * (entering + p.kFr * (1 - s)) - aged,
        "AC": (1 - x.AC) * entering + p.kAC * (s - x.AC) * living,
    }


def _tumor(x: Any, p: Any, rec: Recognition, n: dict[str, Any], burden: Any, kill: Any) -> dict[str, Any]:
    """4.4 and 7.1: expected sizes as logarithms, extinction quadratures, late antigen loss."""
    growth = p.g * maximum(1 - burden / p.K0, -1)
    change: dict[str, Any] = {}
    for clone in CLONES:
        seen = getattr(rec, clone)
        killed = kill * (seen + (1 - seen) * p.bys) * (p.sanc if clone == "s" else 1)
        change[f"T_{clone}"] = growth - killed
        change[f"Z_{clone}"] = quadrature(x, p, clone, p.d0 + killed)
    cells = p.muT * p.BW * 1e6 * p.f_clon
    change["IM_one"] = cells * (n["pp"] + n["s"])
    change["IM_two"] = cells * (n["pn"] + n["np"])
    return change


def _b_lineage(t: Any, x: Any, p: Any, rec: Recognition, burden: Any, killers: Any) -> dict[str, Any]:
    """4.5: B progenitors, B cells, plasma cells, IgG."""
    suppressed, at_start = supply_at_start(p)
    supply = 1 - (1 - suppressed) * exp(-p.kzB * (t - p.t0))
    killed = p.kapB * killers / (p.KEB + killers)
    fed = 1 - p.sPC + p.sPC * minimum(x.B / at_start, 1)
    gain = catabolism(p.Gp0, p) * p.Gp0 * x.PC
    absorbed = p.kSC * x.SCIG
    born = p.kinP * supply * marrow_function(burden, p) * (1 - p.infN * x.MAC)
    return {
        "P": born - (p.kmat + p.killP * rec.P * killed) * x.P,
        "B": p.amp * p.kmat * x.P - (p.muB + rec.B * killed + p.ldkB * depletion(x, p)) * x.B,
        "PC": p.muPC * (fed - x.PC) - rec.PC * killed * x.PC,
        "Gp": gain - (catabolism(x.Gp, p) + p.k12) * x.Gp + p.k21 * x.Gt + absorbed,
        "Gt": p.k12 * x.Gp - p.k21 * x.Gt,
        "SCIG": -absorbed,
    }


def depletion(x: Any, p: Any) -> Any:
    """Kill rate of lymphocytes by the conditioning drugs, 1/day (4.5)."""
    return p.kfl * x.FLU + p.kcy * x.CY + p.kLDXb * x.LDXb + p.kLDXa * x.LDXa


def _host(x: Any, p: Any, dx: Any) -> dict[str, Any]:
    """4.6: host lymphocytes, homeostatic cytokine, immunity against the CAR."""
    ceiling = (1 + p.rc) / (1 + p.rc * x.L + p.wC * (x.E + x.M))
    return {
        "L": p.kL * (1 - x.L) - (depletion(x, p) + p.kdexL * dx) * x.L,
        "IL15": p.k15 * (ceiling - x.IL15),
        "RP": p.kR * p.kR_factor * power(x.L / p.LR, p.nR) * x.I / (p.KR + x.I + x.E + x.M) - p.kRP * x.RP,
        "R": p.kRP * x.RP - p.muR * x.R,
    }


def _blood_counts(x: Any, p: Any, u: Any, marrow: Any) -> dict[str, Any]:
    """4.7: two Friberg chains; the marrow function sets the target of their feedback, injury lowers what is made."""
    drug = x.CY + p.wFLU * x.FLU + p.bLDX * x.LDXb
    gain = 1 + (p.gcsf_gain - 1) * u.gcsf
    transit = p.MTT_N * (1 + (p.gcsf_mtt - 1) * u.gcsf)
    inflamed_n = (1 - p.infN * x.MAC) * exp(-p.wMDn * x.MD)
    inflamed_p = (1 - p.infP * x.MAC) * exp(-p.wMDp * x.MD)
    made_n = (1 - minimum(p.slN * drug, p.edmax)) * inflamed_n * gain * power(marrow * p.ANC0 / x.N5, p.gamN)
    made_p = (1 - minimum(p.slP * drug, p.edmax)) * inflamed_p * power(marrow * p.PLT0 / x.Q4, p.gamP)
    injury = p.kMDon * x.MAC * (1 - x.MD) - p.kMDoff * x.MD
    return {"MD": injury, **_chain(x, NEUTROPHILS, transit, made_n), **_chain(x, PLATELETS, p.MTT_P, made_p)}


def _chain(x: Any, names: tuple[str, ...], transit_time: Any, made: Any) -> dict[str, Any]:
    """A chain of equal transits; its first member divides ``made`` times for each cell that moves on."""
    rate = (len(names) - 1) / transit_time
    change = {names[0]: rate * getattr(x, names[0]) * (made - 1)}
    for before, here in pairwise(names):
        change[here] = rate * (getattr(x, before) - getattr(x, here))
    return change


def _drugs(x: Any, p: Any) -> dict[str, Any]:
    """4.8: one compartment each; clearances scale with body weight^0.75, volumes with body weight."""
    size = p.BW / p.BWref
    scale = power(size, p.allo_CL)
    flu = (p.CLnr + p.CLren * p.CrCl / p.CrClref) * p.CLf_factor * scale * HOURS / (p.Vf * size)
    toci = (p.CLt * scale + p.Vmax * size / (p.Km + x.TOC)) / (p.Vt * size)
    return {
        "FLU": -flu * x.FLU,
        "CY": -p.CLc * scale / (p.Vc * size) * x.CY,
        "TOC": -toci * x.TOC,
        "DEX": -p.kDEX * x.DEX,
        "LDXb": -p.kd_b * x.LDXb,
        "LDXa": -p.kd_a * x.LDXa,
        "ANA": -p.k_ana * x.ANA,
    }


def _inflammation(x: Any, p: Any, s: Any, dx: Any, burden: Any, kill: Any) -> dict[str, Any]:
    """4.9: cytokines, macrophages, signs, M-protein."""
    held = occupancy(x, p)
    anakinra = 1 - p.wIL1 * x.ANA / (p.EC_ana + x.ANA)
    released = p.yE * s * x.E / p.V0 + p.yI * s * p.keng * x.I + p.yK * kill * p.a_T * burden
    interferon = positive_part(x.IFN - 1)
    signal = positive_part((1 - held) * x.IL6 - p.bl6)
    endothelial = positive_part((1 - p.occLK * held) * x.IL6 - p.bl6)
    switched_on = p.kMon * hill(interferon, p.KIF, p.nIF) * (1 - x.MAC) * (1 - x.TL) * (1 - p.dexM * dx)
    brain = hill(interferon * x.MAC, p.KCN, p.nCN)
    return {
        "IFN": p.kIF * (1 + released * (1 - p.dexIFN * dx) - x.IFN),
        "MAC": switched_on - p.kMoff * (1 + p.dexM * dx) * x.MAC,
        "TL": p.kTLon * x.MAC * (1 - x.TL) - p.kTLoff * x.TL,
        "IL6": p.k6 * (p.bl6 + p.p6 * x.MAC - (1 - p.occIL6 * held) * x.IL6),
        "CRP": p.kCRP * (p.CRP0 + p.CRPm * signal / (signal + p.K6) - x.CRP),
        "FER": p.kFer * (p.FER0 * (1 + p.pFer * x.MAC) - x.FER),
        "TMP": p.kTe * (anakinra * p.Tmx * signal / (signal + p.KT) - x.TMP),
        "LK": p.kLK * (anakinra * hill(endothelial, p.KLK, p.nLK) - x.LK),
        "BB": p.kCN * (brain - x.BB),
        "CN": p.kCN * ((1 - p.dexCN * dx) * anakinra * x.BB - x.CN),
        "MK": p.kMK * (p.MK0 * burden / maximum(p.n_T0, TINY) - x.MK),
    }


def _sums(x: Any, p: Any, u: Any, s: Any, burden: Any) -> dict[str, Any]:
    """7.4 and 5: cumulated hazards and areas."""
    low_igg = less(x.Gp, p.igg_limit) * (1 - u.igg_support)
    return {
        "H_nrm": p.nrm_bg / DAYS_PER_YEAR + p.nrm_inf * less(x.N5, p.neutropenia_limit) + p.nrm_igg * low_igg,
        "H_dis": p.h_leth * hill(burden, p.lethal_share * p.K0, p.lethal_power),
        "AUC": blood_car_t(x, p, s),
        "AUC_FLU": HOURS * x.FLU,
    }
