"""Short charts that a clinician can read, and what they earn: rule_tables/*.csv.

Columns: ``case``; ``age`` (years, or ``born DATE``; 58 where empty); ``chart``; ``at``; ``finding``; ``expected`` (the
words of expecting.py); ``source``; ``why``. A chart is a list of entries with ``;`` between, each with its calendar day
(the infusion's is 0), its clock and what was charted: ``2 08:00 T 39.1``. A range of days repeats an entry. Usual
signs have short forms (below); anything else stands as ``name = value [unit]``, just as the ward wrote it. ``at`` is
``now 2 08:06`` (what is shown when nothing later is known), ``end``, or ``day 2`` (the worst of that day). A chart
begins with the infusion at 10:00 where none stands in it.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from expecting import holds, monitored, seen, shown
from looking import look

FOLDER = Path(__file__).with_name("rule_tables")
CLEAN = ("minutes_apart", "spans", "rows_between", "days", "late_onset", "second_infusion")  # nothing to say loudly
DATE = datetime(2026, 3, 5)
INFUSION = "0 10:00 infusion"
SHORT: dict[str, tuple[tuple[str, str, str], ...]] = {  # what a word of a chart stands for; {} is its number
    "infusion": (("car_t_infusion", "1.2e8", "cells"),),
    "T": (("temperature", "{}", "degC"),),
    "SBP": (("SBP", "{}", "mmHg"),),
    "room air": (("oxygen device", "room air", ""),),
    "NC": (("oxygen device", "nasal cannula", ""), ("oxygen flow", "{}", "L/min")),
    "well": (("temperature", "36.8", "degC"), ("SBP", "112", "mmHg"), ("oxygen device", "room air", "")),
    "fever": (("temperature", "38.8", "degC"), ("SBP", "112", "mmHg"), ("oxygen device", "room air", "")),
    "low": (("temperature", "36.9", "degC"), ("SBP", "82", "mmHg"), ("oxygen device", "room air", "")),
    "NE": (("norepinephrine", "{}", "ug/min"),),
    "ICE": (("ICE", "{}", ""),),
    "CAPD": (("CAPD", "{}", ""),),
    "awake": (("arousal", "awake", ""),),
    "to voice": (("arousal", "to voice", ""),),
    "to touch": (("arousal", "to touch", ""),),
    "unarousable": (("arousal", "unarousable", ""),),
    "tocilizumab": (("tocilizumab", "560", "mg"),),
    "dexamethasone": (("dexamethasone", "10", "mg"),),
    "ANC": (("neutrophils", "{}", "10*3/uL"),),
    "platelets": (("platelets", "{}", "10*3/uL"),),
}
ENTRY = re.compile(r"(-?\d+)(?:\.\.(\d+))? (\d\d:\d\d) (.+)")
FREE = re.compile(r"([^=]+?) = ([^\[]*?)(?: \[(.*)\])?")


def _rows() -> Iterator[object]:
    for path in sorted(FOLDER.glob("*.csv")):
        for row in csv.DictReader(path.read_text(encoding="utf-8").splitlines()):
            assert None not in row and None not in row.values(), f"{path.name}: {row}"
            row["table"] = path.stem
            yield pytest.param(row, id=f"{path.stem}: {row['case']}")


def moment(day: str, clock: str) -> datetime:
    hours, minutes = clock.split(":")
    return DATE + timedelta(days=int(day), hours=int(hours), minutes=int(minutes))


def charted(what: str) -> tuple[tuple[str, str, str], ...]:
    """Name, value and unit of what one entry says."""
    if found := FREE.fullmatch(what):
        name, value, unit = found.groups()
        return ((name.strip(), value.strip(), unit or ""),)
    word, _, number = what.rpartition(" ")
    if what in SHORT:
        return SHORT[what]
    return tuple((name, value.format(number), unit) for name, value, unit in SHORT[word])


def written(chart: str, age: str) -> tuple[str, datetime]:
    """The chart as a file, and the moment of the first infusion."""
    entries = [one.strip() for one in chart.split(";") if one.strip()]
    if not any(one.endswith(" infusion") for one in entries):
        entries.insert(0, INFUSION)
    born = age.startswith("born ")
    years = float(age) if age and not born else 58.0
    weight = 70 if years > 14 else max(4, round(3 * years + 6))
    lines = [("", "birth_date", age[5:], "") if born else ("", "age", f"{years:g}", "years")]
    lines.append(("2026-03-04 06:00", "weight", f"{weight}", "kg"))
    infused = []
    for entry in entries:
        found = ENTRY.fullmatch(entry)
        assert found is not None, f"entry {entry!r}; expected a day, a clock and what was charted"
        first, last, clock, what = found.groups()
        for day in range(int(first), int(last or first) + 1):
            at = moment(str(day), clock)
            infused += [at] if what == "infusion" else []
            lines += [(f"{at:%Y-%m-%d %H:%M}", *row) for row in charted(what)]
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([("time", "analyte", "value", "unit"), *lines])
    return text.getvalue(), min(infused)


@pytest.mark.parametrize("row", list(_rows()))
def test_rule(row):
    text, infused = written(row["chart"], row["age"])
    scale = row["finding"].removeprefix("crs_") if row["finding"].startswith("crs_") else "astct"
    when, _, which = row["at"].partition(" ")
    until = (moment(*which.split()) - infused).total_seconds() / 86400 + 1e-4 if when == "now" else None
    told = seen(look(text, scale, until))
    state = told.worst(row["finding"], int(which)) if when == "day" else told.now(row["finding"])
    said = f"{row['why']} ({row['source']}): expected {row['expected']}, found {shown(state)}\n{told.loud}\n{text}"
    assert holds(row["expected"], state, told), said
    if row["table"] in CLEAN:
        assert not told.loud, f"said loudly of a clean chart: {said}"
    if row["table"] == "words_not_read" and holds("ng", state, told):
        assert told.loud, f"a word was not read and nothing says so loudly: {said}"


@pytest.mark.parametrize("row", [row for row in _rows()][::40])
def test_the_command_says_the_same(row, tmp_path):
    """The door that a ward uses, on a sample of the cases."""
    text, _ = written(row["chart"], row["age"])
    path = tmp_path / "chart.csv"
    path.write_text(text, encoding="utf-8")
    told, direct = monitored(path, tmp_path / "out"), seen(look(text))
    assert told.code == 0, told.text
    for finding in ("crs_astct", "icans", "neutropenia"):
        one, other = told.now(finding), direct.now(finding)
        assert (one["grade"], one["at_least"]) == (other["grade"], other["at_least"])


def test_every_case_has_its_source_and_its_own_name():
    rows = [param.values[0] for param in _rows()]
    assert len(rows) >= 60
    assert len({row["case"] for row in rows}) == len(rows), "two cases of one name"
    assert all(row["source"] and row["why"] and row["expected"] for row in rows)
