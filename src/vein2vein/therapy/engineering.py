"""Engineering: selection, activation and transduction of the collected T cells."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vein2vein.randomness import normals
from vein2vein.records import by_patient
from vein2vein.therapy.leukapheresis import Apheresis
from vein2vein.therapy.manufacturing import PHENOTYPES, scattered, scattered_share
from vein2vein.therapy.patient import Patient
from vein2vein.therapy.product import Product, process_of

Floats = NDArray[np.float64]


@by_patient(none=("attempt",))
@dataclass(frozen=True)
class TransducedCells:
    """Cells put into culture; every field has shape (n,) unless said.

    Attributes
    ----------
    cells : ndarray
        T cells at the start of the culture.
    car_positive : ndarray
        Share of cells with at least one vector copy.
    vector_copies : ndarray
        Mean copies per CAR-positive cell.
    phenotype : ndarray, shape (n, 4)
        Shares of TN/SCM, CM, EM and EFF.
    purity : ndarray
        Share of T cells.
    cd4_share : ndarray
    attempt : int
        1, or 2 for a remake.
    failed : ndarray of bool
    reason : ndarray of str
    """

    cells: Floats
    car_positive: Floats
    vector_copies: Floats
    phenotype: Floats
    purity: Floats
    cd4_share: Floats
    attempt: int
    failed: NDArray[np.bool_]
    reason: NDArray[np.str_]


def transduced_share(mean: ArrayLike, shape: float = np.inf) -> tuple[Floats, Floats]:
    """Share of CAR-positive cells and copies per CAR-positive cell.

    Copies are negative-binomial: Poisson with a gamma-distributed susceptibility of the given shape (inf: Poisson).

    Parameters
    ----------
    mean : array_like
        Mean copies per cell, all cells counted.
    shape : float
    """
    m = np.asarray(mean, dtype=float)
    none = np.exp(-m) if np.isinf(shape) else (1 + m / shape) ** -shape
    return 1 - none, m / (1 - none)


def transduce(
    apheresis: Apheresis, patient: Patient, product: Product, seed: int, attempt: int = 1
) -> tuple[TransducedCells, tuple[str, ...]]:
    """Select, activate and transduce.

    Parameters
    ----------
    apheresis : Apheresis
    patient : Patient
    product : Product
    seed : int
    attempt : int
        1, or 2 for a remake: the material's traits stay, the luck of the run is new.

    Returns
    -------
    TransducedCells
    notes : tuple of str
    """
    from scipy import special

    process = process_of(product)
    v, run = process.values, f"engineering, attempt {attempt}"
    cells = np.minimum(apheresis.cd3 * v.selection_recovery, v.car_t_start)
    car_positive, copies = transduced_share(
        scattered(process, "copies_mean", patient.number, seed, run), v.copies_shape
    )
    blasts = (1 - v.blast_removal) * v.blast_contamination * apheresis.blast_share
    purity = scattered_share(
        special.expit(special.logit(v.purity) - blasts), v.purity_sd, patient.number, seed, f"{run}: purity"
    )
    cd4 = product.parameters.values().get("f4", 1 / 2)
    cells_made = TransducedCells(
        cells=cells, car_positive=car_positive, vector_copies=copies,
        phenotype=starting_phenotype(patient, product, seed), purity=purity,
        cd4_share=scattered_share(cd4, v.cd4_logit_sd, patient.number, seed, "cd4 share"),
        attempt=attempt, failed=apheresis.failed.copy(), reason=apheresis.reason.copy(),
    )  # fmt: skip
    return cells_made, ()


def starting_phenotype(patient: Patient, product: Product, seed: int | None) -> Floats:
    """Shares of TN/SCM, CM, EM and EFF among the collected T cells, shape (n, 4); seed None: no scatter."""
    from scipy import special

    v = process_of(product).values
    logs = np.log(np.array([getattr(v, f"start_{name}") for name in PHENOTYPES]))
    logs = np.broadcast_to(logs, (patient.count, len(PHENOTYPES))).copy()
    logs[:, 0] -= v.start_age * patient.age + v.start_lines * (patient.prior_lines - v.fitness_lines_from)
    if seed is not None:
        logs += v.start_sd * normals(seed, "phenotype at collection", patient.number, len(PHENOTYPES))
    return special.softmax(logs, axis=1)
