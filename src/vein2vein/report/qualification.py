"""The report of a qualification: one self-contained HTML file, and the same as JSON."""

# pyright: reportUnknownMemberType=false
# (the plotting library types the options of its methods in part only)

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from vein2vein.files import write_text
from vein2vein.inference.posterior import calibrated_to
from vein2vein.inference.qualification import Qualification
from vein2vein.inference.scoring import Score, summarize
from vein2vein.report import page
from vein2vein.report.facts import flat, quantity_title, reference, short_reference
from vein2vein.report.figures import Picture, render
from vein2vein.report.look import color, unit_name
from vein2vein.report.text import MISSING, percent
from vein2vein.trials.trial import list_trials

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from vein2vein.inference.leave_one_out import Prediction

REPORT, DATA, LEFT_OUT = "report.html", "qualification.json", "left-out.json"
FURTHEST = 4  # tolerances shown on the axis of errors; what lies beyond stands at its end


def write_qualification(result: Qualification, folder: str | Path, *, force: bool = False) -> dict[str, Path]:
    """Write report and data of a qualification into a folder that exists; return the files by what they are.

    Raises
    ------
    InputError
        A file exists and ``force`` is False.
    """
    folder = Path(folder)
    data = write_text(folder / DATA, json.dumps(as_data(result), indent=1, ensure_ascii=False), force=force)
    report = write_text(folder / REPORT, qualification_page(result), force=force)
    return {"Data": data, "Report": report}


def write_left_out(found: Prediction, folder: str | Path, *, seed: int, force: bool = False) -> Path:
    """Write the data of a leave-one-trial-out prediction into a folder that exists.

    Raises
    ------
    InputError
        The file exists and ``force`` is False.
    """
    data = {
        "overall": score_data(found.overall),
        "groups": [score_data(one) for one in found.by_group],
        "trials": [{**score_data(one), "group": found.groups[one.name]} for one in found.trials],
        "kinds": [{**score_data(one), "model_error": found.model_error[one.name]} for one in found.kinds],
        "width": _plain(found.width),
        "how": found.how,
        "rows": [{name: _plain(value) for name, value in vars(row).items()} for row in found.rows],
        "without_model_error": [{name: _plain(value) for name, value in vars(row).items()} for row in found.bare],
        "seed": seed,
    }
    return write_text(Path(folder) / LEFT_OUT, json.dumps(data, indent=1, ensure_ascii=False), force=force)


def score_data(one: Score) -> dict[str, object]:
    """A score as JSON holds it; numbers that are not finite are null."""
    own = {name: _plain(value) for name, value in vars(one).items()}
    return {**own, "share": _plain(one.share), "gain": _plain(one.gain)}


def as_data(result: Qualification) -> dict[str, object]:
    """The qualification as JSON holds it; numbers that are not finite are null."""
    return {
        "overall": score_data(result.overall),
        "trials": [score_data(one) for one in result.trials],
        "kinds": [score_data(one) for one in result.kinds],
        "rows": [{name: _plain(value) for name, value in vars(row).items()} for row in result.rows],
        "without_model_error": score_data(summarize("all", result.bare)),
        "provenance": dict(result.provenance),
    }


def _plain(value: object) -> object:
    if isinstance(value, float):  # and numpy's, which is one
        return float(value) if np.isfinite(value) else None
    return value


def titled(name: str) -> str:
    """A trial by its title; a kind of endpoint, or all of them, with a capital."""
    return list_trials().get(name) or f"{name[:1].upper()}{name[1:]}"


def qualification_page(result: Qualification) -> str:
    """Return the report as HTML text."""
    pictures = {p.name: p for p in (scores_figure(result), errors_figure(result)) if p is not None}
    by_trial = {score.name: [row for row in result.rows if row.file == score.name] for score in result.trials}
    return page.fill(
        "qualification.html.j2",
        title="Qualification: published trials in virtual patients",
        overall=result.overall,
        groups=[("By trial", result.trials), ("By kind of endpoint", result.kinds), ("In all", [result.overall])],
        by_trial=by_trial,
        pictures=pictures,
        provenance=flat({**result.provenance, "trials": [titled(name) for name in by_trial]}),
        numbers=result.provenance["parameters"],
        bare=summarize("all", result.bare) if result.bare != result.rows else None,
        fitted=[titled(name) for name in by_trial if name in calibrated_to()],
        share=share,
        titled=titled,
        quantity=quantity_title,
        cited=short_reference,
        sources=list(dict.fromkeys(reference(row.source) for row in result.rows)),
        unit=unit_name,
    )


def share(value: float) -> str:
    """A share in percent; a dash for none."""
    return MISSING if np.isnan(value) else percent(value, 1).replace("-", "−")


def scores_figure(result: Qualification) -> Picture | None:
    """Share of the rows that pass, by trial and by kind of endpoint."""
    scores = [*result.trials, *result.kinds]
    if not scores:
        return None
    names = [titled(s.name) for s in scores]

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        place = np.arange(len(scores)) + (np.arange(len(scores)) >= len(result.trials))
        axes.barh(place, [100 * s.share for s in scores], color=color("infused"), height=2 / 3)
        axes.set_yticks(place, names)
        axes.invert_yaxis()
        axes.set_xlim(0, 100)
        axes.set_xlabel("Rows that pass (%)")
        axes.grid(True, axis="x")
        axes.grid(False, axis="y")

    return render(
        "scores",
        f"{result.overall.passed} of {result.overall.rows} published outcomes are met",
        "Bars: share of the scored rows that pass, by trial and by kind of endpoint; the table holds the numbers.",
        draw,
        height=1 + len(scores) / 4,
    )


def errors_figure(result: Qualification) -> Picture | None:
    """Signed distance of each simulated median from the published value, in tolerances, by trial."""
    rows = [row for row in result.rows if np.isfinite(row.published) and not np.isnan(row.simulated)]
    if not rows:
        return None
    names = list(dict.fromkeys(row.file for row in rows))
    titles = [titled(name) for name in names]

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        for at, name in enumerate(names):
            group = [row for row in rows if row.file == name]
            signed = np.array([np.sign(row.simulated - row.published) * row.error for row in group])
            spread = (np.arange(len(group)) % 5 - 2) / 10  # rows beside each other
            for passed, look_of in ((True, "infused"), (False, "published")):
                chosen = np.array([row.passed == passed for row in group])
                label = ("passes" if passed else "does not pass") if not at else None
                axes.plot(
                    np.clip(signed, -FURTHEST, FURTHEST)[chosen], (at + spread)[chosen], "o", color=color(look_of),
                    label=label,
                )  # fmt: skip
        axes.axvspan(-1, 1, color=color("soft"), alpha=0.1)
        axes.set_yticks(range(len(names)), titles)
        axes.invert_yaxis()
        axes.set_xlim(-FURTHEST - 1 / 4, FURTHEST + 1 / 4)
        axes.set_xlabel("Simulated median less published value (tolerances)")
        figure.legend(loc="outside lower right", ncols=2)

    return render(
        "errors",
        "How far the simulated medians are from the published values",
        f"Dot plot of {len(rows)} errors in tolerances, one row of dots for each trial; the tables hold the values.",
        draw,
        height=1 + len(names) / 2,
        caption=f"Shaded: within the tolerance. Errors beyond {FURTHEST} tolerances stand at the end of the axis.",
    )
