"""vein2vein compare: designs on the same virtual patients, with the difference and its interval."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from vein2vein.cli import console, options
from vein2vein.cli.console import interval, number
from vein2vein.errors import InputError
from vein2vein.files import write_text

if TYPE_CHECKING:
    from vein2vein.trials.contrast import Difference
    from vein2vein.trials.trial import Trial

REPORT, DATA = "report.html", "comparison.json"
WIDTHS = (0, 18, 14, 14, 26)
EXAMPLES = """\b
Examples:
  vein2vein compare --trial eliana --product tisagenlecleucel --product obecabtagene_autoleucel
  vein2vein compare --trial eliana --dose 1e6/kg --dose 5e6/kg --patients 300
  vein2vein compare --trial eliana --policy astct_2019 --policy early_conservative
  vein2vein compare a.toml b.toml --json
  vein2vein compare --trial zuma_1 --product axi-cel --product liso-cel --parameters typical
"""


@click.command("compare", cls=options.Command, epilog=EXAMPLES)
@click.argument("trials", nargs=-1, metavar="[A B]")
@click.option("--trial", "base", metavar="NAME|FILE", help="Trial whose patients are treated in two ways.")
@options.product("Product; once for each design.", multiple=True)
@options.dose('Dose such as "2e6/kg"; once for each design.', multiple=True)
@click.option(
    "--conditioning", "regimens", multiple=True, metavar="NAME", help="Lymphodepletion; once for each design."
)
@options.policy("When tocilizumab, steroids and so on are given; once for each design.", multiple=True)
@click.option("--arm", "arms", multiple=True, metavar="NAME", help="Arm of a trial that has several; one per design.")
@options.absent_target
@options.patients(
    10,
    100_000,
    "Virtual patients enrolled in both, under each parameter set (default: 100; under the cards' numbers alone as the "
    "first trial says).",
)
@options.parameters(
    None,
    "both designs under the same ones, so that the intervals hold what is not known of the numbers (default: posterior "
    "where it fits the cards; else the intervals hold sampling error only).",
)
@options.seed("patients and differences")
@options.out_folder("Folder for the report (default: vein2vein-results/compare-seed<S>).")
@options.for_machines("progress, note, assumed, row, report")
@options.quiet("No progress and no table; only where the report is.")
@options.force
def command(
    trials: tuple[str, ...],
    base: str | None,
    products: tuple[str, ...],
    doses: tuple[str, ...],
    regimens: tuple[str, ...],
    policies: tuple[str, ...],
    arms: tuple[str, ...],
    absent_target: bool,
    patients: int | None,
    parameters: str | None,
    seed: int,
    out: Path | None,
    for_machines: bool,
    quiet: bool,
    force: bool,
) -> None:
    """Treat the same virtual patients in two ways and show the difference of each endpoint with its 95 % interval.

    Under the posterior sample the same patients are treated in both ways under each of some sets of the model's
    numbers, and the interval is that over sets and patients; of two products it holds the error of the model too. Under
    the numbers of the cards it holds sampling error only, and is no evidence that two products differ.

    Either two trials (names or files), or --trial with two values of --product, --dose, --conditioning, --policy or
    --arm; of a trial with several arms, --arm names one. An option given once holds for both designs. The patients are
    those of the first trial; they have the same luck in both.
    """
    from vein2vein.inference.model_error import widened_contrast
    from vein2vein.inference.posterior import choose, sample_for, told
    from vein2vein.inference.scoring import numbers
    from vein2vein.inference.sets_side_by_side import same_patients
    from vein2vein.report.comparison import as_data, assumed, comparison_page
    from vein2vein.trials.contrast import contrast, once

    changes = {"product": products, "dose": doses, "conditioning": regimens, "policy": policies}
    first, second = _designs(trials, base, changes, arms, absent_target)
    folder = out or console.results_folder(f"compare-seed{seed}")
    console.new_folder(folder, (REPORT, DATA), force=force)
    sample, note = sample_for(parameters)
    if note:
        console.tell_notes([note], for_machines=for_machines, quiet=False)
    sets = choose(sample, int(numbers().sets), seed) if sample else []
    with console.progress("compare", for_machines=for_machines, quiet=quiet) as report:
        result = contrast(
            first,
            second,
            patients=patients or (int(numbers().under_each) if sets else None),
            seed=seed,
            treat=same_patients(sets) if sets else once,
            parameters=told(sample, len(sets)),
            progress=report,
        )
    if sets:
        result = widened_contrast(result, apart=first.product.name != second.product.name)
    data = write_text(folder / DATA, json.dumps(as_data(result), indent=1, ensure_ascii=False), force=force)
    page = write_text(folder / REPORT, comparison_page(result), force=force)
    console.tell_notes(result.notes, for_machines=for_machines, quiet=quiet)
    if for_machines:
        console.emit("assumed", sets=result.sets, text=assumed(result))
        for row in () if quiet else result.rows:
            console.emit("row", **vars(row))
        console.emit("report", path=page, data=data)
        return
    if not quiet:
        headers = ("endpoint", "unit, of whom", *result.names, "difference (95 %)")
        console.table(headers, [_cells(row) for row in result.rows], right=(2, 3, 4), widths=WIDTHS)
    for sentence in assumed(result)[-1:] if quiet else assumed(result):
        console.say(sentence)
    click.echo(f"Data: {data}")
    click.echo(f"Report: {page}")


def _designs(
    trials: tuple[str, ...],
    base: str | None,
    changes: Mapping[str, tuple[str, ...]],
    arms: tuple[str, ...],
    absent_target: bool,
) -> tuple[Trial, Trial]:
    from vein2vein.therapy.targets import absent, densities
    from vein2vein.trials.contrast import check_pair, design
    from vein2vein.trials.trial import check_apart, load_trial

    asked = ", ".join(f"--{name}" for name in (*changes, "arm"))
    if base is None and not trials:
        raise InputError(f"compare what? Give two trials, or --trial with two of {asked}.")
    if base is not None and trials:
        raise InputError(f"found --trial {base} and '{trials[0]}'; give either two trials or --trial, not both.")
    if trials and len(trials) != 2:
        raise InputError(f"found {len(trials)} trial{'s' * (len(trials) != 1)}, expected two to compare.")
    for name, values in {**changes, "arm": arms}.items():
        if len(values) > 2:
            raise InputError(f"found --{name} {len(values)} times, expected once (for both designs) or twice.")
    if not trials and not any(len(values) == 2 for values in (*changes.values(), arms)):
        raise InputError(f"both designs would be the same; give one of {asked} twice.")
    loaded = [load_trial(name) for name in (trials or (str(base), str(base)))]
    if trials:
        check_apart(loaded)
    armed = [side for side, trial in enumerate(loaded) if trial.arms]
    if len(arms) > max(len(armed), 1):
        raise InputError(f"found --arm {len(arms)} times, but {len(armed)} of the designs come from a trial with arms.")
    if arms and not armed:
        raise InputError(f"found --arm {arms[0]}, but {loaded[0].name} has no arms; leave it out.")
    own = dict(zip(armed, (arms * 2)[: len(armed)], strict=True)) if arms else {}
    made: list[Trial] = []
    for side, trial in enumerate(loaded):
        chosen = {name: (values * 2)[side] for name, values in changes.items() if values}
        if side in own:
            standard = any(arm.name == own[side] and arm.comparator for arm in trial.arms)
            shared = {name for name, values in changes.items() if len(values) == 1}
            chosen = {name: value for name, value in chosen.items() if not (standard and name in shared)}
            chosen["arm"] = own[side]
        one = design(trial, **chosen, absent_target=absent_target)
        made.append(replace(one, name=f"{trial.name}, {one.name}") if trials and chosen else one)
    options.acts_on_targets(
        absent_target, *(absent(one.product, one.disease, densities(one.population)) for one in made)
    )
    if not trials and made[0].name == made[1].name:
        raise InputError(f"both designs would be the same, {made[0].name}; give two values that differ.")
    check_pair(made[0], made[1])
    return made[0], made[1]


def _cells(row: Difference) -> tuple[str, ...]:
    unit = f"{row.unit}, {row.among}"
    if row.missing:
        return row.quantity, unit, "", "", row.missing
    sign = "x " if row.ratio else ""
    around = interval(row.low, row.high)
    shown = f"{sign}{number(row.difference)} ({around})" if around else f"{sign}{number(row.difference)}"
    return row.quantity, unit, number(row.first), number(row.second), shown
