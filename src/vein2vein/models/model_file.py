"""A model in a file of one's own: the file is a program, and is run.

``my_model.py`` defines ``MODEL = Model(...)``, or exactly one model under any name. Where a bundled model's name is
asked for, the path of such a file serves as well.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import cast

from vein2vein.arguments import path_of, shown
from vein2vein.errors import InputError
from vein2vein.models import author
from vein2vein.models.model import Model, is_number
from vein2vein.parameters import Parameter, ParameterSet

SUFFIX = ".py"
_PREFIX = "vein2vein_model_file_"


def is_model_file(name: object) -> bool:
    """Whether something names a file rather than a bundled model: a path, or a text that ends in .py or holds one."""
    if isinstance(name, Path):
        return True
    return isinstance(name, str) and (name.endswith(SUFFIX) or "/" in name or "\\" in name)


def is_loaded(module: str) -> bool:
    """Whether a module's name is that of a model file that was run."""
    return module.startswith(_PREFIX)


def load(path: str | Path) -> ModuleType:
    """Run the user's own file and return it as a module whose ``MODEL`` is its model.

    Raises
    ------
    InputError
        With file and line: it cannot be read, is no Python, fails while it runs, or defines no or more than one model.
    """
    file = Path(path_of("model", path))
    try:
        text = file.read_bytes()
    except OSError as problem:
        why = "there is no such file" if isinstance(problem, FileNotFoundError) else str(problem.strerror).lower()
        text = f"{why}; give the name of a bundled model, or a Python file that defines one."
        raise InputError(text, file=file) from None
    module = ModuleType(_PREFIX + file.stem)
    module.__file__ = str(file.resolve())
    try:
        code = compile(text, module.__file__, "exec", dont_inherit=True)
    except SyntaxError as problem:
        raise InputError(f"this is no Python: {problem.msg}.", file=file, line=problem.lineno) from None
    except ValueError as problem:  # bytes that are no text
        raise InputError(f"this is no Python: {problem}.", file=file) from None
    sys.modules[module.__name__] = module  # where its functions look for their source
    try:
        with _neighbours(Path(module.__file__).parent):
            exec(code, vars(module))
    except (Exception, SystemExit) as problem:  # whatever is wrong with it
        raise _failed(problem, file, module.__file__) from problem
    vars(module)["MODEL"] = _model(module, file)
    return module


@contextmanager
def _neighbours(folder: Path) -> Generator[None, None, None]:
    """Let a file import those beside it, as a script may, only while it runs.

    What it imported from there is forgotten with it: a file of another folder may have a neighbour of the same name.
    """
    before, place = set(sys.modules), str(folder)
    sys.path.insert(0, place)
    importlib.invalidate_caches()  # a neighbour may have been written a moment ago
    try:
        yield
    finally:
        if place in sys.path:
            sys.path.remove(place)
        for name in set(sys.modules) - before:
            origin = getattr(sys.modules[name], "__file__", None)
            if origin and Path(origin).is_relative_to(folder) and not is_loaded(name):
                del sys.modules[name]


def parameters(module: ModuleType) -> ParameterSet:
    """Parameters of a model file: what its ``parameters()`` gives, or the numbers of the model's own example.

    It gives a ParameterSet, or a mapping of name to value.
    """
    model: Model = vars(module)["MODEL"]
    own = vars(module).get("parameters")
    if callable(own):
        try:
            with _neighbours(Path(str(module.__file__)).parent):
                found = own()
        except Exception as problem:  # whatever is wrong with it
            raise _failed(problem, Path(str(module.__file__)), str(module.__file__)) from problem
        if isinstance(found, ParameterSet):
            return found
        return _plain_set(model.name, found, str(module.__file__))
    return _set(model.name, {name: model.example.get(name) for name in model.parameters})


def _set(name: str, values: Mapping[str, float | None]) -> ParameterSet:
    return ParameterSet(name, {key: Parameter(key, value=value) for key, value in values.items()})


def _plain_set(name: str, found: object, file: str) -> ParameterSet:
    """A mapping of name to number, as a set."""
    if not isinstance(found, Mapping):
        text = f"parameters() gives {shown(found)}, expected a mapping of name to value, or a ParameterSet."
        raise InputError(text, file=file)
    values: dict[str, float] = {}
    for key, value in cast("Mapping[object, object]", found).items():
        if not isinstance(key, str) or not is_number(value):
            text = f"parameters() gives {shown(value)} for {shown(key)}, expected a number for each name."
            raise InputError(text, file=file)
        values[key] = float(value)
    return _set(name, values)


def _failed(problem: BaseException, file: Path, named: str) -> InputError:
    """What went wrong while a file ran, with the line of the file, or the place beyond it."""
    if isinstance(problem, InputError) and problem.line:
        return problem
    said, where, line = author.place_of(problem)
    text = " ".join(str(problem).split())
    if not isinstance(problem, InputError):
        text = f"{type(problem).__name__}{': ' if text else ''}{text}"
    text = text if text.endswith((".", "?", ")")) else f"{text}."
    if where == named:
        return InputError(text, file=file, line=line)
    return InputError(f"{text.removesuffix('.')} ({said})." if said else text, file=file)


def _model(module: ModuleType, file: Path) -> Model:
    """The file's ``MODEL``, or the only model that it holds."""
    if "MODEL" in vars(module):
        found: object = vars(module)["MODEL"]
        if not isinstance(found, Model):
            raise InputError(f"MODEL is {shown(found)}, expected a Model.", file=file)
        return found
    models = {id(value): (name, value) for name, value in vars(module).items() if isinstance(value, Model)}
    if len(models) != 1:
        names = ", ".join(name for name, _ in models.values())
        told = f"it defines {len(models)} models, {names}" if models else "it defines no model"
        raise InputError(f"{told}; call the one that is meant MODEL, as in MODEL = Model(...).", file=file)
    ((_, found),) = models.values()
    return found
