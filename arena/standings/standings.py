"""Computes leaderboards from the stored votes and writes snapshots; never in a vote's request."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
from sqlalchemy import Select, delete, func, select
from sqlalchemy.orm import Session, aliased

import ratings
from arena.catalog.catalog import find_track, list_tracks
from arena.database import Database
from arena.errors import NotFound
from arena.models import (
    OVERALL,
    Battle,
    Choice,
    Clip,
    Entrant,
    EntrantTrack,
    Prompt,
    PromptCategory,
    Snapshot,
    Standing,
    Track,
    Vote,
    Voter,
    VoterKind,
)
from arena.standings.boards import BOARD_COLUMNS, RATING_COLUMNS, Board, BoardRow, PairRecord

CONFIDENCE = 0.95
BOTH_BAD = "tie"  # counted as half a win for each; a column shows how often
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
# How far a leaderboard may lag behind the votes; the share of the time spent on computing it.
MAX_LAG = timedelta(seconds=60)
COMPUTE_SHARE = 0.1


def rated_votes(
    track: Track, *, voters: VoterKind, category: str = OVERALL
) -> Select[int, int, int, Choice]:
    """Select the votes that a leaderboard counts, in order: vote id, both entrants' ids, choice."""
    a, b = aliased(Clip), aliased(Clip)
    query: Select[int, int, int, Choice] = (
        select(Vote.id, a.entrant_id, b.entrant_id, Vote.choice)
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
        )
        .order_by(Vote.id)
    )
    if category != OVERALL:
        query = query.join(PromptCategory, PromptCategory.prompt_id == Battle.prompt_id).where(
            PromptCategory.category == category
        )
    return query


def leaderboard(
    database: Database,
    *,
    track_name: str,
    category: str = OVERALL,
    voters: VoterKind = VoterKind.PERSON,
    now: datetime,
) -> Board:
    """Return the track's leaderboard: the day's snapshot, recomputed if it lags behind the votes.

    Raises:
        NotFound: no such track, or none of its prompts has this category.
    """
    with database.reading() as session:
        track = find_track(session, track_name)
        known = known_categories(session, track)
        if category not in known:
            raise NotFound(
                f"The track {track.name} has no category '{category}'; it has: {', '.join(known)}."
            )
        snapshot = _latest(session, track=track, category=category, voters=voters)
        if snapshot is not None and _is_fresh(session, snapshot, now=now):
            return _board(snapshot)
    with database.writing() as session:
        track = find_track(session, track_name)
        return _board(
            take_snapshot(session, track=track, category=category, voters=voters, now=now)
        )


def known_categories(session: Session, track: Track) -> list[str]:
    """Return `overall`, then the categories of the track's prompts, sorted."""
    query = (
        select(PromptCategory.category)
        .join(Prompt, Prompt.id == PromptCategory.prompt_id)
        .where(Prompt.tracks.any(Track.id == track.id))
        .distinct()
        .order_by(PromptCategory.category)
    )
    return [OVERALL, *session.scalars(query)]


def tracks_with(database: Database, category: str) -> list[str]:
    """Return the names of the tracks that have entrants, and prompts of this category."""
    with database.reading() as session:
        return [
            track.name
            for track in list_tracks(session)
            if track.entrants and category in known_categories(session, track)
        ]


def _latest(session: Session, *, track: Track, category: str, voters: VoterKind) -> Snapshot | None:
    return session.scalar(
        select(Snapshot)
        .where(
            Snapshot.track_id == track.id,
            Snapshot.category == category,
            Snapshot.voters == voters,
        )
        .order_by(Snapshot.published_on.desc())
        .limit(1)
    )


def _is_fresh(session: Session, snapshot: Snapshot, *, now: datetime) -> bool:
    """Whether the snapshot may still be shown: nothing has changed, or it is recent.

    How recent grows with the time it takes to compute, so that readers never keep a core busy.
    """
    seconds = float(snapshot.parameters.get("seconds", 0.0))
    pause = min(MAX_LAG, timedelta(seconds=seconds / COMPUTE_SHARE))
    if now - snapshot.computed_at < pause:
        return True
    newest = session.scalar(select(func.max(Vote.id))) or 0
    competing = session.scalars(
        select(EntrantTrack.entrant_id).where(EntrantTrack.track_id == snapshot.track_id)
    )
    listed = {row.entrant_id for row in snapshot.standings}
    return snapshot.watermark == newest and listed >= set(competing)


def take_snapshot(
    session: Session, *, track: Track, category: str, voters: VoterKind, now: datetime
) -> Snapshot:
    """Compute the leaderboard from the stored votes and store it as the day's snapshot."""
    started = datetime.now(UTC)
    watermark = session.scalar(select(func.max(Vote.id))) or 0
    frame, entrants = _votes_by_entrant(session, track=track, category=category, voters=voters)
    table = rate(frame, ties=track.ties, models=[str(entrant.id) for entrant in entrants])
    parameters = {
        "model": "bradley-terry",
        "ties": track.ties,
        "both_bad": BOTH_BAD,
        "confidence": CONFIDENCE,
        "intervals": "sandwich, by vote",
        "seconds": (datetime.now(UTC) - started).total_seconds(),
    }
    published_on = now.astimezone(UTC).date()
    session.execute(
        delete(Snapshot).where(
            Snapshot.track_id == track.id,
            Snapshot.category == category,
            Snapshot.voters == voters,
            Snapshot.published_on == published_on,
        )
    )
    snapshot = Snapshot(
        track=track,
        category=category,
        voters=voters,
        published_on=published_on,
        computed_at=now,
        watermark=watermark,
        votes=len(frame),
        parameters=parameters,
    )
    by_id = {str(entrant.id): entrant for entrant in entrants}
    snapshot.standings = [
        Standing(
            entrant=by_id[record.pop("model")],
            position=position,
            **{str(key): _to_python(value) for key, value in record.items()},
        )
        for position, record in enumerate(table[BOARD_COLUMNS].to_dict("records"))
    ]
    session.add(snapshot)
    session.flush()
    return snapshot


def rate(frame: pd.DataFrame, *, ties: str, models: list[str]) -> pd.DataFrame:
    """Rate votes (`model_a, model_b, winner`) by Bradley-Terry with sandwich intervals."""
    battles = ratings.Battles.from_frame(frame, models=models)
    return ratings.leaderboard(battles, ties=ties, both_bad=BOTH_BAD, confidence=CONFIDENCE)


def _votes_by_entrant(
    session: Session, *, track: Track, category: str, voters: VoterKind
) -> tuple[pd.DataFrame, list[Entrant]]:
    """Return the counted votes, with entrants' ids as names, and all entrants of the track."""
    entrants = list(
        session.scalars(
            select(Entrant).where(Entrant.tracks.any(Track.id == track.id)).order_by(Entrant.id)
        )
    )
    named = pd.Index([str(entrant.id) for entrant in entrants], dtype=object)
    codes = {entrant.id: code for code, entrant in enumerate(entrants)}
    rows = session.execute(rated_votes(track, voters=voters, category=category)).all()
    frame = pd.DataFrame(
        {
            "model_a": pd.Categorical.from_codes([codes[row[1]] for row in rows], named),
            "model_b": pd.Categorical.from_codes([codes[row[2]] for row in rows], named),
            "winner": pd.Categorical(
                [WINNERS[row[3]] for row in rows], categories=list(WINNERS.values())
            ),
        }
    )
    return frame, entrants


def _to_python(value: Any) -> Any:
    """Convert a cell to a Python value; missing and non-finite numbers become None."""
    if isinstance(value, np.generic):
        value = value.item()
    return (
        None if value is pd.NA or (isinstance(value, float) and not np.isfinite(value)) else value
    )


def _board(snapshot: Snapshot) -> Board:
    return Board(
        track=snapshot.track.name,
        category=snapshot.category,
        voters=snapshot.voters,
        computed_at=snapshot.computed_at,
        watermark=snapshot.watermark,
        votes=snapshot.votes,
        parameters=snapshot.parameters,
        rows=[_row(standing) for standing in snapshot.standings],
    )


def _row(standing: Standing) -> BoardRow:
    entrant = standing.entrant
    return BoardRow(
        **{name: getattr(standing, name) for name in RATING_COLUMNS},
        model=entrant.shown_name,
        creator=entrant.shown_creator,
        licence=entrant.licence,
        release_date=entrant.release_date.isoformat() if entrant.release_date else None,
        commitment=entrant.commitment,
        retired=entrant.retired_at is not None,
    )


def pair_records(
    database: Database,
    *,
    track_name: str,
    category: str = OVERALL,
    voters: VoterKind = VoterKind.PERSON,
) -> list[PairRecord]:
    """Return the record of every pair of models, in both orders."""
    with database.reading() as session:
        frame, entrants = _votes_by_entrant(
            session, track=find_track(session, track_name), category=category, voters=voters
        )
    names = {str(entrant.id): entrant.shown_name for entrant in entrants}
    rows: list[tuple[str, str, str]] = list(frame.astype(str).itertuples(index=False, name=None))
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
                model_a=names[a],
                model_b=names[b],
                votes=wins + losses + ties + both_bad,
                wins=wins,
                losses=losses,
                ties=ties,
                both_bad=both_bad,
            )
        )
    return records
