"""What each label says of one patient: which criteria are met, by which sentence, and what would settle an unknown."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date

import numpy as np

from vein2vein.cards import Card
from vein2vein.clinic.care.eligibility import MET, NOT_MET, UNKNOWN, b_all_status, lymphoma_second_line
from vein2vein.clinic.care.label_card import Label, Use, all_labels
from vein2vein.clinic.criteria import edition, reference
from vein2vein.declared import fields_of
from vein2vein.errors import InputError, unknown
from vein2vein.therapy.disease import all_diseases, label_diseases, lineage_of
from vein2vein.therapy.history import ONLY_OF, History

WORDS = {MET: "met", NOT_MET: "not met", UNKNOWN: "unknown"}
ORDER = (MET, UNKNOWN, NOT_MET)
LEUKEMIA = "leukemia"
"""Of several uses the best one speaks for the label."""


@dataclass(frozen=True)
class LabelPatient:
    """What is known of one patient for the labels; what is not told is None or NaN, and hence unknown.

    Attributes
    ----------
    disease : str
        Name of a disease card, or of a disease that labels name (``mzl``, ``pcnsl``).
    age : float
        Years.
    prior_lines : float
        Earlier lines of therapy.
    history : History
    """

    disease: str
    age: float = math.nan
    prior_lines: float = math.nan
    history: History = field(default_factory=History)


@dataclass(frozen=True)
class Criterion:
    """One criterion of a use.

    Attributes
    ----------
    text : str
        The criterion, with what it was judged by.
    state : {1, 0, -1}
        Met, not met, unknown.
    field : str
        What it reads, by the name in a patient's card.
    settles : str
        What would settle an unknown; "" where it is known.
    """

    text: str
    state: int
    field: str
    settles: str = ""


@dataclass(frozen=True)
class UseVerdict:
    """One approved use, judged.

    Attributes
    ----------
    use, section, text : str
        Its name, the section of the label, and the use in our words.
    state : {1, 0, -1}
    criteria : tuple of Criterion
    mark, note : str
    """

    use: str
    section: str
    text: str
    state: int
    criteria: tuple[Criterion, ...]
    mark: str
    note: str = ""

    @property
    def source(self) -> str:
        """Where the use was read, in words."""
        return reference(self.mark)


@dataclass(frozen=True)
class LabelVerdict:
    """What one label says of a patient.

    Attributes
    ----------
    product, title, brand : str
    state : {1, 0, -1}
        That of the best use.
    uses : tuple of UseVerdict
        Uses of this disease, the best ones first; of another disease: none.
    why : str
        One sentence: which sentence of which label is met, or why none is.
    label : str
        Which label, with the date of its text and the date on which it was read.
    notes : tuple of str
        What of it was not read, that it is old.
    """

    product: str
    title: str
    brand: str
    state: int
    uses: tuple[UseVerdict, ...]
    why: str
    label: str
    notes: tuple[str, ...] = ()

    @property
    def settles(self) -> dict[str, str]:
        """What would settle an unknown verdict: the sentence by field, each once; empty where it is settled."""
        if self.state != UNKNOWN:
            return {}
        open_ = [one for use in self.uses if use.state == UNKNOWN for one in use.criteria if one.state == UNKNOWN]
        return {one.field: one.settles for one in open_}


def judge_labels(
    patient: LabelPatient, labels: Iterable[Label] | None = None, *, on: date | None = None
) -> tuple[LabelVerdict, ...]:
    """Judge one patient by labels, the best verdict first.

    Parameters
    ----------
    patient : LabelPatient
    labels : iterable of Label, optional
        Default: every bundled one (USA).
    on : date, optional
        The day on which a label must be in force; default: that on which it was read.

    Raises
    ------
    InputError
        The disease is not known, or the age is none that a label could mean.
    """
    known = [*all_diseases(), *label_diseases()]
    if patient.disease not in known:
        raise InputError(unknown("disease of a label", patient.disease, known))
    oldest = edition("indications").values["oldest"]
    if not math.isnan(patient.age) and not 0 <= patient.age <= oldest:
        raise InputError(f"found an age of {patient.age:g} years; expected 0 to {oldest:g}: no label is judged.")
    chosen = all_labels().values() if labels is None else labels
    found = [_judge(one, patient, on) for one in chosen]
    return tuple(sorted(found, key=lambda one: ORDER.index(one.state)))


def asked_of(disease: str) -> tuple[str, ...]:
    """The facts of the history that labels ask of patients with a disease, each once, in the order of the history."""
    asks = {
        one for label in all_labels().values() for use in label.uses if disease in use.diseases
        for one in (*use.asks, *use.asks_if.get(disease, ()))
    }  # fmt: skip
    read_by = {name for one in asks for name in READS.get(one, (one,))}
    lineage = lineage_of(disease)
    return tuple(name for name in history_words() if name in read_by and lineage in ONLY_OF.get(name, (lineage,)))


def disease_title(name: str) -> str:
    """A disease in print."""
    return label_diseases()[name].title if name in label_diseases() else all_diseases()[name].title


def label_patient(card: Card) -> LabelPatient:
    """What a patient's card tells for the labels, nothing assumed; a complaint names file, line and field."""
    from vein2vein.card_reading import read
    from vein2vein.therapy.patient import PAPERS_LACK, patient_from_card

    patient, _ = patient_from_card(readable(card), may_lack=PAPERS_LACK)
    disease = str(card.get("disease"))
    lines = float(np.asarray(patient.prior_lines)[0]) if "prior_lines" in patient.known else math.nan
    history = History() if card.get("history") is None else read(card, History, "history")
    told = disease if disease in label_diseases() else patient.disease
    return LabelPatient(told, float(np.asarray(patient.age)[0]), lines, history)


def readable(card: Card) -> Card:
    """The card as one that the model can read: a disease known to labels only is read by another one's fields."""
    name = card.get("disease")
    if name not in label_diseases():
        return card
    return Card(card.file, card.text, {**card.data, "disease": label_diseases()[str(name)].read_as})


def _judge(label: Label, patient: LabelPatient, on: date | None) -> LabelVerdict:
    notes = [f"not read: {label.unread}"] if label.unread else []
    if label.changes:
        last = label.changes[-1]
        notes.append(f"newest change read, {last.date}: {last.what} ({reference(last.mark)})")
    if on is not None and on < date.fromisoformat(label.read):
        notes.append(f"said to have been read on {label.read}, which is after {on}: correct the date of the card")
    if on is not None and label.old(on):
        notes.append(f"read on {label.read}, long before {on}: read the current label")
    named = f"{label.brand} label ({label.country})"
    uses: list[UseVerdict] = []
    limits = [one for one in label.limitations if patient.disease in one.diseases]
    if away := label.out_of_force(date.fromisoformat(label.read) if on is None else on):
        why = f"not met: the {named} {away}: no use of it is judged"
    elif limits:
        why = f"not met: {named}, limitation of use: {limits[0].text} [{reference(limits[0].mark)}]"
    else:
        uses = [_use(one, patient) for one in label.uses if patient.disease in one.diseases]
        uses.sort(key=lambda one: (ORDER.index(one.state), sum(row.state == UNKNOWN for row in one.criteria)))
        why = _why(label, named, uses, patient)
    state = uses[0].state if uses else NOT_MET
    notes += dict.fromkeys(one.note for one in uses if one.note and one.state == state)
    return LabelVerdict(label.product, label.title, label.brand, state, tuple(uses), why, label.reference, tuple(notes))


def _why(label: Label, named: str, uses: list[UseVerdict], patient: LabelPatient) -> str:
    if not uses:
        covered = dict.fromkeys(disease_title(name) for one in label.uses for name in one.diseases)
        return f"not met: {named}: no use in {disease_title(patient.disease)}; it names {', '.join(covered)}"
    best = uses[0]
    where = f"{named}, section {best.section}: {best.text}"
    if best.state == MET:
        return f"met: {where}"
    if best.state == UNKNOWN:
        return f"unknown: {where}; to settle: {'; '.join(one.settles for one in best.criteria if one.state == UNKNOWN)}"
    return f"not met: {where}; {'; '.join(one.text for one in best.criteria if one.state == NOT_MET)}"


def _use(use: Use, patient: LabelPatient) -> UseVerdict:
    rows = [Criterion(f"disease: {disease_title(patient.disease)}", MET, "disease")]
    if use.age_low > 0:
        rows.append(_limit("age", "age at least", use.age_low, patient.age, patient.age >= use.age_low, "years"))
    if math.isfinite(use.age_below):
        rows.append(_limit("age", "age below", use.age_below, patient.age, patient.age < use.age_below, "years"))
    if use.lines_low > 0:
        lines = patient.prior_lines
        rows.append(
            _limit("prior_lines", "earlier lines of therapy at least", use.lines_low, lines, lines >= use.lines_low, "")
        )
    rows += [_asked(name, patient) for name in (*use.asks, *use.asks_if.get(patient.disease, ()))]
    states = [one.state for one in rows]
    state = NOT_MET if NOT_MET in states else UNKNOWN if UNKNOWN in states else MET
    return UseVerdict(use.name, use.section, use.text, state, tuple(rows), use.mark, use.note)


def _limit(field: str, words: str, bound: float, value: float, holds: bool, unit: str) -> Criterion:
    words = f"{words} {bound:g}"
    if math.isnan(value):
        return Criterion(words, UNKNOWN, field, f"{field} = ... ({words.replace('at least', 'to be at least')})")
    return Criterion(f"{words} (found {value:g}{f' {unit}' if unit else ''})", MET if holds else NOT_MET, field)


def _asked(name: str, patient: LabelPatient) -> Criterion:
    if name in _DERIVED:
        return _DERIVED[name](patient)
    told = getattr(patient.history, name)
    meaning = history_words()[name]
    words = meaning[0].lower() + meaning[1:]
    if told is None:
        return Criterion(words, UNKNOWN, f"history.{name}", f"history.{name} = true or false ({words})")
    return Criterion(words, MET if told else NOT_MET, f"history.{name}")


def history_words() -> dict[str, str]:
    """What each field of the history says, by its name."""
    return {one.name: one.says.meaning for one in fields_of(History)}


def _state(told: tuple[int, str], words: str, field: str, settles: str) -> Criterion:
    state, why = told
    return Criterion(f"{words} ({why})", state, field, settles if state == UNKNOWN else "")


def _second_relapse(patient: LabelPatient) -> Criterion:
    h = patient.history
    found = b_all_status(
        relapses=h.relapses,
        primary_refractory=h.primary_refractory,
        refractory_relapse=h.refractory_relapse,
        relapse_after_transplant=bool(h.relapse_after_transplant),
        months_from_transplant=math.nan if h.months_from_transplant is None else h.months_from_transplant,
    )["us_label"]
    settles = "history.relapses = ..., history.primary_refractory and history.refractory_relapse = true or false"
    return _state(found, "refractory, or in second or later relapse", "history.relapses", settles)


def _early_relapse(patient: LabelPatient) -> Criterion:
    h = patient.history
    days = math.nan if h.days_to_relapse is None else h.days_to_relapse
    without = h.refractory is False and h.relapses != 0  # not refractory alone does not say that nothing came back
    found = lymphoma_second_line(refractory=None if without else h.refractory, days_to_relapse=days)
    settles = "history.refractory = true or false, or history.days_to_relapse = days from the end of the first line"
    return _state(found, "first line: refractory, or relapse within 12 months", "history.days_to_relapse", settles)


def _relapsed_or_refractory(patient: LabelPatient) -> Criterion:
    leukemia = lineage_of(patient.disease) == LEUKEMIA
    refractory = "history.primary_refractory and history.refractory_relapse" if leukemia else "history.refractory"
    settles = f"history.relapses = ..., {refractory} = true or false"
    return _state(_relapsed(patient), "relapsed or refractory", "history.relapses", settles)


def _relapsed(patient: LabelPatient) -> tuple[int, str]:
    h = patient.history
    refractory = (h.refractory, h.primary_refractory, h.refractory_relapse)
    if any(refractory):
        return MET, "refractory"
    told = h.relapse_after_transplant or h.days_to_relapse is not None
    if told and h.relapses == 0:
        return UNKNOWN, "contradictory: no relapse is told, and a relapse elsewhere in the history"
    if h.relapses or told:
        return MET, "relapsed"
    if h.relapses == 0:
        return (NOT_MET, "no relapse, not refractory") if False in refractory else (UNKNOWN, "no relapse")
    lines = edition("indications").values["lines_imply"]
    phases = lineage_of(patient.disease) == LEUKEMIA  # phases of one therapy are counted as lines there
    if patient.prior_lines >= lines and not phases and h.refractory is not False:
        return MET, f"by {patient.prior_lines:g} lines of therapy, our reading"
    return UNKNOWN, "not told"


READS = {
    "second_relapse": (
        "relapses",
        "primary_refractory",
        "refractory_relapse",
        "relapse_after_transplant",
        "months_from_transplant",
    ),
    "early_relapse": ("relapses", "refractory", "days_to_relapse"),
    "relapsed_or_refractory": ("relapses", "refractory", "refractory_relapse", "primary_refractory"),
}
"""Facts of the history from which a derived question is answered."""
_DERIVED = {
    "second_relapse": _second_relapse,
    "early_relapse": _early_relapse,
    "relapsed_or_refractory": _relapsed_or_refractory,
}
