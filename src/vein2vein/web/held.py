"""What a page works with and nobody asked to keep: held in memory alone, under an id, and forgotten after a while."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from typing import Any, TypeVar

from vein2vein.errors import InputError
from vein2vein.web.workspace import Missing, new_id

IDLE = 8 * 3600.0  # seconds without a look after which it is forgotten: a shift
MOST = 500_000_000  # bytes held in all
Value = TypeVar("Value")


@dataclass
class _Kept:
    value: Any
    size: int
    used: float


@dataclass
class Held:
    """Values by kind and id, in memory alone; they end with the server."""

    idle: float = IDLE
    most: int = MOST
    lock: threading.RLock = field(default_factory=threading.RLock, repr=False)
    _kept: dict[tuple[str, str], _Kept] = field(default_factory=dict[tuple[str, str], _Kept], repr=False)

    def put(self, value: object, size: int, key: str = "") -> str:
        """Hold a value and return its id; with ``key`` in place of the one before.

        Raises
        ------
        InputError
            More is held than the memory is allowed to.
        """
        with self.lock:
            self.rest()
            place = type(value).__name__, key or new_id()
            before = self._kept[place].size if place in self._kept else 0
            if sum(one.size for one in self._kept.values()) - before + size > self.most:
                raise InputError(
                    "more is open than the memory is allowed to hold; close what is no longer needed, then try again."
                )
            self._kept[place] = _Kept(value, size, time.monotonic())
        return place[1]

    def find(self, kind: type[Value], key: str) -> Value | None:
        """A value by its id; None where there is none."""
        with self.lock:
            self.rest()
            found = self._kept.get((kind.__name__, key))
            if found is None:
                return None
            found.used = time.monotonic()
            return found.value

    def get(self, kind: type[Value], key: str) -> Value:
        """A value by its id.

        Raises
        ------
        Missing
            There is none: it was closed, it lay too long, or the server was started anew.
        """
        found = self.find(kind, key)
        if found is None:
            raise Missing(
                "this is no longer open: it was closed, or lay too long, or vein2vein was started anew. Open it again."
            )
        return found

    def drop(self, kind: type[object], key: str) -> None:
        """Forget a value."""
        with self.lock:
            self._kept.pop((kind.__name__, key), None)

    def listed(self, kind: type[Value]) -> list[tuple[str, Value]]:
        """Ids and values of a kind, the one that was looked at last first."""
        with self.lock:
            self.rest()
            found = [(one.used, key, one.value) for (name, key), one in self._kept.items() if name == kind.__name__]
        return [(key, value) for _, key, value in sorted(found, key=lambda one: -one[0])]

    def rest(self) -> None:
        """Forget what nobody has looked at for long."""
        with self.lock:
            late = time.monotonic() - self.idle
            for place in [place for place, one in self._kept.items() if one.used < late]:
                del self._kept[place]

    def close(self) -> None:
        """Forget everything."""
        with self.lock:
            self._kept.clear()
