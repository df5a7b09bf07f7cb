"""The words of responses, lineages and scales: one home, in agreement with the criteria that give them."""

import re
from pathlib import Path

import pytest

from vein2vein.clinic import words
from vein2vein.clinic.criteria import edition, editions
from vein2vein.clinic.grades.monitoring import ALL_FINDINGS, FINDINGS
from vein2vein.clinic.response import imwg, iwcll, lugano, myeloma
from vein2vein.errors import InputError
from vein2vein.therapy.disease import all_diseases
from vein2vein.therapy.vocabulary import LINEAGES
from vein2vein.trials.trial import list_trials, load_trial

PACKAGE = Path(words.__file__).parents[1]


def test_what_counts_is_what_the_criteria_say():
    assert words.complete_responses() == ("sCR", "CR", "CRh", "CRi")
    assert words.counted_responses() == ("sCR", "CR", "CRh", "CRi", "VGPR", "PR")
    assert words.below_response() == ("MR", "SD", "NR", "PD")
    assert set(words.failures()) == {"NR", "NE", "MLFS"}
    assert list(words.responses()) == [
        "sCR", "CR", "CRh", "CRi", "VGPR", "PR", "MR", "MLFS", "SD", "NR", "PD", "NE",
    ]  # fmt: skip


def test_categories_run_from_worst_to_best_in_every_lineage():
    order = list(words.responses())
    for one in words.lineages().values():
        assert [order.index(c) for c in one.categories] == sorted(
            (order.index(c) for c in one.categories), reverse=True
        )
        assert set(one.counts) <= set(words.counted_responses())
        assert [order.index(c) for c in one.counts] == sorted(order.index(c) for c in one.counts)
        assert one.judged_by in words.lineages()
        assert set(one.words) >= {*one.categories, *one.counts, "NE", ""}, one.name


def test_lineages_of_criteria():
    assert imwg.CATEGORIES == myeloma.NAMES == ("PD", "SD", "MR", "PR", "VGPR", "CR", "sCR")
    assert iwcll.CATEGORIES == ("PD", "SD", "PR", "CRi", "CR")
    assert lugano.CATEGORIES == ("PD", "SD", "PR", "CR")
    rules = edition("response_b_all_eliana").rules
    assert words.lineages()["leukemia"].categories == ("NR", *(str(row["name"]) for row in reversed(rules)))


@pytest.mark.parametrize(
    ("disease", "entry", "counts"),
    [
        ("pediatric_b_all", "leukemia", ("CR", "CRh", "CRi")),
        ("lbcl", "lymphoma", ("CR", "CRi", "PR")),
        ("cll", "cll", ("CR", "CRi", "PR")),
        ("mm", "myeloma", ("sCR", "CR", "VGPR", "PR")),
        ("glioma", "solid", ("CR", "PR")),
    ],
)
def test_every_disease_has_its_words(disease, entry, counts):
    found = words.lineage_words(all_diseases()[disease].lineage, disease)
    assert (found.name, found.counts) == (entry, counts)


def test_every_lineage_has_words_and_an_unknown_one_is_refused():
    assert set(LINEAGES) <= set(words.lineages())
    assert {d for one in words.lineages().values() for d in one.diseases} <= set(all_diseases())
    with pytest.raises(InputError, match="lymphoma"):
        words.lineage_words("lymphomas")


def test_possible_responses_are_those_that_the_criteria_give():
    leukemia = words.lineages()["leukemia"]
    assert leukemia.possible(("NR", "CRi", "CR")) == ("CR", "CRi")
    assert leukemia.possible(()) == ("CR", "CRh", "CRi")
    assert leukemia.word("CRi") == "complete remission with incomplete recovery of the counts"
    assert leukemia.word("odd") == "odd"


def test_every_finding_is_named_and_every_scale_has_its_edition():
    assert set(ALL_FINDINGS) <= set(words.findings())
    assert set(FINDINGS) == {n for n, one in words.findings().items() if one.simulated}
    assert list(words.crs_scales()) == [
        "astct", "lee2014", "penn", "mskcc", "cartox", "mahadeo", "ctcae5", "ctcae4",
    ]  # fmt: skip
    assert {one.edition for one in words.crs_scales().values()} == {n for n in editions() if n.startswith("crs_")}
    assert words.ward_scales() == ("astct", "lee2014", "lee", "penn", "mskcc", "cartox", "mahadeo", "ctcae5")
    assert words.simulated_scales() == ("astct", "lee2014", "penn")
    assert (words.scale_named("lee"), words.scale_named("penn"), words.scale_named("x")) == ("lee2014", "penn", "x")
    assert (words.usual_crs(), words.usual_neurologic()) == ("crs_astct", "icans")
    assert words.finding_words("no_such").title == "no such"
    assert words.findings()["b_cell_aplasia"].states == ("B cells present", "aplasia")
    assert words.finding_words("crs_lee2014").ward == "Cytokine release (Lee 2014)"


def test_the_published_rates_of_a_lineage_stand_in_the_trials():
    told = {row.quantity for name in list_trials() for row in load_trial(name).published}
    assert {rate for one in words.lineages().values() for rate in one.rates} <= told


def test_no_list_of_scales_or_responses_stands_in_the_code():
    """Two scales, or three responses, side by side in Python are a copy of the words."""
    scale = "|".join(words.crs_scales())
    word = "|".join(words.responses())
    scales = re.compile(rf'"(?:crs_)?(?:{scale})",?\s*(?::[^,]*,)?\s*"(?:crs_)?(?:{scale})"')
    listed = re.compile(rf'(?:"(?:{word})",?\s*){{3}}')
    for path in PACKAGE.rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        if path.name != "myeloma.py":  # the order in which its rules are tried
            assert not listed.search(text), path
        assert not scales.search(text), path
