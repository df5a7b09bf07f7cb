"""Release: harvest, freezing and thawing, the release panel, filling, and one remake of a failed lot."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vein2vein.randomness import normals, uniforms
from vein2vein.records import by_patient
from vein2vein.therapy.dose import Dose, requested_cells
from vein2vein.therapy.engineering import transduce
from vein2vein.therapy.ex_vivo_expansion import (
    ExpandedCells,
    expand,
    grow,
    memory_content,
    typical_phenotype,
    typical_start,
)
from vein2vein.therapy.leukapheresis import Apheresis
from vein2vein.therapy.manufacturing import failures_of, of_year, release_tests, scattered
from vein2vein.therapy.patient import Patient, select
from vein2vein.therapy.product import (
    Indication,
    Product,
    dose_range,
    find_indication,
    process_of,
)

Floats = NDArray[np.float64]
TOO_FEW = "dose"  # the only test that failed: fewer cells than the label's range
IN_SPECIFICATION, OUT_OF_SPECIFICATION, REJECTED = "in specification", "out of specification", "rejected"


@by_patient()
@dataclass(frozen=True)
class Lot:
    """The finished product; every field has shape (n,) unless said.

    Attributes
    ----------
    dose : ndarray
        Viable CAR-positive cells filled for infusion; 0 where there is no product.
    available : ndarray
        Viable CAR-positive cells after thawing that the culture gave.
    viability, viability_thawed : ndarray
        At harvest (to which the model's reference of 0.9 refers) and after thawing; ``judged_viability`` is the one
        that release judges.
    f_TN_SCM, f_CM, f_EM, f_EFF : ndarray
        Shares of the phenotypes.
    memory_content, memory_reference : ndarray
        Weighted share of memory phenotypes, and that of a typical lot of this product.
    fitness : ndarray
        Donor fitness q.
    cd4_share, vector_copies, car_positive, purity, fold : ndarray
    status : ndarray of str
        "in specification", "out of specification", "rejected".
    remade : ndarray of bool
    delay : ndarray
        Days added by a remake.
    failed : ndarray of bool
        No product for infusion.
    reason : ndarray of str
        What failed; also filled for lots infused out of specification.
    """

    dose: Floats
    available: Floats
    viability: Floats
    viability_thawed: Floats
    f_TN_SCM: Floats
    f_CM: Floats
    f_EM: Floats
    f_EFF: Floats
    memory_content: Floats
    memory_reference: Floats
    fitness: Floats
    cd4_share: Floats
    vector_copies: Floats
    car_positive: Floats
    purity: Floats
    fold: Floats
    status: NDArray[np.str_]
    remade: NDArray[np.bool_]
    delay: Floats
    failed: NDArray[np.bool_]
    reason: NDArray[np.str_]


def judge(
    measured: Mapping[str, ArrayLike], product: Product
) -> tuple[NDArray[np.str_], NDArray[np.str_], NDArray[np.bool_]]:
    """Judge a lot by the release panel; a test that is not in ``measured`` or is NaN is not judged.

    Any safety failure rejects the lot; quality failures alone make it out of specification.

    Parameters
    ----------
    measured : mapping of test name to array_like, shape () or (n,)
        See ``manufacturing.toml``, tables ``tests``.
    product : Product

    Returns
    -------
    status : ndarray of str, shape (n,)
        "in specification", "out of specification" or "rejected".
    reason : ndarray of str, shape (n,)
        The failed tests, by commas.
    no_product : ndarray of bool, shape (n,)
        The culture gave nothing to release.
    """
    v, tests = process_of(product).values, release_tests()
    columns = np.broadcast_arrays(*(np.atleast_1d(np.asarray(value, dtype=float)) for value in measured.values()))
    shape = columns[0].shape
    failed = {kind: np.zeros(shape, dtype=bool) for kind in ("quality", "safety", "no product")}
    reason = np.full(shape, "", dtype=object)
    for name, value in zip(measured, columns):
        test = tests[name]
        limit = getattr(v, test.limit) if test.limit else 1.0
        wrong = {"at least": value < limit, "at most": value > limit, "below": value >= limit, "yes": value < limit}[
            test.must_be
        ]
        failed[test.failure] |= wrong
        label = name.replace("_", " ")
        reason[wrong] = [f"{before}, {label}" if before else label for before in reason[wrong]]
    rejected = failed["safety"] | failed["no product"]
    status = np.where(rejected, REJECTED, np.where(failed["quality"], OUT_OF_SPECIFICATION, IN_SPECIFICATION))
    return status, reason.astype(str), failed["no product"]


def release(
    expanded: ExpandedCells,
    apheresis: Apheresis,
    patient: Patient,
    product: Product,
    seed: int,
    dose: Dose | None = None,
) -> tuple[Lot, tuple[str, ...]]:
    """Harvest, freeze, test and release; a failed lot is remade once.

    Parameters
    ----------
    expanded : ExpandedCells
    apheresis : Apheresis
        Frozen material for a remake.
    patient : Patient
    product : Product
    seed : int
    dose : Dose, optional
        Asked-for dose; by default the label's target with the product's scatter.

    Returns
    -------
    Lot
    notes : tuple of str
    """
    v = process_of(product).values
    indication, _ = find_indication(product, patient.disease)
    lot = _one_lot(expanded, patient, product, indication, seed, dose)
    notes: list[str] = []
    made = ~expanded.started.failed
    again = np.flatnonzero(lot.failed & made)
    notes += _count("lots failed their first manufacture", len(again), patient.count)
    few = ~lot.failed & (lot.reason == TOO_FEW)
    notes += _count(
        "lots hold fewer cells than the label asks for; they are given as they are", int(few.sum()), patient.count
    )
    if again.size:
        lot = _remake(lot, again, apheresis, patient, product, indication, seed, dose)
        notes += _count(
            "patients were left without a product after a remake", int((lot.failed & made).sum()), patient.count
        )
    notes += _count(
        "lots were released out of specification",
        int(((lot.status == OUT_OF_SPECIFICATION) & ~lot.failed).sum()),
        patient.count,
    )
    if dose is not None:
        wanted = requested_cells(dose, patient.weight)
        short = (lot.dose < wanted * (1 - v.dose_tolerance)) & ~lot.failed
        notes += _count(
            "lots held fewer cells than the dose asked for; all of them are given", int(short.sum()), patient.count
        )
    return lot, tuple(notes)


def _count(text: str, found: int, of: int) -> list[str]:
    return [f"{found} of {of} {text}"] if found else []


def label_limits(product: Product, indication: Indication, weight: ArrayLike) -> tuple[Floats, Floats]:
    """Ends of the label's dose range at each weight; one dose stands for what filling makes of it."""
    low, _, high = dose_range(indication.dose, weight)
    slack = np.where(low == high, process_of(product).values.dose_tolerance, 0.0)
    return low * (1 - slack), high * (1 + slack)


def within_label(cells: Floats, product: Product, indication: Indication, weight: ArrayLike) -> NDArray[np.bool_]:
    """Whether doses lie in the label's range at each weight, shape (n,)."""
    low, high = label_limits(product, indication, weight)
    return (cells >= low) & (cells <= high)


def judged_viability(lot: Lot, product: Product) -> Floats:
    """The viability that release judges, shape (n,): at harvest, or after thawing where the product is tested so."""
    return lot.viability_thawed if process_of(product).values.viability_tested_thawed else lot.viability


def made_in(product: Product, disease: str, year: int) -> Product:
    """A product as it was made in a year: with the failures of manufacture that were published of it."""
    return replace(product, process=of_year(product.process, product.name, disease, year))


def _run_failure(patient: Patient, product: Product) -> Floats:
    """Probability that a run fails by what the steps do not hold, shape (n,): higher after recent bendamustine."""
    v, known = process_of(product).values, failures_of(product.name, patient.disease)
    own = known is None or "run_failure" in product.process.parameters
    share = v.run_failure if own or known is None else known.run_failure
    odds = share / (1 - share) if share < 1 else np.inf
    odds = np.where(patient.fitness_prior > 0, v.recent_failure * odds, odds)
    return np.where(np.isinf(odds), 1.0, odds / (1 + odds))


def _one_lot(
    expanded: ExpandedCells, patient: Patient, product: Product, indication: Indication, seed: int, dose: Dose | None,
    sound: NDArray[np.bool_] | None = None,
) -> Lot:  # fmt: skip
    """One run from harvest to filling; where it is ``sound``, no quality is below its limit and no test fails."""
    process, start = process_of(product), expanded.started
    v, run, numbers = process.values, f"release, attempt {start.attempt}", patient.number
    recovery = scattered(process, "thaw_recovery", numbers, seed, run)
    drop = v.thaw_drop_low + (v.thaw_drop_high - v.thaw_drop_low) * uniforms(seed, f"{run}: thaw", numbers)[:, 0]
    usual = grow(product, typical_start(product), [1.0], v.culture_days).sum()
    sure = np.zeros(patient.count, dtype=bool) if sound is None else sound

    def at_least(value: Floats, limit: ArrayLike) -> Floats:
        return np.where(sure, np.maximum(value, limit), value)

    fold = at_least(expanded.fold, v.growth_low * usual)
    viability = at_least(expanded.viability, v.viability_low + v.viability_tested_thawed * drop)
    thawed = np.maximum(viability - drop, 0)
    car_positive, purity = at_least(start.car_positive, v.car_positive_low), at_least(start.purity, v.purity_low)
    copies = np.where(sure, np.minimum(start.vector_copies, np.nextafter(v.copies_high, 0)), start.vector_copies)
    available = expanded.cells * (fold / expanded.fold) * recovery * car_positive
    low, target, high = dose_range(indication.dose, patient.weight)
    if dose is not None:
        wanted = requested_cells(dose, patient.weight)
    else:
        scatter = v.fill_sd if np.isnan(indication.dose.scatter) else indication.dose.scatter
        scatter = 0.0 if indication.dose.split_low else scatter
        wanted = target * np.exp(scatter * normals(seed, f"{run}: filling", numbers)[:, 0])
        wanted = np.clip(wanted, low, np.maximum(high, target))
    filled = np.minimum(wanted, available)
    within = within_label(filled, product, indication, patient.weight) | (dose is not None)
    measured = {
        "viability": thawed if v.viability_tested_thawed else viability, "car_positive": car_positive,
        "purity": purity, "growth": fold / usual, "vector_copies": copies, "dose": within,
        "sterility": sure | (uniforms(seed, f"{run}: sterility", numbers)[:, 0] > v.contamination),
        "manufacturing_run": sure | (uniforms(seed, f"{run}: run", numbers)[:, 0] > _run_failure(patient, product)),
    }  # fmt: skip
    status, reason, _ = judge(measured, product)
    accepted = uniforms(seed, f"{run}: acceptance", numbers)[:, 0] < v.accepted_out_of_specification
    accepted |= sure | (reason == TOO_FEW)  # the same culture again would give as few
    failed = start.failed | (status == REJECTED) | ((status == OUT_OF_SPECIFICATION) & ~accepted)
    return Lot(
        dose=np.where(failed, 0.0, filled), available=available, viability=viability, viability_thawed=thawed,
        f_TN_SCM=expanded.phenotype[:, 0], f_CM=expanded.phenotype[:, 1], f_EM=expanded.phenotype[:, 2],
        f_EFF=expanded.phenotype[:, -1],
        memory_content=memory_content(expanded.phenotype, product),
        memory_reference=np.full(patient.count, memory_content(typical_phenotype(product), product)[0]),
        fitness=expanded.fitness, cd4_share=start.cd4_share, vector_copies=copies,
        car_positive=car_positive, purity=purity, fold=fold,
        status=np.where(start.failed, REJECTED, status), remade=np.zeros(patient.count, dtype=bool),
        delay=np.zeros(patient.count), failed=failed, reason=np.where(start.failed, start.reason, reason),
    )  # fmt: skip


def _remake(
    lot: Lot, again: NDArray[np.int64], apheresis: Apheresis, patient: Patient, product: Product,
    indication: Indication, seed: int, dose: Dose | None,
) -> Lot:  # fmt: skip
    v, some = process_of(product).values, select(patient, again)
    material = Apheresis(**{f.name: getattr(apheresis, f.name)[again] for f in fields(apheresis)})
    cells, _ = transduce(material, some, product, seed, attempt=2)
    cells_of = None if dose is None else np.asarray(dose.cells, dtype=float)
    own = dose if dose is None or cells_of is None or not cells_of.ndim else replace(dose, cells=cells_of[again])
    success = uniforms(seed, "remake", some.number)[:, 0] < v.remake_success
    second = _one_lot(expand(cells, some, product, seed)[0], some, product, indication, seed, own, success)
    merged = {}
    for f in fields(lot):
        column = (
            getattr(lot, f.name).astype(object)
            if getattr(lot, f.name).dtype.kind == "U"
            else getattr(lot, f.name).copy()
        )
        column[again] = np.where(success, getattr(second, f.name), column[again])
        merged[f.name] = column.astype(str) if column.dtype == object else column
    merged["remade"][again] = True
    merged["delay"][again] = v.culture_days + v.remake_beside
    return Lot(**merged)
