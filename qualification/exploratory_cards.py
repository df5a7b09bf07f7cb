"""Write the exploratory cards: solid tumors, CD22 and dual products, allogeneic products.

    python qualification/exploratory_cards.py

None of them is calibrated on trials: numbers are those of tisagenlecleucel times the multipliers of section 11 of the
reference model, and the disease numbers of its section 10. Only the kinetics and the cytokines of the CD22 product are
fitted by hand to the patients that qualification/car22.py reads. Run it again after the card of tisagenlecleucel has
changed.
"""

from __future__ import annotations

import tomllib
from pathlib import Path

from vein2vein.files import write_text

ROOT = Path(__file__).resolve().parents[1] / "src/vein2vein/therapy"
EXPLORATORY = "Exploratory: reasoned from the calibrated cards, never calibrated, directional only."
FITTED = "Exploratory: as the calibrated cards, growth and cytokines fitted by hand to 40 patients; directional only."
UNITS = {
    "rho": "1/day", "feng": "fraction", "kap_p": "1/day", "muE": "1/day", "kEM": "1/day", "kEX": "1/day", "yE": "1",
    "yI": "kg*day/megacells", "KCN": "1", "fM": "fraction", "f4": "fraction", "VCN": "1",
    "kR_factor": "1", "CLnr": "L/h", "half_a": "molecules/cell", "half_b": "molecules/cell",
    "kallo": "1/day", "cd52ko": "1", "fb": "fraction",
    "K0": "e6/kg", "f_clon": "fraction", "a_T": "fraction", "g": "1/day", "kap_d": "1", "p_res": "fraction",
    "f_res": "1", "r_res": "1", "f_neg": "fraction", "f_niche": "fraction", "mf": "1", "kzB": "1/day", "B0": "e6/kg",
    "iota": "1", "leukemia": "1", "nrm_bg": "1/year", "mpp": "month", "wait_shift": "day", "wait_shape": "1",
    "wait_scale": "day", "kF": "1/day", "Kroom": "e6/kg", "KIF": "1", "pFer": "1",
}  # fmt: skip
# Density at which a binder has half its effect, molecules per cell: value, source, where, how, why
AS_BEFORE = "Relative to the reference as before; no threshold in molecules per cell was read."
HALF = {
    "CD19": (
        2000, "majzner_2020", "clones of one line with set densities: hardly any cytokine below about 2,000 per cell",
        "reported", "",
    ),
    "CD22": (
        2082, "ramakrishna_2019", "falls with density in vitro and in mice", "assumed",
        "Three fifths of the median of patients (shah_2015): the order of what the CD19 binder needs.",
    ),
    "GD2": (600000, "reference_model_2026", "section 11", "assumed", AS_BEFORE),
    "CLDN18.2": (30000, "reference_model_2026", "section 11", "assumed", AS_BEFORE),
    "IL13RA2": (3000, "reference_model_2026", "section 11", "assumed", AS_BEFORE),
}  # fmt: skip
# Antigen of the solid tumors: share of the patients, where it was read, and its density
CARRIED = {
    "GD2": (
        1, "nbrev_2018", "nearly all at diagnosis; cells with little or none in some marrows", 3000000, 0.4,
        "1e6 to 1e7 per cell: recalled; the middle. Spread as before.",
    ),
    "CLDN18.2": (
        0.384, "cldn_2024", "two screenings of phase 3: at least 75 % of the cells 2+ or 3+", 80000, 0.6,
        "Only staining is published: relative to the reference as before, on a scale of its own.",
    ),
    "IL13RA2": (
        0.515, "zeng_2020", "glioblastoma, high in 68 of 132", 7000, 0.8,
        "Only staining and mRNA are published: relative to the reference as before, on a scale of its own.",
    ),
}  # fmt: skip
NOT_KNOWN = {
    "glioma": (
        "GD2", "nbrev_2018", "diffuse midline glioma",
        "Known of diffuse midline glioma with H3K27M (nbrev_2018); of glioblastoma no share was read.",
    ),
}  # fmt: skip
# To 40 patients: cells hardly seen on day 7 and in the hundreds on day 14, so growth is slow and long; interferon-gamma
# and ferritin ten times and more above those of CD19 products.
CD22 = {
    "rho": (2.9, 0.3), "feng": (0.0004, 0.68), "kF": (0.06, None), "Kroom": (2000, 0.4), "kap_p": (0.9, 0.35),
    "yE": (55, 0.5), "KIF": (180, 1.2), "pFer": (700, None),
}  # fmt: skip


def table(
    path: str, fields: dict[str, object], why: str, where: str,
    *, source: str = "reference_model_2026", how: str = "assumed",
) -> str:  # fmt: skip
    """One table of a card, marked as assumed unless told otherwise; a reason where there is one."""
    lines = [f"[{path}]"]
    for name, value in fields.items():
        shown = f'"{value}"' if isinstance(value, str) and not value.startswith("{") else value
        lines.append(f"{name} = {shown}")
    lines += [f'source = "{source}"', f'where = "{where}"', f'how = "{how}"', *([f'why = "{why}"'] if why else [])]
    return "\n".join(lines) + "\n\n"


def half(letter: str, antigen: str) -> str:
    """Density at which the binder has half its effect."""
    value, source, where, how, why = HALF[antigen]
    fields: dict[str, object] = {"value": value, "unit": UNITS[f"half_{letter}"]}
    return table(f"parameters.half_{letter}", fields, why, where, source=source, how=how)


def carried(disease: str, antigen: str) -> str:
    """What a solid tumor carries."""
    positive, source, where, median, sd, why = CARRIED[antigen]
    named = f'"{antigen}"' if "." in antigen else antigen
    text = f'[antigens.{named}]\npositive = {positive}\nsource = "{source}"\nwhere = "{where}"\nhow = "reported"\n'
    text += f'confidence = "read"\n\n[antigens.{named}.density]\nmedian = {median}\nsd = {sd}\nhow = "assumed"\n'
    text += f'confidence = "memory"\nwhy = "{why}"\n\n'
    for other, key, place, reason in [NOT_KNOWN[disease]] if disease in NOT_KNOWN else []:
        text += f'[antigens.{other}]\nsource = "{key}"\nwhere = "{place}"\nhow = "assumed"\nconfidence = "read"\n'
        text += f'why = "{reason}"\n\n'
    return text


def from_data(name: str, value: float, spread: float | None) -> str:
    """A number of the CD22 product, fitted to the patients of its phase 1 trial."""
    fields: dict[str, object] = {"value": value, "unit": UNITS[name]}
    fields |= {"spread": f'{{ kind = "lognormal", sd = {spread} }}'} if spread else {}
    where = "40 of its patients, by hand: qualification/car22.py"
    return table(f"parameters.{name}", fields, "", where, source="lichtenstein_2021", how="fitted")


def product(
    name: str, title: str, synonyms: list[str], targets: tuple[str, str], diseases: list[str],
    changes: dict[str, float],
    *, why: str, dose: tuple[float, float, float], per_kg: bool = True, split: str = "", alemtuzumab: bool = False,
    wait: tuple[float, float, float] | None = None, costimulation: str = "4-1BB",
    multiples: dict[str, float] | None = None, fitted: dict[str, tuple[float, float | None]] | None = None,
) -> None:  # fmt: skip
    """Write one product card."""
    usual = tomllib.loads((ROOT / "products/tisagenlecleucel.toml").read_text(encoding="utf-8"))["parameters"]
    values = {key: entry["value"] for key, entry in usual.items()} | ({"half_b": 0.0} if targets[1] else {}) | changes
    values |= {key: float(f"{usual[key]['value'] * factor:.6g}") for key, factor in (multiples or {}).items()}
    kind = "per_kg" if per_kg else "total"
    border = "" if per_kg else "weight_border = 0\n"
    listed = ", ".join(f'"{d}"' for d in diseases)
    note = FITTED if fitted else EXPLORATORY
    head = f"# {note} Written by qualification/exploratory_cards.py.\n"
    head += f'name = "{name}"\ntitle = "{title}"\nsynonyms = [{", ".join(repr(s) for s in synonyms)}]\n'.replace(
        "'", '"'
    )
    head += f'target_a = "{targets[0]}"\n' + (f'target_b = "{targets[1]}"\n' if targets[1] else "")
    head += f'design = "{"or" if targets[1] else "single"}"\ncostimulation = "{costimulation}"\nvector = "lentivirus"\n'
    head += 'readout = "qPCR"\n' + ("" if fitted else "exploratory = true\n")
    head += f'source = "reference_model_2026"\nwhere = "section 11"\nhow = "assumed"\nwhy = "{why}"\n\n'
    head += '[warnings]\nboxed = ["cytokine release syndrome", "neurologic toxicity"]\nhow = "assumed"\n'
    head += 'why = "As of the approved products of its kind."\n\n'
    use = f'[[indications]]\nname = "{diseases[0]}"\ntext = "no approved use; explored in {", ".join(diseases)}"\n'
    use += f"diseases = [{listed}]\nage_low = 0\nlines_low = 0\nwindow_low = 2\nwindow_high = 7\n"
    use += f'source = "reference_model_2026"\nwhere = "section 11"\nhow = "assumed"\nwhy = "{note}"\n\n'
    low, target, high = dose
    use += f"[indications.dose]\n{border}low_{kind} = {low:g}\ntarget_{kind} = {target:g}\nhigh_{kind} = {high:g}\n"
    use += f'{split}source = "reference_model_2026"\nwhere = "section 11"\nhow = "assumed"\n'
    use += 'why = "Range of early trials."\n\n'
    drugs = '  { drug = "fludarabine", dose = 30, days = [-5, -4, -3] },\n'
    drugs += '  { drug = "cyclophosphamide", dose = 500, days = [-5, -4, -3] },\n'
    drugs += '  { drug = "alemtuzumab", dose = 10, days = [-5, -4, -3] },\n' if alemtuzumab else ""
    named = ("flu_cy_alemtuzumab", "with alemtuzumab") if alemtuzumab else ("flu_cy", "")
    use += f'[[indications.regimens]]\nname = "{named[0]}"\n'
    use += f'title = "fludarabine 30 + cyclophosphamide 500 x3 {named[1]}"\n'
    use += f'drugs = [\n{drugs}]\nsource = "reference_model_2026"\nwhere = "section 12"\nhow = "assumed"\n'
    use += 'why = "Usual doses of early trials."\n\n'
    body = "# Numbers of the reference model\n\n" + "".join(
        from_data(key, *fitted[key]) if fitted and key in fitted else
        half(key[-1], targets["ab".index(key[-1])]) if key.startswith("half_") else
        table(f"parameters.{key}", {"value": value, "unit": UNITS[key]}, why if key in {**changes, **(multiples or {})}
              else "As tisagenlecleucel.", "section 11")
        for key, value in {**values, **dict.fromkeys(fitted or {})}.items()
    )  # fmt: skip
    if wait:
        body += "# Manufacturing numbers that differ from manufacturing.toml\n\n"
        for key, value in zip(("wait_shift", "wait_shape", "wait_scale"), wait):
            body += table(
                f"process.{key}", {"value": value, "unit": UNITS[key]}, "From a bank: no manufacturing.", "section 11"
            )
    write_text(ROOT / f"products/{name}.toml", (head + use + body).rstrip() + "\n", force=True)


SOLID = {
    "K0": 20000, "f_clon": 0.001, "a_T": 0.02, "g": 0.01, "kap_d": 0.3, "p_res": 0.7, "f_res": 0.05, "r_res": 0.6,
    "f_neg": 1e-3, "f_niche": 1e-2, "mf": 0, "kzB": 0.008, "B0": 300, "iota": 2, "leukemia": 0, "nrm_bg": 0.05,
    "mpp": 9,
}  # fmt: skip
SPREADS = {
    "g": '{ kind = "lognormal", sd = 0.5 }', "f_niche": '{ kind = "lognormal", sd = 2.0 }',
}  # fmt: skip


def disease(
    name: str, title: str, antigen: str, synonyms: list[str], changes: dict[str, float], *, neg_sd: float,
    burden: tuple[float, float], age: tuple[float, float, float, float], male: float,
    why: str,
) -> None:  # fmt: skip
    """Write one solid-tumor card."""
    values = SOLID | changes
    text = f"# {EXPLORATORY} Written by qualification/exploratory_cards.py.\n"
    text += f'name = "{name}"\ntitle = "{title}"\nlineage = "solid"\nantigen_a = "{antigen}"\n'
    text += f"synonyms = [{', '.join(repr(s) for s in synonyms)}]\n".replace("'", '"') + "calibrated_on = []\n"
    text += f'source = "reference_model_2026"\nwhere = "sections 10 and 11"\nhow = "assumed"\nwhy = "{why}"\n\n'
    text += "# Antigens on the tumor: share of the patients whose tumor carries it, and its density\n\n"
    text += carried(name, antigen) + "# Numbers of the reference model\n\n"
    for key, value in values.items():
        fields: dict[str, object] = {"value": value, "unit": UNITS[key]}
        spread = f'{{ kind = "log10normal", sd = {neg_sd} }}' if key == "f_neg" else SPREADS.get(key)
        fields |= {"spread": spread} if spread else {}
        text += table(f"parameters.{key}", fields, EXPLORATORY, "sections 10 and 11")
    text += "# Population\n\n"
    laws: dict[str, dict[str, object]] = {
        "age": {"law": "normal", "mean": age[0], "sd": age[1], "low": age[2], "high": age[3], "unit": "year"},
        "male": {"law": "bernoulli", "probability": male},
        "prior_lines": {"law": "poisson", "mean": 1.0, "plus": 2, "high": 12},
        "burden": {"law": "lognormal", "median": burden[0], "sd": burden[1], "high": 19000, "unit": "e6/kg"},
        "b_cells_per_kg": {"law": "lognormal", "median": 300, "sd": 1.0, "unit": "e6/kg"},
    }
    for key, fields in laws.items():
        text += table(f"population.{key}", fields, EXPLORATORY, "sections 10 and 11")
    write_text(ROOT / f"diseases/{name}.toml", text.rstrip() + "\n", force=True)


def main() -> None:
    """Write every card."""
    disease("neuroblastoma", "neuroblastoma with GD2", "GD2", ["nb"], {"a_T": 0.03, "iota": 1.5}, neg_sd=1.0,
            burden=(150, 1.0), age=(6, 4, 1, 25), male=0.55,
            why="Exploratory: access and suppression guessed, GD2 as reported in early trials.")  # fmt: skip
    disease("gastric_cancer", "gastric cancer with claudin 18.2", "CLDN18.2", ["gastric"], {"a_T": 0.03, "f_neg": 1e-2},
            neg_sd=1.0, burden=(300, 1.2), age=(58, 11, 18, 85), male=0.6,
            why="Exploratory: the antigen of normal stomach and its toxicity are not represented.")  # fmt: skip
    disease("glioma", "glioma with IL13Ra2", "IL13RA2", ["glioblastoma"], {"f_neg": 0.0316}, neg_sd=0.7,
            burden=(30, 0.8), age=(52, 13, 18, 80), male=0.6,
            why="Exploratory: intravenous access; a locoregional dose would reach five times as much.")  # fmt: skip
    b_all, two = ["pediatric_b_all", "adult_b_all"], dict[str, float]()
    product("cd22_car", "a CD22 product", ["CD22 CAR"], ("CD22", ""), b_all, {"kap_p": 0.8},
            multiples={"KCN": 1.5}, dose=(0.3e6, 1e6, 3e6), fitted=CD22,
            why="CD22 is scarcer and lost by dimming: higher density for half response, weaker killing.")  # fmt: skip
    product("tandem_cd19_cd22", "a tandem CD19/CD22 product", ["tandem CD19/CD22"], ("CD19", "CD22"), b_all, {},
            dose=(1e6, 3e6, 5e6), why="One cell sees either antigen; the CD22 arm is weaker.")  # fmt: skip
    product("coadministered_cd19_cd22", "CD19 and CD22 products given together", ["coadministered CD19/CD22"],
            ("CD19", "CD22"), b_all, two, multiples={"feng": 0.5}, dose=(1e6, 3e6, 5e6),
            why="Two products at half dose: each cell is taken to see either antigen, half engraft.")  # fmt: skip
    product("sequential_cd19_cd22", "CD19 then CD22 products", ["sequential CD19/CD22"], ("CD19", "CD22"), b_all, {},
            dose=(1e6, 3e6, 5e6),
            split="split = { blasts_above = 100, low = [[0, 1.5e6], [45, 1.5e6]], high = [[0, 1.5e6], [45, 1.5e6]] }\n",
            why="One population of cells: both infusions see either antigen, a bound of the benefit.")  # fmt: skip
    cd19, donor = ["pediatric_b_all", "adult_b_all", "lbcl"], {"fM": 0.25, "f4": 0.4, "VCN": 1.0, "kR_factor": 3}
    product("allogeneic_cd19", "an allogeneic CD19 product", ["allogeneic CD19"], ("CD19", ""), cd19,
            {**donor, "kallo": 1.5}, multiples={"feng": 0.8}, dose=(1e8, 3e8, 1e9), per_kg=False, wait=(5, 2, 1),
            why="Cells of a donor without T-cell receptor: rejected by host lymphocytes as they return.")  # fmt: skip
    product("allogeneic_cd19_alemtuzumab", "an allogeneic CD19 product with alemtuzumab",
            ["allogeneic CD19 + alemtuzumab"],
            ("CD19", ""), cd19, {**donor, "kallo": 0.3, "cd52ko": 1}, multiples={"feng": 0.8}, dose=(1e8, 3e8, 1e9),
            per_kg=False, wait=(5, 2, 1), alemtuzumab=True,
            why="Cells without CD52 survive alemtuzumab, which keeps the host's lymphocytes down.")  # fmt: skip
    bare = dict[str, float]()
    product("gd2_car", "a GD2 product", ["GD2 CAR"], ("GD2", ""), ["neuroblastoma"], bare,
            multiples={"KCN": 0.5}, dose=(1e6, 3e6, 1e7),
            why="No normal B cells to meet; edema lowers the threshold of the nervous system.")  # fmt: skip
    product("cldn18_2_car", "a claudin 18.2 product", ["claudin 18.2 CAR"], ("CLDN18.2", ""), ["gastric_cancer"],
            bare, dose=(2.5e8, 2.5e8, 5e8), per_kg=False,
            why="No normal B cells to meet; the antigen of normal stomach is not represented.")  # fmt: skip
    product("il13ra2_car", "an IL13Ra2 product", ["IL13Ra2 CAR"], ("IL13RA2", ""), ["glioma"], bare,
            multiples={"KCN": 0.7}, dose=(1e7, 5e7, 1e8), per_kg=False,
            why="No normal B cells to meet; cells in the brain lower the threshold of the nervous system.")  # fmt: skip


if __name__ == "__main__":
    main()
