"""A family's door: from the form to the page that goes along, in every language; wrong input keeps what was typed."""

import re

import pytest
import twins

from vein2vein.explain.languages import all_languages
from vein2vein.web.doors.family import pages as family

CHILD = {
    "name": "A. Child", "disease": "pediatric_b_all", "age": "11", "weight": "39", "explain.product": "tisagenlecleucel",
    "explain.infusion_date": "2027-01-10", "explain.collection_date": "2026-11-29",
}  # fmt: skip
PARTS = ("", "/ready", "/chances")


@pytest.fixture(scope="module")
def child(asked):
    answer = asked.change("/family/new", CHILD)
    assert answer.status_code == 303, answer.text
    return answer.headers["location"]


@pytest.mark.parametrize("part", [*PARTS, "/facts"])
def test_a_page_and_its_twin_tell_the_same(asked, child, part):
    page, told = twins.check(asked.client, child + part)
    assert page.status_code == 200 and re.fullmatch(r"/family/[0-9a-f]{16}", child)
