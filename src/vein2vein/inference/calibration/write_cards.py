"""A parameter set written into cards: only the numbers change; comments and layout stay."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from vein2vein.cards import read_card
from vein2vein.errors import InputError
from vein2vein.files import write_text
from vein2vein.inference.calibration.priors import Key
from vein2vein.inference.posterior import REFERENCE, VALUE, Member, card_parameters, scaled
from vein2vein.parameters import ParameterSet, laid_over, read_parameters
from vein2vein.toml_lines import written

LEAST = 5e-4  # solver coefficient: a logarithm below which a factor does not change four digits
FOLDERS = ("models/reference", "virtual", "therapy/products", "therapy/diseases")
TABLES = ("parameters", "traits")


def card_file(card: str, package: Path) -> Path:
    """The file of a bundled card below the folder of the package.

    Raises
    ------
    InputError
        There is none.
    """
    for folder in FOLDERS:
        if (path := package / folder / f"{card}.toml").is_file():
            return path
    raise InputError(f"found no card '{card}' below {package}; give the file of a card of your own.", field=card)


def block(text: str, parameter: str) -> tuple[int, int] | None:
    """Where the table of a parameter begins and ends in the text of a card; None: it has none."""
    head = re.search(rf"^\[(?:{'|'.join(TABLES)})\.{re.escape(parameter)}\][^\n]*\n", text, re.M)
    if head is None:
        return None
    following = re.search(r"^\[", text[head.end() :], re.M)
    return head.start(), head.end() + following.start() if following else len(text)


def edited(
    text: str, parameter: str, what: str, number: float, facts: Mapping[str, str], *, kind: str = "lognormal"
) -> str:
    """The text of a card with a number of a parameter changed; a spread that the card did not have is added.

    Parameters
    ----------
    text, parameter : str
    what : {"value", "sd"}
    number : float
        Written with four significant digits.
    facts : mapping of str to str
        Where the number now comes from (``source``, ``where``, ``how``, ``why``): what stood there is replaced, and a
        fact that is "" is taken away. Of a spread nothing is said besides its size.
    kind : str
        Of a spread that is added.

    Raises
    ------
    InputError
        The card has no table for the parameter.
    """
    place = block(text, parameter)
    if place is None:
        text = f"the card has no table [parameters.{parameter}]; write one by hand, then run again."
        raise InputError(text, field=parameter)
    table, shown = text[place[0] : place[1]], f"{number:.4g}"
    if what == VALUE:
        table = re.sub(r"^(value\s*=\s*)[^\s#]+", rf"\g<1>{shown}", table, count=1, flags=re.M)
        for field, now in facts.items():
            table = _said(table, field, now)
    elif re.search(r"^spread\s*=", table, re.M):
        table = re.sub(r"^(spread\s*=.*?\bsd\s*=\s*)[^\s,}}]+", rf"\g<1>{shown}", table, count=1, flags=re.M)
    else:
        line = f'spread = {{ kind = "{kind}", sd = {shown} }}\n'
        table = re.sub(r"^(unit\s*=[^\n]*\n)", lambda m: m.group(1) + line, table, count=1, flags=re.M)
    return text[: place[0]] + table + text[place[1] :]


def _said(table: str, field: str, now: str) -> str:
    """The table of a parameter with a fact said, said anew, or taken away."""
    stands = re.compile(rf'^{field}\s*=\s*"(?:[^"\\]|\\.)*"[^\n]*\n', re.M)
    line = f"{field} = {written(now)}\n" if now else ""
    if stands.search(table):
        return stands.sub(lambda _: line, table, count=1)
    return re.sub(
        r"^(unit\s*=[^\n]*\n(?:spread\s*=[^\n]*\n)?)", lambda m: m.group(1) + line, table, count=1, flags=re.M
    )


def write_means(
    one: Member,
    package: Path,
    facts: Callable[[Key], Mapping[str, str]],
    *,
    files: Mapping[str, Path] | None = None,
) -> list[str]:
    """Edit cards by a parameter set; what was changed, a line for each number.

    Parameters
    ----------
    one : Member
        The mean of a calibration: ``Calibration.mean``.
    package : Path
        Folder of the package whose cards are edited.
    facts : callable
        Where the number of a (card, parameter, "value" or "sd") now comes from: see ``edited``.
    files : mapping of str to Path, optional
        Files of cards of one's own, by the names that the cards give themselves.

    Raises
    ------
    InputError
        A factor is on a card that is not there, or has no table in it. Nothing is written then.
    """
    mine = files or {}
    own = {name: _numbers_of(path) for name, path in mine.items()}
    general = card_parameters(REFERENCE).parameters
    texts: dict[Path, str] = {}
    told: list[str] = []
    for (card, name, what), factor in one.factors.items():
        if abs(np.log(factor)) < LEAST:
            continue
        path = mine[card] if card in mine else card_file(card, package)
        here = card_parameters(card, own).parameters.get(name)
        parameter = general[name] if here is None else laid_over(general[name], here) if name in general else here
        new = scaled(parameter, what, factor)
        number = new.value if what == VALUE else new.spread.sd if new.spread else None
        assert number is not None  # ``scaled`` refuses a parameter without it
        kind = parameter.spread.kind if parameter.spread else ""
        text = texts.get(path) or path.read_text(encoding="utf-8")
        texts[path] = edited(text, name, what, number, facts((card, name, what)), kind=kind)
        told.append(f"{card} {name} {what}: x {factor:.3g} = {number:.4g}")
    for path, text in texts.items():
        write_text(path, text, force=True)
    return told


def _numbers_of(path: Path) -> ParameterSet:
    return read_parameters(read_card(path), "parameters")
