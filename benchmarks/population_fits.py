"""How long population fits take, in seconds of the processor: SAEM with errors and likelihood, FOCEI with covariance.

    python benchmarks/population_fits.py [DATA] [--only theo,stein,...]

DATA is the folder of the standard data sets (nlme_benchmarks); without it those of Stein's model alone are fitted,
which are simulated. Each fit runs once with ten iterations, to warm the caches of compiled code, then once in full.
"""

import os

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[name] = "1"

import argparse  # noqa: E402
import importlib.util  # noqa: E402
import sys  # noqa: E402
import time  # noqa: E402
from dataclasses import replace  # noqa: E402
from pathlib import Path  # noqa: E402

from vein2vein.inference.population.fit import fit  # noqa: E402
from vein2vein.inference.population.problem import (  # noqa: E402
    EndpointModel,
    FitParameter,
    FitProblem,
    Omega,
    Settings,
)
from vein2vein.io.study.columns import Columns, TimeColumn  # noqa: E402
from vein2vein.io.study.read import read_study  # noqa: E402
from vein2vein.models.catalogue import find_model  # noqa: E402
from vein2vein.models.model import Input, Model, State  # noqa: E402

ROOT = Path(__file__).resolve().parents[1]
WARM = Settings(exploring=10, averaging=10, draws=100, importance=100)


def replicates():
    """The script that simulates studies of Stein's model."""
    spec = importlib.util.spec_from_file_location("fit_replicates", ROOT / "qualification" / "fit_replicates.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules["fit_replicates"] = module
    spec.loader.exec_module(module)
    return module


def wide(values, omega=1.0):
    """Log-normal parameters that start with a large spread."""
    return {name: FitParameter(value, omega=omega) for name, value in values.items()}


def warfarin():
    """Warfarin and its effect: four states."""

    def equations(t, x, p, u):
        level = x.center / p.V
        return {
            "depot": -p.ktr * x.depot, "gut": p.ktr * x.depot - p.ka * x.gut,
            "center": p.ka * x.gut - p.CL / p.V * x.center,
            "pca": p.kout * p.E0 * (1 - p.Emax * level / (p.EC50 + level)) - p.kout * x.pca,
        }  # fmt: skip

    return Model(
        name="warfarin", title="Warfarin", source="none", inputs=[Input("dose", "", "mg")],
        states=[State(n, n, "1", scale=1e-2) for n in ("depot", "gut", "center", "pca")],
        parameters=["ktr", "ka", "CL", "V", "Emax", "EC50", "kout", "E0"], equations=equations,
        initial=lambda p: {"pca": p.E0}, apply_dose=lambda name, amount, x, p: {"depot": x.depot + amount},
        observables=lambda t, x, p, u: {"cp": x.center / p.V}, time_unit="h",
    )  # fmt: skip


def cases(data):
    """(name, problem) of what is measured."""
    script = replicates()
    stein = script.stein_problem(script.stein_study(1), replace(script.LENGTHS["stein"], importance=4000))
    yield "stein, closed form, saem", stein
    yield "stein, equations, saem", replace(stein, settings=replace(stein.settings, solver="equations"))
    if data is None:
        return
    hours = Columns(time=TimeColumn(unit="h"))
    read = {name: read_study(data / f"{name}.csv", columns=hours) for name in
            ("theo_sd", "Oral_1CPT", "pheno_sd", "warfarin")}  # fmt: skip
    oral, iv = find_model("one_compartment_oral"), find_model("one_compartment_iv")
    theo = FitProblem(oral, read["theo_sd"], wide({"ka": 1.5, "CL": 2.7, "V": 31.0}), {"cp": EndpointModel()})
    for method in ("saem", "focei", "laplace"):
        yield f"theophylline, {method}", replace(theo, method=method)
    pheno = FitProblem(iv, read["pheno_sd"], wide({"CL": 0.01, "V": 1.0}), {"cp": EndpointModel(start={"a": 3.0})},
                       Omega(full=True))  # fmt: skip
    for method in ("saem", "focei"):
        yield f"phenobarbital, {method}", replace(pheno, method=method)
    many = FitProblem(oral, read["Oral_1CPT"], wide({"ka": 1.0, "CL": 4.0, "V": 70.0}),
                      {"cp": EndpointModel(error="proportional")})  # fmt: skip
    for method in ("saem", "focei"):
        yield f"Oral_1CPT, 6,947 rows, {method}", replace(many, method=method)
    start = wide({"ktr": 1.0, "ka": 1.0, "CL": 0.1, "V": 8.0, "EC50": 1.0, "kout": 0.05, "E0": 100.0})
    start["Emax"] = FitParameter(0.9, law="logitnormal", omega=1.0)
    ends = {"cp": EndpointModel(error="combined2", start={"a": 1.0, "b": 0.3}), "pca": EndpointModel(start={"a": 10.0})}
    yield (
        "warfarin, equations, saem",
        FitProblem(warfarin(), read["warfarin"], start, ends, settings=Settings(exploring=250, averaging=150)),
    )


def main():
    """Fit each case and tell what it took."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("data", nargs="?", type=Path)
    parser.add_argument("--only", default="", help="beginnings of names, with commas")
    asked = parser.parse_args()
    wanted = tuple(part for part in asked.only.split(",") if part)
    print(f"{'':36}{'CPU s':>8}{'clock':>8}{'predictions':>13}{'-2LL':>12}")
    for name, problem in cases(asked.data):
        if wanted and not name.lower().startswith(tuple(w.lower() for w in wanted)):
            continue
        fit(replace(problem, settings=replace(WARM, iterations=2, solver=problem.settings.solver)))
        began = time.perf_counter()
        found = fit(problem)
        clock = time.perf_counter() - began
        print(f"{name:36}{found.seconds:>8.2f}{clock:>8.2f}{found.evaluations:>13,}{found.minus_two_ll:>12.2f}"
              f"  {found.verdict[0][:40]}", flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
