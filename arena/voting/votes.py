"""Writes votes; what is checked of a battle and a form before."""

import secrets
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy.orm import Session

from arena.catalog.track_index import IndexedTrack
from arena.errors import AlreadyVoted, BattleExpired, MalformedVote
from arena.voting.battles import VOTE, BattleRow, VoteRow, has_expired
from arena.voting.schemas import VoteForm
from arena.voting.statements import insertion
from arena.voting.watching import WatchedTime

RECEIPT_BYTES = 9
_VOTE_COLUMNS = (
    *("battle_id", "voter_id", "choice", "cast_at", "receipt"),
    *("watched_a_ms", "watched_b_ms", "heard_a_ms", "heard_b_ms", "first", "decided_ms"),
    *("reasons", "shown_rating_a", "shown_rating_b", "picture_only", "watch_checked"),
)
_INSERT_VOTE = insertion([VOTE.c[name] for name in _VOTE_COLUMNS])


def check_repeated(vote: VoteRow, form: VoteForm | MalformedVote) -> None:
    """Raise an error unless a form repeats the vote that its battle has."""
    if isinstance(form, MalformedVote):
        raise form
    if vote["choice"] is not form.choice:
        raise AlreadyVoted(
            f"You voted '{vote['choice']}' in this battle already; a vote cannot change."
        )


def check_answerable(battle: BattleRow, now: datetime, *, withdrawn: bool) -> None:
    """Raise BattleExpired if a battle takes no votes."""
    if battle.voided_at is not None:
        raise BattleExpired("You reported that this battle does not play: request a new one.")
    if has_expired(battle, now):
        raise BattleExpired("This battle has expired: request a new one.")
    if withdrawn:
        raise BattleExpired("A clip of this battle was withdrawn: request a new one.")


def check_reasons(track: IndexedTrack, form: VoteForm) -> None:
    """Raise MalformedVote if a vote has reasons that its track does not offer."""
    unknown = [reason for reason in form.reasons if reason not in track.reasons]
    if unknown:
        known = ", ".join(track.reasons) or "none"
        raise MalformedVote(f"reasons: one is not of this track, whose reasons are: {known}.")


def new_vote(
    battle: BattleRow,
    form: VoteForm,
    *,
    times: WatchedTime,
    shown_ratings: Sequence[float | None],
    now: datetime,
) -> VoteRow:
    """Return the vote on a battle, with a receipt.

    Args:
        battle: the battle.
        form: what the voter chose.
        times: what is believed of the times that the form reports.
        shown_ratings: of both entrants, left first, if the answer shows them.
        now: when the vote arrived.
    """
    watched, heard = times.watched, times.heard
    return {
        "battle_id": battle.id,
        "voter_id": battle.voter_id,
        "choice": form.choice,
        "cast_at": now,
        "receipt": secrets.token_urlsafe(RECEIPT_BYTES),
        "watched_a_ms": watched and watched.a,
        "watched_b_ms": watched and watched.b,
        "heard_a_ms": heard and heard.a,
        "heard_b_ms": heard and heard.b,
        "first": form.first,
        "decided_ms": max(0, int((now - (battle.opened_at or now)).total_seconds() * 1000)),
        "reasons": form.reasons,
        "shown_rating_a": shown_ratings[0],
        "shown_rating_b": shown_ratings[1],
        "picture_only": times.picture_only,
        "watch_checked": times.checked,
    }


def store_votes(session: Session, votes: Sequence[VoteRow]) -> None:
    """Store new votes."""
    rows = [[vote[name] for name in _VOTE_COLUMNS] for vote in votes]
    _INSERT_VOTE.run(session.connection(), rows)
