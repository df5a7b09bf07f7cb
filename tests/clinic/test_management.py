"""Policies: who gets what and when, read from the course so far."""

import numpy as np
import pytest

from vein2vein.clinic.care.dose_caps import cap_of
from vein2vein.clinic.care.management import _amount, policies, read_policy, tocilizumab_dose, treat
from vein2vein.clinic.grades.monitoring import grade
from vein2vein.errors import InputError
from vein2vein.therapy.course import Course

FEVER, LOW_FLOW, PRESSOR, TWO_PRESSORS = 1, 2, 3, 4
PER_GRADE = {
    0: {"temperature": 37.0},
    FEVER: {"temperature": 39.0},
    LOW_FLOW: {"temperature": 39.0, "oxygen_device": 1.0, "oxygen_flow": 2.0},
    PRESSOR: {"temperature": 39.0, "norepinephrine": 4.0},
    TWO_PRESSORS: {"temperature": 39.0, "norepinephrine": 4.0, "other_vasopressors": 1.0},
}
QUIET = {"temperature": 37.0, "systolic_bp": 115.0, "oxygen_device": 0.0, "norepinephrine": 0.0, "ice": 10.0}


def follow(policy, crs, ice=None, *, weight=70.0, step=0.5, start=1.0, costimulation="", extra=None):
    """Walk a patient through CRS grades (and ICE scores), giving what the policy says; treatments by reading."""
    policy = read_policy(policy) if isinstance(policy, str) else policy
    days = start + step * np.arange(len(crs))
    values = {name: np.full((1, len(crs)), v) for name, v in QUIET.items()}
    for column, g in enumerate(crs):
        for name, v in PER_GRADE[g].items():
            values.setdefault(name, np.zeros((1, len(crs))))[0, column] = v
    if ice is not None:
        values["ice"] = np.array([ice], dtype=float)
    values.update({name: np.array([v], dtype=float) for name, v in (extra or {}).items()})
    given = {}
    for column in range(len(crs)):
        so_far = Course(np.arange(1), days[: column + 1], {n: v[:, : column + 1] for n, v in values.items()})
        findings = grade(so_far, age=np.array([30.0]), scales=policy.reads)
        assert findings["crs_astct"].grade[0, -1] == crs[column]
        now = treat(policy, so_far, findings, weight=np.array([weight]), costimulation=costimulation)
        for name, amount in now.items():
            values.setdefault(name, np.full((1, len(crs)), np.nan))[0, column] = amount[0]
            given.setdefault(name, []).append(round(float(amount[0]), 6))
    return given


def total(given, name):
    return given.get(name, [0])


def test_every_bundled_policy_reads_and_says_where_it_comes_from():
    assert set(policies()) >= {"early_conservative", "early_permissive", "astct_2019", "prophylactic"}
    for name in policies():
        assert read_policy(name).title and read_policy(name).where


def test_conservative_policy_waits_for_grade_3():
    given = follow("early_conservative", [1, 2, 2, 2, 3, 2, 1])
    assert given["tocilizumab"] == [0, 0, 0, 0, 560, 0, 0]
    assert total(given, "methylprednisolone") == [0] * 7


def test_delayed_variant_waits_one_more_day_at_the_grade():
    assert follow("early_conservative_delayed", [3, 3, 3, 3])["tocilizumab"] == [0, 0, 560, 0]
    assert follow("early_conservative_delayed", [3, 2, 3, 3, 2])["tocilizumab"] == [0] * 5
    assert follow("early_conservative", [3, 3, 3, 3])["tocilizumab"] == [560, 0, 560, 0]


def test_permissive_policy_treats_from_grade_2():
    assert follow("early_permissive", [1, 1, 2, 1])["tocilizumab"] == [0, 0, 560, 0]


def test_current_policy_treats_fever_of_more_than_three_days_once():
    given = follow("astct_2019", [1] * 10)["tocilizumab"]
    assert given == [0] * 7 + [560, 0, 0]  # readings 0.5 day apart: reading 7 is day 3.5 of the fever


def test_tocilizumab_repeats_only_without_improvement_and_at_most_four_times():
    assert follow("astct_2019", [3, 2, 2, 2])["tocilizumab"] == [560, 0, 0, 0]
    given = follow("astct_2019", [3] * 8)["tocilizumab"]
    assert given == [560] * 4 + [0] * 4


def test_a_new_rise_after_recovery_is_treated_again():
    assert follow("early_permissive", [2, 1, 1, 2, 1])["tocilizumab"] == [560, 0, 0, 560, 0]


def test_tocilizumab_by_weight():
    assert follow("astct_2019", [2], weight=29.9)["tocilizumab"] == [358.8]
    assert follow("astct_2019", [2], weight=120.0)["tocilizumab"] == [800]


def test_conservative_steroid_a_day_after_tocilizumab_without_improvement():
    given = follow("early_conservative", [3, 3, 3, 3, 1, 0])
    assert given["methylprednisolone"] == [0, 0, 70, 70, 0, 0]
    assert total(follow("early_conservative", [3, 2, 3, 3]), "methylprednisolone") == [0, 0, 0, 0]


def test_steroid_at_once_for_grade_4_and_until_grade_1():
    assert follow("early_conservative", [4, 3, 2, 1])["methylprednisolone"] == [70, 70, 70, 0]


def test_steroid_for_icans_by_costimulation():
    ice = [10, 5, 5, 10]
    assert total(follow("astct_2019", [0] * 4, ice, costimulation="CD28"), "dexamethasone") == [0, 10, 10, 5]
    assert total(follow("astct_2019", [0] * 4, ice, costimulation="4-1BB"), "dexamethasone") == [0, 0, 0, 0]
    assert follow("astct_2019", [0] * 2, [10, 1], costimulation="4-1BB")["dexamethasone"] == [0, 20]


def test_taper_ends_after_its_day():
    given = follow("astct_2019", [3, 1, 1, 1, 1])["dexamethasone"]
    assert given == [20, 5, 5, 0, 0]


def test_steroid_dose_grows_with_the_grade_and_is_limited_in_children():
    given = follow("astct_2019", [3, 4])
    assert given["dexamethasone"] == [20, 0] and given["methylprednisolone"] == [0, 500]
    assert follow("astct_2019", [3], weight=15.0)["dexamethasone"] == [15]


def test_growth_factor_starts_low_and_stops_at_recovery():
    counts = [0.4, 0.4, 0.3, 0.7, 0.9, 1.0, 0.8]
    given = follow("astct_2019", [0] * 7, step=1.0, start=1.0, extra={"neutrophils": counts})["gcsf"]
    assert given == [0, 1, 1, 1, 1, 0, 0]  # from day 2 on; not again above 0.5
    assert follow("early_conservative", [0] * 2, start=10.0, extra={"neutrophils": [0.1, 0.1]})["gcsf"] == [0, 0]


def test_immunoglobulin_at_low_igg_at_most_every_four_weeks():
    igg = [500, 400, 390, 390, 390]
    given = follow("astct_2019", [0] * 5, step=14.0, start=60.0, extra={"igg": igg})["ivig"]
    assert given == [0, 28, 0, 28, 0]


def test_prophylactic_policy_follows_the_calendar():
    given = follow("prophylactic", [0] * 19, start=0.0)
    assert [i / 2 for i, mg in enumerate(given["tocilizumab"]) if mg] == [2.0]
    assert [i / 2 for i, mg in enumerate(given["dexamethasone"]) if mg] == [0.0, 1.0, 2.0]
    assert [i / 2 for i, mg in enumerate(given["anakinra"]) if mg] == list(np.arange(0, 7.5, 0.5))


def test_grades_that_cannot_be_read_carry_the_last_one():
    policy = read_policy("early_conservative")
    days = np.array([1.0, 1.5])
    course = Course(
        np.arange(1), days,
        {"temperature": np.array([[39.0, np.nan]]), "systolic_bp": np.array([[110.0, np.nan]]),
         "norepinephrine": np.array([[4.0, np.nan]]), "oxygen_device": np.array([[0.0, np.nan]])},
    )  # fmt: skip
    findings = grade(course, age=np.array([30.0]), scales=policy.reads)
    assert findings["crs_astct"].grade.tolist() == [[3, -1]]
    assert treat(policy, course, findings, weight=np.array([70.0]))["tocilizumab"].tolist() == [560.0]


def test_treatment_of_many_equals_treatment_of_each():
    random = np.random.default_rng(5)
    n, k = 40, 12
    values = {
        "temperature": random.uniform(36.5, 40, (n, k)), "systolic_bp": random.uniform(80, 130, (n, k)),
        "norepinephrine": np.where(random.random((n, k)) < 0.3, 5.0, 0.0), "oxygen_device": np.zeros((n, k)),
        "ice": random.integers(0, 11, (n, k)).astype(float), "arousal": np.zeros((n, k)),
        "tocilizumab": np.where(random.random((n, k)) < 0.1, 500.0, np.nan),
        "dexamethasone": np.where(random.random((n, k)) < 0.1, 10.0, np.nan),
        "neutrophils": random.uniform(0, 2, (n, k)), "igg": random.uniform(200, 900, (n, k)),
    }  # fmt: skip
    course = Course(np.arange(n), 0.5 * np.arange(k), values)
    weight, age = random.uniform(12, 110, n), random.uniform(3, 70, n)
    for name in policies():
        policy = read_policy(name)
        many = treat(policy, course, grade(course, age=age, scales=policy.reads), weight=weight, costimulation="CD28")
        for i in range(n):
            one = course.of([i])
            single = treat(
                policy, one, grade(one, age=age[[i]], scales=policy.reads), weight=weight[[i]], costimulation="CD28"
            )
            for treatment, amount in single.items():
                assert amount[0] == many[treatment][i], (name, treatment, i)


def test_bad_policy_files_are_refused_where_they_are_wrong(tmp_path):
    with pytest.raises(InputError, match="astct_2019"):
        read_policy("astct_2018")
    path = tmp_path / "mine.toml"
    path.write_text('title = "Mine"\nsource = "me"\nwhere = "-"\n[tocilizumab]\nfrom_grad = 2\n')
    with pytest.raises(InputError, match=r"mine.toml, line 5.*from_grade"):
        read_policy(path)
    path.write_text('title = "Mine"\nsource = "me"\nwhere = "-"\n[tocilizumab]\nfrom_grade = 2\n')
    with pytest.raises(InputError, match="repeat_after"):
        read_policy(path)
    path.write_text(
        'title = "Mine"\nsource = "me"\nwhere = "-"\nbased_on = "astct_2019"\n[dosing]\ntocilizumab_most = 2\n'
    )
    assert follow(read_policy(path), [3] * 5)["tocilizumab"] == [560, 560, 0, 0, 0]


def test_treat_asks_for_the_findings_it_needs():
    course = Course(np.arange(1), np.array([1.0]), {})
    with pytest.raises(InputError, match="crs_astct"):
        treat(read_policy("astct_2019"), course, {}, weight=np.array([70.0]))


def test_red_cells_are_given_below_the_limit_once_a_day_and_not_without_a_reading():
    counts = [9.0, 7.6, 7.4, 7.0, 7.0, np.nan, 7.5, 8.0]
    given = follow("astct_2019", [0] * 8, extra={"hemoglobin": counts})
    assert given["red_cell_transfusion"] == [0, 0, 1, 0, 1, 0, 0, 0]
    assert follow("early_permissive", [0], extra={})["red_cell_transfusion"] == [0]
    assert read_policy("prophylactic").red_cells == read_policy("astct_2019").red_cells


# ---------------------------------------------------------------- simulated care keeps the caps of advice

KILOGRAMS = [3, 5, 8, 12, 15, 19.9, 20, 29.9, 30, 40, 70, 120]


@pytest.mark.parametrize("name", sorted(policies()))
def test_no_bundled_policy_gives_more_than_advice_names(name):
    policy = read_policy(name)
    for kg in KILOGRAMS:
        for one in policy.doses:
            if one.treatment == "tocilizumab":
                continue
            cap = cap_of(one.treatment)
            amount = float(_amount(one, np.array([kg]))[0])
            assert amount / one.doses <= cap.of_dose(kg) * (1 + 1e-12), (one, kg)
            assert amount / one.every <= cap.of_day(kg) * (1 + 1e-12), (one, kg)
        assert float(tocilizumab_dose(kg, policy.dosing)) <= cap_of("tocilizumab").of_dose(kg)
    assert not [note for note in policy.unusual if "cap of advice" in note]


@pytest.mark.parametrize(("weight", "amount"), [(15.0, 15.0), (12.0, 12.0), (20.0, 20.0), (70.0, 20.0)])
def test_a_child_of_15_kg_gets_two_doses_of_half_a_mg_per_kg_in_12_hours(weight, amount):
    """One grading time holds two doses, each 0.5 mg/kg up to 10 mg, as advice says every 6 hours."""
    given = follow("astct_2019", [3, 3], weight=weight)
    assert given["dexamethasone"] == [amount, amount]
    (row,) = [one for one in read_policy("astct_2019").doses if one.from_grade == 3]
    assert (row.doses, row.mg_per_kg, row.mg, row.every) == (2, 0.5, 10, 0.5)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ("mg = 10\nmg_per_kg = 1.0\nevery = 1.0", ["1 mg/kg a dose is more than the cap of advice, 0.5 mg/kg"]),
        ("mg = 20\nmg_per_kg = 0.5\nevery = 1.0", ["20 mg a dose is more than the cap of advice, 10 mg"]),
        ("mg = 10\nmg_per_kg = 0.5\nevery = 0.125", ["80 mg a day", "4 mg/kg a day"]),
        ("mg = 10\nmg_per_kg = 0.5\nevery = 0.5\ndoses = 3", ["60 mg a day", "3 mg/kg a day"]),
        (
            "mg = 10\nevery = 1.0",
            ["10 mg whatever the weight is more than the cap of advice, 0.5 mg/kg a dose, below 20"],
        ),
        ("mg = 10\nmg_per_kg = 0.5\nevery = 0.5\ndoses = 2", []),
    ],
)
def test_a_policy_of_ones_own_above_the_caps_says_so(tmp_path, changes, told):
    path = tmp_path / "own.toml"
    path.write_text(
        'title = "own"\nsource = "clinical_rules_2026"\nwhere = "here"\nbased_on = "astct_2019"\n'
        f'[[dated]]\ntreatment = "dexamethasone"\nfrom_day = 0\nuntil_day = 1\n{changes}\n',
        encoding="utf-8",
    )
    said = [note for note in read_policy(path).unusual if "cap of advice" in note]
    assert len(said) == len(told) and all(any(one in note for note in said) for one in told)
