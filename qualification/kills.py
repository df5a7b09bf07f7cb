"""Kill large runs at many moments, go on, and compare the bits with those of a run that nobody disturbed.

    python qualification/kills.py [--every N] [--timed N] [--chained N] [--command N]

--every N     killed at every N-th thing that it does to the files of its folder (open, rename, remove, make, list), in
              a new run and in one that begins anew (--force) where another run lay
--timed N     killed N times after a random time, so also while the database writes
--chained N   N folders, each killed some times in a row before a run may end
--command N   the command ``vein2vein trial --jobs 2``, killed N times after a random time; its workers end alone

The process ends by SIGKILL each time. Chunks are computed once and handed out again but for the last way, so a kill
costs a second. Exit 1 where a run that goes on fails or ends with other bits or files.
"""

from __future__ import annotations

import argparse
import functools
import hashlib
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb  # noqa: F401  (once, for all processes that follow)
import numpy as np

from vein2vein.files import write_text
from vein2vein.runs import chunk, large, scheduler, store

PATIENTS, SEED, CHUNK = 4, 5, 2
TOUCHES = {"open", "os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.scandir", "os.listdir", "os.chmod"}
SEVERAL = 4  # kills in a row, at most


def bits(folder: Path) -> dict[str, str]:
    """Checksum of every file below a folder; of a folder, that it is one."""
    found = sorted(folder.rglob("*"))
    return {
        str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest() if p.is_file() else "" for p in found
    }


def run(folder: Path, given: Path | None = None, **options: Any) -> None:
    """A large run; its chunks are those of the run in ``given``, written to the scratch folder first."""

    def make(work: Any, first: int, last: int, scratch: Path | None = None) -> chunk.Chunk:
        manifest = store.read_manifest(given)
        entry = next(c for c in manifest["chunks"] if c["first"] == first)
        with chunk.under_way(scratch) as place:
            chunk._parquet({"patient": np.arange(first, last)}, place / f"patients-{first}.parquet")
        files = {name: (given / name / entry["file"]).read_bytes() for name in work.tables}
        return chunk.Chunk(files, entry["rows"], entry["failed"], tuple(entry["notes"]), manifest["provenance"])

    if given is not None:
        large.make_chunk = make
    asked = {"patients": PATIENTS, "seed": SEED, "chunk": CHUNK, **options}
    large.run_large("eliana", folder, **asked)


def forked(call: Callable[[], None], seconds: float | None = None) -> int:
    """End of a call in a process of its own, that is killed after so many seconds: 0, 1 (failed) or -9."""
    child = os.fork()
    if not child:
        code = 1
        try:
            call()
            code = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(code)
    if seconds is not None:
        time.sleep(seconds)
        os.kill(child, signal.SIGKILL)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def dying(call: Callable[[], None], folder: Path, at: int, told: Path | None = None) -> Callable[[], None]:
    """A call that kills its process when it touches the files of a folder for the ``at``-th time."""

    def under_watch() -> None:
        touched = [0]

        def hook(event: str, given: tuple[Any, ...]) -> None:
            if event in TOUCHES and isinstance(given[0], str | os.PathLike) and str(folder) in str(given[0]):
                touched[0] += 1
                if touched[0] == at:
                    os.kill(os.getpid(), signal.SIGKILL)

        sys.addaudithook(hook)
        call()
        if told is not None:
            write_text(told, str(touched[0]), force=True)

    return under_watch


class Trials:
    """Folders to kill in, and what became of them."""

    def __init__(self, place: Path) -> None:
        self.place, self.killed, self.wrong = place, 0, 0
        self.finished, self.other, self.folder = place / "finished", place / "other", place / "run"
        scheduler.fingerprint()  # once, for all processes that follow
        for call in (functools.partial(run, self.finished), functools.partial(run, self.other, seed=SEED + 1, chunk=1)):
            if forked(call):
                raise SystemExit("an undisturbed run failed")
        self.expected = bits(self.finished)

    def again(self, force: bool = False) -> Callable[[], None]:
        """The run under test, or its other beginning."""
        return functools.partial(run, self.folder, given=self.finished, force=force)

    def clean(self, force: bool = False) -> None:
        """Nothing, or another run that is to be overwritten."""
        shutil.rmtree(self.folder, ignore_errors=True)
        if force:
            shutil.copytree(self.other, self.folder)

    def ends_well(self, what: str, call: Callable[[], None]) -> None:
        """Let a run go on to its end and compare what it left."""
        left = sorted(str(p.relative_to(self.folder)) for p in self.folder.rglob("*") if p.name.endswith(".part"))
        code = forked(call)
        found = bits(self.folder)
        differing = sorted(k for k in {*found, *self.expected} if found.get(k) != self.expected.get(k))
        if code or differing:
            self.wrong += 1
            print(f"{what}: the run that went on ended with {code}; other: {differing[:5]}; left before: {left[:5]}")

    def every(self, step: int) -> None:
        """Killed at each ``step``-th touch of a file."""
        for force in (False, True):
            self.clean(force)
            told = self.place / "told"
            forked(dying(self.again(force), self.folder, -1, told))
            touches = int(told.read_text())
            for at in range(1, touches + 1, step):
                self.clean(force)
                self.killed += forked(dying(self.again(force), self.folder, at)) == -signal.SIGKILL
                self.ends_well(
                    f"killed at touch {at} of {touches}{' with --force' if force else ''}", self.again(force)
                )

    def timed(self, count: int, luck: random.Random) -> None:
        """Killed after random times."""
        self.clean()
        begun = time.perf_counter()
        forked(self.again())
        lasts = time.perf_counter() - begun
        for _ in range(count):
            self.clean()
            seconds = luck.uniform(0, lasts)
            self.killed += forked(self.again(), seconds) == -signal.SIGKILL
            self.ends_well(f"killed after {seconds:.3f} of {lasts:.3f} s", self.again())

    def chained(self, count: int, luck: random.Random) -> None:
        """Killed some times in a row."""
        for _ in range(count):
            self.clean()
            moments = [luck.randrange(1, 160) for _ in range(luck.randint(2, SEVERAL))]
            for at in moments:
                self.killed += forked(dying(self.again(), self.folder, at)) == -signal.SIGKILL
            self.ends_well(f"killed at touches {moments} in a row", self.again())

    def command(self, count: int, luck: random.Random) -> None:
        """The command with two workers, killed after random times; the next begins at once."""
        asked = [sys.executable, "-m", "vein2vein", "trial", "eliana", "--patients", str(PATIENTS), "--seed", str(SEED)]
        asked += ["--chunk", str(CHUNK), "--jobs", "2", "--quiet", "--out", str(self.folder)]
        self.clean()
        for _ in range(count):
            with subprocess.Popen(asked, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
                time.sleep(luck.uniform(0.5, 8.0))
                if process.poll() is None:
                    process.send_signal(signal.SIGKILL)
                    self.killed += 1
        self.ends_well(f"the command killed {count} times", functools.partial(subprocess.run, asked, check=True))


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name in ("every", "timed", "chained", "command"):
        options.add_argument(f"--{name}", type=int, default=0)
    asked = options.parse_args()
    with tempfile.TemporaryDirectory(prefix="vein2vein-kills-") as place:
        trials, luck = Trials(Path(place)), random.Random(1)
        if asked.every:
            trials.every(asked.every)
        trials.timed(asked.timed, luck)
        trials.chained(asked.chained, luck)
        if asked.command:
            trials.command(asked.command, luck)
    print(f"{trials.killed} kills, {trials.wrong} runs that did not end as an undisturbed one")
    return int(trials.wrong > 0 or not trials.killed)


if __name__ == "__main__":
    sys.exit(main())
