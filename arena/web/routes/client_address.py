"""The address of the client of a request. It is used at once and never stored."""

from starlette.types import Scope


def client_address(scope: Scope) -> str | None:
    """Return the address that sent a request, as far as trusted proxies say; None if not known.

    The server has replaced the address of a trusted proxy (`ARENA_TRUSTED_PROXIES`) by the one that
    the proxy names, and believes nobody else.
    """
    client = scope.get("client")
    return client[0] if client else None
