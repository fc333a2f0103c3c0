"""Which leaderboards move in lots of votes, so that they do not tell what the reveal hides.

Where nothing is revealed after a vote, whoever reads the leaderboard before and after it would see
which two models it was about. So the leaderboards of people's votes in a track that reveals at its
close, and in one with held-out prompts, are computed again once they have `LOT_VOTES` more votes of
their own and are `LOT_AGE` old, and at once when the track closes. In between they stay as they
are, with everything that is computed with them.
"""

from datetime import datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from arena.catalog.prompts import count_held_out
from arena.models import HONEY, Battle, Choice, Reveal, Track, Vote, Voter, VoterKind
from arena.standings.boards import Board
from arena.voting.limits import CLOCK_TOLERANCE

LOT_VOTES = 20
LOT_AGE = timedelta(hours=1)


def moves_in_lots(session: Session, track: Track, voters: VoterKind) -> bool:
    """Whether the track's leaderboards of these voters move in lots."""
    if voters is not VoterKind.PERSON or track.closed_at is not None:
        return False
    return track.reveal is Reveal.AT_CLOSE or count_held_out(session, track) > 0


def is_old_enough(board: Board, *, now: datetime) -> bool:
    """Whether the next lot may be shown, if it has enough votes."""
    # One from the future is of a clock that was ahead, and its age says nothing.
    age = now - board.computed_at
    return age >= LOT_AGE or age < -CLOCK_TOLERANCE


def is_lot(last: Board | None, computed: Board) -> bool:
    """Whether a leaderboard has enough votes more than the one before it."""
    return computed.votes - (last.votes if last else 0) >= LOT_VOTES


def waits_for_lot(session: Session, board: Board, track: Track, *, now: datetime) -> bool:
    """Whether a leaderboard that moves in lots stays as it is, whatever was voted since."""
    if not is_old_enough(board, now=now):
        return True
    newer = (
        select(func.count())
        .select_from(Vote)
        .join(Battle, Battle.id == Vote.battle_id)
        .join(Voter, Voter.id == Vote.voter_id)
        .where(
            *(Vote.id > board.watermark, Battle.track_id == track.id),
            *(Vote.choice != Choice.SKIP, Voter.kind == VoterKind.PERSON),
            Battle.sampler != HONEY,
        )
    )
    return (session.scalar(newer) or 0) < LOT_VOTES
