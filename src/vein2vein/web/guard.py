"""The gate before every page: which host was asked for, from where, by whom, and how much was sent.

What is refused here never reaches a page. Every answer, also a refusal, carries headers by which a browser keeps other
sites out: no frame, no script but ours, no referrer, nothing read by another origin.
"""

from __future__ import annotations

import html
from collections.abc import MutableMapping
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import parse_qs, urlsplit

import anyio
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from vein2vein.web.access import Keys
from vein2vein.web.settings import Settings

SAFE_METHODS = ("GET", "HEAD")
MULTIPART = "multipart/form-data"
LOGIN, STATIC = "/login", "/static/"
LONGEST_DRAIN, MOST_DRAINED = 30.0, 1_000_000_000  # seconds and bytes of a body that is too large and thrown away
CONTENT_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; manifest-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
DOCUMENT_POLICY = (
    "sandbox allow-modals; default-src 'none'; style-src 'unsafe-inline'; img-src data:; font-src data:; "
    "frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)
"""Of a report that is shown as it was written: it may look, and do nothing."""
HEADERS = {
    "content-security-policy": CONTENT_POLICY,
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "cache-control": "no-store",
}
STRICT_TRANSPORT = ("strict-transport-security", "max-age=31536000")
ENTERED = (
    '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><meta http-equiv="refresh" content="0;url=/">'
    '<link rel="icon" href="data:,"><title>vein2vein</title></head><body><p><a href="/">Go on</a></p></body></html>'
)
"""Answer to the printed address. It is no redirect: a cookie that is strictly of this site goes along only with what a
page of this site asks for, and the token leaves the address bar either way."""


Refusal = tuple[int, str, dict[str, str]]


class TooLarge(Exception):
    """More was sent than is taken."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        super().__init__(f"more than {limit} bytes")


def too_large(limit: int) -> str:
    """The sentence for what is larger than is taken."""
    return (
        f"What was sent is larger than {limit / 1_000_000:g} MB, which is the most that is taken; send a smaller file."
    )


class Guard:
    """Lets through what a page of this app, opened with its token, asks for; answers everything else itself."""

    def __init__(self, app: ASGIApp, settings: Settings, keys: Keys, port: int) -> None:
        self.app, self.settings, self.keys, self.port = app, settings, keys, port
        self.origins = settings.origins(port)
        self.hosts = {urlsplit(origin).netloc for origin in self.origins}
        self.cookie = "__Host-vein2vein" if settings.public else f"vein2vein-{port}"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
            return
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        guarded = self._guarded(send)
        answer: Refusal | None = self._refusal(scope, headers)
        limit = self._limit(headers)
        if answer is None and (length := headers.get("content-length", "")).isdigit() and int(length) > limit:
            await _drain(receive)
            answer = 413, too_large(limit), {}
        if answer is not None:
            await _answer(guarded, *answer, part=headers.get("hx-request") == "true")
            return
        try:
            await self.app(scope, _limited(receive, limit), guarded)
        except Exception:  # it was answered and written down (problems.py); a server would log it with its values
            return

    def _refusal(self, scope: Scope, headers: dict[str, str]) -> Refusal | None:
        """Status, text or page, and headers of an answer that no page gives; None where the request goes on."""
        path, method = str(scope["path"]), str(scope["method"])
        if self.settings.proxies and (scope.get("client") or ("",))[0] not in self.settings.proxies:
            return 403, "Only the proxy that was named at the start may ask here.", {}
        if headers.get("host", "").lower() not in self.hosts:
            return 403, "This address is not the one that vein2vein was started with; use the one that was printed.", {}
        if said := self._from_elsewhere(method, headers):
            return 403, said, {}
        if path == "/" and method == "GET" and "token=" in (query := scope["query_string"].decode("latin-1")):
            if self.keys.is_token(parse_qs(query).get("token", [""])[0]):
                return 200, ENTERED, {"content-type": "text/html; charset=utf-8", "set-cookie": self.baked()}
            return (
                403,
                "The token in this address is not that of this start; use the address that was printed last.",
                {},
            )
        if self.keys.is_cookie(_cookie(headers.get("cookie", ""), self.cookie)):
            return None
        if self.settings.behind_proxy:
            if path == LOGIN or path.startswith(STATIC):
                return None
            if method in SAFE_METHODS and headers.get("sec-fetch-mode", "navigate") == "navigate":
                return 303, "Sign in first.", {"location": LOGIN}
            return 403, "Sign in first.", {}
        return 403, "This page opens with the address that vein2vein printed when it was started, token and all.", {}

    def _from_elsewhere(self, method: str, headers: dict[str, str]) -> str:
        """Why a request is not one of a page of ours; "" where nothing speaks against it."""
        site, mode = headers.get("sec-fetch-site", ""), headers.get("sec-fetch-mode", "")
        origin = headers.get("origin")
        changes = method not in SAFE_METHODS
        if origin not in (None, "null", *self.origins):
            return "Another site asked for this; only pages of vein2vein itself may."
        # Without a referrer a browser hides the origin of a form; what site it is on, it says all the same.
        if changes and origin in (None, "null") and site != "same-origin":
            return "It is not said from where this was sent; only pages of vein2vein itself may change anything."
        if site in ("cross-site", "same-site") and (mode != "navigate" or changes):
            return "Another site asked for this; only pages of vein2vein itself may."
        if headers.get("sec-fetch-dest", "") in ("iframe", "frame", "embed", "object"):
            return "Pages of vein2vein are not shown inside other pages."
        return ""

    def _limit(self, headers: dict[str, str]) -> int:
        files = headers.get("content-type", "").lower().startswith(MULTIPART)
        return self.settings.largest_upload if files else self.settings.largest_form

    def baked(self) -> str:
        """The cookie of whoever came in."""
        secure = "; Secure" if self.settings.public else ""
        return f"{self.cookie}={self.keys.cookie}; Path=/; HttpOnly; SameSite=Strict{secure}"

    def _guarded(self, send: Send) -> Send:
        extra = {**HEADERS, **dict([STRICT_TRANSPORT] if self.settings.public else [])}

        async def guarded(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                there = {name.lower() for name, _ in message.get("headers", ())}
                added = [(k.encode(), v.encode()) for k, v in extra.items() if k.encode() not in there]
                message = {**message, "headers": [*message.get("headers", ()), *added]}
            await send(message)

        return guarded


def _cookie(header: str, name: str) -> str:
    try:
        found = SimpleCookie(header).get(name)
    except CookieError:
        return ""
    return found.value if found else ""


def _limited(receive: Receive, limit: int) -> Receive:
    """A body that is cut off where it grows beyond the limit, whatever its length was said to be."""
    seen = 0

    async def limited() -> Message:
        nonlocal seen
        message = await receive()
        seen += len(message.get("body", b""))
        if seen > limit:
            if message.get("more_body"):
                await _drain(receive)
            raise TooLarge(limit)
        return message

    return limited


async def _drain(receive: Receive) -> None:
    """Throw away what is still being sent: a browser shows an answer only once it has sent everything."""
    dropped = 0
    with anyio.move_on_after(LONGEST_DRAIN):
        while dropped < MOST_DRAINED:
            message = await receive()
            dropped += len(message.get("body", b""))
            if message["type"] != "http.request" or not message.get("more_body"):
                return


async def _answer(send: Send, status: int, text: str, headers: dict[str, str], *, part: bool) -> None:
    if part:  # what is on the page stays there
        text = f'<div class="problem"><p>{html.escape(text)}</p></div>'
        shown = {"content-type": "text/html; charset=utf-8", "hx-retarget": "#problem", "hx-reswap": "innerHTML"}
        headers = {**headers, **shown}
    elif "content-type" not in headers:
        text = (
            '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" '
            'content="width=device-width, initial-scale=1"><link rel="icon" href="data:,">'
            "<title>vein2vein</title></head>"
            f"<body><main><h1>vein2vein</h1><p>{html.escape(text)}</p></main></body></html>"
        )
        headers = {**headers, "content-type": "text/html; charset=utf-8"}
    body = text.encode()
    sent = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
    sent.append((b"content-length", str(len(body)).encode()))
    await send({"type": "http.response.start", "status": status, "headers": sent})
    await send({"type": "http.response.body", "body": body})
