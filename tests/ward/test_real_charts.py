"""Properties of grades on charts as wards keep them: random realistic records of adults and children (realistic.py).

Never falsely reassuring: signs that stand minutes apart, rows between, words that are not understood and rows that are
missing may leave a grade open, but never settle a lower one. And the other side: a clean chart stays gradable, and
nothing is said loudly about it. Quick: 40 examples of each; with ``-m slow`` 1,000.
"""

from __future__ import annotations

import random
import re
from dataclasses import replace

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from looking import SCALES, by_day, by_time, falsely_lower, look, looks, loud, today
from realistic import (
    DAY,
    DRUG,
    FACT,
    LAB,
    NEURO,
    PEOPLE,
    SEVERITIES,
    SIGN,
    SIGNS,
    SUPPORT,
    WAIVING,
    Chart,
    Line,
    at_the_rounds,
    charts,
    complete,
    febrile,
    make,
    raises,
    shifted,
)

from vein2vein.errors import InputError
from vein2vein.io.record.read import example_record_text
from vein2vein.ward.monitor import WardRound

FIRST, LAST = (Phase.explicit, Phase.reuse, Phase.generate), 10**6  # a seed cannot be made simpler: no shrinking
quick = settings(max_examples=20, deadline=None, phases=FIRST)
thousand = settings(max_examples=1000, deadline=None, phases=FIRST)
seeds = st.integers(0, LAST)
scales = st.sampled_from(SCALES)


# ---------------------------------------------------------------- signs stand minutes apart


def minutes_apart(chart: Chart, seed: int, scale: str) -> None:
    draw = random.Random(seed)
    later = shifted(chart, lambda most: draw.randint(0, most))
    before, after = by_day(look(chart.text(), scale)), by_day(look(later.text(), scale))
    assert before.keys() == after.keys()
    lower = {key: (before[key], after[key]) for key in before if after[key][1] < before[key][1]}
    assert not lower, f"signs a few minutes later lower a day's worst: {lower}; {chart}, shift {seed}"


@quick
@given(charts(lapses=False), seeds, scales)
def test_signs_a_few_minutes_apart_lower_no_days_worst(chart, seed, scale):
    minutes_apart(chart, seed, scale)


@quick
@given(charts(severities=("moderate", "severe"), spreads=(15,)), seeds, scales)
def test_signs_a_few_minutes_apart_lower_no_days_worst_where_fever_comes_and_goes(chart, seed, scale):
    """The order of two different signs within a round says nothing either: a normal temperature may come before."""
    minutes_apart(chart, seed, scale)


@pytest.mark.slow
@thousand
@given(charts(lapses=False), seeds, scales)
def test_signs_a_few_minutes_apart_lower_no_days_worst_1000(chart, seed, scale):
    minutes_apart(chart, seed, scale)


@pytest.mark.slow
@thousand
@given(charts(), seeds, scales)
def test_signs_a_few_minutes_apart_lower_no_days_worst_where_fever_comes_and_goes_1000(chart, seed, scale):
    minutes_apart(chart, seed, scale)


def test_shifting_moves_signs_only_and_crosses_nothing():
    """The test of the test: what a shift may do."""
    moved = 0
    for seed in range(20):
        chart = make(seed, "adult", "severe", 0)
        draw = random.Random(seed)
        later = shifted(chart, lambda most, draw=draw: draw.randint(0, most))
        assert [line for line in later.lines if line.kind not in SIGNS] == [
            line for line in chart.lines if line.kind not in SIGNS
        ]
        walls = sorted(
            line.minute
            for line in chart.lines
            if line.minute and (line.kind == DRUG or (line.kind == SUPPORT and line.edge))
        )
        for name in {line.name for line in chart.lines if line.kind in SIGNS}:
            old, new = ([line for line in one.lines if line.name == name] for one in (chart, later))
            assert [line.value for line in old] == [line.value for line in new]
            for a, b in zip(old, new):
                assert 0 <= b.minute - a.minute <= 15 and a.minute // DAY == b.minute // DAY
                assert not any(a.minute < wall <= b.minute for wall in walls)
                moved += b.minute > a.minute
    assert moved > 1000


# ---------------------------------------------------------------- a row of something else between

LABS = (
    ("CRP", "84", "mg/L"), ("CRP", "0.3", "mg/dL"), ("ferritin", "12000", "ng/mL"), ("hemoglobin", "8.1", "g/dL"),
    ("platelets", "31", "10*3/uL"), ("neutrophils", "0.1", "10*3/uL"), ("LDH", "640", "U/L"), ("IgG", "390", "mg/dL"),
    ("fibrinogen", "140", "mg/dL"), ("IL-6", "900", "pg/mL"), ("D-dimer", "2.1", "mg/L FEU"),
    ("sodium", "141", "mmol/L"), ("lactate", "1.1", "mmol/L"), ("procalcitonin", "0.2", "ng/mL"),
    ("transgene", "5200", "copies/ug"),
)  # fmt: skip
DRUGS = (
    ("cefepime", "2", "g"), ("levetiracetam", "500", "mg"), ("filgrastim", "300", "ug"), ("ondansetron", "8", "mg"),
    ("acyclovir", "400", "mg"), ("IVIG", "30", "g"), ("pantoprazole", "40", "mg"), ("furosemide", "20", "mg"),
)  # fmt: skip
ORGANS = (("creatinine", "0.7", "mg/dL"), ("AST", "24", "U/L"))  # the older scales of cytokine release read them


def a_row_between(chart: Chart, seed: int, scale: str) -> None:
    draw = random.Random(seed)
    rows = (*LABS, *DRUGS, *(ORGANS if scale == "astct" else ()))
    bare = draw.random() < 0.6  # a chart in which nothing stands between the rounds, and then one row does
    lines = list((at_the_rounds(chart) if bare else chart).lines)
    more: list[Line] = []
    for _ in range(draw.choice((1, 3, 12))):
        name, value, unit = draw.choice(rows)
        sick = [line.minute for line in lines if line.kind in SIGNS and raises(chart, line)]
        after = draw.choice(sick) if sick and draw.random() < 0.7 else draw.randint(chart.infusion, chart.last - 240)
        minute = after + draw.randint(1, 300)
        if not any(line.minute == minute and line.name == name for line in (*lines, *more)):
            more.append(Line(minute, name, value, unit, LAB))
    old, new = look(chart.text(lines=lines), scale), look(chart.text(lines=(*lines, *more)), scale)
    told = f"{[line.cells() for line in more]}; {chart}, {'bare, ' if bare else ''}scale {scale}"
    before, after = by_time(old), by_time(new)
    changed = {key: (seen, after.get(key)) for key, seen in before.items() if after.get(key) != seen}
    assert not changed, f"a row of something else changes a grade: {changed}: {told}"
    days_before, days_after = by_day(old), by_day(new)
    assert days_before == {key: days_after[key] for key in days_before}, f"a day's worst: {told}"
    assert today(old) == today(new), f"today: {told}"


@quick
@given(charts(severities=("mild", "moderate", "severe", "severe"), paces=(0, 7, 10)), seeds, scales)
def test_a_laboratory_or_drug_row_changes_no_grade_of_the_bedside(chart, seed, scale):
    a_row_between(chart, seed, scale)


@pytest.mark.slow
@thousand
@given(charts(paces=(0, 7, 10, 12)), seeds, scales)
def test_a_laboratory_or_drug_row_changes_no_grade_of_the_bedside_1000(chart, seed, scale):
    a_row_between(chart, seed, scale)


# ---------------------------------------------------------------- words, units and names that are not understood

LETTERS = "abcdefghijklmnopqrstuvwxyz"
NONSENSE = ("zz", "furlong", "mq", "xx/yy")
# What one slip may turn a word into, and what then says something else: no garbling, but another chart.
OTHER_WORDS = {
    "dbp",
    "map",
    "mbp",
    "n",
    "y",
    "na",
    "nd",
    "no",
    "on",
    "none",
    "off",
    "arousable",
    "rousable",
    "o2",
    "fm",
    "air",
}


def garbled(word: str, draw: random.Random) -> str:
    """A word with one slip of the keyboard; a long one with one or two."""
    for _ in range(100):
        out = word
        for _ in range(draw.choice((1, 1, 2)) if len(word) > 5 else 1):
            at = draw.randrange(len(out))
            match draw.randrange(4):
                case 0:
                    out = out[:at] + out[at + 1 :]
                case 1:
                    out = out[:at] + draw.choice(LETTERS) + out[at:]
                case 2:
                    out = out[:at] + out[at : at + 2][::-1] + out[at + 2 :]
                case _:
                    out = out[:at] + draw.choice(LETTERS) + out[at + 1 :]
        plain, was = (re.sub("[^a-z0-9]", "", one.lower()) for one in (out, word))
        if plain and plain != was and plain not in OTHER_WORDS:
            return out.strip()
    raise AssertionError(word)


def garble(line: Line, draw: random.Random) -> Line:
    """One row with its name, its unit or its word garbled."""
    parts = ["name"]
    if line.unit:
        parts += ["unit", "nonsense"]
    if not re.fullmatch(r"[-0-9.]+", line.value):
        parts += ["value"] * 2
    match draw.choice(parts):
        case "name":
            return replace(line, name=garbled(line.name, draw))
        case "unit":
            return replace(line, unit=garbled(line.unit, draw))
        case "nonsense":
            return replace(line, unit=draw.choice(NONSENSE))
        case _:
            return replace(line, value=garbled(line.value, draw))


def counts(line: Line) -> bool:
    """Whether a grade of the bedside may rest on the row."""
    return line.kind in (SIGN, NEURO, SUPPORT, FACT) or line.name in WAIVING


def _never_lower(old: WardRound, new: WardRound, told: str) -> None:
    """No day, no time and not today: a settled grade below what was certain; and what changed is said loudly."""
    changed = False
    for what, see in (("a day's worst", by_day), ("a time", by_time), ("today", today)):
        before, after = see(old), see(new)
        lower = {
            key: (before[key], after[key]) for key in before if key in after and falsely_lower(before[key], after[key])
        }
        assert not lower, f"{what}: a settled lower grade: {lower}: {told}"
        changed |= any(after.get(key, seen) != seen for key, seen in before.items())
    if changed:
        assert loud(new), f"grades change and nothing says so loudly: {told}"


def a_garbled_row(chart: Chart, seed: int, scale: str) -> None:
    draw = random.Random(seed)
    able = [i for i, line in enumerate(chart.lines) if counts(line)]
    sick = [i for i in able if raises(chart, chart.lines[i])]
    at = draw.choice(sick if sick and draw.random() < 0.6 else able)
    spoiled = garble(chart.lines[at], draw)
    text = chart.text(lines=(*chart.lines[:at], spoiled, *chart.lines[at + 1 :]))
    told = f"{','.join(chart.lines[at].cells())} as {','.join(spoiled.cells())}; {chart}, scale {scale}"
    old, new = look(chart.text(), scale), look(text, scale)
    _never_lower(old, new, told)


@quick
@given(charts(), seeds, scales)
def test_a_garbled_word_unit_or_name_never_settles_a_lower_grade(chart, seed, scale):
    a_garbled_row(chart, seed, scale)


@pytest.mark.slow
@thousand
@given(charts(), seeds, scales)
def test_a_garbled_word_unit_or_name_never_settles_a_lower_grade_1000(chart, seed, scale):
    a_garbled_row(chart, seed, scale)


def a_garbled_word_everywhere(chart: Chart, seed: int) -> None:
    """A ward that always writes a word of its own: each row of one name with the same slip."""
    draw = random.Random(seed)
    one = draw.choice([line for line in chart.lines if counts(line) and line.kind != FACT])
    part = draw.choice(("name", "unit") if one.unit else ("name", "value"))
    if part == "value" and re.fullmatch(r"[-0-9.]+", one.value):
        part = "name"
    was = getattr(one, part)
    slip = garbled(was, draw)
    lines = [
        replace(line, **{part: slip}) if line.name == one.name and getattr(line, part) == was else line
        for line in chart.lines
    ]
    old, new = look(chart.text()), look(chart.text(lines=lines))
    _never_lower(old, new, f"{was!r} of {one.name} always as {slip!r}; {chart}")


@quick
@given(charts(severities=("moderate", "severe")), seeds)
def test_a_word_of_the_wards_own_never_settles_a_lower_grade(chart, seed):
    a_garbled_word_everywhere(chart, seed)


@pytest.mark.slow
@thousand
@given(charts(), seeds)
def test_a_word_of_the_wards_own_never_settles_a_lower_grade_1000(chart, seed):
    a_garbled_word_everywhere(chart, seed)


def test_an_infusion_that_is_not_understood_is_told():
    """Without its infusion a dated chart has no day 0: refused in a sentence, or told; never graded by another day."""
    chart = make(3, "adult", "severe")
    text = chart.text().replace("car_t_infusion", "car_t_infsuion")
    try:
        watch = look(text)
    except InputError as refused:
        assert "infusion" in str(refused)
    else:
        assert loud(watch) or watch.set_aside


# ---------------------------------------------------------------- names of patients, order of rows


def other_names_and_orders(one: Chart, two: Chart, seed: int) -> None:
    draw = random.Random(seed)
    usual = [(by_time(w), by_day(w), today(w)) for w in (look(one.text()), look(two.text()))]
    named = draw.choice((("P2", "P10"), ("P10", "P2"), ("007", "Z"), ("b", "a")))
    rows = [one.text(named[0]).splitlines(), two.text(named[1]).splitlines()]
    first, rest = rows[0][1], [*rows[0][2:], *rows[1][1:]]
    draw.shuffle(rest)
    seen = looks("\n".join([rows[0][0], first, *rest]) + "\n")
    assert len(seen) == 2
    for watch, before in zip(seen, usual):
        assert (by_time(watch), by_day(watch), today(watch)) == before, f"{named}; {one} and {two}, {seed}"
    lines = list(one.lines)
    draw.shuffle(lines)
    watch = look(one.text(lines=lines))
    assert (by_time(watch), by_day(watch), today(watch)) == usual[0], f"order of rows; {one}, {seed}"


@quick
@given(charts(), charts(), seeds)
def test_names_of_patients_and_order_of_rows_change_nothing(one, two, seed):
    other_names_and_orders(one, two, seed)


@pytest.mark.slow
@thousand
@given(charts(), charts(), seeds)
def test_names_of_patients_and_order_of_rows_change_nothing_1000(one, two, seed):
    other_names_and_orders(one, two, seed)


# ---------------------------------------------------------------- rows that are taken away

STANDS_FOR = 13 * 60  # minutes; a normal score of the last shift may still stand for a missing one (with some margin)
NEAR = 12 * 60  # minutes; within twice this no rule ends an episode (24 hours of rest)


def may_be_taken(chart: Chart, at: int) -> bool:
    """Whether no rule says that the grade falls without the row.

    What rules do say: no syndrome without a first fever; a drug that waives fever; a support whose every row is gone
    was never given; a normal ICE of this shift stands for the shift; an episode ends with a day of rest, which a sick
    row may break.
    """
    line = chart.lines[at]
    before = [one for one in chart.lines[:at] if one.minute is not None]
    earlier = [one for one in before if one.name == line.name]
    if line.kind == SUPPORT:
        return bool(earlier) and earlier[-1].value != "0"  # not the start: without it the chart knows of no support
    if line.kind not in SIGNS or line.name in ("fluid boluses", "oxygen flow", "FiO2"):
        return False
    if line.kind == NEURO:
        if line.name not in ("ICE", "CAPD"):
            return False  # seizure, weakness and edema that nobody charts were not there
        return not earlier or line.minute - earlier[-1].minute > STANDS_FOR
    if not raises(chart, line):
        return True
    return any(one.name == "temperature" and febrile(one) and line.minute - one.minute < NEAR for one in before)


def a_row_taken_away(chart: Chart, seed: int, scale: str) -> None:
    draw = random.Random(seed)
    # the device of the round before stands for one that is not charted: within its span, it is what is known
    able = [i for i, line in enumerate(chart.lines) if may_be_taken(chart, i) and line.name != "oxygen device"]
    # and a normal reading settles for two hours
    able = [i for i in able if not any(chart.lines[i].name == other.name and other.minute is not None
            and 0 < chart.lines[i].minute - other.minute <= 125 for other in chart.lines)]  # fmt: skip
    sick = [i for i in able if chart.lines[i].kind == SUPPORT or raises(chart, chart.lines[i])]
    at = draw.choice(sick if sick and draw.random() < 0.7 else able)
    gone = chart.lines[at]
    old = look(chart.text(), scale)
    new = look(chart.text(lines=(*chart.lines[:at], *chart.lines[at + 1 :])), scale)
    first, last = chart.day(gone.minute) - 1e-6, chart.day(gone.minute + NEAR)
    before, after = by_time(old), by_time(new)
    both = {key: (seen, after[key]) for key, seen in before.items() if key in after and first <= key[1] <= last}
    lower = {key: pair for key, pair in both.items() if falsely_lower(*pair)}
    assert not lower, f"without {gone.cells()} a lower grade is settled: {lower}; {chart}, scale {scale}"


@quick
@given(
    charts(severities=("mild", "moderate", "severe")), seeds, st.sampled_from(("astct", "astct", "cartox", "ctcae5"))
)
def test_a_row_taken_away_never_settles_a_lower_grade_then_or_later(chart, seed, scale):
    a_row_taken_away(chart, seed, scale)


@pytest.mark.slow
@thousand
@given(charts(), seeds, scales)
def test_a_row_taken_away_never_settles_a_lower_grade_then_or_later_1000(chart, seed, scale):
    a_row_taken_away(chart, seed, scale)


def a_stop_taken_away(chart: Chart) -> None:
    """Without its stop a support is at no later time of the half day known to be off."""
    before = by_time(look(chart.text()))
    for at, gone in enumerate(chart.lines):
        if gone.kind != SUPPORT or gone.value != "0":
            continue
        begin, end = chart.day(gone.minute), chart.day(gone.minute + DAY // 2)
        anew = [one.minute for one in chart.lines[at + 1 :] if one.name == gone.name]
        end = min(end, chart.day(min(anew))) if anew else end  # its next row says what it does
        sick = [seen for (name, day), seen in before.items() if name == "crs_astct" and begin - 0.5 < day < begin]
        waived = any(one.name == "tocilizumab" and gone.minute - one.minute < DAY for one in chart.lines[:at])
        if max(sick, default=(0, 0))[1] < 3 or not waived:
            continue  # no syndrome was there, or one that ends with its fever: the support decides nothing
        after = by_time(look(chart.text(lines=(*chart.lines[:at], *chart.lines[at + 1 :]))))
        for key, seen in after.items():
            if key[0] == "crs_astct" and begin < key[1] < end:
                told = f"{gone.cells()} left out: {key}: {before.get(key)}, {seen}; {chart}"
                assert not falsely_lower(before.get(key, seen), seen), told
                assert seen[0] != 0, f"off without a stop: {told}"
        break


@quick
@given(charts(severities=("severe",)))
def test_a_support_without_its_stop_is_never_settled_as_off(chart):
    a_stop_taken_away(chart)


# ---------------------------------------------------------------- the other side: clean charts stay gradable

MOST_LOST = 0.01  # share of the cells that were gradable that may become unknown


def lost(count: int, first: int = 0, spread: int = 15) -> tuple[int, int, int, int, list[str]]:
    """Cells, cells that are not gradable, loud sentences, days; and examples."""
    cells = unknown = alarms = days = 0
    told: list[str] = []
    for i in range(first, first + count):
        chart = make(i, PEOPLE[i % 4], SEVERITIES[i // 4 % 4], spread)
        watch = look(chart.text())
        seen = by_time(watch)
        for key in complete(chart):
            cells += 1
            if key not in seen or seen[key][0] < 0:
                unknown += 1
                told.append(f"{key} {seen.get(key)}: {chart}")
        alarms += len(loud(watch))
        told += [f"loud: {sentence}: {chart}" for sentence in loud(watch)]
        days += len(watch.days)
    return cells, unknown, alarms, days, told


def stays_gradable(count: int, spread: int, capsys: pytest.CaptureFixture[str]) -> None:
    cells, unknown, alarms, days, told = lost(count, spread=spread)
    with capsys.disabled():
        print(
            f"\n{count} clean charts, signs {spread} minutes apart: {unknown} of {cells} cells not gradable "
            f"({unknown / cells:.2%}), {alarms} loud sentences in {days} patient-days, "
            f"{alarms / days:.3f} alarms per patient-day"
        )
    assert cells > 40 * count
    assert unknown <= MOST_LOST * cells, "\n".join(told[:10])
    assert not alarms, "\n".join(told[-10:])


@pytest.mark.parametrize("spread", [0, 15])
def test_clean_charts_stay_gradable_and_quiet(spread, capsys):
    stays_gradable(48, spread, capsys)


@pytest.mark.slow
@pytest.mark.parametrize("spread", [0, 15])
def test_clean_charts_stay_gradable_and_quiet_1000(spread, capsys):
    stays_gradable(1000, spread, capsys)


def test_the_loud_line_exists_and_is_empty_on_the_example_of_the_docs():
    watch = look(example_record_text())
    assert watch.unknown == ()
    worst = by_day(watch)
    assert worst["crs_astct", 3] == (2, 2) and worst["icans", 3][0] == 1


def test_a_well_patient_is_grade_0_at_every_round():
    for person in PEOPLE:
        for spread in (0, 15):
            chart = make(11, person, "well", spread)
            seen = by_time(look(chart.text()))
            wrong = {key: seen.get(key) for key in complete(chart) if seen.get(key) != (0, 0)}
            assert not wrong, (person, wrong)


# ---------------------------------------------------------------- virtual patients

LINEAGES = (
    ("pediatric_b_all", "tisagenlecleucel"), ("adult_b_all", "brexucabtagene_autoleucel"),
    ("lbcl", "axicabtagene_ciloleucel"), ("mm", "ciltacabtagene_autoleucel"),
)  # fmt: skip


@pytest.mark.parametrize(
    "disease, product", [LINEAGES[0], *(pytest.param(*one, marks=pytest.mark.slow) for one in LINEAGES[1:])]
)
def test_virtual_patients_written_out_are_read_back_whole_and_quiet(disease, product, tmp_path):
    import vein2vein as v2v

    patients = v2v.virtual_patients(disease, 4, seed=5)
    journey = v2v.simulate(patients, product, seed=5)
    infused = 0
    for i in range(4):
        if not journey.course.of([i]).measured("car_t_infusion"):
            continue
        infused += 1
        record = v2v.read_record(v2v.write_record(journey.course.of([i]), tmp_path / f"virtual-{i}.csv"))
        assert not record.set_aside
        age, weight = float(patients.age[i]), float(patients.weight[i])
        (watch,) = v2v.monitor(record, age=age, weight=weight, product=product)
        assert loud(watch) == ()
        for name in ("crs_astct", "icans"):
            grades = journey.findings[name]
            known = {round(float(day), 6): int(g) for day, g in zip(grades.days, grades.grade[i]) if g >= 0}
            seen = {day: value for (one, day), value in by_time(watch).items() if one == name}
            gone = [day for day in known if day in seen and seen[day][0] < 0]
            assert len(gone) <= MOST_LOST * len(known), (name, gone)
            assert all(seen[day][0] == known[day] for day in known if day in seen and day not in gone), name
    assert infused
