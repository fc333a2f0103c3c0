"""The tables of voters, battles and votes, and of the events that hold votes."""

from datetime import datetime

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKey,
    Index,
    String,
    false,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column, relationship

from arena.models.base import Base, BigId, string_enum
from arena.models.catalog import Prompt, Track
from arena.models.clips import Clip
from arena.models.enums import (
    KEY_LENGTH,
    REASON_LENGTH,
    REPORT_LENGTH,
    RULE_LENGTH,
    BattleState,
    Choice,
    HoldKind,
    Side,
)
from arena.voter_kinds import VoterKind


class Voter(Base):
    """A pseudonymous person or a simulated voter. Written by `voting.voters`."""

    __tablename__ = "voter"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    key: Mapped[str] = mapped_column(String(64), unique=True)
    kind: Mapped[VoterKind] = mapped_column(string_enum(VoterKind))
    created_at: Mapped[datetime]


class Visitor(Base):
    """A browser that was shown battles and has not voted. Written by `voting.voters`.

    Its first vote makes it a voter with the same id; without one it is deleted, with its battles.
    """

    __tablename__ = "visitor"

    id: Mapped[int] = mapped_column(BigId, primary_key=True, autoincrement=False)
    key: Mapped[str] = mapped_column(String(64), unique=True)
    created_at: Mapped[datetime] = mapped_column(index=True)


class Battle(Base):
    """Two clips of one prompt, shown to one voter. Written by `voting.battles`.

    `voting.ballots` and `voting.reports` end it, `voting.fetches` notes what was sent of it.
    """

    __tablename__ = "battle"
    __table_args__ = (
        CheckConstraint("clip_a_id <> clip_b_id", name="two_clips"),
        CheckConstraint("probability > 0 AND probability <= 1", name="probability"),
        # With the clips, so that what a voter has seen is read from the index alone.
        Index("ix_battle_voter_track_clips", "voter_id", "track_id", "clip_a_id", "clip_b_id"),
        *(
            # At most one open and one prefetched battle for a voter and track.
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

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    token: Mapped[str] = mapped_column(String(43), unique=True)
    track_id: Mapped[int] = mapped_column(ForeignKey("track.id"))
    prompt_id: Mapped[str] = mapped_column(ForeignKey("prompt.id"))
    voter_id: Mapped[int] = mapped_column(BigId)  # of a voter or a visitor
    clip_a_id: Mapped[int] = mapped_column(ForeignKey("clip.id"), index=True)
    clip_b_id: Mapped[int] = mapped_column(ForeignKey("clip.id"), index=True)
    category: Mapped[str | None] = mapped_column(String(KEY_LENGTH))  # that the voter asked for
    # The category asked for since it opened: that of the battle after it.
    next_category: Mapped[str | None] = mapped_column(String(KEY_LENGTH))
    sampler: Mapped[str] = mapped_column(String(RULE_LENGTH))
    probability: Mapped[float]
    state: Mapped[BattleState] = mapped_column(string_enum(BattleState))
    repeat_of: Mapped[int | None] = mapped_column(ForeignKey("battle.id"))
    issued_at: Mapped[datetime]  # evidence for audits: a prefetched battle has no other time
    opened_at: Mapped[datetime | None]
    expires_at: Mapped[datetime | None]
    voided_at: Mapped[datetime | None]  # when its voter reported that a file does not play
    # When this server first sent each clip of the battle, and how many bytes of it in all.
    fetched_a_at: Mapped[datetime | None]
    fetched_b_at: Mapped[datetime | None]
    fetched_a_bytes: Mapped[int | None] = mapped_column(BigInteger)
    fetched_b_bytes: Mapped[int | None] = mapped_column(BigInteger)

    track: Mapped[Track] = relationship()
    prompt: Mapped[Prompt] = relationship()
    clip_a: Mapped[Clip] = relationship(foreign_keys=[clip_a_id])
    clip_b: Mapped[Clip] = relationship(foreign_keys=[clip_b_id])


class BattleReport(Base):
    """A voter's report that a file of a battle does not play. Written by `reports`."""

    __tablename__ = "battle_report"
    __table_args__ = (
        CheckConstraint("(clip_id IS NULL) <> (prompt_id IS NULL)", name="one_file"),
        Index("ix_battle_report_voter_reported", "voter_id", "reported_at"),
    )

    battle_id: Mapped[int] = mapped_column(ForeignKey("battle.id"), primary_key=True)
    voter_id: Mapped[int] = mapped_column(ForeignKey("voter.id"))
    clip_id: Mapped[int | None] = mapped_column(ForeignKey("clip.id"), index=True)
    # The prompt whose source was reported, if it was not a clip.
    prompt_id: Mapped[str | None] = mapped_column(ForeignKey("prompt.id"), index=True)
    reason: Mapped[str] = mapped_column(String(REPORT_LENGTH))
    damage: Mapped[str | None]  # what is wrong with the stored file; None: nothing
    reported_at: Mapped[datetime]


class Vote(Base):
    """The answer to one battle; never changed and never deleted. Written by `voting.votes`."""

    __tablename__ = "vote"
    __table_args__ = (Index("ix_vote_voter_cast", "voter_id", "cast_at"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    battle_id: Mapped[int] = mapped_column(ForeignKey("battle.id"), unique=True)
    voter_id: Mapped[int] = mapped_column(ForeignKey("voter.id"))
    choice: Mapped[Choice] = mapped_column(string_enum(Choice))
    cast_at: Mapped[datetime]
    receipt: Mapped[str] = mapped_column(String(32), unique=True)
    watched_a_ms: Mapped[int | None]
    watched_b_ms: Mapped[int | None]
    heard_a_ms: Mapped[int | None]
    heard_b_ms: Mapped[int | None]
    first: Mapped[Side | None] = mapped_column(string_enum(Side))
    decided_ms: Mapped[int]
    reasons: Mapped[list[str]]
    # In a track with sound: not both sides were heard, so ratings leave the vote out.
    picture_only: Mapped[bool] = mapped_column(default=False, server_default=false())
    # Whether the server could confirm that both clips were watched; None: an older version's vote.
    watch_checked: Mapped[bool | None]
    # The ratings that the reveal showed, so that a repeated request gets the same answer.
    shown_rating_a: Mapped[float | None]
    shown_rating_b: Mapped[float | None]

    battle: Mapped[Battle] = relationship()
    voter: Mapped[Voter] = relationship()


class HoldEvent(Base):
    """That a vote is held, or counts again, and why. Written by `holds.ledger`.

    Rows are only added. Numbers have no gaps, and seals cover them in this order.
    """

    __tablename__ = "hold_event"

    number: Mapped[int] = mapped_column(BigId, primary_key=True, autoincrement=False)
    vote_id: Mapped[int] = mapped_column(ForeignKey("vote.id"), index=True)
    kind: Mapped[HoldKind] = mapped_column(string_enum(HoldKind))
    rule: Mapped[str] = mapped_column(String(RULE_LENGTH))  # a value of `HoldRule`
    version: Mapped[int]  # of the rule
    reason: Mapped[str] = mapped_column(String(REASON_LENGTH))  # public
    author: Mapped[str] = mapped_column(String(KEY_LENGTH))
    at: Mapped[datetime]
    sha256: Mapped[str] = mapped_column(String(64))  # of its canonical JSON

    vote: Mapped[Vote] = relationship()
