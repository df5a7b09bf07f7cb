"""Write the published rows of the bundled trial files from the table of published outcomes.

    python qualification/published_rows.py ../shared/trials

What stands above the line "# The published numbers" in each file of src/vein2vein/trials/cards is written by hand
and kept; what stands below is made anew: every outcome of calibration.csv, with tolerances where scored.csv lists it.
ELIANA's own rows are kept as they are; its scored rows get their tolerances.
"""

from __future__ import annotations

import csv
import json
import re
import sys
from pathlib import Path

from vein2vein.files import write_text

TRIALS = Path(__file__).resolve().parents[1] / "src/vein2vein/trials/cards"
MARK = "# The published numbers. An empty endpoint: the journey cannot produce this number (see its reason).\n"
FILES = {
    "JULIET": "juliet", "ZUMA-1 ": "zuma_1", "ZUMA-3": "zuma_3", "TRANSCEND NHL": "transcend", "KarMMa (": "karmma",
    "CARTITUDE-1": "cartitude_1", "Seattle": "seattle", "MSK 19-28z": "park_2018", "Fludarabine": "fabrizio_2022",
    "Multicentre": "lamble_2023", "ZUMA-2": "zuma_2", "FELIX": "felix", "TRANSCEND CLL": "cll_004", "ZUMA-7": "zuma_7",
    "KarMMa-3": "karmma_3",
}  # fmt: skip
SOURCES = {
    "Westin 2023 CCR": "westin_2023_age", "Wang 2020": "wang_2020", "Wang 2023": "wang_2023",
    "s41409-025-02599-x": "mcl_review_2025", "haematologica.org/article/view/13081": "felix_burden",
    "month-3 persistence": "felix_persistence", "Roddie 2024": "roddie_2024", "obe-cel-in-r-r-b-all": "felix_post_hoc",
    "sohoinsider": "felix_post_hoc", "PMC10873054": "early_line_tables_2024", "Ailawadhi 2024": "ailawadhi_2024",
    "karmma3": "ailawadhi_2024", "Rodriguez-Otero 2023": "rodriguez_otero_2023", "Siddiqi 2022": "siddiqi_2022",
    "Siddiqi 2023": "siddiqi_2023", "ASCO 2024": "cll_004_update", "ecancer": "siddiqi_2023",
    "behind-the-fda-approval-of-liso-cel": "siddiqi_2023", "yescartahcp": "yescarta_page",
    "bloodadvances/article-split/8/11/2982": "zuma_7_next_line",
    "Locke 2024": "locke_2024", "Locke 2022 NEJM": "locke_2022_zuma_7", "tecartus.com": "tecartus_page",
    "Schuster 2019": "schuster_2019", "study.space": "schuster_2019", "Schuster 2021": "schuster_2021",
    "Awasthi": "awasthi_2020", "3/14/2230": "bishop_2019", "docwirenews": "kymriah_label_2018",
    "Neelapu 2023": "neelapu_2023", "hematologyadvisor.com/home/topics/lymphoma/lymphoma-lbcl": "neelapu_2023",
    "Neelapu 2021": "neelapu_2021", "Shah 2021": "shah_2021", "s13045-022": "shah_2022",
    "Abramson 2020": "abramson_2020",
    "massgeneral": "abramson_2020", "jnjmedicalconnect": "carvykti_pages", "janssenscience": "carvykti_pages",
    "view-large/11527903": "ash_tables", "view-large/12047666": "ash_tables", "view-large/10062344": "ash_tables",
    "Liang 2023": "liang_2023", "Park 2018": "park_2018", "Turtle 2016 JCI": "turtle_2016_all",
    "Turtle 2016 STM": "turtle_2016_nhl", "Turtle 2017": "turtle_2017", "PMC5852291": "locke_2017",
    "Juluri": "juluri_2022", "PMC8153820": "pmc_8153820", "PMC6466472": "review_2019",
    "Yescarta": "yescarta_label_2017",
    "eviq": "eviq_tisagenlecleucel", "tecartushcp": "tecartus_page", "Hay 2017": "hay_2017",
    "Fabrizio": "fabrizio_2022", "Hill 2019": "hill_2019", "Lamble": "lamble_2023", "Plaks": "plaks_2021",
    "Neelapu 2017": "neelapu_2017", "PMC9295142": "locke_2022", "PMC9290945": "ajh_review_2021",
    "rcpjournals": "rcp_review", "Tecartus": "tecartus_page", "Breyanzi": "breyanzi_label", "Abecma": "munshi_2021",
    "Berdeja": "berdeja_2021", "Schuster 2020": "schuster_2020", "Kymriah": "kymriah_label_2018",
    "Maziarz": "maziarz_2020", "Schuster ASH 2017": "schuster_2017", "cohort 6": "locke_2019",
    "Abramson ASH 2024": "abramson_2024", "Ogasawara": "ogasawara_2021", "abecmahcp": "abecma_page",
    "Madduri": "madduri_2020", "21.7-month": "berdeja_2021", "Martin 2022": "martin_2022",
    "Jagannath": "jagannath_2025", "Pennisi": "pennisi_2020",
}  # fmt: skip
STEROIDS = ["dexamethasone", "methylprednisolone"]
COMPLETE = {"zuma_3": ["CR"], "karmma": ["sCR", "CR"], "cartitude_1": ["sCR", "CR"], "karmma_3": ["sCR", "CR"]}
REMISSION = ["CR", "CRh", "CRi"]
RESPONSE = {
    "karmma": ["sCR", "CR", "VGPR", "PR"], "cartitude_1": ["sCR", "CR", "VGPR", "PR"],
    "karmma_3": ["sCR", "CR", "VGPR", "PR"], "cll_004": ["CR", "CRi", "PR"],
}  # fmt: skip
CUTOFFS = {
    ("juliet", "long-term"): "long_term", ("juliet", ""): "primary",
    ("zuma_1", "5-year"): "five_year", ("zuma_1", "2-year"): "two_year", ("zuma_1", ""): "primary",
    ("zuma_3", "2-year"): "two_year", ("zuma_3", ""): "primary",
    ("transcend", "final"): "final", ("transcend", ""): "primary",
    ("karmma", ""): "primary", ("cartitude_1", "12.4"): "first", ("cartitude_1", "27.7"): "third",
    ("cartitude_1", "61.3"): "final", ("cartitude_1", ""): "second", ("seattle", ""): "cll",
    ("park_2018", ""): "only", ("fabrizio_2022", ""): "only", ("lamble_2023", ""): "only",
    ("zuma_2", "3-year"): "third", ("zuma_2", ""): "primary", ("felix", ""): "only", ("cll_004", ""): "only",
    ("zuma_7", ""): "primary", ("karmma_3", ""): "final",
}  # fmt: skip
SEATTLE = {
    "CLL": ["cll"], "B-ALL first": ["b_all", "b_all_cy"], "NHL Cy/Flu": ["nhl"], "NHL Cy without": ["nhl_cy"],
}  # fmt: skip
NOT_SIMULATED = "not simulated, or not defined closely enough to be computed"
SUBSET = "a subset of the patients that the trial file does not describe"
CELLS = {"zuma_7": "axi_cel", "karmma_3": "ide_cel"}
STANDARD = {"zuma_7": "standard_care", "karmma_3": "standard_regimens"}
INFECTIONS = {"zuma_2": "12 months", "cll_004": "90 days"}  # window of severe infections
BY_BURDEN: dict[str, dict[str, object]] = {
    "EFS_HR_highMTV": {"endpoint": "efs_second_line_by_burden", "highest": 0.5},
    "PFS_HR_highMTV": {"endpoint": "hazard_by_burden", "event": "PFS", "highest": 0.5},
}
NEW = ("zuma_2", "felix", "cll_004", "zuma_7", "karmma_3")


def endpoint_of_new(file: str, row: dict[str, str]) -> dict[str, object]:
    """The endpoint of a row of the five trials added last: what they ask of ``endpoint`` and more."""
    q, d, arm = row["quantity"], row["definition"], row["arm"]
    standard = arm.startswith(("SOC", "standard"))
    if q in BY_BURDEN and arm.startswith("axi-cel"):
        return BY_BURDEN[q] | {"arms": [CELLS[file]], "among": "enrolled", "cutoff": "primary"}
    if "landmark" in arm or "MTV" in arm or "double-refractory" in row["population"]:
        return {"endpoint": "", "reason": SUBSET}
    if ("age>=65" in arm and (standard or q == "EFS_HR")) or (standard and q.endswith("_2lines")):
        return {"endpoint": "", "reason": "the comparator is published for all of its patients together"}
    if q.startswith(("steroid_use_", "vasopressor")):
        return {"endpoint": "", "reason": "treatments are not told apart by what they were given for"}
    found = _of_new(file, q, d)
    if not found:
        found = endpoint(file, row)
    if not found["endpoint"]:
        return found
    if q == "infection_ge3_rate":
        found |= {"until": INFECTIONS[file]}
    if q == "NT_duration_median" and file == "zuma_2":
        found |= {"until": "600 days"}
    if file == "felix":
        low, high = arm.startswith("low tumour"), arm.startswith("high tumour")
        found |= {"blasts_below": 20.0} if low else {"blasts_from": 20.0} if high else {}
        found |= {"blasts_from": 5.0} if arm == "FDA efficacy set" else {}
        found |= {"censor_transplant": False} if q.startswith("OS") else {}
    if file == "cll_004" and arm.startswith("DL2"):
        found |= {"arms": ["dl2"]}
    if file in CELLS and "arms" not in found:
        found |= {"arms": [STANDARD[file] if standard else CELLS[file]]}
        of_all = ("survival", "efs_second_line", "responded", "not_infused", "crossed_over", "age", "prior_lines")
        found |= {"among": "enrolled"} if found["endpoint"] in of_all else {}
        found |= {"age_from": 65} if "age>=65" in arm else {}
        found |= {"lines_from": 2, "lines_to": 2} if q.endswith("_2lines") else {}
    return found


def _of_new(file: str, q: str, d: str) -> dict[str, object]:
    """What the five trials call otherwise; {}: as the others do."""
    if file == "zuma_7" and q in ("EFS_rate", "EFS_median"):
        return {
            "endpoint": "efs_second_line", "cutoff": "primary",
            **({"time": "24 months"} if q == "EFS_rate" else {}),
        }  # fmt: skip
    if q == "EFS_HR" and file == "zuma_7":
        both = [CELLS[file], STANDARD[file]]
        return {"endpoint": "efs_second_line_between_arms", "against": STANDARD[file], "arms": both,
                "among": "enrolled", "cutoff": "primary"}  # fmt: skip
    if q in ("PFS_HR", "OS_HR") and file in CELLS:
        both = [CELLS[file], STANDARD[file]]
        return {"endpoint": "hazard_between_arms", "event": q.split("_")[0], "against": STANDARD[file], "arms": both,
                "among": "enrolled", "cutoff": "final"}  # fmt: skip
    if q == "PFS_median_2lines":
        return {"endpoint": "survival", "event": "PFS", "cutoff": "final"}
    if q == "OS_median" and file == "karmma_3":
        return {"endpoint": "survival", "event": "OS", "cutoff": "final"}
    if q == "DOR_median" and file == "felix":
        return {"endpoint": "survival", "event": "DOR", "cutoff": "only"}
    if q == "crossover_rate":
        return {"endpoint": "crossed_over"}
    if q == "ongoing_response_rate":
        return {"endpoint": "ongoing_response", "cutoff": "primary"}
    if q == "CRi_rate" or (q == "MRD_neg_rate" and file in ("zuma_2", "karmma_3")):
        return {"endpoint": "", "reason": NOT_SIMULATED}
    if q == "CR_CRi_rate" and file == "cll_004":
        return {"endpoint": "responded", "responses": ["CR", "CRi"]}
    if q == "CR_rate" and d == "CR within 3 months":
        return {"endpoint": "responded", "responses": ["CR"], "response_by": "100 days"}
    if q in ("SD_rate", "PD_rate", "PR_rate"):
        return {"endpoint": "best_response", "responses": [q[:2]]}
    if q == "CRS_resolution_median":
        return {"endpoint": "crs_duration", "grade": 1}
    if q == "NT_resolution_median":
        return {"endpoint": "neurologic_duration", "grade": 1}
    if q == "time_apheresis_to_infusion_median":
        return {"endpoint": "enrollment_to_infusion", "kind": "design"}
    return {}


def endpoint(file: str, row: dict[str, str]) -> dict[str, object]:
    """The endpoint of a row and its arguments; an empty one with a reason where there is none."""
    q, d, arm = row["quantity"], row["definition"], row["arm"]
    months = re.match(r"t=(\d+)mo", d)
    time = {"time": f"{months.group(1)} months"} if months else {}
    cut = next((c for (f, part), c in CUTOFFS.items() if f == file and part in arm), "")
    if file == "karmma" and q == "OS_median":
        cut = "long"
    survival = {"endpoint": "survival", **time, "cutoff": cut}
    scale = "penn" if "Penn" in d else "lee2014" if "Lee" in d else "astct" if "ASTCT" in d else ""
    scaled = {"scale": scale} if scale else {}
    if "PFS" in q or "DOR" in q or "RFS" in q or "EFS" in q or q.startswith("OS"):
        special = any(w in d for w in ("CR", "R-ISS", "plasmacytoma", "cytogenetics", "MRD", "stringent", "very good"))
        known = re.match(r"(OS|PFS|DOR|RFS|EFS)_(rate|median)$", q)
        if known and not special and "complete responders" not in d and "CR before" not in arm:
            return {**survival, "event": known.group(1)}
        return {"endpoint": "", "reason": NOT_SIMULATED}
    if "CR before" in arm or arm == "phase 1" or "FDA label cohort" in arm:
        return {"endpoint": "", "reason": "a subset of the patients that the trial file does not describe"}
    if q in ("CR_CRi_rate",) or (q == "CR_rate" and file in ("park_2018", "fabrizio_2022")):
        return {"endpoint": "responded", "responses": REMISSION}
    if q == "CR_rate" and "B-ALL" in arm:
        return {"endpoint": "responded", "responses": REMISSION}
    if q == "CR_rate":
        return {"endpoint": "responded", "responses": COMPLETE.get(file, ["CR"])}
    if q == "sCR_rate":
        return {"endpoint": "responded", "responses": ["sCR"]}
    if q == "VGPR_or_better_rate":
        more = {"among": "enrolled"} if "enrolled" in d else {}
        return {"endpoint": "responded", "responses": ["sCR", "CR", "VGPR"], **more}
    if q == "ORR" and d == "IMWG" and row["n"] not in ("97", "128"):
        return {"endpoint": "", "reason": "a subset of the patients that the trial file does not describe"}
    if q == "ORR":
        return {"endpoint": "responded", "responses": RESPONSE.get(file, ["CR", "PR"])}
    if q == "MRD_neg_rate":
        return {"endpoint": "mrd_negative", "among": "responders"}
    if q == "MRD_neg_rate_in_responders":
        return {"endpoint": "mrd_negative", "among": "responders"}
    if q == "CRS_ge3_rate" and "MSK" in d:
        return {"endpoint": "crs_organ_support", "scale": "astct", "vasopressor_days": 1, "device": "high-flow cannula"}
    if q in ("CRS_any_rate", "CRS_ge3_rate"):
        return {"endpoint": "crs", **scaled, "grade": 1 if "any" in q else 3}
    if match := re.match(r"CRS_grade(\d)_rate", q):
        if match.group(1) == "5":
            return {"endpoint": "", "reason": "deaths from cytokine release syndrome are not graded apart"}
        return {"endpoint": "crs_highest", "grade": int(match.group(1))}
    if q == "CRS_onset_median":
        return {"endpoint": "crs_onset", "grade": 1}
    if q == "CRS_duration_median":
        return {"endpoint": "crs_duration", "grade": 1}
    if q in ("NT_any_rate", "NT_ge3_rate") and "CRES" not in d and "FDA" not in d and "regrading (50" not in d:
        return {"endpoint": "icans" if "ICANS" in d else "neurologic_event", "grade": 1 if "any" in q else 3}
    if q == "NT_onset_median":
        return {"endpoint": "neurologic_onset", "grade": 1}
    if q == "NT_duration_median" and "resolved" not in d and "ongoing" not in d:
        return {"endpoint": "neurologic_duration", "grade": 1}
    if q in ("tocilizumab_use", "steroid_use"):
        return {"endpoint": "given", "treatments": ["tocilizumab"] if q.startswith("toc") else STEROIDS}
    if q == "vasopressor_use":
        return {"endpoint": "high_dose_vasopressor", "norepinephrine": 20}
    if match := re.match(r"(neutropenia|thrombocytopenia)_(d28|d30|m3)_ge3_rate", q):
        day = {"d28": 28, "d30": 30, "m3": 91}[match.group(2)]
        return {"endpoint": "cytopenia", "lines": [match.group(1)], "day": day, "grade": 3}
    if match := re.match(r"cytopenia_(d28|d29|d30)_ge3_rate", q):
        return {"endpoint": "cytopenia", "lines": ["neutropenia", "thrombocytopenia"], "day": int(match.group(1)[1:]),
                "grade": 3}  # fmt: skip
    if match := re.match(r"(neutrophil|platelet)_recovery_d28_rate", q):
        line = match.group(1) + "s"
        return {"endpoint": "count_recovered", "line": line, "above": 0.5 if line == "neutrophils" else 50, "day": 28}
    if q == "Bcell_detectable_rate":
        return {"endpoint": "b_cells_detectable", "day": "36 months", "statistic": "mean", "draw": 33}
    if q == "Bcell_aplasia_rate":
        return {"endpoint": "in_b_cell_aplasia", "day": "6 months", "statistic": "mean", "among": "durable_responders"}
    if q == "IgG_change":
        return {"endpoint": "igg_change", "from_day": 90, "until": "24 months", "statistic": "mean",
                "among": "durable_responders"}  # fmt: skip
    if q == "relapse_rate":
        return {"endpoint": "relapsed", "antigen": "any", "before_transplant": False, "cutoff": cut}
    if match := re.match(r"relapse_CD19(neg|pos)_fraction", q):
        return {"endpoint": "relapsed", "antigen": {"neg": "negative", "pos": "positive"}[match.group(1)],
                "before_transplant": False, "among": "relapsed"}  # fmt: skip
    if q == "HR_CIR_lowFluAUC":
        return {"endpoint": "relapse_by_fludarabine", "lowest": 0.5, "draw": 131, "cutoff": cut}
    if q == "HR_CIR_highburden":
        return {"endpoint": "relapse_by_burden", "above": 5, "draw": 131, "cutoff": cut}
    if q.startswith("pop_Cmax"):
        return {"endpoint": "cmax", "statistic": "geometric mean"}
    if q == "pop_Tmax":
        return {"endpoint": "tmax", "statistic": "geometric mean"}
    if q in ("Tmax_median", "Tmax_typical"):
        return {"endpoint": "tmax"}
    kinetic = {"doubling_time": "doubling_time", "halflife_initial": "half_life_contraction",
               "halflife_terminal": "half_life_terminal"}  # fmt: skip
    if q in kinetic:
        return {"endpoint": kinetic[q]}
    among = {} if "PK" not in arm else {"among": "non_responders"} if re.search("non-resp|SD/PD", arm) else {}
    if "PK, responders" in arm or "PK, CR" in arm or arm == "label PK, responders":
        among = {"among": "responders"}
    if q in ("Cmax_mean", "AUC0_28d_mean"):
        return {"endpoint": "cmax" if q[0] == "C" else "auc_0_28", "statistic": "mean"}
    if q in ("Cmax_gmean", "AUC0_28d_gmean"):
        return {"endpoint": "cmax" if q[0] == "C" else "auc_0_28", "statistic": "geometric mean", **among}
    if q in ("Cmax_median", "AUC0_28d_median"):
        return {"endpoint": "cmax" if q[0] == "C" else "auc_0_28", **among}
    if q in ("Cmax_median_cells", "AUC0_28d_median_cells"):
        return {"endpoint": "cmax_cells" if q[0] == "C" else "auc_0_28_cells", **among}
    if q == "halflife_mean":
        return {"endpoint": "half_life_last", "least_fit": 0.8, "statistic": "mean"}
    if q == "infection_ge3_rate":
        return {"endpoint": "infection", "severe": True}
    if q == "CRS_resolved_rate":
        return {"endpoint": "crs_resolved", "among": "crs"}
    if q == "death_rate":
        return {"endpoint": "died", "until": "63 months"} if False else {"endpoint": "", "reason": NOT_SIMULATED}
    if q == "death_year1_rate":
        return {"endpoint": "died", "until": "12 months"}
    if q == "oxygen_use":
        return {"endpoint": "oxygen", "device": "nasal cannula"}
    if q == "intubation_rate":
        return {"endpoint": "oxygen", "device": "ventilator"}
    if q == "n_mfg_failure":
        return {"endpoint": "not_infused", "reasons": ["manufacturing failure"], "among": "enrolled"}
    design = {"age_median": "age", "prior_lines_median": "prior_lines"}
    if q in design:
        return {"endpoint": design[q], "kind": "design"}
    if re.match(
        r"(n_|dose|LD_|followup|bridging|prior|age|stage|double|CD19_pos|transf|refr|primary_refr|chemo|bm_)", q
    ) or re.search(r"refractory|EMD|cytogenetics|time_", q):
        return {"endpoint": "", "reason": "describes who was treated and how", "kind": "design"}
    return {"endpoint": "", "reason": NOT_SIMULATED}


def text(row: dict[str, str], fields: dict[str, object], source: str) -> str:
    """One [[published]] table."""
    lines = ["[[published]]"]
    lines += [f"{name} = {json.dumps(row[name], ensure_ascii=False)}" for name in ("arm", "quantity", "definition")
              if row[name]]  # fmt: skip
    lines += [f"{name} = {row[name]}" for name in ("value", "lo95", "hi95") if row[name]]
    lines += [f"spread = {json.dumps(row['spread'], ensure_ascii=False)}"] if row["spread"] else []
    lines += [f"n = {row['n']}"] if row["n"] else []
    lines.append(f"unit = {json.dumps(row['unit'])}")
    where = row["source"].replace(" [from memory, verify]", "")
    lines += [f'source = "{source}"', f"where = {json.dumps(where, ensure_ascii=False)}"]
    lines.append(f'confidence = "{row["confidence"]}"')
    lines += [f"{name} = {json.dumps(value)}" for name, value in fields.items()]
    return "\n".join(lines) + "\n\n"


def key(row: dict[str, str]) -> tuple[str, ...]:
    """What names a row of the tables."""
    return tuple(row[name] for name in ("trial", "arm", "product", "disease", "population", "quantity", "definition"))


def main(folder: Path) -> None:
    """Rewrite the published rows of every trial file."""
    with open(folder / "calibration.csv", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    with open(folder / "scored.csv", encoding="utf-8") as file:
        scored = {(*key(row), float(row["value"])): row for row in csv.DictReader(file)}
    from vein2vein.trials.published import UNITS

    for part, name in FILES.items():
        path = TRIALS / f"{name}.toml"
        if not path.exists():
            continue
        head = path.read_text(encoding="utf-8").split(MARK)[0]
        body = ""
        for row in (r for r in rows if r["trial"].startswith(part)):
            fields = endpoint_of_new(name, row) if name in NEW else endpoint(name, row)
            score = scored.get((*key(row), float(row["value"])))
            if row["unit"] not in UNITS:
                if score:
                    raise SystemExit(f"unit {row['unit']} of a scored row")
                continue
            if name == "seattle" and fields["endpoint"]:
                arms = next((arms for part_, arms in SEATTLE.items() if row["arm"].startswith(part_)), None)
                fields |= {"arms": arms} if arms else {}
            if name == "karmma" and row["arm"] == "450e6" and fields["endpoint"]:
                fields["arms"] = ["450e6"]
            if name == "park_2018" and "low burden" in row["arm"]:
                fields["blasts_below"] = 5
            if name == "felix" and "tumour burden" in row["arm"]:
                fields["draw"] = 57 if row["arm"].startswith("low") else 70
            if not row["n"] and fields["endpoint"] and "draw" not in fields:
                fields["draw"] = DRAWS.get((name, row["quantity"][:2]), DRAWS[name])
            if score:
                kind = score["tolerance_kind"]
                fields |= {"tolerance": float(score["tolerance"])} if score["tolerance"] else {}
                fields["tolerance_kind"] = kind
            source = next((value for text_, value in SOURCES.items() if text_ in row["source"]), None)
            if source is None:
                raise SystemExit(f"no key for the source {row['source']}")
            body += text(row, fields, source)
        write_text(path, head + MARK + "\n" + body.rstrip() + "\n", force=True)
    eliana(scored)


DRAWS = {"juliet": 64, "zuma_1": 94, "zuma_3": 55, "transcend": 113, "karmma": 128, "cartitude_1": 97, "seattle": 47,
         ("transcend", "NT"): 81, ("transcend", "OS"): 257, ("transcend", "DO"): 186, ("zuma_1", "NT"): 65,
         "park_2018": 53, "fabrizio_2022": 152, "lamble_2023": 420, "zuma_2": 68, "felix": 127, "cll_004": 117,
         "zuma_7": 170, "karmma_3": 225, ("karmma_3", "PF"): 78}  # fmt: skip
"""Patients drawn where the table gives no number: those with the event, or the trial."""


def eliana(scored: dict[tuple, dict[str, str]]) -> None:
    """Enter the tolerances of the scored rows of ELIANA and ENSIGN."""
    import tomllib

    path = TRIALS / "eliana.toml"
    blocks = path.read_text(encoding="utf-8").split("[[published]]\n")
    wanted = {(k[0], k[1], k[5], k[6], k[7]): row for k, row in scored.items() if "ELIANA" in k[0]}
    for i, block in enumerate(blocks[1:], start=1):
        data = tomllib.loads(block)
        named = (data.get("trial", "ELIANA (NCT02435849)"), data.get("arm", ""), data["quantity"],
                 data.get("definition", ""), float(data["value"]))  # fmt: skip
        row = wanted.pop(named, None)
        if row and "tolerance_kind" not in data:
            body = block.rstrip("\n")
            blocks[i] = (
                f'{body}\ntolerance = {float(row["tolerance"]):g}\ntolerance_kind = "{row["tolerance_kind"]}"\n\n'
            )
    if wanted:
        raise SystemExit(f"not in eliana.toml: {list(wanted)}")
    write_text(path, "[[published]]\n".join(blocks).rstrip("\n") + "\n", force=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
