"""An app in a workspace, asked in process by a client that came in with its token."""

import contextlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import trying_door
from starlette.testclient import TestClient

from vein2vein.web.access import Keys
from vein2vein.web.app import make_app
from vein2vein.web.doors.declared import all_doors
from vein2vein.web.settings import Settings

PORT = 8000
ORIGIN = f"http://127.0.0.1:{PORT}"


@dataclass
class Asked:
    """An app and a client that came in with its token."""

    client: TestClient
    keys: Keys
    settings: Settings

    @property
    def parts(self) -> Any:
        return self.client.app.app.state.parts

    def change(self, address: str, data: Any = None, **more: Any) -> Any:
        """Send a form of a page of the app."""
        return self.client.post(
            address, data={**(data or {}), "change_mark": self.keys.change}, follow_redirects=False, **more
        )


def save_input(asked: Asked, address: str, folder: Path) -> None:
    """Save the file of a page in a folder, under the name that a browser gives it."""
    answer = asked.client.get(f"/inputs/{address.rpartition('/')[2]}")
    name = re.search(r"filename\*?=(?:utf-8'')?\"?([^\"]+)", answer.headers["content-disposition"])
    assert name is not None
    (folder / unquote(name[1])).write_bytes(answer.content)


def client_of(app: Any, keys: Keys, port: int = PORT, **headers: str) -> TestClient:
    cookie = {"cookie": f"vein2vein-{port}={keys.cookie}"}
    base = f"http://127.0.0.1:{port}"
    return TestClient(
        app,
        base_url=base,
        headers={"origin": base, "accept": "text/html", **cookie, **headers},
        raise_server_exceptions=False,
    )


@contextlib.contextmanager
def opened(folder: Path, **settings: Any) -> Iterator[Asked]:
    keys = Keys(password=settings.get("password", ""))
    made = Settings(folder, **settings)
    app = make_app(made, port=PORT, keys=keys, doors=[*all_doors(), trying_door.DOOR])
    with client_of(app, keys) as client:
        yield Asked(client, keys, made)
