"""Models small enough to know, and a cache of their own for the tests."""

import numpy as np
import pytest

from vein2vein.engine.llvm import cache, machine
from vein2vein.models.mathematics import (
    atan,
    ceil,
    cos,
    exp,
    floor,
    hill,
    log,
    maximum,
    power,
    sin,
    sqrt,
    tanh,
    where,
)  # fmt: skip
from vein2vein.models.model import Input, Model, State


def make(name, states, parameters, equations, initial, inputs=(), apply_dose=lambda n, a, x, p: {}, **options):
    states = tuple(s if isinstance(s, State) else State(s, s, "1", **options) for s in states)
    return Model(
        name, name, "none", states, tuple(inputs), tuple(parameters), equations, initial, apply_dose,
        lambda t, x, p, u: {},
    )  # fmt: skip


def decay():
    return make("decay", ["A"], ["k"], lambda t, x, p, u: {"A": -p.k * x.A}, lambda p: {"A": 2.0})


def logistic():
    def equations(t, x, p, u):
        return {"N": p.g * x.N * (1 - x.N / p.room)}

    return make("logistic", ["N"], ["g", "room"], equations, lambda p: {"N": 0.1})


def two_compartment():
    def equations(t, x, p, u):
        return {
            "central": u.infusion - (p.CL + p.Q) / p.V * x.central + p.Q / p.W * x.outer,
            "outer": p.Q / p.V * x.central - p.Q / p.W * x.outer,
        }

    inputs = (Input("bolus", "into the blood", "mg"), Input("infusion", "steady", "mg/d", "level"))

    def dose(name, amount, x, p):
        return {"central": x.central + amount}

    return make("two_compartment", ["central", "outer"], ["CL", "V", "Q", "W"], equations, lambda p: {}, inputs, dose)


def lotka_volterra():
    def equations(t, x, p, u):
        meetings = p.b * x.prey * x.hunter
        return {"prey": p.a * x.prey - meetings, "hunter": p.c * meetings - p.d * x.hunter}

    return make("lotka_volterra", ["prey", "hunter"], "abcd", equations, lambda p: {"prey": 1.0, "hunter": 1.0})


def seasonal():
    """Every function that the others leave out."""

    def equations(t, x, p, u):
        season = sin(p.w * t) + cos(p.w * t) * atan(x.b) - tanh(x.a - 1.0)
        return {
            "a": season - x.a**3 + floor(x.b * p.n) - ceil(x.a * p.n),
            "b": sqrt(x.a) - (x.b - 2.0) ** floor(2 + p.n) + x.b**p.n + (x.a - x.b) ** 3.0 * x.b**-0.5,
        }

    states = [State("a", "", "1", low=0.0), State("b", "", "1", low=0.0, high=50.0)]
    return make("seasonal", states, ["w", "n"], equations, lambda p: {"a": 1.0, "b": 0.5})


CYTOKINE_PARAMETERS = ("growth", "death", "kill", "half", "steep", "fast", "slow", "top")
CYTOKINES = ("cells", "tumor", *(f"S{i}" for i in range(12)), "total")


def cytokine():
    """Rates from 0.01 to 24 per day, Hill, logarithm, exponential and a switch; 15 states."""

    def equations(t, x, p, u):
        size = exp(x.tumor)
        engaged = size / (p.half + size)
        rates = {
            "cells": (p.growth * engaged * exp(-0.3 * t) - p.death) * x.cells,
            "tumor": 0.05 * (1 - size / p.top) - p.kill * hill(x.cells, p.half, p.steep),
            "S0": 2 * p.fast * hill(x.cells * engaged, 1.0, p.steep) - p.fast * x.S0,
            "total": x.cells,
        }
        for i in range(1, 12):
            rate = p.fast / 2 if i % 2 else p.slow
            drive = where(getattr(x, f"S{i - 1}") > p.half, 1.0, power(getattr(x, f"S{i - 1}") / p.half, 2.0))
            rates[f"S{i}"] = rate * (log(1 + maximum(drive, 0.0)) - getattr(x, f"S{i}"))
        return rates

    states = [State("cells", "", "1", 1e-6, low=0.0), State("tumor", "", "1", 1e-4)]
    states += [State(f"S{i}", "", "1", 1e-5, low=0.0) for i in range(12)]
    states += [State("total", "", "1", np.inf)]
    return make("cytokine", states, CYTOKINE_PARAMETERS, equations, lambda p: {"cells": 0.05, "tumor": log(p.top / 3)})


def cytokine_patients(n, seed=1):
    typical = np.array([2.5, 0.3, 2.0, 0.7, 2.0, 24.0, 0.2, 50.0])
    return typical * np.exp(np.random.default_rng(seed).normal(0, 0.2, (n, len(typical))))


@pytest.fixture(scope="session")
def models():
    """The test models by name; each is made once, so it is compiled once."""
    return {m.name: m for m in (decay(), logistic(), two_compartment(), lotka_volterra(), seasonal(), cytokine())}


@pytest.fixture(scope="session")
def patients():
    """Parameter matrix of n patients of the cytokine model."""
    return cytokine_patients


@pytest.fixture(scope="session")
def make_model():
    """Function that makes a model from names and equations."""
    return make


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory):
    """Keep the tests' compiled code out of the user's cache."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(cache.VARIABLE, str(tmp_path_factory.mktemp("cache")))
        yield


WIDTHS = (1, 2, 4, 8)
WIDTHLESS = (
    "test_trace",
    "test_arguments",
    "test_every_argument",
    "test_kept",
    "test_scheduling",
    "test_plain",
    "test_cuda",
    "test_processor",
)


def pytest_generate_tests(metafunc):
    """Run what is compiled at every vector width: a processor's natural width hides faults at the others."""
    if metafunc.module.__name__.rpartition(".")[2] not in WIDTHLESS:
        metafunc.fixturenames.append("vector_width")
        metafunc.parametrize("vector_width", WIDTHS, indirect=True, ids=lambda w: f"width{w}", scope="module")


def pytest_collection_modifyitems(config, items):
    """Readable Python has no vectors: what runs on it alone runs at one width."""
    again = [item for item in items if _without_vectors(item) and item.callspec.params["vector_width"] != WIDTHS[0]]
    if again:
        config.hook.pytest_deselected(items=again)
        items[:] = [item for item in items if item not in set(again)]


def _without_vectors(item):
    chosen = getattr(item, "callspec", None)
    return chosen is not None and "vector_width" in chosen.params and "plain" in chosen.params.values()


@pytest.fixture(scope="module")
def vector_width(request):
    """Patients per vector, whatever this processor's own width is."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(machine, "natural_width", lambda: request.param)
        yield request.param
