"""Where generated code comes from: the sources that write it, told by their bytes.

Whoever knows what a text would be written from need not write it to find what was compiled of it before. That is right
only as long as the sources that write it are the same, so their hash is part of the name (``run_course.py``,
``cost.py``).
"""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

import numpy as np

HOME = Path(__file__).resolve().parents[2]
PLACES = ("engine/llvm", "engine/method", "engine/trace", "models/mathematics.py", "models/model.py")
"""Files and folders of the package whose code decides what is written: they record equations and make code of them."""


def read(home: Path = HOME) -> str:
    """Hash of the sources, and of the versions of Python and NumPy, which fold constants; "" where there are none."""
    found = hashlib.sha256(f"{sys.version} {np.__version__}".encode())
    try:
        for place in PLACES:
            files = [home / place] if place.endswith(".py") else sorted((home / place).glob("*.py"))
            if not files:
                return ""
            for file in files:
                content = file.read_bytes()
                found.update(f"{place}/{file.name} {len(content)}\n".encode())
                found.update(content)
    except OSError:  # an installation without sources
        return ""
    return found.hexdigest()


_loaded = read()  # as early as can be: what is changed later is not what runs here


def origin() -> str:
    """Hash of the sources that run in this process; "" where they cannot be told, and nothing is named by it."""
    return _loaded


def unchanged() -> bool:
    """Whether the sources still are those that run here: only then may what they wrote be kept under their name."""
    return bool(_loaded) and read() == _loaded
