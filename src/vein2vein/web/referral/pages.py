"""The pages of a referral: intake step by step, criteria of the labels, centers and the stay, and the papers."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import File, Form, Query, UploadFile
from starlette.responses import Response

from vein2vein.errors import InputError
from vein2vein.explain import facts
from vein2vein.explain.languages import Catalog, Words, find_language
from vein2vein.explain.print_page import find_browser
from vein2vein.explain.referral import Case, case_of
from vein2vein.explain.referral_page import PAGE
from vein2vein.therapy.patient_notes import AGE_OF_OTHERS
from vein2vein.web import patient_file
from vein2vein.web.family.plain_faults import age_check
from vein2vein.web.guard import DOCUMENT_POLICY
from vein2vein.web.page import Page, See
from vein2vein.web.patient_file import BASED_ON, card_of, filled, text_of
from vein2vein.web.plain_words import own_text
from vein2vein.web.plain_words import told as in_words
from vein2vein.web.referral import intake
from vein2vein.web.referral.forms import BEGIN, begin_page, step_of, step_page
from vein2vein.web.referral.intake import RECORDS_AT_HAND, as_typed, steps_of
from vein2vein.web.referral.names import KIND, Wanted
from vein2vein.web.referral.papers import KINDS
from vein2vein.web.referral.papers import papers as papers_as_files
from vein2vein.web.referral.told import center_of, criteria_of, papers_of
from vein2vein.web.uploads import TOML, take
from vein2vein.web.visit import Filled, Visit, Visited
from vein2vein.web.workspace import Changed, Input

PYTHON = """\
import datetime

from vein2vein.cards import read_card
from vein2vein.explain.languages import find_language
from vein2vein.explain.referral import case_of
from vein2vein.explain.referral_page import write_referral

made = datetime.datetime.now().astimezone()
case, notes = case_of(read_card("{file}"), made.date())
write_referral(case, "referral", catalog=find_language("{language}"), made=made)"""


def start(visit: Visited) -> Page:
    """Begin a referral, open a file, or go on with one."""
    return begin_page(visit, "", {})


def new(visit: Visited, typed: Filled) -> See | Page:
    """Begin a referral."""
    text = ""
    try:
        text = filled("", typed, BEGIN)
        case, _ = _case(text)
    except InputError as problem:
        return begin_page(visit, text, typed, problem)
    kept = visit.workspace.add(KIND, _name(case), text, TOML)
    return See(f"/referral/{kept.id}/intake/{intake.FIRST}")


def open_file(visit: Visited, file: Annotated[UploadFile, File()]) -> See:
    """Begin with a patient's file."""
    upload = take(file, TOML)
    text = text_of(upload)
    return See(f"/referral/{visit.workspace.add(KIND, _name(_case(text, upload.name)[0]), text, TOML).id}")


def asked(visit: Visited, key: str, step: str) -> Page:
    """Show a page of the intake."""
    there = patient_file.found(visit, key, KIND)
    text = there.text()
    return step_page(visit, there, step_of(text, step), text, {BASED_ON: there.digest})


def answer(visit: Visited, key: str, step: str, typed: Filled) -> See | Page:
    """Keep a page of the intake, and go on to the next one."""
    there = patient_file.found(visit, key, KIND)
    before = text = there.text()
    shown = step_of(before, step)
    ticks = typed.all("record") if RECORDS_AT_HAND in shown.paths else None
    try:
        text = filled(before, as_typed(typed, ticks), shown.paths)
        case, _ = _case(text)
        patient_file.saved(visit, there, text, typed, _name(case))
    except (InputError, Changed) as problem:
        return step_page(visit, there, shown, before, typed, problem)
    names = list(steps_of(case.card))
    following = names[names.index(step) + 1] if step not in (intake.LAST, names[-1]) else ""
    return See(
        f"/referral/{there.id}/intake/{following}" if following and "done" not in typed else f"/referral/{there.id}"
    )


def criteria(visit: Visited, key: str) -> Page:
    """Show which criteria of which label are met, not met or unknown, and what would settle them."""
    there, case, notes = _opened(visit, key)
    told = {**criteria_of(case), "notes": [one for one in notes if not one.startswith(AGE_OF_OTHERS)]}
    return _page(visit, there, case, "referral/criteria.html.j2", told)


def center(visit: Visited, key: str) -> Page:
    """Show kinds of center and how to find one, the time line of the stay, and questions about costs."""
    there, case, _ = _opened(visit, key)
    return _page(visit, there, case, "referral/center.html.j2", center_of(case, _words(visit, case)))


def papers(visit: Visited, key: str) -> Page:
    """Show the facts of the letter and the records, and give the papers."""
    there, case, _ = _opened(visit, key)
    told = papers_of(case, _words(visit, case))
    told |= {"language": _catalog(case, visit).name, "browser": find_browser() is not None}
    return _page(visit, there, case, "referral/papers.html.j2", told)


def files(visit: Visited, key: str, name: Wanted, show: Annotated[bool, Query()] = False) -> Response:
    """Send the papers: one of them, or all in a folder (zip); ``show`` opens the page to look at and print."""
    there, case, _ = _opened(visit, key)
    content = papers_as_files(case, _catalog(case, visit), there.text(), name)
    headers = {"content-security-policy": DOCUMENT_POLICY}
    if not (show and name == PAGE):
        headers["content-disposition"] = f'attachment; filename="{name}"'
    return Response(content, media_type=KINDS[name], headers=headers)


def family_page(visit: Visited, key: str, product: Annotated[str, Form(max_length=100)] = "") -> See:
    """Begin a family's page from the same facts."""
    there, case, _ = _opened(visit, key)
    if product not in {one.name for one in case.products}:
        raise InputError("choose one of the products of this referral for the family's page.", field="product")
    text = filled(there.text(), {"explain.product": product}, ("explain.product",))
    return See(f"/family/{visit.workspace.add('family', there.name, text, TOML).id}")


def remove(visit: Visited, key: str) -> See:
    """Remove a referral with its file."""
    visit.workspace.remove(patient_file.found(visit, key, KIND).id)
    return See("/referral")


def _case(text: str, name: str = patient_file.NAME) -> tuple[Case, tuple[str, ...]]:
    """A referral, and what is unusual in it."""
    return case_of(card_of(text, name), datetime.date.today())


def _opened(visit: Visit, key: str) -> tuple[Input, Case, tuple[str, ...]]:
    there = patient_file.found(visit, key, KIND)
    return (there, *_case(there.text()))


def _name(case: Case) -> str:
    return case.told.name or case.title


def _words(visit: Visit, case: Case) -> Words:
    return Words(visit.words.catalog, child=facts.is_child(case.patient))


def _catalog(case: Case, visit: Visit) -> Catalog:
    """The family's language: as the intake says, else that of the page."""
    return find_language(case.referral.language) if case.referral.language else visit.words.catalog


def _page(visit: Visit, there: Input, case: Case, template: str, told: Mapping[str, object]) -> Page:
    words = Words(visit.words.catalog)
    disease = words.name(str(case.card.get("disease")), case.title)
    data: dict[str, Any] = {
        "id": there.id,
        "disease": in_words(disease, rtl=words.catalog.direction == "rtl"),
        "navigator": case.referral.navigator,
        "check": age_check(visit.words, case.patient, own_text(disease)),
        **told,
    }
    command = f"vein2vein refer {there.file_name} --out referral --language {_catalog(case, visit).code}"
    python = PYTHON.format(file=there.file_name, language=_catalog(case, visit).code)
    return Page(template, "{name}", data, python=python, command=command, names={"name": there.name})
