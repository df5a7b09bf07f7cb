"""Work on many patients, shared out to the cores of this machine."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache

_CHUNKS_PER_THREAD = 4
_GROUPS_PER_CHUNK = 4


def available() -> int:
    """Cores this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1


@lru_cache(maxsize=4)
def _pool(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads, thread_name_prefix="vein2vein")


if hasattr(os, "register_at_fork"):  # a child process has none of its parent's threads
    os.register_at_fork(after_in_child=_pool.cache_clear)


def share(run: Callable[[int, int], None], groups: int, threads: int | None) -> None:
    """Run a function of (first, last) for all groups, shared out to threads."""
    if groups <= _GROUPS_PER_CHUNK:
        run(0, groups)
        return
    threads = threads or available()
    size = max(_GROUPS_PER_CHUNK, -(-groups // (threads * _CHUNKS_PER_THREAD)))
    if threads == 1 or groups <= size:
        run(0, groups)
        return
    pool = _pool(threads)
    for job in [pool.submit(run, first, min(first + size, groups)) for first in range(0, groups, size)]:
        job.result()
