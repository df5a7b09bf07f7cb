"""Compiled code on disk: found again, rebuilt where damaged, done without where it cannot be written."""

import os

import numpy as np
import pytest

from vein2vein.engine.llvm import cache, machine, run_course


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv(cache.VARIABLE, str(tmp_path / "code"))
    return tmp_path / "code"


def compiled_and_rates(model, width=None):
    compiled = run_course._compile_rates(model, width or machine.natural_width())
    return compiled, run_course.rates(compiled, 0.0, np.array([[4.0]]), np.array([[0.5]]), np.zeros((1, 0)))


def test_code_is_found_again_and_computes_the_same(models, folder):
    first, a = compiled_and_rates(models["decay"])
    second, b = compiled_and_rates(models["decay"])
    assert (first.from_cache, second.from_cache) == (False, True)
    assert a == b == -2.0
    assert len(list(folder.iterdir())) == 1


def test_other_widths_and_equations_are_other_entries(models, make_model, folder):
    compiled_and_rates(models["decay"], 1)
    compiled_and_rates(models["decay"], 2)
    faster = make_model("decay", ["A"], ["k"], lambda t, x, p, u: {"A": -2 * p.k * x.A}, lambda p: {})
    assert compiled_and_rates(faster, 1)[1] == -4.0
    assert len(list(folder.iterdir())) == 3


@pytest.mark.parametrize(
    "damage", [lambda data: b"", lambda data: data[:-7], lambda data: data[:40] + b"?" + data[41:]]
)
def test_a_damaged_entry_is_rebuilt(models, folder, damage):
    compiled_and_rates(models["decay"])
    (entry,) = folder.iterdir()
    entry.write_bytes(damage(entry.read_bytes()))
    rebuilt, value = compiled_and_rates(models["decay"])
    assert not rebuilt.from_cache
    assert value == -2.0
    assert compiled_and_rates(models["decay"])[0].from_cache


def test_a_folder_that_cannot_be_written_is_done_without(models, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv(cache.VARIABLE, str(tmp_path / "file"))
    with pytest.warns(UserWarning, match="compiled code cannot be kept in .*file.*goes on without"):
        assert cache.write("x", b"code") is False
    assert cache.write("x", b"code") is False, "said once"
    compiled, value = compiled_and_rates(models["decay"])
    assert not compiled.from_cache
    assert value == -2.0


def test_no_temporary_file_is_left_behind(folder, monkeypatch):
    def refuse(source, target):
        raise PermissionError("no")

    monkeypatch.setattr(os, "replace", refuse)
    with pytest.warns(UserWarning, match="cannot be kept"):
        assert cache.write("x", b"code") is False
    assert list(folder.iterdir()) == []


def test_a_full_disk_is_a_sentence_and_the_run_goes_on(models, folder, monkeypatch):
    def full(source, target):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.warns(UserWarning, match="No space left on device"):
        _, value = compiled_and_rates(models["decay"])
    assert value == -2.0
