"""The printed page of a model, word by word, on a model small enough to print it by hand."""

import inspect
import sys
from dataclasses import replace

import pytest

from vein2vein.models.model import Input, Model, State
from vein2vein.parameters import Parameter, ParameterSet, Spread
from vein2vein.report.model_page import (
    SURROUNDINGS,
    correlation_table,
    model_page,
    pages,
    parameter_table,
    set_page,
    source_list,
)
from vein2vein.sources import source

KEY = "stein_2019"


def equations(t, x, p, u):
    return {"C": -p.k * x.C}


def initial(p):
    return {"C": p.C0}


def apply_dose(name, amount, x, p):
    return {"C": x.C + amount}


def observables(t, x, p, u):
    return {"transgene": x.C}


CODE = """def equations(t, x, p, u):
    return {"C": -p.k * x.C}

def initial(p):
    return {"C": p.C0}

def apply_dose(name, amount, x, p):
    return {"C": x.C + amount}

def observables(t, x, p, u):
    return {"transgene": x.C}"""


@pytest.fixture
def model(monkeypatch):
    monkeypatch.setattr(equations, "__module__", "somewhere.decay")
    states = (
        State("C", "cells | in blood", "cells", low=0.0),
        State("B", "blasts", "%", low=0.0, high=100.0),
        State("D", "a\nsignal", "1", high=2.5),
        State("E", "free", "1"),
    )
    inputs = (Input("cells", "infused cells", "cells"), Input("drug", "level of a drug", "mg/L", kind="level"))
    return Model("decay", "Decay", KEY, states, inputs, ("k", "C0"), equations, initial, apply_dose, observables)


@pytest.fixture
def numbers():
    own = (
        Parameter("k", "k", "loss", 0.25, "1/day", Spread("lognormal", 0.3), KEY, "table 2", "reported"),
        Parameter("C0", "C0", "start", None, "cells", Spread("log10normal", 0.5), how="assumed", why="a guess",
                  given_by="product"),
        Parameter("s", "s", "shift", 1234567.0, "1", Spread("normal", 2.0), "", "", "assumed", "it | fits",
                  given_by="disease"),
        Parameter("m", "m", "level", 3.0, "%", None, KEY, "", "fitted"),
    )  # fmt: skip
    return ParameterSet("own", {p.name: p for p in own}, correlations={("k", "s"): -0.25})


TABLE = """| parameter | meaning | value | unit | spread | how and source | why |
|---|---|---|---|---|---|---|
| `k` | loss | 0.25 | 1/day | sd of ln 0.3 | reported: `stein_2019`, table 2 |  |
| `C0` | start | given by the product | cells | sd of log10 0.5 | assumed | a guess |
| `s` | shift | 1.23457e+06 (or given by the disease) | 1 | sd 2 | assumed | it \\| fits |
| `m` | level | 3 | % |  | fitted: `stein_2019` |  |"""
PAIRS = """## Correlations between patients' deviations

| one | other | correlation |
|---|---|---|
| `k` | `s` | -0.25 |"""


def cited():
    return f"## Sources\n\n- `{KEY}`: {source(KEY)}"


def test_the_page_of_a_model(model, numbers):
    about = """Cells are lost::

        dC/dt = -k C

    with ``k`` per day."""
    expected = f"""# Decay

`decay`: 4 states, 2 parameters. Source: {source(KEY)}.

Cells are lost:

    dC/dt = -k C

with `k` per day.

## States

| state | meaning | unit | bounds |
|---|---|---|---|
| `C` | cells \\| in blood | cells | at least 0 |
| `B` | blasts | % | 0 to 100 |
| `D` | a signal | 1 | at most 2.5 |
| `E` | free | 1 |  |

## What can be given

| input | meaning | unit | kind |
|---|---|---|---|
| `cells` | infused cells | cells | dose |
| `drug` | level of a drug | mg/L | level |

## Equations

As they are written (`somewhere.decay`):

```python
{CODE}
```

## Parameters

{TABLE}

{PAIRS}

{cited()}
"""
    assert model_page(model, numbers, about=about) == expected


def test_the_equations_as_formulas_follow_them(model, numbers):
    plain = model_page(model, numbers)
    with_latex = model_page(model, numbers, latex=lambda one: [f"\\dot {name}" for name in one.state_names])
    formulas = "\n\n".join(f"$$\n\\dot {name}\n$$" for name in "CBDE")
    before, after = plain.split("\n```\n")
    assert with_latex == f"{before}\n```\n\nThe same as formulas:\n\n{formulas}\n{after}"
    assert "\n\n# " not in plain and "\n\n\n## " not in plain  # no description, no empty part


def test_a_model_of_a_module_with_another_name_shows_the_whole_of_it():
    """From its first function on: the equations may be shared out over many."""
    from vein2vein.models import catalogue

    reference = catalogue.find_model("reference")
    home = reference.equations.__module__
    whole = model_page(reference, catalogue.find_parameters("reference"))
    text = inspect.getsource(sys.modules[home])
    code = text[text.index("\ndef ") + 1 :].rstrip("\n")
    assert f"\n\n## Equations\n\nAs they are written (`{home}`):\n\n```python\n{code}\n```\n\n## Parameters" in whole


def test_a_set_without_correlations_or_sources(numbers):
    bare = ParameterSet("bare", {"s": numbers.parameters["s"]})
    assert correlation_table(bare) == "" and source_list([bare]) == ""
    assert correlation_table(numbers) == PAIRS and parameter_table(numbers) == TABLE
    assert source_list([bare, numbers]) == cited()
    assert set_page("Own", bare, about="Why.") == f"# Own\n\nWhy.\n\n{parameter_table(bare)}\n"
    assert set_page("Own", numbers) == f"# Own\n\n{TABLE}\n\n{cited()}\n"


def test_sources_are_listed_once_in_order(numbers):
    keys = ["clinical_rules_2026", "reference_model_2026", KEY]
    own = [replace(numbers.parameters["k"], name=f"k{i}", source=key) for i, key in enumerate([*keys[::-1], keys[1]])]
    listed = source_list([ParameterSet("own", {p.name: p for p in own})])
    assert listed == "## Sources\n\n" + "\n".join(f"- `{key}`: {source(key)}" for key in keys)


def test_every_page_is_printed_from_its_own_module():
    from vein2vein.models import catalogue

    written = pages(lambda one: [f"formulas of {one.name}"])
    assert list(written) == [*catalogue.model_names(), *SURROUNDINGS]
    for name in catalogue.model_names():
        model, parameters = catalogue.find_model(name), catalogue.find_parameters(name)
        about = catalogue.find_module(name).__doc__ or ""
        formulas = [f"formulas of {name}"]
        assert written[name] == model_page(model, parameters, about=about, latex=lambda _, f=formulas: f)
        assert about.splitlines()[0].replace("``", "`") in written[name]
    for name, (title, module) in SURROUNDINGS.items():
        assert written[name] == set_page(title, module.parameters(), about=module.__doc__ or "")
        assert written[name].startswith(f"# {title}\n\n{(module.__doc__ or '').splitlines()[0].replace('``', '`')}")
    assert {name: title for name, (title, _) in SURROUNDINGS.items()} == {
        "covariates": "Covariates: from traits to parameters",
        "bedside": "The bedside: from signs to what is written",
        "hazards": "Hazards of death and of dropping out",
    }
    assert all(text.endswith("\n") and not text.endswith("\n\n") for text in written.values())
