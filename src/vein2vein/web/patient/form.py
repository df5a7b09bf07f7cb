"""The form of one patient and what is given: from the declared card, with names to choose from and numbers to drag."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, cast

from vein2vein.cards import is_path, parse_card
from vein2vein.clinic.care.policy import policies, read_policy
from vein2vein.errors import InputError
from vein2vein.general_sets import reference
from vein2vein.therapy.disease import all_diseases, find_disease
from vein2vein.therapy.patient import example_patient_text
from vein2vein.therapy.patient_card import patient_card
from vein2vein.therapy.product import Product, all_products, dose_range, find_indication, find_product
from vein2vein.web.fields import CHOICE, NUMBER, FormField, Group, fields_in, form_of, in_unit
from vein2vein.web.patient.reading import FILE, page_card
from vein2vein.web.words import said

GIVEN = ("product", "dose", "conditioning", "policy")
WHO = ("disease", "age", "weight", "sex", "name")
BURDENS = {"leukemia": ("marrow_blasts",)}
OTHER_BURDENS = ("metabolic_tumor_volume", "burden")
RUN = ("companions", "seed")
LONGEST_SHOWN = 24  # characters of a title that its box shows
NO_CONDITIONING, DISEASE = "none", said("Disease")
EXAMPLE = """
# What is given; 'vein2vein simulate' reads it from here, too
[scenario]
product = "tisagenlecleucel"
companions = {companions}
seed = 3
"""


@dataclass(frozen=True)
class Dragged:
    """A field with a logarithmic slider: from, to and where it stands, as powers of ten; what its text ends with."""

    field: FormField
    low: float
    high: float
    at: float
    ending: str = ""
    usual: str = ""


@dataclass(frozen=True)
class PatientForm:
    """The form, part by part.

    Attributes
    ----------
    given, who, burden, run : tuple of FormField
    dose : Dragged
    dragged : tuple of Dragged
        The tumor, where it is told by a wide-ranging number.
    numbers : tuple of Dragged
        Of the model.
    more : Group
        Everything else that may be known of the patient.
    fault : str
        What is wrong with the whole.
    """

    given: tuple[FormField, ...]
    dose: Dragged | None
    who: tuple[FormField, ...]
    burden: tuple[FormField, ...]
    dragged: tuple[Dragged, ...]
    numbers: tuple[Dragged, ...]
    run: tuple[FormField, ...]
    more: Group
    fault: str = ""


def example_text() -> str:
    """An example patient with what is given, to start from."""
    return example_patient_text() + EXAMPLE.format(companions=int(page_card().number("page", "companions")))


def patient_form(data: Mapping[str, Any], problem: InputError | None = None) -> PatientForm:
    """Make the form of what a patient's file holds; it is made of whatever stands there, also of what cannot be."""
    sliders = {name: tuple(float(x) for x in span) for name, span in page_card().table("sliders").items()}
    whole = form_of(patient_card(), data, sliders=sliders, problem=problem)  # pyright: ignore[reportArgumentType]
    by_path = {one.path: one for one in fields_in(whole)}
    disease, product = _disease(data), _product(data)
    burdens = OTHER_BURDENS if disease is None else BURDENS.get(disease.lineage, OTHER_BURDENS)
    given = tuple(
        replace(
            one,
            kind=CHOICE,
            choices=_with(tuple(called), one.value),
            needed=name == "product",
            called=called,
            hint=_whole(called, one),
        )
        for name, called in (
            ("product", {name: one.title for name, one in all_products().items()}),
            ("conditioning", _regimens(product, str(data.get("disease", "")))),
            ("policy", _policies()),
        )
        for one in (by_path[f"scenario.{name}"],)
    )
    diseases = {name: one.title for name, one in all_diseases().items()}
    who = tuple(
        replace(
            one, label=DISEASE, kind=CHOICE, choices=_with(tuple(diseases), one.value), called=diseases,
            hint=_whole(diseases, one),
        )
        if name == "disease" else one
        for name in WHO
        for one in (by_path[name],)
    )  # fmt: skip
    spans = page_card().table("log_sliders")
    dragged = tuple(
        _dragged(by_path[name], float(spans[name][0]), float(spans[name][1]), None) for name in burdens if name in spans
    )
    return PatientForm(
        given,
        _dose(by_path["scenario.dose"], product, data),
        who,
        tuple(by_path[name] for name in burdens if name not in spans),
        dragged,
        tuple(_numbers(by_path, product, disease)),
        tuple(by_path[f"scenario.{name}"] for name in RUN),
        _rest(whole, {*WHO, *burdens}, product),
        whole.fault,
    )


def _whole(called: Mapping[str, str], chosen: FormField) -> str:
    """The title of what is chosen where the box shows only its beginning; else what is said of the field."""
    title = called.get(chosen.value, "")
    return title if len(title) > LONGEST_SHOWN else chosen.hint


def _rest(whole: Group, shown: set[str], product: Product | None) -> Group:
    """What is not shown above; what is given and what only a referral asks for stand elsewhere."""
    left = ("scenario", "referral", "history", "last_given")
    fields = tuple(one for one in whole.fields if one.path not in shown)
    few = {
        "baseline": page_card().texts("more", "baseline"),
        "antigens": (product.target_a, product.target_b) if product else (),
    }
    groups = tuple(_few(one, few.get(one.path)) for one in whole.groups if one.path not in left)
    return replace(whole, fields=fields, groups=groups, fault="")


def _few(group: Group, names: Sequence[str] | None) -> Group:
    """Of a long table the fields that matter here, and what the file holds besides: a page stays light."""
    if names is None:
        return group
    return replace(group, fields=tuple(one for one in group.fields if one.name in names or one.value or one.fault))


def _with(choices: Sequence[str], value: str) -> tuple[str, ...]:
    return tuple(choices) if not value or value in choices else (*choices, value)


def _product(data: Mapping[str, Any]) -> Product | None:
    scenario: Any = data.get("scenario")
    name: Any = cast("Mapping[str, Any]", scenario).get("product") if isinstance(scenario, Mapping) else None
    try:
        return find_product(name) if isinstance(name, str) and name and not is_path(name) else None
    except InputError:
        return None


def _disease(data: Mapping[str, Any]) -> Any:
    name = data.get("disease")
    try:
        return find_disease(name) if isinstance(name, str) and name and not is_path(name) else None
    except InputError:
        return None


def _regimens(product: Product | None, disease: str) -> dict[str, str]:
    if product is None or is_path(disease):
        return {NO_CONDITIONING: NO_CONDITIONING}
    use, _ = find_indication(product, disease)
    return {**{one.name: one.title for one in use.regimens}, NO_CONDITIONING: NO_CONDITIONING}


@cache
def _policies() -> dict[str, str]:
    return {name: read_policy(name).title for name in policies()}


def _number(value: str) -> float | None:
    try:
        found = float(value)
    except ValueError:
        return None
    return found if math.isfinite(found) and found > 0 else None


def _dragged(
    field: FormField, low: float, high: float, usual: float | None, ending: str = "", told: str = ""
) -> Dragged:
    there = _number(field.value.removesuffix(ending)) or max(in_unit(field) or 0.0, 0.0)
    now = there or usual or math.sqrt(low * high)
    ends = math.log10(low), math.log10(high)
    at = min(max(math.log10(now), ends[0]), ends[1])
    return Dragged(field, round(ends[0], 3), round(ends[1], 3), round(at, 3), ending, told)


def _dose(field: FormField, product: Product | None, data: Mapping[str, Any]) -> Dragged | None:
    """The dose, dragged around the label's: per kg where the label gives it so at this weight, in all elsewhere."""
    weight = _number(str(data.get("weight", "")).split(" ")[0])
    if product is None or weight is None:
        return None
    rule = find_indication(product, str(data.get("disease", "")))[0].dose
    low, target, high = (float(one[0]) for one in dose_range(rule, [weight]))
    per_kg = rule.weight_border > 0 and weight <= rule.weight_border
    factor, ending = (1 / weight, "/kg") if per_kg else (1.0, "")
    span = page_card().number("dose", "span")
    low_told, high_told, aimed = (f"{one * factor:.2g}".replace("e+0", "e") for one in (low, high, target))
    told = f"label: {low_told} to {high_told}{ending}, aimed at {aimed}{ending}"
    return _dragged(field, max(low, target / span) * factor / span, high * factor * span, target * factor, ending, told)


def _numbers(by_path: Mapping[str, FormField], product: Product | None, disease: Any) -> list[Dragged]:
    """Numbers of the model with those of the cards beside them; a slider goes around these, within their bounds."""
    if product is None or disease is None:
        return []
    declared = reference().overlay(product.parameters).overlay(disease.parameters).parameters
    span = page_card().number("numbers", "span")
    found: list[Dragged] = []
    for name in page_card().texts("numbers", "main"):
        one, field = declared[name], by_path[f"scenario.numbers.{name}"]
        if one.value is None or one.value <= 0:
            continue
        least, most = one.range
        unit = "" if one.unit == "1" else one.unit
        told = replace(field, kind=NUMBER, label=one.meaning or name, unit=unit, hint=name)
        low, high = max(one.value / span, least), min(one.value * span, most)
        found.append(
            _dragged(told, low if low > 0 else one.value / span, high, one.value, told=f"{one.value:.4g} ({one.how})")
        )
    return found


def scenario_data(text: str) -> Mapping[str, Any]:
    """What the text of a scenario holds; its faults are told by its reader."""
    return parse_card(text, FILE).data
