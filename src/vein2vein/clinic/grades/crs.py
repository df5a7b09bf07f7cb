"""Cytokine release syndrome, graded from signs and supports by any scale whose table is in criteria/crs_*.toml.

An episode begins with fever, ends when fever, hypotension and hypoxia have all resolved, and a return of signs at
least 24 h later is a new one. ASTCT asks for fever at every grading, unless an antipyretic or an anti-cytokine
therapy was given after onset; the older scales ask for it at onset. A cell reads nothing of later days.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from vein2vein.clinic import words
from vein2vein.clinic.criteria import Edition, Level, edition, unverified
from vein2vein.clinic.grades.grades import Flags, Grades, compare, settle
from vein2vein.clinic.grades.organs import ORGANS, organ_grades, organ_reads
from vein2vein.clinic.grades.past import Past
from vein2vein.clinic.grades.signs import CIRCULATION, FACTS, OXYGEN, bedside_signs, systolic_limit
from vein2vein.errors import InputError, unknown
from vein2vein.therapy.course import Course

__all__ = ["FACTS", "bedside_signs", "episodes", "grade_crs", "systolic_limit"]
DETAILS = ("oxygen_flow", "fio2")  # named as missing only where oxygen is given
READS = {
    "fever": ("temperature",),
    "hypotension": CIRCULATION,
    "hypoxia": OXYGEN,
    "organ": ("creatinine", "ast", "alt", "bilirubin", "dialysis", "organ_toxicity"),
    "coagulation": ("clotting_support",),
    "judged": ("life_threatening",),
    "course": (*CIRCULATION, *OXYGEN),
    "death": ("alive", "death_cause"),
}
NOT_CRS = "hypotension or hypoxia without fever: not cytokine release syndrome by definition"
OTHER_CAUSE = "fever attributed to another cause"
SET_ASIDE = {
    "hypotension_aside": "hypotension attributed to another cause",
    "hypoxia_aside": "hypoxia attributed to another cause",
    "at_home": "oxygen as used at home before treatment: not counted",
    "protects": "ventilated to protect the airway: not counted as hypoxia",
    "low_mean": "mean arterial pressure is low: supports hypotension",
}
UNCONFIRMED = "hypotension or hypoxia is counted; no clinician has confirmed that the syndrome is its cause"


def grade_crs(
    course: Course, *, age: ArrayLike, weight: ArrayLike | None = None, scale: str = "astct", organs: bool = True,
    past: Past | None = None,
) -> Grades:  # fmt: skip
    """Grade cytokine release syndrome at every cell of a course.

    Parameters
    ----------
    course : Course
        n patients, k days; may end at any day: a cell reads nothing of later days.
    age : array_like, shape (n,)
        Years; for the limit of the systolic pressure.
    weight : array_like, shape (n,), optional
        kg; for scales with vasopressor limits per kg (none of the present ones).
    scale : str
        A name of ``clinic.words.crs_scales``, such as ``astct``, or of an edition ``crs_*``.
    organs : bool
        Whether organ toxicity counts where the scale knows it.
    past : Past, optional
        Of a course that grows, of which ``course`` is the newest column.

    Returns
    -------
    Grades
        Not gradable where temperature, circulation or oxygen are unknown and what is known does not settle it.
    """
    scale = words.scale_named(scale)
    rules = edition(_edition_name(scale))
    levels = [level for level in rules.levels if organs or level.column not in ("organ", "coagulation")]
    signs = bedside_signs(course, age, rules, past)
    cells = episodes(signs, rules)
    signs.recurrent = cells.recurrent
    lower, upper, columns, doubts = _columns(course, signs, levels)

    throughout = rules.choices["fever"] == "throughout"
    enters = cells.established & (signs.fever | cells.waived if throughout else cells.sick)
    perhaps = cells.perhaps & (signs.fever | cells.perhaps_waived if throughout else ~cells.quiet) & ~enters
    doubtful = signs.no_temperature & ~(cells.waived if throughout else cells.perhaps)
    blocked = signs.other_cause & ~enters
    lower, upper = lower * enters, upper * (enters | perhaps | doubtful)
    upper = np.maximum(upper, (lower + np.int8(1)) * (doubtful | blocked))
    died, open_ = _death(course, cells.perhaps & ~cells.quiet)
    worst = np.int8(edition("death").values["grade"])
    columns["death"], doubts["death_cause"] = died * worst, open_
    lower, upper = np.maximum(lower, columns["death"]), np.maximum(upper, (died | open_) * worst)

    grade = settle(lower, upper)
    unsettled = grade < 0
    missing = {}
    if unsettled.any():
        for name, unsure in cells.unsure.items():
            doubts[name] = doubts.get(name, False) | (perhaps & unsure)
        doubts["temperature"] = doubts["temperature"] | doubtful
        for name, maybe in signs.running.items():
            doubts[name] = doubts.get(name, False) | maybe
        missing = {name: found for name, cells_ in doubts.items() if (found := unsettled & cells_).any()}
    sick = (signs.hypotension | signs.oxygen) & ~enters & ~signs.no_temperature
    flags = {text: found for text, found in ((NOT_CRS, sick), (OTHER_CAUSE, signs.other_cause)) if np.any(found)}
    for name, text in SET_ASIDE.items():
        if np.any(found := getattr(signs, name, False)):
            flags[text] = np.broadcast_to(found, signs.shape)
    if course.origin == "measured" and np.any(counted := (signs.hypotension | signs.oxygen) & enters):
        flags[UNCONFIRMED] = counted & ~_confirmed(course)
    afebrile = enters & ~signs.fever
    anchors: dict[tuple[str, ...], Any] = {("temperature",): np.where(afebrile, cells.onset, -1)}
    if throughout:
        anchors[rules.lists["waives_fever"]] = np.where(afebrile, cells.given, -1)
    shown = {name: earned * (enters | died) for name, earned in columns.items()}
    reads = {name: READS[name] for name in columns}
    return Grades(
        f"crs_{scale}", rules.name, course.days, grade, lower, missing, shown, reads, flags, anchors,
        unverified(rules.name),
    )  # fmt: skip


def _death(course: Course, ongoing: Flags) -> tuple[Any, Any]:
    """Cells of a death that was attributed to the syndrome, and of one during it that was attributed to nothing."""
    cause = course.values.get("death_cause", np.float64(np.nan))
    died = np.broadcast_to(cause == edition("death").values["crs"], course.shape)
    return died, (course.values.get("alive", np.float64(np.nan)) == 0) & np.isnan(cause) & ongoing


def _confirmed(course: Course) -> Any:
    """Cells where a clinician wrote that hypotension or hypoxia has no other cause."""
    return (course.dense("hypotension_other_cause") == 0) | (course.dense("hypoxia_other_cause") == 0)


def _edition_name(scale: str) -> str:
    if scale.startswith("crs_"):
        return scale
    known = words.crs_scales()
    if scale not in known:
        raise InputError(unknown("scale of cytokine release syndrome", scale, known))
    return known[scale].edition


def episodes(signs: SimpleNamespace, rules: Edition) -> SimpleNamespace:
    """Which cells belong to an episode that began with fever, and where its fever is waived.

    What is unknown may have been quiet, or not: an episode is ``established`` only if it goes on without the unknown,
    ``perhaps`` if it could. Where nothing was charted for ``episode_lapse`` days, no episode goes on.

    Returns
    -------
    SimpleNamespace
        established, perhaps, waived, perhaps_waived, sick, quiet : ndarray of bool, shape (n, k)
        onset, given : ndarray of int, shape (n, k)
            Column of the first fever of the episode and of the last therapy that waives fever; -1: none.
        unsure : mapping of analyte to ndarray of bool, shape (n, k)
            What was unknown at the last cell, up to each one, that may have been quiet.
        recurrent : ndarray of bool, shape (n, k)
            An episode after an earlier one.
    """
    v, past = rules.values, signs.past
    sick = signs.fever | signs.hypotension | signs.oxygen
    doubts = {
        "temperature": signs.no_temperature,
        "systolic_bp": signs.no_pressure | signs.maybe_pressor,
        "oxygen_device": signs.no_oxygen_data | signs.maybe_oxygen | signs.maybe_assisted,
    }
    unsure = np.logical_or.reduce(list(doubts.values())) & ~sick
    quiet = ~sick & ~unsure
    days, known = signs.course.days, past.course.days
    looked = ~(signs.no_temperature & signs.no_circulation & signs.no_oxygen_data)
    seen = past.before("looked", looked)
    long_ago = (seen >= 0) & (days[None, :] - known[np.maximum(seen, 0)] > v["episode_lapse"]) if days.size else sick
    lapsed = past.latest("lapsed", long_ago)
    fever = signs.fever & ((days >= v["earliest_onset"]) & (days <= v["latest_onset"]))[None, :]
    given, recurs = past.given(rules.lists["waives_fever"]), any(level.when == "recurrent" for level in rules.levels)
    perhaps, first = _episode(signs, v, sick, quiet, fever, lapsed, "perhaps")
    surely, onset = _episode(signs, v, sick, ~sick, fever, lapsed, "surely")
    return SimpleNamespace(
        recurrent=_recurrent(signs, v, sick, quiet, fever, lapsed) if recurs else np.False_,
        established=surely,
        perhaps=perhaps,
        sick=sick,
        quiet=quiet,
        waived=surely & (given >= onset),
        perhaps_waived=perhaps & (given >= first),
        onset=np.where(surely, onset, -1),
        given=given,
        unsure={name: past.carry(f"no {name}", unsure, cells, 0) > 0 for name, cells in doubts.items()},
    )


def _recurrent(
    signs: SimpleNamespace, v: Mapping[str, float], sick: Flags, quiet: Flags, fever: Flags, lapsed: Any
) -> Flags:
    """Cells of an episode after an earlier one, where the readings between chart every sign and support as absent."""
    for name in (*CIRCULATION, *OXYGEN):
        if name in signs.course:
            quiet = quiet & np.isfinite(signs.course.values[name])
    within, first = _episode(signs, v, sick, quiet, fever, lapsed, "recurrent")
    onset = np.where(within, first, np.iinfo(np.int32).max)
    return within & (onset > signs.past.lowest("onset", onset))


def _episode(
    signs: SimpleNamespace, v: Mapping[str, float], sick: Flags, quiet: Flags, fever: Flags, lapsed: Any, how: str
) -> tuple[Flags, Any]:
    """Cells of an episode that began with fever, and the column of this fever; it ends where ``quiet`` holds."""
    past, days, known = signs.past, signs.course.days, signs.past.course.days
    sick_before, quiet_before = past.before(f"{how} sick", sick), past.before(f"{how} quiet", quiet)
    resolved = past.before(f"{how} resolved", quiet & (sick_before > quiet_before))
    rest = days[None, :] - np.where(resolved >= 0, known[np.maximum(resolved, 0)], np.inf) if days.size else resolved
    anew = (quiet_before > sick_before) & (rest >= v["episode_gap"])
    start = past.latest(f"{how} start", sick & ((sick_before < 0) | anew | (lapsed > sick_before)))
    first = past.latest(f"{how} first", fever & (past.before(f"{how} fever", fever) < start))
    return (first >= start) & (start >= 0) & (lapsed <= start), first


def _columns(
    course: Course, signs: SimpleNamespace, levels: list[Level]
) -> tuple[Any, Any, dict[str, Any], dict[str, Any]]:
    """Lowest and highest grade that the columns allow, each column's grade, and the doubts by analyte."""
    lower, upper = np.zeros(signs.shape, dtype=np.int8), np.zeros(signs.shape, dtype=np.int8)
    columns: dict[str, Any] = {}
    doubts: dict[str, Any] = {}
    derived: dict[str, Any] = {}
    for level in levels:
        earned = columns.setdefault(level.column, np.zeros(signs.shape, dtype=np.int8))
        grade = np.int8(level.grade)
        if level.when:
            fact, lacking = FACTS[level.when]
            holds, doubt = fact(signs)
            if np.any(doubt):
                np.maximum(upper, doubt * grade, out=upper)
                named = _named(signs, lacking, doubt)
                doubts[lacking] = doubts.get(lacking, False) | named
        else:
            if level.reads in ORGANS and level.reads not in derived:
                derived[level.reads] = organ_grades(signs.past, ORGANS[level.reads])
            now, lately = derived.get(level.reads) or (course.dense(level.reads),) * 2
            holds = compare(now, level)
            if level.reads in ORGANS and np.any(doubt := compare(lately, level) & ~holds):
                np.maximum(upper, doubt * grade, out=upper)
                for name in organ_reads(edition("ctcae_v5_organs").column(ORGANS[level.reads])):
                    doubts[name] = doubts.get(name, False) | (doubt & np.isnan(course.dense(name)))
        if np.any(holds):
            np.maximum(earned, holds * grade, out=earned)
    for earned in columns.values():
        np.maximum(lower, earned, out=lower)
    return lower, np.maximum(lower, upper), columns, doubts


def _named(signs: SimpleNamespace, lacking: str, doubt: Any) -> Any:
    """Cells where the analyte itself is missing; a support that may still run is named by its own name."""
    if lacking == "systolic_bp":
        return doubt & (signs.no_circulation | signs.no_pressure) & ~signs.no_age
    if lacking in DETAILS:
        return doubt & ~signs.no_oxygen_data & ~signs.maybe_oxygen
    return doubt & ~signs.maybe_oxygen & ~signs.maybe_assisted if lacking == "oxygen_device" else doubt
