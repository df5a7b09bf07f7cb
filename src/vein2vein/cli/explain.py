"""vein2vein explain: the patient's own path in plain words, as a page to read and to print."""

from __future__ import annotations

from pathlib import Path

import click

from vein2vein.cli import console, options
from vein2vein.errors import InputError
from vein2vein.files import check_target

COMPANIONS = 300
MOST_COMPANIONS = 100_000
EXAMPLES = """\b
Examples:
  vein2vein explain patient.toml --product tisagenlecleucel
  vein2vein explain patient.toml --product tisagenlecleucel --language es --infusion-date 2027-01-10
  vein2vein explain patient.toml --product kymriah --language Arabic --no-simulation --out page.html
"""


@click.command("explain", cls=options.Command, epilog=EXAMPLES)
@click.argument("patient", type=options.PATH, metavar="PATIENT.TOML")
@options.product("CAR-T product ('vein2vein products' lists them), or a card of your own.")
@options.language
@click.option("--infusion-date", metavar="DATE", help="Day of the infusion, such as 2027-01-10: the plan shows dates.")
@click.option(
    "--companions",
    type=click.IntRange(20, MOST_COMPANIONS),
    default=COMPANIONS,
    show_default=True,
    metavar="N",
    help="Virtual patients who share what is known of this one.",
)
@click.option("--no-simulation", is_flag=True, help="Only published rates, no model.")
@options.seed("page")
@options.out_file("HTML file (default: PATIENT-PRODUCT-CODE.html).")
@options.for_machines("progress, note, page")
@options.quiet("No progress; only warnings, and where the page is.")
@options.force
def command(
    patient: Path,
    product: str | None,
    language: str,
    infusion_date: str | None,
    companions: int,
    no_simulation: bool,
    seed: int,
    out: Path | None,
    for_machines: bool,
    quiet: bool,
    force: bool,
) -> None:
    """Explain a patient's own path in plain words, as an HTML page to print.

    What each step is and when it comes, what may happen and how often (published rates first, then what the model
    adds), when to call the care team, long-term follow-up, records to bring, questions to ask, a wallet card. The page
    supports the care team and does not replace it. Nothing leaves this computer.
    """
    from vein2vein.cards import read_card
    from vein2vein.explain import facts
    from vein2vein.explain.languages import find_language
    from vein2vein.explain.page import read_date, write_explanation
    from vein2vein.therapy.disease import find_disease
    from vein2vein.therapy.patient import PAPERS_LACK, not_given, patient_from_card, select
    from vein2vein.therapy.product import all_products, find_product
    from vein2vein.therapy.targets import check_targets, told_of

    if no_simulation:
        options.idle("--no-simulation", "companions", "seed")
    catalog = find_language(language)
    read_date(infusion_date)
    if product is None:
        raise InputError(
            f"which product? Add --product with one of {', '.join(all_products())}, or a card of your own."
        )
    known, noticed = patient_from_card(read_card(patient), may_lack=PAPERS_LACK)
    chosen = find_product(product)
    check_targets(chosen, find_disease(known.disease), told_of(known), remedy="")
    path = check_target(out or Path(f"{patient.stem}-{chosen.name}-{catalog.code}.html"), force=force)
    spread = None
    comparable = facts.comparable(known, chosen)
    noticed = tuple(note for note in noticed if not note.startswith("not given"))  # no typical value is told here
    if not facts.weight_known(known):
        noticed = (
            *noticed,
            "weight is not given: the page shows it as to obtain, and nothing that depends on it"
            f"{'' if no_simulation else ', so no model'}",
        )
    if not facts.approved(known, chosen):
        noticed = (*noticed, f"{chosen.name} is not listed as approved for this disease and age; the page says so")
    if not comparable and not no_simulation:
        noticed = (
            *noticed,
            "the model was not compared with a study of this product, disease and age: published rates only",
        )
    if comparable and not no_simulation and facts.weight_known(known):
        from vein2vein.journey.chart import simulate
        from vein2vein.trials.virtual_patients import companions as drawn

        if lacking := not_given(known):
            noticed = (*noticed, f"not given, and different from companion to companion: {', '.join(lacking)}")
        # the first one has typical values where the card gives none, among them a sex
        others = select(drawn(known, companions + 1, seed), range(1, companions + 1))
        with console.progress(patient.stem, for_machines=for_machines, quiet=quiet) as report:
            spread = simulate(others, chosen, seed=seed, progress=report)
    write_explanation(
        known, chosen, path, language=catalog.code, spread=spread, seed=seed, infusion_date=infusion_date, force=force
    )
    console.tell_notes(noticed, for_machines=for_machines, quiet=quiet)
    if for_machines:
        console.emit("page", path=path, language=catalog.code, status=catalog.status)
        return
    click.echo(f"Page: {path}")
    if not quiet:
        console.say(f"{catalog.english_name}: {catalog.status}", stderr=True)
