"""A product whose target the tumor lacks: refused at every door, and where it was meant, nothing of the tumor dies."""

from dataclasses import replace

import numpy as np
import pytest
from click.testing import CliRunner

from vein2vein.cards import parse_card
from vein2vein.cli import console, main
from vein2vein.errors import InputError
from vein2vein.explain.page import explanation_page
from vein2vein.journey.chart import simulate
from vein2vein.therapy.disease import find_disease
from vein2vein.therapy.laws import Law
from vein2vein.therapy.patient import patient_from_card
from vein2vein.therapy.product import find_product
from vein2vein.therapy.targets import uncalibrated
from vein2vein.therapy.visits import read_plan
from vein2vein.trials.contrast import design
from vein2vein.trials.trial import load_trial, read_trial, run_trial, trial_template_text
from vein2vein.trials.virtual_patients import companions, draw_patients, virtual_patients

PLAN = replace(read_plan(), follow_up=120.0, disease_visits=(28.0, 90.0), kinetics_samples=(7.0, 14.0, 28.0))
RESPONSES = {"CR", "CRi", "PR", "sCR", "VGPR", "MR"}
AXI, CILTA, TANDEM, CLAUDIN = "axicabtagene_ciloleucel", "ciltacabtagene_autoleucel", "tandem_cd19_cd22", "cldn18_2_car"
OFF = [("mm", AXI), ("lbcl", CILTA), ("mm", TANDEM), ("glioma", CLAUDIN)]
TRIAL = trial_template_text().split("[[published]]")[0].replace("pediatric_b_all", "mm", 1)
PERSON = """disease = "{disease}"
age = 50
weight = 70
[antigens]
{antigens}
"""


def killed(journey):
    """Responses of any kind among the infused."""
    return set(journey.response.best[journey.infused].astype(str)) & RESPONSES


@pytest.mark.parametrize(("disease", "product"), OFF)
def test_it_is_refused_and_where_it_is_meant_kills_nothing(disease, product):
    patients = virtual_patients(disease, 25, seed=2)
    with pytest.raises(InputError, match=product) as caught:
        simulate(patients, product, plan=PLAN)
    assert caught.value.field == "product"
    journey = simulate(patients, product, plan=PLAN, absent_target=True, seed=2)
    assert journey.infused.any() and not killed(journey)
    assert any("kills nothing of the tumor" in note for note in journey.notes)
    held = journey.course.dense("antigen_positive_share")[journey.infused]
    assert not np.nanmax(held)


def test_a_cd19_product_in_myeloma_still_takes_the_b_cells():
    patients = virtual_patients("mm", 40, seed=2)
    journeys = [simulate(patients, product, plan=PLAN, seed=2, absent_target=True) for product in (AXI, CILTA)]
    day = list(journeys[0].course.days).index(28.0)
    left = [np.nanmedian(one.course.dense("b_cells")[one.infused][:, day]) for one in journeys]
    assert left[0] < 0.1 * left[1]


def test_cells_do_not_expand_on_a_tumor_that_they_do_not_see():
    patients = virtual_patients("mm", 30, seed=2)
    blind = replace(patients, antigens={**patients.antigens, "BCMA": np.zeros(30)})
    seen, unseen = (simulate(one, CILTA, plan=PLAN, seed=2) for one in (patients, blind))
    peaks = [np.nanmedian(one.kinetics.cmax[one.infused]) for one in (seen, unseen)]
    assert peaks[1] < 0.1 * peaks[0]  # plasma cells are few
    assert any("tumor without BCMA" in note for note in unseen.notes) and killed(seen) and not killed(unseen)


def test_either_of_two_targets_is_enough_and_both_are_not():
    patients = virtual_patients("pediatric_b_all", 25, seed=4)
    bare = replace(patients, antigens={**patients.antigens, "CD19": np.zeros(25)})
    either, both = (replace(find_product(TANDEM), design=one) for one in ("or", "and"))
    assert killed(simulate(bare, either, plan=PLAN, seed=4))
    assert not killed(simulate(bare, both, plan=PLAN, seed=4))


def test_a_patient_who_is_said_to_be_negative_is_not_killed_and_one_measured_is():
    told = {name: PERSON.format(disease="lbcl", antigens=line) for name, line in
            (("negative", 'CD19 = "negative"'), ("bcma", "BCMA = 3000"))}  # fmt: skip
    negative, measured = (patient_from_card(parse_card(one, "p.toml"))[0] for one in told.values())
    with pytest.raises(InputError, match="sees CD19, which is not carried by the tumor of these patients with large B"):
        simulate(companions(negative, 20, 1), AXI, plan=PLAN)
    journey = simulate(companions(negative, 20, 1), AXI, plan=PLAN, absent_target=True)
    assert not killed(journey) and any("CD19 is not on the tumor of these patients" in one for one in journey.notes)
    assert killed(simulate(companions(measured, 20, 1), CILTA, plan=PLAN))


@pytest.mark.parametrize("disease", ["mm", "lbcl"])
def test_an_antigen_that_is_said_to_be_negative_never_opens_the_door(disease):
    """Not even where the disease lacks it anyway: what is known to be absent is not known to be there."""
    one, _ = patient_from_card(parse_card(PERSON.format(disease=disease, antigens='CD19 = "negative"'), "p.toml"))
    with pytest.raises(InputError, match="sees CD19, which is not carried by the tumor of these patients"):
        simulate(one, AXI, plan=PLAN)
    with pytest.raises(InputError, match="sees CD19, which is not carried"):
        explanation_page(one, find_product(AXI))


def test_few_patients_who_all_lack_what_a_share_carries_are_treated():
    """Chunks change nothing: of those drawn without selection, one alone may lack it."""
    many = draw_patients(None, "gastric_cancer", np.arange(40), 1, selected=False)
    lacks = int(np.flatnonzero(many.antigens["CLDN18.2"] == 0)[0])
    alone = draw_patients(None, "gastric_cancer", np.array([lacks]), 1, selected=False)
    assert any("1 of 1 patients have a tumor without" in one for one in simulate(alone, CLAUDIN, plan=PLAN).notes)


def test_a_law_of_the_trial_holds_without_selection_where_the_disease_lacks_the_antigen():
    law = {"CD19": Law("CD19", "lognormal", {"median": 9000.0, "sd": 0.5}, "molecules/cell")}
    people = draw_patients(law, "mm", np.arange(50), 1, selected=False)
    assert (people.antigens["CD19"] > 0).all()


def test_a_trial_file_is_refused_at_its_product_unless_it_asks():
    with pytest.raises(InputError) as caught:
        read_trial(parse_card(TRIAL, "my.toml"))
    line = next(i for i, one in enumerate(TRIAL.split("\n"), 1) if one.startswith("product"))
    assert (caught.value.file, caught.value.line, caught.value.field) == ("my.toml", line, "trial.product")
    assert "tisagenlecleucel sees CD19, which is not carried by multiple myeloma" in caught.value.text
    asked = read_trial(parse_card(TRIAL.replace("policy =", "absent_target = true\npolicy =", 1), "my.toml"))
    result = run_trial(asked, patients=12, seed=1)
    assert not killed(result.journey)


def test_an_arm_is_refused_at_its_own_product():
    arms = TRIAL + '\n[[arms]]\nname = "a"\nsize = 5\nproduct = "abecma"\n[[arms]]\nname = "b"\nsize = 5\n'
    with pytest.raises(InputError) as caught:
        read_trial(parse_card(arms, "my.toml"))
    assert caught.value.field == "trial.product"
    there = arms.replace('product = "tisagenlecleucel"', 'product = "abecma"', 1).replace(
        'name = "b"', 'name = "b"\nproduct = "yescarta"'
    )
    with pytest.raises(InputError) as caught:
        read_trial(parse_card(there, "my.toml"))
    assert caught.value.field == "arms.1.product"


def test_a_law_of_the_trial_makes_an_antigen_known():
    law = '\n[population.CD19]\nlaw = "lognormal"\nmedian = 9000\nsd = 0.5\nunit = "molecules/cell"\n'
    law += 'how = "assumed"\nwhy = "x"\n'
    trial = read_trial(parse_card(TRIAL + law, "my.toml"))
    people = draw_patients(trial.population, trial.disease, np.arange(2000), 1)
    assert np.median(people.antigens["CD19"]) == pytest.approx(9000, rel=0.05)
    with pytest.raises(InputError, match=r"population.CD19.unit: found 'kg', expected 'molecules/cell'"):
        read_trial(parse_card(TRIAL + law.replace("molecules/cell", "kg"), "my.toml"))


def test_trials_made_in_python_and_designs_that_are_compared_meet_the_same():
    trial = load_trial("cartitude_1")
    with pytest.raises(InputError, match="sees CD19, which is not carried"):
        run_trial(replace(trial, product=find_product("yescarta")), patients=5)
    with pytest.raises(InputError, match="sees CD19, which is not carried"):
        design(trial, product="yescarta")
    assert design(trial, product="yescarta", absent_target=True).absent_target


def test_the_family_page_is_not_written():
    one, _ = patient_from_card(parse_card(PERSON.format(disease="mm", antigens=""), "p.toml"))
    with pytest.raises(InputError, match="sees CD19, which is not carried") as caught:
        explanation_page(one, find_product("yescarta"))
    assert "absent_target" not in caught.value.text


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("simulate", "p.toml", "--product", "yescarta"), "sees CD19, which is not carried by multiple myeloma"),
        (("explain", "p.toml", "--product", "yescarta"), "sees CD19, which is not carried by multiple myeloma"),
        (("compare", "--trial", "cartitude_1", "--product", "abecma", "--product", "yescarta"), "sees CD19"),
        (("trial", "my.toml"), "trial.product: tisagenlecleucel sees CD19"),
        (("simulate", "p.toml", "--product", "abecma", "--absent-target"), "--absent-target does nothing here"),
        (
            ("compare", "--trial", "cartitude_1", "--product", "abecma", "--product", "carvykti", "--absent-target"),
            "nothing",
        ),
    ],
)
def test_every_command_says_it_in_one_sentence(args, said, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "p.toml").write_text(PERSON.format(disease="mm", antigens=""), encoding="utf-8")
    (tmp_path / "my.toml").write_text(TRIAL, encoding="utf-8")
    with CliRunner().isolation() as (_, err, _):
        assert main.main(list(args)) == 2
        assert said in " ".join(err.getvalue().decode().split())
    assert sorted(one.name for one in tmp_path.iterdir()) == ["my.toml", "p.toml"]


def test_a_warning_about_targets_is_told_even_when_quiet(capsys):
    """``trial`` tells the unusual notes alone, by how they begin."""
    journey = simulate(virtual_patients("mm", 3, seed=1), AXI, plan=PLAN, absent_target=True)
    warnings = [note for note in journey.notes if note.startswith(console.UNUSUAL)]
    assert any("kills nothing of the tumor" in one for one in warnings)
    console.tell_notes(warnings, for_machines=False, quiet=True)
    assert "warning: unusual: " in capsys.readouterr().err


@pytest.mark.parametrize(
    ("product", "disease", "whose"),
    [
        ("gd2_car", "neuroblastoma", "a GD2 product and neuroblastoma with GD2"),
        ("tandem_cd19_cd22", "pediatric_b_all", "a tandem CD19/CD22 product"),
        ("tisagenlecleucel", "fl", "follicular lymphoma"),
        ("cd22_car", "pediatric_b_all", ""),
        ("yescarta", "lbcl", ""),
    ],
)
def test_what_was_calibrated_on_no_patients_is_said(product, disease, whose):
    notes = uncalibrated(find_product(product), find_disease(disease))
    assert [f"the numbers of {whose} are reasoned" in note for note in notes] == [True] * bool(whose)
