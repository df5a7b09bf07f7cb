"""Two designs on the same virtual patients: products, doses, conditioning, or the designs of two trial files.

Every patient meets the same luck in both (common random numbers), so that a difference is that of the designs. Where
several sets of the model's numbers are known that may be true, the same patients are treated in both designs under each
of them, and the difference is computed by set. Its interval comes from drawing a set and patients again, each with both
of their journeys: it then holds what is not known of the numbers and the luck of so many patients, each once. Under one
set it holds the luck alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib import resources

import numpy as np
from numpy.typing import NDArray

from vein2vein import __version__
from vein2vein.arguments import Progress, progress_of, seed_of
from vein2vein.cards import Card, parse_card
from vein2vein.clinic.care.management import read_policy
from vein2vein.errors import InputError, unknown
from vein2vein.journey.journey import Journey
from vein2vein.randomness import uniforms
from vein2vein.records import described
from vein2vein.statistics.intervals import quantile
from vein2vein.statistics.survival import kaplan_meier
from vein2vein.therapy.disease import Disease
from vein2vein.therapy.product import find_indication, find_product
from vein2vein.therapy.targets import check_targets, densities
from vein2vein.trials.checks import refuse_dose, unseen
from vein2vein.trials.comparison import read_row, summarize
from vein2vein.trials.endpoints.measures import NotProduced
from vein2vein.trials.endpoints.reading import Cells, Flags, Floats
from vein2vein.trials.published import Published, number_of, read_published
from vein2vein.trials.trial import Trial, enroll_and_treat, one_arm, patients_of

RATIO = "geometric mean"  # of this statistic the ratio of two is shown, of the others the difference
RESAMPLES = 400  # draws of patients behind an interval
LEVEL = 0.95  # share of the draws inside the interval
GRID = 120  # days on which a curve is drawn
Treat = Callable[[Trial, NDArray[np.int64], int, Progress], Iterable[Journey]]
Reading = tuple[tuple[Cells, ...], Flags] | str  # what a row reads off all patients and who counts, or why nothing
Pair = tuple[tuple[tuple[Cells, ...], Flags], tuple[tuple[Cells, ...], Flags]]


@described
@dataclass(frozen=True)
class Difference:
    """One endpoint of two designs.

    Attributes
    ----------
    quantity, unit : str
    first, second : float
        Value in each design: the middle one of the sets.
    difference, low, high : float
        Second less first (or second over first, where ``ratio``), the middle one of the sets, and its 95 % interval.
    ratio : bool
    among : str
        Denominator, such as infused or enrolled.
    patients : tuple of int
        Who counts for it in each design under one set (the middle one of the sets).
    missing : str
        Why there is nothing to compare; "" where there is.
    """

    quantity: str
    unit: str
    first: float
    second: float
    difference: float
    low: float
    high: float
    ratio: bool
    among: str
    patients: tuple[int, int]
    missing: str = ""


@described
@dataclass(frozen=True)
class Curves:
    """Survival in two designs.

    Attributes
    ----------
    event, clock, among : str
        Such as OS, infusion, infused.
    days : ndarray, shape (k,)
    value, low, high : ndarray, shape (2, k)
        Share without the event in each design: the middle one of the sets, and its 95 % interval on each day.
    """

    event: str
    clock: str
    among: str
    days: Floats
    value: Floats
    low: Floats
    high: Floats


@described
@dataclass(frozen=True)
class Contrast:
    """Two designs compared: names, patients under each set, sets, rows, curves, and what it takes to repeat them."""

    names: tuple[str, str]
    patients: int
    sets: int
    rows: tuple[Difference, ...]
    curves: tuple[Curves, ...]
    notes: tuple[str, ...]
    provenance: dict[str, str | int]


@cache
def _card() -> Card:
    text = resources.files("vein2vein").joinpath("trials", "contrast.toml").read_text(encoding="utf-8")
    return parse_card(text, "contrast.toml")


@cache
def endpoints() -> tuple[Published, ...]:
    """What is set side by side."""
    card = _card()
    return tuple(read_published(card, str(i), {}) for i in range(len(card.tables("published"))))


def usual_endpoints(trial: Trial) -> tuple[Published, ...]:
    """Endpoints of a trial whose file asks for none: of each arm, on the trial's own scale and in its window."""
    designs = [(arm.name, one_arm(trial, arm)) for arm in trial.arms] or [("", trial)]
    own = {"scale": trial.scale, "until": trial.until}
    return tuple(
        replace(
            row, arm=arm, arms=(arm,) if arm else (),
            arguments={name: own.get(name, value) for name, value in row.arguments.items()},
        )
        for arm, one in designs
        for row in _shown(one, one)
    )  # fmt: skip


def design(
    trial: Trial, *, product: str = "", dose: str = "", conditioning: str = "", policy: str = "", arm: str = "",
    absent_target: bool = False,
) -> Trial:  # fmt: skip
    """A trial, or one arm of it, with another product, dose, lymphodepletion or policy of treatment.

    Raises
    ------
    InputError
        An unknown name, with the nearest ones; a dose that cannot be read; a trial of several arms; a product whose
        targets the tumor lacks, unless ``absent_target``.
    """
    if arm:
        known = {one.name: one for one in trial.arms}
        if arm not in known:
            raise InputError(unknown(f"arm of {trial.name}", arm, known))
        trial = one_arm(trial, known[arm])
    check_one_arm(trial)
    trial = replace(trial, absent_target=True) if absent_target else trial
    if not (product or dose or conditioning or policy):
        return replace(trial, name=arm) if arm else trial
    if trial.comparator:
        text = (
            f"{arm or trial.name} is given standard care and no cells, so that nothing of its treatment can be changed"
        )
        raise InputError(f"{text}; give product, dose, conditioning and policy to a design with cells.")
    if policy:
        read_policy(policy)
    chosen = find_product(product) if product else trial.product
    other = chosen.name != trial.product.name
    check_targets(chosen, trial.disease, densities(trial.population), asked=trial.absent_target)
    asked = dose or ("" if other else trial.dose)
    refuse_dose(asked, chosen, trial.disease, trial.population, trial.plan.follow_up)
    regimen = conditioning or ("" if other else trial.conditioning)
    if regimen and regimen not in trial.regimens:
        indication = find_indication(chosen, trial.disease.name)[0]
        if regimen not in ("none", *(one.name for one in indication.regimens)):
            known = [*trial.regimens, *(one.name for one in indication.regimens), "none"]
            raise InputError(unknown("lymphodepletion regimen", regimen, known))
    parts = [arm, chosen.name if product else "", asked if dose else "", regimen if conditioning else "", policy]
    return replace(
        trial, product=chosen, dose=asked, conditioning=regimen, policy=policy or trial.policy,
        name=", ".join(part for part in parts if part),
    )  # fmt: skip


def check_one_arm(trial: Trial) -> None:
    """Refuse a trial of several arms: which of them is compared would be a guess."""
    if trial.arms:
        names = ", ".join(arm.name for arm in trial.arms)
        raise InputError(
            f"{trial.name} has {len(trial.arms)} arms ({names}), and designs of one arm each are compared; choose one "
            "with --arm (arm=)."
        )


def check_pair(first: Trial, second: Trial) -> None:
    """Refuse two designs that the same patients cannot enter."""
    for trial in (first, second):
        check_one_arm(trial)
    has, other = _who(first), _who(second)
    if has != other:
        named = [" and ".join(sorted({disease for disease, _ in one})) for one in (has, other)]
        raise InputError(
            f"found {named[0]} in {first.name} and {named[1]} in {second.name}; the same patients "
            "cannot have two diseases: compare designs for one."
        )


def _who(trial: Trial) -> tuple[tuple[str, float], ...]:
    """Diseases of a trial's patients and how many have each, in the order in which arms are filled."""
    if len({arm.disease.name for arm in trial.arms}) < 2:  # whatever their arm, all have the same
        return (((trial.arms[0] if trial.arms else trial).disease.name, 1.0),)
    return tuple((arm.disease.name, arm.size) for arm in trial.arms)


def once(trial: Trial, numbers: NDArray[np.int64], seed: int, progress: Progress) -> Iterable[Journey]:
    """Take patients through a trial under the numbers of the cards."""
    progress(0.0, trial.name)
    yield enroll_and_treat(trial, numbers, seed=seed)


def contrast(
    first: Trial,
    second: Trial,
    *,
    patients: int | None = None,
    seed: int = 1,
    other_seed: int | None = None,
    treat: Treat = once,
    parameters: str = "",
    progress: Progress | None = None,
) -> Contrast:
    """Run two designs on the same virtual patients and set them side by side.

    Parameters
    ----------
    first, second : Trial
        The patients are those of the first: its disease, population laws, waiting and visits.
    patients : int, optional
        Virtual patients enrolled (default: as the first says).
    seed : int
    other_seed : int, optional
        Another seed for the second design: other patients, no common random numbers. For comparison only.
    treat : callable (trial, numbers, seed, progress), optional
        Gives the journeys of the same patients under each of some sets of the model's numbers, in the same order for
        both designs (``inference.sets_side_by_side.same_patients``); by default under those of the cards alone.
    parameters : str
        In words which sets these are, for the provenance.
    progress : callable (fraction, text), optional

    Raises
    ------
    InputError
        The two are for different diseases.
    """
    check_pair(first, second)
    count = patients_of(first, patients)
    same = replace(
        second, population=first.population, plan=first.plan, assays=first.assays, transplant=first.transplant
    )
    numbers, seed, say = np.arange(count), seed_of(seed), progress_of(progress)
    shown, notes, last = _shown(first, second), dict[str, None](), list[Journey]()
    read: list[list[list[Reading]]] = []  # by design, set and row
    for i, (trial, own) in enumerate(((first, seed), (same, seed if other_seed is None else other_seed))):
        read.append([])
        for journey in treat(trial, numbers, own, lambda fraction, text="", i=i: say((i + fraction) / 2, text)):
            read[i].append([read_endpoint(row, journey) for row in shown])
            notes |= dict.fromkeys(journey.notes)
            last[i:] = [journey]
    by_row = [[(a[k], b[k]) for a, b in zip(*read, strict=True)] for k in range(len(shown))]
    drawn = resampled_patients(seed, count)
    rows = tuple(difference_of(row, pairs, drawn) for row, pairs in zip(shown, by_row, strict=True))
    timed = {(row.arguments["event"], row.among): (row, pairs) for row, pairs in zip(shown, by_row) if row.time}
    told = {"parameters": parameters, "sets": len(read[0])} if parameters else {}
    return Contrast(
        (first.name, second.name),
        count,
        len(read[0]),
        tuple(row for row in rows if not row.missing or any(row.patients)),
        tuple(
            _curves(row, ok, drawn, first.plan.follow_up) for row, pairs in timed.values() if (ok := _counted(pairs))
        ),
        tuple(notes),
        {"version": __version__, "seed": seed, "patients": count, "trial": first.file, **_cards(last), **told},
    )


def _cards(journeys: Sequence[Journey]) -> dict[str, str]:
    return {
        f"{what} {which}": name
        for which, journey in zip(("first", "second"), journeys)
        for what, name in (("product", journey.provenance["product"]), ("policy", journey.provenance["policy"]))
    }


def _shown(first: Trial, second: Trial) -> tuple[Published, ...]:
    """Rows for two designs: of all enrolled where one of them is standard care, of the infused otherwise.

    A design is an arm without a name, which standard care needs in order to be counted.
    """
    standard = first.comparator is not None or second.comparator is not None
    end, diseases = first.plan.follow_up, [one.disease for one in first.arms or (first,)]
    rows = tuple(row for row in endpoints() if _seen(row, end, diseases) and _of_all(row) == standard)
    return tuple(replace(row, arms=("",)) for row in rows) if standard else rows


def _of_all(row: Published) -> bool:
    return row.among == "enrolled" and row.endpoint in ("survival", "best_response")


def _seen(row: Published, end: float, diseases: Sequence[Disease]) -> bool:
    last = max(row.time or 0.0, number_of(row, "day"))
    return last < end + 1 and not all(unseen(row.endpoint, one.lineage, one.name) for one in diseases)


def shown_of(journey: Journey) -> tuple[Published, ...]:
    """Rows for the infused of a journey of one disease."""
    return tuple(r for r in endpoints() if not _of_all(r) and _seen(r, journey.plan.follow_up, [journey.disease]))


def resampled_patients(seed: int, count: int) -> NDArray[np.intp]:
    """Patients drawn again, the same of both designs, shape (resamples, n)."""
    return (uniforms(seed, "patients of both designs", np.arange(RESAMPLES), count) * count).astype(np.intp)


def read_endpoint(row: Published, journey: Journey) -> Reading:
    """What a row reads off all patients, and who counts for it; or why nothing."""
    scale, until = str(row.arguments.get("scale", "astct")), number_of(row, "until", np.inf)
    try:
        return read_row(row, journey, scale=scale, until=until)
    except NotProduced as problem:
        return str(problem)


def _counted(pairs: Sequence[tuple[Reading, Reading]]) -> list[Pair]:
    """The sets under which somebody counts in both designs."""
    return [(a, b) for a, b in pairs if not (isinstance(a, str) or isinstance(b, str)) and a[1].any() and b[1].any()]


def _middle(values: Sequence[float]) -> float:
    return quantile(np.array(values), 1 / 2) if not np.isnan(values).all() else np.nan


def difference_of(row: Published, pairs: Sequence[tuple[Reading, Reading]], drawn: NDArray[np.intp]) -> Difference:
    """One row by set: ``drawn`` are patients drawn again, shape (resamples, n), and each draw has the next set."""
    ratio, among = row.statistic == RATIO, row.among
    counts = [[0 if isinstance(one, str) else int(one[1].sum()) for one in pair] for pair in pairs]
    sizes = (int(_middle([a for a, _ in counts])), int(_middle([b for _, b in counts])))
    usable = _counted(pairs)
    if not usable:
        said = next((one for pair in pairs for one in pair if isinstance(one, str)), "")
        missing = said or "no virtual patient has this value in one of the designs"
        nan = float("nan")
        return Difference(row.quantity, row.unit, nan, nan, nan, nan, nan, ratio, among, sizes, missing)

    def value(one: tuple[tuple[Cells, ...], Flags], who: NDArray[np.intp]) -> float:
        arrays, pool = one
        kept = who[pool[who]]
        return float(summarize(row, *(a[kept] for a in arrays))) if kept.size else np.nan

    def apart(one: float, other: float) -> float:
        return other / one if ratio else other - one

    everyone = np.arange(int(drawn.shape[1]))
    by_set = [(value(a, everyone), value(b, everyone)) for a, b in usable]
    both = [tuple(value(one, who) for one in usable[i % len(usable)]) for i, who in enumerate(drawn)]
    spread = np.array([apart(a, b) if np.isfinite([a, b]).all() else np.nan for a, b in both])
    known = not np.isnan(spread).all()
    low, high = ((1 - LEVEL) / 2, (1 + LEVEL) / 2)
    return Difference(
        row.quantity, row.unit, _middle([a for a, _ in by_set]), _middle([b for _, b in by_set]),
        _middle([apart(a, b) for a, b in by_set]), quantile(spread, low) if known else np.nan,
        quantile(spread, high) if known else np.nan, ratio, among, sizes,
    )  # fmt: skip


def _curves(row: Published, pairs: Sequence[Pair], drawn: NDArray[np.intp], until: float) -> Curves:
    """Survival of a row by day, by set and draw as in ``difference_of``."""
    days = np.linspace(0.0, until, GRID)

    def curve(one: tuple[tuple[Cells, ...], Flags], who: NDArray[np.intp]) -> Floats:
        (time, event), pool = one[0][:2], one[1]
        kept = who[pool[who]]
        if not kept.size:
            return np.full(GRID, np.nan)
        found = kaplan_meier(time[kept], event[kept])
        return np.concatenate([[found.start], found.value])[np.searchsorted(found.times, days, side="right")]

    everyone = np.arange(int(drawn.shape[1]))
    middle = np.median([[curve(one, everyone) for one in pair] for pair in pairs], axis=0)
    spread = [[curve(one, who) for one in pairs[i % len(pairs)]] for i, who in enumerate(drawn)]
    low, high = np.nanquantile(spread, [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=0)
    return Curves(str(row.arguments["event"]), str(row.arguments["clock"]), row.among, days, middle, low, high)
