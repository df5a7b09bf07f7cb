"""A trial file of one's own: what is refused, with file, line and the way to mend it, before anything is written."""

from __future__ import annotations

from pathlib import Path

import pytest

import vein2vein.cli.main as cli
from vein2vein.cards import LARGEST_CARD_BYTES, parse_card
from vein2vein.errors import InputError
from vein2vein.trials.endpoints.measures import ENDPOINTS
from vein2vein.trials.trial import list_trials, load_trial, read_trial

OWN = """\
[trial]
name = "duo"
title = "Two doses, an off-the-shelf and a dual-target product"
disease = "adult_b_all"
product = "obecabtagene_autoleucel"
policy = "early_permissive"
conditioning = "light"

[size]
patients = 20
enrolled = 60
infused = 54

[regimens.light]
title = "light"
drugs = [
  { drug = "fludarabine", dose = 25, days = [-5, -4, -3] },
  { drug = "cyclophosphamide", dose = 250, days = [-5, -4] },
]
how = "assumed"
why = "An example."

[[arms]]
name = "low"
title = "1e8 cells"
size = 20
dose = "1e8 cells"

[[arms]]
name = "high"
title = "4e8 cells"
size = 20
dose = "4e8 cells"

[[arms]]
name = "shelf"
size = 10
product = "allogeneic_cd19"

[[arms]]
name = "dual"
size = 10
product = "tandem_cd19_cd22"

[population.age]
law = "normal"
mean = 45
sd = 14
low = 18
high = 80
unit = "year"
how = "assumed"
why = "A guess."

[waiting.vein_to_vein]
law = "uniform"
low = 14
high = 40
unit = "day"
how = "assumed"
why = "A guess."

[visits]
follow_up = 365
disease_visits = [28, 90, 365]
kinetics_samples = [1, 7, 28]

[assay.transgene]
kind = "poisson"
sample = 10

[cutoffs.early]
follow_up = "3 months"

[endpoints]
scale = "lee2014"
until = "8 weeks"
responses = ["CR", "CRi"]
response_by = "100 days"
clock = "infusion"
censor_transplant = false

[[published]]
quantity = "CR"
value = 60
lo95 = 50
hi95 = 70
n = 20
unit = "%"
confidence = "read"
endpoint = "responded"
arms = ["low"]
tolerance = 20
tolerance_kind = "points"

[[published]]
quantity = "MRD"
value = 70
unit = "%"
confidence = "read"
endpoint = "mrd_negative"

[[published]]
quantity = "EFS"
value = 50
unit = "%"
confidence = "read"
endpoint = "survival"
event = "EFS"
time = "12 months"

[[published]]
quantity = "Cmax"
value = 40000
unit = "copies/ug gDNA"
confidence = "read"
endpoint = "cmax"
"""
ROW = '\n[[published]]\nquantity = "X"\nvalue = 50\nunit = "%"\nconfidence = "read"\n'
RATIO = ROW.replace('"%"', '"hazard ratio"')
AGE = 'law = "normal"\nmean = 45\nsd = 14'
DRUGS = OWN[OWN.index("drugs = [") : OWN.index("\nhow")]

# what is written instead of what; the field that is named; a part of what is said
MOVED = (
    "[cutoffs.early]",
    "[transplant]\nshare = 0.5\nfirst_day = 90\nlast_day = 30\n[cutoffs.early]",
)
FAULTS = [
    # unknown names
    ("adult_b_all", "adult_ball", "trial.disease", "did you mean adult_b_all"),
    ('"adult_b_all"', '"nowhere/x.toml"', "trial.disease", "no such file"),
    ("allogeneic_cd19", "allogenic_cd91", "arms.2.product", "allogeneic_cd19"),
    ("early_permissive", "early_permisive", "trial.policy", "did you mean early_permissive"),
    ('conditioning = "light"', 'conditioning = "lihgt"', "trial.conditioning", "did you mean light"),
    ('conditioning = "light"', 'conditioning = ["light"]', "trial.conditioning", "expected text"),
    ('"mrd_negative"', '"mrd_negativ"', "published.1.endpoint", "did you mean mrd_negative"),
    ('"mrd_negative"', "3", "published.1.endpoint", "expected text"),
    ("lee2014", "lee2104", "endpoints.scale", "lee2014"),
    ('law = "normal"', 'law = "nromal"', "population.age.law", "normal"),
    ("[population.age]", "[population.ages]", "population.ages", "age"),
    ("[assay.transgene]", "[assay.transgen]", "assay.transgen", "did you mean transgene"),
    ("sample = 10", "samples = 10", "assay.transgene.samples", "did you mean sample"),
    ('drug = "fludarabine"', 'drug = "fludarabin"', "regimens.light.drugs.0.drug", "fludarabine"),
    ("follow_up = 365", "follow_upp = 365", "visits.follow_upp", "did you mean follow_up"),
    ('clock = "infusion"', 'clokc = "infusion"', "endpoints.clokc", "did you mean clock"),
    ("[cutoffs.early]", "[enrollment]\naccural = 3\n[cutoffs.early]", "enrollment.accural", "did you mean accrual"),
    ('arms = ["low"]', 'arms = ["lwo"]', "published.0.arms", "did you mean low"),
    ('arms = ["low"]', 'arms = "low"', "published.0.arms", "expected a list"),
    ('arms = ["low"]', 'arms = ["low", "low"]', "published.0.arms", "each arm once"),
    ("[trial]", "[triall]", "triall", "did you mean trial"),
    # doses and regimens
    ('"1e8 cells"\n\n', '"1e8"\n\n', "arms.0.dose", "without a unit"),
    ('"1e8 cells"\n\n', "1e8\n\n", "arms.0.dose", "without a unit"),
    ('"1e8 cells"\n\n', '"100 mg"\n\n', "arms.0.dose", "not that of a cell dose"),
    ('"1e8 cells"\n\n', '"100 mg/kg"\n\n', "arms.0.dose", "3.1e6/kg"),
    ('"1e8 cells"\n\n', '"-1e8 cells"\n\n', "arms.0.dose", "above 0"),
    ('"1e8 cells"\n\n', '"0 cells"\n\n', "arms.0.dose", "above 0"),
    ('"1e8 cells"\n\n', '"1e30 cells"\n\n', "arms.0.dose", "times the highest label dose"),
    ('"1e8 cells"\n\n', '"1 cells"\n\n', "arms.0.dose", "label"),
    ("dose = 25,", "dose = -25,", "regimens.light.drugs.0.dose", "-25"),
    ("dose = 25,", "dose = inf,", "regimens.light.drugs.0.dose", "above 0"),
    ("dose = 25,", "dose = 97,", "regimens.light.drugs.0.dose", "at most 96 mg/m^2 a day"),
    ("[-5, -4, -3]", '"x"', "regimens.light.drugs.0.days", "a list of days"),
    ("[-5, -4, -3]", "5", "regimens.light.drugs.0.days", "a list of days"),
    ("[-5, -4, -3]", "[nan]", "regimens.light.drugs.0.days.0", "found nan"),
    ("[-5, -4, -3]", "[-5000]", "regimens.light.drugs.0.days", "-5000"),
    (DRUGS, "drugs = 3", "regimens.light.drugs", "expected tables"),
    ("[regimens.light]", "[regimens.none]", "regimens.none", 'conditioning = "none"'),
    # arms, names, sizes
    ('name = "high"', 'name = "low"', "arms.1.name", "a name of its own"),
    ('name = "high"', 'name = ""', "arms.1.name", "not empty"),
    ("size = 20", "size = 0", "arms.0.size", "from 1"),
    ("size = 20", "size = 20.5", "arms.0.size", "whole number"),
    ("size = 20", "size = 200", "arms.3.size", "at most the 60"),
    ("infused = 54", "infused = 64", "size.infused", "at most the 60"),
    ("patients = 20", "patients = nan", "size.patients", "nan"),
    ("patients = 20", "patients = 1e12", "size.patients", "1e+12"),
    ('name = "duo"', 'name = " "', "trial.name", "not empty"),
    ('name = "duo"', 'name = "a\\nb"', "trial.name", "one line"),
    ('name = "duo"', f'name = "{"d" * 500}"', "trial.name", "500 characters"),
    # characters that steer a terminal
    ('name = "duo"', 'name = "du\\u001b[31mo"', "trial.name", "control character"),
    ('title = "Two', 'title = "\\u001b]0;x\\u0007Two', "trial.title", "control character"),
    ('title = "Two', 'title = "\\u009b31mTwo', "trial.title", "control character"),
    ('title = "Two', 'title = "\u202eTwo', "trial.title", "control character"),
    ('title = "Two', 'registry = "\\u0000"\ntitle = "Two', "trial.registry", "control character"),
    ('quantity = "CR"', 'quantity = "C\\u001b[2J"', "published.0.quantity", "control character"),
    ('why = "A guess."', 'why = "\\u001b[31m"', "population.age.why", "control character"),
    # laws
    ('unit = "year"', 'unit = "month"', "population.age.unit", "expected 'year'"),
    ("sd = 14", "sd = 0", "population.age.sd", "above 0"),
    ("sd = 14", "sd = -1", "population.age.sd", "-1"),
    ("mean = 45", "mean = nan", "population.age.mean", "nan"),
    ("mean = 45", "mean = inf", "population.age.mean", "finite"),
    ("low = 18\nhigh = 80", "low = 90\nhigh = 80", "population.age.high", "low <= high"),
    ("low = 18\nhigh = 80", "low = -300\nhigh = -200", "population.age", "expected 0 to 100"),
    (f"{AGE}\nlow = 18\nhigh = 80", 'law = "poisson"\nmean = 45\nhigh = 1e12', "population.age.high", "10000"),
    (AGE, 'law = "by_age"\npoints = [[1, nan, 2]]', "population.age.points.0.1", "found nan"),
    (AGE, 'law = "by_age"\npoints = [[1, 3, 2]]', "population.age", "lean on itself"),
    (AGE, 'law = "share_of"\nof = "wieght"\nmedian = 0.5\nlogit_sd = 1', "population.age.of", "another field"),
    (AGE, 'law = "share_of"\nof = "weight"\nmedian = 5\nlogit_sd = 1', "population.age.median", "below 1"),
    (AGE, 'law = "lognormal"\nmedian = 0\nsd = 1', "population.age.median", "above 0"),
    ("low = 14\nhigh = 40", "low = -14\nhigh = -4", "waiting.vein_to_vein", "0 to 7305"),
    ("low = 14\nhigh = 40", "low = 1e9\nhigh = 1e9", "waiting.vein_to_vein", "0 to 7305"),
    ('unit = "day"', 'unit = "month"', "waiting.vein_to_vein.unit", "in days"),
    ('law = "uniform"', 'law = "by_age"\npoints = [[1, 2, 3]]', "waiting.vein_to_vein.law", "no other field"),
    ("vein_to_vein]", "bridging_share]", "waiting.bridging_share.law", "expected bernoulli"),
    ("sample = 10", "sample = 0", "assay.transgene.sample", "above 0"),
    ("sample = 10", "sd = inf", "assay.transgene.sd", "finite"),
    ("sample = 10", "lloq = -1", "assay.transgene.lloq", "found -1"),
    ("sample = 10", 'unit = "kg"', "assay.transgene.unit", "expected 'copies/ug'"),
    # time after the infusion
    (*MOVED, "transplant.last_day", "as first_day"),
    ("[cutoffs.early]", "[transplant]\nshare = 1.5\n[cutoffs.early]", "transplant.share", "from 0 to 1"),
    ("[cutoffs.early]", "[enrollment]\naccrual = -5\n[cutoffs.early]", "enrollment.accrual", "found -5 day"),
    ("follow_up = 365", "follow_up = 365\ncontact_every = nan", "visits.contact_every", "found nan"),
    ('responses = ["CR", "CRi"]', 'responses = ["CR", "CIr"]', "endpoints.responses.1", "CRi"),
    ('responses = ["CR", "CRi"]', "responses = []", "endpoints.responses", "an empty list"),
    ("censor_transplant = false", 'censor_transplant = "no"', "endpoints.censor_transplant", "true or false"),
    # visits
    ("[28, 90, 365]", "[-60, 90, 365]", "visits.disease_visits.0", "0 day or more"),
    ("[28, 90, 365]", "[90, 28, 365]", "visits.disease_visits", "ascending"),
    ("[28, 90, 365]", "[28, nan, 365]", "visits.disease_visits.1", "found nan"),
    ("[28, 90, 365]", "[28, 90, 3650]", "visits.disease_visits", "follow_up ends on day 365"),
    ("[1, 7, 28]", "[]", "visits.kinetics_samples", "found an empty list"),
    ("[1, 7, 28]", "[7]", "published.3.endpoint", "kinetics_samples"),
    ("follow_up = 365", "follow_up = -5", "visits.follow_up", "-5"),
    ("follow_up = 365", "follow_up = 365\nwatch_step = 50", "visits.watch_step", "watch_until"),
    # what the visits cannot observe
    ('response_by = "100 days"', 'response_by = "24 months"', "endpoints.response_by", "end on day 365"),
    ('response_by = "100 days"', 'response_by = "10 days"', "endpoints.response_by", "first disease visit"),
    ('time = "12 months"', 'time = "24 months"', "published.2.time", "end on day 365"),
    ('time = "12 months"', 'time = "9 months"\ncutoff = "early"', "published.2.time", "followed so long"),
    ("adult_b_all", "lbcl", "published.1.endpoint", "no marrow is examined"),
    ("", f'{ROW}endpoint = "died"\nuntil = "5 years"', "published.4.until", "end on day 365"),
    ("", f'{ROW}endpoint = "in_b_cell_aplasia"\nday = "2 years"', "published.4.day", "end on day 365"),
    ("", f'{RATIO}endpoint = "relapse_by_mrd"\nlandmark = 5\nabove = 1e-4', "published.4.landmark", "first disease"),
    ("", f'{RATIO}endpoint = "relapse_by_recovery"\nlandmark = "3 years"', "published.4.landmark", "end on day 365"),
    ("", f'{RATIO}endpoint = "relapse_by_fludarabine"\nlowest = 2', "published.4.lowest", "from 0 to 1"),
    ("", f'{ROW}endpoint = "hypoxia"\nsaturation = 900', "published.4.saturation", "from 0 to 100"),
    ("", f'{ROW}endpoint = "igg_change"\nfrom_day = 200\nuntil = 100', "published.4.from_day", "before until"),
    # published rows
    ("value = 60", "value = nan", "published.0.value", "nan"),
    ("value = 60", "value = inf", "published.0.value", "finite"),
    ("value = 60", "value = 160", "published.0", "160"),
    ("value = 70\nunit", "value = 170\nunit", "published.1.value", "0 to 100"),
    ("value = 60", f"value = {'9' * 400}", "published.0.value", "too large"),
    ("lo95 = 50", "lo95 = 80", "published.0.lo95", "80"),
    ("lo95 = 50\nhi95 = 70", "lo95 = 80\nhi95 = 40", "published.0.lo95", "lo95 <= hi95"),
    ("n = 20\n", "n = 20.5\n", "published.0.n", "whole number"),
    ("n = 20\n", "n = 0\n", "published.0.n", "from 1"),
    ("tolerance = 20", "tolerance = -20", "published.0.tolerance", "-20"),
    ("tolerance = 20", "tolerance = 0", "published.0.tolerance", "above 0"),
    ("tolerance = 20", "tolerance = nan", "published.0.tolerance", "nan"),
    ('tolerance_kind = "points"', "", "published.0.tolerance_kind", "needs its kind"),
    ('tolerance_kind = "points"', 'tolerance_kind = "days"', "published.0.tolerance_kind", "a value in %"),
    ('"mrd_negative"', '"mrd_negative"\ntime = "6 months"', "published.1.time", "leave it out"),
    ('"mrd_negative"', '"mrd_negative"\nstatistic = "mean"', "published.1.statistic", "leave it out"),
    ('"mrd_negative"', '"mrd_negative"\nweight_from = "90 kg"\nweight_to = 10', "published.1.weight_to", "nobody"),
    ('quantity = "CR"', 'quantity = ""', "published.0.quantity", "not empty"),
    ("", OWN[OWN.index("[[published]]") : OWN.index('[[published]]\nquantity = "MRD"')], "published.4", "asks already"),
    # shapes
    ("[size]", "[[size]]", "size", "expected a table"),
    ("[visits]", "[[visits]]", "visits", "expected a table"),
    ("[trial]", "published = 3\n[trial]", "published", "expected tables"),
]


def swapped(old: str, new: str) -> str:
    text = OWN.replace(old, new, 1) if old else f"{OWN}\n{new}\n"
    return text.split("[[published]]")[0] if new.startswith("published = 3") else text


def test_the_file_that_is_spoiled_below_is_sound():
    trial = read_trial(parse_card(OWN, "my.toml"))
    assert [arm.name for arm in trial.arms] == ["low", "high", "shelf", "dual"]
    assert [arm.product.design for arm in trial.arms][-1] != "single"


@pytest.mark.parametrize(
    ("old", "new", "field", "said"), FAULTS, ids=[f"{i}-{fault[2]}" for i, fault in enumerate(FAULTS)]
)
def test_a_fault_names_file_line_field_and_how_to_mend_it(old, new, field, said):
    text = swapped(old, new)
    assert text != OWN
    with pytest.raises(InputError) as caught:
        read_trial(parse_card(text, "my.toml"))
    problem = caught.value
    assert (problem.file, said in problem.text) == ("my.toml", True), problem.text
    assert problem.field is not None and problem.field.startswith(field)
    assert problem.line is not None and 1 <= problem.line <= text.count("\n") + 1
    assert str(problem).isprintable()


def test_the_line_that_is_named_is_the_one_at_fault():
    text = swapped('"1e8 cells"\n\n', '"1e30 cells"\n\n')
    with pytest.raises(InputError) as caught:
        read_trial(parse_card(text, "my.toml"))
    assert caught.value.line is not None
    assert "1e30" in text.splitlines()[caught.value.line - 1]


@pytest.mark.parametrize("name", list_trials())
def test_no_trial_that_comes_with_it_is_refused(name):
    assert load_trial(name).published


SAVED = {
    "not TOML": (b"hello world", "not valid TOML"),
    "JSON": (b'{"trial": 3}', "not valid TOML"),
    "too large": (b"#" * (LARGEST_CARD_BYTES + 1), "larger than"),
    "deep": (b"x = " + b"[" * 20_000, "line 1: brackets are nested too deeply"),
    "digits": (b"x = " + b"9" * 5000, "line 1: a number has thousands of digits"),
    "escape code": (b'[trial]\nname = "\x1b[31m"', "line 2: not valid TOML"),
    "escape code in a name": (b'"a\\u001b[31m" = 1', "control character"),
    "Latin-1": (b"# \xe9", "not UTF-8"),
    "empty": (b"", "missing"),
}


@pytest.mark.parametrize("command", ["trial", "qualify", "compare"])
@pytest.mark.parametrize("what", SAVED)
def test_what_is_no_trial_file_leaves_no_folder(what, command, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    saved, said = SAVED[what]
    (tmp_path / "my.toml").write_bytes(saved)
    files = ["my.toml", "eliana"] if command == "compare" else ["my.toml"]
    assert cli.main([command, *files]) == cli.BAD_INPUT
    shown = capsys.readouterr()
    assert shown.out == "" and said in shown.err and shown.err.count("\n") == 1
    assert shown.err.strip().isprintable() and "Traceback" not in shown.err
    assert [path.name for path in tmp_path.iterdir()] == ["my.toml"]


@pytest.mark.parametrize("before, newline", [("\ufeff", "\n"), ("", "\r\n"), ("\ufeff", "\r\n")])
def test_marks_of_an_editor_change_no_trial(before, newline, tmp_path):
    file = tmp_path / "my.toml"
    file.write_bytes((before + OWN.replace("\n", newline)).encode())
    link = tmp_path / "link.toml"
    link.symlink_to(file)
    assert load_trial(link).text == load_trial(file).text == OWN


@pytest.mark.parametrize("command", ["qualify", "compare"])
def test_two_trials_of_one_name_are_refused(command, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for name in ("one.toml", "two.toml"):
        (tmp_path / name).write_text(OWN, encoding="utf-8")
    assert cli.main([command, "one.toml", "two.toml"]) == cli.BAD_INPUT
    assert "two.toml, line 2, trial.name: found 'duo', the name of one.toml too" in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one.toml", "two.toml"]


DESIGNS = [
    (["--dose", "1e8", "--dose", "1e30"], "times the highest label dose"),
    (["--dose", "1e8", "--dose", "-1e8"], "expected"),
    (["--dose", "1e8", "--dose", "4 furlongs"], "3.1e6/kg"),
    (["--dose", "1e8", "--dose", "1e8"], "both designs would be the same"),
    (["--product", "tandem_cd19_cd22", "--product", "tandm"], "did you mean tandem"),
    (["--conditioning", "none", "--conditioning", "lihgt"], "did you mean light"),
]


@pytest.mark.parametrize(("options", "said"), DESIGNS, ids=[" ".join(options) for options, _ in DESIGNS])
def test_a_design_that_cannot_be_leaves_no_folder(options, said, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my.toml").write_text(OWN, encoding="utf-8")
    assert cli.main(["compare", "--trial", "my.toml", "--arm", "low", *options]) == cli.BAD_INPUT
    assert said in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["my.toml"]


@pytest.fixture
def docs():
    return Path(__file__).resolve().parents[2] / "docs"


def test_the_page_on_trials_of_ones_own_names_every_endpoint_and_its_example_loads(docs):
    text = (docs / "own-trial.md").read_text(encoding="utf-8")
    assert [name for name in ENDPOINTS if f"`{name}`" not in text] == []
    example = next(block.split("```")[0] for block in text.split("```toml\n")[1:] if "[trial]" in block)
    assert len(read_trial(parse_card(example, "own-trial.md")).arms) > 1


def test_a_trial_with_nothing_to_score_is_not_scored(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my.toml").write_text(OWN.split("[[published]]")[0], encoding="utf-8")
    assert cli.main(["qualify", "my.toml"]) == cli.BAD_INPUT
    assert "my.toml: no row is scored; add tolerance" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["my.toml"]


def test_two_diseases_are_not_compared_and_leave_no_folder(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my.toml").write_text(OWN, encoding="utf-8")
    assert cli.main(["compare", "my.toml", "zuma_1"]) == cli.BAD_INPUT
    assert "duo has 4 arms (low, high, shelf, dual)" in capsys.readouterr().err
    assert cli.main(["compare", "eliana", "zuma_1"]) == cli.BAD_INPUT
    assert "cannot have two diseases" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["my.toml"]


@pytest.mark.parametrize(
    ("disease", "product", "asked", "refused"),
    [
        ("pediatric_b_all", "tisagenlecleucel", '["PR"]', True),
        ("pediatric_b_all", "tisagenlecleucel", '["CRh"]', False),
        ("pediatric_b_all", "tisagenlecleucel", '["CRh", "CR"]', False),
        ("lbcl", "axicabtagene_ciloleucel", '["VGPR"]', True),
        ("lbcl", "axicabtagene_ciloleucel", '["PR"]', False),
        ("mm", "idecabtagene_vicleucel", '["VGPR"]', False),
        ("mm", "idecabtagene_vicleucel", '["MLFS"]', True),
    ],
)
def test_responses_that_visits_of_the_disease_never_give_are_refused_at_reading(disease, product, asked, refused):
    from vein2vein.trials.trial import trial_template_text

    text = trial_template_text().split("[[published]]")[0]
    text = text.replace('"pediatric_b_all"', f'"{disease}"', 1).replace('"tisagenlecleucel"', f'"{product}"', 1)
    row = f'[[published]]\nquantity = "R"\nvalue = 5\nn = 9\nunit = "%"\nconfidence = "read"\nresponses = {asked}\n'
    card = parse_card(text + row + 'endpoint = "responded"\n', "my.toml")
    if refused:
        with pytest.raises(
            InputError, match=r"published.0.responses: found .*, which visits never give in .*; expected"
        ):
            read_trial(card)
    else:
        read_trial(card)
