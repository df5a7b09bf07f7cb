"""Which charting library: the same drawing by each candidate, in a browser, with its time and its weight.

    npm pack uplot echarts @observablehq/plot d3 plotly.js-basic-dist-min   # then unpack each into FOLDER/<name>
    python benchmarks/charts.py FOLDER

FOLDER holds uplot, echarts, plot, d3 and plotly. Printed are the median milliseconds of a drawing until it can be read
back, those until the frame that shows it is there, and the kilobytes of the scripts, plain and compressed.
"""

import argparse
import gzip
import json
import os
import shutil
import statistics
from pathlib import Path

from playwright.sync_api import sync_playwright

SCRIPT = Path(__file__).with_name("charts.js")
NEEDS = {
    "uplot": ("uplot/dist/uPlot.iife.min.js", "uplot/dist/uPlot.min.css"),
    "uplot, one path": ("uplot/dist/uPlot.iife.min.js", "uplot/dist/uPlot.min.css"),
    "echarts": ("echarts/dist/echarts.min.js",),
    "plot": ("d3/dist/d3.min.js", "plot/dist/plot.umd.min.js"),
    "plotly": ("plotly/plotly-basic.min.js",),
}
REPEATS = 13


def main() -> None:
    """Measure every candidate that the folder holds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--browser", default=shutil.which("chromium"))
    parser.add_argument("--pictures", type=Path, help="Write a picture of each drawing into this folder.")
    asked = parser.parse_args()
    with sync_playwright() as play:
        browser = play.chromium.launch(
            executable_path=asked.browser, args=["--no-sandbox"] if os.geteuid() == 0 else []
        )
        for name, files in NEEDS.items():
            if not all((asked.folder / one).is_file() for one in files):
                print(json.dumps({"candidate": name, "missing": files}))
                continue
            page = browser.new_page(viewport={"width": 960, "height": 480})
            page.set_content("<!doctype html><div id=host></div>")
            for one in files:
                text = (asked.folder / one).read_text(encoding="utf-8")
                page.add_style_tag(content=text) if one.endswith(".css") else page.add_script_tag(content=text)
            page.add_script_tag(content=SCRIPT.read_text(encoding="utf-8"))
            bytes_ = b"".join((asked.folder / one).read_bytes() for one in files)
            told = {
                "candidate": name,
                "kB": round(len(bytes_) / 1000),
                "kB gzip": round(len(gzip.compress(bytes_)) / 1000),
            }
            for what in ("curves", "heat"):
                found = page.evaluate(f"measured({name!r}, {what!r}, {REPEATS})")
                if found is None:
                    told[what] = None
                    continue
                told[what] = {k: round(statistics.median(found[k]), 1) for k in ("took", "framed")} | {
                    "first": round(found["first"], 1)
                }
                if asked.pictures:
                    page.screenshot(path=asked.pictures / f"{name}-{what}.png")
            print(json.dumps(told), flush=True)
            page.close()
        browser.close()
    print(json.dumps({"load": os.getloadavg()}))


if __name__ == "__main__":
    main()
