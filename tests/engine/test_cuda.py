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
from vein2vein.engine.llvm import run_course
from vein2vein.engine.method import plain, tableau
from vein2vein.engine.method.events import Event
from vein2vein.engine.method.request import Request, arrange
from vein2vein.engine.method.summaries import KINDS, Summary
from vein2vein.errors import InputError
from vein2vein.models.model import start
from vein2vein.models.reference.model import MODEL as REFERENCE

GCC, NVCC = shutil.which("gcc"), shutil.which("nvcc")
needs_gcc = pytest.mark.skipif(GCC is None, reason="no C compiler (gcc) on this machine")
needs_nvcc = pytest.mark.skipif(NVCC is None, reason="no CUDA compiler (nvcc) on this machine")
LEVELED = ("time_above", "first_crossing")


def wanted(of, level):
    return tuple(Summary(kind, kind, of, level if kind in LEVELED else None) for kind in KINDS)


@pytest.fixture(scope="module")
def host(tmp_path_factory):
    """Function that compiles a program for the processor, as C."""
    made = {}

    def compiled(model, request, method):
        key = (model.name, request, method)
        if key not in made:
            folder = tmp_path_factory.mktemp("program")
            text = kernel.source(model, request, tableau.METHODS[method])
            (folder / "program.c").write_text(text)
            command = [GCC, "-std=c11", "-O1", "-ffp-contract=off", "-Wall", "-Werror", "-shared", "-fPIC"]
            done = subprocess.run(
                [*command, "-o", folder / "program.so", folder / "program.c", "-lm"], capture_output=True, text=True
            )
            assert done.returncode == 0, done.stderr[:2000]
            made[key] = ctypes.CDLL(str(folder / "program.so"))
        return made[key]

    return compiled


def pointers(values):
    found = []
    for v in values:
        if isinstance(v, np.ndarray):
            found.append(ctypes.c_void_p(v.ctypes.data))
        else:
            found.append(ctypes.c_void_p(None) if v is None else ctypes.c_longlong(v))
    return found


def follow_on_host(library, model, p, state, levels, days, doses, request, control):
    found = device.room(len(p), state.shape[1], levels.shape[1], len(days), request)
    given = device.arguments(p, state, levels, days, doses, control)
    library.courses(*pointers([*given, *found.values()]))
    return device.collect(found, len(p))


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
    expected = run_course.follow(model, p, start(model, p), u, days, doses, request, control)
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
    expected = run_course.follow(model, p, state, u, days, doses, request, control)
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
    request = Request(names, (), wanted("transgene", 1000.0), True)
    state, u = start(REFERENCE, p), np.zeros((3, len(REFERENCE.level_names)))
    found = follow_on_host(host(REFERENCE, request, method), REFERENCE, p, state, u, days, doses, request, control)
    expected = run_course.follow(REFERENCE, p, state, u, days, doses, request, control)
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
    expected = run_course.follow(model, p, state, u, days, doses, request, control)
    assert np.array_equal(found.status, expected.status) and list(found.status == 0) == [True, False]
    assert np.isnan(found.results[1, 0]) and np.isnan(found.values.reshape(2, len(days), -1)[1, 1]).all()


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
        for function in ("prepare", "rates", "give", "quantity", "update", "attempt", "course"):
            assert len(re.findall(rf"^(?:DEVICE|LARGE) \w+ {function}\(", text, re.MULTILINE)) == 1
        assert ("factor(double" in text) == (name != "tsit5")
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
def test_the_file_is_c_as_it_stands():
    command = [GCC, "-x", "c", "-std=c11", "-Wall", "-Werror", "-fsyntax-only", kernel.STEPS]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[:2000]


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
    model, p = models["decay"], np.ones((1, 1))
    names, doses, control = setting(model, p, np.array([0.0, 1.0]), [], "tsit5")
    with pytest.raises(InputError, match=r"the GPU backend (needs the library CuPy|finds no).*use the backend 'batch'"):
        device.follow(model, p, start(model, p), np.zeros((1, 0)), np.array([0.0, 1.0]), doses, Request(names), control)


@pytest.mark.skipif(device.available(), reason="a GPU is here")
def test_the_door_leads_to_the_gpu(models):
    with pytest.raises(InputError, match=r"the GPU backend"):
        solve.solve(models["decay"], [[1.0]], None, [0.0, 1.0], backend="gpu")
    with pytest.raises(InputError, match=r"unknown backend 'gpo'; did you mean gpu"):
        solve.solve(models["decay"], [[1.0]], None, [0.0, 1.0], backend="gpo")


def test_events_are_refused_by_name():
    event = Event("high", lambda t, x, p, u: x.central - 1.0, "bolus", 1.0)
    with pytest.raises(InputError, match=r"does not fire events .'high'."):
        device.check(Request(("bolus",), (event,)))


@pytest.mark.skipif(not device.available(), reason="no GPU, or the extra 'gpu' is not installed")
@pytest.mark.parametrize("method", ["tsit5", "rodas4"])
def test_the_device_gives_what_the_compiled_solver_gives(models, patients, method):
    model, p = models["cytokine"], patients(300)
    days = np.array([0.0, 0.4, 3.0, 9.0, 20.0])
    names, doses, control = setting(model, p, days, [], method)
    request = Request(names, (), wanted("cells", 0.3), True)
    found, expected = (
        f(model, p, start(model, p), np.zeros((300, 0)), days, doses, request, control)
        for f in (device.follow, run_course.follow)
    )
    assert found.values == pytest.approx(expected.values, rel=1e-4, abs=1e-6)
    assert np.percentile(np.abs(found.results - expected.results), 99) < 1e-4
