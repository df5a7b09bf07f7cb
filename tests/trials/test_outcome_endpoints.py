"""Second-line events, death without relapse, failed lots, ICANS and cytopenia at any time, residual disease in CLL."""

from dataclasses import replace

import numpy as np
import pytest

from vein2vein.cards import parse_card
from vein2vein.errors import InputError
from vein2vein.journey.chart import simulate
from vein2vein.statistics.incidence import cumulative_incidence
from vein2vein.statistics.survival import value_at
from vein2vein.therapy.visits import read_plan
from vein2vein.trials.comparison import compare, read_row, summarize
from vein2vein.trials.endpoints.measures import ENDPOINTS, SETS, NotProduced
from vein2vein.trials.published import Published
from vein2vein.trials.trial import read_trial, trial_template_text
from vein2vein.trials.virtual_patients import virtual_patients

INF = np.inf
ROW = {
    "trial": "T", "arm": "", "quantity": "q", "definition": "", "value": 10.0, "low": np.nan, "high": np.nan,
    "spread": "", "n": 5, "unit": "%", "source": "", "where": "", "confidence": "read", "draw": 5,
}  # fmt: skip


def read(name, journey, **arguments):
    return ENDPOINTS[name].read(journey, **arguments)


def yes(flags):
    return np.flatnonzero(flags).tolist()


@pytest.fixture
def seen(journey, hand):
    """The six patients with visits of a lymphoma on days 50, 100, 150 and 270, and ICANS."""
    status = np.array([[1, 2, 2, 2], [1, 1, 1, 2], [-1, -1, -1, -1], [1, 0, 0, 0], [-1] * 4, [1, 1, 2, 2]], np.int8)
    progression = np.array([INF, INF, INF, 100, -5, INF])
    icans = np.zeros((6, journey.course.days.size), int)
    icans[0, 4:7], icans[1, 4] = [1, 3, 2], 1
    icans[2, :] = -1
    icans[3, -1] = 2
    response = replace(journey.response, days=np.array([50.0, 100, 150, 270]), status=status,
                       categories=("PD", "SD", "CR"))  # fmt: skip
    outcome = replace(
        journey.outcome, progression_day=progression, relapse_day=np.full(6, INF),
        death_day=np.array([INF, INF, 120, INF, INF, INF]), last_day=np.array([900, 900, 900, 900, 700, 130.0]),
        death_cause=np.array(["", "", "infection", "", "", ""]),
    )  # fmt: skip
    return replace(
        journey, response=response, outcome=outcome, findings={**journey.findings, "icans": hand.graded("icans", icans)}
    )


def test_second_line_events_from_the_infusion(seen):
    time, event, counted = read("efs_second_line", seen, clock="infusion")
    assert yes(counted) == [0, 1, 2, 3, 5]
    assert time[counted].tolist() == [900, 150, 120, 100, 130]  # none, stable on day 150, dead, progressed, cut off
    assert event.tolist() == [False, True, True, True, False, False]


def test_second_line_events_from_enrollment_count_who_was_never_infused(seen):
    time, event, counted = read("efs_second_line", seen, clock="enrolment")
    assert counted.all() and event.tolist() == [False, True, True, True, True, True]
    # 1 and 5: stable at the visit 145 and 144 days after enrollment, whatever came later; 4: lost before the infusion
    assert time.tolist() == [940, 145, 170, 160, 25, 144]
    waiting = replace(seen, outcome=replace(seen.outcome, progression_day=np.full(6, INF)))
    assert read("efs_second_line", waiting, clock="enrolment")[0][4] == 150


def test_second_line_events_need_stable_disease_among_the_responses(journey):
    with pytest.raises(NotProduced, match="stable disease"):
        read("efs_second_line", journey, clock="infusion")


def test_death_without_relapse_competes_with_relapse(journey):
    outcome = replace(
        journey.outcome, relapse_day=np.array([200, INF, INF, INF, INF, INF]),
        death_day=np.array([300, 250, 60, INF, 20, INF]),
        death_cause=np.array(["progression", "infection", "progression", "", "disease", ""]),
        last_day=np.array([900, 900, 900, 400, 900, 900.0]),
    )  # fmt: skip
    found = replace(journey, outcome=outcome)
    time, cause, counted = read("non_relapse_mortality", found)
    assert time[counted].tolist() == [200, 250, 60, 400, 900] and cause[counted].tolist() == [2, 1, 2, 0, 0]
    row = Published(**ROW, endpoint="non_relapse_mortality", time=365.0)
    arrays, pool = read_row(row, found, scale="penn", until=56)
    share = summarize(row, *(one[pool] for one in arrays))
    assert share == pytest.approx(100 / 5)
    curve = cumulative_incidence(time[counted], cause[counted])
    assert float(value_at(curve, 249)) == 0 and float(value_at(curve, 250)) == pytest.approx(0.2)
    (line,) = compare([row], found, follow_up={}, scale="penn", until=56, seed=1)
    assert line.pool == 5 and 0 <= line.low <= line.simulated <= line.high <= 100


def test_icans_lasts_from_its_onset_to_its_end_and_is_gone_or_not(seen):
    lasts = read("icans_duration", seen, grade=1, until=56)
    days = seen.course.days
    assert lasts[0] == days[7] - days[4] and lasts[1] == days[5] - days[4] and np.isnan(lasts[[2, 5]]).all()
    assert yes(np.isfinite(read("icans_duration", seen, grade=3, until=56))) == [0]
    assert yes(read("icans_resolved", seen, until=56)) == [0, 1, 3, 4, 5]
    assert yes(read("icans_resolved", seen, until=INF)) == [0, 1, 4, 5]  # 3 has it on the last day
    assert yes(SETS["icans"](seen, "penn", 56)) == [0, 1]
    assert yes(SETS["neurologic_event"](seen, "penn", 56)) == yes(
        seen.infused & read("neurologic_event", seen, grade=1, until=56)
    )
    assert yes(read("neurologic_resolved", seen, until=56) & SETS["neurologic_event"](seen, "penn", 56))


def test_cytopenia_at_any_time_holds_for_what_has_recovered(journey):
    for grade in (1, 3, 4):
        for lines in (["neutropenia"], ["neutropenia", "thrombocytopenia"]):
            wanted = np.any(
                [(journey.findings[line].grade[:, journey.course.days >= 0] >= grade).any(1) for line in lines], 0
            )
            assert yes(read("cytopenia_any", journey, lines=lines, grade=grade, until=INF)) == yes(wanted)
            on_a_day = read("cytopenia", journey, lines=lines, grade=grade, day=180)
            assert not (on_a_day & ~read("cytopenia_any", journey, lines=lines, grade=grade, until=180)).any()


def test_lots_fail_among_the_enrolled_and_the_collected(journey):
    failed = np.array([False, False, False, True, True, False])
    found = replace(
        journey, lot=replace(journey.lot, failed=failed), apheresis=replace(journey.apheresis, failed=failed & ~failed)
    )
    assert yes(read("manufacturing_failed", found)) == [3, 4]
    assert SETS["collected"](found, "penn", 56).all()
    none = replace(found, apheresis=replace(found.apheresis, failed=failed))
    assert yes(SETS["collected"](none, "penn", 56)) == [0, 1, 2, 5]


@pytest.fixture(scope="module")
def cll():
    plan = replace(read_plan(), follow_up=200.0, disease_visits=(30.0, 90.0, 180.0), kinetics_samples=(7.0, 14.0))
    return {
        name: simulate(virtual_patients(name, 30, seed=2), "lisocabtagene_maraleucel", plan=plan, seed=2)
        for name in ("cll", "lbcl")
    }


def test_residual_disease_is_judged_in_cll_and_not_in_large_cell_lymphoma(cll):
    found = cll["cll"]
    assert found.outcome.mrd_negative.any() and not found.outcome.mrd_negative[found.infused].all()
    assert not cll["lbcl"].outcome.mrd_negative.any()
    mrd, days = found.course.dense("mrd"), found.course.days
    for i in yes(found.outcome.mrd_negative):
        at = np.isin(days, found.response.days[found.response.status[i] >= 0])
        assert np.nanmin(mrd[i, at]) <= 1e-4


def trial_with(row, **changed):
    text = trial_template_text().split("[[published]]")[0] + f"[[published]]\nquantity = 'q'\nvalue = 20\n{row}"
    for old, new in changed.items():
        text = text.replace(old, new)
    return read_trial(parse_card(text, "my.toml"))


def test_rows_of_the_new_endpoints_are_read_and_refused():
    row = 'n = 40\nunit = "%"\nconfidence = "memory"\nendpoint = "non_relapse_mortality"\n'
    assert trial_with(f'{row}time = "1 year"\n').published[0].time == pytest.approx(365.25)
    with pytest.raises(InputError, match=r"published\.0\.time: missing; non_relapse_mortality is read at a day"):
        trial_with(row)
    with pytest.raises(InputError, match=r"unit: .*expected the unit %"):
        trial_with(row.replace('"%"', '"days"') + 'time = "1 year"\n')
    survival = (
        row.replace("non_relapse_mortality", "survival") + 'event = "EFS"\ntime = "6 months"\nclock = "enrolment"\n'
    )
    assert trial_with(survival).published[0].arguments["never_infused"] == "event"
    assert trial_with(survival + 'never_infused = "censored"\n').published[0].arguments["never_infused"] == "censored"
    with pytest.raises(InputError, match="never_infused: unknown never_infused 'cens'; did you mean censored"):
        trial_with(survival + 'never_infused = "cens"\n')


def test_residual_disease_is_asked_of_cll_and_refused_in_large_cell_lymphoma():
    row = 'n = 40\nunit = "%"\nconfidence = "memory"\nendpoint = "mrd_negative"\n'
    liso = {"pediatric_b_all": "cll", '"tisagenlecleucel"': '"lisocabtagene_maraleucel"'}
    assert trial_with(row, **liso).published[0].endpoint == "mrd_negative"
    with pytest.raises(InputError, match="no marrow is examined for residual disease in large B-cell lymphoma"):
        trial_with(row, **{**liso, "pediatric_b_all": "lbcl"})
