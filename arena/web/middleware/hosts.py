"""Refuses requests to a host name that is not the arena's.

Without this, a page of an attacker whose name resolves to this machine (DNS rebinding) would be
the same origin as the arena, and redirects would lead to whatever a request names.
"""

import re
import socket
from functools import lru_cache
from ipaddress import ip_address

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from arena.public_url import PublicUrl
from arena.web.middleware.problem_details import problem, refuse

RECENT_HOSTS = 256  # names that are not looked at again
HOST = re.compile(r"(?P<name>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(:(?P<port>[0-9]{1,5}))?")


def is_loopback(host: str) -> bool:
    """Whether a name or address without a port is this machine's loopback."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


class HostPolicy:
    """Which `Host` headers are the arena's own.

    These are the host of ARENA_PUBLIC_URL and the loopback; and, for a server that listens on
    another interface, the address that it listens on, the address that the client connected to,
    and this machine's name. The port is not compared: proxies and tunnels change it, and a port
    does not help an attacker whose name is refused.

    Args:
        public: the address that voters open, if it is set.
        listens_on: the name or address that the server listens on.
    """

    def __init__(self, public: PublicUrl | None, *, listens_on: str = "127.0.0.1") -> None:
        self.public = public
        self.on_loopback = is_loopback(listens_on)
        self.names = {public.host} if public else set()
        self.allows = lru_cache(maxsize=RECENT_HOSTS)(self._allows)
        if not self.on_loopback:
            machine = socket.gethostname().lower()
            self.names |= {listens_on.lower(), machine, f"{machine}.local"}

    def _allows(self, host: str | None, connected_to: str | None) -> bool:
        """Whether a request with this `Host` header may be answered.

        Args:
            host: the header; None if there is none.
            connected_to: the address of this machine that the client connected to.
        """
        match = HOST.fullmatch(host or "")
        if match is None or int(match["port"] or 0) > 65_535:
            return False
        name = match["name"].strip("[]").lower()
        if name in self.names or is_loopback(name):
            return True
        return not self.on_loopback and _is_same_address(name, connected_to)

    @property
    def refusal(self) -> str:
        """The sentence for a request to another host."""
        where = f"at {self.public}/" if self.public else "at the address that `arena serve` printed"
        return (
            f"This arena does not answer to this host name: open it {where}. Operators set "
            "ARENA_PUBLIC_URL to the address that voters open."
        )


def _is_same_address(name: str, connected_to: str | None) -> bool:
    try:
        return ip_address(name) == ip_address(connected_to or "")
    except ValueError:
        return False


class HostMiddleware:
    """Answer 421 to requests, and refuse WebSockets, whose `Host` is not the arena's."""

    def __init__(self, app: ASGIApp, policy: HostPolicy) -> None:
        self.app = app
        self.policy = policy

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] in {"http", "websocket"}:
            server = scope.get("server")
            hosts = Headers(scope=scope).getlist("host")
            host = hosts[0] if len(hosts) == 1 else None
            if not self.policy.allows(host, server[0] if server else None):
                refusal = problem(421, "wrong-host", self.policy.refusal)
                return await refuse(refusal, scope, receive, send)
        await self.app(scope, receive, send)
