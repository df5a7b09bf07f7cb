"""Figures of a population fit: traces of the estimators, what was observed against what is predicted, residuals."""

# pyright: reportUnknownMemberType=false, reportMissingTypeStubs=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false
# (the plotting library types the options of its methods in part only)

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy import special

from vein2vein.inference.diagnostics.npde import Npde
from vein2vein.inference.population.estimates import units_of
from vein2vein.inference.population.fitted import Fit
from vein2vein.inference.population.laws import to_natural
from vein2vein.inference.population.predictions import Predictions
from vein2vein.report.figures import Picture, log_axis, render
from vein2vein.report.look import color, look, unit_name
from vein2vein.report.text import number

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

HUES = ("blue", "vermilion", "green", "orange", "purple", "sky", "ink")
TIMES = {"d": "days", "h": "hours", "day": "days", "hour": "hours", "hours": "hours", "days": "days"}
PLAIN = ("blue", "green", "purple", "sky", "ink")
"""Hues of endpoints beside marks of censored rows and running medians, which are vermilion."""
WIDE = 50.0  # a range of values beyond which they stand on a logarithmic axis


def time_name(fit: Fit) -> str:
    """The time axis of a study."""
    unit = fit.problem.study.time_unit
    return f"Time ({TIMES.get(unit, unit) or 'unit not known'})"


def value_name(fit: Fit, endpoint: str, what: str = "") -> str:
    """The axis of an endpoint's values."""
    units = {name: one.unit for name, one in fit.problem.measured.items()}
    unit = unit_name(units.get(endpoint, "")) or "unit not known"
    return f"{what or endpoint} ({unit})"


def is_logarithmic(fit: Fit, endpoint: str, values: Floats) -> bool:
    """Whether an endpoint's values are drawn on a logarithmic axis: their error stands there, or they reach far."""
    if fit.problem.endpoints[endpoint].scale == "log":
        return True
    above = values[values > 0]
    return len(above) == len(values) and len(above) > 1 and float(above.max() / above.min()) > WIDE


def log_both(axes: Axes) -> None:
    """Make both axes logarithmic with plain labels."""
    log_axis(axes)
    log_axis(axes, horizontal=True)


def traces_figure(fit: Fit) -> Picture | None:
    """The estimates of each iteration, every seed in its own hue, with the end of exploring."""
    if len(fit.trace) < 2 or not fit.burn_in:
        return None
    values, moving = _trace(fit, fit.trace), list[int]()
    for k in range(len(fit.trace_names)):
        if np.ptp(values[:, k]) > 0:
            moving.append(k)
    others = [_trace(fit, one) for one in fit.other_traces]
    units = units_of(fit.population)
    columns = 4
    lines = -(-len(moving) // columns)

    def draw(figure: Figure) -> None:
        grid = np.atleast_1d(figure.subplots(lines, columns, sharex=True)).ravel()
        for axes, k in zip(grid, moving):
            for hue, one in zip(HUES, [values, *others]):
                axes.plot(np.arange(1, len(one) + 1), one[:, k], color=color(hue), linewidth=2 * look("figure", "thin"))
            axes.axvline(fit.burn_in, color=color("soft"), linewidth=look("figure", "thin") * 2, linestyle=(0, (4, 3)))
            name = fit.trace_names[k]
            unit = unit_name(units.get(name, ""))
            axes.set_title(f"{name} ({unit})" if unit else name)
        for axes in grid[len(moving) :]:
            axes.set_visible(False)
        for axes in grid[max(0, len(moving) - columns) : len(moving)]:
            axes.set_xlabel("Iteration")
            axes.tick_params(labelbottom=True)

    seeds = f"{1 + len(others)} seeds, one hue each" if others else "one seed; --seeds 3 lays three over each other"
    return render(
        "traces",
        "Traces of the estimates",
        f"Line of each estimate over {len(fit.trace)} iterations, dashed line at iteration {fit.burn_in}.",
        draw,
        height=0.5 + 1.55 * lines,
        caption=f"SAEM, {seeds}. Dashed: the end of exploring; from there on the estimates are averages. "
        "Typical values "
        "on the natural scale, spreads as SDs on the Gaussian scale.",
    )


def _trace(fit: Fit, trace: Floats) -> Floats:
    """A trace with typical values on the natural scale."""
    found = trace.copy()
    for k, one in enumerate(fit.population.coefficients):
        if not one.covariate:
            law = fit.population.parameters[one.parameter]
            found[:, k] = to_natural(law.law, trace[:, k], law.low, law.high)
    return found


def observed_figure(fit: Fit, seen: Predictions) -> Picture:
    """Observed against population and individual prediction; what lies beyond a limit has its own mark and a bar."""
    names = seen.endpoints
    lines = len(names)
    any_censored = bool((seen.censored != 0).any())

    def draw(figure: Figure) -> None:
        grid = np.atleast_2d(figure.subplots(lines, 2, squeeze=False))
        for e, name in enumerate(names):
            of = seen.endpoint == e
            values = np.concatenate([seen.value[of], seen.population[of], seen.individual[of]])
            logarithmic = is_logarithmic(fit, name, values[np.isfinite(values)])
            for axes, predicted, what in zip(grid[e], (seen.population, seen.individual), ("population", "individual")):
                _against(
                    axes, predicted[of], seen.value[of], seen.censored[of], logarithmic, color(PLAIN[e % len(PLAIN)])
                )
                axes.set_xlabel(value_name(fit, name, f"{name}, {what} prediction"))
            grid[e, 0].set_ylabel(value_name(fit, name, f"{name}, observed"))
        if any_censored:
            figure.legend(*together(grid.ravel()), loc="outside lower right", ncols=3)

    limits = int((seen.censored != 0).sum())
    said = (
        f" Open triangles: {limits} rows beyond a limit, drawn at it, with a bar to where the value may lie."
        if limits
        else ""
    )
    return render(
        "observed",
        "Observed against predicted",
        f"Points of {len(seen.value)} rows beside the line where observed equals predicted; left the population's "
        "prediction, right that of each subject.",
        draw,
        height=0.6 + 3.9 * lines,
        caption="Line: observed equals predicted. Left: with random effects of 0; right: with the most likely random "
        "effects "
        f"of each subject.{said}",
    )


def together(grid: Iterable[Axes]) -> tuple[list[Artist], list[str]]:
    """Keys of the legends of several panels, each label once."""
    found: dict[str, Artist] = {}
    for axes in grid:
        for handle, label in zip(*axes.get_legend_handles_labels()):
            found.setdefault(label, handle)
    return list(found.values()), list(found)


def _against(
    axes: Axes, predicted: Floats, value: Floats, censored: NDArray[np.int8], logarithmic: bool, hue: str
) -> None:
    known = np.isfinite(predicted) & ((predicted > 0) & (value > 0) if logarithmic else True)
    predicted, value, censored = predicted[known], value[known], censored[known]
    if logarithmic:
        log_both(axes)
    small, thin = look("figure", "small_mark"), look("figure", "thin")
    alpha = look("figure", "visit_alpha") if len(value) > 10 * look("figure", "fewest_for_line") else 1.0
    ends = [
        float(min(predicted.min(initial=np.inf), value.min(initial=np.inf))),
        float(max(predicted.max(initial=-np.inf), value.max(initial=-np.inf))),
    ]
    measured = censored == 0
    axes.plot(
        predicted[measured],
        value[measured],
        "o",
        color=hue,
        markersize=small,
        markeredgewidth=0,
        alpha=alpha,
        label="measured",
    )
    for side, shape, label in ((1, "v", "below the limit"), (-1, "^", "above the limit")):
        there = censored == side
        if there.any():
            axes.plot(
                predicted[there],
                value[there],
                shape,
                color=color("vermilion"),
                markerfacecolor=color("paper"),
                markersize=small + 1,
                markeredgewidth=2 * thin,
                label=label,
            )
            end = (ends[0] if side > 0 else ends[1]) * np.ones(int(there.sum()))
            axes.vlines(
                predicted[there],
                np.minimum(end, value[there]),
                np.maximum(end, value[there]),
                linewidth=thin,
                color=color("vermilion"),
                alpha=look("figure", "thin_alpha"),
            )
    axes.plot(ends, ends, color=color("ink"), linewidth=2 * thin, label="observed = predicted")


def residuals_figure(fit: Fit, seen: Predictions) -> Picture:
    """Individual weighted residuals over time and prediction, and their quantiles."""
    return _residuals(
        fit,
        seen,
        seen.iwres,
        seen.individual,
        "iwres",
        "IWRES",
        "Individual weighted residuals",
        "individual prediction",
        "Observed minus individual prediction, in units of the error of measurement; rows beyond a limit have none. "
        "They shrink where the data of a subject are few. Bands: 95 % of a standard normal distribution; line: running "
        "median.",
    )


def npde_figure(fit: Fit, seen: Predictions, found: Npde) -> Picture:
    """Normalized prediction distribution errors over time and prediction, and their quantiles."""
    return _residuals(
        fit,
        seen,
        found.npde,
        seen.population,
        "npde",
        "NPDE",
        "Normalized prediction distribution errors",
        "population prediction",
        f"Place of each row among the same row drawn anew, subjects decorrelated: {found.verdict}. Mean "
        f"{number(found.mean)}, variance {number(found.variance)}. Rows beyond a limit are drawn behind it, "
        "those of a subject together (open triangles). Band: 95 % of a standard normal distribution; line: "
        "running median.",
    )


def _residuals(
    fit: Fit,
    seen: Predictions,
    values: Floats,
    predicted: Floats,
    key: str,
    short: str,
    title: str,
    what: str,
    caption: str,
) -> Picture:
    names = seen.endpoints

    def draw(figure: Figure) -> None:
        grid = figure.subplots(len(names), 3, squeeze=False, width_ratios=[1.2, 1.2, 1])
        for e, name in enumerate(names):
            of = (seen.endpoint == e) & np.isfinite(values)
            hue, marked = color(PLAIN[e % len(PLAIN)]), seen.censored[of] != 0
            for axes, at, label in (
                (grid[e, 0], seen.time[of], time_name(fit)),
                (grid[e, 1], predicted[of], value_name(fit, name, f"{name}, {what}")),
            ):
                positive = bool((at > 0).all()) and label != time_name(fit) and is_logarithmic(fit, name, at)
                if positive:
                    log_axis(axes, horizontal=True)
                _cloud(axes, at, values[of], marked, hue)
                axes.set_xlabel(label)
                axes.set_ylabel(f"{name}: {short} (SD)" if len(names) > 1 else f"{short} (SD)")
            _quantiles(grid[e, 2], values[of], hue, short)

    return render(
        key,
        title,
        f"{short} of {int(np.isfinite(values).sum())} rows over time and over the {what}, and their quantiles against "
        "those of a standard normal distribution.",
        draw,
        height=0.2 + 2.9 * len(names),
        caption=caption,
    )


def _cloud(axes: Axes, at: Floats, values: Floats, marked: Flags, hue: str) -> None:
    small, thin = look("figure", "small_mark"), look("figure", "thin")
    edge = float(special.ndtri(0.975))
    axes.axhspan(-edge, edge, color=color("faint"), alpha=0.5, linewidth=0)
    axes.axhline(0, color=color("ink"), linewidth=2 * thin)
    alpha = look("figure", "visit_alpha") if len(values) > 10 * look("figure", "fewest_for_line") else 1.0
    axes.plot(at[~marked], values[~marked], "o", color=hue, markersize=small, markeredgewidth=0, alpha=alpha)
    axes.plot(
        at[marked],
        values[marked],
        "v",
        color=color("vermilion"),
        markerfacecolor=color("paper"),
        markersize=small,
        markeredgewidth=2 * thin,
        alpha=alpha,
    )
    order = np.argsort(at, kind="stable")
    pieces = [one for one in np.array_split(order, max(1, min(10, len(order) // 8))) if len(one)]
    axes.plot(
        [np.median(at[one]) for one in pieces], [np.median(values[one]) for one in pieces], color=color("vermilion")
    )


def _quantiles(axes: Axes, values: Floats, hue: str, short: str) -> None:
    ordered = np.sort(values)
    theory: Floats = np.asarray(special.ndtri((np.arange(len(ordered)) + 0.5) / max(len(ordered), 1)))
    axes.plot(theory, ordered, "o", color=hue, markersize=look("figure", "small_mark"), markeredgewidth=0)
    ends = [float(theory.min(initial=-2)), float(theory.max(initial=2))]
    axes.plot(ends, ends, color=color("ink"), linewidth=2 * look("figure", "thin"))
    axes.set_xlabel("Standard normal quantile (SD)")
    axes.set_ylabel(f"{short} (SD)")
