"""Stein's transgene curve with a lag before expansion: a model in a user's own file, for counts of CAR+ cells in blood.

Nothing until Tlag after the infusion, then Cmax / foldx, which grows to Cmax over Tmax and falls at alpha, a part of
it (FB)
at beta. Stein, A. M. et al. 2019 without the lag; the lag is for counts that begin weeks after the infusion.
"""

import numpy as np

import vein2vein as v2v
from vein2vein.models.closed_form import SinceDose


def equations(t, x, p, u):
    """Fast and slow part of the curve; their sum is the count."""
    growing = t < p.Tlag + p.Tmax
    rate = np.where(t < p.Tlag, 0.0, np.log(p.foldx) / p.Tmax)
    return {
        "fast": np.where(growing, rate * x.fast, -p.alpha * x.fast),
        "slow": np.where(growing, 0.0 * x.slow, p.FB * (p.alpha - p.beta) * x.fast - p.beta * x.slow),
    }


def apply_dose(name, amount, x, p):
    """An infusion starts the curve."""
    return {"fast": x.fast + p.Cmax / p.foldx}


def since_infusion(t, p):
    """The same in closed form, at days since the infusion."""
    grown = np.clip((t - p.Tlag) / p.Tmax, 0.0, 1.0)
    since = np.maximum(t - p.Tlag - p.Tmax, 0.0)
    peak = p.Cmax * np.exp(np.log(p.foldx) * (grown - 1.0))
    return {"car_t_cells": peak * ((1 - p.FB) * np.exp(-p.alpha * since) + p.FB * np.exp(-p.beta * since))}


MODEL = v2v.Model(
    name="stein_with_lag",
    title="Stein's curve with a lag",
    source="stein_2019",
    states=[
        v2v.State("fast", "CAR+ cells that contract", "cells/uL", scale=1e-3, low=0.0),
        v2v.State("slow", "CAR+ cells that persist", "cells/uL", scale=1e-3, low=0.0),
    ],
    inputs=[v2v.Input("car_t_infusion", "starts the curve, whatever its size", "cells")],
    parameters=["Tlag", "foldx", "Tmax", "Cmax", "alpha", "FB", "beta"],
    equations=equations,
    initial=lambda p: {},
    apply_dose=apply_dose,
    observables=lambda t, x, p, u: {"car_t_cells": x.fast + x.slow},
    closed_form=SinceDose("car_t_infusion", since_infusion),
    example={"Tlag": 2.0, "foldx": 3900.0, "Tmax": 9.3, "Cmax": 300.0, "alpha": 0.16, "FB": 0.0079, "beta": 0.0032},
    time_unit="day",
)
