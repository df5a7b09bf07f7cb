"""Which version of a resource holds, and which value of one moment: corrected over final over preliminary."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime
from functools import cmp_to_key
from typing import NamedTuple

from vein2vein.io.record import times
from vein2vein.io.record.fhir.entries import Found, Resource, table
from vein2vein.io.record.record import Log, Moment

VOID = ("entered-in-error", "cancelled", "not-done", "abandoned", "preparation", "intended", "not-taken", "draft")
RANKS = {"corrected": 3, "amended": 3, "appended": 3, "preliminary": 1, "registered": 1, "partial": 1, "unknown": 1}
FINAL = 2  # the rank of final, completed and every other status
Key = tuple[str, str]


class Version(NamedTuple):
    """One version of a resource and where it stands."""

    place: int
    found: Found
    resource: Resource


def rank_of(resource: Resource) -> int:
    """Whether a resource is corrected (3), final (2) or early (1)."""
    return RANKS.get(str(resource.get("status")), FINAL)


def newest(listed: Iterable[Found], log: Log) -> list[tuple[Found, Resource]]:
    """Each resource in the version that holds; the others, and deleted ones, are left out.

    Versions share type, server and id. The later by ``meta.lastUpdated`` or ``meta.versionId`` holds, else the
    corrected one, else the later in the file.
    """
    kept: dict[Key | int, Version] = {}
    deleted: dict[Key, tuple[int, Found]] = {}  # by type and id
    repeated = 0
    for place, found in enumerate(listed):
        resource = table(found.resource)
        request = table(found.entry.get("request")) or {}
        if resource is None:
            url = request.get("url")
            if request.get("method") == "DELETE" and isinstance(url, str):
                deleted.setdefault(_key_of_url(url), (place, found))
            continue
        key = _key(found, resource)
        this = Version(place, found, resource)
        if key is None or key not in kept:
            kept[place if key is None else key] = this
            continue
        winner, loser = (this, kept[key]) if _compare(this, kept[key]) > 0 else (kept[key], this)
        kept[key] = winner
        if winner.resource == loser.resource:
            repeated += 1
        elif (was := shown(loser.resource)) != (now := shown(winner.resource)):
            log.note(f"corrected: {key[0]} was {was} (line {loser.found.line}), now {now} (line {winner.found.line})")
    for (kind, number), (place, found) in deleted.items():
        for key, one in list(kept.items()):
            same = isinstance(key, tuple) and key[0] == kind and key[1].rpartition(" ")[2] == number
            if same and (place < one.place or not _history(one.found)):
                del kept[key]
                log.note(f"line {found.line}: {kind} was deleted on the server and was not read")
    if repeated:
        log.note(f"{repeated} resources stand more than once and were read once")
    return [(one.found, one.resource) for one in sorted(kept.values(), key=lambda one: one.place)]


def _history(found: Found) -> bool:
    return "request" in found.entry


def _key(found: Found, resource: Resource) -> Key | None:
    """Type and id, with the server where the file tells it; None where a resource has no id."""
    number, kind = resource.get("id"), resource.get("resourceType")
    if not isinstance(number, str) or not number or not isinstance(kind, str) or kind == "Bundle":
        return None
    return kind, f"{found.url.split('/_history')[0].rpartition(f'/{kind}/')[0]} {number}"


def _key_of_url(url: str) -> Key:
    """Type and id."""
    parts = url.split("/_history")[0].split("/")
    return (parts[-2] if len(parts) > 1 else "", parts[-1])


def updated_of(resource: Resource) -> datetime | None:
    """When a version was written, where it says so."""
    meta = table(resource.get("meta")) or {}
    for text in (meta.get("lastUpdated"), resource.get("issued")):
        if isinstance(text, str):
            try:
                return _aware(times.parse_moment(text))
            except times.NotATime:
                continue
    return None


def _aware(moment: date) -> datetime:
    whole = moment if isinstance(moment, datetime) else datetime(moment.year, moment.month, moment.day)
    return whole.replace(tzinfo=UTC) if whole.tzinfo is None else whole.astimezone(UTC)


def _compare(one: Version, other: Version) -> int:
    """Above 0 where the first holds."""
    a, b = updated_of(one.resource), updated_of(other.resource)
    if a is not None and b is not None and a != b:
        return 1 if a > b else -1
    numbers = [str((table(v.resource.get("meta")) or {}).get("versionId", "")) for v in (one, other)]
    if all(n.isascii() and n.isdigit() and len(n) < 10 for n in numbers) and numbers[0] != numbers[1]:
        return 1 if int(numbers[0]) > int(numbers[1]) else -1
    ranks = [4 if str(v.resource.get("status")) in VOID else rank_of(v.resource) for v in (one, other)]
    if ranks[0] != ranks[1]:
        return ranks[0] - ranks[1]
    later = one.place - other.place
    return -later if _history(one.found) and _history(other.found) else later  # a history begins with the newest


def shown(resource: Resource) -> str:
    """The value of a resource, for a note about its versions."""
    status = str(resource.get("status", ""))[:20]
    quantity = table(resource.get("valueQuantity") or (table(resource.get("dosage")) or {}).get("dose")) or {}
    value = quantity.get("value", resource.get("valueString", resource.get("valueInteger", "")))
    unit = quantity.get("unit", "")
    said = f"{value} {unit}".strip() if isinstance(value, str | int | float) and isinstance(unit, str) else ""
    return f"{said[:40]} ({status})" if said else status or "of another version"


class Held(NamedTuple):
    """A value that may give way to another of its patient, analyte and moment."""

    place: int
    line: int
    first: bool
    rank: int
    updated: datetime | None
    shown: str


def moment_key(moment: Moment | None) -> Moment | None:
    """A moment that compares equal to itself in any zone."""
    return moment.astimezone(UTC) if isinstance(moment, datetime) and moment.tzinfo is not None else moment


def superseded(held: Iterable[tuple[tuple[str, Moment | None, str], Held]], log: Log) -> set[int]:
    """Indices of the values that another of their patient, moment and analyte replaces; corrections are noted."""
    groups: dict[tuple[str, Moment | None, str], list[Held]] = {}
    for key, one in held:
        groups.setdefault(key, []).append(one)
    lost: set[int] = set()
    for (_, _, name), group in groups.items():
        if len(group) < 2:
            continue
        best = max(group, key=cmp_to_key(_better))
        for one in group:
            if _better(best, one) > 0:
                lost.add(one.place)
                if (one.rank < best.rank or one.rank == RANKS["corrected"]) and one.shown != best.shown:
                    words = name.replace("_", " ")
                    log.note(
                        f"corrected: {words} was {one.shown} (line {one.line}), now {best.shown} (line {best.line})"
                    )
    return lost


def _better(one: Held, other: Held) -> int:
    if one.first != other.first:
        return 1 if one.first else -1
    if one.rank != other.rank:
        return one.rank - other.rank
    if one.rank == RANKS["corrected"] and one.updated and other.updated and one.updated != other.updated:
        return 1 if one.updated > other.updated else -1
    return 0
