"""Population data sets read as what they are: every column decided once, and what is wrong told by line and column."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vein2vein.cards import parse_card
from vein2vein.errors import InputError
from vein2vein.io.check import check_file
from vein2vein.io.record.read import read_record
from vein2vein.io.study.columns import Columns, EndpointRows, TimeColumn, columns_from_card
from vein2vein.io.study.read import read_study

NAN = np.nan
OWN = "ID,TIME,DV,MDV,EVID,AMT,CMT,BLQ,LLOQ,DVID"
DOSE, SAMPLE = "1,0,.,1,1,1e8,1,0,.,0", "1,7,5000,0,0,0,1,0,50,1"
PLAIN = "ID,TIME,AMT,DV,EVID"


@pytest.fixture
def read(tmp_path):
    def reads(*lines, start=b"", columns=None, key=""):
        (tmp_path / "n.csv").write_bytes(start + "\n".join(lines).encode())
        if key:
            (tmp_path / "n.columns.toml").write_text(key)
        return read_study(tmp_path / "n.csv", columns=columns)

    return reads


def check(tmp_path, *lines, start=b""):
    path = tmp_path / "n.csv"
    path.write_bytes(start + "\n".join(lines).encode())
    return check_file(path)


# ---------------------------------------------------------------- forms


@pytest.mark.parametrize(
    ("lines", "kind", "said"),
    [
        ((OWN, DOSE, SAMPLE), "NONMEM", "1 subject, 1 dose, 1 sample"),
        *(
            (tuple(line.replace(",", sign) for line in (OWN, DOSE, SAMPLE)), "NONMEM", "1 subject, 1 dose, 1 sample")
            for sign in (";", "\t", "|", " ", "   ")
        ),
        (
            (OWN, DOSE, SAMPLE, "1,0,.,1,4,1e8,1,0,.,0", "1,8,900,0,0,0,1,0,50,1"),
            "NONMEM",
            "1 subject in 2 courses, 2 doses, 2 samples",
        ),
        (
            ("C,ID,TIME,AMT,DV,EVID,MDV", ".,1,0,1e8,.,1,1", "C,1,3,.,high,0,0", ".,1,7,.,5000,0,0"),
            "NONMEM",
            "1 dose, 1 sample",
        ),
        (("# a remark", "#ID,TIME,AMT,DV,EVID", "1,0,9,.,1", "#1,x", "@ x,1,2,3,4", "1,2,.,3,0"), "NONMEM", "1 sample"),
        ((PLAIN, "1,0,9,.,1", PLAIN, "1,2,.,3,0,,"), "NONMEM", "1 dose, 1 sample"),
        (
            ("ID,DATE,TIME,AMT,DV,EVID,MDV", "1,2024-01-01,10:00,1e8,.,1,1", "1,2024-01-08,09:00,.,5000,0,0"),
            "NONMEM",
            "1 sample",
        ),
        (
            ("ID,TIME,AMT,DV,YTYPE,CENS,LIMIT,WT", "1,0,1e8,.,.,.,.,70", "1,7,.,5000,1,0,.,70", "1,28,.,50,1,1,0,70"),
            "Monolix",
            "2 samples, 1 of them below",
        ),
        (
            ("id,time,amt,dv,evid,cmt,dvid", "1,0,100,0,101,1,", "1,1,0,5,0,2,cp", "2,0,100,0,101,1,"),
            "nlmixr",
            "2 subjects, 2 doses, 1 sample",
        ),
        (("SUBJID,TAFD,AMOUNT,CONC,MDV", "1,0,9,.,1", "1,2,.,3,0"), "NONMEM", "1 dose, 1 sample"),
    ],
)
def test_whole_data_sets(tmp_path, lines, kind, said):
    report = check(tmp_path, *lines)
    assert report.fit and report.kind == f"{kind} data set" and said in report.uses[0], report


def test_a_byte_order_mark_and_other_delimiters_are_told(tmp_path):
    report = check(tmp_path, OWN, DOSE, SAMPLE, start=b"\xef\xbb\xbf")
    assert report.fit and any("byte order mark" in note for note in report.notes)
    report = check(tmp_path, *(line.replace(",", ";") for line in (OWN, DOSE, SAMPLE)))
    assert report.fit and any("semicolons" in note for note in report.notes)


def test_a_data_set_is_no_record_of_a_ward_unless_a_mapping_says_so(tmp_path):
    path = tmp_path / "n.csv"
    path.write_text("\n".join(("ID,TIME,AMT,DV", "1,0,1e8,.", "1,7,.,39")))
    with pytest.raises(InputError, match=r"population kinetics.*vein2vein check"):
        read_record(path)
    (tmp_path / "m.toml").write_text(
        'form = "wide"\n[columns]\nID = "patient"\nTIME = "day"\nAMT = "ignore"\nDV = "temperature"\n'
    )
    assert read_record(path, mapping=tmp_path / "m.toml").course.values["temperature"].tolist() == [[39]]


# ---------------------------------------------------------------- what is wrong


@pytest.mark.parametrize(
    ("rows", "line", "column", "said"),
    [
        ((DOSE, "1,7,.,0,0,0,1,0,50,1"), 3, "DV", "without a value: NONMEM reads it as 0"),
        ((SAMPLE,), None, "AMT", "no dose in the whole file"),
        ((DOSE, "1,28,900,0,0,0,1,1,50,1"), 3, "DV", "above it"),
        ((DOSE, SAMPLE, "1,3,5200,0,0,0,1,0,50,1"), 4, "TIME", "goes back"),
        ((DOSE, "1,7,high,0,0,0,1,0,50,1"), 3, "DV", "not a finite number"),
        ((DOSE, "1,7,inf,0,0,0,1,0,50,1"), 3, "DV", "finite"),
        ((DOSE, "1,7,1_000,0,0,0,1,0,50,1"), 3, "DV", "not a finite number"),
        ((DOSE, "1,7,5000,0,0,0,1,0"), 3, "", "fields"),
        (("1,0,.,1,1,0,1,0,.,0", SAMPLE), 2, "AMT", "without an amount"),
        (("1,0,.,1,1,-5,1,0,.,0", SAMPLE), 2, "AMT", "negative dose of subject 1"),
        ((DOSE, "1,7,5000,0,0,5,1,0,50,1"), 3, "AMT", "with an amount"),
        ((DOSE, SAMPLE, "2,0,.,1,1,1e8,1,0,.,0", "1,9,50,0,0,0,1,0,50,1"), 5, "ID", "used twice"),
        ((DOSE, ".,7,5000,0,0,0,1,0,50,1"), 3, "ID", "without a subject"),
        ((DOSE, "1,.,5000,0,0,0,1,0,50,1"), 3, "TIME", "no time"),
        ((DOSE, SAMPLE, "1.5,0,.,1,1,1e8,1,0,.,0"), 4, "ID", "not whole"),
        ((DOSE, "1,7,5000,0,5,0,1,0,50,1"), 3, "EVID", "a dose that replaces"),
        ((DOSE, "1,7,5000,0,9,0,1,0,50,1"), 3, "EVID", "no program has"),
        ((DOSE, "1,7,.,1,2,3,1,0,50,1"), 3, "AMT", "EVID 2, which gives no dose"),
        (("1,0,4,0,1,1e8,1,0,.,0", SAMPLE), 2, "DV", "a value in the row of a dose"),
        ((DOSE, "1,7,5000,0,0,0,1,2,50,1"), 3, "BLQ", "no program has"),
        ((DOSE, "1,7,0,0,0,0,1,1,.,1"), 3, "DV", "a limit that is not known"),
        ((DOSE, SAMPLE, "1,8,5000,0,0,0,2,0,50,1"), 4, "CMT", "the two columns disagree"),
        ((DOSE, SAMPLE, "1,8,5000,0,0,0,1,0,50,."), 4, "DVID", "of no kind"),
        (("1,0,.,1,60101,1e8,1,0,.,0", SAMPLE), 2, "EVID", "the code of nlmixr"),
    ],
)
def test_what_is_wrong_is_told_by_line_column_and_subject(tmp_path, rows, line, column, said):
    report = check(tmp_path, OWN, *rows)
    (problem,) = report.problems
    assert not report.fit and (problem.line, problem.column) == (line, column) and said in str(problem), problem
    assert problem.remedy


@pytest.mark.parametrize(
    ("header", "row", "column", "said"),
    [
        (f"{PLAIN},ADDL", "1,0,9,.,1,3", "II", "further doses of subject 1 without an interval"),
        (f"{PLAIN},ADDL,II", "1,0,9,.,1,-1,24", "ADDL", "cannot be counted"),
        (f"{PLAIN},ADDL,II", "1,0,9,.,1,1.5,24", "ADDL", "cannot be counted"),
        (f"{PLAIN},SS,II", "1,0,9,.,1,1,0", "II", "a steady state of subject 1 without an interval"),
        (f"{PLAIN},SS,II", "1,0,9,.,1,3,24", "SS", "of no known kind"),
        (f"{PLAIN},RATE", "1,0,9,.,1,-3", "RATE", "negative rate"),
        (f"{PLAIN},DUR", "1,0,9,.,1,-3", "DUR", "negative duration"),
        ("ID,TIME,AMT,DV,MDV", "1,0,9,4,0", "AMT", "a dose and a value in one row"),
    ],
)
def test_what_is_wrong_with_a_dose(read, header, row, column, said):
    study = read(header, row, "1,9,0,4,0" + ",0" * (header.count(",") - 4))
    (problem,) = study.findings
    assert (problem.line, problem.column) == (2, column) and said in str(problem)


@pytest.mark.parametrize(
    ("header", "row", "column", "said"),
    [
        ("CENS,LIMIT", "1,5", "LIMIT", "lies below a limit"),
        ("CENS,LIMIT", "1,4", "LIMIT", "lies below a limit"),
        ("CENS,LIMIT", "-1,3", "LIMIT", "lies above a limit"),
        ("CENS,LIMIT", "2,.", "CENS", "no program has"),
        ("CENS,BLQ", "0,1", "CENS", "do not agree"),
        ("CENS,LLOQ", "1,3", "DV", "above it"),
        ("UNIT,OCC", "ng/L,x", "OCC", "no number of an occasion"),
        ("UNIT,TIMEUNIT", "ng/L,h", "UNIT", "two units of dv"),
        ("TIMEUNIT,WT", "d,70", "TIMEUNIT", "times in two units"),
    ],
)
def test_what_is_wrong_with_a_value(read, header, row, column, said):
    first = {"UNIT,OCC": "ng/L,1", "UNIT,TIMEUNIT": "ug/L,h", "TIMEUNIT,WT": "h,70"}.get(header, ".,.")
    study = read(f"{PLAIN},{header}", f"1,0,9,.,1,{first}", f"1,1,.,5,0,{first}", f"1,2,.,4,0,{row}")
    (problem,) = study.findings
    assert (problem.line, problem.column) == (4, column) and said in str(problem)


def test_two_spellings_of_a_unit_are_one(read):
    study = read(f"{PLAIN},UNIT", "1,0,9,.,1,.", "1,1,.,5,0,ug/L", "1,2,.,4,0,ng/mL")
    assert study.fit and study.endpoints[0].unit == "ug/L"


@pytest.mark.parametrize(
    ("rows", "line", "said"),
    [
        ((DOSE, SAMPLE, "1,7,5200,0,0,0,1,0,50,1"), 4, "two values of one kind at one time of ID 1"),
        ((DOSE, SAMPLE, SAMPLE), 4, "the same value twice of one kind at one time of ID 1"),
        ((DOSE, SAMPLE, "2,7,5000,0,0,0,1,0,50,1"), None, "subjects without a dose (found 'ID 2'"),
    ],
)
def test_what_is_rarely_right_is_told_and_used(tmp_path, rows, line, said):
    report = check(tmp_path, OWN, *rows)
    (problem,) = report.problems
    assert report.fit and problem.line == line and said in str(problem)


def test_a_study_with_findings_is_refused_where_it_is_to_be_used(read):
    study = read(OWN, DOSE, "1,7,.,0,0,0,1,0,50,1", "1,8,9,0,0,7,1,0,50,1")
    with pytest.raises(InputError, match=r"n.csv, line 3, DV: a sample .*1 more: 'vein2vein check"):
        study.whole()
    assert read(OWN, DOSE, SAMPLE).whole().fit


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (("TIME,DV,AMT,EVID", "1,2,3,0"), "ID: no column holds it (ID, SUBJECT, SUBJ or the like"),
        (("ID,DV,AMT,EVID", "1,2,3,0"), 'or time = { column = "..." }'),
        (("ID,TIME,AMT,EVID,AMT", "1,2,3,0,4"), "line 1, AMT: this column stands twice"),
        (("ID,TIME,AMT,DV,EVID",), "no row below its header"),
    ],
)
def test_what_is_no_data_set_is_refused_with_what_is_lacking(read, lines, said):
    with pytest.raises(InputError) as caught:
        read(*lines)
    assert said in str(caught.value)


# ---------------------------------------------------------------- what it holds


def test_doses_observations_and_covariates_as_arrays(read):
    study = read(
        "id;time_h;amt;dv;evid;cmt;addl;ii;ss;rate;occ;dvid;wt;sex;crp",
        "a;0;100;.;1;1;2;24;1;50;1;.;70;m;5",
        "a;1,5;.;2,5;0;2;.;.;.;.;1;cp;.;m;5",
        "a;2;.;9;0;3;.;.;.;.;2;pd;.;m;8",
        "b;0;10;.;1;1;.;.;.;-2;1;.;50;f;1",
        "b;3;.;4;0;2;.;.;.;.;1;cp;50;f;.",
    )
    assert study.fit and study.time_unit == "h" and study.subjects == ("a", "b")
    assert [(one.name, one.code) for one in study.endpoints] == [("cp", "cp"), ("pd", "pd")]
    o, d = study.observations, study.doses
    assert o.time.tolist() == [1.5, 2, 3] and o.value.tolist() == [2.5, 9, 4] and o.endpoint.tolist() == [0, 1, 0]
    assert o.course.tolist() == [0, 0, 1] and o.occasion.tolist() == [1, 2, 1] and o.line.tolist() == [3, 4, 6]
    assert d.amount.tolist() == [100, 10] and d.rate.tolist() == [50, -2] and d.target.tolist() == ["1", "1"]
    assert (d.additional.tolist(), d.interval.tolist(), d.steady.tolist()) == ([2, 0], [24, 0], [1, 0])
    assert d.modelled.tolist() == [False, True] and any("the duration of these infusions" in n for n in study.notes)
    held = study.covariates
    np.testing.assert_array_equal(held["wt"].constant, [70, 50])
    assert any("wt stands in some rows" in note for note in study.notes)
    assert held["sex"].categories == ("f", "m") and held["sex"].constant.tolist() == [1, 0]
    assert held["crp"].constant is None and any(
        "crp changes within a subject, first in line 4" in n for n in study.notes
    )
    (times, values), (_, other) = held["crp"].in_time
    assert (times.tolist(), values.tolist(), other.tolist()) == ([0, 2], [5, 8], [1])


def test_censoring_in_every_form_is_one_polarity(read):
    study = read(
        f"{PLAIN},CENS,LIMIT,LLOQ,MDV",
        "1,0,9,.,1,.,.,.,1",
        "1,1,.,50,0,1,.,.,0",  # below 50, no lower end
        "1,2,.,50,0,1,10,.,0",  # between 10 and 50
        "1,3,.,0,0,1,0,50,0",  # LLOQ is the limit where the row has one
        "1,4,.,900,0,-1,1000,.,0",  # between 900 and 1000
        "1,5,.,900,0,-1,1e30,.,0",  # above 900
        "1,6,.,<30,0,0,.,.,0",
        "1,7,.,BLQ,0,.,.,20,0",
        "1,8,.,>800,0,.,.,.,0",
        "1,9,.,70,0,0,0,.,0",  # measured: its LIMIT says nothing
        "1,10,.,20,0,1,.,.,1",  # MDV 1: left out
    )
    o = study.observations
    assert study.fit and o.value.tolist() == [50, 50, 50, 900, 900, 30, 20, 800, 70]
    assert o.censored.tolist() == [1, 1, 1, -1, -1, 1, 1, -1, 0]
    np.testing.assert_array_equal(o.limit, [NAN, 10, 0, 1000, NAN, NAN, NAN, NAN, NAN])
    assert any("1 value below the limit with MDV 1" in note for note in study.notes)
    assert any("<50 and BLQ" in note for note in study.notes)


def test_blq_and_lloq_are_read_as_cens(read):
    study = read(OWN, DOSE, "1,7,0,0,0,0,1,1,50,1", "1,8,20,0,0,0,1,0,50,1")
    assert study.observations.value.tolist() == [50, 20] and study.observations.censored.tolist() == [1, 0]
    assert any("1 value below LLOQ and not marked" in note for note in study.notes)
    assert any("with another number than LLOQ" in note for note in study.notes)


def test_a_value_at_its_limit_contradicts_nothing(read):
    study = read(OWN, DOSE, "1,7,50,0,0,0,1,1,50,1", "1,8,50,0,0,0,1,0,50,1", "1,9,<30,0,0,0,1,0,50,1")
    assert study.fit and study.observations.value.tolist() == [50, 50, 30]
    assert not any("LLOQ" in note for note in study.notes)


def test_resets_begin_courses(read):
    study = read(
        PLAIN, "1,0,9,.,4", "1,5,.,3,0", "1,0,.,.,3", "1,0,9,.,1", "1,2,.,4,0", "2,0,9,.,1", "2,1,.,4,0", "2,8,.,.,3"
    )
    assert study.fit and study.subject.tolist() == [0, 0, 1]
    assert study.observations.course.tolist() == [0, 1, 2] and study.doses.course.tolist() == [0, 1, 2]


def test_codes_of_nlmixr_hold_compartment_steady_state_and_infusions(read):
    study = read(
        "id,time,amt,dv,evid,ii", "1,0,100,.,101,0", "1,1,5,.,210,12", "1,2,7,.,10301,0", "1,6,-7,.,10301,0",
        "1,7,3,.,120,24", "1,8,.,4,0,0",
    )  # fmt: skip
    d = study.doses
    assert study.fit and study.program == "nlmixr" and d.target.tolist() == ["1", "2", "3", "1"]
    assert (
        d.amount.tolist() == [100, 5, 28, 3] and d.rate.tolist() == [0, 0, 7, 0] and d.steady.tolist() == [0, 1, 0, 2]
    )
    np.testing.assert_array_equal(d.duration, [NAN, NAN, 4, NAN])


@pytest.mark.parametrize(
    ("code", "compartment"), [(101, "1"), (1201, "12"), (9901, "99"), (100101, "101"), (209910, "299")]
)
def test_compartments_of_codes_of_nlmixr(read, code, compartment):
    study = read(f"{PLAIN},II", f"1,0,7,.,{code},12", "1,3,.,2,0,0")
    assert study.fit and study.doses.target.tolist() == [compartment]


def test_a_dose_with_mdv_1_may_hold_any_value(read):
    assert read(f"{PLAIN},MDV", "1,0,7,3,1,1", "1,3,.,2,0,0").fit


@pytest.mark.parametrize(
    ("rows", "line", "said"),
    [
        (("1,0,7,.,10101", "1,3,.,2,0"), 2, "begins and does not end"),
        (("1,0,7,.,10101", "1,3,-6,.,10101", "1,4,.,2,0"), 3, "did not begin"),
        (("1,0,7,.,10101", "1,3,7,.,10101", "1,4,-7,.,10101"), 3, "before the last one"),
    ],
)
def test_infusions_that_do_not_fit_together(read, rows, line, said):
    study = read(PLAIN, *rows)
    assert said in str(study.findings[0]) and study.findings[0].line == line


def test_a_steady_state_of_99_without_an_interval_is_a_filler(read):
    study = read(f"{PLAIN},SS,II", "1,0,9,.,1,99,0", "1,1,.,4,0,99,0")
    assert study.fit and study.doses.steady.tolist() == [0]
    assert any("SS 99 without an interval is taken as a filler" in note for note in study.notes)


def test_a_constant_infusion_at_steady_state_needs_no_amount(read):
    study = read(f"{PLAIN},SS,II,RATE", "1,0,0,.,1,1,0,5", "1,1,.,4,0,0,0,0")
    assert study.fit and (study.doses.amount.tolist(), study.doses.rate.tolist()) == ([0], [5])


def test_a_duration_gives_the_rate(read):
    study = read("ID,TIME,AMT,DV,TINF", "1,0,10,.,4", "1,1,.,4,.")
    assert study.program == "Monolix" and (study.doses.rate.tolist(), study.doses.duration.tolist()) == ([2.5], [4])


def test_a_row_of_monolix_may_be_a_dose_and_a_sample(read):
    study = read("ID,TIME,AMT,Y,YTYPE,MDV", "1,0,10,3,1,0", "1,1,.,4,1,0")
    assert study.fit and len(study.doses) == 1 and study.observations.value.tolist() == [3, 4]


# ---------------------------------------------------------------- times


@pytest.mark.parametrize(
    ("header", "rows", "times", "unit", "said"),
    [
        ("DATE,TIME", ("2024-01-01,10:00", "2024-01-08,22:00"), [7.5], "d", "days since each subject's first row"),
        ("DATE,TIME", ("2024-01-01,0", "2024-01-08,7"), [7], "d", "the dates are not used"),
        ("DATE,TIME", ("2024-01-01,0", "2024-01-08,170.5"), [170.5], "h", "the dates are not used"),
        ("DATE,TIME", ("2024-01-01,10.5", "2024-01-01,22.5"), [0.5], "d", "days since"),
        ("DATE,TIME", ("2024-01-01,0", "2024-01-03,2"), [2], "d", "the dates are not used"),
        ("DATE,TIME", ("2024-01-01,0", "2024-01-02,1"), [1.041667], "d", "days since"),
        ("DAT1,TIME", ("02/01/2024,10:00", "03/01/2024,10:00"), [1], "d", "days since"),
        ("DATE,TIME", ("01/13/2024,10:00", "02/13/2024,10:00"), [31], "d", "days since"),
        ("DATE,X", ("2024-01-01,1", "2024-01-03,1"), [2], "d", "days since"),
        ("TIME,X", ("10:00,1", "12:30,1"), [12.5], "h", "read as hours"),
        ("DAY,X", ("0,1", "9,1"), [9], "d", ""),
        ("TIME (h),X", ("0,1", "9,1"), [9], "h", ""),
        ("TIME,TIMEUNIT", ("0,H", "9,H"), [9], "h", ""),
        ("TIME,X", ("0,1", "9,1"), [9], "", "TIME has no unit"),
    ],
)
def test_times_in_every_form(read, header, rows, times, unit, said):
    study = read(f"ID,{header},AMT,DV,EVID", f"1,{rows[0]},5,.,1", f"1,{rows[1]},.,4,0")
    assert study.fit and study.observations.time.tolist() == times and study.time_unit == unit
    assert not said or any(said in note for note in study.notes)


def test_other_columns_count_hours_where_times_are_dates(read):
    """Of all programs: dates become hours, and II, RATE and TINF are in the unit of time."""
    study = read(
        "ID,TIME,AMT,RATE,TINF,ADDL,II,DV,EVID", "1,2024-05-01 08:30,100,50,.,6,12,.,1",
        "1,2024-05-02 08:30,100,.,6,.,.,.,1", "1,2024-05-03 20:30,.,.,.,.,.,4,0",
    )  # fmt: skip
    d = study.doses
    assert study.fit and study.time_unit == "d" and study.observations.time.tolist() == [2.5]
    assert d.interval.tolist() == [0.5, 0] and d.rate.tolist() == pytest.approx([1200, 400])
    assert d.duration.tolist() == pytest.approx([np.nan, 0.25], nan_ok=True)
    assert "read in hours, as NONMEM, Monolix and nlmixr do beside dates: II, TINF, RATE" in study.notes


def test_an_infusion_of_nlmixr_beside_dates_gives_its_rate_by_the_hour(read):
    study = read("id,time,amt,dv,evid", "1,2024-05-01 08:30,50,.,10101", "1,2024-05-01 10:30,-50,.,10101",
                 "1,2024-05-02 08:30,.,4,0")  # fmt: skip
    d = study.doses
    assert d.amount.tolist() == pytest.approx([100], rel=1e-5) and d.rate.tolist() == pytest.approx([1200])
    assert any("infusions by their rate in amt" in note for note in study.notes)


def test_dates_and_clock_times_are_converted_to_the_unit_that_is_asked_for(read):
    rows = ("1,2024-05-01 08:30,100,1,12,.,1", "1,2024-05-02 08:50,.,.,.,4,0")
    study = read("ID,TIME,AMT,ADDL,II,DV,EVID", *rows, key='time = { unit = "h" }\n')
    assert study.time_unit == "h" and study.observations.time.tolist() == [24.333333]
    assert study.doses.interval.tolist() == pytest.approx([12])
    rows = ("1,08:00,100,1,6,.,1", "1,20:00,.,.,.,4,0")
    study = read("ID,TIME,AMT,ADDL,II,DV,EVID", *rows, key='time = { unit = "d" }\n')
    assert study.time_unit == "d" and study.doses.time.tolist() == pytest.approx([1 / 3])
    assert study.doses.interval.tolist() == pytest.approx([0.25])


@pytest.mark.parametrize(
    ("rows", "column", "said"),
    [
        (("01/02/2024,10:00", "03/02/2024,10:00"), "DATE", "day and month cannot be told apart"),
        (("2024-01-01,10:00", "2024-01-01,25:00"), "TIME", "not a time of day"),
        (("2024-01-01,0", "2024-01-02,90"), "TIME", "a number beside a date"),
        (("2024-01-01,0", "2024-01-08,30"), "TIME", "a number beside a date"),
    ],
)
def test_dates_that_cannot_be_read(read, rows, column, said):
    study = read("ID,DATE,TIME,AMT,DV,EVID", f"1,{rows[0]},5,.,1", f"1,{rows[1]},.,4,0")
    assert study.findings[0].column == column and said in str(study.findings[0])


def test_the_order_of_dates_can_be_said(read):
    study = read("ID,DATE,AMT,DV,EVID", "1,01/02/2024,5,.,1", "1,03/02/2024,.,4,0", key='date_order = "dmy"\n')
    assert study.fit and study.observations.time.tolist() == [2]


# ---------------------------------------------------------------- columns


def test_what_differs_from_the_usual_names_is_said_in_a_file_beside_or_in_python(read):
    key = """
    time = { column = "WHEN", unit = "week" }
    id = "WHO"
    ignore = ["LNDV"]
    missing = [-9]
    [endpoint]
    cells = { dvid = 2, unit = "cells/uL" }
    [dose]
    infusion = { cmt = 1 }
    [codes.SEX]
    1 = "female"
    2 = "male"
    """
    lines = ("WHO,WHEN,AMT,DV,EVID,CMT,DVID,SEX,LNDV,AGE", "7,0,5,.,1,1,.,2,1,-9", "7,1,.,4,0,1,2,2,2,-9",
             "7,1,.,4,0,1,3,2,2,-9")  # fmt: skip
    study = read(*lines, key=key)
    assert study.fit and study.time_unit == "week" and study.doses.target.tolist() == ["infusion"]
    assert [(one.name, one.unit) for one in study.endpoints] == [("cells", "cells/uL"), ("dvid_3", "")]
    assert list(study.covariates) == ["SEX", "AGE"] and study.covariates["SEX"].categories == ("female", "male")
    assert study.covariates["SEX"].constant.tolist() == [1] and np.isnan(study.covariates["AGE"].constant).all()
    other = read(*lines, columns=Columns(id="who", time=TimeColumn("when", "d"), covariates=("AGE",)))
    assert other.time_unit == "d" and list(other.covariates) == ["AGE"] and other.covariates["AGE"].constant[0] == -9


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        (Columns(dv="CNC"), "unknown column 'CNC'; did you mean CONC"),
        (Columns(endpoint={"x": EndpointRows(dvid=9)}), "no observation of the endpoint x"),
        (Columns(codes={"WT": {"1": "light"}}), "a code without a word (found '70'"),
    ],
)
def test_what_is_said_of_columns_and_is_not_so(read, columns, said):
    try:
        lines = ("ID,TIME,AMT,CONC,DV,DVID,EVID,WT", "1,0,5,.,.,.,1,70", "1,1,.,4,4,1,0,70")
        told = str(read(*lines, columns=columns).findings[0])
    except InputError as problem:
        told = str(problem)
    assert said in told


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("tme = { unit = 'd' }", "line 1, tme: unknown field 'tme'; did you mean time"),
        ("endpoint.x = { unit = 'd' }", "line 1, endpoint.x.dvid: expected either dvid or cmt"),
        ("date_order = 'dym'", "date_order"),
    ],
)
def test_faults_of_a_file_of_columns_are_located(text, said):
    with pytest.raises(InputError) as caught:
        columns_from_card(parse_card(text, "n.columns.toml"))
    assert said in str(caught.value)


def test_a_comma_that_may_be_a_thousand_is_no_number(read):
    head = f"{PLAIN},WT".replace(",", ";")
    study = read(head, "1;0;2;.;1;70", "1;1;.;4;0;70", "1;2;.;1,250;0;70", "2;0;2;.;1;1,070", "2;1;.;3;0;70")
    assert [(one.line, one.column, one.what) for one in study.findings[:2]] == [
        (4, "DV", "a thousand or a fraction"), (5, "WT", "a thousand or a fraction"),
    ]  # fmt: skip


def test_one_decimal_comma_decides_for_the_file_and_for_its_covariates(read):
    head = f"{PLAIN},WT,SITE".replace(",", ";")
    study = read(
        head, "1;0;2;.;1;70,25;A", "1;1,125;.;<13,973;0;70,25;A", "2;0;1,5;.;1;81,500;B", "2;,5;.;3E-1;0;81,500;B"
    )
    assert study.fit, study.findings
    assert study.observations.value.tolist() == [13.973, 0.3] and study.observations.time.tolist() == [1.125, 0.5]
    assert study.covariates["WT"].constant.tolist() == [70.25, 81.5] and study.doses.amount.tolist() == [2, 1.5]
    assert "numbers have decimal commas; NONMEM wants points" in study.notes
    (problem,) = read(head, "1;0;2;.;1;70,25;A", "1;1;.;1.250;0;70,25;A").findings[:1]
    assert (problem.line, problem.column, problem.found) == (3, "DV", "1.250")


def test_a_remark_after_c_is_a_comment_and_a_subject_named_c_is_none(read):
    rows = ("1,0,5,.,1", "C left out, as it was lost", "C a remark,,,,", "1,1,.,4,0", "C 2,0,5,.,1", "C 2,1,.,3,0")
    study = read(PLAIN, *rows)
    assert study.fit and study.subjects == ("1", "C 2"), study.findings
    assert "2 rows are comments (C, # or @ first)" in study.notes


def test_what_is_not_known_of_a_covariate(read):
    study = read(
        f"{PLAIN},WT,CHANGE,NOTE,EMPTY,GRADE", "1,0,5,.,1,-99,-99,a b,.,1", "1,1,.,4,0,-99,-99,c,.,1",
        "2,0,5,.,1,60,-5,d,.,2a", "2,1,.,4,0,60,-5,d,.,2a",
    )  # fmt: skip
    held = study.covariates
    np.testing.assert_array_equal(held["WT"].constant, [NAN, 60])
    np.testing.assert_array_equal(held["CHANGE"].constant, [-99, -5])  # a column with other numbers below 0
    assert held["GRADE"].categories == ("1", "2a") and "EMPTY" not in held
    told = " ".join(study.notes)
    for said in ("WT -99 is read as not known", "WT is not known of 1 subject", "EMPTY is empty",
                 "GRADE holds words beside numbers ('2a' in line 4)"):  # fmt: skip
        assert said in told, said


def test_some_endpoints_and_subjects_can_be_chosen(read):
    study = read(
        "id,time,amt,dv,evid,dvid,wt,crp", "1,0,5,.,1,.,60,1", "1,1,.,4,0,a,60,2", "1,2,.,5,0,b,60,2",
        "2,0,6,.,1,.,70,8", "2,1,.,7,0,b,70,9",
    )  # fmt: skip
    part = study.chosen(endpoints=["b"], subjects=["2"])
    assert part.subjects == ("2",) and part.observations.value.tolist() == [7] and part.doses.amount.tolist() == [6]
    assert [values.tolist() for _, values in part.covariates["crp"].in_time] == [[8, 9]]
    assert part.covariates["wt"].constant.tolist() == [70] and part.observations.endpoint.tolist() == [0]
    (row,) = part.records()
    assert (row["subject"], row["endpoint"], row["value"], row["wt"], row["line"]) == ("2", "b", 7.0, 70.0, 6)
    with pytest.raises(InputError, match="unknown endpoint 'c'"):
        study.chosen(endpoints=["c"])
    with pytest.raises(InputError, match=r"several names, such as \['b'\]"):
        study.chosen(endpoints="b")


@settings(max_examples=60, deadline=None)
@given(st.text(st.sampled_from("12.,-\n ;ADEIMTVCX<e\"'#\t"), max_size=120))
def test_whatever_stands_there_is_read_or_refused_in_a_sentence(tmp_path_factory, text):
    path = tmp_path_factory.mktemp("x") / "n.csv"
    path.write_text(f"ID,TIME,AMT,DV,EVID,CENS,WT\n1,0,5,.,1,0,60\n{text}\n")
    try:
        study = read_study(path)
    except InputError as problem:
        assert str(problem).startswith(str(path))
        return
    assert np.isfinite(study.observations.value).all() and (study.doses.amount > 0).all()
    assert all(one.remedy and one.what for one in study.findings)
