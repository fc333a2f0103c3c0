"""The demo: everything once, with the built-in entrants, on any machine."""

from sqlalchemy import func, select

from arena import production
from arena.catalog import catalog
from arena.context import Arena, make_arena, utc_now
from arena.models import Vote, Voter, VoterKind
from arena.settings import Settings
from arena.shipped import Collection

SIMULATED_VOTES = 1200  # enough for a leaderboard whose intervals part the built-in entrants
SIMULATED_VOTERS = 60


def prepare(settings: Settings) -> Arena:
    """The demo's arena with the built-in entrants; what is there stays."""
    arena = make_arena(settings, Collection.DEMO)
    with arena.database.writing() as session:
        for path in production.built_in_entrants():
            entry = production.read_entrant_file(path)
            catalog.add_entrant(session, entry, now=utc_now())
    return arena


def simulated_votes_missing(arena: Arena) -> int:
    """How many simulated votes the demo still lacks."""
    with arena.database.reading() as session:
        there = session.scalar(
            select(func.count(Vote.id))
            .join(Voter, Voter.id == Vote.voter_id)
            .where(Voter.kind == VoterKind.SIMULATED)
        )
    return max(0, SIMULATED_VOTES - (there or 0))
