"""iwCLL 2018: response of chronic lymphocytic leukemia by nodes, organs, lymphocytes (group A) and counts (group B)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from vein2vein.clinic import words
from vein2vein.clinic.response.disease_chart import NAN, Verdict, Visit, fell, known, lowest, rose, spleen_grew

CATEGORIES = words.lineages()["cll"].categories
Limits = Mapping[str, float]
READS = (
    "largest_node", "sum_product_diameters", "spleen_length", "liver_enlarged", "liver_size", "constitutional_symptoms",
    "lymphocytes", "platelets", "hemoglobin", "marrow_cll", "marrow_normocellular", "marrow_cll_percent",
    "red_cell_transfusion", "cytopenia_other_cause", "new_lesion", "mrd", "mrd_blood",
)  # fmt: skip
HIDDEN = "what was measured before and not now may have grown: progression is not excluded"
UNTREATED = "a fall of counts is progression only if it is due to the disease"


def judge(baseline: Visit, earlier: Sequence[Visit], visit: Visit, v: Limits) -> Verdict:
    """Category of a visit, given the baseline and all earlier visits (the baseline is the first of them)."""
    told, doubtful = _progressed(baseline, earlier, visit, v)
    if told:
        return Verdict("PD", told)
    complete, against, unknown = _complete(baseline, visit, v)
    if doubtful:
        return Verdict("", (*doubtful, UNTREATED), ("cytopenia_other_cause",))
    if complete and not unknown:
        short = _cytopenias(visit, v)
        if short is None:
            return Verdict(
                "", ("complete but for the counts, which are unknown",), ("platelets", "hemoglobin", "marrow_cll")
            )
        return Verdict("CRi", short) if short else Verdict("CR", ("no disease, counts recovered",))
    better, abnormal, missing_a = _group_a(baseline, visit, v)
    needed = min(v["group_a_needed"], max(len(abnormal), 1))
    group_b, missing_b = _group_b(baseline, visit, v)
    if not abnormal and not any(known(value) for value in visit.values.values()):
        return Verdict("", ("nothing was assessed",), tuple(READS[:1]))
    unseen = _unseen(earlier, visit, v)
    if len(better) >= needed and group_b:
        lacking = dict.fromkeys((*(unknown if complete else ()), *unseen))
        return Verdict("PR", (*better, *group_b), tuple(lacking))
    if len(better) + len(missing_a) >= needed and (group_b or missing_b) and (missing_a or missing_b):
        return Verdict("", (*better, *group_b), tuple(dict.fromkeys((*missing_a, *missing_b, *unseen))))
    if unseen:
        return Verdict("", (*better, *group_b, HIDDEN), unseen)
    return Verdict("SD", (*better, *group_b, *against) or ("neither response nor progression",))


def _nodes(visit: Visit) -> tuple[float, float]:
    """Largest diameter and sum of products, from the table of lesions or the two items."""
    sizes = [one for one in visit.lesions.values() if one.site == "node"]
    if not sizes:
        return visit["largest_node"], visit["sum_product_diameters"]
    return max(one.longest for one in sizes), sum(one.product for one in sizes)


def _node_growth(earlier: Sequence[Visit], visit: Visit, v: Limits) -> tuple[str, ...]:
    """Reasons for progression by nodes: each node by its longest diameter, the largest one, or the sum of products."""
    up, least = v["progression_rise"] - v["tolerance"], v["normal_node"]
    for name, one in visit.lesions.items():
        before = lowest([past.lesions[name].longest for past in earlier if name in past.lesions])
        if one.site == "node" and one.longest >= least and rose(before, one.longest) >= up:
            return (f"node {name} grew from {before:g} to {one.longest:g} cm",)
    largest, sums = _nodes(visit)
    if not largest >= least and not (not known(largest) and sums >= least**2):
        return ()
    if rose(lowest([_nodes(past)[1] for past in earlier]), sums) >= up:
        return ("nodes up by half",)
    before = lowest([past["largest_node"] for past in earlier])
    if not visit.lesions and rose(before, visit["largest_node"]) >= up:
        return (f"largest node grew from {before:g} to {visit['largest_node']:g} cm",)
    return ()


def _unseen(earlier: Sequence[Visit], visit: Visit, v: Limits) -> tuple[str, ...]:
    """Nodes that were measured before, and a spleen or lymphocytes that were high, and are not known now: what of them
    may have grown unseen.
    """
    told: list[str] = []
    sizes = [_nodes(past) for past in earlier]
    if any(known(one) for size in sizes for one in size) and not any(
        known(lowest([size[which] for size in sizes])) and known(_nodes(visit)[which]) for which in (0, 1)
    ):
        told.append("sum_product_diameters" if known(lowest([sums for _, sums in sizes])) else "largest_node")
    for name, normal in (("spleen_length", v["normal_spleen"]), ("lymphocytes", v["normal_lymphocytes"])):
        if not known(visit[name]) and any(past[name] >= normal for past in earlier):
            told.append(name)
    return tuple(told)


def _progressed(
    baseline: Visit, earlier: Sequence[Visit], visit: Visit, v: Limits
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Reasons for progression, and falls of counts whose cause is unknown."""
    told: list[str] = []
    slack = v["tolerance"]
    up = v["progression_rise"] - slack
    if visit.yes("new_lesion"):
        told.append("new lesion")
    for name, one in visit.lesions.items():
        fresh = one.new or not any(name in past.lesions for past in earlier)
        if fresh and one.longest >= v["normal_node"]:
            told.append(f"new node {name} of {one.longest:g} cm")
    told += _node_growth(earlier, visit, v)
    lengths = lowest([past["spleen_length"] for past in earlier])
    if spleen_grew(
        lengths, visit["spleen_length"], v["normal_spleen"], v["progression_rise"] - slack, v["spleen_rise"]
    ):
        told.append(f"spleen grew to {visit['spleen_length']:g} cm")
    if rose(lowest([past["liver_size"] for past in earlier]), visit["liver_size"]) >= up:
        told.append("liver up by half")
    count = visit["lymphocytes"]
    if count >= v["progression_lymphocytes"] and rose(lowest([p["lymphocytes"] for p in earlier]), count) >= up:
        told.append(f"lymphocytes rose to {count:g}")
    if (
        visit.yes("marrow_cll")
        and rose(lowest([p["marrow_cll_percent"] for p in earlier]), visit["marrow_cll_percent"]) >= up
    ):
        told.append("CLL cells of marrow up by half")
    falls: list[str] = []
    if fell(baseline["platelets"], visit["platelets"]) >= v["platelet_fall"] - slack:
        falls.append("platelets down by half")
    if baseline["hemoglobin"] - visit["hemoglobin"] >= v["hemoglobin_fall"] - slack:
        falls.append("hemoglobin down by 2 g/dL or more")
    if visit.no("cytopenia_other_cause"):
        return (*told, *falls), ()
    return tuple(told), () if visit.yes("cytopenia_other_cause") else tuple(falls)


def _complete(baseline: Visit, visit: Visit, v: Limits) -> tuple[bool, tuple[str, ...], tuple[str, ...]]:
    """Whether nothing known speaks against complete response, what does, and what it still needs."""
    largest, _ = _nodes(visit)
    facts = {
        "largest_node": (largest, largest < v["normal_node"], "a node of normal size is exceeded"),
        "spleen_length": (visit["spleen_length"], visit["spleen_length"] < v["normal_spleen"], "the spleen is large"),
        "liver_enlarged": (visit["liver_enlarged"], visit.no("liver_enlarged"), "the liver is large"),
        "constitutional_symptoms": (
            visit["constitutional_symptoms"], visit.no("constitutional_symptoms"), "constitutional symptoms",
        ),
        "lymphocytes": (visit["lymphocytes"], visit["lymphocytes"] < v["normal_lymphocytes"], "lymphocytes are high"),
        "marrow_cll": (visit["marrow_cll"], visit.no("marrow_cll"), "CLL cells in marrow"),
    }  # fmt: skip
    against = tuple(text for value, met, text in facts.values() if known(value) and not met)
    unknown = tuple(name for name, (value, _, _) in facts.items() if not known(value))
    return not against, against, unknown


def _transfused(visit: Visit) -> bool:
    return visit.yes("red_cell_transfusion")


def _cytopenias(visit: Visit, v: Limits) -> tuple[str, ...] | None:
    """What keeps a complete response incomplete; None where the counts are not known."""
    told: list[str] = []
    if visit["platelets"] < v["platelets"]:
        told.append("platelets below 100")
    if visit["hemoglobin"] < v["hemoglobin"] or _transfused(visit):
        told.append("hemoglobin below 11 or transfused")
    if visit.no("marrow_normocellular"):
        told.append("marrow is hypocellular")
    if told:
        return tuple(told)
    complete = known(visit["platelets"]) and known(visit["hemoglobin"])
    return () if complete else None


def _group_a(baseline: Visit, visit: Visit, v: Limits) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
    """Parameters of group A that improved by half, those abnormal at baseline, and those not measured now."""
    normal, slack = v["normal_spleen"], v["tolerance"]
    excess, now = baseline["spleen_length"] - normal, visit["spleen_length"] - normal
    (largest, sums), (largest_now, sums_now) = _nodes(baseline), _nodes(visit)
    shrunk = fell(sums, sums_now) if known(sums) else fell(largest, largest_now)
    liver = fell(baseline["liver_size"], visit["liver_size"])
    if not known(liver) and known(visit["liver_enlarged"]):
        liver = 1.0 if visit.no("liver_enlarged") else 0.0
    parameters = {
        "sum_product_diameters": (largest >= v["normal_node"] or sums > 0, shrunk, "nodes"),
        "spleen_length": (excess > 0, fell(excess, max(now, 0.0)) if known(now) else NAN, "spleen"),
        "liver_size": (baseline.yes("liver_enlarged") or baseline["liver_size"] > 0, liver, "liver"),
        "lymphocytes": (
            baseline["lymphocytes"] >= v["normal_lymphocytes"],
            fell(baseline["lymphocytes"], visit["lymphocytes"]),
            "lymphocytes",
        ),
    }
    abnormal = tuple(name for name, (was, _, _) in parameters.items() if was)
    better = tuple(
        f"{text} down {100 * share:.0f} %"
        for was, share, text in parameters.values()
        if was and share >= v["partial_fall"] - slack
    )
    missing = tuple(
        "largest_node" if name == "sum_product_diameters" and not known(sums) else name
        for name, (was, share, _) in parameters.items()
        if was and not known(share)
    )
    return better, abnormal, missing


def _group_b(baseline: Visit, visit: Visit, v: Limits) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Counts that are good or have recovered, and those not measured."""
    told: list[str] = []
    missing: list[str] = []
    for name in ("platelets", "hemoglobin"):
        now, supported = visit[name], name == "hemoglobin" and _transfused(visit)
        if not known(now):
            missing.append(name)
        elif not supported and (now >= v[name] or rose(baseline[name], now) >= v["recovery"] - v["tolerance"]):
            told.append(f"{name} {now:g}")
    return tuple(told), () if told else tuple(missing)
