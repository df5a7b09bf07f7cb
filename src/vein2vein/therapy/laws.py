"""Laws of a population: how each fact of a virtual patient is distributed, as data.

A law is a table of a disease or trial card::

    [population.lymphocytes]
    law = "lognormal"
    median = 1.0
    sd = 0.6                  # of the natural logarithm
    unit = "10^9/L"
    how = "assumed"
    why = "..."
    source = "reference_model_2026"
    where = "section 12"

Laws and their numbers (``low`` and ``high`` are allowed everywhere; for normal and lognormal they truncate, otherwise
they clip):

==================  ================================================================================================
fixed               value
bernoulli           probability
two_values          value, other, share (share of patients with the other value)
uniform             low, high
normal              mean, sd
lognormal           median, sd (of the natural logarithm)
logitnormal         location, sd (of the logit), scale (value at a share of 1); cap (largest share)
beta                alpha, beta, low, high (a beta variable stretched from low to high)
poisson             mean, plus (added), high (largest value)
shifted_gamma       shift, shape, scale
by_age              points = [[age, median, sd of ln], ...], joined by straight lines; points_female for girls and women
share_of            of (another field), median, logit_sd, factor (unit factor)
blasts_of_burden    scale, cap, full, sd: scale*x/(1-min(x, cap)) with x = burden/full, log-normal around it
==================  ================================================================================================

Every law uses one uniform number per patient, named by the field, so that a changed law moves no other field.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vein2vein.card_reading import read_tagged
from vein2vein.cards import Card
from vein2vein.declared import Form, fields_of
from vein2vein.errors import InputError, unknown
from vein2vein.randomness import uniforms
from vein2vein.therapy.law_kinds import DESCRIPTION, KINDS

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Law:
    """The distribution of one field.

    Attributes
    ----------
    field, kind : str
    numbers : mapping
        The numbers of the law by name; ``points`` is an array (k, 3), ``of`` a field name.
    unit, source, where, how, why : str
    """

    field: str
    kind: str
    numbers: Mapping[str, Any]
    unit: str = ""
    source: str = ""
    where: str = ""
    how: str = ""
    why: str = ""

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise InputError(unknown("law", self.kind, KINDS), field="law")
        rows: dict[str, Any] = {
            name: _rows(value) if name.startswith("points") else value for name, value in self.numbers.items()
        }
        kind = KINDS[self.kind]
        taken = {one.name for one in fields_of(kind)}
        if odd := sorted(set(rows) - taken):
            raise InputError(unknown("field", odd[0], taken), field=odd[0])
        kind(law=self.kind, how="assumed", why="made in Python", **rows)


def _rows(points: ArrayLike) -> tuple[tuple[float, ...], ...]:
    return tuple(tuple(float(x) for x in row) for row in np.atleast_2d(np.asarray(points, dtype=float)))


def read_laws(card: Card, *path: str, fields: Collection[str] | None = None) -> dict[str, Law]:
    """Read the laws below ``path`` of a card (default: ``population``); an absent table holds no laws.

    Parameters
    ----------
    card : Card
    path : str
    fields : collection of str, optional
        Names that a law may have.

    Raises
    ------
    InputError
        An unknown field or law, a missing or impossible number: file, line and field.
    """
    path = path or ("population",)
    table = card.table(*path, default={})
    if fields is not None and table:
        card.refuse_unknown(fields, *path)
    return {name: read_law(card, *path, name) for name in table}


def read_law(card: Card, *path: str) -> Law:
    """Read one law at a path of a card."""
    found = read_tagged(card, KINDS, "law", *path)
    given = {one.name: getattr(found, one.name) for one in fields_of(type(found)) if one.name not in DESCRIPTION}
    numbers: dict[str, Any] = {name: value for name, value in given.items() if value is not None and value != ()}
    for name in ("points", "points_female"):
        if name in numbers:
            numbers[name] = np.asarray(numbers[name], dtype=float)
    return Law(path[-1], found.law, numbers, found.unit, found.source, found.where, found.how, found.why)


def laws_form(fields: Collection[str] | None = None) -> Form:
    """How a card writes laws: a table of each under the name of its field."""
    return Form(
        read=lambda card, path: read_laws(card, *path, fields=fields), kinds=lambda: KINDS, tag="law", each=True,
        names=fields,
    )  # fmt: skip


def draw(
    laws: Mapping[str, Law],
    numbers: ArrayLike,
    seed: int,
    *,
    known: Mapping[str, ArrayLike] | None = None,
    typical: bool = False,
    purpose: str = "population",
) -> dict[str, Floats]:
    """Draw every field for each patient.

    Parameters
    ----------
    laws : mapping of field to Law
    numbers : array_like of int, shape (n,)
        Patient numbers.
    seed : int
    known : mapping of field to array_like, shape () or (n,), optional
        Facts that are given; their laws are not used, and laws that depend on them use the given values.
    typical : bool
        The median of every law.
    purpose : str
        First part of the name of the random streams.

    Returns
    -------
    dict of field to ndarray, shape (n,)
        In the laws' own units; a share of patients is 0 or 1.
    """
    ids = np.atleast_1d(np.asarray(numbers, dtype=np.int64))
    values = {name: np.broadcast_to(np.asarray(v, dtype=float), ids.shape).copy() for name, v in (known or {}).items()}
    waiting = [name for name in laws if name not in values]
    while waiting:
        ready = [name for name in waiting if all(need in values for need in _needs(laws[name]))]
        if not ready:
            wanted = {need for name in waiting for need in _needs(laws[name]) if need not in values}
            raise ValueError(f"the laws of {', '.join(waiting)} need {', '.join(sorted(wanted))}, which nothing gives")
        for name in ready:
            uniform = np.full(ids.shape, 1 / 2) if typical else uniforms(seed, f"{purpose}:{name}", ids)[:, 0]
            values[name] = quantile(laws[name], uniform, values)
        waiting = [name for name in waiting if name not in values]
    return values


def _needs(law: Law) -> tuple[str, ...]:
    match law.kind:
        case "by_age":
            return ("age", "male") if "points_female" in law.numbers else ("age",)
        case "share_of":
            return (law.numbers["of"],)
        case "blasts_of_burden":
            return ("burden",)
        case _:
            return ()


def quantile(law: Law, uniform: Floats, values: Mapping[str, Floats]) -> Floats:
    """Value of a law at a probability, shape (n,); ``values`` hold the fields that it depends on."""
    from scipy import special

    n: Mapping[str, Any] = law.numbers
    normal = special.ndtri(uniform)
    low, high = n.get("low", -math.inf), n.get("high", math.inf)
    match law.kind:
        case "fixed":
            value = np.full(uniform.shape, n["value"])
        case "bernoulli":
            value = (uniform > 1 - n["probability"]).astype(float)
        case "two_values":
            value = np.where(uniform > 1 - n["share"], n["other"], n["value"])
        case "uniform":
            value = low + (high - low) * uniform
        case "normal":
            value = n["mean"] + n["sd"] * _truncated(uniform, (low - n["mean"]) / n["sd"], (high - n["mean"]) / n["sd"])
        case "lognormal":
            ends = [(math.log(e / n["median"]) if e > 0 else -math.inf) / n["sd"] for e in (low, high)]
            value = n["median"] * np.exp(n["sd"] * _truncated(uniform, *ends))
        case "logitnormal":
            share = np.minimum(special.expit(n["location"] + n["sd"] * normal), n.get("cap", 1.0))
            value = n.get("scale", 1.0) * share
        case "beta":
            value = low + (high - low) * special.betaincinv(n["alpha"], n["beta"], uniform)
        case "poisson":
            cumulative = special.pdtr(np.arange(int(high)), n["mean"])
            value = n.get("plus", 0.0) + np.searchsorted(cumulative, uniform).astype(float)
        case "shifted_gamma":
            value = n["shift"] + n["scale"] * special.gammaincinv(n["shape"], uniform)
        case "by_age":
            value = _by_age(n["points"], values["age"], normal)
            if "points_female" in n:
                value = np.where(values["male"] > 0, value, _by_age(n["points_female"], values["age"], normal))
        case "share_of":
            share = special.expit(special.logit(n["median"]) + n["logit_sd"] * normal)
            value = n.get("factor", 1.0) * share * values[n["of"]]
        case _:
            share = values["burden"] / n["full"]
            value = n["scale"] * share / (1 - np.minimum(share, n["cap"])) * np.exp(n["sd"] * normal)
    return np.clip(value, low, high)


def _truncated(uniform: Floats, low: float, high: float) -> Floats:
    from scipy import special

    first, last = special.ndtr(low), special.ndtr(high)
    return special.ndtri(first + uniform * (last - first))


def _by_age(points: Floats, age: Floats, normal: Floats) -> Floats:
    median = np.interp(age, points[:, 0], points[:, 1])
    return median * np.exp(np.interp(age, points[:, 0], points[:, 2]) * normal)
