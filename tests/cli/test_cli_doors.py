"""Every option of every command acts or is refused; every command that writes refuses what is no regular file."""

import itertools
import json
import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from vein2vein.cli import main
from vein2vein.cli.main import commands
from vein2vein.therapy.patient import example_patient_text
from vein2vein.trials.trial import load_trial, trial_template_text

COMMANDS = sorted(commands.commands.items())
NAMES = [name for name, _ in COMMANDS]
OPTIONS = [(name, p) for name, c in COMMANDS for p in c.params if isinstance(p, click.Option)]
VALUES = {click.types.FloatParamType: "5", click.types.FloatRange: "50"}
ACTS_BESIDE_INIT = {"init", "force", "for_machines", "quiet"}
STUDY = "ID,TIME,AMT,DV,EVID\n" + "".join(f"{i},0,1,.,1\n{i},1,.,5,0\n{i},7,.,50,0\n" for i in range(1, 5))
FIT = ["study.csv", "--model", "stein_2019"]  # what --init of fit writes a file for
posix = pytest.mark.skipif(os.name != "posix", reason="devices, pipes and links of POSIX")


def run(*args):
    runner = CliRunner()
    with runner.isolation() as (out, err, _):
        code = main.main([str(a) for a in args])
        return code, out.getvalue().decode(), err.getvalue().decode()


def program(*args, **options):
    done = subprocess.run([sys.executable, "-m", "vein2vein", *args], capture_output=True, timeout=120, **options)
    return done.returncode, done.stdout.decode("utf-8", "replace"), done.stderr.decode("utf-8", "replace")


def refused(code, err, *said):
    """One sentence on stderr, no traceback."""
    assert code == 2, err
    assert err.startswith("vein2vein: ") and err.count("\n") == 1 and "defect" not in err, err
    for words in said:
        assert words in err


def given(option):
    """An option as a person gives it."""
    if option.is_flag:
        return [option.opts[-1]]
    if isinstance(option.type, click.Choice):
        return [option.opts[-1], option.type.choices[0]]
    if isinstance(option.type, click.IntRange):
        return [option.opts[-1], str(max(20, option.type.min or 0))]
    if option.opts[-1] == "--columns":
        return [option.opts[-1], "dv=DV"]
    return [option.opts[-1], VALUES.get(type(option.type), "x")]


def label(value):
    return value if isinstance(value, str) else value.opts[-1]


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A folder to work in, with a patient and a trial of one patient."""
    monkeypatch.chdir(tmp_path)
    Path("patient.toml").write_text(example_patient_text(), encoding="utf-8")
    return tmp_path


@pytest.fixture
def study(here):
    """The same with a study of four subjects."""
    (here / "study.csv").write_text(STUDY, encoding="utf-8")
    return here


# ---------------------------------------------------------------- options that act or are refused


@pytest.mark.parametrize(("name", "option"), OPTIONS, ids=label)
def test_an_option_of_one_value_given_twice_is_refused(here, name, option):
    if option.multiple or option.is_flag:
        return
    first, second = given(option), given(option)
    code, out, err = run(name, *first, *second)
    refused(code, err, f"found {option.opts[-1]} 2 times")
    assert out == "" and sorted(p.name for p in here.iterdir()) == ["patient.toml"]


@pytest.mark.parametrize("name", NAMES)
def test_every_command_speaks_to_machines_and_can_be_quiet(name):
    assert {"--json", "--quiet"} <= {o.opts[-1] for n, o in OPTIONS if n == name}


@pytest.mark.parametrize("name", [n for n, c in COMMANDS if {"out", "init"} & {p.name for p in c.params}])
def test_every_command_that_writes_can_be_forced_and_says_where_to(name):
    assert {"--out", "--force"} <= {o.opts[-1] for n, o in OPTIONS if n == name}


BESIDE_INIT = [(n, o) for n, o in OPTIONS if any(p.name == "init" for p in commands.commands[n].params)]


@pytest.mark.parametrize(("name", "option"), BESIDE_INIT, ids=label)
def test_what_does_nothing_beside_init_is_refused(study, name, option):
    if option.name == "init" or (name == "fit" and option.opts[-1] in ("--model", "--time-unit", "--columns")):
        return
    code, out, err = run(name, *(FIT if name == "fit" else []), "--init", "new.toml", *given(option))
    if option.name in ACTS_BESIDE_INIT:
        assert code == 0 and Path("new.toml").is_file() and "new.toml" in out, err
    else:
        refused(code, err, f"{option.opts[-1]} does nothing with --init")
        assert not Path("new.toml").exists()


IDLE = [
    (["explain", "patient.toml", "--no-simulation", "--seed", "3"], "--seed does nothing with --no-simulation"),
    (["explain", "patient.toml", "--no-simulation", "--companions", "30"], "--companions does nothing with"),
    (["refer", "patient.toml", "--no-pdf", "--browser", "b", "--out", "r"], "--browser does nothing with --no-pdf"),
    (["trial", "eliana", "--scheduler", "tcp://127.0.0.1:1", "--jobs", "2"], "--jobs does nothing with --scheduler"),
    (["trial", "eliana", "--chunk", "5", "--export", "nonmem"], "--export works on runs in one piece"),
    (["respond", "visits.csv", "--criteria", "lugano", "--force"], "--force does nothing without --out"),
    (["models", "--equations"], "--equations does nothing without the name of a model"),
    (["models", "reference", "--latex"], "--latex does nothing without --equations"),
    (["models", "reference", "--force"], "--force does nothing without --out"),
    (["models", "reference", "--equations", "--out", "pages"], "--equations does nothing with --out"),
    (["schema", "policy", "--force"], "--force does nothing without --out"),
    (["schema", "--fields", "--out", "schemas"], "--fields does nothing with --out"),
    (["simulate", "patient.toml", "--init", "new.toml"], "'patient.toml' does nothing with --init"),
    (["monitor", "record.csv", "--init", "new.csv"], "'record.csv' does nothing with --init"),
    (["respond", "visits.csv", "--init", "new.csv"], "'visits.csv' does nothing with --init"),
    (["check", "patient.toml", "--mapping", "patient.toml"], "--mapping patient.toml was used for no file"),
    (["compare", "eliana", "zuma_1", "--trial", "eliana"], "give either two trials or --trial, not both"),
    (["compare", "--trial", "eliana", "--arm", "a", "--arm", "b"], "--arm 2 times, but 0 of the designs"),
    (["compare", "--trial", "eliana", "--arm", "a", "--dose", "1e6/kg", "--dose", "2e6/kg"], "eliana has no arms"),
    (["compare", "--trial", "juliet", "--dose", "1e8", "--dose", "2e8"], "juliet has 3 arms (flu_cy, bendamustine,"),
    (["compare", "--trial", "juliet", "--arm", "flu_c", "--arm", "none"], "did you mean flu_cy"),
    (["compare", "juliet", "zuma_1"], "choose one with --arm"),
    (["compare", "--trial", "eliana", "--policy", "astct_2019", "--policy", "erly"], "unknown policy 'erly'"),
    (["compare", "--trial", "eliana", "--policy", "astct_2019", "--policy", "astct_2019"], "would be the same"),
]  # fmt: skip


@pytest.mark.parametrize(("args", "said"), IDLE, ids=lambda v: " ".join(v) if isinstance(v, list) else "")
def test_an_option_that_another_makes_idle_is_refused(here, args, said):
    Path("visits.csv").write_text("day,deauville\n-7,5\n28,2\n", encoding="utf-8")
    before = sorted(p.name for p in here.iterdir())
    code, _, err = run(*args)
    refused(code, err, said)
    assert sorted(p.name for p in here.iterdir()) == before


def test_a_trial_that_is_named_is_the_one_that_is_written_out(here):
    code, out, _ = run("trial", "zuma_1", "--init", "z.toml")
    assert code == 0 and "vein2vein trial z.toml" in out
    assert Path("z.toml").read_text(encoding="utf-8") == load_trial("zuma_1").text
    code, _, err = run("trial", "zuma_11", "--init", "other.toml")
    refused(code, err, "unknown trial 'zuma_11'")
    assert not Path("other.toml").exists()


def test_an_option_is_not_taken_for_a_name(here):
    for args in (["trial", "--init", "--force"], ["trial", "eliana", "--out", "--quiet"]):
        code, _, err = run(*args)
        refused(code, err, "looks like an option")
    assert [p.name for p in here.iterdir()] == ["patient.toml"]


def test_an_empty_name_is_not_the_present_folder(here):
    for args in (["trial", "eliana", "--out", ""], ["trial", "--init", ""], ["simulate", ""], ["check", ""]):
        code, _, err = run(*args)
        refused(code, err, "the name is empty")


def test_two_arms_and_two_policies_are_compared_in_the_same_patients(here):
    asked = ["--patients", "12", "--parameters", "typical", "--json", "--out"]
    for number, (changed, names) in enumerate((
        (["--trial", "juliet", "--arm", "flu_cy", "--arm", "none"], ["flu_cy", "none"]),
        (["--trial", "eliana", "--policy", "astct_2019", "--policy", "prophylactic"], ["astct_2019", "prophylactic"]),
    )):  # fmt: skip
        code, out, err = run("compare", *changed, *asked, f"out{number}")
        assert code == 0, err
        data = json.loads(Path(f"out{number}", "comparison.json").read_text(encoding="utf-8"))
        assert data["designs"] == names
        assert [e["event"] for e in map(json.loads, out.splitlines())][-1] == "report"
    provenance = data["provenance"]
    assert "astct_2019" in str(provenance["policy first"]) and "prophylactic" in str(provenance["policy second"])


# ---------------------------------------------------------------- texts name what exists


def test_commands_named_in_files_and_help_exist(here):
    texts = [
        path.read_text(encoding="utf-8")
        for path in Path(main.__file__).parents[1].rglob("*.[tc][os][mv]*")
        if path.parent.name != "locales"
    ]
    texts += [run(name, "--help")[1] for name in NAMES]
    named = set(re.findall(r"\bvein2vein ([a-z]+)\b(?! comes| knows| can)", "\n".join(texts)))
    words = {"comes", "knows", "can", "developers", "graded", "has", "is", "does", "reads", "monitor", "in"}
    assert named - words <= {*NAMES}


def test_check_promises_only_what_a_command_does():
    from vein2vein.io.check import CARDS

    promised = [use for *_, use in CARDS if use.startswith("vein2vein ")]
    assert len(promised) >= 5
    for use in promised:
        listed, _, rest = use.removeprefix("vein2vein ").partition(" (")
        option = rest.partition(")")[0]
        for word in re.split(r", | and ", listed):
            assert word in NAMES, use
            assert not option or option in {o.opts[-1] for n, o in OPTIONS if n == word}, use


# ---------------------------------------------------------------- the catalogs


def test_analytes_are_listed_with_unit_and_range_and_found_by_name():
    code, out, _ = run("analytes")
    assert code == 0 and re.search(r"ferritin +Ferritin +ug/L +0 to 1e\+06 +lab +2276-4", out)
    code, out, _ = run("analytes", "--quiet")
    from vein2vein.analytes import all_analytes

    assert out.split() == list(all_analytes())
    (event,) = map(json.loads, run("analytes", "ferritin", "--json")[1].splitlines())
    assert event["event"] == "analyte" and event["unit"] == "ug/L" and event["high"] == 1e6
    code, _, err = run("analytes", "feritin")
    refused(code, err, "unknown analyte 'feritin'; did you mean ferritin")


@pytest.mark.parametrize("name", ["stein_2019", "reference"])
def test_equations_are_printed_for_readers_and_as_latex(name):
    from vein2vein.models.catalogue import find_model

    code, text, _ = run("models", name, "--equations")
    states = find_model(name).state_names
    assert code == 0 and [line for line in text.splitlines() if line.startswith("d(")] and "\\frac" not in text
    assert re.findall(r"^d\((\w+)\)/dt = ", text, re.M) == list(states)
    code, latex, _ = run("models", name, "--equations", "--latex")
    assert latex.count("{dt} = ") == len(states)
    events = [json.loads(line) for line in run("models", name, "--equations", "--json")[1].splitlines()]
    assert [event["text"] for event in events] == text.splitlines()


def test_pages_of_models_are_written_with_formulas(here):
    code, out, _ = run("models", "stein_2019", "--out", "pages")
    assert code == 0 and out == f"Page: {Path('pages', 'stein_2019.md')}\n"
    page = Path("pages", "stein_2019.md").read_text(encoding="utf-8")
    assert page.startswith("# ") and page.count("$$\n") == 8
    refused(*[run("models", "stein_2019", "--out", "pages")[i] for i in (0, 2)], "exists already")
    assert run("models", "--out", "all", "--quiet")[0] == 0
    assert {path.stem for path in Path("all").iterdir()} >= {"reference", "hazards", "bedside", "covariates"}


# ---------------------------------------------------------------- where a command writes


def obstacles(folder, device):
    """What stands where a command would write: (name, path, words of the refusal)."""
    (folder / "nothing").symlink_to(folder / "absent")
    os.mkfifo(folder / "pipe")
    (folder / "file").write_text("mine")
    (folder / "link").symlink_to(folder / "file")
    there = os.getcwd()
    os.chdir(folder)
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind("socket")
    os.chdir(there)
    return {"nothing": folder / "nothing", "pipe": folder / "pipe", "link": folder / "link",
            "socket": folder / "socket", "device": device}  # fmt: skip


FOLDERS = {
    "trial": ["trial", "eliana", "--patients", "2"],
    "simulate": ["simulate", "patient.toml", "--product", "tisagenlecleucel"],
    "monitor": ["monitor", "record.csv"],
    "respond": ["respond", "visits.csv", "--criteria", "lugano"],
    "explore": ["explore", "record.csv"],
    "nca": ["nca", "record.csv"],
    "qualify": ["qualify", "eliana", "--patients", "10", "--parameters", "typical"],
    "compare": [
        *("compare", "--trial", "eliana", "--patients", "10", "--dose", "2e6/kg", "--dose", "3e6/kg"),
        *("--parameters", "typical"),
    ],
    "models": ["models", "stein_2019"],
    "fit": ["fit", *FIT, "--time-unit", "d"],
    "vpc": ["vpc", "first"],
    "schema": ["schema", "policy"],
    "refer": ["refer", "patient.toml", "--no-pdf"],
    "sensitivity": [
        *("sensitivity", "--parameter", "rho", "--parameter", "KCN", "--outcome", "cmax", "--patients", "10"),
        *("--trajectories", "2", "--jobs", "1"),
    ],
}
RESULTS = {
    "trial": ["report.html", "patients.parquet", "manifest.json"], "simulate": ["report.html", "journey.svg"],
    "monitor": ["report.html", "findings.csv", "findings.fhir.json"], "respond": ["response.csv"],
    "explore": ["report.html", "individual.csv"], "nca": ["groups.csv"],
    "qualify": ["report.html", "qualification.json"], "compare": ["report.html", "comparison.json"],
    "models": ["stein_2019.md"], "schema": ["policy.json"],
    "fit": ["report.html", "table.csv", "manifest.json"], "vpc": ["vpc.html", "vpc.csv"],
    "refer": ["referral.html", "referral.fhir.json"], "sensitivity": ["sensitivity.json", "effects.csv"],
}  # fmt: skip
FILES = {"predict": ["predict", "trial.toml", "--patients", "10", "--parameters", "typical", "--jobs", "1", "--out"],
         "explain": ["explain", "patient.toml", "--product", "tisagenlecleucel", "--no-simulation", "--out"],
         "fit --init": ["fit", *FIT, "--init"],
         **{f"{name} --init": [name, "--init"] for name in ("trial", "simulate", "monitor", "respond")}}  # fmt: skip


@pytest.fixture
def ready(study):
    here = study
    run("monitor", "--init", "record.csv")
    run("respond", "--init", "visits.csv")
    text = trial_template_text().replace("follow_up = 365", "follow_up = 35").replace("28, 90, 180, 270, 365", "28")
    text = text.replace('"100 days"', '"35 days"').split("\n[[published]]")[0]
    Path("trial.toml").write_text(text.replace("14, 21, 28, 90, 180, 365", "14, 21, 28"), encoding="utf-8")
    return here


def test_the_tables_name_every_command_that_writes():
    folders = {n for n, o in OPTIONS if o.name == "out" and o.metavar == "DIR"}
    files = {n for n, o in OPTIONS if o.name == "out" and o.metavar == "FILE"}
    files |= {f"{n} --init" for n, o in OPTIONS if o.name == "init"}
    assert folders == set(FOLDERS) == set(RESULTS) and files == set(FILES)


@posix
@pytest.mark.parametrize("name", FOLDERS)
def test_a_folder_that_is_none_is_refused_before_anything_runs(ready, name, device):
    (ready / "in").mkdir()
    found = obstacles(ready / "in", device)
    for path, force in itertools.product(found.values(), ([], ["--force"])):
        code, _, err = run(*FOLDERS[name], "--out", path, *force)
        refused(code, err, "cannot be a folder because")
    assert device.is_char_device() and (ready / "in" / "file").read_text() == "mine"
    (ready / "in" / "file").unlink()


@posix
@pytest.mark.parametrize("name", FOLDERS)
def test_a_result_that_is_no_regular_file_is_refused_before_anything_runs(ready, name, device):
    (ready / "in").mkdir()
    found = {**obstacles(ready / "in", device), "folder": ready}
    for number, (result, kind) in enumerate(itertools.product(RESULTS[name], found)):
        if kind == "device":
            continue  # a device cannot be made without being root: see the files below
        folder = ready / f"out{number}"
        folder.mkdir()
        if kind == "folder":
            (folder / result).mkdir()
        else:
            os.rename(found[kind], folder / result)
        code, _, err = run(*FOLDERS[name], "--out", folder, "--force")
        if kind != "folder":
            os.rename(folder / result, found[kind])
        refused(code, err, "is a ")
        assert [p.name for p in folder.iterdir()] == ([result] if kind == "folder" else [])
    assert (ready / "in" / "file").read_text() == "mine"


@posix
@pytest.mark.parametrize("name", FOLDERS)
def test_an_existing_result_is_kept_without_force(ready, name):
    for number, result in enumerate(RESULTS[name]):
        (ready / f"out{number}").mkdir()
        mine = ready / f"out{number}" / result
        mine.write_text("{}" if result == "manifest.json" else "mine")
        before = mine.read_text()
        code, _, err = run(*FOLDERS[name], "--out", mine.parent)
        refused(code, err, "exists already", "--force")
        assert mine.read_text() == before and len(list(mine.parent.iterdir())) == 1


@posix
@pytest.mark.parametrize("name", FILES)
def test_a_file_is_never_written_over_what_is_none(ready, name, device):
    (ready / "in").mkdir()
    for kind, path in {**obstacles(ready / "in", device), "folder": ready}.items():
        code, _, err = run(*FILES[name], path, "--force")
        refused(code, err, "is a ")
        assert kind != "nothing" or not (ready / "in" / "absent").exists()
    assert device.is_char_device() and (ready / "in" / "file").read_text() == "mine"
    code, _, err = run(*FILES[name], ready / "in" / "file")
    refused(code, err, "exists already", "--force")
    code, _, err = run(*FILES[name], ready / "no" / "file")
    refused(code, err, "does not exist")
    assert run(*FILES[name], ready / "in" / "file", "--force")[0] == 0
    assert (ready / "in" / "file").read_text(encoding="utf-8") != "mine"


# ---------------------------------------------------------------- as a process

HOSTILE = {
    "newline": b"a\nb.toml", "escape": b"a\x1b[31mb.toml", "long": b"x" * 5000, "deep": b"x/" * 2500,
    "not UTF-8": b"caf\xe9.toml", "option-like": b"--", "right to left": "\u202eab.toml".encode(),
}  # fmt: skip


@pytest.mark.skipif(os.name != "posix", reason="arguments of bytes")
@pytest.mark.parametrize("kind", HOSTILE)
@pytest.mark.parametrize(
    "before", [["check"], ["trial"], ["simulate", "--init"], ["models", "reference", "--out"]], ids=" ".join
)
def test_hostile_names_end_in_one_short_sentence(here, before, kind):
    code, _, err = program(*before, HOSTILE[kind])
    if code == 0 and kind == "right to left" and before[-1] in ("--init", "--out"):
        return
    assert "Traceback" not in err and "defect" not in err and "\x1b" not in err and len(err) < 1500, err
    assert code in (1, 2) and err.count("\n") <= 1


@pytest.mark.skipif(os.name != "posix", reason="needs a shell")
@pytest.mark.parametrize("args", ["products", "analytes", "models reference", "models reference --equations",
                                  "trials eliana --json", "--help", "check patient.toml"])  # fmt: skip
def test_a_pipe_that_closes_early_is_no_failure_to_tell(here, args):
    command = f"{sys.executable} -m vein2vein {args} | head -1"
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, timeout=120)
    assert done.stderr == "" and done.stdout.count("\n") == 1


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full on this system")
def test_a_full_device_behind_stdout_is_one_sentence(here):
    done = subprocess.run(
        ["sh", "-c", f"{sys.executable} -m vein2vein products > /dev/full"], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 1 and done.stderr.count("\n") == 1 and "No space left" in done.stderr


def test_force_onto_a_device_leaves_the_device(here, device):
    before = device.stat().st_rdev
    code, _, err = program("explain", "patient.toml", "--product", "tisagenlecleucel", "--no-simulation", "--out",
                           device, "--force")  # fmt: skip
    refused(code, err, f"'{device}' is a device")
    assert device.is_char_device() and device.stat().st_rdev == before
