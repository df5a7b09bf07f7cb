"""The laws of a population as a card writes them: one record for each kind, see ``laws``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated

from vein2vein.declared import HOW, Record, listed, number, text, unsourced

Row = tuple[float, float, float]
ROWS = "rows of [age, median, sd of ln] such as [[2, 89, 0.05], [12, 150, 0.05]]"
DESCRIPTION = ("law", "unit", "source", "where", "how", "why")


@dataclass(frozen=True, kw_only=True)
class LawCard(Record):
    """What every law has."""

    law: Annotated[str, text("Kind of the law")]
    unit: Annotated[str, text("Unit of the numbers")] = ""
    how: Annotated[str, text("How it was obtained", HOW)]
    source: Annotated[str, text("Key of the source in sources.bib")] = ""
    where: Annotated[str, text("Place in the source")] = ""
    why: Annotated[str, text("Reasoning behind what is assumed")] = ""

    def faults(self) -> Iterator[tuple[str, str]]:
        """Least above largest; no provenance."""
        low, high = getattr(self, "low", None), getattr(self, "high", None)
        if low is not None and high is not None and low > high:
            yield "high", f"found low {low:g} above high {high:g}; expected low <= high."
        yield from unsourced(self.how, self.source, self.why, "a law")


@dataclass(frozen=True, kw_only=True)
class Limited(LawCard):
    """A law that may be given limits."""

    low: Annotated[float, number("Least value")] | None = None
    high: Annotated[float, number("Largest value")] | None = None


@dataclass(frozen=True, kw_only=True)
class Fixed(Limited):
    """The same for all."""

    value: Annotated[float, number("Value of every patient")]


@dataclass(frozen=True, kw_only=True)
class Bernoulli(Limited):
    """Yes or no."""

    probability: Annotated[float, number("Share of the patients who have it", low=0, high=1)]


@dataclass(frozen=True, kw_only=True)
class TwoValues(Limited):
    """One of two values."""

    value: Annotated[float, number("Value of the others")]
    other: Annotated[float, number("Value of a share of the patients")]
    share: Annotated[float, number("Share of the patients with the other value", low=0, high=1)]


@dataclass(frozen=True, kw_only=True)
class Uniform(LawCard):
    """Every value alike."""

    low: Annotated[float, number("Least value")]
    high: Annotated[float, number("Largest value")]


@dataclass(frozen=True, kw_only=True)
class Normal(Limited):
    """Normal, truncated at low and high."""

    mean: Annotated[float, number("Mean before truncation")]
    sd: Annotated[float, number("Standard deviation; without spread a law is 'fixed'", above=0)]


@dataclass(frozen=True, kw_only=True)
class Lognormal(Limited):
    """Log-normal, truncated at low and high."""

    median: Annotated[float, number("Median before truncation", above=0)]
    sd: Annotated[float, number("Standard deviation of ln; without spread a law is 'fixed'", above=0)]


@dataclass(frozen=True, kw_only=True)
class Logitnormal(Limited):
    """A share whose logit is normal."""

    location: Annotated[float, number("Mean of the logit")]
    sd: Annotated[float, number("Standard deviation of the logit; without spread a law is 'fixed'", above=0)]
    scale: Annotated[float, number("Value at a share of 1", above=0)] | None = None
    cap: Annotated[float, number("Largest share", low=0, high=1)] | None = None


@dataclass(frozen=True, kw_only=True)
class Beta(LawCard):
    """A beta variable stretched from low to high."""

    alpha: Annotated[float, number("First shape", above=0)]
    beta: Annotated[float, number("Second shape", above=0)]
    low: Annotated[float, number("Least value")]
    high: Annotated[float, number("Largest value")]


@dataclass(frozen=True, kw_only=True)
class Poisson(LawCard):
    """A count."""

    mean: Annotated[float, number("Mean count", low=0)]
    plus: Annotated[float, number("Added to the count")] | None = None
    low: Annotated[float, number("Least value")] | None = None
    high: Annotated[float, number("Largest value", low=0)]


@dataclass(frozen=True, kw_only=True)
class ShiftedGamma(Limited):
    """A gamma variable and a least value."""

    shift: Annotated[float, number("Added to the gamma variable")]
    shape: Annotated[float, number("Shape", above=0)]
    scale: Annotated[float, number("Scale", above=0)]


@dataclass(frozen=True, kw_only=True)
class ByAge(Limited):
    """Log-normal around a median that follows age along straight lines."""

    points: Annotated[tuple[Row, ...], listed("Rows of age, median and sd of ln", ROWS, filled=True)]
    points_female: Annotated[tuple[Row, ...], listed("The same for girls and women", ROWS)] = ()

    def faults(self) -> Iterator[tuple[str, str]]:
        """Ages that do not ascend, a median that is not above 0, a negative sd."""
        for name in ("points", "points_female"):
            rows = getattr(self, name)
            ages = [row[0] for row in rows]
            if ages != sorted(set(ages)) or any(median <= 0 or sd < 0 for _, median, sd in rows):
                yield name, "expected rows of [age, median above 0, sd of ln] with ascending ages."
        yield from super().faults()


@dataclass(frozen=True, kw_only=True)
class ShareOf(Limited):
    """A share of another field."""

    of: Annotated[str, text("The other field")]
    median: Annotated[float, number("Median share", above=0, below=1)]
    logit_sd: Annotated[float, number("Standard deviation of the share's logit", above=0)]
    factor: Annotated[float, number("Unit factor", above=0)] | None = None


@dataclass(frozen=True, kw_only=True)
class BlastsOfBurden(Limited):
    """Blasts in blood that follow the burden x = burden/full: scale*x/(1 - min(x, cap)), log-normal around it."""

    scale: Annotated[float, number("Blasts at low burden, for each full marrow", above=0)]
    cap: Annotated[float, number("Share of a full marrow at which the rise ends", low=0, below=1)]
    full: Annotated[float, number("Burden of a full marrow", "e6/kg", above=0)]
    sd: Annotated[float, number("Standard deviation of ln; without spread a law is 'fixed'", above=0)]


KINDS: Mapping[str, type[LawCard]] = {
    "fixed": Fixed, "bernoulli": Bernoulli, "two_values": TwoValues, "uniform": Uniform, "normal": Normal,
    "lognormal": Lognormal, "logitnormal": Logitnormal, "beta": Beta, "poisson": Poisson,
    "shifted_gamma": ShiftedGamma, "by_age": ByAge, "share_of": ShareOf, "blasts_of_burden": BlastsOfBurden,
}  # fmt: skip
