"""What is uploaded: looked at by content and not by name, read by the same readers as a file, never run.

The file stands for a moment in a folder of its own, under a name of ours, so that a reader can open it; then it is
gone. A door that keeps it puts its content into the workspace.
"""

from __future__ import annotations

import codecs
import tempfile
import unicodedata
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TypeVar

from starlette.datastructures import UploadFile

from vein2vein.cards import Card, bundled_card
from vein2vein.errors import InputError
from vein2vein.files import write_bytes
from vein2vein.io.record.kinds import kind_of_text
from vein2vein.io.record.text import DELIMITERS
from vein2vein.web.workspace import short_name

TOML, TABLE, JSON, XML = ".toml", ".csv", ".json", ".xml"
"""What a file may be, by its content; also the ending of the name that it gets."""
NEVER = (
    ".py",
    ".pyw",
    ".pyc",
    ".ipynb",
    ".sh",
    ".bat",
    ".exe",
    ".js",
    ".html",
    ".htm",
    ".svg",
    ".pkl",
    ".pickle",
    ".so",
)
"""Programs, and what a browser or Python would run; refused by their name, besides what their content shows."""
MAGIC: tuple[tuple[bytes, str], ...] = (
    (b"PK\x03\x04", "a packed file or a spreadsheet; save it as CSV"),
    (b"\xd0\xcf\x11\xe0", "an old spreadsheet or document; save it as CSV"),
    (b"\x1f\x8b", "packed (gzip); unpack it first"),
    (b"%PDF", "a PDF; give the table or the record that it was made from"),
    (b"\x89PNG", "a picture"),
    (b"\xff\xd8\xff", "a picture"),
    (b"GIF8", "a picture"),
    (b"\x7fELF", "a program; programs are never taken"),
    (b"MZ", "a program; programs are never taken"),
    (b"PAR1", "Parquet; give the table as CSV"),
    (b"#!", "a program; programs are never taken"),
)
Found = TypeVar("Found")
LOOKED_AT = 4096  # bytes by which a file is recognized
FEW = 5  # lines by which a table is told from plain text
WORDS = {TOML: "a TOML file", TABLE: "a table (CSV)", JSON: "a JSON file", XML: "XML"}


@dataclass(frozen=True)
class Upload:
    """A file that was taken.

    Attributes
    ----------
    name : str
        What the sender calls it, for people; it opens nothing.
    kind : str
        ``.toml``, ``.csv``, ``.json`` or ``.xml``, by its content.
    content : bytes
    """

    name: str
    kind: str
    content: bytes


def take(file: UploadFile, *accepted: str) -> Upload:
    """Take a file that was uploaded.

    Parameters
    ----------
    file : UploadFile
        Its size is limited before (guard.py).
    accepted : str
        Kinds that are taken, such as ``TOML``.

    Raises
    ------
    InputError
        It is empty, a program, a picture, packed, no text, or of another kind: what it is, and what to give.
    """
    plain = PurePosixPath((file.filename or "").replace("\\", "/")).name
    name = short_name(plain, "the file")
    content = file.file.read()
    expected = " or ".join(WORDS[one] for one in accepted)
    if PurePosixPath(plain).suffix.lower() in NEVER:
        raise InputError(
            f"is a program or a page by its name, and neither is taken here; expected {expected}.", file=name
        )
    if not content.strip():
        raise InputError(f"is empty; expected {expected}.", file=name)
    for start, what in MAGIC:
        if content.startswith(start):
            raise InputError(f"is {what}; expected {expected}.", file=name)
    kind = kind_of(content)
    if not kind:
        raise InputError(f"is no text that can be read; expected {expected}.", file=name)
    if kind not in accepted:
        raise InputError(f"is {_called(content, kind)}; expected {expected}.", file=name)
    return Upload(name, kind, content)


def kind_of(content: bytes) -> str:
    """What a file is by its content; "" where it is no text."""
    text = _start(content)
    if text is None:
        return ""
    stripped = text.lstrip("\ufeff \t\r\n")
    if stripped.startswith("<"):
        return XML
    if stripped.startswith("{") or (stripped.startswith("[") and not _is_toml(text)):
        return JSON
    return TOML if _is_toml(text) else TABLE


def _called(content: bytes, kind: str) -> str:
    """What a file of another kind is, in words; as the readers of records tell kinds apart."""
    text = _start(content) or ""
    known = kind_of_text(text, table=False) if kind in (XML, TABLE) else None
    if known is not None:
        return known.what
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")][:FEW]
    table = any(all(one in line for line in lines) for one in DELIMITERS)
    return WORDS[kind] if kind != TABLE or table else "plain text"


def _start(content: bytes) -> str | None:
    """The first characters of a text; None where it holds what no text does."""
    head = content[:LOOKED_AT]
    encoding = "utf-16" if head[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        text = codecs.getincrementaldecoder(encoding)().decode(head)  # the last character may be cut
    except UnicodeDecodeError:
        text = head.decode("latin-1")
    return None if any(unicodedata.category(c) == "Cc" and c not in "\t\r\n\f\x85" for c in text) else text


def _is_toml(text: str) -> bool:
    """Whether a file is meant as TOML: its first line that says something is a table or a field."""
    for line in text.splitlines():
        bare = line.strip().lstrip("\ufeff")
        if bare and not bare.startswith("#"):
            return (bare.startswith("[") and bare.rstrip("]").strip("[ ").replace(".", "").isidentifier()) or (
                "=" in bare and bare.split("=")[0].strip().strip('"').replace(".", "").replace("-", "_").isidentifier()
            )
    return False


def check_rows(name: str, contents: Iterable[bytes], use: str) -> None:
    """Refuse what nobody should wait for, before anything of it is read.

    Parameters
    ----------
    name : str
        What the sender calls it.
    contents : iterable of bytes
        Tables, or JSON; rows are counted by their line ends, in JSON by the resources.
    use : str
        What it is read for: a table of ``uploads.toml``, which says how many rows are taken.

    Raises
    ------
    InputError
        It holds more rows: how many, how many are taken, and the command for more.
    """
    found = rows_over(contents, use)
    if found:
        command, most = _limits().string("rows", use, "command"), _most(use)
        raise InputError(
            f"holds {found:,} rows, and at most {most:,} are read while you wait; send fewer, such as those of today "
            f"or of one patient, or give the file to the command '{command}', which takes more.", file=name,
        )  # fmt: skip


def rows_over(contents: Iterable[bytes], use: str) -> int:
    """How many rows there are, where it is more than are read for a use while somebody waits; else 0."""
    found = sum(map(_rows_of, contents))
    return found if found > _most(use) else 0


def _limits() -> Card:
    return bundled_card("web/uploads.toml")


def _most(use: str) -> int:
    return int(_limits().number("rows", use, "most"))


def _rows_of(content: bytes) -> int:
    plain = content.replace(b"\0", b"")  # UTF-16 holds one beside each letter
    return max(plain.count(b"\n"), plain.count(b"\r"), plain.count(b'"resourceType"'))


@contextmanager
def as_file(upload: Upload) -> Generator[Path]:
    """Give the path of the upload while a reader reads it; sentences name it as its sender does.

    Raises
    ------
    InputError
        As the reader raised it, with the sender's name in place of the path.
    """
    with tempfile.TemporaryDirectory(prefix="vein2vein-") as place:
        path = Path(place) / f"upload{upload.kind}"
        write_bytes(path, upload.content)
        try:
            yield path
        except InputError as problem:
            text = problem.text.replace(str(path), upload.name).replace(path.name, upload.name)
            file = upload.name if problem.file else None
            raise InputError(text, file=file, line=problem.line, field=problem.field) from None


def read_with(upload: Upload, reader: Callable[[Path], Found]) -> Found:
    """Read an upload with one of the readers of files."""
    with as_file(upload) as path:
        return reader(path)
