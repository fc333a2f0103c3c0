"""The arena's Ed25519 key: made once, kept in a file for its owner alone, rotated by its successor.

The database holds the public keys. Each but the first is signed by the key before it, so whoever
knows an early key can follow to the newest. The statement of a key is canonical JSON.

A key that was lost cannot sign the next one. The statement of the key that replaces it says so with
`lost`, a public reason, and has no signature: the seals go on, each naming the one before, and
nobody who knows an earlier key is led to the new one.
"""

import hashlib
import os
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from arena.canonical import canonical_json, instant_text
from arena.database import Database
from arena.errors import ConfigurationError
from arena.files import atomic_write
from arena.models import REASON_LENGTH, SealKey

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

KEY_FILE = "seal_key"  # in ARENA_HOME
NEXT_SUFFIX = ".next"  # of a key that is about to become the one in use
# What a signature is about begins the signed bytes, so that none can be passed off as another.
KEY_DOMAIN, SEAL_DOMAIN, RELEASE_DOMAIN = (
    f"hippodrome {what} 1\n".encode() for what in ("key", "seal", "release")
)
REPLACED_SUFFIX = ".replaced"  # of a file that was not the key in use when a lost one was replaced
_IF_LOST = "If it is lost, see `arena seals replace-lost-key --help`."


@dataclass(frozen=True)
class Signer:
    """A private key that signs, and the fingerprint and hexadecimal form of its public key."""

    private: "Ed25519PrivateKey"
    public_key: str
    fingerprint: str

    def sign(self, domain: bytes, text: str) -> str:
        """Return the signature of a text, in hexadecimal."""
        return self.private.sign(domain + text.encode()).hex()


def is_signed(public_key: str, domain: bytes, text: str, signature: str | None) -> bool:
    """Whether a signature is of this text by this key."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    try:
        key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(public_key))
        key.verify(bytes.fromhex(signature or ""), domain + text.encode())
    except (InvalidSignature, ValueError):
        return False
    return True


def fingerprint_of(public_key: str) -> str:
    """Return the SHA-256 of a public key given in hexadecimal.

    Raises:
        ValueError: it is not hexadecimal.
    """
    return hashlib.sha256(bytes.fromhex(public_key)).hexdigest()


def new_signer() -> Signer:
    """Return a new key."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    return _signer(Ed25519PrivateKey.generate())


def _signer(private: "Ed25519PrivateKey") -> Signer:
    public_key = private.public_key().public_bytes_raw().hex()
    return Signer(private, public_key, fingerprint_of(public_key))


def make_key(home: Path) -> None:
    """Make the key's file, readable by its owner alone, unless there is one.

    Raises:
        ConfigurationError: the folder cannot be written.
    """
    path = home / KEY_FILE
    if not path.exists():
        _write(path, new_signer(), overwrite=False)


def _write(path: Path, signer: Signer, *, overwrite: bool) -> None:
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    pem = signer.private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    try:
        with atomic_write(path, overwrite=overwrite) as draft:
            descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(pem)
                file.flush()
                os.fsync(file.fileno())
    except OSError as error:
        raise ConfigurationError(
            f"The key {path} cannot be written ({error.strerror}): make ARENA_HOME writable."
        ) from error


def _read(path: Path) -> Signer:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        private = load_pem_private_key(path.read_bytes(), password=None)
    except OSError as error:
        raise ConfigurationError(
            f"The key {path} cannot be read ({error.strerror}): run `arena init`, or restore it "
            f"from a backup. {_IF_LOST}"
        ) from error
    except ValueError as error:
        raise ConfigurationError(
            f"{path} is not a private key: restore it from a backup. {_IF_LOST}"
        ) from error
    if not isinstance(private, Ed25519PrivateKey):
        raise ConfigurationError(
            f"{path} is not an Ed25519 key: restore it from a backup. {_IF_LOST}"
        )
    return _signer(private)


def open_signer(home: Path, database: Database, *, now: datetime) -> Signer:
    """Return the key in use, made if the arena has none yet.

    A rotation that was killed after the database knew the new key is finished here.

    Raises:
        ConfigurationError: the file does not have the key that the database says is in use.
        StoreUnavailable: the database cannot be read or written.
    """
    path = home / KEY_FILE
    with database.reading() as session:
        current = newest_key(session)
    if current is None:
        make_key(home)
        signer = _read(path)
        current = database.write(lambda session: _add_first(session, signer, now=now))
    if not _is_key(path, current.fingerprint):
        _finish_replacement(path, current.fingerprint)
    signer = _read(path)
    if signer.fingerprint != current.fingerprint:
        raise ConfigurationError(
            f"{path} is not the key that signed the last seal ({current.fingerprint[:16]}…): "
            f"restore it from a backup. {_IF_LOST}"
        )
    return signer


def _finish_replacement(path: Path, fingerprint: str) -> None:
    """Put the upcoming key in the place of the one before, if it is the key in use already."""
    upcoming = path.with_suffix(NEXT_SUFFIX)
    if _is_key(upcoming, fingerprint):
        os.replace(upcoming, path)


def _is_key(path: Path, fingerprint: str) -> bool:
    """Whether a file has the key of this fingerprint."""
    try:
        return path.exists() and _read(path).fingerprint == fingerprint
    except ConfigurationError:
        return False


def _add_first(session: Session, signer: Signer, *, now: datetime) -> SealKey:
    found = newest_key(session)
    return found or _add(session, signer, previous=None, now=now)


def _add(session: Session, signer: Signer, *, previous: Signer | None, now: datetime) -> SealKey:
    fingerprint = None if previous is None else previous.fingerprint
    statement = _statement(signer, fingerprint, now=now)
    signature = None if previous is None else previous.sign(KEY_DOMAIN, statement)
    return _store(session, signer, statement, signature)


def _statement(signer: Signer, previous: str | None, *, now: datetime, **lost: str) -> str:
    return canonical_json(
        {
            "made_at": instant_text(now),
            "previous": previous,
            "public_key": signer.public_key,
            **lost,
        }
    )


def _store(session: Session, signer: Signer, statement: str, signature: str | None) -> SealKey:
    key = SealKey(
        number=session.scalar(select(func.count()).select_from(SealKey)) or 0,
        fingerprint=signer.fingerprint,
        public_key=signer.public_key,
        statement=statement,
        signature=signature,
    )
    session.add(key)
    session.flush()
    return key


def newest_key(session: Session) -> SealKey | None:
    """Return the key in use; None before the first seal."""
    return session.scalar(select(SealKey).order_by(SealKey.number.desc()).limit(1))


def rotate_key(home: Path, database: Database, *, now: datetime) -> Signer:
    """Replace the key by a new one, which the old one signs, and return the new one.

    Raises:
        ConfigurationError: see `open_signer`.
    """
    old, path = open_signer(home, database, now=now), home / KEY_FILE
    new = new_signer()
    upcoming = path.with_suffix(NEXT_SUFFIX)
    _write(upcoming, new, overwrite=True)
    database.write(lambda session: _add(session, new, previous=old, now=now))
    os.replace(upcoming, path)
    return new


def replace_lost_key(home: Path, database: Database, *, reason: str, now: datetime) -> Signer:
    """Begin with a new key that the key before, which is lost, does not sign; return the new one.

    Whoever knows the fingerprint of an earlier key has to be given the new one.

    Args:
        home: ARENA_HOME.
        database: of the arena.
        reason: one plain sentence, which is public.
        now: aware.

    Raises:
        ConfigurationError: nothing was sealed yet, the key is there, or the reason is empty, too
            long or not plain text.
        StoreUnavailable: the database cannot be read or written.
    """
    reason, path = " ".join(reason.split()), home / KEY_FILE
    if not reason or len(reason) > REASON_LENGTH or not reason.isprintable():
        raise ConfigurationError(
            f"The reason must be a plain sentence of at most {REASON_LENGTH} characters."
        )
    with database.reading() as session:
        lost = newest_key(session)
    if lost is None:
        raise ConfigurationError("Nothing was signed yet: `arena seals make` makes the first key.")
    upcoming = path.with_suffix(NEXT_SUFFIX)
    if _is_key(path, lost.fingerprint) or _is_key(upcoming, lost.fingerprint):
        raise ConfigurationError(
            f"{path} is the key in use, so it is not lost: `arena seals rotate-key` replaces it."
        )
    new = new_signer()
    _write(upcoming, new, overwrite=True)
    statement = _statement(new, lost.fingerprint, now=now, lost=reason)
    if path.exists():  # whatever it is the key of
        os.replace(path, path.with_suffix(REPLACED_SUFFIX))
    database.write(lambda session: _store(session, new, statement, None))
    os.replace(upcoming, path)
    return new


def list_keys(session: Session) -> list[dict[str, Any]]:
    """Return all keys as the API and releases publish them, the first one first."""
    return [
        {
            "fingerprint": key.fingerprint,
            "public_key": key.public_key,
            "statement": key.statement,
            "signature": key.signature,
        }
        for key in session.scalars(select(SealKey).order_by(SealKey.number))
    ]
