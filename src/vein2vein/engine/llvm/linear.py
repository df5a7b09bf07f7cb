"""Linear systems with a known pattern of zeros, solved by straight-line code without pivoting.

The systems are those of a Rosenbrock step, (1 / (gamma h) - J) k = b. Which entries are zero is known when the model is
recorded, so the order of elimination, the fill-in and every multiplication are settled then. The diagonal is the pivot:
it dominates when the step is short, and a solution is judged by its residual.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from vein2vein.engine.llvm.scheduling import interleaved
from vein2vein.engine.llvm.vector_math import Assembly, lesser

Entry = tuple[int, int]

RESIDUAL = 1e-9
"""Largest residual of a row in units of the sum of its terms."""
NEGLIGIBLE = 1e-250
"""Residuals below this are no error: so small numbers have few digits."""


@dataclass(frozen=True)
class Elimination:
    """How to factor a matrix with a given pattern.

    Attributes
    ----------
    size : int
    pattern : tuple of (row, column)
        Entries of the Jacobian that are not structurally zero, in the order in which they are stored.
    order : tuple of int
        Pivots.
    below, right : tuple of tuple of int
        Per pivot: rows below it that it changes; columns to its right, fill-in included, in the order in which their
        unknowns become known.
    slots : mapping of (row, column) to int
        Place of each entry of the factors L and U, in the order in which a solution reads them. Both are in units of
        the pivot: a column of L and a row of U are divided by it, and a diagonal place holds its reciprocal.
    """

    size: int
    pattern: tuple[Entry, ...]
    order: tuple[int, ...]
    below: tuple[tuple[int, ...], ...]
    right: tuple[tuple[int, ...], ...]
    slots: dict[Entry, int]


def plan(size: int, pattern: Iterable[Entry]) -> Elimination:
    """Order of elimination (least product of row and column counts first) and the fill-in that it brings."""
    entries = tuple(pattern)
    rows = {i: {i} for i in range(size)}
    columns = {i: {i} for i in range(size)}
    for i, j in entries:
        rows[i].add(j)
        columns[j].add(i)
    left = set(range(size))
    order: list[int] = []
    below: list[tuple[int, ...]] = []
    right: list[tuple[int, ...]] = []
    while left:
        pivot = min(left, key=lambda k: ((len(rows[k]) - 1) * (len(columns[k]) - 1), k))
        left.remove(pivot)
        down, across = sorted(columns[pivot] - {pivot}), sorted(rows[pivot] - {pivot})
        for i in down:
            rows[i].discard(pivot)
            rows[i].update(across)
        for j in across:
            columns[j].discard(pivot)
            columns[j].update(down)
        order.append(pivot)
        below.append(tuple(down))
        right.append(tuple(across))
    place = {k: n for n, k in enumerate(order)}
    right = [tuple(sorted(across, key=place.__getitem__, reverse=True)) for across in right]
    # In the order in which a solution reads them.
    read = [(i, k) for k, down in zip(order, below) for i in down]
    read += [(k, j) for k, across in zip(order[::-1], right[::-1]) for j in (k, *across)]
    slots = {entry: slot for slot, entry in enumerate(read)}
    return Elimination(size, entries, tuple(order), tuple(below), tuple(right), slots)


def operations(p: Elimination) -> tuple[int, int]:
    """Additions, multiplications and divisions of a factorization and of a solution."""
    factor = sum(1 + len(d) * (1 + 2 * len(r)) + len(r) for d, r in zip(p.below, p.right))
    solve = sum(1 + 2 * len(d) + 2 * len(r) for d, r in zip(p.below, p.right))
    return factor, solve


def solve(p: Elimination, diagonal: float, jacobian: Sequence[float], b: Sequence[float]) -> list[float]:
    """Solution of (diagonal - J) k = b by the plan, in plain Python; the twin of the generated code."""
    value = dict.fromkeys(p.slots, 0.0)
    for entry, number in zip(p.pattern, jacobian):
        value[entry] = -number
    for k in range(p.size):
        value[k, k] += diagonal
    k_vector = list(b)
    for k, down, across in zip(p.order, p.below, p.right):
        value[k, k] = 1 / value[k, k]
        for i in down:
            value[i, k] *= value[k, k]
            for j in across:
                value[i, j] -= value[i, k] * value[k, j]
            k_vector[i] -= value[i, k] * k_vector[k]
        for j in across:
            value[k, j] *= value[k, k]
    for k in range(p.size):
        k_vector[k] *= value[k, k]
    for k, across in zip(p.order[::-1], p.right[::-1]):
        k_vector[k] -= sum(value[k, j] * k_vector[j] for j in across)
    return k_vector


def functions(p: Elimination, width: int, fused: bool) -> str:
    """Assembly of ``factor(diagonal, jacobian, factors)``, ``solve(factors, b, more)`` and ``residual``.

    ``solve`` replaces b by the solution for b + more.
    """
    return "\n".join(
        [_factor(p, Assembly(width, fused)), _solve(p, Assembly(width, fused)), _residual(p, width, fused)]
    )


def _factor(p: Elimination, a: Assembly) -> str:
    """Row by row, so that only the entries of one row wait; an entry is loaded where it is first needed."""
    places = {entry: i for i, entry in enumerate(p.pattern)}
    left: dict[int, list[int]] = {i: [] for i in range(p.size)}
    for k, down in zip(p.order, p.below):
        for i in down:
            left[i].append(k)
    inverse: dict[int, str] = {}
    upper: dict[Entry, str] = {}
    columns = dict(zip(p.order, p.right))
    for i in p.order:
        row: dict[int, str] = {}

        def entry(j: int, i: int = i, row: dict[int, str] = row) -> str | None:
            if j not in row and (i, j) in places:
                known = a.load("%jac", places[i, j])
                row[j] = a.binary("fsub", "%diagonal", known) if i == j else a.negative(known)
            return row.get(j, "%diagonal" if i == j else None)

        for k in left[i]:
            below = entry(k) or ""
            a.store(a.binary("fmul", below, inverse[k]), "%lu", p.slots[i, k])
            minus = a.negative(below)
            for j in columns[k]:
                old = entry(j)
                row[j] = a.fma(minus, upper[k, j], old) if old else a.binary("fmul", minus, upper[k, j])
        inverse[i] = a.binary("fdiv", a.number(1.0), entry(i) or "")
        a.store(inverse[i], "%lu", p.slots[i, i])
        for j in columns[i]:
            upper[i, j] = a.binary("fmul", entry(j) or "", inverse[i])
            a.store(upper[i, j], "%lu", p.slots[i, j])
    head = f"define internal void @factor({a.vector} %diagonal, ptr noalias %jac, ptr noalias %lu) #0 {{"
    return "\n".join([head, "entry:", *interleaved(a.lines), "  ret void", "}"])


def _solve(p: Elimination, a: Assembly) -> str:
    """The chain from the first pivot to the last unknown is all that takes time: one multiply-add per row and way."""
    value: dict[int, str] = {}

    def given(i: int) -> str:
        return value.get(i) or a.binary("fadd", a.load("%b", i), a.load("%more", i))

    for k, down in zip(p.order, p.below):
        value[k] = given(k)
        for i in down:
            value[i] = a.fma(a.negative(a.load("%lu", p.slots[i, k])), value[k], given(i))
    for k, across in zip(p.order[::-1], p.right[::-1]):
        value[k] = a.binary("fmul", value[k], a.load("%lu", p.slots[k, k]))
        for j in across:
            value[k] = a.fma(a.negative(a.load("%lu", p.slots[k, j])), value[j], value[k])
        a.store(value[k], "%b", k)
    head = "define internal void @solve(ptr noalias %lu, ptr noalias %b, ptr noalias %more) #0 {"
    return "\n".join([head, "entry:", *interleaved(a.lines), "  ret void", "}"])


def _residual(p: Elimination, width: int, fused: bool) -> str:
    """Function whose value is above 0, or not a number, where a row of a solution leaves too large a residual."""
    a = Assembly(width, fused)
    worst = a.number(0.0)
    for row in range(p.size):
        term = a.binary("fmul", "%diagonal", a.load("%k", row))
        given = a.load("%b", row)
        total, size = a.binary("fsub", term, given), a.binary("fadd", a.absolute(term), a.absolute(given))
        for place, (i, j) in enumerate(p.pattern):
            if i == row:
                term = a.binary("fmul", a.load("%jac", place), a.load("%k", j))
                total = a.binary("fsub", total, term)
                size = a.binary("fadd", size, a.absolute(term))
        excess = a.fma(a.number(-RESIDUAL), size, a.absolute(total))
        excess = lesser(a, a.number(0.0), a.binary("fsub", excess, a.number(NEGLIGIBLE)), greater=True, steady=True)
        worst = a.binary("fadd", worst, excess)
    v = a.vector
    head = f"define internal {v} @residual({v} %diagonal, ptr noalias %jac, ptr noalias %b, ptr noalias %k) #0 {{"
    return "\n".join([head, "entry:", *interleaved(a.lines), f"  ret {v} {worst}", "}"])
