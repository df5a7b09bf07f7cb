"""What the report's tests share: the report of a trial that was never simulated."""

import pytest


@pytest.fixture(scope="session")
def result(synthetic):
    """A synthetic trial result of 97 patients."""
    return synthetic.synthetic_result()


@pytest.fixture(scope="session")
def trial_text(result):
    """Its report."""
    from vein2vein.report.trial import trial_page

    return trial_page(result)
