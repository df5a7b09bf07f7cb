"""Each kernel by itself keeps the distribution that it walks in; estimates fall no faster than they may."""

from dataclasses import replace

import numpy as np
import pytest

from vein2vein.inference.population import chains as walking
from vein2vein.inference.population import saem, steps
from vein2vein.inference.population.chains import Target, Walk
from vein2vein.inference.population.inner import Sets, derivatives, laplace_curvature, modes_of
from vein2vein.inference.population.population import populate
from vein2vein.inference.population.problem import EndpointModel, FitProblem, Occasions, Omega

OMEGA, GAMMA = np.array([[1.0, 0.8], [0.8, 1.5]]), np.array([0.5])
KERNELS = {
    "population": lambda walk, c: walk.from_population(c, 1),
    "each given the others": lambda walk, c: walk.each_given_the_others(c),
    "one at a time": lambda walk, c: walk.one_at_a_time(c),
    "random blocks": lambda walk, c: walk.random_blocks(c, 2),
    "learnt blocks": lambda walk, c: walk.learnt_blocks(c, 2),
}


def problem(make, n=2, censored=None, **more):
    time = np.tile([0.0, 1.0, 0.5, 2.0], n)
    subject, occasion = np.repeat(np.arange(n), 4), np.tile([0, 0, 1, 1], n)
    seen = make.study(subject, time, np.linspace(1, 3, 4 * n), occasion=occasion, course=2 * subject + occasion,
                      censored=censored)  # fmt: skip
    start = {"base": make.normal(1.0, 1.0), "slope": make.normal(0.5, 1.0)}
    omega = Omega(full=True, occasion=Occasions(("base",)))
    return FitProblem(make.line_model(), seen, start, {"y": EndpointModel()}, omega, **more)


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("sigma", [1e6, 0.8], ids=["nothing seen", "seen"])
def test_a_kernel_keeps_its_distribution(make, kernel, sigma):
    """Chains that begin with draws of the conditional distribution still have its mean and covariance after a walk."""
    population = populate(problem(make, n=1))
    target = Target(population.mean(population.beta), OMEGA, GAMMA, np.array([[sigma, 0.0]]))
    whole = population.whole_omega(OMEGA, GAMMA)
    z = np.zeros((4, 4))
    z[:, 0], z[:, 1] = 1.0, population.layout.time
    z[[0, 1], 2] = z[[2, 3], 3] = 1.0
    covariance = np.linalg.inv(np.linalg.inv(whole) + z.T @ z / sigma**2)
    mean = covariance @ z.T @ (population.rows.value - population.f(target.mean, np.zeros((1, 1, 4)))[0]) / sigma**2
    rng, copies = np.random.default_rng(4), 20_000
    found = walking.begin(population, target, copies, rng)
    found.effects[:, 0] = rng.multivariate_normal(mean, covariance, copies)
    found.covariance[:] = 0.3 * OMEGA + 0.1
    walking.refresh(population, found, target, predictions=True)
    before = found.effects.copy()
    for _ in range(4):
        KERNELS[kernel](Walk(population, target, rng), found)
    assert np.mean(np.any(found.effects != before, axis=2)) > 0.02
    assert found.effects[:, 0].mean(axis=0) == pytest.approx(mean, abs=0.04)
    assert np.cov(found.effects[:, 0].T) == pytest.approx(covariance, abs=0.06)
    assert found.likelihood == pytest.approx(
        population.likelihood(population.f(target.mean, found.effects), target.sigma)
    )


def test_steps_are_steered_to_what_is_wanted(make):
    population = populate(problem(make, n=6))
    target = Target(population.mean(population.beta), OMEGA, GAMMA, np.array([[0.3, 0.0]]))
    rng = np.random.default_rng(1)
    found = walking.begin(population, target, 40, rng)
    found.step[:] = 15.0
    for k in range(150):
        walk = Walk(population, target, rng, 0.5 / (1 + k / 20))
        walk.one_at_a_time(found)
        walk.random_blocks(found, 1)
        walking.learn(found, OMEGA, max(0.02, 1 / (k + 1)))
        walk.learnt_blocks(found, 1)
    assert 0.3 < found.accepted["one at a time"] < 0.5 and found.step.max() < 5
    assert 0.2 < found.accepted["learnt blocks"] < 0.4 and 0.2 < found.accepted["random blocks"] < 0.4
    still = found.step.copy()
    Walk(population, target, rng).one_at_a_time(found)
    assert np.array_equal(found.step, still)


def test_an_occasion_that_a_subject_does_not_have_has_no_effect(make):
    seen = make.study([0, 0, 1, 1], [0, 1, 0, 1], np.arange(4.0), occasion=[0, 0, 0, 1], course=[0, 0, 1, 2])
    whole = replace(problem(make), study=seen)
    population = populate(whole)
    assert population.has_occasion.tolist() == [[True, False], [True, True]]
    state = saem.begin(population, 1)
    for _ in range(3):
        saem.iterate(population, state)
    assert np.all(state.chains.effects[:, 0, 3] == 0) and np.all(state.chains.effects[:, 1, 3] != 0)


def test_variances_and_errors_fall_slowly_at_first(make):
    population = populate(problem(make, n=5))
    for annealing in (True, False):
        state = saem.begin(population, 1)
        state.chains.effects[:] = 0.01 * np.random.default_rng(2).standard_normal(state.chains.effects.shape)
        now = state.estimates
        before = np.diag(now.omega).copy(), now.gamma.copy(), now.sigma.copy()
        steps.maximize(population, state.chains, now, 1.0, state.rng, annealing=annealing, robust=False)
        if annealing:
            assert np.diag(now.omega) == pytest.approx(0.95 * before[0]) and now.gamma == pytest.approx(
                0.95 * before[1]
            )
            assert now.sigma[0, 0] >= np.sqrt(0.95) * before[2][0, 0] * (1 - 1e-12)
        else:
            assert np.all(np.diag(now.omega) < 0.01) and now.gamma[0] < 0.01


def test_correlations_stay_away_from_one_at_first(make):
    population = populate(problem(make, n=30))
    rng = np.random.default_rng(2)
    for annealing, least in ((True, 0.1), (False, 1e-3)):
        state = saem.begin(population, 1)
        state.chains.effects[..., 0] = rng.standard_normal(state.chains.effects.shape[:2])
        state.chains.effects[..., 1] = state.chains.effects[..., 0]
        steps.maximize(population, state.chains, state.estimates, 1.0, state.rng, annealing=annealing, robust=False)
        omega = state.estimates.omega
        size = np.sqrt(np.diag(omega))
        assert np.linalg.eigvalsh(omega / size / size[:, None])[0] == pytest.approx(least, rel=1e-6)


def test_far_predictions_may_not_inflate_an_error_at_first(make):
    seen = make.study(np.repeat(np.arange(4), 5), np.tile(np.arange(5.0), 4), np.full(20, 10.0))
    whole = FitProblem(make.line_model(), seen, {"base": make.normal(10.0, 1.0), "slope": make.normal(0.0, fixed=True)},
                       {"y": EndpointModel(error="proportional")})  # fmt: skip
    population = populate(whole)
    for robust, low, high in ((True, 0.0, 0.5), (False, 50.0, 1e6)):
        state = saem.begin(population, 1)
        state.chains.effects[..., 0] = 0.5 * np.random.default_rng(3).standard_normal(state.chains.effects.shape[:2])
        state.chains.effects[:, 0, 0] = -9.99  # a prediction near 0: its relative residual is 1,000
        walking.refresh(population, state.chains, saem.target_of(population, state.estimates), predictions=True)
        steps.maximize(population, state.chains, state.estimates, 1.0, state.rng, annealing=False, robust=robust)
        assert low < state.estimates.sigma[0, 1] < high


def test_score_and_curvature_of_a_line_are_exact(make):
    """Measured and censored rows: Gauss-Newton is exact for a line, so both curvatures agree; the score is a slope."""
    population = populate(problem(make, n=3, censored=[0, 1, -1, 0] * 3))
    sets = Sets(
        population.mean(population.beta)[None], population.whole_omega(OMEGA, GAMMA)[None], np.array([[[0.7, 0.0]]])
    )
    effects = 0.3 * np.random.default_rng(1).standard_normal((1, 3, 4))
    score, curvature = derivatives(population, sets, effects)
    assert curvature == pytest.approx(laplace_curvature(population, sets, effects), abs=2e-4)
    by, inverse = 1e-5, np.linalg.inv(sets.omega[0])

    def joint(z):
        seen = population.likelihood(population.f(sets.mean, z), sets.sigma)
        return seen[0] - 0.5 * np.einsum("ni,ij,nj->n", z[0], inverse, z[0])

    for i in range(4):
        unit = by * np.eye(4)[i]
        assert score[0, :, i] == pytest.approx((joint(effects + unit) - joint(effects - unit)) / (2 * by), abs=1e-5)
    modes = modes_of(population, sets, effects)
    assert modes.moved < 1e-6 and derivatives(population, sets, modes.effects)[0] == pytest.approx(0.0, abs=1e-4)


def test_the_share_of_accepted_moves_is_that_of_metropolis(make):
    """Draws from the population are accepted by their likelihood alone: a share that can be computed."""
    population = populate(problem(make, n=1))
    target = Target(population.mean(population.beta), OMEGA, GAMMA, np.array([[2.0, 0.0]]))
    rng = np.random.default_rng(8)
    found = walking.begin(population, target, 20_000, rng)
    one, two = found.likelihood.copy(), walking.begin(population, target, 20_000, rng).likelihood
    Walk(population, target, rng).from_population(found, 1)
    assert found.accepted["population"] == pytest.approx(np.exp(np.minimum(two - one, 0)).mean(), abs=0.01)
