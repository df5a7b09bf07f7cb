"""Lugano 2014: response of lymphoma lesion by lesion, by PET where a Deauville score was read, else by CT."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from vein2vein.clinic import words
from vein2vein.clinic.response.disease_chart import NAN, Lesion, Verdict, Visit, fell, known, rose, spleen_grew

CATEGORIES = words.lineages()["lymphoma"].categories
Limits = Mapping[str, float]
READS = (
    "deauville", "fdg_change", "new_fdg_lesion", "new_lesion", "nontarget_progression", "marrow_involved",
    "spleen_length", "sum_product_diameters",
)  # fmt: skip


def judge(baseline: Visit, earlier: Sequence[Visit], visit: Visit, v: Limits) -> Verdict:
    """Category of a visit, given the baseline and all earlier visits (the baseline is the first of them)."""
    if known(visit["deauville"]):
        return _by_pet(baseline, earlier, visit, v)
    return _by_ct(baseline, earlier, visit, v)


def _by_pet(baseline: Visit, earlier: Sequence[Visit], visit: Visit, v: Limits) -> Verdict:
    score = visit["deauville"]
    if visit.yes("new_fdg_lesion"):
        return Verdict("PD", ("new FDG-avid lesion",))
    if score <= v["complete_deauville"] and not visit.yes("marrow_involved"):
        return Verdict("CR", (f"Deauville {score:g}; a residual mass is allowed",))
    if score <= v["complete_deauville"]:
        return Verdict("PR", (f"Deauville {score:g}, but the marrow is involved",))
    change = visit["fdg_change"]
    if known(change):
        category = "PD" if change > 0 else "PR" if change < 0 else "SD"
        words = {"PD": "increased", "PR": "reduced", "SD": "unchanged"}[category]
        return Verdict(category, (f"Deauville {score:g}, uptake {words}",))
    if score < baseline["deauville"]:
        return Verdict("PR", (f"Deauville {score:g} after {baseline['deauville']:g}: uptake reduced",))
    grown = _grown(baseline, earlier, visit, v)
    if grown:
        return Verdict("PD", (f"Deauville {score:g}", *grown))
    share, missing = _shrunk(baseline, visit, v)
    if share >= v["partial_fall"] - v["tolerance"]:
        return Verdict("PR", (f"Deauville {score:g}, sum of products down {100 * share:.0f} %",))
    if known(share):
        return Verdict("SD", (f"Deauville {score:g}, size neither half nor grown",), ("fdg_change",))
    return Verdict("", (f"Deauville {score:g}: change of uptake and size unknown",), ("fdg_change", *missing))


def _by_ct(baseline: Visit, earlier: Sequence[Visit], visit: Visit, v: Limits) -> Verdict:
    grown = _grown(baseline, earlier, visit, v)
    if grown:
        return Verdict("PD", grown)
    share, missing = _shrunk(baseline, visit, v)
    if not known(share):
        return Verdict("", ("targets not measured",), missing)
    targets = [visit.lesions[name] for name in _targets(baseline, v)]
    normal = all(
        lesion.longest <= v["normal_node"] if lesion.site == "node" else lesion.longest == 0 for lesion in targets
    )
    normal = normal if targets else visit["sum_product_diameters"] == 0
    spleen, before = visit["spleen_length"], baseline["spleen_length"]
    enlarged = before > v["normal_spleen"]
    half = share >= v["partial_fall"] - v["tolerance"] or normal
    told = f"sum of products down {100 * share:.0f} %" if share >= 0 else f"sum of products up {-100 * share:.0f} %"
    if not half:
        return Verdict("SD", (told,))
    if enlarged and not known(spleen):
        return Verdict("", (told, "spleen was enlarged and was not measured"), ("spleen_length",))
    if enlarged and not before - spleen > v["spleen_share"] * (before - v["normal_spleen"]):
        return Verdict("SD", (told, "spleen has not lost half of its excess length"))
    if not normal or spleen > v["normal_spleen"]:
        return Verdict("PR", (told,))
    if visit.yes("marrow_involved"):
        return Verdict("PR", (told, "marrow is involved"))
    if baseline.yes("marrow_involved") and not visit.no("marrow_involved"):
        return Verdict(
            "", (told, "complete by size; the marrow was involved and was not examined again"), ("marrow_involved",)
        )
    return Verdict("CR", ("all targets of normal size",))


def _targets(baseline: Visit, v: Limits) -> list[str]:
    """Names of the target lesions: the largest at baseline, at most six."""
    named = [lesion for lesion in baseline.lesions.values() if lesion.target and known(lesion.product)]
    return [lesion.name for lesion in sorted(named, key=lambda one: -one.product)[: int(v["most_targets"])]]


def _shrunk(baseline: Visit, visit: Visit, v: Limits) -> tuple[float, tuple[str, ...]]:
    """Share by which the sum of products fell since baseline, and what is missing for it."""
    names = _targets(baseline, v)
    if not names:
        share = fell(baseline["sum_product_diameters"], visit["sum_product_diameters"])
        return share, () if known(share) else ("sum_product_diameters",)
    absent = tuple(f"lesion {n}" for n in names if n not in visit.lesions or not known(visit.lesions[n].product))
    if absent:
        return NAN, absent
    start = sum(baseline.lesions[name].product for name in names)
    return fell(start, sum(visit.lesions[name].product for name in names)), ()


def _grown(baseline: Visit, earlier: Sequence[Visit], visit: Visit, v: Limits) -> tuple[str, ...]:
    """Reasons for progression by size."""
    told: list[str] = []
    if visit.yes("new_lesion") or visit.yes("new_fdg_lesion"):
        told.append("new lesion")
    if visit.yes("nontarget_progression"):
        told.append("clear progression of non-target lesions")
    for name, lesion in visit.lesions.items():
        limit = v["normal_node"] if lesion.site == "node" else v["normal_extranodal"]
        past = [one.lesions[name] for one in earlier if name in one.lesions and known(one.lesions[name].product)]
        if lesion.new or not any(name in one.lesions for one in earlier):
            if lesion.longest > limit:
                told.append(f"new lesion {name} of {lesion.longest:g} cm")
        elif past and _lesion_grew(min(past, key=lambda one: one.product), lesion, limit, v):
            told.append(f"lesion {name} grew to {lesion.longest:g} x {lesion.shortest:g} cm")
    if not _targets(baseline, v):
        sums = [one["sum_product_diameters"] for one in earlier if known(one["sum_product_diameters"])]
        now = visit["sum_product_diameters"]
        if sums and rose(min(sums), now) >= v["progression_rise"] - v["tolerance"] and now > v["normal_node"] ** 2:
            told.append("sum of products up by half from its lowest")
    lengths = [one["spleen_length"] for one in earlier if known(one["spleen_length"])]
    if lengths and spleen_grew(
        min(lengths), visit["spleen_length"], v["normal_spleen"], v["spleen_share"], v["spleen_rise"]
    ):
        told.append(f"spleen grew to {visit['spleen_length']:g} cm")
    return tuple(told)


def _lesion_grew(nadir: Lesion, now: Lesion, limit: float, v: Limits) -> bool:
    """Whether a lesion is abnormal, its product up by half from the lowest, and a diameter up by the absolute rise."""
    slack = v["tolerance"]
    least = v["small_rise"] if nadir.longest <= v["small_lesion"] else v["large_rise"]
    wider = max(now.longest - nadir.longest, now.shortest - nadir.shortest) >= least - slack
    return now.longest > limit and rose(nadir.product, now.product) >= v["progression_rise"] - slack and wider
