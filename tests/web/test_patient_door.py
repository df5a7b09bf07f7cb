"""One patient: the form, what sliders redraw, a pinned scenario beside it, own points, the file that opens again."""

import json
import re
import tomllib

import pytest
import twins

from vein2vein.therapy.patient_notes import AGE_OF_OTHERS
from vein2vein.trials.scenario import treat_scenario
from vein2vein.web.patient.form import example_text, patient_form, scenario_data
from vein2vein.web.patient.reading import read_scenario

SMALL = example_text().replace("companions = 100", "companions = 12")


def send(asked, address, text=SMALL, **typed):
    return asked.client.post(
        address, data={"text": text, "change_mark": asked.keys.change, **typed}, headers={"accept": "application/json"}
    )


def test_the_page_and_its_twin_tell_the_same(asked):
    _, told = twins.check(asked.client, "/patient")
    assert told["command"] == "vein2vein simulate scenario.toml"
    assert "v2v.companions(patient, 100, seed=3)" in told["python"]


def test_a_slider_redraws_the_first_days(asked):
    first = send(asked, "/patient/draw").json()["data"]
    assert first["companions"] == 12 and 0 < first["infused"] <= 12 and not first["whole"]
    charts = {one["id"]: one for one in first["first"]}
    assert list(charts) == [
        f"first-{n}" for n in ("transgene", "il6", "temperature", "neutrophils", "platelets", "b_cells", "grades")
    ]
    assert (
        charts["first-il6"]["x"][-1] == 28
        and charts["first-il6"]["unit"] == "pg/mL"
        and charts["first-il6"]["origin"] == "virtual"
    )
    low, high = charts["first-transgene"]["bands"][0]["low"], charts["first-transgene"]["bands"][0]["high"]
    assert all(a <= b for a, b in zip(low, high, strict=True) if a is not None)
    assert first["first"][-1]["rows"][0] == "CRS, typical values" and len(first["first"][-1]["grades"][0]) == 29
    assert any("median of" in note for note in first["notes"])
    other = send(asked, "/patient/draw", **{"scenario.dose": "1e6/kg"}).json()["data"]
    assert 'dose = "1e6/kg"' in other["text"] and 'dose="1e6/kg"' in other["python"]
    assert other["first"][0]["curves"] != first["first"][0]["curves"]
    html = asked.client.post(
        "/patient/draw", data={"text": SMALL, "change_mark": asked.keys.change}, headers={"hx-request": "true"}
    )
    assert (
        html.status_code == 200
        and html.text.count("<figure") == 7
        and "of 12 companions infused" in re.sub("<[^>]*>", "", html.text)
    )


def test_tables_beside_the_charts_come_when_one_rests(asked):
    sent = {"data": {"text": SMALL, "change_mark": asked.keys.change}, "headers": {"hx-request": "true"}}
    dragged, rested = (asked.client.post(f"/patient/{part}", **sent).text for part in ("draw", "whole"))
    assert "<table" not in dragged and rested.count("<table") > 7 and 'data-save="svg"' in rested
    assert dragged.count("cannot be graded") == 1, "the colors of grades have a key"
    held = [json.loads(one) for one in re.findall(r'<script type="application/json">(.*?)</script>', rested)]
    assert held and not [one["id"] for one in held if "table" in one], "a table is not sent twice"


def test_a_slider_stands_where_the_value_is(asked):
    def stands(html, name):
        return float(re.search(rf'data-slider="f-{name}"[^>]* value="([^"]*)"', html)[1])

    page = asked.client.get("/patient").text
    assert [stands(page, name) for name in ("age", "weight", "marrow_blasts")] == [11, 39, 40]
    typed = {"text": SMALL, "change_mark": asked.keys.change, "age": "18 months", "weight": "much"}
    form = asked.client.post("/patient/form", data=typed, headers={"hx-request": "true"}).text
    assert stands(form, "age") == pytest.approx(1.5) and stands(form, "weight") == 5, "what is no number: its low end"
    assert patient_form({"age": "nan", "weight": "1e999 kg"}).who[1].stands is None
    lymphoma = patient_form(
        {"disease": "lbcl", "age": 60, "weight": 80, "metabolic_tumor_volume": "0.1 L", "scenario": {}}
    )
    assert lymphoma.dragged[0].at == pytest.approx(2.0), "100 mL, on a slider of powers of ten"


def test_choices_are_called_by_their_titles(asked):
    page = asked.client.get("/patient").text
    for name, title in (
        ("cd19_28z", "19-28z CAR-T (Memorial Sloan Kettering)"),
        ("adult_b_all", "B-cell acute lymphoblastic leukemia of adults"),
        ("astct_2019", "Current practice by ASTCT grade"),
    ):
        assert re.search(rf'<option[^>]* value="{name}">{re.escape(title)}</option>', page), name


def test_the_command_names_the_file_as_it_is_saved(asked):
    key = asked.parts.workspace.add("patient", "Mia, tisagenlecleucel, 2e6/kg", SMALL, ".toml").id
    told = asked.client.get(f"/patient/{key}.json").json()
    name = told["command"].removeprefix("vein2vein simulate ")
    assert name == "Mia-tisagenlecleucel-2e6-kg.toml" and f'read_patient("{name}")' in told["python"]
    assert name in asked.client.get(f"/inputs/{key}").headers["content-disposition"]
    drawn = send(asked, "/patient/draw", file=name).json()["data"]
    assert drawn["command"] == told["command"]
    assert (
        send(asked, "/patient/draw", file="$(x).toml").json()["data"]["command"] == "vein2vein simulate scenario.toml"
    )


def test_the_numbers_of_the_model_are_dragged_and_written(asked):
    found = send(asked, "/patient/draw", **{"scenario.numbers.rho": "0.5"}).json()["data"]
    assert tomllib.loads(found["text"])["scenario"]["numbers"] == {"rho": 0.5}
    assert "overlay=numbers" in found["python"]
    usual = send(asked, "/patient/draw").json()["data"]
    top = [max(v for v in one["first"][0]["curves"][0]["y"] if v is not None) for one in (found, usual)]
    assert top[0] < top[1] / 2, "cells that grow slower reach less"


def test_python_of_the_page_gives_the_journey_of_the_page(asked, tmp_path, monkeypatch, capsys):
    found = send(asked, "/patient/draw", **{"scenario.numbers.rho": "0.8", "scenario.dose": "2e6/kg"}).json()["data"]
    (tmp_path / "scenario.toml").write_text(found["text"], encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    exec(compile(found["python"], "page", "exec"), {})
    assert capsys.readouterr().out.strip() == f"{found['infused']} of 12 infused"


def test_the_first_days_are_those_of_the_whole_follow_up(asked):
    first = {one["id"]: one for one in send(asked, "/patient/draw").json()["data"]["first"]}
    whole = send(asked, "/patient/whole").json()["data"]
    assert whole["whole"] and whole["chances"][0]["what"] == "Infused" and whole["steps"][0]["step"] == "Eligibility"
    later = {one["id"]: one for one in whole["charts"]}
    assert list(later) == [
        f"whole-{n}" for n in ("transgene", "neutrophils", "platelets", "b_cells", "marrow_blasts", "igg")
    ]
    short, long = (
        dict(zip(one["x"], one["curves"][0]["y"], strict=True))
        for one in (first["first-transgene"], later["whole-transgene"])
    )
    shared = [day for day in long if short.get(day) is not None]
    assert len(shared) >= 5 and all(short[day] == long[day] for day in shared) and max(later["whole-igg"]["x"]) > 1000
    rest = {one["id"]: one for one in whole["first"]}
    for key, one in first.items():
        assert one["x"][-1] == rest[key]["x"][-1] == 28
        if key != "first-grades":
            dragged, longer = (dict(zip(c["x"], c["curves"][0]["y"], strict=True)) for c in (one, rest[key]))
            told = {day: y for day, y in dragged.items() if y is not None}
            assert max(told) == 14 and all(longer[day] == y for day, y in told.items()), key
            assert longer[28] is not None


def test_the_example_teaches_whom_one_follows():
    """The companion with typical values is infused and responds: else its line would be missing in every chart."""
    one = treat_scenario(read_scenario(SMALL))
    assert one.infused[0] and one.outcome.best_response[0] == "CR" and one.findings["crs_astct"].grade[0].max() >= 1


def test_a_pinned_scenario_stands_beside_with_the_difference_and_its_interval(asked):
    pinned = SMALL.replace("seed = 3", 'seed = 3\ndose = "5e5/kg"')
    first = send(asked, "/patient/draw", pinned=pinned).json()["data"]
    assert [c["name"] for c in first["first"][0]["curves"]] == [
        "this scenario: median",
        "typical values",
        "pinned: median",
    ]
    assert "pinned: CRS, 1 of 2" in first["first"][-1]["rows"]
    rows = send(asked, "/patient/whole", pinned=pinned).json()["data"]["differences"]
    infused = next(one for one in rows if one["quantity"] == "infused of enrolled")
    assert (
        infused["difference"] == infused["this"] - infused["pinned"]
        and infused["low"] <= infused["difference"] <= infused["high"]
    )
    same = send(asked, "/patient/whole", pinned=SMALL).json()["data"]["differences"]
    assert {one["difference"] for one in same if not one["missing"]} <= {0.0, 1.0}, (
        "the same scenario differs by nothing"
    )
    for other, said in (("seed = 2", "other luck"), ("seed = 3\ncompanions = 30", "the same number")):
        text = re.sub(
            r"companions = 12\nseed = 3",
            "companions = 12\nseed = 3" if "30" in other else f"companions = 12\n{other}",
            pinned,
        )
        text = text.replace("companions = 12", "companions = 30") if "30" in other else text
        answer = send(asked, "/patient/draw", pinned=text)
        assert answer.status_code == 422 and said in answer.json()["error"]["sentence"]


def test_own_points_lie_on_the_charts(asked):
    table = b"day,analyte,value,unit\n1,il6,120,pg/mL\n3,il6,900,pg/mL\n3,temperature,39.2,degC\n5,nonsense,3,x\n"
    answer = asked.client.post(
        "/patient/points",
        files={"file": ("own.csv", table)},
        data={"change_mark": asked.keys.change},
        headers={"accept": "application/json"},
    )
    told = answer.json()["data"]
    assert {one["analyte"]: one["points"] for one in told["counted"]} == {"il6": 2, "temperature": 1}
    assert any("nonsense" in one for one in told["aside"])
    drawn = send(asked, "/patient/draw", points=told["points"]).json()["data"]["first"]
    il6 = next(one for one in drawn if one["id"] == "first-il6")
    assert (
        il6["points"][0]["x"] == [1.0, 3.0]
        and il6["points"][0]["y"] == [120.0, 900.0]
        and il6["points"][0]["origin"] == "measured"
    )


def test_own_points_of_more_rows_than_one_waits_for_are_refused(asked):
    table = b"day,analyte,value,unit\n" + b"1,il6,120,pg/mL\n" * 20_001
    answer = asked.client.post(
        "/patient/points",
        files={"file": ("own.csv", table)},
        data={"change_mark": asked.keys.change},
        headers={"accept": "application/json"},
    )
    assert answer.status_code == 422 and "holds 20,002 rows" in answer.json()["error"]["sentence"]


@pytest.mark.parametrize(
    "points",
    ["[1]", "{", '{"il6": 3}', '{"il6": [[1, "x", 0]]}', '{"il6": [[1, NaN, 0]]}', '{"il6": [[1]]}', "[" * 100_000],
)
def test_points_that_no_page_made_are_refused(asked, points):
    answer = send(asked, "/patient/draw", points=points)
    assert answer.status_code == 422 and "own points" in answer.json()["error"]["sentence"]


def test_an_age_that_does_not_fit_the_disease_is_told_once(asked):
    typed = {"disease": "adult_b_all", "age": "7", "scenario.companions": "2", "scenario.product": "tisagenlecleucel"}
    notes = send(asked, "/patient/whole", **typed).json()["data"]["notes"]
    assert len([one for one in notes if one.startswith(AGE_OF_OTHERS)]) == 1


@pytest.mark.parametrize(
    ("typed", "field", "said"),
    [
        ({"scenario.dose": "lots"}, "scenario.dose", "lots"),
        ({"scenario.dose": "9e99/kg"}, None, "dose"),
        ({"age": "900"}, "age", "0 to 100"),
        ({"scenario.numbers.rho": "-3"}, "scenario.numbers.rho", "expected"),
        ({"scenario.companions": "100000"}, "scenario.companions", "at most 200"),
        ({"scenario.product": "/etc/passwd"}, "scenario.product", "a path"),
        ({"disease": "../../secret.toml"}, "disease", "a path"),
        ({"scenario.policy": "C:\\x.toml"}, "scenario.policy", "a path"),
        ({"scenario.product": "nonsense"}, "scenario.product", "unknown"),
        ({"scenario.conditioning": "<script>"}, "scenario.conditioning", "unknown"),
        ({"scenario.product": "idecabtagene_vicleucel"}, "scenario.product", "BCMA"),
        ({"scenario.seed": "-1"}, "scenario.seed", "expected"),
        ({"text": "x = ["}, None, "TOML"),
    ],
)
def test_what_cannot_be_is_one_sentence(asked, typed, field, said):
    answer = (
        send(asked, "/patient/draw", **{"text": SMALL, **typed})
        if "text" not in typed
        else send(asked, "/patient/draw", typed["text"])
    )
    problem = answer.json()["error"]
    assert answer.status_code == 422 and said in problem["sentence"], problem
    assert field is None or problem["field"] == field


def test_a_scenario_is_saved_opened_and_read_by_the_command_line(fresh, tmp_path, monkeypatch):
    typed = {"text": SMALL, "scenario.dose": "2e6/kg", "scenario.numbers.rho": "0.9"}
    answer = fresh.change("/patient/save", typed)
    assert re.fullmatch(r"/patient/[0-9a-f]{16}", answer.headers["location"])
    twins.check(fresh.client, answer.headers["location"])
    key = answer.headers["location"].rpartition("/")[2]
    text = fresh.client.get(f"/inputs/{key}").text
    assert 'dose = "2e6/kg"' in text and "# One patient, for: vein2vein simulate" in text, "comments stay"
    again = fresh.client.post(
        "/patient/open",
        data={"change_mark": fresh.keys.change},
        files={"file": ("a.toml", text.encode())},
        follow_redirects=False,
    )
    other = again.headers["location"].rpartition("/")[2]
    assert fresh.client.get(f"/inputs/{other}").text == text

    from click.testing import CliRunner

    from vein2vein.cli.simulate import command

    monkeypatch.chdir(tmp_path)
    (tmp_path / "scenario.toml").write_text(text, encoding="utf-8")
    result = CliRunner().invoke(command, ["scenario.toml", "--json", "--out", "out"])
    events = [json.loads(line) for line in result.output.splitlines() if line.startswith("{")]
    spread = {one["what"]: one["value"] for one in events if one["event"] == "spread"}
    page = send(fresh, "/patient/whole", text).json()["data"]
    assert spread == {one["what"]: one["value"] for one in page["chances"]}, "the same numbers as the command"


def test_two_people_who_save_one_scenario_keep_both(fresh):
    key = fresh.change("/patient/save", {"text": SMALL}).headers["location"].rpartition("/")[2]
    digest = fresh.client.get(f"/patient/{key}.json").json()["data"]["based_on"]
    first = fresh.change("/patient/save", {"text": SMALL, "key": key, "based_on": digest, "age": "12"})
    assert first.status_code == 303
    second = fresh.change("/patient/save", {"text": SMALL, "key": key, "based_on": digest, "age": "13"})
    assert second.status_code == 409 and "changed elsewhere" in second.text and 'value="13"' in second.text
    assert "age = 12" in fresh.client.get(f"/inputs/{key}").text, "what was saved first is kept"
    third = fresh.change("/patient/save", {"text": SMALL, "key": key, "based_on": digest, "age": "13", "as_new": "1"})
    assert third.status_code == 303 and key not in third.headers["location"]


def test_a_fault_stands_at_its_field_and_what_was_typed_stays(fresh):
    answer = fresh.change("/patient/save", {"text": SMALL, "weight": "9000", "age": "7"})
    assert answer.status_code == 422 and 'value="9000"' in answer.text and 'value="7"' in answer.text
    assert (
        re.search(r'id="f-weight"[^>]*aria-invalid="true"', answer.text)
        and fresh.client.get("/.json").json()["data"]["recent"] == []
    )


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("x.py", b"import os", "program"),
        ("x.toml", b"\x89PNG....", "picture"),
        ("x.toml", b"", "empty"),
        ("x.toml", b"[a\n", "TOML"),
        ("x.toml", b'disease = "/etc/shadow"\nage = 3\nweight = 20\n', "path"),
        ("x.toml", "name = 'é'".encode("latin-1") + b"\nage = 3", "text"),
        ("x.csv", b"a,b\n1,2\n", "a table"),
    ],
)
def test_what_is_no_scenario_is_not_taken(fresh, name, content, said):
    answer = fresh.client.post(
        "/patient/open", data={"change_mark": fresh.keys.change}, files={"file": (name, content)}
    )
    assert answer.status_code in (415, 422) and said in answer.text
    assert fresh.client.get("/.json").json()["data"]["recent"] == []


def test_a_patient_without_a_scenario_gets_the_usual_one(fresh):
    bare = SMALL.partition("# What is given")[0]
    answer = fresh.client.post(
        "/patient/open",
        data={"change_mark": fresh.keys.change},
        files={"file": ("p.toml", bare.encode())},
        follow_redirects=False,
    )
    assert answer.status_code == 303 and "tisagenlecleucel" in fresh.client.get(answer.headers["location"]).text


def test_a_trial_is_no_scenario(fresh):
    key = fresh.parts.workspace.add("trial", "t", "x = 1", ".toml").id
    assert fresh.client.get(f"/patient/{key}").status_code == 422


def test_another_product_or_disease_has_its_own_choices():
    form = patient_form(scenario_data(example_text()))
    assert {one.name for one in form.given} == {"product", "conditioning", "policy"} and form.dose.ending == "/kg"
    assert [one.name for one in form.burden] == ["marrow_blasts"] and not form.dragged
    heavy = patient_form({**scenario_data(example_text()), "weight": 80})
    assert heavy.dose.ending == "" and 6 < heavy.dose.low < heavy.dose.at < heavy.dose.high < 10
    lymphoma = {"disease": "lbcl", "age": 60, "weight": 70, "scenario": {"product": "axicabtagene_ciloleucel"}}
    form = patient_form(lymphoma)
    assert [one.field.name for one in form.dragged] == [
        "metabolic_tumor_volume",
        "burden",
    ] and form.dose.ending == "/kg"
    assert "flu_cy" in " ".join(form.given[1].choices) or form.given[1].choices[-1] == "none"
    for odd in (
        {},
        {"disease": 3},
        {"disease": "x", "scenario": 7},
        {"scenario": {"product": ["a"]}, "weight": "heavy"},
    ):
        assert patient_form(odd).given, "the form is made of whatever stands there"
