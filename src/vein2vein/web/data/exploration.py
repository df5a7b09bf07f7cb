"""A study explored in the warm process, or as a job: what the command tells, its figures and files, for a page."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from vein2vein import __version__
from vein2vein.files import make_folder, write_text
from vein2vein.inference.noncompartmental.explore import PARAMETERS, Exploration, explore
from vein2vein.io.study.read import read_study
from vein2vein.io.study.study import Study
from vein2vein.report.exploration import exploration_page, groupings, shown_unit, table_text
from vein2vein.report.figures_exploration import curves_figure, endpoint_title, percentiles_figure
from vein2vein.therapy.curves import RULES
from vein2vein.web.images import as_file
from vein2vein.web.jobs.kinds import Progress

MOST_LISTED = 100  # patients that the page lists; the table of all is a file
FILES = ("report.html", "individual.csv", "groups.csv")
PAGE, FIGURES = ".page.json", "figures"  # beside the files of a job; the first is of the app alone, and not offered


def explored(asked: Mapping[str, Any], progress: Progress) -> dict[str, Any]:
    """Explore a study.

    Parameters
    ----------
    asked : mapping
        ``path``; ``name`` for people; ``endpoint``, ``by``, ``time_unit`` and ``below`` as for ``explore``, empty where
        nothing was chosen.
    progress : callable

    Raises
    ------
    InputError
        As ``explore`` raises it.
    """
    study = read_study(Path(asked["path"]))
    found = explore(
        study, endpoint=asked["endpoint"] or None, by=asked["by"] or None, time_unit=asked["time_unit"] or None,
        below=asked["below"],
    )  # fmt: skip
    progress(0.3, "drawing")
    several = groupings(found)
    pictures: list[Any] = []
    for i, groups in enumerate(several):
        key = f"-{i}" if i else ""
        pictures += [curves_figure(found, groups, key), percentiles_figure(found, groups, key)]
        progress(0.3 + 0.5 * (i + 1) / len(several), "drawing")
    shown = [name for name in PARAMETERS if np.isfinite(found.figures[name]).any()]
    provenance = {
        "file": asked["name"], "version": __version__, "below": found.rule, "endpoint": found.profiles.endpoint,
        "sha256": study.digest,
    }  # fmt: skip
    return {
        "page": {
            "endpoint_title": endpoint_title(found),
            "patients": len(found.profiles.patients),
            "values": len(found.profiles.row),
            "notes": found.notes,
            "rule": RULES[found.rule],
            "absent": [PARAMETERS[name][0] for name in PARAMETERS if name not in shown],
            "tables": [_table(found, groups, shown) for groups in several],
            "columns": [{"title": PARAMETERS[name][0], "unit": _unit(found, name)} for name in shown],
            "rows": _rows(found, shown),
            "figures": [
                {"place": place, "title": one.title, "caption": one.caption, "alt": one.alt}
                for place, one in enumerate(one for one in pictures if one is not None)
            ],
        },
        "svg": [as_file(one.svg) for one in pictures if one is not None],
        "files": dict(
            zip(
                FILES,
                (exploration_page(found, provenance), table_text(found.individual()), table_text(found.by_group())),
            )
        ),
    }


def run(asked: Mapping[str, Any], folder: Path, progress: Progress) -> None:
    """Explore a study as a job: what the command writes, the figures, and what the page shows.

    Parameters
    ----------
    asked : mapping
        As for ``explored``.
    folder : Path
    progress : callable
    """
    progress(0.02, "exploring")
    found = explored(asked, progress)
    progress(0.9, "writing")
    make_folder(folder / FIGURES)
    for place, svg in enumerate(found["svg"]):
        write_text(folder / FIGURES / f"{place}.svg", svg, force=True)
    for name, text in found["files"].items():
        write_text(folder / name, text, force=True)
    # the last: where it stands, all of it stands
    write_text(folder / PAGE, json.dumps(found["page"], ensure_ascii=False), force=True)
    progress(1.0, "")


def kept(folder: Path) -> dict[str, Any] | None:
    """What a job left behind, as ``explored`` gives it; None where it did not come to its end."""
    try:
        page = json.loads((folder / PAGE).read_text(encoding="utf-8"))
        figures = range(len(page["figures"]))
        return {
            "page": page,
            "svg": [(folder / FIGURES / f"{place}.svg").read_text(encoding="utf-8") for place in figures],
            "files": {name: (folder / name).read_text(encoding="utf-8") for name in FILES},
        }
    except (OSError, ValueError):
        return None


def choices(study: Study) -> dict[str, Any]:
    """What may be chosen of a study before it is explored."""
    return {
        "endpoints": [one.name for one in study.endpoints],
        "covariates": list(study.covariates),
        "time_unit": study.time_unit,
    }


def _unit(found: Exploration, name: str) -> str:
    return shown_unit(found, name) or "unit not known"


def _table(found: Exploration, groups: list[Any], shown: list[str]) -> dict[str, Any]:
    wanted = {(group.by, group.label) for group in groups}
    rows: list[dict[str, Any]] = []
    for name in shown:
        cells = [one for one in found.summary if one.parameter == name and (one.by, one.group) in wanted]
        rows.append({
            "title": PARAMETERS[name][0], "unit": _unit(found, name),
            "cells": [
                {"mean": one.geometric_mean, "cv": one.geometric_cv, "median": one.median, "low": one.low,
                 "high": one.high, "known": one.known}
                for one in cells
            ],
        })  # fmt: skip
    return {
        "by": groups[0].by,
        "groups": [{"label": one.label, "patients": len(one.rows)} for one in groups],
        "rows": rows,
    }


def _rows(found: Exploration, shown: list[str]) -> list[dict[str, Any]]:
    listed = range(min(len(found.profiles.patients), MOST_LISTED))
    return [
        {
            "patient": found.profiles.patients[i], "samples": int(found.samples[i]),
            "quantified": int(found.quantified[i]),
            "figures": [float(found.figures[name][i]) for name in shown],
        }
        for i in listed
    ]  # fmt: skip
