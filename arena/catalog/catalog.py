"""Writes tracks, entrants and prompts; each call runs in the caller's transaction."""

import enum
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any, NamedTuple

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from arena.catalog.openings import Opening
from arena.catalog.registration import note_deviations
from arena.catalog.schemas import EntrantEntry, PromptEntry, TrackEntry
from arena.errors import CatalogError, NotFound
from arena.models import (
    Clip,
    ClipStatus,
    Entrant,
    Modality,
    Prompt,
    PromptCategory,
    PromptTrack,
    Track,
)
from arena.text import AUDIO_SUFFIX, distinct_slug, name_forms

# The kind of source that prompts of a track have, and how sentences name it.
SOURCE_KINDS = {Modality.IMAGE_TO_VIDEO: "image", Modality.VIDEO_EDIT: "video"}
AN = {"image": "an image", "video": "a video"}


def list_tracks(session: Session) -> list[Track]:
    """Return all tracks, in the order in which they were added."""
    return list(session.scalars(select(Track).order_by(Track.id)))


def list_entrants(session: Session) -> list[Entrant]:
    """Return all entrants, retired ones included, in the order in which they were added."""
    return list(session.scalars(select(Entrant).order_by(Entrant.id)))


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


def find_entrant(session: Session, name: str) -> Entrant:
    """Return the entrant of this slug, name or codename.

    Raises:
        NotFound: no such entrant.
    """
    entrant = _by_slug_or_name(session, name)
    if entrant is None:
        raise NotFound(f"No entrant is named '{name}': `arena entrants list` lists them all.")
    return entrant


def _by_slug_or_name(session: Session, name: str) -> Entrant | None:
    """The entrant of a slug, else of a name, else of a codename, in either form of Unicode."""
    forms = name_forms(name)
    for condition in (Entrant.slug == name, Entrant.name.in_(forms), Entrant.codename.in_(forms)):
        entrant = session.scalar(select(Entrant).where(condition))
        if entrant is not None:
            return entrant
    return None


def find_by_slug(session: Session, slug: str) -> Entrant | None:
    """Return the entrant of this slug, retired or not; None if there is none."""
    return session.scalar(select(Entrant).where(Entrant.slug == slug))


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


class AddedEntrant(NamedTuple):
    """An entrant of the catalog and what adding it changed.

    Attributes:
        entrant: as stored.
        change: UPDATED if new settings or further tracks were stored.
        new_settings: whether other settings replaced the stored ones.
        new_tracks: names of the tracks in which it competes from now on.
    """

    entrant: Entrant
    change: Change
    new_settings: bool
    new_tracks: tuple[str, ...]


def add_entrant(
    session: Session, entry: EntrantEntry, *, fingerprint: str | None = None, now: datetime
) -> AddedEntrant:
    """Add a model version, or let an existing one compete in further tracks.

    Other settings replace the stored ones as long as no clip was made with those. What a codename
    has committed to never changes.

    Args:
        session: in a transaction that writes.
        entry: what its file says.
        fingerprint: what it runs, as `Entrant.fingerprint` holds it; None: not known.
        now: aware.

    Raises:
        CatalogError: unknown track, name of another entrant, or settings that cannot change.
    """
    tracks = _find_tracks(session, entry.tracks, owner=f"The entrant {entry.name}")
    values = entry.model_dump(exclude={"tracks", "chosen_slug"})
    entrant = session.scalar(select(Entrant).where(Entrant.name.in_(name_forms(entry.name))))
    if entrant is None:
        for name in filter(None, (entry.name, entry.codename)):
            _refuse_taken_name(session, name)
        values["slug"] = _free_slug(session, entry)
        entrant = Entrant(**values, fingerprint=fingerprint, created_at=now, tracks=tracks)
        session.add(entrant)
        session.flush()
        return AddedEntrant(entrant, Change.ADDED, False, entry.tracks)
    if entrant.retired_at is not None:
        raise CatalogError(
            f"{entrant.shown_name} is retired: `arena entrants restore` lets it compete "
            "again; another version needs another name."
        )
    # The stored slug and form of the name stay: commands and files refer to them.
    values["name"] = entrant.name
    values["slug"] = entrant.slug
    if entry.chosen_slug not in (None, entrant.slug):
        values["slug"] = _free_slug(session, entry)
    new_settings = any(not _same(getattr(entrant, key), value) for key, value in values.items())
    if new_settings:
        _refuse_uncommitted(entrant, entry, fingerprint)
        _replace_settings(session, entrant, values)
        entrant.fingerprint = fingerprint
    elif entrant.fingerprint is None and fingerprint is not None:  # of an earlier version
        entrant.fingerprint = fingerprint
    new_tracks = tuple(track.name for track in _add_tracks(entrant, tracks))
    change = Change.UPDATED if new_settings or new_tracks else Change.UNCHANGED
    return AddedEntrant(entrant, change, new_settings, new_tracks)


def _refuse_uncommitted(entrant: Entrant, entry: EntrantEntry, fingerprint: str | None) -> None:
    """Refuse to change what a codename has committed to in public."""
    if entrant.commitment is None:
        return
    stored = (entrant.codename, entrant.creator, entrant.fingerprint)
    if stored != (entry.codename, entry.creator, fingerprint):
        raise CatalogError(
            f"{entrant.shown_name} has committed in public to its maker and to what it runs, and a "
            "commitment never changes: retire it, and enter the other model under another name "
            "and codename."
        )


def commit_to(session: Session, entrant: Entrant, opening: Opening) -> None:
    """Publish the commitment of a codename; it never changes afterwards."""
    entrant.commitment = opening.commitment
    session.flush()


def _same(stored: object, new: object) -> bool:
    """Whether two settings are equal; texts in any form of Unicode."""
    if isinstance(stored, str) and isinstance(new, str):
        return new in name_forms(stored)
    return stored == new


def _replace_settings(session: Session, entrant: Entrant, values: dict[str, Any]) -> None:
    made = select(Clip.id).where(Clip.entrant_id == entrant.id, Clip.status == ClipStatus.READY)
    if session.scalar(made.limit(1)) is not None:
        raise CatalogError(
            f"An entrant named {entrant.name} exists with other settings, and with clips "
            "made with them: another version needs another name."
        )
    for name in (values["name"], values["codename"]):
        if name is not None and name not in (entrant.name, entrant.codename):
            _refuse_taken_name(session, name, owner=entrant)
    for key, value in values.items():
        setattr(entrant, key, value)
    session.flush()


def _add_tracks(item: Entrant | Prompt, tracks: list[Track]) -> list[Track]:
    """Add those of the tracks that the item is not in yet, and return them."""
    new = [track for track in tracks if track not in item.tracks]
    if new:
        item.tracks = sorted([*item.tracks, *new], key=lambda track: track.id)
    return new


def retire(session: Session, item: Entrant | Prompt, *, now: datetime) -> bool:
    """Stop generating clips and drawing battles for it; its clips and votes stay and count.

    Returns:
        Whether it was active until now.
    """
    active = item.retired_at is None
    if active:
        item.retired_at = now
        session.flush()
        note_deviations(session, now=now)
    return active


def restore(session: Session, item: Entrant | Prompt, *, now: datetime | None = None) -> bool:
    """Undo `retire`: generate its clips and draw battles for it again.

    Without a time, the next seal notes what that changes of a registered track.

    Returns:
        Whether it was retired until now.
    """
    was_retired = item.retired_at is not None
    if was_retired:
        item.retired_at = None
        session.flush()
        if now is not None:
            note_deviations(session, now=now)
    return was_retired


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


def _refuse_taken_name(session: Session, name: str, *, owner: Entrant | None = None) -> None:
    """Refuse a name or codename that finds another entrant already, by whichever of its names."""
    taken = _by_slug_or_name(session, name)
    if taken is None or taken is owner:
        return
    if name == taken.slug and name not in (taken.name, taken.codename):
        raise CatalogError(
            f"The name {name} is the slug of the entrant {taken.shown_name}: choose another."
        )
    raise CatalogError(f"The name {name} is taken by another entrant: choose another.")


def _free_slug(session: Session, entry: EntrantEntry) -> str:
    """The entry's slug, or one that ends in digits of its name's hash if another entrant has it.

    Raises:
        CatalogError: the slug that its file chose is taken.
    """
    taken = _by_slug_or_name(session, entry.slug)
    if taken is None or taken.name in name_forms(entry.name):
        return entry.slug
    distinct = distinct_slug(entry.slug, entry.name)
    if entry.chosen_slug is None and _by_slug_or_name(session, distinct) is None:
        return distinct
    raise CatalogError(
        f"The slug {entry.slug} of {entry.name} is taken by {taken.shown_name}: "
        'choose another with slug = "..." in its file.'
    )


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
        elif _add_tracks(prompt, tracks):
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
    tracks = _find_tracks(session, entry.tracks, owner=f"The prompt {entry.id}")
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


def _find_tracks(session: Session, names: Iterable[str], *, owner: str) -> list[Track]:
    known = {track.name: track for track in list_tracks(session)}
    for name in names:
        if name not in known:
            raise CatalogError(
                f"{owner} names the unknown track '{name}'; "
                f"the tracks are: {', '.join(known) or 'none yet, run `arena init`'}."
            )
    return [known[name] for name in dict.fromkeys(names)]
