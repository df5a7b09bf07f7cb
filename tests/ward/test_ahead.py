"""What is dated later than now is asked back, and told of a record; clocks of other zones are forgiven."""

import datetime

import pytest

from vein2vein.cli.main import main
from vein2vein.errors import InputError
from vein2vein.io.record.read import read_record
from vein2vein.ward.ahead import check_not_ahead, told_ahead

NOW = datetime.datetime(2026, 3, 9, 12, tzinfo=datetime.timezone(datetime.timedelta(hours=-5)))
ROWS = "patient,time,analyte,value,unit\n" + "".join(
    f"{who},{day} 10:00,car_t_infusion,given,\n{who},{last} 10:00,temperature,38,degC\n"
    for who, day, last in (("A", "2026-03-05", "2026-03-09"), ("B", "2026-03-05", "2026-12-09"))
)


@pytest.mark.parametrize(
    "time",
    ["2026-03-09T11:00", "2026-03-10", "2026-03-10T11:00:00-05:00", "2026-03-10T15:00:00+14:00", "D+400", "soon"],
)
def test_what_may_have_been_charted_is_taken(time):
    check_not_ahead(time, NOW)


@pytest.mark.parametrize("time", ["2026-03-12T12:00", "2027-03-09", "2026-03-10T18:00:00+00:00", "12.03.2026 11:00"])
def test_a_time_later_than_now_is_refused(time):
    with pytest.raises(InputError, match=r"later than now \(2026-03-09 12:00\); give the time") as found:
        check_not_ahead(time, NOW)
    assert found.value.field == "time"


def test_dates_that_were_shifted_say_nothing_of_now():
    check_not_ahead("2180-03-09T12:00", NOW, datetime.date(2180, 3, 5))
    with pytest.raises(InputError):
        check_not_ahead("2180-03-09T12:00", NOW, datetime.date(2026, 3, 5))


def test_a_record_says_whose_rows_lie_ahead(tmp_path):
    (tmp_path / "r.csv").write_text(ROWS)
    (said,) = told_ahead(read_record(tmp_path / "r.csv"), NOW)
    assert said.startswith("patient 'B': the last row is dated 2026-12-09, later than today (2026-03-09)")
    assert told_ahead(read_record(tmp_path / "r.csv"), NOW.replace(year=2027)) == ()


def test_the_command_tells_it_and_grades_all_the_same(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "r.csv").write_text(ROWS)
    monkeypatch.setattr("vein2vein.ward.ahead.FORGIVEN", -datetime.timedelta(days=100_000))
    for more, told in (([], True), (["--deidentify"], False)):
        assert main(["monitor", "r.csv", "--out", f"out{len(more)}", *more]) == 0
        heard = capsys.readouterr()
        assert ("dated 2026-12-09, later than today" in heard.out + heard.err) == told
