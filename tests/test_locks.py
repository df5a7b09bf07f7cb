"""Locks between processes: one holder at a time, given free with the process; also without fcntl (Windows)."""

import errno
import os
import subprocess
import sys
import types

import pytest

from vein2vein.cli.main import main
from vein2vein.errors import InputError
from vein2vein.locks import IN_FOLDER, release_lock, take_lock
from vein2vein.web.workspace import Workspace

HELD = """
import pathlib, sys
from vein2vein.locks import take_lock
assert take_lock(pathlib.Path(sys.argv[1])) is not None
print("held", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def windows(monkeypatch):
    """A system without fcntl whose runtime locks bytes of open files, by the names that Windows has for it."""
    held = {}

    def locking(handle, mode, count):
        assert mode == fake.LK_NBLCK and count == 1
        there = os.fstat(handle)
        assert os.path.isfile(f"/proc/self/fd/{handle}"), "a folder cannot be opened there"
        taken = held.setdefault((there.st_dev, there.st_ino), handle)
        if taken != handle and os.path.exists(f"/proc/self/fd/{taken}"):
            raise PermissionError(errno.EACCES, "Permission denied")

    fake = types.SimpleNamespace(LK_NBLCK=2, locking=locking)
    monkeypatch.setitem(sys.modules, "msvcrt", fake)
    monkeypatch.setitem(sys.modules, "fcntl", None)
    monkeypatch.setattr(sys, "platform", "win32")


def test_a_lock_has_one_holder_and_ends_with_its_process(tmp_path):
    for place in (tmp_path / "lock", tmp_path):
        holder = subprocess.Popen(
            [sys.executable, "-c", HELD, str(place)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert holder.stdout.readline() == "held\n" and take_lock(place) is None
        holder.kill()
        holder.wait()
        holder.stdin.close()
        holder.stdout.close()
        release_lock(take_lock(place))
    assert [one.name for one in tmp_path.iterdir()] == ["lock"]


def test_what_is_no_lock_of_another_is_told(tmp_path):
    with pytest.raises(FileNotFoundError):
        take_lock(tmp_path / "nowhere" / "lock")


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="the stand-in for Windows looks at open files in /proc")
def test_windows_has_the_same_locks(windows, tmp_path):
    first = take_lock(tmp_path / "lock")
    assert first is not None and take_lock(tmp_path / "lock") is None
    release_lock(first)
    folder = take_lock(tmp_path)
    assert folder is not None and (tmp_path / IN_FOLDER).is_file() and take_lock(tmp_path) is None
    release_lock(folder)


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="the stand-in for Windows looks at open files in /proc")
def test_on_windows_a_second_app_is_refused_the_workspace(windows, tmp_path, capsys):
    workspace = Workspace(tmp_path / "w")
    with pytest.raises(InputError, match="open in another vein2vein app"):
        Workspace(tmp_path / "w")
    assert main(["app", "--no-browser", "--workspace", str(tmp_path / "w")]) == 2
    assert "open in another vein2vein app" in capsys.readouterr().err
    workspace.close()
    Workspace(tmp_path / "w").close()
