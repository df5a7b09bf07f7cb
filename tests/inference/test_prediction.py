"""A prediction stamped before the data are seen, and published values set beside it later."""

import hashlib
import math
import re
import tomllib
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from vein2vein import __version__
from vein2vein.errors import InputError
from vein2vein.inference import drawn_trials, prediction, prediction_score, stamp, stamped_cards
from vein2vein.inference.drawn_trials import Asked, drawn
from vein2vein.inference.posterior import Factor, Posterior
from vein2vein.inference.prediction import predict
from vein2vein.inference.prediction_score import score_prediction
from vein2vein.inference.stamp import read_stamp, stamp_text, write_stamp
from vein2vein.trials.comparison import beside
from vein2vein.trials.trial import load_trial

DESIGN = """
[trial]
name = "short"
published_as = "SHORT"
title = "A \\"short\\" one"
disease = "pediatric_b_all"
product = "tisagenlecleucel"
policy = "early_conservative"
[size]
patients = 20
enrolled = 30
[visits]
watch_step = 0.5
watch_until = 10
follow_up = 35
disease_visits = [28]
kinetics_samples = [4, 7, 9, 11, 14, 28]
[cutoffs.interim]
follow_up = "1 month"
[endpoints]
scale = "penn"
until = "4 weeks"
responses = ["CR", "CRi"]
response_by = "35 days"
"""
RATE = """
[[published]]
quantity = "CR_CRi_rate"
n = 15
unit = "%"
endpoint = "responded"
tolerance = 10
tolerance_kind = "points"
"""
SURVIVAL = """
[[published]]
quantity = "EFS_rate"
definition = "t=1mo"
unit = "%"
endpoint = "survival"
event = "EFS"
clock = "infusion"
censor_transplant = false
time = "1 month"
cutoff = "interim"
"""
KNOWN = """
[[published]]
quantity = "age_median"
value = 11
unit = "years"
confidence = "read"
kind = "design"
endpoint = "age"
"""
RATIO = """
[[published]]
quantity = "Cmax_ratio"
n = 20
unit = "ratio"
endpoint = "cmax"
statistic = "ratio"
tolerance_kind = "published interval"
"""
TRIAL = DESIGN + RATE + SURVIVAL + KNOWN
READ = 'confidence = "read"'
SIMULATED = {"CR_CRi_rate": [60.0] * 10 + [70.0] * 10 + [80.0] * 80, "EFS_rate": [50.0, 100.0] * 50}


def canned(asked, sample, *, seed, progress=None, jobs=1):
    """In place of simulated trials: what ``SIMULATED`` holds; inf for a row that it does not name."""
    import numpy as np

    (one,) = asked
    rows = [SIMULATED.get(row.quantity, [math.inf] * 10) for row in one.rows]
    return [[beside(row, 20, np.array(values), level=0.9) for row, values in zip(one.rows, rows, strict=True)]]


@pytest.fixture
def quick(monkeypatch, tmp_path):
    monkeypatch.setattr(prediction, "drawn", canned)
    monkeypatch.setattr(prediction, "now", lambda: datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def stamped(text=TRIAL, **asked):
    Path("my.toml").write_text(text, encoding="utf-8")
    return predict("my.toml", **asked)


@pytest.fixture
def made(quick):
    write_stamp(stamped(), "my.stamp.toml")
    return quick


def scored(text):
    Path("published.toml").write_text(text, encoding="utf-8")
    return score_prediction("my.stamp.toml", "published.toml")


def refusal(text, *said):
    with pytest.raises(InputError) as problem:
        scored(text)
    for words in said:
        assert words in str(problem.value)
    return problem.value


# What the stamp holds


def test_a_stamp_says_which_cards_were_calibrated_on_no_patients(quick):
    assert stamped().notes == ()
    solid = TRIAL.replace('"pediatric_b_all"', '"neuroblastoma"').replace('"tisagenlecleucel"', '"gd2_car"')
    solid = solid.replace('"CR", "CRi"', '"CR", "PR"').replace('"CR", "CRh", "CRi"', '"CR", "PR"')
    made = stamped(solid)
    (note,) = made.notes
    assert "a GD2 product and neuroblastoma with GD2" in note and "read directions, not sizes" in note
    write_stamp(made, "solid.stamp.toml")
    assert read_stamp("solid.stamp.toml").notes == made.notes


def test_the_stamp_says_what_was_predicted_when_and_with_what(made):
    found = tomllib.loads(Path("my.stamp.toml").read_text(encoding="utf-8"))
    assert found["made"] == "2026-03-04T05:06:07Z" and found["version"] == __version__ and found["seed"] == 1
    assert found["trial"] == "SHORT" and found["title"] == 'A "short" one' and found["file"] == "my.toml"
    assert found["file_hash"] == hashlib.sha256(Path("my.toml").read_bytes()).hexdigest()
    assert (found["patients"], found["sets"], found["size"], found["level"]) == (400, 1, 30, 0.9)
    assert found["parameters"] == "typical: as on the cards"
    assert set(found["design"]) == {"trial", "size", "visits", "cutoffs", "endpoints"}
    assert found["cards"]["products"] == ["tisagenlecleucel"] and "own" not in found["cards"]
    rate, survival = found["predicted"]
    assert (rate["median"], rate["low"], rate["high"], rate["n"]) == (80, 60, 80, 15)
    assert (survival["median"], survival["low"], survival["high"]) == (50, 50, 100) and "n" not in survival
    assert rate["asks"]["tolerance"] == 10 and rate["asks"]["responses"] == ["CR", "CRi"]
    assert survival["asks"]["time"] == 30.4375 and survival["asks"]["cutoff"] == "interim"
    assert [row["quantity"] for row in found["known"]] == ["age_median"]
    assert re.fullmatch(r"[0-9a-f]{64}", found["digest"])


def test_a_stamp_is_read_as_it_was_written_whatever_spaces_and_remarks(made):
    told = read_stamp("my.stamp.toml")
    text = stamp_text(told)
    assert text == Path("my.stamp.toml").read_text(encoding="utf-8")
    Path("other.toml").write_text("# a remark\n" + text.replace(" = ", "="), encoding="utf-8")
    assert read_stamp("other.toml") == told


def test_a_median_that_is_not_reached_is_stamped_as_such(quick):
    told = stamped(DESIGN + RATIO)
    assert told.predicted[0].median == math.inf
    write_stamp(told, "s.toml")
    assert read_stamp("s.toml") == told


def test_asked_again_everything_but_the_time_is_the_same(quick):
    first = stamped()
    assert stamped() == first
    assert stamped(seed=2).digest != first.digest


def test_the_stamp_says_under_which_sets_of_a_posterior_sample(quick):
    import numpy as np

    factor = Factor("g", "g", "value", ("pediatric_b_all",), 0.1)
    sample = Posterior((factor,), np.zeros((6, 1)), "0123", {"seed": 3, "steps": 2})
    told = stamped(sets=sample)
    assert (told.sets, told.patients) == (6, 100) and stamped(sets=sample, patients=12).patients == 12
    assert told.parameters.startswith("6 of 6 sets of the posterior sample (cards 0123; seed 3, steps 2); ")
    assert "hold the error of the model" in told.parameters


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("median = 80.0", "median = 81.0"),
        ("2026-03-04", "2026-03-03"),
        ("tolerance = 10.0", "tolerance = 20.0"),
        ("seed = 1", "seed = 2"),
        ('quantity = "age_median"', 'quantity = "age"'),
        ("high = 80.0", 'high = "eighty"'),
        ("level = 0.9", "level = 0.9\nmore = 1"),
        ('digest = "', 'digest = "0'),
    ],
)
def test_a_stamp_that_was_changed_is_refused(made, old, new):
    text = Path("my.stamp.toml").read_text(encoding="utf-8")
    assert old in text
    Path("my.stamp.toml").write_text(text.replace(old, new, 1), encoding="utf-8")
    assert refusal(TRIAL, "the stamp was changed").field == "digest"


@pytest.mark.parametrize("text", [TRIAL, 'digest = "1"', "digest = 1\npredicted = 2"])
def test_what_is_no_stamp_is_refused(quick, text):
    Path("my.stamp.toml").write_text(text, encoding="utf-8")
    refusal(TRIAL, "is no stamp of a prediction")


# What can be predicted


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (DESIGN + KNOWN, "every row has its value already"),
        (DESIGN + RATE + RATE.replace("15", "16"), "found 'CR_CRi_rate' again (first on line 27)"),
        (DESIGN + RATE + "lo95 = 3\n", "lo95: found without value"),
        (DESIGN + RATE.replace('"%"', '"days"'), "which endpoint responded cannot have"),
        (
            TRIAL.replace("enrolled = 30", ""),
            "size.enrolled: missing; 'EFS_rate' is predicted for a trial of some size",
        ),
        (DESIGN.replace("follow_up = 35", "follow_up = 35\nfollow = 3"), "follow"),
        (DESIGN + SURVIVAL.replace('"interim"', '"later"'), "unknown cutoff 'later'"),
    ],
)
def test_what_cannot_be_predicted_is_refused(quick, text, said):
    with pytest.raises(InputError) as problem:
        stamped(text)
    assert said in str(problem.value) and "my.toml" in str(problem.value)


@pytest.mark.parametrize(("argument", "value"), [("patients", 0), ("patients", 2.5), ("seed", -1), ("seed", "one")])
def test_bad_arguments_are_refused(quick, argument, value):
    with pytest.raises(InputError, match=argument):
        stamped(**{argument: value})


def test_a_bundled_trial_holds_its_values_already(quick):
    with pytest.raises(InputError, match="every row has its value already"):
        predict("eliana")


def test_a_row_without_value_is_for_predictions_only(quick):
    Path("my.toml").write_text(TRIAL, encoding="utf-8")
    with pytest.raises(InputError, match=r"published\.0\.value: missing; .*, or have the row predicted"):
        load_trial("my.toml")


ARMS = '[[arms]]\nname = "low"\nsize = 10\ndose = "1e6/kg"\n[[arms]]\nname = "high"\nsize = 20\n'


def test_without_rows_the_usual_endpoints_of_each_arm_are_predicted_on_the_trials_scale(quick):
    told = stamped(DESIGN)
    rows = {row.quantity: row for row in told.predicted}
    assert {"response", "CRS grade 3 or more", "Cmax, transgene", "infused of enrolled"} <= set(rows)
    assert "survival, 12 months" not in rows  # follow-up ends before
    asks = rows["CRS grade 3 or more"].asks
    assert asks["scale"] == "penn" and asks["until"] == 28 and rows["response"].trial == "SHORT"
    both = stamped(DESIGN.replace("enrolled = 30", "") + ARMS)
    assert both.size == 30 and len(both.predicted) == 2 * len(told.predicted)
    assert {(row.arm, *row.asks["arms"]) for row in both.predicted} == {("low", "low"), ("high", "high")}


# Simulated trials of the size


def test_a_prediction_is_what_drawn_trials_of_its_size_give(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    told = stamped(patients=20)
    plan, rows, _ = prediction._rows(prediction.card_of("my.toml"))
    ((rate, survival),) = drawn([Asked(plan, rows, 20, 30)], [None], seed=1)
    for one, row in zip(told.predicted, (rate, survival), strict=True):
        assert one.median == pytest.approx(row.simulated, rel=1e-5) and one.low == pytest.approx(row.low, rel=1e-5)
        assert one.high == pytest.approx(row.high, rel=1e-5)
    assert told.patients == 20 and told.predicted[0].low < told.predicted[0].high


def test_a_row_without_number_draws_its_share_of_the_enrolled(tmp_path, monkeypatch):
    sizes = []
    monkeypatch.setattr(drawn_trials, "resampled", lambda rows, *_, **__: sizes.extend(r.draw for r in rows) or [])
    monkeypatch.setattr(drawn_trials, "patients_of", lambda *_, **__: __import__("numpy").array([True, False] * 10))
    monkeypatch.setattr(drawn_trials, "treated_under", lambda *_, **__: [type("Journey", (), {"count": 20})])
    path = tmp_path / "my.toml"
    path.write_text(TRIAL, encoding="utf-8")
    plan, rows, _ = prediction._rows(prediction.card_of(path))
    drawn_trials._part([Asked(plan, rows, 20, 30)], [20], [None], [(0, range(1))], 1, 0, 0)
    drawn_trials._part([Asked(plan, rows, 20)], [20], [None], [(0, range(1))], 1, 0, 0)
    assert sizes == [15, 15, 15, 0]  # as the row says, half of 30; as the row says, all


# Published values beside it


def test_the_trial_file_with_its_values_is_scored(made):
    found = scored(
        DESIGN + KNOWN.replace("value = 11", "value = 12")
        + SURVIVAL + f"value = 40\nlo95 = 20\nhi95 = 60\n{READ}\nsource = 'maude_2018'\n"
        + RATE.replace("n = 15", "n = 14") + f"value = 65\n{READ}\n"
    )  # fmt: skip
    survival, rate = found.rows
    assert (rate.simulated, rate.low, rate.high, rate.published) == (80, 60, 80, 65)
    assert rate.inside and rate.error == 1.5 and not rate.close and not rate.passed
    assert not survival.inside and math.isnan(survival.error) and survival.published_low == 20
    assert survival.source == "maude_2018" and survival.n != survival.n
    assert found.score.rows == 2 and found.score.coverage == 0.5
    assert (found.in_tolerances.rows, found.in_tolerances.error, found.in_tolerances.passed) == (1, 1.5, 0)
    assert found.notes == ("CR_CRi_rate: predicted for 15 patients, published of 14; the interval is for 15",)
    assert found.awaited == () and found.recalled == ()


def test_a_file_of_values_alone_is_scored_and_what_is_missing_is_told(made):
    found = scored(f'[[published]]\nquantity = "CR_CRi_rate"\nvalue = 75\nunit = "%"\nn = 15\n{READ}\n')
    assert found.rows[0].passed and found.rows[0].error == 0.5 and found.awaited == ("EFS_rate, t=1mo",)
    recalled = scored('[[published]]\nquantity = "CR_CRi_rate"\nvalue = 75\nconfidence = "memory"\n')
    assert recalled.rows == () and recalled.recalled[0].published == 75 and math.isnan(recalled.score.coverage)


def test_a_ratio_is_scored_by_its_published_interval(quick, monkeypatch):
    monkeypatch.setitem(SIMULATED, "Cmax_ratio", [2.0] * 100)
    write_stamp(stamped(DESIGN + RATIO), "my.stamp.toml")
    row = f'[[published]]\nquantity = "Cmax_ratio"\nvalue = 1.0\n{READ}\n'
    found = scored(row + "lo95 = 0.25\nhi95 = 4\n")
    assert found.rows[0].error == pytest.approx(0.5) and not found.rows[0].inside
    refusal(row, "lo95", "needs lo95 and hi95")


VALUE = f"value = 65\n{READ}\n"
ROW = f'[[published]]\nquantity = "CR_CRi_rate"\nunit = "%"\n{VALUE}'


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (TRIAL, ["published.toml", "no row of the prediction has a value yet"]),
        (DESIGN.replace("follow_up = 35", "follow_up = 36") + RATE + VALUE, ["line 12, visits", "has changed since"]),
        (re.sub(r"\[cutoffs.interim\]\n.*\n", "", DESIGN) + RATE + VALUE, ["cutoffs", "is missing since"]),
        (DESIGN + "[enrollment]\naccrual = 30\n" + RATE + VALUE, ["enrollment", "is new since"]),
        ("[size]\npatients = 3\n" + ROW, ["unknown field 'size'"]),
        (ROW + ROW, ["line 7, published.1.quantity", "found 'CR_CRi_rate' twice (first on line 2)"]),
        (ROW.replace("CR_CRi", "CRCRi"), ["'CRCRi_rate' not predicted", "did you mean 'CR_CRi_rate'?"]),
        (ROW + ROW.replace("CR_CRi_rate", "ICU") + ROW.replace("CR_CRi_rate", "Z9"), ["'ICU' and 'Z9' not predicted"]),
        (ROW + "arm = 'high'\n", ["'CR_CRi_rate, high' not predicted"]),
        (ROW.replace('"%"', '"days"'), ["line 3", "found 'days', but 'CR_CRi_rate' was predicted in '%'"]),
        (ROW + "tolerance = 20\n", ["tolerance", "found 20.0, but 'CR_CRi_rate' was predicted with 10.0"]),
        (ROW + "among = 'enrolled'\n", ["among", "was predicted with 'nothing'"]),
        (ROW.replace("65", "165"), ["line 4, published.0.value", "expected a share from 0 to 100 %"]),
        (ROW.replace(READ, ""), ["confidence: missing"]),
        (ROW + "valu = 3\n", ["did you mean value"]),
        ("[[published]]\nvalue = 3\n", ["quantity: missing"]),
    ],
)
def test_what_does_not_belong_to_the_prediction_is_refused(made, text, said):
    refusal(text, *said)


# Cards that changed since


def test_cards_that_changed_since_are_told_and_the_prediction_stands(made, monkeypatch):
    monkeypatch.setattr(stamped_cards, "_bundled", lambda: "other")
    assert ["but not the numbers" in note for note in scored(ROW).notes] == [True]
    monkeypatch.setattr(stamped_cards, "hash_of_cards", lambda *_: "other")
    monkeypatch.setattr(prediction_score, "__version__", "9.9")
    version, numbers = scored(ROW).notes
    assert version == f"stamped by version {__version__}, scored by 9.9"
    assert numbers.startswith("the numbers of the cards have changed since the stamp")
    assert scored(ROW).score.coverage == 1


def test_cards_of_ones_own_are_told_by_name(quick):
    from vein2vein.therapy.product import FOLDER

    card = (FOLDER / "tisagenlecleucel.toml").read_text(encoding="utf-8")
    Path("own.toml").write_text(card, encoding="utf-8")
    text = TRIAL.replace('product = "tisagenlecleucel"', 'product = "own.toml"')
    told = stamped(text)
    assert set(told.cards.own) == {"own.toml"} and told.cards.numbers == stamped().cards.numbers
    write_stamp(told, "my.stamp.toml")
    assert scored(ROW).notes == ()
    Path("own.toml").write_text(card + "# a remark\n", encoding="utf-8")
    assert scored(ROW).notes == ("your card own.toml has changed since the stamp",)
    Path("own.toml").unlink()
    assert [note.split(",")[0] for note in scored(ROW).notes] == [
        "your card own.toml cannot be read any more",
        "the numbers of the cards cannot be compared with those of the stamp (own.toml: no such file; check the name "
        "and the folder.)",
    ]


def test_what_a_row_asks_leaves_out_what_nobody_gave(quick):
    _, rows, _ = prediction._rows(_card(TRIAL))
    assert stamp.asked(replace(rows[0], age_from=18.0))["age_from"] == 18
    assert set(stamp.asked(rows[0])) == {"endpoint", "draw", "tolerance", "tolerance_kind", "responses", "response_by"}


def _card(text):
    from vein2vein.cards import parse_card

    return parse_card(text, "my.toml")
