"""The library: every card that comes with vein2vein, each fact with its source; the filter; Python and commands."""

import subprocess
import sys

import pytest
import twins

from vein2vein.cli.main import main
from vein2vein.report.card_facts import facts_of
from vein2vein.sources import all_sources
from vein2vein.web.doors import library

CARDS = [(shelf, name) for shelf in library.SHELVES for name in library.cards_of(shelf)]


def test_everything_that_is_there_stands_on_a_shelf(asked):
    from vein2vein.clinic.care.label_card import all_labels
    from vein2vein.clinic.criteria import editions
    from vein2vein.models.catalogue import model_names
    from vein2vein.therapy.disease import all_diseases
    from vein2vein.therapy.product import all_products
    from vein2vein.trials.comparator import list_comparators
    from vein2vein.trials.trial import list_trials

    shelves = {
        "products": all_products(),
        "diseases": all_diseases(),
        "trials": list_trials(),
        "models": model_names(),
        "criteria": editions(),
        "labels": all_labels(),
        "comparators": list_comparators(),
    }
    for shelf, names in shelves.items():
        assert set(names) == set(library.cards_of(shelf)), shelf
        page = asked.client.get(f"/library/{shelf}").text
        assert all(f'href="/library/{shelf}/{name}"' in page for name in names)


@pytest.mark.parametrize(("shelf", "name"), CARDS[::7], ids=lambda one: one)
def test_a_card_and_its_twin(asked, shelf, name):
    _, told = twins.check(asked.client, f"/library/{shelf}/{name}")
    rows = [row for table in told["data"]["tables"] for row in table["facts"]]
    assert len(rows) == min(told["data"]["total"], library.PER_PAGE) and told["data"]["total"] == len(
        library.told_of(shelf, name)
    )
    for key in {row["source"] for row in rows if row["source"] in all_sources()}:
        assert told["data"]["references"][key].startswith(str(all_sources()[key])[:20])


def test_an_edition_leads_to_those_that_it_takes_values_from(asked):
    page = asked.client.get("/library/criteria/crs_astct_2019").text
    assert '<a href="/library/criteria/bedside_signs">' in page
    assert "38" in asked.client.get("/library/criteria/bedside_signs").text
    for name in library.cards_of("criteria"):
        included = library.card_of("criteria", name).get("includes", [])
        assert set(included) <= set(library.cards_of("criteria")), name


def test_every_fact_of_a_page_and_the_next(asked):
    address, seen = "/library/products/tisagenlecleucel.json", []
    first = 0
    while first is not None:
        data = asked.client.get(f"{address}?first={first}").json()["data"]
        seen += [row["field"] for table in data["tables"] for row in table["facts"]]
        first = data["next"]
    assert seen == [row["field"] for row in library.told_of("products", "tisagenlecleucel")] and len(set(seen)) == len(
        seen
    )
    assert sum(one["facts"] for one in data["counts"]) == len(seen)


@pytest.mark.parametrize("how", ["assumed", "calibrated", "reported", "not said"])
def test_only_what_was_obtained_so(asked, how):
    data = asked.client.get("/library/products/tisagenlecleucel.json", params={"how": how}).json()["data"]
    rows = [row for table in data["tables"] for row in table["facts"]]
    assert rows and all((row["how"] or "not said") == how for row in rows)
    if how == "assumed":
        assert all(row["why"] or row["source"] for row in rows)
    assert data["total"] == {one["how"]: one["facts"] for one in data["counts"]}[how]


def test_what_no_card_holds_is_told(asked):
    data = asked.client.get("/library/products/tisagenlecleucel.json?how=digitized").json()["data"]
    assert (
        data["total"] == 0
        and "No fact of this card" in asked.client.get("/library/products/tisagenlecleucel?how=digitized").text
    )
    for address in ("/library/products/kymriah", "/library/shelf", "/library/products/x"):
        assert asked.client.get(address).status_code == 404
    assert asked.client.get("/library/products/tisagenlecleucel?how=guessed").status_code == 422
    assert asked.client.get("/library/products/tisagenlecleucel?first=-1").status_code == 422


def test_a_criterion_as_tables_a_clinician_can_check(asked):
    data = asked.client.get("/library/criteria/iec_hs_2023.json").json()["data"]
    thresholds = next(one for one in data["tables"] if one["title"] == "Thresholds")["facts"]
    ferritin = next(row for row in thresholds if row["field"] == "thresholds.ferritin_upper_limit")
    assert (ferritin["value"], ferritin["unit"], ferritin["how"], ferritin["meaning"]) == (
        300,
        "ug/L",
        "assumed",
        "upper limit of normal",
    )
    assert next(row for row in thresholds if row["field"] == "thresholds.fibrinogen")["how"] == "from memory"
    levels = asked.client.get("/library/criteria/crs_astct_2019.json").json()["data"]["tables"][0]["facts"]
    assert "column fever" in levels[0]["meaning"] and "grade 1" in levels[0]["meaning"] and "S2" in levels[0]["where"]


@pytest.mark.parametrize(
    ("shelf", "name", "field", "unit", "meaning"),
    [
        ("labels", "tisagenlecleucel", "times.near.days", "day", "Days from the infusion"),
        ("labels", "tisagenlecleucel", "uses.lbcl.age_low", "year", "Lowest age"),
        ("diseases", "adult_b_all", "antigens.CD19.density.median", "molecules/cell", "Median density"),
        ("trials", "cartitude_1", "published.1.n", "", "Patients behind the number"),
        ("policies", "astct_2019", "tocilizumab.or_lasts", "day", "Days that this lower grade"),
        ("comparators", "gmall", "patients", "", "Patients of the publication"),
        ("products", "tisagenlecleucel", "indications.b_all.dose.target_per_kg", "cells/kg", "Dose aimed at"),
    ],
)
def test_a_number_that_says_no_unit_has_that_of_its_declaration(shelf, name, field, unit, meaning):
    row = next(row for row in library.explained(shelf, name, library.told_of(shelf, name)) if row["field"] == field)
    assert row["unit"] == unit and str(row["meaning"]).startswith(meaning)


def test_published_rows_are_reported_or_from_memory(asked):
    counts = library.counts_of("trials", "eliana")
    rows = library.card_of("trials", "eliana")["published"]
    recalled = [row for row in rows if row["confidence"] == "memory"]
    assert recalled and counts["from memory"] >= len(recalled) and counts["reported"] >= len(rows) - len(recalled)
    shown = [row for row in library.told_of("trials", "eliana") if str(row["field"]).startswith("published.")]
    assert {row["how"] for row in shown} == {"reported", "from memory"}
    values = [row for row in shown if str(row["field"]).count(".") == 1]
    assert len(values) == len(rows) and all(row["meaning"] for row in values)
    ends = [row for row in shown if str(row["field"]).endswith("95")]
    assert ends and all(row["unit"] for row in ends)


def test_facts_take_what_the_table_around_them_says():
    card = {
        "dose": {"source": "a", "how": "reported", "inner": {"low": 1}},
        "why": "x",
        "p": {"value": 2, "unit": "kg", "meaning": "m", "mark": "D", "why": "w"},
    }
    low, p = (one for one in facts_of(card) if one.path[-1] not in ("why", "mark"))
    assert (low.path, low.how, low.own.source, low.provenance.source) == (("dose", "inner", "low"), "reported", "", "a")
    assert (p.quantity, p.unit, p.meaning, p.how, p.provenance.why) == (True, "kg", "m", "assumed", "w")


@pytest.mark.parametrize("shelf", [name for name, shelf in library.SHELVES.items() if shelf.python])
def test_the_same_from_python_and_on_the_command_line(asked, shelf, capsys):
    name = next(iter(library.cards_of(shelf)))
    told = asked.client.get(f"/library/{shelf}/{name}.json").json()
    assert told["python"].startswith("import vein2vein as v2v")
    exec(compile(told["python"], shelf, "exec"), {})
    assert capsys.readouterr().out.strip()
    if told["command"]:
        assert main(told["command"].split()[1:]) == 0 and name in told["command"]


def test_home_and_library_load_no_engine(tmp_path):
    """The server stays light: what computes is loaded by the processes that compute."""
    code = (
        "import sys; from pathlib import Path; from starlette.testclient import TestClient\n"
        "from vein2vein.web.app import make_app; from vein2vein.web.access import Keys\n"
        "from vein2vein.web.settings import Settings\n"
        f"keys = Keys(); app = make_app(Settings(Path({str(tmp_path)!r})), port=1, keys=keys)\n"
        "client = TestClient(app, base_url='http://127.0.0.1:1', headers={'cookie': f'vein2vein-1={keys.cookie}'})\n"
        "with client:\n"
        "    for address in ('/', '/library', '/library/products', '/jobs'):\n"
        "        assert client.get(address).status_code == 200\n"
        "print(sorted({'scipy', 'llvmlite', 'duckdb', 'matplotlib', 'pint', 'tomlkit'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout.strip() == "[]"
