"""Doses as a pharmacometrician writes them, and their checks.

The simple form is (day, input name, amount). ``Dose`` adds what NONMEM's records say (in brackets its data items):
rates and durations of infusions (RATE), lag times (ALAG), bioavailability (F), repeats (ADDL, II) and steady states
(SS). ``Reset`` brings a patient back to the model's own start (EVID 3); before a dose of the same day, EVID 4.

Sources: NONMEM Users Guide, part VI (PREDPP), chapter V, and the help of its data items EVID, AMT, RATE, SS and ADDL.
Looked up there: RATE 0 is a bolus; a steady state with constant infusion has AMT 0; bioavailability does not apply to
it. That it ends on the day of its record is from memory.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vein2vein.engine import checks
from vein2vein.engine.infusions import Scaled
from vein2vein.errors import InputError, unknown
from vein2vein.models.model import Model, is_whole
from vein2vein.records import described

Matrix = NDArray[np.float64]
Number = ArrayLike | str

MOST_REPEATS = 100_000


@described
@dataclass(frozen=True)
class Dose:
    """A dose, an infusion, or a series of them.

    Every number is one, or one for each patient (n,). Those marked (p) may also be the name of a parameter of the
    model, whose value is then each patient's.

    Attributes
    ----------
    input : str
        Input of the model. Of a level, only ``day``, ``lag``, repeats and the amount may be said.
    amount : float
        May be NaN for a patient whose day is.
    day : float
        NaN: not given to this patient.
    rate : float (p), optional
        Of an infusion, amount per day; it lasts for bioavailability * amount / rate days. A number of 0 (of all, or of
        some patients): no infusion, it is given at once.
    duration : float (p), optional
        Of an infusion, days; its rate is bioavailability * amount / duration.
    lag : float (p)
        Days between ``day`` and when it arrives.
    bioavailability : float (p)
        Share of the amount that arrives.
    additional : int
        How many more times it is given (ADDL).
    interval : float
        Days between two of them (II).
    steady_state : {0, 1, 2}
        1: on ``day`` the state becomes that just before this dose if the same had been given at this interval for
        ever, and what was given before is forgotten (as by a reset). 2: that state is added to the patient's own, less
        the state that the model comes to without any dose; this is right where kinetics are linear. An amount of 0 with
        a rate and without interval stands for an infusion that has run for ever and ends on ``day``.
    """

    input: str
    amount: ArrayLike
    day: ArrayLike = 0.0
    rate: Number | None = field(default=None, kw_only=True)
    duration: Number | None = field(default=None, kw_only=True)
    lag: Number = field(default=0.0, kw_only=True)
    bioavailability: Number = field(default=1.0, kw_only=True)
    additional: ArrayLike = field(default=0, kw_only=True)
    interval: ArrayLike = field(default=0.0, kw_only=True)
    steady_state: int = field(default=0, kw_only=True)


@described
@dataclass(frozen=True)
class Reset:
    """Back to the model's own start on a day (NaN: not this patient).

    NONMEM resets to zero, or to what the model says (A_0); a model here always says it. Infusions under way end, and
    what was still to come of earlier doses does not. Levels stay as they are.
    """

    day: ArrayLike


NAMED = ("rate", "duration", "lag", "bioavailability")
"""What of a dose may be the name of a parameter."""


@dataclass(frozen=True)
class Read:
    """A dose that was checked; numbers (n,).

    Attributes
    ----------
    scaled : Scaled or None
        The input and the parameter that multiplies it, if one does; None: a reset.
    share : ndarray (n,)
        Bioavailability.
    named : mapping of attribute to parameter
    """

    number: int
    scaled: Scaled | None
    day: Matrix
    amount: Matrix
    rate: Matrix | None
    duration: Matrix | None
    lag: Matrix
    share: Matrix
    additional: NDArray[np.int64]
    interval: Matrix
    steady_state: int
    named: Mapping[str, str]

    @property
    def infused(self) -> bool:
        """Whether it is an infusion."""
        return self.rate is not None or self.duration is not None

    @property
    def endless(self) -> bool:
        """Whether it is an infusion that has run for ever."""
        return self.steady_state > 0 and self.rate is not None and not (self.amount.any() or self.interval.any())

    @property
    def by_number(self) -> Matrix:
        """What the amount is multiplied by (n,), before a parameter does."""
        return np.ones(len(self.day)) if self.scaled is not None and self.scaled.by else self.share

    @property
    def length(self) -> Matrix:
        """Days that an infusion lasts (n,)."""
        if self.rate is not None:
            return self.share * self.amount / self.rate
        return np.zeros(len(self.day)) if self.duration is None else self.duration

    @property
    def speed(self) -> tuple[Matrix, Matrix]:
        """Rate of an infusion (n,), before a parameter multiplies it, and its change with the amount."""
        if self.rate is not None or self.duration is None:
            return (np.zeros(len(self.day)) if self.rate is None else self.rate), np.zeros(len(self.day))
        return self.by_number * self.amount / self.duration, self.by_number / self.duration


def simple(doses: Iterable[object]) -> bool:
    """Whether doses are all of the form (day, input name, amount)."""
    return not any(isinstance(d, (Dose, Reset)) for d in doses)


def follows_parameters(doses: Iterable[object]) -> bool:
    """Whether what is given is another thing for other parameters."""
    return any(
        isinstance(d, Reset)
        or (isinstance(d, Dose) and (d.steady_state != 0 or any(isinstance(getattr(d, v), str) for v in NAMED)))
        for d in doses
    )


def known_input(model: Model, dose: Dose) -> None:
    """Refuse a dose of what the model does not have, and an infusion of what it does not give."""
    known = [i.name for i in model.inputs]
    if not isinstance(cast("object", dose.input), str) or dose.input not in known:
        raise InputError(f"model {model.name}: {unknown('input', checks.word(dose.input), known)}")
    if not is_whole(dose.steady_state) or dose.steady_state not in (0, 1, 2):
        told = checks.shown(dose.steady_state)
        raise InputError(f"the dose of '{dose.input}': its steady_state is {told}; give 0, 1 or 2")
    share = dose.bioavailability
    if dose.input in model.level_names and (
        runs(dose) or dose.steady_state or isinstance(share, str) or not _is_one(share)
    ):
        raise InputError(
            f"the dose of '{dose.input}': that is a level, which is set and not given; leave out rate, duration, "
            "bioavailability and steady_state"
        )
    for name in NAMED:
        given = getattr(dose, name)
        if isinstance(given, str) and given not in model.parameters:
            told = unknown("parameter", given, model.parameters)
            raise InputError(f"the dose of '{dose.input}': its {name}: model {model.name}: {told}")


def _is_one(share: object) -> bool:
    found = checks.floats(share)
    return found is not None and bool(np.all(found == 1))


def runs(dose: Dose) -> bool:
    """Whether a dose is an infusion."""
    return dose.rate is not None or dose.duration is not None


def without_rate(dose: Dose) -> Dose:
    """A dose whose rate is 0 for all is none of a rate (RATE 0: a bolus)."""
    found = None if isinstance(dose.rate, str) or dose.rate is None else checks.floats(dose.rate)
    none = found is not None and found.size > 0 and not found.any() and dose.duration is None
    return replace(dose, rate=None) if none and found is not None and found.ndim == 0 else dose


def some_at_once(dose: Dose) -> bool:
    """Whether the rate of a dose is 0 for some patients."""
    found = None if isinstance(dose.rate, str) or dose.rate is None else checks.floats(dose.rate)
    return found is not None and not found.all()


def scaled_of(dose: Dose) -> Scaled:
    """The input, and the parameter that multiplies the amount; where a rate is given it makes the infusion longer."""
    by = dose.bioavailability
    return Scaled(dose.input, by if isinstance(by, str) and dose.rate is None else "")


def read(model: Model, number: int, told: object, parameters: Matrix, begins: Matrix) -> Read:
    """A dose with numbers for each patient; refuse what does not fit."""
    n = len(parameters)
    if isinstance(told, Reset):
        when = _number(f"reset number {number} (from 0)", "day", told.day, n, gaps=True)
        _not_early("the reset", when, begins)
        return Read(number, None, when, *_nothing(n))
    if not isinstance(told, Dose):
        day, name, amount = checks.doses_of(model, [told])[0]
        told = Dose(name, amount, day)
    known_input(model, told)
    where = f"dose number {number} (from 0), of '{told.input}'"
    named: dict[str, str] = {}

    def value(name: str, least: float = -np.inf, above: bool = False, gaps: bool = False) -> Matrix:
        given = getattr(told, name)
        if name in NAMED and isinstance(given, str):
            named[name] = given
            given = parameters[:, model.parameters.index(given)]
        return _number(where, name, given, n, least, above, gaps)

    day = value("day", gaps=True)
    amount = _number(where, "amount", _given_only(told.amount, day), n)
    rate = None if told.rate is None else value("rate", 0.0, above=isinstance(told.rate, str))
    duration = None if told.duration is None else value("duration", 0.0, above=True)
    lag, share, interval = value("lag", 0.0), value("bioavailability", 0.0), value("interval", 0.0)
    repeats = value("additional", 0.0)
    if np.any(repeats != np.floor(repeats)) or np.any(repeats > MOST_REPEATS):
        raise InputError(
            f"{where}: its additional is {checks.shown(told.additional)}; give a whole number up to {MOST_REPEATS}"
        )
    found = Read(
        number, scaled_of(told), day, amount, rate, duration, lag, share, repeats.astype(np.int64), interval,
        int(told.steady_state), named,
    )  # fmt: skip
    _fits(where, found, begins)
    return found


def _given_only(amount: object, day: Matrix) -> object:
    """Amounts, 0 where one of several is NaN as its day is: not given to this patient."""
    found = checks.floats(amount)
    if found is None or found.shape != day.shape:
        return amount
    return np.where(np.isnan(found) & np.isnan(day), 0.0, found)


def at_once(r: Read) -> list[Read]:
    """A dose as it was read; of which the rate is 0 for some patients, the infusion of some and the dose of others."""
    if r.rate is None or r.rate.all():
        return [r]
    some = r.rate > 0
    infusion = replace(r, rate=np.where(some, r.rate, 1.0), day=np.where(some, r.day, np.nan))
    return [infusion, replace(r, rate=None, day=np.where(some, np.nan, r.day))]


def _nothing(
    n: int,
) -> tuple[Matrix, None, None, Matrix, Matrix, NDArray[np.int64], Matrix, int, Mapping[str, str]]:
    """All but the day of a reset."""
    zero = np.zeros(n)
    return zero, None, None, zero, zero, np.zeros(n, dtype=np.int64), zero, 0, {}


def _number(
    where: str, name: str, given: object, n: int, least: float = -np.inf, above: bool = False, gaps: bool = False
) -> Matrix:
    """Numbers (n,) from one or one per patient; with ``gaps``, one of several may be NaN."""
    found = checks.floats(given)
    wanted = "one finite number" if least == -np.inf else f"a number {'above' if above else 'of at least'} {least:g}"
    if found is None or found.shape not in ((), (n,)):
        told = checks.shown(given) if found is None else f"of shape {found.shape}"
        raise InputError(f"{where}: its {name} is {told}; give {wanted}, or one for each of the {n} patients")
    one, found = found.ndim == 0, np.broadcast_to(found, (n,))
    bad = ~np.isfinite(found) & ~(np.isnan(found) & (gaps and not one))
    bad |= (found <= least) if above else (found < least)
    if bad.any():
        row = int(np.flatnonzero(bad)[0])
        whose = "" if one else f" for patient {row} (row, from 0)"
        raise InputError(f"{where}: its {name} is {found[row]:g}{whose}; give {wanted}")
    return found


def _fits(where: str, r: Read, begins: Matrix) -> None:
    """Refuse what is said of a dose and does not go together."""
    if r.rate is not None and r.duration is not None:
        raise InputError(f"{where}: it has a rate and a duration; the amount and one of them say the other")
    negative = (r.amount < 0) & (np.ones(len(r.day), dtype=bool) if r.rate is None else r.rate > 0)
    if r.infused and negative.any():
        raise InputError(f"{where}: an amount of {r.amount.min():g} cannot be infused; give 0 or more")
    if r.endless and r.rate is not None and not r.rate.all():
        raise InputError(f"{where}: an infusion that has run for ever has a rate of 0; give a number above 0")
    periodic = r.steady_state > 0 and not r.endless
    if (r.additional.any() or periodic) and np.any(r.interval[(r.additional > 0) | periodic] <= 0):
        raise InputError(f"{where}: it is repeated, but its interval is 0; give the days between two doses")
    if periodic and np.any(r.lag >= r.interval):
        raise InputError(f"{where}: at a steady state its lag must be shorter than its interval")
    if r.endless and r.additional.any():
        raise InputError(f"{where}: an infusion that has run for ever is not repeated; leave out additional")
    _not_early(f"the dose of '{r.scaled.input if r.scaled else ''}'", r.day, begins)


def _not_early(what: str, day: Matrix, begins: Matrix) -> None:
    early = np.flatnonzero(day < begins)
    if len(early):
        raise InputError(
            f"{what} on day {day[early].min():g} lies before the first day asked for, {begins[early[0]]:g}; "
            f"give begin={day[early].min():g}, or let the days begin no later than the first dose"
        )
