"""What is wrong with a form, in the reader's own words; the exact sentence of the reader of the file stands below it.

Families and those who refer a patient read these forms in eight languages; both doors take the sentences from here.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from vein2vein.explain.languages import Words as Explained
from vein2vein.therapy.disease import ages_of, find_disease
from vein2vein.therapy.patient import Patient
from vein2vein.web.fields import NUMBER, WHOLE, FormField, Group
from vein2vein.web.plain_words import own_text
from vein2vein.web.words import Words, said

DOOR = "family"
NEEDED = said("This is needed.")
BOUNDS = said("Please write a number within the bounds that stand below the field.")
DAY = said("Please give a day of the calendar.")
ORDER = said("The cells are collected before the infusion. Please look at both days again.")
FITS = said("This treatment is not made for this disease. Please look at both again, or ask your team.")
AGAIN = said("Please look at this again.")
YOUNG, ADULT = said("{disease}, in children and young adults"), said("{disease}, in adults")
WHO = {"pediatric_b_all": YOUNG, "adult_b_all": ADULT}
"""Diseases that families call by one name; the list tells them apart."""
AGE = said(
    "Please check the age and the disease. The disease that was chosen, {disease}, is meant for ages {low} to {high}."
)
UNIT_IN_LABEL = ("year", "month", "day")
"""Units that the label of a field says in the reader's words."""


def plainly(words: Words, form: Group, dates: Iterable[str] = ()) -> dict[str, str]:
    """A sentence for each field with a fault, by its path; "" is the form as a whole.

    Parameters
    ----------
    words : Words
        Of the page.
    form : Group
    dates : iterable of str
        Paths of fields that hold a day.
    """
    own, days = words.of(DOOR), tuple(dates)
    found = {one.path: own.attribute(_sentence(one, days)) for one in form.fields if one.fault}
    return {**found, "": own.attribute(AGAIN)} if form.fault else found


def _sentence(one: FormField, dates: tuple[str, ...]) -> str:
    if one.fault.startswith("missing"):
        return NEEDED
    if one.path in dates:
        return ORDER if " day, expected a number" in one.fault else DAY
    if one.path == "explain.product" and one.value:
        return FITS
    return BOUNDS if one.kind in (NUMBER, WHOLE) else AGAIN


def told_apart(words: Words, name: str, title: str) -> str:
    """The name of a disease in a list, with who has it where two bear one name."""
    return words.of(DOOR).attribute(WHO[name], disease=title) if name in WHO else title


def age_check(words: Words, patient: Patient, called: str = "") -> str:
    """That the age of a patient is none of those that the card of the disease is made for; "" where it is one.

    Parameters
    ----------
    words : Words
        Of the page.
    patient : Patient
    called : str
        The disease where it is not called as its card, such as one that only labels know.
    """
    disease, age = find_disease(patient.disease), float(patient.age[0])
    low, high = ages_of(disease)
    if low <= age <= high:
        return ""
    title = called or own_text(Explained(words.catalog).name(disease.name, disease.title))
    spoken = {"low": f"{low:g}", "high": f"{high:g}"}
    return words.of(DOOR).attribute(AGE, disease=told_apart(words, disease.name, title), **spoken)


def without_units_of_labels(shown: Iterable[FormField]) -> tuple[FormField, ...]:
    """Fields whose unit the label says, without the English word for it."""
    return tuple(replace(one, unit="") if one.unit in UNIT_IN_LABEL else one for one in shown)
