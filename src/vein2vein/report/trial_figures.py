"""The figures of a trial's report that need its patients only: they can be drawn while the comparison is made."""

from __future__ import annotations

from dataclasses import dataclass

from vein2vein.clinic.words import Lineage
from vein2vein.journey.journey import Journey
from vein2vein.report import facts, figures_disease, figures_kinetics, figures_survival, figures_toxicity
from vein2vein.report.figures import Picture
from vein2vein.report.groups import Group, arm_groups, shared_groups
from vein2vein.report.headline import ends_of
from vein2vein.trials.trial import Trial

DEATH = "OS"


@dataclass(frozen=True)
class Drawn:
    """Figures of a trial, in the order of its groups.

    Attributes
    ----------
    arms, pools : list of dict of str to Picture or None
        By section: of each arm by itself, and of the arms that are told together; None where there is nothing to draw.
    survival : list of list of Picture
        Curves of each arm by itself.
    """

    arms: list[dict[str, Picture | None]]
    survival: list[list[Picture]]
    pools: list[dict[str, Picture | None]]


def draw_trial(trial: Trial, journey: Journey) -> Drawn:
    """Draw what a trial's patients show, the published figures marked where there are some."""
    rows = facts.told(trial)
    arms = arm_groups(trial, journey)
    return Drawn(
        [_alone(group, group.rows(rows)) for group in arms],
        [survival_figures(group.journey, group.words, group.rows(rows), group.suffix) for group in arms],
        [_pooled(group, group.rows(rows)) for group in shared_groups(trial, journey)],
    )


def survival_figures(journey: Journey, words: Lineage, rows: list[facts.Compared], key: str) -> list[Picture]:
    """The curves of the endpoints by which these patients or the trial are told, and of death."""
    ends = ends_of(words, [row.told for row in rows])
    found = (figures_survival.survival_figure(journey, rows, e, key) for e in (*ends, DEATH))
    return [curve for curve in found if curve is not None]


def _alone(group: Group, rows: list[facts.Compared]) -> dict[str, Picture | None]:
    return {
        "kinetics": figures_kinetics.kinetics_figure(group.journey, rows, group.suffix),
        "grades": figures_toxicity.grade_figure(group.journey, group.suffix),
    }


def _pooled(group: Group, rows: list[facts.Compared]) -> dict[str, Picture | None]:
    journey, key = group.journey, group.suffix
    return {
        "quality": figures_kinetics.quality_figure(facts.quality(journey), key),
        "tumor": figures_disease.disease_figure(journey, group.words, key),
        "treatments": figures_toxicity.treatment_figure(journey, key),
        "inflammation": figures_toxicity.inflammation_figure(journey, key),
        "counts": figures_toxicity.count_figure(journey, key),
        "aplasia": figures_kinetics.aplasia_figure(journey, rows, key),
    }
