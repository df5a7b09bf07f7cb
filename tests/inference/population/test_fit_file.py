"""fit.toml: what it says, every fault by file and line, defaults written back; a file to begin with; the folder."""

import json
from dataclasses import replace

import numpy as np
import pytest

import vein2vein as v2v
from vein2vein.errors import InputError
from vein2vein.inference.population import fit_file
from vein2vein.inference.population.fit import fit
from vein2vein.inference.population.fit_file import begin, problem_text, read_fit_file
from vein2vein.inference.population.folder import MANIFEST, read_fit, write_fit

WHOLE = """\
[fit]
model = "one_compartment_oral"
data = "study.csv"
method = "saem"
seed = 7

[data]
time = { unit = "h" }
endpoint.cp = { cmt = 2, unit = "mg/L" }

[parameters.ka]
fixed = 1.5
omega = 0.6
[parameters.CL]
start = 2.0
omega = 0.6
covariates = { size = "log(WT/70)" }
coefficients = { size = 0.75 }
fixed_coefficients = ["size"]
[parameters.V]
start = 10
law = "logitnormal"
high = 100
omega = 0.4

[omega]
blocks = [["CL", "V"]]

[endpoints.cp]
error = "combined1"
start = { a = 0.5, b = 0.1 }
lloq = 0.1

[settings]
exploring = 30
averaging = 20
draws = 100
importance = 200
"""


@pytest.fixture
def folder(tmp_path):
    """A fit.toml beside its study."""
    rng = np.random.default_rng(2)
    lines = ["ID,TIME,AMT,DV,EVID,CMT,WT"]
    for i in range(6):
        weight, cl, v = (
            50 + 10 * i,
            2.0 * np.exp(0.3 * rng.standard_normal()),
            12.0 * np.exp(0.2 * rng.standard_normal()),
        )
        lines.append(f"{i + 1},0,100,.,1,1,{weight}")
        for t in (0.5, 1.0, 2.0, 4.0, 8.0):
            y = 100 / v * 1.5 / (1.5 - cl / v) * (np.exp(-cl / v * t) - np.exp(-1.5 * t)) + 0.1 * rng.standard_normal()
            lines.append(f"{i + 1},{t},.,{y:.4f},0,2,{weight}")
    (tmp_path / "study.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (tmp_path / "fit.toml").write_text(WHOLE, encoding="utf-8")
    return tmp_path


def test_a_whole_file_is_read(folder):
    p = read_fit_file(folder / "fit.toml")
    assert (p.model.name, p.method, p.seed, p.study.time_unit) == ("one_compartment_oral", "saem", 7, "h")
    assert p.parameters["ka"].fixed and p.parameters["ka"].start == 1.5 and p.parameters["ka"].omega == 0.6
    assert p.parameters["CL"].covariates == {"size": "log(WT/70)"} and p.parameters["CL"].coefficients == {"size": 0.75}
    assert p.parameters["V"].law == "logitnormal" and p.parameters["V"].high == 100
    assert p.omega.blocks == (("CL", "V"),) and p.endpoints["cp"].lloq == 0.1 and p.settings.averaging == 20
    assert p.study.endpoints[0].unit == "mg/L" and len(p.study.subjects) == 6


def test_what_is_written_reads_back(folder):
    p = read_fit_file(folder / "fit.toml")
    text = problem_text(p, data="study.csv")
    assert 'solver = "auto"' in text and 'law = "lognormal"' in text and "high = 1.0" not in text
    (folder / "again.toml").write_text(text, encoding="utf-8")
    again = read_fit_file(folder / "again.toml")
    for name in ("parameters", "endpoints", "omega", "doses", "settings", "method", "seed", "columns", "references"):
        assert getattr(again, name) == getattr(p, name), name


def changed(folder, old, new):
    text = (folder / "fit.toml").read_text(encoding="utf-8")
    assert old in text
    (folder / "fit.toml").write_text(text.replace(old, new), encoding="utf-8")
    return text.replace(old, new)


@pytest.mark.parametrize(
    ("old", "new", "said", "at"),
    [
        ("[omega]", "[omegas]", "unknown table 'omegas'; did you mean omega", "[omegas]"),
        ('method = "saem"', 'method = "sae"', "unknown method 'sae'; did you mean saem", "method"),
        ('model = "one', 'model = "two_one', "unknown model", "model"),
        ('data = "study.csv"', 'data = "studies.csv"', "there is no file 'studies.csv'", "data"),
        (
            "[parameters.CL]\nstart = 2.0",
            "[parameters.CL]\nstart = -2.0",
            "found -2, expected a number above 0",
            "start = -2",
        ),
        ("[parameters.CL]\nstart", "[parameters.CL]\nbegin", "unknown field 'begin'", "begin"),
        (
            "[parameters.V]",
            "[parameters.VC]",
            "never uses it: unknown parameter 'VC'; did you mean V",
            "[parameters.VC]",
        ),
        ("high = 100", "high = 9", "found 10, expected a number between 0 and 9, its bounds", "start = 10"),
        ("fixed = 1.5", "fixed = 1.5\nstart = 2", "found a start of 2 beside fixed = 1.5", "fixed"),
        ("log(WT/70)", "log(AGE/70)", "unknown covariate 'AGE'", "covariates"),
        ("log(WT/70)", "sin(WT)", "unknown function 'sin'", "covariates"),
        ('[["CL", "V"]]', '[["CL", "Q"]]', "unknown parameter 'Q'", "blocks"),
        ("[endpoints.cp]", "[endpoints.cq]\noutput = 'x'\n[endpoints.pca]", "unknown endpoint 'cq'", "[endpoints.cq]"),
        ('error = "combined1"', 'error = "combined"', "unknown error 'combined'", "error"),
        ("lloq = 0.1", "lloq = 'low'", "lloq", "lloq"),
        ("exploring = 30", "exploring = 3", "found 3", "exploring"),
        ("exploring = 30", "explore = 30", "unknown field 'explore'; did you mean exploring", "explore"),
        ("start = { a = 0.5, b = 0.1 }", "start = { c = 0.5 }", "unknown", "start = { c"),
        ('time = { unit = "h" }', 'time = { units = "h" }', "unknown field 'units'", "time"),
    ],
)
def test_every_fault_has_its_file_line_and_remedy(folder, old, new, said, at):
    text = changed(folder, old, new)
    with pytest.raises(InputError) as told:
        read_fit_file(folder / "fit.toml")
    assert said in str(told.value)
    line = next(i for i, one in enumerate(text.splitlines(), 1) if at in one)
    assert told.value.line == line and told.value.file == str(folder / "fit.toml")


def test_data_with_findings_and_a_model_file_with_faults_keep_their_own_places(folder):
    study = (folder / "study.csv").read_text(encoding="utf-8")
    (folder / "study.csv").write_text(study.replace("1,0,100,.,1,1,50", "1,0,-100,.,1,1,50"), encoding="utf-8")
    with pytest.raises(InputError, match=r"study.csv, line 2"):
        read_fit_file(folder / "fit.toml")
    (folder / "study.csv").write_text(study, encoding="utf-8")
    (folder / "mine.py").write_text("x = 1 +\n", encoding="utf-8")
    changed(folder, '"one_compartment_oral"', '"mine.py"')
    with pytest.raises(InputError, match=r"mine.py, line 1: this is no Python"):
        read_fit_file(folder / "fit.toml")


def test_one_endpoint_need_not_be_named_and_full_is_a_word(folder):
    text = WHOLE.replace('[omega]\nblocks = [["CL", "V"]]', '[omega]\nblocks = "full"')
    head, rest = text.split("[endpoints.cp]")
    (folder / "fit.toml").write_text(head + "[settings]" + rest.split("[settings]")[1], encoding="utf-8")
    p = read_fit_file(folder / "fit.toml")
    assert p.omega.full and not p.omega.blocks and list(p.endpoints) == ["cp"]


OWN = """
from vein2vein.models.model import Input, Model, State

MODEL = Model(
    name="mine", title="One compartment", source="a textbook", states=[State("A", "amount", "mg", low=0.0, scale=1e-3)],
    inputs=[Input("tablet", "by mouth", "mg")], parameters=["CL", "V"],
    equations=lambda t, x, p, u: {"A": -p.CL / p.V * x.A}, initial=lambda p: {},
    apply_dose=lambda name, amount, x, p: {"A": x.A + amount}, observables=lambda t, x, p, u: {"C": x.A / p.V},
    example={"CL": 2.0, "V": 10.0}, time_unit="h",
)
"""


def test_a_file_to_begin_with(folder, monkeypatch):
    monkeypatch.chdir(folder)
    text = begin("study.csv", "one_compartment_oral")
    (folder / "begun.toml").write_text(text, encoding="utf-8")
    p = read_fit_file(folder / "begun.toml")
    assert p.parameters["CL"].start == 48.0 and p.parameters["CL"].omega == 0.3 and list(p.endpoints) == ["dv"]
    (folder / "study.columns.toml").write_text('time = { unit = "h" }\n', encoding="utf-8")
    text = begin("study.csv", "one_compartment_oral")
    (folder / "begun.toml").write_text(text, encoding="utf-8")
    assert read_fit_file(folder / "begun.toml").parameters["CL"].start == 2.0  # per hour, as the study's times
    stein = begin("study.csv", "stein_2019")
    assert "[parameters.Ftoci]\nstart = 1.2" in stein and stein.count("fixed = true") == 2 and "start = 3900" in stein
    (folder / "mine.py").write_text(OWN, encoding="utf-8")
    assert "[parameters.V]\nstart = 10.0" in begin("study.csv", "mine.py")
    assert fit_file._proposed(read_fit_file(folder / "fit.toml").study, 0).error == "combined2"


def test_the_folder_of_a_fit_gives_it_back_to_the_bit(folder):
    found = fit(folder / "fit.toml")
    out = write_fit(found, folder / "out")
    again = read_fit(out)
    for name in ("beta", "omega", "sigma", "covariance", "effects", "effects_mode", "trace", "pareto_k"):
        assert np.array_equal(getattr(again, name), getattr(found, name), equal_nan=True), name
    assert (
        again.verdict == found.verdict and again.notes == found.notes and str(again.estimates) == str(found.estimates)
    )
    assert again.minus_two_ll == found.minus_two_ll and again.theta_names == found.theta_names
    assert (
        again.omega_occasion is None and again.provenance == found.provenance and again.acceptance == found.acceptance
    )
    assert np.array_equal(again.predict().individual, found.predict().individual)
    table = (out / "predictions.csv").read_text(encoding="utf-8").splitlines()
    assert table[0] == "ID,TIME,DV,CENS,DVID,PRED,IPRED,IWRES,LINE,ENDPOINT" and len(table) == 31
    assert table[1].startswith("1,0.5,") and table[1].endswith(",3,cp")
    trace = v2v.read_fit(out).trace
    from vein2vein.runs.store import read_parquet

    columns = read_parquet([out / "trace.parquet"])
    assert np.array_equal(columns["CL"], trace[:, found.trace_names.index("CL")]) and set(columns["seed"]) == {7}
    draws = read_parquet([out / "draws.parquet"])
    assert len(draws["CL"]) == 6 * len(found.effects) and draws["CL"][0] == np.exp(found.phi[0, 0, 1])
    assert read_parquet([out / "data.parquet"])["value"].shape == (30,)
    told = json.loads((out / MANIFEST).read_text(encoding="utf-8"))
    assert told["verdict"] == list(found.verdict) and told["provenance"]["study sha256"] == found.problem.study.digest
    with pytest.raises(InputError, match="exists already and is not overwritten"):
        write_fit(found, out)
    write_fit(found, out, force=True)


def test_a_model_of_ones_own_goes_into_the_folder(folder, monkeypatch):
    (folder / "mine.py").write_text(OWN, encoding="utf-8")
    head = WHOLE.replace('"one_compartment_oral"', '"mine.py"').replace(
        "[parameters.ka]\nfixed = 1.5\nomega = 0.6\n", ""
    )
    (folder / "fit.toml").write_text(
        head.replace('error = "combined1"', 'output = "C"\nerror = "combined1"'), encoding="utf-8"
    )
    found = fit(folder / "fit.toml")
    out = write_fit(found, folder / "out")
    (folder / "mine.py").unlink()
    again = read_fit(out)
    assert (out / "model.py").read_text(encoding="utf-8") == OWN
    assert np.array_equal(again.predict().population, found.predict().population)


def test_a_folder_that_is_none_or_was_changed_is_refused(folder):
    with pytest.raises(InputError, match=f"no {MANIFEST} here: not the folder of a fit"):
        read_fit(folder)
    out = write_fit(fit(folder / "fit.toml"), folder / "out")
    text = (out / "fit.toml").read_text(encoding="utf-8")
    (out / "fit.toml").write_text(text + "\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"fit.toml: is missing, or was changed after the fit"):
        read_fit(out)
    (out / MANIFEST).write_text("{}", encoding="utf-8")
    with pytest.raises(InputError, match="is not the manifest of a fit"):
        read_fit(out)
    told = {"files": {}, "format": 99}
    (out / MANIFEST).write_text(json.dumps(told), encoding="utf-8")
    with pytest.raises(InputError, match="is of format 99, expected 1"):
        read_fit(out)


def test_a_covariate_in_time_goes_through_the_folder(make, tmp_path):
    from vein2vein.inference.population.problem import EndpointModel, FitProblem
    from vein2vein.io.study.study import Covariate

    changing = Covariate("WT", None, (), tuple((np.array([0.0, 1.5]), np.array([1.0 + i, 2.0])) for i in range(4)))
    words = make.constant("SEX", [0, 1, 1, 0], ("f", "m"))
    seen = make.study(np.repeat(np.arange(4), 3), np.tile([0.5, 1.0, 2.0], 4), np.linspace(3, 1, 12),
                      covariates=[changing, words])  # fmt: skip
    model = v2v.find_model("one_compartment_iv")
    cl = make.lognormal(0.5, 0.3, covariates={"w": "WT", "s": "SEX"})
    problem = FitProblem(model, seen, {"CL": cl, "V": make.lognormal(0.4, 0.2)}, {"y": EndpointModel()},
                         settings=replace(make.short, exploring=10, averaging=10))  # fmt: skip
    found = fit(problem)
    again = read_fit(write_fit(found, tmp_path / "out"))
    assert np.array_equal(again.predict().population, found.predict().population)
    assert again.problem.study.covariates["SEX"].categories == ("f", "m")


def test_the_file_of_the_docs_is_one(tmp_path):
    """The example of docs/population-fits.md is read as it stands there."""
    import re
    from pathlib import Path

    page = Path(__file__).resolve().parents[3] / "docs" / "population-fits.md"
    if not page.is_file():
        pytest.skip("the docs are not part of an installed package")
    (text,) = re.findall(r"^```toml\n(.*?)^```", page.read_text(encoding="utf-8"), re.M | re.S)
    rows = ["ID,TIME,AMT,DV,EVID,DVID,OCC,TUMOR,SITE"]
    for i in range(4):
        rows.append(f"{i + 1},0,1e8,.,1,1,1,{10 + i},{'ab'[i % 2]}")
        rows += [f"{i + 1},{t},.,{40 + 100 * t},0,1,{1 + (t > 20)},{10 + i},{'ab'[i % 2]}" for t in (1, 7, 14, 28, 90)]
    (tmp_path / "study.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    (tmp_path / "fit.toml").write_text(text, encoding="utf-8")
    problem = read_fit_file(tmp_path / "fit.toml")
    assert problem.settings.seeds == 3 and problem.parameters["Ftoci"].fixed and problem.omega.occasion is not None
    from vein2vein.inference.population.population import populate

    found = populate(problem)
    assert found.layout.occasions == 2 and "Cmax_site[b]" in [c.name for c in found.coefficients]
    assert problem.study.endpoints[0].unit == "copies/ug" and found.layout.outputs == ("transgene",)
