"""The form of a ward round: what is asked, and the rows of a record that the answers become.

Everything that is asked stands in ``round.toml``. Nothing is graded here and nothing is converted: a row holds what was
typed, and the readers of records say what is wrong with it.
"""

from __future__ import annotations

import csv
import io
import math
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path
from typing import NamedTuple

from vein2vein.analytes import analyte
from vein2vein.clinic.criteria import edition
from vein2vein.clinic.words import crs_scales, finding_words
from vein2vein.errors import InputError, unknown
from vein2vein.io.record import names, times
from vein2vein.io.record.write import safe_cell

COLUMNS = ("patient", "time", "analyte", "value", "unit", "author", "comment", "until")
INFUSION = "car_t_infusion"
GIVEN = "given"  # an infusion in an amount that is not known
DAY = "D{:+g}"  # a time in days since the infusion, as records write it
TOP_GRADE = 5
FACTS = (("age", "years"), ("weight", "kg"), ("height", "cm"), ("sex", ""), ("disease", ""), ("product", ""))
UNIT, UNABLE = "unit", "unable"


class Choice(NamedTuple):
    """An answer: as the record says it, and as the form shows it."""

    value: str
    shown: str


@dataclass(frozen=True)
class Question:
    """Something that is asked: an analyte with its units or its choices, or words; ``record``: its name in a record."""

    name: str
    record: str
    title: str
    units: tuple[str, ...] = ()
    choices: tuple[Choice, ...] = ()
    hint: str = ""


@dataclass(frozen=True)
class Group:
    """Questions that stand together."""

    name: str
    title: str
    questions: tuple[Question, ...]


class Item(NamedTuple):
    """A question of a score, with the points of each answer."""

    name: str
    title: str
    answers: Mapping[str, int]


@dataclass(frozen=True)
class Score:
    """A score that is asked question by question."""

    name: str
    title: str
    who: str
    mark: str
    items: tuple[Item, ...]
    unable: tuple[Choice, ...]


class Row(NamedTuple):
    """A row of the record, and the field of the form that it comes from."""

    field: str
    time: str
    analyte: str
    value: str
    unit: str = ""
    author: str = ""
    comment: str = ""
    until: str = ""


@dataclass(frozen=True)
class RoundForm:
    """All that is asked on a round."""

    groups: tuple[Group, ...]
    scores: Mapping[str, Score]


@cache
def round_form() -> RoundForm:
    """What is asked on a round."""
    held = tomllib.loads(Path(__file__).with_name("round.toml").read_text(encoding="utf-8"))
    groups = tuple(
        Group(
            group["name"],
            group["title"],
            tuple(
                Question(
                    *_named(one), one["title"], tuple(one.get("units", ())),
                    tuple(Choice(*choice) for choice in one.get("choices", ())), one.get("hint", ""),
                )
                for one in group["questions"]
            ),
        )
        for group in held["groups"]
    )  # fmt: skip
    scores = {
        name: Score(
            name, one["title"], one["who"], one["mark"],
            tuple(Item(item["name"], item["title"], dict(item["answers"])) for item in one["questions"]),
            tuple(Choice(*choice) for choice in one["unable"]),
        )
        for name, one in held["scores"].items()
    }  # fmt: skip
    return RoundForm(groups, scores)


def _named(one: Mapping[str, str]) -> tuple[str, str]:
    """The field of a question, and what a record calls it."""
    known = analyte(one["analyte"]).name if "analyte" in one else ""
    return known or one["record"].replace(" ", "_"), known or one["record"]


def usual_score(age: float) -> str:
    """Which score is asked at an age (years); "" where the age is not known."""
    if not math.isfinite(age):
        return ""
    return "ice" if age >= edition("icans_astct_2019").values["ice_from_age"] else "capd"


def score_of(name: str, answers: Mapping[str, str]) -> int:
    """The sum of a score from its answers.

    Parameters
    ----------
    name : str
        ``ice`` or ``capd``.
    answers : mapping of str to str
        By the name of the question, in the words of the form.

    Raises
    ------
    InputError
        A question without an answer: a sum of a part would be a worse score, or a better one.
    """
    score = round_form().scores[name]
    for item in score.items:
        given = answers.get(item.name, "")
        if given not in item.answers:
            what = f"found '{given}' for" if given else "no answer to"
            raise InputError(
                f"{score.title.partition(',')[0]}: {what} '{item.title}', expected {' or '.join(item.answers)}; answer "
                "every question, or say that it could not be assessed.",
                field=f"{name}.{item.name}",
            )
    return sum(item.answers[answers[item.name]] for item in score.items)


def round_rows(typed: Mapping[str, str], time: str, author: str = "") -> list[Row]:
    """What was typed on a round, as rows of a record.

    Parameters
    ----------
    typed : mapping of str to str
        By the name of the analyte; ``NAME.unit`` its unit; ``ice.year`` a question of a score, ``ice.unable`` why it
        could not be asked.
    time : str
        Of the round, as records write it.
    author : str

    Raises
    ------
    InputError
        A choice or a unit that is not of the form, a score that was answered in part, or nothing at all.
    """
    rows = [
        Row(one.name, time, one.record, value, _unit(one, typed), author)
        for group in round_form().groups
        for one in group.questions
        if (value := _answer(one, typed.get(one.name, "").strip()))
    ]
    for name, score in round_form().scores.items():
        rows += _score_rows(score, {item.name: typed.get(f"{name}.{item.name}", "").strip() for item in score.items},
                            typed.get(f"{name}.{UNABLE}", "").strip(), time, author)  # fmt: skip
    if not rows:
        raise InputError("nothing was filled in; fill in what was charted on this round.")
    return rows


def _answer(one: Question, value: str) -> str:
    if value and one.choices and value not in {choice.value for choice in one.choices}:
        raise InputError(unknown(one.title.lower(), value, [choice.value for choice in one.choices]), field=one.name)
    return value


def _unit(one: Question, typed: Mapping[str, str]) -> str:
    if not one.units:
        return ""
    unit = typed.get(f"{one.name}.{UNIT}", "").strip() or one.units[0]
    if unit not in one.units:
        raise InputError(unknown(f"unit of {one.title.lower()}", unit, one.units), field=one.name)
    return unit


def _score_rows(score: Score, answers: Mapping[str, str], unable: str, time: str, author: str) -> list[Row]:
    if unable:
        if any(answers.values()):
            raise InputError(
                f"{score.title.partition(',')[0]}: questions are answered, and it is said that it could not be "
                "assessed; take one of them back.",
                field=f"{score.name}.{UNABLE}",
            )
        if unable not in {choice.value for choice in score.unable}:
            raise InputError(
                unknown("reason", unable, [choice.value for choice in score.unable]), field=f"{score.name}.{UNABLE}"
            )
        return [Row(f"{score.name}.{UNABLE}", time, score.name, unable, "", author)]
    if not any(answers.values()):
        return []
    told = "; ".join(f"{item.title}: {answers[item.name]}" for item in score.items if answers[item.name])
    return [Row(score.items[0].name, time, score.name, str(score_of(score.name, answers)), "", author, told)]


def patient_rows(typed: Mapping[str, str]) -> list[Row]:
    """Who it is and when the cells were given, as rows of a record: ``infused``, ``cells``, ``age`` and the like.

    Raises
    ------
    InputError
        The time of the infusion is missing: days are counted from it.
    """
    infused = typed.get("infused", "").strip()
    if not infused:
        raise InputError("when were the CAR-T cells infused? Days are counted from it.", field="infused")
    cells = typed.get("cells", "").strip()
    rows = [Row("infused", infused, INFUSION, cells or GIVEN, "cells" if cells else "")]
    rows += [Row(name, "", name, value, unit) for name, unit in FACTS if (value := typed.get(name, "").strip())]
    return rows


def signs_to_attribute() -> tuple[str, ...]:
    """What a clinician may attribute to another cause."""
    return tuple(names.vocabulary().attributions)


def findings_to_override() -> dict[str, str]:
    """Findings whose grade a clinician may set, with their titles."""
    own = ("icans", "iec_hs", "neutropenia", "thrombocytopenia", "anemia")
    listed = (*(scale.name for scale in crs_scales().values() if scale.shown), *own)
    return {name: finding_words(name).ward for name in listed}


def grades_to_set() -> tuple[str, ...]:
    """Grades that a clinician may set."""
    return tuple(map(str, range(TOP_GRADE + 1)))


def decision_row(typed: Mapping[str, str], time: str) -> Row:
    """A clinician's decision as a row of a record: who, when, what, why.

    Parameters
    ----------
    typed : mapping of str to str
        ``sign`` (to be attributed to another cause), or ``finding`` and ``grade``; ``reason``; ``author``; ``until``,
        optional.
    time : str
        From when on it holds.

    Raises
    ------
    InputError
        Nobody signs it, no cause or reason is given, or it is not said what is decided.
    """
    author, reason, until = (typed.get(name, "").strip() for name in ("author", "reason", "until"))
    sign, finding, grade = (typed.get(name, "").strip() for name in ("sign", "finding", "grade"))
    if not author:
        raise InputError("who decides? A decision stands in the record with its author.", field="author")
    if not time:
        raise InputError("from when on does it hold? Give the time.", field="time")
    if bool(sign) == bool(finding):
        raise InputError(
            "choose a sign to attribute to another cause, or a finding whose grade you set; one of them.", field="sign"
        )
    if not reason:
        raise InputError("why? Give the other cause, or the reason for the grade.", field="reason")
    if sign:
        if sign not in (*signs_to_attribute(), *findings_to_override()):
            raise InputError(unknown("sign", sign, signs_to_attribute()), field="sign")
        return Row("sign", time, names.ATTRIBUTION, sign, "", author, reason, until)
    if finding not in findings_to_override():
        raise InputError(unknown("finding", finding, findings_to_override()), field="finding")
    if grade not in grades_to_set():
        raise InputError(f"found '{grade}', expected a grade from 0 to {TOP_GRADE}.", field="grade")
    return Row("finding", time, names.OVERRIDE, f"{finding} = {grade}", "", author, reason, until)


def day_text(day: str) -> str:
    """A day since the infusion, as records write a time.

    Raises
    ------
    InputError
        It is no number.
    """
    try:
        return DAY.format(float(day.replace(",", ".")))
    except ValueError:
        raise InputError(f"found '{day}', expected a day since the infusion such as 4 or 4.5.", field="time") from None


def check_after_infusion(time: str, infused: date | None, *, meant: bool) -> None:
    """Refuse a time before the infusion that nobody said was meant: most often a wrong year or month was typed.

    Parameters
    ----------
    time : str
        As a row of the record has it; one that is no time is left to the reader.
    infused : date, datetime or None
    meant : bool

    Raises
    ------
    InputError
        How far before the infusion it is, and how to say that it is meant.
    """
    try:
        since = times.relative_day(time)
        day = (
            since if since is not None or infused is None else times.days_since(times.parse_moment(time), infused, None)
        )
    except times.NotATime:
        return
    if meant or day is None or day >= 0:
        return
    when = f" ({infused:%Y-%m-%d})" if infused is not None else ""
    raise InputError(
        f"found '{time}', day {day:.4g} and so before the infusion{when}; correct it, or tick that it is meant.",
        field="time",
    )


def rows_text(rows: Iterable[Row], patient: str, *, header: bool) -> str:
    """Rows as lines of a CSV file; no cell is a formula of a spreadsheet."""
    stream = io.StringIO()
    out = csv.writer(stream, lineterminator="\n")
    if header:
        out.writerow(COLUMNS)
    for one in rows:
        cells = (patient, one.time, one.analyte, one.value, one.unit, one.author, one.comment, one.until)
        out.writerow([safe_cell(" ".join(cell.split())) for cell in cells])
    return stream.getvalue()
