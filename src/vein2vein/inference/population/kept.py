"""What a fit leaves behind every half minute and when it is interrupted, so that it goes on to the same bits.

One file holds every number that the next iteration needs, the state of the random numbers among them, and the digest
of model, data and settings: with other ones it is refused.
"""

from __future__ import annotations

import hashlib
import inspect
import io
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from vein2vein.errors import InputError
from vein2vein.files import check_target, is_regular, write_bytes
from vein2vein.inference.population.chains import Chains
from vein2vein.inference.population.problem import FitProblem
from vein2vein.inference.population.saem import State
from vein2vein.inference.population.steps import Estimates
from vein2vein.models.model import Model
from vein2vein.records import described

Arrays = dict[str, NDArray[Any]]

EVERY = 30.0
"""Seconds between two files."""
FORMAT = 3  # of the file; raised when a reader would need to know


def digest(problem: FitProblem) -> str:
    """What a problem is: model, data, what is sought and how; the number of processes does not enter."""
    found = hashlib.sha256()
    found.update(_model(problem.model).encode())
    for part in (problem.study.observations, problem.study.doses):
        for one in fields(part):
            found.update(one.name.encode() + np.ascontiguousarray(getattr(part, one.name)).tobytes())
    for name, one in problem.study.covariates.items():
        found.update(repr((name, one.categories)).encode())
        found.update(b"" if one.constant is None else one.constant.tobytes())
        for times, values in one.in_time:
            found.update(np.asarray(times).tobytes() + np.asarray(values).tobytes())
    study = problem.study
    found.update(repr((study.subjects, study.subject.tolist(), study.endpoints, study.time_unit)).encode())
    asked = (problem.parameters, problem.endpoints, problem.omega, problem.doses, problem.references, problem.settings)
    found.update(repr([_plain(part) for part in (*asked, problem.method, problem.seed, problem.time_unit)]).encode())
    return found.hexdigest()


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {k: _plain(v) for k, v in cast("Mapping[str, Any]", value).items()}
    if hasattr(value, "__dataclass_fields__"):
        return {one.name: _plain(getattr(value, one.name)) for one in fields(value)}
    return value


def _model(model: Model) -> str:
    """A model by its names and the text or code of its functions."""
    parts = [repr((model.name, model.states, model.inputs, model.parameters, model.time_unit, dict(model.example)))]
    form = model.closed_form
    own = () if form is None else tuple(v for v in vars(form).values() if callable(v))
    for function in (model.equations, model.initial, model.apply_dose, model.observables, *own):
        try:
            parts.append(inspect.getsource(function))
        except (OSError, TypeError):
            code = getattr(function, "__code__", None)
            parts.append(repr(function) if code is None else f"{code.co_code!r}{code.co_consts!r}{code.co_names!r}")
    return "\n".join(parts)


@described
@dataclass
class Keeper:
    """Keeps the state of a fit in a file.

    Attributes
    ----------
    path : Path
    digest : str
    every : float
        Seconds between two files.
    spent : float
        Processor time of earlier goes, once a file was found.
    """

    path: Path
    digest: str
    every: float = EVERY
    spent: float = 0.0
    _began: float = field(default_factory=time.process_time)
    _last: float = field(default_factory=time.monotonic)

    def found(self) -> tuple[str, Arrays, dict[str, Any]] | None:
        """(stage, arrays, numbers) of a file that stands there; None where none does.

        Raises
        ------
        InputError
            It is none of ours, or of another model, other data or other settings.
        """
        if not is_regular(self.path):
            check_target(self.path, force=True)
            return None
        try:
            with np.load(self.path, allow_pickle=False) as kept:
                arrays = {name: kept[name] for name in kept.files}
            told = json.loads(bytes(arrays.pop("told")).decode())
            stage, of, form = str(told["stage"]), str(told["digest"]), int(told["format"])
        except (ValueError, KeyError, OSError, EOFError):
            raise InputError(
                "this is no kept state of a fit; give another name, or remove it.", file=self.path
            ) from None
        if of != self.digest or form != FORMAT:
            raise InputError(
                "the fit that was kept here is of another model, other data or other settings, and cannot go on; "
                "remove the file to begin anew, or go back to what it was of.", file=self.path,
            )  # fmt: skip
        self.spent = float(told["seconds"])
        return stage, arrays, told["numbers"]

    def keep(self, stage: str, arrays: Arrays, numbers: Mapping[str, Any], *, now: bool = False) -> bool:
        """Write a state, if the last one is old enough; whether it was written."""
        if not now and time.monotonic() - self._last < self.every:
            return False
        seconds = self.spent + time.process_time() - self._began
        told = {
            "format": FORMAT, "digest": self.digest, "stage": stage, "seconds": seconds, "numbers": dict(numbers),
        }  # fmt: skip
        content = io.BytesIO()
        np.savez(content, told=np.frombuffer(json.dumps(told).encode(), dtype=np.uint8), **cast("Any", arrays))
        write_bytes(self.path, content.getvalue(), force=True)
        self._last = time.monotonic()
        return True

    def due(self) -> bool:
        """Whether the last file is old enough."""
        return time.monotonic() - self._last >= self.every

    def done(self) -> None:
        """Remove the file: the fit is whole."""
        if is_regular(self.path):
            self.path.unlink()


def packed(state: State) -> tuple[Arrays, dict[str, Any]]:
    """A state of SAEM as arrays and plain numbers."""
    arrays: Arrays = {"trace": np.array(state.trace)}
    numbers: dict[str, Any] = {"iteration": state.iteration, "rng": state.rng.bit_generator.state}
    for kind, part in (("estimates", state.estimates), ("chains", state.chains)):
        for one in fields(part):
            value = getattr(part, one.name)
            if isinstance(value, np.ndarray):
                arrays[f"{kind}.{one.name}"] = value
            else:
                numbers[f"{kind}.{one.name}"] = value
    return arrays, numbers


def unpacked(arrays: Arrays, numbers: Mapping[str, Any]) -> State:
    """The state of SAEM that ``packed`` was given."""

    def part(kind: str, of: type[Any]) -> Any:
        return of(**{
            one.name: arrays.get(f"{kind}.{one.name}", numbers.get(f"{kind}.{one.name}")) for one in fields(of)
        })  # fmt: skip

    rng = np.random.Generator(np.random.PCG64())
    rng.bit_generator.state = numbers["rng"]
    estimates, chains = part("estimates", Estimates), part("chains", Chains)
    return State(int(numbers["iteration"]), estimates, chains, rng, list(arrays["trace"]))
