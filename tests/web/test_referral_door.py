"""The referral's door: intake, criteria, papers; what is wrong keeps the state before."""

import pytest
import twins

STEPS = ("who", "disease", "treatments", "markers", "organs", "records", "contacts", "more")


@pytest.fixture(scope="module")
def child(asked):
    answer = asked.change("/referral/new", {"name": "A. Child", "disease": "pediatric_b_all", "age": "11"})
    assert answer.status_code == 303, answer.text
    return answer.headers["location"].removesuffix("/intake/who")


@pytest.mark.parametrize("part", ["", "/center", "/papers", *(f"/intake/{step}" for step in STEPS)])
def test_a_page_and_its_twin_tell_the_same(asked, child, part):
    twins.check(asked.client, child + part)
