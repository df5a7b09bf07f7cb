"""IMWG 2016: response of multiple myeloma by serum and urine protein, light chains, marrow and plasmacytomas."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from vein2vein.clinic import words
from vein2vein.clinic.response.disease_chart import NAN, Verdict, Visit, fell, known, lowest, rose

CATEGORIES = words.lineages()["myeloma"].categories
Limits = Mapping[str, float]
READS = (
    "m_protein", "urine_m_protein", "immunofixation_serum", "immunofixation_urine", "free_light_chain",
    "free_light_chain_other", "free_light_chain_ratio_normal", "marrow_plasma_cells", "clonal_plasma_cells",
    "plasmacytoma", "plasmacytoma_size", "new_lesion", "mrd", "daratumumab_interference",
)  # fmt: skip
SERUM, URINE, MARROW = "m_protein", "urine_m_protein", "marrow_plasma_cells"
BY_SERUM = "urine protein was not measured: judged by the serum"
ANTIBODY = "immunofixation may show a therapeutic antibody"


def judge(baseline: Visit, earlier: Sequence[Visit], visit: Visit, v: Limits) -> Verdict:
    """Category of a visit, given the baseline and all earlier visits (the baseline is the first of them)."""
    told = _progressed(baseline, earlier, visit, v)
    if told:
        return Verdict("PD", told)
    complete, missing = _complete(baseline, visit, v)
    if complete:
        stringent = visit.yes("free_light_chain_ratio_normal") and visit.no("clonal_plasma_cells")
        absent = tuple(
            name for name in ("free_light_chain_ratio_normal", "clonal_plasma_cells") if not known(visit[name])
        )
        reasons = ("immunofixation negative in serum and urine, marrow below 5 %",)
        return Verdict("sCR", reasons) if stringent else Verdict("CR", reasons, absent)
    if baseline[SERUM] >= v["measurable_serum"] or baseline[URINE] >= v["measurable_urine"]:
        found = _by_protein(baseline, visit, v)
    elif _difference(baseline) >= v["measurable_light_chain"]:
        found = _by_share(fell(_difference(baseline), _difference(visit)), "difference of light chains", v)
    elif baseline[MARROW] >= v["marrow_partial_from"]:
        found = _by_share(fell(baseline[MARROW], visit[MARROW]), "plasma cells of marrow", v, best="PR")
    elif known(baseline[SERUM]) and known(visit[SERUM]):
        found = _by_protein(baseline, visit, v)
    else:
        found = Verdict("", ("no protein, light chain or marrow to follow",), (SERUM, URINE, "free_light_chain"))
    return _with_plasmacytomas(baseline, visit, found, missing, v)


def _difference(visit: Visit) -> float:
    return visit["free_light_chain"] - visit["free_light_chain_other"]


def _progressed(baseline: Visit, earlier: Sequence[Visit], visit: Visit, v: Limits) -> tuple[str, ...]:
    told: list[str] = []
    slack = v["tolerance"]
    up = v["progression_rise"] - slack

    def grew(name: str, low: float, now: float, least: float) -> None:
        if rose(low, now) >= up and now - low >= least - slack:
            told.append(f"{name} rose from {low:g} to {now:g}")

    low = lowest([past[SERUM] for past in earlier])
    least = v["progression_serum_high"] if low >= v["high_nadir"] else v["progression_serum"]
    grew("serum protein", low, visit[SERUM], least)
    grew("urine protein", lowest([past[URINE] for past in earlier]), visit[URINE], v["progression_urine"])
    measurable = baseline[SERUM] >= v["measurable_serum"] or baseline[URINE] >= v["measurable_urine"]
    light = _difference(baseline) >= v["measurable_light_chain"]
    if not measurable:
        low = lowest([_difference(past) for past in earlier])
        grew("difference of light chains", low, _difference(visit), v["progression_light_chain"])
    if not measurable and not light:
        low = lowest([past[MARROW] for past in earlier])
        grew("plasma cells of marrow", low, visit[MARROW], v["progression_marrow"])
    if visit.yes("new_lesion"):
        told.append("new lesion")
    if visit.yes("plasmacytoma") and any(past.no("plasmacytoma") for past in earlier):
        told.append("new plasmacytoma")
    size = lowest([past["plasmacytoma_size"] for past in earlier])
    if rose(size, visit["plasmacytoma_size"]) >= v["progression_plasmacytoma"] - slack:
        told.append("plasmacytomas up by half")
    return tuple(told)


def _complete(baseline: Visit, visit: Visit, v: Limits) -> tuple[bool, tuple[str, ...]]:
    """Whether all of complete response is known and met; else what is missing, if nothing speaks against it."""
    no_mass = visit.no("plasmacytoma") or visit["plasmacytoma_size"] == 0
    mass_known = known(visit["plasmacytoma"]) or known(visit["plasmacytoma_size"])
    had = baseline.yes("plasmacytoma") or baseline["plasmacytoma_size"] > 0
    facts = {
        "immunofixation_serum": (known(visit["immunofixation_serum"]), visit.no("immunofixation_serum")),
        "immunofixation_urine": (known(visit["immunofixation_urine"]), visit.no("immunofixation_urine")),
        MARROW: (known(visit[MARROW]), visit[MARROW] < v["marrow_complete"]),
        "plasmacytoma": (mass_known or not had, no_mass or (not had and not mass_known)),
    }
    if any(seen and not met for seen, met in facts.values()):
        return False, ()
    missing = tuple(name for name, (seen, _) in facts.items() if not seen)
    return not missing, missing if visit.no("immunofixation_serum") else ()


def _by_protein(baseline: Visit, visit: Visit, v: Limits) -> Verdict:
    """VGPR, PR, MR or SD by serum and urine protein."""
    slack, serum, urine = v["tolerance"], visit[SERUM], visit[URINE]
    follow_serum = known(baseline[SERUM]) and baseline[SERUM] > 0
    follow_urine = baseline[URINE] >= v["measurable_urine"]
    absent = tuple(n for n, must in ((SERUM, follow_serum), (URINE, follow_urine)) if must and not known(visit[n]))
    if absent:
        return Verdict("", ("a protein that was measurable at baseline was not measured",), absent)
    down = fell(baseline[SERUM], serum) if follow_serum else 1.0
    urine_down = fell(baseline[URINE], urine) if baseline[URINE] > 0 else NAN
    parts = [f"serum protein down {100 * down:.1f} %"] if follow_serum else []
    parts += [f"urine protein {urine:g} mg/day"] if known(urine) else [BY_SERUM]

    def enough(share: float, urine_share: float, urine_below: float) -> bool:
        by_urine = not known(urine) or urine < urine_below or urine_down >= urine_share - slack
        return down >= share - slack and by_urine

    if enough(v["very_good_fall"], NAN, v["very_good_urine"]):
        return Verdict("VGPR", tuple(parts))
    if enough(v["partial_fall"], v["partial_urine_fall"], v["partial_urine"]):
        return Verdict("PR", tuple(parts))
    light = v["partial_urine"] if not follow_urine else NAN
    if enough(v["minimal_fall"], v["minimal_urine_fall"], light):
        return Verdict("MR", tuple(parts))
    return Verdict("SD", tuple(parts))


def _by_share(share: float, what: str, v: Limits, best: str = "VGPR") -> Verdict:
    if not known(share):
        return Verdict("", (f"{what} not measured",), ("free_light_chain" if best == "VGPR" else MARROW,))
    told = (f"{what} down {100 * share:.0f} %",)
    if best == "VGPR" and share >= v["very_good_fall"] - v["tolerance"]:
        return Verdict("VGPR", told)
    return Verdict("PR" if share >= v["partial_fall"] - v["tolerance"] else "SD", told)


def _with_plasmacytomas(baseline: Visit, visit: Visit, found: Verdict, missing: tuple[str, ...], v: Limits) -> Verdict:
    """A plasmacytoma of the baseline must have shrunk by half for any response."""
    lacking = (*found.lacking, *(missing if found.category else ()))
    reasons = (*found.reasons, ANTIBODY) if visit.yes("daratumumab_interference") else found.reasons
    if CATEGORIES.index(found.category or "SD") <= CATEGORIES.index("SD"):
        return Verdict(found.category, reasons, lacking)
    if baseline["plasmacytoma_size"] > 0:
        share = fell(baseline["plasmacytoma_size"], visit["plasmacytoma_size"])
        if not known(share):
            return Verdict("", (*reasons, "plasmacytoma not measured"), (*lacking, "plasmacytoma_size"))
        if share < v["partial_fall"] - v["tolerance"]:
            return Verdict("SD", (*reasons, "plasmacytoma has not shrunk by half"), lacking)
    return Verdict(found.category, reasons, lacking)
