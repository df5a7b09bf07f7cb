"""The closed list of what is measured: name, unit, matrix, LOINC code, plausible range. Read from analytes.toml."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib import resources

from vein2vein.arguments import known
from vein2vein.cards import parse_card
from vein2vein.records import described


@described
@dataclass(frozen=True)
class Analyte:
    """One measured quantity, sign, support or given treatment.

    Attributes
    ----------
    name, title, unit, matrix : str
    kind : str
        ``lab``, ``sign``, ``support``, ``score``, ``disease`` or ``treatment``.
    low, high : float
        Plausible range; outside of it a value is refused.
    loinc : str
        LOINC code, "" where none was read.
    """

    name: str
    title: str
    unit: str
    kind: str
    matrix: str
    low: float
    high: float
    loinc: str = ""

    @property
    def is_switch(self) -> bool:
        """Whether it is told as given or not at each time, such as G-CSF: its ones are no doses to be added up."""
        return self.kind == "treatment" and (self.unit, self.low, self.high) == ("1", 0.0, 1.0)


@cache
def all_analytes() -> dict[str, Analyte]:
    """Return every analyte by name, in the order of the file."""
    text = resources.files("vein2vein").joinpath("analytes.toml").read_text(encoding="utf-8")
    card = parse_card(text, "analytes.toml")
    return {
        name: Analyte(
            name,
            card.string(name, "title"),
            card.string(name, "unit"),
            card.string(name, "kind", choices=("lab", "sign", "support", "score", "disease", "treatment")),
            card.string(name, "matrix", default=""),
            card.number(name, "low"),
            card.number(name, "high"),
            card.string(name, "loinc", default=""),
        )
        for name in card.data
    }


def analyte(name: str) -> Analyte:
    """Return the analyte of this name; an unknown one is refused with the nearest names."""
    found = all_analytes()
    return found[name if isinstance(name, str) and name in found else known("analyte", name, found)]
