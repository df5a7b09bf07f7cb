"""Which value of one moment holds: corrected over final over preliminary; what was there before is told."""

import json

import pytest

from vein2vein.io.record.fhir.bundle import read_entries
from vein2vein.io.record.mapping import TableMapping
from vein2vein.io.record.record import Log


def counts(b, **more):
    """Platelets that are read, and everything that was said."""
    log = Log("b.json")
    found = read_entries(
        json.dumps({"resourceType": "Bundle", "type": b.kind, "entry": b.entries}), TableMapping(), log
    )
    return [e.value for e in found if e.name == "platelets"], " ".join([*map(str, log.items), *log.notes])


def two(bundle, one, other, **ids):
    b = bundle().observation("718-7", 9, "g/dL")
    for value, status, more in (one, other):
        b.observation("777-3", value, "10*9/L", status=status, **more)
    return b


@pytest.mark.parametrize("turn", [1, -1])
@pytest.mark.parametrize("same_id", [True, False])
@pytest.mark.parametrize(
    ("first", "second", "holds"),
    [
        ((18, "preliminary"), (80, "corrected"), 80),
        ((18, "preliminary"), (80, "amended"), 80),
        ((18, "preliminary"), (80, "final"), 80),
        ((80, "registered"), (18, "final"), 18),
        ((12, "final"), (80, "corrected"), 80),
        ((80, "final"), (12, "amended"), 12),
    ],
)
def test_the_later_status_holds_in_any_order_and_the_earlier_value_is_told(bundle, first, second, holds, same_id, turn):
    number = {"id": "a1"} if same_id else {}
    found, said = counts(two(bundle, *[(*one, number) for one in (first, second)][::turn]))
    assert found == [holds]
    assert f"was {first[0]} 10*9/L" in said and f"now {second[0]} 10*9/L" in said


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ({"meta": {"lastUpdated": "2026-03-07T08:00:00Z"}}, {"meta": {"lastUpdated": "2026-03-09T08:00:00+01:00"}}),
        ({"meta": {"versionId": "9"}}, {"meta": {"versionId": "10"}}),
        ({"issued": "2026-03-07T08:00:00Z"}, {"issued": "2026-03-07T09:00:00Z"}),
    ],
)
@pytest.mark.parametrize("turn", [1, -1])
def test_the_later_version_holds(bundle, old, new, turn):
    listed = [(12, "final", {"id": "a", **old}), (80, "final", {"id": "a", **new})][::turn]
    found, said = counts(two(bundle, *listed))
    assert found == [80] and "was 12 10*9/L" in said


def test_a_version_that_voids_takes_the_value_away_and_is_counted(bundle):
    found, said = counts(two(bundle, (12, "final", {"id": "a"}), (12, "entered-in-error", {"id": "a"})))
    assert found == [] and "Observation entered-in-error (1)" in said


def test_a_preliminary_value_alone_is_read_and_told(bundle):
    b = bundle().observation("777-3", 41, "10*9/L", status="preliminary")
    assert counts(b)[0] == [41] and "preliminary results were read" in counts(b)[1]


@pytest.mark.parametrize("status", ["entered-in-error", "cancelled"])
def test_void_values_are_counted(bundle, status):
    b = bundle().observation("718-7", 9, "g/dL").observation("777-3", 41, "10*9/L", status=status)
    assert counts(b)[0] == [] and f"Observation {status} (1)" in counts(b)[1]


def test_two_final_values_of_one_moment_are_both_handed_on(bundle):
    """Which is right cannot be known here; what is done then is decided where values are entered."""
    assert counts(two(bundle, (12, "final", {}), (80, "final", {})))[0] == [12, 80]


def test_the_same_resource_on_two_pages_is_read_once(bundle):
    found, said = counts(two(bundle, (12, "final", {"id": "a"}), (12, "final", {"id": "a"})))
    assert found == [12] and "read once" in said


def test_a_corrected_value_that_is_not_understood_leaves_the_first_one_unused(bundle):
    b = two(bundle, (12, "final", {}), (None, "corrected", {"valueQuantity": {"value": "n/a", "unit": "10*9/L"}}))
    log = Log("b.json")
    found = read_entries(b.text(), TableMapping(), log)
    (one,) = [e for e in found if e.name == "platelets"]
    assert one.unread


@pytest.mark.parametrize(
    ("codes", "name", "holds"),
    [
        (("8331-1", "8328-7"), "temperature", 38.5),  # by mouth, not in the armpit
        (("751-8", "30451-9"), "neutrophils", 38.5),  # all of them, not the segmented alone
        (("29463-7", "3142-7"), "weight", 38.5),  # measured, not as stated
    ],
)
@pytest.mark.parametrize("turn", [1, -1])
def test_the_better_of_two_codes_of_one_moment_holds(bundle, codes, name, holds, turn):
    unit = {"temperature": "Cel", "neutrophils": "10*9/L", "weight": "kg"}[name]
    b = bundle()
    for code, value in list(zip(codes, (38.5, 37.0), strict=True))[::turn]:
        b.observation(code, value, unit)
    found = read_entries(b.text(), TableMapping(), Log("b.json"))
    assert [e.value for e in found if e.name == name] == [holds]
