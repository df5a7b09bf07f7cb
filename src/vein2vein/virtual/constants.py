"""The constants of what virtual patients show, as one record that a run is given: bedside, covariates and hazards.

They are passed from ``simulate`` down to each function that reads them. A run under other constants is given another
record, so that two runs side by side do not meet each other's numbers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from functools import cache
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from vein2vein.errors import InputError, unknown
from vein2vein.parameters import ParameterSet
from vein2vein.records import described
from vein2vein.virtual import bedside, covariate_constants, hazards

# Constants that are read patient by patient, so that they may be one number for each: shape (n,) in place of ().
BY_PATIENT = frozenset(
    {
        ("covariates", "inflammation_power"), ("bedside", "deficit_one_bolus"), ("bedside", "deficit_boluses"),
        ("bedside", "cn_grade_2"), ("bedside", "cn_grade_3"), ("bedside", "headache_or_tremor"),
        ("hazards", "dropout"), ("covariates", "lines_p_res"), ("covariates", "lines_kap"), ("covariates", "lines_mpp"),
        ("covariates", "bulk_p_res"),
    }
)  # fmt: skip

T = TypeVar("T", bedside.BedsideConstants, covariate_constants.CovariateConstants, hazards.HazardConstants)


@described
@dataclass(frozen=True)
class Constants:
    """Constants of the bedside, the covariates and the hazards.

    Attributes
    ----------
    bedside, covariates, hazards : records
        A field for each parameter of the TOML file of that name.
    name : str
        Of the set: part of a run's provenance; "" for the bundled one.
    """

    bedside: bedside.BedsideConstants
    covariates: covariate_constants.CovariateConstants
    hazards: hazards.HazardConstants
    name: str = ""


@cache
def bundled() -> Constants:
    """The constants as the files that come with vein2vein give them."""
    return Constants(bedside.constants(), covariate_constants.constants(), hazards.constants())


def parameters() -> dict[str, ParameterSet]:
    """Every constant with its source, by the name of its file."""
    return {
        "bedside": bedside.parameters(),
        "covariates": covariate_constants.parameters(),
        "hazards": hazards.parameters(),
    }


def of_patients(constants: Constants, rows: NDArray[np.intp]) -> Constants:
    """The constants of some patients, by position, where they are one number for each."""

    def part(held: T) -> T:
        own = {one.name: getattr(held, one.name) for one in fields(held)}
        return replace(held, **{name: value[rows] for name, value in own.items() if isinstance(value, np.ndarray)})

    return Constants(part(constants.bedside), part(constants.covariates), part(constants.hazards), constants.name)


def scaled(
    constants: Constants, factors: Mapping[tuple[str, str], float | NDArray[np.float64]], name: str
) -> Constants:
    """The constants with some of them times a factor.

    Parameters
    ----------
    constants : Constants
    factors : mapping of (file, parameter) to float, or to ndarray of shape (n,) for those of ``BY_PATIENT``
        Such as ``("hazards", "dropout")``.
    name : str
        Of the new set.

    Raises
    ------
    InputError
        There is no such file or parameter.
    """
    for file, _ in factors:
        if file not in parameters():
            raise InputError(unknown("file of constants", file, parameters()))

    def part(file: str, held: T) -> T:
        known: dict[str, float] = asdict(held)
        own = {parameter: factor for (where, parameter), factor in factors.items() if where == file}
        for parameter in own:
            if parameter not in known:
                raise InputError(unknown(f"constant of the {file}", parameter, known))
            if np.ndim(own[parameter]) and (file, parameter) not in BY_PATIENT:
                raise InputError("found a factor for each patient, expected one for all.", field=parameter)
        return replace(held, **{parameter: known[parameter] * factor for parameter, factor in own.items()})

    return Constants(
        part("bedside", constants.bedside),
        part("covariates", constants.covariates),
        part("hazards", constants.hazards),
        name,
    )
