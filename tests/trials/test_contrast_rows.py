"""Two designs side by side: each value is that of the design's own journey, each interval that of redrawn patients."""

from dataclasses import asdict, replace

import numpy as np
import pytest

from vein2vein import __version__
from vein2vein.errors import InputError
from vein2vein.randomness import uniforms
from vein2vein.trials.comparison import quantile, read_row, summarize
from vein2vein.trials.contrast import LEVEL, check_pair, contrast, design, endpoints
from vein2vein.trials.endpoints.measures import NotProduced
from vein2vein.trials.trial import Trial, enroll_and_treat, load_trial

PATIENTS, SEED = 12, 3


@pytest.fixture(scope="module")
def base() -> Trial:
    trial = load_trial("eliana")
    plan = replace(trial.plan, follow_up=35.0, disease_visits=(28.0,), kinetics_samples=(4.0, 9.0, 14.0, 28.0))
    return replace(trial, plan=plan)


@pytest.fixture(scope="module")
def pair(base):
    first, second = design(base, dose="1e6/kg"), design(base, dose="4e6/kg")
    told = []

    def say(share, text):
        told.append((share, text))

    result = contrast(first, second, patients=PATIENTS, seed=SEED, progress=say)
    journeys = [enroll_and_treat(one, np.arange(PATIENTS), seed=SEED) for one in (first, second)]
    assert told == [(0.0, "1e6/kg"), (0.5, "4e6/kg")]
    return result, journeys


def value(row, journey, who):
    arrays, pool = read_row(row, journey, scale="astct", until=56.0)
    kept = who[pool[who]]
    return float(summarize(row, *(np.asarray(a)[kept] for a in arrays))) if kept.size else np.nan


def counted(row, journey):
    try:
        return int(read_row(row, journey, scale="astct", until=56.0)[1].sum())
    except NotProduced:
        return 0


def test_each_value_and_interval_is_that_of_the_designs_own_journeys(pair):
    result, journeys = pair
    known = {row.quantity: row for row in endpoints()}
    drawn = (uniforms(SEED, "patients of both designs", np.arange(400), PATIENTS) * PATIENTS).astype(int)
    everyone = np.arange(PATIENTS)
    compared = [one for one in result.rows if not one.missing]
    assert len(compared) > 6 and {one.ratio for one in compared} == {True, False}
    for one in compared:
        row = known[one.quantity]
        assert (one.unit, one.ratio) == (row.unit, row.statistic == "geometric mean")
        first, second = (value(row, journey, everyone) for journey in journeys)
        assert (one.first, one.second) == (pytest.approx(first, nan_ok=True), pytest.approx(second, nan_ok=True))
        assert one.difference == pytest.approx(second / first if one.ratio else second - first, nan_ok=True)
        pools = [int(read_row(row, journey, scale="astct", until=56.0)[1].sum()) for journey in journeys]
        assert list(one.patients) == pools
        apart = []
        for who in drawn:
            a, b = (value(row, journey, who) for journey in journeys)
            apart.append((b / a if one.ratio else b - a) if np.isfinite([a, b]).all() else np.nan)
        if not np.isnan(apart).all():
            assert one.low == pytest.approx(quantile(np.array(apart), (1 - LEVEL) / 2))
            assert one.high == pytest.approx(quantile(np.array(apart), (1 + LEVEL) / 2))
    assert LEVEL == 0.95
    moved = next(one for one in compared if one.ratio)
    assert moved.low < moved.difference < moved.high


def test_what_cannot_be_seen_in_the_visits_is_left_out_and_what_nobody_has_is_said(pair, base):
    result, journeys = pair
    shown = [one.quantity for one in result.rows]
    assert not [name for name in shown if "months" in name]  # the visits end on day 35
    known = {row.quantity: row for row in endpoints()}
    of_all = "of all enrolled"  # shown where one design is standard care
    seen = [
        name
        for name, row in known.items()
        if max(row.time or 0, row.arguments.get("day", 0)) < 36 and of_all not in name
    ]
    assert not [name for name in shown if of_all in name]
    said = "no virtual patient has this value in one of the designs"
    for one in result.rows:
        empty = not all(one.patients)
        assert bool(one.missing) == empty
        if empty:
            assert one.missing == said and any(one.patients)
            assert np.isnan([one.first, one.second, one.difference, one.low, one.high]).all()
    for name in set(seen) - set(shown):
        for journey in journeys:
            assert not counted(known[name], journey)
    assert set(seen) > set(shown)


def test_one_design_without_a_value_is_said():
    """The cells of one product are counted by flow cytometry, those of the other by their transgene."""
    zuma = load_trial("zuma_1")
    plan = replace(zuma.plan, follow_up=35.0, disease_visits=(28.0,), kinetics_samples=(4.0, 9.0, 14.0, 28.0))
    first = replace(zuma, plan=plan)
    result = contrast(first, design(first, product="tisagenlecleucel"), patients=4, seed=1)
    missing = {one.quantity: one for one in result.rows if one.missing}
    said = "the cells of this product are followed by {}, not {}"
    assert missing["Cmax, transgene"].missing == said.format("car_t_cells", "transgene")
    assert missing["Cmax, transgene"].patients == (0, 4) and missing["Cmax, transgene"].ratio
    assert missing["Cmax, transgene"].unit == "copies/ug gDNA"
    for one in missing.values():
        assert np.isnan([one.first, one.second, one.difference, one.low, one.high]).all()
        assert sorted(one.patients)[0] == 0 < sorted(one.patients)[1]
    cells = [one for one in missing.values() if one.patients == (4, 0)]
    assert [one.missing for one in cells] == [said.format("transgene", "car_t_cells")] * len(cells) and len(cells) == 1


def test_the_result_says_what_it_takes_to_repeat_it(pair, base):
    result, journeys = pair
    assert result.names == ("1e6/kg", "4e6/kg") and result.patients == PATIENTS
    assert result.provenance == {
        "version": __version__, "seed": SEED, "patients": PATIENTS, "trial": base.file,
        "product first": "tisagenlecleucel", "product second": "tisagenlecleucel",
        "policy first": "early_conservative", "policy second": "early_conservative",
    }  # fmt: skip
    assert list(result.notes) == list(dict.fromkeys(note for journey in journeys for note in journey.notes))


def test_the_second_design_meets_the_patients_of_the_first(base):
    """Whatever the second file says of patients and visits."""
    zuma = replace(load_trial("eliana"), name="other", population={}, transplant=(1.0, 1.0, 2.0))
    own = replace(zuma, plan=replace(base.plan, follow_up=31.0))
    same, other = contrast(base, base, patients=6, seed=2), contrast(base, own, patients=6, seed=2)
    assert [asdict(row)["second"] for row in same.rows] == pytest.approx(
        [asdict(row)["second"] for row in other.rows], nan_ok=True
    )
    elsewhere = contrast(base, base, patients=6, seed=2, other_seed=9)
    assert [row.first for row in elsewhere.rows][:1] == [row.first for row in same.rows][:1]
    assert any(row.difference not in (0.0, 1.0) for row in elsewhere.rows if not row.missing)


def test_a_design_changes_only_what_is_asked_for(base):
    armed = design(load_trial("seattle"), arm="b_all")
    assert (armed.name, armed.arms) == ("b_all", ())
    dose = design(armed, dose="1e6/kg")
    assert (dose.name, dose.dose, dose.product, dose.conditioning, dose.arms) == (
        "1e6/kg", "1e6/kg", armed.product, armed.conditioning, (),
    )  # fmt: skip
    same = design(base, product=base.product.name, conditioning="none")
    assert (same.name, same.dose, same.conditioning) == ("tisagenlecleucel, none", base.dose, "none")
    other = design(base, product="obecabtagene_autoleucel")
    assert (other.name, other.dose, other.conditioning) == ("obecabtagene_autoleucel", "", "")
    both = design(base, product="obecabtagene_autoleucel", dose="4.1e8 cells")
    assert (both.name, both.dose) == ("obecabtagene_autoleucel, 4.1e8 cells", "4.1e8 cells")
    own = design(armed, conditioning="cy_flu")
    assert (own.name, own.conditioning, own.dose) == ("cy_flu", "cy_flu", armed.dose)
    with pytest.raises(InputError) as caught:
        design(base, conditioning="flu_cyy")
    assert str(caught.value) == "unknown lymphodepletion regimen 'flu_cyy'; did you mean flu_cy?"


def test_two_diseases_are_refused_by_name(base):
    with pytest.raises(InputError) as caught:
        check_pair(base, load_trial("zuma_1"))
    assert str(caught.value) == (
        "found pediatric_b_all in eliana and lbcl in zuma_1; the same patients cannot have two diseases: compare "
        "designs for one."
    )
    check_pair(base, base)
    with pytest.raises(InputError, match="juliet has 3 arms"):
        check_pair(base, load_trial("juliet"))
