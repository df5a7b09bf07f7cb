"""The report of measured curves without a model: tables by group and by patient, figures, and how it was all read."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping

import numpy as np

from vein2vein.inference.noncompartmental.explore import PARAMETERS, Exploration, Summary
from vein2vein.inference.noncompartmental.groups import Group
from vein2vein.io.record.write import safe_cell
from vein2vein.report import page
from vein2vein.report.figures import Picture
from vein2vein.report.figures_exploration import curves_figure, endpoint_title, percentiles_figure
from vein2vein.report.look import unit_name
from vein2vein.sources import cited
from vein2vein.therapy.curves import RULES
from vein2vein.therapy.phases import CHOSEN

MOST_LISTED = 300  # patients that the page lists; the table of all is the CSV file


def exploration_page(found: Exploration, provenance: Mapping[str, str] | None = None) -> str:
    """Return the report as HTML text.

    Parameters
    ----------
    found : Exploration
    provenance : mapping of str to str, optional
        What it takes to get the same figures again.
    """
    several = groupings(found)
    pictures: list[Picture | None] = []
    for i, groups in enumerate(several):
        key = f"-{i}" if i else ""
        pictures += [curves_figure(found, groups, key), percentiles_figure(found, groups, key)]
    shown = tuple(name for name in PARAMETERS if np.isfinite(found.figures[name]).any())
    return page.fill(
        "exploration.html.j2",
        title=f"{endpoint_title(found)} in {len(found.profiles.patients)} patients",
        found=found,
        pictures=[picture for picture in pictures if picture is not None],
        tables=[(groups, [_row(found, groups, name) for name in shown]) for groups in several],
        parameters=[(name, PARAMETERS[name][0], shown_unit(found, name)) for name in shown],
        absent=[PARAMETERS[name][0] for name in PARAMETERS if name not in shown],
        slopes=[(PARAMETERS[name][0], CHOSEN[name], name) for name in found.phases],
        rule=RULES[found.rule],
        listed=range(min(len(found.profiles.patients), MOST_LISTED)),
        sources=[cited("beal_2001"), cited("pknca_2015")],
        provenance=list((provenance or {}).items()),
    )


def groupings(found: Exploration) -> list[list[Group]]:
    """The groups of an exploration that belong together: all patients, then each way to group them."""
    kept: dict[str, list[Group]] = {}
    for group in found.groups:
        kept.setdefault(group.by, []).append(group)
    return list(kept.values())


def _row(found: Exploration, groups: list[Group], parameter: str) -> tuple[str, str, list[Summary]]:
    wanted = {(group.by, group.label) for group in groups}
    rows = [one for one in found.summary if one.parameter == parameter and (one.by, one.group) in wanted]
    return PARAMETERS[parameter][0], shown_unit(found, parameter), rows


def shown_unit(found: Exploration, parameter: str) -> str:
    """Unit of a parameter as it is printed; "" where a part of it is not known."""
    unit = found.profiles.unit
    return found.unit(parameter).replace(unit, unit_name(unit)) if unit else found.unit(parameter)


def table_text(rows: Iterable[Mapping[str, str | float]]) -> str:
    """Rows as the text of a CSV file; empty where a number is not known."""
    listed = list(rows)
    stream = io.StringIO()
    names = list(listed[0]) if listed else []
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow([safe_cell(name) for name in names])
    for row in listed:
        writer.writerow([_cell(row[name]) for name in names])
    return stream.getvalue()


def _cell(value: str | float) -> str:
    if isinstance(value, str):
        return str(safe_cell(value))
    return "" if value != value else repr(value).removesuffix(".0") if isinstance(value, float) else str(value)
