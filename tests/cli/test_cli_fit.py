"""vein2vein fit, vpc and simulate --fit: the screen, the files, resuming, exit codes, what is refused."""

import csv
import json
import signal
from pathlib import Path

import numpy as np
import pytest

from vein2vein.cli import fit as fitting
from vein2vein.cli.fit_progress import sparkline
from vein2vein.cli.main import main

SHORT = {
    "exploring = 300": "exploring = 40",
    "averaging = 200": "averaging = 30",
    "draws = 600": "draws = 100",
    "importance = 4000": "importance = 300",
}


@pytest.fixture(scope="module")
def place(tmp_path_factory, stein):
    """A folder with the study and a short fit.toml; fits of it stay there."""
    folder = tmp_path_factory.mktemp("fits")
    stein.write_csv(folder / "study.csv")
    return folder


@pytest.fixture
def run(place, monkeypatch, capsys):
    monkeypatch.chdir(place)

    def call(*args):
        code = main([str(arg) for arg in args])
        out, err = capsys.readouterr()
        return code, " ".join(out.split()), " ".join(err.split())

    if not Path("fit.toml").exists():
        assert call("fit", "study.csv", "--model", "stein_2019", "--time-unit", "d", "--init", "fit.toml")[0] == 0
        shorten("fit.toml")
    return call


def shorten(file, **more):
    text = Path(file).read_text()
    for old, new in SHORT.items():
        assert old in text
        text = text.replace(old, new)
    Path(file).write_text(text)


@pytest.fixture
def no_figures(monkeypatch):
    """Reports without figures: drawing them takes longer than these fits."""
    from vein2vein.report import fit_page

    monkeypatch.setattr(fit_page, "sections", lambda fit, found: [])


@pytest.fixture
def first(run):
    """The folder of a fit."""
    if not Path("first/manifest.json").exists():
        code, out, err = run("fit", "fit.toml", "--out", "first")
        assert code in (0, 3), err
        Path("screen.txt").write_text(f"{code}\n{out}\n{err}")
    return Path("first")


def test_a_start_file_has_the_model_s_numbers_and_says_what_each_field_means(run):
    code, out, _ = run("fit", "study.csv", "--model", "stein_2019", "--time-unit", "d", "--init", "again.toml")
    text = Path("again.toml").read_text()
    assert code == 0 and "then: vein2vein fit again.toml" in out
    for said in (
        "start = 3900.0",
        "omega = 2.4",
        "# Typical value at the start, on the natural scale",
        'time = { unit = "d" }',
        "data = 'study.csv'",
        "# SAEM iterations with full gain",
        'scale = "log"',
    ):
        assert said in text, said
    Path("inner").mkdir(exist_ok=True)
    run("fit", "study.csv", "--model", "stein_2019", "--init", "inner/fit.toml")
    assert "data = '../study.csv'" in Path("inner/fit.toml").read_text()
    assert run("fit", "study.csv", "--model", "stein_2019", "--init", "again.toml")[0] == 2


def test_the_screen_says_the_verdict_first_then_the_estimates_then_where_the_report_is(first):
    code, out, err = Path("screen.txt").read_text().split("\n")
    verdict = json.loads((first / "manifest.json").read_text())
    word = "Converged" if verdict["converged"] else "Not converged"
    assert out.startswith(word) and int(code) == (0 if verdict["converged"] else 3)
    for said in (
        "Tmax",
        "omega_Cmax",
        "a_dv",
        "95 % interval",
        "shrinkage %",
        "-2LL",
        "AIC",
        "BIC",
        "s of the processor",
        "Predictive check:",
        "NPDE:",
        "Report: first/report.html",
    ):
        assert said in out, said
    assert "below the limit" in err
    table = list(csv.DictReader((first / "table.csv").read_text().splitlines()))
    assert list(table[0])[:9] == ["ID", "TIME", "DV", "PRED", "IPRED", "IWRES", "NPDE", "CENS", "DVID"]
    for name in ("fit.toml", "population.csv", "individuals.csv", "correlation.csv", "trace.parquet", "report.html"):
        assert (first / name).is_file(), name


def test_a_fit_that_did_not_converge_keeps_its_results_and_has_its_own_code(run, monkeypatch, no_figures):
    from dataclasses import replace

    from vein2vein.inference.population import fit as module

    true = module.fit
    monkeypatch.setattr(
        module,
        "fit",
        lambda problem, **more: replace(
            true(problem, **more),
            converged=False,
            verdict=("not converged: it drifts; give more iterations", "another remark"),
        ),
    )
    code, out, _ = run("fit", "fit.toml", "--out", "bad", "--seed", "5")
    assert code == fitting.NOT_CONVERGED == 3 and out.startswith("Not converged: it drifts")
    assert "do not report them as estimates" in out and Path("bad/report.html").is_file()
    code, out, err = run("vpc", "bad", "--studies", "100")
    assert code == 0 and "warning: the fit is not converged: it drifts" in err


def test_an_interrupted_fit_goes_on_to_the_same_bits(run, first, monkeypatch, no_figures):
    from vein2vein.inference.population import saem

    true, count = saem.iterate, [0]

    def interrupted(population, state):
        true(population, state)
        count[0] += 1
        if count[0] == 25:
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(saem, "iterate", interrupted)
    code, _, err = run("fit", "fit.toml", "--out", "second", "--quiet")
    assert code == 130 and "vein2vein fit fit.toml --out second --resume" in err
    assert Path("second/state.npz").is_file() and not Path("second/manifest.json").exists()
    monkeypatch.setattr(saem, "iterate", true)
    code, _, err = run("fit", "fit.toml", "--out", "second")
    assert code == 2 and "add --resume to go on with it, or --force to begin anew" in err
    code, _out, _ = run("fit", "fit.toml", "--out", "second", "--resume", "--quiet")
    assert code in (0, 3) and not Path("second/state.npz").exists()
    assert Path("second/population.csv").read_bytes() == (first / "population.csv").read_bytes()
    assert "no interrupted fit lies in second" in run("fit", "fit.toml", "--out", "second", "--resume", "--force")[2]


def test_fits_side_by_side(run, first, no_figures):
    text = Path("fit.toml").read_text().replace("[parameters.Cmax]", '[parameters.Cmax]\ncovariates = { arm = "ARM" }')
    Path("arm.toml").write_text(text)
    assert run("fit", "arm.toml", "--out", "arm", "--quiet")[0] in (0, 3)
    code, out, _ = run("fit", "first", "arm", "--compare")
    assert code == 0 and "Likelihood-ratio tests" in out and "Cmax_arm[low]" in out and "above least" in out
    code, out, _ = run("fit", "first", "arm", "--compare", "--json")
    events = [json.loads(line) for line in out.replace("} {", "}\n{").splitlines()]
    assert [e["event"] for e in events if e["event"] != "note"] == ["fit", "fit", "ratio_test"]
    assert run("fit", "first", "first", "--compare")[0] == 2 and run("fit", "first", "--compare")[0] == 2
    assert "does nothing with --compare" in run("fit", "first", "arm", "--compare", "--seed", "3")[2]


def test_the_search_table_of_a_file_is_read(run):
    from vein2vein.cli.fit_more import search_of

    Path("search.toml").write_text(Path("fit.toml").read_text() + '\n[search]\nparameters = ["Cmax"]\nforward = 0.2\n')
    found = search_of("WT, ARM", Path("search.toml"))
    assert found.covariates == ("WT", "ARM") and found.parameters == ("Cmax",) and found.forward == 0.2
    assert search_of("all", Path("fit.toml")).covariates == () and search_of(None, Path("fit.toml")) is None


def test_covariates_profiles_and_intervals_go_into_the_report(run, first, monkeypatch, no_figures):
    from vein2vein.inference.diagnostics import profile as profiling
    from vein2vein.inference.fitted_models import covariate_search, resample
    from vein2vein.inference.population import folder

    monkeypatch.setattr(covariate_search, "FEWEST_ITERATIONS", 20)
    monkeypatch.setattr(profiling, "FEWEST_ITERATIONS", 10)
    monkeypatch.setattr(
        profiling,
        "profile",
        lambda fit, name, progress=None: profiling.Profile(
            name, np.array([0.1, 0.2]), np.array([1.0, 0.0]), np.zeros(2), 0.0, np.inf, f"omega_{name}: profiled"
        ),
    )
    monkeypatch.setattr(
        resample,
        "bootstrap",
        lambda fit, count, **more: resample.Resampled(
            "bootstrap", (resample.Interval("Tmax", 9.0, 8.0, 9.1, 10.0),), np.zeros((count, 1)), 0, float(count), ()
        ),
    )
    Path("cov.toml").write_text(Path("fit.toml").read_text() + '\n[search]\nparameters = ["Cmax"]\n')
    code, out, err = run("fit", "cov.toml", "--covariates", "ARM", "--profile", "--bootstrap", "20", "--out", "cov")
    assert code in (0, 3) and "Covariates: what was tried" in out and "Intervals by bootstrap" in out, err
    assert "covariates after the search: ARM on Cmax" in err
    page = Path("cov/report.html").read_text()
    assert "Covariates: what was tried" in page and "Intervals by bootstrap: 20 samples" in page
    assert next(iter(csv.DictReader(Path("cov/covariates.csv").read_text().splitlines())))["taken"] == "yes"
    assert Path("cov/intervals.csv").read_text().splitlines()[1] == "Tmax,9,8,9.1,10"
    assert folder.read_fit("cov").problem.parameters["Cmax"].covariates == {"ARM": "ARM"}


def test_vpc_writes_page_and_table(run, first):
    code, out, _err = run("vpc", "first", "--studies", "100", "--out", "check")
    assert (
        code == 0
        and "percentiles of dv lie outside" in out
        and "Page: check/vpc.html" in out
        and "same visits" not in out
    )
    rows = list(csv.DictReader(Path("check/vpc.csv").read_text().splitlines()))
    assert float(rows[3]["p50_drawn_low"]) <= float(rows[3]["p50_drawn_high"]) and rows[0]["corrected"] == "1"
    code, out, _ = run("vpc", "first", "--studies", "100", "--plain", "--json", "--out", "plain")
    assert code == 0 and '"event": "check"' in out
    assert "exists already" in run("vpc", "first", "--studies", "100", "--out", "check")[2]
    assert "not the folder of a fit" in run("vpc", ".")[2]


def test_simulate_from_a_fit(run, first):
    code, out, err = run(
        "simulate",
        "--fit",
        "first",
        "--dose",
        "0:1e8",
        "--until",
        "60",
        "--repeat",
        "60",
        "--draws",
        "10",
        "--out",
        "sim",
    )
    assert code == 0 and "60 new patients" in out and "Page: sim/simulation.html" in out, err
    rows = list(csv.DictReader(Path("sim/simulation.csv").read_text().splitlines()))
    assert float(rows[-1]["time"]) == 60 and float(rows[20]["p5"]) < float(rows[20]["p95"])
    code, out, _ = run("simulate", "--fit", "first", "--repeat", "20", "--draws", "0", "--json", "--out", "sim2")
    assert code == 0 and '"event": "row"' in out
    for args, said in (
        (("--fit", "first", "--dose", "a:b"), "expected TIME:AMOUNT"),
        (("--fit", "first", "--covariate", "WT"), "NAME=VALUE"),
        (("--until", "3"), "--until does nothing without --fit"),
        (("--fit", "first", "--product", "x"), "--product does nothing with --fit"),
        (("--fit", "first", "--covariate", "WT=70", "--force"), "does not use the covariate WT"),
    ):
        code, _, err = run("simulate", *args)
        assert code == 2 and said in err, err


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("study.csv",), "which model? Add --model"),
        (("study.csv", "--model", "stein_2018"), "did you mean stein_2019"),
        (("fit.toml", "--model", "stein_2019"), "--model does nothing with fit.toml, which says it"),
        (("fit.toml", "study.csv"), "found several files"),
        (("none.toml",), "none.toml"),
        (("fit.toml", "--method", "focei", "--seeds", "3", "--out", "x"), "--seeds does nothing with focei"),
    ],
)
def test_what_cannot_be_fitted_is_refused(run, args, said):
    code, _, err = run("fit", *args)
    assert code == 2 and said in err, err


def test_progress_events_carry_the_trace(run, no_figures):
    _, out, _ = run("fit", "fit.toml", "--out", "json", "--json", "--seeds", "2")
    events = [json.loads(line) for line in out.replace("} {", "}\n{").splitlines()]
    told = [e for e in events if e["event"] == "progress"]
    assert told[0]["values"]["Tmax"] > 1 and told[-1]["stage"] in ("conditional distribution", "other seeds")
    assert {e["event"] for e in events} >= {
        "verdict",
        "estimate",
        "likelihood",
        "check",
        "npde",
        "report",
        "file",
        "note",
    }


def test_a_trace_in_one_line():
    assert sparkline(np.array([0.0, 1.0, 2.0, 3.0])) == "▁▃▅█" and sparkline(np.ones(3)) == "▁▁▁"
    assert len(sparkline(np.arange(500.0))) == 48


@pytest.mark.slow
def test_the_afternoon_of_the_docs_runs_as_it_is_written(tmp_path, monkeypatch, capsys):
    """Every command of docs/fit-a-study.md, in its order, on the study that its first block makes; fewer iterations."""
    import re
    import shlex

    page = (Path(__file__).resolve().parents[2] / "docs" / "fit-a-study.md").read_text(encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    python, *_ = re.findall(r"^```python\n(.*?)^```", page, re.M | re.S)
    exec(python, {})
    lines = [line for block in re.findall(r"^```bash\n(.*?)^```", page, re.M | re.S) for line in block.splitlines()]
    assert len(lines) == 11
    for line in lines:
        words = shlex.split(line)[1:]
        code = main(["20" if word == "200" else "100" if word == "1000" else word for word in words])
        _, err = capsys.readouterr()
        assert code in (0, 3), f"{line}: {err}"
        if "--init" in words:
            shorten("fit.toml")
    tried = list(csv.DictReader(Path("arm/covariates.csv").read_text().splitlines()))
    assert ("Cmax", "ARM", "yes") in {(row["parameter"], row["covariate"], row["taken"]) for row in tried}
    assert Path("arm/simulation.html").is_file() and Path("boot/intervals.csv").is_file()


def test_every_file_of_the_folder_is_in_its_manifest_and_a_changed_one_is_found(run, first, no_figures):
    listed = json.loads((first / "manifest.json").read_text())["files"]
    assert {"report.html", "table.csv"} <= listed.keys()
    code, out, _ = run("check", "first")
    assert code == 0 and "fit (folder of a fit)" in out and "simulate --fit" in out
    assert run("vpc", "first", "--studies", "100", "--force")[0] == 0
    there = {one.name for one in first.iterdir()} - {"manifest.json", "start.toml"}
    assert there == json.loads((first / "manifest.json").read_text())["files"].keys()
    table = first / "table.csv"
    kept = table.read_bytes()
    table.write_bytes(kept + b"1,2,3\n")
    code, out, _ = run("check", "first")
    table.write_bytes(kept)
    assert code == 1 and "first/table.csv: was changed after the fit" in out


def test_a_remark_is_told_once_and_by_the_name_that_the_table_has(monkeypatch, capsys):
    from types import SimpleNamespace

    from vein2vein.cli.fit_screen import tell_fit
    from vein2vein.inference.diagnostics.identifiability import Doubt
    from vein2vein.inference.population.theta import in_words

    assert [in_words(one) for one in ("omega2_beta", "gamma2_CL", "omega_CL_V", "CL")] == [
        "omega_beta", "gamma_CL", "omega_CL_V", "CL",
    ]  # fmt: skip
    doubts = tuple(Doubt(kind, ("beta",), 0.9, f"{kind} is told") for kind in ("shrunken", "no error", "exchangeable"))
    fit = SimpleNamespace(
        verdict=("converged: yes", "said of beta"), converged=True, estimates=(), minus_two_ll=np.nan,
        problem=SimpleNamespace(model=SimpleNamespace(name="m")),
        population=SimpleNamespace(layout=SimpleNamespace(subjects=(1,), rows=(1,))),
    )  # fmt: skip
    found = SimpleNamespace(
        vpc=SimpleNamespace(panels=()), npde=SimpleNamespace(verdict="fine"),
        identifiability=SimpleNamespace(doubts=doubts),
    )  # fmt: skip
    tell_fit(fit, found)  # type: ignore[arg-type]
    out = capsys.readouterr().out
    assert "exchangeable is told" in out and "shrunken is told" not in out and "no error is told" not in out


def test_the_command_that_makes_a_profile_is_told(capsys):
    from types import SimpleNamespace

    from vein2vein.cli.fit import _tell_profile
    from vein2vein.cli.fit_more import Asked
    from vein2vein.inference.diagnostics.identifiability import Doubt

    doubts = (Doubt("shrunken", ("omega_beta",), 0.9, "few"), Doubt("tied", ("Tmax", "Cmax"), 0.99, "tied"))
    found = SimpleNamespace(identifiability=SimpleNamespace(doubts=doubts))
    _tell_profile(found, Path("a b"), Asked())  # type: ignore[arg-type]
    told = " ".join(capsys.readouterr().out.split())
    assert told == "To profile omega_beta: vein2vein fit 'a b/fit.toml' --profile --out 'a b-profiled'"
    _tell_profile(found, Path("a b"), Asked(profile=True))  # type: ignore[arg-type]
    assert not capsys.readouterr().out
