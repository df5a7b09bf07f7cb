"""Floor, trigonometry and powers: recorded, compiled at every width, differentiated, the same in both backends."""

import math

import numpy as np
import pytest

from vein2vein.engine import solve
from vein2vein.engine.llvm import machine, run_course
from vein2vein.engine.method import tableau
from vein2vein.engine.tangents.sensitivity import sensitivities
from vein2vein.engine.trace import derivative, graph, latex, readable, recording
from vein2vein.models import mathematics as m
from vein2vein.models.model import State

ONE = {
    "sin": (m.sin, math.sin, 1), "cos": (m.cos, math.cos, 1), "tan": (m.tan, math.tan, 3),
    "atan": (m.atan, math.atan, 1), "tanh": (m.tanh, math.tanh, 2), "floor": (m.floor, math.floor, 0),
    "ceil": (m.ceil, math.ceil, 0),
}  # fmt: skip
"""The function, what it must be, and by how many units in the last place it may differ."""


@pytest.fixture(scope="module", params=["fused", "apart"])
def values(request, make_model, vector_width):
    """Function of x (n,) and n (n,): each function of x, and x to the n."""
    names = [*ONE, "power"]

    def equations(t, x, p, u):
        found = {name: function(x.sin) for name, (function, _, _) in ONE.items()}
        return {**found, "power": m.raised(x.sin, x.cos)}

    model = make_model("functions", names, (), equations, lambda p: {})
    with pytest.MonkeyPatch.context() as patch:
        if request.param == "apart":
            patch.setattr(machine, "fused", lambda: False)
            patch.setattr(run_course, "_rates", type(run_course._rates)(4))
        compiled = run_course.compile_rates(model)

    def of(x, n=1.0):
        rows = np.zeros((len(x), len(names)))
        rows[:, 0], rows[:, 1] = x, n
        found = run_course.rates(compiled, 0.0, rows, np.zeros((len(x), 0)), np.zeros((len(x), 0)))
        return dict(zip(names, found.T))

    return of


def arguments():
    rng = np.random.default_rng(5)
    spans = [rng.uniform(-size, size, 400) for size in (1e-8, 0.7, 3.0, 100.0, 1e5, 1e9, 1e15)]
    quarters = np.arange(-200, 201) * (np.pi / 2)
    hard = np.array([6381956970095103.0 * 2.0**-4, 5319372648326541.0 * 2.0**-26, 1e22 / 2.0**30, 355.0, 103993.0])
    return np.concatenate([*spans, quarters, hard, rng.integers(0, 2**49, 200) * 1.0, np.arange(-20, 21) / 2])


@pytest.mark.parametrize("name", ONE)
def test_each_is_right_to_a_unit_in_the_last_place_or_so(values, name):
    x = arguments()
    _, exact, units = ONE[name]
    expected = np.array([float(exact(one)) for one in x.tolist()])
    off = np.abs(values(x)[name] - expected) / np.spacing(np.abs(expected))
    assert np.max(off) <= units, x[np.argmax(off)]


def test_the_ends(values):
    found = values(np.array([0.0, -0.0, np.inf, -np.inf, np.nan, 2.0**51, -2.5]))
    for name in ("sin", "cos", "tan"):
        assert np.isnan(found[name][2:6]).all(), name
    assert found["sin"][0] == found["tan"][1] == 0.0 and found["cos"][0] == found["cos"][1] == 1.0
    half = np.pi / 2
    assert np.array_equal(found["atan"][:5], [0.0, 0.0, half, -half, np.nan], equal_nan=True)
    assert np.array_equal(found["tanh"][:5], [0.0, 0.0, 1.0, -1.0, np.nan], equal_nan=True)
    assert np.array_equal(found["floor"][2:], [np.inf, -np.inf, np.nan, 2.0**51, -3.0], equal_nan=True)
    assert np.array_equal(found["ceil"][2:], [np.inf, -np.inf, np.nan, 2.0**51, -2.0], equal_nan=True)


def test_powers_follow_the_rule_of_numpy(values):
    x, n = (g.ravel() for g in np.meshgrid([-8.0, -2.0, -1.0, -0.3, 0.0, 0.3, 1.0, 2.0, 7.0, np.inf],
                                           [-3.0, -2.0, -0.5, 0.0, 0.5, 1.0, 2.0, 2.5, 3.0, 40.0, 41.0]))  # fmt: skip
    with np.errstate(all="ignore"):
        expected = np.power(x, n)
    assert values(x, n)["power"] == pytest.approx(expected, rel=1e-13, nan_ok=True)
    assert values(np.array([-2.0]), 3.0)["power"][0] == pytest.approx(-8.0, rel=1e-15)
    assert values(np.array([np.nan, 2.0]), np.array([2.0, np.nan]))["power"] == pytest.approx(np.nan, nan_ok=True)


def oscillating(make_model):
    """Every new function in one model whose solution stays near 1."""

    def equations(t, x, p, u):
        season = m.sin(p.w * t) + m.cos(p.w * t) * m.atan(x.b) - np.tanh(x.a - 1.0)
        steps = m.floor(t) - m.ceil(t / 2) + m.tan(x.c / 4)
        return {
            "a": 0.2 * season - 0.1 * x.a**3,
            "b": 0.1 * (x.a - 2.0) ** p.n - 0.3 * x.b + 1e-6 * (x.b - 3.0) ** 11,
            "c": 0.05 * steps - 0.2 * x.c**p.q + (1 + x.a**2) ** -0.25,
        }

    states = [State("a", "", "1"), State("b", "", "1"), State("c", "", "1", low=0.0)]
    return make_model("oscillating", states, "wnq", equations, lambda p: {"a": 1.0, "b": 0.5, "c": 1.0})


PATIENTS = np.array([[6.3, 3.0, 1.5], [2.0, 2.0, 0.5], [1.0, 5.0, 2.0]])


@pytest.mark.parametrize("method", tableau.METHODS)
def test_both_backends_solve_them_alike(make_model, method):
    model = oscillating(make_model)
    courses = [
        solve.solve(model, PATIENTS, None, [0.0, 0.4, 1.0, 2.5], backend=b, method=method) for b in ("batch", "plain")
    ]
    assert not any(c.status.any() for c in courses)
    assert courses[0].values == pytest.approx(courses[1].values, rel=1e-7)


def test_they_are_differentiated(make_model):
    model = oscillating(make_model)
    g, outputs = recording.record("oscillating", model.equations, model.state_names, model.parameters)
    nodes = [outputs[s] for s in model.state_names]
    t, x, p, step = 0.6, np.array([0.8, 0.4, 1.2]), np.array([2.0, 3.0, 1.5]), 1e-6
    for kind, at in (("state", x), ("parameter", p), ("time", np.array([t]))):
        for i, row in enumerate(derivative.partials(g, nodes, kind)):
            for j in range(len(at)):
                if kind == "parameter" and j == 1:
                    continue  # a power of a negative number exists for whole exponents only
                moved = [at + s * np.eye(len(at))[j] for s in (step, -step)]
                given = [{"time": t, "state": x, "parameter": p, kind: v if kind != "time" else v[0]} for v in moved]
                up, down = (graph.evaluate(g, [nodes[i]], d["time"], d["state"], d["parameter"], [])[0] for d in given)
                found = graph.evaluate(g, [row[j]], t, x, p, [])[0] if j in row else 0.0
                assert found == pytest.approx((up - down) / (2 * step), rel=1e-6, abs=1e-8), (kind, i, j)


def test_sensitivities_through_powers_and_angles(make_model):
    model, days = oscillating(make_model), [0.0, 0.9]
    found = sensitivities(model, PATIENTS, None, days, wrt=["w", "q"], rtol=1e-9, corners=False)
    for j, name in ((0, "w"), (2, "q")):
        ends = []
        for sign in (1, -1):
            p = PATIENTS.copy()
            p[:, j] += sign * 1e-4
            ends.append(solve.solve(model, p, None, days, rtol=1e-11, method="tsit5").values[:, -1])
        slope = (ends[0] - ends[1]) / 2e-4
        assert found.gradients[:, -1, :, "wq".index(name)] == pytest.approx(slope, rel=1e-4, abs=1e-6)


def slope_of(function, x, n):
    g, outputs = recording.record("power", lambda t, s, p, u: {"y": function(s.x, p.n)}, ("x",), ("n",))
    rows = [derivative.partials(g, [outputs["y"]], kind)[0] for kind in ("state", "parameter")]
    with np.errstate(all="ignore"):
        return [float(graph.evaluate(g, [r[0]], 0.0, [x], [n], [])[0]) if 0 in r else 0.0 for r in rows]


@pytest.mark.parametrize(
    ("x", "n", "by_x", "by_n"),
    [(2.0, 3.0, 12.0, 8 * math.log(2)), (-2.0, 3.0, 12.0, math.nan), (0.0, 2.0, 0.0, 0.0), (0.0, 1.0, 1.0, 0.0),
     (0.0, 0.5, 0.0, 0.0), (0.0, 0.0, 0.0, 0.0), (4.0, 0.5, 0.25, 2 * math.log(4)), (-3.0, 2.0, -6.0, math.nan)],
)  # fmt: skip
def test_slopes_of_powers_at_and_below_0(x, n, by_x, by_n):
    assert slope_of(lambda a, b: a**b, x, n) == pytest.approx([by_x, by_n], rel=1e-12, nan_ok=True)


def test_whole_powers_of_any_size_of_negative_numbers():
    powers = [-41, -9, -2, 0, 1, 7, 8, 9, 10, 12, 31, 64, 101, 1000]
    g, outputs = recording.record("whole", lambda t, x, p, u: {str(n): x.a**n for n in powers}, ("a",), ())
    for a in (-1.1, -0.5, 0.7, 2.0):
        with np.errstate(all="ignore"):
            found = graph.evaluate(g, [outputs[str(n)] for n in powers], 0.0, [a], [], [])
            assert found == pytest.approx(np.power(a, np.array(powers, dtype=float)), rel=1e-12)
    assert not any(op in ("pow", "exp", "log") for op, _ in g.nodes)
    with pytest.raises(recording.Unrecordable, match="exponent inf is no finite number"):
        recording.record("whole", lambda t, x, p, u: {"y": x.a**math.inf}, ("a",), ())


def test_a_number_to_the_power_of_a_state():
    def equations(t, x, p, u):
        return {"y": 2.0**x.a + np.float64(3.0) ** x.a, "z": (-2.0) ** x.a, "w": 0.0**x.a}

    g, outputs = recording.record("bases", equations, ("a",), ())
    found = graph.evaluate(g, list(outputs.values()), 0.0, [3.0], [], [])
    assert found == pytest.approx([35.0, -8.0, 0.0])


def test_they_are_printed():
    def equations(t, x, p, u):
        return {"a": m.sin(x.a) + m.atan(t) * m.floor(x.a) - m.ceil(p.n), "b": (x.a + 1) ** p.n * m.tanh(x.b)}

    model_names, g = (
        {"state": ("a", "b"), "parameter": ("n",), "level": ()},
        recording.record("printed", equations, "ab", "n"),
    )
    graph_, outputs = g
    shown = latex.Printer(graph_, model_names, list(outputs.values()))
    text = [shown.text(node) for node in outputs.values()]
    assert text == [
        r"\sin\left(a\right) + \arctan\left(t\right) \, \lfloor{} a \rfloor{} - \lceil{} n \rceil{}",
        r"{\left(a + 1\right)}^{n} \, \tanh\left(b\right)",
    ]
    plain = readable._Readable(graph_, model_names, list(outputs.values()))
    assert [plain.text(node) for node in outputs.values()] == [
        "sin(a) + atan(t) * floor(a) - ceil(n)", "(a + 1)^n * tanh(b)",
    ]  # fmt: skip


def test_conditions_are_joined():
    def equations(t, x, p, u):
        return {"y": (x.a > 1) & (x.b < 2), "z": (x.a > 1) | (np.float64(2.0) > x.b), "w": np.square(np.abs(x.a))}

    g, outputs = recording.record("joined", equations, ("a", "b"), ())
    for a, b in ((0.0, 0.0), (0.0, 3.0), (2.0, 0.0), (-2.0, 3.0)):
        found = graph.evaluate(g, list(outputs.values()), 0.0, [a, b], [], [])
        assert found == [float(a > 1 and b < 2), float(a > 1 or b < 2), a * a]
