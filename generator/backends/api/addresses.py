"""Addresses that a service brings: of files, and for uploads. Only public ones are asked."""

import ipaddress
import socket
from typing import Any

import httpx2

from generator.errors import BackendError

HTTPS_PORT = 443


def resolve_public(url: httpx2.URL, name: str) -> tuple[httpx2.URL, dict[str, Any]]:
    """Return an address with its host resolved, so that what was checked is what is asked.

    Args:
        url: of a file.
        name: of the entrant, for messages.

    Returns:
        The address, and the extensions of a request to it.

    Raises:
        BackendError: it leads into a private network, or is not an https address.
    """
    if url.scheme != "https" or url.userinfo:
        raise BackendError(f"{name}: the file's address is not an https address.")
    try:
        found = socket.getaddrinfo(url.host, url.port or HTTPS_PORT, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise BackendError(f"{name}: the host of the file, {url.host}, is not known.") from None
    addresses = [str(entry[4][0]) for entry in found]
    if not addresses or not all(is_public(address) for address in addresses):
        raise BackendError(
            f"{name}: the file's address leads into a private network, which is not followed."
        )
    return url.copy_with(host=addresses[0]), {"sni_hostname": url.host}


def is_public(address: str) -> bool:
    """Whether an IP address belongs to no private, local or reserved network."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    mapped = getattr(ip, "ipv4_mapped", None) or ip
    return bool(mapped.is_global) and not mapped.is_multicast
