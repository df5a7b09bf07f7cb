"""What 'vein2vein trial' tells at its end: some ten lines, or every row of the comparison."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from vein2vein.cli import console
from vein2vein.cli.console import number, with_interval

if TYPE_CHECKING:
    from vein2vein.report.facts import Compared
    from vein2vein.report.headline import Block
    from vein2vein.runs.store import Columns
    from vein2vein.trials.comparison import Row
    from vein2vein.trials.trial import Trial

HEADERS = ("outcome", "definition", "unit", "simulated (90 %)", "published (95 %)", "n", "inside")
SHORT_HEADERS, SHORT_WIDTHS = ("outcome", "simulated", "published", "inside"), (0, 20, 16, 6)  # narrow terminals
WIDTHS = (24, 0, 13, 24, 20, 4, 6)  # columns; 0 takes what is left
NAMES = 14  # characters of the names of lines
ARM_LINES = ("infused", "response", "EFS or PFS", "OS", "CRS", "ICANS")  # of each arm, where there are several
TOLD_ELSEWHERE = ("infused", "computed to the end (0) or why not")  # of the counts of a run in chunks
NO_ROWS = 'No outcome is judged: none with confidence = "read" was produced.'


# Ten lines


def tell_headline(trial: Trial, blocks: Sequence[Block], rows: Sequence[Compared]) -> None:
    """Print who was infused, response, survival and toxicity, how many outcomes lie inside, and the worst misses."""
    from vein2vein.report import fit
    from vein2vein.report.look import look

    shown = [row for row in rows if row.kind == "outcome"]
    beside = "simulated (published)" if shown else "simulated; the trial file holds no published outcome"
    console.say(f"\n{trial.title or trial.name}: {beside}", style="bold")
    first, *arms = blocks
    for line in first.lines:
        _folded(f"{line.name:{NAMES - 1}} {line.text}")
    _arms(arms)
    known = fit.judged(rows)
    if not known:
        if shown:
            console.say(NO_ROWS)
        return
    inside = sum(fit.within(row) == fit.INSIDE for row in known)
    worth = fit.fit_or_prediction(trial)
    meant = "calibrated on this trial" if worth == fit.FIT else "not calibrated on this trial"
    told = f"{inside} of {len(known)} published outcomes that were read lie inside the simulated 90 % interval"
    console.say(f"{told} (a {worth}: {meant}).")
    missed = fit.misses(rows)
    if not missed:
        return
    worst = list(zip(fit.labels(missed), missed, strict=True))[: int(look("headline", "most_misses"))]
    told = "The miss" if len(missed) == 1 else f"The worst of {len(missed)} misses"
    console.say(f"{told}, simulated against published:")
    for text, row in worst:
        _folded(f"{text}: {fit.miss_words(row)}")


def as_data(trial: Trial, blocks: Sequence[Block], rows: Sequence[Compared]) -> dict[str, object]:
    """The headline in words, how many outcomes lie inside, whether that is a fit, and every miss, the worst first."""
    from vein2vein.report import fit

    known = fit.judged(rows)
    missed = fit.misses(rows)
    return {
        "headline": [
            {"patients": block.title, "line": line.name, "text": line.text} for block in blocks for line in block.lines
        ],
        "judged": len(known),
        "inside": sum(fit.within(row) == fit.INSIDE for row in known),
        "worth": fit.fit_or_prediction(trial),
        "misses": [
            {
                "quantity": row.quantity, "definition": row.definition, "arm": row.arm, "simulated": row.simulated,
                "published": row.published, "unit": row.unit, "tolerances": row.error, "verdict": fit.verdict(row),
            }
            for row in missed
        ],
    }  # fmt: skip


def _folded(text: str) -> None:
    """Print a text a little to the right, folded between words where the terminal is narrow."""
    first, *more = console.folded(text, max(console.width() - 2, 2 * NAMES))
    for part in (first, *(f"{'':{NAMES}}{part}" for part in more)):
        console.say(f"  {part}")


def _arms(blocks: Sequence[Block]) -> None:
    """A row for each arm."""
    if not blocks:
        return
    held = [{line.name: line.text for line in block.lines} for block in blocks]
    for lines in held:
        free = [f"{name} {lines[name]}" for name in ("EFS", "PFS") if name in lines]
        lines["EFS or PFS"] = free[0] if free else "–"
    names = [name for name in ARM_LINES if any(name in lines for lines in held)]
    rows = [[block.title, *(lines.get(name, "–") for name in names)] for block, lines in zip(blocks, held, strict=True)]
    console.table(("arm", *names), rows, words=range(1 + len(names)))


def tell_counts(counts: Columns) -> None:
    """Print what became of the patients of a run of which only counts were kept."""
    told: dict[str, list[str]] = {}
    for quantity, value, share in zip(counts["quantity"], counts["value"], counts["share"], strict=True):
        if str(value) not in ("", "None") and quantity not in TOLD_ELSEWHERE:
            word = "not gradable" if str(value) == "-1" else value
            told.setdefault(str(quantity), []).append(f"{word} {number(100 * float(str(share)), 2)} %")
    console.say("Shares of all enrolled patients; times to an event are in the tables of the results:")
    for quantity, values in told.items():
        console.say(f"  {quantity}: {', '.join(values)}")


# Every row


def print_comparison(rows: Sequence[Row]) -> None:
    """Print every row: outcomes that were read, those from memory, what went in, and what is missing."""
    outcomes = [r for r in rows if r.kind != "design" and r.confidence == "read"]
    recalled = [r for r in rows if r.kind != "design" and r.confidence != "read"]
    design = [r for r in rows if r.kind == "design"]
    for title, chosen in (
        ("Outcome: simulated against published", outcomes),
        ("Outcome, published figures from memory: shown, not judged", recalled),
        ("What went in: patients, dose and treatment", design),
    ):
        if chosen:
            console.say(f"\n{title}", style="bold underline")
        for trial, arm in dict.fromkeys((r.trial, r.arm) for r in chosen):
            cells = [_cells(r) for r in chosen if (r.trial, r.arm) == (trial, arm)]
            title = f"{trial}, {arm}".strip(", ")
            if console.is_narrow():
                short = [(", ".join(filter(None, c[:3])), c[3], c[4], c[6]) for c in cells]
                console.table(SHORT_HEADERS, short, title=title, right=(1, 2), widths=SHORT_WIDTHS)
            else:
                console.table(HEADERS, cells, title=title, right=(3, 4, 5), widths=WIDTHS)
    absent = [(_words(r), r.definition, r.missing) for r in rows if r.missing]
    if absent:
        console.table(("missing", "definition", "why"), dict.fromkeys(absent), title="Not produced by the journey")


def _cells(row: Row) -> tuple[str, ...]:
    verdict = "" if row.inside is None or row.confidence != "read" else "yes" if row.inside else "no"
    simulated = "missing" if row.missing else with_interval(row.simulated, row.low, row.high)
    published = with_interval(row.published, row.published_low, row.published_high)
    recalled = row.kind == "design" and row.confidence != "read"
    definition = f"{row.definition} (from memory)".strip() if recalled else row.definition
    return _words(row), definition, row.unit, simulated, published, number(row.n), verdict


def _words(row: Row) -> str:
    return row.quantity.replace("_", " ")
