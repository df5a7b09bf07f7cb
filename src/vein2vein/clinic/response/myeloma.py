"""Response of myeloma for many patients at once, by the IMWG limits on serum protein, light chain and marrow.

``imwg.py`` judges one patient's chart with everything that a clinic writes down; this judges what a virtual
patient's course holds. Confirmation by a second visit is not asked for.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from vein2vein.clinic import words
from vein2vein.clinic.criteria import edition
from vein2vein.clinic.grades.grades import Flags, Floats, latest, take
from vein2vein.clinic.response.response import NOT_EVALUABLE, Response
from vein2vein.therapy.course import Course

NAMES = words.lineages()["myeloma"].categories


def respond_myeloma(
    course: Course, *, visits: Iterable[float] | None = None, criteria: str = "response_myeloma"
) -> Response:
    """Response of multiple myeloma.

    Parameters
    ----------
    course : Course
        m_protein (g/L), free_light_chain (mg/L), marrow_plasma_cells (%), with a value up to day 0; mrd.
    visits : iterable of float, optional
        Default: every day after the infusion with serum protein.
    criteria : str
        Edition of what the course needs beyond ``response_imwg_2016``.
    """
    v = {**edition("response_imwg_2016").values, **edition(criteria).values}
    seen = course if visits is None else course.at(visits)
    days, after = seen.days, (seen.days > 0)[None, :]
    serum, chain, marrow, mrd = (
        seen.dense(name) for name in ("m_protein", "free_light_chain", "marrow_plasma_cells", "mrd")
    )
    assessed = after & np.isfinite(serum)
    by_serum = _start(course, "m_protein") >= v["measurable_serum"]
    value = np.where(by_serum, serum, chain)
    start = np.where(by_serum, _start(course, "m_protein"), _start(course, "free_light_chain"))
    fall = 1 - value / np.maximum(start, np.finfo(float).tiny)
    complete = (serum <= v["immunofixation"]) & (marrow < v["marrow_complete"])
    complete &= by_serum | (chain < v["light_chain_normal"])
    stringent = complete & (chain < v["light_chain_normal"]) & (mrd < v["clonal_absent"])

    low = np.minimum(_nadir(value, after), start)
    serum_rise = np.where(low >= v["high_nadir"], v["progression_serum_high"], v["progression_serum"])
    rise = np.where(by_serum, serum_rise, v["progression_light_chain"])
    least = np.minimum(_nadir(marrow, after), _start(course, "marrow_plasma_cells"))
    grown = (value >= (1 + v["progression_rise"]) * low) & (value - low >= rise)
    grown |= (marrow >= (1 + v["progression_rise"]) * least) & (marrow - least >= v["progression_marrow"])
    falls = [(fall >= v[name]) for name in ("very_good_fall", "partial_fall", "minimal_fall")]
    codes = [NAMES.index(name) for name in ("PD", "sCR", "CR", "VGPR", "PR", "MR")]
    status = np.select([grown, stringent, complete, *falls], codes, NAMES.index("SD"))
    status = np.where(assessed, status, NOT_EVALUABLE).astype(np.int8)

    progression_day = _first(assessed & (status == 0), days)
    counted = assessed & (days <= v["response_window"] + v["visit_slack"])[None, :]
    counted &= days[None, :] < progression_day[:, None]
    best = np.array(NAMES)[np.where(counted, status, 0).max(axis=1, initial=0)]
    best = np.where(assessed.any(axis=1), best, "NE")
    response_day = _first(counted & (status >= NAMES.index("PR")), days)
    negative = counted & (status >= NAMES.index("PR")) & (mrd < v["mrd_negative"])
    relapse_day = np.where(np.isfinite(response_day), progression_day, np.inf)
    antigen = _antigen(seen, progression_day, v["antigen_negative_below"])
    return Response(
        edition(criteria).name, days, NAMES, status, best, response_day, np.asarray(negative.any(axis=1)), relapse_day,
        progression_day, antigen, {},
    )  # fmt: skip


def _first(holds: Flags, days: Floats) -> Floats:
    found = holds.any(axis=1) if holds.shape[1] else np.zeros(len(holds), bool)
    return np.where(found, days[holds.argmax(axis=1)] if holds.shape[1] else np.inf, np.inf)


def _start(course: Course, name: str) -> Floats:
    """Last value up to the infusion, shape (n, 1)."""
    values = course.dense(name)
    early = latest(np.isfinite(values) & (course.days <= 0)[None, :])[:, -1:]
    return take(values, early, np.nan)


def _nadir(values: Floats, after: Flags) -> Floats:
    """Lowest value at the visits before each one; inf before the first."""
    lowest = np.minimum.accumulate(np.where(after & np.isfinite(values), values, np.inf), axis=1)
    shifted = np.full_like(lowest, np.inf)
    shifted[:, 1:] = lowest[:, :-1]
    return shifted


def _antigen(course: Course, day: Floats, negative_below: float) -> NDArray[np.str_]:
    share = course.dense("antigen_positive_share")
    column = latest(np.isfinite(share) & (course.days[None, :] <= day[:, None]))[:, -1:]
    last = take(share, column, np.nan)[:, 0]
    call = np.where(last < negative_below, "negative", "positive")
    return np.where(np.isfinite(day) & np.isfinite(last), call, "")
