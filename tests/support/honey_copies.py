"""Damaged copies for tests without files: rows of clips, as `production.honey` stores them."""

import hashlib
from collections.abc import Sequence

from sqlalchemy import select

from arena.database import Database
from arena.models import Battle, Clip, ClipStatus, copy_seed
from small_arena import START, TRACK, Booth, stored_track


def add_copies(
    opened: Database, *, track: str = TRACK, prompts: Sequence[str] = ("p-1", "p-2")
) -> dict[int, int]:
    """Add a damaged copy of the first entrant's clip of each prompt.

    Returns:
        The id of each copy's clip, by the copy's.
    """
    track_id = stored_track(opened, track).id
    found: dict[int, int] = {}
    with opened.writing() as session:
        for prompt in prompts:
            query = select(Clip).where(Clip.track_id == track_id, Clip.prompt_id == prompt)
            clip = session.scalars(query.order_by(Clip.entrant_id).limit(1)).one()
            copy = Clip(
                entrant_id=clip.entrant_id,
                track_id=track_id,
                prompt_id=prompt,
                seed=copy_seed(clip.seed),
                damage="blocks",
                status=ClipStatus.READY,
                rendition_path=f"{clip.rendition_path}-damaged",
                sha256=hashlib.sha256(f"{clip.sha256}".encode()).hexdigest(),
                master_sha256=clip.sha256,
                provenance={"options": {"damage": "blocks"}},
                created_at=START,
            )
            session.add(copy)
            session.flush()
            found[copy.id] = clip.id
    return found


def clean_side(booth: Booth, token: str) -> str | None:
    """Return the undamaged side of a honey pair; None: it is another battle."""
    with booth.database.reading() as session:
        battle = session.scalars(select(Battle).where(Battle.token == token)).one()
        if battle.sampler != "honey":
            return None
        return "a" if battle.clip_a.damage is None else "b"
