"""Files that are no record: each is named for what it is, in one sentence with what to do."""

import io
import sys
import zipfile

import pytest

from vein2vein.errors import InputError
from vein2vein.io.check import check_file
from vein2vein.io.record.read import read_record
from vein2vein.io.record.visits import read_visits


def zipped(*names):
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name in names:
            archive.writestr(name, "<x/>")
    return content.getvalue()


SAS = bytes.fromhex("000000000000000000000000c2ea8160b31411cfbd92080009c7318c181f1011") + b"\0" * 200
KINDS = [
    (
        "model.xml",
        b'<?xml version="1.0"?>\n<!-- made by x -->\n<sbml xmlns="http://www.sbml.org/x" level="3"/>',
        "SBML",
        "vein2vein models",
    ),
    ("model.sbml", b"<sbml/>", "SBML", "vein2vein models"),
    ("model.xml", b'<?xml version="1.0"?><PharmML xmlns="http://www.pharmml.org/x"/>', "PharmML", "data set"),
    ("odm.xml", b'<?xml version="1.0"?><ODM xmlns="http://www.cdisc.org/ns/odm/v1.3"/>', "ODM", "CSV"),
    ("cda.xml", b'<?xml version="1.0"?><ClinicalDocument xmlns="urn:hl7-org:v3"/>', "CDA", "FHIR"),
    ("bundle.xml", b'<Bundle xmlns="http://hl7.org/fhir"/>', "FHIR bundle in XML", "JSON"),
    ("page.html", b"<!DOCTYPE html><html><body>x</body></html>", "HTML", "CSV"),
    ("x.xml", b"<?xml version='1.0'?><!DOCTYPE a [<!ENTITY x 'y'>]><a>&x;</a>", "XML", "no entity"),
    ("fit.mlxtran", b"<DATAFILE>\n[FILEINFO]\nfile = 'data.csv'\n<MODEL>\n", "Mlxtran", "<DATAFILE>"),
    ("model.txt", b"[LONGITUDINAL]\ninput = {V, Cl}\nEQUATION:\n", "Mlxtran", "data set"),
    ("run1.ctl", b";; 1. Based on: 0\n$PROBLEM CAR-T\n$INPUT ID TIME DV\n$DATA n.csv IGNORE=@\n", "NONMEM", "$DATA"),
    ("run1.mod", b"; x\n$PROB CAR-T\n$INPUT ID TIME DV\n$DATA n.csv IGNORE=@\n", "NONMEM", "$DATA"),
    ("fit.R", b"library(nlmixr2)\none <- function() {\n  ini({ tka <- 0.45 })\n}\n", "in R", "write.csv"),
    ("model.stan", b"data {\n  int N;\n}\nmodel {\n}\n", "Stan", "CSV"),
    (
        "lb.xpt",
        b"HEADER RECORD*******LIBRARY HEADER RECORD!!!!!!!000000000000000000000000000000  ",
        "SAS transport",
        "LB, VS, EX and CM",
    ),
    ("lb.sas7bdat", SAS, "SAS data set", "CSV"),
    ("a.xlsx", zipped("[Content_Types].xml", "xl/workbook.xml"), "Excel workbook", "CSV"),
    ("a.docx", zipped("[Content_Types].xml", "word/document.xml"), "Word", "CSV"),
    ("a.zip", zipped("lb.csv"), "ZIP archive", "unpack"),
    ("a.xls", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 60, "old Excel", "CSV"),
    ("a.pdf", b"%PDF-1.7\n%...", "PDF", "CSV"),
    ("a.png", b"\x89PNG\r\n\x1a\n....", "PNG", "values"),
    ("a.jpg", b"\xff\xd8\xff\xe0..JFIF", "JPEG", "values"),
    ("a.dcm", b"\0" * 128 + b"DICM....", "DICOM", "rows of a table"),
    ("a.csv.gz", b"\x1f\x8b\x08....", "gzip", "unpack"),
    ("a.parquet", b"PAR1....PAR1", "Parquet", "folder"),
    ("a.db", b"SQLite format 3\0...", "SQLite", "CSV"),
    ("a.rds", b"RDX3\nX\n...", "R data", "write.csv"),
    ("a.sav", b"$FL2@(#) IBM SPSS", "SPSS", "CSV"),
    ("a.dta", b"<stata_dta><header>", "Stata data", "CSV"),
    ("a.rtf", b"{\\rtf1\\ansi hello}", "RTF", "CSV"),
    ("a.hl7", b"MSH|^~\\&|LAB|HOSP|||20260305||ORU^R01|1|P|2.5\rPID|1\r", "HL7 version 2", "FHIR"),
]


@pytest.mark.parametrize(("name", "content", "what", "remedy"), KINDS, ids=lambda v: v if isinstance(v, str) else "")
def test_a_file_is_named_for_what_it_is(tmp_path, name, content, what, remedy):
    path = tmp_path / name
    path.write_bytes(content)
    report = check_file(path)
    (problem,) = report.problems
    assert not report.fit and what in report.kind and what in str(problem) and remedy in str(problem)
    for read in (read_record, read_visits):
        with pytest.raises(InputError) as caught:
            read(path)
        assert what in str(caught.value) and caught.value.file == str(path) and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "row", ["1,import of cells,x,", "1,MSH|,x,", "1,data {,x,", "1,$PROB,x,", "1,<sbml>,x,"]
)  # words of programs within a table
def test_a_table_is_a_table_whatever_words_stand_in_it(tmp_path, row):
    path = tmp_path / "record.csv"
    path.write_text(f"day,analyte,value,unit\n{row}\n1,temperature,39,degC\n")
    assert read_record(path).read == 1


@pytest.mark.parametrize(
    ("content", "line", "said"),
    [
        ("{}", 1, "without a FHIR resource"),
        ("\n\n[]", None, "without a FHIR resource"),
        ('\n{"resourceType": "Questionnaire", "status": "active"}', 2, "Questionnaire"),
        ('{"resourceType": "Bundle", "type": "searchset", "total": 0}', None, "FHIR"),
        (
            '{"resourceType": "Bundle", "type": "collection", "entry": [{"resource": {"resourceType": "Location"}}]}',
            1,
            "Location",
        ),
        ('{"a": [1, 2]}', 1, "without a FHIR resource"),
    ],
)
def test_json_without_values_is_told_in_the_words_of_fhir(tmp_path, content, line, said):
    path = tmp_path / "x.json"
    path.write_text(content)
    with pytest.raises(InputError, match=said) as caught:
        read_record(path)
    assert line is None or caught.value.line == line or f"line {line}" in str(caught.value)
    (problem,) = check_file(path).problems
    assert "JSON" in str(problem) or "FHIR" in str(problem)


class Stream:
    """A standard input."""

    def __init__(self, content):
        self.buffer = io.BytesIO(content)


def test_the_standard_input_is_read_by_every_reader(monkeypatch):
    table = b"day,analyte,value,unit\n0,temperature,39,degC\n"
    for read in (read_record, read_visits):
        monkeypatch.setattr(sys, "stdin", Stream(table))
        course = read("-").course
        assert course.values["temperature"].tolist() == [[39]]
    monkeypatch.setattr(sys, "stdin", Stream(table + b"1,ICE,x,\n"))
    report = check_file("-")
    assert report.fit and report.file == "standard input" and report.problems[0].line == 3
    monkeypatch.setattr(sys, "stdin", Stream(b""))
    with pytest.raises(InputError, match="standard input: is empty"):
        read_record("-")
    monkeypatch.setattr(sys, "stdin", None)
    with pytest.raises(InputError, match="standard input"):
        read_record("-")
