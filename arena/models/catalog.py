"""The tables of the catalog: tracks, entrants, prompts and what was registered or published."""

from datetime import date, datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKey,
    String,
    false,
)
from sqlalchemy.orm import Mapped, mapped_column, relationship

from arena.models.base import Base, BigId, JsonDocument, string_enum
from arena.models.enums import (
    FINGERPRINT_LENGTH,
    KEY_LENGTH,
    MEDIA_TYPE_LENGTH,
    NAME_LENGTH,
    PROMPT_REWRITING,
    RULE_LENGTH,
    Modality,
    Reveal,
)


class Track(Base):
    """A pool of entrants that are compared under the same settings. Written by `catalog.tracks`."""

    __tablename__ = "track"
    __table_args__ = (
        CheckConstraint("width > 0 AND height > 0 AND fps > 0 AND frames > 0", name="size"),
        CheckConstraint("seeds > 0 AND bytes > 0 AND video_kbps > 0", name="terms"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(KEY_LENGTH), unique=True)
    modality: Mapped[Modality] = mapped_column(string_enum(Modality))
    audio: Mapped[bool]
    width: Mapped[int]
    height: Mapped[int]
    fps: Mapped[int]
    frames: Mapped[int]
    video_kbps: Mapped[int]
    bytes: Mapped[int] = mapped_column(BigId)
    min_watch_ms: Mapped[int]
    reveal: Mapped[Reveal] = mapped_column(string_enum(Reveal))
    seeds: Mapped[int]
    sampler: Mapped[str] = mapped_column(String(RULE_LENGTH))
    ties: Mapped[str] = mapped_column(String(RULE_LENGTH))
    # What voters may choose as the reasons of a vote.
    reasons: Mapped[list[str]] = mapped_column(default=list, server_default="[]")
    # Whether makers' services may rewrite prompts; one of `PROMPT_REWRITING`.
    prompt_rewriting: Mapped[str] = mapped_column(
        String(RULE_LENGTH), default=PROMPT_REWRITING[0], server_default=PROMPT_REWRITING[0]
    )
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
    """A model version with its settings, as it competes.

    Written by `catalog.entrants`; `retired_at` by `catalog.retirement`.
    """

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
    """Which entrant competes in which track. Written by `catalog.entrants`."""

    __tablename__ = "entrant_track"

    entrant_id: Mapped[int] = mapped_column(ForeignKey("entrant.id"), primary_key=True)
    track_id: Mapped[int] = mapped_column(ForeignKey("track.id"), primary_key=True, index=True)


class Prompt(Base):
    """A text; in some tracks with a first image or source video.

    Written by `catalog.prompts`; `retired_at` by `catalog.retirement`.
    """

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
    """Which prompt is asked in which track. Written by `catalog.prompts`."""

    __tablename__ = "prompt_track"

    prompt_id: Mapped[str] = mapped_column(ForeignKey("prompt.id"), primary_key=True)
    track_id: Mapped[int] = mapped_column(ForeignKey("track.id"), primary_key=True, index=True)


class PromptCategory(Base):
    """One category of one prompt. Written by `catalog.prompts`."""

    __tablename__ = "prompt_category"

    prompt_id: Mapped[str] = mapped_column(ForeignKey("prompt.id"), primary_key=True)
    category: Mapped[str] = mapped_column(String(KEY_LENGTH), primary_key=True, index=True)


class CatalogVersion(Base):
    """A number that every change of tracks, entrants, prompts or clips replaces; one row.

    Written by `catalog_version`, so that every process knows when to read the catalog again.
    """

    __tablename__ = "catalog_version"

    id: Mapped[int] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column(BigInteger)
