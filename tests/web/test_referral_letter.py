"""Whatever the intake of a referral asks stands in its letter: nothing that was typed is left out in silence."""

import datetime

import pytest

from vein2vein.cards import parse_card
from vein2vein.explain import referral
from vein2vein.web.patient_file import fields, filled
from vein2vein.web.referral import intake

KINDS = {"number": "20", "whole": "2", "flag": "true", "text": "so", "value": "40"}
GIVEN = {
    "sex": "male", "height": "142", "last_given": "vincristine = 20", intake.TREATMENTS: '["2023: one"]',
    "referral.measured": "2026-11-20", "history.relapses": "1", "baseline.lvef": "60", "baseline.spo2": "98",
    "baseline.ecog": "1",
}  # fmt: skip
ELSEWHERE = ("disease", "age", intake.LANGUAGE, "referral.physician", "referral.center")
"""Rows of the page that are made otherwise."""


def letter_of(text):
    case = referral.case_of(parse_card(text, "p.toml"), datetime.date(2026, 11, 30))[0]
    return [*referral.who(case), *referral.course(case), *referral.history(case), *referral.values(case)]


@pytest.mark.parametrize("disease", ["pediatric_b_all", "lbcl", "mm", "cll"])
def test_whatever_the_intake_asks_stands_in_the_letter(disease):
    bare = f'disease = "{disease}"\nage = 40\n'
    steps = intake.steps_of(parse_card(bare, "p.toml"))
    paths = [path for name, one in steps.items() if name not in ("records", "more") for path in one.paths]
    asked = [one for one in fields(bare, paths, intake.WORDS) if not one.path.startswith(ELSEWHERE)]
    assert len(asked) > 20
    without = letter_of(bare)
    for one in asked:
        typed = "positive" if one.path.startswith("antigens.") else GIVEN.get(one.path) or KINDS[one.kind]
        assert letter_of(filled(bare, {one.path: typed}, paths)) != without, one.path
