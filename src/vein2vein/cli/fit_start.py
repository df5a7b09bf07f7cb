"""A fit.toml to start from: what the data and the model suggest, each field with its meaning."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from vein2vein.declared import Record, fields_of, words
from vein2vein.inference.population.fit_file import Head, begin
from vein2vein.inference.population.problem import EndpointModel, FitParameter, Omega, Settings
from vein2vein.io.study.columns import columns_beside, columns_said
from vein2vein.models import model_file

KINDS: dict[str, type[Record]] = {
    "fit": Head,
    "parameters": FitParameter,
    "omega": Omega,
    "endpoints": EndpointModel,
    "settings": Settings,
}
QUIET = ("omega_fixed = false", "fixed = false")
"""Lines that a table after the first of its kind does without."""
HEAD = """\
# A population fit. Change what is not right, then: vein2vein fit {file}
# Starts are the model's own numbers; spreads (omega) are SDs on the Gaussian scale; 0 or none: equal in all patients.
# Also possible:   [parameters.NAME] covariates = {{ weight = "log(WT/70)", arm = "ARM" }}, or fixed = 1.2 for start
#                  [omega] blocks = [["A", "B"]] or "full";  occasion = {{ column = "OCC", parameters = ["A"] }}
#                  [search] covariates = ["WT", "ARM"], parameters = ["A"]   (with --covariates: tried one by one)
"""


def start_text(data: Path, model: str, file: Path, *, time_unit: str = "", named: str | None = None) -> str:
    """The text of a file to start from.

    Parameters
    ----------
    data : path
        The study, as seen from here.
    model : str
        Bundled model, or the path of a Python file.
    file : path
        Where the text will stand: paths in it are seen from there.
    time_unit : str
        Unit of the study's times; "": what the study says.
    named : str, optional
        Columns with unusual names, as ROLE=NAME,...; what the file beside the study says of others holds, too.
    """
    columns = None
    if time_unit or named:
        columns = columns_said(named, data) if named else columns_beside(data)[0]
        columns = replace(columns, time=replace(columns.time, unit=time_unit or columns.time.unit))
    lines = begin(data, model, columns=columns).splitlines()
    found, told, table, seen = [HEAD.format(file=file)], set[tuple[str, str]](), "", set[str]()
    first = True
    for line in lines:
        if line.startswith("["):
            table = line.strip("[]").split(".")[0]
            first = table not in seen
            seen.add(table)
        name, _, value = line.partition(" = ")
        if table == "fit" and name in ("data", "model"):
            line = f"{name} = '{_from(file, value.strip(chr(34)), name)}'"
        if not first and line in QUIET:
            continue
        meaning = _meaning(table, name) if (table, name) not in told else ""
        told.add((table, name))
        found.append(f"{line:<34} # {meaning}" if meaning else line)
    return "\n".join(found) + "\n"


def _from(file: Path, value: str, name: str) -> str:
    """A path as it is seen from the file's folder; a bundled model keeps its name."""
    if name == "model" and not model_file.is_model_file(value):
        return value
    return os.path.relpath(value, file.parent).replace(os.sep, "/")


def _meaning(table: str, name: str) -> str:
    kind = KINDS.get(table)
    for one in fields_of(kind) if kind else ():
        if one.label == name:
            choices = words(one.says.choices)
            listed = f": {', '.join(choices)}" if choices and not any(c in one.says.meaning for c in choices) else ""
            return f"{one.says.meaning}{listed}"
    return ""
