"""Files that lie in memory, given to a reader: in a folder of their own, which is gone once they are read."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

from vein2vein.errors import InputError
from vein2vein.files import write_bytes
from vein2vein.web.uploads import TOML

MOST_FILES = 20  # of one record
Found = TypeVar("Found")


def reading(files: Mapping[str, bytes], reader: Callable[[Path], Found]) -> Found:
    """Give a reader the files: the one that is no TOML, or the folder where there are several such.

    Raises
    ------
    InputError
        As the reader raised it, without the folder that only it saw.
    """
    with tempfile.TemporaryDirectory(prefix="vein2vein-") as place:
        folder = Path(place)
        for name, content in files.items():
            write_bytes(folder / name, content)
        several = [name for name in files if not name.endswith(TOML)]
        path = folder / several[0] if len(several) == 1 else folder
        try:
            return reader(path)
        except InputError as problem:
            text, file = without(problem.text, folder), problem.file and without(str(problem.file), folder)
            raise InputError(text, file=file, line=problem.line, field=problem.field) from None


def without(text: str, folder: Path) -> str:
    """A text without the folder that only a reader saw."""
    return text.replace(f"{folder}/", "").replace(str(folder), "the record").replace(folder.name, "the record")
