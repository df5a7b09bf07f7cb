"""What the report's tests share: journeys that were never simulated."""

import importlib.util
from pathlib import Path

import pytest


def _load():
    spec = importlib.util.spec_from_file_location("synthetic_journeys", Path(__file__).with_name("synthetic.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def synthetic():
    """The module that makes synthetic journeys."""
    return _load()


@pytest.fixture(scope="session")
def result(synthetic):
    """A synthetic trial result of 97 patients."""
    return synthetic.synthetic_result()


@pytest.fixture(scope="session")
def trial_text(result):
    """Its report."""
    from vein2vein.report.trial import trial_page

    return trial_page(result)
