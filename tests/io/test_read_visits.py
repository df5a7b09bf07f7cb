"""Disease visits: items and lesions of the same file, judged by the clinic."""

import numpy as np
import pytest

from vein2vein.clinic.response.visits import VISIT_ITEMS, respond_visits
from vein2vein.errors import InputError
from vein2vein.io.record.visits import read_visits

HEADER = "patient,day,deauville,new_lesion,lesion,site,longest [mm],shortest,new,target"
LYMPHOMA = (
    HEADER,
    "1,-5,5,,A,node,25,2.0,,",
    "1,-5,,,B,extranodal,30,2.0,,",
    "1,28,4,0,A,node,10,0.8,,",
    "1,28,,,B,extranodal,12,1,no,yes",
    "1,90,2,0,,,,,,",
    "1,91,,,A,node,9,0.8,0,1",
)


@pytest.fixture
def visits(tmp_path):
    def read(*lines, criteria="lugano"):
        path = tmp_path / "visits.csv"
        path.write_text("\n".join(lines), encoding="utf-8")
        return read_visits(path, criteria)

    return read


def test_lesions_and_items_of_one_file(visits):
    found = visits(*LYMPHOMA)
    assert found.set_aside == () and found.course.days.tolist() == [-5, 28, 90, 91]
    one = found.lesions[0]
    assert (one.patient, one.day, one.name, one.site, one.longest, one.shortest) == (1, -5, "A", "node", 2.5, 2.0)
    assert (one.new, one.target, one.where_from) == (False, True, "visits.csv:2") and len(found.lesions) == 5
    assert np.isnan(found.course.values["deauville"][0, 3])
    response = respond_visits(found.course, "lugano", found.lesions)
    assert response.best.tolist() == ["CR"] and response.status[0, 1] == response.categories.index("PR")


def test_a_file_of_lesions_alone(visits):
    found = visits("day,lesion,site,longest,shortest", "-5,A,node,2.5,2", "30,A,node,0,0")
    assert found.course.days.tolist() == [-5, 30] and found.lesions[1].longest == 0 and found.lesions[0].patient == 0


def test_dated_visits_need_the_infusion(visits):
    rows = ("2026-02-28,,A,node,2.5,2", "2026-04-02,2,A,node,1,0.8")
    with pytest.raises(InputError, match="day 0 is missing"):
        visits("date,deauville,lesion,site,longest,shortest", *rows)
    found = visits(
        "date,infusion,deauville,lesion,site,longest,shortest", *(r.replace(",", ",2026-03-05,", 1) for r in rows)
    )
    assert [one.day for one in found.lesions] == [-5, 28]


@pytest.mark.parametrize(
    ("row", "line", "field"),
    [
        ("1,28,,,B,liver,10,1,,", 3, "site"),
        ("1,28,,,B,node,10,2,,", 3, "shortest"),
        ("1,28,,,B,node,9000,1,,", 3, "longest [mm]"),
        ("1,28,,,B,node,big,1,,", 3, "longest"),
        ("1,28,,,B,node,10,1,maybe,", 3, "new"),
        ("1,,,,B,node,10,1,,", 3, "day"),
    ],
)
def test_a_lesion_that_cannot_be_taken_refuses_the_file(visits, row, line, field):
    with pytest.raises(InputError) as caught:
        visits(HEADER, "1,-5,5,,A,node,25,2.0,,", row)
    assert caught.value.line == line and (caught.value.field or "") in field


def test_items_of_every_criteria_are_read(visits):
    myeloma = visits("day,M protein [g/dL],urine_m_protein [mg/24h]", "-7,4.0,900", "30,0.3,80", criteria="imwg")
    response = respond_visits(myeloma.course, "imwg")
    assert response.categories[response.status[0, 1]] == "VGPR"
    leukemia = visits(
        "day,analyte,value,unit", "28,marrow blasts,3,%", "28,ANC,1.2,K/uL", "28,platelets,120,K/uL", criteria="all"
    )
    assert leukemia.set_aside == () and set(leukemia.course.values) <= set(VISIT_ITEMS["all"])
    assert any("none of the items" in n for n in visits("day,CRP [mg/L]", "3,4", criteria="iwcll").notes)
    with pytest.raises(InputError, match="unknown criteria"):
        visits("day,CRP [mg/L]", "3,4", criteria="recist")
