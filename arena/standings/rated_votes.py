"""The votes that a leaderboard counts, and the record of each pair of models. Only reads."""

from collections import Counter
from dataclasses import dataclass

import pandas as pd
from sqlalchemy import Select, select
from sqlalchemy.orm import Session, aliased

from arena.catalog.catalog import find_track
from arena.database import Database
from arena.models import (
    OVERALL,
    Battle,
    Choice,
    Clip,
    Entrant,
    PromptCategory,
    Track,
    Vote,
    Voter,
    VoterKind,
)
from arena.standings.boards import PairRecord

WINNERS = {
    Choice.A: "model_a",
    Choice.B: "model_b",
    Choice.TIE: "tie",
    Choice.BAD: "both_bad",
}
WINNER_WITH_SIDES_SWAPPED = {
    "model_a": "model_b",
    "model_b": "model_a",
    "tie": "tie",
    "both_bad": "both_bad",
}


@dataclass(frozen=True)
class RatedVotes:
    """The votes of one leaderboard.

    Attributes:
        frame: `model_a, model_b, winner, voter`, in the order of the votes.
        entrants: all entrants of the track by the name that `frame` has.
    """

    frame: pd.DataFrame
    entrants: dict[str, Entrant]


def rated_votes(
    track: Track, *, voters: VoterKind, category: str = OVERALL
) -> Select[int, int, int, Choice, int]:
    """Select the votes that a leaderboard counts, in order.

    Returns:
        A query of the vote's id, both entrants' ids, the choice and the voter's id.
    """
    a, b = aliased(Clip), aliased(Clip)
    query: Select[int, int, int, Choice, int] = (
        select(Vote.id, a.entrant_id, b.entrant_id, Vote.choice, Battle.voter_id)
        .select_from(Vote)
        .join(Battle, Battle.id == Vote.battle_id)
        .join(Voter, Voter.id == Vote.voter_id)
        .join(a, a.id == Battle.clip_a_id)
        .join(b, b.id == Battle.clip_b_id)
        .where(
            Battle.track_id == track.id,
            Voter.kind == voters,
            Vote.choice != Choice.SKIP,
            Battle.repeat_of.is_(None),
            Vote.picture_only.is_(False),
        )
        .order_by(Vote.id)
    )
    if category != OVERALL:
        query = query.join(PromptCategory, PromptCategory.prompt_id == Battle.prompt_id).where(
            PromptCategory.category == category
        )
    return query


def has_votes(
    session: Session, track: Track, *, voters: VoterKind, category: str = OVERALL
) -> bool:
    """Whether a leaderboard counts any vote."""
    return (
        session.execute(rated_votes(track, voters=voters, category=category).limit(1)).first()
        is not None
    )


def find_rated_votes(
    session: Session, *, track: Track, category: str, voters: VoterKind
) -> RatedVotes:
    """Return the votes that a leaderboard counts, and all entrants of the track."""
    entrants = list(
        session.scalars(
            select(Entrant).where(Entrant.tracks.any(Track.id == track.id)).order_by(Entrant.id)
        )
    )
    by_name = _by_name(entrants)
    named = pd.Index(list(by_name), dtype=object)
    codes = {entrant.id: code for code, entrant in enumerate(by_name.values())}
    rows = session.execute(rated_votes(track, voters=voters, category=category)).all()
    frame = pd.DataFrame(
        {
            "model_a": pd.Categorical.from_codes([codes[row[1]] for row in rows], named),
            "model_b": pd.Categorical.from_codes([codes[row[2]] for row in rows], named),
            "winner": pd.Categorical(
                [WINNERS[row[3]] for row in rows], categories=list(WINNERS.values())
            ),
            "voter": pd.Series([row[4] for row in rows], dtype="int64"),
        }
    )
    return RatedVotes(frame, by_name)


def _by_name(entrants: list[Entrant]) -> dict[str, Entrant]:
    """Return the entrants by the names that releases give them, so that all ties break alike.

    Names that `ratings` could not distinguish are replaced by numbers.
    """
    names = {entrant.shown_name.strip() for entrant in entrants}
    if len(names) < len(entrants) or "" in names:
        return {str(entrant.id): entrant for entrant in entrants}
    return {entrant.shown_name: entrant for entrant in entrants}


def pair_records(
    database: Database,
    *,
    track_name: str,
    category: str = OVERALL,
    voters: VoterKind = VoterKind.PERSON,
) -> list[PairRecord]:
    """Return the record of every pair of models, in both orders."""
    with database.reading() as session:
        rated = find_rated_votes(
            session, track=find_track(session, track_name), category=category, voters=voters
        )
    columns = rated.frame[["model_a", "model_b", "winner"]].astype(str)
    rows: list[tuple[str, str, str]] = list(columns.itertuples(index=False, name=None))
    counts = Counter(rows)
    for (a, b, winner), count in list(counts.items()):
        counts[b, a, WINNER_WITH_SIDES_SWAPPED[winner]] += count
    records = []
    for a, b in sorted({(a, b) for a, b, _ in counts}):
        wins, losses, ties, both_bad = (
            counts[a, b, winner] for winner in WINNER_WITH_SIDES_SWAPPED
        )
        records.append(
            PairRecord(
                model_a=rated.entrants[a].shown_name,
                model_b=rated.entrants[b].shown_name,
                votes=wins + losses + ties + both_bad,
                wins=wins,
                losses=losses,
                ties=ties,
                both_bad=both_bad,
            )
        )
    return records
