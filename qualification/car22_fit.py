"""A CD22 product in 40 patients with B-ALL: CAR+ cells in blood fitted with Stein's curve and a lag.

    python qualification/car22_fit.py ../shared/data/car22_nih_cd22 --out results

Writes the study as a CSV, fits it as fit.toml says (written beside it), and leaves the folder of the fit with its
report.
The model is a user's own file, car22_stein.py. Counts of 0 are below a limit that the data do not tell: LIMIT is
assumed,
and measured values below it count as below it, too. Persistence (FB, beta) and the fold of expansion are held at the
values of
Stein 2019, since weekly counts to day 28 do not tell them. The data stay where they are.
"""

from __future__ import annotations

import argparse
import csv
import sys
from collections.abc import Callable
from pathlib import Path

from vein2vein.files import make_folder, write_bytes, write_text

HERE = Path(__file__).resolve().parent
LIMIT = 0.5
"""cells/uL, assumed: the least counts that were measured lie between 0.04 and 0.8."""
MODEL, STUDY, PROBLEM = "car22_stein.py", "study.csv", "fit.toml"
TEXT = """\
[fit]
model = "car22_stein.py"
data = "study.csv"
seed = {seed}

[data]
time = {{ unit = "d" }}
endpoint.car_t_cells = {{ dvid = 1, unit = "cells/uL" }}

[parameters.Tlag]
start = 2
[parameters.Tmax]
start = 10
omega = 0.4
[parameters.Cmax]
start = 200
omega = 2
[parameters.alpha]
start = 0.3
omega = 0.7
[parameters.foldx]
fixed = 3900
[parameters.FB]
fixed = 0.0079
[parameters.beta]
fixed = 0.0032

[endpoints.car_t_cells]
scale = "log"
error = "constant"
start = {{ a = 1 }}
lloq = {limit}

[settings]
seeds = {seeds}
exploring = {exploring}
averaging = {averaging}
"""


def study_text(folder: Path) -> str:
    """The counts of CAR+ cells after the infusion, one infusion at day 0 for each patient."""
    with (folder / "subjects.csv").open(encoding="utf-8", newline="") as file:
        subjects = {row["id"]: row for row in csv.DictReader(file)}
    rows: list[str] = []
    with (folder / "observations.csv").open(encoding="utf-8", newline="") as file:
        seen = [row for row in csv.DictReader(file) if row["variable"] == "car_t_blood" and float(row["day"]) > 0]
    for name in dict.fromkeys(row["id"] for row in seen):
        about = subjects[name]
        told = f"{about['dose_level']},{'yes' if about['cr'] == '1.0' else 'no'}"
        rows.append(f"{name},0,.,1,1,0,1,{told}")
        for row in sorted((row for row in seen if row["id"] == name), key=lambda row: float(row["day"])):
            value = float(row["value"])
            below = value < LIMIT
            rows.append(f"{name},{float(row['day']):g},{LIMIT if below else value:.6g},.,0,{int(below)},1,{told}")
    return "\n".join(["ID,TIME,DV,AMT,EVID,CENS,DVID,DOSE_LEVEL,CR", *rows]) + "\n"


def main(arguments: list[str] | None = None, say: Callable[[str], object] = print) -> int:
    """Write the study, fit it, tell the verdict and the check."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path, help="subjects.csv and observations.csv")
    parser.add_argument("--out", type=Path, default=Path("results"))
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--exploring", type=int, default=400)
    parser.add_argument("--averaging", type=int, default=300)
    given = parser.parse_args(arguments)
    for name in ("subjects.csv", "observations.csv"):
        if not (given.folder / name).is_file():
            raise SystemExit(f"no {name} in {given.folder}")
    from vein2vein.inference.diagnostics.diagnosis import diagnose
    from vein2vein.report.figures_vpc import vpc_headline
    from vein2vein.report.fitted import fit

    place = make_folder(given.out)
    write_text(place / STUDY, study_text(given.folder), force=True)
    if (HERE / MODEL).resolve() != (place / MODEL).resolve():
        write_bytes(place / MODEL, (HERE / MODEL).read_bytes(), force=True)
    text = TEXT.format(
        limit=LIMIT, seed=given.seed, seeds=given.seeds, exploring=given.exploring, averaging=given.averaging
    )
    write_text(place / PROBLEM, text, force=True)
    found = fit(place / PROBLEM)
    for line in found.verdict:
        say(line)
    for one in found.estimates:
        if not one.fixed:
            say(
                f"{one.name:<16} {one.estimate:>9.4g} {one.unit:<9} SE {one.se:.3g}  95 % {one.low:.3g} to "
                f"{one.high:.3g}  {one.note}"
            )
    looked = diagnose(found)
    for panel in looked.vpc.panels:
        say(vpc_headline(panel))
    say(f"NPDE: {looked.npde.verdict}")
    for doubt in looked.identifiability.doubts:
        say(f"- {doubt.text}")
    say(f"{found.seconds:.1f} s of the processor; report: {found.write(place / 'fit', force=True)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
