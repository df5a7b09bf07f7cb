"""What a page shows as plain data: the one thing from which its HTML and its JSON twin are made."""

from __future__ import annotations

import dataclasses
import datetime
import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Protocol, TypeAlias, cast, runtime_checkable

Plain: TypeAlias = "bool | int | float | str | list[Plain] | dict[str, Plain] | None"


@runtime_checkable
class _Array(Protocol):
    def tolist(self) -> object:
        """Return plain numbers."""
        ...


def plain(value: object) -> Plain:
    """Return a value as JSON can hold it: records as tables, arrays as lists, what is not finite as nothing.

    Raises
    ------
    TypeError
        Something that no JSON can hold.
    """
    if type(value) is float:  # what most values are first: pages of a slider hold thousands
        return value if math.isfinite(value) else None
    if type(value) is list:
        return [plain(one) for one in cast("list[object]", value)]
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, str):
        return str(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, _Array):
        return plain(value.tolist())
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {one.name: plain(getattr(value, one.name)) for one in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(k): plain(v) for k, v in cast("Mapping[object, object]", value).items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(one) for one in cast("Iterable[object]", value)]
    if isinstance(value, Path | datetime.date | datetime.datetime):
        return str(value)
    raise TypeError(f"{type(value).__name__} is nothing that a page can show")
