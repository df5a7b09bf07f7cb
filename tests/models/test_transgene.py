"""Transgene in blood: copies per ug DNA are a share of all nucleated cells, and never more than all of them carry."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vein2vein.models.model import named, start
from vein2vein.models.reference import model as reference

MODEL = reference.MODEL


def seen(cells=None, neutrophils=None):
    """Observables of the example patient at the start, with CAR-T cells (e6/kg) and neutrophils (10^9/L) as given."""
    columns = np.array([[MODEL.example[name] for name in MODEL.parameters]])
    state, p = start(MODEL, columns), named(MODEL.parameters, columns)
    for name, value in (("E", cells), ("N5", neutrophils)):
        if value is not None:
            state[:, MODEL.state_names.index(name)] = value
    levels = named(MODEL.level_names, np.zeros((1, len(MODEL.level_names))))
    found = MODEL.observables(0.0, named(MODEL.state_names, state), p, levels)
    return {name: float(np.squeeze(value)) for name, value in found.items()}, p


@settings(max_examples=60, deadline=None)
@given(st.floats(-6, 6), st.floats(-3, 2))
def test_copies_never_pass_those_of_a_sample_of_car_t_cells_alone(log_cells, log_neutrophils):
    found, p = seen(10.0**log_cells, 10.0**log_neutrophils)
    assert 0 < found["transgene"] <= float(p.genomes[0] * p.VCN[0]) * (1 + 1e-9)


def test_copies_per_cell_fall_as_leukocytes_return():
    few, p = seen(1e-6, 0.2)
    many, _ = seen(1e-6, 4.0)
    per_cell = [one["transgene"] / one["car_t_cells"] for one in (few, many)]
    assert per_cell[0] / per_cell[1] == pytest.approx(many["white_cells"] / few["white_cells"], rel=1e-3)
    assert per_cell[1] == pytest.approx(float(p.genomes[0] * p.VCN[0]) / (1000 * many["white_cells"]), rel=1e-3)
