"""How fast 200,000 rows of a table become entries of a record: the long form, and a public format by its preset.

Run: python benchmarks/reading_tables.py
"""

from __future__ import annotations

import random
import time
from datetime import datetime, timedelta

from vein2vein.io.record import tables
from vein2vein.io.record.mapping import TableMapping
from vein2vein.io.record.record import Log

ROWS, ROWS_OF_ONE = 200_000, 500
START = datetime(2026, 3, 5, 10)
NAMES = (
    ("temperature", "degC", "38.4"), ("SBP", "mmHg", "118"), ("SpO2", "%", "95"), ("oxygen device", "", "room air"),
    ("ICE", "", "10"), ("CRP", "mg/L", "12.5"), ("ANC", "10*9/L", "0.41"), ("sodium", "mmol/L", "140"),
)  # fmt: skip
ITEMS = ((223761, "102.2"), (220179, "84"), (226732, "Nasal cannula"), (223834, "3"), (220045, "112"), (220277, "93"))


def long_table(luck: random.Random) -> str:
    """A long table of 400 patients, as ``vein2vein monitor`` reads it."""
    lines = ["patient,time,analyte,value,unit"]
    for i in range(ROWS):
        name, unit, value = NAMES[i % len(NAMES)]
        when = START + timedelta(minutes=37 * (i % ROWS_OF_ONE // len(NAMES)) + luck.randrange(15))
        lines.append(f"P{i // ROWS_OF_ONE},{when:%Y-%m-%d %H:%M},{name},{value},{unit}")
    return "\n".join(lines)


def chart_events(luck: random.Random) -> str:
    """The same in the form of MIMIC's chartevents."""
    lines = ["subject_id,hadm_id,stay_id,charttime,itemid,value,valuenum,valueuom,warning"]
    for i in range(ROWS):
        item, value = ITEMS[i % len(ITEMS)]
        when = START + timedelta(minutes=37 * (i % ROWS_OF_ONE // len(ITEMS)) + luck.randrange(15))
        lines.append(f"{i // ROWS_OF_ONE},20,30,{when:%Y-%m-%d %H:%M:%S},{item},{value},,,0")
    return "\n".join(lines)


def main() -> None:
    """Print rows, entries and seconds of processor time."""
    luck = random.Random(1)
    for title, text in (("long table", long_table(luck)), ("chartevents", chart_events(luck))):
        start = time.process_time()
        entries, form, _ = tables.read_entries(text, TableMapping(), Log("table.csv"))
        print(f"{title}: {ROWS} rows, {len(entries)} entries ({form}), {time.process_time() - start:.1f} s")


if __name__ == "__main__":
    main()
