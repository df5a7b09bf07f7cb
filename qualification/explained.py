"""Compare the model with the studies on the patient's page again; needed whenever the model has changed.

    python qualification/explained.py

runs each trial of ``explain.toml`` (seconds), writes ``explain_checked.toml`` and prints it line by line. The page
shows the model only in lines whose published rate lies in the simulated range.
"""

from __future__ import annotations

from pathlib import Path

from vein2vein.explain import facts
from vein2vein.files import write_text
from vein2vein.therapy.product import find_product
from vein2vein.trials.trial import load_trial, run_trial

COMMAND = "python qualification/explained.py"
FILE = Path(facts.__file__).with_name("explain_checked.toml")
_KEYS = ("product", "disease", "trial", "patients", "seed", "line", "published", "n", "simulated", "low", "high")


def compared_rows() -> list[dict[str, str | float]]:
    """What the model gives for every line that has an endpoint, in per cent; one row for each line of each trial.

    ``simulated``, ``low`` and ``high`` are the median and the range of trials of the published size ``n``.
    """
    lines = facts.numbers().data["lines"]
    found: list[dict[str, str | float]] = []
    for one in facts.numbers().data["checked"]:
        trial = load_trial(one["trial"])
        table = run_trial(trial, patients=one["patients"], seed=one["seed"]).comparison
        for name, rate in facts.published(find_product(one["product"]), one["disease"]).items():
            rows = [row for row in table if (row.source, row.published, row.n) == (rate.source, rate.percent, rate.n)]
            endpoint = lines[name].get("endpoint")
            same = [p for p in trial.published if (p.source, p.value, p.n) == (rate.source, rate.percent, rate.n)]
            if endpoint is None or [p.endpoint for p in same] != [endpoint] or rows[0].missing:
                continue
            row = {"line": name, "published": rate.percent, "n": rate.n}
            sides = {key: round(float(getattr(rows[0], key)), 1) for key in ("simulated", "low", "high")}
            found.append({**one, **row, **sides})
    return found


def as_toml(rows: list[dict[str, str | float]]) -> str:
    """The rows as the text of ``explain_checked.toml``."""
    said = "# The model against the studies on the patient's page, in per cent. Written by: "
    tables = ["\n".join(["[[rows]]", *(f"{key} = {_value(row[key])}" for key in _KEYS)]) for row in rows]
    return "\n\n".join([said + COMMAND, *tables]) + "\n"


def _value(value: str | float) -> str:
    return f'"{value}"' if isinstance(value, str) else f"{value:g}" if isinstance(value, float) else str(value)


def main() -> None:
    """Write the file and say which lines show the model."""
    rows = compared_rows()
    write_text(FILE, as_toml(rows), force=True)
    for row in rows:
        shown = "shown" if row["low"] <= row["published"] <= row["high"] else "left out"
        told = "{line}: published {published:g}, simulated {simulated:g} ({low:g} to {high:g})".format(**row)
        print(f"{row['product']} {row['disease']} {told}: {shown}")
    print(f"written: {FILE}")


if __name__ == "__main__":
    main()
