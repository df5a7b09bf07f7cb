"""Who may ask: the token of the printed address, the cookie that it becomes, the mark of every change, the password."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import threading
import time
from dataclasses import dataclass, field

TOKEN_BYTES = 32
ONCE_SECONDS = 60.0
PAUSE = 1.0  # seconds after a wrong password, one after the other


@dataclass(frozen=True)
class Keys:
    """The secrets of one start of the app; nothing of them is kept on disk.

    Attributes
    ----------
    token : str
        Stands in the printed address.
    password : str
        Asked for behind a proxy; the token then opens nothing.
    """

    token: str = field(default_factory=lambda: secrets.token_urlsafe(TOKEN_BYTES), repr=False)
    password: str = field(default="", repr=False)
    _turn: threading.Lock = field(default_factory=threading.Lock, repr=False, compare=False)
    _once: dict[str, float] = field(default_factory=dict[str, float], repr=False, compare=False)

    @property
    def cookie(self) -> str:
        """What the browser keeps until it is closed."""
        return self._derived("cookie")

    @property
    def change(self) -> str:
        """What a page of this app carries and another site cannot know: asked for with every change."""
        return self._derived("change")

    def _derived(self, purpose: str) -> str:
        return hmac.new(self.token.encode(), purpose.encode(), hashlib.sha256).hexdigest()

    def is_token(self, given: str) -> bool:
        """Whether this is the token of the printed address, or one that opens once and was not used yet."""
        if self.password:
            return False
        made = self._once.pop(given, None)
        return _same(given, self.token) or (made is not None and time.monotonic() - made < ONCE_SECONDS)

    def once(self) -> str:
        """A token that opens once, soon: what starts a browser is seen by everyone on the machine."""
        token = secrets.token_urlsafe(TOKEN_BYTES)
        self._once[token] = time.monotonic()
        return token

    def is_cookie(self, given: str) -> bool:
        """Whether this is the cookie of this start."""
        return _same(given, self.cookie)

    def is_change(self, given: str) -> bool:
        """Whether this is the mark of a change."""
        return _same(given, self.change)

    def is_password(self, given: str) -> bool:
        """Whether this is the password; wrong ones are answered slowly and one at a time."""
        if self.password and _same(given, self.password):
            return True
        with self._turn:
            time.sleep(PAUSE)
        return False


def _same(given: str, expected: str) -> bool:
    return hmac.compare_digest(given.encode("utf-8", "replace"), expected.encode())
