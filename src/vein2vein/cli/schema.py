"""vein2vein schema: what each kind of card may hold, as JSON Schema for editors and as tables for readers."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from vein2vein.cli import console, options
from vein2vein.errors import InputError, unknown
from vein2vein.files import write_text

EXAMPLES = """\b
Examples:
  vein2vein schema product
  vein2vein schema --out schemas
"""


@dataclass(frozen=True)
class CardKind:
    """A kind of card: what it is, and the record that declares it."""

    title: str
    record: Callable[[], Any]


def _product() -> Any:
    from vein2vein.therapy.product import Product

    return Product


def _disease() -> Any:
    from vein2vein.therapy.disease import Disease

    return Disease


def _patient() -> Any:
    from vein2vein.therapy.patient_card import patient_card

    return patient_card()


def _policy() -> Any:
    from vein2vein.clinic.care.policy_card import PolicyCard

    return PolicyCard


def _trial() -> Any:
    from vein2vein.trials.trial_card import trial_card

    return trial_card()


def _comparator() -> Any:
    from vein2vein.trials.comparator import Comparator

    return Comparator


def _label() -> Any:
    from vein2vein.clinic.care.label_card import Label

    return Label


KINDS = {
    "product": CardKind("A CAR T-cell product", _product),
    "disease": CardKind("A disease: its facts, model numbers and population", _disease),
    "patient": CardKind("One patient before leukapheresis", _patient),
    "trial": CardKind("A trial: who was enrolled, what was done, what was published", _trial),
    "policy": CardKind("A treatment policy: what is given when", _policy),
    "comparator": CardKind("A comparator: what standard care gave, as it was published", _comparator),
    "label": CardKind("The label of a product in one country: its approved uses, dated", _label),
}


def schema_of(kind: str) -> dict[str, Any]:
    """The JSON Schema of a kind of card.

    Raises
    ------
    InputError
        There is no such kind; the nearest ones are named.
    """
    from vein2vein.card_schema import schema

    if kind not in KINDS:
        raise InputError(unknown("kind of card", kind, KINDS))
    one = KINDS[kind]
    return schema(one.record(), one.title)


def schema_text(kind: str) -> str:
    """The JSON Schema of a kind of card, as text."""
    return json.dumps(schema_of(kind), indent=1, ensure_ascii=False) + "\n"


def fields_text(kinds: Iterable[str] = KINDS) -> str:
    """The fields of kinds of cards (default: every one), as Markdown tables."""
    from vein2vein.card_schema import rows

    lines: list[str] = []
    for name in kinds:
        kind = KINDS[name]
        lines += [f"### {name}", "", f"{kind.title}.", "", "| Field | Takes | Meaning |", "|---|---|---|"]
        for row in rows(kind.record()):
            takes = row.takes.replace("|", "\\|") + (" (needed)" if row.needed else "")
            lines.append(f"| `{row.field}` | {takes} | {row.meaning} |")
        lines.append("")
    return "\n".join(lines)


@click.command("schema", cls=options.Command, epilog=EXAMPLES)
@click.argument("kind", required=False, metavar="[KIND]")
@options.out_folder("Write the schema of this kind, or of every one, into this folder.")
@click.option("--fields", is_flag=True, help="Print every field with unit, bounds and meaning, as Markdown.")
@options.for_machines("kind, schema, field, file")
@options.quiet("Names only, where the kinds are listed.")
@options.force
def command(kind: str | None, out: Path | None, fields: bool, for_machines: bool, quiet: bool, force: bool) -> None:
    """Print what a kind of card may hold, as JSON Schema: editors complete and check fields by it.

    Kinds: product, disease, patient, trial, policy, comparator, label. Without a kind: their list, or with
    --out a file of each.
    """
    if out is None:
        options.needs("--out", "force")
    else:
        options.idle("--out", "fields")
    if kind is not None and kind not in KINDS:
        raise InputError(unknown("kind of card", kind, KINDS))
    if out is not None:
        _write(list(KINDS) if kind is None else [kind], out, for_machines, force)
    elif fields:
        _print_fields(list(KINDS) if kind is None else [kind], for_machines)
    elif kind is None:
        _list(for_machines, quiet)
    elif for_machines:
        console.emit("schema", kind=kind, schema=schema_of(kind))
    else:
        click.echo(schema_text(kind), nl=False)


def _list(for_machines: bool, quiet: bool) -> None:
    if for_machines:
        for name, one in KINDS.items():
            console.emit("kind", name=name, title=one.title)
    elif quiet:
        click.echo("\n".join(KINDS))
    else:
        console.table(("kind", "what it is"), [(name, one.title) for name, one in KINDS.items()])


def _print_fields(kinds: list[str], for_machines: bool) -> None:
    from vein2vein.card_schema import rows

    if not for_machines:
        click.echo(fields_text(kinds))
        return
    for name in kinds:
        for row in rows(KINDS[name].record()):
            console.emit("field", kind=name, **vars(row))


def _write(kinds: list[str], out: Path, for_machines: bool, force: bool) -> None:
    texts = {f"{name}.json": schema_text(name) for name in kinds}
    console.new_folder(out, texts, force=force)
    for file, text in texts.items():
        path = write_text(out / file, text, force=force)
        console.tell(f"Schema: {path}", "file", for_machines, path=path)
