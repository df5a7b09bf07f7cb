"""The equations as SBML, for the engines that read it."""

from __future__ import annotations

import re
from typing import Any

import antimony


def formula(line: str) -> str:
    """In the language of Antimony."""
    line = line.replace("exp_(", "exp(").replace("log_(", "ln(").replace("sqrt_(", "sqrt(")
    line = re.sub(r"min_\((\S+), (\S+)\)$", r"piecewise(\1, \1 < \2, \2)", line)
    line = re.sub(r"max_\((\S+), (\S+)\)$", r"piecewise(\1, \1 > \2, \2)", line)
    line = re.sub(r"less_\((\S+), (\S+)\)$", r"piecewise(1, \1 < \2, 0)", line)
    line = re.sub(r"choose_\((\S+), (\S+), (\S+)\)$", r"piecewise(\2, \1 != 0, \3)", line)
    return re.sub(r"\bt\b", "time", line)


def sbml(text: dict[str, Any]) -> str:
    """SBML of the rates: x0.. by rate rules, k0.. parameters."""
    lines = ["model m()"]
    lines += [f"  {name} := {formula(line)};" for name, line in text["lines"]]
    lines += [f"  x{i} = 0; x{i}' = {formula(rate)};" for i, rate in enumerate(text["rates"])]
    lines += [f"  k{i} = 1;" for i in range(text["kept"])]
    if antimony.loadAntimonyString("\n".join([*lines, "end"])) < 0:
        raise RuntimeError(antimony.getLastError())
    return antimony.getSBMLString("m")
