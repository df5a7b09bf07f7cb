"""The report of a trial in virtual patients: one self-contained HTML file."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from vein2vein import arguments
from vein2vein.analytes import analyte
from vein2vein.clinic.words import Lineage, endpoint_titles, finding_words, tabled_findings, usual_crs, usual_neurologic
from vein2vein.files import check_target, write_text
from vein2vein.journey.journey import Journey, given_standard_care
from vein2vein.report import facts, figures_forest, figures_survival, fit, flow, page
from vein2vein.report.figures import Picture
from vein2vein.report.groups import Group, arm_groups, shared_groups
from vein2vein.report.look import look, texts, unit_name
from vein2vein.report.text import MISSING, number, percent, span
from vein2vein.report.trial_figures import DEATH, Drawn, draw_trial
from vein2vein.trials.trial import TrialResult

SEVERE = 3  # grade from which a toxicity is severe


@dataclass(frozen=True)
class Told:
    """What the page tells of one group: heading, note, pictures by section, tables."""

    key: str
    title: str
    pooled: str
    pictures: dict[str, Picture | None]
    survival: list[Picture]
    kinetics: list[tuple[str, str, str, str]]
    grades: list[tuple[str, list[str], str]]
    quality: list[dict[str, str]]
    lots: list[tuple[str, int]]
    treatments: list[tuple[str, str, str, str, str]]


def write_trial_report(result: TrialResult, path: str | Path, *, force: bool = False) -> Path:
    """Write the report of a trial.

    Parameters
    ----------
    result : TrialResult
        Trial, journey, comparison rows, provenance.
    path : str or Path
        An HTML file; written whole or not at all.
    force : bool
        Overwrite an existing file.

    Returns
    -------
    Path

    Raises
    ------
    InputError
        The file exists and ``force`` is False, or its folder does not exist.
    """
    arguments.of_kind("result", result, TrialResult, "a TrialResult, as run_trial gives it")
    target = check_target(arguments.path_of("path", path), force=arguments.flag("force", force))
    return write_text(target, trial_page(result), force=force)


def trial_page(
    result: TrialResult,
    drawn: Callable[[], Drawn] | None = None,
    compared: Callable[[], Picture | None] | None = None,
) -> str:
    """Return the report of a trial as HTML text.

    Parameters
    ----------
    result : TrialResult
    drawn, compared : callable, optional
        Give the figures of the patients and of the comparison, where another process draws them; asked last.
    """
    journey = result.journey
    rows = facts.compared(result)
    assumed, known = facts.assumptions(journey)
    alone, pooled = arm_groups(result.trial, journey), shared_groups(result.trial, journey)
    told: dict[str, Any] = {
        "title": result.trial.title or result.trial.name,
        "whole": whole_flow(result, alone, rows),
        "summary": summary(alone, journey, rows),
        "assumed": assumed,
        "known": known,
        "how": facts.how_counts(journey),
        "notes": list(dict.fromkeys(journey.notes)),
        "failures": facts.failures(journey),
        "count": journey.count,
        "provenance": facts.flat(result.provenance),
        "read": [r for r in rows if r.confidence == facts.READ],
        "memory": [r for r in rows if r.confidence != facts.READ],
        "sources": sources(rows),
        "facts": trial_facts(result),
        "grade_names": texts("grades", "names"),
        "worth": fit.fit_words(result.trial),
        "numbers": result.provenance.get("parameters", ""),
        "tallies": fit.tallies(result.trial, rows),
        "judged": len(fit.judged(rows)),
        **missed(rows),
    }
    arms = [by_itself(result, group, rows) for group in alone]
    pools = [together(group) for group in pooled]
    page.ready("trial.html.j2")
    figures = drawn() if drawn else draw_trial(result.trial, journey)
    for one, pictures, curves in zip(arms, figures.arms, figures.survival, strict=True):
        one.pictures.update(pictures)
        one.survival.extend(curves)
    for one, pictures in zip(pools, figures.pools, strict=True):
        one.pictures.update(pictures)
    beside_published = compared() if compared else figures_forest.comparison_figure(rows)
    return page.fill(
        "trial.html.j2",
        arms=arms,
        pools=pools,
        compared=beside_published,
        within=fit.within,
        gap=gap,
        label=fit.label,
        **told,
    )


def whole_flow(result: TrialResult, groups: list[Group], rows: list[facts.Compared]) -> Picture | None:
    """Screening, enrollment and infusion of all arms; None where there is one arm, whose own flow says it."""
    if len(groups) == 1:
        return None
    n = flow.counts(result.journey, groups[0].words)
    of_all = [row for row in rows if not row.arms]
    return flow.flow_figure(flow.beginning(n, of_all, result.screened, (result.trial.enrolled, result.trial.infused)))


def by_itself(result: TrialResult, group: Group, rows: list[facts.Compared]) -> Told:
    """Flow, kinetics and grades of one arm; its figures of kinetics, grades and survival are added."""
    journey = group.journey
    alone = not group.key
    size = (result.trial.enrolled, result.trial.infused) if alone else (0, 0)
    listed = flow.stages(journey, group.words, group.rows(rows), result.screened if alone else 0, size)
    treated = not given_standard_care(journey).all()
    return Told(
        group.suffix,
        group.title,
        group.pooled,
        {"flow": flow.flow_figure(listed, group.suffix)},
        [],
        kinetics_rows(journey) if treated else [],
        grade_rows(journey) if treated else [],
        [],
        [],
        [],
    )


def together(group: Group) -> Told:
    """Product, lots and treatments of the arms that share a disease; their figures are added."""
    journey = group.journey
    return Told(
        group.suffix,
        group.title,
        group.pooled,
        {},
        [],
        [],
        [],
        quality_rows(journey),
        release_rows(journey),
        treatment_rows(journey),
    )


def summary(groups: list[Group], journey: Journey, rows: list[facts.Compared]) -> list[str]:
    """A few sentences with the main results by arm, the published figure beside each where there is one."""
    n = flow.counts(journey, groups[0].words)
    standard = int(given_standard_care(journey).sum())
    treated = n.enrolled - standard
    said = [f"{n.enrolled} virtual patients were enrolled and {n.infused} infused ({percent(n.infused, n.enrolled)})."]
    if standard:
        infused = f"{n.infused} of the other {treated} were infused ({percent(n.infused, treated)})"
        said = [f"{n.enrolled} virtual patients were enrolled, {standard} of them for standard care; {infused}."]
    for group in groups:
        told = group_summary(group, group.rows(rows))
        said += [f"{group.title} ({group.journey.count} enrolled): {' '.join(told)}"] if group.title else told
    return said


def group_summary(group: Group, rows: list[facts.Compared]) -> list[str]:
    """Response, toxicity and survival of one group in sentences."""
    journey, words = group.journey, group.words
    n = flow.counts(journey, words)
    last = int(look("windows", "acute"))
    if given_standard_care(journey).all():
        parts = _survival_parts(journey, words, rows, "enrolment")
        return ["Standard care, as published; no cells are given.", f"After enrollment: {', '.join(parts)}."]
    crs, icans = (
        facts.daily_worst(journey, name, last).max(axis=1, initial=0) for name in (usual_crs(), usual_neurologic())
    )
    best = [f"{count} {flow.told(words, name)}" for name, count in n.best.items() if name in words.counts]
    said = [
        f"{n.reached} of {n.infused} infused patients {words.reached} ({flow.success(journey, words)}): "
        f"{percent(n.reached, n.infused)}{beside(rows, *words.rates)}.",
        *([f"Best responses: {', '.join(best)}."] if len(best) > 1 else []),
        f"{finding_words(usual_crs()).label} of any grade occurred in {percent((crs > 0).sum(), n.infused)}, "
        f"grade {SEVERE} or higher in {percent((crs >= SEVERE).sum(), n.infused)}; "
        f"{finding_words(usual_neurologic()).short} of any grade in {percent((icans > 0).sum(), n.infused)}.",
    ]
    parts = _survival_parts(journey, words, rows, "infusion")
    return [*said, f"After infusion: {', '.join(parts)}."] if parts else said


def _survival_parts(journey: Journey, words: Lineage, rows: list[facts.Compared], clock: str) -> list[str]:
    """Survival at its landmark, by each endpoint that can be told."""
    parts: list[str] = []
    for endpoint in (*words.endpoints, DEATH):
        curve = figures_survival.survival(journey, endpoint, clock)
        if curve is not None:
            at = figures_survival.landmark(curve)
            title = endpoint_titles()[endpoint].lower()
            parts.append(f"{title} at {at.when} {at.percent}{beside(rows, f'{endpoint}_rate', day=at.day)}")
    return parts


def beside(rows: list[facts.Compared], *quantities: str, day: float | None = None) -> str:
    """The published share beside a simulated one, in brackets; "" where there is none."""
    found = facts.published(rows, *quantities, day=day)
    if not found:
        return ""
    interval = span(found[0].published_low, found[0].published_high)
    recalled = "" if found[0].confidence == facts.READ else ", from memory"
    return f" (published {number(found[0].published)} %{', ' + interval if interval else ''}{recalled})"


def quality_rows(journey: Journey) -> list[dict[str, str]]:
    """Product qualities as table rows: median, 5-95 %, limits, patients outside of them."""
    found: list[dict[str, str]] = []
    for row in facts.quality(journey):
        middle, low, high, count = facts.summary(row.values)
        limited = np.isfinite(row.low) | np.isfinite(row.high)
        outside = int(((row.values < row.low) | (row.values > row.high)).sum())
        found.append(
            {
                "title": row.title,
                "unit": row.unit,
                "median": number(middle),
                "band": span(low, high),
                "count": str(count),
                "limits": _limits(row) if limited.any() else MISSING,
                "outside": f"{outside} ({percent(outside, count)})" if limited.any() else MISSING,
            }
        )
    return found


def _limits(row: facts.Quality) -> str:
    if not np.isfinite(row.high).any():
        least = np.unique(row.low[np.isfinite(row.low)])
        return f"at least {number(least[0])}" if least.size == 1 else "at least that of the product"
    known = np.isfinite(row.low) & np.isfinite(row.high)
    same = known.any() and np.ptp(row.low[known]) == 0 and np.ptp(row.high[known]) == 0
    return span(row.low[known][0], row.high[known][0]) if same else "label, by weight"


def release_rows(journey: Journey) -> list[tuple[str, int]]:
    """Lots in and out of specification, failed, and why: (what, how many)."""
    lot = journey.lot
    rows = [*_each(lot.status)]
    rows += [("made a second time", int(lot.remade.sum())), ("failed, no lot for infusion", int(lot.failed.sum()))]
    return rows + [(f"reason: {reason}", count) for reason, count in _each(lot.reason)]


def _each(texts_of: np.typing.NDArray[np.str_]) -> list[tuple[str, int]]:
    """Each text with how often it stands; "" is left out."""
    found, how_many = np.unique(texts_of[texts_of != ""], return_counts=True)
    return list(zip((str(one) for one in found), (int(count) for count in how_many)))


def kinetics_rows(journey: Journey) -> list[tuple[str, str, str, str]]:
    """Kinetic measures as table rows: (name with unit, median, 5-95 %, patients)."""
    name = facts.readout(journey)
    unit = unit_name(analyte(name).unit)
    titles = {
        "cmax": f"Cmax ({unit})",
        "tmax": "Tmax (days)",
        "auc_0_28": f"AUC, days 0 to 28 (day × {unit})",
        "clast": f"Clast ({unit})",
        "tlast": "Tlast (days)",
        "doubling_time": "Doubling time of the rise (days)",
        "half_life_contraction": "Half-life of the contraction (days)",
        "half_life_terminal": "Terminal half-life (days)",
    }
    found: list[tuple[str, str, str, str]] = []
    for field, title in titles.items():
        middle, low, high, count = facts.summary(getattr(journey.kinetics, field)[journey.infused])
        found.append((title, number(middle), span(low, high), str(count)))
    return found


def grade_rows(journey: Journey) -> list[tuple[str, list[str], str]]:
    """Worst grade per patient by scale: (scale, share by grade 0 to 5, patients gradable)."""
    found: list[tuple[str, list[str], str]] = []
    for key in tabled_findings():
        if key in journey.findings:
            worst = facts.grades(journey, key).max(axis=1, initial=facts.NOT_GRADABLE)
            known = worst[worst >= 0]
            each = [int((known == g).sum()) for g in range(len(texts("grades", "names")))]
            cells = [f"{count} ({percent(count, known.size)})" for count in each]
            found.append((finding_words(key).title, cells, str(known.size)))
    return found


def treatment_rows(journey: Journey) -> list[tuple[str, str, str, str, str]]:
    """Treatments as table rows: (name, patients, first day, doses per treated patient, amount in all)."""
    days = np.asarray(journey.course.days, dtype=float)
    count = int(journey.infused.sum())
    found: list[tuple[str, str, str, str, str]] = []
    for name in facts.given_names(journey):
        amounts = facts.given(journey, name)
        treated = (amounts > 0).any(axis=1)
        if not treated.any():
            continue
        first = days[(amounts[treated] > 0).argmax(axis=1)]
        doses, total = (amounts[treated] > 0).sum(axis=1), amounts[treated].sum(axis=1)
        middle, low, high, _ = facts.summary(first)
        unit = analyte(name).unit
        amount = f"{number(np.median(total))} {unit_name(unit)}" if unit != "1" else MISSING
        found.append(
            (
                analyte(name).title.split(" (")[0],
                f"{treated.sum()} ({percent(treated.sum(), count)})",
                f"{number(middle)} ({span(low, high)})",
                MISSING if analyte(name).is_switch else number(np.median(doses)),
                amount,
            )
        )
    return found


def missed(rows: list[facts.Compared]) -> dict[str, Any]:
    """The misses as table rows, the worst first, and how many there are."""
    found = fit.misses(rows)
    listed = list(zip(fit.labels(found), found, strict=True))[: int(look("headline", "most_listed"))]
    return {
        "misses": [
            (name, "" if row.arm in name else row.arm, fit.value_words(row, row.simulated),
             span(row.low, row.high) if np.isfinite(row.simulated) else "",
             fit.value_words(row, row.published), fit.distance_words(row), fit.verdict(row))
            for name, row in listed
        ],
        "missed": len(found),
    }  # fmt: skip


def gap(row: facts.Compared) -> str:
    """Difference of simulated and published value, with its sign."""
    difference = row.simulated - row.published
    return "" if not np.isfinite(difference) else ("+" if difference > 0 else "") + number(difference)


def sources(rows: list[facts.Compared]) -> list[str]:
    """Sources of the published values, each once."""
    return list(dict.fromkeys(r.source for r in rows if r.source))


def trial_facts(result: TrialResult) -> list[tuple[str, str]]:
    """What was simulated, in a few words: disease, product, policy, patients."""
    journey, trial = result.journey, result.trial
    age, weight = facts.summary(journey.patient.age), facts.summary(journey.patient.weight)
    known = [("Registry", trial.registry), ("Phase", trial.phase)]
    return [
        *((title, value) for title, value in known if value),
        ("Disease", facts.disease_titles(journey)),
        ("Product", facts.product_titles(journey)),
        ("Age, median (5–95 %)", f"{number(age[0])} years ({span(age[1], age[2])})"),
        ("Weight, median (5–95 %)", f"{number(weight[0])} kg ({span(weight[1], weight[2])})"),
        ("Virtual patients", str(journey.count)),
        ("Treatment policy", trial.policy.replace("_", " ")),
    ]
