"""The flow of patients from screening to response, drawn as boxes and arrows."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape

import numpy as np

from vein2vein.clinic.words import Lineage
from vein2vein.journey.journey import Journey, given_standard_care
from vein2vein.report import facts
from vein2vein.report.figures import Picture
from vein2vein.report.look import color, look
from vein2vein.report.text import listed, number, percent

NOT_ELIGIBLE = "not eligible"
ANTIGEN = ("positive", "negative")


@dataclass(frozen=True)
class Stage:
    """One stage of the flow: a headline, details, and who left before the next stage."""

    headline: str
    details: tuple[str, ...] = ()
    left: tuple[str, ...] = ()


@dataclass(frozen=True)
class Counts:
    """Patients at each stage.

    Attributes
    ----------
    screened, enrolled, infused, failed : int
        ``failed``: of the infused, those whose integration failed.
    not_infused : mapping of reason to int
    best : mapping of best response to int
        Of the infused, best response first.
    reached : int
        With a best response that counts as success in this disease.
    returned : mapping of best response to int
        Of those, who relapsed or progressed, by their best response.
    antigen : mapping of str to int
        The same by the antigen of what returned, where it was measured.
    died : int
        Of the infused, in follow-up.
    """

    screened: int
    enrolled: int
    infused: int
    failed: int
    not_infused: dict[str, int]
    best: dict[str, int]
    reached: int
    returned: dict[str, int]
    antigen: dict[str, int]
    died: int


def counts(journey: Journey, words: Lineage) -> Counts:
    """Count the patients of a journey of one disease at each stage."""
    out, there = journey.outcome, journey.infused
    best = np.asarray(out.best_response, dtype=str)
    reached = there & np.isin(best, words.counts)
    returned = reached & np.isfinite(out.relapse_day)
    reasons = np.asarray(journey.not_infused_reason, dtype=str)
    eligible = reasons != NOT_ELIGIBLE
    order = [*words.words, *(name for name in np.unique(best).tolist() if name not in words.words)]

    def each(of: facts.Mask) -> dict[str, int]:
        return {name: int((of & (best == name)).sum()) for name in order if (of & (best == name)).any()}

    return Counts(
        screened=journey.count,
        enrolled=int(eligible.sum()),
        infused=int(there.sum()),
        failed=int((there & (journey.status != 0)).sum()),
        not_infused={r: int((reasons == r).sum()) for r in np.unique(reasons[eligible & ~there]).tolist()},
        best=each(there),
        reached=int(reached.sum()),
        returned=each(returned),
        antigen={name: int((returned & (out.relapse_antigen == name)).sum()) for name in ANTIGEN},
        died=int((there & np.isfinite(out.death_day) & (out.death_day <= out.last_day)).sum()),
    )


def success(journey: Journey, words: Lineage) -> str:
    """The responses that count as success, of those that the criteria of these visits can give: ``CR or CRi``."""
    return listed(words.possible(journey.arms[0].categories))


def beginning(n: Counts, rows: list[facts.Compared], screened: int, size: tuple[int, int]) -> list[Stage]:
    """Screening, enrollment and infusion; see ``stages``."""
    screened = max(n.screened, screened)
    enrolled, infused = size

    def beside(quantity: str) -> tuple[str, ...]:
        found = facts.published(rows, quantity)[:1]
        return tuple(
            f"published: {r.published:.0f}{'' if r.confidence == facts.READ else ' (from memory)'}" for r in found
        )

    told = [
        Stage(
            f"Enrolled: {n.enrolled}",
            (f"published: {enrolled}",) if enrolled else beside("n_enrolled"),
            tuple(f"{name}: {count}" for name, count in n.not_infused.items()),
        ),
        Stage(
            f"Infused: {n.infused} ({percent(n.infused, n.enrolled)} of enrolled)",
            ((f"of these {n.failed} with a failed integration",) if n.failed else ())
            + ((f"published: {infused} ({percent(infused, enrolled)})",) if infused else beside("n_infused")),
        ),
    ]
    if screened == n.enrolled:
        return told
    return [Stage(f"Screened: {screened}", beside("n_screened"), (f"not eligible: {screened - n.enrolled}",)), *told]


def stages(
    journey: Journey, words: Lineage, rows: list[facts.Compared], screened: int = 0, size: tuple[int, int] = (0, 0)
) -> list[Stage]:
    """The stages of the patients of one disease as text, with the published numbers where they are known.

    Parameters
    ----------
    journey : Journey
    words : Lineage
        How their responses are told.
    rows : list of Compared
        Published figures of these patients.
    screened : int
        Patients screened until so many were enrolled; 0: not known.
    size : tuple of int
        Enrolled and infused in the published trial; 0: not known.
    """
    n = counts(journey, words)
    rate = facts.published(rows, *words.rates)[:1]
    if given_standard_care(journey).all():
        return _of_standard_care(journey, words, rate)
    returned = sum(n.returned.values())
    return [
        *beginning(n, rows, screened, size),
        Stage(
            f"{words.stage} ({success(journey, words)}): {n.reached} ({percent(n.reached, n.infused)} of infused)",
            tuple(f"{count} {told(words, name)}" for name, count in n.best.items() if name in words.counts)
            + tuple(f"published: {number(r.published)} %" for r in rate),
            tuple(f"{count} {told(words, name)}" for name, count in n.best.items() if name not in words.counts),
        ),
        Stage(
            f"{words.after}: {returned}",
            (
                *(f"{count} of them from {name}" for name, count in n.returned.items() if len(n.returned) > 1),
                *(f"{count} antigen-{name}" for name, count in n.antigen.items() if count),
                f"{n.died} of the infused died in follow-up",
            ),
        ),
    ]


def _of_standard_care(journey: Journey, words: Lineage, rate: list[facts.Compared]) -> list[Stage]:
    """The stages of an arm that is given no cells: all of them are treated, and told of all enrolled."""
    best = np.asarray(journey.outcome.best_response, dtype=str)
    died = int((np.isfinite(journey.outcome.death_day) & (journey.outcome.death_day <= journey.outcome.last_day)).sum())
    reached = int(np.isin(best, words.counts).sum())
    details = [f"{(best == name).sum()} {told(words, name)}" for name in words.counts if (best == name).any()]
    known = bool((best != "").any())
    responded = Stage(
        f"{words.stage}: {reached} ({percent(reached, journey.count)})",
        (*details, *(f"published: {number(r.published)} %" for r in rate)),
    )
    return [
        Stage(f"Enrolled: {journey.count}"),
        Stage(f"Standard care: {journey.count}", ("as published; no cells are given",)),
        *([responded] if known else []),
        Stage(f"Died in follow-up: {died}"),
    ]


def told(words: Lineage, response: str) -> str:
    """A best response in words, with its abbreviation."""
    return f"{words.word(response)} ({response})" if response else words.word(response)


def flow_figure(listed_stages: list[Stage], key: str = "") -> Picture:
    """Draw the flow of patients."""

    def left(stage: Stage) -> str:
        return f" (then left: {', '.join(stage.left)})" if stage.left else ""

    words = "; ".join(f"{s.headline}{left(s)}" for s in listed_stages)
    return Picture(
        f"flow{key}",
        "Flow of patients",
        "Counts of virtual patients in this run; published counts of the trial in grey where they were printed.",
        f"Flow diagram: {words}.",
        _draw(listed_stages, f"Flow diagram: {words}."),
    )


def _draw(flow: list[Stage], alt: str) -> str:
    box, side, gap, line, pad, indent, width = (
        look("flow", k) for k in ("box", "side", "gap", "line", "pad", "indent", "width")
    )
    parts: list[str] = []
    y = 2
    ink, soft, faint, wash = color("ink"), color("soft"), color("faint"), color("wash")
    middle = indent + box / 2
    for index, stage in enumerate(flow):
        height = 2 * pad + line * (1 + len(stage.details))
        parts.append(
            f'<rect x="{indent}" y="{y}" width="{box}" height="{height}" rx="6" fill="{wash}" stroke="{soft}"/>'
        )
        parts.append(_text(indent + box / 2, y + pad + line * 0.72, stage.headline, ink, "middle", bold=True))
        for line_number, detail in enumerate(stage.details, start=1):
            hue = soft if detail.startswith("published") else ink
            parts.append(_text(indent + box / 2, y + pad + line * (line_number + 0.72), detail, hue, "middle"))
        bottom = y + height
        beside = 2 * pad + line * max(len(stage.left), 1) if stage.left else 0
        step = gap + (beside - gap / 2 if stage.left else 0)
        if index < len(flow) - 1:
            parts.append(f'<path d="M{middle} {bottom}V{bottom + step - 7}" stroke="{soft}" fill="none"/>')
            parts.append(f'<path d="M{middle - 5} {bottom + step - 8}h10l-5 8z" fill="{soft}"/>')
            if stage.left:
                x, top = indent + box + gap, bottom + (step - beside) / 2
                parts.append(f'<path d="M{middle} {bottom + step / 2}H{x - 7}" stroke="{soft}" fill="none"/>')
                parts.append(f'<path d="M{x - 8} {bottom + step / 2 - 5}v10l8 -5z" fill="{soft}"/>')
                parts.append(
                    f'<rect x="{x}" y="{top}" width="{side}" height="{beside}" rx="6" fill="none" stroke="{faint}"/>'
                )
                for line_number, text in enumerate(stage.left):
                    parts.append(_text(x + pad, top + pad + line * (line_number + 0.72), text, ink, "start"))
        y = bottom + step
    total = y - (gap if not flow[-1].left else 0) + 4
    return (
        f'<svg class="chart" role="img" aria-label="{escape(alt)}" viewBox="0 0 {width} {total}">'
        + "".join(parts)
        + "</svg>"
    )


def _text(x: float, y: float, text: str, hue: str, anchor: str, bold: bool = False) -> str:
    weight = ' font-weight="600"' if bold else ""
    return f'<text x="{x:g}" y="{y:g}" fill="{hue}" text-anchor="{anchor}" font-size="15"{weight}>{escape(text)}</text>'
