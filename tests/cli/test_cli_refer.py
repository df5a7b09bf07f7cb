"""vein2vein refer, run for real for one patient."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from vein2vein.cli import main
from vein2vein.explain import print_page


def run(*args):
    """Run in this process: (exit code, stdout, stderr)."""
    with CliRunner().isolation() as (out, err, _):
        code = main.main(["refer", *(str(a) for a in args)])
        return code, out.getvalue().decode(), err.getvalue().decode()


def test_the_command_writes_the_papers(patient):
    done = subprocess.run(
        [sys.executable, "-m", "vein2vein", "refer", patient, "--out", "r", "--language", "Spanish", "--no-pdf"],
        capture_output=True, text=True, encoding="utf-8", timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"Page: {Path('r/referral.html')}\nFHIR: {Path('r/referral.fhir.json')}\n"
    assert "Borrador" in done.stderr and sorted(p.name for p in Path("r").iterdir()) == [
        "referral.fhir.json", "referral.html",
    ]  # fmt: skip
    page = Path("r/referral.html").read_text(encoding="utf-8")
    assert "Documentos que piden los centros" in page and "Records that centers ask for" in page


def test_without_a_browser_the_page_is_made_to_print_and_a_note_says_so(patient, monkeypatch):
    monkeypatch.setattr(print_page, "BROWSERS", ())
    code, out, err = run(patient, "--out", "r", "--json")
    told = [json.loads(line) for line in out.splitlines()]
    assert code == 0, err
    assert [one["event"] for one in told] == ["note", "page", "bundle"] and "no PDF" in told[0]["text"]


def test_where_no_label_fits_the_papers_are_written_and_a_note_says_so(patient):
    Path("stomach.toml").write_text('disease = "gastric_cancer"\nage = 61\nweight = 80\n', encoding="utf-8")
    code, _, err = run("stomach.toml", "--out", "r", "--no-pdf")
    assert code == 0 and "none has a use in this disease" in err
    assert "No label that vein2vein holds has a use in this disease" in Path("r/referral.html").read_text("utf-8")


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["--out", "r", "--language", "spansh"], "did you mean Spanish"),
        (["--out", "r", "--product", "kymria"], "did you mean"),
        (["--out", "r", "--product", "cd22_car"], "Without a label nothing is judged"),
        (["--out", "r", "--browser", "lynxx"], "no browser 'lynxx'"),
        ([], "where to?"),
        (["--out", "patient.toml"], "cannot be a folder"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_bad_input_is_one_sentence(patient, args, said):
    code, out, err = run(patient, *args)
    assert (code, out) == (2, "")
    assert said in err and err.count("\n") == 1
    assert not Path("r").exists()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[referral]\nnavigater = "Ana"\n', "did you mean navigator"),
        ('[referral]\nrecords = ["scan"]\n', "scans"),
        ('[referral]\nmeasured = "20.11.2026"\n', "expected year-month-day"),
        ('[referral]\ntreatments = "induction"\n', "expected a list"),
        ("[history]\nrelapse = 2\n", "did you mean relapses"),
    ],
    ids=["field", "record", "day", "no list", "history"],
)
def test_a_field_that_is_not_known_is_one_sentence(patient, text, said):
    Path("bad.toml").write_text(f'disease = "pediatric_b_all"\nage = 11\nweight = 39\n{text}', encoding="utf-8")
    code, out, err = run("bad.toml", "--out", "r", "--no-pdf")
    assert (code, out) == (2, "")
    assert "bad.toml, line" in err and said in err and err.count("\n") == 1


def test_a_child_whose_weight_is_not_known_has_papers_and_a_note_says_what_to_obtain(patient):
    Path("child.toml").write_text('disease = "pediatric_b_all"\nage = 6\n', encoding="utf-8")
    code, out, err = run("child.toml", "--out", "r", "--no-pdf")
    assert code == 0 and out.startswith("Page: ") and "weight is not given: the papers show it as to obtain" in err
    page = Path("r/referral.html").read_text(encoding="utf-8")
    assert '<th scope="row">weight</th><td><em class="lack">to obtain</em></td>' in page
    assert "performance status (Lansky)" in page and "ECOG" not in page
    resources = [one["resource"] for one in json.loads(Path("r/referral.fhir.json").read_text("utf-8"))["entry"]]
    assert [one["id"] for one in resources if one["resourceType"] == "Observation"] == ["age"]


def test_papers_that_exist_are_not_overwritten(patient):
    assert run(patient, "--out", "r", "--no-pdf", "--quiet")[0] == 0
    code, _, err = run(patient, "--out", "r", "--no-pdf")
    assert code == 2 and "--force" in err
    assert run(patient, "--out", "r", "--no-pdf", "--force")[0] == 0
