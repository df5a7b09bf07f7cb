"""The doors of families and referrals in a real browser: each from its first click to what is saved and printed."""

import json
import zipfile
from pathlib import Path

import pytest

AXE = (Path(__file__).parent / "vendor" / "axe.min.js").read_text(encoding="utf-8")
RULES = "axe.run(document, {runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']})"
PHONE = {"width": 360, "height": 740}
SMALL = """[...document.querySelectorAll('main button, main nav a, main input:not([type=checkbox]), main select')]
    .filter(e => e.offsetParent && e.type !== 'hidden' && e.getBoundingClientRect().height < 24)
    .map(e => e.outerHTML)"""


@pytest.fixture(scope="module")
def enter(browser, live):
    """Come in as a reader of a language does."""
    opened = []

    def come(language="en", **more):
        context = browser.new_context(locale=language, **more)
        context.set_default_timeout(20_000)
        page = context.new_page()
        page.said = []
        page.on("console", lambda one: page.said.append(one.text) if one.type in ("error", "warning") else None)
        page.on("pageerror", lambda problem: page.said.append(str(problem)))
        page.goto(live.address)
        page.wait_for_url(live.origin + "/")
        opened.append(context)
        return page

    yield come
    for context in opened:
        context.close()


def saved(page, name, folder):
    """Click a link by its address's end and return the file that comes."""
    with page.expect_download(timeout=90_000) as found:
        page.click(f'a[href$="{name}"]')
    path = folder / found.value.suggested_filename
    found.value.save_as(path)
    return path


def whole(page, addresses, *, also=()):
    """Nothing is too wide, too small for a finger, or said to the console; axe finds nothing."""
    for address in addresses:
        page.goto(address)
        assert page.evaluate("document.scrollingElement.scrollWidth") <= page.viewport_size["width"], address
        assert not page.evaluate(SMALL), address
        page.evaluate("for (const one of document.querySelectorAll('details')) one.open = true")
        page.evaluate(AXE)
        found = page.evaluate(RULES)
        told = [(v["id"], v["nodes"][0]["html"][:160], v["nodes"][0]["failureSummary"]) for v in found["violations"]]
        assert not told, f"{address}: {told}"
    assert not page.said


def test_a_family_makes_its_page_prints_it_and_takes_it_along(enter, live, tmp_path, browser):
    page = enter("es", viewport={"width": 1200, "height": 900})
    page.click('main a[href="/family"]')
    page.fill("[name=age]", "once")
    page.fill("[name=name]", "Ana")
    page.select_option("[name=disease]", "pediatric_b_all")
    page.select_option("[name='explain.product']", "tisagenlecleucel")
    page.click("main form button.primary")
    page.wait_for_selector("#f-age-fault")
    assert page.input_value("[name=name]") == "Ana", "what was typed stays"
    page.fill("[name=age]", "11")
    page.fill("[name='explain.infusion_date']", "2027-01-10")
    page.click("main form button.primary")
    page.wait_for_selector(".weeks")
    there = page.url
    assert page.inner_text("h1") == "Ana" and "10 de enero de 2027" in page.inner_text("main")
    assert page.locator(".weeks .zero").inner_text().startswith("10")
    page.click("button[value=ar]")
    page.wait_for_selector("html[dir=rtl]")
    assert page.url == there, "the language changes and the page stays"
    page.emulate_media(media="print")
    assert not page.is_visible(".top") and not page.is_visible(".tabs") and page.is_visible(".weeks")
    page.emulate_media(media="screen")
    file = saved(page, "page.html?save=true", tmp_path)
    assert file.name == "family-tisagenlecleucel-ar.html"
    phone = browser.new_context(viewport=PHONE, java_script_enabled=False, offline=True)
    alone = phone.new_page()
    alone.goto(file.as_uri())
    assert alone.get_attribute("html", "dir") == "rtl" and alone.locator(".weeks td").count() >= 28
    assert alone.locator("body").evaluate("e => e.scrollWidth") <= 360
    phone.close()
    whole(enter("ar", viewport=PHONE, has_touch=True), [there + part for part in ("", "/ready", "/chances", "/facts")])
    whole(
        enter("en", viewport=PHONE, has_touch=True, color_scheme="dark"),
        [live.origin + "/family", there, there + "/chances"],
    )
    page.goto(there)
    page.evaluate("window.print = () => document.body.dataset.printed = 'yes'")
    page.click("[data-print]")
    assert page.get_attribute("body", "data-printed") == "yes"


def test_a_referral_goes_from_the_first_question_to_the_papers(enter, live, tmp_path):
    page = enter("en", viewport={"width": 1200, "height": 900})
    page.click('main a[href="/referral"]')
    page.fill("[name=name]", "A. Child")
    page.select_option("[name=disease]", "pediatric_b_all")
    page.fill("[name=age]", "11")
    page.select_option("[name='referral.language']", "Arabic")
    page.click("main form button.primary")
    typed = {
        "who": {"weight": "39", "referral.home": "Lima, Peru"},
        "disease": {"history.relapses": "2"},
        "treatments": {"referral.treatments": "2023: induction, complete remission\n2025: blinatumomab, CR"},
        "markers": {"antigens.CD19": "12000"},
        "organs": {"baseline.ferritin": "1200"},
        "records": {},
        "contacts": {"referral.navigator": "Ana Ruiz, +1 555 0100"},
    }
    for step, fields in typed.items():
        page.wait_for_url(f"**/intake/{step}")
        for name, value in fields.items():
            page.fill(f"[name='{name}']", value)
        if step == "records":
            page.check("input[value=letter]")
        page.click("main form button.primary")
    page.wait_for_selector(".verdict")
    there = page.url
    assert "tisagenlecleucel (Kymriah): met" in page.inner_text("main") and "Ana Ruiz" in page.inner_text("main")
    page.goto(there + "/papers")
    bundle = json.loads(saved(page, "referral.fhir.json", tmp_path).read_text(encoding="utf-8"))
    kinds = [one["resource"]["resourceType"] for one in bundle["entry"]]
    assert {"Patient", "Condition", "Procedure", "Observation", "DocumentReference"} == set(kinds)
    with zipfile.ZipFile(saved(page, "referral.zip", tmp_path)) as archive:
        assert sorted(archive.namelist()) == [
            f"referral/{one}" for one in ("patient.toml", "referral.fhir.json", "referral.html", "referral.pdf")
        ]
        assert archive.read("referral/referral.pdf").startswith(b"%PDF")
        papers = archive.read("referral/referral.html").decode()
    assert '<html lang="ar" dir="rtl">' in papers and "2023: induction, complete remission" in papers
    parts = ["", "/center", "/papers", "/intake/who", "/intake/treatments", "/intake/records", "/intake/more"]
    whole(enter("ar", viewport=PHONE, has_touch=True), [there + part for part in parts])
    whole(
        enter("en", viewport=PHONE, has_touch=True, color_scheme="dark"),
        [live.origin + "/referral", there, there + "/papers"],
    )
