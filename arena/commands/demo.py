"""The steps of `arena demo`: an arena with the built-in entrants and simulated votes."""

from sqlalchemy import func, select

from arena import production
from arena.catalog import catalog
from arena.context import Arena, make_arena, utc_now
from arena.models import Vote, Voter, VoterKind
from arena.settings import Settings
from arena.shipped import Collection

SIMULATED_VOTES = 1200  # enough that the intervals separate the built-in entrants
SIMULATED_VOTERS = 60


def prepare(settings: Settings) -> Arena:
    """Create the demo's arena and add the built-in entrants; keep what already exists."""
    arena = make_arena(settings, Collection.DEMO)
    with arena.database.writing() as session:
        for path in production.built_in_entrants():
            entry = production.read_entrant_file(path)
            catalog.add_entrant(session, entry, now=utc_now())
    return arena


def missing_simulated_votes(arena: Arena) -> int:
    """Return how many simulated votes the demo still needs."""
    with arena.database.reading() as session:
        existing = session.scalar(
            select(func.count(Vote.id))
            .join(Voter, Voter.id == Vote.voter_id)
            .where(Voter.kind == VoterKind.SIMULATED)
        )
    return max(0, SIMULATED_VOTES - (existing or 0))
