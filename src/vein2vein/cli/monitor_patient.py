"""One patient's round as vein2vein monitor tells it: tables for people, events for machines."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from vein2vein.cli import console
from vein2vein.clinic.words import finding_words

if TYPE_CHECKING:
    from vein2vein.therapy.course import Row
    from vein2vein.ward.episodes import Episode
    from vein2vein.ward.monitor import WardRound
    from vein2vein.ward.states import Standing

Event = tuple[str, dict[str, object]]


def show(watch: WardRound) -> None:
    """Print one patient's round: today first, then every day."""
    from vein2vein.clinic.criteria import reference, with_sources
    from vein2vein.report.monitor_episodes import HEADS, episode_lines
    from vein2vein.report.monitor_page import (
        advised,
        closed_scores,
        considered,
        dose_words,
        due_rows,
        edition_title,
        score_rows,
        worst_first,
    )
    from vein2vein.ward.monitor import missing_now
    from vein2vein.ward.states import (
        dated,
        in_words,
        moment_text,
        name_of,
        shown_value,
        stood_words,
        title,
    )
    from vein2vein.ward.unknown import NOT_UNDERSTOOD
    from vein2vein.ward.ward_list import days_since_infusions

    who = f"Patient {watch.label}: " if watch.label else ""
    rows: list[tuple[str, ...]] = []
    for s in worst_first((*watch.now, *watch.hematotoxicity)):
        aged = (
            f" (last settled: {dated(s.last_day, watch.infused)}, {in_words(s.name, s.last_grade)})"
            if s.grade < 0 <= s.last_grade
            else ""
        )
        why = "; ".join([*(shown_value(row, watch.infused) for row in s.because), *s.flags])
        lacks = f"missing: {', '.join(name_of(n) for n in s.missing)}" if s.missing else ""
        mark = ", in part unverified" if s.unverified else ""
        stood = stood_words(s, watch.today, watch.infused)
        aged = f" {stood}{aged}" if stood else aged
        rows.append((s.title, f"{s}{aged}", "; ".join(filter(None, (why, lacks))), f"{edition_title(s.edition)}{mark}"))
    _list(f"{who}{NOT_UNDERSTOOD}", watch.unknown)
    day = days_since_infusions(watch.today, watch.infusions)
    when = f" ({moment})" if (moment := moment_text(watch.today, watch.infused)) else ""
    console.table(("finding", "now", "why, or what is missing", "edition"), rows, title=f"{who}today, day {day}{when}")
    if scores := score_rows(watch):
        console.table(("score", "value", "why, or what is missing", "edition"), scores, title="Risk scores")
    _list("Risk scores that the record does not allow", closed_scores(watch))
    _list("Changed in 24 hours", watch.changed)
    _list("Risk of infection", watch.infection)
    advice: list[tuple[str, ...]] = []
    for one, day in considered(watch):
        aged = f", {dated(day, watch.infused)}" if watch.today - day >= 1 else ""
        notes = [
            *(f"not now: {b}" for b in one.blocked),
            *one.notes,
            *([with_sources(one.conflict)] if one.conflict else []),
        ]
        text = f"{one.text} ({'; '.join(notes)})" if notes else one.text
        state = f"{title(one.finding)}, {in_words(one.finding, one.grade)}{aged}"
        advice.append((state, text, dose_words(one), reference(one.mark)))
    if advice:
        doses = "" if math.isnan(watch.weight) else f"doses for {watch.weight:g} kg"
        shown = [advised(watch), f"NO DOSE: {watch.no_dose}" if watch.no_dose and doses else doses]
        heading = "; ".join(filter(None, ("Guidelines say to consider", *shown)))
        console.table(("for", "consider", "one dose", "source"), advice, title=heading)
    for heading, due in due_rows(watch):
        if due and heading != "Standing advice":
            _list(heading, [f"{when}: {what} ({source})" for when, what, _, source in due])
    if lines := episode_lines(watch):
        console.table(HEADS, lines, title="Episodes, from the first sign to the last")
    lacking = missing_now(watch)
    _list("Missing today", [f"{name_of(name)} (for {', '.join(needs)})" for name, needs in lacking.items()])
    _show_days(watch)
    _list(
        "Clinicians' decisions",
        [
            f"{dated(d.first_day, watch.infused)}: {d.what}: {d.holds}, by {d.author} [{d.where_from}]"
            for d in watch.decisions
        ],
    )


def _show_days(watch: WardRound) -> None:
    """Print a line for every date; a narrow table leaves out what was gradable on none of them."""
    from vein2vein.ward.states import amounts, date_text

    shown = list(watch.findings)
    if console.is_narrow():
        shown = [n for n in shown if any(_short(d.states[n]) != "?" for d in watch.days)]
    dated = watch.infused is not None
    table = [
        (d.day, *([date_text(d.day, watch.infused)] if dated else []), *(_short(d.states[n]) for n in shown),
         amounts(d.given))
        for d in watch.days
    ]  # fmt: skip
    heads = ["day", *(["date"] if dated else []), *map(_head, shown), "given"]
    words = "Day by day (worst grade; ?: not gradable)"
    console.table(heads, table, title=words, right=(0,), whole=range(len(heads) - 1))
    if never := [_head(n) for n in watch.findings if n not in shown]:
        console.say(f"On no day gradable: {', '.join(never)}.")


def _short(state: Standing) -> str:
    return str(state.grade) if state.grade >= 0 else f">={state.at_least}" if state.at_least > 0 else "?"


def _head(name: str) -> str:
    return finding_words(name).short


def _list(heading: str, lines: Sequence[str]) -> None:
    if lines:
        console.say(heading, style="bold")
        for line in lines:
            console.say(f"  {line}")
        console.say("")


def _state(state: Standing) -> dict[str, object]:
    return {
        "finding": state.name,
        "grade": state.grade if state.grade >= 0 else None,
        "at_least": state.at_least,
        "state": str(state),
        "day": state.day,
        "edition": state.edition,
        "unverified": bool(state.unverified),
        "missing": state.missing,
        "flags": state.flags,
        "because": [_row(row) for row in state.because],
    }


def _episode(one: Episode) -> dict[str, object]:
    drugs = {"tocilizumab": one.tocilizumab, "steroid": one.steroid}
    return {
        "finding": one.finding, "number": one.number, "edition": one.edition, "onset": one.onset,
        "onset_at_latest": one.onset_at_latest, "peak": one.peak, "peak_at_least": one.peak_at_least,
        "peak_day": one.peak_day, "last_sign": one.last_sign, "resolved": one.resolved, "outcome": one.outcome,
        "days": one.days, "hours": one.hours,
        **{f"{name}_{part}": value for name, given in drugs.items() for part, value in vars(given).items()},
    }  # fmt: skip


def _row(row: Row) -> dict[str, object]:
    return {
        "day": row.day,
        "analyte": row.analyte,
        "value": row.value,
        "below": row.below_lloq,
        "above": row.above,
        "source": row.where_from,
    }


def events(watch: WardRound) -> Iterator[Event]:
    """What machines are told of one patient's round."""
    from vein2vein.clinic.criteria import reference
    from vein2vein.ward.monitor import missing_now
    from vein2vein.ward.ward_list import unread_of

    own = {"patient": watch.patient, "id": watch.label}
    yield _event(
        "today", **own, day=watch.today, age=watch.age, weight=watch.weight, product=watch.product, scale=watch.scale,
        infusions=watch.infusions, not_understood=unread_of(watch),
    )  # fmt: skip
    for text in watch.unknown:
        yield _event("unknown", **own, text=text)
    for state in (*watch.now, *watch.hematotoxicity):
        last = {
            "last_grade": None if state.last_grade < 0 else state.last_grade, "last_day": state.last_day,
            "since": state.since,
        }  # fmt: skip
        yield _event("finding", **own, **_state(state), **last)
    for one in watch.risk_scores:
        yield _event(
            "score",
            **own,
            score=one.name,
            title=one.title,
            low=one.low,
            high=one.high,
            verdict=one.verdict,
            state=str(one),
            first_day=one.first_day,
            last_day=one.last_day,
            points=dict(one.points),
            missing=one.missing,
            flags=one.flags,
            edition=one.edition,
            unverified=bool(one.unverified),
            because=[_row(row) for row in one.because],
        )
    for text in watch.changed:
        yield _event("changed", **own, text=text)
    yield _event("infection", **own, factors=watch.infection, unknown=watch.infection_unknown)
    for one, day in watch.consider:
        yield _event(
            "consider",
            **own,
            finding=one.finding,
            grade=one.grade,
            grade_day=day,
            text=one.text,
            treatment=one.treatment,
            dose=one.dose,
            unit=one.unit,
            every_hours=one.every_hours,
            mark=one.mark,
            source=reference(one.mark),
            unverified="M" in one.mark.split(","),
            blocked=one.blocked,
            conflict=one.conflict,
            notes=one.notes,
        )
    for d in watch.due:
        yield _event(
            "due",
            **own,
            what=d.what,
            group=d.group,
            when=d.when,
            until=d.until,
            overdue=bool(d.overdue),
            last=d.last,
            mark=d.mark,
            source=reference(d.mark),
        )
    for one in watch.episodes:
        yield _event("episode", **own, **_episode(one))
    for name, needs in missing_now(watch).items():
        yield _event("missing", **own, analyte=name, needed_for=needs)
    for d in watch.days:
        given = [{"day": r.day, "treatment": r.analyte, "amount": r.value, "source": r.where_from} for r in d.given]
        yield _event("day", **own, number=d.day, findings=[_state(s) for s in d.states.values()], given=given)
    for d in watch.decisions:
        yield _event("decision", **own, **{name: getattr(d, name) for name in d.__dataclass_fields__})


def _event(name: str, **fields: object) -> Event:
    return name, fields
