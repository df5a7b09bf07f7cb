"""Properties of every scale: a value removed, support added, other units and orders; and ICAHT by its own steps."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vein2vein import units
from vein2vein.analytes import all_analytes, analyte
from vein2vein.clinic.criteria import edition, editions, unverified
from vein2vein.clinic.grades.crs import grade_crs
from vein2vein.clinic.grades.hematotoxicity import grade_icaht
from vein2vein.clinic.grades.hlh import extremes, hlh_2004, hlh_cartox, hscore, mas_2016
from vein2vein.clinic.grades.icans import grade_icans
from vein2vein.clinic.grades.monitoring import ALL_FINDINGS, grade
from vein2vein.clinic.grades.risk_scores import car_hematotox, easix, easix_course
from vein2vein.clinic.words import crs_scales
from vein2vein.therapy.course import Course, Row, course_from_rows

SCALES = tuple(crs_scales())

AGES = np.array([0.5, 4.0, 9.0, 13.0, 60.0, 30.0])
MORE = {
    "temperature": (36.0, 40.5), "systolic_bp": (60.0, 140.0), "fluid_boluses": (0.0, 3.0),
    "norepinephrine": (0.0, 30.0), "epinephrine": (0.0, 15.0), "phenylephrine": (0.0, 250.0),
    "dopamine": (0.0, 12.0), "vasopressin": (0.0, 1.0), "angiotensin_ii": (0.0, 1.0), "oxygen_device": (0.0, 5.0),
    "oxygen_flow": (0.0, 20.0), "fio2": (0.3, 1.0), "spo2": (80.0, 100.0), "creatinine": (0.3, 8.0),
    "ast": (10.0, 2000.0), "alt": (10.0, 900.0), "bilirubin": (0.2, 14.0), "dialysis": (0.0, 1.0),
    "organ_toxicity": (0.0, 4.0), "pressor_refractory": (0.0, 1.0), "life_threatening": (0.0, 1.0),
    "tocilizumab": (0.0, 1.0), "ice": (0.0, 10.0), "capd": (0.0, 32.0), "cartox_score": (0.0, 10.0),
    "arousal": (0.0, 4.0), "seizure": (0.0, 2.0), "seizure_kind": (0.0, 2.0), "motor_weakness": (0.0, 1.0),
    "cerebral_edema": (0.0, 2.0), "papilledema": (0.0, 5.0), "ferritin": (50.0, 9000.0), "fibrinogen": (0.5, 5.0),
    "hemophagocytosis": (0.0, 1.0), "neutrophils": (0.0, 3.0), "platelets": (1.0, 200.0),
    "hemoglobin": (6.0, 14.0), "lymphocytes": (0.01, 2.0), "white_cells": (0.1, 9.0), "b_cells": (0.0, 40.0),
    "igg": (50.0, 1200.0), "bleeding": (0.0, 2.0),
}  # fmt: skip
WHOLE = {
    "fluid_boluses", "vasopressin", "angiotensin_ii", "oxygen_device", "dialysis", "organ_toxicity",
    "pressor_refractory", "life_threatening", "tocilizumab", "ice", "capd", "cartox_score", "arousal", "seizure",
    "seizure_kind",
    "motor_weakness", "cerebral_edema", "papilledema", "hemophagocytosis", "bleeding",
}  # fmt: skip
OFTEN_OFF = {
    name for name, (low, _) in MORE.items() if low == 0 and analyte(name).kind in ("support", "sign", "treatment")
}
seeds = st.integers(0, 10**6)


def charts(seed, n=6, k=6):
    """Full charts: nothing missing; supports are off in half of the cells."""
    random = np.random.default_rng(seed)
    values = {}
    for name, (low, high) in MORE.items():
        drawn = random.uniform(low, high, (n, k))
        drawn = np.round(drawn) if name in WHOLE else drawn
        values[name] = np.where((random.random((n, k)) < 0.6) & (name in OFTEN_OFF), 0.0, drawn)
    device, flow = values["oxygen_device"], values["oxygen_flow"]  # one chart of oxygen does not contradict the other
    flow = np.where(device == 0, 0.0, np.fmax(flow, 1.0))
    by_flow = np.minimum(0.21 + 0.04 * flow, 1.0)
    fio2 = np.where(device == 0, 0.21, np.where(device == 1, by_flow, np.fmax(values["fio2"], 0.3)))
    values |= {"oxygen_flow": flow, "fio2": fio2}
    values["seizure_kind"] = np.where(values["seizure"] > 0, values["seizure_kind"], 0.0)
    return Course(np.arange(n), np.arange(k) * 0.5 + 0.5, values, origin="measured")


def with_value(course, name, column, value):
    array = course.dense(name).copy()
    array[:, column] = value
    return Course(course.patients, course.days, {**course.values, name: array}, origin=course.origin)


MEASURED = {  # what is measured or judged, by finding: without it a grade may be unknown, never lower
    **{f"crs_{scale}": ("temperature", "systolic_bp", "oxygen_device", "oxygen_flow", "fio2") for scale in SCALES},
    "icans": ("ice", "capd", "arousal"),
    "cres": ("cartox_score", "arousal", "seizure_kind"),
    "neutropenia": ("neutrophils",),
    "thrombocytopenia": ("platelets",),
    "anemia": ("hemoglobin",),
    "lymphopenia": ("lymphocytes",),
    "leukopenia": ("white_cells",),
    "b_cell_aplasia": ("b_cells",),
    "hypogammaglobulinemia": ("igg",),
}


@pytest.mark.parametrize("finding", MEASURED)
@settings(max_examples=20, deadline=None)
@given(seeds)
def test_a_value_that_is_removed_never_settles_a_lower_grade(finding, seed):
    course = charts(seed)
    last = course.shape[1] - 1
    if finding == "icans":  # each patient has the score of the age, as charted
        course = with_value(course, "capd", last, np.nan) if seed % 2 else course
    if finding == "cres":  # without its score, ICE would be read in its place: another instrument
        course = with_value(course, "ice", last, np.nan)
    for name in ("arousal", "ice", "capd", "cartox_score", "oxygen_device", "oxygen_flow", "fio2"):
        if name in MEASURED[finding]:  # the reading of the shift before stands for one that is not charted
            course = with_value(course, name, last - 1, course.values[name][:, last])
    whole = grade(course, age=AGES, scales=[finding])[finding]
    for name in MEASURED[finding]:
        less = grade(with_value(course, name, last, np.nan), age=AGES, scales=[finding])[finding]
        was, now = whole.grade[:, last], less.grade[:, last]
        if finding == "icans" and name == "ice":  # an adult without ICE is read by CAPD, another instrument
            was, now = was[AGES < 12], now[AGES < 12]
        settled = (now >= 0) & (was >= 0)
        assert (now[settled] >= was[settled]).all(), name


RUNNING = ("norepinephrine", "epinephrine", "phenylephrine", "dopamine", "angiotensin_ii", "vasopressin")


@pytest.mark.parametrize("scale", SCALES)
@settings(max_examples=25, deadline=None)
@given(seeds)
def test_a_vasopressor_that_ran_and_is_not_charted_again_leaves_no_lower_grade(scale, seed):
    course = charts(seed)
    last = course.shape[1] - 1
    for name in RUNNING:
        on = with_value(course, name, last - 1, np.maximum(course.values[name][:, last], 1.0))
        whole = grade_crs(on, age=AGES, scale=scale)
        less = grade_crs(with_value(on, name, last, np.nan), age=AGES, scale=scale)
        settled = less.grade[:, last] >= 0
        assert (less.grade[settled, last] >= whole.grade[settled, last]).all(), name


ADDED = {
    "epinephrine": lambda v: v + 3, "phenylephrine": lambda v: v + 60, "dopamine": lambda v: v + 4,
    "angiotensin_ii": np.ones_like, "pressor_refractory": np.ones_like, "dialysis": np.ones_like,
    "organ_toxicity": lambda v: np.minimum(v + 1, 4), "life_threatening": np.ones_like,
    "norepinephrine": lambda v: v + 5, "oxygen_flow": lambda v: v + 4, "fio2": lambda v: np.minimum(v + 0.2, 1.0),
    "fluid_boluses": lambda v: v + 1,
}  # fmt: skip


@pytest.mark.parametrize("name", ADDED)
@settings(max_examples=15, deadline=None)
@given(seeds)
def test_more_of_a_support_never_lowers_a_grade_of_any_scale(name, seed):
    course = charts(seed)
    last = course.shape[1] - 1
    more = with_value(course, name, last, ADDED[name](course.values[name][:, last]))
    for scale in SCALES:
        before, after = (grade_crs(c, age=AGES, scale=scale).at_least[:, last] for c in (course, more))
        assert (after >= before).all(), scale


@settings(max_examples=10, deadline=None)
@given(seeds)
def test_the_order_of_rows_never_matters(seed):
    random = np.random.default_rng(seed)
    rows = [
        Row(p, d, name, float(v), False, "measured", "")
        for p, d, name, v, *_ in charts(seed, n=3, k=4).rows()
        if random.random() < 0.8
    ]
    shuffled = [rows[i] for i in random.permutation(len(rows))]
    one, other = (grade(course_from_rows(r), age=AGES[:3], scales=ALL_FINDINGS) for r in (rows, shuffled))
    for name in ALL_FINDINGS:
        np.testing.assert_array_equal(one[name].grade, other[name].grade, err_msg=name)


@settings(max_examples=15, deadline=None)
@given(seeds)
def test_every_finding_reads_only_the_past(seed):
    course = charts(seed)
    whole = grade(course, age=AGES, scales=ALL_FINDINGS)
    early = grade(course.until(1.5), age=AGES, scales=ALL_FINDINGS)
    for name in ALL_FINDINGS:
        count = early[name].grade.shape[1]
        np.testing.assert_array_equal(early[name].grade, whole[name].grade[:, :count], err_msg=name)


@pytest.mark.parametrize("finding", ALL_FINDINGS)
def test_nothing_charted_is_not_gradable(finding):
    empty = Course(np.arange(2), np.array([0.0, 8.0]), {})
    found = grade(empty, age=np.full(2, 40.0), scales=[finding])[finding]
    assert (found.grade == -1).all() and found.missing


# ---------------------------------------------------------------- units


@pytest.mark.parametrize(
    ("text", "name", "same"),
    [
        ("100.4 degF", "temperature", 38.0),
        ("4.0 g/L", "igg", 400.0),
        ("1.1 g/L", "fibrinogen", 1.1),
        ("110 mg/dL", "fibrinogen", 1.1),
        ("4.5 mg/dL", "crp", 45.0),
        ("650 ng/mL", "ferritin", 650.0),
        ("500 cell/uL", "neutrophils", 0.5),
        ("0.5 G/l", "neutrophils", 0.5),
        ("0.5 /nl", "neutrophils", 0.5),
        ("38 ºC", "temperature", 38.0),
        ("90 g/L", "hemoglobin", 9.0),
        ("4 g/dL", "m_protein", 40.0),
        ("10 mg/dL", "free_light_chain", 100.0),
        ("0.2 g/day", "urine_m_protein", 200.0),
        ("15 mm", "largest_node", 1.5),
    ],
)
def test_a_value_in_another_unit_is_the_same_value(text, name, same):
    assert units.read_quantity(text, analyte(name).unit) == pytest.approx(same, rel=1e-12)


def test_the_unit_of_an_input_never_changes_a_grade():
    for fahrenheit, expected in ((100.4, 1), (100.2, 0)):
        warm = units.read_quantity(f"{fahrenheit} degF", "degC")
        values = {"temperature": warm, "systolic_bp": 110.0, "oxygen_device": 0.0}
        course = Course(np.array([0]), np.array([1.0]), {n: np.array([[v]]) for n, v in values.items()})
        assert grade_crs(course, age=[40.0]).grade.tolist() == [[expected]], fahrenheit
    for text in ("0.5 gigacells/L", "500 cell/uL", "0.5 10^9/L"):
        count = units.read_quantity(text, analyte("neutrophils").unit)
        days = np.arange(0.0, 31.0)
        course = Course(np.array([0]), days, {"neutrophils": np.where(np.abs(days - 6) <= 3, count, 2.0)[None, :]})
        assert grade_icaht(course).early.tolist() == [2], text


# ---------------------------------------------------------------- scores


@settings(max_examples=30, deadline=None)
@given(seeds)
def test_a_score_without_a_value_keeps_the_true_sum_between_its_bounds(seed):
    random = np.random.default_rng(seed)
    course = charts(seed, n=5, k=5)
    full = extremes(course, 0.0, 10.0)
    full |= {
        name: random.integers(0, 2, 5).astype(float) for name in ("splenomegaly", "hepatomegaly", "nk_activity_low")
    }
    full |= {"soluble_il2_receptor": random.uniform(100, 9000, 5), "triglycerides": random.uniform(50, 500, 5)}
    full |= {
        "immunosuppressed": np.zeros(5),
        "oliguria": np.zeros(5),
        "pulmonary_edema": np.ones(5),
        "crp": np.full(5, 50.0),
    }
    for score in (hlh_2004, hscore, hlh_cartox, mas_2016, car_hematotox):
        whole = score(full)
        assert (whole.low == whole.high).all(), score
        for name in full:
            less = score({k: v for k, v in full.items() if k != name})
            assert (less.low <= whole.low).all() and (less.high >= whole.high).all(), (score, name)
            same = (less.verdict == whole.verdict) | np.isin(less.verdict, ["not gradable", "not met, incomplete"])
            assert same.all(), (score, name)


def test_easix_over_a_course():
    nan = np.nan
    values = {
        "ldh": [[250, nan, 600.0]],
        "creatinine": [[0.8, nan, 1.5]],
        "platelets": [[200, 100, nan]],
        "platelet_transfusion": [[0, 1.0, 0]],
    }
    course = Course(np.array([0]), np.array([0.0, 0.5, 3.0]), {n: np.array(v, float) for n, v in values.items()})
    found, flags = easix_course(course)
    for end in found:
        np.testing.assert_allclose(end, [[1.0, 2.0, nan]])
    (cells,) = flags.values()
    assert cells.tolist() == [[False, True, False]]
    assert np.isnan(easix({"ldh": [1.0]})).all()


# ---------------------------------------------------------------- ICAHT by its steps


def icaht_by_hand(day_counts):
    """Early grade from {day: counts in cells/uL}, written from the steps of the published algorithm, one by one."""
    daily = {d: min(c) for d, c in day_counts.items() if 0 <= d <= 30}
    if not daily:
        return -1
    known = sorted(daily)
    filled = {}
    for d in range(31):
        left = [k for k in known if k <= d]
        right = [k for k in known if k >= d]
        if d in daily:
            filled[d] = daily[d]
        elif left and right and right[0] - left[-1] - 1 <= 7:
            share = (d - left[-1]) / (right[0] - left[-1])
            filled[d] = daily[left[-1]] + share * (daily[right[0]] - daily[left[-1]])
        elif not left and right[0] <= 7:
            filled[d] = daily[right[0]]
        elif not right and 30 - left[-1] <= 7:
            filled[d] = daily[left[-1]]
    rounded = {d: round(v / 10) * 10 for d, v in filled.items()}

    def runs(limit):
        spans = []
        for d in sorted(rounded):
            if rounded[d] < limit:
                if spans and d - spans[-1][1] - 1 <= 2:
                    spans[-1][1] = d
                else:
                    spans.append([d, d])
        return spans

    d500 = max((b - a + 1 for a, b in runs(501)), default=0)
    d100 = max((b - a + 1 for a, b in runs(101)), default=0)
    if any(a <= 3 and b == max(rounded) for a, b in runs(501)):
        return 4
    if d500 >= 31 or d100 >= 14:
        return 4
    if d500 >= 14 or d100 >= 7:
        return 3
    return 2 if d500 >= 7 else 1 if d500 >= 1 else 0


@settings(max_examples=150, deadline=None)
@given(seeds)
def test_icaht_follows_the_steps_of_its_algorithm(seed):
    random = np.random.default_rng(seed)
    days = np.flatnonzero(random.random(31) < random.uniform(0.2, 1.0)).astype(float)
    low = random.choice([60.0, 300.0, 900.0])
    counts = np.round(random.lognormal(np.log(low), 0.8, len(days)))
    if not len(days):
        return
    course = Course(np.array([0]), days, {"neutrophils": counts[None, :] / 1000})
    assert grade_icaht(course).early[0] == icaht_by_hand({int(d): [c] for d, c in zip(days, counts)})


# ---------------------------------------------------------------- provenance


@pytest.mark.parametrize("name", editions())
def test_what_is_from_memory_is_told(name):
    found = edition(name)
    marks = [t.mark for t in found.thresholds.values()] + [level.mark for level in found.levels]
    marks += [row["mark"] for row in found.rules]
    assert bool(unverified(name)) == ("M" in marks)


def test_grades_carry_what_is_unverified():
    found = grade(charts(1), age=AGES, scales=ALL_FINDINGS)
    assert any("high dose" in text for text in found["crs_lee2014"].unverified)
    assert not any("high dose" in text for text in found["crs_astct"].unverified)
    assert found["iec_hs"].unverified and found["neutropenia"].unverified and found["crs_ctcae5"].unverified


def test_analytes_have_ranges_and_readable_titles():
    for one in all_analytes().values():
        assert one.low < one.high and one.title and one.unit, one.name


def test_icans_reads_capd_with_delay():
    course = Course(
        np.array([0]),
        np.array([5.0]),
        {"ice": [[8.0]], "capd": [[12.0]], "developmental_delay": [[1.0]], "arousal": [[0.0]]},
    )
    course = Course(course.patients, course.days, {n: np.array(v) for n, v in course.values.items()})
    assert grade_icans(course, age=[14.0]).grade.tolist() == [[3]]
