"""Who computes the chunks of a large run: this process, several of this machine, or the workers of a Dask scheduler."""

from __future__ import annotations

import asyncio
import concurrent.futures
import concurrent.futures.process
import functools
import hashlib
import itertools
import logging
import multiprocessing
import multiprocessing.connection
import os
import platform
import signal
import threading
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Protocol, TypeVar, cast

import numpy as np

from vein2vein import __version__
from vein2vein.errors import InputError

Result = TypeVar("Result")
Span = tuple[int, int]  # first patient, and the one after the last
NOT_OF_RESULTS = ("cli", "explain", "io", "report", "ward", "web")  # rooms whose code does not bear on what is computed
PATIENCE = 10  # seconds until a scheduler must have answered
PATIENCE_FOR_WORKERS = 60  # seconds until its first worker must be there
AHEAD = 2  # chunks handed out for each thread of the workers, so that none waits
LONGEST_TOLD = 24  # characters of a value that a sentence can hold; a hash is longer
SAMPLE = 1000  # values on which the arithmetic of a machine is compared


class _Future(Protocol):
    """A result that a scheduler of the library ``distributed`` is asked for."""

    key: str
    status: str

    def result(self) -> object: ...

    def release(self) -> None: ...


class _Finished(Protocol):
    """Futures in the order in which they are done."""

    def __iter__(self) -> Iterator[_Future]: ...

    def add(self, future: _Future) -> None: ...


class _Client(Protocol):
    """What is used of a client of a scheduler."""

    loop: object

    def wait_for_workers(self, n_workers: int, timeout: float) -> None: ...

    def scheduler_info(self, n_workers: int) -> Mapping[str, Mapping[str, Mapping[str, int]]]: ...

    def submit(self, function: Callable[..., object], *arguments: object, pure: bool) -> _Future: ...

    def close(self, timeout: float) -> None: ...


class _Distributed(Protocol):
    """What is used of the library ``distributed``."""

    KilledWorker: type[Exception]

    def Client(self, address: str, timeout: float, set_as_default: bool) -> _Client: ...

    def as_completed(self, futures: Sequence[_Future], loop: object) -> _Finished: ...


def compute_here(task: Callable[[int, int], Result], spans: Sequence[Span]) -> Iterator[tuple[Span, Result]]:
    """Compute one chunk after the other in this process."""
    for span in spans:
        yield span, task(*span)


def compute_in(jobs: int, task: Callable[[int, int], Result], spans: Sequence[Span]) -> Iterator[tuple[Span, Result]]:
    """Compute chunks in several processes of this machine, and yield them as they are done.

    Raises
    ------
    InputError
        A process was ended from outside, or would compute other bits (its code was changed during the run).
    """
    futures, broken = concurrent.futures, concurrent.futures.process.BrokenProcessPool
    before = set(multiprocessing.active_children())
    started = multiprocessing.get_context("spawn")
    pool = futures.ProcessPoolExecutor(min(jobs, max(len(spans), 1)), started, initializer=end_with_parent)
    send = functools.partial(pool.submit, _checked, task, fingerprint())
    waiting = iter(spans)
    try:
        under_way = {send(span): span for span in itertools.islice(waiting, jobs + 1)}
        while under_way:
            for future in futures.wait(under_way, return_when=futures.FIRST_COMPLETED).done:
                span, result = under_way.pop(future), future.result()
                under_way |= {send(following): following for following in itertools.islice(waiting, 1)}
                yield span, result
    except broken:
        raise InputError(
            "a process that computed chunks was ended from outside, perhaps for want of memory; what is done is kept, "
            "and the same command goes on from there, at best with fewer --jobs."
        ) from None
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
        for child in set(multiprocessing.active_children()) - before:
            child.terminate()


def end_with_parent() -> None:
    """In a process that computes for another one: leave interruptions to the parent, and do not outlive it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_await_end, args=(parent.sentinel,), daemon=True).start()


def _await_end(sentinel: int) -> None:
    multiprocessing.connection.wait([sentinel])
    os._exit(1)


def compute_on(
    address: str, task: Callable[[int, int], Result], spans: Sequence[Span]
) -> Iterator[tuple[Span, Result]]:
    """Send chunks to the workers of a Dask scheduler; what a lost worker had is computed again by another.

    Parameters
    ----------
    address : str
        Such as ``tcp://10.0.0.5:8786``.
    task : callable (first, last)
        It must be possible to send it (pickle).
    spans : sequence of (first, last)

    Yields
    ------
    (first, last), result
        In the order in which they are done. Only a few are under way at a time, so that results do not pile up.

    Raises
    ------
    InputError
        The extra is not installed, no scheduler or worker answers, or a worker would compute other bits.
    """
    distributed = _distributed()
    with _quiet():
        yield from _computed(distributed, address, task, spans)


@contextmanager
def _quiet() -> Generator[None]:
    """What the client logs when a scheduler is lost is told in a sentence."""
    log = logging.getLogger("distributed.client")
    before = log.disabled
    log.disabled = True
    try:
        yield
    finally:
        log.disabled = before


def _computed(
    distributed: _Distributed, address: str, task: Callable[[int, int], Result], spans: Sequence[Span]
) -> Iterator[tuple[Span, Result]]:
    client = _connect(distributed, address)
    try:
        try:
            client.wait_for_workers(1, timeout=PATIENCE_FOR_WORKERS)
        except TimeoutError:
            raise InputError(
                f"the scheduler at {address} has no worker; start one with 'dask worker {address}'."
            ) from None
        threads = sum(one["nthreads"] for one in client.scheduler_info(n_workers=-1)["workers"].values())
        send = functools.partial(client.submit, _checked, task, fingerprint(), pure=False)
        waiting = iter(spans)
        first = list(itertools.islice(waiting, AHEAD * max(threads, 1)))
        futures = [send(span) for span in first]
        where = {future.key: span for future, span in zip(futures, first, strict=True)}
        done = distributed.as_completed(futures, loop=client.loop)
        del futures  # a result is let go as soon as it has been fetched
        for future in done:
            span, result = where.pop(future.key), cast("Result", _result(distributed, future, address))
            future.release()
            following = next(waiting, None)
            if following is not None:
                new = send(following)
                where[new.key] = following
                done.add(new)
            yield span, result
    finally:
        client.close(timeout=PATIENCE)


def _distributed() -> _Distributed:
    try:
        import distributed  # pyright: ignore[reportMissingImports]
    except ImportError:
        raise InputError(
            "a scheduler needs the extra 'cluster', which is not installed; pip install 'vein2vein[cluster]', "
            "or leave --scheduler out to compute on this machine."
        ) from None
    return cast("_Distributed", distributed)


def _connect(distributed: _Distributed, address: str) -> _Client:
    try:
        return distributed.Client(address, timeout=PATIENCE, set_as_default=False)
    except (OSError, TimeoutError, ValueError) as problem:
        raise InputError(
            f"no scheduler answers at {address} ({' '.join(str(problem).split()) or type(problem).__name__}); "
            "expected an address such as tcp://127.0.0.1:8786 of a running 'dask scheduler'."
        ) from None


def _result(distributed: _Distributed, future: _Future, address: str) -> object:
    try:
        return future.result()
    except distributed.KilledWorker:
        raise InputError(
            f"several workers of {address} were lost with the same chunk, perhaps for want of memory; what is done is "
            "kept: give smaller chunks to a new folder, or fewer threads to each worker."
        ) from None
    except (asyncio.CancelledError, concurrent.futures.CancelledError, OSError) as problem:
        if future.status == "error":
            raise  # on the worker, such as its full disk
        raise InputError(
            f"the scheduler at {address} was lost ({type(problem).__name__}); what is done is kept, and the same "
            "command goes on from there."
        ) from None


def _checked(task: Callable[[int, int], Result], expected: Mapping[str, str], span: Span) -> Result:
    """Run on a worker: refuse where its bits would be other ones."""
    differing = differences(expected, fingerprint())
    if differing:
        raise InputError(f"a worker on {platform.node()} would compute other bits: it has another {differing}.")
    return task(*span)


def differences(expected: Mapping[str, str | int], found: Mapping[str, str | int]) -> str:
    """Name what differs, with its values where they are short; "" where nothing does."""
    named: list[str] = []
    for name, value in expected.items():
        if found.get(name) != value:
            told = f" ({found.get(name)}, expected {value})" if len(str(value)) < LONGEST_TOLD else ""
            named.append(f"{name}{told}")
    return ", ".join(named)


@functools.cache
def fingerprint() -> dict[str, str]:
    """What bears on the bits of a result besides the inputs: code, libraries, the machine's arithmetic."""
    return {
        "version of vein2vein": __version__,
        "code of vein2vein": _code(),
        "numpy": np.__version__,
        "scipy": version("scipy"),
        "llvmlite": version("llvmlite"),
        "arithmetic of the processor": _arithmetic(),
    }


def _code() -> str:
    digest, root = hashlib.sha256(), Path(__file__).resolve().parents[1]
    for path in sorted([*root.rglob("*.py"), *root.rglob("*.toml")]):
        inside = path.relative_to(root)
        if inside.parts[0] not in NOT_OF_RESULTS:
            digest.update(inside.as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


def _arithmetic() -> str:
    """Hash of some functions on this machine: their last bit may depend on the processor and its vector units."""
    x = np.linspace(1 / SAMPLE, 2, SAMPLE)
    digest = hashlib.sha256(platform.machine().encode())
    found = [f(x) for f in (np.exp, np.log, np.sqrt, np.sin, np.cos, np.tanh, np.expm1, np.log1p)]
    for values in (*found, x**x):
        digest.update(np.asarray(values, dtype=np.float64).tobytes())
    return digest.hexdigest()
