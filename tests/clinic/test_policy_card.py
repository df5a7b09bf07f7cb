"""A policy of one's own: what is refused, with file, line and field."""

from pathlib import Path

import pytest

import vein2vein
from vein2vein.clinic.care.management import read_policy
from vein2vein.clinic.care.policy_card import Amount, Dated, Gcsf, PolicyCard, Steroid, SteroidWhen, Taper, given_fields
from vein2vein.errors import InputError

(ASTCT,) = Path(vein2vein.__file__).parent.rglob("policies/astct_2019.toml")
DAY = '[[dated]]\ntreatment = "dexamethasone"\nfrom_day = 2\nuntil_day = 4\nevery = 1\nmg = 10\n'
END = 'rule = "routine"\n'

FAULTS = [
    ("from_grade = 2", "from_grade = 9", 0, "tocilizumab.from_grade", "from 0 to 5"),
    ("from_grade = 2", "from_grade = nan", 0, "tocilizumab.from_grade", "found nan"),
    ("from_grade = 2", "form_grade = 2", 0, "tocilizumab.form_grade", "did you mean from_grade"),
    ("from_grade = 2\n", "", -1, "tocilizumab.from_grade", "missing"),
    ("or_lasts = 3 ", "# or_lasts = 3", -3, "tocilizumab.or_lasts", "missing; or_grade needs"),
    ("repeat_after = 0.5", "repeat_after = -0.5", 0, "tocilizumab.repeat_after", "found -0.5 day"),
    ("stop_at_grade = 1", "stop_at_grade = true", 0, "steroid.stop_at_grade", "found true"),
    ("share = 0.5", "share = 5", 0, "steroid.taper.0.share", "from 0 to 1"),
    ("crs_at_least = 2\n", "", -1, "steroid.when.0.crs_at_least", "either crs_at_least or icans_at_least"),
    ('costimulation = "CD28"', 'costimulation = "CD82"', 0, "steroid.when.2.costimulation", "did you mean CD28"),
    ("mg = 10\n", "mg = -10\n", 0, "steroid.dose.0.mg", "above 0"),
    ("every = 0.5", "every = 0", 0, "steroid.dose.0.every", "above 0"),
    ("start_below = 0.5", "start_below = -1", 0, "gcsf.start_below", "found -1"),
    ('rule = "routine"', 'rule = "routin"', 0, "immunoglobulin.rule", "did you mean routine"),
    ('scale = "crs_astct"', 'scale = "crs_asct"', 0, "scale", "did you mean crs_astct"),
    (
        END,
        f"{END}{DAY.replace('until_day = 4', 'until_day = 1')}",
        4,
        "dated.0.until_day",
        "found day 1, expected day 2 or later, as from_day.",
    ),
    (END, f"{END}{DAY.replace('mg = 10', '')}", 1, "dated.0.mg", "expected a dose of dexamethasone"),
    (END, "", -1, "immunoglobulin.rule", "Add the line 'rule = ...'."),
    (END, f"{END}[dosing]\ntocilizumab_most_mg = -800\n", 2, "dosing.tocilizumab_most_mg", "found -800"),
    ("mg = 10\n", "mg = 1e30\n", 0, "steroid.dose.0.mg", "at most 10000"),
    ("mg = 10\n", 'mg = "10 kg"\n', 0, "steroid.dose.0.mg", "at most 10000"),
    ("stop_at = 1.0", "stop_at = 0.1", 0, "gcsf.stop_at", "at least start_below"),
    (END, f"{END}[dosing]\ntocilizumab_most_mg = 1e30\n", 2, "dosing.tocilizumab_most_mg", "found 1e+30"),
    (END, f"{END}[dosing]\ntocilizumab_mostmg = 800\n", 2, "dosing.tocilizumab_mostmg", "tocilizumab_most_mg"),
]


@pytest.mark.parametrize(
    ("old", "new", "line", "field", "said"), FAULTS, ids=[f"{i}-{fault[3]}" for i, fault in enumerate(FAULTS)]
)
def test_a_fault_of_a_policy_is_refused_with_its_line(old, new, line, field, said, tmp_path):
    text = ASTCT.read_text(encoding="utf-8")
    assert old in text
    file = tmp_path / "own.toml"
    file.write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(InputError) as caught:
        read_policy(str(file))
    assert (caught.value.file, caught.value.field) == (str(file), field), str(caught.value)
    assert said in caught.value.text and caught.value.line == text[: text.index(old)].count("\n") + 1 + line


def test_an_unknown_policy_below_is_refused_with_its_line(tmp_path):
    file = tmp_path / "own.toml"
    file.write_text('title = "t"\nsource = "clinical_rules_2026"\nwhere = "x"\nbased_on = "astct"\n', encoding="utf-8")
    with pytest.raises(InputError, match="line 4, based_on: unknown policy 'astct'; did you mean astct_2019"):
        read_policy(str(file))


HEAD = 'title = "t"\nsource = "clinical_rules_2026"\nwhere = "x"\n'


def test_a_policy_that_is_based_on_itself_is_refused(tmp_path):
    one, two = tmp_path / "one.toml", tmp_path / "two.toml"
    one.write_text(f'{HEAD}based_on = "{two}"\n', encoding="utf-8")
    two.write_text(f'{HEAD}based_on = "{one}"\n', encoding="utf-8")
    with pytest.raises(
        InputError, match=r"line 4, based_on: found '.*one\.toml', which is based on this policy itself"
    ):
        read_policy(str(one))


def test_what_no_policy_of_a_chain_gives_is_refused_with_its_line(tmp_path):
    file = tmp_path / "own.toml"
    file.write_text(f'{HEAD}based_on = "astct_2019"\n[antipyretic]\nwhy = "fever"\n', encoding="utf-8")
    with pytest.raises(InputError, match=r"line 5, antipyretic.from_grade: missing; no policy below gives it either"):
        read_policy(str(file))


def test_steps_of_a_taper_ascend():
    steps = (Taper(until=5.0, share=0.5), Taper(until=2.0, share=0.1))
    with pytest.raises(InputError, match=r"taper.1.until: found day 2 after day 5"):
        Steroid(taper=steps)
    assert Steroid(taper=steps[::-1]).taper == steps[::-1]


@pytest.mark.parametrize(
    "make",
    [
        lambda: SteroidWhen(),
        lambda: Amount(treatment="acetylcysteine", mg=1.0, every=1.0),
        lambda: Dated(treatment="dexamethasone", mg=1.0, every=1.0, from_day=3.0, until_day=2.0),
    ],
)
def test_rules_made_in_python_meet_the_same_checks(make):
    with pytest.raises(InputError):
        make()


def test_a_record_is_told_by_what_its_card_gives():
    when = (SteroidWhen(crs_at_least=2.0), SteroidWhen(icans_at_least=1.0, costimulation="CD28"))
    assert given_fields(Steroid(when=when, stop_at_grade=1.0, mark="M", taper=(Taper(until=2.0, share=0.5),))) == {
        "when": [{"crs_at_least": 2.0}, {"icans_at_least": 1.0, "costimulation": "CD28"}],
        "stop_at_grade": 1.0, "mark": "M", "taper": [{"until": 2.0, "share": 0.5}],
    }  # fmt: skip
    card = PolicyCard(title="t", source="s", where="w", based_on="astct_2019", gcsf=Gcsf(from_day=0.0, mark="M"))
    assert given_fields(card) == {
        "title": "t", "source": "s", "where": "w", "based_on": "astct_2019", "gcsf": {"from_day": 0.0, "mark": "M"},
    }  # fmt: skip
