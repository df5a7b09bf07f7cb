import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest

from vein2vein.clinic.words import lineage_words
from vein2vein.report import facts
from vein2vein.report.fit import within
from vein2vein.report.flow import counts, stages
from vein2vein.report.trial import beside, gap, grade_rows, quality_rows, trial_page, write_trial_report

SECTIONS = (
    "fit", "flow", "product", "kinetics", "tumor", "toxicity", "treatments", "inflammation", "counts", "aplasia",
    "survival", "comparison", "failures", "assumptions", "provenance",
)  # fmt: skip
FIGURES = (
    "flow", "quality", "kinetics", "tumor", "grades", "treatments", "inflammation", "counts", "aplasia", "survival-efs",
    "survival-os", "comparison",
)  # fmt: skip
VOID = {"meta", "br", "hr", "img", "link", "input"}


class Page(HTMLParser):
    """Collects tags, ids, addresses and the text outside of scripts; complains about tags that do not close."""

    def __init__(self):
        super().__init__()
        self.open, self.ids, self.addresses, self.tags = [], [], [], []

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        self.tags.append((tag, attrs))
        if tag not in VOID:
            self.open.append(tag)
        self.ids += [attrs["id"]] if "id" in attrs else []
        self.addresses += [attrs[k] for k in ("src", "href", "data", "poster", "action", "xlink:href") if k in attrs]

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        assert self.open and self.open[-1] == tag, f"</{tag}> closes {self.open[-3:]}"
        self.open.pop()


def read(text):
    page = Page()
    page.feed(text)
    assert page.open == []
    return page


def test_every_section_and_figure_is_there(trial_text):
    page = read(trial_text)
    for section in SECTIONS:
        assert section in page.ids, section
        assert f"#{section}" in page.addresses, section
    for figure in FIGURES:
        assert f"figure-{figure}" in page.ids, figure


def test_loads_nothing_from_outside(trial_text):
    page = read(trial_text)
    assert all(a.startswith(("#", "data:image/png;base64,")) for a in page.addresses)
    tags = {tag for tag, _ in page.tags}
    assert not tags & {"script", "link", "iframe", "object", "embed", "img"}
    assert "@import" not in trial_text and "@font-face" not in trial_text
    assert not re.search(r"url\((?!#)", trial_text)


def test_ids_are_unique_and_references_inside_figures_resolve(trial_text):
    page = read(trial_text)
    assert len(page.ids) == len(set(page.ids))
    wanted = {a[1:] for a in page.addresses if a.startswith("#")} | set(re.findall(r"url\(#([^)]+)\)", trial_text))
    assert wanted <= set(page.ids)


def test_accessible_structure(trial_text):
    page = read(trial_text)
    assert ("html", {"lang": "en"}) in page.tags
    count = [tag for tag, _ in page.tags]
    assert count.count("h1") == 1
    assert count.count("table") == count.count("caption")
    assert count.count("figure") == count.count("figcaption")
    charts = [a for t, a in page.tags if t == "svg"]
    assert charts and all(a.get("role") == "img" and len(a.get("aria-label", "")) > 30 for a in charts)


def test_says_what_it_is(trial_text):
    assert "not a medical device" in trial_text
    assert "never replaces" in trial_text


def test_figures_stay_small(trial_text):
    for figure in re.findall(r"<figure.*?</figure>", trial_text, re.S):
        assert len(figure) < 400_000


def test_a_hostile_name_stays_text(synthetic):
    evil = "<script>alert('x')</script> $a_b"
    result = synthetic.synthetic_result(name=evil)
    rows = [replace(row, definition=evil) for row in result.comparison]
    text = trial_page(replace(result, trial=replace(result.trial, title=evil), comparison=tuple(rows)))
    assert "<script" not in text
    assert "&lt;script&gt;" in text
    read(text)


def test_missing_rows_give_their_reason_and_memory_rows_stand_apart(trial_text):
    assert "missing: adverse events other than CRS and ICANS are not simulated" in trial_text
    read_table, memory_table = trial_text.split("known from memory only")
    assert "qPCR geometric mean" in memory_table and "qPCR geometric mean" not in read_table
    assert "Maude 2018, NEJM 378:439" in trial_text


def test_failed_integrations_are_counted_and_listed(trial_text, result):
    failed = facts.failures(result.journey)
    assert [number for number, _ in failed] == [8]
    part = trial_text.split('id="failures"')[1].split("<section")[0]
    assert "failed for 1 of 97 patients" in part
    assert '<th scope="row">8</th>' in part


def test_assumed_numbers_are_counted_with_their_reason(trial_text):
    part = trial_text.split('id="assumptions"')[1].split("<section")[0]
    assert "1 of the 2 numbers in force are assumed" in part
    assert "No trial reports it" in part
    assert "assay error not added" in part


def test_provenance_is_complete(trial_text, result):
    part = trial_text.split('id="provenance"')[1]
    told = {**result.provenance, "trial": "eliana"}
    for name, value in told.items():
        shown = ", ".join(value) if isinstance(value, list) else str(value)
        assert f"<dt>{name.replace('_', ' ')}</dt><dd>{shown}</dd>" in part


def test_flow_adds_up(result):
    words = lineage_words("leukemia")
    n = counts(result.journey, words)
    assert n.enrolled == n.infused + sum(n.not_infused.values())
    assert n.infused == sum(n.best.values())
    assert n.reached == sum(count for name, count in n.best.items() if name in ("CR", "CRi"))
    listed = stages(result.journey, words, [], screened=120, size=(97, 79))
    assert listed[0].headline == "Screened: 120" and listed[0].left == ("not eligible: 23",)
    assert "published: 79 (81 %)" in listed[2].details


def test_grades_of_a_day_are_the_worst_and_unknown_is_not_zero(synthetic):
    journey = synthetic.synthetic_journey(20)
    row = int(np.flatnonzero(journey.infused)[0])
    days = journey.course.days
    table = journey.findings["icans"].grade
    table[row] = 0
    table[row, (days == 3.0)] = 1
    table[row, (days == 3.5)] = 3
    table[row, (days == 5.0) | (days == 5.5)] = -1
    journey.outcome.death_day[row] = 10.0
    found = facts.daily_worst(journey, "icans", 28)[0]
    assert found[3] == 3
    assert found[4] == 0
    assert found[5] == facts.NOT_GRADABLE
    assert found[10] == 0 and (found[11:] == facts.NOT_OBSERVED).all()


def test_heat_map_orders_by_worst_grade_then_onset():
    from vein2vein.report.figures_toxicity import patient_order

    crs = np.array([[0, 0, 1, 1], [0, 3, 3, 0], [0, 0, 0, 0], [3, 0, 0, 0], [1, 0, 0, 0]])
    assert patient_order(crs).tolist() == [3, 1, 4, 0, 2]


def test_grade_shares_leave_out_the_ungradable(synthetic):
    journey = synthetic.synthetic_journey(20)
    row = int(np.flatnonzero(journey.infused)[0])
    journey.findings["icans"].grade[row] = -1
    _, cells, gradable = next(r for r in grade_rows(journey) if r[0].startswith("ICANS"))
    assert gradable == str(int(journey.infused.sum()) - 1)
    assert sum(int(c.split()[0]) for c in cells) == int(gradable)


def test_quality_is_of_the_infused_dose(result):
    dose = next(r for r in quality_rows(result.journey) if r["title"] == "Dose per kg")
    assert dose["count"] == str(int(result.journey.infused.sum()))
    known = result.journey.infusion.per_kg[result.journey.infused]
    assert float(dose["median"]) == pytest.approx(np.median(known) / 1e6, rel=0.01)


def test_comparison_says_inside_outside_or_missing(result):
    rows = {(r.quantity, r.definition): r for r in facts.compared(result)}
    year = rows["EFS_rate", "t=12mo"]
    assert (year.low, year.published, year.high) == (pytest.approx(49.5), 50, pytest.approx(60.5))
    assert within(year) == "inside" and gap(year) == "+5"
    assert within(replace(year, published=49.4)) == within(replace(year, published=60.6)) == "outside"
    assert within(replace(year, published=year.low)) == within(replace(year, published=year.high)) == "inside"
    assert within(replace(year, published=float("nan"))) == within(replace(year, low=float("nan"))) == ""
    assert gap(replace(year, simulated=48)) == "−2" and gap(replace(year, simulated=float("inf"))) == ""
    cmax = rows["Cmax_gmean", "qPCR geometric mean"]
    assert (cmax.low, cmax.high) == (27000, 33000) and within(cmax) == "outside"
    assert within(rows["AE_related_ge3_rate", "grade 3-4 adverse events"]) == "missing"


def test_landmarks_are_those_of_the_trial_file(result):
    days = [r.day for r in facts.compared(result) if r.quantity == "EFS_rate"]
    assert days == pytest.approx([6 * 30.4375, 12 * 30.4375, 36 * 30.4375])
    stated = result.trial.published[0]
    assert facts.landmark_day(stated) is None
    assert facts.landmark_day(replace(stated, arguments={"day": 180.0})) == 180
    assert facts.landmark_day(replace(stated, time=28.0, arguments={"day": 180.0})) == 28


def test_the_published_figure_beside_a_simulated_one_is_the_best_there_is(result):
    row = next(r for r in facts.compared(result) if r.quantity == "CR_CRi_rate")
    recalled = replace(row, confidence="memory", published=1.0)
    bare = replace(row, published_low=float("nan"), published=2.0)
    fewer = replace(row, n=20.0, published=3.0)
    unknown = replace(row, n=float("nan"), published=4.0)
    second = replace(row, quantity="ORR", published=5.0)
    rows = [second, recalled, bare, unknown, fewer, row]
    found = facts.published(rows, "CR_CRi_rate", "ORR")
    assert [r.published for r in found] == [82, 3, 4, 2, 5, 1]
    assert beside(rows, "CR_CRi_rate", "ORR") == " (published 82 %, 72 to 90)"
    assert beside([bare], "CR_CRi_rate") == " (published 2 %)"
    assert beside([recalled], "CR_CRi_rate") == " (published 1 %, 72 to 90, from memory)"
    assert beside(rows, "none") == ""
    dated = [replace(row, day=365.0), replace(row, day=350.0), replace(row, day=351.0)]
    assert [r.day for r in facts.published(dated, "CR_CRi_rate", day=365.25)] == [365, 351]


def test_survival_curve_of_a_hand_counted_example():
    from vein2vein.report.figures_survival import estimate, on_day

    time = np.array([10.0, 20.0, 20.0, 40.0, np.nan])
    event = np.array([True, True, False, False, False])
    curve = estimate(time, event, np.array([True, True, True, True, False]), "OS", "infusion")
    assert curve is not None and curve.n == 4
    assert on_day(curve, 9.0)[0] == 1
    assert on_day(curve, 10.0)[0] == pytest.approx(3 / 4)
    assert on_day(curve, 30.0)[0] == pytest.approx(3 / 4 * 2 / 3)
    assert on_day(curve, 30.0)[1] < 1 / 2 < on_day(curve, 30.0)[2]
    assert on_day(curve, 41.0)[0] == on_day(curve, 40.0)[0] and np.isnan(on_day(curve, 41.1)[0])
    assert curve.at_risk[0] == 4 and curve.at_risk[1] == 1


@pytest.mark.parametrize("kept", [0, 1])
def test_a_trial_with_hardly_anybody_infused_is_reported(synthetic, kept):
    result = synthetic.synthetic_result(enrolled=6)
    infused = np.arange(6) < kept
    outcome = replace(result.journey.outcome, best_response=np.where(infused, "CR", ""))
    reason = np.where(infused, "", "progression")
    journey = replace(result.journey, infused=infused, not_infused_reason=reason, outcome=outcome)
    text = trial_page(replace(result, journey=journey))
    read(text)
    assert f"{kept} infused" in text


def test_writes_once(result, trial_text, tmp_path, monkeypatch):
    from vein2vein.report import trial

    monkeypatch.setattr(trial, "trial_page", lambda _: trial_text)
    path = write_trial_report(result, tmp_path / "report.html")
    assert path.read_text(encoding="utf-8") == trial_text
