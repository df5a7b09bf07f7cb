"""vein2vein explain, run for real for one patient."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner

from vein2vein.cli import main
from vein2vein.explain.print_page import find_browser, print_pdf


def run(*args):
    """Run in this process: (exit code, stdout, stderr)."""
    with CliRunner().isolation() as (out, err, _):
        code = main.main(["explain", *(str(a) for a in args)])
        return code, out.getvalue().decode(), err.getvalue().decode()


def test_a_page_with_the_model(patient):
    code, out, err = run(
        patient, "--product", "tisagenlecleucel", "--language", "es", "--infusion-date", "2027-01-10",
        "--companions", 40,
    )  # fmt: skip
    assert code == 0, err
    assert out == "Page: patient-tisagenlecleucel-es.html\n"
    page = Path("patient-tisagenlecleucel-es.html").read_text(encoding="utf-8")
    assert "10 de enero de 2027" in page and "Nuestro modelo" in page and "40 pacientes" in page
    assert "Borrador" in err  # the status of the translation is said at the command line too


def test_a_page_without_the_model_for_machines(patient):
    code, out, err = run(
        patient, "--product", "kymriah", "--language", "Arabic", "--no-simulation", "--out", "a.html", "--json"
    )
    assert code == 0, err
    events = [json.loads(line) for line in out.splitlines()]
    assert events[-1]["event"] == "page" and events[-1]["language"] == "ar" and events[-1]["path"] == "a.html"
    assert 'dir="rtl"' in Path("a.html").read_text(encoding="utf-8")


def test_a_product_that_the_model_was_not_compared_for_has_published_rates_only(patient, monkeypatch):
    from vein2vein.journey import chart

    monkeypatch.setattr(chart, "simulate", lambda *_, **__: pytest.fail("the run started"))
    Path("adult.toml").write_text('disease = "mm"\nage = 61\nweight = 80\n', encoding="utf-8")
    code, out, err = run("adult.toml", "--product", "cilta-cel", "--out", "page.html")
    assert code == 0 and out == "Page: page.html\n" and "published rates only" in err
    assert "95 of 100" in Path("page.html").read_text(encoding="utf-8")


def test_the_same_seed_is_the_same_page(patient):
    pages = []
    for name in ("a.html", "b.html"):
        code, _, err = run(patient, "--product", "kymriah", "--companions", 30, "--out", name, "--quiet")
        assert (code, err) == (0, "")
        pages.append(Path(name).read_text(encoding="utf-8"))
    assert pages[0] == pages[1]


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["--product", "kymriah", "--language", "spansh"], "did you mean Spanish"),
        (["--product", "kymriah", "--infusion-date", "2027-02-30"], "2027-01-10"),
        (["--product", "kymria"], "did you mean"),
        ([], "which product?"),
        (["--product", "kymriah", "--companions", "5"], "20<=x"),
        (["--product", "kymriah", "--out", "missing/page.html"], "does not exist"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_bad_input_is_one_sentence(patient, args, said):
    code, out, err = run(patient, *args)
    assert (code, out) == (2, "")
    assert said in err and err.count("\n") == 1


def test_an_existing_page_is_refused_before_the_run(patient, monkeypatch):
    from vein2vein.journey import chart

    Path("page.html").write_text("mine")
    monkeypatch.setattr(chart, "simulate", lambda *_, **__: pytest.fail("the run started"))
    code, _, err = run(patient, "--product", "kymriah", "--out", "page.html")
    assert code == 2 and "--force" in err
    assert Path("page.html").read_text() == "mine"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("weight = 52\n", "age: missing"),
        ("age = 15\nweight = 700\n", "found 700 kg"),
        ('birth_date = "2012-03-04"\nweight = 52\n', "neither needed nor kept"),
        ('age = "2012-03-04"\nweight = 52\n', "neither needed nor kept"),
        ("age = 2012-03-04\nweight = 52\n", "neither needed nor kept"),
        ('age = "\\u202e15 years"\nweight = 52\n', "holds a control character"),
        (f"age = 15\nweight = 52\n# {'x' * 2_000_000}", "larger than 2 MB"),
    ],
    ids=["no age", "700 kg", "birth date", "birth date as age", "a date as age", "turned", "a large file"],
)
def test_a_bad_card_is_one_sentence(patient, text, said):
    Path("bad.toml").write_text(f'disease = "pediatric_b_all"\n{text}', encoding="utf-8")
    code, out, err = run("bad.toml", "--product", "kymriah")
    assert (code, out) == (2, "")
    assert said in err and err.count("\n") == 1 and "\u202e" not in err


def test_a_language_that_is_not_there_lists_those_that_are_once(patient):
    code, _, err = run(patient, "--product", "kymriah", "--language", "xx")
    assert code == 2 and err.count("Spanish (es)") == 1 and "did you mean" not in err


def test_a_product_that_is_not_approved_for_the_age_is_said(patient):
    Path("old.toml").write_text('disease = "pediatric_b_all"\nage = 61\nweight = 80\n', encoding="utf-8")
    code, _, err = run("old.toml", "--product", "kymriah", "--out", "page.html")
    assert code == 0 and "not listed as approved" in err and "published rates only" in err


def test_a_child_whose_weight_is_not_known_has_a_page_without_the_model(patient, monkeypatch):
    from vein2vein.journey import chart

    monkeypatch.setattr(chart, "simulate", lambda *_, **__: pytest.fail("the run started"))
    Path("child.toml").write_text('disease = "pediatric_b_all"\nage = 6\n', encoding="utf-8")
    code, out, err = run("child.toml", "--product", "kymriah", "--out", "page.html")
    page = Path("page.html").read_text(encoding="utf-8")
    assert code == 0 and out == "Page: page.html\n"
    assert "weight is not given: the page shows it as to obtain" in err and "so no model" in err
    assert "<dt>Weight in kg</dt><dd>to obtain</dd>" in page
    assert "Your child’s weight was not given." in page and "Our model" not in page and "Study of 137" in page


def test_no_sex_and_no_other_fact_is_assumed_of_a_patient(patient, monkeypatch):
    from vein2vein.journey import chart

    ran, real = [], chart.simulate

    def kept(patients, *rest, **how):
        ran.append(patients)
        return real(patients, *rest, **how)

    monkeypatch.setattr(chart, "simulate", kept)
    Path("child.toml").write_text('disease = "pediatric_b_all"\nage = 6\nweight = 20\n', encoding="utf-8")
    code, _, err = run("child.toml", "--product", "kymriah", "--companions", 20, "--out", "page.html")
    (companions,) = ran
    assert code == 0 and companions.count == 20 and set(companions.weight) == {20.0}
    assert "different from companion to companion: sex, height" in " ".join(err.split())
    assert "sex male" not in err and "sex female" not in err and "median" not in err
    assert len(set(companions.male)) == 2 and len(set(companions.height)) == 20


@pytest.mark.skipif(find_browser() is None or not shutil.which("pdfinfo"), reason="no browser of the Chromium family")
@pytest.mark.slow
@pytest.mark.parametrize("language", ["en", "ar"])
def test_a_page_with_the_model_prints_on_six_pages_of_a4(tmp_path, language):
    child = tmp_path / "child.toml"
    child.write_text('disease = "b-all"\nage = 9\nweight = 30\n', encoding="utf-8")
    code, _, err = run(
        child, "--product", "kymriah", "--language", language, "--infusion-date", "2027-01-10",
        "--companions", 300, "--out", tmp_path / "page.html",
    )  # fmt: skip
    assert code == 0, err
    assert (tmp_path / "page.html").read_text(encoding="utf-8").count('class="dots model') >= 5
    printed = tmp_path / "page.pdf"
    print_pdf(tmp_path / "page.html", printed, find_browser())
    said = subprocess.run(["pdfinfo", printed], capture_output=True, text=True, check=True).stdout
    assert int(re.search(r"Pages:\s+(\d+)", said)[1]) <= 6 and "A4" in said
