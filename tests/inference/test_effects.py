"""Elementary effects of functions whose effects are known, and what is said without the library."""

import subprocess
import sys

import numpy as np
import pytest

from vein2vein.inference.sensitivity.effects import Effects, effects, sign, trajectories

LEVELS, STEP = 4, 2 / 3  # of four levels a step is two thirds of the range


def made_up(x):
    """Linear in the first two, a product of the next two, without the last."""
    return 3 * x[:, 0] - 2 * x[:, 1] + 4 * x[:, 2] * x[:, 3] + 0 * x[:, 4] + 7


def by_definition(places, results, inputs):
    """Changes over steps, by input: each trajectory moves each input once."""
    found = [[] for _ in range(inputs)]
    for start in range(0, len(places), inputs + 1):
        for row in range(start, start + inputs):
            (moved,) = np.flatnonzero(places[row + 1] != places[row])
            step = places[row + 1, moved] - places[row, moved]
            found[moved].append((results[row + 1] - results[row]) / step)
    return np.array(found)


def test_trajectories_move_one_input_at_a_time_by_one_step_on_the_grid():
    places = trajectories(5, 12, levels=LEVELS, seed=3)
    assert places.shape == (72, 5)
    np.testing.assert_allclose(places * 3, np.round(places * 3), atol=1e-9)
    for start in range(0, 72, 6):
        steps = np.abs(np.diff(places[start : start + 6], axis=0))
        assert ((steps > 0).sum(axis=1) == 1).all() and ((steps > 0).sum(axis=0) == 1).all()
        np.testing.assert_allclose(steps.sum(axis=1), STEP)
    assert np.array_equal(places, trajectories(5, 12, levels=LEVELS, seed=3))
    assert not np.array_equal(places, trajectories(5, 12, levels=LEVELS, seed=4))


def test_the_effects_of_a_known_function_are_found():
    places = trajectories(5, 20, levels=LEVELS, seed=1)
    results = made_up(places)
    found = effects(places, results, levels=LEVELS, resamples=100, seed=1)
    own = by_definition(places, results, 5)
    np.testing.assert_allclose(found.mu[[0, 1, 4]], [3, -2, 0], atol=1e-9)
    np.testing.assert_allclose(found.mu_star[[0, 1, 4]], [3, 2, 0], atol=1e-9)
    np.testing.assert_allclose(found.sigma[[0, 1, 4]], 0, atol=1e-9)
    np.testing.assert_allclose(found.mu, own.mean(axis=1), atol=1e-9)
    np.testing.assert_allclose(found.mu_star, np.abs(own).mean(axis=1), atol=1e-9)
    np.testing.assert_allclose(found.sigma, own.std(axis=1, ddof=1), atol=1e-9)
    assert (found.sigma[2:4] > 1).all() and (found.half_width[2:4] > 0.1).all()  # they act together
    np.testing.assert_allclose(found.half_width[[0, 1, 4]], 0, atol=1e-9)
    assert sign(found, 0.8).tolist() == [1, -1, 1, 1, 0]


def test_one_input_is_enough():
    places = trajectories(1, 2, levels=LEVELS, seed=1)
    found = effects(places, 5 * places[:, 0], levels=LEVELS, resamples=10, seed=1)
    np.testing.assert_allclose([found.mu[0], found.mu_star[0]], 5)


@pytest.mark.parametrize(
    ("mu", "mu_star", "expected"),
    [(1.0, 1.0, 1), (-0.8, 1.0, -1), (0.79, 1.0, 0), (-0.79, 1.0, 0), (0.0, 0.0, 0), (0.0, 2.0, 0)],
)
def test_an_effect_has_a_sign_where_most_of_it_goes_one_way(mu, mu_star, expected):
    one = Effects(*(np.array([value]) for value in (mu, mu_star, 0.0, 0.0)))
    assert sign(one, 0.8).tolist() == [expected]


def test_without_the_library_one_sentence_says_what_to_install():
    code = (
        "import sys; sys.modules['SALib'] = None; from vein2vein.cli.main import main; sys.exit(main(['sensitivity']))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.returncode == 2 and done.stdout == "" and done.stderr.count("\n") == 1
    assert "needs the extra 'sensitivity'" in done.stderr and "pip install 'vein2vein[sensitivity]'" in done.stderr
