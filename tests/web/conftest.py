"""What the tests of the web share: an app in a fresh workspace, asked in process or served to a browser."""

import os
import shutil
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import trying_door
import uvicorn
from asked_app import Asked, opened
from jinja2 import ChoiceLoader, FileSystemLoader

from vein2vein.web import render
from vein2vein.web.access import Keys
from vein2vein.web.app import make_app
from vein2vein.web.doors.declared import all_doors
from vein2vein.web.settings import Settings

HERE = Path(__file__).parent
REQUIRED = "VEIN2VEIN_BROWSER_REQUIRED"


@pytest.fixture(scope="session", autouse=True)
def templates() -> None:
    """The templates of the door of the tests stand beside its module."""
    render.environment().loader = ChoiceLoader(
        [FileSystemLoader(render.TEMPLATES), FileSystemLoader(HERE / "templates")]
    )


@pytest.fixture(scope="module")
def asked(tmp_path_factory) -> Iterator[Asked]:
    """An app for tests that leave nothing behind."""
    with opened(tmp_path_factory.mktemp("workspace")) as found:
        yield found


@pytest.fixture
def fresh(tmp_path) -> Iterator[Asked]:
    """An app of its own."""
    with opened(tmp_path / "workspace") as found:
        yield found


@pytest.fixture(scope="session")
def open_app() -> Any:
    """What opens an app in a folder, for tests that open one twice."""
    return opened


@dataclass
class Live:
    """An app that is served."""

    origin: str
    token: str
    parts: Any

    @property
    def address(self) -> str:
        return f"{self.origin}/?token={self.token}"


@pytest.fixture(scope="session")
def live(tmp_path_factory) -> Iterator[Live]:
    """An app that a browser can reach."""
    taken = socket.socket()
    taken.bind(("127.0.0.1", 0))
    taken.listen(64)
    port = taken.getsockname()[1]
    keys = Keys()
    app = make_app(
        Settings(tmp_path_factory.mktemp("served")), port=port, keys=keys, doors=[*all_doors(), trying_door.DOOR]
    )
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, ws="none", timeout_graceful_shutdown=1))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [taken]}, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.02)
    yield Live(f"http://127.0.0.1:{port}", keys.token, app.app.state.parts)
    server.should_exit = True
    thread.join(10)


def no_browser(reason: str) -> None:
    """Skip, or fail where a browser is required (as in .ci/run)."""
    if os.environ.get(REQUIRED):
        pytest.fail(f"{reason}, and {REQUIRED} is set")
    pytest.skip(reason)


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """Debian's chromium, through playwright."""
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        no_browser("playwright is not installed")
    found = os.environ.get("VEIN2VEIN_CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    if found is None:
        no_browser("no chromium was found")
    root = ["--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
    with sync_playwright() as play:
        started = play.chromium.launch(executable_path=found, args=root)
        yield started
        started.close()
