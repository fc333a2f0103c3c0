"""Lists failed clips with their reasons, and writes a page with thumbnails of their masters."""

import base64
from dataclasses import dataclass
from html import escape

from sqlalchemy import select
from sqlalchemy.orm import Session

from arena.errors import ArenaError
from arena.media import MediaStore
from arena.models import Clip, ClipStatus, Entrant, Track
from arena.text import pluralize
from generator.errors import ClipError
from generator.media.previews import thumbnails

THUMBNAILS = 3  # per clip: its first, middle and last frame
THUMBNAIL_WIDTH = 192
STYLE = (
    "body{font:15px system-ui;margin:2rem}td{padding:.4rem .8rem;vertical-align:top}"
    "img{width:192px;margin-right:4px}th{text-align:left;padding:.4rem .8rem}"
)


@dataclass(frozen=True)
class Failure:
    """A failed clip, the reason, and its master if one was generated."""

    entrant: str
    track: str
    prompt_id: str
    prompt: str
    seed: int
    reason: str
    master_path: str | None


def list_failures(
    session: Session, *, track: Track | None = None, entrant: Entrant | None = None
) -> list[Failure]:
    """Return the clips whose last attempt failed, ordered by entrant, track and prompt."""
    query = select(Clip).where(Clip.status == ClipStatus.FAILED)
    if track is not None:
        query = query.where(Clip.track_id == track.id)
    if entrant is not None:
        query = query.where(Clip.entrant_id == entrant.id)
    order = (Clip.entrant_id, Clip.track_id, Clip.prompt_id, Clip.seed)
    return [
        Failure(
            entrant=clip.entrant.name,
            track=clip.track.name,
            prompt_id=clip.prompt_id,
            prompt=clip.prompt.text,
            seed=clip.seed,
            reason=clip.failure or "",
            master_path=clip.master_path,
        )
        for clip in session.scalars(query.order_by(*order))
    ]


def failures_page(failed: list[Failure], store: MediaStore) -> str:
    """Return a self-contained HTML page for the operator (it names entrants)."""
    rows = "".join(
        f"<tr><td>{escape(each.entrant)}<td>{escape(each.track)}"
        f"<td>{escape(each.prompt)} ({escape(each.prompt_id)}, seed {each.seed})"
        f"<td>{escape(each.reason)}<td>{_thumbnail_images(each, store)}"
        for each in failed
    )
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>Failed clips</title>'
        f"<style>{STYLE}</style><h1>{pluralize(len(failed), 'clip')} failed</h1><table>"
        f"<tr><th>entrant<th>track<th>prompt<th>reason<th>frames{rows}</table></html>\n"
    )


def _thumbnail_images(failure: Failure, store: MediaStore) -> str:
    if failure.master_path is None:
        return ""
    try:
        jpegs = thumbnails(
            store.read(failure.master_path), count=THUMBNAILS, max_side=THUMBNAIL_WIDTH
        )
    except (ArenaError, ClipError):
        return "cannot be read"
    return "".join(
        f'<img alt="" src="data:image/jpeg;base64,{base64.b64encode(jpeg).decode()}">'
        for jpeg in jpegs
    )
