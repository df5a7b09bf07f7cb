"""Numbers with their meaning: value, unit, spread between patients, source and how it was obtained.

A set is never edited. A variant is an overlay with a name and a reason: ``general.overlay(product).overlay(disease)``.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Set
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Annotated

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vein2vein import units
from vein2vein.card_reading import located, read
from vein2vein.cards import Card, bundled_card, parse_card
from vein2vein.declared import HOW, Noted, Record, number, part, text, unsourced
from vein2vein.errors import InputError, unknown
from vein2vein.faults import number_fault
from vein2vein.randomness import normals
from vein2vein.records import described

__all__ = [
    "HOW", "PATIENT", "Parameter", "ParameterSet", "Spread", "as_matrix", "individual_values", "laid_over",
    "names_for_cards", "read_parameter_file", "read_parameters",
]  # fmt: skip

SPREADS = ("lognormal", "normal", "log10normal")
PATIENT = "patient"  # gives what is made for each patient and stands on no card


@dataclass(frozen=True)
class Spread(Record):
    """Spread between patients: ``lognormal`` (sd of ln), ``log10normal`` (sd of log10) or ``normal`` (sd)."""

    kind: Annotated[str, text("Law of the spread between patients", SPREADS)]
    sd: Annotated[float, number("Its sd: of ln, of log10, or in the parameter's unit", low=0)]


@described
@dataclass(frozen=True)
class Parameter(Record):
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
        Limits at which a patient's own value is held.
    least, most : float
        What a card may say; draws are not held there.
    bounds : str
        Why these.
    """

    name: Annotated[str, text("Name, as the table is called")]
    symbol: Annotated[str, text("Symbol in print")] = ""
    meaning: Annotated[str, text("What the number is")] = ""
    value: Annotated[float, number("Typical value")] | None = None
    unit: Annotated[str, text("Unit of the value; converted to that of the general set")] = ""
    spread: Annotated[Spread, part("Spread between patients", '{ kind = "lognormal", sd = 0.3 }')] | None = None
    source: Annotated[str, text("Key of the source in sources.bib")] = ""
    where: Annotated[str, text("Place in the source")] = ""
    how: Annotated[str, text("How it was obtained", HOW)] = ""
    why: Annotated[str, text("Reasoning behind what is assumed")] = ""
    low: Annotated[float, number("Least value of a patient: draws are held there", endless=True)] = -math.inf
    high: Annotated[float, number("Largest value of a patient: draws are held there", endless=True)] = math.inf
    given_by: Annotated[str, text("Card that gives the value: product, disease or patient")] = ""
    latex: Annotated[str, text("Symbol in LaTeX")] = ""
    least: Annotated[float, number("Least value that a card may give", endless=True)] = -math.inf
    most: Annotated[float, number("Largest value that a card may give", endless=True)] = math.inf
    bounds: Annotated[str, text("Why these least and largest values")] = ""

    def faults(self) -> Iterator[tuple[str, str]]:
        """What its fields get wrong together."""
        for lower, upper in (("low", "high"), ("least", "most")):
            first, second = getattr(self, lower), getattr(self, upper)
            if first > second:
                yield upper, f"found {lower} {first:g} above {upper} {second:g}; expected {lower} <= {upper}."
        if self.value is not None:
            least, most = self.range
            if said := number_fault(self.value, self.unit, least, most):
                yield "value", said
        yield from unsourced(self.how, self.source, self.why, "a number")

    @property
    def range(self) -> tuple[float, float]:
        """Least and largest value that is taken."""
        return max(self.low, self.least), min(self.high, self.most)


@dataclass(frozen=True, kw_only=True)
class Correlation(Noted):
    """How the patients' deviations of two parameters go together."""

    first: Annotated[str, text("Name of a parameter")]
    second: Annotated[str, text("Name of another parameter")]
    value: Annotated[float, number("Correlation of the two deviations", above=-1, below=1)]

    def faults(self) -> Iterator[tuple[str, str]]:
        """One parameter twice."""
        if self.first == self.second:
            yield "second", f"found '{self.second}' twice; expected two parameters."
        yield from super().faults()


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

    def __post_init__(self) -> None:
        for (first, second), value in self.correlations.items():
            Correlation(first=first, second=second, value=value)
        _factor(sorted({name for pair in self.correlations for name in pair}), self.correlations)

    def overlay(self, other: ParameterSet) -> ParameterSet:
        """Return this set with the other's numbers laid over it; meanings and units stay as declared here.

        Raises
        ------
        InputError
            A number has no place here, another kind of unit, or is out of its bounds.
        """
        for name in other.parameters:
            if name not in self.parameters:
                raise InputError(unknown("parameter", name, self.parameters), field=name)
        return self.joined(other)

    def joined(self, other: ParameterSet) -> ParameterSet:
        """Return this set with the other's numbers over it, those that it does not hold yet among them."""
        merged = dict(self.parameters)
        for name, new in other.parameters.items():
            merged[name] = laid_over(merged[name], new) if name in merged else new
        history = (*self.history, *(other.history or (other.name,)))
        return ParameterSet(self.name, merged, history, {**self.correlations, **other.correlations})

    def missing(self) -> list[str]:
        """Names of parameters that no card has given a value yet."""
        return [name for name, parameter in self.parameters.items() if parameter.value is None]

    def values(self) -> dict[str, float]:
        """Typical value of each parameter that has one."""
        return {name: p.value for name, p in self.parameters.items() if p.value is not None}


def laid_over(old: Parameter, new: Parameter) -> Parameter:
    """A number in the place of another: in its unit, within its bounds, with its meaning where it has none."""
    try:
        new = _in_unit(new, old.unit)
        return replace(
            new, symbol=new.symbol or old.symbol, meaning=new.meaning or old.meaning, latex=new.latex or old.latex,
            low=max(new.low, old.low), high=min(new.high, old.high), least=max(new.least, old.least),
            most=min(new.most, old.most), bounds=new.bounds or old.bounds, given_by=old.given_by,
            spread=new.spread if new.spread is not None else old.spread,
        )  # fmt: skip
    except InputError as problem:
        raise InputError(problem.text, field=".".join(one for one in (old.name, problem.field) if one)) from None


def _in_unit(parameter: Parameter, unit: str) -> Parameter:
    """A parameter in another unit of its kind; one without unit is taken to be in it."""
    own = parameter.unit
    if not unit or own == unit:
        return parameter
    if not own:
        return replace(parameter, unit=unit)
    try:
        at_zero, at_one = (units.convert(x, own, unit) for x in (0.0, 1.0))
    except InputError as problem:
        said = f"{problem.text.removesuffix('.')}; expected {unit}."
        raise InputError(said, field="unit") from None
    if (at_zero, at_one) == (0.0, 1.0):
        return replace(parameter, unit=unit)
    moved = {
        name: units.convert(value, own, unit)
        for name in ("value", "low", "high", "least", "most")
        if (value := getattr(parameter, name)) is not None and math.isfinite(value)
    }
    spread = parameter.spread
    if spread is not None and spread.kind == "normal":
        spread = Spread(spread.kind, spread.sd * (at_one - at_zero))
    return replace(parameter, unit=unit, spread=spread, **moved)


# Reading


@cache
def _unit_bounds() -> Mapping[str, tuple[float, float, str]]:
    """Least and largest number of each unit, and why."""
    card = bundled_card("parameter_bounds.toml")
    return {
        unit: (card.number(*here, "least"), card.number(*here, "most"), card.string(*here, "why"))
        for unit in card.table("units")
        for here in [("units", unit)]
    }


def read_parameters(card: Card, *path: str, name: str | None = None, over: ParameterSet | None = None) -> ParameterSet:
    """Read the parameter tables below ``path`` of a card (default: ``parameters``).

    A table holds symbol, meaning, value, unit, spread = { kind, sd }, source, where, how, why, low, high.
    ``given_by`` in place of ``value`` declares a parameter whose number a product or disease card brings.

    Parameters
    ----------
    card : Card
    path : str
    name : str, optional
        Of the set; by default that of the card.
    over : ParameterSet, optional
        The general set: names, units and bounds are those of its parameters.

    Raises
    ------
    InputError
        A field is unknown, missing or out of its bounds: file, line and field.
    """
    path = path or ("parameters",)
    tables = card.table(*path, default={})
    if over is not None:
        card.refuse_unknown(names_for_cards(over), *path, what="parameter")
    found = {key: _read_one(card, (*path, key), over) for key in tables}
    label = name or str(card.get("name", default=Path(card.file).stem))
    pairs: dict[tuple[str, str], float] = {}
    for index in range(len(card.tables("correlations")) if path == ("parameters",) else 0):
        here = ("correlations", str(index))
        pair = read(card, Correlation, *here)
        for end in ("first", "second"):
            if (named := getattr(pair, end)) not in found:
                raise card.error((*here, end), unknown("parameter", named, found))
        pairs[(pair.first, pair.second)] = pair.value
    with located(card):
        return ParameterSet(label, found, (label,), pairs)


def _read_one(card: Card, here: tuple[str, ...], over: ParameterSet | None) -> Parameter:
    found = read(card, Parameter, *here, given={"name": here[-1]})
    if found.value is None and not found.given_by:
        card.required(*here, "value", expected=f"a number in {found.unit}" if found.unit else "a number")
    if not found.how and not found.given_by:
        card.required(*here, "how", expected="one of " + ", ".join(HOW))
    with located(card, *here):
        symbol = found.symbol or found.name
        if over is None:
            return _bounded(found, symbol)
        found = found if found.symbol else replace(found, symbol=symbol)
        old = over.parameters[found.name]
        own = _in_unit(found, old.unit)
        least, most = max(own.least, old.least, old.low), min(own.most, old.most, old.high)
        if own.value is not None and (said := number_fault(own.value, own.unit, least, most)):
            raise InputError(said, field="value")
        return own


def _bounded(parameter: Parameter, symbol: str) -> Parameter:
    """A parameter with its symbol, and with the bounds of its unit where it gives none itself."""
    least, most, why = _unit_bounds().get(parameter.unit, (-math.inf, math.inf, ""))
    own = (parameter.least, parameter.most, parameter.bounds)
    bounded = (own[0] if own[0] > -math.inf else least, own[1] if own[1] < math.inf else most, own[2] or why)
    if bounded == own and symbol == parameter.symbol:
        return parameter
    return replace(parameter, symbol=symbol, least=bounded[0], most=bounded[1], bounds=bounded[2])


def names_for_cards(general: ParameterSet) -> list[str]:
    """Parameters of a general set that a card may give: all that are not made for each patient."""
    return [name for name, one in general.parameters.items() if one.given_by != PATIENT]


def read_parameter_file(path: Path) -> ParameterSet:
    """Read a bundled parameter file."""
    return read_parameters(parse_card(path.read_text(encoding="utf-8"), path.name))


def individual_values(
    parameters: ParameterSet,
    patients: ArrayLike,
    seed: int,
    *,
    typical: bool = False,
    names: frozenset[str] | None = None,
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
    names : frozenset of str, optional
        Of these parameters only.

    Returns
    -------
    dict of str to ndarray, shape (n,)
        In the parameters' own units.
    """
    if absent := parameters.missing():
        raise ValueError(f"no card gives a value to {', '.join(absent)}; lay a product and a disease card over the set")
    ids = np.atleast_1d(np.asarray(patients, dtype=np.int64))
    wanted = parameters.parameters.keys() if names is None else names
    deviations = {} if typical else _deviations(parameters, ids, seed, wanted)
    values = {}
    for name, parameter in ((name, parameters.parameters[name]) for name in parameters.parameters if name in wanted):
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


def _deviations(
    parameters: ParameterSet, ids: NDArray[np.int64], seed: int, wanted: Set[str]
) -> dict[str, NDArray[np.float64]]:
    ends = {name for pair in parameters.correlations for name in pair}
    needed = wanted | ends if wanted & ends else wanted
    spread = [n for n, p in parameters.parameters.items() if n in needed and p.spread is not None and p.spread.sd > 0]
    drawn = {name: normals(seed, f"parameter:{name}", ids)[:, 0] for name in spread}
    for pair in parameters.correlations:
        for name in pair:
            if name not in parameters.parameters:
                raise InputError(unknown("parameter in a correlation", name, parameters.parameters))
    linked = sorted({n for pair in parameters.correlations for n in pair if n in drawn})
    if linked:
        factor, own = _factor(linked, parameters.correlations), [drawn[n] for n in linked]
        for i, name in enumerate(linked):  # summed term by term: a matrix product would round by the number of patients
            whole = factor[i, i] * own[i]
            for j in range(i):
                whole = whole + factor[i, j] * own[j]
            drawn[name] = whole
    return drawn


def _factor(names: list[str], correlations: Mapping[tuple[str, str], float]) -> NDArray[np.float64]:
    """Lower triangle that gives independent deviations these correlations, shape (k, k)."""
    matrix = np.eye(len(names))
    for (first, second), value in correlations.items():
        if first in names and second in names:
            i, j = names.index(first), names.index(second)
            matrix[i, j] = matrix[j, i] = value
    try:
        return np.asarray(np.linalg.cholesky(matrix), dtype=np.float64)
    except np.linalg.LinAlgError:
        shown = ", ".join(f"{first} and {second} {value:g}" for (first, second), value in correlations.items())
        said = f"found correlations that cannot hold together ({shown}); expected smaller ones."
        raise InputError(said, field="correlations") from None


def as_matrix(values: Mapping[str, ArrayLike], names: Iterable[str], count: int) -> NDArray[np.float64]:
    """Stack named values as columns, shape (count, number of names)."""
    columns = tuple(names)
    found = np.empty((count, len(columns)))
    for i, name in enumerate(columns):
        found[:, i] = values[name]
    return found
