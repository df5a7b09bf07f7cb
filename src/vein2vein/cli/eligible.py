"""vein2vein eligible: per label the criteria met, not met or unknown; organs, leukapheresis, washouts."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from vein2vein.cli import console, options

if TYPE_CHECKING:
    from vein2vein.cards import Card
    from vein2vein.clinic.care.eligibility import Eligibility, Washout
    from vein2vein.clinic.care.label_card import Label
    from vein2vein.clinic.care.labels import LabelVerdict, UseVerdict
    from vein2vein.therapy.patient import Patient

WORDS = {1: "met", 0: "not met", -1: "unknown", -2: "not asked at this age"}
RUNNING = {1: "still running", 0: "over", -1: "over by some sources only"}
ALWAYS = ("eligibility_ebmt", "eligibility_apheresis")
BLASTS, PREGNANCY = "marrow_blasts", "pregnancy_test"
LAST_DOSES = "days since the last dose of each drug ([last_given])"
Limits = tuple[str, "Eligibility"]
"""Edition and what came of it."""

EXAMPLES = """\b
Examples:
  vein2vein eligible patient.toml
  vein2vein eligible patient.toml --product tisagenlecleucel --criteria eliana
  vein2vein eligible patient.toml --json
  vein2vein eligible patient.toml --label our-label.toml
Fields that only this command reads (the others are those of the example patient that simulate --init writes):
  [last_given]          # days from the last dose to the planned leukapheresis
  corticosteroid = 2
  [history]             # what labels ask; what is not told is unknown; all fields: schema patient --fields
  relapses = 2
  days_to_relapse = 200
  not_for_transplantation = true
Diseases that labels name and the model does not know: mzl (marginal zone lymphoma), pcnsl (primary lymphoma of the
central nervous system).
"""


@click.command("eligible", cls=options.Command, epilog=EXAMPLES)
@click.argument("patient", type=options.PATH, metavar="PATIENT.TOML")
@options.product("The label of one product only (default: every one).")
@click.option(
    "--label",
    "own",
    type=options.PATH,
    metavar="FILE",
    help="Judge by a label card of your own instead.",
)
@click.option("--criteria", multiple=True, metavar="NAME", help="Entry limits of a trial too: eliana, nci, zuma1.")
@options.for_machines("label, criterion, washout, obtain, note")
@options.quiet("Verdicts only.")
def command(
    patient: Path, product: str | None, own: Path | None, criteria: tuple[str, ...], for_machines: bool, quiet: bool
) -> None:
    """Say which label criteria a patient meets, and what to obtain next.

    For every label (USA, with the date on which it was read): met, not met or unknown, by which sentence, and what
    would settle an unknown. Then organ function, what leukapheresis asks for, washouts still running. A value that the
    card does not give is unknown, never assumed. The program supports the center's decision and does not replace it;
    read the current label.
    """
    from datetime import date

    from vein2vein.cards import read_card
    from vein2vein.clinic.care.eligibility import eligible, last_given, to_obtain, washouts
    from vein2vein.clinic.care.labels import judge_labels, label_patient, readable
    from vein2vein.therapy.patient import PAPERS_LACK, patient_from_card
    from vein2vein.therapy.patient_notes import without_typical

    if own is not None:
        options.idle("--label", "product")
    card = read_card(patient)
    given = last_given(card)
    known, noticed = patient_from_card(readable(card), may_lack=PAPERS_LACK)
    facts = known_facts(card, known)
    found = judge_labels(label_patient(card), _labels(product, own), on=date.today())
    limits = [(name, eligible(facts, criteria=name)) for name in (*ALWAYS, *criteria)]
    planned = washouts({name: -days for name, days in given.items()}, 0.0) if given else ()
    obtain = dict.fromkeys(
        [settles for one in found for settles in one.settles.values()]
        + [field for _, limit in limits for field in to_obtain(limit, 0)]
        + ([] if given else [LAST_DOSES])
    )
    if for_machines:
        _emit(found, limits, planned, obtain, quiet)
    else:
        _print(found, limits, planned, obtain, quiet)
    console.tell_notes(without_typical(noticed), for_machines=for_machines, quiet=quiet)


def _labels(product: str | None, own: Path | None) -> list[Label] | None:
    """The labels to judge by; None: every bundled one."""
    from vein2vein.clinic.care.label_card import find_label
    from vein2vein.therapy.product import find_product

    if own is not None:
        return [find_label(own)]
    return None if product is None else [find_label(find_product(product).name)]


def known_facts(card: Card, patient: Patient) -> dict[str, object]:
    """What the card says, and nothing that was assumed; a pregnancy test is not asked of a patient stated as male."""
    found: dict[str, object] = {"age": patient.age, "baseline": dict(patient.baseline)}
    for field, name in (
        ("lymphocytes", "lymphocytes"),
        ("cd3", "cd3_cells"),
        ("creatinine_clearance", "creatinine_clearance"),
    ):
        if field in patient.known:
            found[name] = getattr(patient, field)
    if card.get(BLASTS) is not None:  # the record of a patient holds the burden that follows from it
        found[BLASTS] = card.number(BLASTS, unit="%", low=0, high=100)
    if "male" in patient.known and bool(patient.male[0]):
        found[PREGNANCY] = 0.0
    return found


def _words(field: str) -> str:
    from vein2vein.analytes import all_analytes

    found = all_analytes().get(field)
    if found is not None:
        return found.title.split(" (0")[0]
    typed = field == LAST_DOSES or " = " in field  # a name to type keeps its spelling
    return field if typed else field.replace("_", " ")


def _unit(field: str, text: str) -> str:
    from vein2vein.analytes import all_analytes

    found = all_analytes().get(field)
    return "" if found is None or found.unit == "1" or "upper limit" in text else f" {found.unit}"


def _emit(
    labels: Iterable[LabelVerdict], limits: Iterable[Limits], planned: Iterable[Washout], obtain: Iterable[str],
    quiet: bool,
) -> None:  # fmt: skip
    for one in labels:
        best = one.uses[0] if one.uses else None
        console.emit(
            "label", product=one.product, brand=one.brand, use=best.use if best else "", verdict=WORDS[one.state],
            section=best.section if best else "", text=best.text if best else "", why=one.why, label=one.label,
            source=best.source if best else "", unverified=bool(best and best.mark == "M"), settles=one.settles,
            notes=one.notes,
        )  # fmt: skip
        for use in one.uses:
            for row in use.criteria:
                console.emit(
                    "criterion", product=one.product, use=use.use, text=row.text, field=row.field,
                    state=WORDS[row.state], settles=row.settles,
                )  # fmt: skip
    if quiet:
        return
    for name, found in limits:
        for text, state, field, mark in zip(found.criteria, found.met[0], found.reads, found.marks):
            console.emit(
                "criterion",
                edition=name,
                text=text,
                field=field,
                state=WORDS[int(state)],
                mark=mark,
                unverified=mark == "M",
            )
    for one in planned:
        console.emit(
            "washout",
            drug=one.drug,
            last_day=one.last_day,
            ends=one.ends,
            ends_long=one.ends_long,
            state=RUNNING[one.running],
            mark=one.mark,
            unverified=one.mark == "M",
            note=one.note,
        )
    for name in obtain:
        console.emit("obtain", field=name)


def _print(
    labels: Iterable[LabelVerdict], limits: Iterable[Limits], planned: Iterable[Washout], obtain: Iterable[str],
    quiet: bool,
) -> None:  # fmt: skip
    from vein2vein.clinic.criteria import edition, reference

    table: list[tuple[str, str, str]] = []
    others: list[str] = []
    for one in labels:
        if one.uses:
            told = [_use_words(use) for use in one.uses if use.state == one.state]
            table.append((f"{one.title}\n{one.label}", WORDS[one.state], "\n".join([*told, *one.notes])))
        else:
            others.append(one.why.removeprefix("not met: "))
    if table:
        console.table(("label", "verdict", "which sentence, and why"), table, title="Labels")
    if others:
        console.say("Not met" if table else "No label names this disease", style="bold")
        for text in others:
            console.say(f"  {text}")
    if quiet:
        return
    for name, found in limits:
        rules = edition(name if name.startswith("eligibility_") else f"eligibility_{name}")
        rows = [
            (text.replace("_", " ") + _unit(field, text), WORDS[int(state)], reference(mark))
            for text, state, field, mark in zip(found.criteria, found.met[0], found.reads, found.marks)
        ]
        console.table(("criterion", "state", "source"), rows, title=rules.title)
    if planned:
        rows = [
            (
                one.drug.replace("_", " "),
                f"{-one.last_day:g} days before",
                RUNNING[one.running],
                _wait(one),
                reference(one.mark),
                one.note,
            )
            for one in planned
        ]
        console.table(("drug", "last dose", "washout", "leukapheresis", "source", "note"), rows, title="Washouts")
    names = [_words(name) for name in obtain]
    if names:
        console.say("Obtain next", style="bold")
        for name in names:
            console.say(f"  {name}")


def _use_words(use: UseVerdict) -> str:
    """A use with its section, its source and, by state, what it was judged by."""
    by = {state: "; ".join(row.text for row in use.criteria if row.state == state) for state in WORDS}
    why = [f"{WORDS[state]}: {by[state]}" for state in (0, -1, 1) if by[state]]
    return "\n".join([f"section {use.section}: {use.text} [{use.source}]", *(f"  {line}" for line in why)])


def _wait(one: Washout) -> str:
    if one.running == 0:
        return "may go on"
    least, most = max(one.ends, 0.0), one.ends_long
    return f"{most:g} days later" if least in (most, 0.0) else f"{least:g} to {most:g} days later"
