"""One patient's disease visits: what was measured, the lesions, and the verdict of the criteria on each visit."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

NAN = math.nan
SITES = ("node", "extranodal")


@dataclass(frozen=True)
class Lesion:
    """A lesion at one visit.

    Attributes
    ----------
    patient : int
    day : float
        Day of imaging; infusion = 0.
    name : str
        The same name at a later visit is the same lesion.
    site : {"node", "extranodal"}
    longest, shortest : float
        Diameters, cm; 0 vanished, NaN not measured.
    new : bool
        Not there before; a name first seen after baseline is new too.
    target : bool
        Enters the sum of products.
    where_from : str
        File and line.
    """

    patient: int
    day: float
    name: str
    site: str
    longest: float
    shortest: float
    new: bool = False
    target: bool = True
    where_from: str = ""

    @property
    def product(self) -> float:
        """Product of the diameters, cm^2."""
        return self.longest * self.shortest


@dataclass(frozen=True)
class Visit:
    """What is known of one visit: values by analyte (NaN: not measured) and lesions by name."""

    day: float
    values: Mapping[str, float]
    lesions: Mapping[str, Lesion] = field(default_factory=dict[str, Lesion])

    def __getitem__(self, name: str) -> float:
        return self.values.get(name, NAN)

    def yes(self, name: str) -> bool:
        """Whether a 0/1 item was charted as present."""
        return self[name] >= 1

    def no(self, name: str) -> bool:
        """Whether it was charted as absent."""
        return self[name] == 0


@dataclass(frozen=True)
class Verdict:
    """Category of a visit ("" not evaluable), why, and what was missing."""

    category: str
    reasons: tuple[str, ...] = ()
    lacking: tuple[str, ...] = ()


def lowest(values: list[float]) -> float:
    """Lowest known value; NaN where none is known."""
    known = [v for v in values if not math.isnan(v)]
    return min(known) if known else NAN


def known(value: float) -> bool:
    """Whether it was measured."""
    return not math.isnan(value)


def fell(before: float, now: float) -> float:
    """Share by which a value fell; NaN where it cannot be told."""
    return 1 - now / before if known(now) and before > 0 else NAN


def rose(before: float, now: float) -> float:
    """Share by which a value rose; inf from nothing to something."""
    if not known(before) or not known(now):
        return NAN
    return now / before - 1 if before > 0 else (math.inf if now > 0 else 0.0)


def spleen_grew(nadir: float, now: float, normal: float, share: float, rise: float) -> bool:
    """Whether a spleen grew: by more than a share of its excess length, or by so much where it was normal."""
    if not known(nadir) or not known(now) or now <= normal:
        return False
    return now - nadir > share * (nadir - normal) if nadir > normal else now - nadir >= rise
