"""The report of two designs on the same virtual patients."""

from __future__ import annotations

from typing import Any

import numpy as np

from vein2vein.report import page
from vein2vein.report.figures import Picture, color, render


def as_data(result: Any) -> dict[str, Any]:
    """The comparison as JSON holds it; numbers that are not finite are null."""

    def plain(value: Any) -> Any:
        return None if isinstance(value, float) and not np.isfinite(value) else value

    rows = [{k: plain(v) for k, v in vars(row).items()} for row in result.rows]
    return {"designs": list(result.names), "patients": result.patients, "rows": rows, "provenance": result.provenance}


def comparison_page(result: Any) -> str:
    """Return the report as HTML text."""
    return page.fill(
        "comparison.html.j2",
        title=f"{result.names[0]} and {result.names[1]}",
        result=result,
        picture=differences_figure(result),
    )


def differences_figure(result: Any) -> Picture | None:
    """Differences in percent of patients with their intervals."""
    rows = [row for row in result.rows if row.unit == "%" and not row.missing and np.isfinite(row.difference)]
    if not rows:
        return None

    def draw(figure: Any) -> None:
        axes = figure.subplots()
        for at, row in enumerate(rows):
            axes.plot([row.low, row.high], [at, at], color=color("infused"))
            axes.plot(row.difference, at, "o", color=color("infused"))
        axes.axvline(0, color=color("soft"))
        axes.set_yticks(range(len(rows)), [row.quantity for row in rows])
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
    )
