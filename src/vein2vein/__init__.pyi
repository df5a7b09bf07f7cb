# The public names with their types, for editors and type checkers; a test holds them equal to __init__.py.
# ruff: noqa: I001

from vein2vein.analytes import analyte as analyte
from vein2vein.clinic.grades.crs import grade_crs as grade_crs
from vein2vein.clinic.grades.grades import Grades as Grades
from vein2vein.clinic.grades.icans import grade_icans as grade_icans
from vein2vein.clinic.care.management import read_policy as read_policy, treat as treat
from vein2vein.clinic.grades.monitoring import grade as grade
from vein2vein.clinic.response.outcome import Outcome as Outcome, time_to_event as time_to_event
from vein2vein.engine.dose_records import Dose as Dose, Reset as Reset
from vein2vein.engine.method.events import Event as Event
from vein2vein.engine.method.summaries import Summary as Summary
from vein2vein.engine.prepare import prepare as prepare
from vein2vein.engine.solve import solve as solve
from vein2vein.engine.tangents.adjoint import gradient as gradient
from vein2vein.engine.tangents.jax_bridge import differentiable as differentiable
from vein2vein.engine.tangents.sensitivity import sensitivities as sensitivities
from vein2vein.errors import InputError as InputError
from vein2vein.inference.calibration.calibrate import calibrate as calibrate
from vein2vein.inference.noncompartmental.explore import explore as explore
from vein2vein.inference.population.folder import write_fit as write_fit
from vein2vein.inference.population.problem import EndpointModel as EndpointModel
from vein2vein.inference.population.problem import FitParameter as FitParameter
from vein2vein.inference.population.problem import FitProblem as FitProblem
from vein2vein.io.study.read import read_study as read_study
from vein2vein.io.study.trial_data import write_nonmem as write_nonmem
from vein2vein.io.record.read import read_record as read_record
from vein2vein.io.record.write import write_record as write_record
from vein2vein.journey.chart import simulate as simulate
from vein2vein.journey.journey import Journey as Journey
from vein2vein.models.catalogue import find_model as find_model, find_parameters as find_parameters
from vein2vein.models.closed_form import Exponentials as Exponentials, SinceDose as SinceDose
from vein2vein.models.model import Input as Input, Model as Model, State as State
from vein2vein.parameters import Parameter as Parameter, ParameterSet as ParameterSet
from vein2vein.runs.store import read_table as read_table, write_trial as write_trial
from vein2vein.statistics.incidence import cumulative_incidence as cumulative_incidence
from vein2vein.statistics.log_rank import log_rank as log_rank
from vein2vein.statistics.survival import kaplan_meier as kaplan_meier
from vein2vein.trials.trial import (
    Trial as Trial,
    TrialResult as TrialResult,
    load_trial as load_trial,
    run_trial as run_trial,
)
from vein2vein.trials.virtual_patients import companions as companions, virtual_patients as virtual_patients
from vein2vein.ward.monitor import monitor as monitor
from vein2vein.report.fitted import Fit as Fit, fit as fit, read_fit as read_fit
from vein2vein.report.patient import write_patient_report as write_patient_report
from vein2vein.report.trial import write_trial_report as write_trial_report
from vein2vein.sources import source as source
from vein2vein.therapy.course import Course as Course, course_from_rows as course_from_rows
from vein2vein.therapy.disease import Disease as Disease, find_disease as find_disease
from vein2vein.therapy.kinetics import Kinetics as Kinetics, kinetics as kinetics
from vein2vein.therapy.patient import Patient as Patient, read_patient as read_patient
from vein2vein.therapy.product import Product as Product, find_product as find_product

__version__: str
