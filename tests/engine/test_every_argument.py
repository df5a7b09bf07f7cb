"""Every argument of every door of the engine, given everything that a caller may hand in by mistake.

What comes back is a result or one sentence that names the argument; never another exception, and never nothing at all.
"""

import decimal
import fractions
import itertools
import re
import signal
from contextlib import contextmanager
from datetime import datetime

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vein2vein.engine import solve
from vein2vein.engine.dose_records import Dose
from vein2vein.engine.method.events import Event
from vein2vein.engine.method.summaries import Summary
from vein2vein.engine.prepare import prepare
from vein2vein.engine.tangents.adjoint import gradient
from vein2vein.engine.tangents.sensitivity import sensitivities
from vein2vein.errors import InputError
from vein2vein.models.model import Input, Model, State

NAN, INF = float("nan"), float("inf")
SECONDS = 20


def equations(t, x, p, u):
    return {"A": u.held - p.k * x.A, "B": p.k * x.A}


MODEL = {
    "name": "two", "title": "", "source": "none", "states": (State("A", "", "1"), State("B", "", "1")),
    "inputs": (Input("bolus", "", "1"), Input("held", "", "1", "level")), "parameters": ("k",), "equations": equations,
    "initial": lambda p: {"A": 1.0}, "apply_dose": lambda name, amount, x, p: {"A": x.A + amount},
    "observables": lambda t, x, p, u: {"seen": x.A}, "example": {"k": 1.0}, "example_doses": ((0.0, "bolus", 1.0),),
}  # fmt: skip
TWO = Model(**MODEL)
EVENT = {"name": "e", "condition": lambda t, x, p, u: x.B - 0.5, "give": "bolus", "amount": 1.0, "most": 2,
         "interval": 0.5}  # fmt: skip
DOSE = {"input": "bolus", "amount": 1.0, "day": 0.0, "rate": None, "duration": None, "lag": 0.0, "bioavailability": 1.0,
        "additional": 0, "interval": 1.0, "steady_state": 0}  # fmt: skip
SUMMARY = {"name": "s", "kind": "time_above", "of": "A", "level": 0.5}
COMMON = {"model": TWO, "parameters": [[1.0], [2.0]], "state": None, "levels": None, "rtol": 1e-6, "backend": "batch",
          "method": "tsit5", "max_step": None, "max_steps": 1000, "threads": 1, "width": None}  # fmt: skip
ASKED = {**COMMON, "days": [0.0, 1.0], "doses": [(0.0, "bolus", 1.0)], "events": []}


def solved(**changes):
    return solve.solve(**{**ASKED, "summaries": [], **changes})


def of_model(**fields):
    return solved(model=Model(**{**MODEL, **fields}))


def begun():
    return solve.begin(TWO, [[1.0], [2.0]])


def loss(values):
    return np.zeros(len(values) if values.ndim == 3 else 2), np.ones(values.shape)


# Name, function, arguments that are right. A door that is added here is tried with all that follows.
DOORS = [
    ("begin", solve.begin, {**COMMON, "day": 0.0}),
    ("advance", lambda run=None, **k: solve.advance(begun() if run is None else run, **k),
     {"run": None, "until": 1.0, "state": None, "levels": None}),
    ("take", lambda run=None, **k: solve.take(begun() if run is None else run, **k), {"run": None, "rows": [0]}),
    ("solve", solve.solve, {**ASKED, "summaries": [], "outputs": True, "begin": None}),
    ("prepare", lambda **k: solve.prepare(**k)([[1.0], [2.0]]),
     {**{k: v for k, v in ASKED.items() if k not in ("parameters", "state")}, "outputs": ["seen", "B"], "begin": 0.0,
      "summaries": []}),
    ("prepare, one door", lambda **k: prepare(**k)([[1.0], [2.0]]),
     {**{k: v for k, v in ASKED.items() if k not in ("parameters", "state")}, "outputs": ["seen", "B"], "begin": 0.0,
      "summaries": [], "sensitivities": None}),
    ("prepare, differentiated", lambda **k: prepare(**k)([[1.0], [2.0]]),
     {**{k: v for k, v in ASKED.items() if k not in ("parameters", "state")}, "outputs": ["seen", "B"], "begin": 0.0,
      "summaries": [], "sensitivities": ["k", "dose:0"]}),
    ("prepared", lambda **k: solve.prepare(TWO, [0.0, 1.0], threads=1)(**k),
     {"parameters": [[1.0], [2.0]], "state": None, "levels": None}),
    ("sensitivities", sensitivities,
     {**ASKED, "wrt": ["k"], "outputs": None, "corners": True, "steer": False}),
    ("prepared derivatives", lambda **k: prepare(TWO, [0.0, 1.0], threads=1, sensitivities=["k"])(**k),
     {"parameters": [[1.0], [2.0]], "state": None, "levels": None}),
    ("derivatives under a Dose", lambda **k: prepare(TWO, [0.0, 1.0], [Dose(**k)], sensitivities=["k"])([[1.0], [2.0]]),
     {**DOSE, "duration": 0.5}),
    ("gradient", gradient,
     {**{k: v for k, v in ASKED.items() if k != "events"}, "weights": loss, "wrt": ["k"],
      "outputs": None, "begin": None}),
    ("State", lambda **k: of_model(states=(State(**k), State("B", "", "1"))),
     {"name": "A", "meaning": "", "unit": "1", "scale": 1e-6, "low": -INF, "high": INF}),
    ("Input", lambda **k: of_model(inputs=(Input(**k), Input("held", "", "1", "level"))),
     {"name": "bolus", "meaning": "", "unit": "1", "kind": "dose"}),
    ("Dose", lambda **k: solved(doses=[Dose(**k)]), DOSE),
    ("Event", lambda **k: solved(events=[Event(**k)]), EVENT),
    ("Summary", lambda **k: solved(summaries=[Summary(**k)]), SUMMARY),
    ("Model", of_model, MODEL),
]  # fmt: skip


class Raises:
    """An array that cannot be made, of a library that fails."""

    def __array__(self, *_, **__):
        raise RuntimeError("no array\nof two lines")


class Dumb:
    """What cannot even be shown."""

    def __repr__(self):
        raise RuntimeError("no words")


class Table:
    """Looks like a table, and is none."""

    columns = ("k", "A")

    def __getitem__(self, name):
        raise KeyError(name)


class Broken:
    """A table whose columns cannot be asked for."""

    @property
    def columns(self):
        raise RuntimeError("no columns")


def endless():
    yield from itertools.repeat("k")


def failing():
    yield "k"
    raise OSError("gone")


def itself():
    found = []
    found.append(found)
    return found


NASTY = {
    "none": lambda: None, "empty text": str, "text": lambda: "x", "number as text": lambda: "1e-6",
    "lines": lambda: "two\nlines", "bytes": lambda: b"x", "bytearray": lambda: bytearray(b"k"), "mapping": dict,
    "of k": lambda: {"k": 1.0}, "of kk": lambda: {"kk": 1.0}, "of none": lambda: {"k": None},
    "numbered": lambda: {1: 2.0}, "set": lambda: {1.0}, "ragged": lambda: [[1.0], [2.0, 3.0]], "list": list,
    "deep": lambda: [[[1.0]]], "rows": lambda: [[1.0], [2.0]], "row of none": lambda: [[None]],
    "empty row": lambda: [[]], "one": lambda: [1.0], "of text": lambda: ["k"], "of a state": lambda: ["A"],
    "of nothing": lambda: [None], "tuple": tuple, "complex": lambda: 1j, "true": lambda: True, "false": lambda: False,
    "flag": lambda: np.True_, "0": lambda: 0, "-1": lambda: -1, "1": lambda: 1, "3": lambda: 3,
    "huge": lambda: 10**400, "low": lambda: -(10**400), "digits": lambda: 10**5000, "2**63": lambda: 2**63,
    "-0": lambda: -0.0, "half": lambda: 0.5, "nan": lambda: NAN, "inf": lambda: INF, "-inf": lambda: -INF,
    "large": lambda: 1e308, "tiny": lambda: 5e-324, "float32": lambda: np.float32(0.5), "int8": lambda: np.int8(1),
    "decimal": lambda: decimal.Decimal("0.5"), "fraction": lambda: fractions.Fraction(1, 2),
    "objects": lambda: np.array([[1.0], [None]], dtype=object), "letters": lambda: np.array([["a"], ["b"]]),
    "dates": lambda: np.array(["2020-01-01"], dtype="datetime64[D]"), "spans": lambda: np.timedelta64(1, "D"),
    "date": lambda: datetime(2020, 1, 1), "masked": lambda: np.ma.masked,
    "a mask": lambda: np.ma.array([[1.0], [2.0]], mask=[[False], [True]]), "0-d": lambda: np.array(0.5),
    "0-d nan": lambda: np.array(NAN), "no rows": lambda: np.zeros((0, 1)), "no columns": lambda: np.zeros((2, 0)),
    "cube": lambda: np.ones((2, 2, 2)), "fields": lambda: np.zeros(2, dtype=[("k", float)]),
    "other fields": lambda: np.zeros(2, dtype=[("q", float)]), "object": object, "type": lambda: object,
    "function": lambda: lambda *_: None, "dots": lambda: ..., "range": lambda: range(3), "no more": lambda: iter(()),
    "generator": lambda: (v for v in (0.0, 1.0)), "endless": endless, "count": itertools.count, "failing": failing,
    "itself": itself, "raises": Raises, "dumb": Dumb, "table": Table, "broken": Broken, "of dumb": lambda: [Dumb()],
    "two-part dose": lambda: [(0.0, "bolus")], "dose nan": lambda: [(0.0, "bolus", NAN)],
    "dose at text": lambda: [("0", "bolus", 1.0)], "dose of text": lambda: [(0.0, "bolus", "1")],
    "dose of nobody": lambda: [(0.0, None, 1.0)], "dose dumb": lambda: [(Dumb(), Dumb(), Dumb())],
    "huge dose": lambda: [(0.0, "bolus", 10**400)], "huge row": lambda: [[10**400], [1]],
    "levels": lambda: {"held": "x"}, "level": lambda: {"held": [1.0, 2.0]}, "level of dumb": lambda: {"held": Dumb()},
    "event": lambda: [Event(**EVENT)], "summary": lambda: [Summary(**SUMMARY)], "long text": lambda: "x" * 10_000,
}  # fmt: skip


WORDS = {
    "parameters": "parameter", "doses": "dose|amount|day of|input", "levels": "level", "events": "event",
    "summaries": "summar", "until": "day", "run": "the run", "rows": "row", "wrt": "wrt|parameter|state|dose",
    "outputs": "output|observable|state", "days": "day", "low": "bound", "high": "bound", "name": "called|name|unknown",
    "condition": "condition", "give": "input", "of": "is of|observable|a summary", "source": "source", "title": "title",
    "states": "state", "inputs": "input", "initial": "initial|start", "equations": "equation|rate|value|number",
    "apply_dose": "apply_dose|dose", "observables": "observable|condition or summary", "example": "example",
    "example_doses": "dose", "most": "at most", "model": "model|name", "steady_state": "steady",
    "sensitivities": "sensitivities|parameter|state|dose",
}  # fmt: skip
"""What a sentence calls an argument, where that is not its name."""


@contextmanager
def in_time():
    """Fail where nothing comes back."""
    if not hasattr(signal, "setitimer"):
        yield
        return

    def late(*_):
        pytest.fail(f"no answer after {SECONDS} s")

    before = signal.signal(signal.SIGALRM, late)
    signal.setitimer(signal.ITIMER_REAL, SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def knock(function, good, argument, value):
    """The sentence with which a value is refused; None where there is a result."""
    try:
        with in_time(), np.errstate(all="ignore"):
            function(**{**good, argument: value})
    except InputError as error:
        return str(error)
    return None


def well_said(sentence):
    """One sentence for a person."""
    return (
        "\n" not in sentence and 10 < len(sentence) < 500 and "Traceback" not in sentence and "0x" not in sentence
        and len(re.findall(r"[.!?] [A-Z]", sentence)) <= 1
    )  # fmt: skip


@pytest.mark.parametrize("door,argument", [(d, a) for d, _, good in DOORS for a in good])
def test_every_argument_gives_a_result_or_one_sentence(door, argument):
    function, good = next((f, good) for name, f, good in DOORS if name == door)
    wrong = {}
    for label, make in NASTY.items():
        try:
            sentence = knock(function, good, argument, make())
        except Exception as error:  # told for all values at once
            wrong[label] = f"{type(error).__name__}: {error}"[:150]
            continue
        named = WORDS.get(argument, argument)
        if sentence is not None and not (well_said(sentence) and re.search(named, sentence)):
            wrong[label] = sentence[:300]
    assert not wrong, "\n".join(f"{label}: {told}" for label, told in wrong.items())


LEAVES = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=4), st.binary(max_size=3),
    st.complex_numbers(), st.sampled_from(["k", "A", "held", "bolus", "seen", 0.0, 1.0, 2]),
)  # fmt: skip
NESTED = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.lists(inner, max_size=3).map(tuple),
        st.dictionaries(st.sampled_from(["k", "A", "held", "x", ""]), inner, max_size=2),
        st.lists(st.floats(), max_size=4).map(np.array), st.lists(inner, max_size=2).map(iter),
    ),
    max_leaves=6,
)  # fmt: skip


@pytest.mark.parametrize("door", [name for name, _, _ in DOORS])
@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(value=NESTED, place=st.integers(0, 99))
def test_whatever_is_nested_in_an_argument_gives_a_result_or_one_sentence(door, value, place):
    function, good = next((f, good) for name, f, good in DOORS if name == door)
    sentence = knock(function, good, sorted(good)[place % len(good)], value)
    assert sentence is None or well_said(sentence), sentence


# Columns by name: what of the field holds numbers is taken as it is.


class Columns:
    """A table as libraries have them: ``columns``, and a column by its name."""

    def __init__(self, **held):
        self.held, self.columns = held, list(held)

    def __getitem__(self, name):
        return self.held[name]

    def __array__(self, *_, **__):
        raise TypeError("ask for a column")


class Arrow(Columns):
    """A table whose ``columns`` hold values."""

    def __init__(self, **held):
        self.held, self.column_names, self.columns = held, list(held), list(held.values())


class Row:
    """One patient as a Series: ``index``, and a number by its name."""

    def __init__(self, **held):
        self.held, self.index = held, list(held)

    def __getitem__(self, name):
        return self.held[name]


THREE = Model(**{
    **MODEL, "name": "three", "parameters": ("k", "V", "F"), "example": {}, "example_doses": (),
    "equations": lambda t, x, p, u: {"A": u.held - p.k * x.A / p.V, "B": p.F * x.A},
})  # fmt: skip
K, V, F = [1.0, 2.0], [3.0, 4.0], [0.5, 0.5]
FIELDS = np.array([(0.5, 1.0, 3.0), (0.5, 2.0, 4.0)], dtype=[("F", float), ("k", float), ("V", float)])
TABLES = {
    "mapping": lambda: {"F": 0.5, "k": K, "V": np.array(V)}, "table": lambda: Columns(V=V, F=F, k=np.array(K)),
    "fields": lambda: FIELDS, "like Arrow": lambda: Arrow(V=V, F=F, k=K),
    "Arrow": lambda: pytest.importorskip("pyarrow").table({"V": V, "k": K, "F": F}),
    "whole numbers as objects": lambda: Columns(V=np.array([3, 4], dtype=object), F=F, k=K),
    "pandas": lambda: pytest.importorskip("pandas").DataFrame({"V": V, "k": K, "F": F}),
    "pandas, nullable": lambda: pytest.importorskip("pandas").DataFrame({"V": V, "k": K, "F": F}).convert_dtypes(),
    "pandas, no names": lambda: pytest.importorskip("pandas").DataFrame(np.transpose([K, V, F])),
    "polars": lambda: pytest.importorskip("polars").DataFrame({"V": V, "k": K, "F": F}),
}  # fmt: skip


@pytest.mark.parametrize("form", TABLES)
def test_parameters_by_name(form):
    expected = solve.solve(THREE, np.transpose([K, V, F]), None, [0.0, 1.0]).values
    assert np.array_equal(solve.solve(THREE, TABLES[form](), None, [0.0, 1.0]).values, expected)


@pytest.mark.parametrize("one", [{"F": 0.5, "k": 1.0, "V": 3.0}, Row(V=3.0, k=1.0, F=0.5)])
def test_one_patient_by_name(one):
    expected = solve.begin(THREE, [[1.0, 3.0, 0.5]]).parameters
    assert np.array_equal(solve.begin(THREE, one).parameters, expected)


def test_states_and_levels_by_name():
    run = solve.begin(TWO, {"k": 1.0}, {"B": [2.0], "A": 1.0}, levels=Columns(held=[0.5]))
    assert run.state.tolist() == [[1.0, 2.0]] and run.levels.tolist() == [[0.5]]
    assert solve.advance(run, 1.0, state={"A": 0.0, "B": 5.0}, levels={"held": 0.0}).state.tolist() == [[0.0, 5.0]]


MISNAMED = [
    ({"k": K, "V": V}, "model three: the parameter 'F' is missing; give each parameter its column"),
    ({"k": K, "V": V, "f": F}, "model three: unknown parameter 'f'; did you mean F?"),
    ({"k": K, "V": V, "F": [1.0]}, "the parameter 'F' has shape (1,); give one number, or one for each of the 2"),
    ({"k": K, "V": V, "F": "1"}, "the parameter 'F' is '1'; give one number, or one for each of the 2 patients"),
    ({"k": K, "V": V, "F": [1.0, NAN]}, "the parameter 'F' of patient 1 (row, from 0) is nan; give a finite number"),
    ({"k": K, "V": V, 3: F}, "one of the parameters is called 3; give each column its name as text"),
    (Columns(k=K, V=V, F=np.array([1, None])), "the parameter 'F' is "),
    ({}, "the parameter 'k' is missing"),
]  # fmt: skip


@pytest.mark.parametrize("case", range(len(MISNAMED)))
def test_columns_that_do_not_fit_are_named(case):
    table, sentence = MISNAMED[case]
    with pytest.raises(InputError, match=re.escape(sentence)) as error:
        solve.solve(THREE, table, None, [0.0, 1.0])
    assert well_said(str(error.value))


def test_two_columns_of_one_name():
    table = Columns(k=K, V=V, F=F)
    table.columns = ["k", "V", "F", "k"]
    with pytest.raises(InputError, match="two columns are called 'k'; give each parameter once"):
        solve.solve(THREE, table, None, [0.0, 1.0])
