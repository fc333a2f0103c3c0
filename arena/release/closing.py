"""Closes a track: no more votes, then the final leaderboard, a seal, and the release of it all.

Each step can be repeated, so that closing a track again finishes what was interrupted: the time of
closing is stored once, a leaderboard and a seal of the same votes stay as they are, and the
release's name follows from the track and the day of its closing.
"""

import time
from datetime import UTC, datetime

from sqlalchemy.orm import Session

from arena.audit.seals import seal_votes
from arena.catalog.index import MAX_AGE_S
from arena.catalog.tracks import close_track, find_track
from arena.context import Arena
from arena.models import Track
from arena.published import releases_folder
from arena.release.boards import compute_boards
from arena.release.export import ReleaseSummary
from arena.release.publish import publish_release
from arena.standings.snapshots import newest_vote, store_snapshot


def closing_id(track: Track) -> str | None:
    """Return the id of the release of a closed track; None while it is open."""
    if track.closed_at is None:
        return None
    return f"{track.name}-closed-{track.closed_at.astimezone(UTC).date().isoformat()}"


def is_finished(arena: Arena, track: Track) -> bool:
    """Whether a track is closed and its release is published."""
    release_id = closing_id(track)
    return release_id is not None and (releases_folder(arena.settings.home) / release_id).exists()


def close_for_good(arena: Arena, name: str, *, now: datetime) -> ReleaseSummary | None:
    """Close a track, or finish closing it.

    Args:
        arena: of the track.
        name: of the track.
        now: aware.

    Returns:
        The release; None if it was published already.

    Raises:
        NotFound: no such track.
        ReleaseError: the release cannot be written; the track is closed all the same.
    """
    with arena.database.writing() as session:
        was_open = close_track(session, find_track(session, name), now=now)
    if was_open:
        time.sleep(MAX_AGE_S)  # servers may hold a catalog of a second ago, and accept votes
    with arena.database.reading() as session:
        track = find_track(session, name)
        release_id = closing_id(track)
        boards = compute_boards(session, [track], now=now)
        watermark = newest_vote(session)

    def store_boards(session: Session) -> None:
        for board in boards:
            store_snapshot(session, board, replace_newer=True)

    arena.database.write(store_boards)
    seal_votes(arena, now=now, up_to=watermark)
    return publish_release(arena, release_id=release_id, track=name, now=now)
