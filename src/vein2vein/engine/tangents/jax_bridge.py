"""The engine inside JAX: a function of parameters that JAX can differentiate, compile and batch (optional extra).

    simulate = differentiable(model, parameters, None, days, doses, wrt=["rho", "kap_p"], outputs=["transgene"])
    value, slope = jax.value_and_grad(lambda theta: -loss(simulate(theta)))(theta)

JAX calls the engine through a callback; its custom derivative are the engine's own sensitivities. So samplers that need
gradients (NumPyro, BlackJAX) can sample through a model. A batch (``vmap``: chains) becomes one call of more patients.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from vein2vein.engine import checks, solve
from vein2vein.engine.method import tableau
from vein2vein.engine.method.events import Event
from vein2vein.engine.tangents import sensitivity, tangent
from vein2vein.engine.tangents.tangent import Direction, Matrix
from vein2vein.errors import InputError
from vein2vein.models.model import Model, start

_NEEDED = "JAX is not installed; the bridge needs it: pip install 'vein2vein[jax]'"


def _jax() -> Any:
    try:
        return importlib.import_module("jax")
    except ImportError as error:
        raise InputError(_NEEDED) from error


def differentiable(
    model: Model,
    parameters: ArrayLike,
    state: ArrayLike | None,
    days: ArrayLike,
    doses: Iterable[solve.Dose] = (),
    wrt: Sequence[str] = (),
    *,
    levels: solve.Levels | None = None,
    outputs: Sequence[str] | None = None,
    events: Sequence[Event] = (),
    rtol: float = tableau.RTOL,
    corners: bool = True,
    steer: bool = False,
    backend: str = "batch",
    method: str = "auto",
    max_step: float | None = None,
    max_steps: int = tableau.MAX_STEPS,
    threads: int | None = None,
    width: int | None = None,
) -> Callable[[Any], Any]:
    """Return a JAX function from what is varied to the values at the asked days.

    Parameters
    ----------
    parameters : (n, parameters)
        Those that are not varied.
    state, days, doses, levels, outputs, events, rtol, corners, steer
        As for ``sensitivity.sensitivities``.
    backend, method, max_step, max_steps, threads, width
        As for ``sensitivity.sensitivities``.
    wrt : sequence of str
        What is varied, as for ``sensitivity.sensitivities``.

    Returns
    -------
    callable
        ``theta`` (q,), the same for all patients, or (n, q) -> values (n, k, m), in theta's own precision (JAX halves
        it unless ``jax_enable_x64`` is set). Values and derivatives of a patient who could not be solved are NaN.
    """
    jax = _jax()
    checks.model_of(model)
    asked = checks.days_of(days)
    fixed = checks.matrix_of(parameters, model.parameters, "parameter", model)
    given = checks.schedule_of(model, doses, np.full(len(fixed), asked[0]), len(fixed))
    directions = tangent.directions(
        model, checks.names_of(wrt, "wrt", "a list of names"), [name for _, name, _ in given]
    )
    if state is None and any(d.kind == "state" for d in directions):
        raise InputError(f"model {model.name}: to vary a state at the start, give the states on the first day")
    begin = None if state is None else checks.state_of(model, state, len(fixed))
    held = checks.levels_of(model, levels, len(fixed))
    q, n = len(directions), len(fixed)

    def differentiated(
        parameters: Matrix, state: Matrix | None, doses: Sequence[checks.Given], wrt: Sequence[str], levels: Matrix
    ) -> sensitivity.Sensitivities:
        return sensitivity.sensitivities(
            model, parameters, state, asked, doses, wrt, outputs=outputs, events=events, levels=levels, rtol=rtol,
            corners=corners, steer=steer, backend=backend, method=method, max_step=max_step, max_steps=max_steps,
            threads=threads, width=width,
        )  # fmt: skip

    plan = _Problem(model, fixed, begin, given, directions, held, differentiated)
    shape = plan.run(plan.current(), derivatives=False)[0].shape

    def value(theta: Any) -> Any:
        out = jax.ShapeDtypeStruct(shape, theta.dtype)
        return jax.pure_callback(plan.values, out, theta, vmap_method="broadcast_all")

    @jax.custom_jvp
    def simulate(theta: Any) -> Any:
        return value(theta)

    @simulate.defjvp
    def _(primals: Any, tangents: Any) -> Any:
        (theta,), (change,) = primals, tangents
        outs = (jax.ShapeDtypeStruct(shape, theta.dtype), jax.ShapeDtypeStruct((*shape, q), theta.dtype))
        values, slopes = jax.pure_callback(plan.both, outs, theta, vmap_method="broadcast_all")
        return values, jax.numpy.einsum("nkmq,nq->nkm", slopes, change)

    def call(theta: Any) -> Any:
        theta = jax.numpy.asarray(theta)
        if theta.shape not in ((q,), (n, q)):
            raise InputError(
                f"theta has shape {theta.shape}; give ({q},), a value for each of {', '.join(wrt)}, or ({n}, {q})"
            )
        return simulate(jax.numpy.broadcast_to(theta * 1.0, (n, q)))

    return call


Differentiated = Callable[
    [Matrix, Matrix | None, Sequence[checks.Given], Sequence[str], Matrix], sensitivity.Sensitivities
]
"""``sensitivities`` of parameters, states, doses, directions and levels; all else is settled."""


class _Problem:
    """What JAX calls back: batches of thetas (..., n, q) as one call with more patients."""

    def __init__(
        self, model: Model, parameters: Matrix, state: Matrix | None, doses: Sequence[checks.Given],
        directions: tuple[Direction, ...], levels: Matrix, differentiated: Differentiated,
    ) -> None:  # fmt: skip
        self.model, self.parameters, self.state = model, parameters, state
        self.doses, self.directions, self.levels = doses, directions, levels
        self.differentiated = differentiated

    def current(self) -> Matrix:
        """Theta (n, q) that changes nothing."""
        n = len(self.parameters)
        state = start(self.model, self.parameters) if self.state is None else self.state
        of = {"parameter": self.parameters, "state": state}
        columns = [
            np.broadcast_to(self.doses[d.index][2], (n,)) if d.kind == "dose" else of[d.kind][:, d.index]
            for d in self.directions
        ]
        return np.stack(columns, axis=1) if columns else np.zeros((n, 0))

    def run(self, theta: Any, derivatives: bool) -> tuple[Matrix, Matrix]:
        """Values (..., n, k, m) and derivatives (..., n, k, m, q)."""
        theta = np.asarray(theta, dtype=float)
        lead, n = theta.shape[:-2], len(self.parameters)
        copies = int(np.prod(lead, dtype=int))
        flat = theta.reshape(copies * n, len(self.directions))
        bad = ~np.isfinite(flat).all(axis=1)  # a sampler may stray; those patients come back as not solved
        flat = np.where(bad[:, None], np.tile(self.current(), (copies, 1)), flat)
        parameters = np.tile(self.parameters, (copies, 1))
        state = None if self.state is None else np.tile(self.state, (copies, 1))
        doses = [(_tiled(day, copies), name, _tiled(amount, copies)) for day, name, amount in self.doses]
        for q, d in enumerate(self.directions):
            if d.kind == "parameter":
                parameters[:, d.index] = flat[:, q]
            elif d.kind == "dose":
                doses[d.index] = (doses[d.index][0], doses[d.index][1], flat[:, q])
            elif state is not None:
                state[:, d.index] = flat[:, q]
        wrt = [d.name for d in self.directions] if derivatives else []
        found = self.differentiated(parameters, state, doses, wrt, np.tile(self.levels, (copies, 1)))
        found.values[bad], found.gradients[bad] = np.nan, np.nan
        values, slopes = (v.reshape(*lead, n, *v.shape[1:]) for v in (found.values, found.gradients))
        return values, slopes

    def values(self, theta: Any) -> Matrix:
        """Callback without derivatives."""
        values, _ = self.run(theta, derivatives=False)
        return values.astype(theta.dtype)

    def both(self, theta: Any) -> tuple[Matrix, Matrix]:
        """Callback with derivatives."""
        values, slopes = self.run(theta, derivatives=True)
        return values.astype(theta.dtype), slopes.astype(theta.dtype)


def _tiled(values: Matrix, copies: int) -> Matrix:
    """One number for everyone, or one per patient of every copy."""
    return np.tile(values, copies) if values.ndim else values
