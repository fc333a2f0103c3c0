"""Opens the listening socket. Loads nothing else, so that a taken port is reported at once."""

import errno
import socket

from arena.errors import ConfigurationError

BACKLOG = 2048


def listen(host: str, port: int) -> socket.socket:
    """Open a listening socket.

    Raises:
        ConfigurationError: the port is in use, or the address is not one of this machine.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listening = socket.create_server((host, port), family=family, backlog=BACKLOG)
        # Connections inherit it. asyncio sets it only on sockets created with the protocol TCP,
        # which this one is not: each response would wait 40 ms for the client's delayed ACK.
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return listening
    except OverflowError as error:
        raise ConfigurationError(
            f"{port} is not a valid port: choose one from 1 to 65535."
        ) from error
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise ConfigurationError(
                f"Port {port} is in use: choose another with --port or PORT."
            ) from error
        raise ConfigurationError(
            f"Cannot listen on port {port} of {host} ({(error.strerror or str(error)).lower()}): "
            "choose another with --host and --port."
        ) from error


def check_port(host: str, port: int) -> None:
    """Check that a port can be used, before work that would be in vain otherwise.

    Raises:
        ConfigurationError: as `listen` does.
    """
    listen(host, port).close()
