"""Closed forms: what a model may offer beside its equations, so that a fit need not solve them.

A model whose kinetics are linear offers ``Exponentials``: after one unit at once into an input each output is a sum of
exponentials. Boluses, infusions, repeats and steady states all follow from that sum by superposition, exactly. A model
whose course is an explicit function of the time since its one dose offers ``SinceDose``. Either says the same as the
equations; the tests hold the two equal.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import NDArray

from vein2vein.records import described

if TYPE_CHECKING:
    from vein2vein.models.model import Names

Quantity: TypeAlias = NDArray[np.float64]
Terms: TypeAlias = Sequence[tuple[Quantity, Quantity]]
"""(size, rate) of each exponential: size * exp(-rate * time)."""


@described
@dataclass(frozen=True)
class Exponentials:
    """Linear kinetics, at rest at 0 without doses.

    Attributes
    ----------
    inputs : tuple of str
        Inputs of the model that it knows; where another is given the equations are solved.
    terms : callable (input, p) -> mapping of output to Terms
        Each output after one unit at once into the input; rates are above 0.
    """

    inputs: tuple[str, ...]
    terms: Callable[[str, Names], Mapping[str, Terms]]


@described
@dataclass(frozen=True)
class SinceDose:
    """A course that one dose starts, whatever its size.

    Attributes
    ----------
    input : str
        Input that starts it; before it every output is 0. Where another is given, or a second dose, the equations are
        solved.
    values : callable (t, p) -> mapping of output to value
        ``t`` is the time since the dose, 0 or more.
    """

    input: str
    values: Callable[[Quantity, Names], Mapping[str, Quantity]]


ClosedForm: TypeAlias = Exponentials | SinceDose


def inputs_of(form: ClosedForm) -> tuple[str, ...]:
    """Inputs that a closed form knows."""
    return form.inputs if isinstance(form, Exponentials) else (form.input,)


def absorbed(terms: Terms, rate: Quantity) -> Terms:
    """What terms become where a unit passes first through a depot that it leaves at ``rate``."""
    found: list[tuple[Quantity, Quantity]] = []
    left = np.zeros_like(rate)
    for size, same in terms:
        least = np.sqrt(np.finfo(float).eps) * rate  # equal rates have a limit; a hair apart is as good
        own = np.where(np.abs(rate - same) < least, rate - least, same)
        share = size * rate / (rate - own)
        found.append((share, own))
        left = left - share
    return [*found, (left, rate)]


def left_of_unit(rate: Quantity, since: Quantity, lasted: Quantity | None, interval: Quantity | None) -> Quantity:
    """What is left of one unit that leaves at ``rate``, per unit given.

    Parameters
    ----------
    rate : ndarray, above 0
    since : ndarray
        Time since the dose, 0 or more.
    lasted : ndarray or None
        Time over which it was given, steadily; 0 or None: at once.
    interval : ndarray or None
        The same was given at this interval for ever before (steady state); 0 or None: it was not.

    Returns
    -------
    ndarray, of the common shape
    """
    gone = np.exp(-rate * since)
    periodic = None if interval is None else interval > 0
    repeats = None if interval is None or periodic is None else np.where(periodic, -np.expm1(-rate * interval), 1.0)
    if lasted is None:
        return gone if repeats is None else gone / repeats
    infused = lasted > 0
    length = np.where(infused, lasted, 1.0)
    running = np.zeros_like(since)  # earlier ones of a steady state that still run, this one among them
    if interval is not None and periodic is not None:
        every = np.where(periodic, interval, 1.0)
        running = np.where(periodic, np.maximum(np.ceil((lasted - since) / every), 0.0), 0.0)
        ended = np.exp(-rate * np.maximum(since + running * every - lasted, 0.0))
    else:
        ended = np.exp(-rate * np.maximum(since - lasted, 0.0))
    whole = gone if repeats is None else gone / repeats
    over = ended if repeats is None else ended / repeats
    return np.where(infused, (running + over - whole) / (rate * length), whole)
