"""The library: every product, disease, trial, model, criterion and label, each number with source and origin."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from itertools import groupby
from pathlib import Path
from typing import Annotated, Literal, cast

from fastapi import Query

from vein2vein.cards import bundled_card, bundled_cards
from vein2vein.declared import Record
from vein2vein.errors import unknown
from vein2vein.report.card_facts import Card, Fact, facts_of, in_words, items_of, marks_in_words, table_of, title_of
from vein2vein.sources import all_sources, cited
from vein2vein.web.door import Door
from vein2vein.web.fields import fields_in, form_of, parts_of
from vein2vein.web.page import Page
from vein2vein.web.visit import Visited
from vein2vein.web.words import said
from vein2vein.web.workspace import Missing

PER_PAGE = 40  # facts: a page stays light
HOW = (
    said("reported"), said("converted"), said("digitized"), said("fitted"), said("calibrated"), said("assumed"),
    said("from memory"),
)  # fmt: skip
How = Literal["reported", "converted", "digitized", "fitted", "calibrated", "assumed", "from memory", "not said", "all"]
NOT_SAID, ALL = said("not said"), "all"
PACKAGE = Path(__file__).resolve().parents[2]
PARTS = {"levels": said("Levels"), "thresholds": said("Thresholds"), "rules": said("Rules"), "": said("Other facts")}
"""Parts of a criterion that stand as tables of their own, and the rest."""

DOOR = Door(
    "library",
    said("Library"),
    said("Every product, disease, trial, model and criterion: each number with its source and how it was obtained."),
)


@dataclass(frozen=True)
class Shelf:
    """A kind of card: where they stand, what they are called, and how one is had elsewhere."""

    title: str
    about: str
    folders: tuple[str, ...]
    command: str = ""
    python: str = ""


SHELVES: Mapping[str, Shelf] = {
    "products": Shelf(
        said("Products"), said("CAR T-cell products: receptor, dose, manufacturing, numbers of the model."),
        ("therapy/products",), "vein2vein products", 'v2v.find_product("{name}")',
    ),
    "diseases": Shelf(
        said("Diseases"), said("Diseases: antigens, laws of the population, numbers of the model."),
        ("therapy/diseases",), "vein2vein diseases", 'v2v.find_disease("{name}")',
    ),
    "trials": Shelf(
        said("Trials"), said("Published trials: who was enrolled, what was done, what was published."),
        ("trials/cards",), "vein2vein trials", 'v2v.load_trial("{name}")',
    ),
    "comparators": Shelf(
        said("Comparators"), said("What standard care gave, as it was published."), ("trials/comparators",),
        "vein2vein schema comparator",
    ),
    "models": Shelf(
        said("Models"), said("Models of the cells in the body: states, parameters, sources."),
        ("models", "models/reference"), "vein2vein models", 'v2v.find_parameters("{name}")',
    ),
    "criteria": Shelf(
        said("Criteria"), said("Dated editions of scales, responses and guidance, as tables a clinician can check."),
        ("clinic/criteria",), "vein2vein monitor --help",
    ),
    "labels": Shelf(
        said("Labels"), said("Approved uses, dated, with what was not read."), ("clinic/labels",),
        "vein2vein schema label",
    ),
    "policies": Shelf(
        said("Policies"), said("When tocilizumab, steroids and the rest are given."), ("clinic/care/policies",),
        "vein2vein schema policy", 'v2v.read_policy("{name}")',
    ),
}  # fmt: skip


@DOOR.page("/library")
def shelves(visit: Visited) -> Page:
    """Show what kinds of cards there are, and how many of each."""
    told = [
        {"name": name, "title": shelf.title, "about": shelf.about, "cards": len(cards_of(name))}
        for name, shelf in SHELVES.items()
    ]
    return Page("library/shelves.html.j2", DOOR.title, {"shelves": told}, command="vein2vein products")


@DOOR.page("/library/{shelf}")
def shelf(visit: Visited, shelf: str) -> Page:
    """Show the cards of a kind: what each is, how many facts it holds, how many of them are assumed."""
    kind = _shelf(shelf)
    cards = [
        {"name": name, "title": in_words(name, card_of(shelf, name)), "facts": len(told_of(shelf, name)),
         "assumed": counts_of(shelf, name).get("assumed", 0)}
        for name in cards_of(shelf)
    ]  # fmt: skip
    data = {"shelf": shelf, "about": kind.about, "cards": cards}
    return Page("library/shelf.html.j2", kind.title, data, command=kind.command)


@DOOR.page("/library/{shelf}/{name}")
def card(
    visit: Visited,
    shelf: str,
    name: str,
    how: Annotated[How, Query(description="Only facts that were obtained so")] = ALL,
    first: Annotated[int, Query(ge=0, le=1_000_000, description="Number of facts left out before the page")] = 0,
) -> Page:
    """Show one card: each fact with its unit, how it was obtained, and its source."""
    kind = _shelf(shelf)
    if name not in cards_of(shelf):
        raise Missing(unknown(f"card among the {kind.title.lower()}", name, cards_of(shelf)), field="name")
    data = card_of(shelf, name)
    wanted = [one for one in told_of(shelf, name) if how in (ALL, one["how"] or NOT_SAID)]
    shown = explained(shelf, name, wanted[first : first + PER_PAGE])
    keys = [str(row["source"]) for row in shown] + [str(data.get("source", ""))]
    return Page(
        "library/card.html.j2",
        "{name}",
        {
            "shelf": shelf,
            "name": name,
            "about": _about(data),
            "counts": [{"how": one, "facts": n} for one, n in counts_of(shelf, name).items()],
            "how": how,
            "from": first + 1 if shown else 0,
            "to": first + len(shown),
            "total": len(wanted),
            "next": first + PER_PAGE if first + PER_PAGE < len(wanted) else None,
            "before": max(first - PER_PAGE, 0) if first else None,
            "tables": [
                {"title": PARTS[part] if shelf == "criteria" else said("Facts"), "facts": list(rows)}
                for part, rows in groupby(shown, key=lambda row: str(row["part"]))
            ],
            "references": {key: cited(key) for key in dict.fromkeys(keys) if key in all_sources()},
        },
        python=f"import vein2vein as v2v\n\nprint({kind.python.format(name=name)})" if kind.python else "",
        command=f"{kind.command} {name}" if kind.python and kind.command.startswith(f"vein2vein {shelf}") else "",
        names={"name": title_of(name, data)},
    )


def cards_of(shelf: str) -> dict[str, Path]:
    """The cards of a kind by name."""
    found: dict[str, Path] = {}
    for folder in SHELVES[shelf].folders:
        found |= bundled_cards(PACKAGE / folder)
    return dict(sorted(found.items()))


def card_of(shelf: str, name: str) -> Card:
    """What a card holds."""
    return bundled_card(cards_of(shelf)[name].relative_to(PACKAGE).as_posix()).data


@cache
def told_of(shelf: str, name: str) -> list[dict[str, object]]:
    """The facts of a card, as the page tells them."""
    data = card_of(shelf, name)
    parts = [part for part in PARTS if part] if shelf == "criteria" else []
    rows = [row for part in parts for row in _rows(data, part)]
    for fact in facts_of(data):
        if fact.path[-1] not in ("why", "mark", "name", "title") and fact.path[0] not in parts:
            rows.append(_told(fact))
    return rows


def explained(shelf: str, name: str, rows: Iterable[Mapping[str, object]]) -> list[dict[str, object]]:
    """Facts with what the declaration of their card says where the card itself says nothing: meaning and unit."""
    kind, data = _record_of(shelf), card_of(shelf, name)
    said = {} if kind is None else {_place(one.path, data): one for one in fields_in(form_of(kind, data))}
    told: list[dict[str, object]] = []
    for row in rows:
        one = said.get(str(row["field"]))
        meaning = "" if one is None or one.label == one.name else one.label
        unit = "" if one is None or isinstance(row["value"], str) else one.unit
        told.append({**row, "meaning": row["meaning"] or meaning, "unit": row["unit"] or unit})
    return told


def _place(path: str, data: Card) -> str:
    """The place of a field as its fact has it: what stands in a list goes by its name, else by its number from 1."""
    here: object = data
    parts: list[str] = []
    for part in parts_of(path):
        items = items_of(here)
        if items and part.isdigit():
            here = items[int(part)]
            parts.append(str((table_of(here) or {}).get("name", int(part) + 1)))
        else:
            here = (table_of(here) or {}).get(part)
            parts.append(part)
    return ".".join(parts)


def _record_of(shelf: str) -> type[Record] | None:
    """The record that declares the cards of a shelf; None where they are of another make."""
    if shelf == "products":
        from vein2vein.therapy.product import Product

        return Product
    if shelf == "diseases":
        from vein2vein.therapy.disease import Disease

        return Disease
    if shelf == "trials":
        from vein2vein.trials.trial_card import trial_card

        return trial_card()
    if shelf == "comparators":
        from vein2vein.trials.comparator import Comparator

        return Comparator
    if shelf == "labels":
        from vein2vein.clinic.care.label_card import Label

        return Label
    if shelf == "policies":
        from vein2vein.clinic.care.policy_card import PolicyCard

        return PolicyCard
    return None


@cache
def counts_of(shelf: str, name: str) -> dict[str, int]:
    """How many facts of a card were obtained how."""
    counted = Counter(str(row["how"]) or NOT_SAID for row in told_of(shelf, name))
    return {one: counted[one] for one in (*HOW, NOT_SAID) if counted[one]}


def _told(fact: Fact) -> dict[str, object]:
    origin = fact.provenance
    return {
        "part": "",
        "field": ".".join(fact.path),
        "meaning": fact.meaning,
        "value": _value(fact.value),
        "unit": "" if fact.unit == "1" else fact.unit,
        "how": fact.how,
        "source": origin.source,
        "where": f"{marks_in_words(origin.where)} {_mark(origin.mark)}".strip(),
        "why": origin.why,
    }


def _rows(data: Card, part: str) -> list[dict[str, object]]:
    """The rows of a part of a criterion: what it says in words, with its mark."""
    held = data.get(part)
    rows = list((table_of(held) or {}).items()) or [(str(i), row) for i, row in enumerate(items_of(held), start=1)]
    return [_row(part, name, table) for name, row in rows if (table := table_of(row)) is not None]


def _row(part: str, name: str, row: Card) -> dict[str, object]:
    mark = str(row.get("mark", ""))
    left = ("mark", "why", "source", "where", "how", "meaning", "value", "unit")
    rest = "; ".join(f"{k.replace('_', ' ')} {_value(v)}".strip() for k, v in row.items() if k not in left)
    return {
        "part": part,
        "field": f"{part}.{name}",
        "meaning": str(row.get("meaning", "")) or rest,
        "value": _value(row.get("value", "")),
        "unit": "" if row.get("unit") == "1" else str(row.get("unit", "")),
        "how": str(row.get("how", "")) or {"R": "reported", "M": "from memory", "D": "assumed"}.get(mark[:1], ""),
        "source": str(row.get("source", "")),
        "where": f"{marks_in_words(str(row.get('where', '')))} {_mark(mark)}".strip(),
        "why": str(row.get("why", "")),
    }


def _mark(mark: str) -> str:
    from vein2vein.clinic.criteria import reference

    return reference(mark) if mark.startswith("R:") else ""


def _value(value: object) -> object:
    """A number as it is, everything else as text."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float | str):
        return value
    if table_of(value) is not None:
        return "; ".join(f"{k} {_value(v)}" for k, v in (table_of(value) or {}).items())
    return (
        ", ".join(str(_value(one)) for one in items_of(cast("object", value)))
        if isinstance(value, list)
        else str(value)
    )


def _about(data: Card) -> str:
    return ". ".join(told for key in ("published", "date") if isinstance(told := data.get(key), str))


def _shelf(name: str) -> Shelf:
    if name not in SHELVES:
        raise Missing(unknown("shelf", name, SHELVES), field="shelf")
    return SHELVES[name]
