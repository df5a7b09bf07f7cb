"""A model in a file of one's own: the file is a program, and is run.

``my_model.py`` defines ``MODEL = Model(...)``, or exactly one model under any name. Where a bundled model's name is
asked for, the path of such a file serves as well.
"""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType

from vein2vein.arguments import path_of, shown
from vein2vein.errors import InputError
from vein2vein.models import author
from vein2vein.models.model import Model
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
        exec(code, vars(module))
    except (Exception, SystemExit) as problem:  # whatever is wrong with it
        raise _failed(problem, file, module.__file__) from problem
    vars(module)["MODEL"] = _model(module, file)
    return module


def parameters(module: ModuleType) -> ParameterSet:
    """Parameters of a model file: what its ``parameters()`` gives, or the numbers of the model's own example."""
    own = vars(module).get("parameters")
    if callable(own):
        try:
            found = own()
        except Exception as problem:  # whatever is wrong with it
            raise _failed(problem, Path(str(module.__file__)), str(module.__file__)) from problem
        if not isinstance(found, ParameterSet):
            raise InputError(f"parameters() gives {shown(found)}, expected a ParameterSet.", file=module.__file__)
        return found
    model: Model = vars(module)["MODEL"]
    values = {name: model.example.get(name) for name in model.parameters}
    return ParameterSet(model.name, {name: Parameter(name, value=value) for name, value in values.items()})


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
    return InputError(f"{text} ({said})" if said else text, file=file)


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
