"""The web app in figures: start, memory while idle, weight of pages, their time with tabs and a job, quick answers.

    python benchmarks/web.py

Printed is one line of JSON for each figure, with what is aimed at. The load of the machine stands with the last.
"""

import gzip
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from pathlib import Path

PAGES = (
    "/",
    "/library",
    "/library/products",
    "/library/products/tisagenlecleucel",
    "/library/criteria/crs_astct_2019",
    "/jobs",
)
TABS, SECONDS, SLIDES, COMPANIONS = 20, 20, 40, 100


def main() -> None:
    """Measure everything."""
    with tempfile.TemporaryDirectory() as workspace:
        for what in ("first", "warm"):
            process, address, took = started(Path(workspace))
            tell(f"start to first page, {what}", round(took, 2), "s", 2 if what == "warm" else None)
            if what == "first":
                end(process)
        origin, opener = address.split("/?")[0], entered(address)
        time.sleep(3)
        tell("memory of the idle server", memory(process.pid), "MB", 200)
        weights = {page: weight(opener, origin, page) for page in PAGES}
        tell("heaviest page with style and scripts", max(weights.values()) / 1000, "kB", 60)
        end(process)
        add_job(Path(workspace))
        process, address, _ = started(Path(workspace))
        origin = address.split("/?")[0]
        tell(f"pages, {TABS} tabs and one job, p95", round(1000 * p95(tabs(address, origin))), "ms", 200)
        end(process)
        drag(Path(workspace) / "dragged")
    slides()
    print(json.dumps({"load": os.getloadavg(), "cores": len(os.sched_getaffinity(0))}))


def tell(what: str, value: float, unit: str, aim: float | None) -> None:
    """Print a figure."""
    print(json.dumps({"figure": what, "value": value, "unit": unit, "aim": aim}), flush=True)


def started(workspace: Path) -> tuple[subprocess.Popen[str], str, float]:
    """Start the app; return its process, its address, and the seconds until the first page was there."""
    begun = time.perf_counter()
    command = [sys.executable, "-m", "vein2vein", "app", "--no-browser", "--json", "--workspace", str(workspace)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    address = json.loads(process.stdout.readline())["address"]
    entered(address).open(address.split("?")[0]).read()
    return process, address, time.perf_counter() - begun


def entered(address: str) -> urllib.request.OpenerDirector:
    """A client that came in with the token."""
    with urllib.request.urlopen(address) as answer:
        cookie = answer.headers["set-cookie"].split(";")[0]
    opener = urllib.request.build_opener()
    opener.addheaders = [("cookie", cookie)]
    return opener


def end(process: subprocess.Popen[str]) -> None:
    """End the app."""
    process.terminate()
    process.wait()


def memory(pid: int) -> int:
    """Resident megabytes of a process and its children."""
    total = 0
    for one in (pid, *(int(p) for p in Path(f"/proc/{pid}/task/{pid}/children").read_text().split())):
        total += int(re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{one}/status").read_text())[1])  # pyright: ignore
    return total // 1024


def weight(opener: urllib.request.OpenerDirector, origin: str, page: str) -> int:
    """Bytes of a page with style and scripts as they are sent (scripts and style packed), charts apart."""
    text = opener.open(origin + page).read()
    found = set(re.findall(r'/static/[^"]+', text.decode()))
    return len(text) + sum(len(gzip.compress(opener.open(origin + one).read())) for one in found if "uplot" not in one)


def add_job(workspace: Path) -> None:
    """Let a job wait for the next start."""
    from vein2vein.web.jobs.table import add_job as add
    from vein2vein.web.workspace import Workspace

    opened = Workspace(workspace)
    add(opened, "jobs", "large_trial", "benchmark", {"trial": "eliana", "patients": 100_000, "seed": 1})
    opened.close()


def tabs(address: str, origin: str) -> list[float]:
    """Seconds of the pages that so many tabs ask for, each a page every second or so, while a job runs."""
    took: list[float] = []
    until = time.monotonic() + SECONDS

    def tab(number: int) -> None:
        opener, at = entered(address), number
        while time.monotonic() < until:
            begun = time.perf_counter()
            opener.open(origin + PAGES[at % len(PAGES)]).read()
            took.append(time.perf_counter() - begun)
            at += 1
            time.sleep(1)

    threads = [threading.Thread(target=tab, args=(i,)) for i in range(TABS)]
    for one in threads:
        one.start()
        time.sleep(1 / TABS)
    for one in threads:
        one.join()
    return took


DRAG = """([value]) => new Promise((done) => {
  const slider = document.querySelector('[data-log="f-scenario-dose"]'), first = document.getElementById("first");
  const begun = performance.now();
  new MutationObserver((_, seen) => {
    if (!first.querySelector("canvas")) return;
    seen.disconnect();
    requestAnimationFrame(() => requestAnimationFrame(() => done(performance.now() - begun)));
  }).observe(first, { childList: true, subtree: true });
  first.replaceChildren();
  slider.value = String(value);
  slider.dispatchEvent(new Event("input", { bubbles: true }));
})"""


def drag(workspace: Path) -> None:
    """A slider of the page of one patient: from the move to seven redrawn charts of 100 companions, in chromium."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        chromium = None
    if chromium is None:
        print(json.dumps({"figure": "slider to redrawn charts", "missing": "no chromium, or no playwright"}))
        return
    process, address, _ = started(workspace)
    took: list[float] = []
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1300, "height": 900})
        page.goto(address)
        page.wait_for_url(address.split("?")[0])
        page.goto(address.split("/?")[0] + "/patient")
        page.wait_for_selector("#whole table", timeout=120_000)
        for i in range(SLIDES + 3):
            took.append(page.evaluate(DRAG, [6 + i / 80]))
        browser.close()
    end(process)
    tell(f"slider to redrawn charts, {COMPANIONS} companions, p95", round(p95(took[3:])), "ms", 300)
    tell(f"slider to redrawn charts, {COMPANIONS} companions, median", round(statistics.median(took[3:])), "ms", None)


def slides() -> None:
    """Quick answers of a slider: the dose of 100 companions, from the question to plain data."""
    from vein2vein.web.quick import Quick

    quick, took = Quick(), []
    for i in range(SLIDES + 3):
        begun = time.perf_counter()
        quick.ask("slider", "web:simulated", {"dose": 1 + i / 20})
        took.append(time.perf_counter() - begun)
    quick.close()
    tell(f"quick answer, {COMPANIONS} companions, p95", round(1000 * p95(took[3:])), "ms", 300)
    tell(f"quick answer, {COMPANIONS} companions, median", round(1000 * statistics.median(took[3:])), "ms", None)


def simulated(asked, progress):
    """Simulate companions under a dose (in the warm process)."""
    import numpy as np

    from vein2vein.cards import parse_card
    from vein2vein.journey.chart import simulate
    from vein2vein.therapy.patient import example_patient_text, patient_from_card
    from vein2vein.trials.virtual_patients import companions

    known, _ = patient_from_card(parse_card(example_patient_text(), "patient"))
    spread = simulate(
        companions(known, COMPANIONS, 1), "tisagenlecleucel", dose=f"{asked['dose']}e6/kg", seed=1, progress=progress
    )
    values = spread.course.values["transgene"]
    return {"low": np.nanquantile(values, 0.05, axis=0), "high": np.nanquantile(values, 0.95, axis=0)}


def p95(values: list[float]) -> float:
    """The value below which 95 % lie."""
    return sorted(values)[int(0.95 * (len(values) - 1))]


if __name__ == "__main__":
    main()
