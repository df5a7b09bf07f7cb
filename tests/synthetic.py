"""A journey whose course was never simulated, with realistic shapes: what figures and hand-made cases are tested on.

The records are those of a simulated journey; what a report reads of them is replaced by simple curves and draws.
"""

from dataclasses import replace
from functools import cache

import numpy as np

from vein2vein.clinic.grades.grades import Grades
from vein2vein.parameters import Parameter, ParameterSet
from vein2vein.therapy.course import Course
from vein2vein.therapy.visits import read_plan
from vein2vein.trials.comparison import Row
from vein2vein.trials.published import Published
from vein2vein.trials.trial import TrialResult, enroll_and_treat, load_trial

NEVER = np.inf


@cache
def _simulated(enrolled):
    trial = load_trial("eliana")
    return enroll_and_treat(replace(trial, plan=replace(trial.plan, follow_up=30.0)), np.arange(enrolled), seed=1)


def synthetic_journey(enrolled=97, seed=3, name="tisagenlecleucel", first=1):
    """A journey of ``enrolled`` patients, about 80 of them infused; CAR-T, tumor, signs and grades by simple curves."""
    rng = np.random.default_rng(seed)
    n = enrolled
    days = np.unique(
        np.concatenate(
            [np.arange(0, 45.5, 0.5), [60, 75, 90, 120, 150, 180, 270, 365.25, 548, 730.5, 1095.75, 1461, 1826.25]]
        )
    )
    infused = rng.random(n) < 0.82
    infused[0] = True
    reasons = np.where(infused, "", rng.choice(["manufacturing failure", "death", "adverse event", "progression"], n))
    t = days[None, :]
    peak = np.exp(rng.normal(np.log(24000), 0.9, (n, 1)))
    tmax = np.exp(rng.normal(np.log(9.3), 0.25, (n, 1)))
    grow, fall, slow = 0.9, 0.16, 0.0032
    rise = np.exp(np.minimum(grow * (t - tmax), 0))
    decay = np.where(t > tmax, (1 - 0.008) * np.exp(-fall * (t - tmax)) + 0.008 * np.exp(-slow * (t - tmax)), 1)
    transgene = peak * rise * decay * np.exp(rng.normal(0, 0.15, (n, days.size)))
    transgene[transgene < 50] = np.nan
    responds = rng.random(n) < 0.82
    burden = np.clip(rng.lognormal(np.log(35), 0.9, (n, 1)), 1, 95)
    relapse = np.where(responds & (rng.random(n) < 0.45), rng.exponential(260, n) + 60, NEVER)
    death = np.where(
        responds, np.where(np.isfinite(relapse), relapse + rng.exponential(400, n), NEVER), rng.exponential(220, n) + 10
    )
    death[rng.random(n) < 0.03] = 21.0
    blasts = (
        burden / (1 + np.exp(0.9 * np.minimum(t - 10, 60))) * np.where(responds[:, None], 1, 0.3)
        + np.where(responds[:, None], 0, 0.7) * burden
    )
    blasts = blasts + np.where(
        np.isfinite(relapse)[:, None], np.minimum(60, np.exp(0.05 * np.minimum(t - relapse[:, None], 90)) * 5), 0
    )
    blasts = np.clip(blasts, 1e-6, 100)
    severity = np.clip(rng.normal(1.2, 1.2, (n, 1)), 0, 3.4)
    storm = np.exp(-0.5 * ((t - tmax + 3) / 3.0) ** 2) * severity
    values = {
        "transgene": transgene,
        "car_t_cells": transgene / 180,
        "marrow_blasts": np.where(np.isin(days, [0, 14, 28, 60, 90, 180, 365.25, 730.5])[None, :], blasts, np.nan),
        "mrd": np.where(np.isin(days, [0, 14, 28, 60, 90, 180, 365.25, 730.5])[None, :], blasts / 100, np.nan),
        "b_cells": np.where(t < 4, 60 * np.exp(-t), np.where(t > 150 + 300 * rng.random((n, 1)), 80.0, 0.01)) + 0.01,
        "igg": 700 * np.exp(-t / 90) + 350,
        "il6": 8 * np.exp(1.8 * storm + rng.normal(0, 0.2, storm.shape)),
        "crp": 10 + 90 * storm,
        "ferritin": 600 * np.exp(1.1 * storm),
        "temperature": 36.8 + 1.1 * np.minimum(storm, 2.3) + rng.normal(0, 0.15, storm.shape),
        "neutrophils": 0.1 + 3.5 / (1 + np.exp(-(t - 22) / 4)) + np.maximum(1.5 - 0.3 * t, 0),
        "platelets": 30 + 180 / (1 + np.exp(-(t - 30) / 6)) * np.exp(rng.normal(0, 0.1, storm.shape)),
        "hemoglobin": 8.5 + 3 / (1 + np.exp(-(t - 40) / 10)) + rng.normal(0, 0.3, storm.shape),
        "lymphocytes": 0.05 + 1.2 / (1 + np.exp(-(t - 25) / 8)),
    }
    crs = np.select([storm > 2.4, storm > 1.7, storm > 1.0, storm > 0.45], [4, 3, 2, 1], 0).astype(np.int8)
    icans = np.select([storm > 2.5, storm > 2.0, storm > 1.6], [3, 2, 1], 0).astype(np.int8)
    icans[5 % n, 6:12] = -1
    over = ~infused[:, None] | (t > death[:, None])
    values = {key: np.where(over, np.nan, np.broadcast_to(table, over.shape)) for key, table in values.items()}
    crs[over] = -1
    icans[over] = -1
    toci, dex, ivig = np.zeros((3, n, days.size))
    toci_at = (crs >= 3).argmax(axis=1)
    toci[np.arange(n), toci_at] = np.where((crs >= 3).any(axis=1), 400.0, 0)
    dex_at = (crs >= 4).argmax(axis=1)
    dex[np.arange(n), dex_at] = np.where((crs >= 4).any(axis=1), 10.0, 0)
    ivig[:, days == 60] = np.where(infused & (death > 60), 15.0, 0)[:, None]
    values |= {"tocilizumab": toci, "dexamethasone": dex, "ivig": ivig}
    follow = np.full(n, 1826.25)
    base = _simulated(n)
    outcome = replace(
        base.outcome,
        best_response=np.where(~infused, "", np.where(responds, rng.choice(["CR", "CRi"], n, p=[0.75, 0.25]), "NR")),
        response_day=np.where(responds & infused, 28.0, NEVER),
        mrd_negative=responds & infused,
        relapse_day=np.where(infused, relapse, NEVER),
        relapse_antigen=np.where(np.isfinite(relapse) & infused, rng.choice(["positive", "negative"], n), ""),
        progression_day=np.full(n, NEVER),
        death_day=death,
        death_cause=np.where(np.isfinite(death), "disease", ""),
        hsct_day=np.where(rng.random(n) < 0.08, 120.0, NEVER),
        last_day=np.minimum(death, follow),
        enrolment_day=-rng.uniform(25, 60, n),
    )
    numbers = np.arange(first, first + n)
    status = np.zeros(n, dtype=int)
    status[7 % n] = 2
    tables = {
        "crs_astct": crs,
        "crs_penn": crs,
        "crs_lee2014": crs,
        "icans": icans,
        "b_cell_aplasia": np.where(over, -1, values["b_cells"] < 3).astype(np.int8),
    }
    graded = {key: Grades(key, key, days, table.copy(), table.copy()) for key, table in tables.items()}
    bigger = Parameter(
        "kap",
        "kap",
        "kill rate <b>",
        1.3,
        "1/day",
        how="assumed",
        why="No trial reports it; <script>alert(1)</script>.",
    )
    cited = Parameter("rho", "rho", "growth", 3.2, "1/day", how="calibrated", source="reference_model_2026")
    own = ParameterSet("product", {"kap": bigger, "rho": cited})
    arm = replace(
        base.arms[0],
        product=replace(base.arms[0].product, name=name, title=name, parameters=own),
        disease=replace(base.arms[0].disease, parameters=ParameterSet("disease", {})),
        parameters=own,
    )
    vein_to_vein = -outcome.enrolment_day
    return replace(
        base,
        patient=replace(
            base.patient,
            number=numbers,
            age=rng.uniform(3, 23, n),
            weight=rng.uniform(14, 80, n),
            height=rng.uniform(95, 180, n),
            male=rng.random(n) < 0.55,
            prior_lines=rng.integers(1, 8, n),
            prior_hsct=rng.random(n) < 0.6,
        ),
        apheresis=replace(base.apheresis, cd3=rng.lognormal(np.log(2.6e9), 0.5, n)),
        lot=replace(
            base.lot,
            viability=np.clip(rng.normal(0.85, 0.05, n), 0, 1),
            car_positive=rng.beta(4, 14, n),
            vector_copies=rng.lognormal(0.2, 0.25, n),
            status=rng.choice(["in specification", "out of specification"], n, p=[0.9, 0.1]),
            failed=reasons == "manufacturing failure",
            remade=np.arange(n) % 11 == 3,
            reason=np.where(np.arange(n) % 13 == 5, "viability", ""),
        ),
        waiting=replace(
            base.waiting,
            days=vein_to_vein,
            dropped=~infused,
            drop_day=np.where(infused, np.nan, -vein_to_vein / 2),
            reason=reasons,
        ),
        conditioning=replace(base.conditioning, start=np.full(n, -6.0)),
        infusion=replace(base.infusion, per_kg=1e6 * rng.lognormal(np.log(3.0), 0.4, n), given=infused),
        infused=infused,
        not_infused_reason=reasons,
        enrolment_day=outcome.enrolment_day,
        plan=replace(read_plan(), follow_up=1826.25),
        course=Course(numbers, days, values),
        findings=graded,
        kinetics=replace(
            base.kinetics,
            cmax=np.nanmax(np.where(np.isnan(transgene), -1, transgene), axis=1),
            tmax=tmax[:, 0],
            auc_0_28=peak[:, 0] * 9,
            clast=peak[:, 0] / 100,
            tlast=np.full(n, 400.0),
            doubling_time=tmax[:, 0] / 10,
            half_life_contraction=tmax[:, 0] / 2,
            half_life_terminal=peak[:, 0] ** 0.5,
        ),
        outcome=outcome,
        status=status,
        arms=(arm,),
        arm=np.zeros(n, dtype=np.intp),
        notes=("bridging not given", "assay error not added <i>"),
        provenance={
            **base.provenance,
            "version": "0.1.0",
            "model": "reference",
            "parameter_sets": ["product", "disease"],
            "criteria": ["crs_astct_2019"],
            "seed": seed,
            "backend": "batch",
            "date": "2026-01-02",
        },
    )


def synthetic_result(**options):
    """A trial result around a synthetic journey, with published rows of every kind."""
    stated, rows = [], []

    def row(
        quantity, definition, unit, published, low=np.nan, high=np.nan, simulated=np.nan, confidence="read", reason="",
        day=None, endpoint="", tolerance=np.nan, kind="", **arguments,
    ):  # fmt: skip
        source = "Maude 2018, NEJM 378:439, https://example.org/x"
        stated.append(
            Published(
                "ELIANA", "single arm", quantity, definition, published, low, high, "", 79, unit, source, "",
                confidence, time=day, endpoint=endpoint, arguments=arguments, tolerance=tolerance, tolerance_kind=kind,
            )
        )  # fmt: skip
        near = (simulated * 0.9, simulated * 1.1)
        rows.append(
            Row(
                "ELIANA", "single arm", quantity, definition, unit, "outcome", confidence, source, "", "", published,
                low, high, 79, simulated, *near, 80, None, reason,
            )
        )  # fmt: skip

    month = 30.4375
    points = {"tolerance": 10.0, "kind": "points"}
    efs, os = ({"endpoint": "survival", "event": name, "clock": "infusion", **points} for name in ("EFS", "OS"))
    row("n_enrolled", "", "patients", 97, simulated=97)
    row("n_infused", "", "patients", 79, simulated=80)
    row("CR_CRi_rate", "CR+CRi within 3 months of infusion", "%", 82, 72, 90, 83, endpoint="responded", **points)
    row("EFS_rate", "t=6mo; Kaplan-Meier from infusion", "%", 73, 60, 82, 74, day=6 * month, **efs)
    row("EFS_rate", "t=12mo", "%", 50, 35, 64, 55, day=12 * month, **efs)
    row("EFS_rate", "t=36mo", "%", 44, 31, 57, 48, day=36 * month, **efs)
    row("OS_rate", "t=12mo", "%", 76, 63, 86, 78, day=12 * month, **os)
    row("OS_rate", "t=36mo", "%", 63, 51, 73, 60, day=36 * month, **os)
    row("pop_Cmax", "typical value, model", "copies/ug gDNA", 24000, simulated=23000, endpoint="cmax")
    row("pop_Tmax", "typical value, model", "days", 9.3, simulated=9, endpoint="tmax", tolerance=0.2, kind="days")
    row(
        "Cmax_gmean",
        "qPCR geometric mean",
        "copies/ug gDNA",
        34700,
        simulated=30000,
        confidence="memory",
        endpoint="cmax",
    )
    row(
        "Bcell_aplasia_rate", "t=6mo; probability of persistence of B-cell aplasia", "%", 83, 69, 91, 80, "memory",
        day=6 * month,
    )  # fmt: skip
    row("CRS_any_rate", "Penn", "%", 77, simulated=90, endpoint="crs", scale="penn", grade=1, **points)
    row(
        "AE_related_ge3_rate",
        "grade 3-4 adverse events",
        "%",
        73,
        reason="adverse events other than CRS and ICANS are not simulated",
    )
    journey = synthetic_journey(**options)
    trial = replace(
        load_trial("eliana"),
        title="ELIANA: tisagenlecleucel in children and young adults",
        enrolled=97,
        infused=79,
        registry="NCT02435849",
        phase="2",
        policy="early_conservative",
        published=tuple(stated),
    )
    screened = int(1.16 * journey.count)
    return TrialResult(trial, screened, journey, tuple(rows), {**journey.provenance, "trial": "eliana"})
