"""Hostile input at the doors of the ward and the family: no traceback, one sentence, nothing that runs or misleads."""

import csv
import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from vein2vein.cli import main
from vein2vein.clinic.care.label_card import FOLDER

RECORD = """\
patient,time,analyte,value,unit
{who},,age,{age},years
{who},,weight,{weight},kg
{who},,allergies,{told},
{who},{first} 10:00,car_t_infusion,1e8,cells
{who},{then} 06:00,temperature,39,degC
{who},{then} 06:00,SBP,120,mmHg
{who},{then} 06:00,oxygen device,room air,
"""
USUAL = {"who": "Mary", "age": 50, "weight": 70, "told": "none", "first": "2026-03-01", "then": "2026-03-03"}
FILES = ("--episodes", "e.csv", "--sdtm-ae", "ae.csv", "--handover", "h.html")
UNSEEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
CARD = 'disease = "pediatric_b_all"\nage = 11\nweight = 39\n'
LABEL = (FOLDER / "tisagenlecleucel.toml").read_text(encoding="utf-8")


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("p.toml").write_text(CARD, encoding="utf-8")


def run(*args):
    with CliRunner().isolation() as (out, err, _):
        code = main.main([str(a) for a in args])
        return code, out.getvalue().decode(), err.getvalue().decode()


def refused(code, out, err, said=""):
    assert (code, out) == (2, "") and err.count("\n") == 1, err
    assert said in err and "unexpected failure" not in err and len(err) < 1500


def monitored(content=None, *more, **changes):
    told = RECORD.format(**{**USUAL, **changes}).encode() if content is None else content
    Path("r.csv").write_bytes(told)
    return run("monitor", "r.csv", "--out", "o", "--quiet", *FILES, *more)


def tables():
    out = {}
    for name in ("e.csv", "ae.csv", "ae-supp.csv"):
        with open(name, encoding="utf-8", newline="") as stream:
            out[name] = list(csv.reader(stream))
    return out


# ---------------------------------------------------------------- handover, episodes, adverse events

NAMES = [
    "=cmd|'/c calc'!A1", "+1+1", "-2+3+cmd|' /C calc'!A0", "@SUM(1)",
    '"<script>alert(1)</script>"', '"<img src=x onerror=alert(1)>"',
    "\x1b[31mred", "\u202eevil", "../../etc/passwd", "x" * 5000, "\N{SNOWMAN}", "javascript:alert(1)",
]  # fmt: skip


@pytest.mark.parametrize("who", NAMES, ids=range(len(NAMES)))
def test_a_hostile_name_of_a_patient_neither_runs_nor_hides_nor_leaves_the_folder(who):
    code, _, err = monitored(who=who, told=who if len(who) < 100 else "none")
    assert code == 0, err
    page, report = (Path(name).read_text(encoding="utf-8") for name in ("h.html", "o/report.html"))
    for text in (page, report):
        assert "<script>alert" not in text and "<img src=x" not in text and not UNSEEN.search(text)
    for name, rows in tables().items():
        assert len(rows) > 1 and len({len(row) for row in rows}) == 1
        for cell in (cell for row in rows for cell in row):
            assert not cell.startswith(("=", "+", "@", "\t", "\r", "-2+")) and not UNSEEN.search(cell), name
            assert name == "e.csv" or len(cell) <= 200
    kept = {"p.toml", "r.csv", "o", "e.csv", "ae.csv", "ae-supp.csv", "h.html"}
    assert {path.name for path in Path().iterdir()} == kept


def test_long_names_of_two_patients_stay_apart():
    rows = RECORD.format(**{**USUAL, "who": "x" * 300 + "1"}) + RECORD.format(**{**USUAL, "who": "x" * 300 + "2"})
    assert monitored(rows.encode())[0] == 0
    subjects = [row[2] for row in tables()["ae.csv"][1:]]
    assert subjects == ["UNKNOWN-NUMBER-0", "UNKNOWN-NUMBER-1"]


@pytest.mark.parametrize("study", ["T\x00X", "T\nX,Y", "S" * 41, "\x1b[2J", "\u202eT", " T1"])
def test_a_study_that_no_table_holds_is_refused_before_anything_is_graded(study):
    refused(*monitored(None, "--study", study), "printable characters")
    assert not Path("o").exists()


def test_a_study_that_a_spreadsheet_would_run_is_text():
    assert monitored(None, "--study", "=HYPERLINK(1)")[0] == 0
    assert {row[0] for row in tables()["ae.csv"][1:]} == {"'=HYPERLINK(1)"}


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (("--sdtm-ae", "."), "is a folder; give the name of a file"), (("--episodes", ".."), "is a folder"),
        (("--sdtm-ae", ".."), "folder"), (("--handover", "/dev/null"), "is a device"), (("--handover", ""), "empty"),
        (("--handover", "h\x00.html"), "control character"), (("--episodes", "x" * 300), ""),
        (("--sdtm-ae", "no/ae.csv"), "no"), (("--episodes", "r.csv"), "exists already"),
    ],
)  # fmt: skip
def test_a_place_that_cannot_be_written_is_one_sentence(more, said):
    Path("r.csv").write_bytes(RECORD.format(**USUAL).encode())
    refused(*run("monitor", "r.csv", "--out", "o", *more), said)
    assert not Path("o").exists()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty"), (bytes(range(256)) * 100, "r.csv"), (b"patient,time,analyte,value\nM\0,x,y,z\n", "NUL"),
        (b"patient,time,analyte,value,unit\n" + b"A" * 2_000_000 + b"\n", "too long"), (b"\xff\xfe\x00\x00", "r.csv"),
        (b'{"resourceType": "Bundle", "entry": [' + b"[" * 3000, "r.csv"),
    ],
    ids=["empty", "bytes", "NUL", "one long line", "UTF-32", "deep"],
)  # fmt: skip
def test_a_file_that_is_no_record_is_one_sentence(content, said):
    refused(*monitored(content), said)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"age": -4}, "out of its plausible range"), ({"age": 400}, "out of its plausible range"),
        ({"weight": -70}, "out of its plausible range"), ({"weight": "inf"}, "weight"), ({"weight": "1e9"}, "weight"),
        ({"first": "1926-03-01", "then": "1926-03-03"}, "before anybody had CAR-T cells: check the century"),
        ({"then": "2066-03-03"}, "too far from the infusion"), ({"then": "2026-02-30"}, "no such date"),
        ({"then": "12026-03-03"}, "line 6"),
    ],
)  # fmt: skip
def test_ages_weights_and_dates_that_nobody_has_are_told_and_never_used(changes, said):
    code, out, err = monitored(**changes)
    assert code == 0 and said in " ".join((out + err).split())
    sheet = Path("h.html").read_text(encoding="utf-8")
    assert not re.search(r"-4 years|400 years|nan|-70 kg|inf kg|1e\+09", sheet)


@pytest.mark.parametrize("first", ["0001-01-01", "9999-12-31"])
def test_a_year_that_no_chart_has_is_one_sentence(first):
    refused(*monitored(first=first, then=first), "the year is not between")


# ---------------------------------------------------------------- refer, explain


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('name = "\\u001b[31mx"', "control character"), (f'[referral]\nstate = "{"x " * 400}"', "at most 600"),
        ('[referral]\nnavigator = "\\u202eevil"', "control character"),
        ('[referral]\ncenter = "a\\u0000b"', "control character"),
        ("[referral]\ntreatments = [" + 61 * '"t",' + "]", "at most 60"),
        (f'[referral]\ntreatments = ["a", "{"x" * 601}"]', "referral.treatments.1"),
        ('[referral]\nmeasured = "1026-01-01"', "expected year-month-day from 1990-01-01"),
        ('[referral]\nmeasured = "2590-01-01"', "to 2100-12-31"),
        ("[last_given]\ncorticosteroid = -5", "corticosteroid"),
        ("[last_given]\ncorticosteroid = 1e300", "corticosteroid"), ('[last_given]\n"<b>x" = "soon"', "unknown field"),
        ("[history]\nrelapses = -1", "history.relapses"), ("[history]\ndays_to_relapse = -10", "days_to_relapse"),
        ("x = " + "[" * 3000 + "]" * 3000, "nested too deeply"), (f"# {'x' * 2_000_000}", "larger than 2 MB"),
    ],
    ids=range(15),
)  # fmt: skip
def test_a_hostile_card_of_a_referral_is_one_sentence_and_leaves_no_papers(text, said):
    Path("p.toml").write_text(f"{CARD}{text}\n", encoding="utf-8")
    refused(*run("refer", "p.toml", "--out", "r", "--no-pdf"), said)
    assert not Path("r").exists()


@pytest.mark.parametrize("field", ["navigator", "physician", "center", "helper", "found", "state"])
def test_markup_in_the_words_of_a_referral_is_shown_as_it_stands(field):
    hostile = "<script>alert(1)</script><img src=x onerror=alert(1)> =cmd|1"
    Path("p.toml").write_text(f'{CARD}name = "<b>x"\n[referral]\n{field} = "{hostile}"\n', encoding="utf-8")
    code, _, err = run("refer", "p.toml", "--out", "r", "--no-pdf")
    page = Path("r/referral.html").read_text(encoding="utf-8")
    assert code == 0, err
    assert "<script" not in page and "<img" not in page and "<b>x" not in page
    json.loads(Path("r/referral.fhir.json").read_text(encoding="utf-8"))


def test_values_that_are_dated_after_today_are_told():
    Path("p.toml").write_text(f'{CARD}[referral]\nmeasured = "2099-12-31"\n', encoding="utf-8")
    code, _, err = run("refer", "p.toml", "--out", "r", "--no-pdf")
    assert code == 0 and "the values are dated 2099-12-31, after" in err


@pytest.mark.parametrize(
    "more",
    [
        ("--language", "../../etc/passwd"), ("--product", "../../etc/passwd"), ("--product", "/etc/hostname"),
        ("--out", "p.toml/x"), ("--out", "a\x00b"), ("--language", "e" * 10_000),
    ],
    ids=range(6),
)  # fmt: skip
def test_a_path_trick_at_refer_is_one_sentence(more):
    refused(*run("refer", "p.toml", "--no-pdf", *(() if more[0] == "--out" else ("--out", "r")), *more))
    assert not Path("r").exists()


@pytest.mark.parametrize(
    "more",
    [
        ("--infusion-date", "1826-01-01"), ("--infusion-date", "2027-01-10; rm"),
        ("--infusion-date", "\u0662027-01-10"), ("--out", "/dev/full"),
        ("--out", "a\x00.html"), ("--product", "../../etc/passwd"), ("--language", "<script>"),
    ],
    ids=range(7),
)  # fmt: skip
def test_a_trick_at_explain_is_one_sentence(more):
    own = () if more[0] == "--product" else ("--product", "kymriah")
    refused(*run("explain", "p.toml", "--no-simulation", *own, *more))


# ---------------------------------------------------------------- eligible --label


def judged(old="", new="", *more, content=None):
    Path("l.toml").write_bytes(LABEL.replace(old, new, 1).encode() if content is None else content)
    assert content is not None or old in LABEL
    return run("eligible", "p.toml", "--label", "l.toml", *more)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("newest_change =", 'ends = "2020-01-31"\nnewest_change =', "was in force until 2020-01-31"),
        ("newest_change =", 'begins = "2190-01-01"\nnewest_change =', "is in force from 2190-01-01 on"),
    ],
)
def test_a_label_that_is_not_in_force_today_judges_nothing(old, new, said):
    code, out, err = judged(old, new, "--json")
    (label,) = [one for one in map(json.loads, out.splitlines()) if one["event"] == "label"]
    assert (code, err, label["verdict"], label["use"]) == (0, "", "not met", "")
    assert said in label["why"] and "no use of it is judged" in label["why"]


def test_a_label_read_in_the_future_says_so():
    code, out, _ = judged('read = "2026-11-29"', 'read = "2190-01-01"', "--json")
    (label,) = [one for one in map(json.loads, out.splitlines()) if one["event"] == "label"]
    assert code == 0 and any("said to have been read on 2190-01-01, which is after" in note for note in label["notes"])


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('newest_change = "2025-12"', 'newest_change = "2031-12"', "after the day on which it was read"),
        ("newest_change =", 'begins = "2026-05-01"\nends = "2026-04-01"\nnewest_change =', "when it begins"),
        ("newest_change =", 'ends = "2026-02-30"\nnewest_change =', "expected a date"),
        ('brand = "Kymriah"', 'brand = "\\u001b[2JKymriah"', "control character"),
        ('brand = "Kymriah"', 'brand = "\\u202eKymriah"', "control character"),
        ("age_below = 26", "age_below = -26", "age_below"), ("age_below = 26", "age_below = nan", "age_below"),
        ('mark = "R:S66,S67"', 'mark = "trust me"', "expected R:S1"), ("[[uses]]", "[[usess]]", "did you mean uses"),
    ],
)  # fmt: skip
def test_a_hostile_label_is_one_sentence(old, new, said):
    refused(*judged(old, new), said)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "missing"), (bytes(range(256)), "not UTF-8"), (LABEL.encode() + b"\0", "not valid TOML"),
        (b"# " + b"x" * 2_000_000, "larger than 2 MB"), (b"a = " + b"[" * 3000, "l.toml"),
    ],
    ids=["empty", "bytes", "NUL", "large", "deep"],
)  # fmt: skip
def test_a_file_that_is_no_label_is_one_sentence(content, said):
    refused(*judged(content=content), said)


@pytest.mark.parametrize("path", ["/dev/zero", "/etc", "nothere.toml", "p.toml", "-", "l\x00.toml", ""])
def test_a_label_that_is_not_there_is_one_sentence(path):
    refused(*run("eligible", "p.toml", "--label", path))


# ---------------------------------------------------------------- visits


def test_a_lesion_on_a_day_of_another_century_is_refused_and_gives_no_response():
    rows = "day,deauville,lesion,site,longest [cm],shortest [cm],new\n-7,5,neck,node,4,3,0\n99999,5,neck,node,9,8,0\n"
    Path("v.csv").write_text(rows, encoding="utf-8")
    refused(*run("respond", "v.csv", "--criteria", "lugano"), "found a lesion on day 99999")


def test_visits_out_of_order_are_judged_by_day_and_told():
    head = "day,deauville,lesion,site,longest [cm],shortest [cm],new\n"
    rows = ["-7,5,neck,node,4,3,0\n", "28,2,neck,node,1.4,1,0\n", "91,5,neck,node,4,3,0\n"]
    found = []
    for order in (rows, [rows[0], rows[2], rows[1]]):
        Path("v.csv").write_text(head + "".join(order), encoding="utf-8")
        found.append(run("respond", "v.csv", "--criteria", "lugano"))
    assert found[0][1] == found[1][1] and "stands after that of day" in found[1][2] not in found[0][2]
