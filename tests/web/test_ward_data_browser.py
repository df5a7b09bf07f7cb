"""The stories of the ward and of a study's data in a real browser, from the first click to the download."""

import re

import pytest
import test_browser
from test_browser import AXE, PHONE, SMALL, until
from test_data_door import STUDY

from vein2vein.io.record.read import example_record_text

visitor = test_browser.visitor
RULES = "axe.run(document, {runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']})"


@pytest.fixture(scope="module")
def page(visitor):
    return visitor()


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sent")
    (folder / "record.csv").write_text(example_record_text(), encoding="utf-8")
    (folder / "study.csv").write_text(STUDY, encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def record(page, live, files):
    page.goto(live.origin + "/ward")
    page.set_input_files("#file", files / "record.csv")
    page.get_by_role("button", name="Open", exact=True).click()
    page.wait_for_url(re.compile(r"/ward/[0-9a-f]{16}$"))
    return page.url


@pytest.fixture(scope="module")
def study(page, live, files):
    page.goto(live.origin + "/data")
    page.set_input_files("#file", files / "study.csv")
    page.get_by_role("button", name="Upload and check").click()
    page.wait_for_url(re.compile(r"/data/[0-9a-f]{16}$"))
    return page.url


def axe(page):
    page.evaluate("for (const one of document.querySelectorAll('details')) one.open = true")
    page.evaluate(AXE)
    found = page.evaluate(RULES)
    return [(v["id"], v["nodes"][0]["html"][:160], v["nodes"][0]["failureSummary"]) for v in found["violations"]]


def drawn(page, timeout=40):
    page.locator("figure.paper").first.scroll_into_view_if_needed()
    until(
        page,
        "[document.querySelector('figure.paper img')].every(one => one.complete && one.naturalWidth > 50)",
        timeout,
    )


def test_a_round_from_the_upload_to_the_handover(page, live, record, tmp_path):
    drawn(page)
    page.get_by_role("link", name="Enter a round").click()
    page.fill("#f-time", "2026-04-02T12:00")
    page.fill("#f-temperature", "390")
    page.get_by_role("button", name="Add this round and grade").click()
    page.wait_for_selector("[aria-invalid=true]")
    assert (
        "plausible range" in page.inner_text("#fault-temperature") and page.input_value("#f-time") == "2026-04-02T12:00"
    )
    page.fill("#f-temperature", "39.4")
    page.fill("#f-systolic_bp", "82")
    page.select_option("#f-oxygen_device", "room air")
    page.select_option("#f-arousal", "awake")
    for name in ("year", "month", "city", "command", "sentence", "count"):
        page.locator(f"[name='ice.{name}']").first.check()
    page.locator("[name='ice.hospital']").nth(1).check()
    page.locator("[name='ice.objects'][value='2']").check()
    page.get_by_role("button", name="Add this round and grade").click()
    page.wait_for_url(record + "/0")
    assert "grade 2" in page.inner_text("table.now tbody tr:first-child") and "ICE score 8" in page.inner_text(
        "table.now"
    )
    page.get_by_role("link", name="Attribute or override").click()
    page.select_option("#f-sign", "fever")
    page.fill("#f-author", "Dr. A")
    page.fill("#f-reason", "line infection")
    page.fill("#f-time", "2026-04-02T11:00")
    page.get_by_role("button", name="Add the decision").click()
    page.wait_for_url(re.compile("#decisions$"))
    assert "attributed to: line infection" in page.inner_text("main") and "Dr. A" in page.inner_text("main")
    page.get_by_role("link", name="Handover sheet", exact=True).click()
    assert page.inner_text("h1").startswith("Patient record") and "Tocilizumab" in page.inner_text("article")
    sheet = page.pdf(format="A4", prefer_css_page_size=True)
    assert len(re.findall(rb"/Type\s*/Page\b", sheet)) == 1, "one A4"
    page.go_back()
    with page.expect_download() as got:
        page.get_by_role("link", name="Findings (CSV)").click()
    got.value.save_as(tmp_path / "findings.csv")
    assert "crs_astct" in (tmp_path / "findings.csv").read_text(encoding="utf-8")
    assert page.evaluate("[localStorage.length, sessionStorage.length]") == [0, 0]
    page.get_by_role("button", name="Keep it in the workspace").click()
    page.wait_for_url(re.compile(r"/ward/[0-9a-f]{16}$"))
    kept = page.url
    page.goto(live.origin + "/")
    page.get_by_role("link", name="record.csv").first.click()
    assert page.url == kept
    page.get_by_role("button", name="Remove it from the workspace").click()
    page.wait_for_url(live.origin + "/ward")
    assert page.said == ["Failed to load resource: the server responded with a status of 422 (Unprocessable Entity)"]


INSIDE = """[...document.querySelectorAll('.with-unit')].filter(one => one.offsetParent).map(one => {
  const field = one.closest('.field').getBoundingClientRect(), last = one.lastElementChild.getBoundingClientRect();
  return [one.querySelector('input').name, last.right - field.right, one.querySelector('input').offsetWidth];
}).filter(([_, over, width]) => over > 1 || width < 60)"""


@pytest.mark.parametrize("wide", [360, 1200])
def test_numbers_and_units_of_a_round_stand_side_by_side(page, live, record, wide):
    before = page.viewport_size
    page.set_viewport_size({"width": wide, "height": 800})
    try:
        page.goto(record + "/0/round")
        assert page.evaluate(INSIDE) == []
        assert page.evaluate("document.documentElement.scrollWidth - window.innerWidth") <= 0
    finally:
        page.set_viewport_size(before)


def test_a_study_from_the_upload_to_its_tables(page, live, study, tmp_path):
    assert "fit for use" in page.inner_text("main")
    page.get_by_role("link", name="Explore").last.click()
    page.select_option("#time_unit", "d")
    page.fill("#by", "GROUP")
    page.get_by_role("button", name="Explore").click()
    page.wait_for_url(re.compile("by=GROUP"))
    drawn(page)
    assert "By GROUP" in page.inner_text("main") and "Cmax" in page.inner_text("main")
    with page.expect_download() as got:
        page.get_by_role("link", name="Each patient (CSV)").click()
    got.value.save_as(tmp_path / "individual.csv")
    assert len((tmp_path / "individual.csv").read_text(encoding="utf-8").splitlines()) == 7
    page.get_by_role("link", name="Fit and diagnostics").click()
    page.select_option("#model", "stein_2019")
    page.select_option("#time_unit", "d")
    page.get_by_role("button", name="Write the file").click()
    page.wait_for_selector("textarea")
    page.fill("textarea", page.input_value("textarea").replace("start = 9.3", "start = -9.3"))
    page.get_by_role("button", name="Fit", exact=True).click()
    page.wait_for_selector(".problem [class=place]")
    assert "found -9.3" in page.inner_text(".problem >> nth=0") and "start = -9.3" in page.input_value("textarea")


def test_axe_finds_nothing_in_english_and_arabic(visitor, live, files, study):
    english, arabic = visitor(), visitor("ar", color_scheme="dark", viewport=PHONE)
    english.goto(live.origin + "/ward")
    english.get_by_role("button", name="Open the example").click()
    english.wait_for_url(re.compile(r"/ward/[0-9a-f]{16}$"))
    record = english.url
    pages = [
        live.origin + "/ward",
        record,
        f"{record}/0/round",
        f"{record}/0/decide",
        live.origin + "/data",
        study,
        f"{study}/explore?time_unit=d",
        f"{study}/fit?model=stein_2019&time_unit=d",
    ]
    for address in pages:
        for one in (english, arabic):
            one.goto(address)
            assert not axe(one), address
        assert arabic.evaluate("document.documentElement.scrollWidth") <= PHONE["width"], address
        assert not arabic.evaluate(SMALL), address
    english.goto(f"{record}/0/round")
    english.get_by_role("button", name="Add this round and grade").click()
    english.wait_for_selector(".problem")
    assert not axe(english)
