"""What patient, lot and history do to the columns of the model, in numbers: ``covariates.toml`` by name.

Effects are relative to the cards, so that a typical patient keeps the cards' values; ``covariates.py`` applies them.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

from vein2vein.parameters import ParameterSet, read_parameter_file
from vein2vein.records import described


@described
@dataclass(frozen=True)
class CovariateConstants:
    """The numbers of ``covariates.toml``, by the names of its parameters; meanings and units stand there."""

    sbp_child_age: float
    sbp_child_offset: float
    sbp_child_slope: float
    sbp_floor: float
    kinP_infant_age: float
    kinP_child_age: float
    kinP_infant: float
    kinP_child: float
    sPC_child_age: float
    sPC_child: float
    adult_age: float
    igg_child: float
    creatinine_birth: float
    creatinine_slope: float
    kzB_anti_cd20: float
    viability_reference: float
    effector_reference: float
    effector_slope: float
    memory_most: float
    fitness_rho: float
    fitness_kEX: float
    cd4_rho_cd8: float
    cd4_rho_cd4: float
    cd4_kill: float
    cd4_cytokine: float
    cd4_middle: float
    hsct_rho: float
    blinatumomab_f_neg: float
    bcma_density: float
    bcma_f_neg: float
    lines_p_res: float
    lines_kap: float
    lines_mpp: float
    lines_most: float
    kmt2a_f_nn: float
    bulk_slope: float
    bulk_reference: float
    bulk_marrow_share: float
    bulk_p_res: float
    bulk_most: float
    ferritin_reference: float
    ferritin_KIF: float
    ferritin_kap: float
    burden_most: float
    minor_most: float
    light_chain: float
    iga: float
    iga_turnover: float
    mosteller: float
    poisson_exact: float
    inflammation_power: float
    inflammation_reference: float
    inflammation_least: float
    inflammation_most: float


@cache
def parameters() -> ParameterSet:
    """Every constant of the covariates, with its source."""
    return read_parameter_file(Path(__file__).with_name("covariates.toml"))


@cache
def constants() -> CovariateConstants:
    """The values of ``parameters()`` by name."""
    return CovariateConstants(**parameters().values())
