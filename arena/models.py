"""The tables: the design's words as code. Which module writes each is said beside it."""

import enum
from datetime import UTC, date, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    CheckConstraint,
    Date,
    DateTime,
    Dialect,
    Enum,
    ForeignKey,
    Index,
    MetaData,
    String,
    TypeDecorator,
    UniqueConstraint,
    false,
    text,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

OVERALL = "overall"  # the category of a leaderboard over all prompts


class Modality(enum.StrEnum):
    TEXT_TO_VIDEO = "text-to-video"
    IMAGE_TO_VIDEO = "image-to-video"
    VIDEO_EDIT = "video-edit"


class Reveal(enum.StrEnum):
    AFTER_VOTE = "after-vote"
    AT_CLOSE = "at-close"


class ClipStatus(enum.StrEnum):
    READY = "ready"
    FAILED = "failed"


class VoterKind(enum.StrEnum):
    PERSON = "person"
    SIMULATED = "simulated"


class BattleState(enum.StrEnum):
    PREFETCHED = "ahead"  # issued so that its clips can load; opens when the one before is answered
    OPEN = "open"
    ANSWERED = "answered"
    EXPIRED = "expired"


class Side(enum.StrEnum):
    A = "a"
    B = "b"


class Choice(enum.StrEnum):
    A = "a"
    B = "b"
    TIE = "tie"
    BAD = "bad"
    SKIP = "skip"


class UtcDateTime(TypeDecorator[datetime]):
    """Aware UTC in Python on every database; SQLite keeps no time zone of its own."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a time without a zone cannot be stored")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def _words(kind: type[enum.StrEnum]) -> Enum:
    """An enum stored as its words, with a CHECK on every database."""
    return Enum(
        kind,
        native_enum=False,
        create_constraint=True,
        length=32,
        values_callable=lambda members: [member.value for member in members],
        name=kind.__name__.lower(),
    )


class Base(DeclarativeBase):
    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {  # noqa: RUF012  (SQLAlchemy reads it from the class)
        datetime: UtcDateTime,
        date: Date,
        dict[str, Any]: JSON,
        list[str]: JSON,
    }


class Track(Base):
    """One pool of comparison with one set of identical settings. Written by `catalog`."""

    __tablename__ = "track"
    __table_args__ = (
        CheckConstraint("width > 0 AND height > 0 AND fps > 0 AND frames > 0", name="size"),
        CheckConstraint("seeds > 0 AND bytes > 0 AND video_kbps > 0", name="terms"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(80), unique=True)
    modality: Mapped[Modality] = mapped_column(_words(Modality))
    audio: Mapped[bool]
    width: Mapped[int]
    height: Mapped[int]
    fps: Mapped[int]
    frames: Mapped[int]
    video_kbps: Mapped[int]
    bytes: Mapped[int]
    min_watch_ms: Mapped[int]
    reveal: Mapped[Reveal] = mapped_column(_words(Reveal))
    seeds: Mapped[int]
    sampler: Mapped[str] = mapped_column(String(40))
    ties: Mapped[str] = mapped_column(String(40))
    created_at: Mapped[datetime]
    closed_at: Mapped[datetime | None]

    entrants: Mapped[list["Entrant"]] = relationship(
        secondary="entrant_track", back_populates="tracks"
    )
    prompts: Mapped[list["Prompt"]] = relationship(
        secondary="prompt_track", back_populates="tracks"
    )


class Entrant(Base):
    """A model version with its settings, as it competes. Written by `catalog`."""

    __tablename__ = "entrant"

    id: Mapped[int] = mapped_column(primary_key=True)
    slug: Mapped[str] = mapped_column(String(120), unique=True)
    name: Mapped[str] = mapped_column(String(120), unique=True)
    creator: Mapped[str] = mapped_column(String(120))
    release_date: Mapped[date | None]
    licence: Mapped[str] = mapped_column(String(120))
    codename: Mapped[str | None] = mapped_column(String(120), unique=True)
    commitment: Mapped[str | None] = mapped_column(String(64))
    price_usd_per_minute: Mapped[float | None]
    backend: Mapped[dict[str, Any]]
    created_at: Mapped[datetime]
    claimed_at: Mapped[datetime | None]
    retired_at: Mapped[datetime | None]

    tracks: Mapped[list[Track]] = relationship(secondary="entrant_track", back_populates="entrants")

    @property
    def stealth(self) -> bool:
        """Whether a codename still stands in for name and creator."""
        return self.codename is not None and self.claimed_at is None

    @property
    def shown_name(self) -> str:
        """The name on pages and in exports: the codename until its maker's claim."""
        return self.codename if self.codename and self.stealth else self.name

    @property
    def shown_creator(self) -> str | None:
        return None if self.stealth else self.creator


class EntrantTrack(Base):
    """Which entrant competes in which track. Written by `catalog`."""

    __tablename__ = "entrant_track"

    entrant_id: Mapped[int] = mapped_column(ForeignKey("entrant.id"), primary_key=True)
    track_id: Mapped[int] = mapped_column(ForeignKey("track.id"), primary_key=True, index=True)


class Prompt(Base):
    """A text, in some tracks with a first image or source video. Written by `catalog`."""

    __tablename__ = "prompt"

    id: Mapped[str] = mapped_column(String(80), primary_key=True)
    text: Mapped[str]
    source: Mapped[str | None]
    private: Mapped[bool]  # held out: its battles never reveal
    created_at: Mapped[datetime]
    retired_at: Mapped[datetime | None]

    tracks: Mapped[list[Track]] = relationship(secondary="prompt_track", back_populates="prompts")
    category_rows: Mapped[list["PromptCategory"]] = relationship(
        cascade="all, delete-orphan", order_by="PromptCategory.category"
    )

    @property
    def categories(self) -> list[str]:
        return [row.category for row in self.category_rows]


class PromptTrack(Base):
    """Which prompt is asked in which track. Written by `catalog`."""

    __tablename__ = "prompt_track"

    prompt_id: Mapped[str] = mapped_column(ForeignKey("prompt.id"), primary_key=True)
    track_id: Mapped[int] = mapped_column(ForeignKey("track.id"), primary_key=True, index=True)


class PromptCategory(Base):
    """One category of one prompt. Written by `catalog`."""

    __tablename__ = "prompt_category"

    prompt_id: Mapped[str] = mapped_column(ForeignKey("prompt.id"), primary_key=True)
    category: Mapped[str] = mapped_column(String(80), primary_key=True, index=True)


class Clip(Base):
    """What one entrant made of one prompt with one seed. Written by `production`."""

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
    status: Mapped[ClipStatus] = mapped_column(_words(ClipStatus))
    master_path: Mapped[str | None]
    rendition_path: Mapped[str | None]
    master_sha256: Mapped[str | None] = mapped_column(String(64))
    sha256: Mapped[str | None] = mapped_column(String(64))  # of the rendition
    provenance: Mapped[dict[str, Any] | None]
    measures: Mapped[dict[str, Any] | None]
    failure: Mapped[str | None]
    # By the model's rules of content; what else failed is False.
    refused: Mapped[bool] = mapped_column(default=False, server_default=false())
    created_at: Mapped[datetime]

    entrant: Mapped[Entrant] = relationship()
    track: Mapped[Track] = relationship()
    prompt: Mapped[Prompt] = relationship()


class Voter(Base):
    """A pseudonymous person, or a simulated one. Written by `ballots`."""

    __tablename__ = "voter"

    id: Mapped[int] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(String(64), unique=True)
    kind: Mapped[VoterKind] = mapped_column(_words(VoterKind))
    created_at: Mapped[datetime]


class Battle(Base):
    """One showing of two clips of one prompt to one voter. Written by `ballots`."""

    __tablename__ = "battle"
    __table_args__ = (
        CheckConstraint("clip_a_id <> clip_b_id", name="two_clips"),
        CheckConstraint("probability > 0 AND probability <= 1", name="probability"),
        Index("ix_battle_voter_track", "voter_id", "track_id"),
        *(
            # One open battle, and one ahead of it, for a voter and track: the database's own rule.
            Index(
                f"uq_battle_{state}",
                "voter_id",
                "track_id",
                unique=True,
                sqlite_where=text(f"state = '{state}'"),
                postgresql_where=text(f"state = '{state}'"),
            )
            for state in (BattleState.OPEN.value, BattleState.PREFETCHED.value)
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    token: Mapped[str] = mapped_column(String(43), unique=True)
    track_id: Mapped[int] = mapped_column(ForeignKey("track.id"))
    prompt_id: Mapped[str] = mapped_column(ForeignKey("prompt.id"))
    voter_id: Mapped[int] = mapped_column(ForeignKey("voter.id"))
    clip_a_id: Mapped[int] = mapped_column(ForeignKey("clip.id"), index=True)
    clip_b_id: Mapped[int] = mapped_column(ForeignKey("clip.id"), index=True)
    category: Mapped[str | None] = mapped_column(String(80))  # what the voter asked for
    sampler: Mapped[str] = mapped_column(String(40))
    probability: Mapped[float]
    state: Mapped[BattleState] = mapped_column(_words(BattleState))
    repeat_of: Mapped[int | None] = mapped_column(ForeignKey("battle.id"))
    issued_at: Mapped[datetime]
    opened_at: Mapped[datetime | None]
    expires_at: Mapped[datetime | None]

    track: Mapped[Track] = relationship()
    prompt: Mapped[Prompt] = relationship()
    voter: Mapped[Voter] = relationship()
    clip_a: Mapped[Clip] = relationship(foreign_keys=[clip_a_id])
    clip_b: Mapped[Clip] = relationship(foreign_keys=[clip_b_id])


class Vote(Base):
    """The answer to one battle; never changed, never deleted. Written by `ballots`."""

    __tablename__ = "vote"
    __table_args__ = (Index("ix_vote_voter_cast", "voter_id", "cast_at"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    battle_id: Mapped[int] = mapped_column(ForeignKey("battle.id"), unique=True)
    voter_id: Mapped[int] = mapped_column(ForeignKey("voter.id"))
    choice: Mapped[Choice] = mapped_column(_words(Choice))
    cast_at: Mapped[datetime]
    receipt: Mapped[str] = mapped_column(String(32), unique=True)
    watched_a_ms: Mapped[int | None]
    watched_b_ms: Mapped[int | None]
    heard_a_ms: Mapped[int | None]
    heard_b_ms: Mapped[int | None]
    first: Mapped[Side | None] = mapped_column(_words(Side))
    decided_ms: Mapped[int]
    reasons: Mapped[list[str]]
    # What the reveal showed, so that asking again gives the same answer.
    shown_rating_a: Mapped[float | None]
    shown_rating_b: Mapped[float | None]

    battle: Mapped[Battle] = relationship()
    voter: Mapped[Voter] = relationship()


class Snapshot(Base):
    """A leaderboard of one day, track, category and kind of voter. Written by `standings`.

    The day's snapshot is replaced until the day is over; then it is history.
    """

    __tablename__ = "snapshot"
    __table_args__ = (UniqueConstraint("track_id", "category", "voters", "published_on"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    track_id: Mapped[int] = mapped_column(ForeignKey("track.id"))
    category: Mapped[str] = mapped_column(String(80))
    voters: Mapped[VoterKind] = mapped_column(_words(VoterKind))
    published_on: Mapped[date]
    computed_at: Mapped[datetime]
    watermark: Mapped[int]  # the highest vote id it has seen
    votes: Mapped[int]
    parameters: Mapped[dict[str, Any]]

    track: Mapped[Track] = relationship()
    standings: Mapped[list["Standing"]] = relationship(
        cascade="all, delete-orphan", order_by="Standing.position"
    )


class Standing(Base):
    """One entrant's row of a snapshot. Written by `standings`."""

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
