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


UNUSUAL = """PAT,WHEN,COPIES,CELLS,KIND
1,0,.,1e8,1
1,7,900,.,0
1,14,60,.,0
2,0,.,1e8,1
2,7,500,.,0
"""
NAMED = "id=PAT,time=WHEN,dv=COPIES,amt=CELLS,evid=KIND"


@pytest.mark.parametrize("way", ["option", "beside"])
def test_columns_with_unusual_names_are_said_by_an_option_or_beside_the_file(run, way):
    Path("u.csv").write_text(UNUSUAL, encoding="utf-8")
    assert run("check", "u.csv")[0] == 1
    said = ("--columns", NAMED)
    if way == "beside":
        said = ()
        roles = dict(one.split("=") for one in NAMED.split(","))
        told = "\n".join(f'{role} = "{name}"' for role, name in roles.items() if role != "time")
        Path("u.columns.toml").write_text(f'time = {{ column = "WHEN" }}\n{told}\n', encoding="utf-8")
    code, out, _ = run("check", "u.csv", *said)
    assert code == 0 and "2 subjects, 2 doses, 3 samples" in out and "a population model: vein2vein fit" in out
    code, _, err = run("explore", "u.csv", "--time-unit", "d", "--json", "--quiet", *said)
    assert code == 0, err
    code, _, err = run("fit", "u.csv", "--model", "stein_2019", "--time-unit", "d", "--init", "u.toml", *said)
    assert code == 0, err
    text = Path("u.toml").read_text(encoding="utf-8")
    assert 'column = "WHEN"' in text and 'unit = "d"' in text and 'dv = "COPIES"' in text
    code, out, _ = run("check", "u.toml")
    assert code == 0 and "fit (population fit)" in out and "for: vein2vein fit" in out


def test_a_role_that_no_column_can_have_is_refused_with_the_nearest(run):
    Path("u.csv").write_text(UNUSUAL, encoding="utf-8")
    code, _, err = run("check", "u.csv", "--columns", "idd=PAT")
    assert code == 2 and "unknown role of a column 'idd'" in " ".join(err.split()) and "did you mean" in err
    code, _, err = run("explore", "u.csv", "--columns", "PAT")
    assert code == 2 and "expected ROLE=NAME" in " ".join(err.split())
    code, _, err = run("check", "u.csv", "record.csv", "--columns", NAMED)
    assert code == 2 and "give one file" in err


def test_findings_of_one_kind_are_listed_five_times_and_then_counted(run):
    rows = [f"{i},0,5,.,1\n{i},1,.,high,0\n" for i in range(1, 10)]
    Path("n.csv").write_text("ID,TIME,AMT,DV,EVID\n" + "".join(rows) + "9,2,.,.,0\n", encoding="utf-8")
    code, out, _ = run("check", "n.csv")
    told = " ".join(out.split())
    assert code == 1 and told.count("(found 'high'") == 5
    assert "n.csv, DV: and 4 more like these, up to line 19 (--json lists all)." in told
    assert "NONMEM reads it as 0" in told  # another kind is not hidden
    _, out, _ = run("check", "n.csv", "--json")
    assert sum(json.loads(line)["event"] == "problem" for line in out.splitlines()) == 10
