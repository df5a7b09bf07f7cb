"""General sets: the numbers that a card may lay its own over, so that each is checked wherever it is read.

They are data of the rooms that use them; here they are known by the place of their file, without the model.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache
from typing import Any

from vein2vein.cards import bundled_card
from vein2vein.declared import Form
from vein2vein.parameters import Parameter, ParameterSet, names_for_cards, read_parameters

REFERENCE = "models/reference/reference.toml"


@cache
def reference_sets() -> tuple[ParameterSet, ParameterSet]:
    """What the equations of the reference model read, and the traits that only making and following a patient reads."""
    card = bundled_card(REFERENCE)
    return read_parameters(card), read_parameters(card, "traits")


@cache
def reference() -> ParameterSet:
    """The numbers of the reference model and its traits."""
    read, traits = reference_sets()
    every = {**read.parameters, **traits.parameters}
    return ParameterSet(read.name, every, read.history, read.correlations)


def over(general: Callable[[], ParameterSet]) -> Form:
    """How a card writes its numbers over those of a general set: a table of each, under its name."""

    def about(name: str) -> dict[str, Any]:
        one = general().parameters[name]
        least, most = one.range
        value = {"minimum": least} if math.isfinite(least) else {}
        value |= {"maximum": most} if math.isfinite(most) else {}
        said = f"{one.meaning} ({one.unit})" if one.unit not in ("", "1") else one.meaning
        return {"description": said, "properties": {"value": value}}

    return Form(
        read=lambda card, path: read_parameters(card, *path, name=card.string("name"), over=general()),
        kinds=lambda: {"": Parameter},
        each=True,
        names=lambda: names_for_cards(general()),
        given=("name",),
        about=about,
        absent=True,
    )
