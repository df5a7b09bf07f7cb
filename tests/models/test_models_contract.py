"""What every model owes: it solves, answers its inputs, stays finite and non-negative, meets its printed numbers."""

import numpy as np
import pytest

from vein2vein.analytes import all_analytes
from vein2vein.cards import parse_card
from vein2vein.engine.solve import solve
from vein2vein.errors import InputError
from vein2vein.models import catalogue
from vein2vein.models.model import give, named, start
from vein2vein.parameters import as_matrix
from vein2vein.report import model_page
from vein2vein.sources import all_sources

NAMES = catalogue.model_names()
SIGNED = {"temperature"}  # a scale without a natural zero
GENERAL = {name for name in NAMES if not catalogue.find_model(name).time_unit}  # of whatever drug the data are of


def expectations():
    for name in NAMES:
        path = catalogue.card_of(name)
        card = parse_card(path.read_text(encoding="utf-8"), path.name)
        for index, row in enumerate(card.get("expect", default=[])):
            yield pytest.param(name, row, id=f"{name}-{index}-{row.get('measure')}")


def matrix(model):
    return as_matrix(model.example, model.parameters, 1)


def run(model, days, doses=None, backend="plain", rtol=1e-6):
    levels = np.zeros((1, len(model.level_names)))
    doses = model.example_doses if doses is None else doses
    begun = min([day for day, _, _ in doses] + [float(days[0])])
    asked = np.unique(np.concatenate([[begun], days]))
    solution = solve(model, matrix(model), None, asked, doses, levels=levels, backend=backend, rtol=rtol)
    assert not solution.status.any(), f"{model.name} on {backend}: status {solution.status}"
    return solution.values[0][np.isin(asked, days)]


def observed(model, days, **how):
    states = named(model.state_names, run(model, days, **how))
    levels = named(model.level_names, np.zeros((len(days), len(model.level_names))))
    row = named(model.parameters, matrix(model)[0])
    return {k: np.broadcast_to(v, (len(days),)) for k, v in model.observables(days, states, row, levels).items()}


def test_models_are_found_by_themselves():
    assert NAMES[0] == "reference" and "stein_2019" in NAMES
    assert set(catalogue.all_models()) == set(NAMES)


def test_an_unknown_model_is_refused_with_the_nearest_name():
    with pytest.raises(InputError, match=r"did you mean stein_2019\?"):
        catalogue.find_model("stein2019")


@pytest.mark.parametrize("name", NAMES)
def test_names_hang_together(name):
    model, parameters = catalogue.find_model(name), catalogue.find_parameters(name)
    assert model.name == name and model.source in all_sources()
    assert not set(model.parameters) - set(parameters.parameters), "an equation reads a parameter without a description"
    assert not set(model.parameters) - set(model.example), "the example leaves a parameter open"
    for one in (model.state_names, model.parameters, tuple(i.name for i in model.inputs)):
        assert len(set(one)) == len(one)
    for given in model.inputs:
        assert given.name in all_analytes() or given.kind == "level" or name in GENERAL, f"{given.name}: no analyte"
    for state in model.states:
        assert state.meaning and state.unit and state.scale > 0
    used = {p.source for p in parameters.parameters.values() if p.source}
    assert not used - set(all_sources())


@pytest.mark.parametrize("name", [name for name in NAMES if name not in GENERAL])
def test_observables_are_analytes(name):
    model = catalogue.find_model(name)
    days = np.array([0.0, 1.0])
    unknown = set(observed(model, days)) - set(all_analytes())
    assert not {one for one in unknown if not one.startswith("cns_")}, "an observable is no analyte"


@pytest.mark.parametrize("name", NAMES)
def test_solves_finite_and_non_negative(name):
    model = catalogue.find_model(name)
    days = np.concatenate([np.arange(0.0, 30.0, 1.0), [60.0, 180.0]])
    values = run(model, days)
    assert np.all(np.isfinite(values))
    low = np.array([state.low for state in model.states])
    assert np.all(values >= low)
    for analyte, seen in observed(model, days).items():
        assert np.all(np.isfinite(seen)), analyte
        assert analyte in SIGNED or np.all(seen >= 0), analyte


@pytest.mark.parametrize("name", NAMES)
def test_every_dose_changes_the_state_and_none_does_not(name):
    model = catalogue.find_model(name)
    rows = matrix(model)
    state = start(model, rows)
    for given in model.inputs:
        if given.kind == "dose":
            amount = 100.0 if name in GENERAL else 0.5 * all_analytes()[given.name].high
            after = give(model, given.name, amount, state, rows)
            assert np.all(np.isfinite(after)) and not np.array_equal(after, state), given.name
            assert np.array_equal(give(model, given.name, 0.0, state, rows), state), given.name
    with pytest.raises(ValueError, match="does not represent"):
        give(model, "acetylcysteine", 1.0, state, rows)


@pytest.mark.parametrize("name", NAMES)
def test_an_infusion_brings_car_t_cells(name):
    model = catalogue.find_model(name)
    days = np.array([7.0])
    without = [dose for dose in model.example_doses if dose[1] != "car_t_infusion"]
    seen, unseen = observed(model, days), observed(model, days, doses=without)
    for analyte in set(seen) & {"car_t_cells", "transgene"}:
        assert seen[analyte] > 0 and unseen[analyte] == 0


@pytest.mark.parametrize("name", NAMES)
def test_both_backends_agree(name):
    model = catalogue.find_model(name)
    days = np.array([0.0, 1.0, 5.0, 8.0, 15.0, 28.0])
    plain, batch = (run(model, days, backend=b) for b in ("plain", "batch"))
    size = np.array([s.scale if np.isfinite(s.scale) else 1.0 for s in model.states])
    assert np.max(np.abs(plain - batch) / (np.abs(plain) + size)) < 1e-6


@pytest.mark.parametrize("name, row", list(expectations()))
def test_printed_number(name, row):
    assert row["source"] in all_sources() and row["where"] and row["relative"] > 0
    days = np.unique(np.append(np.linspace(row["from"], row["to"], 2801), row["to"]))
    found = measured(row["measure"], days, observed(catalogue.find_model(name), days)[row["observable"]])
    assert found == pytest.approx(row["value"], rel=row["relative"]), row["where"]


def measured(measure, days, seen):
    slope = np.log(seen[-1] / seen[0]) / (days[-1] - days[0]) if seen[0] > 0 else np.nan
    return {
        "value": seen[-1],
        "highest": seen.max(),
        "day_of_highest": days[seen.argmax()],
        "doubling_time": np.log(2) / slope,
        "half_life": -np.log(2) / slope,
        "area": np.trapezoid(seen, days),
    }[measure]


@pytest.mark.parametrize("name", NAMES)
def test_the_page_names_everything(name):
    model, parameters = catalogue.find_model(name), catalogue.find_parameters(name)
    text = model_page.model_page(model, parameters)
    for one in (*model.state_names, *(i.name for i in model.inputs), *parameters.parameters):
        assert f"`{one}`" in text
    assert "return {" in text
    with_latex = model_page.model_page(model, parameters, latex=lambda m: [f"{s} = -k" for s in m.state_names])
    assert with_latex.count(" = -k\n$$") == len(model.states)


def test_pages_are_written_for_models_and_their_surroundings(tmp_path):
    written = set(model_page.pages())
    assert written == {*NAMES, "bedside", "covariates", "hazards"}


SURROUNDINGS = {name: module for name, (_, module) in model_page.SURROUNDINGS.items()}


@pytest.mark.parametrize("module", list(SURROUNDINGS.values()), ids=list(SURROUNDINGS))
def test_every_constant_of_the_surroundings_is_sourced_and_used(module):
    readers = [*catalogue.FOLDER.rglob("*.py"), *(catalogue.FOLDER.parent / "virtual").glob("*.py")]
    code = "".join(path.read_text(encoding="utf-8") for path in readers)
    for name, parameter in module.parameters().parameters.items():
        assert f".{name}" in code or f'"{name}"' in code, f"nothing reads {name}"
        assert parameter.meaning and parameter.unit
        assert not parameter.source or parameter.source in all_sources()
