"""What the stories of the doors share: a reader in a browser, and axe on what is shown."""

from pathlib import Path

AXE = Path(__file__).parent / "vendor" / "axe.min.js"


def reader(browser, live, language="", **how):
    """Open the app as its owner does, in a language; console messages and errors are kept in ``said``."""
    context = browser.new_context(accept_downloads=True, **how)
    page = context.new_page()
    page.set_default_timeout(30_000)
    said = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda problem: said.append(str(problem)))
    page.goto(live.address)
    page.wait_for_url(f"{live.origin}/")
    if language:
        page.click(f"button[name=language][value={language}]")
        page.wait_for_load_state()
    return page, said


def violations(page):
    """What axe finds wrong, in words."""
    session = page.context.new_cdp_session(page)
    session.send("Page.setBypassCSP", {"enabled": True})
    page.evaluate(AXE.read_text(encoding="utf-8"))
    found = page.evaluate("() => axe.run(document, {resultTypes: ['violations']})")
    return [f"{one['id']}: {one['nodes'][0]['html'][:160]} ({len(one['nodes'])})" for one in found["violations"]]


def narrow(page):
    """By how much the page is wider than the window."""
    return page.evaluate("() => document.documentElement.scrollWidth - window.innerWidth")
