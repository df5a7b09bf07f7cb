"""Disease visits of real patients judged by Lugano, iwCLL, IMWG or the leukemia criteria: one door for all of them.

A visit is a day of a Course on which any item of the criteria was measured; lesions are a table of their own. The
baseline is the last visit up to the infusion, or the first there is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vein2vein.clinic.criteria import edition, editions
from vein2vein.clinic.grades.grades import Flags, Floats
from vein2vein.clinic.response import imwg, iwcll, lugano
from vein2vein.clinic.response.disease_chart import SITES, Lesion, Verdict, Visit
from vein2vein.clinic.response.remission_reasons import with_reasons
from vein2vein.clinic.response.response import Response, respond_all
from vein2vein.errors import InputError, unknown
from vein2vein.therapy.course import Course

__all__ = ["CRITERIA", "VISIT_ITEMS", "Lesion", "respond_visits"]
Texts = Mapping[tuple[int, int], tuple[str, ...]]


@dataclass(frozen=True)
class Criteria:
    """How the visits of one disease are judged.

    Attributes
    ----------
    edition : str
        The usual one.
    categories : tuple of str
        Worst first.
    reads : tuple of str
        Items of a visit.
    judge : callable
        (baseline, earlier visits, visit, limits) to the verdict on the visit.
    """

    edition: str
    categories: tuple[str, ...]
    reads: tuple[str, ...]
    judge: Callable[[Visit, Sequence[Visit], Visit, Mapping[str, float]], Verdict]


CRITERIA: dict[str, Criteria] = {
    "lugano": Criteria("response_lugano_2014", lugano.CATEGORIES, lugano.READS, lugano.judge),
    "iwcll": Criteria("response_iwcll_2018", iwcll.CATEGORIES, iwcll.READS, iwcll.judge),
    "imwg": Criteria("response_imwg_2016", imwg.CATEGORIES, imwg.READS, imwg.judge),
}
OF_LEUKEMIA = "response_b_all_eliana"  # the usual edition of the criteria "all", which are judged by respond_all
VISIT_ITEMS: dict[str, tuple[str, ...]] = {
    **{name: one.reads for name, one in CRITERIA.items()},
    "all": (
        "marrow_blasts", "mrd", "neutrophils", "platelets", "circulating_blasts", "extramedullary",
        "antigen_positive_share", "csf_white_cells", "csf_red_cells", "csf_blasts", "cns_signs",
    ),
}  # fmt: skip
TWO_IN_A_ROW = ("response_imwg_2016",)  # editions that ask for two assessments in a row, of progression too
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
    usual = CRITERIA[criteria].edition if criteria in CRITERIA else OF_LEUKEMIA
    stem = usual.rpartition("_")[0]
    kin = [name for name in editions() if (name.startswith(stem) and edition(name).rules) or name == usual]
    if edition_name is not None and edition_name not in kin:
        raise InputError(unknown(f"edition of the criteria '{criteria}'", edition_name, kin))
    if criteria == "all":
        return with_reasons(course, respond_all(course, criteria=edition_name or usual))
    how = CRITERIA[criteria]
    rules = edition(edition_name or usual)
    charts = _charts(course, criteria, tuple(lesions))
    names = how.categories
    n, k = course.shape
    status = np.full((n, k), -1, dtype=np.int8)
    reasons: dict[tuple[int, int], tuple[str, ...]] = {}
    lacking: dict[tuple[int, int], tuple[str, ...]] = {}
    for i, chart in enumerate(charts):
        base = _baseline(chart)
        for at in range(base + 1, len(chart)):
            column, visit = chart[at]
            baseline, earlier = chart[base][1], [one for _, one in chart[base:at]]
            verdict = how.judge(baseline, earlier, visit, rules.values)
            status[i, column] = names.index(verdict.category) if verdict.category else -1
            reasons[i, column] = verdict.reasons
            if verdict.lacking:
                lacking[i, column] = verdict.lacking
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
    charts: list[list[tuple[int, Visit]]] = []
    for i, patient in enumerate(course.patients):
        visits: list[tuple[int, Visit]] = []
        for column, day in enumerate(course.days.tolist()):
            values = {name: float(course.values[name][i, column]) for name in items}
            values = {name: value for name, value in values.items() if not np.isnan(value)}
            seen = by_cell.get((int(patient), day), {})
            if seen or any(name not in _FLAGS for name in values):
                visits.append((column, Visit(day, values, seen)))
        charts.append(visits)
    return charts


def _baseline(chart: list[tuple[int, Visit]]) -> int:
    early = [at for at, (_, visit) in enumerate(chart) if visit.day <= 0]
    return early[-1] if early else 0


def _response(
    course: Course, criteria: str, name: str, v: Mapping[str, float], names: tuple[str, ...], status: NDArray[np.int8],
    reasons: Texts, lacking: Texts,
) -> Response:  # fmt: skip
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
        {}, reasons, lacking,
        _confirmed(status, days, v.get("confirmed_after", 0.0)) & responding
        | (_seen_twice(status) & (name in TWO_IN_A_ROW)),
    )  # fmt: skip


def _first(holds: Flags, days: Floats) -> Floats:
    if not holds.shape[1]:
        return np.full(len(holds), np.inf)
    return np.where(holds.any(axis=1), days[holds.argmax(axis=1)], np.inf)


def _mrd_negative(course: Course, criteria: str, v: Mapping[str, float], in_response: Flags) -> Flags:
    if "mrd_negative" not in v:
        return np.zeros(len(course.patients), dtype=bool)
    clear = course.dense("mrd") < v["mrd_negative"]
    if criteria == "iwcll":
        clear &= course.dense("mrd_blood") < v["mrd_negative"]
    return np.asarray((clear & in_response).any(axis=1))


def _seen_twice(status: NDArray[np.int8]) -> Flags:
    """Cells of progression that the evaluable visit before or after shows too."""
    again = np.zeros(status.shape, dtype=bool)
    for i, row in enumerate(status):
        seen = np.flatnonzero(row >= 0)
        both = (row[seen[:-1]] == 0) & (row[seen[1:]] == 0)
        again[i, seen[:-1][both]] = again[i, seen[1:][both]] = True
    return again


def _confirmed(status: NDArray[np.int8], days: Floats, lasts: float) -> Flags:
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


def best_confirmed(response: Response) -> NDArray[np.str_]:
    """Best category before progression that two visits hold, as far apart as the criteria ask, and all between them.

    Shape (n,); "" where none is. A very good partial response after which a partial one is seen confirms the partial.
    """
    lasts = edition(response.edition).values.get("confirmed_after", 0.0)
    found = [_held_best(row, response.days, day, lasts) for row, day in zip(response.status, response.progression_day)]
    lowest = min(i for i, name in enumerate(response.categories) if name in ("MR", "PR"))
    return np.array([response.categories[top] if top >= lowest else "" for top in found], dtype=str)


def _held_best(row: NDArray[np.int8], days: Floats, progression: float, lasts: float) -> int:
    seen = np.flatnonzero((row >= 0) & (days < progression))
    best = -1
    for at, column in enumerate(seen):
        held = int(row[column])
        for later in seen[at + 1 :]:
            held = min(held, int(row[later]))
            if days[later] - days[column] >= lasts:
                best = max(best, held)
                break
    return best
