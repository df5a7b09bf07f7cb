"""vein2vein check: the mapping that it proposes and writes, the standard input, and what it counts."""

import io
import json
import sys
from pathlib import Path

import pytest

from vein2vein.cli.main import main

TABLE = "time,analyte,value,unit\n2026-03-05 10:00,car_t_infusion,1e8,cells\n2026-03-06 10:00,Temp,39,degC\n"
UNKNOWN = "2026-03-06 10:00,Levophed gtt,5,mcg/min\n2026-03-06 10:00,mood,good,\n2026-03-06 12:00,ICE,,\n"


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("record.csv").write_text(TABLE + UNKNOWN, encoding="utf-8")
    return tmp_path


@pytest.fixture
def run(capsys):
    def call(*args):
        code = main(list(args))
        told = capsys.readouterr()
        return code, told.out, told.err

    return call


def test_it_tells_what_it_read_set_aside_and_did_not_know(run):
    code, out, _ = run("check", "record.csv")
    assert code == 0
    for said in ("values read 2", "rows 5", "names not known 2", "nothing measured 1", "read with: long table",
                 "names that are not known: Levophed gtt, mood"):  # fmt: skip
        assert said in " ".join(out.split()), said
    events = [json.loads(line) for line in run("check", "record.csv", "--json")[1].splitlines()]
    assert events[-1]["counts"]["names not known"] == 2 and any(e["event"] == "mapping" for e in events)
    assert any(e["event"] == "note" and "may be norepinephrine" in e["text"] for e in events)


def test_the_mapping_is_written_once_and_read_back(run):
    code, out, err = run("check", "record.csv", "--write-mapping", "m.toml")
    assert code == 0 and "Wrote m.toml" in out, err
    assert '# "Levophed gtt" =' in Path("m.toml").read_text()
    assert run("check", "m.toml")[:2] == (
        0,
        "m.toml: fit (mapping of a record)\n  for: vein2vein monitor, respond and check (--mapping)\n",
    )
    assert run("check", "record.csv", "--mapping", "m.toml")[0] == 0
    before = Path("m.toml").read_text()
    code, out, err = run("check", "record.csv", "--write-mapping", "m.toml")
    assert code == 2 and "exists already" in err and Path("m.toml").read_text() == before
    assert run("check", "record.csv", "--write-mapping", "m.toml", "--force")[0] == 0


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("record.csv", "--force"), "--force does nothing without --write-mapping"),
        (("record.csv", "record.csv", "--write-mapping", "m.toml"), "one file"),
        (("notes.txt", "--write-mapping", "m.toml"), "no table of a record"),
        (("bundle.json", "--write-mapping", "m.toml"), "no table of a record"),
    ],
)
def test_bad_use(run, args, said):
    Path("notes.txt").write_text("hello\n")
    Path("bundle.json").write_text("{}")
    code, _, err = run("check", *args)
    assert code == 2 and said in err and not Path("m.toml").exists()


def test_the_standard_input_is_checked(run, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(TABLE.encode())))
    code, out, _ = run("check", "-")
    assert code == 0 and "standard input: fit" in out and "values read 2" in out
