"""The door of a study's data: check, explore and fit as the commands do, with what is wrong said on the page."""

import html
import io
import re
import time
import zipfile
from urllib.parse import urlencode

import pytest
import twins

from vein2vein.cards import parse_card
from vein2vein.cli.main import main
from vein2vein.inference.noncompartmental.explore import explore
from vein2vein.io.check import check_file
from vein2vein.web.data.pages import Explored
from vein2vein.web.quick import Quick

ROWS = [
    (1, 12, 120, 900, 2500, 700, 260, 60, 32),
    (3, 30, 420, 2600, 9000, 2600, 800, 200, 90),
    (1, 8, 60, 420, 1200, 330, 120, 30, 14),
]
TIMES = (1, 3, 5, 9, 14, 21, 35, 60)
STUDY = "ID,TIME,AMT,DV,EVID,MDV,CENS,GROUP\n" + "".join(
    f"{i},0,{dose}e8,.,1,1,0,{'low' if dose == 1 else 'high'}\n"
    + "".join(
        f"{i},{t},.,{max(v * f, 20):.1f},0,0,{int(v * f < 20)},{'low' if dose == 1 else 'high'}\n"
        for t, v in zip(TIMES, values)
    )
    for i, f, (dose, *values) in (
        (i + 3 * k, f, row) for k, f in enumerate((1.0, 1.3)) for i, row in enumerate(ROWS, 1)
    )
)
NO_DOSE = "ID,TIME,DV,EVID\n1,0,3,0\n1,1,<b>2</b>,0\n"
QUICK = {"exploring": 20, "averaging": 10, "importance": 100, "draws": 100}


@pytest.fixture(autouse=True)
def cold(monkeypatch):
    """No process is started before it is asked for."""
    monkeypatch.setattr(Quick, "warm", lambda self, work: None)


def upload(asked, content=STUDY, name="study of Ada.csv", *more):
    return asked.change("/data/upload", files=[("file", (name, content.encode())), *(("file", one) for one in more)])


def told(asked, address):
    return asked.client.get(address.replace("?", ".json?", 1) if "?" in address else f"{address}.json").json()["data"]


@pytest.fixture(scope="module")
def study(asked):
    answer = upload(asked)
    assert answer.status_code == 303, answer.text
    return answer.headers["location"]


@pytest.mark.parametrize(
    "path",
    ["", "/explore?time_unit=d", "/explore?time_unit=d&by=GROUP&below=M1", "/fit", "/fit?model=stein_2019&time_unit=d"],
)
def test_a_page_and_its_twin_tell_the_same(asked, study, path):
    twins.check(asked.client, f"{study}{path}")
    twins.check(asked.client, "/data")
    assert re.fullmatch(r"/data/[0-9a-f]{16}", study)


def test_the_check_is_that_of_the_command(asked, tmp_path):
    (tmp_path / "study.csv").write_text(NO_DOSE)
    found = check_file(tmp_path / "study.csv")
    at = upload(asked, NO_DOSE).headers["location"]
    page, twin = twins.check(asked.client, at)
    data = twin["data"]
    assert (data["fit"], data["kind"]) == (found.fit, found.kind) == (False, "NONMEM data set")
    assert [(one["line"], one["column"], one["what"]) for one in data["findings"]] == [
        (one.line, one.column, one.told) for one in found.problems
    ]
    assert "not fit for use" in page.text and "no dose" in page.text and "<b>2" not in page.text
    answer = asked.client.get(f"{at}/explore")
    assert answer.status_code == 422 and 'role="alert"><p>' in answer.text


def test_the_exploration_is_that_of_the_command(asked, study, tmp_path):
    (tmp_path / "study.csv").write_text(STUDY)
    found = explore(tmp_path / "study.csv", time_unit="d", by=["GROUP"], below="M1")
    data = told(asked, f"{study}/explore?time_unit=d&by=GROUP&below=M1")["found"]
    assert data["patients"] == 6 and data["values"] == 48 and data["notes"] == list(found.notes)
    cmax = next(row for row in data["tables"][1]["rows"] if row["title"] == "Cmax")
    assert [one["mean"] for one in cmax["cells"]] == pytest.approx(
        [one.geometric_mean for one in found.summary if one.parameter == "cmax" and one.by]
    )
    assert [row["figures"][0] for row in data["rows"]] == pytest.approx(found.figures["cmax"].tolist())
    assert [one["title"] for one in data["figures"]][:1] == ["dv of each patient"]


def test_figures_and_files_of_an_exploration(asked, study):
    how = "?time_unit=d"
    figure = asked.client.get(f"{study}/explore/figures/0.svg{how}")
    assert figure.headers["content-type"] == "image/svg+xml" and figure.text.startswith("<svg xmlns=")
    assert asked.client.get(f"{study}/explore/figures/99.svg{how}").status_code == 404
    individual = asked.client.get(f"{study}/explore/files/individual.csv{how}").text.splitlines()
    assert individual[0].startswith("patient,dose,samples") and len(individual) == 7
    report = asked.client.get(f"{study}/explore/files/report.html{how}&show=true")
    assert report.headers["content-security-policy"].startswith("sandbox") and "study of Ada.csv" in report.text
    assert asked.client.get(f"{study}/explore/files/fit.toml{how}").status_code == 422


def test_what_was_computed_is_not_computed_again(asked, study, monkeypatch):
    told(asked, f"{study}/explore?time_unit=d")
    monkeypatch.setattr(Quick, "ask", lambda *_: pytest.fail("computed again"))
    assert told(asked, f"{study}/explore?time_unit=d")["found"]


@pytest.mark.parametrize("query", ["by=NOPE", "endpoint=nothing", "time_unit=parsec"])
def test_a_wrong_way_to_explore_gets_a_sentence(asked, study, query):
    answer = asked.client.get(f"{study}/explore?{query}")
    assert answer.status_code == 422 and 'role="alert"><p>' in answer.text and 'name="endpoint"' in answer.text


HOSTILE = {
    "empty.csv": b"",
    "record.csv": b"time,analyte,value,unit\n2026-03-05,temperature,38,degC\n",
    "x.py": b"print(1)\n",
    "toml.csv": b"[fit]\nmodel = 1\n",
    "zip.csv": b"PK\x03\x04xx",
    "nul.csv": b"ID,TIME,\x00DV\n1,2,3\n",
    "words.csv": b"hello\nworld\n",
    "huge-number.csv": b"ID,TIME,AMT,DV\n1,1e999,1,2\n",
    "json.json": b'{"a": 1}',
    "formula.csv": b"=ID,TIME,DV\n=cmd,1,2\n",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_file_gets_a_sentence_and_is_not_kept(asked, name):
    before = told(asked, "/data")
    answer = asked.change("/data/upload", files=[("file", (name, HOSTILE[name]))])
    if answer.status_code == 303:  # a data set in which something is wrong
        assert told(asked, answer.headers["location"])["fit"] is False
        return
    assert (
        answer.status_code == 422
        and 'class="problem"' in answer.text
        and "Traceback" not in answer.text
        and "/tmp" not in answer.text
    )
    assert told(asked, "/data") == before


FEW = "[rows.study]\nmost = {}\ncommand = 'vein2vein check'\n[rows.exploration]\nmost = 10\n"


def test_a_study_of_more_rows_than_one_waits_for_is_refused(asked, monkeypatch):
    few = parse_card(FEW.format(20), "limits")
    monkeypatch.setattr("vein2vein.web.uploads.bundled_card", lambda name: few)
    before = asked.client.get("/data").text
    answer = upload(asked)
    assert answer.status_code == 422 and "vein2vein check" in answer.text
    assert f"holds {STUDY.count(chr(10))} rows" in answer.text
    assert before.count('href="/data/') == asked.client.get("/data").text.count('href="/data/')


def test_a_study_of_more_rows_is_explored_as_a_job(asked, study, monkeypatch, tmp_path):
    few = parse_card(FEW.format(1000), "limits")
    how = {"time_unit": "d", "by": "GROUP", "below": "M7"}
    at = f"{study}/explore?{urlencode(how)}"
    plain = told(asked, at)["found"]
    asked.parts.held.drop(Explored, study.rpartition("/")[2])
    monkeypatch.setattr("vein2vein.web.uploads.bundled_card", lambda name: few)
    monkeypatch.setattr(Quick, "ask", lambda *_: pytest.fail("the reader waits for it"))
    page, twin = twins.check(asked.client, at)
    assert twin["data"]["rows"] == STUDY.count("\n") and not twin["data"]["found"] and not twin["data"]["problem"]
    assert (
        page.status_code == 200 and 'method="post"' in page.text and "vein2vein explore" not in twin["data"]["problem"]
    )
    for part in ("figures/0.svg", "files/individual.csv"):
        assert asked.client.get(at.replace("?", f"/{part}?")).status_code == 404
    answer = asked.change(f"{study}/explore", how)
    assert answer.status_code == 303
    at = answer.headers["location"]
    assert asked.change(f"{study}/explore", how).headers["location"] == at
    (job,) = [one for one in asked.parts.jobs.recent(100) if one.kind == "explore"]
    assert f'action="/jobs/{job.id}/cancel"' in asked.client.get(at).text
    asked.change(f"/jobs/{job.id}/cancel")
    assert wait(asked, f"/jobs/{job.id}", lambda one: one["has_ended"])["job"]["state"] == "canceled"
    assert asked.change(f"{study}/explore", how).headers["location"] == at
    job = asked.parts.jobs.recent(1)[0]
    done = wait(asked, f"/jobs/{job.id}", lambda one: one["has_ended"])
    assert done["job"]["state"] == "done", done["log"]
    assert {"report.html", "individual.csv", "groups.csv", "figures/0.svg"} <= {one["name"] for one in done["files"]}
    assert done["page"] == at and html.escape(at) in asked.client.get(f"/jobs/{job.id}").text
    _, twin = twins.check(asked.client, at)
    assert twin["data"]["found"] == plain
    assert asked.client.get(at.replace("?", "/figures/0.svg?")).text.startswith("<svg xmlns=")
    main(["explore", str(written(tmp_path, STUDY)), "--by", "GROUP", "--time-unit", "d", "--below", "M7",
          "--out", str(tmp_path / "out"), "--quiet"])  # fmt: skip
    table = asked.client.get(at.replace("?", "/files/individual.csv?")).content
    assert table == (tmp_path / "out" / "individual.csv").read_bytes()


def written(folder, text):
    (folder / "study.csv").write_text(text)
    return folder / "study.csv"


def test_two_studies_at_once_are_refused_and_columns_go_along(asked):
    assert "one data set" in upload(asked, STUDY, "a.csv", ("b.csv", STUDY.encode())).text
    at = upload(asked, STUDY, "a.csv", ("a.columns.toml", b'time = { unit = "d" }\n')).headers["location"]
    assert told(asked, f"{at}/explore")["time_unit"] == "d"
    packed = zipfile.ZipFile(io.BytesIO(asked.client.get(f"/inputs/{at.rpartition('/')[2]}").content))
    assert packed.namelist() == ["study.columns.toml", "study.csv"] and packed.read("study.csv") == STUDY.encode()


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_a_data_set_without_a_dose_is_one_and_no_ward_record(asked, encoding):
    text = "ID,TIME,DV\n1,0,3\n1,1,2\n".encode(encoding)
    answer = asked.change("/data/upload", files=[("file", ("study.csv", text))])
    assert answer.status_code == 303, answer.text
    found = told(asked, answer.headers["location"])
    assert found["kind"] == "NONMEM data set" and "no dose" in found["findings"][0]["what"]


def test_a_study_that_was_removed_is_gone(asked):
    at = upload(asked).headers["location"]
    assert asked.change(f"{at}/remove").status_code == 303
    assert (
        asked.client.get(at).status_code
        == asked.client.get(f"{at}/explore").status_code
        == asked.client.get(f"{at}/fit").status_code
        == 404
    )
    assert at not in asked.client.get("/data").text


@pytest.fixture(scope="module")
def text(asked, study):
    found = told(asked, f"{study}/fit?model=stein_2019&method=focei&time_unit=d")["text"]
    assert 'data = "study.csv"' in found and 'method = "focei"' in found
    return found


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('data = "study.csv"', 'data = "/etc/passwd"', "the study of this page"),
        ('model = "stein_2019"', 'model = "../models/mine.py"', "unknown bundled model"),
        ("start = 9.3", "start = -9.3", "found -9.3"),
        ("[fit]", "[fit", "not valid TOML"),
        ("exploring = 300", 'exploring = "<script>"', "exploring"),
        ("[settings]", "[sets]", "unknown table"),
    ],
)
def test_what_is_wrong_with_a_fit_is_said_at_its_line_and_the_text_stays(asked, study, text, old, new, said):
    jobs = len(asked.parts.jobs.recent(100))
    answer = asked.change(f"{study}/fit", {"text": text.replace(old, new)})
    assert (
        answer.status_code == 422
        and said in answer.text
        and "importance = 4000" in answer.text
        and "<script>" not in answer.text.partition("<main")[2]
    )
    assert len(asked.parts.jobs.recent(100)) == jobs


@pytest.mark.parametrize("model", ["/etc/passwd", "mine.py", "__main__"])
def test_only_bundled_models_are_offered(asked, study, model):
    answer = asked.client.get(f"{study}/fit?model={model}")
    assert answer.status_code == 422 and "unknown bundled model" in answer.text


def wait(asked, job, ready):
    until = time.monotonic() + 900
    while not ready((found := told(asked, job))["job"]) and time.monotonic() < until:
        time.sleep(0.3)
    return found


def test_nothing_more_is_asked_of_a_fit_that_is_none(asked, study):
    answer = asked.change(f"{study}/fit/nothing/further", {"what": "vpc", "count": "100"})
    assert answer.status_code == 404 and "no fit that has ended" in answer.text
    assert asked.change(f"{study}/fit/nothing/further", {"what": "rm"}).status_code == 422


def test_a_model_of_ones_own_is_sent_to_the_command(asked, study):
    assert "vein2vein fit study.csv --model my_model.py" in asked.client.get(f"{study}/fit").text


@pytest.mark.slow
def test_a_fit_is_a_job_with_the_folder_of_the_command(asked, study, tmp_path):
    wanted = told(asked, f"{study}/fit?model=stein_2019&time_unit=d")["text"]
    for name, value in QUICK.items():
        wanted = re.sub(rf"{name} = \d+", f"{name} = {value}", wanted)
    answer = asked.change(f"{study}/fit", {"text": wanted})
    assert answer.status_code == 303, answer.text
    job = answer.headers["location"]
    wait(asked, job, lambda one: one["state"] == "running")
    asked.change(f"{job}/cancel")
    assert wait(asked, job, lambda one: one["has_ended"])["job"]["state"] == "canceled"
    assert told(asked, f"{study}/fit")["fits"][0]["report"] is False and asked.client.get(job).text.count("Go on") == 1
    asked.change(f"{job}/resume")
    found = wait(asked, job, lambda one: one["has_ended"])
    assert found["job"]["state"] == "done", found["log"]
    assert {"manifest.json", "report.html", "table.csv", "population.csv", "fit.toml"} <= {
        one["name"] for one in found["files"]
    }
    twins.check(asked.client, f"{study}/fit")
    (fit,) = told(asked, f"{study}/fit")["fits"]
    assert fit["says"].startswith("not converged") and fit["report"]
    assert "not converged" in asked.client.get(f"{job}/files/report.html?show=true").text
    more_is_asked_of_a_fit(asked, study, fit["id"], tmp_path)


def more_is_asked_of_a_fit(asked, study, fit, tmp_path):
    """The predictive check is that of the command, new patients are those under the doses that were typed."""
    at = f"{study}/fit/{fit}/further"
    for data, said in (
        ({"what": "vpc", "count": "5"}, "found &#39;5&#39;, expected a whole number from 100 to 20000"),
        ({"what": "bootstrap", "count": "-3"}, "expected a whole number from 20 to 2000"),
        ({"what": "simulate", "count": "20", "dose": "0:<b>"}, "found &#39;0:&lt;b&gt;&#39;, expected TIME:AMOUNT"),
    ):
        answer = asked.change(at, data)
        assert answer.status_code == 422 and said in answer.text, answer.text
    folder = asked.parts.jobs.find(fit).folder
    for data, page in (({"what": "vpc", "count": "100"}, "vpc"), ({"what": "simulate", "count": "20"}, "simulation")):
        job = asked.change(at, data).headers["location"]
        found = wait(asked, job, lambda one: one["has_ended"])
        assert found["job"]["state"] == "done", found["log"]
        assert asked.client.get(f"{job}/files/{page}.html?show=true").status_code == 200
        table = asked.client.get(f"{job}/files/{page}.csv").content
        how = ["vpc", "--studies", "100"] if page == "vpc" else ["simulate", "--repeat", "20", "--seed", "1", "--fit"]
        main([*how, str(folder), "--out", str(tmp_path / page), "--quiet"])
        assert table == (tmp_path / page / f"{page}.csv").read_bytes()
    (told_of,) = told(asked, f"{study}/fit")["fits"]
    assert [one["page"] for one in told_of["further"]] == ["simulation.html", "vpc.html"]
    assert all("not converged" in one["notes"] for one in told_of["further"])
    twins.check(asked.client, f"{study}/fit")


def test_what_a_reader_copies_runs(asked, study, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "study.csv").write_text(STUDY)
    for address in (study, f"{study}/explore?time_unit=d&by=GROUP&below=M1"):
        path, _, query = address.partition("?")
        page = asked.client.get(f"{path}.json", params=query).json()
        exec(compile(page["python"], "copied", "exec"), {})
        assert capsys.readouterr().out.startswith("(")
        assert main([*page["command"].split()[1:], "--quiet"]) == 0 and capsys.readouterr().out
    assert page["command"] == "vein2vein explore study.csv --by GROUP --time-unit d --below M1"
