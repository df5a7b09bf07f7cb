"""A fit as its user meets it: progress, checkpoints to the same bits, seeds, the verdict in words, the table."""

import multiprocessing
import os
import signal
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import matplotlib
import numpy as np
import pytest

import vein2vein as v2v
from vein2vein.errors import InputError
from vein2vein.inference.population import convergence, kept, saem, seeds
from vein2vein.inference.population.convergence import Remarks
from vein2vein.inference.population.estimates import QUANTILE
from vein2vein.inference.population.fit import fit
from vein2vein.inference.population.population import populate
from vein2vein.inference.population.predictions import simulated
from vein2vein.inference.population.problem import EndpointModel, FitParameter, FitProblem, Omega, Settings


def small(make, n=8, **more):
    """One compartment by mouth, eight made-up subjects, a limit."""
    rng = np.random.default_rng(3)
    time = np.array([0.25, 0.5, 1.0, 2.0, 4.0, 8.0])
    ka, cl, v = 2.0 * np.exp(0.3 * rng.standard_normal(n)), np.exp(0.3 * rng.standard_normal(n)), 5.0 * np.ones(n)
    k = (cl / v)[:, None]
    y = 100 / v[:, None] * ka[:, None] / (ka[:, None] - k) * (np.exp(-k * time) - np.exp(-ka[:, None] * time))
    y *= np.exp(0.1 * rng.standard_normal(y.shape))
    seen = make.study(np.repeat(np.arange(n), 6), np.tile(time, n), y.ravel(), unit="h", endpoints=("cp",),
                      doses=[(i, 0.0, 100.0) for i in range(n)])  # fmt: skip
    start = {"ka": make.lognormal(1.0, 0.6), "CL": make.lognormal(2.0, 0.6), "V": make.lognormal(8.0)}
    start["V"] = FitParameter(8.0)
    given = {
        "settings": make.short,
        "parameters": start,
        "endpoints": {"cp": EndpointModel(error="proportional", lloq=4.0)},
    }
    return FitProblem(v2v.find_model("one_compartment_oral"), seen, **{**given, **more})


def same(one, other):
    for name in ("beta", "omega", "sigma", "covariance", "effects", "effects_mode", "trace", "pareto_k"):
        assert np.array_equal(getattr(one, name), getattr(other, name), equal_nan=True), name
    assert one.minus_two_ll == other.minus_two_ll and one.verdict == other.verdict
    assert str(one.estimates) == str(other.estimates)


def test_the_same_seed_gives_the_same_bits_and_another_others(make):
    problem = small(make)
    one, two, other = fit(problem), fit(problem), fit(replace(problem, seed=2))
    same(one, two)
    assert not np.array_equal(one.trace, other.trace)
    assert one.trace.shape == (50, len(one.trace_names)) and one.burn_in == 30
    assert one.trace_names == ("ka", "CL", "V", "omega_ka", "omega_CL", "b_cp")


def test_progress_is_told_with_the_trace(make):
    told = []
    found = fit(small(make), progress=told.append)
    first = [s for s in told if s.stage in ("exploring", "averaging")]
    assert [s.iteration for s in first] == list(range(1, 51)) and first[-1].fraction == 1.0
    assert first[29].stage == "exploring" and first[30].stage == "averaging" and "30 of 50" in first[29].text
    assert np.array_equal(first[-1].values, found.trace[-1]) and first[0].names == found.trace_names
    assert told[-1].stage == "conditional distribution" and told[-1].fraction == 1.0
    steps = []
    fit(small(make, method="focei"), progress=steps.append)
    assert steps[0].stage == "minimizing" and steps[0].names[-1] == "objective" and "objective" in steps[0].text


@pytest.fixture
def interruptible():
    """A process that is begun in the background ignores interruptions; this one takes them."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize("stop", [7, 43])
def test_an_interrupted_fit_goes_on_to_the_same_bits(make, tmp_path, stop, interruptible):
    problem, path = small(make), tmp_path / "fit.kept"
    whole = fit(problem)

    def interrupt(step):
        if step.iteration == stop and step.stage != "conditional distribution":
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        fit(problem, keep=path, progress=interrupt)
    assert path.is_file() and signal.getsignal(signal.SIGINT) is signal.default_int_handler
    seen = []
    again = fit(problem, keep=path, progress=seen.append)
    assert seen[0].iteration == stop + 1
    same(whole, again)
    assert again.evaluations == whole.evaluations
    assert not path.exists()


def test_an_interrupted_search_goes_on_to_the_same_bits(make, tmp_path):
    problem, path = small(make, method="focei"), tmp_path / "fit.kept"
    whole = fit(problem)

    def interrupt(step):
        if step.iteration == 4 and step.stage == "minimizing":
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        fit(problem, keep=path, progress=interrupt)
    again = fit(problem, keep=path)
    same(whole, again)
    assert again.evaluations == whole.evaluations  # of both goes: nothing was computed twice


def test_the_time_of_both_goes_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr(kept.time, "process_time", lambda: 100.0)
    for began, spent in ((70.0, 0.0), (80.0, 30.0), (99.0, 50.0)):
        keeper = kept.Keeper(tmp_path / "fit.kept", "of", _began=began)
        keeper.found()
        assert keeper.spent == spent
        keeper.keep("saem", {}, {}, now=True)


def test_what_is_kept_every_half_minute(make, tmp_path, monkeypatch):
    monkeypatch.setattr(kept, "EVERY", 0.0)
    problem, path = small(make), tmp_path / "fit.kept"
    keeper = kept.Keeper(path, kept.digest(problem), every=0.0)
    population = populate(problem)
    state = saem.begin(population, 1)
    for _ in range(3):
        saem.iterate(population, state)
    assert keeper.due() and keeper.keep("saem", *kept.packed(state))
    stage, arrays, numbers = keeper.found()
    again = kept.unpacked(arrays, numbers)
    assert stage == "saem" and again.iteration == 3
    for one in (state, again):
        saem.iterate(population, one)
    assert np.array_equal(state.trace[-1], again.trace[-1]) and np.array_equal(
        state.chains.effects, again.chains.effects
    )
    later = kept.Keeper(path, kept.digest(problem))
    assert not later.due() and not later.keep("saem", *kept.packed(state))


def test_another_problem_does_not_go_on_from_it(make, tmp_path):
    problem, path = small(make), tmp_path / "fit.kept"
    keeper = kept.Keeper(path, kept.digest(problem))
    keeper.keep("saem", *kept.packed(saem.begin(populate(problem), 1)), now=True)
    others = [
        replace(problem, seed=2),
        replace(problem, settings=replace(problem.settings, averaging=21)),
        replace(problem, parameters={**problem.parameters, "V": FitParameter(8.5)}),
        replace(problem, endpoints={"cp": EndpointModel(error="proportional", lloq=4.1)}),
        replace(problem, study=replace(problem.study, observations=replace(
            problem.study.observations, value=problem.study.observations.value + 1e-9))),
        replace(problem, model=replace(problem.model, apply_dose=lambda name, amount, x, p: {"depot": 2 * amount})),
        replace(problem, omega=Omega(full=True)),
    ]  # fmt: skip
    digests = {kept.digest(one) for one in [problem, *others]}
    assert len(digests) == len(others) + 1
    for one in others[:2]:
        with pytest.raises(InputError, match=r"fit.kept: the fit that was kept here is of another model, other data"):
            fit(one, keep=path)
    path.write_bytes(b"nothing")
    with pytest.raises(InputError, match=r"fit.kept: this is no kept state of a fit"):
        fit(problem, keep=path)


def test_seeds_are_held_against_each_other(make):
    problem = small(make, settings=replace(make.short, seeds=3, copies=2))
    told = []
    found = fit(problem, progress=told.append)
    assert len(found.other_traces) == 2 and [s.text for s in told if s.stage == "other seeds"] == [
        "seed 2 of 3 done", "seed 3 of 3 done"
    ]  # fmt: skip
    assert np.array_equal(
        found.other_traces[0], fit(replace(problem, seed=2, settings=replace(problem.settings, seeds=1))).trace
    )
    assert seeds.name_of(problem) == "one_compartment_oral"
    own = replace(problem, model=replace(problem.model, title="another"))
    assert seeds.name_of(own) == "" and seeds.name_of(replace(own, model_name="x/own.py")) == str(
        Path("x/own.py").resolve()
    )
    others = seeds.Others(populate(own), jobs=2)
    assert len(others.traces(lambda done: None)) == 2 and "another process cannot find this model" in others.notes[0]
    others.stop()


@pytest.mark.slow
def test_seeds_in_other_processes_give_the_same(make):
    problem = small(make, settings=replace(make.short, seeds=3))
    one, two = fit(problem), fit(problem, jobs=2)
    assert all(np.array_equal(a, b) for a, b in zip(one.other_traces, two.other_traces, strict=True))
    same(one, two)


@pytest.mark.slow
def test_an_interruption_ends_the_other_processes(make):
    problem = small(make, settings=replace(make.short, seeds=3, exploring=5000))
    before = set(multiprocessing.active_children())

    def interrupt(step):
        if step.iteration == 3:
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        fit(problem, jobs=3, progress=interrupt)
    assert set(multiprocessing.active_children()) <= before


def test_the_table_of_estimates(make):
    problem = small(make)
    found = fit(replace(problem, omega=Omega(blocks=(("ka", "CL"),))))
    names = [e.name for e in found.estimates]
    assert names == ["ka", "CL", "V", "omega_ka", "omega_CL", "corr_ka_CL", "b_cp"]
    ka, place = found.estimate("ka"), found.theta_names.index("ka")
    se = np.sqrt(found.covariance[place, place])
    assert ka.estimate == pytest.approx(np.exp(found.beta[0])) and ka.se == pytest.approx(ka.estimate * se)
    assert (ka.low, ka.high) == pytest.approx(tuple(np.exp(found.beta[0] + s * QUANTILE * se) for s in (-1, 1)))
    assert ka.rse == pytest.approx(100 * se) and ka.unit == "1/h" and ka.kind == "typical"
    sd, place = found.estimate("omega_CL"), found.theta_names.index("omega2_CL")
    assert sd.estimate == pytest.approx(np.sqrt(found.omega[1, 1]))
    assert sd.se == pytest.approx(np.sqrt(found.covariance[place, place]) / (2 * sd.estimate))
    assert sd.shrinkage == pytest.approx(1 - found.eta_mean[:, 1].var() / found.omega[1, 1]) and sd.note.startswith(
        "CV "
    )
    assert found.estimate("V").note == "equal in all patients: no random effect"
    assert found.estimate("corr_ka_CL").low < found.estimate("corr_ka_CL").estimate < found.estimate("corr_ka_CL").high
    assert found.estimate("b_cp").kind == "residual" and found.estimate("b_cp").parameter == "cp"
    with pytest.raises(InputError, match="unknown estimate 'kA'; did you mean ka"):
        found.estimate("kA")
    assert any(note.startswith("cp: ") and "below the lower limit of 4" in note for note in found.notes)


def test_what_is_held_stays_and_has_no_error(make):
    problem = small(make)
    held = {"ka": FitParameter(2.0, fixed=True, omega=0.3, omega_fixed=True), "V": FitParameter(5.0, fixed=True)}
    found = fit(replace(problem, parameters={**problem.parameters, **held},
                        endpoints={"cp": EndpointModel(start={"a": 1.0}, fixed=True)}))  # fmt: skip
    assert found.estimate("ka").estimate == pytest.approx(2.0) and found.estimate("V").estimate == pytest.approx(5.0)
    assert found.omega[0, 0] == pytest.approx(0.09) and found.sigma[0, 0] == 1.0
    assert found.theta_names == ("CL", "omega2_CL")
    for name in ("ka", "V", "omega_ka", "a_cp"):
        one = found.estimate(name)
        assert one.fixed and np.isnan(one.se) and one.note == "held"


def test_predictions_and_residuals(make):
    problem = small(make)
    found = fit(problem)
    seen = found.predict()
    assert np.array_equal(seen.row, np.arange(48)) and seen.endpoints == ("cp",)
    k, censored = problem.study.observations, seen.censored == 1
    assert np.array_equal(censored, k.value < 4.0) and np.isnan(seen.iwres[censored]).all()
    b = found.sigma[0, 1]
    expected = (k.value - seen.individual) / (b * seen.individual)
    assert seen.iwres[~censored] == pytest.approx(expected[~censored])
    ka, cl, v = np.exp(found.beta)
    curve = 100 / v * ka / (ka - cl / v) * (np.exp(-cl / v * k.time) - np.exp(-ka * k.time))
    assert seen.population == pytest.approx(curve)
    assert not np.array_equal(found.predict(individual="mean").individual, seen.individual)
    f, y = simulated(found.population, found.point, np.random.default_rng(1), 400)
    assert f.shape == y.shape == (400, 48) and (y / f - 1).std() == pytest.approx(b, rel=0.05)
    assert np.log(f[:, 2]).std() > 0.05
    with pytest.raises(InputError, match="unknown individual 'median'"):
        found.predict(individual="median")


def test_both_tables_name_an_endpoint_as_the_study_does(drawn_from):
    from vein2vein.inference.diagnostics.diagnosis import diagnose, prediction_table
    from vein2vein.inference.population.folder import prediction_rows

    rows = prediction_rows(drawn_from, drawn_from.predict())
    table = prediction_table(drawn_from, diagnose(drawn_from, count=60))
    for name, said in (("DVID", "1"), ("ENDPOINT", "cp")):
        assert [row[name] for row in rows] == table[name].tolist() == [said] * 48


@pytest.mark.parametrize(
    ("column", "codes", "told"),
    [
        ("DVID", ("cells", "B cells"), {"cells": "cells", "B cells": "B cells"}),
        ("YTYPE", ("1", "2.0"), {"dvid_1": "1", "dvid_2": "2"}),
        ("CMT", ("2", "3"), {"cmt_2": "2", "cmt_3": "3"}),
        ("NOTE", ("x", "y"), {"mine": "mine"}),
    ],
)
def test_the_codes_of_endpoints_are_those_of_the_study(make, tmp_path, column, codes, told):
    rows = [f"ID,TIME,AMT,DV,EVID,{column}", f"1,0,5,.,1,{'1' if column == 'CMT' else '.'}"]
    rows += [f"1,{t},.,{t + 1},0,{code}" for t, code in enumerate(codes, start=1)]
    (tmp_path / "s.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    problem = FitProblem(make.line_model(), v2v.read_study(tmp_path / "s.csv"), {"base": make.normal(1.0, 1.0),
                         "slope": make.normal(1.0)}, {name: EndpointModel(output="y") for name in told})  # fmt: skip
    assert dict(problem.codes) == told


class _Arviz(SimpleNamespace):
    """Stands for a library of ArviZ: tells with what its ``from_dict`` was called."""

    def from_dict(self, *given, **named):
        return self.__name__, given, named


@pytest.fixture(scope="module")
def drawn_from(make):
    return fit(small(make, settings=replace(make.short, copies=12, draws=240)))


def test_draws_go_to_the_arviz_that_is_installed_chain_by_chain(drawn_from, monkeypatch):
    found = drawn_from
    old, new = _Arviz(__name__="arviz", __version__="0.23.4"), _Arviz(__name__="arviz", __version__="1.1.0")
    base = _Arviz(__name__="arviz_base")
    by_chain = np.exp(found.phi[..., 1]).reshape(20, 12, 8).swapaxes(0, 1)  # 20 sweeps of 12 chains
    own = {"coords": {"subject": [f"s{i}" for i in range(8)]}, "dims": {n: ["subject"] for n in ("ka", "CL", "V")}}
    monkeypatch.setitem(sys.modules, "arviz_base", base)
    monkeypatch.setitem(sys.modules, "arviz", old)
    library, given, named = found.draws()
    assert library == "arviz" and not given and np.array_equal(named.pop("posterior")["CL"], by_chain) and named == own
    for whole in (new, None):
        monkeypatch.setitem(sys.modules, "arviz", whole)
        library, given, named = found.draws()
        assert library == "arviz_base" and np.array_equal(given[0]["posterior"]["CL"], by_chain) and named == own


def test_draws_without_arviz_are_refused_with_the_reason_and_a_fit_is_written_all_the_same(
    drawn_from, monkeypatch, tmp_path
):  # fmt: skip
    found = drawn_from
    assert found.phi.shape == (240, 8, 3)
    assert found.phi.mean(axis=0)[:, 1] == pytest.approx(found.beta[1] + found.eta_mean[:, 1])
    for name in ("arviz", "arviz_base"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(InputError, match=r"neither is installed\); pip install arviz"):
        found.draws()
    monkeypatch.delitem(sys.modules, "arviz")
    (tmp_path / "arviz.py").write_text("raise AttributeError('matplotlib is too new')\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(InputError, match="arviz cannot be loaded: matplotlib is too new"):
        found.draws()
    assert (v2v.write_fit(found, tmp_path / "run") / "draws.parquet").is_file()


@pytest.mark.filterwarnings("ignore")  # ArviZ and matplotlib about each other
def test_arviz_itself_takes_the_draws(drawn_from):
    arviz = pytest.importorskip("arviz", reason="ArviZ is not installed: pip install 'vein2vein[interop]'")
    matplotlib.use("Agg")
    drawn = drawn_from.draws()
    table, size = arviz.summary(drawn, var_names=["CL"]), arviz.ess(drawn, var_names=["CL"])
    assert list(table["mean"].astype(float)) == pytest.approx(np.exp(drawn_from.phi[..., 1]).mean(axis=0), rel=0.01)
    size = size if hasattr(size, "data_vars") else size["posterior"]
    assert size["CL"].shape == (8,) and float(size["CL"].max()) < 500  # of 240
    arviz.plot_trace(drawn, var_names=["CL"])


def test_a_spread_that_is_none_comes_out_at_zero_and_is_said(make):
    rng = np.random.default_rng(1)
    y = 5.0 + 0.5 * rng.standard_normal((6, 8))
    y += 5.0 - y.mean(axis=1, keepdims=True)  # subjects are more alike than by chance
    seen = make.study(np.repeat(np.arange(6), 8), np.tile(np.arange(8.0), 6), y.ravel())
    start = {"base": make.normal(4.0, 0.5), "slope": make.normal(0.0, fixed=True)}
    long = Settings(exploring=400, averaging=20, draws=100, importance=200)
    found = fit(FitProblem(make.line_model(), seen, start, {"y": EndpointModel()}, settings=long))
    assert found.estimate("omega_base").estimate < 0.02
    assert found.estimate("base").estimate == pytest.approx(5.0, abs=0.1) and np.isfinite(found.minus_two_ll)


# The verdict


def test_trends_are_seen_and_noise_is_not():
    rng = np.random.default_rng(1)
    noise = np.zeros((150, 3))
    for i in range(1, 150):
        noise[i] = 0.8 * noise[i - 1] + 0.1 * rng.standard_normal(3)
    noise[:, 1] += np.linspace(0, 3, 150)
    names, errors = ("a", "b", "c"), {"a": 0.2, "b": 0.2, "c": 0.2}
    assert convergence.drifting(noise, noise[-1], names, errors) == ["b"]
    assert convergence.drifting(noise, noise.mean(axis=0), names, errors) == []  # it came back: no trend
    assert convergence.drifting(noise, noise[-1], names, {"a": 0.2, "b": 9.0, "c": 0.2}) == []
    assert convergence.drifting(noise[:3], noise[-1], names, errors) == []
    assert convergence.unsettled(np.linspace([0, 0, 0], [0.1, 0.5, 0.1], 100), names, errors) == ["b"]


def test_seeds_that_disagree_are_named_with_how_much():
    ends = np.array([[0.0, 1.0], [0.05, 1.3], [-0.05, 0.7]])
    assert convergence.seeds_apart(ends, ("a", "b"), {"a": 1.0, "b": 1.0}) == [("b", pytest.approx(0.3))]
    assert convergence.seeds_apart(ends, ("a", "b"), {}) == []


def test_not_converged_comes_first():
    told = Remarks(["it moved; do this."], ["look at that."])
    assert told.verdict("fine") == ("not converged: it moved; do this.", "look at that.")
    assert Remarks([], ["look at that."]).verdict("fine") == ("converged: fine", "look at that.")


def test_the_verdict_names_what_the_data_cannot_tell(make):
    problem = small(make, n=3)
    population = populate(replace(problem, omega=Omega(full=True)))
    from vein2vein.inference.population.theta import Point, theta_of

    point = Point(population.beta, np.array([[1.0, 0.999], [0.999, 1.0]]), np.zeros(0), np.array([[0.0, 1.5]]))
    theta = theta_of(population, point)
    covariance = np.eye(len(theta))
    covariance[0, 1] = covariance[1, 0] = 0.99
    remarks = Remarks()
    convergence.of_population(remarks, population, point, theta, covariance, ("V",), np.array([0.8, 0.1]))
    text = " ".join(remarks.warnings)
    for words in ("the correlation of ka and CL (0.999) is at its bound", "no standard errors of V",
                  "the estimates of ka and CL (0.99) move together", "cp: the proportional error is 1.5",
                  "shrinkage is above 50 % for ka (80 %)"):  # fmt: skip
        assert words in text
    flat = Remarks()
    convergence.of_population(
        flat, population, replace(point, omega=np.diag([1e-9, 1.0])), theta, None, (), np.zeros(2)
    )
    assert "the spread of ka between patients came out at 0; take the random effect out (omega = 0)." in flat.warnings
    low = Remarks()
    convergence.of_likelihood(low, ("s0", "s1"), np.array([0.9, 0.1]), 2.0)
    assert "1 of 2 subjects cannot be believed (Pareto k above 0.7: s0 (0.90))" in low.warnings[0]
    assert "-2 log-likelihood is known to 2.0 only" in low.warnings[1]


def test_a_parameter_at_its_bound_is_said(make):
    bounded = {"base": make.normal(4.0, 0.5), "slope": FitParameter(0.5, law="logitnormal")}
    value = np.tile([1.0, 3.1, 5.0, 7.2], 4) + np.repeat([0, 0.4, -0.3, 0.2], 4)
    seen = make.study(np.repeat(np.arange(4), 4), np.tile(np.arange(4.0), 4), value)
    found = fit(FitProblem(make.line_model(), seen, bounded, {"y": EndpointModel()},
                           settings=replace(make.short, exploring=150)))  # fmt: skip
    assert any("slope came out at its bound 1" in said for said in found.verdict)


def test_too_few_iterations_are_not_called_converged(make):
    problem = small(make)
    far = {"ka": make.lognormal(50.0, 0.1), "CL": make.lognormal(40.0, 0.1), "V": FitParameter(8.0)}
    found = fit(
        replace(problem, parameters=far, settings=Settings(exploring=10, averaging=10, draws=100, importance=100))
    )
    assert not found.converged and found.verdict[0].startswith("not converged: ")
    assert len(found.estimates) == 6 and np.isfinite(found.minus_two_ll)  # what there is, is kept


def test_focei_that_stands_on_a_slope_is_not_called_converged(make):
    problem = small(make, method="focei")
    found = fit(replace(problem, settings=replace(make.short, iterations=1)))
    assert not found.converged and "the objective still falls by" in found.verdict[0] and "use saem" in found.verdict[0]


def test_arguments_are_checked(make):
    with pytest.raises(InputError, match="found 0, expected a whole number"):
        fit(small(make), jobs=0)
    with pytest.raises(InputError, match=r"expected a FitProblem or the path of a fit.toml"):
        fit(3)


def test_the_error_of_a_covariate_that_changes_with_the_occasion_is_known():
    from vein2vein.inference.population.problem import Occasions
    from vein2vein.io.record.record import Log
    from vein2vein.io.study.columns import Columns
    from vein2vein.io.study.read import study_from_text
    from vein2vein.models.catalogue import find_model

    rng = np.random.default_rng(3)
    rows, logs, told = ["ID,TIME,AMT,DV,EVID,X"], [], []
    for i in range(1, 31):
        between = 0.3 * rng.standard_normal()
        for course in range(2):
            x, effect = 0.4 * rng.standard_normal(), 0.2 * rng.standard_normal()
            k = np.exp(np.log(0.15) + 0.5 * x + between + effect)
            rows.append(f"{i},0,100,.,{4 if course else 1},{x:.4f}")
            rows += [
                f"{i},{t},.,{10 * np.exp(-k * t + 0.05 * rng.standard_normal()):.5g},0,{x:.4f}" for t in (1, 3, 6, 10)
            ]
            logs.append(np.log(k * 10))
            told.append([1.0, x])
    study = study_from_text("\n".join(rows), Columns(), Log("s.csv"))
    problem = FitProblem(
        find_model("one_compartment_iv"), study,
        {"CL": FitParameter(1.5, omega=0.3, covariates={"x": "X"}), "V": FitParameter(10.0, fixed=True)},
        {"dv": EndpointModel(error="proportional", start={"b": 0.1})},
        omega=Omega(occasion=Occasions(column="course", parameters=("CL",))),
        settings=Settings(exploring=100, averaging=60, draws=200, importance=0),
    )  # fmt: skip
    one = fit(problem).estimate("CL_x")
    # what is known were log CL of each course measured: generalized least squares with the true variances
    weight = np.linalg.inv(0.09 * np.ones((2, 2)) + 0.04 * np.eye(2))
    designs = np.reshape(told, (30, 2, 2))
    information = np.einsum("iab,ac,icd->bd", designs, weight, designs)
    best = np.linalg.solve(information, np.einsum("iab,ac,ic->b", designs, weight, np.reshape(logs, (30, 2))))
    se = float(np.sqrt(np.linalg.inv(information)[1, 1]))
    assert abs(one.estimate - best[1]) < 0.5 * se
    assert one.se == pytest.approx(se, rel=0.3)
