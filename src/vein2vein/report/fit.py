"""How the virtual patients of a trial stand to what was published: fit or prediction, and the misses."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import numpy as np

from vein2vein.report import facts
from vein2vein.report.look import look, unit_name
from vein2vein.report.text import number, span

if TYPE_CHECKING:
    from vein2vein.trials.trial import Trial

INSIDE, OUTSIDE, MISSING = "inside", "outside", "missing"
BEYOND = "inside, beyond tolerance"
ROUNDED = ("%", "months", "days")  # units whose values are told in fewer digits where there is little room
FIT, PREDICTION = "fit", "prediction"


def within(row: facts.Compared) -> str:
    """Say whether the published value lies in the simulated interval; a median may not be reached (inf)."""
    if np.isnan(row.simulated):
        return MISSING
    if np.isnan(row.published) or np.isnan(row.low):
        return ""
    return INSIDE if row.low <= row.published <= row.high else OUTSIDE


def judged(rows: Sequence[facts.Compared]) -> list[facts.Compared]:
    """Outcomes that were read in their source and simulated: those that count."""
    return [r for r in rows if r.kind == "outcome" and r.confidence == facts.READ and within(r) in (INSIDE, OUTSIDE)]


def verdict(row: facts.Compared) -> str:
    """Inside, outside, or inside an interval whose middle is further away than the row's tolerance."""
    return BEYOND if within(row) == INSIDE and row.error > 1 else within(row)


def misses(rows: Sequence[facts.Compared]) -> list[facts.Compared]:
    """Judged rows that miss, the worst first: by tolerances, then those that state none by their interval."""
    found = [row for row in judged(rows) if verdict(row) != INSIDE]
    return sorted(found, key=lambda row: (np.isnan(row.error), -(_widths(row) if np.isnan(row.error) else row.error)))


def _widths(row: facts.Compared) -> float:
    """Distance from the published value in half widths of the simulated interval, on the side where it lies."""
    half = row.simulated - row.low if row.published < row.simulated else row.high - row.simulated
    away = abs(row.published - row.simulated)
    return away / half if half > 0 and np.isfinite(half) and np.isfinite(away) else float("inf")


def distance_words(row: facts.Compared) -> str:
    """The distance from the published value in tolerances, in words."""
    if np.isnan(row.error):
        return "no tolerance stated"
    told = number(row.error, 2)
    return "beyond any tolerance" if np.isinf(row.error) else f"{told} tolerance{'' if told == '1' else 's'}"


def value_words(row: facts.Compared, value: float, digits: int = 3) -> str:
    """A value of a row with its unit."""
    unit = unit_name(row.unit)
    digits = digits if row.unit in ROUNDED else 3
    return "not reached" if np.isinf(value) else f"{number(value, digits)} {unit}".strip()


def label(row: facts.Compared) -> str:
    """What a row is about, in words: the quantity, its landmark and its definition; of some arms, also these."""
    text = row.definition
    when = ""
    if row.told.time is not None:
        months = row.told.time / look("windows", "month")
        text = re.sub(r"\bt ?= ?\d+(\.\d+)? ?(mo|m|months?|d|days?)\b[;,]? *", "", text)
        when = f" at {number(months, 3)} month{'' if round(months, 2) == 1 else 's'}"
    text = text.strip(" ;,")
    who = f" ({row.arm})" if row.arms and row.arm else ""
    return f"{row.title}{when}" + (f": {text}" if text else "") + who


def labels(rows: Sequence[facts.Compared]) -> list[str]:
    """A label for each row, none of them twice: where two are the same, the patients are named, then the source."""
    found = [label(row) for row in rows]
    for more in zip(*((row.arm, row.told.trial, row.told.where, row.unit) for row in rows)):
        twice = {text for text in found if found.count(text) > 1}
        found = [
            f"{text} ({own})" if text in twice and own and own not in text else text
            for text, own in zip(found, more, strict=True)
        ]
    return [
        f"{text} (row {found[: i + 1].count(text)})" if found.count(text) > 1 else text for i, text in enumerate(found)
    ]


@dataclass(frozen=True)
class Tally:
    """Judged rows of some patients or of one kind.

    Attributes
    ----------
    title : str
    judged, inside : int
        Outcomes that were read and simulated; of these, inside the simulated 90 % interval.
    scored, passed : int
        Of these, rows that state a tolerance; inside, and within it.
    worst : Compared or None
        The worst miss.
    """

    title: str
    judged: int
    inside: int
    scored: int
    passed: int
    worst: facts.Compared | None


def tally(title: str, rows: Sequence[facts.Compared]) -> Tally:
    """Count the judged rows."""
    known, missed = judged(rows), misses(rows)
    scored = [row for row in known if row.told.tolerance_kind]
    return Tally(
        title,
        len(known),
        sum(within(row) == INSIDE for row in known),
        len(scored),
        sum(verdict(row) == INSIDE for row in scored),
        missed[0] if missed else None,
    )


def tallies(trial: Trial, rows: Sequence[facts.Compared]) -> tuple[list[Tally], list[Tally]]:
    """Count the judged rows by arm (those of several arms together), and by kind of endpoint; all together last."""
    from vein2vein.inference.scoring import OTHER, kinds

    titles = {arm.name: arm.title for arm in trial.arms}
    of_arms: dict[tuple[str, ...], list[facts.Compared]] = {}
    of_kinds: dict[str, list[facts.Compared]] = {}
    for row in judged(rows):
        of_arms.setdefault(row.arms, []).append(row)
        of_kinds.setdefault(kinds().get(row.told.endpoint, OTHER), []).append(row)
    everyone = "all arms together" if trial.arms else "all patients"
    by_arm = [tally(" + ".join(titles[name] for name in arms) or everyone, own) for arms, own in of_arms.items()]
    by_kind = [tally(kind, own) for kind, own in of_kinds.items()]
    whole = [tally("in all", rows)]
    return by_arm + (whole if len(by_arm) > 1 else []), by_kind


def calibrated_on(trial: Trial) -> tuple[str, ...]:
    """Trials on which numbers in force in this trial were calibrated, as the cards and the posterior sample say."""
    from vein2vein.inference.posterior import bundled, read_posterior

    diseases = [trial.disease, *(arm.disease for arm in trial.arms)]
    named = [name for disease in diseases for name in disease.calibrated_on]
    made = read_posterior().facts.get("trials") if bundled().is_file() else None
    named += [str(name) for name in cast("list[object]", made)] if isinstance(made, list) else []
    return tuple(dict.fromkeys(named))


def fit_or_prediction(trial: Trial) -> str:
    """``fit`` where the numbers were calibrated on this trial, else ``prediction``."""
    names = {_plain(trial.name), *(_plain(name) for row in trial.published if (name := row.trial))}
    return FIT if names & {_plain(name) for name in calibrated_on(trial)} else PREDICTION


def _plain(name: str) -> str:
    """A trial's name however it is spelled: ``ZUMA-1 (NCT02348216)`` and ``zuma_1`` are one."""
    return re.sub(r"[^a-z0-9]", "", name.split("(")[0].lower())


def fit_words(trial: Trial) -> str:
    """What the agreement of simulated and published is worth, in a sentence."""
    if fit_or_prediction(trial) == FIT:
        return (
            "This is a fit: the numbers of the model were calibrated on this trial, so agreement shows that the model "
            "can hold its outcomes, not that it foretells others."
        )
    return (
        "This is a prediction: the numbers of the model were not calibrated on this trial. Products, diseases or "
        "patients that it shares with calibrated trials still make it less than independent."
    )


def miss_words(row: facts.Compared) -> str:
    """A miss in one line: simulated against published, with the distance."""
    around = span(row.low, row.high) if np.isfinite(row.simulated) else ""
    return (
        f"{value_words(row, row.simulated)}{f' ({around})' if around else ''} against "
        f"{value_words(row, row.published)}, {distance_words(row)}, {verdict(row)}{_few(row)}"
    )


def _few(row: facts.Compared) -> str:
    """How many virtual patients a row counted, where the published ones were twice as many: it says little of them."""
    return f" (n = {row.pool})" if 0 < 2 * row.pool <= row.n else ""
