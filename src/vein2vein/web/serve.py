"""The server: it takes a port, says where the app is, opens the page, and ends in order."""

from __future__ import annotations

import os
import socket
import threading
import webbrowser
from collections.abc import Callable

import uvicorn

from vein2vein.errors import InputError
from vein2vein.web import log
from vein2vein.web.access import Keys
from vein2vein.web.app import make_app
from vein2vein.web.settings import Settings

GRACE = 2  # seconds that open answers (streams of progress) get at the end
WAITING = 128  # connections that may wait


def serve(settings: Settings, say: Callable[[str], None]) -> None:
    """Serve the app until it is interrupted.

    Parameters
    ----------
    settings : Settings
    say : callable
        Is given the address, with its token, once the app answers there.

    Raises
    ------
    InputError
        The port is taken, or the workspace cannot be used.
    """
    log.settle()
    taken = _listen(settings)
    with taken:
        port = int(taken.getsockname()[1])
        keys = Keys(password=settings.password)
        app = make_app(settings, port=port, keys=keys)
        here = settings.origins(port)[0]
        address = settings.public or f"{here}/?token={keys.token}"
        opened = settings.public or f"{here}/?token={keys.once()}"
        server = _Server(
            uvicorn.Config(
                app, log_config=None, access_log=False, proxy_headers=False, server_header=False, date_header=False,
                timeout_graceful_shutdown=GRACE, ws="none", lifespan="on",
            ),
            lambda: _tell(address, opened if settings.browser else None, say),
        )  # fmt: skip
        server.run(sockets=[taken])


class _Server(uvicorn.Server):
    """A server that says when it is ready."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self.ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, then tell."""
        await super().startup(sockets)
        if self.started:
            self.ready()


def _listen(settings: Settings) -> socket.socket:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    taken = socket.socket(family, socket.SOCK_STREAM)
    if os.name == "posix":
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        taken.bind((settings.host, settings.port))
    except OSError as problem:
        taken.close()
        raise InputError(
            f"port {settings.port} of {settings.host} cannot be used ({problem.strerror}); leave --port out to get a "
            "free one, or give another.",
            field="--port",
        ) from None
    taken.listen(WAITING)
    taken.set_inheritable(False)
    return taken


def _tell(address: str, opened: str | None, say: Callable[[str], None]) -> None:
    say(address)
    if opened is not None:
        threading.Thread(target=webbrowser.open, args=(opened,), daemon=True).start()
