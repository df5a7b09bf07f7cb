"""The frame in a real browser: languages, keyboard, telephone, print, axe, charts, sliders, jobs, hostile sites."""

import http.server
import json
import re
import threading
import time
from pathlib import Path
from xml.etree import ElementTree

import pytest

AXE = (Path(__file__).parent / "vendor" / "axe.min.js").read_text(encoding="utf-8")
PAGES = [
    "/",
    "/jobs",
    "/library",
    "/library/products",
    "/library/products/tisagenlecleucel",
    "/library/criteria/iec_hs_2023",
    "/family",
    "/referral",
    "/trying",
    "/nowhere",
]
SMALL = """[...document.querySelectorAll('button, nav a, input, select')]
    .filter(e => e.offsetParent && e.type !== 'hidden' && e.getBoundingClientRect().height < 24)
    .map(e => e.outerHTML)"""
COLORS = """name => {
    const canvas = document.querySelector(`#${name} canvas`);
    return new Set(canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data).size;
}"""
PHONE = {"width": 360, "height": 740}


def until(page, script, seconds=20):
    """Wait until a script says so; the page's own policy allows no polling from inside."""
    end = time.monotonic() + seconds
    while not page.evaluate(script):
        assert time.monotonic() < end, script
        page.wait_for_timeout(30)


@pytest.fixture(scope="module")
def visitor(browser, live):
    """Come in as a reader does: contexts that are closed at the end, each with its console."""
    opened = []

    def enter(language="en", **more):
        context = browser.new_context(locale=language, **more)
        context.set_default_timeout(20_000)
        page = context.new_page()
        said = []
        page.on("console", lambda message: said.append(message.text) if message.type in ("error", "warning") else None)
        page.on("pageerror", lambda problem: said.append(str(problem)))
        page.goto(live.address)
        page.wait_for_url(live.origin + "/")
        page.said = said
        opened.append(context)
        return page

    yield enter
    for context in opened:
        context.close()


@pytest.fixture(scope="module")
def page(visitor):
    return visitor()


@pytest.fixture(scope="module")
def arabic(visitor):
    return visitor("ar")


def test_the_token_leaves_the_address_bar(page, live):
    assert page.url == live.origin + "/"
    page.go_back()
    assert live.token not in page.url, "nor does it stay in the history"
    page.goto(live.origin + "/")
    assert page.evaluate("document.cookie") == "", "no script reads the cookie"
    assert page.evaluate("[localStorage.length, sessionStorage.length]") == [0, 0]


def test_a_language_is_chosen_and_stays(visitor, live):
    page = visitor()
    assert page.get_attribute("html", "dir") == "ltr"
    page.goto(live.origin + "/library")
    page.click("button[value=ar]")
    page.wait_for_selector("html[dir=rtl]")
    assert page.url == live.origin + "/library" and page.get_attribute("html", "lang") == "ar"
    assert page.inner_text("h1") == "المكتبة" and page.get_attribute("button[value=ar]", "aria-pressed") == "true"
    brand, languages = page.locator(".brand").bounding_box(), page.locator(".languages").bounding_box()
    assert brand["x"] > languages["x"], "what begins stands right"
    page.goto(live.origin + "/jobs")
    assert page.get_attribute("html", "dir") == "rtl"
    page.click("button[value=en]")
    page.wait_for_selector("html[dir=ltr]")


def test_the_keyboard_alone_suffices(page, live):
    page.goto(live.origin + "/")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    assert page.locator(".skip").bounding_box()["x"] >= 0, "it shows when it has the focus"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    page.keyboard.press("Tab")
    width = page.evaluate("getComputedStyle(document.activeElement).outlineWidth")
    assert width == "3px", "the focus is visible"
    door = page.evaluate("document.activeElement.getAttribute('href')")
    page.keyboard.press("Enter")
    page.wait_for_url(live.origin + door)
    page.goto(live.origin + "/library")
    seen = set()
    for _ in range(40):
        page.keyboard.press("Tab")
        seen.add(page.evaluate("document.activeElement.getAttribute('href') || document.activeElement.value"))
    assert {"/library/products", "/library/criteria", "ar", "/jobs"} <= seen


@pytest.mark.parametrize("address", PAGES)
def test_axe_finds_nothing(page, arabic, live, address):
    for one in (page, arabic):
        one.goto(live.origin + address)
        one.evaluate("for (const one of document.querySelectorAll('details')) one.open = true")
        one.evaluate(AXE)
        found = one.evaluate(
            "axe.run(document, {runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']})"
        )
        told = [(v["id"], v["nodes"][0]["html"][:120], v["nodes"][0]["failureSummary"]) for v in found["violations"]]
        assert not told and len(found["passes"]) > 15


def test_axe_finds_nothing_in_the_dark_and_where_something_is_wrong(visitor, live):
    page = visitor(color_scheme="dark", viewport=PHONE)
    for address in ("/library/products/tisagenlecleucel", "/trying"):
        page.goto(live.origin + address)
        page.evaluate(AXE)
        assert not page.evaluate("axe.run().then(r => r.violations.map(v => v.id + ' ' + v.nodes[0].html))")
    page.fill("[name=dose]", "99")
    page.click("#sliders button.primary")
    page.wait_for_selector("[aria-invalid=true]")
    assert "expected a number from 0 to 10" in page.inner_text(".fault") and page.input_value("[name=dose]") == "99"
    page.evaluate(AXE)
    assert not page.evaluate("axe.run().then(r => r.violations.map(v => v.id + ' ' + v.nodes[0].html))")


@pytest.mark.parametrize("language", ["en", "ar"])
def test_a_narrow_telephone_shows_everything(visitor, live, language):
    page = visitor(language, viewport=PHONE, has_touch=True)
    for address in PAGES:
        page.goto(live.origin + address)
        assert page.evaluate("document.scrollingElement.scrollWidth") <= 360, address
        small = page.evaluate(SMALL)
        assert not small, "every target is large enough for a finger"


def test_a_page_prints_without_what_is_for_the_screen(page, live):
    page.goto(live.origin + "/library/criteria/iec_hs_2023")
    page.emulate_media(media="print")
    assert not page.is_visible(".top") and not page.is_visible(".languages") and page.is_visible("table")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    page.emulate_media(media="screen")
    assert page.pdf(prefer_css_page_size=True).startswith(b"%PDF")


def test_charts_are_drawn_and_saved(page, live):
    page.goto(live.origin + "/trying")
    for name in ("cells", "grades"):
        inked = page.evaluate(COLORS, name)
        assert inked > 10, name
    with page.expect_download() as saved:
        page.click("#cells [data-save=csv]")
    text = Path(saved.value.path()).read_text(encoding="utf-8")
    assert (
        saved.value.suggested_filename == "cells.csv"
        and text.splitlines()[0]
        == 'Day,"90 %, low (cells/uL)","90 %, high (cells/uL)",median (cells/uL),curve 2 (cells/uL)'
    )
    assert text.splitlines()[4] == "3,2,40,5,"
    with page.expect_download() as saved:
        page.click("#grades [data-save=png]")
    assert Path(saved.value.path()).read_bytes().startswith(b"\x89PNG")
    page.click("#cells summary")
    assert page.is_visible("#cells table")


@pytest.mark.parametrize("name", ["cells", "grades"])
def test_a_chart_is_saved_as_a_drawing(page, live, name):
    page.said.clear()  # what other tests of this page have asked for and not found
    page.goto(live.origin + "/trying")
    with page.expect_download() as saved:
        page.click(f"#{name} [data-save=svg]")
    assert saved.value.suggested_filename == f"{name}.svg"
    drawing = ElementTree.parse(saved.value.path()).getroot()
    told = json.loads(page.text_content(f"#{name} script"))
    texts = ["".join(one.itertext()) for one in drawing.iter("{http://www.w3.org/2000/svg}text")]
    assert texts.count(f"{told['title']} [{told['origin']}]") == 1 and told["x_label"] in texts
    numbers = [one for one in texts if re.fullmatch(r"[\d.,]+", one)]
    assert len(numbers) >= 4, "both axes have numbers"
    paths = [one.get("d") for one in drawing.iter("{http://www.w3.org/2000/svg}path")]
    if name == "cells":
        assert f"{told['y_label']} ({told['unit']})" in texts
        assert len([d for d in paths if d]) >= len(told["curves"]) + len(told["bands"])
        assert all(one["name"] in texts for one in told["bands"])
    else:
        cells = [one for one in drawing.iter("{http://www.w3.org/2000/svg}rect")]
        assert len(cells) >= len(told["rows"]) * len(told["x"]) and set(told["rows"]) <= set(texts)
    whole = ElementTree.tostring(drawing, encoding="unicode")
    assert not re.search("NaN|undefined|null|Infinity", whole)
    assert page.said == []


def test_a_slider_draws_anew_and_a_fault_leaves_the_page_as_it_was(page, live):
    page.goto(live.origin + "/trying")
    page.fill("[data-slider]", "4.2")
    page.wait_for_selector("#drawn figure canvas")
    assert page.input_value("[name=dose]") == "4.2" and "4.2 e6/kg" in page.inner_text("#drawn")
    page.fill("[name=dose]", "6")
    until(page, "document.querySelector('#drawn').innerText.includes('6 e6/kg')")
    assert page.input_value("[data-slider]") == "6", "slider and number are one thing"
    page.fill("[name=dose]", "11")
    page.wait_for_selector("#problem .problem")
    assert "expected a number from 0 to 10 e6/kg" in page.inner_text("#problem") and "6 e6/kg" in page.inner_text(
        "#drawn"
    )


def test_a_job_tells_how_far_it_is_and_is_canceled(page, live):
    page.goto(live.origin + "/trying")
    page.click("#jobs button")
    page.wait_for_url(re.compile("/jobs/[0-9a-f]{16}$"))
    until(page, "document.querySelector('progress').value > 0.05")
    first = page.evaluate("document.querySelector('progress').value")
    until(page, f"document.querySelector('progress').value > {first}")
    page.wait_for_selector(".state.done")
    assert page.is_visible("text=counted.txt")
    page.click("text=show")
    page.wait_for_url(re.compile("show=true"))
    assert page.evaluate("getComputedStyle(document.querySelector('p')).color") == "rgb(255, 0, 0)", (
        "shown as it was written"
    )
    page.goto(live.origin + "/trying")
    page.click("#jobs button")
    page.wait_for_selector(".state.running")
    page.click("text=Cancel")
    page.wait_for_selector(".state.canceled")
    assert page.is_visible("text=Begin again")


def test_a_file_that_is_too_large_is_told_before_it_is_sent(page, live, tmp_path):
    page.goto(live.origin + "/trying")
    page.evaluate("document.body.dataset.largest = 10")
    (tmp_path / "a.csv").write_text("a,b\n1,2\n3,4\n")
    page.set_input_files("#file", tmp_path / "a.csv")
    assert page.evaluate("document.querySelector('#file').validationMessage").startswith("This file is too large")
    page.evaluate("document.body.dataset.largest = 1000")
    page.set_input_files("#file", [])
    page.set_input_files("#file", tmp_path / "a.csv")
    with page.expect_download() as saved:
        page.click("#files button")
    assert Path(saved.value.path()).read_text() == "a,b\n1,2\n3,4\n"


EVIL = """<!DOCTYPE html><title>evil</title>
<iframe src="{app}/"></iframe><img src="{app}/.json"><script src="{app}/.json"></script>
<form id=f method=post action="{app}/language" target=t><input name=language value=ru></form><iframe name=t></iframe>
<script>
window.read = fetch("{app}/.json", {{credentials: "include"}}).then(r => r.text()).catch(e => "refused");
const sent = {{method: "POST", mode: "no-cors", credentials: "include", body: new URLSearchParams({{language: "ru"}})}};
window.sent = fetch("{app}/language", sent).then(() => "sent").catch(e => "refused");
document.getElementById("f").submit();
</script>"""


def test_another_site_can_neither_read_nor_change_nor_frame(visitor, live):
    """A page of another port of this machine: of the same site, so that the cookie goes along."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("content-type", "text/html")
            self.end_headers()
            self.wfile.write(EVIL.format(app=live.origin).encode())

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        page = visitor()
        page.goto(f"http://127.0.0.1:{server.server_port}/")
        assert page.evaluate("window.read") == "refused" and page.evaluate("window.sent") in ("sent", "refused")
        page.wait_for_load_state("networkidle")
        inside = [frame for frame in page.frames if frame != page.main_frame]
        assert all(
            "vein2vein" not in (frame.content() if frame.url.startswith("http") else "")
            or "Recent work" not in frame.content()
            for frame in inside
        )
        page.goto(live.origin + "/")
        assert page.get_attribute("html", "lang") == "en", "the language is as it was"
    finally:
        server.shutdown()
        server.server_close()


def test_no_page_says_anything_to_the_console(visitor, live):
    page = visitor()
    for address in PAGES[:-1]:
        page.goto(live.origin + address)
        page.wait_for_load_state("networkidle")
    assert page.said == []
