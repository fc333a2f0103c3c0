"""Writes entrants: adding and finding them; each call runs in the caller's transaction."""

from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from arena.catalog.openings import Opening
from arena.catalog.schemas import EntrantEntry
from arena.catalog.tracks import Change, add_to_tracks, find_tracks
from arena.errors import CatalogError, NotFound
from arena.models import Clip, ClipStatus, Entrant
from arena.text import distinct_slug, name_forms, slug_of_ascii


def list_entrants(session: Session) -> list[Entrant]:
    """Return all entrants, retired ones included, in the order in which they were added."""
    return list(session.scalars(select(Entrant).order_by(Entrant.id)))


def find_entrant(session: Session, name: str) -> Entrant:
    """Return the entrant of this slug, name or codename, else of the codename with this slug.

    Raises:
        NotFound: no such entrant, or several codenames with this slug.
    """
    entrant = _by_slug_or_name(session, name) or _by_slug_of_codename(session, name)
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


def _by_slug_of_codename(session: Session, slug: str) -> Entrant | None:
    """The only entrant whose codename, written like a slug, is this; None if there is not one."""
    named = session.scalars(select(Entrant).where(Entrant.codename.is_not(None)))
    found = [each for each in named if each.codename and slug_of_ascii(each.codename) == slug]
    return found[0] if len(found) == 1 else None


def find_by_slug(session: Session, slug: str) -> Entrant | None:
    """Return the entrant of this slug, retired or not; None if there is none."""
    return session.scalar(select(Entrant).where(Entrant.slug == slug))


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
    tracks = find_tracks(session, entry.tracks, owner=f"The entrant {entry.name}")
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
    new_tracks = tuple(track.name for track in add_to_tracks(entrant, tracks))
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
