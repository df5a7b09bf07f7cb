"""The compiled solver: equal to the readable one, and a patient's result depends on that patient alone."""

import numpy as np
import pytest

from vein2vein.engine import solve
from vein2vein.engine.llvm import machine, run_course
from vein2vein.engine.tangents.sensitivity import sensitivities
from vein2vein.models.mathematics import exp, less, log, maximum, minimum, where
from vein2vein.models.model import named

DAYS = np.array([0.0, 0.5, 1.0, 2.5, 6.0, 15.0, 40.0])
WIDTHS = (1, 2, 4, 8)


@pytest.mark.parametrize("name", ["decay", "logistic", "two_compartment", "lotka_volterra", "cytokine"])
@pytest.mark.parametrize("method", ["tsit5", "rodas4", "rodas5p"])
def test_compiled_equals_plain(models, patients, name, method):
    model = models[name]
    rng = np.random.default_rng(4)
    p = patients(3) if name == "cytokine" else rng.uniform(0.3, 1.5, (3, len(model.parameters)))
    levels = rng.uniform(0, 1, (3, len(model.level_names)))
    options = {"levels": levels, "method": method, "rtol": 1e-6}
    found, truth = (solve.solve(model, p, None, DAYS, backend=b, **options) for b in ("batch", "plain"))
    scale = np.array([min(s.scale, 1e-5) for s in model.states])
    # At a jump of the equations rounding moves the steps, and so the values by about the tolerance.
    close = 1e-5 if name == "cytokine" else 1e-6
    assert np.all(np.abs(found.values - truth.values) <= close * (np.abs(truth.values) + scale))
    assert not found.status.any() and not truth.status.any()
    assert np.all(np.abs(found.steps - truth.steps) <= 2)


def test_rates_are_those_of_the_equations(models, patients):
    model, p = models["cytokine"], patients(11)
    x = np.random.default_rng(5).uniform(0.2, 2.0, (11, len(model.states)))
    found = run_course.rates(run_course.compile_rates(model), 2.0, x, p, np.zeros((11, 0)))
    truth = model.equations(2.0, named(model.state_names, x), named(model.parameters, p), None)
    for i, name in enumerate(model.state_names):
        assert found[:, i] == pytest.approx(np.broadcast_to(truth[name], 11), rel=1e-12, abs=1e-14)


@pytest.mark.parametrize("method", ["tsit5", "rodas5p"])
def test_all_lane_widths_give_the_same_bits(models, patients, method):
    model, p = models["cytokine"], patients(13)
    first, *others = [solve.solve(model, p, None, DAYS, width=w, method=method) for w in WIDTHS]
    for other in others:
        assert np.array_equal(first.values, other.values)
        assert np.array_equal(first.steps, other.steps)


def test_permuting_patients_permutes_results(models, patients):
    model, p = models["cytokine"], patients(29)
    order = np.random.default_rng(6).permutation(29)
    straight, permuted = (solve.solve(model, rows, None, DAYS) for rows in (p, p[order]))
    assert np.array_equal(straight.values[order], permuted.values)
    assert np.array_equal(straight.steps[order], permuted.steps)


@pytest.mark.parametrize("cut", [1, 3, 8, 17])
def test_chunks_give_the_same_bits_as_the_whole(models, patients, cut):
    model, p = models["cytokine"], patients(19)
    whole = solve.solve(model, p, None, DAYS)
    parts = [solve.solve(model, p[i : i + cut], None, DAYS).values for i in range(0, 19, cut)]
    assert np.array_equal(whole.values, np.concatenate(parts))


@pytest.mark.parametrize("threads", [1, 2, 3, 7])
def test_the_number_of_threads_changes_no_bit(models, patients, threads):
    model, p = models["cytokine"], patients(300)
    one = solve.solve(model, p, None, DAYS[:4], threads=1)
    many = solve.solve(model, p, None, DAYS[:4], threads=threads)
    assert np.array_equal(one.values, many.values)


def test_a_failing_patient_leaves_its_group_alone(models):
    model = models["logistic"]
    good = np.random.default_rng(7).uniform(0.3, 1.5, (9, 2))
    # A negative room lets the population grow without bound in finite time.
    bad = np.insert(good, 4, [1.0, -0.5], axis=0)
    alone, together = (solve.solve(model, p, None, DAYS) for p in (good, bad))
    assert list(np.flatnonzero(together.status)) == [4]
    assert np.array_equal(np.delete(together.values, 4, axis=0), alone.values)
    assert np.all(np.isfinite(together.values[4, 0])) and np.all(np.isnan(together.values[4, -1]))


@pytest.fixture(scope="module")
def functions(make_model):
    """Compiled functions of single values: the rates of a model."""

    def equations(t, x, p, u):
        return {
            "exp": exp(x.exp),
            "log": log(x.log),
            "min": minimum(x.exp, x.log),
            "max": maximum(x.exp, x.log),
            "where": where(less(x.exp, x.log), x.exp, -7.0),
            "flag": less(x.exp, 0.0) + 2 * where(x.flag, 1.0, 0.0),
            "over": 3.0 / x.over + x.min / p.half,
        }

    names = ("exp", "log", "min", "max", "where", "flag", "over")
    return make_model("functions", names, ("half",), equations, lambda p: {})


def values_of(functions, width=None, **columns):
    n = len(next(iter(columns.values())))
    x = np.ones((n, len(functions.states)))
    for name, column in columns.items():
        x[:, functions.state_names.index(name)] = column
    compiled = run_course.compile_rates(functions, width)
    out = run_course.rates(compiled, 0.0, x, np.full((n, 1), 0.3), np.zeros((n, 0)))
    return {name: out[:, i] for i, name in enumerate(functions.state_names)}


@pytest.mark.parametrize("width", WIDTHS)
def test_exponential_and_logarithm_are_accurate(functions, width):
    rng = np.random.default_rng(8)
    x = np.concatenate([rng.uniform(-700, 709, 20000), rng.uniform(-1, 1, 20000), rng.normal(0, 1e-8, 1000)])
    y = np.exp(np.concatenate([rng.uniform(-707, 707, 20000), rng.uniform(-1, 1, 20000), rng.normal(0, 1e-8, 1000)]))
    found = values_of(functions, width, exp=x, log=y)
    unit = 2.0**-52
    with np.errstate(over="ignore"):
        assert np.max(np.abs(found["exp"] / np.exp(x) - 1)) < 3 * unit
    assert np.all(np.abs(found["log"] - np.log(y)) <= 3 * unit * np.abs(np.log(y)))


def test_functions_at_the_edges_are_those_of_numpy(functions):
    x = np.array([-np.inf, -1e300, -800.0, -708.0, 0.0, 709.78, 710.0, np.inf, np.nan])
    y = np.array([0.0, 5e-324, 1e-310, 1e-300, 1.0, np.inf, -1.0, np.nan, -0.0])
    found = values_of(functions, exp=x, log=y, flag=y)
    with np.errstate(all="ignore"):
        assert found["exp"] == pytest.approx(np.exp(x), rel=1e-15, nan_ok=True)
        assert found["log"] == pytest.approx(np.log(y), rel=1e-15, nan_ok=True)
        assert np.array_equal(found["min"], np.minimum(x, y), equal_nan=True)
        assert np.array_equal(found["max"], np.maximum(x, y), equal_nan=True)
        assert np.array_equal(found["where"], np.where(x < y, x, -7.0), equal_nan=True)
        assert np.array_equal(found["flag"], np.where(x < 0, 1.0, 0.0) + 2 * (y != 0))


def test_an_underflowing_exponential_is_zero(functions):
    assert np.array_equal(values_of(functions, exp=np.array([-709.0, -745.0, -1e9]))["exp"], np.zeros(3))


def test_a_processor_without_fused_arithmetic_agrees_to_rounding(models, patients, monkeypatch):
    model, p = models["cytokine"], patients(5)
    here = run_course.compile_rates(model)
    triple, _, _ = machine.host()
    monkeypatch.setattr(machine, "host", lambda: (triple, "generic", ""))
    plainest = run_course._compile_rates(model, 2)
    x = np.random.default_rng(9).uniform(0.2, 2.0, (5, len(model.states)))
    levels = np.zeros((5, 0))
    expected, found = (run_course.rates(c, 1.0, x, p, levels) for c in (here, plainest))
    assert found == pytest.approx(expected, rel=1e-12, abs=1e-13)


@pytest.mark.parametrize("n", [1, 4, 8, 11])
@pytest.mark.parametrize("name", ["decay", "two_compartment", "lotka_volterra"])
def test_nothing_is_written_into_the_arrays_that_were_given(models, name, n):
    """One state, or one lane, lies in memory as the compiled code wants it: a copy is made all the same."""
    model, rng = models[name], np.random.default_rng(8)
    given = {
        "p": rng.uniform(0.3, 1.5, (n, len(model.parameters))),
        "x": rng.uniform(0.3, 1.5, (n, len(model.states))),
        "u": rng.uniform(0.0, 1.0, (n, len(model.level_names))),
        "days": DAYS.copy(),
    }
    before = {key: array.copy() for key, array in given.items()}
    p, x, u, days = given.values()
    dosed = [(1.0, "bolus", p[:, 0])] if name == "two_compartment" else []
    begun = solve.begin(model, p, x, levels=u)
    kept = begun.state.copy()
    later = solve.advance(begun, 3.0)
    assert np.array_equal(begun.state, kept) and not np.array_equal(later.state, kept)
    again = later.state.copy()
    solve.advance(later, 5.0, state=x, levels=u)
    assert np.array_equal(later.state, again)
    solve.solve(model, p, x, days, dosed, u)
    run_course.rates(run_course.compile_rates(model), 0.0, x, p, u)
    sensitivities(model, p, x, days, dosed, wrt=[model.parameters[0]], levels=u)
    for key, array in given.items():
        assert np.array_equal(array, before[key]), key
