"""Templates: what they see, and how numbers, days and origins are written."""

from __future__ import annotations

import datetime
import math
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, cast

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from vein2vein import __version__
from vein2vein.explain.languages import all_languages
from vein2vein.web import static_files
from vein2vein.web.visit import CHANGE_FIELD, CHANGE_HEADER, Visit
from vein2vein.web.words import said

TEMPLATES = Path(__file__).with_name("templates")
ORIGINS = (said("virtual"), said("measured"), said("published"), said("assumed"))
"""What a number on a page may be, besides what is typed in."""


@cache
def environment() -> Environment:
    """The templates of the app; what is not given to one is an error, and everything is escaped."""
    made = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    untyped = cast("Any", made)  # the library does not say what these two hold
    untyped.filters |= {"number": number, "quantity": quantity, "moment": moment, "size": size, "without": without}
    untyped.globals |= {"static": static_files.address_of, "has_static": static_files.has, "version": __version__}
    return made


def fill(visit: Visit, template: str, **values: Any) -> str:
    """Fill in a template for a visit."""
    words = visit.words
    return environment().get_template(template).render(
        _=words,
        _n=words.plural,
        _attr=words.attribute,
        language=words.catalog,
        languages=list(all_languages().values()),
        doors=visit.parts.doors,
        door=visit.door,
        address=visit.address,
        change=Markup('<input type="hidden" name="{}" value="{}">').format(CHANGE_FIELD, visit.parts.keys.change),
        change_header=CHANGE_HEADER,
        change_mark=visit.parts.keys.change,
        largest_upload=visit.parts.settings.largest_upload,
        behind_proxy=visit.parts.settings.behind_proxy,
        **values,
    )  # fmt: skip


def number(value: float | str | None, digits: int = 3) -> str:
    """A number with so many significant digits; a text as it is; a dash where there is none."""
    from vein2vein.report.text import number as written

    if isinstance(value, str):
        return value
    return written(None if value is None or not math.isfinite(value) else value, digits)


def quantity(told: Mapping[str, Any]) -> Markup:
    """A number with its unit and what it is: a mapping with value, unit and origin (see ``ORIGINS``).

    Raises
    ------
    ValueError
        No unit, or no word on whether it is virtual or measured.
    """
    if "unit" not in told or told.get("origin") not in ORIGINS:
        raise ValueError(f"a quantity has a unit and is one of {', '.join(ORIGINS)}; found {sorted(told)}")
    unit = "" if told["unit"] == "1" else told["unit"]
    shown = Markup('<bdi class="quantity {}" dir="ltr">{} {}</bdi>')
    return shown.format(told["origin"], number(told["value"]), unit)


def moment(text: str) -> Markup:
    """A time (ISO, UTC) as a page shows it; a script turns it into that of the reader's clock."""
    when = datetime.datetime.fromisoformat(text)
    return Markup('<time datetime="{}">{}</time>').format(text, when.strftime("%Y-%m-%d %H:%M UTC"))


def without(told: Mapping[str, Any], name: str) -> dict[str, Any]:
    """A mapping without one of its fields."""
    return {key: value for key, value in told.items() if key != name}


def size(count: float) -> str:
    """Bytes as a reader counts them."""
    for unit, factor in (("MB", 1_000_000), ("kB", 1_000)):
        if count >= factor:
            return f"{number(count / factor, 2)} {unit}"
    return f"{count:g} B"
