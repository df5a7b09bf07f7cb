"""A study written as a data set reads back the same, and every cell of it is a number."""

import csv

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vein2vein.errors import InputError
from vein2vein.io.study.read import read_study
from vein2vein.io.study.study import Covariate, Doses, Endpoint, Observations, Study
from vein2vein.io.study.write import write_study

NAN = np.nan
VALUES = st.floats(0.001, 1e9, allow_nan=False)
TIMES = st.integers(0, 40).map(lambda i: i / 4)


@st.composite
def studies(draw):
    """Studies of up to three subjects with up to two courses, two endpoints and every kind of covariate."""
    subjects = draw(st.sampled_from([("1", "2", "7"), ("01-a", "b, c", "d"), ("5",)]))
    subject = [i for i in range(len(subjects)) for _ in range(draw(st.integers(1, 2)))]
    endpoints = draw(st.sampled_from([
        (Endpoint("dv", "1"),), (Endpoint("cp", "cp", "ng/mL"), Endpoint("b cells", "b cells")),
        (Endpoint("x", "3"), Endpoint("y", "7", "10^9/L")),
    ]))  # fmt: skip
    seen, given_ = [], []
    for course in range(len(subject)):
        for time in sorted(draw(st.sets(TIMES, max_size=3))):
            censored = draw(st.sampled_from((0, 0, 1, -1)))
            value = draw(VALUES)
            limit = NAN if not censored or draw(st.booleans()) else value - 0.0005 * censored * value
            seen.append((course, time, value, draw(st.integers(0, len(endpoints) - 1)), censored, limit,
                         draw(st.integers(0, 2))))  # fmt: skip
        for time in sorted(draw(st.sets(TIMES, min_size=1, max_size=2))):
            steady, more, rate = draw(st.integers(0, 2)), draw(st.integers(0, 3)), draw(st.sampled_from((0, 2.5, -1)))
            given_.append((course, time, draw(VALUES), rate, draw(st.sampled_from(("1", "2", "depot"))),
                           12.0 if steady or more else 0.0, more, steady))  # fmt: skip
    n, k = len(subjects), len(subject)
    words = np.array([draw(st.sampled_from((0.0, 1.0, NAN))) for _ in range(n)])
    covariates = {"WT": Covariate("WT", np.array([draw(st.one_of(VALUES, st.just(NAN))) for _ in range(n)]))}
    if np.isfinite(covariates["WT"].constant).sum() == 0:
        covariates = {}
    if {0.0, 1.0} <= set(words.tolist()):
        covariates["ARM"] = Covariate("ARM", words, ("high", "low dose"))
    if draw(st.booleans()):
        changes = [(np.array([0.0, 3.3]), np.array([1.0, 2.0])) for _ in range(k)]
        covariates["CRP"] = Covariate("CRP", None, (), tuple(changes))
    columns = [np.array(c) for c in zip(*seen)] if seen else [np.empty(0)] * 7
    doses = [np.array(c) for c in zip(*given_)]
    return Study(
        "s", "NONMEM", subjects, np.array(subject), endpoints if seen else (),
        Observations(columns[0].astype(int), columns[1].astype(float), columns[2].astype(float), columns[3].astype(int),
                     columns[4].astype(np.int8), columns[5].astype(float), columns[6].astype(int),
                     np.zeros(len(seen), int)),
        Doses(doses[0].astype(int), doses[1].astype(float), doses[2].astype(float), doses[3].astype(float),
              np.full(len(given_), NAN), doses[4].astype(str), doses[5].astype(float), doses[6].astype(int),
              doses[7].astype(np.int8), np.zeros(len(given_), int)),
        covariates, draw(st.sampled_from(("d", "h"))),
    )  # fmt: skip


@settings(max_examples=40, deadline=None)
@given(studies())
def test_what_was_written_reads_back_the_same(tmp_path_factory, study):
    path = write_study(study, tmp_path_factory.mktemp("s") / "s.csv")
    with open(path, encoding="utf-8", newline="") as file:
        cells = [cell for row in list(csv.reader(file))[1:] for cell in row]
    assert all(np.isfinite(float(cell)) for cell in cells)
    again = read_study(path)
    if not len(study.observations):
        assert [one.what for one in again.findings] == ["no observation in the whole file"]
        return
    assert again.findings == () and again.subjects == study.subjects and again.time_unit == study.time_unit
    np.testing.assert_array_equal(again.subject, study.subject)
    seen = sorted({int(i) for i in study.observations.endpoint})
    assert [(one.name, one.unit) for one in again.endpoints] == [
        (study.endpoints[i].name, study.endpoints[i].unit) for i in seen
    ]
    kept = study.chosen(endpoints=[study.endpoints[i].name for i in seen])
    for table, other in ((kept.observations, again.observations), (kept.doses, again.doses)):
        for name in vars(table):
            if name != "line":
                np.testing.assert_array_equal(getattr(other, name), getattr(table, name), err_msg=name)
    assert again.covariates.keys() == study.covariates.keys()
    for name, one in study.covariates.items():
        other = again.covariates[name]
        assert other.categories == one.categories
        if one.constant is not None:
            np.testing.assert_array_equal(other.constant, one.constant)
        for (times, values), (t, v) in zip(one.in_time, other.in_time, strict=True):
            assert v.tolist() == values[np.searchsorted(times, t, side="right") - 1].tolist() and t[-1] >= times[-1]


def study_of(**covariates):
    return Study(
        "s", "NONMEM", ("1",), np.array([0]), (Endpoint("dv", "1"),),
        Observations(*(np.array([v]) for v in (0, 1.0, 2.0, 0, 0, NAN, 0, 0))),
        Doses(*(np.array([v]) for v in (0, 0.0, 5.0, 0.0, NAN, "1", 0.0, 0, 0, 0))), covariates,
    )  # fmt: skip


def test_a_number_for_not_known_is_none_that_stands_there(tmp_path):
    path = write_study(
        study_of(A=Covariate("A", np.array([-99.0])), B=Covariate("B", np.array([NAN]))), tmp_path / "s.csv"
    )
    assert path.read_text().splitlines()[1].endswith(",-99,-999")
    assert "missing = [-999]" in (tmp_path / "s.columns.toml").read_text()


def test_a_covariate_may_not_have_the_name_of_another_column(tmp_path):
    with pytest.raises(InputError, match="'Dvid' has the name of another column; rename it"):
        write_study(study_of(Dvid=Covariate("Dvid", np.array([1.0]))), tmp_path / "s.csv")
    assert not list(tmp_path.iterdir())


def test_nothing_is_overwritten_unless_forced(tmp_path):
    write_study(study_of(), tmp_path / "s.csv")
    with pytest.raises(InputError, match="exists already"):
        write_study(study_of(), tmp_path / "s.csv")
    write_study(study_of(), tmp_path / "s.csv", force=True)
