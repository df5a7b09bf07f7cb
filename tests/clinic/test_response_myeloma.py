"""Response of myeloma in courses of whole-body numbers: hand-made patients, one verdict each."""

import numpy as np

from vein2vein.clinic.response.myeloma import respond_myeloma
from vein2vein.therapy.course import Course

DAYS = np.array([0, 28, 56, 84, 112.0])
# serum protein (g/L), light chain (mg/L), marrow plasma cells (%), residual disease on the days above
PATIENTS = {
    "sCR": ([30, 10, 1, 0.3, 0.3], [300, 40, 9, 5, 5], [40, 5, 1, 0, 0], [0.4, 1e-3, 1e-5, 1e-6, 1e-6]),
    "CR": ([30, 10, 1, 0.3, 0.3], [300, 40, 30, 30, 30], [40, 5, 2, 2, 2], [0.4, 1e-2, 1e-3, 1e-3, 1e-3]),
    "VGPR": ([30, 10, 2.9, 2.9, 2.9], [300] * 5, [40, 20, 20, 20, 20], [0.4] * 5),
    "PR": ([30, 15, 14, 14, 14], [300] * 5, [40, 20, 20, 20, 20], [0.4] * 5),
    "SD": ([30, 28, 29, 28, 29], [300] * 5, [40, 40, 40, 40, 40], [0.4] * 5),
    "PD": ([30, 40, 45, 50, 60], [300] * 5, [40, 60, 70, 80, 90], [0.4] * 5),
    "light chain": ([0.3] * 5, [400, 100, 15, 15, 15], [40, 5, 1, 1, 1], [0.4, 1e-2, 1e-5, 1e-5, 1e-5]),
}
NAMES = ("m_protein", "free_light_chain", "marrow_plasma_cells", "mrd")


def course(patients, days=DAYS):
    values = {name: np.array([rows[i] for rows in patients], dtype=float) for i, name in enumerate(NAMES)}
    return Course(np.arange(len(patients)), days, values)


def test_each_patient_gets_the_verdict_of_the_criteria():
    found = respond_myeloma(course(list(PATIENTS.values())))
    assert found.best.tolist() == ["sCR", "CR", "VGPR", "PR", "SD", "PD", "sCR"]
    assert found.response_day.tolist() == [28, 28, 28, 28, np.inf, np.inf, 28]
    assert found.mrd_negative.tolist() == [True, False, False, False, False, False, False]
    assert found.progression_day.tolist() == [np.inf] * 5 + [28, np.inf]


def test_progression_is_a_rise_of_a_quarter_and_of_five_grams_from_the_nadir():
    small = ([30, 2, 2, 6, 6], [300] * 5, [40, 5, 5, 5, 5], [0.4] * 5)  # threefold, but 4 g/L
    large = ([30, 2, 2, 7, 7], [300] * 5, [40, 5, 5, 5, 5], [0.4] * 5)
    high = ([80, 60, 60, 69, 70], [300] * 5, [40, 40, 40, 40, 40], [0.4] * 5)  # from a high nadir 15 g/L are needed
    higher = ([80, 60, 60, 74, 76], [300] * 5, [40, 40, 40, 40, 40], [0.4] * 5)
    marrow = ([30, 2, 2, 2, 2], [300] * 5, [40, 5, 5, 15, 15], [0.4] * 5)
    found = respond_myeloma(course([small, large, high, higher, marrow]))
    assert found.progression_day.tolist() == [np.inf, 84, np.inf, 112, 84]
    assert found.relapse_day.tolist() == [np.inf, 84, np.inf, np.inf, 84]


def test_without_a_visit_nothing_is_evaluable():
    found = respond_myeloma(course([PATIENTS["PR"]]), visits=[0])
    assert found.best.tolist() == ["NE"] and found.response_day.tolist() == [np.inf]
