"""Prints a model's equations as plain text that can be read aloud and typed again, from what the solvers run."""

from __future__ import annotations

from vein2vein.engine.trace.graph import LEAVES
from vein2vein.engine.trace.latex import ATOM, POWER, PRODUCT, SUM, Printed, Printer
from vein2vein.engine.trace.recording import Traced


def equations(traced: Traced) -> list[str]:
    """Lines: first the shared subexpressions, w1 = ..., then d(X)/dt = ... for each state."""
    model = traced.model
    names = {"state": model.state_names, "parameter": model.parameters, "level": model.level_names}
    printer = _Readable(traced.graph, names, traced.derivatives)
    rates = [
        f"d({name})/dt = {printer.text(node)}" for name, node in zip(model.state_names, traced.derivatives, strict=True)
    ]
    return [*printer.definitions, *rates]


class _Readable(Printer):
    def symbol_of_shared(self, number: int) -> str:
        return f"w{number}"

    def text(self, node: int, above: int = SUM) -> str:
        text, rank = self.printed(node)
        return text if rank >= above else f"({text})"

    def printed(self, node: int) -> Printed:
        if node in self.shared:
            return self.shared[node], ATOM
        op, args = self.g.nodes[node]
        if op == "const":
            return f"{args[0]:.10g}", ATOM if args[0] >= 0 else SUM
        if op in LEAVES:
            return ("t" if op == "time" else self.names[op][args[0]]), ATOM
        if op in ("add", "sub"):
            sign = "+" if op == "add" else "-"
            return f"{self.text(args[0])} {sign} {self.text(args[1], SUM if op == 'add' else PRODUCT)}", SUM
        if op == "mul":
            first, second = sorted(args, key=self.place)
            return f"{self.text(first, PRODUCT)} * {self.text(second, PRODUCT)}", PRODUCT
        if op == "div":
            return f"{self.text(args[0], PRODUCT)} / {self.text(args[1], POWER)}", PRODUCT
        if op == "neg":
            return f"-{self.text(args[0], PRODUCT)}", SUM
        if op == "exp":
            return self.power(args[0]) or (f"exp({self.text(args[0])})", ATOM)
        if op == "log":
            return f"ln({self.text(self.positive(args[0]))})", ATOM
        if op == "pow":
            return f"{self.text(args[0], ATOM)}^{self.text(args[1], ATOM)}", POWER
        if op == "less":
            return f"({self.text(args[0])} < {self.text(args[1])})", ATOM
        if op == "choose":
            condition, x, y = args
            return f"({self.text(x)} if {self.text(condition)} else {self.text(y)})", ATOM
        return f"{op}({', '.join(self.text(a) for a in args)})", ATOM

    def power(self, exponent: int) -> Printed | None:
        found = self.powered(exponent)
        if found is None:
            return None
        n, base = found
        if len(base) == 1:
            return f"{self.text(base[0], ATOM)}^{self.text(n, ATOM)}", POWER
        a, b = (self.text(one, POWER) for one in base)
        return f"({a} / {b})^{self.text(n, ATOM)}", POWER
