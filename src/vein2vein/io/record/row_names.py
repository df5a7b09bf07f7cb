"""Rows that are named after a device, a group of drugs or a finding -> what they say of analytes (words/rows.toml)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from typing import Any, NamedTuple

from vein2vein.io.record import names
from vein2vein.io.record.meanings import normal, phrases, read_words, word_card

DEVICE, FLOW = "oxygen_device", "oxygen_flow"
LONGEST, SHORTEST = 80, 2  # letters of a name that are looked at; up to which a device needs the unit of a flow
_NUMBER = re.compile(r"[<>=~≤≥]*\s*[+-]?(\d+(?:[.,]\d+)?)(?!.*/\s*n)", re.IGNORECASE)


class Said(NamedTuple):
    """What a row says of an analyte; ``unread``: the analyte is charted under that name, and not understood."""

    analyte: str
    value: str
    unit: str = ""
    unread: bool = False


def read_row(label: str, unit: str, value: str) -> tuple[Said, ...] | None:
    """What a row of such a name says; () where it says nothing, None where its name is none of these.

    Parameters
    ----------
    label, unit, value : str
        As they stand in the file.
    """
    bare = _bare(names.split_header(label)[0])
    text = normal(value)
    if (drugs := _listed("drugs").get(bare)) is not None:
        return _drugs(drugs, value, text)
    if (finding := _listed("findings").get(bare)) is not None:
        return _finding(finding, f"{label} {value}", value, text)
    masks = masked(label, value)
    if (pump := word_card("rows").table("pumps")["to"].get(bare)) is not None:
        return (Said(pump, "running"),) if text in map(normal, word_card("rows").table("pumps")["words"]) else None
    device = _device(bare, unit, value, text)
    if device is None:
        return masks if bare in _cooling() else None
    return (*device, *masks)


def masked(label: str, value: str) -> tuple[Said, ...]:
    """The temperature, which tells nothing while a device takes the heat away."""
    if _bare(label) not in _cooling() or not _yes(value, normal(value)):
        return ()
    return (Said("temperature", f"{label} {value}"[:LONGEST], unread=True),)


def _bare(label: str) -> str:
    """A name without the words that change nothing beside it."""
    form = normal(label[:LONGEST])
    fills = word_card("rows").table("fills")["words"]
    words = form.split()
    while len(words) > 1 and words[0] in fills:
        words = words[1:]
    while len(words) > 1 and words[-1] in fills and " ".join(words) not in _listed("drugs"):
        words = words[:-1]
    return " ".join(words)


@cache
def _listed(part: str) -> Mapping[str, Mapping[str, Any]]:
    return {normal(name): one for one in word_card("rows").table(part).values() for name in one["names"]}


@cache
def _cooling() -> frozenset[str]:
    return frozenset(map(normal, word_card("rows").texts("cooling", "names")))


def _no(value: str, text: str) -> bool:
    known = names.vocabulary()
    nothing = text in known.nothing and (bool(text) or not value)
    stopped = text in known.stopped or known.yes_no.get(text) == 0 or nothing
    match = _NUMBER.match(value)
    return stopped or value in word_card("flags").data["symbols"]["blank"] or bool(match and not _amount(match))


def _amount(match: re.Match[str]) -> float:
    return float(match[1].replace(",", "."))


def _yes(value: str, text: str) -> bool:
    known = names.vocabulary()
    match = _NUMBER.match(value)
    symbol = value.replace(" ", "") in word_card("flags").data["symbols"]["yes"]
    return symbol or text in known.running or known.yes_no.get(text) == 1 or bool(match and _amount(match))


def _drugs(drugs: Mapping[str, Any], value: str, text: str) -> tuple[Said, ...]:
    """Drugs that the value of a row names; else that one of its group runs or was given, or that it is not known."""
    to, unsure = str(drugs["to"]), bool(drugs.get("unsure"))
    if _no(value, text):
        return () if unsure or drugs["says"] == "given" else (Said(to, "0"),)
    open_to = Said(to, f"{value}"[:LONGEST], unread=True)
    found, left = _named(drugs, text)
    taken_back = (names.vocabulary().stopped | phrases().negates | phrases().doubts).intersection(text.split())
    if found:
        if taken_back or "?" in value:
            return tuple(Said(name, value[:LONGEST], unread=True) for name in found)
        return tuple(Said(name, str(drugs["says"])) for name in found)
    if _yes(value, text):
        return (open_to,) if unsure else (Said(to, str(drugs["says"])),)
    if not left or taken_back == frozenset({"no"}):
        return ()
    return (open_to,)


def _named(drugs: Mapping[str, Any], text: str) -> tuple[list[str], list[str]]:
    """The drugs of a group that a text names, and the words that name nothing that is known."""
    words, short = text.split(), {normal(name): analyte for name, analyte in drugs["short"].items()}
    found: list[str] = []
    left: list[str] = []
    at = 0
    while at < len(words):
        for size in (3, 2, 1):
            form = " ".join(words[at : at + size])
            name = short.get(form) or names.find_name(form)
            if name in drugs["drugs"]:
                found.append(name)
                at += size
                break
        else:
            left.append(words[at])
            at += 1
    return list(dict.fromkeys(found)), left


def _device(bare: str, unit: str, value: str, text: str) -> tuple[Said, ...] | None:
    """A device under whose own name something is charted."""
    rows = word_card("rows").table("devices")
    said = rows.get(bare, bare)
    meanings = phrases().said[DEVICE].get(normal(said)) if isinstance(said, str) and bare not in rows["never"] else None
    if not meanings or not meanings[0].value > 0 or names.find_name(bare):
        return None
    flow = unit.strip() in rows["flows"]
    if len(bare) <= SHORTEST and not flow:
        return None
    if _no(value, text):
        return ()
    both = read_words(DEVICE, f"{said} {value}")
    if read_words(DEVICE, value) and both and both[0].value >= meanings[0].value:
        return (Said(DEVICE, f"{said} {value}"),)
    if _yes(value, text):
        amount = _NUMBER.match(value)
        return (Said(DEVICE, said), *((Said(FLOW, amount[1], "L/min"),) if flow and amount else ()))
    return (Said(DEVICE, f"{said} {value}"[:LONGEST], unread=True),)


def _finding(finding: Mapping[str, Any], both: str, value: str, text: str) -> tuple[Said, ...]:
    """A finding: the sign that its words tell, or that a sign is not known."""
    to = str(finding["to"])
    open_to = Said(to, both[:LONGEST], unread=True)
    if "only" in finding:
        words = f" {text} "
        return (open_to,) if any(f" {normal(word)} " in words for word in finding["only"]) else ()
    known = names.vocabulary()
    plain = {"normal", "none", "no", *map(normal, finding["normal"])}
    if text in plain or text in known.nothing - known.unknown or value in word_card("flags").data["symbols"]["blank"]:
        return ()
    if finding.get("reads"):
        meanings = read_words(to, value)
        if meanings is not None:
            own = next((one.value for one in meanings if one.analyte == to), 0.0)
            return (Said(to, value),) if own > 0 else (open_to,) if own != own else ()
    return (open_to,)
