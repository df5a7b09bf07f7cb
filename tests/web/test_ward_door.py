"""The door of the ward: what is opened is graded, nothing stays on disk unasked, wrong input changes nothing."""

import csv
import datetime
import io
import json
import re
import zipfile

import pytest
import twins

from vein2vein.cards import bundled_card
from vein2vein.cli.main import main
from vein2vein.errors import InputError
from vein2vein.files import WriteError
from vein2vein.io.record.folder import read_records
from vein2vein.io.record.read import example_record_text, read_record
from vein2vein.io.record.write import safe_cell
from vein2vein.ward.monitor import monitor
from vein2vein.web import static_files
from vein2vein.web.held import Held
from vein2vein.web.quick import Quick
from vein2vein.web.ward.opened import ADDED, Opened
from vein2vein.web.workspace import Missing

EXAMPLE = example_record_text().encode()
WHEN, AT = "2026-04-02T12:00", "2026-03-07 10:00"
ICE = {
    "year": "right",
    "month": "right",
    "city": "right",
    "hospital": "wrong",
    "objects": "3",
    "command": "yes",
    "sentence": "yes",
    "count": "yes",
}
ROUND = {
    "time": WHEN,
    "author": "Nurse B",
    "temperature": "39.5",
    "systolic_bp": "80",
    "oxygen_device": "room air",
    "arousal": "awake",
    "seizure": "none",
    **{f"ice.{name}": answer for name, answer in ICE.items()},
}
DECISION = {"time": "2026-04-02T11:00", "sign": "fever", "reason": "line infection", "author": "Dr. C"}
WARD = "patient,time,analyte,value,unit\n" + "".join(
    f"{who},2026-03-05 10:00,car_t_infusion,given,\n{who},,age,40,years\n{who},{AT},temperature,{degrees},degC\n"
    f"{who},{AT},SBP,{pressure},mmHg\n{who},{AT},oxygen device,room air,\n"
    for who, degrees, pressure in (("A", 37.0, 120), ("<b>B</b>", 39.5, 80))
)


@pytest.fixture(autouse=True)
def cold(monkeypatch):
    """No process is started before it is asked for: most of these tests need none."""
    monkeypatch.setattr(Quick, "warm", lambda self, work: None)


def send(asked, *files, address="/ward/open"):
    return asked.change(address, files=[("file", file) for file in files])


def begun(asked, content=EXAMPLE, name="record.csv"):
    answer = send(asked, (name, content))
    assert answer.status_code == 303, answer.text
    return answer.headers["location"]


def faults(answer):
    assert answer.status_code == 422, answer.text[:500]
    return answer.text


def told(asked, address):
    return asked.client.get(f"{address}.json").json()["data"]


def on_disk(asked):
    return sorted(
        path.name for path in asked.settings.workspace.rglob("*") if path.is_file() and "jobs.db" not in path.name
    )


@pytest.fixture(scope="module")
def example(asked):
    return begun(asked)


@pytest.mark.parametrize("path", ["", "/0", "/0/round", "/0/decide", "?until=4", "?scale=lee2014&until=3.5"])
def test_a_page_and_its_twin_tell_the_same(asked, example, path):
    twins.check(asked.client, f"{example}{path}")
    twins.check(asked.client, "/ward")


def test_the_page_says_what_the_command_says(asked, example, tmp_path):
    (tmp_path / "record.csv").write_bytes(EXAMPLE)
    (watch,) = monitor(read_record(tmp_path / "record.csv"), until=4)
    found = asked.client.get(f"{example}.json?until=4").json()["data"]
    assert {one["title"]: one["words"] for one in found["now"]} == {
        one.title: str(one) for one in (*watch.now, *watch.hematotoxicity)
    }
    assert found["changed"] == list(watch.changed) and len(found["days"]) == len(watch.days)
    assert len(found["consider"]) == len(watch.consider) and found["decisions"] == []
    reasons = [row for one in found["now"] for row in one["because"]]
    assert any("[record.csv:52]" in row for row in reasons)


def test_nothing_is_on_disk_unless_it_is_asked_for(fresh):
    at = begun(fresh, name="Ada Lovelace.csv")
    assert fresh.change(f"{at}/0/round", ROUND).status_code == 303
    assert fresh.client.get(at).status_code == fresh.client.get(f"{at}/0/files/handover.html").status_code == 200
    assert on_disk(fresh) == [".lock"] and "Lovelace" not in at
    kept = fresh.change(f"{at}/keep").headers["location"]
    assert on_disk(fresh) == [".lock", "Ada-Lovelace.csv", ADDED] and fresh.client.get(at).status_code == 404
    assert fresh.change(f"{kept}/keep").headers["location"] == kept
    (watch,) = monitor(read_records(fresh.settings.workspace / "inputs" / kept.rpartition("/")[2]))
    assert {one.name: str(one) for one in watch.now}["crs_astct"] == "grade 2"
    assert fresh.change(f"{kept}/0/decide", DECISION).status_code == 303
    assert b"line infection" in (fresh.settings.workspace / "inputs" / kept.rpartition("/")[2] / ADDED).read_bytes()
    assert kept in fresh.client.get("/").text and "kept in the workspace" in fresh.client.get(kept).text.lower()
    packed = zipfile.ZipFile(io.BytesIO(fresh.client.get(f"{kept}/files/record").content))
    assert packed.namelist() == ["Ada-Lovelace.csv", ADDED] and packed.read("Ada-Lovelace.csv") == EXAMPLE
    assert fresh.change(f"{kept}/remove").status_code == 303
    assert on_disk(fresh) == [".lock"] and fresh.client.get(kept).status_code == 404


def test_a_kept_record_outlives_the_server(tmp_path, open_app):
    with open_app(tmp_path / "w") as one:
        at = begun(one)
        kept = one.change(f"{at}/keep").headers["location"]
        lost = begun(one)
    with open_app(tmp_path / "w") as two:
        assert two.client.get(kept).status_code == 200 and two.client.get(lost).status_code == 404
        assert "is not open" in two.client.get(lost).text


def test_a_closed_record_is_gone(fresh):
    at = begun(fresh)
    assert at in fresh.client.get("/ward").text
    fresh.change(f"{at}/close")
    assert (
        fresh.client.get(at).status_code == 404
        and not fresh.parts.held.listed(Opened)
        and at not in fresh.client.get("/ward").text
    )


def test_a_round_is_added_and_graded(fresh):
    at = begun(fresh)
    answer = fresh.change(f"{at}/0/round", ROUND)
    assert answer.headers["location"] == f"{at}/0"
    now = {one["title"]: one for one in told(fresh, at)["now"]}
    assert (
        now["Cytokine release (ASTCT)"]["words"] == "grade 2"
        and "[rows-added-here.csv:3]" in now["Cytokine release (ASTCT)"]["because"][-1]
    )
    assert (
        now["Neurotoxicity (ICANS)"]["words"] == "grade 1"
        and "ICE score 9" in now["Neurotoxicity (ICANS)"]["because"][0]
    )
    assert not told(fresh, at)["warnings"]
    rows = zipfile.ZipFile(io.BytesIO(fresh.client.get(f"{at}/files/record").content)).read(ADDED).decode()
    assert "record,2026-04-02T12:00,ice,9,,Nurse B,Says the year: right" in rows


@pytest.mark.parametrize(
    ("typed", "field", "said"),
    [
        ({"temperature": "390"}, "temperature", "out of its plausible range"),
        ({"temperature": "102"}, "temperature", "Fahrenheit"),
        ({"temperature": "=1+1"}, "temperature", "expected a number"),
        ({"ice.year": "right"}, "ice-month", "no answer to"),
        ({"time": ""}, "time", "when?"),
        ({"time": "yesterday"}, "time", ""),
        ({"time": "1815-12-10T10:00"}, "time", ""),
        ({"neutrophils": "<script>"}, "neutrophils", "not a number"),
        ({"arousal": "x" * 5000}, "arousal", "unknown arousal"),
        ({"temperature": "38\x00"}, "temperature", ""),
    ],
)
def test_what_cannot_be_read_is_said_at_its_field_and_nothing_is_added(asked, example, typed, field, said):
    before = told(asked, example)
    text = faults(
        asked.change(f"{example}/0/round", {**{k: v for k, v in ROUND.items() if not k.startswith("ice.")}, **typed})
    )
    assert f'id="fault-{field}"' in text and said in text and "Nothing was added" in text
    assert "<script>" not in text.partition("<main")[2].replace('<script type="application/json">', "")
    assert 'value="80"' in text, "what was typed still stands"
    assert told(asked, example) == before


def test_a_round_of_nothing_is_refused(asked, example):
    assert "nothing was filled in" in faults(asked.change(f"{example}/0/round", {"time": WHEN}))


def test_a_value_that_contradicts_an_earlier_one_is_refused(fresh):
    at = begun(fresh)
    assert fresh.change(f"{at}/0/round", {"time": WHEN, "temperature": "38.4"}).status_code == 303
    text = faults(fresh.change(f"{at}/0/round", {"time": WHEN, "temperature": "36.4"}))
    assert "Nothing was added" in text and told(fresh, at)["aside"] == []


@pytest.mark.parametrize("formula", ["=1+1", "@SUM(1)", "+cmd|x", "-2+3", "\t=1+1"])
def test_no_text_that_is_typed_becomes_a_formula(fresh, formula):
    at = begun(fresh)
    words = {"author": formula, "allergies": formula}
    assert fresh.change(f"{at}/0/round", {**ROUND, **words}).status_code == 303
    assert fresh.change(f"{at}/0/decide", {**DECISION, "author": formula, "reason": formula}).status_code == 303
    files = zipfile.ZipFile(io.BytesIO(fresh.client.get(f"{at}/files/record").content)).read(ADDED).decode()
    tables = [files, fresh.client.get(f"{at}/0/files/findings.csv").text]
    cells = [cell for text in tables for row in csv.reader(io.StringIO(text)) for cell in row]
    assert [one for one in cells if formula.strip() in one] and not [one for one in cells if safe_cell(one) != one]


@pytest.mark.parametrize(("time", "said"), [("2025-04-02T12:00", "day -"), ("2026-03-01T12:00", "(2026-03-05)")])
def test_a_round_before_the_infusion_is_asked_back(fresh, time, said):
    at = begun(fresh)
    before = told(fresh, at)
    for page, typed in (("round", ROUND), ("decide", DECISION)):
        text = faults(fresh.change(f"{at}/0/{page}", {**typed, "time": time}))
        assert 'id="fault-time"' in text and "before the infusion" in text and said in text
        assert 'type="checkbox" name="before"' in text
    assert told(fresh, at) == before
    assert fresh.change(f"{at}/0/round", {**ROUND, "time": time, "before": "yes"}).status_code == 303
    counted = begun(fresh, b"day,analyte,value,unit\n0,car_t_infusion,given,\n2,temperature,38.5,degC\n")
    typed = {"time": "-3", "temperature": "38.5"}
    assert "found &#39;D-3&#39;, day -3" in faults(fresh.change(f"{counted}/0/round", typed))
    assert fresh.change(f"{counted}/0/round", {**typed, "before": "yes"}).status_code == 303


@pytest.mark.parametrize(
    ("row", "found"),
    [
        (b"2026-02-30,car_t_infusion,given,\n", "2026-02-30"),
        (b"soon,car_t_infusion,given,\n", "soon"),
        (b",infusion,3026-03-05,\n", "3026-03-05"),
    ],
)
def test_a_bad_date_of_the_infusion_is_refused_with_its_row(asked, row, found):
    text = faults(send(asked, ("r.csv", b"time,analyte,value,unit\n2026-03-06 10:00,temperature,38,degC\n" + row)))
    assert "the time of the infusion cannot be read" in text and found in text and "<bdi>r.csv</bdi> line 3" in text
    assert 'id="fault-infused"' in faults(asked.change("/ward/begin", {"age": "6", "infused": "2026-02-30T10:00"}))


def test_decisions_are_rows_with_author_and_time(fresh):
    at = begun(fresh)
    fresh.change(f"{at}/0/round", ROUND)
    assert f'value="{WHEN}"' in fresh.client.get(f"{at}/0/decide").text, "it is about the last reading"
    for missing, field in (("author", "author"), ("reason", "reason"), ("time", "time"), ("sign", "sign")):
        assert f'id="fault-{field}"' in faults(fresh.change(f"{at}/0/decide", {**DECISION, missing: ""}))
    assert fresh.change(f"{at}/0/decide", DECISION).status_code == 303
    found = told(fresh, at)
    assert (found["decisions"][-1]["author"], found["decisions"][-1]["holds"]) == (
        "Dr. C",
        "attributed to: line infection",
    )
    assert (
        "fever attributed to another cause"
        in next(one for one in found["now"] if one["title"].startswith("Cytokine"))["flags"]
    )
    override = {
        **DECISION,
        "sign": "",
        "finding": "icans",
        "grade": "0",
        "until": "2026-04-03T00:00",
        "reason": "language",
    }
    assert fresh.change(f"{at}/0/decide", override).status_code == 303
    last = told(fresh, at)["decisions"][-1]
    assert (
        last["what"] == "Neurotoxicity (ICANS)"
        and last["holds"] == "grade 0"
        and last["where_from"] == f"{ADDED}:9"
        and "grade 1" in last["computed"]
    )


def test_a_fever_that_does_not_count_stands_with_who_decided_it(asked):
    days = {one["date"]: one for one in told(asked, begun(asked))["days"]}
    assert "38.4" in days["2026-03-12"]["values"] and days["2026-03-12"]["states"][0] == "0"
    (said,) = [one for one in days["2026-03-12"]["because"] if one["finding"] == "Decided"]
    assert said["rows"] == "fever: attributed to: bacteremia (blood culture), Dr. A [record.csv:61]"
    assert not [one for day, found in days.items() if day != "2026-03-12" for one in found["because"] if "Dr. A" in one]


def test_reasons_say_codes_in_words_and_the_head_says_that_the_age_is_unknown(asked):
    days = {one["date"]: one for one in told(asked, begun(asked))["days"]}
    rows = " ".join(one["rows"] for one in days["2026-03-08"]["because"])
    assert "Oxygen device: nasal cannula, day 3.33" in rows and "Arousal: awakens spontaneously, day 3.33" in rows
    assert "Oxygen device 1" not in rows
    ageless = begun(asked, EXAMPLE.replace(b",age,14,", b",age,200,"))
    assert "; age unknown, 39 kg, tisagenlecleucel." in told(asked, ageless)["summary"][0]


def test_a_record_is_begun_here_and_goes_on_in_one_file(fresh):
    assert 'id="fault-infused"' in faults(fresh.change("/ward/begin", {"age": "6"}))
    assert 'id="fault-age"' in faults(fresh.change("/ward/begin", {"age": "600", "infused": "2026-03-05T10:00"}))
    at = fresh.change("/ward/begin", {"age": "6", "weight": "20", "infused": "2026-03-05T10:00"}).headers["location"]
    twins.check(fresh.client, at)
    page = fresh.client.get(at).text
    assert page.index("ICE, question by question") > page.index(
        "<details><summary>ICE"
    )  # the score of the age stands open
    assert (
        fresh.change(
            at,
            {"time": "2026-03-06T10:00", "temperature": "101.3", "temperature.unit": "degF", "allergies": "penicillin"},
        ).status_code
        == 303
    )
    at = at.removesuffix("/0/round")
    text = fresh.client.get(f"{at}/files/record").text
    assert text.splitlines()[-2] == ",2026-03-06T10:00,temperature,101.3,degF,,," and text.count("patient,time") == 1
    assert "penicillin" in fresh.client.get(f"{at}/0/files/handover.html").text
    again = send(fresh, ("mine.csv", text.encode())).headers["location"]
    assert fresh.change(f"{again}/0/round", {"time": "2026-03-07T10:00", "temperature": "38.3"}).status_code == 303
    assert fresh.client.get(f"{again}/files/record").text.startswith(text)


@pytest.mark.parametrize(("page", "typed"), [("round", ROUND), ("decide", DECISION)])
def test_what_is_dated_later_than_now_is_asked_back(fresh, page, typed):
    at = begun(fresh)
    before = told(fresh, at)
    text = faults(fresh.change(f"{at}/0/{page}", {**typed, "time": "2199-04-02T11:00"}))
    assert 'id="fault-time"' in text and "later than now" in text
    assert told(fresh, at) == before
    text = faults(fresh.change("/ward/begin", {"age": "6", "infused": "2199-03-05T10:00"}))
    assert 'id="fault-infused"' in text and "later than now" in text


def test_a_record_that_goes_on_later_than_now_says_so(fresh, monkeypatch):
    assert "later than today" not in fresh.client.get(begun(fresh)).text
    monkeypatch.setattr("vein2vein.ward.ahead.FORGIVEN", -datetime.timedelta(days=100_000))
    assert "the last row is dated 2026-04-02, later than today" in fresh.client.get(begun(fresh)).text


def test_a_record_that_counts_days_is_asked_for_days(fresh):
    at = begun(fresh, b"day,analyte,value,unit\n0,car_t_infusion,given,\n2,temperature,38.5,degC\n")
    page = fresh.client.get(f"{at}/0/round").text
    assert "datetime-local" not in page and "this record has no dates" in page
    assert 'id="fault-time"' in faults(fresh.change(f"{at}/0/round", {"time": "soon", "temperature": "38.5"}))
    assert fresh.change(f"{at}/0/round", {"time": "2.5", "temperature": "39.5"}).status_code == 303
    assert "day 2.5" in fresh.client.get(at).text


def test_several_patients_are_a_list_the_worst_first(fresh):
    at = begun(fresh, WARD.encode(), "ward.csv")
    page, twin = twins.check(fresh.client, at)
    assert [one["name"] for one in twin["data"]["lines"]] == ["<b>B</b>", "A"] and "<b>B" not in page.text
    twins.check(fresh.client, f"{at}/1")
    assert fresh.change(f"{at}/1/round", {"time": "2026-03-07T16:00", "temperature": "39.9"}).status_code == 303
    lines = {one["name"]: one["read"] for one in told(fresh, at)["lines"]}
    assert lines == {"A": "day 2 (2026-03-07 10:00)", "<b>B</b>": "day 2.25 (2026-03-07 16:00)"}
    assert fresh.client.get(f"{at}/2").status_code == fresh.client.get(f"{at}/-1").status_code == 404
    assert fresh.client.get(f"{at}/one").status_code == 422


def test_rows_of_a_patient_with_a_name_like_a_formula_are_of_that_patient(fresh):
    at = begun(fresh, WARD.replace("<b>B</b>", "=B()").encode(), "ward.csv")
    answer = fresh.change(f"{at}/1/round", {"time": "2026-03-07T16:00", "temperature": "39.9"})
    found = [one["read"] for one in told(fresh, at)["lines"]]
    assert len(found) == 2, "no third patient appears"
    assert answer.status_code in (303, 422)


def test_a_mapping_goes_along(fresh):
    table = b"Messzeit;Wert;Messung\n05.03.2026 10:00;38,5;temperature\n"
    columns = b'[columns]\n"Messzeit" = "time"\n"Wert" = "value"\n"Messung" = "name"\n'
    mapping = b'decimal = ","\n' + columns + b"[patient]\ninfusion = 2026-03-04T10:00:00\n"
    at = send(fresh, ("export.csv", table), ("export.toml", mapping)).headers["location"]
    assert "38.5 degC" in json.dumps(told(fresh, at)["days"]).replace("\\u00b0C", "degC")
    assert zipfile.ZipFile(io.BytesIO(fresh.client.get(f"{at}/files/record").content)).namelist() == [
        "export.csv",
        "export.toml",
    ]
    assert "no record" in faults(send(fresh, ("export.toml", mapping)))


HOSTILE = {
    "empty.csv": b"",
    "zip.csv": b"PK\x03\x04" + b"x" * 50,
    "a.py": b"import os\n",
    "page.html": b"<!DOCTYPE html><script>1</script>",
    "x.svg": b"<svg/>",
    "nul.csv": b"time,analyte\x00,value\n",
    "words.csv": b"no record at all\njust words\n",
    "deep.json": b"[" * 5000,
    "not.json": b'{"resourceType": "Bundle", "entry": [',
    "no-zero.csv": b"time,analyte,value,unit\n2026-03-05 10:00,temperature,38,degC\n",
    "entity.xml": b'<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><x>&a;</x>',
    "../../../etc/cron.csv": b"a,b\n1,2\n",
    "long" * 100 + ".csv": b"a,b\n1,2\n",
    "formula.csv": b"time,analyte,value\n=cmd|calc,@SUM(1),+2\n",
    "image.csv": b"\x89PNG\r\n\x1a\n",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_file_gets_a_sentence(asked, name):
    answer = send(asked, (name, HOSTILE[name]))
    text = faults(answer)
    assert 'class="problem"' in text and "vein2vein-" not in text and "/tmp" not in text and "Traceback" not in text


def test_a_record_of_more_rows_than_one_waits_for_is_refused_before_it_is_read(asked, example, monkeypatch):
    before, most = told(asked, example), int(bundled_card("web/uploads.toml").number("rows", "record", "most"))
    row = b"2026-03-06 10:00,temperature,38.5,degC\n"
    large = EXAMPLE + row * most
    monkeypatch.setattr("vein2vein.web.ward.opened.read_records", lambda path: pytest.fail("it was read"))
    text = faults(send(asked, ("large.csv", large)))
    assert "large.csv" in text and f"at most {most:,} are read" in text and "vein2vein monitor" in text
    halves = faults(send(asked, ("one.csv", large[: len(large) // 2]), ("two.csv", large[len(large) // 2 :])))
    assert "vein2vein monitor" in halves, "rows of all files count"
    resources = b'{"resourceType": "Observation"},' * most
    assert "vein2vein monitor" in faults(
        send(asked, ("b.json", b'{"resourceType": "Bundle", "entry": [' + resources + b"]}"))
    )
    monkeypatch.undo()
    assert told(asked, example) == before, "what was open stays as it was"


@pytest.mark.parametrize("name", ["report.html", "record.csv", "x"])
def test_only_what_is_written_can_be_asked_for(asked, example, name):
    answer = asked.client.get(f"{example}/0/files/{name}")
    assert answer.status_code == (200 if name == "report.html" else 422)


@pytest.mark.parametrize("query", ["until=x", "until=-99", "scale=best", "until=nan", "scale=" + "x" * 30])
def test_a_wrong_view_gets_a_sentence(asked, example, query):
    answer = asked.client.get(f"{example}?{query}")
    assert answer.status_code == 422 and 'class="problem"' in answer.text


def test_files_are_those_of_the_command(asked, example):
    sheet = asked.client.get(f"{example}/0/files/handover.html", params={"show": True})
    assert sheet.headers["content-type"].startswith("text/html") and "content-disposition" not in sheet.headers
    assert sheet.headers["content-security-policy"].startswith("sandbox") and "<script" not in sheet.text
    assert "attachment" in asked.client.get(f"{example}/0/files/handover.html").headers["content-disposition"]
    assert asked.client.get(f"{example}/0/files/findings.csv").text.count("record.csv:")
    assert json.loads(asked.client.get(f"{example}/0/files/findings.fhir.json").content)["resourceType"] == "Bundle"
    assert asked.client.get(f"{example}/files/record").content == EXAMPLE
    assert "<svg" in asked.client.get(f"{example}/0/files/report.html").text


def test_figures_are_images_that_do_nothing(asked, example):
    answer = asked.client.get(f"{example}/0/figures/timeline.svg")
    assert (
        answer.headers["content-type"] == "image/svg+xml"
        and answer.text.startswith("<svg xmlns=")
        and "<script" not in answer.text
    )
    assert answer.headers["content-security-policy"].startswith("sandbox")
    assert asked.client.get(f"{example}/0/figures/later.svg").status_code == 404
    assert asked.client.get(f"{example}/0/figures/other.svg").status_code == 422
    assert asked.client.get(f"{example}.json").json()["data"]["figures"] == ["timeline"]


def test_what_is_held_is_forgotten_and_limited(monkeypatch):
    held = Held(idle=10.0, most=100)
    key = held.put("a", 60)
    with pytest.raises(InputError, match="more is open"):
        held.put("b", 60)
    assert held.put("c", 90, key) == key and held.get(str, key) == "c" and held.find(int, key) is None
    moment = [1000.0]
    monkeypatch.setattr("time.monotonic", lambda: moment[0])
    held.put("c", 90, key)
    moment[0] += 9
    assert held.get(str, key) == "c"
    moment[0] += 11
    with pytest.raises(Missing, match="no longer open"):
        held.get(str, key)
    other = held.put(1, 1)
    held.drop(int, other)
    assert held.listed(int) == []


def test_what_a_reader_copies_runs(asked, example, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    copied = asked.client.get(f"{example}.json?until=4").json()
    (tmp_path / "record.csv").write_bytes(asked.client.get(f"{example}/files/record").content)
    exec(compile(copied["python"], "copied", "exec"), {})
    assert "Cytokine release" in capsys.readouterr().out
    assert copied["command"] == "vein2vein monitor record.csv --until 4"
    assert main([*copied["command"].split()[1:], "--quiet"]) == 0


def test_a_full_disk_keeps_the_record_open(fresh, monkeypatch):
    at = begun(fresh)
    assert fresh.change(f"{at}/0/round", ROUND).status_code == 303
    written = []

    def full(path, content, **how):
        if written:
            raise WriteError("cannot be written (No space left on device); free some space.", file=path.name)
        written.append(path)
        path.write_bytes(content)

    monkeypatch.setattr("vein2vein.web.workspace.write_bytes", full)
    answer = fresh.change(f"{at}/keep")
    assert answer.status_code == 507 and "free some space" in answer.text
    assert written and not list((fresh.settings.workspace / "inputs").iterdir())
    assert "grade 2" in fresh.client.get(at).text, "it is still open, with its rows"


def test_pages_weigh_little(asked, example):
    for address in ("/ward", example, f"{example}/0/round", f"{example}/0/decide"):
        page = asked.client.get(address).text
        files = [static_files.assets()[name] for name in re.findall(r'/static/([^"?]+)\?v=', page)]
        assert len(page.encode()) + sum(len(one.packed) for one in files) <= 60_000, address
