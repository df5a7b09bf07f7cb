import os
import signal
import subprocess

import pytest

from vein2vein.report import beside
from vein2vein.report.beside import here, second_process
from vein2vein.report.figures import Picture
from vein2vein.report.trial import trial_page
from vein2vein.report.trial_figures import draw_trial


@pytest.fixture
def two_cores(monkeypatch):
    monkeypatch.setattr(beside, "cores", lambda: 2)


def test_another_process_does_what_it_is_asked(two_cores):
    with second_process() as ask:
        waiting = [ask(os.getpid), ask(sum, [1, 2, 3]), ask(Picture, "name", "title", caption="c", alt="a", svg="s")]
        found = [wait() for wait in waiting]
        assert found[0] != os.getpid()
        assert found[1:] == [6, Picture("name", "title", "c", "a", "s")]


def test_its_figures_are_those_of_this_process(two_cores, result, trial_text):
    with second_process() as ask:
        drawn = ask(draw_trial, result.trial, result.journey)
        assert trial_page(result, drawn) == trial_text
        assert drawn() == draw_trial(result.trial, result.journey)


def test_without_a_second_core_or_when_not_wanted_this_process_does_it(monkeypatch):
    with second_process(wanted=False) as ask:
        assert ask is here
        assert ask(os.getpid)() == os.getpid()
    monkeypatch.setattr(beside, "cores", lambda: 1)
    with second_process() as ask:
        assert ask(os.getpid)() == os.getpid()


@pytest.mark.parametrize("executable", ["", "/no/such/interpreter"])
def test_without_an_interpreter_this_process_does_it(two_cores, monkeypatch, executable):
    monkeypatch.setattr("sys.executable", executable)
    with second_process() as ask:
        assert ask(os.getpid)() == os.getpid()


def test_what_cannot_be_sent_or_fails_there_is_done_here(two_cores):
    mine = os.getpid()
    with second_process() as ask:
        waiting = [ask(int, "many"), ask(os.getpid), ask(lambda: mine), ask(os.getpid)]
        assert waiting[1]() != mine, "a failure there is no end"
        assert waiting[2]() == mine, "a function without a name cannot be sent"
        assert waiting[3]() == mine, "after half a message nothing more can be asked"


def test_a_fault_of_the_work_is_raised_here(two_cores):
    with second_process() as ask, pytest.raises(ValueError, match="invalid literal"):
        ask(int, "many")()


def test_a_process_that_dies_is_no_fault(two_cores):
    with second_process() as ask:
        other = ask(os.getpid)()
        assert other != os.getpid()
        os.kill(other, signal.SIGTERM)
        assert ask(os.getpid)() == os.getpid()


def test_the_process_ends_with_the_block(two_cores, monkeypatch):
    started, usual = [], subprocess.Popen

    def kept(*args, **kinds):
        started.append(usual(*args, **kinds))
        return started[-1]

    monkeypatch.setattr(subprocess, "Popen", kept)
    with pytest.raises(KeyboardInterrupt), second_process() as ask:
        ask(sum, [1] * 10)
        raise KeyboardInterrupt
    (process,) = started
    assert process.returncode is not None and process.stdin.closed and process.stdout.closed
