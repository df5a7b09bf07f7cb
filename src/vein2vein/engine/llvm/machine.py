"""From assembly text to loaded machine code for this processor, kept on disk by content (``cache.py``)."""

# pyright: basic
from __future__ import annotations

from functools import lru_cache
from typing import Any

import llvmlite
import llvmlite.binding as llvm

from vein2vein.engine.llvm import cache

WIDTHS = {"avx512f": 8, "avx": 4}
_OPTIMIZATION = 2


@lru_cache(maxsize=1)
def host() -> tuple[str, str, str]:
    """Triple, name and features (``+has,-lacks``) of this processor."""
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    try:
        features = llvm.get_host_cpu_features().flatten()
    except RuntimeError:  # not known for this processor: its baseline will do
        features = ""
    return llvm.get_process_triple(), llvm.get_host_cpu_name(), features


def natural_width() -> int:
    """Doubles in this processor's widest vectors."""
    for feature, width in WIDTHS.items():
        if _has(feature):
            return width
    return 2


@lru_cache(maxsize=4)
def _flags(features: str) -> frozenset[str]:
    return frozenset(features.split(","))


def _has(feature: str) -> bool:
    return f"+{feature}" in _flags(host()[2])


def fused() -> bool:
    """Whether the processor multiplies and adds in one instruction."""
    return _has("fma") or host()[0].startswith(("aarch64", "arm64"))


def target() -> Any:
    """What writes machine code for this processor. Constants are reached by short addresses, within the instruction."""
    triple, cpu, features = host()
    return llvm.Target.from_triple(triple).create_target_machine(
        cpu=cpu, features=features, opt=_OPTIMIZATION, reloc="pic", codemodel="small"
    )


def machine_code(text: str) -> tuple[Any, bool]:
    """Loaded machine code of an assembly text for this processor, and whether it came from disk."""
    name = entry(text)
    code = cache.read(name)
    from_cache = code is not None
    if code is None:
        code = compiled(text)
        cache.write(name, code)
    return loaded(code), from_cache


def entry(*parts: str) -> str:
    """Name of an entry of the cache, from what a text says or rests on, the compiler and this processor."""
    return cache.key(*parts, llvmlite.__version__, str(llvm.llvm_version_info), *host())


def compiled(text: str) -> bytes:
    """Machine code of an assembly text for this processor."""
    parsed = llvm.parse_assembly(text)
    parsed.verify()
    return target().emit_object(parsed)


def loaded(code: bytes) -> Any:
    """Machine code in memory, ready to run; it stays there as long as what is returned."""
    # This memory manager puts code and constants side by side, as short addresses need.
    engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), target(), use_lmm=True)
    engine.add_object_file(llvm.ObjectFileRef.from_data(code))
    engine.finalize_object()
    return engine
