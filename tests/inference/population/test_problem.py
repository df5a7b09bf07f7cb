"""What a problem refuses, in one sentence with its place; and how it is laid out: rows, doses, spans, design."""

from dataclasses import replace

import numpy as np
import pytest

import vein2vein as v2v
from vein2vein.errors import InputError
from vein2vein.inference.population.layout import lay_out
from vein2vein.inference.population.population import populate
from vein2vein.inference.population.problem import (
    DoseModel,
    EndpointModel,
    FitParameter,
    FitProblem,
    Occasions,
    Omega,
    Settings,
)
from vein2vein.io.record.record import SetAside


@pytest.fixture
def simple(make):
    seen = make.study(np.repeat([0, 1, 2], 3), np.tile([0.0, 1.0, 2.0], 3), np.arange(9.0))
    return FitProblem(make.line_model(), seen, {"base": make.normal(1.0, 1.0), "slope": make.normal(1.0)},
                      {"y": EndpointModel()})  # fmt: skip


def refused(match, field, call):
    with pytest.raises(InputError, match=match) as told:
        call()
    assert told.value.field == field
    assert "\n" not in str(told.value) and str(told.value).endswith((".", "?", "1'."))


@pytest.mark.parametrize(
    ("fields", "match", "field"),
    [
        ({"start": -1.0}, r"found -1, expected a number above 0; or give it another law\.", "start"),
        ({"start": 1.0, "law": "logitnormal"}, "found 1, expected a number between 0 and 1, its bounds", "start"),
        ({"start": 3.0, "law": "probitnormal", "low": 4.0, "high": 2.0}, "found low 4 and high 2", "high"),
        ({"start": 1.0, "law": "gamma"}, "unknown law 'gamma'", "law"),
        ({"start": 1.0, "omega": -1.0}, "found -1", "omega"),
        ({"start": 1.0, "omega_fixed": True}, "found true beside an omega of 0", "omega_fixed"),
        ({"start": 1.0, "coefficients": {"wt": 1.0}}, "unknown covariate label 'wt'", "coefficients"),
        ({"start": 1.0, "fixed_coefficients": ("wt",)}, "unknown covariate label", "fixed_coefficients"),
        ({"start": 1.0, "covariates": {"wt": "os.system(1)"}}, "unknown function", "covariates.wt"),
        ({"start": float("nan")}, "found nan", "start"),
    ],
)
def test_a_parameter_is_refused(fields, match, field):
    refused(match, field, lambda: FitParameter(**fields))


@pytest.mark.parametrize(
    ("fields", "match", "field"),
    [
        ({"scale": "log", "error": "proportional"}, "found proportional on the log scale", "error"),
        ({"start": {"a": 0.0}}, "found 0, expected a number above 0", "start.a"),
        ({"start": {"b": 1.0}}, "found b, which the error model constant does not have", "start.b"),
        ({"scale": "log", "lloq": 0.0}, "found 0, expected a number above 0 on the log scale", "lloq"),
        ({"error": "poisson"}, "unknown error", "error"),
    ],
)
def test_an_endpoint_is_refused(fields, match, field):
    refused(match, field, lambda: EndpointModel(**fields))


def test_an_error_model_has_its_numbers():
    assert EndpointModel(error="proportional").sought == ("b",) and EndpointModel().begin("b") == 0.0
    both = EndpointModel(error="combined1", start={"a": 2.0})
    assert both.sought == ("a", "b") and both.begin("a") == 2.0 and both.begin("b") > 0


@pytest.mark.parametrize(
    ("change", "match", "field"),
    [
        ({"parameters": {"bas": FitParameter(1.0)}},
         "model line never uses it: unknown parameter 'bas'; did you mean base", "parameters.bas"),
        ({"parameters": {"base": FitParameter(1.0)}},
         "give the parameter slope a start, or hold it", "parameters.slope"),
        ({"parameters": {n: FitParameter(1.0, fixed=True) for n in ("base", "slope")}}, "every parameter is fixed",
         "parameters"),
        ({"endpoints": {}}, "no endpoint is fitted", "endpoints"),
        ({"method": "foce"}, "unknown method 'foce'; did you mean focei", "method"),
        ({"omega": Omega(blocks=(("base", "slope"),))}, r"found slope, whose omega is 0; give \[parameters.slope\]",
         "omega.blocks.0"),
        ({"omega": Omega(blocks=(("base",), ("base",)))}, "found base twice", "omega.blocks.1"),
        ({"omega": Omega(blocks=(("bose",),))}, "unknown parameter 'bose'", "omega.blocks.0"),
        ({"omega": Omega(occasion=Occasions(("x",)))}, "unknown parameter 'x'", "omega.occasion.parameters"),
        ({"doses": {"beginning": DoseModel()}}, "unknown input 'beginning'; did you mean begin", "doses.beginning"),
        ({"references": {"SEX": "f"}}, "unknown covariate 'SEX'", "references.SEX"),
    ],
)  # fmt: skip
def test_a_problem_is_refused(simple, change, match, field):
    refused(match, field, lambda: replace(simple, **change))


def test_a_covariate_that_the_study_does_not_have_is_refused(simple, make):
    base = make.normal(1.0, 1.0, covariates={"wt": "log(WT/70)"})
    refused("unknown covariate 'WT'; known: none", "parameters.base.covariates.wt",
            lambda: replace(simple, parameters={**simple.parameters, "base": base}))  # fmt: skip


def test_a_study_with_findings_is_never_fitted(simple):
    found = SetAside("study.csv", 7, "AMT", "the amount", "-5", "a number above 0", "mend it")
    with pytest.raises(InputError, match=r"study.csv, line 7, AMT: .*-5"):
        replace(simple, study=replace(simple.study, findings=(found,)))


def test_a_model_without_the_named_output_is_refused(simple):
    refused("unknown state or observable 'z'", "endpoints.y.output",
            lambda: lay_out(replace(simple, endpoints={"y": EndpointModel(output="z")})))  # fmt: skip
    two = replace(simple.model, observables=lambda t, x, p, u: {"a": p.base, "b": p.slope + p.base})
    refused("model line has no output 'y'; say what this endpoint shows: output = one of a, b, x", "endpoints.y.output",
            lambda: lay_out(replace(simple, model=two)))  # fmt: skip


def test_a_parameter_that_moves_nothing_is_refused(simple, make):
    idle = replace(simple.model, parameters=("base", "slope", "idle"))
    more = {**simple.parameters, "idle": make.normal(2.0)}
    refused("the parameter idle moves no prediction of these data.*hold it: fixed = 2", "parameters.idle",
            lambda: populate(replace(simple, model=idle, parameters=more)))  # fmt: skip


def test_starts_that_cannot_be_solved_are_refused(simple, make):
    bad = replace(
        simple.model, closed_form=replace(simple.model.closed_form, values=lambda t, p: {"y": p.base / 0 * t})
    )
    said = "at the start values the model cannot be solved for 3 subjects, such as s0"
    with np.errstate(all="ignore"), pytest.raises(InputError, match=said):
        populate(replace(simple, model=bad))


def test_a_logarithm_that_does_not_exist_is_refused(simple):
    log = {"y": EndpointModel(scale="log")}
    with pytest.raises(InputError, match=r"line 100: y is 0, which has no logarithm \(1 such rows\)"):
        populate(replace(simple, endpoints=log))
    early = replace(simple.study, doses=replace(simple.study.doses, time=np.full(3, 0.5)),
                    observations=replace(simple.study.observations, value=np.arange(9.0) + 1))  # fmt: skip
    with pytest.raises(InputError, match="the model predicts 0 for 3 measured rows"):
        populate(replace(simple, study=early, endpoints=log))


def test_an_endpoint_may_be_called_otherwise_where_there_is_one(simple, make):
    found = populate(replace(simple, endpoints={"level": EndpointModel(output="y")}))
    assert found.layout.outputs == ("y",)
    seen = make.study([0, 0, 1, 1], [0, 1, 0, 1], [1, 2, 3, 4], endpoint=[0, 1, 0, 1], endpoints=("y", "z"))
    part = lay_out(replace(simple, study=seen))
    assert part.rows.tolist() == [0, 2] and "left out, since the fit does not name it: z" in part.notes
    refused(
        "unknown endpoint 'w'", "endpoints.w", lambda: replace(simple, study=seen, endpoints={"w": EndpointModel()})
    )


def test_times_come_to_the_unit_of_the_model(simple):
    hours = replace(simple.study, time_unit="h")
    found = lay_out(replace(simple, study=hours))
    assert found.time[:3] == pytest.approx([0.0, 1 / 24, 2 / 24])
    assert "time runs in day, to which the study's h were converted" in found.notes
    assert lay_out(replace(simple, study=hours, time_unit="h")).time[2] == 2.0
    unknown = lay_out(replace(simple, study=replace(simple.study, time_unit="")))
    assert unknown.time[2] == 2.0 and "the study does not say its unit of time" in unknown.notes[0]
    refused("the study's time is in 'kg'", "time_unit",
            lambda: lay_out(replace(simple, study=replace(simple.study, time_unit="kg"))))  # fmt: skip


def test_doses_find_their_input(make):
    model = v2v.find_model("stein_2019")
    doses = [{"course": 0, "target": "1"}, {"course": 0, "time": 3.0, "target": "tocilizumab"}]
    seen = make.study([0, 0], [1.0, 2.0], [5.0, 6.0], endpoints=("transgene",), doses=doses)
    start = {n: FitParameter(v, omega=1.0) for n, v in model.example.items() if n not in ("Ftoci", "Fster")}
    found = lay_out(FitProblem(model, seen, start, {"transgene": EndpointModel(scale="log")}))
    assert found.given.input.tolist() == ["car_t_infusion", "tocilizumab"]
    two = replace(model, closed_form=None)
    refused(r"the dose of compartment '1' is none of the model's inputs: .*\[data\] dose.NAME = \{ cmt = 1 \}", "doses",
            lambda: lay_out(FitProblem(two, seen, start, {"transgene": EndpointModel()})))  # fmt: skip


def test_repeats_are_written_out_and_modelled_rates_need_a_name(simple, make):
    seen = make.study(
        [0, 0], [0.0, 5.0], [1.0, 2.0], doses=[{"course": 0, "additional": 9, "interval": 2.0, "line": 50}]
    )
    assert lay_out(replace(simple, study=seen)).given.time.tolist() == [0.0, 2.0, 4.0]
    modelled = make.study([0, 0], [0.0, 5.0], [1.0, 2.0], doses=[{"course": 0, "rate": -2.0, "line": 50}])
    with pytest.raises(
        InputError, match=r"line 50: RATE -2 says that the duration is a parameter; name it: \[doses.begin\]"
    ):
        lay_out(replace(simple, study=modelled))


# Covariates


def with_covariate(simple, make, one, text, **more):
    base = make.normal(1.0, 1.0, covariates={"c": text}, **more)
    seen = replace(simple.study, covariates={one.name: one})
    return replace(simple, study=seen, parameters={**simple.parameters, "base": base})


def test_a_number_gives_one_column(simple, make):
    weight, held = make.constant("WT", [35.0, 70.0, 140.0]), {"coefficients": {"c": 0.75}, "fixed_coefficients": ("c",)}
    problem = with_covariate(simple, make, weight, "log(WT/70)", **held)
    found = populate(problem)
    assert [c.name for c in found.coefficients] == ["base", "base_c", "slope"]
    assert found.design[:, 0, 1] == pytest.approx(np.log([0.5, 1.0, 2.0]))
    assert found.beta.tolist() == [1.0, 0.75, 1.0] and found.free.tolist() == [True, False, True]
    assert found.mean(found.beta)[:, 0] == pytest.approx(1 + 0.75 * np.log([0.5, 1.0, 2.0]))


def test_words_give_a_column_for_each_level_but_the_reference(simple, make):
    words = make.constant("SITE", [0, 2, 0], ("a", "b", "c"))
    found = populate(with_covariate(simple, make, words, "SITE"))
    assert [c.name for c in found.coefficients] == ["base", "base_c[c]", "slope"]
    assert found.design[:, 0, 1].tolist() == [0.0, 1.0, 0.0] and "SITE: levels are compared with 'a'" in found.notes
    other = populate(replace(with_covariate(simple, make, words, "SITE"), references={"SITE": "c"}))
    assert [c.name for c in other.coefficients][1] == "base_c[a]"


@pytest.mark.parametrize(
    ("values", "categories", "text", "match"),
    [
        ([1.0, np.nan, 2.0], (), "C", r"study.csv, C: the covariate C is missing for 1 of 3 subjects \(s1\)"),
        ([1.0, 1.0, 1.0], (), "log(C)", r"'log\(C\)' is 0 for everybody"),
        ([0.0, 1.0, 2.0], (), "log(C)", r"'log\(C\)' has no value for subject s0 \(C = 0\)"),
        ([0, 1, 0], ("f", "m"), "C*2", "C holds words, which have no place in 'C\\*2'; write C alone"),
        ([1, 1, 1], ("f", "m"), "C", "C is 'm' for everybody"),
    ],
)
def test_a_covariate_is_refused(simple, make, values, categories, text, match):
    with pytest.raises(InputError, match=match):
        populate(with_covariate(simple, make, make.constant("C", values, categories), text))


def test_a_covariate_in_time_cuts_a_course_into_spans(simple, make):
    from vein2vein.io.study.study import Covariate

    changing = Covariate("WT", None, (), tuple((np.array([0.0, 1.5]), np.array([10.0 + i, 20.0])) for i in range(3)))
    found = populate(with_covariate(simple, make, changing, "WT"))
    assert found.layout.spans.begins.tolist() == [-np.inf, 1.5] * 3
    assert found.layout.span.tolist() == [0, 0, 1, 2, 2, 3, 4, 4, 5]
    assert found.design[:, 0, 1].tolist() == [10.0, 20.0, 11.0, 20.0, 12.0, 20.0]
    assert found.known_by_effects.tolist() == [True, False, False] and found.by_score.tolist() == [1, 2]
    assert any("closed form does not know parameters that change within a course" in note for note in found.notes)


def test_occasions_begin_with_the_dose_before_their_rows(simple, make):
    seen = make.study([0] * 5 + [1] * 2, [0, 1, 2, 3, 4, 0, 1], np.arange(7.0), occasion=[1, 1, 2, 2, 7, 2, 1],
                      doses=[(0, 0.0, 1.0), (0, 1.5, 1.0), (1, 0.0, 1.0)])  # fmt: skip
    found = lay_out(replace(simple, study=seen, omega=Omega(occasion=Occasions(("base",)))))
    assert found.occasions == 3
    assert found.spans.begins.tolist() == [-np.inf, 1.5, 4.0, -np.inf, 1.0]
    assert found.spans.occasion.tolist() == [0, 1, 2, 0, 1] and found.span.tolist() == [0, 0, 1, 1, 2, 3, 4]
    one = replace(simple, omega=Omega(occasion=Occasions(("base",))))
    refused("no subject has two occasions", "omega.occasion", lambda: populate(one))


def test_courses_are_occasions_where_that_is_asked(simple, make):
    seen = make.study([0, 0, 0, 1, 1], [0, 1, 0, 0, 1], np.arange(5.0), course=[0, 0, 1, 2, 2])
    found = lay_out(replace(simple, study=seen, omega=Omega(occasion=Occasions(("base",), column="course"))))
    assert found.occasions == 2 and found.spans.occasion.tolist() == [0, 1, 0]
    assert found.subject.tolist() == [0, 0, 0, 1, 1] and found.course.tolist() == [0, 0, 1, 2, 2]


def test_subjects_without_rows_are_told_and_settings_checked(simple, make):
    seen = make.study([0, 0, 1], [0, 1, 0], [1.0, 2.0, 3.0], endpoint=[0, 0, 1], endpoints=("y", "z"))
    assert "1 of 2 subjects have no observation of what is fitted" in lay_out(replace(simple, study=seen)).notes
    refused("found 3", "exploring", lambda: Settings(exploring=3))
    refused("unknown solver", "solver", lambda: Settings(solver="euler"))
