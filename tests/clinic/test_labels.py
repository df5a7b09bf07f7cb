"""Label cards: dated, whole, the same products as the product cards; what cannot be judged is one sentence."""

import math
import re
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from vein2vein.cards import parse_card
from vein2vein.clinic.care import labels as judging
from vein2vein.clinic.care.label_card import all_labels, find_label, read_label
from vein2vein.clinic.care.labels import LabelPatient, judge_labels
from vein2vein.clinic.care.schedule import ScheduleRow
from vein2vein.clinic.criteria import reference, rows_of
from vein2vein.errors import InputError
from vein2vein.explain import facts
from vein2vein.therapy.disease import label_diseases
from vein2vein.therapy.history import History
from vein2vein.therapy.product import all_products, find_product

BREYANZI = "lisocabtagene_maraleucel"
TEXT = (Path(judging.__file__).parent.with_name("labels") / f"{BREYANZI}.toml").read_text(encoding="utf-8")
LATE = date(2028, 1, 1)


def test_a_label_for_each_approved_product_and_the_same_diseases_and_ages():
    products = {n: p for n, p in all_products().items() if any(use.how == "reported" for use in p.indications)}
    assert set(products) == set(all_labels())
    for name, label in all_labels().items():
        product = products[name]
        assert (label.title, label.brand) == (product.title, product.brand)
        assert {d for use in product.indications for d in use.diseases} == {
            d for use in label.uses for d in use.diseases if d not in label_diseases()
        }
        for use in product.indications:
            same = [one for one in label.uses if set(use.diseases) & set(one.diseases)]
            assert {(one.age_low, one.age_below) for one in same} == {(use.age_low, use.age_below)}
        assert product.warnings[0] == "cytokine release syndrome"
        assert "secondary hematological malignancies" in product.warnings


def test_what_a_label_says_has_its_source_and_what_was_not_read_is_said():
    for label in all_labels().values():
        assert label.read == "2026-11-29" and label.unread
        for mark in [one.mark for one in (*label.uses, *label.changes, *label.limitations)]:
            for number in mark.removeprefix("R:").split(","):
                assert mark == "M" or reference(f"R:{number}").endswith(f", {number}")
    unread = {label.brand for label in all_labels().values() if "the body of the label" in label.unread}
    assert unread == {"Kymriah", "Abecma"}
    newest = {label.brand: label.changes[-1].date for label in all_labels().values() if label.changes}
    assert newest == {
        "Kymriah": "2025-12", "Yescarta": "2026-02-06", "Breyanzi": "2026-02", "Abecma": "2025-11",
        "Carvykti": "2025-10",
    }  # fmt: skip
    assert "immune effector cell-associated enterocolitis" in all_products()["ciltacabtagene_autoleucel"].warnings


@pytest.mark.parametrize(
    ("patient", "told"),
    [
        (LabelPatient("lbl", 60), "unknown disease of a label 'lbl'; did you mean lbcl"),
        (LabelPatient("lbcl", 130), "found an age of 130 years; expected 0 to 120: no label is judged."),
        (LabelPatient("lbcl", -1), "found an age of -1 years; expected 0 to 120: no label is judged."),
    ],
)
def test_a_patient_that_no_label_could_mean_is_one_sentence(patient, told):
    with pytest.raises(InputError, match=re.escape(told)):
        judge_labels(patient)


def test_a_label_that_has_lapsed_is_not_judged_and_an_old_one_says_so():
    patient, label = LabelPatient("mzl", 60, 3), find_label(BREYANZI)
    assert [one.state for one in judge_labels(patient, [label])] == [1]
    (old,) = judge_labels(patient, [label], on=LATE)
    assert old.state == 1 and any("read the current label" in note for note in old.notes)
    assert not any("read the current" in note for one in judge_labels(patient) for note in one.notes)
    ended = replace(label, ends="2027-12-31")
    assert judge_labels(patient, [ended], on=date(2027, 12, 31))[0].state == 1
    (gone,) = judge_labels(patient, [ended], on=LATE)
    assert (gone.state, gone.uses) == (0, ()) and "in force until 2027-12-31" in gone.why and not gone.settles


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('read = "2026-11-29"', 'read = "29.11.2026"', "expected a date such as 2026-02-06"),
        ('diseases = ["mzl"]', 'diseases = ["mzll"]', "mzll"),
        ("age_low = 18", "age_low = -18", "found -18"),
        ('mark = "R:S65"', 'mark = "S65"', "expected R:S1 (read in S1), M (memory) or D (our choice)"),
        ('name = "mzl"', 'name = "cll"', "found 'cll' twice"),
        ('country = "USA"\n', "", "country: missing"),
        ('asks = ["early_relapse"]', 'asks = ["early_relaps"]', "early_relapse"),
    ],
)
def test_a_bad_label_card_is_refused_where_it_is_wrong(old, new, told):
    assert old in TEXT
    with pytest.raises(InputError, match=re.escape(told)) as caught:
        read_label(parse_card(TEXT.replace(old, new), "mine.toml"))
    assert caught.value.file == "mine.toml"


@pytest.mark.parametrize(
    ("history", "lines", "state"),
    [
        (History(), 2, 1), (History(), 1, -1), (History(relapses=0), 2, -1), (History(relapses=1), 1, 1),
        (History(relapses=0, refractory=False), 2, 0), (History(refractory=True), 1, 1),
        (History(days_to_relapse=900), 1, 1), (History(relapse_after_transplant=True), 1, 1),
        (History(refractory=False), 1, -1), (History(relapses=0, days_to_relapse=200), 2, -1),
        (History(relapses=0, relapse_after_transplant=True), 1, -1),
    ],
)  # fmt: skip
def test_relapsed_or_refractory_by_what_is_told(history, lines, state):
    found = judge_labels(LabelPatient("mcl", 60, lines, history), [find_label("brexucabtagene_autoleucel")])
    assert found[0].state == state


@pytest.mark.parametrize(
    ("disease", "history", "state"),
    [
        ("adult_b_all", History(), -1),
        ("adult_b_all", History(refractory=False), -1),
        ("adult_b_all", History(relapses=1), 1),
        ("mcl", History(), 1),
        ("mcl", History(refractory=False), -1),
    ],
)
def test_lines_of_therapy_alone_are_no_relapse_of_a_leukemia(disease, history, state):
    found = judge_labels(LabelPatient(disease, 60, 2, history), [find_label("brexucabtagene_autoleucel")])
    assert found[0].state == state


@pytest.mark.parametrize("told", ["refractory_relapse", "relapse_after_transplant"])
def test_no_relapse_and_one_told_elsewhere_is_unknown(told):
    patient = LabelPatient("pediatric_b_all", 12, 2, History(relapses=0, **{told: True}))
    assert judge_labels(patient, [find_label("tisagenlecleucel")])[0].state == -1


@pytest.mark.parametrize(
    ("history", "state"),
    [
        (History(refractory=False), -1), (History(refractory=False, relapses=1), -1),
        (History(refractory=False, relapses=0), 0), (History(refractory=False, days_to_relapse=200), 1),
    ],
)  # fmt: skip
def test_not_refractory_alone_does_not_say_that_nothing_came_back(history, state):
    found = judge_labels(LabelPatient("lbcl", 60, 1, history), [find_label("axicabtagene_ciloleucel")])
    assert found[0].state == state


# ---------------------------------------------------------------- how long near the center, daily checks, driving

TIMES = ("daily", "near", "driving")


@pytest.mark.parametrize("name", sorted(all_labels()))
def test_labels_page_and_schedule_tell_the_same_times_of_every_product(name):
    """One source, the label: the family's page reads it, and no row of the ward's schedule says otherwise."""
    label, rules = all_labels()[name], facts.rules(find_product(name))
    spans = {key: getattr(label.times, key) for key in TIMES}
    for key, span in spans.items():
        assert span is not None
        told = rules[key]
        assert told.source == label.source and span.mark in told.where
        assert (told.value == span.days) if span.days is not None else math.isnan(told.value)
        assert (told.mark == "R") is span.verified
    rows = [row for row in rows_of("schedule", ScheduleRow) if row.product == name or (
        not row.product and name not in row.except_products)]  # fmt: skip
    (advice,) = [row for row in rows if "stay near the center" in row.what]
    longest = max(span.days for key, span in spans.items() if key != "daily" and span.days is not None)
    assert advice.until_day == longest
    for key, words in (("near", r"stay near the center(?: for (\d+) weeks|[^;]*?until day (\d+))"),
                       ("driving", r"no driving[^;,]*?(?: for (\d+) weeks|until day (\d+))")):  # fmt: skip
        found = re.search(words, advice.what.replace("center; no driving", "center, no driving"))
        days = spans[key].days
        assert (found is None) is (days is None), (key, advice.what)
        if found:
            weeks, day = found.groups()
            assert days == (7 * int(weeks) if weeks else int(day)), (key, advice.what)
    own_watch = [row for row in rows if row.group == "watch" and row.product == name]
    daily = own_watch or [row for row in rows if row.what.startswith("daily monitoring")]
    assert [row.until_day for row in daily] == [spans["daily"].days]


def test_times_that_most_labels_share_are_those_of_a_product_without_a_label():
    usual = facts.rules(find_product("cd22_car"))
    assert {key: usual[key].value for key in TIMES} == {"daily": 7, "near": 14, "driving": 14}
    assert not {"daily", "near", "driving"} & set(facts.numbers().table("rules"))  # stated once


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("days = 7\n", "days = 0\n", "times.daily.days: found 0 day, expected a number above 0"),
        ("[times.near]\ndays = 14\n", '[times.near]\ndays = "2 weeks"\n', ""),
        ('[times.near]\ndays = 14\nmark = "R:S48,W21"', '[times.near]\ndays = 14\nmark = "read"', "times.near.mark"),
        ("[times.near]", "[times.nearby]", "did you mean near"),
    ],
)
def test_times_of_a_label_are_checked(old, new, told):
    assert old in TEXT
    card = parse_card(TEXT.replace(old, new, 1), "own.toml")
    if not told:
        assert read_label(card).times.near.days == 14
        return
    with pytest.raises(InputError, match=re.escape(told)):
        read_label(card)
