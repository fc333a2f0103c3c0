"""The leaderboards of a release: computes those of today, stores them, and reads all days'."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from arena.models import Snapshot, Standing, Track, VoterKind
from arena.release.collect import instant
from arena.standings.boards import RATING_COLUMNS
from arena.standings.computing import ComputedBoard, compute_board, with_details_of
from arena.standings.lots import moves_in_lots
from arena.standings.snapshots import latest_id, read_snapshot
from arena.standings.standings import known_categories
from arena.standings.vote_arrays import VoteArrays
from arena.standings.vote_reader import VoteReader

# Released with this ending as the columns of ratings without holds.
WITHOUT_HOLDS = ("rating", "rank_lower", "rank_upper")


def compute_boards(
    session: Session, tracks: Sequence[Track], *, now: datetime
) -> list[ComputedBoard]:
    """Compute every leaderboard that has votes or an earlier snapshot.

    The session only reads, and sees one state of the database, so that all see the same votes. What
    is shown beside the ratings is not released, and takes half of the time: it is that of the last
    snapshot, and says which votes it is of.
    """
    arrays = VoteArrays()
    VoteReader(arrays).read_all(session)
    computed: list[ComputedBoard] = []
    for track in tracks:
        for voters in VoterKind:
            in_lots = moves_in_lots(session, track, voters)
            for category in known_categories(session, track):
                number = latest_id(session, track=track, category=category, voters=voters)
                # One that moves in lots is released as it is shown: as the last lot made it.
                if in_lots and number is not None:
                    continue
                board = compute_board(
                    *(session, arrays),
                    track=track,
                    category=category,
                    voters=voters,
                    now=now,
                    with_details=in_lots,  # nobody computes it again before the next lot
                )
                if number is not None:
                    last = read_snapshot(session, number, track=track)
                    computed.append(board if last is None else with_details_of(board, last))
                elif board.board.votes:
                    computed.append(board)
    return computed


def leaderboard_rows(
    session: Session, tracks: Sequence[Track], *, watermark: int, now: datetime
) -> list[dict[str, Any]]:
    """Return one row per snapshot and entrant, with the entrant's id in `model_name`.

    Snapshots of later votes or of days to come, from a clock that was ahead, are left out.
    """
    query = (
        select(Snapshot, Standing, Track.name)
        .join(Standing, Standing.snapshot_id == Snapshot.id)
        .join(Track, Track.id == Snapshot.track_id)
        .where(
            Snapshot.track_id.in_([track.id for track in tracks]),
            Snapshot.watermark <= watermark,
            Snapshot.published_on <= now.astimezone(UTC).date(),
        )
        .order_by(
            Snapshot.published_on,
            Track.id,
            Snapshot.voters,
            Snapshot.category,
            Standing.position,
        )
    )
    return [
        {
            "model_name": standing.entrant_id,
            **{name: getattr(standing, name) for name in RATING_COLUMNS},
            "category": snapshot.category,
            "leaderboard_publish_date": snapshot.published_on.isoformat(),
            "track": track,
            "voters": snapshot.voters.group.value,
            "intervals": snapshot.parameters["intervals"],
            **_without_holds(snapshot, standing.entrant_id),
            "watermark": snapshot.watermark,
            "hold_events": snapshot.hold_events,
            "computed_at": instant(snapshot.computed_at),
        }
        for snapshot, standing, track in session.execute(query)
    ]


def _without_holds(snapshot: Snapshot, entrant_id: int) -> dict[str, Any]:
    """The columns of a row with what the rating would be if held votes counted."""
    without = (snapshot.holds or {}).get("without") or []
    found: dict[str, Any] = next((each for each in without if each["model"] == entrant_id), {})
    return {f"{name}_without_holds": found.get(name) for name in WITHOUT_HOLDS}
