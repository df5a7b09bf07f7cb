"""Limits of drug doses: data that hold at every door."""

import math
import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vein2vein.cards import find_card
from vein2vein.clinic.care.policy import (
    DatedDose,
    Dose,
    GcsfRule,
    RedCellRule,
    SteroidStart,
    Taper,
    TocilizumabRule,
    policies,
    read_policy,
)
from vein2vein.clinic.care.policy_card import drugs
from vein2vein.errors import InputError
from vein2vein.therapy import dose_limits
from vein2vein.therapy.product import FOLDER, Drug, Regimen, all_products, read_product
from vein2vein.therapy.vocabulary import DRUGS
from vein2vein.trials.trial import list_trials, load_trial, read_trial

CONDITIONING = [one for drug in DRUGS for one in dose_limits.limits_of(drug)]
SUPPORTIVE = ("tocilizumab", "dexamethasone", "methylprednisolone", "anakinra", "siltuximab", "gcsf", "ivig")


@pytest.mark.parametrize("drug", sorted(set(drugs()) - {"aspirin"}))
def test_every_drug_that_a_policy_may_give_has_a_limit(drug):
    limits = dose_limits.limits_of(drug)
    unit = "mg" if "mg" in {one.unit for one in limits} else "mg/kg"
    amount = 1.5 * max(one.refuse for one in limits if one.unit == unit)
    much = {"mg": amount} if unit == "mg" else {"mg_per_kg": amount}
    with pytest.raises(InputError, match=f"of {drug} a d"):
        replace(
            read_policy("astct_2019"),
            dated=(DatedDose(treatment=drug, from_day=1.0, until_day=1.0, every=1.0, **much),),
        )


def test_steroids_are_limited_at_the_same_strength():
    """Each at what equals 1 g of methylprednisolone a day."""
    mg = {"prednisone": 5, "hydrocortisone": 20, "cortisone": 25, "triamcinolone": 4, "betamethasone": 0.75}
    for drug, equal in mg.items():
        (one,) = dose_limits.limits_of(drug)
        assert one.refuse == pytest.approx(1000 / 4 * equal) and one.warn == pytest.approx(200 / 5 * equal)


def regimen(*drugs):
    return Regimen(name="own", title="own", drugs=drugs, how="assumed", why="test")


@pytest.mark.parametrize("drug", [*DRUGS, *SUPPORTIVE])
def test_every_drug_has_limits_with_a_source(drug):
    found = dose_limits.limits_of(drug)
    assert found and all(one.source and one.warn <= one.refuse for one in found)
    if drug in DRUGS:
        assert {one.per for one in found} == {"day", "course"}


@given(st.sampled_from(CONDITIONING), st.floats(0.01, 5), st.integers(1, 6))
def test_a_regimen_is_refused_above_the_limit_and_noted_above_the_usual(limit, times, days):
    dose = times * limit.refuse / (days if limit.per == "course" else 1)
    given_days = tuple(float(-day) for day in range(days, 0, -1))
    amounts = {"day": dose, "course": dose * days}
    limits = dose_limits.limits_of(limit.drug)
    wrong = [one for one in limits if amounts[one.per] > one.refuse * (1 + 1e-12)]
    near = any(abs(amounts[one.per] / end - 1) < 1e-9 for one in limits for end in (one.refuse, one.warn))
    if near:
        return
    if not wrong:
        made = regimen(Drug(limit.drug, dose, given_days))
        assert len(made.unusual) == sum(amounts[one.per] > one.warn for one in limits)
        return
    with pytest.raises(InputError) as problem:
        regimen(Drug(limit.drug, dose, given_days))
    said = str(problem.value)
    assert limit.drug in said and f"at most {wrong[0].refuse:g} mg/m^2" in said and wrong[0].where in said


@pytest.mark.parametrize("limit", CONDITIONING, ids=lambda one: f"{one.drug}-{one.per}")
def test_one_drug_in_two_entries_counts_as_one(limit):
    half = 0.6 * limit.refuse
    if limit.per == "day":
        drugs = [Drug(limit.drug, half, (-3.0,)), Drug(limit.drug, half, (-3.0,))]
    else:
        each = half / 3
        drugs = [Drug(limit.drug, each, days) for days in ((-6.0, -5.0, -4.0), (-3.0, -2.0, -1.0))]
    with pytest.raises(InputError, match=re.escape(f"at most {limit.refuse:g} mg/m^2")) as problem:
        regimen(*drugs)
    assert problem.value.field == "drugs.0.dose"


def test_what_is_bundled_keeps_within_the_limits():
    assert all(one.regimens for product in all_products().values() for one in product.indications)
    assert all(read_policy(name).unusual == () for name in policies())
    assert all(load_trial(name).policy for name in list_trials())


def test_an_overdose_in_a_product_or_trial_file_is_refused_with_its_line():
    card = find_card("axicabtagene_ciloleucel", FOLDER, "product")
    wrong = replace_text(card, 'drug = "fludarabine", dose = 30', 'drug = "fludarabine", dose = 3000')
    with pytest.raises(InputError, match=r"line \d+, indications\.0\..*dose: found 3000 mg/m\^2 of fludarabine a day"):
        read_product(wrong)
    trial = find_card("park_2018", FOLDER.parent.parent / "trials" / "cards", "trial")
    with pytest.raises(InputError, match=r"line \d+, regimens\..*found 30000 mg/m\^2 of cyclophosphamide a day"):
        read_trial(replace_text(trial, "dose = 3000", "dose = 30000"))


def replace_text(card, old, new):
    from vein2vein.cards import parse_card

    assert old in card.text
    return parse_card(card.text.replace(old, new, 1), card.file)


@pytest.mark.parametrize(
    ("told", "limit"),
    [
        ({"treatment": "dexamethasone", "mg": 50.0, "every": 1.0}, "at most 40 mg a dose"),
        ({"treatment": "dexamethasone", "mg": 40.0, "every": 0.125}, "at most 160 mg a day"),
        ({"treatment": "methylprednisolone", "mg": 600.0, "every": 0.5}, "at most 1000 mg a day"),
        ({"treatment": "methylprednisolone", "mg_per_kg": 40.0, "every": 1.0}, "at most 30 mg/kg a day"),
        ({"treatment": "anakinra", "mg": 3000.0, "every": 1.0}, "at most 2400 mg a day"),
        ({"treatment": "anakinra", "mg_per_kg": 20.0, "every": 0.25}, "at most 48 mg/kg a day"),
        ({"treatment": "tocilizumab", "mg": 801.0, "every": 7.0}, "at most 800 mg a dose"),
        ({"treatment": "tocilizumab", "mg": 400.0, "every": 0.25}, "at most 3 doses a day"),
        ({"treatment": "tocilizumab", "mg": 400.0, "every": 1.0, "until_day": 5.0}, "at most 4 doses in all"),
        ({"treatment": "siltuximab", "mg_per_kg": 30.0, "every": 21.0}, "at most 22 mg/kg a dose"),
    ],
)
def test_an_overdose_of_a_policy_is_refused_in_a_file_and_in_python(told, limit, tmp_path):
    days = {"from_day": 0.0, "until_day": 1.0}
    with pytest.raises(InputError, match=re.escape(limit)):
        DatedDose(**{**days, **told})
    lines = "\n".join(f"{k} = {v!r}".replace("'", '"') for k, v in {**days, **told}.items())
    file = tmp_path / "own.toml"
    text = f'title = "own"\nsource = "x"\nwhere = "y"\nbased_on = "astct_2019"\n[[dated]]\n{lines}\n'
    file.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=re.escape(limit)) as problem:
        read_policy(str(file))
    assert "own.toml, line" in str(problem.value) and "dated.0.mg" in str(problem.value)


@pytest.mark.parametrize(
    ("rule", "value", "limit"),
    [
        ("tocilizumab_mg_per_kg", 13.0, "at most 12 mg/kg a dose"),
        ("tocilizumab_most_mg", 801.0, "at most 800 mg a dose"),
        ("tocilizumab_most", 5.0, "at most 4 doses in all"),
        ("tocilizumab_most_in_24h", 4.0, "at most 3 doses a day"),
        ("immunoglobulin_g_per_kg", 3.0, "at most 2 g/kg a dose"),
    ],
)
def test_a_dose_rule_beyond_its_limit_is_refused(rule, value, limit, tmp_path):
    policy = read_policy("astct_2019")
    with pytest.raises(InputError, match=re.escape(limit)):
        replace(policy, dosing={**policy.dosing, rule: value})
    file = tmp_path / "own.toml"
    text = f'title = "own"\nsource = "x"\nwhere = "y"\nbased_on = "astct_2019"\n[dosing]\n{rule} = {value}\n'
    file.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=re.escape(limit)) as problem:
        read_policy(str(file))
    assert f"dosing.{rule}" in str(problem.value)


def test_a_dose_by_weight_alone_is_checked_against_the_heaviest():
    policy = replace(
        read_policy("astct_2019"),
        dated=(DatedDose(treatment="methylprednisolone", mg_per_kg=20.0, every=1.0, from_day=0.0, until_day=1.0),),
    )
    policy.check_weight(50.0)
    with pytest.raises(InputError, match=r"found 2000 mg of methylprednisolone a day.*At 100 kg"):
        policy.check_weight(100.0)


def test_what_is_more_than_usual_is_noted():
    policy = replace(
        read_policy("astct_2019"),
        dated=(DatedDose(treatment="anakinra", mg=200.0, every=0.25, from_day=0.0, until_day=1.0),),
    )
    assert any("anakinra 800 mg a day is more than the usual 400" in note for note in policy.unusual)
    assert Dose(treatment="ruxolitinib", mg=20.0, every=0.5).mg == 20


DEXAMETHASONE = {"treatment": "dexamethasone", "mg": 20.0, "every": 1.0, "from_day": 0.0, "until_day": 3.0}


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"mg": 0.0}, "mg"), ({"mg": -1.0}, "mg"), ({"mg": math.nan}, "mg"), ({"mg": None}, "mg"),
        ({"every": 0.0}, "every"), ({"every": math.nan}, "every"), ({"from_day": -5.0}, "from_day"),
        ({"until_day": math.inf}, "until_day"), ({"from_day": 4.0}, "until_day"),
        *(({"treatment": name}, "treatment") for name in ("fludarabine", "car_t_infusion", "ivig", "hsct", "bridging")),
    ],
)  # fmt: skip
def test_a_dose_by_the_calendar_made_in_python_meets_the_checks_of_a_card(changed, field):
    DatedDose(**DEXAMETHASONE)
    with pytest.raises(InputError) as problem:
        DatedDose(**{**DEXAMETHASONE, **changed})
    assert problem.value.field == field


@pytest.mark.parametrize(
    "make",
    [
        lambda: TocilizumabRule(from_grade=-1.0, repeat_after=1.0), lambda: GcsfRule(2.0, start_below=1.0, stop_at=0.5),
        lambda: RedCellRule(hemoglobin_below=7.0, every=0.0), lambda: SteroidStart(), lambda: Taper(3.0, share=1.5),
    ],
)  # fmt: skip
def test_every_rule_of_a_policy_does(make):
    with pytest.raises(InputError):
        make()


def test_doses_of_one_drug_on_one_day_count_together(tmp_path):
    policy, one = read_policy("astct_2019"), DatedDose(**{**DEXAMETHASONE, "mg": 40.0})
    apart = DatedDose(**{**DEXAMETHASONE, "mg": 40.0, "from_day": 10.0, "until_day": 12.0})
    assert len(replace(policy, dated=(one, one, one, one, apart)).dated) == 5
    with pytest.raises(InputError, match=r"found 200 mg of dexamethasone a day.*on day 2\."):
        replace(policy, dated=(one, one, one, one, replace(one, from_day=2.0)))
    row = '[[dated]]\ntreatment = "dexamethasone"\nmg = 40\nevery = 1\nfrom_day = 0\nuntil_day = 3\n'
    file = tmp_path / "own.toml"
    file.write_text('title = "own"\nsource = "x"\nwhere = "y"\nbased_on = "astct_2019"\n' + 5 * row, encoding="utf-8")
    with pytest.raises(InputError, match=r"own\.toml, line 5, dated\.0.*found 200 mg of dexamethasone a day"):
        read_policy(str(file))
