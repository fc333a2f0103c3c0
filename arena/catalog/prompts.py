"""Writes prompts: importing and finding them; each call runs in the caller's transaction."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from types import MappingProxyType
from typing import NamedTuple

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from arena.catalog.registration import note_deviations
from arena.catalog.schemas import PromptEntry
from arena.catalog.tracks import add_to_tracks, find_tracks, list_tracks
from arena.errors import CatalogError, NotFound
from arena.models import Modality, Prompt, PromptCategory, PromptTrack, Track

# The kind of source that prompts of a track have, and how sentences name it.
SOURCE_KINDS = {Modality.IMAGE_TO_VIDEO: "image", Modality.VIDEO_EDIT: "video"}
AN = {"image": "an image", "video": "a video"}


def list_prompts(session: Session) -> list[Prompt]:
    """Return all prompts, retired ones included, ordered by id."""
    return list(session.scalars(select(Prompt).order_by(Prompt.id)))


def count_held_out(session: Session, track: Track) -> int:
    """Return how many active prompts of a track are held out."""
    query = (
        select(func.count())
        .select_from(Prompt)
        .join(PromptTrack, PromptTrack.prompt_id == Prompt.id)
        .where(
            PromptTrack.track_id == track.id,
            Prompt.retired_at.is_(None),
            or_(Prompt.private, Prompt.held_out),
        )
    )
    return session.scalar(query) or 0


def find_prompt(session: Session, prompt_id: str) -> Prompt:
    """Return the prompt of this id.

    Raises:
        NotFound: no such prompt.
    """
    prompt = session.get(Prompt, prompt_id)
    if prompt is None:
        raise NotFound(f"No prompt has the id '{prompt_id}': `arena prompts list` lists them all.")
    return prompt


@dataclass(frozen=True)
class StoredSource:
    """The copy of a prompt's source in the media store.

    Attributes:
        path: in the store.
        sha256: of the file, in hexadecimal.
        bytes: the file's size.
        media_type: such as `image/png`.
        width, height: in pixels, as shown.
    """

    path: str
    sha256: str
    bytes: int
    media_type: str
    width: int
    height: int


def set_source(prompt: Prompt, source: StoredSource | None, *, fault: str | None = None) -> None:
    """Store what is known of a prompt's source, or why it cannot be shown."""
    prompt.source_fault = fault
    if source is not None:
        for key, value in asdict(source).items():
            setattr(prompt, f"source_{key}", value)


class ImportedPrompts(NamedTuple):
    """Numbers of prompts: added, already stored, and of the latter those in further tracks now."""

    added: int
    existing: int
    updated: int


def import_prompts(
    session: Session,
    entries: Sequence[PromptEntry],
    *,
    sources: Mapping[str, StoredSource] = MappingProxyType({}),
    now: datetime,
) -> ImportedPrompts:
    """Add prompts, or let existing ones be asked in further tracks.

    Args:
        session: in a transaction that writes.
        entries: the prompts.
        sources: copies of sources by the prompt's id; `sources.copied_sources` makes them.
        now: aware.

    Raises:
        CatalogError: unknown track, a source that is missing or of the wrong kind, or an id that
            exists with another text.
    """
    added = updated = 0
    for entry in entries:
        prompt = session.get(Prompt, entry.id)
        if prompt is not None and prompt.text != entry.text:
            raise CatalogError(
                f"The prompt {entry.id} exists with another text: a prompt never changes; "
                "give the new one another id."
            )
        if prompt is not None and prompt.source is None and entry.source is not None:
            raise CatalogError(
                f"The prompt {entry.id} exists without a source: a prompt never changes; "
                "give the new one another id."
            )
        if prompt is not None and entry.held_out and not prompt.is_held_out:
            raise CatalogError(
                f"The prompt {entry.id} exists and is not held out: votes may have revealed its "
                "clips; give the held-out one another id."
            )
        tracks = _tracks_for(session, entry, _source_kind(prompt, sources.get(entry.id)))
        if prompt is None:
            added += 1
            prompt = Prompt(
                id=entry.id,
                text=entry.text,
                source=entry.source,
                private=entry.private,
                held_out=entry.held_out or entry.private,
                created_at=now,
                tracks=tracks,
                category_rows=[
                    PromptCategory(category=category) for category in sorted(set(entry.categories))
                ],
            )
            session.add(prompt)
        elif add_to_tracks(prompt, tracks):
            updated += 1
        if entry.id in sources:
            prompt.source = entry.source
            set_source(prompt, sources[entry.id])
    session.flush()
    note_deviations(session, now=now)
    return ImportedPrompts(added, len(entries) - added, updated)


def _source_kind(prompt: Prompt | None, source: StoredSource | None) -> str | None:
    """Return whether a source is an `image` or a `video`; None if that is not known."""
    media_type = source.media_type if source else prompt and prompt.source_media_type
    return media_type.partition("/")[0] if media_type else None


def _tracks_for(session: Session, entry: PromptEntry, source_kind: str | None) -> list[Track]:
    """Return the tracks that a prompt names, else all that match its source or that it has none."""
    if not entry.tracks:
        return [
            track
            for track in list_tracks(session)
            if (track.modality is not Modality.TEXT_TO_VIDEO) == (entry.source is not None)
            and source_kind in (None, SOURCE_KINDS.get(track.modality))
        ]
    tracks = find_tracks(session, entry.tracks, owner=f"The prompt {entry.id}")
    for track in tracks:
        if track.modality is not Modality.TEXT_TO_VIDEO and entry.source is None:
            raise CatalogError(
                f"The prompt {entry.id} has no source, and the track {track.name} needs one."
            )
        needed = SOURCE_KINDS.get(track.modality, source_kind)
        if source_kind not in (None, needed):
            raise CatalogError(
                f"The source of the prompt {entry.id} is {AN[source_kind]}, and the track "
                f"{track.name} needs {AN[str(needed)]}."
            )
    return tracks
