"""The report of two designs on the same virtual patients."""

# pyright: reportUnknownMemberType=false
# (the plotting library types the options of its methods in part only)

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from vein2vein.clinic.words import endpoint_titles
from vein2vein.report import page
from vein2vein.report.facts import flat, quantity_title
from vein2vein.report.figures import Picture, draw_intervals, months, render, text_width
from vein2vein.report.figures_survival import CLOCKS
from vein2vein.report.look import color, look, unit_name
from vein2vein.therapy.product import all_products
from vein2vein.trials.contrast import Contrast, Curves, Difference
from vein2vein.trials.trial import list_trials

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def as_data(result: Contrast) -> dict[str, object]:
    """The comparison as JSON holds it; numbers that are not finite are null."""
    rows = [{name: _plain(value) for name, value in vars(row).items()} for row in result.rows]
    curves = [
        {name: value.tolist() if isinstance(value, np.ndarray) else value for name, value in vars(one).items()}
        for one in result.curves
    ]
    return {
        "designs": list(result.names),
        "patients": result.patients,
        "sets": result.sets,
        "assumed": assumed(result),
        "rows": rows,
        "curves": curves,
        "provenance": result.provenance,
    }


def assumed(result: Contrast) -> list[str]:
    """What the differences rest on, in sentences; the last one says what their intervals hold."""
    several = result.sets > 1
    sets = f", and under the same {result.sets} sets of the model's numbers" if several else ""
    return [
        f"Same population: both designs treat the same {result.patients} virtual patients, those of "
        f"{result.provenance['trial']}, with the same luck{sets}. In practice the two are given to different patients; "
        "what comes of that is not in the differences.",
        f"Numbers of the model: {result.provenance.get('parameters', 'typical: as on the cards')}.",
        "Each difference is computed by set, in both designs under the same one; shown are the middle of the sets, and "
        "the interval that holds 95 % of the differences over sets and patients drawn again."
        + (f" {error}" if (error := result.provenance.get("model_error")) else "")
        if several
        else SAMPLING_ONLY,
    ]


SAMPLING_ONLY = (
    "SAMPLING ERROR ONLY: the intervals hold the luck of so many patients under one set of the model's numbers. What "
    "is not known of these numbers is not in them: the true difference may lie far outside, more patients narrow them "
    "without end, and an interval without zero is no evidence that the designs differ."
)


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
        curves=[survival_figure(one, (first, second)) for one in result.curves],
        assumed=assumed(result),
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


def survival_figure(curves: Curves, names: tuple[str, str]) -> Picture:
    """Survival in both designs with the interval on each day."""
    title, at = endpoint_titles()[curves.event], months(curves.days)

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        for i, (name, hue) in enumerate(zip(names, (color("infused"), color("enrolled")), strict=True)):
            low, high = 100 * curves.low[i], 100 * curves.high[i]
            axes.fill_between(at, low, high, step="post", color=hue, alpha=look("figure", "band_alpha"), linewidth=0)
            axes.step(at, 100 * curves.value[i], where="post", color=hue, label=name)
        axes.set_ylim(0, 103)
        axes.set_xlabel(f"Months after {CLOCKS[curves.clock]}")
        axes.set_ylabel(f"{title} (% of the {curves.among})")
        axes.legend()

    return render(
        f"survival-{curves.event.lower()}",
        f"{title} of the {curves.among} in both designs",
        f"Kaplan-Meier curves of {title.lower()} in both designs with 95 percent bands.",
        draw,
        height=4,
        caption="Bands: 95 % intervals on each day, as those of the table. They are wider than what is known of the "
        "difference, because both designs treat the same patients.",
    )
