"""A study explored in the warm process: what the command tells, its figures and its files, as plain data for a page."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from vein2vein import __version__
from vein2vein.inference.noncompartmental.explore import PARAMETERS, Exploration, explore
from vein2vein.io.study.read import read_study
from vein2vein.io.study.study import Study
from vein2vein.report.exploration import exploration_page, groupings, shown_unit, table_text
from vein2vein.report.figures_exploration import curves_figure, endpoint_title, percentiles_figure
from vein2vein.therapy.curves import RULES
from vein2vein.web.images import as_file

MOST_LISTED = 100  # patients that the page lists; the table of all is a file


def explored(asked: Mapping[str, Any], progress: Callable[[float, str], None]) -> dict[str, Any]:
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
        "files": {
            "report.html": exploration_page(found, provenance),
            "individual.csv": table_text(found.individual()),
            "groups.csv": table_text(found.by_group()),
        },
    }


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
