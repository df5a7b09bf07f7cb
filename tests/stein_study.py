"""A small study of CAR transgene, made by Stein's closed form: two arms, a limit, drop-out; and a short fit of it."""

from pathlib import Path

import numpy as np

DAYS = np.array([1, 3, 5, 7, 10, 14, 21, 28, 60, 90, 180, 360.0])
TYPICAL = {"foldx": 3900.0, "Tmax": 9.3, "Cmax": 24000.0, "alpha": 0.16, "FB": 0.0079, "beta": 0.0032}
SPREAD = {"foldx": 1.0, "Tmax": 0.3, "Cmax": 0.6, "alpha": 0.5, "FB": 0.7, "beta": 0.3}
HIGH = 1.6  # logarithm of the ratio of Cmax between the arms
LIMIT = 50.0


def curve(p, t):
    """Copies/ug at days after the infusion."""
    rise = p["Cmax"] / p["foldx"] * np.exp(np.log(p["foldx"]) * np.minimum(t / p["Tmax"], 1))
    since = np.maximum(t - p["Tmax"], 0)
    return rise * ((1 - p["FB"]) * np.exp(-p["alpha"] * since) + p["FB"] * np.exp(-p["beta"] * since))


def write_csv(path, patients=24, seed=3):
    """Write the study as a NONMEM-style CSV."""
    rng = np.random.default_rng(seed)
    rows = ["ID,TIME,DV,AMT,EVID,CENS,DVID,WT,ARM"]
    for i in range(1, patients + 1):
        arm, weight = ("high", "low")[i % 2], 60 * np.exp(0.2 * rng.standard_normal())
        p = {k: v * np.exp(SPREAD[k] * rng.standard_normal()) for k, v in TYPICAL.items()}
        p["Cmax"] *= np.exp(HIGH) if arm == "high" else 1.0
        t = DAYS[rng.choice([60, 180, 360]) >= DAYS]
        y = curve(p, t) * np.exp(0.4 * rng.standard_normal(len(t)))
        rows.append(f"{i},0,.,1e8,1,0,1,{weight:.1f},{arm}")
        rows += [f"{i},{a:g},{max(b, LIMIT):.5g},.,0,{int(b < LIMIT)},1,{weight:.1f},{arm}" for a, b in zip(t, y)]
    Path(path).write_text("\n".join(rows) + "\n", encoding="utf-8")
    return path


def problem(path, **settings):
    """The problem of that study, with few iterations."""
    from vein2vein.inference.population.problem import EndpointModel, FitParameter, FitProblem, Settings
    from vein2vein.io.study.columns import Columns, EndpointRows, TimeColumn
    from vein2vein.io.study.read import read_study
    from vein2vein.models.catalogue import find_model

    columns = Columns(time=TimeColumn(unit="d"), endpoint={"transgene": EndpointRows(dvid=1, unit="copies/ug")})
    given = {"exploring": 60, "averaging": 40, "draws": 200, "importance": 600, **settings}
    return FitProblem(
        find_model("stein_2019"),
        read_study(path, columns=columns),
        {name: FitParameter(value, omega=0.6) for name, value in TYPICAL.items()},
        {"transgene": EndpointModel(scale="log", start={"a": 0.5})},
        settings=Settings(**given),
        columns=columns,
    )
