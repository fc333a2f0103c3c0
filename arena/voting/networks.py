"""The networks that requests come from, under names that nobody can trace. Writes network_salt.

A network is named by a keyed hash of its prefix, with a random key of the day that is deleted once
the day is over: rows of the same network can be counted together on one day, and on no other. No
address is stored.
"""

import hashlib
import secrets
from datetime import date
from functools import lru_cache
from ipaddress import IPv6Address, ip_address, ip_network
from weakref import WeakKeyDictionary

from sqlalchemy import Engine, bindparam, delete, select
from sqlalchemy.orm import Session

from arena.models import NetworkSalt

# A household or a site, and a provider's block, by the version of the Internet Protocol: a site
# usually gets a /48 of IPv6 (RFC 6177), and a provider a /32.
PREFIXES = {4: (24, 16), 6: (48, 32)}
NAME_BYTES = 15
SALT_BYTES = 32

_SALT = select(NetworkSalt.salt).where(NetworkSalt.day == bindparam("day"))
_salts: WeakKeyDictionary[Engine, tuple[date, str]] = WeakKeyDictionary()


@lru_cache(maxsize=4096)
def prefixes_of(address: str | None) -> tuple[str, ...]:
    """Return the networks of an address, the smallest first; none if it is not an IP address."""
    try:
        parsed = ip_address((address or "").split("%")[0])
    except ValueError:
        return ()
    if isinstance(parsed, IPv6Address) and parsed.ipv4_mapped is not None:
        parsed = parsed.ipv4_mapped
    return tuple(
        str(ip_network((parsed, length), strict=False)) for length in PREFIXES[parsed.version]
    )


@lru_cache(maxsize=16_384)
def _named(prefix: str, salt: str) -> str:
    digest = hashlib.blake2b(prefix.encode(), key=salt.encode(), digest_size=NAME_BYTES)
    return digest.hexdigest()


def network_names(address: str | None, salt: str) -> tuple[str, ...]:
    """Return the names of the networks of an address, the smallest network first.

    Args:
        address: of the client; None or a name: not known, and no networks.
        salt: of the day.
    """
    return tuple(_named(prefix, salt) for prefix in prefixes_of(address))


def salt_of(session: Session, day: date) -> str:
    """Return the secret of a day; make it, and delete those of other days, if it is the first.

    Args:
        session: in a transaction that writes.
        day: UTC.
    """
    engine = session.get_bind().engine
    known = _salts.get(engine)
    if known is not None and known[0] == day:
        return known[1]
    found = session.connection().scalar(_SALT, {"day": day})
    if found is not None:
        _salts[engine] = day, found
        return str(found)
    delete_old_salts(session, day)
    session.add(NetworkSalt(day=day, salt=secrets.token_hex(SALT_BYTES)))
    # Not kept: if this transaction is rolled back, another process may make another one; and if
    # another process has made one meanwhile, this transaction fails and is tried again.
    session.flush()
    return str(session.connection().scalar(_SALT, {"day": day}))


def delete_old_salts(session: Session, today: date) -> None:
    """Delete the secrets of days that are over."""
    session.execute(delete(NetworkSalt).where(NetworkSalt.day < today))


def has_old_salts(session: Session, today: date) -> bool:
    """Whether there are secrets of days that are over."""
    found = session.scalar(select(NetworkSalt.day).where(NetworkSalt.day < today).limit(1))
    return found is not None
