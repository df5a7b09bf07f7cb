"""The text of a scenario as it came from a browser, read and checked; and what the page shows and lets one drag."""

from __future__ import annotations

from functools import cache

from vein2vein.cards import Card, bundled_card, parse_card
from vein2vein.errors import InputError
from vein2vein.journey.scenario import Planned, plan_scenario
from vein2vein.web.names_only import refuse_paths

FILE = "the scenario"


@cache
def page_card() -> Card:
    """What the page shows and lets one drag."""
    return bundled_card("web/patient/page.toml")


def most_companions() -> int:
    """How many are followed while somebody waits."""
    return int(page_card().number("page", "most"))


def read_scenario(text: str) -> Planned:
    """Read the text of a scenario as it came from a browser."""
    planned = plan_scenario(refuse_paths(parse_card(text, FILE)))
    if planned.companions > most_companions():
        raise InputError(
            f"found {planned.companions} companions, of whom at most {most_companions()} are followed while you wait; "
            "save the scenario and give the file to 'vein2vein simulate'.", field="scenario.companions",
        )  # fmt: skip
    return planned
