"""The GPU program without a GPU: its text, its compilation for a device, and its run on a processor."""

import ctypes
import re
import shutil
import subprocess
from dataclasses import replace
from importlib import resources

import numpy as np
import pytest

from vein2vein.engine import solve
from vein2vein.engine.cuda import device, kernel
from vein2vein.engine.llvm import linear, run_course
from vein2vein.engine.method import plain, tableau
from vein2vein.engine.method.events import Event
from vein2vein.engine.method.request import ADD, SET, STOP, Doses, Request, arrange, common, standing
from vein2vein.engine.method.summaries import KINDS, Summary
from vein2vein.engine.trace.kept import Kept
from vein2vein.errors import InputError
from vein2vein.models.mathematics import exp
from vein2vein.models.model import State, start
from vein2vein.models.reference.model import MODEL as REFERENCE

GCC, NVCC = shutil.which("gcc"), shutil.which("nvcc")
needs_gcc = pytest.mark.skipif(GCC is None, reason="no C compiler (gcc) on this machine")
needs_nvcc = pytest.mark.skipif(NVCC is None, reason="no CUDA compiler (nvcc) on this machine")
LEVELED = ("time_above", "first_crossing")


def wanted(of, level):
    return tuple(Summary(kind, kind, of, level if kind in LEVELED else None) for kind in KINDS)


@pytest.fixture(scope="module")
def build(tmp_path_factory):
    """Function that compiles a text for the processor, as C."""
    made = {}

    def built(text):
        if text not in made:
            folder = tmp_path_factory.mktemp("program")
            (folder / "program.c").write_text(text)
            command = [GCC, "-std=c11", "-O1", "-ffp-contract=off", "-shared", "-fPIC", "-Wall", "-Wextra", "-Werror"]
            command += ["-Wno-unused-parameter", "-Wno-unused-function", "-o", folder / "program.so"]
            done = subprocess.run([*command, folder / "program.c", "-lm"], capture_output=True, text=True)
            assert done.returncode == 0, done.stderr[:2000]
            made[text] = ctypes.CDLL(str(folder / "program.so"))
        return made[text]

    return built


@pytest.fixture(scope="module")
def host(build):
    """Function that compiles a program for the processor."""
    return lambda model, request, method: build(kernel.source(model, request, tableau.METHODS[method]))


def pointers(values):
    found = []
    for v in values:
        if isinstance(v, np.ndarray):
            found.append(ctypes.c_void_p(v.ctypes.data))
        else:
            found.append(ctypes.c_void_p(None) if v is None else ctypes.c_longlong(v))
    return found


def follow_on_host(library, model, p, state, levels, days, doses, request, control):
    outputs, stand = common(days, len(p)), standing(state, levels, np.full(len(p), days[0]), (), ())
    found = device.room(len(p), state.shape[1], levels.shape[1], outputs, request)
    given = device.arguments(p, stand, np.full(len(p), days[-1]), outputs, doses, control)
    library.courses(*pointers([*given, *found.values()]))
    return by_day(device.collect(found, outputs, request), days)


def follow_compiled(model, p, state, levels, days, doses, request, control):
    return by_day(run_course.follow(model, p, state, levels, days, doses, request, control), days)


def by_day(found, days):
    """The courses with values (n, days, states)."""
    return replace(found, values=found.values.reshape(len(found.state), len(days), -1))


class OnProcessor:
    """What device.py uses of CuPy, with the processor in the place of the device."""

    def __init__(self, build):
        self.build, self.free = build, 2**30
        self.cuda = self.runtime = self
        self.grids = []

    def memGetInfo(self):
        return self.free, 2 * self.free

    def RawModule(self, code, options):
        self.library = self.build(code)
        return self

    def get_function(self, name):
        function = getattr(self.library, name)

        def launch(grid, block, given):
            self.grids.append((grid, block))
            function(*pointers([None if isinstance(v, np.uint64) else v for v in given]))

        return launch

    asarray, asnumpy, zeros = staticmethod(np.asarray), staticmethod(np.asarray), staticmethod(np.zeros)


@pytest.fixture
def on_processor(build, monkeypatch):
    """The GPU backend with the processor in the place of the device, from the door to the results."""
    library = OnProcessor(build)
    monkeypatch.setattr(device, "_library", lambda: library)
    monkeypatch.setattr(device, "_kernels", Kept(64))
    return library


P = np.array([[1.0, 3.0, 0.5, 6.0], [2.0, 4.0, 0.7, 5.0]])
GIVEN = [(0.5, "bolus", [10.0, 20.0]), (1.0, "infusion", 3.0), (2.0, "infusion", 0.0)]
EXPOSURE = (Summary("exposure", "area", "central"),)
ASKED = [
    {"days": [0.0, 1.0, 5.0]},
    {"days": [0.0, 1.0, 5.0], "outputs": False},
    {"days": [[0.0, 5.0], [0.25, 0.5, 3.0]]},
    {"days": [[0.5, 5.0], [1.0, 4.0, 4.0]], "begin": [-1.0, 0.0], "outputs": ["concentration", "outer"]},
    {"days": [1.0, 4.0], "begin": -2.0, "outputs": ["outer"]},
]


@needs_gcc
@pytest.mark.parametrize("method", ["tsit5", "rodas5p"])
@pytest.mark.parametrize("asked", ASKED)
def test_what_is_sent_to_the_device_and_fetched_from_it(models, on_processor, method, asked):
    """Days of each patient's own, observables and where the courses begin, too."""
    model = replace(models["two_compartment"], observables=lambda t, x, p, u: {"concentration": x.central / p.V})
    asked = {"doses": GIVEN, "summaries": EXPOSURE, "method": method, "rtol": 1e-9, **asked}
    found, expected = (solve.solve(model, P, None, backend=b, **asked) for b in ("gpu", "batch"))
    assert on_processor.grids == [((1,), (device.THREADS,))]
    assert found.values.shape == expected.values.shape and found.names == expected.names
    assert found.values == pytest.approx(expected.values, rel=1e-6, abs=1e-12)
    assert found.state == pytest.approx(expected.state, rel=1e-6)
    assert found.summaries["exposure"] == pytest.approx(expected.summaries["exposure"], rel=1e-6)
    assert np.array_equal(found.steps, expected.steps) and not found.status.any()


@needs_gcc
def test_results_that_do_not_fit_into_the_device_are_refused(models, on_processor):
    on_processor.free = 100
    with pytest.raises(InputError, match=r"2 courses need 0\.0 GiB on the GPU, which has 0\.0 GiB free; give fewer"):
        solve.solve(models["two_compartment"], P, None, [0.0, 1.0], backend="gpu", method="tsit5")
    assert not on_processor.grids


@needs_gcc
def test_patients_whose_systems_are_not_solved_are_solved_again_with_pivoting(make_model, on_processor, monkeypatch):
    monkeypatch.setattr(linear, "RESIDUAL", -1.0)  # no solution is good enough
    model = make_model("turns", ["a", "b"], ["k"], lambda t, x, p, u: {"a": p.k * x.b, "b": -p.k * x.a},
                       lambda p: {"a": 1.0})  # fmt: skip
    found = solve.solve(model, [[1.0], [2.0]], None, [0.0, 2.0], backend="gpu", method="rodas4")
    assert not found.status.any()
    k = np.array([1.0, 2.0])
    assert found.values[:, 1] == pytest.approx(np.stack([np.cos(2 * k), -np.sin(2 * k)], axis=1), abs=1e-4)


def test_a_method_that_changes_is_refused(models):
    with pytest.raises(InputError, match=r"does not change its method .* give one of tsit5, rodas4, rodas5p, or use"):
        solve.solve(models["decay"], [[1.0]], None, [0.0, 1.0], backend="gpu")


def setting(model, p, days, given, method, rtol=1e-6, **options):
    names = tuple(sorted({name for _, name, _ in given}))
    held = [name in model.level_names for name in names]
    listed = [(np.asarray(float(d)), names.index(name), np.asarray(a, dtype=float)) for d, name, a in given]
    doses = arrange(len(p), listed, held)
    chosen = tableau.METHODS[method]
    control = replace(plain.control(model, rtol, **options), method=chosen)
    return names, doses, control


@needs_gcc
@pytest.mark.parametrize("name", ["cytokine", "two_compartment", "seasonal", "reference"])
def test_its_rates_are_those_of_the_compiled_solver(host, models, patients, name):
    model = REFERENCE if name == "reference" else models[name]
    p = patients(5) if name == "cytokine" else np.random.default_rng(1).uniform(0.5, 2, (5, len(model.parameters)))
    if name == "reference":
        p = np.tile([model.example[k] for k in model.parameters], (5, 1)) * np.random.default_rng(1).uniform(
            0.9, 1.1, (5, 1)
        )
    x = start(model, p) + 0.05 * np.random.default_rng(2).uniform(size=(5, len(model.states)))
    u = np.random.default_rng(3).uniform(size=(5, len(model.level_names)))
    library, out = host(model, Request(), "tsit5"), np.zeros((len(model.states), 5))
    given = [device.columns(v) for v in (x, p, u)]
    library.all_rates(ctypes.c_longlong(5), ctypes.c_double(2.5), *pointers([*given, out]))
    expected = run_course.rates(run_course.compile_rates(model), 2.5, x, p, u)
    found = out.T
    assert found == pytest.approx(expected, rel=1e-11, abs=1e-13 * np.abs(expected).max())


@needs_gcc
@pytest.mark.parametrize("method", ["tsit5", "rodas4", "rodas5p"])
def test_its_courses_are_those_of_the_compiled_solver(host, models, patients, method):
    model, p = models["cytokine"], patients(6)
    days = np.array([0.0, 0.4, 3.0, 9.0, 20.0])
    names, doses, control = setting(model, p, days, [], method)
    request = Request(names, (), wanted("cells", 0.3), True)
    u = np.zeros((6, 0))
    found = follow_on_host(host(model, request, method), model, p, start(model, p), u, days, doses, request, control)
    expected = follow_compiled(model, p, start(model, p), u, days, doses, request, control)
    assert np.array_equal(found.status, expected.status) and np.all(found.status == 0)
    assert np.abs(found.steps - expected.steps).max() <= 2
    assert found.values == pytest.approx(expected.values, rel=1e-5, abs=1e-7)
    assert found.results == pytest.approx(expected.results, rel=1e-5, abs=1e-6)


@needs_gcc
def test_doses_and_levels_of_each_patient(host, models):
    model = models["two_compartment"]
    p = np.array([[1.0, 3.0, 0.5, 6.0], [2.0, 4.0, 0.7, 5.0], [1.5, 3.0, 0.2, 7.0]])
    days = np.linspace(0, 12, 13)
    given = [(4.0, "bolus", [10.0, 0.0, 5.0]), (0.0, "bolus", 100.0), (2.5, "infusion", [5.0, 1.0, 0.0]),
             (7.0, "infusion", 0.0)]  # fmt: skip
    names, doses, control = setting(model, p, days, given, "tsit5", 1e-8)
    request = Request(names, (), wanted("central", 20.0), True)
    state, u = np.zeros((3, 2)), np.zeros((3, 1))
    found = follow_on_host(host(model, request, "tsit5"), model, p, state, u, days, doses, request, control)
    expected = follow_compiled(model, p, state, u, days, doses, request, control)
    assert found.values == pytest.approx(expected.values, rel=1e-8)
    assert found.results == pytest.approx(expected.results, rel=1e-7)
    assert np.array_equal(found.steps, expected.steps) and np.array_equal(found.levels, expected.levels)


@needs_gcc
@pytest.mark.parametrize("method", ["tsit5", "rodas4"])
def test_the_reference_model(host, method):
    p = np.tile([REFERENCE.example[k] for k in REFERENCE.parameters], (3, 1))
    p[:, REFERENCE.parameters.index("rho")] *= [0.9, 1.0, 1.1]
    days = np.array([-6.0, 0.0, 7.0, 14.0, 28.0])
    names, doses, control = setting(REFERENCE, p, days, REFERENCE.example_doses, method)
    request = Request(names, (), wanted("b_cells", 10.0), True)  # which does not jump: the GPU ends no steps there
    state, u = start(REFERENCE, p), np.zeros((3, len(REFERENCE.level_names)))
    found = follow_on_host(host(REFERENCE, request, method), REFERENCE, p, state, u, days, doses, request, control)
    expected = follow_compiled(REFERENCE, p, state, u, days, doses, request, control)
    assert np.all(found.status == 0)
    scale = np.abs(expected.values).max(axis=(0, 1))
    assert np.all(np.abs(found.values - expected.values) <= 1e-4 * scale + 1e-9)
    assert found.results == pytest.approx(expected.results, rel=1e-4)


@needs_gcc
def test_a_patient_that_fails_has_the_same_status(host, models):
    model, p = models["logistic"], np.array([[1.0, 2.0], [1.0, -0.5]])
    days = np.array([0.0, 20.0])
    names, doses, control = setting(model, p, days, [], "tsit5")
    request = Request(names, (), wanted("N", 1.0)[:1], True)
    state, u = start(model, p), np.zeros((2, 0))
    found = follow_on_host(host(model, request, "tsit5"), model, p, state, u, days, doses, request, control)
    expected = follow_compiled(model, p, state, u, days, doses, request, control)
    assert np.array_equal(found.status, expected.status) and list(found.status == 0) == [True, False]
    assert np.isnan(found.results[1, 0]) and np.isnan(found.values.reshape(2, len(days), -1)[1, 1]).all()


def robertson(t, x, p, u):
    slow, fast = p.k * x.a, 1e4 * x.b * x.c
    return {"a": fast - slow, "b": slow - fast - 3e7 * x.b * x.b, "c": 3e7 * x.b * x.b}


def held(t, x, p, u):
    return {"a": 0.1 * x.b - 0.3 * p.k, "b": 1 + exp(-t) - x.b, "c": x.a * x.b - x.c}


STIFF = {
    "robertson": (robertson, {"a": 1.0}, [0.04, 0.05], [0.0, 0.4, 40.0, 4e3], -np.inf),
    "held": (held, {"a": 0.6, "b": 0.2}, [1.0, 1.2], [0.0, 1.0, 30.0], 0.5),
}


@needs_gcc
@pytest.mark.parametrize("method", ["rodas4", "rodas5p"])
@pytest.mark.parametrize("name", STIFF)
def test_stiff_equations_and_a_state_held_at_its_bound(host, make_model, name, method):
    """Where a rate leads out of bounds, the state has no partial derivatives either, or steps would be refused."""
    equations, begin, k, days, low = STIFF[name]
    states = [State("a", "", "1", 1e-6, low=low), State("b", "", "1", 1e-9), State("c", "", "1", 1e-6)]
    model, p, days = make_model(name, states, ["k"], equations, lambda p: begin), np.array(k)[:, None], np.array(days)
    names, doses, control = setting(model, p, days, [], method, max_step=np.inf)
    request, u = Request(names, (), wanted("a", 0.55), True), np.zeros((2, 0))
    found = follow_on_host(host(model, request, method), model, p, start(model, p), u, days, doses, request, control)
    expected = follow_compiled(model, p, start(model, p), u, days, doses, request, control)
    assert np.all(found.status == 0) and np.abs(found.steps - expected.steps).max() <= 2
    assert np.all(found.steps + found.rejected < 150)
    assert found.values == pytest.approx(expected.values, rel=1e-5, abs=1e-9)
    assert found.results == pytest.approx(expected.results, rel=1e-5, abs=1e-9)


@needs_gcc
@pytest.mark.parametrize("method", ["rodas4", "rodas5p"])
def test_a_system_that_is_not_solved_accurately_has_a_status_of_its_own(host, make_model, monkeypatch, method):
    monkeypatch.setattr(linear, "RESIDUAL", -1.0)  # no solution is good enough
    model = make_model(f"unsolved {method}", ["a", "b"], ["k"], lambda t, x, p, u: {"a": p.k * x.b, "b": -x.a},
                       lambda p: {"a": 1.0})  # fmt: skip
    p, days = np.array([[1.0], [2.0]]), np.array([0.0, 2.0])
    names, doses, control = setting(model, p, days, [], method)
    library = host(model, Request(names), method)
    found = follow_on_host(library, model, p, start(model, p), np.zeros((2, 0)), days, doses, Request(names), control)
    assert list(found.status) == [tableau.NOT_SOLVED] * 2
    assert np.array_equal(found.state, start(model, p)) and list(found.reached) == [0.0, 0.0]


@needs_gcc
@pytest.mark.parametrize("method", ["tsit5", "rodas5p"])
def test_a_state_that_is_set_or_added_to_and_a_stop(host, make_model, method):
    model = make_model("fades", ["a", "b"], ["k"], lambda t, x, p, u: {"a": -p.k * x.a, "b": -2 * p.k * x.b},
                       lambda p: {"a": 1.0, "b": 2.0})  # fmt: skip
    p, days = np.array([[0.5], [0.25]]), np.array([0.0, 1.0, 2.0, 4.0])
    doses = Doses(
        first=np.array([0, 3]), last=np.array([3, 3]), day=np.array([1.0, 2.0, 3.0]),
        what=np.array([SET, ADD, STOP]), amount=np.array([1.0, 0.0, 0.0]), resets=np.array([[0.25, 0.5], [4.0, 8.0]]),
    )  # fmt: skip
    _, _, control = setting(model, p, days, [], method, 1e-9)
    found = follow_on_host(
        host(model, Request(), method), model, p, start(model, p), np.zeros((2, 0)), days, doses, Request(), control
    )
    k = p[:, 0]
    alone = np.exp(-np.outer(k, days))
    assert found.values[1] == pytest.approx(np.stack([alone[1], 2 * alone[1] ** 2], axis=1), rel=1e-7)
    fall = np.exp(-0.5)
    after = np.array([4 * fall + 0.25, 8 * fall**2 + 0.5])
    assert found.values[0] == pytest.approx(
        np.array([[1.0, 2.0], [4.0, 8.0], after, after * [fall**2, fall**4]]), rel=1e-7
    )


@needs_nvcc
@pytest.mark.parametrize("method", ["tsit5", "rodas4"])
def test_it_compiles_for_a_device(tmp_path, models, method):
    request = Request(("bolus", "infusion"), (), wanted("central", 20.0), True)
    (tmp_path / "program.cu").write_text(kernel.source(models["two_compartment"], request, tableau.METHODS[method]))
    command = [NVCC, "-ptx", "-arch=sm_90", "-Werror", "all-warnings", "-o", tmp_path / "program.ptx"]
    done = subprocess.run([*command, tmp_path / "program.cu"], capture_output=True, text=True)
    assert done.returncode == 0, (done.stdout + done.stderr)[:2000]
    text = (tmp_path / "program.ptx").read_text()
    assert re.search(r"\.entry courses", text) and re.search(r"\.entry all_rates", text)
    assert ".f64" in text and not re.search(r"\b(add|mul|fma|div)(\.\w+)*\.f32\b", text), "doubles throughout"


def test_the_text_has_every_part_once(models):
    request = Request(("bolus",), (), wanted("central", 20.0), True)
    for name, method in tableau.METHODS.items():
        text = kernel.source(models["two_compartment"], request, method)
        assert text.count("{") == text.count("}") and text.count("(") == text.count(")")
        for function in ("prepare", "rates", "give", "write", "quantity", "update", "attempt", "course"):
            assert len(re.findall(rf"^(?:DEVICE|LARGE) \w+ {function}\(", text, re.MULTILINE)) == 1
        for function in ("slopes", "factor", "solve", "accurate"):
            found = re.findall(rf"^LARGE \w+ {function}\(", text, re.MULTILINE)
            assert len(found) == int(name != "tsit5")
        assert "#include" not in text.split("#else")[0], "a run-time compiler has no headers"


SHOWN = Request(("bolus", "infusion"), (), (Summary("exposure", "area", "central"),))


def test_the_file_shows_what_is_written_for_a_model(models):
    text = kernel.STEPS.read_text()
    shown = text[text.index(kernel.BEGIN) + len(kernel.BEGIN) : text.index(kernel.END)]
    written = "\n".join(kernel.generated(models["two_compartment"], SHOWN, tableau.TSIT5))
    assert shown.strip() == written.strip()
    whole = kernel.source(models["two_compartment"], SHOWN, tableau.TSIT5)
    assert whole.split() == text.replace(kernel.BEGIN, "").replace(kernel.END, "").split()


@needs_gcc
@pytest.mark.parametrize("standard", ["c11", "c++17"])
def test_the_file_is_c_and_almost_cuda_as_it_stands(standard):
    """As C++ it is what a run-time compiler of CUDA reads, but for the words that only a device has."""
    language = "c++" if standard.startswith("c++") else "c"
    if language == "c++" and shutil.which("g++") is None:
        pytest.skip("no C++ compiler (g++) on this machine")
    command = [GCC, "-x", language, f"-std={standard}", "-Wall", "-Wextra", "-Woverflow", "-Wno-unused-parameter"]
    done = subprocess.run([*command, "-Werror", "-fsyntax-only", kernel.STEPS], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[:2000]


def test_what_is_infinite_is_written_and_not_computed():
    """A product that overflows is a warning of some compilers."""
    assert not re.search(r"e\+?30[0-9]", kernel.STEPS.read_text())


@needs_nvcc
def test_the_file_is_cuda_as_it_stands(tmp_path):
    command = [NVCC, "-ptx", "-arch=sm_90", "-Werror", "all-warnings", "-o", tmp_path / "courses.ptx", kernel.STEPS]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, (done.stdout + done.stderr)[:2000]


def test_the_file_is_part_of_the_package():
    assert (resources.files("vein2vein.engine.cuda") / "courses.cu").read_text().startswith("/* Whole courses")


def test_numbers_are_exact():
    for value in (0.1, 1e-300, -2.5, 1 / 3, 12345678901234567.0):
        assert float(kernel.number(value).strip("()")) == value
    assert kernel.number(-np.inf) == "(-INFINITE)"


@pytest.mark.skipif(device.available(), reason="a GPU is here")
def test_without_a_gpu_one_sentence_says_so(models):
    with pytest.raises(InputError, match=r"the GPU backend (needs the library CuPy|finds no).*use the backend 'batch'"):
        solve.solve(models["decay"], [[1.0]], None, [0.0, 1.0], backend="gpu", method="tsit5")


@pytest.mark.skipif(device.available(), reason="a GPU is here")
def test_the_door_leads_to_the_gpu(models):
    with pytest.raises(InputError, match=r"the GPU backend"):
        solve.solve(models["decay"], [[1.0]], None, [0.0, 1.0], backend="gpu", method="tsit5")
    with pytest.raises(InputError, match=r"unknown backend 'gpo'; did you mean gpu"):
        solve.solve(models["decay"], [[1.0]], None, [0.0, 1.0], backend="gpo")


def test_events_are_refused_by_name():
    event, control = Event("high", lambda t, x, p, u: x.central - 1.0, "bolus", 1.0), plain.control(REFERENCE, 1e-6)
    with pytest.raises(InputError, match=r"does not fire events .'high'."):
        device.check(Request(("bolus",), (event,)), control, REFERENCE)


@pytest.mark.skipif(not device.available(), reason="no GPU, or the extra 'gpu' is not installed")
@pytest.mark.parametrize("method", ["tsit5", "rodas4"])
def test_the_device_gives_what_the_compiled_solver_gives(models, patients, method):
    asked = {"days": [0.0, 0.4, 3.0, 9.0, 20.0], "summaries": wanted("cells", 0.3), "method": method}
    found, expected = (
        solve.solve(models["cytokine"], patients(300), None, backend=b, **asked) for b in ("gpu", "batch")
    )
    assert found.values == pytest.approx(expected.values, rel=1e-4, abs=1e-6)
    for name, values in expected.summaries.items():
        assert np.percentile(np.abs(found.summaries[name] - values), 99) < 1e-4
