"""Quick answers: a newer question of a slot stops the older one, others wait their turn, a stuck process is ended."""

import os
import signal
import threading
import time

import pytest

from vein2vein.errors import InputError
from vein2vein.web.quick import Defect, Overdue, Quick, Superseded


@pytest.fixture(scope="module")
def quick():
    made = Quick()
    made.ask("warm", "trying_door:drawn", None)
    yield made
    made.close()


def asked(quick, slot, seconds, found, dose=1.0):
    def ask():
        try:
            found[slot, seconds] = quick.ask(slot, "trying_door:drawn", {"dose": dose, "seconds": seconds})
        except Exception as problem:
            found[slot, seconds] = type(problem)

    thread = threading.Thread(target=ask)
    thread.start()
    return thread


def test_an_answer_is_plain_data_and_a_refusal_keeps_its_place(quick):
    found = quick.ask("a", "trying_door:drawn", {"dose": 2.0, "seconds": 0})
    assert found["curves"][0]["y"] == [0.2, 2.0, 20.0, 10.0] and found["origin"] == "virtual"
    with pytest.raises(InputError, match="found 9") as problem:
        quick.ask("a", "trying_door:drawn", {"dose": 9, "seconds": 0})
    assert problem.value.field == "dose"
    with pytest.raises(Defect, match="KeyError"):
        quick.ask("a", "trying_door:drawn", {"seconds": 0})


def test_a_newer_question_of_a_slot_stops_the_older_one(quick):
    found = {}
    old = asked(quick, "slider", 30, found)
    time.sleep(0.3)
    begun = time.monotonic()
    assert quick.ask("slider", "trying_door:drawn", {"dose": 3.0, "seconds": 0})["curves"]
    old.join()
    assert found == {("slider", 30): Superseded} and time.monotonic() - begun < 10


def test_of_questions_that_wait_only_the_newest_is_answered(quick):
    found = {}
    other = asked(quick, "other", 1, found)
    time.sleep(0.2)
    threads = []
    for seconds in (0.011, 0.012, 0.013):
        threads.append(asked(quick, "slider", seconds, found))
        time.sleep(0.05)
    for one in (other, *threads):
        one.join()
    assert isinstance(found["other", 1], dict), "another slot is not stopped"
    assert found["slider", 0.011] is found["slider", 0.012] is Superseded and isinstance(found["slider", 0.013], dict)
    assert not quick._newest


def test_what_takes_too_long_is_ended_and_the_next_one_is_answered():
    stuck = Quick(longest=0.5, first=0.0)
    try:
        stuck.longest = 30
        stuck.ask("warm", "trying_door:drawn", None)
        stuck.longest = 0.3
        with pytest.raises(Overdue, match=r"within 0.3 seconds; ask for less, or start it as a job"):
            stuck.ask("a", "trying_door:drawn", {"dose": 1.0, "seconds": 30})
        stuck.longest = 30
        assert stuck.ask("a", "trying_door:drawn", {"dose": 1.0, "seconds": 0})
        found = {}
        thread = asked(stuck, "b", 20, found)
        time.sleep(0.3)
        os.kill(stuck._process.pid, signal.SIGKILL)
        thread.join()
        assert found == {("b", 20): Overdue}
        stuck.idle = 1000.0
        stuck.ask("warm", "trying_door:drawn", None)
        stuck.rest()
        assert stuck._process is not None
        stuck.idle = -1.0
        stuck.rest()
        assert stuck._process is None
    finally:
        stuck.close()


def test_the_first_answer_of_a_process_may_take_longer():
    slow = Quick(longest=0.2, first=600.0)
    try:
        slow.ask("warm", "trying_door:drawn", None)
        assert slow.ask("a", "trying_door:drawn", {"dose": 1.0, "seconds": 0.6}), "it loads and compiles"
        with pytest.raises(Overdue, match=r"within 0.2 seconds"):
            slow.ask("a", "trying_door:drawn", {"dose": 1.0, "seconds": 30})
    finally:
        slow.close()


def test_a_slider_asks_through_the_page(fresh):
    sent = {"x-change-mark": fresh.keys.change, "hx-request": "true"}
    answer = fresh.client.post("/trying/draw", data={"dose": "4", "slot": "s"}, headers=sent)
    assert (
        answer.status_code == 200
        and "4 e6/kg" in answer.text
        and '"drawn"' in answer.text
        and "<html" not in answer.text
    )
    beyond = fresh.client.post("/trying/draw", data={"dose": "11", "slot": "s"}, headers=sent)
    assert beyond.status_code == 422 and "expected a number from 0 to 10 e6/kg" in beyond.text
    refused = fresh.client.post(
        "/trying/draw", data={"dose": "9", "slot": "s"}, headers={**sent, "accept": "application/json"}
    )
    assert refused.json()["error"]["sentence"] == "found 9, expected another dose."
    told = fresh.client.post(
        "/trying/draw", data={"dose": "5", "slot": "s"}, headers={**sent, "accept": "application/json"}
    )
    assert told.json()["data"]["dose"] == 5
