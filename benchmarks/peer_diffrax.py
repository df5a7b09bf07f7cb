"""diffrax, vmapped over patients, stretch after stretch; without the event, so that the stretches are common."""

import os
import sys

os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"

import diffrax
import jax
import jax.numpy as jnp
import numpy as np
from peer_common import read, segments, serve, source

jax.config.update("jax_enable_x64", True)
text, arrays = read()
exp_, log_, sqrt_, min_, max_ = jnp.exp, jnp.log, jnp.sqrt, jnp.minimum, jnp.maximum
less_, choose_ = (lambda a, b: jnp.where(a < b, 1.0, 0.0)), (lambda c, a, b: jnp.where(c != 0, a, b))
exec(source(text, "def listed(t, x, k):"))
days, scale = arrays["days"], jnp.asarray(arrays["scale"])
solver = diffrax.Kvaerno5() if "kvaerno5" in sys.argv[2:] else diffrax.Tsit5()
term = diffrax.ODETerm(lambda t, x, k: jnp.stack([jnp.asarray(r) for r in listed(t, x, k)]))  # noqa: F821
stretches = segments(arrays["times_without"][0], days)
longest = max(len(inside) for *_, inside in stretches) + 1


def stretch(x, k, low, high, asked, rtol, atol):
    controller = diffrax.PIDController(rtol=rtol, atol=atol * scale)
    found = diffrax.diffeqsolve(
        term, solver, low, high, None, x, k, saveat=diffrax.SaveAt(ts=asked), stepsize_controller=controller,
        max_steps=100_000, throw=False, adjoint=diffrax.ForwardMode(),
    )  # fmt: skip
    return found.ys


many = jax.jit(jax.vmap(stretch, in_axes=(0, 0, None, None, None, None, None)))
known: set = set()


def run(rtol: float, atol: float, n: int, warm: bool = True) -> np.ndarray:
    if n not in known and warm:
        known.add(n)
        run(1e-2, 1e-2, n, False)
    values = np.empty((n, len(days), len(scale)))
    x = arrays["start"][:n]
    for j, low, high, inside in stretches:
        asked = np.full(longest, high)
        asked[: len(inside)] = days[inside]
        x = x + arrays["added_without"][:n, j]
        found = np.asarray(many(x, arrays["kept"][:n], low, high, asked, rtol, atol))
        values[:, inside] = found[:, : len(inside)]
        x = found[:, -1]
    return values


serve(run, without=True, note=" (no event)")
