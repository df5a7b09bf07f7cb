"""How long grading takes: ASTCT CRS and ICANS of many patient-days on one core. Run: python benchmarks/grading.py"""

import os

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[name] = "1"

import time  # noqa: E402

import numpy as np  # noqa: E402

from vein2vein.clinic.grades.monitoring import grade  # noqa: E402
from vein2vein.therapy.course import Course  # noqa: E402

PATIENTS, DAYS, CHUNK = 25_000, 40, 2_500
CHANCE = {
    "oxygen_device": 0.1, "norepinephrine": 0.05, "fluid_boluses": 0.08, "tocilizumab": 0.03, "dexamethasone": 0.03,
}  # fmt: skip


def chart(random, n, k):
    """Charts with fever, low pressure, oxygen, treatment and confusion, a tenth of the cells unknown."""
    values = {
        "temperature": random.normal(37.8, 0.9, (n, k)),
        "systolic_bp": random.normal(105, 14, (n, k)),
        "spo2": random.normal(95, 3, (n, k)),
        "ice": np.round(np.clip(random.normal(9.5, 2, (n, k)), 0, 10)),
        "arousal": np.round(np.clip(random.normal(0, 0.8, (n, k)), 0, 4)),
    }
    for name, chance in CHANCE.items():
        values[name] = np.where(random.random((n, k)) < chance, np.round(random.uniform(1, 4, (n, k))), 0.0)
    hidden = {name: np.where(random.random((n, k)) < 0.1, np.nan, v) for name, v in values.items()}
    return Course(np.arange(n), np.arange(k, dtype=float), hidden, origin="measured")


def main():
    random = np.random.default_rng(1)
    charts = [chart(random, CHUNK, DAYS) for _ in range(PATIENTS // CHUNK)]
    age = np.full(CHUNK, 40.0)
    grade(charts[0], age=age, scales=("crs_astct", "icans"))
    begun = time.process_time()
    found = [grade(c, age=age, scales=("crs_astct", "icans")) for c in charts]
    taken = time.process_time() - begun
    graded = np.mean([(f["crs_astct"].grade >= 0).mean() for f in found])
    print(
        f"{PATIENTS * DAYS:,} patient-days, CRS (ASTCT) and ICANS: {taken:.2f} s of one core; "
        f"{graded:.0%} gradable for CRS"
    )


if __name__ == "__main__":
    main()
