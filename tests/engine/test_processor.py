"""What the engine reads of the processor."""

import pytest

from vein2vein.engine.llvm import machine


@pytest.mark.parametrize(
    ("features", "width", "fused"),
    [("", 2, False), ("+sse2,-avx", 2, False), ("+avx,+avx2,+fma,-avx512f", 4, True), ("+avx,+avx512f,+fma", 8, True)],
)
def test_the_widest_vectors_are_used(monkeypatch, features, width, fused):
    monkeypatch.setattr(machine, "host", lambda: ("x86_64-unknown-linux-gnu", "generic", features))
    assert machine.natural_width() == width
    assert machine.fused() is fused
