"""Data sets of NONMEM, Monolix and nlmixr: read as what they are, and what is wrong in them told by line."""

import pytest

from vein2vein.errors import InputError
from vein2vein.io.check import check_file
from vein2vein.io.record.read import read_record

OWN = "ID,TIME,DV,MDV,EVID,AMT,CMT,BLQ,LLOQ,DVID"
DOSE, SAMPLE = "1,0,.,1,1,1e8,1,0,.,0", "1,7,5000,0,0,0,1,0,50,1"


def check(tmp_path, *lines, start=b""):
    path = tmp_path / "n.csv"
    path.write_bytes(start + "\n".join(lines).encode())
    return check_file(path)


@pytest.mark.parametrize(
    ("lines", "kind", "said"),
    [
        ((OWN, DOSE, SAMPLE), "NONMEM", "1 subject, 1 dose, 1 sample"),
        (
            (OWN.replace(",", ";"), DOSE.replace(",", ";"), SAMPLE.replace(",", ";")),
            "NONMEM",
            "1 subject, 1 dose, 1 sample",
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
    ],
)
def test_whole_data_sets(tmp_path, lines, kind, said):
    report = check(tmp_path, *lines)
    assert report.fit and report.kind == f"{kind} data set" and said in report.uses[0], report


@pytest.mark.parametrize(
    ("rows", "line", "column", "said"),
    [
        ((DOSE, "1,7,.,0,0,0,1,0,50,1"), 3, "DV", "without a value"),
        ((SAMPLE,), None, "AMT", "no dose in the whole file"),
        ((DOSE, SAMPLE, "2,7,5000,0,0,0,1,0,50,1"), None, "AMT", "ID 2"),
        ((DOSE, "1,28,900,0,0,0,1,1,50,1"), 3, "DV", "above it"),
        ((DOSE, SAMPLE, "1,7,5200,0,0,0,1,0,50,1"), 4, "DV", "ID 1"),
        ((DOSE, SAMPLE, "1,3,5200,0,0,0,1,0,50,1"), 4, "TIME", "goes back"),
        ((DOSE, "1,7,high,0,0,0,1,0,50,1"), 3, "DV", "not a number"),
        ((DOSE, "1,7,inf,0,0,0,1,0,50,1"), 3, "DV", "finite"),
        ((DOSE, "1,7,5000,0,0,0,1,0"), 3, "", "fields"),
        (("1,0,.,1,1,0,1,0,.,0", SAMPLE), 2, "AMT", "without an amount"),
        ((DOSE, "1,7,5000,0,0,5,1,0,50,1"), 3, "AMT", "with an amount"),
        ((DOSE, SAMPLE, "2,0,.,1,1,1e8,1,0,.,0", "1,9,50,0,0,0,1,0,50,1"), 5, "ID", "together"),
        ((DOSE, ".,7,5000,0,0,0,1,0,50,1"), 3, "ID", "without a subject"),
        ((DOSE, "1,.,5000,0,0,0,1,0,50,1"), 3, "TIME", "no time"),
    ],
)
def test_what_is_wrong_is_told_by_line_column_and_subject(tmp_path, rows, line, column, said):
    report = check(tmp_path, OWN, *rows)
    (problem,) = report.problems
    assert not report.fit and (problem.line, problem.column) == (line, column) and said in str(problem)


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
