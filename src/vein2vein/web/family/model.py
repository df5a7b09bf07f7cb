"""What the model adds to a family's page, computed in the warm process."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from vein2vein.arguments import Progress
from vein2vein.explain.facts import Simulated
from vein2vein.explain.plan import plan_of, shown_by_companions
from vein2vein.web.patient_file import card_of


def shares(asked: Mapping[str, Any], progress: Progress) -> Simulated:
    """The share of the companions by line of the page.

    Parameters
    ----------
    asked : mapping
        ``text``: the patient's file with its plan.
    progress : callable
    """
    return shown_by_companions(plan_of(card_of(str(asked["text"])), otherwise=0), progress=progress)
