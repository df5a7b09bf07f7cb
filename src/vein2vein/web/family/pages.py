"""The pages of a family: its path in plain words and in its language, with calendar and lists, to print or to send."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Any, cast

from fastapi import File, Query, UploadFile
from starlette.responses import HTMLResponse, Response

from vein2vein.errors import InputError
from vein2vein.explain import facts
from vein2vein.explain.page import explanation_page, told_on_page
from vein2vein.explain.plan import Plan, plan_of
from vein2vein.therapy.product import all_products
from vein2vein.web import patient_file
from vein2vein.web.family import model
from vein2vein.web.family.plain_faults import age_check, plainly, without_units_of_labels
from vein2vein.web.family.told import OnPage, chances_of, path_of, ready_of
from vein2vein.web.guard import DOCUMENT_POLICY
from vein2vein.web.page import Page, See
from vein2vein.web.patient_file import (
    BASED_ON,
    card_of,
    choice,
    disease_choices,
    faulty,
    fields,
    filled,
    retyped,
    text_of,
)
from vein2vein.web.uploads import TOML, take
from vein2vein.web.visit import Filled, Visit, Visited
from vein2vein.web.words import said
from vein2vein.web.workspace import Changed, Input

KIND = "family"
COMPANIONS = 200  # virtual patients of a quick answer
MODEL = f"{model.__name__}:shares"
MOST_REMEMBERED = 32
WORDS = {
    "name": (said("Name on these pages"), said("A first name is enough. No birth date.")),
    "disease": (said("Disease"), ""),
    "age": (said("Age in years"), ""),
    "weight": (said("Weight in kg"), ""),
    "explain.product": (said("Treatment"), said("Ask your team if you do not know it.")),
    "explain.infusion_date": (said("Planned day of the infusion"), said("The calendar counts from this day.")),
    "explain.collection_date": (said("Day of the cell collection"), said("If it is known.")),
}
"""What the form asks, in the order in which it asks."""
PYTHON = """\
from vein2vein.cards import read_card
from vein2vein.explain.page import write_explanation
from vein2vein.explain.plan import plan_of{more}

plan = plan_of(read_card("{file}"), otherwise=0)
write_explanation(
    plan.patient, plan.product, "family.html", language="{language}", infusion_date=plan.infusion_date,
    calendar=True, name=plan.name{model},
)"""
NEEDED = ("disease", "age", "explain.product")
DATES = ("explain.infusion_date", "explain.collection_date")
ELSEWHERE = {
    "days.leukapheresis": "explain.collection_date",
    "days.lymphodepletion": "explain.collection_date",
    "infusion-date": "explain.infusion_date",
    "product": "explain.product",
}
"""Where the fault of a field stands that the form does not ask."""
_shown_before: OrderedDict[str, facts.Simulated] = OrderedDict()


def start(visit: Visited) -> Page:
    """Ask the few facts that the page needs, or for the team's file; list the pages that were made."""
    return _form(visit, "", "/family/new", {})


def new(visit: Visited, typed: Filled) -> See | Page:
    """Make a page."""
    text = ""
    try:
        text = filled("", typed, WORDS)
        plan = _plan(text)
    except InputError as problem:
        return _form(visit, text, "/family/new", typed, problem=problem)
    return See(f"/family/{visit.workspace.add(KIND, _name(text, plan), text, TOML).id}")


def open_file(visit: Visited, file: Annotated[UploadFile, File()]) -> See:
    """Make a page from the file that a team gave."""
    upload = take(file, TOML)
    text = text_of(upload)
    card = card_of(text, upload.name)
    try:
        name = _name(text, _plan(text, upload.name))
    except InputError as problem:
        if problem.field != "explain.product" or card.get("explain", "product"):
            raise
        name = str(
            card.get("name", default="") or upload.name
        )  # the file of a simulation: the form asks for the product
        kept = visit.workspace.add(KIND, name, text, TOML)
        return See(f"/family/{kept.id}/facts")
    return See(f"/family/{visit.workspace.add(KIND, name, text, TOML).id}")


def path(visit: Visited, key: str) -> Page:
    """Show when to call, the path step by step, and the calendar."""
    there, on_page, check = _opened(visit, key)
    return _page(there, on_page, check, "family/path.html.j2", path_of(on_page))


def ready(visit: Visited, key: str) -> Page:
    """Show what to pack and bring, how to stay safe, and what to ask."""
    there, on_page, check = _opened(visit, key)
    return _page(there, on_page, check, "family/ready.html.j2", ready_of(on_page))


def chances(visit: Visited, key: str) -> Page:
    """Show what may happen and how often, what a serious form means, and the warnings of the label."""
    there, on_page, check = _opened(visit, key)
    return _page(there, on_page, check, "family/chances.html.j2", chances_of(on_page))


def facts_page(visit: Visited, key: str) -> Page:
    """Show the form again, to change it."""
    there = patient_file.found(visit, key, KIND)
    return _form(visit, there.text(), f"/family/{there.id}/facts", {BASED_ON: there.digest}, there=there)


def change(visit: Visited, key: str, typed: Filled) -> See | Page:
    """Keep what was changed."""
    there = patient_file.found(visit, key, KIND)
    before = text = there.text()
    try:
        text = filled(before, typed, WORDS)
        plan = _plan(text)
        patient_file.saved(visit, there, text, typed, _name(text, plan))
    except (InputError, Changed) as problem:
        return _form(visit, text, f"/family/{there.id}/facts", typed, there=there, problem=problem)
    return See(f"/family/{there.id}")


def add_model(visit: Visited, key: str) -> See:
    """Let virtual patients who share what is known go the same path; how often what came stands beside the studies."""
    there = patient_file.found(visit, key, KIND)
    text = filled(there.text(), {"explain.companions": str(COMPANIONS)}, ("explain.companions",))
    if _plan(text).companions:
        answer = cast("Mapping[str, Any]", visit.quick.ask(f"family {there.id}", MODEL, {"text": text}))
        shares = {name: facts.Share(**one) for name, one in answer["shares"].items()}
        kept = visit.workspace.save(there.id, text, based_on=there.digest)
        _shown_before[kept.digest] = facts.Simulated(answer["companions"], shares)
        while len(_shown_before) > MOST_REMEMBERED:
            _shown_before.popitem(last=False)
    return See(f"/family/{there.id}/chances")


def remove(visit: Visited, key: str) -> See:
    """Remove a page with its file."""
    visit.workspace.remove(patient_file.found(visit, key, KIND).id)
    return See("/family")


def whole(visit: Visited, key: str, save: Annotated[bool, Query()] = False) -> Response:
    """Send the page as one file that stands for itself: to look at and print, or (``save``) for a telephone."""
    there = patient_file.found(visit, key, KIND)
    plan = _plan(there.text())
    shown = explanation_page(
        plan.patient, plan.product, language=visit.words.catalog, spread=_shown_before.get(there.digest),
        infusion_date=plan.infusion_date, calendar=True, name=plan.name,
    )  # fmt: skip
    name = f"family-{plan.product.name}-{visit.words.code}.html"
    extra = {"content-disposition": f'attachment; filename="{name}"'} if save else {}
    return HTMLResponse(shown, headers={"content-security-policy": DOCUMENT_POLICY, **extra})


def _plan(text: str, name: str = patient_file.NAME) -> Plan:
    return plan_of(card_of(text, name), otherwise=0)


def _opened(visit: Visit, key: str) -> tuple[Input, OnPage, str]:
    """The file, what its page tells in the reader's language, and what of its facts is to be looked at again."""
    there = patient_file.found(visit, key, KIND)
    plan = _plan(there.text())
    on_page = told_on_page(
        plan.patient, plan.product, language=visit.words.catalog, spread=_shown_before.get(there.digest),
        infusion_date=plan.infusion_date, calendar=True, name=plan.name,
    )  # fmt: skip
    return there, on_page, age_check(visit.words, plan.patient)


def _page(there: Input, on_page: OnPage, check: str, template: str, told: Mapping[str, object]) -> Page:
    options = ["--calendar"]
    options += [f"--language {on_page['catalog'].code}"] if on_page["catalog"].code != "en" else []
    options += [] if on_page["companions"] else ["--no-simulation"]
    command = f"vein2vein explain {there.file_name} {' '.join(options)}"
    python = PYTHON.format(
        file=there.file_name, language=on_page["catalog"].code,
        model=", spread=shown_by_companions(plan)" if on_page["companions"] else "",
        more=", shown_by_companions" if on_page["companions"] else "",
    )  # fmt: skip
    data = {"id": there.id, "name": there.name, "check": check, **told}
    return Page(template, "{name}", data, python=python, command=command, names={"name": there.name})


def _form(
    visit: Visit,
    text: str,
    action: str,
    typed: Mapping[str, str],
    *,
    there: Input | None = None,
    problem: InputError | Changed | None = None,
) -> Page:
    """The form, with what was typed and what is wrong with it."""
    asked = without_units_of_labels(retyped(fields(text, WORDS, WORDS), typed))
    shown = tuple(replace(one, needed=one.path in NEEDED) for one in asked)
    form = patient_file.Group("", "", shown)
    if isinstance(problem, InputError):
        form = faulty(shown, problem, ELSEWHERE)
    elif problem is not None:
        form = replace(form, fault=problem.text)
    listed = [
        {"address": f"/family/{one.id}", "name": one.name, "when": one.changed}
        for one in visit.workspace.listed(KIND, most=20)
    ]
    products = [choice(one.name, f"{one.brand} ({one.title})" if one.brand else one.title) for one in _labelled()]
    data = {
        "action": action,
        "id": there.id if there else "",
        "based_on": typed.get(BASED_ON, there.digest if there else ""),
        "form": form,
        "plainly": plainly(visit.words, form, DATES),
        "choices": {"disease": disease_choices(visit), "explain.product": products},
        "dates": DATES,
        "listed": [] if there else listed,
    }
    status = 200 if problem is None else 422 if isinstance(problem, InputError) else 409
    title = said("The facts of these pages") if there else said("A family")
    return Page("family/form.html.j2", title, data, command="vein2vein explain --help", status=status)


def _labelled() -> list[Any]:
    """The products behind which a label stands, by the names that families read."""
    return sorted(
        (one for one in all_products().values() if facts.labelled(one)),
        key=lambda one: (one.brand or one.title).lower(),
    )


def _name(text: str, plan: Plan) -> str:
    own = str(card_of(text).get("name", default=""))
    return own or plan.product.brand or plan.product.title
