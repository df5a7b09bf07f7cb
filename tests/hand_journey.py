"""A journey of six patients written by hand, so that every endpoint has an answer one can count."""

from dataclasses import fields

import numpy as np

from vein2vein.clinic.care.eligibility import Eligibility
from vein2vein.clinic.grades.grades import Grades
from vein2vein.clinic.response.outcome import Outcome
from vein2vein.clinic.response.response import Response
from vein2vein.journey.journey import ArmFacts, Journey
from vein2vein.models.reference import model as reference
from vein2vein.records import axes
from vein2vein.therapy.conditioning import Conditioning
from vein2vein.therapy.course import Course
from vein2vein.therapy.disease import find_disease
from vein2vein.therapy.engineering import TransducedCells
from vein2vein.therapy.infusion import Infusion
from vein2vein.therapy.kinetics import Kinetics
from vein2vein.therapy.leukapheresis import Apheresis
from vein2vein.therapy.patient import Patient
from vein2vein.therapy.product import find_product
from vein2vein.therapy.release import Lot
from vein2vein.therapy.visits import Plan
from vein2vein.therapy.waiting import Waiting

NEVER = np.inf
DAYS = np.array([0, 1, 2, 3, 5, 8, 28, 56, 180, 365.0])


def blank(kind, count, **given):
    """A record of so many patients of whom nothing is known but what is given."""
    held = dict(given)
    for f in fields(kind):
        if f.name in held or axes(kind)[f.name] != "patient":
            continue
        text = str(f.type)
        if "tuple" in text:
            held[f.name] = ()
        elif "Mapping" in text:
            held[f.name] = {}
        elif "bool" in text or "Flags" in text:
            held[f.name] = np.zeros(count, bool)
        elif "str" in text:
            held[f.name] = np.full(count, "", dtype="U24")
        elif "int" in text:
            held[f.name] = np.zeros(count, np.int64)
        else:
            held[f.name] = np.full(count, np.nan)
    return kind(**held)


def facts(name="", product="tisagenlecleucel", disease="pediatric_b_all", **changed):
    """What is the same for all patients of an arm."""
    chosen, what = find_product(product), find_disease(disease)
    numbers = reference.parameters(patient=False).overlay(chosen.parameters).overlay(what.parameters)
    held = {
        "name": name, "product": chosen, "disease": what, "parameters": numbers, "analyte": "transgene",
        "response_edition": "by hand", "categories": ("NR", "CR"), "regimen": "none", "regimen_title": "none",
    }  # fmt: skip
    return ArmFacts(**{**held, **changed})


def graded(scale, grade):
    """Grades that are settled."""
    whole = grade.astype(np.int8)
    return Grades(scale, "by hand", DAYS, whole, whole)


def _table(rows, fill=np.nan):
    """Rows of {day: value} by patient; other cells filled."""
    table = np.full((6, DAYS.size), fill)
    for patient, cells in rows.items():
        for day, value in cells.items():
            table[patient, np.flatnonzero(day == DAYS)[0]] = value
    return table


def hand_journey():
    """0 CR, CRS 3, relapse positive; 1 CRi, CRS 4, relapse negative, dead; 2 CR, no CRS, transplanted; 3 NR, dead;
    4 never infused; 5 CR, CRS 1, in remission."""
    penn = _table({0: {1: 1, 2: 2, 3: 3, 5: 2}, 1: {2: 1, 3: 4, 5: 4, 8: 1}, 3: {5: 1}, 5: {0: 1, 1: 1, 3: -1}}, 0)
    neuro = _table({1: {3: 3, 5: 3, 8: 1}, 5: {8: 1}}, 0)
    neutropenia = _table({0: {8: 4, 28: 3}, 1: {28: -1, 8: 4}, 2: {28: 1}, 3: {28: 4}, 5: {28: 2, 56: 0}}, 0)
    platelets = _table({5: {28: 3, 56: 3}}, 0)
    aplasia = _table(
        {
            0: {28: 1, 56: 1, 180: 0, 365: 0}, 1: {28: 1, 56: 1, 180: 1}, 2: {28: 1, 56: 0, 180: 1, 365: 1},
            3: {28: 1}, 5: {28: 1, 56: 0, 180: 0, 365: 0},
        },
        -1,
    )  # fmt: skip
    penn[4] = neuro[4] = neutropenia[4] = platelets[4] = -1
    transgene = _table(
        {0: {1: 50, 8: 9000, 28: 800, 180: 60}, 1: {8: 30000, 28: 50}, 3: {8: 500}, 5: {8: 1000, 28: 100}}
    )
    below = np.zeros(transgene.shape, bool)
    below[0, 1] = below[1, 6] = True
    values = {
        "transgene": transgene,
        "temperature": _table(
            {0: {1: 38.7, 2: 39, 3: 39, 5: 37}, 1: {2: 38.2, 3: 40, 5: 40, 8: 38.6}, 3: {5: 38.0}, 5: {0: 38.6}}
        ),
        "neutrophils": _table({0: {2: 0.4}, 1: {3: 2.0}, 5: {0: 1.0}}),
        "fluid_boluses": _table({0: {2: 1}, 1: {2: 3}}, 0.0),
        "norepinephrine": _table({1: {3: 24, 5: 8}, 0: {3: 6}}, 0.0),
        "oxygen_device": _table({0: {3: 1}, 1: {3: 5, 5: 5, 8: 2}}, 0.0),
        "spo2": _table({0: {3: 91}, 1: {3: 85}}),
        "infection": _table({2: {28: 1}, 3: {8: 2}}, 0.0),
        "igg": _table({0: {28: 380}, 2: {28: 600}, 5: {28: 450}}),
        "ivig": _table({5: {28: 12}}),
        "tocilizumab": _table({0: {3: 300}, 1: {3: 500, 5: 500}}),
        "dexamethasone": _table({1: {5: 10, 8: 10}}),
        "mrd": _table({0: {28: 1e-3}, 1: {28: 1e-5}, 2: {28: 0}, 5: {28: 0}}),
    }
    nan = np.nan
    relapse = np.array([400, 200, NEVER, NEVER, NEVER, NEVER])
    enrolment = np.array([-40, -45, -50, -60, -30, -44.0])
    best = np.array(["CR", "CRi", "CR", "NR", "", "CR"])
    return Journey(
        patient=blank(
            Patient, 6, disease="pediatric_b_all", number=np.arange(6), age=np.array([4, 10, 12, 16, 8, 20.0]),
            weight=np.array([15, 30, 45, 60, 25, 70.0]), male=np.array([True, False, True, False, True, False]),
            prior_lines=np.array([2, 3, 3, 5, 2, 4.0]), prior_hsct=np.array([True, True, False, False, True, True]),
            burden=np.array([7000, 1400, 140, 13300, 20000, 2800.0]),
        ),
        eligibility=blank(Eligibility, 6, criteria=(), met=np.ones((6, 0), np.int8)),
        apheresis=blank(Apheresis, 6), cells=blank(TransducedCells, 6, attempt=1, phenotype=np.full((6, 4), nan)),
        lot=blank(Lot, 6, viability=np.arange(6.0)), waiting=blank(Waiting, 6),
        conditioning=blank(Conditioning, 6, regimen="none", title="none"),
        infusion=blank(Infusion, 6, cells=np.array([4.5e7, 9e7, 9e7, 1e8, 0, 2e8])),
        infused=np.array([True, True, True, True, False, True]),
        not_infused_reason=np.array(["", "", "", "", "manufacturing failure", ""]),
        enrolment_day=enrolment,
        plan=Plan(
            watch_step=0.5, watch_until=28.0, contact_every=30.0, follow_up=365.0, disease_visits=(28.0, 56.0),
            kinetics_samples=(1.0, 8.0, 28.0, 180.0),
        ),
        course=Course(np.arange(6), DAYS, values, {"transgene": below}),
        findings={
            "crs_penn": graded("crs_penn", penn),
            "neurologic_event": graded("neurologic_event", neuro),
            "neutropenia": graded("neutropenia", neutropenia),
            "thrombocytopenia": graded("thrombocytopenia", platelets),
            "b_cell_aplasia": graded("b_cell_aplasia", aplasia),
        },
        kinetics=blank(
            Kinetics, 6, analyte="transgene", cmax=np.array([9000, 30000, nan, 500, nan, 1000.0]),
            tmax=np.array([8, 8, nan, 8, nan, 8.0]), auc_0_28=np.array([90000, 300000, nan, 5000, nan, 10000.0]),
        ),
        outcome=Outcome(
            best_response=best, response_day=np.array([28, 28, 28, NEVER, NEVER, 120.0]),
            mrd_negative=np.array([True, True, True, False, False, False]), relapse_day=relapse,
            relapse_antigen=np.array(["positive", "negative", "", "", "", ""]), progression_day=np.full(6, NEVER),
            death_day=np.array([NEVER, 300, NEVER, 50, 20, NEVER]),
            death_cause=np.array(["", "disease", "", "disease", "disease", ""]),
            hsct_day=np.array([NEVER, NEVER, 100, NEVER, NEVER, NEVER]),
            last_day=np.array([1000, 300, 1500, 50, 20, 700.0]), enrolment_day=enrolment,
        ),
        response=blank(
            Response, 6, edition="by hand", days=np.array([28.0, 56.0]), categories=("NR", "CR"),
            status=np.full((6, 2), -1, np.int8), best=best,
        ),
        cure_probability={"pp": np.linspace(0, 1, 6)},
        individual=np.full((6, len(reference.MODEL.parameters)), nan),
        status=np.zeros(6, int), status_text={0: "well"}, arms=(facts(),), arm=np.zeros(6, np.intp),
        provenance={
            "version": "0", "model": "none", "parameter_sets": [], "product": "tisagenlecleucel",
            "disease": "pediatric_b_all", "policy": "none", "criteria": [], "seed": 1, "backend": "plain",
            "tolerance": 1e-6, "numpy": "0",
        },
    )  # fmt: skip
