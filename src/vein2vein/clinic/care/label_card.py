"""Label cards: the approved uses of a product in one country as a label states them, dated, each fact with its mark.

One card per label, ``labels/*.toml``; a hospital's own card is given by its path. Uses are split as the label splits
them: by disease, line of therapy, age and fitness.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, fields
from datetime import date
from functools import cache
from pathlib import Path
from typing import Annotated

from vein2vein.card_reading import read
from vein2vein.cards import Card, bundled_cards, find_card, is_path
from vein2vein.clinic.criteria import MARKS, edition
from vein2vein.declared import Record, Sourced, flag, listed, number, part, text
from vein2vein.errors import InputError, unknown
from vein2vein.therapy import vocabulary as words
from vein2vein.therapy.disease import all_diseases, label_diseases
from vein2vein.therapy.history import History

FOLDER = Path(__file__).parent.with_name("labels")
DERIVED = ("relapsed_or_refractory", "early_relapse", "second_relapse")
"""Questions answered from several facts of the history; every other one is a fact of it."""


def _diseases() -> Collection[str]:
    return [*all_diseases(), *label_diseases()]


def _questions() -> Collection[str]:
    return [*DERIVED, *(one.name for one in fields(History))]


def _marked(name: str, mark: str) -> Iterator[tuple[str, str]]:
    if not MARKS.match(mark):
        yield name, f"found '{mark}', expected R:S1 (read in S1), M (memory) or D (our choice)."


def _dated(name: str, told: str, *, month: bool = False) -> Iterator[tuple[str, str]]:
    try:
        date.fromisoformat(f"{told}-01" if month and told.count("-") == 1 else told)
    except ValueError:
        yield name, f"found '{told}', expected a date such as 2026-02-06{' or a month such as 2026-02' * month}."


@dataclass(frozen=True, kw_only=True)
class Change(Record):
    """A change of a label, as it was read."""

    date: Annotated[str, text("Date or month of the change, such as 2026-02-06 or 2026-02")]
    what: Annotated[str, text("What changed")]
    mark: Annotated[str, text("R:S1 read in S1, M memory, D our choice")]

    def faults(self) -> Iterator[tuple[str, str]]:
        """A date or mark that is none."""
        yield from _dated("date", self.date, month=True)
        yield from _marked("mark", self.mark)


_said = text  # a field of the next records has this name


@dataclass(frozen=True, kw_only=True)
class Limitation(Record):
    """What a label says that the product is not for."""

    diseases: Annotated[tuple[str, ...], listed("Diseases", 'names such as ["pcnsl"]', choices=_diseases, filled=True)]
    text: Annotated[str, _said("The limitation in words")]
    mark: Annotated[str, _said("R:S1 read in S1, M memory, D our choice")]

    def faults(self) -> Iterator[tuple[str, str]]:
        """A mark that is none."""
        yield from _marked("mark", self.mark)


@dataclass(frozen=True, kw_only=True)
class Span(Record):
    """How long a label asks for something after the infusion; no days: it gives no time."""

    days: Annotated[float, number("Days from the infusion", "day", above=0, high=words.LONGEST)] | None = None
    mark: Annotated[str, _said("R:S1 read in S1, M memory, D our choice")]
    in_force: Annotated[bool, flag("Whether the text in force says so")] = True
    text: Annotated[str, _said("What to know of it")] = ""

    def faults(self) -> Iterator[tuple[str, str]]:
        """A mark that is none."""
        yield from _marked("mark", self.mark)

    @property
    def verified(self) -> bool:
        """Whether it was read in the label in force."""
        return self.in_force and self.mark != "M"


@dataclass(frozen=True, kw_only=True)
class Times(Record):
    """How long a label asks for what; a part that is missing was not read."""

    daily: Annotated[Span, part("Daily checks, at least")] | None = None
    near: Annotated[Span, part("Staying near the center")] | None = None
    driving: Annotated[Span, part("No driving and no hazardous work, at least")] | None = None


@dataclass(frozen=True, kw_only=True)
class Use(Record):
    """One approved use: all that it asks must be met."""

    name: Annotated[str, _said("Short name of the use")]
    section: Annotated[str, _said("Section of the label")]
    text: Annotated[str, _said("The use in our words")]
    diseases: Annotated[
        tuple[str, ...], listed("Diseases that it covers", 'names such as ["lbcl"]', choices=_diseases, filled=True)
    ]
    age_low: Annotated[float, number("Lowest age", "year", 0, words.AGE)] = 0.0
    age_below: Annotated[float, number("Age from which it is not for", "year", above=0, high=words.AGE)] = float("inf")
    lines_low: Annotated[float, number("Fewest earlier lines of therapy", low=0, high=words.LINES)] = 0.0
    asks: Annotated[
        tuple[str, ...], listed("What else it asks", 'questions such as ["early_relapse"]', choices=_questions)
    ] = ()
    asks_if: Annotated[
        Mapping[str, tuple[str, ...]],
        listed("What it asks of one of its diseases only", '["large_b_cell"]', choices=_questions),
    ] = field(default_factory=dict[str, tuple[str, ...]])
    mark: Annotated[str, _said("R:S1 read in S1, M memory, D our choice")]
    note: Annotated[str, _said("What to know of this use")] = ""

    def faults(self) -> Iterator[tuple[str, str]]:
        """Ages that nobody has, questions of a disease that it does not cover, a mark that is none."""
        if self.age_low >= self.age_below:
            yield "age_below", f"found {self.age_below:g} years, expected more than age_low, {self.age_low:g}."
        for name in self.asks_if:
            if name not in self.diseases:
                yield f"asks_if.{name}", f"found '{name}', expected one of its diseases: {', '.join(self.diseases)}."
        yield from _marked("mark", self.mark)


@dataclass(frozen=True, kw_only=True)
class Label(Sourced):
    """The label of a product in one country.

    Attributes
    ----------
    product : str
        Name of the product card.
    read : str
        Date on which the text, or what there was of it, was read.
    newest_change : str
        Date or month of the newest change known then; "" unknown.
    begins, ends : str
        First and last date on which the label is in force; "" it was when it was read.
    unread : str
        What of the label was not read.
    """

    product: Annotated[str, text("Name of the product card")]
    title: Annotated[str, text("Name in print")]
    brand: Annotated[str, text("Brand")]
    country: Annotated[str, text("Country of the label")]
    read: Annotated[str, text("Date on which it was read, such as 2026-11-29")]
    newest_change: Annotated[str, text("Date or month of the newest change that is known")] = ""
    begins: Annotated[str, text("First date on which it is in force")] = ""
    ends: Annotated[str, text("Last date on which it is in force")] = ""
    unread: Annotated[str, text("What of it was not read")] = ""
    changes: Annotated[tuple[Change, ...], part("Changes that were read")] = ()
    limitations: Annotated[tuple[Limitation, ...], part("What it says the product is not for")] = ()
    times: Annotated[Times, part("How long it asks for what after the infusion")] = Times()
    uses: Annotated[tuple[Use, ...], part("Approved uses", filled=True)]

    def faults(self) -> Iterator[tuple[str, str]]:
        """Dates that are none, two uses of one name; no provenance."""
        yield from _dated("read", self.read)
        for name in ("newest_change", "begins", "ends"):
            if told := getattr(self, name):
                yield from _dated(name, told, month=name == "newest_change")
        if self.newest_change[: len("2026-02")] > self.read:
            yield "newest_change", f"found '{self.newest_change}', after the day on which it was read, {self.read}."
        if self.begins and self.ends and self.begins > self.ends:
            yield "ends", f"found '{self.ends}', expected a day from {self.begins} on, when it begins."
        names = [one.name for one in self.uses]
        for i, name in enumerate(names):
            if name in names[:i]:
                yield f"uses.{i}.name", f"found '{name}' twice; give each use a name of its own."
        yield from super().faults()

    @property
    def reference(self) -> str:
        """Which label this is, in words."""
        changed = f", newest change known {self.newest_change}" if self.newest_change else ", date of its text not read"
        return f"{self.brand} label ({self.country}{changed}; read {self.read})"

    def out_of_force(self, on: date) -> str:
        """Why it is not in force on a date, in words; "" where it is."""
        if self.ends and on > date.fromisoformat(self.ends):
            return f"was in force until {self.ends}"
        if self.begins and on < date.fromisoformat(self.begins):
            return f"is in force from {self.begins} on"
        return ""

    def old(self, on: date) -> bool:
        """Whether it was read so long ago that it must be read again."""
        return (on - date.fromisoformat(self.read)).days > edition("indications").values["label_old_days"]


def read_label(card: Card) -> Label:
    """Read and check a label card; a complaint names file, line and field."""
    return read(card, Label)


@cache
def _bundled() -> dict[str, Label]:
    return {name: read_label(find_card(name, FOLDER, "label")) for name in bundled_cards(FOLDER)}


def all_labels() -> dict[str, Label]:
    """Every bundled label by the name of its product."""
    return dict(_bundled())


def find_label(name: str | Path) -> Label:
    """The bundled label of a product by its name, or a card of one's own by its path.

    Raises
    ------
    InputError
        There is none.
    """
    if is_path(str(name)):
        return read_label(find_card(name, FOLDER, "label"))
    if str(name) not in _bundled():
        raise InputError(unknown("label of a product", str(name), _bundled()) + " Without a label nothing is judged.")
    return _bundled()[str(name)]
