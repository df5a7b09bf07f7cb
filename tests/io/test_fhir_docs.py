"""The bundles that the docs show are read, whole."""

import re
from pathlib import Path

import numpy as np
import pytest

from vein2vein.io.record.read import read_record

ROOT = Path(__file__).resolve().parents[2]
BUNDLES = [
    block
    for page in sorted((ROOT / "docs").rglob("*.md"))
    for block in re.findall(r"^```json\n(.*?)^```", page.read_text(encoding="utf-8"), re.M | re.S)
    if '"resourceType"' in block
]


@pytest.mark.parametrize("block", BUNDLES)
def test_a_bundle_of_the_docs_is_read_and_nothing_of_it_set_aside(block, tmp_path):
    path = tmp_path / "docs.json"
    path.write_text(block, encoding="utf-8")
    record = read_record(path)
    first = {name: row[0][np.isfinite(row[0])][0] for name, row in record.course.values.items()}
    assert record.set_aside == () and record.facts.product == ("axicabtagene_ciloleucel",)
    assert first == {"temperature": 39.2, "oxygen_device": 1, "norepinephrine": 8}


def test_the_docs_show_a_bundle():
    assert BUNDLES
