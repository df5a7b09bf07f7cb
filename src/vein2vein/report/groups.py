"""Who is told together in a report: each arm by itself, or the arms that share a disease and a product."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from vein2vein.clinic.words import Lineage, lineage_words
from vein2vein.journey.journey import ArmRows, Journey, by_arm, some_patients
from vein2vein.report.facts import Compared
from vein2vein.report.text import listed

if TYPE_CHECKING:
    from vein2vein.trials.trial import Trial


@dataclass(frozen=True)
class Group:
    """Patients who are told together.

    Attributes
    ----------
    key : str
        Part of the ids of its figures; "" where the trial has one group.
    title : str
        "" where the trial has one group.
    pooled : str
        What is said where several arms are told together; "" for one arm.
    arms : tuple of str
        Names of its arms.
    journey : Journey
        Of these patients only.
    words : Lineage
        How their responses are told.
    """

    key: str
    title: str
    pooled: str
    arms: tuple[str, ...]
    journey: Journey
    words: Lineage

    @property
    def suffix(self) -> str:
        """What the ids of its figures end with."""
        return f"-{self.key}" if self.key else ""

    def rows(self, compared: list[Compared]) -> list[Compared]:
        """The published figures of exactly these patients."""
        return [row for row in compared if set(row.arms) == set(self.arms) or (not self.key and not row.arms)]


def words_of(journey: Journey) -> Lineage:
    """How the responses of a journey of one disease are told."""
    disease = journey.disease
    return lineage_words(disease.lineage, disease.name)


def arm_groups(trial: Trial, journey: Journey) -> list[Group]:
    """Each arm by itself."""
    return _grouped(trial, journey, lambda arm: arm.arm, by_arm(journey))


def shared_groups(trial: Trial, journey: Journey) -> list[Group]:
    """Arms that share disease, product and the way the cells are followed, together; without standard care."""

    def shared(arm: ArmRows) -> Hashable:
        return arm.facts.disease.name, arm.facts.product.name, arm.facts.analyte

    return _grouped(trial, journey, shared, [arm for arm in by_arm(journey) if not arm.facts.comparator])


def _grouped(
    trial: Trial, journey: Journey, of: Callable[[ArmRows], Hashable], told_of: Sequence[ArmRows]
) -> list[Group]:
    titles = {arm.name: arm.title for arm in trial.arms}
    gathered: dict[Hashable, list[ArmRows]] = {}
    for arm in told_of:
        gathered.setdefault(of(arm), []).append(arm)
    found: list[Group] = []
    for arms in gathered.values():
        names = tuple(arm.arm for arm in arms)
        rows = np.sort(np.concatenate([arm.rows for arm in arms]))
        theirs = journey if rows.size == journey.count else some_patients(journey, rows)
        told = [titles.get(name, name) for name in names]
        alone = len(gathered) == 1
        disease = arms[0].facts.disease.title
        pooled = f"Pooled, because they share the disease ({disease}): {listed(told, 'and')}." if len(arms) > 1 else ""
        title = "" if alone else _capital(disease if len(arms) > 1 else told[0])
        found.append(Group("" if alone else "-".join(names), title, pooled, names, theirs, words_of(theirs)))
    return found


def _capital(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}"
