"""A trial in chunks: the same bits whatever the chunks and however often it was stopped; nothing half-written."""

import errno
import functools
import hashlib
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import numpy as np
import pytest

from vein2vein.errors import InputError
from vein2vein.locks import alone
from vein2vein.runs import large, store
from vein2vein.runs.chunk import Chunk, Work, make_chunk, readings
from vein2vein.runs.large import run_large
from vein2vein.runs.streaming import compare_chunks
from vein2vein.trials.comparison import compare
from vein2vein.trials.trial import follow_up_at, load_trial, run_trial

ELIANA = load_trial("eliana")
PATIENTS, SEED = 24, 5
KILLS = Path(__file__).resolve().parents[2] / "qualification" / "kills.py"


def bits(folder):
    """Checksum of every file of a run."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def same(a, b):
    """Two tables are equal to the last bit; of the readings, those of patients who count."""
    names = [name for name in {*a, *b} if not name.startswith("missing_")]
    for name in names:
        x, y = a[name], b[name]
        assert x.dtype == y.dtype, name
        if name.startswith("row_"):
            count = a[f"in_{name.split('_')[1]}"]
            x, y = x[count], y[count]
        if x.dtype.kind == "O":
            assert list(x) == list(y), name
        else:
            np.testing.assert_array_equal(x, y, err_msg=name)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A run of four chunks."""
    folder = tmp_path_factory.mktemp("large") / "run"
    result = run_large(ELIANA, folder, patients=PATIENTS, seed=SEED, chunk=7)
    return folder, result


@pytest.fixture
def copy(finished, tmp_path):
    folder = tmp_path / "copy"
    shutil.copytree(finished[0], folder)
    return folder


def go_on(folder, **other):
    return run_large(ELIANA, folder, **{"patients": PATIENTS, "seed": SEED, "chunk": 7, **other})


# ---------------------------------------------------------------- the same results, in whatever chunks


def test_chunks_change_no_bit_and_the_comparison_is_that_of_a_run_in_one_piece(finished, tmp_path):
    folder, result = finished
    whole = run_trial(ELIANA, patients=PATIENTS, seed=SEED)
    assert repr(result.comparison) == repr(whole.comparison)
    assert result.screened == whole.screened
    other = tmp_path / "other"
    again = run_large(ELIANA, other, patients=PATIENTS, seed=SEED, chunk=24)
    assert repr(again.comparison) == repr(whole.comparison)
    for name in ("patients", "outcomes", "summaries", "readings", "comparison"):
        same(store.read_table(folder, name), store.read_table(other, name))
    assert bits(folder)["summary.parquet"] == bits(other)["summary.parquet"]
    store.write_trial(whole, tmp_path / "whole")
    for name in ("patients", "outcomes"):
        same(store.read_table(folder, name), store.read_table(tmp_path / "whole", name))


def test_the_summaries_are_what_the_course_says(finished):
    folder, _ = finished
    whole = run_trial(ELIANA, patients=PATIENTS, seed=SEED).journey
    told = store.read_table(folder, "summaries")
    given = np.flatnonzero(whole.infused)
    for name in ("il6", "crp", "ferritin"):
        if name in whole.course.values:
            highest = np.nanmax(whole.course.values[name][given], axis=1).astype(np.float32)
            np.testing.assert_array_equal(told[f"highest_{name}"][given], highest)
    assert np.isnan(told["highest_crp"][~whole.infused]).all()
    np.testing.assert_array_equal(told["worst_crs_astct"], whole.findings["crs_astct"].grade.max(axis=1))
    doses = np.nan_to_num(whole.course.dense("tocilizumab"))
    np.testing.assert_array_equal(told["doses_tocilizumab"], (doses > 0).sum(axis=1))
    np.testing.assert_allclose(told["total_tocilizumab"], doses.sum(axis=1), rtol=1e-6)
    counts = store.read_parquet([folder / "summary.parquet"])
    infused = dict(zip(counts["value"][counts["quantity"] == "infused"], counts["patients"], strict=False))
    assert infused.get("true", 0) == whole.infused.sum()
    assert (counts["patients"][counts["quantity"] == "worst grade, crs_astct"]).sum() == PATIENTS


def test_a_trial_of_several_arms_is_the_same_in_chunks_that_lack_an_arm(tmp_path):
    trial = load_trial("karmma")
    assert len(trial.arms) > 2
    whole = run_trial(trial, patients=8, seed=2)
    parts = run_large(trial, tmp_path / "run", patients=8, seed=2, chunk=3)
    assert repr(parts.comparison) == repr(whole.comparison)


@pytest.mark.slow
def test_a_randomized_trial_is_the_same_in_chunks_that_hold_one_arm(tmp_path):
    """Each patient alone: the hazard ratio between arms is that of all of them."""
    trial = load_trial("zuma_7")
    whole = run_trial(trial, patients=12, seed=2)
    parts = run_large(trial, tmp_path / "run", patients=12, seed=2, chunk=1)
    assert repr(parts.comparison) == repr(whole.comparison)
    assert any("hazard" in row.unit and row.pool == 12 for row in parts.comparison)


@pytest.mark.parametrize("cuts", [(), (1,), (3,), (2, 5)])
def test_a_comparison_from_chunks_is_the_same_where_a_chunk_lacks_what_another_holds(journey, tmp_path, cuts):
    """The six patients of the hand-written journey; the fifth was never infused, the third has no fever curve."""
    trial = ELIANA
    rows = tuple(row for row in trial.published)
    told = compare(
        rows, journey, follow_up=follow_up_at(trial, journey.patient.number, 3), scale=trial.scale,
        until=trial.until, seed=3, resamples=20,
    )  # fmt: skip
    files = []
    for first, last in zip((0, *cuts), (*cuts, 6), strict=True):
        part = _some(journey, np.arange(first, last))
        files.append(store.write_table(readings(trial, part, 3), tmp_path / f"{first}.parquet"))
    assert repr(compare_chunks(rows, files, seed=3, resamples=20)) == repr(told)


def _some(journey, rows):
    """A journey of some of its patients."""
    import dataclasses

    def cut(value):
        if isinstance(value, np.ndarray):
            return value[rows] if value.shape[:1] == (6,) else value
        if isinstance(value, dict):
            return {name: cut(one) for name, one in value.items()}
        if hasattr(value, "of") and hasattr(value, "days"):
            return value.of(rows)
        if dataclasses.is_dataclass(value):
            fields = {f.name: cut(getattr(value, f.name)) for f in dataclasses.fields(value)}
            return dataclasses.replace(value, **fields)
        if hasattr(value, "grade"):
            return type(value)(grade=value.grade[rows])
        if hasattr(value, "cells"):
            return type(value)(cells=value.cells[rows])
        return value

    return cut(journey)


def test_courses_are_kept_on_request_and_have_the_same_bits_in_any_chunks(tmp_path):
    for chunk in (3, 5):
        run_large(ELIANA, tmp_path / str(chunk), patients=5, seed=SEED, chunk=chunk, courses=True)
    for name in ("course", "findings"):
        same(store.read_table(tmp_path / "3", name), store.read_table(tmp_path / "5", name))
    whole, told = run_trial(ELIANA, patients=5, seed=SEED).journey.course, store.read_table(tmp_path / "3", "course")
    for name in ("transgene", "neutrophils", "tocilizumab", "temperature"):
        values = whole.values[name]
        found = values > 0 if name == "tocilizumab" else np.isfinite(values)
        np.testing.assert_array_equal(told[name][np.isfinite(told[name])], values[found].astype(np.float32))


# ---------------------------------------------------------------- going on


def test_a_finished_run_is_checked_and_not_computed_again(copy, finished, monkeypatch):
    before = bits(copy)
    monkeypatch.setattr(large, "make_chunk", lambda *_, **__: pytest.fail("computed again"))
    result = go_on(copy)
    assert result.notes == ()
    assert repr(result.comparison) == repr(finished[1].comparison)
    assert bits(copy) == before
    assert go_on(copy, chunk=None).patients == PATIENTS


def test_a_damaged_a_foreign_and_a_lost_chunk_are_computed_again(copy, finished, monkeypatch):
    before, computed = bits(copy), []
    damaged, foreign, lost = (copy / "outcomes" / f"{n:07d}.parquet" for n in (0, 7, 21))
    content = bytearray(damaged.read_bytes())
    content[len(content) // 2] ^= 1
    damaged.write_bytes(content)
    foreign.write_bytes((copy / "outcomes" / "0000014.parquet").read_bytes())
    lost.unlink()
    (copy / "outcomes" / "0000014.parquet.part").write_bytes(b"half")
    real = make_chunk
    monkeypatch.setattr(large, "make_chunk", lambda *a, **k: computed.append(a[1]) or real(*a, **k))
    result = go_on(copy)
    assert computed == [0, 7, 21]
    assert len(result.notes) == 3 and "patients 0 to 6" in result.notes[0]
    assert bits(copy) == before


@pytest.mark.parametrize(
    ("other", "named"),
    [
        ({"seed": 6}, r"another seed \(5, expected 6\)"),
        ({"patients": 25}, r"number of patients \(24, expected 25\)"),
        ({"courses": True}, "choice of tables"),
        ({"chunk": 8}, "in chunks of 7, not 8"),
    ],
)
def test_a_run_of_other_inputs_is_refused_and_left_as_it_is(copy, other, named):
    before = bits(copy)
    with pytest.raises(InputError, match=named):
        go_on(copy, **other)
    assert bits(copy) == before


def test_a_changed_trial_or_code_is_refused(copy, monkeypatch):
    import dataclasses

    with pytest.raises(InputError, match="another trial;"):
        run_large(dataclasses.replace(ELIANA, accrual=ELIANA.accrual + 1), copy, patients=PATIENTS, seed=SEED)
    moved = dataclasses.replace(ELIANA, file="elsewhere/eliana.toml")
    assert run_large(moved, copy, patients=PATIENTS, seed=SEED).patients == PATIENTS
    told = {**large.fingerprint(), "code of vein2vein": "0" * 64}
    monkeypatch.setattr(large, "fingerprint", lambda: told)
    with pytest.raises(InputError, match="another code of vein2vein;"):
        go_on(copy)


def test_force_begins_anew(copy, finished, monkeypatch):
    run_large(ELIANA, copy, patients=2, seed=1, chunk=1, force=True)
    assert len(store.read_table(copy, "patients")["patient"]) == 2
    monkeypatch.setattr(large, "make_chunk", functools.partial(_from, finished[0]))
    go_on(copy, force=True)
    assert bits(copy) == bits(finished[0])


STRAYS = (".scratch/patients-0.parquet.part", ".scratch/.0123456789abcdef.part", ".0123456789abcdef.part",
          "patients/.0123456789abcdef.part", "patients/0000007.parquet.part", "manifest.json.part")  # fmt: skip


def test_whatever_a_killed_run_left_the_next_goes_on(copy, finished, monkeypatch):
    """Also with what was under way in the scratch folder, which a sweep by two patterns met twice."""
    monkeypatch.setattr(large, "make_chunk", functools.partial(_from, finished[0]))
    manifest = json.loads((copy / "manifest.json").read_text())
    (copy / "manifest.json").write_text(json.dumps({**manifest, "state": "running", "chunks": manifest["chunks"][:2]}))
    (copy / ".scratch" / "folder").mkdir(parents=True)
    for name in STRAYS:
        (copy / name).write_bytes(b"half")
    (copy / "thesis.part").write_text("mine")
    go_on(copy)
    assert (copy / "thesis.part").read_text() == "mine"
    (copy / "thesis.part").unlink()
    assert bits(copy) == bits(finished[0])


def test_a_scratch_folder_that_is_a_link_is_refused_and_what_it_names_is_left(copy, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "a").write_text("mine")
    (copy / ".scratch").symlink_to(tmp_path / "mine")
    with pytest.raises(InputError, match="symbolic link"):
        go_on(copy)
    assert (tmp_path / "mine" / "a").read_text() == "mine"


@pytest.mark.parametrize("name", ["comparison.parquet", "summary.parquet"])
def test_a_table_that_a_new_run_would_replace_is_refused_before_anything_runs(tmp_path, name):
    (tmp_path / name).write_text("mine")
    with pytest.raises(InputError, match="exists already"):
        go_on(tmp_path)
    assert (tmp_path / name).read_text() == "mine"


def test_a_file_that_is_not_of_the_run_is_named(copy):
    (copy / "patients" / "0000003.parquet").write_bytes(b"")
    with pytest.raises(InputError, match=r"0000003\.parquet is not of this run"):
        go_on(copy)


def test_results_of_another_kind_are_not_overwritten(tmp_path):
    (tmp_path / "manifest.json").write_text('{"format": 1}')
    with pytest.raises(InputError, match="holds another run"):
        go_on(tmp_path)
    (tmp_path / "manifest.json").write_text("{")
    with pytest.raises(InputError, match="not valid JSON"):
        go_on(tmp_path)


def test_an_incomplete_run_is_not_read_as_results(copy):
    manifest = json.loads((copy / "manifest.json").read_text())
    (copy / "manifest.json").write_text(json.dumps({**manifest, "state": "running"}))
    with pytest.raises(InputError, match="not complete"):
        store.read_table(copy, "patients")


@pytest.mark.skipif(os.name != "posix", reason="folders are locked on POSIX systems only")
def test_two_runs_do_not_share_a_folder(copy):
    with alone(copy), pytest.raises(InputError, match="in use by another run"):
        go_on(copy)


# What may lie in the folder of a run that was stopped: its path, how it is made, and whether the run ends with the same
# bits (None) or with which sentence.
CHUNK_FILE = "outcomes/0000007.parquet"
PLANTED = [
    (".scratch/patients-0.parquet.part/", None),
    (".scratch/vein2vein-abc/patients-0.parquet", None),
    (".scratch/.0123456789abcdef.part", None),
    (".scratch", "'.*scratch' cannot be a folder because a file stands in its way"),
    (".scratch>", "symbolic link"),
    (".0123456789abcdef.part", None),
    (".0123456789abcdef.part>", None),
    ("manifest.json.part", None),
    ("comparison.parquet.part", None),
    ("patients/0000007.parquet.part", None),
    ("patients/0000007.parquet.part>", None),
    ("patients/0000007.parquet.part/", "0000007.parquet.part is not of this run; move it away"),
    ("patients/.0123456789abcdef.part/", "0123456789abcdef.part is not of this run; move it away"),
    ("patients/0000003.parquet", "0000003.parquet is not of this run; move it away"),
    (CHUNK_FILE, None),
    (f"{CHUNK_FILE}/", "'.*0000007.parquet' is a folder; give the name of a file"),
    (f"{CHUNK_FILE}>", "'.*0000007.parquet' is a symbolic link"),
    (f"{CHUNK_FILE}|", "'.*0000007.parquet' is a pipe"),
    ("comparison.parquet/", "'.*comparison.parquet' is a folder"),
    ("summary.parquet|", "'.*summary.parquet' is a pipe"),
    ("manifest.json", "is not valid JSON; run the trial again"),
    ("manifest.json/", "'.*manifest.json' is a folder"),
    ("manifest.json|", "'.*manifest.json' is a pipe"),
]  # fmt: skip


@pytest.mark.skipif(os.name != "posix", reason="pipes and links of POSIX systems")
@pytest.mark.parametrize(("path", "sentence"), PLANTED)
def test_whatever_lies_there_a_run_goes_on_or_says_so_before_it_computes(copy, finished, monkeypatch, path, sentence):
    monkeypatch.setattr(large, "make_chunk", functools.partial(_from, finished[0]))
    manifest = json.loads((copy / "manifest.json").read_text())
    (copy / "manifest.json").write_text(json.dumps({**manifest, "state": "running", "chunks": manifest["chunks"][:3]}))
    plant(copy, path)
    if sentence is None:
        go_on(copy)
        assert bits(copy) == bits(finished[0])
        assert not list(copy.rglob("*.part")) and not (copy / ".scratch").exists()
        return
    monkeypatch.setattr(large, "make_chunk", lambda *_, **__: pytest.fail("computed before it was refused"))
    with pytest.raises(InputError, match=sentence) as error:
        go_on(copy)
    assert "\n" not in str(error.value)


def plant(folder, path):
    """A file with half of something; ``/`` at the end: a folder with one, ``>``: a link to nothing, ``|``: a pipe."""
    place = folder / path.rstrip("/>|")
    place.parent.mkdir(exist_ok=True, parents=True)
    if place.is_file():
        place.unlink()
    if path.endswith("/"):
        place.mkdir()
        (place / "half").write_bytes(b"half")
    elif path.endswith(">"):
        place.symlink_to(folder / "nothing")
    elif path.endswith("|"):
        os.mkfifo(place)
    else:
        place.write_bytes(b"half")


@pytest.mark.parametrize("damage", [b"", b"half", None])
def test_a_table_that_is_damaged_is_told_in_a_sentence(copy, damage):
    file = copy / "patients" / "0000007.parquet"
    file.write_bytes(damage) if damage is not None else file.unlink()
    with pytest.raises(InputError, match=r"a table cannot be read \(.*0000007.*\); the command that made it") as error:
        store.read_table(copy, "patients")
    assert "\n" not in str(error.value)


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="nothing is read-only for root")
@pytest.mark.parametrize("name", [".", "patients"])
def test_a_folder_that_may_not_be_written_is_told_in_a_sentence(copy, name):
    (copy / name).chmod(0o555)
    try:
        with pytest.raises(InputError, match="may not be written; choose another one"):
            go_on(copy)
    finally:
        (copy / name).chmod(0o755)


@pytest.mark.skipif(os.name != "posix", reason="permissions of POSIX systems")
@pytest.mark.parametrize("name", ["manifest.json", "comparison.parquet", CHUNK_FILE])
def test_a_file_that_may_not_be_written_is_told_before_anything_is_computed(copy, monkeypatch, name):
    monkeypatch.setattr(large, "make_chunk", lambda *_, **__: pytest.fail("computed before it was refused"))
    (copy / name).chmod(0o444)
    with pytest.raises(InputError, match="is write-protected; choose another name"):
        go_on(copy)


# ---------------------------------------------------------------- a full disk


@pytest.mark.parametrize("at", [1, 6, 20])
def test_a_full_disk_leaves_nothing_half_written(finished, tmp_path, monkeypatch, at):
    calls, real = [], os.fsync

    def full(handle):
        calls.append(handle)
        if len(calls) >= at:
            raise OSError(errno.ENOSPC, "No space left on device")
        real(handle)

    monkeypatch.setattr(large, "make_chunk", functools.partial(_from, finished[0]))
    monkeypatch.setattr(os, "fsync", full)
    folder = tmp_path / "run"
    with pytest.raises(OSError, match="No space left on device"):
        go_on(folder)
    assert not list(folder.rglob("*.part"))
    monkeypatch.setattr(os, "fsync", real)
    go_on(folder)
    assert bits(folder) == bits(finished[0])


def test_a_full_disk_is_told_in_one_sentence(tmp_path, monkeypatch, finished, capsys):
    from vein2vein.cli import main

    monkeypatch.setattr(large, "make_chunk", functools.partial(_from, finished[0]))
    written, real = [], os.replace

    def full(source, target):
        written.append(target)
        if len(written) > 9:
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(source, target)

    monkeypatch.setattr(os, "replace", full)
    asked = ["trial", "eliana", "--patients", str(PATIENTS), "--seed", str(SEED), "--chunk", "7", "--out"]
    code = main.main([*asked, str(tmp_path / "run")])
    err = capsys.readouterr().err
    assert code == 1
    assert "No space left on device; 1 of 4 chunks are kept and the same command goes on from there" in err
    assert len(err.strip().splitlines()) == 1


def _from(folder, work, first, last, scratch=None):
    """A chunk that an earlier run has computed."""
    manifest = store.read_manifest(folder)
    (entry,) = [c for c in manifest["chunks"] if c["first"] == first]
    assert entry["last"] == last
    files = {name: (folder / name / entry["file"]).read_bytes() for name in work.tables}
    return Chunk(files, entry["rows"], entry["failed"], tuple(entry["notes"]), manifest["provenance"])


# ---------------------------------------------------------------- killed at any moment

KILLED_AT = """
import os, signal, sys
from functools import partial
from pathlib import Path
sys.path.insert(0, {here!r})
from test_large import ELIANA, PATIENTS, SEED, _from
from vein2vein.runs import large

moments, at = [0], int(sys.argv[1])

def dying(real):
    def call(*given):
        moments[0] += 1
        if moments[0] == at:
            os.kill(os.getpid(), signal.SIGKILL)
        return real(*given)
    return call

os.fsync, os.replace, os.open = dying(os.fsync), dying(os.replace), dying(os.open)
large.make_chunk = partial(_from, Path({finished!r}))
large.run_large(ELIANA, {folder!r}, patients=PATIENTS, seed=SEED, chunk=7)
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no SIGKILL on this system")
@pytest.mark.parametrize("at", [2, 20, 75])
def test_killed_at_a_chosen_moment_of_writing_it_ends_with_the_same_bits(finished, tmp_path, monkeypatch, at):
    folder = tmp_path / "run"
    script = KILLED_AT.format(here=os.path.dirname(__file__), finished=str(finished[0]), folder=str(folder))
    done = subprocess.run([sys.executable, "-c", script, str(at)], capture_output=True, text=True, timeout=120)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert bits(folder) != bits(finished[0])
    monkeypatch.setattr(large, "make_chunk", functools.partial(_from, finished[0]))
    go_on(folder)
    assert bits(folder) == bits(finished[0])


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
@pytest.mark.skipif(not KILLS.exists(), reason="the qualification scripts are not part of an installed package")
def test_killed_at_any_moment_it_ends_as_an_undisturbed_run():
    """A few of the moments that ``qualification/kills.py`` can try; also while the folder is cleared by --force."""
    asked = [sys.executable, str(KILLS), "--every", "43", "--timed", "1", "--chained", "1"]
    done = subprocess.run(asked, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"^\d+ kills, 0 runs", done.stdout, re.MULTILINE)


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no SIGKILL on this system")
def test_killed_at_random_moments_the_same_command_ends_with_the_same_bits(finished, tmp_path):
    folder, luck, killed = tmp_path / "run", random.Random(1), 0
    command = [sys.executable, "-m", "vein2vein", "trial", "eliana", "--patients", str(PATIENTS), "--seed", str(SEED)]
    command += ["--chunk", "7", "--quiet", "--out", str(folder)]
    for _ in range(8):
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
            time.sleep(luck.uniform(0.5, 5))
            if process.poll() is None:
                process.send_signal(signal.SIGKILL)
                killed += 1
    assert killed >= 3
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert bits(folder) == bits(finished[0])


# ---------------------------------------------------------------- memory


@pytest.mark.slow
def test_memory_does_not_grow_with_the_number_of_patients(tmp_path):
    script = textwrap.dedent("""
        import resource, sys
        from vein2vein.runs.large import run_large
        from vein2vein.trials.trial import load_trial
        run_large(load_trial("eliana"), sys.argv[2], patients=int(sys.argv[1]), chunk=200)
        print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
    """)

    def peak(patients):
        command = [sys.executable, "-c", script, str(patients), str(tmp_path / str(patients))]
        return int(subprocess.run(command, capture_output=True, text=True, timeout=600, check=True).stdout)

    assert peak(2400) < 1.25 * peak(400)


def test_a_chunk_is_made_without_a_folder_of_its_own():
    made = make_chunk(Work(ELIANA, SEED), 3, 5)
    assert made.rows == dict.fromkeys(("patients", "outcomes", "summaries", "readings"), 2)
    assert "date" not in made.provenance and made.provenance["seed"] == SEED
