"""One way to write a file: whole or not at all, and never over what is not a file."""

import errno
import os
import socket
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from vein2vein import files
from vein2vein.errors import InputError

posix = pytest.mark.skipif(os.name != "posix", reason="devices, pipes and links of POSIX")


def listing(folder):
    return sorted(path.name for path in folder.iterdir())


def text_of(problem):
    """A refusal is one sentence, or two."""
    said = str(problem.value)
    assert "\n" not in said and said.endswith(".") and len(said) < 700
    return said


# ---------------------------------------------------------------- what is written


@pytest.mark.parametrize("durable", [False, True])
def test_a_file_is_written_and_nothing_is_left_beside_it(tmp_path, durable):
    assert files.write_text(tmp_path / "a.txt", "one\ntwo\r\nµ", durable=durable) == tmp_path / "a.txt"
    assert (tmp_path / "a.txt").read_bytes() == "one\ntwo\r\nµ".encode()
    files.write_bytes(tmp_path / "b.bin", b"\0\1", durable=durable)
    assert (tmp_path / "b.bin").read_bytes() == b"\0\1"
    assert listing(tmp_path) == ["a.txt", "b.bin"]


def test_a_stream_and_a_path_are_given_to_write_into(tmp_path):
    with files.open_text(tmp_path / "a.txt") as stream:
        print("line", file=stream)
        assert not (tmp_path / "a.txt").exists()
    with files.open_binary(tmp_path / "b.bin") as stream:
        stream.write(b"12")
    with files.scratch_path(tmp_path / "c.txt") as scratch:
        assert scratch.parent == tmp_path and not scratch.exists()
        scratch.write_text("3")
    assert [(tmp_path / name).read_text() for name in ("a.txt", "b.bin", "c.txt")] == ["line\n", "12", "3"]
    assert listing(tmp_path) == ["a.txt", "b.bin", "c.txt"]


@pytest.mark.parametrize("problem", [RuntimeError("no"), KeyboardInterrupt(), OSError(errno.ENOSPC, "No space left")])
def test_a_failure_on_the_way_leaves_what_was_there(tmp_path, problem):
    files.write_text(tmp_path / "a.txt", "old")
    with (
        pytest.raises((type(problem), InputError)) as met,
        files.open_text(tmp_path / "a.txt", force=True) as stream,
    ):
        stream.write("half")
        raise problem
    assert (tmp_path / "a.txt").read_text() == "old" and listing(tmp_path) == ["a.txt"]
    if isinstance(problem, OSError):
        assert met.value.errno == errno.ENOSPC and met.value.filename == str(tmp_path / "a.txt")
        assert text_of(met) == f"{tmp_path / 'a.txt'}: cannot be written (No space left); free some space, or choose " \
                               "another place."  # fmt: skip


def test_halves_of_surrogate_pairs_are_no_failure(tmp_path):
    files.write_text(tmp_path / "a.txt", "a\udce9b")
    assert (tmp_path / "a.txt").read_bytes() == b"a?b"


def test_the_checksum_is_that_of_the_content(tmp_path):
    path = files.write_bytes(tmp_path / "a", b"abc")
    known = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"  # FIPS 180-2, appendix B.1
    assert files.checksum(path) == files.checksum(b"abc") == known


@posix
def test_a_new_file_has_the_permissions_of_the_process_and_a_replaced_one_keeps_its_own(tmp_path):
    script = "import os, sys; os.umask(0o027); from vein2vein.files import write_text; write_text(sys.argv[1], 'x')"
    subprocess.run([sys.executable, "-c", script, str(tmp_path / "a")], check=True, timeout=120)
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o640
    (tmp_path / "a").chmod(0o600)
    files.write_text(tmp_path / "a", "y", force=True)
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o600


@posix
def test_writing_in_threads_leaves_the_umask_alone(tmp_path):
    before = os.umask(0o022)
    try:
        threads = [
            threading.Thread(target=lambda k=k: [files.write_text(tmp_path / f"{k}-{i}", "x") for i in range(50)])
            for k in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert os.umask(0o022) == 0o022
        assert {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()} == {0o644}
    finally:
        os.umask(before)


@posix
def test_of_a_file_with_two_names_only_the_one_given_changes(tmp_path):
    (tmp_path / "a").write_text("old")
    os.link(tmp_path / "a", tmp_path / "backup")
    files.write_text(tmp_path / "a", "new", force=True)
    assert (tmp_path / "a").read_text() == "new" and (tmp_path / "backup").read_text() == "old"


@posix
def test_a_process_that_is_killed_leaves_the_old_file_and_a_stray_that_is_known(tmp_path):
    (tmp_path / "a").write_text("old")
    script = (
        "import os, signal, sys\nfrom vein2vein.files import open_text\n"
        "with open_text(sys.argv[1], force=True) as stream:\n"
        "    stream.write('half'); stream.flush(); os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    subprocess.run([sys.executable, "-c", script, str(tmp_path / "a")], timeout=120)
    assert (tmp_path / "a").read_text() == "old"
    (tmp_path / "thesis.part").write_text("mine")
    (stray,) = files.strays(tmp_path)
    assert stray.read_text() == "half" and len(listing(tmp_path)) == 3


# ---------------------------------------------------------------- what is refused


def in_the_way(tmp_path, device):
    """What is no regular file: (name, path, what the refusal says)."""
    kinds = {}
    (tmp_path / "file").write_text("mine")
    (tmp_path / "folder").mkdir()
    kinds["folder"] = "is a folder"
    (tmp_path / "link").symlink_to(tmp_path / "file")
    (tmp_path / "dangling").symlink_to(tmp_path / "nothing")
    (tmp_path / "to_folder").symlink_to(tmp_path / "folder")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    kinds |= dict.fromkeys(("link", "dangling", "to_folder", "loop"), "is a symbolic link")
    os.mkfifo(tmp_path / "pipe")
    kinds["pipe"] = "is a pipe"
    there = os.getcwd()
    os.chdir(tmp_path)  # the name of a socket may be no longer than about 100 characters
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind("socket")
    os.chdir(there)
    kinds["socket"] = "is a socket"
    found = {name: (tmp_path / name, said) for name, said in kinds.items()}
    found["device"] = (device, "is a device")
    found["through a dangling link"] = (tmp_path / "dangling" / "a", "is a symbolic link to nothing")
    found["no folder"] = (tmp_path / "no" / "a", "does not exist")
    found["through a file"] = (tmp_path / "file" / "a", "a file stands where its folder should be")
    found["long"] = (tmp_path / ("x" * 5000), "too long")
    found["longer"] = (Path("x/" * 2500), "too long")
    found["newline"] = (tmp_path / "a\nb", "control character")
    found["escape"] = (tmp_path / "a\x1b[31m", "control character")
    found["zero"] = (tmp_path / "a\0b", "control character")
    found["no text"] = (tmp_path / os.fsdecode(b"a\xe9"), "no text")
    return found


@posix
@pytest.mark.parametrize("force", [False, True])
def test_what_is_no_regular_file_is_refused_and_left_as_it_is(tmp_path, device, force):
    for name, (path, said) in in_the_way(tmp_path, device).items():
        before = listing(tmp_path)
        for act in (
            lambda path=path: files.check_target(path, force=force),
            lambda path=path: files.write_text(path, "x", force=force),
        ):
            with pytest.raises(InputError) as met:
                act()
            assert said in text_of(met), name
        assert listing(tmp_path) == before
    assert (tmp_path / "file").read_text() == "mine"
    assert device.is_char_device()


def test_an_existing_file_is_replaced_on_request_only(tmp_path):
    (tmp_path / "a").write_text("old")
    with pytest.raises(InputError, match="exists already and is not overwritten") as met:
        files.write_text(tmp_path / "a", "new")
    assert "--force" in text_of(met) and (tmp_path / "a").read_text() == "old"
    files.write_text(tmp_path / "a", "new", force=True)
    assert (tmp_path / "a").read_text() == "new"


@posix
def test_a_write_protected_file_is_refused_even_to_root(tmp_path):
    (tmp_path / "a").write_text("old")
    (tmp_path / "a").chmod(0o444)
    with pytest.raises(InputError, match="write-protected"):
        files.write_text(tmp_path / "a", "new", force=True)


@posix
def test_a_folder_that_may_not_be_written_is_refused(tmp_path, monkeypatch):
    real = os.access
    monkeypatch.setattr(files.os, "access", lambda path, mode: real(path, mode) and Path(path) != tmp_path)
    for act in (lambda: files.write_text(tmp_path / "a", "x"), lambda: files.make_folder(tmp_path)):
        with pytest.raises(InputError, match="may not be written"):
            act()
    assert listing(tmp_path) == []


def test_a_target_that_becomes_something_else_while_it_is_written_is_not_replaced(tmp_path):
    for appears in (lambda path: path.mkdir(), lambda path: path.write_text("theirs")):
        path = tmp_path / f"a{len(listing(tmp_path))}"
        with pytest.raises(InputError), files.open_text(path) as stream:
            stream.write("x")
            appears(path)
        assert path.is_dir() or path.read_text() == "theirs"


@posix
def test_folders_are_made_and_refused(tmp_path, device):
    assert files.make_folder(tmp_path / "a" / "b").is_dir()
    (tmp_path / "other").symlink_to(tmp_path / "a")
    assert files.make_folder(tmp_path / "other" / "c").is_dir() and (tmp_path / "a" / "c").is_dir()
    for name, (path, _) in in_the_way(tmp_path, device).items():
        if name in ("no folder", "to_folder", "folder"):
            continue
        with pytest.raises(InputError) as met:
            files.make_folder(path)
        text_of(met)
