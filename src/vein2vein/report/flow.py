"""The flow of patients from screening to response, drawn as boxes and arrows."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np

from vein2vein.report import facts
from vein2vein.report.figures import Picture, color, look
from vein2vein.report.page import number, percent

REASONS = ("not eligible", "manufacturing failure", "death", "adverse event", "progression")


@dataclass(frozen=True)
class Stage:
    """One stage of the flow: a headline, details, and who left before the next stage."""

    headline: str
    details: tuple[str, ...] = ()
    left: tuple[str, ...] = ()


def counts(journey: Any) -> dict[str, int]:
    """Patients screened, enrolled, infused, by best response and by outcome."""
    chosen, reason, out = facts.infused(journey), np.asarray(journey.not_infused_reason), journey.outcome
    best = np.asarray(out.best_response)
    relapsed = np.isfinite(out.relapse_day) & chosen
    antigen = np.asarray(out.relapse_antigen)
    found = {
        "screened": chosen.size,
        "enrolled": int((reason != "not eligible").sum()),
        "infused": int(chosen.sum()),
        "relapsed": int(relapsed.sum()),
        "relapsed negative": int((relapsed & (antigen == "negative")).sum()),
        "relapsed positive": int((relapsed & (antigen == "positive")).sum()),
        "died": int((np.isfinite(out.death_day) & (out.death_day <= out.last_day) & chosen).sum()),
        "failed": len(facts.failures(journey)),
    }
    for name in sorted({*REASONS, *(str(r) for r in np.unique(reason) if r)}):
        found[f"not infused: {name}"] = int(((reason == name) & ~chosen).sum())
    for name in np.unique(best[chosen]):
        found[f"best: {name}"] = int((best[chosen] == name).sum())
    return found


def stages(journey: Any, rows: list[facts.Compared], screened: int = 0, size: tuple[int, int] = (0, 0)) -> list[Stage]:
    """The stages as text, with the published numbers where they are known.

    Parameters
    ----------
    journey : Journey
    rows : list of Compared
    screened : int
        Patients screened until so many were enrolled; 0: not known.
    size : tuple of int
        Enrolled and infused in the published trial; 0: not known.
    """
    n = counts(journey)
    n["screened"] = max(n["screened"], screened)

    def beside(*names: str) -> tuple[str, ...]:
        found = facts.published(rows, *names)
        return (
            (f"published: {found[0].published:.0f}" + (" (from memory)" if found[0].confidence != "read" else ""),)
            if found
            else ()
        )

    def rate(*names: str) -> tuple[str, ...]:
        found = facts.published(rows, *names)
        return (f"published: {number(found[0].published)} %",) if found else ()

    enrolled, infused = size
    reasons = [(k.removeprefix("not infused: "), v) for k, v in n.items() if k.startswith("not infused: ") and v]
    best = {k.removeprefix("best: "): v for k, v in n.items() if k.startswith("best: ")}
    remission = best.get("CR", 0) + best.get("CRi", 0)
    words = {
        "CR": "complete (CR)",
        "CRi": "with incomplete blood count recovery (CRi)",
        "NR": "without response",
        "": "not assessed",
    }
    listed = [
        Stage(
            f"Screened: {n['screened']}",
            beside("n_screened"),
            (f"{n['screened'] - n['enrolled']} not eligible",) if n["screened"] > n["enrolled"] else (),
        ),
        Stage(
            f"Enrolled: {n['enrolled']}",
            (f"published: {enrolled}",) if enrolled else (),
            tuple(f"{count} {name}" for name, count in reasons if name != "not eligible"),
        ),
        Stage(
            f"Infused: {n['infused']} ({percent(n['infused'], n['enrolled'])} of enrolled)",
            ((f"of these {n['failed']} with a failed integration",) if n["failed"] else ())
            + ((f"published: {infused} ({percent(infused, enrolled)})",) if infused else ()),
        ),
        Stage(
            f"In remission (CR or CRi): {remission} ({percent(remission, n['infused'])} of infused)",
            tuple(f"{best[k]} {words[k]}" for k in ("CR", "CRi") if best.get(k)) + rate("CR_CRi_rate"),
            tuple(f"{v} {words.get(k, k)}" for k, v in sorted(best.items()) if k not in ("CR", "CRi")),
        ),
        Stage(
            f"Relapsed after remission: {n['relapsed']}",
            (
                *(f"{n[f'relapsed {k}']} antigen-{k}" for k in ("positive", "negative") if n[f"relapsed {k}"]),
                f"{n['died']} of the infused died in follow-up",
            ),
        ),
    ]
    if not listed[0].left:
        listed = listed[1:]
    return listed


def flow_figure(journey: Any, rows: list[facts.Compared], screened: int = 0, size: tuple[int, int] = (0, 0)) -> Picture:
    """Draw the flow of patients; arguments as for ``stages``."""
    listed = stages(journey, rows, screened, size)

    def left(stage: Stage) -> str:
        return f" (then left: {', '.join(stage.left)})" if stage.left else ""

    words = "; ".join(f"{s.headline}{left(s)}" for s in listed)
    return Picture(
        "flow",
        "Flow of patients from screening to response",
        "Counts of virtual patients in this run; published counts of the trial in grey where they were printed.",
        f"Flow diagram: {words}.",
        _draw(listed, f"Flow diagram: {words}."),
    )


def _draw(listed: list[Stage], alt: str) -> str:
    box, side, gap, line, pad, indent, width = (
        look("flow", k) for k in ("box", "side", "gap", "line", "pad", "indent", "width")
    )
    parts: list[str] = []
    y = 2
    ink, soft, faint, wash = color("ink"), color("soft"), color("faint"), color("wash")
    middle = indent + box / 2
    for index, stage in enumerate(listed):
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
        if index < len(listed) - 1:
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
    total = y - (gap if not listed[-1].left else 0) + 4
    return (
        f'<svg class="chart" role="img" aria-label="{escape(alt)}" viewBox="0 0 {width} {total}">'
        + "".join(parts)
        + "</svg>"
    )


def _text(x: float, y: float, text: str, hue: str, anchor: str, bold: bool = False) -> str:
    weight = ' font-weight="600"' if bold else ""
    return f'<text x="{x:g}" y="{y:g}" fill="{hue}" text-anchor="{anchor}" font-size="15"{weight}>{escape(text)}</text>'
