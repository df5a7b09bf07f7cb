import re
from dataclasses import replace

import numpy as np
import pytest

from vein2vein.errors import InputError
from vein2vein.report.figures_patient import One
from vein2vein.report.patient import chances, day_table, patient_page, record_facts, steps, story, write_patient_report


@pytest.fixture(scope="module")
def journey(synthetic):
    return synthetic.synthetic_journey(30)


@pytest.fixture(scope="module")
def worst(journey):
    return int(np.argmax(journey.findings["crs_astct"].grade.max(axis=1)))


def test_report_holds_all_parts_and_loads_nothing(journey, worst, synthetic):
    text = patient_page(journey, worst, synthetic.synthetic_journey(40, seed=9))
    for part in ("patient", "steps", "course", "days", "outcome", "assumptions", "provenance"):
        assert f'id="{part}"' in text, part
    assert 'id="figure-journey"' in text and 'id="figure-follow-up"' in text
    assert "not a medical device" in text and "What became of 40 companions" in text
    assert not re.search(r"<script|<link|<img|<iframe|@import|(src|href)=\"(?!#|data:image/png)", text)


def test_day_table_holds_treatments_and_worst_grades(journey, worst):
    headers, rows = day_table(One(journey, worst))
    titles = [title for title, _ in headers]
    assert titles[0] == "Day" and titles[-3:] == ["CRS", "ICANS", "Treatments and infections"]
    assert [row[0] for row in rows[:29]] == [str(d) for d in range(29)]
    days, given = journey.course.days, np.nan_to_num(journey.course.dense("tocilizumab")[worst])
    day = int(days[np.flatnonzero(given)[0]])
    assert "Tocilizumab 400 mg" in rows[day][-1]
    columns = np.floor(days) == day
    assert rows[day][-3] == journey.findings["crs_astct"].grade[worst, columns].max()


def test_not_gradable_is_not_shown_as_zero(synthetic):
    journey = synthetic.synthetic_journey(10)
    row = int(np.flatnonzero(journey.infused)[0])
    journey.findings["icans"].grade[row, np.floor(journey.course.days) == 4] = -1
    _, rows = day_table(One(journey, row))
    assert rows[4][-2] == -1
    assert 'title="not gradable"' in patient_page(journey, row)


def test_table_ends_with_the_patient(synthetic):
    journey = synthetic.synthetic_journey(10)
    row = int(np.flatnonzero(journey.infused)[0])
    journey.outcome.death_day[row] = journey.outcome.last_day[row] = 12.0
    journey.outcome.death_cause[row] = "disease"
    _, rows = day_table(One(journey, row))
    assert rows[-1][0] == "12"
    assert "Death on day 12 (disease)." in story(One(journey, row))


def test_an_infection_stands_on_its_day_and_a_switch_has_no_amount(synthetic):
    journey = synthetic.synthetic_journey(10)
    row = int(np.flatnonzero(journey.infused)[0])
    journey.outcome.death_day[row], journey.outcome.last_day[row] = np.inf, 360.0
    days = journey.course.days
    late = next(float(day) for day in days if 29 < day < 300)
    for name in ("infection", "gcsf"):
        journey.course.values[name] = np.zeros((journey.count, days.size))
    for day, grade in ((5.0, 1.0), (late, 2.0)):
        journey.course.values["infection"][row, days == day] = grade
    journey.course.values["gcsf"][row, np.isin(days, (6.0, 6.5))] = 1.0
    rows = {one[0]: str(one[-1]) for one in day_table(One(journey, row))[1]}
    assert rows["5"].endswith("infection") and "severe" not in rows["5"]
    assert rows[f"{late:g}"].endswith("severe infection"), "a day between the visits is told for its infection"
    assert re.search(r"G-CSF given(,|$)", rows["6"]) and "infection" not in rows["6"]


def test_disease_after_its_return_is_said_to_be_untreated(synthetic):
    journey = synthetic.synthetic_journey(10)
    row = int(np.flatnonzero(journey.infused)[0])
    journey.outcome.death_day[row], journey.outcome.last_day[row] = np.inf, 360.0
    for relapse, progression, said in ((np.inf, np.inf, False), (90.0, np.inf, True), (np.inf, 90.0, True)):
        journey.outcome.relapse_day[row], journey.outcome.progression_day[row] = relapse, progression
        assert any("untreated" in text for text in story(One(journey, row))) == said


def test_who_was_not_infused_has_a_report_too(journey):
    row = int(np.flatnonzero(~journey.infused)[0])
    text = patient_page(journey, row)
    assert f"not infused: {journey.not_infused_reason[row]}" in text
    assert "no course after infusion" in text


def test_chances_are_counted_from_the_companions(synthetic):
    spread = synthetic.synthetic_journey(40, seed=5)
    rows = {name: (value, base) for name, value, base in chances(spread)}
    there = int(spread.infused.sum())
    remission = int(np.isin(spread.outcome.best_response[spread.infused], ["CR", "CRi"]).sum())
    assert rows["In remission (CR or CRi)"] == (f"{100 * remission / there:.0f} %", f"{remission} of {there} infused")
    assert "95 % interval" in rows["Overall survival at 12 months"][1]


def test_hostile_names_stay_text(synthetic):
    journey = synthetic.synthetic_journey(4, name="<img src=x onerror=alert(1)>")
    text = patient_page(journey, 0)
    assert "<img" not in text and "&lt;img" in text


def test_facts_of_a_step_use_words_and_units(journey):
    told = record_facts(journey.apheresis, 0, "apheresis")
    assert told[0] == f"CD3+ cells collected {float(f'{journey.apheresis.cd3[0] / 1e9:.3g}'):g} × 10⁹"
    assert told[1] == f"days of collection {journey.apheresis.days[0]:g}"


def test_refuses_a_patient_that_is_not_there(journey, tmp_path):
    with pytest.raises(InputError, match="no patient at position 30"):
        write_patient_report(journey, tmp_path / "p.html", 30)
    assert list(tmp_path.iterdir()) == []


def test_values_below_the_limit_are_said_to_be_below_it(synthetic):
    journey = synthetic.synthetic_journey(4)
    row = int(np.flatnonzero(journey.infused)[0])
    journey.course.values["transgene"][row] = 50.0
    below = {**journey.course.below_lloq, "transgene": np.ones(journey.course.values["transgene"].shape, dtype=bool)}
    marked = type(journey)(**{**vars(journey), "course": replace(journey.course, below_lloq=below)})
    assert day_table(One(marked, row))[1][3][1] == "<50"
    assert day_table(One(journey, row))[1][3][1] == "50"


def test_no_step_claims_what_did_not_happen(journey):
    row = int(np.flatnonzero(~journey.infused)[0])
    told = dict(steps(One(journey, row)))
    assert "Infusion" not in told and "Lymphodepletion" not in told and told["Not infused"]
    assert "Infusion" in dict(steps(One(journey, int(np.flatnonzero(journey.infused)[0]))))


def test_the_highest_day_of_the_story_is_that_of_the_table(journey):
    """Every reading of a day counts in both, not only the samples that a trial takes."""
    for row in np.flatnonzero(journey.infused)[:12]:
        one = One(journey, int(row))
        told = re.match(r"CAR T cells in blood were highest on day (\S+): (\S+) copies/µg DNA\.", story(one)[0])
        headers, rows = day_table(one)
        column = [title for title, _ in headers].index("CAR transgene")
        shown = {
            r[0]: float(r[column].replace(",", "")) for r in rows if r[column] not in ("–",) and "×" not in r[column]
        }
        assert told is not None and shown[told[1]] == max(shown.values()) == float(told[2].replace(",", ""))


def test_cells_that_were_never_measurable_have_no_highest_day(synthetic):
    journey = synthetic.synthetic_journey(10)
    row = int(np.flatnonzero(journey.infused)[0])
    course = journey.course
    below = {**course.below_lloq, "transgene": np.ones(course.shape, dtype=bool)}
    told = story(One(replace(journey, course=replace(course, below_lloq=below)), row))[0]
    assert re.fullmatch(r"CAR T cells in blood were never measurable \(below \S+ copies/µg DNA\)\.", told)
