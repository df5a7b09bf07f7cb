"""What the tests of commands share."""

from pathlib import Path

import pytest

from vein2vein.therapy.patient import example_patient_text


@pytest.fixture
def patient(tmp_path, monkeypatch):
    """The example patient in an empty folder."""
    monkeypatch.chdir(tmp_path)
    Path("patient.toml").write_text(example_patient_text(), encoding="utf-8")
    return "patient.toml"
