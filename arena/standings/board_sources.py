"""What each leaderboard is computed from: it is computed again when any of this changes."""

from collections import defaultdict
from dataclasses import dataclass

from sqlalchemy import select

from arena.catalog.tracks import list_tracks
from arena.database import Database
from arena.models import OVERALL, Entrant, EntrantTrack, PromptCategory, VoterKind
from arena.standings.lots import moves_in_lots
from arena.standings.standings import Key, known_categories
from arena.standings.vote_arrays import VoteArrays


@dataclass(frozen=True)
class BoardSource:
    """What one leaderboard is computed from."""

    votes: int
    repeats: int
    hold_changes: int
    entrants: frozenset[tuple[int, bool]]  # number, and whether it is retired
    prompts: frozenset[str] | None  # of the category; None: all
    ties: str
    in_lots: bool


def read_sources(database: Database, arrays: VoteArrays) -> dict[Key, BoardSource]:
    """Return every leaderboard, with what it would be computed from now."""
    prompts: defaultdict[str, set[str]] = defaultdict(set)
    entrants: defaultdict[int, set[tuple[int, bool]]] = defaultdict(set)
    with database.reading() as session:
        tracks = list_tracks(session)
        categories = {track.id: known_categories(session, track) for track in tracks}
        in_lots = [
            {kind: moves_in_lots(session, track, kind) for kind in VoterKind} for track in tracks
        ]
        rows = session.execute(select(PromptCategory.category, PromptCategory.prompt_id))
        for category, prompt in rows:
            prompts[category].add(prompt)
        competing = select(EntrantTrack.track_id, EntrantTrack.entrant_id, Entrant.retired_at).join(
            Entrant, Entrant.id == EntrantTrack.entrant_id
        )
        for track_id, number, retired_at in session.execute(competing):
            entrants[track_id].add((number, retired_at is not None))
    sources = {}
    for track, kinds in zip(tracks, in_lots, strict=True):
        for kind in VoterKind:
            pool = arrays.pool(track.id, kind)
            for category in categories[track.id]:
                sources[track.name, category, kind] = BoardSource(
                    len(pool.votes),
                    len(pool.repeats),
                    pool.hold_changes,
                    frozenset(entrants[track.id]),
                    None if category == OVERALL else frozenset(prompts[category]),
                    track.ties,
                    kinds[kind],
                )
    return sources
