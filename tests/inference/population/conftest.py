"""What the tests of population fits share: studies and problems that are made of arrays, and the standard data sets."""

from types import SimpleNamespace

import numpy as np
import pytest

import vein2vein as v2v
from vein2vein.inference.population.problem import EndpointModel, FitParameter, FitProblem, Settings
from vein2vein.io.study.columns import Columns, TimeColumn
from vein2vein.io.study.study import Covariate, Doses, Endpoint, Observations, Study
from vein2vein.models.closed_form import SinceDose
from vein2vein.models.model import Input, Model, State

SHORT = Settings(exploring=30, averaging=20, draws=100, importance=200)
HOURS = Columns(time=TimeColumn(unit="h"))


def study(
    subject, time, value, *, endpoint=None, censored=None, limit=None, occasion=None, course=None, doses=None,
    covariates=(), endpoints=("y",), unit="d", line=None,
):  # fmt: skip
    """A study of arrays; ``subject`` says of each row whose it is, ``course`` in which course (default: one each)."""
    subject = np.asarray(subject)
    course = subject if course is None else np.asarray(course)
    of = np.array([subject[np.flatnonzero(course == c)[0]] for c in range(course.max() + 1)])
    m, names = len(subject), tuple(f"s{i}" for i in range(subject.max() + 1))

    def fill(x, default, kind=float):
        return np.full(m, default, dtype=kind) if x is None else np.asarray(x, dtype=kind)

    seen = Observations(
        course, np.asarray(time, float), np.asarray(value, float), fill(endpoint, 0, int), fill(censored, 0, np.int8),
        fill(limit, np.nan), fill(occasion, 0, int), np.arange(m) + 100 if line is None else np.asarray(line),
    )  # fmt: skip
    rows = [(c, 0.0, 1.0) for c in range(len(of))] if doses is None else doses
    given = dose_rows(rows)
    found = {one.name: one for one in covariates}
    return Study(
        "study.csv", "NONMEM", names, of, tuple(Endpoint(e, str(i + 1)) for i, e in enumerate(endpoints)), seen, given,
        found, unit, digest="d",
    )  # fmt: skip


def dose_rows(rows):
    """Doses from (course, time, amount) or mappings with more."""
    every = [dict(zip(("course", "time", "amount"), r)) if isinstance(r, tuple) else r for r in rows]

    def get(name, default, kind=float):
        return np.array([r.get(name, default) for r in every], dtype=kind)

    return Doses(
        get("course", 0, int), get("time", 0.0), get("amount", 1.0), get("rate", 0.0), get("duration", np.nan),
        np.array([str(r.get("target", "")) for r in every], dtype=np.str_), get("interval", 0.0),
        get("additional", 0, int), get("steady", 0, np.int8), get("line", 1, int),
    )  # fmt: skip


def constant(name, values, categories=()):
    """A covariate that stands still."""
    return Covariate(name, np.asarray(values, float), categories)


def line_model(closed=True):
    """y = base + slope * time: its likelihood is known exactly."""
    return Model(
        name="line", title="A straight line", source="none", states=(State("x", "nothing", "1", low=0.0),),
        inputs=(Input("begin", "starts it", "1"),), parameters=("base", "slope"),
        equations=lambda t, x, p, u: {"x": 0.0 * x.x}, initial=lambda p: {},
        apply_dose=lambda name, amount, x, p: {"x": x.x + amount},
        observables=lambda t, x, p, u: {"y": p.base + p.slope * t},
        closed_form=SinceDose("begin", lambda t, p: {"y": p.base + p.slope * t}) if closed else None,
    )  # fmt: skip


def normal(start, omega=0.0, **more):
    """A parameter with a normal law."""
    return FitParameter(start, law="normal", omega=omega, **more)


def lognormal(start, omega=1.0, **more):
    """A parameter with a log-normal law."""
    return FitParameter(start, omega=omega, **more)


def benchmark(shared, name):
    """One of the standard data sets, read as it is."""
    path = shared / "data" / "nlme_benchmarks" / name
    if not path.is_file():
        pytest.skip(f"the reference data are not at {path}")
    return v2v.read_study(path, columns=HOURS)


@pytest.fixture(scope="session")
def make():
    """Functions that make studies and problems."""
    return SimpleNamespace(
        study=study, dose_rows=dose_rows, constant=constant, line_model=line_model, normal=normal, lognormal=lognormal,
        short=SHORT, hours=HOURS,
    )  # fmt: skip


@pytest.fixture(scope="session")
def theo(shared):
    """Theophylline, 12 subjects: one compartment with absorption, constant error."""
    return FitProblem(
        v2v.find_model("one_compartment_oral"), benchmark(shared, "theo_sd.csv"),
        {"ka": lognormal(1.5), "CL": lognormal(2.7), "V": lognormal(31.0)}, {"cp": EndpointModel()},
    )  # fmt: skip


@pytest.fixture(scope="session")
def data(shared):
    """Reads a standard data set."""
    return lambda name: benchmark(shared, name)
