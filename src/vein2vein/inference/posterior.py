"""The posterior sample: what the calibration left unknown of the model's numbers, as parameter sets.

A set is a list of factors on the numbers of cards (or on their spread between patients). The file is CSV below a header
of TOML comments: a column for each factor, a row for each set, natural logarithms. A simulated trial is run under one
set, so that its prediction interval holds what is not known of the numbers besides the luck of so many patients. The
factors are relative to the cards that they were fitted with; a hash of the cards' numbers tells whether these are still
the same.
"""

from __future__ import annotations

import csv
import hashlib
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from dataclasses import replace as but
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from vein2vein.cards import parse_card
from vein2vein.errors import InputError, unknown
from vein2vein.files import write_text
from vein2vein.models.reference import model as reference
from vein2vein.parameters import Parameter, ParameterSet, Spread
from vein2vein.randomness import uniforms
from vein2vein.therapy.disease import Disease, all_diseases
from vein2vein.therapy.product import Product, all_products
from vein2vein.toml_lines import written
from vein2vein.virtual.constants import Constants
from vein2vein.virtual.constants import bundled as bundled_constants
from vein2vein.virtual.constants import parameters as constant_parameters
from vein2vein.virtual.constants import scaled as scaled_constants

if TYPE_CHECKING:
    from vein2vein.trials.trial import Trial

REFERENCE = "reference"
CONSTANTS = ("bedside", "covariates", "hazards")
VALUE, SD = WHATS = ("value", "sd")
DIGITS = 4  # of a logarithm in the file
MARK = "# "
TYPICAL, SAMPLE = "typical", "posterior"
HASH = 16  # letters of a hash


@dataclass(frozen=True)
class Factor:
    """One free number: a factor on the value, or the spread, of a parameter in one or more cards.

    Attributes
    ----------
    name, parameter : str
    what : {"value", "sd"}
    cards : tuple of str
        Names of products and diseases, or "reference", "bedside", "covariates", "hazards".
    prior_sd : float
        Standard deviation of the factor's logarithm before the data.
    """

    name: str
    parameter: str
    what: str
    cards: tuple[str, ...]
    prior_sd: float


class Cards(NamedTuple):
    """What one patient is treated for and with: all of a trial that a set asks for."""

    product: Product
    disease: Disease


@dataclass(frozen=True)
class Member:
    """One parameter set: factors by (card, parameter, "value" or "sd")."""

    factors: Mapping[tuple[str, str, str], float]


@dataclass(frozen=True)
class Posterior:
    """A sample of parameter sets.

    Attributes
    ----------
    factors : tuple of Factor
    logs : ndarray, shape (sets, factors)
        Natural logarithms of the factors.
    cards : str
        Hash of the numbers that the factors are relative to.
    facts : mapping
        How it was made: version, seed, steps, patients, seconds, trials.
    """

    factors: tuple[Factor, ...]
    logs: NDArray[np.float64]
    cards: str
    facts: Mapping[str, object]

    @property
    def is_current(self) -> bool:
        """Whether the cards still hold the numbers that it was fitted with."""
        return self.cards == hash_of_cards(self.factors)


# Applying a set


def member(factors: Iterable[Factor], logs: NDArray[np.float64]) -> Member:
    """The parameter set with these logarithms of factors, shape (factors,)."""
    found: dict[tuple[str, str, str], float] = {}
    for factor, value in zip(factors, logs, strict=True):
        for card in factor.cards:
            key = (card, factor.parameter, factor.what)
            found[key] = found.get(key, 1.0) * math.exp(value)
    return Member(found)


def overlay(one: Member, arm: Trial | Cards) -> ParameterSet | None:
    """The numbers that a set changes for a trial, or one arm of it, to be laid over the cards.

    A factor on a card counts unless a card laid over it brings that number itself: the product over the reference set,
    the disease over both.
    """
    layers = {
        REFERENCE: reference.parameters(patient=False), arm.product.name: arm.product.parameters,
        arm.disease.name: arm.disease.parameters,
    }  # fmt: skip
    order = list(layers)
    whole = layers[REFERENCE].overlay(arm.product.parameters).overlay(arm.disease.parameters).parameters
    found: dict[str, Parameter] = {}
    for (card, name, what), factor in one.factors.items():
        home = REFERENCE if card in CONSTANTS and name in whole else card
        if home not in layers:
            continue
        above = [layers[later].parameters.get(name) for later in order[order.index(home) + 1 :]]
        if any(_number(parameter, what) is not None for parameter in above):
            continue
        found[name] = scaled(found.get(name, whole[name]), what, factor)
    return ParameterSet("parameter set", found, ("parameter set",)) if found else None


def scaled(parameter: Parameter, what: str, factor: float) -> Parameter:
    """A parameter with its value (held within its bounds) or its spread times a factor."""
    number = _number(parameter, what)
    if number is None:
        raise ValueError(f"{parameter.name} has no {what} for a factor to change")
    if what == VALUE:
        return but(parameter, value=float(np.clip(number * factor, *parameter.range)))
    assert parameter.spread is not None
    return but(parameter, spread=Spread(parameter.spread.kind, number * factor))


def constants_under(one: object) -> Constants:
    """The constants of bedside, covariates and hazards under a set; the bundled ones for anything but a ``Member``."""
    factors: Mapping[tuple[str, str, str], float] = one.factors if isinstance(one, Member) else {}
    values = ((card, name, factor) for (card, name, what), factor in factors.items() if what == VALUE)
    own = {(card, name): factor for card, name, factor in values if card in CONSTANTS}
    return scaled_constants(bundled_constants(), own, "parameter set") if own else bundled_constants()


def choose(posterior: Posterior, count: int, seed: int) -> list[Member]:
    """Draw so many of the sets, each at most once; all of them where there are no more.

    Neighbors are drawn together: those of the bundled sample mirror each other, so that few sets center where all do.
    """
    luck = uniforms(seed, "parameter sets", np.arange(-(-len(posterior.logs) // 2)))[:, 0]
    pairs = np.argsort(luck, kind="stable")[: -(-count // 2)]
    sets = np.stack([2 * pairs, 2 * pairs + 1], axis=1).ravel()[:count]
    return [member(posterior.factors, posterior.logs[i]) for i in np.sort(sets[sets < len(posterior.logs)])]


def scatter(posterior: Posterior, numbers: NDArray[np.int64], seed: int) -> tuple[list[Member], NDArray[np.intp]]:
    """Draw a set for each patient, by the seed and the patient's number alone.

    Parameters
    ----------
    posterior : Posterior
    numbers : ndarray of int, shape (n,)
    seed : int

    Returns
    -------
    list of Member
        The sets that were drawn.
    ndarray of int, shape (n,)
        Place among them of each patient's own.
    """
    luck = uniforms(seed, "parameter set of a patient", numbers)[:, 0]
    drawn, of = np.unique((luck * len(posterior.logs)).astype(np.intp), return_inverse=True)
    return [member(posterior.factors, posterior.logs[i]) for i in drawn], of.astype(np.intp)


def told(posterior: Posterior | None, count: int) -> str:
    """In words which numbers a run used: those of the cards, or so many sets of the sample."""
    if posterior is None:
        return "typical: as on the cards"
    made = ", ".join(
        f"{name} {posterior.facts[name]}" for name in ("seed", "patients", "steps") if name in posterior.facts
    )
    return f"{count} of {len(posterior.logs)} sets of the posterior sample (cards {posterior.cards}; {made})"


# Which cards


def hash_of_cards(factors: Iterable[Factor], own: Mapping[str, ParameterSet] | None = None) -> str:
    """Hash of every value and spread of the general sets and of the cards that factors name; wording does not count.

    ``own``: numbers of cards that do not come with vein2vein, by name.
    """
    named = {card for factor in factors for card in factor.cards}
    general = {REFERENCE: reference.parameters(), **constant_parameters()}
    sets = {**general, **{name: card_parameters(name, own) for name in named - set(general)}}
    lines = [
        f"{card} {name} {p.value!r} {(p.spread.kind, p.spread.sd) if p.spread else None}"
        for card, found in sorted(sets.items())
        for name, p in sorted(found.parameters.items())
    ]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:HASH]


def card_parameters(name: str, own: Mapping[str, ParameterSet] | None = None) -> ParameterSet:
    """Numbers of a general set, or of a product or disease card, by its name; ``own`` ones come first.

    Raises
    ------
    InputError
        There is no such card, with the nearest names.
    """
    if own and name in own:
        return own[name]
    if name == REFERENCE:
        return reference.parameters(patient=False)
    if name in CONSTANTS:
        return constant_parameters()[name]
    bundled_cards = {**all_products(), **all_diseases()}
    if name in bundled_cards:
        return bundled_cards[name].parameters
    raise InputError(unknown("card", name, {*bundled_cards, *(own or {}), REFERENCE, *CONSTANTS}, most=6))


def _number(parameter: Parameter | None, what: str) -> float | None:
    if parameter is None:
        return None
    if what == VALUE:
        return parameter.value
    return parameter.spread.sd if parameter.spread else None


# The file


def bundled() -> Path:
    """Where the posterior sample that comes with vein2vein is."""
    return Path(str(resources.files("vein2vein").joinpath("inference", "posterior.csv")))


def read_posterior(path: Path | None = None) -> Posterior:
    """Read a posterior sample; the one that comes with vein2vein by default.

    Raises
    ------
    InputError
        There is no such file, or it is not what ``write_posterior`` writes.
    """
    path = path or bundled()
    if not path.is_file():
        raise InputError(f"there is no posterior sample at {path}; make one with qualification/calibrate.py --write.")
    lines = path.read_text(encoding="utf-8").splitlines()
    head = [line.removeprefix(MARK.strip()).strip() for line in lines if line.startswith(MARK.strip())]
    card = parse_card("\n".join(head), path.name)
    factors: list[Factor] = []
    for name in card.table("factors"):
        here = ("factors", str(name))
        cards = card.texts(*here, "cards")
        if not cards:
            raise card.error((*here, "cards"), "missing; expected a list of names of cards.")
        what, prior = card.string(*here, "what", choices=WHATS), card.number(*here, "prior_sd", low=0.0)
        factors.append(Factor(str(name), card.string(*here, "parameter"), what, cards, prior))
    names, *rows = list(csv.reader(lines[len(head) :])) or [[]]
    if names != [factor.name for factor in factors]:
        raise InputError("the columns are not the factors of the header, in their order.", file=path.name)
    try:
        logs = np.array(rows, dtype=float).reshape(len(rows), len(factors))
    except ValueError:
        raise InputError("found a row that is not one number for each factor.", file=path.name) from None
    if not len(logs) or not np.isfinite(logs).all():
        raise InputError("found no parameter set, or one with a number that is not finite.", file=path.name)
    return Posterior(tuple(factors), logs, card.string("cards"), dict(card.table("made")))


def calibrated_to() -> set[str]:
    """Trials whose rows the numbers of the cards were calibrated to."""
    return (
        set(map(str, cast("list[object]", read_posterior().facts.get("trials", [])))) if bundled().is_file() else set()
    )


def sample_for(parameters: str | None) -> tuple[Posterior | None, str]:
    """The sample to run with, and what the user should know.

    Parameters
    ----------
    parameters : {"posterior", "typical"} or None
        None: the bundled sample where it fits the cards, else the numbers on the cards.

    Raises
    ------
    InputError
        "posterior" was asked for, and the sample is missing or belongs to other cards.
    """
    if parameters == TYPICAL or (parameters is None and not bundled().is_file()):
        return None, "" if parameters else "there is no posterior sample: the intervals hold sampling error only"
    found = read_posterior()
    if found.is_current:
        return found, ""
    stale = (
        f"the posterior sample was fitted with other numbers than the cards now hold (hash {found.cards}, now "
        f"{hash_of_cards(found.factors)})"
    )
    if parameters is None:
        return None, f"{stale}; the cards' own numbers are used: the intervals hold sampling error only"
    raise InputError(f"{stale}. Calibrate again, or ask for --parameters {TYPICAL}.")


def write_posterior(posterior: Posterior, path: Path) -> None:
    """Write a posterior sample; an existing file is replaced as a whole."""
    head = [
        "Posterior sample: natural logarithms of factors on the numbers of the cards; a row is a parameter set.",
        "Written by qualification/calibrate.py. cards: hash of the numbers that the factors are relative to.",
    ]
    lines = [f"# {line}" for line in head]
    lines += [f"cards = {written(posterior.cards)}", "[made]"]
    lines += [f"{name} = {written(value)}" for name, value in posterior.facts.items()]
    lines += ["[factors]"]
    for f in posterior.factors:
        facts = {"parameter": f.parameter, "what": f.what, "cards": list(f.cards), "prior_sd": f.prior_sd}
        lines.append(f"{f.name} = {{ {', '.join(f'{k} = {written(v)}' for k, v in facts.items())} }}")
    body = [",".join(f.name for f in posterior.factors)]
    body += [",".join(f"{value:.{DIGITS}f}" for value in row) for row in posterior.logs]
    write_text(path, "\n".join([MARK + line for line in lines] + body) + "\n", force=True, durable=True)
