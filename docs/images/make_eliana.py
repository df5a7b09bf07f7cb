"""Draws docs/images/eliana.png, the picture of the README: figures of the report of ELIANA.

    python docs/images/make_eliana.py [CHROMIUM]

runs the trial as the README does, takes three figures of its report, and photographs them with a Chromium browser
(by default the one on the path) as wide as a report is read.
"""

import re
import subprocess
import sys
import tempfile
from pathlib import Path

import vein2vein as v2v

TARGET = Path(__file__).with_name("eliana.png")
FIGURES = ("kinetics", "tumor", "survival-efs")
WIDTH, MARGIN, CAPTION = 1120, 32, 150  # pixels of the page, of its margins, and of the words above a figure


def picture(page: str) -> tuple[str, int]:
    """A page of these figures alone, and its height in pixels."""
    style = re.search(r"<style>.*?</style>", page, re.S).group()
    found = [re.search(rf'<figure id="figure-{name}">.*?</figure>', page, re.S).group() for name in FIGURES]
    boxes = [[float(part) for part in re.search(r'viewBox="([^"]+)"', one).group(1).split()] for one in found]
    height = sum((WIDTH - 2 * MARGIN) * box[3] / box[2] + CAPTION for box in boxes)
    return f"<html><head><meta charset='utf-8'>{style}</head><body><main>{''.join(found)}</main></body></html>", height


def main() -> None:
    """Run the trial and photograph its figures."""
    result = v2v.run_trial("eliana")
    with tempfile.TemporaryDirectory() as folder:
        report, html = Path(folder) / "report.html", Path(folder) / "picture.html"
        v2v.write_trial_report(result, report)
        text, height = picture(report.read_text(encoding="utf-8"))
        html.write_text(text, encoding="utf-8")
        browser = sys.argv[1] if len(sys.argv) > 1 else "chromium"
        subprocess.run(
            [browser, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
             f"--window-size={WIDTH},{int(height)}", f"--screenshot={TARGET}", html.as_uri()],
            check=True, capture_output=True,
        )  # fmt: skip


if __name__ == "__main__":
    main()
