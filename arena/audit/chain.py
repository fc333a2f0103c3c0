"""Checks keys and seals as they are published, without a database: signatures and the chain.

Whoever knows a fingerprint of the arena's key, also of an early one, can follow the rotations to
the newest, but not past a key that was lost. Without one, the chain is checked for itself only: a
forger could have made all of it.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from arena.audit.keys import KEY_DOMAIN, SEAL_DOMAIN, fingerprint_of, is_signed
from arena.canonical import canonical_json, sha256_hex
from arena.validation import first_problem

GENESIS = "0" * 64  # what the first seal names as the one before it
HASH = r"^[0-9a-f]{64}$"
NUMBER = r"^(0|[1-9][0-9]{0,18})$"


class ChainError(ValueError):
    """What is wrong with a chain: `number` is that of the seal; None: it is about a key."""

    def __init__(self, reason: str, *, number: int | None = None) -> None:
        super().__init__(reason)
        self.number = number


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Commitment(_Model):
    """A codename's commitment, in the first seal after it entered."""

    entrant: str = Field(pattern=NUMBER)
    commitment: str = Field(pattern=HASH)


class Claim(_Model):
    """A claim, in the first seal after it."""

    entrant: str = Field(pattern=NUMBER)
    opening_sha256: str = Field(pattern=HASH)
    claimed_at: str


class DayStandings(_Model):
    """The leaderboards of a day that was over, in a track."""

    day: str
    track: str
    sha256: str = Field(pattern=HASH)


class RegisteredTrack(_Model):
    """A track's registration, in the first seal after it."""

    track: str
    sha256: str = Field(pattern=HASH)
    registered_at: str


class HoldEvents(_Model):
    """The events that hold or release votes, so far: their number, and their chain's last link."""

    events: int = Field(ge=0)
    sha256: str = Field(pattern=HASH)


class SealPayload(_Model):
    """What a seal states and signs."""

    version: int = Field(ge=1, le=1)
    number: int = Field(ge=0)
    previous: str = Field(pattern=HASH)
    sealed_at: str
    size: int = Field(ge=0)
    root: str = Field(pattern=HASH)
    watermark: str = Field(pattern=NUMBER)
    late: list[str]
    commitments: list[Commitment]
    claims: list[Claim]
    standings: list[DayStandings]
    registrations: list[RegisteredTrack] = []  # seals of earlier versions do not have it
    holds: HoldEvents
    key: str = Field(pattern=HASH)


@dataclass(frozen=True)
class LostKey:
    """A key that was lost, so that it did not sign the one after it.

    Attributes:
        fingerprint: of the lost key.
        successor: fingerprint of the key after it.
        at: when it was replaced, ISO 8601 in UTC.
        reason: public sentence.
    """

    fingerprint: str
    successor: str
    at: str
    reason: str

    def __str__(self) -> str:
        return (
            f"the key {self.fingerprint} was lost and replaced on {self.at[:10]}, so it did not "
            f"sign the key after it, {self.successor} ({self.reason.rstrip('.')})"
        )


@dataclass(frozen=True)
class Keys:
    """Keys that follow each other.

    Attributes:
        fingerprints: the first one first; the last one is in use.
        public_keys: in hexadecimal, by fingerprint.
        lost: those that did not sign the one after them, in order.
    """

    fingerprints: tuple[str, ...]
    public_keys: Mapping[str, str]
    lost: tuple[LostKey, ...] = ()


@dataclass(frozen=True)
class Chain(Keys):
    """Keys and seals that are consistent with each other; `seals` is what they state, in order."""

    seals: tuple[SealPayload, ...] = ()


def read_payload(text: str) -> dict[str, Any]:
    """Return a seal's payload as it is stored."""
    payload: dict[str, Any] = json.loads(text)
    return payload


def check_keys(documents: Sequence[Any]) -> Keys:
    """Check that each key is signed by the one before, unless that one is said to be lost.

    Raises:
        ChainError: says which key is wrong.
    """
    order: list[str] = []
    public_keys: dict[str, str] = {}
    lost: list[LostKey] = []
    for number, document in enumerate(documents, start=1):
        try:
            statement = json.loads(document["statement"])
            public_key = str(statement["public_key"])
            fingerprint = fingerprint_of(public_key)
            stated = (document["fingerprint"], document["public_key"], statement["previous"])
            signature, reason = document["signature"], statement.get("lost")
            made_at = str(statement["made_at"])
        except (KeyError, TypeError, ValueError) as error:
            raise ChainError(f"key {number} is not a key") from error
        previous = order[-1] if order else None
        if stated != (fingerprint, public_key, previous) or fingerprint in public_keys:
            raise ChainError(f"key {number} does not follow the one before it")
        if previous is not None and reason is not None and signature is None:
            lost.append(LostKey(previous, fingerprint, made_at, str(reason)))
        elif previous is not None and not is_signed(
            public_keys[previous], KEY_DOMAIN, document["statement"], signature
        ):
            raise ChainError(f"key {number} is not signed by the one before it")
        order.append(fingerprint)
        public_keys[fingerprint] = public_key
    if not order:
        raise ChainError("there is no key")
    return Keys(tuple(order), public_keys, tuple(lost))


def check_chain(keys: Sequence[Any], seals: Sequence[Any]) -> Chain:
    """Check keys and seals from the first one on.

    Args:
        keys: as `keys.list_keys` returns them.
        seals: as the API and releases publish them, with `payload`, `hash` and `signature`.

    Raises:
        ChainError: says which key or seal is wrong.
    """
    known = check_keys(keys)
    order, public_keys = known.fingerprints, known.public_keys
    payloads: list[SealPayload] = []
    previous, used = GENESIS, 0
    for number, document in enumerate(seals):
        payload, text = _payload(document, number)
        if payload.number != number or payload.previous != previous:
            raise ChainError(f"seal {number} does not follow the one before it", number=number)
        before = payloads[-1] if payloads else None
        if before and (
            payload.size < before.size or int(payload.watermark) < int(before.watermark)
        ):
            raise ChainError(f"seal {number} covers less than the one before it", number=number)
        if before and payload.holds.events < before.holds.events:
            raise ChainError(
                f"seal {number} covers fewer hold events than the one before it", number=number
            )
        if payload.key not in order[used:]:
            raise ChainError(f"seal {number} is not signed by the key in use", number=number)
        used = order.index(payload.key)
        if not is_signed(public_keys[payload.key], SEAL_DOMAIN, text, document.get("signature")):
            raise ChainError(f"seal {number} does not have a valid signature", number=number)
        previous = sha256_hex(text)
        if document.get("hash") != previous:
            raise ChainError(f"seal {number} does not have the hash that it states", number=number)
        payloads.append(payload)
    if not payloads:
        raise ChainError("there is no seal")
    return Chain(order, public_keys, known.lost, tuple(payloads))


def _payload(document: Any, number: int) -> tuple[SealPayload, str]:
    try:
        text = canonical_json(document["payload"])
        return SealPayload.model_validate(document["payload"]), text
    except ValidationError as error:
        problem = first_problem(error)
        reason = f"seal {number} is not a seal: {problem.location}: {problem.message}"
        raise ChainError(reason, number=number) from error
    except (KeyError, TypeError, ValueError) as error:
        raise ChainError(f"seal {number} is not a seal", number=number) from error


def published_seal(payload: str, signature: str) -> dict[str, Any]:
    """Return a seal as the API and releases publish it."""
    return {"payload": read_payload(payload), "hash": sha256_hex(payload), "signature": signature}


def pinned(keys: Keys, fingerprint: str) -> bool:
    """Whether the key in use follows from a fingerprint, with or without colons.

    It does not from a key that was lost, nor from one before it.
    """
    first = keys.fingerprints.index(keys.lost[-1].successor) if keys.lost else 0
    return _plain(fingerprint) in keys.fingerprints[first:]


def lost_after(keys: Keys, fingerprint: str) -> LostKey | None:
    """Return the lost key that keeps a known one from leading to the key in use, if any does."""
    if _plain(fingerprint) not in keys.fingerprints:
        return None
    since = keys.fingerprints.index(_plain(fingerprint))
    return next(
        (each for each in keys.lost if keys.fingerprints.index(each.fingerprint) >= since), None
    )


def _plain(fingerprint: str) -> str:
    return fingerprint.replace(":", "").strip().lower()
