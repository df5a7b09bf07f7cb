"""Trials: form and text are one file, faults at their place, arms beside each other, runs, two people at one trial."""

import csv
import html
import json
import re
import time
import tomllib

import pytest
import twins

from vein2vein.cards import parse_card
from vein2vein.runs.store import read_table
from vein2vein.trials.trial import load_trial, read_trial, run_trial, trial_template_text
from vein2vein.web.doors.trials import arms_beside
from vein2vein.web.names_only import without_paths

TEXT = trial_template_text()
ARMS = TEXT[: TEXT.index("[[published]]")]
for old, new in {
    'policy = "early_conservative"': 'policy = "early_conservative"\nallocation = "randomized"',
    "follow_up = 365": "follow_up = 60",
    "disease_visits = [28, 90, 180, 270, 365]": "disease_visits = [28, 60]",
    "28, 90, 180, 365]": "28]",
    'follow_up = "9 months"': 'follow_up = "2 months"',
}.items():
    assert old in ARMS
    ARMS = ARMS.replace(old, new)
ARMS += '\n[[arms]]\nname = "cells"\nsize = 20\n\n[[arms]]\nname = "low"\nsize = 20\ndose = "5e5/kg"\n'


def begun(asked, text=TEXT):
    answer = asked.client.post(
        "/trials/open",
        data={"change_mark": asked.keys.change},
        files={"file": ("t.toml", text.encode())},
        follow_redirects=False,
    )
    assert answer.status_code == 303, answer.text
    return answer.headers["location"]


def check(asked, address, text, shown=None, **typed):
    data = {"text": text, "shown": text if shown is None else shown, "change_mark": asked.keys.change, **typed}
    return asked.client.post(f"{address}/check", data=data, headers={"accept": "application/json"}).json()["data"]


def test_the_pages_and_their_twins_tell_the_same(fresh):
    twins.check(fresh.client, "/trials")
    address = fresh.change("/trials/new", {}).headers["location"]
    _, told = twins.check(fresh.client, address)
    assert (
        told["data"]["text"] == without_paths(TEXT)
        and told["data"]["fault"] is None
        and told["data"]["patients"] == 200
    )
    assert told["title"].startswith("My trial")
    twins.check(fresh.client, begun(fresh, ARMS))
    assert fresh.client.get("/").text.count("/trials/") == 2, "home shows them"


def test_no_path_is_offered_that_is_then_refused(fresh):
    address = fresh.change("/trials/new", {}).headers["location"]
    page = html.unescape(fresh.client.get(address).text)
    assert "Disease card: a name" in page and "vein2vein products" in page
    assert not re.search(r"path of|card of your own", page[page.index("<form") : page.rindex("</form>")])
    refused = check(fresh, address, TEXT, **{"trial.product": "./mine.toml"})
    assert "which is a path" in json.dumps(refused)


def test_a_published_trial_is_copied(fresh):
    address = fresh.change("/trials/new", {"base": "zuma_7"}).headers["location"]
    assert fresh.client.get(f"{address}.json").json()["data"]["text"] == load_trial("zuma_7").text
    assert fresh.change("/trials/new", {"base": "../../x"}).status_code == 422


def test_what_is_typed_in_the_form_shows_in_the_text_and_back(fresh):
    address = begun(fresh)
    told = check(fresh, address, TEXT, **{"trial.dose": "2e6/kg", "size.patients": "77"})
    assert 'dose = "2e6/kg"' in told["text"] and tomllib.loads(told["text"])["size"]["patients"] == 77
    assert "# Who is enrolled." in told["text"], "remarks stay"
    typed = TEXT.replace("patients = 200 ", "patients = 88 ")
    told = check(fresh, address, typed, shown=TEXT, **{"trial.policy": "astct_2019"})
    read = tomllib.loads(told["text"])
    assert read["size"]["patients"] == 88 and read["trial"]["policy"] == "astct_2019", "both may be changed at once"
    fields = {f["path"]: f["value"] for g in told["form"]["groups"] for f in g["fields"]}
    assert fields["size.patients"] == "88" and fields["trial.policy"] == "astct_2019"


def test_an_arm_is_added_and_removed(fresh):
    address = begun(fresh, ARMS)
    told = check(fresh, address, ARMS, add="arms")
    assert (
        len(tomllib.loads(told["text"])["arms"]) == 3
        and told["fault"]["field"].startswith("arms.2")
        and told["arms"] == []
    )
    told = check(fresh, address, told["text"], remove="arms.2")
    assert told["text"].strip() == ARMS.strip() and [one["name"] for one in told["arms"]] == ["cells", "low"]


@pytest.mark.parametrize(
    ("old", "new", "field"),
    [
        ('product = "tisagenlecleucel"', 'product = "tisagenleucel"', "trial.product"),
        ("probability = 0.8", "probability = 1.8", "waiting.bridging_share.probability"),
        ("follow_up = 365", "follow_up = 20", "visits.disease_visits"),
        ('policy = "early_conservative"', 'policy = "/etc/x"', "trial.policy"),
        ('disease = "pediatric_b_all"', 'disease = "../secret.toml"', "trial.disease"),
        ("[size]", "[size", None),
        ("accrual", "acrual", "enrollment.acrual"),
    ],
)
def test_a_fault_stands_at_its_line_and_field_and_nothing_is_lost(fresh, old, new, field):
    wrong = TEXT.replace(old, new, 1)
    address = begun(fresh)
    told = check(fresh, address, wrong)
    assert told["text"] == wrong and told["fault"]["line"] and (field is None or told["fault"]["field"] == field), told[
        "fault"
    ]
    assert ("which is a path" in told["fault"]["sentence"]) == ("/" in new)
    line = wrong.splitlines()[told["fault"]["line"] - 1]
    assert new.split(" = ")[0].strip("[") in line or "disease_visits" in line, line
    digest = fresh.client.get(f"{address}.json").json()["data"]["based_on"]
    answer = fresh.change(f"{address}/save", {"text": wrong, "shown": TEXT, "based_on": digest})
    assert answer.status_code == 422 and html.escape(told["fault"]["sentence"], quote=False)[
        :40
    ] in answer.text.replace("&#39;", "'").replace("&#34;", '"')
    assert fresh.client.get(f"{address}.json").json()["data"]["text"] == TEXT, "the state before is kept"


def test_two_people_at_one_trial_keep_both(fresh):
    address = begun(fresh)
    digest = fresh.client.get(f"{address}.json").json()["data"]["based_on"]
    mine, theirs = TEXT.replace("patients = 200 ", "patients = 21 "), TEXT.replace("patients = 200 ", "patients = 34 ")
    assert fresh.change(f"{address}/save", {"text": theirs, "shown": theirs, "based_on": digest}).status_code == 303
    second = fresh.change(f"{address}/save", {"text": mine, "shown": mine, "based_on": digest})
    assert (
        second.status_code == 409
        and "was changed elsewhere" in second.text
        and "patients = 21 " in html.unescape(second.text)
    )
    assert fresh.client.get(f"{address}.json").json()["data"]["text"] == theirs
    third = fresh.change(f"{address}/save", {"text": mine, "shown": mine, "based_on": digest, "as_new": "1"})
    assert third.status_code == 303 and third.headers["location"] != address


def test_ends_of_lines_of_a_browser_change_nothing(fresh):
    address = begun(fresh)
    digest = fresh.client.get(f"{address}.json").json()["data"]["based_on"]
    sent = TEXT.replace("\n", "\r\n")
    assert fresh.change(f"{address}/save", {"text": sent, "shown": sent, "based_on": digest}).status_code == 303
    assert fresh.client.get(f"{address}.json").json()["data"]["based_on"] == digest


def test_arms_stand_beside_each_other():
    cells, usual = arms_beside(load_trial("zuma_7"))
    assert cells["product"].startswith("axicabtagene") and cells["comparator"] == ""
    assert usual["comparator"] and usual["dose"] == usual["product"] == ""
    (one,) = arms_beside(load_trial("eliana"))
    assert one["dose"] == "the label's" and one["size"] == 97


def ended(asked, location, seconds=240):
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        job = asked.client.get(f"{location}.json").json()
        if job["data"]["job"]["has_ended"]:
            return job
        time.sleep(0.2)
    raise AssertionError(job["data"]["job"])


def test_a_run_gives_outcome_by_arm_report_and_downloads(fresh):
    address = begun(fresh, ARMS)
    answer = fresh.change(f"{address}/run", {"patients": "14", "seed": "3"})
    told = ended(fresh, answer.headers["location"])
    data = told["data"]
    assert data["job"]["state"] == "done", data["job"]
    twins.check(fresh.client, answer.headers["location"])
    assert (
        data["blocks"] == ["All arms", "Cells", "Low"]
        and data["outcome"][0]["name"] == "infused"
        and all(data["outcome"][0]["cells"])
    )
    files = {one["name"] for one in data["files"]}
    assert {
        "report.html",
        "nonmem.csv",
        "outcomes.csv",
        "patients.csv",
        "outcomes.parquet",
        "course.parquet",
        "trial.toml",
        "manifest.json",
    } <= files
    folder = fresh.parts.workspace.results / data["job"]["id"]
    result = run_trial(read_trial(parse_card(ARMS, "trial.toml")), patients=14, seed=3)
    assert (read_table(folder, "outcomes")["death_day"] == result.journey.outcome.death_day).all(), (
        "as the command line"
    )
    rows = list(csv.DictReader((folder / "outcomes.csv").read_text(encoding="utf-8").splitlines()))
    assert len(rows) == 14 and [row["infused"] for row in rows] == [
        str(bool(x)).lower() for x in result.journey.infused
    ]
    report = fresh.client.get(f"/jobs/{data['job']['id']}/files/report.html?show=true")
    assert report.status_code == 200 and "sandbox" in report.headers["content-security-policy"] and "Low" in report.text
    assert told["command"] == "vein2vein trial trial.toml --patients 14 --seed 3" and "run_trial" in told["python"]
    assert "runs/" in fresh.client.get(address).text
    assert fresh.client.get(f"{begun(fresh)}/runs/{data['job']['id']}").status_code == 422, "a run of another trial"


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ({"patients": "0"}, "1 to 2,000"),
        ({"patients": "2001"}, "2,000"),
        ({"patients": "many"}, "whole number"),
        ({"patients": "9" * 19}, "2,000"),
        ({"seed": "-1"}, "seed"),
        ({"kind": "x"}, "whole or chunks"),
    ],
)
def test_a_run_that_cannot_be_is_refused_on_the_page(fresh, typed, said):
    address = begun(fresh)
    answer = fresh.change(f"{address}/run", typed)
    assert (
        answer.status_code == 422
        and said in answer.text
        and 'id="text"' in answer.text
        and fresh.parts.jobs.recent(5) == []
    )


def test_a_trial_with_a_fault_is_taken_but_not_run(fresh):
    address = begun(fresh, TEXT.replace("tisagenlecleucel", "nothing"))
    page = fresh.client.get(address).text
    assert re.search(r'id="f-trial-product"[^>]*aria-invalid', page) and 'id="fault" data-line=' in page
    assert fresh.change(f"{address}/run", {}).status_code == 422


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("x.py", b"import os"),
        ("x.toml", b""),
        ("x.toml", b"PK\x03\x04"),
        ("x.toml", b"a = \xff\xfe\xff"),
        ("x.toml", b"[trial\nname = 1"),
        ("x.toml", b"a = 1\n" * 100_000),
        ("x.toml", b"<svg onload=alert(1)>"),
        ("x.csv", b"a,b\n1,2"),
        ("x.toml", b'a = "\x1b[31m"'),
    ],
)
def test_what_is_no_trial_is_not_taken(fresh, name, content):
    answer = fresh.client.post("/trials/open", data={"change_mark": fresh.keys.change}, files={"file": (name, content)})
    assert answer.status_code == 422 and fresh.client.get("/trials.json").json()["data"]["own"] == []


@pytest.mark.parametrize(
    "text",
    [
        "trial = 3",
        "[[trial]]\nname='a'",
        "arms = 7",
        "[trial]\nname = '<script>alert(1)</script>'",
        "[population]\nage = 3",
        "",
    ],
)
def test_odd_files_are_faults_and_not_defects(fresh, text):
    address = begun(fresh)
    told = check(fresh, address, text, shown="")
    assert told["fault"]["sentence"] and told["arms"] == []
    page = fresh.client.post(
        f"{address}/check",
        data={"text": text, "shown": "", "change_mark": fresh.keys.change},
        headers={"hx-request": "true"},
    )
    assert page.status_code == 200 and "<script>alert" not in page.text
    assert (
        fresh.client.post(
            f"{address}/check", data={"text": text, "shown": "", "add": "arms.9.x", "change_mark": fresh.keys.change}
        ).status_code
        == 200
    )


@pytest.mark.slow
def test_chunks_that_were_canceled_go_on_to_the_same_bits(fresh, tmp_path):
    from vein2vein.runs.large import run_large

    address = begun(fresh, ARMS)
    location = fresh.change(f"{address}/run", {"patients": "700", "seed": "2", "kind": "chunks"}).headers["location"]
    key = location.rpartition("/")[2]
    folder = fresh.parts.workspace.results / key
    until = time.monotonic() + 240
    while time.monotonic() < until and not list(folder.glob("patients/*.parquet")):
        time.sleep(0.05)
    fresh.change(f"/jobs/{key}/cancel", {})
    ended(fresh, location)
    assert fresh.parts.jobs.find(key).state == "canceled"
    fresh.change(f"/jobs/{key}/resume", {})
    told = ended(fresh, location, 400)["data"]
    assert told["job"]["state"] == "done" and "patients.csv" in {one["name"] for one in told["files"]}
    plain = tmp_path / "trial.toml"
    plain.write_text(ARMS, encoding="utf-8")
    run_large(plain, tmp_path / "same", patients=700, seed=2, chunk=250)
    for file in sorted((tmp_path / "same").rglob("*.parquet")):
        assert file.read_bytes() == (folder / file.relative_to(tmp_path / "same")).read_bytes(), file.name
    assert json.loads((folder / "headline.json").read_text())[0]["lines"]["infused"]
