"""Episodes of a chart, their records as adverse events of SDTM, and the sheet for the handover."""

import math
import re
import shutil
import subprocess

import pytest

from vein2vein.cli.monitor_files import charted
from vein2vein.report.handover import fitting, handover_page, sheet
from vein2vein.report.monitor_page import monitor_page, summary, worst_first
from vein2vein.ward.adverse_events import adverse_events, study_day
from vein2vein.ward.states import stood_words

from .looking import look

HEAD = "time,analyte,value,unit\n,age,50,years\n,weight,70,kg\n2026-03-01 10:00,car_t_infusion,1e8,cells\n"


def chart(*lines):
    """A chart: each line is ``date clock temperature pressure device`` (March 2026), or a row as it stands."""
    rows = []
    for line in lines:
        if "," in line:
            rows.append(line)
            continue
        day, clock, temperature, pressure, *device = line.split(maxsplit=4)
        when = f"2026-03-{int(day):02} {clock}"
        rows += [f"{when},temperature,{temperature},degC", f"{when},SBP,{pressure},mmHg",
                 f"{when},oxygen device,{device[0]},"]  # fmt: skip
    return look(HEAD + "\n".join(rows) + "\n")


FEVER, LOW, WELL = "39.0 120 room air", "39.2 80 nasal cannula 4 L", "36.8 120 room air"


def episodes(watch, finding="crs_astct"):
    return [one for one in watch.episodes if one.finding == finding]


CASES = {  # name: chart, then (onset, last sign, resolved, peak, outcome) of each episode, in days of March
    "fever that passes": (
        (f"1 12:00 {WELL}", f"3 06:00 {FEVER}", f"3 18:00 {LOW}", f"4 06:00 {FEVER}", f"4 18:00 {WELL}"),
        [("3 06:00", "4 06:00", "4 18:00", 2, "resolved")],
    ),
    "a return within a day joins": (
        (f"3 06:00 {FEVER}", f"3 12:00 {WELL}", f"4 06:00 {FEVER}", f"4 18:00 {WELL}"),
        [("3 06:00", "4 06:00", "4 18:00", 1, "resolved")],
    ),
    "a return after a day is another": (
        (f"3 06:00 {FEVER}", f"3 12:00 {WELL}", f"4 06:00 {WELL}", f"5 06:00 {FEVER}", f"5 18:00 {WELL}"),
        [("3 06:00", "3 06:00", "3 12:00", 1, "resolved"), ("5 06:00", "5 06:00", "5 18:00", 1, "resolved")],
    ),
    "it goes on at the last reading": (
        (f"3 06:00 {FEVER}", f"3 18:00 {LOW}"),
        [("3 06:00", "3 18:00", "", 2, "goes on")],
    ),
    "not looked at again": (
        (f"3 06:00 {FEVER}", "2026-03-12 06:00,CRP,4,mg/L"),
        [("3 06:00", "3 06:00", "", 1, "end not charted")],
    ),
    "a death of it": (
        (f"3 06:00 {FEVER}", f"3 18:00 {LOW}", "2026-03-03 22:00,death_cause,CRS,"),
        [("3 06:00", "3 22:00", "", 5, "fatal")],
    ),
}


def _day(text):
    """Days since 1 March, 10:00."""
    if not text:
        return math.nan
    day, clock = text.split()
    hours, minutes = map(int, clock.split(":"))
    return int(day) - 1 + (hours - 10 + minutes / 60) / 24


@pytest.mark.parametrize("name", CASES)
def test_episodes_of_a_chart(name):
    lines, wanted = CASES[name]
    found = episodes(chart(*lines))
    told = [(one.onset, one.last_sign, one.resolved, one.peak, one.outcome) for one in found]
    expected = [(_day(a), _day(b), _day(c), peak, outcome) for a, b, c, peak, outcome in wanted]
    assert len(told) == len(expected)
    for one, right in zip(told, expected):
        assert one[:3] == pytest.approx(right[:3], abs=1e-4, nan_ok=True)
        assert one[3:] == right[3:]


def test_time_to_tocilizumab_and_steroid():
    drugs = ("2026-03-03 15:00,tocilizumab,560,mg", "2026-03-04 00:00,dexamethasone,10,mg",
             "2026-03-04 06:00,dexamethasone,10,mg")  # fmt: skip
    (one,) = episodes(chart(f"3 06:00 {FEVER}", f"3 12:00 {LOW}", *drugs, f"4 08:00 {FEVER}", f"4 18:00 {WELL}"))
    assert one.tocilizumab.hours == pytest.approx(9, abs=0.01) and one.tocilizumab.doses == 1
    assert one.steroid.hours == pytest.approx(18, abs=0.01) and one.steroid.doses == 2
    assert not one.tocilizumab.before and (one.days, round(one.hours)) == (2, 26)


def test_a_peak_of_which_only_a_bound_is_known_is_no_grade_of_a_record():
    watch = chart(f"3 06:00 {FEVER}", "3 12:00 39.0 80 bag of tricks")
    (one,) = episodes(watch)
    assert one.peak_at_least and one.peak == 2
    (record,), more = adverse_events(charted(watch))
    assert record["AETOXGR"] == "" and any((row[5], row[7]) == ("ATLEAST", 2) for row in more)


def test_there_is_no_study_day_zero():
    assert [study_day(number) for number in (-2, -1, 0, 1)] == [-2, -1, 1, 2]
    (record,), _ = adverse_events(charted(chart(f"3 06:00 {FEVER}", f"3 18:00 {WELL}")))
    assert (record["AESTDY"], record["AESTDTC"]) == (3, "2026-03-03T06:00")


def test_how_long_a_bound_has_stood():
    watch = chart(
        f"3 06:00 {LOW}", "3 12:00 39.0 80 magic box", "3 18:00 39.0 82 magic box", "4 00:00 39.0 80 magic box"
    )
    crs = watch.now[0]
    assert crs.grade < 0 and crs.at_least == 2
    assert crs.since == pytest.approx(_day("3 12:00"), abs=1e-4)
    assert stood_words(crs, watch.today, watch.infused).startswith("for 12 h, since day 2.08 (2026-03-03 12:00)")
    assert any("at least grade 2 (for 12 h" in text for text in summary(watch))


def test_what_is_bad_stands_first_and_what_is_open_says_what_to_chart():
    watch = chart(f"3 06:00 {LOW}", "2026-03-03 06:10,ANC,0.3,10^9/L", "2026-03-03 06:10,platelets,200,10^9/L")
    names = [state.name for state in worst_first(watch.now)]
    assert names[:2] == ["crs_astct", "neutropenia"] and names[-1] == "thrombocytopenia"
    assert any("Neurotoxicity (ICANS) (chart ICE score" in text for text in summary(watch))
    page = monitor_page(watch)
    assert page.index('id="episodes"') < page.index('id="timeline"') and "Oxygen, vasopressors, arousal" in page


SAID = (
    ",allergies,penicillin: rash,", "2026-03-02 08:00,code status,full code,", "2026-03-03 08:00,code status,DNR,",
    ",lines and access,Hickman right,",
)  # fmt: skip


def test_the_sheet_tells_what_is_unknown_and_infers_nothing():
    ill = chart(f"3 06:00 {LOW}", *SAID)
    text = re.sub(r"<[^>]+>", " ", sheet(ill))
    assert "penicillin: rash" in text and "Hickman right" in text
    assert "full code" in text and "DNR" in text  # both stand, each with its date
    bare = re.sub(r"<[^>]+>", " ", sheet(chart(f"3 06:00 {LOW}")))
    for title in ("Allergies", "Code status", "Lines, access", "Antibiotics", "Response"):
        assert re.search(rf"{title}\s+not in the record", bare), title
    assert "grade 2" in bare and re.search(r"since 03-03 06:00", bare)


def test_doses_that_are_left_and_those_that_were_not_understood():
    given = [f"2026-03-03 {hour:02}:00,tocilizumab,560,mg" for hour in (7, 15, 23)]
    text = re.sub(r"<[^>]+>", " ", sheet(chart(f"3 06:00 {LOW}", *given, f"4 00:00 {LOW}")))
    assert "3 given, last 03-03 23:00" in text and "1 left" in text and "next from 03-04 07:00" in text
    odd = chart(f"3 06:00 {LOW}", "2026-03-03 07:00,tocilizumab,a lot,mg", f"4 00:00 {LOW}")
    assert "how many doses were given is not known" in re.sub(r"<[^>]+>", " ", sheet(odd))


def test_the_sheet_names_as_much_as_it_has_room_for():
    short = [f"line {i}" for i in range(12)]
    assert fitting(short, 12) == short, "nothing is left out where there is room"
    assert fitting(short, 10) == [*short[:9], "and 3 more"]
    assert fitting(short, -5) == [*short[:4], "and 8 more"], "a few stand there in any case"
    long_text = "word after word, " * 20
    assert fitting([long_text, *short], 12)[-1] == "and 8 more", "a long text takes several lines"
    text = sheet(chart(f"3 06:00 {LOW}"))
    due = text[text.index("Due and to do") : text.index("Unknown, set aside")]
    assert due.count("<li>") > 8


@pytest.mark.skipif(shutil.which("chromium") is None, reason="no browser to print with")
def test_a_sheet_prints_on_one_a4(tmp_path):
    long_text = "a long text that the record holds, word after word, " * 4
    said = [f",{name},{long_text}{n}," for name in ("allergies", "access", "antibiotics", "cultures") for n in (1,)]
    signs = [f"{day} {hour:02}:00 {LOW if day % 2 else FEVER}" for day in range(2, 8) for hour in range(0, 24, 4)]
    labs = [f"2026-03-{day:02} 06:10,{name},{day},{unit}" for day in (5, 6) for name, unit in (
        ("ANC", "10^9/L"), ("platelets", "10^9/L"), ("ferritin", "ug/L"), ("CRP", "mg/L"))]  # fmt: skip
    watch = chart(*signs, *labs, *said, "2026-03-07 21:00,ICE,14,", "2026-03-07 21:00,temperature,hot,degC")
    path = tmp_path / "sheet.html"
    path.write_text(handover_page([sheet(watch), sheet(chart(f"3 06:00 {LOW}"))]), encoding="utf-8")
    subprocess.run(
        ["chromium", "--headless", "--no-sandbox", f"--print-to-pdf={tmp_path / 'sheet.pdf'}", path.as_uri()],
        check=True, capture_output=True, timeout=120,
    )  # fmt: skip
    pages = re.findall(rb"/Type\s*/Page[^s]", (tmp_path / "sheet.pdf").read_bytes())
    assert len(pages) == 2
