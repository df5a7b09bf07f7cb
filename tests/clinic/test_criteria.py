"""Editions, B-cell aplasia, cytopenias and eligibility."""

import re
import tomllib
from types import SimpleNamespace

import numpy as np
import pytest

from vein2vein.analytes import all_analytes
from vein2vein.cards import parse_card
from vein2vein.clinic.care.eligibility import eligible, reasons
from vein2vein.clinic.criteria import edition, editions, read_edition, reference, with_sources
from vein2vein.clinic.grades.b_cell_aplasia import b_cell_aplasia, early_loss, loss_day, unreadable_baseline
from vein2vein.clinic.grades.crs import FACTS
from vein2vein.clinic.grades.grades import first_day, worst
from vein2vein.clinic.grades.hematotoxicity import grade_cytopenia
from vein2vein.clinic.grades.organs import ORGANS
from vein2vein.clinic.grades.risk_scores import early_prediction, easix, latest_values
from vein2vein.clinic.grades.signs import systolic_limit
from vein2vein.errors import InputError
from vein2vein.therapy.course import Course

HEAD = 'title = "T"\npublished = "P"\ndate = "2020-01-01"\nsource = "clinical_rules_2026"\nwhere = "-"\n'


@pytest.mark.parametrize("name", editions())
def test_every_edition_reads_and_marks_each_number(name):
    found = edition(name)
    assert found.title and found.published and found.source and found.where
    assert found.thresholds or found.levels or found.rules
    for threshold in found.thresholds.values():
        assert threshold.unit and threshold.meaning and threshold.mark
        assert threshold.why or threshold.mark != "D"
    for rule in found.rules:
        assert rule["mark"] and (rule["mark"] != "D" or rule["why"])


@pytest.mark.parametrize("name", [n for n in editions() if n.startswith(("crs_", "icans_"))])
def test_scales_read_only_what_exists(name):
    for level in edition(name).levels:
        if level.when:
            assert level.when in FACTS
        else:
            assert level.reads in all_analytes() or level.reads in ORGANS


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("[thresholds]\na = { value = 1, unit = 'd', meaning = 'm', mark = 'X' }", r"line 7.*expected R:S1"),
        ("[thresholds]\na = { value = 1, unit = 'd', meaning = 'm', mark = 'D' }", "why"),
        ("[thresholds]\na = { value = 1, unit = 'd', mark = 'M' }", "meaning"),
        ("[[levels]]\ncolumn = 'c'\ngrade = 1\nmark = 'M'\nreads = 'ice'", "comparisons"),
        ("[[levels]]\ncolumn = 'c'\ngrade = 1\nmark = 'M'\nreads = 'ice'\nover = 3", "unknown field 'over'"),
        ("threshold = 1", "did you mean thresholds"),
    ],
)
def test_bad_editions_are_refused(text, complaint):
    with pytest.raises(InputError, match=complaint):
        read_edition(parse_card(HEAD + text, "mine.toml"))


def test_unknown_edition():
    with pytest.raises(InputError, match="crs_astct_2019"):
        edition("crs_astct_2018")


def one(days, **values):
    return Course(np.arange(1), np.array(days, float), {name: np.array([v], float) for name, v in values.items()})


NAN = float("nan")


@pytest.mark.parametrize(
    ("name", "analyte", "values", "grades"),
    [
        ("neutropenia", "neutrophils", [2.0, 1.99, 1.5, 1.49, 1.0, 0.99, 0.5, 0.49, NAN], [0, 1, 1, 2, 2, 3, 3, 4, -1]),
        ("thrombocytopenia", "platelets", [150, 149, 75, 74, 50, 49, 25, 24], [0, 1, 1, 2, 2, 3, 3, 4]),
        ("anemia", "hemoglobin", [12, 11.9, 10, 9.9, 8, 7.9], [0, 1, 1, 2, 2, 3]),
        ("lymphopenia", "lymphocytes", [1.0, 0.99, 0.79, 0.5, 0.49, 0.19], [0, 1, 2, 2, 3, 4]),
    ],
)
def test_cytopenia_at_each_border(name, analyte, values, grades):
    found = grade_cytopenia(one(range(len(values)), **{analyte: values}), name)
    assert found.grade[0].tolist() == grades


def test_unknown_cytopenia():
    with pytest.raises(InputError, match="neutropenia"):
        grade_cytopenia(one([0], neutrophils=[1.0]), "neutropaenia")


def test_worst_and_first_day():
    found = grade_cytopenia(one([0, 5, 10, 20], neutrophils=[3, 0.9, 0.3, NAN]), "neutropenia")
    assert worst(found).tolist() == [4] and worst(found, 0, 5).tolist() == [3] and worst(found, 20, 30).tolist() == [-1]
    assert first_day(found, 3).tolist() == [5] and first_day(found, 5).tolist() == [np.inf]


@pytest.mark.parametrize(
    ("definition", "values", "state"),
    [
        ("default", {"b_cells": 5, "lymphocytes": 1.0}, 1),
        ("default", {"b_cells": 5, "lymphocytes": 0.2}, 0),  # 2.5 % of lymphocytes
        ("default", {"b_cells": 10, "lymphocytes": 2.0}, 0),
        ("default", {"b_cells": 5}, -1),  # few, but their share is unknown
        ("default", {"b_cells": 0}, 1),  # of none, the share is known
        ("default", {"b_cells": 5, "b_cell_percent": 1.5, "lymphocytes": 1.0}, 0),
        ("default", {"lymphocytes": 1.0}, -1),
        ("seattle", {"b_cells": 3}, 1),
        ("seattle", {"b_cells": 3.1}, 0),
        ("upenn", {"b_cells": 9, "white_cells": 1.0}, 1),
        ("upenn", {"b_cells": 10, "white_cells": 1.0}, 0),
        ("upenn", {"b_cells": 9}, -1),
        ("eliana", {"b_cells": 29, "white_cells": 1.0}, 1),
        ("cincinnati", {"b_cells": 99, "b_cell_percent": 1.0}, 1),
        ("cincinnati", {"b_cells": 100, "b_cell_percent": 0.5}, 0),
    ],
)
def test_definitions_of_b_cell_aplasia(definition, values, state):
    assert b_cell_aplasia(one([30], **{k: [v] for k, v in values.items()}), definition).grade.tolist() == [[state]]


@pytest.mark.parametrize(
    ("counts", "day"),
    [
        ([150, 0, 0, 20, 30, 0], 90),
        ([150, 0, 20, 0, 20, 30], 120),  # a single sample does not count
        ([150, 0, 0, 0, 0, 20], np.inf),  # not confirmed
        ([150, 0, 20, NAN, 30, 40], 60),  # the next sample, whenever it is
        ([150, 150, 150, 150, 150, 150], np.inf),  # never aplastic
    ],
)
def test_aplasia_is_lost_at_the_first_of_two_samples_in_a_row(counts, day):
    found = b_cell_aplasia(one([0, 30, 60, 90, 120, 150], b_cells=counts))
    assert loss_day(found).tolist() == [day]


def test_a_loss_within_six_months_is_early_and_an_antibody_within_six_months_spoils_the_baseline():
    half_a_year = 6 * 30.4375
    assert early_loss(np.array([30, half_a_year, half_a_year + 0.1, np.inf])).tolist() == [True, True, False, False]
    assert early_loss(np.array([30, 31, 62]), months=1).tolist() == [True, False, False]
    found = unreadable_baseline([0, half_a_year - 0.1, half_a_year, NAN])
    assert found.tolist() == [True, True, False, False]


def test_the_latest_values_are_no_older_than_asked():
    course = one([-9, -5, -2, 0, 1], platelets=[150, 90, NAN, NAN, 30], crp=[5, NAN, NAN, NAN, 80])
    found = latest_values(course, ("platelets", "crp", "ferritin"), day=0, window=7)
    assert list(found) == ["platelets", "crp", "ferritin"]
    assert [end.tolist() for end in found["platelets"]] == [[90], [90]]
    assert np.isnan(found["crp"].low[0]) and np.isnan(found["ferritin"].high[0])
    assert latest_values(course, ("crp",), day=1, window=7)["crp"].low.tolist() == [80]
    assert latest_values(course, ("crp",), day=0, window=9)["crp"].low.tolist() == [5]


def test_scores_of_an_unknown_kind_are_answered_with_the_nearest():
    with pytest.raises(InputError, match=r"^unknown kind of EASIX 's_easx'; did you mean s_easix"):
        easix({"ldh": 1.0}, "s_easx")
    with pytest.raises(InputError, match=r"^unknown early prediction 'hay_2018'; did you mean hay_2017"):
        early_prediction(one([0], temperature=[39]), "hay_2018")


@pytest.mark.parametrize(
    ("years", "limit"),
    [(0.0766, 60), (0.0767, 70), (0.99, 70), (1.0, 72), (5.0, 80), (10.0, 90), (10.1, 90), (40.0, 90)],
)
def test_the_least_systolic_pressure_by_age(years, limit):
    assert systolic_limit(years, edition("crs_astct_2019")) == limit


def test_unknown_definition():
    with pytest.raises(InputError, match="seattle"):
        b_cell_aplasia(one([0], b_cells=[1]), "seatle")


def patients(**baseline):
    return SimpleNamespace(
        disease="pediatric_b_all", age=np.array([12.0, 25.9, 26.0, 2.0]), prior_lines=np.array([2.0, 3.0, 2.0, 0.0]),
        creatinine_clearance=np.array([100.0, 61.0, 60.0, np.nan]),
        baseline={name: np.array(v, float) for name, v in baseline.items()},
    )  # fmt: skip


def test_label_indication():
    label = SimpleNamespace(diseases=("pediatric_b_all",), age_low=np.nan, age_below=26.0, lines_low=1.0)
    found = eligible(patients(), label)
    assert found.eligible.tolist() == [1, 1, 0, 0]
    assert reasons(found, 0) == ()
    assert reasons(found, 2) == ("not met: label: age below 26",)
    other = SimpleNamespace(diseases=("lbcl",), age_low=18.0, age_below=np.inf, lines_low=2.0)
    assert eligible(patients(), other).eligible.tolist() == [0, 0, 0, 0]


def test_entry_criteria_are_met_not_met_or_unknown():
    full = patients(
        marrow_blasts=[60, 5, 80, 80],
        ast=[30, 200, 30, 30],
        alt=[30, 30, 201, 30],
        bilirubin=[1, 1.9, 1, 1],
        spo2=[98, 92, 98, 98],
    )
    found = eligible(full, criteria="eliana")
    assert found.eligible.tolist() == [1, 1, 0, 0]
    assert any("alt" in why for why in reasons(found, 2)) and any("creatinine" in why for why in reasons(found, 2))
    assert "unknown: kidney: creatinine_clearance above 60" in reasons(found, 3)
    bare = eligible(patients(), criteria="eliana")
    assert bare.eligible.tolist() == [-1, -1, 0, 0]
    with pytest.raises(InputError, match="eligibility_eliana"):
        eligible(full, criteria="elianna")


def test_every_source_number_of_the_criteria_has_a_reference():
    marks = set()
    for name in editions():
        found = edition(name)
        marks |= {t.mark for t in found.thresholds.values()} | {level.mark for level in found.levels}
        marks |= {str(row["mark"]) for row in found.rules}
        told = with_sources(" ".join(str(row.get("conflict", "")) for row in found.rules))
        assert all(", S" in told[max(0, at.start() - 2) : at.end()] for at in re.finditer(r"\bS\d+\b", told)), name
    for mark in marks - {"M", "D"}:
        for number in mark.removeprefix("R:").split(","):
            assert reference(f"R:{number}").endswith(f", {number}"), number


def own_thresholds():
    """Every threshold where it is written, not where it is included: (edition, name, table)."""
    for name, path in editions().items():
        card = tomllib.loads(path.read_text(encoding="utf-8"))
        for threshold, table in card.get("thresholds", {}).items():
            yield name, threshold, table


def test_a_choice_of_ours_stands_once():
    """What two publications state stands with each; a number that we chose for one meaning has one home."""
    homes = {}
    for name, threshold, table in own_thresholds():
        for key in ((table["meaning"], table["value"], table["unit"]), (threshold, table["value"], table["unit"])):
            homes.setdefault(key, []).append((name, threshold, table["mark"]))
    several = {key: found for key, found in homes.items() if len({(n, t) for n, t, _ in found}) > 1}
    ours = {}
    for key, found in several.items():
        limits = all(threshold.endswith("upper_limit") for _, threshold, _ in found)
        if any(mark == "D" for *_, mark in found) and not (limits and len({t for _, t, _ in found}) == len(found)):
            ours[key] = found
    assert not ours


def test_a_grade_4_count_has_its_limit_in_the_blood_grades_alone():
    own = {name: table for edition_name, name, table in own_thresholds() if edition_name == "iec_hs_2023"}
    blood = {level.reads for level in edition("ctcae_v5_blood").levels}
    assert not set(own) & blood


@pytest.mark.parametrize(
    ("shared", "name", "readers"),
    [
        ("clock", "tolerance", ("bedside_signs", "crs_astct_2019", "dosing")),
        ("bedside_signs", "fever", tuple(sorted(e for e in editions() if e.startswith("crs_")))),
        ("bedside_signs", "adult_systolic", tuple(sorted(e for e in editions() if e.startswith("crs_")))),
        ("laboratory_limits", "ast_upper_limit", ("ctcae_v5_organs", "iec_hs_2023", "eligibility_ebmt")),
        ("laboratory_limits", "stands", ("ctcae_v5_organs", "iec_hs_2023")),
        ("response_visits", "visit_slack", ("response_b_all_eliana", "response_lymphoma", "response_myeloma")),
    ],
)
def test_a_shared_threshold_is_read_from_its_home(shared, name, readers):
    home = edition(shared).thresholds[name]
    assert name in {n for e, n, _ in own_thresholds() if e == shared}
    for reader in readers:
        assert edition(reader).thresholds[name] is home, reader
    assert [e for e, n, t in own_thresholds() if n == name and t["unit"] == home.unit] == [shared]
