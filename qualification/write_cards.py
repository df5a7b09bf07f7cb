"""Move the mean of the posterior sample into the cards, and make the sample relative to the new cards.

    python qualification/write_cards.py                    # the package's sample and cards
    python qualification/write_cards.py --posterior qualification/posterior.csv

Only the number itself is edited (four significant digits); comments and layout stay. Where it was assumed, its ``how``
becomes "calibrated", and ``where`` names this folder; a number that the data did not move stays as it is. A sample that
was fitted with other cards is refused.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np

from vein2vein.files import write_text

HERE = Path(__file__).resolve().parent
PACKAGE = HERE.parent / "src" / "vein2vein"
SOURCE, WHERE = "reference_model_2026", "qualification/calibrate.py"
LEAST = 5e-4  # a logarithm below which a factor does not change four digits
FOLDERS = ("models/reference", "virtual", "therapy/products", "therapy/diseases")
TABLES = ("parameters", "traits")


def card_file(card: str, package: Path) -> Path:
    """The file of a card."""
    found = [package / folder / f"{card}.toml" for folder in FOLDERS]
    return next(path for path in found if path.is_file())


def block(text: str, parameter: str) -> tuple[int, int] | None:
    """Where the table of a parameter begins and ends in the text of a card; None: it has none."""
    head = re.search(rf"^\[(?:{'|'.join(TABLES)})\.{re.escape(parameter)}\][^\n]*\n", text, re.M)
    if head is None:
        return None
    following = re.search(r"^\[", text[head.end() :], re.M)
    return head.start(), head.end() + following.start() if following else len(text)


def edited(text: str, parameter: str, what: str, number: float, kind: str = "lognormal") -> str:
    """The text of a card with a number of a parameter changed; a spread that the card did not have is added."""
    place = block(text, parameter)
    if place is None:
        raise SystemExit(f"the card has no table for {parameter}; write one by hand, then run again")
    table, shown = text[place[0] : place[1]], f"{number:.4g}"
    if what == "value":
        table = re.sub(r"^(value\s*=\s*)[^\s#]+", rf"\g<1>{shown}", table, count=1, flags=re.M)
    elif re.search(r"^spread\s*=", table, re.M):
        table = re.sub(r"^(spread\s*=.*?\bsd\s*=\s*)[^\s,}}]+", rf"\g<1>{shown}", table, count=1, flags=re.M)
    else:
        line = f'spread = {{ kind = "{kind}", sd = {shown} }}\n'
        table = re.sub(r"^(unit\s*=[^\n]*\n)", lambda m: m.group(1) + line, table, count=1, flags=re.M)
    for field, now in (("how", "calibrated"), ("where", WHERE)):
        table = re.sub(rf'^({field}\s*=\s*)"[^"]*"', rf'\g<1>"{now}"', table, count=1, flags=re.M)
    if not re.search(r"^source\s*=", table, re.M):
        table = re.sub(r"^(how\s*=)", rf'source = "{SOURCE}"\n\g<1>', table, count=1, flags=re.M)
    return text[: place[0]] + table + text[place[1] :]


def write(sample, package: Path = PACKAGE) -> list[str]:
    """Edit the cards below ``package`` by the mean of a sample; what was changed, a line for each number."""
    from vein2vein.inference import posterior

    texts: dict[Path, str] = {}
    told = []
    for (card, name, what), factor in posterior.member(sample.factors, sample.logs.mean(axis=0)).factors.items():
        if abs(np.log(factor)) < LEAST:
            continue
        path, own = card_file(card, package), posterior.card_parameters(card).parameters
        parameter = own.get(name) or posterior.card_parameters("reference").parameters[name]
        if what == "sd" and parameter.spread is None:
            parameter = posterior.card_parameters("reference").parameters[name]
        new = posterior.scaled(parameter, what, factor)
        number = new.value if what == "value" else new.spread.sd
        kind = parameter.spread.kind if parameter.spread else ""
        texts[path] = edited(texts.get(path) or path.read_text(encoding="utf-8"), name, what, number, kind)
        told.append(f"{card} {name} {what}: x {factor:.3g} = {number:.4g}")
    for path, text in texts.items():
        write_text(path, text, force=True)
    return told


def main() -> int:
    """Write the cards and the sample."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--posterior", type=Path, help="default: the sample that comes with vein2vein")
    parser.add_argument("--rehash", action="store_true", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    from vein2vein.inference import posterior

    path = asked.posterior or posterior.bundled()
    sample = posterior.read_posterior(path)
    if asked.rehash:  # a process of its own, which reads the cards as they are now
        posterior.write_posterior(replace(sample, cards=posterior.hash_of_cards(sample.factors)), path)
        return 0
    if not sample.is_current:
        raise SystemExit(f"{path.name} was fitted with other numbers than the cards now hold")
    print("\n".join(write(sample)))
    posterior.write_posterior(replace(sample, logs=np.asarray(sample.logs - sample.logs.mean(axis=0))), path)
    subprocess.run([sys.executable, __file__, "--rehash", "--posterior", str(path)], check=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
