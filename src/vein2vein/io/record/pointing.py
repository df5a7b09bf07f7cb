"""What a name that is not known may be: graded analytes that its nearest name points to."""

from __future__ import annotations

from functools import lru_cache

from vein2vein.analytes import all_analytes
from vein2vein.io.record import names

SHORTEST = 4  # letters of a name that is looked for within a text


@lru_cache(maxsize=20_000)
def points_to(name: str, unit: str = "", value: str = "", place: str = "") -> tuple[str, ...]:
    """Graded analytes that a name which is not known may mean; () where nothing points to any."""
    for word in names.normal(name or f"{unit} {value} {place}").split():
        found = names.vocabulary().names.get(word, "") if len(word) >= SHORTEST else ""
        if found in all_analytes():
            return (found,)
    return ()
