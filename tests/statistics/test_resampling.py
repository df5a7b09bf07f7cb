"""Drawing trials from members: whom luck picks, with and without replacement."""

import numpy as np
import pytest

from vein2vein.errors import InputError
from vein2vein.statistics.resampling import sample

MEMBERS = np.array([3, 7, 9, 20])


def lucky(numbers):
    """Luck as it is written, and what was asked of it."""
    asked = []

    def luck(count):
        asked.append(count)
        return np.array(numbers, float)[:, :count]

    return luck, asked


def test_with_replacement_each_number_picks_one_member():
    luck, asked = lucky([[0.0, 0.24, 0.25, 0.5, 0.76, 0.999]])
    assert sample(MEMBERS, 6, luck).tolist() == [[3, 3, 7, 9, 20, 20]]
    assert asked == [6]


def test_without_replacement_the_luckiest_members_are_drawn_once():
    luck, asked = lucky([[0.9, 0.1, 0.5, 0.3], [0.1, 0.2, 0.3, 0.4]])
    assert sample(MEMBERS, 2, luck, again=False).tolist() == [[7, 20], [3, 7]]
    assert asked == [4]
    assert sorted(sample(MEMBERS, 4, luck, again=False)[0]) == MEMBERS.tolist()  # all of them still once


def test_more_than_there_are_can_only_be_drawn_with_replacement():
    luck, asked = lucky([[0.0, 0.2, 0.4, 0.6, 0.8]])
    assert sample(MEMBERS, 5, luck, again=False).tolist() == [[3, 3, 7, 9, 20]]
    assert asked == [5]


@pytest.mark.parametrize("members", [np.array([], int), np.array([[1, 2]]), np.array(3)])
def test_nobody_to_draw_from_is_refused(members):
    with pytest.raises(InputError, match="at least one member") as caught:
        sample(members, 2, lambda count: np.zeros((1, count)))
    assert caught.value.field == "members"


@pytest.mark.parametrize("size", [0, -1])
def test_a_trial_of_nobody_is_refused(size):
    with pytest.raises(InputError, match=f"found {size}, expected 1 or more") as caught:
        sample(MEMBERS, size, lambda count: np.zeros((1, count)))
    assert caught.value.field == "size"
