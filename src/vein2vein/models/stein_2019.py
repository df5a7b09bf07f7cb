"""Stein et al. 2019: tisagenlecleucel population cellular kinetics, with the paper's own constants and symbols.

The paper gives a closed form for the transgene in blood::

    t <  Tmax:  C = Cmax / foldx * exp(rho t),  rho = ln(foldx) / Tmax
    t >= Tmax:  C = Cmax * ((1 - FB) exp(-alpha (t - Tmax)) + FB exp(-beta (t - Tmax)))

Here it is written as two states whose sum is C exactly: E grows until Tmax and then shrinks at alpha, and M, 0 until
Tmax, gains FB (alpha - beta) E and shrinks at beta. Tocilizumab or a corticosteroid before Tmax multiplies the growth
from then to Tmax (Ftoci, Fster); later it changes nothing. The size of the dose does not enter the final model.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vein2vein.cards import Card, parse_card
from vein2vein.models.closed_form import SinceDose
from vein2vein.models.mathematics import less, log, where
from vein2vein.models.model import Input, Model, Names, State
from vein2vein.parameters import ParameterSet, read_parameters

STEROIDS = ("dexamethasone", "methylprednisolone")
READ_BY_EQUATIONS = ("foldx", "Tmax", "Cmax", "alpha", "FB", "beta", "Ftoci", "Fster")


@cache
def card() -> Card:
    """The model's file of states, inputs, numbers and expectations."""
    path = Path(__file__).with_name("stein_2019.toml")
    return parse_card(path.read_text(encoding="utf-8"), path.name)


@cache
def parameters() -> ParameterSet:
    """The paper's parameters, its covariate coefficients among them."""
    return read_parameters(card(), name="stein_2019")


def equations(t: Any, x: Any, p: Any, u: Any) -> Mapping[str, Any]:
    """Derivatives per day; transgene in copies/ug."""
    growing = less(t, p.Tmax)
    rho = log(p.foldx) / p.Tmax * (1 + (p.Ftoci - 1) * x.toci) * (1 + (p.Fster - 1) * x.ster)
    return {
        "E": where(growing, rho * x.E, -p.alpha * x.E),
        "M": where(growing, 0.0 * x.M, p.FB * (p.alpha - p.beta) * x.E - p.beta * x.M),
        "toci": 0.0 * x.toci,
        "ster": 0.0 * x.ster,
    }


def initial(p: Any) -> Mapping[str, Any]:
    """Nothing before the infusion."""
    return {}


def apply_dose(name: str, amount: Any, x: Any, p: Any) -> Mapping[str, Any]:
    """An infusion starts the curve at Cmax / foldx; a comedication is remembered as given."""
    if name == "car_t_infusion":
        return {"E": x.E + p.Cmax / p.foldx}
    if name == "tocilizumab":
        return {"toci": 0.0 * x.toci + 1}
    if name in STEROIDS:
        return {"ster": 0.0 * x.ster + 1}
    return {}


def observables(t: Any, x: Any, p: Any, u: Any) -> Mapping[str, Any]:
    """CAR transgene in blood, copies/ug."""
    return {"transgene": x.E + x.M}


def since_infusion(t: Any, p: Any) -> Mapping[str, Any]:
    """The paper's closed form without comedication, at times since the infusion; transgene in copies/ug."""
    since = np.maximum(t - p.Tmax, 0.0)
    rise = p.Cmax / p.foldx * np.exp(np.log(p.foldx) * np.minimum(t / p.Tmax, 1.0))
    return {"transgene": rise * ((1 - p.FB) * np.exp(-p.alpha * since) + p.FB * np.exp(-p.beta * since))}


def closed_form(days: ArrayLike, p: Mapping[str, float]) -> NDArray[np.float64]:
    """The same (copies/ug) at days from 0, of parameters by name."""
    values = since_infusion(np.asarray(days, dtype=float), Names((name, np.asarray(v)) for name, v in p.items()))
    return values["transgene"]


def full_model_cmax(
    cmax: ArrayLike,
    *,
    traits: Mapping[str, ArrayLike],
    transduction: ArrayLike = np.nan,
    dose_per_kg: ArrayLike = np.nan,
) -> NDArray[np.float64]:
    """Change Cmax with the covariates of the paper's full model, none of which was significant.

    Parameters
    ----------
    cmax : array_like, shape (n,)
        copies/ug.
    traits : mapping of str to array_like of bool, shape (n,)
        female, asian, other_race, down_syndrome, prior_hsct, no_fludarabine, ensign, tocilizumab, steroid.
    transduction : array_like, shape (n,)
        Transduction efficiency, percent; NaN: unknown.
    dose_per_kg : array_like, shape (n,)
        CAR-positive cells per kg; NaN: unknown.
    """
    c = parameters().values()
    known = [name.removeprefix("cov_") for name in c if name.startswith("cov_")]
    if odd := set(traits) - set(known):
        raise ValueError(f"covariates that the paper does not have: {', '.join(sorted(odd))}")
    change = sum((c[f"cov_{name}"] * np.asarray(value, dtype=float) for name, value in traits.items()), np.zeros(()))
    for value, reference, power in (
        (transduction, "transduction_reference", "cov_transduction"), (dose_per_kg, "dose_reference", "cov_dose"),
    ):  # fmt: skip
        ratio = np.asarray(value, dtype=float) / c[reference]
        change = change + np.where(np.isfinite(ratio), c[power] * np.log(np.where(np.isfinite(ratio), ratio, 1.0)), 0.0)
    return np.asarray(cmax, dtype=float) * np.exp(change)


def _states() -> tuple[State, ...]:
    file = card()
    numbers: list[State] = []
    for name in file.table("states"):
        here = ("states", name)
        numbers.append(
            State(name, file.string(*here, "meaning"), file.string(*here, "unit"), file.number(*here, "scale"),
                  file.number(*here, "low"), file.number(*here, "high", default=np.inf))
        )  # fmt: skip
    return tuple(numbers)


def _inputs() -> tuple[Input, ...]:
    file = card()
    return tuple(
        Input(name, file.string("inputs", name, "meaning"), file.string("inputs", name, "unit"))
        for name in file.table("inputs")
    )


MODEL = Model(
    name="stein_2019",
    title=card().string("title"),
    source="stein_2019",
    states=_states(),
    inputs=_inputs(),
    parameters=READ_BY_EQUATIONS,
    equations=equations,
    initial=initial,
    apply_dose=apply_dose,
    observables=observables,
    example={name: parameters().values()[name] for name in READ_BY_EQUATIONS},
    example_doses=tuple((row["day"], row["input"], row["amount"]) for row in card().get("example_doses")),
    closed_form=SinceDose("car_t_infusion", since_infusion),
)
