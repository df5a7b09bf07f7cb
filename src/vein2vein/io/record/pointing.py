<<<<<<< HEAD
"""Which graded analytes an unknown name may be: by its unit, its place and the nearest name."""

from __future__ import annotations

import difflib
from functools import cache
=======
"""What a name that is not known may be: graded analytes that its nearest name points to."""

from __future__ import annotations

from functools import lru_cache
>>>>>>> fhir

from vein2vein.analytes import all_analytes
from vein2vein.io.record import names

<<<<<<< HEAD
NEAR = 0.84  # share of letters in common from which two names are near
_PRESSOR_UNITS = ("ug/min", "mcg/min", "ug/kg/min", "mcg/kg/min")


@cache
def _graded() -> dict[str, str]:
    kinds = ("sign", "support", "score")
    return {name: a for name, a in names.vocabulary().names.items() if a in all_analytes() and _kind(a) in kinds}


def _kind(name: str) -> str:
    return all_analytes()[name].kind


def points_to(name: str, unit: str = "", value: str = "", place: str = "") -> tuple[str, ...]:
    """Graded analytes that an unknown name may be.

    Parameters
    ----------
    name, unit, value : str
        As the row says them.
    place : str
        ``drug``, ``vital sign`` or "".
    """
    if unit.replace(" ", "").lower() in _PRESSOR_UNITS:
        return ("norepinephrine",)
    form = names.normal(name)
    close = difflib.get_close_matches(form, _graded(), n=1, cutoff=NEAR) if len(form) > 3 else []
    return (_graded()[close[0]],) if close else ()
=======
SHORTEST = 4  # letters of a name that is looked for within a text


@lru_cache(maxsize=20_000)
def points_to(name: str, unit: str = "", value: str = "", place: str = "") -> tuple[str, ...]:
    """Graded analytes that a name which is not known may mean; () where nothing points to any."""
    for word in names.normal(name or f"{unit} {value} {place}").split():
        found = names.vocabulary().names.get(word, "") if len(word) >= SHORTEST else ""
        if found in all_analytes():
            return (found,)
    return ()
>>>>>>> fhir
