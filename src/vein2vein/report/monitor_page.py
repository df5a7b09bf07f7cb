"""The page of a record: today, what to consider, what is due, the timeline, every day with its rows, the audit."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from vein2vein import __version__
from vein2vein.analytes import analyte
from vein2vein.clinic.care.suggestions import Suggestion
from vein2vein.clinic.criteria import edition, editions, reference, with_sources
from vein2vein.clinic.words import crs_scales, finding_words
from vein2vein.files import check_target, write_text
from vein2vein.report import page
from vein2vein.report.figures_monitor import follow_up, timeline
from vein2vein.report.look import color, unit_name
from vein2vein.report.monitor_episodes import HEADS as EPISODES
from vein2vein.report.monitor_episodes import episode_lines
from vein2vein.report.text import number
from vein2vein.therapy.product import all_products
from vein2vein.ward.monitor import ADVISED, Decision, WardRound
from vein2vein.ward.scores import PatientScore
from vein2vein.ward.states import (
    Day,
    Span,
    Standing,
    amounts,
    date_text,
    dated,
    day_text,
    in_words,
    moment_text,
    name_of,
    shown_value,
    stood_words,
    title,
)
from vein2vein.ward.unknown import NOT_UNDERSTOOD
from vein2vein.ward.ward_list import is_acute, known

VALUES = (  # 0: the lowest of the day, 1: the highest
    ("temperature", 1), ("systolic_bp", 0), ("spo2", 0), ("oxygen_flow", 1), ("norepinephrine", 1), ("ice", 0),
    ("capd", 1), ("crp", 1), ("ferritin", 1), ("neutrophils", 0), ("platelets", 0), ("hemoglobin", 0),
    ("igg", 0), ("b_cells", 0), ("transgene", 1), ("car_t_cells", 1),
)  # fmt: skip
SUPPORTS = ("oxygen_flow", "norepinephrine")  # told only where something ran
LASTING = ("b_cell_aplasia", "hypogammaglobulinemia")  # their rows are told when the state changes
MOST_TO_CHART = 4  # what the first lines name of what is missing; the table names all
STANDING = ("advice", "prophylaxis", "long_term", "vaccines")


def dose_words(one: Suggestion) -> str:
    """One dose with its interval; "" where nothing is dosed."""
    if not one.treatment:
        return ""
    if not np.isfinite(one.dose):
        return ""
    every = "" if not np.isfinite(one.every_hours) else f" every {one.every_hours:g} h"
    return f"{number(one.dose)} {one.unit}{every}"


def advised(watch: WardRound) -> str:
    """By which scale the advice is given; "" where it is the one that is shown."""
    shown, advised_by = crs_scales()[watch.scale], finding_words(ADVISED)
    if shown.name == ADVISED:
        return ""
    return f"for {advised_by.short} by the {advised_by.scale_title} grade, not by the scale shown"


def due_rows(watch: WardRound) -> list[tuple[str, list[tuple[str, str, str, str]]]]:
    """What is overdue, what comes next, and what holds all the time: (heading, rows)."""
    groups: dict[str, list[tuple[str, str, str, str]]] = {"Overdue": [], "Next": [], "Standing advice": []}
    for one in watch.due:
        standing = one.group in STANDING and not one.reads
        if not one.overdue and one.when > one.until:
            continue
        when = f"{'from ' if standing else ''}{_date(one.when, watch)}"
        last = dated(one.last, watch.infused) if np.isfinite(one.last) else ("" if standing else "never")
        key = "Overdue" if one.overdue else "Standing advice" if standing else "Next"
        groups[key].append((when, one.what, last, reference(one.mark)))
    return list(groups.items())


def _date(day: float, watch: WardRound) -> str:
    """A day, with its date where it is known: what is due is due by date."""
    clock = float(watch.course.clock[0]) if watch.course.clock.size else 0.0
    when = date_text(int(np.floor(round(day + clock, 6))), watch.infused)
    return f"day {day_text(day)} ({when})" if when else f"day {day_text(day)}"


def summary(watch: WardRound) -> list[str]:
    """Who, when and how things stand, in sentences."""
    who = [f"{watch.age:g} years" if np.isfinite(watch.age) else "age unknown", weight_words(watch)]
    if watch.product:
        who.append(product_title(watch.product))
    when = moment_text(watch.today, watch.infused)
    later = [f", day {day_text(watch.today - day)} after that of day {day_text(day)}" for day in watch.infusions[1:]]
    infusion = f"first infusion{''.join(later)}" if later else "infusion"
    ordered = worst_first(watch.now)
    words = [f"{s.title}: {_standing(s, watch)}" for s in ordered if s.grade > 0 or (s.grade < 0 and s.at_least > 0)]
    open_ = [_to_chart(s) for s in ordered if s.grade < 0 and s.at_least <= 0]
    return [
        f"Day {day_text(watch.today)}{f' ({when})' if when else ''} after the {infusion}; "
        f"{', '.join(k for k in who if k)}.",
        f"Now: {'; '.join(words)}." if words else "No finding of grade 1 or more is known today.",
        *([f"Not gradable today: {', '.join(open_)}."] if open_ else []),
    ]


def _standing(s: Standing, watch: WardRound) -> str:
    stood = stood_words(s, watch.today)
    return f"{s} ({stood})" if stood else str(s)


def _to_chart(s: Standing) -> str:
    """A finding that is not gradable, with the first things to chart."""
    more = " ..." if len(s.missing) > MOST_TO_CHART else ""
    needs = ", ".join(name_of(name) for name in s.missing[:MOST_TO_CHART])
    return f"{s.title} (chart {needs}{more})" if needs else s.title


def worst_first(states: Iterable[Standing]) -> list[Standing]:
    """Syndromes of grade 1 or more first, then other findings by grade, then what is not known, then what is well."""

    def order(s: Standing) -> tuple[float, ...]:
        sick = known(s) > 0
        return not (sick and is_acute(s.name)), -known(s) if sick else 0, s.grade == 0, not is_acute(s.name)

    return sorted(states, key=order)


def considered(watch: WardRound) -> list[tuple[Suggestion, float]]:
    """What to consider, in the order of the findings: the worst syndrome first."""
    order = [s.name for s in worst_first((*watch.now, *watch.hematotoxicity))]
    return sorted(watch.consider, key=lambda one: order.index(one[0].finding) if one[0].finding in order else -1)


def weight_words(watch: WardRound) -> str:
    """The weight, or that it is unknown; and why no dose follows it."""
    if not np.isfinite(watch.weight):
        return "weight unknown"
    return f"{watch.weight:g} kg" + (f" (no dose: {watch.no_dose})" if watch.no_dose else "")


def product_title(name: str) -> str:
    """The title of a bundled product, else its name."""
    found = all_products().get(name)
    return found.title if found is not None else name


def write_monitor_report(watch: WardRound, path: str | Path, *, force: bool = False) -> Path:
    """Write the page of one patient's record: one self-contained HTML file.

    Parameters
    ----------
    watch : WardRound
        From ``monitor``.
    path : str or Path
    force : bool
        Overwrite an existing file.

    Raises
    ------
    InputError
        The file exists and ``force`` is False, or its folder does not.
    """
    target = check_target(path, force=force)
    return write_text(target, monitor_page(watch), force=force)


def monitor_page(watch: WardRound) -> str:
    """Return the page of one patient's record as HTML text."""
    pictures = [p for p in (timeline(watch), follow_up(watch)) if p is not None]
    return page.fill("monitor.html.j2", **monitor_facts(watch), pictures=pictures, color=color)


def monitor_facts(watch: WardRound) -> dict[str, Any]:
    """Return all that the page of a record says, in words and numbers, without its figures."""
    before = {s.name: s for s in watch.before}
    now = [
        {
            **_cell(s, watch.infused), "before": _cell(before[s.name], watch.infused) if s.name in before else None,
            "stood": stood_words(s, watch.today, watch.infused),
        }
        for s in worst_first((*watch.now, *watch.hematotoxicity))
    ]  # fmt: skip
    shown = [n for n in watch.findings if any(d.states[n].grade >= 0 or d.states[n].at_least > 0 for d in watch.days)]
    heads = [finding_words(n).short for n in shown]
    never = [title(n) for n in watch.findings if n not in shown]
    days = [
        {
            "day": d.day, "date": date_text(d.day, watch.infused),
            "states": [_cell(d.states[n], watch.infused) for n in shown],
            "range": _range(d),
            "given": amounts(d.given), "because": [*_because(d, earlier, watch.infused), *_decided(watch, d)],
        }
        for d, earlier in zip(watch.days, (None, *watch.days))
    ]  # fmt: skip
    return dict(
        title=f"Patient {watch.label or watch.patient}: day {day_text(watch.today)}",
        summary=summary(watch), unknown=watch.unknown, not_understood=NOT_UNDERSTOOD,
        moment=moment_text(watch.today, watch.infused),
        today=day_text(watch.today), now=now, advised=advised(watch), infection=watch.infection,
        infection_unknown=", ".join(name_of(n) for n in watch.infection_unknown), changed=watch.changed,
        consider=[_consider(watch, one, day) for one, day in considered(watch)], weight=weight_words(watch),
        due=due_rows(watch),
        episodes=episode_lines(watch), episode_heads=[head.capitalize() for head in EPISODES],
        headers=heads, never=", ".join(never), days=days,
        decisions=[_decision(d, watch.infused) for d in watch.decisions],
        aside=[str(one) for one in watch.set_aside], notes=watch.notes, criteria=_criteria(watch),
        scores=score_rows(watch), closed=closed_scores(watch), provenance=_provenance(watch),
    )  # fmt: skip


def score_rows(watch: WardRound) -> list[tuple[str, str, str, str]]:
    """Risk scores that the record allows: (score, what it says, why or what is missing, edition)."""
    return [
        (
            one.title, str(one),
            "; ".join([*(shown_value(row, watch.infused) for row in one.because), *missing_words(one), *one.flags]),
            f"{edition_title(one.edition)}{', in part unverified' if one.unverified else ''}",
        )
        for one in watch.risk_scores
        if one.allowed
    ]  # fmt: skip


def missing_words(one: PatientScore) -> list[str]:
    """What a score lacks, as one sentence part; [] where it lacks nothing."""
    return [f"missing: {', '.join(name_of(name) for name in one.missing)}"] if one.missing else []


def closed_scores(watch: WardRound) -> list[str]:
    """Risk scores of which the record holds nothing, with what they would need."""
    return [f"{one.title} ({'; '.join(missing_words(one))})" for one in watch.risk_scores if not one.allowed]


def _cell(s: Standing, infused: date | None) -> dict[str, Any]:
    aged = s.grade < 0 and np.isfinite(s.last_day)
    return {
        "title": s.title, "grade": s.grade, "at_least": s.at_least, "short": str(s.grade), "words": str(s),
        "last": f"last known on {dated(s.last_day, infused)}: {in_words(s.name, s.last_grade)}" if aged else "",
        "because": [shown_value(row, infused) for row in s.because],
        "missing": ", ".join(name_of(n) for n in s.missing),
        "flags": s.flags, "edition": edition_title(s.edition), "unverified": bool(s.unverified),
    }  # fmt: skip


@cache
def edition_title(name: str) -> str:
    """The title of an edition of criteria."""
    known = name.partition(":")[0]
    return edition(known).title if known in editions() else name.replace("_", " ")


def _because(day: Day, earlier: Day | None, infused: date | None) -> list[tuple[str, str]]:
    """The rows behind each grade of a day; of a state that lasts, when it changes."""
    return [
        (f"{s.title}, {s}", "; ".join(shown_value(row, infused) for row in s.because))
        for s in day.states.values()
        if s.because and max(s.grade, s.at_least) > 0
        and not (s.name in LASTING and earlier is not None and earlier.states[s.name].grade == s.grade)
    ]  # fmt: skip


def _decided(watch: WardRound, day: Day) -> list[tuple[str, str]]:
    """Clinicians' decisions that hold on a day: a fever that counts for nothing does not stand there unexplained."""
    clock = float(watch.course.clock[0]) if watch.course.clock.size else 0.0
    first = day.day - clock
    return [
        ("Decided", f"{d.what}: {d.holds}, {d.author}{f' [{d.where_from}]' if d.where_from else ''}")
        for d in watch.decisions
        if d.first_day < first + 1 and d.last_day > first
    ]


def _range(day: Day) -> str:
    """The worst value of each analyte on one day."""
    shown = dict(VALUES)
    more = [n for n, span in day.values.items() if span.unread and n not in shown]
    running = {n: v for n, v in day.values.items() if n not in SUPPORTS or v.high > 0 or v.high_sign or v.unread}
    return "; ".join(_value(n, running[n], shown.get(n, 0)) for n in (*shown, *more) if n in running)


def _value(name: str, found: Span, which: int) -> str:
    known = analyte(name)
    unit = "" if known.unit == "1" else f" {unit_name(known.unit)}"
    sign, value = (found.high_sign, found.high) if which else (found.low_sign, found.low)
    told = [f"{sign}{number(value, 4)}{unit}"] if np.isfinite(value) else []
    told += ["not understood"] if found.unread else []
    return f"{name_of(name).split(' (')[0]} {', '.join(told)}"


def _consider(watch: WardRound, one: Suggestion, day: float) -> dict[str, Any]:
    aged = f", last known on day {day_text(day)}" if watch.today - day >= 1 else ""
    return {
        "finding": title(one.finding), "state": f"{in_words(one.finding, one.grade)}{aged}", "text": one.text,
        "blocked": one.blocked, "conflict": with_sources(one.conflict), "dose": dose_words(one), "notes": one.notes,
        "source": reference(one.mark),
    }  # fmt: skip


def _decision(d: Decision, infused: date | None) -> dict[str, str]:
    last = "until further notice" if np.isinf(d.last_day) else f"to {_moment(d.last_day, infused)}"
    return {
        "span": f"{_moment(d.first_day, infused)} {last}", "what": d.what, "computed": d.computed, "holds": d.holds,
        "author": d.author, "time": d.time, "reason": d.reason, "where_from": d.where_from,
    }  # fmt: skip


def _moment(day: float, infused: date | None) -> str:
    when = moment_text(day, infused)
    return f"{day_text(day)} ({when})" if when else day_text(day)


def _criteria(watch: WardRound) -> list[dict[str, Any]]:
    from vein2vein.clinic.criteria import unverified

    names = dict.fromkeys(s.edition.partition(":")[0] for s in (*watch.now, *watch.hematotoxicity, *watch.risk_scores))
    out: list[dict[str, Any]] = []
    for name in (*names, "guidance", "dosing", "schedule"):
        if name in editions():
            found = edition(name)
            out.append({
                "title": found.title, "published": found.published, "date": found.date, "where": found.where,
                "unverified": unverified(name),
            })  # fmt: skip
    return out


def _provenance(watch: WardRound) -> list[tuple[str, str]]:
    rows = len(list(watch.course.rows()))
    return [
        ("Record", Path(watch.file).name if watch.file else "a course"), ("Values read", str(rows)),
        ("Scale of cytokine release syndrome", crs_scales()[watch.scale].scale_title), ("vein2vein", __version__),
    ]  # fmt: skip
