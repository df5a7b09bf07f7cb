"""Blood of the reference model: a part never exceeds its whole; red cells, LDH, CRP, soluble BCMA have a course."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vein2vein.analytes import all_analytes
from vein2vein.engine.solve import solve
from vein2vein.models.model import give, named, start
from vein2vein.models.reference import model as reference
from vein2vein.therapy.disease import all_diseases
from vein2vein.therapy.product import all_products
from vein2vein.virtual import assay

MODEL = reference.MODEL
DAYS = np.concatenate([np.arange(-6.0, 60.0, 0.5), np.arange(60.0, 181.0, 10.0)])


def matrix(**changes):
    row = {**MODEL.example, **changes}
    return np.array([[row[name] for name in MODEL.parameters]])


def follow(p, days=DAYS, doses=MODEL.example_doses, state=None):
    """States and observables by name, each (days,)."""
    solution = solve(MODEL, p, state, days, doses, rtol=1e-8)
    assert not solution.status.any()
    x = named(MODEL.state_names, solution.values)
    none = named(MODEL.level_names, np.zeros(len(MODEL.level_names)))
    found = MODEL.observables(0.0, x, named(MODEL.parameters, p[:, None, :]), none)
    return x, {name: np.broadcast_to(value, (1, len(days)))[0] for name, value in found.items()}


def on(values, day):
    return float(values[np.searchsorted(DAYS, day)])


def inside(values, slack=1e-9):
    """Each part beside its whole, in cells/uL."""
    per_ul = {"white_cells", "neutrophils", "circulating_blasts", "lymphocytes"}
    count = {name: np.asarray(value) * (1000 if name in per_ul else 1) for name, value in values.items()}
    for part, whole in assay.parts().items():
        if part in count and whole in count:
            assert np.all(count[part] <= count[whole] * (1 + slack)), (part, whole)


AMOUNT = st.floats(0.0, 1e6) | st.floats(0.0, 1e-6)


@given(
    cells=st.lists(AMOUNT, min_size=6, max_size=6), tumor=st.floats(-30.0, 9.5),
    card=st.sampled_from(sorted(all_diseases())), product=st.sampled_from(sorted(all_products())),
    host=st.floats(1e-9, 3.0), neutrophils=st.floats(1e-3, 50.0),
)  # fmt: skip
@settings(max_examples=150, deadline=None)
def test_no_part_exceeds_its_whole_whatever_the_state(cells, tumor, card, product, host, neutrophils):
    """Of every disease and product, before and after the assays."""
    values = {**all_products()[product].parameters.values(), **all_diseases()[card].parameters.values()}
    p = matrix(**{name: value for name, value in values.items() if name in MODEL.parameters and value is not None})
    state = start(MODEL, p)
    at = {name: i for i, name in enumerate(MODEL.state_names)}
    for name, value in zip(("I", "M", "E", "X", "B", "IL6"), cells, strict=True):
        state[0, at[name]] = value
    state[0, at["T_pp"]], state[0, at["L"]], state[0, at["N5"]] = tumor, host, neutrophils
    none = named(MODEL.level_names, np.zeros(len(MODEL.level_names)))
    found = MODEL.observables(0.0, named(MODEL.state_names, state), named(MODEL.parameters, p), none)
    assert np.all(np.asarray(found["car_t_share"]) <= 100 * (1 + 1e-12))
    assert found["cd4_cells"] + found["cd8_cells"] == pytest.approx(found["cd3_cells"])
    inside(found)
    truth = {name: np.broadcast_to(value, (1,)) for name, value in found.items() if name in assay.usual()}
    for seed in range(3):
        inside(assay.read(truth, assay.usual(), numbers=[7], day=3.0, seed=seed)[0])


def test_every_count_of_lymphocytes_or_white_cells_is_a_part_of_one():
    counts = {name for name, one in all_analytes().items() if one.matrix == "blood" and name in assay.usual()}
    others = {"transgene", "white_cells", "platelets", "hemoglobin", "mrd_blood"}
    assert counts == {*assay.parts(), *others}


def test_a_reading_is_held_at_the_reading_of_its_whole_and_no_lower():
    n = np.arange(4000)
    truth = {"cd3_cells": np.full(n.size, 500.0), "car_t_cells": np.full(n.size, 450.0)}
    read, _ = assay.read(truth, assay.usual(), numbers=n, day=1.0, seed=1)
    free, _ = assay.read({"car_t_cells": truth["car_t_cells"]}, assay.usual(), numbers=n, day=1.0, seed=1)
    held = read["car_t_cells"] < free["car_t_cells"]
    assert 0.3 < held.mean() < 0.5
    assert np.array_equal(read["car_t_cells"], np.minimum(free["car_t_cells"], read["cd3_cells"]))


def test_the_t_cells_turn_to_cd8_at_the_peak():
    _, seen = follow(matrix())
    ratio = seen["cd4_cells"] / seen["cd8_cells"]
    assert on(ratio, 0.0) == pytest.approx(0.58 / 0.42, rel=0.02)
    peak = seen["car_t_cells"].argmax()
    assert ratio[peak] < 0.65 and seen["car_t_share"][peak] > 40 and on(ratio, 90.0) > 1


def test_hemoglobin_falls_in_two_weeks_and_is_back_after_months():
    p = matrix()
    _, seen = follow(p)
    before, lowest = seen["hemoglobin"][0], seen["hemoglobin"].min()
    nadir = DAYS[seen["hemoglobin"].argmin()]
    assert 0.4 < before - lowest < 2.5 and 3 < nadir < 30
    assert on(seen["hemoglobin"], 90.0) > before and on(seen["hemoglobin"], 180.0) == pytest.approx(12.5, abs=0.5)
    _, failed = follow(matrix(kap_p=0.0))
    assert on(failed["hemoglobin"], 180.0) < before, "where the disease stays, so does its anemia"
    stopped, _ = follow(matrix(MTT_E=1e9, gamE=0.0), doses=[])
    dead = start(MODEL, p)
    dead[0, MODEL.state_names.index("ER")] = 0.0
    x, _ = follow(matrix(MTT_E=1e9), doses=[], state=dead)
    assert np.allclose(x.HB[0], x.HB[0, 0] * np.exp(-(DAYS + 6) / 115), rtol=1e-5)
    assert np.allclose(stopped.HB[0, 0], before)


def test_a_unit_of_red_cells_raises_an_adult_by_one_and_a_child_by_no_more_than_two():
    for weight, rise in ((70.0, 1.0), (140.0, 0.5), (39.0, 70 / 39), (12.0, 2.0)):
        p = matrix(BW=weight)
        before = start(MODEL, p)
        after = named(MODEL.state_names, give(MODEL, "red_cell_transfusion", 1.0, before, p))
        assert pytest.approx(rise) == after.HB - named(MODEL.state_names, before).HB
        drawn = named(MODEL.state_names, give(MODEL, "blood_draw", 0.01 * 70 * weight, before, p))
        assert pytest.approx(math.exp(-0.01)) == drawn.HB / named(MODEL.state_names, before).HB


def test_soluble_bcma_has_the_half_life_and_the_floor_of_normal_plasma_cells():
    half = math.log(2) / MODEL.example["kSB"] * 24
    assert 24 <= half <= 36
    myeloma = {"leukemia": 0.0, "sb_T": 1650.0, "B_a": 0.0, "P_a": 0.0}
    x, bcma = follow(matrix(**myeloma, PC_a=1.0))
    assert bcma["soluble_bcma"][0] > 500
    assert on(bcma["soluble_bcma"], 90.0) == pytest.approx(37 * on(x.PC[0], 90.0), rel=0.05), "tumor gone: the normal"
    _, other = follow(matrix())
    assert on(other["soluble_bcma"], 90.0) > 20, "a product that spares plasma cells leaves their share"


def test_interleukin_15_is_threefold_after_conditioning_and_in_picograms():
    _, seen = follow(matrix())
    assert seen["il15"][0] == pytest.approx(6.0)
    assert 2.5 < on(seen["il15"], 0.0) / seen["il15"][0] < 3.6
    assert on(seen["il15"], 180.0) < 1.3 * seen["il15"][0]


def test_crp_follows_interleukin_6_to_its_ceiling_and_is_back_in_three_weeks():
    _, seen = follow(matrix(yE=3 * MODEL.example["yE"], yI=3 * MODEL.example["yI"]))  # a severe syndrome
    assert 200 < seen["crp"].max() <= 304
    assert on(seen["crp"], 21.0) < 8 and seen["crp"][0] == pytest.approx(4.0)


def test_ldh_rises_after_the_inflammation_and_falls_within_a_month():
    x, _ = follow(matrix())
    released, day = x.LD[0], DAYS[x.LD[0].argmax()]
    assert day > DAYS[x.MAC[0].argmax()], "it outlasts its cause"
    assert 200 < released.max() < 1300 and on(released, day + 21) < 0.2 * released.max()
    half = on(released, 40.0) / on(released, 40.0 + math.log(2) / MODEL.example["kLD"] // 0.5 * 0.5)
    assert half == pytest.approx(2, rel=0.05)
    calm, _ = follow(matrix(yE=0.0, yI=0.0, yK=0.0))
    assert calm.LD.max() < 0.2 * released.max()


def test_readings_of_parts_add_up_to_no_more_than_their_whole():
    """T cells are CD4 or CD8, white cells are what the differential lists: each is read alone, all within one count."""
    n = np.arange(500)
    truth = {
        "white_cells": 4.0, "lymphocytes": 1.0, "neutrophils": 2.9, "circulating_blasts": 0.1, "cd3_cells": 900.0,
        "cd4_cells": 600.0, "cd8_cells": 300.0, "b_cells": 60.0, "nk_cells": 40.0,
    }  # fmt: skip
    read, _ = assay.read({k: np.full(n.size, v) for k, v in truth.items()}, assay.usual(), numbers=n, day=1.0, seed=1)
    assert np.all(read["cd4_cells"] + read["cd8_cells"] <= read["cd3_cells"] * (1 + 1e-9))
    apart = sum(read[name] for name in ("cd3_cells", "b_cells", "nk_cells"))
    assert np.all(apart <= 1000 * read["lymphocytes"] * (1 + 1e-9)), "no lymphocyte is counted twice"
    together = read["lymphocytes"] + read["neutrophils"] + read["circulating_blasts"]
    assert np.all(together <= read["white_cells"] * (1 + 1e-9))
    assert np.median(read["cd4_cells"] / read["cd8_cells"]) == pytest.approx(2, rel=0.05), "each keeps its proportion"
    none, _ = assay.read({k: np.zeros(3) for k in truth}, assay.usual(), numbers=np.arange(3), day=1.0, seed=1)
    assert all(np.isfinite(value).all() for value in none.values())
