"""Everything that is looked at when a fit is judged, computed once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vein2vein.inference.diagnostics.identifiability import Identifiability, identifiability
from vein2vein.inference.diagnostics.individual import IndividualFit, individual_fits
from vein2vein.inference.diagnostics.npde import Npde, npde_of
from vein2vein.inference.diagnostics.profile import Profile
from vein2vein.inference.diagnostics.random_effects import RandomEffects, random_effects
from vein2vein.inference.diagnostics.redrawn import redraw
from vein2vein.inference.diagnostics.vpc import Vpc, vpc_of
from vein2vein.inference.population.fitted import Fit
from vein2vein.inference.population.predictions import Predictions
from vein2vein.records import described

STUDIES = 1000
"""Studies drawn anew for the predictive check and the prediction distribution errors."""
MOST_CURVES = 20  # subjects whose curves are computed for the report


@described
@dataclass(frozen=True)
class Diagnosis:
    """What was looked at in a fit.

    Attributes
    ----------
    predictions : Predictions
    npde : Npde
    vpc : Vpc
    individuals : tuple of IndividualFit
        Of the first subjects.
    effects : RandomEffects
    identifiability : Identifiability
    profiles : tuple of Profile
    """

    predictions: Predictions
    npde: Npde
    vpc: Vpc
    individuals: tuple[IndividualFit, ...]
    effects: RandomEffects
    identifiability: Identifiability
    profiles: tuple[Profile, ...] = ()


def diagnose(fit: Fit, *, count: int = STUDIES, profiles: tuple[Profile, ...] = ()) -> Diagnosis:
    """Look at a fit.

    Parameters
    ----------
    fit : Fit
    count : int
        Studies drawn anew.
    profiles : tuple of Profile
        Those that were made: each of them takes several fits.
    """
    drawn = redraw(fit, count=count)
    return Diagnosis(
        fit.predict(),
        npde_of(fit, drawn),
        vpc_of(fit, drawn),
        tuple(individual_fits(fit, fit.population.layout.subjects[:MOST_CURVES])),
        random_effects(fit),
        identifiability(fit),
        profiles,
    )


def prediction_table(fit: Fit, found: Diagnosis) -> Mapping[str, NDArray[np.generic]]:
    """A row for each observation, as NONMEM's tables name their columns, with the covariates that stand still."""
    seen = found.predictions
    study = fit.problem.study
    codes, subjects = fit.problem.codes, np.array(seen.subjects, dtype=np.str_)
    coded = np.array([codes[name] for name in seen.endpoints], dtype=np.str_)
    columns: dict[str, NDArray[np.generic]] = {
        "ID": subjects[seen.subject],
        "TIME": seen.time,
        "DV": seen.value,
        "PRED": seen.population,
        "IPRED": seen.individual,
        "IWRES": seen.iwres,
        "NPDE": found.npde.npde,
        "CENS": seen.censored.astype(np.int64),
        "DVID": coded[seen.endpoint],
        "ENDPOINT": np.array(seen.endpoints, dtype=np.str_)[seen.endpoint],
    }
    place = {name: i for i, name in enumerate(study.subjects)}
    of = np.array([place[name] for name in seen.subjects])[seen.subject]
    for name, one in study.covariates.items():
        if one.constant is not None and name.upper() not in columns:
            values = one.constant[of]
            columns[name] = (
                values
                if not one.categories
                else np.array([one.categories[int(v)] if v == v else "" for v in values], dtype=np.str_)
            )
    return columns
