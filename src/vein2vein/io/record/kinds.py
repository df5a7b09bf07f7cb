"""Files that are no record: what each is, and what to do instead. Read from kinds.toml."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path

from vein2vein.cards import parse_card
from vein2vein.errors import InputError

LOOKED_AT = 20_000  # characters of the beginning
LINES = 60
_TAG = re.compile(r"<(?![?!])(?:[\w.-]+:)?([\w.-]+)")
_NO_TAG = re.compile(r"<\?.*?\?>|<!--.*?-->|<!DOCTYPE[^>\[]*(?:\[.*?\])?\s*>", re.DOTALL | re.IGNORECASE)


@dataclass(frozen=True)
class Kind:
    """What a file is: ``what`` in words, and the remedy."""

    what: str
    remedy: str

    def error(self, file: str | Path) -> InputError:
        """The sentence for a file of this kind."""
        return InputError(f"is {self.what}, expected a CSV file or a FHIR bundle (JSON); {self.remedy}.", file=file)


@cache
def _kinds() -> tuple[dict[str, str | int], ...]:
    text = resources.files("vein2vein.io.record").joinpath("kinds.toml").read_text(encoding="utf-8")
    return tuple(parse_card(text, "kinds.toml").data["kinds"])


def kind_of_bytes(content: bytes) -> Kind | None:
    """What a file is by its first bytes; None where they are of no known kind."""
    for kind in _kinds():
        if "hex" in kind:
            start, at = bytes.fromhex(str(kind["hex"])), int(kind.get("at", 0))
            inside = str(kind.get("inside", "")).encode()
            if content[at : at + len(start)] == start and inside in content[:LOOKED_AT]:
                return Kind(str(kind["what"]), str(kind["remedy"]))
    return None


def kind_of_text(text: str, ending: str = "", *, table: bool = True) -> Kind | None:
    """What a text is that is neither a table nor JSON; None where nothing says so.

    Parameters
    ----------
    text : str
    ending : str
        Of the file's name, such as ".ctl".
    table : bool
        Whether it may still be a table: lines that look like those of a program are then no proof.
    """
    head = text[:LOOKED_AT].lstrip("\ufeff \t\r\n")
    lines = [line for line in head.splitlines() if line.strip()][:LINES]
    tag = _tag(head) if head.startswith("<") else None
    for kind in _kinds():
        found = Kind(str(kind["what"]), str(kind["remedy"]))
        if "start" in kind and head.startswith(str(kind["start"])):
            return found
        if tag is not None and kind.get("tag") in (tag, ""):
            return found
        if "line" in kind and ((named := ending and kind.get("ending") == ending) or not table or tag is not None):
            shown = re.compile(str(kind["line"]), re.IGNORECASE)
            if named or any(shown.search(line) for line in lines):
                return found
    return None


def _tag(head: str) -> str | None:
    """The name of the first element of an XML text, in lower case; None where it only looks like one (as <0.1 does)."""
    bare = _NO_TAG.sub("", head).lstrip()
    match = _TAG.match(bare)
    if match:
        return match[1].lower()
    return "" if head.startswith(("<?", "<!")) else None
