"""Tables of lesions and criteria of response that cannot be: what is said, and which row is named."""

import numpy as np
import pytest

from vein2vein.clinic.response.visits import Lesion, respond_visits
from vein2vein.errors import InputError
from vein2vein.therapy.course import Course

CHART = Course(np.array([3]), np.array([0.0, 28.0]), {"deauville": np.array([[5.0, 5.0]])})
NODE = Lesion(3, 0.0, "A", "node", 3.0, 2.0, where_from="lesions.csv:2")
FAULTS = [
    ((Lesion(3, 0.0, "A", "nod", 3.0, 2.0, where_from="lesions.csv:2"),),
     "lesions.csv:2: unknown site of a lesion 'nod'; did you mean node or extranodal?"),
    ((Lesion(3, 28.0, "A", "node", 2.0, 3.0, where_from="lesions.csv:2"),),
     "lesions.csv:2: lesion A on day 28: found a shortest diameter of 3 cm above the longest, 2 cm; exchange them."),
    ((Lesion(3, 2.5, "A", "node", 3.0, 2.0, where_from="lesions.csv:2"),),
     "lesions.csv:2: lesion A is dated day 2.5, which is no day of this record; add a row of that day."),
    ((NODE, Lesion(3, 0.0, "A", "node", 3.0, 2.0, where_from="lesions.csv:3")),
     "lesions.csv:3: two sizes of lesion A of patient 3 on day 0; keep one."),
    ((Lesion(3, 0.0, "A", "nod", 3.0, 2.0),), "unknown site of a lesion 'nod'; did you mean node or extranodal?"),
    ((NODE, Lesion(3, 0.0, "A", "node", 3.0, 2.0)), "two sizes of lesion A of patient 3 on day 0; keep one."),
    ((Lesion(3, 28.0, "A", "node", 2.0, 3.0),),
     "lesion A on day 28: found a shortest diameter of 3 cm above the longest, 2 cm; exchange them."),
    ((Lesion(3, 2.5, "A", "node", 3.0, 2.0),),
     "lesion A is dated day 2.5, which is no day of this record; add a row of that day."),
]  # fmt: skip


@pytest.mark.parametrize(("lesions", "said"), FAULTS, ids=[said for _, said in FAULTS])
def test_a_lesion_that_cannot_be_is_refused_with_its_row(lesions, said):
    with pytest.raises(InputError) as caught:
        respond_visits(CHART, "lugano", lesions)
    assert str(caught.value) == said


def test_unknown_criteria_and_editions_are_answered_with_the_nearest():
    with pytest.raises(InputError, match=r"^unknown criteria of response 'lugan'; did you mean lugano"):
        respond_visits(CHART, "lugan")
    with pytest.raises(InputError, match=r"^unknown edition of the criteria 'lugano' 'response_lugano'; did you mean"):
        respond_visits(CHART, "lugano", edition_name="response_lugano")


def test_a_round_lesion_and_the_same_name_on_another_day_or_patient_are_right():
    two = Course(np.array([3, 4]), CHART.days, {"spleen_length": np.full((2, 2), 12.0)})
    sizes = {3: (3.0, 2.0), 4: (3.0, 3.0)}
    lesions = [
        Lesion(who, day, "A", "node", size, size) for who, both in sizes.items() for day, size in zip((0.0, 28.0), both)
    ]
    found = respond_visits(two, "lugano", lesions)
    assert found.reasons[0, 1] == ("sum of products down 56 %",) and found.reasons[1, 1] == (
        "sum of products down 0 %",
    )
    assert found.best.tolist() == ["PR", "SD"]


@pytest.mark.parametrize(("score", "best"), [([5.0, 2.0], "CR"), ([5.0, np.nan], "NE"), ([np.nan, 2.0], "NE")])
def test_a_visit_needs_a_baseline_and_a_value(score, best):
    found = respond_visits(Course(np.array([3]), CHART.days, {"deauville": np.array([score])}), "lugano")
    assert found.best.tolist() == [best]


def test_progression_at_the_first_visit_is_the_best_there_was():
    chart = Course(
        np.array([3]), CHART.days, {"deauville": np.array([[4.0, 5.0]]), "new_lesion": np.array([[0.0, 1.0]])}
    )
    found = respond_visits(chart, "lugano")
    assert (found.best[0], found.progression_day[0], found.relapse_day[0]) == ("PD", 28.0, np.inf)
