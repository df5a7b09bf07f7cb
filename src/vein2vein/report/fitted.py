"""Fitting from Python: v2v.fit gives a fit that draws its own figures and writes its own report."""

# pyright: reportMissingTypeStubs=false
from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vein2vein.arguments import choice, of_kind, refusal
from vein2vein.errors import InputError
from vein2vein.files import write_text
from vein2vein.inference.diagnostics.diagnosis import Diagnosis, diagnose
from vein2vein.inference.diagnostics.vpc import vpc
from vein2vein.inference.fitted_models.forecast import Forecast, Given, forecast
from vein2vein.inference.population import fitted, folder
from vein2vein.inference.population.fit import Progress
from vein2vein.inference.population.fit import fit as run_fit
from vein2vein.inference.population.fit_file import begin, read_fit_file
from vein2vein.inference.population.problem import METHODS, FitProblem
from vein2vein.records import described
from vein2vein.report.figures import Picture
from vein2vein.report.figures_fit import npde_figure, observed_figure, residuals_figure, traces_figure
from vein2vein.report.figures_forecast import forecast_figure
from vein2vein.report.figures_subjects import individuals_figure
from vein2vein.report.fit_files import REPORT, write_report
from vein2vein.report.fit_page import vpc_pictures

if TYPE_CHECKING:
    import pandas


@described
@dataclass(frozen=True)
class Fit(fitted.Fit):
    """A fit that draws its own figures: see ``vein2vein.fit``. A notebook shows the ``Picture`` that each gives."""

    def diagnose(self) -> Diagnosis:
        """Everything that is looked at when a fit is judged: predictions, NPDE, predictive check, identifiability."""
        return diagnose(self)

    def plot_vpc(self, *, studies: int = 500, corrected: bool = True) -> Picture:
        """The visual predictive check of the first endpoint."""
        return vpc_pictures(vpc(self, count=studies, corrected=corrected))[0]

    def plot_gof(self, kind: str = "observed") -> Picture:
        """Goodness of fit.

        Parameters
        ----------
        kind : {"observed", "iwres", "npde", "traces"}
            Observed against predicted; individual weighted residuals; prediction distribution errors; traces.
        """
        choice("kind", kind, ("observed", "iwres", "npde", "traces"))
        if kind == "npde":
            found = self.diagnose()
            return npde_figure(self, found.predictions, found.npde)
        if kind == "traces":
            drawn = traces_figure(self)
            if drawn is None:
                raise InputError(f"a fit by {self.method} has no traces; they are those of SAEM.")
            return drawn
        return (observed_figure if kind == "observed" else residuals_figure)(self, self.predict())

    def plot_individuals(self, subjects: Sequence[str] | None = None) -> Picture:
        """Curves of subjects (default: the first twenty) in the first endpoint, with their bands."""
        from vein2vein.inference.diagnostics.diagnosis import MOST_CURVES
        from vein2vein.inference.diagnostics.individual import individual_fits

        own = individual_fits(self, subjects or self.population.layout.subjects[:MOST_CURVES])
        name = next(iter(self.problem.endpoints))
        return individuals_figure(self, [one for one in own if one.endpoint == name], name)

    def simulate(
        self,
        doses: Sequence[tuple[float, float] | Given] = (),
        *,
        until: float | None = None,
        patients: int = 200,
        draws: int = 100,
        covariates: Mapping[str, float | str] | None = None,
        seed: int | None = None,
    ) -> Forecast:
        """New patients under given doses (time, amount): percentiles over time; see ``forecast``."""
        try:
            given = [one if isinstance(one, Given) else Given(*(float(x) for x in one)) for one in doses]
        except (TypeError, ValueError):
            raise refusal("doses", doses, "times and amounts such as [(0, 320), (24, 160)]") from None
        return forecast(self, given, until=until, patients=patients, draws=draws, covariates=covariates, seed=seed)

    def plot_simulation(self, found: Forecast) -> Picture:
        """The figure of what ``simulate`` gave."""
        return forecast_figure(self, of_kind("found", found, Forecast, "what Fit.simulate returns"))

    def to_pandas(self, table: str = "estimates") -> pandas.DataFrame:
        """A table as a data frame.

        Parameters
        ----------
        table : {"estimates", "individuals", "predictions"}

        Raises
        ------
        InputError
            pandas is not installed.
        """
        choice("table", table, ("estimates", "individuals", "predictions"))
        try:
            import pandas
        except ImportError:
            raise InputError(
                "data frames need pandas, which is not installed; pip install pandas, or take the records: "
                "fit.estimates."
            ) from None
        rows: list[Any] = [vars(one) for one in self.estimates]
        if table == "individuals":
            rows = [dict(row) for row in folder.individuals(self)]
        if table == "predictions":
            rows = [dict(row) for row in folder.prediction_rows(self, self.predict())]
        return pandas.DataFrame(rows)

    def write(self, place: str | Path, *, force: bool = False) -> Path:
        """Write the folder of the fit with its report, and return the report's path."""
        where = folder.write_fit(self, place, force=force)
        write_report(self, where, force=force)
        return where / REPORT


def fit(
    problem: FitProblem | str | Path,
    model: str | Path | None = None,
    *,
    method: str | None = None,
    seed: int | None = None,
    progress: Progress | None = None,
    keep: str | Path | None = None,
    jobs: int = 1,
) -> Fit:
    """Fit a population model to a study.

    Parameters
    ----------
    problem : FitProblem or path
        A problem, the path of a ``fit.toml``, or that of a data set beside ``model``.
    model : str or path, optional
        Bundled model or Python file for a data set; starts are then the model's own numbers.
    method : {"saem", "focei", "laplace"}, optional
    seed : int, optional
    progress : callable (Step), optional
        Is told after every iteration how far the fit is, with the newest values.
    keep : path, optional
        File that holds the state of the fit, from which it goes on to the same bits when it was interrupted.
    jobs : int
        Processes in which seeds run side by side.

    Returns
    -------
    Fit
        ``fit.verdict[0]`` says whether it converged; ``fit.estimates`` is the table, ``fit.plot_vpc()`` a figure,
        ``fit.write("folder")`` the report.

    Raises
    ------
    InputError
        What cannot be fitted, where, and how to mend it.
    """
    if not isinstance(problem, FitProblem):
        problem = _read(problem, model)
    elif model is not None:
        raise InputError("found a model beside a FitProblem, which has one; leave it out.", field="model")
    if method is not None:
        problem = replace(problem, method=choice("method", method, METHODS))
    if seed is not None:
        problem = replace(problem, seed=seed)
    return with_figures(run_fit(problem, progress=progress, keep=keep, jobs=jobs))


def with_figures(found: fitted.Fit) -> Fit:
    """A fit that was made or read, with its figures."""
    return Fit(**{one.name: getattr(found, one.name) for one in fields(fitted.Fit)})


def read_fit(place: str | Path) -> Fit:
    """Read the folder of a fit, with its figures."""
    return with_figures(folder.read_fit(place))


def _read(problem: str | Path, model: str | Path | None) -> FitProblem:
    """The problem of a file, or of a data set and a model."""
    import tempfile

    if model is None:
        return read_fit_file(problem)
    data = Path(problem)
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "fit.toml"
        write_text(path, begin(data.resolve(), model))
        return read_fit_file(path)
