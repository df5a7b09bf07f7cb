"""The catalogs: products, diseases, trials, analytes and models, each with its sources."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, cast

import click

from vein2vein.cli import console, options
from vein2vein.errors import InputError, unknown
from vein2vein.files import write_text
from vein2vein.report.card_facts import facts_of as card_facts
from vein2vein.report.card_facts import in_words, items_of, marks_in_words, sources_of, title_of

if TYPE_CHECKING:
    from vein2vein.models.model import Model
    from vein2vein.parameters import Parameter

QUIET = "Names only; of one in full, no list of references."
EXAMPLES = """\b
Examples:
  vein2vein models reference
  vein2vein models reference --equations
  vein2vein models my_model.py
  vein2vein models --out pages
"""


def facts_of(data: object) -> Iterator[tuple[str, str, str, str]]:
    """Yield a card as rows (field, value with unit, how it was obtained, source and place)."""
    for fact in card_facts(data):
        shown = _short(fact.value)
        if fact.quantity:
            numeric = isinstance(fact.value, int | float) and not isinstance(fact.value, bool)
            shown = console.number(cast("float", fact.value)) if numeric else shown
            shown = f"{shown} {'' if fact.unit == '1' else fact.unit}".strip()
        yield ".".join(fact.path), shown, fact.own.how, fact.origin


def _short(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float):
        return console.number(value, digits=4)
    if isinstance(value, list):
        return ", ".join(_short(v) for v in items_of(cast("object", value)))
    return marks_in_words(" ".join(str(value).split()))


def _list_cards(what: str, folder: Path, for_machines: bool, quiet: bool) -> None:
    from vein2vein.cards import bundled_cards, read_card

    rows: list[tuple[str, str, str]] = []
    for name, path in bundled_cards(folder).items():
        data = read_card(path).data
        title, keys = in_words(name, data), sources_of(data)
        if for_machines:
            _emit(what, name, title, keys)
        rows.append((name, title, ", ".join(keys)))
    if not for_machines:
        _print_list((what, "what it is", "sources"), rows, f"vein2vein {what}s NAME", quiet)


def _print_list(
    headers: Sequence[str], rows: Sequence[Sequence[object]], more: str, quiet: bool, right: Iterable[int] = ()
) -> None:
    """Names only where nothing else is wanted."""
    if quiet:
        for row in rows:
            console.say(str(row[0]))
        return
    console.table(headers, rows, right=right)
    console.say(f"One in full: {more}")


def _show_card(what: str, name: str, folder: Path, for_machines: bool, quiet: bool) -> None:
    from vein2vein.cards import find_card

    card = find_card(_plain_name(what, name), folder, what)
    title, keys = title_of(name, card.data), sources_of(card.data)
    if for_machines:
        _emit(what, Path(card.file).stem, title, keys, card=card.data)
        return
    shown: list[tuple[str, ...]] = []
    before = ("", "")
    for field, value, how, origin in facts_of(card.data):
        if field not in ("name", "title", "trial.title"):
            shown.append((field, value, *(("", "") if (how, origin) == before else (how, origin))))
            before = how, origin
    console.table(("field", "value", "how", "source"), shown, title=title)
    if not quiet:
        _print_sources(keys)


def _plain_name(what: str, name: str) -> str:
    """The name of a card behind a brand or short name; a card of one's own is checked whole and shown as it is."""
    from vein2vein.cards import is_path

    if what == "product":
        from vein2vein.therapy.product import find_product

        found = find_product(name).name
    elif what == "disease":
        from vein2vein.therapy.disease import find_disease

        found = find_disease(name).name
    else:
        return name
    return name if is_path(name) else found


def _emit(what: str, name: str, title: str, keys: list[str], **more: object) -> None:
    from vein2vein.sources import cited

    console.emit(what, name=name, title=title, sources={k: cited(k) for k in keys}, **more)


def _print_sources(keys: list[str]) -> None:
    from vein2vein.sources import cited

    if keys:
        console.table(("source", "reference"), [(key, cited(key)) for key in keys])


def _folder(*parts: str) -> Path:
    return Path(__file__).resolve().parents[1].joinpath(*parts)


def _card_command(what: str, folder: Path, example: str) -> click.Command:
    @click.command(
        f"{what}s",
        cls=options.Command,
        help=f"List the {what}s that come with vein2vein, or show one with all its sources.",
        epilog=example,
    )
    @click.argument("name", required=False)
    @options.for_machines(what)
    @options.quiet(QUIET)
    def show(name: str | None, for_machines: bool, quiet: bool) -> None:
        if name is None:
            _list_cards(what, folder, for_machines, quiet)
        else:
            _show_card(what, name, folder, for_machines, quiet)

    return show


@click.command(cls=options.Command, epilog="Example: vein2vein analytes ferritin")
@click.argument("name", required=False)
@options.for_machines("analyte")
@options.quiet(QUIET)
def analytes(name: str | None, for_machines: bool, quiet: bool) -> None:
    """List what is measured or given, or show one: name, unit, plausible range, LOINC code.

    These are the names of a record (vein2vein monitor) and of every table; outside of the range a value is refused.
    """
    from vein2vein.analytes import all_analytes, analyte

    chosen = list(all_analytes().values()) if name is None else [analyte(name)]
    if for_machines:
        for one in chosen:
            console.emit("analyte", **vars(one))
    elif name is None:
        rows = [(one.name, one.title, one.unit, f"{one.low:g} to {one.high:g}", one.kind, one.loinc) for one in chosen]
        _print_list(("analyte", "what it is", "unit", "range", "kind", "LOINC"), rows, "vein2vein analytes NAME", quiet)
    else:
        for one in chosen:
            facts = [(field, str(value)) for field, value in vars(one).items() if value != ""]
            console.table(("field", "value"), facts[:1] if quiet else facts, title=one.title)


@click.command(cls=options.Command, epilog=EXAMPLES)
@click.argument("name", required=False)
@click.option("--equations", "shows_equations", is_flag=True, help="Only the equations, as the solvers run them.")
@click.option("--latex", is_flag=True, help="The equations as LaTeX; with --equations.")
@options.out_folder("Write the page of the model, or of every model, as Markdown into this folder.")
@options.for_machines("model, equation, file")
@options.quiet(QUIET)
@options.force
def models(
    name: str | None, shows_equations: bool, latex: bool, out: Path | None, for_machines: bool, quiet: bool, force: bool
) -> None:
    """List the models of the cells in the body, or show one: states, inputs, parameters, sources, equations.

    A model of your own is given by the path of its file, my_model.py; the file is a program and is run.
    """
    from vein2vein.models import catalogue

    if not shows_equations:
        options.needs("--equations", "latex")
    if out is None:
        options.needs("--out", "force")
    elif shows_equations:
        options.idle("--out", "shows_equations")
    if out is not None:
        _write_pages(name, out, for_machines, force)
    elif name is None:
        options.needs("the name of a model", "shows_equations")
        _list_models(for_machines, quiet)
    elif shows_equations:
        _show_equations(catalogue.find_model(name), latex, for_machines)
    else:
        _show_model(name, for_machines, quiet)


def _list_models(for_machines: bool, quiet: bool) -> None:
    from vein2vein.models import catalogue

    rows: list[tuple[object, ...]] = []
    for known in catalogue.model_names():
        model = catalogue.find_model(known)
        counts = {"states": len(model.states), "parameters": len(model.parameters)}
        if for_machines:
            _emit("model", known, model.title, [model.source], **counts)
        rows.append((known, model.title, *counts.values(), model.source))
    if not for_machines:
        headers = ("model", "what it is", "states", "parameters", "source")
        _print_list(headers, rows, "vein2vein models NAME", quiet, right=(2, 3))


def _show_model(name: str, for_machines: bool, quiet: bool) -> None:
    from vein2vein.models import catalogue

    module = catalogue.find_module(name)
    model: Model = module.MODEL
    numbers = catalogue.parameters_of(module)
    keys = list(dict.fromkeys(one for one in (model.source, *(p.source for p in numbers.parameters.values())) if one))
    if for_machines:
        _emit(
            "model",
            model.name,
            model.title,
            keys,
            states=[vars(s) for s in model.states],
            inputs=[vars(i) for i in model.inputs],
            parameters=[vars(p) for p in numbers.parameters.values()],
        )
        return
    console.table(("state", "meaning", "unit"), [(s.name, s.meaning, s.unit) for s in model.states], title=model.title)
    console.table(("input", "meaning", "unit", "kind"), [(i.name, i.meaning, i.unit, i.kind) for i in model.inputs])
    console.table(
        ("parameter", "meaning", "value", "unit", "how", "source"),
        [
            (
                p.name,
                p.meaning,
                _value(p),
                p.unit,
                p.how,
                f"{p.source} {marks_in_words(p.where)}".strip(),
            )
            for p in numbers.parameters.values()
        ],
        right=(2,),
    )
    if not quiet:
        _print_sources(keys)


def _value(p: Parameter) -> str:
    if p.value is None:
        return f"by {p.given_by} card" if p.given_by else ""
    return console.number(p.value)


def _show_equations(model: Model, as_latex: bool, for_machines: bool) -> None:
    from vein2vein.engine.trace import latex, readable
    from vein2vein.engine.trace.recording import trace

    for line in (latex if as_latex else readable).equations(trace(model)):
        console.tell(line, "equation", for_machines, model=model.name, text=line)


def _write_pages(name: str | None, out: Path, for_machines: bool, force: bool) -> None:
    from vein2vein.engine.trace.latex import equations
    from vein2vein.engine.trace.recording import trace
    from vein2vein.models import catalogue
    from vein2vein.models.model_file import is_model_file
    from vein2vein.report.model_page import model_page, pages

    def as_latex(model: Model) -> list[str]:
        return equations(trace(model))

    if name is not None and is_model_file(name):
        module = catalogue.find_module(name)
        about = module.__doc__ or ""
        text = model_page(module.MODEL, catalogue.parameters_of(module), about=about, latex=as_latex)
        texts, name = {module.MODEL.name: text}, None
    else:
        texts = pages(as_latex)
    if name is not None and name not in texts:
        raise InputError(unknown("model", name, texts))
    chosen = {f"{one}.md": text for one, text in texts.items() if name in (None, one)}
    console.new_folder(out, chosen, force=force)
    for file, text in chosen.items():
        path = write_text(out / file, text, force=force)
        console.tell(f"Page: {path}", "file", for_machines, path=path)


commands = (
    _card_command("product", _folder("therapy", "products"), "Example: vein2vein products tisagenlecleucel"),
    _card_command("disease", _folder("therapy", "diseases"), "Example: vein2vein diseases"),
    _card_command("trial", _folder("trials", "cards"), "Example: vein2vein trials eliana --json"),
    analytes,
    models,
)
