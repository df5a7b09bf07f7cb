"""Trials: one file as a form and as text, its arms side by side, runs as jobs, the outcome by arm, downloads."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any, cast

from fastapi import File, Form, UploadFile

from vein2vein.cards import Card, parse_card
from vein2vein.clinic.care.policy import policies
from vein2vein.errors import InputError
from vein2vein.therapy.disease import all_diseases
from vein2vein.therapy.product import all_products
from vein2vein.web.door import Door
from vein2vein.web.doors.jobs import whole_job
from vein2vein.web.fields import Group, fields_in, form_of
from vein2vein.web.form_text import ADD, ADD_NAME, REMOVE, with_typed
from vein2vein.web.jobs.table import Job
from vein2vein.web.jobs.trial_run import CHUNKS, HEADLINE, REPORT, WHOLE
from vein2vein.web.names_only import refuse_paths, without_paths
from vein2vein.web.page import Page, Part, See
from vein2vein.web.uploads import TOML, take
from vein2vein.web.visit import Filled, Typed, Visit, Visited
from vein2vein.web.words import said
from vein2vein.web.workspace import Changed, Input

if TYPE_CHECKING:  # what reads and runs trials is loaded with the first trial: the server starts without it
    from vein2vein.trials.arms import Arm
    from vein2vein.trials.trial import Trial

FILE = "the trial"
LEFT = ("published", "assay", "cutoffs")
"""Tables that stand in the text alone: as rows they would make a form that nobody reads."""
LONGEST = 500_000  # characters of a trial
MOST_WHOLE, MOST_CHUNKED, CHUNK = 2_000, 200_000, 250
MOST_RUNS = 30  # shown of one trial
LARGEST_SEED = 2**53  # whole numbers up to here are exact in every program that reads the file
CALL = """import vein2vein as v2v

result = v2v.run_trial("{file}", seed=1)
for row in result.comparison:
    print(row)"""
DOOR = Door(
    "trials",
    said("Trials"),
    said("Design a trial as a form or as a file, set its arms side by side, run it in virtual patients."),
    jobs={"whole": WHOLE, "chunks": CHUNKS},
)


@dataclass(frozen=True)
class Draft:
    """A trial as somebody has it before them.

    Attributes
    ----------
    text : str
    trial : Trial or None
        None where it has a fault.
    problem : InputError or None
    """

    text: str
    trial: Trial | None
    problem: InputError | None


@DOOR.page("/trials")
def trials(visit: Visited) -> Page:
    """Show the trials of this workspace, and those to start from."""
    from vein2vein.trials.trial import list_trials

    own = [{"id": one.id, "name": one.name, "changed": one.changed} for one in visit.workspace.listed("trials")]
    published = [{"name": name, "title": title} for name, title in list_trials().items()]
    return Page("trials/list.html.j2", DOOR.title, {"own": own, "published": published}, command="vein2vein trials")


@DOOR.change("/trials/new")
def new(visit: Visited, base: Annotated[str, Form(max_length=100)] = "") -> See:
    """Begin a trial: from the commented template, or from a copy of one that comes with vein2vein."""
    from vein2vein.trials.trial import list_trials, load_trial, trial_template_text

    if base and base not in list_trials():
        raise InputError(f"there is no trial '{base[:60]}' to start from; choose one of the list.", field="base")
    text = load_trial(base).text if base else without_paths(trial_template_text())
    return See(f"/trials/{visit.workspace.add('trials', _title(text), text, TOML).id}")


@DOOR.change("/trials/open")
def open_file(visit: Visited, file: Annotated[UploadFile, File()]) -> See:
    """Take a trial file; one with faults is taken as well, and shows them at their place."""
    found = take(file, TOML)
    try:
        text = found.content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise InputError("is not UTF-8 text; save it as UTF-8.", file=found.name) from None
    if len(text) > LONGEST:
        raise InputError(f"holds more than {LONGEST:,} characters; give a trial file.", file=found.name)
    parse_card(text, found.name)
    return See(f"/trials/{visit.workspace.add('trials', _title(text) or found.name, text, TOML).id}")


@DOOR.page("/trials/{key}")
def trial(visit: Visited, key: str) -> Page:
    """Show a trial: form, text, arms, runs."""
    kept = _trial(visit, key)
    return _page(visit, kept, _draft(kept.text()), kept.digest)


@DOOR.part("/trials/{key}/check", form=True)
def check(visit: Visited, key: str, typed: Filled) -> Part:
    """Bring form and text together, and say what is wrong at its place."""
    draft = _typed(typed)
    return Part("trials/editor.html.j2", _editor(draft))


@DOOR.change("/trials/{key}/save", form=True)
def save(visit: Visited, key: str, typed: Filled) -> See | Page:
    """Keep the trial where it can be read; what somebody else saved in between stays, and what was typed, too."""
    kept = _trial(visit, key)
    draft, based_on = _typed(typed), typed.get("based_on", "")
    if ADD in typed or REMOVE in typed:
        return _page(visit, kept, draft, based_on)
    if draft.problem is not None:
        return _page(visit, kept, draft, based_on, status=422)
    if "as_new" in typed:
        return See(f"/trials/{visit.workspace.add('trials', _title(draft.text), draft.text, TOML).id}")
    try:
        visit.workspace.save(key, draft.text, based_on=based_on, name=_title(draft.text))
    except Changed as problem:
        return _page(visit, kept, draft, based_on, status=409, conflict=problem.text)
    return See(f"/trials/{key}")


@DOOR.change("/trials/{key}/run")
def run(
    visit: Visited,
    key: str,
    patients: Annotated[str, Form(max_length=20)] = "",
    seed: Annotated[str, Form(max_length=20)] = "1",
    kind: Annotated[str, Form(max_length=10)] = "whole",
) -> See | Page:
    """Run the trial as it was saved."""
    kept = _trial(visit, key)
    draft = _draft(kept.text())
    try:
        if draft.trial is None:
            raise draft.problem or InputError("the trial cannot be read; mend it first.")
        if kind not in DOOR.jobs:
            raise InputError(f"found '{kind}', expected whole or chunks.", field="kind")
        most = MOST_WHOLE if kind == "whole" else MOST_CHUNKED
        count = _whole_number("patients", patients or str(draft.trial.patients), 1, most)
        luck = _whole_number("seed", seed, 0, LARGEST_SEED)
    except InputError as problem:
        return _page(visit, kept, draft, kept.digest, status=422, refused=problem)
    asked = {"trial": key, "text": draft.text, "patients": count, "seed": luck, "chunk": CHUNK}
    job = visit.jobs.start(DOOR.name, kind, f"{draft.trial.name}: {count} patients, seed {luck}", asked)
    return See(f"/trials/{key}/runs/{job.id}")


@DOOR.page("/trials/{key}/runs/{job}")
def one_run(visit: Visited, key: str, job: str) -> Page:
    """Show a run: how far it is, then its outcome by arm and its files."""
    kept, found = _trial(visit, key), _run(visit, key, job)
    asked = found.asked
    call = f'"trial.toml", patients={asked["patients"]}, seed={asked["seed"]}'
    chunked = found.kind == "chunks"
    python = (
        f'from vein2vein.runs.large import run_large\n\nresult = run_large("trial.toml", "results", '
        f"patients={asked['patients']}, seed={asked['seed']}, chunk={asked['chunk']})"
        if chunked
        else f'import vein2vein as v2v\n\nresult = v2v.run_trial({call})\nv2v.write_trial_report(result, "report.html")'
    )
    more = f" --chunk {asked['chunk']}" if chunked else ""
    return Page(
        "trials/run.html.j2",
        said("Run: {name}"),
        {**_outcome(found), **whole_job(visit, job), "trial": {"id": key, "name": kept.name}},
        python=python,
        command=f"vein2vein trial trial.toml --patients {asked['patients']} --seed {asked['seed']}{more}",
        names={"name": found.title},
    )


@DOOR.poll("/trials/{key}/runs/{job}/outcome")
def outcome(visit: Visited, key: str, job: str) -> Part:
    """Show the outcome of a run, once it is there."""
    return Part("trials/outcome.html.j2", {**_outcome(_run(visit, key, job)), "job": {"id": job}})


def _page(
    visit: Visit, kept: Input, draft: Draft, based_on: str, *, status: int = 200, conflict: str = "",
    refused: InputError | None = None,
) -> Page:  # fmt: skip
    runs = [
        {"id": one.id, "title": one.title, "state": one.state, "made": one.made}
        for one in visit.jobs.recent(10_000)
        if one.door == DOOR.name and one.asked.get("trial") == kept.id
    ][:MOST_RUNS]
    data = {
        **_editor(draft),
        "id": kept.id,
        "name": kept.name,
        "based_on": based_on,
        "conflict": conflict,
        "refused": refused.text if refused else "",
        "runs": runs,
        "patients": draft.trial.patients if draft.trial else None,
        "most": {"whole": MOST_WHOLE, "chunks": MOST_CHUNKED, "chunk": CHUNK},
    }
    return Page(
        "trials/trial.html.j2",
        "{name}",
        data,
        python=CALL.format(file=kept.file_name),
        command=f"vein2vein trial {kept.file_name} --seed 1",
        status=status,
        names={"name": kept.name},
    )


def _editor(draft: Draft) -> dict[str, object]:
    problem = draft.problem
    fault = None
    if problem is not None:
        fault = {"sentence": problem.text, "line": problem.line, "field": problem.field}
    return {
        "text": draft.text,
        "form": _form(draft.text, problem),
        "fault": fault,
        "arms": [] if draft.trial is None else arms_beside(draft.trial),
    }


def arms_beside(one: Trial) -> list[dict[str, object]]:
    """The arms of a trial side by side; a trial without arms is one."""
    given = one.arms or (None,)
    return [_column(one, arm) for arm in given]


def _column(trial: Trial, arm: Arm | None) -> dict[str, object]:
    """One arm, or a trial without arms, as a column."""
    own = arm or trial
    cells = own.comparator is None
    policy = (arm.policy if arm else "") or trial.policy
    return {
        "name": own.name,
        "size": arm.size if arm else trial.enrolled or trial.patients,
        "disease": own.disease.title,
        "product": own.product.title if cells else "",
        "dose": (own.dose or said("the label's")) if cells else "",
        "conditioning": (own.conditioning or said("the usual one")) if cells else "",
        "policy": policy if cells else "",
        "comparator": own.comparator.title if own.comparator else "",
        "laws": list(own.population),
    }


def _draft(text: str) -> Draft:
    """Read a trial; what is wrong with it belongs to it."""
    from vein2vein.trials.trial import read_trial

    try:
        return Draft(text, read_trial(refuse_paths(parse_card(text, FILE))), None)
    except InputError as problem:
        return Draft(text, None, problem)


def _form(text: str, problem: InputError | None) -> Group | None:
    """The form of a text; None where the text is no TOML, so that nothing is made of it."""
    from vein2vein.trials.trial_card import trial_card

    try:
        card: Card = parse_card(text, FILE)
    except InputError:
        return None
    arms: Any = card.data.get("arms")
    rows = range(len(cast("list[Any]", arms)) if isinstance(arms, list) else 0)
    tables = ("trial", *(f"arms.{i}" for i in rows))
    suggested = {f"{table}.{field}": names for table in tables for field, names in _names().items()}
    return form_of(trial_card(), card.data, leave=LEFT, problem=problem, suggested=suggested)


@cache
def _names() -> dict[str, tuple[str, ...]]:
    """Cards by the field that names them: offered while one types."""
    from vein2vein.trials.comparator import list_comparators

    return {
        "disease": tuple(all_diseases()),
        "product": tuple(all_products()),
        "policy": tuple(policies()),
        "comparator": tuple(list_comparators()),
    }


def _typed(typed: Typed) -> Draft:
    """The text with what was changed in the form since it was shown: both may have been changed."""
    from vein2vein.trials.trial_card import trial_card

    text, shown = _lines(typed.get("text", "")), _lines(typed.get("shown", ""))
    if max(len(text), len(shown)) > LONGEST:
        raise InputError(f"found more than {LONGEST:,} characters; a trial file is shorter.", field="text")
    form = _form(shown, None)
    before: Mapping[str, str] = {one.path: one.value for one in fields_in(form)} if form else {}
    changed = {
        path: value
        for path, value in typed.items()
        if path in (ADD, REMOVE)
        or path.startswith(ADD_NAME)
        or (path in before and value.strip() != before[path].strip())
    }
    if changed:
        try:
            text = with_typed(trial_card(), text, changed)
        except InputError as problem:
            return Draft(text, None, problem)
    return _draft(text)


def _lines(text: str) -> str:
    """A text as a file has it: a browser sends its own ends of lines."""
    return text.replace("\r\n", "\n").removeprefix("\ufeff")


def _title(text: str) -> str:
    """What a trial calls itself."""
    trial: Any = parse_card(text, FILE).data.get("trial")
    told: Mapping[str, Any] = cast("Mapping[str, Any]", trial) if isinstance(trial, Mapping) else {}
    return str(told.get("title") or told.get("name") or "")


def _whole_number(name: str, text: str, low: int, high: int) -> int:
    try:
        found = int(text)
    except ValueError:
        found = low - 1
    if not low <= found <= high:
        raise InputError(f"found '{text[:40]}' for {name}, expected a whole number from {low} to {high:,}.", field=name)
    return found


def _trial(visit: Visit, key: str) -> Input:
    found = visit.workspace.find(key)
    if found.kind != "trials":
        raise InputError(f"'{found.name}' is no trial; open it from the start page.", field="key")
    return found


def _run(visit: Visit, key: str, job: str) -> Job:
    found = visit.jobs.find(job)
    if found.door != DOOR.name or found.asked.get("trial") != key:
        raise InputError("this job is no run of this trial; go back to the trial.", field="job")
    return found


def _outcome(job: Job) -> dict[str, object]:
    """The ten lines by arm, as the run left them."""
    file = job.folder / HEADLINE
    done = job.state == "done" and file.is_file()
    blocks: list[dict[str, Any]] = json.loads(file.read_text(encoding="utf-8")) if done else []
    names = list(dict.fromkeys(name for one in blocks for name in one["lines"]))
    return {
        "run": {
            "trial": str(job.asked.get("trial")),
            "ended": job.has_ended,
            "state": job.state,
            "report": done and (job.folder / REPORT).is_file(),
        },
        "blocks": [str(one["title"]) for one in blocks],
        "outcome": [{"name": name, "cells": [str(one["lines"].get(name, "")) for one in blocks]} for name in names],
    }
