"""What is expensive to make and may be asked for again: the most recently used, found by a key, made once."""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

Made = TypeVar("Made")


class Kept(Generic[Made]):
    """Up to ``most`` of what was made, the least recently used given up first.

    A key says by content what is made, never by the place of an object in memory: a place is used again. Threads that
    ask for one key at once wait for one of them to make it; those that ask for other keys do not wait.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self._made: OrderedDict[Hashable, Made] = OrderedDict()
        self._forget_threads()
        if hasattr(os, "register_at_fork"):  # a child process has no thread that would ever give the locks back
            os.register_at_fork(after_in_child=self._forget_threads)

    def _forget_threads(self) -> None:
        self._lock = threading.Lock()
        self._under_way: dict[Hashable, threading.Lock] = {}

    def __len__(self) -> int:
        return len(self._made)

    def get(self, key: Hashable, make: Callable[[], Made]) -> Made:
        """What was made for a key, or what ``make`` makes now; an exception of ``make`` leaves nothing behind."""
        with self._lock:
            if key in self._made:
                self._made.move_to_end(key)
                return self._made[key]
            turn = self._under_way.setdefault(key, threading.Lock())
        with turn:
            with self._lock:
                if key in self._made:
                    return self._made[key]
            try:
                made = make()
                with self._lock:
                    self._made[key] = made
                    while len(self._made) > self.most:
                        self._made.popitem(last=False)
            finally:
                with self._lock:
                    self._under_way.pop(key, None)
            return made

    def clear(self) -> None:
        """Give up everything."""
        with self._lock:
            self._made.clear()
