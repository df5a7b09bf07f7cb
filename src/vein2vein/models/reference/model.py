"""The reference in-vivo model: CAR-T cells, tumor clones, B lineage, IgG, blood counts, drugs, cytokines and signs.

Forty states of the specification, seven of what lags or outlasts its cause (AC, W, V, RP, TL, MD, BB), interleukin-10,
four of blood (ER, HB, LD, SB), the depots of four drugs, and quadratures (extinction, hazards, areas). Cells are in
1e6 per kg, whole body; day 0 is the infusion; the start ``t0`` is the first conditioning day or earlier. The equations
are in ``equations.py`` and ``blood.py``, the start and the doses in ``doses.py``, what is measured in
``observables.py``, the birth-death part in ``extinction.py``, every number in ``reference.toml``.

Parameters that the making of a patient gives (``given_by = "patient"``; clones k = pp, pn, np, nn, s):

    BW, BSA, CrCl       body weight (kg), body surface area (m^2), creatinine clearance (mL/min)
    t0                  start of the simulation (day, negative); the B supply recovers from here
    n_T0                whole tumor at t0 (e6/kg): sum of exp(lnT0_k) over the clones that are present
    lnT0_k              size of a clone at t0, ln(e6/kg); any finite number for an absent clone
    N0_k                its clonogenic cells at t0, exp(lnT0_k)*BW*1e6*f_clon, at least 1; 0: absent
    fate_k              extinction.fate(u, N0_k) for u uniform on (0, 1): when the clone dies out
    xi_k                exponential(1): how large its longest-lived line is
    c_kap, c_rho        f_res and r_res for a patient of the low-response class, else 1; c_rho times r_exp where the
                        cells hardly expand
    r_a, r_b            antigen density of the tumor relative to the reference; 0: it lacks the antigen
    r50_a, r50_b        that at which the binder has half its effect; left_a, left_b what escaping cells keep
    B, P, PC _a, _b     how far B cells, their progenitors and plasma cells carry the antigens; design_or, design_and

Founders: N0 of an antigen-negative clone is Poisson(f_neg*T0*BW*1e6), counted in clonogenic cells, and its size is
N0/(BW*1e6*f_clon). The niche s holds f_niche of the burden, pp the rest.

What differs from the specification, and why
- The uniform draw u enters as fate = N0*(1 - u^(-1/N0)): removal and weight become linear in Q, exact for every N0.
- The quadrature is Z = Q/(1+Q); T and Z of a removed clone go on unread (no event, no jump).
- Bridging and transplantation kill at once: Q then rises by 1/N after - 1/N before, which the specification left out.
- G-CSF multiplies the feedback of the neutrophil chain only; all its transits shorten.
- Volumes of fludarabine, cyclophosphamide and tocilizumab scale with body weight, clearances with its power 0.75.
- The Deauville score leaves out the rise from a nadir, which no state holds; ``deauville`` takes it from a reader.
- White cells include CAR-T cells, B cells and the tumor lymphocytes of CLL. The percentage of B cells among lymphocytes
  is added.
- Late antigen loss is cumulated for first and second losses (IM_one, IM_two); ``founded`` starts the new clone.
- Effectors divide by a commitment AC that follows engagement over days, and crowding (Kroom) limits them whatever the
  antigen: without both the peak rose with burden^0.4 and dose^0.5, and small burdens relapsed most.
- Effectors wait before they divide (W, tauA) and do not age meanwhile: real cells are hardly measurable for a week
  and then double eleven times in six days. Lag and growth differ between patients, and in a class of its own the cells
  hardly expand: without them virtual patients expanded too early and too much alike.
- Macrophages answer in grades (a power nIF of interferon, no switch), and what interleukin-6 does follows from the
  patient's own sensitivity, which goes with his level (correlations of p6, KT, KLK): with a threshold, interleukin-6
  was all or nothing.
- Immunity against the CAR is primed by first contact (V), by few cells as by many: when more infused cells primed
  more, a higher dose led to earlier relapse. It is primed steeply with the host lymphocytes that are left (nR), and
  acts weeks later (RP, R): lymphodepletion then decides on relapse more than on the peak. Children and adults with
  B-ALL reject more readily than those with lymphoma or myeloma (kR on their cards): without it exposure to
  fludarabine did not bear on relapse. What is infused while CAR-T cells already live in the patient primes less: the
  second half of a split dose was rejected otherwise.
- How long effectors keep dividing (kF) is on the card of a product where its course asks for it: ciltacabtagene and
  the CD22 product grow slowly and long, so that CRS begins a week after the infusion and not on the third day.
- Macrophages grow tolerant (TL): without it CRS lasted as long as the antigen.
- Neurotoxicity follows the opening of the blood-brain barrier (BB), a second step of the same rate: with one step it
  began with CRS, days too early.
- A saturation is charted no lower than ``spo2_floor``.
- Inflammation injures the marrow for weeks (MD): severe cytopenia on day 28 was out of reach without it.
- Hemoglobin is a state: precursors that drugs kill and inflammation starves, a red cell's life, blood drawn and given,
  dilution by leak. As a function of the marrow alone it rose while the marrow was empty.
- CAR-T cells are counted among T cells, lymphocytes and white cells; effectors in blood are mostly CD8 (``cd4_odds``).
- Soluble BCMA and LDH have their own turnover, and normal plasma cells shed BCMA too. Interleukin-15 is read from the
  homeostatic drive by a power law, which keeps the drive as it was calibrated.
- The hazards rise smoothly around their limits and are under the error control: with steps the day of a death moved
  by days with the tolerance.
- Interleukin-6 of full activation rises with burden (``covariates.inflammation_effect``).
- The larger a nodal tumor beside the usual of its disease, the more often it resists (``covariates.bulk_effect``): what
  a larger tumor adds to expansion made up for its size, so that burden did not bear on a year without an event.
- A share of those who progress is cured by salvage (trait ``salvage``), the median to death staying the card's.
- One CAR-T population: co-administered products run as OR with summed dose (two populations, +5 states, are an option
  of the specification that is not built).
"""

from __future__ import annotations

from functools import cache

from vein2vein import general_sets
from vein2vein.cards import Card, bundled_card
from vein2vein.models.model import Input, Model, State
from vein2vein.models.reference.doses import apply_dose, initial
from vein2vein.models.reference.equations import equations
from vein2vein.models.reference.extinction import extinction_probability, founded, removed
from vein2vein.models.reference.extinction import sizes as clone_sizes
from vein2vein.models.reference.observables import deauville, observables
from vein2vein.parameters import ParameterSet

__all__ = [
    "MODEL", "clone_sizes", "deauville", "extinction_probability", "founded", "parameters", "removed",
]  # fmt: skip


@cache
def _card() -> Card:
    return bundled_card(general_sets.REFERENCE)


def parameters(*, patient: bool = True) -> ParameterSet:
    """General parameter set; product and disease cards are laid over it.

    Parameters
    ----------
    patient : bool
        With the parameters that the making of a patient fills in. Without them the set is complete once a product and
        a disease card are laid over it, so that individual values can be drawn.
    """
    read, traits = general_sets.reference_sets()
    every = {**read.parameters, **traits.parameters}
    kept = {name: one for name, one in every.items() if patient or one.given_by != "patient"}
    return ParameterSet(read.name, kept, read.history, read.correlations)


def _states() -> tuple[State, ...]:
    card = _card()
    return tuple(
        State(
            name, card.string("states", name, "meaning"), card.string("states", name, "unit"),
            card.number("states", name, "scale"), card.number("states", name, "low", default=-float("inf")),
            card.number("states", name, "high", default=float("inf")),
        )
        for name in card.table("states")
    )  # fmt: skip


def _example() -> dict[str, float]:
    values = general_sets.reference_sets()[0].values()
    return {**values, **{name: float(value) for name, value in _card().table("example").items()}}


MODEL = Model(
    name="reference",
    title=_card().string("title"),
    source="reference_model_2026",
    states=_states(),
    inputs=tuple(
        Input(name, row["meaning"], row["unit"], row["kind"]) for name, row in _card().table("inputs").items()
    ),
    parameters=tuple(general_sets.reference_sets()[0].parameters),
    equations=equations,
    initial=initial,
    apply_dose=apply_dose,
    observables=observables,
    example=_example(),
    example_doses=tuple(
        (float(row["day"]), str(row["input"]), float(row["amount"])) for row in _card().get("example_doses")
    ),
)
