"""Response: remission, relapse and its antigen in B-ALL; response and progression in lymphoma."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from vein2vein.clinic import words
from vein2vein.clinic.criteria import edition, rows_of
from vein2vein.clinic.grades.grades import Flags, Floats, before, carried, latest, take
from vein2vein.errors import InputError
from vein2vein.records import by_patient
from vein2vein.therapy.course import Course

NOT_EVALUABLE = -1
LINEAGE_SWITCH = "lineage switch"  # recorded apart: neither the loss of the antigen nor its escape
COUNTS_MISSING = "blood counts missing: CRi at best"
SPD, VOLUME, DEAUVILLE = "sum_product_diameters", "metabolic_tumor_volume", "deauville"


@by_patient(visit=("days",), none=("edition", "categories"))
@dataclass(frozen=True)
class Response:
    """What the disease visits showed.

    Attributes
    ----------
    edition : str
    days : ndarray, shape (k,)
    categories : tuple of str
        Names of the codes in ``status``, worst first: 0 is no response (or progression).
    status : ndarray of int8, shape (n, k)
        -1: the disease was not assessed on that day.
    best : ndarray of str, shape (n,)
        Best response in the window; "NR" (ALL) or "NE" where nothing better was seen or nothing was assessed.
    response_day : ndarray, shape (n,)
        First day of any response that counts (inf: none).
    mrd_negative : ndarray of bool, shape (n,)
        No minimal residual disease at some visit in remission within the window.
    relapse_day, progression_day : ndarray, shape (n,)
        inf: none.
    relapse_antigen : ndarray of str, shape (n,)
        ``positive``, ``negative``, ``lineage switch`` or "".
    flags : mapping of sentence to ndarray of bool, shape (n, k)
    reasons, lacking : mapping of (patient position, column) to tuple of str
        Why a visit has its category, and what would be needed where it has none or could have a better one.
    confirmed : ndarray of bool, shape (n, k), or None
        Whether a later visit held the category for as long as the criteria ask.
    mrd_relapse_day : ndarray, shape (n,), or None
        First of two samples in a row with residual disease after one without (inf: none); None: not judged.
    relapsed : ndarray of bool, shape (n, k), or None
        Visits with disease after a remission; None: not told (``respond_visits`` tells it).
    """

    edition: str
    days: Floats
    categories: tuple[str, ...]
    status: NDArray[np.int8]
    best: NDArray[np.str_]
    response_day: Floats
    mrd_negative: Flags
    relapse_day: Floats
    progression_day: Floats
    relapse_antigen: NDArray[np.str_]
    flags: Mapping[str, Flags]
    reasons: Mapping[tuple[int, int], tuple[str, ...]] = field(default_factory=dict[tuple[int, int], tuple[str, ...]])
    lacking: Mapping[tuple[int, int], tuple[str, ...]] = field(default_factory=dict[tuple[int, int], tuple[str, ...]])
    confirmed: Flags | None = None
    mrd_relapse_day: Floats | None = None
    relapsed: Flags | None = None


@dataclass(frozen=True)
class Remission:
    """A row of criteria/response_b_all_*.toml: a category of response of the marrow and what it asks for, best first.

    Attributes
    ----------
    name, mark : str
    blasts_below : float
        Blasts of the marrow, %; NaN: not asked.
    blasts_at_most, blasts_fall : float
        %, and the share by which they fell from baseline: asked for together.
    neutrophils_above, neutrophils_at_least, platelets_above, platelets_at_least : float
        10^9/L; NaN: not asked.
    response : bool
        Whether the category counts as a response.
    """

    name: str
    mark: str
    blasts_below: float = np.nan
    blasts_at_most: float = np.nan
    blasts_fall: float = np.nan
    neutrophils_above: float = np.nan
    neutrophils_at_least: float = np.nan
    platelets_above: float = np.nan
    platelets_at_least: float = np.nan
    response: bool = True


def respond_all(
    course: Course,
    *,
    visits: Iterable[float] | None = None,
    criteria: str = "response_b_all_eliana",
    maintained: bool = False,
) -> Response:
    """Response of B-cell acute lymphoblastic leukemia.

    Parameters
    ----------
    course : Course
        marrow_blasts (%), mrd, neutrophils, platelets; optional circulating_blasts, extramedullary,
        antigen_positive_share, csf_blasts, cns_signs.
    visits : iterable of float, optional
        Days on which the marrow is judged; default: every day with a marrow count after the infusion.
    criteria : str
        ``response_b_all_eliana`` (CR, CRi), ``response_b_all_eln_2024`` or ``response_b_all_cibmtr``.
    maintained : bool
        Count a response only if no relapse follows within the time that the edition asks for (28 days).
    """
    rules = edition(criteria)
    v = rules.values
    seen = course if visits is None else course.at(visits)
    days = seen.days
    blasts = seen.dense("marrow_blasts")
    assessed = np.isfinite(blasts) & (days > 0)[None, :]
    elsewhere = (seen.dense("extramedullary") >= 1) | (seen.dense("circulating_blasts") >= v["relapse_circulating"])
    elsewhere |= (seen.dense("csf_blasts") >= 1) | (seen.dense("cns_signs") >= 1)
    assessed |= elsewhere & (days > 0)[None, :]
    counts = {
        name: carried(course, name, v["counts_last"])[:, _columns_of(course, seen)]
        for name in ("neutrophils", "platelets")
    }
    below = seen.below_lloq.get("mrd", np.zeros(blasts.shape, dtype=bool))
    mrd = seen.dense("mrd")  # a value below the limit of the assay is entered as the limit: it must be sensitive enough
    negative = (mrd < v["mrd_negative"]) | (below & (mrd <= v["mrd_negative"]))
    begun_with = np.broadcast_to(_start(course, "marrow_blasts"), blasts.shape)
    fall = 1 - np.divide(blasts, begun_with, out=np.full(blasts.shape, np.nan), where=begun_with > 0)
    table = rows_of(rules.name, Remission)
    status, names = _remission(table, blasts, elsewhere, counts, fall)
    status = np.where(assessed, status, NOT_EVALUABLE).astype(np.int8)

    remission = status > sum(bool(np.isnan(row.blasts_below)) for row in table)  # partial remission is none
    in_window = assessed & (days <= v["response_window"] + v["window_slack"])[None, :]
    begun = before(latest(remission)) >= 0
    relapses = assessed & begun & ((blasts >= v["relapse_blasts"]) | elsewhere)
    status = np.where(relapses, 0, status).astype(np.int8)
    relapse_day = _first(relapses, days)
    counts_as = np.array([False, *(row.response for row in reversed(table))])
    counted = counts_as[np.maximum(status, 0)] & in_window & (days[None, :] < relapse_day[:, None])
    response_day = _first(counted, days)
    if maintained:
        begins = np.where(np.isfinite(response_day), response_day, 0.0)
        counted &= (relapse_day - begins >= v["maintained"] - v["visit_slack"])[:, None]
        response_day = _first(counted, days)
    shown = counted if maintained else in_window & (days[None, :] < relapse_day[:, None])
    best = _names(np.where(shown, status, 0), names)
    relapse_day = np.where(np.isfinite(response_day), relapse_day, np.inf)
    flags = {COUNTS_MISSING: remission & (np.isnan(counts["neutrophils"]) | np.isnan(counts["platelets"]))}
    return Response(
        rules.name, days, names, status, best, response_day,
        np.any(counted & negative, axis=1), relapse_day, np.full(len(best), np.inf),
        _antigen(seen, relapse_day, v["antigen_negative_below"]), flags,
        mrd_relapse_day=_mrd_relapse(mrd, negative, days),
    )  # fmt: skip


def _mrd_relapse(mrd: Floats, negative: Flags, days: Floats) -> Floats:
    """First of two samples in a row with residual disease, after one without, shape (n,); inf: none."""
    found, pending = np.full(len(mrd), np.inf), np.full(len(mrd), np.inf)
    clear = np.zeros(len(mrd), dtype=bool)
    for column, day in enumerate(days):
        drawn, free = np.isfinite(mrd[:, column]) & (day > 0), negative[:, column]
        positive = drawn & ~free & clear
        found = np.where(positive & np.isfinite(pending), np.minimum(found, pending), found)
        pending = np.where(positive & np.isinf(pending), day, np.where(drawn & free, np.inf, pending))
        clear |= drawn & free
    return found


def _columns_of(course: Course, seen: Course) -> NDArray[np.intp]:
    return np.searchsorted(course.days, seen.days)


def _remission(
    rules: tuple[Remission, ...], blasts: Floats, elsewhere: Flags, counts: Mapping[str, Floats], fall: Floats
) -> tuple[NDArray[np.int8], tuple[str, ...]]:
    """Code of each cell by the categories of the edition, best first in the file; 0 none."""
    names = ("NR", *(row.name for row in reversed(rules)))
    status = np.zeros(blasts.shape, dtype=np.int8)
    for code, row in enumerate(reversed(rules), start=1):
        meets = ~elsewhere
        if not np.isnan(row.blasts_below):
            meets = meets & (blasts < row.blasts_below)
        if not np.isnan(row.blasts_fall):
            meets = meets & (blasts <= row.blasts_at_most) & (fall >= row.blasts_fall)
        for values, above, at_least in (
            (counts["neutrophils"], row.neutrophils_above, row.neutrophils_at_least),
            (counts["platelets"], row.platelets_above, row.platelets_at_least),
        ):
            if not np.isnan(above):
                meets = meets & (values > above)
            if not np.isnan(at_least):
                meets = meets & (values >= at_least)
        status = np.where(meets, code, status).astype(np.int8)
    return status, names


def respond_lymphoma(
    course: Course,
    *,
    visits: Iterable[float] | None = None,
    criteria: str = "response_lymphoma",
    residual: bool = False,
) -> Response:
    """Response of lymphoma by Deauville score and by size (sum of products of diameters, else volume).

    Parameters
    ----------
    course : Course
        deauville; sum_product_diameters (cm^2) and/or metabolic_tumor_volume (mL), with a value up to day 0.
    visits : iterable of float, optional
        Days of imaging; default: every day after the infusion with any of the three.
    criteria : str
        Edition.
    residual : bool
        The marrow is examined for residual disease, as in chronic lymphocytic leukemia: mrd.

    Notes
    -----
    CR: Deauville up to 3. PD: Deauville 4 or 5 and the size up by half from its nadir, or a volume that rose as much.
    PR: size down by half from baseline. Without any size, Deauville 4 or 5 is stable disease at best.
    """
    rules = edition(criteria)
    v = rules.values
    seen = course if visits is None else course.at(visits)
    days, after = seen.days, (seen.days > 0)[None, :]
    score, spd, volume = seen.dense(DEAUVILLE), seen.dense(SPD), seen.dense(VOLUME)
    hot = ~(score <= v["complete_deauville"])
    assessed = after & (np.isfinite(score) | np.isfinite(spd) | np.isfinite(volume))
    shrunk = spd <= v["partial_size"] * _start(course, SPD)
    grown = spd >= v["progression_size"] * np.fmin(_nadir(spd, after), _start(course, SPD))
    floor = v["detection_volume"]
    low = np.maximum(np.fmin(_nadir(volume, after), _start(course, VOLUME)), floor)
    no_spd = np.isnan(spd)
    shrunk |= no_spd & (volume <= v["partial_volume"] * _start(course, VOLUME))
    grown |= volume >= v["progression_volume"] * low
    names = words.lineages()["lymphoma"].categories
    status = np.select(
        [~hot, grown, shrunk], [names.index("CR"), names.index("PD"), names.index("PR")], names.index("SD")
    )
    status = np.where(assessed, status, NOT_EVALUABLE).astype(np.int8)

    progression_day = _first(assessed & (status == 0), days)
    in_window = assessed & (days <= v["response_window"] + v["visit_slack"])[None, :]
    counted = in_window & (days[None, :] < progression_day[:, None])
    responding = counted & (status >= names.index("PR"))
    any_seen = assessed.any(axis=1)
    best = _names(np.where(counted, status, 0), names)
    best = np.where(any_seen, best, "NE")
    response_day = _first(responding, days)
    mrd, below = seen.dense("mrd"), seen.marked(seen.below_lloq, "mrd")
    limit = edition("response_iwcll_2018").values["mrd_negative"]
    free = counted & ((mrd < limit) | (below & (mrd <= limit))) & residual
    relapse_day = np.where(np.isfinite(response_day), progression_day, np.inf)
    antigen = _antigen(seen, progression_day, v["antigen_negative_below"])
    return Response(
        rules.name, days, names, status, best, response_day, np.asarray(free.any(axis=1)), relapse_day,
        progression_day, antigen, {},
    )  # fmt: skip


def respond(
    course: Course,
    *,
    lineage: str,
    visits: Iterable[float] | None = None,
    maintained: bool = False,
    residual: bool = False,
) -> Response:
    """Response by the criteria of a lineage: ``leukemia`` (``maintained``: as ``respond_all``) or ``lymphoma``
    (``residual``: as ``respond_lymphoma``).
    """
    match lineage:
        case "leukemia":
            return respond_all(course, visits=visits, maintained=maintained)
        case "lymphoma":
            return respond_lymphoma(course, visits=visits, residual=residual)
        case _:
            raise InputError(f"no response criteria for the lineage '{lineage}' yet; known: leukemia, lymphoma.")


def _first(holds: Flags, days: Floats) -> Floats:
    """First day on which something holds, shape (n,); inf: never."""
    if not holds.shape[1]:
        return np.full(len(holds), np.inf)
    return np.where(holds.any(axis=1), days[holds.argmax(axis=1)], np.inf)


def _names(status: NDArray[np.int8], names: tuple[str, ...]) -> NDArray[np.str_]:
    if not status.shape[1]:
        return np.full(len(status), names[0])
    return np.array(names)[np.maximum(status, 0).max(axis=1)]


def _start(course: Course, name: str) -> Floats:
    """Last value up to the infusion, or the first there is; shape (n, 1)."""
    values = course.dense(name)
    if not values.shape[1]:
        return np.full((len(values), 1), np.nan)
    known = np.isfinite(values)
    early = latest(known & (course.days <= 0)[None, :])[:, -1:]
    first = np.where(known.any(axis=1), known.argmax(axis=1), -1)[:, None]
    return take(values, np.where(early >= 0, early, first), np.nan)


def _nadir(values: Floats, after: Flags) -> Floats:
    """Lowest value at the visits before each one; inf before the first."""
    seen = np.where(after & np.isfinite(values), values, np.inf)
    lowest = np.minimum.accumulate(seen, axis=1)
    shifted = np.full_like(lowest, np.inf)
    shifted[:, 1:] = lowest[:, :-1]
    return shifted


def _antigen(course: Course, day: Floats, negative_below: float) -> NDArray[np.str_]:
    """Antigen of the returning disease by the share of its cells that carry it; "" without relapse or measurement."""
    share = course.dense("antigen_positive_share")
    known = np.isfinite(share) & (course.days[None, :] <= day[:, None])
    last = take(share, latest(known)[:, -1:], np.nan)[:, 0] if share.shape[1] else np.full(len(share), np.nan)
    call = np.where(last < negative_below, "negative", "positive")
    call = np.where(np.isfinite(day) & np.isfinite(last), call, "")
    switched = (course.dense("lineage_switch") >= 1) & (course.days[None, :] <= day[:, None])
    return np.where(np.isfinite(day) & switched.any(axis=1), LINEAGE_SWITCH, call)
