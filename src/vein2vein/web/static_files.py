"""Style, scripts and marks that pages ask for: read once, packed once, under an address that follows the content."""

from __future__ import annotations

import gzip
import hashlib
import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

FOLDER = Path(__file__).with_name("static")
VENDORED = FOLDER / "vendor" / "vendored.toml"
KINDS = {".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}
"""What is served, by its ending; that of the system is not asked, which calls scripts plain text on some (Windows)."""
KEPT = "private, max-age=31536000, immutable"  # the address has the checksum of the content


@dataclass(frozen=True)
class Asset:
    """A file that pages ask for."""

    content: bytes
    packed: bytes
    kind: str
    mark: str


@cache
def assets() -> dict[str, Asset]:
    """Every file that is served, by its place below the folder."""
    found: dict[str, Asset] = {}
    for path in sorted(FOLDER.rglob("*")):
        if path.is_file() and path.suffix in KINDS:
            content = path.read_bytes()
            mark = hashlib.sha256(content).hexdigest()[:16]
            found[path.relative_to(FOLDER).as_posix()] = Asset(
                content, gzip.compress(content, mtime=0), KINDS[path.suffix], mark
            )
    return found


def address_of(name: str) -> str:
    """The address of a file, as pages name it."""
    return f"/static/{name}?v={assets()[name].mark}"


def has(name: str) -> bool:
    """Whether there is such a file."""
    return name in assets()


async def serve(request: Request) -> Response:
    """Answer with a file; names are looked up among those that are there and nowhere else."""
    asset = assets().get(request.path_params["name"])
    if asset is None:
        return PlainTextResponse("There is no such file.", 404)
    headers = {"content-type": asset.kind, "cache-control": KEPT, "etag": f'"{asset.mark}"', "vary": "accept-encoding"}
    if request.headers.get("if-none-match") == headers["etag"]:
        return Response(status_code=304, headers=headers)
    if "gzip" in request.headers.get("accept-encoding", ""):
        return Response(asset.packed, headers={**headers, "content-encoding": "gzip"})
    return Response(asset.content, headers=headers)


def vendored() -> list[dict[str, str]]:
    """What others wrote and is served here: name, version, license, file, sha256, home."""
    return list(tomllib.loads(VENDORED.read_text(encoding="utf-8"))["file"])
