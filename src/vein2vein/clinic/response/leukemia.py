"""Leukemia in the central nervous system (CNS1 to CNS3) and the classes of minimal residual disease."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vein2vein.clinic.criteria import edition

NEGATIVE, INTERMEDIATE, FAILURE = "negative", "intermediate", "failure"


def cns_status(
    white: ArrayLike,
    blasts: ArrayLike,
    *,
    red: ArrayLike = 0.0,
    blood_white: ArrayLike = np.nan,
    blood_red: ArrayLike = np.nan,
    signs: ArrayLike = False,
) -> NDArray[np.int8]:
    """CNS1 (no blasts), CNS2 or CNS3; -1 where the fluid was not examined. Shape (n,).

    Parameters
    ----------
    white, red : array_like
        Cells of the fluid, cells/uL.
    blasts : array_like
        1 blasts seen, 0 none, NaN not examined.
    blood_white, blood_red : array_like
        Cells of blood in one unit (their ratio is read), for a traumatic puncture.
    signs : array_like of bool
        Clinical signs of central nervous leukemia.
    """
    v = edition("leukemia_sites").values
    cells, seen, blood = (np.atleast_1d(np.asarray(x, dtype=float)) for x in (white, blasts, red))
    with np.errstate(divide="ignore", invalid="ignore"):
        fluid = cells / blood
        vein = np.asarray(blood_white, dtype=float) / np.asarray(blood_red, dtype=float)
    traumatic = blood >= v["traumatic_red"]
    many = (cells >= v["cns3_white"]) & (~traumatic | (fluid > v["traumatic_ratio"] * vein))
    status = np.where(seen >= 1, np.where(many, 3, 2), 1)
    status = np.where(np.isnan(seen) | ((seen >= 1) & np.isnan(cells)), -1, status)
    return np.where(np.asarray(signs, dtype=bool), 3, status).astype(np.int8)


def mrd_class(mrd: ArrayLike, sensitivity: ArrayLike, below: ArrayLike = False) -> NDArray[np.str_]:
    """Class of a result: ``negative``, ``intermediate`` or ``failure``; "" where there is none. Shape (n,).

    Parameters
    ----------
    mrd : array_like
        Fraction of cells; 0 for a negative result.
    sensitivity : array_like
        Smallest fraction that the assay can see.
    below : array_like of bool
        The value stands for "below the limit of quantification" and is negative.
    """
    v = edition("leukemia_sites").values
    found = np.atleast_1d(np.asarray(mrd, dtype=float))
    clear = ((found == 0) | np.asarray(below, dtype=bool)) & (
        np.asarray(sensitivity, dtype=float) <= v["mrd_sensitivity"]
    )
    failure = (found >= v["mrd_failure"]) & ~np.asarray(below, dtype=bool)
    return np.select([np.isnan(found), failure, clear], ["", FAILURE, NEGATIVE], INTERMEDIATE)
