"""Files that are written: whole or not at all, under their own name, and never over what is not a file.

Every file that vein2vein writes goes through this room. What is written stands first beside its place, in the same
folder and under a name of its own, and takes its place in one step once it is whole: whoever looks sees the old file or
the new one. A target that is a device, a pipe, a socket, a folder or a symbolic link is refused, whatever ``force``
says. Of a file with several names (hard links) only the name that was given gets the new content; the others keep what
they hold, so that a backup made of links is not changed with it. A file that replaces another keeps its permissions; a
new one has those that the process gives (umask).
"""

from __future__ import annotations

import errno
import hashlib
import os
import re
import secrets
import stat
import unicodedata
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, TextIO

from vein2vein.errors import InputError

_SCRATCH = re.compile(r"\.[0-9a-f]{16}\.part")
_LONGEST_SHOWN = 200  # characters of a path that a sentence shows
_KINDS = (
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"),
)
_FULL = {errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)}


class WriteError(InputError, OSError):
    """Writing failed on the way (a full disk, a folder that is gone); what stood there before still does.

    Bad input to whoever catches ``InputError``, a failure of the system to whoever catches ``OSError``: ``errno``,
    ``strerror`` and ``filename`` are those of the system.
    """

    def __init__(self, text: str, *, file: str | Path | None = None, number: int | None = None, why: str = "") -> None:
        super().__init__(text, file=file)
        self.errno = number
        self.strerror = why or text
        self.filename = None if file is None else str(file)

    def __str__(self) -> str:
        return f"{self.file}: {self.text}" if self.file else self.text


def shown(path: str | Path) -> str:
    """Return a path as a sentence shows it: a very long one without its middle."""
    text = str(path)
    half = _LONGEST_SHOWN // 2
    return text if len(text) <= _LONGEST_SHOWN else f"{text[:half]}...{text[-half:]}"


def check_target(path: str | Path, *, force: bool = False) -> Path:
    """Refuse a place that cannot or may not be written, before any work is done.

    Parameters
    ----------
    path : path
        File to write.
    force : bool
        Whether a regular file that stands there may be replaced.

    Returns
    -------
    Path

    Raises
    ------
    InputError
        Something else than a regular file stands there (device, pipe, socket, folder, symbolic link); a file stands
        there and ``force`` is not given, or is write-protected; the folder does not exist or may not be written.
    """
    path = _named(path)
    found = _look(path)
    if found is None:
        _check_folder(path.parent)
        return path
    name, mode = shown(path), found.st_mode
    if stat.S_ISLNK(mode):
        raise InputError(f"'{name}' is a symbolic link, and nothing is written through one; give the file's own name.")
    if stat.S_ISDIR(mode):
        raise InputError(f"'{name}' is a folder; give the name of a file, such as '{shown(path / 'report.html')}'.")
    if not stat.S_ISREG(mode):
        kind = next((word for is_kind, word in _KINDS if is_kind(mode)), "no regular file")
        raise InputError(f"'{name}' is {kind}, and nothing is written over one; give the name of a file.")
    if not force:
        raise InputError(
            f"'{name}' exists already and is not overwritten; choose another name or force it (--force, force=True)."
        )
    if not mode & (stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH):
        raise InputError(f"'{name}' is write-protected; choose another name, or allow it to be written.")
    _check_folder(path.parent)
    return path


def is_regular(path: str | Path) -> bool:
    """Whether a regular file stands at a path itself, not behind a link: one that can be read without waiting."""
    try:
        return stat.S_ISREG(os.lstat(path).st_mode)
    except (OSError, ValueError):
        return False


def make_folder(folder: str | Path) -> Path:
    """Make a folder, with those above it; one that exists, or a link to one, is taken as it is.

    Raises
    ------
    InputError
        Something else stands in its way, or it cannot be made or written.
    """
    folder = _named(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError, FileNotFoundError):
        way = next((p for p in (folder, *folder.parents) if os.path.lexists(p) and not p.is_dir()), folder)
        what = "a symbolic link to nothing" if way.is_symlink() else "a file"
        raise InputError(
            f"'{shown(folder)}' cannot be a folder because {what} stands in its way"
            f"{'' if way == folder else f' ({shown(way)})'}; give another one (--out)."
        ) from None
    except OSError as problem:
        raise InputError(
            f"the folder '{shown(folder)}' cannot be made ({problem.strerror}); give another one (--out)."
        ) from None
    _check_folder(folder)
    return folder


@contextmanager
def scratch_path(path: str | Path, *, force: bool = False, durable: bool = False) -> Generator[Path]:
    """Give a path to write to, for libraries that open files themselves; what stands there becomes ``path`` at the end.

    Parameters
    ----------
    path : path
        Where the file goes.
    force : bool
        Replace a regular file that stands there.
    durable : bool
        Let the file reach the disk before it takes its place, so that a failure of power leaves it whole, too.

    Yields
    ------
    Path
        In the same folder; nothing stands there yet. It is removed where the block ends with an error.

    Raises
    ------
    InputError
        As ``check_target`` does; as ``WriteError`` where writing fails on the way.
    """
    path = check_target(path, force=force)
    before = _look(path)
    scratch = path.with_name(f".{secrets.token_hex(8)}.part")
    try:
        yield scratch
        if before is not None:
            os.chmod(scratch, stat.S_IMODE(before.st_mode))
        if durable:
            _sync(scratch)
        check_target(path, force=force)  # once more: a run may have lasted for hours
        os.replace(scratch, path)
    except BaseException as problem:
        with suppress(OSError):
            scratch.unlink(missing_ok=True)
        if isinstance(problem, OSError) and not isinstance(problem, WriteError | BrokenPipeError):
            raise _failed(problem, path) from None
        raise
    if durable:
        _sync(path.parent)


@contextmanager
def open_binary(path: str | Path, *, force: bool = False, durable: bool = False) -> Generator[BinaryIO]:
    """Give a binary stream whose content becomes ``path`` when the block ends well; see ``scratch_path``."""
    with scratch_path(path, force=force, durable=durable) as scratch, open(scratch, "xb") as stream:
        yield stream


@contextmanager
def open_text(path: str | Path, *, force: bool = False, durable: bool = False) -> Generator[TextIO]:
    """Give a stream of text (UTF-8, lines end as they are written) that becomes ``path``; see ``scratch_path``.

    Halves of surrogate pairs, which are no characters, are written as question marks.
    """
    with (
        scratch_path(path, force=force, durable=durable) as scratch,
        open(scratch, "x", encoding="utf-8", errors="replace", newline="") as stream,
    ):
        yield stream


def write_text(path: str | Path, text: str, *, force: bool = False, durable: bool = False) -> Path:
    """Write a text file whole or not at all; see ``scratch_path``."""
    with open_text(path, force=force, durable=durable) as stream:
        stream.write(text)
    return Path(path)


def write_bytes(path: str | Path, content: bytes, *, force: bool = False, durable: bool = False) -> Path:
    """Write a file whole or not at all; see ``scratch_path``."""
    with open_binary(path, force=force, durable=durable) as stream:
        stream.write(content)
    return Path(path)


def checksum(content: bytes | Path) -> str:
    """Return the SHA-256 of some bytes, or of the file at a path, in hexadecimal digits."""
    if isinstance(content, bytes):
        return hashlib.sha256(content).hexdigest()
    with content.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def strays(folder: Path) -> list[Path]:
    """Return what this room left in a folder when its process was killed while it wrote."""
    return sorted(path for path in folder.iterdir() if _SCRATCH.fullmatch(path.name) and not path.is_dir())


def refused_by_library(problem: Exception, path: Path) -> WriteError:
    """Return the failure that a library met which says in words only what the system told it."""
    full = os.strerror(errno.ENOSPC) in str(problem)
    said = OSError(errno.ENOSPC if full else errno.EIO, os.strerror(errno.ENOSPC if full else errno.EIO))
    return _failed(said, path)


def _named(path: str | Path) -> Path:
    """A path that can name a file on paper and on disk."""
    if any(unicodedata.category(c) in ("Cc", "Cs") for c in str(path)):
        raise InputError(
            f"the name {shown(path)!r} holds a control character or bytes that are no text; choose another name."
        )
    return Path(path)


def _look(path: Path) -> os.stat_result | None:
    """What stands at a path, links not followed; None where nothing does."""
    try:
        return os.lstat(path)
    except FileNotFoundError:
        return None
    except NotADirectoryError:
        raise InputError(
            f"'{shown(path)}' cannot be a file because a file stands where its folder should be; choose another place."
        ) from None
    except OSError as problem:
        raise InputError(
            f"'{shown(path)}' cannot be written ({problem.strerror}); choose another name or place."
        ) from None


def _check_folder(folder: Path) -> None:
    if not folder.is_dir():
        link = next((p for p in (folder, *folder.parents) if p.is_symlink() and not p.exists()), None)
        if link is not None:
            raise InputError(f"'{shown(link)}' is a symbolic link to nothing; mend it, or choose another folder.")
        raise InputError(f"the folder '{shown(folder)}' does not exist; create it or choose another one.")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise InputError(f"the folder '{shown(folder)}' may not be written; choose another one.")


def _failed(problem: OSError, path: Path) -> WriteError:
    why = problem.strerror or " ".join(str(problem).split())
    full = problem.errno in _FULL
    remedy = "free some space, or choose another place." if full else "check the folder and its permissions."
    return WriteError(f"cannot be written ({why}); {remedy}", file=path, number=problem.errno, why=why)


def _sync(path: Path) -> None:
    """Let what was written reach the disk; folders cannot be flushed on every system."""
    if path.is_dir() and os.name != "posix":
        return
    handle = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def alone(folder: Path) -> Generator[None]:
    """Let no second process write into the folder; the system ends the lock with the process."""
    make_folder(folder)
    if os.name != "posix":
        yield
        return
    import fcntl

    handle = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InputError(f"{folder} is in use by another run; wait for it, or give another folder.") from None
        yield
    finally:
        os.close(handle)
