"""The code of a model's author: where in it something went wrong, told in one sentence with file and line."""

from __future__ import annotations

import inspect
import os
import sysconfig
import traceback
from functools import lru_cache
from pathlib import Path

from vein2vein.errors import InputError

_OWN = (
    *(os.path.join(os.path.dirname(__file__), name) for name in ("author.py", "mathematics.py", "model.py")),
    os.path.join(os.path.dirname(os.path.dirname(__file__)), "engine") + os.sep,
)
"""Files and folders that call the author's code, or are called by it."""
_LIBRARIES = tuple({sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")})

Place = tuple[str, str, int]
"""Where something is: as a sentence says it, file, line (0: not known)."""


def place() -> Place:
    """Where the author is calling from."""
    frame = inspect.currentframe()
    while frame is not None and _is_foreign(frame.f_code.co_filename):
        frame = frame.f_back
    if frame is None:  # not every Python keeps frames
        return _place("", 0, "")
    return _place(frame.f_code.co_filename, frame.f_lineno, frame.f_code.co_name)


def place_of(error: BaseException) -> Place:
    """Where in the author's code an exception arose; the deepest place there."""
    frames = [f for f in traceback.extract_tb(error.__traceback__) if not _is_foreign(f.filename)]
    return _place(frames[-1].filename, frames[-1].lineno or 0, frames[-1].name) if frames else _place("", 0, "")


def line_of(function: object) -> int:
    """Line on which a function begins; 0 where that is not known."""
    return int(getattr(getattr(function, "__code__", None), "co_firstlineno", 0))


def begins(function: object) -> Place:
    """Where a function begins."""
    code = getattr(function, "__code__", None)
    return _place(str(getattr(code, "co_filename", "")), line_of(function), str(getattr(code, "co_name", "")))


def fault(text: str, where: Place, kind: type[InputError] = InputError) -> InputError:
    """A refusal that ends with its place, and carries file and line."""
    said, file, line = where
    error = kind(f"{text} ({said})" if said else text)
    error.file, error.line = file or None, line or None
    return error


def told(model: str, what: str, error: Exception, kind: type[InputError] = InputError) -> InputError:
    """An exception of the author's code as a refusal; ``what`` is the part of the model that was called."""
    if isinstance(error, InputError):
        text = error.text if f"model {model}: " in error.text else f"model {model}: {what}: {error.text}"
        return error if error.line or error.file else fault(text, place_of(error), type(error))
    lines = str(error).split()
    why = f": {' '.join(lines)}" if lines else ""
    return fault(f"model {model}: {what}: {type(error).__name__}{why}", place_of(error), kind)


def _place(file: str, line: int, function: str) -> Place:
    if not file:
        return "", "", 0
    inside = "" if function in ("<lambda>", "<module>", "") else f", in {function}"
    return f"{os.path.basename(file)}, line {line}{inside}", file, line


@lru_cache(maxsize=256)
def _is_foreign(file: str) -> bool:
    """Whether code is the engine's, Python's or an installed library's; models of this package are their author's."""
    path = str(Path(file).resolve()) if os.path.isabs(file) else file
    if path.startswith(_OWN):
        return True
    ours = path.startswith(os.path.dirname(os.path.dirname(__file__)) + os.sep)
    return not ours and (path.startswith(_LIBRARIES) or "numpy" in Path(path).parts)
