"""One page of documentation per model, printed from its own data as Markdown.

    vein2vein models --out docs/models

writes a page for each bundled model and for the three sets that surround the reference model. A page never says more
than the model's file does: change the file and print again.
"""

from __future__ import annotations

import inspect
import math
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from vein2vein.models import catalogue, model_file
from vein2vein.models.model import Model
from vein2vein.parameters import Parameter, ParameterSet
from vein2vein.sources import cited
from vein2vein.virtual import bedside, covariate_constants, hazards

Latex = Callable[[Model], Sequence[str]]
SURROUNDINGS = {
    "covariates": ("Covariates: from traits to parameters", covariate_constants),
    "bedside": ("The bedside: from signs to what is written", bedside),
    "hazards": ("Hazards of death and of dropping out", hazards),
}


def model_page(model: Model, parameters: ParameterSet, *, about: str = "", latex: Latex | None = None) -> str:
    """Return the page of a model.

    Parameters
    ----------
    model : Model
    parameters : ParameterSet
    about : str
        Description, for example the docstring of the model's module.
    latex : callable (model) -> lines of LaTeX, optional
        The equations as formulas, shown below the equations as they are written.
    """
    parts = [f"# {model.title}", f"`{model.name}`: {len(model.states)} states, {len(model.parameters)} parameters. "
             f"Source: {cited(model.source)}."]  # fmt: skip
    if about:
        parts.append(_markdown(about))
    parts += ["## States", _table(
        ("state", "meaning", "unit", "bounds"),
        ((f"`{s.name}`", s.meaning, s.unit, _bounds(s.low, s.high)) for s in model.states),
    )]  # fmt: skip
    parts += ["## What can be given", _table(
        ("input", "meaning", "unit", "kind"), ((f"`{i.name}`", i.meaning, i.unit, i.kind) for i in model.inputs)
    )]  # fmt: skip
    parts += ["## Equations", _equations(model, latex)]
    parts += ["## Parameters", parameter_table(parameters), correlation_table(parameters), source_list([parameters])]
    return "\n\n".join(part for part in parts if part) + "\n"


def set_page(title: str, parameters: ParameterSet, *, about: str = "") -> str:
    """Return the page of a parameter set that is not a model."""
    parts = [f"# {title}", _markdown(about), parameter_table(parameters), source_list([parameters])]
    return "\n\n".join(part for part in parts if part) + "\n"


def parameter_table(parameters: ParameterSet) -> str:
    """Every parameter with value, unit, spread between patients, source, how it was obtained and why."""
    rows = (
        (f"`{p.name}`", p.meaning, _value(p), p.unit, _spread(p), _origin(p), p.why)
        for p in parameters.parameters.values()
    )
    return _table(("parameter", "meaning", "value", "unit", "spread", "how and source", "why"), rows)


def correlation_table(parameters: ParameterSet) -> str:
    """Correlations between the patients' deviations; "" where there are none."""
    if not parameters.correlations:
        return ""
    rows = ((f"`{one}`", f"`{two}`", f"{value:g}") for (one, two), value in parameters.correlations.items())
    return "## Correlations between patients' deviations\n\n" + _table(("one", "other", "correlation"), rows)


def source_list(sets: Iterable[ParameterSet]) -> str:
    """The sources that the sets cite."""
    keys = sorted({p.source for one in sets for p in one.parameters.values() if p.source})
    return "## Sources\n\n" + "\n".join(f"- `{key}`: {cited(key)}" for key in keys) if keys else ""


def pages(latex: Latex | None = None) -> dict[str, str]:
    """The page of every bundled model, and of the sets around the reference model, by name."""
    texts = {
        name: model_page(
            catalogue.find_model(name),
            catalogue.find_parameters(name),
            about=catalogue.find_module(name).__doc__ or "",
            latex=latex,
        )
        for name in catalogue.model_names()
    }
    for name, (title, module) in SURROUNDINGS.items():
        texts[name] = set_page(title, module.parameters(), about=module.__doc__ or "")
    return texts


def _equations(model: Model, latex: Latex | None) -> str:
    home = model.equations.__module__
    if model_file.is_loaded(home):
        code = inspect.getsource(sys.modules[home]).strip()
        home = Path(str(sys.modules[home].__file__)).name
    elif home.endswith(f".{model.name}"):
        own = (model.equations, model.initial, model.apply_dose, model.observables)
        code = "\n\n".join(inspect.getsource(function).strip() for function in own)
    else:
        whole = inspect.getsource(sys.modules[home])
        code = whole[whole.find("\ndef ") :].strip()
    written = f"As they are written (`{home}`):\n\n```python\n{code}\n```"
    if latex is None:
        return written
    return written + "\n\nThe same as formulas:\n\n" + "\n\n".join(f"$$\n{line}\n$$" for line in latex(model))


def _markdown(text: str) -> str:
    return inspect.cleandoc(text).replace("::\n", ":\n").replace("``", "`")


def _value(p: Parameter) -> str:
    if p.value is None:
        return f"given by the {p.given_by}"
    return f"{p.value:g}" + (f" (or given by the {p.given_by})" if p.given_by else "")


def _spread(p: Parameter) -> str:
    if p.spread is None:
        return ""
    names = {"lognormal": "sd of ln", "log10normal": "sd of log10", "normal": "sd"}
    return f"{names[p.spread.kind]} {p.spread.sd:g}"


def _origin(p: Parameter) -> str:
    place = ", ".join(part for part in (f"`{p.source}`" if p.source else "", p.where) if part)
    return ": ".join(part for part in (p.how, place) if part)


def _bounds(low: float, high: float) -> str:
    if math.isinf(low) and math.isinf(high):
        return ""
    if math.isinf(high):
        return f"at least {low:g}"
    return f"at most {high:g}" if math.isinf(low) else f"{low:g} to {high:g}"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    lines += ["| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in row) + " |" for row in rows]
    return "\n".join(lines)
