"""Writes tracks: adding, finding and closing them; each call runs in the caller's transaction."""

import enum
from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from arena.catalog.schemas import TrackEntry
from arena.errors import CatalogError, NotFound
from arena.models import Entrant, Prompt, PromptCategory, PromptTrack, Track
from arena.text import AUDIO_SUFFIX


def list_tracks(session: Session) -> list[Track]:
    """Return all tracks, in the order in which they were added."""
    return list(session.scalars(select(Track).order_by(Track.id)))


def find_track(session: Session, name: str) -> Track:
    """Return the track of this name.

    Raises:
        NotFound: no such track; lists those that exist.
    """
    track = session.scalar(select(Track).where(Track.name == name))
    if track is None:
        known = ", ".join(session.scalars(select(Track.name).order_by(Track.id)))
        raise NotFound(f"No track is named '{name}'; the tracks are: {known or 'none yet'}.")
    return track


def check_category(session: Session, track: Track, category: str) -> None:
    """Raise NotFound unless a prompt of the track has this category."""
    query = (
        select(PromptCategory.category)
        .join(PromptTrack, PromptTrack.prompt_id == PromptCategory.prompt_id)
        .where(PromptTrack.track_id == track.id)
        .distinct()
        .order_by(PromptCategory.category)
    )
    if session.scalar(query.where(PromptCategory.category == category).limit(1)) is None:
        known = ", ".join(session.scalars(query))
        raise NotFound(
            f"The track {track.name} has no category '{category}'; it has: {known or 'none'}."
        )


class Change(enum.Enum):
    """What adding an entry did to the catalog."""

    ADDED = "added"
    UPDATED = "updated"
    UNCHANGED = "unchanged"


class AddedTrack(NamedTuple):
    """A track of the catalog and what adding it changed."""

    track: Track
    change: Change


def add_track(session: Session, entry: TrackEntry, *, now: datetime) -> AddedTrack:
    """Add a track; adding the same track again changes nothing.

    Raises:
        CatalogError: a track of this name has other settings, or the name contradicts `audio`.
    """
    if entry.audio != entry.name.endswith(AUDIO_SUFFIX) and entry.name.startswith(entry.modality):
        raise CatalogError(
            f"The track {entry.name}: audio = {str(entry.audio).lower()} contradicts its name."
        )
    track = session.scalar(select(Track).where(Track.name == entry.name))
    if track is None:
        track = Track(**entry.model_dump(), created_at=now)
        session.add(track)
        session.flush()
        return AddedTrack(track, Change.ADDED)
    for key, value in entry.model_dump().items():
        if (known := getattr(track, key)) != value:
            raise CatalogError(
                f"The track {entry.name} exists with {key} = {known}, not {value}: a track's "
                "settings never change; give the new track another name."
            )
    return AddedTrack(track, Change.UNCHANGED)


def close_track(session: Session, track: Track, *, now: datetime) -> bool:
    """Stop generating clips and drawing battles in a track, for good; its votes count.

    Returns:
        Whether it was open until now.
    """
    was_open = track.closed_at is None
    if was_open:
        track.closed_at = now
        session.flush()
    return was_open


def find_tracks(session: Session, names: Iterable[str], *, owner: str) -> list[Track]:
    known = {track.name: track for track in list_tracks(session)}
    for name in names:
        if name not in known:
            raise CatalogError(
                f"{owner} names the unknown track '{name}'; "
                f"the tracks are: {', '.join(known) or 'none yet, run `arena init`'}."
            )
    return [known[name] for name in dict.fromkeys(names)]


def add_to_tracks(item: Entrant | Prompt, tracks: list[Track]) -> list[Track]:
    """Add those of the tracks that the item is not in yet, and return them."""
    new = [track for track in tracks if track not in item.tracks]
    if new:
        item.tracks = sorted([*item.tracks, *new], key=lambda track: track.id)
    return new
