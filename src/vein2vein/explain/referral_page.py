"""The papers of a referral, made to print: for the center in English, for the family in two languages."""

from __future__ import annotations

import datetime
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vein2vein import __version__
from vein2vein.clinic.care.labels import WORDS
from vein2vein.explain import facts, referral
from vein2vein.explain.languages import Catalog, Words
from vein2vein.explain.page import TEMPLATES, steps, times_of_the_label, treatment_of, visible
from vein2vein.explain.print_page import print_pdf
from vein2vein.explain.referral import Case
from vein2vein.explain.referral_bundle import bundle_of
from vein2vein.files import check_target, make_folder, write_text
from vein2vein.report import page
from vein2vein.report.look import font
from vein2vein.report.look import words as words_of_style
from vein2vein.therapy.product import Product

PAGE, PRINT, BUNDLE = "referral.html", "referral.pdf", "referral.fhir.json"


@dataclass(frozen=True)
class Written:
    """The files of a referral; ``printed`` is None where no browser printed it."""

    page: Path
    bundle: Path
    printed: Path | None


def write_referral(
    case: Case,
    folder: str | Path,
    *,
    catalog: Catalog,
    made: datetime.datetime,
    browser: str | None = None,
    force: bool = False,
) -> Written:
    """Write the papers of a referral: a page to print, a FHIR bundle and, with a browser, a PDF.

    Parameters
    ----------
    case : Case
    folder : str or Path
        Made where it is not there.
    catalog : Catalog
        The family's language.
    made : datetime
        When the papers are made, with its zone.
    browser : str, optional
        Prints the PDF; see ``find_browser``. None: no PDF.
    force : bool
        Overwrite existing files.

    Raises
    ------
    InputError
        A file that exists, a folder that cannot be made, a browser that prints nothing.
    """
    target = make_folder(folder)
    for name in (PAGE, BUNDLE, *([PRINT] if browser else [])):
        check_target(target / name, force=force)
    html = write_text(target / PAGE, referral_page(case, catalog=catalog, made=made), force=force)
    text = json.dumps(bundle_of(case, made), indent=1, ensure_ascii=True) + "\n"
    bundle = write_text(target / BUNDLE, text, force=force)
    printed = print_pdf(html, target / PRINT, browser, force=force) if browser else None
    return Written(html, bundle, printed)


def referral_page(case: Case, *, catalog: Catalog, made: datetime.datetime) -> str:
    """Return the papers as HTML text; see ``write_referral``."""
    words = Words(catalog, child=facts.is_child(case.patient))
    lists, neutral = referral.finders(case)
    return page.fill(
        "referral.html.j2",
        folder=TEMPLATES,
        t=words,
        catalog=catalog,
        made=made.date().isoformat(),
        name=visible(case.told.name),
        who=referral.who(case),
        course=referral.course(case),
        history=referral.history(case),
        values=referral.values(case),
        physician=case.referral.physician,
        center=case.referral.center,
        navigator=case.referral.navigator,
        labels=[one for one in case.labels if one.uses],
        others=[one for one in case.labels if not one.uses],
        states=WORDS,
        records=[(words(f"record_{name}"), there) for name, there in referral.records(case)],
        times=[{**times_of(words, case, one), "first": not i} for i, one in enumerate(case.products)],
        stay={end: words.number(facts.numbers().number("stay", end, "value")) for end in ("low", "high")},
        finders=lists,
        examples=words("refer_examples", names=words.names(referral.examples())),
        neutral=neutral,
        sources=facts.bibliography([], [rule for one in case.products for rule in facts.rules(one).values()]),
        version=__version__,
        color=words_of_style("color"),
        font=font(),
    )


def times_of(words: Words, case: Case, product: Product) -> dict[str, Any]:
    """The time line of a product by its label."""
    plan = facts.timing(case.patient, product)
    return {
        "treatment": treatment_of(product),
        "steps": steps(words, plan, case.disease.lineage, None),
        "rules": times_of_the_label(words, plan, driving=facts.may_drive(case.patient)),
    }
