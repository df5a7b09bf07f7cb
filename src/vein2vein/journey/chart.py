"""The journey of a CAR T-cell treatment, from the patient's blood and back. It reads like a chart:

1 eligible?   2 leukapheresis   3 engineering   4 ex-vivo expansion and release   5 conditioning   6 infusion: day 0
7 for each monitoring time: advance -> observe -> grade -> treat
8 outcome

Therapy and clinic on one side, models and engine on the other, meet here and nowhere else. The clinic's feedback on the
cells is a loop in time: what ``treat`` orders is given to the model before the next ``advance``.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vein2vein.arguments import Progress, flag, progress_of, seed_of
from vein2vein.clinic.care import eligibility
from vein2vein.clinic.care.management import Policy
from vein2vein.engine.method.tableau import STATUS
from vein2vein.journey import entry
from vein2vein.journey.day_loop import follow, loop_numbers, ward_limits
from vein2vein.journey.journey import ArmFacts, Journey
from vein2vein.journey.outcome import close, provenance
from vein2vein.models.model import named, start
from vein2vein.models.reference import model as reference
from vein2vein.parameters import ParameterSet, as_matrix, individual_values
from vein2vein.therapy import engineering as gene_transfer
from vein2vein.therapy import ex_vivo_expansion, leukapheresis, release
from vein2vein.therapy.conditioning import conditioned_again, given_per_area, lymphodeplete
from vein2vein.therapy.disease import find_disease
from vein2vein.therapy.dose import Dose
from vein2vein.therapy.infusion import check_dose, drawn_dose, infuse
from vein2vein.therapy.laws import Law
from vein2vein.therapy.patient import Patient, select
from vein2vein.therapy.product import Product, Regimen, find_indication
from vein2vein.therapy.targets import check_targets, notes_of, targets_of, told_of, uncalibrated
from vein2vein.therapy.visits import Plan
from vein2vein.therapy.waiting import after_waiting, wait
from vein2vein.variants import Variants, values_under
from vein2vein.virtual import assay, covariates, hazards
from vein2vein.virtual.constants import Constants, of_patients

Floats = NDArray[np.float64]


def simulate(
    patient: Patient,
    product: Product | str | Path,
    *,
    dose: str | Dose | None = None,
    regimen: str | Regimen = "",
    policy: Policy | str | Path = "astct_2019",
    plan: Plan | None = None,
    waiting_law: Law | None = None,
    bridging_share: Law | float | None = None,
    transplant: tuple[float, float, float] = (0.0, 0.0, 0.0),
    assays: Mapping[str, assay.Assay] | None = None,
    overlay: ParameterSet | Variants | None = None,
    constants: Constants | None = None,
    seed: int = 1,
    typical: bool = False,
    withheld: bool = False,
    backend: str = "batch",
    tolerance: float | None = None,
    progress: Progress | None = None,
    absent_target: bool = False,
) -> Journey:
    """Take patients through the whole journey.

    Parameters
    ----------
    patient : Patient
        One or n patients at enrolment.
    product : Product, str or path
        A product, its name, or the path of a card.
    dose : str or Dose, optional
        Such as "3.1e6/kg" or "1e8" viable CAR+ cells; by default the label's rule.
    regimen : str or Regimen
        Lymphodepletion by name; "" is the usual one of product and disease. Or one of the caller's own.
    policy : Policy, str or path
        When tocilizumab, steroids and the rest are given.
    plan : Plan, optional
        Visits and length of follow-up.
    waiting_law, bridging_share : Law, optional
        A trial's own law of the time from collection to infusion, and share of patients with bridging.
    transplant : tuple of float
        Share of remissions that are transplanted, first and last day.
    assays : mapping of analyte to Assay, optional
        A trial's own assays, in place of the usual ones.
    overlay : ParameterSet or Variants, optional
        A named variant of the model's numbers, laid over the general, product and disease sets; part of the provenance.
        Several of them side by side say for each patient which holds (``vein2vein.variants``).
    constants : Constants, optional
        Those of the bedside, the covariates and the hazards; the bundled ones by default.
    seed : int
    typical : bool
        All random deviations of the model's parameters at zero (draws of fate and of manufacturing remain).
    withheld : bool
        Nobody is infused: the patients of an arm that is given standard care.
    backend : {"batch", "plain"}
    tolerance : float, optional
        Relative error per step of the solver; that of journey.toml by default.
    progress : callable (fraction, text), optional
    absent_target : bool
        Run a product although the tumor lacks what it sees: it then kills nothing of it.

    Returns
    -------
    Journey
        One patient's failure does not stop the others: see ``status``.

    Raises
    ------
    InputError
        Anything that cannot be: an unknown name, an impossible dose, a weight below 0, a wrong type. Field, what was
        found and what was expected are named.
    """
    say = progress_of(progress)
    patient, product = entry.check_patient(patient, overlay), entry.check_product(product)
    disease, chosen, visits = find_disease(patient.disease), entry.check_policy(policy), entry.check_plan(plan)
    asked, regimen, constants = entry.check_dose(dose), entry.check_regimen(regimen), entry.check_constants(constants)
    waiting_law = entry.check_waiting_law(waiting_law)
    bridging_share = entry.check_share("bridging_share", bridging_share)
    transplant, own_assays = entry.check_transplant(transplant), entry.check_assays(assays)
    overlay, backend, seed = entry.check_overlay(overlay, patient.count), entry.check_backend(backend), seed_of(seed)
    tolerance = entry.check_tolerance(tolerance, loop_numbers().tolerance)
    typical, withheld = flag("typical", typical), flag("withheld", withheld)
    asked_for = flag("absent_target", absent_target)
    check_targets(product, disease, told_of(patient), asked=asked_for)
    chosen.check_weight(float(patient.weight.max()))
    said = check_dose(asked, patient, product, seed=seed, end=visits.follow_up) if asked else ()
    asked = drawn_dose(asked, patient, seed) if asked else None
    notes: list[str] = [*said, *chosen.unusual]
    notes += [*uncalibrated(product, disease), *notes_of(product, disease, patient)]
    declared = reference.parameters(patient=False).overlay(product.parameters).overlay(disease.parameters)
    if isinstance(overlay, Variants):
        drawn = values_under(declared, overlay, patient.number, seed, typical=typical)
    else:
        declared = declared.overlay(overlay) if overlay else declared
        drawn = individual_values(declared, patient.number, seed, typical=typical)
    usual = covariates.usual_lines(disease)
    drawn["mpp"] = covariates.after_progression(constants.covariates, drawn["mpp"], patient.prior_lines - usual)

    # 1 eligible?
    indication, _ = find_indication(product, patient.disease)
    eligible = eligibility.eligible(patient, indication)
    # 2 leukapheresis
    say(0.0, "leukapheresis")
    apheresis, said = leukapheresis.collect(patient, product, seed)
    notes += said
    # 3 engineering
    cells, said = gene_transfer.transduce(apheresis, patient, product, seed)
    notes += said
    # 4 ex-vivo expansion and release, while the patient waits
    expanded, said = ex_vivo_expansion.expand(cells, patient, product, seed)
    notes += said
    lot, said = release.release(expanded, apheresis, patient, product, seed, asked)
    notes += said
    waited, said = wait(
        patient, lot, product, seed, growth=drawn["g"], capacity=drawn["K0"],
        law=waiting_law, bridging_share=bridging_share,
        dropout_hazard=lambda burden: hazards.dropout_hazard(constants.hazards, burden, drawn["K0"]),
        dropout_reason=lambda burden: hazards.dropout_reason(
            constants.hazards, burden, drawn["K0"], patient.number, seed
        ),
    )  # fmt: skip
    notes += said
    # 5 conditioning
    ready = after_waiting(patient, waited)
    conditioned, said = lymphodeplete(
        ready, lot, product, regimen, _white_cells(constants, ready, lot, product, drawn, seed)
    )
    conditioned = conditioned_again(conditioned, asked)
    notes += said
    # 6 infusion: day 0
    infused, said = infuse(lot, ready, product, asked)
    notes += said
    given = infused.given & ~waited.dropped & (not withheld)
    reason = np.where(given, "", np.where(lot.failed, "manufacturing failure", waited.reason)).astype(str)

    # 7 for each monitoring time: advance, observe, grade, treat
    who = np.flatnonzero(given)
    treated = select(ready, who)
    theirs = of_patients(constants, who)
    columns = _columns(
        theirs, treated, lot, product, {n: v[who] for n, v in drawn.items()}, conditioned.start[who], seed, who
    )
    doses = [(day, drug, mg[who]) for day, drug, mg in conditioned.doses]
    doses += [(day, "car_t_infusion", count[who]) for day, count in infused.doses]
    followed = follow(
        treated, product, columns, doses, visits, chosen, rows=who, enrolled=patient.count, transplant=transplant,
        assays={**assay.usual(), **own_assays}, unmeasured=assay.of_others(disease.lineage), constants=theirs,
        seed=seed, backend=backend, say=say, tolerance=tolerance,
    )  # fmt: skip
    notes += followed.notes

    # 8 outcome
    say(1.0, "outcome")
    amounts = {drug: (mg[who], last[who]) for drug, (mg, last) in given_per_area(conditioned, ready).items()}
    died, of, said = hazards.drug_toxicity(theirs.hazards, amounts, treated.number, seed)
    notes += said
    ended = close(
        patient, product, disease, visits,
        drawn=drawn, followed=followed, waited=waited, infused=given, poisoned=(died, of),
        constants=theirs.hazards, seed=seed,
    )  # fmt: skip
    facts = ArmFacts(
        _arm_name(patient), product, disease, declared, ended.kinetics.analyte, ended.response.edition,
        ended.response.categories, conditioned.regimen, conditioned.title,
    )  # fmt: skip
    broken = int((followed.status != 0).sum())
    notes += [f"{broken} of {len(who)} infused patients could not be computed to the end"] if broken else []
    return Journey(
        patient=patient,
        eligibility=eligible,
        apheresis=apheresis,
        cells=cells,
        lot=lot,
        waiting=waited,
        conditioning=conditioned,
        infusion=infused,
        infused=given,
        not_infused_reason=reason,
        enrolment_day=-waited.days,
        plan=visits,
        course=ended.course,
        findings=ended.findings,
        kinetics=ended.kinetics,
        outcome=ended.outcome,
        response=ended.response,
        cure_probability=ended.cure_probability,
        individual=ended.individual,
        status=ended.status,
        status_text=STATUS,
        arms=(facts,),
        arm=np.zeros(patient.count, dtype=np.intp),
        provenance=provenance(
            facts, chosen.name, constants.name, ended, seed=seed, backend=backend, tolerance=tolerance
        ),
        notes=tuple(dict.fromkeys(notes)),
    )


def _arm_name(patient: Patient) -> str:
    """Arm of the patients, where all are in the same one."""
    names = set(patient.arm.tolist())
    return str(names.pop()) if len(names) == 1 else ""


def _columns(
    constants: Constants,
    treated: Patient,
    lot: release.Lot,
    product: Product,
    values: Mapping[str, Floats],
    t0: Floats,
    seed: int,
    who: NDArray[np.intp],
) -> Floats:
    """Parameter matrix of the reference model: the drawn values, changed by what is known of patient and lot."""
    measured = ("neutrophils", "platelets", "hemoglobin", "ferritin", "crp", "igg", "creatinine", "m_protein")
    traits = {name: getattr(treated, name) for name in covariates.TRAITS if hasattr(treated, name)}
    traits |= {name: treated.baseline[name] for name in measured if name in treated.baseline}
    traits |= {name: getattr(lot, name)[who] for name in covariates.TRAITS if hasattr(lot, name)}
    disease = find_disease(treated.disease)
    traits["usual_lines"] = np.full(treated.count, covariates.usual_lines(disease))
    traits["usual_burden"] = np.full(treated.count, covariates.usual_burden(disease))
    own = covariates.individual(
        constants.covariates,
        values,
        traits=traits,
        targets=targets_of(product, disease, treated),
        design=product.design,
        t0=t0,
        seed=seed,
        numbers=treated.number,
        limits=ward_limits(),
    )
    return as_matrix(own, reference.MODEL.parameters, treated.count)


def _white_cells(
    constants: Constants, ready: Patient, lot: release.Lot, product: Product, drawn: Mapping[str, Floats], seed: int
) -> Floats:
    """White cells (10^9/L) after the wait: as measured where the patient's file says, else the model's at its start."""
    found, who = np.full(ready.count, np.nan), np.flatnonzero(~lot.failed)
    values = {name: value[who] for name, value in drawn.items()}
    theirs, begin = of_patients(constants, who), np.zeros(who.size)
    columns = _columns(theirs, select(ready, who), lot, product, values, begin, seed, who)
    model = reference.MODEL
    begun, own = named(model.state_names, start(model, columns)), named(model.parameters, columns)
    levels = named(model.level_names, np.zeros((who.size, len(model.level_names))))
    found[who] = model.observables(0.0, begun, own, levels)["white_cells"]
    measured = np.asarray(ready.baseline.get("white_cells", np.nan), dtype=float)
    return np.where(np.isfinite(measured), measured, found)
