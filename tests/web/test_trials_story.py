"""A trial in a browser: form and file, a fault that leads to its line, an arm, a run, the outcome by arm, downloads."""

import stories

from vein2vein.trials.trial import trial_template_text


def test_from_the_first_click_to_the_download(browser, live, tmp_path):
    page, said = stories.reader(browser, live, viewport={"width": 1300, "height": 900})
    page.click("nav >> text=Trials")
    assert stories.violations(page) == []
    page.click("button:has-text('Start from the template')")
    page.wait_for_url("**/trials/*")
    page.fill("#f-trial-dose", "2e6/kg")
    page.keyboard.press("Tab")
    page.wait_for_selector("textarea#text:has-text('2e6/kg')")
    page.fill("#f-trial-product", "tisagenleucel")
    page.keyboard.press("Tab")
    page.wait_for_selector("#fault")
    assert stories.violations(page) == []
    page.click("#fault a")
    marked = page.evaluate(
        "() => { const t = document.getElementById('text'); return t.value.slice(t.selectionStart, t.selectionEnd); }"
    )
    assert 'product = "tisagenleucel"' in marked
    page.keyboard.type('product = "tisagenlecleucel"')
    page.wait_for_selector(".good")
    assert page.input_value("#f-trial-product") == "tisagenlecleucel", "what is typed in the file shows in the form"
    page.click("summary:text-matches('^Arms')")
    for i, (name, dose) in enumerate((("low", "5e5/kg"), ("usual", ""))):
        page.click("button[value=arms]")
        page.wait_for_selector(f"#f-arms-{i}-name")
        for field, value in (("name", name), ("size", "20"), ("dose", dose)):
            page.fill(f"#f-arms-{i}-{field}", value)
        page.keyboard.press("Tab")
        page.wait_for_selector(f"th:text-is('{name}')")
    page.click("button:text-is('Save')")
    page.wait_for_load_state()
    page.fill("#run-patients", "12")
    page.click("text=Run as a job")
    page.wait_for_url("**/runs/*")
    page.wait_for_selector("#outcome table", timeout=120_000)
    assert page.locator("#outcome thead th").all_inner_texts()[1:] == ["All arms", "Low", "Usual"]
    page.wait_for_selector(".files")
    assert stories.violations(page) == []
    for name in ("report.html", "outcomes.parquet", "nonmem.csv", "outcomes.csv"):
        with page.expect_download() as download:
            page.click(f".files a:text-is('{name}')")
        download.value.save_as(tmp_path / name)
        assert (tmp_path / name).stat().st_size > 500
    assert said == []
    page.click("text=Open the report")  # sandboxed: it may not even ask for a picture of its own
    page.wait_for_selector("h1:has-text('My trial')")
    page.context.close()


def test_a_run_is_canceled_and_goes_on(browser, live):
    page, _ = stories.reader(browser, live)
    page.goto(f"{live.origin}/trials")
    page.click("button:has-text('Start from the template')")
    page.wait_for_url("**/trials/*")
    page.select_option("#run-kind", "chunks")
    page.fill("#run-patients", "2000")
    page.click("text=Run as a job")
    page.wait_for_selector(".state.running")
    page.click("text=Cancel")
    page.wait_for_selector(".state.canceled")
    assert page.is_visible("text=Go on")
    page.once("dialog", lambda asked: asked.dismiss())
    page.click("text=Remove, with its results")
    assert page.is_visible(".state.canceled"), "it is asked about first"
    page.once("dialog", lambda asked: asked.accept())
    page.click("text=Remove, with its results")
    page.wait_for_url("**/jobs")
    page.context.close()


def test_a_run_does_not_lose_what_is_not_saved(browser, live):
    page, _ = stories.reader(browser, live)
    page.goto(f"{live.origin}/trials")
    page.click("button:has-text('Start from the template')")
    page.wait_for_url("**/trials/*")
    page.fill("#f-size-patients", "44")
    asked = []
    page.once("dialog", lambda one: (asked.append(one.message), one.dismiss()))
    page.click("text=Run as a job")
    assert "is not saved" in asked[0] and page.input_value("#f-size-patients") == "44"
    page.context.close()


def test_two_people_at_one_trial(browser, live):
    page, _ = stories.reader(browser, live)
    page.goto(f"{live.origin}/trials")
    page.click("button:has-text('Start from the template')")
    page.wait_for_url("**/trials/*")
    other = page.context.new_page()
    other.goto(page.url)
    for one, patients in ((other, "33"), (page, "44")):
        one.fill("#f-size-patients", patients)
        one.keyboard.press("Tab")
        one.click("button:text-is('Save')")
        one.wait_for_load_state()
    page.wait_for_selector(".problem:has-text('was changed elsewhere')")
    assert page.input_value("#f-size-patients") == "44", "what was typed stays"
    other.reload()
    assert other.input_value("#f-size-patients") == "33", "what was saved first is kept"
    page.context.close()


def test_narrow_printed_and_in_arabic(browser, live):
    page, said = stories.reader(browser, live, "ar", viewport={"width": 360, "height": 740})
    for address in ("/trials", f"/trials/{live.parts.workspace.add('trials', 'x', trial_template_text(), '.toml').id}"):
        page.goto(f"{live.origin}{address}")
        assert page.get_attribute("html", "dir") == "rtl" and stories.narrow(page) <= 0
        assert stories.violations(page) == []
    page.emulate_media(media="print")
    assert page.is_hidden("#text") and page.is_visible("table")
    assert said == []
    page.context.close()
