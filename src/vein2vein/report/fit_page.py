"""The report of a population fit: the verdict first, then estimates, what the data tell, figures, how it was made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vein2vein.inference.diagnostics.diagnosis import Diagnosis
from vein2vein.inference.diagnostics.vpc import Vpc
from vein2vein.inference.population.fitted import Estimate, Fit
from vein2vein.io.study.study import described_counts
from vein2vein.report import page
from vein2vein.report.figures import Picture
from vein2vein.report.figures_estimates import correlation_figure, profiles_figure
from vein2vein.report.figures_fit import npde_figure, observed_figure, residuals_figure, traces_figure
from vein2vein.report.figures_subjects import covariates_figure, effects_figure, individuals_figure, pairs_figure
from vein2vein.report.figures_vpc import vpc_figure, vpc_headline
from vein2vein.report.look import unit_name
from vein2vein.report.text import number

SECTIONS = ("typical", "coefficient", "omega", "correlation", "occasion", "residual")
HEADS = {
    "typical": "Typical values (natural scale)",
    "coefficient": "Coefficients of covariates (Gaussian scale)",
    "omega": "Spread between patients (SD, Gaussian scale)",
    "correlation": "Correlations of random effects",
    "occasion": "Spread between occasions (SD, Gaussian scale)",
    "residual": "Errors of measurement",
}


@dataclass(frozen=True)
class Section:
    """A part of the page: its heading and its figures."""

    key: str
    title: str
    pictures: tuple[Picture, ...]


def fit_page(fit: Fit, found: Diagnosis, tables: Sequence[tuple[str, Sequence[Sequence[str]]]] = ()) -> str:
    """Return the report as HTML text.

    Parameters
    ----------
    fit : Fit
    found : Diagnosis
    tables : sequence of (title, rows)
        Further tables, such as what a search tried or a bootstrap found; the first row is the head.
    """
    model = fit.problem.model
    verdict, *more = fit.verdict
    return page.fill(
        "fit.html.j2",
        title=f"{model.title or model.name}: fit of {Path(fit.problem.study.file).name}",
        converged=fit.converged,
        verdict=f"{verdict[:1].upper()}{verdict[1:]}".rstrip("."),
        remarks=more,
        what=f"{described_counts(fit.problem.study)}; {method_name(fit)}.",
        checks=[*(vpc_headline(panel) for panel in found.vpc.panels), f"NPDE: {found.npde.verdict}"],
        groups=[
            (HEADS[kind], [one for one in fit.estimates if one.kind == kind])
            for kind in SECTIONS
            if any(one.kind == kind for one in fit.estimates)
        ],
        unit_name=unit_name,
        likelihood=likelihood_rows(fit),
        doubts=[one.text for one in found.identifiability.doubts],
        eigenvalues=found.identifiability.eigenvalues,
        sections=[one for one in sections(fit, found) if one.pictures],
        tables=tables,
        notes=fit.notes,
        provenance=provenance(fit),
    )


def vpc_page(fit: Fit, found: Vpc) -> str:
    """A visual predictive check as a page of its own."""
    return page.fill(
        "vpc.html.j2",
        kind="predictive check of a population fit",
        title=f"Predictive check: {fit.problem.model.title or fit.problem.model.name}",
        converged=fit.converged,
        verdict=fit.verdict[0],
        checks=[vpc_headline(panel) for panel in found.panels],
        pictures=vpc_pictures(found),
        notes=found.notes,
        provenance=provenance(fit),
    )


def vpc_pictures(found: Vpc) -> list[Picture]:
    """A figure of each endpoint."""
    return [vpc_figure(found, panel, f"vpc{f'-{i}' if i else ''}") for i, panel in enumerate(found.panels)]


def sections(fit: Fit, found: Diagnosis) -> list[Section]:
    """The figures of a fit in their order."""
    individuals = [
        individuals_figure(fit, own, name, f"individuals{f'-{i}' if i else ''}")
        for i, name in enumerate(fit.problem.endpoints)
        if (own := [one for one in found.individuals if one.endpoint == name])
    ]
    parts: list[tuple[str, str, list[Picture | None]]] = [
        (
            "check",
            "Does the model give data like these?",
            [*vpc_pictures(found.vpc), npde_figure(fit, found.predictions, found.npde)],
        ),
        (
            "residuals",
            "Observed and predicted",
            [observed_figure(fit, found.predictions), residuals_figure(fit, found.predictions)],
        ),
        ("subjects", "Individual fits", [*individuals]),
        (
            "effects",
            "Random effects",
            [effects_figure(fit, found.effects), pairs_figure(found.effects), covariates_figure(fit, found.effects)],
        ),
        (
            "estimates",
            "What the data tell of the estimates",
            [correlation_figure(found.identifiability), profiles_figure(found.profiles)],
        ),
        ("traces", "How the estimates were reached", [traces_figure(fit)]),
    ]
    return [Section(key, title, tuple(one for one in pictures if one is not None)) for key, title, pictures in parts]


def method_name(fit: Fit) -> str:
    """The estimator in words."""
    names = {"saem": "SAEM", "focei": "FOCE with interaction", "laplace": "Laplace"}
    by = f", likelihood by {fit.likelihood_by}" if fit.likelihood_by == "importance sampling" else ""
    return f"{names.get(fit.method, fit.method)}{by}"


def likelihood_rows(fit: Fit) -> list[tuple[str, str]]:
    """-2 log-likelihood and what is made of it."""
    if not np.isfinite(fit.minus_two_ll):
        return []
    error = f" ± {number(fit.minus_two_ll_se, 2)} (Monte Carlo)" if fit.minus_two_ll_se else ""
    return [
        (f"−2 log-likelihood ({fit.likelihood_by})", f"{fit.minus_two_ll:,.2f}{error}"),
        ("Objective as NONMEM prints it (without n log 2π)", f"{fit.objective:,.3f}"),
        ("AIC", f"{fit.aic:,.2f}"),
        ("BIC (logarithm of the number of subjects)", f"{fit.bic:,.2f}"),
    ]


def provenance(fit: Fit) -> list[tuple[str, str]]:
    """What it takes to get the same numbers again, and what they took."""
    found: Mapping[str, str] = fit.provenance
    return [
        *((name, value) for name, value in found.items()),
        ("seed", str(fit.seed)),
        ("processor time", f"{fit.seconds:.1f} s"),
        ("predictions of the whole population", f"{fit.evaluations:,}"),
        *((f"accepted, {kernel}", f"{100 * share:.0f} %") for kernel, share in fit.acceptance.items()),
    ]


def estimate_cells(one: Estimate) -> tuple[str, str, str, str, str, str]:
    """Estimate, SE, RSE, interval, shrinkage and note as they are printed."""
    ends = "" if np.isnan(one.low) else f"{number(one.low)} to {number(one.high)}"
    return (
        number(one.estimate, 4),
        number(one.se),
        "" if np.isnan(one.rse) else f"{one.rse:.0f} %",
        ends,
        "" if np.isnan(one.shrinkage) else f"{100 * one.shrinkage:.0f} %",
        one.note,
    )
