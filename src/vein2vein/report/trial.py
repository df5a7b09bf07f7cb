"""The report of a trial in virtual patients: one self-contained HTML file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from vein2vein.analytes import analyte
from vein2vein.files import check_target, write_text
from vein2vein.report import facts, page
from vein2vein.report.figures import Picture, look, unit_name
from vein2vein.report.page import number, percent, span


def write_trial_report(result: Any, path: str | Path, *, force: bool = False) -> Path:
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
    target = check_target(path, force=force)
    return write_text(target, trial_page(result), force=force)


def trial_page(result: Any) -> str:
    """Return the report of a trial as HTML text."""
    journey = result.journey
    rows = facts.compared(result.comparison)
    pictures = {p.name: p for p in trial_pictures(result, rows) if p is not None}
    assumed, known = facts.assumptions(journey)
    named = getattr(result.trial, "title", "") or getattr(result.trial, "name", "") or "Trial"
    return page.fill(
        "trial.html.j2",
        title=str(named),
        pictures=pictures,
        summary=summary(journey, rows),
        quality=quality_rows(journey),
        lots=release_rows(journey),
        kinetics=kinetics_rows(journey),
        grades=grade_rows(journey),
        treatments=treatment_rows(journey),
        assumed=assumed,
        known=known,
        how=facts.how_counts(journey),
        notes=notes(result),
        failures=facts.failures(journey),
        count=len(journey.patient.number),
        provenance=facts.flat(getattr(result, "provenance", None) or journey.provenance),
        read=[r for r in rows if r.confidence == "read"],
        memory=[r for r in rows if r.confidence != "read"],
        within=within,
        gap=gap,
        sources=sources(rows),
        facts=trial_facts(result),
    )


def trial_pictures(result: Any, rows: list[facts.Compared]) -> list[Picture | None]:
    """Every figure of a trial report; None where the journey holds nothing to draw."""
    journey = result.journey
    size = int(getattr(result.trial, "enrolled", 0)), int(getattr(result.trial, "infused", 0))
    from vein2vein.report import figures_kinetics as cells
    from vein2vein.report import figures_survival, figures_toxicity
    from vein2vein.report.flow import flow_figure

    return [
        flow_figure(journey, rows, int(getattr(result, "screened", 0)), size),
        cells.quality_figure(facts.quality(journey)),
        cells.kinetics_figure(journey, rows),
        cells.tumor_figure(journey),
        figures_toxicity.grade_figure(journey),
        figures_toxicity.treatment_figure(journey),
        figures_toxicity.inflammation_figure(journey),
        figures_toxicity.count_figure(journey),
        cells.aplasia_figure(journey, rows),
        figures_survival.survival_figure(journey, rows, "EFS"),
        figures_survival.survival_figure(journey, rows, "OS"),
        figures_survival.comparison_figure(rows),
    ]


def summary(journey: Any, rows: list[facts.Compared]) -> list[str]:
    """A few sentences with the main results, the published figure beside each where there is one."""
    from vein2vein.report.flow import counts

    n = counts(journey)
    remission = n.get("best: CR", 0) + n.get("best: CRi", 0)
    last = int(look("windows", "acute"))
    crs, icans = facts.daily_worst(journey, "crs_astct", last), facts.daily_worst(journey, "icans", last)

    def beside(*names: str, having: str = "") -> str:
        found = facts.published(rows, *names, having=having)
        if not found:
            return ""
        interval = span(found[0].published_low, found[0].published_high)
        return f" (published {number(found[0].published)} %{', ' + interval if interval else ''})"

    said = [
        f"{n['enrolled']} virtual patients were enrolled and {n['infused']} infused "
        f"({percent(n['infused'], n['enrolled'])}).",
        f"{remission} of {n['infused']} infused patients reached CR or CRi: "
        f"{percent(remission, n['infused'])}{beside('CR_CRi_rate')}.",
        "CRS (ASTCT) of any grade occurred in "
        f"{percent((crs.max(axis=1, initial=0) > 0).sum(), n['infused'])}, grade 3 or higher in "
        f"{percent((crs.max(axis=1, initial=0) >= 3).sum(), n['infused'])}; ICANS of any grade in "
        f"{percent((icans.max(axis=1, initial=0) > 0).sum(), n['infused'])}.",
    ]
    from vein2vein.report.figures_survival import on_day, survival

    at = look("windows", "year")
    parts = []
    for endpoint, words in (("EFS", "event-free survival"), ("OS", "overall survival")):
        curve = survival(journey, endpoint, "infusion")
        if curve is not None:
            parts.append(
                f"{words} {number(100 * on_day(curve, at)[0], 2)} %{beside(f'{endpoint}_rate', having='t=12mo')}"
            )
    if parts:
        said.append(f"At 12 months after infusion: {', '.join(parts)}.")
    return said


def quality_rows(journey: Any) -> list[dict[str, str]]:
    """Product qualities as table rows: median, 5-95 %, limits, patients outside of them."""
    found = []
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
                "limits": _limits(row) if limited.any() else page.MISSING,
                "outside": f"{outside} ({percent(outside, count)})" if limited.any() else page.MISSING,
            }
        )
    return found


def _limits(row: facts.Quality) -> str:
    known = np.isfinite(row.low) & np.isfinite(row.high)
    same = known.any() and np.ptp(row.low[known]) == 0 and np.ptp(row.high[known]) == 0
    return span(row.low[known][0], row.high[known][0]) if same else "label, by weight"


def release_rows(journey: Any) -> list[tuple[str, int]]:
    """Lots in and out of specification, failed, and why: (what, how many)."""
    lot = journey.lot
    rows = []
    status = np.asarray(getattr(lot, "status", ""))
    for words, how_many in zip(*np.unique(status[status != ""], return_counts=True)) if status.ndim else ():
        rows.append((str(words), int(how_many)))
    for field, words in (("remade", "made a second time"), ("failed", "failed, no lot for infusion")):
        flags = getattr(lot, field, None)
        if flags is not None:
            rows.append((words, int(np.asarray(flags, dtype=bool).sum())))
    reasons = np.asarray(getattr(lot, "reason", ""))
    for reason, how_many in zip(*np.unique(reasons[reasons != ""], return_counts=True)) if reasons.ndim else ():
        rows.append((f"reason: {reason}", int(how_many)))
    return rows


def kinetics_rows(journey: Any) -> list[tuple[str, str, str, str]]:
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
    chosen = facts.infused(journey)
    found = []
    for field, title in titles.items():
        values = facts.per_patient(journey.kinetics, chosen.size, field)
        if values is not None:
            middle, low, high, count = facts.summary(values[chosen])
            found.append((title, number(middle), span(low, high), str(count)))
    return found


def grade_rows(journey: Any) -> list[tuple[str, list[str], str]]:
    """Worst grade per patient by scale: (scale, share by grade 0 to 5, patients gradable)."""
    scales = {
        "crs_astct": "CRS, ASTCT 2019",
        "crs_lee2014": "CRS, Lee 2014",
        "crs_penn": "CRS, Penn",
        "icans": "ICANS, ASTCT 2019",
        "neurologic_event": "Neurologic event (CTCAE-like)",
        "neutropenia": "Neutropenia (CTCAE 5)",
        "thrombocytopenia": "Thrombocytopenia (CTCAE 5)",
    }
    found = []
    for key, title in scales.items():
        if key in journey.findings:
            worst = facts.grades(journey, key).max(axis=1, initial=facts.NOT_GRADABLE)
            known = worst[worst >= 0]
            cells = [
                f"{(known == g).sum()} ({percent((known == g).sum(), known.size)})"
                for g in range(len(look("grades", "names")))
            ]
            found.append((title, cells, str(known.size)))
    return found


def treatment_rows(journey: Any) -> list[tuple[str, str, str, str, str]]:
    """Treatments as table rows: (name, patients, first day, doses per treated patient, amount in all)."""
    days = np.asarray(journey.course.days, dtype=float)
    count = int(facts.infused(journey).sum())
    found = []
    for name in facts.given_names(journey):
        amounts = facts.given(journey, name)
        treated = (amounts > 0).any(axis=1)
        if not treated.any():
            continue
        first = days[(amounts[treated] > 0).argmax(axis=1)]
        doses, total = (amounts[treated] > 0).sum(axis=1), amounts[treated].sum(axis=1)
        middle, low, high, _ = facts.summary(first)
        unit = analyte(name).unit
        amount = f"{number(np.median(total))} {unit_name(unit)}" if unit != "1" else page.MISSING
        found.append(
            (
                analyte(name).title.split(" (")[0],
                f"{treated.sum()} ({percent(treated.sum(), count)})",
                f"{number(middle)} ({span(low, high)})",
                number(np.median(doses)),
                amount,
            )
        )
    return found


def within(row: facts.Compared) -> str:
    """Say whether the published value lies in the simulated interval."""
    if not np.isfinite(row.simulated):
        return "missing"
    if not np.isfinite(row.published) or not np.isfinite(row.low):
        return ""
    return "inside" if row.low <= row.published <= row.high else "outside"


def gap(row: facts.Compared) -> str:
    """Difference of simulated and published value, with its sign."""
    difference = row.simulated - row.published
    return "" if not np.isfinite(difference) else ("+" if difference > 0 else "") + number(difference)


def notes(result: Any) -> list[str]:
    """Notes of the steps and of the trial: clipped, assumed, not representable."""
    found: list[str] = []
    for note in (
        *(getattr(result.journey, "notes", None) or ()),
        *(getattr(result, "notes", None) or ()),
        *(getattr(result.trial, "notes", None) or ()),
    ):
        if str(note) not in found:
            found.append(str(note))
    return found


def sources(rows: list[facts.Compared]) -> list[str]:
    """Sources of the published values, each once."""
    return list(dict.fromkeys(r.source for r in rows if r.source))


def trial_facts(result: Any) -> list[tuple[str, str]]:
    """What was simulated, in a few words: disease, product, policy, patients."""
    journey = result.journey
    patient = journey.patient
    age, weight = facts.summary(patient.age), facts.summary(patient.weight)
    trial = result.trial
    wanted = [
        (title, str(getattr(trial, field)))
        for field, title in (("registry", "Registry"), ("phase", "Phase"))
        if getattr(trial, field, "")
    ]
    wanted += [
        ("Disease", str(facts.first_of(journey.disease, "title", "name", default=journey.disease))),
        ("Product", str(facts.first_of(journey.product, "title", "name", default=journey.product))),
        ("Age, median (5–95 %)", f"{number(age[0])} years ({span(age[1], age[2])})"),
        ("Weight, median (5–95 %)", f"{number(weight[0])} kg ({span(weight[1], weight[2])})"),
        ("Virtual patients", str(len(patient.number))),
    ]
    policy = getattr(trial, "policy", "")
    return [*wanted, ("Treatment policy", str(policy).replace("_", " "))] if policy else wanted
