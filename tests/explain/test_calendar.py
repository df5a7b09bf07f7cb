"""The calendar of a plan: which days bring what, which weeks are left out, with what a week begins."""

import datetime

import pytest
from test_explain import CHILD, TISA

from vein2vein.cards import parse_card
from vein2vein.errors import InputError
from vein2vein.explain import facts
from vein2vein.explain.calendar import calendar_of
from vein2vein.explain.languages import Words, all_languages, read_catalog
from vein2vein.explain.page import explanation_page
from vein2vein.explain.plan import plan_of
from vein2vein.therapy.patient import example_patient_text

ZERO = datetime.date(2027, 1, 10)
PLAN = example_patient_text() + '[explain]\nproduct = "kymriah"\ninfusion_date = "2027-01-10"\n'


def calendar(code="en", patient=CHILD):
    return calendar_of(Words(read_catalog(code)), facts.timing(patient, TISA), ZERO)


def days_of(found, key):
    number = next(one.number for one in found.kinds if one.key == key)
    return [day.plan for week in found.weeks for day in week.days if number in day.numbers]


def test_every_step_has_its_days():
    found = calendar()
    plan = facts.timing(CHILD, TISA)
    assert days_of(found, "infusion") == [0]
    assert days_of(found, "chemo") == list(range(round(plan.chemo_first), round(plan.chemo_last) + 1))
    assert days_of(found, "watch") == list(range(1, int(plan.rules["daily"].value) + 1))
    assert days_of(found, "near") == list(range(1, int(plan.rules["near"].value) + 1))
    assert days_of(found, "check") == [int(plan.rules["first_check"].value)]
    assert [one.key for one in found.kinds if one.key == "collection"] == []  # its day is not known
    for week in found.weeks:
        assert [(day.date - ZERO).days == day.plan for day in week.days] == [True] * 7


@pytest.mark.parametrize("code", list(all_languages()))
def test_a_week_begins_as_in_the_country_of_the_readers(code):
    found = calendar(code)
    first = {week.days[0].date.weekday() for week in found.weeks}
    assert first == {read_catalog(code).week_begins}
    assert [name for name, _ in found.weekdays] == [
        read_catalog(code).short_weekdays[d.date.weekday()] for d in found.weeks[0].days
    ]


def test_weeks_that_bring_nothing_are_left_out_and_the_gap_is_marked():
    text = PLAN + 'collection_date = "2026-10-01"\n'
    plan = plan_of(parse_card(text, "p"), otherwise=0)
    found = calendar_of(Words(read_catalog("en")), facts.timing(plan.patient, plan.product), ZERO)
    assert days_of(found, "collection") == [-101]
    assert [week.after_gap for week in found.weeks][:2] == [False, True] and len(found.weeks) < 10
    assert all(any(day.numbers for day in week.days) for week in found.weeks)


def test_the_page_has_a_calendar_where_it_is_asked_for_and_a_day_is_set():
    words = read_catalog("en").text
    for date, asked, shown in (("2027-01-10", True, True), (None, True, False), ("2027-01-10", False, False)):
        page = explanation_page(CHILD, TISA, infusion_date=date, calendar=asked)
        assert (words["calendar_title"] in page) == shown and (words["pack_title"] in page) == asked


def test_what_the_caller_gives_goes_before_the_file():
    card = parse_card(PLAN + "companions = 50\n", "p")
    plan = plan_of(card, otherwise=300)
    assert (plan.product.name, plan.infusion_date, plan.companions) == ("tisagenlecleucel", "2027-01-10", 50)
    plan = plan_of(card, otherwise=300, companions=0, infusion_date="2027-02-01")
    assert (plan.infusion_date, plan.companions) == ("2027-02-01", 0)
    assert plan_of(parse_card(PLAN, "p"), otherwise=300).companions == 300


@pytest.mark.parametrize(("text", "field"), [
    (PLAN + "companions = 100001\n", "explain.companions"), (PLAN + "companions = -1\n", "explain.companions"),
    (PLAN.replace("kymriah", "nothing"), "explain.product"), (example_patient_text(), "explain.product"),
    (PLAN.replace("2027-01-10", "soon"), "explain.infusion_date"),
    (PLAN + 'collection_date = "2027-01-11"\n', "days.leukapheresis"),
])  # fmt: skip
def test_a_plan_that_is_none_is_refused_at_its_field(text, field):
    with pytest.raises(InputError) as found:
        plan_of(parse_card(text, "p"), otherwise=0)
    assert found.value.field == field
