"""The last digit of a LOINC or SNOMED CT code tells a typing error: it is computed from the digits before it."""

from __future__ import annotations

import re

_LOINC = re.compile(r"(\d{1,7})-(\d)")
_PRODUCTS = (  # the dihedral group of ten elements, which Verhoeff's check digit multiplies in
    "0123456789", "1234067895", "2340178956", "3401289567", "4012395678",
    "5987604321", "6598710432", "7659821043", "8765932104", "9876543210",
)  # fmt: skip
_FIRST = "1576283094"  # what the digit of the first place becomes; the n-th place applies it n times
_INVERSE = "0432156789"
SHORTEST, LONGEST = 6, 18  # digits of a SNOMED CT identifier


def loinc_digit(number: str) -> str:
    """The digit that follows the hyphen of a LOINC code (modulus 10)."""
    doubled = "".join(str(2 * int(digit)) if place % 2 == 0 else digit for place, digit in enumerate(reversed(number)))
    return str(-sum(map(int, doubled)) % 10)


def _verhoeff(digits: str, first: int) -> str:
    """The product of the digits from the right, each changed as its place asks; the last digit is place ``first``."""
    product = "0"
    for place, digit in enumerate(reversed(digits), first):
        for _ in range(place % 8):
            digit = _FIRST[int(digit)]
        product = _PRODUCTS[int(product)][int(digit)]
    return product


def snomed_digit(number: str) -> str:
    """The last digit of a SNOMED CT identifier (Verhoeff)."""
    return _INVERSE[int(_verhoeff(number, 1))]


def mistyped(system: str, code: str) -> bool:
    """Whether a code cannot be one of its system: its check digit is wrong.

    Parameters
    ----------
    system : str
        ``loinc``, ``snomed``; codes of other systems have no check digit that is known here.
    code : str
    """
    if system == "loinc":
        match = _LOINC.fullmatch(code)
        return match is not None and loinc_digit(match[1]) != match[2]
    if system == "snomed" and code.isascii() and code.isdigit():
        return not SHORTEST <= len(code) <= LONGEST or snomed_digit(code[:-1]) != code[-1]
    return False
