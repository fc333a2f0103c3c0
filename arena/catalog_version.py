"""Replaces the catalog's version in every transaction that changes what battles may show.

The version is a random number and not a counter: a transaction that is rolled back then leaves no
number behind that another one could use for a different catalog.
"""

import secrets
from typing import Any

from sqlalchemy import event, update
from sqlalchemy.orm import ORMExecuteState, Session, sessionmaker

from arena.driver import first_value
from arena.models import (
    CatalogVersion,
    Clip,
    Entrant,
    EntrantTrack,
    Prompt,
    PromptCategory,
    PromptTrack,
    Track,
    WithheldClip,
)

CATALOG_TABLES = (
    *(Track, Entrant, EntrantTrack, Prompt, PromptTrack, PromptCategory),
    *(Clip, WithheldClip),
)
VERSION_BITS = 62
_SELECT = f"SELECT version FROM {CatalogVersion.__tablename__} WHERE id = 1"  # noqa: S608


def read_version(session: Session) -> int:
    """Return the catalog's version, as this transaction sees it."""
    # Every vote and every clip ask for it.
    return first_value(session.connection(), _SELECT) or 0


def replace_version_on_changes(sessions: sessionmaker[Session]) -> None:
    """Let every session replace the version when it changes the catalog."""
    event.listen(sessions, "before_flush", _before_flush)
    event.listen(sessions, "do_orm_execute", _before_statement)


def _before_flush(session: Session, _context: object, _instances: object) -> None:
    # Not `chain`: `session.dirty` also has objects that did not change.
    if any(isinstance(item, CATALOG_TABLES) for item in (*session.new, *session.deleted)) or any(
        isinstance(item, CATALOG_TABLES) and session.is_modified(item) for item in session.dirty
    ):
        _replace(session)


def _before_statement(state: ORMExecuteState) -> None:
    if state.is_insert or state.is_update or state.is_delete:
        mapper = state.bind_mapper
        if mapper is not None and mapper.class_ in CATALOG_TABLES:
            _replace(state.session)


def _replace(session: Session) -> None:
    version: dict[str, Any] = {"version": secrets.randbits(VERSION_BITS)}
    session.connection().execute(update(CatalogVersion).where(CatalogVersion.id == 1), version)
