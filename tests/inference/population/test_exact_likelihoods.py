"""Estimators against models whose likelihood is known exactly: straight lines with normal effects, and a quadrature."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import optimize, stats

from vein2vein.inference.population import convergence, focei, louis
from vein2vein.inference.population.convergence import Remarks
from vein2vein.inference.population.fit import fit, target_of
from vein2vein.inference.population.importance import likelihood_of
from vein2vein.inference.population.population import populate
from vein2vein.inference.population.problem import EndpointModel, FitProblem, Occasions, Omega, Settings
from vein2vein.inference.population.theta import theta_of

LOG_2PI = np.log(2 * np.pi)
SETTINGS = Settings(exploring=120, averaging=80, draws=1500, importance=2000)


def lines(make, seed=1, n=24):
    """y = base + slope t + error; base and slope are correlated, and base moves with a weight."""
    rng = np.random.default_rng(seed)
    time = np.array([0.0, 1.0, 2.0, 4.0])
    weight = rng.normal(0.0, 1.0, n)
    omega = np.array([[4.0, 0.9], [0.9, 0.6]])
    effects = rng.multivariate_normal([0, 0], omega, n)
    base, slope = 10 + 1.5 * weight + effects[:, 0], 1.0 + effects[:, 1]
    y = base[:, None] + slope[:, None] * time + 0.7 * rng.standard_normal((n, 4))
    seen = make.study(np.repeat(np.arange(n), 4), np.tile(time, n), y.ravel(), covariates=[make.constant("WT", weight)])
    parameters = {"base": make.normal(8.0, 3.0, covariates={"wt": "WT"}), "slope": make.normal(0.5, 1.0)}
    return FitProblem(make.line_model(), seen, parameters, {"y": EndpointModel()}, Omega(full=True), settings=SETTINGS)


def exact_minus_two(problem, vector):
    """-2 log-likelihood at (base, wt, slope, omega2 base, omega2 slope, covariance, a)."""
    base, wt, slope, b2, s2, bs, a = vector
    seen = problem.study.observations
    weight = problem.study.covariates["WT"].constant
    total = 0.0
    for i in range(len(problem.study.subjects)):
        rows = seen.course == i
        z = np.stack([np.ones(rows.sum()), seen.time[rows]], axis=1)
        covariance = z @ np.array([[b2, bs], [bs, s2]]) @ z.T + a * a * np.eye(rows.sum())
        total += stats.multivariate_normal.logpdf(
            seen.value[rows], base + wt * weight[i] + slope * seen.time[rows], covariance
        )
    return -2 * total


def exact_errors(minus_two, vector):
    """Standard errors from second differences of an exact -2 log-likelihood."""
    n, h = len(vector), 1e-3 * np.maximum(np.abs(vector), 0.1)
    hessian = np.empty((n, n))
    for i in range(n):
        for j in range(n):
            steps = [
                (a, b, vector + a * h[i] * np.eye(n)[i] + b * h[j] * np.eye(n)[j]) for a in (1, -1) for b in (1, -1)
            ]
            hessian[i, j] = sum(a * b * minus_two(v) for a, b, v in steps) / (4 * h[i] * h[j])
    return np.sqrt(np.diag(np.linalg.inv(hessian / 2)))


@pytest.fixture(scope="module")
def best(make):
    """The maximum of the exact likelihood, and its standard errors."""
    problem = lines(make)

    def unbounded(v):
        lower = np.array([[np.exp(v[3]), 0], [v[4], np.exp(v[5])]])
        o = lower @ lower.T
        return np.array([*v[:3], o[0, 0], o[1, 1], o[0, 1], np.exp(v[6])])

    found = optimize.minimize(
        lambda v: exact_minus_two(problem, unbounded(v)), [9, 1, 1, 0.5, 0.3, -0.5, -0.3], tol=1e-8
    )
    vector = unbounded(found.x)
    return problem, vector, exact_errors(lambda v: exact_minus_two(problem, v), vector), found.fun


@pytest.fixture(scope="module")
def by_saem(best):
    return fit(best[0])


def vector_of(found):
    return np.array([*found.beta, found.omega[0, 0], found.omega[1, 1], found.omega[0, 1], found.sigma[0, 0]])


ORDER = ["base", "base_wt", "slope", "omega2_base", "omega2_slope", "omega_base_slope", "a_y"]


def errors_of(found):
    place = {name: i for i, name in enumerate(found.theta_names)}
    return np.sqrt(np.diag(found.covariance))[[place[name] for name in ORDER]]


def test_saem_finds_the_maximum(best, by_saem):
    _, vector, errors, _ = best
    assert np.all(np.abs(vector_of(by_saem) - vector) < 0.12 * errors)
    assert by_saem.converged and by_saem.verdict[0].startswith("converged: ")


def test_louis_errors_are_those_of_the_exact_information(best, by_saem):
    assert errors_of(by_saem) == pytest.approx(best[2], rel=0.12)


def test_importance_sampling_gives_the_exact_likelihood(best, by_saem):
    exact = exact_minus_two(best[0], vector_of(by_saem))
    assert abs(by_saem.minus_two_ll - exact) < 4 * by_saem.minus_two_ll_se + 0.01
    assert by_saem.minus_two_ll_se < 0.3 and np.nanmax(by_saem.pareto_k) < 0.7
    assert by_saem.objective == pytest.approx(by_saem.minus_two_ll - 96 * LOG_2PI)
    assert by_saem.aic == pytest.approx(by_saem.minus_two_ll + 2 * 7)
    assert by_saem.bic == pytest.approx(by_saem.minus_two_ll + np.log(24) * 7)


def test_conditional_means_are_the_best_linear_predictions(best, by_saem):
    problem, v = best[0], vector_of(by_saem)
    seen, weight = problem.study.observations, problem.study.covariates["WT"].constant
    omega = by_saem.omega
    for i in range(3):
        rows = seen.course == i
        z = np.stack([np.ones(4), seen.time[rows]], axis=1)
        whole = z @ omega @ z.T + v[6] ** 2 * np.eye(4)
        residual = seen.value[rows] - v[0] - v[1] * weight[i] - v[2] * seen.time[rows]
        mean = omega @ z.T @ np.linalg.solve(whole, residual)
        covariance = omega - omega @ z.T @ np.linalg.solve(whole, z @ omega)
        assert by_saem.eta_mode[i] == pytest.approx(mean, abs=1e-4)
        assert by_saem.eta_mean[i] == pytest.approx(mean, abs=0.12)
        assert by_saem.eta_sd[i] == pytest.approx(np.sqrt(np.diag(covariance)), rel=0.2)


@pytest.mark.parametrize("method", ["focei", "laplace"])
def test_focei_and_laplace_are_exact_for_lines(best, method):
    problem, vector, errors, least = best
    found = fit(replace(problem, method=method, settings=replace(SETTINGS, draws=100)))
    assert found.minus_two_ll == pytest.approx(least, abs=2e-3) and found.converged
    assert np.all(np.abs(vector_of(found) - vector) < 0.03 * errors)
    assert errors_of(found) == pytest.approx(errors, rel=0.03)
    assert found.likelihood_by == {"focei": "FOCEI", "laplace": "Laplace"}[method]
    assert found.estimate("corr_base_slope").estimate == pytest.approx(
        vector[5] / np.sqrt(vector[3] * vector[4]), abs=0.02
    )


def test_a_parameter_without_random_effect_is_found_by_its_score(make, best):
    """The slope is the same in all: its coefficient, and that of a covariate on it, follow from predictions only."""
    whole = best[0]
    slope = make.normal(0.2, covariates={"wt": "WT"})
    base = make.normal(8.0, 3.0)
    problem = replace(whole, parameters={"base": base, "slope": slope}, omega=Omega())
    population = populate(problem)
    assert population.by_score.tolist() == [1, 2]
    seen, weight = problem.study.observations, problem.study.covariates["WT"].constant

    def minus_two(v):
        total = 0.0
        for i in range(24):
            rows = seen.course == i
            covariance = np.exp(2 * v[3]) * np.ones((4, 4)) + np.exp(2 * v[4]) * np.eye(4)
            mean = v[0] + (v[1] + v[2] * weight[i]) * seen.time[rows]
            total += stats.multivariate_normal.logpdf(seen.value[rows], mean, covariance)
        return -2 * total

    exact = optimize.minimize(minus_two, [9.0, 0.5, 0.0, 0.5, 0.0], tol=1e-8)
    found = fit(problem)
    close = np.array([*found.beta, np.log(found.omega[0, 0]) / 2, np.log(found.sigma[0, 0])])
    errors = exact_errors(minus_two, exact.x)
    assert np.all(np.abs(close - exact.x) < 0.15 * errors)
    place = {n: i for i, n in enumerate(found.theta_names)}
    mine = np.sqrt(np.diag(found.covariance))[[place[n] for n in ("base", "slope", "slope_wt")]]
    assert mine == pytest.approx(errors[:3], rel=0.2)
    by_slopes = fit(replace(problem, method="focei", settings=replace(SETTINGS, draws=100)))
    assert by_slopes.minus_two_ll == pytest.approx(exact.fun, abs=2e-3)
    assert "slope has no random effect: it is held to be equal in all patients" in found.notes
    assert found.estimate("slope").note.startswith("equal in all patients")


def test_spread_between_occasions(make):
    rng = np.random.default_rng(5)
    n, occasions = 24, 3
    eta, kappa = rng.normal(0, 1.5, n), rng.normal(0, 0.8, (n, occasions))
    rows = [(i, k, t) for i in range(n) for k in range(occasions if i % 2 else 1) for t in range(4)]
    subject, occasion, time = (np.array(c) for c in zip(*rows))
    y = 5 + eta[subject] + kappa[subject, occasion] + 0.4 * rng.standard_normal(len(rows))
    course = np.unique(subject * 10 + occasion, return_inverse=True)[1]
    seen = make.study(subject, time, y, course=course, occasion=occasion)
    problem = FitProblem(
        make.line_model(), seen, {"base": make.normal(4.0, 1.0), "slope": make.normal(0.0, fixed=True)},
        {"y": EndpointModel()}, Omega(occasion=Occasions(("base",))), settings=SETTINGS,
    )  # fmt: skip

    def minus_two(v):
        total = 0.0
        for i in range(n):
            own = subject == i
            same = occasion[own][:, None] == occasion[own]
            covariance = np.exp(2 * v[1]) + np.exp(2 * v[2]) * same + np.exp(2 * v[3]) * np.eye(own.sum())
            total += stats.multivariate_normal.logpdf(y[own], np.full(own.sum(), v[0]), covariance)
        return -2 * total

    exact = optimize.minimize(minus_two, [4.0, 0.0, 0.0, 0.0], tol=1e-8)
    errors = exact_errors(minus_two, exact.x)
    found = fit(problem)
    close = [
        found.beta[0],
        np.log(found.omega[0, 0]) / 2,
        np.log(found.omega_occasion[0]) / 2,
        np.log(found.sigma[0, 0]),
    ]
    assert np.all(np.abs(close - exact.x) < 0.15 * errors)
    assert abs(found.minus_two_ll - minus_two(np.array(close))) < 4 * found.minus_two_ll_se + 0.01
    place = {name: i for i, name in enumerate(found.theta_names)}
    se = np.sqrt(np.diag(found.covariance))[place["gamma2_base"]] / (2 * found.omega_occasion[0])
    assert se == pytest.approx(errors[2], rel=0.2)
    assert found.estimate("gamma_base").kind == "occasion" and found.effects.shape[2] == 4
    by_slopes = fit(replace(problem, method="focei", settings=replace(SETTINGS, draws=100)))
    assert by_slopes.minus_two_ll == pytest.approx(exact.fun, abs=2e-3)


def test_a_covariate_in_time(make):
    """base follows a covariate that changes within the course: the coefficient is known by predictions only."""
    from vein2vein.io.study.study import Covariate

    rng = np.random.default_rng(7)
    n, time = 16, np.arange(6.0)
    level = rng.normal(0, 1, (n, 2))
    y = 5 + rng.normal(0, 1.0, n)[:, None] + 0.8 * level[:, [0, 0, 0, 1, 1, 1]] + 0.3 * rng.standard_normal((n, 6))
    changing = Covariate("DOSE", None, (), tuple((np.array([0.0, 2.5]), level[i]) for i in range(n)))
    seen = make.study(np.repeat(np.arange(n), 6), np.tile(time, n), y.ravel(), covariates=[changing])
    base = make.normal(4.0, 1.0, covariates={"d": "DOSE"})
    short = replace(SETTINGS, exploring=60, averaging=40, draws=200)
    problem = FitProblem(make.line_model(), seen, {"base": base, "slope": make.normal(0.0, fixed=True)},
                         {"y": EndpointModel()}, settings=short)  # fmt: skip

    def minus_two(v):
        covariance = np.exp(2 * v[2]) + np.exp(2 * v[3]) * np.eye(6)
        return -2 * sum(stats.multivariate_normal.logpdf(y[i], v[0] + v[1] * level[i, [0, 0, 0, 1, 1, 1]], covariance)
                        for i in range(n))  # fmt: skip

    exact = optimize.minimize(minus_two, [4.0, 0.0, 0.0, 0.0], tol=1e-8)
    errors = exact_errors(minus_two, exact.x)
    found = fit(problem)
    close = [*found.beta[:2], np.log(found.omega[0, 0]) / 2, np.log(found.sigma[0, 0])]
    assert np.all(np.abs(close - exact.x) < 0.2 * errors)


def censored(make):
    rng = np.random.default_rng(11)
    n = 40
    truth = 3 + rng.normal(0, 1.2, n)[:, None] + 0.6 * rng.standard_normal((n, 3))
    flag = np.where(truth < 2.5, 1, np.where(truth > 4.5, -1, 0))
    value = np.where(flag == 1, 2.5, np.where(flag == -1, 4.5, truth))
    limit = np.where((flag == 1) & (truth > 1.5) & (np.arange(3) == 2), 1.5, np.nan)
    seen = make.study(np.repeat(np.arange(n), 3), np.tile(np.arange(3.0), n), value.ravel(), censored=flag.ravel(),
                      limit=limit.ravel())  # fmt: skip
    start = {"base": make.normal(2.0, 1.0), "slope": make.normal(0.0, fixed=True)}
    problem = FitProblem(make.line_model(), seen, start, {"y": EndpointModel()}, settings=SETTINGS)
    return problem, value, flag, limit


def test_censored_rows_by_quadrature(make):
    problem, value, flag, limit = censored(make)
    nodes, weights = np.polynomial.hermite_e.hermegauss(80)

    def minus_two(v):
        base, omega, a = v[0], np.exp(v[1]), np.exp(v[2])
        mean = (base + omega * nodes)[:, None, None]
        z = (value - mean) / a
        logs = stats.norm.logpdf(z) - np.log(a)
        logs = np.where(flag == -1, stats.norm.logsf(z), logs)
        low = np.where(np.isnan(limit), -np.inf, (limit - mean) / a)
        logs = np.where(flag == 1, np.log(np.maximum(stats.norm.cdf(z) - stats.norm.cdf(low), 1e-300)), logs)
        each = np.log((np.exp(logs.sum(axis=2)) * weights[:, None]).sum(axis=0) / np.sqrt(2 * np.pi))
        return -2 * each.sum()

    exact = optimize.minimize(minus_two, [3.0, 0.0, -0.5], tol=1e-8)
    errors = exact_errors(minus_two, exact.x)
    found = fit(problem)
    close = np.array([found.beta[0], np.log(found.omega[0, 0]) / 2, np.log(found.sigma[0, 0])])
    assert np.all(np.abs(close - exact.x) < 0.15 * errors)
    assert abs(found.minus_two_ll - minus_two(close)) < 4 * found.minus_two_ll_se + 0.01
    mine = np.sqrt(np.diag(found.covariance))[[0, 1, 2]] / [1, 2 * found.omega[0, 0], found.sigma[0, 0]]
    assert mine == pytest.approx(errors, rel=0.2)
    near = fit(replace(problem, method="laplace", settings=replace(SETTINGS, draws=100)))
    assert near.minus_two_ll == pytest.approx(exact.fun, abs=1.0)
    modes = np.array([near.beta[0], np.log(near.omega[0, 0]) / 2, np.log(near.sigma[0, 0])])
    assert np.all(np.abs(modes - exact.x) < 0.4 * errors)


def test_the_gradient_of_the_objective_is_its_slope(make):
    outer = focei.outer_of(populate(lines(make)), laplace=False)
    v = outer.packing.pack(outer.packing.start)
    _, slope = outer(v)
    by, start = 1e-4 * np.eye(len(v)), outer.effects
    expected = [(outer.part((v + b)[None], start, 30) - outer.part((v - b)[None], start, 30))[0] / 2e-4 for b in by]
    assert slope == pytest.approx(np.array(expected), rel=1e-3, abs=1e-3)


def test_packing_goes_there_and_back(make):
    problem = lines(make)
    held = replace(problem.parameters["slope"], omega_fixed=True)
    population = populate(replace(problem, parameters={**problem.parameters, "slope": held}))
    outer = focei.outer_of(population, laplace=False)
    rng = np.random.default_rng(3)
    point = outer.packing.unpack(outer.packing.pack(outer.packing.start) + 0.3 * rng.standard_normal(6))
    assert point.omega[1, 1] == pytest.approx(population.omega[1, 1]) and point.omega[0, 1] != 0
    again = outer.packing.unpack(outer.packing.pack(point))
    assert again.beta == pytest.approx(point.beta) and again.sigma == pytest.approx(point.sigma)
    assert theta_of(population).names == ("base", "base_wt", "slope", "omega2_base", "omega_base_slope", "a_y")


def test_an_unbelievable_likelihood_is_seen(make, by_saem):
    """A proposal much narrower than the target: the weights have no variance, and k says so."""
    from vein2vein.inference.population.conditional import Conditional
    from vein2vein.inference.population.importance import pareto_k

    rng = np.random.default_rng(1)
    assert pareto_k(np.log(rng.pareto(1 / 0.9, 4000) + 1)) > 0.7
    assert pareto_k(np.log(rng.pareto(1 / 0.3, 4000) + 1)) == pytest.approx(0.3, abs=0.15)
    assert pareto_k(rng.normal(0, 0.01, 4000)) < 0.1 and np.isnan(pareto_k(np.zeros(8)))
    p, point = by_saem.population, by_saem.point
    narrow = Conditional(by_saem.effects, by_saem.effects_mean + 3, by_saem.effects_sd * 0.2,
                         np.stack([np.diag((0.2 * s) ** 2) for s in by_saem.effects_sd]))  # fmt: skip
    found = likelihood_of(p, target_of(p, point), narrow, rng, 500)
    assert found.error > 5 * by_saem.minus_two_ll_se


def test_singular_information_is_held_and_named():
    information = np.diag([4.0, 1.0, 9.0])
    information[0, 1] = information[1, 0] = 2.0
    covariance, lost = louis.invert(information, ("a", "b", "c"))
    assert len(lost) == 1 and lost[0] in ("a", "b") and covariance[2, 2] == pytest.approx(1 / 9)
    assert np.isnan(covariance["ab".index(lost[0])]).all()
    whole, none = louis.invert(np.diag([4.0, 1.0]), ("a", "b"))
    assert none == () and whole == pytest.approx(np.diag([0.25, 1.0]))
    negative, lost = louis.invert(np.diag([4.0, -1.0, 1.0, 1.0]), ("a", "b", "c", "d"))
    assert lost == ("b",) and negative[0, 0] == 0.25
    assert louis.invert(np.full((2, 2), np.nan), ("a", "b"))[0] is None


def alike(make, seed, omega, n=20):
    """Lines of patients whose base is the same in all, fitted with a spread of it."""
    rng, time = np.random.default_rng(seed), np.linspace(0, 2.5, 6)
    slope = 1 + 0.4 * rng.standard_normal(n)
    y = 5 + slope[:, None] * time + 0.3 * rng.standard_normal((n, 6))
    seen = make.study(np.repeat(np.arange(n), 6), np.tile(time, n), y.ravel())
    return FitProblem(
        make.line_model(), seen, {"base": make.normal(4.0, 0.5), "slope": make.normal(0.5, 0.5)},
        {"y": EndpointModel()}, omega, settings=Settings(exploring=150, averaging=100, importance=0),
    )  # fmt: skip


def errors_without_spread(problem, found):
    """Exact standard errors of (base, slope) where the base has no spread: no draws, second differences alone."""
    time = problem.study.observations.time[:6]
    y = problem.study.observations.value.reshape(-1, 6)

    def minus_two(v):
        base, slope, s2, a = v
        whole = s2 * np.outer(time, time) + a * a * np.eye(6)
        return -2 * stats.multivariate_normal.logpdf(y - base - slope * time, np.zeros(6), whole).sum()

    return exact_errors(minus_two, np.array([*found.beta, found.omega[1, 1], found.sigma[0, 0]]))[:2]


@pytest.mark.parametrize("seed", [1, 4, 9, 14])
def test_a_typical_value_keeps_its_error_where_its_spread_is_near_zero(make, seed):
    problem = alike(make, seed, Omega())
    found = fit(problem)
    assert found.omega[0, 0] < 0.05**2
    errors = [found.estimate(name).se for name in ("base", "slope")]
    assert errors == pytest.approx(errors_without_spread(problem, found), rel=0.1)
    assert not any("do not tell of base" in said for said in found.verdict)


@pytest.mark.parametrize("seed", [9, 13])
def test_it_does_beside_a_covariance_too(make, seed):
    problem = alike(make, seed, Omega(full=True))
    found = fit(problem)
    assert found.estimate("base").se == pytest.approx(errors_without_spread(problem, found)[0], rel=0.15)


def test_a_spread_without_an_error_is_told_apart(make):
    found = fit(alike(make, 4, Omega()))
    population, point = found.population, found.point
    remarks = Remarks()
    of = (population, point, theta_of(population, point), found.covariance)
    convergence.of_population(remarks, *of, ("omega2_base",), np.array([0.95, 0.1]))
    assert not remarks.failures
    told = next(said for said in remarks.warnings if said.startswith("no standard errors of omega_base:"))
    assert "near 0 a spread has no error to speak of: profile it (--profile)" in told and "came out" in told
    convergence.of_population(remarks, *of, ("base",), np.array([0.95, 0.1]))
    assert "the data do not tell of base" in remarks.failures[0]
