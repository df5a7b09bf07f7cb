"""Citation keys -> sources.bib. A number without a known source does not enter."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from importlib import resources

from vein2vein.arguments import known
from vein2vein.records import described

OWN = "The vein2vein developers"  # author of the reports of our own
_ENTRY = re.compile(r"@(\w+)\s*\{\s*([^,\s]+)\s*,(.*?)\n\}", re.S)
_FIELD = re.compile(r"(\w+)\s*=\s*\{(.*?)\}\s*,?\s*(?=\n\s*\w+\s*=|\Z)", re.S)


@described
@dataclass(frozen=True)
class Source:
    """One entry of sources.bib."""

    key: str
    kind: str
    fields: dict[str, str]

    def __str__(self) -> str:
        parts = [self.fields.get(k, "") for k in ("author", "year", "title", "journal", "note", "doi")]
        return ". ".join(p for p in parts if p) or self.key


@cache
def all_sources() -> dict[str, Source]:
    """Return every entry of sources.bib by key."""
    text = resources.files("vein2vein").joinpath("sources.bib").read_text(encoding="utf-8")
    found = {}
    for kind, key, body in _ENTRY.findall(text + "\n"):
        found[key] = Source(key, kind, {k.lower(): " ".join(v.split()) for k, v in _FIELD.findall(body.strip())})
    return found


def cited(told: str) -> str:
    """A source as text: the entry of a known key, or what was written instead of one."""
    found = all_sources().get(told)
    return told if found is None else str(found)


def source(key: str) -> Source:
    """Return the source with this key; an unknown key is refused with the nearest ones."""
    return all_sources()[known("source", key, all_sources(), most=12)]


def is_own(key: str) -> bool:
    """Whether a source is a report of our own, which supports nothing that was not read elsewhere."""
    found = all_sources().get(key)
    return found is not None and found.fields.get("author") == OWN
