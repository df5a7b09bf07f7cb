"""What a fit tells on the screen: the verdict in words first, then the estimates, then where the report is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from vein2vein.cli import console
from vein2vein.cli.console import number

if TYPE_CHECKING:
    from vein2vein.inference.diagnostics.diagnosis import Diagnosis
    from vein2vein.inference.fitted_models.compare import Comparison
    from vein2vein.inference.population.fitted import Fit

IN_VERDICT = ("no error", "shrunken", "tied")  # doubts that the lines below the verdict have told
HEADERS = ("number", "estimate", "SE", "RSE %", "95 % interval", "shrinkage %", "unit", "note")


def tell_fit(fit: Fit, found: Diagnosis | None) -> None:
    """The verdict, what goes with it, and the estimates."""
    first, *more = fit.verdict
    console.say(f"{first[:1].upper()}{first[1:].rstrip('.')}.", style="bold" if fit.converged else "bold red")
    if not fit.converged:
        console.say("What follows are partial results: do not report them as estimates.")
    for one in more:
        console.say(f"- {one}")
    console.table(
        HEADERS,
        [
            (
                one.name,
                number(one.estimate, 4),
                number(one.se),
                "" if np.isnan(one.rse) else f"{one.rse:.0f}",
                console.interval(one.low, one.high),
                "" if np.isnan(one.shrinkage) else f"{100 * one.shrinkage:.0f}",
                one.unit,
                one.note,
            )
            for one in fit.estimates
        ],
        title=f"{fit.problem.model.name}, {len(fit.population.layout.subjects)} subjects, "
        f"{len(fit.population.layout.rows)} rows",
        right=(1, 2, 3, 5),
        whole=(0,),
        words=(7,),
    )
    if np.isfinite(fit.minus_two_ll):
        error = f" ± {number(fit.minus_two_ll_se, 2)}" if fit.minus_two_ll_se else ""
        console.say(
            f"-2LL {fit.minus_two_ll:.2f}{error} ({fit.likelihood_by}), AIC {fit.aic:.2f}, BIC {fit.bic:.2f}, "
            "objective without n log 2π "
            f"{fit.objective:.3f}; {fit.seconds:.1f} s of the processor."
        )
    if found is not None:
        from vein2vein.report.figures_vpc import vpc_headline

        for panel in found.vpc.panels:
            console.say(f"Predictive check: {vpc_headline(panel)}.")
        console.say(f"NPDE: {found.npde.verdict}.")
        for one in found.identifiability.doubts:
            if one.kind not in IN_VERDICT:
                console.say(f"- {one.text}")


def emit_fit(fit: Fit, found: Diagnosis | None) -> None:
    """The same as events."""
    console.emit("verdict", converged=fit.converged, text=list(fit.verdict))
    for one in fit.estimates:
        console.emit("estimate", **vars(one))
    console.emit(
        "likelihood",
        minus_two_ll=fit.minus_two_ll,
        error=fit.minus_two_ll_se,
        by=fit.likelihood_by,
        aic=fit.aic,
        bic=fit.bic,
        objective=fit.objective,
        seconds=fit.seconds,
    )
    if found is not None:
        for panel in found.vpc.panels:
            console.emit("check", endpoint=panel.endpoint, outside=panel.outside, compared=panel.compared)
        console.emit("npde", mean=found.npde.mean, variance=found.npde.variance, text=found.npde.verdict)
        for one in found.identifiability.doubts:
            console.emit("doubt", kind=one.kind, names=one.names, text=one.text)


def tell_comparison(found: Comparison, *, for_machines: bool, quiet: bool) -> None:
    """Fits side by side, and the tests of nested ones."""
    console.tell_notes(found.notes, for_machines=for_machines, quiet=quiet)
    if for_machines:
        for row in found.rows:
            console.emit("fit", **vars(row))
        for test in found.tests:
            console.emit("ratio_test", **vars(test))
        return
    console.table(
        ("fit", "converged", "numbers", "-2LL", "±", "AIC", "above least", "BIC", "above least"),
        [
            (
                row.label,
                "yes" if row.converged else "no",
                row.numbers,
                f"{row.minus_two_ll:.2f}",
                f"{row.error:.2f}",
                f"{row.aic:.2f}",
                f"{row.above_aic:.2f}",
                f"{row.bic:.2f}",
                f"{row.above_bic:.2f}",
            )
            for row in found.rows
        ],
        title="The same rows, the least AIC first",
        right=(2, 3, 4, 5, 6, 7, 8),
    )
    if found.tests:
        console.table(
            ("within", "the larger", "added", "fall of -2LL", "degrees", "p", "note"),
            [
                (
                    test.small,
                    test.large,
                    ", ".join(test.added),
                    f"{test.difference:.2f}",
                    len(test.added),
                    number(test.p, 2),
                    test.note,
                )
                for test in found.tests
            ],
            title="Likelihood-ratio tests",
            right=(3, 4, 5),
            words=(6,),
        )
