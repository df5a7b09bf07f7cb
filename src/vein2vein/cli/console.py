"""What the commands write: tables and sentences for people, JSON lines for machines, a progress bar on stderr."""

from __future__ import annotations

import json
import math
import os
import sys
import threading
import time
from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, cast, runtime_checkable

import click

from vein2vein.files import check_target, make_folder

if TYPE_CHECKING:
    from rich.console import Console

SECONDS_BEFORE_BAR = 2.0  # a shorter run needs no progress bar
SECONDS_BETWEEN_LINES = 10.0  # between progress lines where stderr is a file
LONGEST_NAME = 120  # characters of a folder's name
NARROW = 110  # columns below which tables leave out what they can
NARROWEST = 20  # columns below which a table shows nothing
UNUSUAL = "unusual"  # with which a note about a value begins that is possible and rare
WIDTH_OF_FILE = 140  # columns of a table where stdout is a file or a pipe

Json = bool | int | float | str | None | list["Json"] | dict[str, "Json"]


class Report(Protocol):
    """What a run calls to say how far it is."""

    def __call__(self, fraction: float, stage: str = "") -> None:
        """Take the fraction done and what is being done."""
        ...


@runtime_checkable
class _Array(Protocol):
    def tolist(self) -> object:
        """Return plain numbers."""
        ...


def rich_console(*, stderr: bool = False) -> Console:
    """Return a rich console; it honors NO_COLOR, and a pipe gets plain text of a fixed width."""
    from rich.console import Console

    stream = sys.stderr if stderr else sys.stdout
    wide = None if stream.isatty() or "COLUMNS" in os.environ else WIDTH_OF_FILE
    console = Console(stderr=stderr, width=wide, highlight=False, soft_wrap=False)
    return console if console.width >= NARROWEST else Console(stderr=stderr, width=WIDTH_OF_FILE, highlight=False)


def table(
    headers: Sequence[str],
    rows: Iterable[Sequence[object]],
    *,
    title: str | None = None,
    right: Iterable[int] = (),
    widths: Sequence[int] = (),
    whole: Iterable[int] = (),
    words: Iterable[int] = (),
) -> None:
    """Print a table on stdout.

    Parameters
    ----------
    headers : sequence of str
    rows : iterable of sequences
        Cells are shown as text, without markup.
    title : str, optional
    right : iterable of int
        Columns that are set flush right.
    widths : sequence of int, optional
        Characters of each column, so that tables stand in line; 0 takes what is left. By default as the cells need.
    whole : iterable of int, optional
        Columns whose cells are never folded, such as an id, a date or a grade.
    words : iterable of int, optional
        Columns whose cells are folded between words only.
    """
    from rich import box
    from rich.cells import cell_len
    from rich.table import Table
    from rich.text import Text

    unfolded, unbroken = set(whole), set(words)
    flush, rows, console = set(right), [[str(cell) for cell in row] for row in rows], rich_console()
    tight = console.width < NARROW
    shown = Table(title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, pad_edge=False)
    shown.collapse_padding = tight
    shown.expand = bool(widths)
    for index, header in enumerate(headers):
        wide = widths[index] if widths else None
        cells = [row[index] for row in rows]
        if index in unbroken:
            cells = [word for cell in (header, *cells) for word in cell.split()]
        kept = not wide and (index in unfolded or index in unbroken or (tight and index in flush))  # nor are numbers
        shown.add_column(
            header,
            justify="right" if index in flush else "left",
            overflow="fold",
            width=wide or None,
            ratio=1 if wide == 0 else None,
            min_width=max(map(cell_len, cells), default=0) if kept else None,
        )
    for row in rows:
        shown.add_row(*map(Text, row))
    console.print(shown)


def width() -> int:
    """Columns of the terminal, or of what is written into a file."""
    return rich_console().width


def folded(text: str, columns: int) -> list[str]:
    """Fold a text between words into lines of so many columns."""
    import textwrap

    return textwrap.wrap(text, columns, break_long_words=False, break_on_hyphens=False) or [""]


def is_narrow() -> bool:
    """Whether the terminal has no room for wide tables."""
    return rich_console().width < NARROW


def say(text: str, *, style: str | None = None, stderr: bool = False) -> None:
    """Print one line of text, without markup."""
    from rich.text import Text

    rich_console(stderr=stderr).print(Text(text), style=style)


def tell_notes(notes: Iterable[str], *, for_machines: bool, quiet: bool) -> None:
    """Tell each note once, on stderr or as an event; one about an unusual value is a warning, always on stderr."""
    for note in dict.fromkeys(notes):
        warns = note.startswith(UNUSUAL)
        if for_machines:
            emit("note", text=note)
        if warns or not (for_machines or quiet):
            say(f"{'warning' if warns else 'note'}: {note}", stderr=True)


def tell(sentence: str, event: str, for_machines: bool, **fields: object) -> None:
    """Say a sentence, such as where a file is, or write it as an event."""
    if for_machines:
        emit(event, **fields)
    else:
        click.echo(sentence)


def emit(event: str, **fields: object) -> None:
    """Write one JSON line on stdout for machines."""
    sys.stdout.write(
        json.dumps({"event": event, **{k: as_json(v) for k, v in fields.items()}}, ensure_ascii=False) + "\n"
    )
    sys.stdout.flush()


def as_json(value: object) -> Json:
    """Return a value as JSON can hold it: arrays as lists, numbers that are not finite as null, paths as text."""
    if isinstance(value, _Array):
        value = value.tolist()
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(k): as_json(v) for k, v in cast("Mapping[object, object]", value).items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [as_json(v) for v in cast("Iterable[object]", value)]
    if value is None or isinstance(value, str | int | bool):
        return value
    return str(value)


def number(value: float | str | None, digits: int = 3) -> str:
    """Return a number with so many significant digits, a dash where there is none."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return "–"
    if isinstance(value, str):
        return value
    value = float(value)
    if math.isinf(value):
        return "∞" if value > 0 else "-∞"
    if value != 0 and not 10.0 ** (-digits) <= abs(value) < 10.0 ** (digits + 2):
        mantissa, exponent = f"{value:.{digits - 1}e}".split("e")
        return f"{mantissa.rstrip('0').rstrip('.')}e{int(exponent)}"
    places = max(0, digits - 1 - math.floor(math.log10(abs(value)))) if value != 0 else 0
    text = f"{value:.{places}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def grade(value: int) -> str:
    """Return a grade as text; a dash where nothing could be graded or observed."""
    return "–" if value < 0 else str(value)


def interval(low: float | None, high: float | None) -> str:
    """Return an interval as text, empty where there is none."""
    shown = number(low), number(high)
    return "" if shown == ("–", "–") else f"{shown[0]} to {shown[1]}"


def with_interval(value: float | None, low: float | None, high: float | None) -> str:
    """Return a number with its interval in brackets, where there is one."""
    around = interval(low, high)
    return f"{number(value)} ({around})" if around else number(value)


def results_folder(name: str) -> Path:
    """Where results go by default: below the present folder, whatever the name holds."""
    plain = "".join(c if c.isprintable() and c not in '/\\:*?"<>|' else "-" for c in name)
    return Path("vein2vein-results") / (plain.strip(". ")[:LONGEST_NAME] or "unnamed")


def new_folder(folder: Path, results: Iterable[str], *, force: bool) -> Path:
    """Make the output folder before a long run starts, and refuse to overwrite one of its results without ``force``.

    Raises
    ------
    InputError
        A result exists or is no regular file, or the folder cannot be made or written.
    """
    make_folder(folder)
    for result in results:
        check_target(folder / result, force=force)
    return folder


@contextmanager
def progress(title: str, *, for_machines: bool = False, quiet: bool = False) -> Generator[Report]:
    """Give a function ``report(fraction, stage)`` that shows how far a run is.

    People see a bar on stderr once a run has lasted two seconds (lines where stderr is not a terminal), machines get
    events ``progress`` on stdout.
    """
    if for_machines and not quiet:
        yield _event
    elif quiet:
        yield _nothing
    elif sys.stderr.isatty():
        with _bar(title) as report:
            yield report
    else:
        yield _lines(title)


@contextmanager
def no_garbage() -> Generator[None]:
    """No search for cyclic garbage in a run that soon ends: it finds little, in what takes long to look through."""
    import gc

    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _event(fraction: float, stage: str = "") -> None:
    emit("progress", fraction=fraction, stage=stage)


def _nothing(fraction: float, stage: str = "") -> None:
    pass


def _lines(title: str) -> Report:
    last = time.monotonic()

    def report(fraction: float, stage: str = "") -> None:
        nonlocal last
        if time.monotonic() - last >= SECONDS_BETWEEN_LINES:
            last = time.monotonic()
            print(f"{title}: {fraction:.0%} {stage}".rstrip(), file=sys.stderr, flush=True)

    return report


@contextmanager
def _bar(title: str) -> Generator[Report]:
    from rich.progress import BarColumn, Progress, SpinnerColumn, TaskProgressColumn, TextColumn, TimeElapsedColumn

    bar = Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeElapsedColumn(),
        console=rich_console(stderr=True),
        transient=True,
    )
    task = bar.add_task(title, total=None)
    patience = threading.Timer(SECONDS_BEFORE_BAR, bar.start)
    patience.daemon = True
    patience.start()

    def report(fraction: float, stage: str = "") -> None:
        bar.update(task, completed=fraction, total=1.0, description=f"{title}: {stage}" if stage else title)

    try:
        yield report
    finally:
        patience.cancel()
        patience.join()
        bar.stop()
