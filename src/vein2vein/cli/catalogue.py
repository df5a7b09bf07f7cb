"""The catalogs: products, diseases, trials and models, each with its sources."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import click

from vein2vein.cli import console

_WORDS = (
    "source",
    "where",
    "how",
    "why",
    "unit",
    "value",
    "symbol",
    "meaning",
    "spread",
    "low",
    "high",
    "latex",
    "given_by",
)


def sources_of(data: Any) -> list[str]:
    """Return the citation keys that a card names, each once, in the order of the card."""
    found: dict[str, None] = {}

    def walk(here: Any) -> None:
        if isinstance(here, Mapping):
            for key, value in here.items():
                if key in ("source", "sources"):
                    found.update(dict.fromkeys([value] if isinstance(value, str) else map(str, value)))
                else:
                    walk(value)
        elif isinstance(here, list):
            for value in here:
                walk(value)

    walk(data)
    return [key for key in found if key]


def facts_of(data: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, str, str, str]]:
    """Yield a card as rows (field, value with unit, how it was obtained, source and place)."""
    if isinstance(data, Mapping):
        if "value" in data:
            unit = str(data.get("unit", ""))
            origin = " ".join(str(data.get(k, "")) for k in ("source", "where")).strip()
            value = data["value"]
            shown = (
                console.number(value)
                if isinstance(value, int | float) and not isinstance(value, bool)
                else _short(value)
            )
            yield ".".join(path), f"{shown} {unit if unit != '1' else ''}".strip(), str(data.get("how", "")), origin
            data = {k: v for k, v in data.items() if k not in _WORDS}
        origin = " ".join(str(data.get(k, "")) for k in ("source", "where")).strip()
        for key, value in data.items():
            if key in ("source", "where", "how"):
                continue
            if isinstance(value, Mapping) or (isinstance(value, list) and any(isinstance(v, Mapping) for v in value)):
                yield from facts_of(value, (*path, key))
            else:
                yield ".".join((*path, key)), _short(value), str(data.get("how", "")), origin
    elif isinstance(data, list):
        for index, value in enumerate(data, start=1):
            label = str(value.get("name", index)) if isinstance(value, Mapping) else str(index)
            yield from facts_of(value, (*path, label))


def _short(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float):
        return console.number(value, digits=4)
    if isinstance(value, list):
        return ", ".join(_short(v) for v in value)
    return " ".join(str(value).split())


def _list_cards(what: str, folder: Path, for_machines: bool) -> None:
    from vein2vein.cards import bundled_cards, read_card

    rows = []
    for name, path in bundled_cards(folder).items():
        data = read_card(path).data
        title, keys = _in_words(name, data), sources_of(data)
        if for_machines:
            _emit(what, name, title, keys)
        rows.append((name, title, ", ".join(keys)))
    if not for_machines:
        console.table((what, "what it is", "sources"), rows)
        console.say(f"One in full: vein2vein {what}s NAME")


def _in_words(name: str, data: Mapping[str, Any]) -> str:
    told = [str(data[k]) for k in ("brand", "target_a", "target_b", "costimulation") if data.get(k)]
    return ", ".join([_title(name, data), *told])


def _title(name: str, data: Mapping[str, Any]) -> str:
    return str(data.get("title") or data.get("trial", {}).get("title") or name)


def _show_card(what: str, name: str, folder: Path, for_machines: bool) -> None:
    from vein2vein.cards import find_card

    card = find_card(_plain_name(what, name), folder, what)
    title, keys = _title(name, card.data), sources_of(card.data)
    if for_machines:
        _emit(what, Path(card.file).stem, title, keys, card=card.data)
        return
    shown, before = [], ("", "")
    for field, value, how, origin in facts_of(card.data):
        if field not in ("name", "title", "trial.title"):
            shown.append((field, value, *(("", "") if (how, origin) == before else (how, origin))))
            before = how, origin
    console.table(("field", "value", "how", "source"), shown, title=title)
    _print_sources(keys)


def _plain_name(what: str, name: str) -> str:
    """The name of a card behind a brand or short name; a card of one's own is checked whole and shown as it is."""
    from vein2vein.cards import is_path

    if what == "product":
        from vein2vein.therapy.product import find_product

        found = find_product(name).name
    elif what == "disease":
        from vein2vein.therapy.disease import find_disease

        found = find_disease(name).name
    else:
        return name
    return name if is_path(name) else found


def _emit(what: str, name: str, title: str, keys: list[str], **more: Any) -> None:
    from vein2vein.sources import source

    console.emit(what, name=name, title=title, sources={k: str(source(k)) for k in keys}, **more)


def _print_sources(keys: list[str]) -> None:
    from vein2vein.sources import source

    if keys:
        console.table(("source", "reference"), [(key, str(source(key))) for key in keys])


def _folder(*parts: str) -> Path:
    return Path(__file__).resolve().parents[1].joinpath(*parts)


def _card_command(what: str, folder: Path, example: str) -> click.Command:
    @click.command(
        f"{what}s", help=f"List the {what}s that come with vein2vein, or show one with all its sources.", epilog=example
    )
    @click.argument("name", required=False)
    @click.option("--json", "for_machines", is_flag=True, help="JSON lines for machines.")
    def show(name: str | None, for_machines: bool) -> None:
        if name is None:
            _list_cards(what, folder, for_machines)
        else:
            _show_card(what, name, folder, for_machines)

    return show


@click.command(epilog="Example: vein2vein models reference")
@click.argument("name", required=False)
@click.option("--json", "for_machines", is_flag=True, help="JSON lines for machines.")
def models(name: str | None, for_machines: bool) -> None:
    """List the models of the cells in the body, or show one: states, inputs, parameters, sources."""
    from vein2vein.models import catalogue

    if name is None:
        rows = []
        for known in catalogue.model_names():
            model = catalogue.find_model(known)
            if for_machines:
                _emit(
                    "model",
                    known,
                    model.title,
                    [model.source],
                    states=len(model.states),
                    parameters=len(model.parameters),
                )
            rows.append((known, model.title, len(model.states), len(model.parameters), model.source))
        if not for_machines:
            console.table(("model", "what it is", "states", "parameters", "source"), rows, right=(2, 3))
            console.say("One in full: vein2vein models NAME")
        return
    model, numbers = catalogue.find_model(name), catalogue.find_parameters(name)
    keys = list(dict.fromkeys([model.source, *(p.source for p in numbers.parameters.values() if p.source)]))
    if for_machines:
        _emit(
            "model",
            model.name,
            model.title,
            keys,
            states=[vars(s) for s in model.states],
            inputs=[vars(i) for i in model.inputs],
            parameters=[vars(p) for p in numbers.parameters.values()],
        )
        return
    console.table(("state", "meaning", "unit"), [(s.name, s.meaning, s.unit) for s in model.states], title=model.title)
    console.table(("input", "meaning", "unit", "kind"), [(i.name, i.meaning, i.unit, i.kind) for i in model.inputs])
    console.table(
        ("parameter", "meaning", "value", "unit", "how", "source"),
        [
            (
                p.name,
                p.meaning,
                f"by {p.given_by} card" if p.value is None else console.number(p.value),
                p.unit,
                p.how,
                f"{p.source} {p.where}".strip(),
            )
            for p in numbers.parameters.values()
        ],
        right=(2,),
    )
    _print_sources(keys)


commands = (
    _card_command("product", _folder("therapy", "products"), "Example: vein2vein products tisagenlecleucel"),
    _card_command("disease", _folder("therapy", "diseases"), "Example: vein2vein diseases"),
    _card_command("trial", _folder("trials", "cards"), "Example: vein2vein trials eliana --json"),
    models,
)
