"""Pages: numbers as they are printed, templates filled in."""

# pyright: reportUnknownMemberType=false
# (the template library types its tables of names in part only)

from __future__ import annotations

from functools import cache
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vein2vein.report.look import color, font, texts, words
from vein2vein.report.text import number, percent, span

if TYPE_CHECKING:
    from jinja2 import Environment


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
    return _templates(folder).get_template(template).render(css=Markup(css), safe=Markup, **facts)
