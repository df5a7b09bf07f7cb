"""vein2vein eligible: per product the label criteria met, not met or unknown; organs, leukapheresis, washouts."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple, TypedDict

import click

from vein2vein.cli import console, options

if TYPE_CHECKING:
    from vein2vein.cards import Card
    from vein2vein.clinic.care.eligibility import Eligibility, Washout
    from vein2vein.therapy.patient import Patient
    from vein2vein.therapy.product import Indication, Product

WORDS = {1: "met", 0: "not met", -1: "unknown"}
RUNNING = {1: "still running", 0: "over", -1: "over by some sources only"}
ALWAYS = ("eligibility_ebmt", "eligibility_apheresis")
GIVEN, HISTORY = "last_given", "history"
BLASTS, PREGNANCY = "marrow_blasts", "pregnancy_test"
LAST_DOSES = f"days since the last dose of each drug ([{GIVEN}])"
ASKS_MORE = ("refractory", "relapsed", "including")  # words of an approved use that a card cannot settle
LONGEST = 36500.0  # days
B_ALL, LYMPHOMA = ("pediatric_b_all", "adult_b_all"), ("lbcl",)
FLAGS: Final = ("primary_refractory", "refractory_relapse", "relapse_after_transplant", "refractory", "label_confirmed")
DAYS: Final = ("months_from_transplant", "days_to_relapse")
Criterion = tuple[str, str, int]
"""Field, words and state of a criterion."""
Limits = tuple[str, "Eligibility"]
"""Edition and what came of it."""


class Label(NamedTuple):
    """An approved use of a product, judged."""

    product: Product
    use: Indication
    verdict: int
    rows: list[Criterion]


class History(TypedDict, total=False):
    """What a card says of the disease so far."""

    relapses: int
    primary_refractory: bool
    refractory_relapse: bool
    relapse_after_transplant: bool
    refractory: bool
    label_confirmed: bool
    months_from_transplant: float
    days_to_relapse: float


EXAMPLES = """\b
Examples:
  vein2vein eligible patient.toml
  vein2vein eligible patient.toml --product tisagenlecleucel --criteria eliana
  vein2vein eligible patient.toml --json
Fields that only this command reads (the others are those of the example patient that simulate --init writes):
  [last_given]          # days from the last dose to the planned leukapheresis
  corticosteroid = 2
  [history]             # relapses, primary_refractory, refractory_relapse, relapse_after_transplant,
  relapses = 2          # months_from_transplant; lymphoma: refractory, days_to_relapse;
                        # label_confirmed = true where the center confirmed the words of the approved use
"""


@click.command("eligible", cls=options.Command, epilog=EXAMPLES)
@click.argument("patient", type=options.PATH, metavar="PATIENT.TOML")
@options.product("One product only (default: every approved one).")
@click.option("--criteria", multiple=True, metavar="NAME", help="Entry limits of a trial too: eliana, nci, zuma1.")
@options.for_machines("label, criterion, washout, obtain")
@options.quiet("Verdicts only.")
def command(patient: Path, product: str | None, criteria: tuple[str, ...], for_machines: bool, quiet: bool) -> None:
    """Say which label criteria a patient meets, and what to obtain next.

    For every approved product: criteria met, not met or unknown. Then organ function, what leukapheresis asks for,
    washouts still running. A value that the card does not give is unknown, never assumed. The program supports the
    center's decision and does not replace it; read the current label.
    """
    from vein2vein.cards import read_card
    from vein2vein.clinic.care.eligibility import eligible, to_obtain, washouts
    from vein2vein.therapy.patient import patient_from_card
    from vein2vein.therapy.product import all_products, find_product

    card = read_card(patient)
    history, given = _history(card), _given(card)
    facts = known_facts(card, patient_from_card(card)[0])
    chosen = [find_product(product)] if product else [p for p in all_products().values() if approved(p)]
    labels = [Label(one, *use) for one in chosen for use in judge_label(one, facts, history)]
    limits = [(name, eligible(facts, criteria=name)) for name in (*ALWAYS, *criteria)]
    planned = washouts({name: -days for name, days in given.items()}, 0.0) if given else ()
    obtain = dict.fromkeys(
        [f for *_, rows in labels for f, _, state in rows if state < 0 and not _excluded(rows)]
        + [field for _, found in limits for field in to_obtain(found, 0)]
        + ([] if given else [LAST_DOSES])
    )
    if for_machines:
        _emit(labels, limits, planned, obtain, quiet)
    else:
        _print(labels, limits, planned, obtain, quiet)


def approved(product: Product) -> bool:
    """Whether a product card rests on a label."""
    return any(use.how == "reported" for use in product.indications)


def known_facts(card: Card, patient: Patient) -> dict[str, object]:
    """What the card says, and nothing that was assumed; a pregnancy test is not asked of a patient stated as male."""
    found: dict[str, object] = {"age": patient.age, "disease": patient.disease, "baseline": dict(patient.baseline)}
    for field, name in (
        ("prior_lines", "prior_lines"),
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


def judge_label(
    product: Product, facts: Mapping[str, object], history: History
) -> list[tuple[Indication, int, list[Criterion]]]:
    """For each use of a product: (use, verdict, [(field, criterion, state)]); other diseases once, as not met."""
    from vein2vein.clinic.care.eligibility import eligible

    uses = [one for one in product.indications if facts["disease"] in one.diseases] or list(product.indications[:1])
    out: list[tuple[Indication, int, list[Criterion]]] = []
    for use in uses:
        found = eligible(facts, use)
        rows = [(f, text, int(state)) for f, text, state in zip(found.reads, found.criteria, found.met[0])]
        if facts["disease"] in use.diseases:
            rows += _status(use, facts, history)
        states = [state for *_, state in rows]
        out.append((use, 0 if 0 in states else -1 if -1 in states else 1, rows))
    return out


def _status(use: Indication, facts: Mapping[str, object], history: History) -> list[Criterion]:
    import numpy as np

    from vein2vein.clinic.care.eligibility import b_all_status, lymphoma_second_line

    lines = float(np.asarray(facts["prior_lines"], dtype=float)[0]) if "prior_lines" in facts else math.nan
    if facts["disease"] in B_ALL and "second or later relapse" in use.text:
        state, why = b_all_status(
            relapses=history.get("relapses"),
            primary_refractory=history.get("primary_refractory"),
            refractory_relapse=history.get("refractory_relapse"),
            relapse_after_transplant=history.get("relapse_after_transplant", False),
            months_from_transplant=history.get("months_from_transplant", math.nan),
        )["us_label"]
        return [("history: relapses, refractoriness", f"refractory, or second or later relapse ({why})", state)]
    if facts["disease"] in LYMPHOMA and lines == use.lines_low == 1:
        state, why = lymphoma_second_line(
            refractory=history.get("refractory"), days_to_relapse=history.get("days_to_relapse", math.nan)
        )
        return [("history: refractory, days_to_relapse", f"after one line: refractory or early relapse ({why})", state)]
    if any(word in use.text for word in ASKS_MORE):
        text = "disease state and earlier drugs as the approved use says (label_confirmed by the center)"
        return [("history: label_confirmed", text, {None: -1, True: 1, False: 0}[history.get("label_confirmed")])]
    return []


def _excluded(rows: Iterable[Criterion]) -> bool:
    return any(state == 0 for *_, state in rows)


def _given(card: Card) -> dict[str, float]:
    from vein2vein.clinic.criteria import edition

    drugs = [str(row["name"]) for row in edition("washouts").rules]
    if card.get(GIVEN) is None:
        return {}
    card.table(GIVEN)
    card.refuse_unknown(drugs, GIVEN)
    return {name: card.number(GIVEN, name, unit="day", low=0, high=LONGEST) for name in card.data[GIVEN]}


def _history(card: Card) -> History:
    if card.get(HISTORY) is None:
        return {}
    card.table(HISTORY)
    card.refuse_unknown((*FLAGS, "relapses", *DAYS), HISTORY)
    found = History()
    for name in FLAGS:
        if name in card.data[HISTORY]:
            found[name] = card.flag(HISTORY, name)
    if "relapses" in card.data[HISTORY]:
        value = card.number(HISTORY, "relapses", low=0, high=LONGEST)
        if value != int(value):
            raise card.error((HISTORY, "relapses"), f"found {value:g} relapses; expected a whole number.")
        found["relapses"] = int(value)
    for name in DAYS:
        if name in card.data[HISTORY]:
            found[name] = card.number(HISTORY, name, low=0, high=LONGEST)
    return found


def _words(field: str) -> str:
    from vein2vein.analytes import all_analytes

    found = all_analytes().get(field)
    if found is not None:
        return found.title.split(" (0")[0]
    return field if field == LAST_DOSES else field.replace("_", " ")  # a name to type keeps its spelling


def _unit(field: str, text: str) -> str:
    from vein2vein.analytes import all_analytes

    found = all_analytes().get(field)
    return "" if found is None or found.unit == "1" or "upper limit" in text else f" {found.unit}"


def _emit(
    labels: Iterable[Label], limits: Iterable[Limits], planned: Iterable[Washout], obtain: Iterable[str], quiet: bool
) -> None:
    for product, use, verdict, rows in labels:
        console.emit(
            "label", product=product.name, use=use.name, text=use.text, verdict=WORDS[verdict], where=use.where
        )
        for field, text, state in rows:
            console.emit("criterion", product=product.name, use=use.name, text=text, field=field, state=WORDS[state])
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
    labels: Iterable[Label], limits: Iterable[Limits], planned: Iterable[Washout], obtain: Iterable[str], quiet: bool
) -> None:
    from vein2vein.clinic.criteria import edition, reference

    table: list[tuple[str, str, str, str]] = []
    for product, use, verdict, rows in labels:
        by = {state: "; ".join(text.removeprefix("label: ") for _, text, s in rows if s == state) for state in WORDS}
        why = [f"{WORDS[state]}: {by[state]}" for state in (0, -1, 1) if by[state]]
        table.append((product.title, use.text, WORDS[verdict], "\n".join(why)))
    table.sort(key=lambda row: ("met", "unknown", "not met").index(row[2]))
    console.table(("product", "approved use", "label", "criteria"), table, title="Label criteria")
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


def _wait(one: Washout) -> str:
    if one.running == 0:
        return "may go on"
    least, most = max(one.ends, 0.0), one.ends_long
    return f"{most:g} days later" if least in (most, 0.0) else f"{least:g} to {most:g} days later"
