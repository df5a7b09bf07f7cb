"""Write the tables of docs/qualification.md from what `vein2vein qualify` left: fit over several seeds, and prediction.

    for seed in 1 2 3 4 5; do vein2vein qualify --seed $seed --out results/seed$seed; done
    vein2vein qualify --left-out --out results/left-out
    python qualification/scores.py results/seed1 results/seed2 ... --left-out results/left-out

The tables stand between the marks <!-- fit:begin --> and <!-- fit:end -->, and so on; the words around them are written
by hand. The table of trials and kinds is that of the first folder.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from vein2vein.files import write_text
from vein2vein.trials.trial import list_trials

DOC = Path(__file__).resolve().parents[1] / "docs" / "qualification.md"
ENOUGH = 0.7  # of the rows of one trial
LATER = ("zuma_2", "felix", "cll_004", "zuma_7", "karmma_3")  # the five bundled after the first eleven
HEAD = ("rows", "passed", "inside the 90 % interval", "error, in tolerances", "baseline", "better by")
WORST = 12  # missed rows that are listed
PERCENT = 100.0  # unit factor
Data = dict[str, Any]


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table in Markdown; the first column has no head."""
    lines = [f"| | {' | '.join(head)} |", "|" + "---|" * (len(head) + 1)]
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in rows)])


def score(one: Data) -> list[str]:
    """A score as a row of a table."""
    if not one["rows"]:
        return [one["name"], "0", *[""] * (len(HEAD) - 1)]
    return [
        one["name"], str(one["rows"]), f"{one['passed']} ({PERCENT * one['passed'] / one['rows']:.0f} %)",
        f"{PERCENT * one['coverage']:.0f} %", f"{one['error']:.2f}", f"{one['baseline_error']:.2f}",
        f"{PERCENT * one['gain']:.0f} %",
    ]  # fmt: skip


def fit(data: Data) -> str:
    """By trial and by kind, all rows, and the rows that are missed most."""
    rows = [score(one) for one in (*data["trials"], *data["kinds"], data["overall"])]
    missed = sorted((one for one in data["rows"] if not one["passed"]), key=lambda one: -(one["error"] or PERCENT))
    return table(HEAD, rows) + "\n\nWhat fails most:\n\n" + "\n".join(f"- {sentence(one)}" for one in missed[:WORST])


def sentence(row: Data) -> str:
    """A missed row in words."""
    simulated = "not reached" if row["simulated"] is None else f"{row['simulated']:.3g}"
    unit = "" if row["unit"] in ("1", "ratio", "hazard ratio") else f" {row['unit']}"
    arm = f" ({row['arm']})" if row["arm"] else ""
    return f"{row['file']}, {row['quantity'].replace('_', ' ')}{arm}: {simulated} against {row['published']:.3g}{unit}"


def seeds(found: Sequence[tuple[str, Data]]) -> str:
    """One row for each seed: all rows, those of the first eleven trials, and trials with few."""
    head = ("passed", "of", "without error of the model", "inside", "first eleven", "trials below 70 %")
    rows: list[list[str]] = []
    for name, data in found:
        whole, bare = data["overall"], data["without_model_error"]
        first = [one for one in data["trials"] if one["name"] not in LATER]
        passed, count = (sum(one[key] for one in first) for key in ("passed", "rows"))
        few = [one["name"] for one in data["trials"] if one["rows"] and one["passed"] / one["rows"] < ENOUGH]
        rows.append([
            name, f"{whole['passed']} ({PERCENT * whole['passed'] / whole['rows']:.0f} %)", str(whole["rows"]),
            str(bare["passed"]), f"{PERCENT * whole['coverage']:.0f} %",
            f"{passed} of {count} ({PERCENT * passed / count:.0f} %)", ", ".join(few) or "none",
        ])  # fmt: skip
    return table(head, rows)


def prediction(data: Data) -> str:
    """By group, by trial, by kind, and all."""
    groups = table(HEAD, [score(one) for one in data["groups"]])
    trials = table((*HEAD, "group"), [[*score(one), one["group"]] for one in data["trials"]])
    kinds = table(HEAD, [*(score(one) for one in data["kinds"]), score(data["overall"])])
    errors = ", ".join(f"{one['name']} {one['model_error']:.2f}" for one in data["kinds"])
    told = (
        f"Median width of the intervals {data['width']:.2f} tolerances. Error of the model, as a standard deviation in "
    )
    return "\n\n".join([groups, trials, kinds, f"{told}tolerances: {errors}."])


def placed(text: str, mark: str, body: str) -> str:
    """The text with another body between the marks of a name."""
    begin, end = f"<!-- {mark}:begin -->", f"<!-- {mark}:end -->"
    if begin not in text or end not in text:
        raise SystemExit(f"{DOC.name} has no marks {begin} and {end}")
    return re.sub(f"{begin}.*?{end}", lambda _: f"{begin}\n\n{body}\n\n{end}", text, flags=re.DOTALL)


def main(arguments: Iterable[str] | None = None) -> int:
    """Write the tables that the folders allow."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folders", nargs="+", type=Path, help="of vein2vein qualify, one for each seed")
    parser.add_argument("--left-out", type=Path, help="of vein2vein qualify --left-out")
    asked = parser.parse_args(arguments)
    found = [json.loads((one / "qualification.json").read_text(encoding="utf-8")) for one in asked.folders]
    known = set(list_trials())
    if any(one["name"] not in known for one in found[0]["trials"]):
        raise SystemExit("expected folders of the bundled trials")
    named = [(f"seed {one['provenance']['seed']}", one) for one in found]
    text = placed(DOC.read_text(encoding="utf-8"), "fit", fit(found[0]))
    text = placed(text, "seeds", seeds(named))
    if asked.left_out:
        data = json.loads((asked.left_out / "left-out.json").read_text(encoding="utf-8"))
        text = placed(text, "prediction", prediction(data))
    write_text(DOC, text, force=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
