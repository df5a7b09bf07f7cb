"""Every word and number of the pages, and everything that stands in the figures, against what was written once.

The files are made by tests/golden/report/make_report.py from results that no solver has a part in.
"""

import importlib.util
import json
import sys
from pathlib import Path

import numpy as np
import pytest

FOLDER = Path(__file__).parents[1] / "golden" / "report"
HOW = "if the change is meant, run tests/golden/report/make_report.py and read the difference"


@pytest.fixture(scope="module")
def made(synthetic):
    spec = importlib.util.spec_from_file_location("make_report", FOLDER / "make_report.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules["make_report"] = module
    spec.loader.exec_module(module)
    return module.everything()


def differences(found, expected, at=""):
    """Where two nested structures differ; numbers may differ in their fourth digit."""
    if isinstance(expected, dict) and isinstance(found, dict):
        if set(found) != set(expected):
            return [f"{at}: {sorted(set(found) ^ set(expected))}"]
        return [line for key in expected for line in differences(found[key], expected[key], f"{at}/{key}")]
    if isinstance(expected, list) and isinstance(found, list):
        if len(found) != len(expected):
            return [f"{at}: {len(found)} entries, expected {len(expected)}: {found} / {expected}"]
        return [line for i, pair in enumerate(zip(found, expected)) for line in differences(*pair, f"{at}/{i}")]
    numbers = all(isinstance(one, int | float) and not isinstance(one, bool) for one in (found, expected))
    same = np.isclose(found, expected, rtol=2e-3, atol=1e-9) if numbers else found == expected
    return [] if same else [f"{at}: {found!r}, expected {expected!r}"]


def test_pages_hold_what_they_held(made):
    expected = json.loads((FOLDER / "pages.json").read_text(encoding="utf-8"))
    found, _ = made
    assert set(found) == set(expected)
    for page, lines in expected.items():
        changed = [pair for pair in zip(found[page], lines) if pair[0] != pair[1]]
        assert not changed, f"{page}: {changed[:3]}; {HOW}"
        assert len(found[page]) == len(lines), f"{page}; {HOW}"


def test_figures_hold_what_they_held(made):
    expected = json.loads((FOLDER / "drawings.json").read_text(encoding="utf-8"))
    found = json.loads(json.dumps(made[1]))
    told = differences(found, expected)
    assert not told, "\n".join([*told[:10], HOW])
