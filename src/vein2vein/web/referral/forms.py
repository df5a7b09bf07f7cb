"""The forms of a referral: its beginning, and each step of the intake with what was typed and what is wrong with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from vein2vein.errors import InputError
from vein2vein.explain.languages import Words, all_languages
from vein2vein.therapy.antigens import NEGATIVE, POSITIVE
from vein2vein.web import patient_file
from vein2vein.web.family.plain_faults import plainly, without_units_of_labels
from vein2vein.web.fields import FormField
from vein2vein.web.page import Page
from vein2vein.web.patient_file import BASED_ON, card_of, choice, disease_choices, faulty, fields, retyped
from vein2vein.web.plain_words import told
from vein2vein.web.referral import intake
from vein2vein.web.referral.intake import RECORDS_AT_HAND, TREATMENTS, Step, steps_of
from vein2vein.web.referral.names import KIND, TITLE
from vein2vein.web.visit import Typed, Visit
from vein2vein.web.workspace import Changed, Input

BEGIN = ("name", "disease", "age", intake.LANGUAGE)


def choices_for(visit: Visit) -> dict[str, list[dict[str, Any]]]:
    """The choices of fields that have names of their own."""
    languages = [choice(one.english_name, one.name) for one in all_languages().values()]
    sexes = [choice(one, visit.words.attribute(one)) for one in intake.SEXES]
    return {"disease": disease_choices(visit, labels=True), intake.LANGUAGE: languages, "sex": sexes}


def _shown(text: str, paths: tuple[str, ...], typed: Mapping[str, str]) -> tuple[FormField, ...]:
    """The fields with what was typed, so that nothing is lost where something is wrong."""
    held = intake.shown_lines(text)
    found = (replace(one, value=held) if one.path == TREATMENTS else one for one in fields(text, paths, intake.WORDS))
    hinted = (
        replace(one, hint=intake.DENSITY, suggested=(POSITIVE, NEGATIVE)) if one.path.startswith("antigens.") else one
        for one in found
    )
    return without_units_of_labels(retyped(hinted, typed))


def step_page(
    visit: Visit,
    there: Input,
    step: Step,
    text: str,
    typed: Typed | Mapping[str, str],
    problem: InputError | Changed | None = None,
) -> Page:
    """A page of the intake, with what was typed and what is wrong with it."""
    fields_here = tuple(one for one in _shown(text, step.paths, typed) if one.path != RECORDS_AT_HAND)
    form = faulty(fields_here, problem) if isinstance(problem, InputError) else patient_file.Group("", "", fields_here)
    if isinstance(problem, Changed):
        form = replace(form, fault=problem.text)
    card = card_of(text)
    steps = steps_of(card)
    at_hand = typed.all("record") if isinstance(typed, Typed) else card.get("referral", "records", default=[])
    words = Words(visit.words.catalog)
    rtl = words.catalog.direction == "rtl"
    shown = {one.path for one in fields_here}
    data = {
        "id": there.id,
        "name": there.name,
        "step": step.name,
        "about": step.about,
        "steps": [{"name": one.name, "title": one.title} for one in steps.values()],
        "based_on": typed.get(BASED_ON, there.digest),
        "form": form,
        "plainly": plainly(visit.words, form, intake.DATES),
        "choices": {path: listed for path, listed in choices_for(visit).items() if path in shown},
        "dates": [path for path in intake.DATES if path in shown],
        "many": [path for path in intake.ONE_A_LINE if path in shown],
        "records": [
            {"value": name, "name": told(words(f"record_{name}"), rtl=rtl), "there": name in at_hand}
            for name in intake.RECORDS
        ]
        if RECORDS_AT_HAND in step.paths
        else [],
    }
    status = 200 if problem is None else 422 if isinstance(problem, InputError) else 409
    return Page(
        "referral/intake.html.j2",
        step.title,
        data,
        command=f"vein2vein refer {there.file_name} --out referral",
        status=status,
    )


def begin_page(visit: Visit, text: str, typed: Mapping[str, str], problem: InputError | None = None) -> Page:
    """The page on which a referral begins."""
    shown = tuple(replace(one, needed=one.path in ("disease", "age")) for one in _shown(text, BEGIN, typed))
    listed = [
        {"address": f"/referral/{one.id}", "name": one.name, "when": one.changed}
        for one in visit.workspace.listed(KIND, most=20)
    ]
    form = patient_file.Group("", "", shown) if problem is None else faulty(shown, problem)
    data = {
        "form": form,
        "plainly": plainly(visit.words, form),
        "choices": {path: listed for path, listed in choices_for(visit).items() if path in BEGIN},
        "listed": listed,
    }
    return Page(
        "referral/start.html.j2",
        TITLE,
        data,
        command="vein2vein refer --help",
        status=200 if problem is None else 422,
    )


def step_of(text: str, name: str) -> Step:
    """A page of the intake of this patient.

    Raises
    ------
    Missing
        There is none of this name.
    """
    steps = steps_of(card_of(text))
    if name not in steps:
        raise patient_file.Missing("there is no such step of the intake; go back to the referral.", field="step")
    return steps[name]
