"""Whose a row is: patients keep the names of their file; names that look alike and rows without one are told."""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Sequence

from vein2vein.io.record.record import Entry, Log, plain

MOST_DIGITS = 6  # of a patient's name that serves as its number
SHOWN = 5  # names or lines that a sentence repeats
_POINT_ZERO = re.compile(r"(?<=\d)\.0+\Z")
_LEADING = re.compile(r"(?<!\d)0+(?=\d)")
_BETWEEN = re.compile(r"(?<!\d)[\W_]+|[\W_]+(?!\d)")  # signs that do not stand between two digits


def numbers_of(labels: Sequence[str]) -> dict[str, int]:
    """Patient numbers: those of the file where all its names are plain whole numbers, else 0, 1, ... as they appear."""
    if all(len(label) <= MOST_DIGITS and label.isascii() and label.isdigit() for label in labels):
        whole = {label: int(label) for label in labels}
        if all(str(number) == label for label, number in whole.items()):
            return whole
    return {label: index for index, label in enumerate(labels)}


def form_of(label: str) -> str:
    """What two spellings of one name share: capitals, leading zeros, ".0" of a spreadsheet, signs between words."""
    text = unicodedata.normalize("NFKC", label).casefold().strip()
    return _LEADING.sub("", _BETWEEN.sub("", _POINT_ZERO.sub("", text)))


def lookalikes(labels: Iterable[str]) -> list[tuple[str, ...]]:
    """Names of patients that may be spellings of one."""
    groups: dict[str, list[str]] = defaultdict(list)
    for label in labels:
        groups[form_of(label)].append(label)
    return [tuple(group) for group in groups.values() if len(group) > 1]


def lookalike_words(labels: Iterable[str]) -> list[str]:
    """A sentence for each group of names that look alike."""
    return [
        f"the patients {' and '.join(repr(plain(label)) for label in group[:SHOWN])} have names that look alike: they "
        "were kept apart. If they are one person, write one name throughout; the grades of each rest on a part of the "
        "rows"
        for group in lookalikes(labels)
    ]


def nameless(entries: Sequence[Entry], log: Log) -> tuple[list[Entry], list[Entry], str]:
    """Entries with a patient; those without one in a file that names patients; and what is to be said of them.

    Where the file names no patient at all, all are of one, and nothing is said.
    """
    named = {entry.patient for entry in entries} - {""}
    if not named or not any(entry.patient == "" for entry in entries):
        return list(entries), [], ""
    kept = [entry for entry in entries if entry.patient]
    lost = [entry for entry in entries if not entry.patient]
    lines = sorted({entry.line for entry in lost})
    where = ", ".join(str(line) for line in lines[:SHOWN]) + (", ..." if len(lines) > SHOWN else "")
    rows = "1 row names" if len(lines) == 1 else f"{len(lines)} rows name"
    among = "one patient" if len(named) == 1 else f"{len(named)} patients"
    log.aside(
        lines[0] or None,
        "patient",
        f"{rows} no patient in a file of {among} (lines {where})",
        "",
        "the patient in every row",
        "write whose they are",
    )
    names = ", ".join(dict.fromkeys(entry.name for entry in lost[: 10 * SHOWN]))
    then = "what they chart is unknown at its time" if len(named) == 1 else "they may be anyone's"
    return kept, lost, f"{rows} no patient (lines {where}; {names}): {then}"
