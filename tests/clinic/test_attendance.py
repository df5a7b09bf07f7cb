"""Who was seen when: the visits due, and unscheduled ones at newly overt disease."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vein2vein.clinic.response.attendance import as_seen, attend
from vein2vein.therapy.course import Course

DAYS = np.array([0.0, 14, 28, 35, 42, 60, 90])
NAMES = {"leukemia": "circulating_blasts", "lymphoma": "metabolic_tumor_volume", "myeloma": "m_protein"}


def course(lineage, rows):
    values = {NAMES[lineage]: np.atleast_2d(np.asarray(rows, dtype=float))}
    return Course(np.arange(len(values[NAMES[lineage]])), DAYS, values)


def seen_on(lineage, row, due=(28.0, 90.0)):
    return DAYS[attend(course(lineage, row), np.array([due]), lineage)[0]].tolist()


@pytest.mark.parametrize(
    ("lineage", "row", "days"),
    [
        ("leukemia", [5, 0, 0, 0.09, 0.1, 3, 3], [28, 42, 90]),  # once, at the first day on which blasts show
        ("leukemia", [5, 0, 0, 0.09, 0.09, 0.09, 0.09], [28, 90]),
        ("leukemia", [5, 5, 5, 5, 5, 5, 5], [28, 90]),  # known since the first visit
        ("leukemia", [5, 0, 0, 1, 0, 1, 1], [28, 35, 90]),  # no new visit for what the last one showed
        ("lymphoma", [900, 50, 50, 99, 100, 200, 300], [28, 42, 90]),
        ("lymphoma", [900, 90, 90, 90, 150, 166, 300], [28, 60, 90]),  # large, but up from 90 by 84 % on day 60 only
        ("lymphoma", [900, 800, 700, 700, 700, 700, 700], [28, 90]),
        ("myeloma", [40, 10, 5, 5, 19, 20, 21], [28, 60, 90]),
        ("myeloma", [40, 38, 36, 36, 36, 36, 36], [28, 90]),
    ],
)
def test_newly_overt_disease_brings_a_patient_in_once(lineage, row, days):
    assert seen_on(lineage, row) == days


def test_nobody_is_seen_before_the_first_visit_nor_without_any():
    assert seen_on("leukemia", [5, 0, 3, 0, 3, 3, 3], due=(60.0,)) == [60]
    assert not attend(course("leukemia", [5, 0, 0, 1, 1, 1, 1]), np.empty((1, 0)), "leukemia").any()


@given(
    rows=st.lists(st.lists(st.sampled_from([0.0, 0.05, 0.2, 5.0]), min_size=7, max_size=7), min_size=1, max_size=4),
    lineage=st.sampled_from(sorted(NAMES)),
)
def test_every_visit_due_takes_place_and_patients_do_not_matter_to_each_other(rows, lineage):
    due = np.tile([28.0, 90.0], (len(rows), 1))
    together = attend(course(lineage, rows), due, lineage)
    assert together[:, [2, 6]].all() and not together[:, :2].any()
    for i, row in enumerate(rows):
        np.testing.assert_array_equal(attend(course(lineage, [row]), due[:1], lineage)[0], together[i])


def test_the_disease_is_as_measured_at_visits_and_before_the_infusion_and_counts_are_all_there():
    rows = np.arange(7.0)
    all_days = Course(np.arange(1), DAYS, {"marrow_blasts": rows[None], "platelets": rows[None]})
    seen = as_seen(all_days, np.array([[False, False, True, False, False, False, True]]))
    np.testing.assert_array_equal(seen.dense("marrow_blasts")[0], [0, np.nan, 2, np.nan, np.nan, np.nan, 6])
    np.testing.assert_array_equal(seen.dense("platelets")[0], rows)
