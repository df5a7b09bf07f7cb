"""What goes wrong, in one sentence: where it was, what was found, what was expected, how to mend it."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from pathlib import Path

_LONGEST = 60  # characters of a name that a sentence shows


class InputError(ValueError):
    """Bad input from a file, an option or a call.

    The text is one sentence for the person who gave the input. ``file``, ``line`` and ``field`` say where it was
    (None where there is no such place), so that programs can point to it too.
    """

    def __init__(
        self, text: str, *, file: str | Path | None = None, line: int | None = None, field: str | None = None
    ) -> None:
        self.text = text
        self.file = None if file is None else str(file)
        self.line = line
        self.field = field
        place = ", ".join(part for part in (self.file, f"line {line}" if line else None, field) if part)
        super().__init__(f"{place}: {text}" if place else text)


def nearest(name: str, known: Iterable[str], count: int = 3) -> list[str]:
    """Return up to ``count`` known names that look most like ``name``, best first."""
    lower = {str(k).lower(): str(k) for k in known}
    found = difflib.get_close_matches(name.lower(), list(lower), n=count, cutoff=0.4)
    swapped = [k for k in lower if sorted(k) == sorted(name.lower())]  # the commonest slip, and the least like by count
    found = list(dict.fromkeys([*swapped, *found]))[:count]
    if not found:
        found = [k for k in lower if name.lower() in k or k in name.lower()][:count]
    return [lower[f] for f in found]


def _short(name: str) -> str:
    """A name on one line, and not endless."""
    line = " ".join(name.split())
    return line if len(line) <= _LONGEST else f"{line[:_LONGEST]}..."


def unknown(what: str, name: str, known: Iterable[str], most: int | None = None) -> str:
    """Return the sentence for an unknown name: the nearest ones, or, where none is near, all of them or ``most``."""
    known = sorted(known)
    close = nearest(name, known)
    name, known, close = _short(name), [_short(k) for k in known], [_short(k) for k in close]
    more = f" and {len(known) - most} more" if most and len(known) > most else ""
    listed = f"known: {', '.join(known[:most]) or 'none'}{more}."
    hint = f"did you mean {' or '.join(close)}?" if close else listed
    return f"unknown {what} '{name}'; {hint}"
