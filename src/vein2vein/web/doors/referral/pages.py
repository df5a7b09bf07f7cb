"""A referral: intake step by step, criteria of the labels, centers, the stay; and the papers, as a folder and one PDF."""

from __future__ import annotations

import datetime
import io
import tempfile
import threading
import zipfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal

from fastapi import File, Form, Query, UploadFile
from starlette.responses import Response

from vein2vein.clinic.care.labels import WORDS as STATES
from vein2vein.errors import InputError
from vein2vein.explain import facts, referral
from vein2vein.explain.languages import Catalog, Words, all_languages, find_language
from vein2vein.explain.print_page import find_browser
from vein2vein.explain.referral import Case, case_of
from vein2vein.explain.referral_page import BUNDLE, PAGE, PRINT, times_of, write_referral
from vein2vein.web import patient_file
from vein2vein.web.door import Door
from vein2vein.web.doors.referral import intake
from vein2vein.web.guard import DOCUMENT_POLICY
from vein2vein.web.doors.referral.intake import RECORDS_AT_HAND, TREATMENTS, Step, as_typed, facts_named, steps_of
from vein2vein.web.page import Page, See
from vein2vein.web.patient_file import BASED_ON, card_of, choice, disease_choices, faulty, fields, filled, text_of
from vein2vein.web.plain_words import lines, told
from vein2vein.web.uploads import TOML, take
from vein2vein.web.visit import Filled, Typed, Visit, Visited
from vein2vein.web.words import said
from vein2vein.web.workspace import Changed, Input

KIND = "referral"
FOLDER, PATIENT = "referral.zip", "patient.toml"
BEGIN = ("name", "disease", "age", intake.LANGUAGE)
NO_BROWSER = said(
    "No Chromium, Chrome or Edge was found on this computer, so there is no PDF; show the papers and print them from your browser."
)
DOOR = Door(
    "referral",
    said("A referral"),
    said(
        "For a patient anywhere who seeks treatment: intake step by step, criteria of the labels, the papers for a center."
    ),
)
_printing = threading.Lock()  # one browser at a time
Wanted = Literal["referral.html", "referral.pdf", "referral.fhir.json", "referral.zip"]


@DOOR.page("/referral")
def start(visit: Visited) -> Page:
    """Begin a referral, open a file, or go on with one."""
    return _begin(visit, "", {})


@DOOR.change("/referral/new", form=True)
def new(visit: Visited, typed: Filled) -> See | Page:
    """Begin a referral."""
    text = ""
    try:
        text = filled("", typed, BEGIN)
        case = _case(text)
    except InputError as problem:
        return _begin(visit, text, typed, problem)
    kept = visit.workspace.add(KIND, _name(case), text, TOML)
    return See(f"/referral/{kept.id}/intake/{intake.FIRST}")


@DOOR.change("/referral/open")
def open_file(visit: Visited, file: Annotated[UploadFile, File()]) -> See:
    """Begin with a patient's file."""
    upload = take(file, TOML)
    text = text_of(upload)
    return See(f"/referral/{visit.workspace.add(KIND, _name(_case(text, upload.name)), text, TOML).id}")


@DOOR.page("/referral/{key}/intake/{step}")
def asked(visit: Visited, key: str, step: str) -> Page:
    """Show a page of the intake."""
    there = patient_file.found(visit, key, KIND)
    text = there.text()
    return _asked(visit, there, _step(text, step), text, {BASED_ON: there.digest})


@DOOR.change("/referral/{key}/intake/{step}", form=True)
def answer(visit: Visited, key: str, step: str, typed: Filled) -> See | Page:
    """Keep a page of the intake, and go on to the next one."""
    there = patient_file.found(visit, key, KIND)
    before = text = there.text()
    shown = _step(before, step)
    ticks = typed.all("record") if RECORDS_AT_HAND in shown.paths else None
    try:
        text = filled(before, as_typed(typed, ticks), shown.paths)
        case = _case(text)
        patient_file.saved(visit, there, text, typed, _name(case))
    except (InputError, Changed) as problem:
        return _asked(visit, there, shown, before, typed, problem)
    names = list(steps_of(case.card))
    following = names[names.index(step) + 1] if step not in (intake.LAST, names[-1]) else ""
    return See(
        f"/referral/{there.id}/intake/{following}" if following and "done" not in typed else f"/referral/{there.id}"
    )


@DOOR.page("/referral/{key}")
def criteria(visit: Visited, key: str) -> Page:
    """Show which criteria of which label are met, not met or unknown, and what would settle them."""
    there, case = _opened(visit, key)
    steps = steps_of(case.card)
    open_facts: dict[str, str] = {}
    for label in case.labels:
        for field, settles in label.settles.items():
            open_facts |= dict(facts_named(settles, field))
    data = {
        **_head(there, case),
        "labels": [_label(one) for one in case.labels if one.uses],
        "others": [one.why for one in case.labels if not one.uses],
        "to_obtain": [
            {"meaning": meaning, "step": next((one.name for one in steps.values() if path in one.paths), "more"),
             "place": f"f-{path.replace('.', '-')}"}
            for path, meaning in open_facts.items()
        ],
        "products": [choice(one.name, f"{one.title} ({one.brand})") for one in case.products],
    }  # fmt: skip
    return _page(there, "referral/criteria.html.j2", data)


@DOOR.page("/referral/{key}/center")
def center(visit: Visited, key: str) -> Page:
    """Show kinds of center and how to find one, the time line of the stay, and questions about costs."""
    there, case = _opened(visit, key)
    words = _words(visit, case)
    rtl = words.catalog.direction == "rtl"

    def say(name: str, **values: Any) -> dict[str, str]:
        return told(words(name, **values), rtl=rtl)

    listed, neutral = referral.finders(case)
    stay = {end: words.number(facts.numbers().number("stay", end, "value")) for end in ("low", "high")}
    data = {
        **_head(there, case),
        "find": say("refer_find_title"),
        "kinds_intro": say("refer_kinds_intro"),
        "kinds": lines(words.lines("refer_kinds"), rtl=rtl),
        "examples": say("refer_examples", names=words.names(referral.examples())),
        "find_intro": say("refer_find_intro"),
        "finders": listed,
        "find_neutral": say("refer_find_neutral"),
        "neutral": neutral,
        "find_call": say("refer_find_call"),
        "time": say("refer_time_title"),
        "time_intro": say("path_intro"),
        "times": [_time(words, case, one, rtl) for one in case.products],
        "more": say("rule_more"),
        "stay": say("refer_stay", **stay),
        "cost": say("refer_cost_title"),
        "costs": lines(words.lines("refer_cost"), rtl=rtl),
    }
    return _page(there, "referral/center.html.j2", data)


@DOOR.page("/referral/{key}/papers")
def papers(visit: Visited, key: str) -> Page:
    """Show the facts of the letter and the records, and give the papers."""
    there, case = _opened(visit, key)
    words = _words(visit, case)
    rtl = words.catalog.direction == "rtl"
    browser = find_browser()
    data = {
        **_head(there, case),
        "language": _catalog(case, visit).name,
        "browser": browser is not None,
        "letter": [
            {"title": title, "rows": [{"title": row.title, "value": row.value} for row in rows]}
            for title, rows in (
                (said("Patient"), referral.who(case)), (said("Disease and treatment"), [*referral.course(case), *referral.history(case)]),
                (said("Values"), referral.values(case)),
            )
        ],
        "records": [
            {"name": told(words(f"record_{name}"), rtl=rtl), "there": at_hand, "state": told(words("at_hand" if at_hand else "to_obtain"))}
            for name, at_hand in referral.records(case)
        ],
        "records_title": told(words("records_title"), rtl=rtl),
        "records_intro": told(words("records_intro"), rtl=rtl),
    }  # fmt: skip
    return _page(there, "referral/papers.html.j2", data)


@DOOR.router.get("/referral/{key}/files/{name}", response_class=Response, response_model=None)
def files(visit: Visited, key: str, name: Wanted, show: Annotated[bool, Query()] = False) -> Response:
    """Send the papers: one of them, or all in a folder (zip); ``show`` opens the page to look at and print."""
    there, case = _opened(visit, key)
    content = _made(case, _catalog(case, visit), there, name)
    kinds = {
        PAGE: "text/html; charset=utf-8",
        PRINT: "application/pdf",
        BUNDLE: "application/fhir+json",
        FOLDER: "application/zip",
    }
    headers = {"content-security-policy": DOCUMENT_POLICY}
    if not (show and name == PAGE):
        headers["content-disposition"] = f'attachment; filename="{name}"'
    return Response(content, media_type=kinds[name], headers=headers)


@DOOR.change("/referral/{key}/family")
def family_page(visit: Visited, key: str, product: Annotated[str, Form(max_length=100)] = "") -> See:
    """Begin a family's page from the same facts."""
    there, case = _opened(visit, key)
    if product not in {one.name for one in case.products}:
        raise InputError("choose one of the products of this referral for the family's page.", field="product")
    text = filled(there.text(), {"explain.product": product}, ("explain.product",))
    return See(f"/family/{visit.workspace.add('family', there.name, text, TOML).id}")


@DOOR.change("/referral/{key}/remove")
def remove(visit: Visited, key: str) -> See:
    """Remove a referral with its file."""
    visit.workspace.remove(patient_file.found(visit, key, KIND).id)
    return See("/referral")


def _case(text: str, name: str = patient_file.NAME) -> Case:
    return case_of(card_of(text, name), datetime.date.today())[0]


def _opened(visit: Visit, key: str) -> tuple[Input, Case]:
    there = patient_file.found(visit, key, KIND)
    return there, _case(there.text())


def _name(case: Case) -> str:
    return case.told.name or case.title


def _words(visit: Visit, case: Case) -> Words:
    return Words(visit.words.catalog, child=facts.is_child(case.patient))


def _catalog(case: Case, visit: Visit) -> Catalog:
    """The family's language: as the intake says, else that of the page."""
    return find_language(case.referral.language) if case.referral.language else visit.words.catalog


def _made(case: Case, catalog: Catalog, there: Input, name: str) -> bytes:
    """Write the papers into a folder of their own for a moment, and give what was asked for."""
    browser = find_browser() if name in (PRINT, FOLDER) else None
    if name == PRINT and browser is None:
        raise InputError(NO_BROWSER)
    with tempfile.TemporaryDirectory(prefix="vein2vein-") as place, _printing:
        folder = Path(place) / "referral"
        write_referral(case, folder, catalog=catalog, made=datetime.datetime.now().astimezone(), browser=browser)
        if name != FOLDER:
            return (folder / name).read_bytes()
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
            for path in sorted(folder.iterdir()):
                archive.write(path, f"referral/{path.name}")
            archive.writestr(f"referral/{PATIENT}", there.text())
        return packed.getvalue()


def _head(there: Input, case: Case) -> dict[str, Any]:
    """What stands at the top of each page of a referral."""
    return {"id": there.id, "disease": case.title, "navigator": case.referral.navigator}


def _label(verdict: Any) -> dict[str, Any]:
    return {
        "title": f"{verdict.title} ({verdict.brand})",
        "state": STATES[verdict.state],
        "label": verdict.label,
        "notes": verdict.notes,
        "uses": [
            {
                "section": use.section, "text": use.text, "source": use.source,
                "criteria": [{"state": STATES[row.state], "text": row.text,
                              "obtain": [meaning for _, meaning in facts_named(row.settles, row.field)] if row.settles else []} for row in use.criteria],
            }
            for use in verdict.uses
        ],
    }  # fmt: skip


def _time(words: Words, case: Case, product: Any, rtl: bool) -> dict[str, Any]:
    """The time line of a product by its label."""
    found = times_of(words, case, product)
    return {
        "treatment": found["treatment"],
        "steps": [
            {"title": told(one["title"], rtl=rtl), "when": lines(one["when"], rtl=rtl)} for one in found["steps"]
        ],
        "rules": [
            {
                "text": told(text, rtl=rtl),
                "length": told(length, rtl=rtl) if length else None,
                "notes": lines(notes, rtl=rtl),
            }
            for text, length, notes in found["rules"]
        ],
    }


def _page(there: Input, template: str, data: Mapping[str, object]) -> Page:
    command = f"vein2vein refer inputs/{there.path.name} --out referral"
    return Page(template, "{name}", data, command=command, names={"name": there.name})


def _step(text: str, name: str) -> Step:
    steps = steps_of(card_of(text))
    if name not in steps:
        raise patient_file.Missing("there is no such step of the intake; go back to the referral.", field="step")
    return steps[name]


def _choices(visit: Visit) -> dict[str, list[dict[str, Any]]]:
    languages = [choice(one.english_name, one.name) for one in all_languages().values()]
    return {"disease": disease_choices(Words(visit.words.catalog), labels=True), intake.LANGUAGE: languages}


def _shown(text: str, paths: tuple[str, ...], typed: Mapping[str, str]) -> tuple[Any, ...]:
    """The fields with what was typed, so that nothing is lost where something is wrong."""
    found = [replace(one, value=typed.get(one.path, one.value)) for one in fields(text, paths, intake.WORDS)]
    held = intake.shown_lines(card_of(text))
    return tuple(replace(one, value=typed.get(TREATMENTS, held)) if one.path == TREATMENTS else one for one in found)


def _asked(
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
        "choices": {path: listed for path, listed in _choices(visit).items() if path in shown},
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
        command=f"vein2vein refer inputs/{there.path.name} --out referral",
        status=status,
    )


def _begin(visit: Visit, text: str, typed: Mapping[str, str], problem: InputError | None = None) -> Page:
    shown = tuple(replace(one, needed=one.path in ("disease", "age")) for one in _shown(text, BEGIN, typed))
    listed = [
        {"address": f"/referral/{one.id}", "name": one.name, "when": one.changed}
        for one in visit.workspace.listed(KIND, most=20)
    ]
    data = {
        "form": patient_file.Group("", "", shown) if problem is None else faulty(shown, problem),
        "choices": _choices(visit),
        "listed": listed,
    }
    return Page(
        "referral/start.html.j2",
        DOOR.title,
        data,
        command="vein2vein refer --help",
        status=200 if problem is None else 422,
    )
