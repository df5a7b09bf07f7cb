"""What the tests share: where the reference material is."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session", autouse=True)
def wide() -> Iterator[None]:
    """Tables as wide as in a file, however wide the terminal of whoever runs the tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("COLUMNS", raising=False)
        yield


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of reference material; tests that need it skip where it is absent."""
    folder = Path(os.environ.get("VEIN2VEIN_SHARED", ROOT.parent / "shared"))
    if not folder.is_dir():
        pytest.skip(f"reference material not found at {folder}; set VEIN2VEIN_SHARED")
    return folder


settings.register_profile("continuous", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("exploring", deadline=None)
# Continuous integration runs the same examples every time; a person's run looks for new ones.
settings.load_profile("continuous" if os.environ.get("CI") else "exploring")
