"""Every sentence that refuses a trial file, word for word, and what lies on the right side of each limit."""

from pathlib import Path

import pytest

from vein2vein.cards import parse_card
from vein2vein.errors import InputError
from vein2vein.trials.trial import Trial, check_apart, read_trial

OWN = Path(__file__).with_name("spoiled.toml").read_text(encoding="utf-8")
ARMS = '\n[[arms]]\nname = "low"\nsize = 20\ndose = "1e8 cells"\n\n[[arms]]\nname = "high"\nsize = 40\ntitle = "High"\n'
ROW = '\n[[published]]\nquantity = "X"\nvalue = 50\nunit = "%"\nconfidence = "read"\n'
RATIO = ROW.replace('"%"', '"hazard ratio"')
DAYS = ROW.replace('"%"', '"days"')
AGE = 'law = "normal"\nmean = 45\nsd = 14\nlow = 18\nhigh = 80\nunit = "year"'
WAITING = 'law = "uniform"\nlow = 14\nhigh = 40\nunit = "day"'
DRUG = '{ drug = "fludarabine", dose = 25, days = [-5, -4, -3] }'
CR = OWN[OWN.index("[[published]]") : OWN.index('\n[[published]]\nquantity = "EFS"')]
FAILURE = '[waiting.screening_failure]\nlaw = "bernoulli"\nprobability = 0.99\nhow = "assumed"\nwhy = "x"\n'
CR_LINE = OWN[: OWN.index("[[published]]")].count("\n") + 1
KINDS = "points, log10, days, percent of value, patients, published interval"

# what is written instead of what ("": added at the end), the field that is named, the whole sentence
REFUSED = [
    # names
    ('name = "uno"', 'name = "' + "d" * 101 + '"', "trial.name",
     "found 101 characters, expected a name of at most 100."),
    ('title = "One dose"', 'title = ""', "trial.title", "found '', expected one line of text that is not empty."),
    ('title = "One dose"', 'title = "' + "a" * 98 + r"\nbcd" + '"', "trial.title",
     f"found {'a' * 98 + chr(10) + 'b'!r}, expected one line of text that is not empty."),
    ('quantity = "Cmax"', r'quantity = "C\nmax"', "published.2.quantity",
     r"found 'C\nmax', expected one line of text that is not empty."),
    ("", ARMS.replace('name = "high"', 'name = " "'), "arms.1.name",
     "found ' ', expected one line of text that is not empty."),
    ("", ARMS.replace('title = "High"', 'title = ""'), "arms.1.title",
     "found '', expected one line of text that is not empty."),
    ("", ARMS.replace('name = "high"', 'name = "low"'), "arms.1.name",
     "found 'low' twice; each arm needs a name of its own."),
    # assays
    ("sample = 10", "sd = inf", "assay.transgene.sd", "found inf, expected a finite number of 0 or more."),
    ("sample = 10", "lloq = inf", "assay.transgene.lloq",
     "found inf, expected a finite number of 0 or more."),
    ("sample = 10", "sample = inf", "assay.transgene.sample",
     "found inf, expected a finite number above 0."),
    ("sample = 10", "sample = 0", "assay.transgene.sample", "found 0, expected a number above 0."),
    # patients
    ('unit = "year"', 'unit = "month"', "population.age.unit",
     "found 'month', expected 'year'; give the numbers of this law in that unit."),
    ('unit = "year"', 'unit = "furlong"', "population.age.unit",
     "found 'furlong', expected 'year'; give the numbers of this law in that unit."),
    ("", '[population.prior_lines]\nlaw = "poisson"\nmean = 3\nhigh = 8\nunit = "day"\nhow = "assumed"\nwhy = "x"',
     "population.prior_lines.unit", "found 'day', expected no unit; give the numbers of this law in that unit."),
    (AGE, 'law = "poisson"\nmean = 45\nhigh = 10001', "population.age.high",
     "found 10001, expected a largest count of 10000 at most."),
    (AGE, 'law = "share_of"\nof = "wieght"\nmedian = 0.5\nlogit_sd = 1', "population.age.of",
     "found 'wieght', expected another field, such as weight or lymphocytes."),
    (AGE, 'law = "share_of"\nof = "age"\nmedian = 0.5\nlogit_sd = 1', "population.age.of",
     "found 'age', expected another field, such as weight or lymphocytes."),
    (AGE, 'law = "by_age"\npoints = [[1, 3, 2]]', "population.age",
     "the laws of height, weight, lymphocytes, cd3, creatinine_clearance, age need age, lymphocytes, which nothing "
     "gives; a law may not lean on itself."),
    (AGE, 'law = "uniform"\nlow = -2\nhigh = 99\nunit = "year"', "population.age",
     "gives nearly all patients -1.131 to 98.06 year, expected 0 to 100; change its numbers, or give it low and high."),
    (AGE, 'law = "uniform"\nlow = 1\nhigh = 102\nunit = "year"', "population.age",
     "gives nearly all patients 1.869 to 101.1 year, expected 0 to 100; change its numbers, or give it low and high."),
    (AGE, 'law = "uniform"\nlow = -0.5\nhigh = 99\nunit = "year"', "population.age",
     "reaches -0.5 year in some patients, expected 0 or more; change its numbers, or give it low = 0."),
    (AGE, 'law = "normal"\nmean = 60\nsd = 8\nunit = "year"', "population.age",
     "reaches -6.339 year in some patients, expected 0 or more; change its numbers, or give it low = 0."),
    ("", '[population.prior_lines]\nlaw = "fixed"\nvalue = -1\nhow = "assumed"\nwhy = "x"', "population.prior_lines",
     "gives nearly all patients -1 to -1, expected 0 to 30; change its numbers, or give it low and high."),
    ("", ARMS + "[arms.population.age]\nlaw = 'fixed'\nvalue = 101\nhow = 'assumed'\nwhy = 'x'",
     "arms.1.population.age",
     "gives nearly all patients 101 to 101, expected 0 to 100; change its numbers, or give it low and high."),
    # doses
    ('"4.1e8 cells"', '"1e8"', "trial.dose",
     "found '1e8' without a unit; expected text such as \"3.1e6/kg\" or \"1e8 cells\"."),
    ('"4.1e8 cells"', "1e8", "trial.dose",
     "found 100000000.0 without a unit; expected text such as \"3.1e6/kg\" or \"1e8 cells\"."),
    ('"4.1e8 cells"', '"100 mg"', "trial.dose",
     "found '100 mg', whose unit is not that of a cell dose; expected \"3.1e6/kg\" or \"1e8 cells\"."),
    ('"4.1e8 cells"', '"0 cells"', "trial.dose",
     "found '0 cells', expected a dose above 0 such as \"3.1e6/kg\" or \"1e8 cells\"."),
    # lymphodepletion
    (DRUG, DRUG.replace("25", "96.5"), "regimens.light.drugs.0.dose",
     "found 96.5 mg/m^2 of fludarabine a day; expected more than 0 and at most 96 mg/m^2 a day (Fludarabine label "
     "2010, warnings: label dose 25 mg/m2 for 5 days; severe neurotoxicity in 13 of 36 at 96 mg/m2 a day "
     "for 5 to 7 days)."),
    (DRUG, DRUG.replace("25", "0"), "regimens.light.drugs.0.dose",
     "found 0 mg/m^2, expected a number above 0 mg/m^2."),
    (DRUG, DRUG.replace("-5", "-61"), "regimens.light.drugs.0.days.0",
     "found -61, expected a number of -60 or more."),
    ("[regimens.light]", "[regimens.none]", "regimens.none",
     "found 'none'; write conditioning = \"none\" for no lymphodepletion."),
    (OWN[OWN.index("drugs = [") : OWN.index("\nhow")], "drugs = []", "regimens.light",
     "found no drugs; write conditioning = \"none\" for no lymphodepletion."),
    ('conditioning = "light"', 'conditioning = "lihgt"', "trial.conditioning",
     "unknown lymphodepletion regimen 'lihgt'; did you mean light?"),
    ('conditioning = "light"', 'conditioning = "nnoe"', "trial.conditioning",
     "unknown lymphodepletion regimen 'nnoe'; did you mean none?"),
    # waiting
    (WAITING, 'law = "fixed"\nvalue = -1', "waiting.vein_to_vein",
     "gives -1 to -1 days, expected 0 to 7305; give it low and high."),
    (WAITING, 'law = "fixed"\nvalue = 7306', "waiting.vein_to_vein",
     "gives 7306 to 7306 days, expected 0 to 7305; give it low and high."),
    (WAITING, 'law = "uniform"\nlow = -4\nhigh = 40', "waiting.vein_to_vein",
     "gives -3.977 to 39.95 days, expected 0 to 7305; give it low and high."),
    (WAITING, 'law = "uniform"\nlow = -14\nhigh = -4', "waiting.vein_to_vein",
     "gives -13.99 to -4.011 days, expected 0 to 7305; give it low and high."),
    ('unit = "day"', 'unit = "month"', "waiting.vein_to_vein.unit",
     "found 'month', expected 'day'; give the numbers of this law in days."),
    (WAITING, 'law = "by_age"\npoints = [[1, 2, 3]]', "waiting.vein_to_vein.law",
     "found by_age, expected a law that leans on no other field."),
    ("vein_to_vein]", "bridging_share]", "waiting.bridging_share.law",
     "found uniform, expected bernoulli with a probability."),
    ("[visits]", f"{FAILURE.replace('0.99', '1')}[visits]", "waiting.screening_failure.probability",
     "found 1, expected less: nobody would be enrolled."),
    # sizes
    ("patients = 20", "patients = 20.5", "size.patients", "found 20.5, expected a whole number from 1 to 1e+06."),
    ("infused = 54", "infused = 61", "size.infused", "found 61, expected at most the 60 who were enrolled."),
    ("", ARMS.replace("size = 40", "size = 40.5"), "arms.1.size",
     "found 40.5, expected a whole number from 1 to 1e+06."),
    ("", ARMS.replace("size = 40", "size = 41"), "arms.1.size",
     "found 61 patients in the arms together, expected at most the 60 who were enrolled."),
    ("[trial]", "arms = []\n[trial]", "arms",
     "found an empty list, expected tables: write [[arms]] above each; or leave it out."),
    # visits
    ("[28, 90, 365]", "[28, 90, 366]", "visits.disease_visits",
     "found day 366, but follow_up ends on day 365; leave it out or follow longer."),
    ("[1, 7, 28]", "[1, 7, 365.5, 400]", "visits.kinetics_samples",
     "found day 365.5, but follow_up ends on day 365; leave it out or follow longer."),
    ("follow_up = 365", "follow_up = 365\nwatch_step = 46", "visits.watch_step",
     "found 46, expected at most watch_until, 45 days."),
    ('"6 months"', "366", "published.1.time",
     "found day 366, but the visits end on day 365; the endpoint cannot be seen."),
    ('"6 months"', '141\ncutoff = "early"', "published.1.time",
     "found day 141, but at the cut-off 'early' nobody was followed so long."),
    ('"100 days"', "366", "endpoints.response_by",
     "found day 366, but the visits end on day 365; nothing is seen then (endpoint responded)."),
    ('"100 days"', "27.5", "endpoints.response_by", "found day 27.5, but the first disease visit is on day 28."),
    ("tolerance = 20", "response_by = 27\ntolerance = 20", "published.0.response_by",
     "found day 27, but the first disease visit is on day 28."),
    ("", f'{ROW}endpoint = "died"\nuntil = 366', "published.3.until",
     "found day 366, but the visits end on day 365; nothing is seen then (endpoint died)."),
    ("", f'{ROW}endpoint = "in_b_cell_aplasia"\nday = 366', "published.3.day",
     "found day 366, but the visits end on day 365; nothing is seen then (endpoint in_b_cell_aplasia)."),
    ("", f'{ROW}endpoint = "neurologic_event_ended"\ngrade = 1\nwithin = 366', "published.3.within",
     "found day 366, but the visits end on day 365; nothing is seen then (endpoint neurologic_event_ended)."),
    ("", f'{RATIO}endpoint = "relapse_by_mrd"\nlandmark = 27\nabove = 1e-4', "published.3.landmark",
     "found day 27, but the first disease visit is on day 28."),
    ("", f'{RATIO}endpoint = "relapse_by_recovery"\nlandmark = 366', "published.3.landmark",
     "found day 366, but the visits end on day 365; nothing is seen then (endpoint relapse_by_recovery)."),
    ("", f'{ROW}endpoint = "igg_change"\nfrom_day = 366\nuntil = 365', "published.3.from_day",
     "found day 366, but the visits end on day 365; nothing is seen then (endpoint igg_change)."),
    ("", f'{ROW}endpoint = "igg_change"\nfrom_day = 101\nuntil = 100', "published.3.from_day",
     "found 101, expected a day before until, 100."),
    ("[1, 7, 28]", "[7]", "published.2.endpoint",
     "found 'cmax', but the visits take fewer than two samples; add kinetics_samples to [visits]."),
    ("", CR, "published.3", f"asks what line {CR_LINE} asks already; leave one out, or let them differ."),
    ("", CR.replace("60", "61").replace("50", "52").replace("70", "72").replace("tolerance = 20", "tolerance = 21"),
     "published.3", f"asks what line {CR_LINE} asks already; leave one out, or let them differ."),
    # published rows
    ("value = 60", "value = inf", "published.0.value", "found inf, expected a finite number."),
    ("value = 60", 'value = "not reached"', "published.0.value",
     "found 'not reached', expected a number; a median that was not reached has none: give the share without an event "
     'at a time instead (unit = "%" with time), or leave the row out.'),
    ("lo95 = 50", "lo95 = -inf", "published.0.lo95", "found -inf, expected a finite number."),
    ("hi95 = 70", "hi95 = inf", "published.0.hi95", "found inf, expected a finite number."),
    ("lo95 = 50", "lo95 = 80", "published.0.lo95", "found 80 above hi95 70, expected lo95 <= hi95."),
    ("lo95 = 50", "lo95 = 61", "published.0.lo95", "found 61 to 70, which does not hold the value 60."),
    ("hi95 = 70", "hi95 = 59", "published.0.lo95", "found 50 to 59, which does not hold the value 60."),
    ("n = 20\n", "n = 20.5\n", "published.0.n", "found 20.5, expected a whole number from 1 to 1e+06."),
    ("n = 20\n", "draw = 20.5\n", "published.0.draw", "found 20.5, expected a whole number from 1 to 1e+06."),
    ('"copies/ug gDNA"', '"days"', "published.2.unit",
     "found 'days', which endpoint cmax cannot have; expected a unit of copies/ug."),
    ('unit = "%"\nconfidence = "read"\nendpoint = "responded"',
     'unit = "days"\nconfidence = "read"\nendpoint = "responded"', "published.0.unit",
     "found 'days', which endpoint responded cannot have; expected the unit % or patients."),
    ('unit = "%"\nconfidence = "read"\nendpoint = "survival"',
     'unit = "patients"\nconfidence = "read"\nendpoint = "survival"', "published.1.unit",
     "found 'patients', which endpoint survival cannot have; expected the unit %."),
    ("", f'{ROW}endpoint = "relapse_by_burden"\nabove = 5', "published.3.unit",
     "found '%', which endpoint relapse_by_burden cannot have; expected a unit without dimension such as 'ratio'."),
    ("", f'{DAYS}endpoint = "cmax"\nstatistic = "ratio"', "published.3.unit",
     "found 'days', which endpoint cmax cannot have; expected a unit without dimension such as 'ratio'."),
    ("", ROW, "published.3.reason", "missing; a row without endpoint says why: add reason = \"...\"."),
    ("value = 60\nlo95 = 50\nhi95 = 70", "value = 100.5", "published.0.value",
     "found 100.5 %, expected a share from 0 to 100 %."),
    ("value = 60\nlo95 = 50\nhi95 = 70", "value = -0.5", "published.0.value",
     "found -0.5 %, expected a share from 0 to 100 %."),
    ("value = 50\n", "value = 101\n", "published.1.value", "found 101 %, expected a share from 0 to 100 %."),
    ("", f'{ROW.replace("%", "patients")}n = 49\nendpoint = "infused"', "published.3.value",
     "found 50 patients, expected 0 to n, 49."),
    ('endpoint = "responded"', 'endpoint = "responded"\ntime = 30', "published.0.time",
     "is read by endpoints of time to an event only, not by responded; leave it out."),
    ('endpoint = "responded"', 'endpoint = "responded"\nstatistic = "mean"', "published.0.statistic",
     "found 'mean', but responded is no number of each patient; leave it out."),
    ('endpoint = "cmax"', 'endpoint = "cmax"\nweight_from = 50\nweight_to = 50', "published.2.weight_to",
     "found weight_from 50 and weight_to 50; nobody lies between them."),
    ('endpoint = "cmax"', 'endpoint = "cmax"\nblasts_from = 5\nblasts_below = 5', "published.2.blasts_below",
     "found blasts_from 5 and blasts_below 5; nobody lies between them."),
    ("", ARMS + f'{ROW}endpoint = "infused"\narms = ["low", "low"]', "published.3.arms",
     "found ['low', 'low'], expected each arm once."),
    ("", ARMS + f'{ROW}endpoint = "infused"\narms = ["lo"]', "published.3.arms",
     "unknown arm 'lo'; did you mean low?"),
    ("hi95 = 70", "hi95 = 130", "published.0.hi95", "found 130 %, expected a share from 0 to 100 %."),
    ("lo95 = 50", "lo95 = -5", "published.0.lo95", "found -5 %, expected a share from 0 to 100 %."),
    ("n = 20\n", "n = 61\n", "published.0.n", "found 61 patients, expected at most the 60 who were enrolled; "
     'of a set with other patients say so: arm = "as in the publication".'),
    ("n = 20\n", "draw = 400\n", "published.0.draw", "found 400 patients, expected at most the 60 who were enrolled; "
     'of a set with other patients say so: arm = "as in the publication".'),
    # tolerances
    ("tolerance = 20\n", "", "published.0.tolerance", "missing; a row scored in points needs its tolerance."),
    ('lo95 = 50\nhi95 = 70\nn = 20\nunit = "%"\nconfidence = "read"\nendpoint = "responded"\ntolerance = 20\n'
     'tolerance_kind = "points"', 'hi95 = 70\nunit = "%"\nconfidence = "read"\nendpoint = "responded"\n'
     'tolerance_kind = "published interval"', "published.0.lo95",
     "missing; a row scored by its published interval needs lo95 and hi95."),
    ('lo95 = 50\nhi95 = 70\nn = 20\nunit = "%"\nconfidence = "read"\nendpoint = "responded"\ntolerance = 20\n'
     'tolerance_kind = "points"', 'lo95 = 50\nunit = "%"\nconfidence = "read"\nendpoint = "responded"\n'
     'tolerance_kind = "published interval"', "published.0.lo95",
     "missing; a row scored by its published interval needs lo95 and hi95."),
    ('tolerance_kind = "points"', "", "published.0.tolerance_kind",
     f"missing; a tolerance needs its kind, one of {KINDS}."),
    ("tolerance = 20", "tolerance = 0", "published.0.tolerance", "found 0, expected a number above 0."),
    ("tolerance = 20", "tolerance = inf", "published.0.tolerance", "found inf, expected a finite number above 0."),
    ("tolerance = 20", "tolerance = 1000", "published.0.tolerance",
     "found 1000, expected at most 30 (points): beyond that anything would count as close."),
    ("", f'{DAYS}endpoint = "crs_onset"\ngrade = 1\ntolerance = 31\ntolerance_kind = "days"', "published.3.tolerance",
     "found 31, expected at most 30 (days): beyond that anything would count as close."),
    ('endpoint = "cmax"', 'endpoint = "cmax"\ntolerance = 1.1\ntolerance_kind = "log10"', "published.2.tolerance",
     "found 1.1, expected at most 1 (log10): beyond that anything would count as close."),
    ("", f'{ROW.replace("%", "patients")}n = 55\nendpoint = "infused"\ntolerance = 56\ntolerance_kind = "patients"',
     "published.3.tolerance", "found 56, expected at most 55 (patients): beyond that anything would count as close."),
    ('"points"', '"days"', "published.0.tolerance_kind", "found 'days' for a value in %, expected one for that unit."),
    ('"points"', '"patients"', "published.0.tolerance_kind",
     "found 'patients' for a value in %, expected one for that unit."),
    ("", f'{DAYS}endpoint = "crs_onset"\ngrade = 1\ntolerance = 1\ntolerance_kind = "points"',
     "published.3.tolerance_kind", "found 'points' for a value in days, expected one for that unit."),
    ("value = 60\nlo95 = 50\nhi95 = 70", "value = 0", "published.0.tolerance_kind", "found 'percent of value' for the "
     "value 0, expected 'points' or 'days'."),
    # arguments of endpoints
    ('responses = ["CR", "CRi"]', "responses = []", "endpoints.responses",
     "found an empty list, expected a list of responses such as [\"CR\"]; or leave it out."),
    ('responses = ["CR", "CRi"]', 'responses = ["CR", "RC"]', "endpoints.responses.1",
     "unknown response 'RC'; did you mean CR or PR or NR?"),
    ("", f'{ROW}endpoint = "not_infused"\nreasons = "death"', "published.3.reasons",
     "found 'death', expected a list of reasons such as [\"death\"]."),
    ("", f'{ROW}endpoint = "not_infused"\nreasons = ["dead"]', "published.3.reasons.0",
     "unknown reason 'dead'; did you mean death?"),
    ("", f'{ROW}endpoint = "cytopenia"\ngrade = 3\nday = 28\nlines = ["anemia"]', "published.3.lines.0",
     "unknown line 'anemia'; did you mean neutropenia?"),
    ("", f'{ROW}endpoint = "given"\ntreatments = ["tocilizumib"]', "published.3.treatments.0",
     "unknown treatment 'tocilizumib'; did you mean tocilizumab or siltuximab or ruxolitinib?"),
]  # fmt: skip
PERCENT_OF = {"value = 60\nlo95 = 50\nhi95 = 70": ('"points"', '"percent of value"')}  # a second change that it takes


def spoiled(old: str, new: str) -> str:
    assert not old or OWN.count(old) >= 1, old
    text = OWN.replace(old, new, 1) if old else f"{OWN}\n{new}\n"
    return text.replace(*PERCENT_OF[old]) if new == "value = 0" else text


def read(text: str) -> Trial:
    return read_trial(parse_card(text, "my.toml"))


@pytest.mark.parametrize(
    ("old", "new", "field", "sentence"), REFUSED, ids=[f"{i}-{one[2]}" for i, one in enumerate(REFUSED)]
)
def test_what_is_refused_is_said_in_one_sentence(old, new, field, sentence):
    with pytest.raises(InputError) as caught:
        read(spoiled(old, new))
    assert (caught.value.field, caught.value.text) == (field, sentence)
    assert caught.value.file == "my.toml" and caught.value.line


SOURCED = 'source = "hay_2017"\nwhere = "x"\nhow = "reported"\nwhy = "x"\n'

# the last value on the right side of each limit, and every field that a table may have
ACCEPTED = [
    ("[size]", f"[size]\n{SOURCED}"),
    ("[cutoffs.early]", f"[cutoffs.early]\n{SOURCED}"),
    ("[enrollment]", f"[enrollment]\n{SOURCED}"),
    ("[endpoints]", f"[endpoints]\n{SOURCED}"),
    ("[assay.transgene]", f"[assay.transgene]\n{SOURCED}"),
    ('how = "assumed"\nwhy = "A guess."\n\n[enrollment]', f"{SOURCED}\n[enrollment]"),
    ("", ARMS + SOURCED),
    ("", f"[transplant]\nshare = 0\nfirst_day = 60\nlast_day = 60\n{SOURCED}"),
    ("", f"[transplant]\nshare = 1\nfirst_day = 0\nlast_day = 7305\n{SOURCED}"),
    ('[trial]', '[trial]\npublished_as = "U"\nregistry = "N"\nphase = "1"\nsource = "hay_2017"'),
    ('name = "uno"', 'name = "' + "d" * 100 + '"'),
    ("sample = 10", "sample = 1"),
    ("sample = 10", 'sample = 10\nlloq = 1\nunit = "copies/ug"\nhow = "assumed"\nwhy = "x"'),
    (AGE, 'law = "poisson"\nmean = 45\nhigh = 10000'),
    (AGE, 'law = "uniform"\nlow = 0\nhigh = 100.5\nunit = "year"'),
    (AGE, 'law = "normal"\nmean = 45\nsd = 14\nlow = 0\nunit = "year"'),
    (AGE, 'law = "fixed"\nvalue = 0'),
    (AGE, 'law = "fixed"\nvalue = 100'),
    ('unit = "year"', 'unit = "years"'),
    ('unit = "year"', ""),
    ("", '[population.cd3]\nlaw = "share_of"\nof = "lymphocytes"\nmedian = 0.5\nlogit_sd = 1\n'
     'how = "assumed"\nwhy = "x"'),
    (DRUG, DRUG.replace("25", "96")),
    (DRUG, DRUG.replace("-5", "-60")),
    ('conditioning = "light"', 'conditioning = "none"'),
    ('conditioning = "light"', ""),
    ('dose = "4.1e8 cells"', 'dose = "5e6/kg"'),
    ('dose = "4.1e8 cells"', ""),
    (WAITING, 'law = "fixed"\nvalue = 0'),
    (WAITING, 'law = "fixed"\nvalue = 7305'),
    ('unit = "day"', 'unit = "days"'),
    ("[visits]", f"{FAILURE}[visits]"),
    ("infused = 54", "infused = 60"),
    ("enrolled = 60\ninfused = 54", ""),
    ("", ARMS),
    ("[28, 90, 365]", "[0, 365]"),
    ("[1, 7, 28]", "[1, 365]"),
    ("follow_up = 365", "follow_up = 365\nwatch_step = 45"),
    ('"6 months"', "365.9"),
    ('"6 months"', '140\ncutoff = "early"'),
    ('"100 days"', "365.9"),
    ('"100 days"', "28"),
    ("", f'{ROW}endpoint = "igg_change"\nfrom_day = 100\nuntil = 100'),
    ("", CR.replace("responded", "best_response")),
    ("", CR.replace('quantity = "CR"', 'quantity = "CRi"')),
    ("lo95 = 50", "lo95 = 60"),
    ("hi95 = 70", "hi95 = 60"),
    ("lo95 = 50\nhi95 = 70", "lo95 = 60\nhi95 = 60"),
    ("n = 20\n", "n = 1\n"),
    ("n = 20\n", "draw = 1\n"),
    ("value = 60\nlo95 = 50\nhi95 = 70", "value = 100"),
    ("value = 60\nlo95 = 50\nhi95 = 70", "value = 1e-9"),
    ("value = 50\n", "value = 0\n"),
    ("", f'{ROW.replace("%", "patients")}n = 50\nendpoint = "infused"'),
    ("", f'{ROW.replace("%", "patients")}endpoint = "infused"'),
    ("", f'{DAYS}endpoint = "survival"\nevent = "OS"'),
    ("", f'{ROW.replace("%", "months")}endpoint = "survival"\nevent = "OS"'),
    ("", f'{RATIO}endpoint = "cmax"\nstatistic = "ratio"'),
    ("", f'{RATIO.replace("hazard ratio", "lines")}endpoint = "prior_lines"\nstatistic = "mean"'),
    ("", f'{ROW}reason = "nobody knows"'),
    ('endpoint = "cmax"', 'endpoint = "cmax"\nweight_from = 50\nweight_to = 50.1'),
    ('tolerance = 20\ntolerance_kind = "points"', 'tolerance_kind = "published interval"'),
    ('tolerance = 20\ntolerance_kind = "points"', 'tolerance = 1e-9\ntolerance_kind = "percent of value"'),
    ("", f'{ROW}endpoint = "crs"\ngrade = 1'),
    ("", f'{ROW}endpoint = "crs"\ngrade = 5'),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new"), ACCEPTED, ids=[str(i) for i in range(len(ACCEPTED))])
def test_what_lies_on_a_limit_is_accepted(old, new):
    assert read(spoiled(old, new)).published[0].quantity == "CR"


LEFT = [
    ("mrd_negative", "%", "", True),
    ("relapse_by_mrd", "hazard ratio", "landmark = 30\nabove = 1e-4", True),
    ("best_response", "%", "", False),
]


@pytest.mark.parametrize(("endpoint", "unit", "more", "needs_marrow"), LEFT)
def test_residual_disease_is_asked_for_where_a_marrow_is_examined(endpoint, unit, more, needs_marrow):
    row = f'{ROW.replace("%", unit)}endpoint = "{endpoint}"\n{more}\n'
    assert read(OWN + row).published[-1].endpoint == endpoint
    lymphoma = (
        OWN.replace("adult_b_all", "lbcl").replace("obecabtagene_autoleucel", "lisocabtagene_maraleucel")
        .replace('dose = "4.1e8 cells"', "")
    )  # fmt: skip
    if not needs_marrow:
        assert read(lymphoma + row).published[-1].endpoint == endpoint
        return
    with pytest.raises(InputError) as caught:
        read(lymphoma + row)
    assert (caught.value.field, caught.value.text) == (
        "published.3.endpoint",
        f"found '{endpoint}', but no marrow is examined for residual disease in large B-cell lymphoma.",
    )
    myeloma = (
        OWN.replace("adult_b_all", "mm").replace("obecabtagene_autoleucel", "ciltacabtagene_autoleucel")
        .replace('dose = "4.1e8 cells"', "")
    )  # fmt: skip
    assert read(myeloma + row).published[-1].endpoint == endpoint


RESPONSES = ("mrd_negative", "relapsed", "ongoing_response")


@pytest.mark.parametrize("endpoint", RESPONSES)
def test_a_response_needs_a_disease_visit_before_follow_up_ends(endpoint):
    short = (
        OWN.split("[[published]]")[0].replace("follow_up = 365", "follow_up = 20\nwatch_until = 20")
        .replace("disease_visits = [28, 90, 365]\nkinetics_samples = [1, 7, 28]\n", "kinetics_samples = [1, 7]\n")
        .replace('response_by = "100 days"', "")
    )  # fmt: skip
    more = 'antigen = "any"\nbefore_transplant = false' if endpoint == "relapsed" else ""
    with pytest.raises(InputError) as caught:
        read(f'{short}{ROW}endpoint = "{endpoint}"\n{more}')
    assert caught.value.text == (
        f"found '{endpoint}', but there is no disease visit before follow_up ends; add disease_visits."
    )
    assert read(f'{short}{ROW}endpoint = "died"\nuntil = 20').plan.disease_visits == ()


def test_two_trials_of_one_name_are_told_apart_by_their_files():
    one, two = (read_trial(parse_card(OWN, file)) for file in ("one.toml", "two.toml"))
    with pytest.raises(InputError) as caught:
        check_apart([one, two])
    assert (caught.value.file, caught.value.line, caught.value.field) == ("two.toml", 3, "trial.name")
    assert caught.value.text == "found 'uno', the name of one.toml too, expected each name once; change one."
    check_apart([one, read_trial(parse_card(OWN.replace('"uno"', '"due"'), "two.toml"))])
