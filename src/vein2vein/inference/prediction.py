"""A prediction that is stamped before the data are seen: endpoints of a trial whose values nobody knows yet.

A row ``[[published]]`` without ``value`` asks for a prediction. Of a file without such rows the usual endpoints are
predicted. What stands in the stamp: see ``stamp``; how it is compared with what is published later:
``prediction_score``.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from vein2vein import __version__
from vein2vein.arguments import name_or_path, seed_of, whole
from vein2vein.cards import Card, is_path, parse_card, read_card
from vein2vein.files import checksum
from vein2vein.inference.drawn_trials import Asked, Progress, drawn, sample_of, told
from vein2vein.inference.model_error import WITH_ERROR, widened_row
from vein2vein.inference.posterior import Posterior
from vein2vein.inference.scoring import READ
from vein2vein.inference.stamp import DIGITS, Predicted, RowName, Stamp, asked, design_of, stamped
from vein2vein.inference.stamped_cards import cards_of
from vein2vein.therapy.targets import uncalibrated
from vein2vein.trials.comparison import LEVEL, Row
from vein2vein.trials.contrast import usual_endpoints
from vein2vein.trials.published import BY_INTERVAL, MOST, Published
from vein2vein.trials.trial import Trial, load_trial, read_trial

STAND_IN = {"value": 1.0, "confidence": READ}  # of what is not known yet, while the rest of the row is checked
OF_INTERVAL = {"lo95": 1.0, "hi95": 1.0}
WITH_VALUE = ("lo95", "hi95", "spread")
NAN = float("nan")


def predict(
    trial: str | Path,
    *,
    patients: int | None = None,
    seed: int = 1,
    sets: Posterior | None = None,
    progress: Progress | None = None,
    jobs: int = 1,
) -> Stamp:
    """Predict the endpoints of a trial whose values are not known yet.

    Parameters
    ----------
    trial : str or path
        A trial file of one's own. Rows ``[[published]]`` without ``value`` are predicted; where the file has no such
        table, the usual endpoints of each arm.
    patients : int, optional
        Virtual patients enrolled under each parameter set (default: by the size of the trial).
    seed : int
    sets : Posterior, optional
        A posterior sample (see ``posterior.sample_for``); the numbers of the cards by default.
    progress : callable (fraction, text), optional
    jobs : int
        Processes that run parameter sets side by side.

    Returns
    -------
    Stamp
        With its digest; ``stamp.write_stamp`` writes it.

    Raises
    ------
    InputError
        A fault of the trial file; a trial whose values are all known; a row that stands there twice, or without size.
    """
    seed = seed_of(seed)
    count = None if patients is None else whole("patients", patients, low=1, high=MOST)
    card = card_of(trial)
    plan, rows, known = _rows(card)
    size = plan.enrolled or int(sum(arm.size for arm in plan.arms))
    _check_size(card, rows, size)
    sample = sample_of(sets, seed)
    one = Asked(plan, rows, count, size)
    cards = cards_of(card)
    (found,) = drawn([one], sample, seed=seed, progress=progress, jobs=jobs)
    if isinstance(sets, Posterior):
        found = [widened_row(row, asked_for) for row, asked_for in zip(found, rows, strict=True)]
    return stamped(
        Stamp(
            made=now().strftime("%Y-%m-%dT%H:%M:%SZ"),
            version=__version__,
            trial=_published_as(card),
            title=plan.title,
            file=Path(card.file).name,
            file_hash=checksum(Path(card.file)),
            seed=seed,
            patients=one.enrolled(len(sample)),
            sets=len(sample),
            parameters=told(sets, len(sample)) + (WITH_ERROR if isinstance(sets, Posterior) else ""),
            size=size,
            level=LEVEL,
            scale=plan.scale,
            until=plan.until,
            design=design_of(card),
            cards=cards,
            known=known,
            notes=_notes(plan),
            predicted=tuple(map(_predicted, rows, found)),
        )
    )


def _notes(plan: Trial) -> tuple[str, ...]:
    """What a reader must know of the cards: which were calibrated on no patients."""
    given = [(arm.product, arm.disease) for arm in plan.arms if not arm.comparator] or [(plan.product, plan.disease)]
    return tuple(dict.fromkeys(note for pair in given for note in uncalibrated(*pair)))


def card_of(trial: str | Path) -> Card:
    """A trial file of one's own, or that of a trial that comes with vein2vein."""
    name = name_or_path("trial", trial, "the path of a trial file")
    if is_path(name):
        return read_card(name)
    found = load_trial(name)
    return parse_card(found.text, found.file)


def now() -> datetime:
    """The time of a stamp."""
    return datetime.now(UTC)


# The rows to predict


def _rows(card: Card) -> tuple[Trial, tuple[Published, ...], tuple[RowName, ...]]:
    """The trial, the rows to predict, and those whose values are known."""
    tables = card.tables("published")
    waiting = [i for i, row in enumerate(tables) if "value" not in row]
    if tables and not waiting:
        said = "every row has its value already, and a prediction is made before data are seen; leave out the values"
        raise card.error(("published",), f"{said} of the rows to predict, or all [[published]] rows.")
    for i in waiting:
        for name in WITH_VALUE:
            if name in tables[i]:
                raise card.error(("published", str(i), name), "found without value; give both, or neither.")
    filled = [_filled(row) if i in waiting else row for i, row in enumerate(tables)]
    plan = read_trial(Card(card.file, card.text, {**card.data, "published": filled}) if tables else card)
    _check_apart(card, plan.published)
    known = tuple(name_of(row) for i, row in enumerate(plan.published) if i not in waiting)
    if tables:
        return plan, tuple(replace(plan.published[i], value=NAN, low=NAN, high=NAN) for i in waiting), known
    return plan, tuple(replace(row, trial=_published_as(card)) for row in usual_endpoints(plan)), known


def _filled(row: Any) -> dict[str, Any]:
    return {**STAND_IN, **(OF_INTERVAL if row.get("tolerance_kind") == BY_INTERVAL else {}), **row}


def _published_as(card: Card) -> str:
    return card.string("trial", "published_as", default=card.string("trial", "name"))


def name_of(row: Published) -> RowName:
    """Which row it is."""
    return RowName(quantity=row.quantity, definition=row.definition, arm=row.arm, trial=row.trial)


def _check_apart(card: Card, rows: Iterable[Published]) -> None:
    lines: dict[tuple[str, ...], int | None] = {}
    for i, row in enumerate(rows):
        name, here = name_of(row), ("published", str(i))
        if name.key in lines:
            said = f"found '{name.words}' again (first on line {lines[name.key]}); rows to be scored later need names"
            raise card.error((*here, "quantity"), f"{said} of their own: change quantity, definition or arm of one.")
        lines[name.key] = card.line(*here, "quantity")


def _check_size(card: Card, rows: Iterable[Published], size: int) -> None:
    if not size and (bare := next((row for row in rows if row.endpoint and not row.draw), None)):
        said = f"missing; '{bare.quantity}' is predicted for a trial of some size: add enrolled = ... under [size]"
        raise card.error(("size", "enrolled"), f"{said}, or n to the row.")


def _predicted(row: Published, found: Row) -> Predicted:
    median, low, high = (
        None if np.isnan(value) else float(f"{value:.{DIGITS}g}") for value in (found.simulated, found.low, found.high)
    )
    return Predicted(
        quantity=row.quantity, definition=row.definition, arm=row.arm, trial=row.trial, unit=row.unit,
        n=row.draw or None, median=median, low=low, high=high, missing=found.missing, asks=asked(row),
    )  # fmt: skip
