"""vein2vein refer: the papers of a referral to a treatment center, as a folder and one PDF."""

from __future__ import annotations

import datetime
from pathlib import Path

import click

from vein2vein.cli import console, options
from vein2vein.errors import InputError

EXAMPLES = """\b
Examples:
  vein2vein refer patient.toml --out referral
  vein2vein refer patient.toml --out referral --language es
  vein2vein refer patient.toml --out referral --product kymriah --no-pdf
What only this command reads, in the patient's file (all of it may be left out):
  [referral]
  home = "Lima, Peru"                           # where the patient lives
  language = "Spanish"                          # of the family, where --language is not given
  navigator = "Ana Ruiz, +1 555 0100"           # who helps the family
  physician = "Dr. Example, Children's Hospital"
  center = "Example Cancer Center"
  helper = "the mother"                         # adult who stays with the patient
  found = "2023-04"                             # when the disease was found
  treatments = ["2023-04 to 2023-12: induction, complete remission"]
  state = "second relapse in the marrow"
  measured = "2026-11-20"                       # day of the values
  records = ["letter", "markers", "marrow"]     # at hand
"""


@click.command("refer", cls=options.Command, epilog=EXAMPLES)
@click.argument("patient", type=options.PATH, metavar="PATIENT.TOML")
@options.out_folder("Folder of the papers.")
@options.language
@options.product("One product only (default: every one with a label).")
@click.option("--browser", metavar="PROGRAM", help="Chromium, Chrome or Edge that prints the PDF (default: one found).")
@click.option("--no-pdf", is_flag=True, help="No PDF; the page is made to print.")
@options.for_machines("note, page, bundle, pdf")
@options.quiet("Only warnings, and where the papers are.")
@options.force
def command(
    patient: Path,
    out: Path | None,
    language: str,
    product: str | None,
    browser: str | None,
    no_pdf: bool,
    for_machines: bool,
    quiet: bool,
    force: bool,
) -> None:
    """Write the papers of a referral to a treatment center.

    A letter in English; criteria of the labels, met, not met or unknown, with what to obtain; and in the family's
    language a letter, the records that centers ask for, the time line of the stay, how to find a center, and questions
    about costs. A FHIR bundle lies beside them. What the file does not give is shown as to obtain, never guessed.
    The papers are no statement of eligibility: the center decides. Nothing leaves this computer.
    """
    from vein2vein.cards import read_card
    from vein2vein.explain.languages import find_language
    from vein2vein.explain.print_page import find_browser
    from vein2vein.explain.referral import case_of
    from vein2vein.explain.referral_page import write_referral
    from vein2vein.therapy.product import find_product

    if no_pdf:
        options.idle("--no-pdf", "browser")
    if out is None:
        raise InputError("where to? Add --out with the name of a folder.")
    made = datetime.datetime.now().astimezone()
    case, noticed = case_of(read_card(patient), made.date(), find_product(product) if product else None)
    catalog = find_language(language if options.given("language") else case.referral.language or language)
    printer = None if no_pdf else find_browser(browser)
    if printer is None and not no_pdf:
        noticed = (*noticed, "no Chromium, Chrome or Edge was found: no PDF; open the page and print it from a browser")
    if not case.products:
        noticed = (
            *noticed,
            "criteria of every label are known not to be met, or none has a use in this disease; the papers say which",
        )
    written = write_referral(case, out, catalog=catalog, made=made, browser=printer, force=force)
    console.tell_notes(noticed, for_machines=for_machines, quiet=quiet)
    console.tell(f"Page: {written.page}", "page", for_machines, path=written.page, language=catalog.code)
    console.tell(f"FHIR: {written.bundle}", "bundle", for_machines, path=written.bundle)
    if written.printed is not None:
        console.tell(f"PDF: {written.printed}", "pdf", for_machines, path=written.printed)
    if not (for_machines or quiet):
        console.say(f"{catalog.english_name}: {catalog.status}", stderr=True)
