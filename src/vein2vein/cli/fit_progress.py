"""How far a fit is: a bar with the trace of every estimate for people, lines for files, events for machines."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from vein2vein.cli import console
from vein2vein.inference.population.fit import Step
from vein2vein.inference.population.laws import to_natural
from vein2vein.inference.population.problem import FitProblem

if TYPE_CHECKING:
    from rich.console import Group

BLOCKS = "▁▂▃▄▅▆▇█"
LONGEST = 48  # characters of a trace
SECONDS_BETWEEN = 1.0  # between events for machines
PER_SECOND = 4  # pictures of a terminal
Floats = NDArray[np.float64]


@dataclass
class Watched:
    """What was told so far.

    Attributes
    ----------
    problem : FitProblem
    stage, text : str
    fraction : float
    names : tuple of str
    trace : list of ndarray
        Typical values on the natural scale.
    iteration : int
    """

    problem: FitProblem
    stage: str = ""
    text: str = "begins"
    fraction: float = 0.0
    names: tuple[str, ...] = ()
    trace: list[Floats] = field(default_factory=list[Floats])
    iteration: int = 0

    def take(self, step: Step) -> None:
        """Take what an estimator tells."""
        self.stage, self.text, self.fraction, self.iteration = step.stage, step.text, step.fraction, step.iteration
        if len(step.names):
            self.names = step.names
            self.trace.append(self.natural(step.values))

    def natural(self, values: Floats) -> Floats:
        """Typical values on the natural scale, the others as they are."""
        found = np.array(values, dtype=float)
        for k, name in enumerate(self.names):
            one = self.problem.parameters.get(name)
            if one is not None:
                found[k] = to_natural(one.law, found[k], one.low, one.high)
        return found


def sparkline(values: Floats, length: int = LONGEST) -> str:
    """A trace in one line of characters."""
    shown = values[np.unique(np.linspace(0, len(values) - 1, min(length, len(values))).round().astype(int))]
    low, high = float(np.min(shown)), float(np.max(shown))
    if not np.isfinite(low) or high <= low:
        return BLOCKS[0] * len(shown)
    return "".join(BLOCKS[int((v - low) / (high - low) * (len(BLOCKS) - 1))] for v in shown)


@contextmanager
def progress(
    problem: FitProblem, *, for_machines: bool, quiet: bool
) -> Generator[tuple[Watched, Callable[[Step], None]]]:
    """Give what is told and the function that takes it; people see it once a fit has lasted two seconds."""
    watched = Watched(problem)
    if for_machines and not quiet:
        yield watched, _events(watched)
    elif quiet:
        yield watched, watched.take
    elif sys.stderr.isatty():
        with _live(watched):
            yield watched, watched.take
    else:
        yield watched, _lines(watched)


def _events(watched: Watched) -> Callable[[Step], None]:
    last = [-np.inf]

    def tell(step: Step) -> None:
        watched.take(step)
        if time.monotonic() - last[0] >= SECONDS_BETWEEN or step.iteration == step.iterations:
            last[0] = time.monotonic()
            values = dict(zip(watched.names, watched.trace[-1].tolist())) if len(step.names) else {}
            console.emit("progress", fraction=step.fraction, stage=step.stage, text=step.text, values=values)

    return tell


def _lines(watched: Watched) -> Callable[[Step], None]:
    last = [time.monotonic()]

    def tell(step: Step) -> None:
        watched.take(step)
        if time.monotonic() - last[0] >= console.SECONDS_BETWEEN_LINES:
            last[0] = time.monotonic()
            told = (
                ", ".join(f"{n} {console.number(float(v))}" for n, v in zip(watched.names, watched.trace[-1]))
                if watched.trace
                else ""
            )
            print(f"fit: {step.text}{': ' if told else ''}{told}", file=sys.stderr, flush=True)

    return tell


@contextmanager
def _live(watched: Watched) -> Generator[None]:
    """A picture that is drawn anew some times a second, from two seconds on, and is gone at the end."""
    from rich.live import Live

    live = Live(
        get_renderable=lambda: _picture(watched),
        console=console.rich_console(stderr=True),
        transient=True,
        refresh_per_second=PER_SECOND,
    )
    patience = threading.Timer(console.SECONDS_BEFORE_BAR, live.start)
    patience.daemon = True
    patience.start()
    try:
        yield
    finally:
        patience.cancel()
        patience.join()
        live.stop()


def _picture(watched: Watched) -> Group:
    from rich.console import Group
    from rich.progress_bar import ProgressBar
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False)
    table.add_column("")
    table.add_column("now", justify="right")
    table.add_column("so far")
    trace = np.array(watched.trace[-2000:]) if watched.trace else np.zeros((0, 0))
    for k, name in enumerate(watched.names):
        if len(trace) and np.ptp(trace[:, k]) > 0:
            table.add_row(name, console.number(float(trace[-1, k])), sparkline(trace[:, k]))
    return Group(Text(watched.text), ProgressBar(total=1.0, completed=watched.fraction, width=LONGEST), table)
