"""Locks between processes: one holder at a time; the system gives a lock free when its holder ends, however it ends.

On Windows a folder cannot be locked: a file in it stands for it.
"""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from vein2vein.errors import InputError
from vein2vein.files import make_folder

IN_FOLDER = ".lock"
_TAKEN = (errno.EACCES, errno.EAGAIN, errno.EDEADLK)


def take_lock(path: Path) -> int | None:
    """Lock a file, which is made where there is none, or a folder.

    Parameters
    ----------
    path : Path

    Returns
    -------
    int or None
        A handle for ``release_lock``; None where another process holds the lock.
    """
    if path.is_dir() and sys.platform == "win32":
        path = path / IN_FOLDER
    handle = os.open(path, os.O_RDONLY) if path.is_dir() else os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        _lock(handle)
    except OSError as problem:
        os.close(handle)
        if problem.errno in _TAKEN:
            return None
        raise
    return handle


def release_lock(handle: int) -> None:
    """Give a lock free."""
    os.close(handle)


@contextmanager
def alone(folder: Path) -> Generator[None]:
    """Let no second process write into a folder, which is made where there is none.

    Raises
    ------
    InputError
        Another process holds it.
    """
    make_folder(folder)
    handle = take_lock(folder)
    if handle is None:
        raise InputError(f"{folder} is in use by another run; wait for it, or give another folder.")
    try:
        yield
    finally:
        release_lock(handle)


def _lock(handle: int) -> None:
    if sys.platform == "win32":
        import msvcrt

        msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        return
    import fcntl

    fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
