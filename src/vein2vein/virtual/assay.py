"""What an assay reads for a true value: error, and the limit of quantification."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vein2vein.analytes import all_analytes
from vein2vein.cards import Card, parse_card
from vein2vein.randomness import each_normals

KINDS = ("lognormal", "normal", "proportional", "poisson")


@dataclass(frozen=True)
class Assay:
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

    kind: str
    sd: float
    lloq: float = 0.0
    sample: float = 1.0


def read_assays(card: Card, *path: str) -> dict[str, Assay]:
    """Read the assay tables below ``path`` (default: ``assay``) of a card: kind, sd, lloq, sample, source, how, why."""
    path = path or ("assay",)
    found: dict[str, Assay] = {}
    for name in card.table(*path, default={}):
        here = (*path, name)
        found[name] = Assay(
            card.string(*here, "kind", choices=KINDS),
            card.number(*here, "sd", low=0.0, default=0.0),
            card.number(*here, "lloq", low=0.0, default=0.0),
            card.number(*here, "sample", low=0.0, default=1.0),
        )
    return found


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
        Below the limit of quantification: the limit.
    below : dict of analyte to ndarray of bool, shape (n,)
    """
    values: dict[str, NDArray[np.float64]] = {}
    below: dict[str, NDArray[np.bool_]] = {}
    subject = [name for name in truth if name in assays]
    errors = each_normals(seed, [f"assay {name}:{day:.2f}" for name in subject], numbers)[:, :, 0] if subject else ()
    noises = dict(zip(subject, errors))
    for name, given in truth.items():
        true = np.asarray(given, dtype=np.float64)
        law = assays.get(name)
        if law is None:
            values[name] = true
            continue
        noise = noises[name]
        match law.kind:
            case "lognormal":
                seen = true * np.exp(law.sd * noise)
            case "normal":
                seen = true + law.sd * noise
            case "proportional":
                seen = true * (1 + law.sd * noise)
            case _:
                seen = true + np.sqrt(np.maximum(true, 0.0) / law.sample) * noise
        seen = np.clip(seen, 0.0, all_analytes()[name].high)  # no assay reads beyond its range, such as 100 %
        if law.lloq > 0:
            below[name] = seen < law.lloq
            seen = np.maximum(seen, law.lloq)
        values[name] = seen
    return values, below


@cache
def usual() -> dict[str, Assay]:
    """Error and limit of quantification of each measured analyte, where a trial names no assay of its own."""
    path = Path(__file__).with_name("assay.toml")
    return read_assays(parse_card(path.read_text(encoding="utf-8"), path.name))
