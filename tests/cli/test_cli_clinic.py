"""vein2vein monitor, eligible, respond and check, run for real in an empty folder."""

import csv
import json
import re
import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner

from vein2vein.cli import main
from vein2vein.clinic.care import labels
from vein2vein.therapy.patient import example_patient_text


def run(*args):
    """Run in this process: (exit code, stdout, stderr)."""
    with CliRunner().isolation() as (out, err, _):
        code = main.main([str(a) for a in args])
        return code, out.getvalue().decode(), err.getvalue().decode()


def table(path):
    return list(csv.DictReader(Path(path).read_text(encoding="utf-8").splitlines()))


def events(out):
    return [json.loads(line) for line in out.splitlines()]


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")


@pytest.fixture
def record():
    assert run("monitor", "--init", "record.csv")[0] == 0
    return Path("record.csv")


def add(path, *lines):
    path.write_text(path.read_text(encoding="utf-8") + "".join(f"{line}\n" for line in lines), encoding="utf-8")


# ---------------------------------------------------------------- monitor


def test_the_written_example_is_monitored(record):
    code, out, err = run("monitor", record, "--until", "3.375", "--out", "ward")
    assert code == 0 and err == ""
    assert out.index("today, day 3.38") < out.index("Guidelines say to consider") < out.index("Day by day")
    assert "312 mg" in out and "not now: the last dose was given just now" in out and "record.csv:39" in out
    assert {p.name for p in Path("ward").iterdir()} == {"report.html", "findings.csv", "findings.fhir.json"}
    rows = table("ward/findings.csv")
    assert {"finding", "reason"} == {row["kind"] for row in rows}
    assert any(row["finding"] == "crs_astct" and row["grade"] == "2" for row in rows)
    assert json.loads(Path("ward/findings.fhir.json").read_text())["resourceType"] == "Bundle"


def test_for_machines(record):
    code, out, err = run("monitor", record, "--json", "--scale", "lee", "--out", "ward")
    assert code == 0 and err == ""
    told = events(out)
    assert {"today", "finding", "changed", "infection", "consider", "due", "missing", "day", "decision", "report"} <= {
        e["event"] for e in told
    }
    crs = next(e for e in told if e["event"] == "finding")
    assert crs["finding"] == "crs_lee2014" and crs["grade"] is None and crs["missing"]
    assert next(e for e in told if e["event"] == "decision")["author"] == "Dr. A"
    assert any(e["unverified"] for e in told if e["event"] == "finding")


def test_nothing_is_overwritten_without_force(record):
    assert run("monitor", record, "--quiet", "--out", "ward")[0] == 0
    code, _, err = run("monitor", record, "--quiet", "--out", "ward")
    assert code == 2 and "--force" in err
    assert run("monitor", record, "--quiet", "--out", "ward", "--force")[0] == 0
    assert run("monitor", "--init", record)[0] == 2


def test_bad_rows_are_set_aside_and_the_good_ones_graded(record):
    add(
        record, "2026-03-08 20:00,temperature,102,degC,,Fahrenheit in a Celsius column", "2026-03-08 20:00,ICE,11,,,",
        "2026-03-08 20:00,weight,700,kg,,", '2026-03-08 20:00,CRP,"=cmd|calc",mg/L,,',
    )  # fmt: skip
    code, out, err = run("monitor", record, "--until", 4, "--out", "ward")
    assert code == 0 and "4 rows were set aside; everything else was graded" in err
    for line in range(1, 5):
        assert f"line {len(record.read_text().splitlines()) - 4 + line}" in err
    days = [line.split() for line in out.splitlines()]
    third = ["3", "2026-03-08", "2", ">=1", "4", "3", "?", "?", "?", "?", "Tocilizumab", "312", "mg"]
    assert third in days  # by date: from 00:00; an ICE of 11 is unknown, not absent
    page = Path("ward/report.html").read_text(encoding="utf-8")
    assert "Set aside" in page and "ICE" in page and "=cmd|calc" in page


def test_deidentified_output_names_nobody(record):
    text = record.read_text(encoding="utf-8").replace("time,analyte", "time,analyte", 1)
    Path("Jane_Doe.csv").write_text(text, encoding="utf-8")
    code, out, _ = run("monitor", "Jane_Doe.csv", "--deidentify")
    assert code == 0 and "Jane" not in out
    written = [p for p in Path("vein2vein-results/record-monitor").iterdir()]
    assert {"record.csv", "report.html"} <= {p.name for p in written}
    for path in written:
        content = path.read_text(encoding="utf-8")
        assert "Jane" not in content and "2026-03" not in content and "Dr. A" not in content, path.name


def test_dates_stand_in_the_page_only_and_in_no_file_of_a_copy_without_them(record):
    add(record, "2026-03-08 20:00,temperature,102,degC,,Fahrenheit in a Celsius column")
    assert run("monitor", record, "--quiet", "--out", "dated")[0] == 0
    assert run("monitor", record, "--quiet", "--out", "bare", "--deidentify")[0] == 0
    holds = {path.name: "2026-03" in path.read_text(encoding="utf-8") for path in Path("dated").iterdir()}
    assert holds == {"report.html": True, "findings.csv": False, "findings.fhir.json": False}
    written = {path.name: path.read_text(encoding="utf-8") for path in Path("bare").iterdir()}
    assert set(written) == {*holds, "record.csv"} and not [name for name in written if "2026-03" in written[name]]


def test_dates_stand_beside_days_in_the_terminal_and_not_without_them(record):
    for args, dated in (((), True), (("--deidentify",), False)):
        _, out, err = run("monitor", record, "--until", "3.375", "--out", f"out-{dated}", *args)
        given = next(line for line in out.splitlines() if "given on day 3.38" in line)
        assert ("(2026-03-08 19:00)" in given) == dated and ("2026-03" in out + err) == dated
        (head,) = [line.split() for line in out.splitlines() if line.split()[:1] == ["day"] and "given" in line]
        assert (head[1] == "date") == dated


def test_a_copy_without_identifiers_gives_the_same_grades(record):
    assert run("monitor", record, "--deidentify", "--quiet", "--out", "one")[0] == 0
    assert run("monitor", "one/record.csv", "--weight", 39, "--quiet", "--out", "two")[0] == 0

    def grades(folder):
        rows = table(Path(folder, "findings.csv"))
        return [(r["day"], r["finding"], r["grade"]) for r in rows if r["kind"] == "finding"]

    assert grades("one") == grades("two")


@pytest.mark.parametrize(
    ("args", "says"),
    [
        ((), "--init FILE"),
        (("nowhere.csv",), "no such file"),
        (("record.csv", "--scale", "astc"), "unknown scale of cytokine release syndrome 'astc'"),
        (("record.csv", "--until", "-50"), "nothing up to day -50"),
        (("record.csv", "--until", "nan"), "no number"),
        (("record.csv", "--product", "kymria"), "kymriah"),
        (("record.csv", "--weight", "700"), "700"),
    ],
)
def test_bad_use_is_one_sentence(record, args, says):
    code, out, err = run("monitor", *args)
    assert code == 2 and out == ""
    assert err.count("\n") == 1 and says.lower() in err.lower()


def test_two_patients_have_two_pages():
    rows = ["patient,day,analyte,value,unit"]
    rows += [f"{p},{d},{n},{v},{u}" for p in (1, 2) for d in (0, 1) for n, v, u in (
        ("temperature", 37 + 2 * d, "degC"), ("SBP", 120, "mmHg"), ("oxygen device", "room air", ""),
    )]  # fmt: skip
    Path("two.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    code, out, _ = run("monitor", "two.csv", "--age", 50, "--weight", 70, "--out", "ward")
    assert code == 0
    assert len(list(Path("ward").glob("report-*.html"))) == 2 and "Ward list: ward/index.html" in out


def bundle(*values):
    """A FHIR R4 bundle of one named patient: an infusion, and (LOINC code, value, unit) a day later."""
    subject = {"reference": "Patient/p1"}
    resources = [
        {"resourceType": "Patient", "id": "p1", "birthDate": "1980-01-01",
         "name": [{"family": "Doe", "given": ["Jane"]}]},
        {"resourceType": "Procedure", "status": "completed", "subject": subject,
         "code": {"coding": [{"system": "urn:vein2vein:analyte", "code": "car_t_infusion"}]},
         "performedDateTime": "2026-03-05T10:00:00Z"},
    ] + [
        {"resourceType": "Observation", "status": "final", "subject": subject,
         "code": {"coding": [{"system": "http://loinc.org", "code": code}]},
         "effectiveDateTime": "2026-03-06T10:00:00Z",
         "valueQuantity": {"value": value, "unit": unit, "system": "http://unitsofmeasure.org", "code": unit}}
        for code, value, unit in values
    ]  # fmt: skip
    entries = [{"fullUrl": f"urn:uuid:{i}", "resource": r} for i, r in enumerate(resources)]
    entries[0]["fullUrl"] = "https://example.org/fhir/Patient/p1"
    return json.dumps({"resourceType": "Bundle", "type": "collection", "entry": entries}, indent=1)


def test_a_bundle_is_graded_and_names_stay_in_it():
    Path("bundle.json").write_text(bundle(("8310-5", 102.2, "[degF]"), ("8480-6", 80, "mm[Hg]")), encoding="utf-8")
    code, out, err = run("monitor", "bundle.json", "--out", "ward", "--weight", 80)
    assert code == 0, err
    assert "at least grade 2" in out and "640 mg" in out
    for path in Path("ward").iterdir():
        content = path.read_text(encoding="utf-8")
        assert "Doe" not in content and "1980" not in content, path.name
    told = events(run("monitor", "bundle.json", "--out", "ward", "--force", "--json")[1])
    crs = next(e for e in told if e["event"] == "finding")
    assert crs["at_least"] == 2 and crs["because"][0]["source"].startswith("bundle.json:")
    assert next(e for e in told if e["event"] == "today")["age"] == pytest.approx(46, abs=0.3)


# ---------------------------------------------------------------- eligible


@pytest.fixture
def patient():
    Path("patient.toml").write_text(
        example_patient_text() + "\n[last_given]\ncorticosteroid = 2\n\n[history]\nrelapses = 2\n", encoding="utf-8"
    )
    return Path("patient.toml")


def test_every_approved_product_is_judged(patient):
    code, out, err = run("eligible", patient)
    assert code == 0 and err == ""
    assert "tisagenlecleucel" in out and "brexucabtagene" in out and "allogeneic" not in out
    assert "still running" in out and "Obtain next" in out and "unverified" in out


@pytest.mark.parametrize("command", ["eligible p.toml", "refer p.toml --out o --no-pdf", "check p.toml"])
def test_an_age_that_does_not_fit_the_disease_is_a_warning(command, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "p.toml").write_text('disease = "adult_b_all"\nage = 7\nweight = 25\n')
    main.main(command.split())
    told = capsys.readouterr()
    assert " ".join((told.out + told.err).split()).count("check age and disease, or take pediatric_b_all") == 1


def test_met_not_met_and_unknown(patient):
    told = events(run("eligible", patient, "--json", "--criteria", "eliana")[1])
    verdicts = {e["product"]: e["verdict"] for e in told if e["event"] == "label"}
    assert verdicts["tisagenlecleucel"] == "met" and verdicts["axicabtagene_ciloleucel"] == "not met"
    assert any(e.get("edition") == "eliana" for e in told if e["event"] == "criterion")
    (washout,) = [e for e in told if e["event"] == "washout"]
    assert washout["drug"] == "corticosteroid" and (washout["ends"], washout["ends_long"]) == (1.0, 5.0)
    assert "hemoglobin" in [e["field"] for e in told if e["event"] == "obtain"]


def test_what_the_card_does_not_give_is_unknown_and_never_the_median(patient):
    Path("bare.toml").write_text('disease = "pediatric_b_all"\nage = 11\nweight = 39\n', encoding="utf-8")
    told = events(run("eligible", "bare.toml", "--json", "--product", "kymriah")[1])
    states = {e["field"]: e["state"] for e in told if e["event"] == "criterion"}
    assert states["history.relapses"] == states["lymphocytes"] == states["creatinine_clearance"] == "unknown"
    assert next(e for e in told if e["event"] == "label")["verdict"] == "unknown"


def test_what_the_card_says_is_not_asked_for_again():
    base = 'disease = "pediatric_b_all"\nage = 11\nweight = 39\n'
    told = {}
    for name, more in (
        ("bare", ""),
        ("few", 'marrow_blasts = "3 %"\nsex = "female"\n'),
        ("boy", 'marrow_blasts = 65\nsex = "male"\n'),
    ):
        Path(f"{name}.toml").write_text(base + more, encoding="utf-8")
        found = events(run("eligible", f"{name}.toml", "--json", "--product", "kymriah", "--criteria", "eliana")[1])
        states = {e["field"]: e["state"] for e in found if e["event"] == "criterion"}
        obtain = {e["field"] for e in found if e["event"] == "obtain"}
        fields = ("marrow_blasts", "pregnancy_test")
        told[name] = [states[field] for field in fields], [field in obtain for field in fields]
    assert told == {
        "bare": (["unknown", "unknown"], [True, True]),
        "few": (["not met", "unknown"], [False, True]),
        "boy": (["met", "met"], [False, False]),
    }
    assert "([last_given])" in run("eligible", "bare.toml")[1]


@pytest.mark.parametrize(
    ("age", "asked"),
    [
        (0.5, set()), (6, {"lansky"}), (9.9, {"lansky"}), (10, {"lansky", "pregnancy_test"}),
        (15.9, {"lansky", "pregnancy_test"}), (16, {"ecog", "karnofsky", "pregnancy_test"}),
        (61, {"ecog", "karnofsky"}),
    ],
)  # fmt: skip
def test_performance_and_pregnancy_are_asked_by_age(age, asked):
    names = {"ecog", "karnofsky", "lansky", "pregnancy_test"}
    Path("p.toml").write_text(f'disease = "pediatric_b_all"\nage = {age}\n', encoding="utf-8")
    told = events(run("eligible", "p.toml", "--json")[1])
    state = {e["field"]: e["state"] for e in told if e["event"] == "criterion" and e["field"] in names}
    assert {e["field"] for e in told if e["event"] == "obtain"} & names == asked
    assert state == {name: "unknown" if name in asked else "not asked at this age" for name in names}


def test_a_scale_of_another_age_that_is_given_is_judged():
    text = 'disease = "pediatric_b_all"\nage = 6\n[baseline]\necog = 3\npregnancy_test = 1\n'
    Path("p.toml").write_text(text, encoding="utf-8")
    told = events(run("eligible", "p.toml", "--json")[1])
    state = {e["field"]: e["state"] for e in told if e["event"] == "criterion"}
    assert (state["ecog"], state["pregnancy_test"]) == ("not met", "not met")


def test_a_card_without_a_weight_is_judged_by_the_labels_and_fit_for_what_needs_none():
    Path("p.toml").write_text('disease = "lbcl"\nage = 61\nmetabolic_tumor_volume = "120 mL"\n', encoding="utf-8")
    code, out, err = run("eligible", "p.toml")
    assert (code, err) == (0, "") and "Breyanzi" in out
    code, out, _ = run("check", "p.toml")
    assert code == 0 and "weight: missing; add it for vein2vein simulate" in " ".join(out.split())
    code, _, err = run("simulate", "p.toml", "--product", "kymriah")
    assert code == 2 and "weight: missing" in err and err.count("\n") == 1


def test_what_a_label_asks_is_unknown_until_the_card_tells_it_and_says_what_settles_it():
    base = 'disease = "mm"\nage = 60\nweight = 80\nprior_lines = 4\n[history]\n'
    drugs = ("immunomodulator", "proteasome_inhibitor", "anti_cd38")
    found = {}
    for name, told in (("open", drugs[:2]), ("yes", drugs)):
        Path(f"{name}.toml").write_text(base + "".join(f"{one} = true\n" for one in told), encoding="utf-8")
        out = events(run("eligible", f"{name}.toml", "--json", "--product", "abecma")[1])
        found[name] = next(e for e in out if e["event"] == "label")
    assert [found[name]["verdict"] for name in ("open", "yes")] == ["unknown", "met"]
    assert list(found["open"]["settles"]) == ["history.anti_cd38"] and found["yes"]["settles"] == {}
    assert "Abecma label (USA), section 1" in found["open"]["why"] and "history.anti_cd38" in found["open"]["why"]
    assert any("was not read" in note for note in found["open"]["notes"])


def test_a_label_of_ones_own_that_has_lapsed_is_one_sentence_and_judges_nothing(patient):
    bundled = Path(labels.__file__).parent.with_name("labels") / "tisagenlecleucel.toml"
    text = bundled.read_text(encoding="utf-8").replace("newest_change =", 'ends = "2020-01-31"\nnewest_change =')
    Path("old.toml").write_text(text, encoding="utf-8")
    code, out, err = run("eligible", patient, "--label", "old.toml", "--json")
    (label,) = [e for e in events(out) if e["event"] == "label"]
    assert (code, err, label["verdict"], label["use"]) == (0, "", "not met", "")
    assert label["why"] == "not met: the Kymriah label (USA) was in force until 2020-01-31: no use of it is judged"
    assert not [e for e in events(out) if e["event"] == "criterion" and "product" in e]
    Path("bad.toml").write_text(text.replace('"second_relapse"', '"second_relaps"'), encoding="utf-8")
    code, _, err = run("eligible", patient, "--label", "bad.toml")
    assert code == 2 and "bad.toml, line" in err and "second_relapse" in err and err.count("\n") == 1
    code, _, err = run("eligible", patient, "--label", "old.toml", "--product", "kymriah")
    assert code == 2 and "--label" in err
    code, _, err = run("eligible", patient, "--product", "cd22_car")
    assert code == 2 and "Without a label nothing is judged" in err


@pytest.mark.parametrize(("disease", "met", "unknown"), [("mzl", ["Breyanzi"], []), ("pcnsl", [], ["Yescarta"])])
def test_a_disease_that_only_labels_know_is_judged(disease, met, unknown):
    Path("p.toml").write_text(f'disease = "{disease}"\nage = 60\nweight = 80\nprior_lines = 2\n', encoding="utf-8")
    code, out, err = run("eligible", "p.toml", "--json")
    verdict = {e["brand"]: e["verdict"] for e in events(out) if e["event"] == "label"}
    assert (code, err) == (0, "") and len(verdict) == 7
    assert [b for b, v in verdict.items() if v == "met"] == met
    assert [b for b, v in verdict.items() if v == "unknown"] == unknown
    for command in ("simulate", "explain"):
        code, out, err = run(command, "p.toml", "--product", "breyanzi")
        assert (code, out) == (2, "") and err.count("\n") == 1
        assert (
            f"the disease '{disease}' (" in err and "is known to eligibility only" in err and "did you mean" not in err
        )


def test_bad_cards_of_eligibility_are_one_sentence(patient):
    for more, says in (
        ("[last_given]\ncorticosteroids = 2", "corticosteroid"),
        ("[last_given]\nprednisone = 9", "expected one of alemtuzumab"),
        ("[last_given]\nprednisone = 9", "corticosteroid"),
        ("[last_given]\nchemotherapy = -3", "chemotherapy"),
        ("[history]\nlabel_confirmed = true", "unknown field 'label_confirmed'"),
        ("[history]\nrelapses = 1.5", "a whole number"),
        ('[history]\nnot_for_transplantation = "yes"', "true or false"),
    ):
        Path("bad.toml").write_text(example_patient_text() + f"\n{more}\n", encoding="utf-8")
        code, out, err = run("eligible", "bad.toml")
        assert (code, out) == (2, "") and says in err and err.count("\n") == 1
    assert run("eligible", patient, "--criteria", "elian")[0] == 2


# ---------------------------------------------------------------- respond


def test_the_written_visits_are_judged():
    assert run("respond", "--init", "visits.csv")[0] == 0
    code, out, _ = run("respond", "visits.csv", "--criteria", "lugano", "--out", "results")
    assert code == 0 and "day 182" in out and "neck left grew" in out
    rows = table("results/response.csv")
    assert [row["response"] for row in rows] == ["CR", "CR", "PD"]


def test_days_of_the_endpoints(record):
    run("respond", "--init", "visits.csv")
    found = {}
    for name, criteria in (("visits.csv", "lugano"), (record, "all")):
        told = events(run("respond", name, "--criteria", criteria, "--json")[1])
        found[criteria] = next(e for e in told if e["event"] == "patient")
    lymphoma, leukemia = found["lugano"], found["all"]
    assert (lymphoma["best"], lymphoma["pfs_day"], lymphoma["dor_days"]) == ("CR", 182, 154) and lymphoma["pfs_event"]
    assert leukemia["best"] == "CRi" and leukemia["mrd_negative"] and not leukemia["efs_event"]


def test_a_death_is_an_event_and_no_visit_is_no_failure():
    rows = ["patient,day,analyte,value,unit"]
    rows += [f"1,{d},{n},{v},{u}" for d in (28, 90) for n, v, u in (
        ("marrow_blasts", 1, "%"), ("neutrophils", 2, "10*9/L"), ("platelets", 150, "10*9/L"),
    )]  # fmt: skip
    Path("v.csv").write_text("\n".join([*rows, "1,120,alive,0,", "2,28,CRP,3,mg/L"]) + "\n", encoding="utf-8")
    told = events(run("respond", "v.csv", "--criteria", "all", "--json")[1])
    one, two = (e for e in told if e["event"] == "patient")
    assert (one["best"], one["efs_day"], one["efs_event"], one["dor_days"]) == ("CR", 120, True, 92)
    assert (two["best"], two["efs_day"], two["efs_event"]) == ("NE", None, False)


def test_what_cannot_be_judged_says_what_is_missing():
    run("respond", "--init", "visits.csv")
    code, out, _ = run("respond", "visits.csv", "--criteria", "imwg")
    assert code == 0 and "not evaluable" in out and "m_protein" in out


@pytest.mark.parametrize(
    ("args", "says"), [(("v.csv",), "--criteria"), ((), "--init"), (("v.csv", "--criteria", "lugan"), "lugano")]
)
def test_bad_use_of_respond(args, says):
    code, out, err = run("respond", *args)
    assert code == 2 and out == "" and says in err and err.count("\n") == 1


def test_the_tutorial_runs_as_it_is_written():
    page = (Path(__file__).resolve().parents[2] / "docs" / "monitor.md").read_text(encoding="utf-8")
    lines = [line for block in re.findall(r"^```bash\n(.*?)^```", page, re.M | re.S) for line in block.splitlines()]
    assert len(lines) >= 10
    for line in lines:
        code, _, err = run(*shlex.split(line)[1:])
        assert code == 0, f"{line}: {err}"


# ---------------------------------------------------------------- check


def test_fit_and_unfit_files(record):
    Path("notes.txt").write_text("nothing of use\n", encoding="utf-8")
    Path("cut.json").write_text('{"resourceType": "Bundle", "entry": [', encoding="utf-8")
    assert run("check", record)[0] == 0
    code, out, err = run("check", record, "notes.txt", "cut.json")
    assert code == 1 and err == ""
    assert "record.csv: fit" in out and "notes.txt: not fit" in out and "cut.json: not fit" in out


def test_problems_line_by_line_for_machines(record):
    add(record, "2026-03-08 20:00,ICE,11,,,")
    code, out, _ = run("check", record, "--json")
    told = events(out)
    assert code == 0 and told[-1]["fit"] and told[-1]["problems"] == 1
    assert told[0]["event"] == "problem" and told[0]["line"] == len(record.read_text().splitlines())


def test_a_trial_card_is_read_by_its_own_reader():
    assert run("trial", "--init", "my.toml")[0] == 0
    code, out, _ = run("check", "my.toml")
    assert code == 0 and "trial card" in out


@pytest.mark.parametrize("name", ["monitor", "eligible", "respond", "check"])
def test_help_has_an_example(name):
    code, out, _ = run(name, "--help")
    assert code == 0 and f"vein2vein {name} " in out.split("Examples:")[1]


SPOILED = """\
day,analyte,value,unit,author,comment,until
0,ICE,11,,,,
1,temperature,101,degC,,,
1,temperature,1e400,degC,,,
2,temperature,39,degC,,,
2,temperature,40,degC,,,
2,crp,12,bananas,,,
2,crp,=1+1,mg/L,,,
2,nonsense,12,,,,
,SBP,100,mmHg,,,
99999,SBP,100,mmHg,,,
2,override,crs_astct = 9,,Dr. A,,
2,override,b_cell_aplasia = 4,,Dr. A,,
2,override,icans = 2,,,,
2,override,nothing = 2,,Dr. A,,
2,attribution,fever,,Dr. A,,
2,attribution,weather,,Dr. A,rain,
2,override,crs_astct = 2,,Dr. A,,1
2,weight,700,kg,,,
3,SBP,110,mmHg,,,
"""


def test_check_tells_every_row_that_monitor_sets_aside():
    Path("record.csv").write_text(SPOILED, encoding="utf-8")
    aside = [e for e in events(run("monitor", "record.csv", "--json")[1]) if e["event"] == "set_aside"]
    told = [e for e in events(run("check", "record.csv", "--json")[1]) if e["event"] == "problem"]
    places = [{(e["line"], e["what"]) for e in found} for found in (aside, told)]
    assert places[0] == places[1]
    assert {line for line, _ in places[0]} == set(range(2, 20))


def test_what_is_known_at_least_stands_with_its_rows_and_with_what_is_missing():
    rows = "day,analyte,value,unit\n,age,40,years\n1,temperature,39,degC\n1,SBP,110,mmHg\n1,oxygen device,ventilator,\n"
    Path("record.csv").write_text(rows, encoding="utf-8")
    _, out, _ = run("monitor", "record.csv")
    first = out.partition("Neurotoxicity")[0]
    assert all(word in first for word in ("at least grade 1", "Temperature 39", "missing", "inspired"))
    Path("record.csv").write_text(f"{rows}1,fio2,21,%\n", encoding="utf-8")
    _, out, _ = run("monitor", "record.csv", "--force")
    assert "at least grade" not in out and "grade 1" in out


def test_monitor_tells_the_risk_scores_in_the_terminal_and_to_machines(record):
    code, out, _ = run("monitor", record, "--until", "3.375", "--out", "ward")
    assert code == 0
    scores = out[out.index("Risk scores") : out.index("Changed in 24 hours")]
    row = next(line for line in scores.splitlines() if "2 to 4 points: high" in line)
    assert "CAR-HEMATOTOX" in row
    assert "Hemoglobin" in scores and "lymphodepletion is not charted" in re.sub(r"[│\s]+", " ", scores)
    told = events(run("monitor", record, "--until", "3.375", "--out", "ward", "--force", "--json")[1])
    by_name = {e["score"]: e for e in told if e["event"] == "score"}
    assert len(by_name) == 11
    hematotox = by_name["car_hematotox"]
    assert (hematotox["low"], hematotox["high"], hematotox["verdict"]) == (2, 4, "high")
    assert hematotox["missing"] == ["hemoglobin", "crp"] and hematotox["points"]["ferritin"] == 1
    assert {row["source"] for row in hematotox["because"]} == {"record.csv:14", "record.csv:15", "record.csv:16"}
    assert by_name["easix"]["low"] is None and by_name["easix"]["state"] == "not gradable"
    assert "HLH-2004 criteria" in Path("ward/report.html").read_text(encoding="utf-8")
