"""Cytokine release syndrome, graded from signs and supports by any scale whose table is in criteria/crs_*.toml.

An episode begins with fever, ends when fever, hypotension and hypoxia have all resolved, and a return of signs at
least 24 h later is a new one. ASTCT asks for fever at every grading, unless an antipyretic or an anti-cytokine
therapy was given after onset; the older scales ask for it at onset. A cell reads nothing of later days.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vein2vein import arguments
from vein2vein.clinic import words
from vein2vein.clinic.criteria import Level, edition, unverified
from vein2vein.clinic.grades.episodes import Episodes, episodes
from vein2vein.clinic.grades.facts import FACTS
from vein2vein.clinic.grades.grades import Columns, Flags, Grades, Whole, any_of, compare, latest, settle
from vein2vein.clinic.grades.held import Held, followed, held
from vein2vein.clinic.grades.infusions import day_zero
from vein2vein.clinic.grades.organs import ORGANS, organ_grades, organ_reads
from vein2vein.clinic.grades.past import Past
from vein2vein.clinic.grades.signs import (
    CIRCULATION,
    NEVER,
    NOT_CHARTED,
    OXYGEN,
    Signs,
    bedside_signs,
    read,
    severity,
    systolic_limit,
)
from vein2vein.errors import InputError, unknown
from vein2vein.therapy.course import Course, course_of

__all__ = ["FACTS", "bedside_signs", "episodes", "grade_crs", "systolic_limit"]
ALSO = ("pressor_refractory", "life_threatening", "death_cause")  # looked at when they are charted
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
SET_ASIDE: dict[str, Callable[[Signs], Flags]] = {
    "hypotension attributed to another cause": lambda signs: signs.circulation.set_aside,
    "hypoxia attributed to another cause": lambda signs: signs.breathing.set_aside,
    "oxygen as used at home before treatment: not counted": lambda signs: signs.breathing.at_home,
    "ventilated to protect the airway: not counted as hypoxia": lambda signs: signs.breathing.protects,
    "mean arterial pressure is low: supports hypotension": lambda signs: signs.circulation.low_mean,
}
GOES_ON = (
    "no fever now, and low pressure or oxygen has gone on since the fever: chart what may have taken it away "
    "(antipyretic, steroid, tocilizumab), or that nothing was given"
)
LATE = "late onset: the first fever came after day 14; look for another cause, infection first"
VERY_LATE = "late onset: the first fever came after day 30; another cause is likelier, look for it"
INFECTED = "other cause? an infection or a positive culture is charted within days of the first fever"
UNCONFIRMED = "hypotension or hypoxia is counted; no clinician has confirmed that the syndrome is its cause"


def grade_crs(
    course: Course, *, age: ArrayLike, weight: ArrayLike | None = None, scale: str = "astct", organs: bool = True,
    past: Past | None = None, together: bool = False,
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
    together : bool
        By the signs that held together only, for the worst of a day: ``Grades.passing``.

    Returns
    -------
    Grades
        Not gradable where temperature, circulation or oxygen are unknown and what is known does not settle it.
    """
    arguments.per_patient("age", age, course_of(course).shape[0], unit="years")
    arguments.flag("organs", organs)
    scale = words.scale_named(arguments.text("scale", scale))
    rules = edition(_edition_name(scale))
    levels = [level for level in rules.levels if organs or level.column not in ("organ", "coagulation")]
    stands = Held(course) if past else held(course, severity(age, rules), ALSO, together=together)
    course, looked = stands.course, stands.looked
    signs = bedside_signs(course, age, rules, past or Past(course, looked), stands)
    of = episodes(signs, rules)
    unread = signs.past.latest("unread temperature", course.marked(course.unread, "temperature")) >= 0
    hidden = {"temperature": of.perhaps_recurrent.get("temperature", NEVER) | (unread & of.perhaps)}
    signs = replace(signs, recurrent=of.recurrent, perhaps_recurrent={**of.perhaps_recurrent, **hidden})
    table = _table(course, signs, levels)
    lower, upper, columns, doubts = table.lower, table.upper, table.columns, table.doubts

    # Where fever is asked for throughout (ASTCT), an afebrile cell of an episode counts only if something that takes
    # fever away was given after onset; where it is asked for at onset, any sign of the episode counts.
    throughout = rules.choices["fever"] == "throughout"
    enters = of.established & (signs.fever | of.waived if throughout else of.sick)
    perhaps = of.perhaps & (signs.fever | of.perhaps_waived if throughout else ~of.quiet) & ~enters
    doubtful = signs.no_temperature & ~(of.waived if throughout else of.perhaps)
    # Where nothing is charted that takes fever away, a chart may lack it: signs that go on since are not settled.
    goes_on = _goes_on(signs, of, rules.lists["waives_fever"]) & ~enters if throughout else NEVER
    # A fever of another cause hides whether the syndrome would have had one: the cell is not gradable, not grade 0.
    blocked = signs.other_cause & ~enters
    lower, upper = lower * enters, upper * (enters | perhaps | doubtful | goes_on)
    upper = np.maximum(upper, (lower + np.int8(1)) * (doubtful | blocked))
    if looked is not None:
        lower, upper = lower * looked, np.where(looked, upper, np.int8(rules.top)).astype(np.int8)
    died, open_ = _death(course, of.perhaps & ~of.quiet)
    worst = np.int8(edition("death").values["grade"])
    columns["death"], doubts["death_cause"] = died * worst, open_
    lower, upper = np.maximum(lower, columns["death"]), np.maximum(upper, (died | open_) * worst)

    grade = settle(lower, upper)
    doubts["antipyretic"] = goes_on
    missing = _missing(grade < 0, doubts, of, perhaps, doubtful, {**signs.running, **table.open})
    in_need = signs.circulation.hypotension | signs.breathing.oxygen
    sick = in_need & ~enters & ~signs.no_temperature & ~goes_on
    flags = {
        text: cells
        for text, cells in ((NOT_CRS, sick), (GOES_ON, goes_on), (OTHER_CAUSE, signs.other_cause))
        if cells.any()
    }
    for text, of_signs in SET_ASIDE.items():
        if (cells := of_signs(signs)).any():
            flags[text] = np.broadcast_to(cells, signs.shape)
    if course.origin == "measured" and (counted := in_need & enters).any():
        flags[UNCONFIRMED] = counted & ~_confirmed(course)
    flags |= _doubtful_onset(signs, of, enters | (perhaps & signs.fever))
    # A grade without fever leans on the fever at onset, and on what was given for it: shown among its reasons.
    afebrile = enters & ~signs.fever
    anchors: dict[tuple[str, ...], Columns] = {("temperature",): np.where(afebrile, of.onset, -1)}
    if throughout:
        anchors[rules.lists["waives_fever"]] = np.where(afebrile, of.given, -1)
    shown = {name: earned * (enters | died) for name, earned in columns.items()}
    reads = {name: READS[name] for name in columns}
    return Grades(
        f"crs_{scale}", rules.name, course.days, grade, lower, missing, shown, reads, flags, anchors,
        unverified(rules.name), stands.source, looked, stands.passing,
        None if looked is None else (grade < 0) & (lower == 0) & in_need & looked & ~followed(course, looked),
    )  # fmt: skip


def _goes_on(signs: Signs, of: Episodes, waives: Iterable[str]) -> Flags:
    """Afebrile cells of an episode whose low pressure or oxygen has gone on since its fever, without a quiet cell.

    Only of a chart: what a simulation gave is known. A chart that says that none was given (0) settles it.
    """
    past = signs.past
    if past.looked is None:
        return NEVER
    denied = any_of(read(past.course, name) == 0 for name in waives)
    fever, quiet = past.latest("last fever", signs.fever), past.latest("last quiet", of.quiet)
    said = past.latest("nothing given", np.broadcast_to(denied, signs.shape))
    return of.established & of.sick & ~signs.fever & ~signs.other_cause & (fever > quiet) & (said < fever)


def _doubtful_onset(signs: Signs, of: Episodes, counted: Flags) -> dict[str, Flags]:
    """Cells of an episode whose first fever asks for another cause: late, or with an infection."""
    v, course = signs.limits, signs.past.course
    if course.origin == "simulated" or not counted.any():
        return {}
    onset = np.maximum(of.onset, 0)
    zero, clock = day_zero(course), course.clock if course.clock.size else np.zeros(course.shape[0])
    began = course.days[onset]
    zero = np.take_along_axis(np.broadcast_to(zero, course.shape), onset, axis=1)
    first = np.floor(np.round(began + clock[:, None], decimals=6)) - np.floor(
        np.round(zero + clock[:, None], decimals=6)
    )
    sick = course.positive("infection") if "infection" in course else NEVER
    seen = latest(np.broadcast_to(sick, course.shape))
    infected = (seen >= 0) & (course.days[np.maximum(seen, 0)] >= began - v["cause_within"])
    there = counted & (of.onset >= 0)
    unseen = NEVER if signs.past.looked is None else ~signs.past.looked
    found = {
        LATE: there & (first > v["late_onset"]) & (first <= v["very_late_onset"]),
        VERY_LATE: there & (first > v["very_late_onset"]),
        INFECTED: (there | (of.established & (of.onset >= 0) & unseen)) & infected,  # a culture stands by itself
    }
    return {text: cells for text, cells in found.items() if cells.any()}


def _missing(
    unsettled: Flags,
    doubts: dict[str, Flags],
    of: Episodes,
    perhaps: Flags,
    doubtful: Flags,
    running: Mapping[str, Flags],
) -> dict[str, Flags]:
    """By analyte, the cells that are not gradable for want of it."""
    if not unsettled.any():
        return {}
    told = dict(doubts)
    for name, unsure in of.unsure.items():
        told[name] = told.get(name, NEVER) | (perhaps & unsure)
    told["temperature"] = told["temperature"] | doubtful
    for name, maybe in running.items():
        told[name] = told.get(name, NEVER) | maybe
    return {name: found for name, cells in told.items() if (found := unsettled & cells).any()}


def _death(course: Course, ongoing: Flags) -> tuple[Flags, Flags]:
    """Cells of a death that was attributed to the syndrome, and of one during it that was attributed to nothing."""
    cause = course.values.get("death_cause", NOT_CHARTED)
    died = np.broadcast_to(cause == edition("death").values["crs"], course.shape)
    unread = any_of(course.unread[name] for name in READS["death"] if name in course.unread)
    return died, ((course.values.get("alive", NOT_CHARTED) == 0) & np.isnan(cause) & ongoing) | unread


def _confirmed(course: Course) -> Flags:
    """Cells where a clinician wrote that hypotension or hypoxia has no other cause."""
    return (course.dense("hypotension_other_cause") == 0) | (course.dense("hypoxia_other_cause") == 0)


def _edition_name(scale: str) -> str:
    if scale.startswith("crs_"):
        return scale
    known = words.crs_scales()
    if scale not in known:
        raise InputError(unknown("scale of cytokine release syndrome", scale, known))
    return known[scale].edition


@dataclass(frozen=True)
class _Table:
    """What the table of a scale gives at every cell, before any episode is asked for.

    Attributes
    ----------
    lower, upper : ndarray of int8, shape (n, k)
        Lowest and highest grade that the columns allow.
    columns : dict of str to ndarray of int8, shape (n, k)
    doubts : dict of analyte to ndarray of bool
    open : mapping of analyte to ndarray of bool
        As ``Fact.open``.
    """

    lower: Whole
    upper: Whole
    columns: dict[str, Whole]
    doubts: dict[str, Flags]
    open: Mapping[str, Flags]


def _table(course: Course, signs: Signs, levels: list[Level]) -> _Table:
    lower, upper = np.zeros(signs.shape, dtype=np.int8), np.zeros(signs.shape, dtype=np.int8)
    columns: dict[str, Whole] = {}
    doubts: dict[str, Flags] = {}
    open_: dict[str, Flags] = {}
    organs: dict[str, tuple[NDArray[np.int8], ...]] = {}
    for level in levels:
        earned = columns.setdefault(level.column, np.zeros(signs.shape, dtype=np.int8))
        grade = np.int8(level.grade)
        if level.when:
            fact, lacking = FACTS[level.when]
            holds, doubt, more = fact(signs)
            for name, cells in more.items():
                open_[name] = open_.get(name, signs.running.get(name, NEVER)) | cells
            if doubt.any():
                np.maximum(upper, doubt * grade, out=upper)
                if lacking:
                    doubts[lacking] = doubts.get(lacking, NEVER) | _named(signs, lacking, doubt)
        elif level.reads in ORGANS:
            if level.reads not in organs:
                organs[level.reads] = organ_grades(signs.past, ORGANS[level.reads])
            now, lately = organs[level.reads]
            holds = compare(now, level)
            for name, cells in _unread_lately(course, ORGANS[level.reads]).items():
                np.maximum(upper, (cells & ~holds) * grade, out=upper)
                doubts[name] = doubts.get(name, NEVER) | (cells & ~holds)
            if (doubt := compare(lately, level) & ~holds).any():
                np.maximum(upper, doubt * grade, out=upper)
                for name in organ_reads(edition("ctcae_v5_organs").column(ORGANS[level.reads])):
                    doubts[name] = doubts.get(name, NEVER) | (doubt & np.isnan(course.dense(name)))
        else:
            holds = compare(course.dense(level.reads), level)
        if holds.any():
            np.maximum(earned, holds * grade, out=earned)
    for earned in columns.values():
        np.maximum(lower, earned, out=lower)
    return _Table(lower, np.maximum(lower, upper), columns, doubts, open_)


def _unread_lately(course: Course, organ: str) -> dict[str, Flags]:
    """By laboratory value of an organ, the cells whose last one was charted and not understood."""
    rules, days = edition("ctcae_v5_organs"), course.days
    found: dict[str, Flags] = {}
    for name in organ_reads(rules.column(organ)):
        if name in course.unread:
            unread = latest(course.unread[name])
            newer = (unread >= 0) & (unread > latest(np.isfinite(course.dense(name))))
            found[name] = newer & (days[None, :] - days[np.maximum(unread, 0)] <= rules.values["carry"])
    return found


def _named(signs: Signs, lacking: str, doubt: Flags) -> Flags:
    """Cells where the analyte itself is missing; a support that may still run is named by its own name."""
    circulation, breathing = signs.circulation, signs.breathing
    if lacking == "systolic_bp":
        return doubt & (circulation.uncharted | circulation.no_pressure) & ~circulation.no_age
    if lacking in DETAILS:
        return doubt & ~breathing.uncharted & ~breathing.maybe_oxygen
    return doubt & ~breathing.maybe_oxygen & ~breathing.maybe_assisted if lacking == "oxygen_device" else doubt
