"""What is to be fitted: a model, a study, and for each parameter, dose and endpoint what is known and what is sought.

The same records are read from ``fit.toml`` (``fit_file.py``) and made in Python; the same checks stand at both doors.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Annotated

from vein2vein.declared import Record, flag, listed, number, part, text
from vein2vein.errors import InputError, unknown
from vein2vein.inference.population.expression import parse
from vein2vein.inference.population.laws import BOUNDED, LAWS, to_gaussian
from vein2vein.io.study.columns import Columns
from vein2vein.io.study.study import Endpoint, Study
from vein2vein.models.model import Model
from vein2vein.records import described

ERRORS = ("constant", "proportional", "combined1", "combined2")
"""a | b f | a + b f | sqrt(a^2 + b^2 f^2), with f the prediction."""
SCALES = ("natural", "log")
METHODS = ("saem", "focei", "laplace")
SOLVERS = ("auto", "equations")
OCCASIONS = ("OCC", "OCCASION")
"""What the column of occasions is called where nobody says."""
_START = {
    "a": 1.0,
    "b": 0.3,
}  # solver coefficient: of errors that the user gives no start; annealing takes it from there


@described
@dataclass(frozen=True)
class FitParameter(Record):
    """One parameter of the model: its typical value, its law, its random effect and its covariates.

    A covariate moves the Gaussian number (of a log-normal parameter the logarithm) by coefficient times expression.
    """

    start: Annotated[float, number("Typical value at the start, on the natural scale")]
    law: Annotated[str, text("Law of the spread between patients", LAWS)] = "lognormal"
    low: Annotated[float, number("Lower bound of a logit-normal or probit-normal parameter")] = 0.0
    high: Annotated[float, number("Upper bound of a logit-normal or probit-normal parameter")] = 1.0
    omega: Annotated[float, number("SD of the random effect at the start, Gaussian scale; 0: equal in all", low=0)] = (
        0.0
    )
    omega_fixed: Annotated[bool, flag("Whether that SD is held")] = False
    fixed: Annotated[bool, flag("Whether the typical value is held at the start")] = False
    covariates: Annotated[Mapping[str, str], part("Expressions by label, such as log(WT/70)")] = field(
        default_factory=dict[str, str]
    )
    coefficients: Annotated[Mapping[str, float], part("Coefficients at the start, by label; 0 where none is given")] = (
        field(default_factory=dict[str, float])
    )
    fixed_coefficients: Annotated[tuple[str, ...], listed("Labels of coefficients that are held", '["allometry"]')] = ()
    unit: Annotated[str, text("Unit, for the tables; a bundled model knows its own")] = ""

    def faults(self) -> Iterator[tuple[str, str]]:
        """What its fields get wrong together."""
        if self.law in BOUNDED and not self.low < self.high:
            yield "high", f"found low {self.low:g} and high {self.high:g}; expected low < high."
            return
        if not math.isfinite(float(to_gaussian(self.law, self.start, self.low, self.high))):
            span = "above 0" if self.law == "lognormal" else f"between {self.low:g} and {self.high:g}, its bounds"
            yield "start", f"found {self.start:g}, expected a number {span}; or give it another law."
        if self.omega_fixed and not self.omega:
            yield "omega_fixed", "found true beside an omega of 0; give the omega that is to be held, or leave it out."
        for label in (*self.coefficients, *self.fixed_coefficients):
            if label not in self.covariates:
                where = "coefficients" if label in self.coefficients else "fixed_coefficients"
                yield where, unknown("covariate label", label, self.covariates)
        for label, expression in self.covariates.items():
            try:
                parse(expression)
            except InputError as problem:
                yield f"covariates.{label}", problem.text


@described
@dataclass(frozen=True)
class EndpointModel(Record):
    """How an endpoint of the study is measured: what of the model it shows, its scale, its error and its limit."""

    output: Annotated[
        str, text("State or observable of the model; left out: the one of the same name, or the only")
    ] = ""
    scale: Annotated[str, text("Scale of the error: of the prediction, or of its logarithm", SCALES)] = "natural"
    error: Annotated[str, text("Error model: a | b f | a + b f | sqrt(a^2 + b^2 f^2)", ERRORS)] = "constant"
    start: Annotated[Mapping[str, float], part("a and b at the start", names=("a", "b"))] = field(
        default_factory=dict[str, float]
    )
    fixed: Annotated[bool, flag("Whether a and b are held at the start")] = False
    lloq: Annotated[float, number("Lower limit of rows that carry none; values below it are censored there")] | None = (
        None
    )

    def faults(self) -> Iterator[tuple[str, str]]:
        """What its fields get wrong together."""
        if self.scale == "log" and self.error != "constant":
            yield "error", f"found {self.error} on the log scale, expected constant: a is there about a proportion."
        for name, value in self.start.items():
            if not value > 0:
                yield f"start.{name}", f"found {value:g}, expected a number above 0."
            elif name not in self.sought:
                yield f"start.{name}", f"found {name}, which the error model {self.error} does not have; leave it out."
        if self.scale == "log" and self.lloq is not None and not self.lloq > 0:
            yield "lloq", f"found {self.lloq:g}, expected a number above 0 on the log scale."

    @property
    def sought(self) -> tuple[str, ...]:
        """Which of a and b the error model has."""
        return {"constant": ("a",), "proportional": ("b",)}.get(self.error, ("a", "b"))

    def begin(self, name: str) -> float:
        """a or b at the start; 0 for one that the error model does not have."""
        return float(self.start.get(name, _START[name])) if name in self.sought else 0.0


@described
@dataclass(frozen=True)
class Occasions(Record):
    """Spread between the occasions of one patient, beside that between patients."""

    parameters: Annotated[tuple[str, ...], listed("Parameters that differ between occasions", '["CL"]', filled=True)]
    column: Annotated[str, text("Column of the occasion in the data; 'course' for each course (EVID 3, 4) one")] = "OCC"
    omega: Annotated[float, number("SD at the start, Gaussian scale", above=0)] = 0.3


@described
@dataclass(frozen=True)
class Omega(Record):
    """Which random effects go together: blocks of parameters, or all; the others are independent."""

    full: Annotated[bool, flag("Whether all go together")] = False
    blocks: Annotated[tuple[tuple[str, ...], ...], listed("Parameters that go together", '[["CL", "V"]]')] = ()
    occasion: Annotated[Occasions, part("Spread between occasions", '{ parameters = ["CL"] }')] | None = None


@described
@dataclass(frozen=True)
class DoseModel(Record):
    """Parameters that say how a dose arrives; one that the model does not know is a parameter of the fit alone."""

    lag: Annotated[str, text("Parameter: time between the dose and its arrival")] = ""
    bioavailability: Annotated[str, text("Parameter: share that arrives")] = ""
    duration: Annotated[str, text("Parameter: how long the dose takes (RATE -2)")] = ""
    rate: Annotated[str, text("Parameter: amount per unit of time (RATE -1)")] = ""

    @property
    def parameters(self) -> tuple[str, ...]:
        """Parameters that it names."""
        return tuple(name for name in (self.lag, self.bioavailability, self.duration, self.rate) if name)


@described
@dataclass(frozen=True)
class Settings(Record):
    """How long and how carefully; the values left as they are were measured to be enough."""

    exploring: Annotated[int, number("SAEM iterations with full gain", low=10)] = 300
    averaging: Annotated[int, number("SAEM iterations whose gain falls", low=10)] = 200
    copies: Annotated[int, number("Chains of each patient; 0: so many that there are 50 in all", low=0)] = 0
    draws: Annotated[int, number("Draws of each patient's conditional distribution", low=100)] = 600
    importance: Annotated[int, number("Draws for the likelihood; 0: it is not computed", low=0)] = 4000
    standard_errors: Annotated[bool, flag("Whether standard errors are computed")] = True
    seeds: Annotated[int, number("Runs from as many seeds, to be held against each other", low=1, high=20)] = 1
    iterations: Annotated[int, number("Outer iterations of FOCEI and Laplace at most", low=1)] = 200
    solver: Annotated[str, text("auto: by a closed form where there is one", SOLVERS)] = "auto"
    rtol: Annotated[float, number("Relative tolerance of the equations", above=0, below=0.01)] = 1e-6


@described
@dataclass(frozen=True)
class FitProblem:
    """A model, a study and what is sought.

    Attributes
    ----------
    model : Model
    study : Study
    parameters : mapping of str to FitParameter
        By name. A parameter of the model that is not among them is held at the model's example.
    endpoints : mapping of str to EndpointModel
        By the study's names; endpoints of the study that are not among them are left out. A study of one endpoint may
        have it called otherwise here.
    omega : Omega
    doses : mapping of str to DoseModel
        By the model's inputs.
    references : mapping of str to str
        Level of a covariate of words with which the others are compared; left out: the most frequent one.
    method : {"saem", "focei", "laplace"}
    seed : int
    settings : Settings
    time_unit : str
        Unit in which the model's time runs; "": the model's own, or the study's where that is open.
    model_name : str
        Name or path by which another process finds the model; "": it is only known here.
    columns : Columns
        How the columns of the study's file were read.
    file : str
        The ``fit.toml`` from which it was read, so that complaints find their line; "": made in Python.
    """

    model: Model
    study: Study
    parameters: Mapping[str, FitParameter]
    endpoints: Mapping[str, EndpointModel]
    omega: Omega = field(default_factory=Omega)
    doses: Mapping[str, DoseModel] = field(default_factory=dict[str, DoseModel])
    references: Mapping[str, str] = field(default_factory=dict[str, str])
    method: str = "saem"
    seed: int = 1
    settings: Settings = field(default_factory=Settings)
    time_unit: str = ""
    model_name: str = ""
    columns: Columns = field(default_factory=Columns)
    file: str = field(default="", compare=False)

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise InputError(unknown("method", str(self.method), METHODS), field="method")
        self.study.whole()
        known = self.names
        for name, one in self.parameters.items():
            if name not in known:
                never = f"model {self.model.name} never uses it: {unknown('parameter', name, known)}"
                raise InputError(never, field=f"parameters.{name}")
            for label, expression in one.covariates.items():
                for used in parse(expression).names:
                    if used not in self.study.covariates:
                        said = unknown("covariate", used, self.study.covariates)
                        raise InputError(said, field=f"parameters.{name}.covariates.{label}")
        open_ = [name for name in known if name not in self.parameters and name not in self.model.example]
        if open_:
            said = f"missing; give the parameter {open_[0]} a start, or hold it: fixed = value."
            raise InputError(said, field=f"parameters.{open_[0]}")
        if not any(one.omega or not one.fixed for one in self.parameters.values()):
            raise InputError("nothing is sought: every parameter is fixed; free one.", field="parameters")
        self._check_omega()
        if not self.endpoints:
            raise InputError("no endpoint is fitted; name one at least.", field="endpoints")
        if len(self.endpoints) > 1 or len(self.study.endpoints) > 1:
            for name in self.endpoints:
                _known("endpoint", name, [one.name for one in self.study.endpoints], f"endpoints.{name}")
        for name in self.doses:
            _known("input", name, [i.name for i in self.model.inputs if i.kind == "dose"], f"doses.{name}")
        for name, level in self.references.items():
            _known("covariate", name, self.study.covariates, f"references.{name}")
            _known(f"level of {name}", level, self.study.covariates[name].categories, f"references.{name}")

    def _check_omega(self) -> None:
        seen: set[str] = set()
        for i, block in enumerate(self.omega.blocks):
            for name in block:
                where = f"omega.blocks.{i}"
                _known("parameter", name, self.parameters, where)
                if not self.parameters[name].omega:
                    said = (
                        f"found {name}, whose omega is 0; give [parameters.{name}] an omega above 0, or leave it out."
                    )
                    raise InputError(said, field=where)
                if name in seen:
                    raise InputError(f"found {name} twice; expected it in one block.", field=where)
                seen.add(name)
        asked = self.omega.occasion
        if asked and asked.column.upper() not in (*OCCASIONS, self.columns.occ.upper(), "COURSE"):
            said = f"the study was not read with its occasions in {asked.column}; read it with Columns(occ=...)."
            raise InputError(said, field="omega.occasion.column")
        for name in self.omega.occasion.parameters if self.omega.occasion else ():
            _known("parameter", name, self.parameters, "omega.occasion.parameters")

    @property
    def names(self) -> tuple[str, ...]:
        """Parameters of the model, and after them those that only say how doses arrive."""
        own = self.model.parameters
        return (*own, *dict.fromkeys(n for d in self.doses.values() for n in d.parameters if n not in own))

    def place_of(self, endpoint: str) -> int:
        """Position of an endpoint among the study's."""
        names = [one.name for one in self.study.endpoints]
        return names.index(endpoint) if endpoint in names else 0

    @property
    def measured(self) -> Mapping[str, Endpoint]:
        """What the study says of each endpoint, by the name that the fit gives it."""
        return {name: self.study.endpoints[self.place_of(name)] for name in self.endpoints}

    @property
    def codes(self) -> Mapping[str, str]:
        """The study's code (DVID) of each endpoint that is fitted; its name where the study has no codes."""
        return {name: one.code or name for name, one in self.measured.items()}

    @property
    def random(self) -> tuple[str, ...]:
        """Parameters that differ between patients, in the model's order."""
        return tuple(name for name in self.names if name in self.parameters and self.parameters[name].omega)

    def together(self, one: str, other: str) -> bool:
        """Whether two random effects may be correlated."""
        return one == other or self.omega.full or any(one in b and other in b for b in self.omega.blocks)


def _known(what: str, name: str, known: Collection[str], where: str) -> None:
    if name not in known:
        raise InputError(unknown(what, name, known), field=where)
