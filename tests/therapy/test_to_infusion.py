"""Waiting, conditioning and infusion."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vein2vein.cards import parse_card
from vein2vein.errors import InputError
from vein2vein.therapy import conditioning, engineering, ex_vivo_expansion, infusion, leukapheresis, release, waiting
from vein2vein.therapy.dose import Dose, Later
from vein2vein.therapy.laws import read_law
from vein2vein.therapy.patient import body_surface, patient_from_card, select
from vein2vein.therapy.product import find_product
from vein2vein.trials.virtual_patients import virtual_patients

TISA = find_product("tisagenlecleucel")


def _lot(patient, product=TISA, seed=1, dose=None):
    apheresis, _ = leukapheresis.collect(patient, product, seed)
    cells, _ = engineering.transduce(apheresis, patient, product, seed)
    expanded, _ = ex_vivo_expansion.expand(cells, patient, product, seed)
    return release.release(expanded, apheresis, patient, product, seed, dose)[0]


@pytest.fixture(scope="module")
def children():
    patient = virtual_patients("pediatric_b_all", 3000, seed=1)
    return patient, _lot(patient)


def _good(patient, lot, count=1):
    pick = np.flatnonzero(lot.status == "in specification")[:count]
    return select(patient, pick), release.Lot(**{k: v[pick] for k, v in vars(lot).items()})


# ---------------------------------------------------------------- waiting


def test_the_product_s_vein_to_vein_time(children):
    patient, lot = children
    days = waiting.vein_to_vein(patient, lot, TISA, 1)
    plain = days[~lot.remade]
    assert 21 < np.median(plain) < 35 and plain.min() > 19
    axi = waiting.vein_to_vein(patient, replace(lot, delay=np.zeros(patient.count)), find_product("axi-cel"), 1)
    assert np.median(axi) == pytest.approx(17, abs=1)
    later = waiting.vein_to_vein(patient, replace(lot, delay=np.full(patient.count, 21.0)), TISA, 1)
    assert later == pytest.approx(
        waiting.vein_to_vein(patient, replace(lot, delay=np.zeros(patient.count)), TISA, 1) + 21
    )


def test_a_known_day_of_collection_and_a_trial_s_law_stand(children):
    patient, lot = children
    known = replace(patient, leukapheresis_day=np.full(patient.count, -33.0))
    assert np.all(waiting.vein_to_vein(known, lot, TISA, 1) == 33)
    text = '[w]\nlaw = "fixed"\nvalue = 50\nhow = "assumed"\nwhy = "test"\n'
    law = read_law(parse_card(text, "t.toml"), "w")
    assert np.all(waiting.vein_to_vein(patient, lot, TISA, 1, law) == 50 + lot.delay)


def test_disease_grows_logistically_and_bridging_kills_a_third(children):
    patient, lot = children
    small = replace(patient, burden=np.full(patient.count, 10.0))
    free, _ = waiting.wait(small, lot, TISA, 1, growth=0.06, capacity=14000.0, bridging_share=0.0)
    assert free.burden == pytest.approx(waiting.grown(10.0, 0.06, 14000.0, free.days))
    assert not free.dropped.any() and np.all(free.reason == "") and np.all(np.isnan(free.bridging_day))
    held, _ = waiting.wait(small, lot, TISA, 1, growth=0.06, capacity=1e12, bridging_share=1.0)
    wild, _ = waiting.wait(small, lot, TISA, 1, growth=0.06, capacity=1e12, bridging_share=0.0)
    assert held.burden / wild.burden == pytest.approx(1 - held.bridging_kill, rel=1e-6)
    assert held.bridging_kill.mean() == pytest.approx(1 / 3, abs=0.01)
    assert np.all((held.bridging_day < 0) & (held.bridging_day > -held.days))
    after = waiting.after_waiting(small, held)
    assert np.all(after.burden == held.burden)
    assert after.b_cells_per_kg == pytest.approx(small.b_cells_per_kg * (1 - held.bridging_kill))


def test_blasts_in_blood_follow_the_burden(children):
    patient, lot = children
    after = waiting.after_waiting(patient, waiting.wait(patient, lot, TISA, 1, growth=0.06, capacity=14000.0)[0])
    up = after.burden > patient.burden
    assert np.all(after.circulating_blasts[up] >= patient.circulating_blasts[up])


def test_drop_out_follows_its_hazard(children):
    patient, lot = children
    lot = replace(lot, delay=np.zeros(patient.count))
    law = read_law(parse_card('[w]\nlaw = "fixed"\nvalue = 40\nhow = "assumed"\nwhy = "t"\n', "t.toml"), "w")
    found, notes = waiting.wait(
        patient, lot, TISA, 1, growth=0.0, capacity=14000.0, law=law,
        dropout_hazard=lambda burden: np.full(burden.shape, 0.01),
        dropout_reason=lambda burden: np.full(burden.shape, "death"),
    )  # fmt: skip
    assert found.dropped.mean() == pytest.approx(1 - np.exp(-0.4), abs=0.03)
    left = found.drop_day[found.dropped]
    assert np.all((left >= -40) & (left < 0)) and np.all(np.isnan(found.drop_day[~found.dropped]))
    assert np.all((found.reason == "death") == found.dropped) and "dropped out" in notes[0]
    assert np.mean(left < -20) == pytest.approx((1 - np.exp(-0.2)) / (1 - np.exp(-0.4)), abs=0.05)


# ---------------------------------------------------------------- conditioning


def test_the_label_s_lymphodepletion_in_mg(children):
    patient, lot = _good(*children, 5)
    given, notes = conditioning.lymphodeplete(patient, lot, TISA)
    surface = body_surface(patient.weight, patient.height)
    assert notes == () and np.all(given.start == -6) and not given.omitted.any()
    assert [(day, drug) for day, drug, _ in given.doses] == [
        (-6, "cyclophosphamide"), (-6, "fludarabine"), (-5, "cyclophosphamide"), (-5, "fludarabine"),
        (-4, "fludarabine"), (-3, "fludarabine"),
    ]  # fmt: skip
    total = {
        name: sum(mg for _, drug, mg in given.doses if drug == name) for name in ("fludarabine", "cyclophosphamide")
    }
    assert total["fludarabine"] == pytest.approx(120 * surface) and total["cyclophosphamide"] == pytest.approx(
        1000 * surface
    )


def test_few_white_cells_need_no_lymphodepletion(children):
    patient, lot = _good(*children, 3)
    given, notes = conditioning.lymphodeplete(patient, lot, TISA, white_cells=[1.0, 1.1, np.nan])
    assert list(given.omitted) == [True, False, False] and "omitted for 1 of 3" in notes[0]
    assert all(mg[0] == 0 and mg[1] > 0 for _, _, mg in given.doses)


def test_a_known_first_day_moves_the_regimen_and_is_checked(children):
    patient, lot = _good(*children, 2)
    moved = replace(patient, lymphodepletion_day=np.array([-10.0, np.nan]))
    given, notes = conditioning.lymphodeplete(moved, lot, TISA)
    assert notes == () and list(given.start) == [-10, -6]
    assert sum(mg[0] for day, _, mg in given.doses if day > -7) == 0
    assert sum((mg for _, _, mg in given.doses), np.zeros(2)) == pytest.approx(
        1120 * body_surface(patient.weight, patient.height)
    )
    early = replace(patient, lymphodepletion_day=np.array([-30.0, -30.0]))
    assert "27 days after the last lymphodepletion" in conditioning.lymphodeplete(early, lot, TISA)[1][0]


def test_other_regimens_and_none(children):
    patient, lot = _good(*children, 2)
    none, _ = conditioning.lymphodeplete(patient, lot, TISA, "none")
    assert none.doses == () and np.all(none.start == 0)
    adult = virtual_patients("lbcl", 2, seed=1)
    other, _ = conditioning.lymphodeplete(adult, lot, TISA, "bendamustine")
    assert {drug for _, drug, _ in other.doses} == {"bendamustine"}
    with pytest.raises(InputError, match="unknown lymphodepletion regimen 'benda'; did you mean bendamustine"):
        conditioning.lymphodeplete(adult, lot, TISA, "benda")


# ---------------------------------------------------------------- infusion


def _one(weight=39):
    return patient_from_card(
        parse_card(f'disease = "pediatric_b_all"\nage = 11\nweight = {weight}\nheight = 145\n', "p.toml")
    )[0]


def test_the_filled_dose_is_given_on_day_0(children):
    patient, lot = children
    given, notes = infusion.infuse(lot, patient, TISA)
    assert len(given.doses) == 1 and given.doses[0][0] == 0
    assert np.all(given.given == ~lot.failed) and np.all(given.cells[given.given] == lot.dose[given.given])
    assert given.per_kg == pytest.approx(given.cells / patient.weight)
    assert any("out of specification" in note for note in notes)


def test_a_lot_above_the_label_is_given_in_part():
    """210 million cells for 40 kg are 5.25 million per kg; the label ends at 5."""
    patient = _one(40)
    lot = replace(
        _lot(patient), dose=np.array([210e6]), failed=np.array([False]), status=np.array(["in specification"])
    )
    given, notes = infusion.infuse(lot, patient, TISA)
    assert given.cells[0] == pytest.approx(200e6) and given.partial[0] and given.within_label[0]
    assert any("in part" in note for note in notes)


@pytest.mark.parametrize("text", ["3.1e9/kg", "2e11", "1/kg", "0"])
def test_absurd_doses_are_refused_with_the_allowed_range(text):
    with pytest.raises(InputError, match=r"found a dose of .*; expected .* to .*\(label: "):
        infusion.check_dose(infusion.read_requested_dose(text), _one(), TISA)


def test_a_thousand_times_the_label_is_refused_and_said_so():
    with pytest.raises(InputError, match=r"1e\+03 times the highest label dose; expected 200/kg to 5e\+08/kg"):
        infusion.check_dose(Dose(5e9, per_kg=True), _one(), TISA)


def test_an_unusual_dose_is_noted():
    assert infusion.check_dose(Dose(3e6, per_kg=True), _one(), TISA) == ()
    assert (
        "outside of the label of tisagenlecleucel: 2e+05/kg to 5e+06/kg"
        in infusion.check_dose(Dose(8e6, per_kg=True), _one(), TISA)[0]
    )


def test_unreadable_doses_are_refused():
    with pytest.raises(InputError, match="expected viable CAR"):
        infusion.read_requested_dose("3 mg/kg")


def test_label_limits_are_notes_not_refusals():
    adult = replace(_one(), age=np.array([30.0]), prior_lines=np.array([0.0]))
    notes = infusion.label_notes(adult, TISA)
    assert any("age range" in note for note in notes) and any("fewer earlier lines" in note for note in notes)
    assert infusion.label_notes(replace(adult, age=np.array([25.9]), prior_lines=np.array([2.0])), TISA) == ()
    assert "not approved for multiple myeloma" in infusion.label_notes(virtual_patients("mm", 1, seed=1), TISA)[0]


@pytest.mark.parametrize(("blasts", "first"), [(20.0, 100e6), (20.1, 10e6), (1.0, 100e6)])
def test_a_split_dose_follows_the_blasts_in_marrow(blasts, first):
    product = find_product("obe-cel")
    patient = replace(virtual_patients("adult_b_all", 1, seed=1), burden=np.array([blasts / 100 * 14000]))
    lot = _lot(patient, product)
    lot = replace(lot, dose=np.array([410e6]), failed=np.array([False]))
    given, _ = infusion.infuse(lot, patient, product)
    assert [day for day, _ in given.doses] == [0, 9]
    assert given.doses[0][1][0] == pytest.approx(first) and given.doses[1][1][0] == pytest.approx(410e6 - first)
    assert given.within_label[0]


def test_a_fixed_label_dose_is_capped():
    product = find_product("axi-cel")
    patient = replace(virtual_patients("lbcl", 400, seed=1), weight=np.full(400, 110.0))
    lot = _lot(patient, product)
    given, _ = infusion.infuse(lot, patient, product)
    assert given.cells[given.given].max() <= 200e6 * (1 + 1e-9)


# ---------------------------------------------------------------- doses that are drawn, further infusions


def test_a_dose_that_is_drawn_is_each_patients_own_and_follows_its_law():
    patient = virtual_patients("pediatric_b_all", 4000, seed=2)
    even = infusion.drawn_dose(infusion.read_requested_dose("1e6 to 3e6/kg"), patient, 1)
    assert even.per_kg and even.cells.min() > 1e6 and even.cells.max() < 3e6
    assert np.mean(even.cells) == pytest.approx(2e6, rel=0.02)
    around = infusion.drawn_dose(infusion.read_requested_dose("sd 0.3 around 1e8"), patient, 1)
    assert np.std(np.log(around.cells)) == pytest.approx(0.3, rel=0.05) and not around.per_kg
    assert np.median(around.cells) == pytest.approx(1e8, rel=0.03)
    some = infusion.drawn_dose(infusion.read_requested_dose("1e6 to 3e6/kg"), select(patient, [7, 3]), 1)
    np.testing.assert_array_equal(some.cells, even.cells[[7, 3]])
    same = infusion.drawn_dose(infusion.read_requested_dose("2e6/kg"), patient, 1)
    assert np.all(same.cells == 2e6)


def test_each_patient_gets_the_dose_drawn_as_far_as_the_lot_holds_it():
    patient = virtual_patients("pediatric_b_all", 400, seed=2)
    dose = infusion.drawn_dose(infusion.read_requested_dose("1e6 to 3e6/kg"), patient, 1)
    lot = _lot(patient, dose=dose)
    found, _ = infusion.infuse(lot, patient, TISA, dose)
    asked = dose.cells * patient.weight
    assert found.cells[found.given] == pytest.approx(np.minimum(asked, lot.available)[found.given])


def test_a_further_infusion_is_given_to_its_share_from_what_the_lot_holds():
    patient = virtual_patients("pediatric_b_all", 1000, seed=2)
    asked = infusion.read_requested_dose("1e6/kg, then for 50 % on day 28: 2e6/kg, then on day 60: 1e15")
    assert [(one.day, one.share, one.conditioned) for one in asked.later] == [(28, 0.5, False), (60, 1.0, False)]
    dose = infusion.drawn_dose(asked, patient, 1)
    lot = _lot(patient, dose=dose)
    found, notes = infusion.infuse(lot, patient, TISA, dose)
    amounts = dict(found.doses)
    assert list(amounts) == [0.0, 28.0, 60.0]
    given = found.given
    assert (amounts[28.0] > 0)[given].mean() == pytest.approx(0.5, abs=0.06) and not amounts[28.0][~given].any()
    assert sum(amounts.values())[given] == pytest.approx(lot.available[given])
    assert found.cells == pytest.approx(amounts[0.0])
    assert any("on day 28 for" in note for note in notes)
    assert any("lots hold fewer cells than the infusion on day 60 asks for" in note for note in notes)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("3e6 to 1e6/kg", "the lower end first"),
        ("1e6/kg to 3e8", "one unit"),
        ("sd 0.3", "found the dose"),
        ("sd -1 around 2e6/kg", "found the spread '-1' in the dose, expected 0 to 5"),
        ("sd x around 2e6/kg", "found the spread 'x'"),
        ("1e8, then 5e7", "found the further infusion '5e7', expected a dose as '3.1e6/kg'"),
        ("1e8, then on day 0: 5e7", "found the day '0' in the dose, expected 1"),
        ("1e8, then for 150 % on day 28: 5e7", "found the share '150' in the dose, expected 0 to 100"),
        ("1e8, then on day 28: much", "found the dose 'much'"),
        ("1e8, than for 50 % on day 28: 5e7", "expected '3.1e6/kg' or '1e8'; drawn for each patient as"),
        ("1e8, then on day 28: 5e7, then on day 14: 5e7", "an infusion on day 14 after that on day 28"),
        ("1e8, then on day 28: 5e7, then on day 28: 5e7", "an infusion on day 28 after that on day 28"),
        ("sd 0.3 around 1e6 to 3e6/kg", "which is drawn twice"),
        ("sd 0.3 around sd 0.2 around 1e6/kg", "which is drawn twice"),
        ("1e6 to 1e999", "found the dose '1e999'"),
        ("-1 to 3e6/kg", "found the dose '-1', expected a number of cells above 0"),
    ],
)
def test_a_dose_that_says_something_else_is_refused(text, said):
    with pytest.raises(InputError) as problem:
        infusion.read_requested_dose(text)
    assert said in str(problem.value)


@pytest.mark.parametrize("text", ["1e6 to 1e12/kg", "1e6/kg, then on day 28: 1e12/kg", "sd 5 around 1e8/kg",
                                  "0 to 3e6/kg", "1 to 3e6/kg", "sd 2 around 3e6/kg", "1e6/kg, then on day 28: 0",
                                  "1e6/kg, then for 0 % on day 28: 1e12/kg"])  # fmt: skip
def test_an_absurd_dose_is_refused_wherever_it_stands(text):
    with pytest.raises(InputError, match=r"found a dose of .* viable CAR"):
        infusion.check_dose(infusion.read_requested_dose(text), virtual_patients("pediatric_b_all", 300, seed=1), TISA)


@given(st.floats(0.01, 1.2), st.integers(0, 2**31), st.floats(1e5, 1e7))
@settings(max_examples=25, deadline=None)
def test_a_spread_that_is_accepted_is_never_refused_by_luck(sd, seed, cells):
    """What is refused is the law and not the draw, so that a run of any size ends as it began."""
    patient = virtual_patients("pediatric_b_all", 50, seed=1)
    dose = Dose(cells, per_kg=True, sd=sd)
    try:
        infusion.check_dose(dose, patient, TISA)
    except InputError:
        return
    drawn = infusion.drawn_dose(dose, patient, seed)
    for own in np.unique(drawn.cells):
        infusion.check_dose(Dose(float(own), per_kg=True), patient, TISA)


def test_a_further_infusion_lies_before_the_end_of_follow_up():
    patient, dose = _one(), infusion.read_requested_dose("1e8, then on day 60: 5e7")
    assert infusion.check_dose(dose, patient, TISA, end=61.0) == ()
    with pytest.raises(InputError, match="an infusion on day 60, but follow-up ends on day 60"):
        infusion.check_dose(dose, patient, TISA, end=60.0)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Dose(1e6, per_kg=True, most=3e6, sd=0.3), "both a range and a spread"),
        (lambda: Dose(1e8, later=Later(28.0, 1.0, Dose(1e7))), "no tuple of Later"),
        (lambda: Dose(1e8, later=(3,)), "no tuple of Later"),
        (lambda: Dose(1e8, later=(Later(28.0, 1.0, Dose(1e7, later=(Later(40.0, 1.0, Dose(1e7)),))),)), "within"),
        (lambda: Dose(1e8, later=(Later(28.0, 1.0, Dose(1e7)), Later(14.0, 1.0, Dose(1e7)))), "ascending days"),
    ],
)
def test_a_dose_made_in_python_meets_the_same(make, said):
    with pytest.raises(InputError, match=said) as problem:
        make()
    assert problem.value.field.startswith("dose")
