"""For how long a charted sign holds. Times are hours after 20:00 of day 3; each row is one chart and its last grade."""

import numpy as np
import pytest

from vein2vein.clinic.criteria import edition
from vein2vein.clinic.grades.crs import grade_crs
from vein2vein.clinic.grades.grades import because
from vein2vein.clinic.grades.held import span
from vein2vein.clinic.grades.icans import grade_icans
from vein2vein.therapy.course import Course

NOTHING = np.nan
MINUTE = 1 / 60


def course(*rows, unread=(), above=(), below=(), lasting=()):
    """Rows of (hours, analyte, value); marks are (hours, analyte)."""
    times = sorted({row[0] for row in (*rows, *unread)})
    names = {row[1] for row in (*rows, *unread)}
    values = {name: np.full((1, len(times)), NOTHING) for name in names}
    for hours, name, value in rows:
        values[name][0, times.index(hours)] = value

    def marks(cells):
        found = {}
        for hours, name in cells:
            found.setdefault(name, np.zeros((1, len(times)), dtype=bool))[0, times.index(hours)] = True
        return found

    return Course(
        np.array([0]), 3 + 20 / 24 + np.array(times) / 24, values, marks(below), "measured", {}, marks(above),
        marks(unread), marks(lasting),
    )  # fmt: skip


def crs(made, age=54, scale="astct"):
    found = grade_crs(made, age=np.array([age]), scale=scale)
    return int(found.grade[0, -1]), int(found.at_least[0, -1])


def icans(made, age=54):
    found = grade_icans(made, age=np.array([age]))
    return int(found.grade[0, -1]), int(found.at_least[0, -1])


def settled(grade):
    return grade, grade


def at_least(grade):
    return -1, grade


FEVER, WELL = (0, "temperature", 39.2), (0, "temperature", 36.8)
AIR = (0, "oxygen_device", 0)


@pytest.mark.parametrize(
    ("rows", "found"),
    [
        # signs minutes or hours apart are read together
        ([FEVER, (MINUTE, "systolic_bp", 78), (MINUTE, "oxygen_device", 0), (MINUTE, "norepinephrine", 8)], settled(3)),
        ([(0, "norepinephrine", 8), (1, "temperature", 39.2), (1, "systolic_bp", 95), (1, "oxygen_device", 0)],
         settled(3)),
        ([FEVER, AIR, (8.4, "systolic_bp", 80), (8.4, "oxygen_device", 0)], settled(2)),
        # a fever does not hold for longer than vital signs are apart
        ([FEVER, AIR, (8.6, "systolic_bp", 80), (8.6, "oxygen_device", 0)], at_least(0)),
        # a normal reading settles two hours
        ([FEVER, AIR, (0, "systolic_bp", 118), (1.9, "temperature", 39)], settled(1)),
        ([FEVER, AIR, (0, "systolic_bp", 118), (2.1, "temperature", 39)], at_least(1)),
        # ... and nothing once another sign has worsened since, but for the same round at the bed
        ([WELL, AIR, (0.2, "systolic_bp", 78), (0.2, "norepinephrine", 8)], settled(0)),
        ([WELL, AIR, (0.5, "systolic_bp", 78), (0.5, "norepinephrine", 8)], at_least(0)),
        ([(0, "systolic_bp", 118), AIR, (1, "temperature", 39)], at_least(1)),
        # a newer reading of the same sign holds
        ([FEVER, AIR, (0, "systolic_bp", 80), (1, "systolic_bp", 110), (1, "temperature", 38.5)], settled(1)),
        # the settings of a device that was changed do not hold for the new one
        ([FEVER, (0, "systolic_bp", 110), (0, "oxygen_device", 2), (0, "oxygen_flow", 10), (1, "systolic_bp", 110),
          (1, "oxygen_device", 1), (1, "oxygen_flow", 2)], settled(2)),
        ([FEVER, (0, "systolic_bp", 110), (0, "oxygen_device", 2), (0, "oxygen_flow", 10), (1, "systolic_bp", 110),
          (1, "oxygen_device", 0)], settled(1)),
        # a pump that is not charted again: it holds for 12 hours, then it is neither stopped nor running
        ([(0, "norepinephrine", 8), (12.4, "temperature", 39), (12.4, "systolic_bp", 110), (12.4, "oxygen_device", 0)],
         settled(3)),
        ([(0, "norepinephrine", 8), (14, "temperature", 39), (14, "systolic_bp", 110), (14, "oxygen_device", 0)],
         at_least(1)),
        ([(0, "norepinephrine", 8), (5, "norepinephrine", 0), (14, "temperature", 39), (14, "systolic_bp", 110),
          (14, "oxygen_device", 0)], settled(1)),
        ([(0, "norepinephrine", 8), (73, "temperature", 39), (73, "systolic_bp", 110), (73, "oxygen_device", 0)],
         settled(1)),
        # vasopressors and vasopressin by any name
        ([FEVER, AIR, (0, "metaraminol", 2)], settled(3)),
        ([FEVER, AIR, (0, "metaraminol", 2), (0, "norepinephrine", 5)], settled(4)),
        ([FEVER, AIR, (0, "terlipressin", 1)], settled(3)),
        ([FEVER, AIR, (0, "terlipressin", 1), (0, "norepinephrine", 5)], settled(3)),
    ],
)  # fmt: skip
def test_signs_of_cytokine_release_hold(rows, found):
    assert crs(course(*rows)) == found


@pytest.mark.parametrize(
    ("rows", "marks", "found"),
    [
        # what was not understood is unknown, not absent
        ([FEVER, AIR, (0, "systolic_bp", 110)], {"unread": [(0, "norepinephrine")]}, at_least(1)),
        ([FEVER, (0, "systolic_bp", 110), (0, "spo2", 97)], {"unread": [(0, "oxygen_device")]}, at_least(1)),
        ([FEVER, AIR], {"unread": [(0, "systolic_bp")]}, at_least(1)),
        ([AIR, (0, "systolic_bp", 85)], {"unread": [(0, "temperature")]}, at_least(0)),
        ([FEVER, AIR, (0, "systolic_bp", 110), (10, "temperature", 39), (10, "systolic_bp", 110),
          (10, "oxygen_device", 0)], {"unread": [(0, "vasopressin")]}, at_least(1)),
        ([FEVER, AIR, (0, "systolic_bp", 110)], {"unread": [(0, "fluid_boluses")]}, at_least(1)),
        ([FEVER, AIR, (0, "systolic_bp", 110), (0, "fluid_boluses", 1), (2, "temperature", 39), (2, "systolic_bp", 110),
          (2, "oxygen_device", 0)], {"unread": [(2, "fluid_boluses")]}, at_least(1)),
        # the newest word governs: what was not understood takes the place of an older reading
        ([FEVER, AIR, (0, "systolic_bp", 110), (1, "systolic_bp", 110), (1, "oxygen_device", 0)],
         {"unread": [(1, "temperature")]}, at_least(0)),
        # an amount that is not known runs all the same
        ([FEVER, AIR, (0, "systolic_bp", 110), (0, "norepinephrine", 0)], {"above": [(0, "norepinephrine")]},
         settled(3)),
        # bounds
        ([(0, "temperature", 38), AIR, (0, "systolic_bp", 110)], {"above": [(0, "temperature")]}, settled(1)),
        ([(0, "temperature", 37), AIR, (0, "systolic_bp", 110)], {"above": [(0, "temperature")]}, at_least(0)),
        ([(0, "temperature", 38), AIR, (0, "systolic_bp", 110)], {"below": [(0, "temperature")]}, settled(0)),
        ([FEVER, AIR, (0, "systolic_bp", 90)], {"below": [(0, "systolic_bp")]}, settled(2)),
        ([FEVER, AIR, (0, "systolic_bp", 120)], {"below": [(0, "systolic_bp")]}, at_least(1)),
        ([FEVER, (0, "oxygen_device", 1), (0, "oxygen_flow", 6), (0, "systolic_bp", 110)],
         {"above": [(0, "oxygen_flow")]}, settled(3)),
        ([FEVER, (0, "oxygen_device", 1), (0, "oxygen_flow", 2), (0, "systolic_bp", 110)],
         {"above": [(0, "oxygen_device")]}, at_least(2)),
        # a period runs until the next value
        ([FEVER, AIR, (0, "norepinephrine", 8), (30, "temperature", 39), (30, "systolic_bp", 110),
          (30, "oxygen_device", 0)], {"lasting": [(0, "norepinephrine")]}, settled(3)),
    ],
)  # fmt: skip
def test_what_is_not_understood_is_unknown(rows, marks, found):
    assert crs(course(*rows, **marks)) == found


AWAKE, CLEAR = (0, "arousal", 0), (0, "ice", 10)


@pytest.mark.parametrize(
    ("rows", "marks", "age", "found"),
    [
        ([CLEAR, AWAKE, (12.4, "arousal", 0)], {}, 54, settled(0)),
        ([CLEAR, AWAKE, (12.6, "arousal", 0)], {}, 54, at_least(0)),
        ([(0, "ice", 5), AWAKE, (12.4, "arousal", 0)], {}, 54, settled(2)),
        ([CLEAR, AWAKE, (5, "seizure", 1)], {}, 54, at_least(3)),
        ([CLEAR, AWAKE, (5, "arousal", 2)], {}, 54, at_least(2)),
        ([(0, "seizure", 1), (12.4, "ice", 10), (12.4, "arousal", 0)], {}, 54, settled(3)),
        ([(0, "seizure", 1), (12.6, "ice", 10), (12.6, "arousal", 0)], {}, 54, settled(0)),
        ([(0, "motor_weakness", 1), (24.4, "ice", 10), (24.4, "arousal", 0)], {}, 54, settled(4)),
        ([(0, "motor_weakness", 1), (24.6, "ice", 10), (24.6, "arousal", 0)], {}, 54, at_least(0)),
        ([CLEAR, AWAKE], {"unread": [(0, "seizure")]}, 54, at_least(0)),
        ([CLEAR, AWAKE], {"unread": [(0, "motor_weakness")]}, 54, at_least(0)),
        ([CLEAR, AWAKE], {"unread": [(0, "cerebral_edema")]}, 54, at_least(0)),
        ([AWAKE], {"unread": [(0, "ice")]}, 54, at_least(0)),
        ([CLEAR], {"unread": [(0, "arousal")]}, 54, at_least(0)),
        ([CLEAR, AWAKE, (0, "raised_pressure", 1)], {}, 54, settled(4)),
        ([(0, "ice", 8), AWAKE, (0, "papilledema", 2)], {}, 54, settled(4)),
        ([CLEAR, AWAKE, (0, "papilledema", 0)], {}, 54, settled(0)),
        ([CLEAR, (0, "arousal", 3)], {"above": [(0, "arousal")]}, 54, at_least(3)),
        ([(0, "ice", 9), AWAKE], {"below": [(0, "ice")]}, 54, at_least(1)),
        # "awakens spontaneously": a healthy patient does too
        ([CLEAR, (0, "arousal", 1)], {}, 54, settled(0)),
        ([(0, "ice", 8), (0, "arousal", 1)], {}, 54, settled(1)),
        ([(0, "arousal", 1)], {}, 54, at_least(0)),
        ([(0, "capd", 4), (0, "arousal", 1)], {}, 6, settled(1)),
        # ICE is the wrong scale at nine years
        ([CLEAR, AWAKE], {}, 9, at_least(0)),
    ],
)  # fmt: skip
def test_signs_of_neurotoxicity_hold(rows, marks, age, found):
    assert icans(course(*rows, **marks), age) == found


def test_signs_that_go_on_after_the_fever_are_not_settled_unless_nothing_was_given():
    sick = [FEVER, AIR, (0, "systolic_bp", 100), (0, "norepinephrine", 6)]
    later = [(2, "temperature", 37.5), (2, "systolic_bp", 104), (2, "oxygen_device", 0), (2, "norepinephrine", 6)]
    assert crs(course(*sick, *later)) == at_least(0)
    assert crs(course(*sick, (1, "antipyretic", 1), *later)) == settled(3)
    assert crs(course(*sick, (1, "antipyretic", 0), *later)) == settled(0)
    over = [(4, "temperature", 37), (4, "systolic_bp", 110), (4, "oxygen_device", 0), (4, "norepinephrine", 0)]
    again = [(8, "temperature", 37), (8, "systolic_bp", 80), (8, "oxygen_device", 0)]
    assert crs(course(*sick, *later, *over)) == settled(0)
    assert crs(course(*sick, *later, *over, *again)) == settled(0)  # all had gone, and no fever came back


def test_a_row_without_signs_neither_ends_nor_begins_an_episode():
    sick = [
        FEVER,
        AIR,
        (0, "systolic_bp", 85),
        (6, "temperature", 37),
        (6, "systolic_bp", 110),
        (6, "oxygen_device", 0),
    ]
    later = [(16, "temperature", 37), (16, "systolic_bp", 85), (16, "oxygen_device", 0)]
    drug = [(1, "tocilizumab", 560)]
    assert crs(course(*sick, *drug, *later)) == settled(2)
    for hours in (0.5, 3, 8, 15.9):
        made = course(*sick, *drug, *later, (hours, "crp", 120))
        assert crs(made) == settled(2)
        alone = grade_crs(made, age=np.array([54])).grade[0, np.argmin(np.abs(made.days - 3 - (20 + hours) / 24))]
        assert alone == -1  # the row itself says nothing of the syndrome


@pytest.mark.parametrize("hours", [1, 5])
def test_a_duration_is_not_cut_by_a_laboratory_row(hours):
    """Penn grades vasopressors for a day; a row between two chartings of the pump is not a stop."""
    rows = [(6 * i, name, value) for i in range(6) for name, value in
            (("temperature", 39), ("systolic_bp", 80), ("oxygen_device", 0), ("norepinephrine", 3))]  # fmt: skip
    for scale in ("penn", "cartox", "mahadeo"):
        assert crs(course(*rows), scale=scale) == crs(course(*rows, (hours, "crp", 120)), scale=scale)


def test_a_sick_hour_without_its_temperature_is_suspect_and_a_round_that_settles_it_is_not():
    well = [WELL, AIR, (0, "systolic_bp", 118)]
    low = [(5, "systolic_bp", 78), (5, "oxygen_device", 0)]
    again = [(9, "temperature", 36.8), (9, "systolic_bp", 118), (9, "oxygen_device", 0)]
    alone = grade_crs(course(*well, *low, *again), age=np.array([54]))
    assert alone.suspect[0].tolist() == [False, True, False] and alone.grade[0].tolist() == [0, -1, 0]
    whole = grade_crs(course(*well, *low, (5.1, "temperature", 36.8), *again), age=np.array([54]))
    assert not whole.suspect.any()


def test_the_reason_is_the_row_that_holds():
    made = course(FEVER, AIR, (1, "systolic_bp", 80), (1, "oxygen_device", 0))
    found = grade_crs(made, age=np.array([54]))
    rows = because(found, made, 0, made.days[-1])
    assert [(row.analyte, row.value) for row in rows] == [("systolic_bp", 80)]
    fever = because(grade_crs(course(FEVER, AIR, (1, "oxygen_device", 0)), age=np.array([54])), made, 0, made.days[-1])
    assert [(row.analyte, row.value) for row in fever] == [("temperature", 39.2)]


@pytest.mark.parametrize(("day", "said"), [(13.9, ""), (15.2, "after day 14"), (31, "after day 30")])
def test_a_late_first_fever_asks_for_another_cause(day, said):
    signs = (("temperature", 39.0), ("systolic_bp", 110.0), ("oxygen_device", 0.0))
    charted = {name: np.array([[value]]) for name, value in signs}
    late = Course(np.array([0]), np.array([day]), charted, origin="measured")
    flags = [text for text in grade_crs(late, age=np.array([54])).flags if "late onset" in text]
    assert bool(flags) == bool(said) and all(said in text for text in flags)


def test_an_infection_charted_near_the_first_fever_asks_for_another_cause():
    made = course((-40, "infection", 1), FEVER, AIR, (0, "systolic_bp", 110))
    assert any("other cause" in text for text in grade_crs(made, age=np.array([54])).flags)
    early = course((-100, "infection", 1), FEVER, AIR, (0, "systolic_bp", 110))
    assert not any("other cause" in text for text in grade_crs(early, age=np.array([54])).flags)


def test_a_laboratory_value_that_was_not_understood_leaves_its_organ_open():
    rows = [FEVER, AIR, (0, "systolic_bp", 110)]
    assert crs(course(*rows), scale="lee2014") == settled(1)
    assert crs(course(*rows, unread=[(-3, "creatinine")]), scale="lee2014") == at_least(1)
    assert crs(course(*rows, (-1, "creatinine", 0.8), unread=[(-3, "creatinine")]), scale="lee2014") == settled(1)


def test_every_sign_of_a_list_has_its_span():
    lists = edition("held_signs").lists
    for kind in ("vital", "oxygen", "pump", "examined", "seen", "stays"):
        for name in lists[kind]:
            assert span(name).raises > 0, name
    assert span("ferritin") == (0, 0, 0)
