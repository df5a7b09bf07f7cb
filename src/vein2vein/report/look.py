"""The look of figures and pages: what style.toml says, with types."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources

from vein2vein.analytes import analyte
from vein2vein.cards import Card, parse_card


@dataclass(frozen=True)
class Mark:
    """A level that the criteria name for an analyte: its value, its label and the source."""

    value: float
    label: str
    source: str


@cache
def style() -> Card:
    """Return the style card: colors, sizes, windows."""
    return parse_card(
        resources.files("vein2vein.report").joinpath("style.toml").read_text(encoding="utf-8"), "style.toml"
    )


@cache
def look(*path: str) -> float:
    """One number of the style card."""
    return float(style().number(*path))


@cache
def looks(*path: str) -> tuple[float, ...]:
    """A list of numbers of the style card."""
    return tuple(float(one) for one in style().required(*path, expected="a list of numbers"))


@cache
def texts(*path: str) -> tuple[str, ...]:
    """A list of texts of the style card."""
    style().required(*path, expected="a list of texts")
    return style().texts(*path)


@cache
def words(*path: str) -> Mapping[str, str]:
    """A table of texts of the style card; tables inside of it are left out."""
    return {key: value for key, value in style().table(*path).items() if isinstance(value, str)}


def entries(*path: str) -> Mapping[str, Mapping[str, str | float | bool]]:
    """A table of tables of the style card; empty where it is missing."""
    found: Mapping[str, Mapping[str, str | float | bool]] = style().table(*path, default={})
    return found


@cache
def font() -> str:
    """The family of fonts."""
    return str(style().string("figure", "font_family"))


@cache
def color(name: str) -> str:
    """A color by its name or by the subject it stands for."""
    return words("color", "by_subject").get(name) or words("color")[name]


def unit_name(unit: str) -> str:
    """A unit as it is printed."""
    return words("unit_names").get(unit, unit)


def axis_name(name: str) -> str:
    """An analyte's title with its unit."""
    found = analyte(name)
    unit = unit_name(found.unit)
    return f"{found.title} ({unit})" if unit else found.title


@cache
def mark(name: str) -> Mark | None:
    """The level that is drawn for an analyte; None where there is none."""
    if name not in entries("marks"):
        return None
    card = style()
    return Mark(
        float(card.number("marks", name, "value")),
        str(card.string("marks", name, "label")),
        str(card.string("marks", name, "source")),
    )


def floor(name: str) -> float | None:
    """Lower end of an analyte's logarithmic axis; None: where the values end."""
    found: float | None = style().number("floors", name, default=None)
    return found


def ceiling(name: str) -> float | None:
    """Upper end of an analyte's logarithmic axis; None: where the values end."""
    found: float | None = style().number("ceilings", name, default=None)
    return found
