"""The tables of seals: keys, signed roots and the nodes of the tree."""

from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    ForeignKey,
    Index,
    LargeBinary,
    String,
)
from sqlalchemy.orm import Mapped, mapped_column, relationship

from arena.models.base import Base
from arena.models.clips import Clip
from arena.models.enums import KEY_LENGTH


class SealKey(Base):
    """A key that signs seals, with the signature of the key before it. Written by `audit.keys`.

    Rows are only added: the newest key is the one in use.
    """

    __tablename__ = "seal_key"

    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    fingerprint: Mapped[str] = mapped_column(String(64), unique=True)
    public_key: Mapped[str] = mapped_column(String(64))  # Ed25519, in hexadecimal
    statement: Mapped[str]  # the canonical JSON that is signed
    signature: Mapped[str | None] = mapped_column(String(128))  # by the key before; None: the first


class Seal(Base):
    """A signed Merkle root over all votes up to a watermark. Written by `audit.seals`.

    Rows are only added. `payload` is the canonical JSON that is signed, and that the next seal
    names by its SHA-256.
    """

    __tablename__ = "seal"

    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    size: Mapped[int] = mapped_column(BigInteger, index=True)  # votes in the tree
    watermark: Mapped[int] = mapped_column(BigInteger, index=True)
    late: Mapped[int]  # votes with a smaller id than the watermark before
    gaps: Mapped[dict[str, Any]]  # `{"ranges": [[first, last], ...]}`: ids without a vote, so far
    payload: Mapped[str]
    signature: Mapped[str] = mapped_column(String(128))
    sealed_at: Mapped[datetime]


class SealTile(Base):
    """The hashes of up to 256 nodes of the Merkle tree, side by side. Written by `audit.seals`.

    `level` 0 has leaves, `level` n the roots of subtrees of 256^n leaves. The last tile of a level
    grows; nothing in it changes.
    """

    __tablename__ = "seal_tile"
    __table_args__ = (Index(None, "level", "first_vote"),)

    level: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    hashes: Mapped[bytes] = mapped_column(LargeBinary)  # of 32 bytes each
    # Level 0: the ids of the votes, of 8 bytes each, and the smallest of those in the usual order.
    votes: Mapped[bytes | None] = mapped_column(LargeBinary)
    first_vote: Mapped[int | None] = mapped_column(BigInteger)


class SealedEntry(Base):
    """What seals name beside votes, and the first seal that does. Written by `audit.seals`.

    Rows are only added. `kind` is `commitment` or `claim` (of an entrant's number), `registration`
    (of a track's number), or `standings` (of a day and a track).
    """

    __tablename__ = "sealed_entry"

    kind: Mapped[str] = mapped_column(String(20), primary_key=True)
    key: Mapped[str] = mapped_column(String(KEY_LENGTH + 20), primary_key=True)
    seal_number: Mapped[int] = mapped_column(ForeignKey("seal.number"))


class SealedClip(Base):
    """The name of a clip in seals: a salted hash of its file. Written by `audit.seals`.

    Rows are only added. The salt keeps the file's hash secret until it may be published.
    """

    __tablename__ = "sealed_clip"

    clip_id: Mapped[int] = mapped_column(ForeignKey("clip.id"), primary_key=True)
    salt: Mapped[str] = mapped_column(String(32))
    reference: Mapped[str] = mapped_column(String(64))

    clip: Mapped[Clip] = relationship()
