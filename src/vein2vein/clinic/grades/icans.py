"""Neurotoxicity: ASTCT ICANS by ICE (from 12 years) or CAPD (younger), and the wider event of early trials."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vein2vein import arguments
from vein2vein.clinic.criteria import edition, unverified
from vein2vein.clinic.grades.grades import Flags, Grades, Whole, any_of, carried, ladder, settle
from vein2vein.clinic.grades.held import Held, by_levels, held, in_doubt, there_or_not
from vein2vein.clinic.grades.past import Past
from vein2vein.therapy.course import Course, course_of

READS = {
    "score": ("ice", "capd"),
    "arousal": ("arousal",),
    "seizure": ("seizure",),
    "motor": ("motor_weakness",),
    "edema": ("cerebral_edema",),
    "pressure": ("raised_pressure", "papilledema"),
    "death": ("death_cause", "alive"),
}
SIGNS = (
    "ice", "capd", "arousal", "sedated", "seizure", "motor_weakness", "cerebral_edema", "raised_pressure", "papilledema"
)  # fmt: skip
EXAMINED = ("ice", "capd", "arousal")  # not under sedation
SEDATED = "sedated: score and arousal carried from the last reading without sedation"
HEMORRHAGE = "intracranial hemorrhage: edema is not counted"
HEADACHE = "headache_or_tremor"
OTHER_CAUSE = {
    "neurologic_other_cause": ("score and arousal attributed to another cause", ("score", "arousal")),
    "seizure_other_cause": ("seizure attributed to another cause", ("seizure",)),
    "motor_other_cause": ("motor weakness attributed to another cause", ("motor",)),
}
LOW_BASELINE = "ICE was below 10 before the infusion: read the fall, not the score alone"
ONLY_CAPD = "CAPD at 12 years or older counts with developmental delay only: chart the delay, or ICE"
ONLY_ICE = "ICE below 12 years is the wrong scale: chart CAPD"
USUAL_CAPD = "CAPD is not above that before the infusion: ask the caregiver whether this is usual; it changes no grade"
EVENTS = {
    "seizure": "seizure",
    "motor_weakness": "motor",
    "cerebral_edema": "edema",
    "raised_pressure": "pressure",
    "papilledema": "pressure",
}
DELAYED = "developmental delay: CAPD in place of ICE"


def grade_icans(
    course: Course, *, age: ArrayLike, criteria: str = "icans_astct_2019", past: Past | None = None,
    together: bool = False,
) -> Grades:  # fmt: skip
    """Grade ICANS at every cell: the highest of score, arousal, seizure, motor weakness and edema.

    Parameters
    ----------
    course : Course
        n patients, k days.
    age : array_like, shape (n,)
        Years. CAPD is used below 12 years, and with developmental delay; at an unknown age no score is read.
    criteria : str
        Edition.
    past : Past, optional
        Of a course that grows, of which ``course`` is the newest column.
    together : bool
        By the signs that held together only, for the worst of a day: ``Grades.passing``.

    Returns
    -------
    Grades
        Seizure, motor weakness and edema that are not charted were not there; score and arousal must be known.
    """
    arguments.per_patient("age", age, course_of(course).shape[0], unit="years")
    rules = edition(arguments.text("criteria", criteria))
    shape = course.shape
    stands = (
        Held(course)
        if past
        else held(_awake(course), {**by_levels(rules, SIGNS), "sedated": there_or_not}, together=together)
    )
    course = stands.course
    past = past or Past(course, stands.looked)
    whole = past.course
    looked = np.ones(shape, dtype=bool) if stands.looked is None else stands.looked
    unknown = in_doubt(stands, SIGNS)
    ice, capd, arousal = course.dense("ice"), course.dense("capd"), course.dense("arousal")
    years = np.broadcast_to(np.asarray(age, dtype=float), (shape[0],))[:, None]
    old, ageless = years >= rules.values["ice_from_age"], np.isnan(years)
    flags: dict[str, Flags] = {}
    if whole.measured("developmental_delay"):
        delayed = np.broadcast_to(past.now(carried(whole, "developmental_delay") >= 1), shape)
        flags[DELAYED] = delayed & old
        old = old & ~delayed
    by_ice = np.broadcast_to(old, shape)
    if whole.measured("ice_baseline"):
        flags[LOW_BASELINE] = by_ice & past.now(carried(whole, "ice_baseline") < rules.values["ice_full"])
    score = np.where(by_ice, ladder(ice, rules.column("ice")), ladder(capd, rules.column("capd"))).astype(np.int8)
    score = np.where(ageless, 0, score).astype(np.int8)  # which of the two scores holds is unknown
    no_score = np.where(by_ice, np.isnan(ice), np.isnan(capd)) | ageless
    if np.any(only := old & np.isnan(ice) & np.isfinite(capd)):
        flags[ONLY_CAPD] = only
    if np.any(only := ~old & ~ageless & np.isfinite(ice) & np.isnan(capd)):
        flags[ONLY_ICE] = only
    if (usual := _usual_capd(whole)) is not None:
        flags[USUAL_CAPD] = ~by_ice & ~ageless & (capd > 0) & (capd <= usual)
    awake = ladder(arousal, rules.column("arousal"))
    awake = np.where((awake == rules.values["with_score"]) & (score == 0), 0, awake).astype(np.int8)
    no_arousal = np.isnan(arousal)
    leans_on_arousal = np.where(
        by_ice, ice <= rules.values["ice_needs_arousal"], capd < rules.values["capd_needs_arousal"]
    )
    unarousable = awake >= rules.top
    score_unknown = no_score & ~unarousable
    arousal_unknown = no_arousal & (leans_on_arousal | no_score | unknown["arousal"])
    asleep = course.dense("sedated") >= 1
    clear = ~asleep & ~score_unknown & ~arousal_unknown & looked
    earlier = past.carry("score", clear, score, 0), past.carry("awake", clear, awake, 0)
    read = past.latest("clear", clear)
    blind = asleep & ((read < 0) | (read < past.latest("not sedated", ~asleep & looked)))
    if asleep.any():
        score, awake = (np.where(asleep, was, g).astype(np.int8) for was, g in zip(earlier, (score, awake)))
        score_unknown, arousal_unknown = (np.where(asleep, blind, u) for u in (score_unknown, arousal_unknown))
    if whole.measured("sedated"):
        flags[SEDATED] = asleep & ~blind
    bounded = (unknown["ice"] & by_ice & ~no_score) | (unknown["capd"] & ~by_ice & ~no_score)
    worst_score = max(one.grade for one in rules.levels if one.reads in ("ice", "capd"))
    bounded = bounded & ~asleep & (score < worst_score)
    arousal_unknown = arousal_unknown | (unknown["arousal"] & ~no_arousal & ~asleep)
    edema = ladder(course.dense("cerebral_edema"), rules.column("edema"))
    if whole.measured("intracranial_hemorrhage"):
        bleeding = past.now(np.maximum.accumulate(whole.values["intracranial_hemorrhage"] >= 1, axis=1))
        edema = np.where(bleeding, 0, edema).astype(np.int8)
        flags[HEMORRHAGE] = bleeding
    columns: dict[str, Whole] = {"score": score, "arousal": awake, "edema": edema}
    for name in ("seizure", "motor"):
        analyte = READS[name][0]
        if analyte in course:
            columns[name] = ladder(course.values[analyte], rules.column(name))
    for analyte in READS["pressure"]:
        if analyte in course:
            sign = ladder(
                course.values[analyte], [level for level in rules.column("pressure") if level.reads == analyte]
            )
            columns["pressure"] = np.maximum(sign, columns.get("pressure", np.int8(0)))
    events = {analyte: unknown[analyte] for analyte in EVENTS}
    for name, (text, aside) in OTHER_CAUSE.items():
        if course.measured(name):
            elsewhere = course.values[name] >= 1
            flags[text] = elsewhere
            columns.update({c: np.where(elsewhere, 0, columns[c]).astype(np.int8) for c in aside if c in columns})
            events = {name: open_ & ~elsewhere if EVENTS[name] in aside else open_ for name, open_ in events.items()}
            if "score" in aside:
                score_unknown, arousal_unknown = score_unknown & ~elsewhere, arousal_unknown & ~elsewhere
    cause, alive = (course.values.get(name, np.float64(np.nan)) for name in READS["death"])
    died = np.broadcast_to(cause == edition("death").values["icans"], shape)
    if "death_cause" in course:
        columns["death"] = (died * edition("death").values["grade"]).astype(np.int8)
    lower: Whole = np.maximum.reduce(list(columns.values()))
    unsure = any_of([score_unknown, arousal_unknown, unknown["sedated"], *events.values(), ~looked])
    doubt = unsure & ~died
    upper = np.where(bounded, np.maximum(lower, np.int8(worst_score)), lower)
    upper = np.where(doubt, np.int8(rules.top), upper)
    open_ = np.broadcast_to((alive == 0) & np.isnan(cause), shape) & (upper > 0)
    open_ = open_ | any_of(course.marked(course.unread, name) for name in READS["death"] if name in course.unread)
    upper = np.where(open_, np.int8(edition("death").values["grade"]), upper)
    grade = settle(lower, upper)
    missing = {}
    if (grade < 0).any():
        found = {
            "ice": (score_unknown | bounded) & old, "capd": (score_unknown | bounded) & ~old & ~ageless,
            "age": score_unknown & ageless, "arousal": arousal_unknown, "death_cause": open_,
            "sedated": unknown["sedated"], **events,
        }  # fmt: skip
        missing = {name: cells & (grade < 0) for name, cells in found.items() if (cells & (grade < 0)).any()}
    reads = {name: READS[name] for name in columns}
    if not ageless.any() and (by_ice.all() or not by_ice.any()):
        reads["score"] = ("ice",) if by_ice.all() else ("capd",)
    return Grades(
        "icans", rules.name, course.days, grade, lower, missing, columns, reads, flags, {}, unverified(rules.name),
        stands.source, stands.looked, stands.passing,
    )  # fmt: skip


def _usual_capd(course: Course) -> NDArray[np.float64] | None:
    """The highest CAPD charted before or at the infusion, shape (n, 1); None where none was. Measured courses only."""
    early = course.days <= 0
    if course.origin == "simulated" or "capd" not in course or not early.any():
        return None
    charted = np.where(np.isnan(course.values["capd"][:, early]), -1.0, course.values["capd"][:, early])
    return charted.max(axis=1, keepdims=True) if (charted >= 0).any() else None


def _awake(course: Course) -> Course:
    """The course without what was examined under sedation: it says nothing of another time."""
    if course.origin == "simulated" or not course.measured("sedated"):
        return course
    asleep = held(course, {"sedated": there_or_not}).course.dense("sedated") >= 1
    values = {**course.values, **{name: np.where(asleep, np.nan, course.dense(name)) for name in EXAMINED}}
    unread = {name: cells & ~asleep if name in EXAMINED else cells for name, cells in course.unread.items()}
    return replace(course, values=values, unread=unread)


def neurologic_event(course: Course, *, age: ArrayLike, icans: Grades | None = None) -> Grades:
    """The wider neurologic adverse event that early trials graded by CTCAE, emulated.

    Any ICE below 10, CAPD of 1 or more, headache or tremor is at least grade 1; the higher grades are those of ICANS.

    Parameters
    ----------
    course : Course
    age : array_like, shape (n,)
        Years.
    icans : Grades, optional
        From ``grade_icans`` of the same course, to save grading twice.
    """
    icans = grade_icans(course, age=age) if icans is None else icans
    if HEADACHE not in course:
        return replace(icans, scale="neurologic_event", edition="ctcae_emulated")
    mild = (course.values[HEADACHE] >= 1).astype(np.int8)
    lower = np.maximum(icans.at_least, mild)
    grade = np.where(icans.grade < 0, icans.grade, lower).astype(np.int8)
    return replace(
        icans, scale="neurologic_event", edition="ctcae_emulated", grade=grade, at_least=lower,
        columns={**icans.columns, HEADACHE: mild}, reads={**icans.reads, HEADACHE: (HEADACHE,)},
    )  # fmt: skip
