"""The most influential numbers of the model and what each rests on, as the page docs/influential.md.

    vein2vein sensitivity --out one
    vein2vein sensitivity --product axicabtagene_ciloleucel --disease lbcl --out two
    python qualification/influential.py one two --out docs/influential.md

Of several screenings a number counts with its largest share. A number that the calibration varies is told with its
prior: center, spread, source and reason.
"""

from __future__ import annotations

import argparse
import csv
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from vein2vein.files import write_text
from vein2vein.inference.calibration.free_numbers import FreeNumbers, read_free_numbers
from vein2vein.inference.calibration.priors import Prior
from vein2vein.inference.posterior import REFERENCE, VALUE, card_parameters
from vein2vein.parameters import Parameter
from vein2vein.sources import all_sources, is_own
from vein2vein.therapy.disease import all_diseases
from vein2vein.therapy.product import all_products

HERE = Path(__file__).resolve().parent
MOST = 120  # numbers that are listed
HEAD = """# The {count} most influential numbers, and what each rests on

Made by `python qualification/influential.py` from `vein2vein sensitivity` ({screens}): the numbers whose ranges move
Cmax, cytokine release of grade 3 or higher, complete response or event-free survival most ([how](sensitivity.md)).
Share: of the largest effect on that outcome. Sources: keys of `sources.bib`.

{summary}

| number | of | value | unit | share, outcome | how | prior: median (sd of ln) | source | why |
|---|---|---|---|---|---|---|---|---|
"""
BY_HAND = """
## Set by hand

Numbers that an earlier fit by hand or by product left on the cards and that no prior covers, so that the calibration
does not move them:

"""


def influential(folders: list[Path]) -> list[dict[str, str]]:
    """The numbers of some screenings, each once with its largest share, the most influential first."""
    found: dict[tuple[str, str], dict[str, str]] = {}
    for folder in folders:
        with (folder / "influential.csv").open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                key = (row["card"], row["name"])
                if key not in found or float(row["share"]) > float(found[key]["share"]):
                    found[key] = row
    return sorted(found.values(), key=lambda row: -float(row["share"]))[:MOST]


def priors_of(free: FreeNumbers, card: str, name: str) -> dict[str, Prior]:
    """The priors on a number of a card, by their names."""
    mine = [f for f in free.factors if card in f.cards and f.parameter == name and f.what == VALUE]
    return {free.prior_names[f.name]: free.priors[f.name] for f in mine if f.name in free.priors}


def cited(keys: list[str]) -> str:
    """Sources as text: authors' names and year; a report of our own as such."""
    known = all_sources()
    return "; ".join(f"{'own report: ' if is_own(key) else ''}`{key}`" for key in keys if key in known) or "-"


def lines(rows: list[dict[str, str]], free: FreeNumbers) -> Iterator[str]:
    """A table row for each number."""
    for row in rows:
        card, name = row["card"], row["name"]
        parameter = _parameter(card, name)
        held = priors_of(free, card, name)
        medians = "; ".join(_median(prior) for prior in held.values()) or "-"
        keys = [key for prior in held.values() for key in prior.sources] or [parameter.source]
        why = " ".join(prior.why for prior in held.values()) or parameter.why or parameter.where
        share = f"{float(row['share']):.2f}, {row['outcome']}"
        facts = (f"{name}: {parameter.meaning}", card, f"{parameter.value:.4g}", parameter.unit, share, parameter.how)
        yield f"| {' | '.join((*facts, medians, cited(keys), why.replace('|', '/')))} |"


def _median(prior: Prior) -> str:
    middle = f"x {prior.ratio:g}" if prior.center is None else f"{prior.center:g}"
    return f"{middle} ({prior.sd:g})"


def _parameter(card: str, name: str) -> Parameter:
    general, here = card_parameters(REFERENCE).parameters, card_parameters(card).parameters
    one = here[name] if name in here else general[name]
    return one if one.meaning or name not in general else _named(one, general[name])


def _named(one: Parameter, general: Parameter) -> Parameter:
    from dataclasses import replace

    return replace(one, meaning=general.meaning)


def by_hand(free: FreeNumbers) -> Iterator[str]:
    """Numbers marked as fitted or calibrated that no free number covers."""
    covered = {(card, f.parameter) for f in free.factors for card in f.cards}
    for card in (REFERENCE, "bedside", "covariates", "hazards", *all_products(), *all_diseases()):
        for name, one in card_parameters(card).parameters.items():
            if one.how in ("calibrated", "fitted") and one.value is not None and (card, name) not in covered:
                yield f"- `{name}` of {card}: {one.value:.4g} {one.unit} ({one.how}, `{one.source}`, {one.where})"


def main() -> int:
    """Write the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("screens", nargs="+", type=Path, help="folders of vein2vein sensitivity")
    parser.add_argument("--out", type=Path, default=HERE.parent / "docs" / "influential.md")
    asked = parser.parse_args()
    rows, free = influential(asked.screens), read_free_numbers(HERE / "priors.toml")
    bases = Counter(
        "calibrated from a written prior" if priors_of(free, r["card"], r["name"]) else r["basis"] for r in rows
    )
    summary = "Of these: " + ", ".join(f"{count} {basis}" for basis, count in bases.most_common()) + "."
    text = HEAD.format(count=len(rows), screens=" and ".join(one.name for one in asked.screens), summary=summary)
    text += "\n".join(lines(rows, free)) + "\n" + BY_HAND + "\n".join(by_hand(free)) + "\n"
    write_text(asked.out, text, force=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
