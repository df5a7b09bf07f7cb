"""The report of two designs on the same virtual patients."""

# pyright: reportUnknownMemberType=false
# (the plotting library types the options of its methods in part only)

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from vein2vein.report import page
from vein2vein.report.facts import flat, quantity_title
from vein2vein.report.figures import Picture, draw_intervals, render, text_width
from vein2vein.report.look import color, unit_name
from vein2vein.therapy.product import all_products
from vein2vein.trials.contrast import Contrast, Difference
from vein2vein.trials.trial import list_trials

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def as_data(result: Contrast) -> dict[str, object]:
    """The comparison as JSON holds it; numbers that are not finite are null."""
    rows = [{name: _plain(value) for name, value in vars(row).items()} for row in result.rows]
    return {"designs": list(result.names), "patients": result.patients, "rows": rows, "provenance": result.provenance}


def _plain(value: object) -> object:
    return None if isinstance(value, float) and not np.isfinite(value) else value


def design_title(name: str) -> str:
    """A design in words: titles of trials and products in place of their names; a dose stays as it was asked."""
    titles = {**list_trials(), **{key: product.title for key, product in all_products().items()}}
    return ", ".join(titles.get(part, part.replace("_", " ")) for part in name.split(", "))


def comparison_page(result: Contrast) -> str:
    """Return the report as HTML text."""
    first, second = (design_title(name) for name in result.names)
    return page.fill(
        "comparison.html.j2",
        title=f"{first} and {second}",
        first=first,
        second=second,
        result=result,
        quantity=quantity_title,
        unit=unit_name,
        picture=differences_figure(result),
        provenance=flat(result.provenance),
    )


def shown(result: Contrast) -> list[Difference]:
    """Rows that are drawn: shares of patients whose difference is known."""
    return [row for row in result.rows if row.unit == "%" and not row.missing and np.isfinite(row.difference)]


def differences_figure(result: Contrast) -> Picture | None:
    """Differences in percent of patients with their intervals."""
    rows = shown(result)
    if not rows:
        return None
    names = [quantity_title(row.quantity) for row in rows]

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        axes.axvline(0, color=color("soft"))
        draw_intervals(
            axes,
            np.arange(len(rows), dtype=np.float64),
            [(r.difference, r.low, r.high) for r in rows],
            color("infused"),
        )
        axes.set_yticks(range(len(rows)), names)
        axes.invert_yaxis()
        axes.set_xlabel("Difference (points of percent), second design less first")
        axes.grid(True, axis="x")
        axes.grid(False, axis="y")

    return render(
        "differences",
        "Differences between the designs, with 95 % intervals",
        f"Dot plot of {len(rows)} differences in points of percent; the table holds the values.",
        draw,
        height=1 + len(rows) / 4,
        labels=text_width(names, "small_size"),
        caption="Right of the line: more patients in the second design. An interval that crosses the line leaves the "
        "direction open.",
    )
