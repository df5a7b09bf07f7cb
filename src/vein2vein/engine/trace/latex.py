"""Prints a model's equations as LaTeX, from the same record that the solvers run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from vein2vein.engine.trace.graph import LEAVES, Graph, needed, uses
from vein2vein.engine.trace.recording import Traced
from vein2vein.models.mathematics import TINY

SUM, PRODUCT, POWER, ATOM = range(4)
"""How tightly a printed expression binds."""
_LEAST_SHARED = 4
"""A subexpression used more than once gets a symbol of its own if it has at least this many operations."""

Printed = tuple[str, int]


def equations(traced: Traced) -> list[str]:
    r"""Lines of LaTeX: first the shared subexpressions, w_1 = ..., then \frac{dX}{dt} = ... for each state."""
    g, model = traced.graph, traced.model
    names = {"state": model.state_names, "parameter": model.parameters, "level": model.level_names}
    printer = Printer(g, names, traced.derivatives)
    rates = [
        rf"\frac{{d {symbol(name)}}}{{dt}} = {printer.text(node)}"
        for name, node in zip(model.state_names, traced.derivatives)
    ]
    return [*printer.definitions, *rates]


def symbol(name: str) -> str:
    """A name of the code as a symbol: ``T_pp`` is T with the subscript pp, ``kEM`` is upright."""
    head, _, rest = name.partition("_")
    head = head if len(head) == 1 else rf"\mathrm{{{head}}}"
    return f"{head}_{{{rest.replace('_', ',')}}}" if rest else head


class Printer:
    """Prints the nodes of a graph, each subexpression that is used again under a symbol of its own."""

    def __init__(self, g: Graph, names: Mapping[str, tuple[str, ...]], outputs: Sequence[int]) -> None:
        self.g = g
        self.names = names
        self.definitions: list[str] = []
        self.shared: dict[int, str] = {}
        order = needed(g, outputs)
        used = uses(g, order, outputs)
        size: dict[int, int] = {}
        for node in order:
            size[node] = 1 + sum(size[a] for a in g.operands(node)) if g.operands(node) else 0
            if used[node] > 1 and size[node] >= _LEAST_SHARED:
                text = self.text(node)
                name = self.shared[node] = self.symbol_of_shared(len(self.shared) + 1)
                self.definitions.append(f"{name} = {text}")
                size[node] = 0

    def symbol_of_shared(self, number: int) -> str:
        """The symbol of a shared subexpression."""
        return f"w_{{{number}}}"

    def text(self, node: int, above: int = SUM) -> str:
        """A node as LaTeX, in brackets where it binds less than what it stands in."""
        text, rank = self.printed(node)
        return text if rank >= above else rf"\left({text}\right)"

    def printed(self, node: int) -> Printed:
        """A node as text, and how tightly that binds."""
        if node in self.shared:
            return self.shared[node], ATOM
        g = self.g
        op, args = g.nodes[node]
        if op == "const":
            return number(args[0])
        if op in LEAVES:
            return ("t" if op == "time" else symbol(self.names[op][args[0]])), ATOM
        if op in ("add", "sub"):
            sign = "+" if op == "add" else "-"
            return f"{self.text(args[0])} {sign} {self.text(args[1], SUM if op == 'add' else PRODUCT)}", SUM
        if op == "mul":
            first, second = sorted(args, key=self.place)
            return rf"{self.text(first, PRODUCT)} \, {self.text(second, PRODUCT)}", PRODUCT
        if op == "neg":
            return f"-{self.text(args[0], PRODUCT)}", SUM
        if op == "div":
            return rf"\frac{{{self.text(args[0])}}}{{{self.text(args[1])}}}", PRODUCT
        if op == "exp":
            return self.power(args[0]) or (f"e^{{{self.text(args[0])}}}", POWER)
        if op == "log":
            return rf"\ln {self.text(self.positive(args[0]), POWER)}", PRODUCT
        if op == "sqrt":
            return rf"\sqrt{{{self.text(args[0])}}}", ATOM
        if op in ("floor", "ceil"):
            return rf"\l{op}{{}} {self.text(args[0])} \r{op}{{}}", ATOM
        if op == "atan":
            return rf"\arctan\left({self.text(args[0])}\right)", ATOM
        if op == "pow":
            return f"{{{self.text(args[0], ATOM)}}}^{{{self.text(args[1])}}}", POWER
        if op == "less":
            return f"[{self.text(args[0])} < {self.text(args[1])}]", ATOM
        if op == "choose":
            c, x, y = (self.text(a) for a in args)
            return rf"\begin{{cases}} {x} & {c} \\ {y} & \text{{otherwise}} \end{{cases}}", ATOM
        return rf"\{op}\left({', '.join(self.text(a) for a in args)}\right)", ATOM

    def place(self, node: int) -> int:
        """Order of factors: numbers, parameters, levels, compounds, states."""
        places = ("const", "parameter", "level", "", "state")
        op, _ = self.g.nodes[node]
        return places.index(op if op in places else "")

    def power(self, exponent: int) -> Printed | None:
        """e^(n ln x) as x^n, and e^(n (ln a - ln b)) as (a/b)^n."""
        found = self.powered(exponent)
        if found is None:
            return None
        n, base = found
        if len(base) == 1:
            return f"{{{self.text(base[0], ATOM)}}}^{{{self.text(n)}}}", POWER
        a, b = (self.text(one) for one in base)
        return rf"\left(\frac{{{a}}}{{{b}}}\right)^{{{self.text(n)}}}", POWER

    def powered(self, exponent: int) -> tuple[int, tuple[int, ...]] | None:
        """Of e^(n ln x) the nodes n and (x,), of e^(n (ln a - ln b)) n and (a, b); None of any other exponent."""
        op, args = self.g.nodes[exponent]
        if op != "mul" or exponent in self.shared:
            return None
        for n, inner in (args, args[::-1]):
            kind, below = self.g.nodes[inner]
            if kind == "log":
                return n, (self.positive(below[0]),)
            if kind == "sub" and all(self.g.nodes[b][0] == "log" for b in below):
                return n, tuple(self.positive(self.g.nodes[i][1][0]) for i in below)
        return None

    def positive(self, node: int) -> int:
        """What stands in max(x, TINY): x."""
        op, args = self.g.nodes[node]
        if op == "max":
            for a, b in (args, args[::-1]):
                if self.g.value(a) == TINY:
                    return b
        return node


def number(value: float) -> Printed:
    """A number as LaTeX, powers of ten written out."""
    text = f"{value:.10g}"
    if "e" in text:
        mantissa, power = text.split("e")
        text = rf"{mantissa} \cdot 10^{{{int(power)}}}"
    return text, ATOM if value >= 0 and "cdot" not in text else SUM
