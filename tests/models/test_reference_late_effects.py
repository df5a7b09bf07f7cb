"""What outlasts its cause in the reference model: commitment, crowding, tolerance, marrow injury, immunity, salvage."""

import numpy as np
import pytest

from vein2vein.engine.solve import solve
from vein2vein.models.model import named, start
from vein2vein.models.reference import model as reference
from vein2vein.virtual import covariate_constants, covariates, hazards

MODEL = reference.MODEL
EXPONENT = MODEL.example["nIF"]  # of the law by which interferon switches macrophages on
AT = {name: i for i, name in enumerate(MODEL.state_names)}


def patients(**changes):
    """Parameter matrix: the example patient, a row for each value of the changes."""
    count = max((np.size(value) for value in changes.values()), default=1)
    rows = {name: np.broadcast_to(float(MODEL.example[name]), count) for name in MODEL.parameters}
    return np.stack([np.broadcast_to(changes.get(name, rows[name]), count) for name in MODEL.parameters], axis=1)


def follow(p, days, doses=MODEL.example_doses, **begin):
    state = start(MODEL, p)
    for name, value in begin.items():
        state[:, AT[name]] = value
    return named(MODEL.state_names, solve(MODEL, p, state, days, doses, rtol=1e-8).values)


def test_a_commitment_to_divide_outlasts_the_antigen():
    no_antigen = dict.fromkeys(("B_a", "P_a", "a_T", "kR"), 0.0)
    days = np.linspace(0.0, 10.0, 11)
    x = follow(patients(kAC=[0.5, 50.0], tauA=0.001, **no_antigen), days, doses=(), E=1.0)
    assert np.allclose(x.AC[0], np.exp(-0.5 * days), rtol=1e-3)  # engagement is 0 from the first day
    assert x.E[0].max() > 1.2 and x.E[0, -1] < x.E[0].max()  # divisions go on, then stop
    assert x.E[1].max() < 1.1


def test_new_effectors_come_with_their_commitment():
    x = follow(patients(kAC=2.0), np.linspace(-6.0, 3.0, 19))
    assert np.all(x.AC[0, :12] == 1.0)  # no effectors, nothing fades
    assert x.AC[0, -1] > 0.5


def test_peaks_hardly_depend_on_the_dose():
    dose = MODEL.example_doses[-1][2]
    p = np.repeat(patients(), 3, axis=0)
    doses = [*MODEL.example_doses[:-1], (0.0, "car_t_infusion", dose * np.array([1 / 5, 1, 5]))]
    peak = follow(p, np.linspace(-6.0, 28.0, 137), doses).E.max(axis=1)
    assert np.all(np.diff(peak) > 0)
    assert np.log(peak[2] / peak[0]) / np.log(25) < 0.25


def test_cells_wait_before_they_divide():
    days = np.linspace(0.0, 20.0, 401)
    lags = np.array([0.2, 3.0, 6.0])
    quiet = dict.fromkeys(("muE", "kEM", "kEX", "kR", "fM"), 0.0)
    x = follow(patients(tauA=lags, **quiet), days, doses=[(0.0, "car_t_infusion", MODEL.example_doses[-1][2])])
    assert np.allclose(x.W[:, -1], days[-1], rtol=0.1)  # a clock that starts with the cells
    during = [row[(days > 2.3) & (days < lag / 2)] for row, lag in zip(x.E[1:], lags[1:], strict=True)]
    assert all(np.ptp(row) < 0.05 * row[0] for row in during if row.size)  # once they have settled
    begun = [days[np.argmax(row > 0.1 * row.max())] for row in x.E]
    assert np.all(np.diff(begun) > 0.7 * np.diff(lags))  # what begins later peaks later
    assert np.allclose(x.E.max(axis=1), x.E.max(axis=1)[0], rtol=0.3)  # and as high: cells that wait do not age
    fresh = follow(patients(), np.linspace(-6.0, 0.0, 7), doses=())
    assert np.all(fresh.W == 0)  # without cells no time passes


def test_more_cells_do_not_prime_more_immunity_and_a_second_infusion_among_living_cells_primes_less():
    dose = MODEL.example_doses[-1][2]
    p = np.repeat(patients(kapR=0.0), 3, axis=0)
    first = (0.0, "car_t_infusion", dose * np.array([0.01, 1.0, 30.0]))
    x = follow(p, np.linspace(-6.0, 20.0, 105), [*MODEL.example_doses[:-1], first])
    assert np.allclose(x.R[:, -1], x.R[1, -1], rtol=0.05)
    nothing = follow(p[:1], np.linspace(-6.0, 20.0, 105), [*MODEL.example_doses[:-1], (0.0, "car_t_infusion", 0.0)])
    assert np.all(nothing.R == 0)
    again = follow(p[:1], np.linspace(-6.0, 20.0, 105), [*MODEL.example_doses, (12.0, "car_t_infusion", dose)])
    assert again.V[0, 72:].max() < 0.2  # day 12, at the height of the expansion


def test_more_inflammation_is_more_interleukin_10_without_a_threshold():
    days = np.linspace(-6.0, 28.0, 273)
    x = follow(patients(yE=MODEL.example["yE"] * np.geomspace(0.25, 4, 5), yI=0.0), days)
    for name in ("IL6", "IL10"):
        peak = getattr(x, name).max(axis=1)
        steps = np.diff(np.log(peak - getattr(x, name)[:, 0]))
        assert np.all(steps > 0.1) and np.all(steps < EXPONENT * np.log(2)), name  # no more than the law of macrophages
    assert np.all(x.IL10[:, 0] == MODEL.example["bl10"])


def test_macrophages_answer_a_second_time_less():
    days = np.linspace(-6.0, 28.0, 137)
    tolerant = follow(patients(kTLon=[0.0, 0.5]), days)
    assert tolerant.TL[0].max() == 0 and 0 < tolerant.TL[1].max() < 1
    late = days > 15
    assert tolerant.MAC[1, late].max() < tolerant.MAC[0, late].max()
    assert tolerant.MAC[1].max() > 0.5 * tolerant.MAC[0].max()  # the first answer stays


def test_inflamed_marrow_recovers_late():
    days = np.linspace(-6.0, 60.0, 67)
    x = follow(patients(kMDon=[0.0, 0.6], wMDn=1.0, wMDp=0.5), days)
    at = np.searchsorted(days, 28.0)
    assert x.MD[0].max() == 0 and x.MD[1].max() > 0.1
    assert x.N5[1, at] < x.N5[0, at] and x.Q4[1, at] < x.Q4[0, at]
    assert x.MD[1, -1] < x.MD[1].max()
    heavy = follow(patients(kMDon=50.0, kMDoff=0.0, wMDn=5.0), days)  # production never turns negative
    assert heavy.N1.min() > 0


def test_lymphocytes_left_at_infusion_prime_immunity_that_acts_later():
    days = np.linspace(-6.0, 120.0, 127)
    strong = [dose for dose in MODEL.example_doses if dose[1] != "fludarabine"]
    with_it, without = follow(patients(kR=5e-4), days), follow(patients(kR=5e-4), days, strong)
    assert without.R[0].max() > 2 * with_it.R[0].max() > 0
    assert days[with_it.R[0].argmax()] > 14 > days[with_it.RP[0].argmax()]


def test_severity_rises_with_burden_between_its_bounds():
    c = covariate_constants.constants()
    effect = covariates.inflammation_effect(c, np.array([1e-3, 10.0, c.inflammation_reference, 14_000.0, 1e9]))
    assert np.all(np.diff(effect) >= 0) and effect[2] == pytest.approx(1)
    assert effect[0] == c.inflammation_least and effect[-1] == c.inflammation_most


def test_salvage_cures_its_share_and_keeps_the_median():
    n = np.arange(40_000)
    day = hazards.death_after_progression(np.zeros(n.size), 12.0, n, 1, 0.3)
    assert np.isinf(day).mean() == pytest.approx(0.3, abs=0.01)
    assert np.median(day) == pytest.approx(365.25, rel=0.03)
    same = hazards.death_after_progression(np.zeros(n.size), 12.0, n, 1)
    assert np.isfinite(same).all() and np.median(same) == pytest.approx(365.25, rel=0.03)


def test_a_second_infusion_primes_less_where_car_t_cells_already_live():
    days = np.linspace(-6.0, 60.0, 67)
    first = MODEL.example_doses[-1]
    assert first[1] == "car_t_infusion"
    again = [*MODEL.example_doses, (10.0, "car_t_infusion", first[2])]
    late = [*MODEL.example_doses[:-1], (10.0, "car_t_infusion", first[2])]
    single, both, alone = (follow(patients(kR=5e-4), days, doses) for doses in (MODEL.example_doses, again, late))
    assert 0 < both.R[0].max() - single.R[0].max() < 0.2 * alone.R[0].max()
