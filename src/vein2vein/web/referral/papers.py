"""The papers of a referral as files: written into a folder of their own for a moment, and given away."""

from __future__ import annotations

import datetime
import io
import tempfile
import threading
import zipfile
from pathlib import Path

from vein2vein.errors import InputError
from vein2vein.explain.languages import Catalog
from vein2vein.explain.print_page import find_browser
from vein2vein.explain.referral import Case
from vein2vein.explain.referral_page import BUNDLE, PAGE, PRINT, write_referral
from vein2vein.web.referral.names import Wanted
from vein2vein.web.words import said

FOLDER, PATIENT = "referral.zip", "patient.toml"
KINDS = {
    PAGE: "text/html; charset=utf-8",
    PRINT: "application/pdf",
    BUNDLE: "application/fhir+json",
    FOLDER: "application/zip",
}
NO_BROWSER = said(
    "No Chromium, Chrome or Edge was found on this computer, so there is no PDF; show the papers and print them from "
    "your browser."
)
_printing = threading.Lock()  # one browser at a time


def papers(case: Case, catalog: Catalog, patient: str, wanted: Wanted) -> bytes:
    """Write the papers, and return one of them, or all in a folder (zip) with the patient's file.

    Parameters
    ----------
    case : Case
    catalog : Catalog
        The family's language.
    patient : str
        Text of the patient's file.
    wanted : str
        Name of the file.

    Raises
    ------
    InputError
        A PDF where no browser can print one.
    """
    browser = find_browser() if wanted in (PRINT, FOLDER) else None
    if wanted == PRINT and browser is None:
        raise InputError(NO_BROWSER)
    made = datetime.datetime.now().astimezone()
    with tempfile.TemporaryDirectory(prefix="vein2vein-") as place, _printing:
        folder = Path(place) / "referral"
        write_referral(case, folder, catalog=catalog, made=made, browser=browser)
        return _packed(folder, patient) if wanted == FOLDER else (folder / wanted).read_bytes()


def _packed(folder: Path, patient: str) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(folder.iterdir()):
            archive.write(path, f"{folder.name}/{path.name}")
        archive.writestr(f"{folder.name}/{PATIENT}", patient)
    return packed.getvalue()
