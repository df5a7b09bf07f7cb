"""Words and limits of the cards of therapy, read once from ``vocabulary.toml``."""

from __future__ import annotations

from vein2vein.cards import bundled_card

_CARD = bundled_card("therapy/vocabulary.toml")


def _words(name: str) -> tuple[str, ...]:
    return _CARD.texts("words", name)


def _most(name: str) -> float:
    return float(_CARD.number("limits", name, "most"))


ANTIGENS = tuple(bundled_card("therapy/antigens.toml").table("antigens"))
COSTIMULATION = _words("costimulation")
VECTORS = _words("vector")
READOUTS = _words("readout")
DESIGNS = _words("design")
DRUGS = _words("drug")
LINEAGES = _words("lineage")

AGE = _most("age")  # years
LINES = _most("lines")
WEIGHT = _most("weight")  # kg
WINDOW = _most("window")  # days
DAYS_BEFORE = _most("days_before")
CELLS_PER_KG, CELLS = _most("cells_per_kg"), _most("cells")
LOG_SD = _most("log_sd")
DENSITY = _most("density")  # molecules per cell
SUPPORTIVE_DOSE, SUPPORTIVE_PER_KG = _most("supportive_dose"), _most("supportive_per_kg")  # mg, mg/kg
SUPPORTIVE_DOSES = _most("supportive_doses")  # counted together
BLASTS = _most("blasts")  # %
MARROW = _most("marrow")  # e6/kg
SHORTEST, LONGEST = float(_CARD.number("limits", "step", "least")), _most("step")  # days
GRADE = _most("grade")
NEUTROPHILS = _most("neutrophils")  # 10^9/L
HEMOGLOBIN = _most("hemoglobin")  # g/dL
