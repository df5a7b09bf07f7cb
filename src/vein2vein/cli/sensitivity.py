"""vein2vein sensitivity: which numbers of the cards move what comes out, and what those numbers rest on."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from vein2vein.cli import console, options
from vein2vein.cli.console import number
from vein2vein.files import write_text

if TYPE_CHECKING:
    from vein2vein.inference.sensitivity.screening import Influence, Row, Screening

EFFECTS, INFLUENTIAL, DATA = "effects.csv", "influential.csv", "sensitivity.json"
HEADERS = ("number", "card", "value", "unit", "mu*", "+-", "sigma", "sign", "basis", "source")
SIGNS = {1: "+", -1: "-", 0: "+/-"}
EXAMPLES = """\b
Examples:
  vein2vein sensitivity --patients 20 --trajectories 2
  vein2vein sensitivity --parameter rho --parameter kap_p --parameter KCN --patients 20 --trajectories 4
  vein2vein sensitivity --product axicabtagene_ciloleucel --disease lbcl --outcome crs --json
"""


@click.command("sensitivity", cls=options.Command, epilog=EXAMPLES)
@options.product("CAR-T product, or a card of your own (default: tisagenlecleucel).")
@click.option("--disease", metavar="NAME|FILE", help="Disease (default: the first of the product's label).")
@click.option(
    "--outcome",
    "outcomes",
    multiple=True,
    metavar="NAME",
    help="What is looked at: cmax, crs (grade 3 or higher), cr (complete response), efs (event-free survival at 12 "
    "months); may be repeated (default: all).",
)
@click.option(
    "--parameter",
    "parameters",
    multiple=True,
    metavar="NAME",
    help="Number of the cards that is varied; may be repeated (default: all, some 260).",
)
@options.patients(2, 10_000, "Virtual patients under each parameter set, the same ones in all (default: 50).")
@click.option(
    "--trajectories",
    type=click.IntRange(2, 1_000),
    metavar="N",
    help="Elementary effects of each number; each costs a parameter set more than there are numbers (default: 8).",
)
@click.option(
    "--top",
    type=click.IntRange(1),
    default=10,
    show_default=True,
    metavar="N",
    help="Numbers shown for each outcome; the files hold all.",
)
@options.jobs(None, "Processes that run parameter sets side by side (default: all cores).")
@options.seed("table")
@options.out_folder("Folder for the tables (default: vein2vein-results/sensitivity-<product>-<disease>-seed<S>).")
@options.for_machines("progress, note, effect, influential, counts, file")
@options.quiet("No progress and no tables; only what the influential numbers rest on and where the files are.")
@options.force
def command(
    product: str | None,
    disease: str | None,
    outcomes: tuple[str, ...],
    parameters: tuple[str, ...],
    patients: int | None,
    trajectories: int | None,
    top: int,
    jobs: int | None,
    seed: int,
    out: Path | None,
    for_machines: bool,
    quiet: bool,
    force: bool,
) -> None:
    """Screen the numbers of the cards: which of them move peak, cytokine release, response and survival.

    Elementary effects (Morris): in the same virtual patients, with the same luck, one number after the other is moved
    within its range. mu* is the mean change of the outcome over the whole range of the number, sigma its spread over
    the other numbers. Needs SALib: pip install 'vein2vein[sensitivity]'.
    """
    if quiet:
        options.idle("--quiet", "top")
    if for_machines:
        options.idle("--json", "top")
    from vein2vein.engine.llvm.threads import available
    from vein2vein.inference.sensitivity import screening
    from vein2vein.inference.sensitivity.effects import library

    library()
    chosen = screening.design(product or screening.PRODUCT, disease, outcomes, parameters)
    folder = out or console.results_folder(f"sensitivity-{chosen.product.name}-{chosen.disease.name}-seed{seed}")
    console.new_folder(folder, (EFFECTS, INFLUENTIAL, DATA), force=force)
    with console.progress("sensitivity", for_machines=for_machines, quiet=quiet) as report:
        found = screening.screen(
            chosen.product, chosen.disease, patients=patients, trajectories=trajectories, outcomes=outcomes,
            parameters=parameters, seed=seed, jobs=jobs or available(), progress=report,
        )  # fmt: skip
    effects, influential = [_effect(row) for row in found.rows], [_influence(one) for one in found.influential]
    data = {
        "provenance": found.provenance, "on_cards": found.on_cards, "counts": found.counted(),
        "influential": influential, "effects": effects, "not_varied": found.fixed,
    }  # fmt: skip
    text = json.dumps(console.as_json(data), indent=1, ensure_ascii=False)
    files = {
        "Effects": write_text(folder / EFFECTS, _csv(effects), force=force),
        "Influential numbers": write_text(folder / INFLUENTIAL, _csv(influential), force=force),
        "Data": write_text(folder / DATA, text + "\n", force=force),
    }
    console.tell_notes(found.notes, for_machines=for_machines, quiet=quiet)
    if for_machines:
        for name, rows in (("effect", effects), ("influential", influential)):
            for row in () if quiet else rows:
                console.emit(name, **row)
        console.emit("counts", **found.counted())
    else:
        if not quiet:
            _print(found, top)
        _print_counts(found)
    for what, path in files.items():
        console.tell(f"{what}: {path}", "file", for_machines, path=path, what=what)


def _effect(row: Row) -> dict[str, object]:
    found = {name: value for name, value in vars(row).items() if name not in ("number", "sign")}
    return {**found, "sign": SIGNS[row.sign] if row.moves else "", **vars(row.number)}


def _influence(one: Influence) -> dict[str, object]:
    found = {name: value for name, value in vars(one).items() if name != "number"}
    return {**found, **vars(one.number), "unsupported": one.number.unsupported}


def _csv(rows: Sequence[dict[str, object]]) -> str:
    from vein2vein.io.record.write import safe_cell

    text = io.StringIO()
    if rows:
        table = csv.writer(text, lineterminator="\n")
        table.writerow(rows[0])
        table.writerows([safe_cell(value) for value in row.values()] for row in rows)
    return text.getvalue()


def _print(found: Screening, top: int) -> None:
    from vein2vein.inference.sensitivity.outcomes import outcomes

    for name, value in found.on_cards.items():
        one, rows = outcomes()[name], [row for row in found.rows if row.outcome == name and row.moves]
        title = f"{one.title}, in {one.unit}; {number(value)} with the numbers of the cards"
        console.table(HEADERS, [_cells(row) for row in rows[:top]], title=title, right=(2, 4, 5, 6), whole=(0, 1))
        if len(rows) > top:
            console.say(f"and {len(rows) - top} more that move it")


def _cells(row: Row) -> tuple[str, ...]:
    one = row.number
    effect = (number(value) for value in (row.mu_star, row.half_width, row.sigma))
    return one.name, one.card, number(one.value), one.unit, *effect, SIGNS[row.sign], one.basis, one.source


def _print_counts(found: Screening) -> None:
    counts, facts = found.counted(), found.provenance
    console.say(
        f"{counts['numbers']} most influential numbers of {facts['numbers']} varied ({facts['sets']} parameter sets of "
        f"{facts['patients']} patients): {counts['unsupported']} are assumed or cite our own report."
    )
    bases = ", ".join(
        f"{basis.removeprefix('basis: ')} {n}" for basis, n in counts.items() if basis.startswith("basis")
    )
    console.say(f"They rest on: {bases}.")
