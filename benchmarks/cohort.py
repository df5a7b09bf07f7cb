"""How long the ward list of a cohort takes, reading included: 400 patients, 200,000 rows.

Run: python benchmarks/cohort.py [--patients N] [--rows N] [--out] [--keep FOLDER]
"""

import argparse
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np

HEADER = "patient,time,analyte,value,unit\n"
ROUNDS = (0.0, 4.0, 8.0, 12.0, 16.0, 20.0)  # hours of the day at which signs are charted
DAYS = 14


def patient(random, number, rows):
    """The rows of one patient: signs minutes apart, a laboratory sheet a day, drugs, a pump."""
    zero = datetime(2026, 1, 5, 10, 0) + timedelta(days=int(random.integers(0, 300)), minutes=int(random.integers(600)))
    sick = random.uniform(0, 2)
    born = f"{random.integers(1935, 2015)}-{random.integers(1, 13):02}-{random.integers(1, 28):02}"
    found = [("", "birth_date", born, ""), ("", "weight", f"{random.uniform(15, 110):.1f}", "kg")]
    at = zero.strftime("%Y-%m-%d %H:%M")
    found.append((at, "car_t_infusion", "2e8", "cells"))

    def when(day, hour, minute=0.0):
        moment = datetime(zero.year, zero.month, zero.day) + timedelta(days=day, hours=hour, minutes=int(minute))
        return moment.strftime("%Y-%m-%d %H:%M")

    day = -5
    while len(found) < rows:
        storm = sick * np.exp(-0.5 * ((day - 4) / 2.5) ** 2)
        labs = when(day, 5, random.integers(0, 50))
        found += [
            (labs, "crp", f"{10 + 80 * storm:.0f}", "mg/L"), (labs, "ferritin", f"{500 * np.exp(storm):.0f}", "ug/L"),
            (labs, "neutrophils", f"{max(0.05, 2 - 0.3 * day):.2f}", "10^9/L"),
            (labs, "platelets", f"{max(12, 150 - 9 * day):.0f}", "10^9/L"),
            (labs, "hemoglobin", f"{random.normal(9, 0.6):.1f}", "g/dL"),
            (labs, "creatinine", f"{random.normal(0.9, 0.1):.2f}", "mg/dL"),
            (labs, "ldh", f"{250 + 200 * storm:.0f}", "U/L"),
        ]  # fmt: skip
        for hour in ROUNDS:
            minute = random.integers(0, 40)
            found += [
                (when(day, hour, minute), "temperature", f"{36.7 + 1.2 * storm + random.normal(0, 0.3):.1f}", "degC"),
                (when(day, hour, minute), "systolic_bp", f"{118 - 14 * storm + random.normal(0, 8):.0f}", "mmHg"),
                (when(day, hour, minute + 1), "spo2", f"{min(100, 97 - 2 * storm + random.normal(0, 1)):.0f}", "%"),
                (when(day, hour, minute + 1), "oxygen_device", "nasal cannula" if storm > 1.2 else "room air", ""),
            ]  # fmt: skip
            if hour in (8.0, 20.0):
                found += [(when(day, hour, minute + 3), "ice", str(int(np.clip(10 - 3 * storm, 0, 10))), "")]
        if storm > 1.5:
            found += [(when(day, 9), "tocilizumab", "480", "mg"), (when(day, 10), "norepinephrine", "6", "ug/min")]
            found += [(when(day, 19), "norepinephrine", "0", "ug/min"), (when(day, 11), "dexamethasone", "10", "mg")]
        day += 1
    return [f"MRN-{number:05},{','.join(row)}\n" for row in found[:rows]]


def write(folder, patients, rows):
    """The cohort as one long file; the rows of its patients lie mixed by ward, as an export gives them."""
    random = np.random.default_rng(4)
    path = folder / "cohort.csv"
    with open(path, "w", encoding="utf-8") as stream:
        stream.write(HEADER)
        for number in random.permutation(patients):
            stream.writelines(patient(random, int(number), rows))
    return path


def main():
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--patients", type=int, default=400)
    options.add_argument("--rows", type=int, default=500)
    options.add_argument("--keep", type=Path)
    options.add_argument("--out", action="store_true")
    asked = options.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = asked.keep or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        path = write(folder, asked.patients, asked.rows)
        command = [sys.executable, "-m", "vein2vein", "monitor", str(path), "--quiet"]
        if asked.out:
            command += ["--out", str(Path(scratch) / "ward")]
        begun = time.perf_counter()
        done = subprocess.run(command, cwd=scratch, capture_output=True, text=True, check=False)
        taken = time.perf_counter() - begun
        if done.returncode:
            sys.exit(done.stderr)
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    processor = used.ru_utime + used.ru_stime
    print(
        f"{asked.patients} patients, {asked.patients * asked.rows:,} rows{', with pages' if asked.out else ''}: "
        f"{taken:.1f} s, {1000 * taken / asked.patients:.0f} ms a patient; {processor:.1f} s of one core "
        f"({os.cpu_count()} cores, {platform.processor() or platform.machine()}, load {os.getloadavg()[0]:.1f})"
    )


if __name__ == "__main__":
    main()
