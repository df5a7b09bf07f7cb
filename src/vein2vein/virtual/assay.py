"""What an assay reads for a true value: error, and the limit of quantification."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Annotated

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vein2vein import card_reading
from vein2vein.analytes import all_analytes
from vein2vein.cards import Card, bundled_card
from vein2vein.declared import Form, Noted, Record, number, text
from vein2vein.randomness import each_normals

CARD = "virtual/assay.toml"
UL_PER_NL = 1000.0
KINDS = ("lognormal", "normal", "proportional", "poisson")


@dataclass(frozen=True)
class Assay(Record):
    """Error law of one analyte.

    Attributes
    ----------
    kind : str
        ``lognormal`` (sd of ln), ``normal`` (sd in the analyte's unit), ``proportional`` (sd as a share of the value)
        or ``poisson`` (the value is a mean count per ``sample``, in units of the analyte).
    sd : float
    lloq : float
        Lower limit of quantification in the analyte's unit, 0 where there is none.
    sample : float
        Cells looked at per unit of the value (poisson only).
    """

    kind: Annotated[str, text("Law of the error", KINDS)]
    sd: Annotated[float, number("Sd of ln, in the unit of the analyte, or as a share of the value", low=0)] = 0.0
    lloq: Annotated[float, number("Lower limit of quantification, in the unit of the analyte", low=0)] = 0.0
    sample: Annotated[float, number("Cells looked at for each unit of the value (poisson)", above=0)] = 1.0


@dataclass(frozen=True, kw_only=True)
class AssayCard(Noted, Assay):
    """An assay as a card gives it: its law, and where it comes from."""

    unit: Annotated[str, text("Unit of sd and lloq: that of the analyte")] = ""


def analytes() -> list[str]:
    """What an assay may measure."""
    return list(all_analytes())


def read_assays(card: Card, *path: str) -> dict[str, Assay]:
    """Read the assay tables below ``path`` (default: ``assay``) of a card: kind, sd, lloq, sample, source, how, why."""
    path = path or ("assay",)
    found: dict[str, Assay] = {}
    table = card.table(*path, default={})
    card.refuse_unknown(analytes(), *path, what="analyte")
    for name in table:
        one = card_reading.read(card, AssayCard, *path, name)
        expected = all_analytes()[name].unit
        if one.unit not in ("", expected):
            raise card.error(
                (*path, name, "unit"), f"found '{one.unit}', expected '{expected}'; give sd and lloq in it."
            )
        found[name] = Assay(one.kind, one.sd, one.lloq, one.sample)
    return found


ASSAYS = Form(
    read=lambda card, path: read_assays(card, *path), kinds=lambda: {"": AssayCard}, each=True, names=analytes
)


def read(
    truth: Mapping[str, ArrayLike], assays: Mapping[str, Assay], *, numbers: ArrayLike, day: float, seed: int
) -> tuple[dict[str, NDArray[np.float64]], dict[str, NDArray[np.bool_]]]:
    """Read true values through their assays.

    Parameters
    ----------
    truth : mapping of analyte to array_like, shape (n,)
    assays : mapping of analyte to Assay
        An analyte without one is read exactly.
    numbers : array_like of int, shape (n,)
        Patient numbers; the error depends on the seed, the analyte, the day and this number alone.
    day : float
    seed : int

    Returns
    -------
    values : dict of analyte to ndarray, shape (n,)
        Below the limit of quantification: the limit. A count is never read above the whole that it is a part of.
    below : dict of analyte to ndarray of bool, shape (n,)
    """
    subject = [name for name in truth if name in assays]
    read, below = (_measured(subject, truth, assays, numbers, day, seed)) if subject else ({}, {})
    values = {name: read[name] if name in read else np.asarray(truth[name], dtype=np.float64) for name in truth}
    for part, whole in parts().items():
        if part in values and whole in values:
            values[part] = np.minimum(values[part], values[whole] * _units(part, whole))
    _within(values)
    return values, below


def _within(values: dict[str, NDArray[np.float64]]) -> None:
    """Bring the readings of parts that have no cell in common, and of a whole that is made of them, into one count."""
    for whole, apart in _lists("apart").items():
        if whole in values and all(part in values for part in apart):
            total = sum((values[part] / _units(part, whole) for part in apart), np.zeros(values[whole].shape))
            with np.errstate(divide="ignore", invalid="ignore"):
                share = np.where(total > values[whole], values[whole] / total, 1.0)
            values.update({part: values[part] * share for part in apart})
    for whole, made_of in _lists("made_of").items():
        if whole in values:
            there = [values[part] / _units(part, whole) for part in made_of if part in values]
            values[whole] = np.maximum(values[whole], sum(there, np.zeros(values[whole].shape)))


@cache
def _lists(table: str) -> dict[str, tuple[str, ...]]:
    """The names that a table of the card gives for each of its entries."""
    card = bundled_card(CARD)
    return {str(name): tuple(card.texts(table, str(name))) for name in card.table(table)}


@cache
def parts() -> dict[str, str]:
    """The count that each count is a part of, wholes before their parts."""
    return {str(part): str(whole) for part, whole in bundled_card(CARD).table("part_of").items()}


@cache
def of_others(lineage: str) -> frozenset[str]:
    """Analytes that measure the tumor of other lineages, so that nobody measures them in this one."""
    return frozenset(name for name, lineages in _lists("only_in").items() if lineage not in lineages)


def _units(part: str, whole: str) -> float:
    """How many units of the part's count (cells/uL or 1e9/L) make one of its whole."""
    return 1.0 if all_analytes()[part].unit == all_analytes()[whole].unit else UL_PER_NL


def _measured(
    subject: list[str], truth: Mapping[str, ArrayLike], assays: Mapping[str, Assay], numbers: ArrayLike, day: float,
    seed: int,
) -> tuple[dict[str, NDArray[np.float64]], dict[str, NDArray[np.bool_]]]:  # fmt: skip
    """What has an assay, all of one kind at once: for one patient there is more to call than to compute."""
    errors = each_normals(seed, [f"assay {name}:{day:.2f}" for name in subject], numbers)[:, :, 0]
    true = np.empty(errors.shape)
    for row, name in zip(true, subject):
        row[:] = truth[name]
    laws, analytes = [assays[name] for name in subject], all_analytes()
    kinds, sd = np.array([law.kind for law in laws]), np.array([law.sd for law in laws])[:, None]
    seen = np.empty(errors.shape)
    for kind in set(kinds.tolist()):
        rows = np.flatnonzero(kinds == kind)
        value, noise = true[rows], errors[rows]
        match kind:
            case "lognormal":
                seen[rows] = value * np.exp(sd[rows] * noise)
            case "normal":
                seen[rows] = value + sd[rows] * noise
            case "proportional":
                seen[rows] = value * (1 + sd[rows] * noise)
            case _:
                sample = np.array([laws[row].sample for row in rows])[:, None]
                seen[rows] = value + np.sqrt(np.maximum(value, 0.0) / sample) * noise
    # no assay reads beyond its range, such as 100 %
    seen = np.clip(seen, 0.0, np.array([analytes[name].high for name in subject])[:, None])
    lloq = np.array([law.lloq for law in laws])[:, None]
    under = seen < lloq
    seen = np.where(lloq > 0, np.maximum(seen, lloq), seen)
    limited = {name: one for name, one, law in zip(subject, under, laws) if law.lloq > 0}
    return dict(zip(subject, seen)), limited


@cache
def usual() -> dict[str, Assay]:
    """Error and limit of quantification of each measured analyte, where a trial names no assay of its own."""
    return read_assays(bundled_card(CARD))
