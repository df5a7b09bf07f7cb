"""The bundled models, found by themselves: a file here with a ``MODEL`` and a card of the same name."""

from __future__ import annotations

import ast
from functools import cache
from importlib import import_module
from pathlib import Path
from types import ModuleType

from vein2vein.errors import InputError, unknown
from vein2vein.models.model import Model
from vein2vein.parameters import ParameterSet

FOLDER = Path(__file__).parent


@cache
def model_names() -> tuple[str, ...]:
    """Names of the bundled models, the reference model first; nothing is imported."""
    cards = [path.stem for path in FOLDER.glob("*.toml") if path.with_suffix(".py").is_file()]
    names = [name for name in cards if _has_model(FOLDER / f"{name}.py")]
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
    if name not in model_names():
        raise InputError(unknown("model", name, model_names()))
    return import_module(f"vein2vein.models.{name}")


def _has_model(path: Path) -> bool:
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and any(isinstance(t, ast.Name) and t.id == "MODEL" for t in node.targets):
            return True
    return False
