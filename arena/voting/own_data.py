"""What the arena stores of one voter, as the voter sees it. Only reads."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, select
from sqlalchemy.orm import Session, aliased, contains_eager, joinedload

from arena.catalog.index import catalog_index
from arena.holds.status import Verdict, judge_votes
from arena.models import (
    Battle,
    BattleReport,
    Choice,
    Clip,
    Visitor,
    Vote,
    Voter,
    VoterKind,
)
from arena.voting.reveals import reveals

MOST_VOTES = 100  # listed at once


@dataclass(frozen=True)
class OwnVote:
    """A vote as its voter sees it.

    Attributes:
        vote_id: number of the vote, `id` in a release.
        receipt: its code.
        track: name of the track.
        prompt: text of the prompt.
        choice: the voter's.
        cast_at: when it was stored.
        verdict: whether it counts, and why not.
        models: names of the left and the right model; None while they are hidden.
    """

    vote_id: int
    receipt: str
    track: str
    prompt: str
    choice: Choice
    cast_at: datetime
    verdict: Verdict
    models: tuple[str, str] | None


def own_votes(
    session: Session, *, voter_key: str, before: int | None = None, limit: int = MOST_VOTES
) -> list[OwnVote]:
    """Return the voter's votes and skips, latest first.

    Args:
        session: only reads.
        voter_key: the voter's.
        before: only votes with smaller numbers than this, for the next page.
        limit: at most this many, up to `MOST_VOTES`.
    """
    query = _votes(voter_key).order_by(Vote.id.desc()).limit(min(limit, MOST_VOTES))
    if before is not None:
        query = query.where(Vote.id < before)
    index = catalog_index(session)
    votes = []
    found = session.scalars(query).all()
    verdicts = judge_votes(session, found)
    for vote in found:
        battle = vote.battle
        track, prompt = index.tracks[battle.track_id], index.prompts[battle.prompt_id]
        is_named = reveals(track, prompt, sampler=battle.sampler, choice=vote.choice)
        names = (battle.clip_a.entrant.shown_name, battle.clip_b.entrant.shown_name)
        votes.append(
            OwnVote(
                vote_id=vote.id,
                receipt=vote.receipt,
                track=battle.track.name,
                prompt=battle.prompt.text,
                choice=vote.choice,
                cast_at=vote.cast_at,
                verdict=verdicts[vote.id],
                models=names if is_named else None,
            )
        )
    return votes


def stored_data(session: Session, *, voter_key: str) -> dict[str, Any]:
    """Return everything that is stored of the voter.

    Names of models that are still hidden are left out, as in `own_votes`; so is the key, which is
    the secret in the voter's cookie.
    """
    voter = session.scalar(select(Voter).where(Voter.key == voter_key)) or session.scalar(
        select(Visitor).where(Visitor.key == voter_key)
    )
    if voter is None:
        return {"voter": None, "votes": [], "battles": [], "reports": []}
    battles = session.scalars(
        select(Battle)
        .where(Battle.voter_id == voter.id)
        .options(joinedload(Battle.track))
        .order_by(Battle.id)
    )
    reports = session.scalars(
        select(BattleReport)
        .where(BattleReport.voter_id == voter.id)
        .order_by(BattleReport.battle_id)
    )
    votes = session.scalars(_votes(voter_key).order_by(Vote.id)).all()
    verdicts = judge_votes(session, votes)
    return {
        "voter": {
            "created_at": voter.created_at,
            "kind": voter.kind if isinstance(voter, Voter) else VoterKind.PERSON,
        },
        "votes": [
            {
                **{name: getattr(vote, name) for name in VOTE_COLUMNS},
                "vote_id": vote.id,
                "battle": vote.battle.token,
                "status": verdicts[vote.id].status,
                "hold": verdicts[vote.id].hold,
            }
            for vote in votes
        ],
        "battles": [
            {
                **{name: getattr(battle, name) for name in BATTLE_COLUMNS},
                "track": battle.track.name,
                "prompt": battle.prompt_id,
            }
            for battle in battles
        ],
        "reports": [
            {name: getattr(report, name) for name in ("reason", "reported_at")}
            for report in reports
        ],
    }


VOTE_COLUMNS = (
    *("choice", "cast_at", "receipt", "watched_a_ms", "watched_b_ms", "heard_a_ms", "heard_b_ms"),
    *("first", "decided_ms", "reasons", "picture_only", "watch_checked"),
)
BATTLE_COLUMNS = (
    *("token", "category", "state", "issued_at", "opened_at", "expires_at", "voided_at"),
    *("fetched_a_at", "fetched_b_at", "fetched_a_bytes", "fetched_b_bytes"),
)


def _votes(voter_key: str) -> Select[Vote]:
    clip_a, clip_b = aliased(Clip), aliased(Clip)
    return (
        select(Vote)
        .join(Voter, Voter.id == Vote.voter_id)
        .join(Vote.battle)
        .join(clip_a, Battle.clip_a)
        .join(clip_b, Battle.clip_b)
        .where(Voter.key == voter_key)
        .options(
            contains_eager(Vote.battle).options(
                contains_eager(Battle.clip_a.of_type(clip_a)).joinedload(clip_a.entrant),
                contains_eager(Battle.clip_b.of_type(clip_b)).joinedload(clip_b.entrant),
                joinedload(Battle.track),
                joinedload(Battle.prompt),
            )
        )
    )
