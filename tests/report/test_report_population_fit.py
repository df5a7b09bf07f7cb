"""The report of a population fit: verdict first, every number of the tables, figures with units, one file."""

import re
from dataclasses import replace

import numpy as np
import pytest

import vein2vein as v2v
from vein2vein.errors import InputError
from vein2vein.inference.diagnostics.diagnosis import diagnose
from vein2vein.inference.diagnostics.profile import Profile
from vein2vein.report.csv_text import columns_text, rows_text
from vein2vein.report.figures_estimates import correlation_figure, profiles_figure
from vein2vein.report.figures_forecast import forecast_page
from vein2vein.report.figures_vpc import vpc_headline
from vein2vein.report.fit_page import fit_page as page_of
from vein2vein.report.fit_page import vpc_page


@pytest.fixture(scope="module")
def found(stein_fit):
    one = Profile(
        "beta", np.array([0.1, 0.5, 1.0]), np.array([9.0, 1.0, 5.0]), np.full(3, 0.2), 0.2, np.inf, "omega_beta: told"
    )
    return diagnose(stein_fit, count=150, profiles=(one,))


@pytest.fixture(scope="module")
def page(stein_fit, found):
    return page_of(stein_fit, found, [("What was tried", [("step", "p"), ("1", "0.03")])])


def text_of(page):
    return " ".join(re.sub(r"<[^>]+>", " ", re.sub(r"<(style|svg).*?</\1>", "", page, flags=re.S)).split())


def test_the_verdict_comes_before_every_number(stein_fit, page, found, monkeypatch):
    from vein2vein.report import fit_page

    words = text_of(page)
    first = stein_fit.verdict[0]
    told = words.index(first[:1].upper() + first[1:40])
    assert told < words.index("Estimates Identifiability") and "What was tried" in words and "0.03" in words
    monkeypatch.setattr(fit_page, "sections", lambda fit, found: [])
    lost = replace(stein_fit, converged=False, verdict=("not converged: b runs away; other starts",))
    partial = text_of(fit_page.fit_page(lost, found))
    assert "Not converged: b runs away; other starts. The numbers below are partial results" in partial


def test_every_estimate_stands_in_the_table(stein_fit, page):
    from vein2vein.report.text import number, span

    rows = re.findall(r'<tr><th scope="row" class="short">(.*?)</tr>', page, re.S)
    assert len(rows) == len(stein_fit.estimates)
    for row, one in zip(
        rows, sorted(stein_fit.estimates, key=lambda e: ("typical", "omega", "residual").index(e.kind))
    ):
        cells = [c.strip() for c in re.sub(r"<[^>]+>", "|", row).split("|") if c.strip()]
        assert cells[0] == one.name and number(one.estimate, 4) in cells
        if one.low == one.low:
            assert span(one.low, one.high) in cells and f"{one.rse:.0f} %" in cells
    words = text_of(page)
    assert (
        f"{stein_fit.minus_two_ll:,.2f}" in words
        and f"{stein_fit.aic:,.2f}" in words
        and f"{stein_fit.bic:,.2f}" in words
    )
    shrunken = stein_fit.estimate("omega_beta")
    assert f"{100 * shrunken.shrinkage:.0f} %" in words and "copies/µg DNA" in words


def test_every_figure_is_there_with_units_and_nothing_is_loaded(page):
    names = re.findall(r'<figure id="figure-([^"]+)"', page)
    assert names == [
        "vpc",
        "npde",
        "observed",
        "iwres",
        "individuals",
        "effects",
        "pairs",
        "covariates",
        "correlations",
        "profiles",
        "traces",
    ]
    for label in (
        "transgene, corrected (copies/µg DNA)",
        "Time (days)",
        "Below limit (%)",
        "Followed (%)",
        "NPDE (SD)",
        "IWRES (SD)",
        "transgene, individual prediction (copies/µg DNA)",
        "Iteration",
        "Random effect (Gaussian)",
    ):
        assert label in page, label
    assert not re.search(r'(src|href)="(?!#)', page) and page.count("<svg") == len(names)
    assert all(alt for alt in re.findall(r'aria-label="([^"]*)"', page))


def test_the_headline_of_a_check_tells_more_than_chance(found):
    (panel,) = found.vpc.panels
    assert "as many as chance gives" in vpc_headline(replace(panel, outside=1, compared=30))
    assert "the model misses something" in vpc_headline(replace(panel, outside=12, compared=30))
    assert "12 of 30 percentiles" in vpc_headline(replace(panel, outside=12, compared=30))
    assert vpc_headline(replace(panel, compared=0)) == "no percentile of transgene could be compared"


def test_pages_of_a_check_and_of_a_simulation(stein_fit, found):
    assert 'id="figure-vpc"' in vpc_page(stein_fit, found.vpc)
    simulated = stein_fit.simulate([(0.0, 1e8)], until=90, patients=50, draws=10)
    page = forecast_page(stein_fit, simulated)
    assert "50 new patients, 1 dose, 10 draws of the estimates" in page and "transgene (copies/µg DNA)" in page
    assert stein_fit.plot_simulation(simulated).name == "forecast"


def test_a_fit_draws_its_own_figures(stein_fit):
    assert stein_fit.plot_vpc(studies=100)._repr_svg_().startswith('<svg xmlns="http://www.w3.org/2000/svg"')
    for kind, name in (("observed", "observed"), ("iwres", "iwres"), ("npde", "npde"), ("traces", "traces")):
        assert stein_fit.plot_gof(kind).name == name
    assert "Curves of 2 subjects" in stein_fit.plot_individuals(["1", "5"]).alt
    with pytest.raises(InputError, match="kind"):
        stein_fit.plot_gof("all")
    with pytest.raises(InputError, match="has no traces"):
        replace(stein_fit, burn_in=0, method="focei").plot_gof("traces")


def test_tables_as_data_frames(stein_fit):
    pytest.importorskip("pandas")
    frame = stein_fit.to_pandas()
    assert list(frame["name"]) == [one.name for one in stein_fit.estimates]
    assert len(stein_fit.to_pandas("individuals")) == 24
    assert {"PRED", "IPRED"} <= set(stein_fit.to_pandas("predictions").columns)
    with pytest.raises(InputError, match="table"):
        stein_fit.to_pandas("all")


def test_without_pandas_the_sentence_says_what_to_do(stein_fit, monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(InputError, match=r"pip install pandas, or take the records: fit\.estimates"):
        stein_fit.to_pandas()


def test_a_fit_is_written_with_its_report_and_read_again(stein_fit, tmp_path, monkeypatch):
    from vein2vein.report import fit_page

    monkeypatch.setattr(fit_page, "sections", lambda fit, found: [])  # they are drawn above
    report = stein_fit.write(tmp_path / "f")
    again = v2v.read_fit(tmp_path / "f")
    assert report.name == "report.html" and isinstance(again, v2v.Fit)
    assert again.minus_two_ll == stein_fit.minus_two_ll and again.plot_vpc(studies=50).name == "vpc"


def test_fit_takes_a_data_set_and_a_model(stein_csv, monkeypatch):
    from vein2vein.report import fitted

    asked = []
    monkeypatch.setattr(fitted, "run_fit", lambda problem, **more: asked.append(problem))
    monkeypatch.setattr(fitted, "with_figures", lambda found: found)
    v2v.fit(stein_csv, "stein_2019", method="focei", seed=4)
    assert asked[0].method == "focei" and asked[0].seed == 4 and asked[0].parameters["Tmax"].start == 9.3
    with pytest.raises(InputError, match="beside a FitProblem"):
        v2v.fit(asked[0], "stein_2019")


def test_tables_of_correlations_and_profiles(found):
    assert correlation_figure(replace(found.identifiability, correlation=None)) is None
    assert profiles_figure([]) is None
    assert "omega_beta: told" in profiles_figure(found.profiles).caption


def test_csv_cells():
    assert rows_text([{"a": 1.5, "b": float("nan"), "c": "x"}]) == "a,b,c\n1.5,,x\n"
    assert columns_text({"a": np.array([1, 2]), "b": np.array([0.1, 1 / 3])}) == "a,b\n1,0.1\n2,0.33333333\n"
    assert rows_text([]) == ""
