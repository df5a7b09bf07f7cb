"""What pages and figures do at the edges, on results small enough to count by hand."""

import re
from dataclasses import replace
from xml.etree import ElementTree

import numpy as np
import pytest

from vein2vein.analytes import all_analytes
from vein2vein.clinic.words import lineage_words
from vein2vein.journey.journey import NOT_ASKED
from vein2vein.report import facts
from vein2vein.report.figures import log_axis, render
from vein2vein.report.figures_kinetics import quality_figure
from vein2vein.report.figures_monitor import daily, follow_up, near_mark, timeline, treatments
from vein2vein.report.figures_patient import One, follow_up_figure, journey_figure
from vein2vein.report.figures_survival import estimate, landmark
from vein2vein.report.figures_toxicity import count_figure, inflammation_figure
from vein2vein.report.flow import stages
from vein2vein.report.look import look, looks, mark
from vein2vein.report.patient import day_table, eligibility
from vein2vein.therapy.course import Row, course_from_rows
from vein2vein.therapy.disease import find_disease
from vein2vein.ward.monitor import monitor

TREATMENTS = [name for name, one in all_analytes().items() if one.kind == "treatment"]


def watch(*rows):
    (found,) = monitor(course_from_rows(Row(0, *row, False, "measured", "r.csv:2") for row in rows), age=40, weight=70)
    return found


def words_in(svg):
    return [text for text in (one.text for one in ElementTree.fromstring(svg).iter("text")) if text]


@pytest.fixture(scope="module")
def small(synthetic):
    return synthetic.synthetic_journey(6)


def test_what_nobody_graded_is_not_gradable_on_every_day(small):
    bare = replace(small, findings={name: one for name, one in small.findings.items() if name != "icans"})
    days = small.course.days.size
    assert One(bare, 0).grade("icans").tolist() == [facts.NOT_GRADABLE] * days
    assert facts.grades(bare, "icans").tolist() == [[facts.NOT_GRADABLE] * days] * int(small.infused.sum())
    assert One(bare, 0).below("transgene").tolist() == [False] * days
    assert not facts.below_limit(bare, "transgene")


def test_a_day_without_any_reading_has_a_row_that_says_so(small):
    kept = small.course.days != 3.0
    kept &= small.course.days != 3.5
    course = small.course.at(small.course.days[kept])
    findings = {
        name: replace(one, days=one.days[kept], grade=one.grade[:, kept], at_least=one.at_least[:, kept])
        for name, one in small.findings.items()
    }
    _, rows = day_table(One(replace(small, course=course, findings=findings), 0))
    told = {row[0]: row[1:] for row in rows}
    width = len(told["4"]) - 3
    assert told["3"] == ["–"] * width + [facts.NOT_OBSERVED, facts.NOT_OBSERVED, ""]
    assert facts.NOT_OBSERVED not in told["4"]


def test_treatments_are_named_short_in_the_figures(small):
    """Up to the first comma or bracket, one line for each, in both figures that tick them."""
    course = small.course
    amounts = {name: np.where(course.days == 3.0, 1.0, 0.0) * np.ones((small.count, 1)) for name in TREATMENTS}
    one = One(replace(small, course=replace(course, values={**course.values, **amounts})), 0)
    picture = journey_figure(one)
    short = {name: re.split(r",| \(", all_analytes()[name].title)[0] for name in TREATMENTS}
    told = words_in(picture.svg)
    assert {short[name] for name in TREATMENTS if name != "antipyretic"} <= set(told)
    found = watch(*((3.0, name, 1.0) for name in TREATMENTS), (3.0, "temperature", 37.0))
    assert set(treatments(found)) == set(TREATMENTS)
    assert set(short.values()) <= set(words_in(timeline(found).svg))


def test_nobody_treated_no_treatments_in_the_figure(small):
    values = {name: known for name, known in small.course.values.items() if name not in TREATMENTS}
    picture = journey_figure(One(replace(small, course=replace(small.course, values=values)), 0))
    assert "Treatments" not in words_in(picture.svg) and "Worst grade of the day (ASTCT)" in words_in(picture.svg)


def test_every_sign_of_a_record_has_its_panel():
    early = ("temperature", "systolic_bp", "ice", "capd", "crp", "ferritin", "neutrophils", "platelets")
    late = ("transgene", "car_t_cells", "b_cells", "igg", "neutrophils", "platelets")
    found = watch(*((2.0, name, 1.0) for name in early), (3.0, "hemoglobin", 9.0))
    assert f"panels: {', '.join(early)}; treatments." in timeline(found).alt
    assert follow_up(found) is None
    found = watch(*((2.0, name, 1.0) for name in late), (46.0, "hemoglobin", 9.0))
    assert follow_up(found).alt == f"Panels over months: {', '.join(late)}."
    assert follow_up(watch((2.0, "igg", 500.0), (45.0, "igg", 400.0))) is None
    assert follow_up(watch((-2.0, "igg", 500.0), (46.0, "hemoglobin", 9.0))) is None
    assert timeline(watch((-2.0, "igg", 500.0))) is None


def test_after_a_death_nothing_of_a_record_is_drawn():
    early = [(float(day), "temperature", 38.5 + day / 10) for day in range(4)]
    late = [(6.0, "temperature", 41.7), (6.0, "tocilizumab", 400.0), (6.0, "crp", 300.0)]
    found = watch(*early, (3.0, "alive", 0.0), *late)
    assert "panels: temperature; treatments" in timeline(found).alt and treatments(found) == {}
    grades, _ = daily(found, "crs_astct", 14)
    assert (grades[4:] == facts.NOT_OBSERVED).all() and (grades[:4] != facts.NOT_OBSERVED).all()
    assert any("is not drawn" in note for note in found.notes)
    assert follow_up(watch((2.0, "igg", 500.0), (3.0, "alive", 0.0), (46.0, "igg", 9.0))).alt.endswith("igg.")
    assert follow_up(watch((2.0, "crp", 5.0), (3.0, "alive", 0.0), (46.0, "igg", 9.0))) is None


def test_the_window_of_a_record_begins_a_week_before_and_ends_a_day_after():
    rows = [(day, "dexamethasone", 4.0) for day in (-8.0, -7.0, -1.0, 2.0, 9.5)]
    found = watch(*rows, (9.6, "temperature", 37.0), (-8.0, "crp", 5.0))
    assert treatments(found, 8)["dexamethasone"] == [-7.0, -1.0, 2.0]
    assert treatments(found, 9)["dexamethasone"] == [-7.0, -1.0, 2.0, 9.5]
    assert treatments(watch((1.0, "crp", 5.0)), 9) == {}
    assert "panels: temperature; treatments" in timeline(found).alt  # the only C-reactive protein is older


def test_a_level_is_drawn_where_values_come_near_it():
    level = mark("neutrophils").value
    assert near_mark("neutrophils", np.array([level / 2])) and near_mark("neutrophils", np.array([2 * level]))
    assert near_mark("neutrophils", np.array([level / 9, level * 9]))
    assert not near_mark("neutrophils", np.array([level * 0.49])) and not near_mark(
        "neutrophils", np.array([level * 2.1])
    )
    assert not near_mark("age", np.array([1.0]))


def test_a_curve_of_many_events_is_thinned_from_the_first_to_the_last():
    most = int(look("figure", "most_steps"))
    time = np.arange(1.0, 3 * most + 1)
    curve = estimate(time, np.ones(time.size, dtype=bool), np.ones(time.size, dtype=bool), "OS", "infusion")
    assert curve.days[:2].tolist() == [0.0, 1.0] and curve.days[-1] == time[-1]
    assert curve.days.size == most + 1
    few = estimate(np.array([4.0, 9.0]), np.array([True, False]), np.array([True, True]), "OS", "infusion")
    assert few.days.tolist() == [0.0, 4.0, 9.0] and few.censored.tolist() == [9.0]


@pytest.mark.parametrize(
    ("last", "when"),
    [(1000.0, "12 months"), (300.0, "9 months"), (200.0, "6 months"), (100.0, "3 months"), (31.0, "1 month"),
     (29.5, "1 month"), (20.25, "day 20.2")],
)  # fmt: skip
def test_survival_is_told_at_the_longest_landmark_that_was_reached(last, when):
    curve = estimate(np.array([10.0, last]), np.array([True, False]), np.array([True, True]), "OS", "infusion")
    told = landmark(curve)
    assert (told.when, told.percent) == (when, "50 %")
    month = look("windows", "month")
    assert told.day == (last if when.startswith("day") else int(when.split()[0]) * month)
    assert [f"{m:g}" for m in looks("windows", "landmarks")] == ["12", "9", "6", "3", "1"]


def test_published_sizes_stand_in_the_flow_where_the_trial_has_none(synthetic):
    result = synthetic.synthetic_result(enrolled=6)
    assert (result.journey.status != 0).sum() == 1
    words = lineage_words("leukemia")
    first = facts.compared(result)[0]
    rows = [
        replace(first, quantity="n_screened", published=20.0, n=5.0),
        replace(first, quantity="n_enrolled", published=17),
        replace(first, quantity="n_screened", published=21.0, n=9.0),
        replace(first, quantity="n_infused", published=11.4, confidence="memory"),
    ]  # fmt: skip
    screened, enrolled, infused = stages(result.journey, words, rows, screened=9)[:3]
    assert (screened.headline, screened.details, screened.left) == (
        "Screened: 9",
        ("published: 21",),
        ("not eligible: 3",),
    )
    assert enrolled.headline == "Enrolled: 6" and enrolled.details == ("published: 17",)
    there = int(result.journey.infused.sum())
    assert infused.headline == f"Infused: {there} ({100 * there / 6:.0f} % of enrolled)"
    assert infused.details == ("of these 1 with a failed integration", "published: 11 (from memory)")
    sized = stages(result.journey, words, rows, size=(50, 40))
    assert sized[0].headline == "Enrolled: 6" and sized[0].details == ("published: 50",)
    assert sized[1].details == ("of these 1 with a failed integration", "published: 40 (80 %)")
    whole = replace(result.journey, status=np.zeros(6, dtype=int))
    assert [stage.details for stage in stages(whole, words, [])[:2]] == [(), ()]


def test_a_figure_is_nothing_but_shapes_and_words():
    def draw(figure):
        axes = figure.subplots()
        axes.fill_between([0, 1.23456], [0, 1], [2, 3], label="a")
        axes.legend()
        axes.set_title("Half & half <of it>")

    picture = render("own", "Title", 'Alt "text" & more', draw, height=2, caption="How")
    assert (picture.name, picture.title, picture.caption, picture.alt) == ("own", "Title", "How", 'Alt "text" & more')
    whole = ElementTree.fromstring(picture.svg)
    assert (
        whole.attrib["aria-label"] == picture.alt and whole.attrib["role"] == "img" and whole.attrib["class"] == "chart"
    )
    assert re.fullmatch(r"0 0 \d+(\.\d+)? 144", whole.attrib["viewBox"])
    names = {one.tag for one in whole.iter()}
    assert names <= {"svg", "g", "defs", "path", "use", "text", "clipPath", "rect"}
    for one in whole.iter():
        assert not (one.tail or "").strip() and (one.tag == "text" or not (one.text or "").strip())
        assert one.attrib.get("id", "own-").startswith("own-") and one.attrib.get("href", "#own-").startswith("#own-")
        if "clip-path" in one.attrib:
            assert one.attrib["clip-path"].startswith("url(#own-")
    drawn = [number for one in whole.iter("path") for number in re.findall(r"\.(\d+)", one.attrib["d"])]
    assert drawn and {len(number) for number in drawn} == {int(look("figure", "decimals"))}
    assert "Half & half <of it>" in words_in(picture.svg)
    assert "xmlns" not in picture.svg and "<!--" not in picture.svg and "XX" not in picture.svg


@pytest.mark.parametrize(
    ("low", "high", "told"),
    [
        (1e-6, 1e6, ["10⁻⁶", "10⁻⁴", "0.01", "1", "100", "10,000", "10⁶"]),
        (0.1, 100, ["0.1", "1", "10", "100"]),
    ],
)
def test_a_logarithmic_axis_is_labeled_in_plain_numbers(low, high, told):
    from matplotlib.figure import Figure

    axes = Figure().subplots()
    axes.set_ylim(low, high)
    log_axis(axes)
    axes.set_ylim(low, high)
    axes.figure.draw_without_rendering()
    low, high = (np.array([low, high]) * [0.99, 1.01]).tolist()
    ticks = zip(axes.yaxis.get_majorticklocs(), axes.yaxis.get_majorticklabels())
    assert [label.get_text() for at, label in ticks if low <= at <= high] == told


def test_a_follow_up_of_three_months_is_needed_for_its_figure(small):
    row = int(np.flatnonzero(small.infused)[0])
    ends = [replace(small.outcome, last_day=np.full(6, d), death_day=np.full(6, np.inf)) for d in (89.0, 90.0)]
    short, long = (follow_up_figure(One(replace(small, outcome=end), row)) for end in ends)
    assert short is None and long.title == "Follow-up to month 3"


@pytest.mark.parametrize(
    ("low", "high", "drawn"), [(2.0, 3.0, 2), (1.0, 4.0, 2), (2.0, 9.0, 1), (0.5, 3.0, 1), (0.5, 9.0, 0)]
)
def test_limits_are_drawn_where_they_are_the_same_for_all_and_fall_into_the_plot(low, high, drawn):
    values = np.array([1.0, 2.0, 3.0, 4.0, np.nan])
    row = facts.Quality("Viability", "%", values, np.full(5, low), np.array([high, np.nan, high, high, high]))
    picture = quality_figure([row])
    assert picture.svg.count("stroke-dasharray:") == drawn
    apart = replace(row, low=low + np.arange(5.0) / 10, high=high + np.arange(5.0) / 10)
    assert quality_figure([apart]).svg.count("stroke-dasharray:") == 0
    assert picture.alt == "Histograms of product quality: Viability median 2.5 %."
    assert quality_figure([replace(row, values=np.array([1.0, np.nan]))]) is None


def test_criteria_are_counted_and_named_one_by_one(small):
    record = small.eligibility
    names = [str(one) for one in record.criteria]
    met = np.ones_like(record.met)
    assert eligibility(replace(record, met=met), 0) == f"{len(names)} of {len(names)} criteria met"
    met[0, :2], met[0, 2:4] = 0, -1
    told = eligibility(replace(record, met=met), 0)
    assert told == (
        f"{len(names) - 4} of {len(names)} criteria met. not met: {names[0]}; {names[1]}. "
        f"Unknown: {names[2]}; {names[3]}"
    )
    met[0, 1], met[0, 3] = NOT_ASKED, NOT_ASKED
    told = eligibility(replace(record, met=met), 0)
    assert told == f"{len(names) - 4} of {len(names) - 2} criteria met. not met: {names[0]}. Unknown: {names[2]}"


@pytest.mark.parametrize("draw", [inflammation_figure, count_figure])
def test_what_was_measured_before_the_infusion_is_no_part_of_its_course(synthetic, draw):
    journey = synthetic.synthetic_journey(20)
    course = journey.course
    days = np.concatenate([[-0.5], course.days[1:]])
    told = []
    for before in (np.nan, 1e-3, 1e6):
        values = {name: np.hstack([np.full((20, 1), before), one[:, 1:]]) for name, one in course.values.items()}
        told.append(draw(replace(journey, course=replace(course, days=days, values=values))).alt)
    assert told[0] == told[1] == told[2]


def test_off_label_there_are_no_limits_of_a_label(small):
    low, high = facts.dose_limits(small)
    assert np.isfinite(low).all() and (low < high).all()
    (arm,) = small.arms
    other = replace(small, arms=(replace(arm, disease=find_disease("mm")),))
    assert np.isnan(facts.dose_limits(other)).all()
    assert np.isfinite(next(row for row in facts.quality(small) if row.title == "Viability").low).all()
