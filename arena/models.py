"""The database tables and their enums; each table's docstring names the module that writes it.

On PostgreSQL, here and in migrations, every text column has the collation "C", so that texts sort
by their code points as in SQLite and Python, and every JSON column is JSONB.
"""

import enum
from datetime import UTC, date, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    CheckConstraint,
    Column,
    Date,
    DateTime,
    Dialect,
    Enum,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    TypeDecorator,
    UniqueConstraint,
    false,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from arena.voter_kinds import OVERALL as OVERALL
from arena.voter_kinds import VoterGroup as VoterGroup
from arena.voter_kinds import VoterKind as VoterKind

# Rules that draw a pair, by their published names; the first is the default of a new track.
SAMPLERS = ("adaptive", "uniform")
REPEAT = "repeat"  # the sampler of a battle that shows an earlier one again
# Longest texts that the columns hold, in characters; the schemas of files have the same limits.
NAME_LENGTH = 120  # of an entrant's name, slug, codename, creator or licence
KEY_LENGTH = 80  # of a track's name, a prompt's id or a category
RULE_LENGTH = 40  # of a sampler's or a tie rule's name
MEDIA_TYPE_LENGTH = 40  # of a source's media type, such as `image/png`
FINGERPRINT_LENGTH = 90  # of what an entrant runs: a kind, a colon and a SHA-256
NETWORK_LENGTH = 40  # of the hash of a network, or of the name of a total
REPORT_LENGTH = 200  # of the reason that a voter gives for a report
REASON_LENGTH = 300  # of the public reason why a vote is held or counts again


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


class OrderState(enum.StrEnum):
    """What is known of an order to a paid service."""

    PLANNED = "planned"  # a run has claimed the clip; nothing was sent yet
    PLACING = "placing"  # about to be sent, or sent without an answer yet
    ACCEPTED = "accepted"  # the service gave it an id; the next run goes on waiting for it
    RECEIVED = "received"  # its file was downloaded
    REJECTED = "rejected"  # surely not accepted: the clip may be ordered again
    FAILED = "failed"  # the service made no clip: it may be ordered again
    UNKNOWN = "unknown"  # may have been accepted, and billed: not ordered again unless asked


class VoteStatus(enum.StrEnum):
    """What became of an answer, as the API and receipts report it."""

    COUNTED = "counted"
    HELD = "held"
    SKIPPED = "skipped"


class HoldRule(enum.StrEnum):
    """Why a held vote does not count, as releases report it; `holds.rules` explains each."""

    # Of the vote itself: in a track with sound, judged without hearing both sides.
    PICTURE_ONLY = "picture-only"
    # Of events, about all votes of a voter in a track.
    AGREEMENT = "agreement"
    FAVOURITISM = "favouritism"
    CONCENTRATION = "concentration"
    ONE_SIDED = "one-sided"
    SPEED = "speed"
    REPETITION = "repetition"
    HONEY = "honey"
    # Of events, about votes on one model and day, by voters with few votes.
    COMPLETION = "completion"
    WITHDRAWN = "withdrawn"  # the voter took the vote back
    OPERATOR = "operator"  # somebody who runs the arena decided


class HoldKind(enum.StrEnum):
    """What an event of the ledger says of a vote; the last event of a vote decides."""

    HOLD = "hold"  # it does not count
    RELEASE = "release"  # it counts again
    COUNT = "count"  # it counts, and was not held before: the rules leave its voter alone


class BattleState(enum.StrEnum):
    # Issued early so that its clips can load; opens when the battle before it is answered.
    PREFETCHED = "ahead"
    OPEN = "open"
    ANSWERED = "answered"
    # Can no longer be answered: its time passed, it was replaced, or `voided_at` says when it was
    # reported as not playable.
    EXPIRED = "expired"


class BattleFile(enum.StrEnum):
    """The files that a battle shows; `SOURCE` only in tracks whose prompts have one."""

    A = "a"
    B = "b"
    SOURCE = "source"


class WithheldCause(enum.StrEnum):
    """Why a clip is in no battle although it is ready."""

    DAMAGED = "damaged"  # its file is missing, or is not the one that was stored
    REPORTED = "reported"  # voters reported that it does not play
    OPERATOR = "operator"  # somebody who runs the arena withdrew it


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
    """Aware UTC datetimes on every database; SQLite itself stores no time zone."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a datetime without a time zone cannot be stored")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


JsonDocument = JSON().with_variant(JSONB(), "postgresql")
# Of tables that may have more than 2^31 rows. SQLite's integers have 64 bits, and only an INTEGER
# that is a primary key numbers its rows.
BigId = BigInteger().with_variant(Integer(), "sqlite")


@compiles(String, "postgresql")
def _compile_text(kind: String, compiler: Any, **options: Any) -> str:
    sql = f"VARCHAR({kind.length})" if kind.length else "VARCHAR"
    is_column = isinstance(options.get("type_expression"), Column)
    return f'{sql} COLLATE "C"' if is_column and kind.collation is None else sql


@compiles(JSON, "postgresql")
def _compile_json(_kind: JSON, _compiler: Any, **_options: Any) -> str:
    return "JSONB"


def _string_enum(kind: type[enum.StrEnum]) -> Enum:
    """An enum column that stores the values as text, with a CHECK on every database."""
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
        dict[str, Any]: JsonDocument,
        list[str]: JsonDocument,
    }


class Track(Base):
    """A pool of entrants that are compared under the same settings. Written by `catalog`."""

    __tablename__ = "track"
    __table_args__ = (
        CheckConstraint("width > 0 AND height > 0 AND fps > 0 AND frames > 0", name="size"),
        CheckConstraint("seeds > 0 AND bytes > 0 AND video_kbps > 0", name="terms"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(KEY_LENGTH), unique=True)
    modality: Mapped[Modality] = mapped_column(_string_enum(Modality))
    audio: Mapped[bool]
    width: Mapped[int]
    height: Mapped[int]
    fps: Mapped[int]
    frames: Mapped[int]
    video_kbps: Mapped[int]
    bytes: Mapped[int] = mapped_column(BigId)
    min_watch_ms: Mapped[int]
    reveal: Mapped[Reveal] = mapped_column(_string_enum(Reveal))
    seeds: Mapped[int]
    sampler: Mapped[str] = mapped_column(String(RULE_LENGTH))
    ties: Mapped[str] = mapped_column(String(RULE_LENGTH))
    # What voters may choose as the reasons of a vote.
    reasons: Mapped[list[str]] = mapped_column(default=list, server_default="[]")
    created_at: Mapped[datetime]
    closed_at: Mapped[datetime | None]

    entrants: Mapped[list["Entrant"]] = relationship(
        secondary="entrant_track", back_populates="tracks", order_by="Entrant.id"
    )
    prompts: Mapped[list["Prompt"]] = relationship(
        secondary="prompt_track", back_populates="tracks", order_by="Prompt.id"
    )


class Registration(Base):
    """What was published of a track before its first vote. Written by `catalog.registration`.

    Rows are only added. `document` is canonical JSON, `sha256` its hash, which a seal covers, and
    `nonces` what the hashes of private prompts were made with, by the prompt's id.
    """

    __tablename__ = "registration"

    track_id: Mapped[int] = mapped_column(
        ForeignKey("track.id"), primary_key=True, autoincrement=False
    )
    document: Mapped[str]
    sha256: Mapped[str] = mapped_column(String(64))
    nonces: Mapped[dict[str, Any]]
    registered_at: Mapped[datetime]

    track: Mapped[Track] = relationship()


class Deviation(Base):
    """A change of what a track registered. Written by `catalog.registration`.

    Rows are only added; one whose `found` equals `registered` says that a change was undone.
    """

    __tablename__ = "deviation"

    id: Mapped[int] = mapped_column(primary_key=True)
    track_id: Mapped[int] = mapped_column(ForeignKey("registration.track_id"), index=True)
    what: Mapped[str]  # a key of the document, or `prompt ID`
    registered: Mapped[Any | None] = mapped_column(JsonDocument)
    found: Mapped[Any | None] = mapped_column(JsonDocument)
    noted_at: Mapped[datetime]


class Entrant(Base):
    """A model version with its settings, as it competes. Written by `catalog`."""

    __tablename__ = "entrant"

    id: Mapped[int] = mapped_column(primary_key=True)
    slug: Mapped[str] = mapped_column(String(NAME_LENGTH), unique=True)
    name: Mapped[str] = mapped_column(String(NAME_LENGTH), unique=True)
    creator: Mapped[str] = mapped_column(String(NAME_LENGTH))
    release_date: Mapped[date | None]
    licence: Mapped[str] = mapped_column(String(NAME_LENGTH))
    codename: Mapped[str | None] = mapped_column(String(NAME_LENGTH), unique=True)
    commitment: Mapped[str | None] = mapped_column(String(64))
    # What it runs, as `weights_sha256:…`, `endpoint_sha256:…` or `clips_sha256:…`: equal for equal
    # models, and as secret as the name while a codename is shown.
    fingerprint: Mapped[str | None] = mapped_column(String(FINGERPRINT_LENGTH))
    price_usd_per_minute: Mapped[float | None]
    backend: Mapped[dict[str, Any]]
    created_at: Mapped[datetime]
    claimed_at: Mapped[datetime | None]
    retired_at: Mapped[datetime | None]

    tracks: Mapped[list[Track]] = relationship(
        secondary="entrant_track", back_populates="entrants", order_by="Track.id"
    )

    @property
    def stealth(self) -> bool:
        """Whether the codename is still shown instead of name and creator."""
        return self.codename is not None and self.claimed_at is None

    @property
    def shown_name(self) -> str:
        """The name on pages and in releases: the codename until the entrant is claimed."""
        return self.codename if self.codename and self.stealth else self.name

    @property
    def shown_creator(self) -> str | None:
        """The creator on pages and in releases; None under a codename."""
        return None if self.stealth else self.creator

    @property
    def shown_licence(self) -> str | None:
        """The licence in public; None under a codename, since it can identify the creator."""
        return None if self.stealth else self.licence

    @property
    def shown_release_date(self) -> date | None:
        """The release date in public; None under a codename."""
        return None if self.stealth else self.release_date

    @property
    def shown_slug(self) -> str:
        """What names it on a command line: the codename until it is claimed, then the slug."""
        return self.codename if self.codename and self.stealth else self.slug


class PublishedOpening(Base):
    """What a commitment committed to, published by its claim. Written by `catalog.claims`.

    Rows are only added. `document` is the canonical JSON whose SHA-256 is the commitment.
    """

    __tablename__ = "opening"

    entrant_id: Mapped[int] = mapped_column(ForeignKey("entrant.id"), primary_key=True)
    document: Mapped[str]
    published_at: Mapped[datetime]

    entrant: Mapped[Entrant] = relationship()


class EntrantTrack(Base):
    """Which entrant competes in which track. Written by `catalog`."""

    __tablename__ = "entrant_track"

    entrant_id: Mapped[int] = mapped_column(ForeignKey("entrant.id"), primary_key=True)
    track_id: Mapped[int] = mapped_column(ForeignKey("track.id"), primary_key=True, index=True)


class Prompt(Base):
    """A text; in some tracks with a first image or source video. Written by `catalog`."""

    __tablename__ = "prompt"

    id: Mapped[str] = mapped_column(String(KEY_LENGTH), primary_key=True)
    text: Mapped[str]
    source: Mapped[str | None]  # the path from which the source was imported
    # The stored copy of the source, which voters get: its file and what is known of it. All None
    # until the copy is made.
    source_path: Mapped[str | None]
    source_sha256: Mapped[str | None] = mapped_column(String(64))
    source_bytes: Mapped[int | None] = mapped_column(BigId)
    source_media_type: Mapped[str | None] = mapped_column(String(MEDIA_TYPE_LENGTH))
    source_width: Mapped[int | None]  # pixels, as shown
    source_height: Mapped[int | None]
    source_fault: Mapped[str | None]  # why the source cannot be shown; such a prompt is not drawn
    private: Mapped[bool]  # its text is not published either: it is always held out
    # Its battles never reveal names, and its votes are compared with the others.
    held_out: Mapped[bool] = mapped_column(default=False, server_default=false())
    created_at: Mapped[datetime]
    retired_at: Mapped[datetime | None]

    tracks: Mapped[list[Track]] = relationship(
        secondary="prompt_track", back_populates="prompts", order_by="Track.id"
    )
    category_rows: Mapped[list["PromptCategory"]] = relationship(
        cascade="all, delete-orphan", order_by="PromptCategory.category"
    )

    @property
    def is_held_out(self) -> bool:
        """Whether battles with this prompt never reveal names."""
        return self.private or self.held_out

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
    category: Mapped[str] = mapped_column(String(KEY_LENGTH), primary_key=True, index=True)


class Clip(Base):
    """One entrant's result for one prompt and seed, or its failure. Written by `production`."""

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
    status: Mapped[ClipStatus] = mapped_column(_string_enum(ClipStatus))
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


class CatalogVersion(Base):
    """A number that every change of tracks, entrants, prompts or clips replaces; one row.

    Written by `catalog_version`, so that every process knows when to read the catalog again.
    """

    __tablename__ = "catalog_version"

    id: Mapped[int] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column(BigInteger)


class Voter(Base):
    """A pseudonymous person or a simulated voter. Written by `voting.voters`."""

    __tablename__ = "voter"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    key: Mapped[str] = mapped_column(String(64), unique=True)
    kind: Mapped[VoterKind] = mapped_column(_string_enum(VoterKind))
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
    state: Mapped[BattleState] = mapped_column(_string_enum(BattleState))
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
    """The answer to one battle; never changed and never deleted. Written by `voting.answering`."""

    __tablename__ = "vote"
    __table_args__ = (Index("ix_vote_voter_cast", "voter_id", "cast_at"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    battle_id: Mapped[int] = mapped_column(ForeignKey("battle.id"), unique=True)
    voter_id: Mapped[int] = mapped_column(ForeignKey("voter.id"))
    choice: Mapped[Choice] = mapped_column(_string_enum(Choice))
    cast_at: Mapped[datetime]
    receipt: Mapped[str] = mapped_column(String(32), unique=True)
    watched_a_ms: Mapped[int | None]
    watched_b_ms: Mapped[int | None]
    heard_a_ms: Mapped[int | None]
    heard_b_ms: Mapped[int | None]
    first: Mapped[Side | None] = mapped_column(_string_enum(Side))
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
    kind: Mapped[HoldKind] = mapped_column(_string_enum(HoldKind))
    rule: Mapped[str] = mapped_column(String(RULE_LENGTH))  # a value of `HoldRule`
    version: Mapped[int]  # of the rule
    reason: Mapped[str] = mapped_column(String(REASON_LENGTH))  # public
    author: Mapped[str] = mapped_column(String(KEY_LENGTH))
    at: Mapped[datetime]
    sha256: Mapped[str] = mapped_column(String(64))  # of its canonical JSON

    vote: Mapped[Vote] = relationship()


class IssuedTo(Base):
    """How many battles one network got on one day, and how many votes came back.

    Written by `voting.budgets`; deleted the day after. `network` is a hash with that day's salt.
    """

    __tablename__ = "issued_to"

    network: Mapped[str] = mapped_column(String(NETWORK_LENGTH), primary_key=True)
    day: Mapped[date] = mapped_column(index=True)
    hour: Mapped[int]  # of the last two numbers, UTC
    issued: Mapped[int]
    votes: Mapped[int]
    issued_in_hour: Mapped[int]
    votes_in_hour: Mapped[int]


class NetworkSalt(Base):
    """The secret with which a day's networks are hashed. Written by `voting.networks`.

    It is deleted the day after, so that nobody can find out which networks the hashes are of.
    """

    __tablename__ = "network_salt"

    day: Mapped[date] = mapped_column(primary_key=True)
    salt: Mapped[str] = mapped_column(String(64))


class Completion(Base):
    """How many battles of one day showed an entrant, and how many of them were voted on.

    Written by `voting.completion`. Battles and votes by people, without repeats.
    """

    __tablename__ = "completion"

    track_id: Mapped[int] = mapped_column(ForeignKey("track.id"), primary_key=True)
    day: Mapped[date] = mapped_column(primary_key=True)
    entrant_id: Mapped[int] = mapped_column(ForeignKey("entrant.id"), primary_key=True)
    issued: Mapped[int]
    voted: Mapped[int]


class CompletionProgress(Base):
    """Up to which battle and vote `completion` counts; one row. Written by `voting.completion`."""

    __tablename__ = "completion_progress"

    id: Mapped[int] = mapped_column(primary_key=True)
    battle_id: Mapped[int] = mapped_column(BigInteger)
    vote_id: Mapped[int] = mapped_column(BigInteger)


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
    voters: Mapped[VoterKind] = mapped_column(_string_enum(VoterKind))
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
