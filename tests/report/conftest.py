"""What the report's tests share: a trial that was never simulated, and small simulated ones of every lineage."""

from dataclasses import replace

import pytest

from vein2vein.therapy.disease import all_diseases
from vein2vein.therapy.product import all_products
from vein2vein.trials.trial import load_trial, run_trial

LINEAGES = ("b_all", "lymphoma", "cll", "myeloma", "solid", "mixed")


@pytest.fixture(scope="session")
def result(synthetic):
    """A synthetic trial result of 97 patients."""
    return synthetic.synthetic_result()


@pytest.fixture(scope="session")
def trial_text(result):
    """Its report."""
    from vein2vein.report.trial import trial_page

    return trial_page(result)


def _design(lineage):
    """A trial of one lineage; those without a trial of their own take the patients of their disease card."""
    whole = {"b_all": "eliana", "lymphoma": "zuma_1", "myeloma": "cartitude_1", "mixed": "seattle"}
    if lineage in whole:
        return load_trial(whole[lineage])
    disease, product = {"cll": ("cll", "jcar014"), "solid": ("gastric_cancer", "cldn18_2_car")}[lineage]
    return replace(
        load_trial("zuma_1"), name=lineage, title=f"Trial of {lineage}", disease=all_diseases()[disease],
        product=all_products()[product], population={}, dose="", conditioning="", published=(), assays={},
    )  # fmt: skip


@pytest.fixture(scope="session", params=LINEAGES)
def real(request):
    """A small simulated trial of one lineage, of a year or so."""
    trial = _design(request.param)
    short = 365.0 if request.param == "b_all" else 240.0 if request.param == "lymphoma" else 420.0
    plan = replace(trial.plan, follow_up=short)
    return run_trial(replace(trial, plan=plan), patients=60 if request.param == "mixed" else 36, seed=11)
