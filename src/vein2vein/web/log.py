"""The log of the server: what happened where and how long it took, and nothing about a person.

An address holds ids of the workspace alone, and not even these are logged: the pattern of the route is. Of an exception
its kind and the lines of code are told, not its text, which may hold a value of a patient.
"""

from __future__ import annotations

import logging
import sys
import traceback

LOG = logging.getLogger("vein2vein.web")


def settle(*, verbose: bool = False) -> None:
    """Let the log write to the standard error."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    LOG.handlers[:] = [handler]
    LOG.setLevel(logging.INFO if verbose else logging.WARNING)
    LOG.propagate = False


def trace(problem: BaseException) -> list[str]:
    """Where an exception came from: its kind, then file, line and function of each step, innermost last."""
    steps = [f"{step.filename}:{step.lineno} in {step.name}" for step in traceback.extract_tb(problem.__traceback__)]
    before = problem.__cause__ or (None if problem.__suppress_context__ else problem.__context__)
    earlier = [*trace(before), "then:"] if before is not None else []
    return [*earlier, type(problem).__name__, *steps]


def log_defect(number: str, where: str, problem: BaseException) -> None:
    """Write down a failure that is ours, under the number that its page shows."""
    LOG.error("defect %s in %s: %s", number, where, " | ".join(trace(problem)))
