"""Whatever a file holds: it is read, or refused by InputError. Nothing else ever escapes."""

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vein2vein.errors import InputError
from vein2vein.io.check import check_file
from vein2vein.io.record.read import example_record_text, read_record
from vein2vein.io.record.visits import read_visits

SETTINGS = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
CELLS = st.one_of(
    st.text(max_size=12),
    st.sampled_from(
        [
            "1",
            "-3.5",
            "1,5",
            "<0.1",
            "ND",
            "=1+1",
            "2026-03-05",
            "05.03.2026 10:00",
            "03/04/2026",
            "crp",
            "ferritin",
            "ICE",
            "car_t_infusion",
            "mg/L",
            "ng/mL",
            "mg/kg",
            "attribution",
            "override",
            "crs_astct = 2",
            "weight",
            "age",
            "1e400",
            '"',
            "\0",
        ]
    ),
)
HEADS = st.sampled_from(
    [
        "day",
        "time",
        "date",
        "analyte",
        "value",
        "unit",
        "patient",
        "author",
        "until",
        "lloq",
        "crp [mg/L]",
        "weight",
        "infusion",
        "age",
        "lesion",
        "site",
        "longest",
        "shortest",
        "x",
        "",
        "=a",
    ]
)


def survives(path, content):
    path.write_bytes(content)
    for read in (read_record, read_visits):
        try:
            found = read(path)
        except InputError as problem:
            assert str(problem) and "\n" not in str(problem)[:20]
        else:
            assert found.course.shape[1] > 0
    report = check_file(path)
    assert report.fit or report.problems


@SETTINGS
@given(
    st.lists(HEADS, min_size=1, max_size=7), st.lists(st.lists(CELLS, max_size=8), max_size=8), st.sampled_from(",;\t")
)
def test_tables(tmp_path, header, rows, delimiter):
    text = "\n".join(delimiter.join(cells) for cells in [header, *rows])
    survives(tmp_path / "x.csv", text.encode("utf-8", errors="replace"))


@SETTINGS
@given(st.binary(max_size=300))
def test_bytes(tmp_path, content):
    survives(tmp_path / "x.csv", content)


@SETTINGS
@given(st.integers(0, 10**9), st.binary(min_size=1, max_size=6), st.integers(0, 40))
def test_a_record_with_some_bytes_changed_or_cut(tmp_path, at, new, gone):
    whole = example_record_text().encode()
    at %= len(whole)
    survives(tmp_path / "x.csv", whole[:at] + new + whole[at + gone :])


JSON = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-(10**20), 10**20),
        st.floats(),
        st.text(max_size=8),
        st.sampled_from(["2026-03-05", "Patient/p1", "http://loinc.org", "8310-5", "final", "mg/L"]),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.sampled_from(
                [
                    "coding",
                    "system",
                    "code",
                    "value",
                    "unit",
                    "reference",
                    "start",
                    "end",
                    "text",
                    "answer",
                    "linkId",
                    "item",
                ]
            ),
            inner,
            max_size=3,
        ),
    ),
    max_leaves=6,
)
FIELDS = [
    "code",
    "subject",
    "effectiveDateTime",
    "effectivePeriod",
    "valueQuantity",
    "valueInteger",
    "valueString",
    "component",
    "valueCodeableConcept",
    "interpretation",
    "status",
    "medicationCodeableConcept",
    "medicationReference",
    "contained",
    "dosage",
    "performedDateTime",
    "verificationStatus",
    "onsetDateTime",
    "authored",
    "item",
    "id",
    "gender",
    "birthDate",
    "deceasedDateTime",
]
KINDS = [
    "Patient",
    "Observation",
    "MedicationAdministration",
    "Procedure",
    "Condition",
    "QuestionnaireResponse",
    "Medication",
    "X",
]


@SETTINGS
@given(
    st.lists(
        st.tuples(st.sampled_from(KINDS), st.dictionaries(st.sampled_from(FIELDS), JSON, max_size=4)),
        min_size=1,
        max_size=4,
    )
)
def test_bundles_with_elements_of_any_type(tmp_path, bundle, changes):
    b = bundle().infusion().observation("2276-4", 1200, "ng/mL")
    for kind, elements in changes:
        plain = {
            "Observation": {
                "code": b.concept("http://loinc.org", "1988-5"),
                "effectiveDateTime": b.at(30),
                "status": "final",
            },
            "MedicationAdministration": {
                "effectiveDateTime": b.at(30),
                "status": "completed",
                "medicationCodeableConcept": b.concept("http://www.nlm.nih.gov/research/umls/rxnorm", "1162729"),
            },
            "QuestionnaireResponse": {"authored": b.at(3), "status": "completed"},
        }.get(kind, {})
        b.add({"resourceType": kind, **plain, **elements})
    survives(tmp_path / "x.json", b.text().encode("utf-8", errors="replace"))


@SETTINGS
@given(
    st.integers(0, 10**9),
    st.sampled_from(["{", "}", "]", ",", '"', "NaN", "\\ud800", "\0", "9" * 5000, "é"]),
    st.integers(0, 60),
)
def test_bundles_with_characters_changed_or_cut(tmp_path, bundle, at, new, gone):
    whole = bundle().infusion().observation("2276-4", 1200, "ng/mL").observation("8310-5", 38.5, "Cel").text()
    at %= len(whole)
    survives(tmp_path / "x.json", (whole[:at] + new + whole[at + gone :]).encode())


@SETTINGS
@given(JSON)
def test_any_json(tmp_path, value):
    survives(tmp_path / "x.json", json.dumps([value]).encode())


def test_no_reader_of_xml_is_imported():
    import subprocess
    import sys

    code = (
        "import sys, vein2vein.io.record.read, vein2vein.io.check; "
        "print([m for m in sys.modules if m.startswith(('xml.', 'lxml'))])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("length", [200_000, 2_000_000])
def test_one_endless_line(tmp_path, length):
    survives(tmp_path / "x.csv", b"day,crp [mg/L]\n1,5\n2," + b"9" * length)


# ---------------------------------------------------------------- a hundred malformed files

HEAD = "day,analyte,value,unit\n"
GOOD = HEAD + "1,temperature,39,degC\n2,SBP,84,mmHg\n"
HL7 = "MSH|^~\\&|A|B|||20260305||ORU^R01|1|P|2.5\r"
MALFORMED = {
    "empty": b"",
    "blank": b" \n\t\r\n ",
    "one newline": b"\n",
    "only a mark": b"\xef\xbb\xbf",
    "only NUL": b"\0" * 100,
    "NUL in a cell": GOOD.replace("84", "8\0004").encode(),
    "NUL in the header": GOOD.replace("value", "val\0ue").encode(),
    "NUL between letters": "\0".join(GOOD).encode(),
    "control characters": bytes(range(1, 32)) * 20,
    "all bytes": bytes(range(256)) * 10,
    "random": bytes((i * 7919 + 13) % 251 for i in range(3000)),
    "broken UTF-8": GOOD.encode() + b"3,\xff\xfe\xfd,1,\xc3\x28\n",
    "cut UTF-8": (GOOD + "3,ΔT,1,µ").encode()[:-1],
    "UTF-16 little": GOOD.encode("utf-16-le"),
    "UTF-16 big": GOOD.encode("utf-16-be"),
    "UTF-16 odd": GOOD.encode("utf-16")[:-1],
    "UTF-16 with mark": GOOD.encode("utf-16"),
    "UTF-32": GOOD.encode("utf-32"),
    "UTF-7": GOOD.encode("utf-7"),
    "EBCDIC": GOOD.encode("cp037"),
    "latin-1": GOOD.replace("SBP", "Größe").encode("latin-1"),
    "two marks": b"\xef\xbb\xbf\xef\xbb\xbf" + GOOD.encode(),
    "mark within": GOOD.replace("39", "\ufeff39").encode(),
    "right to left": GOOD.replace("39", "\u202e39").encode(),
    "zero width": GOOD.replace("temp", "te\u200bmp").encode(),
    "Arabic digits": GOOD.replace("39", "٣٩").encode(),
    "superscripts": GOOD.replace("39", "3⁹").encode(),
    "lone surrogate": GOOD.encode() + b"3,\xed\xa0\x80,1,\n",
    "emoji": GOOD.replace("SBP", "🌡️").encode(),
    "carriage returns only": GOOD.replace("\n", "\r").encode(),
    "mixed line ends": b"day,analyte,value,unit\r1,SBP,84,mmHg\n2,SBP,8,mmHg\r\n",
    "no end of line": GOOD.rstrip("\n").encode(),
    "form feeds": GOOD.replace("\n", "\f").encode(),
    "line separators": GOOD.replace("\n", "\u2028").encode(),
    "vertical tabs": GOOD.replace("\n", "\v").encode(),
    "blank lines": GOOD.replace("\n", "\n\n\n").encode(),
    "comments only": b"# a\n# b\n",
    "comment before": b"# export of 5 March\n" + GOOD.encode(),
    "title before": b"Export of 5 March\n\n" + GOOD.encode(),
    "header only": HEAD.encode(),
    "header twice": (GOOD + GOOD).encode(),
    "no header": b"1,temperature,39,degC\n",
    "duplicate headers": b"day,SBP,SBP,day\n1,80,90,2\n",
    "empty headers": b",,,\n1,2,3,4\n",
    "headers of blanks": b" , ,day,SBP\n1,2,3,80\n",
    "header of formulas": b"=day,=cmd|' /C calc'!A0,value\n1,2,3\n",
    "header of numbers": b"1,2,3,4\n1,2,3,4\n",
    "header in quotes": b'"day","analyte","value","unit"\n"1","SBP","84","mmHg"\n',
    "one column": b"SBP\n80\n81\n",
    "header too long": b"day," + b"x" * 50_000 + b"\n1,2\n",
    "many columns": b"day," + b",".join(b"c%d" % i for i in range(5000)) + b"\n1" + b",1" * 5000,
    "ragged short": (GOOD + "3\n4,SBP\n5,SBP,80\n").encode(),
    "ragged long": (GOOD + "3,SBP,80,mmHg,,,,x,y\n").encode(),
    "trailing delimiters": GOOD.replace("\n", ",,,\n").encode(),
    "only delimiters": b",,,,\n,,,,\n",
    "mixed delimiters": b"day,analyte,value,unit\n1;SBP;84;mmHg\n2\tSBP\t84\tmmHg\n3|SBP|84|mmHg\n",
    "semicolons and commas": b"day;analyte;value;unit\n1;SBP;84,5;mmHg\n1;CRP;1.234,5;mg/L\n",
    "spaces": GOOD.replace(",", "  ").encode(),
    "fixed width": b"day       analyte   value\n1         SBP       84\n",
    "pipes": GOOD.replace(",", "|").encode(),
    "open quote": b'day,analyte,value,unit\n1,"SBP,84,mmHg\n2,SBP,84,mmHg\n',
    "quote at the end": GOOD.encode() + b'3,SBP,84,"',
    "nested quotes": b'day,analyte,value,unit\n1,"a ""b"" c",84,mmHg\n2,"a "b" c",84,mmHg\n',
    "quotes only": b'"""""""""\n""\n',
    "quote in a word": b'day,analyte,value,unit\n1,SB"P,84,mmHg\n',
    "quoted line ends": b'day,analyte,value,unit\n1,"S\nB\nP",84,mmHg\n',
    "quote over 100 lines": b'day,analyte,value,unit\n1,"' + b"x\n" * 100 + b'",84,mmHg\n',
    "single quotes": GOOD.replace("39", "'39'").encode(),
    "curly quotes": GOOD.replace("39", "“39”").encode(),
    "backslashes": GOOD.replace("39", "3\\,9").encode(),
    "huge cell": (HEAD + "1,SBP," + "9" * 500_000 + ",mmHg\n").encode(),
    "huge name": (HEAD + "1," + "S" * 500_000 + ",9,mmHg\n").encode(),
    "huge line": (HEAD + "x" * 1_200_000).encode(),
    "many short lines": (HEAD + "1\n" * 20_000).encode(),
    "many names": (HEAD + "".join(f"1,n{i},1,x{i}\n" for i in range(5000))).encode(),
    "formulas": (HEAD + "=1+1,=SBP,=cmd|' /C calc'!A0,@x\n+1+1,-x,+CRP,-\n").encode(),
    "DDE": (HEAD + '1,SBP,"=DDE(""cmd"";""x"")",mmHg\n').encode(),
    "exponents": (HEAD + "1e400,SBP,84,mmHg\n1,SBP,1e-400,mmHg\n1,SBP,1e9999999,mmHg\n").encode(),
    "not a number": (HEAD + "nan,SBP,84,mmHg\n1,SBP,nan,mmHg\ninf,SBP,inf,mmHg\n").encode(),
    "hexadecimal": (HEAD + "0x1,SBP,0x54,mmHg\n").encode(),
    "negative": (HEAD + "1,SBP,-84,mmHg\n1,ANC,-1,K/uL\n").encode(),
    "thousands": (HEAD + '1,platelets,"1,234,567",/uL\n1,ANC,1 234,/uL\n').encode(),
    "units that run away": (HEAD + "1,CRP,1,10**10**10**10\n1,CRP,1,(((((mg))))/L\n1,CRP,1,mg^9999999/L\n").encode(),
    "dates that are none": b"time,SBP\n2026-02-30,84\n0000-00-00,84\n99999999999999,84\n",
    "ends of time": b"time,SBP\n0001-01-01,84\n9999-12-31T24:00,84\n99991231235959-1400,84\n",
    "serials beyond": b"time,analyte,value,unit\n99999.9,SBP,84,mmHg\n00001,SBP,84,mmHg\n",
    "zones": b"time,analyte,value,unit\n2026-03-05T10:00+99:99,SBP,84,mmHg\n",
    "days beyond": (HEAD + "1e9,SBP,84,mmHg\n-1e9,SBP,84,mmHg\nD+9999,SBP,84,mmHg\n").encode(),
    "infusion of nonsense": b"time,analyte,value,unit\n,infusion,soon,\n2026-03-05,SBP,84,mmHg\n",
    "two infusions": b"time,analyte,value,unit\n,infusion,2026-03-05,\n,infusion,2026-03-06,\n2026-03-07,SBP,84,mmHg\n",
    "endless patients": b"patient,day,SBP\n" + b"".join(b"p%d,%d,80\n" % (i, i) for i in range(200)),
    "patients of blanks": b"patient,day,SBP\n ,1,80\n\t,1,81\n",
    "patients that look alike": b"patient,day,SBP\n1,1,80\n01,1,81\n1.0,1,82\n",
    "XML bomb": b'<!DOCTYPE a [<!ENTITY b "bbbb"><!ENTITY c "&b;&b;">]><a>&c;</a>',
    "HTML table": b"<table><tr><td>day</td></tr></table>",
    "JSON cut": b'{"resourceType": "Bundle", "entry": [{',
    "JSON deep": b"[" * 5000,
    "JSON numbers": b"[1, 2, 3]",
    "JSON words": b'"hello"',
    "JSON of NaN": b'{"resourceType": "Observation", "value": NaN}',
    "JSON lines broken": b'{"a": 1}\n{"b"\n',
    "ZIP cut": b"PK\x03\x04",
    "gzip cut": b"\x1f\x8b",
    "PDF cut": b"%PDF",
    "SDTM without rows": b"USUBJID,LBTESTCD,LBORRES,LBDTC\n",
    "SDTM ragged": b"USUBJID,LBTESTCD,LBORRES,LBORRESU,LBDTC\n1,NEUT\n1,NEUT,x,y,z\n",
    "OMOP of words": b"person_id,measurement_concept_id,value_as_number,measurement_date\na,b,c,d\n",
    "MIMIC of blanks": b"subject_id,itemid,charttime,value\n,,,\n,220050,,\n",
    "flowsheet of blanks": b"recorded time,flowsheet measure,value\n,,\n,BP,/\n",
    "NONMEM of words": b"ID,TIME,DV,AMT\na,b,c,d\n",
    "NONMEM cut": b"ID,TIME,DV,AMT\n1,0",
    "NONMEM of blanks": b"ID,TIME,DV,AMT\n,,,\n",
    "HL7 message": HL7.encode(),
    "RTF": b"{\\rtf1 hello}",
    "a program": b"#!/bin/sh\necho x\n",
    "mail": b"From: a\nTo: b\n\nhello, world\n",
}


def test_there_are_a_hundred_and_more():
    assert len(MALFORMED) >= 100


@pytest.mark.parametrize("name", MALFORMED)
def test_a_malformed_file_is_read_or_told_in_sentences_that_say_where(tmp_path, name):
    path = tmp_path / "x.csv"
    path.write_bytes(MALFORMED[name])
    survives(path, MALFORMED[name])
    report = check_file(path)
    for problem in report.problems:
        assert problem.file == str(path) and problem.what and problem.remedy and "\n" not in str(problem), str(problem)
        assert len(str(problem)) < 1200
    lost = len(MALFORMED[name].splitlines()) > 1 and report.kind.startswith("record") and not report.fit
    assert (
        not lost
        or any(problem.line for problem in report.problems)
        or "no value" in str(report.problems[0])
        or ("day 0" in str(report.problems[0]))
    )
