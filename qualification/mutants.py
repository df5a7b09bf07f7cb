"""Whether the tests of a room notice small changes to its code.

``python qualification/mutants.py --room report --count 100 --seed 11`` draws so many sites of the room's files by the
seed, makes one small change at each (``mutations.py``), runs the room's tests on it, and prints the share of changes
that no test noticed, with the list of them.

The tests run in a private copy of the tree, never in the tree itself. Which tests execute which line is measured once;
a change is shown to those that execute its line, the quickest first, up to the first failure; a line that no test
executes is a survivor at once. Code that runs on import is shown to all tests of the room. A change that makes the
tests take many times as long counts as noticed. Each change is tried in a child forked from a process that has imported
everything outside the room, so that only the room, what stands above it and the tests are imported anew.

Needs the package ``coverage`` beside the test dependencies, and an operating system with fork.
"""

from __future__ import annotations

import argparse
import ast
import contextlib
import gc
import importlib
import json
import os
import queue
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))
from mutations import Mutant, draw

ROOT = Path(__file__).resolve().parents[1]
SPARE, TIMES = 15.0, 3.0  # seconds of processor time over so many times what the tests need without the change
LONGEST = 900.0  # seconds by the clock: a change may wait for something that never comes
SAID = "said.txt"  # what the tests of the last change printed, in the copy
CONTROL = 20  # tests that must pass in a child without any change
LIVED = ("survived", "not executed", "unclear")
MEMORY = 12 * 2**30  # bytes that a child may ask for
HEAVY = (
    "numpy", "scipy.stats", "scipy.optimize", "scipy.integrate", "llvmlite.binding", "pint", "duckdb", "jinja2",
    "rich.console", "rich.table", "click", "matplotlib.figure", "matplotlib.backends.backend_svg", "pytest",
    "hypothesis", "hypothesis.extra.numpy",
)  # fmt: skip


# What the main process does


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--room", required=True, help="folder of src/vein2vein whose files are changed, such as report")
    parser.add_argument("--tests", nargs="*", help="folders or files of tests (default: tests/<room>)")
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--seed", type=int, default=11)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--minutes", type=float, default=1e6, help="stop after so long: what was tried is a sample")
    parser.add_argument("--json", type=Path, help="write every change and what became of it to this file")
    parser.add_argument("--list", action="store_true", help="only show the changes that would be tried")
    parser.add_argument("--at", nargs="*", default=[], help="only those of the draw at FILE:LINE (as printed)")
    parser.add_argument(
        "--again",
        type=Path,
        help="only what survived in an earlier --json of the same source, to see what new tests do",
    )
    parser.add_argument("--child", choices=("cover", "serve"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        sys.path.insert(0, str(Path.cwd() / "src"))
        cover(options.tests, options.room, options.json) if options.child == "cover" else serve(options.room)
        return
    sys.path.insert(0, str(ROOT / "src"))
    from vein2vein.files import check_target, write_text

    if options.json:
        check_target(options.json, force=True)  # before an hour of work, not after it
    mutants, sites = drawn(ROOT, options.room, options.count, options.seed)
    if options.at:
        mutants = [m for m in mutants if f"{m.file}:{m.line}" in options.at]
    noticed = 0
    if options.again:
        earlier = json.loads(options.again.read_text(encoding="utf-8"))["mutants"]
        lived = {(m["file"], m["line"], m["before"], m["after"]) for m in earlier if m["fate"] in LIVED}
        mutants = [m for m in mutants if (m.file, m.line, m.before, m.after) in lived]
        noticed = sum(m["fate"].startswith("killed") for m in earlier)  # by tests that are still there
    print(f"{options.room}: {len(mutants)} changes at {sites} sites, seed {options.seed}", flush=True)
    if options.list:
        for mutant in mutants:
            print(told(mutant))
        return
    tests = options.tests or [f"tests/{options.room}"]
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        copies = [copy_tree(Path(folder) / f"tree{i}") for i in range(max(options.jobs, 1))]
        facts = covered(copies[0], tests, options.room)
        for other in copies[1:]:
            shutil.rmtree(other)
            shutil.copytree(copies[0], other)  # with what was compiled
        print(f"{len(facts)} tests take {sum(f['cpu'] for f in facts.values()):.0f} s", flush=True)
        fates = tried(mutants, facts, copies, options.room, options.minutes)
    shown = sum(fate["fate"] != "not tried" for fate in fates)
    lived = [m for m, fate in zip(mutants, fates) if fate["fate"] in LIVED]
    for mutant, fate in zip(mutants, fates):
        if mutant in lived:
            print(f"{told(mutant)}   [{fate['fate']}]")
    shown += noticed
    share, took = 100 * len(lived) / max(shown, 1), time.monotonic() - started
    print(f"{options.room}: {len(lived)} of {shown} survived, {share:.0f} % ({took:.0f} s)")
    if options.json:
        rows = [
            {"file": m.file, "line": m.line, "kind": m.kind, "before": m.before, "after": m.after, **fate}
            for m, fate in zip(mutants, fates)
        ]
        found = {"room": options.room, "seed": options.seed, "sites": sites, "tried": shown, "survived": len(lived)}
        found["mutants"] = rows
        write_text(options.json, json.dumps(found, indent=1), force=True)


def drawn(root: Path, room: str, count: int, seed: int) -> tuple[list[Mutant], int]:
    """The changes that this seed draws in a room: the same for the same source."""
    package = root / "src" / "vein2vein"
    files = sorted((package / room).rglob("*.py")) or [package / f"{room}.py"]
    return draw(package, files, count, f"{seed}:{room}")


def told(mutant: Mutant) -> str:
    """One line on a change."""
    before, after = (" ".join(text.split())[:150] for text in (mutant.before, mutant.after))
    return f"{mutant.file}:{mutant.line}  {mutant.kind}:  {before}  ->  {after}"


def copy_tree(to: Path) -> Path:
    """Copy what git knows or would take, and the compiled code, so that the first test starts fast."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    for name in filter(None, listed.stdout.decode().split("\0")):
        if (ROOT / name).is_file():
            (to / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, to / name)
    sys.path.insert(0, str(to / "src"))
    from vein2vein.engine.llvm.cache import folder

    if folder().is_dir():
        shutil.copytree(folder(), to / ".cache")
    sys.path.pop(0)
    return to


def surroundings(copy: Path) -> dict[str, str]:
    """Environment of the tests: this copy, its own compiled code, one thread, the same examples every time."""
    one = {name: "1" for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "CI")}
    shared = {"VEIN2VEIN_SHARED": os.environ.get("VEIN2VEIN_SHARED", str(ROOT.parent / "shared"))}
    path = {"PYTHONPATH": str(copy / "src"), "VEIN2VEIN_CACHE": str(copy / ".cache"), "PYTHONHASHSEED": "0"}
    return {**os.environ, **one, **shared, **path, "MPLBACKEND": "svg"}


def ask(copy: Path, *words: str, **how: Any) -> subprocess.Popen[str]:
    """Start this file again inside a copy."""
    command = [sys.executable, str(copy / "qualification" / Path(__file__).name), *words]
    return subprocess.Popen(command, cwd=copy, env=surroundings(copy), text=True, **how)


def covered(copy: Path, tests: list[str], room: str) -> dict[str, Any]:
    """For each test its processor time, whether it shares fixtures with others, and the lines that it executes."""
    out = copy.parent / "covered.json"
    done = ask(
        copy, "--child", "cover", "--room", room, "--json", str(out), "--tests", *tests, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )  # fmt: skip
    said = done.communicate()[0]
    if done.returncode:
        raise SystemExit(f"the tests fail without any change:\n{said[-6000:]}")
    return json.loads(out.read_text(encoding="utf-8"))


def chosen(mutant: Mutant, facts: dict[str, Any]) -> list[str]:
    """Tests to show a change to, in order: the quickest first, those that share a fixture side by side."""
    lines = range(mutant.line, mutant.last + 1)
    ran = {
        name: any(line in fact["lines"].get(mutant.file, ()) for line in lines) if not mutant.at_import else True
        for name, fact in facts.items()
    }

    def order(name: str) -> tuple[bool, str, float]:
        fact = facts[name]
        far = mutant.at_import and mutant.file not in fact["lines"]
        return far, name.split("::")[0] if fact["wide"] else "", fact["cpu"]

    return sorted((name for name, runs in ran.items() if runs), key=order)


def tried(
    mutants: list[Mutant], facts: dict[str, Any], copies: list[Path], room: str, minutes: float
) -> list[dict[str, Any]]:
    """What became of each change."""
    fates: list[dict[str, Any]] = [{"fate": "not tried"} for _ in mutants]
    end = time.monotonic() + 60 * minutes
    waiting: queue.Queue[int] = queue.Queue()
    failed: list[str] = []
    order = list(range(len(mutants)))
    random.Random(len(order)).shuffle(order)  # so that what a short run has tried is no choice of files
    for i in order:
        waiting.put(i)

    def work(copy: Path) -> None:
        server = ask(copy, "--child", "serve", "--room", room, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert server.stdin and server.stdout

        def ask_for(task: dict[str, Any]) -> dict[str, Any]:
            assert server.stdin and server.stdout
            server.stdin.write(json.dumps(task) + "\n")
            server.stdin.flush()
            return json.loads(server.stdout.readline())

        same = next(iter(mutants)).file
        text = (copy / "src" / "vein2vein" / same).read_text(encoding="utf-8")
        quick = sorted(facts, key=lambda name: facts[name]["cpu"])[:CONTROL]
        control = ask_for({"file": same, "text": text, "tests": quick, "cpu": LONGEST})
        if control["fate"] != "survived":
            failed.append((copy / SAID).read_text(encoding="utf-8", errors="replace"))
            return
        with contextlib.suppress(queue.Empty):
            while True:
                i = waiting.get_nowait()
                if time.monotonic() > end:
                    continue
                names = chosen(mutants[i], facts)
                fates[i] = {"fate": "not executed", "tests": 0}
                if names:
                    need = sum(facts[name]["cpu"] for name in names)
                    task = {
                        "file": mutants[i].file,
                        "text": mutants[i].text,
                        "tests": names,
                        "cpu": SPARE + TIMES * need,
                    }
                    fates[i] = {**ask_for(task), "tests": len(names)}
                print(f"  {i + 1}: {told(mutants[i])}: {fates[i]['fate']}", file=sys.stderr, flush=True)
        server.stdin.close()
        server.wait()

    threads = [threading.Thread(target=work, args=(copy,)) for copy in copies]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failed:
        raise SystemExit(f"the tests fail in a child without any change:\n{failed[0][-6000:]}")
    return fates


# What a child does inside a copy


def cover(tests: list[str], room: str, out: Path) -> None:
    """Run the tests once and note the lines of the room that each executes."""
    import coverage
    import pytest

    package = Path.cwd() / "src" / "vein2vein"
    where = [str(package / room / "*"), str(package / f"{room}.py")]
    measured = coverage.Coverage(data_file=None, config_file=False, include=where)
    facts: dict[str, Any] = {}

    class Note:
        @pytest.hookimpl(wrapper=True)
        def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
            forget()
            measured.switch_context(item.nodeid)
            wide = [d for ds in item._fixtureinfo.name2fixturedefs.values() for d in ds[-1:]]
            names = [shared(d) for d in wide if d.scope != "function"]
            ours = [name for name in names if name not in ("fixture:::wide", "fixture:::shared")]
            facts[item.nodeid] = {"fixtures": names, "wide": any("pytest" not in name for name in ours)}
            began = time.process_time()
            result = yield
            facts[item.nodeid]["cpu"] = round(time.process_time() - began, 4)
            measured.switch_context("")
            return result

        @pytest.hookimpl(wrapper=True)
        def pytest_fixture_setup(self, fixturedef: Any, request: pytest.FixtureRequest) -> Iterator[None]:
            outer = request.node.nodeid if fixturedef.scope == "function" else None
            if outer is not None:
                return (yield)
            forget()
            measured.switch_context(shared(fixturedef))
            result = yield
            measured.switch_context(str(request._pyfuncitem.nodeid))
            return result

    def shared(fixture: Any) -> str:
        return f"fixture:{fixture.baseid}:{fixture.argname}"

    for name in module_names(package):
        load(name)
    measured.start()
    code = pytest.main([*tests, "-p", "no:cacheprovider", "-p", "no:xdist", "-x"], plugins=[Note()])
    measured.stop()
    data = measured.get_data()
    lines: dict[str, dict[str, set[int]]] = {}
    for file in data.measured_files():
        name = Path(file).relative_to(package).as_posix()
        for line, contexts in data.contexts_by_lineno(file).items():
            for context in contexts:
                lines.setdefault(context, {}).setdefault(name, set()).add(line)
    for nodeid, fact in facts.items():
        own: dict[str, set[int]] = {}
        for context in (nodeid, *fact.pop("fixtures")):
            for file, some in lines.get(context, {}).items():
                own.setdefault(file, set()).update(some)
        fact["lines"] = {file: sorted(some) for file, some in own.items()}
    out.write_text(json.dumps(facts), encoding="utf-8")
    sys.exit(int(code))


def forget() -> None:
    """Empty all caches of functions: what one test has kept must be computed in the next one that needs it."""
    for name, module in list(sys.modules.items()):
        if name.startswith("vein2vein"):
            for value in list(vars(module).values()):
                if callable(getattr(value, "cache_clear", None)):
                    value.cache_clear()


def module_names(package: Path) -> list[str]:
    """All modules of the package but its command."""
    names = []
    for path in sorted(package.rglob("*.py")):
        parts = path.relative_to(package.parent).with_suffix("").parts
        if parts[-1] != "__main__":
            names.append(".".join(parts[:-1] if parts[-1] == "__init__" else parts))
    return names


def load(name: str) -> None:
    """Import a module; one whose library is not installed is left out."""
    with contextlib.suppress(ImportError):
        importlib.import_module(name)


def apart_from(package: Path, room: str) -> list[str]:
    """Modules that import nothing of a room when they are imported, directly or through others."""
    names = module_names(package)
    needs = {name: imported(package, name, set(names)) for name in names}
    touched = {name for name in names if f"{name}.".startswith(f"vein2vein.{room}.")}
    while True:
        more = {name for name in names if needs[name] & touched} - touched
        if not more:
            return [name for name in names if name not in touched]
        touched |= more


def imported(package: Path, name: str, known: set[str]) -> set[str]:
    """Modules of the package that a module imports at its top."""
    place = package.parent.joinpath(*name.split("."))
    path = place.with_suffix(".py") if place.with_suffix(".py").is_file() else place / "__init__.py"
    found: set[str] = set()
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        if isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found & known


def serve(room: str) -> None:
    """Import what no change of the room touches; then try the changes that are asked for, each in a child."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    for name in HEAVY:
        load(name)
    package = Path.cwd() / "src" / "vein2vein"
    for name in apart_from(package, room):
        load(name)
    gc.collect()
    gc.freeze()  # what is loaded here is never looked through again in a child
    for line in sys.stdin:
        task = json.loads(line)
        path = package / task["file"]
        kept, stat = path.read_bytes(), path.stat()
        path.write_text(task["text"], encoding="utf-8")
        os.utime(path, (stat.st_atime, stat.st_mtime + 2))  # what was compiled of the file is then out of date
        began = time.monotonic()
        try:
            fate = fork(task["tests"], task["cpu"])
        finally:
            path.write_bytes(kept)
            os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
        answers.write(json.dumps({"fate": fate, "seconds": round(time.monotonic() - began, 2)}) + "\n")
        answers.flush()


def fork(tests: list[str], cpu: float) -> str:
    """Run tests in a child; what became of the change."""
    child = os.fork()
    if not child:
        run(tests, cpu)
    end = time.monotonic() + LONGEST
    while True:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            break
        if time.monotonic() > end:
            os.killpg(child, signal.SIGKILL)
            os.waitpid(child, 0)
            return "killed: endless"
        time.sleep(0.02)
    with contextlib.suppress(OSError):
        os.killpg(child, signal.SIGKILL)  # what it started and left behind
    if os.WIFSIGNALED(status):
        return "killed: endless" if os.WTERMSIG(status) in (signal.SIGXCPU, signal.SIGKILL) else "killed: crash"
    code = os.WEXITSTATUS(status)
    return {0: "survived", 1: "killed", 2: "killed: does not load", 4: "killed: does not load"}.get(code, "unclear")


def run(tests: list[str], cpu: float) -> None:
    """The child: run these tests in this order, stop at the first failure, and never return."""
    code = 3
    try:
        os.setsid()
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        said = os.open(SAID, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(said, 1)
        os.dup2(said, 2)
        used = int(time.process_time())  # the child's own clock starts anew with some systems
        resource.setrlimit(resource.RLIMIT_CPU, (used + int(cpu), used + int(cpu) + 10))
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
        sys.dont_write_bytecode = True
        os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
        import pytest

        rank = {name: i for i, name in enumerate(tests)}

        class Choose:
            @pytest.hookimpl(trylast=True)
            def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
                some = [item for item in items if item.nodeid in rank]
                if some:  # a change of a name may give the tests other names: then all of their files run
                    items[:] = sorted(some, key=lambda item: rank[item.nodeid])

        files = list(dict.fromkeys(name.split("::")[0] for name in tests))
        loaded = ["-W", "ignore::pytest.PytestAssertRewriteWarning"]  # hypothesis stands ready before pytest starts
        code = int(pytest.main([*files, "-x", "-p", "no:cacheprovider", "-p", "no:xdist", *loaded], plugins=[Choose()]))
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    main()
