"""Compiled code on disk, so that only the first run of a model pays for the compiler.

An entry is a file named by the hash of everything the code depends on, holding a checksum and the code. It is written
whole or not at all; one that does not match its checksum is ignored and rebuilt. Where nothing can be written,
work goes on without.
"""

from __future__ import annotations

import hashlib
import os
import sys
import warnings
from pathlib import Path

from vein2vein.errors import InputError
from vein2vein.files import WriteError, make_folder, write_bytes

VARIABLE = "VEIN2VEIN_CACHE"
_DIGEST = hashlib.sha256
_told: set[str] = set()


def folder() -> Path:
    """Folder of the compiled code: ``VEIN2VEIN_CACHE``, or the platform's place for caches."""
    chosen = os.environ.get(VARIABLE)
    if chosen:
        return Path(chosen)
    if sys.platform == "darwin":
        place = Path.home() / "Library" / "Caches"
    elif sys.platform == "win32":
        place = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    else:
        place = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return place / "vein2vein"


def key(*parts: str) -> str:
    """Name of an entry from everything that its content depends on."""
    return _DIGEST("\0".join(parts).encode()).hexdigest()


def read(name: str) -> bytes | None:
    """Content of an entry; None where it is absent, unreadable or damaged."""
    try:
        data = _path(name).read_bytes()
    except OSError:
        return None
    size = _DIGEST().digest_size
    content = data[size:]
    return content if content and _DIGEST(content).digest() == data[:size] else None


def write(name: str, content: bytes) -> bool:
    """Keep an entry; False, with a warning that says why, where the folder cannot be written or the disk is full."""
    path = _path(name)
    try:
        write_bytes(make_folder(path.parent) / path.name, _DIGEST(content).digest() + content, force=True)
    except InputError as error:
        why = error.strerror if isinstance(error, WriteError) else error.text.partition(";")[0]
        if str(path.parent) not in _told:
            _told.add(str(path.parent))
            warnings.warn(
                f"compiled code cannot be kept in {path.parent} ({why}); the run goes on without, "
                f"and each start compiles anew; name another folder in {VARIABLE}",
                stacklevel=2,
            )
        return False
    return True


def _path(name: str) -> Path:
    return folder() / f"{name}.code"
