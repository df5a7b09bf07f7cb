"""A model of one's own: the page's examples, the file, what is refused when it is made, and 30 typical mistakes."""

import math
import re
import sys
from pathlib import Path

import numpy as np
import pytest

import vein2vein as v2v
from vein2vein.engine.run import advance, begin
from vein2vein.errors import InputError
from vein2vein.models import mathematics as m
from vein2vein.models.model import Input, Model, State, derived

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "own-model.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```python\n(.*?)^```", PAGE, re.M | re.S)
HERE = Path(__file__).name


def one(equations=lambda t, x, p, u: {"A": -p.k * x.A}, **changes):
    given = {
        "name": "own", "title": "", "source": "none", "states": [State("A", "amount", "mg", low=0.0)],
        "inputs": [Input("bolus", "at once", "mg"), Input("rate", "held", "mg/day", "level")], "parameters": ["k"],
        "equations": equations, "initial": lambda p: {"A": 1.0},
        "apply_dose": lambda name, amount, x, p: {"A": x.A + amount},
        "observables": lambda t, x, p, u: {"seen": x.A},
    }  # fmt: skip
    return Model(**given | changes)


def solved(model, **options):
    return v2v.solve(model, [[1.0]], None, [0.0, 1.0], **options)


def one_sentence(error):
    text = str(error.value)
    assert "\n" not in text and not text.endswith(" ")
    return text


# ---------------------------------------------------------------- the page


@pytest.fixture(scope="module")
def shown():
    """What each example of the page leaves behind."""
    return [run(block) for block in BLOCKS[:4]]


def run(block):
    left = {}
    exec(compile(block, "own-model.md", "exec"), left)
    return left


def test_the_page_uses_the_public_face_only():
    imported = {line for block in BLOCKS for line in block.splitlines() if re.match(r"\s*(import|from) ", line)}
    assert imported == {"import numpy as np", "import vein2vein as v2v", "from scipy.optimize import minimize"}
    used = set(re.findall(r"v2v\.(\w+)", PAGE))
    assert {"Model", "State", "Input", "Event", "Summary", "solve", "sensitivities", "find_model"} <= used
    assert used <= set(v2v.__all__)


def test_the_infusion_rests_at_its_rate_over_the_clearance(shown):
    found, patients = shown[0]["found"], shown[0]["patients"]
    assert found.values[:, -1, 0] / patients[:, 1] == pytest.approx(20.0 / patients[:, 0], rel=1e-3)
    assert found.values[:, 0, 0] == pytest.approx(50.0)


def test_the_target_is_free_again_and_a_larger_dose_holds_it_longer(shown):
    found = shown[1]["found"]
    assert found.summaries["free again"] == pytest.approx(1.0, abs=1e-4)
    assert np.all(np.diff(found.summaries["occupied"]) > 1) and np.all(np.diff(found.summaries["exposure"]) > 0)


def test_the_chain_delays_by_its_mean(shown):
    found, inflow, death = shown[2]["found"], 10.0, 0.25
    assert found.values[0, -1, -1] == pytest.approx(inflow / death, rel=1e-4)
    assert found.values[0, -1, :-1] == pytest.approx(inflow * 4.0 / 8)
    assert found.summaries["half"][0] == pytest.approx(4.0 + math.log(2) / death, abs=0.4)


def test_the_tumor_comes_back_and_is_treated(shown):
    found, model = shown[3]["found"], shown[3]["model"]
    first, second = found.fired["again"]
    assert np.isnan(first[2]) and not np.isnan(second).any() and np.all(np.diff(second) >= 28.0)
    assert second[:1] < first[:1] and found.summaries["worst"][0] == pytest.approx(0.5, abs=0.01)
    kill = [shown[3]["patients"] + [0, 0, s, 0, 0, 0] for s in (1e-4, -1e-4)]
    ends = [
        v2v.solve(model, p, None, shown[3]["days"], [(0, "infusion", 0.5)], rtol=1e-9).values[0, 4, 0] for p in kill
    ]
    assert shown[3]["moved"].gradients[0, 4, 0, 0] == pytest.approx((ends[0] - ends[1]) / 2e-4 / 50.0, rel=1e-2)


def test_the_fit_finds_the_likeliest_numbers():
    fitted = run(BLOCKS[4])
    seen, days = fitted["seen"], fitted["days"][1:]

    def minus_log_likelihood(logs):  # Bateman's function
        ka, CL, V, sd = np.exp(logs)
        k = CL / V
        curve = 100.0 / V * ka / (ka - k) * (np.exp(-k * days) - np.exp(-ka * days))
        return np.sum(np.log(sd) + 0.5 * (np.log(seen / curve) / sd) ** 2)

    best = fitted["minimize"](minus_log_likelihood, np.log([5.0, 5.0, 5.0, 0.5]), method="BFGS")
    assert np.exp(fitted["fitted"].x) == pytest.approx(np.exp(best.x), rel=1e-2)


def test_the_error_looks_as_the_page_says(capsys):
    run(BLOCKS[-1])
    (text,) = re.findall(r"^```text\n(.*?)^```", PAGE, re.M | re.S)
    assert capsys.readouterr().out == text.replace("my_model.py", "own-model.md")


# ---------------------------------------------------------------- a file

TEXT = '''"""One compartment."""
import vein2vein as v2v

def equations(t, x, p, u):
    return {"A": -p.k * x.A}

%s = v2v.Model("own", "One compartment", "mine", [v2v.State("A", "amount", "mg")], [], ["k"], equations,
                  lambda p: {"A": 1.0}, lambda name, amount, x, p: {}, lambda t, x, p, u: {}, {"k": 0.5})
'''


@pytest.fixture
def file(tmp_path):
    """Function that writes a model file and returns its path."""

    def written(text, name="my_model.py"):
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return path

    return written


@pytest.mark.parametrize("name", ["MODEL", "decay"])
@pytest.mark.parametrize("how", [str, Path])
def test_a_file_serves_as_a_name(file, name, how, monkeypatch):
    path = file(TEXT % name)
    model, parameters = v2v.find_model(how(path)), v2v.find_parameters(how(path))
    assert solved(model).values[0, -1, 0] == pytest.approx(math.exp(-1), rel=1e-5)
    assert model.title == "One compartment" and parameters.values() == {"k": 0.5}
    monkeypatch.chdir(path.parent)
    assert v2v.find_model("my_model.py").name == "own"
    path.write_text((TEXT % name).replace("-p.k", "-2 * p.k"), encoding="utf-8")
    assert solved(v2v.find_model(path)).values[0, -1, 0] == pytest.approx(math.exp(-2), rel=1e-5)


def test_a_file_may_give_its_own_parameters(file):
    more = '\ndef parameters():\n    return v2v.ParameterSet("mine", {"k": v2v.Parameter("k", value=3.0)})\n'
    assert v2v.find_parameters(file(TEXT % "MODEL" + more)).values() == {"k": 3.0}
    plain = "\ndef parameters():\n    return {'k': 2}\n"
    path = file(TEXT % "MODEL" + plain)
    assert v2v.find_parameters(path).values() == {"k": 2.0}
    with pytest.raises(InputError, match=r"my_model.py: parameters\(\) gives 3, expected a mapping of name to value"):
        v2v.find_parameters(file((TEXT % "MODEL" + plain).replace("{'k': 2}", "3")))
    with pytest.raises(InputError, match=r"my_model.py: parameters\(\) gives 'two' for 'k', expected a number"):
        v2v.find_parameters(file((TEXT % "MODEL" + plain).replace("2}", "'two'}")))


def test_a_set_of_parameters_is_one_patient_at_every_door(file):
    model, numbers = v2v.find_model(file(TEXT % "MODEL")), v2v.find_parameters(file(TEXT % "MODEL"))
    days, half = [0.0, 1.0], math.exp(-0.5)
    for found in (
        v2v.solve(model, numbers, None, days).values,
        v2v.prepare(model, days)(numbers).values,
        v2v.sensitivities(model, numbers, None, days, wrt=["k"]).values,
        advance(begin(model, numbers), 1.0).state[:, None],
    ):
        assert found[:, -1, 0] == pytest.approx([half], rel=1e-4)
    more = v2v.ParameterSet("more", {**numbers.parameters, "of another model": v2v.Parameter("of another model")})
    assert v2v.solve(model, more, None, days).values[0, -1, 0] == pytest.approx(half, rel=1e-4)
    for lacking, said in (
        ({"k": v2v.Parameter("k")}, r"model own: the parameter 'k' has no value in the set empty; lay a set over it"),
        ({}, r"model own: the parameter 'k' is missing"),
    ):
        with pytest.raises(InputError, match=said):
            v2v.solve(model, v2v.ParameterSet("empty", lacking), None, days)
    with pytest.raises(InputError, match=r"model own: the state matrix is ParameterSet"):
        v2v.solve(model, [[1.0]], numbers, days)


def test_a_file_may_import_its_neighbours_while_it_runs(file, tmp_path):
    text = "from common_of_mine import RATE\n" + TEXT.replace("-p.k", "-RATE * p.k") % "MODEL"
    text += "\ndef parameters():\n    from late_of_mine import K\n    return {'k': K}\n"
    before = list(sys.path)
    for rate, folder in ((2.0, "one"), (3.0, "two")):
        (tmp_path / folder).mkdir()
        file(f"RATE = {rate}\n", f"{folder}/common_of_mine.py")
        file("K = 0.25\n", f"{folder}/late_of_mine.py")
        path = file(text, f"{folder}/my_model.py")
        assert solved(v2v.find_model(path)).values[0, -1, 0] == pytest.approx(math.exp(-rate), rel=1e-4)
        assert v2v.find_parameters(path).values() == {"k": 0.25}
        assert sys.path == before and not {"common_of_mine", "late_of_mine"} & set(sys.modules)
    file("x = 1\n1 / 0\n", "two/common_of_mine.py")
    with pytest.raises(InputError, match=r"ZeroDivisionError: division by zero \(common_of_mine.py, line 2\)"):
        v2v.find_model(path)
    assert sys.path == before


FILES = {
    "syntax": ("x = 1\ndef f(:\n", "my_model.py, line 2: this is no Python: "),
    "no text": ("x = '\0'\n", "my_model.py: this is no Python: "),
    "fails": ("x = 1\ny = x / 0\n", "my_model.py, line 2: ZeroDivisionError: division by zero."),
    "typo": ("import vein2vein as v2v\n\nMODEL = v2v.Modell()\n", "my_model.py, line 3: AttributeError: module 'vein"),
    "import": (
        "import nowhere_at_all\n",
        "my_model.py, line 1: ModuleNotFoundError: No module named 'nowhere_at_all'.",
    ),
    "exits": ("raise SystemExit('no')\n", "my_model.py, line 1: SystemExit: no."),
    "deeper": ("def f():\n    return {}['k']\n\nf()\n", "my_model.py, line 2: KeyError: 'k'."),
    "none": ("x = 1\n", "my_model.py: it defines no model; call the one that is meant MODEL"),
    "two": (TEXT % "a" + TEXT % "b", "my_model.py: it defines 2 models, a, b; call the one that is meant MODEL"),
    "no model": ("MODEL = 3\n", "my_model.py: MODEL is 3, expected a Model."),
    "unfit": (
        "import vein2vein as v2v\n\nv2v.State('A', '',\n    unit=3)\n",
        "my_model.py, line 3: state A: its unit is 3",
    ),
}


@pytest.mark.parametrize("case", FILES)
def test_a_file_that_is_no_model_is_refused_with_its_line(file, case, monkeypatch):
    text, said = FILES[case]
    path = file(text)
    monkeypatch.chdir(path.parent)
    with pytest.raises(InputError) as error:
        v2v.find_model("my_model.py")
    assert one_sentence(error).startswith(said) and error.value.file


def test_a_file_that_cannot_be_read_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"nowhere.py: there is no such file; give the name of a bundled model"):
        v2v.find_model(tmp_path / "nowhere.py")
    (tmp_path / "folder.py").mkdir()
    with pytest.raises(InputError, match=r"folder.py: .*directory; give"):
        v2v.find_model(tmp_path / "folder.py")
    with pytest.raises(InputError, match=r"unknown model 'my_model'; .*A model of your own is given by the path"):
        v2v.find_model("my_model")


# ---------------------------------------------------------------- when it is made

MADE = [
    (lambda: one(states=[]), "model own: it has no states; give at least one"),
    (lambda: one(states=[State("C", "", "mg", float("inf"))]), "model own: every state has an infinite scale"),
    (lambda: one(states=State("A", "", "1")), "model own: its states are a State; give a tuple of State"),
    (lambda: one(states=["A"]), "model own: one of its states is 'A'; give a tuple of State"),
    (lambda: one(states=[State("A b", "", "1")]), "model own: the state 'A b' cannot be read as x.A b; give it a name"),
    (lambda: one(states=[State("_A", "", "1")]), "model own: the state '_A' cannot be read as x._A"),
    (lambda: one(parameters=["lambda"]), "model own: the parameter 'lambda' cannot be read as p.lambda"),
    (lambda: one(inputs=[Input("a-b", "", "1", "level")]), "model own: the level 'a-b' cannot be read as u.a-b"),
    (lambda: one(parameters="k"), "model own: its parameters are 'k'; give a tuple of text, such as ('k',)"),
    (lambda: one(parameters=[1]), "model own: one of its parameters is 1; give a tuple of text"),
    (lambda: one(inputs=None), "model own: its inputs are None; give a tuple of Input"),
    (lambda: one(lambda t, x, p: {}), f"model own: equations takes (t, x, p); let it take (t, x, p, u) ({HERE}, line "),
    (lambda: one(initial=lambda: {}), "model own: initial takes (); let it take (p)"),
    (
        lambda: one(apply_dose=lambda amount: {}),
        "model own: apply_dose takes (amount); let it take (name, amount, x, p)",
    ),
    (lambda: one(observables={}), "model own: observables is a dict; give a function"),
    (lambda: one(example=[1.0]), "model own: its example is a list; give a mapping of parameter name to value"),
    (lambda: one(example={"k": math.nan}), "model own: the value of 'k' in its example is nan; give finite numbers"),
    (lambda: one(example={"k": "1"}), "model own: the value of 'k' in its example is '1'; give finite numbers"),
    (lambda: one(example_doses=[(0, "pill", 1)]), "number 0 (from 0) of its example doses: unknown input 'pill'"),
    (lambda: one(example_doses=[(0, "bolus")]), "number 0 (from 0) of its example doses is a tuple; give (day, input"),
    (lambda: one(example_doses=[("0", "bolus", 1)]), "of its example doses: the day is '0'; give a finite number"),
    (lambda: one(example_doses=[(0, "bolus", math.inf)]), "the amount is inf; give a finite number"),
    (
        lambda: one(initial=lambda p: {"A": -p.k}, example={"k": 2.0}),
        "model own: the state 'A' of patient 0 (row, from 0) is -2 at the start; give a number from 0 to inf",
    ),
    (
        lambda: one(initial=lambda p: {"A": p.kk}, example={"k": 2.0}),
        "model own: the start: unknown name 'kk'; did you",
    ),
    (lambda: one(name=""), "a model is called ''; give it a name of one letter or more"),
    (lambda: one(title=None), "model own: its title is None; give a text"),
    (lambda: State("A", "", "1", scale="1"), "state A: its scale is '1'; give a number above 0"),
    (lambda: State("A", "", "1", scale=math.nan), "state A: its scale is nan; give a number above 0"),
    (lambda: State("A", "", "1", low=math.nan), "state A: its bound low is nan; give a number, or leave it out"),
    (lambda: State("A", "", "1", low=None), "state A: its bound low is None; give a number, or leave it out"),
    (lambda: State("A", "", "1", low=1, high=1), "state A: its bounds are 1 and 1; give the lower one first"),
    (lambda: State("A", 3, "1"), "state A: its meaning is 3; give a text"),
    (lambda: Input("b", "", "1", ["dose"]), "input b: unknown kind 'a list'"),
]


@pytest.mark.parametrize("case", range(len(MADE)))
def test_what_is_no_model_is_refused_when_it_is_made(case):
    make, said = MADE[case]
    with pytest.raises(InputError) as error:
        make()
    assert said in one_sentence(error)


class Odd:
    """What nobody expects."""

    def __repr__(self):
        return "two\nlines"


JUNK = (
    None,
    True,
    0,
    -1,
    1.5,
    math.nan,
    math.inf,
    10**400,
    1j,
    "",
    "A",
    "a\nb",
    b"A",
    (),
    [],
    {},
    {"A": 1},
    {1: 2},
    {"A"},
    [1, "2"],
    [[1.0], [1.0, 2.0]],
    [State("A", "", "1")],
    np.array([1.0, math.nan]),
    np.float64(2),
    np.array("A"),
    object(),
    Odd(),
    Odd,
    len,
    print,
    State,
    lambda: None,
    lambda *given: None,
    lambda t, x, p, u: {"A": Odd()},
    lambda p: {"A": "x"},
    iter([1]),
)
HELD = {
    Model: {
        "name": "own",
        "title": "",
        "source": "",
        "states": (State("A", "", "1"),),
        "inputs": (),
        "parameters": ("k",),
        "equations": lambda t, x, p, u: {"A": 0.0},
        "initial": lambda p: {},
        "apply_dose": lambda name, amount, x, p: {},
        "observables": lambda t, x, p, u: {},
        "example": {"k": 1.0},
        "example_doses": (),
    },
    State: {"name": "A", "meaning": "", "unit": "", "scale": 1.0, "low": 0.0, "high": 1.0},
    Input: {"name": "A", "meaning": "", "unit": "", "kind": "dose"},
}


@pytest.mark.parametrize(("kind", "field"), [(kind, field) for kind, held in HELD.items() for field in held])
def test_a_wrong_field_is_refused_in_a_sentence_or_right(kind, field):
    for value in JUNK:
        try:
            made = kind(**HELD[kind] | {field: value})
            if kind is Model:
                solved(made)
        except InputError as error:
            named = r"(model|state|input) \w+: |a(n input| model| state) is called "
            assert re.match(named, str(error)) and "\n" not in str(error), (value, str(error))


def test_what_the_engine_derives_may_have_names_of_its_own():
    model = derived(one(), name="with tangents", states=(State("A'k", "", "1"),))
    assert model.state_names == ("A'k",) and model.name == "with tangents" and model.parameters == ("k",)


# ---------------------------------------------------------------- mistakes


def branch(t, x, p, u):
    return {"A": 1.0 if x.A > 0.5 else 0.0}


def forgotten(t, x, p, u):
    {"A": -p.k * x.A}


def written(t, x, p, u):
    x.A = 0.0
    return {"A": x.A}


MISTAKES = {
    "parameter": (lambda t, x, p, u: {"A": -p.K1 * x.A}, "there is no parameter 'K1'; did you mean k?"),
    "state": (lambda t, x, p, u: {"A": -p.k * x.a}, "there is no state 'a'; did you mean A?"),
    "level": (lambda t, x, p, u: {"A": u.Rate}, "there is no level 'Rate'; did you mean rate?"),
    "if": (branch, "a branch on a value that is not known yet; use where(condition, x, y) for if, a & b for a and b"),
    "and": (lambda t, x, p, u: {"A": x.A > 1 and x.A < 2}, "a branch on a value that is not known yet"),
    "equal": (lambda t, x, p, u: {"A": 1.0 * (x.A == 1)}, "== and != cannot be recorded; write abs(x - y) < d"),
    "math": (
        lambda t, x, p, u: {"A": math.exp(x.A)},
        "a function that cannot be recorded was asked for a plain number",
    ),
    "numpy": (lambda t, x, p, u: {"A": np.arcsin(x.A)}, "numpy.arcsin cannot be recorded; use"),
    "sum": (lambda t, x, p, u: {"A": np.sum(x.A)}, "numpy.sum cannot be recorded; use"),
    "list": (lambda t, x, p, u: [-x.A], "what the equations returned is list; return a mapping of name to value"),
    "nothing": (forgotten, "what the equations returned is NoneType; return a mapping of name to value"),
    "missing": (lambda t, x, p, u: {}, "no equation for the state A; add it to what they return"),
    "extra": (
        lambda t, x, p, u: {"A": 0.0, "AA": 0.0},
        "an equation for 'AA', which is no state of the model; did you",
    ),
    "zero": (lambda t, x, p, u: {"A": x.A / 0}, "a division by 0, whatever the patient"),
    "text": (lambda t, x, p, u: {"A": x.A + "1"}, "'1' of type str is not a number"),
    "none": (lambda t, x, p, u: {"A": x.A * None}, "None of type NoneType is not a number"),
    "value none": (lambda t, x, p, u: {"A": None}, "the value of 'A' is None; give one number"),
    "array": (lambda t, x, p, u: {"A": np.array([1.0, 2.0]) * x.A}, "of type ndarray is not a number"),
    "complex": (lambda t, x, p, u: {"A": 1j * x.A}, "1j of type complex is not a number"),
    "name": (lambda t, x, p, u: {"A": -kel * x.A}, "NameError: name 'kel' is not defined"),  # noqa: F821
    "subscript": (lambda t, x, p, u: {"A": -x["A"]}, "TypeError: 'Names' object is not subscriptable"),
    "index": (lambda t, x, p, u: {"A": x.A[0]}, "a single value was indexed like an array"),
    "loop": (lambda t, x, p, u: {"A": sum(x.A)}, "a single value was used as a sequence"),
    "method": (lambda t, x, p, u: {"A": x.A.mean()}, "the function 'mean' is not known; use"),
    "remainder": (lambda t, x, p, u: {"A": t % 7}, "% cannot be recorded; write a - b * floor(a / b) for a % b"),
    "whole": (lambda t, x, p, u: {"A": t // 7}, "// cannot be recorded; write floor(a / b) for a // b"),
    "set": (written, "the state 'A' was set; return what becomes of states, change nothing in place"),
    "delay": (lambda t, x, p, u: {"A": -m.delay(x.A, 2.0)}, "delays are not supported, since no solver here keeps"),
    "called": (lambda t, x, p, u: {"A": -x.A(t - 2.0)}, "a value was called like a function; delays are not supported"),
    "not finite": (
        lambda t, x, p, u: {"A": math.inf},
        "the rate of A is inf whatever the patient; give a finite number",
    ),
}


@pytest.mark.parametrize("case", MISTAKES)
def test_a_mistake_in_equations_is_told_with_model_file_and_line(case):
    equations, said = MISTAKES[case]
    with pytest.raises(InputError) as error:
        solved(one(equations))
    text, begins = one_sentence(error), equations.__code__.co_firstlineno
    assert text.startswith("model own: ") and said in text
    (line,) = re.findall(rf"\({HERE}, line (\d+)", text)
    assert begins <= int(line) <= begins + 1 and error.value.line == int(line)
    assert error.value.file == __file__


def condition(result):
    return {"events": [v2v.Event("high", result, "bolus", 1.0)]}


def summary(result):
    return {"summaries": [v2v.Summary("most", "max", result)]}


ELSEWHERE = {
    "start": ({"initial": lambda p: {"A": p.kk}}, {}, "'kk'; did you mean k"),
    "start fails": ({"initial": lambda p: {"A": 1 / None}}, {}, "the start: TypeError: unsupported operand"),
    "start returns": ({"initial": lambda p: 1.0}, {}, "what the start returned is float; return a mapping of"),
    "start names": (
        {"initial": lambda p: {"B": 1.0}},
        {},
        "the start names a state that does not exist: unknown state 'B'",
    ),
    "start bound": (
        {"initial": lambda p: {"A": -1.0}},
        {},
        "the state 'A' of patient 0 (row, from 0) is -1 at the start",
    ),
    "dose": (
        {"apply_dose": lambda name, amount, x, p: {"A": x.a}},
        {"doses": [(0, "bolus", 1.0)]},
        "'a'; did you mean A",
    ),
    "dose fails": (
        {"apply_dose": lambda name, amount, x, p: {}[name]},
        {"doses": [(0, "bolus", 1.0)]},
        "KeyError: 'bolus'",
    ),
    "dose returns": (
        {"apply_dose": lambda name, amount, x, p: None},
        {"doses": [(0, "bolus", 1.0)]},
        "what the dose of 'bolus' returned is NoneType; return a mapping",
    ),
    "condition": ({}, condition(lambda t, x, p, u: x.a - 1), "'a'; did you mean A"),
    "condition fails": ({}, condition(lambda t, x, p, u: x.A - [1]), ""),
    "condition gives": ({}, condition(lambda t, x, p, u: None), "None"),
    "condition text": ({}, condition(lambda t, x, p, u: "high"), "'high'"),
    "summary gives": ({}, summary(lambda t, x, p, u: None), "None"),
    "dose value": (
        {"apply_dose": lambda name, amount, x, p: {"A": "x"}},
        {"doses": [(0, "bolus", 1.0)]},
        "is 'x'; give",
    ),
    "start value": ({"initial": lambda p: {"A": "x"}}, {}, "'A' is 'x'; give one number"),
    "summary": ({}, summary(lambda t, x, p, u: x.a), "'a'; did you mean A"),
    "observable": ({"observables": lambda t, x, p, u: {"seen": x.a}}, summary("seen"), "'a'; did you mean A"),
    "observables": ({"observables": lambda t, x, p, u: {"seen": None + x.A}}, summary("seen"), "NoneType"),
}


@pytest.mark.parametrize("backend", ["batch", "plain"])
@pytest.mark.parametrize("case", ELSEWHERE)
def test_a_mistake_elsewhere_is_told_with_model_file_and_line(case, backend):
    changes, options, said = ELSEWHERE[case]
    with pytest.raises(InputError) as error:
        solved(one(**changes), backend=backend, **options)
    text = one_sentence(error)
    assert text.startswith("model own: ") and said in text
    assert re.search(rf"\({HERE}, line \d+", text), text


def test_delays_are_refused_outside_of_a_model_too():
    with pytest.raises(InputError, match="chain of transit states"):
        m.delay(1.0, 2.0)
