"""The door of the command line: the commands, what a failure says, and the exit codes.

Exit codes: 0 done; 1 something failed that is not the user's doing; 2 bad input or usage; 3 a fit did not converge; 130
interrupted.
"""

from __future__ import annotations

import errno
import io
import logging
import os
import re
import sys
from collections import UserDict
from collections.abc import Iterator, Sequence
from importlib import import_module

import click

from vein2vein import __version__
from vein2vein.cli import console
from vein2vein.errors import InputError, unknown
from vein2vein.files import WriteError, shown

FAILED, BAD_INPUT, INTERRUPTED = 1, 2, 130


MODULES = {
    "app": "app",
    "trial": "trial",
    "simulate": "simulate",
    "explain": "explain",
    "refer": "refer",
    "monitor": "monitor",
    "eligible": "eligible",
    "respond": "respond",
    "check": "check",
    "explore": "explore",
    "nca": "explore",
    "fit": "fit",
    "vpc": "vpc",
    "qualify": "qualify",
    "predict": "predict",
    "score": "score",
    "compare": "compare",
    "sensitivity": "sensitivity",
    "schema": "schema",
    "products": "catalogue",
    "diseases": "catalogue",
    "trials": "catalogue",
    "analytes": "catalogue",
    "models": "catalogue",
}
"""Command -> module of this folder that holds it."""


class _Loaded(UserDict[str, click.Command]):
    """The commands by name; a module is loaded when one of its commands is asked for."""

    def __getitem__(self, key: str) -> click.Command:
        if self.data.get(key) is None:
            module = import_module(f"vein2vein.cli.{MODULES[key]}")
            found: tuple[click.Command, ...] = getattr(module, "commands", ()) or (module.command,)
            self.data |= {name: command for command in found if (name := command.name) is not None}
        return self.data[key]

    def __contains__(self, key: object) -> bool:
        return key in MODULES

    def __iter__(self) -> Iterator[str]:
        return iter(MODULES)

    def __len__(self) -> int:
        return len(MODULES)


class Commands(click.Group):
    """A group that answers an unknown command with the nearest ones."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command; refuse an unknown name with the nearest ones."""
        if args and self.get_command(ctx, args[0]) is None and not args[0].startswith("-"):
            raise click.UsageError(unknown("command", args[0], self.list_commands(ctx)), ctx)
        return super().resolve_command(ctx, args)


@click.group(
    cls=Commands,
    commands=_Loaded(),
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    epilog="Example: vein2vein trial eliana --patients 200 --seed 7",
)
@click.version_option(__version__, "-V", "--version", prog_name="vein2vein", message="%(prog)s %(version)s")
@click.option(
    "--debug", is_flag=True, expose_value=False, help="Show the traceback of an unexpected failure (works anywhere)."
)
def commands() -> None:
    """Follow a CAR T-cell treatment from the patient's blood and back, and fit models to a study's own data.

    Begin with: trial eliana (a trial in virtual patients); fit study.csv --model stein_2019 (a study's own data; before
    it check and explore); monitor record.csv (a patient's record); app (all of it in the browser). Each has --help.

    Research software: not a medical device, not for decisions about patients.
    """


def main(args: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code.

    Parameters
    ----------
    args : sequence of str, optional
        Arguments after the program's name; by default those that the program was started with.

    Returns
    -------
    int
        0 done, 1 failed, 2 bad input, 130 interrupted.
    """
    given = list(sys.argv[1:] if args is None else args)
    debug = "--debug" in given
    for_machines = "--json" in given
    _settle_streams()
    try:
        code = commands.main([a for a in given if a != "--debug"], prog_name="vein2vein", standalone_mode=False)
        return code if isinstance(code, int) else 0
    except WriteError as problem:
        return _say(str(problem), FAILED, for_machines, file=problem.file)
    except InputError as problem:
        return _say(str(problem), BAD_INPUT, for_machines, file=problem.file, line=problem.line, field=problem.field)
    except click.exceptions.NoArgsIsHelpError as problem:
        click.echo(problem.format_message(), err=True)
        return BAD_INPUT
    except click.UsageError as problem:
        return _say(_usage(problem), BAD_INPUT, for_machines)
    except click.ClickException as problem:
        return _say(problem.format_message(), problem.exit_code, for_machines)
    except (click.Abort, KeyboardInterrupt):
        return _say("interrupted; nothing more was written.", INTERRUPTED, for_machines)
    except OSError as problem:
        if debug:
            raise
        if isinstance(problem, BrokenPipeError) or problem.errno == errno.EPIPE:
            return _leave_quietly()
        place = f"{problem.filename}: " if problem.filename else ""
        return _say(
            f"{place}{problem.strerror or problem}; check the folder, its permissions and the space left.",
            FAILED,
            for_machines,
        )
    except Exception as problem:
        if debug:
            raise
        reason = " ".join(str(problem).split())
        return _say(
            f"unexpected failure ({type(problem).__name__}: {reason}); this is a defect of vein2vein "
            f"{__version__}: run the same command with --debug and report its output with your input files.",
            FAILED,
            for_machines,
        )


def _settle_streams() -> None:
    """A terminal without our characters gets substitutes, a closed stream swallows, a library's hints stay unsaid."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, io.TextIOWrapper(io.FileIO(os.devnull, "w"), encoding="utf-8"))
        elif isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    logging.getLogger("matplotlib").setLevel(logging.ERROR)


def _say(sentence: str, code: int, for_machines: bool, **place: object) -> int:
    sentence = "".join(c if c.isprintable() else repr(c)[1:-1] for c in sentence)
    sentence = re.sub(r"\S+", lambda word: shown(word[0]), sentence)
    try:
        if for_machines:
            console.emit("error", text=sentence, code=code, **place)
    except BrokenPipeError:
        return _leave_quietly()
    except OSError:  # nothing more goes there (the disk is full): the sentence below still does
        _leave_quietly()
    try:
        click.echo(f"vein2vein: {sentence}", err=True)
    except BrokenPipeError:
        return _leave_quietly()
    return code


def _usage(problem: click.UsageError) -> str:
    if isinstance(problem, click.NoSuchOption) and problem.ctx is not None:
        known = [name for p in problem.ctx.command.get_params(problem.ctx) for name in p.opts if name.startswith("-")]
        sentence = unknown("option", problem.option_name, known)
    else:
        sentence = problem.format_message()
    if problem.ctx is not None:
        sentence = (
            f"{sentence.rstrip('.')}{'' if sentence.endswith('?') else '.'} See '{problem.ctx.command_path} --help'."
        )
    return sentence


def _leave_quietly() -> int:
    """Whoever read our output has gone: let the interpreter's own last flush fail unheard."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return FAILED
