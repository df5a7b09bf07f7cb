"""What may be computed as a job: by name, with the function that does it and whether it goes on after a stop."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

Progress = Callable[[float, str], None]
Work = Callable[[Mapping[str, Any], Path, Progress], None]


@dataclass(frozen=True)
class JobKind:
    """A kind of long computation.

    Attributes
    ----------
    work : str
        ``module:function`` of ``function(asked, folder, progress)``: what was asked for as plain data, the empty folder
        of the results (after a stop, with what was done), and whom to tell how far it is.
    resumable : bool
        Whether it goes on from what its folder holds, to the same bits.
    """

    work: str
    resumable: bool = False


def function_of(work: str) -> Callable[..., Any]:
    """The function that is named ``module:function``."""
    module, _, name = work.partition(":")
    found: Callable[..., Any] = getattr(import_module(module), name)
    return found
