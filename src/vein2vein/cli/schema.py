"""vein2vein schema: what each kind of card may hold, as JSON Schema for editors and as tables for readers."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from vein2vein.cli import console
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


KINDS = {
    "product": CardKind("A CAR T-cell product", _product),
    "disease": CardKind("A disease: its facts, model numbers and population", _disease),
    "patient": CardKind("One patient before leukapheresis", _patient),
    "trial": CardKind("A trial: who was enrolled, what was done, what was published", _trial),
    "policy": CardKind("A treatment policy: what is given when", _policy),
}


def schema_text(kind: str) -> str:
    """The JSON Schema of a kind of card, as text.

    Raises
    ------
    InputError
        There is no such kind; the nearest ones are named.
    """
    from vein2vein.card_schema import schema

    if kind not in KINDS:
        raise InputError(unknown("kind of card", kind, KINDS))
    one = KINDS[kind]
    return json.dumps(schema(one.record(), one.title), indent=1, ensure_ascii=False) + "\n"


def fields_text() -> str:
    """The fields of every kind of card, as Markdown tables."""
    from vein2vein.card_schema import rows

    lines: list[str] = []
    for name, kind in KINDS.items():
        lines += [f"### {name}", "", f"{kind.title}.", "", "| Field | Takes | Meaning |", "|---|---|---|"]
        for row in rows(kind.record()):
            takes = row.takes.replace("|", "\\|") + (" (needed)" if row.needed else "")
            lines.append(f"| `{row.field}` | {takes} | {row.meaning} |")
        lines.append("")
    return "\n".join(lines)


@click.command("schema", epilog=EXAMPLES)
@click.argument("kind", required=False, metavar="[KIND]")
@click.option("--out", type=click.Path(path_type=Path), metavar="FOLDER", help="Write the schema of every kind there.")
@click.option("--fields", is_flag=True, help="Print every field with unit, bounds and meaning, as Markdown.")
@click.option("--force", is_flag=True, help="Overwrite existing files.")
def command(kind: str | None, out: Path | None, fields: bool, force: bool) -> None:
    """Print what a kind of card may hold, as JSON Schema: editors complete and check fields by it.

    Kinds: product, disease, patient, trial, policy. Without a kind: their list, or with --out a file of each.
    """
    if fields:
        click.echo(fields_text())
        return
    if kind is not None and out is None:
        click.echo(schema_text(kind), nl=False)
        return
    chosen = [kind] if kind is not None else list(KINDS)
    if out is None:
        console.table(("kind", "what it is"), [(name, one.title) for name, one in KINDS.items()])
        return
    texts = {name: schema_text(name) for name in chosen}
    console.new_folder(out, [f"{name}.json" for name in texts], force=force)
    for name, text in texts.items():
        write_text(out / f"{name}.json", text, force=force)
        click.echo(f"Schema: {out / f'{name}.json'}")
