"""Pages: numbers as they are printed, templates filled in."""

# pyright: reportUnknownMemberType=false
# (the template library types its tables of names in part only)

from __future__ import annotations

import re
from functools import cache
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vein2vein.report.look import color, font, texts, words
from vein2vein.report.text import number, percent, span

if TYPE_CHECKING:
    from jinja2 import Environment

_UNSEEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


@cache
def _templates(folder: Path | None) -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    own = Path(str(resources.files("vein2vein.report").joinpath("templates")))
    found = Environment(
        loader=FileSystemLoader([own, folder] if folder else [own]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    filters: dict[str, Any] = {"number": number, "percent": percent}
    names: dict[str, Any] = {"inf": float("inf"), "span": span, **filters}
    found.filters |= filters
    found.globals |= names
    return found


def ready(template: str) -> None:
    """Load a template that is filled later: there is time for it while figures are drawn."""
    for one in (template, "frame.html.j2", "page.html.j2"):
        _templates(None).get_template(one)


def fill(template: str, *, folder: Path | None = None, **facts: Any) -> str:
    """Fill a template of this room or of a ``folder`` above it; every text is escaped, finished figures excepted."""
    from markupsafe import Markup

    css = resources.files("vein2vein.report").joinpath("templates/page.css").read_text(encoding="utf-8")
    for name in words("color"):
        css = css.replace(f"$({name})", color(name))
    for grade, value in enumerate(texts("grades", "colors")):
        css = css.replace(f"$(grade{grade})", value)
    css = css.replace("$(font)", font())
    return shown(_templates(folder).get_template(template).render(css=Markup(css), safe=Markup, **facts))


def shown(text: str) -> str:
    """A page without signs that nobody sees: those of control, and those that turn the direction of what follows."""
    return _UNSEEN.sub("\N{REPLACEMENT CHARACTER}", text)
