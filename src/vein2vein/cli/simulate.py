"""vein2vein simulate: one patient's whole journey, or the spread of many who share what is known of this one."""

from __future__ import annotations

import functools
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from vein2vein.cli import console, options
from vein2vein.errors import InputError
from vein2vein.files import write_text
from vein2vein.report.beside import second_process

if TYPE_CHECKING:
    from vein2vein.cards import Card
    from vein2vein.journey.chart import Journey
    from vein2vein.report.beside import Ask
    from vein2vein.therapy.patient import Patient

REPORT, FIGURE = "report.html", "journey.svg"
AROUND = "journey"  # the figure of the days around the infusion, which has a file of its own
MOST_SENT = 4_000  # companions whose journeys a second process gets to draw; of more, it would hold too much memory
MOST_REPEATS = 100_000
SPREAD = (
    "each patient is under one set of the posterior sample: differences between the patients shown are differences "
    "between patients and what is not known of the model's numbers, together"
)
EXAMPLES = """\b
Examples:
  vein2vein simulate --init patient.toml
  vein2vein simulate patient.toml --product tisagenlecleucel --dose 3.1e6/kg --seed 3
  vein2vein simulate patient.toml --product tisagenlecleucel --repeat 200 --seed 7 --json
  vein2vein simulate patient.toml --product tisagenlecleucel --repeat 200 --parameters posterior
  vein2vein simulate --fit vein2vein-results/study-stein_2019 --repeat 500
  vein2vein simulate --fit first --dose 0:320,24:160 --until 72 --covariate WT=80
"""


@click.command("simulate", cls=options.Command, epilog=EXAMPLES)
@click.argument("patient", required=False, type=options.PATH, metavar="[PATIENT.TOML]")
@options.product("CAR-T product ('vein2vein products' lists them), or a card of your own.")
@options.dose("Viable CAR+ cells, per kg as 3.1e6/kg or in all as 1e8 (default: the label's target).")
@click.option(
    "--conditioning", metavar="NAME", help="Lymphodepletion by name, or none (default: the product's usual one)."
)
@options.policy("When tocilizumab, steroids, G-CSF and immunoglobulin are given (default: as the journey says).")
@options.absent_target
@options.seed("journey")
@click.option(
    "--repeat",
    type=click.IntRange(1, MOST_REPEATS),
    default=1,
    show_default=True,
    metavar="N",
    help="Patients who share what is known of this one.",
)
@options.parameters("typical", "each patient is then under one of them.")
@click.option(
    "--fit",
    "fitted",
    type=options.PATH,
    metavar="FOLDER",
    help="Simulate new patients from a fit ('vein2vein fit'); --dose is then TIME:AMOUNT[:RATE],...",
)
@click.option("--until", type=float, metavar="TIME", help="With --fit: last time (default: the last of the study).")
@click.option(
    "--covariate",
    "covariates",
    multiple=True,
    metavar="NAME=VALUE",
    help="With --fit: of all new patients; others are drawn from the study.",
)
@click.option(
    "--draws",
    type=click.IntRange(0, 10_000),
    default=100,
    show_default=True,
    metavar="N",
    help="With --fit: draws of the estimates for the bands; 0: none.",
)
@options.out_folder("Folder for report and figure (default: vein2vein-results/<patient>-<product>-seed<S>).")
@options.init("Write an example patient to start from")
@options.for_machines("progress, parameters, step, day, report; with --fit note, row, file, report")
@options.quiet("No progress and no tables; only where the report is.")
@options.force
def command(
    patient: Path | None,
    product: str | None,
    dose: str | None,
    conditioning: str | None,
    policy: str | None,
    absent_target: bool,
    seed: int,
    repeat: int,
    parameters: str,
    fitted: Path | None,
    until: float | None,
    covariates: tuple[str, ...],
    draws: int,
    out: Path | None,
    init: Path | None,
    for_machines: bool,
    quiet: bool,
    force: bool,
) -> None:
    """Simulate one patient's journey, from the blood and back.

    PATIENT.TOML says what is known of the patient; --init writes an example. Its table [scenario], as the page of one
    patient saves it, may say what is given; what is asked for here goes before it. Shows what happened at each step and
    the days around the infusion, and writes a figure and a report.
    """
    if init is not None:
        from vein2vein.therapy import patient as patients

        then = f"simulate {init} --product tisagenlecleucel --seed 3"
        text = patients.example_patient_text()
        options.start_file(init, text, then, force=force, for_machines=for_machines, quiet=quiet)
        return
    if fitted is not None:
        from vein2vein.cli.simulate_fit import simulate_fit

        simulate_fit(
            fitted,
            dose,
            until,
            covariates,
            draws,
            seed,
            repeat,
            out,
            for_machines=for_machines,
            quiet=quiet,
            force=force,
        )
        return
    options.needs("--fit", "until", "covariates", "draws")
    if patient is None:
        raise InputError("which patient? Give a patient file; --init FILE writes an example to start from.")
    from vein2vein.cards import read_card
    from vein2vein.journey.scenario import scenario_of

    card = read_card(patient)
    planned = scenario_of(card)
    product, dose = product or planned.product or None, dose or planned.dose or None
    policy, conditioning = policy or planned.policy or None, conditioning or planned.conditioning
    seed = options.chosen("seed", seed, planned.seed)
    repeat = options.chosen("repeat", repeat, planned.companions)
    if product is None:
        from vein2vein.therapy.product import all_products

        raise InputError(
            f"which product? Add --product with one of {', '.join(all_products())}, or a card of your own."
        )
    with second_process(wanted=repeat <= MOST_SENT) as ask, console.no_garbage():
        _run(
            card,
            patient,
            product,
            dose,
            conditioning,
            policy,
            absent_target,
            seed,
            repeat,
            parameters,
            out,
            ask,
            for_machines,
            quiet,
            force,
        )


def _run(
    card: Card,
    file: Path,
    product: str,
    dose: str | None,
    conditioning: str,
    policy: str | None,
    absent_target: bool,
    seed: int,
    repeat: int,
    parameters: str,
    out: Path | None,
    ask: Ask,
    for_machines: bool,
    quiet: bool,
    force: bool,
) -> None:
    from vein2vein.inference.posterior import sample_for, told
    from vein2vein.inference.sets_side_by_side import each_under
    from vein2vein.journey.chart import simulate
    from vein2vein.report.patient import draw_patient, patient_page
    from vein2vein.therapy.disease import find_disease
    from vein2vein.therapy.patient import patient_from_card, patient_name
    from vein2vein.therapy.product import find_product
    from vein2vein.therapy.scenario import numbers_of
    from vein2vein.therapy.targets import absent, check_targets, told_of

    own = numbers_of(card)
    (known, noticed), chosen = patient_from_card(card), find_product(product)
    disease, densities = find_disease(known.disease), told_of(known)
    check_targets(chosen, disease, densities, asked=absent_target)
    options.acts_on_targets(absent_target, absent(chosen, disease, densities))
    sample, _ = sample_for(parameters)
    if own and sample:
        raise InputError(
            "the file sets numbers of the model under [scenario.numbers], and --parameters posterior draws them; take "
            "one of the two."
        )
    folder = out or console.results_folder(f"{file.stem}-{chosen.name}-seed{seed}")
    console.new_folder(folder, (REPORT, FIGURE), force=force)
    patients = known if repeat == 1 else _companions(known, repeat, seed)
    with console.progress(file.stem, for_machines=for_machines, quiet=quiet) as report:
        treat = simulate if policy is None else functools.partial(simulate, policy=policy)
        sets, constants = each_under(sample, chosen, disease, patients.number, seed) if sample else (None, None)
        journey = treat(
            patients, chosen, dose=dose, regimen=conditioning, absent_target=absent_target, overlay=sets or own,
            constants=constants, seed=seed, progress=report,
        )  # fmt: skip
        used = told(sample, len(sets.sets) if sets else 0)
        if own:
            changed = ", ".join(f"{name} = {one.value:g} {one.unit}" for name, one in own.parameters.items())
            used = f"{used}; of the scenario: {changed}"
        journey = _with_numbers(journey, used, (SPREAD,) if sample else ())
        spread = None if repeat == 1 else journey
        drawn = functools.cache(ask(draw_patient, journey, 0, spread))
    # what is told is told while the other process draws
    console.tell_notes((*noticed, *journey.notes), for_machines=for_machines, quiet=quiet)
    if for_machines:
        console.emit("parameters", text=used)
        _emit(journey, spread)
    elif not quiet:
        _print(journey, spread)
        console.say(f"Numbers of the model: {used}.")
    text = patient_page(journey, 0, spread, patient_name(card), drawn)
    made = {picture.name: picture.svg for picture in drawn()}
    files = {"Figure": write_text(folder / FIGURE, made[AROUND], force=force)} if AROUND in made else {}
    files["Report"] = write_text(folder / REPORT, text, force=force)
    for what, path in files.items():
        console.tell(f"{what}: {path}", what.lower(), for_machines, path=path)


def _with_numbers(journey: Journey, used: str, notes: tuple[str, ...]) -> Journey:
    """The journey that says which numbers of the model it used."""
    provenance = journey.provenance.copy()
    provenance["parameters"] = used
    return replace(journey, provenance=provenance, notes=(*journey.notes, *notes))


def _companions(known: Patient, count: int, seed: int) -> Patient:
    from vein2vein.trials.virtual_patients import companions

    return companions(known, count, seed)


def _emit(journey: Journey, spread: Journey | None) -> None:
    from vein2vein.report.figures_patient import One
    from vein2vein.report.patient import chances, day_table, steps

    one = One(journey, 0, spread)
    for step, text in steps(one):
        console.emit("step", step=step, text=text)
    headers, rows = day_table(one) if bool(journey.infused[0]) else ([], [])
    for row in rows:
        console.emit("day", **{title: cell for (title, _), cell in zip(headers, row, strict=True)})
    for what, value, counted in chances(spread) if spread is not None else ():
        console.emit("spread", what=what, value=value, counted=counted)


def _print(journey: Journey, spread: Journey | None) -> None:
    from vein2vein.report.figures_patient import One
    from vein2vein.report.patient import chances, day_table, steps

    one = One(journey, 0, spread)
    console.table(("step", "what happened"), steps(one), title="The journey")
    if bool(journey.infused[0]):
        headers, rows = day_table(one)
        titles = [f"{title} {unit}".strip() for title, unit in headers]
        cells = [[console.grade(c) if isinstance(c, int) else c for c in row] for row in rows]
        console.table(titles, cells, title="Day by day, then the visits", right=range(len(titles) - 1))
    elif spread is None:
        seed = int(journey.provenance["seed"])
        console.say(
            f"Another seed is another luck: --seed {seed + 1}; --repeat 200 shows how often patients like this one are "
            "infused."
        )
    if spread is not None:
        console.table(
            ("outcome", "share or median", "counted on"),
            chances(spread),
            title=f"{len(spread.infused)} patients who share what is known of this one",
        )
