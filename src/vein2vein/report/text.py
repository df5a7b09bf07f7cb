"""Numbers as they are printed for readers."""

from __future__ import annotations

import numpy as np

MISSING = "–"
SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def number(value: float | None, digits: int = 3) -> str:
    """Write a number with ``digits`` significant figures and thousands separators; a dash for none."""
    if value is None or np.isnan(value):
        return MISSING
    value = float(value)
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


def span(low: float | None, high: float | None, digits: int = 3) -> str:
    """Write an interval; empty where it is unknown."""
    lower, upper = number(low, digits), number(high, digits)
    return "" if MISSING in (lower, upper) else f"{lower} to {upper}"


def listed(names: tuple[str, ...] | list[str], last: str = "or") -> str:
    """Write a list in words: ``a, b or c``."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} {last} {names[-1]}" if names else ""


def power_of_ten(value: float) -> str:
    """Write a tick of a logarithmic axis."""
    if value <= 0:
        return "0"
    exponent = round(float(np.log10(value)))
    if abs(exponent) <= 2:
        return f"{value:g}"
    return f"{value:,.0f}" if 0 < exponent <= 4 else "10" + str(exponent).translate(SUPERSCRIPTS)
