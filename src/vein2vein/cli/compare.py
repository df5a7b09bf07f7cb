"""vein2vein compare: designs on the same virtual patients, with the difference and its interval."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from vein2vein.cli import console
from vein2vein.cli.console import interval, number
from vein2vein.errors import InputError

REPORT, DATA = "report.html", "comparison.json"
WIDTHS = (0, 14, 16, 16, 28)
EXAMPLES = """\b
Examples:
  vein2vein compare --trial eliana --product tisagenlecleucel --product obecabtagene_autoleucel
  vein2vein compare --trial eliana --dose 1e6/kg --dose 5e6/kg --patients 300
  vein2vein compare a.toml b.toml --json
"""


@click.command("compare", epilog=EXAMPLES)
@click.argument("trials", nargs=-1, metavar="[A.toml B.toml]")
@click.option("--trial", "base", metavar="NAME|FILE", help="Trial whose patients are treated in two ways.")
@click.option("--product", "products", multiple=True, metavar="NAME|FILE", help="Product; once for each design.")
@click.option("--dose", "doses", multiple=True, metavar="DOSE", help='Dose such as "2e6/kg"; once for each design.')
@click.option(
    "--conditioning", "regimens", multiple=True, metavar="NAME", help="Lymphodepletion; once for each design."
)
@click.option("--patients", type=click.IntRange(10, 100_000), metavar="N", help="Virtual patients enrolled in both.")
@click.option("--seed", type=click.IntRange(0), default=1, show_default=True, metavar="S", help="Seed of the run.")
@click.option("--out", type=click.Path(path_type=Path), metavar="DIR", help="Folder for the report.")
@click.option("--json", "for_machines", is_flag=True, help="JSON lines for machines (events progress, row).")
@click.option("--quiet", is_flag=True, help="No progress and no table; only where the report is.")
@click.option("--force", is_flag=True, help="Overwrite an existing report.")
def command(
    trials: tuple[str, ...], base: str | None, products: tuple[str, ...], doses: tuple[str, ...],
    regimens: tuple[str, ...], patients: int | None, seed: int, out: Path | None, for_machines: bool, quiet: bool,
    force: bool,
) -> None:  # fmt: skip
    """Treat the same virtual patients in two ways and show the difference of each endpoint with its 95 % interval.

    Either two trial files, or --trial with two values of --product, --dose or --conditioning. An option given once
    holds for both designs. The patients are those of the first trial; they have the same luck in both.
    """
    from vein2vein.report.comparison import as_data, comparison_page
    from vein2vein.report.page import write_whole
    from vein2vein.trials.contrast import contrast

    first, second = _designs(trials, base, products, doses, regimens)
    folder = console.new_folder(out or Path("vein2vein-results") / f"compare-seed{seed}", REPORT, force=force)
    with console.progress("compare", for_machines=for_machines, quiet=quiet) as report:
        result = contrast(first, second, patients=patients, seed=seed, progress=report)
    data = write_whole(folder / DATA, json.dumps(as_data(result), indent=1, ensure_ascii=False), force=force)
    page = write_whole(folder / REPORT, comparison_page(result), force=force)
    if for_machines:
        for row in result.rows:
            console.emit("row", **vars(row))
        console.emit("report", path=page, data=data)
        return
    if not quiet:
        headers = ("endpoint", "unit", *result.names, "difference (95 %)")
        console.table(headers, [_cells(row) for row in result.rows], right=(2, 3, 4), widths=WIDTHS)
    click.echo(f"Data: {data}")
    click.echo(f"Report: {page}")


def _designs(
    trials: tuple[str, ...], base: str | None, products: tuple[str, ...], doses: tuple[str, ...],
    regimens: tuple[str, ...],
) -> tuple[Any, Any]:  # fmt: skip
    from vein2vein.trials.checks import check_apart
    from vein2vein.trials.contrast import check_pair, design
    from vein2vein.trials.trial import load_trial

    if (base is None) == (not trials):
        raise InputError(
            "compare what? Give two trial files, or --trial with two of --product, --dose, --conditioning."
        )
    if trials and len(trials) != 2:
        raise InputError(f"found {len(trials)} trial{'s' * (len(trials) != 1)}, expected two to compare.")
    options = {"--product": products, "--dose": doses, "--conditioning": regimens}
    for name, values in options.items():
        if len(values) > 2:
            raise InputError(f"found {name} {len(values)} times, expected once (for both designs) or twice.")
    if not trials and not any(len(values) == 2 for values in options.values()):
        raise InputError("both designs would be the same; give --product, --dose or --conditioning twice.")
    loaded = [load_trial(name) for name in (trials or (str(base), str(base)))]
    if trials:
        check_apart(loaded)
    pairs = [(values * 2)[:2] if values else ("", "") for values in options.values()]
    made = [
        design(trial, product=product, dose=dose, conditioning=regimen)
        for trial, product, dose, regimen in zip(loaded, *pairs)
    ]
    if not trials and made[0].name == made[1].name:
        raise InputError(f"both designs would be the same, {made[0].name}; give two values that differ.")
    check_pair(made[0], made[1])
    return made[0], made[1]


def _cells(row: Any) -> tuple[str, ...]:
    if row.missing:
        return row.quantity, row.unit, "", "", row.missing
    sign = "x " if row.ratio else ""
    around = interval(row.low, row.high)
    shown = f"{sign}{number(row.difference)} ({around})" if around else f"{sign}{number(row.difference)}"
    return row.quantity, row.unit, number(row.first), number(row.second), shown
