"""Why a visit of a patient with leukemia is a remission, no response or a relapse: what was seen, and what was not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from vein2vein.clinic.criteria import edition, rows_of
from vein2vein.clinic.grades.grades import Flags, carried
from vein2vein.clinic.response.response import Remission, Response
from vein2vein.therapy.course import Course

RELAPSE = "relapse"
COUNTS = ("neutrophils", "platelets")
ELSEWHERE = {  # of which any sign is disease; blasts in blood have a limit of their own
    "extramedullary": "extramedullary disease",
    "csf_blasts": "blasts in cerebrospinal fluid",
    "cns_signs": "clinical signs of leukemia in the nervous system",
}


def with_reasons(course: Course, found: Response) -> Response:
    """The same response, with the reason of each visit, what it lacks, and which visits are relapses.

    Parameters
    ----------
    course : Course
        The one that was judged; its days are those of the response.
    found : Response
        From ``respond_all``.

    Notes
    -----
    A relapse is disease after a remission that counts as a response. A remission without a word on disease outside of
    the marrow lacks it: it was taken as absent.
    """
    response = {row.name for row in rows_of(found.edition, Remission) if row.response}
    counts_as = np.array([name in response for name in found.categories])
    remission = (found.status > 0) & counts_as[np.maximum(found.status, 0)]
    relapsed = np.zeros(found.status.shape, dtype=bool)
    reasons: dict[tuple[int, int], tuple[str, ...]] = {}
    lacking: dict[tuple[int, int], tuple[str, ...]] = {}
    v = edition(found.edition).values
    counts = {name: carried(course, name, v["counts_last"]) for name in COUNTS}
    rows, columns = np.nonzero(found.status >= 0)
    for i, column in zip(rows.tolist(), columns.tolist()):
        disease = _disease(course, i, column, v["relapse_circulating"])
        before = np.flatnonzero(remission[i, :column])
        name: str = found.categories[int(found.status[i, column])]
        if found.status[i, column] == 0 and before.size:
            relapsed[i, column] = True
            last = int(before[-1])
            since = f"after {found.categories[found.status[i, last]]} on day {found.days[last]:g}"
            reasons[i, column] = (*_marrow(course, i, column), *disease, since)
            continue
        measured = [(one, float(counts[one][i, column])) for one in COUNTS]
        told = [f"{one} {value:g}" for one, value in measured if np.isfinite(value)]
        reasons[i, column] = (*_marrow(course, i, column), *disease, *(told if found.status[i, column] > 0 else ()))
        if name in response:
            absent = [one for one, value in measured if np.isnan(value)]
            if np.isnan(course.dense("extramedullary")[i, column]):
                absent.append("extramedullary")
            if absent:
                lacking[i, column] = tuple(absent)
    return replace(found, reasons=reasons, lacking=lacking, relapsed=_as_flags(relapsed))


def _as_flags(cells: Flags) -> Flags:
    return np.asarray(cells, dtype=bool)


def _marrow(course: Course, i: int, column: int) -> tuple[str, ...]:
    blasts, mrd = course.dense("marrow_blasts")[i, column], course.dense("mrd")[i, column]
    sign = "<" if bool(course.marked(course.below_lloq, "mrd")[i, column]) else ""
    told = (f"marrow blasts {blasts:g} %",) if np.isfinite(blasts) else ("marrow not examined",)
    return (*told, f"residual disease {sign}{mrd:g}") if np.isfinite(mrd) else told


def _disease(course: Course, i: int, column: int, circulating: float) -> tuple[str, ...]:
    """What was seen outside of the marrow."""
    blood = course.dense("circulating_blasts")[i, column]
    told = (f"blasts in blood {blood:g} x 10^9/L",) if blood >= circulating else ()
    return (*told, *(text for name, text in ELSEWHERE.items() if course.dense(name)[i, column] >= 1))
