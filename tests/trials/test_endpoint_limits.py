"""Endpoints at their limits, on the six patients written by hand, and those that need more than these patients show."""

from dataclasses import replace

import numpy as np
import pytest

from vein2vein.clinic.words import counted_responses
from vein2vein.models.reference import model as reference
from vein2vein.parameters import ParameterSet
from vein2vein.therapy.course import Course
from vein2vein.therapy.kinetics import Kinetics
from vein2vein.therapy.patient import Patient
from vein2vein.trials.endpoints.measures import ENDPOINTS, KINETIC, SETS, NotProduced, recovery_day
from vein2vein.trials.endpoints.reading import to_relapse

NAN, INF = np.nan, np.inf
PENN = {"scale": "penn", "until": 56}
ALL = [0, 1, 2, 3, 4, 5]


def read(name, journey, **arguments):
    return ENDPOINTS[name].read(journey, **arguments)


def yes(flags):
    return np.flatnonzero(flags).tolist()


FLAGS = [
    ("responded", {"responses": ["CR", "CRi"], "response_by": 28}, [0, 1, 2]),
    ("responded", {"responses": ["CR", "CRi"], "response_by": 27}, []),
    ("responded", {"responses": ["CR"], "response_by": 120}, [0, 2, 5]),
    ("died", {"until": 49}, []),
    ("died", {"until": 300}, [1, 3]),
    ("relapsed", {"antigen": "positive", "before_transplant": False}, [0]),
    ("relapsed", {"antigen": "any", "before_transplant": True}, [0, 1]),
    ("crs", {"scale": "penn", "grade": 1, "until": 1}, [0, 5]),
    ("crs", {"scale": "penn", "grade": 1, "until": 0}, [5]),
    ("crs", {**PENN, "grade": 3}, [0, 1]),
    ("crs_highest", {**PENN, "grade": 1}, [3, 5]),
    ("crs_highest", {**PENN, "grade": 0}, [2]),
    ("crs_resolved", {"scale": "penn", "until": 3}, [2, 3, 5]),
    ("crs_resolved", {"scale": "penn", "until": 5}, [2, 5]),
    ("fever", {**PENN, "temperature": 40}, [1]),
    ("fever", {**PENN, "temperature": 40.1}, []),
    ("fever", {**PENN, "temperature": 38}, [0, 1, 3, 5]),
    ("given", {"treatments": ["tocilizumab", "dexamethasone"], "until": 4}, [0, 1]),
    ("given", {"treatments": ["dexamethasone"], "until": 4}, []),
    ("given_doses", {"treatments": ["tocilizumab", "dexamethasone"], "doses": 3, "until": 56}, [1]),
    ("given_doses", {"treatments": ["tocilizumab"], "doses": 0, "until": 56}, [2, 3, 4, 5]),
    ("hypotension", {"until": 2}, [0, 1]),
    ("hypotension", {"until": 1}, []),
    ("high_dose_vasopressor", {"norepinephrine": 24, "until": 56}, [1]),
    ("high_dose_vasopressor", {"norepinephrine": 24.1, "until": 56}, []),
    ("high_dose_vasopressor", {"norepinephrine": 6, "until": 3}, [0, 1]),
    ("oxygen", {"device": "none", "until": 56}, ALL),
    ("oxygen", {"device": "mask", "until": 56}, [1]),
    ("oxygen", {"device": "positive pressure", "until": 56}, [1]),
    ("oxygen", {"device": "ventilator", "until": 2}, []),
    ("hypoxia", {"saturation": 91, "until": 56}, [1]),
    ("hypoxia", {"saturation": 91.5, "until": 56}, [0, 1]),
    ("hypoxia", {"saturation": 85, "until": 56}, []),
    ("neurologic_event", {"grade": 1, "until": 5}, [1]),
    ("neurologic_event_ended", {"grade": 1, "within": 100, "until": 56}, [1, 5]),
    ("cytopenia", {"lines": ["neutropenia"], "grade": 4, "day": 28}, [1, 3]),
    ("cytopenia", {"lines": ["neutropenia"], "grade": 2, "day": 28}, [0, 1, 3, 5]),
    ("cytopenia", {"lines": ["neutropenia"], "grade": 2, "day": 56}, []),
    ("cytopenia", {"lines": ["thrombocytopenia"], "grade": 3, "day": 28}, [5]),
    ("febrile_neutropenia", {"temperature": 38.3, "neutrophils": 1.1, "until": 56}, [0, 5]),
    ("febrile_neutropenia", {"temperature": 39, "neutrophils": 1, "until": 56}, []),
    ("febrile_neutropenia", {"temperature": 38.3, "neutrophils": 0.4, "until": 56}, []),
    ("infection", {"severe": False, "until": 8}, [3]),
    ("hypogammaglobulinemia", {"igg": 380, "until": 56}, [5]),
    ("hypogammaglobulinemia", {"igg": 451, "until": 56}, [0, 5]),
    ("hypogammaglobulinemia", {"igg": 601, "until": 56}, [0, 2, 5]),
    ("hypogammaglobulinemia", {"igg": 381, "until": 27}, []),
    ("count_recovered", {"line": "neutrophils", "above": 1.0, "day": 28}, [1, 5]),
    ("count_recovered", {"line": "neutrophils", "above": 2.0, "day": 28}, [1]),
    ("count_recovered", {"line": "neutrophils", "above": 0.4, "day": 28}, [0, 1, 5]),
    ("count_recovered", {"line": "neutrophils", "above": 0.1, "day": 1}, [5]),
    ("crs_organ_support", {**PENN, "vasopressor_days": 2, "device": "ventilator"}, [0, 1]),
    ("crs_organ_support", {**PENN, "vasopressor_days": 2.1, "device": "ventilator"}, [1]),
    ("crs_organ_support", {**PENN, "vasopressor_days": 60, "device": "nasal cannula"}, [0, 1]),
]  # fmt: skip


@pytest.mark.parametrize(("name", "arguments", "expected"), FLAGS, ids=[f"{i}-{f[0]}" for i, f in enumerate(FLAGS)])
def test_flags_at_their_limits(journey, name, arguments, expected):
    found = read(name, journey, **arguments)
    assert found.dtype == bool and yes(found) == expected


NUMBERS = [
    ("b_cells_detectable", {"day": 180}, [100, 0, 0, NAN, NAN, 100]),
    ("in_b_cell_aplasia", {"day": 180}, [0, 100, 100, NAN, NAN, 0]),
    ("in_b_cell_aplasia", {"day": 27}, [NAN] * 6),
    ("in_b_cell_aplasia", {"day": 28}, [100, 100, 100, NAN, NAN, NAN]),
    ("in_b_cell_aplasia", {"day": 99}, [100, 100, 0, NAN, NAN, NAN]),
    ("in_b_cell_aplasia", {"day": 120}, [100, 100, 0, NAN, NAN, 0]),
    ("in_b_cell_aplasia", {"day": 200}, [0, NAN, 100, NAN, NAN, 0]),
    ("in_b_cell_aplasia", {"day": 400}, [NAN, NAN, 100, NAN, NAN, 0]),
    ("in_b_cell_aplasia", {"day": 699}, [NAN, NAN, 100, NAN, NAN, 0]),
    ("in_b_cell_aplasia", {"day": 700}, [NAN, NAN, 100, NAN, NAN, NAN]),
    ("crs_onset", {**PENN, "grade": 3}, [3, 3, NAN, NAN, NAN, NAN]),
    ("crs_onset", {"scale": "penn", "until": 2, "grade": 1}, [1, 2, NAN, NAN, NAN, 0]),
    ("crs_to_grade", {**PENN, "grade": 3}, [2, 1, NAN, NAN, NAN, NAN]),
    ("crs_to_grade", {**PENN, "grade": 1}, [0, 0, NAN, 0, NAN, 0]),
    ("crs_duration", {**PENN, "grade": 2}, [7, 26, NAN, NAN, NAN, NAN]),
    ("crs_duration", {"scale": "penn", "until": 8, "grade": 1}, [7, 6, NAN, 3, NAN, 2]),
    ("fever_onset", {**PENN, "temperature": 40}, [NAN, 3, NAN, NAN, NAN, NAN]),
    ("fever_duration", {**PENN, "temperature": 39}, [3, 5, NAN, NAN, NAN, NAN]),
    ("first_dose_day", {"treatments": ["tocilizumab", "dexamethasone"], "until": 56}, [3, 3, NAN, NAN, NAN, NAN]),
    ("neurologic_onset", {"grade": 1, "until": 56}, [NAN, 3, NAN, NAN, NAN, 8]),
    ("neurologic_duration", {"grade": 1, "until": 56}, [NAN, 25, NAN, NAN, NAN, 20]),
    ("neurologic_duration", {"grade": 1, "until": 8}, [NAN, 5, NAN, NAN, NAN, 0]),
    ("ventilation_duration", {"until": 5}, [NAN, 2, NAN, NAN, NAN, NAN]),
    ("auc_0_28", {}, [90000, 300000, NAN, 5000, NAN, 10000]),
]


@pytest.mark.parametrize(("name", "arguments", "expected"), NUMBERS, ids=[f"{i}-{n[0]}" for i, n in enumerate(NUMBERS)])
def test_numbers_at_their_limits(journey, name, arguments, expected):
    np.testing.assert_allclose(read(name, journey, **arguments), expected)


def test_the_mildest_syndrome_with_organ_support_counts(journey, hand):
    mild = {"crs_penn": hand.graded("crs_penn", np.minimum(journey.findings["crs_penn"].grade, 1))}
    seen = replace(journey, findings=mild)
    wanted = {**PENN, "vasopressor_days": 2, "device": "ventilator"}
    assert yes(read("crs_organ_support", seen, **wanted)) == [0, 1]
    none = {"crs_penn": hand.graded("crs_penn", np.minimum(journey.findings["crs_penn"].grade, 0))}
    assert yes(read("crs_organ_support", replace(journey, findings=none), **wanted)) == []


def test_icans_is_read_from_its_own_scale(journey):
    seen = replace(journey, findings={**journey.findings, "icans": journey.findings["neurologic_event"]})
    assert yes(read("icans", seen, grade=1, until=56)) == [1, 5]
    assert yes(read("icans", seen, grade=3, until=56)) == [1]
    np.testing.assert_array_equal(read("icans_onset", seen, grade=1, until=56), [NAN, 3, NAN, NAN, NAN, 8])


NOT_PRODUCED = [
    ("crs", {"scale": "lee2014", "grade": 1, "until": 56}, "the journey does not grade crs_lee2014"),
    ("icans", {"grade": 1, "until": 56}, "the journey does not grade icans"),
    ("count_recovered", {"line": "platelets", "above": 50, "day": 28}, "the journey does not measure platelets"),
    ("cmax_cells", {}, "the cells of this product are followed by transgene, not car_t_cells"),
    ("auc_0_28_cells", {}, "the cells of this product are followed by transgene, not car_t_cells"),
    ("relapse_by_mrd", {"landmark": 5, "above": 1e-4}, "the journey does not measure mrd up to day 5"),
]


@pytest.mark.parametrize(("name", "arguments", "said"), NOT_PRODUCED, ids=[f"{n[0]}" for n in NOT_PRODUCED])
def test_what_is_not_produced_is_named(journey, name, arguments, said):
    with pytest.raises(NotProduced) as caught:
        read(name, journey, **arguments)
    assert str(caught.value) == said


def test_blasts_of_the_marrow_are_measured_or_of_the_burden(journey, hand):
    measured = np.array([NAN, 33, NAN, NAN, 0, NAN])
    seen = replace(journey, patient=replace(journey.patient, baseline={"marrow_blasts": measured}))
    np.testing.assert_allclose(read("marrow_blasts", seen), [50, 33, 1, 95, 0, 20])
    arms = (hand.facts(parameters=ParameterSet("none", {}, ())),)
    bare = replace(seen, arms=arms)
    np.testing.assert_allclose(read("marrow_blasts", bare), [NAN, 33, NAN, NAN, 0, NAN])
    with pytest.raises(NotProduced) as caught:
        read("marrow_blasts", replace(journey, arms=arms))
    said = "the journey gives neither blasts in marrow at enrollment nor the capacity of the marrow"
    assert str(caught.value) == said


def test_response_and_what_ends_it(journey):
    assert set(counted_responses()) == {"sCR", "CR", "CRh", "CRi", "VGPR", "PR"}
    best = np.array(["CR", "CRi", "NR", "MR", "SD", "PD"])
    seen = replace(journey, outcome=replace(journey.outcome, best_response=best), infused=np.ones(6, bool))
    assert yes(SETS["non_responders"](seen, "penn", 56)) == [2, 3, 4, 5]
    assert yes(SETS["evaluable"](seen, "penn", 56)) == ALL
    assert yes(SETS["evaluable"](journey, "penn", 56)) == [0, 1, 2, 3, 5]
    later = replace(journey.outcome, relapse_day=np.array([INF, 200, 100, INF, INF, INF]))
    assert yes(read("transplanted_in_remission", replace(journey, outcome=later))) == []  # on the day of the relapse
    for event in ("relapse_day", "death_day", "hsct_day"):
        ended = replace(journey.outcome, **{event: np.array([INF, INF, INF, INF, INF, 650.0])})
        assert 5 not in yes(read("ongoing_response", replace(journey, outcome=ended)))
    same = replace(journey.outcome, relapse_day=np.array([INF, INF, 100, INF, INF, INF]))
    assert yes(read("relapsed", replace(journey, outcome=same), antigen="any", before_transplant=True)) == []


def test_a_durable_remission_lasts_more_than_six_months(journey):
    half_year = 6 * 365.25 / 12
    assert yes(SETS["durable_responders"](journey, "penn", 56)) == [0, 5]  # 1: 172 days; 2: transplanted on day 100
    outcome = journey.outcome
    for event in ("relapse_day", "progression_day", "death_day", "hsct_day", "last_day"):
        for day, durable in ((120 + half_year, False), (120 + half_year + 0.1, True)):
            days = np.array(getattr(outcome, event), float)
            days[5] = day
            seen = replace(journey, outcome=replace(outcome, **{event: days}))
            assert (5 in yes(SETS["durable_responders"](seen, "penn", 56))) == durable, event
    for best, durable in (("sCR", True), ("CRh", True), ("CRi", True), ("VGPR", False), ("PR", False)):
        seen = replace(journey, outcome=replace(outcome, best_response=np.array([best] * 6)))
        assert (0 in yes(SETS["durable_responders"](seen, "penn", 56))) == durable
    never = replace(journey, infused=np.zeros(6, bool))
    assert yes(SETS["durable_responders"](never, "penn", 56)) == []


def test_sets_leave_out_the_never_infused(journey):
    graded = {**journey.findings, "icans": journey.findings["neurologic_event"]}
    never = replace(journey, infused=np.zeros(6, bool), findings=graded)
    for name, members in SETS.items():
        assert yes(members(never, "penn", 56)) == (ALL if name in ("enrolled", "collected") else []), name
    assert yes(SETS["crs_below_grade_4"](journey, "penn", 2)) == [0, 1, 2, 3, 5]
    assert yes(SETS["crs"](journey, "penn", 1)) == [0, 5]
    assert yes(SETS["severe_neurologic_event"](journey, "penn", 2)) == []


def test_time_to_relapse_ends_with_what_comes_first(journey):
    time, event, among = to_relapse(journey)
    np.testing.assert_array_equal(time, [400, 200, 100, 50, 20, 700])
    assert yes(event) == [0, 1] and yes(among) == [0, 1, 2, 5]
    tied = replace(journey, outcome=replace(journey.outcome, relapse_day=np.array([1000, INF, 100, INF, INF, INF])))
    assert yes(to_relapse(tied)[1]) == [0, 2]  # a relapse on the last day is one


def test_return_of_b_cells_counts_from_the_first_of_two_samples(journey, hand):
    table = np.full((6, journey.course.days.size), -1)
    for patient, cells in enumerate(
        ([1, 0, 0, 1], [1, 0, 1, 0], [0, 0, 1, 0], [1, -1, 0, 0], [0, 0, 0, 0], [1, 1, 1, 0])
    ):
        table[patient, 6:] = cells  # days 28, 56, 180, 365
    seen = replace(journey, findings={"b_cell_aplasia": hand.graded("b_cell_aplasia", table)})
    np.testing.assert_array_equal(recovery_day(seen), [56, 365, 365, 180, INF, 365])
    time, event, among = read("b_cell_aplasia", seen)
    np.testing.assert_array_equal(time, [56, 200, 100, 50, 20, 365])
    assert yes(event) == [0, 5] and yes(among) == [0, 1, 2, 3, 5]
    on_the_day = replace(seen, outcome=replace(seen.outcome, relapse_day=np.array([56, 200, INF, INF, INF, INF])))
    assert yes(read("b_cell_aplasia", on_the_day)[1]) == [0, 5]


def test_exposures_of_hazards_at_their_limits(journey):
    for until, since in ((179, [INF, INF, INF, 56]), (180, [180, INF, INF, 56]), (55, [INF] * 4)):
        _, _, found, among = read("relapse_after_recovery", journey, until=until)
        assert yes(among) == [0, 1, 2, 5]
        np.testing.assert_array_equal(found[among], since)
    for landmark, exposed, members in (
        (55, [], [0, 1, 2, 5]), (56, [5], [0, 1, 2, 5]), (100, [5], [0, 1, 5]), (180, [0, 5], [0, 1, 5]),
    ):  # fmt: skip
        _, _, found, among = read("relapse_by_recovery", journey, landmark=landmark)
        assert yes(np.isneginf(found)) == exposed and yes(among) == members
        assert set(found[~np.isneginf(found)]) <= {INF}
    for above, landmark, exposed, members in (
        (1e-3, 28, [], [0, 1, 2, 5]), (9e-4, 28, [0], [0, 1, 2, 5]), (9e-6, 28, [0, 1], [0, 1, 2, 5]),
        (9e-4, 100, [0], [0, 1, 5]), (9e-4, 99, [0], [0, 1, 2, 5]),
    ):  # fmt: skip
        time, event, found, among = read("relapse_by_mrd", journey, above=above, landmark=landmark)
        assert yes(np.isneginf(found)) == exposed and yes(among) == members
        np.testing.assert_array_equal(time, to_relapse(journey)[0])
        np.testing.assert_array_equal(event, to_relapse(journey)[1])


def test_residual_disease_below_quantification_is_none(journey):
    values = dict(journey.course.values)
    values["mrd"] = np.where(np.isnan(values["mrd"]), NAN, 1e-2)
    values["mrd"][1, 7] = 1e-5  # day 56
    below = np.zeros(values["mrd"].shape, bool)
    below[2, 6] = True
    course = Course(journey.course.patients, journey.course.days, values, {"mrd": below})
    seen = replace(journey, course=course)
    assert yes(np.isneginf(read("relapse_by_mrd", seen, landmark=28, above=1e-4)[2])) == [0, 1, 5]
    assert yes(np.isneginf(read("relapse_by_mrd", seen, landmark=56, above=1e-4)[2])) == [0, 5]
    among = read("relapse_by_mrd", seen, landmark=28, above=1e-4)[3]
    assert yes(among) == [0, 1, 2, 5]
    values["mrd"][5] = NAN
    assert yes(read("relapse_by_mrd", seen, landmark=28, above=1e-4)[3]) == [0, 1, 2]


def test_persistence_ends_with_follow_up_and_with_the_limit_of_quantification(journey):
    def lasting(last_day):
        outcome = replace(journey.outcome, last_day=np.array([1000, 300, 1500, 50, 20, last_day]))
        return read("persistence", replace(journey, outcome=outcome))[5]

    assert (lasting(28), lasting(27)) == (28, 8)
    values = {**journey.course.values, "transgene": np.where(journey.course.days == 8, 0.0, NAN) * np.ones((6, 1))}
    zero = replace(journey, course=Course(journey.course.patients, journey.course.days, values))
    assert np.isnan(read("persistence", zero)).all()
    bare = {name: v for name, v in journey.course.values.items() if name != "transgene"}
    with pytest.raises(NotProduced, match=r"^the journey does not measure transgene$"):
        read("persistence", replace(journey, course=Course(journey.course.patients, journey.course.days, bare)))


def test_kinetic_parameters_are_those_of_the_infused(journey, hand):
    names = ("cmax", "tmax", "auc_0_28", "doubling_time", "half_life_contraction", "half_life_terminal")
    given = {name: np.array([1.0, 2, 0, INF, 5, NAN]) + 10 * i * (np.arange(6) < 2) for i, name in enumerate(names)}
    seen = replace(journey, kinetics=hand.blank(Kinetics, 6, analyte="transgene", **given))
    for i, name in enumerate(names):
        np.testing.assert_array_equal(read(name, seen), [1 + 10 * i, 2 + 10 * i, NAN, NAN, NAN, NAN])
    np.testing.assert_allclose(read("contraction_rate", seen)[:2], np.log(2) / np.array([41, 42]))
    np.testing.assert_allclose(read("terminal_rate", seen)[:2], np.log(2) / np.array([51, 52]))
    counted = hand.blank(Kinetics, 6, analyte="car_t_cells", **given)
    cells = replace(journey, kinetics=counted, arms=(hand.facts(analyte="car_t_cells"),))
    np.testing.assert_array_equal(read("cmax_cells", cells)[:2], [1, 2])
    np.testing.assert_array_equal(read("auc_0_28_cells", cells)[:2], [21, 22])
    np.testing.assert_array_equal(read("tmax", cells)[:2], [11, 12])  # whatever the cells are counted by
    with pytest.raises(NotProduced, match=r"^the cells of this product are followed by car_t_cells, not transgene$"):
        read("cmax", cells)
    assert set(KINETIC) == {*names, "cmax_cells", "auc_0_28_cells", "contraction_rate", "terminal_rate",
                            "half_life_last"}  # fmt: skip


def fitted(days, values, least_fit):
    """Half-life by least squares of the last three or more samples: the best adjusted fit."""
    best, found = -INF, NAN
    for first in range(len(days) - 2):
        x, y = days[first:], np.log(values[first:])
        slope, start = np.polyfit(x, y, 1)
        left, all_of_it = ((y - slope * x - start) ** 2).sum(), ((y - y.mean()) ** 2).sum()
        if slope >= 0 or all_of_it == 0:
            continue
        fit = 1 - left / all_of_it * (len(x) - 1) / (len(x) - 2)
        if fit > best + 1e-12:
            best, found = fit, -np.log(2) / slope
    return found if best >= least_fit else NAN


def test_the_half_life_of_the_last_samples_is_the_best_line_through_them(journey, hand):
    days = np.array([0, 1, 4, 7, 11, 14, 21, 28, 60, 90.0])
    luck = np.random.default_rng(7)
    values = np.exp(luck.normal(size=(80, days.size)) * luck.uniform(0.05, 1.5, (80, 1)) + 9 - 0.05 * days)
    values[luck.random(values.shape) < 0.15] = NAN
    values[luck.random(values.shape) < 0.05] = 0.0
    below = luck.random(values.shape) < 0.1
    tmax = luck.choice(days[:5], 80)
    infused = luck.random(80) < 0.9
    course = Course(np.arange(80), days, {"transgene": values}, {"transgene": below})
    seen = replace(
        journey, patient=hand.blank(Patient, 80, disease="pediatric_b_all"), infused=infused, course=course,
        arm=np.zeros(80, np.intp), plan=replace(journey.plan, kinetics_samples=tuple(days.tolist())),
        kinetics=hand.blank(Kinetics, 80, analyte="transgene", tmax=tmax),
    )  # fmt: skip
    used = np.isfinite(values) & (values > 0) & ~below & (days > tmax[:, None])
    for least_fit in (0.0, 0.6, 0.9):
        expected = [
            fitted(days[one], v[one], least_fit) if there else NAN for one, v, there in zip(used, values, infused)
        ]
        assert 5 < np.isfinite(expected).sum() < 80
        np.testing.assert_allclose(read("half_life_last", seen, least_fit=least_fit), expected, rtol=1e-9)


def test_relapse_by_the_exposure_to_fludarabine(journey):
    names = reference.MODEL.parameters
    values = reference.parameters(patient=False).values()
    row = np.array([values.get(name, 1.0) for name in names])
    at = {name: i for i, name in enumerate(names)}
    individual = np.tile(row, (6, 1))
    individual[:, at["CLf_factor"]], individual[:, at["CLnr"]] = 1.0, 4.0
    individual[:, at["BW"]] = values["BWref"]
    individual[:, at["CrCl"]] = values["CrClref"] * np.array([1, 2, 3, 4, 5, 6])
    amount = np.full(6, 80.0)
    doses = ((-5.0, "fludarabine", amount), (-3.0, "fludarabine", amount / 2), (-3.0, "cyclophosphamide", amount))
    seen = replace(journey, individual=individual, conditioning=replace(journey.conditioning, doses=doses))
    expected = 120 * values["salt"] / (4 + values["CLren"] * np.array([1, 2, 3, 4, 5, 6]))
    np.testing.assert_allclose(read("fludarabine_auc", seen), np.where(journey.infused, expected, NAN))
    for lowest, exposed in ((0.0, []), (0.25, [3, 4, 5]), (0.5, [2, 3, 4, 5]), (1.0, [1, 2, 3, 4, 5])):
        time, event, since, among = read("relapse_by_fludarabine", seen, lowest=lowest)
        limit = np.quantile(expected[[0, 1, 2, 5]], lowest)
        assert yes(np.isneginf(since)) == yes(expected < limit) == exposed
        assert set(since[~np.isneginf(since)]) <= {INF}
        assert yes(among) == [0, 1, 2, 5]
        np.testing.assert_array_equal(time, to_relapse(journey)[0])
        np.testing.assert_array_equal(event, to_relapse(journey)[1])
    none = replace(seen, conditioning=replace(seen.conditioning, doses=()))
    np.testing.assert_array_equal(read("fludarabine_auc", none), np.where(journey.infused, 0.0, NAN))
    nobody = replace(seen, infused=np.zeros(6, bool))
    assert yes(read("relapse_by_fludarabine", nobody, lowest=0.5)[3]) == []


@pytest.mark.parametrize(
    ("name", "more"),
    [("hazard_by_burden", {"event": "PFS", "censor_transplant": False}), ("efs_second_line_by_burden", {})],
)
def test_events_by_tumor_burden_split_those_in_the_set(journey, name, more):
    burden = np.array([1.0, 2, 3, NAN, 5, 6])
    lymphoma = replace(journey.response, categories=(*journey.response.categories, "SD"))
    seen = replace(journey, response=lymphoma, patient=replace(journey.patient, burden=burden))
    for highest, exposed in ((0.0, []), (0.2, [5]), (0.5, [4, 5]), (0.8, [1, 2, 4, 5])):
        _, _, since, among = read(name, seen, clock="enrolment", highest=highest, **more)
        assert yes(among) == [0, 1, 2, 4, 5]  # all who were enrolled and whose burden is known
        assert yes(np.isneginf(since)) == exposed
    by_infusion = read(name, seen, clock="infusion", highest=0.5, **more)
    assert yes(by_infusion[3]) == yes(journey.infused & np.isfinite(burden)) == [0, 1, 2, 5]
    assert yes(np.isneginf(by_infusion[2])) == [2, 4, 5]  # above 2.5, the median of the infused


def test_change_of_igg_is_read_while_in_remission(journey):
    days = journey.course.days  # 0 1 2 3 5 8 28 56 180 365
    igg = np.tile([1000, NAN, NAN, NAN, NAN, NAN, 900, 800, 600, 500.0], (6, 1))
    igg[2, 0] = 500
    seen = replace(journey, course=Course(journey.course.patients, days, {"igg": igg}))
    relapse = np.array([INF, 180, 181, 20, INF, INF])
    progression = np.array([INF, INF, INF, INF, INF, 56.0])
    seen = replace(seen, outcome=replace(journey.outcome, relapse_day=relapse, progression_day=progression))
    np.testing.assert_allclose(
        read("igg_change", seen, from_day=28, until=365), [-30, -15, 160 / 3, NAN, NAN, -10]
    )  # means of 900 800 600 500; 900 800; 900 800 600 over 500; none; never infused; 900
    np.testing.assert_allclose(read("igg_change", seen, from_day=29, until=364), [-30, -20, 40, NAN, NAN, NAN])
    np.testing.assert_allclose(read("igg_change", seen, from_day=56, until=56), [-20, -20, 60, NAN, NAN, NAN])
