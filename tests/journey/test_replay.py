"""The journey against a second telling of it: each step of the chart called by hand, each day of the loop replayed.

The replay takes only what the record says was ordered, so that what is seen on each day, and what becomes of each
patient, has to follow from the orders before it.
"""

from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from types import SimpleNamespace

import numpy as np
import pytest

from vein2vein import __version__
from vein2vein.analytes import analyte
from vein2vein.clinic.care import eligibility
from vein2vein.clinic.care.management import read_policy, treat
from vein2vein.clinic.grades import monitoring
from vein2vein.clinic.response.myeloma import respond_myeloma
from vein2vein.clinic.response.response import respond
from vein2vein.engine import solve as engine
from vein2vein.journey.chart import simulate
from vein2vein.journey.day_loop import ward_limits
from vein2vein.models.model import give, named, start
from vein2vein.models.reference import extinction
from vein2vein.models.reference.model import MODEL
from vein2vein.models.reference.model import parameters as general
from vein2vein.parameters import as_matrix, individual_values
from vein2vein.randomness import uniforms
from vein2vein.therapy import engineering, ex_vivo_expansion, leukapheresis, release
from vein2vein.therapy.conditioning import lymphodeplete
from vein2vein.therapy.disease import find_disease
from vein2vein.therapy.infusion import check_dose, infuse, read_requested_dose
from vein2vein.therapy.kinetics import kinetics
from vein2vein.therapy.patient import select
from vein2vein.therapy.product import find_indication, find_product
from vein2vein.therapy.targets import notes_of, targets_of, uncalibrated
from vein2vein.therapy.visits import monitoring_days, read_plan
from vein2vein.therapy.waiting import after_waiting, wait
from vein2vein.trials.virtual_patients import virtual_patients
from vein2vein.virtual import assay, bedside, covariates, hazards
from vein2vein.virtual.constants import bundled

USUAL = read_plan()
PLAN = replace(
    USUAL, watch_until=21.0, contact_every=14.0, follow_up=150.0, disease_visits=(28.0, 60.0, 90.0, 150.0),
    kinetics_samples=(1.0, 4.0, 7.0, 10.0, 14.0, 28.0, 60.0),
)  # fmt: skip
CASES = {
    "B-ALL": ("pediatric_b_all", "tisagenlecleucel", 24, {"dose": "3e6/kg", "transplant": (0.8, 30.0, 90.0)}),
    "lymphoma": ("lbcl", "axicabtagene_ciloleucel", 20, {"policy": "own", "bridging_share": 0.5}),
    "myeloma": ("mm", "ciltacabtagene_autoleucel", 16, {"policy": "early_permissive", "regimen": "none"}),
    "two targets": ("adult_b_all", "cd22_car", 12, {"policy": "prophylactic"}),
    "solid": ("gastric_cancer", "cldn18_2_car", 12, {"typical": True, "policy": "prophylactic"}),
}
OWN_POLICY = """
title = "Own: fever is lowered, of which the model knows nothing"
source = "reference_model_2026"
where = "x"
based_on = "early_permissive"

[antipyretic]
from_grade = 1
mark = "D"
why = "x"
"""
SEED, CONSTANTS = 3, bundled()

ONLY_IN = {
    "marrow_blasts": "leukemia", "circulating_blasts": "leukemia", "m_protein": "myeloma",
    "free_light_chain": "myeloma", "marrow_plasma_cells": "myeloma", "deauville": "lymphoma",
    "metabolic_tumor_volume": "lymphoma or solid", "sum_product_diameters": "lymphoma or solid",
    "mrd": "leukemia, lymphoma or myeloma",
}  # fmt: skip


@pytest.fixture(scope="module", params=CASES)
def case(request, tmp_path_factory):
    disease, product, count, choices = CASES[request.param]
    if choices.get("policy") == "own":
        path = tmp_path_factory.mktemp("policies") / "own.toml"
        path.write_text(OWN_POLICY, encoding="utf-8")
        choices = {**choices, "policy": path}
    patients, told = virtual_patients(disease, count, seed=SEED), []
    if request.param == "B-ALL":  # some need immunoglobulin
        blood = {"creatinine": 0.7, "neutrophils": 2.0, "platelets": 110.0, "ferritin": 700.0, "crp": 12.0}
        measured = {name: value * np.linspace(0.5, 1.5, count) for name, value in blood.items()}
        patients = replace(patients, baseline={**measured, "igg": np.where(np.arange(count) % 2, 150.0, 900.0)})
    if request.param == "myeloma":
        patients = replace(patients, baseline={"m_protein": np.linspace(5.0, 50.0, count)})
    journey = simulate(
        patients, product, plan=PLAN, seed=SEED, progress=lambda share, text: told.append((share, text)), **choices
    )
    usual = {"policy": "astct_2019", "transplant": (0.0, 0.0, 0.0), "dose": None, "regimen": "", "typical": False}
    usual["bridging_share"] = None
    return SimpleNamespace(name=request.param, journey=journey, told=told, **{**usual, **choices})


def same(found, expected, where=""):
    """Compare two records field by field, whatever they hold."""
    if is_dataclass(expected):
        for one in fields(expected):
            same(getattr(found, one.name), getattr(expected, one.name), f"{where}.{one.name}")
    elif isinstance(expected, Mapping):
        assert list(found) == list(expected), where
        for name, value in expected.items():
            same(found[name], value, f"{where}.{name}")
    elif isinstance(expected, tuple | list):
        assert len(found) == len(expected), where
        for i, (one, other) in enumerate(zip(found, expected)):
            same(one, other, f"{where}.{i}")
    else:
        np.testing.assert_array_equal(found, expected, err_msg=where)


def drawn_of(case):
    journey = case.journey
    declared = general(patient=False).overlay(journey.product.parameters).overlay(journey.disease.parameters)
    drawn = individual_values(declared, journey.patient.number, SEED, typical=case.typical)
    patient = case.journey.patient
    more = patient.prior_lines - covariates.usual_lines(find_disease(patient.disease))
    drawn["mpp"] = covariates.after_progression(CONSTANTS.covariates, drawn["mpp"], more)
    return drawn


def steps_of(case):
    """Steps 1 to 6 of the chart, one after the other, and what each of them said."""
    patient, product = case.journey.patient, find_product(case.journey.product.name)
    asked, drawn = read_requested_dose(case.dose), drawn_of(case)
    apheresis, one = leukapheresis.collect(patient, product, SEED)
    cells, two = engineering.transduce(apheresis, patient, product, SEED)
    expanded, three = ex_vivo_expansion.expand(cells, patient, product, SEED)
    lot, four = release.release(expanded, apheresis, patient, product, SEED, asked)
    waited, five = wait(
        patient, lot, product, SEED, growth=drawn["g"], capacity=drawn["K0"], bridging_share=case.bridging_share,
        dropout_hazard=lambda burden: hazards.dropout_hazard(CONSTANTS.hazards, burden, drawn["K0"]),
        dropout_reason=lambda burden: hazards.dropout_reason(
            CONSTANTS.hazards, burden, drawn["K0"], patient.number, SEED
        ),
    )  # fmt: skip
    ready = after_waiting(patient, waited)
    made = np.flatnonzero(~lot.failed)
    columns = columns_of(case, lot, ready, made, np.zeros(made.size))
    levels = named(MODEL.level_names, np.zeros((made.size, len(MODEL.level_names))))
    white = np.full(patient.count, np.nan)
    begun = named(MODEL.state_names, start(MODEL, columns))
    white[made] = MODEL.observables(0.0, begun, named(MODEL.parameters, columns), levels)["white_cells"]
    conditioned, six = lymphodeplete(ready, lot, product, case.regimen, white)
    infused, seven = infuse(lot, ready, product, asked)
    zero = [*check_dose(asked, patient, product)] if asked else []
    zero += [*uncalibrated(product, case.journey.disease), *notes_of(product, case.journey.disease, patient)]
    said = list(dict.fromkeys([*zero, *one, *two, *three, *four, *five, *six, *seven]))
    return SimpleNamespace(
        apheresis=apheresis, cells=cells, lot=lot, waiting=waited, conditioning=conditioned, infusion=infused,
        said=said, ready=ready,
    )  # fmt: skip


def columns_of(case, lot, ready, who, first):
    """Parameters of the model for some patients, from what was drawn for them and what is known of them."""
    product, disease = case.journey.product, case.journey.disease
    values = {name: value[who] for name, value in drawn_of(case).items()}
    own = select(ready, who)
    traits = {name: getattr(own, name) for name in covariates.TRAITS if hasattr(own, name)}
    measured = ("neutrophils", "platelets", "hemoglobin", "ferritin", "crp", "igg", "creatinine", "m_protein")
    traits |= {name: own.baseline[name] for name in measured if name in own.baseline}
    traits |= {name: getattr(lot, name)[who] for name in covariates.TRAITS if hasattr(lot, name)}
    traits["usual_lines"] = np.full(len(who), covariates.usual_lines(disease))
    traits["usual_burden"] = np.full(len(who), covariates.usual_burden(disease))
    found = covariates.individual(
        CONSTANTS.covariates, values, traits=traits, targets=targets_of(product, disease, own), design=product.design,
        t0=first, seed=SEED, numbers=own.number, limits=ward_limits(),
    )  # fmt: skip
    return as_matrix(found, MODEL.parameters, who.size)


def test_each_step_gets_what_the_step_before_left(case):
    journey, steps = case.journey, steps_of(case)
    for name in ("apheresis", "cells", "lot", "waiting", "conditioning", "infusion"):
        same(getattr(journey, name), getattr(steps, name), name)
    indication, _ = find_indication(journey.product, journey.patient.disease)
    same(journey.eligibility, eligibility.eligible(journey.patient, indication))
    given = steps.infusion.given & ~steps.waiting.dropped
    np.testing.assert_array_equal(journey.infused, given)
    assert given.any()
    reasons = [
        "" if one else "manufacturing failure" if failed else why
        for one, failed, why in zip(given, steps.lot.failed, steps.waiting.reason)
    ]
    assert journey.not_infused_reason.tolist() == reasons
    np.testing.assert_array_equal(journey.enrolment_day, -steps.waiting.days)
    who = np.flatnonzero(given)
    np.testing.assert_array_equal(
        journey.individual[who], columns_of(case, steps.lot, steps.ready, who, steps.conditioning.start[who])
    )
    assert np.isnan(journey.individual[~given]).all()
    assert [note for note in journey.notes if note in steps.said] == steps.said
    graded = "CRS of virtual patients is graded without organ toxicity: their creatinine and AST are not calibrated"
    unheard = "antipyretic was given; the model does not represent its effect"
    others = [note for note in journey.notes if note not in steps.said]
    assert others == ([unheard, graded] if case.name == "lymphoma" else [graded])


def replay(case):
    """Follow the infused patients by the orders of the record; stop believing a patient after death."""
    journey, policy = case.journey, read_policy(case.policy)
    lineage, who = journey.disease.lineage, np.flatnonzero(journey.infused)
    own, columns, numbers = select(journey.patient, who), journey.individual[who], journey.patient.number[who]
    planned = [(day, name, amount[who]) for day, name, amount in journey.conditioning.doses]
    planned += [(day, "car_t_infusion", amount[who]) for day, amount in journey.infusion.doses]
    planned = sorted(planned, key=lambda one: one[0])
    assert planned[0][0] <= 0
    tolerance = journey.provenance["tolerance"]
    assert tolerance == 5e-10
    run = engine.begin(MODEL, columns, start(MODEL, columns), planned[0][0], rtol=tolerance)
    course, days = journey.course, monitoring_days(PLAN)
    np.testing.assert_array_equal(course.days, days)
    parameters = named(MODEL.parameters, columns)
    assays = assay.usual()
    doses = {one.name for one in MODEL.inputs if one.kind == "dose"}
    crs = journey.findings[policy.scale].grade[who] > 0
    until, flagged = np.full(who.size, -np.inf), np.zeros(who.size, bool)
    replaced = np.full(who.size, -np.inf)
    hazard, seen_days, blasts = np.zeros((who.size, days.size)), [], np.full((who.size, days.size), np.nan)
    for j, day in enumerate(days):
        today = {}
        while planned and planned[0][0] <= day:
            when, name, amount = planned.pop(0)
            run = engine.advance(run, when)
            run = engine.advance(run, when, state=give(MODEL, name, amount, run.state, columns))
            if when == day:
                today[name] = today.get(name, 0.0) + amount
        run = engine.advance(run, day)
        x = named(MODEL.state_names, run.state)
        truth = dict(MODEL.observables(day, x, parameters, named(MODEL.level_names, run.levels)))
        blasts[:, j] = truth.get("marrow_blasts", 0.0)
        hazard[:, j] = x.H_nrm
        interval = PLAN.watch_step if j == 0 else day - days[j - 1]
        risk = bedside.infection_risk(
            CONSTANTS.bedside, truth["neutrophils"], x.DEX, truth["b_cells"] < 10, truth["igg"], truth["cd4_cells"]
        )
        until, flagged, ill = bedside.infections(
            CONSTANTS.bedside,
            risk,
            numbers=numbers,
            day=day,
            seed=SEED,
            interval=interval,
            until=until,
            flagged=flagged,
            neutrophils=truth["neutrophils"],
        )
        signs = {name: truth.pop(name) for name in ("temperature", "systolic_bp", "spo2", "cns_dysfunction")}
        written = bedside.bedside(
            CONSTANTS.bedside, signs, age=own.age, weight=own.weight, numbers=numbers, day=day, seed=SEED,
            interval=min(interval, PLAN.watch_step), infection_fever=day < until, flagged=flagged,
            crs_now=crs[:, j - 1] if j else np.zeros(who.size, bool), limits=ward_limits(),
        )  # fmt: skip
        read, below = (
            {name: one for name, one in found.items() if lineage in ONLY_IN.get(name, lineage)}
            for found in assay.read(truth, assays, numbers=numbers, day=day, seed=SEED)
        )
        seen_days.append(({**read, **written, "infection": ill, **today}, below))
        orders = {
            name: np.nan_to_num(values[who, j]) for name, values in course.values.items()
            if name not in today and name not in seen_days[-1][0] and not np.isnan(values[who, j]).all()
        }  # fmt: skip
        replaced = np.where(orders.get("ivig", np.zeros(who.size)) > 0, day + 28, replaced)
        levels, state = run.levels.copy(), run.state
        if (tubes := bedside.blood_drawn(CONSTANTS.bedside, own.weight, day=day, interval=interval)).any():
            state = give(MODEL, "blood_draw", tubes, state, columns)
        for position, name in enumerate(MODEL.level_names):
            if name == "igg_support":
                levels[:, position] = day < replaced
            elif name in orders:
                levels[:, position] = orders[name]
        for name, amount in orders.items():
            if name in doses:
                state = give(MODEL, name, amount, state, columns)
        run = engine.advance(run, day, state=state, levels=levels)
    return SimpleNamespace(
        who=who, days=days, seen=seen_days, hazard=hazard, columns=columns, run=run, blasts=blasts, orders=orders
    )


@pytest.fixture(scope="module")
def replayed(case):
    return replay(case)


def test_what_is_seen_on_each_day_follows_from_the_orders_before_it(case, replayed):
    journey, who = case.journey, replayed.who
    end = np.minimum(journey.outcome.death_day, journey.outcome.last_day)[who]
    names = set(journey.course.values)
    for j, (day, (values, below)) in enumerate(zip(replayed.days, replayed.seen)):
        alive = day <= end
        for name, value in values.items():
            found = journey.course.values[name][who, j]
            np.testing.assert_allclose(found[alive], np.broadcast_to(value, who.shape)[alive], rtol=1e-12, err_msg=name)
            assert np.isnan(found[~alive]).all()
        for name, flags in below.items():
            np.testing.assert_array_equal(journey.course.below_lloq[name][who, j], flags & alive)
        names -= set(values)
    assert names <= {
        "tocilizumab", "anakinra", "dexamethasone", "methylprednisolone", "gcsf", "ivig", "antipyretic", "hsct",
        "red_cell_transfusion",
    }  # fmt: skip
    for value in journey.course.values.values():
        assert np.isnan(value[~journey.infused]).all()
    assert not any(flags[~journey.infused].any() for flags in journey.course.below_lloq.values())
    if case.name == "B-ALL":
        given = np.nan_to_num(journey.course.dense("ivig")[who]) > 0
        assert given.any() and not given.any(axis=1).all()
    assert (journey.status == 0).all()
    np.testing.assert_array_equal(journey.outcome.last_day, PLAN.follow_up)


def test_what_is_ordered_is_what_the_policy_says_of_the_course_so_far(case, replayed):
    journey, who, policy = case.journey, replayed.who, read_policy(case.policy)
    own = select(journey.patient, who)
    end = np.minimum(journey.outcome.death_day, journey.outcome.last_day)[who]
    course = replace(
        journey.course, patients=own.number, values={n: v[who] for n, v in journey.course.values.items()},
        below_lloq={n: v[who] for n, v in journey.course.below_lloq.items()},
    )  # fmt: skip
    ordered = set()
    given = np.array([
        any((np.nan_to_num(course.values[name][:, j]) > 0).any() for name in set(course.values) - set(values))
        for j, (values, _) in enumerate(replayed.seen)
    ])  # fmt: skip
    for j in sorted({0, 8, len(replayed.days) - 1, *np.flatnonzero(given)[:12]}):
        day = replayed.days[j]
        before = {n: v[:, : j + 1].copy() for n, v in course.values.items()}
        for name in before:
            if name not in replayed.seen[j][0]:
                before[name][:, j] = np.nan  # not yet ordered on this day
        so_far = replace(
            course, days=course.days[: j + 1], values=before,
            below_lloq={n: v[:, : j + 1] for n, v in course.below_lloq.items()},
        )  # fmt: skip
        found = monitoring.grade(so_far, age=own.age, weight=own.weight, scales=policy.reads, organs=False)
        orders = treat(policy, so_far, found, weight=own.weight, day=day, costimulation=journey.product.costimulation)
        alive = day <= end
        for name, amount in orders.items():
            np.testing.assert_array_equal(course.values[name][alive, j], np.broadcast_to(amount, who.shape)[alive])
            ordered |= {name} if (amount > 0).any() else set()
        for name in set(course.values) - set(orders) - set(replayed.seen[j][0]) - {"hsct"}:
            assert not (np.nan_to_num(course.values[name][alive, j]) > 0).any(), name
    assert ordered


def test_a_transplantation_is_on_the_first_day_in_remission_from_the_drawn_one_on(case, replayed):
    journey, who = case.journey, replayed.who
    share, first, last = case.transplant
    due = hazards.transplant_day(CONSTANTS.hazards, share, journey.patient.number[who], SEED, first, last)
    expected = np.full(who.size, np.inf)
    for i, day in enumerate(due):
        later = np.flatnonzero(replayed.days >= day)
        if later.size and replayed.blasts[i, later[0]] < 5:
            expected[i] = replayed.days[later[0]]
    end = np.minimum(journey.outcome.death_day, journey.outcome.last_day)[who]
    np.testing.assert_array_equal(journey.outcome.hsct_day[who], np.where(expected <= end, expected, np.inf))
    assert np.isinf(journey.outcome.hsct_day[~journey.infused]).all()
    if share:
        moved = np.isfinite(journey.outcome.hsct_day[who])
        assert moved.any() and not moved.all()
        given = np.nan_to_num(journey.course.dense("hsct")[who]) > 0
        np.testing.assert_array_equal(given.any(axis=1), moved)
        np.testing.assert_array_equal(replayed.days[given.argmax(axis=1)][moved], journey.outcome.hsct_day[who][moved])


def due_days(numbers):
    """Days of the visits by their own rule: evenly in the window, and the nearest monitoring day of the record."""
    draws, planned, grid = uniforms(SEED, "visit windows", numbers, 4), PLAN.disease_visits, monitoring_days(PLAN)
    wide = (3, 7, 7, 15)  # a quarter of the way to the nearest visit, but 12 % of day 28 (3) and 60 (7)
    drawn = np.round([[day + w * (2 * u - 1) for day, w, u in zip(planned, wide, own)] for own in draws])
    return grid[np.abs(drawn[..., None] - grid).argmin(axis=-1)]


def response_of(case, journey):
    """Response at the visits due, and at those that new overt disease brought about."""
    course, lineage, due = journey.course, case.journey.disease.lineage, due_days(journey.patient.number)
    keep = (course.days <= 0) | np.zeros(course.shape, bool)
    for i in range(len(due)):
        overt = overt_days({"solid": "lymphoma"}.get(lineage, lineage), course, i)
        known, begun = False, False
        for j, day in enumerate(course.days):
            if day in due[i] or (begun and overt[j] and not known):
                keep[i, j], known, begun = True, overt[j], True
    values = {
        name: np.where(keep, cells, np.nan) if analyte(name).kind == "disease" else cells
        for name, cells in course.values.items()
    }
    seen, days = replace(course, values=values), course.days[course.days >= 28 - 3]
    if lineage == "myeloma":
        return respond_myeloma(seen, visits=days)
    return respond(seen, lineage={"solid": "lymphoma"}.get(lineage, lineage), visits=days)


def overt_days(lineage, course, i):
    if lineage == "leukemia":
        return course.dense("circulating_blasts")[i] >= 0.1
    if lineage == "lymphoma":
        volume = course.dense("metabolic_tumor_volume")[i]
        return (volume >= 100) & (volume >= 1.84 * np.maximum(np.fmin.accumulate(volume), 1))
    serum, chain = course.dense("m_protein")[i], course.dense("free_light_chain")[i]
    value = serum if serum[0] >= 10 else chain
    return (value >= value[0] / 2) & (value >= 1.25 * np.fmin.accumulate(value))


def test_response_is_read_off_the_course(case):
    journey = case.journey
    found = response_of(case, journey)
    alive = journey.infused & np.isinf(journey.outcome.death_day)
    assert alive.any()
    for name in ("best", "response_day", "mrd_negative", "relapse_day", "progression_day", "status"):
        np.testing.assert_array_equal(getattr(journey.response, name)[alive], getattr(found, name)[alive], err_msg=name)
    assert journey.response.edition == found.edition and list(journey.response.days) == list(found.days)
    assert journey.response.categories == found.categories
    never = ~journey.infused
    assert (journey.response.best[never] == "").all() and (journey.response.status[never] == -1).all()
    assert (journey.response.relapse_antigen[never] == "").all()
    assert np.isinf(journey.response.relapse_day[never]).all() and not journey.response.mrd_negative[never].any()
    outcome, end = journey.outcome, np.minimum(journey.outcome.death_day, journey.outcome.last_day)
    for name in ("response_day", "relapse_day", "progression_day"):
        day = getattr(journey.response, name)
        wanted = np.where(journey.infused & (day <= end), day, np.inf)
        if name == "progression_day":  # who leaves for progression before the infusion has one
            left = journey.waiting.dropped & (journey.waiting.reason == "progression")
            wanted = np.where(~journey.infused & left, journey.waiting.drop_day, wanted)
        np.testing.assert_array_equal(getattr(outcome, name), wanted)
    np.testing.assert_array_equal(outcome.best_response, np.where(journey.infused, journey.response.best, ""))
    np.testing.assert_array_equal(outcome.enrolment_day, journey.enrolment_day)


def test_death_comes_by_the_first_of_its_ways(case, replayed):
    journey, who = case.journey, replayed.who
    drawn, numbers = drawn_of(case), journey.patient.number
    own, days, response = numbers[who], replayed.days, journey.response
    failed = np.isin(response.best[who], ("NR", "NE", "MLFS")) & np.isinf(response.response_day[who])
    lost = np.minimum(response.relapse_day[who], response.progression_day[who])
    lost = np.where(failed, np.minimum(lost, due_days(own)[:, 0]), lost)
    background = replayed.columns[:, MODEL.parameters.index("nrm_bg")]
    moved = journey.outcome.hsct_day[who]
    added, total = np.zeros(who.size), np.zeros(replayed.hazard.shape)
    for j, day in enumerate(days):
        step = day - days[j - 1] if j else day
        added = added + hazards.transplant_hazard(CONSTANTS.hazards, day, moved, background) * step
        total[:, j] = replayed.hazard[:, j] + added
    toxic, of_toxicity = hazards.toxicity_deaths(
        CONSTANTS.hazards,
        days,
        journey.findings["crs_astct"].grade[who],
        journey.findings["icans"].grade[who],
        own,
        SEED,
    )
    other = hazards.crossing_day(days, total, hazards.clock(SEED, "without relapse", own))
    after = hazards.death_after_progression(lost, drawn["mpp"][who], own, SEED, drawn["salvage"][who])
    expected = np.full(numbers.size, np.inf)
    cause = np.full(numbers.size, "", dtype=object)
    for i, position in enumerate(who):
        ways = {toxic[i]: of_toxicity[i], other[i]: "without relapse", after[i]: "progression"}
        expected[position] = min(ways)
        cause[position] = ways[min(ways)]
    waited = journey.waiting
    for position in np.flatnonzero(~journey.infused):
        left = waited.drop_day[position] if waited.dropped[position] else 0.0
        dies_waiting = waited.dropped[position] and waited.reason[position] == "death"
        one = np.array([left])
        later = hazards.death_after_progression(
            one, drawn["mpp"][[position]], numbers[[position]], SEED, drawn["salvage"][[position]]
        )
        expected[position], cause[position] = left if dies_waiting else later[0], "disease"
    seen = expected <= PLAN.follow_up
    np.testing.assert_allclose(journey.outcome.death_day, np.where(seen, expected, np.inf), rtol=1e-9)
    assert journey.outcome.death_cause.tolist() == np.where(seen, cause, "").tolist()
    assert seen.any() and not seen.all()


def test_the_closed_record_is_graded_counted_and_signed(case, replayed):
    journey, who = case.journey, replayed.who
    graded = monitoring.grade(journey.course, age=journey.patient.age, weight=journey.patient.weight, organs=False)
    assert list(journey.findings) == list(graded)
    for name, one in graded.items():
        np.testing.assert_array_equal(journey.findings[name].grade, one.grade, err_msg=name)
    counted = {"qPCR": "transgene", "flow": "car_t_cells"}[journey.product.readout]
    expected = kinetics(journey.course.at(PLAN.kinetics_samples), counted)
    for name in ("cmax", "tmax", "auc_0_28"):
        np.testing.assert_array_equal(getattr(journey.kinetics, name), getattr(expected, name))
    assert journey.kinetics.analyte == counted
    chances = extinction.extinction_probability(
        named(MODEL.state_names, replayed.run.state), named(MODEL.parameters, replayed.columns)
    )
    living = np.isinf(journey.outcome.death_day[who])
    assert list(journey.cure_probability) == list(chances) and living.any()
    for clone, chance in chances.items():
        np.testing.assert_allclose(journey.cure_probability[clone][who][living], chance[living], rtol=1e-9)
        assert np.isnan(journey.cure_probability[clone][~journey.infused]).all()
    signed = dict(journey.provenance)
    assert signed.pop("date")[:2] == "20" and signed.pop("numpy") == np.__version__
    assert signed == {
        "version": __version__, "model": MODEL.name, "parameter_sets": list(journey.parameters.history),
        "product": journey.product.name, "disease": journey.patient.disease, "policy": read_policy(case.policy).name,
        "criteria": sorted({one.edition for one in graded.values()} | {journey.response.edition}), "seed": SEED,
        "backend": "batch", "tolerance": 5e-10,
    }  # fmt: skip
    same(vars(journey.disease), vars(find_disease(journey.patient.disease)))
    assert journey.plan == PLAN
    assert journey.status_text == engine.STATUS


def test_progress_is_told_from_the_collection_to_the_outcome(case):
    days = monitoring_days(PLAN)
    assert case.told[0] == (0.0, "leukapheresis") and case.told[-1] == (1.0, "outcome")
    assert case.told[1:-1] == [((j + 1) / len(days), f"day {day:g} of 150") for j, day in enumerate(days)]
