"""Which numbers a screening varies and how far, what it looks at, and that the luck of the patients stays the same."""

import math
from dataclasses import replace

import numpy as np
import pytest

from vein2vein.errors import InputError
from vein2vein.inference import sets_side_by_side
from vein2vein.inference.posterior import Factor
from vein2vein.inference.sensitivity import numbers, screening
from vein2vein.inference.sensitivity.outcomes import outcomes, read
from vein2vein.inference.sensitivity.screening import design, screen
from vein2vein.journey.chart import simulate
from vein2vein.parameters import Parameter
from vein2vein.records import take
from vein2vein.sources import is_own
from vein2vein.therapy.disease import find_disease
from vein2vein.therapy.product import find_product
from vein2vein.therapy.visits import Plan, up_to_end
from vein2vein.trials.virtual_patients import virtual_patients

SMALL = {"patients": 6, "trajectories": 2, "parameters": ["rho", "KCN", "FLC0"]}


@pytest.fixture(scope="module")
def all_numbers():
    found, fixed = numbers.numbers_of(find_product("tisagenlecleucel"), find_disease("pediatric_b_all"))
    return {one.name: one for one in found}, fixed


# ---------------------------------------------------------------- which numbers, and how far


def test_every_number_of_the_cards_is_varied_or_said_not_to_be(all_numbers):
    found, fixed = all_numbers
    whole = numbers.declared(find_product("tisagenlecleucel"), find_disease("pediatric_b_all")).parameters
    assert found.keys() | fixed.keys() == whole.keys() and not found.keys() & fixed.keys()
    for name, one in found.items():
        least, most = whole[name].range
        assert least <= one.low <= one.value <= one.high <= most and one.low < one.high, name
        assert one.how == whole[name].how and one.source == whole[name].source
    assert all(whole[name].value <= 0 or numbers._card().get("fixed", name) for name in fixed)


def test_the_names_of_the_settings_are_numbers_of_the_model():
    whole = numbers.reference.parameters(patient=False).parameters
    for table in ("fixed", "factors"):
        assert set(numbers._card().table(table)) <= whole.keys()


@pytest.mark.parametrize(("name", "card"), [
    ("hden", "reference"), ("kF", "tisagenlecleucel"), ("kR", "pediatric_b_all"), ("g", "pediatric_b_all"),
])  # fmt: skip
def test_a_number_belongs_to_the_card_that_brings_it(all_numbers, name, card):
    assert all_numbers[0][name].card == card


@pytest.fixture
def priors(monkeypatch):
    """Priors as they might be: one of the card's own, two on one number, one of another card's number."""
    factors = (
        Factor("a", "rho", "value", ("tisagenlecleucel",), 0.1), Factor("b", "rho", "sd", ("tisagenlecleucel",), 9.0),
        Factor("c", "kR", "value", ("pediatric_b_all", "lbcl"), 0.3),
        Factor("d", "kR", "value", ("pediatric_b_all",), 0.4),
        Factor("e", "kF", "value", ("reference",), 0.2), Factor("f", "sanc", "value", ("reference",), 3.0),
    )  # fmt: skip
    monkeypatch.setattr(numbers.posterior, "read_posterior", lambda: replace(_empty(), factors=factors))
    numbers.prior_sds.cache_clear()
    yield
    numbers.prior_sds.cache_clear()


def _empty():
    from vein2vein.inference.posterior import Posterior

    return Posterior((), np.zeros((1, 0)), "", {})


@pytest.mark.parametrize(("name", "low", "high", "told"), [
    ("rho", 4.354 * math.exp(-0.2), 4.354 * math.exp(0.2), "prior: 2 sd of ln 0.1"),
    ("kR", 0.04402 * math.exp(-1), 0.04402 * math.exp(1), "prior: 2 sd of ln 0.5"),  # of two factors: 0.3 and 0.4
    ("kF", 0.12 * math.exp(-0.4), 0.12 * math.exp(0.4), "prior of other cards: 2 sd of ln 0.2"),
    ("sanc", 0.2157 * math.exp(-6), 1.0, "prior: 2 sd of ln 3"),  # held within its bounds
    ("FLC0", 200.0, 450.0, "stated factor 1.5"),
    ("f_neg_b", 1e-10, 1e-8, "stated factor 10 on the odds"),  # varies by decades between patients
    ("mf", 1 / 1.5, 1.0, "stated factor 1.5"),  # at its bound: down only
    ("crowd", 0.8 / (0.8 + 1.5 * 0.2), 1.2 / 1.4, "stated factor 1.5 on the odds"),
    ("temp0", 37 / 1.01, 37 * 1.01, "normal temperature: 36.6 to 37.4 degC"),
])  # fmt: skip
def test_the_range_of_a_number(priors, name, low, high, told):
    card = {"rho": "tisagenlecleucel", "kR": "pediatric_b_all"}.get(name, "reference")
    whole = numbers.declared(find_product("tisagenlecleucel"), find_disease("pediatric_b_all")).parameters
    value = {"rho": 4.354, "kR": 0.04402, "kF": 0.12, "sanc": 0.2157}.get(name, whole[name].value)
    one = numbers._screened(replace(whole[name], value=value), "tisagenlecleucel" if name == "kF" else card)
    assert (one.low, one.high, one.range_from) == (pytest.approx(low), pytest.approx(high), told)


def test_without_a_posterior_sample_there_is_no_prior(monkeypatch, tmp_path):
    monkeypatch.setattr(numbers.posterior, "bundled", lambda: tmp_path / "none.csv")
    numbers.prior_sds.cache_clear()
    assert numbers.prior_sds() == {}
    numbers.prior_sds.cache_clear()


def test_the_sets_stand_at_the_ends_and_between_them_by_the_logarithm():
    one = design("tisagenlecleucel", None, parameters=["rho", "FLC0"])
    places = np.array([[0.0, 1.0], [1.0, 0.0], [0.5, 0.5]])
    sets = numbers.sets_at(one.numbers, places, one.product, one.disease)
    by_name = {n.name: n for n in one.numbers}
    values = [{name: p.value for name, p in found.parameters.items()} for found in sets]
    assert values[0] == pytest.approx({"rho": by_name["rho"].low, "FLC0": by_name["FLC0"].high})
    assert values[1] == pytest.approx({"rho": by_name["rho"].high, "FLC0": by_name["FLC0"].low})
    middle = {name: np.sqrt(n.low * n.high) for name, n in by_name.items()}  # of a bound number, below its value
    assert values[2] == pytest.approx(middle) and middle["FLC0"] == pytest.approx(300.0)
    assert sets[0].parameters["rho"].spread == one.product.parameters.parameters["rho"].spread


@pytest.mark.parametrize(("how", "source", "basis", "unsupported"), [
    ("assumed", "", "assumed", True), ("assumed", "reference_model_2026", "assumed", True),
    ("assumed", "rejeski_2021", "assumed", True), ("calibrated", "reference_model_2026", "calibrated", True),
    ("fitted", "lichtenstein_2021", "calibrated", False), ("converted", "reference_model_2026", "own report", True),
    ("reported", "clinical_rules_2026", "own report", True), ("reported", "varela_2025", "read", False),
    ("digitized", "spike_2020", "read", False), ("reported", "kymriah_label_2018", "label", False),
])  # fmt: skip
def test_what_a_number_rests_on(how, source, basis, unsupported):
    parameter = Parameter(name="x", value=2.0, how=how, source=source, why="so")
    one = numbers._screened(parameter, "reference")
    assert (one.basis, one.unsupported) == (basis, unsupported) and basis in numbers.BASES
    assert one.own == (source in ("reference_model_2026", "clinical_rules_2026"))


def test_reports_of_our_own_are_known_by_their_author():
    assert is_own("reference_model_2026") and is_own("clinical_rules_2026") and is_own("clinical_words_2026")
    assert not is_own("varela_2025") and not is_own("") and not is_own("unheard of")


# ---------------------------------------------------------------- what is looked at


def test_the_outcomes_are_those_of_each_set_alone():
    plan = up_to_end(replace(Plan(), watch_until=20.0, follow_up=400.0))
    journey = simulate(virtual_patients("pediatric_b_all", 24, seed=4), "tisagenlecleucel", plan=plan, tolerance=1e-5)
    found = {name: read(journey, 8, name) for name in outcomes()}
    for at in range(3):
        part = take(journey, np.arange(8 * at, 8 * at + 8))
        given = part.infused
        days, grade = part.course.days, part.findings["crs_astct"].grade
        severe = (grade[:, (days >= 0) & (days <= 56)] >= 3).any(axis=1)
        best = part.outcome.best_response
        assert found["cmax"][at] == pytest.approx(np.log10(part.kinetics.cmax[given]).mean())
        assert found["crs"][at] == pytest.approx(100 * severe[given].mean())
        assert found["cr"][at] == pytest.approx(100 * np.isin(best[given], ["CR", "CRi"]).mean())
        out = part.outcome
        event = np.minimum.reduce([out.relapse_day, out.progression_day, out.death_day]) <= 365.25
        failed = event | ~np.isin(best, ["CR", "CRi"])
        assert found["efs"][at] == pytest.approx(100 * (1 - failed[given].mean()))
    assert np.ptp(found["cmax"]) > 0


def test_nobody_infused_is_no_number_and_a_peak_that_was_never_seen_counts_with_the_limit():
    journey = simulate(virtual_patients("pediatric_b_all", 4, seed=4), "tisagenlecleucel", withheld=True)
    assert all(np.isnan(read(journey, 2, name)).all() for name in outcomes())
    seen = np.array([1000.0, np.nan, 10.0, 1.0])
    journey = replace(
        journey, infused=np.array([True, True, False, True]), kinetics=replace(journey.kinetics, cmax=seen)
    )
    limit = 1.0 if journey.kinetics.analyte != "transgene" else _limit()
    np.testing.assert_allclose(read(journey, 4, "cmax"), (3 + math.log10(limit) + 0) / 3)


def _limit():
    from vein2vein.virtual import assay

    return assay.usual()["transgene"].lloq


# ---------------------------------------------------------------- the screening


@pytest.fixture(scope="module")
def small():
    return screen(**SMALL)


def test_a_screening_finds_what_moves_the_peak(small):
    assert [row.rank for row in small.rows[:2]] == [1, 2] and len(small.rows) == 4 * 3
    peak = {row.number.name: row for row in small.rows if row.outcome == "cmax"}
    assert small.rows[0].number.name == "rho" and peak["rho"].sign == 1 and peak["rho"].mu_star > 0.1
    assert not peak["FLC0"].moves and peak["FLC0"].sign == 0
    assert small.influential[0].share == 1 and "FLC0" not in {one.number.name for one in small.influential}
    assert small.provenance["sets"] == 1 + 2 * (3 + 1) and small.provenance["patients"] == 6
    assert set(small.on_cards) == {"cmax", "crs", "cr", "efs"} and small.fixed == {} and small.notes == ()


def test_what_the_influential_numbers_rest_on_is_counted(small):
    counts = small.counted()
    assert counts["numbers"] == counts["basis: calibrated"] == len(small.influential)
    assert counts["unsupported"] == counts["cite our own report"] == counts["assumed"] == 0


def test_how_the_sets_are_cut_into_runs_changes_no_table(small, monkeypatch):
    monkeypatch.setattr(sets_side_by_side, "AT_ONCE", 18)
    told = []
    again = screen(**SMALL, progress=lambda fraction, text: told.append((fraction, text)))
    assert again == small
    assert [round(fraction, 2) for fraction, _ in told] == [
        0,
        0.33,
        0.67,
        1,
    ] and "6 of 9 parameter sets, about" in told[2][1]
    few = {**SMALL, "parameters": ["rho"], "outcomes": ["cmax"]}
    assert screen(**few, seed=2).rows != screen(**few).rows


def test_the_patients_have_the_same_luck_under_every_set():
    """The numbers of the cards give what a run of these patients alone gives."""
    found = screen(**SMALL, outcomes=["cmax"])
    rules = numbers.settings()
    plan = up_to_end(replace(Plan(), watch_until=rules["watch_until"], follow_up=rules["follow_up"]))
    people = virtual_patients("pediatric_b_all", 6, seed=1)
    journey = simulate(people, "tisagenlecleucel", plan=plan, tolerance=rules["tolerance"], seed=1)
    assert found.on_cards == {"cmax": read(journey, 6, "cmax")[0]}


def test_ranks_leave_out_what_is_negligible_and_the_list_is_as_long_as_asked():
    some = design("tisagenlecleucel", None, parameters=["rho", "KCN", "FLC0", "hden"]).numbers
    star = np.array([0.0005, 1.0, 0.0, 0.5])
    found = screening.morris.Effects(star, star, star, star)
    rows = list(screening._ranked("cmax", some, found, {"negligible": 0.001, "one_way": 0.8}))
    assert [(row.number.name, row.rank, row.moves, row.sign) for row in rows] == [
        (some[1].name, 1, True, 1), (some[3].name, 2, True, 1),
        (some[0].name, 3, False, 0), (some[2].name, 3, False, 0),
    ]  # fmt: skip
    other = list(
        screening._ranked(
            "efs", some, screening.morris.Effects(*[10 * star[::-1]] * 4), {"negligible": 0.001, "one_way": 0.8}
        )
    )
    listed = screening._influential([*rows, *other], 3)
    assert [(one.rank, one.number.name, one.share, one.outcome) for one in listed] == [
        (1, some[1].name, 1.0, "cmax"), (2, some[2].name, 1.0, "efs"), (3, some[3].name, 0.5, "cmax"),
    ]  # fmt: skip
    assert len(screening._influential([*rows, *other], 1)) == 1


@pytest.mark.parametrize(("arguments", "said"), [
    ({"product": "kymria"}, "did you mean"),
    ({"disease": "lbc"}, "did you mean lbcl"),
    ({"disease": "mm"}, "product: tisagenlecleucel sees CD19"),
    ({"outcomes": ["crs", "os"]}, "unknown outcome 'os'"),
    ({"parameters": ["rh"]}, "unknown number of the cards 'rh'"),
    ({"parameters": ["muT"]}, "unknown number that can be varied 'muT'"),
    ({"trajectories": 1}, "trajectories: found 1, expected a whole number from 2"),
    ({"trajectories": 2.5}, "trajectories: found 2.5"),
    ({"patients": 1}, "patients: found 1"),
    ({"seed": -1}, "seed: found -1"),
    ({"jobs": 0}, "jobs: found 0"),
])  # fmt: skip
def test_bad_input_is_refused_before_anything_runs(arguments, said):
    with pytest.raises(InputError) as found:
        screen(**arguments)
    assert said in str(found.value)


def test_sets_under_which_nobody_was_infused_are_refused(monkeypatch):
    monkeypatch.setattr(screening, "simulate", lambda *a, **k: simulate(*a, **k, withheld=True))
    with pytest.raises(InputError, match="patients: found 9 parameter sets under which nobody was infused"):
        screen(**SMALL)


def test_time_left_is_told_in_seconds_or_minutes():
    assert screening._told(59.4) == "about 59 s" and screening._told(119) == "about 119 s"
    assert screening._told(125) == "about 2 min"
