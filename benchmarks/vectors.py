"""Code as for a processor with narrower vectors than this one has: for benchmarks only.

``avx2`` hides AVX-512 from the code generator, which then has 16 registers of four doubles instead of 32 of eight. The
clock, the caches and the units stay this processor's, so a real one with AVX2 alone may be slower.
"""

from __future__ import annotations

from vein2vein.engine.llvm import machine

CHOICES = ("native", "avx2")
_AVX2 = "znver3"


def use(vectors: str) -> None:
    """Make the engine write code for these vectors in this process; call it before anything is compiled."""
    if vectors == "native":
        return
    triple, _, features = machine.host()
    hidden = ",".join("-" + f[1:] if f[1:].startswith(("avx512", "avx10")) else f for f in features.split(","))
    machine.host = lambda: (triple, _AVX2, hidden)
