"""The comparison with published figures and the counts of a large run, from its chunks, one chunk in memory at a time.

The comparison is the one of ``comparison.compare``, to the last bit: the same trials are drawn, but only the patients
who were drawn are fetched.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vein2vein.runs.store import Cells, Columns, read_parquet
from vein2vein.trials.comparison import LEVEL, RESAMPLES, Row, beside, draw, nobody, summarize
from vein2vein.trials.published import Published

MOST_DRAWN = 10_000  # patients in a drawn trial whose published size is not known

# quantity -> table and column that it counts; each value of it becomes a row
COUNTED = {
    "infused": ("patients", "infused"),
    "not infused because of": ("patients", "not_infused_reason"),
    "computed to the end (0) or why not": ("patients", "status"),
    "best response": ("outcomes", "best_response"),
    "residual disease negative": ("outcomes", "mrd_negative"),
    "antigen at relapse": ("outcomes", "relapse_antigen"),
    "cause of death": ("outcomes", "death_cause"),
}
GRADED = "worst_"


@dataclass
class _Drawn:
    """The trials drawn for one published row while they are filled."""

    row: Published
    pool: int
    at: NDArray[np.intp]
    before: int = 0
    values: list[Cells] = field(default_factory=list[Cells])


def compare_chunks(
    published: Sequence[Published],
    chunks: Sequence[Path],
    *,
    seed: int,
    resamples: int = RESAMPLES,
    level: float = LEVEL,
) -> tuple[Row, ...]:
    """Set each published row beside simulated trials of its size, drawn from the patients of all chunks.

    Parameters
    ----------
    published : sequence of Published
    chunks : sequence of path
        Tables ``readings`` by patient number.
    seed, resamples, level
        As for ``comparison.compare``.
    """
    asked = [i for i, row in enumerate(published) if row.endpoint]
    if not asked:
        return tuple(beside(row, 0, None, level=level) for row in published)
    pool = dict.fromkeys(asked, 0)
    missing: dict[int, list[str]] = {i: [] for i in asked}
    for file in chunks:
        found = read_parquet([file], columns=("in_.*", "missing_.*"))
        for i in asked:
            pool[i] += int(found[f"in_{i}"].sum())
            missing[i] += [str(found[f"missing_{i}"][0])] if f"missing_{i}" in found else []
    absent = {i: reasons[0] for i, reasons in missing.items() if reasons and len(reasons) == len(chunks)}
    drawn: dict[int, _Drawn] = {}
    for i in asked:
        if pool[i] and i not in absent:
            size = published[i].draw or min(pool[i], MOST_DRAWN)
            drawn[i] = _Drawn(published[i], pool[i], draw(np.arange(pool[i]), size, resamples=resamples, seed=seed))
    for file in chunks:
        _fetch(drawn, read_parquet([file]))
    rows: list[Row] = []
    for i, row in enumerate(published):
        if i in drawn:
            rows.append(beside(row, drawn[i].pool, summarize(row, *drawn[i].values), level=level))
        else:
            reason = absent.get(i, nobody(row)) if row.endpoint else ""
            rows.append(beside(row, 0, None, level=level, missing=reason))
    return tuple(rows)


def _fetch(drawn: dict[int, _Drawn], found: Columns) -> None:
    """Fill in the drawn patients who are in this chunk."""
    for i, one in drawn.items():
        members = np.flatnonzero(found[f"in_{i}"])
        here = (one.at >= one.before) & (one.at < one.before + members.size)
        rows = members[one.at[here] - one.before]
        j = 0
        while (name := f"row_{i}_{j}") in found:
            if len(one.values) == j:
                one.values.append(np.zeros(one.at.shape, found[name].dtype))
            one.values[j][here] = found[name][rows]
            j += 1
        one.before += members.size


def count_chunks(files: dict[str, list[Path]], grades: Sequence[str]) -> Columns:
    """Count patients by what became of them, and by worst grade.

    Parameters
    ----------
    files : dict of table to list of path
    grades : sequence of str
        Columns ``worst_<finding>`` of the table ``summaries``.

    Returns
    -------
    dict
        Columns quantity, value, patients and share (of those enrolled).
    """
    import duckdb

    from vein2vein.runs.store import listed

    counted = {**COUNTED, **{f"worst grade, {g.removeprefix(GRADED)}": ("summaries", g) for g in grades}}
    rows: list[tuple[str, str, int]] = []
    with duckdb.connect() as connection:
        for quantity, (table, column) in counted.items():
            query = f'SELECT CAST("{column}" AS VARCHAR), count(*) FROM {listed(files[table])} GROUP BY 1 ORDER BY 1'
            rows += [(quantity, value, count) for value, count in connection.execute(query).fetchall()]
    enrolled = sum(count for quantity, _, count in rows if quantity == "infused")
    patients = np.array([count for _, _, count in rows], np.int64)
    return {
        "quantity": np.array([quantity for quantity, _, _ in rows]),
        "value": np.array([value for _, value, _ in rows]),
        "patients": patients,
        "share": patients / max(enrolled, 1),
    }
