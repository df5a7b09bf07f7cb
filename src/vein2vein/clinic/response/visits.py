"""Disease visits of real patients judged by Lugano, iwCLL, IMWG or the leukemia criteria: one door for all of them.

A visit is a day of a Course on which any item of the criteria was measured; lesions are a table of their own. The
baseline is the last visit up to the infusion, or the first there is.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from types import ModuleType

import numpy as np

from vein2vein.clinic.criteria import edition, editions
from vein2vein.clinic.grades.grades import Flags
from vein2vein.clinic.response import imwg, iwcll, lugano
from vein2vein.clinic.response.disease_chart import SITES, Lesion, Verdict, Visit
from vein2vein.clinic.response.response import Response, respond_all
from vein2vein.errors import InputError, unknown
from vein2vein.therapy.course import Course

__all__ = ["CRITERIA", "VISIT_ITEMS", "Lesion", "respond_visits"]
CRITERIA: dict[str, tuple[ModuleType, str]] = {
    "lugano": (lugano, "response_lugano_2014"),
    "iwcll": (iwcll, "response_iwcll_2018"),
    "imwg": (imwg, "response_imwg_2016"),
}
VISIT_ITEMS: dict[str, tuple[str, ...]] = {
    **{name: module.READS for name, (module, _) in CRITERIA.items()},
    "all": (
        "marrow_blasts", "mrd", "neutrophils", "platelets", "circulating_blasts", "extramedullary",
        "antigen_positive_share", "csf_white_cells", "csf_red_cells", "csf_blasts", "cns_signs",
    ),
}  # fmt: skip
_FLAGS = ("cytopenia_other_cause", "red_cell_transfusion", "daratumumab_interference")  # alone they make no visit


def respond_visits(
    course: Course, criteria: str, lesions: Iterable[Lesion] = (), *, edition_name: str | None = None
) -> Response:
    """Response at every visit, best response and the days that count.

    Parameters
    ----------
    course : Course
        With the items ``VISIT_ITEMS[criteria]``; a lesion's day must be one of its days.
    criteria : {"lugano", "iwcll", "imwg", "all"}
    lesions : iterable of Lesion
        Lugano and iwCLL.
    edition_name : str, optional
        Another edition of the criteria.

    Returns
    -------
    Response
        ``status`` -1 where a visit is not evaluable: ``lacking`` says what would be needed.
    """
    if criteria not in VISIT_ITEMS:
        raise InputError(unknown("criteria of response", criteria, VISIT_ITEMS))
    _, usual = CRITERIA.get(criteria, (None, "response_b_all_eliana"))
    stem = usual.rpartition("_")[0]
    kin = [name for name in editions() if (name.startswith(stem) and edition(name).rules) or name == usual]
    if edition_name is not None and edition_name not in kin:
        raise InputError(unknown(f"edition of the criteria '{criteria}'", edition_name, kin))
    if criteria == "all":
        return respond_all(course, criteria=edition_name or usual)
    module, usual = CRITERIA[criteria]
    rules = edition(edition_name or usual)
    charts = _charts(course, criteria, tuple(lesions))
    names: tuple[str, ...] = module.CATEGORIES
    n, k = course.shape
    status = np.full((n, k), -1, dtype=np.int8)
    reasons: dict[tuple[int, int], tuple[str, ...]] = {}
    lacking: dict[tuple[int, int], tuple[str, ...]] = {}
    for i, chart in enumerate(charts):
        base = _baseline(chart)
        for at in range(base + 1, len(chart)):
            column, visit = chart[at]
            baseline, earlier = chart[base][1], [one for _, one in chart[base:at]]
            found: Verdict = module.judge(baseline, earlier, visit, rules.values)
            status[i, column] = names.index(found.category) if found.category else -1
            reasons[i, column] = found.reasons
            if found.lacking:
                lacking[i, column] = found.lacking
    return _response(course, criteria, rules.name, rules.values, names, status, reasons, lacking)


def _charts(course: Course, criteria: str, lesions: Sequence[Lesion]) -> list[list[tuple[int, Visit]]]:
    """Visits of each patient as (column, Visit), by day."""
    items = [name for name in VISIT_ITEMS[criteria] if name in course]
    by_cell: dict[tuple[int, float], dict[str, Lesion]] = {}
    days = set(course.days.tolist())
    for one in lesions:
        if one.site not in SITES:
            raise InputError(unknown("site of a lesion", one.site, SITES), file=one.where_from or None)
        if one.shortest > one.longest:
            text = f"lesion {one.name} on day {one.day:g}: found a shortest diameter of {one.shortest:g} cm above the"
            raise InputError(f"{text} longest, {one.longest:g} cm; exchange them.", file=one.where_from or None)
        if one.day not in days:
            text = f"lesion {one.name} is dated day {one.day:g}, which is no day of this record; add a row of that day."
            raise InputError(text, file=one.where_from or None)
        cell = by_cell.setdefault((one.patient, one.day), {})
        if one.name in cell:
            text = f"two sizes of lesion {one.name} of patient {one.patient} on day {one.day:g}; keep one."
            raise InputError(text, file=one.where_from or None)
        cell[one.name] = one
    charts = []
    for i, patient in enumerate(course.patients):
        visits = []
        for column, day in enumerate(course.days.tolist()):
            values = {name: float(course.values[name][i, column]) for name in items}
            values = {name: value for name, value in values.items() if not np.isnan(value)}
            found = by_cell.get((int(patient), day), {})
            if found or any(name not in _FLAGS for name in values):
                visits.append((column, Visit(day, values, found)))
        charts.append(visits)
    return charts


def _baseline(chart: list[tuple[int, Visit]]) -> int:
    early = [at for at, (_, visit) in enumerate(chart) if visit.day <= 0]
    return early[-1] if early else 0


def _response(course, criteria, name, v, names, status, reasons, lacking) -> Response:
    days, n = course.days, len(course.patients)
    progressed = status == 0
    progression = _first(progressed, days)
    counted = (status >= 0) & (days[None, :] < progression[:, None])
    responding = counted & (status >= min(i for i, c in enumerate(names) if c in ("MR", "PR")))
    response_day = _first(counted & (status >= names.index("PR")), days)
    top = np.where(counted, status, -1).max(axis=1, initial=-1)
    best = np.array(
        [names[t] if t >= 0 else ("PD" if np.isfinite(p) else "NE") for t, p in zip(top, progression)], dtype=str
    )
    relapse = np.where(np.isfinite(response_day), progression, np.inf)
    mrd_negative = _mrd_negative(course, criteria, v, status >= max(names.index(c) for c in names if c == "PR"))
    return Response(
        name, days, names, status, best, response_day, mrd_negative, relapse, progression, np.full(n, "", dtype="<U8"),
        {}, reasons, lacking, _confirmed(status, days, v.get("confirmed_after", 0.0)) & responding,
    )  # fmt: skip


def _first(holds: Flags, days):
    if not holds.shape[1]:
        return np.full(len(holds), np.inf)
    return np.where(holds.any(axis=1), days[holds.argmax(axis=1)], np.inf)


def _mrd_negative(course: Course, criteria: str, v, in_response: Flags) -> Flags:
    if "mrd_negative" not in v:
        return np.zeros(len(course.patients), dtype=bool)
    clear = course.dense("mrd") < v["mrd_negative"]
    if criteria == "iwcll":
        clear &= course.dense("mrd_blood") < v["mrd_negative"]
    return (clear & in_response).any(axis=1)


def _confirmed(status, days, lasts: float) -> Flags:
    """Cells whose category, or a better one, is held at the next evaluable visits until ``lasts`` days later."""
    confirmed = np.zeros(status.shape, dtype=bool)
    for i, row in enumerate(status):
        seen = np.flatnonzero(row >= 0)
        for at, column in enumerate(seen):
            for later in seen[at + 1 :]:
                if row[later] < row[column]:
                    break
                if days[later] - days[column] >= lasts:
                    confirmed[i, column] = True
                    break
    return confirmed


def best_confirmed(response: Response) -> np.ndarray:
    """Best confirmed category before progression, shape (n,); "" where none was confirmed."""
    if response.confirmed is None or not response.status.shape[1]:
        return np.full(len(response.best), "", dtype="<U4")
    top = np.where(response.confirmed, response.status, -1).max(axis=1)
    return np.array([response.categories[t] if t >= 0 else "" for t in top], dtype=str)
