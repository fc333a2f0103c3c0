"""The address at which voters open the arena: its origin, and the path that everything is below."""

import re
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

DEFAULT_PORTS = {"http": 80, "https": 443}
HOST_NAME = re.compile(r"[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*")
IP_V6 = re.compile(r"[0-9a-f:.]+")
BASE_PATH = re.compile(r"(/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)*")
# First parts of the arena's own paths. Below `/api`, the path `/api/v1/tracks` would be ambiguous:
# a proxy may or may not remove the base path.
RESERVED = frozenset(
    {
        *("_stcore", "about", "api", "assets", "clip", "component", "healthz", "leaderboard"),
        *("media", "metrics", "readyz", "releases", "static"),
    }
)
EXAMPLE = "write an address such as https://arena.example.org or https://example.org/arena/"


@dataclass(frozen=True)
class PublicUrl:
    """A checked address.

    Attributes:
        scheme: `http` or `https`.
        host: the host in lower case, without a port; an IPv6 address without its brackets.
        port: None for the scheme's default port.
        base_path: `/arena`, or empty if the arena has the whole host.
    """

    scheme: str
    host: str
    port: int | None
    base_path: str

    @property
    def origin(self) -> str:
        """Scheme, host and port, as a browser's `Origin` header has them."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}" + (f":{self.port}" if self.port else "")

    def __str__(self) -> str:
        return f"{self.origin}{self.base_path}"


def parse_public_url(text: str) -> PublicUrl:
    """Parse the value of ARENA_PUBLIC_URL.

    Raises:
        ValueError: says, as part of a sentence, what is wrong and what to write instead.
    """
    if text != text.strip() or not text.isprintable():
        raise ValueError(f"has spaces or control characters: {EXAMPLE}")
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError as error:
        raise ValueError(f"is not an address: {EXAMPLE}") from error
    if parts.scheme not in DEFAULT_PORTS or not parts.netloc:
        raise ValueError(f"does not begin with http:// or https:// and a host: {EXAMPLE}")
    if "@" in parts.netloc:
        raise ValueError(f"has a user name or password, which an address cannot have: {EXAMPLE}")
    if "?" in text or "#" in text:
        raise ValueError(f"has a query or a fragment, which an address cannot have: {EXAMPLE}")
    if port == 0 or parts.netloc.endswith(":"):
        raise ValueError(f"has no valid port: {EXAMPLE}")
    return PublicUrl(
        scheme=parts.scheme,
        host=_host(parts),
        port=None if port == DEFAULT_PORTS[parts.scheme] else port,
        base_path=_base_path(parts.path),
    )


def _host(parts: SplitResult) -> str:
    host = parts.hostname or ""
    is_v6 = "[" in parts.netloc
    try:
        # Browsers send the ASCII form of an international name.
        host = host if host.isascii() else host.encode("idna").decode("ascii")
    except UnicodeError:
        host = ""
    if not (IP_V6 if is_v6 else HOST_NAME).fullmatch(host):
        raise ValueError(f"has no valid host: {EXAMPLE}")
    return host


def _base_path(path: str) -> str:
    base = path.rstrip("/")
    if not BASE_PATH.fullmatch(base):
        raise ValueError(
            "has a path with other characters than letters, digits, hyphens, dots, underscores "
            f"and tildes, or with an empty part: {EXAMPLE}"
        )
    first = base.split("/")[1] if base else ""
    if first.lower() in RESERVED:
        raise ValueError(
            f"has a path that begins with /{first}, which is a path of the arena itself: choose "
            "another"
        )
    return base
