"""Cellular kinetics without a model: of each patient, by group, with how each slope was chosen."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path

import numpy as np

from vein2vein import arguments
from vein2vein.errors import InputError
from vein2vein.inference.noncompartmental.groups import Group, groups_of
from vein2vein.inference.noncompartmental.profiles import MOST_NAMED, Profiles, profiles_of_record, profiles_of_study
from vein2vein.inference.noncompartmental.source import read_source
from vein2vein.io.record.record import Record
from vein2vein.io.study.study import Floats, Ints, Study
from vein2vein.records import described
from vein2vein.therapy.curves import M6, RULES, area
from vein2vein.therapy.kinetics import kinetics_of
from vein2vein.therapy.phases import LAST, Phase, phases

VALUE, TIME, AREA = "value", "time", "area"
PARAMETERS = {
    "cmax": ("Cmax", VALUE),
    "tmax": ("Tmax", TIME),
    "auc_0_28": ("AUC0-28", AREA),
    "auc_last": ("AUC0-last", AREA),
    "clast": ("Clast", VALUE),
    "tlast": ("Tlast", TIME),
    "doubling_time": ("doubling time", TIME),
    "half_life_contraction": ("half-life, contraction", TIME),
    "half_life_terminal": ("half-life, terminal", TIME),
    "half_life_last": ("half-life, last samples", TIME),
}
"""What is read from a curve: title and kind of unit."""
ALIKE = 1e-12  # difference of logarithms that is rounding
FEWEST = 3  # quantifiable values below which a note warns
IN_DAYS = ("auc_0_28", "half_life_contraction", "half_life_terminal")
"""What has its window in days."""


@described
@dataclass(frozen=True)
class Summary:
    """One figure of one group.

    Attributes
    ----------
    by, group, parameter, unit : str
    patients, known : int
        In the group, and with a value.
    geometric_mean, geometric_cv : float
        Of the values, and their coefficient of variation in percent, sqrt(exp(s2) - 1) of the natural logarithms; NaN
        where a value is 0 or less.
    median, low, high : float
        Median, least and greatest value.
    """

    by: str
    group: str
    parameter: str
    unit: str
    patients: int
    known: int
    geometric_mean: float
    geometric_cv: float
    median: float
    low: float
    high: float


@described
@dataclass(frozen=True)
class Exploration:
    """Cellular kinetics of measured curves, without a model.

    Attributes
    ----------
    profiles : Profiles
        The curves.
    figures : mapping of str to ndarray, shape (n,)
        ``PARAMETERS`` of each patient, in the unit of the endpoint, the time of the file, and their product.
    phases : mapping of str to Phase
        How each slope was chosen, in the time of the file.
    groups : tuple of Group
    summary : tuple of Summary
        By group and parameter.
    rule : str
        What values below the limit count as in an area; of ``therapy.curves.RULES``.
    notes : tuple of str
    samples, quantified : ndarray of int, shape (n,)
        Samples of each patient since the first dose, and those of them that are quantifiable.
    """

    profiles: Profiles
    figures: Mapping[str, Floats]
    phases: Mapping[str, Phase]
    groups: tuple[Group, ...]
    summary: tuple[Summary, ...]
    rule: str
    notes: tuple[str, ...]
    samples: Ints
    quantified: Ints

    def unit(self, parameter: str) -> str:
        """Unit of a parameter; "" where a part of it is not known."""
        value, time = self.profiles.unit, self.profiles.time_unit
        kind = PARAMETERS[parameter][1]
        return {VALUE: value, TIME: time, AREA: f"{time}·{value}" if value and time else ""}[kind]

    def individual(self) -> Iterator[dict[str, str | float]]:
        """One row of each patient: for a CSV file or a table."""
        for i, patient in enumerate(self.profiles.patients):
            row: dict[str, str | float] = {"patient": patient, "dose": float(self.profiles.dose[i])}
            row |= {"samples": float(self.samples[i]), "quantifiable": float(self.quantified[i])}
            row |= {name: value if isinstance(value := held[i].item(), str) else float(value)
                    for name, held in self.profiles.traits.items() if name not in row}  # fmt: skip
            row |= {name: float(values[i]) for name, values in self.figures.items()}
            for name, phase in self.phases.items():
                row |= {
                    f"{name}_samples": float(phase.points[i]),
                    f"{name}_adjusted_r2": float(phase.adjusted_r2[i]),
                    f"{name}_from": float(phase.first[i]),
                    f"{name}_until": float(phase.last[i]),
                }
            yield row

    def by_group(self) -> Iterator[dict[str, str | float]]:
        """One row of each group and parameter."""
        for one in self.summary:
            yield {f.name: getattr(one, f.name) for f in fields(one)}


def explore(
    source: Study | Record | Profiles | str | Path,
    *,
    endpoint: str | None = None,
    by: Sequence[str] | None = None,
    time_unit: str | None = None,
    below: str = M6,
) -> Exploration:
    """Read the cellular kinetics of measured curves, of each patient and by group.

    Parameters
    ----------
    source : Study, Record, Profiles or path
        A population data set or ward records; a path is read as what its header says.
    endpoint : str, optional
        What is followed; by default the transgene or the CAR-T cells, else the first endpoint.
    by : sequence of str, optional
        Columns to group by: ``dose``, ``arm``, ``response`` or others; by default those of them that there are.
    time_unit : str, optional
        Unit of the times of a data set that does not say it, such as ``d`` or ``h``.
    below : str
        What values below the limit count as in an area: M1, M5, M6 or M7 (Beal 2001).

    Returns
    -------
    Exploration

    Raises
    ------
    InputError
        The data have findings, there is no such endpoint, column, unit or rule, or no value is quantifiable.
    """
    arguments.choice("below", below, RULES)
    if by is not None:
        by = [arguments.text(f"by[{i}]", name) for i, name in enumerate(by)] if not isinstance(by, str) else [by]
    if isinstance(source, str | Path):
        source = read_source(source, time_unit=time_unit)
    profiles = _profiles(source, endpoint, time_unit)
    figures, found = _read(profiles, below)
    later = profiles.time >= 0
    count = len(profiles.patients)
    samples = np.bincount(profiles.row[later], minlength=count)
    quantified = np.bincount(profiles.row[later & ~profiles.below & (profiles.value > 0)], minlength=count)
    if not np.isfinite(figures["cmax"]).any():
        raise InputError(
            f"no value of {profiles.endpoint} is quantifiable after the first dose: there are no kinetics to read.",
            file=profiles.file,
        )
    groups = groups_of(profiles, by)
    notes = list(profiles.notes)
    if profiles.below.any():
        named = f" ({below}, Beal 2001)" if below.startswith("M") else ""
        share = f"{int(profiles.below.sum())} of {profiles.below.size} values lie below the limit"
        notes.append(
            f"{share}; in areas these rules hold: {RULES[below].replace('values below the limit', 'they')}{named}"
        )
    few = [name for name, held in zip(profiles.patients, quantified.tolist()) if held < FEWEST]
    if few:
        told = f"{', '.join(few[:MOST_NAMED])}{' and others' if len(few) > MOST_NAMED else ''}"
        notes.append(f"fewer than {FEWEST} quantifiable values, so that peak and areas say little: {told}")
    out = Exploration(profiles, figures, found, groups, (), below, tuple(notes), samples, quantified)
    rows = tuple(_summary(out, group, name) for group in groups for name in figures)
    return replace(out, summary=rows)


def _profiles(source: object, endpoint: str | None, time_unit: str | None) -> Profiles:
    if isinstance(source, Profiles):
        return source
    if isinstance(source, Study):
        return profiles_of_study(source, endpoint, time_unit)
    if isinstance(source, Record):
        if time_unit is not None:
            raise InputError("does nothing with a ward record, whose times are days; leave it out.", field="time_unit")
        return profiles_of_record(source, endpoint)
    raise arguments.refusal("source", source, "a Study, a Record or the path of a file")


def _read(profiles: Profiles, below: str) -> tuple[dict[str, Floats], dict[str, Phase]]:
    """Figures and slopes of each patient, in the time of the file."""
    scale = profiles.days
    known = bool(np.isfinite(scale))
    days = scale if known else 1.0
    read: dict[str, list[float]] = {name: [] for name in PARAMETERS}
    slopes: list[dict[str, Phase]] = []
    for curves in profiles.curves():
        one, own = kinetics_of(curves, profiles.endpoint, below), phases(curves)
        for name, (_, kind) in PARAMETERS.items():
            if name == "auc_last":
                value = float(area(curves, float(curves.at(curves.last)[1][0]), below)[0])
            elif name == LAST:
                value = float(own[LAST].time[0])
            else:
                value = float(getattr(one, name)[0])
            read[name].append(value / days if kind != VALUE else value)
        slopes.append(own)
    figures = {name: np.array(values) for name, values in read.items()}
    found = {name: _joined([own[name] for own in slopes], days) for name in slopes[0]}
    if not known:
        for name in IN_DAYS:
            figures[name] = np.full_like(figures[name], np.nan)
        found = {name: phase for name, phase in found.items() if name not in IN_DAYS}
    return figures, found


def _joined(parts: Sequence[Phase], days: float) -> Phase:
    """One slope of all patients, its times in the time of the file."""

    def of(name: str) -> Floats:
        return np.concatenate([getattr(part, name) for part in parts])

    return Phase(
        parts[0].name, of("time") / days, of("points"), of("adjusted_r2"), of("first") / days, of("last") / days
    )  # fmt: skip


def _summary(found: Exploration, group: Group, parameter: str) -> Summary:
    values = found.figures[parameter][group.rows]
    values = values[np.isfinite(values)]
    mean = cv = median = low = high = float("nan")
    if values.size:
        median, low, high = float(np.median(values)), float(values.min()), float(values.max())
        if (values > 0).all():
            logs = np.log(values)
            mean = float(np.exp(logs.mean()))
            if values.size > 1:
                spread = logs.var(ddof=1) if np.ptp(logs) > ALIKE else 0.0
                cv = 100 * float(np.sqrt(np.expm1(spread)))
    return Summary(
        group.by, group.label, parameter, found.unit(parameter), len(group.rows), int(values.size), mean, cv, median,
        low, high,
    )  # fmt: skip
