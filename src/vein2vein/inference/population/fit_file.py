"""``fit.toml``: a problem in words. Read with every fault by file and line, written with its defaults filled in.

problem = read_fit_file("fit.toml")
text = problem_text(problem)
text = begin("study.csv", "stein_2019")      # a file to begin with
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any, cast

import numpy as np

from vein2vein import units
from vein2vein.arguments import path_of
from vein2vein.card_reading import read
from vein2vein.cards import Card, read_card
from vein2vein.declared import Record, fields_of, number, text
from vein2vein.errors import InputError
from vein2vein.inference.population.laws import BOUNDED
from vein2vein.inference.population.problem import (
    METHODS,
    OCCASIONS,
    DoseModel,
    EndpointModel,
    FitParameter,
    FitProblem,
    Omega,
    Settings,
)
from vein2vein.io.study.columns import Columns, columns_beside, columns_from_card
from vein2vein.io.study.read import read_study
from vein2vein.io.study.study import Study
from vein2vein.models import catalogue, model_file
from vein2vein.models.model import Model
from vein2vein.toml_lines import written

TABLES = ("fit", "data", "parameters", "omega", "endpoints", "doses", "references", "settings", "search")
_WIDE = 30.0  # solver coefficient: largest over least value above which an endpoint is proposed on the log scale


@dataclass(frozen=True)
class Head(Record):
    """The table ``[fit]``."""

    model: Annotated[str, text("Name of a bundled model, or the path of a Python file beside this one")]
    data: Annotated[str, text("The study: path of a CSV file beside this one")]
    method: Annotated[str, text("How it is fitted", METHODS)] = "saem"
    seed: Annotated[int, number("Seed of the random numbers", low=0)] = 1
    time_unit: Annotated[str, text("Unit in which the model's time runs; its own where none is given")] = ""


@dataclass(frozen=True)
class _Tables:
    """What the tables of a file hold."""

    head: Head
    columns: Columns
    parameters: dict[str, FitParameter] = field(default_factory=dict[str, FitParameter])
    endpoints: dict[str, EndpointModel] = field(default_factory=dict[str, EndpointModel])
    doses: dict[str, DoseModel] = field(default_factory=dict[str, DoseModel])
    omega: Omega = field(default_factory=Omega)
    settings: Settings = field(default_factory=Settings)
    references: dict[str, str] = field(default_factory=dict[str, str])


def read_fit_file(path: str | Path, *, study: Study | None = None) -> FitProblem:
    """Read a problem.

    Parameters
    ----------
    path : path
    study : Study, optional
        The data, where they were read already; left out: those that the file names.

    Raises
    ------
    InputError
        A field is unknown, missing or wrong; the model or the data cannot be read, or do not go together: with file,
        line, field and how to mend it.
    """
    card = read_card(path_of("path", path))
    tables = _tables(card)
    folder = Path(path).resolve().parent
    name = tables.head.model
    if model_file.is_model_file(name):
        name = str(folder / name)
    try:
        model = catalogue.find_model(name)
    except InputError as error:
        raise error if error.file else card.error(("fit", "model"), error.text) from None
    if study is None:
        data = folder / tables.head.data
        if not data.exists():
            raise card.error(
                ("fit", "data"), f"there is no file '{tables.head.data}' in {folder.name}; check its name."
            )
        tables = _with_occasions(tables, data, told=card.get("data") is not None)
        read_so = card.get("data") is not None or tables.columns != Columns()
        study = read_study(data, columns=tables.columns if read_so else None)
    try:
        return FitProblem(
            model, study, tables.parameters, tables.endpoints or _endpoints(study), tables.omega, tables.doses,
            tables.references, tables.head.method, tables.head.seed, tables.settings, tables.head.time_unit, name,
            tables.columns, str(path),
        )  # fmt: skip
    except InputError as error:
        if error.file is not None:
            raise
        raise card.error(_place(error.field, tables), error.text) from None


def _with_occasions(tables: _Tables, data: Path, *, told: bool) -> _Tables:
    """The tables with the column of occasions that [omega] names among the columns of the data."""
    asked = tables.omega.occasion
    if asked is None or asked.column.upper() in (*OCCASIONS, "COURSE") or tables.columns.occ:
        return tables
    columns = tables.columns if told else columns_beside(data)[0]
    return replace(tables, columns=replace(columns, occ=asked.column))


@contextmanager
def located(problem: FitProblem) -> Generator[None]:
    """Give a complaint about a field of a problem its place in the file that the problem was read from."""
    try:
        yield
    except InputError as error:
        if not problem.file or error.file is not None or not error.field:
            raise
        card = read_card(problem.file)
        raise card.error(_place(error.field, _tables(card)), error.text) from None


def _endpoints(study: Study) -> dict[str, EndpointModel]:
    """Endpoints where a file names none: that of the study, if it has one only."""
    if len(study.endpoints) == 1:
        return {study.endpoints[0].name: EndpointModel()}
    names = ", ".join(one.name for one in study.endpoints)
    raise InputError(f"missing; say which are fitted and how: [endpoints.NAME], of {names}.", field="endpoints")


def _place(name: str | None, tables: _Tables) -> tuple[str, ...]:
    """Where in the file a field of a problem stands."""
    parts = tuple((name or "").split("."))
    if parts[0] in ("method", "seed", "time_unit"):
        return ("fit", *parts)
    if parts[0] in ("parameters", "endpoints", "doses"):  # names may hold dots
        known = sorted(getattr(tables, parts[0]), key=len, reverse=True)
        rest = (name or "").removeprefix(f"{parts[0]}.")
        for one in known:
            if rest == one or rest.startswith(f"{one}."):
                inside = rest.removeprefix(one).removeprefix(".")
                return (parts[0], one, *(part for part in inside.split(".", 1) if part))
    return parts if parts != ("",) else ()


def _tables(card: Card) -> _Tables:
    card.refuse_unknown(TABLES, what="table")
    card = _plain(card)
    return _Tables(
        read(card, Head, "fit"),
        columns_from_card(card, "data") if card.get("data") is not None else Columns(),
        {name: read(card, FitParameter, "parameters", name) for name in card.table("parameters")},
        {name: read(card, EndpointModel, "endpoints", name) for name in card.table("endpoints", default={})},
        {name: read(card, DoseModel, "doses", name) for name in card.table("doses", default={})},
        read(card, Omega, "omega") if card.get("omega") is not None else Omega(),
        read(card, Settings, "settings") if card.get("settings") is not None else Settings(),
        {name: card.string("references", name) for name in card.table("references", default={})},
    )


def _plain(card: Card) -> Card:
    """The card without its short forms: ``fixed = 1.2`` is a start that is held, ``blocks = "full"`` is full."""
    data = {name: value for name, value in card.data.items()}
    parameters = cast("Mapping[str, Any]", card.table("parameters", default={}))
    made: dict[str, Any] = {}
    for name, value in parameters.items():
        one = dict(card.table("parameters", name))
        held = one.get("fixed")
        if isinstance(held, (int, float)) and not isinstance(held, bool):
            if "start" in one:
                said = f"found a start of {value['start']} beside fixed = {held}; keep one of them."
                raise card.error(("parameters", name, "fixed"), said)
            one |= {"start": held, "fixed": True}
        made[name] = one
    if made:
        data["parameters"] = made
    if isinstance(omega := data.get("omega"), Mapping) and cast("Mapping[str, Any]", omega).get("blocks") == "full":
        data["omega"] = {k: v for k, v in cast("Mapping[str, Any]", omega).items() if k != "blocks"} | {"full": True}
    return replace(card, data=data)


# Writing


def problem_text(problem: FitProblem, *, data: str, model: str = "") -> str:
    """A problem as a file, every default filled in.

    Parameters
    ----------
    data, model : str
        What the file says of the study and the model; model "": the problem's own name for it.
    """
    head = {
        "model": model or problem.model_name or problem.model.name, "data": data, "method": problem.method,
        "seed": problem.seed, "time_unit": problem.time_unit,
    }  # fmt: skip
    parts = [_table("fit", head)]
    if told := _plain_of(problem.columns, defaults=False):
        parts.append(_table("data", told))
    parts += [_table(f"parameters.{_key(n)}", _plain_of(one)) for n, one in problem.parameters.items()]
    parts.append(_table("omega", _plain_of(problem.omega)))
    parts += [_table(f"endpoints.{_key(n)}", _plain_of(one)) for n, one in problem.endpoints.items()]
    parts += [_table(f"doses.{_key(n)}", _plain_of(one)) for n, one in problem.doses.items()]
    if problem.references:
        parts.append(_table("references", problem.references))
    parts.append(_table("settings", _plain_of(problem.settings)))
    return "\n".join(parts)


def _key(name: str) -> str:
    return name if name.replace("_", "").replace("-", "").isalnum() and name.isascii() else written(name)


def _table(name: str, values: Mapping[str, object]) -> str:
    return "\n".join([f"[{name}]", *(f"{_key(key)} = {written(value)}" for key, value in values.items()), ""])


def _plain_of(record: Record, *, defaults: bool = True) -> dict[str, Any]:
    """The fields of a record as TOML holds them; empty ones are left out, and with ``defaults`` nothing else."""
    found: dict[str, Any] = {}
    bounded = not isinstance(record, FitParameter) or record.law in BOUNDED
    for one in fields_of(type(record)):
        value = _value(getattr(record, one.name), defaults)
        if value is None or value == "" or (isinstance(value, (list, dict)) and not value):
            continue
        if one.name in ("low", "high") and not bounded:
            continue
        if defaults or value != _value(one.default, defaults):
            found[one.label] = value
    return found


def _value(value: Any, defaults: bool) -> Any:
    if isinstance(value, Record):
        return _plain_of(value, defaults=defaults)
    if isinstance(value, Mapping):
        return {k: _value(v, defaults) for k, v in cast("Mapping[str, Any]", value).items()}
    if isinstance(value, tuple):
        return [_value(one, defaults) for one in cast("tuple[Any, ...]", value)]
    return cast("Any", value).item() if isinstance(value, np.generic) else value


def begin(data: str | Path, model: str | Path, *, columns: Columns | None = None) -> str:
    """A file to begin with: the model's own numbers as starts, endpoints as the data suggest.

    Parameters
    ----------
    data : path
        The study.
    model : str or path
    columns : Columns, optional
    """
    study = read_study(data, columns=columns).whole()
    found, numbers = catalogue.find_model(model), catalogue.find_parameters(model).parameters
    factor = _per_time(study, found)
    parameters: dict[str, FitParameter] = {}
    for name in found.parameters:
        told = numbers.get(name)
        value = found.example.get(name) if told is None or told.value is None else told.value
        if value is None:
            raise InputError(f"model {found.name} has no number for {name}; write the file by hand.", file=str(model))
        start = float(f"{value * factor ** _powers_of_time(told.unit if told else ''):.6g}")
        spread = told.spread.sd if told and told.spread and told.spread.kind == "lognormal" else None
        if spread is None and told is not None and told.unit:
            parameters[name] = FitParameter(start, law="lognormal" if start > 0 else "normal", fixed=True)
        else:
            parameters[name] = FitParameter(start, law="lognormal" if start > 0 else "normal", omega=spread or 0.5)
    endpoints = {one.name: _proposed(study, i) for i, one in enumerate(study.endpoints)}
    problem = FitProblem(found, study, parameters, endpoints, model_name=str(model), columns=columns or Columns())
    return problem_text(problem, data=str(data))


def _per_time(study: Study, model: Model) -> float:
    """How many of the study's units of time are a day, for a model whose example is in days and whose time is open."""
    if model.time_unit or not study.time_unit:
        return 1.0
    return units.convert(1.0, "day", study.time_unit)


def _powers_of_time(unit: str) -> int:
    """How often a unit is divided by days, with the sign that a number in it changes by."""
    return -unit.split("/")[1:].count("day") + (unit.split("/")[0] in ("day", "days"))


def _proposed(study: Study, endpoint: int) -> EndpointModel:
    seen = study.observations
    own = seen.value[(seen.endpoint == endpoint) & (seen.censored == 0)]
    if len(own) and own.min() > 0 and own.max() / own.min() > _WIDE:
        return EndpointModel(scale="log", start={"a": 0.5})
    size = float(f"{np.median(np.abs(own)) if len(own) else 1.0:.2g}") or 1.0
    return EndpointModel(error="combined2", start={"a": float(f"{0.1 * size:.2g}"), "b": 0.2})
