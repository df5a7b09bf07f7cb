"""Uploads: by content and not by name, in sentences, never run, and gone when they were read."""

import gzip
import io
import zipfile
from pathlib import Path

import pytest
from starlette.datastructures import UploadFile

from vein2vein.card_reading import read
from vein2vein.errors import InputError
from vein2vein.web.uploads import JSON, TABLE, TOML, XML, as_file, kind_of, read_with, take

ALL = (TOML, TABLE, JSON, XML)


def file(content, name="a.csv"):
    return UploadFile(io.BytesIO(content), filename=name)


def zipped():
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as packed:
        packed.writestr("../../evil.py", "x")
    return stream.getvalue()


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"a,b\n1,2\n", TABLE),
        (b"\xef\xbb\xbfID;TIME\n1;2\n", TABLE),
        (b"# note\ndose = 1\n", TOML),
        (b"[trial]\nname = 'x'\n", TOML),
        (b"[[arms]]\n", TOML),
        (b'{"resourceType": "Bundle"}', JSON),
        (b' \n[{"a": 1}]', JSON),
        (b"<?xml version='1.0'?><sbml/>", XML),
        ("Größe,b\n".encode("latin-1"), TABLE),
        ("a,b\n1,2\n".encode("utf-16"), TABLE),
        (b"when = then,b\n", TOML),
        (b"import os\nos.system('x')\n", TABLE),
        (b"a,b\n" + "é".encode() * 4000, TABLE),
        (b"\x00\x01", ""),
        (b"a\x00b", ""),
        (bytes(range(256)), ""),
    ],
)
def test_a_file_is_what_it_holds(content, kind):
    assert kind_of(content) == kind


@pytest.mark.parametrize(
    ("content", "name", "said"),
    [
        (b"", "a.csv", "is empty"),
        (b" \n\t", "a.csv", "is empty"),
        (zipped(), "a.csv", "packed file or a spreadsheet; save it as CSV"),
        (gzip.compress(b"x"), "a.csv", "packed"),
        (b"%PDF-1.7", "a.csv", "a PDF"),
        (b"\x89PNG\r\n", "a.csv", "a picture"),
        (b"\x7fELF\x02", "a.toml", "a program"),
        (b"MZ\x90", "a.csv", "a program"),
        (b"#!/bin/sh\nrm -rf /", "a.csv", "a program"),
        (b"PAR1....", "a.csv", "Parquet"),
        (b"x = 1", "model.py", "a program or a page by its name"),
        (b"x = 1", "MODEL.PY", "a program or a page by its name"),
        (b"<svg onload=alert(1)>", "a.svg", "a program or a page"),
        (b"a\0b", "a.csv", "no text that can be read"),
        (b"<html></html>", "a.csv", "is a web page (HTML); expected a table (CSV)"),
        (b"<!-- saved -->\n<!doctype HTML>\n<p>1", "a.csv", "is a web page (HTML); expected a table (CSV)"),
        (b"<?xml version='1.0'?>\n<sbml/>", "a.csv", "is an SBML model; expected a table (CSV)"),
        (b"<Bundle xmlns='http://hl7.org/fhir'/>", "a.csv", "is a FHIR bundle in XML; expected a table (CSV)"),
        (b"<x/>", "a.csv", "is XML; expected a table (CSV)"),
        (b"dose = 1\n", "a.csv", "is a TOML file; expected a table (CSV)"),
    ],
    ids=lambda value: value if isinstance(value, str) else "content",  # packed files hold the time
)
def test_what_is_not_taken_is_told_with_what_to_give(content, name, said):
    with pytest.raises(InputError) as found:
        take(file(content, name), TABLE)
    assert said in found.value.text and "expected a table (CSV)" in found.value.text and found.value.file == name


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"$PROBLEM a\n$INPUT ID TIME\n", "is a control stream of NONMEM"),
        (b"Dear family,\nwe met.\n", "is plain text"),
        (b"Dear all\nwe met.\n", "is plain text"),
        (b"time;name\n", "is a table (CSV)"),
        (b"<html></html>", "is a web page (HTML)"),
    ],
)
def test_a_text_that_is_no_toml_is_called_what_it_is(content, said):
    with pytest.raises(InputError) as found:
        take(file(content, "a.toml"), TOML)
    assert found.value.text.startswith(f"{said}; expected a TOML file")


@pytest.mark.parametrize(
    "name",
    [
        "../../etc/passwd",
        "..\\..\\evil.csv",
        "/var/x.csv",
        "a\nb\x1b[31m.csv",
        "x" * 5000,
        "",
        "<script>.csv",
        "\u202egnp.csv",
    ],
)
def test_the_name_of_a_sender_opens_nothing(name):
    found = take(file(b"a,b\n", name), TABLE)
    assert "/" not in found.name and "\\" not in found.name and len(found.name) <= 120 and found.name.isprintable()
    with as_file(found) as path:
        assert path.name == "upload.csv" and path.read_bytes() == b"a,b\n"
    assert not path.exists() and not path.parent.exists()


def test_a_sentence_names_the_file_as_its_sender_does():
    from trying_door import Card

    from vein2vein.cards import read_card

    found = take(file(b"dose = 99\n", "mine.toml"), TOML)
    with pytest.raises(InputError) as problem:
        read_with(found, lambda path: read(read_card(path), Card))
    assert (problem.value.file, problem.value.line, problem.value.field) == ("mine.toml", 1, "dose")
    assert "upload" not in str(problem.value) and "tmp" not in str(problem.value)


HOSTILE = {
    "deep.toml": b"a = " + b"[" * 20_000,
    "long.toml": b"a = " + b"9" * 20_000,
    "deep.json": b'{"a":' * 20_000,
    "bundle.json": b'{"resourceType": "Bundle", "type": "collection", "entry": '
    b'[{"resource": {"resourceType": "Patient", "id": "<script>"}}]}',
    "entities.xml": b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b "x"><!ENTITY c "&b;&b;">]><a>&c;</a>',
    "outside.xml": b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><a>&b;</a>',
    "formula.csv": b"time,name,value\n=cmd|'/C calc'!A0,temperature,38\n",
    "wide.csv": b",".join(b"c%d" % i for i in range(3000)) + b"\n",
    "quote.csv": b'time,name,value\n"open,1,2\n' * 50,
    "cut.csv": "time,name,value\n2026-01-01,température".encode()[:-1],
    "control.csv": b"time,name,value\n2026-01-01,\x1b[31mx,1\n",
    "python.toml": b"x = '''\nimport os\nos.system(\"touch hacked\")\n'''\n",
    "trial.toml": b'[trial]\nname = "<img src=x onerror=alert(1)>"\n',
    "path.toml": b'disease = "../../../etc/passwd"\nage = 8\nweight = 20\n',
}


def readers():
    from vein2vein.cards import read_card
    from vein2vein.io.record.read import read_record
    from vein2vein.io.study.read import read_study
    from vein2vein.therapy.patient import read_patient
    from vein2vein.trials.trial import load_trial

    return {
        TOML: (read_card, read_patient, load_trial),
        TABLE: (read_record, read_study),
        JSON: (read_record,),
        XML: (read_record,),
    }


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_file_of_every_kind_is_read_or_told(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    try:
        found = take(file(HOSTILE[name], name), *ALL)
    except InputError as problem:
        assert len(str(problem)) < 600
        return
    for reader in readers()[found.kind]:
        try:
            read_with(found, reader)
        except InputError as problem:
            told = str(problem)
            assert "Traceback" not in told and "root:" not in told and len(told) < 1200 and "vein2vein-" not in told
    assert list(Path().iterdir()) == [], "nothing was run or left behind"


def test_uploads_come_in_through_the_page(fresh):
    kept = fresh.change("/trying/upload", files={"file": ("mine.toml", b"dose = 2\n")})
    assert kept.status_code == 303
    sent = fresh.client.get(kept.headers["location"])
    assert sent.content == b"dose = 2\n" and 'filename="mine.toml"' in sent.headers["content-disposition"]
    assert "sandbox" in sent.headers["content-security-policy"]
    for name, content in {**HOSTILE, "model.py": b"x", "a.csv": b"\0"}.items():
        answer = fresh.change("/trying/upload", files={"file": (name, content)})
        assert answer.status_code in (303, 422), name
        assert "Traceback" not in answer.text
    assert not list(fresh.settings.workspace.rglob("*.py"))
