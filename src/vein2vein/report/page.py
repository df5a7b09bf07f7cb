"""Pages: numbers as they are printed, templates filled in."""

from __future__ import annotations

from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np

MISSING = "–"
SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def number(value: Any, digits: int = 3) -> str:
    """Write a number with ``digits`` significant figures and thousands separators; a dash for none."""
    try:
        value = float(value)
    except (TypeError, ValueError):
        return MISSING
    if np.isnan(value):
        return MISSING
    if np.isinf(value):
        return "∞" if value > 0 else "−∞"
    if value == 0:
        return "0"
    exponent = int(np.floor(np.log10(abs(value))))
    if exponent >= 2 * digits or exponent < -digits:
        mantissa, power = f"{value:.{digits - 1}e}".split("e")
        return f"{float(mantissa):g} × 10".replace("-", "−") + str(int(power)).translate(SUPERSCRIPTS)
    rounded = round(value, digits - 1 - exponent)
    text = f"{rounded:,.{max(digits - 1 - exponent, 0)}f}"
    return (text.rstrip("0").rstrip(".") if "." in text else text).replace("-", "−")


def percent(part: float, whole: float) -> str:
    """Write a share in percent; a dash where there is no whole."""
    return MISSING if not whole else f"{100 * part / whole:.0f} %"


def span(low: Any, high: Any, digits: int = 3) -> str:
    """Write an interval; empty where it is unknown."""
    low, high = number(low, digits), number(high, digits)
    return "" if MISSING in (low, high) else f"{low} to {high}"


@cache
def _templates(folder: Path | None) -> Any:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    own = Path(str(resources.files("vein2vein.report").joinpath("templates")))
    found = Environment(
        loader=FileSystemLoader([own, folder] if folder else [own]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    found.filters.update(number=number, percent=percent)
    found.globals.update(inf=float("inf"), span=span, percent=percent, number=number)
    return found


def fill(template: str, *, folder: Path | None = None, **facts: Any) -> str:
    """Fill a template of this room or of a ``folder`` above it; every text is escaped, finished figures excepted."""
    from markupsafe import Markup

    from vein2vein.report.figures import look

    css = resources.files("vein2vein.report").joinpath("templates/page.css").read_text(encoding="utf-8")
    for name, value in look("color").items():
        if isinstance(value, str):
            css = css.replace(f"$({name})", value)
    for grade, value in enumerate(look("grades", "colors")):
        css = css.replace(f"$(grade{grade})", value)
    css = css.replace("$(font)", look("figure", "font_family"))
    return _templates(folder).get_template(template).render(css=Markup(css), safe=Markup, **facts)
