"""Every page: its HTML, its twin, its language, what stands in its address, and how much it weighs."""

import html
import json
import re

import httpx2
import pytest
import twins

from vein2vein.explain.languages import all_languages
from vein2vein.web import static_files
from vein2vein.web.page import Page
from vein2vein.web.plain import plain
from vein2vein.web.render import quantity, size

PAGES = ["/patient", "/trials", "/", "/jobs", "/library", "/library/products", "/library/products/tisagenlecleucel",
         "/library/trials/eliana?how=assumed",
         "/library/criteria/crs_astct_2019", "/library/models/reference?first=40",
         "/family", "/referral", "/trying"]  # fmt: skip


@pytest.mark.parametrize("address", PAGES)
def test_a_page_and_its_twin_tell_the_same(asked, address):
    _, told = twins.check(asked.client, address)
    assert told["language"] == "en"


def test_the_comparison_of_page_and_twin_finds_what_differs():
    class Client:
        def __init__(self, page, data):
            self.page, self.data = page, data

        def get(self, address):
            told = {"address": "/x", "title": "t", "data": self.data, "python": "", "command": "c"}
            body = (
                json.dumps(told) if address.endswith(".json") else f"<main><h1>t</h1>{self.page}<code>c</code></main>"
            )
            kind = "application/json" if address.endswith(".json") else "text/html"
            return httpx2.Response(200, content=body, headers={"content-type": kind})

    twins.check(Client("<p>a 12</p>", {"word": "a", "n": 12}), "/x")
    with pytest.raises(AssertionError, match="'b' is not on the page"):
        twins.check(Client("<p>a</p>", {"word": "b"}), "/x")
    with pytest.raises(AssertionError, match="13 is not in the twin"):
        twins.check(Client("<p>a 13</p>", {"word": "a"}), "/x")


@pytest.mark.parametrize("address", PAGES)
def test_a_page_without_charts_weighs_little(asked, address):
    """HTML, style and scripts as they are sent, charts apart."""
    page = asked.client.get(address).text
    weight = len(page.encode())
    for name, mark in re.findall(r'/static/([^"?]+)\?v=(\w+)"', page):
        asset = static_files.assets()[name]
        assert asset.mark == mark
        if "uplot" not in name and "charts" not in name:
            weight += len(asset.packed)
    assert weight <= 60_000, f"{weight} bytes"


@pytest.mark.parametrize("address", PAGES)
@pytest.mark.parametrize("code", all_languages())
def test_a_page_speaks_every_language(asked, address, code):
    page = asked.client.get(address, headers={"accept-language": code}).text
    language = all_languages()[code]
    assert f'<html lang="{code}" dir="{language.direction}">' in page
    for one in all_languages().values():
        assert one.name in page, "the language selector stands on every page"
    assert ("Research software" in page) == (code == "en")


def test_an_address_holds_no_more_than_an_id(fresh):
    answer = fresh.change("/trying/save", {"dose": "2", "title": "Ada Lovelace"})
    assert re.fullmatch(r"/inputs/[0-9a-f]{16}", answer.headers["location"])
    page = fresh.client.get("/").text
    assert "Ada Lovelace" in page and "Lovelace" not in " ".join(re.findall(r'href="([^"]*)"', page))


def test_a_chosen_language_stays_and_leads_back(fresh):
    answer = fresh.change("/language", {"language": "ar", "back": "/library"})
    assert answer.status_code == 303 and answer.headers["location"] == "/library"
    cookie = answer.headers["set-cookie"]
    assert "vein2vein-language=ar" in cookie and "HttpOnly" in cookie and "samesite=strict" in cookie.lower()
    assert (
        'dir="rtl"'
        in fresh.client.get("/", headers={"cookie": f"vein2vein-8000={fresh.keys.cookie}; vein2vein-language=ar"}).text
    )


@pytest.mark.parametrize(
    "back", ["//evil.example", "https://evil.example/", "\\\\evil", "/\\evil", "javascript:alert(1)", "", "/a\nb"]
)
def test_a_language_leads_back_to_this_app_alone(asked, back):
    assert asked.change("/language", {"language": "es", "back": back}).headers["location"] == "/"


def test_an_unknown_language_is_not_kept(asked):
    assert "set-cookie" not in asked.change("/language", {"language": "xx"}).headers


def test_home_shows_doors_and_recent_work(fresh):
    assert "Nothing yet" in fresh.client.get("/").text
    fresh.change("/trying/save", {"dose": "2", "title": "<b>mine</b>"})
    page = fresh.client.get("/").text
    assert "&lt;b&gt;mine&lt;/b&gt;" in page and "<b>mine" not in page
    twin = fresh.client.get("/.json").json()["data"]
    assert [one["name"] for one in twin["recent"]] == ["<b>mine</b>"] and "library" in [
        one["name"] for one in twin["doors"]
    ]


def test_what_a_page_shows_is_plain_data():
    import numpy as np

    told = plain({"a": np.arange(2.0), "b": float("nan"), "c": (1, None), "d": Page("t", "x")})
    assert told["a"] == [0.0, 1.0] and told["b"] is None and told["c"] == [1, None] and told["d"]["template"] == "t"
    with pytest.raises(TypeError, match="object is nothing"):
        plain({"a": object()})


def test_a_number_has_a_unit_and_says_what_it_is():
    assert (
        quantity({"value": 3.14159, "unit": "kg", "origin": "measured"})
        == '<bdi class="quantity measured" dir="ltr">3.14 kg</bdi>'
    )
    assert (
        quantity({"value": None, "unit": "1", "origin": "virtual"})
        == '<bdi class="quantity virtual" dir="ltr">– </bdi>'
    )
    for wrong in (
        {"value": 1, "origin": "virtual"},
        {"value": 1, "unit": "kg"},
        {"value": 1, "unit": "kg", "origin": "found"},
    ):
        with pytest.raises(ValueError, match="has a unit and is one of"):
            quantity(wrong)
    assert [size(one) for one in (999, 12_345, 2_000_000)] == ["999 B", "12 kB", "2 MB"]


@pytest.mark.parametrize(
    "address", ["/", "/jobs", "/library/criteria/icans_astct_2019", "/library/trials/eliana?how=assumed&first=5"]
)
def test_every_page_leads_to_its_twin_with_what_was_asked_of_it(asked, address):
    page = asked.client.get(address).text
    found = html.unescape(re.search(r'<a href="([^"]+)">as JSON</a>', page)[1])
    assert found == twins.twin_of(address)
    told = asked.client.get(found).json()
    assert told["address"] == address.split("?")[0]
    if "how" in address:
        assert told["data"]["how"] == "assumed" and told["data"]["from"] == 6


def test_the_answer_to_a_form_has_no_twin_and_leads_to_none(asked):
    answer = asked.change("/family/new", {"age": "eleven"})
    assert answer.status_code == 422 and "as JSON" not in answer.text
    assert "as JSON" not in asked.client.get("/nowhere").text
