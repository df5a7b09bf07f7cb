"""The reference data sets: small NONMEM-style cases with what is right of each, and the six benchmarks of the peers.

They lie outside this repository and are skipped where they are absent.
"""

import csv

import numpy as np
import pytest

from vein2vein.io.check import check_file
from vein2vein.io.study.columns import Columns, EndpointRows, TimeColumn
from vein2vein.io.study.read import read_study

RIGHT = {
    "n_evid4": ("NONMEM", "1 subject in 2 courses, 2 doses, 2 samples", ()),
    "n_mdv": ("NONMEM", "", ("line 3, DV", "without a value")),
    "n_nodose": ("NONMEM", "", ("no dose in the whole file",)),
    "n_blqabove": ("NONMEM", "", ("line 3, DV", "below the limit, and above it")),
    "n_bom": ("NONMEM", "1 dose, 1 sample", ()),
    "n_semi": ("NONMEM", "1 dose, 1 sample", ()),
    "n_std": ("NONMEM", "1 dose, 2 samples", ()),
    "n_monolix": ("Monolix", "2 samples, 1 of them below the limit", ()),
    "n_nlmixr": ("nlmixr", "1 dose, 1 sample", ()),
    "n_dup": ("NONMEM", "1 dose, 2 samples", ("line 4, DV", "ID 1")),
    "n_date": ("NONMEM", "1 dose, 1 sample", ()),
}


@pytest.mark.parametrize("name", RIGHT)
def test_small_cases(shared, name):
    program, use, told = RIGHT[name]
    report = check_file(shared / "cases" / "nonmem" / f"{name}.csv")
    assert report.kind == f"{program} data set" and report.fit == bool(use)
    assert not use or use in report.uses[0]
    assert len(report.problems) == bool(told) and all(word in str(report.problems[0]) for word in told)


@pytest.mark.parametrize(
    ("name", "subjects", "doses", "samples"),
    [
        ("theo_sd", 12, 12, 132),
        ("theo_md", 12, 84, 264),
        ("warfarin", 32, 32, 483),
        ("pheno_sd", 59, 589, 155),
        ("Oral_1CPT", 120, 960, 6947),
        ("wbcSim", 45, 52, 176),
    ],
)
def test_benchmarks(shared, name, subjects, doses, samples):
    study = read_study(shared / "data" / "nlme_benchmarks" / f"{name}.csv")
    assert study.fit and len(study.subjects) == len(study.subject) == subjects
    assert (len(study.doses), len(study.observations)) == (doses, samples)
    assert (np.diff(study.observations.course) >= 0).all() and not study.observations.censored.any()
    if name == "theo_sd":
        assert study.program == "nlmixr" and set(study.doses.target.tolist()) == {"1"}
        assert study.observations.value.sum() == pytest.approx(654.78) and study.covariates["WT"].constant[0] == 79.6
    if name == "warfarin":
        assert [one.name for one in study.endpoints] == ["cp", "pca"]
        assert np.bincount(study.observations.endpoint).tolist() == [251, 232]
        assert study.covariates["sex"].categories == ("female", "male") and len(study.doubts) == 4
        assert all("ID 9" in str(one) for one in study.doubts)
    if name == "Oral_1CPT":
        steady = study.doses.steady == 1
        assert steady.sum() == 120 and set(study.doses.interval[steady].tolist()) == {24.0}
        assert any("SS 99 without an interval is taken as a filler" in note for note in study.notes)
        assert study.covariates["LNDV"].constant is None and study.covariates["KA"].constant is not None
    if name == "wbcSim":
        assert study.doses.rate[0] == 137 and study.doses.amount[0] == pytest.approx(137 * 2.99270072992701)
    if name == "pheno_sd":
        assert study.doses.amount[:2].tolist() == [25, 3.5] and study.observations.value[0] == 17.3


def test_the_cells_of_forty_patients_after_cd22_car(shared, tmp_path):
    """The observations are no population data set (no dose, own names): converted by the rules written here.

    One row for each CAR-T count in blood (DVID 1, CENS 1 with the smallest count as limit where nothing was detected)
    and each interferon (DVID 2, the file's mark -1 is below, 1 above: turned into the polarity of Monolix); a dose of
    each patient on day 0 whose amount is the dose level.
    """
    folder = shared / "data" / "car22_nih_cd22"
    with open(folder / "subjects.csv", encoding="utf-8", newline="") as file:
        subjects = list(csv.DictReader(file))
    with open(folder / "observations.csv", encoding="utf-8", newline="") as file:
        observed = [row for row in csv.DictReader(file) if row["variable"] in ("car_t_blood", "ifng")]
    counts = [float(r["value"]) for r in observed if r["variable"] == "car_t_blood" and float(r["value"]) > 0]
    lines = ["ID,DAY,AMT,DV,EVID,CENS,DVID,RESPONSE"]
    for subject in subjects:
        own = subject["id"]
        rows = [(0.0, f"{own},0,{subject['dose_level']},.,1,.,.,{subject['response']}")]
        for row in (one for one in observed if one["id"] == own):
            cells, value = row["variable"] == "car_t_blood", float(row["value"])
            value = min(counts) if cells and value == 0 else value
            told = f"{value},0,{-int(row['censored'])},{1 if cells else 2},{subject['response']}"
            rows.append((float(row["day"]), f"{own},{row['day']},.,{told}"))
        lines += [line for _, line in sorted(rows, key=lambda one: one[0])]
    (tmp_path / "cd22.csv").write_text("\n".join(lines))
    study = read_study(tmp_path / "cd22.csv", columns=Columns(
        time=TimeColumn("DAY", "d"),
        endpoint={"car_t_cells": EndpointRows(dvid=1, unit="cells/uL"), "ifng": EndpointRows(dvid=2, unit="pg/mL")},
    ))  # fmt: skip
    assert [str(one) for one in study.findings] == [] and len(study.subjects) == 40 and len(study.doses) == 40
    seen = study.observations
    cells = seen.endpoint == 0
    assert cells.sum() == 125 and len(set(seen.course[cells].tolist())) == 36
    below = sum(r["censored"] == "-1" for r in observed if r["variable"] == "car_t_blood")
    assert (seen.censored[cells] == 1).sum() == below > 0 and (seen.censored[~cells] == -1).any()
    assert "CR_MRDneg" in study.covariates["RESPONSE"].categories
