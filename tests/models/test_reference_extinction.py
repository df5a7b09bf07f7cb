"""Extinction along a path against exact birth-death runs: when clones die out and how large the survivors are."""

import math
from types import SimpleNamespace

import numpy as np
import pytest

from vein2vein.engine.solve import solve
from vein2vein.models.model import named, start
from vein2vein.models.reference import model as reference
from vein2vein.models.reference.extinction import (
    CLONES,
    extinction_probability,
    fate,
    founded,
    killed_at_once,
    removed,
    weight,
)

MODEL = reference.MODEL
DAYS = np.arange(0.0, 240.0, 0.25)
BIRTH = MODEL.example["g"] + MODEL.example["d0"]


def path(founders, effectors, days=DAYS):
    """A clone under effectors that decay by themselves: days, expected cells N, Q and the death rate on these days.

    Without antigen within reach the effectors follow their own course, so the kill does not depend on the clone.
    """
    cells = MODEL.example["BW"] * 1e6 * MODEL.example["f_clon"]
    absent = {f"N0_{k}": 0.0 for k in CLONES}
    alone = {"N0_pp": founders, "lnT0_pp": math.log(founders / cells), "n_T0": founders / cells, "a_T": 0.0}
    values = {**MODEL.example, **absent, **alone, "B_a": 0.0, "P_a": 0.0, "kR": 0.0}
    p = np.array([[values[name] for name in MODEL.parameters]])
    state = start(MODEL, p)
    state[0, MODEL.state_names.index("E")] = effectors
    state[0, MODEL.state_names.index("AC")] = 0.0  # not committed to divide
    solution = solve(MODEL, p, state, days, rtol=1e-9)
    x, q = named(MODEL.state_names, solution.values[0]), named(MODEL.parameters, p)
    killers = x.E + q.wM * x.M
    death = q.d0 + q.kap_p * q.kap_d * killers / (q.KE + killers)
    return SimpleNamespace(x=x, p=q, N=np.exp(x.T_pp) * cells, Q=x.Z_pp / (1 - x.Z_pp), death=death)


def exact_runs(founders, death, runs, seed, every=0.25):
    """Cells of each run on each day: exact transitions of the linear birth-death process over short intervals."""
    rng = np.random.default_rng(seed)
    cells = np.full(runs, int(founders))
    course = [cells]
    for rate in (death[1:] + death[:-1]) / 2:
        grown = math.exp((BIRTH - rate) * every)
        lost = rate * (grown - 1) / (BIRTH * grown - rate)
        lines = rng.binomial(cells, 1 - lost)
        more = rng.negative_binomial(np.maximum(lines, 1), 1 - lost * BIRTH / rate)
        cells = np.minimum(np.where(lines > 0, lines + more, 0), 10**15)  # beyond what a patient holds: long regrown
        course.append(cells)
    return np.array(course).T


def realized(drawn, founders, z):
    """Weight for draws (u, xi), each (draws,), and Z (days,): shape (draws, days)."""
    u, xi = drawn
    p = SimpleNamespace(Zgap=1e-12, N0_pp=float(founders), fate_pp=fate(u, founders)[:, None], xi_pp=xi[:, None])
    return weight(np.asarray(z)[None, :], "pp", p)


def draws(count, seed):
    rng = np.random.default_rng(seed)
    return rng.uniform(size=count), rng.exponential(size=count)


CASES = [(1, 0.3), (5, 1.5), (1000, 6.0), (100_000, 9.0), (100_000, 6.0)]


@pytest.mark.parametrize(("founders", "effectors"), CASES)
def test_probability_of_extinction_agrees_with_exact_runs(founders, effectors):
    line, runs = path(founders, effectors), 4000
    exact = (exact_runs(founders, line.death, runs, 7)[:, [40, 160, -1]] == 0).mean(axis=0)
    p = SimpleNamespace(Zgap=1e-12, **{f"N0_{k}": float(founders) * (k == "pp") for k in CLONES})
    z = SimpleNamespace(**{f"Z_{k}": line.x.Z_pp[[40, 160, -1]] for k in CLONES})
    ours = extinction_probability(z, p)["pp"]
    assert np.all(np.abs(ours - exact) < 4 * np.sqrt(ours * (1 - ours) / runs) + 0.002)
    assert np.all(extinction_probability(z, p)["np"] == 1)
    if founders >= 100:
        assert np.allclose(ours, np.exp(-1 / line.Q[[40, 160, -1]]), atol=0.01)


@pytest.mark.parametrize("founders", [1, 2, 30, 10**6, 10**13])
def test_the_weight_averages_one_and_removal_has_the_right_probability(founders):
    drawn = draws(400_000, 3)
    q = np.array([0.01, 0.3, 1.0, 4.0])
    w = realized(drawn, founders, q / (1 + q))
    survival = 1 - np.exp(-founders * np.log1p(1 / (q * founders)))
    error = w.std(axis=0) / math.sqrt(len(w))
    assert np.all(np.abs(w.mean(axis=0) - 1) < 4 * error + 1e-3)
    assert np.allclose((w > 0).mean(axis=0), survival, atol=4e-3)
    assert np.all(w >= 0) and np.all(np.diff((w > 0).astype(int), axis=1) <= 0)


def test_one_formula_serves_few_cells_and_many():
    u, xi = np.array([0.02, 0.4, 0.9]), np.array([0.3, 1.0, 2.0])
    for founders in (1.0, 7.0, 300.0):
        q = np.array([0.02, 0.2, 1.0])
        lines = q * founders
        last = u ** (1 / founders)
        p_lines = lines / (1 + lines)
        printed = (1 + lines) * (xi[:, None] / founders + (1 - 1 / founders) * (1 - p_lines / last[:, None]))
        alive = p_lines < last[:, None]
        assert np.allclose(realized((u, xi), founders, q / (1 + q)), np.where(alive, printed, 0), rtol=1e-9)
    many = realized((u, xi), 1e13, np.array([0.5]))[:, 0]
    assert np.allclose(many, np.where(1 + np.log(u) > 0, 1 + xi + np.log(u), 0), rtol=1e-9)


@pytest.mark.parametrize("target", [0.1, 0.6, 0.9])
def test_survivors_regrow_when_the_exact_runs_do(target):
    founders, level = 100_000, 1e6
    days = np.arange(0.0, 400.0, 0.25)
    low, high = 0.5, 60.0
    for _ in range(12):  # effectors that leave the wanted probability of extinction
        middle = math.sqrt(low * high)
        line = path(founders, middle, days)
        low, high = (middle, high) if math.exp(-1 / line.Q[-1]) < target else (low, middle)
    assert math.exp(-1 / line.Q[-1]) == pytest.approx(target, abs=0.05)
    exact = exact_runs(founders, line.death, 3000, 11)
    ours = realized(draws(3000, 12), founders, line.x.Z_pp) * line.N
    regrown = []
    for course in (exact, ours):
        alive = course[course[:, -1] > 0]
        regrown.append(np.median(days[len(days) - np.argmax(alive[:, ::-1] < level, axis=1)]))
    assert abs(regrown[0] - regrown[1]) < 0.3 / MODEL.example["g"]  # a third of a doubling time or so
    assert np.mean(ours[:, -1] == 0) == pytest.approx(np.mean(exact[:, -1] == 0), abs=0.04)


def test_a_removed_clone_is_gone_and_stays_gone():
    line = path(1000.0, 40.0)
    for name, value in (("fate_pp", -0.7), ("xi_pp", 0.7)):
        setattr(line.p, name, np.array([value]))
    gone = removed(line.x, line.p)["pp"]
    size = reference.clone_sizes(line.x, line.p)["pp"]
    assert gone[-1] and not gone[0] and np.all(np.diff(gone.astype(int)) >= 0)
    assert np.all(size[gone] == 0) and np.all(size[~gone] > 0)
    assert not removed(line.x, line.p)["nn"].any()


def test_a_kill_in_no_time_equals_a_fast_kill():
    founders, kill, p = 50.0, math.log(20), SimpleNamespace(Zgap=1e-12, lnN_low=-30.0)
    t = np.linspace(0, 1, 20001)
    q = np.trapezoid(kill / (founders * np.exp(-kill * t)), t)  # death alone
    z = killed_at_once(0.0, math.log(founders), 1 / 20, p)
    assert z / (1 - z) == pytest.approx(q, rel=1e-6)


def test_late_loss_accumulates_and_founds_one_cell():
    values = {**MODEL.example, "muT": 1e-9}
    p = np.array([[values[name] for name in MODEL.parameters]])
    x = named(MODEL.state_names, solve(MODEL, p, None, [-6.0, 0.0]).values[0])
    q = named(MODEL.parameters, p)
    cells = values["n_T0"] * values["BW"] * 1e6 * values["f_clon"]
    assert 6 * 1e-9 * cells < x.IM_one[1] < 6 * 1e-9 * cells * 1.2 and x.IM_two[1] == 0
    states, drawn = founded("np", [0.5], [1.0], q)
    assert np.exp(states["T_np"]) * values["BW"] * 1e6 * values["f_clon"] == pytest.approx(1)
    assert drawn["N0_np"] == 1 and drawn["fate_np"] == pytest.approx(-1) and states["Z_np"] == 0
