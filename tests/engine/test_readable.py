"""Equations as plain text say what the solvers run: computed from the text, the rates are the same."""

import math
import re

import numpy as np
import pytest

from vein2vein.engine.trace import readable, recording
from vein2vein.models.catalogue import find_model, model_names
from vein2vein.models.model import named

FUNCTIONS = {"exp": math.exp, "ln": math.log, "sqrt": math.sqrt, "max": max, "min": min, "abs": abs}


def computed(lines, names):
    """The right-hand sides, in order."""
    known, rates = dict(names), []
    for line in lines:
        left, right = line.split(" = ", 1)
        value = float(eval(right.replace("^", "**"), {"__builtins__": {}, **FUNCTIONS}, known))
        if match := re.fullmatch(r"d\((\w+)\)/dt", left):
            rates.append((match[1], value))
        else:
            known[left] = value
    return rates


@pytest.mark.parametrize("name", model_names())
@pytest.mark.parametrize("day", [1.0, 40.0])
def test_the_text_computes_the_rates(name, day):
    model = find_model(name)
    lines = readable.equations(recording.trace(model))
    rng = np.random.default_rng(7)
    state = {s: float(v) for s, v in zip(model.state_names, rng.uniform(0.5, 2.0, len(model.state_names)), strict=True)}
    given = {p: float(model.example[p]) for p in model.parameters}
    levels = {u: 0.25 for u in model.level_names}
    told = computed(lines, {"t": day, **given, **levels, **state})
    x, p, u = (named(tuple(d), np.array(list(d.values()))) for d in (state, given, levels))
    wanted = model.equations(day, x, p, u)
    assert [one for one, _ in told] == list(model.state_names)
    for one, value in told:
        assert value == pytest.approx(float(wanted.get(one, 0.0)), rel=1e-9, abs=1e-12), one
