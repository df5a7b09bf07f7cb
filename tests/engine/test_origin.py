"""What compiled courses are found by on disk: never code of other equations, requests, methods or sources."""

import shutil
from dataclasses import replace

import numpy as np
import pytest

from vein2vein.engine.llvm import cache, cost, course, machine, origin, run_course
from vein2vein.engine.method import events, tableau
from vein2vein.engine.method.events import Event
from vein2vein.engine.method.request import Request
from vein2vein.engine.method.summaries import Summary
from vein2vein.engine.solve import solve
from vein2vein.engine.trace.kept import Kept
from vein2vein.models.model import Input, Model, State


def model(**changes):
    rate, start, gain, seen = (
        changes.pop(k, v) for k, v in (("rate", 1.0), ("start", 2.0), ("gain", 1.0), ("seen", 1.0))
    )
    inputs = (Input("bolus", "", "mg"), Input("infusion", "", "mg/d", "level"))
    given = {
        "states": (State("A", "", "1", low=0.0), State("B", "", "1")),
        "inputs": inputs,
        "parameters": ("k", "m"),
        "equations": lambda t, x, p, u: {"A": -rate * p.k * x.A + u.infusion, "B": p.k * x.A - p.m * x.B},
        "initial": lambda p: {"A": start},
        "apply_dose": lambda n, a, x, p: {"A": x.A + gain * a},
        "observables": lambda t, x, p, u: {"seen": seen * x.A, "other": x.B},
    }
    return Model("m", "m", "none", **(given | changes))


EVENT = Event("e", lambda t, x, p, u: 1.0 - x.A, "bolus", 1.0, 3, 0.5)
REQUEST = Request(
    ("bolus",), (EVENT,), (Summary("top", "max", "seen"), Summary("late", "time_above", lambda t, x, p, u: x.B, 0.5)),
    True, ("seen",), True,
)  # fmt: skip


def name(of=None, request=REQUEST, method=tableau.TSIT5, width=2, switches=False):
    return run_course.entry(of or model(), request, method, width, switches)[0]


def with_event(**changes):
    return replace(REQUEST, events=(replace(EVENT, **changes),))


def with_summary(**changes):
    return replace(REQUEST, wanted=(REQUEST.wanted[0], replace(REQUEST.wanted[1], **changes)))


OTHERS = {
    "a number in the rates": lambda: name(model(rate=1.5)),
    "the last digit of a number": lambda: name(model(rate=np.nextafter(1.0, 2.0))),
    "the start": lambda: name(model(start=3.0)),
    "what a dose does": lambda: name(model(gain=2.0)),
    "an observable": lambda: name(model(seen=2.0)),
    "a bound": lambda: name(model(states=(State("A", "", "1", low=-1.0), State("B", "", "1")))),
    "the other bound": lambda: name(model(states=(State("A", "", "1", low=0.0), State("B", "", "1", high=9.0)))),
    "a tolerance": lambda: name(model(states=(State("A", "", "1", 1e-3, low=0.0), State("B", "", "1")))),
    "the order of states": lambda: name(model(states=(State("B", "", "1"), State("A", "", "1", low=0.0)))),
    "the order of parameters": lambda: name(model(parameters=("m", "k"))),
    "one more parameter": lambda: name(model(parameters=("k", "m", "n"))),
    "another level": lambda: name(model(inputs=(*model().inputs, Input("pace", "", "1", "level")))),
    "nothing given": lambda: name(request=replace(REQUEST, gives=(), events=())),
    "a level given": lambda: name(request=replace(REQUEST, gives=("bolus", "infusion"))),
    "their order": lambda: name(request=replace(REQUEST, gives=("infusion", "bolus"))),
    "no event": lambda: name(request=replace(REQUEST, events=())),
    "two events": lambda: name(request=replace(REQUEST, events=(EVENT, EVENT))),
    "a condition": lambda: name(request=with_event(condition=lambda t, x, p, u: 1.1 - x.A)),
    "the input of an event": lambda: name(request=replace(with_event(give="infusion"), gives=("bolus", "infusion"))),
    "an amount": lambda: name(request=with_event(amount=2.0)),
    "an amount that is asked for": lambda: name(request=with_event(amount=lambda t, x, p, u: 1.0 * x.B)),
    "another such amount": lambda: name(request=with_event(amount=lambda t, x, p, u: 2.0 * x.B)),
    "how often": lambda: name(request=with_event(most=4)),
    "the interval": lambda: name(request=with_event(interval=0.6)),
    "an edge": lambda: name(request=with_event(trigger="edge")),
    "an unarmed edge": lambda: name(request=with_event(trigger="edge", armed=False)),
    "a delay": lambda: name(request=with_event(delay=0.25)),
    "a priority": lambda: name(request=with_event(priority=1.0)),
    "no summary": lambda: name(request=replace(REQUEST, wanted=())),
    "the order of summaries": lambda: name(request=replace(REQUEST, wanted=REQUEST.wanted[::-1])),
    "the kind of a summary": lambda: name(request=with_summary(kind="first_crossing")),
    "what is summarized": lambda: name(request=with_summary(of=lambda t, x, p, u: 2 * x.B)),
    "by its name": lambda: name(request=with_summary(of="other")),
    "the level of a summary": lambda: name(request=with_summary(level=0.75)),
    "one quantity twice": lambda: name(request=with_summary(of="seen")),
    "no values": lambda: name(request=replace(REQUEST, outputs=False)),
    "other values": lambda: name(request=replace(REQUEST, reads=("A",))),
    "the states as values": lambda: name(request=replace(REQUEST, reads=())),
    "states handed in": lambda: name(request=replace(REQUEST, own_start=False)),
    "stops": lambda: name(request=replace(REQUEST, halts=True)),
    "a stiff method": lambda: name(method=tableau.RODAS4),
    "another stiff method": lambda: name(method=tableau.RODAS5P),
    "a method of the same name": lambda: name(method=replace(tableau.TSIT5, nodes=(*tableau.NODES[:-2], 0.9, 1.0))),
    "the width": lambda: name(width=4),
    "switches": lambda: name(switches=True),
}


def test_everything_that_the_text_is_written_from_is_in_the_name():
    names = {what: of() for what, of in OTHERS.items()} | {"as it is": name()}
    found = {}
    for what, one in names.items():
        found.setdefault(one, []).append(what)
    assert not [together for together in found.values() if len(together) > 1]


def test_every_field_of_what_is_asked_for_is_tried():
    tried = " ".join(OTHERS)  # whoever adds a field adds what it changes above
    assert len(vars(EVENT)) == 10 and len(vars(REQUEST.wanted[0])) == 4 and len(vars(REQUEST)) == 7, tried
    assert len(vars(tableau.TSIT5)) == 8


def test_an_equal_model_of_other_objects_has_the_same_name():
    assert name(model(), Request(("bolus",))) == name(model(), Request(("bolus",)))
    assert name() == name(request=with_event(condition=lambda t, x, p, u: 1.0 - x.A))


def processor(triple="x86_64-unknown-linux-gnu", cpu="generic", features="+avx"):
    return machine, "host", lambda: (triple, cpu, features)


def test_processor_compiler_and_sources_are_in_the_name(monkeypatch):
    changes = {
        "a processor": processor(),
        "its name": processor(cpu="other"),
        "its features": processor(features="+avx,+avx2"),
        "its kind": processor(triple="aarch64-unknown-linux-gnu"),
        "fused or not": (machine, "fused", (lambda fused: lambda: not fused)(machine.fused())),
        "llvmlite": (machine.llvmlite, "__version__", "0.0.1"),
        "llvm": (machine.llvm, "llvm_version_info", (1, 2, 3)),
        "sources": (origin, "_loaded", "another source"),
    }
    names = {"as it is": name()}
    for what, change in changes.items():
        with monkeypatch.context() as patch:
            patch.setattr(*change)
            names[what] = name()
    assert len(set(names.values())) == len(names)


@pytest.fixture
def copied(tmp_path):
    """The sources that write code, to be changed."""
    for place in origin.PLACES:
        source, target = origin.HOME / place, tmp_path / place
        target.parent.mkdir(parents=True, exist_ok=True)
        (shutil.copytree if source.is_dir() else shutil.copy)(source, target)
    return tmp_path


def test_a_changed_source_file_is_seen(copied):
    assert origin.read(copied) == origin.read() == origin.origin() != ""
    seen = {origin.read()}
    files = [
        f
        for place in origin.PLACES
        for f in ([copied / place] if place.endswith(".py") else (copied / place).glob("*.py"))
    ]
    assert len(files) > 30
    for file in files:
        data = file.read_bytes()
        file.write_bytes(data.replace(b"e", b"f", 1) or b"#")  # as long as before
        seen.add(origin.read(copied))
        file.write_bytes(data)
    assert len(seen) == 1 + len(files)
    (copied / "engine/llvm/more.py").write_text("")
    assert origin.read(copied) not in seen


def test_everything_that_writes_code_is_among_the_sources():
    """What the writing modules import of the package, but for what only says what is wrong and who hands in what."""
    import ast

    silent = {
        "vein2vein.arguments", "vein2vein.engine.handed_in", "vein2vein.errors", "vein2vein.files", "vein2vein.records",
        "vein2vein.models.author", "vein2vein.models.construction", "vein2vein.models",
        "vein2vein.models.closed_form",
    }  # fmt: skip
    for place in origin.PLACES:
        for file in [origin.HOME / place] if place.endswith(".py") else (origin.HOME / place).glob("*.py"):
            for node in ast.walk(ast.parse(file.read_text())):
                if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("vein2vein"):
                    within = node.module.removeprefix("vein2vein.").replace(".", "/")
                    inside = any(f"{within}.py" == p or f"{within}/".startswith(f"{p}/") for p in origin.PLACES)
                    assert inside or node.module in silent, f"{file.name} imports {node.module}"


def test_without_sources_nothing_is_named_by_them(tmp_path, monkeypatch):
    assert origin.read(tmp_path) == ""
    monkeypatch.setattr(origin, "_loaded", "")
    assert run_course.entry(model(), REQUEST, tableau.TSIT5, 2, False) == ("", "")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv(cache.VARIABLE, str(tmp_path / "code"))
    monkeypatch.setattr(run_course, "_compiled", Kept(8))
    monkeypatch.setattr(cost, "_ratios", Kept(8))
    return tmp_path / "code"


def last(of, width):
    return solve(of, [[0.5, 0.1]], None, [0.0, 2.0], method="auto", width=width).values[0, -1]


def test_a_second_start_writes_no_text_and_gives_the_same(folder, monkeypatch, vector_width):
    first = last(model(), vector_width)
    kept = {file.name for file in folder.iterdir()}
    monkeypatch.setattr(run_course, "_compiled", Kept(8))
    monkeypatch.setattr(cost, "_ratios", Kept(8))
    monkeypatch.setattr(course, "module", None)
    monkeypatch.setattr(cost, "_flops", None)
    assert np.array_equal(last(model(), vector_width), first)
    assert {file.name for file in folder.iterdir()} == kept


def test_a_second_start_with_other_equations_gives_their_result(folder, monkeypatch, vector_width):
    for rate in (1.0, 2.0, 1.0, 2.0):
        monkeypatch.setattr(run_course, "_compiled", Kept(8))
        found = last(model(rate=rate), vector_width)[0]
        assert found == pytest.approx(2 * np.exp(-rate), rel=1e-3)


def test_a_model_that_changes_after_it_was_looked_at_leaves_nothing_under_its_name(folder, vector_width):
    rate = [1.0]
    changing = model(equations=lambda t, x, p, u: {"A": -rate[0] * x.A, "B": 0.0 * x.A})
    before = name(changing, Request(), width=vector_width)
    rate[0] = 2.0
    run_course.compile_courses(changing, Request(), tableau.TSIT5, vector_width)
    assert cache.read(before) is None
    cost.ratio(changing, tableau.TSIT5, tableau.RODAS5P)
    assert len(list(folder.iterdir())) == 1, "the code, by its own text"


def test_sources_that_change_while_a_process_runs_leave_nothing_under_a_name(folder, monkeypatch, vector_width):
    before = name(model(), Request(), width=vector_width)
    monkeypatch.setattr(origin, "read", lambda home=origin.HOME: "edited meanwhile")
    run_course.compile_courses(model(), Request(), tableau.TSIT5, vector_width)
    assert cache.read(before) is None


def test_an_event_is_checked_before_it_is_named():
    checked = events.check(EVENT, model())
    assert name(request=replace(REQUEST, events=(checked,)))
