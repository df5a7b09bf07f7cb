"""What the app is started with, checked: where it listens, who may ask, how much it takes."""

from __future__ import annotations

import ipaddress
import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from vein2vein.errors import InputError
from vein2vein.files import make_folder

LOOPBACK = "127.0.0.1"
LARGEST_PORT = 65_535
MEGABYTE = 1_000_000
SHORTEST_PASSWORD = 12  # characters


@dataclass(frozen=True)
class Settings:
    """How the app is started.

    Attributes
    ----------
    workspace : Path
        Folder of everything that the app keeps.
    host : str
        Address that is listened on.
    port : int
        0: a free one.
    browser : bool
        Whether the page is opened.
    proxies : tuple of str
        Addresses of the proxies that alone may ask; empty: this machine alone.
    public : str
        Address by which users reach the proxy, such as https://cart.example.org; "" without one.
    password : str
        Asked for behind a proxy.
    largest_upload : int
        Bytes of a file that is taken.
    largest_form : int
        Bytes of any other request.
    jobs_at_once : int
        Long computations side by side.
    """

    workspace: Path
    host: str = LOOPBACK
    port: int = 0
    browser: bool = True
    proxies: tuple[str, ...] = ()
    public: str = ""
    password: str = field(default="", repr=False)
    largest_upload: int = 50 * MEGABYTE
    largest_form: int = 2 * MEGABYTE
    jobs_at_once: int = 1

    @property
    def behind_proxy(self) -> bool:
        """Whether users come through a proxy."""
        return bool(self.proxies)

    def origins(self, port: int) -> tuple[str, ...]:
        """Where pages of this app come from, as a browser says it in ``Origin``."""
        if self.public:
            return (self.public,)
        hosts = dict.fromkeys((_bracketed(self.host), LOOPBACK, "localhost", "[::1]"))
        return tuple(f"http://{host}:{port}" for host in hosts)


def default_workspace() -> Path:
    """The folder that is used where none is named: that of the user's data on this platform."""
    from platformdirs import user_data_path

    return user_data_path("vein2vein", appauthor=False) / "workspace"


def settings_of(
    *,
    workspace: Path | None = None,
    host: str = LOOPBACK,
    port: int = 0,
    browser: bool = True,
    proxies: tuple[str, ...] = (),
    public: str = "",
    password_file: Path | None = None,
    jobs_at_once: int | None = None,
) -> Settings:
    """Check what the app is started with, and make the folder of the workspace.

    Raises
    ------
    InputError
        An address that others reach without a proxy, a proxy without its public address or a password, a folder that
        cannot be written: one sentence with the option and how to mend it.
    """
    if not 0 <= port <= LARGEST_PORT:
        raise InputError(f"found port {port}, expected 0 (a free one) to {LARGEST_PORT}.", field="--port")
    for one in proxies:
        if _address(one) is None:
            raise InputError(
                f"found '{one}', expected the address of a proxy such as 10.0.0.5.", field="--behind-proxy"
            )
    if proxies:
        origin = _public(public)
        password = _password(password_file)
    else:
        origin, password = "", ""
        if public or password_file is not None:
            option = "--public-address" if public else "--password-file"
            raise InputError("does nothing without --behind-proxy; add that, or leave it out.", field=option)
        if not is_loopback(host):
            raise InputError(
                f"'{host}' can be reached from other machines, and pages here show data of patients; leave --host out, "
                "or put a proxy with https in front: --behind-proxy, --public-address and --password-file.",
                field="--host",
            )
    if host != "localhost" and _address(host) is None:
        raise InputError(f"found '{host}', expected an address of this machine such as {LOOPBACK}.", field="--host")
    folder = make_folder(default_workspace() if workspace is None else workspace)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return Settings(
        folder.resolve(), host, port, browser, proxies, origin, password,
        jobs_at_once=max(1, cores - 1) if jobs_at_once is None else jobs_at_once,
    )  # fmt: skip


def is_loopback(host: str) -> bool:
    """Whether an address is one that only this machine reaches."""
    found = _address(host)
    return host == "localhost" or (found is not None and found.is_loopback)


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _public(text: str) -> str:
    """The address of the proxy, as a browser names an origin."""
    parts = urlsplit(text)
    plain = parts.path in ("", "/") and not parts.query and not parts.fragment and not parts.username
    if parts.scheme != "https" or not re.fullmatch(r"[\w.-]+(:\d+)?", parts.netloc) or not plain:
        said = f"found '{text}', expected" if text else "missing; behind a proxy it is"
        raise InputError(
            f"{said} the address by which users reach it, such as https://cart.example.org.", field="--public-address"
        )
    return f"https://{parts.netloc.lower()}"


def _password(file: Path | None) -> str:
    if file is None:
        raise InputError(
            "missing; behind a proxy a password is needed: put it on the first line of a file that only you can read.",
            field="--password-file",
        )
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
        mode = file.stat().st_mode
    except (OSError, UnicodeDecodeError) as problem:
        reason = getattr(problem, "strerror", None) or "it is not UTF-8 text"
        raise InputError(
            f"cannot be read ({reason}); expected a text file.", file=file, field="--password-file"
        ) from None
    if os.name == "posix" and mode & 0o077:
        raise InputError("others may read it; take that away (chmod 600).", file=file, field="--password-file")
    password = lines[0].strip() if lines else ""
    if len(password) < SHORTEST_PASSWORD:
        raise InputError(
            f"its first line has {len(password)} characters, expected a password of {SHORTEST_PASSWORD} or more.",
            file=file, field="--password-file",
        )  # fmt: skip
    return password
