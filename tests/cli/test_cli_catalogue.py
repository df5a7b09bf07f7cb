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


def test_a_mark_of_a_card_says_what_was_read():
    """A reader of a label fact meets the page it was read on, and not a number of our own list."""
    for shelf, name in (("products", "lisocabtagene_maraleucel"), ("models", "reference")):
        code, out, _ = run(shelf, name)
        assert code == 0 and "[R:S" not in out
    _, out, _ = run("products", "lisocabtagene_maraleucel")
    words = " ".join(out.split())
    assert "Medscape" in words and "from memory" in words


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


OWN = """\"\"\"One compartment, written by hand.\"\"\"
import vein2vein as v2v


def equations(t, x, p, u):
    return {"A": -p.k * x.A}


MODEL = v2v.Model(
    "own", "One compartment", "my notebook", [v2v.State("A", "amount in blood", "mg")], [], ["k"], equations,
    lambda p: {"A": 1.0}, lambda name, amount, x, p: {}, lambda t, x, p, u: {}, {"k": 0.25},
)
"""


def test_a_model_file_is_shown_like_a_model_that_comes_with_vein2vein(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my_model.py").write_text(OWN, encoding="utf-8")
    code, out, err = run("models", "my_model.py")
    assert code == 0, err
    assert "amount in blood" in out and "0.25" in out and "my notebook" in out
    assert run("models", "my_model.py", "--equations")[1] == "d(A)/dt = -k * A\n"
    assert r"\frac{d A}{dt} = -k \, A" in run("models", "./my_model.py", "--equations", "--latex")[1]
    (one,) = map(json.loads, run("models", "my_model.py", "--json")[1].splitlines())
    assert one["name"] == "own" and one["sources"] == {"my notebook": "my notebook"}
    code, out, err = run("models", "my_model.py", "--out", "pages")
    page = (tmp_path / "pages" / "own.md").read_text(encoding="utf-8")
    assert code == 0 and [f.name for f in (tmp_path / "pages").iterdir()] == ["own.md"], err
    assert "As they are written (`my_model.py`):" in page and 'return {"A": -p.k * x.A}' in page and "| `k` |" in page


def test_a_model_file_that_fails_is_told_with_its_line(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my_model.py").write_text(OWN.replace("v2v.State(", "v2v.Stat("), encoding="utf-8")
    code, out, err = run("models", "my_model.py")
    line = OWN.splitlines().index("MODEL = v2v.Model(") + 2
    assert code == 2 and not out
    assert f"my_model.py, line {line}: AttributeError: module 'vein2vein' has no attribute 'Stat'." in err
    assert run("models", "nowhere.py")[0] == 2
