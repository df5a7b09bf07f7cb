"""vein2vein schema: what is published is what the command prints, and the bundled cards are as it says."""

import json
import tomllib
from pathlib import Path

import pytest
from jsonschema import Draft7Validator

import vein2vein
from vein2vein.cli.main import BAD_INPUT, main
from vein2vein.cli.schema import KINDS, fields_text, schema_text

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = Path(vein2vein.__file__).parent
BUNDLED = {
    "product": sorted(PACKAGE.rglob("products/*.toml")),
    "disease": sorted(PACKAGE.rglob("diseases/*.toml")),
    "policy": sorted(PACKAGE.rglob("policies/*.toml")),
    "patient": [*PACKAGE.rglob("example_patient.toml")],
    "comparator": sorted(PACKAGE.rglob("comparators/*.toml")),
    "label": sorted(PACKAGE.rglob("clinic/labels/*.toml")),
    "trial": [*sorted(PACKAGE.rglob("trials/cards/*.toml")), *PACKAGE.rglob("trials/template.toml")],
}
LEAST = {"product": 15, "disease": 8, "policy": 5, "patient": 1, "trial": 17, "comparator": 6, "label": 7}
CARDS = [pytest.param(kind, file, id=f"{kind}-{file.stem}") for kind in KINDS for file in BUNDLED[kind]]


@pytest.mark.parametrize("kind", KINDS)
def test_the_published_schema_is_what_the_command_prints(kind, capsys):
    assert main(["schema", kind]) == 0
    assert capsys.readouterr().out == (ROOT / "docs" / "schemas" / f"{kind}.json").read_text(encoding="utf-8")
    Draft7Validator.check_schema(json.loads(schema_text(kind)))


def test_no_other_schema_is_published():
    assert {file.stem for file in (ROOT / "docs" / "schemas").iterdir()} == set(KINDS)


def test_the_page_lists_the_fields_that_are_declared():
    page = (ROOT / "docs" / "cards.md").read_text(encoding="utf-8")
    printed = page.split("<!-- fields:begin -->\n")[1].split("\n<!-- fields:end -->")[0]
    assert printed == fields_text()


@pytest.mark.parametrize("kind", KINDS)
def test_the_bundled_cards_of_every_kind_are_found(kind):
    assert len(BUNDLED[kind]) >= LEAST[kind]


@pytest.mark.parametrize(("kind", "file"), CARDS)
def test_a_bundled_card_is_as_its_schema_says(kind, file):
    validator = Draft7Validator(json.loads(schema_text(kind)))
    found = [
        f"{list(one.path)}: {one.message}" for one in validator.iter_errors(tomllib.loads(file.read_text("utf-8")))
    ]
    assert found == []


@pytest.mark.parametrize(
    ("kind", "file", "old", "new"),
    [
        ("product", "tisagenlecleucel", 'costimulation = "4-1BB"', 'costimulation = "4-1BC"'),
        ("product", "tisagenlecleucel", "[parameters.rho]\nvalue = ", "[parameters.rho]\nvalue = -"),
        ("product", "tisagenlecleucel", "[parameters.rho]", "[parameters.rhoo]"),
        ("product", "tisagenlecleucel", "age_below = 26", "age_beneath = 26"),
        ("product", "tisagenlecleucel", "days = [-6, -5, -4, -3]", 'days = ["a"]'),
        ("product", "tisagenlecleucel", 'title = "tisagenlecleucel"\n', ""),
        ("disease", "lbcl", 'lineage = "lymphoma"', 'lineage = "lymfoma"'),
        ("disease", "cll", "probability = 0.65", "probability = 1.65"),
        ("disease", "cll", 'law = "poisson"', 'law = "poissn"'),
        ("policy", "astct_2019", 'treatment = "dexamethasone"', 'treatment = "acetylcysteine"'),
    ],
)
def test_a_schema_sees_what_is_wrong(kind, file, old, new):
    text = next(one for one in BUNDLED[kind] if one.stem == file).read_text(encoding="utf-8")
    assert old in text
    validator = Draft7Validator(json.loads(schema_text(kind)))
    assert not validator.is_valid(tomllib.loads(text.replace(old, new, 1)))


def test_schemas_are_written_to_a_folder_and_overwritten_only_when_asked(tmp_path, capsys):
    folder = tmp_path / "schemas"
    assert main(["schema", "--out", str(folder)]) == 0
    assert {file.stem for file in folder.iterdir()} == set(KINDS)
    capsys.readouterr()
    assert main(["schema", "policy", "--out", str(folder)]) == BAD_INPUT
    assert "is not overwritten; choose another name or force it (--force" in capsys.readouterr().err
    (folder / "policy.json").write_text("mine", encoding="utf-8")
    assert main(["schema", "policy", "--out", str(folder), "--force"]) == 0
    assert capsys.readouterr().out == f"Schema: {folder / 'policy.json'}\n"
    assert (folder / "policy.json").read_text(encoding="utf-8") == schema_text("policy")


def test_kinds_are_listed_and_an_unknown_one_gets_the_nearest(capsys):
    assert main(["schema"]) == 0
    shown = capsys.readouterr().out
    assert all(kind in shown for kind in KINDS)
    assert main(["schema", "--quiet"]) == 0
    assert capsys.readouterr().out.split() == list(KINDS)
    assert main(["schema", "prodct"]) == BAD_INPUT
    assert "unknown kind of card 'prodct'; did you mean product" in capsys.readouterr().err


def events(capsys):
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_kinds_schemas_and_fields_are_told_to_machines(capsys, tmp_path):
    assert main(["schema", "--json"]) == 0
    assert [(one["event"], one["name"]) for one in events(capsys)] == [("kind", name) for name in KINDS]
    assert main(["schema", "policy", "--json"]) == 0
    (told,) = events(capsys)
    assert (told["event"], told["kind"], told["schema"]) == ("schema", "policy", json.loads(schema_text("policy")))
    assert main(["schema", "policy", "--fields", "--json"]) == 0
    fields = events(capsys)
    assert {(one["event"], one["kind"]) for one in fields} == {("field", "policy")}
    (title,) = [one for one in fields if one["field"] == "title"]
    assert (title["needed"], title["meaning"]) == (True, "The policy in words")
    assert main(["schema", "policy", "--out", str(tmp_path), "--json"]) == 0
    assert events(capsys) == [{"event": "file", "path": str(tmp_path / "policy.json")}]


def test_the_fields_of_one_kind_are_printed_alone(capsys):
    assert main(["schema", "policy", "--fields"]) == 0
    assert capsys.readouterr().out == fields_text(["policy"]) + "\n"
    assert fields_text(["policy"]) in fields_text() and "### product" not in fields_text(["policy"])
