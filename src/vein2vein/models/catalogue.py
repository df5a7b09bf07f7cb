"""The bundled models, found by themselves: a file here with a ``MODEL`` and a card of the same name.

A model of several files has a folder instead, with its ``MODEL`` in ``model.py``.
"""

from __future__ import annotations

import ast
from functools import cache
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import cast

from vein2vein.arguments import known
from vein2vein.errors import InputError, unknown
from vein2vein.models import model_file
from vein2vein.models.model import Model
from vein2vein.parameters import ParameterSet

FOLDER = Path(__file__).parent


@cache
def model_names() -> tuple[str, ...]:
    """Names of the bundled models, the reference model first; nothing is imported."""
    names = [card.stem for card in [*FOLDER.glob("*.toml"), *FOLDER.glob("*/*.toml")] if _file(card.stem)]
    return tuple(sorted(names, key=lambda name: (name != "reference", name)))


def find_model(name: str | Path) -> Model:
    """Return a bundled model by name, or that of the user's own file (my_model.py), which is run."""
    return find_module(name).MODEL


def find_parameters(name: str | Path) -> ParameterSet:
    """Return the parameters of a bundled model by name, or those of the user's own file, which is run."""
    return parameters_of(find_module(name))


def parameters_of(module: ModuleType) -> ParameterSet:
    """Parameters of a module with a model, as ``find_module`` returns it."""
    return module.parameters() if module.__name__.startswith("vein2vein.models.") else model_file.parameters(module)


def all_models() -> dict[str, Model]:
    """Return every bundled model by name."""
    return {name: find_model(name) for name in model_names()}


def find_module(name: str | Path) -> ModuleType:
    """Return the module of a bundled model, or of the user's own file: it has a ``MODEL``, and carries its description.

    Raises
    ------
    InputError
        An unknown name, with the nearest ones; or, with file and line, what is wrong with the user's own file.
    """
    if model_file.is_model_file(name):
        return model_file.load(name)
    if isinstance(cast("object", name), str) and name not in model_names():
        own = " A model of your own is given by the path of its file, ending in .py."
        raise InputError(unknown("model", str(name), model_names()) + own)
    known("model", name, model_names())
    inside = ".model" if (FOLDER / name).is_dir() else ""
    return import_module(f"vein2vein.models.{name}{inside}")


def card_of(name: str) -> Path:
    """Where the numbers of a bundled model stand."""
    module = Path(str(find_module(name).__file__))
    return module.with_name(f"{name}.toml")


def _file(name: str) -> Path | None:
    """Where the ``MODEL`` of this name stands."""
    places = (FOLDER / f"{name}.py", FOLDER / name / "model.py")
    return next((path for path in places if path.is_file() and _has_model(path)), None)


def _has_model(path: Path) -> bool:
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and any(isinstance(t, ast.Name) and t.id == "MODEL" for t in node.targets):
            return True
    return False
