"""The engine as a JAX function; where JAX is absent only its sentence is tested."""

import importlib.util

import numpy as np
import pytest

from vein2vein.engine.tangents import jax_bridge
from vein2vein.engine.tangents.sensitivity import sensitivities
from vein2vein.errors import InputError

HERE = importlib.util.find_spec("jax") is not None
needs_jax = pytest.mark.skipif(not HERE, reason="JAX is not installed (optional extra 'jax')")

TWO = np.array([[1.0, 3.0, 0.5, 6.0], [2.0, 4.0, 0.7, 5.0]])
DAYS = np.array([0.0, 1.0, 4.0, 8.0])
DOSES = [(0.0, "bolus", 100.0), (4.0, "bolus", np.array([10.0, 20.0]))]
WRT = ["CL", "Q", "dose:1"]


@pytest.fixture
def jax():
    found = pytest.importorskip("jax", reason="JAX is not installed (optional extra 'jax')")
    found.config.update("jax_enable_x64", True)
    return found


@pytest.mark.skipif(HERE, reason="JAX is installed")
def test_without_jax_a_sentence_says_what_to_install(models):
    with pytest.raises(InputError, match=r"JAX is not installed; .* pip install 'vein2vein\[jax\]'"):
        jax_bridge.differentiable(models["two_compartment"], TWO, None, DAYS, DOSES, WRT)


@needs_jax
def test_values_and_derivatives_are_the_engines_own(jax, models):
    model = models["two_compartment"]
    simulate = jax_bridge.differentiable(model, TWO, None, DAYS, DOSES, WRT, rtol=1e-9)
    theta = np.array([[1.2, 0.6, 12.0], [1.9, 0.8, 21.0]])
    p = TWO.copy()
    p[:, [0, 2]] = theta[:, :2]
    doses = [DOSES[0], (4.0, "bolus", theta[:, 2])]
    expected = sensitivities(model, p, None, DAYS, doses, WRT, rtol=1e-9)
    assert np.asarray(simulate(theta)) == pytest.approx(expected.values, rel=1e-8)
    reverse, forward = jax.jacrev(simulate)(theta), jax.jacfwd(simulate)(theta)
    for i in range(2):
        assert np.asarray(reverse)[i, :, :, i] == pytest.approx(expected.gradients[i], rel=1e-12, abs=1e-12)
        assert np.asarray(forward)[i, :, :, i] == pytest.approx(expected.gradients[i], rel=1e-12, abs=1e-12)
    assert np.all(np.asarray(reverse)[0, :, :, 1] == 0), "a patient does not move with another's parameters"


@needs_jax
def test_compiled_batched_and_shared_theta(jax, models):
    simulate = jax_bridge.differentiable(models["two_compartment"], TWO, None, DAYS, DOSES, WRT, rtol=1e-9)

    def loss(theta):
        return (simulate(theta) ** 2).sum()

    thetas = np.array([[1.2, 0.6, 12.0], [1.9, 0.8, 21.0], [1.0, 0.5, 10.0]])
    slopes = np.asarray(jax.jit(jax.vmap(jax.grad(loss)))(thetas))
    for theta, slope in zip(thetas, slopes):
        step = np.eye(3) * 1e-5 * theta
        expected = [(loss(theta + s) - loss(theta - s)) / (2 * s.sum()) for s in step]
        assert slope == pytest.approx(np.array(expected), rel=1e-4)


@needs_jax
def test_states_at_the_start_and_a_theta_that_strays(jax, models):
    model = models["logistic"]
    simulate = jax_bridge.differentiable(model, [[1.0, 2.0]], [[0.1]], [0.0, 3.0], (), ["state:N", "room"])
    slope = np.asarray(jax.jacrev(simulate)(np.array([0.1, 2.0])))[0, 1, 0]
    begin, room, grown = 0.1, 2.0, np.exp(3.0)
    below = room + begin * (grown - 1)
    assert slope[0] == pytest.approx(room**2 * grown / below**2, rel=1e-4)
    assert slope[1] == pytest.approx(begin * grown * begin * (grown - 1) / below**2, rel=1e-4)
    assert np.all(np.isnan(np.asarray(simulate(np.array([0.1, np.nan])))))


@needs_jax
def test_what_does_not_fit_is_refused(jax, models):
    model = models["two_compartment"]
    with pytest.raises(InputError, match="give the states on the first day"):
        jax_bridge.differentiable(model, TWO, None, DAYS, DOSES, ["state:outer"])
    simulate = jax_bridge.differentiable(model, TWO, None, DAYS, DOSES, WRT)
    with pytest.raises(InputError, match=r"theta has shape \(2,\)"):
        simulate(np.ones(2))


@needs_jax
def test_a_hamiltonian_sampler_recovers_a_rate(jax, models):
    """Leapfrog steps through the engine, on a posterior that is known to be normal in the limit."""
    jnp = jax.numpy
    days = np.linspace(0.0, 4.0, 9)
    simulate = jax_bridge.differentiable(models["decay"], [[1.0]], None, days, (), ["k"])
    truth, noise = 0.7, 0.05
    data = 2.0 * np.exp(-truth * days) + noise * np.random.default_rng(1).normal(size=9)

    def log_density(theta):
        return -0.5 * jnp.sum(((simulate(jnp.exp(theta))[0, :, 0] - data) / noise) ** 2)

    slope = jax.jit(jax.value_and_grad(log_density))
    rng = np.random.default_rng(2)
    position = np.zeros(1)
    value, gradient = slope(position)
    kept, accepted = [], 0
    for turn in range(300):
        momentum = rng.normal(size=1)
        energy, place, pull = value - 0.5 * momentum @ momentum, position, gradient
        for _ in range(5):
            momentum = momentum + 0.01 * np.asarray(pull)
            place = place + 0.02 * momentum
            ahead, pull = slope(place)
            momentum = momentum + 0.01 * np.asarray(pull)
        if np.log(rng.uniform()) < ahead - 0.5 * momentum @ momentum - energy:
            position, value, gradient, accepted = place, ahead, pull, accepted + 1
        if turn >= 50:
            kept.append(float(position[0]))
    grid = np.linspace(-1.5, 0.8, 4001)
    weight = np.exp(-0.5 * (((2.0 * np.exp(-np.exp(grid)[:, None] * days) - data) / noise) ** 2).sum(axis=1))
    mean = np.sum(grid * weight) / np.sum(weight)
    spread = np.sqrt(np.sum((grid - mean) ** 2 * weight) / np.sum(weight))
    assert accepted > 200
    assert np.mean(kept) == pytest.approx(mean, abs=4 * spread / np.sqrt(30))
    assert 0.5 * spread < np.std(kept) < 2 * spread


@needs_jax
def test_dose_days_of_each_patient(jax, models):
    model, days = models["two_compartment"], [0.0, 1.0, 3.0]
    p = np.array([[1.0, 3.0, 0.5, 6.0], [2.0, 4.0, 0.7, 5.0]])
    doses = [(np.array([0.0, 0.5]), "bolus", np.array([10.0, 20.0])), (np.array([np.nan, 2.0]), "bolus", 5.0)]
    simulate = jax_bridge.differentiable(model, p, None, days, doses, ["CL", "dose:1"])
    theta = np.stack([p[:, 0], [5.0, 5.0]], axis=1)
    found = sensitivities(model, p, None, days, doses, ["CL", "dose:1"])
    assert np.asarray(simulate(theta)) == pytest.approx(found.values, rel=1e-6)
    both = jax.vmap(simulate)(np.stack([theta, theta]))
    assert np.asarray(both) == pytest.approx(np.stack([found.values] * 2), rel=1e-6)
    slope = np.asarray(jax.jacobian(lambda t: simulate(t)[:, :, 0])(theta))
    for i in range(2):
        assert slope[i, :, i] == pytest.approx(found.gradients[i, :, 0], rel=1e-6)
