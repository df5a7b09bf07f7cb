"""The catalogs: everything that is there, with its sources, for people and for machines."""

import json

import pytest
from click.testing import CliRunner

from vein2vein.cli import catalogue, main
from vein2vein.sources import all_sources


def run(*args):
    """Run in this process: (exit code, stdout, stderr)."""
    with CliRunner().isolation() as (out, err, _):
        code = main.main(list(args))
        return code, out.getvalue().decode(), err.getvalue().decode()


SHELVES = [
    ("products", "tisagenlecleucel"),
    ("diseases", "pediatric_b_all"),
    ("trials", "eliana"),
    ("models", "reference"),
]


@pytest.mark.parametrize(("shelf", "name"), SHELVES)
def test_the_list_holds_what_is_there(shelf, name):
    code, out, err = run(shelf)
    assert code == 0, err
    assert name in out
    assert any(key in out for key in all_sources())


@pytest.mark.parametrize(("shelf", "name"), SHELVES)
def test_one_in_full_with_its_sources(shelf, name):
    code, out, err = run(shelf, name)
    assert code == 0, err
    assert "reference" in out
    assert any(key in out for key in all_sources())


@pytest.mark.parametrize(("shelf", "name"), SHELVES)
def test_for_machines(shelf, name):
    code, out, _ = run(shelf, "--json")
    listed = [json.loads(line) for line in out.splitlines()]
    assert code == 0 and name in [event["name"] for event in listed]
    code, out, _ = run(shelf, name, "--json")
    (one,) = map(json.loads, out.splitlines())
    assert code == 0 and one["name"] == name and one["sources"]
    assert all(one["sources"].values())


def test_a_brand_finds_its_product():
    code, out, err = run("products", "kymriah", "--json")
    assert code == 0, err
    assert json.loads(out)["name"] == "tisagenlecleucel"


def test_facts_carry_unit_origin_and_source():
    card = {
        "title": "T",
        "dose": {"low": 0.2, "source": "a", "where": "Table 1"},
        "parameters": {"rho": {"value": 0.5, "unit": "1/day", "how": "assumed", "why": "x", "source": "b"}},
        "arms": [{"name": "one", "size": 3}],
    }
    assert list(catalogue.facts_of(card)) == [
        ("title", "T", "", ""),
        ("dose.low", "0.2", "", "a Table 1"),
        ("parameters.rho", "0.5 1/day", "assumed", "b"),
        ("arms.one.name", "one", "", ""),
        ("arms.one.size", "3", "", ""),
    ]
    assert catalogue.sources_of(card) == ["a", "b"]
