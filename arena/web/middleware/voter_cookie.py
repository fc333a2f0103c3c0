"""The voter's cookie: a signed random pseudonym.

It is set on the first response of a page or of the API's voting routes to a request without a valid
one; a forged cookie is treated as missing. What every site may read sets none. It identifies a
browser, not a person.
"""

import hashlib
import re
from collections.abc import Iterator
from functools import lru_cache

from itsdangerous import BadSignature, Signer
from starlette.datastructures import MutableHeaders
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from arena.voting.ballots import new_voter_key
from arena.web.middleware.public_api import is_public

COOKIE = "arena_voter"
COOKIE_HTTPS = f"__Host-{COOKIE}"
COOKIE_AGE_S = 365 * 24 * 3600
RECENT_VOTERS = 4096  # whose cookies are not verified again
MAX_COOKIE_LENGTH = 256  # of its value
KEY = re.compile(r"[0-9a-f]{32}")
# A page loads many of these in parallel, and each response would set another voter's cookie.
WITHOUT_COOKIE = (
    *("/static/", "/_stcore/", "/media/", "/component/", "/assets/", "/clip/"),
    *("/healthz", "/readyz", "/metrics", "/favicon", "/robots.txt"),
)


def _cookies(connection: HTTPConnection, name: str) -> Iterator[str]:
    """Yield the values of all cookies of this name.

    Other programs on the same host set cookies of any form, and `http.cookies` stops at the first
    that does not follow RFC 6265 (Starlette's parser keeps only the last one of each name).
    """
    for header in connection.headers.getlist("cookie"):
        for part in header.split(";"):
            found, _, value = part.partition("=")
            if found.strip() == name:
                yield value.strip().strip('"')


class VoterCookieMiddleware:
    """Set `request.state.voter_key` on every request, and the cookie where it is missing."""

    def __init__(
        self, app: ASGIApp, *, secret: str, public_https: bool, base_path: str = ""
    ) -> None:
        self.app = app
        self.base_path = base_path
        self.signer = Signer(secret, salt="arena.voter", digest_method=hashlib.sha256)
        self._verified = lru_cache(maxsize=RECENT_VOTERS)(self._verify)
        self.public_https = public_https

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        secure = self.public_https or scope["scheme"] == "https"
        key = self._read(HTTPConnection(scope), COOKIE_HTTPS if secure else COOKIE)
        sent = key
        state = scope.setdefault("state", {})
        state["voter_key"] = key or new_voter_key()

        async def send_with_cookie(message: Message) -> None:
            key = state["voter_key"]  # a route replaces it when its voter leaves
            if message["type"] == "http.response.start" and key != sent:
                MutableHeaders(scope=message).append("Set-Cookie", self._write(key, secure=secure))
            await send(message)

        path = scope["path"]
        without = path.startswith(WITHOUT_COOKIE) or is_public(path)
        await self.app(scope, receive, send if without else send_with_cookie)

    def _read(self, connection: HTTPConnection, name: str) -> str | None:
        """Return the key in the first cookie of this name that verifies."""
        for value in _cookies(connection, name):
            if len(value) <= MAX_COOKIE_LENGTH and (key := self._verified(value)):
                return key
        return None

    def _verify(self, value: str) -> str | None:
        try:
            key = self.signer.unsign(value.encode()).decode()
        except (BadSignature, UnicodeError):
            return None
        return key if KEY.fullmatch(key) else None

    def _write(self, key: str, *, secure: bool) -> str:
        parts = [
            f"{COOKIE_HTTPS if secure else COOKIE}={self.signer.sign(key).decode()}",
            f"Max-Age={COOKIE_AGE_S}",
            # `__Host-` requires the root: such a cookie cannot be limited to a path.
            f"Path={'/' if secure else self.base_path + '/'}",
            "HttpOnly",
            "SameSite=Lax",
            *(["Secure"] if secure else []),
        ]
        return "; ".join(parts)
