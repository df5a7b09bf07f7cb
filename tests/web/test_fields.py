"""Forms from declared cards: a field of the card stands in the form by itself, what is typed goes into the file."""

import tomllib
from dataclasses import dataclass, field
from typing import Annotated

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from trying_door import Card

from vein2vein.card_reading import read
from vein2vein.cards import parse_card
from vein2vein.clinic.care.policy_card import PolicyCard
from vein2vein.declared import Record, number, part, text
from vein2vein.errors import InputError
from vein2vein.therapy.disease import Disease
from vein2vein.therapy.patient import example_patient_text, patient_from_card
from vein2vein.therapy.patient_card import patient_card
from vein2vein.therapy.product import Product
from vein2vein.trials.trial import trial_template_text
from vein2vein.trials.trial_card import trial_card
from vein2vein.web.fields import Group, fields_in, form_of, shown
from vein2vein.web.form_text import value_of, with_typed

CARDS = {"patient": patient_card(), "trial": trial_card(), "product": Product, "disease": Disease, "policy": PolicyCard}


def by_path(group):
    return {one.path: one for one in fields_in(group)}


@pytest.mark.parametrize("kind", CARDS)
def test_every_kind_of_card_has_a_form(kind):
    made = form_of(CARDS[kind], {})
    found = by_path(made)
    assert found and all(one.label and one.kind for one in found.values())
    assert len(found) == len(list(fields_in(made))), "each path stands once"


@pytest.mark.parametrize("kind", CARDS)
def test_no_form_offers_the_path_of_a_card(kind):
    assert not [one for one in fields_in(form_of(CARDS[kind], {})) if " path" in f"{one.label} {one.hint}"]


def test_a_field_says_unit_bounds_meaning_and_choices():
    age = by_path(form_of(patient_card(), {"age": 11}))["age"]
    assert (age.kind, age.unit, age.low, age.high, age.value, age.open_low) == ("number", "year", 0, 100, "11", False)
    sex = by_path(form_of(patient_card(), {}))["sex"]
    assert sex.kind == "choice" and sex.choices == ("male", "female") and not sex.needed
    found = by_path(
        form_of(Card, {"dose": 3.1, "male": True, "days": [1, 2.5], "drugs": [{"name": "fludarabine", "dose": 30}]})
    )
    assert found["dose"].label == "Dose" and found["dose"].hint == "of CAR-T cells per weight" and found["dose"].needed
    assert found["male"].kind == "flag" and found["male"].value == "true"
    assert found["days"].kind == "list" and found["days"].value == "1, 2.5" and "days such as" in found["days"].hint
    assert found["drugs.0.dose"].low == 0 and found["drugs.0.dose"].open_low and found["drugs.0.dose"].unit == "mg/m^2"


def test_a_field_that_is_added_to_a_card_stands_in_its_form():
    @dataclass(frozen=True)
    class More(Record):
        """A card."""

        dose: Annotated[float, number("Dose", "kg")]
        added: Annotated[str, text("Added later", ("a", "b"))] = "a"
        inside: Annotated[Card | None, part("Inside")] = field(default=None)

    found = by_path(form_of(More, {}))
    assert found["added"].choices == ("a", "b") and found["inside.dose"].unit == "e6/kg"


def test_only_some_fields_sliders_and_what_is_offered():
    made = form_of(
        patient_card(), {}, only=("age", "disease", "days"), sliders={"age": (0, 90, 1)}, suggested={"disease": ["mzl"]}
    )
    found = by_path(made)
    assert {path.split(".")[0] for path in found} == {"age", "disease", "days"}
    assert found["age"].slider == (0, 90, 1) and found["disease"].suggested == ("mzl",)
    left = by_path(form_of(patient_card(), {}, leave=("baseline", "age")))
    assert "age" not in left and not [path for path in left if path.startswith("baseline.")]


def test_laws_and_tables_of_a_trial_stand_under_their_names():
    made = form_of(trial_card(), tomllib.loads(trial_template_text()), leave=("published",))
    population = next(one for one in made.groups if one.path == "population")
    assert population.many and population.named and "age" in population.names
    assert all(one.removable for one in population.groups)


def test_a_fault_stands_at_its_field_else_at_its_table_else_at_the_form():
    made = form_of(Card, {"dose": 20}, problem=InputError("too much.", field="dose"))
    assert by_path(made)["dose"].fault == "too much."
    made = form_of(Card, {"drugs": [{}]}, problem=InputError("missing.", field="drugs.0.what"))
    assert made.groups[0].groups[0].fault == "missing."
    assert form_of(Card, {}, problem=InputError("no.", field="nowhere.else")).fault == "nowhere.else: no."
    assert form_of(Card, {}, problem=InputError("no.")).fault == "no."


def test_what_is_typed_goes_into_the_file_and_the_rest_stays():
    before = '# mine\ndose = 3.1 # the dose\ntitle = "t"\n\n[[drugs]]\nname = "fludarabine"\ndose = 30\n'
    after = with_typed(
        Card, before, {"dose": "4", "title": "", "male": "false", "days": "1, 2", "drugs.0.dose": "25 mg/m2"}
    )
    assert after.startswith("# mine\ndose = 4 # the dose\n") and "title" not in after
    assert tomllib.loads(after) == {
        "dose": 4,
        "male": False,
        "days": [1, 2],
        "drugs": [{"name": "fludarabine", "dose": "25 mg/m2"}],
    }
    assert with_typed(Card, before, {}) == before == with_typed(Card, before, {"dose": "3.1", "other": "x"})


def test_a_number_that_was_not_changed_stays_as_it_was_written():
    before = "dose = 3.10\nmale = true\ndays = [1.0, 2]\n"
    typed = {one.path: one.value for one in fields_in(form_of(Card, tomllib.loads(before)))}
    assert typed["dose"] == "3.1" and with_typed(Card, before, typed) == before


def test_tables_are_added_and_removed():
    text = with_typed(Card, "dose = 1\n", {"add": "drugs"})
    assert tomllib.loads(text) == {"dose": 1, "drugs": [{}]}
    text = with_typed(Card, text, {"drugs.0.name": "fludarabine", "drugs.0.dose": "30", "add": "drugs"})
    assert tomllib.loads(text)["drugs"] == [{"name": "fludarabine", "dose": 30}, {}]
    text = with_typed(Card, text, {"remove": "drugs.0"})
    assert tomllib.loads(text)["drugs"] == [{}]
    assert tomllib.loads(with_typed(Card, text, {"remove": "drugs.0"})) == {"dose": 1}
    for odd in ({"remove": "drugs.7"}, {"remove": "nothing.0"}, {"remove": "dose.0"}, {"remove": "x.y"}):
        assert with_typed(Card, text, odd) == text
    with pytest.raises(InputError, match="nothing to add at 'title'"):
        with_typed(Card, text, {"add": "title"})
    laws = with_typed(trial_card(), "", {"add": "population", "add_name:population": "age"})
    assert tomllib.loads(laws) == {"population": {"age": {}}}
    with pytest.raises(InputError, match="give the name"):
        with_typed(trial_card(), "", {"add": "population"})


def test_a_form_of_the_example_patient_gives_the_same_patient():
    text = example_patient_text()
    typed = {one.path: one.value for one in fields_in(form_of(patient_card(), tomllib.loads(text)))}
    assert with_typed(patient_card(), text, typed) == text
    anew = with_typed(patient_card(), "", typed)
    assert patient_from_card(parse_card(anew, "x"))[0] == patient_from_card(parse_card(text, "x"))[0] or tomllib.loads(
        anew
    ) == tomllib.loads(text)


@pytest.mark.parametrize(
    ("typed", "kind", "expected"),
    [
        ("3", "number", 3),
        ("3.5", "number", 3.5),
        (".5", "number", 0.5),
        ("1e3", "whole", 1000.0),
        ("39 kg", "number", "39 kg"),
        ("nan", "number", "nan"),
        ("inf", "number", "inf"),
        ("1e999", "number", "1e999"),
        ("٣", "number", 3),
        ("3,5", "number", "3,5"),
        ("true", "flag", True),
        ("maybe", "flag", "maybe"),
        ("1, a", "list", [1, "a"]),
        ("[[1, 2], [3, 4]]", "list", [[1, 2], [3, 4]]),
        ("[1", "list", "[1"),
        ("12000", "value", 12000),
        ("negative", "value", "negative"),
        ("3", "text", "3"),
        ("a = 1", "table", {"a": 1}),
        ("a = ", "table", "a = "),
    ],
)
def test_what_is_typed_as_the_file_holds_it(typed, kind, expected):
    one = next(iter(fields_in(form_of(Card, {}))))
    found = value_of(type(one)("x", "x", "x", kind), typed)
    assert found == expected and type(found) is type(expected)


@given(
    st.lists(
        st.one_of(
            st.integers(-9, 9),
            st.floats(allow_nan=False, allow_infinity=False, width=16),
            st.text("ab ", min_size=1).map(str.strip).filter(bool),
        ),
        max_size=4,
    )
)
@settings(max_examples=50)
def test_a_list_is_read_as_it_is_shown(values):
    one = next(one for one in fields_in(form_of(Card, {})) if one.path == "days")
    assert value_of(one, shown(values)) == values


@given(
    st.dictionaries(
        st.sampled_from([*by_path(form_of(Card, {"drugs": [{}]})), "add", "remove", "x"]),
        st.text(max_size=12),
        max_size=4,
    )
)
@settings(max_examples=25)
def test_nothing_that_is_typed_breaks_a_form(typed):
    """Whatever is typed, the file stays one, or there is a sentence; its reader says the rest."""
    try:
        text = with_typed(Card, "dose = 1\n[[drugs]]\n", typed)
    except InputError:
        return
    data = tomllib.loads(text)
    assert isinstance(form_of(Card, data), Group)
    try:
        read(parse_card(text, "form"), Card)
    except InputError as problem:
        assert isinstance(form_of(Card, data, problem=problem), Group)


def test_a_file_that_is_none_is_told_with_its_line():
    with pytest.raises(InputError, match="not valid TOML") as found:
        with_typed(Card, "dose = \n", {})
    assert found.value.line == 1
