"""The tables of leaderboards, and of the leases of background jobs."""

from datetime import date, datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    ForeignKey,
    Index,
    String,
    UniqueConstraint,
)
from sqlalchemy.orm import Mapped, mapped_column, relationship

from arena.models.base import Base, BigId, string_enum
from arena.models.catalog import Entrant, Track
from arena.models.enums import KEY_LENGTH
from arena.voter_kinds import VoterKind


class Snapshot(Base):
    """The leaderboard of one day, track, category and kind of voter. Written by `standings`.

    A later snapshot of the same day replaces it; after that day it never changes.
    """

    __tablename__ = "snapshot"
    __table_args__ = (
        UniqueConstraint("track_id", "category", "voters", "published_on"),
        Index(None, "track_id", "voters", "category", "id"),  # the newest of a leaderboard
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    track_id: Mapped[int] = mapped_column(ForeignKey("track.id"))
    category: Mapped[str] = mapped_column(String(KEY_LENGTH))
    voters: Mapped[VoterKind] = mapped_column(string_enum(VoterKind))
    published_on: Mapped[date]
    computed_at: Mapped[datetime]
    watermark: Mapped[int] = mapped_column(BigId)  # computed from the votes up to this id
    votes: Mapped[int]
    # Computed with the events of the ledger up to this number.
    hold_events: Mapped[int] = mapped_column(BigId, default=0, server_default="0")
    # Numbers of held votes, and the ratings without holds, as `standings.held_votes` makes them;
    # None: an older version.
    holds: Mapped[dict[str, Any] | None]
    parameters: Mapped[dict[str, Any]]
    # Of all people's votes in a track: `{"explore": share of uniform draws, "pairs": [[entrant_id,
    # higher entrant_id, probability], ...]}`, which the adaptive sampler draws from.
    sampling: Mapped[dict[str, Any] | None]
    # What the page and the API show beside the ratings, and of which votes; None: an older version.
    details: Mapped[dict[str, Any] | None]

    track: Mapped[Track] = relationship()
    standings: Mapped[list["Standing"]] = relationship(
        cascade="all, delete-orphan", order_by="Standing.position"
    )


class Standing(Base):
    """One entrant's row of a snapshot; its columns are `BoardRow`'s. Written by `standings`."""

    __tablename__ = "standing"

    snapshot_id: Mapped[int] = mapped_column(
        ForeignKey("snapshot.id", ondelete="CASCADE"), primary_key=True
    )
    entrant_id: Mapped[int] = mapped_column(ForeignKey("entrant.id"), primary_key=True)
    position: Mapped[int]
    rank: Mapped[int | None]
    rank_lower: Mapped[int | None]
    rank_upper: Mapped[int | None]
    rating: Mapped[float | None]
    rating_lower: Mapped[float | None]
    rating_upper: Mapped[float | None]
    variance: Mapped[float | None]
    vote_count: Mapped[int]
    wins: Mapped[int]
    losses: Mapped[int]
    ties: Mapped[int]
    both_bad: Mapped[int]
    win_rate: Mapped[float | None]
    status: Mapped[str] = mapped_column(String(20))

    entrant: Mapped[Entrant] = relationship()


class Lease(Base):
    """Which process does a background job that only one may do. Written by `standings.leases`.

    A holder counts `renewals` up while it works; another process takes over once it has seen no
    renewal for a while by its own monotonic clock, so that no two clocks need to agree.
    """

    __tablename__ = "lease"

    name: Mapped[str] = mapped_column(String(40), primary_key=True)
    holder: Mapped[str] = mapped_column(String(64))
    renewals: Mapped[int] = mapped_column(BigInteger)
