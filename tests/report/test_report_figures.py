"""What the figures of a trial's and a patient's report show, on made-up journeys."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vein2vein.clinic.words import lineage_words
from vein2vein.report.figures_disease import (
    AFTER,
    BEFORE,
    DEAD,
    IN_RESPONSE,
    Lives,
    disease_figure,
    lives,
    shares,
    states,
    swimmers,
)
from vein2vein.report.figures_kinetics import kinetics_figure, spaced, visit_days
from vein2vein.report.figures_patient import One, follow_up_figure, journey_figure, tumor_name
from vein2vein.report.figures_toxicity import grade_figure, some_rows

INF = float("inf")


@pytest.fixture(scope="module")
def many(synthetic):
    return synthetic.synthetic_journey(97)


def of(*patients):
    return Lives(*(np.array(column, dtype=float) for column in zip(*patients)))


def test_a_patient_passes_from_response_to_relapse_to_death():
    one = of((28, 100, INF, 200, 200), (INF, INF, INF, INF, 150), (INF, 30, INF, 40, 40))
    found = states(one, np.array([0.0, 28.0, 99.0, 100.0, 151.0, 250.0]))
    assert found[0].tolist() == [BEFORE, IN_RESPONSE, IN_RESPONSE, AFTER, AFTER, DEAD]
    assert found[1].tolist() == [BEFORE] * 4 + [-1, -1], "who is no longer observed has no state"
    assert found[2].tolist() == [BEFORE, BEFORE, DEAD, DEAD, DEAD, DEAD]
    assert shares(one, np.array([28.0, 151.0]))[:, 0].tolist() == pytest.approx([2 / 3, 1 / 3, 0, 0])
    assert shares(one, np.array([151.0]))[:, 0].tolist() == [0, 0, 0.5, 0.5]


@given(
    st.lists(st.tuples(*[st.one_of(st.just(INF), st.floats(0, 2000))] * 4, st.floats(1, 2000)), min_size=1, max_size=40)
)
def test_shares_add_up_and_the_dead_stay_dead(patients):
    one = of(*patients)
    days = np.linspace(0, 2000, 50)
    part = shares(one, days)
    known = np.isfinite(part[0])
    assert np.allclose(part[:, known].sum(axis=0), 1)
    table = states(one, days)
    assert (np.diff((table == DEAD).astype(int), axis=1) >= 0).all()
    chosen = swimmers(one)
    assert len(set(chosen.tolist())) == len(chosen) == min(len(patients), 30)
    assert (np.diff(one.end[chosen]) <= 0).all(), "the longest observed stands first"


def test_the_figure_of_the_disease_tells_what_the_outcome_says(many):
    words = lineage_words("leukemia")
    picture, there, out = disease_figure(many, words), many.infused, many.outcome
    reached = there & np.isin(out.best_response, ["CR", "CRi"])
    back = reached & np.isfinite(np.minimum(out.relapse_day, out.progression_day))
    died = there & np.isfinite(out.death_day)
    said = f"{reached.sum()} of {there.sum()} infused reached remission (CR or CRi), {back.sum()} of them relapsed or "
    assert picture.caption.startswith(f"{said}progressed, {died.sum()} of all died in follow-up.")
    assert f"30 of {there.sum()} patients" in picture.caption and "30 patients, one line each" in picture.svg
    assert lives(many, words).end.size == there.sum()
    assert disease_figure(replace(many, infused=np.zeros(97, dtype=bool)), words) is None


@given(st.lists(st.integers(28, 5000), min_size=1, max_size=60, unique=True), st.integers(2, 20))
@settings(max_examples=50)
def test_visits_are_thinned_from_the_first_to_the_last(days, most):
    days = np.sort(np.array(days, dtype=float))
    found = spaced(days, most)
    assert found.size <= max(most, 1) and set(found) <= set(days)
    assert found[0] == days[0] and found[-1] == days[-1]


def test_after_day_28_the_cells_are_drawn_at_visits_only(many):
    visits = visit_days(many)
    wanted = {*many.plan.kinetics_samples, *many.plan.disease_visits}
    assert visits.size and set(visits) <= wanted and visits.min() >= 28
    picture = kinetics_figure(many, [])
    assert "Visits from day 28" in picture.svg and "single patients" not in picture.caption
    assert f"at {min(visits.size, 12)} visits" in picture.alt
    assert len(picture.svg) < 60_000, "no smear of single curves"


def test_the_heat_map_has_rows_that_can_be_seen(many):
    assert some_rows(np.arange(100), 40)[[0, -1]].tolist() == [0, 99]
    assert some_rows(np.arange(7), 40).tolist() == list(range(7))
    picture = grade_figure(many)
    assert f"Shown are 40 of {many.infused.sum()} patients" in picture.caption
    worst = many.findings["crs_astct"].grade[many.infused]
    days = np.floor(many.course.days)
    worst = worst[:, (days >= 0) & (days <= 28)].max(axis=1)
    for grade in (4, 3, 2, 1):
        if (count := int((worst == grade).sum())) and grade in worst:
            assert f"grade {grade} (n = {count})" in picture.svg, grade
    assert ">4</text>" in picture.svg, "the digit stands in its cell"


def after(journey, row, day):
    """The same journey, its patient dead on a day, with values that must not be drawn."""
    outcome = replace(journey.outcome, death_day=journey.outcome.death_day.copy(), last_day=np.full(24, 1826.25))
    outcome.death_day[row] = day
    late = journey.course.days > day
    values = {name: table.copy() for name, table in journey.course.values.items()}
    for table in values.values():
        table[row, late] = np.nan
    return replace(journey, outcome=outcome, course=replace(journey.course, values=values))


@pytest.mark.parametrize("day", [9.0, 20.3, 44.0, 200.0])
def test_nothing_is_drawn_after_death(synthetic, monkeypatch, day):
    """Neither the patient's curves, nor the band of companions who lived on."""
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.collections import PolyCollection

    journey = synthetic.synthetic_journey(24, seed=9)
    row = int(np.flatnonzero(journey.infused)[0])
    dead, drawn, usual = after(journey, row, day), [], FigureCanvasSVG.print_svg

    def kept(canvas, *args, **kinds):
        drawn.append(canvas.figure)
        return usual(canvas, *args, **kinds)

    monkeypatch.setattr(FigureCanvasSVG, "print_svg", kept)
    early = journey_figure(One(dead, row, journey))
    late = follow_up_figure(One(dead, row, journey))
    assert (late is not None) == (day > 90)
    ends = [day, day / 30.4375] if late else [day]
    for figure, end in zip(drawn, ends, strict=True):
        for axes in figure.axes:
            for line in axes.lines:
                x = np.asarray(line.get_xdata(), dtype=float)
                assert (x[np.isfinite(x)] <= max(end, 1) + 1e-6).all(), (axes.get_title("left"), end)
            for band in (one for one in axes.collections if isinstance(one, PolyCollection)):
                assert all(path.vertices[:, 0].max() <= np.floor(end) + 1 / 2 for path in band.get_paths())
    said = f"The patient died on day {day:.3g}; nothing is drawn after it."
    assert (said in early.caption) == (day < 45)
    if late:
        assert said in late.caption and f"died, day {day:.3g}" in late.svg


def test_who_lives_has_no_mark_of_an_end(synthetic):
    journey = synthetic.synthetic_journey(24, seed=9)
    row = int(np.flatnonzero(journey.infused)[0])
    outcome = replace(journey.outcome, death_day=np.full(24, INF), last_day=np.full(24, 1826.25))
    alive = One(replace(journey, outcome=outcome), row)
    for picture in (journey_figure(alive), follow_up_figure(alive)):
        assert "died" not in picture.caption + picture.svg and "last day observed" not in picture.svg


def test_a_lymphoma_is_followed_by_its_tumor_not_by_marrow_blasts(synthetic):
    from vein2vein.therapy.disease import all_diseases

    journey = synthetic.synthetic_journey(24, seed=9)
    both = {**journey.course.values, "metabolic_tumor_volume": np.full_like(journey.course.values["igg"], 5.0)}
    journey = replace(journey, course=replace(journey.course, values=both))
    assert tumor_name(One(journey, 0)) == "marrow_blasts"
    arm = replace(journey.arms[0], disease=all_diseases()["lbcl"])
    assert tumor_name(One(replace(journey, arms=(arm,)), 0)) == "metabolic_tumor_volume"
    bare = {name: one for name, one in journey.course.values.items() if name not in ("marrow_blasts", "mrd")}
    assert tumor_name(One(replace(journey, course=replace(journey.course, values=bare)), 0)) is None
