"""The text of a file: its size, its encoding, its delimiter, its lines one after the other."""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterator
from pathlib import Path
from weakref import WeakKeyDictionary

from vein2vein.errors import InputError
from vein2vein.io.record.kinds import kind_of_bytes
from vein2vein.io.record.record import Log

MOST_BYTES = 32_000_000  # a record of one patient is far smaller; what follows is set aside
MOST_LINES_IN_QUOTES = 20  # lines that one quoted cell may span
LONGEST_LINE = 1_000_000
DELIMITERS = (",", ";", "\t", "|")
STDIN = "-"  # the name that stands for the standard input


def is_stdin(path: str | Path) -> bool:
    """Whether a path means the standard input."""
    return str(path) == STDIN


def name_of(path: str | Path) -> str:
    """A path as sentences name it."""
    return "standard input" if is_stdin(path) else str(path)


def read_text(path: str | Path, log: Log, encoding: str = "") -> str:
    """The text of a file ("-": of the standard input), at most ``MOST_BYTES`` of it.

    Raises
    ------
    InputError
        No file, no text, or not readable.
    """
    content = content_of(path)
    if kind := kind_of_bytes(content):
        raise kind.error(log.file)
    path = log.file
    whole = len(content) <= MOST_BYTES
    if not whole:
        content = content[:MOST_BYTES]
    text = _decode(content, log, encoding, path)
    if not text.strip("\ufeff \t\r\n\0"):
        raise InputError("is empty; expected a CSV file or a FHIR bundle (JSON).", file=path)
    if "\0" in text.partition("\n")[0]:
        raise InputError("is no text (NUL bytes), or UTF-16 without its mark; save the table as UTF-8 text.",
                         file=path, line=1)  # fmt: skip
    if "\r" in text and "\n" not in text:  # lines end as on old Macintosh computers
        text = text.replace("\r", "\n")
    if text[:5].lower().lstrip('"').startswith("sep="):  # Excel names its delimiter in a line of its own
        text = "#" + text
    if not whole:
        line = text.count("\n") + 1
        log.aside(
            line,
            "",
            f"the file is larger than {MOST_BYTES // 1_000_000} MB; from this line on it was not read",
            "",
            "the record of one patient",
            "export fewer columns or a shorter time, or split the file",
        )
        if "\n" in text:
            text = text[: text.rfind("\n") + 1]
    return text


def content_of(path: str | Path) -> bytes:
    """The bytes of a file ("-": of the standard input), one more than ``MOST_BYTES`` at most.

    Raises
    ------
    InputError
        There is no such file, or it cannot be read.
    """
    if is_stdin(path):
        return _stdin()
    try:
        with open(path, "rb") as file:
            return file.read(MOST_BYTES + 1)
    except FileNotFoundError:
        raise InputError("no such file; check the name and the folder.", file=path) from None
    except IsADirectoryError:
        raise InputError("is a folder; expected a CSV file or a FHIR bundle (JSON).", file=path) from None
    except PermissionError:
        raise InputError("may not be read; check its permissions.", file=path) from None
    except (OSError, ValueError) as problem:
        raise InputError(f"cannot be read ({getattr(problem, 'strerror', None) or problem}).", file=path) from None


_given: WeakKeyDictionary[object, bytes] = WeakKeyDictionary()  # what came through a standard input: it comes once


def _stdin() -> bytes:
    if sys.stdin is None:
        raise InputError("there is no standard input; give the name of a file.", file=name_of(STDIN))
    if sys.stdin not in _given:
        source = getattr(sys.stdin, "buffer", None)
        _given[sys.stdin] = source.read(MOST_BYTES + 1) if source else sys.stdin.read(MOST_BYTES + 1).encode()
    return _given[sys.stdin]


def _decode(content: bytes, log: Log, encoding: str, path: str) -> str:
    if encoding:
        try:
            return content.decode(encoding, errors="replace").lstrip("\ufeff")
        except (LookupError, UnicodeError):
            raise InputError(f"cannot be read as {encoding}.", file=path) from None
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        log.note("read as UTF-16")
        return content.decode("utf-16", errors="replace")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as problem:
        if problem.start > len(content) - 4 and len(content) >= MOST_BYTES:  # cut in the middle of a character
            return content[: problem.start].decode("utf-8-sig", errors="replace")
    try:
        text = content.decode("cp1252")
        log.note("not UTF-8: read as Windows-1252 (latin-1); check letters with accents, or say encoding in a mapping")
        return text
    except UnicodeDecodeError:
        log.note("not UTF-8: read as latin-1; check letters with accents, or say encoding in a mapping")
        return content.decode("latin-1")


def find_delimiter(lines: list[str]) -> str:
    """The delimiter of a table: the one that cuts its first lines most often and most alike."""
    best, score = ",", (0, 0)
    for delimiter in DELIMITERS:
        counts = [len(_cells(line, delimiter) or ()) - 1 for line in lines]
        if counts and counts[0] > 0:
            alike = sum(c == counts[0] for c in counts)
            if (alike, counts[0]) > score:
                best, score = delimiter, (alike, counts[0])
    return best


def _cells(line: str, delimiter: str) -> list[str] | None:
    try:
        return next(csv.reader([line], delimiter=delimiter, strict=True))
    except StopIteration:
        return []
    except csv.Error:
        return None


def rows(text: str, delimiter: str, log: Log, first: int = 0) -> Iterator[tuple[int, list[str]]]:
    """Line number and cells of each row; comments and blank lines are passed over, broken lines set aside.

    A quoted cell may span lines. A quote that is never closed spoils its own line only.
    """
    lines = text.split("\n")
    at = first
    while at < len(lines):
        line, number = lines[at].rstrip("\r"), at + 1
        at += 1
        if not line.strip() or line.startswith("#"):
            continue
        if "\0" in line:
            log.aside(number, "", "the line holds NUL bytes", "", "text", "export the file again as UTF-8 text")
            continue
        if len(line) > LONGEST_LINE:
            log.aside(
                number, "", "the line is too long", f"{len(line)} characters", "one row", "export one row per line"
            )
            continue
        if '"' not in line:
            yield number, line.split(delimiter)
            continue
        if line.count('"') % 2:  # a cell goes on in the next line, or a quote was never closed
            end = at
            while end < len(lines) and end - at < MOST_LINES_IN_QUOTES and lines[end].count('"') % 2 == 0:
                end += 1
            if end >= len(lines) or end - at >= MOST_LINES_IN_QUOTES:
                log.aside(
                    number, "", "a quote is opened and not closed", line, "quotes in pairs", "close or remove the quote"
                )
                continue
            line, at = "\n".join(lines[at - 1 : end + 1]), end + 1
        cells = _whole(line, delimiter)
        if cells is None:
            log.aside(
                number, "", "the quotes of the line do not match", line, "quotes in pairs", "close or remove the quote"
            )
        else:
            yield number, cells


def _whole(text: str, delimiter: str) -> list[str] | None:
    try:
        found = list(csv.reader([text], delimiter=delimiter))
        return found[0] if len(found) == 1 else None
    except csv.Error:
        return None
