"""The intake of a referral, step by step: which fields of a patient's file stand on which page, and how they are typed.

What is named nowhere here, such as a field that is new, stands on the last page, unless it is told of other diseases
alone. Antigens that no product is made for
and further measured values stand there only where the file holds them: there are some two hundred.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

import tomlkit

from vein2vein.cards import Card
from vein2vein.clinic.care.eligibility import asked_at
from vein2vein.clinic.care.labels import asked_of, history_words
from vein2vein.errors import InputError
from vein2vein.explain.referral import PERFORMANCE, texts
from vein2vein.therapy.disease import lineage_of
from vein2vein.therapy.patient_card import titles
from vein2vein.therapy.product import all_products
from vein2vein.therapy.referral import RECORDS
from vein2vein.therapy.vocabulary import ANTIGENS
from vein2vein.web.fields import fields_in, form_of
from vein2vein.web.patient_file import card_of, record
from vein2vein.web.words import said

TREATMENTS, RECORDS_AT_HAND, LANGUAGE = "referral.treatments", "referral.records", "referral.language"
ONE_A_LINE = (TREATMENTS,)
WORDS = {
    "name": (said("Name"), said("As on the records. No birth date: it is written by hand.")),
    "disease": (said("Disease"), ""),
    "age": (said("Age in years"), ""),
    "weight": (said("Weight in kg"), ""),
    "referral.home": (said("Where the patient lives"), said("Town and country")),
    LANGUAGE: (said("Language of the family"), said("Their papers are in this language; an interpreter is asked for.")),
    "referral.helper": (said("Adult who stays with the patient day and night"), ""),
    "referral.found": (said("When the disease was found"), said("Such as 2024-05")),
    "referral.state": (said("How the disease is now"), said("In a sentence")),
    TREATMENTS: (
        said("Lines of treatment"),
        said("One a line: dates, drugs, best response. Such as 2024-05 to 2024-11: R-CHOP, complete response"),
    ),
    "referral.measured": (said("Day on which the values were measured"), ""),
    "referral.navigator": (
        said("Who helps the family, and how to reach them"), said("Shown on the papers as the contact"),
    ),
    "referral.physician": (said("Treating physician and hospital"), ""),
    "referral.center": (said("Center that the papers go to"), said("Leave it empty if it is not known.")),
    "last_given": (
        said("Last dose of drugs"), said("One a line, days before the planned collection: vincristine = 20"),
    ),
}  # fmt: skip
"""Labels and hints of fields that the card says in a programmer's words."""
OF_THE_CARD = (
    said("Sex"),
    said("height"),
    said("Relapses so far, of any site"),
    said("Leukemia: no remission after the first induction (two cycles)"),
    said("Leukemia: no remission after treatment of the last relapse"),
    said("Relapse after an allogeneic transplantation"),
    said("Months from the transplantation to the infusion"),
    said("Lymphoma, myeloma: refractory to the first line of therapy"),
    said("earlier lines of therapy"),
    said("Had an allogeneic transplantation"),
    said("Had blinatumomab"),
    said("Had clofarabine or bendamustine within six months"),
    said("blasts in marrow (leukemia)"),
    said("blasts in blood"),
    said("KMT2A rearranged"),
    said("Lansky play-performance status"),
    said("ECOG performance status"),
    said("Karnofsky performance status"),
    said("Neutrophils (ANC)"),
    said("Platelets"),
    said("Hemoglobin"),
    said("Alanine aminotransferase"),
    said("Bilirubin"),
    said("Ferritin"),
    said("C-reactive protein"),
    said("Left ventricular ejection fraction"),
    said("Oxygen saturation"),
    said("Immunoglobulin G"),
    said("creatinine clearance, per 1.73 m2"),
    said("lymphocytes"),
    said("T cells (CD3+) in blood"),
    said("B cells in blood"),
    said("Had treatment directed against BCMA"),
    said("Had an anti-CD20 antibody within six months"),
    said("metabolic tumor volume (lymphoma)"),
    said("tumor cells in the whole body"),
    said("Days from the end of the first line to the relapse"),
    said("Lymphoma: not eligible for transplantation, for age or other diseases"),
    said("Pathology: a large B-cell lymphoma"),
    said("Had an inhibitor of Bruton's tyrosine kinase"),
    said("Had a BCL-2 inhibitor"),
    said("Had an immunomodulator, such as lenalidomide"),
    said("Had a proteasome inhibitor, such as bortezomib"),
    said("Had an antibody against CD38, such as daratumumab"),
    said("Refractory to lenalidomide"),
    said("day of leukapheresis, before the infusion on day 0"),
    said("first day of lymphodepletion, before the infusion on day 0"),
)
"""Labels that fields have from the card and that are translated here; a test holds that each is one."""
DATES = ("referral.measured",)
SEXES = (said("male"), said("female"))
DENSITY = said(
    "The word positive or negative, as the report says, or molecules per cell as a number. More of it, such as the "
    "share of the cells, belongs to how the disease is now."
)
"""What is typed of an antigen."""


ELSEWHERE = ("explain.", "scenario.", "baseline.", "antigens.")
"""Facts that other doors ask for, or that stand on other steps where they matter: no part of the last step."""


@dataclass(frozen=True)
class Step:
    """One page of the intake."""

    name: str
    title: str
    about: str
    paths: tuple[str, ...]


ABOUT = {
    "who": (
        said("Who"),
        said("The patient and the family. What is not known stays empty: the papers show it as to obtain."),
    ),
    "disease": (said("Disease"), said("What labels ask about this disease. Leave open what nobody knows.")),
    "treatments": (said("Treatments"), said("Each line of treatment with its dates and how well it worked.")),
    "markers": (said("Markers"), said("What the newest sample of the cancer shows.")),
    "organs": (said("Organs and blood"), said("Values that centers read first.")),
    "records": (said("Records"), said("Tick what you have at hand. The rest stays on the list as to obtain.")),
    "contacts": (said("Contacts"), said("Who helps, who sends, where to.")),
    "more": (said("More"), said("Everything else that a patient's file may hold. It is not needed.")),
}
FIRST, LAST = "who", "contacts"


def steps_of(card: Card) -> dict[str, Step]:
    """The pages of the intake of one patient: what is asked depends on the disease and the age."""
    disease = str(card.get("disease", default=""))
    lineage = lineage_of(disease)
    age = _age(card)
    asked = {
        "who": ["name", "age", "sex", "weight", "height", "referral.home", LANGUAGE, "referral.helper"],
        "disease": ["disease", "referral.found", "referral.state", *(f"history.{name}" for name in asked_of(disease))],
        "treatments": ["prior_lines", TREATMENTS, *_flags(lineage), "last_given"],
        "markers": [*_tumor(lineage), *(f"antigens.{name}" for name in _targets())],
        "organs": ["referral.measured", *(f"baseline.{name}" for name in _values(age)), "creatinine_clearance",
                   "lymphocytes", "cd3", "b_cells"],
        "records": [RECORDS_AT_HAND],
        "contacts": ["referral.navigator", "referral.physician", "referral.center"],
    }  # fmt: skip
    named = {path for paths in asked.values() for path in paths}
    rest = [one for one in fields_in(form_of(record(), card.data)) if one.path not in named]
    asked["more"] = [
        one.path for one in rest
        if one.value or (not one.path.startswith(ELSEWHERE) and _fits(one.path, disease, lineage))
    ]  # fmt: skip
    return {name: Step(name, *ABOUT[name], tuple(paths)) for name, paths in asked.items()}


def _age(card: Card) -> float | None:
    try:
        return card.number("age", unit="year", default=None)
    except InputError:  # its fault stands at its field
        return None


def _fits(path: str, disease: str, lineage: str) -> bool:
    """Whether a fact may be told of this disease, by the labels and by the letter; of an unknown one every fact may."""
    table, _, name = path.rpartition(".")
    if table == "history":
        return not lineage or name in asked_of(disease)
    return not lineage or path not in _elsewhere(lineage)


def _elsewhere(lineage: str) -> set[str]:
    """Facts that the letter tells of other kinds of disease alone."""
    return {row["field"] for row in texts().tables("rows") if lineage not in row.get("lineages", [lineage])}


def _flags(lineage: str) -> list[str]:
    """What was given before, as the letter tells it of this kind of disease."""
    rows = [row["field"] for row in texts().tables("rows") if row["field"] not in _elsewhere(lineage)]
    return [name for name in rows if name.startswith(("prior_", "recent_", "fitness_")) and name != "prior_lines"]


def _tumor(lineage: str) -> list[str]:
    if lineage == "leukemia":
        return ["marrow_blasts", "circulating_blasts", "kmt2a"]
    return ["metabolic_tumor_volume"] if lineage in ("lymphoma", "") else []


def _targets() -> list[str]:
    """Antigens that a product is made for."""
    found = {name for one in all_products().values() for name in (one.target_a, one.target_b) if name}
    return [name for name in ANTIGENS if name in found]


def facts_named(settles: str, field: str) -> list[tuple[str, str]]:
    """The facts that would settle a criterion: the path of each in the file, and what it means."""
    meanings = history_words()
    named = [name for name in meanings if re.search(rf"\bhistory\.{name}\b", settles)]
    if named:
        return [(f"history.{name}", meanings[name]) for name in named]
    title = titles("fields").get(field, {}).get("title", settles)
    return [(field, str(title))]


def _values(age: float | None) -> list[str]:
    import numpy as np

    scales = (
        PERFORMANCE if age is None else [one for one in PERFORMANCE if asked_at(one, np.atleast_1d(float(age))).all()]
    )
    return [*scales, *texts().texts("values", "names")]


def as_typed(typed: Mapping[str, str], records: list[str] | None) -> dict[str, str]:
    """What was sent, as the fields of the card are typed: lines and ticks become lists."""
    found = dict(typed)
    if TREATMENTS in found:
        lines = [line.strip() for line in found[TREATMENTS].splitlines() if line.strip()]
        found[TREATMENTS] = _list(lines)
    if records is not None:
        found[RECORDS_AT_HAND] = _list([one for one in RECORDS if one in records])
    return found


def _list(items: list[str]) -> str:
    return tomlkit.item(items).as_string() if items else ""


def shown_lines(text: str) -> str:
    """The lines of treatment of a file, one a line."""
    try:
        card = card_of(text)
    except InputError:  # it is told at its place
        return ""
    listed: Any = card.get("referral", "treatments", default=[])
    return "\n".join(map(str, cast("list[object]", listed))) if isinstance(listed, list) else ""
