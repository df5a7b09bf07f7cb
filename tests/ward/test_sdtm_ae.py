"""The files of --sdtm-ae against the published structure of the domain AE and of its supplement."""

import csv
import re
import tomllib
from datetime import datetime
from pathlib import Path

import pytest

from vein2vein.cards import parse_card
from vein2vein.cli.monitor_files import charted
from vein2vein.ward import adverse_events
from vein2vein.ward.adverse_events import structure, write_adverse_events

from .looking import look

PUBLISHED = tomllib.loads(Path(__file__).with_name("sdtmig_3_4_ae.toml").read_text(encoding="utf-8"))
VARIABLES = {name: (kind, core, codes) for name, kind, core, codes in PUBLISHED["variables"]}
SUPPLEMENT = dict(PUBLISHED["supplement"])
WHEN = re.compile(r"\d{4}(-\d\d(-\d\d(T\d\d:\d\d)?)?)?")
OPEN = (",age,50,years", ",weight,70,kg", ",sex,female,")
ILL, LOW, WELL = (39.0, 120, "room air"), (39.2, 80, "nasal cannula 4 L"), (36.8, 120, "room air")
COURSES = {  # one patient each: what is charted and when (day of March 2026 and clock)
    "passed-twice": (("3 06:00", ILL), ("3 18:00", LOW), ("4 06:00", WELL), ("7 06:00", ILL), ("7 18:00", WELL)),
    "goes-on": (("3 06:00", ILL), ("3 18:00", LOW)),
    "not-looked-at": (("3 06:00", ILL), ("9 06:00", "CRP,4,mg/L")),
    "died": (("3 06:00", ILL), ("3 18:00", LOW), ("3 22:00", "death_cause,CRS,")),
    "a-bound": (("3 06:00", ILL), ("3 12:00", (39.0, 80, "bag of tricks"))),
    "before-the-cells": (("1 08:00", ILL), ("1 20:00", ILL), ("2 20:00", WELL)),
    "nerves": (("4 06:00", WELL), ("4 07:00", "ICE,5,"), ("5 07:00", "ICE,10,"), ("5 08:00", WELL)),
    "with-drugs": (
        ("3 06:00", ILL), ("3 08:00", "tocilizumab,560,mg"), ("3 09:00", "dexamethasone,10,mg"), ("4 06:00", WELL),
        ("6 07:00", "ICE,8,"), ("7 07:00", "ICE,10,"),
    ),
    "no-episode": (("3 06:00", WELL),),
    "a name, with \"signs\" " + "x" * 190: (("3 06:00", ILL), ("3 18:00", WELL)),
}  # fmt: skip


def chart(name):
    rows = [*OPEN, "2026-03-01 10:00,car_t_infusion,1e8,cells"]
    for when, what in COURSES[name]:
        day, clock = when.split()
        values = [what]
        if not isinstance(what, str):
            temperature, pressure, device = what
            values = [f"temperature,{temperature},degC", f"SBP,{pressure},mmHg", f"oxygen device,{device},"]
        rows += [f"2026-03-{int(day):02} {clock},{one}" for one in values]
    return "time,analyte,value,unit\n" + "\n".join(rows) + "\n"


@pytest.fixture(scope="module")
def people():
    return [charted(look(chart(name)))._replace(patient=number, label=name) for number, name in enumerate(COURSES)]


@pytest.fixture(scope="module", params=["dated", "undated"])
def written(request, people, tmp_path_factory):
    """Headers and rows of AE and of SUPPAE of the patients above; with dates, and where only days are known."""
    path, dated = tmp_path_factory.mktemp("sdtm") / "ae.csv", request.param == "dated"
    held = people if dated else [one._replace(infused=None) for one in people]
    first, more = write_adverse_events(held, path, "TRIAL-1")
    return *table(first), *table(more), dated


def table(path):
    with path.open(encoding="utf-8", newline="") as stream:
        head, *rows = csv.reader(stream)
    return head, [dict(zip(head, row, strict=True)) for row in rows]


def test_variables_are_the_published_ones_in_their_order(written):
    head, _, supplement, _, _ = written
    assert head == [name for name in VARIABLES if name in head]
    missing = {name for name, (_, core, _) in VARIABLES.items() if core in ("Req", "Exp")} - set(head)
    assert not missing
    assert supplement == list(SUPPLEMENT)
    assert all(len(name) <= 8 for name in head)


def test_the_package_names_the_published_core():
    path = Path(adverse_events.__file__).with_name("sdtm_ae.toml")
    told = {
        one["name"]: one["core"] for one in parse_card(path.read_text(encoding="utf-8"), path.name).data["variable"]
    }
    assert told == {name: VARIABLES[name][1] for name in told}


def test_values_are_of_their_type_and_of_the_code_lists(written):
    _, rows, _, _, dated = written
    assert len(rows) >= 10
    for row in rows:
        for name, value in row.items():
            kind, core, codes = VARIABLES[name]
            assert value or core != "Req", name
            assert len(value) <= 200 and value == value.strip() and value.isprintable(), name
            if kind == "N" and value:
                assert re.fullmatch(r"-?\d+", value), name
            if value and codes == "DTC":
                assert WHEN.fullmatch(value), name
            elif value and codes:
                assert value in PUBLISHED["codes"][codes], name
        assert row["DOMAIN"] == "AE" and row["STUDYID"] == "TRIAL-1" and row["USUBJID"].startswith("TRIAL-1-")
        assert re.fullmatch("[1-5]?", row["AETOXGR"])
        assert bool(row["AESTDTC"]) == dated


def test_records_of_a_patient_are_numbered_from_one(written):
    _, rows, _, _, _ = written
    subjects = dict.fromkeys(row["USUBJID"] for row in rows)
    for subject in subjects:
        numbers = [int(row["AESEQ"]) for row in rows if row["USUBJID"] == subject]
        assert numbers == list(range(1, len(numbers) + 1))
    assert len(subjects) == len(COURSES) - 1  # one has no episode, and so no record
    assert len({(row["USUBJID"], row["AESPID"]) for row in rows}) == len(rows)


def test_days_and_dates_agree(written):
    _, rows, _, _, dated = written
    for row in rows:
        first, last = row["AESTDY"], row["AEENDY"]
        assert first not in ("", "0") and last != "0"
        if last:
            assert int(last) >= int(first)
        if row["AEENDTC"]:
            assert row["AEENDTC"] >= row["AESTDTC"]
        if dated:
            day = (datetime.fromisoformat(row["AESTDTC"]).date() - datetime(2026, 3, 1).date()).days
            assert int(first) == (day + 1 if day >= 0 else day)


def test_the_end_is_known_or_told_at_a_time_point(written):
    _, rows, _, _, dated = written
    outcomes = {row["USUBJID"].removeprefix("TRIAL-1-"): row for row in rows}
    for row in rows:
        ended = row["AEOUT"] in ("FATAL", "RECOVERED/RESOLVED")
        assert bool(row["AEENDY"]) == ended and bool(row["AEENDTC"]) == (ended and dated)
        assert bool(row["AEENRTPT"]) == bool(row["AEENTPT"]) == (not ended)
        if row["AEENTPT"]:
            assert WHEN.fullmatch(row["AEENTPT"]) if dated else row["AEENTPT"] == structure().undated
    assert outcomes["goes-on"]["AEENRTPT"] == "ONGOING" and outcomes["not-looked-at"]["AEENRTPT"] == "UNKNOWN"
    assert outcomes["a-bound"]["AETOXGR"] == ""


def test_serious_only_with_a_reason_and_nothing_is_made_up(written):
    _, rows, _, _, _ = written
    for row in rows:
        assert (row["AESER"] == "Y") == (row["AESDTH"] == "Y") == (row["AEOUT"] == "FATAL")
        assert {row[name] for name in row if name.endswith("CD")} == {""}
        assert row["AEREL"] == row["AEACN"] == "" and row["AESOC"] == row["AEBODSYS"]
        assert "AESEV" not in row  # the grade of a scale stands in AETOXGR, never both
    drugs = [row["AECONTRT"] for row in rows if row["USUBJID"].endswith("with-drugs")]
    assert drugs == ["Y", ""]


def test_the_supplement_refers_to_records(written):
    _, rows, _, more, _ = written
    known = {(row["USUBJID"], row["AESEQ"]) for row in rows}
    keys = [(row["USUBJID"], row["IDVARVAL"], row["QNAM"]) for row in more]
    assert len(set(keys)) == len(keys) and more
    for row in more:
        assert all(row[name] for name, core in SUPPLEMENT.items() if core == "Req")
        assert (row["RDOMAIN"], row["IDVAR"], row["QORIG"]) == ("AE", "AESEQ", "Derived")
        assert (row["USUBJID"], row["IDVARVAL"]) in known
        assert re.fullmatch("[A-Z][A-Z0-9]{0,7}", row["QNAM"]) and row["QNAM"] not in VARIABLES
        assert len(row["QLABEL"]) <= 40 and len(row["QVAL"]) <= 200 and row["QLABEL"].isascii()


def test_the_same_scale_is_named_in_every_record(written):
    _, rows, _, _, _ = written
    assert {row["AESCAT"].partition(" (")[0] for row in rows if row["AETERM"].startswith("Cytokine")} == {
        rows[0]["AESCAT"].partition(" (")[0]
    }
    assert all(row["AESCAT"] for row in rows)
