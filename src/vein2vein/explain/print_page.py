"""Pages as PDF, printed by a browser of the Chromium family where there is one: it shapes every script, offline."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from vein2vein.errors import InputError
from vein2vein.files import scratch_path

BROWSERS = (
    "chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "microsoft-edge", "msedge",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Microsoft Edge.app/Contents/MacOS/Microsoft Edge",
    "C:/Program Files/Google/Chrome/Application/chrome.exe",
    "C:/Program Files (x86)/Microsoft/Edge/Application/msedge.exe",
)  # fmt: skip
OFFLINE = ("--disable-background-networking", "--disable-sync", "--host-resolver-rules=MAP * ~NOTFOUND")
LONGEST = 120  # seconds


def find_browser(asked: str | Path | None = None) -> str | None:
    """Find a browser that prints; None where there is none.

    Raises
    ------
    InputError
        The one that was asked for is not there.
    """
    if asked is None:
        return next((found for name in BROWSERS if (found := shutil.which(name))), None)
    found = shutil.which(asked)
    if found is None:
        raise InputError(f"no browser '{asked}'; give the name or path of Chromium, Chrome or Edge (--browser).")
    return found


def print_pdf(page: Path, path: Path, browser: str, *, force: bool = False) -> Path:
    """Print an HTML file as PDF.

    Parameters
    ----------
    page, path : Path
    browser : str
        As ``find_browser`` gives it. It gets a profile of its own for the time of printing, and no network.
    force : bool

    Raises
    ------
    InputError
        The browser failed; nothing was written.
    """
    with scratch_path(path, force=force) as scratch, tempfile.TemporaryDirectory() as profile:
        root = ["--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []  # Chromium asks root for it
        command = [
            browser, "--headless", "--disable-gpu", "--no-first-run", "--no-pdf-header-footer", *root, *OFFLINE,
            f"--user-data-dir={profile}", f"--print-to-pdf={scratch.resolve()}", page.resolve().as_uri(),
        ]  # fmt: skip
        with contextlib.suppress(OSError, subprocess.TimeoutExpired):
            subprocess.run(command, capture_output=True, timeout=LONGEST, check=False)
        if not scratch.is_file() or not scratch.stat().st_size:
            raise InputError(f"'{browser}' printed nothing; print '{page}' from a browser by hand.", file=path)
    return path
