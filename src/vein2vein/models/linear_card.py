"""The card of a model of linear kinetics: states, inputs, parameters and an example, as its module needs them."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path

from vein2vein.cards import Card, parse_card
from vein2vein.models.model import Input, State
from vein2vein.parameters import ParameterSet, read_parameters


class LinearCard:
    """The file of a model that has one observable and no numbers but its parameters.

    Attributes
    ----------
    path : Path
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    @cached_property
    def card(self) -> Card:
        """The file, read."""
        return parse_card(self.path.read_text(encoding="utf-8"), self.path.name)

    @cached_property
    def _set(self) -> ParameterSet:
        return read_parameters(self.card, name=self.path.stem)

    def parameters(self) -> ParameterSet:
        """Its parameters with unit, meaning and origin."""
        return self._set

    @property
    def title(self) -> str:
        """What the model is called."""
        return self.card.string("title")

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the parameters, in order."""
        return tuple(self._set.parameters)

    @property
    def states(self) -> tuple[State, ...]:
        """Its states."""
        file = self.card
        return tuple(
            State(name, file.string(*here, "meaning"), file.string(*here, "unit"), file.number(*here, "scale"),
                  file.number(*here, "low"))
            for name in file.table("states")
            if (here := ("states", name))
        )  # fmt: skip

    @property
    def inputs(self) -> tuple[Input, ...]:
        """What can be given."""
        file = self.card
        return tuple(
            Input(name, file.string("inputs", name, "meaning"), file.string("inputs", name, "unit"))
            for name in file.table("inputs")
        )

    @property
    def example(self) -> dict[str, float]:
        """A patient to try the model with."""
        return {name: self._set.values()[name] for name in self.names}

    @property
    def example_doses(self) -> tuple[tuple[float, str, float], ...]:
        """Doses of the example."""
        return tuple((row["day"], row["input"], row["amount"]) for row in self.card.get("example_doses"))
