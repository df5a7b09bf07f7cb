"""What the addresses of a study's data answer; the door names them and loads this with the first question."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlencode

from fastapi import UploadFile
from starlette.responses import Response

from vein2vein.errors import InputError
from vein2vein.io.check import DATA_SET, check_file
from vein2vein.io.study.columns import ENDING
from vein2vein.io.study.read import read_study
from vein2vein.models import catalogue
from vein2vein.therapy.curves import M6
from vein2vein.web.data import after_fit, fitting
from vein2vein.web.data.exploration import choices, kept
from vein2vein.web.doors.data import BELOW, METHODS, NAME, TITLE
from vein2vein.web.doors.jobs import document_text, handed, whole_job
from vein2vein.web.images import image
from vein2vein.web.jobs.table import DONE, Job
from vein2vein.web.page import Page, See
from vein2vein.web.reading import reading
from vein2vein.web.uploads import TABLE, TOML, check_rows, rows_over, take
from vein2vein.web.visit import Visit
from vein2vein.web.workspace import Input, Missing, new_id

STUDY = "study"
EXPLORE = "vein2vein.web.data.exploration:explored"
MOST_HELD = 3  # earlier ways to ask that are held
MOST_FINDINGS = 200  # that the page lists
UNITS = ("d", "h")
BEGIN, CHECK = "vein2vein.web.data.fitting:begun", "vein2vein.web.data.fitting:checked"
DOSES = "vein2vein.web.data.after_fit:checked"
MOST_JOBS = 200
BAD = 422


@dataclass(frozen=True)
class Explored:
    """What was last computed of a study, so that figures and files need not be computed again: by how it was asked."""

    found: dict[str, dict[str, Any]]


class NotYet(Missing):
    """An exploration that is a job, and not done."""


def data(visit: Visit) -> Page:
    """Show the studies of this workspace, and how to upload one."""
    kept = [{"key": one.id, "name": one.name, "when": one.changed} for one in visit.workspace.listed(NAME)]
    return Page("data/start.html.j2", TITLE, {"kept": kept}, command="vein2vein check study.csv")


def upload(visit: Visit, file: list[UploadFile]) -> See:
    """Keep a data set in the workspace, with what says how its columns are read where that is sent along."""
    uploads = [take(one, TABLE, TOML) for one in file]
    tables, columns = ([one for one in uploads if one.kind == kind] for kind in (TABLE, TOML))
    if len(tables) != 1 or len(columns) > 1:
        raise InputError(
            "send one data set (CSV), and beside it at most one file that says how its columns are read (TOML)."
        )
    check_rows(tables[0].name, [tables[0].content], "study")
    files = {f"{STUDY}{TABLE}": tables[0].content, **{f"{STUDY}{ENDING}": one.content for one in columns}}
    found = reading(files, check_file)
    if not found.kind.endswith(DATA_SET):
        other = "; the door 'A ward record' reads it" if found.kind.startswith("record") else ""
        first = f": {found.problems[0].told}" if found.problems and not other else ""
        raise InputError(
            f"is no population data set but {_article(found.kind)}{first}{other}. Expected one row for each dose and "
            "each sample, as NONMEM, Monolix or nlmixr read them.",
            file=tables[0].name,
        )
    visit.quick.warm(EXPLORE)
    return See(f"/data/{visit.workspace.add_folder(NAME, tables[0].name, files).id}")


def check(visit: Visit, key: str) -> Page:
    """Show whether a study is fit for use, and what is wrong with it line by line."""
    there = _find(visit, key)
    found = check_file(_table(there))
    data = {
        **_about(there), "kind": found.kind, "fit": found.fit, "uses": found.uses, "notes": found.notes,
        "counts": [{"name": name, "count": count} for name, count in found.counts.items()],
        "findings": [_finding(one) for one in found.problems[:MOST_FINDINGS]],
        "more": max(len(found.problems) - MOST_FINDINGS, 0),
    }  # fmt: skip
    code = f'import vein2vein as v2v\n\nstudy = v2v.read_study("{STUDY}{TABLE}")\nprint(study.findings)'
    return Page(
        "data/check.html.j2",
        "{name}",
        data,
        python=code,
        command=f"vein2vein check {STUDY}{TABLE}",
        names={"name": there.name},
    )


def explore(visit: Visit, key: str, endpoint: str = "", by: str = "", time_unit: str = "", below: str = "M6") -> Page:
    """Show the cellular kinetics of a study without a model: tables by group, curves, each patient."""
    there = _find(visit, key)
    study = read_study(_table(there))
    how = {"endpoint": endpoint, "by": by, "time_unit": time_unit, "below": below}
    data = {
        **_about(there), **choices(study), "how": how, "rules": BELOW, "units": UNITS, "problem": "", "found": None,
        "rows": _rows_of_job(there), "job": None,
    }  # fmt: skip
    try:
        data["found"] = _explored(visit, there, how)["page"]
    except NotYet:
        job = _exploration(visit, there, how)
        data |= whole_job(visit, job.id) if job is not None else {}
    except InputError as problem:
        data["problem"] = str(problem)
    parts = [f"--endpoint {endpoint}" if endpoint else "", *(f"--by {one}" for one in _columns(by))]
    parts += [f"--time-unit {time_unit}" if time_unit else "", f"--below {below}" if below != M6 else ""]
    given = "".join(
        f", {name}={value!r}"
        for name, value in (("endpoint", endpoint), ("by", _columns(by)), ("time_unit", time_unit))
        if value
    )
    return Page(
        "data/explore.html.j2", "{name}", data, names={"name": there.name}, status=BAD if data["problem"] else 200,
        python=f'import vein2vein as v2v\n\nprint(v2v.explore("{STUDY}{TABLE}"{given}, below="{below}").notes)',
        command=" ".join(filter(None, (f"vein2vein explore {STUDY}{TABLE}", *parts))),
    )  # fmt: skip


def start_exploration(visit: Visit, key: str, endpoint: str, by: str, time_unit: str, below: str) -> See:
    """Explore a study as a job; one that is on its way, or done, is not begun again."""
    there = _find(visit, key)
    how = {"endpoint": endpoint, "by": by, "time_unit": time_unit, "below": below}
    page = f"/data/{key}/explore?{urlencode(how)}"
    before = _exploration(visit, there, how)
    if before is None or (before.has_ended and before.state != DONE):
        asked = {
            **how, "by": _columns(by), "path": str(_table(there)), "name": there.name, "study": key, "how": how,
            "page": page,
        }  # fmt: skip
        visit.jobs.start(NAME, "explore", f"{there.name}: exploration", asked)
    return See(page)


def figure(
    visit: Visit, key: str, place: int, endpoint: str = "", by: str = "", time_unit: str = "", below: str = "M6"
) -> Response:
    """Send a figure of an exploration."""
    how = {"endpoint": endpoint, "by": by, "time_unit": time_unit, "below": below}
    drawn = _explored(visit, _find(visit, key), how)["svg"]
    if not 0 <= place < len(drawn):
        raise Missing("the exploration has no such figure; go back to its page.")
    return image(drawn[place])


def written(
    visit: Visit, key: str, name: str, show: bool = False, endpoint: str = "", by: str = "",
    time_unit: str = "", below: str = "M6",
) -> Response:  # fmt: skip
    """Send what the command writes: the report, the table of each patient, the table by group."""
    how = {"endpoint": endpoint, "by": by, "time_unit": time_unit, "below": below}
    text = _explored(visit, _find(visit, key), how)["files"][name]
    if show and name.endswith(".html"):
        return document_text(text)
    return handed(text.encode(), name, "text/html" if name.endswith(".html") else "text/csv")


def fit(visit: Visit, key: str, model: str = "", method: str = "saem", time_unit: str = "") -> Page:
    """Show the file of a fit to begin with, and the fits of this study."""
    there = _find(visit, key)
    how = {"model": model, "method": method, "time_unit": time_unit}
    text, problem = "", None
    if model:
        try:
            text = str(visit.quick.ask(new_id(), BEGIN, {**how, "folder": str(there.path)}))
        except InputError as found:
            problem = found
    return _fit_page(visit, there, how, text, problem)


def start_fit(visit: Visit, key: str, text: str) -> See | Page:
    """Start a fit as a job; what is wrong with its file is said at its line, and what was typed stays."""
    there = _find(visit, key)
    text = text.replace("\r\n", "\n")
    asked = {"folder": str(there.path), "text": text, "study": key, "page": f"/data/{key}/fit"}
    try:
        found: Any = visit.quick.ask(new_id(), CHECK, asked)
    except InputError as problem:
        return _fit_page(visit, there, {"model": "", "method": "saem", "time_unit": ""}, text, problem)
    job = visit.jobs.start(NAME, "fit", f"{there.name}: {found['model']}, {found['method']}", asked)
    return See(f"/jobs/{job.id}")


def further(visit: Visit, key: str, job: str, what: str, count: str, dose: str) -> See | Page:
    """Ask more of a fit that has ended, as a job."""
    there = _find(visit, key)
    fit = next((one for one in _jobs(visit, there, "fit") if one.id == job), None)
    if fit is None or not fitting.verdict(fit.folder):
        raise Missing("there is no fit that has ended under this address; go back to the study.")
    try:
        many = after_fit.count_of(what, count)
        if what == "simulate":
            visit.quick.ask(new_id(), DOSES, {"dose": dose})
    except InputError as problem:
        typed = {"job": job, "what": what, "count": count, "dose": dose}
        return _fit_page(visit, there, {"model": "", "method": "saem", "time_unit": ""}, "", problem, typed)
    asked = {"fit": str(fit.folder), "of": job, "what": what, "count": many, "dose": dose, "study": key}
    asked["page"] = f"/data/{key}/fit"
    title = f"{after_fit.FURTHER[what].title} of {fit.title}"
    return See(f"/jobs/{visit.jobs.start(NAME, 'further', title, asked).id}")


def _jobs(visit: Visit, there: Input, kind: str) -> list[Job]:
    every = visit.jobs.recent(MOST_JOBS)
    return [one for one in every if (one.door, one.kind) == (NAME, kind) and one.asked.get("study") == there.id]


def _told(visit: Visit, there: Input) -> list[dict[str, Any]]:
    """The fits of a study, and what was asked of each."""
    asked = _jobs(visit, there, "further")
    return [
        {
            "id": one.id, "title": one.title, "state": one.state, "when": one.ended or one.made,
            "says": fitting.verdict(one.folder) or one.stage, "report": (one.folder / fitting.REPORT).is_file(),
            "more": [
                {"name": name, "title": each.title, "about": each.about, "count": each.count, "usual": each.usual}
                for name, each in after_fit.FURTHER.items() if (one.folder / fitting.REPORT).is_file()
            ],
            "further": [
                {"id": more.id, "title": after_fit.FURTHER[more.asked["what"]].title, "state": more.state,
                 "count": f"{more.asked['count']} {after_fit.FURTHER[more.asked['what']].count}",
                 "notes": more.error or more.stage, "page": after_fit.FURTHER[more.asked["what"]].page
                 if more.state == DONE else ""}
                for more in asked if more.asked.get("of") == one.id
            ],
        }
        for one in _jobs(visit, there, "fit")
    ]  # fmt: skip


def _fit_page(
    visit: Visit, there: Input, how: dict[str, str], text: str, problem: InputError | None,
    typed: Mapping[str, str] | None = None,
) -> Page:  # fmt: skip
    models = [{"name": name, "title": catalogue.find_model(name).title} for name in catalogue.model_names()]
    data = {
        **_about(there), "how": how, "models": models, "methods": METHODS, "units": UNITS, "text": text,
        "fits": _told(visit, there), "typed": dict(typed or {}),
        "problem": "" if problem is None else problem.text, "line": None if problem is None else problem.line,
        "field": None if problem is None else problem.field,
    }  # fmt: skip
    return Page(
        "data/fit.html.j2", "{name}", data, names={"name": there.name}, status=200 if problem is None else BAD,
        python='import vein2vein as v2v\n\nprint(v2v.fit("fit.toml").verdict)', command="vein2vein fit fit.toml",
    )  # fmt: skip


def remove(visit: Visit, key: str) -> See:
    """Remove a study from the workspace."""
    visit.workspace.remove(_find(visit, key).id)
    visit.held.drop(Explored, key)
    return See("/data")


def _find(visit: Visit, key: str) -> Input:
    found = visit.workspace.find(key)
    if found.kind != NAME or not found.path.is_dir():
        raise Missing("there is no such study in this workspace; it may have been removed. Go back to the start.")
    return found


def _table(there: Input) -> Path:
    return there.path / f"{STUDY}{TABLE}"


def _about(there: Input) -> dict[str, Any]:
    return {"key": there.id, "name": there.name}


def _finding(one: Any) -> dict[str, Any]:
    return {"line": one.line, "column": one.column, "what": one.told, "remedy": one.remedy}


def _explored(visit: Visit, there: Input, how: dict[str, str]) -> dict[str, Any]:
    """What was found; computed once for each way to ask, and the last few ways are held."""
    mark = "\n".join((there.digest, *how.values()))
    known = visit.held.find(Explored, there.id)
    if known is not None and mark in known.found:
        return known.found[mark]
    if _rows_of_job(there):
        job = _exploration(visit, there, how)
        found = kept(job.folder) if job is not None and job.state == DONE else None
        if found is None:
            raise NotYet("the exploration is not there yet; go back to its page and start it.", file=there.name)
        return found
    asked = {**how, "by": _columns(how["by"]), "path": str(_table(there)), "name": there.name}
    found = cast("dict[str, Any]", visit.quick.ask(new_id(), EXPLORE, asked))
    before = list(known.found.items())[-MOST_HELD:] if known is not None else []
    made = Explored({**dict(before), mark: found})
    size = sum(sum(map(len, (*one["svg"], *one["files"].values()))) for one in made.found.values())
    visit.held.put(made, size, there.id)
    return found


def _rows_of_job(there: Input) -> int:
    """The rows of a study that holds more than a reader waits for: it is explored as a job; 0 where one waits."""
    return rows_over([_table(there).read_bytes()], "exploration")


def _exploration(visit: Visit, there: Input, how: Mapping[str, str]) -> Job | None:
    """The newest job that explores a study so."""
    return next((one for one in _jobs(visit, there, "explore") if one.asked.get("how") == how), None)


def _columns(by: str) -> list[str]:
    return [one.strip() for one in by.split(",") if one.strip()]


def _article(kind: str) -> str:
    return f"an {kind}" if kind[:1] in "aeiou" else f"a {kind}"
