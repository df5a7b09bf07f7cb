"""The bundled models, found by themselves: a file here with a ``MODEL`` and a card of the same name.

A model of several files has a folder instead, with its ``MODEL`` in ``model.py``.
"""

from __future__ import annotations

import ast
from functools import cache
from importlib import import_module
from pathlib import Path
from types import ModuleType

from vein2vein.arguments import known
from vein2vein.models.model import Model
from vein2vein.parameters import ParameterSet

FOLDER = Path(__file__).parent


@cache
def model_names() -> tuple[str, ...]:
    """Names of the bundled models, the reference model first; nothing is imported."""
    names = [card.stem for card in [*FOLDER.glob("*.toml"), *FOLDER.glob("*/*.toml")] if _file(card.stem)]
    return tuple(sorted(names, key=lambda name: (name != "reference", name)))


def find_model(name: str) -> Model:
    """Return a bundled model by name; an unknown one is refused with the nearest names."""
    return find_module(name).MODEL


def find_parameters(name: str) -> ParameterSet:
    """Return the parameters of a bundled model by name."""
    return find_module(name).parameters()


def all_models() -> dict[str, Model]:
    """Return every bundled model by name."""
    return {name: find_model(name) for name in model_names()}


def find_module(name: str) -> ModuleType:
    """Return the module of a bundled model, which carries its description."""
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
