"""Theophylline side by side with nlme of R (Lindstrom and Bates): values and seconds of the processor.

apt-get install -y r-base-core r-cran-nlme
python benchmarks/peer_nlme.py ../shared/data/nlme_benchmarks/theo_sd.csv
"""

import os

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[name] = "1"

import json  # noqa: E402
import shutil  # noqa: E402
import subprocess  # noqa: E402
import sys  # noqa: E402
from dataclasses import replace  # noqa: E402

from vein2vein.inference.population.fit import fit  # noqa: E402
from vein2vein.inference.population.problem import EndpointModel, FitParameter, FitProblem, Settings  # noqa: E402
from vein2vein.io.study.columns import Columns, TimeColumn  # noqa: E402
from vein2vein.io.study.read import read_study  # noqa: E402
from vein2vein.models.catalogue import find_model  # noqa: E402

ROWS = (
    "ka",
    "V",
    "CL",
    "omega ka",
    "omega V",
    "omega CL",
    "a",
    "-2LL",
    "SE log ka",
    "SE log V",
    "SE log CL",
    "seconds",
)
SCRIPT = """
library(nlme)
d <- read.csv(commandArgs(TRUE)[1])
doses <- d[d$EVID != 0, c("ID", "AMT")]
d <- merge(d[d$EVID == 0, c("ID", "TIME", "DV")], doses)
curve <- function(Dose, t, lka, lV, lCL) {
  k <- exp(lCL - lV); ka <- exp(lka)
  Dose * ka / (exp(lV) * (ka - k)) * (exp(-k * t) - exp(-ka * t))
}
begun <- proc.time()
m <- nlme(DV ~ curve(AMT, TIME, lka, lV, lCL), data = d, fixed = lka + lV + lCL ~ 1,
          random = pdDiag(lka + lV + lCL ~ 1), groups = ~ ID,
          start = c(lka = log(1.5), lV = log(31), lCL = log(2.7)), method = "ML")
took <- sum((proc.time() - begun)[c(1, 2)])
b <- fixef(m); s <- as.numeric(VarCorr(m)[, "StdDev"]); e <- sqrt(diag(vcov(m)))
cat(sprintf("[%s]", paste(format(c(exp(b), s, -2 * as.numeric(logLik(m)), e, took), digits = 8), collapse = ", ")))
"""


def ours(path, method):
    """The same by vein2vein."""
    study = read_study(path, columns=Columns(time=TimeColumn(unit="h")))
    problem = FitProblem(
        find_model("one_compartment_oral"), study,
        {"ka": FitParameter(1.5, omega=1.0), "CL": FitParameter(2.7, omega=1.0), "V": FitParameter(31.0, omega=1.0)},
        {study.endpoints[0].name: EndpointModel()}, method=method,
    )  # fmt: skip
    fit(replace(problem, settings=Settings(exploring=10, averaging=10, draws=100, iterations=2)))  # caches
    found = fit(problem)
    names = ("ka", "V", "CL")
    by = {one.name: one for one in found.estimates}
    return [
        *(by[n].estimate for n in names), *(by[f"omega_{n}"].estimate for n in names), found.sigma[0, 0],
        found.minus_two_ll,
        *(by[n].se / by[n].estimate for n in names), found.seconds,
    ]  # fmt: skip


def main(path):
    """Print the table."""
    if shutil.which("Rscript") is None:
        raise SystemExit("Rscript is not there: apt-get install -y r-base-core r-cran-nlme")
    done = subprocess.run(["Rscript", "-e", SCRIPT, path], capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"nlme failed: {done.stderr.strip()}")
    columns = {"nlme": json.loads(done.stdout), "SAEM": ours(path, "saem"), "FOCEI": ours(path, "focei")}
    print(f"{'':<12}" + "".join(f"{name:>12}" for name in columns))
    for i, row in enumerate(ROWS):
        print(f"{row:<12}" + "".join(f"{values[i]:>12.4f}" for values in columns.values()))


if __name__ == "__main__":
    main(*sys.argv[1:2])
