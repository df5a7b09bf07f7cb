"""Rows of decision tables and policies are declared: what nothing reads, or lacks what it needs, is refused."""

import re
from dataclasses import dataclass

import numpy as np
import pytest

from vein2vein.clinic.care.eligibility import WashoutRule, washouts
from vein2vein.clinic.care.policy import DatedDose, SteroidStart, Taper, read_policy
from vein2vein.clinic.care.schedule import ScheduleRow, due
from vein2vein.clinic.care.suggestions import Advice, SecondDoseRule, suggest
from vein2vein.clinic.criteria import declared, edition, rows_of
from vein2vein.clinic.grades.b_cell_aplasia import AplasiaDefinition, ImmunoglobulinRule
from vein2vein.clinic.grades.monitoring import grade
from vein2vein.clinic.grades.organs import lowest_before, organ_range
from vein2vein.clinic.response.response import Remission
from vein2vein.errors import InputError
from vein2vein.therapy.course import Course


@dataclass(frozen=True)
class Example:
    name: str
    share: float = 0.5
    count: int = 1
    strict: bool = False
    reads: tuple[str, ...] = ()
    on: tuple[float, ...] = ()
    limit: float | None = None


def test_a_row_becomes_the_record_that_declares_it():
    row = {"name": "a", "share": 2, "count": 3.0, "strict": True, "reads": ["x", "y"], "on": [1, 2.5], "limit": 4}
    found = declared(row, Example, "here")
    assert found == Example("a", 2.0, 3, True, ("x", "y"), (1.0, 2.5), 4.0)
    assert [type(v) for v in (found.share, found.count, found.on[0], found.limit)] == [float, int, float, float]
    assert declared({"name": "a"}, Example, "here") == Example("a")


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ({}, "name is missing"),
        ({"name": "a", "shar": 1}, "unknown field 'shar'; did you mean share"),
        ({"name": 3}, "name: found 3, expected a text."),
        ({"name": "a", "share": "1"}, "share: found '1', expected a number."),
        ({"name": "a", "share": True}, "share: found True, expected a number."),
        ({"name": "a", "count": 1.5}, "count: found 1.5, expected a whole number."),
        ({"name": "a", "count": True}, "count: found True, expected a whole number."),
        ({"name": "a", "strict": 1}, "strict: found 1, expected true or false."),
        ({"name": "a", "reads": "x"}, "reads: found 'x', expected a list."),
        ({"name": "a", "reads": [1]}, "reads: found [1], expected a list of texts."),
        ({"name": "a", "on": [1, "2"]}, "on: found [1, '2'], expected a list of numbers."),
        ({"name": "a", "on": [1, True]}, "on: found [1, True], expected a list of numbers."),
        ({"name": "a", "limit": "x"}, "limit: found 'x', expected a number."),
    ],
)
def test_a_row_that_nothing_declares_is_refused_with_its_place(row, told):
    with pytest.raises(InputError, match=re.escape(told)) as problem:
        declared(row, Example, "guidance.toml, rules[3]")
    assert problem.value.file == "guidance.toml, rules[3]"


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("guidance", Advice), ("schedule", ScheduleRow), ("washouts", WashoutRule),
        ("second_dose_aucatzyl", SecondDoseRule), ("b_cell_aplasia", AplasiaDefinition),
        ("immunoglobulin", ImmunoglobulinRule), ("response_b_all_eliana", Remission),
        ("response_b_all_eln_2024", Remission), ("response_b_all_cibmtr", Remission),
    ],
)  # fmt: skip
def test_every_bundled_table_is_declared_whole(name, kind):
    rows, raw = rows_of(name, kind), edition(name).rules
    assert len(rows) == len(raw) > 0
    for row, table in zip(rows, raw):
        for field, value in table.items():
            found = getattr(row, field)
            assert (list(found) if isinstance(value, list) else found) == value, (name, field)
    with pytest.raises(InputError, match=rf"{name}.toml, rules\[1\]"):
        rows_of(name, Taper)


POLICY = 'title = "t"\nsource = "reference_model_2026"\nwhere = "w"\n'


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            '[[dated]]\ntreatment = "anakinra"\nfrom_day = 0\nuntil_day = 7\nevery = 1\n',
            "dated.0.mg: missing; expected a dose of anakinra. Add the line 'mg = ...' or 'mg_per_kg = ...'",
        ),
        (
            '[[dated]]\ntreatment = "anakinra"\nfrom_day = 0\nuntil_day = 7\nmg = 100\n',
            "dated.0.every: missing; expected a number above 0",
        ),
        (
            '[[dated]]\ntreatment = "anakinra"\nfrom_day = 0\nevery = 1\nmg = 100\n',
            "dated.0.until_day: missing; expected a number from 0 to 7300 day",
        ),
        (
            "[[dated]]\nfrom_day = 0\nuntil_day = 7\nevery = 1\nmg = 100\n",
            "dated.0.treatment: missing; expected one of tocilizumab, ",
        ),
        (
            "[steroid]\nstop_at_grade = 1\nwhen = [{ after_tocilizumab = 1 }]\ndose = []\n",
            "steroid.when.0.crs_at_least: expected either crs_at_least or icans_at_least",
        ),
        (
            "[steroid]\nstop_at_grade = 1\nwhen = [{ crs_at_least = 3 }]\n"
            'dose = [{ from_grade = 0, treatment = "dexamethasone", every = 1 }]\n',
            "steroid.dose.0.mg: missing; expected a dose of dexamethasone. Add the line 'mg = ...' or 'mg_per_kg = ",
        ),
        (
            "[steroid]\nstop_at_grade = 1\nwhen = [{ crs_at_least = 3 }]\n"
            'dose = [{ treatment = "dexamethasone", every = 1, mg = 10 }]\n',
            "steroid.dose.0.from_grade: missing; expected a number from 0 to 5",
        ),
        (
            "[steroid]\nstop_at_grade = 1\nwhen = []\ndose = []\ntaper = [{ until = 1 }]\n",
            "steroid.taper.0.share: missing; expected a number from 0 to 1",
        ),
        (
            "[tocilizumab]\nfrom_grade = 2\n",
            "tocilizumab.repeat_after: missing; a policy that is based on no other needs it",
        ),
        (
            "[gcsf]\nfrom_day = 1\nstart_below = 0.5\n",
            "gcsf.stop_at: missing; a policy that is based on no other needs it",
        ),
        ("[dosing]\ntocilizumab_mg = 8\n", "dosing.tocilizumab_mg: unknown field 'tocilizumab_mg'; did you mean"),
    ],
)
def test_a_policy_that_would_give_nothing_or_anything_is_refused(text, told, tmp_path):
    path = tmp_path / "own.toml"
    path.write_text(POLICY + text, encoding="utf-8")
    with pytest.raises(InputError, match=re.escape(told)) as problem:
        read_policy(path)
    assert problem.value.file and "own.toml" in problem.value.file


def test_a_dated_dose_of_tocilizumab_goes_by_weight(tmp_path):
    path = tmp_path / "own.toml"
    path.write_text(POLICY + '[[dated]]\ntreatment = "tocilizumab"\nfrom_day = 2\nuntil_day = 3\nevery = 1\n', "utf-8")
    policy = read_policy(path)
    assert policy.dated == (DatedDose(treatment="tocilizumab", every=1.0, from_day=2.0, until_day=3.0),)
    assert (policy.steroid, policy.gcsf, policy.tocilizumab, policy.antipyretic_from) == (None, None, None, None)
    assert policy.immunoglobulin == "" and policy.scale == "crs_astct" and policy.reads == ("crs_astct", "icans")


def test_a_policy_is_laid_over_the_one_that_it_is_based_on():
    base, delayed = read_policy("early_conservative"), read_policy("early_conservative_delayed")
    assert delayed.tocilizumab.waits == 1.0 and base.tocilizumab.waits == 0.0
    assert delayed.tocilizumab.from_grade == base.tocilizumab.from_grade == 3
    assert delayed.steroid == base.steroid and delayed.gcsf == base.gcsf and delayed.name != base.name
    current = read_policy("astct_2019")
    assert current.steroid.taper == (Taper(until=1.0, share=0.5),)
    assert current.steroid.when[:2] == (
        SteroidStart(crs_at_least=2, after_tocilizumab=1.0),
        SteroidStart(crs_at_least=3),
    )
    assert (current.tocilizumab.or_grade, current.tocilizumab.or_lasts) == (1, 3)
    assert [dose.from_grade for dose in current.steroid.dose] == [0, 3, 4]
    assert read_policy("prophylactic").dated[0].treatment == "tocilizumab"
    assert read_policy("prophylactic").steroid == current.steroid


def test_dose_rules_of_a_policy_change_those_of_its_base_and_no_other(tmp_path):
    path = tmp_path / "own.toml"
    path.write_text(POLICY + 'based_on = "astct_2019"\n[dosing]\ntocilizumab_most = 2\n', encoding="utf-8")
    own, base = read_policy(path), read_policy("astct_2019")
    assert own.dosing["tocilizumab_most"] == 2 and base.dosing["tocilizumab_most"] == 4
    assert {**own.dosing, "tocilizumab_most": 4} == dict(base.dosing)


def test_advice_and_schedule_refuse_findings_without_the_grade_that_their_rows_name():
    course = Course(np.array([0]), np.array([1.0]), {"neutrophils": np.array([[0.3]])})
    findings = grade(course, age=40.0, scales=("neutropenia",))
    with pytest.raises(InputError, match="advice reads the finding 'crs_astct', which was not graded"):
        suggest(course, findings, weight=70)
    with pytest.raises(InputError, match="the schedule reads the finding 'crs_astct', which was not graded"):
        due(course, 1.0, findings=findings)


def test_washouts_by_their_shortest_and_longest_rule():
    rule = next(row for row in rows_of("washouts", WashoutRule) if row.days < row.days_long)
    for before, running in ((rule.days - 0.5, 1), (rule.days, -1), (rule.days_long - 0.5, -1), (rule.days_long, 0)):
        (found,) = washouts({rule.name: -before}, 0.0)
        assert (found.running, found.ends, found.ends_long) == (running, rule.days - before, rule.days_long - before)
        assert (found.drug, found.last_day, found.mark, found.note) == (rule.name, -before, rule.mark, rule.note)


def test_a_baseline_before_the_infusion_reads_no_later_value():
    days = np.array([-40.0, -30.0, -10.0, -2.0, 0.0, 1.0, 5.0])
    values = np.array([[5.0, 40.0, 30.0, np.nan, 10.0, 2.0, 90.0]])
    course = Course(np.array([0]), days, {"ast": values})
    # the value of day -40 is too old, those after the infusion are no baseline
    expected = [np.nan, 40.0, 30.0, 30.0, 10.0, 10.0, 10.0]
    np.testing.assert_array_equal(lowest_before(course, "ast", 30.0).low, [expected])
    whole, most = organ_range(course, "transaminase")
    assert (whole == most).all()
    for column, day in enumerate(days):
        assert organ_range(course.until(day), "transaminase")[0][0, -1] == whole[0, column]
    late = Course(np.array([0]), days[5:], {"ast": values[:, 5:]})
    found = lowest_before(late, "ast", 30.0).low
    assert np.isnan(found).all() and found.shape == (1, 2)
