"""The workspace: everything on disk under ids, two people on one input, two apps on one folder, a full disk."""

import contextlib
import sqlite3
import threading

import pytest
from asked_app import opened

from vein2vein.cli.main import main
from vein2vein.errors import InputError
from vein2vein.files import WriteError
from vein2vein.web.jobs import table
from vein2vein.web.workspace import ROOM, Changed, Missing, Workspace, short_name


@pytest.fixture
def workspace(tmp_path):
    made = Workspace(tmp_path / "w")
    yield made
    made.close()


def test_what_was_put_in_is_found_again_by_its_id(workspace):
    first = workspace.add("trial", "Mine", "[trial]\n", ".toml")
    second = workspace.add("record", "Übung\n2", b"\xff", ".csv")
    assert workspace.find(first.id) == first and first.text() == "[trial]\n" and first.path.name == f"{first.id}.toml"
    assert second.name == "Übung 2" and second.path.read_bytes() == b"\xff"
    assert [one.id for one in workspace.listed()] == [second.id, first.id] and workspace.listed("trial") == [first]
    assert workspace.listed(most=1) == [second]
    again = Workspace.__new__(Workspace)
    assert (
        short_name("\x00 \n", "record") == "record" and len(short_name("x" * 500, "")) == 120 and again is not workspace
    )
    workspace.remove(first.id)
    assert not first.path.exists() and workspace.listed() == [second]
    second.path.unlink()
    assert workspace.listed() == []
    for key in (first.id, second.id, "../jobs.db", "", "' OR 1 --"):
        with pytest.raises(Missing, match="no such input"):
            workspace.find(key)
    with pytest.raises(ValueError, match="no kind of file"):
        workspace.add("x", "x", "", ".py")


def test_two_people_editing_one_trial(workspace):
    there = workspace.add("trial", "Ours", "a = 1\n", ".toml")
    mine = workspace.save(there.id, "a = 2\n", based_on=there.digest, name="Ours, changed")
    assert mine.name == "Ours, changed" and mine.text() == "a = 2\n" and mine.digest != there.digest
    with pytest.raises(Changed, match="'Ours, changed' was changed elsewhere"):
        workspace.save(there.id, "a = 3\n", based_on=there.digest)
    assert workspace.find(there.id).text() == "a = 2\n"
    there.path.write_text("a = 9\n")  # by hand
    with pytest.raises(Changed):
        workspace.save(there.id, "a = 3\n", based_on=mine.digest)
    opened_again = workspace.find(there.id)
    assert workspace.save(there.id, "a = 4\n", based_on=opened_again.digest).text() == "a = 4\n", "no dead end"


def test_of_many_who_save_at_once_one_wins(workspace):
    there, won = workspace.add("trial", "Ours", "a = 0\n", ".toml"), []

    def save(i):
        try:
            workspace.save(there.id, f"a = {i}\n", based_on=there.digest)
            won.append(i)
        except Changed:
            pass

    threads = [threading.Thread(target=save, args=(i,)) for i in range(1, 9)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert len(won) == 1 and workspace.find(there.id).text() == f"a = {won[0]}\n"


def test_a_second_app_on_the_same_folder_is_refused(workspace, tmp_path):
    with pytest.raises(InputError, match="is open in another vein2vein app"):
        Workspace(tmp_path / "w")
    workspace.close()
    Workspace(tmp_path / "w").close()


def test_a_full_disk_keeps_what_was_there(workspace, monkeypatch):
    there = workspace.add("trial", "Ours", "a = 1\n", ".toml")

    def full(*_args, **_more):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("vein2vein.files.os.replace", full)
    with pytest.raises(WriteError, match="No space left"):
        workspace.save(there.id, "a = 2\n", based_on=there.digest)
    with pytest.raises(WriteError):
        workspace.add("trial", "More", "a = 2\n", ".toml")
    monkeypatch.undo()
    assert (
        workspace.find(there.id) == there and there.text() == "a = 1\n" and len(list(workspace.inputs.iterdir())) == 1
    )


def test_a_workspace_that_cannot_be_written_is_told_at_the_start(tmp_path, monkeypatch):
    monkeypatch.setattr("vein2vein.web.workspace.sqlite3.connect", _no_database)
    with pytest.raises(InputError, match=r"cannot be written \(database or disk is full\); free some space"):
        Workspace(tmp_path / "w")
    monkeypatch.undo()
    Workspace(tmp_path / "w").close()  # and it is not held


def test_a_full_disk_is_told_on_the_page(tmp_path, monkeypatch):
    with opened(tmp_path / "w") as asked:
        monkeypatch.setattr(
            "vein2vein.files.os.replace", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device"))
        )
        answer = asked.change("/trying/save", {"dose": "2"})
        assert answer.status_code == 507 and "free some space" in answer.text
        monkeypatch.undo()
        monkeypatch.setattr("vein2vein.web.workspace.sqlite3.connect", _no_database)
        answer = asked.client.get("/jobs")
        assert answer.status_code == 507 and "database or disk is full" in answer.text
        monkeypatch.undo()


def test_where_only_the_table_finds_no_room_nothing_is_kept_by_half(workspace):
    there = workspace.add("trial", "Ours", "a = 1\n", ".toml")
    with workspace.database() as database:
        database.execute(
            "CREATE TRIGGER full BEFORE INSERT ON inputs BEGIN SELECT RAISE(ABORT, 'database or disk is full'); END"
        )
    for add in (lambda: workspace.add("t", "n", "b", ".toml"), lambda: workspace.add_folder("t", "n", {"a.csv": b"b"})):
        with pytest.raises(sqlite3.Error, match="is full"):
            add()
    assert [path.name for path in workspace.inputs.iterdir()] == [there.path.name], "no file that nobody finds"


def test_what_could_not_be_written_down_is_as_it_was(workspace, monkeypatch):
    there = workspace.add("trial", "Ours", "a = 1\n", ".toml")
    usual = Workspace.database

    @contextlib.contextmanager
    def full_at_the_end(self):
        with usual(self) as database:
            yield database
            raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(Workspace, "database", full_at_the_end)
    with pytest.raises(sqlite3.OperationalError, match="is full"):
        workspace.save(there.id, "a = 2\n", based_on=there.digest)
    monkeypatch.undo()
    assert workspace.find(there.id) == there and there.text() == "a = 1\n"


def test_pages_are_read_where_the_database_cannot_make_its_index_anew(workspace):
    with workspace.database() as database:
        database.execute("SELECT 1 FROM inputs").fetchone()
    assert (workspace.folder / "jobs.db-shm").exists(), "what a full disk has no room for is there all the time"
    workspace.close()
    assert not (workspace.folder / "jobs.db-shm").exists()


def test_what_is_written_down_after_making_room_needs_no_more_disk(workspace):
    def on_disk():
        return {name: (workspace.folder / name).stat().st_size for name in ("jobs.db", "jobs.db-wal", "jobs.db-shm")}

    before = on_disk()
    for _ in range(5):
        for i in range(8):
            table.note(workspace, f"job {i}", "x" * 200)
        workspace.make_room()
    assert on_disk() == before and before["jobs.db-wal"] >= ROOM


def _no_database(*_args, **_more):
    raise sqlite3.OperationalError("database or disk is full")


def test_the_command_line_opens_what_the_workspace_holds(workspace, capsys):
    from vein2vein.therapy.patient import example_patient_text

    there = workspace.add("patient", "Example", example_patient_text(), ".toml")
    assert main(["check", str(there.path)]) == 0
    assert "patient" in capsys.readouterr().out


def test_own_models_are_those_put_there_by_hand(workspace):
    assert workspace.own_models() == []
    (workspace.models / "mine.py").write_text("x = 1\n")
    assert [path.name for path in workspace.own_models()] == ["mine.py"]
