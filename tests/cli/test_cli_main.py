"""The door of the command line: help, exit codes, one sentence on stderr."""

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from vein2vein.cli import console, main
from vein2vein.cli.main import commands
from vein2vein.errors import InputError

NAMES = sorted(commands.commands)


def run(*args):
    """Run in this process: (exit code, stdout, stderr)."""
    runner = CliRunner()
    with runner.isolation() as (out, err, _):
        code = main.main(args)
        return code, out.getvalue().decode(), err.getvalue().decode()


def heavy_modules_after(*args):
    code = (
        "import sys; from vein2vein.cli.main import main; code = main(sys.argv[1:]);"
        "heavy = {'numpy', 'scipy', 'matplotlib', 'duckdb', 'pint', 'rich', 'jinja2', 'llvmlite'};"
        "print(code, sorted(heavy & set(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code, *args], capture_output=True, text=True, timeout=120, check=True)
    return done.stdout, done.stderr.strip()


@pytest.mark.parametrize("args", [["--version"], ["--help"], *([name, "--help"] for name in NAMES)], ids=" ".join)
def test_help_and_version_load_nothing_heavy(args):
    out, loaded = heavy_modules_after(*args)
    assert loaded == "0 []"
    assert out


def test_the_commands_are_those_promised():
    promised = {"compare", "diseases", "models", "products", "qualify", "simulate", "trial", "trials"}
    assert promised <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_help_has_an_example(name):
    code, out, _ = run(name, "--help")
    assert code == 0
    assert f"vein2vein {name}" in out.split("Example", 1)[1]


def test_version():
    from vein2vein import __version__

    assert run("--version")[:2] == (0, f"vein2vein {__version__}\n")


@pytest.mark.parametrize(
    ("args", "sentence"),
    [
        (["trail", "eliana"], "unknown command 'trail'; did you mean trial"),
        (["trial", "eliana", "--patiens", "3"], "unknown option '--patiens'; did you mean --patients"),
        (["trial", "eliana", "--patients", "-3"], "-3 is not in the range"),
        (["trial", "eliana", "--patients", "many"], "'many' is not a valid integer"),
        (["trial", "eliana", "--export", "sas"], "'sas'"),
        (["trial", "elianna"], "unknown trial 'elianna'; did you mean eliana"),
        (["trial", "no/such/file.toml"], "no such file"),
        (["trial"], "which trial?"),
        (["simulate"], "which patient?"),
        (["products", "tisagenleclucel"], "unknown product 'tisagenleclucel'; did you mean tisagenlecleucel"),
        (["diseases", "zzzzqqq"], "unknown disease 'zzzzqqq'; known: "),
        (["models", "referense"], "unknown model 'referense'; did you mean reference"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_bad_input_is_one_sentence_on_stderr_and_exit_code_2(args, sentence):
    code, out, err = run(*args)
    assert code == 2
    assert out == ""
    assert err.startswith("vein2vein: ") and err.count("\n") == 1
    assert sentence in err


def test_bad_input_for_machines_is_an_event_too():
    code, out, err = run("trial", "elianna", "--json")
    event = json.loads(out)
    assert code == event["code"] == 2 and event["event"] == "error"
    assert event["text"] in err


@pytest.fixture
def failing(monkeypatch):
    """A command that fails as told."""

    def install(problem):
        def fail():
            raise problem

        monkeypatch.setitem(commands.commands, "fail", click.Command("fail", callback=fail))

    return install


@pytest.mark.parametrize(
    ("problem", "code", "said"),
    [
        (InputError("found -3 kg.", file="a.toml", line=4, field="weight"), 2, "a.toml, line 4, weight: found -3 kg."),
        (RuntimeError("boom\nbang"), 1, "unexpected failure (RuntimeError: boom bang)"),
        (OSError(28, "No space left on device", "x.html"), 1, "x.html: No space left on device"),
        (KeyboardInterrupt(), 130, "interrupted"),
    ],
    ids=["bad input", "defect", "disk full", "interrupted"],
)
def test_failures_have_a_sentence_and_a_code(failing, problem, code, said):
    failing(problem)
    found, out, err = run("fail")
    assert (found, out) == (code, "")
    assert said in err
    assert "Traceback" not in err and err.strip().count("\n") == 0


def test_debug_shows_the_traceback(failing):
    failing(RuntimeError("boom"))
    with pytest.raises(RuntimeError, match="boom"):
        run("fail", "--debug")


def test_a_reader_that_leaves_early_is_met_with_silence(failing):
    script = "import sys; from vein2vein.cli.main import main; sys.exit(main(['models', 'reference']))"
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run([sys.executable, "-c", script], stdout=writer, stderr=subprocess.PIPE, text=True, timeout=120)
    os.close(writer)
    assert done.stderr == ""
    assert done.returncode == 1


def test_python_dash_m_is_the_same_door():
    done = subprocess.run(
        [sys.executable, "-m", "vein2vein", "trial", "elianna"], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 2
    assert "did you mean eliana" in done.stderr


# ---------------------------------------------------------------- console


@pytest.mark.parametrize(
    ("value", "shown"),
    [(0, "0"), (81, "81"), (81.04, "81"), (0.5, "0.5"), (9.905, "9.9"), (41612, "41612"), (1234567, "1.23e6"),
     (1e8, "1e8"), (0.00012, "1.2e-4"), (float("nan"), "–"), (None, "–"), (float("inf"), "∞"), (-2.5, "-2.5"),
     ("CR", "CR")],
)  # fmt: skip
def test_numbers_as_people_read_them(value, shown):
    assert console.number(value) == shown


def test_json_holds_no_nan():
    import numpy as np

    value = {"a": np.array([1.0, np.nan]), "b": np.float64("inf"), "c": (np.int64(3), True), "d": np.bool_(False)}
    assert console.as_json(value) == {"a": [1.0, None], "b": None, "c": [3, True], "d": False}


def test_no_color_where_nobody_asked(monkeypatch, capsys):
    monkeypatch.setenv("NO_COLOR", "1")
    console.table(("a", "b"), [("[red]x[/red]", 1)])
    out = capsys.readouterr().out
    assert "\x1b" not in out
    assert "[red]x[/red]" in out


def test_an_existing_result_is_refused_before_anything_runs(tmp_path):
    (tmp_path / "report.html").write_text("mine")
    with pytest.raises(InputError, match="--force"):
        console.new_folder(tmp_path, ["report.html"], force=False)
    assert console.new_folder(tmp_path, ["report.html"], force=True) == tmp_path


def test_a_file_in_the_way_of_a_folder(tmp_path):
    (tmp_path / "results").write_text("a file")
    for folder in (tmp_path / "results", tmp_path / "results" / "deeper"):
        with pytest.raises(InputError, match="--out"):
            console.new_folder(folder, ["report.html"], force=True)


def test_progress_for_machines_is_one_event_a_line(capsys):
    with console.progress("x", for_machines=True) as report:
        report(0.3, "course")
    assert json.loads(capsys.readouterr().out) == {"event": "progress", "fraction": 0.3, "stage": "course"}


def test_quiet_progress_says_nothing(capsys):
    with console.progress("x", quiet=True) as report:
        report(0.3)
    assert capsys.readouterr() == ("", "")


def test_a_folder_of_results_stays_below_the_present_one():
    for name in ("../../etc/x", "a/b", "\x1b[31m", "..", "<script>", "x" * 500, "", "a\nb"):
        folder = console.results_folder(name)
        assert folder.parent == Path("vein2vein-results") and folder.name.isprintable()
        assert folder.name not in ("", ".", "..") and len(folder.name) <= 120


def _program(*args, env=None, **streams):
    done = subprocess.run(
        [sys.executable, "-m", "vein2vein", *args], env={**os.environ, **(env or {})}, timeout=120, **streams
    )
    return done.returncode, done.stdout.decode("ascii", "replace"), done.stderr.decode("ascii", "replace")


@pytest.mark.parametrize(
    "env",
    [dict([e.split("=")]) for e in ("PYTHONIOENCODING=ascii", "COLUMNS=0", "COLUMNS=30", "PYTHONWARNINGS=error")],
    ids=str,
)
def test_odd_terminals_get_their_table(env):
    code, out, err = _program("products", env=env, capture_output=True)
    assert code == 0 and "NAME" in out and len(out.split()) > 30, err


@pytest.mark.skipif(os.name == "nt", reason="needs a shell")
def test_a_closed_stdout_is_no_defect():
    command = f"{shlex.quote(sys.executable)} -m vein2vein products >&-"
    done = subprocess.run(["sh", "-c", command], capture_output=True, timeout=120)
    assert done.returncode == 0 and b"defect" not in done.stderr


def test_control_characters_of_a_name_do_not_reach_the_terminal():
    code, _, err = _program("simulate", "a\x1b[31m\n.toml", "--product", "tisagenlecleucel", capture_output=True)
    assert code == 2 and "\x1b" not in err and err.count("\n") == 1


@pytest.mark.parametrize(("args", "code"), [(["schema", "patient"], 0), (["schema", "nothing"], 2)])
def test_the_program_ends_with_its_code_and_with_what_is_left_to_do(args, code):
    script = (
        "import atexit, sys; atexit.register(print, 'left in order'); sys.argv[0] = 'vein2vein'; "
        "from vein2vein.__main__ import program; program()"
    )
    done = subprocess.run([sys.executable, "-c", script, *args], capture_output=True, text=True, timeout=120)
    assert done.returncode == code
    assert done.stdout.endswith("left in order\n")
    assert len(done.stdout.splitlines()) > 5 or code
    assert bool(done.stderr) == bool(code)
