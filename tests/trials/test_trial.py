"""Trial files: what they say, what is refused, and that they run."""

import csv

import numpy as np
import pytest

from vein2vein.cards import parse_card
from vein2vein.errors import InputError
from vein2vein.trials.endpoints.measures import ENDPOINTS
from vein2vein.trials.trial import (
    follow_up_at,
    list_trials,
    load_trial,
    read_trial,
    run_trial,
    screened_for,
    trial_template_text,
)


@pytest.fixture(scope="module")
def eliana():
    return load_trial("eliana")


def test_eliana_is_listed_and_says_who_was_treated_with_what(eliana):
    assert "eliana" in list_trials()
    assert (eliana.product.name, eliana.disease.name) == ("tisagenlecleucel", "pediatric_b_all")
    assert (eliana.enrolled, eliana.infused, eliana.scale, eliana.policy) == (97, 79, "penn", "early_conservative")
    assert eliana.screening_failure == 0.14
    assert eliana.plan.follow_up == 1826
    assert eliana.cutoffs["final"] == pytest.approx(5.5 * 365.25)
    assert list(eliana.cutoffs.values()) == sorted(eliana.cutoffs.values())


def test_every_published_number_of_the_reference_table_stands_in_the_file(eliana, shared):
    with open(shared / "trials" / "calibration.csv", encoding="utf-8") as file:
        wanted = [row for row in csv.DictReader(file) if "ELIANA" in row["trial"] or "ENSIGN" in row["trial"]]

    def number(text):
        return float(text) if text else None

    def stated(value):
        return None if np.isnan(value) else value

    expected = [
        (r["trial"], r["arm"], r["quantity"], r["definition"], number(r["value"]), number(r["lo95"]), number(r["hi95"]),
         r["spread"], number(r["n"]), r["unit"], r["confidence"]) for r in wanted
    ]  # fmt: skip
    found = [
        (p.trial, p.arm, p.quantity, p.definition, p.value, stated(p.low), stated(p.high), p.spread, stated(p.n),
         p.unit, p.confidence) for p in eliana.published
    ]  # fmt: skip
    assert len(found) == len(expected) == 167
    assert sorted(map(repr, found)) == sorted(map(repr, expected))


def test_a_row_without_endpoint_says_why_and_the_others_name_one(eliana):
    for row in eliana.published:
        assert bool(row.endpoint) != bool(row.reason)
        assert not row.endpoint or row.endpoint in ENDPOINTS
        assert not row.endpoint or row.draw > 0
    assert sum(bool(row.endpoint) for row in eliana.published) > 120


def test_denominators_of_survival_follow_the_definition(eliana):
    rfs = [r for r in eliana.published if r.quantity == "RFS_rate" and "t=36mo" in r.definition]
    assert [r.arguments["censor_transplant"] for r in rfs] == [True, False]
    assert {r.among for r in rfs} == {"responders"}
    for row in eliana.published:
        if row.definition.startswith("t=") and row.endpoint:
            assert row.time == pytest.approx(float(row.definition[2:].split("mo")[0]) * 365.25 / 12)


def test_the_template_loads_as_its_comments_say():
    trial = read_trial(parse_card(trial_template_text(), "my.toml"))
    assert (trial.name, trial.patients, trial.enrolled, trial.scale) == ("my_trial", 200, 50, "astct")
    assert trial.cutoffs["interim"] == pytest.approx(273.9, abs=0.1)
    names = ["CR_CRi_rate", "EFS_rate", "CRS_ge3_rate", "Cmax_gmean", "ICU_rate"]
    assert [row.quantity for row in trial.published] == names


FAULTS = [
    ('disease = "pediatric_b_all"', 'disease = "pediatric_ball"', "trial.disease", "pediatric_b_all"),
    ('product = "tisagenlecleucel"', 'product = "tisagenlecleucl"', "trial.product", "tisagenlecleucel"),
    ('policy = "early_conservative"', 'policy = "early_conservatve"', "trial.policy", "early_conservative"),
    ('scale = "astct"', 'scale = "lee"', "endpoints.scale", "lee2014"),
    ('endpoint = "responded"', 'endpoint = "respondent"', "published.0.endpoint", "responded"),
    ('among = "responders"', 'among = "responder"', "published.3.among", "responders"),
    ('cutoff = "interim"', 'cutoff = "interm"', "published.1.cutoff", "interim"),
    ('unit = "copies/ug gDNA"', 'unit = "copies"', "published.3.unit", "copies/ug gDNA"),
    ('unit = "copies/ug gDNA"', 'unit = "days"', "published.3.unit", "copies/ug"),
    ('unit = "%"\nconfidence = "memory"\nendpoint = "crs"',
     'unit = "days"\nconfidence = "memory"\nendpoint = "crs"', "published.2.unit", "%"),
    ('time = "6 months"', 'time = "6 kg"', "published.1.time", "kg"),
    ("grade = 3", "grade = 7", "published.2.grade", "from 1 to 5"),
    ("grade = 3", "grad = 3", "published.2.grad", "grade"),
    ("grade = 3", "", "published.2.grade", "missing"),
    ("infused = 40", "infused = 60", "size.infused", "at most the 50"),
    ("patients = 200", "patients = 0", "size.patients", "from 1"),
    ("patients = 200", "patients = 20.5", "size.patients", "whole number"),
    ('follow_up = "9 months"', 'follow_up = "900 months"', "cutoffs.interim.follow_up", "from 1 to 7305"),
    ("probability = 0.1", "probability = 1.0", "waiting.screening_failure.probability", "nobody"),
    ("lo95 = 64", "lo95 = 84", "published.0.lo95", "84 to 91"),
    ('reason = "admission to intensive care is not simulated"', "", "published.4.reason", "says why"),
    ('responses = ["CR", "CRh", "CRi"]', 'responses = ["RC"]', "endpoints.responses.0", "CR"),
    ("[visits]", "[visit]", "visit", "visits"),
    ('endpoint = "cmax"', 'endpoint = "cmax"\nsource = "nobody_1900"', "published.3.source", "nobody_1900"),
    ('# dose = "3.1e6/kg"', 'dose = "3.1 spoons"  #', "trial.dose", "3.1e6/kg"),
    ('# conditioning = "..."', 'conditioning = "flu_only"  #', "trial.conditioning", "flu_cy"),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "field", "said"), FAULTS, ids=[f"{f[2]}-{i}" for i, f in enumerate(FAULTS)])
def test_faults_name_file_line_field_and_what_was_expected(old, new, field, said):
    text = trial_template_text()
    assert old in text
    with pytest.raises(InputError) as caught:
        read_trial(parse_card(text.replace(old, new, 1), "my.toml"))
    problem = caught.value
    assert problem.file == "my.toml"
    assert problem.field == field
    assert problem.line is not None and 1 <= problem.line <= len(text.splitlines())
    assert said in str(problem)


def test_an_unknown_trial_names_the_nearest():
    with pytest.raises(InputError, match="did you mean eliana"):
        load_trial("elliana")


def test_screening_goes_on_until_enough_are_enrolled():
    assert screened_for(50, 0.0, seed=1) == 50
    counts = [screened_for(970, 0.14, seed=s) for s in range(20)]
    # negative binomial: mean 970 / 0.86 = 1127.9, sd sqrt(970 * 0.14) / 0.86 = 13.6
    assert np.mean(counts) == pytest.approx(1127.9, abs=4 * 13.6 / np.sqrt(20))
    assert len(set(counts)) > 1


def test_follow_up_spreads_evenly_around_its_median(eliana):
    days = follow_up_at(eliana, np.arange(4000), seed=1)
    for name, median in eliana.cutoffs.items():
        assert np.median(days[name]) == pytest.approx(median, abs=12)
        assert np.ptp(days[name]) == pytest.approx(eliana.accrual, rel=0.01)
    np.testing.assert_allclose(days["final"] - days["primary"], eliana.cutoffs["final"] - eliana.cutoffs["primary"])


def test_the_template_runs_and_the_patients_do_not_depend_on_how_many_there_are():
    trial = read_trial(parse_card(trial_template_text(), "my.toml"))
    said = []
    result = run_trial(trial, patients=8, seed=2, progress=lambda share, text: said.append(share))
    assert len(result.journey.infused) == 8
    assert result.screened >= 8
    assert said and said[-1] == 1
    assert [row.quantity for row in result.comparison] == [row.quantity for row in trial.published]
    assert result.comparison[-1].missing == "admission to intensive care is not simulated"
    assert 0 <= result.comparison[0].simulated <= 100
    assert result.provenance["seed"] == 2 and result.provenance["trial"] == "my_trial"
    few = run_trial(trial, patients=3, seed=2)
    np.testing.assert_array_equal(few.journey.infused, result.journey.infused[:3])
    np.testing.assert_allclose(few.journey.infusion.cells, result.journey.infusion.cells[:3])


def test_an_impossible_number_of_patients_is_refused(eliana):
    with pytest.raises(InputError, match="patients: found 0, expected a whole number from 1 to 1,000,000"):
        run_trial(eliana, patients=0)


def test_the_year_of_a_trial_chooses_the_failures_of_manufacture():
    text = (
        trial_template_text()
        .replace('"pediatric_b_all"', '"lbcl"')
        .replace("[population.prior_hsct]", "[population.kmt2a]")
    )
    early = read_trial(parse_card(text.replace("# year = 2019", "year = 2016"), "my.toml"))
    late = read_trial(parse_card(text.replace("# year = 2019", "year = 2020"), "my.toml"))
    rates = [one.product.process.values()["run_failure"] for one in (early, late)]
    assert rates[0] > rates[1]
    with pytest.raises(
        InputError, match=r"line \d+, trial\.year: found 2013, .* one of the years 2015 to 2017, 2019 to 2023"
    ):
        read_trial(parse_card(text.replace("# year = 2019", "year = 2013"), "my.toml"))


def test_a_trial_says_a_dose_that_is_drawn_and_one_that_follows():
    text = trial_template_text().replace(
        '# dose = "3.1e6/kg" ', 'dose = "1e6 to 3e6/kg, then for 50 % on day 28: 1e6/kg" '
    )
    trial = read_trial(parse_card(text, "my.toml"))
    result = run_trial(trial, patients=30, seed=2)
    found = result.journey.infusion
    per_kg = found.per_kg[found.given]
    assert per_kg.min() >= 0.5e6 and per_kg.max() <= 3e6 and per_kg.std() > 0.3e6
    assert [day for day, _ in found.doses] == [0.0, 28.0]
    wrong = text.replace("1e6 to 3e6/kg", "3e6 to 1e6/kg")
    with pytest.raises(InputError, match=r"trial\.dose: .*lower end first"):
        read_trial(parse_card(wrong, "my.toml"))
