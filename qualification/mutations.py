"""Small changes to source code, for ``mutants.py``: where one can be made, which are left out, and a draw by a seed.

A site is a node of the syntax tree, with one changed node for each way to get it wrong. Only places are listed at which
a change is one of behavior that a reader of the results could meet; what is left out stands in the tables below.
"""

from __future__ import annotations

import ast
import random
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

# Left out, as no reader of a result meets them.
DEVELOPERS = {  # exceptions whose text only a developer reads
    "ValueError", "TypeError", "KeyError", "IndexError", "AssertionError", "RuntimeError", "NotImplementedError",
    "AttributeError", "StopIteration",
}  # fmt: skip
TYPING = {"cast", "TypeVar", "NewType", "isinstance", "issubclass", "errstate", "getLogger", "field", "ParamSpec"}
TECHNICAL = {"stacklevel", "maxsize", "encoding", "strict", "copy", "dtype", "newline", "usecols", "slots", "frozen"}
LOOK = {  # arguments that change how a figure looks and not what it says
    "alpha", "color", "colors", "c", "ec", "fc", "edgecolor", "edgecolors", "facecolor", "facecolors", "linewidth",
    "linewidths", "lw", "linestyle", "linestyles", "ls", "marker", "markersize", "ms", "markeredgecolor",
    "markeredgewidth", "markerfacecolor", "zorder", "fontsize", "fontweight", "fontstyle", "labelpad", "pad", "ha",
    "va", "rotation", "rotation_mode", "figsize", "dpi", "capsize", "bbox_to_anchor", "loc", "frameon", "hspace",
    "wspace", "height_ratios", "width_ratios", "borderaxespad", "borderpad", "handlelength", "handletextpad",
    "columnspacing", "labelspacing", "ncols", "ncol", "elinewidth", "capthick", "drawstyle", "xytext", "textcoords",
    "transform", "clip_on", "linespacing", "hatch", "margin", "rwidth", "cmap", "bbox", "arrowprops", "showfliers",
}  # fmt: skip
SYMMETRIC = {
    "maximum", "minimum", "fmax", "fmin", "max", "min", "hypot", "logical_and", "logical_or", "logical_xor", "isclose",
    "allclose", "array_equal", "gcd", "union1d", "intersect1d", "add", "multiply", "equal", "not_equal", "zip", "any",
}  # fmt: skip
ALIKE = (
    ast.Name,
    ast.Attribute,
    ast.Subscript,
    ast.BinOp,
    ast.Call,
    ast.UnaryOp,
)  # arguments that could be taken for each other
BUILT_IN = {"float", "int", "str", "bool", "np.float64", "np.int64", "np.inf", "np.nan", "object"}
NEGLIGIBLE = 1e-6  # smaller numbers only keep a quotient finite

COMPARISONS = {
    ast.Lt: (ast.LtE, ast.GtE), ast.LtE: (ast.Lt, ast.Gt), ast.Gt: (ast.GtE, ast.LtE), ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,), ast.NotEq: (ast.Eq,), ast.Is: (ast.IsNot,), ast.IsNot: (ast.Is,), ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
}  # fmt: skip
ARITHMETIC = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.FloorDiv: ast.Mult,
    ast.Mod: ast.Mult, ast.Pow: ast.Mult, ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd, ast.BitXor: ast.BitAnd,
}  # fmt: skip
TWINS = {
    "min": "max", "nanmin": "nanmax", "minimum": "maximum", "fmin": "fmax", "any": "all", "argmin": "argmax",
    "nanargmin": "nanargmax", "floor": "ceil", "cumsum": "cumprod", "sum": "prod", "mean": "median",
    "nanmean": "nanmedian", "flatnonzero": "argsort", "logical_and": "logical_or", "startswith": "endswith",
    "isfinite": "isnan", "first": "last", "lstrip": "rstrip", "removeprefix": "removesuffix",
}  # fmt: skip
TWINS |= {other: one for one, other in TWINS.items() if one not in ("sum", "cumsum", "flatnonzero", "mean")}
PASSED = ast.Pass()


@dataclass(frozen=True)
class Mutant:
    """One small change.

    Attributes
    ----------
    file : str
        Relative to the package's folder.
    line, last : int
        Lines of the innermost statement (of a compound one its head) that holds the change.
    at_import : bool
        Whether it runs when the module is imported, not when a function is called.
    kind : str
    before, after : str
        Source of the changed node.
    text : str
        Source of the whole changed module.
    """

    file: str
    line: int
    last: int
    at_import: bool
    kind: str
    before: str
    after: str
    text: str


@dataclass(frozen=True)
class Site:
    """A node that can be changed, and its changes (kind, changed node)."""

    file: str
    holder: ast.AST
    field: str
    place: int | None
    node: ast.AST
    changes: tuple[tuple[str, ast.AST], ...]
    line: int
    last: int
    at_import: bool
    tree: ast.Module

    def mutant(self, which: int) -> Mutant:
        """Make one of the changes, and take it back once the text is written."""
        kind, changed = self.changes[which]
        before = ast.unparse(self.node)
        self._put(changed)
        text = ast.unparse(ast.fix_missing_locations(self.tree))
        after = ast.unparse(changed)
        self._put(self.node)
        return Mutant(self.file, self.line, self.last, self.at_import, kind, before, after, text + "\n")

    def _put(self, node: ast.AST) -> None:
        if self.place is None:
            setattr(self.holder, self.field, node)
        else:
            getattr(self.holder, self.field)[self.place] = node


def draw(package: Path, files: list[Path], count: int, seed: str) -> tuple[list[Mutant], int]:
    """Draw mutants: ``count`` different sites of all files (all of them where there are fewer), one change at each.

    Returns the mutants in the order of files and lines, and how many sites there were.
    """
    sites = [
        site for path in sorted(files) for site in sites_of(path.read_text(encoding="utf-8"), _name(package, path))
    ]
    luck = random.Random(seed)
    chosen = sorted(luck.sample(range(len(sites)), min(count, len(sites))))
    return [sites[i].mutant(luck.randrange(len(sites[i].changes))) for i in chosen], len(sites)


def _name(package: Path, path: Path) -> str:
    return path.relative_to(package).as_posix()


def sites_of(text: str, file: str) -> list[Site]:
    """All sites of a module, in the order of its source."""
    tree = ast.parse(text)
    return list(_Walk(tree, file).module())


def head(node: ast.stmt) -> tuple[int, int]:
    """First and last line of a statement; of one with a body, of what stands before the body."""
    body = getattr(node, "body", None)
    if isinstance(body, list) and body and not isinstance(node, ast.Module):
        return node.lineno, max(node.lineno, body[0].lineno - 1)
    return node.lineno, node.end_lineno or node.lineno


class _Walk:
    """Walks a module and yields its sites."""

    def __init__(self, tree: ast.Module, file: str) -> None:
        self.tree, self.file = tree, file
        self.lines, self.at_import = (1, 1), True

    def module(self) -> Iterator[Site]:
        yield from self.body(self.tree, "body")

    def body(self, holder: ast.AST, field: str) -> Iterator[Site]:
        for place, statement in enumerate(getattr(holder, field)):
            outer, self.lines = self.lines, head(statement)
            yield from self.statement(holder, field, place, statement)
            self.lines = outer

    def site(
        self, holder: ast.AST, field: str, place: int | None, changes: list[tuple[str, ast.AST]]
    ) -> Iterator[Site]:
        node = getattr(holder, field) if place is None else getattr(holder, field)[place]
        written, kept = {ast.unparse(node)}, []
        for kind, changed in changes:
            source = ast.unparse(ast.fix_missing_locations(changed))
            if source not in written:
                written.add(source)
                kept.append((kind, changed))
        if kept:
            yield Site(
                self.file, holder, field, place, node, tuple(kept), *self.lines, self.at_import, self.tree,
            )  # fmt: skip

    # Statements

    def statement(self, holder: ast.AST, field: str, place: int, node: ast.stmt) -> Iterator[Site]:
        if isinstance(node, ast.Import | ast.ImportFrom | ast.Assert | ast.Global | ast.Nonlocal | ast.Pass):
            return
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            return  # a docstring
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield from self.function(node)
            return
        if isinstance(node, ast.ClassDef):
            yield from self.body(node, "body")
            return
        if isinstance(node, ast.Raise) and _called(node.exc) in DEVELOPERS:
            return
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            return
        if isinstance(node, ast.Assign | ast.AnnAssign) and self.says_types(node):
            return
        yield from self.site(holder, field, place, _of_statement(node))
        if isinstance(node, ast.If) and not node.orelse and not isinstance(node.body[0], ast.Raise):
            emptied = ast.If(node.test, [PASSED], [])
            yield from self.site(holder, field, place, [("body deleted", emptied)])
        for name, value in ast.iter_fields(node):
            if name in ("body", "orelse", "finalbody"):
                yield from self.body(node, name)
            elif name == "handlers":
                for handler in value:
                    yield from self.body(handler, "body")
            elif name == "cases":
                for case in value:
                    yield from self.body(case, "body")
            elif name != "annotation":
                yield from self.children(node, name, value)

    def says_types(self, node: ast.Assign | ast.AnnAssign) -> bool:
        """``__all__`` and the version; another name of a type."""
        target = node.targets[0] if isinstance(node, ast.Assign) else node.target
        if not isinstance(target, ast.Name):
            return False
        alias = re.fullmatch(r"[A-Z]\w*[a-z]\w*", target.id) and isinstance(
            node.value, ast.Subscript | ast.BinOp | ast.Name
        )
        return target.id.startswith("__") or bool(alias and self.at_import)

    def function(self, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) -> Iterator[Site]:
        for field in ("defaults", "kw_defaults"):
            for place, default in enumerate(getattr(node.args, field)):
                if default is not None:
                    yield from self.expression(node.args, field, place, default)
        outer, self.at_import = self.at_import, False
        if isinstance(node, ast.Lambda):
            yield from self.expression(node, "body", None, node.body)
        else:
            yield from self.body(node, "body")
        self.at_import = outer

    # Expressions

    def children(self, holder: ast.AST, name: str, value: object) -> Iterator[Site]:
        if isinstance(value, ast.AST):
            yield from self.expression(holder, name, None, value)
        elif isinstance(value, list):
            for place, item in enumerate(value):
                if isinstance(item, ast.AST):
                    yield from self.expression(holder, name, place, item)

    def expression(self, holder: ast.AST, field: str, place: int | None, node: ast.AST) -> Iterator[Site]:
        if isinstance(node, ast.Lambda):
            yield from self.function(node)
            return
        if isinstance(node, ast.keyword) and node.arg in TECHNICAL | LOOK:
            return
        if isinstance(node, ast.Call) and _called(node) in TYPING:
            if _called(node) == "isinstance":
                yield from self.expression(node, "args", 0, node.args[0])
            return
        yield from self.site(holder, field, place, _of_expression(node, holder, field, place))
        for name, value in ast.iter_fields(node):
            if isinstance(node, ast.FormattedValue) and name == "format_spec" and value is not None:
                yield from self.spec(node)
            else:
                yield from self.children(node, name, value)

    def spec(self, node: ast.FormattedValue) -> Iterator[Site]:
        """Digits shown."""
        spec = node.format_spec
        if not isinstance(spec, ast.JoinedStr) or len(spec.values) != 1 or not isinstance(spec.values[0], ast.Constant):
            return
        found = re.search(r"\.(\d+)", str(spec.values[0].value))
        if found:
            text = str(spec.values[0].value).replace(found.group(), f".{int(found.group(1)) + 1}")
            changed = ast.FormattedValue(node.value, node.conversion, ast.JoinedStr([ast.Constant(text)]))
            yield from self.site_of_spec(node, changed)

    def site_of_spec(self, node: ast.FormattedValue, changed: ast.FormattedValue) -> Iterator[Site]:
        assert isinstance(changed.format_spec, ast.JoinedStr)
        yield Site(
            self.file, node, "format_spec", None, node.format_spec or node, (("digits shown", changed.format_spec),),
            *self.lines, self.at_import, self.tree,
        )  # fmt: skip


def _called(node: ast.AST | None) -> str:
    """Last part of the name of what is called (or raised)."""
    if isinstance(node, ast.Call):
        node = node.func
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def _of_statement(node: ast.stmt) -> list[tuple[str, ast.AST]]:
    if isinstance(node, ast.AugAssign):
        return [("statement deleted", PASSED)]
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
        return [("statement deleted", PASSED)]
    if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Subscript | ast.Attribute):
        return [("statement deleted", PASSED)]
    if isinstance(node, ast.Continue):
        return [("continue is break", ast.Break()), ("statement deleted", PASSED)]
    if isinstance(node, ast.Break):
        return [("break is continue", ast.Continue()), ("statement deleted", PASSED)]
    if isinstance(node, ast.Return) and node.value is not None:
        return [("returns nothing", ast.Return(ast.Constant(None)))]
    return []


def _of_expression(node: ast.AST, holder: ast.AST, field: str, place: int | None) -> list[tuple[str, ast.AST]]:
    if isinstance(node, ast.Constant):
        return _of_constant(node, holder, field, place)
    if isinstance(node, ast.Compare):
        return [("comparison", changed) for changed in _of_compare(node)]
    if isinstance(node, ast.BinOp):
        return _of_arithmetic(node)
    if isinstance(node, ast.BoolOp):
        other = ast.Or() if isinstance(node.op, ast.And) else ast.And()
        dropped = [_without(node, i) for i in range(len(node.values))]
        return [("and/or", ast.BoolOp(other, node.values)), *(("condition dropped", one) for one in dropped)]
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not | ast.Invert | ast.USub):
        return [("negation dropped", node.operand)]
    if isinstance(node, ast.IfExp):
        return [("first branch only", node.body), ("second branch only", node.orelse), *_negated(node)]
    if isinstance(node, ast.comprehension) and node.ifs:
        fewer = ast.comprehension(node.target, node.iter, node.ifs[1:], node.is_async)
        return [("condition dropped", fewer)] if _unparsed(fewer) else []
    if isinstance(node, ast.Call):
        return _of_call(node)
    if field == "test" and isinstance(holder, ast.If | ast.While) and isinstance(node, ast.Name | ast.Attribute):
        return [("condition negated", ast.UnaryOp(ast.Not(), node))]
    return []


def _unparsed(node: ast.AST) -> bool:
    return bool(ast.unparse(node))


def _negated(node: ast.IfExp) -> list[tuple[str, ast.AST]]:
    return [("condition negated", ast.IfExp(ast.UnaryOp(ast.Not(), node.test), node.body, node.orelse))]


def _without(node: ast.BoolOp, i: int) -> ast.expr:
    rest = [value for k, value in enumerate(node.values) if k != i]
    return rest[0] if len(rest) == 1 else ast.BoolOp(node.op, rest)


def _of_constant(node: ast.Constant, holder: ast.AST, field: str, place: int | None) -> list[tuple[str, ast.AST]]:
    value = node.value
    if isinstance(value, bool):
        return [("constant", ast.Constant(not value))]
    if isinstance(value, int | float):
        if 0 < abs(value) < NEGLIGIBLE or value != value or abs(value) == float("inf"):
            return []
        return [("constant", _number(other)) for other in (value + 1, value - 1, 2 * value)]
    if isinstance(value, str) and not _is_key(holder, field, place):
        return [("text", ast.Constant(f"XX{value}XX"))]
    return []


def _number(value: float) -> ast.expr:
    return ast.UnaryOp(ast.USub(), ast.Constant(-value)) if value < 0 else ast.Constant(value)


def _is_key(holder: ast.AST, field: str, place: int | None) -> bool:
    """A name by which a value is looked up: a position in a mapping, not text that is shown."""
    if isinstance(holder, ast.Subscript) and field == "slice":
        return True
    if isinstance(holder, ast.Dict) and field == "keys":
        return True
    lookups = {"get", "pop", "setdefault", "getattr", "setattr", "hasattr"}
    return isinstance(holder, ast.Call) and _called(holder) in lookups and field == "args"


def _of_compare(node: ast.Compare) -> Iterator[ast.Compare]:
    for i, operator in enumerate(node.ops):
        for other in COMPARISONS.get(type(operator), ()):
            yield ast.Compare(node.left, [*node.ops[:i], other(), *node.ops[i + 1 :]], node.comparators)


def _of_arithmetic(node: ast.BinOp) -> list[tuple[str, ast.AST]]:
    if isinstance(node.op, ast.BitOr) and all(_is_type(side) for side in (node.left, node.right)):
        return []
    neutral = {ast.Mult: 1, ast.Div: 1, ast.Add: 0, ast.Sub: 0, ast.Pow: 1}.get(type(node.op))
    if isinstance(node.right, ast.Constant) and node.right.value == neutral and neutral is not None:
        return []
    changes: list[tuple[str, ast.AST]] = []
    if type(node.op) in ARITHMETIC and not _is_text(node):
        changes.append(("arithmetic", ast.BinOp(node.left, ARITHMETIC[type(node.op)](), node.right)))
    changes.append(("term dropped", node.left))
    if isinstance(node.op, ast.Add | ast.Mult):
        changes.append(("term dropped", node.right))
    return changes


def _is_text(node: ast.BinOp) -> bool:
    return any(
        isinstance(side, ast.JoinedStr) or (isinstance(side, ast.Constant) and isinstance(side.value, str))
        for side in (node.left, node.right)
    )


def _is_type(node: ast.expr) -> bool:
    if isinstance(node, ast.Constant):
        return node.value is None
    if isinstance(node, ast.BinOp):
        return _is_type(node.left) and _is_type(node.right)
    name = ast.unparse(node).split("[")[0].split(".")[-1]
    return name in {"int", "float", "str", "bool", "dict", "list", "tuple", "set"} or bool(
        re.fullmatch(r"[A-Z]\w*[a-z]\w*", name)
    )


def _of_call(node: ast.Call) -> list[tuple[str, ast.AST]]:
    changes: list[tuple[str, ast.AST]] = []
    name = _called(node)
    if name in TWINS:
        func = node.func
        other = (
            ast.Attribute(func.value, TWINS[name], ast.Load())
            if isinstance(func, ast.Attribute)
            else ast.Name(TWINS[name], ast.Load())
        )
        if isinstance(func, ast.Attribute) or TWINS[name] in {"min", "max", "any", "all"}:
            changes.append((f"{name} is {TWINS[name]}", ast.Call(other, node.args, node.keywords)))
    if not any(isinstance(one, ast.Starred) for one in node.args) and name not in SYMMETRIC:
        i = 1 if name == "where" else 0  # the two values, not the condition
        pair = node.args[i : i + 2]
        if len(pair) == 2 and all(isinstance(one, ALIKE) and ast.unparse(one) not in BUILT_IN for one in pair):
            swapped = [*node.args[:i], *pair[::-1], *node.args[i + 2 :]]
            changes.append(("arguments swapped", ast.Call(node.func, swapped, node.keywords)))
    return changes
