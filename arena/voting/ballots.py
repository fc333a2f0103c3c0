"""The voters and votes of an arena: a battle is issued, accepts one vote and returns a receipt.

All times are arguments; the caller opens the session (`Database.writing`), and its commit
acknowledges the vote. `arena.voting.answering` answers many voters in one transaction.
"""

import random
import secrets
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from arena.errors import MalformedVote, NotFound
from arena.models import Choice, Visitor, Vote, Voter, VoterKind
from arena.voting.answering import answer_requests
from arena.voting.contributions import contributions as contributions
from arena.voting.fetches import FetchLedger
from arena.voting.limits import VotingRules
from arena.voting.requests import BattleRequest, VoteRequest, expect
from arena.voting.schemas import CastVote, IssuedBattle, VoteForm
from arena.voting.served_files import file_of as file_of
from arena.voting.voters import VoterRow, store_voters

LEFT_PREFIX = "left-"  # of the keys of voters who left; no cookie contains such a key
KEY_BYTES = 16  # 128 bits, so that a voter's key cannot be guessed


def new_voter_key() -> str:
    """Return a new pseudonym: 128 random bits."""
    return secrets.token_hex(KEY_BYTES)


def admit_voter(
    session: Session, key: str, *, now: datetime, kind: VoterKind = VoterKind.PERSON
) -> Voter:
    """Return the voter of this key; add it if new."""
    known = select(Voter).where(Voter.key == key)
    voter = session.scalar(known)
    if voter is None:
        store_voters(session, [VoterRow(0, key, kind)], [now])
        voter = session.scalars(known).one()
    return voter


def issue_battle(
    session: Session,
    *,
    voter_key: str,
    track_name: str,
    category: str | None = None,
    rules: VotingRules,
    now: datetime,
    rng: random.Random | None = None,
) -> IssuedBattle:
    """Return the voter's open battle of a track, or open a new one.

    Args:
        session: in a transaction that writes.
        voter_key: the voter's; a new voter is stored.
        track_name: of the battle.
        category: of the next battle that opens; the open one stays. None for all prompts.
        rules: for this voter.
        now: aware.
        rng: draws pairs and sides; by default one that nobody can predict.

    Raises:
        NotFound: unknown track, or none of its prompts has this category.
        NoPair: the track is inactive, or this voter has seen every pair.
    """
    request = BattleRequest(voter_key, track_name, category, rules, now)
    (answer,) = answer_requests(session, [request], rng=rng)
    return expect(IssuedBattle, answer)


def cast_vote(
    session: Session,
    *,
    voter_key: str,
    token: str,
    form: VoteForm | MalformedVote,
    rules: VotingRules,
    now: datetime,
    fetches: FetchLedger | None = None,
    rng: random.Random | None = None,
) -> CastVote:
    """Store the vote of a battle and open the next battle, in the caller's transaction.

    The errors are checked in the order below; repeating a vote returns the same answer.

    Args:
        session: in a transaction that writes.
        voter_key: the voter's.
        token: the battle's.
        form: the vote, or why it could not be parsed.
        rules: for this voter.
        now: when the vote arrived; aware.
        fetches: what this process sent of clips; None if it is not known what was sent.
        rng: draws pairs and sides; by default one that nobody can predict.

    Raises:
        NotFound: unknown token, or that of another voter.
        AlreadyVoted: the battle has a vote with another choice.
        BattleExpired: the battle has expired.
        TooEarly: the track's watch time has not passed since the battle opened (not for a skip).
        TooMany: the voter's limits are exceeded.
        MalformedVote: `form` itself, if the request could not be parsed.
    """
    request = VoteRequest(voter_key, token, form, rules, now)
    (answer,) = answer_requests(session, [request], fetches=fetches, rng=rng)
    return expect(CastVote, answer)


def forget_voter(session: Session, *, voter_key: str) -> int:
    """Delete the voter's key, so that nobody can tell whose the votes are, and return their number.

    The votes stay, and stay together: they were counted, and releases, seals and leaderboards
    contain them. Of their voter, only a random number remains that no cookie matches.

    Args:
        session: in a transaction that writes.
        voter_key: the voter's.
    """
    voter = session.scalar(select(Voter).where(Voter.key == voter_key).with_for_update())
    if voter is None:
        visitor = session.scalar(select(Visitor).where(Visitor.key == voter_key).with_for_update())
        if visitor is not None:  # deleted a day later, once its battles are counted
            visitor.key = f"{LEFT_PREFIX}{new_voter_key()}"
        return 0
    voter.key = f"{LEFT_PREFIX}{new_voter_key()}"
    return session.scalar(select(func.count()).where(Vote.voter_id == voter.id)) or 0


def find_receipt(session: Session, code: str) -> Vote:
    """Return the vote of a receipt.

    Raises:
        NotFound: no vote has this receipt.
    """
    vote = session.scalar(select(Vote).where(Vote.receipt == code))
    if vote is None:
        raise NotFound("No vote has this receipt: check the code.")
    return vote


def count_votes(session: Session, *, voter_key: str) -> dict[Choice, int]:
    """Return how often this voter made each choice."""
    query = (
        select(Vote.choice, func.count())
        .join(Voter, Voter.id == Vote.voter_id)
        .where(Voter.key == voter_key)
        .group_by(Vote.choice)
    )
    return dict(session.execute(query).all())
