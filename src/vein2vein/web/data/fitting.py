"""A population model fitted to a study: the file to begin with, its check, and the job with the command's folder."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, cast

from vein2vein.cards import parse_card
from vein2vein.errors import InputError, unknown
from vein2vein.files import write_bytes, write_text
from vein2vein.io.study.columns import Columns, TimeColumn
from vein2vein.models.catalogue import model_names
from vein2vein.web.jobs.kinds import Progress

STUDY, ASKED, STATE = "study.csv", "asked.toml", "state.npz"
REPORT, MANIFEST = "report.html", "manifest.json"
FILES = (STUDY, "study.columns.toml")
PARTS = {"exploring": (0.0, 0.75), "averaging": (0.0, 0.75), "minimizing": (0.0, 0.75), "other seeds": (0.75, 0.85)}
"""Which part of a job a stage of the estimator is: from, to."""
LAST = (0.85, 0.95)  # the conditional distribution
Tell = Callable[[float, str], None]


def begun(asked: Mapping[str, Any], progress: Tell) -> str:
    """The file to begin with: starts from the model's own numbers, endpoints as the data suggest.

    Parameters
    ----------
    asked : mapping
        ``folder`` of the study, ``model``, ``method``, ``time_unit``.
    progress : callable
    """
    from vein2vein.inference.population.fit_file import begin

    progress(0.1, "reading")
    columns = Columns(time=TimeColumn(unit=asked["time_unit"])) if asked["time_unit"] else None
    text = begin(Path(asked["folder"]) / STUDY, _model(asked["model"]), columns=columns)
    lines = [_line(line, asked["method"]) for line in text.splitlines()]
    return "\n".join(lines) + "\n"


def checked(asked: Mapping[str, Any], progress: Tell) -> dict[str, Any]:
    """Read a file as a fit reads it, beside its study; nothing is fitted.

    Parameters
    ----------
    asked : mapping
        ``folder`` of the study, ``text``.
    progress : callable

    Raises
    ------
    InputError
        As the reader raised it; or the file names a model or data that are none of the workspace.
    """
    import tempfile

    from vein2vein.inference.population.fit_file import read_fit_file

    progress(0.1, "reading")
    with tempfile.TemporaryDirectory(prefix="vein2vein-") as place:
        path = _laid(asked, Path(place))
        try:
            problem = read_fit_file(path)
        except InputError as found:
            text = found.text.replace(place, "")
            raise InputError(text, file="fit.toml", line=found.line, field=found.field) from None
    return {"model": problem.model.name, "method": problem.method}


def run(asked: Mapping[str, Any], folder: Path, progress: Progress) -> None:
    """Fit, and leave behind what the command leaves behind; after a stop it goes on to the same bits.

    Parameters
    ----------
    asked : mapping
        ``folder`` of the study, ``text`` of the file.
    folder : Path
    progress : callable
    """
    from vein2vein.inference.population.fit import Step, fit
    from vein2vein.inference.population.fit_file import read_fit_file
    from vein2vein.inference.population.folder import write_fit
    from vein2vein.report.fit_files import write_report

    path = folder / ASKED if (folder / ASKED).is_file() else _laid(asked, folder)

    def tell(step: Step) -> None:
        low, high = PARTS.get(step.stage, LAST)
        progress(low + (high - low) * step.fraction, step.text)

    found = fit(read_fit_file(path), progress=tell, keep=folder / STATE)
    write_fit(found, folder, force=True)
    progress(0.96, "diagnostics")
    write_report(found, folder)
    (folder / STATE).unlink(missing_ok=True)
    progress(1.0, found.verdict[0])


def verdict(folder: Path) -> str:
    """What a fit that has ended says of itself; "" while there is none."""
    try:
        told = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        return str(told["verdict"][0])
    except (OSError, ValueError, LookupError):
        return ""


def _laid(asked: Mapping[str, Any], folder: Path) -> Path:
    """Lay study and file into a folder; the file names the study and a bundled model, and nothing else here."""
    _refuse_others(asked["text"])
    for name in FILES:
        source = Path(asked["folder"]) / name
        if source.is_file():
            write_bytes(folder / name, source.read_bytes(), force=True)
    return write_text(folder / ASKED, asked["text"], force=True)


def _refuse_others(text: str) -> None:
    head = parse_card(text, "fit.toml").data.get("fit")
    if not isinstance(head, dict):
        return  # the reader says what is missing
    head = cast("dict[str, object]", head)
    if head.get("data", STUDY) != STUDY:
        raise InputError(
            f'found another file, expected data = "{STUDY}": the study of this page.', file="fit.toml", field="fit.data"
        )
    if "model" in head:
        _model(str(head["model"]))


def _model(name: str) -> str:
    """The name of a bundled model: what else a name may be, such as a file of Python, is not run here."""
    if name not in model_names():
        raise InputError(unknown("bundled model", name, model_names()), file="fit.toml", field="fit.model")
    return name


def _line(line: str, method: str) -> str:
    """A line of the file: data and method as they are asked for."""
    name = line.partition(" = ")[0]
    return {"data": f'data = "{STUDY}"', "method": f'method = "{method}"'}.get(name, line)
