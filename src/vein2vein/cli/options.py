"""Options that several commands share, each written once; and the refusal of what would do nothing.

An option either acts or is refused: one given twice, one that another makes idle (``idle``), one that lacks what it
acts on (``needs``). Nothing that a person typed is dropped without a word.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Protocol, TypeVar

import click
from click.core import ParameterSource

from vein2vein.cli import console
from vein2vein.files import write_text

Decorated = TypeVar("Decorated", bound=Callable[..., object] | click.Command)
MOST_PATIENTS = 1_000_000
CONVENTIONAL_SEED = 1


class Decorator(Protocol):
    """What adds an option to a command."""

    def __call__(self, command: Decorated, /) -> Decorated:
        """Return the command with the option."""
        ...


class Command(click.Command):
    """A command that refuses an option with one value that was given twice: the first would be dropped."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read the arguments."""
        _, _, order = self.make_parser(ctx).parse_args(args=list(args))
        for option in order:
            once = isinstance(option, click.Option) and not option.multiple and not option.is_flag
            if once and order.count(option) > 1:
                raise click.UsageError(f"found {option.opts[-1]} {order.count(option)} times, expected it once.", ctx)
        return super().parse_args(ctx, args)


class _Path(click.Path):
    """A path that names something: "" (an empty variable of a shell) is not the present folder, ``--force`` no file."""

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> Path:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Read a path."""
        if not value:
            self.fail("the name is empty; give the name of a file or folder.", param, ctx)
        if value.startswith("-"):
            self.fail(f"'{value}' looks like an option; a name that begins so is written ./{value}.", param, ctx)
        return Path(value)


class _Input(_Path):
    """A path; "-" is the standard input."""

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> Path:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Read a path."""
        return Path(value) if value == STDIN else super().convert(value, param, ctx)


STDIN = "-"
PATH = _Path()
INPUT = _Input()


# Refusing what would do nothing


def given(name: str) -> bool:
    """Whether a parameter stands on the command line."""
    return click.get_current_context().get_parameter_source(name) is ParameterSource.COMMANDLINE


def _name(parameter: click.Parameter) -> str:
    value = click.get_current_context().params.get(parameter.name or "")
    return parameter.opts[-1] if isinstance(parameter, click.Option) else f"'{value}'"


def only(what: str, *acting: str) -> None:
    """Refuse every parameter that was given, except those that act beside ``what``."""
    ctx = click.get_current_context()
    for parameter in ctx.command.params:
        name = parameter.name or ""
        if name not in acting and given(name) and ctx.params.get(name) not in ((), None):
            raise click.UsageError(f"{_name(parameter)} does nothing with {what}; leave one of the two out.", ctx)


def idle(what: str, *names: str) -> None:
    """Refuse parameters that were given although ``what``, which is in force, makes them do nothing."""
    ctx = click.get_current_context()
    only(what, *(parameter.name or "" for parameter in ctx.command.params if parameter.name not in names))


def needs(what: str, *names: str) -> None:
    """Refuse parameters that were given without ``what``, on which they act."""
    ctx = click.get_current_context()
    for parameter in ctx.command.params:
        if parameter.name in names and given(parameter.name):
            raise click.UsageError(f"{_name(parameter)} does nothing without {what}; add that, or leave it out.", ctx)


def chosen(name: str, asked: int, told: int | None) -> int:
    """What the command line says where it says so, else what a file told, else the default."""
    return asked if told is None or given(name) else told


# Files to start from


def start_file(path: Path, text: str, then: str, *acting: str, force: bool, for_machines: bool, quiet: bool) -> None:
    """Write a file that a person changes, and say what to do with it; refuse what does nothing beside ``--init``.

    Parameters
    ----------
    path : Path
    text : str
    then : str
        The command to give next.
    acting : str
        Parameters that act beside ``--init``, apart from ``--force``, ``--json`` and ``--quiet``.
    force, for_machines, quiet : bool
    """
    only("--init", "init", "force", "for_machines", "quiet", *acting)
    write_text(path, text, force=force)
    if for_machines:
        console.emit("init", path=path)
    else:
        click.echo(f"Wrote {path}." if quiet else f"Wrote {path}. Change it, then: vein2vein {then}")


# The options


def patients(least: int, most: int, text: str) -> Decorator:
    """How many virtual patients."""
    return click.option("--patients", type=click.IntRange(least, most), metavar="N", help=text)


def seed(what: str) -> Decorator:
    """The seed of all luck."""
    return click.option(
        "--seed",
        type=click.IntRange(0),
        default=CONVENTIONAL_SEED,
        show_default=True,
        metavar="S",
        help=f"Seed: the same seed gives the same {what}.",
    )


def parameters(default: str | None, text: str) -> Decorator:
    """Which numbers of the model: those of the cards, or sets of the posterior sample."""
    return click.option(
        "--parameters",
        type=click.Choice(["typical", "posterior"]),
        default=default,
        show_default=default is not None,
        help=f"Numbers of the cards, or sets of the posterior sample: {text}",
    )


def language(command: Decorated) -> Decorated:
    """The language of a family's papers."""
    return click.option(
        "--language",
        default="en",
        show_default=True,
        metavar="CODE|NAME",
        help="The family's language: en, ar, es, fr, hi, pt, ru or zh; or a name such as Spanish.",
    )(command)


def jobs(default: int | None, text: str) -> Decorator:
    """Processes side by side."""
    return click.option("--jobs", type=click.IntRange(1), default=default, metavar="N", help=text)


def out_folder(text: str) -> Decorator:
    """Folder of the results."""
    return click.option("--out", type=PATH, metavar="DIR", help=text)


def out_file(text: str) -> Decorator:
    """The file to write."""
    return click.option("--out", type=PATH, metavar="FILE", help=text)


def init(text: str) -> Decorator:
    """Write a file to start from."""
    return click.option("--init", type=PATH, metavar="FILE", help=f"{text}, and stop.")


def product(text: str, *, multiple: bool = False) -> Decorator:
    """A product, by name or card."""
    name = "products" if multiple else "product"
    return click.option("--product", name, metavar="NAME|FILE", multiple=multiple, help=text)


def policy(text: str, *, multiple: bool = False) -> Decorator:
    """A policy of treatment, by name or file."""
    name = "policies" if multiple else "policy"
    return click.option("--policy", name, metavar="NAME|FILE", multiple=multiple, help=text)


def dose(text: str, *, multiple: bool = False) -> Decorator:
    """A dose."""
    return click.option("--dose", "doses" if multiple else "dose", metavar="DOSE", multiple=multiple, help=text)


def absent_target(command: Decorated) -> Decorated:
    """Run a product although the tumor lacks what it sees."""
    text = "Run a product although the tumor lacks what it sees; it kills nothing of the tumor."
    return click.option("--absent-target", is_flag=True, help=text)(command)


def acts_on_targets(asked: bool, *absent: str) -> None:
    """Refuse ``--absent-target`` where the tumor carries what every product sees; ``absent`` says what it lacks."""
    if asked and not any(absent):
        raise click.UsageError("--absent-target does nothing here: the tumor carries the target; leave it out.")


def columns(command: Decorated) -> Decorated:
    """Which column of a data set is what."""
    text = "Columns with unusual names, such as id=PAT,dv=COPIES (more: NAME.columns.toml beside the data set)."
    return click.option("--columns", "named", metavar="ROLE=NAME,...", help=text)(command)


def mapping(command: Decorated) -> Decorated:
    """How a table is to be read."""
    text = "How a table is to be read (TOML)."
    return click.option("--mapping", type=PATH, metavar="FILE", help=text)(command)


def for_machines(events: str) -> Decorator:
    """JSON lines."""
    return click.option("--json", "for_machines", is_flag=True, help=f"JSON lines for machines (events {events}).")


def quiet(text: str) -> Decorator:
    """Less to read."""
    return click.option("--quiet", is_flag=True, help=text)


def force(command: Decorated) -> Decorated:
    """Overwrite."""
    return click.option("--force", is_flag=True, help="Overwrite existing files.")(command)
