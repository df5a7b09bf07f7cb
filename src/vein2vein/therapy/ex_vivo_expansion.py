"""Ex-vivo expansion: growth of the transduced cells with drift of their phenotype."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vein2vein.randomness import normals
from vein2vein.records import by_patient
from vein2vein.therapy.engineering import TransducedCells
from vein2vein.therapy.manufacturing import PHENOTYPES, scattered_share
from vein2vein.therapy.patient import Patient
from vein2vein.therapy.product import Product, process_of

Floats = NDArray[np.float64]


@by_patient(none=("culture_days",))
@dataclass(frozen=True)
class ExpandedCells:
    """The culture at harvest; every field has shape (n,) unless said.

    Attributes
    ----------
    cells : ndarray
        Living T cells at harvest.
    fold : ndarray
        Harvested over seeded.
    phenotype : ndarray, shape (n, 4)
        Shares of TN/SCM, CM, EM and EFF.
    fitness : ndarray
        Donor fitness q (1: typical).
    viability : ndarray
        At harvest.
    culture_days : float
    started : TransducedCells
    """

    cells: Floats
    fold: Floats
    phenotype: Floats
    fitness: Floats
    viability: Floats
    culture_days: float
    started: TransducedCells


def donor_fitness(patient: Patient, product: Product, seed: int | None) -> Floats:
    """Donor fitness q, shape (n,): falls with earlier lines, age and recent clofarabine or bendamustine."""
    v = process_of(product).values
    log = -v.fitness_lines * (patient.prior_lines - v.fitness_lines_from)
    log = (
        log - v.fitness_age * np.maximum(patient.age - v.fitness_age_from, 0) - v.fitness_recent * patient.fitness_prior
    )
    if seed is not None:
        log = log + v.fitness_sd * normals(seed, "donor fitness", patient.number)[:, 0]
    return np.exp(log)


def culture_matrix(product: Product, fitness: ArrayLike) -> Floats:
    """Growth and drift at full activity, shape (n, 4, 4): dZ/dt = a(t) matrix Z - u(t) Z."""
    v = process_of(product).values
    q = np.atleast_1d(np.asarray(fitness, dtype=float))
    matrix = np.zeros((q.size, len(PHENOTYPES), len(PHENOTYPES)))
    for i, name in enumerate(PHENOTYPES):
        drift = getattr(v, f"v_{name}", 0.0)
        matrix[:, i, i] = q * getattr(v, f"r_{name}") - drift
        if drift:
            matrix[:, i + 1, i] = drift
    return matrix


def activity(product: Product, day: float) -> float:
    """Integral of the culture's activity a(t) from day 0 to ``day``: 0 in the lag, 1, then slowing exponentially."""
    v = process_of(product).values
    late = max(day - v.slowing_from, 0.0)
    return max(min(day, v.slowing_from) - v.lag, 0.0) - v.slowing_days * float(np.expm1(-late / v.slowing_days))


def deaths(product: Product, day: float) -> float:
    """Integral of the death rate u(t) from day 0 to ``day``."""
    v = process_of(product).values
    early = min(day, v.death_early_days)
    return v.death_early * early + v.death * (day - early)


def grow(product: Product, phenotype: Floats, fitness: ArrayLike, day: float) -> Floats:
    """Cells of each phenotype per seeded cell after ``day`` days of culture, shape (n, 4), in closed form.

    Growth and drift share one time course a(t) and death acts on all alike, so the solution is the exponential of the
    lower triangular matrix times the integral of a, times exp(-integral of u).

    Parameters
    ----------
    product : Product
    phenotype : ndarray, shape (n, 4)
        Shares at the start.
    fitness : array_like, shape (n,)
    day : float
    """
    grown = _exponential(culture_matrix(product, fitness) * activity(product, day))
    return (grown * np.asarray(phenotype)[:, None, :]).sum(axis=2) * np.exp(-deaths(product, day))


def _exponential(matrix: Floats) -> Floats:
    """Exponential of each of n small matrices, by scaling, a Taylor series and squaring."""
    size = np.maximum(np.abs(matrix).sum(axis=1).max(axis=1), 1 / 2)
    halvings = np.ceil(np.log2(size)).astype(int) + 1
    small = matrix / 2.0 ** halvings[:, None, None]
    total = np.broadcast_to(np.eye(matrix.shape[-1]), matrix.shape).copy()
    term, order, bound = total, 1, 1 / 2  # the norm of ``small`` is at most 1/2, of its terms at most ``bound``
    while bound > np.finfo(float).eps / 2:
        term = term @ small / order
        total = total + term
        order += 1
        bound /= 2 * order
    for done in range(int(halvings.max(initial=0))):
        total = np.where((done < halvings)[:, None, None], total @ total, total)
    return total


def expand(
    cells: TransducedCells, patient: Patient, product: Product, seed: int
) -> tuple[ExpandedCells, tuple[str, ...]]:
    """Expand the transduced cells to harvest.

    Parameters
    ----------
    cells : TransducedCells
    patient : Patient
    product : Product
    seed : int

    Returns
    -------
    ExpandedCells
    notes : tuple of str
    """
    v, run = process_of(product).values, f"culture, attempt {cells.attempt}"
    fitness = donor_fitness(patient, product, seed)
    luck = np.exp(v.growth_sd * normals(seed, f"{run}: growth", patient.number)[:, 0])
    grown = grow(product, cells.phenotype, fitness * luck, v.culture_days)
    fold = grown.sum(axis=1)
    viability = scattered_share(v.viability_harvest, v.viability_harvest_sd, patient.number, seed, f"{run}: viability")
    return ExpandedCells(cells.cells * fold, fold, grown / fold[:, None], fitness, viability, v.culture_days, cells), ()


def memory_content(phenotype: Floats, product: Product) -> Floats:
    """Memory content of cells from the shares of the phenotypes (n, 4), shape (n,)."""
    v = process_of(product).values
    return (np.asarray(phenotype) * np.array([getattr(v, f"memory_{name}") for name in PHENOTYPES])).sum(axis=1)


def typical_start(product: Product) -> Floats:
    """Shares of the phenotypes at the start of the culture of a reference donor, shape (1, 4)."""
    v = process_of(product).values
    return np.array([[getattr(v, f"start_{name}") for name in PHENOTYPES]])


def typical_phenotype(product: Product) -> Floats:
    """Shares of the phenotypes in a typical lot, shape (1, 4): reference donor, no scatter."""
    grown = grow(product, typical_start(product), [1.0], process_of(product).values.culture_days)
    return grown / grown.sum(axis=1, keepdims=True)
