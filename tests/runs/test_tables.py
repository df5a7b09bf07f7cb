"""The tables of a run, column by column, on the six patients written by hand; what large runs say when they refuse."""

import dataclasses
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from vein2vein.errors import InputError
from vein2vein.runs import store
from vein2vein.runs.chunk import (
    COURSES,
    PER_PATIENT,
    Work,
    make_chunk,
    plain,
    readings,
    summaries,
    tables_of,
    work_record,
)
from vein2vein.runs.large import chunk_files, holds_large, run_large
from vein2vein.runs.scheduler import differences
from vein2vein.runs.streaming import compare_chunks, count_chunks
from vein2vein.trials.comparison import beside, compare, known_at, read_row
from vein2vein.trials.published import Published
from vein2vein.trials.trial import follow_up_at, load_trial

NAN, INF = np.nan, np.inf
ROW = Published("T", "a", "CRS", "D", 80.0, NAN, NAN, "S", 5.0, "%", "hay_2017", "W", "read", "outcome", "crs",
                {"scale": "penn", "grade": 1, "until": 56}, "infused", 5)  # fmt: skip
ROWS = (
    ROW,
    replace(ROW, quantity="ICU", endpoint="", reason="not simulated"),
    replace(ROW, quantity="ICANS", endpoint="icans", arguments={"grade": 1, "until": 56}),
    replace(ROW, quantity="relapse", endpoint="relapsed", among="responders", cutoff="early",
            arguments={"antigen": "any", "before_transplant": False}),
    replace(ROW, quantity="onset", endpoint="crs_onset", unit="days"),
    replace(ROW, quantity="half-life", endpoint="half_life_terminal", unit="days", arguments={}),
    replace(ROW, quantity="OS", endpoint="survival", time=100.0,
            arguments={"event": "OS", "clock": "infusion", "censor_transplant": False}),
)  # fmt: skip


@pytest.fixture
def trial():
    cutoffs = {"early": 250.0}
    return SimpleNamespace(published=ROWS, cutoffs=cutoffs, accrual=0.0, scale="penn", until=56.0, name="hand")


def test_every_column_of_a_patient_is_the_patients_own(journey):
    table = store.OF_JOURNEY["patients"](journey)
    own = {f.name: getattr(journey.patient, f.name) for f in dataclasses.fields(journey.patient)}
    for name in ("age", "weight", "male", "prior_lines", "prior_hsct", "burden"):
        np.testing.assert_array_equal(table[name], own[name])
    assert list(table)[:4] == ["patient", "age", "weight", "height"]
    assert list(table)[-4:] == ["infused", "not_infused_reason", "enrolment_day", "status"]
    np.testing.assert_array_equal(table["lot_viability"], np.arange(6.0))
    assert set(own) - set(table) == {"number", "disease", "antigens", "baseline", "known"}
    told = {"antigens": {"CD19": [6, 5, 4, 3, 2, 0]}, "baseline": {"crp": [1, 2, 3, 4, 5, 6]}}
    measured = replace(journey, patient=replace(journey.patient, **told))
    np.testing.assert_array_equal(store.OF_JOURNEY["patients"](measured)["antigen_CD19"], [6, 5, 4, 3, 2, 0])
    np.testing.assert_array_equal(store.OF_JOURNEY["patients"](measured)["baseline_crp"], np.arange(1.0, 7))
    np.testing.assert_array_equal(table["enrolment_day"], [-40, -45, -50, -60, -30, -44])


def test_outcomes_hold_what_became_of_each_patient(journey):
    table = store.OF_JOURNEY["outcomes"](journey)
    expected = [f.name for f in dataclasses.fields(journey.outcome)]
    kinetics = [f.name for f in dataclasses.fields(journey.kinetics) if f.name != "analyte"]
    assert list(table) == ["patient", "infused", *expected, *kinetics, "cure_probability_pp"]
    for name in expected:
        np.testing.assert_array_equal(table[name], getattr(journey.outcome, name))
    np.testing.assert_array_equal(table["auc_0_28"], journey.kinetics.auc_0_28)
    np.testing.assert_array_equal(table["cure_probability_pp"], np.linspace(0, 1, 6))


def test_the_course_has_a_row_for_each_cell_that_holds_anything(journey):
    course, findings = (store.OF_JOURNEY[name](journey) for name in ("course", "findings"))
    held = np.zeros((6, journey.course.days.size), bool)
    for values in journey.course.values.values():
        held |= ~np.isnan(values)
    rows, columns = np.nonzero(held)
    for table in (course, findings):
        np.testing.assert_array_equal(table["patient"], rows)
        np.testing.assert_array_equal(table["day"], journey.course.days[columns])
    for name, values in journey.course.values.items():
        np.testing.assert_array_equal(course[name], values[held].astype(np.float32))
    assert [name for name in course if name.endswith("_below_lloq")] == ["transgene_below_lloq"]
    np.testing.assert_array_equal(course["transgene_below_lloq"], journey.course.below_lloq["transgene"][held])
    assert list(findings) == ["patient", "day", *sorted(journey.findings)]
    for name, one in journey.findings.items():
        np.testing.assert_array_equal(findings[name], one.grade[held])


def test_a_comparison_keeps_its_three_states_apart(journey):
    rows = [beside(ROW, 3, np.full(9, 80.0), level=0.9), beside(ROW, 3, np.zeros(9), level=0.9),
            beside(ROW, 0, None, level=0.9)]  # fmt: skip
    table = store.comparison_table(rows)
    assert table["inside"].tolist() == ["yes", "no", ""]
    assert list(table) == [f.name for f in dataclasses.fields(rows[0])]
    assert table["published"].tolist() == [80.0] * 3 and table["source"].tolist() == ["hay_2017"] * 3
    assert {name: len(column) for name, column in store.comparison_table(()).items()} == {"quantity": 0}


def test_summaries_are_worst_first_highest_lowest_and_in_all(journey):
    days = journey.course.days
    graded = {name: SimpleNamespace(grade=one.grade, days=days) for name, one in journey.findings.items()}
    seen = replace(journey, findings=graded)
    table = summaries(seen)
    assert table["patient"].tolist() == [0, 1, 2, 3, 4, 5]
    assert table["worst_crs_penn"].tolist() == [3, 4, 0, 1, -1, 1]
    np.testing.assert_array_equal(table["first_day_crs_penn"], [1, 2, INF, 5, INF, 0])
    np.testing.assert_array_equal(table["highest_temperature"], np.float32([39, 40, NAN, 38, NAN, 38.6]))
    np.testing.assert_array_equal(table["lowest_temperature"], np.float32([37, 38.2, NAN, 38, NAN, 38.6]))
    np.testing.assert_array_equal(table["total_tocilizumab"], [300, 1000, 0, 0, 0, 0])
    assert table["doses_tocilizumab"].tolist() == [1, 2, 0, 0, 0, 0]
    np.testing.assert_array_equal(table["b_cell_recovery_day"], [180, INF, INF, INF, INF, 56])
    assert np.isnan(table["highest_ferritin"]).all() and (table["doses_siltuximab"] == 0).all()
    assert "highest_tocilizumab" not in table and "total_temperature" not in table


def test_readings_hold_what_each_row_needs_of_each_patient(journey, trial):
    table = readings(trial, journey, seed=1)
    early = known_at(journey, follow_up_at(trial, journey.patient.number, 1)["early"])
    for i, row in enumerate(ROWS):
        if row.quantity in ("ICU", "ICANS"):
            continue
        arrays, pool = read_row(row, early if row.cutoff else journey, scale="penn", until=56.0)
        np.testing.assert_array_equal(table[f"in_{i}"], pool)
        for j, array in enumerate(arrays):
            np.testing.assert_array_equal(table[f"row_{i}_{j}"], array)
        assert f"row_{i}_{len(arrays)}" not in table and f"missing_{i}" not in table
    assert not [name for name in table if name.split("_")[1:2] == ["1"]]  # no endpoint: nothing is kept
    assert set(table["missing_2"]) == {"the journey does not grade icans"}
    assert table["row_2_0"].tolist() == [False] * 6  # nobody had it, of the infused
    assert table["in_2"].tolist() == [True, True, True, True, False, True]
    assert np.isnan(table["row_5_0"]).all() and not table["in_5"].any()


def in_chunks(journey, trial, folder, cuts):
    """The readings of some patients each, as files."""
    table, files = readings(trial, journey, seed=1), []
    for first, last in zip(cuts, [*cuts[1:], 6]):
        some = {name: column[first:last] for name, column in table.items()}
        files.append(store.write_table(some, folder / f"{first}.parquet"))
    return files


@pytest.mark.parametrize("cuts", [[0], [0, 1, 4], [0, 5]])
def test_the_comparison_from_chunks_is_the_one_of_all_patients(journey, trial, tmp_path, cuts):
    expected = compare(ROWS, journey, follow_up=follow_up_at(trial, journey.patient.number, 1), scale="penn",
                       until=56.0, seed=1)  # fmt: skip
    found = compare_chunks(ROWS, in_chunks(journey, trial, tmp_path, cuts), seed=1)
    assert repr(found) == repr(expected)
    none = compare_chunks([ROWS[1]], [], seed=1)
    assert [one.missing for one in none] == ["not simulated"]


def test_counts_are_of_the_enrolled(journey, tmp_path):
    files = {}
    for name in ("patients", "outcomes"):
        files[name] = [store.write_table(store.OF_JOURNEY[name](journey), tmp_path / f"{name}.parquet")]
    worst = {"worst_crs": np.array([3, 4, 0, 1, -1, 1], np.int8)}
    files["summaries"] = [store.write_table(worst, tmp_path / "summaries.parquet")]
    counted = count_chunks(files, ["worst_crs"])
    told = {}
    for quantity, value, patients, share in zip(*counted.values()):
        told.setdefault(quantity, {})[value] = patients
        assert share == patients / 6
    assert list(counted) == ["quantity", "value", "patients", "share"]
    assert told == {
        "infused": {"false": 1, "true": 5},
        "not infused because of": {"": 5, "manufacturing failure": 1},
        "computed to the end (0) or why not": {"0": 6},
        "best response": {"": 1, "CR": 3, "CRi": 1, "NR": 1},
        "residual disease negative": {"false": 3, "true": 3},
        "antigen at relapse": {"": 4, "negative": 1, "positive": 1},
        "cause of death": {"": 3, "disease": 3},
        "worst grade, crs": {"-1": 1, "0": 1, "1": 2, "3": 1, "4": 1},
    }


# Chunks


@pytest.fixture(scope="module")
def small():
    trial = load_trial("eliana")
    plan = replace(trial.plan, follow_up=30.0, disease_visits=(28.0,), kinetics_samples=(4.0, 7.0, 28.0))
    return replace(trial, plan=plan, published=(), patients=5)


def test_a_chunk_holds_its_patients_and_the_tables_that_were_asked_for(small, tmp_path):
    work = Work(small, 3)
    assert work.tables == ("patients", "outcomes", "summaries", "readings") == PER_PATIENT
    assert Work(small, 3, courses=True).tables == (*PER_PATIENT, "course", "findings") == (*PER_PATIENT, *COURSES)
    made = make_chunk(work, 2, 5, tmp_path)
    assert made.rows == dict.fromkeys(PER_PATIENT, 3) and list(made.files) == list(PER_PATIENT)
    assert not list(tmp_path.iterdir())
    assert "date" not in made.provenance and made.provenance["seed"] == 3 and made.failed == 0
    (tmp_path / "p.parquet").write_bytes(made.files["patients"])
    assert store.read_parquet([tmp_path / "p.parquet"])["patient"].tolist() == [2, 3, 4]


def test_the_courses_of_all_chunks_have_the_same_columns(journey, small):
    work = Work(replace(small, cutoffs={}), 3, courses=True)
    days = journey.course.days
    graded = {name: SimpleNamespace(grade=one.grade, days=days) for name, one in journey.findings.items()}
    course = tables_of(work, replace(journey, findings=graded))["course"]
    from vein2vein.analytes import all_analytes

    assert list(course) == [
        "patient", "day", *(one for name in sorted(all_analytes()) for one in (name, f"{name}_below_lloq")),
    ]  # fmt: skip
    plain_course = store.OF_JOURNEY["course"](journey)
    np.testing.assert_array_equal(course["temperature"], plain_course["temperature"])
    np.testing.assert_array_equal(course["transgene_below_lloq"], plain_course["transgene_below_lloq"])
    assert np.isnan(course["siltuximab"]).all() and not course["crp_below_lloq"].any()
    assert np.nanmin(course["norepinephrine"]) in (0, 6)  # a support may be 0, a treatment not given is NaN
    given = course["tocilizumab"]
    assert sorted(given[np.isfinite(given)]) == [300, 500, 500]


def test_what_identifies_a_run_is_plain_data(small):
    record = work_record(Work(small, 3))
    assert set(record) == {"trial", "policy"} and "file" not in record["trial"]
    assert record["trial"]["name"] == "eliana" and record["trial"]["patients"] == "5"
    assert record["policy"]["name"] == "early_conservative"
    assert plain({"b": np.float64(1.5), "a": (1, None, True), 3: {"y", "x"}}) == {
        "3": ["'x'", "'y'"], "a": ["1", None, True], "b": "1.5",
    }  # fmt: skip
    assert list(plain({"b": 1, "a": 2})) == ["a", "b"]
    assert plain(np.array([[1, 2.5]])) == [["1.0", "2.5"]]


def test_differences_are_named_with_their_values_where_they_are_short():
    assert differences({"a": 1, "b": "x"}, {"a": 1, "b": "x", "c": 3}) == ""
    assert differences({"a": 1, "b": "x"}, {"a": 2}) == "a (2, expected 1), b (None, expected x)"
    assert differences({"code": "f" * 64}, {"code": "e" * 64}) == "code"


REFUSED = [
    ({"patients": 0}, "patients: found 0, expected a whole number from 1 to 1,000,000."),
    ({"patients": 1_000_001}, "patients: found 1000001, expected a whole number from 1 to 1,000,000."),
    ({"chunk": 0}, "chunk: found 0, expected a whole number of 1 or more."),
]


@pytest.mark.parametrize(("choices", "said"), REFUSED)
def test_impossible_sizes_are_refused_before_a_folder_is_made(choices, said, small, tmp_path):
    with pytest.raises(InputError) as caught:
        run_large(small, tmp_path / "run", **choices)
    assert str(caught.value) == said and not (tmp_path / "run").exists()


def test_a_run_goes_on_only_as_it_was_begun(small, tmp_path):
    folder, told = tmp_path / "run", []
    result = run_large(small, folder, seed=3, chunk=2, progress=lambda share, text: told.append((share, text)))
    assert (result.patients, result.failed, result.notes, result.folder) == (5, 0, (), folder)
    assert told == [(0.4, "2 of 5 patients"), (0.8, "4 of 5 patients"), (1.0, "5 of 5 patients"),
                    (1.0, "comparing with the published trial")]  # fmt: skip
    manifest = store.read_manifest(folder)
    files = [f"000000{i}.parquet" for i in (0, 2, 4)]
    assert [one["file"] for one in manifest["chunks"]] == files
    assert chunk_files(folder, manifest)["outcomes"] == [folder / "outcomes" / file for file in files]
    assert (manifest["state"], manifest["chunk"], manifest["patients"]) == ("complete", 2, 5)
    assert holds_large(folder) and not holds_large(tmp_path)
    refused = [
        ({"seed": 4, "chunk": 2}, f"{folder} holds a run with another seed (3, expected 4); give another folder, or "
                                  "--force to begin anew."),
        ({"seed": 3, "patients": 4}, f"{folder} holds a run with another number of patients (5, expected 4); give "
                                     "another folder, or --force to begin anew."),
        ({"seed": 3, "chunk": 3}, f"{folder} holds a run in chunks of 2, not 3; leave --chunk out to go on with it."),
    ]  # fmt: skip
    for choices, said in refused:
        with pytest.raises(InputError) as caught:
            run_large(small, folder, **choices)
        assert str(caught.value) == said
    (folder / "readings" / files[1]).write_bytes(b"x")
    again = run_large(small, folder, seed=3)
    assert again.notes == ("readings of patients 2 to 3 was damaged or missing; they are computed again",)
    (folder / "patients" / "mine.parquet").write_bytes(b"x")
    with pytest.raises(InputError) as caught:
        run_large(small, folder, seed=3)
    assert str(caught.value) == (
        f"{folder / 'patients' / 'mine.parquet'} is not of this run; move it away, or give another folder."
    )


def test_what_is_no_complete_run_is_refused_in_one_sentence(small, tmp_path):
    with pytest.raises(InputError) as caught:
        store.read_table(tmp_path, "patients")
    assert caught.value.text == "no manifest.json here: not a results folder, or the run did not finish."
    run_large(small, tmp_path / "run", seed=3)
    path = tmp_path / "run" / "manifest.json"
    path.write_text(path.read_text(encoding="utf-8").replace('"complete"', '"running"'), encoding="utf-8")
    with pytest.raises(InputError) as caught:
        store.read_table(tmp_path / "run", "patients")
    assert caught.value.text == "the run is not complete; the command that began it goes on with it."
    path.write_text('{\n"a": 1,\n}', encoding="utf-8")
    with pytest.raises(InputError) as caught:
        store.read_manifest(tmp_path / "run")
    assert (caught.value.text, caught.value.line) == ("is not valid JSON; run the trial again.", 3)
    (tmp_path / "file").write_text("x")
    with pytest.raises(InputError) as caught:
        run_large(small, tmp_path / "file")
    assert str(caught.value) == f"folder: {tmp_path / 'file'} is a file, expected a folder; give another path."
