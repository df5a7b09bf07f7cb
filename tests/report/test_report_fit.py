"""Fit and misses, the headline and the forest plot, on rows whose answers are counted by hand."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vein2vein.report import facts, fit, headline
from vein2vein.report.figures_forest import Scale, comparison_figure, drawn_rows, scale_of
from vein2vein.trials.trial import load_trial

NAN, INF = float("nan"), float("inf")


@pytest.fixture(scope="module")
def rows(result):
    return facts.compared(result)


def row_of(rows, quantity, **changes):
    return replace(next(row for row in rows if row.quantity == quantity), **changes)


def test_the_distance_is_in_the_tolerances_of_the_row(rows):
    assert row_of(rows, "CR_CRi_rate").error == pytest.approx(0.1)  # 83 against 82, tolerance 10 points
    assert row_of(rows, "pop_Tmax").error == pytest.approx(1.5)  # 9 against 9.3 days, tolerance 0.2
    assert np.isnan(row_of(rows, "n_infused").error), "a row that states no tolerance has none"
    assert np.isnan(row_of(rows, "AE_related_ge3_rate").error), "nothing was simulated"
    assert fit.distance_words(row_of(rows, "pop_Tmax")) == "1.5 tolerances"
    assert fit.distance_words(row_of(rows, "n_infused")) == "no tolerance stated"
    assert fit.distance_words(row_of(rows, "pop_Tmax", error=INF)) == "beyond any tolerance"


def test_what_is_from_memory_missing_or_an_input_is_not_judged(rows):
    known = fit.judged(rows)
    assert len(known) == 11 and all(row.confidence == "read" for row in known)
    row = row_of(rows, "OS_rate")
    for changes in ({"confidence": "memory"}, {"kind": "design"}, {"simulated": NAN}, {"low": NAN}):
        assert fit.judged([replace(row, **changes)]) == []


def test_a_miss_lies_outside_or_beyond_its_tolerance_and_the_worst_stands_first(rows):
    assert [row.quantity for row in fit.misses(rows)] == ["pop_Tmax", "CRS_any_rate"]
    assert [fit.verdict(row) for row in fit.misses(rows)] == [fit.BEYOND, fit.OUTSIDE]
    near = row_of(rows, "OS_rate", published=80.0)
    close, far, unknown = (replace(near, published=50.0, error=e) for e in (0.5, 3.0, NAN))
    wide = replace(unknown, low=0.0)
    assert fit.misses([near]) == []
    assert fit.misses([wide, close, unknown, far]) == [far, close, unknown]
    assert fit.misses([unknown, replace(unknown, published=20.0)])[0].published == 20.0, "further in widths"


@given(error=st.floats(0, 5), published=st.floats(0, 100), simulated=st.floats(0, 100), half=st.floats(0, 50))
def test_a_row_is_met_or_missed_and_never_both(error, published, simulated, half):
    stated = load_trial("eliana").published[0]
    row = facts.Compared(
        "q", "", "%", simulated, simulated - half, simulated + half, published, NAN, NAN, 9, "", "read", "", "outcome",
        "", (), NAN, stated, error,
    )  # fmt: skip
    met = simulated - half <= published <= simulated + half and error <= 1
    assert (fit.misses([row]) == []) == met
    assert (fit.verdict(row) == fit.INSIDE) == met
    one = fit.tally("all", [row])
    assert (one.judged, one.worst is None) == (1, met)


def test_the_tallies_count_each_judged_row_once(result, rows):
    by_arm, by_kind = fit.tallies(result.trial, rows)
    (all_of_them,) = by_arm
    assert (all_of_them.judged, all_of_them.inside, all_of_them.scored, all_of_them.passed) == (11, 10, 8, 6)
    assert sum(one.judged for one in by_kind) == 11 and sum(one.passed for one in by_kind) == 6
    assert {one.title: one.judged for one in by_kind}["survival"] == 5
    armed = [replace(row, arms=("a",)) if row.quantity == "OS_rate" else row for row in rows]
    arm = replace(load_trial("karmma").arms[0], name="a", title="first arm")
    titles = [(one.title, one.judged) for one in fit.tallies(replace(result.trial, arms=(arm,)), armed)[0]]
    assert titles == [("all arms together", 9), ("first arm", 2), ("in all", 11)]


def test_a_label_is_whole_and_none_stands_twice(rows):
    at = row_of(rows, "EFS_rate")
    assert fit.label(at) == "EFS at 6 months: Kaplan-Meier from infusion"
    assert fit.label(replace(at, definition="t=6mo")) == "EFS at 6 months"
    assert fit.label(replace(at, definition="t=6mo; among CR", arms=("x",), arm="first")) == (
        "EFS at 6 months: among CR (first)"
    )
    same = [replace(at, arm="one"), replace(at, arm="two"), replace(at, arm="two")]
    told = fit.labels(same)
    assert len(set(told)) == 3 and told[0].endswith("(one)")
    assert fit.labels([]) == []


@pytest.mark.parametrize("name", ["eliana", "karmma", "seattle", "transcend", "zuma_1", "juliet"])
def test_no_label_of_a_bundled_trial_stands_twice(name):
    told = fit.labels(facts.told(load_trial(name)))
    assert len(set(told)) == len(told) and not any("…" in text for text in told)


def test_a_trial_that_the_numbers_were_calibrated_on_is_a_fit(result):
    assert fit.fit_or_prediction(result.trial) == fit.FIT
    assert "calibrated on this trial" in fit.fit_words(result.trial)
    zuma = load_trial("zuma_1")
    assert fit.fit_or_prediction(zuma) == fit.FIT and fit.fit_or_prediction(replace(zuma, published=())) == fit.FIT
    other = replace(zuma, name="my_trial", published=())
    assert fit.fit_or_prediction(other) == fit.PREDICTION and "prediction" in fit.fit_words(other)
    named = replace(other, name="x", disease=replace(other.disease, calibrated_on=("X",)))
    assert fit.fit_or_prediction(named) == fit.FIT


# The headline


def lines(block):
    return {line.name: line.text for line in block.lines}


def test_the_headline_takes_published_rows_and_counts_the_rest(result, rows):
    (block,) = headline.blocks(result, rows)
    told, there = lines(block), result.journey.infused
    share = f"{100 * there.sum() / there.size:.0f} %"
    assert told["infused"] == f"{there.sum()} of 97 enrolled, {share} (79 of 97, 81 %)"
    assert told["response"] == "CR or CRi 83 % (82 %)"
    assert told["EFS"] == "6 months 74 % (73 %), 12 months 55 % (50 %), 36 months 48 % (44 %)"
    assert told["OS"] == "12 months 78 % (76 %), 36 months 60 % (63 %)"
    assert told["CRS"].startswith("any grade 90 % (77 %, outside), grade ≥ 3 ")
    worst = result.journey.findings["icans"].grade[there].max(axis=1)
    shares = [f"{100 * (worst[worst >= 0] >= grade).mean():.0f} %" for grade in (1, 3)]
    assert told["ICANS"] == f"any grade {shares[0]}, grade ≥ 3 {shares[1]}"
    assert told["kinetics"] == "Cmax 23,000 copies/µg DNA (24,000 copies/µg DNA), Tmax 9 days (9.3 days)"


def test_without_published_rows_the_endpoints_are_told_all_the_same(result):
    bare = replace(result, trial=replace(result.trial, published=()), comparison=())
    told = lines(headline.blocks(bare, [])[0])
    assert set(told) == {"infused", "response", "EFS", "OS", "CRS", "ICANS", "kinetics"}
    assert "(" not in "".join(text for name, text in told.items() if name != "infused")
    assert "12 months" in told["OS"] and "median" in told["OS"]
    best = result.journey.outcome.best_response[result.journey.infused]
    assert told["response"] == f"CR or CRi {100 * np.isin(best, ['CR', 'CRi']).mean():.0f} %"


def test_a_recalled_figure_is_marked_and_gives_way_to_one_that_was_read(result, rows):
    recalled = [replace(r, confidence="memory", published=1.0) if r.quantity == "CR_CRi_rate" else r for r in rows]
    assert lines(headline.blocks(result, recalled)[0])["response"] == "CR or CRi 83 % (1 %, from memory)"
    both = [*recalled, row_of(rows, "CR_CRi_rate")]
    assert lines(headline.blocks(result, both)[0])["response"] == "CR or CRi 83 % (82 %)"


def test_rows_of_some_patients_only_are_no_headline(result, rows):
    row = row_of(rows, "CRS_any_rate")
    for changes in ({"among": "crs"}, {"weight_to": 50.0}, {"blasts_from": 5.0}):
        some = [replace(r, told=replace(row.told, **changes)) if r is row or r == row else r for r in rows]
        assert "77 %" not in lines(headline.blocks(result, some)[0])["CRS"], changes


def test_nobody_infused_is_said_without_a_figure(result, rows):
    journey = replace(result.journey, infused=np.zeros(97, dtype=bool))
    told = lines(headline.blocks(replace(result, journey=journey), [])[0])
    assert list(told) == ["infused"] and told["infused"].startswith("0 of 97 enrolled, 0 %")


# The forest plot


@given(
    values=st.lists(st.floats(-1e4, 1e6), min_size=6, max_size=6),
    unit=st.sampled_from(["%", "days", "patients"]),
)
def test_every_value_lies_within_the_axis_of_its_row(values, unit):
    stated = load_trial("eliana").published[0]
    low, middle, high = sorted(values[:3])
    first, published, last = sorted(values[3:])
    row = facts.Compared(
        "q", "", unit, middle, low, high, published, first, last, 9, "", "read", "", "outcome", "", (), NAN, stated
    )
    scale = scale_of(row)
    assert scale.low < scale.high
    for value in values:
        assert scale.low <= value <= scale.high and 0 <= scale.at(value) <= 1
    assert scale.at(low) <= scale.at(middle) <= scale.at(high)


def test_shares_have_one_scale_and_what_is_not_reached_stands_at_the_end(rows):
    assert scale_of(row_of(rows, "OS_rate")) == Scale(0.0, 100.0, False)
    assert scale_of(row_of(rows, "OS_rate", low=-5.0)).low < -5, "a change in percent may be negative"
    endless = row_of(rows, "pop_Tmax", simulated=INF, high=INF)
    assert scale_of(endless).at(INF) == 1
    assert scale_of(row_of(rows, "pop_Cmax", low=10.0)).logarithmic


def test_the_forest_draws_each_scored_row_once_and_marks_misses_by_shape_and_word(rows):
    shown = drawn_rows(rows)
    assert len(shown) == 8 and all(row.told.tolerance_kind for row in shown)
    picture = comparison_figure(rows)
    for text in fit.labels(shown):
        assert picture.svg.count(f">{text}<") == 1, text
    assert picture.svg.count("✕ 1.5 tol.") == 1 and picture.svg.count("✕ 1.3 tol.") == 1
    assert picture.svg.count(">outside<") == 1 and picture.svg.count(">beyond tol.<") == 1
    assert picture.svg.count(">inside<") == 6
    assert picture.title == "Simulated against published: 6 of 8 outcomes are met"
    assert "3 more are in the tables below" in picture.caption
    assert comparison_figure([]) is None


def test_a_miss_says_when_it_rests_on_few_virtual_patients(rows):
    row = row_of(rows, "CRS_any_rate")
    assert fit.miss_words(replace(row, n=52.0, pool=1)).endswith(" (n = 1)")
    assert fit.miss_words(replace(row, n=52.0, pool=26)).endswith(" (n = 26)")
    for n, pool in ((52.0, 27), (52.0, 0), (NAN, 3)):
        assert fit.miss_words(replace(row, n=n, pool=pool)).endswith(fit.verdict(row))


def test_without_tolerances_all_judged_rows_are_drawn_and_of_too_many_the_misses(rows):
    bare = [replace(row, told=replace(row.told, tolerance_kind=""), error=NAN) for row in rows]
    assert len(drawn_rows(bare)) == 11
    many = [replace(bare[0], definition=str(i)) for i in range(60)]
    outside = replace(bare[0], published=500.0, definition="far")
    kept = drawn_rows([*many, outside])
    assert len(kept) == 40 and outside in kept


def _at_a_year(journey):
    from vein2vein.report import figures_survival

    return figures_survival.landmark(figures_survival.survival(journey, "OS", "enrolment")).percent


def test_a_randomized_trial_tells_standard_care_by_itself_and_the_hazard_ratio():
    from vein2vein.trials.trial import run_trial

    result = run_trial("zuma_7", patients=60, seed=2)
    found = facts.compared(result)
    whole, *arms = headline.blocks(result, found)
    told = {block.title: lines(block) for block in arms}
    standard = next(lines(block) for block in arms if "standard care" in lines(block)["infused"])
    count = int((result.journey.patient.arm == "standard_care").sum())
    assert standard["infused"] == f"standard care, {count} enrolled"
    best = result.journey.outcome.best_response[result.journey.patient.arm == "standard_care"]
    share = round(100 * np.isin(best, ("CR", "PR")).mean())
    (row,) = (r for r in found if r.quantity == "ORR" and r.arms == ("standard_care",) and np.isfinite(r.simulated))
    assert standard["response"].startswith(f"CR or PR {row.simulated:.0f} % ({row.published:.0f} %")
    assert not {"response", "PFS", "EFS", "OS", "CRS"} & set(lines(whole)), "arms so different are not told together"
    assert "kinetics" in lines(whole)
    assert "from enrollment" in standard["OS"] and "CRS" not in standard
    cells = next(text for block, text in told.items() if text is not standard)
    assert "24 months from enrollment" in cells["EFS"] and "any grade" in cells["CRS"]
    ratio = next(row for row in found if row.told.endpoint == "efs_second_line_between_arms")
    assert lines(whole)["hazard ratio"].startswith(f"EFS {ratio.simulated:.2g} ({ratio.published:.2g}")
    infused = int(result.journey.infused.sum())
    assert lines(whole)["infused"].startswith(f"{infused} of {60 - count} enrolled")
    from vein2vein.report import flow
    from vein2vein.report.groups import arm_groups
    from vein2vein.report.trial import summary, trial_page

    page = trial_page(result)
    assert page.count("Kinetics of the infused patients") == page.count("Worst grade of each infused patient") == 1
    assert "Nothing was measured that could be drawn here" not in page
    (usual,) = (g for g in arm_groups(result.trial, result.journey) if g.arms == ("standard_care",))
    stages = flow.stages(usual.journey, usual.words, usual.rows(found))
    reached = int(np.isin(best, ("CR", "PR")).sum())
    assert [stage.headline for stage in stages][:3] == [
        f"Enrolled: {count}", f"Standard care: {count}", f"Responded: {reached} ({share} %)",
    ]  # fmt: skip
    assert "infused" not in " ".join(text for stage in stages for text in (stage.headline, *stage.details))
    assert f"Overall survival at 12 months: {_at_a_year(usual.journey)}, enrolled set" in page

    told = summary(arm_groups(result.trial, result.journey), result.journey, found)
    assert told[0].startswith(f"60 virtual patients were enrolled, {count} of them for standard care; {infused} of the")
    (own,) = (text for text in told if "Standard care, as published; no cells are given." in text)
    assert "After enrollment: " in own and "–" not in own and "of 0 infused" not in own
