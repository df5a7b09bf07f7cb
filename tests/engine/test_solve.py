"""The door: doses, levels, warm restarts, and sentences for what does not fit."""

import copy
import pickle

import numpy as np
import pytest

from vein2vein.engine import solve
from vein2vein.errors import InputError
from vein2vein.models.model import give
from vein2vein.models.stein_2019 import MODEL as STEIN

TWO = np.array([[1.0, 3.0, 0.5, 6.0], [2.0, 4.0, 0.7, 5.0]])


def analytic(p, days, dose):
    """Central amount after a bolus at day 0, by eigenvalues."""
    cl, v, q, w = p
    a = np.array([[-(cl + q) / v, q / w], [q / v, -q / w]])
    values, vectors = np.linalg.eig(a)
    weights = np.linalg.solve(vectors, [dose, 0.0])
    return np.real(np.exp(np.outer(days, values)) @ (vectors[0] * weights))


@pytest.mark.parametrize("backend", solve.BACKENDS)
def test_boluses_add_up_as_in_the_closed_form(models, backend):
    days = np.linspace(0, 12, 25)
    doses = [(4.0, "bolus", np.array([10.0, 20.0])), (0.0, "bolus", 100.0)]
    found = solve.solve(models["two_compartment"], TWO, None, days, doses, rtol=1e-8, backend=backend)
    for i, second in enumerate((10.0, 20.0)):
        expected = analytic(TWO[i], days, 100.0)
        expected[days >= 4] += analytic(TWO[i], days[days >= 4] - 4, second)
        assert found.values[i, :, 0] == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("backend", solve.BACKENDS)
def test_a_level_is_held_until_it_is_changed(models, backend):
    model = models["two_compartment"]
    doses = [(0.0, "infusion", 5.0), (500.0, "infusion", 0.0)]
    found = solve.solve(model, TWO, None, [0.0, 500.0, 900.0], doses, rtol=1e-8, backend=backend)
    assert found.values[:, 1, 0] == pytest.approx(5.0 * TWO[:, 1] / TWO[:, 0], rel=1e-5)  # rate * V / CL
    assert found.values[:, 2, 0] == pytest.approx(0.0, abs=1e-4)
    held = solve.solve(model, TWO, None, [0.0, 500.0], levels={"infusion": 5.0}, rtol=1e-8, backend=backend)
    assert held.values[:, 1] == pytest.approx(found.values[:, 1], rel=1e-9)


@pytest.mark.parametrize("backend", solve.BACKENDS)
def test_many_short_advances_equal_one_long_one(models, patients, backend):
    model, p = models["cytokine"], patients(2)
    run = whole = solve.begin(model, p, rtol=1e-8, backend=backend)
    for day in np.arange(0.5, 10.1, 0.5):
        run = solve.advance(run, day)
    whole = solve.advance(whole, 10.0)
    assert run.day == whole.day == 10.0
    # The equations jump: where steps fall decides some of the last digits.
    assert run.state == pytest.approx(whole.state, rel=3e-5, abs=1e-7)
    fresh = solve.begin(model, p, run.state, 10.0, rtol=1e-8, backend=backend)
    warm, cold = solve.advance(run, 10.5), solve.advance(fresh, 10.5)
    assert np.all(warm.steps - run.steps <= cold.steps), "a warm restart costs no more steps than a cold one"


def test_runs_are_values_and_doses_enter_between_advances(models):
    model = models["two_compartment"]
    run = solve.begin(model, TWO)
    dosed = solve.advance(run, 1.0, state=give(model, "bolus", 50.0, run.state, run.parameters))
    plain = solve.advance(run, 1.0)
    assert np.all(run.state == 0) and run.day == 0.0
    assert np.all(plain.state == 0)
    assert np.all(dosed.state > 0)
    with pytest.raises(AttributeError):
        run.day = 2.0  # ty: ignore


def test_some_patients_can_be_taken_on_alone(models, patients):
    model, p = models["cytokine"], patients(21)
    run = solve.advance(solve.begin(model, p), 3.0)
    rows = np.arange(21) % 3 == 1
    part, whole = solve.advance(solve.take(run, rows), 7.0), solve.advance(run, 7.0)
    assert np.array_equal(part.state, whole.state[rows])
    assert np.array_equal(part.steps, whole.steps[rows])


def test_a_failed_patient_is_not_revived_by_a_new_state(models):
    p = np.array([[1.0, 2.0], [1.0, -0.5]])
    run = solve.advance(solve.begin(models["logistic"], p), 20.0)
    assert list(run.status == 0) == [True, False]
    again = solve.advance(run, 21.0, state=np.ones((2, 1)))
    assert again.state[1] == run.state[1]
    assert again.state[0] != run.state[0]


def test_days_may_repeat_and_no_patient_is_allowed(models):
    found = solve.solve(models["decay"], [[1.0]], None, [0.0, 1.0, 1.0])
    assert found.values[0, 1] == found.values[0, 2]
    for backend in solve.BACKENDS:
        empty = solve.solve(models["decay"], np.zeros((0, 1)), None, [0.0, 1.0], backend=backend)
        assert empty.values.shape == (0, 2, 1)


NAN = float("nan")
REFUSED = [
    (lambda m: solve.begin(m, [[1, 1, 1, 1], [1, NAN, 1, 1]]), "the parameter 'V' of patient 1 .* is nan"),
    (lambda m: solve.begin(m, [[1, 1, 1]]), r"shape \(1, 3\), expected \(patients, 4\)"),
    (lambda m: solve.begin(m, TWO, [[0.0, 0.0]]), r"state matrix has shape \(1, 2\), expected \(2, 2\)"),
    (lambda m: solve.begin(m, TWO, [[0.0, 0.0], [0.0, np.inf]]), "the state 'outer' of patient 1"),
    (lambda m: solve.begin(m, TWO, rtol=-1.0), "rtol is -1.0"),
    (lambda m: solve.begin(m, TWO, rtol=NAN), "rtol is nan"),
    (lambda m: solve.begin(m, TWO, max_step=0.0), "max_step is 0.0"),
    (lambda m: solve.begin(m, TWO, backend="bach"), "unknown backend 'bach'; did you mean batch"),
    (lambda m: solve.begin(m, TWO, day=NAN), "a day is nan"),
    (lambda m: solve.begin(m, TWO, levels={"infusoin": 1.0}), "unknown level 'infusoin'; did you mean infusion"),
    (lambda m: solve.begin(m, TWO, width=3), "width is 3"),
    (lambda m: solve.advance(solve.begin(m, TWO, day=2.0), 1.0), "from day 2 back to day 1"),
    (lambda m: solve.solve(m, TWO, None, [0.0, 2.0, 1.0]), "not in order: 1 follows 2"),
    (lambda m: solve.solve(m, TWO, None, []), "at least one"),
    (lambda m: solve.solve(m, TWO, None, [0, 1], [(0, "bolsu", 1)]), "unknown input 'bolsu'; did you mean bolus"),
    (lambda m: solve.solve(m, TWO, None, [0, 1], [(-1, "bolus", 1)]), "lies before the first day asked for"),
    (lambda m: solve.solve(m, TWO, None, [0, 1], [(0, "bolus", [1, 2, 3])]), "amount of 'bolus' on day 0"),
]


@pytest.mark.parametrize("case", range(len(REFUSED)))
def test_what_does_not_fit_is_refused_with_a_sentence(models, case):
    call, sentence = REFUSED[case]
    with pytest.raises(InputError, match=sentence):
        call(models["two_compartment"])


def test_every_status_has_a_sentence():
    assert sorted(solve.STATUS) == [0, 1, 2, 3, 4]
    assert all(len(text) > 5 for text in solve.STATUS.values())


def test_what_was_used_goes_to_another_process():
    """Machine code stays where it is; whoever unpickles makes it anew, and gets the same bits."""
    p, days = np.array([[STEIN.example[k] for k in STEIN.parameters]]), [0.0, 3.0, 20.0]
    prepared = solve.prepare(STEIN, days, [(0.0, "car_t_infusion", 1.0)])
    found = prepared(p)
    run = solve.advance(solve.begin(STEIN, p), 3.0)
    for again, run_again in (
        (pickle.loads(pickle.dumps(prepared)), pickle.loads(pickle.dumps(run))),
        (copy.deepcopy(prepared), copy.deepcopy(run)),
    ):
        assert np.array_equal(again(p).values, found.values)
        assert np.array_equal(solve.advance(run_again, 9.0).state, solve.advance(run, 9.0).state)
