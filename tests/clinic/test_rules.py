"""The tables in tests/rules/*.toml: a patient, day by day, and the grade, dose or response that earns."""

import tomllib
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest

from vein2vein.analytes import all_analytes
from vein2vein.clinic.care.label_card import all_labels
from vein2vein.clinic.care.labels import LabelPatient, judge_labels
from vein2vein.clinic.care.management import immunoglobulin_dose, tocilizumab_allowed, tocilizumab_dose
from vein2vein.clinic.care.suggestions import suggest
from vein2vein.clinic.criteria import editions
from vein2vein.clinic.grades.b_cell_aplasia import b_cell_aplasia, hypogammaglobulinemia, immunoglobulin_due
from vein2vein.clinic.grades.cres import grade_cres
from vein2vein.clinic.grades.crs import grade_crs
from vein2vein.clinic.grades.grades import Grades, lacking
from vein2vein.clinic.grades.hematotoxicity import grade_cytopenia, grade_icaht, grade_t_icaht
from vein2vein.clinic.grades.hlh import hlh_2004, hlh_cartox, hscore, mas_2016
from vein2vein.clinic.grades.icans import grade_icans, neurologic_event
from vein2vein.clinic.grades.iec_hs import grade_iec_hs
from vein2vein.clinic.grades.organs import ORGANS
from vein2vein.clinic.grades.risk_scores import EASIX, car_hematotox, early_prediction, easix, easix_positive
from vein2vein.clinic.response.leukemia import cns_status, mrd_class
from vein2vein.clinic.response.myeloma import respond_myeloma
from vein2vein.clinic.response.outcome import efs_second_line
from vein2vein.clinic.response.response import Response, respond_all, respond_lymphoma
from vein2vein.clinic.response.visits import Lesion, best_confirmed, respond_visits
from vein2vein.clinic.words import crs_scales
from vein2vein.therapy.course import Course
from vein2vein.therapy.history import History

SCALES = tuple(crs_scales())

FOLDER = Path(__file__).resolve().parents[1] / "rules"


def _cases():
    for path in sorted(FOLDER.glob("*.toml")):
        table = tomllib.loads(path.read_text(encoding="utf-8"))
        for case in table["case"]:
            yield pytest.param(table["rule"], {**table.get("usual", {}), **case}, id=f"{path.stem}: {case['name']}")


def _numbers(value, count):
    listed = value if isinstance(value, list) else [value] * count
    assert len(listed) == count, f"{len(listed)} values for {count} days"
    return np.array([[np.nan if v == "-" else float(v) for v in listed]])


def _course(case):
    days = np.array(case["days"], dtype=float)
    names = [name for name in case if name in all_analytes()]
    return Course(np.array([0]), days, {name: _numbers(case[name], len(days)) for name in names}, origin="measured")


def _check_grades(case, scale, grades, course):
    expected = case[scale] if isinstance(case[scale], list) else [case[scale]]
    found = [("?" if g < 0 else int(g)) for g in grades.grade[0]][-len(expected) :]
    assert found == expected, scale
    if "?" not in expected:
        assert (grades.grade[0] == grades.at_least[0]).all()
    elif expected[-1] == "?":
        if "at_least" in case:
            assert grades.at_least[0, -1] == case["at_least"]
        if "missing" in case:
            assert set(lacking(grades, course, 0, course.days[-1])) == set(case["missing"])
    if "flag" in case:
        assert any(case["flag"] in text and cells[0, -1] for text, cells in grades.flags.items())
    if "says" in case:  # the whole sentence
        assert case["says"] in [text for text, cells in grades.flags.items() if cells[0, -1]]
    if "no_flag" in case:
        assert not any(case["no_flag"] in text and cells[0, -1] for text, cells in grades.flags.items())
    for name, cells in grades.missing.items():
        assert not cells[grades.grade >= 0].any(), f"{name} is said to be missing where there is a grade"


def _crs(case):
    course = _course(case)
    asked = [scale for scale in SCALES if scale in case]
    assert asked
    for scale in asked:
        _check_grades(case, scale, grade_crs(course, age=np.array([case["age"]]), scale=scale), course)


def _icans(case):
    course, age = _course(case), np.array([case["age"]])
    _check_grades(case, "icans", grade_icans(course, age=age), course)
    if "neurologic_event" in case:
        _check_grades(case, "neurologic_event", neurologic_event(course, age=age), course)


def _cres(case):
    course = _course(case)
    _check_grades(case, "cres", grade_cres(course), course)


def _icaht(case):
    until = case.get("until", 30)
    counts = dict.fromkeys(range(until + 1), 2.0)
    runs = case.get("runs", [])
    if case.get("between") == "unknown":
        for day in range(runs[0][0], runs[-1][1]):
            del counts[day]
    for first, last, count in runs:
        counts.update(dict.fromkeys(range(first, last + 1), count))
    counts.update({35 + 5 * i: count for i, count in enumerate(case.get("late_counts", []))})
    days = sorted(counts)
    course = Course(np.array([0]), np.array(days, float), {"neutrophils": np.array([[counts[d] for d in days]])})
    found = grade_icaht(course, last_day=np.array([max(days)]))
    for name in ("early", "late", "days_low", "overridden", "transient"):
        if name in case:
            assert getattr(found, name)[0] == (-1 if case[name] == "?" else case[name]), name


def _t_icaht(case):
    counts = {float(d): 150.0 for d in range(case["until"] + 1)}
    for first, last, count in case.get("runs", []):
        counts.update({float(d): count for d in range(first, last + 1)})
    counts.update({40.0 + 10 * i: count for i, count in enumerate(case.get("late_counts", []))})
    for first, last, count in case.get("late_runs", []):
        counts.update({float(d): count for d in range(first, last + 1)})
    days = sorted(counts)
    values = {"platelets": np.array([[counts[d] for d in days]], float).reshape(1, len(days))}
    values["platelet_transfusion"] = np.array([[float(d in case.get("transfusions", [])) for d in days]]).reshape(1, -1)
    found = grade_t_icaht(Course(np.array([0]), np.array(days, float), values), last_day=case.get("last_day", np.inf))
    for name in ("early", "late", "days_low", "days_very_low"):
        if name in case:
            assert getattr(found, name)[0] == (-1 if case[name] == "?" else case[name]), name
    if "recovery" in case:
        assert found.recovery_day[0] == _day(case["recovery"])


def _scored(case, found, points="points", verdict="verdict"):
    assert found.edition in editions() and found.edition.startswith(found.name)
    if points in case:
        assert found.low[0] == found.high[0] == case[points]
    for name, bound in (("low", found.low), ("high", found.high)):
        if name in case:
            assert bound[0] == case[name], name
    if verdict in case:
        assert found.verdict[0] == case[verdict]
    if "missing" in case:
        assert {name for name, cells in found.missing.items() if cells[0]} == set(case["missing"])
    if "flag" in case:
        assert any(case["flag"] in text and cells[0] for text, cells in found.flags.items())


def _analytes(case):
    names = {*all_analytes(), *ORGANS}
    return {k: (np.nan if v == "-" else v) for k, v in case.items() if k in names}


def _car_hematotox(case):
    _scored(case, car_hematotox(_analytes(case)), verdict="risk")


def _easix(case):
    values = _analytes(case)
    for kind in EASIX:
        if kind in case:
            found = easix(values, kind)[0]
            assert np.isnan(found) if case[kind] == "?" else found == pytest.approx(case[kind], rel=1e-6), kind
    if "positive" in case:
        assert easix_positive(easix(values))[0] == case["positive"]


def _hlh_2004(case):
    found = hlh_2004(_analytes(case), age=case.get("age", 30))
    assert found.low[0] == case["met"]
    _scored(case, found)


def _hscore(case):
    values = _analytes(case)
    if "triglycerides_mmol" in case:
        values["triglycerides"] = 88.57 * case["triglycerides_mmol"]
    _scored(case, hscore(values))


def _iec_hs(case):
    course = _course(case)
    crs = np.broadcast_to(np.array(case["crs"], dtype=np.int8), course.shape).copy()
    grades = grade_iec_hs(course, age=np.nan, crs=Grades("crs", "crs", course.days, crs, crs))
    _check_grades(case, "iec_hs", grades, course)
    if "state" in case:
        assert grades.columns["state"][0, -1] == case["state"]


def _doses(case):
    if "tocilizumab" in case:
        assert tocilizumab_dose(case["weight"]) == pytest.approx(case["tocilizumab"], rel=1e-12)
    if "immunoglobulin" in case:
        assert immunoglobulin_dose(case["weight"], case.get("vial", 0.0)) == pytest.approx(case["immunoglobulin"])
    if "allowed" in case:
        days = np.array(case["doses_on_days"], float)
        course = Course(np.array([0]), days, {"tocilizumab": np.full((1, len(days)), 560.0)})
        assert tocilizumab_allowed(course, case["day"])[0] == case["allowed"]


def _immunoglobulin(case):
    days = np.arange(0.0, case["day"] + 1)
    values = {name: np.full((1, len(days)), np.nan) for name in ("igg", "infection", "b_cells")}
    values["igg"][0, -1] = case["igg"]
    values["infection"][0] = np.isin(days, case.get("infections_on_days", []))
    values["b_cells"][0, -1] = case.get("b_cells", np.nan)
    asked = [name for name in ("hill", "aaaai", "children", "asbmt", "routine") if name in case]
    assert asked
    for name in asked:
        extra = {k: case[k] for k in ("poor_vaccine_response", "low_iga_igm") if k in case}
        due = immunoglobulin_due(Course(np.array([0]), days, values), age=case.get("age", 40), rule=name, **extra)
        assert due[0] == case[name], name


def _day(value):
    return np.inf if value == "never" else value


def _check_response(case, found):
    for name in ("best", "relapse_antigen", "mrd_negative"):
        if name in case:
            assert getattr(found, name)[0] == case[name], name
    for name in ("response_day", "relapse_day", "progression_day", "mrd_relapse_day"):
        if name in case:
            assert getattr(found, name)[0] == _day(case[name]), name
    if "responded" in case:
        assert np.isfinite(found.response_day[0]) == case["responded"]
    if "flag" in case:
        assert any(case["flag"] in text and cells.any() for text, cells in found.flags.items())


def _response_b_all(case):
    criteria = f"response_b_all_{case['criteria']}"
    _check_response(case, respond_all(_course(case), criteria=criteria, maintained=case.get("maintained", False)))


def _response_lymphoma(case):
    _check_response(case, respond_lymphoma(_course(case)))


def _lesions(case):
    for name, site, *sizes in case.get("lesions", []):
        shift = 1 if sizes[0] == "new" and len(sizes) == len(case["days"]) else 0
        for day, size in zip(case["days"][shift:], sizes[shift:]):
            if size != "-":
                yield Lesion(0, float(day), name, site, *map(float, size), new=shift == 1)


def _visits(case):
    course = _course(case)
    found = respond_visits(course, case["criteria"], _lesions(case))
    columns = range(len(course.days) - len(case["status"]), len(course.days))
    names = [found.categories[s] if s >= 0 else "?" for s in found.status[0][list(columns)]]
    assert names == case["status"], found.reasons
    assert list(found.reasons[0, columns[-1]]) == case["said"]
    assert sorted(found.lacking.get((0, columns[-1]), ())) == sorted(case.get("lacking", []))
    if "confirmed" in case:
        assert best_confirmed(found)[0] == case["confirmed"]
    assert all(found.reasons[0, c] for c in columns)
    _check_response(case, found)


def _response_myeloma(case):
    found = respond_myeloma(_course(case))
    names = [found.categories[s] if s >= 0 else "?" for s in found.status[0][-len(case["status"]) :]]
    assert names == case["status"]
    _check_response(case, found)


def _leukemia_sites(case):
    value = {k: (float("nan") if v == "-" else v) for k, v in case.items()}
    if "cns" in case:
        extra = {k: value[k] for k in ("red", "blood_white", "blood_red", "signs") if k in case}
        assert cns_status(value["white"], value["blasts"], **extra)[0] == case["cns"]
    else:
        assert mrd_class(value["mrd"], value["sensitivity"], value.get("below", False))[0] == case["mrd_class"]


def _early_prediction(case):
    course = _course(case)
    for tree in ("hay_2017", "gust_2017"):
        if tree in case:
            found = early_prediction(course, tree)
            assert (found.name, found.edition, found.verdict[0]) == (tree, "early_prediction", case[tree])
            reads = {"hay_2017": {"temperature", "mcp1"}, "gust_2017": {"temperature", "mcp1", "il6"}}[tree]
            assert set(found.points) == reads and set(found.missing) <= reads
            assert all(cells.any() for cells in found.missing.values())


def _efs_second_line(case):
    days = np.array(case["days"], dtype=float)
    names = ("PD", "SD", "PR", "CR")
    status = np.array([[names.index(one) if one in names else -1 for one in case["status"]]], dtype=np.int8)
    progression = days[status[0] == 0].min(initial=np.inf)
    one, none = np.array([np.inf]), np.array([False])
    empty = np.array([""])
    found = Response("", days, names, status, empty, one, none, one, np.array([progression]), empty, {})
    time, event = efs_second_line(
        found, death_day=[case.get("death", np.inf)], last_day=[float(case["last"])],
        new_therapy_day=[case.get("new_therapy", np.inf)],
    )  # fmt: skip
    assert (time[0], event[0]) == (case["time"], case["event"])


def _one_day(case):
    names = [name for name in case if name in all_analytes()]
    return Course(np.array([0]), np.array([30.0]), {name: np.array([[float(case[name])]]) for name in names})


def _cytopenia(case):
    found = grade_cytopenia(_one_day(case), case["finding"])
    assert found.grade[0, 0] == found.at_least[0, 0] == case["grade"] and not found.missing


def _b_cell_aplasia(case):
    found = b_cell_aplasia(_one_day(case), case["definition"])
    assert found.grade[0, 0] == (-1 if case["state"] == "?" else case["state"])
    assert set(found.missing) == set(case.get("missing", []))
    assert list(found.flags) == ([case["flag"]] if "flag" in case else [])


def _hypogammaglobulinemia(case):
    found = hypogammaglobulinemia(_one_day(case), age=case["age"])
    assert found.grade[0, 0] == case["state"]
    assert bool(found.flags) == bool(found.missing) == (case["state"] < 0)


def _advice(case):
    """The dose of each drug that is named, as a ward reads it; the findings hold since ``lasting`` days."""
    now, since = 10.0, 10.0 - case.get("lasting", 0)
    given = {name: {day: mg for day, mg in doses} for name, doses in case.get("given", {}).items()}
    days = np.unique([0.0, since - 0.5, since, now, *(day for doses in given.values() for day in doses)])
    values = {name: np.array([[doses.get(day, np.nan) for day in days]]) for name, doses in given.items()}
    findings = {}
    for finding, name in (("crs_astct", "crs"), ("icans", "icans"), ("iec_hs", "iec_hs")):
        at_least = np.where(days >= since, case.get(name, 0), 0).astype(np.int8)[None, :]
        held = np.where(at_least > 0, -1, 0).astype(np.int8) if case.get("at_least") else at_least
        findings[finding] = Grades(finding, finding, days, held, at_least)
    told = suggest(
        Course(np.array([0]), days, values), findings, weight=case.get("weight", np.nan), age=case.get("age", np.nan),
        costimulation=case.get("costimulation", ""),
    )  # fmt: skip
    named = {}
    for one in told:
        every = f" every {one.every_hours:g} h" if np.isfinite(one.every_hours) else ""
        if np.isfinite(one.dose):
            assert one.treatment not in named
            named[one.treatment] = f"{one.dose:.4g} {one.unit}{every}"
    for name in ("tocilizumab", "dexamethasone", "methylprednisolone", "anakinra", "siltuximab", "levetiracetam"):
        if name in case:
            assert named.get(name, "none") == case[name], name
    words = " | ".join(text for one in told for text in (one.text, one.conflict, *one.notes))
    if "says" in case:
        assert case["says"] in words
    if "not_said" in case:
        assert case["not_said"] not in words
    if "blocked" in case:
        assert [why for one in told for why in one.blocked] == [case["blocked"]]
    if "free" in case:
        assert not [why for one in told if one.treatment == case["free"] for why in one.blocked]


def _labels(case):
    """Brands by verdict: those that are not named are not met."""
    told = {one.name for one in fields(History)}
    known = {name: case[name] for name in ("age", "prior_lines") if name in case}
    patient = LabelPatient(case["disease"], **known, history=History(**{k: v for k, v in case.items() if k in told}))
    found = judge_labels(patient)
    for state, name in ((1, "met"), (-1, "unknown")):
        assert {one.brand for one in found if one.state == state} == set(case.get(name, [])), name
    assert len(found) == len(all_labels())
    for one in found:
        assert bool(one.settles) == (one.state < 0) and "label (USA)" in one.why
    if "sentence" in case:
        assert case["sentence"] in next(one.why for one in found if one.brand == case["of"])
    if "settles" in case:
        assert set(next(one.settles for one in found if one.brand == case["of"])) == set(case["settles"])


CHECKS = {
    "labels": _labels,
    "advice": _advice,
    "cytopenia": _cytopenia,
    "b_cell_aplasia": _b_cell_aplasia,
    "hypogammaglobulinemia": _hypogammaglobulinemia,
    "efs_second_line": _efs_second_line,
    "early_prediction": _early_prediction,
    "t_icaht": _t_icaht,
    "car_hematotox": _car_hematotox,
    "easix": _easix,
    "hlh_2004": _hlh_2004,
    "hscore": _hscore,
    "mas_2016": lambda case: _scored(case, mas_2016(_analytes(case))),
    "hlh_cartox": lambda case: _scored(case, hlh_cartox(_analytes(case))),
    "iec_hs": _iec_hs,
    "leukemia_sites": _leukemia_sites,
    "visits": _visits,
    "crs": _crs,
    "icans": _icans,
    "cres": _cres,
    "icaht": _icaht,
    "doses": _doses,
    "immunoglobulin": _immunoglobulin,
    "response_b_all": _response_b_all,
    "response_lymphoma": _response_lymphoma,
    "response_myeloma": _response_myeloma,
}


@pytest.mark.parametrize(("rule", "case"), list(_cases()))
def test_table(rule, case):
    CHECKS[rule](case)
