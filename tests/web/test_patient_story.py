"""One patient in a browser: drag, pin, compare, drop own points, save, download; also narrow, printed, in Arabic."""

import time

import stories

OWN = b"day,analyte,value,unit\n1,il6,120,pg/mL\n3,il6,900,pg/mL\n3,temperature,39.2,degC\n"
DRAG = """([name, by]) => {
  const one = document.querySelector(`[data-log="f-${name}"]`);
  one.value = String(Number(one.value) + by);
  one.dispatchEvent(new Event("input", { bubbles: true }));
}"""


def test_from_the_first_click_to_the_download(browser, live, tmp_path):
    page, said = stories.reader(browser, live, viewport={"width": 1300, "height": 900})
    page.click("nav >> text=One patient")
    page.wait_for_selector("#first figure canvas")
    page.fill("#f-scenario-companions", "20")
    page.wait_for_selector("#first :text('of 20 companions')")
    page.wait_for_selector("#whole table")
    page.click("#pin")
    page.wait_for_selector("#first .pinned")
    page.evaluate(DRAG, ["scenario-dose", -0.6])
    assert page.input_value("#f-scenario-dose").endswith("/kg")
    page.wait_for_selector("#whole h2:has-text('less the pinned')")
    page.set_input_files("#own-file", files=[{"name": "own.csv", "mimeType": "text/csv", "buffer": OWN}])
    page.wait_for_selector("#points .note:has-text('il6')")
    page.wait_for_selector("#first-il6 table caption:has-text('Points')", state="attached")
    page.click("#drop-points")
    page.wait_for_selector("#first-il6 table caption", state="detached")
    assert "dose=" in page.inner_text(".same code >> nth=0") or "dose=" in page.text_content(".same code >> nth=0")
    assert stories.violations(page) == []
    page.select_option("#f-scenario-product", "obecabtagene_autoleucel")
    page.wait_for_selector("#problem .problem, #first :text('obecabtagene')")
    page.select_option("#f-scenario-product", "tisagenlecleucel")
    page.wait_for_selector("#first :text('tisagenlecleucel')")
    page.click("text=Save this scenario")
    page.wait_for_url("**/patient/*")
    with page.expect_download() as download:
        page.click("text=Save this scenario as a file")
    download.value.save_as(tmp_path / "scenario.toml")
    assert 'product = "tisagenlecleucel"' in (tmp_path / "scenario.toml").read_text(encoding="utf-8")
    assert said == []
    page.context.close()


def test_a_slider_out_of_its_bounds_is_a_sentence_and_the_charts_stay(browser, live):
    page, _ = stories.reader(browser, live)
    page.goto(f"{live.origin}/patient")
    page.wait_for_selector("#first figure canvas")
    page.fill("#f-weight", "9000")
    page.wait_for_selector("#problem .problem:has-text('9000')")
    assert page.locator("#first figure").count() == 7
    page.fill("#f-weight", "40")
    page.wait_for_selector("#problem .problem", state="detached")
    page.context.close()


def test_another_product_just_before_the_rest_is_drawn(browser, live):
    """The whole follow-up of the product before must not take the place of the drawing of this one."""
    page, _ = stories.reader(browser, live)
    page.goto(f"{live.origin}/patient")
    page.wait_for_selector("#whole table")

    def slowly(route):
        time.sleep(0.9)  # longer than the rest after which the whole follow-up is asked for
        route.continue_()

    page.route("**/patient/draw", slowly)
    page.evaluate("() => document.querySelector('#first .told').classList.add('old')")
    page.fill("#f-weight", "31")
    page.wait_for_selector("#first .told:not(.old)")
    page.select_option("#f-scenario-product", "obecabtagene_autoleucel")
    page.wait_for_selector("#problem .problem, #first :text('obecabtagene')")
    page.context.close()


def test_on_a_telephone_the_charts_come_first_and_the_form_opens(browser, live):
    page, said = stories.reader(browser, live, "en", viewport={"width": 360, "height": 740})
    page.goto(f"{live.origin}/patient")
    page.wait_for_selector("#first figure canvas", timeout=240_000)
    top = page.evaluate("document.querySelector('#first figure').getBoundingClientRect().top + scrollY")
    assert top < 2 * 740, "the first chart is reached by one swipe"
    assert page.is_hidden("#f-age") and page.is_visible("#asked > summary")
    page.click("#asked > summary")
    assert page.is_visible("#f-age")
    page.set_viewport_size({"width": 1200, "height": 740})
    page.wait_for_selector("#asked > summary", state="hidden")
    assert page.is_visible("#f-age"), "beside the charts the form is always there"
    assert said == []
    page.context.close()


def test_narrow_printed_and_in_arabic(browser, live):
    page, said = stories.reader(browser, live, "ar", viewport={"width": 360, "height": 740})
    page.goto(f"{live.origin}/patient")
    page.wait_for_selector("#first figure canvas")
    page.wait_for_selector("#whole table")
    assert page.get_attribute("html", "dir") == "rtl" and stories.narrow(page) <= 0
    assert stories.violations(page) == []
    page.emulate_media(media="print")
    assert page.is_hidden("#scenario") and page.is_visible("#first")
    assert said == []
    page.context.close()
