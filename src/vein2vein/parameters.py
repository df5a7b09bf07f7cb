"""Numbers with their meaning: value, unit, spread between patients, source and how it was obtained.

A set is never edited. A variant is an overlay with a name and a reason: ``general.overlay(product).overlay(disease)``.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vein2vein.cards import Card, parse_card
from vein2vein.errors import unknown
from vein2vein.randomness import normals
from vein2vein.records import described

HOW = ("reported", "converted", "digitized", "fitted", "calibrated", "assumed")
_FIELDS = (
    "symbol", "meaning", "value", "unit", "spread", "source", "where", "how", "why", "low", "high", "given_by", "latex",
)  # fmt: skip
_SPREADS = ("lognormal", "normal", "log10normal")


@dataclass(frozen=True)
class Spread:
    """Spread between patients: ``lognormal`` (sd of ln), ``log10normal`` (sd of log10) or ``normal`` (sd)."""

    kind: str
    sd: float


@described
@dataclass(frozen=True)
class Parameter:
    """One number of a model, with all that a reader needs to judge it.

    Attributes
    ----------
    name, symbol, meaning : str
    value : float or None
        Typical value; None where a product or disease card gives it (``given_by``).
    unit : str
    spread : Spread or None
    source, where : str
        Key in sources.bib and the place in it.
    how : str
        reported, converted, digitized, fitted, calibrated or assumed.
    why : str
        The reasoning behind an assumed number.
    low, high : float
        Bounds outside of which a value is refused.
    """

    name: str
    symbol: str
    meaning: str
    value: float | None
    unit: str
    spread: Spread | None = None
    source: str = ""
    where: str = ""
    how: str = ""
    why: str = ""
    low: float = -math.inf
    high: float = math.inf
    given_by: str = ""
    latex: str = ""


@described
@dataclass(frozen=True)
class ParameterSet:
    """Named parameters, and the names of the cards that they came from.

    Attributes
    ----------
    name : str
    parameters : mapping of str to Parameter
    history : tuple of str
        The set and each overlay on it, in order: part of a run's provenance.
    correlations : mapping of (str, str) to float
        Correlations between the patients' deviations of two parameters.
    """

    name: str
    parameters: Mapping[str, Parameter]
    history: tuple[str, ...] = ()
    correlations: Mapping[tuple[str, str], float] = field(default_factory=dict)

    def overlay(self, other: ParameterSet) -> ParameterSet:
        """Return this set with the other's numbers laid over it; meanings and units stay as declared here."""
        merged = dict(self.parameters)
        for name, new in other.parameters.items():
            old = merged.get(name)
            if old is not None:
                new = replace(
                    new, symbol=new.symbol or old.symbol, meaning=new.meaning or old.meaning, unit=new.unit or old.unit,
                    latex=new.latex or old.latex, low=max(new.low, old.low), high=min(new.high, old.high),
                    given_by=old.given_by, spread=new.spread if new.spread is not None else old.spread,
                )  # fmt: skip
            merged[name] = new
        history = (*self.history, *(other.history or (other.name,)))
        return ParameterSet(self.name, merged, history, {**self.correlations, **other.correlations})

    def missing(self) -> list[str]:
        """Names of parameters that no card has given a value yet."""
        return [name for name, parameter in self.parameters.items() if parameter.value is None]

    def values(self) -> dict[str, float]:
        """Typical value of each parameter that has one."""
        return {name: p.value for name, p in self.parameters.items() if p.value is not None}


def read_parameters(card: Card, *path: str, name: str | None = None) -> ParameterSet:
    """Read the parameter tables below ``path`` of a card (default: ``parameters``).

    A table holds symbol, meaning, value, unit, spread = { kind, sd }, source, where, how, why, low, high.
    ``given_by`` in place of ``value`` declares a parameter whose number a product or disease card brings.

    Raises
    ------
    InputError
        A field is unknown, missing or out of its bounds: file, line and field.
    """
    path = path or ("parameters",)
    found: dict[str, Parameter] = {}
    for key in card.table(*path, default={}):
        here = (*path, key)
        card.refuse_unknown(_FIELDS, *here)
        given_by = card.string(*here, "given_by", default="")
        low = card.number(*here, "low", default=-math.inf)
        high = card.number(*here, "high", default=math.inf)
        optional = {"default": None} if given_by else {}
        value = card.number(*here, "value", low=low, high=high, **optional)
        spread = None
        if card.get(*here, "spread") is not None:
            spread = Spread(
                card.string(*here, "spread", "kind", choices=_SPREADS), card.number(*here, "spread", "sd", low=0.0)
            )
        how = card.string(*here, "how", choices=HOW, default="") if given_by else card.string(*here, "how", choices=HOW)
        why = card.string(*here, "why", default="")
        source = card.string(*here, "source", default="")
        if how == "assumed" and not why:
            raise card.error((*here, "why"), "missing; an assumed number needs its reasoning: add why = \"...\".")
        if how and how != "assumed" and not source:
            text = "missing; a number that is not assumed needs its source: add source = \"key\"."
            raise card.error((*here, "source"), text)
        found[key] = Parameter(
            key, card.string(*here, "symbol", default=key), card.string(*here, "meaning", default=""), value,
            card.string(*here, "unit", default=""), spread, source, card.string(*here, "where", default=""), how, why,
            low, high, given_by, card.string(*here, "latex", default=""),
        )  # fmt: skip
    label = name or str(card.get("name", default=Path(card.file).stem))
    pairs = {}
    for index, row in enumerate(card.get("correlations", default=[])):
        first, second, value = row.get("first"), row.get("second"), row.get("value")
        if not isinstance(value, int | float) or not -1 < value < 1:
            raise card.error(("correlations", str(index)), f"found {value!r}, expected a correlation between -1 and 1.")
        pairs[(str(first), str(second))] = float(value)
    return ParameterSet(label, found, (label,), pairs)


def read_parameter_file(path: Path) -> ParameterSet:
    """Read a bundled parameter file."""
    return read_parameters(parse_card(path.read_text(encoding="utf-8"), path.name))


def individual_values(
    parameters: ParameterSet, patients: ArrayLike, seed: int, *, typical: bool = False
) -> dict[str, NDArray[np.float64]]:
    """Draw each patient's own parameter values.

    Parameters
    ----------
    parameters : ParameterSet
        Complete: every parameter has a value.
    patients : array_like of int, shape (n,)
        Patient numbers; a patient's values depend on the seed, the parameter's name and this number alone.
    seed : int
    typical : bool
        All deviations zero.

    Returns
    -------
    dict of str to ndarray, shape (n,)
        In the parameters' own units.
    """
    if absent := parameters.missing():
        raise ValueError(f"no card gives a value to {', '.join(absent)}; lay a product and a disease card over the set")
    ids = np.atleast_1d(np.asarray(patients, dtype=np.int64))
    deviations = {} if typical else _deviations(parameters, ids, seed)
    values = {}
    for name, parameter in parameters.parameters.items():
        assert parameter.value is not None
        typical_value = np.full(ids.size, parameter.value)
        if parameter.spread is not None and name in deviations:
            deviation = parameter.spread.sd * deviations[name]
            match parameter.spread.kind:
                case "lognormal":
                    typical_value = typical_value * np.exp(deviation)
                case "log10normal":
                    typical_value = typical_value * 10.0**deviation
                case _:
                    typical_value = typical_value + deviation
            typical_value = np.clip(typical_value, parameter.low, parameter.high)
        values[name] = typical_value
    return values


def _deviations(parameters: ParameterSet, ids: NDArray[np.int64], seed: int) -> dict[str, NDArray[np.float64]]:
    spread = [n for n, p in parameters.parameters.items() if p.spread is not None and p.spread.sd > 0]
    drawn = {name: normals(seed, f"parameter:{name}", ids)[:, 0] for name in spread}
    linked = sorted({n for pair in parameters.correlations for n in pair if n in drawn})
    for pair in parameters.correlations:
        for name in pair:
            if name not in parameters.parameters:
                raise ValueError(unknown("parameter in a correlation", name, parameters.parameters))
    if linked:
        matrix = np.eye(len(linked))
        for (first, second), value in parameters.correlations.items():
            if first in drawn and second in drawn:
                i, j = linked.index(first), linked.index(second)
                matrix[i, j] = matrix[j, i] = value
        factor, own = np.linalg.cholesky(matrix), [drawn[n] for n in linked]
        for i, name in enumerate(linked):  # summed term by term: a matrix product would round by the number of patients
            whole = factor[i, i] * own[i]
            for j in range(i):
                whole = whole + factor[i, j] * own[j]
            drawn[name] = whole
    return drawn


def as_matrix(values: Mapping[str, ArrayLike], names: Iterable[str], count: int) -> NDArray[np.float64]:
    """Stack named values as columns, shape (count, number of names)."""
    return np.stack([np.broadcast_to(np.asarray(values[n], dtype=np.float64), (count,)) for n in names], axis=1)
