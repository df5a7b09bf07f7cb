"""What belongs to an arm is read by arm: no patient is judged by the card of another arm."""

from dataclasses import fields, is_dataclass, replace

import numpy as np
import pytest

from vein2vein.errors import InputError
from vein2vein.journey.journey import by_arm, followed_by, join_journeys, per_patient, some_patients
from vein2vein.records import axes
from vein2vein.therapy.disease import find_disease
from vein2vein.trials.endpoints.measures import ENDPOINTS
from vein2vein.trials.endpoints.reading import blasts_before
from vein2vein.trials.trial import enroll_and_treat, load_trial, one_arm

WHO = np.arange(40)


def short(name):
    trial = load_trial(name)
    plan = replace(trial.plan, follow_up=40.0, disease_visits=(28.0,), kinetics_samples=(7.0, 14.0, 28.0))
    return replace(trial, plan=plan)


@pytest.fixture(scope="module")
def seattle():
    return enroll_and_treat(short("seattle"), WHO, seed=1)


def equal(one, other, where="journey"):
    """The same to the last bit, field by field."""
    if is_dataclass(one):
        for f in fields(one):
            if f.name not in ("provenance", "notes"):
                equal(getattr(one, f.name), getattr(other, f.name), f"{where}.{f.name}")
    elif isinstance(one, np.ndarray):
        assert np.array_equal(one, other, equal_nan=one.dtype.kind == "f"), where
    elif isinstance(one, dict):
        for name in one:
            equal(one[name], other[name], f"{where}[{name}]")
    elif isinstance(one, tuple):
        assert len(one) == len(other), where
        for i, (a, b) in enumerate(zip(one, other)):
            equal(a, b, f"{where}[{i}]")
    else:
        assert one == other or one != one, where


def test_arms_come_with_their_rows_and_their_own_cards(seattle):
    found = by_arm(seattle)
    assert [arm for arm, _, _ in found] == ["b_all", "b_all_cy", "nhl", "nhl_cy", "cll"]
    assert sorted(np.concatenate([rows for _, rows, _ in found]).tolist()) == WHO.tolist()
    for arm, rows, facts in found:
        assert set(seattle.patient.arm[rows]) == {arm} and facts.name == arm
        assert facts.parameters.values()["K0"] == facts.disease.parameters.values()["K0"]
    lineages = {arm: (facts.disease.lineage, facts.regimen) for arm, _, facts in found}
    assert lineages["b_all"] == ("leukemia", "cy_flu") and lineages["nhl_cy"] == ("lymphoma", "cy")


def test_blasts_at_enrollment_are_of_the_capacity_of_ones_own_disease(seattle):
    blasts = ENDPOINTS["marrow_blasts"].read(seattle)
    for _, rows, facts in by_arm(seattle):
        capacity = find_disease(facts.disease.name).parameters.values()["K0"]
        own = np.minimum(100 * seattle.patient.burden[rows] / capacity, 100)
        measured = seattle.patient.baseline.get("marrow_blasts", np.full(len(WHO), np.nan))[rows]
        np.testing.assert_allclose(blasts[rows], np.where(np.isfinite(measured), measured, own), rtol=1e-12)
    cll = next(rows for arm, rows, _ in by_arm(seattle) if arm == "cll")
    assert np.median(blasts[cll]) < 40 < np.median(100 * seattle.patient.burden[cll] / 14000)


def test_blasts_before_lymphodepletion_are_known_only_where_the_disease_has_a_marrow(seattle):
    found = blasts_before(seattle)
    for _, rows, facts in by_arm(seattle):
        full = facts.disease.marrow_full
        np.testing.assert_array_equal(found[rows], 100 * seattle.waiting.burden[rows] / full)
        assert np.isnan(found[rows]).all() == (facts.disease.lineage == "lymphoma")
    _, _, _, among = ENDPOINTS["relapse_by_burden"].read(seattle, above=5.0)
    assert not among[np.isnan(found)].any()


def test_a_card_that_differs_between_arms_is_not_that_of_the_first(seattle):
    assert seattle.product.name == "jcar014"
    for what, said, kinds in (("disease", "disease", 3), ("parameters", "set of numbers", 3)):
        with pytest.raises(InputError) as problem:
            getattr(seattle, what)
        found, expected = str(problem.value).split(" in one journey, ")
        assert found.startswith("found ") and len(found.split(" and ")) == kinds
        remedy = "the arms differ in it; read it by arm, from by_arm(journey)."
        assert expected == f"expected one {said}: {remedy}"
    assert seattle.provenance["disease"] == "adult_b_all, cll, lbcl"
    assert {"adult_b_all", "lbcl", "cll"} <= set(seattle.provenance["parameter_sets"])
    assert len([name for name in seattle.provenance["criteria"] if name.startswith("response")]) > 1


def test_an_arm_of_a_joined_journey_is_the_journey_of_that_arm(seattle):
    trial = short("seattle")
    for arm, rows, facts in by_arm(seattle):
        alone = enroll_and_treat(one_arm(trial, next(a for a in trial.arms if a.name == arm)), WHO[rows], seed=1)
        cut = some_patients(seattle, rows)
        assert cut.arms == (facts,) and cut.disease == facts.disease
        alone = replace(alone, patient=replace(alone.patient, arm=cut.patient.arm), arms=cut.arms)
        for name in ("outcome", "response", "kinetics", "infusion", "waiting", "lot", "individual", "conditioning"):
            if name == "conditioning":  # the days of other arms hold nothing here
                assert alone.conditioning.regimen == cut.conditioning.regimen
                continue
            equal(getattr(alone, name), getattr(cut, name), name)
        for key, grades in alone.findings.items():
            equal(grades.grade, cut.findings[key].grade, key)
        for key, values in alone.course.values.items():
            equal(values, cut.course.values[key], key)
        np.testing.assert_array_equal(
            alone.eligibility.met,
            cut.eligibility.met[:, [cut.eligibility.criteria.index(text) for text in alone.eligibility.criteria]],
        )


def test_the_visits_of_each_lineage_keep_the_names_of_their_responses(seattle):
    response = seattle.response
    for _, rows, facts in by_arm(seattle):
        codes = response.status[rows]
        names = {response.categories[code] for code in codes[codes >= 0]}
        assert names <= set(facts.categories)
    assert {name for _, _, facts in by_arm(seattle) for name in facts.categories} == set(response.categories)


def test_kinetics_in_copies_and_in_cells_are_not_mixed(journey):
    copies = some_patients(journey, np.arange(3))
    cells = some_patients(journey, np.arange(3, 6))
    cells = replace(
        cells, arms=(replace(cells.arms[0], name="flow", analyte="car_t_cells"),),
        kinetics=replace(cells.kinetics, analyte="car_t_cells"),
    )  # fmt: skip
    joined = join_journeys([copies, cells], np.arange(6))
    assert joined.kinetics.analyte == "car_t_cells and transgene"
    np.testing.assert_array_equal(ENDPOINTS["cmax"].read(joined), [9000, 30000, np.nan, np.nan, np.nan, np.nan])
    np.testing.assert_array_equal(ENDPOINTS["cmax_cells"].read(joined), [np.nan] * 3 + [500, np.nan, 1000])
    np.testing.assert_array_equal(ENDPOINTS["tmax"].read(joined), journey.kinetics.tmax)


def test_rows_are_told_by_the_declaration_and_not_by_a_length(journey):
    # as many days as patients, and as many visits: neither may be taken for patients
    six = replace(journey, course=journey.course.at(journey.course.days[:6]))
    order = np.array([5, 3, 1])
    cut = some_patients(six, order)
    np.testing.assert_array_equal(cut.course.days, six.course.days)
    np.testing.assert_array_equal(cut.course.values["igg"], six.course.values["igg"][order])
    np.testing.assert_array_equal(cut.findings["crs_penn"].days, journey.findings["crs_penn"].days)
    np.testing.assert_array_equal(cut.patient.age, journey.patient.age[order])
    assert journey.infused_rows().tolist() == [0, 1, 2, 3, 5] and cut.infused_rows().tolist() == [0, 1, 2]


def test_every_field_of_a_journey_and_its_records_says_its_axis(seattle):
    def walk(record):
        declared = axes(record)
        assert set(declared) == {f.name for f in fields(record)}
        for name, axis in declared.items():
            value = getattr(record, name)
            if axis == "patient" and isinstance(value, np.ndarray) and value.size:
                assert len(value) == len(WHO), (type(record).__name__, name)
            if is_dataclass(value) and axis == "patient":
                walk(value)
            if axis == "patient" and isinstance(value, dict):
                for one in value.values():
                    assert len(one.grade if is_dataclass(one) else one) == len(WHO), (type(record).__name__, name)

    walk(seattle)


def test_what_only_another_arm_asks_is_told_apart_from_the_unknown(journey):
    def asked(rows, criteria, met):
        part = some_patients(journey, np.array(rows))
        table = np.array(met, dtype=np.int8)
        reads, marks = tuple(f"reads {text}" for text in criteria), tuple(f"mark {text}" for text in criteria)
        own = replace(part.eligibility, criteria=criteria, met=table, reads=reads, marks=marks)
        status = np.array([[0, 1]] * len(rows), np.int8)
        response = replace(part.response, categories=tuple(sorted(criteria)), status=status)
        return replace(part, eligibility=own, response=response)

    one = asked([0, 1], ("age", "CD19"), [[1, -1], [0, 1]])
    other = asked([2, 3], ("blasts", "age"), [[-1, 1], [1, 0]])
    found = join_journeys([one, other], np.array([3, 0, 1, 2]))
    assert found.eligibility.criteria == ("age", "CD19", "blasts")
    assert found.eligibility.reads == ("reads age", "reads CD19", "reads blasts")
    assert found.eligibility.marks == ("mark age", "mark CD19", "mark blasts")
    assert found.eligibility.met.tolist() == [[0, -2, 1], [1, -1, -2], [0, 1, -2], [1, -2, -1]]
    assert found.patient.number.tolist() == [3, 0, 1, 2] and found.arm.tolist() == [1, 0, 0, 1]
    assert found.response.categories == ("CD19", "age", "blasts")
    assert found.response.status.tolist() == [[1, 2], [0, 1], [0, 1], [1, 2]]


def test_a_single_journey_is_joined_by_its_order(journey):
    found = join_journeys([journey], np.array([4, 0, 5]))
    equal(found, some_patients(journey, np.array([4, 0, 5])))
    assert found.patient.number.tolist() == [4, 0, 5] and found.arms == journey.arms
    assert found.notes == journey.notes and found.provenance == journey.provenance


def test_who_is_followed_by_an_analyte(journey):
    both = some_patients(journey, np.arange(3))
    cells = replace(both, arms=(replace(both.arms[0], analyte="car_t_cells"),))
    joined = join_journeys([both, cells], np.array([0, 3, 1, 4]))
    assert followed_by(joined, "transgene").tolist() == [True, False, True, False]
    assert followed_by(joined, "car_t_cells").tolist() == [False, True, False, True]


def test_per_patient_follows_the_arm(seattle):
    full = per_patient(seattle, lambda facts: facts.disease.marrow_full)
    for _, rows, facts in by_arm(seattle):
        np.testing.assert_array_equal(full[rows], np.full(len(rows), facts.disease.marrow_full))
