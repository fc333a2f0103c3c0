"""The options of uvicorn that every process of the server has."""

from typing import Any

from arena.settings import Settings
from arena.web.server.balance import Balance
from arena.web.server.handoff import Handoff
from arena.web.server.http_protocol import protocol_options
from arena.web.server.listening import BACKLOG

KEEP_ALIVE_S = 75  # longer than a voter watches; uvicorn's default is 5 s
SHUTDOWN_S = 3  # pages keep their WebSockets open


def server_options(
    settings: Settings, handoff: Handoff | None = None, balance: Balance | None = None
) -> dict[str, Any]:
    """Return arguments of `uvicorn.Config`.

    Args:
        settings: of the arena.
        handoff: passes the WebSockets of pages on; None: this process answers them.
        balance: passes connections on to processes with fewer; None: there are no others.
    """
    return {
        "timeout_keep_alive": KEEP_ALIVE_S,
        "timeout_graceful_shutdown": SHUTDOWN_S,
        "access_log": False,
        "log_level": "warning",
        "server_header": False,
        "backlog": BACKLOG,
        "proxy_headers": bool(settings.trusted_proxies),
        "forwarded_allow_ips": settings.trusted_proxies or None,
        **protocol_options(handoff, balance),
    }
