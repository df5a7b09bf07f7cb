"""Stein 2019 against its own closed form and numbers recomputed from its table."""

import numpy as np
import pytest

from vein2vein.engine.solve import solve
from vein2vein.models import stein_2019
from vein2vein.models.stein_2019 import MODEL
from vein2vein.parameters import as_matrix, individual_values

TYPICAL = {name: MODEL.example[name] for name in MODEL.parameters}


def transgene(days, doses=MODEL.example_doses, backend="plain", **change):
    matrix = as_matrix({**TYPICAL, **change}, MODEL.parameters, 1)
    asked = np.unique(np.append(0.0, days))
    solution = solve(MODEL, matrix, None, asked, doses, backend=backend, rtol=1e-8)
    assert not solution.status.any()
    return (solution.values[0, :, 0] + solution.values[0, :, 1])[np.isin(asked, days)]


def test_states_follow_the_closed_form():
    days = np.array([0.0, 1, 4, 9, 9.3, 10, 14, 28, 60])
    assert np.allclose(transgene(days), stein_2019.closed_form(days, TYPICAL), rtol=1e-6)


def test_closed_form_gives_the_recomputed_numbers():
    later = stein_2019.closed_form([14, 28, 90, 180, 365], TYPICAL)
    assert later == pytest.approx([11411.5, 1373.6, 146.5, 109.8, 60.7], rel=1e-3)
    assert stein_2019.closed_form(0, TYPICAL) == pytest.approx(6.154, rel=1e-3)
    grid = np.linspace(0, 28, 280_001)
    area = np.trapezoid(stein_2019.closed_form(grid, TYPICAL), grid)
    assert area == pytest.approx(171_774, rel=1e-4)


def test_tocilizumab_before_the_peak_raises_it_by_what_the_paper_says():
    rho = np.log(3900) / 9.3
    days = [9.3]
    given = transgene(days, [*MODEL.example_doses, (5.7, "tocilizumab", 320.0)])
    assert given / transgene(days) == pytest.approx(np.exp(0.2 * rho * (9.3 - 5.7)), rel=1e-5)


def test_tocilizumab_after_the_peak_and_steroids_change_nothing():
    days = [5.0, 9.3, 20.0]
    late = transgene(days, [*MODEL.example_doses, (10.0, "tocilizumab", 320.0)])
    steroid = transgene(days, [*MODEL.example_doses, (5.7, "dexamethasone", 10.0)])
    assert np.allclose(late, transgene(days), rtol=1e-6) and np.allclose(steroid, transgene(days), rtol=1e-6)
    slowed = transgene(days, [*MODEL.example_doses, (5.7, "methylprednisolone", 60.0)], Fster=0.5)
    assert slowed[1] < transgene(days)[1] and slowed[0] == pytest.approx(transgene(days)[0])


def test_the_size_of_the_dose_does_not_enter_and_no_dose_is_no_curve():
    days = [3.0, 20.0]
    small, large = (transgene(days, [(0.0, "car_t_infusion", dose)]) for dose in (1e6, 2e8))
    assert np.array_equal(small, large) and small.min() > 0
    assert not transgene(days, []).any()


def test_population_spread():
    drawn = individual_values(stein_2019.parameters(), np.arange(20_000), 1)
    assert np.std(np.log(drawn["Cmax"])) == pytest.approx(0.65, abs=0.02)
    assert np.std(np.log(drawn["Tmax"])) == pytest.approx(0.38, abs=0.01)


def test_full_covariate_model_of_cmax():
    traits = {"prior_hsct": [0, 1], "no_fludarabine": [0, 1]}
    cmax = stein_2019.full_model_cmax(24_000, traits=traits, transduction=[19, 38])
    assert cmax == pytest.approx([24_000, 24_000 * np.exp(0.29 - 0.63) * 2**0.22])
    assert stein_2019.full_model_cmax(24_000, traits={}, dose_per_kg=6.2e6) == pytest.approx(24_000 * 2**0.093)
    with pytest.raises(ValueError, match="eye_color"):
        stein_2019.full_model_cmax(24_000, traits={"eye_color": 1})
