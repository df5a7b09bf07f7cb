"""A Study -> a data set that NONMEM, Monolix and nlmixr read, and the key to its numbers beside it.

Every cell is a number: NONMEM reads a dot as 0, so none is written. What a number stands for is said in the file
``NAME.columns.toml`` beside the data set, which ``read_study`` takes up, so that what was written reads back the same.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vein2vein import arguments
from vein2vein.errors import InputError
from vein2vein.files import open_text, write_text
from vein2vein.io.record.write import safe_cell
from vein2vein.io.study.columns import ENDING, normal, usual_names
from vein2vein.io.study.doses import number_text
from vein2vein.io.study.study import Covariate, Floats, Study
from vein2vein.io.study.values import ENDLESS
from vein2vein.toml_lines import written

NOT_KNOWN = (-99.0, -999.0, -9999.0)
"""What stands for a covariate that is not known: the first that no column holds."""
FIRST = ("ID", "TIME", "DV", "MDV", "EVID", "AMT", "CMT", "CENS", "LIMIT", "DVID")
IF_NEEDED = ("RATE", "II", "ADDL", "SS", "OCC")
OBSERVATION, DOSE, OTHER, RESET, RESET_AND_DOSE = range(5)


@dataclass(frozen=True)
class _Event:
    """A row before its covariates: time, the rank among rows of one time, and the cells by column."""

    time: float
    rank: int
    cells: Mapping[str, float]


def write_study(
    study: Study, path: str | Path, *, force: bool = False, about: Mapping[str, str] | None = None, observed_in: int = 0
) -> Path:
    """Write a study as a data set, and the key to it beside it (``NAME.columns.toml``).

    Parameters
    ----------
    study : Study
    path : path
        A CSV file; it and the key are written whole or not at all.
    force : bool
        Whether files that stand there may be replaced.
    about : mapping of str to str, optional
        What the key says of columns and of the file (""), in words.
    observed_in : int
        CMT of the observations; 0 is the compartment that NONMEM observes by default.

    Returns
    -------
    Path
        Of the data set. CENS 1 is below the value, -1 above; LIMIT is the other end (0 where nothing is censored, 1e30
        or -1e30: none). A subject's further courses begin with EVID 3 or 4.

    Raises
    ------
    InputError
        The study holds a name that a column of another meaning has or that a spreadsheet would run as a formula, or the
        file cannot be written.
    """
    arguments.of_kind("study", study, Study, "a Study, as read_study gives it")
    path = Path(arguments.path_of("path", path))
    usual = {name for names in usual_names().values() for name in names}
    for name in study.covariates:
        if normal(name) in usual:
            raise InputError(f"the covariate '{name}' has the name of another column; rename it.", field=name)
        if safe_cell(name) != name:
            raise InputError(f"a spreadsheet would run the name of the covariate '{name}'; rename it.", field=name)
    numbers, named = _subjects(study)
    endpoints = _codes([one.code for one in study.endpoints])
    targets = _codes(list(dict.fromkeys(study.doses.target.tolist())))
    missing = _missing(study)
    extra = _needed(study)
    rows: list[Sequence[str]] = [(*FIRST, *extra, *study.covariates)]
    for course in np.lexsort((np.arange(len(study.subject)), study.subject)).tolist():
        subject = int(study.subject[course])
        events = sorted(
            _events(study, course, endpoints, targets, observed_in), key=lambda event: (event.time, event.rank)
        )
        if course > 0 and (study.subject[:course] == subject).any():
            events = _restarted(events)
        for event in events:
            cells = [float(numbers[subject]), *(event.cells.get(name, 0.0) for name in (*FIRST[1:], *extra))]
            cells += [_at(one, subject, course, event.time, missing) for one in study.covariates.values()]
            rows.append([_shown(cell) for cell in cells])
    with open_text(path, force=force) as stream:
        csv.writer(stream, lineterminator="\n").writerows(rows)
    key = _key(study, path.name, named, endpoints, targets, missing, about or {})
    write_text(key_of(path), key, force=force)
    return path


def key_of(path: Path) -> Path:
    """Where the key to a data set stands."""
    return path.with_suffix(ENDING)


def _subjects(study: Study) -> tuple[list[int], dict[str, str]]:
    """A number for each subject: its own where all have whole ones, else its place, with the names in the key."""
    own = [number_text(name) for name in study.subjects]
    if all(name.lstrip("-").isdigit() for name in own) and len(set(own)) == len(own):
        return [int(name) for name in own], {}
    return list(range(1, len(own) + 1)), {str(i): name for i, name in enumerate(study.subjects, start=1)}


def _codes(names: Sequence[str]) -> dict[str, int]:
    """A whole number for each code: its own where all have one, else its place."""
    own = [number_text(name) for name in names]
    if all(name.isdigit() for name in own) and len(set(own)) == len(own):
        return {name: int(code) for name, code in zip(names, own)}
    return {name: i for i, name in enumerate(names, start=1)}


def _missing(study: Study) -> float:
    held = [one.constant for one in study.covariates.values() if one.constant is not None]
    held += [values for one in study.covariates.values() for _, values in one.in_time]
    used = {float(value) for values in held for value in values}
    return next(one for one in (*NOT_KNOWN, min(used, default=0.0) - 1) if one not in used)


def _needed(study: Study) -> tuple[str, ...]:
    doses = study.doses
    there = {"RATE": doses.rate.any(), "II": doses.interval.any(), "ADDL": doses.additional.any(),
             "SS": doses.steady.any(), "OCC": study.observations.occasion.any()}  # fmt: skip
    return tuple(name for name in IF_NEEDED if there[name])


def _events(
    study: Study, course: int, endpoints: Mapping[str, int], targets: Mapping[str, int], observed_in: int
) -> Iterator[_Event]:
    """The rows of a course: doses, observations, and changes of covariates at times of neither."""
    d, o = study.doses, study.observations
    times: set[float] = set()
    for i in np.flatnonzero(d.course == course).tolist():
        times.add(float(d.time[i]))
        yield _Event(float(d.time[i]), 0, {
            "TIME": float(d.time[i]), "MDV": 1, "EVID": DOSE, "AMT": float(d.amount[i]),
            "CMT": targets[str(d.target[i])], "RATE": float(d.rate[i]), "II": float(d.interval[i]),
            "ADDL": float(d.additional[i]), "SS": float(d.steady[i]),
        })  # fmt: skip
    for i in np.flatnonzero(o.course == course).tolist():
        censored, limit = int(o.censored[i]), float(o.limit[i])
        if np.isnan(limit):
            limit = -ENDLESS * censored if censored else 0.0
        times.add(float(o.time[i]))
        yield _Event(float(o.time[i]), 1, {
            "TIME": float(o.time[i]), "DV": float(o.value[i]), "CMT": observed_in, "CENS": censored, "LIMIT": limit,
            "DVID": endpoints[study.endpoints[int(o.endpoint[i])].code], "OCC": float(o.occasion[i]),
        })  # fmt: skip
    changes = {float(t) for one in study.covariates.values() if one.in_time for t in one.in_time[course][0]}
    for time in sorted(changes - times):
        yield _Event(time, 2, {"TIME": time, "MDV": 1, "EVID": OTHER})


def _restarted(events: Sequence[_Event]) -> list[_Event]:
    """The rows of a further course: its first dose resets, or a row of its own before its first sample."""
    first = events[0]
    if first.cells.get("EVID") == DOSE:
        return [_Event(first.time, first.rank, {**first.cells, "EVID": RESET_AND_DOSE}), *events[1:]]
    reset = _Event(first.time, -1, {"TIME": first.time, "MDV": 1, "EVID": RESET})
    return [reset, *events]


def _at(one: Covariate, subject: int, course: int, time: float, missing: float) -> float:
    """The cell of a covariate: its number, the code of its word (1 for the first), or what stands for not known."""
    if one.constant is not None:
        value = float(one.constant[subject])
    else:
        value = in_force(one.in_time[course], time)
    if np.isnan(value):
        return missing
    return value + 1 if one.categories else value


def in_force(changes: tuple[Floats, Floats], time: float) -> float:
    """The value in force at a time; before the first the first, NaN where there is none."""
    times, values = changes
    if not times.size:
        return float("nan")
    return float(values[max(int(np.searchsorted(times, time, side="right")) - 1, 0)])


def _shown(value: float) -> str:
    return repr(float(value)).removesuffix(".0")


def _key(
    study: Study, name: str, named: Mapping[str, str], endpoints: Mapping[str, int], targets: Mapping[str, int],
    missing: float, about: Mapping[str, str],
) -> str:  # fmt: skip
    """The key: a table of columns as ``[data]`` of a fit has it, and what the columns mean as comments."""
    lines = [f"# The key to {name}: what its numbers stand for. vein2vein reads it with the data set; a fit takes it",
             "# as its table [data]. The first line of the data set is its header (NONMEM: IGNORE=@)."]  # fmt: skip
    lines += [f"# {line}" for line in about.get("", "").splitlines()]
    lines += [f"# {column}: {told}" for column, told in about.items() if column]
    lines += [
        "# CENS: 1 below DV, -1 above it. LIMIT: the other end of a censored value; 1e30 or -1e30: none.",
        "# MDV 1: no observation. EVID 0 sample, 1 dose, 2 change of a covariate, 3 new course, 4 new course and dose.",
        f"missing = [{_shown(missing)}]",
    ]
    lines += [f"time = {{ unit = {written(study.time_unit)} }}"] if study.time_unit else []
    for place in sorted(set(study.observations.endpoint.tolist())):
        one = study.endpoints[int(place)]
        unit = f", unit = {written(one.unit)}" if one.unit else ""
        lines.append(f"endpoint.{_bare(one.name)} = {{ dvid = {endpoints[one.code]}{unit} }}")
    for target, code in targets.items():
        if number_text(target) != str(code):
            lines.append(f"dose.{_bare(target)} = {{ cmt = {code} }}")
    codes = {"ID": named} if named else {}
    for column, one in study.covariates.items():
        if one.categories:
            codes[column] = {str(i): word for i, word in enumerate(one.categories, start=1)}
    for column, words in codes.items():
        lines += ["", f"[codes.{_bare(column)}]", *(f"{code} = {written(word)}" for code, word in words.items())]
    return "\n".join(lines) + "\n"


def _bare(name: str) -> str:
    """A name as a key of TOML."""
    plain = name.replace("_", "").replace("-", "")
    return name if plain.isascii() and plain.isalnum() else written(name)
