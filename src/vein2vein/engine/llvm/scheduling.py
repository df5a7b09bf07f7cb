"""Puts straight-line instructions into an order in which few have to wait for a result.

A division or a chain of multiply-adds takes many times longer than it occupies the processor. Written one after the
other, the chains of an exponential, a logarithm or a triangular solution leave it idle: it looks ahead, but not far
enough. So the instructions are lined up as a processor would start them that looks ``WINDOW`` instructions ahead. Their
operands stay what they were: no bit of a result changes.
"""

from __future__ import annotations

import heapq
import re
from collections.abc import Sequence

WINDOW = 800
PER_CYCLE = 2
_NAME = re.compile(r"%[\w.]+")
_CYCLES = {"fdiv": 13, "load": 7, "fcmp": 5, "getelementptr": 0, "bitcast": 0, "sqrt": 20}
_OTHER = 4


def interleaved(lines: Sequence[str]) -> list[str]:
    """The same instructions, without branches, in another order; a value is stored as soon as it is there.

    Every line gives a value a name or stores one. A place that is both loaded and stored to gets a value that rests on
    what was loaded there.
    """
    body = list(lines)
    place = {line.split(" = ", 1)[0].strip(): i for i, line in enumerate(body) if not _stores(line)}
    users: list[list[int]] = [[] for _ in body]
    missing = [0] * len(body)
    for i, line in enumerate(body):
        for name in set(_NAME.findall(line if _stores(line) else line.split(" = ", 1)[1])):
            if name in place:
                users[place[name]].append(i)
                missing[i] += 1
    cycles = [_cycles(line) for line in body]
    at = [0] * len(body)  # cycle at which the operands are there
    later = [(0, i) for i in range(len(body)) if not missing[i]]
    heapq.heapify(later)
    ready: list[int] = []
    done = [False] * len(body)
    order: list[str] = []
    first = cycle = slots = 0
    while len(order) < len(body):
        while later and later[0][0] <= cycle:
            heapq.heappush(ready, heapq.heappop(later)[1])
        if not ready or ready[0] >= first + WINDOW:
            cycle, slots = max(cycle + 1, later[0][0]) if later else cycle + 1, 0
            continue
        i = heapq.heappop(ready)
        order.append(body[i])
        done[i] = True
        while first < len(body) and done[first]:
            first += 1
        for user in users[i]:
            at[user] = max(at[user], cycle + cycles[i])
            missing[user] -= 1
            if not missing[user]:
                heapq.heappush(later, (at[user], user))
        slots += cycles[i] > 0
        if slots == PER_CYCLE:
            cycle, slots = cycle + 1, 0
    return order


def _stores(line: str) -> bool:
    return line.startswith("  store")


def _cycles(line: str) -> int:
    if _stores(line):
        return _OTHER
    words = line.split(" = ", 1)[1].split()
    name = "sqrt" if "sqrt" in line else words[0]
    return _CYCLES.get(name, _OTHER)
