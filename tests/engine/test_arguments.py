"""What is asked wrongly is refused with one sentence, whatever is wrong; so is a model that does not fit itself."""

import re
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vein2vein.engine import solve
from vein2vein.engine.method.events import Event
from vein2vein.engine.method.summaries import Summary
from vein2vein.engine.tangents.jax_bridge import differentiable
from vein2vein.engine.tangents.sensitivity import sensitivities
from vein2vein.errors import InputError
from vein2vein.models.model import Input, Model, State, give

NAN, INF = float("nan"), float("inf")
DAYS = [0.0, 1.0]
ROWS = [[1.0], [2.0]]


def model(**changes):
    """Two states, one parameter, a dose and a level."""
    return Model(
        **{
            "name": "two", "title": "", "source": "none",
            "states": (State("A", "", "1"), State("B", "", "1")),
            "inputs": (Input("bolus", "", "1"), Input("held", "", "1", "level")), "parameters": ("k",),
            "equations": lambda t, x, p, u: {"A": u.held - p.k * x.A, "B": p.k * x.A},
            "initial": lambda p: {"A": 1.0}, "apply_dose": lambda name, amount, x, p: {"A": x.A + amount},
            "observables": lambda t, x, p, u: {"seen": x.A}, **changes,
        }
    )  # fmt: skip


TWO = model()
EVENT = Event("e", lambda t, x, p, u: x.B - 0.5, "bolus", 1.0)
SUMMARY = Summary("s", "max", "A")


def one_sentence(error):
    text = str(error.value)
    assert "\n" not in text and len(text) < 400, text
    assert len(re.findall(r"[.!?] [A-Z]", text)) <= 1, text


ODD = st.sampled_from(
    ["1e-6", "", b"x", None, NAN, INF, -INF, -1, 0, 1.5, True, False, [1.0], [], {"k": 1.0}, {}, (0.0, "bolus"), object,
     1j, np.array(["a"]), np.array([[1.0, 2.0, 3.0]]), np.array([NAN]), np.ones((2, 2, 2))]
)  # fmt: skip
WRONG = {
    "rtol": lambda v: not (type(v) is float and 0 < v <= 0.1),
    "backend": lambda v: True,
    "method": lambda v: True,
    "max_step": lambda v: v is not None and not (type(v) in (int, float) and v > 0),
    "max_steps": lambda v: True,
    "threads": lambda v: v is not None,
    "width": lambda v: v is not None,
    "parameters": lambda v: True,
    "state": lambda v: v is not None,
    "day": lambda v: type(v) not in (int, float) or not np.isfinite(v),
    "levels": lambda v: v is not None and v != {},
    "days": lambda v: not (type(v) in (int, float) and np.isfinite(v)) and not (type(v) is list and v == [1.0]),
    "doses": lambda v: not (isinstance(v, list) and v == []),
    "events": lambda v: not (isinstance(v, list) and v == []),
    "summaries": lambda v: not (isinstance(v, list) and v == []),
    "outputs": lambda v: type(v) is not bool and v != [],
    "wrt": lambda v: not (isinstance(v, list) and v == []) and v != {} and v != {"k": 1.0},
    "corners": lambda v: type(v) is not bool,
    "steer": lambda v: type(v) is not bool,
    "until": lambda v: type(v) not in (int, float) or not 0 <= v < INF,
    "rows": lambda v: not (isinstance(v, list) and v == []) and type(v) is not dict,
}
COMMON = ("parameters", "state", "levels", "rtol", "backend", "method", "max_step", "max_steps", "threads", "width")
DOORS = {
    "begin": (*COMMON, "day"),
    "solve": (*COMMON, "days", "doses", "events", "summaries", "outputs"),
    "sensitivities": (*COMMON, "days", "doses", "events", "wrt", "corners", "steer"),
    "advance": ("until",),
    "take": ("rows",),
}


def knock(door, **changed):
    if door == "begin":
        return solve.begin(**{"model": TWO, "parameters": ROWS, **changed})
    if door == "advance":
        return solve.advance(solve.begin(TWO, ROWS), **changed)
    if door == "take":
        return solve.take(solve.begin(TWO, ROWS), **changed)
    function = {"solve": solve.solve, "sensitivities": sensitivities}[door]
    return function(**{"model": TWO, "parameters": ROWS, "state": None, "days": DAYS, **changed})


@pytest.mark.parametrize("door,argument", [(d, a) for d, names in DOORS.items() for a in names])
@settings(max_examples=24, deadline=None, suppress_health_check=[HealthCheck.filter_too_much])
@given(value=ODD)
def test_a_wrong_argument_is_refused_in_one_sentence(door, argument, value):
    try:
        wrong = bool(WRONG[argument](value))
    except ValueError:  # an array compared with a value
        wrong = True
    if wrong:
        with pytest.raises(InputError) as error:
            knock(door, **{argument: value})
        one_sentence(error)


TOLD = [
    ("solve", {"rtol": "1e-6"}, "rtol is '1e-6'; give a relative tolerance above 1e-14 and at most 0.1"),
    ("solve", {"max_steps": -5}, "max_steps is -5; give a whole number of steps, 1 or more"),
    ("solve", {"max_steps": 0}, "max_steps is 0; "),
    ("solve", {"max_step": NAN}, "max_step is nan; give a number of days above 0"),
    ("solve", {"threads": 0}, "threads is 0; give a whole number of threads, 1 or more"),
    ("solve", {"threads": 1.5}, "threads is 1.5; "),
    ("solve", {"width": 3}, "width is 3; give 1, 2, 4 or 8"),
    ("solve", {"width": True}, "width is True; give 1, 2, 4 or 8"),
    ("solve", {"parameters": {"k": 1.0}}, "the parameter matrix is {'k': 1.0}, expected (patients, 1)"),
    ("solve", {"days": "0 1"}, "the days to solve for are '0 1'"),
    ("solve", {"doses": [(0.0, "bolus")]}, "dose number 0 (from 0) is (0.0, 'bolus'); give (day, input name, amount)"),
    ("solve", {"doses": [(0.0, "bolus", NAN)]}, "the amount of 'bolus' on day 0 is nan; give one finite number"),
    ("solve", {"doses": [(0.0, "bolus", [1.0, INF])]}, "the amount of 'bolus' on day 0 is inf for patient 1"),
    ("solve", {"doses": [("0", "bolus", 1.0)]}, "the day of 'bolus' is '0'; give a finite number of days"),
    ("solve", {"doses": [([0.0, "x"], "bolus", 1.0)]}, "the day of 'bolus' is [0.0, 'x']"),
    ("solve", {"doses": [(0.0, 3, 1.0)]}, "unknown input '3'"),
    ("solve", {"levels": {"held": [1.0, 2.0, 3.0]}}, "the level 'held' has shape (3,); give one finite number, or one"),
    ("solve", {"levels": {"held": "1"}}, "the level 'held' is '1'"),
    ("solve", {"levels": {"held": [1.0, NAN]}}, "the level 'held' is nan for patient 1"),
    ("solve", {"events": [SUMMARY]}, "one of the events is Summary(name='s'"),
    ("solve", {"events": [EVENT, EVENT]}, "two of the events are called 'e'; give each a name of its own"),
    ("solve", {"summaries": [SUMMARY, SUMMARY]}, "two of the summaries are called 's'"),
    ("solve", {"events": [replace(EVENT, condition="x.B")]}, "event e: the condition is 'x.B'; give a function"),
    ("solve", {"events": [replace(EVENT, amount="1")]}, "event e: the amount is '1'; give a finite number"),
    ("solve", {"events": [replace(EVENT, most=1.5)]}, "event e: at most 1.5 firings"),
    ("solve", {"events": [replace(EVENT, interval=NAN)]}, "event e: the interval is nan days"),
    ("solve", {"events": [replace(EVENT, name=7)]}, "an event is called 7; give it a name"),
    ("solve", {"events": [replace(EVENT, give=None)]}, "unknown input 'None'"),
    ("solve", {"summaries": [replace(SUMMARY, kind=None)]}, "summary s: unknown kind 'None'"),
    ("solve", {"summaries": [replace(SUMMARY, of=3)]}, "summary s: it is of 3; name a state or observable of"),
    ("solve", {"summaries": [replace(SUMMARY, level=1.0)]}, "summary s: a summary of kind 'max' has no level"),
    ("solve", {"summaries": [replace(SUMMARY, kind="time_above", level="1")]}, "its level is '1'"),
    ("solve", {"summaries": [replace(SUMMARY, of="sene")]}, "unknown state or observable 'sene'; did you mean seen?"),
    ("solve", {"model": "reference"}, "the model is 'reference'; give a Model, such as find_model('reference')"),
    ("begin", {"day": "0"}, "a day is '0'; give a finite number of days"),
    ("begin", {"state": [[0.0, 0.0]]}, "the state matrix has shape (1, 2), expected (2, 2)"),
    ("advance", {"until": "2"}, "a day is '2'"),
    ("take", {"rows": [5]}, "the rows are [5]; give row numbers of the 2 patients, or a mask (2,) of flags"),
    ("take", {"rows": [True]}, "the rows are [True]; "),
    ("sensitivities", {"wrt": "k"}, "wrt is 'k'; give a list of names"),
    ("sensitivities", {"wrt": [3]}, "wrt holds 3; give a list of names"),
    ("sensitivities", {"outputs": "seen"}, "outputs is 'seen'; give a list of observables"),
    ("sensitivities", {"wrt": ["dose:²"], "doses": [(0.0, "bolus", 1.0)]}, "'dose:²' names no dose"),
    ("sensitivities", {"doses": [(0.0, "bolus")]}, "dose number 0 (from 0) is (0.0, 'bolus')"),
]  # fmt: skip


@pytest.mark.parametrize("case", range(len(TOLD)))
def test_the_sentence_says_what_was_found_and_what_is_right(case):
    door, changed, sentence = TOLD[case]
    with pytest.raises(InputError, match=re.escape(sentence)) as error:
        knock(door, **changed)
    one_sentence(error)


def test_a_run_is_what_begin_returned():
    for call in (lambda: solve.advance("run", 1.0), lambda: solve.take(None, [0])):
        with pytest.raises(InputError, match=r"the run is .*; give what begin returned"):
            call()


def test_what_is_masked_is_no_number():
    masked = np.ma.array([[1.0], [2.0]], mask=[[False], [True]])
    with pytest.raises(InputError, match=r"the parameter 'k' of patient 1 .* is nan"):
        solve.begin(TWO, masked)


def test_the_bridge_checks_what_it_is_given():
    pytest.importorskip("jax")
    with pytest.raises(InputError, match="wrt is 'k'"):
        differentiable(TWO, ROWS, None, DAYS, [], "k")
    with pytest.raises(InputError, match="the parameter matrix has shape"):
        differentiable(TWO, [1.0, 2.0], None, DAYS, [], ["k"])


MISFIT = [
    ({"equations": lambda t, x, p, u: {"A": -x.A}}, "no equation for the state B"),
    ({"equations": lambda t, x, p, u: {"A": -x.A, "B": x.A, "C": x.A}}, "an equation for 'C',.* no state of the model"),
    ({"equations": lambda t, x, p, u: None}, "the equations .*NoneType; return a mapping"),
    ({"equations": lambda t, x, p, u: {"A": -x.A, "B": None}}, "'B' .*is None; give one number"),
    ({"equations": lambda t, x, p, u: {"A": -x.A, "B": "x"}}, "'B' .*is 'x'; give one number"),
    ({"equations": lambda t, x, p, u: {"A": -x.A, "B": [1.0, 2.0]}}, "'B' .*is a list; give one number"),
    ({"equations": lambda t, x, p, u: {"A": -x.A, "B": NAN}}, "the rate of B is nan whatever the patient"),
    ({"equations": lambda t, x, p, u: {"A": -p.kk * x.A, "B": x.A}}, "there is no parameter 'kk'; did you mean k"),
    ({"equations": lambda t, x, p, u: {"A": -p["k"] * x.A, "B": x.A}}, "TypeError: 'Names' object is not subscri"),
    ({"initial": lambda p: {"C": 1.0}}, "the start names a state that does not exist: unknown state 'C'"),
    ({"initial": lambda p: None}, "the start .*NoneType; return a mapping"),
    ({"initial": lambda p: {"A": "x"}}, "the value of .*'A' .*is 'x'; give one number"),
    ({"initial": lambda p: {"A": [1.0, 2.0, 3.0]}}, r"the value of .*'A' .*is (a list|\[1.0, 2.0, 3.0\]); give one"),
    ({"initial": lambda p: {"A": NAN}}, "the state 'A' of patient 0 .* is nan"),
    ({"initial": lambda p: {"A": p.kk}}, "'kk'; did you mean k"),
    ({"apply_dose": lambda name, amount, x, p: {"C": amount}}, "unknown state 'C'|'C'.* no state"),
    ({"apply_dose": lambda name, amount, x, p: None}, "NoneType; return a mapping"),
    ({"apply_dose": lambda name, amount, x, p: {"A": x.a + amount}}, "'a'; did you mean A"),
    ({"observables": lambda t, x, p, u: None}, "the observables .*NoneType; .*mapping"),
]  # fmt: skip


@pytest.mark.parametrize("backend", solve.BACKENDS)
@pytest.mark.parametrize("case", range(len(MISFIT)))
def test_a_model_that_does_not_fit_itself_is_refused(backend, case):
    changed, sentence = MISFIT[case]
    wanted = [Summary("s", "max", "seen")] if "observables" in changed else []
    with pytest.raises(InputError, match=f"model two: .*({sentence})|{sentence}") as error:
        solve.solve(model(**changed), ROWS, None, DAYS, [(0.5, "bolus", 1.0)], backend=backend, summaries=wanted)
    one_sentence(error)


@pytest.mark.parametrize("case", range(len(MISFIT)))
def test_derivatives_refuse_it_too(case):
    changed, _ = MISFIT[case]
    with pytest.raises(InputError) as error:
        sensitivities(
            model(**changed), ROWS, None, DAYS, [(0.5, "bolus", 1.0)], ["k"],
            outputs=["seen"] if "observables" in changed else None,
        )  # fmt: skip
    one_sentence(error)


BUILT = [
    (lambda: model(states=(State("A", "", "1"), State("A", "", "1"))), "two states are called 'A'"),
    (lambda: model(parameters=("k", "k")), "two parameters are called 'k'"),
    (lambda: model(inputs=(Input("bolus", "", "1"), Input("bolus", "", "1"))), "two inputs are called 'bolus'"),
    (lambda: model(equations=None), "equations is None; give a function"),
    (lambda: model(parameters=("k", "j"), example={"k": 1.0}), "its example lacks the parameter 'j'"),
    (lambda: State("A", "", "1", scale=0.0), "state A: its scale is 0.0"),
    (lambda: State("A", "", "1", low=2.0, high=1.0), "state A: its bounds are 2.0 and 1.0"),
    (lambda: State("", "", "1"), "a state is called ''"),
    (lambda: Input("bolus", "", "1", "doze"), "input bolus: unknown kind 'doze'; did you mean dose"),
]


@pytest.mark.parametrize("case", range(len(BUILT)))
def test_a_model_that_cannot_be_is_not_built(case):
    build, sentence = BUILT[case]
    with pytest.raises(InputError, match=re.escape(sentence)) as error:
        build()
    one_sentence(error)


def test_a_branch_is_for_the_readable_solver_alone():
    """Equations with a branch cannot be recorded; the readable solver takes them, and looks at what they return."""

    def branched(t, x, p, u):
        return {"A": -x.A if x.A > 0.5 else 0.0, "B": 0.0}

    found = solve.solve(model(equations=branched), ROWS, None, DAYS, backend="plain")
    assert np.all(found.status == 0) and np.all(found.values[:, -1, 0] <= 0.51)
    with pytest.raises(InputError, match=r"a branch on a value that is not known yet; use where"):
        solve.solve(model(equations=branched), ROWS, None, DAYS)
    for rates, sentence in (
        ({"A": 0.0}, "no equation for the state B"), ({"A": 0.0, "B": None}, "the rate of B is None"),
        ([], "what the equations returned is list"),
    ):  # fmt: skip
        with pytest.raises(InputError, match=sentence):
            solve.solve(
                model(equations=lambda t, x, p, u, rates=rates: rates if x.A > 0 else None), ROWS, None, DAYS,
                backend="plain",
            )  # fmt: skip


def test_a_dose_that_a_model_does_not_know_is_refused():
    with pytest.raises(InputError, match="does not represent the input 'pill'; known: bolus"):
        give(TWO, "pill", 1.0, np.zeros((1, 2)), np.ones((1, 1)))
    with pytest.raises(InputError, match="names a state that does not exist"):
        give(model(apply_dose=lambda n, a, x, p: {"C": a}), "bolus", 1.0, np.zeros((1, 2)), np.ones((1, 1)))
