"""The tables of clips: what was made, ordered and withheld."""

from datetime import datetime
from typing import Any

from sqlalchemy import (
    CheckConstraint,
    Enum,
    ForeignKey,
    String,
    UniqueConstraint,
    false,
)
from sqlalchemy.orm import Mapped, mapped_column, relationship

from arena.models.base import Base, string_enum
from arena.models.catalog import Entrant, Prompt, Track
from arena.models.enums import DAMAGE_LENGTH, ClipStatus, OrderState, WithheldCause


def copy_seed(seed: int) -> int:
    """Return the seed of a clip's damaged copy, below 0; of a copy, the seed of its clip."""
    return -1 - seed


class Clip(Base):
    """One entrant's result for one prompt and seed, or its failure. Written by `production`.

    A damaged copy of a clip, for honey pairs, is a row with `damage`, and with `copy_seed(seed)`
    instead of the clip's seed. Its `master_sha256` is the hash of the rendition that was damaged.
    """

    __tablename__ = "clip"
    __table_args__ = (
        UniqueConstraint("entrant_id", "track_id", "prompt_id", "seed"),
        CheckConstraint(
            "(status = 'ready') = (rendition_path IS NOT NULL AND sha256 IS NOT NULL)",
            name="ready_has_rendition",
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    entrant_id: Mapped[int] = mapped_column(ForeignKey("entrant.id"))
    track_id: Mapped[int] = mapped_column(ForeignKey("track.id"), index=True)
    prompt_id: Mapped[str] = mapped_column(ForeignKey("prompt.id"), index=True)
    seed: Mapped[int]
    damage: Mapped[str | None] = mapped_column(String(DAMAGE_LENGTH))  # None: not a copy
    status: Mapped[ClipStatus] = mapped_column(string_enum(ClipStatus))
    master_path: Mapped[str | None]
    rendition_path: Mapped[str | None]
    master_sha256: Mapped[str | None] = mapped_column(String(64))
    sha256: Mapped[str | None] = mapped_column(String(64))  # of the rendition
    provenance: Mapped[dict[str, Any] | None]
    measures: Mapped[dict[str, Any] | None]
    failure: Mapped[str | None]
    # Refused by the model's content policy; False for every other failure.
    refused: Mapped[bool] = mapped_column(default=False, server_default=false())
    # Ordered from a server, or perhaps ordered, and not received: not ordered again unless asked.
    maybe_billed: Mapped[bool] = mapped_column(default=False, server_default=false())
    created_at: Mapped[datetime]

    entrant: Mapped[Entrant] = relationship()
    track: Mapped[Track] = relationship()
    prompt: Mapped[Prompt] = relationship()


class ClipOrder(Base):
    """An order of one clip to a paid service. Written by `production.orders`.

    A clip's last order, by `attempt`, says whether it may be ordered; the key lets only one of two
    runs insert the next one.
    """

    __tablename__ = "clip_order"
    __table_args__ = (UniqueConstraint("entrant_id", "track_id", "prompt_id", "seed", "attempt"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    entrant_id: Mapped[int] = mapped_column(ForeignKey("entrant.id"))
    track_id: Mapped[int] = mapped_column(ForeignKey("track.id"))
    prompt_id: Mapped[str] = mapped_column(ForeignKey("prompt.id"))
    seed: Mapped[int]
    attempt: Mapped[int]  # 1, 2, ...
    state: Mapped[OrderState] = mapped_column(
        Enum(
            OrderState,
            native_enum=False,
            create_constraint=False,  # states may be added
            length=20,
            values_callable=lambda members: [member.value for member in members],
        )
    )
    service: Mapped[str]  # its address
    request: Mapped[dict[str, Any]]  # what was ordered, without keys
    order_id: Mapped[str | None]  # of the service
    reason: Mapped[str | None]  # of the state, if something is wrong
    # The process that works on the order, and when it last said so; None once it no longer does.
    holder: Mapped[str | None]
    held_at: Mapped[datetime | None]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]


class WithheldClip(Base):
    """A ready clip that is in no new battle, and why. Written by `catalog.withholding`."""

    __tablename__ = "withheld_clip"

    clip_id: Mapped[int] = mapped_column(ForeignKey("clip.id"), primary_key=True)
    cause: Mapped[WithheldCause] = mapped_column(
        Enum(
            WithheldCause,
            native_enum=False,
            create_constraint=False,
            length=20,
            values_callable=lambda members: [member.value for member in members],
        )
    )
    reason: Mapped[str]
    withheld_at: Mapped[datetime]

    clip: Mapped[Clip] = relationship()
