"""The engine inside JAX: a function of parameters that JAX can differentiate, compile and batch (optional extra).

    simulate = differentiable(model, parameters, None, days, doses, wrt=["rho", "kap_p"], outputs=["transgene"])
    value, slope = jax.value_and_grad(lambda theta: -loss(simulate(theta)))(theta)

JAX calls the engine through a callback; its custom derivative are the engine's own sensitivities. So samplers that need
gradients (NumPyro, BlackJAX) can sample through a model. A batch (``vmap``: chains) becomes one larger cohort.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from vein2vein.engine import solve
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
    levels: ArrayLike | Mapping[str, Any] | None = None,
    **options: Any,
) -> Callable[[Any], Any]:
    """Return a JAX function from what is varied to the values at the asked days.

    Parameters
    ----------
    parameters : (n, parameters)
        Those that are not varied.
    state, days, doses, levels, options
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
    given, fixed = list(doses), np.array(parameters, dtype=float, ndmin=2)
    directions = tangent.directions(model, wrt, given)
    if state is None and any(d.kind == "state" for d in directions):
        raise InputError(f"model {model.name}: to vary a state at the start, give the states on the first day")
    begin = None if state is None else np.array(state, dtype=float, ndmin=2)
    q, n = len(directions), len(fixed)
    plan = _Problem(model, fixed, begin, np.asarray(days, dtype=float), given, directions, levels, options)
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


class _Problem:
    """What JAX calls back: batches of thetas (..., n, q) as one cohort."""

    def __init__(
        self, model: Model, parameters: Matrix, state: Matrix | None, days: Matrix, doses: list[solve.Dose],
        directions: tuple[Direction, ...], levels: Any, options: dict[str, Any],
    ) -> None:  # fmt: skip
        self.model, self.parameters, self.state, self.days = model, parameters, state, days
        self.doses, self.directions, self.options = doses, directions, options
        self.levels = solve.begin(model, parameters, state, float(days[0]), levels, backend="plain").levels

    def current(self) -> Matrix:
        """Theta (n, q) that changes nothing."""
        n = len(self.parameters)
        state = start(self.model, self.parameters) if self.state is None else self.state
        of = {"parameter": self.parameters, "state": state}
        columns = [
            np.broadcast_to(np.asarray(self.doses[d.index][2], dtype=float), (n,))
            if d.kind == "dose"
            else of[d.kind][:, d.index]
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
        doses = [(day, name, self._amount(amount, copies)) for day, name, amount in self.doses]
        for q, d in enumerate(self.directions):
            if d.kind == "parameter":
                parameters[:, d.index] = flat[:, q]
            elif d.kind == "dose":
                doses[d.index] = (doses[d.index][0], doses[d.index][1], flat[:, q])
            elif state is not None:
                state[:, d.index] = flat[:, q]
        found = sensitivity.sensitivities(
            self.model, parameters, state, self.days, doses, [d.name for d in self.directions] if derivatives else (),
            levels=np.tile(self.levels, (copies, 1)), **self.options,
        )  # fmt: skip
        found.values[bad], found.gradients[bad] = np.nan, np.nan
        values, slopes = (v.reshape(*lead, n, *v.shape[1:]) for v in (found.values, found.gradients))
        return values, slopes

    @staticmethod
    def _amount(amount: Any, copies: int) -> Any:
        return np.tile(amount, copies) if np.ndim(amount) else amount

    def values(self, theta: Any) -> Matrix:
        """Callback without derivatives."""
        values, _ = self.run(theta, derivatives=False)
        return values.astype(theta.dtype)

    def both(self, theta: Any) -> tuple[Matrix, Matrix]:
        """Callback with derivatives."""
        values, slopes = self.run(theta, derivatives=True)
        return values.astype(theta.dtype), slopes.astype(theta.dtype)
