"""Writes tracks, entrants and prompts. Every call is whole or not at all: the caller's session."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from arena.catalog.schemas import EntrantEntry, PromptEntry, TrackEntry
from arena.errors import CatalogError, NotFound
from arena.models import Clip, ClipStatus, Entrant, Modality, Prompt, PromptCategory, Track
from arena.text import AUDIO_SUFFIX


def list_tracks(session: Session) -> list[Track]:
    """All tracks, in the order of their entry."""
    return list(session.scalars(select(Track).order_by(Track.id)))


def list_entrants(session: Session) -> list[Entrant]:
    """All entrants, retired ones too, in the order of their entry."""
    return list(session.scalars(select(Entrant).order_by(Entrant.id)))


def list_prompts(session: Session) -> list[Prompt]:
    """All prompts, retired ones too, by id."""
    return list(session.scalars(select(Prompt).order_by(Prompt.id)))


def find_track(session: Session, name: str) -> Track:
    """The track of this name.

    Raises:
        NotFound: naming the tracks that exist.
    """
    track = session.scalar(select(Track).where(Track.name == name))
    if track is None:
        known = ", ".join(session.scalars(select(Track.name).order_by(Track.id)))
        raise NotFound(f"There is no track '{name}'; the tracks are: {known or 'none yet'}.")
    return track


def find_entrant(session: Session, name: str) -> Entrant:
    """The entrant of this slug, name or codename.

    Raises:
        NotFound: there is none.
    """
    entrant = session.scalar(
        select(Entrant).where(
            or_(
                Entrant.slug == name,
                Entrant.name == name,
                Entrant.codename == name,
            )
        )
    )
    if entrant is None:
        raise NotFound(f"There is no entrant '{name}': `arena entrants list` shows them.")
    return entrant


def add_track(session: Session, entry: TrackEntry, *, now: datetime) -> Track:
    """Enter a track; the same track again changes nothing.

    Raises:
        CatalogError: a track of this name has other terms; or the name does not fit the sound.
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
        return track
    for key, value in entry.model_dump().items():
        if (known := getattr(track, key)) != value:
            raise CatalogError(
                f"The track {entry.name} is here already with {key} = {known}, not {value}: "
                "a track's terms never change; give the new one another name."
            )
    return track


class Entered(NamedTuple):
    """An entrant that is in, and what became of it, as the end of a sentence about it."""

    entrant: Entrant
    outcome: str


def add_entrant(session: Session, entry: EntrantEntry, *, now: datetime) -> Entered:
    """Enter a model version, or have one that is here compete in further tracks.

    Other settings take the place of those that are here as long as no clip was made with them.

    Raises:
        CatalogError: an unknown track, or a name that another entrant has.
    """
    tracks = _tracks(session, entry.tracks, what=f"The entrant {entry.name}")
    values = entry.model_dump(exclude={"tracks"})
    entrant = session.scalar(
        select(Entrant).where(or_(Entrant.slug == entry.slug, Entrant.name == entry.name))
    )
    if entrant is None:
        for name in filter(None, (entry.name, entry.codename)):
            _refuse_taken_name(session, name)
        entrant = Entrant(**values, created_at=now, tracks=tracks)
        session.add(entrant)
        session.flush()
        return Entered(entrant, "is in")
    if entrant.retired_at is not None:
        raise CatalogError(f"{entrant.name} is retired: another version needs another name.")
    outcomes = []
    if any(getattr(entrant, key) != value for key, value in values.items()):
        _correct(session, entrant, values)
        outcomes.append("has other settings now")
    if further := _widen(entrant, tracks):
        outcomes.append(f"competes in {', '.join(track.name for track in further)} too")
    return Entered(entrant, " and ".join(outcomes) or "was here already")


def _correct(session: Session, entrant: Entrant, values: dict[str, Any]) -> None:
    made = select(Clip.id).where(Clip.entrant_id == entrant.id, Clip.status == ClipStatus.READY)
    if session.scalar(made.limit(1)) is not None:
        raise CatalogError(
            f"An entrant named {entrant.name} is here already with other settings, and with clips "
            "made with them: another version needs another name."
        )
    for name in (values["name"], values["codename"]):
        if name is not None and name not in (entrant.name, entrant.codename):
            _refuse_taken_name(session, name)
    for key, value in values.items():
        setattr(entrant, key, value)
    session.flush()


def _widen(what: Entrant | Prompt, tracks: list[Track]) -> list[Track]:
    """Add those of the tracks that it is not in; which they are."""
    further = [track for track in tracks if track not in what.tracks]
    if further:
        what.tracks = sorted([*what.tracks, *further], key=lambda track: track.id)
    return further


def retire(session: Session, what: Entrant | Prompt, *, now: datetime) -> bool:
    """Have no more clips made and no more battles drawn of it; what there is stays, and counts.

    Returns whether it was active until now.
    """
    active = what.retired_at is None
    if active:
        what.retired_at = now
        session.flush()
    return active


def _refuse_taken_name(session: Session, name: str) -> None:
    taken = session.scalar(
        select(Entrant.id).where(
            or_(
                Entrant.codename == name,
                Entrant.name == name,
            )
        )
    )
    if taken is not None:
        raise CatalogError(f"The name {name} is taken by another entrant: choose another.")


def find_prompt(session: Session, prompt_id: str) -> Prompt:
    """The prompt of this id.

    Raises:
        NotFound: there is none.
    """
    prompt = session.get(Prompt, prompt_id)
    if prompt is None:
        raise NotFound(f"There is no prompt '{prompt_id}': `arena prompts list` shows them.")
    return prompt


class Imported(NamedTuple):
    """Prompts of a file: how many are new, were here already, and of these are in more tracks."""

    added: int
    known: int
    widened: int


def import_prompts(session: Session, entries: Sequence[PromptEntry], *, now: datetime) -> Imported:
    """Enter prompts, or have those that are here asked in further tracks.

    Raises:
        CatalogError: an unknown track, a source that is missing, or another text under this id.
    """
    added = widened = 0
    for entry in entries:
        prompt = session.get(Prompt, entry.id)
        if prompt is not None and prompt.text != entry.text:
            raise CatalogError(
                f"The prompt {entry.id} is here already with another text: "
                "a prompt never changes; give the new one another id."
            )
        tracks = _tracks_for(session, entry)
        if prompt is None:
            added += 1
            prompt = Prompt(
                id=entry.id,
                text=entry.text,
                source=entry.source,
                private=entry.private,
                created_at=now,
                tracks=tracks,
                category_rows=[
                    PromptCategory(category=category) for category in sorted(set(entry.categories))
                ],
            )
            session.add(prompt)
        elif _widen(prompt, tracks):
            widened += 1
    session.flush()
    return Imported(added, len(entries) - added, widened)


def _tracks_for(session: Session, entry: PromptEntry) -> list[Track]:
    """The tracks a prompt names, or all that can ask it: those with a source iff it has one."""
    if not entry.tracks:
        return [
            track
            for track in list_tracks(session)
            if (track.modality is not Modality.TEXT_TO_VIDEO) == (entry.source is not None)
        ]
    tracks = _tracks(session, entry.tracks, what=f"The prompt {entry.id}")
    for track in tracks:
        if track.modality is not Modality.TEXT_TO_VIDEO and entry.source is None:
            raise CatalogError(
                f"The prompt {entry.id} has no source, and the track {track.name} needs one."
            )
    return tracks


def _tracks(session: Session, names: Iterable[str], *, what: str) -> list[Track]:
    known = {track.name: track for track in list_tracks(session)}
    for name in names:
        if name not in known:
            raise CatalogError(
                f"{what} names the track '{name}', which is not here; "
                f"the tracks are: {', '.join(known) or 'none yet, run `arena init`'}."
            )
    return [known[name] for name in dict.fromkeys(names)]
