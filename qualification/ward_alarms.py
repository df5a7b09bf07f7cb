"""What clean charts cost a ward: cells that cannot be graded, and alarms per patient-day, on random realistic records.

    python qualification/ward_alarms.py
    python qualification/ward_alarms.py --count 200 --before ../earlier/src

The charts are those of tests/ward/realistic.py: adults and children, well to severe, signs at one time or minutes
apart. A cell counts where a round is complete (temperature, pressure and oxygen; score and arousal). With ``--before``
the same charts are graded by an earlier version too (the folder that holds its package): what was settled there and is
not now, on every scale, is the share that became unknown.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1] / "tests" / "ward"
sys.path.insert(0, str(TESTS))

from looking import SCALES, bedside, by_day, by_time, look, loud  # noqa: E402
from realistic import PEOPLE, SEVERITIES, SPREAD, Chart, complete, make  # noqa: E402

LIMIT = 0.01  # share of gradable cells that may become unknown


def charts(count: int) -> Iterator[Chart]:
    """Every person and severity in turn, half with the signs of a round at one time."""
    for i in range(count):
        yield make(i, PEOPLE[i % 4], SEVERITIES[i // 4 % 4], SPREAD * (i // 16 % 2))


def settled(count: int) -> Iterator[set[str]]:
    """Of each chart, the cells that are settled, as 'finding day', on every scale."""
    for chart in charts(count):
        found: set[str] = set()
        for scale in SCALES:
            found |= {
                f"{name} {day:.6f}" for (name, day), seen in by_time(look(chart.text(), scale)).items() if seen[0] >= 0
            }
        yield found


def by_earlier_version(source: Path, count: int) -> list[set[str]]:
    """The same, by the package in another folder."""
    done = subprocess.run(
        [sys.executable, __file__, "--cells", "--count", str(count)],
        env={**os.environ, "PYTHONPATH": str(source.resolve())}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return [set(json.loads(line)) for line in done.stdout.splitlines()]


def kinds(chart: Chart) -> tuple[str, ...]:
    """The kinds of record that a chart belongs to."""
    return "all", chart.person, chart.severity, f"signs {chart.spread} minutes apart"


def quiet(count: int) -> None:
    """Print what is not gradable in complete rounds, and what is said, by kind of record."""
    cells: Counter[str] = Counter()
    unknown: Counter[str] = Counter()
    days: Counter[str] = Counter()
    sentences: Counter[str] = Counter()
    open_days: Counter[str] = Counter()
    flags: Counter[str] = Counter()
    for chart in charts(count):
        watch = look(chart.text())
        seen = by_time(watch)
        rounds = complete(chart)
        lost = sum(seen.get(key, (-1, 0))[0] < 0 for key in rounds)
        not_settled = sum(grade < 0 for (_, day), (grade, _) in by_day(watch).items() if day >= 0)
        shown = sum(len(day.states[name].flags) for day in watch.days for name in bedside(watch))
        for kind in kinds(chart):
            cells[kind] += len(rounds)
            unknown[kind] += lost
            days[kind] += len(watch.days)
            sentences[kind] += len(loud(watch))
            open_days[kind] += not_settled
            flags[kind] += shown
    print("| records | complete rounds | not gradable | loud sentences | days not settled | flags |")
    print("| --- | --- | --- | --- | --- | --- |")
    for kind in cells:
        each = (f"{part[kind] / days[kind]:.3f}" for part in (sentences, open_days, flags))
        print(f"| {kind} | {cells[kind]} | {unknown[kind] / cells[kind]:.2%} | {' | '.join(each)} |")
    print("\nLoud sentences, days not settled (of CRS and of ICANS) and flags are per patient-day.")
    print(f"{'within' if unknown['all'] <= LIMIT * cells['all'] else 'ABOVE'} the limit of {LIMIT:.0%}")


def became_unknown(before: list[set[str]], count: int) -> None:
    """Print the share of the cells settled by an earlier version that are not settled now."""
    was: Counter[str] = Counter()
    gone: Counter[str] = Counter()
    for old, new in zip(before, settled(count), strict=True):
        for cell in old:
            name = cell.partition(" ")[0]
            was[name] += 1
            gone[name] += cell not in new
    print("\n| finding | settled before | not settled now |\n| --- | --- | --- |")
    for name in sorted(was):
        print(f"| {name} | {was[name]} | {gone[name]} ({gone[name] / was[name]:.2%}) |")
    print(f"| together | {was.total()} | {gone.total()} ({gone.total() / was.total():.2%}) |")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=1000, help="charts")
    parser.add_argument("--before", type=Path, help="folder with the package of an earlier version")
    parser.add_argument("--cells", action="store_true", help="only print the settled cells of each chart, as JSON")
    asked = parser.parse_args()
    if asked.cells:
        for cells in settled(asked.count):
            print(json.dumps(sorted(cells)))
        return 0
    start = time.perf_counter()
    quiet(asked.count)
    if asked.before:
        became_unknown(by_earlier_version(asked.before, asked.count), asked.count)
    print(
        f"\n{asked.count} records in {time.perf_counter() - start:.0f} s; Python {platform.python_version()}, "
        f"{os.cpu_count()} cores, {platform.machine()}, {platform.system()}"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
