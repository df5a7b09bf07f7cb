"""Published values beside a stamped prediction: inside or not, distance in tolerances, coverage, mean error."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from vein2vein import __version__
from vein2vein.cards import Card, read_card
from vein2vein.errors import nearest
from vein2vein.inference.scoring import OTHER, READ, Score, ScoredRow, distance, kinds, summarize
from vein2vein.inference.stamp import NAMES, Predicted, RowName, Stamp, asked, design_of, read_stamp
from vein2vein.inference.stamped_cards import changes_since
from vein2vein.trials.published import Published, read_published

NAN = float("nan")


@dataclass(frozen=True)
class PredictionScore:
    """A stamped prediction beside what was published later.

    Attributes
    ----------
    stamp : Stamp
    rows : tuple of ScoredRow
        Rows whose values were read in the source; ``error`` is NaN where a row has no tolerance.
    recalled : tuple of ScoredRow
        Rows from memory: shown, not judged.
    awaited : tuple of str
        Predicted rows for which no value is given yet.
    notes : tuple of str
        What changed since the stamp, and rows of another size than predicted.
    """

    stamp: Stamp
    rows: tuple[ScoredRow, ...]
    recalled: tuple[ScoredRow, ...]
    awaited: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def score(self) -> Score:
        """Over all rows: how many there are and how many are inside (``coverage``)."""
        return summarize(self.stamp.trial, self.rows)

    @property
    def in_tolerances(self) -> Score:
        """Over the rows that have a tolerance: the mean distance (``error``) and how many pass."""
        return summarize(self.stamp.trial, [row for row in self.rows if row.tolerance_kind])


def score_prediction(stamp: str | Path, published: str | Path) -> PredictionScore:
    """Set published values beside a stamped prediction.

    Parameters
    ----------
    stamp : path
        What ``vein2vein predict`` wrote.
    published : path
        The trial file of the prediction, now with values; or a file that holds nothing but ``[[published]]`` rows,
        each named as in the stamp, with value, unit and confidence.

    Raises
    ------
    InputError
        The stamp was changed; the trial's design is another; a row was not predicted, stands there twice, or has
        another unit than predicted, or asks for something else; no row has a value.
    """
    told, card = read_stamp(stamp), read_card(published)
    _check_design(card, told)
    found = [(one, row) for one, row in _values(card, told)]
    if not found:
        raise card.error(("published",), "no row of the prediction has a value yet, expected one at least: add value.")
    named = {one.key for one, _ in found}
    return PredictionScore(
        stamp=told,
        rows=tuple(_scored(told, one, row) for one, row in found if row.confidence == READ),
        recalled=tuple(_scored(told, one, row) for one, row in found if row.confidence != READ),
        awaited=tuple(one.words for one in told.predicted if one.key not in named),
        notes=(*_since(told), *_other_sizes(found)),
    )


# What must be as it was


def _check_design(card: Card, told: Stamp) -> None:
    """Refuse a trial file whose design is not the stamped one, and a file of values that holds anything else."""
    if "trial" not in card.data:
        card.refuse_unknown(("published",))
        return
    now = design_of(card)
    for name in dict.fromkeys((*told.design, *now)):
        if now.get(name) != told.design.get(name):
            what = "is missing" if name not in now else "is new" if name not in told.design else "has changed"
            said = f"this table {what} since the prediction was stamped; only [[published]] rows may be new"
            raise card.error((name,), f"{said}: give the trial file of the prediction with its values filled in.")


def _values(card: Card, told: Stamp) -> Iterator[tuple[Predicted, Published]]:
    """Each predicted row that has a value now, with it."""
    predicted = {one.key: one for one in told.predicted}
    known = {one.key for one in told.known}
    lines: dict[tuple[str, ...], int | None] = {}
    strange: list[tuple[int, RowName]] = []
    for i, row in enumerate(card.tables("published")):
        here = ("published", str(i))
        name = RowName(
            quantity=card.string(*here, "quantity"), definition=card.string(*here, "definition", default=""),
            arm=card.string(*here, "arm", default=""), trial=card.string(*here, "trial", default=told.trial),
        )  # fmt: skip
        if name.key in lines:
            said = f"found '{name.words}' twice (first on line {lines[name.key]}), expected each row once; remove one."
            raise card.error((*here, "quantity"), said)
        lines[name.key] = card.line(*here, "quantity")
        if name.key in known:
            continue
        if name.key not in predicted:
            strange.append((i, name))
        elif "value" in row:
            yield predicted[name.key], _stated(card, i, predicted[name.key], told)
    if strange:
        _refuse(card, strange, told)


def _refuse(card: Card, strange: list[tuple[int, RowName]], told: Stamp) -> None:
    i, first = strange[0]
    near = nearest(first.words, [one.words for one in told.predicted], 1)
    hint = f"; did you mean '{near[0]}'?" if near else "; remove what was not predicted."
    listed = " and ".join(f"'{name.words}'" for _, name in strange)
    raise card.error(("published", str(i), "quantity"), f"{listed} not predicted by this stamp{hint}")


def _stated(card: Card, i: int, one: Predicted, told: Stamp) -> Published:
    """A published row: what the file says of it, over what was asked when it was predicted."""
    here = ("published", str(i))
    row = card.tables("published")[i]
    if "unit" in row and row["unit"] != one.unit:
        raise card.error(
            (*here, "unit"), f"found {row['unit']!r}, but '{one.words}' was predicted in '{one.unit}'; give that unit."
        )
    rows = [*card.tables("published")]
    rows[i] = {**one.asks, "unit": one.unit, **row}
    data = {"trial": {"name": told.trial}, "endpoints": {"scale": told.scale, "until": told.until}, "published": rows}
    cutoff, arms = one.asks.get("cutoff", ""), [*one.asks.get("arms", ())]
    found = read_published(Card(card.file, card.text, data), str(i), [cutoff], arms)
    now = asked(found)
    for name in dict.fromkeys((*one.asks, *now)):
        if now.get(name) != one.asks.get(name):
            then = one.asks.get(name, "nothing")
            said = f"found {now.get(name, 'nothing')!r}, but '{one.words}' was predicted with {then!r}"
            raise card.error((*here, name), f"{said}; what a row asks for cannot change after the stamp.")
    return found


# What is told


def _since(told: Stamp) -> Iterator[str]:
    if told.version != __version__:
        yield f"stamped by version {told.version}, scored by {__version__}"
    yield from changes_since(told.cards)


def _other_sizes(found: list[tuple[Predicted, Published]]) -> Iterator[str]:
    for one, row in found:
        if one.n is not None and not math.isnan(row.n) and row.n != one.n:
            yield f"{one.words}: predicted for {one.n} patients, published of {row.n:g}; the interval is for {one.n}"


def _scored(told: Stamp, one: Predicted, row: Published) -> ScoredRow:
    median, low, high = (NAN if end is None else end for end in (one.median, one.low, one.high))
    inside = bool(low <= row.value <= high)
    error = distance(median, row) if row.tolerance_kind else NAN
    close = bool(error <= 1)
    return ScoredRow(
        file=told.file, **{name: getattr(one, name) for name in NAMES}, unit=one.unit, source=row.source,
        kind=kinds().get(row.endpoint, OTHER), product="+".join(told.cards.products),
        disease="+".join(told.cards.diseases), time=NAN if row.time is None else row.time, published=row.value,
        published_low=row.low, published_high=row.high, n=row.n, simulated=median, low=low, high=high,
        tolerance=row.tolerance, tolerance_kind=row.tolerance_kind, error=error, inside=inside, close=close,
        passed=inside and (close or not row.tolerance_kind), missing=one.missing,
    )  # fmt: skip
