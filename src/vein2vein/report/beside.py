"""A second process that makes ready while a run goes on, and then draws its figures: the other core has less to do.

It is asked for the result of a function, and gives what this process would have given, to the byte. Where there is no
second core or no interpreter to start, and whenever anything goes wrong there, this process does the work itself.
"""

# pyright: reportUnknownMemberType=false
# (the plotting library types the options of its methods in part only)

from __future__ import annotations

import io
import os
import pickle
import subprocess
import sys
from collections.abc import Callable, Generator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import IO, TYPE_CHECKING, ParamSpec, Protocol, TypeVar, cast

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Asked = ParamSpec("Asked")
Found = TypeVar("Found")
_START = "import sys; sys.path[:] = {path!r}; from vein2vein.report import beside; beside.serve()"


class Ask(Protocol):
    """Asks for a function's result, and returns what waits for it."""

    def __call__(
        self, function: Callable[Asked, Found], /, *args: Asked.args, **kwargs: Asked.kwargs
    ) -> Callable[[], Found]:
        """Begin; the function and what it takes and gives can be pickled."""
        ...


@contextmanager
def second_process(*, wanted: bool = True) -> Generator[Ask]:
    """Start a process that draws, and end it with the block.

    Parameters
    ----------
    wanted : bool
        False: everything is done here, when its result is waited for.

    Yields
    ------
    Ask
        ``ask(function, ...)`` begins, and returns a function that waits for the result.
    """
    process = _started() if wanted else None
    if process is None:
        yield here
        return
    talk = ThreadPoolExecutor(1)  # what is sent may wait until the other side is ready to read

    def ask(function: Callable[Asked, Found], /, *args: Asked.args, **kwargs: Asked.kwargs) -> Callable[[], Found]:
        begun = talk.submit(_exchange, process, (function, args, kwargs))

        def found() -> Found:
            answer = _answer(begun)
            return cast("Found", answer[0]) if answer else function(*args, **kwargs)

        return found

    try:
        yield ask
    finally:
        process.kill()  # it holds nothing that could be lost; whoever waits for its answer waits no longer
        talk.shutdown(cancel_futures=True)
        process.wait()
        for stream in (process.stdin, process.stdout):
            with suppress(OSError):  # what could not be sent is lost
                cast("IO[bytes]", stream).close()


def here(function: Callable[Asked, Found], /, *args: Asked.args, **kwargs: Asked.kwargs) -> Callable[[], Found]:
    """Ask this process: the work is done when its result is wanted."""
    return lambda: function(*args, **kwargs)


def cores() -> int:
    """Processors that this process may use."""
    allowed = getattr(os, "sched_getaffinity", None)
    return len(allowed(0)) if allowed else os.cpu_count() or 1


def _started() -> subprocess.Popen[bytes] | None:
    if cores() < 2 or not sys.executable or getattr(sys, "frozen", False):
        return None
    command = [sys.executable, "-c", _START.format(path=sys.path)]
    try:
        return subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, bufsize=-1
        )
    except OSError:
        return None


def _exchange(process: subprocess.Popen[bytes], work: object) -> tuple[object] | None:
    """Send work and read its result; None where it failed on the other side."""
    given, taken = cast("IO[bytes]", process.stdin), cast("IO[bytes]", process.stdout)
    try:
        pickle.dump(work, given, protocol=pickle.HIGHEST_PROTOCOL)
        given.flush()
        return pickle.load(taken)
    except BaseException:
        process.kill()  # half a message is under way: nothing more can be asked
        raise


def _answer(begun: Future[tuple[object] | None]) -> tuple[object] | None:
    try:
        return begun.result()
    except Exception:  # whatever happened there or on the way: the work is done here, and says itself what is wrong
        return None


def serve() -> None:
    """The other side: make ready, then do what is asked until nobody asks."""
    import gc
    import warnings

    gc.disable()
    warnings.simplefilter("ignore")
    given, answers = sys.stdin.buffer, io.BufferedWriter(io.FileIO(os.dup(1), "w"))
    os.dup2(2, 1)  # what a library prints must not stand between two answers
    with suppress(KeyboardInterrupt, BrokenPipeError):
        _make_ready()
        while True:
            try:
                function, args, kwargs = pickle.load(given)
            except EOFError:
                return
            try:
                answer = (function(*args, **kwargs),)
            except Exception:
                answer = None
            pickle.dump(answer, answers, protocol=pickle.HIGHEST_PROTOCOL)
            answers.flush()


def _make_ready() -> None:
    """Load what figures need, and draw one: fonts are found, writers of images, and code that runs first is slow."""
    import importlib

    from vein2vein.report.figures import log_axis, render

    for room in ("trial_figures", "figures_patient"):
        importlib.import_module(f"vein2vein.report.{room}")

    def draw(figure: Figure) -> None:
        picture, axes = figure.subplots(1, 2)
        picture.imshow([[0.0, 1.0]])
        log_axis(axes)
        axes.plot([0.0, 1.0], [1.0, 10.0], label="x")
        axes.set_title("x")
        axes.legend()

    render("ready", "", "", draw, height=1.0, layout="aplasia")
