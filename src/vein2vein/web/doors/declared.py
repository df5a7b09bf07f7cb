"""The doors of the app, in the order in which home shows them; one that is not here yet is left out."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec

from vein2vein.web.door import Door

DOORS = ("patient", "trials", "ward", "family", "referral", "data", "library")
"""Names of the modules beside this one; each has a ``DOOR``."""
FRAME = ("home", "jobs")
"""Pages of the frame itself, made like doors."""


def all_doors() -> tuple[Door, ...]:
    """Every door that is there, then the pages of the frame."""
    there = [name for name in DOORS if find_spec(f"vein2vein.web.doors.{name}") is not None]
    found: list[Door] = [import_module(f"vein2vein.web.doors.{name}").DOOR for name in (*there, *FRAME)]
    return tuple(found)
