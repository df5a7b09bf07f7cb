"""vein2vein explain: the patient's own path in plain words, as a page to read and to print."""

from __future__ import annotations

from pathlib import Path

import click

from vein2vein.cli import console, options
from vein2vein.files import check_target

COMPANIONS = 300
MOST_COMPANIONS = 100_000
EXAMPLES = """\b
Examples:
  vein2vein explain patient.toml --product tisagenlecleucel
  vein2vein explain patient.toml --product tisagenlecleucel --language es --infusion-date 2027-01-10
  vein2vein explain patient.toml --product kymriah --language Arabic --no-simulation --out page.html
What the patient's file may say instead of an option:
  [explain]
  product = "tisagenlecleucel"
  infusion_date = "2027-01-10"
  companions = 300                              # 0: only published rates
"""


@click.command("explain", cls=options.Command, epilog=EXAMPLES)
@click.argument("patient", type=options.PATH, metavar="PATIENT.TOML")
@options.product("CAR-T product ('vein2vein products' lists them), or a card of your own.")
@options.language
@click.option("--infusion-date", metavar="DATE", help="Day of the infusion, such as 2027-01-10: the plan shows dates.")
@click.option(
    "--companions",
    type=click.IntRange(20, MOST_COMPANIONS),
    default=None,
    metavar="N",
    help=f"Virtual patients who share what is known of this one (default: {COMPANIONS}).",
)
@click.option("--calendar", is_flag=True, help="Add a calendar of the plan and what to pack.")
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
    companions: int | None,
    calendar: bool,
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
    from vein2vein.explain.languages import find_language
    from vein2vein.explain.page import write_explanation
    from vein2vein.explain.plan import journeys, plan_of

    if no_simulation:
        options.idle("--no-simulation", "companions", "seed")
    catalog = find_language(language)
    plan = plan_of(
        read_card(patient), otherwise=COMPANIONS, companions=0 if no_simulation else companions, product=product,
        infusion_date=infusion_date,
    )  # fmt: skip
    path = check_target(out or Path(f"{patient.stem}-{plan.product.name}-{catalog.code}.html"), force=force)
    spread, noticed = None, plan.notes
    if plan.companions:
        with console.progress(patient.stem, for_machines=for_machines, quiet=quiet) as report:
            spread = journeys(plan, seed=seed, progress=report)
    write_explanation(
        plan.patient, plan.product, path, language=catalog.code, spread=spread, seed=seed,
        infusion_date=plan.infusion_date, calendar=calendar, name=plan.name, force=force,
    )  # fmt: skip
    console.tell_notes(noticed, for_machines=for_machines, quiet=quiet)
    if for_machines:
        console.emit("page", path=path, language=catalog.code, status=catalog.status)
        return
    click.echo(f"Page: {path}")
    if not quiet:
        console.say(f"{catalog.english_name}: {catalog.status}", stderr=True)
