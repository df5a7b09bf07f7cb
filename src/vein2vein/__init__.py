"""vein2vein follows a CAR T-cell treatment from the patient's blood and back.

Research software: not a medical device, not for decisions about patients. The names below are the public face; each is
loaded when it is first used, so that ``import vein2vein`` is quick. Their types stand in ``__init__.pyi``.
"""

from importlib import import_module as _import_module

__version__ = "0.1.0"

_HOME = {
    # the journey
    "simulate": "journey.chart",
    "Journey": "journey.journey",
    # therapy: who, what, and what was seen
    "Patient": "therapy.patient",
    "read_patient": "therapy.patient",
    "companions": "trials.virtual_patients",
    "virtual_patients": "trials.virtual_patients",
    "Product": "therapy.product",
    "find_product": "therapy.product",
    "Disease": "therapy.disease",
    "find_disease": "therapy.disease",
    "Course": "therapy.course",
    "course_from_rows": "therapy.course",
    "Kinetics": "therapy.kinetics",
    "kinetics": "therapy.kinetics",
    # clinic: grades, treatment, outcome
    "Grades": "clinic.grades.grades",
    "grade_crs": "clinic.grades.crs",
    "grade_icans": "clinic.grades.icans",
    "grade": "clinic.grades.monitoring",
    "read_policy": "clinic.care.management",
    "treat": "clinic.care.management",
    "Outcome": "clinic.response.outcome",
    "time_to_event": "clinic.response.outcome",
    # the ward: a record of a real patient
    "read_record": "io.record.read",
    "write_record": "io.record.write",
    "monitor": "ward.monitor",
    # a study's own data
    "read_study": "io.study.read",
    "explore": "inference.noncompartmental.explore",
    "fit": "report.fitted",
    "Fit": "report.fitted",
    "FitProblem": "inference.population.problem",
    "FitParameter": "inference.population.problem",
    "EndpointModel": "inference.population.problem",
    "write_fit": "inference.population.folder",
    "read_fit": "report.fitted",
    # models and engine
    "Model": "models.model",
    "State": "models.model",
    "Input": "models.model",
    "Exponentials": "models.closed_form",
    "SinceDose": "models.closed_form",
    "find_model": "models.catalogue",
    "find_parameters": "models.catalogue",
    "solve": "engine.solve",
    "prepare": "engine.prepare",
    "Dose": "engine.dose_records",
    "Reset": "engine.dose_records",
    "Event": "engine.method.events",
    "Summary": "engine.method.summaries",
    "sensitivities": "engine.tangents.sensitivity",
    "gradient": "engine.tangents.adjoint",
    "differentiable": "engine.tangents.jax_bridge",
    # trials
    "Trial": "trials.trial",
    "TrialResult": "trials.trial",
    "load_trial": "trials.trial",
    "run_trial": "trials.trial",
    "kaplan_meier": "statistics.survival",
    "cumulative_incidence": "statistics.incidence",
    "log_rank": "statistics.log_rank",
    "calibrate": "inference.calibration.calibrate",
    # results
    "write_trial": "runs.store",
    "read_table": "runs.store",
    "write_nonmem": "io.study.trial_data",
    "write_patient_report": "report.patient",
    "write_trial_report": "report.trial",
    # numbers and their sources
    "Parameter": "parameters",
    "ParameterSet": "parameters",
    "analyte": "analytes",
    "source": "sources",
    "InputError": "errors",
}

__all__ = ["__version__", *_HOME]  # pyright: ignore[reportUnsupportedDunderAll]


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module 'vein2vein' has no attribute '{name}'")
    value = getattr(_import_module(f"vein2vein.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
